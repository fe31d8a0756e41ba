//! A statement's aggregate in normal form, and the plan that answers it.
//!
//! Every grouping set is planned for itself: the bucket of a balance depends on the set. What a measure reads on other days
//! than the question's own (the balance a year ago) is asked of a **leaf** of its own, which may have another source; leaves
//! are brought together by their keys. A measure's value is then finished from the states by the same expression, wherever
//! they come from.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ScalarValue, TableReference};
use datafusion::execution::session_state::SessionState;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::first_value;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::functions_window::rank::rank_udwf;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::utils::{conjunction, disjunction};
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast, col, lit, not, when,
};

use super::ask::{Ask, Want, component_aggregate, filtered, key_name, merge_name, state_name};
use super::days::{DayMap, Moved};
use super::measure::{Component, Days, Fold};
use super::navigator::{Navigation, choose};
use super::rewrite::{Call, Chain, internal, measure_below, measure_in_where};
use super::{CompiledMeasure, FINISHED, LEAF};
use crate::engine::ratio;
use crate::error::{Code, Error, Result};
use crate::model::cube::{Derived, Shift, State, TimeRule, Within};
use crate::warehouse::arrow_type;

/// A statement's aggregate in normal form.
pub(super) struct Question<'a> {
    pub(super) chain: &'a Chain,
    /// Grouping expressions over the cube's columns.
    pub(super) keys: Vec<Expr>,
    /// Grouping sets as positions in `keys`; `None` for one plain grouping.
    pub(super) sets: Option<Vec<Vec<usize>>>,
    pub(super) calls: Vec<Call<'a>>,
    /// Qualifier and name of each output: keys, then calls.
    pub(super) names: Vec<(Option<TableReference>, String)>,
}

/// What of a grouping set is read on the same days.
#[derive(Default)]
struct Leaf {
    wants: Wants,
    /// Date maps of the question's own days.
    maps: Vec<DayMap>,
    /// Other days, with the conditions on time that they were made from.
    moved: Option<(Moved, Vec<Expr>)>,
}

/// The planned part of a grouping set that a leaf answers.
struct Part {
    leaf: usize,
    plan: LogicalPlan,
    /// Which of its states are zero, not null, where it has no row.
    counts: Vec<bool>,
}

/// A grouping set on its way to a plan.
struct Set<'a> {
    /// Positions among the question's keys.
    keys: &'a [usize],
    session: &'a SessionState,
    /// The question's own days first.
    leaves: Vec<Leaf>,
    /// Windows over finished states: what a share is of, and ranks.
    windows: Vec<Expr>,
}

impl Set<'_> {
    /// The column that will hold the state.
    fn add(&mut self, leaf: usize, want: Want) -> Expr {
        let n = self.leaves[leaf].wants.add(want);
        col(Column::new_unqualified(leaf_name(leaf, n)))
    }

    /// The column that will hold a window's value.
    fn window(&mut self, window: datafusion::error::Result<Expr>) -> Result<Expr> {
        let window = window.map_err(internal)?;
        let n = self.windows.iter().position(|known| *known == window).unwrap_or_else(|| {
            self.windows.push(window);
            self.windows.len() - 1
        });
        Ok(col(Column::new_unqualified(window_name(n))))
    }
}

/// Leaves under the keys that any of them has.
fn together(keys: usize, mut parts: Vec<Part>) -> Result<LogicalPlan> {
    let key = |n: usize| col(Column::new_unqualified(key_name(n)));
    let column = |name: String| col(Column::new_unqualified(name));
    if let [Part { leaf, plan, .. }] = &mut parts[..] {
        let states = plan.schema().fields().len() - keys;
        let renamed = (0..states).map(|n| column(state_name(n)).alias(leaf_name(*leaf, n)));
        return match leaf {
            0 => Ok(plan.clone()),
            _ => LogicalPlanBuilder::from(plan.clone())
                .project((0..keys).map(key).chain(renamed))
                .and_then(LogicalPlanBuilder::build)
                .map_err(internal),
        };
    }
    let mut states: Vec<(usize, usize, DataType, bool)> = Vec::new();
    for Part { leaf, plan, counts } in &parts {
        let kinds = plan.schema().fields().iter().skip(keys).map(|field| field.data_type().clone());
        states.extend(kinds.zip(counts).enumerate().map(|(n, (kind, counts))| (*leaf, n, kind, *counts)));
    }
    let mut united: Option<LogicalPlanBuilder> = None;
    for Part { leaf, plan, .. } in parts {
        let state = |(of, n, kind, _): &(usize, usize, DataType, bool)| match *of == leaf {
            true => column(state_name(*n)).alias(leaf_name(*of, *n)),
            false => cast(lit(ScalarValue::Null), kind.clone()).alias(leaf_name(*of, *n)),
        };
        let part = LogicalPlanBuilder::from(plan).project((0..keys).map(key).chain(states.iter().map(state)));
        let part = part.map_err(internal)?;
        united = Some(match united {
            None => part,
            Some(all) => part.build().and_then(|part| all.union(part)).map_err(internal)?,
        });
    }
    let united = united.ok_or_else(|| Error::new(Code::Internal, "a question without leaves"))?;
    let mut firsts = Vec::new();
    let mut outputs: Vec<Expr> = (0..keys).map(key).collect();
    for (n, (leaf, of, _, counts)) in states.iter().enumerate() {
        // Each leaf has a group once, so there is one value at most.
        let value = column(leaf_name(*leaf, *of));
        firsts.push(filtered(first_value(value.clone(), Vec::new()), Some(value.is_not_null())).alias(merge_name(n)));
        let first = column(merge_name(n));
        let first = if *counts { coalesce(vec![first, lit(0_i64)]) } else { first };
        outputs.push(first.alias(leaf_name(*leaf, *of)));
    }
    united
        .aggregate((0..keys).map(key), firsts)
        .and_then(|plan| plan.project(outputs))
        .and_then(LogicalPlanBuilder::build)
        .map_err(internal)
}

impl Question<'_> {
    pub(super) fn plan(&self, session: &SessionState, navigation: &mut Navigation) -> Result<LogicalPlan> {
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
            None => self.plan_set(&(0..self.keys.len()).collect::<Vec<_>>(), session, navigation)?,
            // The bucket of a balance depends on the set (the year's subtotal closes on the year's last day and is not
            // twelve closes added), so each set is a grouping of its own with its own date map.
            Some(sets) => {
                let mut plans = sets.iter().map(|set| self.plan_set(set, session, navigation));
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

    /// The plan of one grouping: source, conditions, keys and states, then finished values under their names.
    fn plan_set(&self, keys: &[usize], session: &SessionState, navigation: &mut Navigation) -> Result<LogicalPlan> {
        let mut set = Set { keys, session, leaves: vec![Leaf::default()], windows: Vec::new() };
        let mut finished = Vec::new();
        for call in &self.calls {
            finished.push(match call {
                Call::Grouping(arguments) => self.grouping(arguments, keys)?,
                Call::Other(function) => set.add(0, Want::Other(function.clone())),
                Call::Fold { fold, input, conditions } => {
                    let input = input.clone().map(|input| self.chain.base(input)).transpose().map_err(internal)?;
                    let component = Component { fold: *fold, input, days: Days::All };
                    set.add(0, Want::State { component, conditions: conditions.clone(), map: None })
                }
                Call::Measure { measure, conditions, or_zero } => {
                    let by_days = measure.measure.derived().is_some() || !matches!(measure.measure.time, TimeRule::All);
                    if by_days && self.chain.binding.coverage.is_none() && self.chain.binding.cube.cube.time.is_some() {
                        return self.nothing(keys);
                    }
                    let value = self.measure(measure, conditions, &mut set)?;
                    match or_zero {
                        Some(outside) => or_zero_of(value, outside, conditions, &mut set)?,
                        None => value,
                    }
                }
            });
        }
        // Without calls of its own (a DISTINCT), a question still has its groups.
        let nothing_asked = set.leaves.iter().all(|leaf| leaf.wants.list.is_empty());
        let mut parts = Vec::new();
        for (n, leaf) in set.leaves.iter_mut().enumerate() {
            if !leaf.wants.list.is_empty() || (n == 0 && nothing_asked) {
                let counts = leaf.wants.list.iter().map(Want::counts).collect();
                let plan = self.plan_leaf(keys, std::mem::take(leaf), session, navigation)?;
                parts.push(Part { leaf: n, plan, counts });
            }
        }
        let mut plan = together(keys.len(), parts)?;
        // One node each: those of a node must agree in partition and order, and a rank may be of a share.
        for (n, window) in set.windows.iter().enumerate() {
            let planned = LogicalPlanBuilder::from(plan).window([window.clone().alias(window_name(n))]);
            plan = planned.and_then(LogicalPlanBuilder::build).map_err(internal)?;
        }

        let mut outputs = Vec::new();
        for index in 0..self.names.len() {
            let value = match index.checked_sub(self.keys.len()) {
                Some(call) => finished[call].clone(),
                None => match keys.iter().position(|key| *key == index) {
                    Some(n) => col(Column::new_unqualified(key_name(n))),
                    None => self.null_key(index)?,
                },
            };
            outputs.push(value.alias(output_name(index)));
        }
        LogicalPlanBuilder::from(plan).project(outputs).and_then(LogicalPlanBuilder::build).map_err(internal)
    }

    /// Keys and states of one leaf, from the source that answers it.
    fn plan_leaf(
        &self,
        set: &[usize],
        leaf: Leaf,
        session: &SessionState,
        navigation: &mut Navigation,
    ) -> Result<LogicalPlan> {
        let chain = self.chain;
        let keys: Vec<&Expr> = set.iter().map(|index| &self.keys[*index]).collect();
        let maps = match &chain.binding.coverage {
            Some(coverage) if !leaf.maps.is_empty() => {
                let levels = chain.binding.cube.time_levels();
                let timed: Vec<Expr> = self.timed_keys(set)?.into_iter().map(|(_, key)| key.clone()).collect();
                let values = coverage.values(&levels, &timed, session)?;
                Some(coverage.maps(&levels, &values, &leaf.maps, session)?)
            }
            _ => None,
        };
        let moved = leaf.moved.map(|(moved, _)| moved);
        let days = match (&moved, &chain.binding.coverage) {
            (Some(moved), Some(coverage)) => Some(moved.read(coverage.days().len())),
            _ => Ask::days(chain, session)?,
        };
        let ask = Ask { chain, keys, wants: leaf.wants.list, maps, days, moved };
        match choose(&ask, session, navigation) {
            None => ask.facts(Arc::clone(&chain.binding.fact), ask.range(), None, None),
            Some(fit) => ask.merged(&fit),
        }
    }

    /// The grouping expressions of a set that are over time, with their positions in the set.
    fn timed_keys(&self, set: &[usize]) -> Result<Vec<(usize, &Expr)>> {
        let mut timed = Vec::new();
        for (n, key) in set.iter().map(|index| &self.keys[*index]).enumerate() {
            match self.chain.timed(key) {
                Some(true) => timed.push((n, key)),
                Some(false) => {}
                None => {
                    let mixed =
                        "a balance or comparison needs time levels and other columns as separate grouping columns";
                    return Err(Error::new(Code::TimeContext, mixed));
                }
            }
        }
        Ok(timed)
    }

    /// A key that a grouping set leaves out: a null of the key's type.
    fn null_key(&self, index: usize) -> Result<Expr> {
        let schema = DFSchema::try_from_qualified_schema(LEAF, &self.chain.binding.cube.schema()).map_err(internal)?;
        let kind = self.keys[index].get_type(&schema).map_err(internal)?;
        Ok(cast(lit(ScalarValue::Null), kind))
    }

    /// `GROUPING(a, b)`: one bit for each argument, 1 where the set leaves it out.
    fn grouping(&self, arguments: &[Expr], set: &[usize]) -> Result<Expr> {
        let mut bits = 0_i32;
        for argument in arguments {
            let Some(position) = self.keys.iter().position(|key| key == argument) else {
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
                    Call::Grouping(arguments) => self.grouping(arguments, set)?,
                    Call::Fold { fold: Fold::Rows | Fold::Count | Fold::Distinct, .. } => lit(0_i64),
                    Call::Fold { fold, input, .. } => {
                        let input = input.clone().map(|input| self.chain.base(input)).transpose().map_err(internal)?;
                        let component = Component { fold: *fold, input, days: Days::All };
                        let call = component_aggregate(&component, Vec::new(), None, false);
                        let kind = call.get_type(&self.chain.binding.cube.base_schema).map_err(internal)?;
                        cast(lit(ScalarValue::Null), kind)
                    }
                    Call::Other(_) => lit(ScalarValue::Null),
                },
            };
            outputs.push(value.alias(output_name(index)));
        }
        LogicalPlanBuilder::empty(set.is_empty()).project(outputs).and_then(LogicalPlanBuilder::build).map_err(internal)
    }

    /// The finished value of a measure over states that are added to the set's leaves.
    fn measure(&self, compiled: &CompiledMeasure, conditions: &[Expr], set: &mut Set<'_>) -> Result<Expr> {
        let kind = arrow_type(compiled.measure.data_type);
        let Some(derived) = compiled.measure.derived() else { return self.own(compiled, conditions, set) };
        match derived {
            Derived::Moved { of, shift } => Ok(self.moved(self.named(of)?, *shift, conditions, set)?.0),
            Derived::Change { of, shift, relative } => {
                let of = self.named(of)?;
                let now = self.own(of, conditions, set)?;
                let (before, known) = self.moved(of, *shift, conditions, set)?;
                compiled.change(of, now, before, known, *relative)
            }
            Derived::Calculated { .. } => {
                let mut fault = None;
                let finished = compiled.inputs[0].clone().transform(|node| match &node {
                    Expr::Column(column) if column.relation.as_ref().is_some_and(|of| of.table() == FINISHED) => {
                        match self.named(&column.name).and_then(|of| self.measure(of, conditions, set)) {
                            Ok(value) => Ok(Transformed::new(value, true, TreeNodeRecursion::Jump)),
                            Err(error) => {
                                fault = Some(error);
                                Ok(Transformed::new(node, false, TreeNodeRecursion::Stop))
                            }
                        }
                    }
                    _ => Ok(Transformed::no(node)),
                });
                match fault {
                    Some(error) => Err(error),
                    None => Ok(cast(finished.map_err(internal)?.data, kind)),
                }
            }
            Derived::Share { of, within } => {
                let of = self.named(of)?;
                let (states, length) = self.states(of, conditions, set)?;
                let kept = self.kept(within, set.keys);
                let totals = states.iter().map(|state| {
                    let total = WindowFunction::new(sum_udaf(), vec![state.clone()]);
                    set.window(Expr::from(total).partition_by(kept.clone()).build())
                });
                let totals = totals.collect::<Result<Vec<_>>>()?;
                let (part, whole) = (of.finish(&states, length.clone()), of.finish(&totals, length));
                Ok(cast(ratio(part, whole, compiled.scale()), kind))
            }
            Derived::Rank { of, within, ascending } => {
                let value = self.measure(self.named(of)?, conditions, set)?;
                let order = value.clone().sort(*ascending, false);
                let rank = WindowFunction::new(rank_udwf(), Vec::new());
                let kept = self.kept(within, set.keys);
                let rank = set.window(Expr::from(rank).partition_by(kept).order_by(vec![order]).build())?;
                when(value.is_not_null(), cast(rank, kind)).end().map_err(internal)
            }
        }
    }

    fn named(&self, name: &str) -> Result<&CompiledMeasure> {
        let found = self.chain.binding.cube.measure(name);
        found.ok_or_else(|| Error::new(Code::Internal, format!("measure `{name}` was checked and is missing")))
    }

    /// The value of a measure with states of its own.
    fn own(&self, compiled: &CompiledMeasure, conditions: &[Expr], set: &mut Set<'_>) -> Result<Expr> {
        let (states, length) = self.states(compiled, conditions, set)?;
        Ok(compiled.finish(&states, length))
    }

    /// The states of a measure on the question's own days, and for a daily average the days of the group.
    fn states(
        &self,
        compiled: &CompiledMeasure,
        conditions: &[Expr],
        set: &mut Set<'_>,
    ) -> Result<(Vec<Expr>, Option<Expr>)> {
        let rule = &compiled.measure.time;
        let mut conditions = conditions.to_vec();
        let mut map = None;
        if !matches!(rule, TimeRule::All) {
            self.timed_keys(set.keys)?;
            let (time, other) = self.parted(conditions, &compiled.measure.name)?;
            conditions = other;
            let wanted = DayMap { conditions: time, weighted: matches!(rule, TimeRule::AverageDaily { .. }) };
            let maps = &mut set.leaves[0].maps;
            map = Some(maps.iter().position(|known| *known == wanted).unwrap_or_else(|| {
                maps.push(wanted);
                maps.len() - 1
            }));
        }
        let states = compiled.components()?.into_iter();
        let states = states
            .map(|component| set.add(0, Want::State { component, conditions: conditions.clone(), map }))
            .collect();
        let length = match (rule, map) {
            (TimeRule::AverageDaily { .. }, Some(n)) => Some(set.add(0, Want::Length(n))),
            _ => None,
        };
        Ok((states, length))
    }

    /// The value of a measure on other days, and whether the facts reach back to them.
    fn moved(
        &self,
        compiled: &CompiledMeasure,
        shift: Shift,
        conditions: &[Expr],
        set: &mut Set<'_>,
    ) -> Result<(Expr, Expr)> {
        let Some(coverage) = &self.chain.binding.coverage else {
            return Err(Error::new(Code::Internal, "a comparison without facts"));
        };
        let timed = self.timed_keys(set.keys)?;
        let (time, conditions) = self.parted(conditions.to_vec(), &compiled.measure.name)?;
        let components = compiled.components()?;
        let rule = components.first().map_or(Days::All, |component| component.days);
        let known = set.leaves.iter().position(|leaf| {
            leaf.moved.as_ref().is_some_and(|(moved, of)| (moved.shift, moved.rule) == (shift, rule) && *of == time)
        });
        let leaf = match known {
            Some(leaf) => leaf,
            None => {
                let levels = self.chain.binding.cube.time_levels();
                let moved = coverage.moved(&levels, &timed, &time, (shift, rule), set.session)?;
                set.leaves.push(Leaf { moved: Some((moved, time)), ..Leaf::default() });
                set.leaves.len() - 1
            }
        };
        let map = (rule != Days::All).then_some(0);
        let states = components.into_iter();
        let states: Vec<Expr> = states
            .map(|component| set.add(leaf, Want::State { component, conditions: conditions.clone(), map }))
            .collect();
        let length = matches!(rule, Days::Daily { .. }).then(|| set.add(leaf, Want::Length(0)));
        let unknown =
            set.leaves[leaf].moved.as_ref().map(|(moved, _)| moved.unknown()).transpose()?.unwrap_or_default();
        let value = compiled.finish(&states, length);
        let Some(unknown) = is_one_of(unknown) else { return Ok((value, lit(true))) };
        let known = not(unknown);
        // A count has a value without rows; where the facts do not reach back it is not zero but unknown.
        let value = match compiled.measure.state {
            State::Count { .. } | State::Distinct { .. } => when(known.clone(), value).end().map_err(internal)?,
            _ => value,
        };
        Ok((value, known))
    }

    /// A call's conditions and the question's own: those on time, and of the call's the others.
    fn parted(&self, conditions: Vec<Expr>, measure: &str) -> Result<(Vec<Expr>, Vec<Expr>)> {
        let (mut time, mut other) = (Vec::new(), Vec::new());
        for condition in conditions {
            let of_time = self.is_time(&condition, measure)?;
            if of_time { &mut time } else { &mut other }.push(condition);
        }
        for condition in &self.chain.conditions {
            if self.is_time(condition, measure)? {
                time.push(condition.clone());
            }
        }
        Ok((time, other))
    }

    /// The columns of the set's keys that name the group of a share or rank.
    fn kept(&self, within: &Within, set: &[usize]) -> Vec<Expr> {
        let cube = &self.chain.binding.cube;
        let place = |index: &usize| {
            let mut found = None;
            let _ = self.keys[*index].apply(|node| {
                if let Expr::Column(column) = node {
                    found = found.or(cube.level_of(&column.name));
                }
                Ok(TreeNodeRecursion::Continue)
            });
            found
        };
        let lowest = |join: &str| {
            let levels = set.iter().filter_map(place).filter(|(of, _)| *of == join).filter_map(|(_, level)| level);
            levels.max()
        };
        let stays = |index: &usize| match (within, place(index)) {
            (Within::All, _) => self.chain.timed(&self.keys[*index]) == Some(true),
            (Within::Parent(join), Some((of, level))) if of == join => level.is_some() && level < lowest(join),
            (Within::Level { join, level }, Some((of, at))) if of == join => {
                at.is_some() && at <= cube.level_named(join, level)
            }
            _ => true,
        };
        let columns = set.iter().enumerate().filter(|(_, index)| stays(index));
        columns.map(|(n, _)| col(Column::new_unqualified(key_name(n)))).collect()
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

/// The value of `SUM(CASE WHEN p THEN m ELSE 0 END) FILTER (WHERE f)`: a sum that a row of `f` outside `p` makes zero where
/// it would be null.
fn or_zero_of(value: Expr, filter: &[Expr], conditions: &[Expr], set: &mut Set<'_>) -> Result<Expr> {
    let mut rows = |conditions: Vec<Expr>| {
        let component = Component { fold: Fold::Rows, input: None, days: Days::All };
        set.add(0, Want::State { component, conditions, map: None })
    };
    let (all, inside) = (rows(filter.to_vec()), rows(conditions.to_vec()));
    let Expr::Cast(typed) = &value else { return Ok(value) };
    let zero = cast(lit(0_i64), typed.field.data_type().clone());
    when(all.gt(inside), coalesce(vec![value.clone(), zero])).otherwise(value).map_err(internal)
}

/// Values of keys by their places in the set.
type Values = Vec<(usize, ScalarValue)>;

/// Whether a row's keys over time are those of one of these groups; none without a group. Plans are walked by recursion, so
/// that a year of days must not be as many levels: one key's values are listed for each combination of the others.
fn is_one_of(groups: Vec<Values>) -> Option<Expr> {
    let keys = groups.first()?.len();
    let different = |key: usize| groups.iter().map(|group| &group[key].1).collect::<HashSet<_>>().len();
    let Some(listed) = (0..keys).max_by_key(|key| different(*key)) else { return Some(lit(true)) };
    let mut lists: Vec<(Values, Values)> = Vec::new();
    let mut places: HashMap<Values, usize> = HashMap::new();
    for mut others in groups {
        let value = others.remove(listed);
        let place = *places.entry(others.clone()).or_insert(lists.len());
        match lists.get_mut(place) {
            Some((_, list)) => list.push(value),
            None => lists.push((others, vec![value])),
        }
    }
    let key = |n: usize| col(Column::new_unqualified(key_name(n)));
    let same = |(n, value): (usize, ScalarValue)| match value.is_null() {
        true => key(n).is_null(),
        false => key(n).eq(lit(value)),
    };
    let of = |(others, list): (Values, Values)| {
        let (nulls, values): (Vec<_>, Vec<_>) = list.into_iter().partition(|(_, value)| value.is_null());
        let n = values.first().map(|(n, _)| *n);
        let values = n.map(|n| key(n).in_list(values.into_iter().map(|(_, value)| lit(value)).collect(), false));
        let is_listed = disjunction(values.into_iter().chain(nulls.into_iter().map(same))).unwrap_or(lit(false));
        conjunction(others.into_iter().map(same)).map_or(is_listed.clone(), |others| others.and(is_listed))
    };
    let mut any: Vec<Expr> = lists.into_iter().map(of).collect();
    while any.len() > 1 {
        any = any.chunks(2).map(|pair| pair.iter().cloned().reduce(Expr::or).unwrap_or(lit(false))).collect();
    }
    any.pop()
}

fn output_name(n: usize) -> String {
    format!("__out_{n}")
}

/// A state of a leaf where leaves come together; that of the question's own days keeps its name.
fn leaf_name(leaf: usize, n: usize) -> String {
    if leaf == 0 { state_name(n) } else { format!("__state_{leaf}_{n}") }
}

fn window_name(n: usize) -> String {
    format!("__window_{n}")
}

/// What is asked for; equal wants are computed once.
#[derive(Default)]
struct Wants {
    list: Vec<Want>,
    known: HashMap<Want, usize>,
}

impl Wants {
    /// Its place in the list.
    fn add(&mut self, want: Want) -> usize {
        *self.known.entry(want.clone()).or_insert_with(|| {
            self.list.push(want);
            self.list.len() - 1
        })
    }
}
