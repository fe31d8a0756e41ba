//! Delivered cells to rows of a table: renamed, mapped, typed, looked up, and each sent to its partition; or rejected.
//!
//! Works column by column over a few thousand rows. The first fault of a row, in the order of the table's columns, is its
//! reason; the other columns of that row are not looked at any more.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use arrow::array::{
    ArrayRef, BooleanArray, BooleanBuilder, Date32Array, Date32Builder, Decimal128Builder, Float64Builder, Int64Array,
    Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType as Arrow, Field, Schema, SchemaRef};

use super::buffer::{Buffer, PartitionKey};
use super::cards::holds_card_number;
use super::keys::{Lookup, Members};
use super::parse::{self, ExactSum, Fault};
use super::quarantine::{Quarantine, Reason, Reject};
use super::sources::{RawBatch, Source, SourceFile, source, too_long};
use super::worker::Stage;
use crate::error::{Code, Error, Result};
use crate::model::feed::FeedFile;
use crate::model::table::{BEGIN, Column, DataType, Period, Sensitivity, Table, TableKind};
use crate::warehouse::SHARED;

/// The node that may deliver for every branch.
pub(super) const HEAD_OFFICE: &str = "head_office";

/// More branches than this in one file are a column that is no branch: each would become a folder.
const BRANCHES: usize = 4096;

/// Columns that travel with a row until it is written: file, line, offset, length. No table column can have such a name.
pub(super) const PLACE: [&str; 4] = ["#file", "#line", "#offset", "#length"];

/// A table that the feed fills: what its rows look like on their way.
#[derive(Debug)]
pub(super) struct Target {
    /// The table.
    pub(super) table: Table,
    /// Schema of the table's files.
    pub(super) files: SchemaRef,
    /// Schema of conformed rows: the files' columns without the surrogate, then [`PLACE`].
    pub(super) rows: SchemaRef,
    /// Columns by dimension that they refer to, and how.
    references: HashMap<String, Reference>,
}

/// A column that holds a dimension's surrogate.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    /// The dimension.
    pub(super) dimension: String,
    /// Its natural key column besides the branch.
    pub(super) key: String,
    /// Type of that column.
    key_type: DataType,
    /// Whether members are kept apart by branch.
    cut: bool,
    /// The column with a version's first day, where members have versions.
    from: Option<String>,
}

impl Target {
    /// Prepares a table. `files` is the schema of its files.
    ///
    /// # Errors
    /// [`Code::Definition`] when a reference cannot be looked up.
    pub(super) fn new(table: &Table, files: SchemaRef, tables: &[Table]) -> Result<Self> {
        let wrong = |what: String| Error::new(Code::Definition, format!("table `{}`: {what}", *table.name));
        let mut references = HashMap::new();
        for column in &table.columns {
            let Some(dimension) = &column.references else { continue };
            let reference = Reference::new(dimension, tables);
            let reference = reference.map_err(|what| wrong(format!("column `{}` {what}", *column.name)))?;
            references.insert(column.name.value.clone(), reference);
        }
        if let Some(cut) = table.partition.branch.as_ref().filter(|_| table.kind == TableKind::Dimension)
            && !table.key.iter().any(|key| **key == **cut)
        {
            return Err(wrong(format!("it is cut by `{}`, so its key must hold that column", **cut)));
        }
        let surrogate = table.surrogate.as_ref().map(|column| column.value.as_str());
        let mut fields: Vec<_> =
            files.fields().iter().filter(|field| Some(field.name().as_str()) != surrogate).map(Arc::clone).collect();
        fields.extend(PLACE.map(|name| Arc::new(Field::new(name, Arrow::Int64, false))));
        Ok(Self { table: table.clone(), files, rows: Arc::new(Schema::new(fields)), references })
    }

    /// The dimensions that the rows refer to.
    pub(super) fn references(&self) -> impl Iterator<Item = &Reference> {
        self.references.values()
    }

    /// The key columns that stand in the files.
    pub(super) fn key(&self) -> impl Iterator<Item = &str> {
        self.table.natural_key().map(|column| column.as_str())
    }
}

impl Reference {
    /// How members of a dimension are found.
    pub(super) fn new(dimension: &str, tables: &[Table]) -> Result<Self, String> {
        let table = tables.iter().find(|table| *table.name == dimension);
        let table = table.ok_or_else(|| format!("refers to `{dimension}`, which is not declared"))?;
        if table.surrogate.is_none() {
            return Err(format!("refers to `{dimension}`, which has no surrogate key"));
        }
        let mut keys = table.natural_key();
        let (Some(key), None) = (keys.next(), keys.next()) else {
            return Err(format!("refers to `{dimension}`, whose key has more than one column besides the branch"));
        };
        let key_type = table.column(key).map(|column| column.data_type);
        match key_type {
            Some(key_type @ (DataType::Text | DataType::Integer | DataType::Date)) => Ok(Self {
                dimension: dimension.to_owned(),
                key: key.value.clone(),
                key_type,
                cut: table.partition.branch.is_some(),
                from: table.versions.as_ref().map(|versions| versions.from.value.clone()),
            }),
            _ => Err(format!("refers to `{dimension}`, whose key `{}` is neither text, integer nor date", **key)),
        }
    }

    /// Adds the members that the rows of a dimension's file hold.
    pub(super) fn add_members(&self, rows: &RecordBatch, surrogate: &str, members: &mut Members) -> Result<()> {
        use arrow::array::{Array, AsArray};
        use arrow::datatypes::{Date32Type, Int64Type};
        let column = |name: &str| {
            rows.column_by_name(name)
                .ok_or_else(|| Error::internal("members are looked up", format!("no column {name}")))
        };
        let (keys, surrogates) = (column(&self.key)?, column(surrogate)?.as_primitive::<Int64Type>());
        let from = self.from.as_deref().map(column).transpose()?.map(|from| from.as_primitive::<Date32Type>());
        for row in (0..rows.num_rows()).filter(|row| keys.is_valid(*row)) {
            let (from, surrogate) =
                (from.map(|from| if from.is_valid(row) { from.value(row) } else { BEGIN }), surrogates.value(row));
            match self.key_type {
                DataType::Integer => {
                    members.insert(&keys.as_primitive::<Int64Type>().value(row).to_le_bytes(), from, surrogate)
                }
                DataType::Date => {
                    members.insert(&keys.as_primitive::<Date32Type>().value(row).to_le_bytes(), from, surrogate)
                }
                _ => members.insert(keys.as_string::<i32>().value(row).as_bytes(), from, surrogate),
            }
        }
        Ok(())
    }
}

/// What the checks of a table's files say about the batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing speaks against it.
    Good,
    /// Someone must look at it first.
    Held(String),
    /// A total differs.
    Refused(String),
}

/// What a load needs to know to conform a table's files.
#[derive(Debug)]
pub(super) struct Task {
    /// The table.
    pub(super) target: Arc<Target>,
    /// Its files, with their indices in the feed.
    pub(super) files: Vec<(usize, Arc<SourceFile>)>,
    /// Members of the dimensions that the table refers to.
    pub(super) lookups: HashMap<String, Arc<Lookup>>,
    /// Who delivers.
    pub(super) node: String,
    /// The feed's business date, in days.
    pub(super) business_date: i32,
    /// Rejected share of a file's rows that is let pass.
    pub(super) max_reject_share: f64,
    /// Bytes of rows to keep in memory.
    pub(super) memory: usize,
}

/// Conforms all files of a table.
pub(super) fn conform(task: &Task, quarantine: &mut Quarantine, stage: &Stage) -> Result<(Buffer, Verdict)> {
    let mut buffer = Buffer::new(Arc::clone(&task.target.rows), task.memory);
    let (mut held, mut refused) = (Vec::new(), Vec::new());
    for (index, file) in &task.files {
        let started = std::time::Instant::now();
        let mut conformer = Conformer::new(task, *index, file)?;
        let source =
            source(&file.feed.format).ok_or_else(|| file.error(format!("no format `{}`", *file.feed.format)))?;
        read(file, source, stage, |raw| {
            stage.proceed()?;
            conformer.batch(raw, &mut buffer, quarantine)?;
            stage.step(
                &file.feed.path,
                quarantine.file(*index).delivered,
                file.feed.control.rows.as_ref().map(|rows| **rows),
            );
            Ok(())
        })?;
        let counts = quarantine.file(*index);
        tracing::info!(
            file = %*file.feed.path, table = %*file.feed.table, rows = counts.delivered, rejected = counts.rejected,
            seconds = started.elapsed().as_secs_f64(), "file read"
        );
        let (open, differ) = conformer.totals(counts.delivered);
        held.extend(open);
        refused.extend(differ);
        held.extend(too_many_rejects(file, quarantine.file(*index), task.max_reject_share));
    }
    buffer.seal()?;
    if buffer.has_spilled() {
        tracing::info!(table = %*task.target.table.name, "rows were put aside in a temporary file");
    }
    let verdict = match (refused.is_empty(), held.is_empty()) {
        (false, _) => Verdict::Refused(refused.join("; ")),
        (true, false) => Verdict::Held(held.join("; ")),
        (true, true) => Verdict::Good,
    };
    Ok((buffer, verdict))
}

/// Why a batch is held for this file's rejected rows, if it is.
pub(super) fn too_many_rejects(
    file: &SourceFile,
    counts: &super::quarantine::FileCounts,
    share: f64,
) -> Option<String> {
    // Counts are far below 2^53: the comparison is exact enough for a threshold.
    let limit = share * counts.delivered as f64;
    (counts.rejected as f64 > limit).then(|| {
        format!(
            "{}: {} of {} rows rejected, the feed allows a share of {share}: {}",
            *file.feed.path,
            counts.rejected,
            counts.delivered,
            counts.summary()
        )
    })
}

/// Reads a file on a second thread, so that cutting and typing overlap. A reader that panics rejects the file.
fn read(
    file: &SourceFile,
    source: &dyn Source,
    stage: &Stage,
    mut take: impl FnMut(&RawBatch) -> Result<()>,
) -> Result<()> {
    std::thread::scope(|scope| {
        let (send, receive) = sync_channel::<RawBatch>(4);
        let reader = scope.spawn(move || {
            source.read(file, &mut |batch| {
                if stage.proceed().is_err() || send.send(batch).is_err() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
        });
        let taken = receive.iter().try_for_each(|batch| take(&batch));
        drop(receive);
        let read =
            reader.join().unwrap_or_else(|_| Err(file.error("cannot be read: its reader failed; deliver it again")));
        taken.and(read).and_then(|()| stage.proceed())
    })
}

/// Where a column's cells come from.
#[derive(Debug)]
enum Origin<'a> {
    /// A column of the file, by the feed's index.
    File(usize),
    /// A constant of the feed.
    Constant(&'a [u8]),
    /// Nowhere: always null.
    Nothing,
}

/// Cells of one column, without the texts that mean "no value", mapped to stored codes.
#[derive(Debug)]
struct Cells<'a> {
    from: Origin<'a>,
    nulls: &'a [String],
    codes: Option<HashMap<&'a [u8], &'a [u8]>>,
    format: Option<&'a str>,
    /// The type delivered, where the feed states one.
    delivered: Option<DataType>,
}

impl<'a> Cells<'a> {
    fn new(feed: &'a FeedFile, column: &str) -> Self {
        let nulls: &[String] = if *feed.format == "parquet" { &[] } else { &feed.null_values };
        let plain = |from| Self { from, nulls, codes: None, format: None, delivered: None };
        let named = feed.columns.iter().position(|named| !named.ignore && *named.to == column);
        let Some(index) = named else {
            let constant = feed.constants.iter().find(|(name, _)| **name == column);
            return plain(constant.map_or(Origin::Nothing, |(_, text)| Origin::Constant(text.as_bytes())));
        };
        let named = &feed.columns[index];
        let codes = named.codes.as_ref();
        Self {
            codes: codes.map(|codes| codes.iter().map(|(from, to)| (from.as_bytes(), to.as_bytes())).collect()),
            format: named.format.as_deref(),
            delivered: named.data_type.as_ref().map(|data_type| data_type.value),
            ..plain(Origin::File(index))
        }
    }

    fn get<'b>(&'b self, raw: &'b RawBatch, row: usize) -> Result<Option<&'b [u8]>, Fault> {
        let cell = match self.from {
            Origin::File(column) => raw.cell(row, column),
            Origin::Constant(text) => Some(text),
            Origin::Nothing => None,
        };
        let Some(cell) = cell.filter(|cell| !self.nulls.iter().any(|null| null.as_bytes() == *cell)) else {
            return Ok(None);
        };
        if let Some(why) = too_long(cell) {
            return Err(Fault::new(Reason::OutOfRange, why));
        }
        match &self.codes {
            None => Ok(Some(cell)),
            Some(codes) => match codes.get(cell) {
                Some(code) => Ok(Some(code)),
                None => Err(Fault::new(Reason::BadCode, "is a code that the feed does not list")),
            },
        }
    }
}

/// A fault with the column where it was found.
type RowFault<'a> = (Option<&'a str>, Fault);

/// Conforms the rows of one file.
#[derive(Debug)]
struct Conformer<'a> {
    task: &'a Task,
    index: usize,
    file: &'a SourceFile,
    branch: Option<(&'a str, Cells<'a>)>,
    columns: Vec<(&'a Column, Cells<'a>)>,
    /// Column of the table that decides the period.
    date: Option<usize>,
    sums: Vec<(usize, ExactSum, Option<u64>)>,
    /// Known branch texts: the number in `names`.
    branches: HashMap<Box<[u8]>, u32>,
    names: Vec<String>,
    partitions: HashMap<(u32, i32), u32>,
    /// The partition asked for last: neighbours mostly share it.
    last: Option<((u32, i32), u32)>,
}

impl<'a> Conformer<'a> {
    fn new(task: &'a Task, index: usize, file: &'a SourceFile) -> Result<Self> {
        let target = &task.target;
        let fields = target.rows.fields();
        let columns = fields[..fields.len() - PLACE.len()].iter().map(|field| {
            let column = target.table.column(field.name());
            let column =
                column.ok_or_else(|| Error::internal("rows are conformed", format!("no column {}", field.name())))?;
            Ok((column, Cells::new(&file.feed, field.name())))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let dated = target.table.partition.date.as_ref();
        let date = dated.and_then(|date| columns.iter().position(|(column, _)| *column.name == **date));
        let sums = file.feed.control.sums.iter().filter_map(|(name, _)| {
            let column = file.feed.columns.iter().position(|column| *column.name == **name)?;
            Some((column, ExactSum::default(), None))
        });
        Ok(Self {
            task,
            index,
            file,
            branch: target
                .table
                .partition
                .branch
                .as_ref()
                .map(|branch| (branch.value.as_str(), Cells::new(&file.feed, branch))),
            columns,
            date,
            sums: sums.collect(),
            branches: HashMap::new(),
            names: Vec::new(),
            partitions: HashMap::new(),
            last: None,
        })
    }

    fn batch(&mut self, raw: &RawBatch, buffer: &mut Buffer, quarantine: &mut Quarantine) -> Result<()> {
        let rows = raw.len();
        quarantine.file(self.index).delivered += rows as u64;
        self.add_to_sums(raw);
        self.refuse_card_numbers(raw)?;
        let mut faults = Faults { bad: vec![false; rows], found: Vec::new() };
        for (row, why) in raw.malformed() {
            faults.put(*row, None, Fault::new(Reason::MalformedLine, why.clone()));
        }
        let branches = self.branches(raw, &mut faults);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len() + PLACE.len());
        for (column, cells) in &self.columns {
            arrays.push(self.column(column, cells, raw, &branches, &mut faults));
        }
        let months = self.months(&arrays, &mut faults);
        let place =
            |value: &dyn Fn(usize) -> i64| -> ArrayRef { Arc::new((0..rows).map(value).collect::<Int64Array>()) };
        // Lines and offsets beyond 2^63 do not exist.
        arrays.push(place(&|_| self.index as i64));
        arrays.push(place(&|row| raw.rows()[row].line.cast_signed()));
        arrays.push(place(&|row| raw.rows()[row].offset.cast_signed()));
        arrays.push(place(&|row| i64::from(raw.rows()[row].length)));
        let mut batch = RecordBatch::try_new(Arc::clone(&self.task.target.rows), arrays)
            .map_err(|error| Error::internal("rows are conformed", error))?;
        if !faults.found.is_empty() {
            let keep: BooleanArray = faults.bad.iter().map(|bad| Some(!bad)).collect();
            batch = filter_record_batch(&batch, &keep).map_err(|error| Error::internal("rows are conformed", error))?;
        }
        let mut ids = Vec::with_capacity(batch.num_rows());
        for row in (0..rows).filter(|row| !faults.bad[*row]) {
            let cut = (branches[row], months.get(row).copied().unwrap_or_default());
            ids.push(self.partition(cut, buffer));
        }
        faults.found.sort_unstable_by_key(|(row, _)| *row);
        for (row, (column, fault)) in faults.found {
            quarantine.push(Reject {
                file: self.index,
                line: raw.rows()[row].line,
                branch: self.names.get(branches[row] as usize).cloned(),
                reason: fault.reason,
                column: column.map(str::to_owned),
                message: fault.message.into_owned(),
                raw: raw.raw(row, self.file),
            })?;
        }
        if batch.num_rows() > 0 { buffer.push(batch, ids) } else { Ok(()) }
    }

    /// Before a row is looked at: a rejected one is kept as it was delivered.
    fn refuse_card_numbers(&self, raw: &RawBatch) -> Result<()> {
        for (column, cells) in self.columns.iter().filter(|(column, _)| is_free_text(column)) {
            let holds = |row: &usize| cells.get(raw, *row).ok().flatten().is_some_and(holds_card_number);
            if let Some(row) = (0..raw.len()).find(holds) {
                let line = raw.rows()[row].line;
                let what = format!(
                    "line {line}: `{}` holds what reads as a card number, which may not enter the warehouse; have the source \
                     take it out",
                    *column.name
                );
                return Err(self.file.error(what));
            }
        }
        Ok(())
    }

    fn add_to_sums(&mut self, raw: &RawBatch) {
        for (column, sum, open) in &mut self.sums {
            for row in 0..raw.len() {
                let Some(cell) = raw.cell(row, *column) else { continue };
                let null = *self.file.feed.format != "parquet"
                    && self.file.feed.null_values.iter().any(|null| null.as_bytes() == cell);
                if !null && !sum.add(cell) {
                    open.get_or_insert(raw.rows()[row].line);
                }
            }
            if let Some((row, _)) = raw.malformed().first() {
                open.get_or_insert(raw.rows()[*row].line);
            }
        }
    }

    /// Number of each row's branch in `names`; `u32::MAX` where it is unknown, or where rows have none.
    fn branches(&mut self, raw: &RawBatch, faults: &mut Faults<'a>) -> Vec<u32> {
        let mut numbers = vec![u32::MAX; raw.len()];
        let Some((column, cells)) = &self.branch else { return numbers };
        let mut last: Option<(&[u8], u32)> = None;
        for (row, number) in numbers.iter_mut().enumerate() {
            if faults.bad[row] {
                continue;
            }
            let cell = match cells.get(raw, row) {
                Ok(Some(cell)) => cell,
                Ok(None) => {
                    faults.put(row, Some(column), missing());
                    continue;
                }
                Err(fault) => {
                    faults.put(row, Some(column), fault);
                    continue;
                }
            };
            // Rows of a branch mostly stand together.
            if last.is_some_and(|(text, _)| text == cell) {
                *number = last.map_or(u32::MAX, |(_, number)| number);
                continue;
            }
            let known = match self.branches.get(cell) {
                Some(known) => Ok(*known),
                None => branch_name(cell, &self.task.node).and_then(|name| {
                    if self.names.len() == BRANCHES {
                        return Err(Fault::new(Reason::WrongBranch, format!("is one branch more than {BRANCHES}")));
                    }
                    let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
                    self.names.push(name);
                    self.branches.insert(cell.into(), number);
                    Ok(number)
                }),
            };
            match known {
                Ok(known) => {
                    *number = known;
                    last = Some((cell, known));
                }
                Err(fault) => faults.put(row, Some(column), fault),
            }
        }
        numbers
    }

    /// The period of each row as yyyymm of its first month; empty when the table is not cut by time.
    fn months(&self, arrays: &[ArrayRef], faults: &mut Faults<'a>) -> Vec<i32> {
        use arrow::array::Array;
        let table = &self.task.target.table;
        let Some(index) = self.date.filter(|_| table.partition.period != Period::None) else { return Vec::new() };
        let (column, _) = &self.columns[index];
        let days = arrow::compute::cast(&arrays[index], &Arrow::Date32).ok();
        let Some(days) = days.as_ref().and_then(|days| days.as_any().downcast_ref::<Date32Array>()) else {
            return Vec::new();
        };
        let month = |row: usize| {
            if faults.bad[row] {
                return 0;
            }
            if days.is_null(row) {
                faults.put(row, Some(&column.name), missing());
                return 0;
            }
            let day = days.value(row);
            if table.kind == TableKind::Fact && day > self.task.business_date {
                faults.put(
                    row,
                    Some(&column.name),
                    Fault::new(Reason::FutureDate, "is later than the feed's business date"),
                );
            }
            period(day, table.partition.period)
        };
        (0..days.len()).map(month).collect()
    }

    fn partition(&mut self, cut: (u32, i32), buffer: &mut Buffer) -> u32 {
        if let Some((_, id)) = self.last.filter(|(last, _)| *last == cut) {
            return id;
        }
        let id = match self.partitions.get(&cut) {
            Some(id) => *id,
            None => {
                let branch = self.names.get(cut.0 as usize).cloned();
                buffer.partition(&PartitionKey { branch, month: (cut.1 != 0).then_some(cut.1) })
            }
        };
        self.partitions.insert(cut, id);
        self.last = Some((cut, id));
        id
    }

    /// One column of the table.
    fn column(
        &self,
        column: &'a Column,
        cells: &Cells<'_>,
        raw: &RawBatch,
        branches: &[u32],
        faults: &mut Faults<'a>,
    ) -> ArrayRef {
        let table = &self.task.target.table;
        let is_key = table.kind == TableKind::Dimension && table.key.iter().any(|key| **key == *column.name);
        let required = column.required || is_key;
        let mut typed = Typed { name: &column.name, required, cells, raw, faults };
        let rows = raw.len();
        if let Some(reference) = self.task.target.references.get(&column.name.value) {
            let mut values = Int64Builder::with_capacity(rows);
            let lookup = self.task.lookups.get(&reference.dimension);
            let own: Vec<Option<&Members>> =
                self.names.iter().map(|name| lookup.and_then(|lookup| lookup.members(name))).collect();
            let shared = lookup.and_then(|lookup| lookup.members(SHARED));
            // A fact names the version of its own day, what has no day that of the feed's. A date that cannot be read is that
            // column's fault.
            let dated = self.date.filter(|_| reference.from.is_some()).map(|date| &self.columns[date].1);
            let day = |row: usize| {
                let own = dated.and_then(|dated| {
                    dated.get(raw, row).ok().flatten().and_then(|cell| parse::date(cell, dated.format).ok())
                });
                own.unwrap_or(self.task.business_date)
            };
            let find = |row: usize, key: &[u8]| {
                let (own, day) =
                    (own.get(branches[row] as usize).filter(|_| reference.cut).copied().flatten(), day(row));
                let found = [own, shared].into_iter().flatten().find_map(|members| members.get(key, day));
                found.ok_or_else(|| {
                    Fault::new(Reason::UnknownKey, format!("names no member of `{}`", reference.dimension))
                })
            };
            let format = cells.format;
            match reference.key_type {
                DataType::Integer => typed.each(
                    |row, cell| find(row, &parse::integer(cell)?.to_le_bytes()),
                    |value| values.append_value(value.unwrap_or(-1)),
                ),
                DataType::Date => typed.each(
                    |row, cell| find(row, &parse::date(cell, format)?.to_le_bytes()),
                    |value| values.append_value(value.unwrap_or(-1)),
                ),
                _ => typed.each(
                    |row, cell| find(row, parse::text(cell)?.as_bytes()),
                    |value| values.append_value(value.unwrap_or(-1)),
                ),
            }
            return Arc::new(values.finish());
        }
        let format = cells.format;
        // A narrower type that the feed states is held to as well.
        let narrow = cells.delivered.filter(|delivered| *delivered != column.data_type);
        let stated = move |cell: &[u8]| match narrow {
            Some(DataType::Integer) => parse::integer(cell).map(drop),
            Some(DataType::Decimal(precision, scale)) => parse::decimal(cell, precision, scale).map(drop),
            _ => Ok(()),
        };
        match column.data_type {
            DataType::Text => {
                let mut values = StringBuilder::with_capacity(rows, rows * 12);
                typed.each(|_, cell| parse::text(cell), |value| values.append_option(value));
                Arc::new(values.finish())
            }
            DataType::Integer => {
                let mut values = Int64Builder::with_capacity(rows);
                typed.each(|_, cell| parse::integer(cell), |value| values.append_option(value));
                Arc::new(values.finish())
            }
            DataType::Decimal(precision, scale) => {
                let mut values =
                    Decimal128Builder::with_capacity(rows).with_data_type(Arrow::Decimal128(precision, scale));
                typed.each(
                    |_, cell| stated(cell).and_then(|()| parse::decimal(cell, precision, scale)),
                    |value| values.append_option(value),
                );
                Arc::new(values.finish())
            }
            DataType::Date => {
                let mut values = Date32Builder::with_capacity(rows);
                typed.each(|_, cell| parse::date(cell, format), |value| values.append_option(value));
                Arc::new(values.finish())
            }
            DataType::Timestamp => {
                let mut values = TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC");
                if narrow == Some(DataType::Date) {
                    typed.each(
                        |_, cell| parse::date(cell, format).map(|days| i64::from(days) * parse::DAY_MICROS),
                        |value| values.append_option(value),
                    );
                } else {
                    typed.each(|_, cell| parse::timestamp(cell, format), |value| values.append_option(value));
                }
                Arc::new(values.finish())
            }
            DataType::Boolean => {
                let mut values = BooleanBuilder::with_capacity(rows);
                typed.each(|_, cell| parse::boolean(cell), |value| values.append_option(value));
                Arc::new(values.finish())
            }
            DataType::Float => {
                let mut values = Float64Builder::with_capacity(rows);
                typed.each(
                    |_, cell| stated(cell).and_then(|()| parse::float(cell)),
                    |value| values.append_option(value),
                );
                Arc::new(values.finish())
            }
            DataType::Bytes => arrow::array::new_null_array(&Arrow::Binary, rows), // no feed can deliver any
        }
    }

    /// Compares the control totals: what stays open, and what differs.
    fn totals(&self, delivered: u64) -> (Vec<String>, Vec<String>) {
        let name = &*self.file.feed.path;
        let control = &self.file.feed.control;
        let (mut open, mut differ) = (Vec::new(), Vec::new());
        if let Some(rows) = control.rows.as_ref().filter(|rows| rows.value != delivered) {
            differ.push(format!("{name}: {delivered} rows delivered, the feed states {}", rows.value));
        }
        for ((column, stated), (_, sum, unread)) in control.sums.iter().zip(&self.sums) {
            if sum.equals(stated) == Some(true) {
                continue;
            }
            let what = format!("{name}: column `{}` sums to {sum}, the feed states {}", **column, **stated);
            match unread {
                Some(line) => open.push(format!("{what}, and the value in line {line} cannot be read")),
                None => differ.push(what),
            }
        }
        (open, differ)
    }
}

/// The period of a day as yyyymm of its first month.
fn period(day: i32, period: Period) -> i32 {
    let (year, month) = parse::year_month(day);
    match period {
        Period::Quarter => year * 100 + (month - 1) / 3 * 3 + 1,
        Period::Year => year * 100 + 1,
        Period::Month | Period::None => year * 100 + month,
    }
}

fn missing() -> Fault {
    Fault::new(Reason::MissingRequired, "has no value")
}

/// The branch that a text names: it becomes a folder, and the node must be allowed to deliver for it.
/// Whether people may write into a column what they like: it says so, or nobody has said what it is.
fn is_free_text(column: &Column) -> bool {
    match column.kind.as_deref() {
        Some(kind) => kind == "free_text",
        None => column.data_type == DataType::Text && column.sensitivity == Sensitivity::C2,
    }
}

fn branch_name(cell: &[u8], node: &str) -> Result<String, Fault> {
    let name = parse::text(cell)?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    if name.is_empty() || name.len() > 63 || !name.bytes().all(plain) {
        return Err(Fault::new(
            Reason::WrongBranch,
            "is no branch code: lower-case ASCII letters, digits, _ and - only",
        ));
    }
    if node != HEAD_OFFICE && node != name {
        return Err(Fault::new(Reason::WrongBranch, format!("is not the branch of the node `{node}`")));
    }
    Ok(name.to_owned())
}

/// First fault of each row.
struct Faults<'a> {
    /// Looked at for every cell, so it is small.
    bad: Vec<bool>,
    found: Vec<(usize, RowFault<'a>)>,
}

impl<'a> Faults<'a> {
    fn put(&mut self, row: usize, column: Option<&'a str>, fault: Fault) {
        if !self.bad[row] {
            self.bad[row] = true;
            self.found.push((row, (column, fault)));
        }
    }
}

/// One column on its way.
struct Typed<'a, 'b> {
    name: &'a str,
    required: bool,
    cells: &'b Cells<'b>,
    raw: &'b RawBatch,
    faults: &'b mut Faults<'a>,
}

impl<'b> Typed<'_, 'b> {
    /// Parses every cell and hands over one value per row: null where there is none or the row is rejected.
    fn each<T>(&mut self, parse: impl Fn(usize, &'b [u8]) -> Result<T, Fault>, mut put: impl FnMut(Option<T>)) {
        for row in 0..self.raw.len() {
            if self.faults.bad[row] {
                put(None);
                continue;
            }
            let value = self.cells.get(self.raw, row).and_then(|cell| match cell {
                Some(cell) => parse(row, cell).map(Some),
                None if self.required => Err(missing()),
                None => Ok(None),
            });
            match value {
                Ok(value) => put(value),
                Err(fault) => {
                    self.faults.put(row, Some(self.name), fault);
                    put(None);
                }
            }
        }
    }
}
