//! Records of the evaluation: documents whose every version stays.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row, Sqlite, Transaction};

use super::{Catalog, failed, json, micros, time};
use crate::error::{Code, Error, Result};

/// A version of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordRow {
    /// Rises with each row of any record.
    pub seq: i64,
    pub kind: String,
    /// Names the record within its kind.
    pub id: String,
    /// 1, 2 …
    pub version: u32,
    /// Whose it is: a branch's key, or the schema of head office.
    pub organisation: String,
    pub body: serde_json::Value,
    /// Why it was written; may be empty.
    pub reason: String,
    pub recorded_by: String,
    pub recorded_at: Timestamp,
}

impl FromRow<'_, SqliteRow> for RecordRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            seq: row.try_get("seq")?,
            kind: row.try_get("kind")?,
            id: row.try_get("id")?,
            version: row.try_get("version")?,
            organisation: row.try_get("organisation")?,
            body: json(row, "body")?,
            reason: row.try_get("reason")?,
            recorded_by: row.try_get("recorded_by")?,
            recorded_at: time(row, "recorded_at")?,
        })
    }
}

/// A version to be added.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRecord {
    pub kind: &'static str,
    pub id: String,
    /// The version that its writer saw; 0 for a record that is new.
    pub after: u32,
    pub organisation: String,
    pub body: serde_json::Value,
    pub reason: String,
    pub recorded_by: String,
    /// What no other record may stand on.
    pub claims: Vec<String>,
}

/// What became of versions to be added: all of them, or none.
#[derive(Debug, Clone, PartialEq)]
pub enum Recorded {
    /// They stand there, in order.
    Kept(Vec<RecordRow>),
    /// Somebody wrote first: the newest version of the record that stood in the way.
    Outdated(Box<RecordRow>),
    /// What one of them claims belongs to another record.
    Claimed { claim: String, kind: String, id: String },
}

impl Catalog {
    /// Adds versions in one transaction. A version that says what the newest says already, by the same writer, adds nothing: a
    /// request that is sent again does no harm.
    pub async fn add_records(&self, records: &[NewRecord]) -> Result<Recorded> {
        let mut tx = self.write().await?;
        let mut kept = Vec::with_capacity(records.len());
        for record in records {
            let newest = newest(&mut tx, record.kind, &record.id).await.map_err(failed("reading a record"))?;
            if newest.is_none() && record.after > 0 {
                let text = format!("There is no {} `{}`.", record.kind, record.id);
                return Err(Error::new(Code::NoSuchObject, text));
            }
            if let Some(newest) = newest {
                let same = newest.body == record.body && newest.recorded_by == record.recorded_by;
                if same && newest.organisation == record.organisation {
                    kept.push(newest);
                    continue;
                }
                if newest.version != record.after {
                    return Ok(Recorded::Outdated(Box::new(newest)));
                }
            }
            sqlx::query("DELETE FROM record_claim WHERE kind = $1 AND id = $2")
                .bind(record.kind)
                .bind(&record.id)
                .execute(&mut *tx)
                .await
                .map_err(failed("releasing claims"))?;
            for claim in &record.claims {
                let holder: Option<(String, String)> =
                    sqlx::query_as("SELECT kind, id FROM record_claim WHERE name = $1")
                        .bind(claim)
                        .fetch_optional(&mut *tx)
                        .await
                        .map_err(failed("reading a claim"))?;
                if let Some((kind, id)) = holder {
                    return Ok(Recorded::Claimed { claim: claim.clone(), kind, id });
                }
                sqlx::query("INSERT INTO record_claim (name, kind, id) VALUES ($1, $2, $3)")
                    .bind(claim)
                    .bind(record.kind)
                    .bind(&record.id)
                    .execute(&mut *tx)
                    .await
                    .map_err(failed("claiming"))?;
            }
            let row = sqlx::query_as(
                "INSERT INTO record (kind, id, version, organisation, body, reason, recorded_by, recorded_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *",
            )
            .bind(record.kind)
            .bind(&record.id)
            .bind(record.after + 1)
            .bind(&record.organisation)
            .bind(record.body.to_string())
            .bind(&record.reason)
            .bind(&record.recorded_by)
            .bind(micros(self.now()))
            .fetch_one(&mut *tx)
            .await
            .map_err(failed("adding a record"))?;
            kept.push(row);
        }
        tx.commit().await.map_err(failed("adding records"))?;
        Ok(Recorded::Kept(kept))
    }

    /// Every version of every record, in the order of writing.
    pub async fn records(&self) -> Result<Vec<RecordRow>> {
        sqlx::query_as("SELECT * FROM record ORDER BY seq")
            .fetch_all(self.readers())
            .await
            .map_err(failed("reading the records"))
    }
}

async fn newest(tx: &mut Transaction<'_, Sqlite>, kind: &str, id: &str) -> sqlx::Result<Option<RecordRow>> {
    sqlx::query_as("SELECT * FROM record WHERE kind = $1 AND id = $2 ORDER BY version DESC LIMIT 1")
        .bind(kind)
        .bind(id)
        .fetch_optional(&mut **tx)
        .await
}
