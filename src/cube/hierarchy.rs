//! Ragged hierarchies: a parent column to one column per level.
//!
//! A missing level repeats its nearest ancestor, so every level sums to the total. Organisation tables are small, so the
//! paths are walked once per snapshot and the result is held in memory.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::error::{Code, Error, Result};
use crate::model::cube::{Dimension, HierarchyKind};

/// The computed column of a ragged level in the flattened table. The prefix keeps it apart from the table's own columns.
pub(super) fn column(level: &str) -> String {
    format!("__level_{level}")
}

/// The dimension's rows with one text column per ragged level appended.
pub(super) fn flatten(dimension: &Dimension, batches: Vec<RecordBatch>) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let Some(first) = batches.first() else {
        return Err(Error::new(Code::NoSnapshot, format!("dimension table `{}` is empty", *dimension.table)));
    };
    let mut batch =
        concat_batches(&first.schema(), &batches).map_err(|error| Error::internal("cannot read a dimension", error))?;
    for hierarchy in &dimension.hierarchies {
        let HierarchyKind::Ragged { parent, level_of, member } = &hierarchy.kind else { continue };
        let durable = dimension.durable.as_ref().unwrap_or(&dimension.key);
        let keys = text(&batch, durable)?;
        let parents = text(&batch, parent)?;
        let stands_on = text(&batch, level_of)?;
        let names = text(&batch, member)?;
        let rows: HashMap<&str, usize> =
            (0..batch.num_rows()).filter(|row| !keys.is_null(*row)).map(|row| (keys.value(row), row)).collect();

        let mut columns: Vec<Vec<Option<String>>> = vec![Vec::with_capacity(batch.num_rows()); hierarchy.levels.len()];
        for row in 0..batch.num_rows() {
            let path = path(&rows, &parents, row).ok_or_else(|| {
                let unit = keys.value(row);
                Error::new(Code::Definition, format!("`{unit}` in `{}` is its own ancestor", *dimension.table))
            })?;
            let mut current: Option<String> = None;
            for (level, column) in hierarchy.levels.iter().zip(&mut columns) {
                let here = path.iter().find(|row| {
                    let code = stands_on.value(**row);
                    if level.members.is_empty() { *level.name == code } else { level.members.iter().any(|m| m == code) }
                });
                let fallback = || path.first().map(|top| names.value(*top).to_owned());
                current = here.map(|row| names.value(*row).to_owned()).or_else(|| current.take()).or_else(fallback);
                column.push(current.clone());
            }
        }
        let mut fields = batch.schema().fields().to_vec();
        let mut arrays = batch.columns().to_vec();
        for (level, values) in hierarchy.levels.iter().zip(columns) {
            fields.push(Arc::new(Field::new(column(&level.name), DataType::Utf8, true)));
            arrays.push(Arc::new(StringArray::from(values)) as ArrayRef);
        }
        batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
            .map_err(|error| Error::internal("cannot flatten a dimension", error))?;
    }
    Ok((batch.schema(), vec![batch]))
}

/// Rows from the root down to `row`; `None` when the parents form a cycle.
fn path(rows: &HashMap<&str, usize>, parents: &StringArray, row: usize) -> Option<Vec<usize>> {
    let mut path = vec![row];
    let mut at = row;
    while !parents.is_null(at) {
        let Some(up) = rows.get(parents.value(at)) else { break };
        if path.contains(up) {
            return None;
        }
        path.push(*up);
        at = *up;
    }
    path.reverse();
    Some(path)
}

fn text(batch: &RecordBatch, column: &str) -> Result<StringArray> {
    let array = batch
        .column_by_name(column)
        .ok_or_else(|| Error::new(Code::Internal, format!("column `{column}` was checked and is missing")))?;
    let array = cast(array, &DataType::Utf8).map_err(|error| Error::internal("cannot read a dimension", error))?;
    array
        .as_any()
        .downcast_ref::<StringArray>()
        .cloned()
        .ok_or_else(|| Error::new(Code::Internal, "a cast to text gave something else"))
}
