//! Small files: all rows of a file in the columns of a scan.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{cast, concat, concat_batches, interleave_record_batch, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, UInt16Type};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileSource, ParquetSource};
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::expressions::{Column, lit};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{DynamicFilterTracking, PhysicalExpr, split_conjunction};
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_plan::ExecutionPlan;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::{HotExec, Key, read, scan_of};

/// Bytes of all files of a scan that is taken from memory.
const SMALL: u64 = 8 << 20;
/// Rows handed on at a time.
const ROWS: usize = 8192;

/// Decoded rows by file and columns.
pub(super) type Files = Cache<Key, Arc<Kept>, Bytes>;

/// The rows of a file.
#[derive(Debug)]
pub(super) struct Kept {
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
pub(super) struct Bytes;

impl Weighter<Key, Arc<Kept>> for Bytes {
    fn weight(&self, (file, columns): &Key, kept: &Arc<Kept>) -> u64 {
        let codes: usize = kept.codes.iter().flatten().map(Codes::bytes).sum();
        let rows: usize = kept.rows.iter().map(RecordBatch::get_array_memory_size).sum();
        (rows + codes + file.len() + columns.len() + 64) as u64
    }
}

/// What a scan of small files wants.
#[derive(Clone)]
pub(super) struct Small {
    /// The scan's output columns, in words.
    columns: Arc<str>,
    /// Conditions of the scan on one of its output columns, each over a batch of that column alone. What is above checks
    /// all of them again.
    conditions: Arc<[(usize, Arc<dyn PhysicalExpr>)]>,
}

impl Small {
    pub(super) fn of(scan: &Arc<dyn ExecutionPlan>) -> Option<Self> {
        let (config, source) = scan_of(scan)?;
        let files = || config.file_groups.iter().flat_map(FileGroup::iter);
        let whole = config.limit.is_none() && files().all(|file| file.range.is_none());
        if !whole || files().map(|file| file.object_meta.size).sum::<u64>() > SMALL {
            return None;
        }
        let columns = format!("{:?} {:?}", scan.schema().fields(), source.projection());
        Some(Self { columns: columns.into(), conditions: conditions(source).into() })
    }

    /// The rows of a partition.
    pub(super) fn rows(
        self,
        exec: &HotExec,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let files = exec.source()?.0.file_groups.get(partition);
        let files = files.ok_or_else(|| internal_datafusion_err!("no partition {partition}"))?.clone().into_inner();
        let exec = exec.clone();
        let rows = stream::iter(files).then(move |file| {
            let (own, exec, context) = (self.clone(), exec.clone(), Arc::clone(&context));
            async move { own.select(&*own.kept(&exec, file, context).await?) }
        });
        Ok(rows.map_ok(|rows| stream::iter(rows.into_iter().map(Ok))).try_flatten().boxed())
    }

    /// All rows of a file, in the scan's columns.
    async fn kept(&self, exec: &HotExec, file: PartitionedFile, context: Arc<TaskContext>) -> Result<Arc<Kept>> {
        let key = (Arc::from(file.object_meta.location.as_ref()), Arc::clone(&self.columns));
        let read = async {
            let (config, source) = exec.source()?;
            // All of them: the next statement has other conditions.
            let all = Arc::new(source.with_predicate(lit(true)));
            let rows: Vec<RecordBatch> = read(config, all, file, context)?.try_collect().await?;
            let rows = concat_batches(&exec.schema(), &rows)?;
            let codes = rows.columns().iter().map(Codes::of).collect();
            let rows = parts(rows.num_rows()).map(|part| copied(&rows, part)).collect::<Result<_>>()?;
            Ok::<_, DataFusionError>(Arc::new(Kept { rows, codes }))
        };
        exec.hot.small.get_or_insert_async(&key, read).await
    }

    /// The rows of a file that meet the conditions, as far as these are decided by value.
    fn select(&self, kept: &Kept) -> Result<Vec<RecordBatch>> {
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
