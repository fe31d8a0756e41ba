//! The engine's optimizers: rules held back where they would change an answer, and left out where they gain nothing.
//!
//! The random oracle of the cubes found two changes of an answer by the logical rules.
//!
//! A condition without columns (`false`, or what became of `NULL < 8`) counts as one on the grouping keys, and is pushed below
//! the aggregate. Below an aggregate without keys it empties the input, and a row with a count of zero comes out where there is
//! none: `SELECT n FROM (SELECT COUNT(*) AS n, NULL AS p FROM t) AS s WHERE p < 8`.
//!
//! Lists are put together as if they were sets, and a null in one is forgotten: `a NOT IN (1, NULL) AND a IN (1, 2)`, which is
//! never true, becomes `a IN (2)`. Such lists are written out before.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, lit, when};
use datafusion::optimizer::optimizer::{ApplyOrder, Optimizer};
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::ensure_requirements::EnsureRequirements;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

type Rule = Arc<dyn OptimizerRule + Send + Sync>;
type PhysicalRule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// The rules in their order.
pub(super) fn rules() -> Vec<Rule> {
    let held = |rule: Rule| match rule.name() == PushDownFilter::new().name() {
        true => Arc::new(AboveTotals(PushDownFilter::new())) as Rule,
        false => rule,
    };
    let first = Arc::new(NullsInLists) as Rule;
    std::iter::once(first).chain(Optimizer::new().rules.into_iter().map(held)).collect()
}

/// Of the physical rules, those that gain nothing on one core and few rows: what they look for saves work among cores, or
/// the logical rules have found it. Planning takes longer than running there.
const IDLE: [&str; 9] = [
    "aggregate_statistics",
    "FilterPushdown",
    "WindowTopN",
    "LimitedDistinctAggregation",
    "LimitAggregation",
    "LimitPushPastWindows",
    "HashJoinBuffering",
    "TopKRepartition",
    "PushdownSort",
];

/// The physical rules for one core.
pub(super) fn on_one_core() -> Vec<PhysicalRule> {
    let held = |rule: PhysicalRule| match rule.name() == EnsureRequirements::new().name() {
        true => Arc::new(WhereAsked(EnsureRequirements::new())) as PhysicalRule,
        false => rule,
    };
    PhysicalOptimizer::new().rules.into_iter().filter(|rule| !IDLE.contains(&rule.name())).map(held).collect()
}

/// [`EnsureRequirements`], except for a plan in which one task hands rows to the next and no order is asked for: there is
/// nothing to ensure, and estimating rows to find that takes longer than any other rule.
#[derive(Debug)]
struct WhereAsked(EnsureRequirements);

impl PhysicalOptimizerRule for WhereAsked {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let mut asked = false;
        plan.apply(|node| {
            asked = node.output_partitioning().partition_count() != 1
                || node.required_input_ordering().iter().any(Option::is_some);
            Ok(if asked { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        if asked { self.0.optimize(plan, config) } else { Ok(plan) }
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

/// A null of the statement, as whatever type it was taken.
fn is_null(item: &Expr) -> bool {
    match item {
        Expr::Literal(value, _) => value.is_null(),
        Expr::Cast(cast) => is_null(&cast.expr),
        _ => false,
    }
}

/// `a IN (x, NULL)` is true or null, and its negation false or null.
#[derive(Debug)]
struct NullsInLists;

impl OptimizerRule for NullsInLists {
    fn name(&self) -> &'static str {
        "nulls_in_lists"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        plan.map_expressions(|expr| {
            expr.transform_up(|expr| match expr {
                Expr::InList(InList { expr, list, negated }) if list.iter().any(is_null) => {
                    let list: Vec<Expr> = list.into_iter().filter(|item| !is_null(item)).collect();
                    let found = Expr::InList(InList { expr, list, negated: false });
                    let never = lit(ScalarValue::Boolean(None));
                    when(found, lit(!negated)).otherwise(never).map(Transformed::yes)
                }
                other => Ok(Transformed::no(other)),
            })
        })
    }
}

/// [`PushDownFilter`], except through an aggregate that has a row of totals.
#[derive(Debug)]
struct AboveTotals(PushDownFilter);

impl OptimizerRule for AboveTotals {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        // Filters that stand on each other are taken together.
        let (mut below, mut constant) = (&plan, false);
        while let LogicalPlan::Filter(filter) = below {
            constant |= split_conjunction(&filter.predicate).iter().any(|part| part.column_refs().is_empty());
            below = &filter.input;
        }
        match below {
            LogicalPlan::Aggregate(aggregate) if constant => {
                let totals =
                    |keys: &[Expr]| keys.is_empty() || keys.iter().any(|key| matches!(key, Expr::GroupingSet(_)));
                match totals(&aggregate.group_expr) {
                    true => Ok(Transformed::no(plan)),
                    false => self.0.rewrite(plan, config),
                }
            }
            _ => self.0.rewrite(plan, config),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::physical_plan::collect;

    use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

    use super::{IDLE, on_one_core, rules};

    #[test]
    fn rules_left_out_are_rules() {
        assert_eq!(on_one_core().len(), PhysicalOptimizer::new().rules.len() - IDLE.len());
    }

    #[tokio::test]
    async fn what_is_never_true_gives_no_row() {
        let session = super::super::builder().build();
        let never = super::super::builder().with_optimizer_rules(rules()).build();
        let ask = async |session: &datafusion::execution::session_state::SessionState, sql: &str| {
            let plan = session.create_logical_plan(sql).await.unwrap();
            let rows = collect(session.create_physical_plan(&plan).await.unwrap(), session.task_ctx()).await.unwrap();
            pretty_format_batches(&rows).unwrap().to_string().lines().count().saturating_sub(4)
        };
        let null = "SELECT n FROM (SELECT COUNT(*) AS n, NULL AS p FROM (VALUES (1), (2)) AS t (a)) AS s WHERE p < 8";
        let no =
            "SELECT n FROM (SELECT COUNT(*) AS n, 3 AS p FROM (VALUES (1), (2)) AS t (a)) AS s WHERE p > 8 AND n > 1";
        let sets = "SELECT n FROM (SELECT a, COUNT(*) AS n, NULL AS p FROM (VALUES (1), (2)) AS t (a) GROUP BY ROLLUP (a)) AS s WHERE p < 8";
        let yes = "SELECT n FROM (SELECT COUNT(*) AS n, 3 AS p FROM (VALUES (1), (2)) AS t (a)) AS s WHERE p < 8";
        let list = "SELECT a FROM (VALUES (1), (2)) AS t (a) WHERE a NOT IN (1, NULL) AND a IN (1, 2)";
        let found = "SELECT a FROM (VALUES (1), (2)) AS t (a) WHERE a IN (1, NULL) OR a NOT IN (1, NULL)";
        let nothing = "SELECT a FROM (VALUES (1), (2)) AS t (a) WHERE (a IN (NULL)) IS NULL";
        for (sql, rows) in [(null, 0), (no, 0), (sets, 0), (yes, 1), (list, 0), (found, 1), (nothing, 2)] {
            assert_eq!(ask(&never, sql).await, rows, "{sql}");
        }
        // When one of these fails the engine has mended it, and the rule can go.
        assert_eq!(ask(&session, null).await, 1, "DataFusion pushes constants below totals no more");
        assert_eq!(ask(&session, list).await, 1, "DataFusion knows nulls in lists");
    }
}
