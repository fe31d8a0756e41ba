//! Errors as answers: problem documents for programs, pages for people.
//!
//! A handler returns a [`Failure`]; the outermost layer gives it its form, because only there language and correlation id are
//! known, and logs it once. What an engine or a library said, and every fault of ours, goes to the log and never to a client.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;

use super::App;
use super::pages::Frame;
use crate::error::{Code, Error, Fault};
use crate::locale::Lang;

/// An error on its way to its answer.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    error: Arc<Error>,
    status: Option<StatusCode>,
}

impl Failure {
    pub(super) fn new(error: Error) -> Self {
        Self { error: Arc::new(error), status: None }
    }

    /// A status that says more than the error's fault does.
    pub(super) fn status(self, status: StatusCode) -> Self {
        Self { status: Some(status), ..self }
    }

    /// The answer, and a line in the log.
    pub(super) fn render(&self, app: &App, for_programs: bool, lang: Lang, correlation: &str) -> Response {
        let status = self.status.unwrap_or_else(|| status_of(self.error.code()));
        let code = self.error.code().as_str();
        if status.is_server_error() {
            tracing::error!(correlation_id = correlation, code, error = ?self.error, "a request failed");
        } else {
            tracing::info!(correlation_id = correlation, code, "a request was refused");
        }
        let mut response = if for_programs {
            problem(status, &self.error, correlation)
        } else {
            page(app, status, &self.error, lang, correlation)
        };
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The status of a code: by whose fault it is.
pub(super) fn status_of(code: Code) -> StatusCode {
    match code.fault() {
        // Repeating the request would only reach the limit again, so it is not "unavailable".
        Fault::Capacity if code == Code::Limit => StatusCode::UNPROCESSABLE_ENTITY,
        Fault::Caller => StatusCode::BAD_REQUEST,
        Fault::Unauthenticated => StatusCode::UNAUTHORIZED,
        Fault::Denied => StatusCode::FORBIDDEN,
        Fault::Missing => StatusCode::NOT_FOUND,
        Fault::Data => StatusCode::CONFLICT,
        Fault::Capacity | Fault::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
        Fault::Deadline => StatusCode::GATEWAY_TIMEOUT,
        Fault::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What the caller is told. Of a fault of ours only that it is one.
fn detail(error: &Error) -> &str {
    match error.code().fault() {
        Fault::Internal => "The server failed at this request. Its operators find the reason under the correlation id.",
        _ => error.message(),
    }
}

/// RFC 9457.
fn problem(status: StatusCode, error: &Error, correlation: &str) -> Response {
    let body = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "code": error.code().as_str(),
        "detail": detail(error),
        "correlation_id": correlation,
    });
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

#[derive(Template)]
#[template(path = "server/http/error.html")]
struct Page<'a> {
    frame: Frame,
    /// What happened, what it means for the figures, what to do now: keys of `portal.ftl` share this stem.
    case: &'static str,
    detail: Option<&'a str>,
    code: &'static str,
    correlation: &'a str,
}

fn page(app: &App, status: StatusCode, error: &Error, lang: Lang, correlation: &str) -> Response {
    let case = match status.as_u16() {
        400 | 405 | 413 | 415 => "request",
        401 | 403 => "denied",
        404 | 410 => "missing",
        409 => "data",
        422 => "limit",
        503 => "busy",
        504 => "slow",
        _ => "internal",
    };
    // For what is missing the page itself says it in the reader's language, the same for absent and forbidden.
    let detail = (!matches!(case, "missing" | "internal" | "denied")).then(|| detail(error));
    let frame = Frame::anonymous(app, lang);
    let page = Page { frame, case, detail, code: error.code().as_str(), correlation };
    match page.render() {
        Ok(body) => (status, Html(body)).into_response(),
        Err(error) => {
            tracing::error!(%error, "the error page cannot be written");
            (status, status.canonical_reason().unwrap_or("Error")).into_response()
        }
    }
}
