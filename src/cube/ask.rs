//! The states that one grouping set asks for, over the days it reads, and their plan from a source.
//!
//! A set asks for **states** (sums, counts, bounds, sets of values), each under its own conditions and days. Facts give
//! finished states in one aggregate; a rollup, alone or beside facts, gives parts that are merged by one more aggregate above
//! their union.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::{Column, ScalarValue};
use datafusion::execution::session_state::SessionState;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::{count, count_distinct, max, min, sum};
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, cast, col, lit, when};

use super::days::{self, Feed, Maps, Moved};
use super::measure::{Component, Days, Fold};
use super::navigator::{Fit, Supply};
use super::rewrite::{Chain, internal};
use super::sight::guarded;
use super::view::substitute;
use super::{qualified, relation, rollup};
use crate::engine::{bitmap_build, bitmap_count, bitmap_merge, seen_last};
use crate::error::{Code, Error, Result};

/// What one grouping set asks of its source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Want {
    /// A state of a measure or of an ordinary aggregate.
    State {
        component: Component,
        /// Conditions of the call, over the cube's columns, besides those that went into the date map.
        conditions: Vec<Expr>,
        /// Number of the date map; none for all days.
        map: Option<usize>,
    },
    /// Calendar days of the bucket by a date map.
    Length(usize),
    /// Any other aggregate, over the cube's columns. Only facts can answer it.
    Other(AggregateFunction),
}

/// One grouping set: what the navigator decides on.
pub(super) struct Ask<'a> {
    pub(super) chain: &'a Chain,
    /// Grouping expressions of the set, over the cube's columns.
    pub(super) keys: Vec<&'a Expr>,
    pub(super) wants: Vec<Want>,
    /// Date maps, where a measure depends on days.
    pub(super) maps: Option<Maps>,
    /// The covered days on which its time conditions hold; none when it has no time condition. Of a leaf that reads other
    /// days, those.
    pub(super) days: Option<Vec<bool>>,
    /// Which other days feed which group. Then conditions and keys over time are the map's, and not those of the facts.
    pub(super) moved: Option<Moved>,
}

impl Want {
    /// Whether its state is zero, not null, where there is no row.
    pub(super) fn counts(&self) -> bool {
        matches!(self, Self::State { component: Component { fold: Fold::Rows | Fold::Count | Fold::Distinct, .. }, .. })
    }
}

impl Ask<'_> {
    /// The covered days on which a chain's time conditions hold; none without such conditions, or without covered days.
    pub(super) fn days(chain: &Chain, session: &SessionState) -> Result<Option<Vec<bool>>> {
        let Some(coverage) = &chain.binding.coverage else { return Ok(None) };
        let timed = chain.conditions.iter().filter(|condition| chain.timed(condition) == Some(true));
        match conjunction(timed.cloned()) {
            None => Ok(None),
            Some(condition) => {
                let values = coverage.values(&chain.binding.cube.time_levels(), &[condition], session)?;
                days::truths(&values[0]).map(Some)
            }
        }
    }

    /// First and last day that the question reads; `Some(None)` for no day, `None` where it sets no bound.
    pub(super) fn bounds(&self) -> Option<Option<(i32, i32)>> {
        let (days, coverage) = (self.days.as_ref()?, self.chain.binding.coverage.as_ref()?);
        let day = |row: usize| coverage.days().start + i32::try_from(row).unwrap_or(0);
        let ends = days.iter().position(|inside| *inside).zip(days.iter().rposition(|inside| *inside));
        Some(ends.map(|(first, last)| (day(first), day(last))))
    }

    /// The question's days as a range of the fact's date, by which files are skipped.
    pub(super) fn range(&self) -> Option<Expr> {
        if !self.chain.binding.is_dated() {
            return None; // a fact without a date may meet a time condition too
        }
        let key = super::fact_column(&self.chain.binding.cube.cube.time.as_ref()?.key);
        Some(match self.bounds()? {
            Some((first, last)) => key.between(day(first), day(last)),
            None => lit(false),
        })
    }

    /// Whether the range says all that the time conditions say: then rows need not be asked twice.
    fn is_one_run(&self) -> bool {
        let Some(days) = &self.days else { return false };
        let dated = self.chain.binding.is_dated();
        let inside = days.iter().filter(|inside| **inside).count();
        let ends = days.iter().position(|inside| *inside).zip(days.iter().rposition(|inside| *inside));
        dated && ends.is_none_or(|(first, last)| last - first + 1 == inside)
    }

    /// The states of the set over fact rows, one column each after the keys.
    ///
    /// Without `supplies` the states are finished; with them they have the form in which a rollup supplies its own, to be
    /// merged with those. `feeds` narrows the days that feed other groups than their own.
    pub(super) fn facts(
        &self,
        fact: Arc<dyn TableProvider>,
        only: Option<Expr>,
        supplies: Option<&[Supply]>,
        feeds: Option<&[Feed]>,
    ) -> Result<LogicalPlan> {
        let chain = self.chain;
        let base = |expr: &Expr| chain.base(expr.clone()).map_err(internal);
        let said = self.moved.is_some() || self.is_one_run() && only.is_some();
        let asked = chain.conditions.iter().filter(|condition| !said || chain.timed(condition) != Some(true));
        let mut conditions = asked.map(base).collect::<Result<Vec<_>>>()?;
        conditions.extend(only);
        let mut group = Vec::new();
        for (n, key) in self.keys.iter().enumerate() {
            let of_map = self.moved.is_some() && chain.timed(key) == Some(true);
            let value = if of_map { days::column(days::group_column(n)) } else { base(key)? };
            group.push(value.alias(key_name(n)));
        }
        let mut aggregates = Vec::new();
        for (n, want) in self.wants.iter().enumerate() {
            if let Some(Supply::Member(_)) = supplies.map(|supplies| &supplies[n]) {
                // Counted above the union: the value itself is a key of the part.
                let Want::State { component, conditions, .. } = want else { continue };
                let value = component.input.clone().unwrap_or_else(|| lit(true));
                let gate = conjunction(conditions.iter().map(base).collect::<Result<Vec<_>>>()?);
                group.push(gated(value, gate)?.alias(state_name(n)));
            } else {
                aggregates.push(self.aggregate(want, supplies.is_some())?.alias(state_name(n)));
            }
        }
        // Without keys and calls (a subtotal of a DISTINCT) one row stands for whatever there is.
        if group.is_empty() && aggregates.is_empty() {
            aggregates.push(count(lit(1)).alias("__rows"));
        }
        let days = match &self.moved {
            Some(moved) => {
                let table = feeds.map_or_else(|| moved.table(&moved.feeds()), |feeds| moved.table(feeds))?;
                Some((table, JoinType::Inner))
            }
            None => self.maps.as_ref().map(Maps::table).transpose()?.map(|table| (table, JoinType::Left)),
        };
        let used = conditions.iter().chain(&group).chain(&aggregates);
        let mut plan = chain.binding.source(fact, used, days).map_err(internal)?;
        plan = guarded(plan, chain.binding.policy.as_ref(), conditions).map_err(internal)?;
        let plan = plan.aggregate(group, aggregates).map_err(internal)?;
        // One order of columns, whichever of them are keys of the part.
        let columns = (0..self.keys.len()).map(key_name).chain((0..self.wants.len()).map(state_name));
        let columns: Vec<Expr> = columns.map(|name| col(Column::new_unqualified(name))).collect();
        if columns.is_empty() {
            return plan.build().map_err(internal);
        }
        plan.project(columns).and_then(LogicalPlanBuilder::build).map_err(internal)
    }

    /// A state as an aggregate over fact rows.
    fn aggregate(&self, want: &Want, to_merge: bool) -> Result<Expr> {
        let base = |expr: &Expr| self.chain.base(expr.clone()).map_err(internal);
        let (component, conditions, map) = match want {
            Want::Length(n) => return Ok(max(days::column(days::length_column(*n)))),
            Want::Other(AggregateFunction { func, params }) => {
                let order_by = params.order_by.iter();
                return Ok(Expr::AggregateFunction(AggregateFunction {
                    func: Arc::clone(func),
                    params: AggregateFunctionParams {
                        args: params.args.iter().map(base).collect::<Result<_>>()?,
                        distinct: params.distinct,
                        filter: params.filter.as_deref().map(base).transpose()?.map(Box::new),
                        order_by: order_by
                            .map(|sort| Ok(sort.with_expr(base(&sort.expr)?)))
                            .collect::<Result<Vec<_>>>()?,
                        null_treatment: params.null_treatment,
                    },
                }));
            }
            Want::State { component, conditions, map } => (component, conditions, *map),
        };
        let filters = conditions.iter().map(base).collect::<Result<Vec<_>>>()?;
        Ok(component_aggregate(component, filters, map, to_merge))
    }

    /// The states of the set from a rollup, and from facts for what it does not hold, merged.
    pub(super) fn merged(&self, fit: &Fit<'_>) -> Result<LogicalPlan> {
        let chain = self.chain;
        let scans = &chain.binding.scans;
        // Its types are those of the answer without rollups; a part of it runs only where facts are needed.
        let supplies = Some(fit.supplies.as_slice());
        let pattern = self.facts(Arc::clone(&chain.binding.fact), None, supplies, None)?;
        let types: Vec<DataType> = pattern.schema().fields().iter().map(|field| field.data_type().clone()).collect();

        let stored = scans.table(Arc::clone(&fit.rollup.fresh), None)?;
        let mut parts = vec![self.stored(fit, stored, &types)?];
        if !fit.rollup.facts_stale.files.is_empty() {
            let fact = scans.table(Arc::clone(&fit.rollup.facts_stale), None)?;
            parts.push(self.facts(fact, self.range(), supplies, None)?);
        }
        if let Some(days) = fit.days_of_facts(chain) {
            let fact = scans.table(Arc::clone(&fit.rollup.facts_fresh), None)?;
            parts.push(self.facts(fact, Some(days), supplies, fit.feeds())?);
        }
        let mut parts = parts.into_iter();
        let first = parts.next().ok_or_else(|| Error::new(Code::Internal, "an answer without parts"))?;
        let united = parts.try_fold(first, |all, next| {
            LogicalPlanBuilder::from(all).union(next).and_then(LogicalPlanBuilder::build).map_err(internal)
        })?;

        let state = |n: usize| col(Column::new_unqualified(state_name(n)));
        let group: Vec<Expr> = (0..self.keys.len()).map(|n| col(Column::new_unqualified(key_name(n)))).collect();
        let mut merges = Vec::new();
        let mut outputs = group.clone();
        for (n, (want, supply)) in self.wants.iter().zip(&fit.supplies).enumerate() {
            let fold = match want {
                Want::State { component, .. } => component.fold,
                Want::Length(_) | Want::Other(_) => Fold::Max,
            };
            merges.push(match (fold, supply) {
                (Fold::Distinct, Supply::Member(_)) => count_distinct(state(n)),
                (Fold::Distinct, _) => bitmap_merge(state(n)),
                (Fold::Rows | Fold::Count | Fold::Sum, _) => sum(state(n)),
                (Fold::Min, _) => min(state(n)),
                (Fold::Max, _) => max(state(n)),
                (Fold::Last, _) => seen_last(state(n)),
            });
            let kind = types[self.keys.len() + n].clone();
            let merged = col(Column::new_unqualified(merge_name(n)));
            outputs.push(
                match (fold, supply) {
                    (Fold::Distinct, Supply::Member(_)) => merged,
                    (Fold::Distinct, _) => bitmap_count(merged),
                    (Fold::Rows | Fold::Count, _) => coalesce(vec![merged, lit(0_i64)]),
                    _ => cast(merged, kind),
                }
                .alias(state_name(n)),
            );
        }
        let mut merges: Vec<Expr> = merges.into_iter().enumerate().map(|(n, call)| call.alias(merge_name(n))).collect();
        if group.is_empty() && merges.is_empty() {
            merges.push(count(lit(1)).alias("__rows"));
            return LogicalPlanBuilder::from(united)
                .aggregate(group, merges)
                .and_then(LogicalPlanBuilder::build)
                .map_err(internal);
        }
        LogicalPlanBuilder::from(united)
            .aggregate(group, merges)
            .and_then(|plan| plan.project(outputs))
            .and_then(LogicalPlanBuilder::build)
            .map_err(internal)
    }

    /// The part that a rollup's rows give: keys and states in the types of the answer from facts.
    fn stored(&self, fit: &Fit<'_>, table: Arc<dyn TableProvider>, types: &[DataType]) -> Result<LogicalPlan> {
        let binding = &self.chain.binding;
        let mut plan = relation(rollup::ALIAS, table).map_err(internal)?;
        for index in &fit.joins {
            let (join, provider) = (&binding.cube.joins[*index], &binding.dimensions[*index]);
            let right =
                relation(&join.alias, Arc::clone(provider)).and_then(LogicalPlanBuilder::build).map_err(internal)?;
            let on = (
                vec![qualified(rollup::ALIAS, rollup::key_column(&join.on))],
                vec![qualified(&join.alias, join.dimension.key.value.clone())],
            );
            plan = plan.join(right, JoinType::Left, on, None).map_err(internal)?;
        }
        let mut conditions = fit.conditions.clone();
        let period = fit.one_period()?;
        if let Some(period) = &period {
            conditions.push(rollup::bucket().eq(lit(period[rollup::BUCKET].clone())));
        } else if let Some(buckets) = fit.buckets()? {
            let right = relation(rollup::BUCKETS, buckets).and_then(LogicalPlanBuilder::build).map_err(internal)?;
            let on = (vec![qualified(rollup::ALIAS, rollup::BUCKET)], vec![qualified(rollup::BUCKETS, rollup::BUCKET)]);
            plan = plan.join(right, JoinType::Inner, on, None).map_err(internal)?;
        }
        // What is asked of the periods, where there is one: as good as a join with it, and planned sooner.
        let of_period = |expr: &Expr| match &period {
            None => Ok(expr.clone()),
            Some(period) => substitute(expr.clone(), &|column: &Column| {
                let of_periods = column.relation.as_ref().is_some_and(|of| of.table() == rollup::BUCKETS);
                of_periods.then(|| lit(period[column.name.as_str()].clone()))
            })
            .map_err(internal),
        };
        let conditions = conditions.iter().map(of_period).collect::<Result<Vec<_>>>()?;
        plan = guarded(plan, fit.policy.as_ref(), conditions).map_err(internal)?;
        let mut outputs = Vec::new();
        for (n, key) in fit.keys.iter().enumerate() {
            outputs.push(cast(of_period(key)?, types[n].clone()).alias(key_name(n)));
        }
        for (n, supply) in fit.supplies.iter().enumerate() {
            let kind = types[self.keys.len() + n].clone();
            outputs.push(cast(of_period(supply.value())?, kind).alias(state_name(n)));
        }
        if outputs.is_empty() {
            outputs.push(lit(1_i64).alias("__rows"));
        }
        plan.project(outputs).and_then(LogicalPlanBuilder::build).map_err(internal)
    }
}

/// A state as an aggregate over fact rows, under its conditions and date map; `to_merge` gives sets in place of their sizes.
pub(super) fn component_aggregate(
    component: &Component,
    mut filters: Vec<Expr>,
    map: Option<usize>,
    to_merge: bool,
) -> Expr {
    let mut input = component.input.clone().unwrap_or_else(|| lit(1_i64));
    match (component.days, map) {
        (Days::Close, Some(n)) => filters.push(days::column(days::close_column(n))),
        (Days::Daily { weighted }, Some(n)) => {
            let weight = days::column(days::weight_column(n));
            filters.push(weight.clone().gt(lit(0_i64)));
            if weighted {
                input = input * weight;
            }
        }
        (Days::Closed, Some(n)) => filters.push(days::column(days::weight_column(n)).gt(lit(0_i64))),
        _ => {}
    }
    let call = match component.fold {
        Fold::Rows | Fold::Count => count(input),
        Fold::Sum => sum(input),
        Fold::Min => min(input),
        Fold::Max => max(input),
        Fold::Last => seen_last(input),
        Fold::Distinct if to_merge => bitmap_build(cast(input, DataType::Int64)),
        Fold::Distinct => count_distinct(input),
    };
    filtered(call, conjunction(filters))
}

/// `value` where `gate` holds, else null.
pub(super) fn gated(value: Expr, gate: Option<Expr>) -> Result<Expr> {
    match gate {
        None => Ok(value),
        Some(gate) => when(gate, value).end().map_err(internal),
    }
}

/// A call under a condition. Set directly: the planner's own builder would forget that a call counts distinct values.
pub(super) fn filtered(call: Expr, filter: Option<Expr>) -> Expr {
    match call {
        Expr::AggregateFunction(mut function) => {
            function.params.filter = filter.map(Box::new);
            Expr::AggregateFunction(function)
        }
        other => other,
    }
}

fn day(days: i32) -> Expr {
    lit(ScalarValue::Date32(Some(days)))
}

pub(super) fn key_name(n: usize) -> String {
    format!("__key_{n}")
}

pub(super) fn state_name(n: usize) -> String {
    format!("__state_{n}")
}

pub(super) fn merge_name(n: usize) -> String {
    format!("__merge_{n}")
}
