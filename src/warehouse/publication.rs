//! Publications: changes of many tables that readers see whole or not at all.
//!
//! 1. [`Warehouse::begin`] takes the writer's lease and first finishes what a dead writer left prepared.
//! 2. [`Publication::write`] writes files under new names. Nobody knows them yet; if the process dies they are orphans.
//! 3. [`Publication::publish`]: *verify* every file against what was written; *prepare*: the intent (files to add and to
//!    remove, with hashes, per table) is a create-only object, and one catalog transaction names it: **from here recovery
//!    rolls forward**; *commit* one Delta version per table, in name order, on exactly the base version, marked with the
//!    publication's number; *publish*: one catalog transaction moves the head, **the commit point**.
//!
//! Recovery asks the logs what stands: an entry after the base that carries our number is ours, any other is foreign and
//! stops everything (the head still pins the old versions). When files are missing or damaged, every table gets one more
//! commit that undoes ours or takes its place, so that a paused writer's late commit can no longer succeed.
//! Failpoints: `publish::after_write`, `publish::after_prepare`, `publish::between_commits`, `publish::before_head`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::certificate::{self, CERTIFICATES, certify};
use super::file::{self, NewFile};
use super::log::Commit;
use super::table::{MONTH, SHARED, file_schema, partition_columns, table_schema};
use super::{DataFile, Snapshot, Warehouse};
use crate::catalog::{BatchKey, BatchRow, Lease, NewSnapshot, PublicationRow};
use crate::error::{Code, Error, Result};
use crate::model::table::Table;

/// Files checked at a time.
const CHECKS: usize = 4;
/// A table gets a checkpoint when its version is a multiple of this: a reader then replays at most so many entries.
const CHECKPOINT_EVERY: i64 = 20;
/// Folder of the intents, in the warehouse.
pub(super) const INTENTS: &str = "_intents";

/// What a new file does to the files of its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaces {
    /// It joins them.
    Nothing,
    /// It takes their place: all files the partition has in the parent snapshot go. Files of the same publication stay, so
    /// that a partition may be written as several files. With no rows the partition becomes empty.
    Partition,
}

/// A file of a publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// Relative to the root of the warehouse; none when there were no rows, and so no file.
    pub path: Option<String>,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub size: u64,
}

/// One change of the warehouse, under the writer's lease. Dropping it gives the lease back and leaves orphans for
/// [`Warehouse::sweep`].
#[derive(Debug)]
pub struct Publication {
    warehouse: Warehouse,
    lease: Lease,
    number: i64,
    kind: String,
    parent: Option<Arc<Snapshot>>,
    changes: Mutex<BTreeMap<String, Change>>,
}

/// What a publication does to one table.
#[derive(Debug, Clone)]
struct Change {
    table: Table,
    adds: Vec<NewFile>,
    emptied: BTreeSet<(Option<String>, Option<i32>)>,
}

/// The heavy part of a prepared publication, in the warehouse.
#[derive(Debug, Serialize, Deserialize)]
struct Intent {
    v: u32,
    number: i64,
    kind: String,
    business_date: i32,
    facts: Value,
    batches: Vec<BatchKey>,
    /// Versions of the parent snapshot, of all tables.
    parent: BTreeMap<String, i64>,
    tables: BTreeMap<String, TableIntent>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TableIntent {
    /// The version to commit on.
    pub(super) base: i64,
    pub(super) adds: Vec<NewFile>,
    pub(super) removes: Vec<DataFile>,
}

/// The light part, in the catalog: enough to abort when the heavy part is lost.
#[derive(Debug, Serialize, Deserialize)]
struct Prepared {
    v: u32,
    /// Path of the [`Intent`] in the warehouse.
    path: String,
    sha256: String,
    /// Base version by table.
    tables: BTreeMap<String, i64>,
}

impl Warehouse {
    /// Starts a publication of `kind` (`load`, `refresh`, …): takes the writer's lease, then finishes or aborts what a dead
    /// writer left prepared.
    ///
    /// Errors: `BUSY` while another writer lives; `CONFLICT` when a table holds commits that no publication of ours explains.
    pub async fn begin(&self, kind: &str) -> Result<Publication> {
        let lease = self.catalog.acquire_lease(kind).await?;
        self.storage.check_create_only().await?;
        self.recover(&lease).await?;
        let number = self.catalog.next_publication_number(&lease).await?;
        let parent = self.head().await?;
        Ok(Publication {
            warehouse: self.clone(),
            lease,
            number,
            kind: kind.to_owned(),
            parent,
            changes: Mutex::default(),
        })
    }

    /// Recovery at start. A living writer elsewhere recovers by itself, so its lease is no error here.
    pub(super) async fn recover_if_free(&self) -> Result<()> {
        if self.catalog.open_publication().await?.is_none() {
            return Ok(());
        }
        let lease = match self.catalog.acquire_lease("recovery").await {
            Err(busy) if busy.code() == Code::Busy => {
                tracing::info!("a publication is open and its writer lives; left to it");
                return Ok(());
            }
            lease => lease?,
        };
        self.recover(&lease).await?;
        self.catalog.release_lease(&lease).await
    }

    /// Finishes the open publication, or aborts it when its files are not what was written.
    pub(super) async fn recover(&self, lease: &Lease) -> Result<()> {
        let Some(row) = self.catalog.open_publication().await? else { return Ok(()) };
        let prepared: Prepared = serde_json::from_str(&row.intent)
            .map_err(|cause| Error::internal(format!("publication {} has no readable intent", row.number), cause))?;
        let given_up = self.given_up(row.number, &prepared).await?;
        let reason = match (given_up, self.load_intent(&prepared).await?) {
            (true, _) => "an abort had begun".to_owned(),
            (false, Err(damage)) => damage,
            (false, Ok(intent)) => match self.damage(&intent).await? {
                Some(damage) => damage,
                None => {
                    let snapshot = self.roll_forward(lease, &row, &prepared, &intent).await?;
                    tracing::warn!(publication = row.number, snapshot, "finished a publication that was left prepared");
                    return Ok(());
                }
            },
        };
        tracing::error!(publication = row.number, %reason, "aborting a publication");
        self.undo(lease, row.number, &prepared).await
    }

    /// Gives up the open publication although it could be finished: an operator's decision. Its number is spent, its batches
    /// stay `received`. Nothing happens when none is open.
    pub async fn abort_open(&self) -> Result<()> {
        let lease = self.catalog.acquire_lease("abort").await?;
        if let Some(row) = self.catalog.open_publication().await? {
            let prepared: Prepared = serde_json::from_str(&row.intent).map_err(|cause| {
                Error::internal(format!("publication {} has no readable intent", row.number), cause)
            })?;
            self.undo(&lease, row.number, &prepared).await?;
        }
        self.catalog.release_lease(&lease).await
    }

    /// Steps 7 and 8; each part finds out what stands, so that it may be repeated.
    async fn roll_forward(
        &self,
        lease: &Lease,
        row: &PublicationRow,
        prepared: &Prepared,
        intent: &Intent,
    ) -> Result<i64> {
        let mut tables = intent.parent.clone();
        for (index, (name, change)) in intent.tables.iter().enumerate() {
            if index > 0 {
                fail::fail_point!("publish::between_commits", |_| Err(injected("publish::between_commits")));
            }
            tables.insert(name.clone(), self.commit(name, change, prepared, intent).await?);
        }
        fail::fail_point!("publish::before_head", |_| Err(injected("publish::before_head")));
        let new = NewSnapshot {
            business_date: intent.business_date,
            tables: tables.clone(),
            facts: intent.facts.clone(),
            batches: intent.batches.clone(),
        };
        let id = self.catalog.publish(lease, row.number, new).await?;
        for name in intent.tables.keys() {
            let version = tables[name];
            if version % CHECKPOINT_EVERY == 0
                && let Err(error) = self.log(name).checkpoint(version).await
            {
                // The publication stands; a missing checkpoint only makes readers replay more entries.
                tracing::warn!(table = name, version, ?error, "no checkpoint");
            }
        }
        Ok(id)
    }

    /// The version that holds the publication's change of one table, committed now unless it stands already.
    async fn commit(&self, name: &str, change: &TableIntent, prepared: &Prepared, intent: &Intent) -> Result<i64> {
        let log = self.log(name);
        let version = change.base + 1;
        let ours = |publishes: Option<i64>| match publishes {
            Some(number) if number == intent.number => Ok(version),
            _ => Err(foreign(name, version)),
        };
        if let Some(entry) = log.entry(version).await? {
            return ours(entry.publishes);
        }
        let commit = Commit {
            base: change.base,
            adds: change.adds.iter().map(|new| &new.file).collect(),
            removes: change.removes.iter().collect(),
            publication: intent.number,
            abort: false,
            info: json!({
                "publication": intent.number,
                "kind": intent.kind,
                "tables": prepared.tables,
                "batches": intent.batches,
                "intent": prepared.path,
            }),
            at: self.clock.now(),
        };
        let tried = log.commit(commit).await;
        // A time-out, or a refusal after our own first try got through, proves nothing: the log says what stands.
        match log.entry(version).await? {
            Some(entry) => ours(entry.publishes),
            None => Err(tried.err().unwrap_or_else(|| {
                Error::new(Code::Internal, format!("version {version} of `{name}` vanished after its commit"))
            })),
        }
    }

    /// Undoes the publication in every table, or takes the place its commit would have had; then marks it aborted.
    async fn undo(&self, lease: &Lease, number: i64, prepared: &Prepared) -> Result<()> {
        for (name, base) in &prepared.tables {
            let log = self.log(name);
            let (on, adds, removes) = match log.entry(base + 1).await? {
                None => (*base, Vec::new(), Vec::new()),
                Some(entry) if entry.publishes == Some(number) => {
                    let (before, after) = (self.files_at(name, *base).await?, self.files_at(name, base + 1).await?);
                    let missing = |files: &[DataFile], other: &[DataFile]| -> Vec<DataFile> {
                        let known: BTreeSet<&str> = other.iter().map(|file| file.path.as_str()).collect();
                        files.iter().filter(|file| !known.contains(file.path.as_str())).cloned().collect()
                    };
                    (base + 1, missing(&before.files, &after.files), missing(&after.files, &before.files))
                }
                // Aborted already, or taken by another program: ours can no longer land there.
                Some(_) => continue,
            };
            if let Some(entry) = log.entry(on + 1).await? {
                if entry.aborts == Some(number) {
                    continue;
                }
                return Err(foreign(name, on + 1));
            }
            let commit = Commit {
                base: on,
                adds: adds.iter().collect(),
                removes: removes.iter().collect(),
                publication: number,
                abort: true,
                info: json!({ "aborted": number, "tables": prepared.tables, "intent": prepared.path }),
                at: self.clock.now(),
            };
            let tried = log.commit(commit).await;
            if log.entry(on + 1).await?.and_then(|entry| entry.aborts) != Some(number) {
                return Err(tried.err().unwrap_or_else(|| foreign(name, on + 1)));
            }
        }
        self.catalog.abort_publication(lease, number).await
    }

    /// Whether an abort of this publication had reached any table.
    async fn given_up(&self, number: i64, prepared: &Prepared) -> Result<bool> {
        for (name, base) in &prepared.tables {
            for version in [base + 1, base + 2] {
                if self.log(name).entry(version).await?.is_some_and(|entry| entry.aborts == Some(number)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The intent, or why it cannot be believed.
    async fn load_intent(&self, prepared: &Prepared) -> Result<Result<Intent, String>> {
        let unreadable = |cause| Error::internal(format!("cannot read {}", prepared.path), cause);
        let bytes = match self.storage.store().get(&Path::from(prepared.path.as_str())).await {
            Ok(found) => found.bytes().await.map_err(unreadable)?,
            Err(object_store::Error::NotFound { .. }) => return Ok(Err(format!("{} is missing", prepared.path))),
            Err(cause) => return Err(unreadable(cause)),
        };
        if file::sha256(&bytes) != prepared.sha256 {
            return Ok(Err(format!("{} holds other bytes than were written", prepared.path)));
        }
        Ok(serde_json::from_slice(&bytes).map_err(|cause| format!("{} cannot be understood: {cause}", prepared.path)))
    }

    /// The first file of the intent that is not what was written.
    async fn damage(&self, intent: &Intent) -> Result<Option<String>> {
        let check = |new: NewFile| {
            let store = self.storage.store();
            async move { file::damage(store, &new).await }
        };
        let checks = intent.tables.values().flat_map(|change| change.adds.iter().cloned()).map(check);
        let checks: Vec<_> = checks.collect();
        let found = stream::iter(checks).buffer_unordered(CHECKS).try_filter_map(async |damage| Ok(damage));
        std::pin::pin!(found).try_next().await
    }

    /// The version that a change of `table` has to stand on: the newest. Everything after the version that the head pins has
    /// to be an aborted publication's.
    async fn base(&self, table: &Table, pinned: Option<i64>) -> Result<i64> {
        let name = table.name.value.as_str();
        let log = self.log(name);
        let latest = match log.latest(pinned.unwrap_or(0)).await? {
            Some(latest) => latest,
            None if pinned.is_some() => {
                return Err(Error::new(
                    Code::Conflict,
                    format!("the log of `{name}` ends before the version that the head pins: restore the warehouse"),
                ));
            }
            None => {
                log.create(table).await?;
                0
            }
        };
        let mut unfinished = None;
        for version in pinned.unwrap_or(0) + 1..=latest {
            match log.entry(version).await? {
                Some(entry) if entry.aborts.is_some() => unfinished = None,
                Some(entry) if entry.publishes.is_some() => unfinished = Some(version),
                _ => return Err(foreign(name, version)),
            }
        }
        if let Some(version) = unfinished {
            return Err(Error::new(
                Code::Conflict,
                format!(
                    "version {version} of `{name}` was published, but the catalog database does not know it: restore a \
                     newer catalog database"
                ),
            ));
        }
        let stored = &self.files_at(name, latest).await?.schema;
        let declared = table_schema(table);
        if shape(stored) != shape(&declared) {
            return Err(Error::new(
                Code::Definition,
                format!(
                    "the columns of the table `{name}` are declared otherwise than they were when it was made: {}; a \
                     change of columns needs a table with a new name",
                    differences(stored, &declared)
                ),
            ));
        }
        Ok(latest)
    }
}

impl Publication {
    /// Its number; rises, and is spent even if nothing comes of it.
    pub fn number(&self) -> i64 {
        self.number
    }

    /// The snapshot it starts from: what a loader compares with. None before the first publication.
    pub fn parent(&self) -> Option<&Arc<Snapshot>> {
        self.parent.as_ref()
    }

    /// Whether the snapshot that it starts from says of each dimension that its keys were checked. One that an older server
    /// published does not; publishing checks what is missing.
    pub fn is_certified(&self) -> bool {
        self.parent.as_ref().is_none_or(|parent| !certificate::lacks_any(&self.warehouse, parent))
    }

    /// Writes one file of one partition.
    ///
    /// `branch` and `month` (yyyymm of the period's first month) are given where the table is cut by them, and only there.
    /// The batches have exactly the columns of [`file_schema`], in that order, sorted by the caller. Several files may be
    /// written at once.
    pub async fn write(
        &self,
        table: &Table,
        branch: Option<&str>,
        month: Option<i32>,
        batches: Vec<RecordBatch>,
        replaces: Replaces,
    ) -> Result<WrittenFile> {
        let folder = partition_folder(table, branch, month)?;
        let branch = branch.filter(|_| table.partition.branch.is_some()).map(str::to_owned);
        let schema = file_schema(table);
        let batches = batches.into_iter().filter(|batch| batch.num_rows() > 0);
        let batches = batches.map(|batch| conform(table, &schema, batch)).collect::<Result<Vec<_>>>()?;
        let mut written = WrittenFile { path: None, rows: 0, size: 0 };
        let mut new = None;
        if !batches.is_empty() {
            let target = DataFile {
                path: format!("{folder}/{}.parquet", Uuid::now_v7()),
                size: 0,
                rows: 0,
                branch: branch.clone(),
                month,
                min: BTreeMap::new(),
                max: BTreeMap::new(),
                nulls: BTreeMap::new(),
            };
            let file = file::write(self.warehouse.storage.store(), schema, &batches, target).await?;
            written = WrittenFile { path: Some(file.file.path.clone()), rows: file.file.rows, size: file.file.size };
            new = Some(file);
        }
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let change = changes.entry(table.name.value.clone()).or_insert_with(|| Change {
            table: table.clone(),
            adds: Vec::new(),
            emptied: BTreeSet::new(),
        });
        change.adds.extend(new);
        if replaces == Replaces::Partition {
            change.emptied.insert((branch, month));
        }
        Ok(written)
    }

    /// Reserves `count` keys of a sequence and returns the first. Keys of a publication that comes to nothing are gaps, which
    /// mean nothing.
    pub async fn add_key_range(&self, sequence: &str, count: i64) -> Result<i64> {
        self.warehouse.catalog.next_keys(&self.lease, sequence, count).await
    }

    /// Makes the change visible and returns the new head. `batches` become published with it; their rows are written here,
    /// in the state `received`, so that a crash leaves them to be finished.
    ///
    /// Errors: before *prepare* the publication is as if it had never been; after it, the next writer finishes it. `CONFLICT`:
    /// a table holds commits that are not ours; `DEFINITION`: a table's columns were changed; `TIE_OUT`: keys that joins rely
    /// on do not hold what their tables declare.
    pub async fn publish(self, business_date: i32, facts: Value, batches: Vec<BatchRow>) -> Result<Arc<Snapshot>> {
        fail::fail_point!("publish::after_write", |_| Err(injected("publish::after_write")));
        let warehouse = &self.warehouse;
        let changes = std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner));
        let parent = self.parent.as_ref().map(|parent| parent.tables.clone()).unwrap_or_default();
        let mut tables = BTreeMap::new();
        for (name, change) in changes {
            let base = warehouse.base(&change.table, parent.get(&name).copied()).await?;
            let before = warehouse.files_at(&name, base).await?;
            let removes =
                before.files.iter().filter(|file| change.emptied.contains(&(file.branch.clone(), file.month)));
            let removes: Vec<DataFile> = removes.cloned().collect();
            if !change.adds.is_empty() || !removes.is_empty() {
                tables.insert(name, TableIntent { base, adds: change.adds, removes });
            }
        }
        let mut intent = Intent {
            v: 1,
            number: self.number,
            kind: self.kind.clone(),
            business_date,
            facts,
            batches: batches.iter().map(|batch| batch.key.clone()).collect(),
            parent,
            tables,
        };
        if let Some(damage) = warehouse.damage(&intent).await? {
            return Err(Error::new(Code::Internal, format!("nothing was published: {damage}")));
        }
        let certificates = certify(warehouse, self.parent.as_deref(), &intent.tables).await?;
        if intent.facts.is_null() {
            intent.facts = json!({});
        }
        intent.facts[CERTIFICATES] = certificates;
        for batch in batches {
            let row = BatchRow { state: "received".to_owned(), snapshot_id: None, ..batch };
            warehouse.catalog.upsert_batch(&row).await?;
        }
        let prepared = self.store_intent(&intent).await?;
        let row = self.prepare(&prepared).await?;
        fail::fail_point!("publish::after_prepare", |_| Err(injected("publish::after_prepare")));
        let id = warehouse.roll_forward(&self.lease, &row, &prepared, &intent).await?;
        let snapshot = warehouse.snapshot(id).await?;
        if let Err(error) = warehouse.catalog.release_lease(&self.lease).await {
            tracing::warn!(?error, "the writer's lease was not released; it lapses"); // the publication stands
        }
        Ok(snapshot)
    }

    /// Gives the change up. Files written so far are orphans.
    pub async fn abort(self) -> Result<()> {
        self.warehouse.catalog.release_lease(&self.lease).await
    }

    async fn store_intent(&self, intent: &Intent) -> Result<Prepared> {
        let bytes = serde_json::to_vec(intent).map_err(|cause| Error::internal("cannot write an intent", cause))?;
        // The number alone would do, were there no catalog databases restored from a backup that give it out again.
        let path = format!("{INTENTS}/{:010}-{}.json", self.number, Uuid::now_v7());
        let sha256 = file::sha256(&bytes);
        let store = self.warehouse.storage.store();
        match store.put_opts(&Path::from(path.as_str()), bytes.into(), PutOptions::from(PutMode::Create)).await {
            // The name is ours alone: it exists when a first try got through and its answer did not.
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => {}
            Err(cause) => return Err(Error::internal(format!("cannot write {path}"), cause)),
        }
        let tables = intent.tables.iter().map(|(name, change)| (name.clone(), change.base)).collect();
        Ok(Prepared { v: 1, path, sha256, tables })
    }

    async fn prepare(&self, prepared: &Prepared) -> Result<PublicationRow> {
        let text = serde_json::to_string(prepared).map_err(|cause| Error::internal("cannot write an intent", cause))?;
        let parent = self.parent.as_ref().map(|parent| parent.id);
        let catalog = &self.warehouse.catalog;
        catalog.prepare_publication(&self.lease, self.number, &self.kind, parent, &text).await?;
        match catalog.open_publication().await? {
            Some(row) if row.number == self.number => Ok(row),
            _ => Err(Error::new(Code::Internal, format!("publication {} vanished after it was prepared", self.number))),
        }
    }
}

/// The folder of a partition; refuses values that do not fit the table.
fn partition_folder(table: &Table, branch: Option<&str>, month: Option<i32>) -> Result<String> {
    let name = table.name.value.as_str();
    let wrong = |what: String| Error::new(Code::Internal, format!("a file of `{name}` {what}"));
    let mut folder = name.to_owned();
    match (&table.partition.branch, branch) {
        (Some(column), Some(value)) => {
            // Also keeps a value from leaving its folder, and paths free of escapes.
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
            if value.is_empty() || !value.bytes().all(plain) {
                return Err(Error::new(
                    Code::Feed,
                    format!("`{value}` is not a branch code: lower-case letters, digits, `_` and `-` only"),
                ));
            }
            folder = format!("{folder}/{}={value}", column.value);
        }
        (None, None | Some(SHARED)) => {}
        (Some(column), None) => return Err(wrong(format!("needs its `{}`", column.value))),
        (None, Some(value)) => {
            return Err(wrong(format!("cannot lie in the branch `{value}`: it is not cut by branch")));
        }
    }
    match (partition_columns(table).iter().any(|column| column == MONTH), month) {
        (true, Some(month)) if (1..=12).contains(&(month % 100)) && month > 0 => {
            folder = format!("{folder}/{MONTH}={month}");
        }
        (true, Some(month)) => return Err(wrong(format!("has `{month}` for a month: it is yyyymm"))),
        (true, None) => return Err(wrong("needs its month".to_owned())),
        (false, None) => {}
        (false, Some(_)) => return Err(wrong("has a month: it is not cut by time".to_owned())),
    }
    Ok(folder)
}

/// The batch under the table's own schema, which drops field metadata and makes fields nullable.
fn conform(table: &Table, schema: &SchemaRef, batch: RecordBatch) -> Result<RecordBatch> {
    if shape(&batch.schema()) != shape(schema) {
        return Err(Error::new(
            Code::Internal,
            format!("rows for `{}` have other columns: {}", table.name.value, differences(schema, &batch.schema())),
        ));
    }
    RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec())
        .map_err(|cause| Error::internal(format!("rows for `{}` do not fit", table.name.value), cause))
}

fn shape(schema: &Schema) -> Vec<(&str, &arrow::datatypes::DataType)> {
    schema.fields().iter().map(|field| (field.name().as_str(), field.data_type())).collect()
}

/// The first column in which two schemas differ, in words.
fn differences(was: &Schema, is: &Schema) -> String {
    let (was, is) = (shape(was), shape(is));
    let column = |side: &[(&str, &arrow::datatypes::DataType)], at: usize| {
        side.get(at).map_or("nothing".to_owned(), |(name, data_type)| format!("`{name}` {data_type}"))
    };
    let at = (0..was.len().max(is.len())).find(|at| was.get(*at) != is.get(*at)).unwrap_or(0);
    format!("column {} was {} and is {}", at + 1, column(&was, at), column(&is, at))
}

fn foreign(table: &str, version: i64) -> Error {
    Error::new(
        Code::Conflict,
        format!(
            "version {version} of the table `{table}` was not committed by this server: find out who writes there; the \
             head still shows the state before it"
        ),
    )
}

/// What a failpoint makes of a step.
#[cfg(feature = "failpoints")]
fn injected(point: &str) -> Error {
    Error::new(Code::Internal, format!("failpoint {point}"))
}
