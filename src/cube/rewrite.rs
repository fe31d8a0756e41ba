//! From an aggregate over a cube's view to the plan that the measures' definitions ask for.
//!
//! It runs on the plan as the SQL planner made it, before any optimisation: later the planner rewrites date functions and
//! drops keys pinned by equality, and a condition would no longer be readable. Each aggregate whose input is a chain of
//! projections, filters and aliases over one cube leaf is brought into a **normal form** (keys, conditions, calls, all
//! over the cube's own columns) and planned anew from it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DataFusionError, Result as PlanResult, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::execution::session_state::SessionState;
use datafusion::functions_aggregate::expr_fn::{count, count_distinct, max, min, sum};
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams, Alias};
use datafusion::logical_expr::utils::{conjunction, grouping_set_to_exprlist, split_conjunction_owned};
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder, TableScan, cast, col, lit,
};

use super::days::{self, DayMap};
use super::view::{Rows, cube_of, substitute};
use super::{Binding, CompiledMeasure, LEAF, measure};
use crate::engine::ratio;
use crate::error::{Code, Error, Result};
use crate::model::cube::{State, TimeRule};
use crate::model::table;
use crate::warehouse::arrow_type;

/// Rows that a statement without an aggregate may ask a cube for.
#[derive(Debug, Clone, Copy)]
pub struct DetailLimit(pub usize);

/// Replaces every cube leaf of a plan. `detail` bounds previews (`SELECT * FROM deposits LIMIT 10`).
pub fn rewrite(plan: LogicalPlan, session: &SessionState, detail: DetailLimit) -> Result<LogicalPlan> {
    let rewritten = plan
        .transform_up_with_subqueries(|node| {
            let replaced = match &node {
                LogicalPlan::Aggregate(aggregate) => aggregate_over_cube(aggregate, session).map_err(external)?,
                LogicalPlan::Distinct(Distinct::All(input)) => distinct_over_cube(input, session).map_err(external)?,
                _ => None,
            };
            match replaced {
                Some(plan) => Ok(Transformed::yes(plan)),
                // A child may have changed its types (money keeps its declared type), so schemas are computed again.
                None => Ok(Transformed::yes(node.recompute_schema()?)),
            }
        })
        .map_err(internal)?
        .data;
    rows_without_aggregate(rewritten, detail)
}

/// Wraps our error for the way through the planner.
fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Takes our error out again; anything else is the planner's own word about the statement.
pub(super) fn internal(error: DataFusionError) -> Error {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(error) => *error,
            Err(other) => Error::internal("planning failed", other),
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => internal(*inner),
        other => Error::new(Code::SqlPlan, other.strip_backtrace()),
    }
}

/// A chain of projections, filters and aliases over one cube leaf.
struct Chain {
    binding: Binding,
    /// The chain's output columns over the cube's columns, by position.
    outputs: Vec<Expr>,
    /// Conditions over the cube's columns.
    conditions: Vec<Expr>,
}

/// Reads a chain; `None` when the plan is not one.
fn chain(plan: &LogicalPlan) -> PlanResult<Option<Chain>> {
    match plan {
        LogicalPlan::TableScan(TableScan { source, projected_schema, filters, fetch: None, .. }) => {
            let Some(binding) = cube_of(source) else { return Ok(None) };
            let outputs = projected_schema
                .fields()
                .iter()
                .map(|field| Expr::Column(Column::new(Some(LEAF), field.name())))
                .collect();
            let mut chain = Chain { binding, outputs, conditions: Vec::new() };
            chain.conditions =
                filters.iter().map(|filter| chain.over_leaf(filter, projected_schema)).collect::<PlanResult<_>>()?;
            Ok(Some(chain))
        }
        LogicalPlan::SubqueryAlias(alias) => chain(&alias.input),
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => chain(&sort.input),
        LogicalPlan::Projection(projection) => {
            let Some(mut inner) = chain(&projection.input)? else { return Ok(None) };
            let schema = projection.input.schema();
            inner.outputs = projection
                .expr
                .iter()
                .map(|expr| inner.over_leaf(&unaliased(expr.clone()), schema))
                .collect::<PlanResult<_>>()?;
            Ok(Some(inner))
        }
        LogicalPlan::Filter(filter) => {
            let Some(mut inner) = chain(&filter.input)? else { return Ok(None) };
            let condition = inner.over_leaf(&filter.predicate, filter.input.schema())?;
            inner.conditions.extend(split_conjunction_owned(condition));
            Ok(Some(inner))
        }
        _ => Ok(None),
    }
}

fn unaliased(expr: Expr) -> Expr {
    match expr {
        Expr::Alias(Alias { expr, .. }) => unaliased(*expr),
        other => other,
    }
}

impl Chain {
    /// An expression over the chain's output, with its columns replaced by expressions over the cube's columns.
    fn over_leaf(&self, expr: &Expr, schema: &DFSchema) -> PlanResult<Expr> {
        substitute(expr.clone(), &|column: &Column| {
            schema.maybe_index_of_column(column).map(|index| self.outputs[index].clone())
        })
    }

    fn measure(&self, expr: &Expr) -> Option<&CompiledMeasure> {
        match expr {
            Expr::Column(column) if is_leaf(column) => self.binding.cube.measure(&column.name),
            _ => None,
        }
    }

    /// The first measure that an expression uses.
    fn measure_in(&self, expr: &Expr) -> Option<&CompiledMeasure> {
        let mut found = None;
        let _ = expr.apply(|node| {
            found = found.or_else(|| self.measure(node));
            Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        });
        found
    }

    /// An expression over the cube's columns as one over the fact and its dimensions. Additive measures stand for their
    /// value in the row.
    fn base(&self, expr: Expr) -> PlanResult<Expr> {
        let cube = &self.binding.cube;
        substitute(expr, &|column: &Column| {
            if !is_leaf(column) {
                return None;
            }
            cube.member(&column.name)
                .map(|member| member.base.clone())
                .or_else(|| cube.measure(&column.name).and_then(CompiledMeasure::row_value).cloned())
        })
    }

    /// Whether an expression is over time levels only (`Some(true)`), free of them (`Some(false)`), or mixes both.
    fn timed(&self, expr: &Expr) -> Option<bool> {
        let levels = self.binding.cube.time_levels();
        let (mut time, mut other) = (false, false);
        let _ = expr.apply(|node| {
            match node {
                Expr::Column(column) if levels.iter().any(|(name, _)| *name == column.name) => time = true,
                Expr::Column(_) | Expr::OuterReferenceColumn(..) => other = true,
                Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) => other = true,
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        });
        match (time, other) {
            (true, true) => None,
            (time, _) => Some(time),
        }
    }
}

fn is_leaf(column: &Column) -> bool {
    column.relation.as_ref().is_some_and(|relation| relation.table() == LEAF)
}

/// One aggregate call of the statement.
enum Call<'a> {
    /// An ordinary aggregate over levels, rows, or the row values of additive measures.
    Plain(AggregateFunction),
    /// A measure under its own aggregate, with the call's own conditions.
    Measure { measure: &'a CompiledMeasure, conditions: Vec<Expr> },
}

/// Reads a call over the chain.
fn call<'a>(chain: &'a Chain, expr: &Expr, schema: &DFSchema) -> Result<Call<'a>> {
    let Expr::AggregateFunction(AggregateFunction { func, params }) = expr else {
        return Err(Error::new(Code::SqlPlan, format!("`{expr}` is not an aggregate")));
    };
    let over = |expr: &Expr| chain.over_leaf(expr, schema).map_err(internal);
    let arguments = params.args.iter().map(over).collect::<Result<Vec<_>>>()?;
    let mut conditions = match &params.filter {
        Some(filter) => split_conjunction_owned(over(filter)?),
        None => Vec::new(),
    };
    if let Some(measure) = conditions.iter().find_map(|condition| chain.measure_in(condition)) {
        return Err(measure_in_where(chain, measure));
    }
    let name = func.name();
    let by_name = name == "measure";
    // `SUM(CASE WHEN p THEN m END)` is the measure under one more condition.
    let (subject, otherwise) = match arguments.as_slice() {
        [Expr::Case(case)] if case.expr.is_none() && case.when_then_expr.len() == 1 => {
            let (when, then) = &case.when_then_expr[0];
            match chain.measure(then) {
                Some(_) if chain.measure_in(when).is_none() => {
                    conditions.extend(split_conjunction_owned(when.as_ref().clone()));
                    (Some(then.as_ref()), case.else_expr.as_deref())
                }
                _ => (None, None),
            }
        }
        [one] => (Some(one), None),
        _ => (None, None),
    };
    if let Some(measure) = subject.and_then(|subject| chain.measure(subject)) {
        let typed = if params.distinct { format!("{name} distinct") } else { name.to_owned() };
        let declared = match measure.measure.declared_aggregate() {
            Some("count_distinct") => name == "count" && params.distinct,
            Some(aggregate) => name == aggregate && !params.distinct,
            None => false,
        };
        let zero_fits = match otherwise {
            None => true,
            Some(Expr::Literal(value, _)) if value.is_null() => true,
            Some(Expr::Literal(value, _)) => is_zero(value) && measure.row_value().is_some() && declared,
            Some(_) => false,
        };
        if (by_name || declared) && zero_fits && params.order_by.is_empty() {
            return Ok(Call::Measure { measure, conditions });
        }
        if by_name || params.distinct || measure.row_value().is_none() {
            return Err(measure::wrong_aggregate(&measure.measure, &typed));
        }
    } else if by_name {
        return Err(Error::new(Code::MeasureAggregate, "`MEASURE` and `AGG` take one measure of the cube by its name"));
    }
    for argument in arguments.iter() {
        if let Some(measure) = measures_without_row_value(chain, argument) {
            return Err(measure::wrong_aggregate(&measure.measure, name));
        }
    }
    let order_by = params
        .order_by
        .iter()
        .map(|sort| Ok(sort.with_expr(chain.base(over(&sort.expr)?).map_err(internal)?)))
        .collect::<Result<Vec<_>>>()?;
    let args =
        params.args.iter().map(|argument| chain.base(over(argument)?).map_err(internal)).collect::<Result<_>>()?;
    let filter = match &params.filter {
        Some(filter) => Some(Box::new(chain.base(over(filter)?).map_err(internal)?)),
        None => None,
    };
    Ok(Call::Plain(AggregateFunction {
        func: Arc::clone(func),
        params: AggregateFunctionParams {
            args,
            distinct: params.distinct,
            filter,
            order_by,
            null_treatment: params.null_treatment,
        },
    }))
}

fn is_zero(value: &ScalarValue) -> bool {
    matches!(value, ScalarValue::Int64(Some(0)) | ScalarValue::Decimal128(Some(0), ..))
}

fn measures_without_row_value<'a>(chain: &'a Chain, expr: &Expr) -> Option<&'a CompiledMeasure> {
    let mut found = None;
    let _ = expr.apply(|node| {
        found = found.or_else(|| chain.measure(node).filter(|measure| measure.row_value().is_none()));
        Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    found
}

fn measure_in_where(chain: &Chain, measure: &CompiledMeasure) -> Error {
    let (name, cube) = (measure.measure.name.as_str(), chain.binding.cube.cube.name.as_str());
    let call = measure::call(&measure.measure);
    Error::new(
        Code::MeasureInWhere,
        format!("measure `{name}` is not a row value; use `HAVING {call} > ...`, or the view `{cube}_detail`"),
    )
}

fn measure_below(measure: &CompiledMeasure, place: &str) -> Error {
    let (name, call) = (measure.measure.name.as_str(), measure::call(&measure.measure));
    Error::new(
        Code::MeasureBelow,
        format!("measure `{name}` stands {place}, where it has no value; aggregate it first with `{call}`"),
    )
}

/// `SELECT DISTINCT` over members is a grouping without calls.
fn distinct_over_cube(input: &LogicalPlan, session: &SessionState) -> Result<Option<LogicalPlan>> {
    let Some(chain) = chain(input).map_err(internal)? else { return Ok(None) };
    let keys = chain.outputs.clone();
    let names: Vec<_> =
        input.schema().iter().map(|(relation, field)| (relation.cloned(), field.name().clone())).collect();
    Question { chain: &chain, keys, sets: None, calls: Vec::new(), names }.plan(session).map(Some)
}

fn aggregate_over_cube(aggregate: &Aggregate, session: &SessionState) -> Result<Option<LogicalPlan>> {
    let Some(chain) = chain(&aggregate.input).map_err(internal)? else { return Ok(None) };
    let schema = aggregate.input.schema();
    let over = |expr: &Expr| chain.over_leaf(expr, schema).map_err(internal);
    let distinct_keys = grouping_set_to_exprlist(&aggregate.group_expr).map_err(internal)?;
    let keys = distinct_keys.iter().map(|key| over(key)).collect::<Result<Vec<_>>>()?;
    let sets = match aggregate.group_expr.as_slice() {
        [Expr::GroupingSet(set)] => {
            let position = |expr: &Expr| distinct_keys.iter().position(|key| *key == expr).unwrap_or(0);
            let indices = |exprs: &[Expr]| exprs.iter().map(position).collect::<Vec<_>>();
            Some(match set {
                GroupingSet::Rollup(exprs) => (0..=exprs.len()).rev().map(|n| indices(&exprs[..n])).collect(),
                GroupingSet::Cube(exprs) => (0..1_usize << exprs.len())
                    .rev()
                    .map(|mask| {
                        let chosen = exprs.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0);
                        chosen.map(|(_, expr)| position(expr)).collect()
                    })
                    .collect(),
                GroupingSet::GroupingSets(sets) => sets.iter().map(|set| indices(set)).collect::<Vec<_>>(),
            })
        }
        _ => None,
    };
    let calls =
        aggregate.aggr_expr.iter().map(|expr| call(&chain, &unaliased(expr.clone()), schema)).collect::<Result<_>>()?;
    // The aggregate's own output: its keys, the planner's internal grouping id, then its calls.
    let fields: Vec<_> =
        aggregate.schema.iter().map(|(relation, field)| (relation.cloned(), field.name().clone())).collect();
    let mut names = fields[..keys.len()].to_vec();
    names.extend_from_slice(&fields[fields.len() - aggregate.aggr_expr.len()..]);
    Question { chain: &chain, keys, sets, calls, names }.plan(session).map(Some)
}

/// A statement's aggregate in normal form.
struct Question<'a> {
    chain: &'a Chain,
    /// Grouping expressions over the cube's columns.
    keys: Vec<Expr>,
    /// Grouping sets as positions in `keys`; `None` for one plain grouping.
    sets: Option<Vec<Vec<usize>>>,
    calls: Vec<Call<'a>>,
    /// Qualifier and name of each output: keys, then calls.
    names: Vec<(Option<datafusion::common::TableReference>, String)>,
}

impl Question<'_> {
    fn plan(&self, session: &SessionState) -> Result<LogicalPlan> {
        for condition in &self.chain.conditions {
            if let Some(measure) = self.chain.measure_in(condition) {
                return Err(measure_in_where(self.chain, measure));
            }
        }
        for key in &self.keys {
            if let Some(measure) = self.chain.measure_in(key) {
                return Err(measure_below(measure, "among the grouping columns"));
            }
        }
        let plan = match &self.sets {
            None => self.plan_set(&(0..self.keys.len()).collect::<Vec<_>>(), session)?,
            // The bucket of a balance depends on the set (the year's subtotal closes on the year's last day and is not
            // twelve closes added), so each set is a grouping of its own with its own date map.
            Some(sets) => {
                let mut plans = sets.iter().map(|set| self.plan_set(set, session));
                let first = plans.next().ok_or_else(|| Error::new(Code::SqlPlan, "no grouping set"))??;
                plans.try_fold(first, |all, next| {
                    LogicalPlanBuilder::from(all).union(next?).and_then(LogicalPlanBuilder::build).map_err(internal)
                })?
            }
        };
        let outputs = self.names.iter().enumerate().map(|(index, (relation, name))| {
            col(Column::new_unqualified(output_name(index))).alias_qualified(relation.clone(), name)
        });
        LogicalPlanBuilder::from(plan).project(outputs).and_then(LogicalPlanBuilder::build).map_err(internal)
    }

    /// The plan of one grouping: source, conditions, keys and inputs, aggregate, finished values under their names.
    fn plan_set(&self, set: &[usize], session: &SessionState) -> Result<LogicalPlan> {
        let chain = self.chain;
        let binding = &chain.binding;
        let cube = &binding.cube;
        let needs_days = self.calls.iter().any(
            |call| matches!(call, Call::Measure { measure, .. } if !matches!(measure.measure.time, TimeRule::All)),
        );

        let mut states = States::default();
        let mut finished = Vec::new();
        let mut maps = Vec::new();
        for call in &self.calls {
            finished.push(match call {
                Call::Plain(function) if function.func.name() == "grouping" => self.grouping(function, set)?,
                Call::Plain(function) => states.add(Expr::AggregateFunction(function.clone())),
                Call::Measure { measure, conditions } => self.measure(measure, conditions, &mut states, &mut maps)?,
            });
        }
        let days = if needs_days {
            let levels = cube.time_levels();
            let mut keys = Vec::new();
            for key in set.iter().map(|index| &self.keys[*index]) {
                match chain.timed(key) {
                    Some(true) => keys.push(key.clone()),
                    Some(false) => {}
                    None => {
                        return Err(Error::new(
                            Code::TimeContext,
                            "a balance needs time levels and other columns as separate grouping columns",
                        ));
                    }
                }
            }
            let Some(coverage) = &binding.coverage else {
                return self.nothing(set);
            };
            Some(coverage.maps(&levels, &keys, &maps, session)?)
        } else {
            None
        };

        let base = |expr: &Expr| chain.base(expr.clone()).map_err(internal);
        let mut conditions = chain.conditions.iter().map(base).collect::<Result<Vec<_>>>()?;
        conditions.extend(self.range(session)?);
        let keys = set.iter().map(|index| base(&self.keys[*index])).collect::<Result<Vec<_>>>()?;
        let used = conditions.iter().chain(&keys).chain(&states.calls);
        let mut plan = binding.source(used, days).map_err(internal)?;
        if let Some(condition) = conjunction(conditions) {
            plan = plan.filter(condition).map_err(internal)?;
        }
        let group: Vec<Expr> = keys.into_iter().enumerate().map(|(n, key)| key.alias(key_name(n))).collect();
        let aggregates: Vec<Expr> =
            states.calls.into_iter().enumerate().map(|(n, call)| call.alias(state_name(n))).collect();
        // Without keys and calls (a subtotal of a DISTINCT) one row stands for whatever there is.
        let aggregates =
            if group.is_empty() && aggregates.is_empty() { vec![count(lit(1)).alias("__rows")] } else { aggregates };
        plan = plan.aggregate(group, aggregates).map_err(internal)?;

        let mut outputs = Vec::new();
        for index in 0..self.names.len() {
            let value = match index.checked_sub(self.keys.len()) {
                Some(call) => finished[call].clone(),
                None => match set.iter().position(|key| *key == index) {
                    Some(n) => col(Column::new_unqualified(key_name(n))),
                    None => self.null_key(index)?,
                },
            };
            outputs.push(value.alias(output_name(index)));
        }
        plan.project(outputs).and_then(LogicalPlanBuilder::build).map_err(internal)
    }

    /// Conditions on time levels once more as a range of the fact's date, by which files are skipped. It follows from
    /// them and changes no result.
    fn range(&self, session: &SessionState) -> Result<Option<Expr>> {
        let (chain, cube) = (self.chain, &self.chain.binding.cube);
        let (Some(coverage), Some(time)) = (&chain.binding.coverage, &cube.cube.time) else { return Ok(None) };
        let conditions: Vec<Expr> =
            chain.conditions.iter().filter(|condition| chain.timed(condition) == Some(true)).cloned().collect();
        if conditions.is_empty() {
            return Ok(None);
        }
        let key = super::fact_column(&time.key);
        let day = |days: i32| lit(ScalarValue::Date32(Some(days)));
        Ok(Some(match coverage.range(&cube.time_levels(), conditions, session)? {
            Some((first, last)) => key.between(day(first), day(last)),
            None => lit(false),
        }))
    }

    /// A key that a grouping set leaves out: a null of the key's type.
    fn null_key(&self, index: usize) -> Result<Expr> {
        use datafusion::logical_expr::ExprSchemable;
        let schema = DFSchema::try_from_qualified_schema(LEAF, &self.chain.binding.cube.schema()).map_err(internal)?;
        let kind = self.keys[index].get_type(&schema).map_err(internal)?;
        Ok(cast(lit(ScalarValue::Null), kind))
    }

    /// `GROUPING(a, b)`: one bit for each argument, 1 where the set leaves it out.
    fn grouping(&self, function: &AggregateFunction, set: &[usize]) -> Result<Expr> {
        let mut bits = 0_i32;
        for argument in &function.params.args {
            let position =
                self.keys.iter().position(|key| self.chain.base(key.clone()).is_ok_and(|key| key == *argument));
            let Some(position) = position else {
                return Err(Error::new(Code::SqlPlan, "the argument of `GROUPING` is not a grouping column"));
            };
            bits = bits << 1 | i32::from(!set.contains(&position));
        }
        Ok(lit(bits))
    }

    /// The answer over a cube without any fact: no groups, or one row of empty values.
    fn nothing(&self, set: &[usize]) -> Result<LogicalPlan> {
        let mut outputs = Vec::new();
        for index in 0..self.names.len() {
            let value = match index.checked_sub(self.keys.len()) {
                None => self.null_key(index)?,
                Some(call) => match &self.calls[call] {
                    Call::Measure { measure, .. } => {
                        cast(lit(ScalarValue::Null), arrow_type(measure.measure.data_type))
                    }
                    Call::Plain(_) => lit(0_i64),
                },
            };
            outputs.push(value.alias(output_name(index)));
        }
        LogicalPlanBuilder::empty(set.is_empty()).project(outputs).and_then(LogicalPlanBuilder::build).map_err(internal)
    }

    /// The finished value of a measure over states that are added to `states`.
    fn measure(
        &self,
        compiled: &CompiledMeasure,
        conditions: &[Expr],
        states: &mut States,
        maps: &mut Vec<DayMap>,
    ) -> Result<Expr> {
        let chain = self.chain;
        let measure = &compiled.measure;
        let kind = arrow_type(measure.data_type);
        let mut filters = Vec::new();
        let mut time = Vec::new();
        for condition in conditions {
            if !matches!(measure.time, TimeRule::All) && self.is_time(condition, measure.name.as_str())? {
                time.push(condition.clone());
            } else {
                filters.push(chain.base(condition.clone()).map_err(internal)?);
            }
        }
        let day = |column: String| Expr::Column(Column::new(Some(days::ALIAS), column));
        let mut map = None;
        if !matches!(measure.time, TimeRule::All) {
            for condition in &chain.conditions {
                if self.is_time(condition, measure.name.as_str())? {
                    time.push(condition.clone());
                }
            }
            let weighted = matches!(measure.time, TimeRule::AverageDaily { .. });
            let wanted = DayMap { conditions: time, weighted };
            let n = maps.iter().position(|known| *known == wanted).unwrap_or_else(|| {
                maps.push(wanted);
                maps.len() - 1
            });
            filters.push(if weighted {
                day(days::weight_column(n)).gt(lit(0_i64))
            } else {
                day(days::close_column(n))
            });
            map = Some(n);
        }
        let filter = conjunction(filters);
        let mut state = |call: Expr| -> Expr {
            // Set directly: the planner's own builder would forget that a call counts distinct values.
            let call = match call {
                Expr::AggregateFunction(mut function) => {
                    function.params.filter = filter.clone().map(Box::new);
                    Expr::AggregateFunction(function)
                }
                other => other,
            };
            states.add(call)
        };
        let input = |n: usize| compiled.inputs[n].clone();
        let scale = match measure.data_type {
            table::DataType::Decimal(_, scale) => scale,
            _ => 0,
        };
        let finished = match (&measure.state, &measure.time, map) {
            (State::Sum { .. }, TimeRule::AverageDaily { day_sum }, Some(n)) => {
                let total = match day_sum {
                    Some(_) => sum(input(0)),
                    None => sum(input(0) * day(days::weight_column(n))),
                };
                let total = state(total);
                let length = states.add(max(day(days::length_column(n))));
                ratio(total, length, scale)
            }
            (State::Sum { .. }, ..) => state(sum(input(0))),
            (State::Count { of }, ..) => state(count(if of.is_some() { input(0) } else { lit(1_i64) })),
            (State::Min { .. }, ..) => state(min(input(0))),
            (State::Max { .. }, ..) => state(max(input(0))),
            (State::Distinct { .. }, ..) => state(count_distinct(input(0))),
            (State::Average { .. }, ..) => {
                let (total, rows) = (state(sum(input(0))), state(count(input(0))));
                if kind == DataType::Float64 { cast(total, kind.clone()) / rows } else { ratio(total, rows, scale) }
            }
            (State::Ratio { .. }, ..) => {
                let (top, bottom) = (state(sum(input(0))), state(sum(input(1))));
                if kind == DataType::Float64 {
                    cast(top, kind.clone()) / datafusion::functions::core::expr_fn::nullif(bottom, lit(0_i64))
                } else {
                    ratio(top, bottom, scale)
                }
            }
        };
        Ok(cast(finished, kind))
    }

    /// Whether a condition is about time; an error when it mixes time with something else.
    fn is_time(&self, condition: &Expr, measure: &str) -> Result<bool> {
        self.chain.timed(condition).ok_or_else(|| {
            let subquery = condition
                .exists(|node| Ok(matches!(node, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_))));
            if subquery.unwrap_or(false) {
                return Error::new(
                    Code::TimeContext,
                    format!(
                        "`{measure}` depends on the days of the question, which must be known when it is planned; put a \
                         date or a parameter in place of the sub-select"
                    ),
                );
            }
            Error::new(
                Code::TimeContext,
                format!(
                    "`{measure}` depends on the days of the question, and a condition joins time with another column by \
                     OR; write the time condition as one of its own"
                ),
            )
        })
    }
}

fn key_name(n: usize) -> String {
    format!("__key_{n}")
}

fn output_name(n: usize) -> String {
    format!("__out_{n}")
}

fn state_name(n: usize) -> String {
    format!("__state_{n}")
}

/// The aggregate's states; equal ones are computed once.
#[derive(Default)]
struct States {
    calls: Vec<Expr>,
    known: HashMap<Expr, usize>,
}

impl States {
    /// The column that will hold the state.
    fn add(&mut self, call: Expr) -> Expr {
        let n = *self.known.entry(call.clone()).or_insert_with(|| {
            self.calls.push(call);
            self.calls.len() - 1
        });
        col(Column::new_unqualified(state_name(n)))
    }
}

/// What is left of cube leaves: previews, and members in joins and windows.
fn rows_without_aggregate(plan: LogicalPlan, detail: DetailLimit) -> Result<LogicalPlan> {
    if let Some(limit) = preview(&plan) {
        let limit = limit?;
        if limit.is_none_or(|limit| limit > detail.0) {
            return Err(Error::new(
                Code::DetailLimit,
                format!(
                    "rows of a cube without an aggregate are a preview: add `LIMIT {}` or less, aggregate, or read the \
                     detail view",
                    detail.0
                ),
            ));
        }
        return replace_leaves(plan, Rows::preview).map_err(internal);
    }
    let mut measures = Vec::new();
    let _ = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            measures.extend(cube_of(&scan.source));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    if measures.is_empty() {
        return Ok(plan);
    }
    replace_leaves(plan, Rows::members).map_err(|error| {
        let text = error.strip_backtrace();
        let used = measures.iter().flat_map(|binding| &binding.cube.measures).find(|measure| {
            let name = measure.measure.name.as_str();
            text.contains(&format!(".{name}"))
                || text.contains(&format!("`{name}`"))
                || text.contains(&format!(" {name}"))
        });
        match used {
            Some(measure) => measure_below(measure, "below a join, a window or a set operation"),
            None => internal(error),
        }
    })
}

fn replace_leaves(plan: LogicalPlan, rows: fn(Binding) -> Rows) -> PlanResult<LogicalPlan> {
    let replaced = plan.transform_up_with_subqueries(|node| match &node {
        LogicalPlan::TableScan(scan) => match cube_of(&scan.source) {
            Some(binding) => {
                let source = provider_as_source(Arc::new(rows(binding)));
                let scan = LogicalPlanBuilder::scan(scan.table_name.clone(), source, None)?.build()?;
                Ok(Transformed::yes(scan))
            }
            None => Ok(Transformed::no(node)),
        },
        _ => Ok(Transformed::yes(node.recompute_schema()?)),
    })?;
    Ok(replaced.data)
}

/// For a statement that only previews rows of a cube: its limit, if it has one. `None` for any other statement.
fn preview(plan: &LogicalPlan) -> Option<Result<Option<usize>>> {
    match plan {
        LogicalPlan::Limit(limit) => {
            let inner = preview(&limit.input)?;
            let here = match limit.fetch.as_deref() {
                Some(Expr::Literal(ScalarValue::Int64(Some(rows)), _)) => usize::try_from(*rows).ok(),
                _ => None,
            };
            Some(inner.map(|inner| match (inner, here) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            }))
        }
        LogicalPlan::Sort(sort) => preview(&sort.input),
        LogicalPlan::SubqueryAlias(alias) => preview(&alias.input),
        LogicalPlan::Projection(projection) => preview(&projection.input),
        LogicalPlan::Filter(filter) => {
            let inner = preview(&filter.input)?;
            match chain(&LogicalPlan::Filter(filter.clone())) {
                Ok(Some(chain)) => {
                    let used = chain.conditions.iter().find_map(|condition| chain.measure_in(condition));
                    Some(used.map_or(inner, |measure| Err(measure_in_where(&chain, measure))))
                }
                _ => Some(inner),
            }
        }
        LogicalPlan::TableScan(scan) => cube_of(&scan.source).map(|_| Ok(None)),
        _ => None,
    }
}
