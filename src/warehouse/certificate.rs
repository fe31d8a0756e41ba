//! Certificates: what a snapshot says was checked of the tables that joins rely on.
//!
//! A join to a dimension may be left out, and a rollup may stand for joined facts, only where a fact meets one row of the
//! dimension at most. Every publication therefore reads the keys of the dimensions that it changes again, from the files as
//! they were written, and those that new facts hold, and is refused when a key stands twice or leads nowhere. A certificate
//! holds for one version of its table: one that has another is not certified.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Int64Type};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::publication::TableIntent;
use super::{DataFile, Snapshot, Warehouse, file};
use crate::error::{Code, Error, Result};
use crate::model::Located;
use crate::model::table::{Table, TableKind};
use crate::model::time::iso;

/// Where a snapshot's facts hold them, by table.
pub(super) const CERTIFICATES: &str = "certificates";
/// Files read at a time.
const READS: usize = 4;

/// What was checked of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The version of the table that it holds for.
    pub version: i64,
    /// Of a dimension, the column that identifies a row: no value stands twice, and where the table keeps versions those of
    /// one natural key neither overlap nor leave gaps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Of a fact, the columns whose every value is a key of the dimension named with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub references: BTreeMap<String, String>,
    /// Rows of the table.
    pub rows: u64,
}

impl Snapshot {
    /// What was checked of a table as this snapshot has it.
    pub fn certificate(&self, table: &str) -> Option<Certificate> {
        let version = self.tables.get(table)?;
        let stored = self.facts.get(CERTIFICATES)?.get(table)?;
        let certificate: Certificate = serde_json::from_value(stored.clone()).ok()?;
        (certificate.version == *version).then_some(certificate)
    }
}

/// The certificates of what a publication leaves behind, for the facts of its snapshot. Those of untouched tables stand.
///
/// # Errors
/// `TIE_OUT` for a key that stands twice, versions that overlap or leave a gap, or a fact's key that its dimension lacks.
pub(super) async fn certify(
    warehouse: &Warehouse,
    parent: Option<&Snapshot>,
    changes: &BTreeMap<String, TableIntent>,
) -> Result<serde_json::Value> {
    let mut check = Check { warehouse, parent, changes, keys: BTreeMap::new() };
    let mut certificates = serde_json::Map::new();
    for table in warehouse.tables().values() {
        let Some(version) = check.version(table) else { continue };
        let stands = parent.and_then(|parent| parent.certificate(&table.name));
        let certificate = match stands.filter(|certificate| certificate.version == version) {
            Some(stands) => Some(stands),
            None => check.table(table, version).await?,
        };
        if let Some(certificate) = certificate {
            certificates.insert(table.name.value.clone(), json!(certificate));
        }
    }
    Ok(certificates.into())
}

/// Whether a snapshot lacks the certificate of a dimension that could have one: it is of an older server.
pub(super) fn lacks_any(warehouse: &Warehouse, snapshot: &Snapshot) -> bool {
    let dimensions = warehouse.tables().values().filter(|table| table.kind == TableKind::Dimension);
    dimensions
        .filter(|table| key(table).is_some() && snapshot.tables.contains_key(table.name.as_str()))
        .any(|table| snapshot.certificate(&table.name).is_none())
}

/// The column that identifies a dimension's row.
fn key(table: &Table) -> Option<&Located<String>> {
    match (&table.surrogate, table.key.as_slice()) {
        (Some(surrogate), _) => Some(surrogate),
        (None, [only]) => Some(only),
        _ => None,
    }
}

/// A version: branch, natural key, first day, and the day after the last.
type Range<'a> = (Option<&'a str>, Vec<Option<String>>, i32, i32);

struct Check<'a> {
    warehouse: &'a Warehouse,
    parent: Option<&'a Snapshot>,
    changes: &'a BTreeMap<String, TableIntent>,
    /// Whole-number keys of dimensions, in order.
    keys: BTreeMap<String, Vec<i64>>,
}

impl Check<'_> {
    /// The version that the table will have; none while it has no row.
    fn version(&self, table: &Table) -> Option<i64> {
        let name = table.name.as_str();
        let changed = self.changes.get(name).map(|change| change.base + 1);
        changed.or_else(|| self.parent?.tables.get(name).copied())
    }

    async fn table(&mut self, table: &Table, version: i64) -> Result<Option<Certificate>> {
        let files = self.files(table).await?;
        let rows = files.iter().map(|file| file.rows).sum();
        let certificate = Certificate { version, key: None, references: BTreeMap::new(), rows };
        if table.kind == TableKind::Fact {
            let mut references = BTreeMap::new();
            for column in &table.columns {
                let Some(dimension) = &column.references else { continue };
                let Some(known) = self.warehouse.tables().get(dimension.as_str()) else { continue };
                if known.surrogate.is_some() {
                    references.insert(column.name.value.clone(), dimension.value.clone());
                }
            }
            self.references(table, &references, &files).await?;
            return Ok((!references.is_empty()).then_some(Certificate { references, ..certificate }));
        }
        let Some(key) = key(table) else { return Ok(None) };
        self.unique(table, key, &files).await?;
        self.versions(table, &files).await?;
        Ok(Some(Certificate { key: Some(key.value.clone()), ..certificate }))
    }

    /// The files that the table will have.
    async fn files(&self, table: &Table) -> Result<Vec<DataFile>> {
        let name = table.name.as_str();
        let (base, change) = match self.changes.get(name) {
            Some(change) => (Some(change.base), Some(change)),
            None => (self.parent.and_then(|parent| parent.tables.get(name).copied()), None),
        };
        let before = match base {
            Some(version) => self.warehouse.files_at(name, version).await?.files.clone(),
            None => Vec::new(),
        };
        let Some(change) = change else { return Ok(before) };
        let stays = before.into_iter().filter(|file| !change.removes.contains(file));
        Ok(stays.chain(change.adds.iter().map(|new| new.file.clone())).collect())
    }

    async fn unique(&mut self, table: &Table, key: &str, files: &[DataFile]) -> Result<()> {
        if table.type_of(key) == Some(crate::model::table::DataType::Integer) {
            let keys = self.surrogates(table, key, files).await?;
            return once(table, key, keys);
        }
        let mut keys: Vec<String> = Vec::new();
        for batch in self.columns(files, &[key]).await?.concat() {
            let values = cast(batch.column(0), &DataType::Utf8).map_err(unreadable)?;
            keys.extend(values.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        keys.sort_unstable();
        once(table, key, &keys)
    }

    /// The whole numbers of a dimension's key, in order, as often as they stand there.
    async fn surrogates(&mut self, table: &Table, key: &str, files: &[DataFile]) -> Result<&[i64]> {
        let name = table.name.as_str();
        if !self.keys.contains_key(name) {
            let mut keys = Vec::new();
            for batch in self.columns(files, &[key]).await?.concat() {
                keys.extend(batch.column(0).as_primitive::<Int64Type>().iter().flatten());
            }
            keys.sort_unstable();
            self.keys.insert(name.to_owned(), keys);
        }
        Ok(self.keys.get(name).map_or(&[], Vec::as_slice))
    }

    /// Versions of one natural key follow each other without overlap and without gaps.
    async fn versions(&self, table: &Table, files: &[DataFile]) -> Result<()> {
        let Some(versions) = &table.versions else { return Ok(()) };
        let natural: Vec<&str> = table.natural_key().map(|column| column.as_str()).collect();
        let columns: Vec<&str> = [versions.from.as_str(), versions.to.as_str()].into_iter().chain(natural).collect();
        let mut ranges: Vec<Range<'_>> = Vec::new();
        for (file, batches) in files.iter().zip(self.columns(files, &columns).await?) {
            for batch in batches {
                let day = |n: usize| batch.column(n).as_primitive_opt::<Date32Type>().map(|days| days.values().clone());
                let (Some(from), Some(to)) = (day(0), day(1)) else { continue };
                let texts = batch.columns()[2..].iter().map(|array| cast(array, &DataType::Utf8).map_err(unreadable));
                let texts = texts.collect::<Result<Vec<_>>>()?;
                for row in 0..batch.num_rows() {
                    let value = |array: &arrow::array::ArrayRef| {
                        let array = array.as_string::<i32>();
                        array.is_valid(row).then(|| array.value(row).to_owned())
                    };
                    ranges.push((file.branch.as_deref(), texts.iter().map(value).collect(), from[row], to[row]));
                }
            }
        }
        ranges.sort_unstable();
        for pair in ranges.windows(2) {
            let [(branch, key, _, to), (other, next, from, _)] = pair else { continue };
            if (branch, key) == (other, next) && to != from {
                let how = if from < to { "overlap" } else { "leave a gap" };
                let key: Vec<&str> = key.iter().map(|text| text.as_deref().unwrap_or("null")).collect();
                let message = format!("versions of `{}` {how} at {}", key.join(", "), iso(*from));
                return Err(refused(table, &message));
            }
        }
        Ok(())
    }

    /// Every key of the facts, of new ones only where the others are certified, is one of its dimension.
    async fn references(
        &mut self,
        table: &Table,
        references: &BTreeMap<String, String>,
        files: &[DataFile],
    ) -> Result<()> {
        let before = self.parent.and_then(|parent| parent.certificate(&table.name));
        let new: Vec<DataFile> = match (before, self.changes.get(table.name.as_str())) {
            (Some(before), Some(change)) if before.version == change.base && before.references == *references => {
                change.adds.iter().map(|new| new.file.clone()).collect()
            }
            _ => files.to_vec(),
        };
        for (column, dimension) in references {
            let Some((known, Some(key))) =
                self.warehouse.tables().get(dimension).map(|known| (known, known.surrogate.as_ref()))
            else {
                continue;
            };
            let members = self.files(known).await?;
            self.surrogates(known, key, &members).await?;
            let keys = self.keys.get(dimension.as_str()).map_or(&[][..], Vec::as_slice);
            // File by file: a fact may be far larger than its dimension.
            let mut files = self.reads(&new, &[column]).buffer_unordered(READS);
            while let Some(batches) = files.try_next().await? {
                let columns = batches.iter().map(|batch| batch.column(0).as_primitive::<Int64Type>());
                let mut found: Vec<i64> = columns.flat_map(|keys| keys.iter().flatten()).collect();
                found.sort_unstable();
                found.dedup();
                if let Some(strange) = found.into_iter().find(|key| keys.binary_search(key).is_err()) {
                    return Err(refused(
                        table,
                        &format!("`{column}` holds {strange}, which is no key of `{dimension}`"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Columns of files, in the order of the files.
    async fn columns(&self, files: &[DataFile], names: &[&str]) -> Result<Vec<Vec<RecordBatch>>> {
        self.reads(files, names).buffered(READS).try_collect().await
    }

    /// Some columns of each file, in the order of their names.
    fn reads(
        &self,
        files: &[DataFile],
        names: &[&str],
    ) -> impl Stream<Item = impl Future<Output = Result<Vec<RecordBatch>>> + use<>> + use<> {
        let store = self.warehouse.storage().store();
        let names: Arc<[String]> = names.iter().map(|name| (*name).to_owned()).collect();
        stream::iter(files.to_vec()).map(move |file| columns_of(Arc::clone(&store), file, Arc::clone(&names)))
    }
}

async fn columns_of(store: Arc<dyn ObjectStore>, file: DataFile, names: Arc<[String]>) -> Result<Vec<RecordBatch>> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let batches = file::read(store, &file, Some(&names)).await?;
    let ordered = |batch: &RecordBatch| {
        let places = names.iter().map(|name| batch.schema().index_of(name));
        batch.project(&places.collect::<std::result::Result<Vec<_>, _>>()?)
    };
    batches.iter().map(|batch| ordered(batch).map_err(unreadable)).collect()
}

/// No key of a list in order stands twice.
fn once<T: PartialEq + Display>(table: &Table, key: &str, keys: &[T]) -> Result<()> {
    match keys.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(refused(
            table,
            &format!(
                "`{key}` identifies a row, and {} stands in several; deliver it once, or give the table a `surrogate`",
                pair[0]
            ),
        )),
    }
}

fn refused(table: &Table, what: &str) -> Error {
    Error::new(Code::TieOut, format!("table `{}`: {what}; nothing was published", *table.name))
}

fn unreadable(error: arrow::error::ArrowError) -> Error {
    Error::internal("cannot read the keys of a table", error)
}
