//! Deliveries: the ledger of what was sent to whom. The state is written before the act; what was handed over by a process that
//! died before it knew the answer is unknown, and is said to be.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row, Sqlite, Transaction};

use super::process::{Life, Process};
use super::{Catalog, failed, micros, optional_time, time};
use crate::error::Result;

/// After so long without an answer, in microseconds, nobody knows it any more.
const SILENCE: i64 = 3_600_000_000;
/// A delivery that was handed over so often without an answer is not tried again.
const MOST_TRIES: i64 = 5;

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Of what is sent (schedule, period, version and scope; or a notice), recipient and channel, hexadecimal: one sending for
    /// each.
    pub key: String,
    /// The run that made the edition.
    pub run_id: Option<i64>,
    /// The edition's hash; none where a notice is sent.
    pub edition: Option<String>,
    /// The notice's id; none where an edition is sent.
    pub notice: Option<String>,
    /// A channel of the settings.
    pub channel: String,
    /// A login, or the channel's own name where it is not sent to a person.
    pub recipient: String,
    pub address: Option<String>,
    pub lang: String,
    /// `rendered`, `handed_over`, `accepted`, `unknown`, `failed` or `refused`.
    pub state: String,
    pub tries: i64,
    pub bytes: Option<i64>,
    /// What the other side said last.
    pub answer: String,
    pub planned_at: Timestamp,
    pub changed_at: Timestamp,
    /// When it is tried next.
    pub next_at: Option<Timestamp>,
}

impl FromRow<'_, SqliteRow> for DeliveryRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            key: row.try_get("key")?,
            run_id: row.try_get("run_id")?,
            edition: row.try_get("edition")?,
            notice: row.try_get("notice")?,
            channel: row.try_get("channel")?,
            recipient: row.try_get("recipient")?,
            address: row.try_get("address")?,
            lang: row.try_get("lang")?,
            state: row.try_get("state")?,
            tries: row.try_get("tries")?,
            bytes: row.try_get("bytes")?,
            answer: row.try_get("answer")?,
            planned_at: time(row, "planned_at")?,
            changed_at: time(row, "changed_at")?,
            next_at: optional_time(row, "next_at")?,
        })
    }
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    pub at: Timestamp,
    /// The state that it led to.
    pub state: String,
    pub bytes: Option<i64>,
    pub answer: String,
}

impl FromRow<'_, SqliteRow> for AttemptRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            at: time(row, "at")?,
            state: row.try_get("state")?,
            bytes: row.try_get("bytes")?,
            answer: row.try_get("answer")?,
        })
    }
}

impl Catalog {
    /// Takes the next delivery that is due and marks it handed over: from here on it may have left. `repeats` says of a channel
    /// whether sending twice does no harm; what a dead process had handed over by another is unknown from now on.
    pub async fn take_delivery(&self, repeats: &(dyn Fn(&str) -> bool + Sync)) -> Result<Option<DeliveryRow>> {
        let doing = failed("taking a delivery");
        let now = micros(self.now());
        let mut tx = self.write().await?;
        let rows = sqlx::query(
            "SELECT * FROM delivery WHERE state IN ('rendered', 'handed_over') ORDER BY next_at, planned_at, key",
        )
        .fetch_all(&mut *tx)
        .await
        .map_err(&doing)?;
        let mut taken = None;
        for row in &rows {
            let mut delivery = DeliveryRow::from_row(row).map_err(&doing)?;
            let process: Option<String> = row.try_get("process").map_err(&doing)?;
            let life = process.as_deref().and_then(Process::parse).map(|other| self.inner.process.life_of(&other));
            let due = delivery.next_at.is_none_or(|at| micros(at) <= now);
            match delivery.state.as_str() {
                // Every channel ends by its own deadline, long before this.
                "handed_over" if life != Some(Life::Dead) && micros(delivery.changed_at) > now - SILENCE => continue,
                "handed_over" if !repeats(&delivery.channel) => {
                    let why = "the server stopped before it knew the answer; not sent again by itself";
                    record(&mut tx, &delivery.key, "unknown", None, why, None, now).await.map_err(&doing)?;
                    continue;
                }
                "handed_over" if delivery.tries >= MOST_TRIES => {
                    let why = "the server ended each time before it knew the answer";
                    record(&mut tx, &delivery.key, "failed", None, why, None, now).await.map_err(&doing)?;
                    continue;
                }
                "rendered" if !due => continue,
                _ => {}
            }
            if taken.is_some() {
                continue;
            }
            sqlx::query("UPDATE delivery SET state = 'handed_over', process = $2, tries = tries + 1, changed_at = $3 WHERE key = $1")
                .bind(&delivery.key)
                .bind(self.inner.process.to_text())
                .bind(now)
                .execute(&mut *tx)
                .await
                .map_err(&doing)?;
            delivery.state = "handed_over".into();
            delivery.tries += 1;
            taken = Some(delivery);
        }
        tx.commit().await.map_err(&doing)?;
        Ok(taken)
    }

    /// Whether a delivery may be due. A look that writes nothing.
    pub async fn has_due_delivery(&self) -> Result<bool> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM delivery WHERE state = 'rendered' AND coalesce(next_at, 0) <= $1 \
             OR state = 'handed_over' AND (process <> $2 OR changed_at <= $3))",
        )
        .bind(micros(self.now()))
        .bind(self.inner.process.to_text())
        .bind(micros(self.now()) - SILENCE)
        .fetch_one(self.readers())
        .await
        .map_err(failed("looking for due deliveries"))
    }

    /// Records how a delivery that was handed over went. `again` is when it is tried next.
    pub async fn end_delivery(
        &self,
        key: &str,
        state: &str,
        bytes: Option<i64>,
        answer: &str,
        again: Option<Timestamp>,
    ) -> Result<()> {
        let doing = failed("recording a delivery");
        let mut tx = self.write().await?;
        let ours: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM delivery WHERE key = $1 AND state = 'handed_over' AND process = $2)",
        )
        .bind(key)
        .bind(self.inner.process.to_text())
        .fetch_one(&mut *tx)
        .await
        .map_err(&doing)?;
        if !ours {
            // Somebody else took it as lost meanwhile, and what that one records counts.
            tracing::warn!(delivery = key, state, answer, "a late answer was not recorded");
            return Ok(());
        }
        record(&mut tx, key, state, bytes, answer, again.map(micros), micros(self.now())).await.map_err(&doing)?;
        tx.commit().await.map_err(&doing)
    }

    /// Sends a delivery again that failed, was refused or is unknown; whether there was one.
    pub async fn resend_delivery(&self, key: &str, why: &str) -> Result<bool> {
        let doing = failed("sending a delivery again");
        let mut tx = self.write().await?;
        let now = micros(self.now());
        let done = sqlx::query(
            "UPDATE delivery SET state = 'rendered', tries = 0, next_at = $2, changed_at = $2, answer = $3 \
             WHERE key = $1 AND state IN ('failed', 'refused', 'unknown')",
        )
        .bind(key)
        .bind(now)
        .bind(why)
        .execute(&mut *tx)
        .await
        .map_err(&doing)?;
        if done.rows_affected() == 1 {
            attempt(&mut tx, key, "rendered", None, why, now).await.map_err(&doing)?;
        }
        tx.commit().await.map_err(&doing)?;
        Ok(done.rows_affected() == 1)
    }

    /// Deliveries, the latest change first; in one state where named.
    pub async fn deliveries(&self, state: Option<&str>, limit: u32) -> Result<Vec<DeliveryRow>> {
        sqlx::query_as("SELECT * FROM delivery WHERE $1 IS NULL OR state = $1 ORDER BY changed_at DESC, key LIMIT $2")
            .bind(state)
            .bind(limit)
            .fetch_all(self.readers())
            .await
            .map_err(failed("reading the deliveries"))
    }

    /// Who was sent an edition: the accepted and unknown deliveries of it.
    pub async fn deliveries_of(&self, edition: &str) -> Result<Vec<DeliveryRow>> {
        sqlx::query_as("SELECT * FROM delivery WHERE edition = $1 ORDER BY channel, recipient")
            .bind(edition)
            .fetch_all(self.readers())
            .await
            .map_err(failed("reading the deliveries"))
    }

    /// The tries of a delivery, oldest first.
    pub async fn attempts(&self, key: &str) -> Result<Vec<AttemptRow>> {
        sqlx::query_as("SELECT * FROM delivery_attempt WHERE key = $1 ORDER BY at, rowid")
            .bind(key)
            .fetch_all(self.readers())
            .await
            .map_err(failed("reading a delivery's tries"))
    }
}

async fn record(
    tx: &mut Transaction<'_, Sqlite>,
    key: &str,
    state: &str,
    bytes: Option<i64>,
    answer: &str,
    next: Option<i64>,
    now: i64,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE delivery SET state = $2, process = NULL, bytes = coalesce($3, bytes), answer = $4, next_at = $5, changed_at = $6 \
         WHERE key = $1",
    )
    .bind(key)
    .bind(state)
    .bind(bytes)
    .bind(answer)
    .bind(next)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    attempt(tx, key, state, bytes, answer, now).await
}

async fn attempt(
    tx: &mut Transaction<'_, Sqlite>,
    key: &str,
    state: &str,
    bytes: Option<i64>,
    answer: &str,
    now: i64,
) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO delivery_attempt (key, at, state, bytes, answer) VALUES ($1, $2, $3, $4, $5)")
        .bind(key)
        .bind(now)
        .bind(state)
        .bind(bytes)
        .bind(answer)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn insert(tx: &mut Transaction<'_, Sqlite>, row: &DeliveryRow) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO delivery (key, run_id, edition, notice, channel, recipient, address, lang, state, tries, answer, planned_at, \
         changed_at, next_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'rendered', 0, $9, $10, $10, $10) ON CONFLICT DO NOTHING",
    )
    .bind(&row.key)
    .bind(row.run_id)
    .bind(&row.edition)
    .bind(&row.notice)
    .bind(&row.channel)
    .bind(&row.recipient)
    .bind(&row.address)
    .bind(&row.lang)
    .bind(&row.answer)
    .bind(micros(row.planned_at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}
