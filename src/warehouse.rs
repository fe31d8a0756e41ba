//! The warehouse: Delta tables, snapshots that pin one version of each, and publications that change them.
//!
//! Readers take a [`Snapshot`] and ask [`Warehouse::files`] for the data files of a table *at the pinned version*; nothing
//! here or above reads a table's newest version. Writers take a [`Publication`], write files and publish them as one change:
//! readers see all of it or none of it, whatever dies when (`publication.rs` holds the protocol). Delta is used for its log
//! only (`log.rs`); Parquet is written here (`file.rs`) and scanned by `engine`. What the rows mean is not known here.

mod certificate;
mod file;
mod log;
mod publication;
mod sweep;
mod table;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, Int32Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{Schema, SchemaRef};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::certificate::Certificate;
pub use self::publication::{Publication, Replaces, WrittenFile};
pub use self::sweep::Swept;
pub use self::table::{
    MONTH, REJECTS, SHARED, arrow_type, file_schema, partition_columns, rejects_table, table_schema,
};
use crate::catalog::{Catalog, SnapshotRow};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::model::table::Table;
use crate::storage::{self, Storage};

use self::log::Log;

/// Where the facts that a snapshot states of itself say which figures were proved to tie out. It holds for that snapshot
/// alone: what changes rows leaves it out.
pub const TIE_OUT: &str = "tie_out";

/// How many versions of one table stay in the cache of file lists: the head, one being replaced, a few pinned by reports.
const CACHED_VERSIONS: usize = 8;

/// The tables of a project and their snapshots. A cheap clone: all clones share the cache.
#[derive(Debug, Clone)]
pub struct Warehouse {
    storage: Storage,
    catalog: Catalog,
    clock: Clock,
    tables: Arc<BTreeMap<String, Table>>,
    cache: Arc<Mutex<FileCache>>,
    /// The head as it was last read.
    newest: Arc<Mutex<Option<Arc<Snapshot>>>>,
}

/// File lists by table and version. They are immutable, so an entry is never wrong, only old.
type FileCache = HashMap<String, BTreeMap<i64, Arc<TableFiles>>>;

/// Hears how far long work is. Called from the task that awaits the work, often: it should be quick.
pub trait Progress: Send + Sync {
    /// `name` says what is done, as `balance.csv` or `write fact_x`; `done` of `total` in rows, bytes or partitions.
    fn step(&self, name: &str, done: u64, total: Option<u64>);
}

/// Nobody listens.
impl Progress for () {
    fn step(&self, _name: &str, _done: u64, _total: Option<u64>) {}
}

/// The pinned state of all tables after one publication.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Number of the snapshot; grows by publication.
    pub id: i64,
    /// Business date that the data are complete up to, in days since 1970-01-01.
    pub as_of: i32,
    /// Delta version of each table that has data. A declared table that is missing here is empty.
    pub tables: BTreeMap<String, i64>,
    /// Small facts stated by the publisher: rows per table, completeness, tie-outs.
    pub facts: serde_json::Value,
    /// When it became the head.
    pub created_at: Timestamp,
}

impl From<SnapshotRow> for Snapshot {
    fn from(row: SnapshotRow) -> Self {
        Self { id: row.id, as_of: row.business_date, tables: row.tables, facts: row.facts, created_at: row.created_at }
    }
}

/// One Parquet file of a table at a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Relative to the root of the warehouse, as `fact_x/branch_code=beijing/month=202501/<uuid>.parquet`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Rows.
    pub rows: u64,
    /// Value of the branch partition column; none when the table has no such column, which reads as [`SHARED`].
    pub branch: Option<String>,
    /// Value of `month` (yyyymm of the period's first month); none when the table is not cut by time.
    pub month: Option<i32>,
    /// Exact least value by column, for Date32 (days) and Int64 columns that hold any value.
    pub min: BTreeMap<String, i64>,
    /// Exact greatest value, as `min`.
    pub max: BTreeMap<String, i64>,
    /// Number of nulls by column, for Date32 and Int64 columns.
    pub nulls: BTreeMap<String, u64>,
}

/// A table at a version.
#[derive(Debug, Clone, PartialEq)]
pub struct TableFiles {
    /// All columns in order, the partition columns last; those are in no file. Every field is nullable.
    pub schema: SchemaRef,
    /// Names of the partition columns, as they stand at the end of `schema`.
    pub partition_columns: Vec<String>,
    /// Data files by path.
    pub files: Vec<DataFile>,
}

impl Warehouse {
    /// Opens the warehouse of a project and finishes (or aborts) a publication that a dead process left prepared.
    /// While another process holds the writer's lease, that is left to it.
    pub async fn open(config: &Config, catalog: Catalog, clock: Clock) -> Result<Arc<Self>> {
        let mut tables: BTreeMap<String, Table> =
            config.warehouse.tables.iter().map(|table| (table.name.value.clone(), table.clone())).collect();
        tables.insert(REJECTS.to_owned(), rejects_table());
        let warehouse = Arc::new(Self {
            storage: storage::open(&config.warehouse.url, &config.state)?,
            catalog,
            clock,
            tables: Arc::new(tables),
            cache: Arc::default(),
            newest: Arc::default(),
        });
        Box::pin(warehouse.recover_if_free()).await?;
        Ok(warehouse)
    }

    /// The newest snapshot; none before the first load.
    pub async fn head(&self) -> Result<Option<Arc<Snapshot>>> {
        let Some(id) = self.catalog.head_id().await? else { return Ok(None) };
        // Every statement asks, and a snapshot never changes.
        if let Some(known) =
            self.newest.lock().unwrap_or_else(PoisonError::into_inner).as_ref().filter(|known| known.id == id)
        {
            return Ok(Some(Arc::clone(known)));
        }
        let snapshot = self.snapshot(id).await?;
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&snapshot));
        Ok(Some(snapshot))
    }

    /// The snapshot with this number.
    pub async fn snapshot(&self, id: i64) -> Result<Arc<Snapshot>> {
        match self.catalog.snapshot(id).await? {
            Some(row) => Ok(Arc::new(Snapshot::from(row))),
            None => Err(Error::new(Code::NoSnapshot, format!("there is no snapshot {id}"))),
        }
    }

    /// The data files of a table as the snapshot pins it. A declared table without data has no files.
    pub async fn files(&self, snapshot: &Snapshot, table: &str) -> Result<Arc<TableFiles>> {
        match snapshot.tables.get(table) {
            Some(version) => self.files_at(table, *version).await,
            None => match self.tables.get(table) {
                Some(declared) => Ok(Arc::new(TableFiles {
                    schema: table_schema(declared),
                    partition_columns: partition_columns(declared),
                    files: Vec::new(),
                })),
                None => Err(Error::new(Code::NoSuchObject, format!("there is no table `{table}`"))),
            },
        }
    }

    /// Where the files lie.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The declared tables by name, among them [`REJECTS`].
    pub fn tables(&self) -> &BTreeMap<String, Table> {
        &self.tables
    }

    /// Arrow schema of a declared table; see [`table_schema`].
    pub fn table_schema(&self, table: &Table) -> SchemaRef {
        table_schema(table)
    }

    /// Reads a small table whole, partition columns filled in.
    ///
    /// `branches` limits the files to exactly these branches (name [`SHARED`] to have it too); a table without a branch
    /// column is always read whole. Batches come file by file in path order; there is none for an empty table.
    pub async fn read(
        &self,
        snapshot: &Snapshot,
        table: &str,
        branches: Option<&BTreeSet<String>>,
    ) -> Result<Vec<RecordBatch>> {
        let files = self.files(snapshot, table).await?;
        let all = files.schema.fields().iter().map(|field| field.name().clone()).collect();
        self.read_columns(snapshot, table, branches, &all).await
    }

    /// As [`Self::read`], of some columns only, in the table's order.
    pub async fn read_columns(
        &self,
        snapshot: &Snapshot,
        table: &str,
        branches: Option<&BTreeSet<String>>,
        columns: &BTreeSet<String>,
    ) -> Result<Vec<RecordBatch>> {
        let files = self.files(snapshot, table).await?;
        let of_file = columns.iter().filter(|column| !files.partition_columns.contains(column));
        let of_file: Vec<&str> = of_file.map(String::as_str).collect();
        let mut batches = Vec::new();
        for file in &files.files {
            if let (Some(wanted), Some(branch)) = (branches, &file.branch)
                && !wanted.contains(branch)
            {
                continue;
            }
            for batch in file::read(self.storage.store(), file, Some(&of_file)).await? {
                batches.push(with_partition_columns(&batch, file, &files, columns)?);
            }
        }
        Ok(batches)
    }

    /// Reads one data file whole, without partition columns: what a load compares a partition with.
    pub async fn read_file(&self, file: &DataFile) -> Result<Vec<RecordBatch>> {
        file::read(self.storage.store(), file, None).await
    }

    /// The clock that publications are stamped by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) async fn files_at(&self, table: &str, version: i64) -> Result<Arc<TableFiles>> {
        if let Some(files) = self.cache().get(table).and_then(|versions| versions.get(&version)) {
            return Ok(Arc::clone(files));
        }
        let files = Arc::new(self.log(table).files(version).await?);
        let mut cache = self.cache();
        let versions = cache.entry(table.to_owned()).or_default();
        versions.insert(version, Arc::clone(&files));
        while versions.len() > CACHED_VERSIONS {
            // The oldest goes, but not the one just asked for: a report on an old snapshot asks again and again.
            let Some(oldest) = versions.keys().copied().find(|known| *known != version) else { break };
            versions.remove(&oldest);
        }
        Ok(files)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, FileCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self, table: &str) -> Log {
        Log::new(&self.storage, table)
    }
}

fn with_partition_columns(
    batch: &RecordBatch,
    file: &DataFile,
    table: &TableFiles,
    wanted: &BTreeSet<String>,
) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let fields = || table.schema.fields().iter().filter(|field| wanted.contains(field.name()));
    let columns = fields().map(|field| -> Result<ArrayRef> {
        if !table.partition_columns.contains(field.name()) {
            return batch.column_by_name(field.name()).cloned().ok_or_else(|| {
                Error::new(Code::Internal, format!("{} lacks the column `{}`", file.path, field.name()))
            });
        }
        Ok(match (field.name().as_str(), &file.branch) {
            (MONTH, _) => Arc::new(Int32Array::from(vec![file.month; rows])),
            (_, branch) => Arc::new(StringArray::from(vec![branch.as_deref(); rows])),
        })
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let schema = Schema::new_with_metadata(fields().cloned().collect::<Vec<_>>(), table.schema.metadata().clone());
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)
        .map_err(|cause| Error::internal(format!("{} does not fit its table", file.path), cause))
}

#[cfg(test)]
mod tests;
