//! `/evaluation`: how mature the programme is, whether it pays, what it achieved, how far it has come; and the forms for it.
//!
//! What may be seen and written is decided by `evaluation`; here stand forms. One that is refused comes back with all that was
//! typed, and says of which field which rule was broken.

pub(in crate::server::http) mod maturity;
pub(in crate::server::http) mod outcome;
pub(in crate::server::http) mod projects;
pub(in crate::server::http) mod roi;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::admin::{Fields, minute};
use super::editions::{Reader, Select, percent};
use super::{Frame, render};
use crate::catalog::RecordRow;
use crate::error::{Code, Error, Result};
use crate::evaluation::maturity::{ASSESSMENT, Assessment, Status, open_items};
use crate::evaluation::{ASSESSOR, HEAD_OFFICE, REVIEWER, Refused, View};
use crate::locale::{Lang, Value, message};
use crate::server::http::error::{Failure, status_of};

/// The pages, in the order of their tabs.
const PAGES: &[(&str, &str)] = &[
    ("/evaluation", "evaluation-due"),
    ("/evaluation/maturity", "evaluation-maturity"),
    ("/evaluation/roi", "evaluation-roi"),
    ("/evaluation/outcome", "evaluation-outcome"),
    ("/evaluation/issues", "evaluation-issues"),
    ("/evaluation/projects", "evaluation-projects"),
];

/// What was done, by the word that stands in the address.
const DONE: &[(&str, &str)] = &[
    ("saved", "evaluation-done-saved"),
    ("submitted", "evaluation-done-submitted"),
    ("reviewed", "evaluation-done-reviewed"),
    ("returned", "evaluation-done-returned"),
    ("locked", "evaluation-done-locked"),
    ("measured", "evaluation-done-measured"),
    ("computed", "evaluation-done-computed"),
    ("approved", "evaluation-done-approved"),
    ("reopened", "evaluation-done-reopened"),
    ("created", "evaluation-done-created"),
    ("step", "evaluation-done-step"),
];

/// An entry of the pages' own navigation.
pub(super) struct Tab {
    pub(super) href: &'static str,
    pub(super) title: &'static str,
    pub(super) current: bool,
}

pub(super) fn tabs(_: &Reader, here: &str) -> Vec<Tab> {
    PAGES.iter().map(|(href, title)| Tab { href, title, current: *href == here }).collect()
}

/// The words for what was done, where the address says so.
pub(super) fn notice(reader: &Reader) -> Option<String> {
    let done = reader.asked.get("done");
    DONE.iter().find(|(word, _)| *word == done).map(|(_, key)| reader.word(key))
}

/// Back to a page, which says what was done; a reload of it does nothing again.
pub(super) fn done(page: &str, what: &str) -> Response {
    let mark = if page.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{page}{mark}done={what}")).into_response()
}

/// Why a form did nothing.
pub(super) struct Trouble {
    /// What is wrong with all of it.
    pub(super) text: Option<String>,
    /// Field and rule in words.
    pub(super) faults: Vec<(String, String)>,
    pub(super) status: StatusCode,
}

/// What a form is told; an error that is no answer to a form stays one.
pub(super) fn trouble(lang: Lang, refused: Refused) -> Result<Trouble, Failure> {
    let told = |status, text: String| Trouble { text: Some(text), faults: Vec::new(), status };
    let with = |key: &str, name: &str, value: &str| message(lang, key, &[(name, Value::Text(value))]);
    Ok(match refused {
        Refused::Faults(faults) => Trouble {
            text: None,
            faults: faults.into_iter().map(|fault| (fault.field.clone(), fault.words(lang))).collect(),
            status: StatusCode::BAD_REQUEST,
        },
        Refused::Outdated(row) => {
            told(StatusCode::PRECONDITION_FAILED, with("evaluation-fault-outdated", "name", &row.recorded_by))
        }
        Refused::Claimed { claim, by } => {
            let by = by.unwrap_or_else(|| message(lang, "evaluation-another-record", &[]));
            let arguments = [("claim", Value::Text(&claim)), ("by", Value::Text(&by))];
            told(StatusCode::CONFLICT, message(lang, "evaluation-fault-claimed", &arguments))
        }
        Refused::Closed(_) => told(StatusCode::CONFLICT, message(lang, "evaluation-fault-closed", &[])),
        Refused::Error(error) => match error.code() {
            Code::BadRequest => told(StatusCode::BAD_REQUEST, with("evaluation-fault-form", "text", error.message())),
            Code::Denied => told(status_of(Code::Denied), message(lang, "evaluation-fault-denied", &[])),
            _ => return Err(error.into()),
        },
    })
}

/// A page with what its form is told.
pub(super) fn show(trouble: Option<&Trouble>, page: &impl Template) -> Result<Response, Failure> {
    let mut response = render(page)?;
    if let Some(trouble) = trouble {
        *response.status_mut() = trouble.status;
    }
    Ok(response)
}

/// Organisations that somebody may write for.
pub(super) async fn organisations(reader: &Reader) -> Result<Vec<Select>, Failure> {
    let principal = &reader.caller.principal;
    let mut all = Vec::new();
    if principal.scope.branches().is_none() {
        all.push(Select { value: HEAD_OFFICE.to_owned(), label: reader.word("portal-head-office"), on: true });
    }
    let branches = match reader.app.services.door.branches_of(principal).await {
        Ok(branches) => branches,
        Err(error) if error.code() == Code::NoSnapshot => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    all.extend(branches.into_iter().map(|branch| Select { label: branch.name, value: branch.key, on: false }));
    Ok(all)
}

/// The name of an organisation.
pub(super) fn organisation_name(reader: &Reader, all: &[Select], key: &str) -> String {
    match all.iter().find(|one| one.value == key) {
        Some(one) => one.label.clone(),
        None if key == HEAD_OFFICE => reader.word("portal-head-office"),
        None => key.to_owned(),
    }
}

/// A change of a record, as pages show it.
pub(super) struct ChangeView {
    pub(super) at: String,
    pub(super) by: String,
    pub(super) field: String,
    pub(super) before: String,
    pub(super) after: String,
    pub(super) reason: String,
}

/// The newest changes of a record, the newest first.
pub(super) async fn history(reader: &Reader, kind: &str, id: &str) -> Result<Vec<ChangeView>, Failure> {
    const MOST: usize = 100;
    let found = reader.app.services.evaluation.history(&reader.caller.principal, kind, id).await?;
    let view = |change: crate::evaluation::Change| ChangeView {
        at: minute(change.recorded_at),
        by: change.recorded_by,
        field: change.field,
        before: change.before.unwrap_or_else(|| "–".to_owned()),
        after: change.after.unwrap_or_else(|| "–".to_owned()),
        reason: change.reason,
    };
    Ok(found.into_iter().rev().take(MOST).map(view).collect())
}

#[derive(Template)]
#[template(path = "server/http/pages/evaluation/hub.html")]
struct Hub {
    frame: Frame,
    tabs: Vec<Tab>,
    notice: Option<String>,
    trouble: Option<Trouble>,
    due: Vec<Due>,
    standing: Vec<(String, String)>,
}

/// Something that waits for this reader.
struct Due {
    href: String,
    what: String,
    detail: String,
}

/// `GET /evaluation`: what is due.
pub(in crate::server::http) async fn page(reader: Reader) -> Result<Response, Failure> {
    let view = reader.app.services.evaluation.view(&reader.caller.principal).await?;
    let all = organisations(&reader).await?;
    let due = due(&reader, &view, &all);
    let mut standing = Vec::new();
    for key in [ASSESSMENT, crate::evaluation::roi::CASE, "kpi_value", "issue", "action", "project"] {
        standing.push((reader.word(&format!("evaluation-kind-{key}")), view.of_kind(key).count().to_string()));
    }
    let (frame, tabs) = (reader.frame("evaluation"), tabs(&reader, "/evaluation"));
    render(&Hub { frame, tabs, notice: notice(&reader), trouble: None, due, standing })
}

fn due(reader: &Reader, view: &View, all: &[Select]) -> Vec<Due> {
    let me = &reader.caller.principal;
    let (assesses, reviews) = (me.has_role(ASSESSOR), me.has_role(REVIEWER));
    let mut due = Vec::new();
    for (row, one) in view.documents::<Assessment>(ASSESSMENT) {
        let name = format!("{} · {}", organisation_name(reader, all, &one.organisation), one.as_of);
        let mut add = |key: &str, detail: String| {
            let href = format!("/evaluation/maturity/{}", percent(&row.id));
            due.push(Due { href, what: format!("{} · {name}", reader.word(key)), detail });
        };
        match one.status {
            Status::Draft if assesses && one.assessors.contains(&me.name) && !one.submitted.contains(&me.name) => {
                let open = open_items(view, &row.id, &me.name).len();
                let count = Value::Count(i64::try_from(open).unwrap_or(i64::MAX));
                add("evaluation-due-answer", message(reader.lang, "evaluation-items-open", &[("count", count)]));
            }
            Status::Submitted if reviews && !one.assessors.contains(&me.name) => {
                add("evaluation-due-review", String::new());
            }
            Status::Reviewed if reviews && !one.assessors.contains(&me.name) => {
                add("evaluation-due-lock", String::new());
            }
            _ => {}
        }
    }
    let open = |kind: &str, status: &str| {
        view.of_kind(kind).filter(|row| row.body["status"] == status).cloned().collect::<Vec<RecordRow>>()
    };
    for row in open(crate::evaluation::roi::CASE, "draft") {
        let name = row.body["name"].as_str().unwrap_or(&row.id).to_owned();
        let href = format!("/evaluation/roi/{}", percent(&row.id));
        due.push(Due {
            href, what: format!("{} · {name}", reader.word("evaluation-due-case")), detail: String::new()
        });
    }
    for row in open("action", "open") {
        let name = row.body["title"].as_str().unwrap_or(&row.id).to_owned();
        let detail = row.body["due"].as_str().unwrap_or_default().to_owned();
        let href = "/evaluation/issues".to_owned();
        due.push(Due { href, what: format!("{} · {name}", reader.word("evaluation-due-action")), detail });
    }
    due
}

/// An id for a new record: words of the form with what keeps it apart from those that are there.
pub(super) fn new_id(view: &View, kind: &str, base: &str) -> String {
    let base: String = base
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-') { c } else { '-' })
        .collect();
    let base = if base.trim_matches('-').is_empty() { kind.replace('_', "-") } else { base };
    let mut id = base.clone();
    let mut number = 2;
    while view.record(kind, &id).is_some() {
        id = format!("{base}-{number}");
        number += 1;
    }
    id
}

/// A number as somebody typed it; none for an empty field.
///
/// # Errors
/// What was typed, where it is no finite number.
pub(super) fn typed_number(text: &str) -> Result<Option<f64>, String> {
    let plain: String = text.trim().chars().filter(|c| !matches!(c, ',' | '，' | ' ')).collect();
    if plain.is_empty() {
        return Ok(None);
    }
    plain.parse::<f64>().ok().filter(|number| number.is_finite()).map(Some).ok_or_else(|| text.to_owned())
}

/// The version that a form's writer saw.
pub(super) fn seen(fields: &Fields) -> u32 {
    fields.get("after").parse().unwrap_or(0)
}

/// The error for a record that is not there, for whoever asks.
pub(super) fn no_such(what: &str, id: &str) -> Failure {
    Error::new(Code::NoSuchObject, format!("There is no {what} `{id}`, or no right to see it.")).into()
}
