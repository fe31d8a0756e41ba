//! Which rollup answers, and why every other one does not.
//!
//! [`check`] holds one grouping set of a question against one rollup and gives either a [`Fit`], how its columns stand for
//! what is asked, or the first reason against it. Everything about time is decided on the days themselves: conditions and
//! grouping expressions are evaluated on each covered day, so a date function, a half-open range or a week is as good as a
//! level, and what counts is only whether a period of the rollup lies on one side. Days of cut periods come from the facts.
//! [`choose`] takes the fit that reads the fewest rows. The refusals travel with the answer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Int64Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field};
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result as PlanResult, ScalarValue};
use datafusion::execution::session_state::SessionState;
use datafusion::functions::datetime::expr_fn::date_trunc;
use datafusion::logical_expr::utils::{conjunction, disjunction};
use datafusion::logical_expr::{Expr, ExprSchemable, cast, lit};
use serde::Serialize;

use super::ask::{Ask, Want, gated};
use super::days::{self, Coverage, Feed, Moved, start};
use super::measure::{Component, Days, Fold};
use super::rewrite::{Chain, internal};
use super::rollup::{self, BoundRollup};
use super::{CompiledCube, qualified};
use crate::error::Result;
use crate::model::cube::History;
use crate::warehouse::TableFiles;

/// Runs of days that the facts may add to a rollup; a question cut finer is answered from facts alone.
const RUNS: usize = 64;

/// Which rollups may answer a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Rollups {
    /// Any.
    #[default]
    On,
    /// None: facts alone.
    Off,
    /// Only this one, whatever it costs.
    Only(String),
}

impl From<&str> for Rollups {
    /// `on`, `off`, or the name of a rollup.
    fn from(word: &str) -> Self {
        match word {
            "on" => Self::On,
            "off" => Self::Off,
            name => Self::Only(name.to_owned()),
        }
    }
}

impl std::fmt::Display for Rollups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Only(name) => name,
        })
    }
}

/// Where the answers of a statement come from, one entry for each grouping set over a cube.
#[derive(Debug, Clone, Default)]
pub struct Navigation {
    /// What may be used.
    pub rollups: Rollups,
    /// What was.
    pub routes: Vec<Route>,
    /// The statement previews rows of a cube.
    pub preview: bool,
}

/// The source of one grouping set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Route {
    /// The cube.
    pub cube: String,
    /// Which versions of members stand (`as_is`, `as_was`, a date); none when no dimension keeps any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// The comparison whose days are read; none for the question's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<String>,
    /// The rollup that answers; none when the facts do.
    pub rollup: Option<String>,
    /// Rows to be read of the rollup.
    pub rollup_rows: u64,
    /// Rows to be read of the facts.
    pub fact_rows: u64,
    /// Partitions of the rollup that the facts replace, as `branch/month`.
    pub stale: Vec<String>,
    /// Whether days of periods that the question cuts come from the facts.
    pub cut: bool,
    /// Why the others do not answer.
    pub refused: Vec<Refusal>,
}

/// Why a rollup does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The rollup.
    pub rollup: String,
    /// The check that failed, `C1` to `C12` as in the design of cubes.
    pub check: &'static str,
    /// Stable reason code.
    pub code: &'static str,
    /// What exactly, for people.
    pub detail: String,
}

/// How a rollup answers a grouping set.
pub(super) struct Fit<'a> {
    pub(super) rollup: &'a BoundRollup,
    /// The set's keys over the rollup's columns.
    pub(super) keys: Vec<Expr>,
    /// Conditions over the rollup's columns.
    pub(super) conditions: Vec<Expr>,
    /// Which rows the reader may see, over the rollup's columns.
    pub(super) policy: Option<Expr>,
    /// What stands for each want.
    pub(super) supplies: Vec<Supply>,
    /// Joins of the cube that are made again from a stored key.
    pub(super) joins: BTreeSet<usize>,
    periods: Option<Periods>,
    rollup_rows: u64,
    fact_rows: u64,
}

/// What a rollup's row gives for a want.
#[derive(Debug)]
pub(super) enum Supply {
    /// A state to be merged.
    State(Expr),
    /// The value itself, whose different ones are counted.
    Member(Expr),
}

impl Supply {
    pub(super) fn value(&self) -> &Expr {
        match self {
            Self::State(value) | Self::Member(value) => value,
        }
    }
}

/// The periods of a rollup that lie whole inside the question.
struct Periods {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
    /// First and last period, as their first days; none when there is no whole one.
    range: Option<(i32, i32)>,
    /// Days of periods that are cut.
    rest: Vec<RangeInclusive<i32>>,
    /// Of a comparison, which groups those days feed.
    feeds: Option<Vec<Feed>>,
}

impl Fit<'_> {
    /// The table of periods to join, where time matters.
    pub(super) fn buckets(&self) -> Result<Option<Arc<dyn TableProvider>>> {
        self.periods.as_ref().map(|periods| days::memory(periods.fields.clone(), periods.arrays.clone())).transpose()
    }

    /// The columns of that table where it has one row.
    pub(super) fn one_period(&self) -> Result<Option<HashMap<&str, ScalarValue>>> {
        let Some(Periods { fields, arrays, .. }) = &self.periods else { return Ok(None) };
        if arrays.first().is_none_or(|periods| periods.len() != 1) {
            return Ok(None);
        }
        let values = fields.iter().zip(arrays);
        let values = values.map(|(field, array)| Ok((field.name().as_str(), ScalarValue::try_from_array(array, 0)?)));
        values.collect::<PlanResult<_>>().map(Some).map_err(internal)
    }

    /// The condition under which fresh partitions' facts are read for days of cut periods; none when no period is cut.
    pub(super) fn days_of_facts(&self, chain: &Chain) -> Option<Expr> {
        let rest = &self.periods.as_ref()?.rest;
        let key = super::fact_column(&chain.binding.cube.cube.time.as_ref()?.key);
        disjunction(rest.iter().map(|run| key.clone().between(day(*run.start()), day(*run.end()))))
    }

    /// Of a comparison, the groups that the days of cut periods feed.
    pub(super) fn feeds(&self) -> Option<&[Feed]> {
        self.periods.as_ref()?.feeds.as_deref()
    }
}

/// The rollup to answer from; none for facts alone.
pub(super) fn choose<'a>(ask: &'a Ask<'_>, session: &SessionState, navigation: &mut Navigation) -> Option<Fit<'a>> {
    let binding = &ask.chain.binding;
    let fact_rows = rows_between(&binding.fact_files, fact_key(&binding.cube), asked(ask));
    let mut refused = Vec::new();
    let mut fits: Vec<Fit<'_>> = Vec::new();
    let mut forced = false;
    for rollup in binding.rollups.iter() {
        match &navigation.rollups {
            Rollups::Off => continue,
            Rollups::Only(name) if *name != rollup.compiled.name => continue,
            Rollups::Only(_) => forced = true,
            Rollups::On => {}
        }
        match check(ask, rollup, session) {
            Ok(fit) => fits.push(fit),
            Err(Reason(check, code, detail)) => {
                refused.push(Refusal { rollup: rollup.compiled.name.clone(), check, code, detail });
            }
        }
    }
    fits.sort_by(|a, b| {
        let cost = |fit: &Fit<'_>| fit.rollup_rows + fit.fact_rows;
        (cost(a), &a.rollup.compiled.name).cmp(&(cost(b), &b.rollup.compiled.name))
    });
    let mut chosen = None;
    for fit in fits {
        let cost = fit.rollup_rows + fit.fact_rows;
        if chosen.is_none() && (cost < fact_rows || forced) {
            chosen = Some(fit);
            continue;
        }
        refused.push(Refusal {
            rollup: fit.rollup.compiled.name.clone(),
            check: "COST",
            code: "MORE_ROWS",
            detail: format!("{cost} rows to read"),
        });
    }
    navigation.routes.push(Route {
        cube: binding.cube.cube.name.value.clone(),
        history: binding.history.map(|history| history.to_string()),
        comparison: ask.moved.as_ref().map(|moved| moved.shift.to_string()),
        rollup: chosen.as_ref().map(|fit| fit.rollup.compiled.name.clone()),
        rollup_rows: chosen.as_ref().map_or(0, |fit| fit.rollup_rows),
        fact_rows: chosen.as_ref().map_or(fact_rows, |fit| fit.fact_rows),
        stale: chosen.as_ref().map_or_else(Vec::new, |fit| fit.rollup.stale.clone()),
        cut: chosen.as_ref().is_some_and(|fit| fit.periods.as_ref().is_some_and(|periods| !periods.rest.is_empty())),
        refused,
    });
    chosen
}

/// Check, code, detail.
struct Reason(&'static str, &'static str, String);

type Checked<T> = std::result::Result<T, Reason>;

/// Holds one grouping set against one rollup.
fn check<'a>(ask: &Ask<'_>, rollup: &'a BoundRollup, session: &SessionState) -> Checked<Fit<'a>> {
    if let Some((code, detail)) = &rollup.missing {
        return Err(Reason("C1", code, detail.clone()));
    }
    if let Some(dimension) = ask.chain.binding.uncertified() {
        let detail =
            format!("the snapshot does not certify the key of dimension `{dimension}`; run `countinghouse refresh`");
        return Err(Reason("C7", "UNCERTIFIED_JOIN", detail));
    }
    if rollup.fresh.files.is_empty() && !rollup.stale.is_empty() {
        if let Some(history @ (History::AsIs | History::On(_))) = ask.chain.binding.history {
            let detail = format!(
                "no partition of it holds for members {history}: it keeps them as they were. A rollup that keeps the lowest \
                 level would serve, or `countinghouse refresh` if it is stale as it was, too"
            );
            return Err(Reason("C8", "STALE", detail));
        }
        return Err(Reason("C8", "STALE", "no partition of it is fresh; run `countinghouse refresh`".to_owned()));
    }
    let chain = ask.chain;
    let cube = &chain.binding.cube;
    let mut translation = Translation { cube, rollup, joins: BTreeSet::new() };

    // What depends on nothing but time is answered by the table of periods.
    let mut timed = Timed::default();
    let mut keys = Vec::new();
    for (n, key) in ask.keys.iter().enumerate() {
        keys.push(match chain.timed(key) {
            Some(true) => timed.key(n, key),
            _ => translation.leaf(chain, key, "C2", "DIM_MISSING")?,
        });
    }
    // The days of a comparison are those of its map; what the question says of its own days says nothing of them.
    let says = |condition: &&Expr| ask.moved.is_none() || chain.timed(condition) != Some(true);
    let said: Vec<&Expr> = chain.conditions.iter().filter(says).collect();
    let filter = said.iter().map(|condition| base(chain, condition)).collect::<Checked<Vec<_>>>()?;
    if let Some(missing) = rollup.compiled.filter.iter().find(|part| !filter.contains(part)) {
        let detail = format!("it holds only rows where {}", super::readable(missing));
        return Err(Reason("C4", "FILTER_NOT_IMPLIED", detail));
    }
    let mut conditions = vec![rollup::rows().gt(lit(0_i64))];
    for (condition, base) in said.into_iter().zip(&filter) {
        if rollup.compiled.filter.contains(base) {
            continue; // every stored row satisfies it
        }
        match chain.timed(condition) {
            Some(true) => timed.conditions = true,
            _ => conditions.push(translation.leaf(chain, condition, "C4", "RESIDUAL_NOT_STORED")?),
        }
    }
    let policy = chain.binding.policy.as_ref().map(|policy| {
        let what = "which rows its reader may see".to_owned();
        translation.base(policy.clone()).map_err(|_| Reason("C9", "POLICY_COLUMN_MISSING", what))
    });
    let policy = policy.transpose()?;
    let mut supplies = Vec::new();
    for want in &ask.wants {
        supplies.push(supply(ask, rollup, want, &mut translation, &mut timed)?);
    }

    if ask.moved.as_ref().is_some_and(|moved| moved.rule == Days::Close) {
        // A period may hold rows of a group and none on its closing day: then the facts have no such group.
        conditions.push(rollup::close().eq(bucket_column(close_column(0))));
    }

    let periods = match &ask.moved {
        Some(moved) => Some(moved_periods(ask, rollup, moved)?),
        None if timed.is_empty() && ask.maps.is_none() => None,
        None => Some(periods(ask, rollup, timed, session)?),
    };
    let range = match &periods {
        None => Some((i32::MIN, i32::MAX)),
        Some(periods) => periods.range,
    };
    if let (Some((first, last)), Some(_)) = (range, &periods) {
        conditions.push(rollup::bucket().between(day(first), day(last)));
    }
    let rollup_rows = rows_between(&rollup.fresh, rollup::BUCKET, range);
    let mut fact_rows = rows_between(&rollup.facts_stale, fact_key(cube), asked(ask));
    for run in periods.iter().flat_map(|periods| &periods.rest) {
        fact_rows += rows_between(&rollup.facts_fresh, fact_key(cube), Some((*run.start(), *run.end())));
    }
    Ok(Fit { rollup, keys, conditions, policy, supplies, joins: translation.joins, periods, rollup_rows, fact_rows })
}

/// What the rollup's rows give for a want.
fn supply(
    ask: &Ask<'_>,
    rollup: &BoundRollup,
    want: &Want,
    translation: &mut Translation<'_>,
    timed: &mut Timed,
) -> Checked<Supply> {
    let chain = ask.chain;
    let (component, conditions, map) = match want {
        Want::Length(n) => return Ok(Supply::State(bucket_column(days::length_column(*n)))),
        Want::Other(function) => {
            let detail = format!("`{}` over rows needs the facts", function.func.name());
            return Err(Reason("C12", "CALL_SHAPE", detail));
        }
        Want::State { component, conditions, map } => (component, conditions, *map),
    };
    let mut gate = Vec::new();
    for condition in conditions {
        gate.push(match chain.timed(condition) {
            Some(true) => timed.flag(condition),
            _ => translation.leaf(chain, condition, "C12", "CALL_SHAPE")?,
        });
    }
    match (component.days, map) {
        (Days::Close, Some(n)) => gate.push(rollup::close().eq(bucket_column(close_column(n)))),
        (Days::Daily { .. } | Days::Closed, Some(n)) => gate.push(bucket_column(inside_column(n))),
        _ => {}
    }
    let gate = conjunction(gate);
    let value = |value: Expr, gate: Option<Expr>| {
        gated(value, gate).map_err(|error| Reason("C12", "CALL_SHAPE", error.message().to_owned()))
    };
    if let Some(column) = rollup.compiled.state(component) {
        return Ok(Supply::State(value(column, gate)?));
    }
    let missing = || {
        let Component { fold, input, .. } = component;
        let of = input.as_ref().map(|input| format!(" of {}", super::readable(input))).unwrap_or_default();
        Reason("C6", "STATE_MISSING", format!("no stored {}{of}", fold.word()))
    };
    // Members that are stored can be counted and compared without a state of their own.
    let (Days::All, Some(input)) = (component.days, &component.input) else { return Err(missing()) };
    let whole = input.get_type(&translation.cube.base_schema).is_ok_and(|kind| kind.is_integer());
    let input = translation.base(input.clone()).map_err(|_| missing())?;
    let rows = rollup::rows();
    match component.fold {
        Fold::Count => {
            let given = input.is_not_null();
            let gate = Some(gate.map_or(given.clone(), |gate| gate.and(given)));
            Ok(Supply::State(value(rows, gate)?))
        }
        Fold::Sum if whole => Ok(Supply::State(value(input * rows, gate)?)),
        Fold::Min | Fold::Max => Ok(Supply::State(value(input, gate)?)),
        Fold::Distinct => Ok(Supply::Member(value(input, gate)?)),
        Fold::Sum | Fold::Rows | Fold::Last => Err(missing()),
    }
}

/// Expressions over time levels that the table of periods answers.
#[derive(Default)]
struct Timed {
    /// Whether the whole question has conditions.
    conditions: bool,
    /// Grouping expressions by position.
    keys: BTreeMap<usize, Expr>,
    /// Conditions of single calls.
    flags: Vec<Expr>,
}

impl Timed {
    fn key(&mut self, n: usize, key: &Expr) -> Expr {
        self.keys.insert(n, key.clone());
        bucket_column(format!("key_{n}"))
    }

    fn flag(&mut self, condition: &Expr) -> Expr {
        let n = self.flags.iter().position(|known| known == condition).unwrap_or_else(|| {
            self.flags.push(condition.clone());
            self.flags.len() - 1
        });
        bucket_column(format!("flag_{n}"))
    }

    fn is_empty(&self) -> bool {
        !self.conditions && self.keys.is_empty() && self.flags.is_empty()
    }
}

/// The covered days, and the unit of a rollup's periods.
fn dated<'a>(ask: &'a Ask<'_>, rollup: &BoundRollup) -> Checked<(&'a Coverage, &'static str)> {
    let binding = &ask.chain.binding;
    let (Some(coverage), Some(unit)) = (&binding.coverage, rollup.compiled.unit) else {
        return Err(Reason("C2", "GRAIN_TOO_COARSE", "it keeps no time".to_owned()));
    };
    if !binding.is_dated() {
        return Err(Reason("C10", "NULL_SEMANTICS", "some facts have no date".to_owned()));
    }
    Ok((coverage, unit))
}

/// The periods of a rollup that feed groups of a comparison: a period stands for its days only where they all feed the group.
fn moved_periods(ask: &Ask<'_>, rollup: &BoundRollup, moved: &Moved) -> Checked<Periods> {
    let (coverage, unit) = dated(ask, rollup)?;
    let fault = |error: crate::error::Error| Reason("C5", "UNALIGNED", error.message().to_owned());
    let mut whole: Vec<(usize, i32, i32)> = Vec::new();
    let mut feeds: Vec<Feed> = Vec::new();
    for (n, group) in moved.groups.iter().enumerate() {
        for days in group.days.chunk_by(|(one, _), (next, _)| start(*one, unit) == start(*next, unit)) {
            let (Some((first, _)), Some((last, _))) = (days.first(), days.last()) else { continue };
            match moved.is_whole(coverage, unit, days) {
                true => whole.push((n, start(*first, unit), *last)),
                false => feeds.extend(days.iter().map(|(day, weight)| (n, *day, *weight))),
            }
        }
    }
    if whole.is_empty() && !feeds.is_empty() {
        return Err(Reason("C5", "UNALIGNED", format!("no whole {unit} lies inside the days compared with")));
    }
    let rest = runs(feeds.iter().map(|(_, day, _)| *day).collect::<BTreeSet<_>>().into_iter());
    if rest.len() > RUNS {
        return Err(Reason("C5", "UNALIGNED", format!("the question cuts more than {RUNS} periods")));
    }
    let (mut fields, mut arrays) = moved.group_columns(whole.iter().map(|(n, ..)| *n)).map_err(fault)?;
    let mut add = |name: String, array: ArrayRef| {
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    };
    add(rollup::BUCKET.to_owned(), Arc::new(whole.iter().map(|(_, period, _)| Some(*period)).collect::<Date32Array>()));
    add(close_column(0), Arc::new(whole.iter().map(|(.., last)| Some(*last)).collect::<Date32Array>()));
    add(inside_column(0), Arc::new(BooleanArray::from(vec![true; whole.len()])));
    let length = whole.iter().map(|(n, ..)| Some(moved.groups[*n].length));
    add(days::length_column(0), Arc::new(length.collect::<Int64Array>()));
    let periods = || whole.iter().map(|(_, period, _)| *period);
    let range = periods().min().zip(periods().max());
    let feeds = Some(feeds).filter(|feeds| !feeds.is_empty());
    Ok(Periods { fields, arrays, range, rest, feeds })
}

/// Days in order as runs.
fn runs(days: impl Iterator<Item = i32>) -> Vec<RangeInclusive<i32>> {
    let mut runs: Vec<RangeInclusive<i32>> = Vec::new();
    for day in days {
        match runs.last_mut() {
            Some(run) if *run.end() + 1 == day => *run = *run.start()..=day,
            _ => runs.push(day..=day),
        }
    }
    runs
}

/// Cuts the covered days into the rollup's periods, and keeps those that lie whole on one side of everything asked.
fn periods(ask: &Ask<'_>, rollup: &BoundRollup, timed: Timed, session: &SessionState) -> Checked<Periods> {
    let (coverage, unit) = dated(ask, rollup)?;
    let binding = &ask.chain.binding;
    let levels = binding.cube.time_levels();
    let fault = |error: crate::error::Error| Reason("C4", "RESIDUAL_NOT_STORED", error.message().to_owned());
    let values = |exprs: &[Expr]| coverage.values(&levels, exprs, session).map_err(fault);
    let inside = ask.days.clone().unwrap_or_else(|| vec![true; coverage.days().len()]);
    let keys = values(&timed.keys.values().cloned().collect::<Vec<_>>())?;
    let key_ids = days::buckets(&keys, inside.len()).map_err(fault)?;
    let flags = values(&timed.flags)?;
    let truths = flags.iter().map(days::truths).collect::<Result<Vec<_>>>().map_err(fault)?;
    let maps = ask.maps.as_ref().map_or(&[][..], |maps| &maps.maps);

    let mut whole: Vec<(usize, usize)> = Vec::new();
    let mut rest: Vec<i32> = Vec::new();
    let first_day = coverage.days().start;
    let day_of = |row: usize| first_day + i32::try_from(row).unwrap_or(0);
    let mut coarse = false;
    let starts = coverage.starts(unit);
    let mut from = 0;
    while from < inside.len() {
        let length = starts[from..].iter().take_while(|start| **start == starts[from]).count();
        let (rows, until) = (from..from + length, from + length - 1);
        let first = from;
        from += length;
        if !inside[rows.clone()].contains(&true) {
            continue;
        }
        let same = |list: &[bool]| list[rows.clone()].iter().all(|value| *value == list[first]);
        let one_key = key_ids[rows.clone()].iter().all(|id| *id == key_ids[first]);
        let fits = one_key
            && same(&inside)
            && truths.iter().all(|list| same(list))
            && maps.iter().all(|map| same(&map.inside));
        coarse |= !one_key;
        if fits {
            whole.push((first, until));
            continue;
        }
        rest.extend(rows.filter(|row| inside[*row]).map(day_of));
    }
    let rest = runs(rest.into_iter());
    if whole.is_empty() && !rest.is_empty() {
        return Err(if coarse {
            Reason("C2", "GRAIN_TOO_COARSE", format!("a grouping is finer than its {unit}"))
        } else {
            Reason("C5", "UNALIGNED", format!("no whole {unit} lies inside the question"))
        });
    }
    if rest.len() > RUNS {
        return Err(Reason("C5", "UNALIGNED", format!("the question cuts more than {RUNS} periods")));
    }

    let picked: UInt32Array = whole.iter().map(|(first, _)| u32::try_from(*first).ok()).collect();
    let bucket: Vec<i32> = whole.iter().map(|(first, _)| starts[*first]).collect();
    let mut fields = vec![Field::new(rollup::BUCKET, DataType::Date32, false)];
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(Date32Array::from(bucket.clone()))];
    let mut add = |name: String, array: ArrayRef| {
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    };
    let pick =
        |array: &ArrayRef| take(array, &picked, None).map_err(|error| Reason("C5", "UNALIGNED", error.to_string()));
    for (n, values) in timed.keys.keys().zip(&keys) {
        add(format!("key_{n}"), pick(values)?);
    }
    for (n, list) in truths.iter().enumerate() {
        add(format!("flag_{n}"), Arc::new(whole.iter().map(|(first, _)| Some(list[*first])).collect::<BooleanArray>()));
    }
    for (n, map) in maps.iter().enumerate() {
        let close = whole.iter().map(|(first, until)| (*first..=*until).rfind(|row| map.close[*row]).map(day_of));
        add(close_column(n), Arc::new(close.collect::<Date32Array>()));
        let inside = whole.iter().map(|(first, _)| Some(map.inside[*first]));
        add(inside_column(n), Arc::new(inside.collect::<BooleanArray>()));
        let length = whole.iter().map(|(first, _)| map.length[*first]);
        add(days::length_column(n), Arc::new(length.collect::<Int64Array>()));
    }
    let range = bucket.first().copied().zip(bucket.last().copied());
    Ok(Periods { fields, arrays, range, rest, feeds: None })
}

/// First and last day that the question reads; everything where it sets no bound.
fn asked(ask: &Ask<'_>) -> Option<(i32, i32)> {
    ask.bounds().unwrap_or(Some((i32::MIN, i32::MAX)))
}

/// Rows of the files that may hold days between two.
fn rows_between(files: &TableFiles, column: &str, range: Option<(i32, i32)>) -> u64 {
    let Some((first, last)) = range else { return 0 };
    let touches = |file: &&crate::warehouse::DataFile| match (file.min.get(column), file.max.get(column)) {
        (Some(min), Some(max)) => *max >= i64::from(first) && *min <= i64::from(last),
        _ => true,
    };
    files.files.iter().filter(touches).map(|file| file.rows).sum()
}

fn fact_key(cube: &CompiledCube) -> &str {
    cube.cube.time.as_ref().map_or("", |time| time.key.as_str())
}

/// Expressions over the fact and its dimensions as expressions over a rollup.
struct Translation<'a> {
    cube: &'a CompiledCube,
    rollup: &'a BoundRollup,
    joins: BTreeSet<usize>,
}

impl Translation<'_> {
    /// An expression over the cube's columns; the refusal names the columns that are not stored.
    fn leaf(&mut self, chain: &Chain, expr: &Expr, check: &'static str, code: &'static str) -> Checked<Expr> {
        self.base(base(chain, expr)?).map_err(|what| {
            let mut names = BTreeSet::new();
            let _ = expr.apply(|node| {
                if let Expr::Column(column) = node
                    && let Some(member) = self.cube.member(&column.name)
                    && self.base(member.base.clone()).is_err()
                {
                    names.insert(format!("`{}`", column.name));
                }
                Ok(TreeNodeRecursion::Continue)
            });
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            Reason(check, code, if names.is_empty() { what } else { names })
        })
    }

    /// An expression over the fact and its dimensions; the error says what is not stored.
    fn base(&mut self, expr: Expr) -> std::result::Result<Expr, String> {
        let mut missing = None;
        let replaced = expr.transform_down(|node| {
            if let Some(key) = self.rollup.compiled.keys.iter().find(|key| key.base == node) {
                let column = Expr::Column(qualified(rollup::ALIAS, key.column.clone()));
                return Ok(Transformed::new(column, true, TreeNodeRecursion::Jump));
            }
            if let Some(level) = self.time_level(&node) {
                return Ok(Transformed::new(level, true, TreeNodeRecursion::Jump));
            }
            match &node {
                Expr::Column(column) => {
                    let relation = column.relation.as_ref().map_or("", |relation| relation.table());
                    let join = self.cube.joins.iter().position(|join| join.alias == relation);
                    match join.filter(|join| {
                        let key = super::fact_column(&self.cube.joins[*join].on);
                        self.rollup.compiled.keys.iter().any(|stored| stored.base == key)
                    }) {
                        Some(join) => _ = self.joins.insert(join),
                        None => missing = Some(format!("`{}`", column.name)),
                    }
                }
                Expr::OuterReferenceColumn(..) => missing = Some("a correlated sub-select".to_owned()),
                Expr::ScalarSubquery(inner) if !inner.outer_ref_columns.is_empty() => {
                    missing = Some("a correlated sub-select".to_owned());
                }
                Expr::InSubquery(inner) if !inner.subquery.outer_ref_columns.is_empty() => {
                    missing = Some("a correlated sub-select".to_owned());
                }
                Expr::Exists(_) => missing = Some("a correlated sub-select".to_owned()),
                _ => {}
            }
            Ok(Transformed::no(node))
        });
        match (missing, replaced) {
            (Some(missing), _) => Err(missing),
            (None, Ok(replaced)) => Ok(replaced.data),
            (None, Err(error)) => Err(error.strip_backtrace()),
        }
    }

    /// A time level that nests in the rollup's own, over its period.
    fn time_level(&self, node: &Expr) -> Option<Expr> {
        let grain = self.rollup.compiled.unit?;
        let member = self.cube.members.iter().find(|member| member.role == "time" && member.base == *node)?;
        let (_, unit) = self.cube.time_levels().into_iter().find(|(name, _)| *name == member.name)?;
        let nests =
            unit == grain || matches!((grain, unit), ("day", _) | ("month", "quarter" | "year") | ("quarter", "year"));
        if !nests {
            return None;
        }
        let period = rollup::bucket();
        Some(if unit == grain { period } else { cast(date_trunc(lit(unit), period), DataType::Date32) })
    }
}

fn base(chain: &Chain, expr: &Expr) -> Checked<Expr> {
    chain.base(expr.clone()).map_err(|error| Reason("C4", "RESIDUAL_NOT_STORED", error.strip_backtrace()))
}

fn bucket_column(name: String) -> Expr {
    Expr::Column(qualified(rollup::BUCKETS, name))
}

fn close_column(n: usize) -> String {
    format!("asked_{n}")
}

fn inside_column(n: usize) -> String {
    format!("inside_{n}")
}

fn day(days: i32) -> Expr {
    lit(ScalarValue::Date32(Some(days)))
}
