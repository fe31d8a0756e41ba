//! Publications: changes of the warehouse that stand or fall whole.
//!
//! `prepared` is the point from which recovery rolls forward, `published` the commit point. Both are single transactions under
//! the writer's fence, and both may be repeated: a writer that does not know whether its commit stood asks again and gets the
//! same answer.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row, Sqlite, Transaction};

use super::leases::check_fence;
use super::{BatchKey, Catalog, Lease, failed, micros, optional_time, time};
use crate::error::{Code, Error, Result};

/// A publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicationRow {
    /// Rises; a number is spent even if nothing came of it.
    pub number: i64,
    /// `load`, `refresh` ...
    pub kind: String,
    /// `prepared`, `committed`, `published` or `aborted`.
    pub state: String,
    /// Fence of the writer that prepared it.
    pub fence: i64,
    /// The head it starts from.
    pub parent: Option<i64>,
    /// What it is going to change: JSON, or the path of the intent file.
    pub intent: String,
    /// The snapshot it became.
    pub snapshot_id: Option<i64>,
    pub prepared_at: Timestamp,
    /// When it was published or aborted.
    pub finished_at: Option<Timestamp>,
}

impl FromRow<'_, SqliteRow> for PublicationRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            number: row.try_get("number")?,
            kind: row.try_get("kind")?,
            state: row.try_get("state")?,
            fence: row.try_get("fence")?,
            parent: row.try_get("parent")?,
            intent: row.try_get("intent")?,
            snapshot_id: row.try_get("snapshot_id")?,
            prepared_at: time(row, "prepared_at")?,
            finished_at: optional_time(row, "finished_at")?,
        })
    }
}

/// What the last step of a publication makes visible.
#[derive(Debug, Clone)]
pub struct NewSnapshot {
    /// As-of date: days since 1970-01-01.
    pub business_date: i32,
    /// Delta version per table: of every table, not only of the changed ones.
    pub tables: BTreeMap<String, i64>,
    /// Small facts about it: rows per table, completeness, tie-outs.
    pub facts: serde_json::Value,
    /// The batches that become `published` with it. Their rows exist already.
    pub batches: Vec<BatchKey>,
}

impl Catalog {
    /// A publication number that was never used.
    pub async fn next_publication_number(&self, lease: &Lease) -> Result<i64> {
        self.next_keys(lease, "publication", 1).await
    }

    /// Reserves `count` keys and returns the first; a sequence starts at 1. Keys that a dying writer took are gaps, which mean
    /// nothing.
    pub async fn next_keys(&self, lease: &Lease, sequence: &str, count: i64) -> Result<i64> {
        if count < 0 {
            return Err(Error::new(Code::Internal, format!("{count} keys of `{sequence}` were asked for.")));
        }
        let doing = failed("reserving keys");
        let mut tx = self.write().await?;
        check_fence(&mut tx, lease).await?;
        let next: i64 = sqlx::query_scalar(
            "INSERT INTO key_sequence (name, next) VALUES ($1, 1 + $2) \
             ON CONFLICT (name) DO UPDATE SET next = next + $2 RETURNING next",
        )
        .bind(sequence)
        .bind(count)
        .fetch_one(&mut *tx)
        .await
        .map_err(&doing)?;
        tx.commit().await.map_err(&doing)?;
        Ok(next - count)
    }

    /// Records what is going to be committed; from here recovery rolls forward. Repeating it with the same intent is allowed.
    ///
    /// Errors: `BUSY` when the lease was lost, `CONFLICT` when the head is not `parent`, another publication is open, or the
    /// number was used for something else.
    pub async fn prepare_publication(
        &self,
        lease: &Lease,
        number: i64,
        kind: &str,
        parent: Option<i64>,
        intent: &str,
    ) -> Result<()> {
        let doing = failed("preparing a publication");
        let mut tx = self.write().await?;
        check_fence(&mut tx, lease).await?;
        if let Some(known) = publication(&mut tx, number).await? {
            let same =
                known.state == "prepared" && known.kind == kind && known.parent == parent && known.intent == intent;
            return if same {
                Ok(())
            } else {
                Err(conflict(format!("Publication {number} is already {}.", known.state)))
            };
        }
        check_head(&mut tx, parent).await?;
        let open: Option<i64> =
            sqlx::query_scalar("SELECT number FROM publication WHERE state IN ('prepared', 'committed')")
                .fetch_optional(&mut *tx)
                .await
                .map_err(&doing)?;
        if let Some(open) = open {
            return Err(conflict(format!(
                "Publication {open} is open; it is finished or aborted before another starts."
            )));
        }
        sqlx::query(
            "INSERT INTO publication (number, kind, state, fence, parent, intent, prepared_at) \
             VALUES ($1, $2, 'prepared', $3, $4, $5, $6)",
        )
        .bind(number)
        .bind(kind)
        .bind(lease.fence)
        .bind(parent)
        .bind(intent)
        .bind(micros(self.now()))
        .execute(&mut *tx)
        .await
        .map_err(&doing)?;
        tx.commit().await.map_err(&doing)
    }

    /// The publication that was prepared and neither published nor aborted, if there is one.
    pub async fn open_publication(&self) -> Result<Option<PublicationRow>> {
        sqlx::query_as("SELECT * FROM publication WHERE state IN ('prepared', 'committed')")
            .fetch_optional(self.readers())
            .await
            .map_err(failed("reading the open publication"))
    }

    /// The commit point, one transaction: the snapshot stands, its batches are published, the head moves. Returns the snapshot's
    /// id; of a publication that is published already, the one it became.
    ///
    /// Errors: `BUSY` when the lease was lost, `CONFLICT` when the head moved, the publication is not prepared, or a batch is
    /// unknown or already published by another.
    pub async fn publish(&self, lease: &Lease, number: i64, new: NewSnapshot) -> Result<i64> {
        let doing = failed("publishing a snapshot");
        let now = micros(self.now());
        let encode = |cause: serde_json::Error| Error::internal("A snapshot cannot be written as JSON.", cause);
        let tables = serde_json::to_string(&new.tables).map_err(encode)?;
        let facts = serde_json::to_string(&new.facts).map_err(encode)?;
        let mut tx = self.write().await?;
        check_fence(&mut tx, lease).await?;
        let Some(row) = publication(&mut tx, number).await? else {
            return Err(conflict(format!("Publication {number} was not prepared.")));
        };
        match (row.state.as_str(), row.snapshot_id) {
            ("published", Some(id)) => return Ok(id),
            ("prepared" | "committed", _) => {}
            (state, _) => return Err(conflict(format!("Publication {number} is {state}."))),
        }
        check_head(&mut tx, row.parent).await?;
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO snapshot (publication, parent, business_date, tables, facts, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
        )
        .bind(number)
        .bind(row.parent)
        .bind(new.business_date)
        .bind(tables)
        .bind(facts)
        .bind(now)
        .fetch_one(&mut *tx)
        .await
        .map_err(&doing)?;
        for batch in &new.batches {
            let done = sqlx::query(
                "UPDATE batch SET state = 'published', snapshot_id = $1, finished_at = $2 \
                 WHERE node = $3 AND number = $4 AND state <> 'published'",
            )
            .bind(id)
            .bind(now)
            .bind(&batch.node)
            .bind(batch.number)
            .execute(&mut *tx)
            .await
            .map_err(&doing)?;
            if done.rows_affected() != 1 {
                return Err(conflict(format!(
                    "Batch {} of `{}` is unknown or published already.",
                    batch.number, batch.node
                )));
            }
        }
        sqlx::query("UPDATE publication SET state = 'published', snapshot_id = $1, finished_at = $2 WHERE number = $3")
            .bind(id)
            .bind(now)
            .bind(number)
            .execute(&mut *tx)
            .await
            .map_err(&doing)?;
        sqlx::query("UPDATE warehouse_head SET snapshot_id = $1 WHERE id = 1")
            .bind(id)
            .execute(&mut *tx)
            .await
            .map_err(&doing)?;
        tx.commit().await.map_err(&doing)?;
        Ok(id)
    }

    /// Gives a prepared publication up. Its number is spent; its batches stay what they were. Repeating it is allowed.
    ///
    /// Errors: `BUSY` when the lease was lost, `CONFLICT` when it is published or unknown.
    pub async fn abort_publication(&self, lease: &Lease, number: i64) -> Result<()> {
        let doing = failed("aborting a publication");
        let mut tx = self.write().await?;
        check_fence(&mut tx, lease).await?;
        match publication(&mut tx, number).await? {
            Some(row) if row.state == "aborted" => return Ok(()),
            Some(row) if row.state == "published" => {
                return Err(conflict(format!("Publication {number} is published and cannot be aborted.")));
            }
            Some(_) => {}
            None => return Err(conflict(format!("Publication {number} was not prepared."))),
        }
        sqlx::query("UPDATE publication SET state = 'aborted', finished_at = $1 WHERE number = $2")
            .bind(micros(self.now()))
            .bind(number)
            .execute(&mut *tx)
            .await
            .map_err(&doing)?;
        tx.commit().await.map_err(&doing)
    }
}

fn conflict(message: String) -> Error {
    Error::new(Code::Conflict, message)
}

async fn publication(tx: &mut Transaction<'_, Sqlite>, number: i64) -> Result<Option<PublicationRow>> {
    sqlx::query_as("SELECT * FROM publication WHERE number = $1")
        .bind(number)
        .fetch_optional(&mut **tx)
        .await
        .map_err(failed("reading a publication"))
}

async fn check_head(tx: &mut Transaction<'_, Sqlite>, parent: Option<i64>) -> Result<()> {
    let head: Option<i64> = sqlx::query_scalar("SELECT snapshot_id FROM warehouse_head WHERE id = 1")
        .fetch_one(&mut **tx)
        .await
        .map_err(failed("reading the head"))?;
    if head == parent {
        return Ok(());
    }
    let name = |id: Option<i64>| id.map_or("nothing".to_owned(), |id| format!("snapshot {id}"));
    Err(conflict(format!("The head is {}, this publication starts from {}.", name(head), name(parent))))
}
