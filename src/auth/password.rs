//! Passwords: Argon2id with a pepper, a bound on how many are computed at once, and a delay after failures.
//!
//! The delay belongs to the account, whether it exists or not, and doubles from one second to five minutes; there is no
//! permanent lock-out, because that would let anybody lock anybody out.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::wrong_credentials;
use crate::clock::Clock;
use crate::error::{Code, Error, Result};

/// Memory in KiB and passes of a hash; one lane.
pub(super) const COST: (u32, u32) = (64 * 1024, 3);
/// Hashes at a time: 4 × 64 MiB is what the host spends on logins at most.
const AT_A_TIME: usize = 4;
/// Characters.
const SHORTEST: usize = 12;
/// Bytes. Hashing is linear in it.
const LONGEST: usize = 1024;

const FIRST_DELAY: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_DELAY: SignedDuration = SignedDuration::from_mins(5);
/// An attempt that comes so little too early waits instead of failing: a person who mistyped once should not notice.
const WAITED_OUT: SignedDuration = SignedDuration::from_secs(2);
/// Failures are forgotten after so long a peace.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_mins(15);
/// Accounts with failures that are remembered. More than this many within minutes is a flood; the oldest go first.
const REMEMBERED: usize = 10_000;

pub(super) struct Passwords {
    pepper: [u8; 32],
    params: Params,
    /// A well-formed hash of nothing: what an unknown user's password is compared with, at the same cost.
    nobody: String,
    permits: Arc<Semaphore>,
    failures: Mutex<HashMap<String, Failures>>,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passwords")
    }
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    not_before: Timestamp,
}

/// Permission to try one password of one account.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    passwords: &'a Passwords,
    name: String,
    permit: OwnedSemaphorePermit,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) matches: bool,
    /// The same password at today's cost, when the stored hash has another.
    pub(super) renewed: Option<String>,
}

impl Passwords {
    pub(super) fn new(pepper: [u8; 32], (memory_kib, passes): (u32, u32)) -> Result<Self> {
        let params = Params::new(memory_kib, passes, 1, Some(32))
            .map_err(|e| Error::internal("The cost of a password hash is not valid.", e.to_string()))?;
        let nobody = format!("$argon2id$v=19$m={memory_kib},t={passes},p=1${}${}", "A".repeat(22), "A".repeat(43));
        let permits = Arc::new(Semaphore::new(AT_A_TIME));
        Ok(Self { pepper, params, nobody, permits, failures: Mutex::default() })
    }

    /// Hashes a new password with a new salt.
    ///
    /// Errors: `BAD_REQUEST` when it is too short or too long.
    pub(super) async fn hash(&self, password: String) -> Result<String> {
        if password.chars().count() < SHORTEST || password.len() > LONGEST {
            return Err(Error::new(Code::BadRequest, format!("A password has at least {SHORTEST} characters.")));
        }
        let permit = self.permit().await?;
        let (pepper, params) = (self.pepper, self.params.clone());
        on_blocking_thread(permit, move || hash(&pepper, params, &password)).await?
    }

    /// Waits for a turn.
    ///
    /// Errors: `TOKEN` when the account has to wait longer than a person would.
    pub(super) async fn begin(&self, name: &str, clock: &Clock) -> Result<Attempt<'_>> {
        let early = self.not_before(name).map_or(SignedDuration::ZERO, |at| at.duration_since(clock.now()));
        if early > WAITED_OUT {
            return Err(wrong_credentials());
        }
        if let Ok(early) = std::time::Duration::try_from(early) {
            tokio::time::sleep(early).await;
        }
        let permit = self.permit().await?;
        // Asked again under the permit: of a thousand attempts at once only the first few are computed.
        if self.not_before(name).is_some_and(|at| at > clock.now()) {
            return Err(wrong_credentials());
        }
        Ok(Attempt { passwords: self, name: name.to_owned(), permit })
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        let closed = |e| Error::internal("Logins have stopped.", e);
        Arc::clone(&self.permits).acquire_owned().await.map_err(closed)
    }

    fn not_before(&self, name: &str) -> Option<Timestamp> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).get(name).map(|f| f.not_before)
    }

    fn note(&self, name: &str, matches: bool, now: Timestamp) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if matches {
            failures.remove(name);
            return;
        }
        if failures.len() >= REMEMBERED && !failures.contains_key(name) {
            failures.retain(|_, f| f.not_before + FORGOTTEN_AFTER > now);
            if failures.len() >= REMEMBERED {
                let oldest = failures.iter().min_by_key(|(_, f)| f.not_before).map(|(name, _)| name.clone());
                oldest.and_then(|name| failures.remove(&name));
            }
        }
        let entry = failures.entry(name.to_owned()).or_insert(Failures { count: 0, not_before: now });
        if entry.not_before + FORGOTTEN_AFTER <= now {
            entry.count = 0;
        }
        let delay = FIRST_DELAY.saturating_mul(1 << entry.count.min(9)).min(LONGEST_DELAY);
        *entry = Failures { count: entry.count + 1, not_before: now + delay };
    }
}

impl Attempt<'_> {
    /// Compares a password with a stored hash. Without one the work is the same and the answer no.
    pub(super) async fn verify(self, password: &str, stored: Option<String>, clock: &Clock) -> Result<Verdict> {
        let Self { passwords, name, permit } = self;
        let (pepper, params) = (passwords.pepper, passwords.params.clone());
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| passwords.nobody.clone());
        // A longer one was never accepted; its beginning costs the same as any other password.
        let fits = password.len() <= LONGEST;
        let password = if fits { password.to_owned() } else { String::new() };
        let verdict = on_blocking_thread(permit, move || {
            let parsed = PasswordHash::new(&stored)
                .map_err(|e| Error::internal("A stored password hash cannot be read.", e.to_string()))?;
            let argon2 = argon2(&pepper, params.clone())?;
            let matches = argon2.verify_password(password.as_bytes(), &parsed).is_ok() && known && fits;
            let outdated = Params::try_from(&parsed).map_or(true, |p| {
                (p.m_cost(), p.t_cost(), p.p_cost()) != (params.m_cost(), params.t_cost(), params.p_cost())
            });
            let renewed = if matches && outdated { Some(hash(&pepper, params, &password)?) } else { None };
            Ok::<_, Error>(Verdict { matches, renewed })
        })
        .await??;
        passwords.note(&name, verdict.matches, clock.now());
        Ok(verdict)
    }
}

fn argon2(pepper: &[u8; 32], params: Params) -> Result<Argon2<'_>> {
    Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, params)
        .map_err(|e| Error::internal("Passwords cannot be hashed.", e.to_string()))
}

fn hash(pepper: &[u8; 32], params: Params, password: &str) -> Result<String> {
    let hash: PasswordHash = argon2(pepper, params)?
        .hash_password(password.as_bytes())
        .map_err(|e| Error::internal("A password cannot be hashed.", e.to_string()))?;
    Ok(hash.to_string())
}

/// Hashing takes a tenth of a second of one core: not on a thread that serves connections. The permit goes along, so that a
/// caller that gives up does not make room while its hash is still computed.
async fn on_blocking_thread<T: Send + 'static>(
    permit: OwnedSemaphorePermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let mut task = JoinSet::new();
    task.spawn_blocking(move || {
        let result = work();
        drop(permit);
        result
    });
    match task.join_next().await {
        Some(Ok(result)) => Ok(result),
        Some(Err(error)) => Err(Error::internal("Hashing a password stopped.", error)),
        None => Err(Error::internal("Hashing a password stopped.", "no task")),
    }
}
