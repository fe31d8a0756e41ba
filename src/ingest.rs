//! Feeds in: checked rows or reasons.
//!
//! A batch goes through four stations. *Admit* (`batch.rs`): the feed file fits the tables, the number is the node's next,
//! the hashes agree. *Conform* (`sources.rs`, `conform.rs`): files are cut into cells, cells become typed columns, delivered
//! keys become surrogates; what cannot goes to quarantine with its line (`quarantine.rs`). *Merge* (`merge.rs`): rows,
//! gathered by branch and month (`buffer.rs`), meet what is there. *Publish*: all tables and the quarantine become one
//! snapshot. Until then nothing is visible, and dropping the future leaves nothing behind but files nobody refers to.
//!
//! Memory does not grow with the files: rows beyond a limit wait in a temporary file. It does grow with a partition's keys
//! and with the members of the dimensions that facts refer to.

mod batch;
mod buffer;
mod cards;
mod conform;
#[cfg(feature = "failpoints")]
mod fuzz;
mod keys;
mod merge;
mod parse;
mod quarantine;
mod sources;
mod versions;
mod worker;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::runtime::Handle;

#[cfg(feature = "failpoints")]
pub use fuzz::fuzz_feed;

use self::batch::{Content, Delivery, Turn};
use self::conform::{Reference, Target, Task, Verdict, conform, too_many_rejects};
use self::keys::Lookup;
use self::merge::Merger;
use self::quarantine::{FileCounts, Quarantine};
use self::sources::SourceFile;
use self::worker::{Stage, on_thread};
use crate::catalog::{BatchKey, BatchRow, Catalog, operator};
use crate::error::{Code, Error, Result};
use crate::model::table::{Table, TableKind};
pub use crate::warehouse::Progress;
use crate::warehouse::{Publication, Snapshot, TIE_OUT, Warehouse, file_schema, rejects_table};

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Published with a snapshot.
    Loaded,
    /// Published before, with the same content: nothing was done.
    AlreadyLoaded,
    /// Too many rejected rows, or a control total left open: nothing was loaded; deliver it again, corrected.
    Held,
    /// Hashes or control totals differ: nothing was loaded.
    Refused,
    /// An earlier batch of the node is missing: nothing was done.
    Waiting,
}

/// What became of a batch, with its figures.
#[derive(Debug, Clone)]
pub struct LoadOutcome {
    /// What became of it.
    pub disposition: Disposition,
    /// Which batch.
    pub batch: BatchKey,
    /// The snapshot it is visible in.
    pub snapshot: Option<i64>,
    /// Rows of all files. Delivered = loaded + unchanged + rejected when the batch was loaded.
    pub rows_delivered: u64,
    /// New or changed rows.
    pub rows_loaded: u64,
    /// Rows that were there with the same content.
    pub rows_unchanged: u64,
    /// Rows in quarantine.
    pub rows_rejected: u64,
    /// How long it took.
    pub seconds: f64,
    /// One sentence for the person who delivered it.
    pub message: String,
}

impl LoadOutcome {
    /// The outcome as a result: an error when the batch is not in the warehouse.
    ///
    /// # Errors
    /// [`Code::TotalsDiffer`] when it was refused, [`Code::Feed`] when it is held or waits.
    pub fn into_result(self) -> Result<Self> {
        match self.disposition {
            Disposition::Loaded | Disposition::AlreadyLoaded => Ok(self),
            Disposition::Refused => Err(Error::new(Code::TotalsDiffer, self.message)),
            Disposition::Held | Disposition::Waiting => Err(Error::new(Code::Feed, self.message)),
        }
    }
}

/// Settings of a load.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Bytes of rows to keep in memory while they wait for their partition; the rest goes to a temporary file. Sorting
    /// takes about as much again, twice.
    pub memory_bytes: usize,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { memory_bytes: 192 << 20 }
    }
}

/// Loads one batch. See [`load_with`].
///
/// # Errors
/// As [`load_with`].
pub async fn load(
    warehouse: &Warehouse,
    catalog: &Catalog,
    tables: &[Table],
    feed_path: &Path,
    progress: &dyn Progress,
) -> Result<LoadOutcome> {
    Box::pin(load_with(warehouse, catalog, tables, feed_path, progress, &LoadOptions::default())).await
}

/// Loads batches one after the other, each as its own snapshot. An outcome that is not loaded does not stop the others: a
/// later batch of the same node waits by itself.
///
/// # Errors
/// The first error of a load; earlier batches stay loaded.
pub async fn load_all(
    warehouse: &Warehouse,
    catalog: &Catalog,
    tables: &[Table],
    feeds: &[PathBuf],
    progress: &dyn Progress,
) -> Result<Vec<LoadOutcome>> {
    let mut outcomes = Vec::with_capacity(feeds.len());
    for feed in feeds {
        outcomes.push(load(warehouse, catalog, tables, feed, progress).await?);
    }
    Ok(outcomes)
}

/// Loads one batch with settings.
///
/// A batch whose content speaks against it (hashes, totals, rejected rows) or that is out of turn is an outcome, not an
/// error, and leaves the warehouse as it was.
///
/// # Errors
/// - [`Code::Definition`]: the feed file is faulty, with all faults and their places.
/// - [`Code::Feed`]: a data file cannot be read, or its columns are not the feed's.
/// - [`Code::Conflict`]: the number is published with other content.
/// - [`Code::Busy`]: another process is writing.
pub async fn load_with(
    warehouse: &Warehouse,
    catalog: &Catalog,
    tables: &[Table],
    feed_path: &Path,
    progress: &dyn Progress,
    options: &LoadOptions,
) -> Result<LoadOutcome> {
    let started = Instant::now();
    let delivery = Delivery::read(feed_path, tables)?;
    let outcome = |disposition, message: String| LoadOutcome {
        disposition,
        batch: delivery.key.clone(),
        snapshot: None,
        rows_delivered: 0,
        rows_loaded: 0,
        rows_unchanged: 0,
        rows_rejected: 0,
        seconds: started.elapsed().as_secs_f64(),
        message,
    };
    let BatchKey { node, number } = &delivery.key;
    let out_of_turn = |turn: Turn| match turn {
        Turn::Next => None,
        Turn::Early(expected) => Some(outcome(
            Disposition::Waiting,
            format!("batch {number} of `{node}` waits: batch {expected} is expected first"),
        )),
        Turn::Known(row) => Some(LoadOutcome {
            snapshot: row.snapshot_id,
            rows_delivered: row.rows_delivered.cast_unsigned(),
            rows_loaded: row.rows_loaded.cast_unsigned(),
            rows_unchanged: row.rows_unchanged.cast_unsigned(),
            rows_rejected: row.rows_rejected.cast_unsigned(),
            ..outcome(Disposition::AlreadyLoaded, format!("batch {number} of `{node}` is loaded already"))
        }),
    };
    // Before the files are hashed, which may take long.
    if let Some(outcome) = out_of_turn(delivery.turn(catalog, None).await?) {
        return Ok(outcome);
    }
    let content = delivery.content(progress).await?;
    if let Some(outcome) = out_of_turn(delivery.turn(catalog, Some(&content)).await?) {
        return Ok(outcome);
    }
    let mut record = BatchRow {
        key: delivery.key.clone(),
        feed_sha256: delivery.feed_sha256.clone(),
        content_sha256: content.sha256.clone(),
        business_date: *delivery.feed.business_date,
        source: delivery.feed.source.clone(),
        state: "received".to_owned(),
        message: String::new(),
        rows_delivered: 0,
        rows_loaded: 0,
        rows_unchanged: 0,
        rows_rejected: 0,
        snapshot_id: None,
        received_at: warehouse.clock().now(),
        finished_at: None,
        files: Value::Null,
    };
    if !content.differ.is_empty() {
        let message = content.differ.join("; ");
        close(catalog, warehouse, &mut record, "refused", &message).await?;
        return Ok(outcome(Disposition::Refused, message));
    }
    let loader = Loader::new(warehouse, tables, &delivery, options)?;
    catalog.upsert_batch(&record).await?;

    let publication = Box::pin(warehouse.begin("load")).await?;
    // Another process may have loaded it while this one waited, or a dead one's load was finished just now.
    if let Some(outcome) = out_of_turn(delivery.turn(catalog, Some(&content)).await?) {
        publication.abort().await?;
        return Ok(outcome);
    }
    let (publication, loaded) = on_thread(progress, move |stage| {
        let loaded = loader.run(&publication, stage);
        Ok((publication, loaded))
    })
    .await?;
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            publication.abort().await?;
            if error.code() == Code::Feed {
                close(catalog, warehouse, &mut record, "refused", error.message()).await?;
            }
            return Err(error);
        }
    };
    loaded.fill(&mut record, &delivery, &content);
    let counted = |outcome: LoadOutcome| LoadOutcome {
        rows_delivered: record.rows_delivered.cast_unsigned(),
        rows_loaded: record.rows_loaded.cast_unsigned(),
        rows_unchanged: record.rows_unchanged.cast_unsigned(),
        rows_rejected: record.rows_rejected.cast_unsigned(),
        ..outcome
    };
    let verdict = match &loaded.verdict {
        Verdict::Good => None,
        Verdict::Held(message) => Some((Disposition::Held, "held", message)),
        Verdict::Refused(message) => Some((Disposition::Refused, "refused", message)),
    };
    if let Some((disposition, state, message)) = verdict {
        publication.abort().await?;
        let outcome = counted(outcome(disposition, message.clone()));
        close(catalog, warehouse, &mut record, state, message).await?;
        return Ok(outcome);
    }
    loaded.tie_out(&delivery)?;
    let rejected = record.rows_rejected;
    record.message = match rejected {
        0 => format!("{} rows loaded, {} unchanged", record.rows_loaded, record.rows_unchanged),
        _ => format!("{} rows loaded, {} unchanged, {rejected} rejected", record.rows_loaded, record.rows_unchanged),
    };
    record.finished_at = Some(warehouse.clock().now());
    // A late batch of one node does not take the others' days back.
    let as_of = publication.parent().map_or(i32::MIN, |parent| parent.as_of).max(record.business_date);
    let facts = loaded.facts(publication.parent().map(Arc::as_ref));
    let mut outcome = counted(outcome(Disposition::Loaded, record.message.clone()));
    let snapshot = Box::pin(publication.publish(as_of, facts, vec![record])).await?;
    outcome.snapshot = Some(snapshot.id);
    let detail = json!({
        "node": node, "batch": number, "content_sha256": content.sha256, "snapshot": snapshot.id,
        "delivered": outcome.rows_delivered, "loaded": outcome.rows_loaded, "rejected": outcome.rows_rejected,
    });
    catalog.audit("load", &operator(), detail).await?;
    outcome.seconds = started.elapsed().as_secs_f64();
    tracing::info!(
        node,
        number,
        snapshot = snapshot.id,
        rows = outcome.rows_delivered,
        loaded = outcome.rows_loaded,
        unchanged = outcome.rows_unchanged,
        rejected = outcome.rows_rejected,
        seconds = outcome.seconds,
        "batch loaded"
    );
    Ok(outcome)
}

async fn close(
    catalog: &Catalog,
    warehouse: &Warehouse,
    record: &mut BatchRow,
    state: &str,
    message: &str,
) -> Result<()> {
    record.state = state.to_owned();
    record.message = message.to_owned();
    record.finished_at = Some(warehouse.clock().now());
    tracing::warn!(node = record.key.node, number = record.key.number, state, message, "batch not loaded");
    catalog.upsert_batch(record).await
}

/// Everything between `begin` and `publish`; runs on its own thread.
struct Loader {
    warehouse: Warehouse,
    runtime: Handle,
    tables: Vec<Table>,
    /// The feed's tables, dimensions first, each behind those that it refers to.
    order: Vec<Arc<Target>>,
    files: Vec<Arc<SourceFile>>,
    node: String,
    number: u32,
    business_date: i32,
    max_reject_share: f64,
    memory: usize,
}

/// What came of it.
struct Loaded {
    counts: Vec<FileCounts>,
    verdict: Verdict,
    growth: BTreeMap<String, i64>,
    dates: BTreeMap<String, i32>,
}

impl Loader {
    fn new(warehouse: &Warehouse, tables: &[Table], delivery: &Delivery, options: &LoadOptions) -> Result<Self> {
        Ok(Self {
            warehouse: warehouse.clone(),
            runtime: Handle::current(),
            tables: tables.to_vec(),
            order: order(tables, &delivery.files)?,
            files: delivery.files.clone(),
            node: delivery.key.node.clone(),
            number: *delivery.feed.number,
            business_date: *delivery.feed.business_date,
            max_reject_share: delivery.feed.max_reject_share,
            memory: options.memory_bytes,
        })
    }

    fn run(&self, publication: &Publication, stage: &Stage) -> Result<Loaded> {
        // What the publication drops or spawns must find the runtime from this thread.
        let _entered = self.runtime.enter();
        let mut merger = Merger {
            warehouse: &self.warehouse,
            publication,
            runtime: &self.runtime,
            stage,
            files: &self.files,
            business_date: self.business_date,
            memory: self.memory / 2,
            dates: BTreeMap::new(),
            growth: BTreeMap::new(),
        };
        let names = self.files.iter().map(|file| file.feed.path.value.clone()).collect();
        let schema = file_schema(&rejects_table());
        let mut quarantine = Quarantine::new(&self.node, self.number, names, schema, self.memory / 8);
        let mut lookups: HashMap<String, Arc<Lookup>> = HashMap::new();
        let mut verdict = Verdict::Good;
        for target in &self.order {
            for reference in target.references() {
                if !lookups.contains_key(&reference.dimension) {
                    let members = merger.members(self.table(&reference.dimension)?, reference)?;
                    lookups.insert(reference.dimension.clone(), Arc::new(members));
                }
            }
            let files = self.files.iter().cloned().enumerate();
            let files = files.filter(|(_, file)| *file.feed.table == *target.table.name).collect::<Vec<_>>();
            let task = Task {
                target: Arc::clone(target),
                files,
                lookups: lookups.clone(),
                node: self.node.clone(),
                business_date: self.business_date,
                max_reject_share: self.max_reject_share,
                memory: self.memory,
            };
            let (buffer, judged) = conform(&task, &mut quarantine, stage)?;
            verdict = judged;
            if verdict != Verdict::Good {
                break;
            }
            if target.table.kind == TableKind::Fact {
                merger.facts(target, &buffer, &mut quarantine)?;
            } else {
                let reference = self.reference(&target.table.name);
                let members = merger.dimension(target, &buffer, &mut quarantine, reference.as_ref())?;
                if reference.is_some() {
                    lookups.insert(target.table.name.value.clone(), Arc::new(members));
                }
            }
            let held = task.files.iter().filter_map(|(index, file)| {
                too_many_rejects(file, &quarantine.counts()[*index], self.max_reject_share)
            });
            let held: Vec<String> = held.collect();
            if !held.is_empty() {
                verdict = Verdict::Held(held.join("; "));
                break;
            }
        }
        let (counts, rejects) = quarantine.finish()?;
        if verdict == Verdict::Good {
            merger.rejects(rejects)?;
        }
        Ok(Loaded { counts, verdict, growth: merger.growth, dates: merger.dates })
    }

    fn table(&self, name: &str) -> Result<&Table> {
        let table = self.tables.iter().find(|table| *table.name == name);
        table.ok_or_else(|| Error::new(Code::Definition, format!("there is no table `{name}`")))
    }

    /// How the feed's own tables refer to a dimension, if any does.
    fn reference(&self, dimension: &str) -> Option<Reference> {
        self.order
            .iter()
            .flat_map(|target| target.references())
            .find(|reference| reference.dimension == dimension)
            .cloned()
    }
}

/// The feed's tables in the order in which they can be loaded.
fn order(tables: &[Table], files: &[Arc<SourceFile>]) -> Result<Vec<Arc<Target>>> {
    let mut waiting: Vec<Arc<Target>> = Vec::new();
    for file in files {
        if waiting.iter().any(|target| *target.table.name == *file.feed.table) {
            continue;
        }
        let table = tables.iter().find(|table| *table.name == *file.feed.table);
        let table = table.ok_or_else(|| file.error(format!("there is no table `{}`", *file.feed.table)))?;
        waiting.push(Arc::new(Target::new(table, file_schema(table), tables)?));
    }
    waiting.sort_by_key(|target| target.table.kind == TableKind::Fact);
    let mut ordered: Vec<Arc<Target>> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready = waiting.iter().position(|target| {
            target.references().all(|needed| waiting.iter().all(|other| *other.table.name != needed.dimension))
        });
        let Some(ready) = ready else {
            let names: Vec<&str> = waiting.iter().map(|target| target.table.name.as_str()).collect();
            return Err(Error::new(
                Code::Definition,
                format!("the references of {} form a circle: keep one of them as a text key", names.join(", ")),
            ));
        };
        ordered.push(waiting.remove(ready));
    }
    Ok(ordered)
}

impl Loaded {
    /// Every row delivered is accounted for.
    fn tie_out(&self, delivery: &Delivery) -> Result<()> {
        for (counts, file) in self.counts.iter().zip(&delivery.files) {
            let FileCounts { delivered, loaded, unchanged, rejected, .. } = counts;
            if *delivered != loaded + unchanged + rejected {
                let name = &*file.feed.path;
                return Err(Error::new(
                    Code::TieOut,
                    format!(
                        "{name}: {delivered} rows delivered, but {loaded} loaded, {unchanged} unchanged, {rejected} rejected"
                    ),
                ));
            }
        }
        Ok(())
    }

    fn fill(&self, record: &mut BatchRow, delivery: &Delivery, content: &Content) {
        let sum = |count: fn(&FileCounts) -> u64| self.counts.iter().map(count).sum::<u64>().cast_signed();
        record.rows_delivered = sum(|counts| counts.delivered);
        record.rows_loaded = sum(|counts| counts.loaded);
        record.rows_unchanged = sum(|counts| counts.unchanged);
        record.rows_rejected = sum(|counts| counts.rejected);
        let files = delivery.files.iter().zip(&self.counts).zip(&content.files).map(|((file, counts), sha256)| {
            json!({
                "path": file.feed.path.value,
                "table": file.feed.table.value,
                "sha256": sha256,
                "delivered": counts.delivered,
                "loaded": counts.loaded,
                "unchanged": counts.unchanged,
                "rejected": counts.rejected,
                "reasons": counts.reasons,
                "examples": counts.examples,
            })
        });
        record.files = files.collect();
    }

    /// What the snapshot says of itself: `rows` per table, and in `branches` the latest date of each branch's facts.
    fn facts(&self, parent: Option<&Snapshot>) -> Value {
        let mut facts = parent.map(|parent| parent.facts.clone()).filter(Value::is_object).unwrap_or_else(|| json!({}));
        if let Some(facts) = facts.as_object_mut() {
            facts.remove(TIE_OUT); // proved of the parent's rows, not of these
        }
        for (table, growth) in &self.growth {
            let before = facts["rows"][table].as_i64().unwrap_or(0);
            facts["rows"][table] = json!(before + growth);
        }
        for (branch, days) in &self.dates {
            let date = jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(*days)).to_string();
            let known = facts["branches"][branch].as_str().is_some_and(|known| known >= date.as_str());
            if !known {
                facts["branches"][branch] = json!(date);
            }
        }
        facts
    }
}
