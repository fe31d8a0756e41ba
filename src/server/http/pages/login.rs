//! `/login` and `/logout`.

use askama::Template;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::{Frame, render};
use crate::auth::{Peer, Principal};
use crate::error::{Code, Error, Fault};
use crate::server::http::error::Failure;
use crate::server::http::extract::Query;
use crate::server::http::language::Choice;
use crate::server::http::session::{self, Caller, FORM, SESSION, append_cookie, cookie, local_path};
use crate::server::http::{App, random_hex};

#[derive(Template)]
#[template(path = "server/http/pages/login.html")]
struct Page {
    frame: Frame,
    token: String,
    next: String,
    name: String,
    /// Key of what went wrong.
    fault: Option<&'static str>,
    /// The bank's own login: what its button says, and where it leads.
    provider: Option<(String, String)>,
}

/// Where to go after the login.
#[derive(Debug, Deserialize)]
pub(in crate::server::http) struct Next {
    next: Option<String>,
}

/// `GET /login`.
pub(in crate::server::http) async fn form(
    State(app): State<App>,
    Extension(choice): Extension<Choice>,
    Query(next): Query<Next>,
    uri: Uri,
    headers: HeaderMap,
    Extension(peer): Extension<Peer>,
) -> Result<Response, Failure> {
    let next = local_path(next.next.as_deref());
    if cookie(&headers, SESSION).is_some() && session::authenticate(&app, &headers, peer).await.is_ok() {
        return Ok(Redirect::to(&next).into_response());
    }
    show(&app, choice, &uri, &headers, next, String::new(), None)
}

/// The form, with the cookie it is bound to.
fn show(
    app: &App,
    choice: Choice,
    uri: &Uri,
    headers: &HeaderMap,
    next: String,
    name: String,
    fault: Option<&'static str>,
) -> Result<Response, Failure> {
    let kept = cookie(headers, FORM).map(str::to_owned);
    let seed = kept.clone().unwrap_or_else(random_hex);
    let frame = Frame::anonymous(app, choice.lang).translated(app, uri);
    let provider = app.services.provider.as_ref().map(|provider| {
        let label = choice.lang.pick(&provider.config().label);
        let label = if label.is_empty() { frame.word("portal-login-provider") } else { label.to_owned() };
        let query: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        (label, format!("/login/oidc?next={query}"))
    });
    let page = Page { frame, token: app.form_token(&seed), next, name, fault, provider };
    let mut response = render(&page)?;
    if kept.is_none() {
        append_cookie(&mut response, &session::set(FORM, &seed, "/login"));
    }
    Ok(response)
}

#[derive(Debug, Deserialize)]
pub(in crate::server::http) struct Login {
    name: String,
    password: String,
    #[serde(default)]
    token: String,
    next: Option<String>,
}

/// `POST /login`: a new session at each login, so that one known before it is worth nothing after it.
pub(in crate::server::http) async fn submit(
    State(app): State<App>,
    Extension(choice): Extension<Choice>,
    uri: Uri,
    headers: HeaderMap,
    Extension(peer): Extension<Peer>,
    form: Result<Form<Login>, FormRejection>,
) -> Result<Response, Failure> {
    let Form(login) = form.map_err(|rejection| bad_form(&rejection))?;
    let next = local_path(login.next.as_deref());
    if !cookie(&headers, FORM).is_some_and(|seed| app.is_form_token(&login.token, seed)) {
        let mut response = show(&app, choice, &uri, &headers, next, login.name, Some("portal-login-again"))?;
        *response.status_mut() = StatusCode::FORBIDDEN;
        return Ok(response);
    }
    let auth = &app.services.auth;
    match auth.login_password(&login.name, &login.password, peer).await {
        Ok(principal) => {
            let mut response = opened(&app, &principal, &headers, &next).await?;
            append_cookie(&mut response, &session::clear(FORM, "/login"));
            Ok(response)
        }
        Err(error) if error.code().fault() == Fault::Unauthenticated => {
            let mut response = show(&app, choice, &uri, &headers, next, login.name, Some("portal-login-failed"))?;
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            Ok(response)
        }
        Err(error) => Err(error.into()),
    }
}

/// The answer to a good login: a new session in the browser, and the old one ended.
pub(super) async fn opened(
    app: &App,
    principal: &Principal,
    headers: &HeaderMap,
    next: &str,
) -> Result<Response, Error> {
    let auth = &app.services.auth;
    if let Some(old) = cookie(headers, SESSION) {
        auth.close_session(old).await?;
    }
    let opened = auth.open_browser_session(principal).await?;
    let mut response = Redirect::to(next).into_response();
    append_cookie(&mut response, &session::set(SESSION, &opened, "/"));
    Ok(response)
}

#[derive(Debug, Deserialize)]
pub(in crate::server::http) struct Logout {
    #[serde(default)]
    token: String,
}

/// `POST /logout`: the session ends on the server, not only in the browser.
pub(in crate::server::http) async fn logout(
    State(app): State<App>,
    caller: Caller,
    form: Result<Form<Logout>, FormRejection>,
) -> Result<Response, Failure> {
    let Form(form) = form.map_err(|rejection| bad_form(&rejection))?;
    if let Some(session) = &caller.session {
        app.check_form(&form.token, session)?;
        app.services.auth.close_session(session).await?;
    }
    let mut response = Redirect::to("/login").into_response();
    append_cookie(&mut response, &session::clear(SESSION, "/"));
    Ok(response)
}

fn bad_form(rejection: &FormRejection) -> Failure {
    Failure::new(Error::new(Code::BadRequest, "The form is not complete.")).status(rejection.status())
}
