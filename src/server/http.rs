//! The HTTP face: the portal, live reports, the JSON interface, health.
//!
//! It converts between requests and the layers below, and holds no rights, limits or cube logic of its own. Every route stands
//! in [`ROUTES`] with whether it asks for a login; one layer enforces that, one turns errors into pages or problem documents,
//! so a handler can forget neither.

mod api;
mod error;
mod extract;
mod files;
mod health;
mod language;
mod pages;
mod session;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use self::error::Failure;
use self::language::Choice;
use self::pages::admin::{self, AUDITORS, MANAGERS};
use super::Services;
use crate::error::{Code, Error};
use crate::locale::Lang;

/// What is spoken, as TLS names it. One protocol is one set of limits.
pub const PROTOCOL: &str = "http/1.1";

/// Largest request line with its headers.
const LARGEST_HEAD: usize = 16 << 10;

/// How long a client may take to send them, and may be silent between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest request body: statements and forms.
const LARGEST_BODY: usize = 1 << 20;

/// Nothing but our own files is loaded, and nothing inline runs or styles.
const POLICY: &str = "default-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; \
                      form-action 'self'";

/// What the face is built from.
#[derive(Debug)]
pub struct Setup {
    pub services: Services,
    /// Where Flight SQL answers; the portal tells it.
    pub flight: SocketAddr,
    /// Cancelled when the server drains.
    pub draining: CancellationToken,
}

/// What handlers work with. Clones share it.
#[derive(Debug, Clone)]
struct App(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    services: Services,
    flight: SocketAddr,
    draining: CancellationToken,
    form_key: [u8; 32],
    languages: Vec<Lang>,
    started: Timestamp,
    /// Answered requests by method and status.
    answered: Mutex<BTreeMap<(String, u16), u64>>,
}

impl std::ops::Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// One route.
struct Route {
    path: &'static str,
    access: Access,
    handler: fn() -> MethodRouter<App>,
}

/// Who may call a route.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Whoever is logged in; the handler decides the rest.
    Login,
    /// Whoever has one of these roles, in a browser's session.
    Roles(&'static [&'static str]),
    /// Everybody, for this reason.
    Open(&'static str),
}

/// Every route. Adding one: its handler in `api/` or `pages/`, its line here, and, under `/api`, its entry in `api/openapi.rs`.
const ROUTES: &[Route] = &[
    Route::open("/healthz", "liveness, without data", || get(health::alive)),
    Route::open("/readyz", "readiness, without data", || get(health::ready)),
    Route::open("/metrics", "counters, without data", || get(health::metrics)),
    Route::open("/openapi.json", "the form of the interface, without data", || get(api::openapi::document)),
    Route::open("/assets/{name}", "styles and scripts, without data", || get(files::file)),
    Route::open("/login", "where one logs in", || get(pages::login::form).post(pages::login::submit)),
    Route::open("/login/oidc", "where one logs in", || get(pages::oidc::depart)),
    Route::open("/login/oidc/callback", "where one comes back from the bank's login", || get(pages::oidc::arrive)),
    Route::login("/logout", || post(pages::login::logout)),
    Route::login("/", || get(pages::home::page)),
    Route::login("/reports", || get(pages::reports::list)),
    Route::login("/reports/{name}", || get(pages::reports::page)),
    Route::login("/reports/{name}/blocks/{id}", || get(pages::reports::part::block)),
    Route::login("/reports/{name}/data/{dataset}", || get(pages::reports::part::data)),
    Route::login("/reports/{name}/evidence", || get(pages::reports::evidence::page)),
    Route::login("/reports/{name}/definition", || get(pages::reports::definition::page)),
    Route::login("/reports/{name}/favourite", || post(pages::reports::favourite::mark)),
    Route::login("/reports/{name}/editions", || get(pages::editions::list)),
    Route::login("/reports/{name}/latest", || get(pages::editions::latest)),
    Route::login("/r/{name}/{scope}/{period}/{version}", || get(pages::editions::one)),
    Route::login("/r/{name}/{scope}/{period}/{version}/changes", || get(pages::editions::changes)),
    Route::login("/editions/{id}", || get(pages::editions::by_hash)),
    Route::login("/editions/{id}/evidence", || get(pages::editions::evidence)),
    Route::login("/editions/{id}/files/{*name}", || get(pages::editions::file)),
    Route::login("/schedules", || get(pages::schedules::list)),
    Route::login("/schedules/{report}/{id}", || get(pages::schedules::page).post(pages::schedules::act)),
    Route::login("/alerts", || get(pages::alerts::list)),
    Route::login("/alerts/{id}", || get(pages::alerts::page).post(pages::alerts::act)),
    Route::login("/deliveries", || get(pages::deliveries::page).post(pages::deliveries::resend)),
    Route::login("/evaluation", || get(pages::evaluation::page)),
    Route::login("/evaluation/maturity", || {
        get(pages::evaluation::maturity::list).post(pages::evaluation::maturity::create)
    }),
    Route::login("/evaluation/maturity/{id}", || {
        get(pages::evaluation::maturity::page).post(pages::evaluation::maturity::act)
    }),
    Route::login("/evaluation/roi", || get(pages::evaluation::roi::list).post(pages::evaluation::roi::create)),
    Route::login("/evaluation/roi/{id}", || get(pages::evaluation::roi::page).post(pages::evaluation::roi::act)),
    Route::login("/evaluation/outcome", || get(pages::evaluation::outcome::page).post(pages::evaluation::outcome::act)),
    Route::login("/evaluation/issues", || {
        get(pages::evaluation::outcome::issues).post(pages::evaluation::outcome::issue_act)
    }),
    Route::login("/evaluation/projects", || {
        get(pages::evaluation::projects::list).post(pages::evaluation::projects::create)
    }),
    Route::login("/evaluation/projects/{id}", || {
        get(pages::evaluation::projects::page).post(pages::evaluation::projects::act)
    }),
    Route::roles("/admin", MANAGERS, || get(admin::statements::page)),
    Route::roles("/admin/statements/{id}/stop", MANAGERS, || post(admin::statements::stop)),
    Route::roles("/admin/users", MANAGERS, || get(admin::users::list).post(admin::users::add)),
    Route::roles("/admin/users/{name}", MANAGERS, || get(admin::users::one).post(admin::users::change)),
    Route::roles("/admin/tokens", MANAGERS, || get(admin::tokens::list).post(admin::tokens::change)),
    Route::roles("/admin/roles", MANAGERS, || get(admin::roles::page)),
    Route::roles("/admin/audit", AUDITORS, || get(admin::audit::page).post(admin::audit::verify)),
    Route::login("/api/cubes", || get(api::cubes::list)),
    Route::login("/api/cubes/{name}", || get(api::cubes::one)),
    Route::login("/api/evaluation", || get(api::evaluation::kinds)),
    Route::login("/api/evaluation/tables/{table}", || get(api::evaluation::export)),
    Route::login("/api/evaluation/import/{what}", || get(api::evaluation::template).post(api::evaluation::take_in)),
    Route::login("/api/evaluation/{kind}", || get(api::evaluation::list)),
    Route::login("/api/evaluation/{kind}/{*id}", || {
        get(api::evaluation::one).put(api::evaluation::put).post(api::evaluation::act)
    }),
    Route::login("/api/sql", || post(api::sql::run)),
];

impl Route {
    const fn open(path: &'static str, why: &'static str, handler: fn() -> MethodRouter<App>) -> Self {
        Self { path, access: Access::Open(why), handler }
    }

    const fn login(path: &'static str, handler: fn() -> MethodRouter<App>) -> Self {
        Self { path, access: Access::Login, handler }
    }

    const fn roles(path: &'static str, roles: &'static [&'static str], handler: fn() -> MethodRouter<App>) -> Self {
        Self { path, access: Access::Roles(roles), handler }
    }
}

/// Serves the face until it drains and the requests that run have ended.
///
/// `axum::serve` with limits of its own: it does not let anybody set those of hyper.
pub async fn serve(setup: Setup, mut listener: impl Listener<Addr = SocketAddr>) {
    let draining = setup.draining.clone();
    let service = TowerToHyperService::new(router(setup));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_header_size(LARGEST_HEAD);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            (io, address) = listener.accept() => {
                let service = service.clone();
                let from_there = service_fn(move |mut request: hyper::Request<_>| {
                    request.extensions_mut().insert(address);
                    service.call(request)
                });
                let connection = http.serve_connection(TokioIo::new(io), from_there);
                let draining = draining.clone();
                connections.spawn(async move {
                    let mut connection = pin!(connection);
                    let ended = tokio::select! {
                        ended = connection.as_mut() => ended,
                        () = draining.cancelled() => {
                            connection.as_mut().graceful_shutdown();
                            connection.await
                        }
                    };
                    if let Err(error) = ended {
                        tracing::debug!(%error, "an HTTP connection failed");
                    }
                });
            }
            Some(_) = connections.join_next() => {}
            () = draining.cancelled() => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The face as a service.
fn router(setup: Setup) -> Router {
    let Setup { services, flight, draining } = setup;
    let encrypted = services.config.http.is_encrypted();
    let mut languages: Vec<Lang> = services.config.languages.iter().filter_map(|tag| Lang::parse(tag)).collect();
    if languages.is_empty() {
        languages = Lang::ALL.to_vec();
    }
    let app = App(Arc::new(Parts {
        form_key: services.auth.derive_key("http form"),
        started: services.clock.now(),
        answered: Mutex::default(),
        services,
        flight,
        draining,
        languages,
    }));
    let mut router = Router::new();
    for route in ROUTES {
        let handler = (route.handler)();
        let login = from_fn_with_state(app.clone(), session::require);
        router = router.route(
            route.path,
            match route.access {
                Access::Login => handler.route_layer(login),
                // The layer that is added last is asked first.
                Access::Roles(roles) => {
                    handler.route_layer(from_fn_with_state(roles, admin::require)).route_layer(login)
                }
                Access::Open(_) => handler,
            },
        );
    }
    let router = router
        .fallback(|| async { nothing_here() })
        .method_not_allowed_fallback(|| async {
            Failure::new(Error::new(Code::BadRequest, "This address does not take this method."))
                .status(StatusCode::METHOD_NOT_ALLOWED)
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn(session::same_origin))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(app.clone(), observe))
        .with_state(app);
    if encrypted { router.layer(from_fn(session::encrypted)) } else { router }
}

/// The answer where there is nothing, and where there is nothing for whoever asks.
fn nothing_here() -> Failure {
    Failure::new(Error::new(Code::NoSuchObject, "There is nothing at this address."))
}

/// Identity of a request, in its answer, its errors and the log.
#[derive(Debug, Clone)]
struct Correlation(String);

/// The outermost layer: language, correlation id, errors into their form, headers, metrics, one line in the log.
async fn observe(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let correlation = Correlation(random_hex());
    let choice = language::choose(request.uri(), request.headers(), &app.languages);
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let for_programs = is_for_programs(&uri, request.headers());
    let peer = session::peer(&app, request.headers(), request.extensions());
    request.extensions_mut().insert(peer);
    request.extensions_mut().insert(choice);
    request.extensions_mut().insert(correlation.clone());

    let mut response = next.run(request).await;
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        response = failure.render(&app, for_programs, choice.lang, &correlation.0);
    }
    finish(&mut response, uri.path(), choice, &correlation);
    // Who is refused may have sent a body that nobody read. hyper then ends the connection, and a client that is not told
    // would send its next request into it.
    if !matches!(method, Method::GET | Method::HEAD) && !response.status().is_success() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }

    let status = response.status();
    let key = (method_label(&method), status.as_u16());
    *app.answered.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default() += 1;
    tracing::debug!(
        correlation_id = correlation.0,
        %method,
        path = uri.path(),
        status = status.as_u16(),
        milliseconds = started.elapsed().as_millis(),
        "answered"
    );
    response
}

/// Headers of every answer.
fn finish(response: &mut Response, path: &str, choice: Choice, correlation: &Correlation) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if !headers.contains_key(CACHE_CONTROL) {
        // A page may be kept but is asked for again each time, because each opening is checked against today's rights.
        let cached = if is_page(path) { "private, no-cache" } else { "no-store" };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cached));
    }
    if let Ok(id) = HeaderValue::from_str(&correlation.0) {
        headers.insert(HeaderName::from_static("x-correlation-id"), id);
    }
    if choice.remember && is_page(path) {
        let cookie = format!("{}={}; Path=/; Max-Age=31536000; SameSite=Lax", language::COOKIE, choice.lang.tag());
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            headers.append(SET_COOKIE, cookie);
        }
    }
}

/// Whether an error should be a problem document: under `/api`, and where data was asked for instead of a page.
fn is_for_programs(uri: &Uri, headers: &HeaderMap) -> bool {
    let query = uri.query().unwrap_or_default().as_bytes();
    let format = url::form_urlencoded::parse(query).find(|(name, _)| name == "format");
    let accepts = |kind: &str| {
        headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(kind))
    };
    uri.path().starts_with("/api")
        || format.is_some_and(|(_, format)| format != "html")
        || (accepts("application/json") && !accepts("text/html"))
}

/// Whether people, not programs, read what stands at a path.
fn is_page(path: &str) -> bool {
    let is_in = |part: &str| path.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path == "/"
        || path == "/login"
        || path == "/logout"
        || ["/reports", "/r", "/editions", "/schedules", "/deliveries", "/evaluation", "/admin"].into_iter().any(is_in)
}

/// Methods are labels of a metric, so a caller's invention must not become one.
fn method_label(method: &Method) -> String {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH];
    if known.contains(method) { method.to_string() } else { "other".to_owned() }
}

/// A panic in a handler costs its request, not the server.
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "no message".to_owned());
    Failure::new(Error::internal("A request panicked.", text)).into_response()
}

/// 128 random bits.
fn random_hex() -> String {
    format!("{:032x}", rand::random::<u128>())
}
