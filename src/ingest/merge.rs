//! Conformed rows against what the warehouse holds: unchanged, new, changed, or in conflict with a posted row.
//!
//! Works partition by partition. A fact's partition is taken in runs of bounded size, each of which becomes one sorted
//! file; a dimension's branch is merged whole and replaced. While one file is being written, the next is prepared.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, StringArray, UInt32Array,
    make_comparator, new_null_array,
};
use arrow::compute::{SortOptions, concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{DataType as Arrow, Date32Type, Field, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::buffer::{Buffer, PartitionKey};
use super::conform::{PLACE, Reference, Target};
use super::keys::{KeyIndex, Lookup};
use super::quarantine::{Quarantine, Reason, Reject};
use super::sources::{RowPlace, SourceFile, source};
use super::versions::{self, History};
use super::worker::Stage;
use crate::error::{Code, Error, Result};
use crate::model::table::{Table, Versions};
use crate::model::time::iso;
use crate::warehouse::{DataFile, Publication, Replaces, SHARED, Warehouse, file_schema, rejects_table};

/// Files written at once.
const WRITES: usize = 8;
/// What unknown members are called.
const UNKNOWN: &str = "unknown";
/// Surrogate of the unknown member.
const UNKNOWN_KEY: i64 = -1;

/// What a load writes into.
#[derive(Debug)]
pub(super) struct Merger<'a> {
    /// Reads what is there.
    pub(super) warehouse: &'a Warehouse,
    /// The change under way.
    pub(super) publication: &'a Publication,
    /// Runs the futures of both from this thread.
    pub(super) runtime: &'a Handle,
    /// Who waits.
    pub(super) stage: &'a Stage,
    /// The feed's files, for the raw lines of rejected rows.
    pub(super) files: &'a [Arc<SourceFile>],
    /// The feed's business date, in days.
    pub(super) business_date: i32,
    /// Bytes of rows to sort at a time.
    pub(super) memory: usize,
    /// Latest date of the facts of each branch in this batch.
    pub(super) dates: BTreeMap<String, i32>,
    /// Change of the number of rows per table.
    pub(super) growth: BTreeMap<String, i64>,
}

/// A file to write.
struct File {
    key: PartitionKey,
    rows: RecordBatch,
    replaces: Replaces,
}

/// What becomes of a delivered row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is written.
    New,
    /// It takes the place of this row of the dimension.
    Replaces(usize),
    /// It is there already.
    Unchanged,
    /// Its key stands in an earlier row of the batch, by position among the keys.
    Duplicate(usize),
    /// It is there with other content, and facts do not change.
    Changed,
    /// It is the version of a day before this one, from which a later version holds.
    Late(i32),
}

impl Merger<'_> {
    /// Writes the facts of one table.
    pub(super) fn facts(&mut self, target: &Target, buffer: &Buffer, quarantine: &mut Quarantine) -> Result<()> {
        let existing = self.existing(&target.table)?;
        self.writing(&target.table, |merger, send| {
            let partitions = buffer.partitions();
            let total = partitions.len() as u64;
            for (done, (key, number)) in (0..).zip(partitions) {
                merger.stage.step(&format!("write {}", *target.table.name), done, Some(total));
                let files = existing.get(&key).map(Vec::as_slice).unwrap_or_default();
                let mut seen = Seen::new(target)?;
                let (mut run, mut bytes) = (Vec::new(), 0);
                for batch in buffer.read(number)? {
                    let batch = batch?;
                    bytes += batch.get_array_memory_size();
                    run.push(batch);
                    if bytes > merger.memory {
                        bytes = 0;
                        let rows = std::mem::take(&mut run);
                        merger.run(target, &key, rows, files, &mut seen, quarantine, send)?;
                    }
                }
                if !run.is_empty() {
                    merger.run(target, &key, run, files, &mut seen, quarantine, send)?;
                }
            }
            Ok(())
        })
    }

    #[expect(clippy::too_many_arguments, reason = "one step of `facts`, which owns them all")]
    fn run(
        &mut self,
        target: &Target,
        key: &PartitionKey,
        run: Vec<RecordBatch>,
        files: &[DataFile],
        seen: &mut Seen,
        quarantine: &mut Quarantine,
        send: &Writer,
    ) -> Result<()> {
        self.stage.proceed()?;
        let rows = concat_batches(&target.rows, &run).map_err(failed)?;
        drop(run);
        let mut fates = vec![Fate::New; rows.num_rows()];
        if !target.table.key.is_empty() {
            let fresh = seen.add(&rows, &mut fates)?;
            let bounds = bounds(&rows, target);
            for file in files.iter().filter(|file| overlaps(file, &bounds)) {
                self.stage.proceed()?;
                for batch in self.runtime.block_on(self.warehouse.read_file(file))? {
                    seen.compare(&rows, &fresh, &batch, |row, _, same| {
                        fates[row] = if same { Fate::Unchanged } else { Fate::Changed };
                    })?;
                }
            }
        }
        self.settle(&rows, &fates, key, seen, quarantine)?;
        let keep: BooleanArray = fates.iter().map(|fate| Some(*fate == Fate::New)).collect();
        let kept = project(&filter_record_batch(&rows, &keep).map_err(failed)?, &target.files)?;
        drop(rows); // sorting makes another copy
        if kept.num_rows() == 0 {
            return Ok(());
        }
        if let (Some(branch), Some(date)) = (&key.branch, &target.table.partition.date) {
            let latest = kept.column_by_name(date).and_then(|dates| dates.as_primitive_opt::<Date32Type>());
            if let Some(latest) = latest.and_then(arrow::compute::max) {
                let known = self.dates.entry(branch.clone()).or_insert(latest);
                *known = latest.max(*known);
            }
        }
        *self.growth.entry(target.table.name.value.clone()).or_default() += kept.num_rows() as i64;
        let order = target.table.sort.iter().map(|column| column.value.as_str()).chain(target.key());
        let rows = sorted(&kept, order)?;
        send.send(File { key: key.clone(), rows, replaces: Replaces::Nothing })
    }

    /// Writes one dimension, and answers with its members when they are needed to look references up.
    pub(super) fn dimension(
        &mut self,
        target: &Target,
        buffer: &Buffer,
        quarantine: &mut Quarantine,
        members: Option<&Reference>,
    ) -> Result<Lookup> {
        let table = &target.table;
        let existing = self.existing(table)?;
        let home = PartitionKey { branch: table.partition.branch.as_ref().map(|_| SHARED.to_owned()), month: None };
        let needs_unknown = table.surrogate.is_some() && !existing.contains_key(&home);
        let mut partitions: BTreeMap<PartitionKey, Option<u32>> =
            buffer.partitions().into_iter().map(|(key, number)| (key, Some(number))).collect();
        if needs_unknown {
            partitions.entry(home.clone()).or_default();
        }
        let mut lookup = Lookup::default();
        self.writing(table, |merger, send| {
            let total = partitions.len() as u64;
            for (done, (key, number)) in (0..).zip(&partitions) {
                merger.stage.proceed()?;
                merger.stage.step(&format!("write {}", *table.name), done, Some(total));
                let mut before = Vec::new();
                for file in existing.get(key).into_iter().flatten() {
                    before.extend(merger.runtime.block_on(merger.warehouse.read_file(file))?);
                }
                let count: usize = before.iter().map(RecordBatch::num_rows).sum();
                let unknown = needs_unknown && *key == home;
                if unknown {
                    before.push(unknown_member(target)?);
                }
                let before = concat_batches(&target.files, &before).map_err(failed)?;
                let rows = number.map(|number| buffer.read(number)?.collect::<Result<Vec<_>>>()).transpose()?;
                let rows = concat_batches(&target.rows, &rows.unwrap_or_default()).map_err(failed)?;
                let (after, changed) = merger.merge(target, key, &rows, &before, quarantine)?;
                if let (Some(reference), Some(surrogate)) = (members, &table.surrogate) {
                    let branch = key.branch.as_deref().unwrap_or(SHARED);
                    reference.add_members(&after, surrogate, lookup.members_mut(branch))?;
                }
                if changed || unknown {
                    *merger.growth.entry(table.name.value.clone()).or_default() +=
                        after.num_rows() as i64 - count as i64;
                    let replaces = Replaces::Partition;
                    send.send(File { key: key.clone(), rows: after, replaces })?;
                }
            }
            Ok(())
        })?;
        if let Some(reference) = members {
            let untouched = existing.iter().filter(|(key, _)| !partitions.contains_key(key));
            self.add_members(table, reference, untouched, &mut lookup)?;
        }
        Ok(lookup)
    }

    /// The members of a dimension that the feed does not bring.
    pub(super) fn members(&self, table: &Table, reference: &Reference) -> Result<Lookup> {
        let mut lookup = Lookup::default();
        self.add_members(table, reference, &self.existing(table)?, &mut lookup)?;
        Ok(lookup)
    }

    fn add_members<'b>(
        &self,
        table: &Table,
        reference: &Reference,
        partitions: impl IntoIterator<Item = (&'b PartitionKey, &'b Vec<DataFile>)>,
        lookup: &mut Lookup,
    ) -> Result<()> {
        let Some(surrogate) = &table.surrogate else { return Ok(()) };
        for (key, files) in partitions {
            let members = lookup.members_mut(key.branch.as_deref().unwrap_or(SHARED));
            for file in files {
                for batch in self.runtime.block_on(self.warehouse.read_file(file))? {
                    reference.add_members(&batch, surrogate, members)?;
                }
            }
        }
        Ok(())
    }

    /// The rows of a dimension's partition after the batch, sorted, and whether any differs from before.
    fn merge(
        &self,
        target: &Target,
        key: &PartitionKey,
        rows: &RecordBatch,
        before: &RecordBatch,
        quarantine: &mut Quarantine,
    ) -> Result<(RecordBatch, bool)> {
        if let Some(versions) = &target.table.versions {
            return self.merge_versions(target, versions, key, rows, before, quarantine);
        }
        let mut seen = Seen::new(target)?;
        let mut fates = vec![Fate::New; rows.num_rows()];
        let fresh = seen.add(rows, &mut fates)?;
        seen.compare(rows, &fresh, before, |row, old, same| {
            fates[row] = if same { Fate::Unchanged } else { Fate::Replaces(old) };
        })?;
        self.settle(rows, &fates, key, &seen, quarantine)?;

        let is_written = |fate: &Fate| matches!(fate, Fate::New | Fate::Replaces(_));
        let keep: BooleanArray = fates.iter().map(|fate| Some(is_written(fate))).collect();
        let mut incoming = filter_record_batch(rows, &keep).map_err(failed)?;
        if let Some(surrogate) = &target.table.surrogate {
            let fresh = fates.iter().filter(|fate| **fate == Fate::New).count() as i64;
            let mut next = match fresh {
                0 => 0,
                _ => self.runtime.block_on(self.publication.add_key_range(&target.table.name, fresh))?,
            };
            let known = before.column_by_name(surrogate).map(|column| column.as_primitive::<Int64Type>());
            let known = known.ok_or_else(|| Error::internal("a dimension is merged", "it has no surrogate column"))?;
            let surrogates = fates.iter().filter(|fate| is_written(fate)).map(|fate| match fate {
                Fate::Replaces(old) => known.value(*old),
                _ => {
                    next += 1;
                    next - 1
                }
            });
            let surrogates: ArrayRef = Arc::new(surrogates.collect::<Int64Array>());
            incoming = with_column(&incoming, surrogate, surrogates)?;
        }
        let incoming = project(&incoming, &target.files)?;
        let replaced: BTreeSet<usize> =
            fates.iter().filter_map(|fate| if let Fate::Replaces(old) = fate { Some(*old) } else { None }).collect();
        let stays: BooleanArray = (0..before.num_rows()).map(|row| Some(!replaced.contains(&row))).collect();
        let stays = filter_record_batch(before, &stays).map_err(failed)?;
        let changed = incoming.num_rows() > 0;
        let after = concat_batches(&target.files, [&stays, &incoming]).map_err(failed)?;
        Ok((in_order(target, &after)?, changed))
    }

    /// As [`Self::merge`], for a dimension that keeps versions.
    fn merge_versions(
        &self,
        target: &Target,
        versions: &Versions,
        key: &PartitionKey,
        rows: &RecordBatch,
        before: &RecordBatch,
        quarantine: &mut Quarantine,
    ) -> Result<(RecordBatch, bool)> {
        let rows = versions::dated(rows, versions, self.business_date)?;
        let mut fates = vec![Fate::New; rows.num_rows()];
        let mut seen = Seen::new(target)?;
        seen.columns.push(versions.from.value.clone());
        seen.converter = converter(&target.files, &seen.columns)?;
        seen.add(&rows, &mut fates)?;
        let history = History::merge(target, versions, before, &rows, &mut fates)?;
        self.settle(&rows, &fates, key, &seen, quarantine)?;
        let (changed, fresh) = (history.changed(), history.fresh());
        let next = match fresh {
            0 => 0,
            _ => self.runtime.block_on(self.publication.add_key_range(&target.table.name, fresh))?,
        };
        Ok((in_order(target, &history.finish(next)?)?, changed))
    }

    /// Counts the rows of a partition and moves the refused ones to the quarantine.
    fn settle(
        &self,
        rows: &RecordBatch,
        fates: &[Fate],
        key: &PartitionKey,
        seen: &Seen,
        quarantine: &mut Quarantine,
    ) -> Result<()> {
        let place = |name: &str| rows.column_by_name(name).map(|column| column.as_primitive::<Int64Type>());
        let [Some(files), Some(lines), Some(offsets), Some(lengths)] = PLACE.map(place) else {
            return Err(Error::internal("rows are merged", "their places are missing"));
        };
        let mut refused: BTreeMap<usize, Vec<(RowPlace, Reason, String)>> = BTreeMap::new();
        for (row, fate) in fates.iter().enumerate() {
            let file = files.value(row) as usize;
            let (reason, message) = match fate {
                Fate::New | Fate::Replaces(_) => {
                    quarantine.file(file).loaded += 1;
                    continue;
                }
                Fate::Unchanged => {
                    quarantine.file(file).unchanged += 1;
                    continue;
                }
                Fate::Duplicate(earlier) => {
                    let (file, line) = seen.places[*earlier];
                    let name = &*self.files[file as usize].feed.path;
                    (Reason::DuplicateKey, format!("the same key stands in line {line} of {name}"))
                }
                Fate::Changed => (
                    Reason::ChangedPostedRow,
                    "the row is posted with other content: correct it by a reversal".to_owned(),
                ),
                Fate::Late(later) => (
                    Reason::LateVersion,
                    format!("a later version holds from {}: history is not rewritten", iso(*later)),
                ),
            };
            let place = RowPlace {
                line: lines.value(row).cast_unsigned(),
                offset: offsets.value(row).cast_unsigned(),
                length: u32::try_from(lengths.value(row)).unwrap_or(u32::MAX),
            };
            refused.entry(file).or_default().push((place, reason, message));
        }
        for (index, refused) in refused {
            let file = &self.files[index];
            let source = source(&file.feed.format).ok_or_else(|| file.error("has an unknown format"))?;
            // Raw lines are fetched again, a thousand at a time: rows do not carry their text to this point.
            for part in refused.chunks(1024) {
                self.stage.proceed()?;
                let places: Vec<RowPlace> = part.iter().map(|(place, ..)| *place).collect();
                for ((place, reason, message), raw) in part.iter().zip(source.raw(file, &places)?) {
                    quarantine.push(Reject {
                        file: index,
                        line: place.line,
                        branch: key.branch.clone(),
                        reason: *reason,
                        column: None,
                        message: message.clone(),
                        raw,
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Writes the quarantine.
    pub(super) fn rejects(&mut self, mut buffer: Buffer) -> Result<()> {
        buffer.seal()?;
        let table = rejects_table();
        let schema = file_schema(&table);
        self.writing(&table, |merger, send| {
            for (key, number) in buffer.partitions() {
                let rows = buffer.read(number)?.collect::<Result<Vec<_>>>()?;
                let rows = concat_batches(&schema, &rows).map_err(failed)?;
                *merger.growth.entry(table.name.value.clone()).or_default() += rows.num_rows() as i64;
                let rows = sorted(&rows, ["node", "batch_no", "file_name", "line_no"])?;
                let key = PartitionKey { branch: Some(key.branch.unwrap_or_else(|| SHARED.to_owned())), month: None };
                send.send(File { key, rows, replaces: Replaces::Nothing })?;
            }
            Ok(())
        })
    }

    /// The files of a table by partition, as the publication found them.
    fn existing(&self, table: &Table) -> Result<HashMap<PartitionKey, Vec<DataFile>>> {
        let mut partitions: HashMap<_, Vec<_>> = HashMap::new();
        if let Some(parent) = self.publication.parent() {
            for file in &self.runtime.block_on(self.warehouse.files(parent, &table.name))?.files {
                let key = PartitionKey { branch: file.branch.clone(), month: file.month };
                partitions.entry(key).or_default().push(file.clone());
            }
        }
        Ok(partitions)
    }

    /// Runs `prepare` here and writes what it sends on a second thread.
    fn writing<T>(&mut self, table: &Table, prepare: impl FnOnce(&mut Self, &Writer) -> Result<T>) -> Result<T> {
        let (publication, runtime) = (self.publication, self.runtime);
        let (send, receive) = mpsc::channel(WRITES);
        let writer = Writer::new(send, self.memory, runtime.clone());
        let room = Arc::clone(&writer.room);
        std::thread::scope(|scope| {
            let writing = scope.spawn(move || {
                // However this ends, nobody may go on waiting for room.
                let _close = CloseOnDrop(room);
                let files = stream::unfold(receive, async |mut receive| Some((receive.recv().await?, receive)));
                let writes = files.map(async |(File { key, rows, replaces }, room)| {
                    publication.write(table, key.branch.as_deref(), key.month, vec![rows], replaces).await?;
                    drop(room);
                    Ok(())
                });
                runtime.block_on(writes.buffer_unordered(WRITES).try_collect::<()>())
            });
            let prepared = prepare(self, &writer);
            drop(writer);
            // The writer's error is the cause when both fail.
            writing.join().unwrap_or_else(|_| Err(Error::internal("files are written", "the writer panicked")))?;
            prepared
        })
    }
}

/// Takes files to be written. Waiting for a disk to sync is most of the work on small partitions, so several are written at
/// once, as many as fit the memory.
struct Writer {
    send: mpsc::Sender<(File, OwnedSemaphorePermit)>,
    /// KiB that files on their way may take.
    room: Arc<Semaphore>,
    total: u32,
    runtime: Handle,
}

impl Writer {
    fn new(send: mpsc::Sender<(File, OwnedSemaphorePermit)>, memory: usize, runtime: Handle) -> Self {
        let total = u32::try_from(memory / 1024).unwrap_or(u32::MAX).clamp(1, 1 << 28);
        Self { send, room: Arc::new(Semaphore::new(total as usize)), total, runtime }
    }

    fn send(&self, file: File) -> Result<()> {
        let size = u32::try_from(file.rows.get_array_memory_size() / 1024).unwrap_or(u32::MAX).clamp(1, self.total);
        self.runtime.block_on(async {
            let room = Arc::clone(&self.room).acquire_many_owned(size).await.map_err(|_| gone())?;
            self.send.send((file, room)).await.map_err(|_| gone())
        })
    }
}

struct CloseOnDrop(Arc<Semaphore>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The keys of a partition's rows so far, and where each stands.
#[derive(Debug)]
struct Seen {
    columns: Vec<String>,
    converter: RowConverter,
    keys: KeyIndex,
    /// File and line by position of the key.
    places: Vec<(u32, u64)>,
}

/// Rows whose keys were just taken in.
#[derive(Debug, Default)]
struct Fresh {
    /// Position of the first new key.
    first: usize,
    /// The row of each new key.
    rows: Vec<usize>,
}

impl Fresh {
    fn row(&self, position: usize) -> Option<usize> {
        position.checked_sub(self.first).and_then(|index| self.rows.get(index)).copied()
    }
}

impl Seen {
    fn new(target: &Target) -> Result<Self> {
        let columns: Vec<String> = target.key().map(str::to_owned).collect();
        let converter = converter(&target.files, &columns)?;
        Ok(Self { columns, converter, keys: KeyIndex::default(), places: Vec::new() })
    }

    fn encode(&self, rows: &RecordBatch) -> Result<Rows> {
        self.converter.convert_columns(&columns(rows, &self.columns)?).map_err(failed)
    }

    /// Takes the keys of rows in and marks duplicates.
    fn add(&mut self, rows: &RecordBatch, fates: &mut [Fate]) -> Result<Fresh> {
        let places = columns(rows, &PLACE)?;
        let (files, lines) = (places[0].as_primitive::<Int64Type>(), places[1].as_primitive::<Int64Type>());
        let keys = self.encode(rows)?;
        let mut fresh = Fresh { first: self.keys.len(), rows: Vec::with_capacity(rows.num_rows()) };
        for (row, fate) in fates.iter_mut().enumerate() {
            match self.keys.insert(keys.row(row).as_ref()) {
                Ok(_) => {
                    fresh.rows.push(row);
                    self.places
                        .push((u32::try_from(files.value(row)).unwrap_or_default(), lines.value(row).cast_unsigned()));
                }
                Err(earlier) => *fate = Fate::Duplicate(earlier),
            }
        }
        Ok(fresh)
    }

    /// Finds the rows of `before` among the fresh ones: `found(row, row of before, same content)`.
    fn compare(
        &self,
        rows: &RecordBatch,
        fresh: &Fresh,
        before: &RecordBatch,
        mut found: impl FnMut(usize, usize, bool),
    ) -> Result<()> {
        if before.num_rows() == 0 || rows.num_rows() == 0 {
            return Ok(());
        }
        let keys = self.encode(before)?;
        let fields = &rows.schema_ref().fields()[..rows.num_columns() - PLACE.len()];
        let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let (new, old) = (columns(rows, &names)?, columns(before, &names)?);
        let comparators = new.iter().zip(&old).map(|(new, old)| make_comparator(new, old, SortOptions::default()));
        let comparators = comparators.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        for old in 0..before.num_rows() {
            let position = self.keys.get(keys.row(old).as_ref());
            if let Some(row) = position.and_then(|position| fresh.row(position)) {
                found(row, old, comparators.iter().all(|compare| compare(row, old).is_eq()));
            }
        }
        Ok(())
    }
}

/// Bounds of the key columns that the log keeps bounds of.
fn bounds<'a>(rows: &RecordBatch, target: &'a Target) -> Vec<(&'a str, i64, i64)> {
    let bounds = target.key().filter_map(|name| {
        let column = rows.column_by_name(name)?;
        if column.null_count() > 0 {
            return None;
        }
        let (least, greatest) = match column.data_type() {
            Arrow::Date32 => {
                let days = column.as_primitive::<Date32Type>();
                (i64::from(arrow::compute::min(days)?), i64::from(arrow::compute::max(days)?))
            }
            Arrow::Int64 => {
                let numbers = column.as_primitive::<Int64Type>();
                (arrow::compute::min(numbers)?, arrow::compute::max(numbers)?)
            }
            _ => return None,
        };
        Some((name, least, greatest))
    });
    bounds.collect()
}

/// Whether a file may hold any of the keys within these bounds.
fn overlaps(file: &DataFile, bounds: &[(&str, i64, i64)]) -> bool {
    bounds.iter().all(|(name, least, greatest)| {
        let (min, max) = (file.min.get(*name), file.max.get(*name));
        min.is_none_or(|min| min <= greatest) && max.is_none_or(|max| max >= least)
    })
}

/// Rows of a dimension as its files hold them.
fn in_order(target: &Target, rows: &RecordBatch) -> Result<RecordBatch> {
    let sort = target.table.sort.iter().map(|column| column.value.as_str());
    match &target.table.surrogate {
        Some(surrogate) => sorted(rows, sort.chain([surrogate.as_str()])),
        None => sorted(rows, sort.chain(target.key())),
    }
}

/// The row of a dimension for facts that name no member: required texts and keys say so, the rest is null.
fn unknown_member(target: &Target) -> Result<RecordBatch> {
    let table = &target.table;
    let columns = target.files.fields().iter().map(|field| -> ArrayRef {
        let name = field.name().as_str();
        let column = table.column(name);
        let is_key = table.key.iter().any(|key| **key == name);
        let is_surrogate = table.surrogate.as_ref().is_some_and(|surrogate| **surrogate == name);
        if is_surrogate || column.is_some_and(|column| column.references.is_some()) {
            Arc::new(Int64Array::from(vec![UNKNOWN_KEY]))
        } else if *field.data_type() == Arrow::Utf8 && (is_key || column.is_some_and(|column| column.required)) {
            Arc::new(StringArray::from(vec![UNKNOWN]))
        } else {
            new_null_array(field.data_type(), 1)
        }
    });
    RecordBatch::try_new(Arc::clone(&target.files), columns.collect()).map_err(failed)
}

pub(super) fn columns<N: AsRef<str>>(rows: &RecordBatch, names: &[N]) -> Result<Vec<ArrayRef>> {
    let column = |name: &N| {
        let column = rows.column_by_name(name.as_ref()).cloned();
        column.ok_or_else(|| Error::internal("rows are merged", format!("no column {}", name.as_ref())))
    };
    names.iter().map(column).collect()
}

pub(super) fn converter(schema: &SchemaRef, names: &[String]) -> Result<RowConverter> {
    let field = |name: &String| {
        let field = schema.field_with_name(name).map_err(failed)?;
        Ok(SortField::new(field.data_type().clone()))
    };
    RowConverter::new(names.iter().map(field).collect::<Result<_>>()?).map_err(failed)
}

/// Rows in the order of some columns, nulls first; equal rows keep their order.
fn sorted<'a>(rows: &RecordBatch, order: impl IntoIterator<Item = &'a str>) -> Result<RecordBatch> {
    let mut names: Vec<String> = Vec::new();
    for name in order {
        // The branch is the same in all rows of a file, and not in it.
        if rows.column_by_name(name).is_some() && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    if names.is_empty() {
        return Ok(rows.clone());
    }
    let keys = converter(rows.schema_ref(), &names)?.convert_columns(&columns(rows, &names)?).map_err(failed)?;
    let count = u32::try_from(rows.num_rows()).map_err(|error| Error::internal("rows are sorted", error))?;
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_by(|a, b| keys.row(*a as usize).cmp(&keys.row(*b as usize)));
    take_record_batch(rows, &UInt32Array::from(order)).map_err(failed)
}

/// The columns of a schema, by name.
pub(super) fn project(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns(rows, &names)?, &options).map_err(failed)
}

fn with_column(rows: &RecordBatch, name: &str, column: ArrayRef) -> Result<RecordBatch> {
    let mut fields: Vec<_> = rows.schema_ref().fields().iter().map(Arc::clone).collect();
    fields.push(Arc::new(Field::new(name, column.data_type().clone(), true)));
    let mut columns = rows.columns().to_vec();
    columns.push(column);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(failed)
}

pub(super) fn failed(error: ArrowError) -> Error {
    Error::internal("rows are merged", error)
}

/// The writer has ended early; its own error says why.
fn gone() -> Error {
    Error::new(Code::Cancelled, "files are no longer written")
}
