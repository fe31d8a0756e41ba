//! Statements that measure: run through the door, their rows read as figures of organisations.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Date32Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Field, Float64Type, Schema};
use jiff::ToSpan;
use jiff::civil::Date;

use super::record::HEAD_OFFICE;
use super::table::days;
use crate::auth::Principal;
use crate::error::{Code, Error, Result};
use crate::model::Located;
use crate::query::{Door, Face, Statement};

/// Most rows of a measuring statement: organisations times months.
const MOST: u64 = 100_000;

/// A measured figure: numerator, and denominator where it is a ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    pub numerator: f64,
    pub denominator: Option<f64>,
}

impl Measured {
    /// The figure; none where the denominator is 0.
    pub(super) fn value(self) -> Option<f64> {
        match self.denominator {
            None => Some(self.numerator),
            Some(0.0) => None,
            Some(denominator) => Some(self.numerator / denominator),
        }
        .filter(|value| value.is_finite())
    }
}

/// What a statement gave.
#[derive(Debug)]
pub(super) struct Values {
    /// By organisation, and by period where the statement has one. Head office is among them.
    pub figures: BTreeMap<(String, Option<Date>), Measured>,
    pub snapshot_id: i64,
    pub query_id: String,
}

impl Values {
    /// The figure of an organisation.
    pub(super) fn value(&self, organisation: &str, period: Option<Date>) -> Option<f64> {
        self.figures.get(&(organisation.to_owned(), period)).and_then(|found| found.value())
    }
}

/// Runs a measuring statement for somebody: what reports would show them, in the schema where their names begin.
pub(super) async fn run(
    door: &Door,
    principal: &Principal,
    text: &Located<String>,
    parameters: &[(&str, Date)],
) -> Result<Values> {
    let named: Vec<&(&str, Date)> = parameters.iter().filter(|(name, _)| text.contains(&format!("${name}"))).collect();
    let fields: Vec<Field> = named.iter().map(|(name, _)| Field::new(*name, DataType::Date32, false)).collect();
    let columns = named.iter().map(|(_, day)| Arc::new(Date32Array::from(vec![days(*day)])) as ArrayRef);
    let bound = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.collect());
    let bound = bound.map_err(|error| Error::internal("cannot bind the days of a measuring statement", error))?;
    let reader = Principal { roles: std::iter::once("reader".to_owned()).collect(), ..principal.clone() };
    let statement =
        Statement { parameters: (!named.is_empty()).then_some(bound), ..Statement::new(text.value.clone()) };
    let told = |error: Error| {
        let place = &text.place;
        let message = format!("{}:{}:{}: {}", place.file, place.line, place.column, error.message());
        Error::new(error.code(), message).caused_by(error)
    };
    let collected = door.collect(&reader, Face::Report, statement, MOST).await.map_err(told)?;
    let mut figures = BTreeMap::new();
    for batch in &collected.batches {
        read(batch, &mut figures).map_err(told)?;
    }
    sum_up(&mut figures);
    Ok(Values { figures, snapshot_id: collected.snapshot_id, query_id: collected.query_id })
}

fn read(batch: &RecordBatch, figures: &mut BTreeMap<(String, Option<Date>), Measured>) -> Result<()> {
    let column = |name: &str, kind: &DataType| -> Result<Option<ArrayRef>> {
        let Some(column) = batch.column_by_name(name) else { return Ok(None) };
        let wrong = |error| Error::new(Code::Definition, format!("column `{name}` is no {kind}")).caused_by(error);
        cast(column, kind).map(Some).map_err(wrong)
    };
    let needed = |name: &str| Error::new(Code::Definition, format!("the statement gives no column `{name}`"));
    let organisations = column("organisation", &DataType::Utf8)?.ok_or_else(|| needed("organisation"))?;
    let numerators = column("numerator", &DataType::Float64)?.ok_or_else(|| needed("numerator"))?;
    let (denominators, periods) = (column("denominator", &DataType::Float64)?, column("period", &DataType::Date32)?);
    let float = |column: &ArrayRef, row: usize| {
        let column = column.as_primitive::<Float64Type>();
        (!arrow::array::Array::is_null(column, row)).then(|| column.value(row))
    };
    for row in 0..batch.num_rows() {
        let names = organisations.as_string::<i32>();
        let Some(numerator) = float(&numerators, row) else { continue };
        let denominator = match &denominators {
            Some(column) => match float(column, row) {
                Some(found) => Some(found),
                None => continue, // a ratio without its denominator is no figure
            },
            None => None,
        };
        let period = periods.as_ref().and_then(|column| {
            let column = column.as_primitive::<Date32Type>();
            let day = (!arrow::array::Array::is_null(column, row)).then(|| column.value(row))?;
            let epoch = jiff::civil::date(1970, 1, 1);
            epoch.checked_add(day.days()).ok().map(|day| day.first_of_month())
        });
        if periods.is_some() && period.is_none() {
            continue;
        }
        let key = (names.value(row).to_owned(), period);
        if figures.insert(key.clone(), Measured { numerator, denominator }).is_some() {
            let text = format!("the statement gives `{}` twice for one period", key.0);
            return Err(Error::new(Code::Definition, text));
        }
    }
    Ok(())
}

/// Head office is the sum over the branches where the statement does not give it.
fn sum_up(figures: &mut BTreeMap<(String, Option<Date>), Measured>) {
    let mut sums: BTreeMap<Option<Date>, Measured> = BTreeMap::new();
    for ((organisation, period), found) in figures.iter() {
        if organisation == HEAD_OFFICE {
            continue;
        }
        let sum =
            sums.entry(*period).or_insert(Measured { numerator: 0.0, denominator: found.denominator.map(|_| 0.0) });
        sum.numerator += found.numerator;
        sum.denominator = sum.denominator.zip(found.denominator).map(|(sum, one)| sum + one);
    }
    for (period, sum) in sums {
        figures.entry((HEAD_OFFICE.to_owned(), period)).or_insert(sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_office_is_numerators_over_denominators_not_a_mean_of_ratios() {
        let ratio = |numerator, denominator| Measured { numerator, denominator: Some(denominator) };
        let mut figures = BTreeMap::from([
            (("north".to_owned(), None), ratio(9.0, 10.0)),
            (("south".to_owned(), None), ratio(10.0, 90.0)),
        ]);
        sum_up(&mut figures);
        assert_eq!(figures[&(HEAD_OFFICE.to_owned(), None)].value(), Some(0.19));
        // What the statement gives itself stands: a distinct count is no sum.
        let given = Measured { numerator: 12.0, denominator: None };
        figures.insert((HEAD_OFFICE.to_owned(), None), given);
        sum_up(&mut figures);
        assert_eq!(figures[&(HEAD_OFFICE.to_owned(), None)], given);
        assert_eq!(ratio(1.0, 0.0).value(), None);
    }
}
