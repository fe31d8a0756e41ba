//! The sample's calendar: working days with make-up days (调休), holidays, and how customers behave around the Spring
//! Festival.

use jiff::civil::{Date, date};

use super::effects;

/// Year, month, day.
type Ymd = (i16, i8, i8);

/// New Year's day of the lunar calendar.
const SPRING_FESTIVALS: [Ymd; 12] = [
    (2023, 1, 22),
    (2024, 2, 10),
    (2025, 1, 29),
    (2026, 2, 17),
    (2027, 2, 6),
    (2028, 1, 26),
    (2029, 2, 13),
    (2030, 2, 3),
    (2031, 1, 23),
    (2032, 2, 11),
    (2033, 1, 31),
    (2034, 2, 19),
];

/// The first year of the sample.
const FIRST_YEAR: i16 = 2024;

/// As many months as the calendar knows Spring Festivals for.
pub(super) const MOST_MONTHS: u32 = 120;

/// Public holidays as the State Council announced them: first day, days, name, English name. Later years have only the
/// Spring Festival and the fixed days.
const HOLIDAYS: [(Ymd, i32, &str, &str); 20] = [
    ((2024, 1, 1), 1, "元旦", "New Year"),
    ((2024, 2, 10), 8, "春节", "Spring Festival"),
    ((2024, 4, 4), 3, "清明节", "Tomb-Sweeping Day"),
    ((2024, 5, 1), 5, "劳动节", "Labour Day"),
    ((2024, 6, 8), 3, "端午节", "Dragon Boat Festival"),
    ((2024, 9, 15), 3, "中秋节", "Mid-Autumn Festival"),
    ((2024, 10, 1), 7, "国庆节", "National Day"),
    ((2025, 1, 1), 1, "元旦", "New Year"),
    ((2025, 1, 28), 8, "春节", "Spring Festival"),
    ((2025, 4, 4), 3, "清明节", "Tomb-Sweeping Day"),
    ((2025, 5, 1), 5, "劳动节", "Labour Day"),
    ((2025, 5, 31), 3, "端午节", "Dragon Boat Festival"),
    ((2025, 10, 1), 8, "国庆节、中秋节", "National Day and Mid-Autumn Festival"),
    ((2026, 1, 1), 3, "元旦", "New Year"),
    ((2026, 2, 15), 9, "春节", "Spring Festival"),
    ((2026, 4, 4), 3, "清明节", "Tomb-Sweeping Day"),
    ((2026, 5, 1), 5, "劳动节", "Labour Day"),
    ((2026, 6, 19), 3, "端午节", "Dragon Boat Festival"),
    ((2026, 9, 25), 3, "中秋节", "Mid-Autumn Festival"),
    ((2026, 10, 1), 7, "国庆节", "National Day"),
];

/// Weekend days that were worked to make up for a holiday.
const MAKE_UP_DAYS: [Ymd; 19] = [
    (2024, 2, 4),
    (2024, 2, 18),
    (2024, 4, 7),
    (2024, 4, 28),
    (2024, 5, 11),
    (2024, 9, 14),
    (2024, 9, 29),
    (2024, 10, 12),
    (2025, 1, 26),
    (2025, 2, 8),
    (2025, 4, 27),
    (2025, 9, 28),
    (2025, 10, 11),
    (2026, 1, 4),
    (2026, 2, 14),
    (2026, 2, 28),
    (2026, 5, 9),
    (2026, 9, 20),
    (2026, 10, 10),
];

/// The last year whose holidays stand in [`HOLIDAYS`].
const LAST_ANNOUNCED: i16 = 2026;

fn days_between(from: Date, to: Date) -> i32 {
    (to - from).get_days()
}

/// Days since 1970-01-01.
pub(super) fn day_number(day: Date) -> i32 {
    days_between(date(1970, 1, 1), day)
}

/// The day of this number of days since 1970-01-01.
pub(super) fn day_of(number: i32) -> Date {
    date(1970, 1, 1) + jiff::Span::new().days(number)
}

/// Days to the nearest Spring Festival; negative before it.
pub(super) fn festival_offset(day: Date) -> i32 {
    SPRING_FESTIVALS
        .iter()
        .map(|&(year, month, first)| days_between(date(year, month, first), day))
        .min_by_key(|offset| offset.abs())
        .unwrap_or(0)
}

/// Chinese and English name of the holiday of a day.
pub(super) fn holiday(day: Date) -> Option<(&'static str, &'static str)> {
    if day.year() > LAST_ANNOUNCED {
        return match (day.month(), day.day()) {
            (1, 1) => Some(("元旦", "New Year")),
            (5, 1..=5) => Some(("劳动节", "Labour Day")),
            (10, 1..=7) => Some(("国庆节", "National Day")),
            _ if (-1..=6).contains(&festival_offset(day)) => Some(("春节", "Spring Festival")),
            _ => None,
        };
    }
    HOLIDAYS.iter().find_map(|&((year, month, first), days, name, name_en)| {
        (0..days).contains(&days_between(date(year, month, first), day)).then_some((name, name_en))
    })
}

/// 1 Monday ... 7 Sunday.
pub(super) fn weekday(day: Date) -> i8 {
    day.weekday().to_monday_one_offset()
}

/// Whether the bank's counters are open for business.
pub(super) fn is_workday(day: Date) -> bool {
    let made_up = MAKE_UP_DAYS.contains(&(day.year(), day.month(), day.day()));
    made_up || (weekday(day) <= 5 && holiday(day).is_none())
}

/// One month and its days.
#[derive(Debug)]
pub(super) struct Month {
    /// 1 is January 2024.
    pub(super) number: u32,
    /// Days since 1970-01-01 of its first day.
    pub(super) first: i32,
    /// 28 to 31.
    pub(super) days: u32,
    /// Last month of a quarter.
    pub(super) ends_quarter: bool,
    /// 1 to 12.
    pub(super) of_year: u32,
    /// Weights of days for counter transactions.
    pub(super) counter: Vec<u32>,
    /// Counter transactions of the month against a month without the festival, per mille.
    pub(super) counter_level: u64,
    /// Weights of days for cash withdrawals.
    pub(super) cash: Vec<u32>,
    /// Cash withdrawals of the month against a month without the festival, per mille.
    pub(super) cash_level: u64,
    /// `YYYYMMDD` of each day: the form in which the core banking system writes dates.
    pub(super) compact: Vec<String>,
}

impl Month {
    /// The month of this number, 1 for January 2024.
    pub(super) fn new(number: u32) -> Self {
        let index = number as i16 - 1;
        let start = date(FIRST_YEAR + index / 12, (index % 12 + 1) as i8, 1);
        let days = i32::from(start.days_in_month());
        let all = || (0..days).map(move |day| start + jiff::Span::new().days(day));
        // Weekends count as such whatever the calendar says, so that the festival's effect is the stated one.
        let plain = |day: Date| if weekday(day) <= 5 { 100 } else { 40 };
        let counter: Vec<u32> = all()
            .map(|day| match festival_offset(day) {
                -1..=6 => plain(day) * effects::FESTIVAL_COUNTER / 1000,
                _ => plain(day),
            })
            .collect();
        let cash: Vec<u32> = all()
            .map(|day| match festival_offset(day) {
                -10..=-2 => 100 * effects::FESTIVAL_CASH / 1000,
                _ => 100,
            })
            .collect();
        let total = |weights: &[u32]| weights.iter().map(|&weight| u64::from(weight)).sum::<u64>();
        Self {
            number,
            first: day_number(start),
            days: days as u32,
            ends_quarter: start.month() % 3 == 0,
            of_year: start.month() as u32,
            counter_level: total(&counter) * 1000 / all().map(|day| u64::from(plain(day))).sum::<u64>(),
            cash_level: total(&cash) * 1000 / (100 * days as u64),
            counter,
            cash,
            compact: all().map(|day| day.strftime("%Y%m%d").to_string()).collect(),
        }
    }

    /// Days since 1970-01-01 of its last day.
    pub(super) fn last(&self) -> i32 {
        self.first + self.days as i32 - 1
    }

    /// `YYYYMMDD` of its last day.
    pub(super) fn end(&self) -> &str {
        &self.compact[self.days as usize - 1]
    }
}
