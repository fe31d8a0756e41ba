//! Return on investment (E02): cases of costs and benefits, and what they come to.
//!
//! A case is a `draft` until a reviewer who did not write it last approves it, with the result of exactly what it says; then it
//! is closed, and a re-forecast is a new version. The **result** is a record of its own, computed and never typed: it names the
//! case's version, its digest, the random start and the version of the arithmetic, so that the same can be computed again.
//!
//! A benefit that stands on a measured fact claims it for each of its months. A second claim, of whichever case, is refused and
//! told whose the first one is.

mod appraisal;
mod case;
mod result;
mod rules;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Float64Type};
use serde_json::Value;
use tokio::task::JoinSet;

use super::record::{Checked, Draft, Fault, Kind, Refused, document, faults};
use super::table::days;
use super::{ASSESSOR, Evaluation, REVIEWER};
use crate::auth::Principal;
use crate::catalog::RecordRow;
use crate::error::{Code, Error, Result};
use crate::query::{Face, Statement};

pub use appraisal::{appraise_case, readings};
pub use case::{Case, Category, Correlation, Form, Line, MOST_PERIODS, Period, Scenario, Status, Terms, spread};
pub use result::{
    Answer, Bar, BreakEven, CaseResult, Estimate, Figures, Flow, LineWorth, METHOD, Point, ReadingFigures,
    ScenarioFigures, Simulated, Spread, Tracking, reason,
};
pub(super) use tables::TABLES;

/// Kind of a case.
pub const CASE: &str = "roi_case";
/// Kind of its result, under the same id.
pub const RESULT: &str = "roi_result";

/// Most rows of a statement that measures a benefit.
const MEASURED_ROWS: u64 = 10_000;

/// Cases.
#[derive(Debug)]
pub struct CaseKind;

/// Results of cases.
#[derive(Debug)]
pub struct ResultKind;

/// The case of a record.
///
/// # Errors
/// An older program wrote it in another form.
pub fn case_of(row: &RecordRow) -> Result<Case> {
    serde_json::from_value(row.body.clone()).map_err(|error| Error::internal("a case cannot be read", error))
}

/// Whether a version of a case is an approved one.
pub fn is_approved(body: &Value) -> bool {
    body["status"] == Status::Approved.as_str()
}

fn closed(id: &str) -> Refused {
    Refused::Closed(format!("Case `{id}` is approved; a reviewer opens it again for a re-forecast."))
}

fn kept(case: &Case, claims: Vec<String>) -> Result<Checked, Refused> {
    let body = serde_json::to_value(case).map_err(|error| Error::internal("a case cannot be written", error))?;
    Ok(Checked { organisation: case.organisation.clone(), body, claims })
}

/// Refuses what may not be done.
fn may(holds: bool, text: &str) -> Result<(), Refused> {
    if holds { Ok(()) } else { Err(Error::new(Code::Denied, text).into()) }
}

impl Kind for CaseKind {
    fn name(&self) -> &'static str {
        CASE
    }

    fn writers(&self) -> &'static [&'static str] {
        &[ASSESSOR, REVIEWER]
    }

    fn check(&self, draft: &Draft<'_>, body: Value) -> Result<Checked, Refused> {
        let model = &draft.view.definitions.roi;
        if model.cases.iter().any(|case| *case.key == *draft.id) {
            return Err(Refused::Closed(format!("Case `{}` is shipped to read; nobody changes it.", draft.id)));
        }
        let before = draft.before.map(case_of).transpose()?;
        if before.as_ref().is_some_and(|before| before.status == Status::Approved) {
            return Err(closed(draft.id));
        }
        let mut case: Case = document(body)?;
        case.status = Status::Draft;
        case.fill(model);
        let mut found = case.faults(model);
        if draft.id.contains('/') {
            found.push(Fault { field: "id".to_owned(), value: draft.id.to_owned(), rule: "id" });
        }
        if before.is_some_and(|before| before.organisation != case.organisation) {
            found.extend(faults("organisation", &case.organisation, "fixed"));
        }
        if !found.is_empty() {
            return Err(found.into());
        }
        let claims = case.claims(model);
        kept(&case, claims)
    }

    fn act(&self, draft: &Draft<'_>, action: &str, reason: &str) -> Result<Checked, Refused> {
        let row = draft.before.ok_or_else(|| super::missing(CASE, draft.id))?;
        let mut case = case_of(row)?;
        match action {
            "approve" => {
                may(draft.by.has_role(REVIEWER), "A case is approved by a `reviewer`.")?;
                if case.status == Status::Approved {
                    return Err(closed(draft.id));
                }
                let wrote = draft.view.writers(CASE, draft.id, is_approved);
                may(
                    !wrote.contains(&draft.by.name),
                    "Who wrote any of it since the last approval does not approve it.",
                )?;
                let result: Option<CaseResult> = draft.view.read(RESULT, draft.id);
                let holds = match &result {
                    Some(result) => result.holds_for(&case)?,
                    None => false,
                };
                if !holds {
                    return Err(faults("do", action, "computed").into());
                }
                case.status = Status::Approved;
            }
            "reopen" => {
                may(draft.by.has_role(REVIEWER), "An approved case is opened again by a `reviewer`.")?;
                if case.status != Status::Approved {
                    return Err(faults("do", action, "action").into());
                }
                super::required("reason", reason)?;
                case.status = Status::Draft;
            }
            _ => return Err(faults("do", action, "action").into()),
        }
        let claims = case.claims(&draft.view.definitions.roi);
        kept(&case, claims)
    }
}

impl Kind for ResultKind {
    fn name(&self) -> &'static str {
        RESULT
    }

    fn writers(&self) -> &'static [&'static str] {
        &[]
    }

    fn check(&self, draft: &Draft<'_>, _: Value) -> Result<Checked, Refused> {
        Err(Refused::Closed(format!("The result of `{}` is computed; nobody writes it.", draft.id)))
    }
}

/// Computes what a case comes to as it stands, and keeps it.
///
/// # Errors
/// `NO_SUCH_OBJECT`; `DENIED` for who may not write cases; `BAD_REQUEST` where the amounts leave the range of numbers.
pub async fn compute(evaluation: &Evaluation, principal: &Principal, id: &str) -> Result<RecordRow, Refused> {
    writes(principal)?;
    let view = evaluation.view(principal).await?;
    let row = view.record(CASE, id).ok_or_else(|| super::missing(CASE, id))?;
    let case = case_of(row)?;
    let (version, digest) = (row.version, case.digest()?);
    // One at a time: draws take a core for as long as they take.
    let _turn = evaluation.computing.acquire().await;
    let definitions = Arc::clone(&evaluation.book.definitions);
    // Ten thousand draws take a good part of a second: not on a thread that serves connections.
    let mut task = JoinSet::new();
    task.spawn_blocking(move || appraise_case(&case, &definitions.roi));
    let appraised = match task.join_next().await {
        Some(Ok(appraised)) => appraised,
        Some(Err(error)) => return Err(Error::internal("a case could not be computed", error).into()),
        None => return Err(Error::internal("a case could not be computed", "nothing was begun").into()),
    };
    let appraised =
        appraised.map_err(|failure| Error::new(Code::BadRequest, format!("The case has no figures: {failure}.")))?;
    let result = CaseResult { case_version: version, digest, ..appraised };
    let body = serde_json::to_value(&result).map_err(|error| Error::internal("a result cannot be written", error))?;
    let checked = Checked { organisation: result.organisation.clone(), body, claims: Vec::new() };
    let after = view.record(RESULT, id).map_or(0, |row| row.version);
    evaluation.keep(principal, &ResultKind, id, after, checked, "").await
}

/// Fills in what came in periods that are over: runs the statements that measure the benefits of a draft, with what the rights of
/// whoever asks give of the case's own organisation (anybody of it may have written them, and reads what they give), and takes off
/// their baselines. Periods of which a statement says nothing keep what stands there.
///
/// # Errors
/// `DENIED` for who may not write cases or run statements; what a statement breaks, with its line; as a `put` else.
pub async fn refresh(
    evaluation: &Evaluation,
    principal: &Principal,
    id: &str,
    after: u32,
    reason: &str,
) -> Result<RecordRow, Refused> {
    writes(principal)?;
    may(evaluation.door.may_query(principal), "Your roles do not allow statements.")?;
    let view = evaluation.view(principal).await?;
    let row = view.record(CASE, id).ok_or_else(|| super::missing(CASE, id))?;
    let mut case = case_of(row)?;
    if case.status == Status::Approved {
        return Err(closed(id));
    }
    let asking = super::within(principal, &case.organisation);
    let as_of = evaluation.door.head().await?.as_of;
    for at in 0..case.lines.len() {
        let Some(line) = case.lines.get(at) else { continue };
        let Some(sql) = line.statement.clone() else { continue };
        let statement = Statement { schema: Some(case.organisation.clone()), ..Statement::new(sql) };
        let named = |error: Error| {
            Error::new(error.code(), format!("line `{}`: {}", line.line, error.message())).caused_by(error)
        };
        let found = evaluation.door.collect(&asking, Face::Http, statement, MEASURED_ROWS).await.map_err(named)?;
        let mut sums = BTreeMap::new();
        for batch in &found.batches {
            measured(batch, &case, &mut sums).map_err(named)?;
        }
        let periods = case.periods;
        // The first day after each period.
        let ends: Vec<i32> = (0..periods).map(|no| days(case.period_start(no + 1))).collect();
        if let Some(line) = case.lines.get_mut(at) {
            let baseline = line.baseline.unwrap_or_default();
            line.actual.resize(periods, None);
            let over = |no: usize| ends.get(no).is_some_and(|end| *end <= as_of + 1);
            for (no, value) in sums.into_iter().filter(|(no, _)| over(*no)) {
                if let Some(cell) = line.actual.get_mut(no) {
                    *cell = Some(value - baseline);
                }
            }
        }
    }
    let body = serde_json::to_value(&case).map_err(|error| Error::internal("a case cannot be written", error))?;
    evaluation.put(principal, CASE, id, after, body, reason).await
}

/// Who computes and measures: whoever may write cases.
fn writes(principal: &Principal) -> Result<(), Refused> {
    let role = [ASSESSOR, REVIEWER].iter().any(|role| principal.has_role(role));
    may(role, "Cases are written by the roles `assessor`, `reviewer`.")
}

/// Adds the rows of a measuring statement to the periods in which their days lie.
fn measured(batch: &RecordBatch, case: &Case, sums: &mut BTreeMap<usize, f64>) -> Result<()> {
    let column = |name: &str, kind: &DataType| {
        let found = batch.column_by_name(name);
        let found =
            found.ok_or_else(|| Error::new(Code::BadRequest, format!("the statement gives no column `{name}`")))?;
        let wrong = |error| Error::new(Code::BadRequest, format!("column `{name}` is no {kind}")).caused_by(error);
        cast(found, kind).map_err(wrong)
    };
    let (period, value) = (column("period", &DataType::Date32)?, column("value", &DataType::Float64)?);
    let (period, value) = (period.as_primitive::<Date32Type>(), value.as_primitive::<Float64Type>());
    let starts: Vec<i32> = (1..=case.periods).map(|no| days(case.period_start(no))).collect();
    for row in (0..batch.num_rows()).filter(|row| period.is_valid(*row) && value.is_valid(*row)) {
        // Period 1 is the first; the last start is the end of the horizon.
        let no = starts.partition_point(|start| *start <= period.value(row));
        if (1..case.periods).contains(&no) && value.value(row).is_finite() {
            *sums.entry(no).or_default() += value.value(row);
        }
    }
    Ok(())
}
