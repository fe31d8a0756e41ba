//! `countinghouse_variance(n, sum, sum of squares, scale)` and `countinghouse_stddev(..)`: sample variance and standard
//! deviation from exact sums.
//!
//! The states are sums of decimals, so that they merge in any order to the same value. With `n` values, sum `s` and sum of
//! squares `q` the variance is `(n q - s²) / (n (n - 1))`; in floating point that formula cancels, so it is computed in
//! 256-bit whole numbers and rounded once.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Decimal128Array};
use arrow::datatypes::{DataType, Field, i256};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};

use super::ratio::{PRECISION, decimal_of_scale, decimals, half_away};

#[derive(Debug, PartialEq, Eq, Hash)]
struct Spread {
    signature: Signature,
    /// Whether the square root is taken.
    root: bool,
}

fn udf(root: bool) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Spread { signature: Signature::any(4, Volatility::Immutable), root }))
}

pub(super) fn udfs() -> [Arc<ScalarUDF>; 2] {
    [udf(false), udf(true)]
}

/// Sample variance at `scale`, as Decimal(38, scale); null for fewer than two values. The sums are whole numbers or decimals;
/// that of squares has twice the scale.
pub fn variance(count: Expr, sum: Expr, squares: Expr, scale: i8) -> Expr {
    udf(false).call(vec![count, sum, squares, lit(i64::from(scale))])
}

/// Square root of the sample variance, likewise.
pub fn standard_deviation(count: Expr, sum: Expr, squares: Expr, scale: i8) -> Expr {
    udf(true).call(vec![count, sum, squares, lit(i64::from(scale))])
}

impl ScalarUDFImpl for Spread {
    fn name(&self) -> &str {
        if self.root { "countinghouse_stddev" } else { "countinghouse_variance" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the scale is an argument")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<Arc<Field>> {
        decimal_of_scale(self.name(), &args, 3)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::Decimal128(_, scale) = *args.return_field.data_type() else {
            return internal_err!("the result is a decimal");
        };
        let rows = args.number_rows;
        let count = decimals(&args.args[0], rows)?;
        let sum = decimals(&args.args[1], rows)?;
        let squares = decimals(&args.args[2], rows)?;
        let values = (0..rows)
            .map(|row| {
                if count.0.is_null(row) || sum.0.is_null(row) || squares.0.is_null(row) {
                    return Ok(None);
                }
                let (count, total, squares) = (count.0.value(row), sum.0.value(row), squares.0.value(row));
                spread(count, (total, sum.1), squares, scale, self.root)
            })
            .collect::<Result<Decimal128Array>>()?;
        let array: ArrayRef = Arc::new(values.with_precision_and_scale(PRECISION, scale)?);
        Ok(ColumnarValue::Array(array))
    }
}

/// The spread of `count` values with the given sum at its scale; the squares have twice that scale.
fn spread(count: i128, (sum, given): (i128, i8), squares: i128, scale: i8, root: bool) -> Result<Option<i128>> {
    if count < 2 {
        return Ok(None);
    }
    let large = || exec_err!("a variance is too large");
    let (n, s, q) = (i256::from_i128(count), i256::from_i128(sum), i256::from_i128(squares));
    let (Some(left), Some(right)) = (n.checked_mul(q), s.checked_mul(s)) else { return large() };
    let (mut top, mut bottom) = (left - right, n * (n - i256::ONE));
    // A root is taken of twice as many digits, and has half of them.
    let digits = if root { 2 * i32::from(scale) } else { i32::from(scale) };
    let shift = digits - 2 * i32::from(given);
    let side = if shift >= 0 { &mut top } else { &mut bottom };
    for _ in 0..shift.unsigned_abs() {
        match side.checked_mul(i256::from_i128(10)) {
            Some(value) => *side = value,
            None => return large(),
        }
    }
    let value = if root { rounded_root(top, bottom) } else { Some(half_away(top, bottom)) };
    match value.and_then(|value| value.to_i128()) {
        Some(value) => Ok(Some(value)),
        None => large(),
    }
}

/// The whole number nearest to the square root of a fraction that is not negative; none when it is too large.
fn rounded_root(top: i256, bottom: i256) -> Option<i256> {
    let two = i256::from_i128(2);
    let whole = top / bottom;
    if whole < i256::ONE {
        // Nearest to 0 or 1: the border is a half, whose square is a quarter.
        return Some(if top.checked_mul(two * two)? >= bottom { i256::ONE } else { i256::ZERO });
    }
    // Newton's iteration from above falls until it stands on the root's whole part.
    let mut root = i256::ONE;
    while root < whole / root {
        root *= two;
    }
    loop {
        let next = (root + whole / root) / two;
        if next >= root {
            break;
        }
        root = next;
    }
    // Up from the border (r + ½)², compared as whole numbers.
    let border = root * two + i256::ONE;
    let up = top.checked_mul(two * two)? >= border.checked_mul(border)?.checked_mul(bottom)?;
    Some(if up { root + i256::ONE } else { root })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[i128], given: i8, scale: i8, root: bool) -> Option<i128> {
        let squares = values.iter().map(|value| value * value).sum();
        spread(values.len() as i128, (values.iter().sum(), given), squares, scale, root).unwrap()
    }

    #[test]
    fn is_that_of_a_sample() {
        // The textbook's 2, 4, 4, 4, 5, 5, 7, 9: the squares' sum about the mean is 32, so 32 / 7.
        let values = [2, 4, 4, 4, 5, 5, 7, 9];
        assert_eq!(of(&values, 0, 6, false), Some(4_571_429));
        assert_eq!(of(&values, 0, 6, true), Some(2_138_090));
        assert_eq!(of(&values, 2, 6, false), Some(457));
        assert_eq!(of(&[7], 0, 2, false), None);
        assert_eq!(of(&[], 0, 2, true), None);
        assert_eq!(of(&[5, 5, 5], 2, 2, true), Some(0));
    }

    #[test]
    fn does_not_cancel_far_from_zero() {
        // In doubles the squares of these lose the whole difference.
        let values = [10_000_000_000_000_001, 10_000_000_000_000_003];
        assert_eq!(of(&values, 2, 4, false), Some(2));
        assert_eq!(of(&values, 0, 6, true), Some(1_414_214));
    }

    #[test]
    fn roots_are_rounded_to_the_nearest() {
        for top in 0..2000_i128 {
            for bottom in 1..8_i128 {
                let root = rounded_root(i256::from_i128(top), i256::from_i128(bottom)).unwrap().to_i128().unwrap();
                assert_eq!(root, (top as f64 / bottom as f64).sqrt().round() as i128, "of {top} / {bottom}");
            }
        }
    }
}
