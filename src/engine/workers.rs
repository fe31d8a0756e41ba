//! Threads that run plans, apart from those that serve.
//!
//! A plan computes for long between two points where it can be interrupted. On the server's own threads a few such plans
//! would stop every timer, and with it deadlines, health and other readers. So plans run here, each partition in a task of its
//! own, rows cross over a short channel, and whoever drops the receiving end stops the plan: at its next batch, or inside a
//! join that finds no match, where nothing would come up for minutes, at the next chunk of pairs ([`Watched`]).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result as PlanResult, exec_err};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::{Stream, StreamExt};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::hot;
use crate::error::{Error, Result};

/// Batches that a partition finds room for before it makes them: the channel holds so many of each, and as many more. With
/// room for one at a time it would take turns with its reader, and on few cores that costs as much as to pass on the rows.
const ROOM: usize = 2;

/// The threads.
#[derive(Debug)]
pub(super) struct Workers(Option<Runtime>);

impl Workers {
    /// As many threads as plans have partitions; 0 is the number of cores.
    pub(super) fn new(threads: usize) -> Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        if threads > 0 {
            builder.worker_threads(threads);
        }
        let runtime = builder.thread_name("engine").enable_all().build();
        runtime.map(|runtime| Self(Some(runtime))).map_err(|error| Error::internal("cannot start the engine", error))
    }

    /// Starts a plan. Dropping the rows stops it.
    pub(super) fn run(&self, plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> PlanResult<Rows> {
        let Some(runtime) = &self.0 else { return exec_err!("the engine has stopped") };
        let stop = Arc::new(AtomicBool::new(false));
        let plan = interruptible(plan, &stop)?;
        // Whose partitions come together in the end have no need of a channel before this one.
        let (plan, wanted) = match plan.downcast_ref::<CoalescePartitionsExec>() {
            Some(merge) => (Arc::clone(merge.input()), merge.fetch()),
            None => (plan, None),
        };
        let partitions = plan.output_partitioning().partition_count();
        let (sender, receiver) = mpsc::channel(ROOM * (partitions + 1));
        let mut tasks = JoinSet::new();
        for partition in 0..partitions {
            let rows = pass_on(Arc::clone(&plan), partition, Arc::clone(&context), sender.clone());
            tasks.spawn_on(rows, runtime.handle());
        }
        Ok(Rows { receiver, tasks, left: wanted.unwrap_or(usize::MAX), stop, gauge: Gauge(plan) })
    }
}

/// Sends a partition's rows until they end or nobody wants them.
async fn pass_on(
    plan: Arc<dyn ExecutionPlan>,
    partition: usize,
    context: Arc<TaskContext>,
    sender: mpsc::Sender<PlanResult<RecordBatch>>,
) {
    let mut rows = match plan.execute(partition, context) {
        Ok(rows) => rows,
        Err(error) => return drop(sender.send(Err(error)).await),
    };
    while let Ok(room) = sender.reserve_many(ROOM).await {
        for place in room {
            let Some(batch) = rows.next().await else { return };
            let failed = batch.is_err();
            place.send(batch);
            if failed || sender.is_closed() {
                return;
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // What still computes may not be waited for: this can be one of the server's threads.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The rows of a running plan.
#[derive(Debug)]
pub struct Rows {
    receiver: mpsc::Receiver<PlanResult<RecordBatch>>,
    /// One for each partition.
    tasks: JoinSet<()>,
    /// Rows that are wanted still.
    left: usize,
    stop: Arc<AtomicBool>,
    gauge: Gauge,
}

impl Rows {
    /// Tells how far the plan is, also while its rows are read elsewhere.
    pub fn gauge(&self) -> Gauge {
        self.gauge.clone()
    }

    /// What is wanted of a batch.
    fn cut(&mut self, batch: RecordBatch) -> RecordBatch {
        let batch = if batch.num_rows() > self.left { batch.slice(0, self.left) } else { batch };
        self.left -= batch.num_rows();
        batch
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.abort_all();
    }

    /// Why a task has broken off; nothing when all have ended.
    fn poll_broken(&mut self, context: &mut Context<'_>) -> Poll<Option<PlanResult<RecordBatch>>> {
        while let Some(ended) = ready!(self.tasks.poll_join_next(context)) {
            if let Err(error) = ended {
                return Poll::Ready(Some(exec_err!("a plan broke off: {error}")));
            }
        }
        Poll::Ready(None)
    }
}

/// How far a running plan is.
#[derive(Debug, Clone)]
pub struct Gauge(pub(super) Arc<dyn ExecutionPlan>);

impl Gauge {
    /// Rows that its scans of files gave, of those in the files: 0 to 1, `None` where it reads no file. A scan that leaves rows
    /// out by itself ends below 1.
    pub fn done(&self) -> Option<f64> {
        let (mut given, mut all) = (0, 0);
        let _ = self.0.apply(|node| {
            // Small files come from memory, at once and uncounted.
            if hot::is_small(node) {
                return Ok(TreeNodeRecursion::Jump);
            }
            let scan = hot::scan(node).unwrap_or(node);
            if scan.is::<DataSourceExec>()
                && let Ok(statistics) = StatisticsContext::new().compute(scan.as_ref(), &StatisticsArgs::new())
                && let Some(rows) = statistics.num_rows.get_value()
            {
                all += rows;
                given += node.metrics().and_then(|metrics| metrics.output_rows()).unwrap_or(0);
                return Ok(TreeNodeRecursion::Jump);
            }
            Ok(TreeNodeRecursion::Continue)
        });
        (all > 0).then(|| (given as f64 / all as f64).min(1.0))
    }
}

impl Stream for Rows {
    type Item = PlanResult<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.left == 0 {
            self.end();
            return Poll::Ready(None);
        }
        // Before the others' rows: they may wait for what broke off, or go on for long.
        if let Poll::Ready(Some(error)) = self.poll_broken(context) {
            return Poll::Ready(Some(error));
        }
        match ready!(self.receiver.poll_recv(context)) {
            Some(batch) => Poll::Ready(Some(batch.map(|batch| self.cut(batch)))),
            // The plan has ended, or a task has broken off just now, which must not read as an end.
            None => self.poll_broken(context),
        }
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.end();
    }
}

/// The plan with points where it can be stopped after each batch of a join.
pub(super) fn cooperative(plan: Arc<dyn ExecutionPlan>) -> PlanResult<Arc<dyn ExecutionPlan>> {
    let changed = plan.transform_up(|node| {
        Ok(match node.children().len() {
            0 | 1 => Transformed::no(node),
            _ => Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>),
        })
    })?;
    Ok(changed.data)
}

/// The plan with points where it can be stopped within a join that only compares.
fn interruptible(plan: Arc<dyn ExecutionPlan>, stop: &Arc<AtomicBool>) -> PlanResult<Arc<dyn ExecutionPlan>> {
    let changed = plan.transform_up(|node| {
        let Some(join) = node.downcast_ref::<NestedLoopJoinExec>().filter(|join| join.filter().is_some()) else {
            return Ok(Transformed::no(node));
        };
        let filter = join.filter().map(|filter| {
            let inner = Arc::clone(filter.expression());
            let watched = Arc::new(Watched { inner, stop: Arc::clone(stop) });
            JoinFilter::new(watched, filter.column_indices().to_vec(), Arc::clone(filter.schema()))
        });
        let projection = join.projection().as_ref().map(|columns| columns.to_vec());
        let (left, right) = (Arc::clone(join.left()), Arc::clone(join.right()));
        let join = NestedLoopJoinExec::try_new(left, right, filter, join.join_type(), projection)?;
        Ok(Transformed::yes(Arc::new(join) as Arc<dyn ExecutionPlan>))
    })?;
    Ok(changed.data)
}

/// A condition that fails once its statement was stopped.
#[derive(Debug)]
struct Watched {
    inner: Arc<dyn PhysicalExpr>,
    stop: Arc<AtomicBool>,
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PartialEq for Watched {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner) && Arc::ptr_eq(&self.stop, &other.stop)
    }
}

impl Eq for Watched {}

impl Hash for Watched {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl PhysicalExpr for Watched {
    fn data_type(&self, schema: &Schema) -> PlanResult<DataType> {
        self.inner.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> PlanResult<bool> {
        self.inner.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> PlanResult<ColumnarValue> {
        if self.stop.load(Ordering::Relaxed) {
            return exec_err!("the statement was stopped");
        }
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> PlanResult<Arc<dyn PhysicalExpr>> {
        let inner = children.pop().unwrap_or_else(|| Arc::clone(&self.inner));
        Ok(Arc::new(Self { inner, stop: Arc::clone(&self.stop) }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}

#[cfg(test)]
mod tests;
