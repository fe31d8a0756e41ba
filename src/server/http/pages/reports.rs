//! `/reports`, `/reports/{name}` and what stands below it: what may be opened, one report as of a snapshot, and its parts.
//!
//! A part is the same run as the whole, so it has the same rights, parameters and refusals. What is not there and what somebody
//! may not see answer alike. Whatever leaves as a file is an export: the right to it is asked, and it is recorded.

pub(in crate::server::http) mod definition;
pub(in crate::server::http) mod evidence;
pub(in crate::server::http) mod favourite;
pub(in crate::server::http) mod part;

use std::collections::BTreeMap;

use askama::Template;
use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::{Frame, Portal, openable, render};
use crate::auth::sha256_hex;
use crate::error::{Code, Error, Result};
use crate::locale::format_date;
use crate::model::report::Report;
use crate::model::time;
use crate::query::Face;
use crate::report::format::{self, html};
use crate::report::{self, Ask, Document};
use crate::server::http::App;
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;
use crate::server::http::language::Choice;
use crate::server::http::session::Caller;

/// Somebody who asks for a live report or a part of it.
pub(in crate::server::http) struct Visit {
    app: App,
    caller: Caller,
    choice: Choice,
    uri: Uri,
    /// The parameters of the address; a list of values repeats its name.
    parameters: BTreeMap<String, Vec<String>>,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let missing = || Failure::new(Error::internal("A request has no language.", parts.uri.path()));
        let choice = parts.extensions.get::<Choice>().copied().ok_or_else(missing)?;
        let parameters = pairs(parts.uri.query());
        Ok(Self { app: app.clone(), caller, choice, uri: parts.uri.clone(), parameters })
    }
}

impl Visit {
    /// A parameter of the address; none when it is empty.
    fn asked(&self, name: &str) -> Option<&str> {
        let values = self.parameters.get(name)?;
        values.first().map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The format that is asked for, one of those; HTML unless stated.
    ///
    /// Errors: `BAD_REQUEST` with the names there are; `DENIED` where it may not be taken out.
    fn format(&self, known: &[&'static str]) -> Result<&'static str> {
        let asked = self.asked("format").unwrap_or("html");
        let Some(format) = known.iter().copied().find(|name| *name == asked) else {
            let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            let text = format!("parameter `format`: `{asked}` is not allowed; write one of {}", known.join(", "));
            return Err(Error::new(Code::BadRequest, text));
        };
        if format != "html" {
            self.may_export(format)?;
        }
        Ok(format)
    }

    fn may_export(&self, format: &str) -> Result<()> {
        self.app.services.door.may_export(&self.caller.principal, Face::Report, format)
    }

    /// A report that this reader may open.
    ///
    /// Errors: `NO_SUCH_OBJECT`, the same for what does not exist and what this person may not open.
    fn report(&self, name: &str) -> Result<&Report> {
        openable(&self.app, &self.caller.principal).find(|report| *report.name == name).ok_or_else(|| {
            Error::new(Code::NoSuchObject, format!("There is no report `{name}`, or no right to open it."))
        })
    }

    /// Whether this reader is shown how reports are made: who writes SQL, and who manages the server.
    fn may_see_definitions(&self) -> bool {
        let principal = &self.caller.principal;
        self.app.services.door.may_query(principal) || principal.has_role("administrator")
    }

    async fn run(&self, report: &Report) -> Result<Document, Failure> {
        let services = &self.app.services;
        let ask = Ask {
            parameters: &self.parameters,
            principal: &self.caller.principal,
            scope: self.asked("scope"),
            lang: self.choice.lang.tag(),
            head: None,
            reports: &services.reports,
            is_shared: false,
            at: services.clock.now(),
        };
        let document = report::run(&services.door, report, &ask).await.map_err(|error| {
            // A snapshot that is asked for by its number was there once, or never; either way it does not come.
            let is_gone = error.code() == Code::NoSnapshot && self.asked("snapshot").is_some();
            let failure = Failure::new(error);
            if is_gone { failure.status(StatusCode::GONE) } else { failure }
        })?;
        Ok(if self.may_see_definitions() { document } else { document.without_statements() })
    }

    fn frame(&self) -> Frame {
        Frame::new(&self.app, self.choice.lang, &self.caller, &self.uri, "reports")
    }

    /// A page of a report.
    fn page(&self, document: &Document, fragment: html::Fragment, ways: Vec<Way>) -> Result<Response, Failure> {
        let mut response = render(&Page { frame: self.frame(), title: fragment.title, ways, main: fragment.main })?;
        self.describe(&mut response, document)?;
        Ok(response)
    }

    /// Bytes that leave, recorded as `detail` with what was asked for, their size and hash.
    async fn file(&self, document: &Document, file: File<'_>, mut detail: Value) -> Result<Response, Failure> {
        let File { bytes, format, content_type, save_as } = file;
        let evidence = &document.evidence;
        let parameters = evidence.parameters.iter().map(|one| (one.name.clone(), Value::from(one.text())));
        detail["scope"] = document.scope.value.as_str().into();
        detail["as_of"] = time::iso(document.as_of).into();
        detail["snapshot"] = evidence.snapshot.into();
        detail["parameters"] = parameters.collect::<Map<_, _>>().into();
        let rows = match format {
            "csv" | "parquet" | "arrow" => document.first_dataset(format)?.rows.len(),
            _ => document.datasets.iter().map(|dataset| dataset.rows.len()).sum(),
        };
        detail["rows"] = rows.into();
        detail["format"] = format.into();
        detail["bytes"] = bytes.len().into();
        detail["sha256"] = sha256_hex(&bytes).into();
        self.app.services.catalog.audit("export", &self.caller.principal.name, detail).await?;
        let mut response = bytes.into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some((name, extension)) = save_as {
            // Names of definitions and a date: always a valid header.
            let name = format!("{name}-{}.{extension}", format_date(self.choice.lang, document.as_of));
            if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
                response.headers_mut().insert(CONTENT_DISPOSITION, value);
            }
        }
        self.describe(&mut response, document)?;
        Ok(response)
    }

    fn describe(&self, response: &mut Response, document: &Document) -> Result<()> {
        let evidence = &document.evidence;
        let text = |text: String| {
            HeaderValue::from_str(&text).map_err(|e| Error::internal("A report's header cannot be written.", e))
        };
        let headers = response.headers_mut();
        headers.insert("x-as-of", text(format_date(self.choice.lang, document.as_of))?);
        headers.insert("x-snapshot-id", HeaderValue::from(evidence.snapshot));
        headers.insert("x-completeness", text(format!("{}/{}", evidence.closed, evidence.branches))?);
        Ok(())
    }
}

/// What leaves.
struct File<'a> {
    bytes: Vec<u8>,
    format: &'a str,
    content_type: &'static str,
    /// Name and extension where it is saved; none for what is looked at.
    save_as: Option<(String, &'static str)>,
}

/// A link beside a page.
struct Way {
    href: String,
    /// Key of its words.
    title: &'static str,
}

#[derive(Template)]
#[template(path = "server/http/pages/reports.html")]
struct List {
    frame: Frame,
    portal: Portal,
}

/// `GET /reports`.
pub(in crate::server::http) async fn list(visit: Visit) -> Result<Response, Failure> {
    match visit.asked("format") {
        None | Some("html") => {
            let portal = Portal::of(&visit.app, &visit.caller, visit.choice.lang, &visit.uri, visit.asked("q")).await?;
            render(&List { frame: visit.frame(), portal })
        }
        Some("json") => {
            let asked = visit.asked("q").unwrap_or_default();
            let found = openable(&visit.app, &visit.caller.principal).filter(|report| super::matches(report, asked));
            let reports: Vec<Value> = found.map(describe).collect();
            Ok(Json(json!({"reports": reports})).into_response())
        }
        Some(other) => {
            let text = format!("parameter `format`: `{other}` is not allowed; write one of `html`, `json`");
            Err(Error::new(Code::BadRequest, text).into())
        }
    }
}

fn describe(report: &Report) -> Value {
    let parameters: Vec<Value> = report
        .parameters
        .iter()
        .filter(|parameter| !parameter.hidden)
        .map(|parameter| {
            json!({
                "name": &*parameter.name,
                "kind": &*parameter.kind,
                "label": parameter.label,
                "default": parameter.default.as_ref().map(|default| &default.value),
            })
        })
        .collect();
    json!({
        "name": &*report.name,
        "title": report.title,
        "description": report.description,
        "href": format!("/reports/{}", *report.name),
        "parameters": parameters,
    })
}

#[derive(Template)]
#[template(path = "server/http/pages/report.html")]
struct Page {
    frame: Frame,
    /// Plain text.
    title: String,
    /// What else there is of it: its editions, its definition.
    ways: Vec<Way>,
    /// The `<main>` element as the report renders it.
    main: String,
}

/// `GET /reports/{name}`.
pub(in crate::server::http) async fn page(Path(name): Path<String>, visit: Visit) -> Result<Response, Failure> {
    let report = visit.report(&name)?;
    let format = format::find(visit.asked("format").unwrap_or("html"))?;
    if format.name() != "html" {
        visit.may_export(format.name())?;
    }
    let document = visit.run(report).await?;
    if format.name() == "html" {
        let mut ways = Vec::new();
        if !report.publish.is_empty() {
            ways.push(Way { href: format!("/reports/{name}/editions"), title: "edition-list" });
        }
        if visit.may_see_definitions() {
            ways.push(Way { href: format!("/reports/{name}/definition"), title: "report-definition" });
        }
        return visit.page(&document, html::fragment(&document)?, ways);
    }
    let (drawn, tools) = (document.clone(), visit.app.services.publisher.tools().clone());
    let bytes = report::draw(move || format.render(&drawn, &tools)).await?;
    let save_as = (format.name() != "json").then(|| (name.clone(), format.extension()));
    let file = File { bytes, format: format.name(), content_type: format.content_type(), save_as };
    visit.file(&document, file, json!({"report": name})).await
}

fn pairs(query: Option<&str>) -> BTreeMap<String, Vec<String>> {
    let mut pairs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        pairs.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    pairs
}
