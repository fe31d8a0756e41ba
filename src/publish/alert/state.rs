//! The states of what an alert watches, and what leads from one to the next. Pure.
//!
//! `ok → pending → firing → acknowledged → ok`. No data is a state of its own and never reads as `ok`; what was raised before
//! the data went is still raised when they are back, until it is seen to be over. What is gone for good ends, once that was told.

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not raised.
    Ok,
    /// The condition holds, but not yet for as long as the alert asks.
    Pending,
    /// Raised.
    Firing,
    /// Raised, and somebody said that they know.
    Acknowledged,
    /// There was nothing to judge.
    NoData,
    /// It is not looked at any more; when it is there again it begins anew.
    Ended,
}

impl State {
    /// All, what somebody should look at first.
    pub const ALL: [Self; 6] = [Self::Firing, Self::NoData, Self::Acknowledged, Self::Pending, Self::Ok, Self::Ended];

    /// As it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Acknowledged => "acknowledged",
            Self::NoData => "no_data",
            Self::Ended => "ended",
        }
    }

    /// From what was kept.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What an evaluation sees of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// No row, or no value where one is needed.
    Nothing,
    /// One of several rows that is not there, though its dataset was read.
    Gone,
    /// It is not judged any more.
    Over,
    /// A figure; both are false between the two limits.
    Figure {
        /// The condition holds.
        raised: bool,
        /// It is over.
        cleared: bool,
    },
}

/// What is kept from one evaluation to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) state: State,
    /// With no data: how it was raised before, if it was.
    pub(super) held: Option<State>,
    /// Evaluations in a row in which the condition held.
    pub(super) streak: u32,
    /// What people were told last: `Ok`, `Firing` or `NoData`.
    pub(super) told: State,
}

impl Memory {
    /// Of what was never looked at.
    pub(super) const NEW: Self = Self { state: State::Ok, held: None, streak: 0, told: State::Ok };

    /// After an evaluation. `is_new`: the figure or its day is another than last time; the same one seen again does not count
    /// towards the `runs` that the alert waits for.
    pub(super) fn see(self, seen: Seen, is_new: bool, runs: u32) -> Self {
        let is_told = seen == Seen::Gone && self.state == State::NoData && self.told == State::NoData;
        if is_told || seen == Seen::Over {
            return Self { state: State::Ended, held: None, streak: 0, told: State::Ok };
        }
        let Seen::Figure { raised, cleared } = seen else {
            let held = match self.state {
                State::NoData => self.held,
                State::Firing | State::Acknowledged => Some(self.state),
                State::Ok | State::Pending | State::Ended => None,
            };
            return Self { state: State::NoData, held, streak: 0, ..self };
        };
        let before = match self.state {
            State::NoData => self.held.unwrap_or(State::Ok),
            state => state,
        };
        let (state, streak) = match before {
            State::Firing | State::Acknowledged if cleared => (State::Ok, 0),
            State::Firing | State::Acknowledged => (before, self.streak),
            _ if !raised => (State::Ok, 0),
            _ => {
                let streak = if is_new { self.streak.saturating_add(1) } else { self.streak.max(1) };
                (if streak >= runs { State::Firing } else { State::Pending }, streak)
            }
        };
        Self { state, held: None, streak, ..self }
    }

    /// What people have to be told: how it stands, where they were told something else last. While it is pending, and when it
    /// ends, they are not told anything.
    pub(super) fn news(self) -> Option<State> {
        let level = match self.state {
            State::Pending | State::Ended => return None,
            State::Firing | State::Acknowledged => State::Firing,
            state => state,
        };
        (level != self.told).then_some(level)
    }
}
