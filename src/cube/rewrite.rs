//! From an aggregate over a cube's view to the plan that the measures' definitions ask for.
//!
//! It runs on the plan as the SQL planner made it, before any optimisation: later the planner rewrites date functions and
//! drops keys pinned by equality, and a condition would no longer be readable. Each aggregate whose input is a chain of
//! projections, filters and aliases over one cube leaf is brought into a **normal form** (keys, conditions, calls, all
//! over the cube's own columns) and planned anew from it.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DataFusionError, Result as PlanResult, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams, Alias};
use datafusion::logical_expr::utils::{grouping_set_to_exprlist, split_conjunction_owned};
use datafusion::logical_expr::{Aggregate, Distinct, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder, TableScan};

use super::measure::Fold;
use super::navigator::Navigation;
use super::question::Question;
use super::view::{Rows, cube_of, substitute};
use super::{Binding, CompiledMeasure, LEAF, disclosure, measure, qualified, restriction};
use crate::error::{Code, Error, Result};

/// Most rows that a statement without an aggregate may ask a cube for; `None`: it may not.
#[derive(Debug, Clone, Copy)]
pub struct DetailLimit(pub Option<usize>);

/// Replaces every cube leaf of a plan. `detail` bounds previews (`SELECT * FROM deposits LIMIT 10`).
/// `navigation` says which rollups may answer, and is told which did.
pub fn rewrite(
    plan: LogicalPlan,
    session: &SessionState,
    detail: DetailLimit,
    navigation: &mut Navigation,
) -> Result<LogicalPlan> {
    let restricted = |node: LogicalPlan| {
        let restricted = match &node {
            LogicalPlan::Aggregate(aggregate) => restriction::of_join(aggregate)?,
            _ => None,
        };
        Ok(restricted.map_or_else(|| Transformed::no(node), |plan| Transformed::yes(LogicalPlan::Aggregate(plan))))
    };
    let planned = |node: LogicalPlan| {
        let replaced = match &node {
            LogicalPlan::Aggregate(aggregate) => {
                aggregate_over_cube(aggregate, session, navigation).map_err(external)?
            }
            LogicalPlan::Distinct(Distinct::All(input)) => {
                distinct_over_cube(input, session, navigation).map_err(external)?
            }
            _ => None,
        };
        match replaced {
            Some(plan) => Ok(Transformed::yes(plan)),
            // A child may have changed its types (money keeps its declared type), so schemas are computed again.
            None => Ok(Transformed::yes(node.recompute_schema()?)),
        }
    };
    let rewritten = plan.transform_down_up_with_subqueries(restricted, planned).map_err(internal)?.data;
    rows_without_aggregate(rewritten, detail, navigation)
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
#[derive(Clone)]
pub(super) struct Chain {
    pub(super) binding: Binding,
    /// The chain's output columns over the cube's columns, by position.
    pub(super) outputs: Vec<Expr>,
    /// Conditions over the cube's columns.
    pub(super) conditions: Vec<Expr>,
}

/// Reads a chain; `None` when the plan is not one.
pub(super) fn chain(plan: &LogicalPlan) -> PlanResult<Option<Chain>> {
    match plan {
        LogicalPlan::TableScan(TableScan { source, projected_schema, filters, fetch: None, .. }) => {
            let Some(binding) = cube_of(source) else { return Ok(None) };
            let outputs =
                projected_schema.fields().iter().map(|field| Expr::Column(qualified(LEAF, field.name()))).collect();
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

pub(super) fn unaliased(expr: Expr) -> Expr {
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
    pub(super) fn measure_in(&self, expr: &Expr) -> Option<&CompiledMeasure> {
        let mut found = None;
        let _ = expr.apply(|node| {
            found = found.or_else(|| self.measure(node));
            Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        });
        found
    }

    /// An expression over the cube's columns as one over the fact and its dimensions. Additive measures stand for their
    /// value in the row.
    pub(super) fn base(&self, expr: Expr) -> PlanResult<Expr> {
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
    pub(super) fn timed(&self, expr: &Expr) -> Option<bool> {
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

/// One aggregate call of the statement; its expressions are over the cube's columns.
pub(super) enum Call<'a> {
    /// `GROUPING(a, b)`.
    Grouping(Vec<Expr>),
    /// An ordinary aggregate over levels, rows or row values that folds as a measure's state does.
    Fold { fold: Fold, input: Option<Expr>, conditions: Vec<Expr> },
    /// Any other ordinary aggregate.
    Other(AggregateFunction),
    /// A measure under its own aggregate, with the call's own conditions. `or_zero`: rows that meet these but not all of
    /// them count as zero (`SUM(CASE WHEN p THEN m ELSE 0 END) FILTER (WHERE f)`: those of `f`).
    Measure { measure: &'a CompiledMeasure, conditions: Vec<Expr>, or_zero: Option<Vec<Expr>> },
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
    let outside = conditions.clone();
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
            let zero = otherwise.is_some_and(|value| !matches!(value, Expr::Literal(value, _) if value.is_null()));
            let or_zero = zero.then_some(outside);
            return Ok(Call::Measure { measure, conditions, or_zero });
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
    if name == "grouping" {
        return Ok(Call::Grouping(arguments));
    }
    let plain = params.order_by.is_empty() && params.null_treatment.is_none();
    let fold = match (name, arguments.as_slice(), params.distinct) {
        ("count", [Expr::Literal(value, _)], false) if !value.is_null() => Some((Fold::Rows, None)),
        ("count", [one], false) => Some((Fold::Count, Some(one.clone()))),
        ("count", [one], true) => Some((Fold::Distinct, Some(one.clone()))),
        ("sum", [one], false) => Some((Fold::Sum, Some(one.clone()))),
        ("min", [one], _) => Some((Fold::Min, Some(one.clone()))),
        ("max", [one], _) => Some((Fold::Max, Some(one.clone()))),
        _ => None,
    };
    if let (Some((fold, input)), true) = (fold, plain) {
        // The conditions are those of the FILTER clause: a CASE inside the argument stays there.
        let conditions = match &params.filter {
            Some(filter) => split_conjunction_owned(over(filter)?),
            None => Vec::new(),
        };
        return Ok(Call::Fold { fold, input, conditions });
    }
    let order_by =
        params.order_by.iter().map(|sort| Ok(sort.with_expr(over(&sort.expr)?))).collect::<Result<Vec<_>>>()?;
    let filter = params.filter.as_deref().map(over).transpose()?.map(Box::new);
    Ok(Call::Other(AggregateFunction {
        func: Arc::clone(func),
        params: AggregateFunctionParams {
            args: arguments,
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

pub(super) fn measure_in_where(chain: &Chain, measure: &CompiledMeasure) -> Error {
    let (name, cube) = (measure.measure.name.as_str(), chain.binding.cube.cube.name.as_str());
    let call = measure::call(&measure.measure);
    Error::new(
        Code::MeasureInWhere,
        format!("measure `{name}` is not a row value; use `HAVING {call} > ...`, or the view `{cube}_detail`"),
    )
}

pub(super) fn measure_below(measure: &CompiledMeasure, place: &str) -> Error {
    let (name, call) = (measure.measure.name.as_str(), measure::call(&measure.measure));
    Error::new(
        Code::MeasureBelow,
        format!("measure `{name}` stands {place}, where it has no value; aggregate it first with `{call}`"),
    )
}

/// `SELECT DISTINCT` over members is a grouping without calls.
fn distinct_over_cube(
    input: &LogicalPlan,
    session: &SessionState,
    navigation: &mut Navigation,
) -> Result<Option<LogicalPlan>> {
    let Some(chain) = chain(input).map_err(internal)? else { return Ok(None) };
    if chain.binding.disclosure.is_some() {
        return Err(disclosure::refused("lists no members by themselves: ask for a figure, as `COUNT(*)`, with them"));
    }
    let keys = chain.outputs.clone();
    let names: Vec<_> =
        input.schema().iter().map(|(relation, field)| (relation.cloned(), field.name().clone())).collect();
    Question { chain: &chain, keys, sets: None, calls: Vec::new(), names }.plan(session, navigation).map(Some)
}

fn aggregate_over_cube(
    aggregate: &Aggregate,
    session: &SessionState,
    navigation: &mut Navigation,
) -> Result<Option<LogicalPlan>> {
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
    let question = Question { chain: &chain, keys, sets, calls, names };
    match &chain.binding.disclosure {
        Some(disclosure) => disclosure::plan(question, disclosure, session, navigation).map(Some),
        None => question.plan(session, navigation).map(Some),
    }
}

/// What is left of cube leaves: previews, and members in joins and windows.
fn rows_without_aggregate(plan: LogicalPlan, detail: DetailLimit, navigation: &mut Navigation) -> Result<LogicalPlan> {
    let mut leaves = Vec::new();
    let _ = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            leaves.extend(cube_of(&scan.source));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    if leaves.iter().any(|leaf| !leaf.details) {
        return Err(no_rows());
    }
    if let Some(limit) = preview(&plan) {
        let limit = limit?;
        let Some(most) = detail.0 else {
            return Err(Error::new(
                Code::DetailLimit,
                "this session takes no previews of a cube's rows: aggregate, or read the detail view",
            ));
        };
        if limit.is_none_or(|limit| limit > most) {
            return Err(Error::new(
                Code::DetailLimit,
                format!(
                    "rows of a cube without an aggregate are a preview: add `LIMIT {most}` or less, aggregate, or read the \
                     detail view"
                ),
            ));
        }
        navigation.preview = true;
        return replace_leaves(plan, Rows::preview).map_err(internal);
    }
    if leaves.is_empty() {
        return Ok(plan);
    }
    replace_leaves(plan, Rows::members).map_err(|error| {
        let text = error.strip_backtrace();
        let used = leaves.iter().flat_map(|binding| &binding.cube.measures).find(|measure| {
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

fn no_rows() -> Error {
    Error::new(
        Code::DetailLimit,
        "your roles show figures of a cube, not the rows behind it: aggregate it before anything else, as \
         `SELECT level, SUM(measure) ... GROUP BY level`",
    )
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
