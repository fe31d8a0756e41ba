//! `countinghouse_ratio(numerator, denominator, scale)`: exact division, rounded once, half away from zero.
//!
//! SQL's own decimal division drops digits twice (its result scale is limited by precision) and a float quotient is not
//! exact, so finished ratios and averages go through this function: numerator and denominator are scaled up in 256 bits,
//! divided once, and rounded as a bank rounds (四舍五入).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Decimal128Array, Int64Array};
use arrow::datatypes::{DataType, Field, i256};
use datafusion::common::{Result, ScalarValue, cast::as_decimal128_array, exec_err, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};

/// Precision of a result; the scale is the call's own.
pub(super) const PRECISION: u8 = 38;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Ratio {
    signature: Signature,
}

pub(super) fn udf() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Ratio { signature: Signature::any(3, Volatility::Immutable) }))
}

/// `numerator / denominator`, rounded once to `scale` digits, as Decimal(38, scale); null where the denominator is zero.
/// Both sides are integers or decimals.
pub fn ratio(numerator: Expr, denominator: Expr, scale: i8) -> Expr {
    udf().call(vec![numerator, denominator, lit(i64::from(scale))])
}

impl ScalarUDFImpl for Ratio {
    fn name(&self) -> &str {
        "countinghouse_ratio"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the scale is an argument")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<Arc<Field>> {
        decimal_of_scale(self.name(), &args, 2)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::Decimal128(_, scale) = *args.return_field.data_type() else {
            return internal_err!("the result is a decimal");
        };
        let rows = args.number_rows;
        let numerator = decimals(&args.args[0], rows)?;
        let denominator = decimals(&args.args[1], rows)?;
        let values = (0..rows)
            .map(|row| {
                if numerator.0.is_null(row) || denominator.0.is_null(row) {
                    return Ok(None);
                }
                divide((numerator.0.value(row), numerator.1), (denominator.0.value(row), denominator.1), scale)
            })
            .collect::<Result<Decimal128Array>>()?;
        let array: ArrayRef = Arc::new(values.with_precision_and_scale(PRECISION, scale)?);
        Ok(ColumnarValue::Array(array))
    }
}

/// The field of a result whose scale is the argument at `place`, a literal from 0 to 18.
pub(super) fn decimal_of_scale(name: &str, args: &ReturnFieldArgs<'_>, place: usize) -> Result<Arc<Field>> {
    let Some(Some(ScalarValue::Int64(Some(scale)))) = args.scalar_arguments.get(place) else {
        return exec_err!("the scale is a whole number");
    };
    let Ok(scale @ 0..=18) = i8::try_from(*scale) else { return exec_err!("the scale lies between 0 and 18") };
    Ok(Arc::new(Field::new(name, DataType::Decimal128(PRECISION, scale), true)))
}

/// The argument as decimals with their scale.
pub(super) fn decimals(value: &ColumnarValue, rows: usize) -> Result<(Decimal128Array, i8)> {
    let array = value.to_array(rows)?;
    match array.data_type() {
        DataType::Decimal128(_, scale) => Ok((as_decimal128_array(&array)?.clone(), *scale)),
        kind if kind.is_integer() => {
            let whole = arrow::compute::cast(&array, &DataType::Int64)?;
            let whole = whole.as_any().downcast_ref::<Int64Array>().expect("just cast");
            Ok((whole.iter().map(|value| value.map(i128::from)).collect(), 0))
        }
        DataType::Null => Ok((Decimal128Array::new_null(rows), 0)),
        other => exec_err!("a ratio needs whole numbers or decimals, not {other}"),
    }
}

/// Exact quotient at `scale`, half away from zero; `None` for a zero denominator.
fn divide(numerator: (i128, i8), denominator: (i128, i8), scale: i8) -> Result<Option<i128>> {
    if denominator.0 == 0 {
        return Ok(None);
    }
    let ten = i256::from_i128(10);
    let mut top = i256::from_i128(numerator.0);
    let mut bottom = i256::from_i128(denominator.0);
    let shift = i32::from(scale) + i32::from(denominator.1) - i32::from(numerator.1);
    let side = if shift >= 0 { &mut top } else { &mut bottom };
    for _ in 0..shift.unsigned_abs() {
        match side.checked_mul(ten) {
            Some(value) => *side = value,
            None => return exec_err!("a ratio is too large"),
        }
    }
    match half_away(top, bottom).to_i128() {
        Some(value) => Ok(Some(value)),
        None => exec_err!("a ratio is too large"),
    }
}

/// The quotient of whole numbers, rounded half away from zero.
pub(super) fn half_away(top: i256, bottom: i256) -> i256 {
    let negative = (top < i256::ZERO) != (bottom < i256::ZERO);
    let (top, bottom) = (top.wrapping_abs(), bottom.wrapping_abs());
    let quotient = top / bottom;
    let rest = top - quotient * bottom;
    let up = rest >= bottom - rest;
    let rounded = if up { quotient + i256::ONE } else { quotient };
    if negative { i256::ZERO - rounded } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::divide;

    #[test]
    fn rounds_once_and_half_away_from_zero() {
        let check = |top, bottom, scale, expect| assert_eq!(divide(top, bottom, scale).unwrap(), expect);
        check((5289, 0), (45211, 0), 6, Some(116_985));
        check((1, 0), (3, 0), 2, Some(33));
        check((2, 0), (3, 0), 2, Some(67));
        check((1, 0), (8, 0), 2, Some(13));
        check((-1, 0), (8, 0), 2, Some(-13));
        check((1, 0), (-8, 0), 2, Some(-13));
        check((12_345, 2), (31, 0), 2, Some(398));
        check((1, 2), (1, 0), 0, Some(0));
        check((50, 2), (1, 0), 0, Some(1));
        check((1, 0), (0, 0), 2, None);
        check((0, 0), (7, 3), 6, Some(0));
    }
}
