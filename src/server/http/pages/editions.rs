//! Editions: which there are of a report, one by its permanent link, what it corrected, its evidence and its files.
//!
//! Each opening is checked against today's rights, one that is answered by 304 too. What is not there and what somebody
//! may not see answer alike. Whatever leaves as a file is an export: the right to it is asked, and it is recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::admin::{Desk, Fields, minute};
use super::{Frame, openable, render};
use crate::auth::{Only, Scope, sha256_hex};
use crate::catalog::{EditionFilter, EditionRow};
use crate::error::{Code, Error, Result};
use crate::locale::{self, Lang, Value, format_month, format_quarter, message};
use crate::model::report::Report;
use crate::publish::{Changes, DatasetChanges, Entry, MANIFEST, Manifest, Texts};
use crate::query::{Face, HEAD_OFFICE};
use crate::report::format::FORMATS;
use crate::server::http::App;
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;
use crate::server::http::files;
use crate::server::http::language::Choice;
use crate::server::http::session::Caller;

/// Editions that one list shows.
const LISTED: usize = 200;
/// Editions that are looked through for it.
const READ: u32 = 4000;
/// Cells of a dataset that the page of changes shows; all stand in its JSON.
const CELLS: usize = 500;

/// Somebody who reads, and what was asked for.
pub(in crate::server::http) struct Reader {
    pub(super) app: App,
    pub(super) caller: Caller,
    pub(super) lang: Lang,
    pub(super) uri: Uri,
    /// The parameters of the address.
    pub(super) asked: Fields,
    /// What the browser says that it has, from `If-None-Match`.
    known: String,
}

impl FromRequestParts<App> for Reader {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let lang = parts.extensions.get::<Choice>().map(|choice| choice.lang).unwrap_or_default();
        let known: Vec<&str> =
            parts.headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).collect();
        Ok(Self {
            app: app.clone(),
            caller,
            lang,
            known: known.join(","),
            asked: Fields::read(parts.uri.query().unwrap_or_default().as_bytes()),
            uri: parts.uri.clone(),
        })
    }
}

impl Reader {
    /// Whoever sent a form, as somebody who reads.
    pub(super) fn of(desk: &Desk) -> Self {
        Self {
            app: desk.app.clone(),
            caller: desk.caller.clone(),
            lang: desk.lang,
            known: String::new(),
            asked: Fields::read(desk.uri.query().unwrap_or_default().as_bytes()),
            uri: desk.uri.clone(),
        }
    }

    pub(super) fn frame(&self, section: &'static str) -> Frame {
        Frame::new(&self.app, self.lang, &self.caller, &self.uri, section)
    }

    pub(super) fn word(&self, key: &str) -> String {
        message(self.lang, key, &[])
    }

    /// Whether somebody has one of these roles.
    pub(super) fn is_one_of(&self, roles: &[&str]) -> bool {
        let principal = &self.caller.principal;
        principal.scope == Scope::HeadOffice
            && principal.only == Only::default()
            && roles.iter().any(|role| principal.has_role(role))
    }

    /// A report that this reader may open.
    ///
    /// Errors: `NO_SUCH_OBJECT`, the same for what does not exist and what this person may not open.
    fn report(&self, name: &str) -> Result<&Report> {
        openable(&self.app, &self.caller.principal).find(|report| *report.name == name).ok_or_else(|| {
            Error::new(Code::NoSuchObject, format!("There is no report `{name}`, or no right to open it."))
        })
    }

    /// A report's title; one without goes by its name.
    pub(super) fn title(&self, report: &Report) -> String {
        match self.lang.pick(&report.title) {
            "" => report.name.value.clone(),
            title => title.to_owned(),
        }
    }

    pub(super) fn may_open(&self, edition: &EditionRow) -> bool {
        self.app.services.publisher.may_open(&self.caller.principal, edition)
    }

    /// The editions of a report that this reader may open, newest first.
    async fn editions(&self, filter: &EditionFilter) -> Result<Vec<EditionRow>> {
        let mut rows = self.app.services.catalog.editions(filter).await?;
        rows.retain(|row| self.may_open(row));
        Ok(rows)
    }

    /// Opens what was found, or answers that there is nothing.
    async fn open(&self, found: Option<EditionRow>) -> Result<EditionRow> {
        self.app.services.publisher.open_edition(&self.caller.principal, found).await
    }

    /// Whether the browser has this already.
    fn knows(&self, etag: &str) -> bool {
        self.known.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == etag || tag == "*")
    }

    /// What stands around a page, in eight digits: the same edition in another session's frame is another page.
    fn frame_digits(&self) -> String {
        let Caller { principal, session } = &self.caller;
        let around = format!(
            "{} {} {} {} {}",
            self.lang,
            principal.name,
            principal.fingerprint(),
            session.as_deref().unwrap_or_default(),
            files::href("countinghouse.css")
        );
        sha256_hex(around.as_bytes()).chars().take(8).collect()
    }

    /// One of the two formats of a page that has data.
    fn wants_json(&self) -> Result<bool> {
        match self.asked.given("format") {
            None | Some("html") => Ok(false),
            Some("json") => Ok(true),
            Some(other) => Err(wrong_format(other, ["html", "json"])),
        }
    }

    /// Refuses an export, or lets it be.
    fn may_export(&self, format: &str) -> Result<()> {
        self.app.services.door.may_export(&self.caller.principal, Face::Report, format)
    }

    /// Records that bytes of an edition leave.
    async fn exported(&self, edition: &EditionRow, file: &str, format: &str, bytes: &Bytes) -> Result<()> {
        let detail = json!({
            "report": edition.report, "edition": edition.id, "file": file, "format": format,
            "bytes": bytes.len(), "sha256": sha256_hex(bytes),
        });
        self.app.services.catalog.audit("export", &self.caller.principal.name, detail).await
    }
}

fn wrong_format<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Error {
    let known: Vec<String> = known.into_iter().map(|name| format!("`{name}`")).collect();
    let text = format!("parameter `format`: `{given}` is not allowed; write one of {}", known.join(", "));
    Error::new(Code::BadRequest, text)
}

/// Text as a part of a path, or of a file name in a header.
pub(super) fn percent(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => {
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

/// An edition's permanent link on this server.
pub(super) fn path(edition: &EditionRow) -> String {
    let EditionRow { report, scope, period, version, .. } = edition;
    format!("/r/{}/{}/{}/v{version}", percent(report), percent(scope), percent(period))
}

/// `?…` of those that are given; empty for none.
fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let given = pairs.iter().filter_map(|(name, value)| value.map(|value| (*name, value)));
    match url::form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish() {
        query if query.is_empty() => query,
        query => format!("?{query}"),
    }
}

/// The period in words: `2026年10月`, `Q3 2026`, `2026`, `2026-10-31`.
pub(super) fn period_words(lang: Lang, edition: &EditionRow) -> String {
    let EditionRow { period, as_of, .. } = edition;
    match period.len() {
        7 if period.contains("-q") => format_quarter(lang, *as_of),
        7 => format_month(lang, *as_of),
        _ => period.clone(),
    }
}

/// The scope in words, and eight digits where the edition was not made with the schedule's own rights.
pub(super) fn scope_words(lang: Lang, edition: &EditionRow) -> (String, Option<String>) {
    let (schema, digits) = match edition.scope.split_once('~') {
        Some((schema, digits)) => (schema, Some(digits.to_owned())),
        None => (edition.scope.as_str(), None),
    };
    let manifest = Manifest::parse(&edition.manifest).ok();
    let label = manifest.as_ref().and_then(|manifest| texts(manifest, lang)).map(|(_, texts)| texts.scope.clone());
    (label.filter(|label| !label.is_empty()).unwrap_or_else(|| schema.to_owned()), digits)
}

/// What an edition says of itself in a language, else in its first.
fn texts(manifest: &Manifest, lang: Lang) -> Option<(&str, &Texts)> {
    let wanted = manifest.texts.get_key_value(lang.tag());
    wanted.or_else(|| manifest.texts.iter().next()).map(|(tag, texts)| (tag.as_str(), texts))
}

/// The formats of an edition in a language: how the names of their files end. Summaries for messages are none.
fn formats<'a>(manifest: &'a Manifest, tag: &str) -> Vec<(&'a str, &'a Entry)> {
    let format = |entry: &'a Entry| {
        let end = entry.name.strip_prefix(tag)?.strip_prefix('.')?;
        (!end.contains(['.', '/'])).then_some((end, entry))
    };
    manifest.files.iter().filter_map(format).collect()
}

/// A format as a link names it.
fn format_title(extension: &str) -> String {
    let known = FORMATS.iter().find(|format| format.extension() == extension);
    known.map_or_else(|| extension.to_uppercase(), |format| format.title().to_owned())
}

/// A link.
struct Link {
    href: String,
    title: String,
}

/// Links to the files that this reader may take out, the page itself not among them.
fn downloads(reader: &Reader, edition: &EditionRow, manifest: &Manifest) -> Vec<Link> {
    let Some((tag, _)) = texts(manifest, reader.lang) else { return Vec::new() };
    if edition.removed_at.is_some() {
        return Vec::new();
    }
    formats(manifest, tag)
        .into_iter()
        .filter(|(format, _)| *format != "html" && reader.may_export(format).is_ok())
        .map(|(format, _)| Link {
            href: format!("{}{}", path(edition), query(&[("format", Some(format))])),
            title: format_title(format),
        })
        .collect()
}

/// Why there is this version.
fn reason(lang: Lang, edition: &EditionRow) -> String {
    match (edition.version, edition.changes.unwrap_or_default()) {
        (1, _) => message(lang, "edition-first", &[]),
        (version, 0) => message(lang, "edition-replaces", &[("version", Value::Text(&(version - 1).to_string()))]),
        (version, cells) => {
            let version = (version - 1).to_string();
            let arguments = [("version", Value::Text(&version)), ("cells", Value::Count(cells))];
            message(lang, "edition-changed-cells", &arguments)
        }
    }
}

fn completeness(manifest: &Manifest) -> String {
    match manifest.completeness.of {
        0 => String::new(),
        of => format!("{}/{of}", manifest.completeness.closed),
    }
}

// ---- the list

#[derive(Template)]
#[template(path = "server/http/pages/editions.html")]
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

/// An entry of a choice.
pub(super) struct Select {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) on: bool,
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
            let filter = EditionFilter { report: Some(name.clone()), scope, period, limit: Some(READ) };
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
    let services = &reader.app.services;
    let asked = |name: &str| reader.asked.given(name).map(str::to_owned);
    let filter =
        EditionFilter { report: Some(name.clone()), scope: asked("scope"), period: asked("period"), limit: None };
    let own = filter.scope.clone().unwrap_or_else(|| services.door.default_schema(&reader.caller.principal));
    // Of the own scope there may be only an edition that shows less than the schedule's own.
    let is_own = |scope: &str| scope == own || scope.split_once('~').is_some_and(|(schema, _)| schema == own);
    let mut rows = services.catalog.editions(&filter).await?;
    rows.retain(|row| row.removed_at.is_none() && is_own(&row.scope));
    let (open, refused): (Vec<EditionRow>, Vec<EditionRow>) = rows.into_iter().partition(|row| reader.may_open(row));
    let newest = |row: &&EditionRow| open.first().is_some_and(|first| first.period == row.period);
    let best = open.iter().filter(newest).find(|row| row.scope == own).or_else(|| open.first()).cloned();
    let edition = match best {
        Some(edition) => edition,
        None => reader.open(refused.into_iter().next()).await?,
    };
    let kept = query(&[("format", reader.asked.given("format")), ("lang", reader.asked.given("lang"))]);
    Ok(redirect(&format!("{}{kept}", path(&edition)))?)
}

/// 302: where it leads today.
fn redirect(to: &str) -> Result<Response> {
    let to = HeaderValue::from_str(to).map_err(|error| Error::internal("an address is no header", error))?;
    Ok((StatusCode::FOUND, [(LOCATION, to)]).into_response())
}

// ---- one edition

#[derive(Template)]
#[template(path = "server/http/pages/edition.html")]
struct Page {
    frame: Frame,
    /// Plain text.
    title: String,
    bar: Bar,
    /// The `<main>` element as it was frozen; none where the edition has no page.
    main: Option<String>,
    /// Language of title and message.
    tag: String,
    report: String,
    message: String,
    gone: Option<Gone>,
}

/// What stands above an edition.
struct Bar {
    version: String,
    report: String,
    period: String,
    scope: String,
    digits: Option<String>,
    published: String,
    /// `27/28`, where branches were missing.
    partial: Option<String>,
    remarks: Vec<String>,
    formats: Vec<Link>,
    evidence: String,
    changes: Option<String>,
    history: String,
    live: String,
    newer: Option<Link>,
}

/// An edition whose files are not kept any more.
struct Gone {
    at: String,
    why: String,
    id: String,
    run_key: String,
}

/// An edition and what is needed to show it.
struct Opened {
    edition: EditionRow,
    manifest: Manifest,
    /// The newest version that this reader may open, where it is a later one.
    newer: Option<EditionRow>,
}

/// `v1` and on.
fn number(version: &str) -> Option<u32> {
    let number = version.strip_prefix('v')?.parse().ok()?;
    (format!("v{number}") == version).then_some(number)
}

impl Reader {
    async fn by_link(&self, (name, scope, period, version): (String, String, String, String)) -> Result<Opened> {
        let number = number(&version);
        let filter = EditionFilter { report: Some(name), scope: Some(scope), period: Some(period), limit: None };
        let versions = self.app.services.catalog.editions(&filter).await?;
        let found = versions.iter().find(|row| Some(row.version) == number).cloned();
        self.opened(found, versions).await
    }

    async fn by_id(&self, id: &str) -> Result<Opened> {
        let found = self.app.services.catalog.edition(id).await?;
        self.opened(found, Vec::new()).await
    }

    async fn opened(&self, found: Option<EditionRow>, versions: Vec<EditionRow>) -> Result<Opened> {
        let edition = self.open(found).await?;
        let manifest = Manifest::parse(&edition.manifest)?;
        let is_newer =
            |row: &EditionRow| row.version > edition.version && row.removed_at.is_none() && self.may_open(row);
        let newer = versions.into_iter().find(is_newer);
        Ok(Opened { edition, manifest, newer })
    }

    /// The bytes of one of its files.
    async fn file(&self, opened: &Opened, name: &str) -> Result<Bytes> {
        self.app.services.publisher.shelf().get(&opened.edition.id, &opened.manifest, name).await
    }

    fn bar(&self, opened: &Opened) -> Bar {
        let Opened { edition, manifest, newer } = opened;
        let (scope, digits) = scope_words(self.lang, edition);
        let title = texts(manifest, self.lang).map(|(_, texts)| texts.title.clone()).unwrap_or_default();
        let name = percent(&edition.report);
        let removed = edition.removed_at.is_some();
        // They name branches of the whole bank, which a branch's reader is not told of.
        let remarks = match edition.scope.split('~').next() {
            Some(HEAD_OFFICE) => manifest.remarks.clone(),
            _ => Vec::new(),
        };
        Bar {
            version: format!("v{}", edition.version),
            report: title,
            period: period_words(self.lang, edition),
            scope,
            digits,
            published: minute(edition.published_at),
            partial: (manifest.completeness.closed < manifest.completeness.of).then(|| completeness(manifest)),
            remarks,
            formats: downloads(self, edition, manifest),
            evidence: format!("/editions/{}/evidence", edition.id),
            changes: (edition.version > 1 && !removed).then(|| format!("{}/changes", path(edition))),
            history: format!(
                "/reports/{name}/editions{}",
                query(&[("scope", Some(&edition.scope)), ("period", Some(&edition.period))])
            ),
            live: format!("/reports/{name}"),
            newer: newer.as_ref().map(|newer| {
                let version = format!("v{}", newer.version);
                let published = format!("{} UTC", minute(newer.published_at));
                let arguments = [("version", Value::Text(&version)), ("published", Value::Text(&published))];
                Link { href: path(newer), title: message(self.lang, "edition-open-newer", &arguments) }
            }),
        }
    }

    /// The answer where files are not kept any more: what it was, and that its hash still stands.
    fn gone(&self, opened: &Opened) -> Result<Response, Failure> {
        let edition = &opened.edition;
        if self.asked.given("format").is_some_and(|format| format != "html") {
            let text = "The files of this edition are not kept any more; its hash and run key still stand.";
            return Err(Failure::new(Error::new(Code::NoSuchObject, text)).status(StatusCode::GONE));
        }
        let at = edition.removed_at.map(minute).unwrap_or_default();
        let gone = Gone {
            at,
            why: edition.removal.clone().unwrap_or_default(),
            id: edition.id.clone(),
            run_key: edition.run_key.clone(),
        };
        let mut response = render(&self.page(opened, None, Some(gone)))?;
        *response.status_mut() = StatusCode::GONE;
        Ok(response)
    }

    fn page(&self, opened: &Opened, main: Option<String>, gone: Option<Gone>) -> Page {
        let texts = texts(&opened.manifest, self.lang);
        let bar = self.bar(opened);
        Page {
            frame: self.frame("reports"),
            title: format!("{} · {} · {} · {}", bar.report, bar.scope, bar.period, bar.version),
            main,
            tag: texts.map(|(tag, _)| tag.to_owned()).unwrap_or_default(),
            report: bar.report.clone(),
            message: texts.map(|(_, texts)| texts.message.clone()).unwrap_or_default(),
            bar,
            gone,
        }
    }

    /// Headers of an edition in any form.
    fn describe(&self, response: &mut Response, opened: &Opened, etag: &str) -> Result<()> {
        let Opened { edition, manifest, newer } = opened;
        let text = |text: &str| {
            HeaderValue::from_str(text).map_err(|error| Error::internal("an edition's header cannot be written", error))
        };
        let headers = response.headers_mut();
        headers.insert(ETAG, text(etag)?);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert("x-as-of", text(&manifest.as_of)?);
        headers.insert("x-snapshot-id", HeaderValue::from(edition.snapshot_id));
        let completeness = &manifest.completeness;
        headers.insert("x-completeness", text(&format!("{}/{}", completeness.closed, completeness.of))?);
        if let Some(newer) = newer {
            headers.insert(LINK, text(&format!("<{}>; rel=\"successor-version\"", path(newer)))?);
        }
        Ok(())
    }

    /// A file of an edition as an answer; recorded, and offered to be saved unless it is a picture.
    async fn download(&self, opened: &Opened, name: &str, format: &str, names: &Names) -> Result<Response> {
        let bytes = match name {
            MANIFEST => Bytes::copy_from_slice(opened.edition.manifest.as_bytes()),
            name => self.file(opened, name).await?,
        };
        self.exported(&opened.edition, name, format, &bytes).await?;
        let content_type = opened.manifest.file(name).map_or("application/json", |entry| entry.content_type.as_str());
        let content_type = HeaderValue::from_str(content_type)
            .map_err(|error| Error::internal("an edition's file has a strange type", error))?;
        let mut response = bytes.into_response();
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        if format != "png" {
            let value = HeaderValue::from_str(&names.disposition())
                .map_err(|error| Error::internal("a file's name is no header", error))?;
            response.headers_mut().insert(CONTENT_DISPOSITION, value);
        }
        Ok(response)
    }
}

/// What a file is called where it is saved.
struct Names {
    ascii: String,
    full: String,
}

impl Names {
    fn of(opened: &Opened, lang: Lang, end: &str) -> Self {
        let EditionRow { report, scope, period, version, .. } = &opened.edition;
        let ascii = format!("{report}-{scope}-{period}-v{version}{end}");
        let full = match texts(&opened.manifest, lang) {
            Some((_, texts)) => format!("{}-{}-{period}-v{version}{end}", texts.title, texts.scope),
            None => ascii.clone(),
        };
        Self { ascii, full }
    }

    /// The header: a name that every client reads, and the one in the reader's language.
    fn disposition(&self) -> String {
        let plain = |c: char| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '/') { c } else { '_' };
        let ascii: String = self.ascii.chars().map(plain).collect();
        let allowed = |c: char| if c.is_control() || "/\\:*?\"<>|".contains(c) { '_' } else { c };
        let full: String = self.full.chars().map(allowed).collect();
        format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{}", percent(&full))
    }
}

/// The `<main>` element of a frozen page, as it stands there.
fn main_of(page: &str) -> Option<&str> {
    let from = page.find("<main")?;
    let to = page.rfind("</main>")? + "</main>".len();
    page.get(from..to).filter(|main| !main.is_empty())
}

/// `GET /r/{name}/{scope}/{period}/{version}`.
pub(in crate::server::http) async fn one(
    Path(link): Path<(String, String, String, String)>,
    reader: Reader,
) -> Result<Response, Failure> {
    let opened = reader.by_link(link).await?;
    let Opened { edition, manifest, newer } = &opened;
    if edition.removed_at.is_some() {
        return reader.gone(&opened);
    }
    let none = || Error::new(Code::Internal, "an edition has no texts");
    let (tag, _) = texts(manifest, reader.lang).ok_or_else(none)?;
    let formats = formats(manifest, tag);
    let format = reader.asked.given("format").unwrap_or("html");
    let entry = formats.iter().find(|(known, _)| *known == format).map(|(_, entry)| *entry);
    if format != "html" {
        let known =
            || std::iter::once("html").chain(formats.iter().map(|(known, _)| *known).filter(|it| *it != "html"));
        let entry = entry.ok_or_else(|| wrong_format(format, known()))?;
        reader.may_export(format)?;
        let etag = format!("\"{}.{format}.{tag}\"", edition.id);
        let mut response = match reader.knows(&etag) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => {
                let names = Names::of(&opened, reader.lang, &format!(".{format}"));
                reader.download(&opened, &entry.name, format, &names).await?
            }
        };
        reader.describe(&mut response, &opened, &etag)?;
        return Ok(response);
    }
    let newest = newer.as_ref().map_or(edition.version, |newer| newer.version);
    let etag = format!("\"{}.html.{tag}.v{newest}.{}\"", edition.id, reader.frame_digits());
    if reader.knows(&etag) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        reader.describe(&mut response, &opened, &etag)?;
        return Ok(response);
    }
    let main = match entry {
        None => None,
        Some(entry) => {
            let bytes = reader.file(&opened, &entry.name).await?;
            main_of(&String::from_utf8_lossy(&bytes)).map(str::to_owned)
        }
    };
    let mut response = render(&reader.page(&opened, main, None))?;
    reader.describe(&mut response, &opened, &etag)?;
    Ok(response)
}

/// `GET /editions/{id}`: the permanent link of a hash.
pub(in crate::server::http) async fn by_hash(Path(id): Path<String>, reader: Reader) -> Result<Response, Failure> {
    let opened = reader.by_id(&id).await?;
    let kept = query(&[("format", reader.asked.given("format")), ("lang", reader.asked.given("lang"))]);
    Ok(redirect(&format!("{}{kept}", path(&opened.edition)))?)
}

/// `GET /editions/{id}/files/{*name}`: a file as it was frozen, to be saved.
pub(in crate::server::http) async fn file(
    Path((id, name)): Path<(String, String)>,
    reader: Reader,
) -> Result<Response, Failure> {
    let opened = reader.by_id(&id).await?;
    if opened.edition.removed_at.is_some() {
        return reader.gone(&opened);
    }
    if name != MANIFEST && opened.manifest.file(&name).is_none() {
        return Err(Error::new(Code::NoSuchObject, format!("The edition has no file `{name}`.")).into());
    }
    let format = name.rsplit_once('.').map_or("", |(_, end)| end);
    if format != "html" {
        reader.may_export(format)?;
    }
    let etag = format!("\"{}/{}\"", opened.edition.id, percent(&name));
    let mut response = match reader.knows(&etag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => {
            let names = Names::of(&opened, reader.lang, &format!("-{}", name.replace('/', "-")));
            reader.download(&opened, &name, format, &names).await?
        }
    };
    reader.describe(&mut response, &opened, &etag)?;
    Ok(response)
}

// ---- changes and evidence

#[derive(Template)]
#[template(path = "server/http/pages/changes.html")]
struct ChangesPage {
    frame: Frame,
    title: String,
    bar: Bar,
    edition: String,
    what: What,
}

/// What the page tells.
enum What {
    /// Nothing came before.
    First,
    Changes {
        sentence: String,
        before: String,
        json: Option<String>,
        datasets: Vec<ChangedView>,
    },
    Evidence(Box<EvidenceView>),
}

struct ChangedView {
    name: String,
    /// Columns that one of the two does not have, as a list.
    columns: Option<String>,
    cells: Vec<CellView>,
    /// A sentence, where not all cells are shown.
    more: Option<String>,
    added: Vec<String>,
    removed: Vec<String>,
}

struct CellView {
    row: String,
    column: String,
    old: String,
    new: String,
}

/// `GET /r/{name}/{scope}/{period}/{version}/changes`.
pub(in crate::server::http) async fn changes(
    Path(link): Path<(String, String, String, String)>,
    reader: Reader,
) -> Result<Response, Failure> {
    const FILE: &str = "changes.json";
    let opened = reader.by_link(link).await?;
    if opened.edition.removed_at.is_some() {
        return reader.gone(&opened);
    }
    let wants_json = reader.wants_json()?;
    let has_changes = opened.manifest.file(FILE).is_some();
    if wants_json {
        if !has_changes {
            let text = "This is the first edition of its period: there is no version before it.";
            return Err(Error::new(Code::NoSuchObject, text).into());
        }
        reader.may_export("json")?;
        let etag = format!("\"{}/{FILE}\"", opened.edition.id);
        let mut response = match reader.knows(&etag) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => reader.download(&opened, FILE, "json", &Names::of(&opened, reader.lang, "-changes.json")).await?,
        };
        response.headers_mut().remove(CONTENT_DISPOSITION);
        reader.describe(&mut response, &opened, &etag)?;
        return Ok(response);
    }
    let what = match has_changes {
        false => What::First,
        true => {
            let bytes = reader.file(&opened, FILE).await?;
            let changes: Changes = serde_json::from_slice(&bytes)
                .map_err(|error| Error::internal("the changes of an edition cannot be read", error))?;
            let before = EditionRow { version: changes.from, ..opened.edition.clone() };
            let here = format!("{}/changes", path(&opened.edition));
            What::Changes {
                sentence: reason(reader.lang, &opened.edition),
                before: path(&before),
                json: reader.may_export("json").is_ok().then(|| format!("{here}?format=json")),
                datasets: changes.datasets.into_iter().map(|one| describe_changes(reader.lang, one)).collect(),
            }
        }
    };
    about(&reader, &opened, what)
}

fn about(reader: &Reader, opened: &Opened, what: What) -> Result<Response, Failure> {
    let bar = reader.bar(opened);
    render(&ChangesPage {
        frame: reader.frame("reports"),
        title: format!("{} · {} · {} · {}", bar.report, bar.scope, bar.period, bar.version),
        edition: path(&opened.edition),
        bar,
        what,
    })
}

fn describe_changes(lang: Lang, changes: DatasetChanges) -> ChangedView {
    let named = |row: String| if row.is_empty() { message(lang, "edition-only-row", &[]) } else { row };
    let shown = |cell: String| if cell.is_empty() { locale::MISSING.to_owned() } else { cell };
    let count = |count: usize| Value::Count(i64::try_from(count).unwrap_or(i64::MAX));
    let all = changes.cells.len();
    let more =
        (all > CELLS).then(|| message(lang, "edition-more-cells", &[("shown", count(CELLS)), ("of", count(all))]));
    let columns = changes.columns.join(&message(lang, "portal-list", &[]));
    ChangedView {
        name: changes.name,
        columns: Some(columns).filter(|columns| !columns.is_empty()),
        cells: changes
            .cells
            .into_iter()
            .take(CELLS)
            .map(|cell| CellView {
                row: named(cell.row),
                column: cell.column,
                old: shown(cell.old),
                new: shown(cell.new),
            })
            .collect(),
        more,
        added: changes.added.into_iter().map(named).collect(),
        removed: changes.removed.into_iter().map(named).collect(),
    }
}

struct EvidenceView {
    /// The same for programs.
    json: String,
    facts: Vec<Fact>,
    datasets: Vec<DatasetView>,
    files: Vec<FileView>,
}

struct Fact {
    name: String,
    value: String,
    is_code: bool,
}

struct DatasetView {
    name: String,
    rows: String,
    source: String,
    refused: String,
    history: String,
    notices: Vec<String>,
    rows_hash: String,
    sql_hash: String,
    sql: String,
}

struct FileView {
    name: String,
    /// None where this reader may not take it out.
    href: Option<String>,
    bytes: String,
    sha256: String,
}

/// `GET /editions/{id}/evidence`: where the figures come from.
pub(in crate::server::http) async fn evidence(Path(id): Path<String>, reader: Reader) -> Result<Response, Failure> {
    let opened = reader.by_id(&id).await?;
    if opened.edition.removed_at.is_some() {
        return reader.gone(&opened);
    }
    let wants_json = reader.wants_json()?;
    // Hashes, texts of questions and counts: no figures, so it is no export.
    let bytes = reader.file(&opened, "evidence.json").await?;
    if wants_json {
        let etag = format!("\"{}/evidence.json\"", opened.edition.id);
        let mut response = match reader.knows(&etag) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => ([(CONTENT_TYPE, "application/json")], bytes).into_response(),
        };
        reader.describe(&mut response, &opened, &etag)?;
        return Ok(response);
    }
    let evidence: Json = serde_json::from_slice(&bytes)
        .map_err(|error| Error::internal("the evidence of an edition cannot be read", error))?;
    let view = describe_evidence(&reader, &opened, &evidence);
    about(&reader, &opened, What::Evidence(Box::new(view)))
}

fn describe_evidence(reader: &Reader, opened: &Opened, evidence: &Json) -> EvidenceView {
    let Opened { edition, manifest, .. } = opened;
    let list = reader.word("portal-list");
    let plain = |value: &Json| in_words(value, &list);
    let code = |key: &str, value: String| Fact { name: reader.word(key), value, is_code: true };
    let fact = |key: &str, value: String| Fact { name: reader.word(key), value, is_code: false };
    let parameters: Vec<String> = evidence["parameters"]
        .as_object()
        .map(|parameters| parameters.iter().map(|(name, value)| format!("{name} = {}", plain(value))).collect())
        .unwrap_or_default();
    let tie_out = match evidence["tie_out"]["state"].as_str() {
        Some("agrees") => {
            let figures = Value::Count(evidence["tie_out"]["figures"].as_i64().unwrap_or_default());
            message(reader.lang, "report-tie-out-agrees", &[("figures", figures)])
        }
        Some("differs") => {
            let names = plain(&evidence["tie_out"]["differing"]);
            message(reader.lang, "report-tie-out-differs", &[("names", Value::Text(&names))])
        }
        _ => reader.word("edition-tie-out-none"),
    };
    let mut facts = vec![
        fact("report-as-of", manifest.as_of.clone()),
        fact("portal-completeness", completeness(manifest)),
        fact("portal-open-branches", manifest.completeness.open.join(&list)),
        fact("portal-snapshot", edition.snapshot_id.to_string()),
        fact("edition-snapshot-made", moment(&evidence["snapshot_created_at"])),
        fact("portal-tie-out", tie_out),
        fact("edition-parameters", parameters.join(&list)),
        fact("report-engine", plain(&evidence["engine"])),
        code("edition-rights", plain(&evidence["rights_fingerprint"])),
        code("edition-run-key", edition.run_key.clone()),
        code("edition-hash", edition.id.clone()),
    ];
    facts.retain(|fact| !fact.value.is_empty());
    let datasets = evidence["datasets"].as_array().into_iter().flatten().map(|dataset| {
        let used = plain(&dataset["rollups"]["used"]);
        let refused: Vec<String> =
            dataset["rollups"]["refused"].as_array().into_iter().flatten().map(refusal).collect();
        DatasetView {
            name: plain(&dataset["name"]),
            rows: plain(&dataset["rows"]),
            source: if used.is_empty() { reader.word("report-facts") } else { used },
            refused: refused.join(&list),
            history: plain(&dataset["history"]),
            notices: dataset["notices"].as_array().into_iter().flatten().map(&plain).collect(),
            rows_hash: plain(&dataset["rows_sha256"]),
            sql_hash: plain(&dataset["sql_sha256"]),
            sql: plain(&dataset["sql"]),
        }
    });
    let own = format!("/editions/{}/files", edition.id);
    let files = manifest.files.iter().map(|entry| {
        let format = entry.name.rsplit_once('.').map_or("", |(_, end)| end);
        let parts: Vec<String> = entry.name.split('/').map(percent).collect();
        let may_take = format == "html" || reader.may_export(format).is_ok();
        let bytes = i64::try_from(entry.bytes).unwrap_or(i64::MAX);
        FileView {
            href: may_take.then(|| format!("{own}/{}", parts.join("/"))),
            name: entry.name.clone(),
            bytes: message(reader.lang, "edition-bytes", &[("count", Value::Count(bytes))]),
            sha256: entry.sha256.clone(),
        }
    });
    EvidenceView {
        json: format!("/editions/{}/evidence?format=json", edition.id),
        datasets: datasets.collect(),
        files: files.collect(),
        facts,
    }
}

/// A time of the evidence to the minute, UTC.
fn moment(value: &Json) -> String {
    let text = value.as_str().unwrap_or_default();
    text.parse::<jiff::Timestamp>().map_or_else(|_| text.to_owned(), minute)
}

/// A rollup that was not used, and why: `deposits_by_month (MORE_ROWS: 914 rows to read)`.
fn refusal(value: &Json) -> String {
    let part = |name: &str| value[name].as_str().unwrap_or_default();
    format!("{} ({}: {})", part("rollup"), part("code"), part("detail"))
}

/// A value of the evidence as people read it; empty for what is missing.
fn in_words(value: &Json, list: &str) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Array(values) => values.iter().map(|value| in_words(value, list)).collect::<Vec<_>>().join(list),
        Json::Object(fields) => {
            let pair = |(name, value): (&String, &Json)| format!("{name}: {}", in_words(value, list));
            fields.iter().map(pair).collect::<Vec<_>>().join(list)
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, in_words, main_of, moment, number, percent, query, refusal};

    #[test]
    fn versions_have_one_spelling() {
        assert_eq!(number("v1"), Some(1));
        assert_eq!(number("v12"), Some(12));
        for wrong in ["1", "v", "v01", "v+1", "v-1", "V1", "v1.0", ""] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn parts_of_a_path() {
        assert_eq!(percent("beijing~3fa2b1c9"), "beijing~3fa2b1c9");
        assert_eq!(percent("a b/c?d&e%"), "a%20b%2Fc%3Fd%26e%25");
        assert_eq!(percent("分行"), "%E5%88%86%E8%A1%8C");
        assert_eq!(query(&[("format", None), ("lang", Some("zh-CN"))]), "?lang=zh-CN");
        assert_eq!(query(&[("format", None)]), "");
    }

    #[test]
    fn a_frozen_page_is_taken_as_it_stands() {
        let page = "<html><body>\n<main class=\"report\" id=\"main\">1 &lt; 2</main>\n</body></html>";
        assert_eq!(main_of(page), Some("<main class=\"report\" id=\"main\">1 &lt; 2</main>"));
        assert_eq!(main_of("<html></html>"), None);
        assert_eq!(main_of("</main><main>"), None);
    }

    #[test]
    fn a_file_has_a_name_in_every_client() {
        let names = Names { ascii: "scorecard-bei\"jing-v1.pdf".into(), full: "计分卡/北京-v1.pdf".into() };
        assert_eq!(
            names.disposition(),
            "attachment; filename=\"scorecard-bei_jing-v1.pdf\"; \
             filename*=UTF-8''%E8%AE%A1%E5%88%86%E5%8D%A1_%E5%8C%97%E4%BA%AC-v1.pdf"
        );
    }

    #[test]
    fn evidence_in_words() {
        let value = serde_json::json!(["a", 2, null, {"b": ["c", "d"]}]);
        assert_eq!(in_words(&value, "、"), "a、2、、b: c、d");
        assert_eq!(in_words(&serde_json::json!([]), "、"), "");
        assert_eq!(moment(&serde_json::json!("2026-11-27T09:21:09.517062Z")), "2026-11-27 09:21");
        assert_eq!(moment(&serde_json::json!("yesterday")), "yesterday");
        let refused = serde_json::json!({"rollup": "by_month", "code": "MORE_ROWS", "detail": "9 rows"});
        assert_eq!(refusal(&refused), "by_month (MORE_ROWS: 9 rows)");
    }
}
