//! Columns of large files. They are kept one by one, so statements that want other columns share what they have in common.
//!
//! What a statement reads of a file is what its scan reads, which may leave out parts of it; a file of which all rows came
//! is kept. From then on a statement takes from memory those parts of a file that can hold rows for its scan's condition.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column as Named, Result, ScalarValue, internal_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileSource, ParquetSource};
use datafusion::execution::TaskContext;
use datafusion::functions_aggregate::min_max::{MaxAccumulator, MinAccumulator};
use datafusion::logical_expr::Accumulator;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::{Hot, HotExec, Key, bounded, read, scan_of};
use crate::engine::scan::{FileRows, spread};

/// Rows handed on at a time: eight numbers of each are a message of Flight, which then needs no copy.
const ROWS: usize = 16_384;
/// What a value without a fixed width is taken to need before it is read, bytes.
const TEXT: usize = 24;

/// Decoded columns by file and column.
pub(super) struct Columns {
    kept: Cache<Key, Arc<Kept>, Bytes>,
    /// Bytes of columns whose file is being read.
    underway: AtomicU64,
}

/// A column of a file, cut where the reader cut it: at the same rows in each column.
#[derive(Debug)]
struct Kept {
    parts: Vec<ArrayRef>,
    /// The least and the greatest value of each part, where they are cheap and without doubt.
    bounds: Option<[ArrayRef; 2]>,
}

impl Kept {
    fn of(parts: Vec<ArrayRef>) -> Self {
        let bounds = bounds(&parts).ok().flatten();
        Self { parts, bounds }
    }

    /// Rows of each part.
    fn cuts(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().map(|part| part.len())
    }
}

fn has_bounds(kind: &DataType) -> bool {
    kind.is_integer() || matches!(kind, DataType::Decimal128(..) | DataType::Date32 | DataType::Timestamp(..))
}

fn bounds(parts: &[ArrayRef]) -> Result<Option<[ArrayRef; 2]>> {
    let Some(kind) = parts.first().map(|part| part.data_type()).filter(|kind| has_bounds(kind)) else {
        return Ok(None);
    };
    let bound = |part: &ArrayRef, mut of: Box<dyn Accumulator>| {
        of.update_batch(std::slice::from_ref(part))?;
        of.evaluate()
    };
    let least = parts.iter().map(|part| bound(part, Box::new(MinAccumulator::try_new(kind)?)));
    let most = parts.iter().map(|part| bound(part, Box::new(MaxAccumulator::try_new(kind)?)));
    let (least, most) = (least.collect::<Result<Vec<_>>>()?, most.collect::<Result<Vec<_>>>()?);
    Ok(Some([ScalarValue::iter_to_array(least)?, ScalarValue::iter_to_array(most)?]))
}

#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<Key, Arc<Kept>> for Bytes {
    fn weight(&self, (file, column): &Key, kept: &Arc<Kept>) -> u64 {
        bytes(kept.parts.iter().chain(kept.bounds.iter().flatten())) + (file.len() + column.len() + 128) as u64
    }
}

fn bytes<'a>(columns: impl Iterator<Item = &'a ArrayRef>) -> u64 {
    columns.map(|column| column.get_array_memory_size() as u64).sum()
}

impl Columns {
    /// Room for so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        Self { kept: bounded(bytes, Bytes), underway: AtomicU64::new(0) }
    }

    #[cfg(test)]
    pub(super) fn underway(&self) -> u64 {
        self.underway.load(Ordering::Relaxed)
    }
}

/// What a scan of files wants.
#[derive(Clone)]
pub(super) struct Wanted {
    /// The scan's output columns: names in the table, and each in words.
    columns: Arc<[(String, Arc<str>)]>,
    /// Counts the rows.
    pub(super) metrics: ExecutionPlanMetricsSet,
}

impl Wanted {
    /// None for a scan whose rows are cut off or have an order, or would find no room.
    pub(super) fn of(scan: &Arc<dyn ExecutionPlan>, columns: &Columns) -> Option<Self> {
        let (config, source) = scan_of(scan)?;
        let fields = scan.schema();
        let fields = fields.fields();
        let rows = *config.statistics().num_rows.get_value()?;
        let width = fields.iter().map(|field| field.data_type().primitive_width().unwrap_or(TEXT)).sum::<usize>();
        let room = !fields.is_empty() && rows.saturating_mul(width) as u64 <= columns.kept.capacity();
        let ordered =
            config.preserve_order || !config.output_ordering.is_empty() || config.output_partitioning.is_some();
        let cut_off = config.limit.is_some_and(|limit| limit < rows);
        if !room || ordered || cut_off || groups(config).iter().any(FileGroup::is_empty) {
            return None;
        }
        let column = |(output, field): (&ProjectionExpr, &FieldRef)| {
            let column = output.expr.downcast_ref::<Column>()?;
            let words = format!("{} {:?} {}", column.name(), field.data_type(), field.is_nullable());
            Some((column.name().to_owned(), Arc::from(words)))
        };
        let columns = source.projection()?.iter().zip(fields).map(column).collect::<Option<_>>()?;
        Some(Self { columns, metrics: ExecutionPlanMetricsSet::new() })
    }

    /// The rows of a partition.
    pub(super) fn rows(
        self,
        exec: &HotExec,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let group = groups(exec.source()?.0).into_iter().nth(partition);
        let files = group.ok_or_else(|| internal_datafusion_err!("no partition {partition}"))?.into_inner();
        let context = Arc::new(in_large_batches(&context));
        let given = MetricBuilder::new(&self.metrics).output_rows(partition);
        let exec = exec.clone();
        // Made when the first file is read: what joins tell the scan is known by then.
        let mut condition = None;
        let rows = stream::iter(files).map(move |file| {
            let condition = condition.get_or_insert_with(|| condition_of(exec.source().ok()?.1));
            self.rows_of(&exec, file, condition.as_ref(), Arc::clone(&context))
        });
        Ok(rows.try_flatten().inspect_ok(move |batch| given.add(batch.num_rows())).boxed())
    }

    /// The rows of a file: from memory where each column is kept; otherwise from the file, to be kept.
    fn rows_of(
        &self,
        exec: &HotExec,
        file: PartitionedFile,
        condition: Option<&PruningPredicate>,
        context: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let name: Arc<str> = file.object_meta.location.as_ref().into();
        let keys: Vec<Key> = self.columns.iter().map(|(_, column)| (Arc::clone(&name), Arc::clone(column))).collect();
        let kept = keys.iter().map(|key| exec.hot.columns.kept.get(key)).collect::<Option<Vec<_>>>();
        if let Some(rows) = kept.and_then(|kept| self.parts(&kept, condition, &exec.schema())) {
            return Ok(stream::iter(rows.into_iter().map(Ok)).boxed());
        }
        let (config, source) = exec.source()?;
        let missing = file.extensions.get::<FileRows>().map(|rows| rows.0);
        let running = read(config, in_file_order(source)?, file, context)?;
        let reading = Reading { hot: Arc::clone(&exec.hot), rows: missing.map(|_| Vec::new()), bytes: 0, missing };
        let rows = stream::try_unfold((running, reading, keys), |(mut running, mut reading, keys)| async move {
            let Some(batch) = running.try_next().await? else {
                reading.keep(keys);
                return Ok(None);
            };
            reading.add(&batch);
            Ok(Some((batch, (running, reading, keys))))
        });
        Ok(rows.boxed())
    }

    /// The parts that can hold rows for the condition. None where the columns do not fit together.
    fn parts(
        &self,
        columns: &[Arc<Kept>],
        condition: Option<&PruningPredicate>,
        schema: &SchemaRef,
    ) -> Option<Vec<RecordBatch>> {
        let first = columns.first()?;
        if columns.iter().any(|column| !column.cuts().eq(first.cuts())) {
            return None;
        }
        let kept = KeptFile { names: &self.columns, columns };
        let met = condition.and_then(|condition| condition.prune(&kept).ok());
        let wanted = (0..first.parts.len()).filter(|part| met.as_ref().is_none_or(|met| met[*part]));
        let batch = |part: usize| {
            let columns = columns.iter().map(|column| Arc::clone(&column.parts[part])).collect();
            RecordBatch::try_new(Arc::clone(schema), columns).ok()
        };
        wanted.map(batch).collect()
    }
}

/// What a scan's condition, as far as it is known now, says of bounds.
fn condition_of(source: &ParquetSource) -> Option<PruningPredicate> {
    let schema = source.table_schema().table_schema();
    let condition = PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema)).try_build(source.filter()?);
    condition.ok().filter(|condition| !condition.always_true())
}

/// What is known of the parts of a file.
struct KeptFile<'a> {
    names: &'a [(String, Arc<str>)],
    columns: &'a [Arc<Kept>],
}

impl KeptFile<'_> {
    fn of(&self, column: &Named) -> Option<&Kept> {
        let place = self.names.iter().position(|(name, _)| *name == column.name)?;
        Some(&self.columns[place])
    }

    fn parts(&self) -> &[ArrayRef] {
        self.columns.first().map_or(&[], |column| &column.parts)
    }
}

impl PruningStatistics for KeptFile<'_> {
    fn min_values(&self, column: &Named) -> Option<ArrayRef> {
        self.of(column)?.bounds.as_ref().map(|[least, _]| Arc::clone(least))
    }

    fn max_values(&self, column: &Named) -> Option<ArrayRef> {
        self.of(column)?.bounds.as_ref().map(|[_, most]| Arc::clone(most))
    }

    fn num_containers(&self) -> usize {
        self.parts().len()
    }

    fn null_counts(&self, column: &Named) -> Option<ArrayRef> {
        let nulls = self.of(column)?.parts.iter().map(|part| part.null_count() as u64);
        Some(Arc::new(nulls.collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.parts().iter().map(|part| part.len() as u64).collect::<UInt64Array>()))
    }

    fn contained(&self, _: &Named, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

/// A scan's source without the order in which a sort above would best have the parts of a file: columns have one order.
fn in_file_order(source: &ParquetSource) -> Result<Arc<dyn FileSource>> {
    let mut plain = ParquetSource::new(source.table_schema().clone())
        .with_table_parquet_options(source.table_parquet_options().clone());
    if let Some(reader) = source.parquet_file_reader_factory() {
        plain = plain.with_parquet_file_reader_factory(Arc::clone(reader));
    }
    if let Some(condition) = source.filter() {
        plain = plain.with_predicate(condition);
    }
    let projected = source.projection().map(|columns| plain.try_pushdown_projection(columns)).transpose()?.flatten();
    projected.ok_or_else(|| internal_datafusion_err!("a scan whose columns cannot be chosen"))
}

/// What a scan of files needs of a context, with batches of [`ROWS`].
fn in_large_batches(context: &TaskContext) -> TaskContext {
    let config = context.session_config().clone().with_batch_size(ROWS);
    let none = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
    TaskContext::new(None, context.session_id(), config, none.0, none.1, none.2, none.3, context.runtime_env())
}

/// The files of each partition, as a whole even where the scan cuts them into ranges.
fn groups(config: &FileScanConfig) -> Vec<FileGroup> {
    let files = || config.file_groups.iter().flat_map(FileGroup::iter);
    if files().all(|file| file.range.is_none()) {
        return config.file_groups.clone();
    }
    let mut seen = HashSet::new();
    let once = files().filter(|file| seen.insert(&file.object_meta.location));
    let whole = once.map(|file| PartitionedFile { range: None, ..file.clone() });
    spread(whole.collect(), config.file_groups.len())
}

/// A file on its way through, whose columns are to be kept.
struct Reading {
    hot: Arc<Hot>,
    /// None where there is no room for them.
    rows: Option<Vec<RecordBatch>>,
    bytes: u64,
    /// Rows of the file that have not come.
    missing: Option<u64>,
}

impl Reading {
    fn add(&mut self, batch: &RecordBatch) {
        let Some(rows) = &mut self.rows else { return };
        rows.push(batch.clone());
        self.missing = self.missing.and_then(|missing| missing.checked_sub(batch.num_rows() as u64));
        let size = bytes(batch.columns().iter());
        self.bytes += size;
        // Files that are read at the same time need no more than a quarter of the room again.
        let columns = &self.hot.columns;
        if columns.underway.fetch_add(size, Ordering::Relaxed) + size > columns.kept.capacity() / 4 {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.rows = None;
        self.hot.columns.underway.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }

    /// The scan has come to the file's end. Where it left out a part, a row is missing.
    fn keep(&mut self, keys: Vec<Key>) {
        let Some(rows) = self.rows.take().filter(|_| self.missing == Some(0)) else { return };
        for (place, key) in keys.into_iter().enumerate() {
            let parts = rows.iter().map(|batch| Arc::clone(batch.column(place))).collect();
            self.hot.columns.kept.insert(key, Arc::new(Kept::of(parts)));
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.give_up();
    }
}
