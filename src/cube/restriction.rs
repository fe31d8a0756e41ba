//! A join that only restricts is a condition.
//!
//! A chart of the largest series joins the cube with a query of them (`deposits JOIN (SELECT branch AS b, SUM(balance) AS s
//! FROM deposits GROUP BY branch ORDER BY s DESC LIMIT 10) AS t ON deposits.branch = t.b`, as Superset writes it). Where the
//! other side has each key once and nothing else uses it, this is `branch IN (SELECT b ...)`, which measures allow: each row
//! of the cube is there once or not at all.

use std::sync::Arc;

use datafusion::common::{Column, NullEquality, Result as PlanResult};
use datafusion::logical_expr::expr_fn::in_subquery;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Distinct, Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Operator,
};

use super::rewrite::{chain, unaliased};

/// The aggregate with the condition instead of the join below its filters; `None` where there is no join or it does more.
pub(super) fn of_join(aggregate: &Aggregate) -> PlanResult<Option<Aggregate>> {
    let (mut filters, mut input) = (Vec::new(), aggregate.input.as_ref());
    while let LogicalPlan::Filter(filter) = input {
        filters.push(&filter.predicate);
        input = &filter.input;
    }
    let LogicalPlan::Join(join) = input else { return Ok(None) };
    let Some((key, other)) = keys(join) else { return Ok(None) };
    let mut used = filters.iter().copied().chain(&aggregate.group_expr).chain(&aggregate.aggr_expr);
    let is_of_left = |expr: &Expr| expr.column_refs().into_iter().all(|column| join.left.schema().has_column(column));
    if chain(&join.left)?.is_none()
        || !join.right.schema().maybe_index_of_column(&other).is_some_and(|index| has_once(&join.right, index))
        || !used.all(is_of_left)
    {
        return Ok(None);
    }
    let among = LogicalPlanBuilder::from(join.right.as_ref().clone()).project([Expr::Column(other)])?.build()?;
    let restricted = LogicalPlanBuilder::from(join.left.as_ref().clone());
    let mut restricted = restricted.filter(in_subquery(Expr::Column(key), Arc::new(among)))?;
    for filter in filters.into_iter().rev() {
        restricted = restricted.filter(filter.clone())?;
    }
    let input = Arc::new(restricted.build()?);
    Aggregate::try_new(input, aggregate.group_expr.clone(), aggregate.aggr_expr.clone()).map(Some)
}

/// The columns, left and right, that an inner join is on, when these and no more must be equal.
fn keys(join: &Join) -> Option<(Column, Column)> {
    if join.join_type != JoinType::Inner || join.null_equality != NullEquality::NullEqualsNothing {
        return None;
    }
    let (one, two) = match (join.on.as_slice(), &join.filter) {
        ([(one, two)], None) => (one, two),
        ([], Some(Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }))) => (left.as_ref(), right.as_ref()),
        _ => return None,
    };
    let (Expr::Column(one), Expr::Column(two)) = (one, two) else { return None };
    let is_pair = |one, two| join.left.schema().has_column(one) && join.right.schema().has_column(two);
    let swapped = !is_pair(one, two);
    let (key, other) = if swapped { (two, one) } else { (one, two) };
    is_pair(key, other).then(|| (key.clone(), other.clone()))
}

/// Whether no two rows of a plan have the same in a column: it groups by this column alone.
fn has_once(plan: &LogicalPlan, index: usize) -> bool {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => has_once(&alias.input, index),
        LogicalPlan::Sort(sort) => has_once(&sort.input, index),
        LogicalPlan::Limit(limit) => has_once(&limit.input, index),
        LogicalPlan::Filter(filter) => has_once(&filter.input, index),
        LogicalPlan::Projection(projection) => {
            let Some(Expr::Column(column)) = projection.expr.get(index).cloned().map(unaliased) else { return false };
            let below = projection.input.schema().maybe_index_of_column(&column);
            below.is_some_and(|index| has_once(&projection.input, index))
        }
        LogicalPlan::Aggregate(aggregate) => {
            matches!(aggregate.group_expr.as_slice(), [one] if !matches!(one, Expr::GroupingSet(_))) && index == 0
        }
        LogicalPlan::Distinct(Distinct::All(input)) => input.schema().fields().len() == 1,
        _ => false,
    }
}
