//! Liveness, readiness and metrics. No rights are needed, so no data stands in them: no name of a principal, branch or report.

use std::fmt::Write;
use std::sync::PoisonError;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::App;
use crate::error::Code;

/// The runtime answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether requests should be sent here. A server that nothing was loaded into is ready: it answers, and says so.
pub(super) async fn ready(State(app): State<App>) -> Response {
    let accepting = !app.draining.is_cancelled();
    let catalog = match app.services.catalog.check_writable().await {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(?error, "the catalog database cannot be written");
            false
        }
    };
    let snapshot = match app.services.door.head().await {
        Ok(_) => true,
        Err(error) if error.code() == Code::NoSnapshot => true,
        Err(error) => {
            tracing::error!(?error, "the head snapshot cannot be read");
            false
        }
    };
    let ready = accepting && catalog && snapshot;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let checks = json!({"accepting": accepting, "catalog": catalog, "snapshot": snapshot});
    (status, Json(json!({"ready": ready, "checks": checks}))).into_response()
}

/// Prometheus text.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    let uptime = app.services.clock.now().duration_since(app.started).as_secs_f64();
    let mut text = String::new();
    gauge(&mut text, "uptime_seconds", "Seconds since the start.", uptime);
    if let Ok(head) = app.services.door.head().await {
        gauge(&mut text, "snapshot", "Number of the head snapshot.", head.snapshot_id);
        let age = app.services.clock.now().duration_since(head.created_at).as_secs_f64();
        gauge(&mut text, "snapshot_age_seconds", "Seconds since the head snapshot was published.", age);
    }

    header(&mut text, "http_requests_total", "Answered HTTP requests.", "counter");
    for ((method, status), count) in app.answered.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let _ = writeln!(text, "countinghouse_http_requests_total{{method=\"{method}\",status=\"{status}\"}} {count}");
    }

    let outcomes = app.services.catalog.query_outcomes();
    header(&mut text, "statements_total", "Statements by outcome.", "counter");
    for (status, count) in outcomes.iter().filter(|(status, _)| *status != "running") {
        let _ = writeln!(text, "countinghouse_statements_total{{outcome=\"{status}\"}} {count}");
    }
    let begun = outcomes.get("running").copied().unwrap_or_default();
    header(&mut text, "statements_begun_total", "Statements that began to run.", "counter");
    let _ = writeln!(text, "countinghouse_statements_begun_total {begun}");
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

fn header(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP countinghouse_{name} {help}\n# TYPE countinghouse_{name} {kind}");
}

fn gauge(text: &mut String, name: &str, help: &str, value: impl std::fmt::Display) {
    header(text, name, help, "gauge");
    let _ = writeln!(text, "countinghouse_{name} {value}");
}
