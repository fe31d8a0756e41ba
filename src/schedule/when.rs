//! When a schedule fires, and why then.
//!
//! In: a trigger (a cron expression, or the end of a period), its time zone, its calendar, and an instant. Out: firings in
//! order, each with its logical instant, its local time, the period that it is for and the reasons of every move, or where
//! the calendar ends. Nothing here reads a clock. Readiness of data, leases and runs are others' work.
//!
//! **Holidays.** `on_holiday` moves a day, and the times of day stay. A firing that is moved onto an instant which has one
//! already is that firing: one run per logical instant, with the reasons of both.
//!
//! **Make-up working days.** `30 7 * * 1-5` does not name a Saturday, be it worked or not. What runs on business days is
//! written `30 7 * * *` with a calendar and `on_holiday: skip`.

mod cron;
mod due;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp, Zoned};

use super::calendar::{Calendar, Day};
use crate::error::Error;
use crate::model::Label;

pub use cron::{Cron, Moment, Shift};
pub use due::{Due, GRACE, MOST_AT_ONCE, Missed, Overlap};

/// What makes a schedule fire, and where.
#[derive(Debug, Clone)]
pub struct Trigger {
    zone: TimeZone,
    calendar: Option<Arc<Calendar>>,
    rule: Rule,
}

/// What makes a schedule fire.
#[derive(Debug, Clone)]
pub enum Rule {
    /// The clock.
    Clock {
        /// When, in local time.
        cron: Cron,
        /// What happens on days without business; the trigger then has a calendar.
        on_holiday: Option<OnHoliday>,
    },
    /// The close of a period: the firing is its end, and the run then waits for the data.
    Closed {
        /// Which periods.
        every: Every,
        /// Whether days without business are no periods; the trigger then has a calendar.
        business_days_only: bool,
        /// How long the data are waited for; the trigger then has a calendar.
        deadline: Option<Deadline>,
    },
}

/// What a clock-driven schedule does on days without business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnHoliday {
    /// It does not fire.
    #[default]
    Skip,
    /// It fires on the first business day after.
    Next,
    /// It fires on the last business day before.
    Previous,
}

impl OnHoliday {
    /// Words of definition files, in the order of the variants.
    pub const WORDS: &[&str] = &["skip", "next_business_day", "previous_business_day"];

    /// By word.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Skip, Self::Next, Self::Previous];
        all.into_iter().zip(Self::WORDS).find(|(_, known)| **known == word).map(|(this, _)| this)
    }
}

/// The periods of a close-driven schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// Calendar months.
    Month,
    /// Days.
    Day,
}

/// How long a close-driven schedule waits for data, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadline {
    /// The business day after the period's end, 1 for the first.
    pub business_day: u32,
    /// Local time of that day.
    pub at: Time,
    /// What follows.
    pub then: Then,
    /// Partial: the least number of branches that must have closed; else it is held. No limit unless stated.
    pub at_least: Option<u32>,
    /// Roles that are told.
    pub tell: Vec<String>,
}

impl Deadline {
    /// Whether it publishes with so many branches closed: what no branch has closed is not published at all.
    pub fn publishes(&self, closed: usize) -> bool {
        self.then == Then::Partial && closed >= self.at_least.map_or(1, |least| least.max(1) as usize)
    }
}

/// What follows a deadline that passes before the data are complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The edition is published, and prints which branches are missing.
    Partial,
    /// It is held.
    Hold,
}

impl Then {
    /// Words of definition files, in the order of the variants.
    pub const WORDS: &[&str] = &["partial", "hold"];

    /// By word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Partial, Self::Hold]
            .into_iter()
            .zip(Self::WORDS)
            .find(|(_, known)| **known == word)
            .map(|(this, _)| this)
    }
}

/// One firing: one run, if it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// The logical time, which names the run; of a close-driven schedule the end of the period.
    pub at: Timestamp,
    /// The same in the zone of the schedule.
    pub local: Zoned,
    /// What it is for: the period that ended, or the newest day that had ended, a business day where there is a calendar.
    /// `None` where the calendar does not cover that day.
    pub period: Option<Period>,
    /// Close-driven with a deadline: when the wait for data ends.
    pub cutoff: Option<Cutoff>,
    /// Why it is not simply the time that the definition names; empty when it is.
    pub reasons: Vec<Reason>,
}

/// What a firing is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// A business date.
    Day(Date),
    /// A month, by its last day.
    Month(Date),
}

impl Period {
    /// Its last day: the as-of date of what is published for it.
    pub fn last_day(self) -> Date {
        let (Self::Day(day) | Self::Month(day)) = self;
        day
    }
}

/// `2026-10-31`, `2026-10`.
impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Day(day) => write!(f, "{day}"),
            Self::Month(day) => f.write_str(&day.strftime("%Y-%m").to_string()),
        }
    }
}

/// When the wait for data ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cutoff {
    /// At a time, in the zone of the schedule.
    At {
        /// The time.
        local: Zoned,
        /// Which business day after the period it is.
        business_day: u32,
        /// What the clock did to it.
        reasons: Vec<Reason>,
    },
    /// The calendar does not cover the year that it lies in; the sentence names file and year.
    Unknown(String),
}

/// Why a firing is when it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The clock goes forward over the time; it fires at the end of the gap.
    Gap {
        /// The time that does not happen.
        wanted: DateTime,
    },
    /// The clock goes back over the time; it fires at the first of the two, once.
    OverlapFirst {
        /// The time that happens twice.
        wanted: DateTime,
    },
    /// The clock goes back over the time, and the schedule follows real time: it fires at both.
    OverlapBoth {
        /// The time that happens twice.
        wanted: DateTime,
    },
    /// The day named is without business, so another one is taken.
    Moved {
        /// The day named.
        from: Date,
        /// The holiday; `None` for a weekend.
        holiday: Option<Label>,
    },
    /// A firing of a day without business fell onto this one, which was named as well.
    Joined {
        /// The day without business.
        from: Date,
        /// The holiday; `None` for a weekend.
        holiday: Option<Label>,
    },
    /// A day of the weekend with business.
    MadeUp {
        /// The holiday that it makes up for; may be empty.
        holiday: Label,
    },
}

/// A day that was named but does not fire, because it is without business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The day.
    pub day: Date,
    /// The holiday; `None` for a weekend.
    pub holiday: Option<Label>,
}

/// Firings in order.
#[derive(Debug)]
pub struct Found {
    /// Ascending, no instant twice.
    pub firings: Vec<Firing>,
    /// Days that were skipped on the way, ascending.
    pub skipped: Vec<Skipped>,
    /// Why there are fewer than were asked for: the calendar does not cover a year.
    pub beyond: Option<Error>,
}

/// Where a calendar ends: no firing of this local day or a later one is certain.
#[derive(Debug)]
struct Beyond {
    from: Date,
    error: Error,
}

#[derive(Debug, Default)]
struct Window {
    firings: Vec<Firing>,
    skipped: Vec<Skipped>,
    beyond: Option<Beyond>,
}

/// The zone of an IANA name. The database is the caller's, [`jiff::tz::db`] in the server.
///
/// # Errors
/// A sentence that names it.
pub fn zone(database: &TimeZoneDatabase, name: &str) -> Result<TimeZone, String> {
    database.get(name).map_err(|_| format!("there is no time zone `{name}`; use an IANA name such as `Europe/Prague`"))
}

impl Trigger {
    /// A clock-driven trigger.
    pub fn clock(cron: Cron, zone: TimeZone, calendar: Option<(Arc<Calendar>, OnHoliday)>) -> Self {
        let (calendar, on_holiday) = calendar.unzip();
        Self { zone, calendar, rule: Rule::Clock { cron, on_holiday } }
    }

    /// A close-driven trigger without a deadline.
    pub fn closed(every: Every, zone: TimeZone) -> Self {
        Self { zone, calendar: None, rule: Rule::Closed { every, business_days_only: false, deadline: None } }
    }

    /// A close-driven trigger that counts business days: for its deadline, and for its periods where `business_days_only` and
    /// the periods are days.
    pub fn closed_by(
        every: Every,
        zone: TimeZone,
        calendar: Arc<Calendar>,
        business_days_only: bool,
        deadline: Option<Deadline>,
    ) -> Self {
        Self { zone, calendar: Some(calendar), rule: Rule::Closed { every, business_days_only, deadline } }
    }

    /// Its zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Its calendar.
    pub fn calendar(&self) -> Option<&Calendar> {
        self.calendar.as_deref()
    }

    /// What makes it fire.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The first `count` firings after an instant.
    pub fn next(&self, after: Timestamp, count: usize) -> Found {
        const DAY_HOURS: i64 = 24;
        let mut found = Found { firings: Vec::new(), skipped: Vec::new(), beyond: None };
        let (mut from, mut days) = (after, 2);
        // An expression that comes at all comes within 400 years.
        let end = after.checked_add(SignedDuration::from_hours(DAY_HOURS * 366 * 400)).unwrap_or(Timestamp::MAX);
        while found.firings.len() < count && from < end && found.beyond.is_none() {
            let to = from.checked_add(SignedDuration::from_hours(DAY_HOURS * days)).unwrap_or(Timestamp::MAX).min(end);
            let window = self.window(from, to);
            found.firings.extend(window.firings);
            found.skipped.extend(window.skipped);
            found.beyond = window.beyond.map(|beyond| beyond.error);
            (from, days) = (to, (days * 2).min(366));
        }
        if found.firings.len() >= count {
            found.firings.truncate(count);
            found.beyond = None;
            let last = found.firings.last().map(|firing| firing.local.date());
            found.skipped.retain(|skipped| last.is_some_and(|last| skipped.day <= last));
        }
        found.skipped.dedup();
        found
    }

    /// All firings after `from`, up to and including `to`.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> Found {
        let Window { firings, skipped, beyond } = self.window(from, to);
        Found { firings, skipped, beyond: beyond.map(|beyond| beyond.error) }
    }

    /// When the wait for the data of a period ends; `None` without a deadline.
    pub fn cutoff_of(&self, period: Period) -> Option<Cutoff> {
        match &self.rule {
            Rule::Closed { deadline: Some(deadline), .. } => Some(self.cutoff(period.last_day(), deadline)),
            _ => None,
        }
    }

    /// The periods whose wait for data ended after `since`, up to and including `now`, the oldest first; none without a deadline,
    /// and where the calendar does not say.
    pub fn passed(&self, since: Timestamp, now: Timestamp) -> Vec<Period> {
        // No deadline is later after its period: it is at most the 28th business day.
        const LONGEST: i64 = 80;
        let Rule::Closed { every, business_days_only, deadline: Some(_) } = &self.rule else { return Vec::new() };
        let today = self.zone.to_datetime(now).date();
        let oldest = days_from(self.zone.to_datetime(since).date(), -LONGEST);
        let first = match every {
            Every::Month => today.first_of_month().yesterday().ok(),
            Every::Day => today.yesterday().ok(),
        };
        let before = |day: &Date| match every {
            Every::Month => day.first_of_month().yesterday().ok(),
            Every::Day => day.yesterday().ok(),
        };
        let is_period = |day: &Date| {
            let calendar = self.calendar().filter(|_| *business_days_only && *every == Every::Day);
            calendar.is_none_or(|calendar| calendar.is_business_day(*day).unwrap_or(false))
        };
        let period = |day: Date| match every {
            Every::Month => Period::Month(day),
            Every::Day => Period::Day(day),
        };
        let ends = std::iter::successors(first, before).take_while(|day| *day >= oldest).filter(is_period);
        let mut found = Vec::new();
        for period in ends.map(period) {
            match self.cutoff_of(period) {
                // An earlier period never waits longer than a later one.
                Some(Cutoff::At { local, .. }) if local.timestamp() <= since => break,
                Some(Cutoff::At { local, .. }) if local.timestamp() <= now => found.push(period),
                _ => {}
            }
        }
        found.reverse();
        found
    }

    fn window(&self, from: Timestamp, to: Timestamp) -> Window {
        let mut window = Window::default();
        if from >= to {
            return window;
        }
        // Clocks have gone over whole days, so a local day may end up to a day away from where its date says.
        let first = days_from(self.zone.to_datetime(from).date(), -2);
        let last = days_from(self.zone.to_datetime(to).date(), 2);
        match &self.rule {
            Rule::Clock { cron, on_holiday } => {
                self.clock_window(cron, *on_holiday, (first, last), (from, to), &mut window)
            }
            Rule::Closed { every, business_days_only, deadline } => {
                let only = self.calendar().filter(|_| *business_days_only && *every == Every::Day);
                let mut day = Some(first).filter(|_| first <= last);
                while let Some(end) = day {
                    day = end.tomorrow().ok().filter(|next| *next <= last);
                    let period = match every {
                        Every::Day => Period::Day(end),
                        Every::Month if end == end.last_of_month() => Period::Month(end),
                        Every::Month => continue,
                    };
                    match only.map_or(Ok(true), |calendar| calendar.is_business_day(end)) {
                        Ok(true) => window.firings.extend(self.close(period, deadline.as_ref())),
                        Ok(false) => {}
                        Err(error) => {
                            window.beyond = Some(Beyond { from: days_from(end, 1), error });
                            break;
                        }
                    }
                }
            }
        }
        window.firings.retain(|firing| from < firing.at && firing.at <= to);
        window.firings.sort_by_key(|firing| firing.at);
        window.firings.dedup_by(|next, kept| {
            let is_same = next.at == kept.at;
            if is_same {
                let news = next.reasons.drain(..).filter(|reason| !kept.reasons.contains(reason)).collect::<Vec<_>>();
                kept.reasons.extend(news);
            }
            is_same
        });
        let ends = self.zone.to_datetime(to).date();
        window.beyond = window.beyond.filter(|beyond| beyond.from <= ends);
        window
    }

    /// The firings of local days from `first` to `last`, by the days that the expression names and where holidays move them.
    fn clock_window(
        &self,
        cron: &Cron,
        on_holiday: Option<OnHoliday>,
        (first, last): (Date, Date),
        (from, to): (Timestamp, Timestamp),
        window: &mut Window,
    ) {
        /// No days in a row without business are more; used only to look beyond the end of a calendar.
        const LONGEST_HOLIDAY: i64 = 31;
        let calendar = self.calendar.as_deref().zip(on_holiday);
        let (mut named, mut until) = (first, last);
        if let Some((calendar, on_holiday)) = calendar {
            // Days outside whose firings are moved inside.
            let is_closed = |day: Date| calendar.is_business_day(day).is_ok_and(|is_business| !is_business);
            if on_holiday == OnHoliday::Next {
                while is_closed(days_from(named, -1)) {
                    named = days_from(named, -1);
                }
            }
            if on_holiday == OnHoliday::Previous {
                while is_closed(days_from(until, 1)) {
                    until = days_from(until, 1);
                }
                if !calendar.covers(days_from(until, 1)) {
                    until = days_from(until, LONGEST_HOLIDAY);
                }
            }
        }
        // Per day that fires: the days that named it, with the holiday of those that were moved.
        let mut days: BTreeMap<Date, Vec<(Date, Option<Label>)>> = BTreeMap::new();
        let mut day = Some(named).filter(|_| named <= until);
        while let Some(current) = day {
            day = current.tomorrow().ok().filter(|next| *next <= until);
            if !cron.matches(current) {
                continue;
            }
            let Some((calendar, on_holiday)) = calendar else {
                days.entry(current).or_default().push((current, None));
                continue;
            };
            let holiday = match calendar.day(current) {
                Ok(Day::Business | Day::MadeUp(_)) => {
                    days.entry(current).or_default().push((current, None));
                    continue;
                }
                Ok(Day::Weekend) => None,
                Ok(Day::Holiday(name)) => Some(name.clone()),
                Err(error) => {
                    let from = match on_holiday {
                        OnHoliday::Skip | OnHoliday::Next => current,
                        OnHoliday::Previous => last_known_business_day(calendar, current, LONGEST_HOLIDAY),
                    };
                    window.beyond = Some(Beyond { from, error });
                    break;
                }
            };
            let target = match on_holiday {
                OnHoliday::Skip => {
                    let moments = cron.moments(current, &self.zone);
                    if moments.iter().any(|moment| from < moment.at && moment.at <= to) {
                        window.skipped.push(Skipped { day: current, holiday });
                    }
                    continue;
                }
                OnHoliday::Next => calendar.next_business_day(current),
                OnHoliday::Previous => calendar.previous_business_day(current),
            };
            match (target, on_holiday) {
                (Ok(target), _) => days.entry(target).or_default().push((current, holiday)),
                // It went back into a year that is not covered: it lies before the first day that is covered.
                (Err(error), OnHoliday::Previous) => {
                    let mut uncovered = current;
                    while calendar.covers(uncovered) {
                        uncovered = days_from(uncovered, -1);
                    }
                    if uncovered >= first {
                        window.beyond = Some(Beyond { from: first, error });
                        break;
                    }
                }
                (Err(error), _) => {
                    let mut uncovered = current;
                    while calendar.covers(uncovered) {
                        uncovered = days_from(uncovered, 1);
                    }
                    window.beyond = Some(Beyond { from: uncovered, error });
                    break;
                }
            }
        }
        for (day, origins) in days.range(first..=last) {
            window.firings.extend(self.clock_firings(cron, *day, origins));
        }
    }

    fn clock_firings(&self, cron: &Cron, day: Date, origins: &[(Date, Option<Label>)]) -> Vec<Firing> {
        let is_named = origins.iter().any(|(origin, _)| *origin == day);
        let mut reasons = Vec::new();
        if let Some(Ok(Day::MadeUp(holiday))) = self.calendar().map(|calendar| calendar.day(day)) {
            reasons.push(Reason::MadeUp { holiday: holiday.clone() });
        }
        for (origin, holiday) in origins.iter().filter(|(origin, _)| *origin != day) {
            let (from, holiday) = (*origin, holiday.clone());
            reasons.push(if is_named { Reason::Joined { from, holiday } } else { Reason::Moved { from, holiday } });
        }
        let before = match self.calendar() {
            Some(calendar) => calendar.previous_business_day(day).ok(),
            None => day.yesterday().ok(),
        };
        let moments = cron.moments(day, &self.zone).into_iter();
        let firings = moments.map(|Moment { at, wanted, shift }| Firing {
            at,
            local: at.to_zoned(self.zone.clone()),
            period: before.map(Period::Day),
            cutoff: None,
            reasons: shift_reason(wanted, shift).into_iter().chain(reasons.iter().cloned()).collect(),
        });
        firings.collect()
    }

    /// The firing of a period's end; `None` beyond the years that a timestamp holds.
    fn close(&self, period: Period, deadline: Option<&Deadline>) -> Option<Firing> {
        let end = period.last_day();
        let at = day_start(end.tomorrow().ok()?, &self.zone)?;
        let cutoff = deadline.map(|deadline| self.cutoff(end, deadline));
        Some(Firing { at, local: at.to_zoned(self.zone.clone()), period: Some(period), cutoff, reasons: Vec::new() })
    }

    fn cutoff(&self, end: Date, deadline: &Deadline) -> Cutoff {
        let Some(calendar) = self.calendar() else { return Cutoff::Unknown("the schedule has no calendar".into()) };
        let day = match calendar.business_day_after(end, deadline.business_day) {
            Ok(day) => day,
            Err(error) => return Cutoff::Unknown(error.message().to_owned()),
        };
        match cron::fixed_moment(day.to_datetime(deadline.at), &self.zone) {
            Some(Moment { at, wanted, shift }) => Cutoff::At {
                local: at.to_zoned(self.zone.clone()),
                business_day: deadline.business_day,
                reasons: shift_reason(wanted, shift).into_iter().collect(),
            },
            None => Cutoff::Unknown(format!("{day} is beyond the years of the clock")),
        }
    }
}

fn shift_reason(wanted: DateTime, shift: Shift) -> Option<Reason> {
    match shift {
        Shift::None => None,
        Shift::Gap => Some(Reason::Gap { wanted }),
        Shift::First => Some(Reason::OverlapFirst { wanted }),
        Shift::Both => Some(Reason::OverlapBoth { wanted }),
    }
}

/// The first instant of a local day; `None` beyond the years that a timestamp holds.
fn day_start(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    cron::fixed_moment(day.to_datetime(Time::midnight()), zone).map(|moment| moment.at)
}

fn days_from(day: Date, days: i64) -> Date {
    day.saturating_add(jiff::Span::new().days(days))
}

/// The last day before `day` that is known to be a business day, `most` days back at most.
fn last_known_business_day(calendar: &Calendar, day: Date, most: i64) -> Date {
    let mut days = (1..=most).map(|back| days_from(day, -back));
    days.find(|day| calendar.is_business_day(*day).unwrap_or(false)).unwrap_or_else(|| days_from(day, -most))
}
