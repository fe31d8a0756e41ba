//! The members of a dimension as they stand for a day: versions, and ragged hierarchies.
//!
//! Facts hold the key of the version of their own day. As the members were, a key means that version; as they are on a
//! day, each key of a member means the version of that day. A ragged hierarchy is a parent column, made into one column
//! per level here; a missing level repeats its nearest ancestor, so every level sums to the total. A row's ancestors are
//! taken as of the same day as the row.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, concat_batches, take};
use arrow::datatypes::{DataType, Date32Type, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::catalog::view::ViewTable;
use datafusion::common::{NullEquality, Result as PlanResult};
use datafusion::logical_expr::{Expr, JoinType, lit};

use super::{qualified, relation};
use crate::error::{Code, Error, Result};
use crate::model::cube::{Dimension, HierarchyKind};
use crate::model::table::{BEGIN, END, Table, Versions};

/// The computed column of a ragged level in the flattened table. The prefix keeps it apart from the table's own columns.
pub(super) fn column(level: &str) -> String {
    format!("__level_{level}")
}

/// The dimension's rows, each as the member was on `day` (as it was in the row's own version without a day), with one text
/// column per ragged level appended.
pub(super) fn members(
    dimension: &Dimension,
    table: &Table,
    batches: &[RecordBatch],
    day: Option<i32>,
) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let Some(first) = batches.first() else {
        return Err(Error::new(Code::NoSnapshot, format!("dimension table `{}` is empty", *dimension.table)));
    };
    let rows = concat_batches(&first.schema(), batches).map_err(unreadable)?;
    let standing = Standing::of(table, &rows, day)?;
    let mut fields = rows.schema().fields().to_vec();
    let mut arrays = match &standing.rows {
        None => rows.columns().to_vec(),
        Some(stand) => {
            let stand: UInt32Array = stand.iter().map(|row| *row as u32).collect();
            let columns = rows.columns().iter().zip(&fields);
            let taken = columns.map(|(column, field)| match field.name() == &*dimension.key {
                true => Ok(Arc::clone(column)),
                false => take(column, &stand, None),
            });
            taken.collect::<std::result::Result<_, _>>().map_err(unreadable)?
        }
    };
    for hierarchy in &dimension.hierarchies {
        let HierarchyKind::Ragged { parent, level_of, member } = &hierarchy.kind else { continue };
        let durable = text(&rows, dimension.durable.as_ref().unwrap_or(&dimension.key))?;
        let tree = Tree::of(&standing, &durable, text(&rows, parent)?);
        let stands_on = text(&rows, level_of)?;
        let names = text(&rows, member)?;
        let mut columns: Vec<Vec<Option<String>>> = vec![Vec::with_capacity(rows.num_rows()); hierarchy.levels.len()];
        for row in 0..rows.num_rows() {
            let path = tree.path(&standing, row).ok_or_else(|| {
                let unit = durable.value(row);
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
        for (level, values) in hierarchy.levels.iter().zip(columns) {
            fields.push(Arc::new(Field::new(column(&level.name), DataType::Utf8, true)));
            arrays.push(Arc::new(StringArray::from(values)) as ArrayRef);
        }
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(unreadable)?;
    Ok((batch.schema(), vec![batch]))
}

/// A dimension's versions as one table in which each key means the member's version of a day: the same as [`members`], for
/// a dimension without ragged hierarchies, and not held in memory.
pub(super) fn view(
    table: &Table,
    versions: &Versions,
    provider: Arc<dyn TableProvider>,
    day: i32,
) -> PlanResult<Arc<dyn TableProvider>> {
    const ANY: &str = "__version";
    const HELD: &str = "__held";
    let column = |of: &str, name: &str| Expr::Column(qualified(of, name));
    let surrogate = table.surrogate.as_ref().map(|name| name.value.as_str()).unwrap_or_default();
    let schema = provider.schema();
    // Before the first version its first one holds. A row from before the table kept versions has no days.
    let date = lit(datafusion::common::ScalarValue::Date32(Some(day.clamp(BEGIN, END - 1))));
    let (from, to) = (column(HELD, &versions.from), column(HELD, &versions.to));
    let own = own_key(table);
    let own = own.iter().copied();
    let any = own.clone().chain([surrogate]).map(|name| column(ANY, name));
    let any = relation(ANY, Arc::clone(&provider))?.project(any)?;
    let held = relation(HELD, provider)?
        .filter(from.clone().is_null().or(from.lt_eq(date.clone())).and(to.clone().is_null().or(to.gt(date))))?
        .build()?;
    let on = |of: &str| own.clone().map(|key| qualified(of, key)).collect::<Vec<_>>();
    let outputs = schema.fields().iter().map(|field| match field.name() == surrogate {
        true => column(ANY, surrogate).alias(surrogate),
        false => column(HELD, field.name()).alias(field.name()),
    });
    // The unknown member may have null for a key.
    let both = any.join_detailed(held, JoinType::Inner, (on(ANY), on(HELD)), None, NullEquality::NullEqualsNull)?;
    let plan = both.project(outputs.collect::<Vec<_>>())?.build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// What a member is known by: its key, within its branch where members are kept apart.
fn own_key(table: &Table) -> Vec<&str> {
    let key = table.natural_key().chain(&table.partition.branch);
    key.map(|column| column.value.as_str()).collect()
}

/// Which row stands for a row.
struct Standing {
    /// None when each stands for itself.
    rows: Option<Vec<usize>>,
    /// The day on which members are looked at; none when each is in its own version.
    day: Option<i32>,
    /// First day of each row; none without versions.
    from: Option<Vec<i32>>,
}

impl Standing {
    fn of(table: &Table, rows: &RecordBatch, day: Option<i32>) -> Result<Self> {
        let Some(versions) = &table.versions else { return Ok(Self { rows: None, day: None, from: None }) };
        let from = rows.column_by_name(&versions.from).and_then(|column| column.as_primitive_opt::<Date32Type>());
        let from = from.ok_or_else(|| unreadable(format!("`{}` holds no dates", *versions.from)))?;
        // A row from before the table kept versions is a first one.
        let from: Vec<i32> = from.iter().map(|day| day.unwrap_or(i32::MIN)).collect();
        let Some(day) = day else { return Ok(Self { rows: None, day: None, from: Some(from) }) };
        let keys = own_key(table).into_iter().map(|key| text(rows, key)).collect::<Result<Vec<_>>>()?;
        let key = |row: usize| keys.iter().map(|key| key.value(row)).collect::<Vec<_>>();
        let mut held: HashMap<Vec<&str>, usize> = HashMap::new();
        for row in 0..rows.num_rows() {
            held.entry(key(row)).and_modify(|best| *best = later(&from, *best, row, day)).or_insert(row);
        }
        Ok(Self {
            rows: Some((0..rows.num_rows()).map(|row| held[&key(row)]).collect()),
            day: Some(day),
            from: Some(from),
        })
    }
}

/// Of two versions the one that holds on a day; of two that hold later the earlier.
fn later(from: &[i32], a: usize, b: usize, day: i32) -> usize {
    match (from[a] <= day, from[b] <= day) {
        (true, true) if from[b] > from[a] => b,
        (false, true) => b,
        (false, false) if from[b] < from[a] => b,
        _ => a,
    }
}

/// A parent column.
struct Tree<'a> {
    rows: HashMap<&'a str, Vec<usize>>,
    parents: StringArray,
}

impl<'a> Tree<'a> {
    fn of(standing: &Standing, durable: &'a StringArray, parents: StringArray) -> Self {
        let mut rows: HashMap<&str, Vec<usize>> = HashMap::new();
        for row in (0..durable.len()).filter(|row| !durable.is_null(*row)) {
            let known = rows.entry(durable.value(row)).or_default();
            // Without versions there is one row for a key.
            if standing.from.is_none() {
                known.clear();
            }
            known.push(row);
        }
        Self { rows, parents }
    }

    /// Rows from the root down to the one that stands for `row`; `None` when the parents form a cycle.
    fn path(&self, standing: &Standing, row: usize) -> Option<Vec<usize>> {
        let day = standing.day.or_else(|| standing.from.as_ref().map(|from| from[row]));
        let mut at = standing.rows.as_ref().map_or(row, |stand| stand[row]);
        let mut path = vec![at];
        while !self.parents.is_null(at) {
            let Some(versions) = self.rows.get(self.parents.value(at)) else { break };
            let up = versions.iter().copied().reduce(|a, b| match (&standing.from, day) {
                (Some(from), Some(day)) => later(from, a, b, day),
                _ => b,
            })?;
            if path.contains(&up) {
                return None;
            }
            path.push(up);
            at = up;
        }
        path.reverse();
        Some(path)
    }
}

fn text(batch: &RecordBatch, column: &str) -> Result<StringArray> {
    let array = batch
        .column_by_name(column)
        .ok_or_else(|| Error::new(Code::Internal, format!("column `{column}` was checked and is missing")))?;
    let array = cast(array, &DataType::Utf8).map_err(unreadable)?;
    array
        .as_any()
        .downcast_ref::<StringArray>()
        .cloned()
        .ok_or_else(|| Error::new(Code::Internal, "a cast to text gave something else"))
}

fn unreadable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal("cannot read a dimension", error)
}
