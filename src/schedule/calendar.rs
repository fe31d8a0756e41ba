//! Business days: what may be asked of a calendar file.
//!
//! In: a calendar as `model::calendar` read it, and a civil date. Out: business days, or an error that names the file and the
//! year where the calendar does not cover the date. Nothing is ever guessed from weekends alone: without its notice nobody
//! knows the make-up working days of a year.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::error::{Code, Error, Result};
use crate::model::{self, Label, time};

/// A calendar that answers questions. It covers whole years.
#[derive(Debug, Clone)]
pub struct Calendar {
    name: String,
    version: String,
    title: Label,
    file: String,
    /// 0 Monday to 6 Sunday.
    weekend: [bool; 7],
    years: BTreeSet<i16>,
    holidays: BTreeMap<Date, Label>,
    working: BTreeMap<Date, Label>,
}

/// What a day is in a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day<'a> {
    /// Business as usual.
    Business,
    /// A day of the weekend with business, and the holiday that it makes up for.
    MadeUp(&'a Label),
    /// A day of the weekend.
    Weekend,
    /// A holiday, be it on a weekend or not.
    Holiday(&'a Label),
}

impl Day<'_> {
    /// Whether there is business.
    pub fn is_business(self) -> bool {
        matches!(self, Self::Business | Self::MadeUp(_))
    }
}

impl From<&model::calendar::Calendar> for Calendar {
    fn from(read: &model::calendar::Calendar) -> Self {
        let weekend = std::array::from_fn(|day| read.weekend.contains(&day));
        let holidays = read.years.iter().flat_map(|year| &year.holidays);
        let working = read.years.iter().flat_map(|year| &year.working);
        Self {
            name: read.name.value.clone(),
            version: read.version.clone(),
            title: read.title.clone(),
            file: read.name.place.file.clone(),
            weekend,
            years: read.years.iter().map(|year| *year.year).collect(),
            holidays: holidays
                .flat_map(|holiday| (*holiday.from..=holiday.to).map(|day| (time::civil(day), holiday.name.clone())))
                .collect(),
            working: working.map(|(day, name)| (time::civil(**day), name.clone())).collect(),
        }
    }
}

impl Calendar {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version that runs record.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Name shown to people; empty when the file has none.
    pub fn title(&self) -> &Label {
        &self.title
    }

    /// The file it was read from.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The years that it covers, ascending.
    pub fn years(&self) -> impl Iterator<Item = i16> + '_ {
        self.years.iter().copied()
    }

    /// Whether it can say anything about this day.
    pub fn covers(&self, day: Date) -> bool {
        self.years.contains(&day.year())
    }

    /// What the day is.
    ///
    /// # Errors
    /// `DEFINITION` with file and year where the calendar does not cover the day.
    pub fn day(&self, day: Date) -> Result<Day<'_>> {
        if !self.covers(day) {
            let (file, name, year) = (&self.file, &self.name, day.year());
            let message = format!("{file}: the calendar `{name}` does not cover the year {year}; add it to the file");
            return Err(Error::new(Code::Definition, message));
        }
        let is_weekend = self.weekend[usize::from(day.weekday().to_monday_zero_offset().unsigned_abs())];
        Ok(match (self.holidays.get(&day), self.working.get(&day)) {
            (Some(name), _) => Day::Holiday(name),
            (None, Some(name)) => Day::MadeUp(name),
            (None, None) if is_weekend => Day::Weekend,
            (None, None) => Day::Business,
        })
    }

    /// Whether there is business on the day.
    ///
    /// # Errors
    /// As [`Self::day`].
    pub fn is_business_day(&self, day: Date) -> Result<bool> {
        Ok(self.day(day)?.is_business())
    }

    /// The first business day after `day`.
    ///
    /// # Errors
    /// As [`Self::day`], also where the answer may lie in a year that is not covered.
    pub fn next_business_day(&self, day: Date) -> Result<Date> {
        self.step(day, Date::tomorrow)
    }

    /// The last business day before `day`.
    ///
    /// # Errors
    /// As [`Self::next_business_day`].
    pub fn previous_business_day(&self, day: Date) -> Result<Date> {
        self.step(day, Date::yesterday)
    }

    /// The `n`-th business day after `day`, 1 for the first; `day` itself for 0.
    ///
    /// # Errors
    /// As [`Self::next_business_day`].
    pub fn business_day_after(&self, day: Date, n: u32) -> Result<Date> {
        (0..n).try_fold(day, |day, _| self.next_business_day(day))
    }

    /// The `n`-th business day of the month that holds `day`, 1 for the first; `None` where the month has fewer.
    ///
    /// # Errors
    /// As [`Self::day`].
    pub fn business_day_of_month(&self, day: Date, n: u32) -> Result<Option<Date>> {
        let mut left = n;
        let mut current = day.first_of_month();
        for _ in 0..day.days_in_month() {
            if self.is_business_day(current)? {
                left = left.saturating_sub(1);
                if left == 0 {
                    return Ok((n > 0).then_some(current));
                }
            }
            current = current.tomorrow().unwrap_or(current);
        }
        Ok(None)
    }

    /// How many business days lie between two days, both counted; 0 where `to` is before `from`.
    ///
    /// # Errors
    /// As [`Self::day`].
    pub fn business_days_between(&self, from: Date, to: Date) -> Result<u32> {
        let mut count = 0;
        let mut day = from;
        while day <= to {
            count += u32::from(self.is_business_day(day)?);
            match day.tomorrow() {
                Ok(next) => day = next,
                Err(_) => break,
            }
        }
        Ok(count)
    }

    /// The nearest business day in one direction. It ends: the calendar covers finitely many years.
    fn step(&self, mut day: Date, next: impl Fn(Date) -> Result<Date, jiff::Error>) -> Result<Date> {
        loop {
            day = next(day).map_err(|cause| Error::internal("the end of the civil calendar was reached", cause))?;
            if self.is_business_day(day)? {
                return Ok(day);
            }
        }
    }
}
