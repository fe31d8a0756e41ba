//! What changed, cell by cell.

use arrow::datatypes::DataType;

use super::{CellChange, Changes, DatasetChanges, compare};
use crate::report::document::Dataset;
use crate::report::format::csv;
use crate::report::value::{Number, Value};

fn dataset(rows: &[(&str, &str, &str)]) -> Dataset {
    let number = |text: &str| Number::parse(text).map_or(Value::Null, Value::Number);
    Dataset {
        name: "branches".into(),
        columns: ["branch", "balance", "accounts"].map(str::to_owned).into(),
        types: vec![DataType::Utf8, DataType::Decimal128(18, 2), DataType::Int64],
        rows: rows
            .iter()
            .map(|(name, balance, accounts)| vec![Value::Text((*name).into()), number(balance), number(accounts)])
            .collect(),
    }
}

fn cell(row: &str, column: &str, old: &str, new: &str) -> CellChange {
    CellChange { row: row.into(), column: column.into(), old: old.into(), new: new.into() }
}

#[test]
fn only_the_changed_cells_are_told() {
    let old = dataset(&[("Beijing", "10.00", "3"), ("=Odd, \"name\"", "-2.50", "1"), ("Gone", "1.00", "1")]);
    let new = dataset(&[("=Odd, \"name\"", "-2.50", "2"), ("Beijing", "10.01", "3"), ("New", "5.00", "1")]);
    let found = compare(&new, &csv::text(&old));
    let expected = DatasetChanges {
        name: "branches".into(),
        columns: Vec::new(),
        cells: vec![cell("=Odd, \"name\"", "accounts", "1", "2"), cell("Beijing", "balance", "10.00", "10.01")],
        added: vec!["New".into()],
        removed: vec!["Gone".into()],
    };
    assert_eq!(found, expected);
    assert_eq!(Changes { from: 1, to: 2, datasets: vec![found] }.count(), 4);
}

#[test]
fn equal_rows_are_no_change_in_any_order() {
    let old = dataset(&[("A", "1.00", "1"), ("B", "2.00", "")]);
    let new = dataset(&[("B", "2.00", ""), ("A", "1.00", "1")]);
    assert_eq!(compare(&new, &csv::text(&old)).cells, Vec::new());
}

#[test]
fn rows_of_one_name_are_told_apart() {
    let old = dataset(&[("A", "1.00", "1"), ("A", "2.00", "1")]);
    let new = dataset(&[("A", "1.00", "1"), ("A", "3.00", "1")]);
    assert_eq!(compare(&new, &csv::text(&old)).cells, vec![cell("A (2)", "balance", "2.00", "3.00")]);
}

#[test]
fn other_columns_are_said_and_not_compared() {
    let mut new = dataset(&[("A", "1.00", "1")]);
    let old = csv::text(&new);
    new.columns[1] = "outstanding".into();
    let found = compare(&new, &old);
    assert_eq!(found.columns, ["outstanding", "balance"]);
    assert_eq!(found.cells, Vec::new());
    // An edition that had no such dataset.
    assert_eq!(compare(&new, "").columns, new.columns);
}
