//! Access tokens `cth_<id>_<secret>` and sessions `cts_<secret>`: 256 random bits each, of which only SHA-256 is kept.
//!
//! A plain hash is enough here and Argon2 would be waste: there is nothing to guess in 256 random bits.

use std::collections::BTreeSet;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;
use subtle::ConstantTimeEq;

use super::{Auth, Credential, Entry, Only, Peer, Principal, Via, principal_of, sha256_hex, wrong_credentials};
use crate::catalog::{SessionRow, TokenRow, UserRow, random_hex};
use crate::error::{Code, Error, Result};

/// Days a token lasts at most.
const LONGEST_DAYS: i64 = 90;
/// A browser's session ends when it was not used for so long.
const BROWSER_IDLE: SignedDuration = SignedDuration::from_mins(30);
/// "Last used" is kept to within this, so that not every request writes.
const TOUCH_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// What a token leaves of its login's rights. A token reads, whatever its login may do besides: logins, roles and running
/// statements are managed in a session or at the command line alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenScope {
    /// These cubes; all that the login has unless named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cubes: Option<BTreeSet<String>>,
    /// These reports, and no SQL; all that the login has unless named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reports: Option<BTreeSet<String>>,
    /// At these faces; all unless named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faces: Option<BTreeSet<Entry>>,
    /// From these networks, as `10.2.0.0/16`; from everywhere unless named. An unknown address is in none.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_texts", deserialize_with = "of_texts")]
    pub networks: Vec<IpNet>,
}

fn as_texts<S: Serializer>(networks: &[IpNet], to: S) -> std::result::Result<S::Ok, S::Error> {
    to.collect_seq(networks.iter().map(IpNet::to_string))
}

fn of_texts<'a, D: Deserializer<'a>>(from: D) -> std::result::Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
}

impl TokenScope {
    fn admits(&self, peer: Peer) -> bool {
        let here = |address| self.networks.iter().any(|network| network.contains(&address));
        self.faces.as_ref().is_none_or(|faces| faces.contains(&peer.entry))
            && (self.networks.is_empty() || peer.address.is_some_and(here))
    }
}

impl Auth {
    /// Makes an access token and returns it; it cannot be shown again.
    ///
    /// Errors: `NO_SUCH_OBJECT` for an unknown user, `BAD_REQUEST` unless 1 ≤ `days` ≤ 90.
    pub async fn create_token(&self, user: &str, label: &str, days: i64, scope: &TokenScope) -> Result<String> {
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
            scope: serde_json::to_string(scope).map_err(|e| Error::internal("A token cannot be written.", e))?,
            created_at: now,
            expires_at: now + SignedDuration::from_hours(24 * days),
            last_used_at: None,
            revoked: false,
        };
        self.catalog.insert_token(&row).await?;
        let expires = row.expires_at.to_string();
        let detail = json!({"by": self.actor(), "token": id, "label": label, "scope": scope, "expires_at": expires});
        self.catalog.audit("token_created", &row.user, detail).await?;
        Ok(format!("cth_{id}_{secret}"))
    }

    /// Logs in by an access token or a session.
    ///
    /// Errors: `TOKEN`, one text for every reason.
    pub async fn login_token(&self, token: &str, peer: Peer) -> Result<Principal> {
        if token.starts_with("cts_") {
            return self.session(token, peer).await;
        }
        let Some((id, secret)) = token.strip_prefix("cth_").and_then(|rest| rest.split_once('_')) else {
            return Err(self.refused("", peer, peer.to_json("token")).await);
        };
        let now = self.clock.now();
        let row = self.catalog.token_and_login(id).await?;
        // An unknown id is compared too, with a hash that nothing has.
        let stored = row.as_ref().map_or("0".repeat(64), |(row, _)| row.secret_sha256.clone());
        let equal: bool = stored.as_bytes().ct_eq(sha256_hex(secret.as_bytes()).as_bytes()).into();
        let known = row.as_ref().map(|(row, _)| (row.user.clone(), row.id.clone()));
        let holds = |(row, user): &(TokenRow, UserRow)| equal && !row.revoked && row.expires_at > now && !user.disabled;
        let scoped = |(row, user)| Ok::<_, Error>((scope_of(&row)?, row, user));
        let row = row.filter(holds).map(scoped).transpose()?;
        let Some((scope, row, user)) = row.filter(|(scope, ..)| scope.admits(peer)) else {
            // Which token it was is told only to the log, and only where there is one of this id.
            let (name, id) = known.map_or_else(|| (String::new(), None), |(name, id)| (name, Some(id)));
            let mut detail = peer.to_json("token");
            detail["token"] = json!(id);
            return Err(self.refused(&name, peer, detail).await);
        };
        let mut principal = principal_of(user, peer.address)?;
        principal.via.credential = Some(Credential::Token(row.id.clone()));
        principal.only = Only { cubes: scope.cubes, reports: scope.reports };
        if row.last_used_at.is_none_or(|at| at + TOUCH_EVERY <= now) {
            self.catalog.touch_token(&row.id, now).await?;
        }
        Ok(principal)
    }

    /// Opens a session for a program (a Flight connection): it ends after the session hours.
    pub async fn open_session(&self, principal: &Principal) -> Result<String> {
        self.new_session(principal, None, random_hex(32)?).await
    }

    /// Opens a session for a browser: it ends after the session hours, or 30 minutes without use.
    pub async fn open_browser_session(&self, principal: &Principal) -> Result<String> {
        self.new_session(principal, Some(BROWSER_IDLE), random_hex(32)?).await
    }

    /// Whose session this is.
    ///
    /// Errors: `TOKEN`, one text for every reason.
    pub async fn session(&self, session: &str, peer: Peer) -> Result<Principal> {
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
        let via = Via {
            credential: Some(Credential::Session(row.sha256.clone())),
            address: peer.address,
            renewable: row.idle_seconds.is_none()
                && row.expires_at.duration_since(now) * 3 < self.session_life()
                && row.expires_at < self.last_end(row.created_at),
        };
        let mut principal = Principal { via, ..self.enabled(&row.user).await? };
        if let Some(id) = &row.token {
            let scope = self.standing(id).await?.filter(|scope| scope.admits(peer)).ok_or_else(wrong_credentials)?;
            principal.only = Only { cubes: scope.cubes, reports: scope.reports };
        }
        if row.last_seen_at + TOUCH_EVERY <= now {
            self.catalog.touch_session(&row.sha256, now).await?;
        }
        Ok(principal)
    }

    /// What a token leaves, while it counts.
    pub(super) async fn standing(&self, id: &str) -> Result<Option<TokenScope>> {
        let now = self.clock.now();
        let row = self.catalog.token_and_login(id).await?;
        let row = row.filter(|(row, user)| !row.revoked && row.expires_at > now && !user.disabled);
        row.map(|(row, _)| scope_of(&row)).transpose()
    }

    /// Ends a session. One that is unknown has ended already.
    pub async fn close_session(&self, session: &str) -> Result<()> {
        self.catalog.delete_session(&sha256_hex(session.as_bytes())).await
    }

    /// The one session that follows `session` in the last third of its life, and whether it is new. Its secret follows from that
    /// session's, so that every process gives the same one and none keeps it.
    pub async fn successor(&self, principal: &Principal, session: &str) -> Result<(String, bool)> {
        let secret = super::hex(&self.derive_key(&format!("session after {session}")));
        let known = format!("cts_{secret}");
        if self.catalog.session(&sha256_hex(known.as_bytes())).await?.is_some() {
            return Ok((known, false));
        }
        Ok((self.new_session(principal, None, secret).await?, true))
    }

    async fn new_session(&self, principal: &Principal, idle: Option<SignedDuration>, secret: String) -> Result<String> {
        let session = format!("cts_{secret}");
        let now = self.clock.now();
        // Opened with a token, or a session of one, it stays that token's; after a session it ends a day after the login, and
        // without use as that one does. A session that ended meanwhile is followed by none.
        let (token, began, idle, after) = match &principal.via.credential {
            Some(Credential::Token(id)) => (Some(id.clone()), now, idle.map(|idle| idle.as_secs()), None),
            Some(Credential::Session(sha256)) => {
                let before = self.catalog.session(sha256).await?.ok_or_else(wrong_credentials)?;
                let idle = before.idle_seconds.or(idle.map(|idle| idle.as_secs()));
                (before.token, before.created_at, idle, Some(sha256.as_str()))
            }
            None => (None, now, idle.map(|idle| idle.as_secs()), None),
        };
        let row = SessionRow {
            sha256: sha256_hex(session.as_bytes()),
            user: principal.name.clone(),
            created_at: began,
            last_seen_at: now,
            expires_at: (now + self.session_life()).min(self.last_end(began)),
            idle_seconds: idle,
            token,
        };
        match self.catalog.insert_session(&row, after).await? {
            true => Ok(session),
            false => Err(wrong_credentials()),
        }
    }

    fn session_life(&self) -> SignedDuration {
        SignedDuration::from_hours(i64::try_from(self.session_hours).unwrap_or(12))
    }

    /// When the last session that follows from a login ends.
    fn last_end(&self, login: Timestamp) -> Timestamp {
        login + self.session_life().max(SignedDuration::from_hours(24))
    }

    /// Today's rights of a login, unless it is disabled.
    async fn enabled(&self, name: &str) -> Result<Principal> {
        let user = self.catalog.user(name).await?.filter(|user| !user.disabled);
        principal_of(user.ok_or_else(wrong_credentials)?, None)
    }
}

fn scope_of(row: &TokenRow) -> Result<TokenScope> {
    serde_json::from_str(&row.scope).map_err(|e| Error::internal("A token's scope cannot be read.", e))
}

fn idle_until(row: &SessionRow) -> Option<Timestamp> {
    row.idle_seconds.map(|seconds| row.last_seen_at + SignedDuration::from_secs(seconds))
}
