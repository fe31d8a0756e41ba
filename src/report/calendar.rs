//! Dates of reports: reading and printing them, and the calendar functions that parameters may call.

use jiff::ToSpan;
use jiff::civil::Date;

/// The date of a day number since 1970-01-01.
pub(super) fn date(days: i32) -> Date {
    Date::constant(1970, 1, 1).saturating_add(days.days())
}

/// The day number since 1970-01-01.
pub(super) fn days(date: Date) -> i32 {
    let span = date.duration_since(Date::constant(1970, 1, 1));
    i32::try_from(span.as_hours() / 24).expect("civil dates span fewer days than i32 holds")
}

/// `2025-11-30`.
pub(super) fn iso(days: i32) -> String {
    date(days).to_string()
}

/// Reads `2025-11-30`, and nothing else.
pub(super) fn parse(text: &str) -> Option<i32> {
    let strict = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    strict.then(|| text.parse::<Date>().ok()).flatten().map(days)
}

/// Reads `2025-11` or the first day of a month.
pub(super) fn parse_month(text: &str) -> Option<i32> {
    let day = if text.len() == 7 { parse(&format!("{text}-01")) } else { parse(text) }?;
    (date(day).day() == 1).then_some(day)
}

/// A unit of closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Period {
    /// Calendar month.
    Month,
    /// Calendar quarter.
    Quarter,
    /// Calendar year.
    Year,
}

impl Period {
    /// Their names.
    pub(super) const NAMES: [&'static str; 3] = ["month", "quarter", "year"];

    /// By name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "month" => Some(Self::Month),
            "quarter" => Some(Self::Quarter),
            "year" => Some(Self::Year),
            _ => None,
        }
    }

    /// First day of the period that holds `day`.
    pub(super) fn start(self, day: i32) -> i32 {
        let day = date(day).first_of_month();
        let back = match self {
            Self::Month => 0,
            Self::Quarter => (i64::from(day.month()) - 1) % 3,
            Self::Year => i64::from(day.month()) - 1,
        };
        days(day.saturating_sub(back.months()))
    }

    /// Last day of the period that holds `day`.
    pub(super) fn end(self, day: i32) -> i32 {
        let length = match self {
            Self::Month => 1,
            Self::Quarter => 3,
            Self::Year => 12,
        };
        days(date(self.start(day)).saturating_add(length.months())) - 1
    }

    /// Last day of the newest period that has ended on or before `day`.
    pub(super) fn last_closed(self, day: i32) -> i32 {
        if self.end(day) == day { day } else { self.start(day) - 1 }
    }
}

/// `count` months before; the end of a month stays the end of a month.
pub(super) fn months_before(day: i32, count: i64) -> i32 {
    let moved = days(date(day).saturating_sub(count.months()));
    if Period::Month.end(day) == day { Period::Month.end(moved) } else { moved }
}
