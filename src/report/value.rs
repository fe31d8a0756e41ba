//! One cell of a dataset as an exact value, and the little arithmetic that a report does itself: differences and relative
//! changes. Everything else is computed in SQL.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::error::{Error, Result};
use crate::locale::Decimal;

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Missing. Printed as an en dash, never as zero.
    Null,
    /// A number.
    Number(Number),
    /// Days since 1970-01-01.
    Date(i32),
    /// True or false.
    Boolean(bool),
    /// Anything else, as text.
    Text(String),
}

/// A decimal number: `unscaled` × 10^-`scale`.
#[derive(Debug, Clone, Copy)]
pub struct Number {
    /// All digits.
    pub unscaled: i128,
    /// Digits after the point.
    pub scale: u8,
}

impl PartialEq for Number {
    /// Equal in value: 1.0 = 1.00.
    fn eq(&self, other: &Self) -> bool {
        match aligned(*self, *other) {
            Some((left, right, _)) => left == right,
            None => false,
        }
    }
}

impl Value {
    /// Reads one cell of an Arrow array.
    pub fn read(array: &dyn Array, row: usize) -> Result<Self> {
        if array.is_null(row) {
            return Ok(Self::Null);
        }
        let integer = |value: i128| Self::Number(Number { unscaled: value, scale: 0 });
        Ok(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(array.as_boolean().value(row)),
            DataType::Int8 => integer(array.as_primitive::<Int8Type>().value(row).into()),
            DataType::Int16 => integer(array.as_primitive::<Int16Type>().value(row).into()),
            DataType::Int32 => integer(array.as_primitive::<Int32Type>().value(row).into()),
            DataType::Int64 => integer(array.as_primitive::<Int64Type>().value(row).into()),
            DataType::UInt8 => integer(array.as_primitive::<UInt8Type>().value(row).into()),
            DataType::UInt16 => integer(array.as_primitive::<UInt16Type>().value(row).into()),
            DataType::UInt32 => integer(array.as_primitive::<UInt32Type>().value(row).into()),
            DataType::UInt64 => integer(array.as_primitive::<UInt64Type>().value(row).into()),
            DataType::Float32 => Self::float(array.as_primitive::<Float32Type>().value(row).into()),
            DataType::Float64 => Self::float(array.as_primitive::<Float64Type>().value(row)),
            DataType::Decimal128(_, scale) => {
                let unscaled = array.as_primitive::<Decimal128Type>().value(row);
                match u8::try_from(*scale) {
                    Ok(scale) => Self::Number(Number { unscaled, scale }),
                    Err(_) => integer(unscaled.saturating_mul(power(scale.unsigned_abs()).unwrap_or(i128::MAX))),
                }
            }
            DataType::Date32 => Self::Date(array.as_primitive::<Date32Type>().value(row)),
            DataType::Utf8 => Self::Text(array.as_string::<i32>().value(row).to_owned()),
            DataType::LargeUtf8 => Self::Text(array.as_string::<i64>().value(row).to_owned()),
            DataType::Utf8View => Self::Text(array.as_string_view().value(row).to_owned()),
            other => {
                let options = FormatOptions::default();
                let formatter = ArrayFormatter::try_new(array, &options)
                    .map_err(|error| Error::internal(format!("cannot show a value of type {other}"), error))?;
                Self::Text(formatter.value(row).to_string())
            }
        })
    }

    /// A number from a float: twelve digits after the point, which is more than any format shows; fewer where a number has no room
    /// for them. What no number holds (1e300, NaN, inf) is its own word: it is there, and must not pass for missing.
    pub(in crate::report) fn float(value: f64) -> Self {
        const DIGITS: usize = 12;
        if !value.is_finite() {
            return Self::Text(value.to_string());
        }
        // Printing rounds to the nearest decimal; multiplying by 10^12 first would add an error of its own.
        let number = (0..=DIGITS).rev().find_map(|digits| Number::parse(&format!("{value:.digits$}")));
        number.map_or_else(|| Self::Text(format!("{value:e}")), Self::Number)
    }

    /// Whether it stands where a figure is expected: a number, nothing, or a float that no number holds.
    pub fn is_figure(&self) -> bool {
        match self {
            Self::Null | Self::Number(_) => true,
            Self::Text(text) => text.parse().is_ok_and(|float| Self::float(float) == *self),
            Self::Date(_) | Self::Boolean(_) => false,
        }
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Full precision, no grouping, point as decimal mark, ISO dates; empty when missing. For CSV, JSON and URLs.
    pub fn plain(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Number(number) => number.plain(),
            Self::Date(days) => super::calendar::iso(*days),
            Self::Boolean(value) => value.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl Number {
    /// Zero.
    pub const ZERO: Self = Self { unscaled: 0, scale: 0 };

    /// Reads `-12.50`. `None` when it is not plain decimal notation or does not fit 38 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = whole.strip_prefix(['-', '+']).unwrap_or(whole);
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if digits.is_empty()
            || !all_digits(digits)
            || !all_digits(fraction)
            || (text.contains('.') && fraction.is_empty())
        {
            return None;
        }
        let unscaled: i128 = format!("{whole}{fraction}").parse().ok()?;
        Some(Self { unscaled, scale: u8::try_from(fraction.len()).ok()? })
    }

    /// Full precision without grouping, as `-12.50`.
    pub fn plain(self) -> String {
        let scale = usize::from(self.scale);
        let digits = format!("{:0>width$}", self.unscaled.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if self.unscaled < 0 { "-" } else { "" };
        if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    /// Nearest float: for marks on a chart, never for figures.
    pub fn to_f64(self) -> f64 {
        // Parsing is correctly rounded, which a division of two rounded floats would not be.
        self.plain().parse().unwrap_or(f64::NAN)
    }

    /// This plus other; `None` on overflow.
    pub fn plus(self, other: Self) -> Option<Self> {
        let (left, right, scale) = aligned(self, other)?;
        Some(Self { unscaled: left.checked_add(right)?, scale })
    }

    /// This minus other; `None` on overflow.
    pub fn minus(self, other: Self) -> Option<Self> {
        let (left, right, scale) = aligned(self, other)?;
        Some(Self { unscaled: left.checked_sub(right)?, scale })
    }

    /// Without its sign.
    pub fn absolute(self) -> Self {
        Self { unscaled: self.unscaled.saturating_abs(), scale: self.scale }
    }

    /// As the locale prints it.
    pub fn decimal(self) -> Decimal {
        Decimal::new(self.unscaled, i8::try_from(self.scale).unwrap_or(i8::MAX))
    }

    /// -1, 0 or 1.
    pub fn sign(self) -> i8 {
        match self.unscaled.signum() {
            1 => 1,
            0 => 0,
            _ => -1,
        }
    }

    /// Relative change from `base`, rounded half away from zero to six digits. `None` where a percentage means nothing: a
    /// base of zero or below.
    pub fn change_from(self, base: Self) -> Option<Self> {
        const DIGITS: u8 = 6;
        if base.unscaled <= 0 {
            return None;
        }
        let (value, base, _) = aligned(self, base)?;
        let numerator = value.checked_sub(base)?.checked_mul(power(DIGITS)?)?;
        Some(Self { unscaled: divide_half_away(numerator, base), scale: DIGITS })
    }
}

/// 10^digits, if it fits.
fn power(digits: u8) -> Option<i128> {
    10_i128.checked_pow(digits.into())
}

/// Both numbers at the larger of their scales.
fn aligned(left: Number, right: Number) -> Option<(i128, i128, u8)> {
    let scale = left.scale.max(right.scale);
    let lift = |number: Number| number.unscaled.checked_mul(power(scale - number.scale)?);
    Some((lift(left)?, lift(right)?, scale))
}

/// 四舍五入, the rounding of the engine's decimal cast. The divisor is positive.
fn divide_half_away(numerator: i128, divisor: i128) -> i128 {
    let quotient = numerator / divisor;
    let remainder = (numerator % divisor).unsigned_abs();
    if remainder >= divisor.unsigned_abs() - remainder { quotient + numerator.signum() } else { quotient }
}

#[cfg(test)]
mod tests;
