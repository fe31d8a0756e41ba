//! The command line.
//!
//! One file per command. A command reads its arguments, opens an [`App`](crate::app::App) where it needs one, and prints;
//! what it does stands elsewhere. Exit codes: 0 good, 1 the user's data or definitions are wrong, 2 usage, 3 internal.

mod alert;
mod audit;
mod check;
mod delivery;
mod demo;
mod describe;
mod edition;
mod evaluation;
mod load;
mod progress;
mod query;
mod refresh;
mod render;
mod report;
mod sample;
mod schedule;
mod serve;
mod statement;
mod token;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::{Code, Error, Fault, Result};

/// OLAP reporting and decision support for a bank's customer relationship management.
#[derive(Debug, Parser)]
#[command(name = "countinghouse", version, about, propagate_version = true)]
struct Arguments {
    /// Folder with countinghouse.yaml, cubes/ and reports/.
    #[arg(long, global = true, env = "COUNTINGHOUSE_PROJECT", default_value = ".", value_name = "DIR")]
    project: PathBuf,
    /// Folder for what the server writes: catalog database and warehouse.
    #[arg(long, global = true, env = "COUNTINGHOUSE_STATE", value_name = "DIR")]
    state: Option<PathBuf>,
    /// What is logged to standard error: error, warn, info, debug, or per module as `countinghouse::ingest=debug`.
    #[arg(long, global = true, env = "COUNTINGHOUSE_LOG", default_value = "warn", value_name = "FILTER")]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole main job on the sample bank: load, create logins, serve.
    Demo(demo::Arguments),
    /// Serve a project.
    Serve(serve::Arguments),
    /// Write a synthetic bank's feeds and its planted truth.
    Sample(sample::Arguments),
    /// Load numbered batches; loading one again changes nothing and says so.
    Load(load::Arguments),
    /// Bring what is derived from the facts up to the newest snapshot.
    Refresh(refresh::Arguments),
    /// Run one statement with a user's rights.
    Query(query::Arguments),
    /// Validate all definitions; prints every fault with file:line:column.
    Check,
    /// Documentation and JSON Schemas from the code itself.
    Describe(describe::Arguments),
    /// Run reports.
    Report(report::Arguments),
    /// Scheduled publication: what runs when and why, run now, pause, backfill.
    Schedule(schedule::Arguments),
    /// Published editions.
    Edition(edition::Arguments),
    /// Records of the evaluation: export, template, import, measure, play.
    Evaluation(evaluation::Arguments),
    /// Check an edition against its hashes, also offline.
    Verify(edition::Verify),
    /// What was sent to whom.
    Delivery(delivery::Arguments),
    /// Figures that crossed a threshold: list, check now.
    Alert(alert::Arguments),
    /// Draw one document; the server starts this.
    #[command(hide = true)]
    Render,
    /// Users: add, list, change, password, disable, enable.
    User(user::Arguments),
    /// Tokens: create, list, revoke.
    Token(token::Arguments),
    /// Statements that run: list, stop.
    Statement(statement::Arguments),
    /// The audit log: verify, list, export.
    Audit(audit::Arguments),
}

/// Where the project and its state are.
#[derive(Debug, Clone)]
struct Place {
    project: PathBuf,
    state: PathBuf,
}

/// Runs the command line and gives the exit code.
pub fn run() -> ExitCode {
    #[cfg(feature = "failpoints")]
    let _faults = fail::FailScenario::setup(); // those that a test names in the environment
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_new(&arguments.log);
    let Ok(filter) = filter else {
        return finish(Err(Error::new(Code::BadRequest, format!("`{}` is not a log filter", arguments.log))));
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let place = Place {
        state: arguments.state.unwrap_or_else(|| arguments.project.join(".countinghouse")),
        project: arguments.project,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(8 << 20).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return finish(Err(Error::internal("cannot start", error))),
    };
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Demo(arguments) => Box::pin(demo::run(&place, arguments)).await,
            Command::Serve(arguments) => Box::pin(serve::run(&place, arguments)).await,
            Command::Sample(arguments) => sample::run(arguments),
            Command::Load(arguments) => Box::pin(load::run(&place, arguments)).await,
            Command::Refresh(arguments) => Box::pin(refresh::run(&place, arguments)).await,
            Command::Query(arguments) => Box::pin(query::run(&place, arguments)).await,
            Command::Check => check::run(&place),
            Command::Describe(arguments) => describe::run(&place, arguments),
            Command::Report(arguments) => Box::pin(report::run(&place, arguments)).await,
            Command::Schedule(arguments) => Box::pin(schedule::run(&place, arguments)).await,
            Command::Edition(arguments) => Box::pin(edition::run(&place, arguments)).await,
            Command::Evaluation(arguments) => Box::pin(evaluation::run(&place, arguments)).await,
            Command::Verify(arguments) => Box::pin(edition::verify(&place, arguments)).await,
            Command::Delivery(arguments) => Box::pin(delivery::run(&place, arguments)).await,
            Command::Alert(arguments) => Box::pin(alert::run(&place, arguments)).await,
            Command::Render => render::run(),
            Command::User(arguments) => Box::pin(user::run(&place, arguments)).await,
            Command::Token(arguments) => Box::pin(token::run(&place, arguments)).await,
            Command::Statement(arguments) => Box::pin(statement::run(&place, arguments)).await,
            Command::Audit(arguments) => Box::pin(audit::run(&place, arguments)).await,
        }
    });
    // A statement that hangs in a blocking call must not keep the process alive.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    finish(result)
}

fn finish(result: Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let diagnostics = error.diagnostics();
    if diagnostics.is_empty() {
        say_error(&format!("error: {} [{}]", error.message(), error.code().as_str()));
    }
    for diagnostic in diagnostics {
        say_error(&format!("error: {diagnostic}"));
    }
    if let Some(cause) = error.cause().filter(|_| error.code().fault() == Fault::Internal) {
        say_error(&format!("cause: {cause}"));
    }
    match error.code().fault() {
        Fault::Internal => ExitCode::from(3),
        _ => ExitCode::from(1),
    }
}

/// Prints a line of the command's result. A reader that has gone (`| head`) ends the output, not the program.
fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a line for the person in front of the terminal.
fn say_error(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}
