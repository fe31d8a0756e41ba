//! `countinghouse alert list|check`

use clap::{Args, Subcommand};

use super::{Place, say};
use crate::app::App;
use crate::catalog::AlertFilter;
use crate::error::{Code, Error, Result};

/// What to do with alerts.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How everything stands that alerts watch, the latest change first.
    List {
        /// In this state: ok, pending, firing, acknowledged, no_data, ended.
        #[arg(long)]
        state: Option<String>,
    },
    /// Judge all alerts at the newest snapshot, and send what follows; what else is due is done with it.
    Check,
}

pub(super) async fn run(place: &Place, arguments: Arguments) -> Result<()> {
    let app = App::open(&place.project, &place.state).await?;
    let (catalog, scheduler) = (&app.services.catalog, &app.services.scheduler);
    match arguments.what {
        What::List { state } => {
            let states: Vec<&str> = state.as_deref().into_iter().collect();
            for row in catalog.alerts(&AlertFilter { states: &states, ..AlertFilter::default() }).await? {
                let value = row.value.as_deref().unwrap_or("-");
                say(&format!(
                    "{}\t{}/{}\t{}\t{}\t{}\t{value}\t{}",
                    row.id, row.report, row.alert, row.scope, row.member, row.state, row.since
                ));
            }
        }
        What::Check => {
            scheduler.plan_alerts().await?;
            let mut failed = None;
            while let Some((run, published)) = scheduler.run_next().await? {
                say(&format!("run {} of {}: {}", run.id, run.schedule, published.message));
                let after = catalog.run(run.id).await?;
                if let Some(after) = after.filter(|after| !matches!(after.state.as_str(), "succeeded" | "ready")) {
                    failed = Some(format!("run {} is {}: {}", after.id, after.state, after.message));
                }
            }
            while scheduler.deliver_next().await? {}
            catalog.settle().await?;
            if let Some(message) = failed {
                return Err(Error::new(Code::Limit, message));
            }
        }
    }
    Ok(())
}
