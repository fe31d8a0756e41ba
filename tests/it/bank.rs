//! The sample bank, loaded once for a test binary.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use countinghouse::app::App;
use countinghouse::auth::{Principal, Scope};
use countinghouse::error::{Error, Result};
use countinghouse::query::{Collected, Face, Statement};

/// The project of the sample bank: this repository.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A state with both batches of the committed feed and fresh rollups, shared by all tests that only read it.
pub(crate) fn state() -> &'static Path {
    static STATE: OnceLock<PathBuf> = OnceLock::new();
    STATE.get_or_init(|| {
        let state = folder("bank");
        copy(loaded(), &state);
        state
    })
}

/// What the loader left. Nobody opens it: files of a database in use come and go, and a copy of them is worth nothing.
fn loaded() -> &'static Path {
    static LOADED: OnceLock<PathBuf> = OnceLock::new();
    LOADED.get_or_init(|| {
        let state = folder("loaded");
        // Processes of their own: when they have ended, every file is closed.
        let feeds = ["batch-0001", "batch-0002"];
        let feeds = feeds.map(|batch| project().join("sample_data").join(batch).join("feed.yaml"));
        for (command, arguments) in [("load", &feeds[..]), ("refresh", &[])] {
            let mut run = Command::new(env!("CARGO_BIN_EXE_countinghouse"));
            run.arg(command).arg("--project").arg(project()).arg("--state").arg(&state).args(["--log", "error"]);
            let done = run.args(arguments).output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
        state
    })
}

/// An empty folder that this test binary has for itself.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", env!("CARGO_CRATE_NAME")));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The application over the shared state.
pub(crate) async fn app() -> App {
    App::open(project(), state()).await.unwrap()
}

/// A copy of the loaded state, for a test that damages or extends it.
pub(crate) fn copy_of_state() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(loaded(), folder.path());
    folder
}

/// Copies a folder with all below it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// An analyst of the whole bank.
pub(crate) fn head_office() -> Principal {
    principal("head_office", Scope::HeadOffice)
}

/// An analyst of one branch.
pub(crate) fn branch(key: &str) -> Principal {
    principal(key, Scope::Branches([key.to_owned()].into()))
}

fn principal(name: &str, scope: Scope) -> Principal {
    Principal::new(name, ["analyst".to_owned()].into(), scope)
}

/// Runs a statement and gives all its rows.
pub(crate) async fn ask(app: &App, who: &Principal, sql: &str) -> Result<Collected> {
    app.services.door.collect(who, Face::CommandLine, Statement::new(sql), 1_000_000).await
}

/// The rows of a statement as text, one value after the other joined by `|`; null is empty.
pub(crate) async fn rows(app: &App, who: &Principal, sql: &str) -> Vec<String> {
    text(&ask(app, who, sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}")))
}

/// The error of a statement that must fail.
pub(crate) async fn refusal(app: &App, who: &Principal, sql: &str) -> Error {
    match ask(app, who, sql).await {
        Ok(answer) => panic!("{sql} gave {} rows", answer.rows()),
        Err(error) => error,
    }
}

/// Rows as text.
pub(crate) fn text(answer: &Collected) -> Vec<String> {
    let options = FormatOptions::default();
    let mut lines = Vec::new();
    for batch in &answer.batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let values: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            lines.push(values.join("|"));
        }
    }
    lines
}
