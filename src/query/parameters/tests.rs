use arrow::array::{
    BooleanArray, Date32Array, Decimal128Array, Decimal256Array, DictionaryArray, Float32Array, Float64Array,
    Int32Array, Int64Array, NullArray, Time64MicrosecondArray, TimestampMicrosecondArray, TimestampNanosecondArray,
    TimestampSecondArray,
};
use arrow::datatypes::Int32Type;

use super::*;

/// What became of one value.
fn taken(value: impl Array + 'static, to: &DataType) -> Result<ArrayRef, &'static str> {
    let value: ArrayRef = Arc::new(value);
    exact(&value, to).map_err(|misfit| match misfit {
        Misfit::Wrong(_) => "wrong",
        Misfit::Inexact => "inexact",
    })
}

fn array(values: impl Array + 'static) -> ArrayRef {
    Arc::new(values)
}

fn texts(text: &str) -> StringArray {
    StringArray::from(vec![text])
}

fn decimals(value: i128, precision: u8, scale: i8) -> Decimal128Array {
    Decimal128Array::from(vec![value]).with_precision_and_scale(precision, scale).unwrap()
}

const MONEY: DataType = DataType::Decimal128(18, 2);
const MICROS: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

#[test]
fn decimals_are_not_rounded() {
    let money = || Ok(array(decimals(150, 18, 2)));
    assert_eq!(taken(decimals(15, 3, 1), &MONEY), money());
    assert_eq!(taken(decimals(1_500, 20, 3), &MONEY), money());
    assert_eq!(taken(decimals(1_505, 20, 3), &MONEY), Err("inexact"));
    assert_eq!(taken(decimals(-1_504, 20, 3), &MONEY), Err("inexact"));
    assert_eq!(taken(decimals(10_i128.pow(30), 38, 2), &MONEY), Err("wrong"));
    assert_eq!(taken(Int64Array::from(vec![7]), &MONEY), Ok(array(decimals(700, 18, 2))));
    assert_eq!(taken(decimals(700, 18, 2), &DataType::Int64), Ok(array(Int64Array::from(vec![7]))));
    assert_eq!(taken(decimals(701, 18, 2), &DataType::Int64), Err("inexact"));
    let wide = Decimal256Array::from(vec![arrow::datatypes::i256::from_i128(1_505)]);
    assert_eq!(taken(wide.with_precision_and_scale(40, 3).unwrap(), &MONEY), Err("inexact"));
}

#[test]
fn numbers_in_texts_are_not_rounded() {
    for (text, hundredths) in [
        ("1.5", 150),
        ("1.50000", 150),
        ("-0.01", -1),
        (" 12 ", 1200),
        ("1.5e2", 15_000),
        ("1.50E-1", 15),
        ("-25e-2", -25),
        ("0e9", 0),
    ] {
        assert_eq!(taken(texts(text), &MONEY), Ok(array(decimals(hundredths, 18, 2))), "{text}");
    }
    for text in ["1.505", "0.001", "1.5e-3", "1e-70"] {
        assert_eq!(taken(texts(text), &MONEY), Err("inexact"), "{text}");
    }
    for text in ["", "one", "1.2.3", "1e", "e5", "1e999999999999", "99999999999999999999"] {
        assert_eq!(taken(texts(text), &MONEY), Err("wrong"), "{text}");
    }
    assert_eq!(taken(texts("1.5"), &DataType::Int64), Err("wrong"));
    assert_eq!(taken(texts("0.1"), &DataType::Float64), Ok(array(Float64Array::from(vec![0.1]))));
}

#[test]
fn floats_stand_for_their_shortest_decimals_and_are_cut_to_no_whole_number() {
    assert_eq!(taken(Float64Array::from(vec![0.1]), &MONEY), Ok(array(decimals(10, 18, 2))));
    assert_eq!(taken(Float64Array::from(vec![-0.0]), &MONEY), Ok(array(decimals(0, 18, 2))));
    let large = DataType::Decimal128(38, 2);
    let sum = 10_i128.pow(24);
    assert_eq!(taken(Float64Array::from(vec![1e22]), &large), Ok(array(decimals(sum, 38, 2))));
    assert_eq!(taken(Float32Array::from(vec![0.1_f32]), &MONEY), Ok(array(decimals(10, 18, 2))));
    assert_eq!(taken(Float64Array::from(vec![0.1 + 0.2]), &MONEY), Err("inexact"));
    assert_eq!(taken(Float64Array::from(vec![f64::NAN]), &MONEY), Err("wrong"));
    assert_eq!(taken(Float64Array::from(vec![3.0]), &DataType::Int32), Ok(array(Int32Array::from(vec![3]))));
    assert_eq!(taken(Float64Array::from(vec![-0.0]), &DataType::Int32), Ok(array(Int32Array::from(vec![0]))));
    assert_eq!(taken(Float64Array::from(vec![3.5]), &DataType::Int32), Err("inexact"));
    assert_eq!(taken(Float64Array::from(vec![3e9]), &DataType::Int32), Err("wrong"));
    assert_eq!(taken(Float64Array::from(vec![0.1]), &DataType::Float32), Err("inexact"));
    assert_eq!(taken(Int64Array::from(vec![(1 << 53) + 1]), &DataType::Float64), Err("inexact"));
    assert_eq!(taken(decimals(10, 18, 2), &DataType::Float64), Ok(array(Float64Array::from(vec![0.1]))));
}

#[test]
fn times_are_not_cut() {
    let nanos = |nanos: i64| TimestampNanosecondArray::from(vec![nanos]);
    let micros = |micros: i64| Ok(array(TimestampMicrosecondArray::from(vec![micros])));
    assert_eq!(taken(nanos(1_500_000), &MICROS), micros(1_500));
    assert_eq!(taken(nanos(1_500_001), &MICROS), Err("inexact"));
    assert_eq!(taken(nanos(-1), &MICROS), Err("inexact"));
    assert_eq!(taken(TimestampSecondArray::from(vec![2]), &MICROS), micros(2_000_000));
    // A moment is the same one in every zone.
    let zoned = nanos(1_500_000).with_timezone("+08:00");
    assert_eq!(taken(zoned.clone(), &MICROS), micros(1_500));
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    let same = TimestampMicrosecondArray::from(vec![1_500]).with_timezone("+00:00");
    assert_eq!(taken(zoned, &utc), Ok(array(same)));

    let day = |day: i32| Ok(array(Date32Array::from(vec![day])));
    let midnight = 20_453 * 86_400_000_000;
    assert_eq!(taken(TimestampMicrosecondArray::from(vec![midnight]), &DataType::Date32), day(20_453));
    assert_eq!(taken(TimestampMicrosecondArray::from(vec![midnight + 1]), &DataType::Date32), Err("inexact"));
    assert_eq!(taken(texts("2025-12-31"), &DataType::Date32), day(20_453));
    assert_eq!(taken(texts("2025-12-31T00:00:00"), &DataType::Date32), day(20_453));
    assert_eq!(taken(texts("2025-12-31T00:00:01"), &DataType::Date32), Err("inexact"));
    assert_eq!(taken(texts("31.12.2025"), &DataType::Date32), Err("wrong"));

    assert_eq!(taken(texts("1970-01-01T00:00:00.001500"), &MICROS), micros(1_500));
    assert_eq!(taken(texts("1970-01-01T00:00:00.001500000Z"), &MICROS), micros(1_500));
    assert_eq!(taken(texts("1970-01-01T00:00:00.001500001Z"), &MICROS), Err("inexact"));
    let time = DataType::Time64(TimeUnit::Microsecond);
    assert_eq!(taken(texts("00:00:01.5"), &time), Ok(array(Time64MicrosecondArray::from(vec![1_500_000]))));
    assert_eq!(taken(texts("00:00:01.5000001"), &time), Err("inexact"));
}

#[test]
fn everything_has_a_text_and_nulls_have_every_type() {
    assert_eq!(taken(Int64Array::from(vec![7]), &DataType::Utf8), Ok(array(texts("7"))));
    assert_eq!(taken(BooleanArray::from(vec![true]), &DataType::Utf8), Ok(array(texts("true"))));
    let named: DictionaryArray<Int32Type> = ["1.5"].into_iter().collect();
    assert_eq!(taken(named.clone(), &DataType::Utf8), Ok(array(texts("1.5"))));
    assert_eq!(taken(named.clone(), &MONEY), Ok(array(decimals(150, 18, 2))));
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    assert_eq!(taken(texts("1.5"), &dictionary), Ok(array(named)));
    for to in [MONEY, MICROS, DataType::Date32, DataType::Int32, DataType::Utf8] {
        assert_eq!(taken(NullArray::new(1), &to).unwrap().logical_null_count(), 1, "{to}");
        assert_eq!(taken(StringArray::from(vec![None::<&str>]), &to).unwrap().logical_null_count(), 1, "{to}");
    }
    // Several values, some of them none.
    let money = Decimal128Array::from(vec![Some(150), None]).with_precision_and_scale(18, 2).unwrap();
    assert_eq!(taken(StringArray::from(vec![Some("1.5"), None]), &MONEY), Ok(array(money)));
    assert_eq!(taken(StringArray::from(vec![Some("1.5"), Some("1.505")]), &MONEY), Err("inexact"));
}

#[test]
fn a_refusal_names_the_parameter_and_no_value() {
    for (value, word) in [("1.505", "rounded or cut to be a DECIMAL"), ("secret", "is not a DECIMAL")] {
        let error = exact(&array(texts(value)), &MONEY).unwrap_err().error("2", "DECIMAL(18, 2)");
        assert_eq!(error.code(), Code::BadRequest);
        assert!(error.message().contains("`$2`") && error.message().contains(word), "{error}");
        assert!(!error.message().contains(value), "{error}");
    }
}
