//! Notices: what people are told besides editions. A notice is written once for what it is about, in one transaction with the
//! sendings that follow from it; those are rows of the same ledger as the deliveries of editions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row, Sqlite, Transaction};

use super::deliveries::{self, DeliveryRow};
use super::{Catalog, failed, json, micros, optional_json, time};
use crate::error::{Error, Result};

/// A notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRow {
    /// Of what it is about, hexadecimal: the same thing is told once.
    pub id: String,
    /// `deadline` or `alert`.
    pub kind: String,
    /// The report that it is about.
    pub report: String,
    /// The schema that it tells of; whoever may not see all of that is not told.
    pub scope: String,
    /// Who is told: logins with one of these roles; empty: everybody who may open the report.
    pub roles: Vec<String>,
    /// What those who are told must be allowed to see; none where it holds no figure.
    pub reading: Option<serde_json::Value>,
    /// What it says, by language tag.
    pub texts: BTreeMap<String, NoticeText>,
    /// Where to look: a URL.
    pub link: String,
    pub created_at: Timestamp,
}

/// What a notice says in one language. Finished words, each without a line break.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeText {
    /// One line: the subject of a mail.
    pub subject: String,
    /// Sentences, a paragraph each.
    pub paragraphs: Vec<String>,
    /// A list below them.
    pub items: Vec<String>,
}

impl FromRow<'_, SqliteRow> for NoticeRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            kind: row.try_get("kind")?,
            report: row.try_get("report")?,
            scope: row.try_get("scope")?,
            roles: json(row, "roles")?,
            reading: optional_json(row, "reading")?,
            texts: json(row, "texts")?,
            link: row.try_get("link")?,
            created_at: time(row, "created_at")?,
        })
    }
}

impl Catalog {
    /// Writes notices, each with its sendings, all or none; how many were new. What was told before is not told again.
    pub async fn tell(&self, notices: &[(NoticeRow, Vec<DeliveryRow>)]) -> Result<usize> {
        let mut tx = self.write().await?;
        let mut new = 0;
        for (notice, sendings) in notices {
            new += usize::from(insert(&mut tx, notice, sendings).await?);
        }
        tx.commit().await.map_err(failed("writing a notice"))?;
        Ok(new)
    }

    /// Whether something was told already. A look that writes nothing.
    pub async fn has_notice(&self, id: &str) -> Result<bool> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM notice WHERE id = $1)")
            .bind(id)
            .fetch_one(self.readers())
            .await
            .map_err(failed("looking for a notice"))
    }

    /// The notice of this id.
    pub async fn notice(&self, id: &str) -> Result<Option<NoticeRow>> {
        sqlx::query_as("SELECT * FROM notice WHERE id = $1")
            .bind(id)
            .fetch_optional(self.readers())
            .await
            .map_err(failed("reading a notice"))
    }
}

/// Writes a notice with its sendings, within a change that it belongs to; whether it is new.
pub(super) async fn insert(
    tx: &mut Transaction<'_, Sqlite>,
    notice: &NoticeRow,
    sendings: &[DeliveryRow],
) -> Result<bool> {
    let written = |error| Error::internal("a notice cannot be written as JSON", error);
    let done = sqlx::query(
        "INSERT INTO notice (id, kind, report, scope, roles, texts, link, created_at, reading) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT DO NOTHING",
    )
    .bind(&notice.id)
    .bind(&notice.kind)
    .bind(&notice.report)
    .bind(&notice.scope)
    .bind(serde_json::to_string(&notice.roles).map_err(written)?)
    .bind(serde_json::to_string(&notice.texts).map_err(written)?)
    .bind(&notice.link)
    .bind(micros(notice.created_at))
    .bind(notice.reading.as_ref().map(serde_json::Value::to_string))
    .execute(&mut **tx)
    .await
    .map_err(failed("writing a notice"))?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    for row in sendings {
        deliveries::insert(tx, row).await.map_err(failed("planning a delivery"))?;
    }
    Ok(true)
}
