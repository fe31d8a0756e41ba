//! Measuring: the statements of the project, run for all organisations, and what they gave kept as values.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::json;

use super::{Entry, MEASURED, Period, VALUE, Values, reviewers_only};
use crate::auth::Principal;
use crate::catalog::NewRecord;
use crate::error::{Code, Error};
use crate::evaluation::record::{Draft, Refused, check_id, faults, is_head_office};
use crate::evaluation::{Evaluation, measuring};

/// Runs the statement of every KPI that has one, for the months that lie within these days, and keeps the values that
/// changed, all of them or none. Gives the ids of their records, in order. Only reviewers of head office measure: the
/// statements read the whole bank.
///
/// # Errors
/// A missing right; a statement that cannot run or does not give its columns, with its place; somebody who wrote
/// meanwhile.
pub async fn measure(
    evaluation: &Evaluation,
    principal: &Principal,
    from: Date,
    to: Date,
) -> Result<Vec<String>, Refused> {
    let view = evaluation.view(principal).await?;
    reviewers_only(&Draft { id: "", before: None, by: principal, view: &view })?;
    if !is_head_office(principal) {
        return Err(Error::new(Code::Denied, "KPIs are measured for the whole bank, by head office.").into());
    }
    if from > to {
        return Err(faults("to", &to.to_string(), "earlier").into());
    }
    let library = &view.definitions.library;
    let source = library.sources.iter().find(|source| *source.key == MEASURED).map(|source| source.key.value.clone());
    // By KPI and organisation.
    let mut measured: BTreeMap<(String, String), BTreeMap<String, Entry>> = BTreeMap::new();
    for (kpi, statement) in &view.definitions.statements.kpis {
        let parameters = [("from", from), ("to", to)];
        let given = measuring::run(&evaluation.door, principal, statement, &parameters).await?;
        for ((organisation, day), figure) in &given.figures {
            let Some(period) = day.map(Period::month) else {
                let text = format!("{}: the statement gives no column `period`", statement.place);
                return Err(Error::new(Code::Definition, text).into());
            };
            let within = from <= period.start() && period.end() <= to;
            // What was booked nowhere is nobody's value; it counts in head office's own row alone.
            let belongs = crate::evaluation::known(&view, None, 0, organisation).is_ok();
            let Some(value) = figure.value().filter(|_| within && belongs) else { continue };
            let entry = Entry {
                value: Some(value),
                numerator: Some(figure.numerator),
                denominator: figure.denominator,
                snapshot: Some(given.snapshot_id),
                query_id: Some(given.query_id.clone()),
                source: source.clone(),
                ..Entry::default()
            };
            let entries = measured.entry((kpi.clone(), organisation.clone())).or_default();
            entries.insert(period.to_string(), entry);
        }
    }

    let mut records = Vec::new();
    for ((kpi, organisation), entries) in measured {
        let id = format!("{kpi}/{organisation}");
        check_id(&id)?;
        let before = view.record(VALUE, &id);
        let known: Option<Values> = before.and_then(|row| serde_json::from_value(row.body.clone()).ok());
        let mut values = known.map(|known| known.values).unwrap_or_default();
        let mut changed = false;
        for (period, entry) in entries {
            // The same figure of a later snapshot says nothing new.
            if values.get(&period).is_none_or(|known| !is_same(known, &entry)) {
                values.insert(period, entry);
                changed = true;
            }
        }
        if changed {
            let body = json!(Values { kpi, organisation: organisation.clone(), values });
            records.push(NewRecord {
                kind: VALUE,
                id,
                after: before.map_or(0, |row| row.version),
                organisation,
                body,
                reason: "measured".to_owned(),
                recorded_by: principal.name.clone(),
                claims: Vec::new(),
            });
        }
    }
    let rows = evaluation.add(principal, &records).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

fn is_same(known: &Entry, new: &Entry) -> bool {
    // A number that was read back from its text may differ in its last bit.
    let same = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * b.abs(),
        (a, b) => a == b,
    };
    let figures = |entry: &Entry| [entry.value, entry.numerator, entry.denominator];
    !known.entered_by_hand && figures(known).into_iter().zip(figures(new)).all(|(a, b)| same(a, b))
}
