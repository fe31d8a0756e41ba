//! `/login/oidc` and `/login/oidc/callback`: to the bank's login provider and back.

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};

use super::login::opened;
use crate::auth::{Arrival, Peer, Provider};
use crate::error::{Code, Error, Result};
use crate::server::http::App;
use crate::server::http::error::Failure;
use crate::server::http::session::{self, append_cookie, cookie, local_path};

/// What the browser keeps until it is back: the seed of its departure and where it wanted to go.
const DEPARTURE: &str = "countinghouse_departure";
/// Where it is sent, and the cookie with it.
const HERE: &str = "/login/oidc";

/// `GET /login/oidc`.
pub(in crate::server::http) async fn depart(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let provider = provider(&app)?;
    let next = local_path(once(query.as_deref(), "next")?.as_deref());
    // In hexadecimal, because a path may hold what a cookie may not.
    let next: String = next.bytes().map(|byte| format!("{byte:02x}")).collect();
    let departure = provider.depart(&redirect(&app, provider, &headers)?, &next).await?;
    let mut response = Redirect::to(departure.url.as_str()).into_response();
    append_cookie(&mut response, &format!("{}; Max-Age=600", session::set(DEPARTURE, &departure.seed, HERE)));
    Ok(response)
}

/// `GET /login/oidc/callback`: what was kept serves once, whatever comes of it.
pub(in crate::server::http) async fn arrive(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let mut response = match login(&app, peer, query.as_deref(), &headers).await {
        Ok(response) => response,
        // The reason is for whoever runs the server; it holds no code, token or secret.
        Err(error) if error.code() == Code::Token => {
            tracing::info!(?error, "a login through the provider was refused");
            Failure::new(error).into_response()
        }
        Err(error) if error.code() == Code::Conflict => {
            Failure::new(error).status(StatusCode::CONFLICT).into_response()
        }
        Err(error) => Failure::new(error).into_response(),
    };
    append_cookie(&mut response, &session::clear(DEPARTURE, HERE));
    response
}

async fn login(app: &App, peer: Peer, query: Option<&str>, headers: &HeaderMap) -> Result<Response> {
    let provider = provider(app)?;
    let again =
        || Error::new(Code::Token, "This login was not begun here, was refused, or took too long: begin again.");
    if once(query, "error")?.is_some() {
        return Err(again());
    }
    let seed = cookie(headers, DEPARTURE).ok_or_else(again)?;
    let (state, code) = (once(query, "state")?.ok_or_else(again)?, once(query, "code")?.ok_or_else(again)?);
    let issuer = once(query, "iss")?;
    let arrival = Arrival { seed, state: &state, code: &code, issuer: issuer.as_deref() };
    let identity = provider.arrive(&arrival, &redirect(app, provider, headers)?).await?;
    let principal = app.services.auth.login_identity(&identity, provider.config(), peer).await?;
    let next = seed.split_once('.').map_or("", |(_, next)| next);
    let byte = |at: usize| next.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let next: Option<Vec<u8>> = (0..next.len()).step_by(2).map(byte).collect();
    let next = next.and_then(|bytes| String::from_utf8(bytes).ok());
    opened(app, &principal, headers, &local_path(next.as_deref())).await
}

/// A parameter of the address. One that stands there twice is refused: readers differ about which of them counts.
fn once(query: Option<&str>, name: &str) -> Result<Option<String>> {
    let mut found = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .filter(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned());
    let value = found.next();
    match found.next() {
        None => Ok(value),
        Some(_) => Err(Error::new(Code::BadRequest, format!("The address has `{name}` twice."))),
    }
}

fn provider(app: &App) -> Result<&Provider> {
    let missing = || Error::new(Code::NoSuchObject, "There is nothing at this address.");
    app.services.provider.as_deref().ok_or_else(missing)
}

/// Where the provider sends browsers back to. It sends them only where it was told to in its own settings.
fn redirect(app: &App, provider: &Provider, headers: &HeaderMap) -> Result<String> {
    if let Some(redirect) = &provider.config().redirect {
        return Ok(redirect.clone());
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.ok_or_else(|| Error::new(Code::BadRequest, "The request names no host."))?;
    Ok(format!("{}://{host}{HERE}/callback", app.services.config.http.scheme("http", "https")))
}
