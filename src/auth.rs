//! Who is asking: principals, their roles and scope, and the ways to log in.
//!
//! In: a name and password, an access token (`cth_…`) or a session (`cts_…`). Out: a [`Principal`], read from the catalog at
//! every call, so that a right taken away or a disabled login counts from that moment. What a principal may see is decided
//! above; rights never learn how one logged in.
//!
//! Whatever is wrong with credentials, the answer is one text. Which part was wrong, whether the name exists, whether it is
//! disabled or waiting: none of it can be told from the text, and for passwords not from the time either.

mod oidc;
mod password;
mod peer;
mod secret;
#[cfg(test)]
mod tests;
mod token;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::catalog::{Catalog, TokenRow, UserRow, operator};
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::model::role::BUILT_IN;

pub use oidc::{Arrival, Departure, Identity, Provider, faults as oidc_faults};
pub use peer::{Credential, Entry, Peer, Via};
pub use token::TokenScope;

/// Over which part of the organisation a principal may look.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// The whole bank.
    HeadOffice,
    /// These branches, by key; never none.
    Branches(BTreeSet<String>),
    /// Within these branches only what stands under these members of a level that cubes have as a column: a sub-branch, a
    /// customer manager.
    Within { branches: BTreeSet<String>, level: String, members: BTreeSet<String> },
}

impl Scope {
    /// The branches; none for the whole bank.
    pub fn branches(&self) -> Option<&BTreeSet<String>> {
        match self {
            Self::HeadOffice => None,
            Self::Branches(branches) | Self::Within { branches, .. } => Some(branches),
        }
    }

    /// Whether it is less than whole branches.
    pub fn is_part(&self) -> bool {
        matches!(self, Self::Within { .. })
    }

    /// Whether a branch lies in it, whole or in part.
    pub fn holds(&self, branch: &str) -> bool {
        self.branches().is_none_or(|own| own.contains(branch))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeadOffice => f.write_str("head_office"),
            Self::Branches(keys) => f.write_str(&joined(keys, ",")),
            Self::Within { branches, level, members } => {
                write!(f, "{}/{level}={}", joined(branches, ","), joined(members, "|"))
            }
        }
    }
}

fn joined(words: &BTreeSet<String>, between: &str) -> String {
    words.iter().map(String::as_str).collect::<Vec<_>>().join(between)
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

/// `head_office`, or branch keys with commas between, and after them perhaps members of a level: `north/sub_branch=A|B`.
impl FromStr for Scope {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        if text == "head_office" {
            return Ok(Self::HeadOffice);
        }
        let (branches, part) = text.split_once('/').map_or((text, None), |(branches, part)| (branches, Some(part)));
        let keys: BTreeSet<String> = branches.split(',').map(|key| key.trim().to_owned()).collect();
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        let is_key = |key: &String| {
            is_name(key)
                && !["head_office", "shared", "warehouse", "system", "evaluation", "information_schema"]
                    .contains(&&**key)
        };
        let wrong = |what: &str| {
            let message = format!(
                "`{what}` is not a scope: write `head_office`, or branch keys with commas, as `north,south`, or members of \
                 a level within them, as `north/sub_branch=Hill Street|Harbour`."
            );
            Error::new(Code::BadRequest, message)
        };
        if let Some(key) = keys.iter().find(|key| !is_key(key)) {
            return Err(wrong(key));
        }
        let Some(part) = part else { return Ok(Self::Branches(keys)) };
        let (level, members) = part.split_once('=').filter(|(level, _)| is_name(level)).ok_or_else(|| wrong(part))?;
        let members: BTreeSet<String> = members.split('|').map(|member| member.trim().to_owned()).collect();
        if members.iter().any(String::is_empty) {
            return Err(wrong(part));
        }
        Ok(Self::Within { branches: keys, level: level.to_owned(), members })
    }
}

/// Somebody who logged in. Made by [`Auth`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub name: String,
    pub roles: BTreeSet<String>,
    pub scope: Scope,
    /// What the token that it came with leaves of all that.
    pub only: Only,
    /// How it came in.
    pub via: Via,
}

/// The part of a login's rights that a token carries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Only {
    /// These cubes; all unless named.
    pub cubes: Option<BTreeSet<String>>,
    /// These reports, and no SQL; all unless named.
    pub reports: Option<BTreeSet<String>>,
}

impl Principal {
    /// Somebody with all rights of these roles over this scope.
    pub fn new(name: impl Into<String>, roles: BTreeSet<String>, scope: Scope) -> Self {
        Self { name: name.into(), roles, scope, only: Only::default(), via: Via::default() }
    }

    /// SHA-256 over everything that decides what this principal may see, hexadecimal: part of every key of a cache, handle or
    /// ticket. Two principals with the same rights have the same one.
    pub fn fingerprint(&self) -> String {
        let mut text = format!("v1\nscope {}\n", self.scope);
        for role in &self.roles {
            text.push_str(&format!("role {role}\n")); // names hold no line break
        }
        if self.only != Only::default() {
            text.push_str(&format!("only {:?}\n", self.only));
        }
        sha256_hex(text.as_bytes())
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
    /// Names of the project's own roles.
    own_roles: Arc<[String]>,
    /// Failures by password, and by token: a tool with an old token keeps nobody beside it from logging in.
    addresses: [Arc<peer::Addresses>; 2],
    /// Who changes logins; none: whoever runs the command line.
    actor: Option<Arc<str>>,
}

/// Failed logins of an address in a minute, unless stated.
const FAILURES: u32 = 20;

impl Auth {
    /// Over this catalog, with the secret of its state folder, which is made on first use.
    ///
    /// Errors: `INTERNAL` when the secret is missing though the catalog was used with one, empty, short or another catalog's.
    pub async fn open(catalog: Catalog, clock: Clock) -> Result<Self> {
        let secret = secret::Secret::load(&catalog).await?;
        let passwords = Arc::new(password::Passwords::new(secret.derive("password pepper"), password::COST)?);
        let addresses = [(); 2].map(|()| Arc::new(peer::Addresses::new(FAILURES)));
        let own_roles = Arc::new([]);
        Ok(Self { catalog, clock, secret, passwords, session_hours: 12, own_roles, addresses, actor: None })
    }

    /// Logins may have these roles besides the built-in ones.
    #[must_use]
    pub fn with_roles(mut self, own: impl IntoIterator<Item = String>) -> Self {
        self.own_roles = own.into_iter().collect();
        self
    }

    /// Sessions last this long at most; 12 hours unless stated.
    #[must_use]
    pub fn with_session_hours(mut self, hours: u64) -> Self {
        self.session_hours = hours.clamp(1, 24 * 90);
        self
    }

    /// So many failed logins of an address in a minute are heard; 20 unless stated.
    #[must_use]
    pub fn with_failures_per_minute(mut self, most: u32) -> Self {
        self.addresses = [(); 2].map(|()| Arc::new(peer::Addresses::new(most)));
        self
    }

    /// The same for somebody who is logged in and changes logins: recorded under that name, and never their own.
    #[must_use]
    pub fn acting_as(&self, principal: &Principal) -> Self {
        Self { actor: Some(principal.name.as_str().into()), ..self.clone() }
    }

    fn actor(&self) -> String {
        self.actor.as_deref().map_or_else(operator, str::to_owned)
    }

    /// Errors: `DENIED`: nobody changes rights of their own.
    fn not_oneself(&self, name: &str) -> Result<()> {
        match self.actor.as_deref() == Some(name) {
            false => Ok(()),
            true => Err(Error::new(Code::Denied, "Nobody changes their own login; ask another administrator.")),
        }
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
    pub async fn login_password(&self, name: &str, password: &str, peer: Peer) -> Result<Principal> {
        if self.addresses[0].is_barred(peer.address, self.clock.now()) {
            return Err(wrong_credentials());
        }
        let attempt = self.passwords.begin(name, &self.clock).await?;
        let user = self.catalog.user(name).await?.filter(|user| !user.disabled && user.subject.is_none());
        let stored = user.as_ref().and_then(|user| user.password_hash.clone());
        let verdict = attempt.verify(password, stored.clone(), &self.clock).await?;
        let (Some(user), true) = (user, verdict.matches) else {
            return Err(self.refused(name, peer, peer.to_json("password")).await);
        };
        self.catalog.audit("login", name, peer.to_json("password")).await?;
        if let (Some(old), Some(new)) = (stored, verdict.renewed) {
            self.catalog.renew_password_hash(name, &old, &new).await?;
        }
        principal_of(user, peer.address)
    }

    /// Counts and records a login that failed. An address that fails too often is not recorded further: its flood would
    /// bury what else happens.
    async fn refused(&self, name: &str, peer: Peer, detail: serde_json::Value) -> Error {
        let now = self.clock.now();
        let addresses = &self.addresses[usize::from(detail["by"] == "token")];
        let recorded = match addresses.is_barred(peer.address, now) {
            true => Ok(()),
            false => self.catalog.audit("login_failed", name, detail).await,
        };
        addresses.failed(peer.address, now);
        recorded.err().unwrap_or_else(wrong_credentials)
    }

    /// Whether a principal who logged in before still has the rights of then: the login, its roles and scope, and the token
    /// or session that it came with.
    pub async fn still_holds(&self, principal: &Principal) -> Result<bool> {
        let now = self.clock.now();
        let stands = match &principal.via.credential {
            None => true,
            Some(Credential::Token(id)) => self.standing(id).await?.is_some(),
            Some(Credential::Session(sha256)) => {
                match self.catalog.session(sha256).await?.filter(|row| row.expires_at > now).map(|row| row.token) {
                    None => false,
                    Some(None) => true,
                    Some(Some(token)) => self.standing(&token).await?.is_some(),
                }
            }
        };
        let user = self.catalog.user(&principal.name).await?.filter(|user| !user.disabled);
        let same = |user: UserRow| {
            user.roles.iter().collect::<BTreeSet<_>>() == principal.roles.iter().collect()
                && user.scope == principal.scope.to_string()
        };
        // A principal that no login stands behind (a job of the server itself) has none to lose.
        Ok(stands && (user.is_some_and(same) || principal.via == Via::default()))
    }

    /// The principal of this name, without credentials: for the command line's `--as`, whose right is to read the state folder.
    ///
    /// Errors: `NO_SUCH_OBJECT`; `DENIED` when the login is disabled.
    pub async fn principal(&self, name: &str) -> Result<Principal> {
        let user = self.user(name).await?;
        if user.disabled {
            return Err(Error::new(Code::Denied, format!("The user `{name}` is disabled.")));
        }
        principal_of(user, None)
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
        self.check_roles(&roles)?;
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
            subject: None,
            email: None,
            created_at: self.clock.now(),
        };
        self.catalog.insert_user(&row).await?;
        let detail = json!({"by": self.actor(), "roles": row.roles, "scope": row.scope});
        self.catalog.audit("user_created", name, detail).await
    }

    /// Gives a login another password, which ends its sessions.
    ///
    /// Errors: `NO_SUCH_OBJECT`; `BAD_REQUEST` when it is too short; `DENIED` for a login of an OpenID provider.
    pub async fn set_password(&self, name: &str, password: String) -> Result<()> {
        let user = self.user(name).await?;
        if user.subject.is_some() {
            let message = format!("`{name}` logs in through the bank's provider and has no password here.");
            return Err(Error::new(Code::Denied, message));
        }
        let password_hash = Some(self.passwords.hash(password).await?);
        self.catalog.update_user(&UserRow { password_hash, ..user }).await?;
        self.catalog.delete_sessions_of(name).await?;
        self.catalog.audit("password_changed", name, json!({"by": self.actor()})).await
    }

    /// Where a login's editions are mailed to; none: nothing is mailed.
    ///
    /// Errors: `NO_SUCH_OBJECT`; `BAD_REQUEST` for what is no address.
    pub async fn set_email(&self, name: &str, email: Option<&str>) -> Result<()> {
        let user = self.user(name).await?;
        let plain = |text: &str| !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control());
        let is_address = |email: &str| {
            email.rsplit_once('@').is_some_and(|(local, domain)| plain(local) && plain(domain)) && email.len() <= 254
        };
        if let Some(email) = email.filter(|email| !is_address(email)) {
            return Err(Error::new(Code::BadRequest, format!("`{email}` is not an address of a mailbox.")));
        }
        let before = user.email.clone();
        self.catalog.update_user(&UserRow { email: email.map(str::to_owned), ..user }).await?;
        let detail = json!({"by": self.actor(), "email": {"before": before, "after": email}});
        self.catalog.audit("user_changed", name, detail).await
    }

    /// Gives a login other roles and another scope, from its next statement on.
    ///
    /// Errors: `NO_SUCH_OBJECT`; `BAD_REQUEST` for an unknown role; `DENIED` for one's own login and those of a provider.
    pub async fn set_rights(&self, name: &str, roles: BTreeSet<String>, scope: Scope) -> Result<()> {
        self.not_oneself(name)?;
        self.check_roles(&roles)?;
        let user = self.user(name).await?;
        if user.subject.is_some() {
            let message =
                format!("The rights of `{name}` follow the groups at the bank's provider; change them there.");
            return Err(Error::new(Code::Denied, message));
        }
        let before = json!({"roles": user.roles, "scope": user.scope});
        let row = UserRow { roles: roles.into_iter().collect(), scope: scope.to_string(), ..user };
        self.catalog.update_rights(name, &row.roles, &row.scope).await?;
        let after = json!({"roles": row.roles, "scope": row.scope});
        let detail = json!({"by": self.actor(), "before": before, "after": after});
        self.catalog.audit("user_changed", name, detail).await
    }

    /// Disables a login, which ends its sessions, or enables it again.
    ///
    /// Errors: `NO_SUCH_OBJECT`; `DENIED` for one's own login.
    pub async fn set_disabled(&self, name: &str, disabled: bool) -> Result<()> {
        self.not_oneself(name)?;
        let user = self.user(name).await?;
        let before = user.disabled;
        self.catalog.update_user(&UserRow { disabled, ..user }).await?;
        let detail = json!({"by": self.actor(), "disabled": {"before": before, "after": disabled}});
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
        let missing = || Error::new(Code::NoSuchObject, format!("There is no token `{id}`."));
        let (token, _) = self.catalog.token_and_login(id).await?.ok_or_else(missing)?;
        self.catalog.revoke_token(id).await?;
        self.catalog.audit("token_revoked", &token.user, json!({"by": self.actor(), "token": id})).await
    }

    /// Names of the roles that a login may have.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        BUILT_IN.iter().map(|(name, _)| *name).chain(self.own_roles.iter().map(String::as_str))
    }

    fn check_roles(&self, roles: &BTreeSet<String>) -> Result<()> {
        if roles.is_empty() {
            return Err(Error::new(Code::BadRequest, "A login has at least one role."));
        }
        match roles.iter().find(|role| !self.roles().any(|known| known == *role)) {
            None => Ok(()),
            Some(role) => {
                let known = self.roles().collect::<Vec<_>>().join(", ");
                Err(Error::new(Code::BadRequest, format!("There is no role `{role}`; the roles are {known}.")))
            }
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

fn principal_of(user: UserRow, address: Option<IpAddr>) -> Result<Principal> {
    let via = Via { address, ..Via::default() };
    Ok(Principal { via, ..Principal::new(user.name, user.roles.into_iter().collect(), user.scope.parse()?) })
}

/// Names stand in logs, pages, SQL results and basic authentication, so they hold nothing that means something there.
fn check_name(name: &str) -> Result<()> {
    let allowed = |c: char| c.is_alphanumeric() || "._-@".contains(c);
    if (1..=64).contains(&name.chars().count()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(Error::new(Code::BadRequest, "A user name has 1 to 64 letters, digits and `.`, `_`, `-`, `@`."))
}

/// SHA-256 in hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
