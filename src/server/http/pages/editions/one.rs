//! One edition: by its permanent link or its hash, as a page or as one of its files.

use askama::Template;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, LINK};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::{
    Link, Reader, completeness, downloads, formats, path, percent, period_words, query, redirect, scope_words, texts,
    wrong_format,
};
use crate::catalog::{EditionFilter, EditionRow};
use crate::error::{Code, Error, Result};
use crate::locale::{Lang, Value, message};
use crate::publish::{MANIFEST, Manifest};
use crate::query::HEAD_OFFICE;
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;
use crate::server::http::pages::admin::minute;
use crate::server::http::pages::{Frame, render};

#[derive(Template)]
#[template(path = "server/http/pages/editions/one.html")]
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
pub(super) struct Bar {
    pub(super) version: String,
    pub(super) report: String,
    pub(super) period: String,
    pub(super) scope: String,
    pub(super) digits: Option<String>,
    pub(super) published: String,
    /// `27/28`, where branches were missing.
    pub(super) partial: Option<String>,
    pub(super) remarks: Vec<String>,
    pub(super) formats: Vec<Link>,
    pub(super) evidence: String,
    pub(super) changes: Option<String>,
    pub(super) history: String,
    pub(super) live: String,
    pub(super) newer: Option<Link>,
}

/// An edition whose files are not kept any more.
struct Gone {
    at: String,
    why: String,
    id: String,
    run_key: String,
}

/// An edition and what is needed to show it.
pub(super) struct Opened {
    pub(super) edition: EditionRow,
    pub(super) manifest: Manifest,
    /// The newest version that this reader may open, where it is a later one.
    newer: Option<EditionRow>,
}

/// `v1` and on.
fn number(version: &str) -> Option<u32> {
    let number = version.strip_prefix('v')?.parse().ok()?;
    (format!("v{number}") == version).then_some(number)
}

impl Reader {
    pub(super) async fn by_link(
        &self,
        (name, scope, period, version): (String, String, String, String),
    ) -> Result<Opened> {
        let number = number(&version);
        let filter =
            EditionFilter { report: Some(name), scope: Some(scope), period: Some(period), ..EditionFilter::default() };
        let versions = self.app.services.catalog.editions(&filter).await?;
        let found = versions.iter().find(|row| Some(row.version) == number).cloned();
        self.opened(found, versions).await
    }

    pub(super) async fn by_id(&self, id: &str) -> Result<Opened> {
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
    pub(super) async fn file(&self, opened: &Opened, name: &str) -> Result<Bytes> {
        self.app.services.publisher.shelf().get(&opened.edition.id, &opened.manifest, name).await
    }

    pub(super) fn bar(&self, opened: &Opened) -> Bar {
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
    pub(super) fn gone(&self, opened: &Opened) -> Result<Response, Failure> {
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
    pub(super) fn describe(&self, response: &mut Response, opened: &Opened, etag: &str) -> Result<()> {
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
    pub(super) async fn download(&self, opened: &Opened, name: &str, format: &str, names: &Names) -> Result<Response> {
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
pub(super) struct Names {
    ascii: String,
    full: String,
}

impl Names {
    pub(super) fn of(opened: &Opened, lang: Lang, end: &str) -> Self {
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

#[cfg(test)]
mod tests {
    use super::{Names, main_of, number};

    #[test]
    fn versions_have_one_spelling() {
        assert_eq!(number("v1"), Some(1));
        assert_eq!(number("v12"), Some(12));
        for wrong in ["1", "v", "v01", "v+1", "v-1", "V1", "v1.0", ""] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
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
}
