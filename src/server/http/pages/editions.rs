//! Editions: which there are of a report, one by its permanent link, what it corrected, its evidence and its files.
//!
//! Each opening is checked against today's rights, one that is answered by 304 too. What is not there and what somebody
//! may not see answer alike. Whatever leaves as a file is an export: the right to it is asked, and it is recorded.
//!
//! Here is what all of these pages share: who reads, and how an edition is named in words and addresses.

mod about;
mod list;
mod one;

use std::fmt::Write as _;

use axum::extract::FromRequestParts;
use axum::http::header::{IF_NONE_MATCH, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;

use super::admin::{Desk, Fields};
use super::{Frame, openable};
use crate::auth::{Only, Scope, sha256_hex};
use crate::catalog::{EditionFilter, EditionRow};
use crate::error::{Code, Error, Result};
use crate::locale::{Lang, Value, format_month, format_quarter, message};
use crate::model::report::Report;
use crate::publish::{Entry, Manifest, Texts};
use crate::query::Face;
use crate::report::format::FORMATS;
use crate::server::http::App;
use crate::server::http::error::Failure;
use crate::server::http::files;
use crate::server::http::language::Choice;
use crate::server::http::session::Caller;

pub(in crate::server::http) use about::{changes, evidence};
pub(in crate::server::http) use list::{latest, list};
pub(in crate::server::http) use one::{by_hash, file, one};

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

/// An entry of a choice.
pub(super) struct Select {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) on: bool,
}

/// 302: where it leads today.
fn redirect(to: &str) -> Result<Response> {
    let to = HeaderValue::from_str(to).map_err(|error| Error::internal("an address is no header", error))?;
    Ok((StatusCode::FOUND, [(LOCATION, to)]).into_response())
}

#[cfg(test)]
mod tests {
    use super::{percent, query};

    #[test]
    fn parts_of_a_path() {
        assert_eq!(percent("beijing~3fa2b1c9"), "beijing~3fa2b1c9");
        assert_eq!(percent("a b/c?d&e%"), "a%20b%2Fc%3Fd%26e%25");
        assert_eq!(percent("分行"), "%E5%88%86%E8%A1%8C");
        assert_eq!(query(&[("format", None), ("lang", Some("zh-CN"))]), "?lang=zh-CN");
        assert_eq!(query(&[("format", None)]), "");
    }
}
