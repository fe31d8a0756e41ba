//! The Delta log of one table: the only place that knows `deltalake`.
//!
//! The crate gets our own object store and a made-up URL whose path is the table's folder, so that it can neither reach
//! beyond the warehouse nor choose a cloud SDK. Versions are committed one by one on an exact base, without the crate's
//! silent rebases, checkpoints or clean-up; what stands in the log is read back from the entry itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType as Arrow, Schema};
use deltalake::kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel};
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add, LogicalFileView, Remove, StructType, Transaction};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableBuilder};
use futures::TryStreamExt;
use jiff::Timestamp;
use jiff::civil::Date;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::{Map, Value, json};
use url::Url;

use super::table::{MONTH, partition_columns, table_schema};
use super::{DataFile, TableFiles};
use crate::error::{Code, Error, Result};
use crate::model::table::Table;
use crate::storage::Storage;

/// Application id of a publication's commit; its version is the publication's number.
const PUBLISHES: &str = "countinghouse";
/// Application id of the commit that undoes or forestalls a publication's.
const ABORTS: &str = "countinghouse.abort";

/// The log of one table.
#[derive(Debug)]
pub(super) struct Log {
    table: String,
    storage: Storage,
}

/// What an entry of the log was committed for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Entry {
    /// The publication whose change this is.
    pub(super) publishes: Option<i64>,
    /// The publication that this entry undoes or forestalls.
    pub(super) aborts: Option<i64>,
    /// Paths of the files it adds, relative to the root of the warehouse.
    pub(super) adds: Vec<String>,
}

/// One commit.
#[derive(Debug)]
pub(super) struct Commit<'a> {
    /// The version it stands on; it becomes the next one or fails.
    pub(super) base: i64,
    /// Files to add.
    pub(super) adds: Vec<&'a DataFile>,
    /// Files to remove.
    pub(super) removes: Vec<&'a DataFile>,
    /// Number of the publication that commits, or is undone.
    pub(super) publication: i64,
    /// Whether it undoes the publication.
    pub(super) abort: bool,
    /// Written into the commit info under `countinghouse`.
    pub(super) info: Value,
    /// Written as the time of the change.
    pub(super) at: Timestamp,
}

impl Log {
    /// The log of `table`, which need not exist.
    pub(super) fn new(storage: &Storage, table: &str) -> Self {
        Self { table: table.to_owned(), storage: storage.clone() }
    }

    /// The newest version, looked for from `since` on; none when there is no table.
    pub(super) async fn latest(&self, since: i64) -> Result<Option<i64>> {
        let folder = Path::from(format!("{}/_delta_log", self.table));
        let store = self.storage.store();
        let entries = if since > 0 {
            store.list_with_offset(Some(&folder), &self.entry_path(since - 1))
        } else {
            store.list(Some(&folder))
        };
        let versions = entries.try_filter_map(async |meta| Ok(meta.location.filename().and_then(version_of)));
        let found: Vec<i64> = versions.try_collect().await.map_err(|cause| self.failed("list", cause))?;
        Ok(found.into_iter().max())
    }

    /// Makes the table: version 0, without rows.
    pub(super) async fn create(&self, table: &Table) -> Result<()> {
        let schema = table_schema(table);
        let partitions = partition_columns(table);
        let fields: StructType =
            schema.as_ref().try_into_kernel().map_err(|cause| self.failed("describe in Delta's types", cause))?;
        let counted = schema
            .fields()
            .iter()
            .filter(|field| matches!(field.data_type(), Arrow::Date32 | Arrow::Int64))
            .map(|field| field.name().as_str())
            .collect::<Vec<_>>();
        // Decimals and timestamps get no bounds: the log rounds them, and a rounded bound could drop a row.
        let statistics = if counted.is_empty() {
            ("delta.dataSkippingNumIndexedCols", "0".to_owned())
        } else {
            ("delta.dataSkippingStatsColumns", counted.join(","))
        };
        let properties = [
            // By default the log forgets versions after 30 days; snapshots pin older ones.
            ("delta.enableExpiredLogCleanup", "false".to_owned()),
            statistics,
        ];
        CreateBuilder::new()
            .with_log_store(self.open()?.log_store())
            .with_table_name(&self.table)
            .with_columns(fields.fields().cloned().collect::<Vec<_>>())
            .with_partition_columns(partitions)
            .with_configuration(properties.map(|(name, value)| (name, Some(value))))
            .with_save_mode(SaveMode::ErrorIfExists)
            .with_commit_properties(strict())
            .await
            .map_err(|cause| self.failed("create", cause))?;
        Ok(())
    }

    /// Columns, partition columns and data files at a version.
    pub(super) async fn files(&self, version: i64) -> Result<TableFiles> {
        let table = self.at(version).await?;
        let state = table.snapshot().map_err(|cause| self.failed("read", cause))?;
        let protocol = state.protocol();
        if protocol.min_reader_version() != 1 {
            // Deletion vectors or column mapping would make a plain scan of the files wrong.
            return Err(Error::new(
                Code::Conflict,
                format!(
                    "the table `{}` asks for reader version {} at version {version}: another program changed it",
                    self.table,
                    protocol.min_reader_version()
                ),
            ));
        }
        let partitions = state.metadata().partition_columns().to_vec();
        let schema: Schema = state
            .schema()
            .as_ref()
            .try_into_arrow()
            .map_err(|cause| self.failed("describe in Arrow's types", cause))?;
        let of_files = schema.fields().iter().filter(|field| !partitions.contains(field.name()));
        let mut fields: Vec<_> = of_files.cloned().collect();
        for name in &partitions {
            let field = schema.field_with_name(name).map_err(|cause| self.failed("read", cause))?;
            fields.push(Arc::new(field.clone()));
        }
        let data = state.log_data();
        let mut files = data.iter().map(|view| self.data_file(&view, &partitions)).collect::<Result<Vec<_>>>()?;
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(TableFiles { schema: Arc::new(Schema::new(fields)), partition_columns: partitions, files })
    }

    /// What the entry of a version was made for; none when there is no such version.
    pub(super) async fn entry(&self, version: i64) -> Result<Option<Entry>> {
        let bytes = match self.storage.store().get(&self.entry_path(version)).await {
            Ok(found) => found.bytes().await.map_err(|cause| self.failed("read the log of", cause))?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(cause) => return Err(self.failed("read the log of", cause)),
        };
        let mut entry = Entry::default();
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            let action: Value = serde_json::from_slice(line).map_err(|cause| self.failed("read the log of", cause))?;
            if let Some(path) = action.pointer("/add/path").and_then(Value::as_str) {
                entry.adds.push(format!("{}/{path}", self.table));
            }
            let number = action.pointer("/txn/version").and_then(Value::as_i64);
            match action.pointer("/txn/appId").and_then(Value::as_str) {
                Some(PUBLISHES) => entry.publishes = number,
                Some(ABORTS) => entry.aborts = number,
                _ => {}
            }
        }
        Ok(Some(entry))
    }

    /// Commits on exactly `commit.base`. An error proves nothing: look at the entry.
    pub(super) async fn commit(&self, commit: Commit<'_>) -> Result<()> {
        let failed = |cause| self.failed("commit to", cause);
        let table = self.at(commit.base).await?;
        let state = table.snapshot().map_err(failed)?;
        let partitions = state.metadata().partition_columns().to_vec();
        let schema: Schema = state
            .schema()
            .as_ref()
            .try_into_arrow()
            .map_err(|cause| self.failed("describe in Arrow's types", cause))?;
        let dates = schema.fields().iter().filter(|field| field.data_type() == &Arrow::Date32);
        let dates: BTreeSet<String> = dates.map(|field| field.name().clone()).collect();
        let removes = commit.removes.iter().map(|file| self.remove(file, &partitions, commit.at));
        let adds = commit.adds.iter().map(|file| self.add(file, &partitions, &dates, commit.at));
        let actions = removes.chain(adds).collect::<Vec<Action>>();
        let operation = if commit.abort {
            DeltaOperation::Restore { version: u64::try_from(commit.base).ok(), datetime: None }
        } else {
            DeltaOperation::Write { mode: SaveMode::Append, partition_by: Some(partitions), predicate: None }
        };
        let application = if commit.abort { ABORTS } else { PUBLISHES };
        let properties = strict()
            .with_application_transaction(Transaction::new(application, commit.publication))
            .with_metadata([("countinghouse".to_owned(), commit.info)]);
        CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(state), table.log_store(), operation)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Writes a checkpoint at `version`, so that later readers need not replay the log from its start.
    pub(super) async fn checkpoint(&self, version: i64) -> Result<()> {
        let table = self.at(version).await?;
        deltalake::checkpoints::create_checkpoint(&table, None)
            .await
            .map_err(|cause| self.failed("write a checkpoint of", cause))
    }

    async fn at(&self, version: i64) -> Result<DeltaTable> {
        let number = u64::try_from(version).map_err(|cause| self.failed("read", cause))?;
        let mut table = self.open()?;
        table
            .load_version(number)
            .await
            .map_err(|cause| Error::internal(format!("version {version} of `{}` cannot be read", self.table), cause))?;
        Ok(table)
    }

    fn open(&self) -> Result<DeltaTable> {
        // The store's root is the warehouse, so the path alone places the table. The scheme only has to be one that the
        // crate takes without a factory of ours, and whose listings it believes to be sorted, as all of ours are.
        let url = Url::parse(&format!("memory:///{}/", self.table)).map_err(|cause| self.failed("name", cause))?;
        DeltaTableBuilder::from_url(url.clone())
            .and_then(|builder| builder.with_storage_backend(self.storage.store(), url).build())
            .map_err(|cause| self.failed("open", cause))
    }

    fn entry_path(&self, version: i64) -> Path {
        Path::from(format!("{}/_delta_log/{version:020}.json", self.table))
    }

    fn failed(&self, what: &str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::internal(format!("cannot {what} the table `{}`", self.table), cause)
    }

    fn data_file(&self, view: &LogicalFileView, partitions: &[String]) -> Result<DataFile> {
        let strange = |what: &str| {
            Error::new(Code::Conflict, format!("the log of `{}` lists {} {what}", self.table, view.path()))
        };
        if view.deletion_vector_descriptor().is_some() {
            return Err(strange("with deleted rows, which this server never writes"));
        }
        let stats: Value = match view.stats() {
            Some(text) => {
                serde_json::from_str(&text).map_err(|cause| strange("with broken statistics").caused_by(cause))?
            }
            None => return Err(strange("without a row count")),
        };
        let rows = stats.get("numRecords").and_then(Value::as_u64).ok_or_else(|| strange("without a row count"))?;
        let mut values = view.partition_values_map();
        let mut branch = None;
        let mut month = None;
        for name in partitions {
            let value = values.remove(name).flatten();
            if name == MONTH {
                month = value.and_then(|text| text.parse().ok());
            } else {
                branch = value;
            }
        }
        Ok(DataFile {
            path: format!("{}/{}", self.table, view.path()),
            size: u64::try_from(view.size()).map_err(|cause| strange("with a negative size").caused_by(cause))?,
            rows,
            branch,
            month,
            min: bounds(stats.get("minValues")),
            max: bounds(stats.get("maxValues")),
            nulls: numbers(stats.get("nullCount"), Value::as_u64),
        })
    }

    fn relative<'a>(&self, file: &'a DataFile) -> &'a str {
        file.path.strip_prefix(self.table.as_str()).map_or(&file.path, |path| path.trim_start_matches('/'))
    }

    fn add(&self, file: &DataFile, partitions: &[String], dates: &BTreeSet<String>, at: Timestamp) -> Action {
        let stats = json!({
            "numRecords": file.rows,
            "minValues": bounds_json(&file.min, dates),
            "maxValues": bounds_json(&file.max, dates),
            "nullCount": file.nulls,
        });
        Action::Add(Add {
            path: self.relative(file).to_owned(),
            partition_values: partition_values(file, partitions),
            size: i64::try_from(file.size).unwrap_or(i64::MAX),
            modification_time: at.as_millisecond(),
            data_change: true,
            stats: Some(stats.to_string()),
            ..Add::default()
        })
    }

    fn remove(&self, file: &DataFile, partitions: &[String], at: Timestamp) -> Action {
        Action::Remove(Remove {
            path: self.relative(file).to_owned(),
            data_change: true,
            deletion_timestamp: Some(at.as_millisecond()),
            extended_file_metadata: Some(true),
            partition_values: Some(partition_values(file, partitions)),
            size: i64::try_from(file.size).ok(),
            ..Remove::default()
        })
    }
}

/// No rebase on somebody else's version, no checkpoint, no clean-up of the log.
fn strict() -> CommitProperties {
    CommitProperties::default().with_max_retries(0).with_create_checkpoint(false).with_cleanup_expired_logs(Some(false))
}

/// The version of a log entry's file name, as `00000000000000000012.json`.
fn version_of(name: &str) -> Option<i64> {
    let digits = name.strip_suffix(".json")?;
    (digits.len() == 20).then(|| digits.parse().ok()).flatten()
}

fn partition_values(file: &DataFile, partitions: &[String]) -> HashMap<String, Option<String>> {
    let value = |name: &String| {
        if name == MONTH { file.month.map(|month| month.to_string()) } else { file.branch.clone() }
    };
    partitions.iter().map(|name| (name.clone(), value(name))).collect()
}

/// Bounds as the log writes them: dates as text. A bound that has no text is left out, which is always right.
fn bounds_json(bounds: &BTreeMap<String, i64>, dates: &BTreeSet<String>) -> Map<String, Value> {
    let text = |name: &String, value: i64| {
        if dates.contains(name) { date_text(value).map(Value::from) } else { Some(Value::from(value)) }
    };
    bounds.iter().filter_map(|(name, value)| Some((name.clone(), text(name, *value)?))).collect()
}

fn bounds(values: Option<&Value>) -> BTreeMap<String, i64> {
    numbers(values, |value| value.as_i64().or_else(|| days(value.as_str()?)))
}

fn numbers<T>(values: Option<&Value>, read: impl Fn(&Value) -> Option<T>) -> BTreeMap<String, T> {
    let values = values.and_then(Value::as_object).into_iter().flatten();
    values.filter_map(|(name, value)| Some((name.clone(), read(value)?))).collect()
}

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// A year outside 0 to 9999 has no text that every reader of the log understands.
fn date_text(days: i64) -> Option<String> {
    let date = EPOCH.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
    (date.year() >= 0).then(|| date.to_string())
}

fn days(text: &str) -> Option<i64> {
    let date: Date = text.parse().ok()?;
    Some(i64::from(EPOCH.until(date).ok()?.get_days()))
}
