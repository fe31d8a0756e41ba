//! Who is asking: principals, their roles and scope, and the ways to log in.
//!
//! In: a name and password, an access token (`cth_…`) or a session (`cts_…`). Out: a [`Principal`], read from the catalog at
//! every call, so that a right taken away or a disabled login counts from that moment. What a principal may see is decided
//! above; rights never learn how one logged in.
//!
//! Whatever is wrong with credentials, the answer is one text. Which part was wrong, whether the name exists, whether it is
//! disabled or waiting: none of it can be told from the text, and for passwords not from the time either.

mod password;
mod secret;
#[cfg(test)]
mod tests;
mod token;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::catalog::{Catalog, TokenRow, UserRow, operator};
use crate::clock::Clock;
use crate::error::{Code, Error, Result};

/// The roles and what they are for.
pub const ROLES: &[(&str, &str)] = &[
    ("administrator", "manages logins, sees every statement record; carries no right to data by itself"),
    ("analyst", "writes SQL, on both faces"),
    ("reader", "opens reports; no SQL"),
    ("publisher", "publishes editions"),
    ("auditor", "reads all statement records"),
];

/// Over which part of the organisation a principal may look.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// The whole bank.
    HeadOffice,
    /// These branches, by key; never none.
    Branches(BTreeSet<String>),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeadOffice => f.write_str("head_office"),
            Self::Branches(keys) => f.write_str(&keys.iter().map(String::as_str).collect::<Vec<_>>().join(",")),
        }
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl TryFrom<String> for Scope {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

/// `head_office`, or branch keys with commas between.
impl FromStr for Scope {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        if text == "head_office" {
            return Ok(Self::HeadOffice);
        }
        let keys: BTreeSet<String> = text.split(',').map(|key| key.trim().to_owned()).collect();
        let is_key = |key: &String| {
            key.starts_with(|c: char| c.is_ascii_lowercase())
                && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                && !["head_office", "shared", "warehouse", "system", "evaluation", "information_schema"]
                    .contains(&&**key)
        };
        match keys.iter().find(|key| !is_key(key)) {
            None => Ok(Self::Branches(keys)),
            Some(key) => Err(Error::new(
                Code::BadRequest,
                format!("`{key}` is not a scope: write `head_office`, or branch keys with commas, as `north,south`."),
            )),
        }
    }
}

/// Somebody who logged in. Made by [`Auth`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub name: String,
    pub roles: BTreeSet<String>,
    pub scope: Scope,
}

impl Principal {
    /// SHA-256 over everything that decides what this principal may see, hexadecimal: part of every key of a cache, handle or
    /// ticket. Two principals with the same rights have the same one.
    pub fn fingerprint(&self) -> String {
        let mut text = format!("v1\nscope {}\n", self.scope);
        for role in &self.roles {
            text.push_str(&format!("role {role}\n")); // names hold no line break
        }
        sha256_hex(text.as_bytes())
    }

    /// May write SQL, on either face. A `reader` or `publisher` alone opens what others defined.
    pub fn may_query(&self) -> bool {
        ["analyst", "administrator", "auditor"].iter().any(|role| self.has_role(role))
    }

    /// Has the role `administrator`.
    pub fn is_administrator(&self) -> bool {
        self.has_role("administrator")
    }

    /// Has this role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.contains(role)
    }
}

/// Logs people in, and manages logins. Clones share their state.
#[derive(Debug, Clone)]
pub struct Auth {
    catalog: Catalog,
    clock: Clock,
    secret: secret::Secret,
    passwords: Arc<password::Passwords>,
    session_hours: u64,
}

impl Auth {
    /// Over this catalog, with the secret of its state folder, which is made on first use.
    ///
    /// Errors: `INTERNAL` when the secret is missing though the catalog was used with one, empty, short or another catalog's.
    pub async fn open(catalog: Catalog, clock: Clock) -> Result<Self> {
        let secret = secret::Secret::load(&catalog).await?;
        let passwords = Arc::new(password::Passwords::new(secret.derive("password pepper"), password::COST)?);
        Ok(Self { catalog, clock, secret, passwords, session_hours: 12 })
    }

    /// Sessions last this long at most; 12 hours unless stated.
    #[must_use]
    pub fn with_session_hours(mut self, hours: u64) -> Self {
        self.session_hours = hours.clamp(1, 24 * 90);
        self
    }

    /// Passwords that cost next to nothing, for tests that log in often.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn with_cheap_passwords(mut self) -> Self {
        let pepper = self.secret.derive("password pepper");
        self.passwords = Arc::new(password::Passwords::new(pepper, (8, 1)).expect("valid parameters"));
        self
    }

    /// A key for one purpose of a face (form tokens, tickets), derived from the server's secret: stable over restarts, and of
    /// no use for any other purpose.
    pub fn derive_key(&self, purpose: &str) -> [u8; 32] {
        self.secret.derive(purpose)
    }

    /// Logs in by name and password.
    ///
    /// Errors: `TOKEN`, one text for unknown, disabled, wrong and waiting.
    pub async fn login_password(&self, name: &str, password: &str) -> Result<Principal> {
        let attempt = self.passwords.begin(name, &self.clock).await?;
        let user = self.catalog.user(name).await?.filter(|user| !user.disabled);
        let stored = user.as_ref().and_then(|user| user.password_hash.clone());
        let verdict = attempt.verify(password, stored.clone(), &self.clock).await?;
        let (Some(user), true) = (user, verdict.matches) else {
            self.catalog.audit("login_failed", name, json!({"by": "password"})).await?;
            return Err(wrong_credentials());
        };
        self.catalog.audit("login", name, json!({"by": "password"})).await?;
        if let (Some(old), Some(new)) = (stored, verdict.renewed) {
            self.catalog.renew_password_hash(name, &old, &new).await?;
        }
        principal_of(user)
    }

    /// The principal of this name, without credentials: for the command line's `--as`, whose right is to read the state folder.
    ///
    /// Errors: `NO_SUCH_OBJECT`; `DENIED` when the login is disabled.
    pub async fn principal(&self, name: &str) -> Result<Principal> {
        let user = self.user(name).await?;
        if user.disabled {
            return Err(Error::new(Code::Denied, format!("The user `{name}` is disabled.")));
        }
        principal_of(user)
    }

    /// Adds a login. Without a password it can only be used through tokens.
    ///
    /// Errors: `BAD_REQUEST` for a name, password or role that is not allowed; `CONFLICT` when the name is taken.
    pub async fn create_user(
        &self,
        name: &str,
        password: Option<String>,
        roles: BTreeSet<String>,
        scope: Scope,
    ) -> Result<()> {
        check_name(name)?;
        check_roles(&roles)?;
        let password_hash = match password {
            Some(password) => Some(self.passwords.hash(password).await?),
            None => None,
        };
        let row = UserRow {
            name: name.to_owned(),
            password_hash,
            roles: roles.into_iter().collect(),
            scope: scope.to_string(),
            disabled: false,
            created_at: self.clock.now(),
        };
        self.catalog.insert_user(&row).await?;
        let detail = json!({"by": operator(), "roles": row.roles, "scope": row.scope});
        self.catalog.audit("user_created", name, detail).await
    }

    /// Gives a login another password, which ends its sessions.
    ///
    /// Errors: `NO_SUCH_OBJECT`; `BAD_REQUEST` when it is too short.
    pub async fn set_password(&self, name: &str, password: String) -> Result<()> {
        let user = self.user(name).await?;
        let password_hash = Some(self.passwords.hash(password).await?);
        self.catalog.update_user(&UserRow { password_hash, ..user }).await?;
        self.catalog.delete_sessions_of(name).await?;
        self.catalog.audit("password_changed", name, json!({"by": operator()})).await
    }

    /// Disables a login, which ends its sessions, or enables it again.
    pub async fn set_disabled(&self, name: &str, disabled: bool) -> Result<()> {
        let user = self.user(name).await?;
        let before = user.disabled;
        self.catalog.update_user(&UserRow { disabled, ..user }).await?;
        let detail = json!({"by": operator(), "disabled": {"before": before, "after": disabled}});
        self.catalog.audit("user_changed", name, detail).await
    }

    /// All logins, by name.
    pub async fn users(&self) -> Result<Vec<UserRow>> {
        self.catalog.users().await
    }

    /// Tokens of one user, or of all.
    pub async fn tokens(&self, user: Option<&str>) -> Result<Vec<TokenRow>> {
        self.catalog.tokens(user).await
    }

    /// Revokes a token for good.
    ///
    /// Errors: `NO_SUCH_OBJECT`.
    pub async fn revoke_token(&self, id: &str) -> Result<()> {
        match self.catalog.revoke_token(id).await? {
            true => self.catalog.audit("token_revoked", "", json!({"by": operator(), "token": id})).await,
            false => Err(Error::new(Code::NoSuchObject, format!("There is no token `{id}`."))),
        }
    }

    async fn user(&self, name: &str) -> Result<UserRow> {
        let missing = || Error::new(Code::NoSuchObject, format!("There is no user `{name}`."));
        self.catalog.user(name).await?.ok_or_else(missing)
    }
}

/// The one answer to credentials that do not count.
fn wrong_credentials() -> Error {
    Error::new(
        Code::Token,
        "The login failed. Check name and password, or the token; after failed attempts an account waits up to five minutes.",
    )
}

fn principal_of(user: UserRow) -> Result<Principal> {
    Ok(Principal { name: user.name, roles: user.roles.into_iter().collect(), scope: user.scope.parse()? })
}

/// Names stand in logs, pages, SQL results and basic authentication, so they hold nothing that means something there.
fn check_name(name: &str) -> Result<()> {
    let allowed = |c: char| c.is_alphanumeric() || "._-@".contains(c);
    if (1..=64).contains(&name.chars().count()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(Error::new(Code::BadRequest, "A user name has 1 to 64 letters, digits and `.`, `_`, `-`, `@`."))
}

fn check_roles(roles: &BTreeSet<String>) -> Result<()> {
    match roles.iter().find(|role| !ROLES.iter().any(|(known, _)| known == role)) {
        None => Ok(()),
        Some(role) => {
            let known = ROLES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            Err(Error::new(Code::BadRequest, format!("There is no role `{role}`; the roles are {known}.")))
        }
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
