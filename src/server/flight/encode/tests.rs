use arrow::array::{Array, Int64Array, LargeStringArray, ListArray, StringArray};
use arrow::datatypes::Int64Type;
use arrow_flight::utils::flight_data_to_arrow_batch;
use prost::Message;

use super::*;

fn texts(lengths: impl IntoIterator<Item = usize>) -> RecordBatch {
    let lengths: Vec<usize> = lengths.into_iter().collect();
    let numbers = Int64Array::from_iter_values(0..lengths.len() as i64);
    let texts = StringArray::from_iter_values(lengths.iter().map(|length| "x".repeat(*length)));
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>(lengths.iter().map(|_| Some([Some(1), None])));
    let schema = Schema::new(vec![
        Field::new("number", DataType::Int64, true),
        Field::new("text", DataType::Utf8, true),
        Field::new("list", list.data_type().clone(), true),
    ]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(numbers), Arc::new(texts), Arc::new(list)]).unwrap()
}

/// Sends batches and checks every message; gives the batches as a client sees them.
fn sent(batches: &[RecordBatch]) -> Vec<RecordBatch> {
    let schema = batches[0].schema();
    let mut encoder = Encoder::new(Arc::clone(&schema), None);
    let mut messages = Vec::new();
    for batch in batches {
        messages.extend(encoder.push(batch).unwrap());
    }
    messages.extend(encoder.flush().unwrap());
    assert!(encoder.is_empty());
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(encoder.totals().0, rows as u64);
    messages
        .iter()
        .map(|parcel| {
            let message = FlightData::from(parcel.clone());
            let batch = flight_data_to_arrow_batch(&message, Arc::clone(&schema), &Default::default()).unwrap();
            let size = message.encoded_len();
            assert!(size <= MAX_MESSAGE && (batch.num_rows() == 1 || size <= SPLIT + SPLIT / 8), "{size}");
            batch
        })
        .collect()
}

#[test]
fn small_batches_are_gathered_and_large_ones_split() {
    let whole = texts((0..100_000).map(|row| row % 50));
    let small: Vec<_> = (0..100).map(|at| whole.slice(at * 1_000, 1_000)).collect();
    for batches in [vec![whole.clone()], small] {
        let got = sent(&batches);
        assert!((2..=12).contains(&got.len()), "{}", got.len());
        assert_eq!(concat_batches(&whole.schema(), &got).unwrap(), whole);
    }
}

#[test]
fn skewed_rows_are_split_where_they_stand() {
    // One long row among many short ones; sliced, so that the buffers behind are larger than the rows.
    let whole = texts((0..20_000).map(|row| if row == 15_000 { 3 << 20 } else { 10 }));
    let got = sent(&[whole.slice(10_000, 10_000)]);
    assert_eq!(concat_batches(&whole.schema(), &got).unwrap(), whole.slice(10_000, 10_000));
}

#[test]
fn a_row_beyond_the_limit_names_its_column() {
    let batch = texts([10, 5 << 20, 10]);
    let mut encoder = Encoder::new(batch.schema(), None);
    let status = encoder.push(&batch).unwrap_err();
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    assert!(status.message().contains("`text`"), "{}", status.message());
}

#[test]
fn no_rows_give_no_messages_but_the_head() {
    let batch = texts([]);
    let mut encoder = Encoder::new(batch.schema(), None);
    assert!(encoder.push(&batch).unwrap().is_empty());
    assert!(encoder.flush().unwrap().is_empty());
    let head = encoder.head([("countinghouse.snapshot".to_owned(), "7".to_owned())]);
    let schema = Schema::try_from(&FlightData::from(head)).unwrap();
    assert_eq!(schema.fields(), batch.schema().fields());
    assert_eq!(schema.metadata()["countinghouse.snapshot"], "7");
}

#[test]
#[should_panic(expected = "differs from the announced schema")]
fn a_batch_of_other_types_is_never_sent() {
    let other = Schema::new(vec![Field::new("text", DataType::Utf8, true)]);
    let batch = RecordBatch::try_from_iter([("text", Arc::new(LargeStringArray::from(vec!["a"])) as _)]).unwrap();
    let _ = Encoder::new(Arc::new(other), None).push(&batch);
}

#[test]
fn the_wire_schema_keeps_known_metadata_only() {
    let field = Field::new("balance", DataType::Decimal128(18, 2), true).with_metadata(
        [
            ("countinghouse:unit", "CNY"),
            ("countinghouse:additivity", "semi_additive"),
            ("PARQUET:field_id", "3"),
            ("label.en", "Balance"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into(),
    );
    let schema = wire_schema(&Schema::new(vec![field]));
    let keys = schema.field(0).metadata();
    assert_eq!(keys["countinghouse:unit"], "CNY");
    assert_eq!(keys["ARROW:FLIGHT:SQL:TYPE_NAME"], "DECIMAL");
    assert!(!keys.contains_key("PARQUET:field_id") && !keys.contains_key("label.en"));
    assert_eq!(wire_schema(&schema).field(0).data_type(), schema.field(0).data_type());
}
