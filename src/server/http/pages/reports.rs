//! `/reports` and `/reports/{name}`: what may be opened, and one report as of the newest snapshot.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::{Card, Frame, cards, openable, render};
use crate::auth::sha256_hex;
use crate::error::{Code, Error, Result};
use crate::locale::format_date;
use crate::model::report::Report;
use crate::query::Face;
use crate::report::format::{self, html};
use crate::report::{self, Ask, Document};
use crate::server::http::App;
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;
use crate::server::http::language::Choice;
use crate::server::http::session::Caller;

#[derive(Template)]
#[template(path = "server/http/pages/reports.html")]
struct List {
    frame: Frame,
    cards: Vec<Card>,
}

/// `GET /reports`.
pub(in crate::server::http) async fn list(
    State(app): State<App>,
    caller: Caller,
    Extension(choice): Extension<Choice>,
    RawQuery(query): RawQuery,
    uri: Uri,
) -> Result<Response, Failure> {
    match first(&pairs(query.as_deref()), "format") {
        None | Some("html") => {
            let cards = cards(&app, &caller.principal, choice.lang);
            render(&List { frame: Frame::new(&app, choice.lang, &caller, &uri, "reports"), cards })
        }
        Some("json") => {
            let reports: Vec<Value> = openable(&app, &caller.principal).map(describe).collect();
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
    /// Where its editions are, if it has any.
    editions: Option<String>,
    /// The `<main>` element as the report renders it.
    main: String,
}

/// `GET /reports/{name}`.
pub(in crate::server::http) async fn page(
    State(app): State<App>,
    caller: Caller,
    Extension(choice): Extension<Choice>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    uri: Uri,
) -> Result<Response, Failure> {
    let report = openable(&app, &caller.principal).find(|report| *report.name == name).ok_or_else(|| {
        // The same for what does not exist and what this person may not open.
        Error::new(Code::NoSuchObject, format!("There is no report `{name}`, or no right to open it."))
    })?;
    let parameters = pairs(query.as_deref());
    let format = format::find(first(&parameters, "format").unwrap_or("html"))?;
    let scope = first(&parameters, "scope");
    let services = &app.services;
    if format.name() != "html" {
        services.door.may_export(&caller.principal, Face::Report, format.name())?;
    }
    let ask = Ask {
        parameters: &parameters,
        principal: &caller.principal,
        scope,
        lang: choice.lang.tag(),
        head: None,
        at: services.clock.now(),
    };
    let document = report::run(&services.door, report, &ask).await?;
    let mut response = if format.name() == "html" {
        let fragment = html::fragment(&document)?;
        let frame = Frame::new(&app, choice.lang, &caller, &uri, "reports");
        let editions = (!report.publish.is_empty()).then(|| format!("/reports/{name}/editions"));
        render(&Page { frame, title: fragment.title, editions, main: fragment.main })?
    } else {
        let (drawn, tools) = (document.clone(), services.publisher.tools().clone());
        let bytes = report::draw(move || format.render(&drawn, &tools)).await?;
        let detail = json!({
            "report": name, "format": format.name(), "bytes": bytes.len(), "sha256": sha256_hex(&bytes),
        });
        services.catalog.audit("export", &caller.principal.name, detail).await?;
        let mut response = bytes.into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        if format.name() != "json" {
            // A report's name and a date: always a valid header.
            let name = format!("{name}-{}.{}", format_date(choice.lang, document.as_of), format.extension());
            if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
                response.headers_mut().insert(CONTENT_DISPOSITION, value);
            }
        }
        response
    };
    describe_in_headers(&mut response, &document, choice)?;
    Ok(response)
}

fn describe_in_headers(response: &mut Response, document: &Document, choice: Choice) -> Result<()> {
    let evidence = &document.evidence;
    let text = |text: String| {
        HeaderValue::from_str(&text).map_err(|e| Error::internal("A report's header cannot be written.", e))
    };
    let headers = response.headers_mut();
    headers.insert("x-as-of", text(format_date(choice.lang, document.as_of))?);
    headers.insert("x-snapshot-id", HeaderValue::from(evidence.snapshot));
    headers.insert("x-completeness", text(format!("{}/{}", evidence.closed, evidence.branches))?);
    Ok(())
}

/// Parameters of a query part; a list of values repeats its name.
fn pairs(query: Option<&str>) -> BTreeMap<String, Vec<String>> {
    let mut pairs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        pairs.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    pairs
}

fn first<'a>(pairs: &'a BTreeMap<String, Vec<String>>, name: &str) -> Option<&'a str> {
    pairs.get(name).and_then(|values| values.first()).map(String::as_str).filter(|value| !value.is_empty())
}
