//! Runs: scheduled work. A run is planned once for what it is for, claimed by one process at a time, and its effects are written
//! in one transaction that compares its fence, so that a process that was paused past its lease changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::audit;
use super::deliveries::{self, DeliveryRow};
use super::editions::{self, EditionRow};
use super::process::{Life, Process};
use super::{Catalog, decode, failed, is_duplicate, is_operator, json, micros, optional_time, time};
use crate::error::{Code, Error, Result};

/// How long a claim lasts without a heartbeat.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// A run during which the server ended so often is not begun again.
const MOST_TRIES: i64 = 5;
/// How often its holder renews it.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    pub id: i64,
    /// `report/id`.
    pub schedule: String,
    /// What it is for, unique within its schedule.
    pub logical: String,
    /// `clock`, `close`, `deadline`, `correction`, `hand` or `backfill`; `alert` for the evaluation of an alert.
    pub cause: String,
    /// As-of date, in days since 1970-01-01; none: the newest closed period when it starts.
    pub as_of: Option<i32>,
    /// May be published though branches are missing.
    pub partial: bool,
    /// `ready`, `running`, `succeeded`, `held`, `failed`, `dead`, `skipped` or `cancelled`.
    pub state: String,
    /// Rises with each claim.
    pub fence: i64,
    pub tries: i64,
    pub not_before: Timestamp,
    /// The publication time that stands in its editions: that of the first claim, so that another try makes the same bytes.
    pub published_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// Why it stands as it does.
    pub message: String,
    /// Figures of what it did; of a held one, under `held`, a [`Held`].
    pub result: serde_json::Value,
    /// Who started it, or tried it again: a login, or a person at the machine. None where the server planned it.
    pub started_by: Option<String>,
    /// Who let it go though a gate held it.
    pub release: Option<Release>,
}

/// What a gate held: the readings as they were, so that what is released is what was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The snapshot that was read.
    pub snapshot: i64,
    /// The digest of the report's definition.
    pub report: String,
    /// The period that it is for, as in links.
    pub period: String,
    /// Never empty.
    pub gates: Vec<FailedGate>,
    /// SHA-256 of the rows of each reading, by its scope as in links.
    pub readings: BTreeMap<String, String>,
}

/// A gate that did not pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedGate {
    /// Its word in definitions.
    pub gate: String,
    /// Branch, measure and figures: for head office alone.
    pub why: String,
}

/// Who let a held run go, and what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// A login.
    pub by: String,
    /// The role that gave the right.
    pub role: String,
    pub at: Timestamp,
    pub reason: String,
    pub held: Held,
}

impl FromRow<'_, SqliteRow> for RunRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            schedule: row.try_get("schedule")?,
            logical: row.try_get("logical")?,
            cause: row.try_get("cause")?,
            as_of: row.try_get("as_of")?,
            partial: row.try_get("partial")?,
            state: row.try_get("state")?,
            fence: row.try_get("fence")?,
            tries: row.try_get("tries")?,
            not_before: time(row, "not_before")?,
            published_at: optional_time(row, "published_at")?,
            created_at: time(row, "created_at")?,
            started_at: optional_time(row, "started_at")?,
            finished_at: optional_time(row, "finished_at")?,
            message: row.try_get("message")?,
            result: json(row, "result")?,
            started_by: row.try_get("started_by")?,
            release: match row.try_get::<Option<String>, _>("release")? {
                Some(text) => Some(serde_json::from_str(&text).map_err(decode)?),
                None => None,
            },
        })
    }
}

impl RunRow {
    /// What a gate holds; none of a run that is not held, or that waits for something else than a release.
    pub fn held(&self) -> Option<Held> {
        let held = self.result.get("held").filter(|_| self.state == "held")?;
        Held::deserialize(held).ok()
    }
}

/// A run to be planned.
#[derive(Debug, Clone)]
pub struct NewRun<'a> {
    pub schedule: &'a str,
    pub logical: &'a str,
    pub cause: &'a str,
    /// Who starts it; none where the server does.
    pub by: Option<&'a str>,
    pub as_of: Option<i32>,
    pub partial: bool,
    /// `ready`, or `skipped` with the reason.
    pub state: &'a str,
    pub message: &'a str,
}

/// A claimed run: renewed while the value lives.
#[derive(Debug)]
pub struct Claim {
    pub run: RunRow,
    /// Cancelled when the claim is lost.
    pub lost: CancellationToken,
    _heartbeat: JoinSet<()>,
}

/// How a run ended without editions.
#[derive(Debug, Clone, Copy)]
pub enum Ending<'a> {
    /// Nothing had changed.
    Succeeded,
    /// A gate holds it.
    Held,
    /// It cannot succeed as it stands.
    Failed,
    /// It is tried again at that time.
    Again(Timestamp),
    /// The last try failed.
    Dead,
    /// Somebody stopped it, or a later one replaced it.
    Cancelled(&'a str),
}

/// What the scheduler keeps of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRow {
    /// `report/id`.
    pub name: String,
    /// Firings up to here were planned.
    pub planned_until: Timestamp,
    pub paused_at: Option<Timestamp>,
    pub paused_by: Option<String>,
    pub reason: Option<String>,
}

impl FromRow<'_, SqliteRow> for ScheduleRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            name: row.try_get("name")?,
            planned_until: time(row, "planned_until")?,
            paused_at: optional_time(row, "paused_at")?,
            paused_by: row.try_get("paused_by")?,
            reason: row.try_get("reason")?,
        })
    }
}

impl Catalog {
    /// Plans a run; whether it is new. A second one for the same thing is the first one.
    pub async fn plan_run(&self, new: &NewRun<'_>) -> Result<bool> {
        let now = micros(self.now());
        let finished = (new.state != "ready").then_some(now);
        let done = sqlx::query(
            "INSERT INTO run (schedule, logical, cause, as_of, partial, state, fence, tries, not_before, created_at, finished_at, \
             message, result, started_by) VALUES ($1, $2, $3, $4, $5, $6, 0, 0, $7, $7, $8, $9, '{}', $10) \
             ON CONFLICT DO NOTHING",
        )
        .bind(new.schedule)
        .bind(new.logical)
        .bind(new.cause)
        .bind(new.as_of)
        .bind(new.partial)
        .bind(new.state)
        .bind(now)
        .bind(finished)
        .bind(new.message)
        .bind(new.by)
        .execute(&self.inner.writer)
        .await
        .map_err(failed("planning a run"))?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes the next run that is due: a ready one, or one whose holder died or let its lease end. A schedule has one run at a
    /// time: the others wait.
    pub async fn claim_run(&self) -> Result<Option<Claim>> {
        let doing = failed("claiming a run");
        let now = self.now();
        let mut tx = self.write().await?;
        let rows: Vec<SqliteRow> =
            sqlx::query("SELECT * FROM run WHERE state IN ('ready', 'running') ORDER BY not_before, id")
                .fetch_all(&mut *tx)
                .await
                .map_err(&doing)?;
        let mut busy = std::collections::BTreeSet::new();
        let mut free = Vec::new();
        let mut ended_too_often = Vec::new();
        for row in &rows {
            let run = RunRow::from_row(row).map_err(&doing)?;
            let process: Option<String> = row.try_get("process").map_err(&doing)?;
            let lease: Option<i64> = row.try_get("lease_until").map_err(&doing)?;
            let ended = lease.is_none_or(|until| until <= micros(now));
            let dead = process
                .as_deref()
                .and_then(Process::parse)
                .is_some_and(|other| self.inner.process.life_of(&other) == Life::Dead);
            match run.state.as_str() {
                "running" if !ended && !dead => {
                    busy.insert(run.schedule);
                }
                "running" if run.tries >= MOST_TRIES => ended_too_often.push(run.id),
                "running" => free.push(run),
                _ if run.not_before <= now => free.push(run),
                _ => {}
            }
        }
        for id in ended_too_often {
            sqlx::query(
                "UPDATE run SET state = 'dead', process = NULL, lease_until = NULL, finished_at = $2, message = $3 WHERE id = $1",
            )
            .bind(id)
            .bind(micros(now))
            .bind(format!("the server ended {MOST_TRIES} times during it"))
            .execute(&mut *tx)
            .await
            .map_err(&doing)?;
        }
        let Some(mut run) = free.into_iter().find(|run| !busy.contains(&run.schedule)) else {
            tx.commit().await.map_err(&doing)?;
            return Ok(None);
        };
        run.fence += 1;
        run.tries += 1;
        run.state = "running".into();
        run.started_at = Some(now);
        run.published_at = run.published_at.or(Some(now));
        sqlx::query(
            "UPDATE run SET state = 'running', fence = $2, tries = $3, process = $4, lease_until = $5, started_at = $6, \
             published_at = $7 WHERE id = $1",
        )
        .bind(run.id)
        .bind(run.fence)
        .bind(run.tries)
        .bind(self.inner.process.to_text())
        .bind(micros(now + LEASE))
        .bind(micros(now))
        .bind(run.published_at.map(micros))
        .execute(&mut *tx)
        .await
        .map_err(&doing)?;
        tx.commit().await.map_err(&doing)?;
        let lost = CancellationToken::new();
        let heartbeat = self.keep_claim(run.id, run.fence, lost.clone());
        Ok(Some(Claim { run, lost, _heartbeat: heartbeat }))
    }

    fn keep_claim(&self, id: i64, fence: i64, lost: CancellationToken) -> JoinSet<()> {
        let (writer, clock) = (self.inner.writer.clone(), self.inner.clock.clone());
        let mut task = JoinSet::new();
        task.spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                let renewed =
                    sqlx::query("UPDATE run SET lease_until = $3 WHERE id = $1 AND fence = $2 AND state = 'running'")
                        .bind(id)
                        .bind(fence)
                        .bind(micros(clock.now() + LEASE))
                        .execute(&writer)
                        .await;
                match renewed {
                    Ok(done) if done.rows_affected() == 0 => return lost.cancel(),
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "a run's claim could not be renewed"),
                }
            }
        });
        task
    }

    /// Freezes a run's editions with the deliveries that follow from them, ends the run, and records it in the audit log: all of
    /// it, or nothing.
    ///
    /// Errors: `BUSY` when the claim was lost, or when another run froze the same version, or one from a newer snapshot, meanwhile.
    pub async fn freeze(
        &self,
        claim: &Claim,
        editions: &[EditionRow],
        deliveries: &[DeliveryRow],
        message: &str,
        result: &serde_json::Value,
    ) -> Result<()> {
        let doing = failed("freezing editions");
        let mut tx = self.write().await?;
        let ended = sqlx::query(
            "UPDATE run SET state = 'succeeded', process = NULL, lease_until = NULL, finished_at = $3, message = $4, result = $5 \
             WHERE id = $1 AND fence = $2 AND state = 'running'",
        )
        .bind(claim.run.id)
        .bind(claim.run.fence)
        .bind(micros(self.now()))
        .bind(message)
        .bind(result.to_string())
        .execute(&mut *tx)
        .await
        .map_err(&doing)?;
        if ended.rows_affected() == 0 {
            return Err(lost());
        }
        // Older figures never become the newest version.
        let periods: BTreeMap<(&str, &str), i64> =
            editions.iter().map(|row| ((row.report.as_str(), row.period.as_str()), row.snapshot_id)).collect();
        for ((report, period), snapshot) in periods {
            let newest = editions::newest_snapshot(&mut *tx, report, period).await.map_err(&doing)?;
            if newest.is_some_and(|newest| newest > snapshot) {
                let message = "The period was published from a newer snapshot meanwhile; this run changed nothing.";
                return Err(Error::new(Code::Busy, message));
            }
        }
        for row in editions {
            editions::insert(&mut tx, row).await.map_err(|error| match is_duplicate(&error) {
                true => Error::new(
                    Code::Busy,
                    "Another run published the same edition meanwhile; this one changed nothing.",
                ),
                false => failed("freezing an edition")(error),
            })?;
        }
        for row in deliveries {
            deliveries::insert(&mut tx, row).await.map_err(failed("planning a delivery"))?;
        }
        let run = &claim.run;
        let named: Vec<_> = editions
            .iter()
            .map(|row| serde_json::json!({"id": row.id, "scope": row.scope, "version": row.version}))
            .collect();
        let detail = serde_json::json!({
            "schedule": run.schedule, "run": run.id, "snapshot": result["snapshot"], "editions": named,
            "released_by": run.release.as_ref().map(|release| &release.by),
        });
        let event = self.event("publish", &format!("schedule:{}", run.schedule), detail);
        audit::append(&mut tx, event).await.map_err(&doing)?;
        tx.commit().await.map_err(&doing)
    }

    /// Ends a run that has no editions to freeze.
    ///
    /// Errors: `BUSY` when the claim was lost.
    pub async fn end_run(
        &self,
        claim: &Claim,
        ending: Ending<'_>,
        message: &str,
        result: &serde_json::Value,
    ) -> Result<()> {
        let now = self.now();
        let (state, next, message) = match ending {
            Ending::Succeeded => ("succeeded", None, message),
            Ending::Held => ("held", None, message),
            Ending::Failed => ("failed", None, message),
            Ending::Again(at) => ("ready", Some(at), message),
            Ending::Dead => ("dead", None, message),
            Ending::Cancelled(why) => ("cancelled", None, why),
        };
        let done = sqlx::query(
            "UPDATE run SET state = $3, process = NULL, lease_until = NULL, finished_at = $4, message = $5, result = $6, \
             not_before = coalesce($7, not_before), release = CASE WHEN $3 = 'held' THEN NULL ELSE release END \
             WHERE id = $1 AND fence = $2 AND state = 'running'",
        )
        .bind(claim.run.id)
        .bind(claim.run.fence)
        .bind(state)
        .bind(next.is_none().then_some(micros(now)))
        .bind(message)
        .bind(result.to_string())
        .bind(next.map(micros))
        .execute(&self.inner.writer)
        .await
        .map_err(failed("ending a run"))?;
        if done.rows_affected() == 0 { Err(lost()) } else { Ok(()) }
    }

    /// Makes a run that ended without success ready again, with all its gates, and records it in the audit log with it; whether
    /// there was one. It is then `by`'s run.
    pub async fn retry_run(&self, id: i64, by: &str, why: &str) -> Result<bool> {
        let doing = failed("starting a run again");
        let mut tx = self.write().await?;
        let was: Option<RunRow> = sqlx::query_as("SELECT * FROM run WHERE id = $1")
            .bind(id)
            .fetch_optional(&mut *tx)
            .await
            .map_err(&doing)?;
        let done = sqlx::query(
            "UPDATE run SET state = 'ready', tries = 0, not_before = $2, finished_at = NULL, published_at = NULL, message = $3, \
             started_by = $4, release = NULL WHERE id = $1 AND state IN ('held', 'failed', 'dead', 'skipped', 'cancelled')",
        )
        .bind(id)
        .bind(micros(self.now()))
        .bind(format!("{by}: {why}"))
        .bind(by)
        .execute(&mut *tx)
        .await
        .map_err(&doing)?;
        let Some(was) = was.filter(|_| done.rows_affected() == 1) else { return Ok(false) };
        let detail = serde_json::json!({
            "schedule": was.schedule, "do": "retry", "run": id, "was": was.state, "reason": why,
            "started_by": was.started_by,
        });
        audit::append(&mut tx, self.event("schedule", by, detail)).await.map_err(&doing)?;
        tx.commit().await.map_err(&doing)?;
        Ok(true)
    }

    /// Lets a run go that a gate holds, and records it in the audit log with it; whether it still stood as `run` says.
    pub async fn release_run(&self, run: &RunRow, release: &Release) -> Result<bool> {
        let doing = failed("releasing a run");
        let text = serde_json::to_string(release)
            .map_err(|error| Error::internal("a release cannot be written as JSON", error))?;
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "UPDATE run SET state = 'ready', tries = 0, not_before = $3, finished_at = NULL, published_at = NULL, message = $4, \
             release = $5 WHERE id = $1 AND fence = $2 AND state = 'held'",
        )
        .bind(run.id)
        .bind(run.fence)
        .bind(micros(self.now()))
        .bind(format!("released by {}: {}", release.by, release.reason))
        .bind(text)
        .execute(&mut *tx)
        .await
        .map_err(&doing)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let detail = serde_json::json!({
            "schedule": run.schedule, "do": "release", "run": run.id, "reason": release.reason, "role": release.role,
            "gates": release.held.gates, "snapshot": release.held.snapshot, "started_by": run.started_by,
            // A name of the operating system, which nobody compared with a login.
            "started_at_machine": run.started_by.as_deref().is_some_and(is_operator),
        });
        audit::append(&mut tx, self.event("schedule", &release.by, detail)).await.map_err(&doing)?;
        tx.commit().await.map_err(&doing)?;
        Ok(true)
    }

    /// Runs, the newest first; of one schedule where named.
    pub async fn runs(&self, schedule: Option<&str>, limit: u32) -> Result<Vec<RunRow>> {
        sqlx::query_as("SELECT * FROM run WHERE $1 IS NULL OR schedule = $1 ORDER BY id DESC LIMIT $2")
            .bind(schedule)
            .bind(limit)
            .fetch_all(self.readers())
            .await
            .map_err(failed("reading the runs"))
    }

    /// The run of this number.
    pub async fn run(&self, id: i64) -> Result<Option<RunRow>> {
        sqlx::query_as("SELECT * FROM run WHERE id = $1")
            .bind(id)
            .fetch_optional(self.readers())
            .await
            .map_err(failed("reading a run"))
    }

    /// Whether a run may be due: ready, or running for somebody who may be gone. A look that writes nothing.
    pub async fn has_due_run(&self) -> Result<bool> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM run WHERE state = 'ready' AND not_before <= $1 OR state = 'running' AND (process <> $2 OR lease_until <= $1))",
        )
        .bind(micros(self.now()))
        .bind(self.inner.process.to_text())
        .fetch_one(self.readers())
        .await
        .map_err(failed("looking for due runs"))
    }

    /// Whether a run has begun and is not done: its editions may be half written.
    pub async fn has_begun_run(&self) -> Result<bool> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM run WHERE state IN ('ready', 'running') AND published_at IS NOT NULL)",
        )
        .fetch_one(self.readers())
        .await
        .map_err(failed("looking for open runs"))
    }

    /// Whether a schedule has a run that is not done.
    pub async fn has_open_run(&self, schedule: &str) -> Result<bool> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM run WHERE schedule = $1 AND state IN ('ready', 'running'))")
            .bind(schedule)
            .fetch_one(self.readers())
            .await
            .map_err(failed("looking for open runs"))
    }

    /// Whether a schedule has a run for this already. A look that writes nothing.
    pub async fn has_run(&self, schedule: &str, logical: &str) -> Result<bool> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM run WHERE schedule = $1 AND logical = $2)")
            .bind(schedule)
            .bind(logical)
            .fetch_one(self.readers())
            .await
            .map_err(failed("looking for a run"))
    }

    /// Cancels what a schedule has ready or running, but for one. Who runs it finds its claim lost and freezes nothing.
    pub async fn cancel_runs(&self, schedule: &str, but: &str, why: &str) -> Result<()> {
        sqlx::query(
            "UPDATE run SET state = 'cancelled', process = NULL, lease_until = NULL, finished_at = $2, message = $3 \
             WHERE schedule = $1 AND logical <> $4 AND state IN ('ready', 'running')",
        )
        .bind(schedule)
        .bind(micros(self.now()))
        .bind(why)
        .bind(but)
        .execute(&self.inner.writer)
        .await
        .map_err(failed("cancelling runs"))?;
        Ok(())
    }

    /// What is kept of a schedule; made now, with nothing before to be caught up, where there is none.
    pub async fn schedule(&self, name: &str) -> Result<ScheduleRow> {
        let doing = failed("reading a schedule");
        let read = || sqlx::query_as("SELECT * FROM schedule WHERE name = $1").bind(name);
        if let Some(row) = read().fetch_optional(self.readers()).await.map_err(&doing)? {
            return Ok(row);
        }
        sqlx::query("INSERT INTO schedule (name, planned_until) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(name)
            .bind(micros(self.now()))
            .execute(&self.inner.writer)
            .await
            .map_err(&doing)?;
        read().fetch_one(self.readers()).await.map_err(&doing)
    }

    /// Remembers that firings up to a time were planned; it never goes back.
    pub async fn planned_until(&self, name: &str, until: Timestamp) -> Result<()> {
        sqlx::query("UPDATE schedule SET planned_until = max(planned_until, $2) WHERE name = $1")
            .bind(name)
            .bind(micros(until))
            .execute(&self.inner.writer)
            .await
            .map_err(failed("recording what was planned"))?;
        Ok(())
    }

    /// Pauses a schedule, or lets it go on.
    pub async fn pause_schedule(&self, name: &str, paused: Option<(&str, &str)>) -> Result<()> {
        self.schedule(name).await?;
        sqlx::query("UPDATE schedule SET paused_at = $2, paused_by = $3, reason = $4 WHERE name = $1")
            .bind(name)
            .bind(paused.map(|_| micros(self.now())))
            .bind(paused.map(|(by, _)| by))
            .bind(paused.map(|(_, why)| why))
            .execute(&self.inner.writer)
            .await
            .map_err(failed("pausing a schedule"))?;
        Ok(())
    }
}

pub(super) fn lost() -> Error {
    Error::new(Code::Busy, "The run was taken over by another process; this step changed nothing.")
}

#[cfg(test)]
mod tests;
