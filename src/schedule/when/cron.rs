//! Cron expressions and the moments of a local day that they name.
//!
//! croner reads the five fields and matches dates, with `L`, `W` and `#`. Times of day are worked out here, because croner
//! calls a list such as `30 2,14` an interval and would then run it twice where a clock goes back:
//!
//! | minute and hour | clock goes forward over it | clock goes back over it |
//! |---|---|---|
//! | fixed: numbers, lists, ranges | once, right after the gap | once, the first time |
//! | wildcard: `*` or a step in either | not, the time does not happen | twice, the time happens twice |

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, date};
use jiff::tz::{AmbiguousOffset, TimeZone};

use croner::parser::{CronParser, Seconds, Year};

/// A cron expression of five fields: minute, hour, day of month, month, day of week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    days: Box<croner::CronPattern>,
    hours: Vec<i8>,
    minutes: Vec<i8>,
    is_wildcard: bool,
}

/// What the clock did at a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shift {
    /// Nothing.
    None,
    /// It went forward over the time, so the end of the gap was taken.
    Gap,
    /// It went back over the time; this is the first of the two, and the only one taken.
    First,
    /// It went back over the time; this is one of two that are both taken.
    Both,
}

/// A time of a local day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// When it is.
    pub at: Timestamp,
    /// What the clock was wanted to show.
    pub wanted: DateTime,
    /// What the clock did.
    pub shift: Shift,
}

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// A sentence about what is wrong with it; also for one that never comes, as `0 0 30 2 *`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(format!(
                "a cron expression has five fields (minute, hour, day of month, month, day of week), not {}",
                fields.len()
            ));
        };
        // croner takes names of months and days in every field.
        let is_letter = |char: char| char.is_alphabetic();
        for (what, field, allowed) in [("minute", minute, ""), ("hour", hour, ""), ("day of month", day, "LW")] {
            if field.chars().any(|char| is_letter(char) && !allowed.contains(char.to_ascii_uppercase())) {
                return Err(format!("`{field}` cannot stand for the {what}"));
            }
        }
        for (what, field) in [("month", month), ("day of week", weekday)] {
            let words = field.split(|char: char| !is_letter(char)).filter(|word| !word.is_empty());
            if words.map(str::to_ascii_uppercase).any(|word| !is_word(what, &word)) {
                return Err(format!("`{field}` cannot stand for the {what}"));
            }
        }
        if let Some(field) = fields.iter().find(|field| field.split(',').any(str::is_empty)) {
            return Err(format!("`{field}` has an empty entry"));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let parsed = parser.parse(text).map_err(|error| format!("`{text}` is not a cron expression: {error}"))?.pattern;
        let values = |values: Vec<u16>| values.into_iter().filter_map(|value| i8::try_from(value).ok()).collect();
        let cron = Self {
            text: fields.join(" "),
            hours: values(parsed.hours.values()),
            minutes: values(parsed.minutes.values()),
            is_wildcard: [minute, hour].iter().any(|field| field.contains(['*', '/'])),
            days: Box::new(parsed),
        };
        // Dates and weekdays repeat after 400 years, so this is a proof. It ends at the first day that is found.
        let mut days = date(2000, 1, 1).series(jiff::Span::new().days(1)).take(146_097);
        match days.any(|day| cron.matches(day)) {
            true => Ok(cron),
            false => Err(format!("`{text}` never comes: no year has such a day")),
        }
    }

    /// The expression, with one space between fields.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the minute or hour is a pattern (`*`, a step) and follows real time; else they are fixed times.
    pub fn is_wildcard(&self) -> bool {
        self.is_wildcard
    }

    /// Whether the expression names this day.
    pub fn matches(&self, day: Date) -> bool {
        let weekday =
            croner::Weekday::from_days_from_sunday(u32::from(day.weekday().to_sunday_zero_offset().unsigned_abs()));
        let (year, month, of_month) =
            (i32::from(day.year()), u32::from(day.month().unsigned_abs()), u32::from(day.day().unsigned_abs()));
        self.days.month_match(month).unwrap_or(false)
            && self.days.day_match(year, month, of_month, weekday).unwrap_or(false)
    }

    /// Its times on a local day, ascending in what the clock was wanted to show. Whether it names the day is not asked.
    pub fn moments(&self, day: Date, zone: &TimeZone) -> Vec<Moment> {
        let times =
            self.hours.iter().flat_map(|&hour| self.minutes.iter().map(move |&minute| day.at(hour, minute, 0, 0)));
        let mut moments = Vec::new();
        for wanted in times {
            match self.is_wildcard {
                true => moments.extend(real_moments(wanted, zone)),
                false => moments.extend(fixed_moment(wanted, zone)),
            }
        }
        moments
    }
}

fn is_word(field: &str, word: &str) -> bool {
    const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    match field {
        "month" => MONTHS.contains(&word),
        // `5L` and `FRIL`: the last Friday.
        _ => word == "L" || DAYS.contains(&word.strip_suffix('L').unwrap_or(word)),
    }
}

/// The one moment of a fixed time; `None` beyond the years that a timestamp holds.
pub(super) fn fixed_moment(wanted: DateTime, zone: &TimeZone) -> Option<Moment> {
    let ambiguous = zone.to_ambiguous_timestamp(wanted);
    let (at, shift) = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => (offset.to_timestamp(wanted).ok()?, Shift::None),
        AmbiguousOffset::Fold { before, .. } => (before.to_timestamp(wanted).ok()?, Shift::First),
        AmbiguousOffset::Gap { before, after } => {
            // A time inside the gap lies after its end by the old offset and before it by the new one.
            let (early, late) = (after.to_timestamp(wanted).ok()?, before.to_timestamp(wanted).ok()?);
            let mut changes = zone.following(early).map(|change| change.timestamp()).take_while(|at| *at <= late);
            let end = changes.find(|at| zone.to_offset(*at) == after);
            (end.unwrap_or(late), Shift::Gap)
        }
    };
    Some(Moment { at, wanted, shift })
}

/// The moments at which the clock really shows a time: none, one or two.
fn real_moments(wanted: DateTime, zone: &TimeZone) -> impl Iterator<Item = Moment> + use<> {
    let (first, second, shift) = match zone.to_ambiguous_timestamp(wanted).offset() {
        AmbiguousOffset::Unambiguous { offset } => (Some(offset), None, Shift::None),
        AmbiguousOffset::Fold { before, after } => (Some(before), Some(after), Shift::Both),
        AmbiguousOffset::Gap { .. } => (None, None, Shift::Gap),
    };
    let offsets = [first, second].into_iter().flatten();
    offsets.filter_map(move |offset| Some(Moment { at: offset.to_timestamp(wanted).ok()?, wanted, shift }))
}
