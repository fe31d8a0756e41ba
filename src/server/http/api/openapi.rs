//! `GET /openapi.json`: the form of the JSON interface and of the pages that have addresses to be kept. A test compares its paths
//! with the routes.

use axum::Json;
use serde_json::{Map, Value, json};

use crate::report::format::{FORMATS, Format};

/// The handler.
pub(in crate::server::http) async fn document() -> Json<Value> {
    Json(describe())
}

/// The document.
pub(in crate::server::http) fn describe() -> Value {
    let mut document = spine();
    for (path, operations) in super::evaluation::paths() {
        document["paths"][path] = operations;
    }
    for (path, operations) in reports().into_iter().chain(publications()) {
        document["paths"][path] = operations;
    }
    document
}

fn spine() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Countinghouse",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Cubes, SQL and reports over one pinned snapshot. Every answer holds what the caller may see, no more.",
        },
        "security": [{"bearer": []}, {"session": []}],
        "paths": {
            "/healthz": open("Liveness", "text/plain", json!({"type": "string"})),
            "/readyz": ready(),
            "/metrics": open("Prometheus metrics, without data", "text/plain", json!({"type": "string"})),
            "/openapi.json": open("This document", "application/json", json!({"type": "object"})),
            "/api/cubes": {"get": {
                "summary": "The cubes the caller may see",
                "responses": answers(json!({"$ref": "#/components/schemas/CubeList"})),
            }},
            "/api/cubes/{name}": {"get": {
                "summary": "One cube: dimensions, levels, attributes, measures and how to call them",
                "parameters": [path("name", "Name of the cube")],
                "responses": answers(json!({"$ref": "#/components/schemas/Cube"})),
            }},
            "/api/sql": {"post": sql()},
        },
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An access token `cth_…`."},
                "session": {"type": "apiKey", "in": "cookie", "name": "countinghouse_session",
                            "description": "The cookie of `POST /login`; under TLS `__Host-countinghouse`."},
            },
            "schemas": schemas(),
        },
    })
}

fn open(summary: &str, content_type: &str, schema: Value) -> Value {
    json!({"get": {
        "summary": summary,
        "security": [],
        "responses": {"200": {"description": "OK", "content": {content_type: {"schema": schema}}}},
    }})
}

fn ready() -> Value {
    let content = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Readiness"}}});
    json!({"get": {
        "summary": "Readiness",
        "security": [],
        "responses": {
            "200": {"description": "Ready", "content": content},
            "503": {"description": "Not ready, or draining", "content": content},
        },
    }})
}

fn answers(schema: Value) -> Value {
    json!({
        "200": {"description": "OK", "content": {"application/json": {"schema": schema}}},
        "default": problem(),
    })
}

/// Answers that people read, and programs where they ask for it.
fn pages(content: Value) -> Value {
    json!({
        "200": {"description": "OK", "content": content},
        "303": {"description": "Log in first; a program that asks for data gets 401 instead",
                "headers": {"location": {"schema": {"type": "string"}}}},
        "default": {
            "description": "An error: a page with the correlation id, or for programs a problem document",
            "content": {
                "text/html": {"schema": {"type": "string"}},
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
            },
        },
    })
}

fn problem() -> Value {
    json!({
        "description": "An error",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    })
}

fn path(name: &str, description: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}, "description": description})
}

fn query(name: &str, schema: Value, description: &str) -> Value {
    json!({"name": name, "in": "query", "schema": schema, "description": description})
}

fn lang() -> Value {
    query("lang", json!({"enum": ["zh-CN", "en"]}), "Beats the remembered choice and Accept-Language")
}

fn sql() -> Value {
    let header = |description: &str| json!({"schema": {"type": "string"}, "description": description});
    json!({
        "summary": "One read-only statement",
        "description": "Rows are streamed. An error before the first row is a problem document; an error after it cuts the \
                        connection, so a complete document is a complete answer. Needs a role that may write SQL.",
        "requestBody": {"required": true, "content": {"application/json": {
            "schema": {"$ref": "#/components/schemas/Statement"}
        }}},
        "responses": {
            "200": {
                "description": "Rows",
                "headers": {
                    "x-query-id": header("Row of `system.queries`"),
                    "x-snapshot-id": header("The snapshot that answered"),
                    "x-rollup": header("Rollups that answered, or `none`"),
                    "x-cache": header("What was kept of an equal statement before: `none`, its `plan` or its `result`"),
                    "x-correlation-id": header("Identity of this request in the log"),
                },
                "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/Rows"}},
                    "text/csv": {"schema": {"type": "string", "description":
                        "RFC 4180 with a header line. No value is an empty cell, empty text is `\"\"`. Text that a \
                         spreadsheet would run as a formula begins with an apostrophe."}},
                    "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary", "description":
                        "Arrow IPC stream"}},
                },
            },
            "default": problem(),
        },
    })
}

/// The portal, live reports and their parts.
fn reports() -> Vec<(&'static str, Value)> {
    let find = || query("q", json!({"type": "string"}), "Words of a report's name, title or description");
    let html_or_json = || format_of(&["html", "json"]);
    let all: Vec<&str> = FORMATS.iter().map(|format| format.name()).collect();
    let of_run = |more: Vec<Value>| {
        let text = |name: &str, description: &str| query(name, json!({"type": "string"}), description);
        let mut parameters = vec![
            path("name", "Name of the report"),
            lang(),
            text("scope", "`head_office` or a branch; the caller's own unless stated"),
            text("as_of", "As-of date; the report's own default unless stated"),
            text("snapshot", "A snapshot's number, as links between reports carry it; the newest unless stated"),
        ];
        parameters.extend(more);
        parameters
    };
    vec![
        ("/", get("The portal: how the figures stand, what may be opened", vec![lang(), find()], html())),
        (
            "/reports",
            get(
                "The reports the caller may open (a page, or `format=json`)",
                vec![lang(), find(), html_or_json()],
                json!({
                    "text/html": {"schema": {"type": "string"}},
                    "application/json": {"schema": {"$ref": "#/components/schemas/ReportList"}},
                }),
            ),
        ),
        (
            "/reports/{name}",
            get(
                "A report. Query parameters are the report's own, plus these. JSON has all datasets and the evidence; CSV, Parquet and \
                 Arrow have the dataset of the first table",
                of_run(vec![format_of(&all)]),
                contents(&all),
            ),
        ),
        (
            "/reports/{name}/blocks/{id}",
            get(
                "One chart or table of a report. CSV has the rows behind it; SVG and PNG, the drawing alone, are there for charts",
                of_run(vec![path("id", "The block's id"), format_of(&["html", "svg", "png", "csv"])]),
                contents(&["html", "svg", "png", "csv"]),
            ),
        ),
        (
            "/reports/{name}/data/{dataset}",
            get(
                "The rows of one dataset of a report",
                of_run(vec![
                    path("dataset", "The dataset's name"),
                    query("page", json!({"type": "integer", "minimum": 1}), "Of the page, which shows 500 rows"),
                    format_of(&["html", "csv", "xlsx", "parquet", "arrow", "json"]),
                ]),
                contents(&["html", "csv", "xlsx", "parquet", "arrow", "json"]),
            ),
        ),
        (
            "/reports/{name}/evidence",
            get("Where the figures of a report come from", of_run(vec![html_or_json()]), contents(&["html", "json"])),
        ),
        (
            "/reports/{name}/definition",
            get(
                "How a report is made, for who writes SQL and for administrators",
                vec![path("name", "Name of the report"), lang(), format_of(&["html", "yaml"])],
                contents(&["html", "yaml"]),
            ),
        ),
        ("/reports/{name}/favourite", json!({"post": favourite()})),
    ]
}

fn favourite() -> Value {
    let mut operation = post(
        "Marks a report, so that it stands first on the portal of whoever marked it; in a browser's session alone",
        vec![path("name", "Name of the report")],
        &["on", "next"],
    );
    // An access token marks nothing: it answers 403.
    operation["security"] = json!([{"session": []}]);
    let form = &mut operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"];
    form["required"] = json!(["token", "on"]);
    form["properties"]["on"] = json!({"enum": ["true", "false"], "description": "Marked, or not any more"});
    form["properties"]["next"]["description"] = json!("The page to come back to; the portal unless stated");
    operation
}

/// Editions, schedules and deliveries.
fn publications() -> Vec<(&'static str, Value)> {
    let text = |name: &str, description: &str| query(name, json!({"type": "string"}), description);
    let format = || text("format", "A format of the edition; html unless stated");
    let link = |more: Vec<Value>| {
        let mut parameters = vec![
            path("name", "Name of the report"),
            path("scope", "Scope of the edition"),
            path("period", "As `2026-10`"),
            path("version", "`v1` and on"),
            lang(),
        ];
        parameters.extend(more);
        parameters
    };
    let name = || path("name", "Name of the report");
    let files: Vec<&str> = FORMATS.iter().map(|format| format.name()).collect();
    let elsewhere = |summary: &str, parameters: Vec<Value>| {
        let mut operation = get(summary, parameters, html());
        if let Some(responses) = operation["get"]["responses"].as_object_mut() {
            responses.remove("200");
            responses.insert("302".into(), moved("To the edition's permanent link"));
        }
        operation
    };
    let kept = |mut operation: Value| {
        operation["get"]["responses"]["304"] = json!({"description": "What `If-None-Match` names is still it"});
        operation
    };
    vec![
        (
            "/reports/{name}/editions",
            get(
                "The editions of a report, newest first",
                vec![name(), lang(), text("scope", "One scope"), text("period", "One period")],
                html(),
            ),
        ),
        (
            "/reports/{name}/latest",
            elsewhere(
                "The newest edition of a scope",
                vec![
                    name(),
                    lang(),
                    text("scope", "The caller's own unless stated"),
                    text("period", "A period"),
                    format(),
                ],
            ),
        ),
        (
            "/r/{name}/{scope}/{period}/{version}",
            kept(get("An edition by its permanent link", link(vec![format()]), contents(&files))),
        ),
        (
            "/r/{name}/{scope}/{period}/{version}/changes",
            kept(get(
                "What an edition corrected of the version before",
                link(vec![format_of(&["html", "json"])]),
                contents(&["html", "json"]),
            )),
        ),
        (
            "/editions/{id}",
            elsewhere("An edition by its hash", vec![path("id", "Hash of the manifest"), lang(), format()]),
        ),
        (
            "/editions/{id}/evidence",
            kept(get(
                "Where the figures of an edition come from",
                vec![path("id", "Hash of the manifest"), lang(), format_of(&["html", "json"])],
                contents(&["html", "json"]),
            )),
        ),
        (
            "/editions/{id}/files/{name}",
            kept(get(
                "A file of an edition as it was frozen",
                vec![path("id", "Hash of the manifest"), path("name", "As in the manifest")],
                contents(&files),
            )),
        ),
        ("/schedules", get("When which report is published", vec![lang()], html())),
        (
            "/schedules/{report}/{id}",
            with(
                get(
                    "A schedule: what comes next and what was done",
                    vec![
                        path("report", "Name of the report"),
                        path("id", "Its publication"),
                        lang(),
                        query("next", json!({"type": "integer"}), "Firings that are shown"),
                    ],
                    html(),
                ),
                "post",
                post(
                    "Pauses, resumes or runs a schedule, in a browser's session, for operators",
                    vec![path("report", "Name of the report"), path("id", "Its publication")],
                    &["do", "run", "reason"],
                ),
            ),
        ),
        (
            "/alerts",
            get(
                "Figures that crossed a threshold",
                vec![lang(), text("state", "One state, `all`, or `open`: what is not in order, unless stated")],
                html(),
            ),
        ),
        (
            "/alerts/{id}",
            with(
                get("What an alert watches, and what happened to it", vec![path("id", "Its number"), lang()], html()),
                "post",
                post(
                    "Acknowledges an alert, puts it off or tells of it again, in a browser's session",
                    vec![path("id", "Its number")],
                    &["do", "reason", "until"],
                ),
            ),
        ),
        (
            "/deliveries",
            with(
                get("What was sent to whom", vec![lang(), text("state", "One state")], html()),
                "post",
                post("Sends a delivery again, in a browser's session, for operators", Vec::new(), &["key", "reason"]),
            ),
        ),
    ]
}

fn get(summary: &str, parameters: Vec<Value>, content: Value) -> Value {
    json!({"get": {"summary": summary, "parameters": parameters, "responses": pages(content)}})
}

/// A form that is sent back, with the token of its session.
fn post(summary: &str, parameters: Vec<Value>, fields: &[&str]) -> Value {
    let mut properties = Map::new();
    for field in fields.iter().chain(&["token"]) {
        properties.insert((*field).to_owned(), json!({"type": "string"}));
    }
    let form = json!({"type": "object", "required": ["token"], "properties": properties});
    let mut responses = pages(json!({}));
    if let Some(responses) = responses.as_object_mut() {
        responses.remove("200");
        responses.insert("303".into(), moved("Done, or to the login"));
    }
    json!({
        "summary": summary,
        "parameters": parameters,
        "requestBody": {"required": true, "content": {"application/x-www-form-urlencoded": {"schema": form}}},
        "responses": responses,
    })
}

fn with(mut path: Value, method: &str, operation: Value) -> Value {
    path[method] = operation;
    path
}

fn moved(description: &str) -> Value {
    json!({"description": description, "headers": {"location": {"schema": {"type": "string"}}}})
}

fn html() -> Value {
    contents(&["html"])
}

/// The content types of formats.
fn contents(names: &[&str]) -> Value {
    let known = |name: &str| FORMATS.iter().find(|format| format.name() == name).map(|format| plain_type(*format));
    let content = names.iter().map(|name| {
        let kind = known(name).unwrap_or(if *name == "svg" { "image/svg+xml" } else { "application/yaml" });
        let schema = match *name {
            "html" | "csv" => json!({"type": "string"}),
            "json" => json!({"type": "object"}),
            // Bytes, or text that has a form of its own.
            _ => json!({}),
        };
        (kind.to_owned(), json!({"schema": schema}))
    });
    content.collect::<Map<_, _>>().into()
}

/// Without its parameters.
fn plain_type(format: &dyn Format) -> &'static str {
    let kind = format.content_type();
    kind.split_once(';').map_or(kind, |(plain, _)| plain)
}

fn format_of(names: &[&str]) -> Value {
    query("format", json!({"enum": names}), "html unless stated")
}

fn schemas() -> Value {
    let label = json!({"type": "object", "additionalProperties": {"type": "string"},
                       "description": "Text by language tag"});
    let text = json!({"type": "string"});
    let optional = json!({"type": ["string", "null"]});
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let column = json!({"type": "object", "properties": {
        "name": text, "column": {"type": "string", "description": "Name of the cube's column"},
        "type": {"$ref": "#/components/schemas/Type"}, "label": label, "sensitivity": {"enum": ["C1", "C2"]},
    }});
    json!({
        "Problem": {"type": "object", "required": ["status", "code", "detail", "correlation_id"], "properties": {
            "type": text, "title": text, "status": {"type": "integer"},
            "code": {"type": "string", "description": "Stable, as `NO_SUCH_OBJECT`"},
            "detail": {"type": "string", "description": "One sentence: what is wrong and what to do"},
            "correlation_id": {"type": "string", "description": "Under it the log holds the reason"},
        }},
        "Record": {"type": "object", "properties": {
            "kind": text, "id": text, "version": {"type": "integer"}, "organisation": text,
            "document": {"type": "object", "description": "Its form is that of its kind"},
            "reason": text, "recorded_by": text, "recorded_at": text,
        }},
        "Readiness": {"type": "object", "properties": {
            "ready": {"type": "boolean"},
            "checks": {"type": "object", "additionalProperties": {"type": "boolean"}},
        }},
        "Type": {"enum": ["text", "integer", "float", "decimal", "date", "timestamp", "boolean", "null", "other"]},
        "Statement": {"type": "object", "required": ["sql"], "additionalProperties": false, "properties": {
            "sql": {"type": "string", "description": "One SELECT"},
            "format": {"enum": ["json", "csv", "arrow"], "default": "json"},
            "parameters": {"type": "array", "description": "Values of $1, $2 …; decimals and dates as text",
                           "items": {"type": ["string", "number", "boolean", "null"]}},
            "schema": {"type": ["string", "null"], "description": "Schema of unqualified tables; the caller's own unless stated"},
            "snapshot": {"type": ["integer", "null"], "description": "A snapshot's number; the newest unless stated"},
            "rollups": {"type": ["string", "null"], "description": "`on` (unless stated), `off`, or the only rollup that may answer"},
            "cache": {"enum": ["on", "off"], "default": "on", "description": "Whether a kept result may answer"},
            "history": {"type": ["string", "null"], "description": "Versions of members: `as_is`, `as_was` or a date; the cube's default unless stated"},
        }},
        "Rows": {"type": "object", "properties": {
            "query_id": text, "snapshot_id": {"type": "integer"},
            "provenance": {"type": "object", "description": "As-of date, completeness, rollups, cache, notices"},
            "columns": {"type": "array", "items": {"type": "object", "properties": {
                "name": {"type": "string", "description": "A name that stands twice gets `_2`"},
                "type": {"$ref": "#/components/schemas/Type"},
            }}},
            "rows": {"type": "array", "items": {"type": "object", "additionalProperties":
                {"type": ["string", "number", "boolean", "null"]}, "description":
                "Integers and floats are numbers (not finite: null); decimals are text with every digit; dates are \
                 YYYY-MM-DD; timestamps ISO 8601"}},
            "row_count": {"type": "integer"},
        }},
        "CubeList": {"type": "object", "properties": {
            "default_schema": text,
            "cubes": {"type": "array", "items": {"type": "object", "properties": {
                "name": text, "label": label, "description": label, "schemas": texts, "measures": texts, "href": text,
            }}},
        }},
        "Cube": {"type": "object", "properties": {
            "name": text, "label": label, "description": label, "schemas": texts, "default_schema": text,
            "time": {"type": ["object", "null"], "properties": {"key": text, "levels": texts}},
            "dimensions": {"type": "array", "items": {"type": "object", "properties": {
                "name": text, "role": optional, "label": label, "description": label,
                "hierarchies": {"type": "array", "items": {"type": "object", "properties": {
                    "name": text, "levels": {"type": "array", "items": column}}}},
                "attributes": {"type": "array", "items": column},
            }}},
            "attributes": {"type": "array", "items": column, "description": "Attributes of the facts themselves"},
            "measures": {"type": "array", "items": {"type": "object", "properties": {
                "name": text, "label": label, "description": label, "type": text, "unit": optional, "role": optional,
                "state": {"enum": ["sum", "count", "min", "max", "avg", "ratio", "distinct", "variance", "stddev", "derived"]},
                "time_rule": {"enum": ["all", "close", "average_daily", "last_seen"]},
                "additivity": {"enum": ["additive", "semi_additive", "non_additive"]},
                "good": {"enum": ["up", "down", "none"]},
                "aggregate": {"type": ["string", "null"], "description": "The ordinary aggregate that calls it"},
                "call": {"type": "array", "items": {"type": "string"}, "description": "Ways to call it in SQL"},
            }}},
            "columns": {"type": "array", "items": {"type": "object", "properties": {
                "name": text, "type": {"$ref": "#/components/schemas/Type"}}}},
        }},
        "ReportList": {"type": "object", "properties": {
            "reports": {"type": "array", "items": {"type": "object", "properties": {
                "name": text, "title": label, "description": label, "href": text,
                "parameters": {"type": "array", "items": {"type": "object", "properties": {
                    "name": text, "kind": text, "label": label, "default": optional}}},
            }}},
        }},
    })
}
