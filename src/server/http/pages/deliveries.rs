//! Deliveries: the ledger of what was sent to whom, and sending again.
//!
//! Those who operate or audit see all of it, everybody else what was sent to themselves. A delivery whose end nobody
//! can know is called unknown, and is sent again only by somebody who says why.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;

use super::admin::{Sent, minute};
use super::editions::{Reader, Select, path, period_words, scope_words};
use super::schedules::{OPERATORS, STAFF, reason};
use super::{Frame, render};
use crate::catalog::{DeliveryRow, EditionRow, NoticeRow};
use crate::error::{Code, Error};
use crate::locale::{Value, message};
use crate::server::http::error::Failure;
use crate::server::http::nothing_here;

/// Deliveries that the page shows.
const SHOWN: usize = 200;
/// Deliveries that are looked through for those of one reader.
const READ: u32 = 20_000;
/// What becomes of a delivery.
const STATES: &[&str] = &["rendered", "handed_over", "accepted", "unknown", "failed", "refused"];
/// Those that somebody may have sent again.
const AGAIN: &[&str] = &["failed", "refused", "unknown"];

#[derive(Template)]
#[template(path = "server/http/pages/deliveries.html")]
struct Page {
    frame: Frame,
    /// Everybody's, not only one's own.
    all: bool,
    states: Vec<Select>,
    rows: Vec<Row>,
    /// A sentence, where not all are shown.
    more: Option<String>,
    has_unknown: bool,
    /// Where the forms go: this list as it is narrowed.
    here: String,
    /// Token of the forms, for operators in a session.
    token: Option<String>,
    sent_again: bool,
    /// Key of why the form did nothing.
    fault: Option<&'static str>,
}

struct Row {
    key: String,
    changed: String,
    /// Title or name of the report, or what a notice is about; empty where it is not known any more.
    report: String,
    period: String,
    scope: String,
    version: String,
    /// For whom may open the edition.
    href: Option<String>,
    channel: String,
    recipient: String,
    address: String,
    /// Key of the word.
    state: String,
    wrong: bool,
    again: bool,
    next: Option<String>,
    tries: i64,
    answer: String,
}

/// `GET /deliveries`.
pub(in crate::server::http) async fn page(reader: Reader) -> Result<Response, Failure> {
    show(&reader, None).await
}

async fn show(reader: &Reader, fault: Option<&'static str>) -> Result<Response, Failure> {
    let services = &reader.app.services;
    let state = reader.asked.given("state");
    if let Some(other) = state.filter(|state| !STATES.contains(state)) {
        let known: Vec<String> = STATES.iter().map(|state| format!("`{state}`")).collect();
        let text = format!("parameter `state`: `{other}` is not allowed; write one of {}", known.join(", "));
        return Err(Error::new(Code::BadRequest, text).into());
    }
    let all = reader.is_one_of(STAFF);
    let own = reader.caller.principal.name.as_str();
    let most = if all { u32::try_from(SHOWN + 1).unwrap_or(u32::MAX) } else { READ };
    let mut found = services.catalog.deliveries(state, most).await?;
    let looked_through_all = all || found.len() < READ as usize;
    found.retain(|row| all || is_to(row, own));
    let more = (found.len() > SHOWN || !looked_through_all).then(|| {
        let shown = Value::Count(i64::try_from(found.len().min(SHOWN)).unwrap_or(i64::MAX));
        message(reader.lang, "delivery-more", &[("shown", shown)])
    });
    found.truncate(SHOWN);
    let ids: BTreeSet<String> = found.iter().filter_map(|row| row.edition.clone()).collect();
    let mut editions: BTreeMap<String, EditionRow> = BTreeMap::new();
    for id in ids {
        if let Some(edition) = services.catalog.edition(&id).await? {
            editions.insert(id, edition);
        }
    }
    // Each with whether its words are shown.
    let mut notices: BTreeMap<String, (NoticeRow, bool)> = BTreeMap::new();
    for id in found.iter().filter_map(|row| row.notice.clone()).collect::<BTreeSet<String>>() {
        if let Some(notice) = services.catalog.notice(&id).await? {
            let told = services.publisher.may_be_told(&reader.caller.principal, &notice);
            if told || all {
                let shown = told || notice.reading.is_none();
                notices.insert(id, (notice, shown));
            }
        }
    }
    let rows = found.into_iter().map(|row| {
        let edition = row.edition.as_ref().and_then(|id| editions.get(id));
        let notice = row.notice.as_ref().and_then(|id| notices.get(id));
        describe(reader, row, edition, notice)
    });
    let rows: Vec<Row> = rows.collect();
    let session = reader.caller.session.as_deref().filter(|_| reader.is_one_of(OPERATORS));
    let states = STATES.iter().map(|name| Select {
        value: (*name).to_owned(),
        label: reader.word(&state_key(name)),
        on: state == Some(*name),
    });
    let page = Page {
        frame: reader.frame("deliveries"),
        all,
        states: states.collect(),
        has_unknown: rows.iter().any(|row| row.state == state_key("unknown")),
        rows,
        more,
        here: address(state, false),
        token: session.map(|session| reader.app.form_token(session)),
        sent_again: fault.is_none() && reader.asked.get("done") == "resend",
        fault,
    };
    let mut response = render(&page)?;
    if fault.is_some() {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

/// Whether something was sent to a person of this login, and not to a channel that is called so.
fn is_to(row: &DeliveryRow, login: &str) -> bool {
    row.recipient == login && row.address.is_some()
}

fn state_key(state: &str) -> String {
    format!("delivery-state-{}", state.replace('_', "-"))
}

/// This page, narrowed as it is.
fn address(state: Option<&str>, done: bool) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if let Some(state) = state {
        query.append_pair("state", state);
    }
    if done {
        query.append_pair("done", "resend");
    }
    match query.finish() {
        query if query.is_empty() => "/deliveries".to_owned(),
        query => format!("/deliveries?{query}"),
    }
}

fn describe(
    reader: &Reader,
    row: DeliveryRow,
    edition: Option<&EditionRow>,
    notice: Option<&(NoticeRow, bool)>,
) -> Row {
    let title = |name: &str| {
        let known = reader.app.services.reports.iter().find(|report| *report.name == name);
        known.map_or_else(|| name.to_owned(), |report| reader.title(report))
    };
    let (mut report, mut period, mut scope, mut version) = <(String, String, String, String)>::default();
    if let Some(edition) = edition {
        report = title(&edition.report);
        period = period_words(reader.lang, edition);
        scope = match scope_words(reader.lang, edition) {
            (label, None) => label,
            (label, Some(digits)) => format!("{label} · {digits}"),
        };
        version = format!("v{}", edition.version);
    }
    match notice {
        Some((notice, true)) => {
            let texts = notice.texts.get(reader.lang.tag()).or_else(|| notice.texts.values().next());
            report = texts.map(|texts| texts.subject.clone()).unwrap_or_default();
        }
        // The subject may name a member or a figure, which who looks after publication need not see.
        Some((notice, false)) => {
            report = title(&notice.report);
            period = reader.word(&format!("delivery-notice-{}", notice.kind));
        }
        None => {}
    }
    // What waits for its next try says when that is.
    let next = row.next_at.filter(|_| row.state == "rendered" && row.tries > 0).map(|at| {
        let at = format!("{} UTC", minute(at));
        message(reader.lang, "delivery-next", &[("at", Value::Text(&at))])
    });
    Row {
        changed: minute(row.changed_at),
        report,
        period,
        scope,
        version,
        href: edition.filter(|edition| reader.may_open(edition)).map(path),
        channel: row.channel,
        recipient: row.recipient,
        address: row.address.unwrap_or_default(),
        wrong: AGAIN.contains(&row.state.as_str()),
        again: AGAIN.contains(&row.state.as_str()),
        state: state_key(&row.state),
        next,
        tries: row.tries,
        answer: row.answer,
        key: row.key,
    }
}

/// `POST /deliveries`: sends one again.
pub(in crate::server::http) async fn resend(Sent { desk, fields }: Sent) -> Result<Response, Failure> {
    let reader = Reader::of(&desk);
    if !reader.is_one_of(OPERATORS) {
        return Err(nothing_here());
    }
    let catalog = &reader.app.services.catalog;
    let (key, by) = (fields.get("key"), reader.caller.principal.name.as_str());
    let Some(why) = reason(fields.given("reason")) else { return show(&reader, Some("delivery-fault-reason")).await };
    if !catalog.resend_delivery(key, &format!("{by}: {why}")).await? {
        return show(&reader, Some("delivery-fault-state")).await;
    }
    catalog.audit("resend", by, json!({"delivery": key, "reason": why})).await?;
    let state = reader.asked.given("state").filter(|state| STATES.contains(state));
    Ok(Redirect::to(&address(state, true)).into_response())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{DeliveryRow, address, is_to, state_key};

    #[test]
    fn only_what_was_sent_to_oneself() {
        let row = |recipient: &str, address: Option<&str>| DeliveryRow {
            key: "k".into(),
            run_id: Some(1),
            edition: Some("e".into()),
            notice: None,
            channel: "email".into(),
            recipient: recipient.into(),
            address: address.map(str::to_owned),
            lang: "en".into(),
            state: "accepted".into(),
            tries: 1,
            bytes: None,
            answer: String::new(),
            planned_at: Timestamp::UNIX_EPOCH,
            changed_at: Timestamp::UNIX_EPOCH,
            next_at: None,
        };
        assert!(is_to(&row("ann", Some("ann@bank.example")), "ann"));
        assert!(is_to(&row("ann", Some("")), "ann"));
        assert!(!is_to(&row("bob", Some("ann@bank.example")), "ann"));
        assert!(!is_to(&row("archive", None), "archive"));
    }

    #[test]
    fn addresses_and_words() {
        assert_eq!(address(None, false), "/deliveries");
        assert_eq!(address(Some("handed_over"), true), "/deliveries?state=handed_over&done=resend");
        assert_eq!(state_key("handed_over"), "delivery-state-handed-over");
    }
}
