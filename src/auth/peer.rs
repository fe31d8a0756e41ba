//! Where somebody comes from: the face, the address, what they showed; and how often an address may be wrong.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A face that one logs in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// Pages and the JSON interface.
    Http,
    /// Arrow Flight SQL.
    Flight,
}

/// Where a login comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The face.
    pub entry: Entry,
    /// The client's address, where it is known.
    pub address: Option<IpAddr>,
}

impl Peer {
    /// At a face, from an address in any form; one of IPv4 that arrives as IPv6 is the same address.
    pub fn new(entry: Entry, address: Option<IpAddr>) -> Self {
        Self { entry, address: address.map(|address| address.to_canonical()) }
    }

    /// For the record.
    pub(super) fn to_json(self, by: &str) -> Value {
        json!({"by": by, "face": self.entry, "address": self.address})
    }
}

/// What a login was shown with, and from where: recorded with every statement. It gives no right; what it names must still
/// stand while a statement runs, and a session that is opened stays with the token before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Via {
    /// The id of an access token, or the beginning of a session's hash.
    pub credential: Option<Credential>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// It is a session in the last third of its life that another may follow.
    pub renewable: bool,
}

/// What must still stand while a statement runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// An access token, by its id.
    Token(String),
    /// A session, by the SHA-256 of its secret.
    Session(String),
}

impl Credential {
    /// In a word that opens nothing.
    pub fn label(&self) -> String {
        match self {
            Self::Token(id) => format!("token {id}"),
            Self::Session(sha256) => format!("session {}", sha256.get(..12).unwrap_or_default()),
        }
    }
}

/// The time in which failures of an address are counted.
const WINDOW: SignedDuration = SignedDuration::from_mins(1);
/// Addresses that are remembered; beyond them those of an older minute are forgotten.
const REMEMBERED: usize = 10_000;

/// Counts failed logins by address. An unknown address counts like one.
#[derive(Debug)]
pub(super) struct Addresses {
    most: u32,
    failures: Mutex<HashMap<Option<IpAddr>, (Timestamp, u32)>>,
}

impl Addresses {
    pub(super) fn new(most: u32) -> Self {
        Self { most, failures: Mutex::default() }
    }

    /// Whether an address has failed too often in this minute.
    pub(super) fn is_barred(&self, address: Option<IpAddr>, now: Timestamp) -> bool {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.get(&address).is_some_and(|(since, count)| *count >= self.most && *since + WINDOW > now)
    }

    /// Counts a failure.
    pub(super) fn failed(&self, address: Option<IpAddr>, now: Timestamp) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= REMEMBERED {
            failures.retain(|_, (since, _)| *since + WINDOW > now);
        }
        let entry = failures.entry(address).or_insert((now, 0));
        if entry.0 + WINDOW <= now {
            *entry = (now, 0);
        }
        entry.1 = entry.1.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_fails_often_waits_for_the_next_minute() {
        let addresses = Addresses::new(2);
        let here: Option<IpAddr> = Some("10.1.2.3".parse().unwrap());
        let now = Timestamp::UNIX_EPOCH;
        addresses.failed(here, now);
        assert!(!addresses.is_barred(here, now));
        addresses.failed(here, now);
        assert!(addresses.is_barred(here, now) && !addresses.is_barred(None, now));
        assert!(!addresses.is_barred(here, now + WINDOW));
        let mapped = Peer::new(Entry::Http, Some("::ffff:10.1.2.3".parse().unwrap()));
        assert_eq!(mapped.address, here);
    }
}
