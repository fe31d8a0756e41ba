use std::sync::Arc;

use arrow::array::{Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use super::{Buffer, PartitionKey};

fn filled(limit: usize) -> Buffer {
    let schema = Arc::new(Schema::new(vec![
        Field::new("number", DataType::Int64, false),
        Field::new("text", DataType::Utf8, true),
    ]));
    let mut buffer = Buffer::new(Arc::clone(&schema), limit);
    for start in (0..1000).step_by(100) {
        let numbers: Vec<i64> = (start..start + 100).collect();
        let ids = numbers
            .iter()
            .map(|number| {
                let branch = ["xian", "beijing", "urumqi"][(number % 3) as usize];
                buffer.partition(&PartitionKey { branch: Some(branch.to_owned()), month: None })
            })
            .collect();
        let texts = numbers.iter().map(|number| (number % 7 != 0).then(|| format!("row {number}")));
        let texts = Arc::new(texts.collect::<StringArray>());
        buffer
            .push(
                RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(Int64Array::from(numbers)), texts]).unwrap(),
                ids,
            )
            .unwrap();
    }
    buffer.seal().unwrap();
    buffer
}

type Row = (i64, Option<String>);

fn contents(buffer: &Buffer) -> Vec<(String, Vec<Row>)> {
    let mut all = Vec::new();
    for (key, number) in buffer.partitions() {
        let mut rows = Vec::new();
        for batch in buffer.read(number).unwrap() {
            let batch = batch.unwrap();
            let numbers: &Int64Array = batch.column(0).as_any().downcast_ref().unwrap();
            let texts: &StringArray = batch.column(1).as_any().downcast_ref().unwrap();
            for row in 0..batch.num_rows() {
                rows.push((numbers.value(row), texts.is_valid(row).then(|| texts.value(row).to_owned())));
            }
        }
        all.push((key.branch.unwrap(), rows));
    }
    all
}

#[test]
fn spilled_rows_come_back_in_order_of_arrival() {
    let (kept, spilled) = (filled(usize::MAX), filled(1));
    assert!(!kept.has_spilled() && spilled.has_spilled());
    let rows = contents(&kept);
    assert_eq!(rows, contents(&spilled));
    assert_eq!(rows.iter().map(|(branch, _)| branch.as_str()).collect::<Vec<_>>(), ["beijing", "urumqi", "xian"]);
    for (_, rows) in &rows {
        assert!(rows.is_sorted_by_key(|row| row.0) && rows.len() >= 333);
    }
}
