//! Date maps: which days feed a measure under its time rule.
//!
//! The time conditions of a statement are evaluated on the days that the cube's facts cover, giving a set of days `S`;
//! each output bucket owns its part of `S`. A rule then says which days feed the bucket and with what weight. The map is
//! a small table, one row per day, that the plan joins on the fact's date, so that one mechanism serves every rule and
//! the map can be shown and tested.

mod moved;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Date32Array, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::row::{RowConverter, SortField};
use datafusion::catalog::TableProvider;
use datafusion::common::DFSchema;
use datafusion::datasource::MemTable;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{ColumnarValue, Expr, utils::conjunction};
use jiff::civil::Date;

use super::{CompiledCube, LEAF};
use crate::error::{Code, Error, Result};
use crate::model::cube::{Model, SnapshotDays, Time};
use crate::model::time::{civil as date, days as number};
use crate::warehouse::{Snapshot, Warehouse};

pub(super) use moved::{Feed, Moved, group_column};

/// Alias of the map in plans.
pub(super) const ALIAS: &str = "__days";
/// The map's day column.
pub(super) const DAY: &str = "day";

/// The days that a cube's facts cover at a snapshot.
#[derive(Debug, Clone)]
pub struct Coverage {
    /// First day of the first period with facts, in days since 1970-01-01.
    first: i32,
    /// Last snapshot day on or before the as-of date; the as-of date itself for a cube of events.
    last: i32,
    /// Last day of any fact. Normally the same; later when the newest period is not complete.
    until: i32,
    /// Whether each day from `first` to `until` is a snapshot day; none after `last` is.
    snapshot_days: Vec<bool>,
    rule: Option<SnapshotDays>,
}

/// One requested map: the statement's time conditions and those of a single call.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DayMap {
    pub(super) conditions: Vec<Expr>,
    /// Whether weights are asked for, which needs whole periods.
    pub(super) weighted: bool,
}

/// Date maps, resolved to the covered days.
#[derive(Debug)]
pub(super) struct Maps {
    first: i32,
    pub(super) maps: Vec<Map>,
}

/// One date map; each list has an entry per covered day.
#[derive(Debug)]
pub(super) struct Map {
    /// The day is one of the statement's, and closed.
    pub(super) inside: Vec<bool>,
    /// It is the closing day of its bucket.
    pub(super) close: Vec<bool>,
    /// How many days it stands for.
    pub(super) weights: Vec<i64>,
    /// Calendar days of its bucket; none where the bucket has no day inside.
    pub(super) length: Vec<Option<i64>>,
}

/// A column of the map's table.
pub(super) fn column(name: String) -> Expr {
    Expr::Column(super::qualified(ALIAS, name))
}

/// Columns of map number `n`: the closing day, a day that counts, its weight, days of the bucket.
pub(super) fn close_column(n: usize) -> String {
    format!("close_{n}")
}
pub(super) fn weight_column(n: usize) -> String {
    format!("weight_{n}")
}
pub(super) fn length_column(n: usize) -> String {
    format!("length_{n}")
}

/// What the facts cover: from the log's bounds of the fact's date over the whole bank, so that a branch divides by the
/// same days as head office.
pub(super) async fn coverage(
    model: &Model,
    cube: &CompiledCube,
    time: &Time,
    warehouse: &Warehouse,
    snapshot: &Snapshot,
) -> Result<Option<Coverage>> {
    let table = &cube.fact_table.name;
    if !snapshot.tables.contains_key(table.as_str()) {
        return Ok(None);
    }
    let files = warehouse.files(snapshot, table).await?;
    let key = time.key.as_str();
    let bounds = |map: fn(&crate::warehouse::DataFile) -> &std::collections::BTreeMap<String, i64>| {
        files.files.iter().filter_map(move |file| map(file).get(key).copied()).filter_map(|day| i32::try_from(day).ok())
    };
    let Some(earliest) = bounds(|file| &file.min).min() else { return Ok(None) };
    let first = match cube.cube.fact.snapshot {
        Some(SnapshotDays::MonthEnd) => number(date(earliest).first_of_month()),
        _ => earliest,
    };
    let length = usize::try_from(snapshot.as_of - first + 1).unwrap_or(0);
    let mut snapshot_days = match cube.cube.fact.snapshot {
        Some(SnapshotDays::MonthEnd) => (0..length)
            .map(|offset| date(first + i32::try_from(offset).unwrap_or(0)))
            .map(|day| day == day.last_of_month())
            .collect(),
        Some(SnapshotDays::BusinessDay) => business_days(model, time, warehouse, snapshot, first, length).await?,
        Some(SnapshotDays::EveryDay) | None => vec![true; length],
    };
    while snapshot_days.last() == Some(&false) {
        snapshot_days.pop();
    }
    // Without a closed day yet, no day is inside any date map; rows are there all the same.
    let last = first + i32::try_from(snapshot_days.len()).unwrap_or(i32::MAX) - 1;
    let until = bounds(|file| &file.max).max().unwrap_or(last).max(last);
    snapshot_days.resize(usize::try_from(until - first + 1).unwrap_or(0), false);
    Ok(Some(Coverage { first, last, until, snapshot_days, rule: cube.cube.fact.snapshot }))
}

/// Which days are working days, by the project's calendar.
async fn business_days(
    model: &Model,
    time: &Time,
    warehouse: &Warehouse,
    snapshot: &Snapshot,
    first: i32,
    length: usize,
) -> Result<Vec<bool>> {
    let fault = |what: &str| Error::new(Code::Definition, format!("{}: {what}", time.calendar.place));
    let calendar = model
        .calendars
        .iter()
        .find(|calendar| *calendar.name == *time.calendar)
        .ok_or_else(|| fault("unknown calendar"))?;
    let flag = calendar.business_day.as_ref().ok_or_else(|| fault("the calendar names no `business_day` column"))?;
    let mut days = vec![None; length];
    let columns = BTreeSet::from([calendar.day.value.clone(), flag.value.clone()]);
    for batch in warehouse.read_columns(snapshot, &calendar.table, None, &columns).await? {
        let column = |name: &str, kind: DataType| -> Result<ArrayRef> {
            let array = batch.column_by_name(name).ok_or_else(|| fault("the calendar table lacks a column"))?;
            cast(array, &kind).map_err(|error| Error::internal("cannot read the calendar", error))
        };
        let (day, working) = (column(&calendar.day, DataType::Date32)?, column(flag, DataType::Boolean)?);
        let (Some(day), Some(working)) =
            (day.as_any().downcast_ref::<Date32Array>(), working.as_any().downcast_ref::<BooleanArray>())
        else {
            return Err(fault("the calendar's columns have the wrong types"));
        };
        for (day, working) in day.iter().zip(working) {
            let (Some(day), Some(working)) = (day, working) else { continue };
            if let Some(place) = usize::try_from(day - first).ok().and_then(|offset| days.get_mut(offset)) {
                *place = Some(working);
            }
        }
    }
    days.into_iter().collect::<Option<Vec<bool>>>().ok_or_else(|| fault("the calendar has gaps"))
}

impl Coverage {
    /// The values of expressions over time levels on each covered day.
    pub(super) fn values(
        &self,
        levels: &[(String, &'static str)],
        exprs: &[Expr],
        session: &SessionState,
    ) -> Result<Vec<ArrayRef>> {
        values_between(self.first, self.until, levels, exprs, session)
    }

    /// The date maps of a statement.
    ///
    /// `keys` are the values of the statement's grouping expressions over time levels on each day: they decide the buckets.
    pub(super) fn maps(
        &self,
        levels: &[(String, &'static str)],
        keys: &[ArrayRef],
        maps: &[DayMap],
        session: &SessionState,
    ) -> Result<Maps> {
        let rows = self.days().len();
        let buckets = buckets(keys, rows)?;
        let complete = usize::try_from(self.last - self.first + 1).unwrap_or(0);
        let mut made = Vec::new();
        for map in maps {
            let mut inside = match conjunction(map.conditions.clone()) {
                None => vec![true; rows],
                Some(condition) => truths(&self.values(levels, &[condition], session)?[0])?,
            };
            inside[complete..].fill(false);
            let mut close: HashMap<usize, usize> = HashMap::new();
            let mut length: HashMap<usize, i64> = HashMap::new();
            for row in (0..rows).filter(|row| inside[*row]) {
                *length.entry(buckets[row]).or_default() += 1;
                if self.snapshot_days[row] {
                    close.insert(buckets[row], row);
                }
            }
            made.push(Map {
                weights: match map.weighted {
                    true => self.weights(&inside, &buckets)?,
                    false => (0..rows).map(|row| i64::from(inside[row] && self.snapshot_days[row])).collect(),
                },
                close: (0..rows).map(|row| close.get(&buckets[row]) == Some(&row)).collect(),
                length: (0..rows).map(|row| length.get(&buckets[row]).copied()).collect(),
                inside,
            });
        }
        Ok(Maps { first: self.first, maps: made })
    }

    /// The first day of the period of each covered day.
    pub(super) fn starts(&self, unit: &str) -> Vec<i32> {
        starts(self.first, self.until, unit)
    }

    /// First to last covered day.
    pub(super) fn days(&self) -> std::ops::Range<i32> {
        self.first..self.until + 1
    }

    /// The last snapshot day on or before the as-of date.
    pub(super) fn last(&self) -> i32 {
        self.last
    }

    /// The snapshot days of a project's working calendar between two days: what a stored close depends on besides the facts.
    /// Empty where the rule follows from the date alone.
    pub(super) fn declared_days(&self, from: i32, to: i32) -> Vec<i32> {
        if self.rule != Some(SnapshotDays::BusinessDay) {
            return Vec::new();
        }
        self.days()
            .zip(&self.snapshot_days)
            .filter(|(day, is)| **is && (from..=to).contains(day))
            .map(|d| d.0)
            .collect()
    }

    /// How many days of its bucket each snapshot day stands for; an error where a period would be cut.
    fn weights(&self, inside: &[bool], buckets: &[usize]) -> Result<Vec<i64>> {
        let rows = inside.len();
        let mut weights = vec![0; rows];
        // The snapshot day that stands for each day: itself or the next month end; a working day stands for what follows.
        let mut stands: Vec<Option<usize>> = vec![None; rows];
        match self.rule {
            Some(SnapshotDays::MonthEnd) => {
                let mut next = None;
                for row in (0..rows).rev() {
                    if self.snapshot_days[row] {
                        next = Some(row);
                    }
                    stands[row] = next;
                }
            }
            Some(SnapshotDays::BusinessDay) => {
                let mut last = None;
                for (row, holder) in stands.iter_mut().enumerate() {
                    if self.snapshot_days[row] {
                        last = Some(row);
                    }
                    *holder = last;
                }
            }
            _ => stands = (0..rows).map(Some).collect(),
        }
        for row in 0..rows {
            let Some(holder) = stands[row] else { continue };
            let together = inside[row] == inside[holder] && buckets[row] == buckets[holder];
            if inside[row] || inside[holder] {
                if !together {
                    let (day, holder) = (date(self.first + row as i32), date(self.first + holder as i32));
                    return Err(Error::new(
                        Code::TimeContext,
                        format!(
                            "an average over days needs whole periods: {day} is recorded with {holder}, and the time \
                             range or grouping parts them; choose a range and a level that keep them together"
                        ),
                    ));
                }
                weights[holder] += 1;
            }
        }
        Ok(weights)
    }
}

/// The values of expressions over time levels, named as in the cube, on each day from one to another.
fn values_between(
    first: i32,
    last: i32,
    levels: &[(String, &'static str)],
    exprs: &[Expr],
    session: &SessionState,
) -> Result<Vec<ArrayRef>> {
    if exprs.is_empty() {
        return Ok(Vec::new());
    }
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (name, unit) in levels {
        fields.push(Field::new(name, DataType::Date32, true));
        arrays.push(Arc::new(Date32Array::from(starts(first, last, unit))));
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .map_err(|error| Error::internal("cannot build the calendar of a cube", error))?;
    let schema = DFSchema::try_from_qualified_schema(LEAF, &batch.schema())
        .map_err(|error| Error::internal("cannot build the calendar of a cube", error))?;
    exprs.iter().map(|expr| evaluate(expr, &batch, &schema, session)).collect()
}

/// First day of the period that a day lies in.
pub(super) fn start(day: i32, unit: &str) -> i32 {
    let civil = date(day);
    match unit {
        "day" => day,
        "week" => day - i32::from(civil.weekday().to_monday_zero_offset()),
        "month" => number(civil.first_of_month()),
        "quarter" => Date::new(civil.year(), (civil.month() - 1) / 3 * 3 + 1, 1).map_or(day, number),
        _ => number(civil.first_of_year()),
    }
}

/// The first day of the period of each day from one to another.
fn starts(first: i32, last: i32, unit: &str) -> Vec<i32> {
    let mut starts = Vec::with_capacity(usize::try_from(last - first + 1).unwrap_or(0));
    let mut day = first;
    while day <= last {
        // The shortest period of a kind lies whole within the days that are taken without looking.
        let begins = start(day, unit);
        let sure = match unit {
            "day" => 1,
            "week" => 7,
            "month" => 28,
            "quarter" => 90,
            _ => 365,
        };
        let next = (begins + sure).clamp(day + 1, last + 1);
        starts.extend((day..next).map(|_| begins));
        day = next;
    }
    starts
}

impl Maps {
    /// The maps as one table: a row per covered day, four columns per map.
    pub(super) fn table(&self) -> Result<Arc<dyn TableProvider>> {
        let rows = self.maps.first().map_or(0, |map| map.inside.len());
        let days = (self.first..).take(rows);
        let mut fields = vec![Field::new(DAY, DataType::Date32, false)];
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(days.map(Some).collect::<Date32Array>())];
        for (n, map) in self.maps.iter().enumerate() {
            fields.push(Field::new(close_column(n), DataType::Boolean, false));
            fields.push(Field::new(weight_column(n), DataType::Int64, false));
            fields.push(Field::new(length_column(n), DataType::Int64, true));
            arrays.push(Arc::new(BooleanArray::from(map.close.clone())));
            arrays.push(Arc::new(Int64Array::from(map.weights.clone())));
            arrays.push(Arc::new(Int64Array::from(map.length.clone())));
        }
        memory(fields, arrays)
    }
}

/// A small table held in memory.
pub(super) fn memory(fields: Vec<Field>, arrays: Vec<ArrayRef>) -> Result<Arc<dyn TableProvider>> {
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .map_err(|error| Error::internal("cannot build a date map", error))?;
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]])
        .map_err(|error| Error::internal("cannot build a date map", error))?;
    Ok(Arc::new(table))
}

fn evaluate(expr: &Expr, batch: &RecordBatch, schema: &DFSchema, session: &SessionState) -> Result<ArrayRef> {
    let fault = |error: datafusion::error::DataFusionError| {
        Error::new(Code::TimeContext, format!("the time condition cannot be used: {}", error.strip_backtrace()))
    };
    let physical = session.create_physical_expr(expr.clone(), schema).map_err(fault)?;
    match physical.evaluate(batch).map_err(fault)? {
        ColumnarValue::Array(array) => Ok(array),
        ColumnarValue::Scalar(value) => value.to_array_of_size(batch.num_rows()).map_err(fault),
    }
}

pub(super) fn truths(array: &ArrayRef) -> Result<Vec<bool>> {
    let array = cast(array, &DataType::Boolean)
        .map_err(|error| Error::new(Code::TimeContext, "the time condition does not say yes or no").caused_by(error))?;
    let array = array.as_any().downcast_ref::<BooleanArray>().expect("just cast");
    Ok(array.iter().map(|value| value == Some(true)).collect())
}

/// A number for each distinct combination of key values.
pub(super) fn buckets(keys: &[ArrayRef], rows: usize) -> Result<Vec<usize>> {
    if keys.is_empty() {
        return Ok(vec![0; rows]);
    }
    let fault = |error| Error::internal("cannot group days", error);
    let fields = keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(fault)?;
    let converted = converter.convert_columns(keys).map_err(fault)?;
    let mut known = HashMap::new();
    Ok(converted
        .iter()
        .map(|row| {
            let next = known.len();
            *known.entry(row.owned()).or_insert(next)
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_those_of_each_day() {
        for unit in ["day", "week", "month", "quarter", "year"] {
            for first in [-400, 0, 20_450, 20_500] {
                let each: Vec<i32> = (first..=first + 800).map(|day| start(day, unit)).collect();
                assert_eq!(starts(first, first + 800, unit), each, "{unit} from {first}");
            }
            assert_eq!(starts(7, 6, unit), [0; 0]);
        }
    }
}
