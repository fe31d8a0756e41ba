//! Periods of targets and values: a year `2026`, a quarter `2026-q2`, a month `2026-06`.

use std::fmt;

use jiff::ToSpan;
use jiff::civil::Date;

use crate::evaluation::table::days;

/// A year, quarter or month of the calendar. In order of their first days, the shorter first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    start: Date,
    months: i8,
}

impl Period {
    /// The period of a text as it is printed; none for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
        let (year, part) = text.split_once('-').map_or((text, None), |(year, part)| (year, Some(part)));
        let year: i16 = Some(year).filter(|year| digits(year, 4))?.parse().ok()?;
        let (month, months): (i8, i8) = match part {
            None => (1, 12),
            Some(part) => match part.strip_prefix('q') {
                // There is no month 13, nor −2, so neither is there a fifth or no quarter.
                Some(quarter) => (Some(quarter).filter(|text| digits(text, 1))?.parse::<i8>().ok()? * 3 - 2, 3),
                None => (Some(part).filter(|text| digits(text, 2))?.parse().ok()?, 1),
            },
        };
        Some(Self { start: Date::new(year, month, 1).ok()?, months })
    }

    /// The month that a day lies in.
    pub fn month(day: Date) -> Self {
        Self { start: day.first_of_month(), months: 1 }
    }

    /// Its first day.
    pub fn start(self) -> Date {
        self.start
    }

    /// Its last day.
    pub fn end(self) -> Date {
        self.after().yesterday().unwrap_or(Date::MAX)
    }

    /// The first day after it.
    pub fn after(self) -> Date {
        self.start.checked_add(self.months.months()).unwrap_or(Date::MAX)
    }

    /// How many months it has: 1, 3 or 12.
    pub fn length(self) -> i8 {
        self.months
    }

    /// Its days.
    pub fn days(self) -> u32 {
        u32::try_from(days(self.after()) - days(self.start)).unwrap_or_default()
    }

    /// How many of its days lie before another day; none before its first, all after its last.
    pub fn days_before(self, day: Date) -> u32 {
        u32::try_from(days(day) - days(self.start)).unwrap_or_default().min(self.days())
    }

    /// Its first day as days since 1970-01-01, as figures are printed by.
    pub fn first_day(self) -> i32 {
        days(self.start)
    }

    /// The year that it lies in.
    pub fn year(self) -> Self {
        Self { start: Date::new(self.start.year(), 1, 1).unwrap_or(self.start), months: 12 }
    }

    /// The quarter that its first day lies in.
    fn quarter(self) -> Self {
        let month = (self.start.month() - 1) / 3 * 3 + 1;
        Self { start: Date::new(self.start.year(), month, 1).unwrap_or(self.start), months: 3 }
    }

    /// Its last month.
    pub fn last_month(self) -> Self {
        Self::month(self.end())
    }

    /// Itself, then the quarter and the year around it, where they are longer.
    pub fn around(self) -> Vec<Self> {
        let longer = [self.quarter(), self.year()].into_iter().filter(|around| around.months > self.months);
        std::iter::once(self).chain(longer).collect()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month) = (self.start.year(), self.start.month());
        match self.months {
            12 => write!(f, "{year:04}"),
            3 => write!(f, "{year:04}-q{}", (month - 1) / 3 + 1),
            _ => write!(f, "{year:04}-{month:02}"),
        }
    }
}
