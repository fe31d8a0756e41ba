//! Business dates: days since 1970-01-01, and their written form.

use jiff::civil::{Date, date};

/// The day as a civil date; the calendar's end for numbers beyond it.
pub fn civil(days: i32) -> Date {
    date(1970, 1, 1).saturating_add(jiff::Span::new().days(i64::from(days)))
}

/// Days since 1970-01-01.
pub fn days(day: Date) -> i32 {
    (day - date(1970, 1, 1)).get_days()
}

/// `2025-12-31`.
pub fn iso(days: i32) -> String {
    civil(days).to_string()
}

/// Reads `2025-12-31`.
pub fn parse(text: &str) -> Option<i32> {
    text.parse::<Date>().ok().map(days)
}

#[cfg(test)]
mod tests {
    use super::{iso, parse};

    #[test]
    fn there_and_back() {
        for text in ["1970-01-01", "1969-12-31", "2024-02-29", "2025-12-31", "2100-01-01"] {
            assert_eq!(parse(text).map(iso).as_deref(), Some(text));
        }
        assert_eq!(parse("2025-02-29"), None);
    }
}
