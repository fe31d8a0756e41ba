//! Batches: numbered deliveries of a node, and what became of them.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};

use super::{Catalog, failed, json, micros, optional_time, time};
use crate::error::{Code, Error, Result};

/// Which batch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct BatchKey {
    /// Who delivers.
    pub node: String,
    /// 1, 2, 3 ... per node.
    pub number: i64,
}

/// A batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchRow {
    pub key: BatchKey,
    /// SHA-256 of the feed file, hexadecimal.
    pub feed_sha256: String,
    /// SHA-256 over the feed and its data files, hexadecimal: the same number with other content is a conflict.
    pub content_sha256: String,
    /// Days since 1970-01-01.
    pub business_date: i32,
    /// The system the data come from.
    pub source: String,
    /// `received`, `held`, `refused` or `published`.
    pub state: String,
    /// What became of it, for the person who delivered it.
    pub message: String,
    pub rows_delivered: i64,
    pub rows_loaded: i64,
    pub rows_unchanged: i64,
    pub rows_rejected: i64,
    /// The snapshot it came in with; set when and only when it is published.
    pub snapshot_id: Option<i64>,
    pub received_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// Per data file: name, hash, rows.
    pub files: serde_json::Value,
}

impl FromRow<'_, SqliteRow> for BatchRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            key: BatchKey { node: row.try_get("node")?, number: row.try_get("number")? },
            feed_sha256: row.try_get("feed_sha256")?,
            content_sha256: row.try_get("content_sha256")?,
            business_date: row.try_get("business_date")?,
            source: row.try_get("source")?,
            state: row.try_get("state")?,
            message: row.try_get("message")?,
            rows_delivered: row.try_get("rows_delivered")?,
            rows_loaded: row.try_get("rows_loaded")?,
            rows_unchanged: row.try_get("rows_unchanged")?,
            rows_rejected: row.try_get("rows_rejected")?,
            snapshot_id: row.try_get("snapshot_id")?,
            received_at: time(row, "received_at")?,
            finished_at: optional_time(row, "finished_at")?,
            files: json(row, "files")?,
        })
    }
}

impl Catalog {
    /// The batch of this key.
    pub async fn batch(&self, key: &BatchKey) -> Result<Option<BatchRow>> {
        sqlx::query_as("SELECT * FROM batch WHERE node = $1 AND number = $2")
            .bind(&key.node)
            .bind(key.number)
            .fetch_optional(self.readers())
            .await
            .map_err(failed("reading a batch"))
    }

    /// All batches, by node and number.
    pub async fn batches(&self) -> Result<Vec<BatchRow>> {
        sqlx::query_as("SELECT * FROM batch ORDER BY node, number")
            .fetch_all(self.readers())
            .await
            .map_err(failed("reading the batches"))
    }

    /// Writes what is known of a batch that is not published. Only [`Catalog::publish`] makes one `published`, together with
    /// its snapshot, and a published one never changes again.
    ///
    /// Errors: `CONFLICT` when the batch is published already; `INTERNAL` when the row says so itself.
    pub async fn upsert_batch(&self, row: &BatchRow) -> Result<()> {
        let doing = failed("writing a batch");
        if row.state == "published" || row.snapshot_id.is_some() {
            return Err(Error::new(Code::Internal, "A batch becomes published with its snapshot, not by itself."));
        }
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "INSERT INTO batch (node, number, feed_sha256, content_sha256, business_date, source, state, message, \
               rows_delivered, rows_loaded, rows_unchanged, rows_rejected, received_at, finished_at, files) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
             ON CONFLICT (node, number) DO UPDATE SET feed_sha256 = excluded.feed_sha256, \
               content_sha256 = excluded.content_sha256, business_date = excluded.business_date, \
               source = excluded.source, state = excluded.state, message = excluded.message, \
               rows_delivered = excluded.rows_delivered, rows_loaded = excluded.rows_loaded, \
               rows_unchanged = excluded.rows_unchanged, rows_rejected = excluded.rows_rejected, \
               received_at = excluded.received_at, finished_at = excluded.finished_at, files = excluded.files \
             WHERE batch.state <> 'published'",
        )
        .bind(&row.key.node)
        .bind(row.key.number)
        .bind(&row.feed_sha256)
        .bind(&row.content_sha256)
        .bind(row.business_date)
        .bind(&row.source)
        .bind(&row.state)
        .bind(&row.message)
        .bind(row.rows_delivered)
        .bind(row.rows_loaded)
        .bind(row.rows_unchanged)
        .bind(row.rows_rejected)
        .bind(micros(row.received_at))
        .bind(row.finished_at.map(micros))
        .bind(row.files.to_string())
        .execute(&mut *tx)
        .await
        .map_err(&doing)?;
        if done.rows_affected() == 0 {
            return Err(Error::new(
                Code::Conflict,
                format!("Batch {} of `{}` is published and does not change.", row.key.number, row.key.node),
            ));
        }
        tx.commit().await.map_err(&doing)
    }

    /// The highest published batch number of a node; none before its first.
    pub async fn last_published_batch(&self, node: &str) -> Result<Option<i64>> {
        sqlx::query_scalar("SELECT max(number) FROM batch WHERE node = $1 AND state = 'published'")
            .bind(node)
            .fetch_one(self.readers())
            .await
            .map_err(failed("reading a node's batches"))
    }
}
