//! Listeners and the order of shutdown.
//!
//! Two faces over one set of services: HTTP for report readers and programs, Flight SQL for tools. Binding and serving are two
//! steps, so that whoever starts the server can tell the real addresses before the first request.

pub mod flight;
pub mod http;

use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::auth::Auth;
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::model::report::Report;
use crate::query::Door;

/// How long statements and pages that run when the server stops may still take.
const DRAIN: Duration = Duration::from_secs(10);

/// What both faces work with. Clones share it.
#[derive(Debug, Clone)]
pub struct Services {
    pub config: Arc<Config>,
    pub auth: Auth,
    pub door: Door,
    pub reports: Arc<Vec<Report>>,
    pub catalog: Catalog,
    pub clock: Clock,
}

/// Listeners that are bound and not yet served: connections wait in the queue of the operating system.
#[derive(Debug)]
pub struct Bound {
    services: Services,
    http: TcpListener,
    flight: TcpListener,
    /// Where the portal and the JSON interface answer.
    pub http_address: SocketAddr,
    /// Where Flight SQL answers.
    pub flight_address: SocketAddr,
}

/// Binds both listeners; port 0 takes a free one.
///
/// Errors: `INTERNAL` naming the address that cannot be had.
pub async fn bind(services: Services, http: &str, flight: &str) -> Result<Bound> {
    let (http, http_address) = listen("http", http).await?;
    let (flight, flight_address) = listen("flight", flight).await?;
    Ok(Bound { services, http, flight, http_address, flight_address })
}

async fn listen(face: &str, address: &str) -> Result<(TcpListener, SocketAddr)> {
    let refused = |cause| Error::internal(format!("The {face} face cannot listen on `{address}`."), cause);
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    if !bound.ip().is_loopback() {
        // Not refused: in a container the published port is the boundary, and a proxy in front of it speaks TLS.
        tracing::warn!(%bound, "the {face} face has no TLS and listens beyond this host: put a TLS proxy in front of it");
    }
    Ok((listener, bound))
}

impl Bound {
    /// Serves until `shutdown` is done; then `/readyz` turns red, no connection is taken any more, and what runs has ten
    /// seconds to finish.
    ///
    /// Errors: `INTERNAL` when a listener fails. Requests that fail are answered, not returned.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<()> {
        let Self { services, http, flight, flight_address, .. } = self;
        let catalog = services.catalog.clone();
        let draining = CancellationToken::new();
        let router = http::router(http::Setup {
            services: services.clone(),
            flight: flight_address,
            draining: draining.clone(),
        });
        let http_face =
            axum::serve(http, router).with_graceful_shutdown(draining.clone().cancelled_owned()).into_future();
        let flight_face = flight::serve(services, flight, draining.clone().cancelled_owned());
        let faces = async {
            let http_face = async { http_face.await.map_err(|e| Error::internal("The HTTP face stopped.", e)) };
            tokio::try_join!(http_face, flight_face).map(|_| ())
        };
        tokio::pin!(faces);
        tokio::select! {
            ended = &mut faces => return ended,
            () = shutdown => draining.cancel(),
        }
        let ended = tokio::time::timeout(DRAIN, faces).await.unwrap_or_else(|_| {
            tracing::warn!("requests were still running {} s after the stop and were dropped", DRAIN.as_secs());
            Ok(())
        });
        ended.and(catalog.settle().await)
    }
}
