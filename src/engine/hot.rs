//! Small files stay in memory, decoded.
//!
//! A rollup or a dimension has a few thousand rows, is read by nearly every statement, and reading it is mostly decoding.
//! [`keep`] puts one operator in place of a scan of few and small files: it decodes the wanted columns of a file once, and
//! statements after it take the rows from memory. A file's name is never used twice, so nothing kept is ever wrong; what
//! is not asked for any more gives way. Which files a statement may read is decided before: the operator reads those of
//! the scan that it stands for.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{cast, concat, concat_batches, interleave_record_batch, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, UInt16Type};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::{Column, lit};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{DynamicFilterTracking, PhysicalExpr, split_conjunction};
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

/// Bytes of all files of a scan that is taken from memory.
const SMALL: u64 = 8 << 20;
/// Rows handed on at a time.
const ROWS: usize = 8192;

/// Decoded rows by file and columns.
pub(super) struct Hot(Cache<Key, Arc<Kept>, Bytes>);

type Key = (Arc<str>, Arc<str>);

/// The rows of a file.
#[derive(Debug)]
struct Kept {
    /// [`ROWS`] in each but the last, and no buffer shared: an operator that counts what it holds counts it once.
    rows: Vec<RecordBatch>,
    /// Of each column with few values.
    codes: Vec<Option<Codes>>,
}

/// A column as numbers of its values, so that a condition is decided once per value.
#[derive(Debug)]
struct Codes {
    /// The different values, null as the last.
    values: ArrayRef,
    /// The number of each row's value.
    codes: Vec<u16>,
    /// Where the rows of each value begin in `rows`, and where the last end.
    starts: Vec<u32>,
    /// Rows by value.
    rows: Vec<u32>,
}

impl Codes {
    /// None for a column of many values, or of a type that is not compared by value.
    fn of(column: &ArrayRef) -> Option<Self> {
        let kind = column.data_type();
        if !matches!(kind, DataType::Utf8 | DataType::Int64 | DataType::Int32 | DataType::Date32) {
            return None;
        }
        let coded = cast(column, &DataType::Dictionary(Box::new(DataType::UInt16), Box::new(kind.clone()))).ok()?;
        let coded = coded.as_dictionary_opt::<UInt16Type>()?;
        let values = concat(&[coded.values().as_ref(), new_null_array(kind, 1).as_ref()]).ok()?;
        let null = u16::try_from(values.len() - 1).ok()?;
        let codes: Vec<u16> = coded.keys().iter().map(|code| code.unwrap_or(null)).collect();
        let mut starts = vec![0_u32; values.len() + 1];
        codes.iter().for_each(|code| starts[usize::from(*code) + 1] += 1);
        (1..starts.len()).for_each(|code| starts[code] += starts[code - 1]);
        let (mut next, mut rows) = (starts.clone(), vec![0; codes.len()]);
        for (row, code) in (0..).zip(&codes) {
            let place = &mut next[usize::from(*code)];
            rows[*place as usize] = row;
            *place += 1;
        }
        Some(Self { values, codes, starts, rows })
    }

    fn bytes(&self) -> usize {
        self.values.get_array_memory_size() + 2 * self.codes.len() + 4 * (self.rows.len() + self.starts.len())
    }

    /// Which values meet a condition; none where it fails on one. That may stand in no row which meets the others.
    fn decide(&self, condition: &Arc<dyn PhysicalExpr>) -> Option<Decided<'_>> {
        let field = Field::new("value", self.values.data_type().clone(), true);
        let values = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![Arc::clone(&self.values)]).ok()?;
        let met = condition.evaluate(&values).and_then(|met| met.into_array(values.num_rows())).ok()?;
        let met: Vec<bool> = met.as_boolean_opt()?.iter().map(|met| met == Some(true)).collect();
        let spans = met.iter().zip(self.starts.windows(2)).filter(|(met, _)| **met);
        let rows = spans.map(|(_, span)| span[1] - span[0]).sum();
        Some(Decided { codes: self, met, rows })
    }
}

/// A condition, decided for each value of a column.
struct Decided<'a> {
    codes: &'a Codes,
    met: Vec<bool>,
    /// Rows that meet it.
    rows: u32,
}

impl Decided<'_> {
    fn meets(&self, row: u32) -> bool {
        self.met[usize::from(self.codes.codes[row as usize])]
    }
}

#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<Key, Arc<Kept>> for Bytes {
    fn weight(&self, (file, columns): &Key, kept: &Arc<Kept>) -> u64 {
        let codes: usize = kept.codes.iter().flatten().map(Codes::bytes).sum();
        let rows: usize = kept.rows.iter().map(RecordBatch::get_array_memory_size).sum();
        (rows + codes + file.len() + columns.len() + 64) as u64
    }
}

impl Hot {
    /// Room for `bytes` of decoded rows; none keeps nothing.
    pub(super) fn new(bytes: u64) -> Self {
        // Shards divide the room, and a file that does not fit into one would be read for nothing each time.
        let options = OptionsBuilder::new().estimated_items_capacity(4096).weight_capacity(bytes).shards(1).build();
        let options = options.expect("both capacities are set");
        Self(Cache::with_options(options, Bytes, DefaultHashBuilder::default(), DefaultLifecycle::default()))
    }
}

/// Puts an operator that reads from memory in place of each scan of few and small files.
pub(super) fn keep(plan: Arc<dyn ExecutionPlan>, hot: &Arc<Hot>) -> Result<Arc<dyn ExecutionPlan>> {
    if hot.0.capacity() == 0 {
        return Ok(plan);
    }
    let kept = plan.transform_down(|node| match HotExec::of(&node, hot) {
        // The scan stays below as what it stands for, and is not looked at again.
        Some(exec) => Ok(Transformed::new(Arc::new(exec) as Arc<dyn ExecutionPlan>, true, TreeNodeRecursion::Jump)),
        None => Ok(Transformed::no(node)),
    })?;
    Ok(kept.data)
}

/// Whether an operator reads from memory.
pub(super) fn is_hot(node: &Arc<dyn ExecutionPlan>) -> bool {
    node.is::<HotExec>()
}

/// The operator.
#[derive(Clone)]
struct HotExec {
    scan: Arc<dyn ExecutionPlan>,
    hot: Arc<Hot>,
    /// The scan's output columns, in words.
    columns: Arc<str>,
    /// Conditions of the scan on one of its output columns, each over a batch of that column alone. What is above checks
    /// all of them again.
    conditions: Arc<[(usize, Arc<dyn PhysicalExpr>)]>,
    properties: Arc<PlanProperties>,
}

impl HotExec {
    fn of(node: &Arc<dyn ExecutionPlan>, hot: &Arc<Hot>) -> Option<Self> {
        let (config, source) = scan_of(node)?;
        let files = || config.file_groups.iter().flat_map(FileGroup::iter);
        let whole = config.limit.is_none() && files().all(|file| file.range.is_none());
        if !whole || files().map(|file| file.object_meta.size).sum::<u64>() > SMALL {
            return None;
        }
        let columns = format!("{:?} {:?}", node.schema().fields(), source.projection());
        Some(Self {
            scan: Arc::clone(node),
            hot: Arc::clone(hot),
            columns: columns.into(),
            conditions: conditions(source).into(),
            properties: Arc::clone(node.properties()),
        })
    }

    /// All rows of a file, in the scan's columns.
    async fn kept(&self, file: PartitionedFile, context: Arc<TaskContext>) -> Result<Arc<Kept>> {
        let key = (Arc::from(file.object_meta.location.as_ref()), Arc::clone(&self.columns));
        let read = async {
            let (config, source) =
                scan_of(&self.scan).ok_or_else(|| internal_datafusion_err!("a scan of another kind"))?;
            // All of them: the next statement has other conditions.
            let all = source.with_predicate(lit(true));
            let config = FileScanConfigBuilder::from(config.clone())
                .with_source(Arc::new(all))
                .with_file_groups(vec![FileGroup::new(vec![file])])
                .build();
            let running = DataSourceExec::from_data_source(config).execute(0, context)?;
            let rows = concat_batches(&self.schema(), &running.try_collect::<Vec<_>>().await?)?;
            let codes = rows.columns().iter().map(Codes::of).collect();
            let rows = parts(rows.num_rows()).map(|part| copied(&rows, part)).collect::<Result<_>>()?;
            Ok::<_, DataFusionError>(Arc::new(Kept { rows, codes }))
        };
        self.hot.0.get_or_insert_async(&key, read).await
    }

    /// The rows of a file that meet the conditions, as far as these are decided by value.
    fn rows(&self, kept: &Kept) -> Result<Vec<RecordBatch>> {
        let decided = self.conditions.iter().filter_map(|(column, condition)| {
            let codes = kept.codes.get(*column)?.as_ref()?;
            codes.decide(condition)
        });
        let mut decided: Vec<Decided<'_>> =
            decided.filter(|decided| (decided.rows as usize) < decided.codes.codes.len()).collect();
        decided.sort_by_key(|decided| decided.rows);
        let Some((first, others)) = decided.split_first() else { return Ok(kept.rows.clone()) };
        let spans = first.met.iter().zip(first.codes.starts.windows(2)).filter(|(met, _)| **met);
        let rows = spans.flat_map(|(_, span)| &first.codes.rows[span[0] as usize..span[1] as usize]).copied();
        let mut rows: Vec<u32> = rows.filter(|row| others.iter().all(|other| other.meets(*row))).collect();
        rows.sort_unstable();
        let all: Vec<&RecordBatch> = kept.rows.iter().collect();
        let places: Vec<(usize, usize)> =
            rows.into_iter().map(|row| (row as usize / ROWS, row as usize % ROWS)).collect();
        places.chunks(ROWS).map(|places| Ok(interleave_record_batch(&all, places)?)).collect()
    }
}

/// First row and number of rows of each part of so many.
fn parts(rows: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).step_by(ROWS).map(move |start| (start, ROWS.min(rows - start)))
}

/// Some rows in buffers of their own.
fn copied(rows: &RecordBatch, (start, length): (usize, usize)) -> Result<RecordBatch> {
    if rows.num_columns() == 0 {
        return Ok(rows.slice(start, length));
    }
    let indices: UInt32Array = (start..start + length).map(|row| row as u32).collect::<Vec<_>>().into();
    Ok(take_record_batch(rows, &indices)?)
}

/// The conjuncts of a scan's predicate that follow from one output column alone and from nothing that is still to come.
fn conditions(source: &ParquetSource) -> Vec<(usize, Arc<dyn PhysicalExpr>)> {
    let (Some(predicate), Some(projection)) = (source.filter(), source.projection()) else { return Vec::new() };
    let output = |column: &Column| {
        projection.iter().position(|output| output.expr.downcast_ref::<Column>().is_some_and(|own| own == column))
    };
    let single = |condition: &&Arc<dyn PhysicalExpr>| {
        let columns = collect_columns(condition);
        let mut columns = columns.iter();
        let (Some(column), None) = (columns.next(), columns.next()) else { return None };
        let at = output(column)?;
        if DynamicFilterTracking::classify(condition).contains_dynamic_filter() || is_volatile(condition) {
            return None;
        }
        let alone = Arc::clone(condition).transform(|part| {
            Ok(match part.downcast_ref::<Column>() {
                Some(_) => Transformed::yes(Arc::new(Column::new("value", 0)) as Arc<dyn PhysicalExpr>),
                None => Transformed::no(part),
            })
        });
        Some((at, alone.ok()?.data))
    };
    split_conjunction(&predicate).iter().filter_map(single).collect()
}

fn scan_of(node: &Arc<dyn ExecutionPlan>) -> Option<(&FileScanConfig, &ParquetSource)> {
    let config = node.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()?;
    Some((config, config.file_source().downcast_ref::<ParquetSource>()?))
}

impl fmt::Debug for HotExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HotExec").field("scan", &self.scan).finish_non_exhaustive()
    }
}

impl DisplayAs for HotExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HotExec")
    }
}

impl ExecutionPlan for HotExec {
    fn name(&self) -> &'static str {
        "HotExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.scan]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let scan = children.into_iter().next().ok_or_else(|| internal_datafusion_err!("no scan to stand for"))?;
        Ok(Arc::new(Self { scan, ..Self::clone(&self) }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let files = scan_of(&self.scan).and_then(|(config, _)| config.file_groups.get(partition));
        let files = files.ok_or_else(|| internal_datafusion_err!("no partition {partition}"))?.clone().into_inner();
        let own = self.clone();
        let rows = stream::iter(files).then(move |file| {
            let (own, context) = (own.clone(), Arc::clone(&context));
            async move { own.rows(&*own.kept(file, context).await?) }
        });
        let rows = rows.map_ok(|rows| stream::iter(rows.into_iter().map(Ok))).try_flatten();
        Ok(Box::pin(cooperative(RecordBatchStreamAdapter::new(self.schema(), rows.boxed()))))
    }
}

#[cfg(test)]
mod tests;
