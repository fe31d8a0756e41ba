//! Snapshots: the pinned version of every table after one publication, and the head that new statements take.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};

use super::{Catalog, failed, json, time};
use crate::error::Result;

/// A snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotRow {
    /// Rises from 1.
    pub id: i64,
    /// The publication that made it.
    pub publication: i64,
    /// The head before it.
    pub parent: Option<i64>,
    /// As-of date: days since 1970-01-01.
    pub business_date: i32,
    /// Delta version per table.
    pub tables: BTreeMap<String, i64>,
    /// Small facts about it: rows per table, completeness, tie-outs.
    pub facts: serde_json::Value,
    /// When it was published.
    pub created_at: Timestamp,
}

impl FromRow<'_, SqliteRow> for SnapshotRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            publication: row.try_get("publication")?,
            parent: row.try_get("parent")?,
            business_date: row.try_get("business_date")?,
            tables: json(row, "tables")?,
            facts: json(row, "facts")?,
            created_at: time(row, "created_at")?,
        })
    }
}

impl Catalog {
    /// The id of the snapshot that new statements pin; none before the first load.
    pub async fn head_id(&self) -> Result<Option<i64>> {
        sqlx::query_scalar("SELECT snapshot_id FROM warehouse_head WHERE snapshot_id IS NOT NULL")
            .fetch_optional(self.readers())
            .await
            .map_err(failed("reading the head snapshot"))
    }

    /// The snapshot that new statements pin; none before the first load.
    pub async fn head(&self) -> Result<Option<SnapshotRow>> {
        match self.head_id().await? {
            Some(id) => self.snapshot(id).await,
            None => Ok(None),
        }
    }

    /// The snapshot of this id.
    pub async fn snapshot(&self, id: i64) -> Result<Option<SnapshotRow>> {
        sqlx::query_as("SELECT * FROM snapshot WHERE id = $1")
            .bind(id)
            .fetch_optional(self.readers())
            .await
            .map_err(failed("reading a snapshot"))
    }

    /// All snapshots, oldest first.
    pub async fn snapshots(&self) -> Result<Vec<SnapshotRow>> {
        sqlx::query_as("SELECT * FROM snapshot ORDER BY id")
            .fetch_all(self.readers())
            .await
            .map_err(failed("reading the snapshots"))
    }
}
