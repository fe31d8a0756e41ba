//! Sealed tickets, prepared handles and transaction ids.
//!
//! What a client hands back was written by this process and by nobody else (AES-256-GCM), for this use and no other (the
//! kind is authenticated), for this principal, and not too long ago. All of it stands inside, so closing or losing a handle
//! costs the server nothing.

use std::sync::Arc;

use aes_gcm::aead::{Aead, OsRng, Payload};
use aes_gcm::{AeadCore, Aes256Gcm, KeyInit, Nonce};
use bytes::Bytes;
use prost::Message;
use tonic::Status;

use super::status;
use crate::auth::Principal;
use crate::clock::Clock;
use crate::error::{Code, Error};

/// First byte of every sealed text, so that the form can change.
const VERSION: u8 = 1;

/// Bytes of an AES-GCM nonce.
const NONCE: usize = 12;

/// Seconds.
const DAY: i64 = 86_400;

/// What a sealed text is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A planned statement, for DoGet.
    Ticket,
    /// A prepared statement.
    Handle,
    /// A read transaction.
    Transaction,
    /// A retained result that is still computed, for PollFlightInfo.
    Poll,
}

impl Kind {
    /// Seconds until it expires.
    pub(super) fn lifetime(self) -> i64 {
        match self {
            Self::Ticket | Self::Poll => 15 * 60,
            Self::Handle => 12 * 3600,
            Self::Transaction => 4 * 3600,
        }
    }

    fn tag(self) -> u8 {
        match self {
            Self::Ticket => b't',
            Self::Handle => b'h',
            Self::Transaction => b'x',
            Self::Poll => b'p',
        }
    }

    pub(super) fn expired(self) -> Status {
        status::expired(match self {
            Self::Poll => "This result is no longer kept: ask for the statement anew",
            Self::Ticket => "This ticket has expired: plan the statement again",
            Self::Handle => "This prepared statement has expired: prepare it again",
            Self::Transaction => super::session::TRANSACTION_EXPIRED,
        })
    }
}

/// What stands inside.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Sealed {
    /// The principal that may redeem it.
    #[prost(string, tag = "1")]
    pub principal: String,
    /// The principal's rights when it was made.
    #[prost(string, tag = "2")]
    pub fingerprint: String,
    /// Unix seconds.
    #[prost(int64, tag = "3")]
    pub expires: i64,
    /// Ties planning, running and cancelling together; of a transaction, its name.
    #[prost(string, tag = "4")]
    pub id: String,
    /// The statement, its parameters numbered.
    #[prost(string, tag = "5")]
    pub sql: String,
    /// Default schema; none is the principal's home.
    #[prost(string, optional, tag = "6")]
    pub schema: Option<String>,
    /// The snapshot that a ticket reads.
    #[prost(int64, optional, tag = "7")]
    pub snapshot: Option<i64>,
    /// Bound parameters as an Arrow IPC stream, a row for each execution; empty when none are bound.
    #[prost(bytes = "bytes", tag = "8")]
    pub parameters: Bytes,
    /// The transaction in which a handle was prepared, by its name.
    #[prost(string, optional, tag = "9")]
    pub transaction: Option<String>,
    /// Which part of how many of a retained result a ticket reads, counted from 0; of 0 parts: it runs the statement.
    #[prost(uint32, tag = "10")]
    pub part: u32,
    #[prost(uint32, tag = "11")]
    pub parts: u32,
    /// What decides the answer of a statement beside its text, as the session's options write it: which versions of members
    /// stand, which rollups may answer, whether previews are refused.
    #[prost(string, optional, tag = "12")]
    pub history: Option<String>,
    #[prost(string, tag = "13")]
    pub rollups: String,
    #[prost(bool, tag = "14")]
    pub strict: bool,
    /// Its texts were announced as dictionaries.
    #[prost(bool, tag = "15")]
    pub dictionaries: bool,
}

/// Seals and opens. The key changes daily and follows from the server's secret, so that every process of the server and the
/// next start know it.
#[derive(Clone)]
pub(super) struct Sealer {
    keys: Arc<dyn Fn(i64) -> [u8; 32] + Send + Sync>,
    clock: Clock,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// `keys` gives the key of a day, counted from 1970-01-01.
    pub(super) fn new(keys: impl Fn(i64) -> [u8; 32] + Send + Sync + 'static, clock: Clock) -> Self {
        Self { keys: Arc::new(keys), clock }
    }

    fn cipher(&self, day: i64) -> Aes256Gcm {
        Aes256Gcm::new(&(self.keys)(day).into())
    }

    fn today(&self) -> i64 {
        self.clock.now().as_second().div_euclid(DAY)
    }

    /// Seals `content` for `principal`; its expiry and the principal's rights are filled in.
    pub(super) fn seal(&self, kind: Kind, principal: &Principal, mut content: Sealed) -> Result<Bytes, Status> {
        content.principal.clone_from(&principal.name);
        content.fingerprint = principal.fingerprint();
        content.expires = self.expiry(kind);
        let nonce = Aes256Gcm::generate_nonce(&mut OsRng);
        let text = content.encode_to_vec();
        let sealed = self
            .cipher(self.today())
            .encrypt(&nonce, Payload { msg: &text, aad: &[VERSION, kind.tag()] })
            .map_err(|_| Status::from(Error::new(Code::Internal, "Cannot seal a handle")))?;
        let mut bytes = Vec::with_capacity(1 + NONCE + sealed.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&sealed);
        Ok(bytes.into())
    }

    /// Opens what `principal` hands back. The rights are not compared here: a ticket must have been planned under the
    /// present ones, while a handle is planned anew each time.
    pub(super) fn open(&self, kind: Kind, principal: &Principal, bytes: &[u8]) -> Result<Sealed, Status> {
        // One text for forged, damaged, of another kind and of another principal: nobody learns which.
        let unknown = || Status::from(Error::new(Code::Ticket, "No such ticket, prepared statement or transaction"));
        let content = self.decrypt(kind, bytes).ok_or_else(unknown)?;
        if content.principal != principal.name {
            return Err(unknown());
        }
        if content.expires <= self.clock.now().as_second() {
            return Err(kind.expired());
        }
        Ok(content)
    }

    /// When something sealed now expires, in Unix seconds.
    pub(super) fn expiry(&self, kind: Kind) -> i64 {
        self.clock.now().as_second() + kind.lifetime()
    }

    fn decrypt(&self, kind: Kind, bytes: &[u8]) -> Option<Sealed> {
        let (version, rest) = bytes.split_first()?;
        let (nonce, sealed) = rest.split_at_checked(NONCE)?;
        if *version != VERSION {
            return None;
        }
        let aad = [VERSION, kind.tag()];
        let payload = || Payload { msg: sealed, aad: &aad };
        // Nothing lives longer than a day, so the previous key is enough.
        let today = self.today();
        let open = |day| self.cipher(day).decrypt(Nonce::from_slice(nonce), payload()).ok();
        Sealed::decode(open(today).or_else(|| open(today - 1))?.as_slice()).ok()
    }
}

/// Handles that may be anything: nobody opens what this server did not seal for them; see `fuzzing`.
#[cfg(feature = "failpoints")]
pub fn fuzz_ticket(bytes: &[u8]) {
    use std::sync::LazyLock;
    static SEALED: LazyLock<(Sealer, Principal, Bytes)> = LazyLock::new(|| {
        let sealer = Sealer::new(|_| [7; 32], Clock::system());
        let owner = Principal::new("ann", ["analyst".to_owned()].into(), crate::auth::Scope::HeadOffice);
        let sealed = sealer.seal(Kind::Ticket, &owner, Sealed::default()).unwrap_or_default();
        (sealer, owner, sealed)
    });
    let (sealer, owner, sealed) = &*SEALED;
    // The bytes themselves, and a good ticket that they change.
    let changed: Vec<u8> = (0..sealed.len().max(bytes.len()))
        .map(|n| sealed.get(n).copied().unwrap_or(0) ^ bytes.get(n).copied().unwrap_or(0))
        .collect();
    for (kind, bytes) in [Kind::Ticket, Kind::Handle, Kind::Transaction, Kind::Poll]
        .into_iter()
        .flat_map(|kind| [(kind, bytes), (kind, changed.as_slice())])
    {
        let opened = sealer.open(kind, owner, bytes).is_ok();
        assert!(!opened || kind == Kind::Ticket && bytes == sealed.as_ref(), "a forged ticket was opened");
    }
    let _ = Sealed::decode(bytes);
    super::proto::fuzz(bytes);
}

#[cfg(test)]
mod tests;
