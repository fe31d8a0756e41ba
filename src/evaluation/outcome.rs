//! Outcome (E03): what KPIs were to reach and what they reached, scorecards over them, what a go-live changed, and the
//! issues and actions that follow from a missed target.
//!
//! What a KPI is stands in the library. Its targets and values are recorded by organisation and period. A value that a
//! statement measures is written by [`measure`] alone, with snapshot and statement; every other one is entered by
//! somebody and says so. An issue closes with its actions, an action with a verification.

mod figures;
mod issue;
mod measure;
mod period;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

pub use self::figures::{Effect, Judged, Ledger, Pacing, light_of};
pub use self::issue::{Action, ActionKind, ActionStatus, Issue, IssueKind, IssueStatus, Method, Verification, WHYS};
pub use self::measure::measure;
pub use self::period::Period;
pub(super) use self::tables::TABLES;
use super::record::{Checked, Draft, Fault, Kind, Refused, document, required};
use super::{ASSESSOR, REVIEWER};
use crate::analysis::Failure;
pub use crate::analysis::outcome::{Goal, Light, Pace, Score};
use crate::error::{Code, Error};
use crate::model::evaluation::scorecard::{Direction, Kpi, Library};

/// Kind of the targets of a KPI for an organisation: `kpi/organisation`.
pub const TARGET: &str = "kpi_target";
/// Kind of the values of a KPI of an organisation: `kpi/organisation`.
pub const VALUE: &str = "kpi_value";
/// Kind of an issue.
pub const ISSUE: &str = "issue";
/// Kind of an action that an issue asks for.
pub const ACTION: &str = "action";

/// The source that measured values are of, where the library names it.
const MEASURED: &str = "data_analysis";

/// The targets of a KPI for an organisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    pub kpi: String,
    pub organisation: String,
    /// Where it stood before the programme.
    #[serde(default)]
    pub baseline: Option<f64>,
    /// By period.
    #[serde(default)]
    pub targets: BTreeMap<String, Target>,
}

/// What a KPI is to reach in a period: a target, or for a KPI that is best within a range its ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Distance from the range at which nothing is left; the library's unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
}

/// The values of a KPI of an organisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Values {
    pub kpi: String,
    pub organisation: String,
    /// By period.
    #[serde(default)]
    pub values: BTreeMap<String, Entry>,
}

/// The value of a period, and where it comes from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Follows from the numerator where there is one; always there once it is recorded.
    #[serde(default)]
    pub value: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numerator: Option<f64>,
    /// What the numerator is divided by; none: it is no ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denominator: Option<f64>,
    /// The snapshot that it was measured at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<i64>,
    /// The statement in `system.queries`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_id: Option<String>,
    #[serde(default)]
    pub entered_by_hand: bool,
    /// Key of a source of the library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What stands behind a value that somebody entered: a link, or words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// Targets.
#[derive(Debug)]
pub struct TargetKind;

impl Kind for TargetKind {
    fn name(&self) -> &'static str {
        TARGET
    }

    fn writers(&self) -> &'static [&'static str] {
        &[REVIEWER]
    }

    fn check(&self, draft: &Draft<'_>, body: Json) -> Result<Checked, Refused> {
        let new: Targets = document(body)?;
        let library = &draft.view.definitions.library;
        let mut found = pair(draft.id, library, &new.kpi, &new.organisation);
        if let Some(baseline) = new.baseline.filter(|baseline| !baseline.is_finite()) {
            found.push(fault("baseline", &baseline.to_string(), "number"));
        }
        for (period, target) in &new.targets {
            if Period::parse(period).is_none() {
                found.push(fault(&format!("targets.{period}"), period, "period"));
            }
            if let Some(kpi) = library.kpi(&new.kpi) {
                found.extend(target_faults(kpi, period, target));
            }
        }
        checked(found, &new.organisation, json!(new))
    }
}

/// A range has two ends, every other KPI one target.
fn target_faults(kpi: &Kpi, period: &str, target: &Target) -> Vec<Fault> {
    let Target { target: wanted, low, high, tolerance } = *target;
    let mut found = Vec::new();
    let mut add = |field: &str, value: Option<f64>, rule| {
        let value = value.map(|value| value.to_string()).unwrap_or_default();
        found.push(fault(&format!("targets.{period}.{field}"), &value, rule));
    };
    for (field, value) in [("target", wanted), ("low", low), ("high", high), ("tolerance", tolerance)] {
        if value.is_some_and(|value| !value.is_finite()) {
            add(field, value, "number");
        }
    }
    match kpi.direction {
        Direction::Range { .. } => {
            if wanted.is_some() {
                add("target", wanted, "target_form");
            }
            match (low, high) {
                (Some(low), Some(high)) if low > high => add("high", Some(high), "order"),
                (Some(_), Some(_)) => {}
                (None, _) => add("low", None, "required"),
                (_, None) => add("high", None, "required"),
            }
            if tolerance.is_some_and(|tolerance| tolerance < 0.0) {
                add("tolerance", tolerance, "negative");
            }
        }
        Direction::Higher | Direction::Lower => {
            if wanted.is_none() {
                add("target", None, "required");
            }
            for (field, value) in [("low", low), ("high", high), ("tolerance", tolerance)] {
                if value.is_some() {
                    add(field, value, "target_form");
                }
            }
        }
    }
    found
}

/// Values.
#[derive(Debug)]
pub struct ValueKind;

impl Kind for ValueKind {
    fn name(&self) -> &'static str {
        VALUE
    }

    fn writers(&self) -> &'static [&'static str] {
        &[ASSESSOR, REVIEWER]
    }

    /// By hand. What a statement measures stays as it was measured.
    fn check(&self, draft: &Draft<'_>, body: Json) -> Result<Checked, Refused> {
        let mut new: Values = document(body)?;
        let definitions = &draft.view.definitions;
        let mut found = pair(draft.id, &definitions.library, &new.kpi, &new.organisation);
        if definitions.statements.kpis.contains_key(&new.kpi) {
            found.push(fault("kpi", &new.kpi, "by_statement"));
        }
        let before: Option<Values> = draft.before.and_then(|row| serde_json::from_value(row.body.clone()).ok());
        let before = before.map(|before| before.values).unwrap_or_default();
        for (period, entry) in new.values.iter_mut() {
            let known = before.get(period);
            if known.is_some_and(|known| *known == *entry) {
                continue;
            }
            if Period::parse(period).is_none() {
                found.push(fault(&format!("values.{period}"), period, "period"));
            }
            if known.is_some_and(|known| !known.entered_by_hand) {
                found.push(fault(&format!("values.{period}"), period, "by_statement"));
            }
            *entry = Entry { entered_by_hand: true, snapshot: None, query_id: None, ..entry.clone() };
            found.extend(complete(entry, period, &definitions.library));
        }
        for (period, measured) in before.into_iter().filter(|(_, entry)| !entry.entered_by_hand) {
            new.values.entry(period).or_insert(measured);
        }
        checked(found, &new.organisation, json!(new))
    }
}

/// Fills in the value of numerator and denominator, and says what is wrong with an entry.
fn complete(entry: &mut Entry, period: &str, library: &Library) -> Vec<Fault> {
    let mut found = Vec::new();
    let mut add = |field: &str, value: String, rule| {
        found.push(fault(&format!("values.{period}.{field}"), &value, rule));
    };
    let text = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    match (entry.numerator, entry.denominator) {
        (Some(_), Some(denominator)) if denominator <= 0.0 => add("denominator", text(entry.denominator), "positive"),
        (Some(numerator), Some(denominator)) => entry.value = Some(numerator / denominator),
        (Some(numerator), None) => entry.value = Some(numerator),
        (None, Some(_)) => add("numerator", String::new(), "required"),
        (None, None) if entry.value.is_none() => add("value", String::new(), "required"),
        (None, None) => {}
    }
    let numbers = [("value", entry.value), ("numerator", entry.numerator), ("denominator", entry.denominator)];
    for (field, value) in numbers {
        if value.is_some_and(|value| !value.is_finite()) {
            add(field, text(value), "number");
        }
    }
    if let Some(source) = &entry.source
        && !library.sources.iter().any(|known| *known.key == *source)
    {
        add("source", source.clone(), "unknown");
    }
    found
}

/// What is wrong with the KPI and organisation of a record, which its id repeats.
fn pair(id: &str, library: &Library, kpi: &str, organisation: &str) -> Vec<Fault> {
    let mut found = required("organisation", organisation).err().unwrap_or_default();
    if library.kpi(kpi).is_none() {
        found.push(fault("kpi", kpi, "unknown"));
    }
    if id != format!("{kpi}/{organisation}") {
        found.push(fault("id", id, "pair"));
    }
    found
}

pub(super) fn fault(field: &str, value: &str, rule: &'static str) -> Fault {
    Fault { field: field.to_owned(), value: value.to_owned(), rule }
}

/// A document without faults, or its faults.
pub(super) fn checked(found: Vec<Fault>, organisation: &str, body: Json) -> Result<Checked, Refused> {
    match found.is_empty() {
        true => Ok(Checked { organisation: organisation.to_owned(), body, claims: Vec::new() }),
        false => Err(found.into()),
    }
}

/// Refuses a step to whoever does not review.
pub(super) fn reviewers_only(draft: &Draft<'_>) -> Result<(), Refused> {
    match draft.by.has_role(REVIEWER) {
        true => Ok(()),
        false => Err(Error::new(Code::Denied, "This step is taken by somebody with the role `reviewer`.").into()),
    }
}

/// Why there is no figure, as the code by which message files name it.
pub(super) fn code(failure: &Failure) -> &'static str {
    match failure {
        Failure::Degenerate(reason) | Failure::BadInput { reason, .. } => reason.code(),
        Failure::TooLittleData { .. } => "too_little_data",
        Failure::NotConverged { .. } => "not_converged",
    }
}
