//! `countinghouse query SQL --as USER`

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use clap::{Args, ValueEnum};
use futures::StreamExt;

use super::Place;
use crate::app::App;
use crate::error::{Error, Result};
use crate::query::{Face, History, Statement};

/// A statement and whose rights it runs with.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// One query.
    sql: String,
    /// Whose rights it runs with.
    #[arg(long = "as", value_name = "USER")]
    user: String,
    /// How rows are written.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Say where the figures come from instead of giving them.
    #[arg(long)]
    explain: bool,
    /// Rollups that may answer: `on`, `off`, or the name of the only one.
    #[arg(long, value_name = "WORD", default_value = "on")]
    rollups: String,
    /// Versions of members: `as_is`, `as_was` or a date; each cube's default unless given.
    #[arg(long, value_name = "WORD")]
    history: Option<History>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// For reading.
    Table,
    /// RFC 4180.
    Csv,
    /// One object a line.
    Json,
    /// Arrow IPC stream.
    Arrow,
}

pub(super) async fn run(place: &Place, arguments: Arguments) -> Result<()> {
    let app = App::open(&place.project, &place.state).await?;
    let services = &app.services;
    let done = tokio::select! {
        done = answer(&app, arguments) => done,
        // Never ends: so that the statement can be stopped from elsewhere.
        () = services.door.watch(&services.auth) => Ok(()),
    };
    done.and(app.services.catalog.settle().await)
}

async fn answer(app: &App, arguments: Arguments) -> Result<()> {
    let principal = app.services.auth.principal(&arguments.user).await?;
    let sql = if arguments.explain { format!("EXPLAIN {}", arguments.sql) } else { arguments.sql };
    let statement =
        Statement { rollups: arguments.rollups.as_str().into(), history: arguments.history, ..Statement::new(sql) };
    let mut answer = app.services.door.query(&principal, Face::CommandLine, statement).await?;
    let broken = |error: arrow::error::ArrowError| Error::internal("cannot write the rows", error);
    let out = std::io::BufWriter::new(std::io::stdout().lock());
    match arguments.format {
        Format::Table => {
            let mut out = out;
            let mut batches: Vec<RecordBatch> = vec![RecordBatch::new_empty(std::sync::Arc::clone(&answer.schema))];
            while let Some(batch) = answer.rows.next().await {
                batches.push(batch?);
            }
            let text = pretty_format_batches(&batches).map_err(broken)?;
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            let note = format!("{rows} rows, snapshot {}", answer.snapshot_id);
            writeln!(out, "{text}\n{note}").map_err(|error| Error::internal("cannot write the rows", error))?;
        }
        Format::Csv => {
            let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(out);
            while let Some(batch) = answer.rows.next().await {
                writer.write(&batch?).map_err(broken)?;
            }
        }
        Format::Json => {
            let mut writer = arrow::json::LineDelimitedWriter::new(out);
            while let Some(batch) = answer.rows.next().await {
                writer.write(&batch?).map_err(broken)?;
            }
            writer.finish().map_err(broken)?;
        }
        Format::Arrow => {
            let mut writer = arrow::ipc::writer::StreamWriter::try_new(out, &answer.schema).map_err(broken)?;
            while let Some(batch) = answer.rows.next().await {
                writer.write(&batch?).map_err(broken)?;
            }
            writer.finish().map_err(broken)?;
        }
    }
    Ok(())
}
