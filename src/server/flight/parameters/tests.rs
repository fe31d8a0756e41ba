use arrow::array::{Array, Date32Array, Decimal128Array, Int64Array, StringArray, TimestampNanosecondArray};
use arrow::datatypes::{TimeUnit, UnionFields, UnionMode};

use super::*;

fn numbered(sql: &str) -> String {
    scan(sql).unwrap().sql
}

#[test]
fn question_marks_are_numbered() {
    assert_eq!(numbered("SELECT ? + ?, a FROM t WHERE b = ?"), "SELECT $1 + $2, a FROM t WHERE b = $3");
    assert_eq!(numbered("SELECT 1"), "SELECT 1");
    assert_eq!(numbered("?"), "$1");
    assert_eq!(numbered("(?)"), "($1)");
}

#[test]
fn text_names_and_comments_are_left_alone() {
    for untouched in [
        "SELECT '?'",
        "SELECT 'it''s ?'",
        "SELECT '分行?' FROM \"odd ? name\"",
        "SELECT \"a\"\"?\"",
        "SELECT `?`",
        "SELECT 1 -- ? why\n, 2",
        "SELECT 1 -- ?",
        "SELECT /* ? /* ? */ ? */ 1",
        "SELECT $$ ? $$, $tag$ ? $$ ? $tag$",
        "SELECT E'it\\'s ?'",
        "SELECT '? not ended",
        "SELECT /* ? not ended",
    ] {
        assert_eq!(numbered(untouched), untouched);
    }
    assert_eq!(numbered("SELECT '?', ? -- ?\n, ? /* ? */, \"?\""), "SELECT '?', $1 -- ?\n, $2 /* ? */, \"?\"");
    // A backslash is an ordinary character in an ordinary text.
    assert_eq!(numbered("SELECT '\\', ?, '\\'"), "SELECT '\\', $1, '\\'");
    assert_eq!(numbered("SELECT date'?', ?"), "SELECT date'?', $1");
}

#[test]
fn the_two_forms_do_not_mix() {
    assert_eq!(numbered("SELECT $1, $name, $2"), "SELECT $1, $name, $2");
    for mixed in ["SELECT ?, $1", "SELECT $name, ?"] {
        assert_eq!(scan(mixed).unwrap_err().code(), Code::BadRequest);
    }
    // Within text, `$1` is no parameter.
    assert_eq!(numbered("SELECT '$1', ?, a$1"), "SELECT '$1', $1, a$1");
}

#[test]
fn order_is_seen_outside_brackets_only() {
    assert!(scan("SELECT a FROM t ORDER BY a").unwrap().ordered);
    assert!(scan("select a from t order /* x */ by a limit 3").unwrap().ordered);
    assert!(!scan("SELECT rank() OVER (ORDER BY a) FROM t").unwrap().ordered);
    assert!(!scan("SELECT * FROM (SELECT a FROM t ORDER BY a LIMIT 3)").unwrap().ordered);
    assert!(!scan("SELECT 'ORDER BY', \"order\" FROM t").unwrap().ordered);
}

fn wanted(fields: &[(&str, DataType)]) -> SchemaRef {
    announced(&Schema::new(
        fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), false)).collect::<Vec<_>>(),
    ))
}

#[test]
fn announced_parameters_are_nullable_and_never_of_type_null() {
    let schema = wanted(&[("$1", DataType::Null), ("$2", DataType::Int64)]);
    assert_eq!(schema.field(0), &Field::new("$1", DataType::Utf8, true));
    assert_eq!(schema.field(1), &Field::new("$2", DataType::Int64, true));
    let skipping = wanted(&[("10", DataType::Date32), ("2", DataType::Int64)]);
    let names: Vec<_> = skipping.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    assert_eq!(skipping.field(9).data_type(), &DataType::Date32);
}

#[test]
fn bound_values_take_the_statements_types() {
    let schema = wanted(&[("$1", DataType::Date32), ("$2", DataType::Decimal128(18, 2))]);
    let rows = RecordBatch::try_from_iter([
        ("0", Arc::new(StringArray::from(vec![Some("2026-03-01"), None])) as ArrayRef),
        ("1", Arc::new(Int64Array::from(vec![5, 6])) as ArrayRef),
    ])
    .unwrap();
    let fitted = fit(&rows, &schema).unwrap();
    assert_eq!(fitted.column(0).as_any().downcast_ref::<Date32Array>().unwrap().value(0), 20_513);
    assert!(fitted.column(0).is_null(1));
    assert_eq!(fitted.column(1).as_any().downcast_ref::<Decimal128Array>().unwrap().value(1), 600);
    // And come back from the handle, a row for each execution.
    let back = from_bytes(&to_bytes(&fitted).unwrap()).unwrap();
    assert_eq!(back.len(), 2);
    assert_eq!(back[1], fitted.slice(1, 1));
    assert!(from_bytes(&Bytes::new()).unwrap().is_empty());
}

#[test]
fn wrong_values_and_counts_are_the_callers_fault() {
    let schema = wanted(&[("$1", DataType::Date32)]);
    let text = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
    let bad = RecordBatch::try_from_iter([("0", text(vec!["no date"]))]).unwrap();
    let error = fit(&bad, &schema).unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::BadRequest, "A value of the parameter `$1` is not a DATE"));
    let noon = RecordBatch::try_from_iter([("0", text(vec!["2026-03-01 12:00:00"]))]).unwrap();
    let error = fit(&noon, &schema).unwrap_err();
    assert!(
        error.message().starts_with("A value of the parameter `$1` would be rounded or cut to be a DATE"),
        "{error}"
    );
    let many = RecordBatch::try_from_iter([("0", text(vec!["a"])), ("1", text(vec!["b"]))]).unwrap();
    assert_eq!(fit(&many, &schema).unwrap_err().message(), "The statement has 1 parameters, and 2 are bound");
    let long = RecordBatch::try_from_iter([("0", text(vec![&"x".repeat(MAX_BYTES)]))]).unwrap();
    assert_eq!(to_bytes(&long).unwrap_err().code(), Code::Limit);
}

#[test]
fn no_value_of_a_column_is_rounded_or_cut() {
    let schema =
        wanted(&[("$1", DataType::Decimal128(18, 2)), ("$2", DataType::Timestamp(TimeUnit::Microsecond, None))]);
    let bound = |thousandths: Vec<i128>, nanos: Vec<i64>| {
        let decimals = Decimal128Array::from(thousandths).with_precision_and_scale(20, 3).unwrap();
        let rows = RecordBatch::try_from_iter([
            ("0", Arc::new(decimals) as ArrayRef),
            ("1", Arc::new(TimestampNanosecondArray::from(nanos)) as ArrayRef),
        ]);
        fit(&rows.unwrap(), &schema)
    };
    let exact = bound(vec![1_500, -20], vec![1_000, 0]).unwrap();
    assert_eq!(exact.column(0).as_any().downcast_ref::<Decimal128Array>().unwrap().values(), &[150, -2]);
    let error = bound(vec![1_500, 1_505], vec![0, 0]).unwrap_err();
    assert_eq!(error.code(), Code::BadRequest);
    assert!(error.message().contains("`$1`") && error.message().contains("DECIMAL(18, 2)"), "{error}");
    let error = bound(vec![0, 0], vec![1_000, 1_001]).unwrap_err();
    assert!(error.message().contains("`$2`") && error.message().contains("TIMESTAMP"), "{error}");
}

#[test]
fn named_parameters_are_found_by_name() {
    let schema = wanted(&[("$from", DataType::Int64), ("$to", DataType::Int64)]);
    let number = |value: i64| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    let named = RecordBatch::try_from_iter([("to", number(2)), ("$from", number(1))]).unwrap();
    let fitted = fit(&named, &schema).unwrap();
    assert_eq!(fitted.column(0), &number(1));
    let by_place = RecordBatch::try_from_iter([("a", number(3)), ("b", number(4))]).unwrap();
    assert_eq!(fit(&by_place, &schema).unwrap().column(0), &number(3));
}

#[test]
fn dense_unions_are_taken_apart() {
    let fields = UnionFields::from_fields(vec![
        Field::new("text", DataType::Utf8, true),
        Field::new("number", DataType::Int64, true),
    ]);
    let union = UnionArray::try_new(
        fields.clone(),
        vec![1_i8, 0, 1].into(),
        Some(vec![0_i32, 0, 1].into()),
        vec![Arc::new(StringArray::from(vec!["7"])), Arc::new(Int64Array::from(vec![Some(5), None]))],
    )
    .unwrap();
    let schema = Schema::new(vec![Field::new("0", DataType::Union(fields, UnionMode::Dense), false)]);
    let rows = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(union)]).unwrap();
    let fitted = fit(&rows, &wanted(&[("$1", DataType::Int64)])).unwrap();
    assert_eq!(fitted.column(0).as_any().downcast_ref(), Some(&Int64Array::from(vec![Some(5), Some(7), None])));
}
