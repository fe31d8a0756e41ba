//! Delivered text to typed values: exact decimals, ISO or formatted dates, nothing guessed and nothing rounded.
//!
//! Every function takes the bytes of one cell and answers with the value or a [`Fault`]. No amount ever passes through a
//! float: what a source wrote is what is stored, or the row is rejected.

use std::borrow::Cow;

use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

use super::quarantine::Reason;

/// Why a cell was refused: becomes reason and message of the row's quarantine entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The kind of fault.
    pub(super) reason: Reason,
    /// One clause for a person; never repeats the delivered value, which stands in the raw line.
    pub(super) message: Cow<'static, str>,
}

impl Fault {
    /// A fault with its message.
    pub(super) fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, message: message.into() }
    }
}

type Parsed<T> = Result<T, Fault>;

/// Days from 1970-01-01 to 1900-01-01, the first day that a warehouse may hold.
const FIRST_DAY: i32 = -25_567;
/// Days from 1970-01-01 to 2100-12-31, the last one.
const LAST_DAY: i32 = 47_846;
/// Microseconds of a day.
pub(super) const DAY_MICROS: i64 = 86_400_000_000;

fn trim(cell: &[u8]) -> &[u8] {
    cell.trim_ascii()
}

/// UTF-8 without NUL characters, as delivered: spaces are content.
pub(super) fn text(cell: &[u8]) -> Parsed<&str> {
    if cell.contains(&0) {
        return Err(Fault::new(Reason::BadType, "holds a NUL character"));
    }
    std::str::from_utf8(cell).map_err(|_| Fault::new(Reason::BadType, "is not UTF-8"))
}

/// A whole number of 64 bits.
pub(super) fn integer(cell: &[u8]) -> Parsed<i64> {
    let cell = trim(cell);
    let (negative, digits) = sign(cell);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Fault::new(Reason::BadType, "is not a whole number"));
    }
    let mut value: i64 = 0;
    for digit in digits {
        // Built on the negative side, which is one larger.
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_sub(i64::from(digit - b'0')))
            .ok_or_else(|| Fault::new(Reason::OutOfRange, "does not fit 64 bits"))?;
    }
    if negative {
        Ok(value)
    } else {
        value.checked_neg().ok_or_else(|| Fault::new(Reason::OutOfRange, "does not fit 64 bits"))
    }
}

fn sign(cell: &[u8]) -> (bool, &[u8]) {
    match cell {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, cell),
    }
}

/// A decimal number of at most `precision` digits, `scale` of them behind the point; the answer is the unscaled value.
/// More decimals than `scale` are refused unless they are zeros: rounding would lose a fen somewhere.
pub(super) fn decimal(cell: &[u8], precision: u8, scale: i8) -> Parsed<i128> {
    let (value, delivered) = exact(cell).ok_or_else(|| Fault::new(Reason::BadType, "is not a decimal number"))?;
    let scale = u32::try_from(scale).unwrap_or(0);
    let too_long = || Fault::new(Reason::OutOfRange, format!("does not fit decimal({precision},{scale})"));
    let value = if delivered <= scale {
        power(scale - delivered).and_then(|factor| value.checked_mul(factor)).ok_or_else(too_long)?
    } else {
        let factor = power(delivered - scale).ok_or_else(too_long)?;
        if value % factor != 0 {
            return Err(Fault::new(Reason::BadType, format!("has more than {scale} decimals")));
        }
        value / factor
    };
    let limit = power(u32::from(precision)).unwrap_or(i128::MAX);
    if value.unsigned_abs() >= limit.unsigned_abs() { Err(too_long()) } else { Ok(value) }
}

/// Powers of ten, as far as 128 bits hold them: asked for several times per amount.
const POWERS: [i128; 39] = {
    let mut powers = [1; 39];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

fn power(exponent: u32) -> Option<i128> {
    POWERS.get(exponent as usize).copied()
}

/// The unscaled value and the number of decimals of a plain decimal number; `None` for anything else, exponents and
/// group separators included.
pub(super) fn exact(cell: &[u8]) -> Option<(i128, u32)> {
    let (negative, digits) = sign(trim(cell));
    let mut value: i128 = 0;
    let mut small: i64 = 0; // the fast path: up to 18 digits
    let (mut count, mut point) = (0_u32, None);
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                let digit = byte - b'0';
                if count < 18 {
                    small = small * 10 + i64::from(digit);
                } else {
                    if count == 18 {
                        value = i128::from(small);
                    }
                    value = value.checked_mul(10)?.checked_add(i128::from(digit))?;
                }
                count += 1;
            }
            b'.' if point.is_none() => point = Some(count),
            _ => return None,
        }
    }
    if count == 0 {
        return None;
    }
    if count <= 18 {
        value = i128::from(small);
    }
    let scale = point.map_or(0, |point| count - point);
    Some((if negative { -value } else { value }, scale))
}

/// A number for statistics. Not finite is refused.
pub(super) fn float(cell: &[u8]) -> Parsed<f64> {
    let cell = trim(cell);
    let bad = || Fault::new(Reason::BadType, "is not a number");
    // `parse` also takes words for infinity and not-a-number.
    if cell.iter().any(|byte| !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        return Err(bad());
    }
    let value: f64 = std::str::from_utf8(cell).map_err(|_| bad())?.parse().map_err(|_| bad())?;
    if value.is_finite() { Ok(value) } else { Err(Fault::new(Reason::OutOfRange, "is too large for a number")) }
}

/// `true`, `false`, `1`, `0`, `yes`, `no`, `t`, `f`, `y`, `n` in any case.
pub(super) fn boolean(cell: &[u8]) -> Parsed<bool> {
    let cell = trim(cell);
    let is = |words: &[&str]| words.iter().any(|word| cell.eq_ignore_ascii_case(word.as_bytes()));
    if is(&["true", "1", "yes", "t", "y"]) {
        Ok(true)
    } else if is(&["false", "0", "no", "f", "n"]) {
        Ok(false)
    } else {
        Err(Fault::new(Reason::BadType, "is neither true nor false"))
    }
}

/// A day between 1900 and 2100 as days since 1970-01-01: `YYYY-MM-DD`, or by a strftime format.
pub(super) fn date(cell: &[u8], format: Option<&str>) -> Parsed<i32> {
    let cell = trim(cell);
    let days = match format {
        None => iso_date(cell).ok_or_else(|| Fault::new(Reason::BadDate, "is not a date as 2025-11-30"))?,
        Some(format) => {
            let date = broken_down(cell, format)
                .and_then(|time| time.to_date().ok())
                .ok_or_else(|| Fault::new(Reason::BadDate, format!("is not a date of the form {format}")))?;
            days_from_civil(i32::from(date.year()), i32::from(date.month()), i32::from(date.day()))
        }
    };
    in_range(days)
}

fn in_range(days: i32) -> Parsed<i32> {
    if (FIRST_DAY..=LAST_DAY).contains(&days) {
        Ok(days)
    } else {
        Err(Fault::new(Reason::OutOfRange, "lies outside the years 1900 to 2100"))
    }
}

/// Microseconds since 1970-01-01T00:00Z. ISO 8601 with `T` or a space, up to nine decimals (what is below a microsecond
/// is cut off), with `Z`, an offset or nothing, which is read as UTC; or by a strftime format.
pub(super) fn timestamp(cell: &[u8], format: Option<&str>) -> Parsed<i64> {
    let cell = trim(cell);
    let micros = match format {
        None => iso_timestamp(cell).ok_or_else(|| {
            Fault::new(Reason::BadDate, "is not a time as 2025-11-30T08:15:00Z or 2025-11-30 08:15:00")
        })?,
        Some(format) => broken_down(cell, format)
            .and_then(|time| match time.offset() {
                Some(_) => time.to_timestamp().ok(),
                None => time.to_datetime().ok().and_then(utc),
            })
            .map(|timestamp| timestamp.as_microsecond())
            .ok_or_else(|| Fault::new(Reason::BadDate, format!("is not a time of the form {format}")))?,
    };
    in_range(i32::try_from(micros.div_euclid(DAY_MICROS)).unwrap_or(i32::MAX))?;
    Ok(micros)
}

fn broken_down(cell: &[u8], format: &str) -> Option<BrokenDownTime> {
    BrokenDownTime::parse(format, cell).ok()
}

fn utc(time: DateTime) -> Option<jiff::Timestamp> {
    time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn number(digits: &[u8]) -> Option<i32> {
    digits.iter().try_fold(0_i32, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i32::from(byte - b'0')))
}

fn iso_date(cell: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = cell else { return None };
    let (year, month, day) = (number(&[*y1, *y2, *y3, *y4])?, number(&[*m1, *m2])?, number(&[*d1, *d2])?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    Some(days_from_civil(year, month, day))
}

fn iso_timestamp(cell: &[u8]) -> Option<i64> {
    let (day, rest) = cell.split_at_checked(10)?;
    let days = i64::from(iso_date(day)?);
    let [b'T' | b't' | b' ', h1, h2, b':', m1, m2, rest @ ..] = rest else {
        return rest.is_empty().then_some(days * DAY_MICROS);
    };
    let (hour, minute) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
    let (second, rest) = match rest {
        [b':', s1, s2, rest @ ..] => (number(&[*s1, *s2])?, rest),
        _ => (0, rest),
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (micros, rest) = match rest {
        [b'.' | b',', rest @ ..] => {
            let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=9).contains(&count) {
                return None;
            }
            let kept = count.min(6);
            let micros = i64::from(number(&rest[..kept])?) * 10_i64.pow(6 - u32::try_from(kept).ok()?);
            (micros, &rest[count..])
        }
        _ => (0, rest),
    };
    let offset = match rest {
        [] | [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, rest @ ..] => {
            let minutes = match rest {
                [] => 0,
                [b':', m1, m2] | [m1, m2] => number(&[*m1, *m2])?,
                _ => return None,
            };
            let hours = number(&[*h1, *h2])?;
            if hours > 18 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second) - i64::from(offset) * 60;
    Some(days * DAY_MICROS + seconds * 1_000_000 + micros)
}

fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar.
pub(super) fn days_from_civil(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = (month + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year and month of a day since 1970-01-01.
pub(super) fn year_month(days: i32) -> (i32, i32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i32::from(month <= 2), month)
}

/// An exact sum of decimal texts of any scale.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ExactSum {
    value: i128,
    scale: u32,
}

impl ExactSum {
    /// Adds one text; `false` when it is no plain decimal number or the sum no longer fits 38 digits.
    #[must_use]
    pub(super) fn add(&mut self, cell: &[u8]) -> bool {
        let Some((value, scale)) = exact(cell) else { return false };
        let Some((left, right, scale)) = align((self.value, self.scale), (value, scale)) else { return false };
        let Some(sum) = left.checked_add(right) else { return false };
        *self = Self { value: sum, scale };
        true
    }

    /// Whether the sum is the number that `text` writes; `None` when `text` is no plain decimal number.
    pub(super) fn equals(&self, text: &str) -> Option<bool> {
        let other = exact(text.as_bytes())?;
        Some(align((self.value, self.scale), other).is_some_and(|(left, right, _)| left == right))
    }
}

impl std::fmt::Display for ExactSum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = self.value.unsigned_abs().to_string();
        let scale = self.scale as usize;
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, decimals) = padded.split_at(padded.len() - scale);
        let sign = if self.value < 0 { "-" } else { "" };
        if decimals.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{decimals}") }
    }
}

/// Both numbers at the larger of their scales.
fn align(left: (i128, u32), right: (i128, u32)) -> Option<(i128, i128, u32)> {
    if left.1 == right.1 {
        return Some((left.0, right.0, left.1));
    }
    let scale = left.1.max(right.1);
    let lift = |(value, own): (i128, u32)| value.checked_mul(power(scale - own)?);
    Some((lift(left)?, lift(right)?, scale))
}

#[cfg(test)]
mod tests;
