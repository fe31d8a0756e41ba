//! Runs every `tests/sql/**/*.slt` over the sample bank, as an analyst of head office: once with rollups, once from facts
//! alone. What only holds with rollups stands under `onlyif rollups`.
//!
//! `UPDATE=1 cargo test --test slt` writes what the server says now into the files; review the difference.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "it/bank.rs"]
#[allow(dead_code, reason = "the other test binary uses the rest")]
mod bank;

use std::path::{Path, PathBuf};

use countinghouse::app::App;
use countinghouse::query::{Face, Rollups, Statement};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner, default_column_validator, default_normalizer};

/// One connection: statements through the door.
struct Connection(App, Rollups);

/// The label of the run with rollups, in test files.
const LABEL: &str = "rollups";

#[derive(Debug)]
struct Said(String);

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Said {}

#[async_trait::async_trait]
impl AsyncDB for Connection {
    type Error = Said;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Said> {
        let statement = Statement { rollups: self.1.clone(), ..Statement::new(sql) };
        let answer = self
            .0
            .services
            .door
            .collect(&bank::head_office(), Face::CommandLine, statement, 1_000_000)
            .await
            .map_err(|error| Said(format!("{} {}", error.code().as_str(), error.message())))?;
        let rows = bank::text(&answer)
            .into_iter()
            .map(|line| line.split('|').map(|cell| if cell.is_empty() { "NULL" } else { cell }.to_owned()).collect())
            .collect();
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any; answer.schema.fields().len()], rows })
    }

    async fn shutdown(&mut self) {}
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "slt") {
            found.push(path);
        }
    }
}

#[expect(clippy::print_stdout, reason = "a test runner of its own says what passed")]
fn main() {
    let mut found = Vec::new();
    files(&bank::project().join("tests/sql"), &mut found);
    found.sort();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(8 << 20)
        .enable_all()
        .build()
        .unwrap();
    let update = std::env::var_os("UPDATE").is_some();
    let (mut passed, mut failed) = (0, 0);
    let runs = [Rollups::On, Rollups::Off].into_iter().take(if update { 1 } else { 2 });
    for (rollups, file) in runs.flat_map(|rollups| found.iter().map(move |file| (rollups.clone(), file))) {
        let mut runner = Runner::new(|| {
            let rollups = rollups.clone();
            async { Ok(Connection(bank::app().await, rollups)) }
        });
        if rollups == Rollups::On {
            runner.add_label(LABEL);
        }
        let outcome = runtime.block_on(async {
            if update {
                let written = runner
                    .update_test_file(
                        file,
                        " ",
                        sqllogictest::default_validator,
                        default_normalizer,
                        default_column_validator,
                    )
                    .await;
                return written.map_err(|error| error.to_string());
            }
            runner.run_file_async(file).await.map_err(|error| error.to_string())
        });
        let name = file.strip_prefix(bank::project()).unwrap_or(file).display();
        match outcome {
            Ok(()) => {
                passed += 1;
                println!("test {name} rollups {rollups} ... ok");
            }
            Err(error) => {
                failed += 1;
                println!("test {name} rollups {rollups} ... FAILED\n{error}");
            }
        }
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out");
    std::process::exit(i32::from(failed > 0 || passed == 0));
}
