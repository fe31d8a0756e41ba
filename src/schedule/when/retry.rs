//! When a run that failed for a passing reason is tried again.

use jiff::{SignedDuration, Timestamp};

/// How often and how fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Tries in all, the first included.
    pub tries: u32,
    /// Longest wait after the first failure; it doubles with each further one.
    pub first: SignedDuration,
    /// No wait is longer.
    pub most: SignedDuration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { tries: 5, first: SignedDuration::from_secs(30), most: SignedDuration::from_mins(30) }
    }
}

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Another try at this time.
    At(Timestamp),
    /// None: it was the last try.
    Exhausted,
    /// None: the deadline of the run is over.
    TooLate,
}

impl Policy {
    /// The longest wait after `failed` failures (1 or more): `first` × 2^(failed − 1), at most `most`.
    pub fn longest_wait(&self, failed: u32) -> SignedDuration {
        let factor = 1_i32.checked_shl(failed.saturating_sub(1)).filter(|factor| *factor > 0);
        factor.and_then(|factor| self.first.checked_mul(factor)).map_or(self.most, |wait| wait.min(self.most))
    }

    /// What follows the `failed`-th failure (1 for the first) at `now`.
    ///
    /// The wait is drawn from the whole range from 0 to the longest wait (full jitter), so that many runs that failed together
    /// do not come back together. `random` is the caller's, any of 64 bits, all equally likely; the same number gives the same
    /// wait, to the millisecond. A wait always ends before the deadline.
    pub fn after(&self, failed: u32, now: Timestamp, deadline: Option<Timestamp>, random: u64) -> Retry {
        if failed >= self.tries {
            return Retry::Exhausted;
        }
        let mut longest = self.longest_wait(failed).max(SignedDuration::ZERO);
        if let Some(deadline) = deadline {
            let left = now.duration_until(deadline);
            if left <= SignedDuration::ZERO {
                return Retry::TooLate;
            }
            longest = longest.min(left - SignedDuration::from_nanos(1));
        }
        let choices = longest.as_millis().unsigned_abs() + 1;
        let wait = (u128::from(random) * choices) >> 64;
        let wait = SignedDuration::from_millis(i64::try_from(wait).unwrap_or(i64::MAX));
        now.checked_add(wait).map_or(Retry::TooLate, Retry::At)
    }
}
