//! When what failed for a passing reason is tried again: runs and deliveries alike.

use jiff::{SignedDuration, Timestamp};

use crate::auth::sha256_hex;

/// Tries in all, the first included.
const TRIES: i64 = 5;
/// Longest wait after the first failure, ms; it doubles with each further one.
const FIRST_MS: u64 = 30_000;

/// When the next try is, after `failed` failures (1 or more); none after the last one.
///
/// The wait is drawn from the whole range up to the longest one (full jitter), so that what failed together does not come back
/// together. It is drawn by the name of what is tried: the same gives the same.
pub(super) fn again_at(now: Timestamp, failed: i64, what: &str) -> Option<Timestamp> {
    let failed = failed.max(1);
    if failed >= TRIES {
        return None;
    }
    let longest = FIRST_MS << (failed - 1);
    let digest = sha256_hex(format!("{what} {failed}").as_bytes());
    let drawn = digest.get(..8).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default();
    let wait = (drawn * (longest + 1)) >> 32;
    now.checked_add(SignedDuration::from_millis(i64::try_from(wait).unwrap_or(i64::MAX))).ok()
}

#[cfg(test)]
mod tests;
