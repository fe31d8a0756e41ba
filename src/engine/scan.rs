//! Files of a pinned version to a stock Parquet scan.
//!
//! Everything that a plan needs comes from the Delta log: no listing, no footer read before execution. The node is
//! DataFusion's own, so that the same plan can be shipped to other machines later.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Date32Array, Int32Array, Int64Array, StringArray, UInt64Array};
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, Result, ScalarValue, Statistics, ToDFSchema};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::ObjectStore;

use crate::warehouse::{DataFile, TableFiles};

/// How many rows a file has, as an extension of a scan's file. Its statistics would be taken for the answer to questions.
pub(super) struct FileRows(pub(super) u64);

/// A table at a pinned version, cut to some branches.
#[derive(Debug)]
pub(super) struct SnapshotTable {
    url: ObjectStoreUrl,
    store: Arc<dyn ObjectStore>,
    files: Arc<TableFiles>,
    /// Indices into `files` of those that may be read.
    allowed: Vec<usize>,
}

impl SnapshotTable {
    pub(super) fn new(
        url: ObjectStoreUrl,
        store: Arc<dyn ObjectStore>,
        files: Arc<TableFiles>,
        branches: Option<&BTreeSet<String>>,
    ) -> Self {
        let allowed = files
            .files
            .iter()
            .enumerate()
            .filter(|(_, file)| match (branches, &file.branch) {
                (Some(branches), Some(branch)) => branch == crate::warehouse::SHARED || branches.contains(branch),
                _ => true,
            })
            .map(|(index, _)| index)
            .collect();
        Self { url, store, files, allowed }
    }

    /// A file's value of a partition column.
    fn partition_value(file: &DataFile, column: &str) -> ScalarValue {
        if column == crate::warehouse::MONTH {
            ScalarValue::Int32(file.month)
        } else {
            ScalarValue::Utf8(file.branch.clone())
        }
    }

    /// The allowed files that may hold rows for `filters`.
    fn prune(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<&DataFile>> {
        let files: Vec<&DataFile> = self.allowed.iter().map(|index| &self.files.files[*index]).collect();
        let Some(filter) = conjunction(filters.to_vec()) else { return Ok(files) };
        let schema = Arc::clone(&self.files.schema).to_dfschema()?;
        let predicate = state.create_physical_expr(filter, &schema)?;
        let pruning =
            PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.files.schema)).try_build(predicate);
        let Ok(pruning) = pruning else { return Ok(files) };
        let keep = pruning.prune(&LogStatistics { table: self, files: &files })?;
        Ok(files.into_iter().zip(keep).filter_map(|(file, keep)| keep.then_some(file)).collect())
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.files.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = &self.files.schema;
        let files = self.prune(state, filters)?;
        if files.is_empty() {
            let projected = match projection {
                Some(indices) => Arc::new(schema.project(indices)?),
                None => Arc::clone(schema),
            };
            return Ok(Arc::new(EmptyExec::new(projected)));
        }
        let split = schema.fields().len() - self.files.partition_columns.len();
        let file_schema = Arc::new(schema.project(&(0..split).collect::<Vec<_>>())?);
        let partition_fields: Vec<_> = schema.fields()[split..].to_vec();
        let table_schema =
            TableSchema::builder(Arc::clone(&file_schema)).with_table_partition_cols(partition_fields.clone()).build();

        let mut source = ParquetSource::new(table_schema).with_parquet_file_reader_factory(Arc::new(
            CachedParquetFileReaderFactory::new(
                Arc::clone(&self.store),
                state.runtime_env().cache_manager.get_file_metadata_cache(),
            ),
        ));
        if let Some(filter) = conjunction(filters.to_vec()) {
            let schema = Arc::clone(schema).to_dfschema()?;
            source = source.with_predicate(state.create_physical_expr(filter, &schema)?);
        }

        let rows: u64 = files.iter().map(|file| file.rows).sum();
        let bytes: u64 = files.iter().map(|file| file.size).sum();
        let mut statistics = Statistics::new_unknown(schema);
        statistics.num_rows = Precision::Exact(usize::try_from(rows).unwrap_or(usize::MAX));
        statistics.total_byte_size = Precision::Inexact(usize::try_from(bytes).unwrap_or(usize::MAX));
        // How many different keys a fact can have decides which side of a join is held in memory. Inexact: no figure is ever
        // answered from them.
        for (field, column) in schema.fields().iter().zip(&mut statistics.column_statistics) {
            let bound = |pick: fn(&DataFile) -> &BTreeMap<String, i64>, best: fn(i64, i64) -> i64| {
                let all = files.iter().map(|file| pick(file).get(field.name()).copied());
                let bound = all.reduce(|a, b| Some(best(a?, b?))).flatten()?;
                match field.data_type() {
                    DataType::Int64 => Some(ScalarValue::Int64(Some(bound))),
                    DataType::Date32 => i32::try_from(bound).ok().map(|days| ScalarValue::Date32(Some(days))),
                    _ => None,
                }
            };
            let inexact = |bound: Option<ScalarValue>| bound.map_or(Precision::Absent, Precision::Inexact);
            column.min_value = inexact(bound(|file| &file.min, i64::min));
            column.max_value = inexact(bound(|file| &file.max, i64::max));
        }

        let partitioned = files
            .iter()
            .map(|file| {
                let values =
                    partition_fields.iter().map(|field| Self::partition_value(file, field.name())).collect::<Vec<_>>();
                PartitionedFile::new(file.path.clone(), file.size)
                    .with_partition_values(values)
                    .with_arrow_schema(Arc::clone(&file_schema))
                    .with_extension(FileRows(file.rows))
            })
            .collect();
        // As many groups as the bytes are worth: a small table is read by one task.
        let cores = state.config().target_partitions().max(1);
        let groups = usize::try_from(bytes >> 20).unwrap_or(usize::MAX).clamp(1, cores).min(files.len());
        let groups = spread(partitioned, groups);
        let config = FileScanConfigBuilder::new(self.url.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// Files in groups of about the same size.
pub(super) fn spread(files: Vec<PartitionedFile>, groups: usize) -> Vec<FileGroup> {
    let mut buckets: Vec<(u64, Vec<PartitionedFile>)> = (0..groups).map(|_| (0, Vec::new())).collect();
    for file in files {
        let smallest = buckets.iter_mut().min_by_key(|(bytes, _)| *bytes).expect("at least one group");
        smallest.0 += file.object_meta.size;
        smallest.1.push(file);
    }
    buckets.into_iter().map(|(_, files)| FileGroup::new(files)).collect()
}

/// What the log knows of each file, as the pruning predicate wants it.
struct LogStatistics<'a> {
    table: &'a SnapshotTable,
    files: &'a [&'a DataFile],
}

impl LogStatistics<'_> {
    fn bounds(&self, column: &Column, pick: impl Fn(&DataFile) -> Option<i64>) -> Option<ArrayRef> {
        let field = self.table.files.schema.field_with_name(&column.name).ok()?;
        if self.table.files.partition_columns.contains(&column.name) {
            return Some(match field.data_type() {
                DataType::Int32 => Arc::new(self.files.iter().map(|file| file.month).collect::<Int32Array>()),
                _ => Arc::new(self.files.iter().map(|file| file.branch.as_deref()).collect::<StringArray>()),
            });
        }
        let values = self.files.iter().map(|file| pick(file));
        match field.data_type() {
            DataType::Int64 => Some(Arc::new(values.collect::<Int64Array>())),
            DataType::Date32 => Some(Arc::new(
                values.map(|value| value.and_then(|days| i32::try_from(days).ok())).collect::<Date32Array>(),
            )),
            _ => None,
        }
    }
}

impl PruningStatistics for LogStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |file| file.min.get(&column.name).copied())
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |file| file.max.get(&column.name).copied())
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let known = self.files.iter().map(|file| file.nulls.get(&column.name).copied());
        let array = known.collect::<UInt64Array>();
        (array.null_count() < array.len()).then(|| Arc::new(array) as ArrayRef)
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.files.iter().map(|file| Some(file.rows)).collect::<UInt64Array>()))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
