//! `GET /openapi.json`: the form of the JSON interface. A test compares its paths with the routes.

use axum::Json;
use serde_json::{Value, json};

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
                "parameters": [path_name("Name of the cube")],
                "responses": answers(json!({"$ref": "#/components/schemas/Cube"})),
            }},
            "/api/sql": {"post": sql()},
            "/reports": {"get": {
                "summary": "The reports the caller may open (a page, or `format=json`)",
                "parameters": [lang(), query("format", json!({"enum": ["html", "json"]}), "html unless stated")],
                "responses": pages(json!({
                    "text/html": {"schema": {"type": "string"}},
                    "application/json": {"schema": {"$ref": "#/components/schemas/ReportList"}},
                })),
            }},
            "/reports/{name}": {"get": report()},
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

fn path_name(description: &str) -> Value {
    json!({"name": "name", "in": "path", "required": true, "schema": {"type": "string"}, "description": description})
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

fn report() -> Value {
    json!({
        "summary": "A report as of the newest snapshot",
        "description": "Query parameters are the report's own, plus these.",
        "parameters": [
            path_name("Name of the report"),
            lang(),
            query("scope", json!({"type": "string"}), "`head_office` or a branch; the caller's own unless stated"),
            query("format", json!({"enum": ["html", "json", "csv"]}), "html unless stated"),
        ],
        "responses": pages(json!({
            "text/html": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "object", "description":
                "All datasets with full precision, and the evidence of where they come from"}},
            "text/csv": {"schema": {"type": "string", "description": "The dataset of the first table"}},
        })),
    })
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
