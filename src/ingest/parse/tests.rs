use super::{ExactSum, boolean, date, days_from_civil, decimal, exact, float, integer, text, timestamp, year_month};
use crate::ingest::quarantine::Reason;

fn reason<T: std::fmt::Debug>(parsed: Result<T, super::Fault>) -> Reason {
    parsed.unwrap_err().reason
}

#[test]
fn decimals_are_exact_or_refused() {
    assert_eq!(decimal(b"123.45", 18, 2), Ok(12_345));
    assert_eq!(decimal(b" -0.1 ", 18, 2), Ok(-10));
    assert_eq!(decimal(b"+7", 18, 2), Ok(700));
    assert_eq!(decimal(b".5", 18, 2), Ok(50));
    assert_eq!(decimal(b"5.", 18, 2), Ok(500));
    assert_eq!(decimal(b"1.2300", 18, 2), Ok(123), "zeros beyond the scale say nothing");
    assert_eq!(decimal(b"9999999999999999.99", 18, 2), Ok(999_999_999_999_999_999));
    assert_eq!(decimal(b"12345678901234567890123456789012345.678", 38, 3), Ok(12345678901234567890123456789012345678));
    assert_eq!(reason(decimal(b"1.234", 18, 2)), Reason::BadType);
    assert_eq!(reason(decimal(b"10000000000000000.00", 18, 2)), Reason::OutOfRange);
    assert_eq!(reason(decimal(b"1,234.00", 18, 2)), Reason::BadType);
    for bad in ["", "-", ".", "1e3", "NaN", "1.2.3", "12a", "--1", "٣"] {
        assert_eq!(reason(decimal(bad.as_bytes(), 18, 2)), Reason::BadType, "{bad}");
    }
    assert!(exact("9".repeat(60).as_bytes()).is_none(), "beyond 128 bits");
}

#[test]
fn integers_and_floats_and_booleans() {
    assert_eq!(integer(b"-9223372036854775808"), Ok(i64::MIN));
    assert_eq!(integer(b"9223372036854775807"), Ok(i64::MAX));
    assert_eq!(reason(integer(b"9223372036854775808")), Reason::OutOfRange);
    assert_eq!(reason(integer(b"1.0")), Reason::BadType);
    assert_eq!(float(b"1.5e3"), Ok(1500.0));
    for bad in ["NaN", "inf", "-Infinity", "", "1,5"] {
        assert_eq!(reason(float(bad.as_bytes())), Reason::BadType, "{bad}");
    }
    assert_eq!(reason(float(b"1e999")), Reason::OutOfRange);
    assert_eq!(boolean(b"Yes"), Ok(true));
    assert_eq!(boolean(b"0"), Ok(false));
    assert_eq!(reason(boolean(b"2")), Reason::BadType);
}

#[test]
fn texts_are_kept_as_delivered() {
    assert_eq!(text("  北京 ".as_bytes()), Ok("  北京 "));
    assert_eq!(reason(text(b"a\0b")), Reason::BadType);
    assert_eq!(reason(text(&[0xff, 0xfe])), Reason::BadType);
}

#[test]
fn dates_follow_the_calendar() {
    assert_eq!(date(b"1970-01-01", None), Ok(0));
    assert_eq!(date(b"2024-02-29", None), Ok(19_782));
    assert_eq!(date(b"30.11.2025", Some("%d.%m.%Y")), date(b"2025-11-30", None));
    assert_eq!(date(b"20251130", Some("%Y%m%d")), date(b"2025-11-30", None));
    assert_eq!(date(b"1900-01-01", None), Ok(super::FIRST_DAY));
    assert_eq!(date(b"2100-12-31", None), Ok(super::LAST_DAY));
    for bad in ["2025-02-29", "2025-13-01", "2025-00-10", "2025-1-1", "30.11.2025", "", "2025-11-30T00:00:00"] {
        assert_eq!(reason(date(bad.as_bytes(), None)), Reason::BadDate, "{bad}");
    }
    assert_eq!(reason(date(b"1899-12-31", None)), Reason::OutOfRange);
    assert_eq!(reason(date(b"2101-01-01", None)), Reason::OutOfRange);
    for days in (super::FIRST_DAY..=super::LAST_DAY).step_by(17) {
        let (year, month) = year_month(days);
        let first = days_from_civil(year, month, 1);
        assert!(first <= days && days - first < 31, "{days}");
    }
}

#[test]
fn times_become_utc_microseconds() {
    let base = i64::from(date(b"2025-11-30", None).unwrap()) * 86_400_000_000;
    assert_eq!(timestamp(b"2025-11-30T08:15:30Z", None), Ok(base + 29_730_000_000));
    assert_eq!(timestamp(b"2025-11-30 08:15:30", None), Ok(base + 29_730_000_000));
    assert_eq!(timestamp(b"2025-11-30T08:15:30.1234569+08:00", None), Ok(base + 930_123_456));
    assert_eq!(timestamp(b"2025-11-30T08:15", None), Ok(base + 29_700_000_000));
    assert_eq!(timestamp(b"30/11/2025 08:15", Some("%d/%m/%Y %H:%M")), Ok(base + 29_700_000_000));
    assert_eq!(timestamp(b"30/11/2025 08:15 +0800", Some("%d/%m/%Y %H:%M %z")), Ok(base + 900_000_000));
    for bad in ["2025-11-30T24:00:00", "2025-11-30T08:15:30+25:00", "2025-11-30Tx", "today"] {
        assert_eq!(reason(timestamp(bad.as_bytes(), None)), Reason::BadDate, "{bad}");
    }
}

#[test]
fn sums_are_exact_over_mixed_scales() {
    let mut sum = ExactSum::default();
    for cell in ["0.1", "0.2", "-0.3", "12345678901234567.89", "0.005"] {
        assert!(sum.add(cell.as_bytes()));
    }
    assert!(!sum.add(b"abc"));
    assert_eq!(sum.to_string(), "12345678901234567.895");
    assert_eq!(sum.equals("12345678901234567.8950"), Some(true));
    assert_eq!(sum.equals("12345678901234567.90"), Some(false));
    assert_eq!(sum.equals("many"), None);
}
