//! What a reader may not see stays below: no condition or expression of a statement is evaluated on rows under a barrier.
//!
//! A filter by right beside a filter of the statement is none: both become one conjunction, in an order that cost decides, and
//! `CAST(account AS BIGINT) > 0` fails with the value of a hidden row. So rows that are cut by right come through a node that
//! the logical rules push nothing through, and whose physical form hands rows on and nothing down.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchemaRef, Result, internal_datafusion_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use super::small_groups;

/// Puts a plan behind a barrier.
pub fn barrier(input: LogicalPlan) -> LogicalPlan {
    LogicalPlan::Extension(Extension { node: Arc::new(Barrier { input }) })
}

/// Whether an operator is one.
pub fn is_barrier(node: &Arc<dyn ExecutionPlan>) -> bool {
    node.is::<BarrierExec>()
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Hash)]
struct Barrier {
    input: LogicalPlan,
}

/// What the node says by default is what it is for: no column's condition may pass, and no limit.
impl UserDefinedLogicalNodeCore for Barrier {
    fn name(&self) -> &'static str {
        "Barrier"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Barrier")
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let input = inputs.into_iter().next().ok_or_else(|| internal_datafusion_err!("a barrier before nothing"))?;
        Ok(Self { input })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.to_vec()])
    }
}

/// Plans statements with the nodes that are ours.
#[derive(Debug)]
pub(super) struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Self)]).create_physical_plan(plan, session).await
    }
}

#[async_trait]
impl ExtensionPlanner for Planner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        match (node.as_any().downcast_ref::<Barrier>(), inputs) {
            (Some(_), [input]) => Ok(Some(Arc::new(BarrierExec { input: Arc::clone(input) }))),
            _ => Ok(node.as_any().downcast_ref::<small_groups::Node>().map(|node| node.physical(inputs))),
        }
    }
}

/// Hands rows on. Filters, limits and projections stop here, because it takes none of the engine's offers to pass them down,
/// and it tells nothing of how many rows lie below.
#[derive(Debug)]
struct BarrierExec {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for BarrierExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BarrierExec")
    }
}

impl ExecutionPlan for BarrierExec {
    fn name(&self) -> &'static str {
        "BarrierExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.into_iter().next().ok_or_else(|| internal_datafusion_err!("a barrier before nothing"))?;
        Ok(Arc::new(Self { input }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{LogicalPlanBuilder, cast, col, lit};
    use datafusion::physical_plan::{collect, displayable};

    use super::barrier;

    #[tokio::test]
    async fn no_condition_limit_or_join_reaches_the_rows_below() {
        let session = super::super::builder().build();
        let rows = "SELECT * FROM (VALUES ('1', 1), ('x', 2), ('3', 1)) AS t (text, owner)";
        let rows = LogicalPlanBuilder::from(session.create_logical_plan(rows).await.unwrap());
        let fails = cast(col("text"), arrow::datatypes::DataType::Int64).gt(lit(0_i64));
        let own = col("owner").eq(lit(1_i64));
        let plain = rows.clone().filter(own.clone()).unwrap().filter(fails.clone()).unwrap().build().unwrap();
        let guarded = barrier(rows.filter(own).unwrap().build().unwrap());
        let guarded = LogicalPlanBuilder::from(guarded).filter(fails).unwrap().project([col("owner")]).unwrap();
        let run = async |plan| {
            let plan = session.create_physical_plan(&plan).await.unwrap();
            let text = displayable(plan.as_ref()).indent(false).to_string();
            collect(plan, session.task_ctx())
                .await
                .map(|rows| (text, rows.iter().map(|rows| rows.num_rows()).sum::<usize>()))
        };
        assert!(run(plain).await.is_err(), "both conditions became one");
        let (text, count) = run(guarded.build().unwrap()).await.unwrap();
        assert_eq!(count, 2);
        // Conditions are named by what they are about: the text above, the owner below.
        let (above, below) = text.split_once("BarrierExec").unwrap_or_else(|| panic!("{text}"));
        assert!(above.contains("FilterExec: CAST(") && !above.contains("= 1"), "{text}");
        assert!(below.contains("FilterExec") && below.contains("= 1") && !below.contains("CAST("), "{text}");
    }
}
