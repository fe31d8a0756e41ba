//! Small groups: whoever may not see single persons is not told figures that are about a few of them.
//!
//! A statement over a cube with `disclosure` is an aggregate that the engine can judge: keys are columns, conditions compare a
//! column with values, figures are of all persons of a group. Its own answer gets a hidden count of distinct persons beside
//! it. Where it has conditions, a second question counts the persons of every value that they distinguish, whether they let
//! it through or not: groups with a few persons, and those that would give them away by subtraction, are hidden there first,
//! and an answer that stands on a hidden one is hidden with it. So `all` less `all but these` is not an answer about these.
//!
//! What stays: statements by different columns are judged each by itself, so tables that share a margin can still be played
//! off against each other in their sums.

use std::collections::BTreeSet;

use datafusion::common::{Column, DFSchema};
use datafusion::execution::session_state::SessionState;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, lit};

use super::measure::Fold;
use super::navigator::Navigation;
use super::question::Question;
use super::rewrite::{Call, Chain, internal};
use super::sight::is_leakproof;
use super::{CompiledCube, CompiledMeasure, LEAF, qualified};
use crate::engine::{SmallGroups, without_small_groups};
use crate::error::{Code, Error, Result};
use crate::model::cube::{Derived, State, TimeRule};

/// Name of the hidden count.
const PERSONS: &str = "__persons";
/// Columns of a statement. Groups are judged along each choice of them, of which there are twice as many for each more.
const MOST_COLUMNS: usize = 8;

/// What a cube says of small groups, resolved.
#[derive(Debug, Clone)]
pub(super) struct Disclosure {
    /// The person of a fact, over the fact and its dimensions.
    pub(super) persons: Expr,
    /// Fewest persons of a group whose figures are given.
    pub(super) minimum: u64,
}

impl CompiledCube {
    /// What its definition says of small groups.
    pub(super) fn disclosure(&self) -> Option<Disclosure> {
        let declared = self.cube.disclosure.as_ref()?;
        let mut joins = self.cube.joins.iter().zip(&self.joins);
        let (_, join) =
            joins.find(|(join, _)| *join.role.as_ref().unwrap_or(&join.dimension).value == *declared.persons.value)?;
        let durable = join.dimension.durable.as_ref().unwrap_or(&join.dimension.key);
        Some(Disclosure { persons: Expr::Column(qualified(&join.alias, durable.as_str())), minimum: declared.minimum })
    }
}

/// The plan of a question whose small groups are left out.
///
/// Errors: `NOT_ALLOWED` for what cannot be judged.
pub(super) fn plan(
    question: Question<'_>,
    disclosure: &Disclosure,
    session: &SessionState,
    navigation: &mut Navigation,
) -> Result<LogicalPlan> {
    if question.sets.is_some() {
        return Err(refused("takes one grouping at a time: ask each grouping set by itself"));
    }
    for call in &question.calls {
        judge(call, question.chain)?;
    }
    let columns = columns(&question)?;
    let rounded = question.calls.iter().map(is_count).collect();
    let persons =
        || Call::Fold { fold: Fold::Distinct, input: Some(disclosure.persons.clone()), conditions: Vec::new() };
    let Question { chain, keys, mut calls, mut names, .. } = question;
    let told = match chain.conditions.is_empty() {
        true => None,
        false => {
            let unfiltered = Chain { conditions: Vec::new(), ..chain.clone() };
            let named = |name: &String| Expr::Column(qualified(LEAF, name));
            let others = columns.iter().map(named).filter(|column| !keys.contains(column)).collect::<Vec<_>>();
            let condition = conjunction(chain.conditions.iter().cloned()).unwrap_or_else(|| lit(true));
            let keys: Vec<Expr> =
                keys.iter().cloned().chain(others).chain([coalesce(vec![condition, lit(false)])]).collect();
            let names = (0..keys.len()).map(|n| (None, format!("__cell_{n}"))).chain([(None, PERSONS.to_owned())]);
            let names = names.collect();
            Some(
                Question { chain: &unfiltered, keys, sets: None, calls: vec![persons()], names }
                    .plan(session, navigation)?,
            )
        }
    };
    let groups = SmallGroups { keys: keys.len(), minimum: disclosure.minimum, rounded };
    calls.push(persons());
    names.push((None, PERSONS.to_owned()));
    let answer = Question { chain, keys, sets: None, calls, names }.plan(session, navigation)?;
    without_small_groups(groups, answer, told).map_err(internal)
}

/// The columns that tell the groups of a statement apart: its keys, and those of its conditions.
///
/// A key or condition of the statement's own making would put persons together as it likes, and by an error tell whether
/// there are any.
fn columns(question: &Question<'_>) -> Result<BTreeSet<String>> {
    let mut columns = BTreeSet::new();
    for key in &question.keys {
        match key {
            Expr::Column(Column { name, .. }) => columns.insert(name.clone()),
            _ => return Err(refused("groups by its columns as they are, with no expression over them")),
        };
    }
    let chain = question.chain;
    let schema = DFSchema::try_from_qualified_schema(LEAF, &chain.binding.cube.schema()).map_err(internal)?;
    for condition in &chain.conditions {
        if !is_leakproof(condition, &schema) {
            return Err(refused(
                "takes conditions that compare a column with values of its type (a date as `DATE '2025-01-31'`), with `AND` \
                 between",
            ));
        }
        columns.extend(condition.column_refs().into_iter().map(|column| column.name.clone()));
    }
    match columns.len() > MOST_COLUMNS {
        true => {
            Err(refused(&format!("tells groups apart by at most {MOST_COLUMNS} columns, keys and conditions together")))
        }
        false => Ok(columns),
    }
}

/// Whether a call can be told of a group: a figure of all its persons, not of one of them or of some.
fn judge(call: &Call<'_>, chain: &Chain) -> Result<()> {
    match call {
        Call::Fold { fold: Fold::Rows, conditions, .. } if conditions.is_empty() => Ok(()),
        Call::Fold { fold: Fold::Distinct, input: Some(Expr::Column(_)), conditions } if conditions.is_empty() => {
            Ok(())
        }
        Call::Measure { measure, conditions, or_zero: None } if conditions.is_empty() => {
            match is_of_all(measure, &chain.binding.cube) {
                true => Ok(()),
                false => Err(refused(&format!(
                    "gives sums and counts over all days of a question, and what is made of them; `{}` is none",
                    *measure.measure.name
                ))),
            }
        }
        Call::Measure { .. } | Call::Fold { fold: Fold::Rows | Fold::Distinct, .. } => {
            Err(refused("takes its conditions in `WHERE`, not in a single aggregate"))
        }
        Call::Fold { .. } | Call::Other(_) | Call::Grouping(_) => {
            Err(refused("gives its measures, `COUNT(*)` and `COUNT(DISTINCT column)`"))
        }
    }
}

/// Whether a measure is a figure of all persons of a group, and so is what it is made of.
fn is_of_all(measure: &CompiledMeasure, cube: &CompiledCube) -> bool {
    let mut of_all = match measure.measure.derived() {
        // Of a balance at the close only those count who are there on that day, and the persons are those of the period.
        None => {
            !matches!(measure.measure.state, State::Min { .. } | State::Max { .. })
                && matches!(measure.measure.time, TimeRule::All)
        }
        Some(Derived::Calculated { .. }) => true,
        Some(_) => false,
    };
    if measure.measure.derived().is_some() {
        for column in measure.inputs.iter().flat_map(Expr::column_refs) {
            of_all &= cube.measure(&column.name).is_some_and(|part| is_of_all(part, cube));
        }
    }
    of_all
}

/// Whether a call counts something.
fn is_count(call: &Call<'_>) -> bool {
    match call {
        Call::Fold { fold: Fold::Rows | Fold::Distinct, .. } => true,
        Call::Measure { measure, .. } => {
            matches!(measure.measure.state, State::Count { .. } | State::Distinct { .. })
                && measure.measure.derived().is_none()
        }
        _ => false,
    }
}

/// For what an answer without single persons cannot be made of.
pub(super) fn refused(what: &str) -> Error {
    Error::new(Code::NotAllowed, format!("your roles show no single persons, and this cube then {what}"))
}
