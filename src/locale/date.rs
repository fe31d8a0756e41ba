//! Dates as they are printed. Dates travel as days since 1970-01-01.

use jiff::civil::Date;

use super::Lang;
use super::message::{Value, message};
use super::number::MISSING;

/// Year, month (1 to 12) and day of a day number; `None` outside the years −9999 to 9999.
pub fn civil(days: i32) -> Option<(i16, i8, i8)> {
    let epoch = Date::constant(1970, 1, 1);
    let date = epoch.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
    Some((date.year(), date.month(), date.day()))
}

/// `2025-12-31`, in every language: one notation for a day leaves nothing to guess.
pub fn format_date(_lang: Lang, days: i32) -> String {
    civil(days).map_or_else(|| MISSING.to_owned(), |(year, month, day)| format!("{year:04}-{month:02}-{day:02}"))
}

/// `2025年12月`, `Dec 2025`: the month that a day lies in.
pub fn format_month(lang: Lang, days: i32) -> String {
    let Some((year, month, _)) = civil(days) else { return MISSING.to_owned() };
    let name = message(lang, &format!("month-{month}"), &[]);
    message(lang, "month-of-year", &[("year", Value::Text(&year.to_string())), ("month", Value::Text(&name))])
}

/// `2025年4季度`, `Q4 2025`: the quarter that a day lies in.
pub fn format_quarter(lang: Lang, days: i32) -> String {
    let Some((year, month, _)) = civil(days) else { return MISSING.to_owned() };
    let quarter = (month - 1) / 3 + 1;
    let (year, quarter) = (year.to_string(), quarter.to_string());
    message(lang, "quarter-of-year", &[("year", Value::Text(&year)), ("quarter", Value::Text(&quarter))])
}
