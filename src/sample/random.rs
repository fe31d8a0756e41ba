//! Random streams that depend on an entity and on nothing else.
//!
//! Each entity draws from a stream of its own, found by hashing (seed, kind, number, month). What one customer does can
//! therefore not change what another does, and a bank with more customers begins with the same ones. Integers only: the
//! same bytes on every platform.

/// What a stream is drawn for. The numbers are part of the generator's output: never renumber.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub(super) enum Kind {
    /// The order of a block of customers.
    Order = 1,
    /// Fixed features of a customer.
    Profile = 2,
    /// Leaving and complaining, month by month.
    Fate = 3,
    /// Which accounts a customer has.
    Accounts = 4,
    /// Transactions of an account.
    Ledger = 5,
    /// Repayment of a loan.
    Credit = 6,
    /// Calls, visits and messages.
    Contacts = 7,
    /// Selection for campaigns.
    Selection = 8,
    /// What a campaign contact leads to.
    Response = 9,
    /// Staff.
    Staff = 10,
}

/// A SplitMix64 stream.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    state: u64,
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

impl Stream {
    /// The stream of one entity and month.
    pub(super) fn new(seed: u64, kind: Kind, number: u64, month: u32) -> Self {
        let state = [kind as u64, number, u64::from(month)]
            .into_iter()
            .fold(mix(seed.wrapping_add(STEP)), |state, part| mix(state.wrapping_mul(STEP) ^ part.wrapping_add(STEP)));
        Self { state }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// A number from 0 to `limit` - 1; 0 when `limit` is 0.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low).max(0).unsigned_abs() + 1) as i64
    }

    /// True in so many of a thousand draws.
    pub(super) fn per_mille(&mut self, share: u64) -> bool {
        self.below(1000) < share
    }

    /// True in so many of a hundred thousand draws.
    pub(super) fn per_lakh(&mut self, share: u64) -> bool {
        self.below(100_000) < share
    }

    /// The position that a draw by these weights falls on.
    pub(super) fn weighted(&mut self, weights: impl IntoIterator<Item = u32> + Clone) -> usize {
        let total: u64 = weights.clone().into_iter().map(u64::from).sum();
        let mut left = self.below(total);
        let mut position = 0;
        for weight in weights {
            if left < u64::from(weight) {
                break;
            }
            left -= u64::from(weight);
            position += 1;
        }
        position
    }

    /// One of these.
    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len() as u64) as usize]
    }

    /// Puts a list into random order.
    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}
