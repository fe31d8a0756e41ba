//! Logins and their access tokens. Rows only: what a password, a role or a token is worth stands in `auth`.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};

use super::{Catalog, failed, is_duplicate, json, micros, optional_time, time};
use crate::error::{Code, Error, Result};

/// A login.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRow {
    pub name: String,
    /// PHC string; none: no login by password.
    pub password_hash: Option<String>,
    pub roles: Vec<String>,
    /// Text form of `auth::Scope`.
    pub scope: String,
    pub disabled: bool,
    /// Who it is at an OpenID provider; none: a login of this server's own.
    pub subject: Option<String>,
    /// Where editions are mailed to.
    pub email: Option<String>,
    pub created_at: Timestamp,
}

// Written out so that a hash never reaches a log.
impl std::fmt::Debug for UserRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRow")
            .field("name", &self.name)
            .field("roles", &self.roles)
            .field("scope", &self.scope)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}

impl FromRow<'_, SqliteRow> for UserRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Self::read(row, "created_at")
    }
}

impl UserRow {
    fn read(row: &SqliteRow, created_at: &str) -> sqlx::Result<Self> {
        Ok(Self {
            name: row.try_get("name")?,
            password_hash: row.try_get("password_hash")?,
            roles: json(row, "roles")?,
            scope: row.try_get("scope")?,
            disabled: row.try_get("disabled")?,
            subject: row.try_get("subject")?,
            email: row.try_get("email")?,
            created_at: time(row, created_at)?,
        })
    }
}

/// An access token. Its secret is not among the fields: only a hash of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    pub id: String,
    pub user: String,
    /// Hexadecimal.
    pub secret_sha256: String,
    /// What it is for.
    pub label: String,
    /// JSON form of `auth::TokenScope`.
    pub scope: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// To within a minute.
    pub last_used_at: Option<Timestamp>,
    pub revoked: bool,
}

impl FromRow<'_, SqliteRow> for TokenRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Self::read(row, "scope")
    }
}

impl TokenRow {
    fn read(row: &SqliteRow, scope: &str) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            user: row.try_get("login")?,
            secret_sha256: row.try_get("secret_sha256")?,
            label: row.try_get("label")?,
            scope: row.try_get(scope)?,
            created_at: time(row, "created_at")?,
            expires_at: time(row, "expires_at")?,
            last_used_at: optional_time(row, "last_used_at")?,
            revoked: row.try_get("revoked")?,
        })
    }
}

impl Catalog {
    /// Adds a login.
    ///
    /// Errors: `CONFLICT` when the name is taken.
    pub async fn insert_user(&self, row: &UserRow) -> Result<()> {
        sqlx::query(
            "INSERT INTO login (name, password_hash, roles, scope, disabled, created_at, subject, email) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&row.name)
        .bind(&row.password_hash)
        .bind(serde_json::json!(row.roles).to_string())
        .bind(&row.scope)
        .bind(row.disabled)
        .bind(micros(row.created_at))
        .bind(&row.subject)
        .bind(&row.email)
        .execute(&self.inner.writer)
        .await
        .map_err(|cause| match is_duplicate(&cause) {
            true => Error::new(Code::Conflict, format!("There is a user `{}` already.", row.name)),
            false => failed("adding a user")(cause),
        })?;
        Ok(())
    }

    /// Changes everything of a login but its name and age. Its sessions end when it is disabled.
    ///
    /// Errors: `NO_SUCH_OBJECT` when there is none of this name.
    pub async fn update_user(&self, row: &UserRow) -> Result<()> {
        let doing = failed("changing a user");
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "UPDATE login SET password_hash = $1, roles = $2, scope = $3, disabled = $4, email = $5 WHERE name = $6",
        )
        .bind(&row.password_hash)
        .bind(serde_json::json!(row.roles).to_string())
        .bind(&row.scope)
        .bind(row.disabled)
        .bind(&row.email)
        .bind(&row.name)
        .execute(&mut *tx)
        .await
        .map_err(&doing)?;
        if done.rows_affected() == 0 {
            return Err(Error::new(Code::NoSuchObject, format!("There is no user `{}`.", row.name)));
        }
        if row.disabled {
            sqlx::query("DELETE FROM session WHERE login = $1")
                .bind(&row.name)
                .execute(&mut *tx)
                .await
                .map_err(&doing)?;
        }
        tx.commit().await.map_err(&doing)
    }

    /// Changes roles and scope of a login and nothing else: who disables it meanwhile has done so.
    pub async fn update_rights(&self, name: &str, roles: &[String], scope: &str) -> Result<()> {
        sqlx::query("UPDATE login SET roles = $1, scope = $2 WHERE name = $3")
            .bind(serde_json::json!(roles).to_string())
            .bind(scope)
            .bind(name)
            .execute(&self.inner.writer)
            .await
            .map_err(failed("changing a user"))?;
        Ok(())
    }

    /// Replaces one password hash by another of the same password, unless it was changed meanwhile.
    pub async fn renew_password_hash(&self, name: &str, old: &str, new: &str) -> Result<()> {
        sqlx::query("UPDATE login SET password_hash = $1 WHERE name = $2 AND password_hash = $3")
            .bind(new)
            .bind(name)
            .bind(old)
            .execute(&self.inner.writer)
            .await
            .map_err(failed("renewing a password hash"))?;
        Ok(())
    }

    /// The login of this name.
    pub async fn user(&self, name: &str) -> Result<Option<UserRow>> {
        sqlx::query_as("SELECT * FROM login WHERE name = $1")
            .bind(name)
            .fetch_optional(self.readers())
            .await
            .map_err(failed("reading a user"))
    }

    /// The login that an OpenID provider knows as this.
    pub async fn user_of_subject(&self, subject: &str) -> Result<Option<UserRow>> {
        sqlx::query_as("SELECT * FROM login WHERE subject = $1")
            .bind(subject)
            .fetch_optional(self.readers())
            .await
            .map_err(failed("reading a user"))
    }

    /// All logins, by name.
    pub async fn users(&self) -> Result<Vec<UserRow>> {
        sqlx::query_as("SELECT * FROM login ORDER BY name")
            .fetch_all(self.readers())
            .await
            .map_err(failed("reading the users"))
    }

    /// Adds a token.
    pub async fn insert_token(&self, row: &TokenRow) -> Result<()> {
        sqlx::query(
            "INSERT INTO access_token (id, login, secret_sha256, label, created_at, expires_at, last_used_at, revoked, scope) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&row.id)
        .bind(&row.user)
        .bind(&row.secret_sha256)
        .bind(&row.label)
        .bind(micros(row.created_at))
        .bind(micros(row.expires_at))
        .bind(row.last_used_at.map(micros))
        .bind(row.revoked)
        .bind(&row.scope)
        .execute(&self.inner.writer)
        .await
        .map_err(failed("adding a token"))?;
        Ok(())
    }

    /// The token of this id with its login: every call of a tool asks for both.
    pub async fn token_and_login(&self, id: &str) -> Result<Option<(TokenRow, UserRow)>> {
        let query = sqlx::query(
            "SELECT login.name, login.password_hash, login.roles, login.scope, login.disabled, login.subject, login.email, \
               login.created_at AS login_created_at, access_token.id, access_token.login, access_token.secret_sha256, \
               access_token.label, access_token.scope AS token_scope, access_token.created_at, \
               access_token.expires_at, access_token.last_used_at, access_token.revoked \
             FROM access_token JOIN login ON login.name = access_token.login WHERE access_token.id = $1",
        );
        let both =
            |row: SqliteRow| Ok((TokenRow::read(&row, "token_scope")?, UserRow::read(&row, "login_created_at")?));
        query.bind(id).try_map(both).fetch_optional(self.readers()).await.map_err(failed("reading a token"))
    }

    /// Tokens of one user, or of all, oldest first.
    pub async fn tokens(&self, user: Option<&str>) -> Result<Vec<TokenRow>> {
        sqlx::query_as("SELECT * FROM access_token WHERE $1 IS NULL OR login = $1 ORDER BY created_at, id")
            .bind(user)
            .fetch_all(self.readers())
            .await
            .map_err(failed("reading the tokens"))
    }

    /// Revokes a token for good; says whether there is one of this id.
    pub async fn revoke_token(&self, id: &str) -> Result<bool> {
        let done = sqlx::query("UPDATE access_token SET revoked = 1 WHERE id = $1")
            .bind(id)
            .execute(&self.inner.writer)
            .await
            .map_err(failed("revoking a token"))?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes when a token was last used.
    pub async fn touch_token(&self, id: &str, at: Timestamp) -> Result<()> {
        sqlx::query("UPDATE access_token SET last_used_at = $1 WHERE id = $2")
            .bind(micros(at))
            .bind(id)
            .execute(&self.inner.writer)
            .await
            .map_err(failed("noting a token's use"))?;
        Ok(())
    }
}
