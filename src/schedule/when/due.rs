//! Which firings are to be run now.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use super::{Beyond, Cutoff, Firing, Rule, Trigger, day_start};
use crate::error::Error;

/// What is done about firings that a stop of the server passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missed {
    /// One run, for the latest of them.
    #[default]
    Once,
    /// All of them, oldest first.
    Each,
    /// None of them.
    Skip,
}

impl Missed {
    /// Words of definition files, in the order of the variants.
    pub const WORDS: &[&str] = &["once", "each", "skip"];

    /// By word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Once, Self::Each, Self::Skip]
            .into_iter()
            .zip(Self::WORDS)
            .find(|(_, known)| **known == word)
            .map(|(this, _)| this)
    }
}

/// The most firings that [`Trigger::due`] gives at once for [`Missed::Each`]; the next call goes on after them.
pub const MOST_AT_ONCE: usize = 1000;

/// How far a firing may be late and still count as on time, unless stated otherwise.
pub const GRACE: SignedDuration = SignedDuration::from_secs(60);

/// What is to be run.
#[derive(Debug)]
pub struct Due {
    /// Oldest first.
    pub run: Vec<Firing>,
    /// How many firings are passed over for good.
    pub passed: usize,
    /// To be stored, and given as `last` the next time. Never before the `last` of this call.
    pub seen: Timestamp,
    /// Why the answer ends before `now`: the calendar does not cover a year. `seen` stays before it.
    pub beyond: Option<Error>,
}

impl Trigger {
    /// The firings after `last` up to `now` that are to be run.
    ///
    /// `last` is what the call before gave as `seen`; `None` the first time, when nothing is due yet. A clock that went back
    /// makes nothing due twice, because `last` does not go back with it. A clock-driven firing is on time within `grace`. A
    /// close-driven one waits for its data and not for the clock: it is on time until its deadline and `grace` are over, and
    /// without a deadline until the next period has ended.
    pub fn due(&self, last: Option<Timestamp>, now: Timestamp, missed: Missed, grace: SignedDuration) -> Due {
        const CHUNK: SignedDuration = SignedDuration::from_hours(24 * 32);
        let Some(last) = last else { return Due { run: Vec::new(), passed: 0, seen: now, beyond: None } };
        let mut due = Due { run: Vec::new(), passed: 0, seen: last.max(now), beyond: None };
        let oldest = now.checked_sub(grace.max(SignedDuration::ZERO)).unwrap_or(Timestamp::MIN);
        let follows_clock = matches!(self.rule, Rule::Clock { .. });
        let mut found: VecDeque<Firing> = VecDeque::new();
        let mut from = last;
        while from < now {
            let to = from.checked_add(CHUNK).unwrap_or(Timestamp::MAX).min(now);
            let window = self.window(from, to);
            for firing in window.firings {
                found.push_back(firing);
                // Of those that are late only the latest can still be run, so a long stop needs no memory.
                if follows_clock && missed != Missed::Each && found.len() > 1 && found[1].at < oldest {
                    found.pop_front();
                    due.passed += 1;
                }
            }
            if missed == Missed::Each && found.len() >= MOST_AT_ONCE {
                found.truncate(MOST_AT_ONCE);
                due.seen = found.back().map_or(last, |firing| firing.at);
                break;
            }
            if let Some(Beyond { from: day, error }) = window.beyond {
                let known =
                    day_start(day, &self.zone).and_then(|start| start.checked_sub(SignedDuration::from_nanos(1)).ok());
                let given = found.back().map_or(last, |firing| firing.at);
                due.seen = known.map_or(last, |known| known.min(now)).max(given).max(last);
                due.beyond = Some(error);
                break;
            }
            from = to;
        }
        let count = found.len();
        let is_late = |(index, firing): (usize, &Firing)| match (&firing.cutoff, follows_clock) {
            (_, true) => firing.at < oldest,
            (Some(Cutoff::At { local, .. }), false) => local.timestamp() < oldest,
            (_, false) => index + 1 < count,
        };
        let late: Vec<bool> = found.iter().enumerate().map(is_late).collect();
        let all_late = late.iter().all(|late| *late);
        for (index, firing) in found.into_iter().enumerate() {
            let run = match missed {
                Missed::Each => true,
                Missed::Skip => !late[index],
                Missed::Once => !late[index] || (all_late && index + 1 == count),
            };
            match run {
                true => due.run.push(firing),
                false => due.passed += 1,
            }
        }
        due
    }
}

/// What happens when a run is to start while others of its schedule run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlap {
    /// It is skipped.
    #[default]
    Forbid,
    /// It waits.
    Queue,
    /// It takes their place.
    Replace,
}

impl Overlap {
    /// Words of definition files, in the order of the variants.
    pub const WORDS: &[&str] = &["forbid", "queue", "replace"];

    /// By word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Forbid, Self::Queue, Self::Replace]
            .into_iter()
            .zip(Self::WORDS)
            .find(|(_, known)| **known == word)
            .map(|(this, _)| this)
    }
}
