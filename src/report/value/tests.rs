use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int64Array, StringViewArray,
    UInt64Array,
};

use super::{Number, Value};

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

#[test]
fn cells_are_read_exactly() {
    let decimal = Decimal128Array::from(vec![Some(-1_234_567_i128), None]).with_precision_and_scale(18, 2).unwrap();
    let cases: Vec<(ArrayRef, &str)> = vec![
        (Arc::new(decimal), "-12345.67"),
        (Arc::new(Int64Array::from(vec![42])), "42"),
        (Arc::new(UInt64Array::from(vec![u64::MAX])), "18446744073709551615"),
        (Arc::new(Float64Array::from(vec![0.1])), "0.100000000000"),
        (Arc::new(Float64Array::from(vec![f64::NAN])), "NaN"),
        (Arc::new(Float64Array::from(vec![f64::NEG_INFINITY])), "-inf"),
        (Arc::new(Float64Array::from(vec![-2.5e25])), "-25000000000000001191182336.000000000000"),
        (Arc::new(Float64Array::from(vec![1e30])), "1000000000000000019884624838656.00000000"),
        (Arc::new(Float64Array::from(vec![1e300])), "1e300"),
        (Arc::new(Float32Array::from(vec![f32::MAX])), "3.4028234663852886e38"),
        (Arc::new(Date32Array::from(vec![20_422])), "2025-11-30"),
        (Arc::new(BooleanArray::from(vec![true])), "true"),
        (Arc::new(StringViewArray::from(vec!["北京"])), "北京"),
    ];
    for (array, expected) in &cases {
        assert_eq!(Value::read(array, 0).unwrap().plain(), *expected);
    }
    assert_eq!(Value::read(&cases[0].0, 1).unwrap(), Value::Null);
}

#[test]
fn what_no_number_holds_is_still_a_figure() {
    let text = |text: &str| Value::Text(text.into());
    for figure in [text("NaN"), text("-inf"), text("1e300"), Value::Null, Value::Number(number("5"))] {
        assert!(figure.is_figure(), "{figure:?}");
    }
    for other in [text("5"), text("北京"), text(""), Value::Boolean(true), Value::Date(0)] {
        assert!(!other.is_figure(), "{other:?}");
    }
}

#[test]
fn numbers_are_plain_decimals_and_nothing_else() {
    for text in ["0", "-0.05", "12.50", "123456789012345678901234567890.12"] {
        assert_eq!(number(text).plain(), text);
    }
    for text in ["", "-", ".5", "5.", "1e3", "1,000", "１２", "99999999999999999999999999999999999999999"] {
        assert!(Number::parse(text).is_none(), "{text}");
    }
    assert_eq!(number("1.0"), number("1.00"));
}

#[test]
fn a_relative_change_needs_a_positive_base() {
    let change = |value: &str, base: &str| number(value).change_from(number(base)).map(Number::plain);
    assert_eq!(change("110", "100.00").as_deref(), Some("0.100000"));
    assert_eq!(change("-50", "100").as_deref(), Some("-1.500000"));
    // Half away from zero, both ways.
    assert_eq!(change("2000001", "2000000").as_deref(), Some("0.000001"));
    assert_eq!(change("1999999", "2000000").as_deref(), Some("-0.000001"));
    assert_eq!(change("5", "0"), None);
    assert_eq!(change("5", "-10"), None);
}

#[test]
fn differences_keep_the_finer_scale() {
    assert_eq!(number("1.5").minus(number("0.25")).unwrap().plain(), "1.25");
    assert!(Number { unscaled: i128::MAX, scale: 0 }.minus(number("0.1")).is_none());
}
