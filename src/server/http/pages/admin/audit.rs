//! `/admin/audit`: what happened. Records hold the statements of others, so that reading them is recorded too.

use askama::Template;
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde_json::{Value, json};

use super::{Desk, Fault, Fields, Frame, Long, Refused, Sent, Sheet, second, show};
use crate::catalog::{AuditFilter, AuditRow, Verified};
use crate::error::Result;
use crate::server::http::error::Failure;

/// The tab of this page.
const AUDIT: &str = "/admin/audit";
/// Records on a page.
const RECORDS: usize = 100;
/// What is known to happen. Others can be searched for by their name.
const ACTIONS: &[(&str, &str)] = &[
    ("statement", "portal-action-statement"),
    ("statement_refused", "portal-action-statement-refused"),
    ("statement_ended", "portal-action-statement-ended"),
    ("statement_stopped", "portal-action-statement-stopped"),
    ("export", "portal-action-export"),
    ("result_read", "portal-action-result-read"),
    ("login", "portal-action-login"),
    ("login_failed", "portal-action-login-failed"),
    ("user_created", "portal-action-user-created"),
    ("user_changed", "portal-action-user-changed"),
    ("password_changed", "portal-action-password-changed"),
    ("token_created", "portal-action-token-created"),
    ("token_revoked", "portal-action-token-revoked"),
    ("publish", "portal-action-publish"),
    ("schedule", "portal-action-schedule"),
    ("resend", "portal-action-resend"),
    ("edition_refused", "portal-action-edition-refused"),
    ("edition_swept", "portal-action-edition-swept"),
    ("load", "portal-action-load"),
    ("refresh", "portal-action-refresh"),
    ("audit_read", "portal-action-audit-read"),
    ("audit_dropped", "portal-action-audit-dropped"),
];

#[derive(Template)]
#[template(path = "server/http/pages/admin/audit.html")]
struct Page {
    frame: Frame,
    sheet: Sheet,
    user: String,
    action: String,
    since: String,
    actions: Vec<(&'static str, String)>,
    /// This page with its search, for the form that verifies.
    search: String,
    verified: Option<VerifiedView>,
    records: Vec<Record>,
    /// The next older records.
    older: Option<String>,
    /// The newest ones, where these are not.
    newest: Option<String>,
}

struct VerifiedView {
    records: usize,
    /// The last record that was dropped when its time was over.
    after: Option<String>,
    /// The place to note.
    last: String,
}

struct Record {
    sequence: i64,
    at: String,
    user: String,
    action: String,
    label: String,
    pairs: Vec<(String, String)>,
    /// Texts that are folded: statements and what else is long.
    texts: Vec<(String, Long)>,
}

/// What is looked for, as the address says it.
struct Search {
    user: Option<String>,
    action: Option<String>,
    since: Option<String>,
    before: Option<String>,
}

impl Search {
    fn of(desk: &Desk) -> Self {
        let fields = Fields::read(desk.uri.query().unwrap_or_default().as_bytes());
        let given = |name| fields.given(name).map(str::to_owned);
        Self { user: given("user"), action: given("action"), since: given("since"), before: given("before") }
    }

    fn filter(&self, desk: &Desk) -> Result<AuditFilter, Refused> {
        let since = self.since.as_deref().map(|text| time(text).ok_or_else(|| desk.wrong("portal-admin-fault-time")));
        let number = |text: &String| text.parse::<i64>().map_err(|_| desk.wrong("portal-admin-fault-form"));
        Ok(AuditFilter {
            principal: self.user.clone(),
            action: self.action.clone(),
            since: since.transpose()?,
            before: self.before.as_ref().map(number).transpose()?,
            limit: i64::try_from(RECORDS + 1).ok(), // one more tells whether there is more
        })
    }

    /// This search as an address, from before a record on, or from the newest.
    fn href(&self, before: Option<i64>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("user", &self.user), ("action", &self.action), ("since", &self.since)] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        match query.finish() {
            query if query.is_empty() => AUDIT.to_owned(),
            query => format!("{AUDIT}?{query}"),
        }
    }
}

/// A time as people and browsers write it, UTC unless it says otherwise.
fn time(text: &str) -> Option<Timestamp> {
    let civil = || Offset::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok();
    text.parse().ok().or_else(civil)
}

/// `GET /admin/audit`.
pub(in crate::server::http) async fn page(desk: Desk) -> Result<Response, Failure> {
    show_page(&desk, None, None).await
}

/// `POST /admin/audit`: whether the chain holds.
pub(in crate::server::http) async fn verify(Sent { desk, .. }: Sent) -> Result<Response, Failure> {
    match desk.app.services.catalog.verify_audit(None).await {
        Ok(verified) => show_page(&desk, Some(verified), None).await,
        Err(error) => show_page(&desk, None, Some(Fault::of(error.into())?)).await,
    }
}

async fn show_page(desk: &Desk, verified: Option<Verified>, fault: Option<Fault>) -> Result<Response, Failure> {
    let search = Search::of(desk);
    let (mut rows, fault) = match search.filter(desk) {
        Ok(filter) => (read(desk, &search, &filter).await?, fault),
        Err(refused) => (Vec::new(), Some(Fault::of(refused)?)),
    };
    let more = rows.len() > RECORDS;
    rows.truncate(RECORDS);
    let older = rows.last().filter(|_| more).map(|row| search.href(Some(row.sequence)));
    let page = Page {
        frame: desk.frame(),
        sheet: desk.sheet(AUDIT, fault),
        actions: ACTIONS.iter().map(|(name, key)| (*name, desk.word(key))).collect(),
        search: desk.uri.path_and_query().map_or(AUDIT, |here| here.as_str()).to_owned(),
        verified: verified.map(|verified| VerifiedView {
            records: usize::try_from(verified.records).unwrap_or_default(),
            after: (verified.after.sequence > 0).then(|| verified.after.sequence.to_string()),
            last: verified.last.to_string(),
        }),
        records: rows.into_iter().map(|row| record(desk, row)).collect(),
        older,
        newest: search.before.is_some().then(|| search.href(None)),
        user: search.user.unwrap_or_default(),
        action: search.action.unwrap_or_default(),
        since: search.since.unwrap_or_default(),
    };
    show(page.sheet.status(), &page)
}

/// Reads, and records that it was read before anything of it is shown.
async fn read(desk: &Desk, search: &Search, filter: &AuditFilter) -> Result<Vec<AuditRow>> {
    let catalog = &desk.app.services.catalog;
    let rows = catalog.audit_rows(filter).await?;
    let asked = json!({
        "user": search.user, "action": search.action, "since": filter.since.map(|at| at.to_string()),
        "before": filter.before, "records": rows.len().min(RECORDS),
    });
    catalog.audit("audit_read", &desk.caller.principal.name, asked).await?;
    Ok(rows)
}

fn record(desk: &Desk, row: AuditRow) -> Record {
    let event = row.event;
    let known = ACTIONS.iter().find(|(name, _)| *name == event.action);
    let (mut pairs, mut texts) = (Vec::new(), Vec::new());
    let details = match event.detail {
        Value::Object(details) => details,
        other => [("detail".to_owned(), other)].into_iter().collect(),
    };
    for (name, value) in details {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text,
            other => other.to_string(),
        };
        match matches!(name.as_str(), "sql" | "parameters") || text.chars().count() > super::LINE {
            true => texts.push((name, Long::new(&text))),
            false => pairs.push((name, text)),
        }
    }
    Record {
        sequence: row.sequence,
        at: second(event.at),
        user: event.principal,
        label: known.map_or_else(String::new, |(_, key)| desk.word(key)),
        action: event.action,
        pairs,
        texts,
    }
}
