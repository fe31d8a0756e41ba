//! Alerts: figures of a report that somebody is told of when they cross a threshold, and when that is over.

use std::collections::BTreeMap;

use super::decode::{format, to};
use super::{Format, Report, To};
use crate::model::shape::{Fields, did_you_mean};
use crate::model::{Diagnostic, Label, Located, Place};

/// Evaluations that `for` may ask for.
const MOST_RUNS: u32 = 100;

/// A condition on the rows of a dataset, looked at whenever new data are there.
#[derive(Debug, Clone)]
pub struct Alert {
    /// Its name within the report.
    pub id: Located<String>,
    /// What it is about; may be empty.
    pub title: Label,
    pub dataset: Located<String>,
    /// The column whose values have a state each; none: the dataset has one row.
    pub each: Option<Located<String>>,
    /// The column with what such a row is called.
    pub label: Option<Located<String>>,
    /// Judged in every branch beside head office, each with its own rows.
    pub burst: bool,
    /// The role whose rights it is judged with.
    pub role: Located<String>,
    /// The column that is judged.
    pub value: Located<String>,
    pub raise: Condition,
    /// Evaluations in a row in which `raise` must hold.
    pub runs: u32,
    /// Over as soon as `raise` does not hold, unless stated.
    pub clear: Option<Clear>,
    pub format: Format,
    /// Who is told.
    pub to: Vec<To>,
}

/// When an alert is raised. Limits are decimals as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    Above(String),
    Below(String),
    /// Below the first or above the second.
    Outside(String, String),
    /// Different from another column by more than so many percent of that.
    Change {
        against: String,
        percent: String,
    },
    /// No row, or no value.
    Missing,
}

/// When an alert is over: never on the side where it is raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clear {
    Above(String),
    Below(String),
    Inside(String, String),
    /// Different by fewer percent.
    Change(String),
}

/// An alert from its map. What is wrong is reported, and then what stands here is of no use.
pub(super) fn decode(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Alert {
    let raise = fields.map("raise");
    let clear = fields.map("clear");
    let (condition, runs, value) = match &raise {
        Some(raise) => (condition(raise, faults), runs(raise, faults), raise.needed("value")),
        None => (None, 1, Located { value: String::new(), place: fields.place().clone() }),
    };
    let over = clear.as_ref().and_then(|clear| over(clear, &value, condition.as_ref(), faults));
    Alert {
        id: fields.needed("id"),
        title: fields.label("title"),
        dataset: fields.needed("dataset"),
        each: fields.text("each"),
        label: fields.text("label"),
        burst: fields.boolean("burst"),
        role: fields.needed("role"),
        value,
        raise: condition.unwrap_or(Condition::Missing),
        runs,
        clear: over,
        format: format(fields),
        to: to(fields),
    }
}

/// `2 runs`.
fn runs(raise: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> u32 {
    let Some(text) = raise.text("for") else { return 1 };
    let number = text.trim().strip_suffix("runs").or_else(|| text.trim().strip_suffix("run"));
    let number = number.and_then(|number| number.trim().parse().ok()).filter(|runs| (1..=MOST_RUNS).contains(runs));
    number.unwrap_or_else(|| {
        let message = format!("`for` must be a number of runs up to {MOST_RUNS}, as `2 runs`, not `{}`", *text);
        faults.push(Diagnostic::new(&text.place, message));
        1
    })
}

/// The keys that say when an alert is raised.
const RAISE: [&str; 5] = ["above", "below", "outside", "change_above", "missing"];
/// The keys that say when it is over.
const CLEAR: [&str; 4] = ["above", "below", "inside", "change_below"];

/// The one key of several that is given.
fn only<'a>(fields: &Fields<'_>, what: &str, keys: &[&'a str], faults: &mut Vec<Diagnostic>) -> Option<&'a str> {
    let given: Vec<&'a str> = keys.iter().copied().filter(|key| fields.given(key).is_some()).collect();
    match given.as_slice() {
        [one] => Some(*one),
        _ => {
            let listed = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            let message = format!("`{what}` has exactly one of {listed}");
            faults.push(Diagnostic::new(fields.place(), message));
            None
        }
    }
}

fn condition(raise: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Option<Condition> {
    let limit = |key: &str| raise.text(key).map(|limit| limit.value);
    match only(raise, "raise", &RAISE, faults)? {
        "above" => limit("above").map(Condition::Above),
        "below" => limit("below").map(Condition::Below),
        "outside" => pair(raise, "outside", faults).map(|(low, high)| Condition::Outside(low, high)),
        "change_above" => {
            let change = raise.map("change_above")?;
            let percent = change.text("percent")?;
            if number(&percent) < 0.0 {
                faults.push(Diagnostic::new(&percent.place, "`percent` is counted up and down, so it is not negative"));
            }
            Some(Condition::Change { against: change.needed("against").value, percent: percent.value })
        }
        _ => match raise.boolean("missing") {
            true => Some(Condition::Missing),
            false => {
                faults.push(Diagnostic::new(raise.place(), "`missing: false` says nothing: leave the key out"));
                None
            }
        },
    }
}

/// Two decimals, the first not above the second.
fn pair(fields: &Fields<'_>, key: &str, faults: &mut Vec<Diagnostic>) -> Option<(String, String)> {
    match fields.texts(key).as_slice() {
        [low, high] if number(low) <= number(high) => Some((low.value.clone(), high.value.clone())),
        _ => {
            let place = fields.given(key).unwrap_or_else(|| fields.place());
            let message = format!("`{key}` must be two figures, the lower first, as `[-5, 5]`");
            faults.push(Diagnostic::new(place, message));
            None
        }
    }
}

/// When it is over, which must lie where it is not raised: between both is the room in which a state stays as it is.
fn over(
    clear: &Fields<'_>,
    value: &Located<String>,
    raise: Option<&Condition>,
    faults: &mut Vec<Diagnostic>,
) -> Option<Clear> {
    let key = only(clear, "clear", &CLEAR, faults)?;
    if let Some(own) = clear.text("value").filter(|own| **own != **value) {
        let message = format!("`clear` looks at the column of `raise`, `{}`, not at `{}`", **value, *own);
        faults.push(Diagnostic::new(&own.place, message));
    }
    let place: &Place = clear.given(key).unwrap_or_else(|| clear.place());
    let limit = |key: &str| clear.text(key).map(|limit| limit.value);
    let raise = raise?;
    let over = match key {
        "above" => Clear::Above(limit("above")?),
        "below" => Clear::Below(limit("below")?),
        "inside" => pair(clear, "inside", faults).map(|(low, high)| Clear::Inside(low, high))?,
        _ => Clear::Change(limit("change_below")?),
    };
    let wrong = match (raise, &over) {
        (Condition::Below(raise), Clear::Above(clear)) => {
            (number(clear) < number(raise)).then(|| format!("`above` must not lie below `raise`, {raise}"))
        }
        (Condition::Above(raise), Clear::Below(clear)) => {
            (number(clear) > number(raise)).then(|| format!("`below` must not lie above `raise`, {raise}"))
        }
        (Condition::Outside(low, high), Clear::Inside(from, to)) => (number(from) < number(low)
            || number(to) > number(high))
        .then(|| format!("`inside` must lie within `raise`, [{low}, {high}]")),
        (Condition::Change { percent, .. }, Clear::Change(clear)) => {
            (number(clear) > number(percent)).then(|| format!("`change_below` must not lie above `raise`, {percent}"))
        }
        (raise, _) => Some(match raise {
            Condition::Above(_) => "of `raise: {above}` the other side is `clear: {below}`".to_owned(),
            Condition::Below(_) => "of `raise: {below}` the other side is `clear: {above}`".to_owned(),
            Condition::Outside(..) => "of `raise: {outside}` the other side is `clear: {inside}`".to_owned(),
            Condition::Change { .. } => {
                "of `raise: {change_above}` the other side is `clear: {change_below}`".to_owned()
            }
            Condition::Missing => "what was missing is over when it is there: leave `clear` out".to_owned(),
        }),
    };
    if let Some(message) = wrong {
        faults.push(Diagnostic::new(place, message));
    }
    Some(over)
}

/// A limit, to tell which of two is larger: for that a float is exact enough.
fn number(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

/// What must hold between alerts and the rest of the report.
pub(super) fn validate(report: &Report, faults: &mut Vec<Diagnostic>) {
    let mut ids: BTreeMap<&str, u32> = BTreeMap::new();
    for alert in &report.alerts {
        let mut fault = |place: &Place, message: String| faults.push(Diagnostic::new(place, message));
        if let Some(line) = ids.get(alert.id.as_str()) {
            fault(&alert.id.place, format!("the alert `{}` is given twice, first on line {line}", *alert.id));
        } else if !alert.id.is_empty() {
            ids.insert(&alert.id, alert.id.place.line);
        }
        if alert.title.values().any(|text| text.contains('{')) {
            fault(
                &alert.id.place,
                format!("alert `{}`: its title is said as it stands, without placeholders", *alert.id),
            );
        }
        if let (Some(label), None) = (&alert.label, &alert.each) {
            fault(&label.place, "`label` says what the rows of `each` are called, and there is no `each`".into());
        }
        let dataset = report.datasets.iter().find(|dataset| *dataset.name == *alert.dataset);
        match (dataset, &alert.each) {
            (None, _) if !alert.dataset.is_empty() => {
                let hint = did_you_mean(&alert.dataset, report.datasets.iter().map(|dataset| dataset.name.as_str()));
                fault(&alert.dataset.place, format!("there is no dataset `{}`{hint}", *alert.dataset));
            }
            (Some(dataset), None) if dataset.max_rows != 1 => fault(
                &alert.dataset.place,
                format!("without `each` an alert needs a dataset of one row, which `{}` is not", *alert.dataset),
            ),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
