//! What every report of the sample project says on the sample data, as it was accepted: `reports/*/expected/` holds the rows of
//! each dataset as CSV, with the words of the default language, and the page as text in each language. And that the rows are
//! the same when no rollup answers.
//!
//! `UPDATE=1 cargo test --test it -- expected::` writes what is said now; review the difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use countinghouse::app::App;
use countinghouse::auth::{Principal, Scope};
use countinghouse::locale::Lang;
use countinghouse::model::report::Report;
use countinghouse::query::{Face, ResultCache, Rollups, Statement};
use countinghouse::report::document::{Block, Kpi, Prose, Table};
use countinghouse::report::format::csv;
use countinghouse::report::parameter::{self, Resolved};
use countinghouse::report::value::Value;
use countinghouse::report::{self, Ask, Document};
use jiff::Timestamp;

use super::bank::{copy_of_state, project};
use super::server::run;

/// Months of KPIs that are measured, as the demo does it.
const MEASURED: [&str; 2] = ["2025-01", "2025-12"];

/// When the first record was written, as far as reports see. The others follow second by second.
const RECORDED_AT: &str = "2026-01-15T00:00:00Z";

fn reader() -> Principal {
    Principal::new("executive", ["reader".to_owned()].into(), Scope::HeadOffice)
}

/// The sample bank with what it has recorded of its programme.
async fn recorded() -> tempfile::TempDir {
    let state = copy_of_state();
    let files = ["maturity", "roi", "outcome", "project"]
        .map(|name| project().join(format!("sample_data/evaluation/{name}.json")).to_str().unwrap().to_owned());
    let play: Vec<&str> = ["evaluation", "play"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let measure = ["evaluation", "measure", "--from", MEASURED[0], "--to", MEASURED[1]];
    for arguments in [&play[..], &measure] {
        let done = run(project(), state.path(), arguments);
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
    on_one_day(state.path()).await;
    state
}

/// Moves all records to one day, in their order: what is earned of a project counts to the day of its last change, and that is
/// the day of the test otherwise.
async fn on_one_day(state: &Path) {
    let first: Timestamp = RECORDED_AT.parse().unwrap();
    let catalog = sqlx::SqlitePool::connect(&format!("sqlite://{}", state.join("catalog.db").display())).await.unwrap();
    // A server never changes a record.
    sqlx::query("DROP TRIGGER record_stays").execute(&catalog).await.unwrap();
    let moved = sqlx::query("UPDATE record SET recorded_at = ? + seq * 1000000").bind(first.as_microsecond());
    assert!(moved.execute(&catalog).await.unwrap().rows_affected() > 0);
    catalog.close().await;
}

async fn document(app: &App, report: &Report, lang: Lang, scope: &str) -> Document {
    let (parameters, principal) = (BTreeMap::new(), reader());
    let ask = Ask {
        parameters: &parameters,
        principal: &principal,
        scope: Some(scope),
        lang: lang.tag(),
        head: None,
        reports: &app.services.reports,
        is_shared: false,
        at: Timestamp::UNIX_EPOCH,
    };
    let done = Box::pin(report::run(&app.services.door, report, &ask)).await;
    done.unwrap_or_else(|error| panic!("{} of {scope} in {}: {error:?}", *report.name, lang.tag()))
}

/// Files of `expected/` by name, as a report says them now in each language; the default one gives the rows.
fn said(documents: &[Document]) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for document in documents {
        if document.lang == Lang::default() {
            for dataset in &document.datasets {
                files.insert(format!("{}.csv", dataset.name), csv::text(dataset).replace("\r\n", "\n"));
            }
        }
        files.insert(format!("page.{}.txt", document.lang.tag()), page(document));
    }
    files
}

/// The words and figures of a page from top to bottom, without what differs between two runs.
fn page(document: &Document) -> String {
    let mut text = format!("{}\n{}\n{}\n", document.title, document.description, document.message);
    blocks(&document.blocks, &mut text);
    text
}

fn blocks(all: &[Block], text: &mut String) {
    for block in all {
        text.push('\n');
        match block {
            Block::Message(message) => writeln!(text, "{message}").unwrap(),
            Block::Row(inner) => blocks(inner, text),
            Block::Kpi(kpi) => figure(kpi, text),
            Block::Chart(chart) => {
                writeln!(text, "{}\n{}\n{}", chart.message, chart.title, chart.drawing.desc).unwrap();
            }
            Block::Table(table) => rows(table, text),
            Block::Text(parts) => {
                for part in parts {
                    match part {
                        Prose::Paragraph(paragraph) => writeln!(text, "{paragraph}").unwrap(),
                        Prose::List(items) => items.iter().for_each(|item| writeln!(text, "- {item}").unwrap()),
                    }
                }
            }
        }
    }
}

fn figure(kpi: &Kpi, text: &mut String) {
    writeln!(text, "{}: {} {}", kpi.title, kpi.value, kpi.unit).unwrap();
    if let Some((title, value)) = &kpi.beside {
        writeln!(text, "  {title}: {value}").unwrap();
    }
    for change in &kpi.changes {
        let percent = change.percent.as_deref().unwrap_or_default();
        writeln!(text, "  {}: {} {} {percent} {:?}", change.against, change.amount, change.unit, change.tone).unwrap();
    }
}

fn rows(table: &Table, text: &mut String) {
    let heads: Vec<_> = table.columns.iter().map(|column| format!("{} {}", column.label, column.unit)).collect();
    writeln!(text, "{}\n{}\n{}", table.message, table.title, heads.join(" | ")).unwrap();
    for row in &table.rows {
        let cells: Vec<&str> = row.cells.iter().map(|cell| cell.text.as_str()).collect();
        writeln!(text, "{}{}", if row.total { "= " } else { "" }, cells.join(" | ")).unwrap();
    }
}

/// Writes what is said now, and removes what nothing says any more.
fn accept(folder: &Path, said: &BTreeMap<String, String>) {
    std::fs::create_dir_all(folder).unwrap();
    for name in names(folder).iter().filter(|name| !said.contains_key(*name)) {
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    for (name, text) in said {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

fn names(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Where what is said is not what was accepted, a sentence for each file.
fn differences(folder: &Path, said: &BTreeMap<String, String>) -> Vec<String> {
    let place = |name: &str| {
        let path = folder.join(name);
        path.strip_prefix(project()).unwrap_or(&path).display().to_string()
    };
    let gone = names(folder).into_iter().filter(|name| !said.contains_key(name));
    let mut found: Vec<String> = gone.map(|name| format!("{}: nothing says this any more", place(&name))).collect();
    for (name, text) in said {
        match std::fs::read_to_string(folder.join(name)) {
            Ok(accepted) => found.extend(parting(&accepted, text).map(|line| format!("{}, {line}", place(name)))),
            Err(error) => found.push(format!("{}: {error}", place(name))),
        }
    }
    found
}

/// The first line where two texts part.
fn parting(accepted: &str, said: &str) -> Option<String> {
    let (mut old, mut new) = (accepted.lines(), said.lines());
    for number in 1.. {
        match (old.next(), new.next()) {
            (None, None) => break,
            (old, new) if old == new => {}
            (old, new) => {
                let [old, new] = [old, new].map(|line| line.unwrap_or("(no line)"));
                return Some(format!("line {number}\n  accepted: {old}\n  said:     {new}"));
            }
        }
    }
    None
}

/// Datasets of a document whose rows are others when facts alone answer, a sentence for each.
async fn unlike_facts(app: &App, report: &Report, document: &Document) -> Vec<String> {
    let scope = document.scope.value.as_str();
    let said = |name: &str, value: &str| Resolved { name: name.to_owned(), value: Value::Text(value.to_owned()) };
    let mut bound = document.evidence.parameters.clone();
    bound.extend([said("lang", document.lang.tag()), said("scope", scope)]);
    let mut found = Vec::new();
    for (asked, dataset) in report.datasets.iter().zip(&document.datasets) {
        let statement = Statement {
            parameters: parameter::bind(&asked.sql, &bound).unwrap(),
            schema: Some(scope.to_owned()),
            history: report.history,
            rollups: Rollups::Off,
            cache: ResultCache::Off,
            ..Statement::new(asked.sql.clone())
        };
        let answer = Box::pin(app.services.door.collect(&reader(), Face::Report, statement, 1_000_000)).await;
        let answer = answer.unwrap_or_else(|error| panic!("{}/{}: {error:?}", *report.name, *asked.file));
        let mut facts = Vec::new();
        for batch in &answer.batches {
            for row in 0..batch.num_rows() {
                let cells = batch.columns().iter().map(|column| Value::read(column, row).unwrap());
                facts.push(line(&cells.collect::<Vec<_>>()));
            }
        }
        let rolled: Vec<String> = dataset.rows.iter().map(|row| line(row)).collect();
        if let Some(place) = parting(&facts.join("\n"), &rolled.join("\n")) {
            let words = "facts are what is accepted, rollups what is said";
            found.push(format!("{}/{} of {scope}, {words}: {place}", *report.name, *asked.file));
        }
    }
    found
}

fn line(row: &[Value]) -> String {
    row.iter().map(Value::plain).collect::<Vec<_>>().join("|")
}

#[tokio::test]
async fn every_report_says_what_was_accepted_and_facts_say_the_same() {
    let state = recorded().await;
    let app = App::open(project(), state.path()).await.unwrap();
    assert!(app.report_faults.is_empty(), "{:?}", app.report_faults);
    assert!(app.services.reports.len() >= 12, "{}", app.services.reports.len());
    let update = std::env::var_os("UPDATE").is_some();
    let mut found = Vec::new();
    for report in app.services.reports.iter() {
        let mut documents = Vec::new();
        for lang in Lang::ALL {
            documents.push(document(&app, report, lang, "head_office").await);
        }
        let folder = project().join("reports").join(report.name.as_str()).join("expected");
        let said = said(&documents);
        if update {
            accept(&folder, &said);
        }
        found.extend(differences(&folder, &said));
        // Records have no rollups.
        if report.cubes.iter().any(|cube| **cube != "evaluation") {
            found.extend(Box::pin(unlike_facts(&app, report, &documents[0])).await);
        }
    }
    assert!(found.is_empty(), "{} differences; `UPDATE=1` accepts them:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_difference_is_told_by_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let said = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    };
    let first = said(&[("a.csv", "n\n1\n2\n"), ("b.csv", "n\n")]);
    assert_eq!(differences(folder.path(), &first).len(), 2, "nothing is accepted yet");
    accept(folder.path(), &first);
    assert!(differences(folder.path(), &first).is_empty());
    let second = said(&[("a.csv", "n\n1\n3\n")]);
    let found = differences(folder.path(), &second);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].ends_with("b.csv: nothing says this any more"), "{found:?}");
    assert!(found[1].ends_with("a.csv, line 3\n  accepted: 2\n  said:     3"), "{found:?}");
    assert_eq!(parting("n\n1\n", "n\n").unwrap(), "line 2\n  accepted: 1\n  said:     (no line)");
    accept(folder.path(), &second);
    assert_eq!(names(folder.path()), BTreeSet::from(["a.csv".to_owned()]));
}
