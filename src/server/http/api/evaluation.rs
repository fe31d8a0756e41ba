//! `/api/evaluation`: records of the CRM programme's evaluation for programs.
//!
//! A record is read with its version as entity tag and written with `If-Match`: who saw an older one is told (412), and nothing
//! is lost. Sending the same again changes nothing, so no further key is needed to repeat a request.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::catalog::RecordRow;
use crate::error::{Code, Error};
use crate::evaluation::exchange::{self, Import};
use crate::evaluation::{Change, KINDS, Refused, TABLES};
use crate::query::Face;
use crate::server::http::App;
use crate::server::http::error::Failure;
use crate::server::http::extract::{Path, Query};
use crate::server::http::session::Caller;

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// What may be asked of a record besides itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server::http) struct Asked {
    #[serde(default)]
    history: bool,
    #[serde(default)]
    reason: String,
}

/// A step in a record's life.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(rename = "do")]
    action: String,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server::http) struct Target {
    #[serde(default)]
    into: String,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server::http) struct Form {
    #[serde(default)]
    format: Option<String>,
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let outdated = matches!(refused, Refused::Outdated(_));
        let failure = Self::new(Error::from(refused));
        if outdated { failure.status(StatusCode::PRECONDITION_FAILED) } else { failure }
    }
}

fn shown(row: &RecordRow) -> Value {
    json!({
        "kind": row.kind,
        "id": row.id,
        "version": row.version,
        "organisation": row.organisation,
        "document": row.body,
        "reason": row.reason,
        "recorded_by": row.recorded_by,
        "recorded_at": row.recorded_at.to_string(),
    })
}

fn answer(row: &RecordRow, status: StatusCode) -> Response {
    let mut response = (status, Json(shown(row))).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", row.version)) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// The version that a writer saw.
fn seen(headers: &HeaderMap) -> Result<u32, Failure> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    match (text(IF_MATCH), text(IF_NONE_MATCH)) {
        (Some(tag), None) => tag.trim_matches('"').parse().map_err(|_| {
            let text = format!("`If-Match: {tag}` names no version; send the entity tag that reading the record gave.");
            Error::new(Code::BadRequest, text).into()
        }),
        (None, Some("*")) => Ok(0),
        _ => {
            let text = "Send `If-Match` with the version that you saw, or `If-None-Match: *` for a record that is new.";
            Err(Failure::new(Error::new(Code::BadRequest, text)).status(StatusCode::PRECONDITION_REQUIRED))
        }
    }
}

fn read(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Value, Failure> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        let text = "Send a JSON document, with `content-type: application/json`.";
        return Err(Failure::new(Error::new(Code::BadRequest, text)).status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let bytes = bytes(body)?;
    let wrong = |error: serde_json::Error| Error::new(Code::BadRequest, format!("The body is no JSON: {error}."));
    Ok(serde_json::from_slice(&bytes).map_err(wrong)?)
}

fn bytes(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Failure> {
    body.map_err(|rejection| {
        Failure::new(Error::new(Code::BadRequest, "The body cannot be read.")).status(rejection.status())
    })
}

/// `GET /api/evaluation`: kinds of records and tables that this caller may see.
pub(in crate::server::http) async fn kinds(State(app): State<App>, caller: Caller) -> Result<Json<Value>, Failure> {
    app.services.evaluation.view(&caller.principal).await?;
    let kinds: Vec<Value> =
        KINDS.iter().map(|kind| json!({"kind": kind.name(), "written_by": kind.writers()})).collect();
    let tables = TABLES.iter().copied().flatten();
    let tables: Vec<Value> =
        tables.map(|table| json!({"table": table.name, "description": table.description})).collect();
    Ok(Json(json!({"kinds": kinds, "tables": tables})))
}

/// `GET /api/evaluation/{kind}`.
pub(in crate::server::http) async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(kind): Path<String>,
) -> Result<Json<Value>, Failure> {
    let view = app.services.evaluation.view(&caller.principal).await?;
    if !KINDS.iter().any(|known| known.name() == kind) {
        return Err(Error::new(Code::NoSuchObject, format!("There are no records `{kind}`.")).into());
    }
    let records: Vec<Value> = view.of_kind(&kind).map(shown).collect();
    Ok(Json(json!({"records": records})))
}

/// `GET /api/evaluation/{kind}/{id}`; with `history=true` every change of it.
pub(in crate::server::http) async fn one(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let evaluation = &app.services.evaluation;
    if !asked.history {
        return Ok(answer(&evaluation.get(&caller.principal, &kind, &id).await?, StatusCode::OK));
    }
    let line = |change: Change| {
        json!({
            "version": change.version,
            "field": change.field,
            "before": change.before,
            "after": change.after,
            "reason": change.reason,
            "recorded_by": change.recorded_by,
            "recorded_at": change.recorded_at.to_string(),
        })
    };
    let changes: Vec<Value> = evaluation.history(&caller.principal, &kind, &id).await?.into_iter().map(line).collect();
    Ok(Json(json!({"changes": changes})).into_response())
}

/// `PUT /api/evaluation/{kind}/{id}`: a document as a new version.
pub(in crate::server::http) async fn put(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let after = seen(&headers)?;
    let document = read(&headers, body)?;
    let evaluation = &app.services.evaluation;
    let row = evaluation.put(&caller.principal, &kind, &id, after, document, &asked.reason).await?;
    Ok(answer(&row, if row.version == 1 { StatusCode::CREATED } else { StatusCode::OK }))
}

/// `POST /api/evaluation/{kind}/{id}`: a step in its life.
pub(in crate::server::http) async fn act(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let after = seen(&headers)?;
    let wrong = |error: serde_json::Error| Error::new(Code::BadRequest, format!("The body is no step: {error}."));
    let step: Step = serde_json::from_value(read(&headers, body)?).map_err(wrong)?;
    let evaluation = &app.services.evaluation;
    let row = evaluation.act(&caller.principal, &kind, &id, after, &step.action, &step.reason).await?;
    Ok(answer(&row, StatusCode::OK))
}

/// `GET /api/evaluation/tables/{table}?format=csv|xlsx`: a table as a file.
pub(in crate::server::http) async fn export(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Query(form): Query<Form>,
) -> Result<Response, Failure> {
    let view = app.services.evaluation.view(&caller.principal).await?;
    let table = TABLES.iter().copied().flatten().find(|table| table.name == name);
    let table =
        table.ok_or_else(|| Error::new(Code::NoSuchObject, format!("There is no table `evaluation.{name}`.")))?;
    let (format, kind) = match form.format.as_deref() {
        None | Some("csv") => ("csv", "text/csv; charset=utf-8"),
        Some("xlsx") => ("xlsx", XLSX),
        Some(other) => {
            let text = format!("parameter `format`: `{other}` is not allowed; write `csv` or `xlsx`");
            return Err(Error::new(Code::BadRequest, text).into());
        }
    };
    app.services.door.may_export(&caller.principal, Face::Report, format)?;
    let bytes = match format {
        "csv" => exchange::csv(table, &view)?,
        _ => exchange::xlsx(&[table], &view)?,
    };
    Ok(file(bytes, kind, &format!("{name}.{format}")))
}

/// `GET /api/evaluation/import/{what}?into=ID`: a workbook to be filled in.
pub(in crate::server::http) async fn template(
    State(app): State<App>,
    caller: Caller,
    Path(what): Path<String>,
    Query(target): Query<Target>,
) -> Result<Response, Failure> {
    let view = app.services.evaluation.view(&caller.principal).await?;
    let bytes = exchange::template(import(&what)?, &view, &target.into)?;
    Ok(file(bytes, XLSX, &format!("{what}.xlsx")))
}

/// `POST /api/evaluation/import/{what}?into=ID`: the same filled in, as XLSX or CSV; all of it or nothing.
pub(in crate::server::http) async fn take_in(
    State(app): State<App>,
    caller: Caller,
    Path(what): Path<String>,
    Query(target): Query<Target>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Failure> {
    let what = import(&what)?;
    let sheet = exchange::read(&bytes(body)?)?;
    let evaluation = &app.services.evaluation;
    let written = exchange::import(evaluation, &caller.principal, what, &target.into, &sheet, &target.reason).await?;
    Ok(Json(json!({"records": written})))
}

fn import(what: &str) -> Result<Import, Failure> {
    Import::parse(what).ok_or_else(|| {
        Error::new(Code::NoSuchObject, format!("`{what}` cannot be imported; `answers`, `cash` and `targets` can."))
            .into()
    })
}

fn file(bytes: Vec<u8>, kind: &'static str, name: &str) -> Response {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    response
}

/// Its part of `/openapi.json`.
pub(super) fn paths() -> Vec<(&'static str, Value)> {
    let text = || json!({"type": "string"});
    let path = |name: &str, about: &str| json!({"name": name, "in": "path", "required": true, "schema": text(), "description": about});
    let query = |name: &str, schema: Value, about: &str| json!({"name": name, "in": "query", "schema": schema, "description": about});
    let header =
        |name: &str, about: &str| json!({"name": name, "in": "header", "schema": text(), "description": about});
    let kind = || path("kind", "Kind of record, as `GET /api/evaluation` lists them");
    let id = || path("id", "Id of the record; an answer's is `assessment/item/assessor`");
    let what = || path("what", "`answers`, `cash` or `targets`");
    let matching = || header("If-Match", "Version that the writer saw, as the entity tag of reading gave it");
    let new = || header("If-None-Match", "`*` for a record that is new");
    let problem = || {
        json!({
            "description": "An error: 400 names field, value and rule; 409 closed, or claimed by another; 412 somebody wrote first; 428 \
                            neither `If-Match` nor `If-None-Match`",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        })
    };
    let ok = |schema: Value| {
        json!({
            "200": {"description": "OK", "content": {"application/json": {"schema": schema}}},
            "default": problem(),
        })
    };
    let record = || json!({"$ref": "#/components/schemas/Record"});
    let written = || {
        let content = json!({"application/json": {"schema": record()}});
        json!({
            "200": {"description": "The record as it stands now", "content": content},
            "201": {"description": "The new record", "content": content},
            "default": problem(),
        })
    };
    let workbook = || json!({"type": "string", "format": "binary"});
    let files = |content: Value| json!({"200": {"description": "A file", "content": content}, "default": problem()});
    vec![
        (
            "/api/evaluation",
            json!({"get": {"summary": "Kinds of records and tables of the evaluation", "responses": ok(json!({
            "type": "object", "properties": {"kinds": {"type": "array"}, "tables": {"type": "array"}}}))}}),
        ),
        (
            "/api/evaluation/{kind}",
            json!({"get": {
                "summary": "The records of a kind that the caller may see",
                "parameters": [kind()],
                "responses": ok(json!({"type": "object", "properties": {"records": {"type": "array", "items": record()}}})),
            }}),
        ),
        (
            "/api/evaluation/{kind}/{id}",
            json!({
                "get": {
                    "summary": "A record, or every change of it",
                    "parameters": [kind(), id(), query("history", json!({"type": "boolean"}), "Every change, field by field")],
                    "responses": ok(json!({"anyOf": [record(), {"type": "object", "properties": {"changes": {"type": "array"}}}]})),
                },
                "put": {
                    "summary": "Writes a document as a new version",
                    "parameters": [kind(), id(), query("reason", text(), "Why"), matching(), new()],
                    "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object"}}}},
                    "responses": written(),
                },
                "post": {
                    "summary": "A step in a record's life: submit, review, return, lock, measure; compute, approve, reopen; done, verify, close",
                    "parameters": [kind(), id(), matching(), new()],
                    "requestBody": {"required": true, "content": {"application/json": {"schema": {
                        "type": "object", "required": ["do"], "additionalProperties": false,
                        "properties": {"do": text(), "reason": text()},
                    }}}},
                    "responses": written(),
                },
            }),
        ),
        (
            "/api/evaluation/tables/{table}",
            json!({"get": {
                "summary": "A table of the schema `evaluation` as a file",
                "parameters": [path("table", "Name of the table"), query("format", json!({"enum": ["csv", "xlsx"]}), "csv unless stated")],
                "responses": files(json!({"text/csv": {"schema": text()}, XLSX: {"schema": workbook()}})),
            }}),
        ),
        (
            "/api/evaluation/import/{what}",
            json!({
                "get": {
                    "summary": "A workbook to be filled in",
                    "parameters": [what(), query("into", text(), "The assessment or case")],
                    "responses": files(json!({XLSX: {"schema": workbook()}})),
                },
                "post": {
                    "summary": "Takes in a filled workbook or CSV: all of it or nothing",
                    "parameters": [what(), query("into", text(), "The assessment or case"), query("reason", text(), "Why")],
                    "requestBody": {"required": true, "content": {"text/csv": {"schema": text()}, XLSX: {"schema": workbook()}}},
                    "responses": ok(json!({"type": "object", "properties": {"records": {"type": "integer"}}})),
                },
            }),
        ),
    ]
}
