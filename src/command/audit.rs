//! `countinghouse audit verify|list|export`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{Place, say};
use crate::app::App;
use crate::catalog::{AuditFilter, Link, Verified, verify_audit_file};
use crate::error::{Code, Error, Result};

/// What to do with the audit log.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check every record against its hash and its place; names the first that was changed, is missing or stands elsewhere.
    Verify {
        /// A place that was noted before, as `verify` prints it: it must still be in the log.
        #[arg(long, value_name = "NUMBER:HASH")]
        noted: Option<String>,
        /// Check this file of `export` instead.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Records as lines of JSON, newest first.
    List {
        /// Of this user.
        #[arg(long)]
        user: Option<String>,
        /// With this action, as `statement` or `login_failed`.
        #[arg(long)]
        action: Option<String>,
        /// From this time on, as 2026-01-31T08:00:00Z.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: i64,
    },
    /// Check the log and write all of it to a new file, for a place that this machine cannot change.
    Export {
        /// The file.
        file: PathBuf,
    },
}

pub(super) async fn run(place: &Place, arguments: Arguments) -> Result<()> {
    let noted = |noted: Option<String>| noted.map(|noted| noted.parse::<Link>()).transpose();
    if let What::Verify { noted: place, file: Some(file) } = arguments.what {
        tell(&verify_audit_file(&file, noted(place)?.as_ref())?);
        return Ok(());
    }
    let app = App::open(&place.project, &place.state).await?;
    let catalog = &app.services.catalog;
    match arguments.what {
        What::Verify { noted: place, .. } => tell(&catalog.verify_audit(noted(place)?.as_ref()).await?),
        What::List { user, action, since, limit } => {
            let since = since.map(|text| {
                let wrong = |_| Error::new(Code::BadRequest, format!("`{text}` is no time, as 2026-01-31T08:00:00Z"));
                text.parse::<Timestamp>().map_err(wrong)
            });
            let (since, limit) = (since.transpose()?, Some(limit.max(0)));
            let filter = AuditFilter { principal: user, action, since, limit, before: None };
            for row in catalog.audit_rows(&filter).await? {
                say(&row.to_json().to_string());
            }
        }
        What::Export { file } => tell(&catalog.export_audit(&file).await?),
    }
    Ok(())
}

fn tell(verified: &Verified) {
    let Verified { records, after, last } = verified;
    let from =
        if after.sequence > 0 { format!(" after {}, which were dropped", after.sequence) } else { String::new() };
    say(&format!("{records} records{from}: the audit log holds"));
    say(&format!("note this elsewhere: {last}"));
}
