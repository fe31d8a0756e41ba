//! Alerts: how stands what is watched, what happened to it, and what somebody says about it.
//!
//! Everybody sees what they may see as much of as was read for it. They say in a browser's session that they know of it; those whom
//! the alert is for, and operators, also that people need not be told for a while. With a reason; both are recorded under their
//! name.

use std::collections::HashMap;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::admin::{Sent, minute};
use super::editions::{Reader, Select};
use super::schedules::{OPERATORS, reason};
use super::{Frame, render};
use crate::auth::Principal;
use crate::catalog::{AlertEventRow, AlertFilter, AlertRow};
use crate::error::{Code, Error, Result};
use crate::locale::{Lang, MISSING, Value, format_date, message};
use crate::publish::{AlertState, Watch, report_address};
use crate::query::HEAD_OFFICE;
use crate::server::http::App;
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;

/// Rows that the list shows.
const SHOWN: usize = 200;
/// Open alerts that the home page shows.
const AT_HOME: usize = 5;
/// What happened to one, as far as its page goes back.
const EVENTS: u32 = 200;
/// The longest that people are not told.
const LONGEST_DAYS: i64 = 90;
/// Rows that are read at a time.
const READ: u32 = 500;
/// States of what is not in order.
const NOT_IN_ORDER: [AlertState; 4] =
    [AlertState::Firing, AlertState::NoData, AlertState::Acknowledged, AlertState::Pending];
/// Words of the filter that are no state: what is not in order, and everything.
const OPEN: &str = "open";
const ALL: &str = "all";

/// What was done, by the word that stands in the address: no text of anybody's does.
const DONE: &[(&str, &str)] =
    &[("acknowledge", "alert-done-acknowledge"), ("snooze", "alert-done-snooze"), ("wake", "alert-done-wake")];

#[derive(Template)]
#[template(path = "server/http/pages/alerts.html")]
struct List {
    frame: Frame,
    states: Vec<Select>,
    rows: Vec<Row>,
    /// A sentence, where not all are shown.
    more: Option<String>,
}

/// One thing that is watched.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) href: String,
    pub(super) title: String,
    pub(super) report: String,
    pub(super) member: String,
    pub(super) scope: String,
    /// Key of the word.
    pub(super) state: String,
    pub(super) wrong: bool,
    pub(super) value: String,
    pub(super) as_of: String,
    pub(super) since: String,
    pub(super) snoozed: bool,
}

/// `GET /alerts`.
pub(in crate::server::http) async fn list(reader: Reader) -> Result<Response, Failure> {
    let asked = reader.asked.given("state").unwrap_or(OPEN);
    let words = [OPEN, ALL].into_iter().chain(AlertState::ALL.map(AlertState::as_str));
    if !words.clone().any(|word| word == asked) {
        let known: Vec<String> = words.map(|word| format!("`{word}`")).collect();
        let text = format!("parameter `state`: `{asked}` is not allowed; write one of {}", known.join(", "));
        return Err(Error::new(Code::BadRequest, text).into());
    }
    let states = match asked {
        OPEN => NOT_IN_ORDER.map(AlertState::as_str).to_vec(),
        ALL => Vec::new(),
        state => vec![state],
    };
    let mut found = seen(&reader.app, &reader.caller.principal, &states, SHOWN + 1, usize::MAX).await?;
    let more = (found.len() > SHOWN).then(|| {
        let shown = Value::Count(i64::try_from(SHOWN).unwrap_or(i64::MAX));
        message(reader.lang, "alert-more-rows", &[("shown", shown)])
    });
    found.truncate(SHOWN);
    let rows = found.iter().filter_map(|row| describe(&reader.app, reader.lang, row)).collect();
    let select = |word: &str| Select {
        value: word.to_owned(),
        label: reader.word(&match word {
            OPEN | ALL => format!("alert-filter-{word}"),
            state => state_key(state),
        }),
        on: word == asked,
    };
    render(&List { frame: reader.frame("alerts"), states: words.map(select).collect(), rows, more })
}

/// What is raised or has no data, of what somebody may see, for the home page: among the latest, so that it opens at once.
pub(super) async fn open(app: &App, principal: &Principal, lang: Lang) -> Result<Vec<Row>> {
    let mut found = Vec::new();
    for state in [AlertState::Firing, AlertState::NoData] {
        let missing = AT_HOME.saturating_sub(found.len());
        if missing > 0 {
            found.extend(seen(app, principal, &[state.as_str()], missing, 1).await?);
        }
    }
    Ok(found.iter().filter_map(|row| describe(app, lang, row)).collect())
}

/// What somebody may see, the latest change first: at most so many, among so many times [`READ`] rows.
async fn seen(app: &App, principal: &Principal, states: &[&str], most: usize, reads: usize) -> Result<Vec<AlertRow>> {
    let publisher = &app.services.publisher;
    let mut found: Vec<AlertRow> = Vec::new();
    // Rights are judged once for each reading, not for each row.
    let mut judged: HashMap<(String, String, String), bool> = HashMap::new();
    // Whoever sees some branches sees what was read of those alone.
    let mut filter = AlertFilter { states, scopes: principal.scope.branches(), below: None, limit: Some(READ) };
    for _ in 0..reads {
        let rows = app.services.catalog.alerts(&filter).await?;
        filter.below = rows.last().map(|row| (row.since, row.id));
        let is_last = rows.len() < READ as usize;
        for row in rows {
            let name = (row.report.clone(), row.alert.clone(), row.reading.to_string());
            if *judged.entry(name).or_insert_with(|| publisher.may_see(principal, &row)) {
                found.push(row);
            }
        }
        if is_last || found.len() >= most {
            break;
        }
    }
    found.truncate(most);
    Ok(found)
}

fn state_key(state: &str) -> String {
    format!("alert-state-{}", state.replace('_', "-"))
}

fn is_wrong(state: &str) -> bool {
    [AlertState::Firing, AlertState::NoData].iter().any(|wrong| wrong.as_str() == state)
}

fn describe(app: &App, lang: Lang, row: &AlertRow) -> Option<Row> {
    let watch = app.services.publisher.watch(&row.report, &row.alert)?;
    Some(Row {
        href: address(row.id),
        title: watch.title(lang).to_owned(),
        report: report_title(watch, lang),
        member: lang.pick(&row.label).to_owned(),
        scope: scope_words(row, lang),
        wrong: is_wrong(&row.state),
        state: state_key(&row.state),
        value: figure(app, watch, lang, row.value.as_deref()),
        as_of: format_date(lang, row.as_of),
        since: minute(row.since),
        snoozed: is_snoozed(row, app.services.clock.now()),
    })
}

fn address(id: i64) -> String {
    format!("/alerts/{id}")
}

fn report_title(watch: Watch<'_>, lang: Lang) -> String {
    match lang.pick(&watch.report.title) {
        "" => watch.report.name.value.clone(),
        title => title.to_owned(),
    }
}

fn scope_words(row: &AlertRow, lang: Lang) -> String {
    match lang.pick(&row.scope_label) {
        "" if row.scope == HEAD_OFFICE => message(lang, "portal-head-office", &[]),
        "" => row.scope.clone(),
        label => label.to_owned(),
    }
}

fn figure(app: &App, watch: Watch<'_>, lang: Lang, value: Option<&str>) -> String {
    value.map_or_else(|| MISSING.to_owned(), |value| app.services.publisher.shown(watch, lang, value))
}

fn is_snoozed(row: &AlertRow, now: Timestamp) -> bool {
    row.snoozed_until.is_some_and(|until| until > now)
}

#[derive(Template)]
#[template(path = "server/http/pages/alert.html")]
struct Page {
    frame: Frame,
    one: Row,
    here: String,
    /// The report at the snapshot that was judged.
    report: String,
    snapshot: String,
    condition: String,
    checked: String,
    acknowledged: Option<String>,
    snoozed: Option<String>,
    no_data: bool,
    ended: bool,
    /// Token of its forms, in a session.
    token: Option<String>,
    may_acknowledge: bool,
    may_put_off: bool,
    /// Of the form.
    first_day: String,
    last_day: String,
    events: Vec<Event>,
    notice: Option<&'static str>,
    /// Key of why a form did nothing.
    fault: Option<&'static str>,
}

struct Event {
    at: String,
    /// Key of the word.
    state: String,
    wrong: bool,
    value: String,
    as_of: String,
    report: String,
    snapshot: String,
    /// Empty: an evaluation.
    by: String,
    reason: String,
    until: String,
    /// Somebody let people be told again.
    woken: bool,
}

/// `GET /alerts/{id}`.
pub(in crate::server::http) async fn page(Path(id): Path<String>, reader: Reader) -> Result<Response, Failure> {
    show(&reader, &id, None).await
}

/// One that this reader may see.
///
/// Errors: `NO_SUCH_OBJECT`, the same for what does not exist and what this person may not see.
async fn find(reader: &Reader, id: &str) -> Result<AlertRow> {
    let services = &reader.app.services;
    let found = match id.parse() {
        Ok(id) => services.catalog.alert(id).await?,
        Err(_) => None,
    };
    found
        .filter(|row| services.publisher.may_see(&reader.caller.principal, row))
        .ok_or_else(|| Error::new(Code::NoSuchObject, "There is no such alert, or no right to see it."))
}

async fn show(reader: &Reader, id: &str, fault: Option<&'static str>) -> Result<Response, Failure> {
    let (services, lang) = (&reader.app.services, reader.lang);
    let row = find(reader, id).await?;
    let gone = || Error::new(Code::NoSuchObject, "There is no such alert, or no right to see it.");
    let watch = services.publisher.watch(&row.report, &row.alert).ok_or_else(gone)?;
    let one = describe(&reader.app, lang, &row).ok_or_else(gone)?;
    let events = services.catalog.alert_events(Some(row.id), EVENTS).await?;
    let shown = |event: &AlertEventRow| services.publisher.may_see_event(&reader.caller.principal, &row, event);
    let events = events.into_iter().filter(shown).map(|event| describe_event(reader, watch, &row.scope, event));
    let now = services.clock.now();
    let today = now.to_zoned(TimeZone::UTC).date();
    let last = (now + jiff::SignedDuration::from_hours(24 * (LONGEST_DAYS - 1))).to_zoned(TimeZone::UTC).date();
    let said = |by: &Option<String>, why: &Option<String>, key: &str, until: &str| {
        let by = by.as_deref()?;
        let why = why.as_deref().unwrap_or(MISSING);
        let values = [("by", Value::Text(by)), ("why", Value::Text(why)), ("until", Value::Text(until))];
        Some(message(lang, key, &values))
    };
    let until = row.snoozed_until.map(|until| format!("{} UTC", minute(until))).unwrap_or_default();
    let snoozed = said(&row.snoozed_by, &row.snoozed_why, "alert-snoozed", &until).filter(|_| one.snoozed);
    let done = reader.asked.get("done");
    let session = reader.caller.session.as_deref();
    let may_acknowledge = row.state == AlertState::Firing.as_str();
    let may_put_off = may_put_off(watch, &reader.caller.principal) && row.state != AlertState::Ended.as_str();
    let page = Page {
        frame: reader.frame("alerts"),
        here: address(row.id),
        report: report_address(watch.report, &row.scope, row.snapshot_id),
        snapshot: row.snapshot_id.to_string(),
        condition: services.publisher.conditions(watch, lang),
        checked: minute(row.checked_at),
        acknowledged: said(&row.acknowledged_by, &row.acknowledged_why, "alert-acknowledged", ""),
        snoozed,
        no_data: row.state == AlertState::NoData.as_str(),
        ended: row.state == AlertState::Ended.as_str(),
        token: session.filter(|_| may_acknowledge || may_put_off).map(|session| reader.app.form_token(session)),
        may_acknowledge,
        may_put_off,
        first_day: today.to_string(),
        last_day: last.to_string(),
        events: events.collect(),
        notice: DONE.iter().find(|(word, _)| fault.is_none() && *word == done).map(|(_, key)| *key),
        fault,
        one,
    };
    let mut response = render(&page)?;
    if fault.is_some() {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

fn describe_event(reader: &Reader, watch: Watch<'_>, scope: &str, event: AlertEventRow) -> Event {
    let changed = event.was.as_deref() != Some(event.state.as_str());
    Event {
        at: minute(event.at),
        wrong: is_wrong(&event.state),
        state: state_key(&event.state),
        value: figure(&reader.app, watch, reader.lang, event.value.as_deref()),
        as_of: format_date(reader.lang, event.as_of),
        report: report_address(watch.report, scope, event.snapshot_id),
        snapshot: event.snapshot_id.to_string(),
        woken: event.changed_by.is_some() && !changed && event.until.is_none(),
        by: event.changed_by.unwrap_or_default(),
        reason: event.reason.unwrap_or_default(),
        until: event.until.map(|until| format!("{} UTC", minute(until))).unwrap_or_default(),
    }
}

/// Whether somebody may ask for quiet: whom the alert is for, and operators.
fn may_put_off(watch: Watch<'_>, principal: &Principal) -> bool {
    let mut roles = watch.alert.to.iter().flat_map(|to| &to.roles).map(|role| role.as_str());
    OPERATORS.iter().any(|role| principal.has_role(role)) || roles.any(|role| principal.has_role(role))
}

/// The end of a day that was typed, by UTC: from today on, [`LONGEST_DAYS`] ahead at most.
fn until(text: &str, now: Timestamp) -> Option<Timestamp> {
    let day: Date = text.parse().ok()?;
    let end = day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let ahead = end.as_second() - now.as_second();
    (ahead > 0 && ahead <= LONGEST_DAYS * 86_400).then_some(end)
}

/// `POST /alerts/{id}`: somebody knows of it, or asks that people be not told for a while, or that they be told again.
pub(in crate::server::http) async fn act(
    Path(id): Path<String>,
    Sent { desk, fields }: Sent,
) -> Result<Response, Failure> {
    let reader = Reader::of(&desk);
    let row = find(&reader, &id).await?;
    let (catalog, now) = (&reader.app.services.catalog, reader.app.services.clock.now());
    let by = reader.caller.principal.name.as_str();
    let Some(why) = reason(fields.given("reason")).or(Some("").filter(|_| fields.get("do") == "wake")) else {
        return show(&reader, &id, Some("alert-fault-reason")).await;
    };
    let quiet = ["snooze", "wake"].contains(&fields.get("do"));
    let watch = reader.app.services.publisher.watch(&row.report, &row.alert);
    if quiet && !watch.is_some_and(|watch| may_put_off(watch, &reader.caller.principal)) {
        let message = "An alert is put off by those whom it is for, and by operators.";
        return Err(Error::new(Code::Denied, message).into());
    }
    let what = match fields.get("do") {
        "acknowledge" => {
            if !catalog.acknowledge_alert(row.id, by, why).await? {
                return show(&reader, &id, Some("alert-fault-state")).await;
            }
            "acknowledge"
        }
        "snooze" => {
            let Some(until) = until(fields.get("until").trim(), now) else {
                return show(&reader, &id, Some("alert-fault-until")).await;
            };
            catalog.snooze_alert(row.id, by, Some(until), why).await?;
            "snooze"
        }
        "wake" => {
            catalog.snooze_alert(row.id, by, None, why).await?;
            "wake"
        }
        _ => return show(&reader, &id, Some("alert-fault-form")).await,
    };
    Ok(Redirect::to(&format!("{}?done={what}", address(row.id))).into_response())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{address, is_wrong, may_put_off, state_key, until};
    use crate::auth::{Principal, Scope};
    use crate::model::report;
    use crate::publish::Watch;

    #[test]
    fn whom_it_is_for_and_operators_put_it_off_and_no_other_reader() {
        let text = "report: sales\ntitle: {en: Sales}\ncubes: [sales]\n\
                    parameters: {as_of: {type: as_of_date, default: latest}}\n\
                    datasets: {one: {sql: one.sql, rows: 1}}\nblocks: [{text: {en: Notes}}]\n\
                    alerts: [{id: low, dataset: one, raise: {value: amount, below: 1}, \
                    to: [{channel: email, roles: [manager]}]}]\n";
        let sql = |_: &str| Some("SELECT 1 AS amount".to_owned());
        let report = report::parse("reports/sales/report.yaml", text, &sql).unwrap();
        let watch = Watch { report: &report, alert: &report.alerts[0] };
        let may = |role: &str| {
            let roles = std::iter::once(role.to_owned()).collect();
            may_put_off(watch, &Principal::new("ann", roles, Scope::HeadOffice))
        };
        assert!(may("manager") && may("publisher") && may("administrator"));
        assert!(!may("reader") && !may("analyst") && !may("auditor"));
    }

    #[test]
    fn a_day_from_today_on_and_not_for_ever() {
        let now: Timestamp = "2026-03-05T23:59:00Z".parse().unwrap();
        let end = |text: &str| until(text, now).map(|end| end.to_string());
        assert_eq!(end("2026-03-05").as_deref(), Some("2026-03-06T00:00:00Z"));
        assert_eq!(end("2026-03-04"), None);
        assert_eq!(end("2026-06-02").as_deref(), Some("2026-06-03T00:00:00Z"));
        assert_eq!(end("2026-06-03"), None);
        assert_eq!(end("soon"), None);
    }

    #[test]
    fn addresses_and_words() {
        assert_eq!(address(7), "/alerts/7");
        assert_eq!(state_key("no_data"), "alert-state-no-data");
        assert!(is_wrong("firing") && is_wrong("no_data") && !is_wrong("acknowledged"));
    }
}
