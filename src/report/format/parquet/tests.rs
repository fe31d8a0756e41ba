use std::collections::BTreeMap;
use std::io::Cursor;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::array::{ArrayRef, LargeStringArray, RecordBatch, StringViewArray};
use arrow::compute::concat_batches;
use arrow::ipc::reader::FileReader;
use bytes::Bytes;

use super::*;
use crate::error::Code;
use crate::locale::Lang;
use crate::report::document::{Choice, DatasetEvidence, Evidence, TieOut};

const DIGITS_38: i128 = 99_999_999_999_999_999_999_999_999_999_999_999_999;

fn document(datasets: Vec<Dataset>) -> Document {
    Document {
        report: "probe".into(),
        lang: Lang::Zh,
        title: "存款日报".into(),
        description: String::new(),
        message: "存款增加".into(),
        as_of: 20_422,
        scope: Choice { value: "beijing".into(), label: "北京分行".into() },
        controls: Vec::new(),
        blocks: Vec::new(),
        evidence: Evidence {
            principal: "wang".into(),
            fingerprint: "f1".into(),
            snapshot: 1842,
            snapshot_created_at: jiff::Timestamp::UNIX_EPOCH,
            newest: 20_422,
            closed: 27,
            branches: 28,
            open: vec!["厦门".into()],
            parameters: Vec::new(),
            datasets: datasets
                .iter()
                .map(|dataset| DatasetEvidence {
                    name: dataset.name.clone(),
                    query_id: "q1".into(),
                    rows: dataset.rows.len(),
                    rows_sha256: "aa".into(),
                    records: false,
                    sql: "SELECT 1".into(),
                    sql_sha256: "bb".into(),
                    rollups: Vec::new(),
                    history: Vec::new(),
                    refused: serde_json::Value::Null,
                    notices: Vec::new(),
                    duration_ms: 3,
                })
                .collect(),
            tie_out: TieOut::NotChecked,
            engine: "0.1.0",
            duration_ms: 9,
        },
        datasets,
        imprint: Imprint::Live { reader: "wang".into(), at: jiff::Timestamp::UNIX_EPOCH },
    }
}

fn edition(duration_ms: u64) -> Document {
    let mut document = document(vec![read(&answer())]);
    document.evidence.duration_ms = duration_ms;
    document.evidence.datasets[0].query_id = duration_ms.to_string();
    document.evidence.principal = duration_ms.to_string();
    document.imprint = Imprint::Edition {
        version: 2,
        run_key: "9c1e44b07a52".into(),
        at: jiff::Timestamp::UNIX_EPOCH,
        link: "https://reports.example/r/probe/beijing/2025-11/v2".into(),
        release: None,
    };
    document
}

/// An answer with every type that a dataset can have, and the limits of each.
fn answer() -> RecordBatch {
    let decimal = |values: Vec<Option<i128>>, precision, scale| -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(precision, scale).unwrap())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("yes", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("i8", Arc::new(PrimitiveArray::<Int8Type>::from(vec![Some(i8::MIN), None, Some(i8::MAX)]))),
        ("i16", Arc::new(PrimitiveArray::<Int16Type>::from(vec![Some(i16::MIN), None, Some(i16::MAX)]))),
        ("i32", Arc::new(PrimitiveArray::<Int32Type>::from(vec![Some(i32::MIN), None, Some(i32::MAX)]))),
        ("i64", Arc::new(PrimitiveArray::<Int64Type>::from(vec![Some(i64::MIN), None, Some(i64::MAX)]))),
        ("u8", Arc::new(PrimitiveArray::<UInt8Type>::from(vec![Some(0), None, Some(u8::MAX)]))),
        ("u16", Arc::new(PrimitiveArray::<UInt16Type>::from(vec![Some(0), None, Some(u16::MAX)]))),
        ("u32", Arc::new(PrimitiveArray::<UInt32Type>::from(vec![Some(0), None, Some(u32::MAX)]))),
        ("u64", Arc::new(PrimitiveArray::<UInt64Type>::from(vec![Some(0), None, Some(u64::MAX)]))),
        ("f32", Arc::new(Float32Array::from(vec![Some(-0.5), None, Some(1.25e7)]))),
        ("f64", Arc::new(Float64Array::from(vec![Some(-0.1), None, Some(123_456_789.015_625)]))),
        ("money", decimal(vec![Some(-1), None, Some(123_456_789_012_345_678)], 18, 2)),
        ("wide", decimal(vec![Some(-DIGITS_38), None, Some(DIGITS_38)], 38, 6)),
        ("whole", decimal(vec![Some(-DIGITS_38), None, Some(DIGITS_38)], 38, 0)),
        ("thousands", decimal(vec![Some(-12), None, Some(999)], 3, -3)),
        ("day", Arc::new(Date32Array::from(vec![Some(-25_567), None, Some(20_422)]))),
        ("text", Arc::new(StringArray::from(vec![Some("厦门分行"), None, Some("")]))),
        ("view", Arc::new(StringViewArray::from(vec![Some("𠮷野家 – longer than twelve bytes"), None, Some("=1+1")]))),
        ("large", Arc::new(LargeStringArray::from(vec![Some("a\"b\r\n"), None, Some("0012345678901234567")]))),
        ("nothing", Arc::new(NullArray::new(3))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

/// As a run reads an answer.
fn read(batch: &RecordBatch) -> Dataset {
    let row = |row| batch.columns().iter().map(|column| Value::read(column, row).unwrap()).collect();
    Dataset {
        name: "answer".into(),
        columns: batch.schema().fields().iter().map(|field| field.name().clone()).collect(),
        types: batch.schema().fields().iter().map(|field| field.data_type().clone()).collect(),
        rows: (0..batch.num_rows()).map(row).collect(),
    }
}

fn from_parquet(bytes: Vec<u8>) -> (RecordBatch, BTreeMap<String, String>) {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
    let pairs = builder.metadata().file_metadata().key_value_metadata().unwrap();
    let metadata = pairs.iter().map(|pair| (pair.key.clone(), pair.value.clone().unwrap_or_default())).collect();
    let schema = Arc::clone(builder.schema());
    let batches: Vec<_> = builder.build().unwrap().collect::<Result<_, _>>().unwrap();
    (concat_batches(&schema, &batches).unwrap(), metadata)
}

fn from_arrow(bytes: Vec<u8>) -> (RecordBatch, BTreeMap<String, String>) {
    let reader = FileReader::try_new(Cursor::new(bytes), None).unwrap();
    let schema = reader.schema();
    let metadata = schema.metadata().clone().into_iter().collect();
    let batches: Vec<_> = reader.collect::<Result<_, _>>().unwrap();
    (concat_batches(&schema, &batches).unwrap(), metadata)
}

#[test]
fn every_value_comes_back_with_its_type() {
    let answer = answer();
    let document = document(vec![read(&answer)]);
    for (found, _) in [from_parquet(parquet(&document).unwrap()), from_arrow(arrow(&document).unwrap())] {
        assert_eq!(found.num_rows(), 3);
        for (at, field) in answer.schema().fields().iter().enumerate() {
            let (wanted, column) = (answer.column(at), found.column(at));
            let name = field.name();
            match name.as_str() {
                // One kind of text in files.
                "view" | "large" => {
                    assert_eq!(column.data_type(), &DataType::Utf8);
                    assert_eq!(column, &::arrow::compute::cast(wanted, &DataType::Utf8).unwrap());
                }
                "thousands" => {
                    let whole = DataType::Decimal128(6, 0);
                    assert_eq!(column, &::arrow::compute::cast(wanted, &whole).unwrap());
                    assert_eq!(Value::read(column, 0).unwrap().plain(), "-12000");
                }
                _ => assert_eq!(column, wanted, "{name}"),
            }
            assert_eq!(found.schema().field(at).name(), name);
        }
    }
}

#[test]
fn rows_beyond_one_batch_keep_their_order() {
    let rows = (0..20_000).map(|n| vec![Value::Number(Number { unscaled: n, scale: 0 })]).collect();
    let dataset = Dataset { name: "many".into(), columns: vec!["n".into()], types: vec![DataType::Int64], rows };
    let document = document(vec![dataset]);
    for (found, _) in [from_parquet(parquet(&document).unwrap()), from_arrow(arrow(&document).unwrap())] {
        let wanted: ArrayRef = Arc::new((0..20_000).map(Some).collect::<PrimitiveArray<Int64Type>>());
        assert_eq!(found.column(0), &wanted);
    }
}

#[test]
fn an_empty_dataset_is_a_file_with_a_schema() {
    let mut dataset = read(&answer());
    dataset.rows.clear();
    let document = document(vec![dataset]);
    for (found, _) in [from_parquet(parquet(&document).unwrap()), from_arrow(arrow(&document).unwrap())] {
        assert_eq!((found.num_rows(), found.num_columns()), (0, 20));
        assert_eq!(found.schema().field(12).data_type(), &DataType::Decimal128(38, 6));
    }
}

#[test]
fn the_lineage_is_in_the_metadata() {
    let document = document(vec![read(&answer())]);
    for (_, metadata) in [from_parquet(parquet(&document).unwrap()), from_arrow(arrow(&document).unwrap())] {
        let value = |key: &str| metadata.get(&format!("countinghouse.{key}")).map(String::as_str);
        assert_eq!(value("report"), Some("probe"));
        assert_eq!(value("title"), Some("存款日报"));
        assert_eq!(value("as_of"), Some("2025-11-30"));
        assert_eq!(value("scope"), Some("beijing"));
        assert_eq!(value("snapshot"), Some("1842"));
        assert_eq!(value("closed"), Some("27/28"));
        assert_eq!(value("rows_sha256"), Some("aa"));
        assert_eq!(value("sql_sha256"), Some("bb"));
        assert_eq!(value("reader"), Some("wang"));
        assert_eq!(value("run_at"), Some("1970-01-01T00:00:00Z"));
        assert_eq!(value("run_key"), None);
    }
}

#[test]
fn an_edition_is_the_same_bytes_for_all() {
    for render in [parquet, arrow] {
        let bytes = render(&edition(1)).unwrap();
        assert_eq!(bytes, render(&edition(2)).unwrap());
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("9c1e44b07a52") && text.contains("/v2") && !text.contains("countinghouse.reader"));
    }
}

#[test]
fn what_does_not_fit_its_type_is_an_error() {
    let number = |text: &str| Value::Number(Number::parse(text).unwrap());
    let cases = [
        (DataType::Int32, number("2147483648")),
        (DataType::Int64, number("0.5")),
        (DataType::UInt64, number("-1")),
        (DataType::Int64, Value::Text("1".into())),
        (DataType::Decimal128(5, 2), number("1000.00")),
        (DataType::Decimal128(18, 2), number("0.001")),
        (DataType::Decimal128(3, -3), number("1000000")),
        (DataType::Float64, number("0.12345678901234567")),
        (DataType::Float32, number("0.1")),
        (DataType::Boolean, number("1")),
        (DataType::Date32, Value::Text("2025-11-30".into())),
        (DataType::Utf8, number("1")),
        (DataType::Null, Value::Boolean(true)),
    ];
    for (data_type, value) in cases {
        let rows = vec![vec![Value::Null], vec![value.clone()]];
        let dataset = Dataset { name: "d".into(), columns: vec!["c".into()], types: vec![data_type.clone()], rows };
        let document = document(vec![dataset]);
        for error in [parquet(&document).unwrap_err(), arrow(&document).unwrap_err()] {
            assert_eq!(error.code(), Code::Internal, "{data_type} {value:?}");
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.contains("row 2, column `c`"), "{cause}");
        }
    }
}

#[test]
fn a_number_may_carry_zeros_that_its_type_does_not() {
    let number = |text: &str| Value::Number(Number::parse(text).unwrap());
    let rows = vec![vec![number("12.500000"), number("7.000")]];
    let types = vec![DataType::Decimal128(10, 2), DataType::Int32];
    let dataset = Dataset { name: "d".into(), columns: vec!["a".into(), "b".into()], types, rows };
    let (found, _) = from_parquet(parquet(&document(vec![dataset])).unwrap());
    assert_eq!(Value::read(found.column(0), 0).unwrap().plain(), "12.50");
    assert_eq!(Value::read(found.column(1), 0).unwrap().plain(), "7");
}

#[test]
fn a_dataset_without_its_types_or_values_is_an_error() {
    let mut one = read(&answer());
    one.types.pop();
    assert!(parquet(&document(vec![one])).is_err());
    let mut two = read(&answer());
    two.rows[1].pop();
    assert!(arrow(&document(vec![two])).is_err());
    assert_eq!(parquet(&document(Vec::new())).unwrap_err().code(), Code::BadRequest);
}
