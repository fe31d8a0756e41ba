//! `countinghouse delivery list|resend`

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Place, say};
use crate::app::App;
use crate::catalog::operator;
use crate::error::{Code, Error, Result};

/// What to do with deliveries.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The ledger, the latest change first.
    List {
        /// In this state: rendered, handed_over, accepted, unknown, failed, refused.
        #[arg(long)]
        state: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Send again what failed, was refused or is unknown.
    Resend {
        /// Key of the delivery, as `list` prints it.
        key: String,
        /// Why; it stands in the ledger.
        #[arg(long)]
        reason: String,
    },
}

pub(super) async fn run(place: &Place, arguments: Arguments) -> Result<()> {
    let app = App::open(&place.project, &place.state).await?;
    let catalog = &app.services.catalog;
    match arguments.what {
        What::List { state, limit } => {
            for row in catalog.deliveries(state.as_deref(), limit).await? {
                say(&format!(
                    "{}\t{}\t{}\t{}\t{} tries\t{}",
                    row.key, row.channel, row.recipient, row.state, row.tries, row.answer
                ));
            }
        }
        What::Resend { key, reason } => {
            if !catalog.resend_delivery(&key, &format!("{}: {reason}", operator())).await? {
                let message = format!("there is no delivery `{key}` that failed, was refused or is unknown");
                return Err(Error::new(Code::NoSuchObject, message));
            }
            catalog.audit("resend", &operator(), json!({"delivery": key, "reason": reason})).await?;
            while app.services.scheduler.deliver_next().await? {}
            catalog.settle().await?;
        }
    }
    Ok(())
}
