//! `countinghouse load FEED.yaml ...`

use std::path::PathBuf;

use clap::Args;

use super::progress::Progress;
use super::{Place, say};
use crate::app::App;
use crate::error::Result;
use crate::ingest::{self, Disposition, LoadOutcome};

/// Feeds to load.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Feed files, in the order in which they are loaded.
    #[arg(required = true, value_name = "FEED")]
    feeds: Vec<PathBuf>,
}

pub(super) async fn run(place: &Place, arguments: Arguments) -> Result<()> {
    let app = App::open(&place.project, &place.state).await?;
    let outcomes = load(&app, &arguments.feeds).await?;
    outcomes.into_iter().try_for_each(|outcome| outcome.into_result().map(|_| ()))
}

/// Loads feeds and prints what became of each.
pub(super) async fn load(app: &App, feeds: &[PathBuf]) -> Result<Vec<LoadOutcome>> {
    let progress = Progress::new();
    let tables = &app.config().warehouse.tables;
    let mut outcomes = Vec::new();
    for feed in feeds {
        let outcome = ingest::load(&app.warehouse, &app.services.catalog, tables, feed, &progress).await;
        progress.finish();
        let outcome = outcome?;
        say(&describe(&outcome));
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn describe(outcome: &LoadOutcome) -> String {
    let (node, number) = (&outcome.batch.node, outcome.batch.number);
    let LoadOutcome { rows_delivered, rows_loaded, rows_unchanged, rows_rejected, seconds, message, .. } = outcome;
    match outcome.disposition {
        Disposition::Loaded => {
            let rate = *rows_delivered as f64 / seconds.max(0.001);
            let snapshot = outcome.snapshot.unwrap_or_default();
            format!(
                "loaded {node}-{number:04}: {rows_delivered} rows delivered, {rows_loaded} loaded, {rows_unchanged} \
                 unchanged, {rows_rejected} rejected; snapshot {snapshot}; {seconds:.1} s, {rate:.0} rows/s"
            )
        }
        Disposition::AlreadyLoaded => format!("already loaded {node}-{number:04}: nothing to do"),
        Disposition::Held => format!("held {node}-{number:04}: {message}"),
        Disposition::Refused => format!("refused {node}-{number:04}: {message}"),
        Disposition::Waiting => format!("waiting {node}-{number:04}: {message}"),
    }
}
