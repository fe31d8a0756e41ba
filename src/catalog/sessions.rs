//! Sessions: what a login by password leaves behind. Only the hash of the session's secret is kept.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};

use super::{Catalog, failed, micros, time};
use crate::error::Result;

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// SHA-256 of its secret, hexadecimal.
    pub sha256: String,
    pub user: String,
    /// When its user logged in: of a session that followed another, the first one's.
    pub created_at: Timestamp,
    /// To within a minute.
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
    /// It also ends when it was not used for so long.
    pub idle_seconds: Option<i64>,
    /// The token that it was opened with.
    pub token: Option<String>,
}

impl FromRow<'_, SqliteRow> for SessionRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            sha256: row.try_get("sha256")?,
            user: row.try_get("login")?,
            created_at: time(row, "created_at")?,
            last_seen_at: time(row, "last_seen_at")?,
            expires_at: time(row, "expires_at")?,
            idle_seconds: row.try_get("idle_seconds")?,
            token: row.try_get("token")?,
        })
    }
}

impl Catalog {
    /// Adds a session, and forgets those that have expired; whether it is there now. One that follows another (`after`, its hash) is
    /// added only while that one stands.
    pub async fn insert_session(&self, row: &SessionRow, after: Option<&str>) -> Result<bool> {
        let doing = failed("opening a session");
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM session WHERE expires_at <= $1")
            .bind(micros(self.now()))
            .execute(&mut *tx)
            .await
            .map_err(&doing)?;
        sqlx::query(
            "INSERT INTO session (sha256, login, created_at, last_seen_at, expires_at, idle_seconds, token) \
             SELECT $1, $2, $3, $4, $5, $6, $7 \
             WHERE $8 IS NULL OR EXISTS (SELECT 1 FROM session WHERE sha256 = $8) \
             ON CONFLICT (sha256) DO NOTHING",
        )
        .bind(&row.sha256)
        .bind(&row.user)
        .bind(micros(row.created_at))
        .bind(micros(row.last_seen_at))
        .bind(micros(row.expires_at))
        .bind(row.idle_seconds)
        .bind(&row.token)
        .bind(after)
        .execute(&mut *tx)
        .await
        .map_err(&doing)?;
        let there: Option<i64> = sqlx::query_scalar("SELECT 1 FROM session WHERE sha256 = $1")
            .bind(&row.sha256)
            .fetch_optional(&mut *tx)
            .await
            .map_err(&doing)?;
        tx.commit().await.map_err(&doing)?;
        Ok(there.is_some())
    }

    /// The session of this hash, expired or not.
    pub async fn session(&self, sha256: &str) -> Result<Option<SessionRow>> {
        sqlx::query_as("SELECT * FROM session WHERE sha256 = $1")
            .bind(sha256)
            .fetch_optional(self.readers())
            .await
            .map_err(failed("reading a session"))
    }

    /// Notes when a session was last used.
    pub async fn touch_session(&self, sha256: &str, at: Timestamp) -> Result<()> {
        sqlx::query("UPDATE session SET last_seen_at = $1 WHERE sha256 = $2")
            .bind(micros(at))
            .bind(sha256)
            .execute(&self.inner.writer)
            .await
            .map_err(failed("noting a session's use"))?;
        Ok(())
    }

    /// Ends a session.
    pub async fn delete_session(&self, sha256: &str) -> Result<()> {
        sqlx::query("DELETE FROM session WHERE sha256 = $1")
            .bind(sha256)
            .execute(&self.inner.writer)
            .await
            .map_err(failed("ending a session"))?;
        Ok(())
    }

    /// Ends all sessions of a user.
    pub async fn delete_sessions_of(&self, user: &str) -> Result<()> {
        sqlx::query("DELETE FROM session WHERE login = $1")
            .bind(user)
            .execute(&self.inner.writer)
            .await
            .map_err(failed("ending a user's sessions"))?;
        Ok(())
    }
}
