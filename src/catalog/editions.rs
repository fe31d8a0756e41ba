//! Editions: frozen reports. A row is added with everything that belongs to it, and never changed but for the end of its files.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Executor, FromRow, QueryBuilder, Row, Sqlite, Transaction};

use super::{Catalog, failed, json, micros, optional_time, time};
use crate::error::Result;

/// An edition.
#[derive(Debug, Clone, PartialEq)]
pub struct EditionRow {
    /// SHA-256 of its manifest, hexadecimal.
    pub id: String,
    pub report: String,
    /// As in its link: a schema, and after `~` eight digits where it was not made with the schedule's own rights.
    pub scope: String,
    /// As in its link: `2026-10`, `2026-q3`, `2026`, `2026-10-31`.
    pub period: String,
    /// 1, 2 … within report, scope and period.
    pub version: u32,
    /// The schedule that published it: `report/id`.
    pub schedule: String,
    /// What decided its figures, hexadecimal.
    pub run_key: String,
    pub snapshot_id: i64,
    /// Days since 1970-01-01.
    pub as_of: i32,
    pub published_at: Timestamp,
    /// What its readers must be allowed to see.
    pub reading: serde_json::Value,
    /// The manifest, byte for byte.
    pub manifest: String,
    /// Cells that differ from the version before; none for the first.
    pub changes: Option<i64>,
    /// Until when it is kept; none: for ever.
    pub keep_until: Option<Timestamp>,
    /// When its files were removed, and why.
    pub removed_at: Option<Timestamp>,
    pub removal: Option<String>,
}

impl FromRow<'_, SqliteRow> for EditionRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            report: row.try_get("report")?,
            scope: row.try_get("scope")?,
            period: row.try_get("period")?,
            version: row.try_get("version")?,
            schedule: row.try_get("schedule")?,
            run_key: row.try_get("run_key")?,
            snapshot_id: row.try_get("snapshot_id")?,
            as_of: row.try_get("as_of")?,
            published_at: time(row, "published_at")?,
            reading: json(row, "reading")?,
            manifest: row.try_get("manifest")?,
            changes: row.try_get("changes")?,
            keep_until: optional_time(row, "keep_until")?,
            removed_at: optional_time(row, "removed_at")?,
            removal: row.try_get("removal")?,
        })
    }
}

/// Which editions are asked for; what is none does not narrow.
#[derive(Debug, Clone, Default)]
pub struct EditionFilter {
    pub report: Option<String>,
    pub scope: Option<String>,
    pub period: Option<String>,
    /// Of these schemas: the scope without what stands after `~`.
    pub schemas: Option<BTreeSet<String>>,
    /// At most so many, the newest.
    pub limit: Option<u32>,
}

impl Catalog {
    /// The edition of this hash.
    pub async fn edition(&self, id: &str) -> Result<Option<EditionRow>> {
        sqlx::query_as("SELECT * FROM edition WHERE id = $1")
            .bind(id)
            .fetch_optional(self.readers())
            .await
            .map_err(failed("reading an edition"))
    }

    /// Editions, the newest period and version first.
    pub async fn editions(&self, filter: &EditionFilter) -> Result<Vec<EditionRow>> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM edition WHERE 1 = 1");
        let named = [("report", &filter.report), ("scope", &filter.scope), ("period", &filter.period)];
        for (column, value) in named {
            if let Some(value) = value {
                query.push(format_args!(" AND {column} = ")).push_bind(value);
            }
        }
        if let Some(schemas) = &filter.schemas {
            query.push(" AND (FALSE");
            for schema in schemas {
                push_schema(query.push(" OR "), schema);
            }
            query.push(")");
        }
        query.push(" ORDER BY as_of DESC, period DESC, version DESC, published_at DESC, scope, report");
        query.push(" LIMIT ").push_bind(filter.limit.map_or(-1, i64::from));
        query.build_query_as().fetch_all(self.readers()).await.map_err(failed("reading the editions"))
    }

    /// The newest editions of a schema that are kept: those of the last day that there are any for, `before` a day where stated.
    /// The newest period and version first.
    pub async fn newest_editions(
        &self,
        report: &str,
        schema: &str,
        period: Option<&str>,
        before: Option<i32>,
    ) -> Result<Vec<EditionRow>> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM edition WHERE ");
        let narrow = |query: &mut QueryBuilder<Sqlite>| {
            query.push("removed_at IS NULL AND report = ").push_bind(report.to_owned()).push(" AND ");
            push_schema(query, schema);
            if let Some(period) = period {
                query.push(" AND period = ").push_bind(period.to_owned());
            }
        };
        narrow(&mut query);
        query.push(" AND as_of = (SELECT max(as_of) FROM edition WHERE ");
        narrow(&mut query);
        if let Some(before) = before {
            query.push(" AND as_of < ").push_bind(before);
        }
        query.push(") ORDER BY period DESC, version DESC, published_at DESC, scope");
        query.build_query_as().fetch_all(self.readers()).await.map_err(failed("reading the newest editions"))
    }

    /// The newest snapshot that a period of a report was published from; none where it was not.
    pub async fn newest_snapshot(&self, report: &str, period: &str) -> Result<Option<i64>> {
        newest_snapshot(self.readers(), report, period).await.map_err(failed("reading the newest edition"))
    }

    /// The hashes of all editions that there ever were.
    pub async fn edition_ids(&self) -> Result<BTreeSet<String>> {
        let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM edition")
            .fetch_all(self.readers())
            .await
            .map_err(failed("reading the editions"))?;
        Ok(ids.into_iter().collect())
    }

    /// Editions whose time is over and whose files still lie there.
    pub async fn expired_editions(&self) -> Result<Vec<EditionRow>> {
        sqlx::query_as("SELECT * FROM edition WHERE removed_at IS NULL AND keep_until <= $1 ORDER BY keep_until")
            .bind(micros(self.now()))
            .fetch_all(self.readers())
            .await
            .map_err(failed("reading expired editions"))
    }

    /// Records that an edition's files are gone. Its hash, run key and time stay.
    pub async fn end_edition(&self, id: &str, why: &str) -> Result<()> {
        sqlx::query("UPDATE edition SET removed_at = $2, removal = $3 WHERE id = $1 AND removed_at IS NULL")
            .bind(id)
            .bind(micros(self.now()))
            .bind(why)
            .execute(&self.inner.writer)
            .await
            .map_err(failed("ending an edition"))?;
        Ok(())
    }
}

/// The scopes of a schema: its own, and those with `~` and digits after it. A range, so that an index finds them.
fn push_schema(query: &mut QueryBuilder<Sqlite>, schema: &str) {
    query.push("(scope = ").push_bind(schema.to_owned());
    query.push(" OR scope >= ").push_bind(format!("{schema}~"));
    query.push(" AND scope < ").push_bind(format!("{schema}\u{7f}")).push(")");
}

pub(super) async fn newest_snapshot(
    from: impl Executor<'_, Database = Sqlite>,
    report: &str,
    period: &str,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("SELECT max(snapshot_id) FROM edition WHERE report = $1 AND period = $2")
        .bind(report)
        .bind(period)
        .fetch_one(from)
        .await
}

pub(super) async fn insert(tx: &mut Transaction<'_, Sqlite>, row: &EditionRow) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO edition (id, report, scope, period, version, schedule, run_key, snapshot_id, as_of, published_at, reading, \
         manifest, changes, keep_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(&row.id)
    .bind(&row.report)
    .bind(&row.scope)
    .bind(&row.period)
    .bind(row.version)
    .bind(&row.schedule)
    .bind(&row.run_key)
    .bind(row.snapshot_id)
    .bind(row.as_of)
    .bind(micros(row.published_at))
    .bind(row.reading.to_string())
    .bind(&row.manifest)
    .bind(row.changes)
    .bind(row.keep_until.map(micros))
    .execute(&mut **tx)
    .await?;
    Ok(())
}
