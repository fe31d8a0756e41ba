//! Statements: the record of who asked what, when, of which snapshot, with which outcome.
//!
//! "Begun" is durable before the first byte leaves. Each durable write costs a sync of the disk, so one task writes for all and
//! commits whatever has gathered meanwhile in one group: under load many statements share a sync, alone one waits for nobody.
//! The task, not the caller, owns a group, so a caller that gives up takes no neighbour's record with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{FromRow, QueryBuilder, Row, Sqlite};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::audit::{AuditEvent, Chain};
use super::process::{Life, Process};
use super::{Catalog, failed, is_duplicate, micros, time};
use crate::clock::Clock;
use crate::error::{Error, Result};

/// Records per commit.
const GROUP: usize = 64;
/// How long the end of a statement may wait for company.
const LATER: Duration = Duration::from_millis(50);

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryRow {
    pub query_id: String,
    pub principal: String,
    /// `flight`, `http`, `report`, `command_line` or `job`.
    pub face: String,
    pub sql: String,
    pub started_at: Timestamp,
    /// How long it had waited for a place among those that run; none where it was refused before it asked for one.
    pub queued_ms: Option<i64>,
    pub duration_ms: Option<i64>,
    pub rows: Option<i64>,
    pub bytes: Option<i64>,
    pub snapshot_id: Option<i64>,
    /// The rollup that answered.
    pub rollup: Option<String>,
    /// Why others did not.
    pub reasons: Option<String>,
    /// What was kept of an equal statement before: `none`, its `plan` or its `result`.
    pub cache: String,
    /// `running`, `ok`, `failed`, `cancelled` or `refused`.
    pub status: String,
    pub error_code: Option<String>,
    /// Fingerprint of the rights it ran under.
    pub rights: Option<String>,
    /// Its parameters, as JSON.
    pub parameters: Option<String>,
    /// The client's address and what it showed; only the audit log keeps them.
    pub address: Option<String>,
    pub credential: Option<String>,
}

impl FromRow<'_, SqliteRow> for QueryRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            query_id: row.try_get("query_id")?,
            principal: row.try_get("principal")?,
            face: row.try_get("face")?,
            sql: row.try_get("sql")?,
            started_at: time(row, "started_at")?,
            queued_ms: row.try_get("queued_ms")?,
            duration_ms: row.try_get("duration_ms")?,
            rows: row.try_get("rows")?,
            bytes: row.try_get("bytes")?,
            snapshot_id: row.try_get("snapshot_id")?,
            rollup: row.try_get("rollup")?,
            reasons: row.try_get("reasons")?,
            cache: row.try_get("cache")?,
            status: row.try_get("status")?,
            error_code: row.try_get("error_code")?,
            rights: row.try_get("rights")?,
            parameters: row.try_get("parameters")?,
            address: None,
            credential: None,
        })
    }
}

/// What is to be written.
#[derive(Debug)]
enum Record {
    /// A statement, in its own table and in the audit log.
    Statement(Box<QueryRow>),
    /// Anything else, in the audit log.
    Event(AuditEvent),
}

/// A record, and who waits for it; without a record one who waits for all before.
type Waiting = (Option<Record>, oneshot::Sender<Result<(), Arc<sqlx::Error>>>);

/// Writes records in groups, and counts outcomes of statements for the metrics.
#[derive(Debug)]
pub(super) struct Ledger {
    queue: mpsc::UnboundedSender<Waiting>,
    outcomes: Mutex<BTreeMap<String, u64>>,
    _task: JoinSet<()>,
}

impl Ledger {
    pub(super) fn start(writer: SqlitePool, process: String, clock: Clock) -> Self {
        let (queue, mut waiting) = mpsc::unbounded_channel::<Waiting>();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut group = Vec::with_capacity(GROUP);
            let mut chain = Chain::default();
            while waiting.recv_many(&mut group, GROUP).await > 0 {
                // Nobody waits for the end of a statement: it goes with what is written next.
                if group.iter().all(|(_, caller)| caller.is_closed()) {
                    let more = waiting.recv_many(&mut group, GROUP);
                    let _ = tokio::time::timeout(LATER, more).await;
                }
                let records: Vec<&Record> = group.iter().filter_map(|(record, _)| record.as_ref()).collect();
                let done = match records.is_empty() {
                    true => Ok(()),
                    false => write_group(&writer, &process, &mut chain, &records, clock.now()).await.map_err(Arc::new),
                };
                if let Err(error) = &done {
                    tracing::error!(?error, records = records.len(), "nothing was recorded");
                }
                for (_, caller) in group.drain(..) {
                    let _ = caller.send(done.clone()); // a caller that left needs no answer; its record stands
                }
            }
        });
        Self { queue, outcomes: Mutex::default(), _task: task }
    }

    /// Writes a record, or only waits for those before it.
    async fn write(&self, record: Option<Record>) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        let gone = || Error::internal("The audit record could not be written.", "the ledger has stopped");
        self.queue.send((record, answer)).map_err(|_| gone())?;
        match answered.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(cause)) => Err(Error::internal("The audit record could not be written.", cause)),
            Err(_) => Err(gone()),
        }
    }

    /// Writes an event. Durable when it returns.
    pub(super) async fn event(&self, event: AuditEvent) -> Result<()> {
        self.write(Some(Record::Event(event))).await
    }
}

/// Writes a group in one transaction. Another process may have appended to the audit log meanwhile: then once more, after it.
async fn write_group(
    writer: &SqlitePool,
    process: &str,
    chain: &mut Chain,
    group: &[&Record],
    now: Timestamp,
) -> sqlx::Result<()> {
    let events: Vec<AuditEvent> = group
        .iter()
        .map(|record| match record {
            Record::Statement(row) => AuditEvent::of_statement(row, now),
            Record::Event(event) => event.clone(),
        })
        .collect();
    let statements = group.iter().filter_map(|record| match record {
        Record::Statement(row) => Some(row.as_ref()),
        Record::Event(_) => None,
    });
    let statements: Vec<&QueryRow> = statements.collect();
    let mut again = true;
    loop {
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
        let mut insert = QueryBuilder::<Sqlite>::new("");
        let end = chain.append(&events, &mut insert, &mut tx).await?;
        insert_statements(process, &statements, &mut insert);
        match insert.build().execute(&mut *tx).await {
            Err(error) if again && is_duplicate(&error) => again = false,
            Err(error) => return Err(error),
            Ok(_) => {
                tx.commit().await?;
                chain.stands_at(end);
                return Ok(());
            }
        }
    }
}

/// A record that begins and ends in a group is written and then completed.
fn insert_statements(process: &str, group: &[&QueryRow], insert: &mut QueryBuilder<Sqlite>) {
    if group.is_empty() {
        return;
    }
    insert.push(
        "INSERT INTO statement (query_id, process, principal, face, sql, started_at, queued_ms, duration_ms, rows, \
           bytes, snapshot_id, rollup, reasons, cache, status, error_code, rights, parameters) ",
    );
    insert.push_values(group, |mut values, row| {
        values
            .push_bind(row.query_id.clone())
            .push_bind(process.to_owned())
            .push_bind(row.principal.clone())
            .push_bind(row.face.clone())
            .push_bind(row.sql.clone())
            .push_bind(micros(row.started_at))
            .push_bind(row.queued_ms)
            .push_bind(row.duration_ms)
            .push_bind(row.rows)
            .push_bind(row.bytes)
            .push_bind(row.snapshot_id)
            .push_bind(row.rollup.clone())
            .push_bind(row.reasons.clone())
            .push_bind(row.cache.clone())
            .push_bind(row.status.clone())
            .push_bind(row.error_code.clone())
            .push_bind(row.rights.clone())
            .push_bind(row.parameters.clone());
    });
    insert.push(
        " ON CONFLICT (query_id) DO UPDATE SET duration_ms = excluded.duration_ms, rows = excluded.rows, \
           bytes = excluded.bytes, snapshot_id = excluded.snapshot_id, rollup = excluded.rollup, \
           reasons = excluded.reasons, cache = excluded.cache, status = excluded.status, \
           error_code = excluded.error_code",
    );
}

impl Catalog {
    /// Writes the record of a statement that begins (`running`) or was refused before it could. Durable when it returns.
    pub async fn begin_query(&self, row: &QueryRow) -> Result<()> {
        self.inner.ledger.write(Some(Record::Statement(Box::new(row.clone())))).await?;
        self.count_outcome(&row.status);
        Ok(())
    }

    /// Completes a statement's record. What it says of principal, face, text and start stays as it was begun. It is written
    /// soon, and nobody waits: a process that dies before leaves the statement `running`, and the next one closes it.
    pub fn end_query(&self, row: QueryRow) {
        self.count_outcome(&row.status);
        let (answer, _) = oneshot::channel();
        if self.inner.ledger.queue.send((Some(Record::Statement(Box::new(row))), answer)).is_err() {
            tracing::error!("the end of a statement was not recorded: the ledger has stopped");
        }
    }

    /// Waits until all records given so far are written.
    pub async fn settle(&self) -> Result<()> {
        self.inner.ledger.write(None).await
    }

    /// Statements by status since this process opened the catalog; `running` counts all that began.
    pub fn query_outcomes(&self) -> BTreeMap<String, u64> {
        self.inner.ledger.outcomes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count_outcome(&self, status: &str) {
        let mut outcomes = self.inner.ledger.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        *outcomes.entry(status.to_owned()).or_default() += 1;
    }

    /// Statements, newest first: of one principal, or of all.
    pub async fn queries(&self, principal: Option<&str>, limit: i64) -> Result<Vec<QueryRow>> {
        self.settle().await?;
        // Two texts, so that each uses its index.
        let query = match principal {
            Some(name) => sqlx::query_as(
                "SELECT * FROM statement WHERE principal = $1 ORDER BY started_at DESC, query_id DESC LIMIT $2",
            )
            .bind(name),
            None => sqlx::query_as("SELECT * FROM statement ORDER BY started_at DESC, query_id DESC LIMIT $1"),
        };
        query.bind(limit).fetch_all(self.readers()).await.map_err(failed("reading the statements"))
    }

    /// Statements that run, in any process, oldest first: of one principal, or of all.
    pub async fn running_queries(&self, principal: Option<&str>) -> Result<Vec<QueryRow>> {
        self.settle().await?;
        sqlx::query_as(
            "SELECT * FROM statement WHERE status = 'running' AND ($1 IS NULL OR principal = $1) \
             ORDER BY started_at, query_id",
        )
        .bind(principal)
        .fetch_all(self.readers())
        .await
        .map_err(failed("reading the statements"))
    }

    /// Asks the process that runs a statement to stop it; says whether it runs. Of one principal, or of anybody.
    pub async fn ask_to_stop(&self, query_id: &str, principal: Option<&str>) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE statement SET stop_asked = 1 \
             WHERE query_id = $1 AND status = 'running' AND ($2 IS NULL OR principal = $2)",
        )
        .bind(query_id)
        .bind(principal)
        .execute(&self.inner.writer)
        .await
        .map_err(failed("stopping a statement"))?;
        Ok(done.rows_affected() == 1)
    }

    /// Statements of this process that somebody asked to stop.
    pub async fn asked_to_stop(&self) -> Result<Vec<String>> {
        sqlx::query_scalar(
            "SELECT query_id FROM statement WHERE status = 'running' AND process = $1 AND stop_asked = 1",
        )
        .bind(self.inner.process.to_text())
        .fetch_all(self.readers())
        .await
        .map_err(failed("reading the statements"))
    }

    /// Statements still `running` though their process died become `failed`. Of a process that cannot be judged (another host
    /// or container) those older than a day, which is longer than any deadline.
    pub(super) async fn close_abandoned_queries(&self) -> Result<()> {
        let doing = failed("closing abandoned statements");
        let processes: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT process FROM statement WHERE status = 'running'")
                .fetch_all(self.readers())
                .await
                .map_err(&doing)?;
        for text in processes {
            let life = Process::parse(&text).map_or(Life::Unknown, |process| self.inner.process.life_of(&process));
            let started_before = match life {
                Life::Alive => continue,
                Life::Dead => i64::MAX,
                Life::Unknown => micros(self.now() - SignedDuration::from_hours(24)),
            };
            sqlx::query(
                "UPDATE statement SET status = 'failed', error_code = 'INTERNAL' \
                 WHERE status = 'running' AND process = $1 AND started_at < $2",
            )
            .bind(&text)
            .bind(started_before)
            .execute(&self.inner.writer)
            .await
            .map_err(&doing)?;
        }
        Ok(())
    }
}
