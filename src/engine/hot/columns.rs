//! Columns of large files. They are kept one by one, so statements that want other columns share what they have in common.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder};

use super::*;
use crate::engine::scan::spread;

/// Rows handed on at a time: eight numbers of each are a message of Flight, which then needs no copy.
const ROWS: usize = 16_384;
/// What a value without a fixed width is taken to need before it is read, bytes.
const TEXT: usize = 24;

/// Decoded columns by file and column.
pub(super) struct Columns {
    kept: Cache<Key, Parts, Bytes>,
    /// Bytes of columns whose file is being read.
    underway: AtomicU64,
}

/// A column of a file, cut where the reader cut it: at the same rows in each column.
type Parts = Arc<[ArrayRef]>;

#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<Key, Parts> for Bytes {
    fn weight(&self, (file, column): &Key, parts: &Parts) -> u64 {
        bytes(parts.iter()) + (file.len() + column.len() + 64) as u64
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

/// What a scan of whole files wants.
#[derive(Clone)]
pub(super) struct Wanted {
    /// The scan's output columns, each in words.
    columns: Arc<[Arc<str>]>,
    /// Counts the rows.
    pub(super) metrics: ExecutionPlanMetricsSet,
}

impl Wanted {
    /// None for a scan that may leave out parts of files, whose rows have an order, or whose rows would find no room.
    pub(super) fn of(scan: &Arc<dyn ExecutionPlan>, columns: &Columns) -> Option<Self> {
        let (config, source) = scan_of(scan)?;
        let fields = scan.schema();
        let fields = fields.fields();
        let rows = *config.statistics().num_rows.get_value()?;
        let width = fields.iter().map(|field| field.data_type().primitive_width().unwrap_or(TEXT)).sum::<usize>();
        let room = fields.len() > 0 && rows.saturating_mul(width) as u64 <= columns.kept.capacity();
        let ordered =
            config.preserve_order || !config.output_ordering.is_empty() || config.output_partitioning.is_some();
        let whole = config.limit.is_none_or(|limit| limit >= rows) && reads_all(config, source);
        if !room || ordered || !whole || files(config).len() < config.file_groups.len() {
            return None;
        }
        let column = |(output, field): (&ProjectionExpr, &FieldRef)| {
            let column = output.expr.downcast_ref::<Column>()?;
            Some(Arc::from(format!("{} {:?} {}", column.name(), field.data_type(), field.is_nullable())))
        };
        let columns = source.projection()?.iter().zip(fields).map(column).collect::<Option<_>>()?;
        Some(Self { columns, metrics: ExecutionPlanMetricsSet::new() })
    }

    /// The rows of a partition, whose files are read as a whole even where the scan cuts them into ranges.
    pub(super) fn rows(
        self,
        exec: &HotExec,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let (config, _) = scan_of(&exec.scan).ok_or_else(|| internal_datafusion_err!("a scan of another kind"))?;
        let group = spread(files(config), config.file_groups.len()).into_iter().nth(partition);
        let files = group.ok_or_else(|| internal_datafusion_err!("no partition {partition}"))?.into_inner();
        let context = Arc::new(in_large_batches(&context));
        let given = MetricBuilder::new(&self.metrics).output_rows(partition);
        let exec = exec.clone();
        let rows = stream::iter(files).map(move |file| self.rows_of(&exec, file, Arc::clone(&context)));
        Ok(rows.try_flatten().inspect_ok(move |batch| given.add(batch.num_rows())).boxed())
    }

    /// All rows of a file: from memory where each column is kept; otherwise from the file, and its columns are kept.
    fn rows_of(
        &self,
        exec: &HotExec,
        file: PartitionedFile,
        context: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let keys =
            self.columns.iter().map(|column| (Arc::from(file.object_meta.location.as_ref()), Arc::clone(column)));
        let keys: Vec<Key> = keys.collect();
        if let Some(rows) = kept(&exec.hot.columns, &keys, &exec.schema()) {
            return Ok(stream::iter(rows.into_iter().map(Ok)).boxed());
        }
        let running = read(&exec.scan, file, context)?;
        let reading = Reading { hot: Arc::clone(&exec.hot), rows: Some(Vec::new()), bytes: 0 };
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
}

/// What a scan of files needs of a context, with batches of [`ROWS`].
fn in_large_batches(context: &TaskContext) -> TaskContext {
    let config = context.session_config().clone().with_batch_size(ROWS);
    let none = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
    TaskContext::new(None, context.session_id(), config, none.0, none.1, none.2, none.3, context.runtime_env())
}

/// The rows of a file, where all of its columns are kept.
fn kept(columns: &Columns, keys: &[Key], schema: &SchemaRef) -> Option<Vec<RecordBatch>> {
    let columns: Vec<Parts> = keys.iter().map(|key| columns.kept.get(key)).collect::<Option<_>>()?;
    let parts = columns.first().map(|first| first.len())?;
    if columns.iter().any(|column| column.len() != parts) {
        return None;
    }
    let batch = |part: usize| {
        let columns = columns.iter().map(|column| column.get(part).cloned()).collect::<Option<_>>()?;
        RecordBatch::try_new(Arc::clone(schema), columns).ok()
    };
    (0..parts).map(batch).collect()
}

/// Whether a scan has no condition but on what all rows of a file share.
fn reads_all(config: &FileScanConfig, source: &ParquetSource) -> bool {
    let shared = |column: &Column| config.table_partition_cols().iter().any(|field| field.name() == column.name());
    source.filter().is_none_or(|condition| {
        !DynamicFilterTracking::classify(&condition).contains_dynamic_filter()
            && collect_columns(&condition).iter().all(shared)
    })
}

/// The files of a scan, each once and whole.
fn files(config: &FileScanConfig) -> Vec<PartitionedFile> {
    let files = config.file_groups.iter().flat_map(FileGroup::iter);
    let whole = files.map(|file| (&file.object_meta.location, PartitionedFile { range: None, ..file.clone() }));
    whole.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// A file on its way through, whose columns are to be kept.
struct Reading {
    hot: Arc<Hot>,
    /// None where there is no room for them.
    rows: Option<Vec<RecordBatch>>,
    bytes: u64,
}

impl Reading {
    fn add(&mut self, batch: &RecordBatch) {
        let Some(rows) = &mut self.rows else { return };
        rows.push(batch.clone());
        let size = bytes(batch.columns().iter());
        self.bytes += size;
        // Files that are read at the same time need no more than a quarter of the room again.
        let columns = &self.hot.columns;
        if columns.underway.fetch_add(size, Ordering::Relaxed) + size > columns.kept.capacity() / 4 {
            self.rows = None;
        }
    }

    /// The file has been read to its end.
    fn keep(&mut self, keys: Vec<Key>) {
        let Some(rows) = self.rows.take() else { return };
        for (place, key) in keys.into_iter().enumerate() {
            self.hot.columns.kept.insert(key, rows.iter().map(|batch| Arc::clone(batch.column(place))).collect());
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.hot.columns.underway.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
