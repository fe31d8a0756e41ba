//! Listeners and the order of shutdown.
//!
//! Two faces over one set of services: HTTP for report readers and programs, Flight SQL for tools. Binding and serving are two
//! steps, so that whoever starts the server can tell the real addresses before the first request.

pub mod flight;
pub mod http;
mod tls;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::tls::{Listener, Tls};
use crate::auth::{Auth, Provider, TokenScope};
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::config::{Config, FaceConfig};
use crate::error::{Code, Error, Result};
use crate::evaluation::Evaluation;
use crate::model::report::Report;
use crate::publish::Publisher;
use crate::query::Door;
use crate::schedule::Scheduler;

/// How long statements and pages that run when the server stops may still take.
const DRAIN: Duration = Duration::from_secs(10);

/// What both faces work with. Clones share it.
#[derive(Debug, Clone)]
pub struct Services {
    pub config: Arc<Config>,
    pub auth: Auth,
    /// The bank's own login, where the settings name one.
    pub provider: Option<Arc<Provider>>,
    pub door: Door,
    pub reports: Arc<Vec<Report>>,
    pub catalog: Catalog,
    pub clock: Clock,
    /// Editions, and what makes and sends them.
    pub publisher: Publisher,
    pub scheduler: Scheduler,
    /// What is recorded of the CRM programme.
    pub evaluation: Evaluation,
}

impl Services {
    /// The address that a proxy in front gives of its client, from `X-Forwarded-For`: the last one, since anybody may have
    /// written those before it.
    fn forwarded<'a>(headers: impl Iterator<Item = &'a str>) -> Option<IpAddr> {
        headers.flat_map(|value| value.split(',')).last()?.trim().parse().ok()
    }

    /// What a token may be narrowed to must exist: a name written wrong would make a token that opens nothing, or, where a cube
    /// of that name is added later, more than was meant.
    ///
    /// Errors: `BAD_REQUEST`.
    pub fn check_token_scope(&self, scope: &TokenScope) -> Result<()> {
        let cubes = scope.cubes.iter().flatten().filter(|name| !self.door.model().has(name));
        let is_report = |name: &String| self.reports.iter().any(|report| *report.name == *name);
        let reports = scope.reports.iter().flatten().filter(|name| !is_report(name));
        let wrong =
            cubes.map(|name| format!("cube `{name}`")).chain(reports.map(|name| format!("report `{name}`"))).next();
        match wrong {
            Some(what) => Err(Error::new(Code::BadRequest, format!("There is no {what}."))),
            None => Ok(()),
        }
    }
}

/// Listeners that are bound and not yet served: connections wait in the queue of the operating system.
#[derive(Debug)]
pub struct Bound {
    services: Services,
    http: Listener,
    flight: Listener,
    /// Where the portal and the JSON interface answer.
    pub http_address: SocketAddr,
    /// Where Flight SQL answers.
    pub flight_address: SocketAddr,
}

/// Binds both listeners; port 0 takes a free one. What keeps their connections private stands in the settings.
///
/// Errors: `DEFINITION` for a file of TLS that cannot be used, and for an address beyond this host without TLS; `INTERNAL`
/// naming the address that cannot be had.
pub async fn bind(services: Services, http: &str, flight: &str) -> Result<Bound> {
    let config = &services.config;
    let (http, http_address) = listen("http", http, &config.http, http::PROTOCOL).await?;
    let (flight, flight_address) = listen("flight", flight, &config.flight, flight::PROTOCOL).await?;
    Ok(Bound { services, http, flight, http_address, flight_address })
}

async fn listen(
    face: &str,
    address: &str,
    config: &FaceConfig,
    protocol: &'static str,
) -> Result<(Listener, SocketAddr)> {
    let refused = |cause| Error::internal(format!("The {face} face cannot listen on `{address}`."), cause);
    let tls = config.tls.as_ref().map(|files| Tls::open(files, protocol)).transpose()?;
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(address).await.map_err(refused)?.collect();
    let is_local = addresses.iter().all(|address| address.ip().to_canonical().is_loopback());
    if !is_local && !config.is_encrypted() {
        let advice = format!(
            "The {face} face has no TLS, so it does not listen on `{address}`, beyond this host: name a certificate and its key \
             under `{face}.tls`, or set `{face}.behind_proxy: true` where a proxy in front speaks TLS."
        );
        return Err(Error::new(Code::Definition, advice));
    }
    let tcp = TcpListener::bind(addresses.as_slice()).await.map_err(refused)?;
    let bound = tcp.local_addr().map_err(refused)?;
    Ok((Listener::new(tcp, tls), bound))
}

impl Bound {
    /// Serves until `shutdown` is done; then `/readyz` turns red, no connection is taken any more, and what runs has ten
    /// seconds to finish.
    ///
    /// Errors: `INTERNAL` when a listener fails. Requests that fail are answered, not returned.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<()> {
        let Self { services, http, flight, flight_address, .. } = self;
        let (catalog, door, auth) = (services.catalog.clone(), services.door.clone(), services.auth.clone());
        let draining = CancellationToken::new();
        let setup = http::Setup { services: services.clone(), flight: flight_address, draining: draining.clone() };
        let http_face = http::serve(setup, http);
        let flight_face = flight::serve(services, flight, draining.clone().cancelled_owned());
        let faces = async { tokio::try_join!(http_face.map(Ok), flight_face).map(|_| ()) };
        tokio::pin!(faces);
        tokio::select! {
            ended = &mut faces => return ended,
            () = door.watch(&auth) => {}
            () = shutdown => draining.cancel(),
        }
        let ended = tokio::time::timeout(DRAIN, faces).await.unwrap_or_else(|_| {
            tracing::warn!("requests were still running {} s after the stop and were dropped", DRAIN.as_secs());
            Ok(())
        });
        ended.and(catalog.settle().await)
    }
}
