//! Access tokens `cth_<id>_<secret>` and sessions `cts_<secret>`: 256 random bits each, of which only SHA-256 is kept.
//!
//! A plain hash is enough here and Argon2 would be waste: there is nothing to guess in 256 random bits.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use subtle::ConstantTimeEq;

use super::{Auth, Principal, principal_of, sha256_hex, wrong_credentials};
use crate::catalog::{SessionRow, TokenRow, UserRow, operator, random_hex};
use crate::error::{Code, Error, Result};

/// Days a token lasts at most.
const LONGEST_DAYS: i64 = 90;
/// A browser's session ends when it was not used for so long.
const BROWSER_IDLE: SignedDuration = SignedDuration::from_mins(30);
/// "Last used" is kept to within this, so that not every request writes.
const TOUCH_EVERY: SignedDuration = SignedDuration::from_mins(1);

impl Auth {
    /// Makes an access token and returns it; it cannot be shown again.
    ///
    /// Errors: `NO_SUCH_OBJECT` for an unknown user, `BAD_REQUEST` unless 1 ≤ `days` ≤ 90.
    pub async fn create_token(&self, user: &str, label: &str, days: i64) -> Result<String> {
        if !(1..=LONGEST_DAYS).contains(&days) {
            return Err(Error::new(Code::BadRequest, format!("A token lasts 1 to {LONGEST_DAYS} days.")));
        }
        let user = self.user(user).await?;
        let (id, secret) = (random_hex(8)?, random_hex(32)?);
        let now = self.clock.now();
        let row = TokenRow {
            id: id.clone(),
            user: user.name,
            secret_sha256: sha256_hex(secret.as_bytes()),
            label: label.to_owned(),
            created_at: now,
            expires_at: now + SignedDuration::from_hours(24 * days),
            last_used_at: None,
            revoked: false,
        };
        self.catalog.insert_token(&row).await?;
        let detail = json!({"by": operator(), "token": id, "label": label, "expires_at": row.expires_at.to_string()});
        self.catalog.audit("token_created", &row.user, detail).await?;
        Ok(format!("cth_{id}_{secret}"))
    }

    /// Logs in by an access token or a session.
    ///
    /// Errors: `TOKEN`, one text for every reason.
    pub async fn login_token(&self, token: &str) -> Result<Principal> {
        if token.starts_with("cts_") {
            return self.session(token).await;
        }
        let Some((id, secret)) = token.strip_prefix("cth_").and_then(|rest| rest.split_once('_')) else {
            return Err(wrong_credentials());
        };
        let now = self.clock.now();
        let row = self.catalog.token_and_login(id).await?;
        // An unknown id is compared too, with a hash that nothing has.
        let stored = row.as_ref().map_or("0".repeat(64), |(row, _)| row.secret_sha256.clone());
        let equal: bool = stored.as_bytes().ct_eq(sha256_hex(secret.as_bytes()).as_bytes()).into();
        let holds = |(row, user): &(TokenRow, UserRow)| equal && !row.revoked && row.expires_at > now && !user.disabled;
        let Some((row, user)) = row.filter(holds) else {
            return Err(wrong_credentials());
        };
        let principal = principal_of(user)?;
        if row.last_used_at.is_none_or(|at| at + TOUCH_EVERY <= now) {
            self.catalog.touch_token(&row.id, now).await?;
        }
        Ok(principal)
    }

    /// Opens a session for a program (a Flight connection): it ends after the session hours.
    pub async fn open_session(&self, principal: &Principal) -> Result<String> {
        self.new_session(principal, None).await
    }

    /// Opens a session for a browser: it ends after the session hours, or 30 minutes without use.
    pub async fn open_browser_session(&self, principal: &Principal) -> Result<String> {
        self.new_session(principal, Some(BROWSER_IDLE)).await
    }

    /// Whose session this is.
    ///
    /// Errors: `TOKEN`, one text for every reason.
    pub async fn session(&self, session: &str) -> Result<Principal> {
        if !session.starts_with("cts_") {
            return Err(wrong_credentials());
        }
        let now = self.clock.now();
        let Some(row) = self.catalog.session(&sha256_hex(session.as_bytes())).await? else {
            return Err(wrong_credentials());
        };
        if row.expires_at <= now || idle_until(&row).is_some_and(|until| until <= now) {
            self.catalog.delete_session(&row.sha256).await?;
            return Err(wrong_credentials());
        }
        let principal = self.enabled(&row.user).await?;
        if row.last_seen_at + TOUCH_EVERY <= now {
            self.catalog.touch_session(&row.sha256, now).await?;
        }
        Ok(principal)
    }

    /// Ends a session. One that is unknown has ended already.
    pub async fn close_session(&self, session: &str) -> Result<()> {
        self.catalog.delete_session(&sha256_hex(session.as_bytes())).await
    }

    async fn new_session(&self, principal: &Principal, idle: Option<SignedDuration>) -> Result<String> {
        let session = format!("cts_{}", random_hex(32)?);
        let now = self.clock.now();
        let hours = i64::try_from(self.session_hours).unwrap_or(12);
        let row = SessionRow {
            sha256: sha256_hex(session.as_bytes()),
            user: principal.name.clone(),
            created_at: now,
            last_seen_at: now,
            expires_at: now + SignedDuration::from_hours(hours),
            idle_seconds: idle.map(|idle| idle.as_secs()),
        };
        self.catalog.insert_session(&row).await?;
        Ok(session)
    }

    /// Today's rights of a login, unless it is disabled.
    async fn enabled(&self, name: &str) -> Result<Principal> {
        let user = self.catalog.user(name).await?.filter(|user| !user.disabled);
        principal_of(user.ok_or_else(wrong_credentials)?)
    }
}

fn idle_until(row: &SessionRow) -> Option<Timestamp> {
    row.idle_seconds.map(|seconds| row.last_seen_at + SignedDuration::from_secs(seconds))
}
