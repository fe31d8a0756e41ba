//! Declared tables as Arrow schemas, and the built-in table of rejected rows.

use std::sync::Arc;

use arrow::datatypes::{DataType as Arrow, Field, Schema, SchemaRef, TimeUnit};

use crate::model::Located;
use crate::model::table::{Column, DataType, Partition, Period, Sensitivity, Table, TableKind};

/// The partition column that a table cut by time has: Int32, yyyymm of the period's first month.
pub const MONTH: &str = "month";

/// The branch that holds rows needed by all branches.
pub const SHARED: &str = "shared";

/// The built-in table of rows that a load refused; see [`rejects_table`].
pub const REJECTS: &str = "quarantine_row";

/// Arrow schema of a table: the surrogate key (Int64) where there is one, the declared columns without the branch column, then the branch column (Utf8) and [`MONTH`]
/// (Int32) where the table is cut by them.
///
/// Every field is nullable, also of `required` columns: the loader holds that rule, and the row of the unknown member breaks
/// it where no value would be honest.
pub fn table_schema(table: &Table) -> SchemaRef {
    let mut fields = file_fields(table);
    fields.extend(table.partition.branch.iter().map(|branch| Field::new(branch.value.as_str(), Arrow::Utf8, true)));
    if table.partition.period != Period::None {
        fields.push(Field::new(MONTH, Arrow::Int32, true));
    }
    Arc::new(Schema::new(fields))
}

/// Schema of the table's files: [`table_schema`] without the partition columns.
pub fn file_schema(table: &Table) -> SchemaRef {
    Arc::new(Schema::new(file_fields(table)))
}

/// Names of the partition columns, in the order in which they close [`table_schema`].
pub fn partition_columns(table: &Table) -> Vec<String> {
    let branch = table.partition.branch.iter().map(|branch| branch.value.clone());
    branch.chain((table.partition.period != Period::None).then(|| MONTH.to_owned())).collect()
}

/// Rows that a load refused, each with its reason; one partition per branch, [`SHARED`] where the branch is unknown.
pub fn rejects_table() -> Table {
    let name = |text: &str| Located { value: text.to_owned(), ..Located::default() };
    let column = |text: &str, data_type, required| Column {
        name: name(text),
        data_type,
        required,
        references: None,
        sensitivity: if text == "raw_line" { Sensitivity::C2 } else { Sensitivity::C1 },
        kind: None,
        overwrite: false,
    };
    Table {
        name: name(REJECTS),
        kind: TableKind::Fact,
        columns: vec![
            column("branch_code", DataType::Text, true),
            column("node", DataType::Text, true),
            column("batch_no", DataType::Integer, true),
            column("file_name", DataType::Text, true),
            column("line_no", DataType::Integer, true),
            column("raw_line", DataType::Text, false),
            column("reason_code", DataType::Text, true),
            column("column_name", DataType::Text, false),
            column("message", DataType::Text, false),
            column("state_code", DataType::Text, true),
        ],
        key: ["node", "batch_no", "file_name", "line_no"].map(name).to_vec(),
        surrogate: None,
        versions: None,
        partition: Partition { branch: Some(name("branch_code")), date: None, period: Period::None },
        sort: Vec::new(),
    }
}

fn file_fields(table: &Table) -> Vec<Field> {
    let branch = table.partition.branch.as_ref().map(|branch| branch.value.as_str());
    let columns = table.columns.iter().filter(|column| Some(column.name.value.as_str()) != branch);
    let surrogate = table.surrogate.iter().map(|surrogate| Field::new(surrogate.value.as_str(), Arrow::Int64, true));
    let columns = columns.map(|column| Field::new(column.name.value.as_str(), arrow_type(column.data_type), true));
    surrogate.chain(columns).collect()
}

/// The Arrow type that holds a declared type.
pub fn arrow_type(data_type: DataType) -> Arrow {
    match data_type {
        DataType::Text => Arrow::Utf8,
        DataType::Integer => Arrow::Int64,
        DataType::Decimal(precision, scale) => Arrow::Decimal128(precision, scale),
        DataType::Date => Arrow::Date32,
        DataType::Timestamp => Arrow::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Boolean => Arrow::Boolean,
        DataType::Float => Arrow::Float64,
        DataType::Bytes => Arrow::Binary,
    }
}
