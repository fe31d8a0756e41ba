//! All editions of a report, and the newest of a scope.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::response::Response;

use super::{
    Link, Reader, Select, completeness, downloads, path, percent, period_words, query, reason, redirect, scope_words,
};
use crate::catalog::{EditionFilter, EditionRow};
use crate::error::Result;
use crate::locale::{Value, message};
use crate::publish::Manifest;
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;
use crate::server::http::pages::admin::minute;
use crate::server::http::pages::{Frame, render};

/// Editions that one list shows.
const LISTED: usize = 200;
/// Editions that are looked through for it.
const READ: u32 = 4000;

#[derive(Template)]
#[template(path = "server/http/pages/editions/list.html")]
struct List {
    frame: Frame,
    title: String,
    /// This list without its narrowing, where the form goes.
    here: String,
    report: String,
    latest: String,
    schedules: bool,
    scopes: Vec<Select>,
    periods: Vec<Select>,
    rows: Vec<Row>,
    /// A sentence, where not all are shown.
    more: Option<String>,
}

struct Row {
    period: String,
    scope: String,
    digits: Option<String>,
    href: String,
    version: String,
    published: String,
    completeness: String,
    partial: bool,
    removed: bool,
    reason: String,
    changes: Option<String>,
    formats: Vec<Link>,
}

/// `GET /reports/{name}/editions`.
pub(in crate::server::http) async fn list(Path(name): Path<String>, reader: Reader) -> Result<Response, Failure> {
    let report = reader.report(&name)?;
    let asked = |name: &str| reader.asked.given(name).map(str::to_owned);
    let (scope, period) = (asked("scope"), asked("period"));
    let all = EditionFilter { report: Some(name.clone()), limit: Some(READ), ..EditionFilter::default() };
    let all = reader.editions(&all).await?;
    let mut scopes: BTreeMap<&str, &EditionRow> = BTreeMap::new();
    for row in &all {
        scopes.entry(row.scope.as_str()).or_insert(row);
    }
    let scopes = scopes.into_iter().map(|(value, row)| {
        let label = match scope_words(reader.lang, row) {
            (label, None) => label,
            (label, Some(digits)) => format!("{label} · {digits}"),
        };
        Select { value: value.to_owned(), label, on: scope.as_deref() == Some(value) }
    });
    let scopes: Vec<Select> = scopes.collect();
    let mut seen = BTreeSet::new();
    let periods = all.iter().filter(|row| seen.insert(row.period.as_str())).map(|row| Select {
        value: row.period.clone(),
        label: period_words(reader.lang, row),
        on: period.as_deref() == Some(row.period.as_str()),
    });
    let periods: Vec<Select> = periods.collect();
    let narrowed = scope.is_some() || period.is_some();
    let rows = match narrowed {
        false => all,
        true => {
            let filter = EditionFilter {
                report: Some(name.clone()),
                scope,
                period,
                limit: Some(READ),
                ..EditionFilter::default()
            };
            reader.editions(&filter).await?
        }
    };
    let more = (rows.len() > LISTED).then(|| {
        let count = |count: usize| Value::Count(i64::try_from(count).unwrap_or(i64::MAX));
        message(reader.lang, "edition-more", &[("shown", count(LISTED)), ("of", count(rows.len()))])
    });
    let here = format!("/reports/{}/editions", percent(&name));
    let page = List {
        frame: reader.frame("reports"),
        title: reader.title(report),
        latest: format!("/reports/{}/latest", percent(&name)),
        report: format!("/reports/{}", percent(&name)),
        schedules: !report.publish.is_empty(),
        here,
        scopes,
        periods,
        rows: rows.iter().take(LISTED).map(|row| describe_row(&reader, row)).collect::<Result<_>>()?,
        more,
    };
    render(&page)
}

fn describe_row(reader: &Reader, edition: &EditionRow) -> Result<Row> {
    let manifest = Manifest::parse(&edition.manifest)?;
    let (scope, digits) = scope_words(reader.lang, edition);
    let href = path(edition);
    let removed = edition.removed_at.is_some();
    Ok(Row {
        period: period_words(reader.lang, edition),
        scope,
        digits,
        version: format!("v{}", edition.version),
        published: minute(edition.published_at),
        completeness: completeness(&manifest),
        partial: manifest.completeness.closed < manifest.completeness.of,
        removed,
        reason: reason(reader.lang, edition),
        changes: (edition.version > 1 && !removed).then(|| format!("{href}/changes")),
        formats: downloads(reader, edition, &manifest),
        href,
    })
}

/// `GET /reports/{name}/latest`: the newest edition of a scope, the reader's own unless stated.
pub(in crate::server::http) async fn latest(Path(name): Path<String>, reader: Reader) -> Result<Response, Failure> {
    reader.report(&name)?;
    let edition = newest(&reader, &name).await?;
    let kept = query(&[("format", reader.asked.given("format")), ("lang", reader.asked.given("lang"))]);
    Ok(redirect(&format!("{}{kept}", path(&edition)))?)
}

/// The newest edition that a reader may open: of the newest day for which there is one, the schedule's own before those that show
/// less. Where none may be opened, the newest is refused and that is recorded.
async fn newest(reader: &Reader, name: &str) -> Result<EditionRow> {
    let services = &reader.app.services;
    let scope = match reader.asked.given("scope") {
        Some(scope) => scope.to_owned(),
        None => services.door.default_schema(&reader.caller.principal),
    };
    let period = reader.asked.given("period");
    let (mut before, mut refused) = (None, None);
    loop {
        let rows = services.catalog.newest_editions(name, &scope, period, before).await?;
        let Some(first) = rows.first().cloned() else { return reader.open(refused).await };
        before = Some(first.as_of);
        refused = refused.or(Some(first));
        let open: Vec<EditionRow> = rows.into_iter().filter(|row| reader.may_open(row)).collect();
        let newest = |row: &&EditionRow| open.first().is_some_and(|first| first.period == row.period);
        if let Some(edition) = open.iter().filter(newest).find(|row| row.scope == scope).or_else(|| open.first()) {
            return Ok(edition.clone());
        }
    }
}
