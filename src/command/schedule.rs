//! `countinghouse schedule list|explain|run|backfill|pause|resume|runs|retry`

use clap::{Args, Subcommand};
use jiff::civil::Date;
use serde_json::json;

use super::{Place, say};
use crate::app::App;
use crate::catalog::operator;
use crate::error::{Code, Error, Result};
use crate::locale::Lang;

/// What to do with schedules.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All schedules, and what each does next.
    List,
    /// What a schedule does next, and why: firings, what is missing, recipients, cost.
    Explain {
        /// Name, as report/id.
        name: String,
        /// How many firings.
        #[arg(long, default_value_t = 5)]
        next: usize,
        /// zh-CN or en.
        #[arg(long, default_value = "en")]
        lang: String,
    },
    /// Publish now, for the newest closed period or the one that ends on a day, and send what follows.
    Run {
        /// Name, as report/id.
        name: String,
        /// Last day of the period, as 2025-11-30.
        #[arg(long, value_name = "DATE")]
        as_of: Option<Date>,
        /// Also when branches are missing.
        #[arg(long)]
        partial: bool,
    },
    /// Publish for periods of the past, one run each; what is there already and has not changed makes nothing.
    Backfill {
        /// Name, as report/id.
        name: String,
        /// Last days of the periods, as 2025-10-31.
        #[arg(required = true, value_name = "DATE")]
        days: Vec<Date>,
    },
    /// Fire no more until it is resumed.
    Pause {
        /// Name, as report/id.
        name: String,
        /// Why, for those who wonder.
        #[arg(long)]
        reason: String,
    },
    /// Fire again.
    Resume {
        /// Name, as report/id.
        name: String,
    },
    /// The latest runs.
    Runs {
        /// Of this schedule.
        name: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Start a run again that failed, died or is held; its gates are asked again. What a gate holds is released on its page.
    Retry {
        /// Number of the run.
        run: i64,
        /// Why; it stands in the run's record.
        #[arg(long)]
        reason: String,
    },
}

pub(super) async fn run(place: &Place, arguments: Arguments) -> Result<()> {
    let app = App::open(&place.project, &place.state).await?;
    let services = &app.services;
    let (scheduler, catalog) = (&services.scheduler, &services.catalog);
    match arguments.what {
        What::List => {
            for name in scheduler.names() {
                say(scheduler.explain(name, Lang::En, 1).await?.trim_end());
            }
        }
        What::Explain { name, next, lang } => {
            let lang = Lang::parse(&lang)
                .ok_or_else(|| Error::new(Code::BadRequest, format!("`{lang}` is not one of zh-CN, en")))?;
            say(scheduler.explain(&name, lang, next).await?.trim_end());
        }
        What::Run { name, as_of, partial } => {
            scheduler.plan_by_hand(&name, as_of, "hand", &operator(), partial).await?;
            record(&app, json!({"do": "run", "schedule": name, "partial": partial})).await?;
            work(&app).await?;
        }
        What::Backfill { name, days } => {
            for day in days {
                let run = scheduler.plan_by_hand(&name, Some(day), "backfill", &operator(), false).await?;
                let as_of = day.to_string();
                record(&app, json!({"do": "backfill", "schedule": name, "as_of": as_of, "run": run})).await?;
            }
            work(&app).await?;
        }
        What::Pause { name, reason } => {
            services.publisher.schedule(&name)?;
            catalog.pause_schedule(&name, Some((&operator(), &reason))).await?;
            record(&app, json!({"do": "pause", "schedule": name, "reason": reason})).await?;
            say(&format!("paused {name}"));
        }
        What::Resume { name } => {
            services.publisher.schedule(&name)?;
            catalog.pause_schedule(&name, None).await?;
            record(&app, json!({"do": "resume", "schedule": name})).await?;
            say(&format!("resumed {name}"));
        }
        What::Runs { name, limit } => {
            for run in catalog.runs(name.as_deref(), limit).await? {
                say(&format!(
                    "{}\t{}\t{}\t{}\t{}\t{}",
                    run.id, run.schedule, run.logical, run.cause, run.state, run.message
                ));
            }
        }
        What::Retry { run, reason } => {
            if !catalog.retry_run(run, &operator(), &reason).await? {
                let message = format!("there is no run {run} that failed, died or is held");
                return Err(Error::new(Code::NoSuchObject, message));
            }
            work(&app).await?;
        }
    }
    Ok(())
}

/// Who did what to schedules, in the audit log.
async fn record(app: &App, detail: serde_json::Value) -> Result<()> {
    app.services.catalog.audit("schedule", &operator(), detail).await
}

/// Does what is due: runs, then deliveries.
async fn work(app: &App) -> Result<()> {
    let scheduler = &app.services.scheduler;
    let mut failed = None;
    while let Some((run, published)) = scheduler.run_next().await? {
        say(&format!("run {} of {}: {}", run.id, run.schedule, published.message));
        let after = app.services.catalog.run(run.id).await?;
        if let Some(after) = after.filter(|after| !matches!(after.state.as_str(), "succeeded" | "ready")) {
            failed = Some(format!("run {} is {}: {}", after.id, after.state, after.message));
        }
    }
    while scheduler.deliver_next().await? {}
    for delivery in app.services.catalog.deliveries(None, 1000).await? {
        tracing::info!(key = delivery.key, state = delivery.state, "{}", delivery.answer);
    }
    app.services.catalog.settle().await?;
    match failed {
        Some(message) => Err(Error::new(Code::Limit, message)),
        None => Ok(()),
    }
}
