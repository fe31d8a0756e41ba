//! Who sends a request, and whether the browser was made to send it by another site.
//!
//! `Authorization: Bearer` beats the cookie. The cookie is `HttpOnly` and `SameSite=Lax`; forms carry a token that is bound to
//! the session, and whatever changes something is refused when the browser says that another site started it.
//!
//! Names and attributes here are those of plain HTTP on this host; [`encrypted`] makes of them what browsers get over TLS.

use std::net::SocketAddr;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN, SET_COOKIE, STRICT_TRANSPORT_SECURITY};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::Failure;
use super::{App, is_for_programs};
use crate::auth::{Entry, Peer, Principal};
use crate::error::{Code, Error, Fault, Result};
use crate::server::Services;

/// The session cookie.
pub(super) const SESSION: &str = "countinghouse_session";
/// The session cookie over TLS. A browser takes this name only as `Secure`, without a domain and for all paths, so neither
/// plain HTTP nor a sibling host can plant one.
const HOST_SESSION: &str = "__Host-countinghouse";
/// Binds the login form to the browser that asked for it.
pub(super) const FORM: &str = "countinghouse_form";

/// Whoever is logged in.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) principal: Principal,
    /// The session of the cookie; none for bearer tokens.
    pub(super) session: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        // Put there by `require`. A handler that asks for it on an open route is a fault of ours, not the caller's.
        let missing =
            || Failure::new(Error::internal("A route asks for a caller but not for a login.", parts.uri.path()));
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

/// Who sends this request.
///
/// Errors: `TOKEN`.
pub(super) async fn authenticate(app: &App, headers: &HeaderMap, peer: Peer) -> Result<Caller> {
    let auth = &app.services.auth;
    if let Some(header) = headers.get(AUTHORIZATION) {
        let text = header.to_str().unwrap_or_default();
        let bearer = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let token = bearer.map(|(_, token)| token.trim()).unwrap_or_default();
        return Ok(Caller { principal: auth.login_token(token, peer).await?, session: None });
    }
    match cookie(headers, SESSION) {
        Some(session) => {
            Ok(Caller { principal: auth.session(session, peer).await?, session: Some(session.to_owned()) })
        }
        None => Err(Error::new(Code::Token, "Log in first: send `Authorization: Bearer TOKEN`, or use `/login`.")),
    }
}

/// Where a request comes from. Behind a proxy its own word counts, the last in the header; others may stand before it.
pub(super) fn peer(app: &App, headers: &HeaderMap, extensions: &Extensions) -> Peer {
    let forwarded =
        || Services::forwarded(headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()));
    let socket = extensions.get::<SocketAddr>().map(SocketAddr::ip);
    let address = if app.services.config.http.behind_proxy { forwarded() } else { socket };
    Peer::new(Entry::Http, address)
}

/// The layer of routes that ask for a login. Programs get an error, people the login page and their page after it.
pub(super) async fn require(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let Some(peer) = request.extensions().get::<Peer>().copied() else {
        return Failure::new(Error::internal("A request has no peer.", request.uri().path())).into_response();
    };
    match authenticate(&app, request.headers(), peer).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error)
            if error.code().fault() == Fault::Unauthenticated && !is_for_programs(request.uri(), request.headers()) =>
        {
            let here = request.uri().path_and_query().map_or("/", |p| p.as_str());
            let target = match *request.method() {
                Method::GET | Method::HEAD if here != "/" => {
                    let next: String = url::form_urlencoded::byte_serialize(here.as_bytes()).collect();
                    format!("/login?next={next}")
                }
                _ => "/login".to_owned(),
            };
            let mut response = Redirect::to(&target).into_response();
            if cookie(request.headers(), SESSION).is_some() {
                append_cookie(&mut response, &clear(SESSION, "/"));
            }
            response
        }
        Err(error) => Failure::new(error).into_response(),
    }
}

/// The layer that refuses changes which another site's page started. `SameSite` already keeps the cookie back in most of these
/// cases; this does not depend on it. Bearer requests are no browser's doing.
pub(super) async fn same_origin(request: Request, next: Next) -> Response {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || request.headers().contains_key(AUTHORIZATION) || is_same_origin(request.headers()) {
        return next.run(request).await;
    }
    Failure::new(Error::new(Code::Denied, "This request was started by another site.")).into_response()
}

/// The outermost layer of an encrypted face: browsers are to use nothing but TLS from now on, every cookie is `Secure`, and
/// the session's has its own name on the way. The plain name, which anybody could have planted, is not taken.
pub(super) async fn encrypted(mut request: Request, next: Next) -> Response {
    let kept = cookies(request.headers()).filter_map(|(name, value)| match name {
        SESSION => None,
        HOST_SESSION => Some(format!("{SESSION}={value}")),
        _ => Some(format!("{name}={value}")),
    });
    let kept = HeaderValue::try_from(kept.collect::<Vec<_>>().join("; "));
    request.headers_mut().remove(COOKIE);
    request.headers_mut().extend(kept.ok().map(|kept| (COOKIE, kept)));

    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (_, cookie) in headers.iter_mut().filter(|(name, _)| **name == SET_COOKIE) {
        let secure = match cookie.to_str().unwrap_or_default().split_once('=') {
            Some((SESSION, rest)) => format!("{HOST_SESSION}={rest}; Secure"),
            Some((name, rest)) => format!("{name}={rest}; Secure"),
            None => continue,
        };
        if let Ok(secure) = HeaderValue::try_from(secure) {
            *cookie = secure;
        }
    }
    headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    response
}

pub(super) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return false;
    }
    match (text(ORIGIN.as_str()), text(HOST.as_str())) {
        (None, _) => true, // no browser leaves it out of a cross-site POST
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, of)| of.eq_ignore_ascii_case(host)),
        (Some(_), None) => false,
    }
}

impl App {
    /// The token of a form, bound to a session or to the login form's cookie.
    pub(super) fn form_token(&self, of: &str) -> String {
        // Both hashed parts have a fixed length.
        let mut hash = Sha256::new();
        hash.update(self.form_key);
        hash.update(Sha256::digest(of.as_bytes()));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Refuses a form that does not carry the token of its session.
    ///
    /// Errors: `DENIED`.
    pub(super) fn check_form(&self, token: &str, session: &str) -> Result<()> {
        let denied = || Error::new(Code::Denied, "This form is not of this session: open the page again.");
        self.is_form_token(token, session).then_some(()).ok_or_else(denied)
    }

    /// Whether a form's token belongs to `of`.
    pub(super) fn is_form_token(&self, token: &str, of: &str) -> bool {
        self.form_token(of).as_bytes().ct_eq(token.as_bytes()).into()
    }
}

/// The value of a cookie; none when it is absent or empty.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    cookies(headers).find(|(known, value)| *known == name && !value.is_empty()).map(|(_, value)| value)
}

/// Names and values of a request's cookies.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

/// A cookie that no script reads and no other site's form sends. `path` narrows it.
pub(super) fn set(name: &str, value: &str, path: &str) -> String {
    format!("{name}={value}; Path={path}; HttpOnly; SameSite=Lax")
}

pub(super) fn clear(name: &str, path: &str) -> String {
    format!("{name}=; Path={path}; Max-Age=0; HttpOnly; SameSite=Lax")
}

pub(super) fn append_cookie(response: &mut Response, cookie: &str) {
    // Our own names and hexadecimal values: always a valid header.
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// A path of this server to go to after the login; everything else is the portal. What a browser makes of the text decides, so
/// it is resolved the way a browser does it: `//host`, `/\host` and `https:` lead elsewhere.
pub(super) fn local_path(next: Option<&str>) -> String {
    let base = url::Url::parse("http://here.invalid/").ok();
    let resolved = next
        .filter(|next| next.starts_with('/') && !next.chars().any(char::is_control))
        .and_then(|next| base.as_ref()?.join(next).ok())
        .filter(|url| base.as_ref().is_some_and(|base| url.origin() == base.origin()))
        // Read once more, as a browser does with what it is sent, this is a host.
        .filter(|url| !url.path().starts_with("//"));
    match resolved {
        Some(url) => url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
        None => "/".to_owned(),
    }
}
