//! Facts meet their dimensions in one pass.
//!
//! A chain of hash joins hands every row that meets one dimension to the next as part of a new batch, in the order in which
//! the joins were written. [`fuse`] puts one operator in place of such a chain. It reads the dimensions first, each cut by
//! its own conditions, which gives exact sets of keys; files and row groups of the facts are skipped by them. Then a batch
//! of facts is tested against each set, a bit per row, the set that lets through the fewest rows first; only rows that are
//! in all of them are copied, once, and labels are attached to full batches of those.
//!
//! It takes integer and date keys that are dense and unique. Whether they are is known when the dimensions are read: where
//! they are not, the chain runs as it was planned.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::compute::{BatchCoalescer, concat_batches, take};
use arrow::datatypes::{DataType, Date32Type, Field, Int32Type, Int64Type, Schema, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, NullEquality, Result, ScalarValue, internal_datafusion_err};
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, DynamicFilterPhysicalExpr, in_list, lit};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::future::{BoxFuture, FutureExt, Shared};
use futures::{StreamExt, TryStreamExt, stream};

/// A span of keys up to which an array over it is taken however few of them are there; 16 MB.
const SMALL_SPAN: u64 = 4 << 20;
/// Beyond that, one key in as many has to be there.
const SPARSE: u64 = 64;
/// Keys up to which facts are skipped by a list of them; by their bounds beyond.
const LISTED: usize = 200;

/// Puts one operator in place of each chain of joins that can be taken in one pass.
pub(super) fn fuse(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let fused = plan.transform_down(|node| {
        let Some(join) = node.downcast_ref::<HashJoinExec>() else { return Ok(Transformed::no(node)) };
        let chain = Chain::of_join(join);
        Ok(match chain {
            Some(chain) => Transformed::yes(Arc::new(StarExec::new(chain, node)) as Arc<dyn ExecutionPlan>),
            None => Transformed::no(node),
        })
    })?;
    Ok(fused.data)
}

/// Where a column of the result comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Fact(usize),
    Arm(usize, usize),
}

/// A dimension of the star.
#[derive(Debug, Clone)]
struct Arm {
    plan: Arc<dyn ExecutionPlan>,
    /// Its key, among its own columns.
    key: usize,
    /// The facts' column that holds the key.
    on: usize,
    /// Facts without a member are kept.
    outer: bool,
    /// What the scan of the facts is told once the keys are known, and the column it is told of.
    skip: Option<(Arc<DynamicFilterPhysicalExpr>, Arc<dyn PhysicalExpr>)>,
}

/// A chain of joins taken apart.
struct Chain {
    fact: Arc<dyn ExecutionPlan>,
    arms: Vec<Arm>,
    columns: Vec<Source>,
}

impl Chain {
    fn of(node: &Arc<dyn ExecutionPlan>) -> Self {
        let known = match node.downcast_ref::<HashJoinExec>() {
            Some(join) => Self::of_join(join),
            None => match (node.downcast_ref::<ProjectionExec>(), node.downcast_ref::<CooperativeExec>()) {
                (Some(projection), _) => Self::of_projection(projection),
                (_, Some(transparent)) => Some(Self::of(transparent.input())).filter(|chain| !chain.arms.is_empty()),
                _ => None,
            },
        };
        known.unwrap_or_else(|| {
            let columns = (0..node.schema().fields().len()).map(Source::Fact).collect();
            Self { fact: Arc::clone(node), arms: Vec::new(), columns }
        })
    }

    /// The dimension is what a hash join holds in memory: its left side.
    fn of_join(join: &HashJoinExec) -> Option<Self> {
        let outer = match join.join_type() {
            JoinType::Inner => false,
            JoinType::Right => true,
            _ => return None,
        };
        let [(left, right)] = join.on() else { return None };
        let (key, on) = (left.downcast_ref::<Column>()?, right.downcast_ref::<Column>()?);
        let kind = join.left().schema().field(key.index()).data_type().clone();
        let plain = *join.partition_mode() == PartitionMode::CollectLeft
            && join.filter().is_none()
            && join.fetch().is_none()
            && join.null_equality() == NullEquality::NullEqualsNothing
            && matches!(kind, DataType::Int64 | DataType::Int32 | DataType::Date32)
            && join.right().schema().field(on.index()).data_type() == &kind;
        if !plain {
            return None;
        }
        let mut chain = Self::of(join.right());
        let Source::Fact(column) = chain.columns[on.index()] else { return None };
        let number = chain.arms.len();
        chain.arms.push(Arm {
            plan: Arc::clone(join.left()),
            key: key.index(),
            on: column,
            outer,
            skip: join.dynamic_expressions_produced().into_iter().find_map(|filter| {
                let filter = Arc::downcast::<DynamicFilterPhysicalExpr>(filter).ok()?;
                Some((filter, Arc::clone(right)))
            }),
        });
        let own = (0..join.left().schema().fields().len()).map(|column| Source::Arm(number, column));
        let all: Vec<Source> = own.chain(chain.columns).collect();
        chain.columns = match join.projection.as_ref() {
            Some(kept) => kept.iter().map(|index| all[*index]).collect(),
            None => all,
        };
        Some(chain)
    }

    fn of_projection(projection: &ProjectionExec) -> Option<Self> {
        let kept = projection.expr().iter().map(|output| output.expr.downcast_ref::<Column>().map(Column::index));
        let kept = kept.collect::<Option<Vec<_>>>()?;
        let mut chain = Self::of(projection.input());
        chain.columns = kept.into_iter().map(|index| chain.columns[index]).collect();
        Some(chain).filter(|chain| !chain.arms.is_empty())
    }
}

/// The operator.
struct StarExec {
    fact: Arc<dyn ExecutionPlan>,
    arms: Vec<Arm>,
    columns: Arc<[Source]>,
    /// The chain that it stands for.
    chain: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    /// The dimensions, read once for all partitions.
    dimensions: OnceLock<Reading>,
}

impl StarExec {
    fn new(Chain { fact, arms, columns }: Chain, chain: Arc<dyn ExecutionPlan>) -> Self {
        let properties = Arc::clone(chain.properties());
        Self { fact, arms, columns: columns.into(), chain, properties, dimensions: OnceLock::new() }
    }
}

impl fmt::Debug for StarExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StarExec").field("arms", &self.arms).field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl DisplayAs for StarExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StarExec: dimensions={}", self.arms.len())
    }
}

impl ExecutionPlan for StarExec {
    fn name(&self) -> &'static str {
        "StarExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        std::iter::once(&self.fact).chain(self.arms.iter().map(|arm| &arm.plan)).collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let mut children = children.into_iter();
        let fact = children.next().ok_or_else(|| internal_datafusion_err!("a star without facts"))?;
        let arms = self.arms.iter().zip(children).map(|(arm, plan)| Arm { plan, ..arm.clone() }).collect();
        let chain = Chain { fact, arms, columns: self.columns.to_vec() };
        Ok(Arc::new(Self::new(chain, Arc::clone(&self.chain))))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let dimensions = self
            .dimensions
            .get_or_init(|| read(self.arms.clone(), Arc::clone(&self.chain), Arc::clone(&context)).boxed().shared());
        let dimensions = dimensions.clone();
        let fact = Arc::clone(&self.fact);
        let (columns, schema) = (Arc::clone(&self.columns), self.schema());
        let rows = async move {
            match dimensions.await.map_err(DataFusionError::Shared)? {
                Dimensions::Other(chain) => chain.execute(partition, context),
                Dimensions::Star(arms) => {
                    let none = arms.iter().any(|arm| !arm.outer && arm.members.num_rows() == 0);
                    let facts = if none { None } else { Some(fact.execute(partition, context)?) };
                    let pass = Pass::new(arms, &columns, &fact.schema(), &schema);
                    let rows = stream::try_unfold((pass, facts), |(mut pass, mut facts)| async move {
                        loop {
                            if let Some(batch) = pass.full.next_completed_batch() {
                                return Ok(Some((pass.finish(&batch)?, (pass, facts))));
                            }
                            let Some(running) = &mut facts else { return Ok(None) };
                            match running.next().await.transpose()? {
                                Some(batch) => pass.push(&batch)?,
                                None => {
                                    facts = None;
                                    pass.full.finish_buffered_batch()?;
                                }
                            }
                        }
                    });
                    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)) as SendableRecordBatchStream)
                }
            }
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows.into_stream().try_flatten())))
    }
}

/// The dimensions on their way; every partition waits for the same.
type Reading = Shared<BoxFuture<'static, std::result::Result<Dimensions, Arc<DataFusionError>>>>;

/// What was read.
#[derive(Clone)]
enum Dimensions {
    Star(Arc<[Members]>),
    /// Some keys are neither dense nor unique: the chain, one for all partitions, because they share out the files of a scan.
    Other(Arc<dyn ExecutionPlan>),
}

/// A dimension in memory.
struct Members {
    on: usize,
    outer: bool,
    members: RecordBatch,
    least: i64,
    /// One bit for each key from the least to the greatest.
    known: Vec<u64>,
    /// Row and one for each key; zero for none.
    rows: Vec<u32>,
    _memory: MemoryReservation,
}

/// Reads all dimensions at once and tells the facts' scans what to skip.
async fn read(
    arms: Vec<Arm>,
    chain: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
) -> std::result::Result<Dimensions, Arc<DataFusionError>> {
    let tasks: Vec<_> =
        arms.iter().map(|arm| SpawnedTask::spawn(Members::read(arm.clone(), Arc::clone(&context)))).collect();
    let mut all = Vec::new();
    for task in tasks {
        let members = task.await.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??;
        all.push(members);
    }
    let Some(all) = all.into_iter().collect::<Option<Vec<_>>>() else {
        // The dimensions' plans have run: what they hold is made anew.
        return Ok(Dimensions::Other(reset_plan_states(chain)?));
    };
    for (arm, members) in arms.iter().zip(&all) {
        if let Some((skip, column)) = &arm.skip {
            if let Some(condition) = members.condition(arm, column)? {
                skip.update(condition)?;
            }
            skip.mark_complete();
        }
    }
    Ok(Dimensions::Star(all.into()))
}

impl Members {
    /// None when the keys are not dense or not unique.
    async fn read(arm: Arm, context: Arc<TaskContext>) -> Result<Option<Self>> {
        let memory = MemoryConsumer::new("dimension").register(context.memory_pool());
        let schema = arm.plan.schema();
        let mut running = arm.plan.execute(0, context)?;
        let mut batches = Vec::new();
        while let Some(batch) = running.next().await.transpose()? {
            // Twice: they are put together below.
            memory.try_grow(2 * batch.get_array_memory_size())?;
            batches.push(batch);
        }
        let members = concat_batches(&schema, &batches)?;
        drop(batches);
        let Some(keys) = Keys::of(members.column(arm.key)) else { return Ok(None) };
        let present = || (0..members.num_rows()).filter_map(|row| keys.get(row).map(|key| (row, key)));
        let (least, greatest) =
            present().fold((i64::MAX, i64::MIN), |(least, most), (_, key)| (key.min(least), key.max(most)));
        // The last place is for keys outside; without any key it is the only one.
        let span = if least > greatest { 0 } else { greatest.abs_diff(least).saturating_add(1) };
        let dense = span <= SMALL_SPAN || span / SPARSE <= members.num_rows() as u64;
        let (true, Ok(places), Ok(_)) = (dense, usize::try_from(span), u32::try_from(members.num_rows())) else {
            return Ok(None);
        };
        memory.try_grow(places * size_of::<u32>() + places / 8)?;
        let mut known = vec![0_u64; places.div_ceil(64)];
        let mut rows = vec![0_u32; places];
        for (row, key) in present() {
            let place = (key - least) as usize;
            if rows[place] != 0 {
                return Ok(None);
            }
            rows[place] = row as u32 + 1;
            known[place / 64] |= 1 << (place % 64);
        }
        Ok(Some(Self { on: arm.on, outer: arm.outer, members, least, known, rows, _memory: memory }))
    }

    /// What the facts' key has to be.
    fn condition(&self, arm: &Arm, column: &Arc<dyn PhysicalExpr>) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let keys = self.members.column(arm.key);
        if keys.is_empty() {
            return Ok(Some(lit(false)));
        }
        let mut values = (0..keys.len()).filter(|row| keys.is_valid(*row));
        if keys.len() - keys.null_count() <= LISTED {
            let list =
                values.map(|row| Ok(lit(ScalarValue::try_from_array(keys, row)?))).collect::<Result<Vec<_>>>()?;
            let field = Field::new("key", keys.data_type().clone(), true);
            let schema = Schema::new(vec![field; 1 + column.downcast_ref::<Column>().map_or(0, Column::index)]);
            return in_list(Arc::clone(column), list, &false, &schema).map(Some);
        }
        let Some(first) = values.next() else { return Ok(None) };
        let bound = |pick: fn(&Keys<'_>, usize, usize) -> bool| -> Result<Arc<dyn PhysicalExpr>> {
            let list = Keys::of(keys).ok_or_else(|| internal_datafusion_err!("keys of another type"))?;
            let all = (0..keys.len()).filter(|row| keys.is_valid(*row));
            let best = all.fold(first, |best, row| if pick(&list, row, best) { row } else { best });
            Ok(lit(ScalarValue::try_from_array(keys, best)?))
        };
        let least = bound(|keys, row, best| keys.get(row) < keys.get(best))?;
        let greatest = bound(|keys, row, best| keys.get(row) > keys.get(best))?;
        let above = Arc::new(BinaryExpr::new(Arc::clone(column), Operator::GtEq, least));
        let below = Arc::new(BinaryExpr::new(Arc::clone(column), Operator::LtEq, greatest));
        Ok(Some(Arc::new(BinaryExpr::new(above, Operator::And, below))))
    }

    fn place(&self, key: i64) -> usize {
        // A key below the least wraps around to a large number.
        usize::try_from(key.wrapping_sub(self.least) as u64).unwrap_or(usize::MAX)
    }

    fn has(&self, key: i64) -> bool {
        let place = self.place(key);
        self.known.get(place / 64).is_some_and(|bits| bits >> (place % 64) & 1 == 1)
    }

    /// Row of a key, and one; zero for none.
    fn row(&self, key: i64) -> u32 {
        self.rows.get(self.place(key)).copied().unwrap_or(0)
    }
}

/// A column of keys.
struct Keys<'a> {
    values: Values<'a>,
    nulls: Option<&'a NullBuffer>,
}

enum Values<'a> {
    Long(&'a [i64]),
    Short(&'a [i32]),
}

impl<'a> Keys<'a> {
    fn of(array: &'a ArrayRef) -> Option<Self> {
        let values = match array.data_type() {
            DataType::Int64 => Values::Long(array.as_primitive::<Int64Type>().values()),
            DataType::Int32 => Values::Short(array.as_primitive::<Int32Type>().values()),
            DataType::Date32 => Values::Short(array.as_primitive::<Date32Type>().values()),
            _ => return None,
        };
        Some(Self { values, nulls: array.nulls().filter(|nulls| nulls.null_count() > 0) })
    }

    fn get(&self, row: usize) -> Option<i64> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        Some(match self.values {
            Values::Long(values) => values[row],
            Values::Short(values) => values[row].into(),
        })
    }

    /// Of `rows` (all of them: none) those whose key is known.
    fn retain(&self, members: &Members, rows: Option<Vec<u32>>) -> Vec<u32> {
        match (&self.values, self.nulls) {
            (Values::Long(values), None) => retain(values.len(), rows, |row| members.has(values[row])),
            (Values::Short(values), None) => retain(values.len(), rows, |row| members.has(values[row].into())),
            (Values::Long(values), Some(_)) => {
                retain(values.len(), rows, |row| self.get(row).is_some_and(|key| members.has(key)))
            }
            (Values::Short(values), Some(_)) => {
                retain(values.len(), rows, |row| self.get(row).is_some_and(|key| members.has(key)))
            }
        }
    }
}

/// Without a branch per row: what is kept cannot be foreseen.
fn retain(count: usize, rows: Option<Vec<u32>>, keep: impl Fn(usize) -> bool) -> Vec<u32> {
    let mut kept = 0;
    let mut rows = match rows {
        None => {
            let mut rows = vec![0; count];
            for row in 0..count {
                rows[kept] = row as u32;
                kept += usize::from(keep(row));
            }
            rows
        }
        Some(mut rows) => {
            for at in 0..rows.len() {
                let row = rows[at];
                rows[kept] = row;
                kept += usize::from(keep(row as usize));
            }
            rows
        }
    };
    rows.truncate(kept);
    rows
}

/// One partition's way through the facts.
struct Pass {
    arms: Arc<[Members]>,
    /// Dimensions that cut the facts, with rows tested and rows kept: the fewest kept comes first.
    cuts: Vec<(usize, u64, u64)>,
    /// The facts' columns that are kept, and the dimensions that give columns.
    facts: Vec<usize>,
    labels: Vec<usize>,
    /// Rows that are in all dimensions: the facts' columns, and the row of each dimension that gives columns.
    full: BatchCoalescer,
    columns: Vec<Source>,
    schema: SchemaRef,
}

impl Pass {
    fn new(arms: Arc<[Members]>, columns: &[Source], fact: &SchemaRef, schema: &SchemaRef) -> Self {
        let (mut facts, mut labels) = (Vec::new(), Vec::new());
        for column in columns {
            let (list, number) = match column {
                Source::Fact(column) => (&mut facts, *column),
                Source::Arm(arm, _) => (&mut labels, *arm),
            };
            if !list.contains(&number) {
                list.push(number);
            }
        }
        let mut fields: Vec<Arc<Field>> = facts.iter().map(|column| Arc::clone(&fact.fields()[*column])).collect();
        fields.extend(labels.iter().map(|arm| Arc::new(Field::new(format!("row_{arm}"), DataType::UInt32, true))));
        // So that rows are counted where no column is asked for.
        if fields.is_empty() {
            fields.push(Arc::new(Field::new("row", DataType::UInt32, true)));
        }
        let mut cuts: Vec<_> = (0..arms.len()).filter(|arm| !arms[*arm].outer).map(|arm| (arm, 0, 0)).collect();
        // Until facts have been seen, the share of the keys in their span is the best guess.
        cuts.sort_by_key(|(arm, ..)| 1000 * arms[*arm].members.num_rows() / arms[*arm].rows.len().max(1));
        let full = BatchCoalescer::new(Arc::new(Schema::new(fields)), 8192);
        Self { arms, cuts, facts, labels, full, columns: columns.to_vec(), schema: Arc::clone(schema) }
    }

    /// Takes in one batch of facts.
    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let keys = |arm: &Members| {
            Keys::of(batch.column(arm.on)).ok_or_else(|| internal_datafusion_err!("keys of another type"))
        };
        let mut rows: Option<Vec<u32>> = None;
        for (arm, tested, passed) in &mut self.cuts {
            let before = rows.as_ref().map_or(batch.num_rows(), Vec::len);
            let kept = keys(&self.arms[*arm])?.retain(&self.arms[*arm], rows);
            *tested += before as u64;
            *passed += kept.len() as u64;
            let none = kept.is_empty();
            rows = Some(kept);
            if none {
                break;
            }
        }
        self.cuts.sort_by_key(|(_, tested, passed)| 1_000_000 * passed / (*tested).max(1));
        let rows = rows.filter(|rows| rows.len() < batch.num_rows());
        let count = rows.as_ref().map_or(batch.num_rows(), Vec::len);
        if count == 0 {
            return Ok(());
        }

        let mut columns: Vec<ArrayRef> = Vec::new();
        let mut labels = Vec::new();
        for arm in &self.labels {
            let (arm, keys) = (&self.arms[*arm], keys(&self.arms[*arm])?);
            let at = |n: usize| rows.as_ref().map_or(n, |rows| rows[n] as usize);
            let found: Vec<u32> = (0..count).map(|n| keys.get(at(n)).map_or(0, |key| arm.row(key))).collect();
            let nulls = arm.outer.then(|| NullBuffer::from_iter(found.iter().map(|row| *row > 0)));
            let found: Vec<u32> = found.into_iter().map(|row| row.saturating_sub(1)).collect();
            labels.push(Arc::new(UInt32Array::new(ScalarBuffer::from(found), nulls)) as ArrayRef);
        }
        let rows = rows.map(UInt32Array::from);
        for column in &self.facts {
            columns.push(match &rows {
                Some(rows) => take(batch.column(*column), rows, None)?,
                None => Arc::clone(batch.column(*column)),
            });
        }
        columns.extend(labels);
        if columns.is_empty() {
            columns.push(Arc::new(UInt32Array::from(vec![0; count])));
        }
        Ok(self.full.push_batch(RecordBatch::try_new(self.full.schema(), columns)?)?)
    }

    /// Attaches the dimensions' columns.
    fn finish(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let place = |list: &[usize], number: usize| {
            let place = list.iter().position(|known| *known == number);
            place.ok_or_else(|| internal_datafusion_err!("a column that was not kept"))
        };
        let columns = self.columns.iter().map(|column| match *column {
            Source::Fact(column) => Ok(Arc::clone(batch.column(place(&self.facts, column)?))),
            Source::Arm(arm, column) => {
                let rows = batch.column(self.facts.len() + place(&self.labels, arm)?);
                Ok(take(self.arms[arm].members.column(column), rows, None)?)
            }
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let count = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &count)?)
    }
}

#[cfg(test)]
mod tests;
