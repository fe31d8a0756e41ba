//! The catalog database: the server's own records, in `STATE/catalog.db`.
//!
//! SQLite through `sqlx`, in write-ahead mode with `synchronous=FULL`: what a method acknowledged survives `kill -9` and power
//! loss. One connection writes, so that writes stand in one order; four read. No other module speaks SQL to this file, and no
//! statement of a principal can reach it. Rules (who may, what a password is) live in the modules above: here are rows.
//!
//! Several processes may open one catalog (a server and a command line); they are told apart by [`process`].

mod alerts;
mod audit;
mod batches;
mod deliveries;
mod editions;
mod favourites;
mod leases;
mod notices;
mod principals;
mod process;
mod publications;
mod queries;
mod records;
mod runs;
mod sessions;
mod snapshots;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row, Sqlite, Transaction};

use crate::clock::Clock;
use crate::error::{Code, Error, Result};

pub use alerts::{AlertEventRow, AlertFilter, AlertRow, AlertVerdict};
pub use audit::{AuditEvent, AuditFilter, AuditRow, Link, Verified, verify_audit_file};
pub use batches::{BatchKey, BatchRow};
pub use deliveries::{AttemptRow, DeliveryRow};
pub use editions::{EditionFilter, EditionRow};
pub use leases::Lease;
pub use notices::{NoticeRow, NoticeText};
pub use principals::{TokenRow, UserRow};
pub use publications::{NewSnapshot, PublicationRow};
pub use queries::QueryRow;
pub use records::{NewRecord, RecordRow, Recorded};
pub use runs::{Claim, Ending, FailedGate, Held, NewRun, Release, RunRow, ScheduleRow};
pub use sessions::SessionRow;
pub use snapshots::SnapshotRow;

/// "CTHs": tells our file from any other SQLite database.
const APPLICATION_ID: i64 = 0x4354_4873;

/// Forward only. The position is the schema version (`user_version`), so a step is never changed once it was released: add one.
const MIGRATIONS: &[&str] = &[
    include_str!("catalog/migrations/0001_spine.sql"),
    include_str!("catalog/migrations/0002_statement_cache.sql"),
    include_str!("catalog/migrations/0003_audit.sql"),
    include_str!("catalog/migrations/0004_rights.sql"),
    include_str!("catalog/migrations/0005_editions.sql"),
    include_str!("catalog/migrations/0006_records.sql"),
    include_str!("catalog/migrations/0007_alerts.sql"),
    include_str!("catalog/migrations/0008_favourites.sql"),
    include_str!("catalog/migrations/0009_release.sql"),
    include_str!("catalog/migrations/0010_statement_queue.sql"),
];

/// How long a connection waits for another process's write before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The catalog database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Catalog {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: PathBuf,
    clock: Clock,
    /// One connection: writes stand in one order and never wait for each other inside SQLite.
    writer: SqlitePool,
    /// Connections that cannot write.
    readers: SqlitePool,
    process: process::Process,
    ledger: queries::Ledger,
}

impl Catalog {
    /// Opens `state/catalog.db`, makes it on first use (the folder with mode 0700), brings its schema up to date, and closes
    /// the records of statements whose process died.
    ///
    /// Errors: `INTERNAL` when the folder cannot be written, the file is not ours, or it was written by a newer version.
    pub async fn open(state: &Path, clock: Clock) -> Result<Self> {
        create_private(state)
            .map_err(|e| Error::internal(format!("The state folder `{}` cannot be made.", state.display()), e))?;
        let options = SqliteConnectOptions::new()
            .filename(state.join("catalog.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("trusted_schema", "OFF")
            // Replacing a row removes it: what must stay stays in spite of it.
            .pragma("recursive_triggers", "ON")
            .pragma("secure_delete", "ON");
        let forever = || SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None).test_before_acquire(false);
        let writer =
            forever().max_connections(1).connect_with(options.clone()).await.map_err(|e| {
                Error::internal(format!("The catalog database in `{}` does not open.", state.display()), e)
            })?;
        migrate(&writer).await?;
        let readers = forever()
            .max_connections(4)
            .connect_with(options.create_if_missing(false).pragma("query_only", "ON"))
            .await
            .map_err(failed("opening it for reading"))?;
        let process = process::Process::current();
        let ledger = queries::Ledger::start(writer.clone(), process.to_text(), clock.clone());
        let inner = Inner { state: state.to_owned(), clock, writer, readers, process, ledger };
        let catalog = Self { inner: Arc::new(inner) };
        catalog.close_abandoned_queries().await?;
        Ok(catalog)
    }

    /// The state folder this catalog lives in.
    pub fn state(&self) -> &Path {
        &self.inner.state
    }

    /// A named text that the server keeps about itself.
    pub async fn setting(&self, name: &str) -> Result<Option<String>> {
        sqlx::query_scalar("SELECT value FROM setting WHERE name = $1")
            .bind(name)
            .fetch_optional(self.readers())
            .await
            .map_err(failed("reading a setting"))
    }

    /// Sets a text once and returns what stands there: the first writer wins.
    pub async fn keep_setting(&self, name: &str, value: &str) -> Result<String> {
        let mut tx = self.write().await?;
        sqlx::query("INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(name)
            .bind(value)
            .execute(&mut *tx)
            .await
            .map_err(failed("keeping a setting"))?;
        let kept = sqlx::query_scalar("SELECT value FROM setting WHERE name = $1")
            .bind(name)
            .fetch_one(&mut *tx)
            .await
            .map_err(failed("keeping a setting"))?;
        tx.commit().await.map_err(failed("keeping a setting"))?;
        Ok(kept)
    }

    /// Whether a record could be written now.
    pub async fn check_writable(&self) -> Result<()> {
        self.write().await?.rollback().await.map_err(failed("checking that it can be written"))
    }

    fn readers(&self) -> &SqlitePool {
        &self.inner.readers
    }

    /// The time by its clock.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// A write transaction. It takes SQLite's write lock at once: a transaction that first reads and then wants to write could
    /// find that another process wrote in between, and would fail where this one waits.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        self.inner.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed("beginning a change"))
    }
}

/// Takes the schema from whichever version to ours, one transaction per step.
async fn migrate(writer: &SqlitePool) -> Result<()> {
    loop {
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed("bringing its schema up to date"))?;
        let (version, application): (i64, i64) =
            sqlx::query_as("SELECT user_version, application_id FROM pragma_user_version, pragma_application_id")
                .fetch_one(&mut *tx)
                .await
                .map_err(failed("reading its schema version"))?;
        let at = usize::try_from(version).unwrap_or(usize::MAX);
        if at > 0 && application != APPLICATION_ID {
            return Err(Error::new(Code::Internal, "`catalog.db` in the state folder is not a Countinghouse catalog."));
        }
        if at > MIGRATIONS.len() {
            return Err(Error::new(
                Code::Internal,
                format!(
                    "`catalog.db` has schema version {version}, this program knows up to {}: use the newer program.",
                    MIGRATIONS.len()
                ),
            ));
        }
        let Some(step) = MIGRATIONS.get(at) else { return Ok(()) };
        sqlx::raw_sql(*step).execute(&mut *tx).await.map_err(failed("bringing its schema up to date"))?;
        // A pragma takes no parameter; both values are our own integers.
        let stamp = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {};", at + 1);
        sqlx::raw_sql(sqlx::AssertSqlSafe(stamp))
            .execute(&mut *tx)
            .await
            .map_err(failed("stamping its schema version"))?;
        tx.commit().await.map_err(failed("bringing its schema up to date"))?;
    }
}

/// A folder that only its owner can open, unless it exists already.
fn create_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Turns a database error into ours. A file that another process keeps locked is a matter of waiting, everything else a fault.
fn failed(doing: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |cause| {
        let code = cause.as_database_error().and_then(|e| e.code()).and_then(|c| c.parse::<i64>().ok());
        // Primary result code 5 is SQLITE_BUSY; extended codes carry it in their low byte.
        if code.is_some_and(|code| code & 0xff == 5) {
            Error::new(Code::Busy, "The catalog database is being written by another process; try again.")
                .caused_by(cause)
        } else {
            Error::internal(format!("The catalog database failed while {doing}."), cause)
        }
    }
}

/// Whether an insert failed because the key exists.
fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|e| e.is_unique_violation())
}

/// Times are stored as microseconds since 1970, UTC.
fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

fn decode<E: std::error::Error + Send + Sync + 'static>(error: E) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

fn time(row: &SqliteRow, column: &str) -> sqlx::Result<Timestamp> {
    Timestamp::from_microsecond(row.try_get(column)?).map_err(decode)
}

fn optional_time(row: &SqliteRow, column: &str) -> sqlx::Result<Option<Timestamp>> {
    let at: Option<i64> = row.try_get(column)?;
    at.map(|at| Timestamp::from_microsecond(at).map_err(decode)).transpose()
}

fn json<T: serde::de::DeserializeOwned>(row: &SqliteRow, column: &str) -> sqlx::Result<T> {
    serde_json::from_str(row.try_get(column)?).map_err(decode)
}

fn optional_json<T: serde::de::DeserializeOwned>(row: &SqliteRow, column: &str) -> sqlx::Result<Option<T>> {
    let text: Option<String> = row.try_get(column)?;
    text.map(|text| serde_json::from_str(&text).map_err(decode)).transpose()
}

/// Who works on this machine: the operating system's name for the user that this process runs as.
pub(crate) fn operator() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    format!("{}@host", named.filter(|name| !name.is_empty()).as_deref().unwrap_or("unknown"))
}

/// Whether a name is one that [`operator`] gives.
fn is_operator(name: &str) -> bool {
    name.ends_with("@host")
}

/// Random text of `bytes` bytes from the operating system, in hexadecimal.
pub(crate) fn random_hex(bytes: usize) -> Result<String> {
    use rand::TryRng;
    let mut buffer = vec![0_u8; bytes];
    rand::rngs::SysRng
        .try_fill_bytes(&mut buffer)
        .map_err(|e| Error::internal("The operating system gave no random numbers.", e.to_string()))?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}
