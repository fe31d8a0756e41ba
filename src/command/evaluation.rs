//! `countinghouse evaluation export|template|import|measure|play`

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde::Deserialize;
use serde_json::Value;

use super::{Place, say};
use crate::app::App;
use crate::auth::{Principal, Scope};
use crate::catalog::operator;
use crate::error::{Code, Error, Result};
use crate::evaluation::exchange::{self, Import};
use crate::evaluation::outcome::{self, Period};
use crate::evaluation::{ASSESSOR, Evaluation, HEAD_OFFICE, REVIEWER, TABLES, Table, maturity, roi};

/// What to do with the records of the evaluation.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write a table of the schema `evaluation`, or all of them, to a file.
    Export {
        /// Name of the table, as `roi_cash`.
        #[arg(long, value_name = "NAME", required_unless_present = "all", conflicts_with = "all")]
        table: Option<String>,
        /// Every table, a sheet each.
        #[arg(long)]
        all: bool,
        /// How it is written; all tables go into XLSX alone.
        #[arg(long, value_enum, default_value_t = Format::Xlsx)]
        format: Format,
        /// File to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Whose rights it is read with; head office's unless given.
        #[arg(long = "as", value_name = "USER")]
        user: Option<String>,
    },
    /// Write a workbook to be filled in and imported, with what stands there now.
    Template {
        /// answers, cash or targets.
        #[arg(value_parser = imported)]
        what: Import,
        /// The assessment, the case, or the organisation of the targets.
        #[arg(long, value_name = "ID")]
        into: String,
        /// File to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Whose rights it is read with.
        #[arg(long = "as", value_name = "USER")]
        user: String,
    },
    /// Take in answers, cash flows or targets from XLSX or CSV: all of them or none.
    Import {
        /// answers, cash or targets.
        #[arg(value_parser = imported)]
        what: Import,
        /// The assessment, the case, or the organisation of targets whose rows name none.
        #[arg(long, value_name = "ID")]
        into: String,
        /// File to read.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// Whose rights it is written with, and whose name stands in the records.
        #[arg(long = "as", value_name = "USER")]
        user: String,
        /// Why; it stands in the history.
        #[arg(long)]
        reason: String,
    },
    /// Measure the KPIs that have a statement, and keep the values that changed.
    Measure {
        /// First period, as 2026-01.
        #[arg(long, value_name = "PERIOD", value_parser = period_of)]
        from: Period,
        /// Last period, as 2026-06.
        #[arg(long, value_name = "PERIOD", value_parser = period_of)]
        to: Period,
    },
    /// Take the steps of files, each a list in JSON; what was taken already is passed over.
    Play {
        /// The files, in order.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// RFC 4180.
    Csv,
    /// A workbook.
    Xlsx,
}

/// What may be imported, by its name.
fn imported(text: &str) -> Result<Import, String> {
    let names = || Import::ALL.map(Import::as_str).join(", ");
    Import::parse(text).ok_or_else(|| format!("write one of {}", names()))
}

fn period_of(text: &str) -> Result<Period, String> {
    Period::parse(text).ok_or_else(|| "write a month as 2026-06, a quarter as 2026-q2 or a year as 2026".to_owned())
}

pub(super) async fn run(place: &Place, arguments: Arguments) -> Result<()> {
    let app = App::open(&place.project, &place.state).await?;
    let done = answer(&app, arguments.what).await;
    done.and(app.services.catalog.settle().await)
}

async fn answer(app: &App, what: What) -> Result<()> {
    let (auth, evaluation) = (&app.services.auth, &app.services.evaluation);
    match what {
        What::Export { table, format, out, user, .. } => {
            let principal = match user {
                Some(user) => auth.principal(&user).await?,
                None => reviewer(),
            };
            let view = evaluation.view(&principal).await?;
            let tables = tables(table.as_deref())?;
            let bytes = match (format, tables.as_slice()) {
                (Format::Csv, [table]) => exchange::csv(table, &view)?,
                (Format::Csv, _) => {
                    return Err(Error::new(Code::BadRequest, "a file of CSV holds one table: name it with `--table`"));
                }
                (Format::Xlsx, tables) => exchange::xlsx(tables, &view)?,
            };
            write(&out, &bytes)?;
        }
        What::Template { what, into, out, user } => {
            let view = evaluation.view(&auth.principal(&user).await?).await?;
            write(&out, &exchange::template(what, &view, &into)?)?;
        }
        What::Import { what, into, file, user, reason } => {
            let principal = auth.principal(&user).await?;
            let sheet = exchange::read(&bytes(&file)?)?;
            let records = exchange::import(evaluation, &principal, what, &into, &sheet, &reason).await?;
            say(&format!("wrote {records} records"));
        }
        What::Measure { from, to } => {
            let measured = outcome::measure(evaluation, &reviewer(), from.start(), to.end()).await?;
            say(&format!("measured: {} records changed", measured.len()));
        }
        What::Play { files } => say(&format!("took {} steps", play(app, &files).await?)),
    }
    Ok(())
}

/// Whoever runs the command line, as a reviewer of head office.
fn reviewer() -> Principal {
    Principal::new(operator(), BTreeSet::from([REVIEWER.to_owned()]), Scope::HeadOffice)
}

/// The table of a name; without one all but `record`, whose documents stand field by field in the others and may be longer than
/// a cell.
fn tables(name: Option<&str>) -> Result<Vec<&'static Table>> {
    let all = TABLES.iter().copied().flatten();
    let Some(name) = name else { return Ok(all.filter(|table| table.name != "record").collect()) };
    let found: Vec<&Table> = all.filter(|table| table.name == name).collect();
    match found.is_empty() {
        true => Err(Error::new(Code::NoSuchObject, format!("there is no table `evaluation.{name}`"))),
        false => Ok(found),
    }
}

fn bytes(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).map_err(|error| {
        Error::new(Code::NoSuchObject, format!("`{}` cannot be read", file.display())).caused_by(error)
    })
}

fn write(out: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(out, bytes).map_err(|error| Error::internal(format!("cannot write `{}`", out.display()), error))?;
    say(&format!("wrote {} bytes to {}", bytes.len(), out.display()));
    Ok(())
}

/// Measures the KPIs of so many months, the last one that of a day (days since 1970-01-01).
pub(super) async fn measure_months(app: &App, as_of: i32, months: i32) -> Result<()> {
    use jiff::ToSpan;
    let wrong = |error| Error::internal("a day is out of range", error);
    let day = jiff::civil::date(1970, 1, 1).checked_add(as_of.days()).map_err(wrong)?;
    let from = day.first_of_month().checked_sub((months - 1).months()).map_err(wrong)?;
    outcome::measure(&app.services.evaluation, &reviewer(), from, day.last_of_month()).await?;
    Ok(())
}

/// A step: somebody writes a document, or takes a step in a record's life.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Whose name stands in the record.
    by: String,
    /// The branch that they see alone; the whole bank unless given.
    #[serde(default)]
    organisation: Option<String>,
    #[serde(default)]
    put: Option<Put>,
    #[serde(default)]
    act: Option<Act>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    kind: String,
    id: String,
    body: Value,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    kind: String,
    id: String,
    action: String,
    #[serde(default)]
    reason: String,
}

/// Actions that give another record than the one they name a new version.
const COMPUTING: [(&str, &str); 2] = [(maturity::ASSESSMENT, "measure"), (roi::CASE, "compute")];

/// Takes the steps of files, in order, and gives how many it took. The n-th step that gives a record a version is passed over
/// where the record has that version already: whoever plays twice changes nothing, and whoever was interrupted goes on.
///
/// # Errors
/// A file that is no list of steps; the first step that is refused, by file and number. Those before it stand.
pub(super) async fn play(app: &App, files: &[PathBuf]) -> Result<usize> {
    let standing = app.services.catalog.records().await?;
    let standing = standing.into_iter().map(|row| ((row.kind, row.id), row.version)).collect();
    let evaluation = &app.services.evaluation;
    let mut player = Player { evaluation, standing, given: BTreeMap::new(), waiting: None, taken: 0 };
    for file in files {
        let wrong = |error: serde_json::Error| {
            Error::new(Code::BadRequest, format!("`{}` is no list of steps: {error}", file.display()))
        };
        let steps: Vec<Step> = serde_json::from_slice(&bytes(file)?).map_err(wrong)?;
        let mut number = 0;
        let mut done = Ok(());
        for step in steps {
            number += 1;
            done = player.step(step).await;
            if done.is_err() {
                break;
            }
        }
        if done.is_ok() {
            done = player.flush().await;
        }
        done.map_err(|error| {
            let text = format!("{}, step {number} or just before: {}", file.display(), error.message());
            Error::new(error.code(), text).caused_by(error)
        })?;
    }
    Ok(player.taken)
}

/// Documents of one kind that one writer writes at once, so that not each of them reads all records anew.
struct Batch {
    by: Principal,
    kind: String,
    reason: String,
    documents: Vec<(String, u32, Value)>,
}

struct Player<'a> {
    evaluation: &'a Evaluation,
    /// Versions of all records, by kind and id.
    standing: BTreeMap<(String, String), u32>,
    /// Versions that the steps so far give them.
    given: BTreeMap<(String, String), u32>,
    waiting: Option<Batch>,
    taken: usize,
}

impl Player<'_> {
    async fn step(&mut self, step: Step) -> Result<()> {
        let scope = match step.organisation.as_deref() {
            None | Some(HEAD_OFFICE) => Scope::HeadOffice,
            Some(branch) => Scope::Branches(BTreeSet::from([branch.to_owned()])),
        };
        let by = Principal::new(step.by, [ASSESSOR, REVIEWER].map(str::to_owned).into(), scope);
        match (step.put, step.act) {
            (Some(put), None) => self.put(by, put).await,
            (None, Some(act)) => self.act(&by, act).await,
            _ => Err(Error::new(Code::BadRequest, "a step has either `put` or `act`")),
        }
    }

    /// Whether a step that gives a record a version is still to be taken, and the version before it.
    fn next(&mut self, kind: &str, id: &str) -> Option<u32> {
        let key = (kind.to_owned(), id.to_owned());
        let standing = self.standing.get(&key).copied().unwrap_or_default();
        let given = self.given.entry(key).or_default();
        *given += 1;
        (standing < *given).then_some(standing)
    }

    async fn put(&mut self, by: Principal, Put { kind, id, body, reason }: Put) -> Result<()> {
        let Some(after) = self.next(&kind, &id) else { return Ok(()) };
        let fits = self.waiting.as_ref().is_some_and(|batch| {
            let is_same = batch.by == by && batch.kind == kind && batch.reason == reason;
            is_same && batch.documents.iter().all(|(known, ..)| *known != id)
        });
        if !fits {
            self.flush().await?;
        }
        let batch = self.waiting.get_or_insert_with(|| Batch { by, kind, reason, documents: Vec::new() });
        batch.documents.push((id.clone(), after, body));
        self.standing.insert((batch.kind.clone(), id), after + 1);
        Ok(())
    }

    async fn act(&mut self, by: &Principal, Act { kind, id, action, reason }: Act) -> Result<()> {
        self.flush().await?;
        let key = (kind.clone(), id.clone());
        let standing = self.standing.get(&key).copied().unwrap_or_default();
        if COMPUTING.contains(&(kind.as_str(), action.as_str())) {
            // What was computed before a later step stands.
            if standing > self.given.get(&key).copied().unwrap_or_default() {
                return Ok(());
            }
            self.evaluation.act(by, &kind, &id, standing, &action, &reason).await?;
        } else {
            let Some(after) = self.next(&kind, &id) else { return Ok(()) };
            let row = self.evaluation.act(by, &kind, &id, after, &action, &reason).await?;
            self.standing.insert(key, row.version);
        }
        self.taken += 1;
        Ok(())
    }

    /// Writes the documents that wait.
    async fn flush(&mut self) -> Result<()> {
        let Some(Batch { by, kind, reason, documents }) = self.waiting.take() else { return Ok(()) };
        let documents = documents.into_iter().map(|(id, after, body)| (kind.as_str(), id, after, body));
        self.taken += self.evaluation.put_all(&by, documents.collect(), &reason).await?.len();
        Ok(())
    }
}
