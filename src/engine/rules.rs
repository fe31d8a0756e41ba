//! The engine's optimizer, with one of its rules held back where it changes an answer.
//!
//! A condition without columns (`false`, or what became of `NULL < 8`) counts as one on the grouping keys, and is pushed below
//! the aggregate. Below an aggregate without keys it empties the input, and a row with a count of zero comes out where there is
//! none: `SELECT n FROM (SELECT COUNT(*) AS n, NULL AS p FROM t) AS s WHERE p < 8`.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::optimizer::{ApplyOrder, Optimizer};
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

type Rule = Arc<dyn OptimizerRule + Send + Sync>;

/// The rules in their order.
pub(super) fn rules() -> Vec<Rule> {
    let held = |rule: Rule| match rule.name() == PushDownFilter::new().name() {
        true => Arc::new(AboveTotals(PushDownFilter::new())) as Rule,
        false => rule,
    };
    Optimizer::new().rules.into_iter().map(held).collect()
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

    use super::rules;

    #[tokio::test]
    async fn a_condition_that_is_never_met_gives_no_row_of_totals() {
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
        for (sql, rows) in [(null, 0), (no, 0), (sets, 0), (yes, 1)] {
            assert_eq!(ask(&never, sql).await, rows, "{sql}");
        }
        // When this fails the engine has mended it, and the rule can go.
        assert_eq!(ask(&session, null).await, 1, "DataFusion pushes constants below totals no more");
    }
}
