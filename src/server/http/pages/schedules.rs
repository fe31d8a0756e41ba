//! Schedules: what is published when, how the last runs went, and what an operator may do about them.
//!
//! Everybody sees the schedules of the reports that they may open; those who operate, release or audit see all. Only a browser's
//! session changes anything, with the form's token, and every change is recorded under its name: an operator starts, pauses and
//! tries again; what a gate holds is let go by somebody else, see [`publish::release`](crate::publish::may_release).

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;

use super::admin::{Fields, Sent, minute};
use super::editions::{Reader, Select, percent};
use super::{Frame, openable, render};
use crate::catalog::{RunRow, ScheduleRow};
use crate::error::{Code, Error, Result};
use crate::locale::{Lang, Value, message};
use crate::model::report::Report;
use crate::publish::{Schedule, may_release};
use crate::schedule::explain::{Outlook, explain};
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;
use crate::server::http::{App, nothing_here};

/// Who sees every schedule and every delivery.
pub(super) const STAFF: &[&str] = &["administrator", "publisher", "auditor"];
/// Who starts, pauses, tries again and sends again.
pub(super) const OPERATORS: &[&str] = &["administrator", "publisher"];
/// Runs that a page shows.
const RUNS: u32 = 20;
/// Firings that a page may be asked for.
const MOST: usize = 100;
/// Characters of a reason.
pub(super) const REASON: usize = 500;

/// What was done, by the word that stands in the address: no text of anybody's does.
const DONE: &[(&str, &str)] = &[
    ("run", "schedule-page-done-run"),
    ("pause", "schedule-page-done-pause"),
    ("resume", "schedule-page-done-resume"),
    ("retry", "schedule-page-done-retry"),
    ("release", "schedule-page-done-release"),
];

#[derive(Template)]
#[template(path = "server/http/pages/schedules.html")]
struct List {
    frame: Frame,
    schedules: Vec<Row>,
}

struct Row {
    report: String,
    id: String,
    href: String,
    editions: String,
    /// What starts it.
    when: String,
    /// When that is next; empty where it is not known.
    next: String,
    last: Option<RunView>,
    paused: Option<String>,
}

struct RunView {
    id: i64,
    created: String,
    started: String,
    took: String,
    /// Key of the word.
    cause: String,
    /// Who started it; empty for those whom it is not told, and where the server did.
    by: String,
    /// Key of the word.
    state: String,
    /// It did not do what it was for, or waits for somebody.
    wrong: bool,
    partial: bool,
    /// Empty for those whom it is not told.
    message: String,
    /// It may be made ready again.
    again: bool,
}

/// `GET /schedules`.
pub(in crate::server::http) async fn list(reader: Reader) -> Result<Response, Failure> {
    let services = &reader.app.services;
    let mut seen: Vec<Schedule<'_>> = services.publisher.schedules().collect();
    seen.retain(|schedule| may_see(&reader, schedule.report));
    let staff = looks_after(&reader);
    let mut schedules = Vec::with_capacity(seen.len());
    for schedule in seen {
        let name = schedule.name();
        let (when, next) = in_short(&reader.app, reader.lang, &name);
        let last = services.catalog.runs(Some(&name), 1).await?.into_iter().next();
        let row = services.catalog.schedule(&name).await?;
        schedules.push(Row {
            report: reader.title(schedule.report),
            id: schedule.publication.id.value.clone(),
            href: address(&schedule.report.name, &schedule.publication.id),
            editions: format!("/reports/{}/editions", percent(&schedule.report.name)),
            when,
            next,
            last: last.map(|run| describe(run, staff)),
            paused: paused(reader.lang, &row),
        });
    }
    render(&List { frame: reader.frame("schedules"), schedules })
}

/// Whether somebody is told why runs stand as they do.
fn looks_after(reader: &Reader) -> bool {
    reader.is_one_of(STAFF) || may_release(&reader.caller.principal)
}

fn may_see(reader: &Reader, report: &Report) -> bool {
    looks_after(reader) || openable(&reader.app, &reader.caller.principal).any(|open| *open.name == *report.name)
}

fn address(report: &str, id: &str) -> String {
    format!("/schedules/{}/{}", percent(report), percent(id))
}

/// What starts a schedule, and when that is next, each on one line.
fn in_short(app: &App, lang: Lang, name: &str) -> (String, String) {
    let Some(trigger) = app.services.scheduler.trigger(name) else { return Default::default() };
    let now = app.services.clock.now();
    let text = explain(lang, &Outlook { name, trigger, now, count: 1, waiting: &[], audience: None });
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let when: Vec<&str> = head.split("   ").skip(1).collect(); // the name stands there already
    (when.join(&message(lang, "portal-separator", &[])), lines.next().unwrap_or_default().trim().to_owned())
}

fn paused(lang: Lang, row: &ScheduleRow) -> Option<String> {
    let at = format!("{} UTC", minute(row.paused_at?));
    let by = row.paused_by.as_deref().unwrap_or("–");
    let why = row.reason.as_deref().unwrap_or("–");
    let arguments = [("at", Value::Text(&at)), ("by", Value::Text(by)), ("why", Value::Text(why))];
    Some(message(lang, "schedule-page-paused", &arguments))
}

/// A run. Why it stands as it does is told to `staff` alone: a gate names branches and figures.
fn describe(run: RunRow, staff: bool) -> RunView {
    let took = match (run.started_at, run.finished_at) {
        (Some(from), Some(to)) => Some(to.duration_since(from).as_millis().max(0)),
        _ => None,
    };
    RunView {
        id: run.id,
        created: minute(run.created_at),
        started: run.started_at.map(minute).unwrap_or_default(),
        took: took.map(|ms| format!("{}.{} s", ms / 1000, ms % 1000 / 100)).unwrap_or_default(),
        cause: format!("schedule-page-cause-{}", run.cause),
        state: format!("schedule-page-state-{}", run.state),
        wrong: matches!(run.state.as_str(), "held" | "failed" | "dead"),
        partial: run.partial,
        by: run.started_by.filter(|_| staff).unwrap_or_default(),
        message: if staff { run.message } else { String::new() },
        again: matches!(run.state.as_str(), "held" | "failed" | "dead" | "skipped" | "cancelled"),
    }
}

#[derive(Template)]
#[template(path = "server/http/pages/schedule.html")]
struct Page {
    frame: Frame,
    report: String,
    id: String,
    editions: String,
    /// Where its forms go.
    here: String,
    text: String,
    /// Lines that name what this reader does not see were left out.
    withheld: bool,
    paused: Option<String>,
    /// Token of its forms, for operators in a session.
    token: Option<String>,
    /// What is wrong with the newest run.
    trouble: Option<Trouble>,
    /// Runs that may be made ready again.
    again: Vec<Select>,
    /// Token of the form that releases, for who may in a session.
    release: Option<String>,
    /// Runs that this reader may release.
    held: Vec<Select>,
    /// A gate holds a run that this reader started, and so does not release.
    own: bool,
    /// A held run is not released as it stands: what was read of it is not kept, or newer data were published since.
    spent: bool,
    runs: Vec<RunView>,
    notice: Option<&'static str>,
    /// Key of why a form did nothing.
    fault: Option<&'static str>,
}

struct Trouble {
    /// Key of the word.
    state: String,
    /// Key of what follows from it.
    then: String,
    run: String,
    message: String,
}

/// `GET /schedules/{report}/{id}`.
pub(in crate::server::http) async fn page(
    Path((report, id)): Path<(String, String)>,
    reader: Reader,
) -> Result<Response, Failure> {
    show(&reader, &report, &id, None).await
}

async fn show(reader: &Reader, report: &str, id: &str, fault: Option<&'static str>) -> Result<Response, Failure> {
    let services = &reader.app.services;
    let schedule = services
        .publisher
        .schedules()
        .find(|one| *one.report.name == report && *one.publication.id == id && may_see(reader, one.report))
        .ok_or_else(|| {
            // The same for what does not exist and what this person may not see.
            Error::new(Code::NoSuchObject, format!("There is no schedule `{report}/{id}`, or no right to see it."))
        })?;
    let count = match reader.asked.given("next") {
        None => 10,
        Some(text) => text.parse::<usize>().ok().filter(|count| (1..=MOST).contains(count)).ok_or_else(|| {
            let text = format!("parameter `next`: `{text}` is not allowed; write a number from 1 to {MOST}");
            Error::new(Code::BadRequest, text)
        })?,
    };
    let name = schedule.name();
    let text = services.scheduler.explain(&name, reader.lang, count).await?;
    let (text, withheld) = seen(reader, &text).await?;
    let staff = looks_after(reader);
    let runs = services.catalog.runs(Some(&name), RUNS).await?;
    let releaser = reader.caller.session.as_deref().filter(|_| may_release(&reader.caller.principal));
    let (mut held, mut own, mut spent) = (Vec::new(), false, false);
    for run in runs.iter().filter(|run| releaser.is_some() && run.state == "held") {
        if !services.publisher.is_releasable(schedule, run).await? {
            spent = true;
        } else if run.started_by.as_deref() == Some(reader.caller.principal.name.as_str()) {
            own = true;
        } else {
            held.push(held_run(reader, run));
        }
    }
    let runs: Vec<RunView> = runs.into_iter().map(|run| describe(run, staff)).collect();
    let row = services.catalog.schedule(&name).await?;
    let session = reader.caller.session.as_deref().filter(|_| reader.is_one_of(OPERATORS));
    let done = reader.asked.get("done");
    let again = runs.iter().filter(|run| run.again).map(|run| Select {
        value: run.id.to_string(),
        label: format!("{} · {} UTC · {}", run.id, run.created, reader.word(&run.state)),
        on: false,
    });
    let page = Page {
        frame: reader.frame("schedules"),
        report: reader.title(schedule.report),
        id: id.to_owned(),
        editions: format!("/reports/{}/editions", percent(report)),
        here: address(report, id),
        text,
        withheld,
        paused: paused(reader.lang, &row),
        token: session.map(|session| reader.app.form_token(session)),
        trouble: runs.first().filter(|run| run.wrong).map(|run| Trouble {
            then: format!("{}-then", run.state),
            state: run.state.clone(),
            run: run.id.to_string(),
            message: run.message.clone(),
        }),
        again: again.collect(),
        release: releaser.map(|session| reader.app.form_token(session)),
        held,
        own,
        spent,
        runs,
        notice: DONE.iter().find(|(word, _)| fault.is_none() && *word == done).map(|(_, key)| *key),
        fault,
    };
    let mut response = render(&page)?;
    if fault.is_some() {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

/// A run that a gate holds, as a choice: its number, when it was planned, and which gates.
fn held_run(reader: &Reader, run: &RunRow) -> Select {
    let gates = run.held().map(|held| held.gates).unwrap_or_default();
    let gates: Vec<String> = gates.iter().map(|gate| reader.word(&format!("gate-{}", gate.gate))).collect();
    let gates = gates.join(&reader.word("portal-list"));
    Select {
        value: run.id.to_string(),
        label: format!("{} · {} UTC · {gates}", run.id, minute(run.created_at)),
        on: false,
    }
}

/// The text without the lines that name branches which this reader does not see.
async fn seen(reader: &Reader, text: &str) -> Result<(String, bool)> {
    let door = &reader.app.services.door;
    let open = match door.head().await {
        Ok(head) => head.completeness.open,
        Err(error) if error.code() == Code::NoSnapshot => Vec::new(),
        Err(error) => return Err(error),
    };
    if open.is_empty() || reader.is_one_of(STAFF) || reader.caller.principal.scope.branches().is_none() {
        return Ok((text.to_owned(), false));
    }
    let own = door.branches_of(&reader.caller.principal).await?;
    let hidden: Vec<String> = open.into_iter().filter(|key| !own.iter().any(|branch| branch.key == *key)).collect();
    Ok(without(text, &hidden))
}

/// The text without the lines after the first that have one of these words; whether there were any.
fn without(text: &str, words: &[String]) -> (String, bool) {
    let names_one = |line: &str| {
        line.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-'))
            .any(|word| words.iter().any(|it| it == word))
    };
    let (mut kept, mut withheld) = (String::with_capacity(text.len()), false);
    for (at, line) in text.lines().enumerate() {
        if at > 0 && names_one(line) {
            withheld = true;
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    (kept, withheld)
}

/// A reason as it was typed; none when there is none, or too much of it.
pub(super) fn reason(text: Option<&str>) -> Option<&str> {
    text.filter(|text| text.chars().count() <= REASON)
}

/// The run that a form names, if it is of this schedule.
async fn run_of(reader: &Reader, schedule: &str, fields: &Fields) -> Result<Option<RunRow>> {
    let Ok(id) = fields.get("run").parse() else { return Ok(None) };
    Ok(reader.app.services.catalog.run(id).await?.filter(|run| run.schedule == schedule))
}

/// `POST /schedules/{report}/{id}`: starts, pauses, lets go on, tries again, or releases.
pub(in crate::server::http) async fn act(
    Path((report, id)): Path<(String, String)>,
    Sent { desk, fields }: Sent,
) -> Result<Response, Failure> {
    let reader = Reader::of(&desk);
    // What starts a run is for operators, what releases it for a second pair of eyes.
    let may = match fields.get("do") {
        "release" => may_release(&reader.caller.principal),
        _ => reader.is_one_of(OPERATORS),
    };
    if !may {
        return Err(nothing_here());
    }
    let services = &reader.app.services;
    let name = format!("{report}/{id}");
    let schedule = services.publisher.schedule(&name)?;
    let done = |what: &str| Redirect::to(&format!("{}?done={what}", address(&report, &id))).into_response();
    let by = reader.caller.principal.name.as_str();
    let why = reason(fields.given("reason"));
    let wrong = "schedule-page-fault-reason";
    let (what, detail) = match (fields.get("do"), why) {
        ("run", _) => {
            let run = services.scheduler.plan_by_hand(&name, None, "hand", by, false).await?;
            ("run", json!({"schedule": name, "do": "run", "run": run}))
        }
        ("pause", Some(why)) => {
            services.catalog.pause_schedule(&name, Some((by, why))).await?;
            ("pause", json!({"schedule": name, "do": "pause", "reason": why}))
        }
        ("resume", _) => {
            services.catalog.pause_schedule(&name, None).await?;
            ("resume", json!({"schedule": name, "do": "resume"}))
        }
        ("retry", Some(why)) => {
            let Some(run) = run_of(&reader, &name, &fields).await? else {
                return show(&reader, &report, &id, Some("schedule-page-fault-run")).await;
            };
            // Recorded with the change itself, as a release is.
            return match services.catalog.retry_run(run.id, by, why).await? {
                true => Ok(done("retry")),
                false => show(&reader, &report, &id, Some("schedule-page-fault-run")).await,
            };
        }
        ("release", Some(why)) => {
            let fault = match run_of(&reader, &name, &fields).await? {
                None => "schedule-page-fault-held",
                Some(run) => match services.publisher.release(schedule, &run, &reader.caller.principal, why).await {
                    Ok(()) => return Ok(done("release")),
                    Err(error) if error.code() == Code::Conflict => "schedule-page-fault-held",
                    Err(error) if error.code() == Code::Denied => "schedule-page-fault-own",
                    Err(error) => return Err(error.into()),
                },
            };
            return show(&reader, &report, &id, Some(fault)).await;
        }
        ("pause" | "retry" | "release", None) => return show(&reader, &report, &id, Some(wrong)).await,
        _ => return show(&reader, &report, &id, Some("schedule-page-fault-form")).await,
    };
    services.catalog.audit("schedule", by, detail).await?;
    Ok(done(what))
}

#[cfg(test)]
mod tests {
    use super::{REASON, reason, without};

    #[test]
    fn lines_that_name_others_are_left_out() {
        let text = "deposits/monthly   closes: month\n 2026-10  ready 27/28  waiting for: xiamen\n 2026-11  deadline\n";
        let (kept, withheld) = without(text, &["xiamen".into()]);
        assert_eq!((kept.as_str(), withheld), ("deposits/monthly   closes: month\n 2026-11  deadline\n", true));
        assert_eq!(without(text, &["xia".into(), "deposits".into()]), (text.to_owned(), false));
        assert_eq!(without(text, &[]), (text.to_owned(), false));
    }

    #[test]
    fn a_reason_is_given_and_not_a_book() {
        assert_eq!(reason(Some("mended")), Some("mended"));
        assert_eq!(reason(None), None);
        assert_eq!(reason(Some(&"钱".repeat(REASON))).map(|text| text.chars().count()), Some(REASON));
        assert_eq!(reason(Some(&"x".repeat(REASON + 1))), None);
    }
}
