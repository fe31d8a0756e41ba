//! The writer's lease: one process changes the warehouse at a time.
//!
//! The lease is one row. Its fence rises with each owner and is compared inside every transaction that matters, so a writer that
//! was paused past its expiry does no harm: its late step finds another fence. Expiry is only how long a successor waits for a
//! holder it cannot judge; a holder that died on this host is replaced at once.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use sqlx::{Row, Sqlite, Transaction};
use tokio::task::JoinSet;

use super::process::{Life, Process};
use super::{Catalog, failed, micros, random_hex};
use crate::error::{Code, Error, Result};

/// How long a lease lasts without a heartbeat.
const LIFETIME: SignedDuration = SignedDuration::from_secs(30);
/// How often the holder renews it.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Leases held by living values of this process. Process-wide, because a second catalog in the same process sees the same row
/// and must not mistake a living holder for one that was dropped.
static HELD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The right to write, until it is released, dropped, or taken over after it expired. Renews itself while it lives.
#[derive(Debug)]
pub struct Lease {
    /// Rises with each owner.
    pub fence: i64,
    held: Held,
    _heartbeat: JoinSet<()>,
}

/// Entry in `HELD` for as long as the value lives.
#[derive(Debug)]
struct Held(String);

impl Held {
    fn new(token: String) -> Self {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).insert(token.clone());
        Self(token)
    }

    fn contains(token: &str) -> bool {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).contains(token)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

impl Catalog {
    /// Takes the writer's lease. `holder` says what for, for the person who is told to wait.
    ///
    /// Errors: `BUSY` when a living writer holds it.
    pub async fn acquire_lease(&self, holder: &str) -> Result<Lease> {
        let doing = failed("taking the writer's lease");
        let now = self.now();
        let mut tx = self.write().await?;
        let row = sqlx::query("SELECT fence, token, holder, process, expires_at FROM writer_lease WHERE id = 1")
            .fetch_one(&mut *tx)
            .await
            .map_err(&doing)?;
        let fence: i64 = row.try_get("fence").map_err(&doing)?;
        let token: Option<String> = row.try_get("token").map_err(&doing)?;
        if let Some(token) = token {
            let process: Option<String> = row.try_get("process").map_err(&doing)?;
            let expires_at: Option<i64> = row.try_get("expires_at").map_err(&doing)?;
            let process = process.as_deref().and_then(Process::parse);
            let waits = expires_at.is_some_and(|at| at > micros(now));
            let living = match &process {
                Some(process) if *process == self.inner.process => Held::contains(&token),
                Some(process) => self.inner.process.life_of(process) != Life::Dead && waits,
                None => waits,
            };
            if living {
                let other: Option<String> = row.try_get("holder").map_err(&doing)?;
                let place = process.map(|p| format!(", process {} on {}", p.pid, p.host)).unwrap_or_default();
                return Err(Error::new(
                    Code::Busy,
                    format!(
                        "The warehouse is being written ({}{place}); try again when that is done.",
                        other.unwrap_or_default()
                    ),
                ));
            }
        }
        let fence = fence + 1;
        let token = random_hex(16)?;
        sqlx::query(
            "UPDATE writer_lease SET fence = $1, token = $2, holder = $3, process = $4, acquired_at = $5, expires_at = $6 \
             WHERE id = 1",
        )
        .bind(fence)
        .bind(&token)
        .bind(holder)
        .bind(self.inner.process.to_text())
        .bind(micros(now))
        .bind(micros(now + LIFETIME))
        .execute(&mut *tx)
        .await
        .map_err(&doing)?;
        // Entered before the commit: no moment in which the row names a lease that this process thinks dropped.
        let held = Held::new(token.clone());
        tx.commit().await.map_err(&doing)?;
        Ok(Lease { fence, held, _heartbeat: self.keep_alive(token) })
    }

    /// Gives the lease back. A lease that was lost meanwhile is not an error: there is nothing left to give.
    pub async fn release_lease(&self, lease: &Lease) -> Result<()> {
        sqlx::query(
            "UPDATE writer_lease SET token = NULL, holder = NULL, process = NULL, acquired_at = NULL, expires_at = NULL \
             WHERE id = 1 AND token = $1",
        )
        .bind(&lease.held.0)
        .execute(&self.inner.writer)
        .await
        .map_err(failed("releasing the writer's lease"))?;
        Ok(())
    }

    /// Renews the lease until the returned set is dropped.
    fn keep_alive(&self, token: String) -> JoinSet<()> {
        let (writer, clock) = (self.inner.writer.clone(), self.inner.clock.clone());
        let mut task = JoinSet::new();
        task.spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                let renewed = sqlx::query("UPDATE writer_lease SET expires_at = $1 WHERE id = 1 AND token = $2")
                    .bind(micros(clock.now() + LIFETIME))
                    .bind(&token)
                    .execute(&writer)
                    .await;
                match renewed {
                    Ok(done) if done.rows_affected() == 0 => return, // released, or another's: its fence tells the holder
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "the writer's lease could not be renewed"),
                }
            }
        });
        task
    }
}

/// Stops a transaction whose lease belongs to somebody else by now.
pub(super) async fn check_fence(tx: &mut Transaction<'_, Sqlite>, lease: &Lease) -> Result<()> {
    let mine: Option<i64> =
        sqlx::query_scalar("SELECT fence FROM writer_lease WHERE id = 1 AND fence = $1 AND token = $2")
            .bind(lease.fence)
            .bind(&lease.held.0)
            .fetch_optional(&mut **tx)
            .await
            .map_err(failed("checking the writer's lease"))?;
    if mine.is_some() {
        return Ok(());
    }
    Err(Error::new(Code::Busy, "The writer's lease was lost to another process; this step changed nothing."))
}
