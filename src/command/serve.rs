//! `countinghouse serve`

use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Place, say, say_error};
use crate::app::App;
use crate::error::{Error, Result};
use crate::server;

/// Where to listen.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Address of the HTTP face; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// Address of the Flight SQL face; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    flight: Option<String>,
    /// Leave scheduled publication to another server of the same catalog.
    #[arg(long, env = "COUNTINGHOUSE_NO_SCHEDULES", value_parser = clap::builder::FalseyValueParser::new())]
    no_schedules: bool,
}

pub(super) async fn run(place: &Place, arguments: Arguments) -> Result<()> {
    let app = App::open(&place.project, &place.state).await?;
    serve(&app, arguments.http, arguments.flight, !arguments.no_schedules).await
}

/// Serves until SIGTERM or Ctrl-C, and drains.
pub(super) async fn serve(app: &App, http: Option<String>, flight: Option<String>, schedules: bool) -> Result<()> {
    for fault in &app.report_faults {
        say_error(&format!("warning: {fault}; this report is not served"));
    }
    let http = http.unwrap_or_else(|| app.config().http.listen.clone());
    let flight = flight.unwrap_or_else(|| app.config().flight.listen.clone());
    let keep_days = app.config().audit.keep_days;
    let (catalog, publisher) = (app.services.catalog.clone(), app.services.publisher.clone());
    // Ends with the server.
    let mut upkeep = JoinSet::new();
    upkeep.spawn(async move {
        let mut days = tokio::time::interval(Duration::from_hours(24));
        loop {
            days.tick().await;
            if let Err(error) = publisher.expire().await {
                tracing::error!(?error, "editions whose time is over were not removed");
            }
            // Longer than any run, with all its tries.
            if let Err(error) = publisher.sweep(catalog.now() - SignedDuration::from_hours(24)).await {
                tracing::error!(?error, "what runs left behind was not removed");
            }
            if keep_days == 0 {
                continue;
            }
            let before = catalog.now() - SignedDuration::from_hours(24 * i64::from(keep_days));
            if let Err(error) = catalog.drop_audit(before).await {
                tracing::error!(?error, "old audit records were not dropped");
            }
        }
    });
    let bound = server::bind(app.services.clone(), &http, &flight).await?;
    let stop = stop_signal()?;
    let ended = CancellationToken::new();
    let _ends = ended.clone().drop_guard();
    if schedules {
        let scheduler = app.services.scheduler.clone();
        upkeep.spawn(async move { scheduler.serve(ended).await });
    }
    // What this server itself speaks: a proxy's addresses are not known here.
    let config = app.config();
    let http = if config.http.tls.is_some() { "https" } else { "http" };
    let flight = if config.flight.tls.is_some() { "grpc+tls" } else { "grpc" };
    say(&format!("ready http={http}://{} flight={flight}://{}", bound.http_address, bound.flight_address));
    bound.serve(stop).await
}

/// Done when the process is asked to stop. The handlers are in place before the server says that it is ready.
fn stop_signal() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let fault = |error| Error::internal("cannot listen for signals", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(fault)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(fault)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
