//! Parameters of statements: which ones a plan names, of which types, and how values take their places.
//!
//! A value is taken as it is or refused. Rounded to the digits of a column, or cut to its precision, it would ask another
//! question than its sender did, and nobody would be told.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{ParamValues, ScalarValue, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::{gate, wire};
use crate::error::{Code, Error, Result};

/// Why a value is not taken.
#[derive(Debug)]
pub enum Misfit {
    /// It is none of the type.
    Wrong(ArrowError),
    /// The type would round or cut it.
    Inexact,
}

impl Misfit {
    /// The refusal of a parameter, named without its sign, whose type has the name `kind`. It holds no value.
    pub fn error(self, parameter: &str, kind: &str) -> Error {
        match self {
            Self::Wrong(fault) => {
                Error::new(Code::BadRequest, format!("A value of the parameter `${parameter}` is not a {kind}"))
                    .caused_by(fault)
            }
            Self::Inexact => Error::new(
                Code::BadRequest,
                format!(
                    "A value of the parameter `${parameter}` would be rounded or cut to be a {kind}; \
                     where it is meant, write `CAST(${parameter} AS …)` with a type that holds it"
                ),
            ),
        }
    }
}

/// Values in another type, each the same value. A float stands for the shortest decimal that is read back as it, so that
/// `0.1` fits a decimal column; a text is read as the number, day or time that it writes.
///
/// Errors: a value that is none of the type, or that the type would round or cut.
pub fn exact(values: &ArrayRef, to: &DataType) -> Result<ArrayRef, Misfit> {
    match (values.data_type(), to) {
        (from, to) if from == to => Ok(Arc::clone(values)),
        (DataType::Dictionary(_, plain), _) => exact(&cast(values, plain)?, to),
        (_, DataType::Dictionary(_, plain)) => cast(&exact(values, plain)?, to),
        // Only nulls; and whatever a value is, it can be written as a text.
        _ if values.logical_null_count() == values.len() => cast(values, to),
        (_, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => cast(values, to),
        (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, _) => read(&cast(values, &DataType::Utf8)?, to),
        (DataType::Float16 | DataType::Float32 | DataType::Float64, _) if to.is_decimal() => {
            read(&shortest(values)?, to)
        }
        // The unit is what can cut; a zone only says how a moment is shown.
        (DataType::Timestamp(_, zone), DataType::Timestamp(unit, _)) => {
            cast(&there_and_back(values, &DataType::Timestamp(*unit, zone.clone()))?, to)
        }
        _ => there_and_back(values, to),
    }
}

fn cast(values: &ArrayRef, to: &DataType) -> Result<ArrayRef, Misfit> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(values, to, &strict).map_err(Misfit::Wrong)
}

/// What is the same again in its first type has lost nothing on the way.
fn there_and_back(values: &ArrayRef, to: &DataType) -> Result<ArrayRef, Misfit> {
    let there = cast(values, to)?;
    match cast(&there, values.data_type()) {
        Ok(back) if same(values, &back) => Ok(there),
        _ => Err(Misfit::Inexact),
    }
}

/// Whether two columns of one type hold the same values: zero is zero, whatever its sign.
fn same(one: &ArrayRef, other: &ArrayRef) -> bool {
    let floats = one.as_primitive_opt::<Float64Type>().zip(other.as_primitive_opt::<Float64Type>());
    one == other || floats.is_some_and(|(one, other)| one.iter().eq(other.iter()))
}

/// Floats as the shortest decimals that are read back as them.
fn shortest(floats: &ArrayRef) -> Result<ArrayRef, Misfit> {
    let texts: StringArray = match floats.as_primitive_opt::<Float64Type>() {
        Some(floats) => floats.iter().map(|float| float.map(|float| float.to_string())).collect(),
        None => {
            let floats = cast(floats, &DataType::Float32)?;
            floats.as_primitive::<Float32Type>().iter().map(|float| float.map(|float| float.to_string())).collect()
        }
    };
    Ok(Arc::new(texts))
}

/// Texts as what they write. Casting rounds numbers, cuts fractions of seconds and takes a time for its day, so what does
/// not fit is looked for in the text.
fn read(texts: &ArrayRef, to: &DataType) -> Result<ArrayRef, Misfit> {
    let strings = texts.as_string::<i32>();
    let fractions = |texts: &StringArray, most: usize| match texts.iter().flatten().all(|text| fraction(text) <= most) {
        true => Ok(()),
        false => Err(Misfit::Inexact),
    };
    match to {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => {
            let plain: StringArray = strings.iter().map(|text| text.map(written_out)).collect();
            let taken = cast(&(Arc::new(plain.clone()) as ArrayRef), to)?;
            fractions(&plain, usize::try_from(*scale).unwrap_or(0)).map(|()| taken)
        }
        DataType::Timestamp(unit, _) | DataType::Time32(unit) | DataType::Time64(unit) => {
            let taken = cast(texts, to)?;
            fractions(strings, digits(*unit)).map(|()| taken)
        }
        DataType::Date32 | DataType::Date64 => {
            let timed = |text: &&str| text.len() > 10 && !text.starts_with(['+', '-']);
            let times: StringArray = strings.iter().map(|text| text.filter(timed)).collect();
            let moment = DataType::Timestamp(TimeUnit::Microsecond, None);
            there_and_back(&read(&(Arc::new(times) as ArrayRef), &moment)?, to)?;
            cast(texts, to)
        }
        _ => cast(texts, to),
    }
}

/// Digits that a unit of time has after the second.
fn digits(unit: TimeUnit) -> usize {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// Digits after the point of a number or a time, without the zeros at their end.
fn fraction(text: &str) -> usize {
    let after = text.rsplit_once('.').map_or("", |(_, after)| after);
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after[..end].trim_end_matches('0').len()
}

/// A number with its exponent written out, as `0.0150` for `1.50e-2`; any other text as it is.
fn written_out(text: &str) -> String {
    /// Beyond every decimal.
    const FAR: usize = 100;
    let moved = || {
        let (number, exponent) = text.trim().split_once(['e', 'E'])?;
        let exponent: isize = exponent.parse().ok()?;
        let (sign, number) = match number.strip_prefix('-') {
            Some(number) => ("-", number),
            None => ("", number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{part}");
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) || exponent.unsigned_abs() > FAR {
            return None;
        }
        let zeros = "0".repeat(FAR);
        let padded = format!("{zeros}{digits}{zeros}");
        let (whole, part) = padded.split_at_checked((FAR + whole.len()).checked_add_signed(exponent)?)?;
        Some(format!("{sign}0{}.{}", whole.trim_start_matches('0'), part.trim_end_matches('0')))
    };
    moved().unwrap_or_else(|| text.to_owned())
}

/// A row of parameters as JSON, values as text.
pub(super) fn as_text(row: &RecordBatch) -> String {
    let options = FormatOptions::default().with_null("");
    let schema = row.schema();
    let values = schema.fields().iter().zip(row.columns()).map(|(field, column)| {
        let given = !column.is_empty() && column.is_valid(0);
        let text = ArrayFormatter::try_new(column, &options).ok().filter(|_| given);
        (field.name().clone(), text.map(|text| text.value(0).to_string()).into())
    });
    serde_json::Value::Object(values.collect()).to_string()
}

/// The parameters of a plan, by their names without the sign, in the types that the planner works with; none where it cannot
/// tell.
fn types(plan: &LogicalPlan) -> Result<BTreeMap<String, Option<DataType>>> {
    let mut types: BTreeMap<String, Option<DataType>> = BTreeMap::new();
    let found = plan.apply_with_subqueries(|node| {
        // The planner does not say that a limit is a number.
        let limit = matches!(node, LogicalPlan::Limit(_)).then_some(DataType::Int64);
        node.apply_expressions(|expression| {
            expression.apply(|expression| {
                let Expr::Placeholder(parameter) = expression else { return Ok(TreeNodeRecursion::Continue) };
                let name = parameter.id.trim_start_matches('$');
                let here = parameter.field.as_ref().map(|field| field.data_type().clone()).or_else(|| limit.clone());
                // Two columns of one type may be described differently: only their type counts.
                match (types.get(name).cloned().flatten(), here) {
                    (Some(before), Some(here)) if before != here => {
                        return plan_err!("the parameter `{name}` is used as {before} and as {here}; cast one of them");
                    }
                    (before, here) => types.insert(name.to_owned(), before.or(here)),
                };
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    found.map_err(gate::planning_error)?;
    Ok(types)
}

/// The parameters of a plan as they are announced: `$1`, `$2` in order, or names without the sign. Unknown types are text.
pub(super) fn schema(plan: &LogicalPlan) -> Result<SchemaRef> {
    let mut fields: Vec<(Option<u32>, Field)> = types(plan)?
        .into_iter()
        .map(|(name, kind)| {
            let kind = match kind {
                None | Some(DataType::Null) => DataType::Utf8,
                Some(kind) => wire::plain(&kind),
            };
            (name.parse().ok(), Field::new(name, kind, true))
        })
        .collect();
    fields.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.name().cmp(b.1.name())));
    Ok(Arc::new(Schema::new(fields.into_iter().map(|(_, field)| field).collect::<Vec<_>>())))
}

/// The plan with one row of values in the places of its parameters.
///
/// Errors: `BAD_REQUEST` when a value is missing, or does not fit its place exactly.
pub(super) fn bind(plan: &LogicalPlan, values: &RecordBatch) -> Result<LogicalPlan> {
    if values.num_rows() != 1 {
        return Err(Error::new(Code::BadRequest, "parameters are one row"));
    }
    let (wanted, types) = (schema(plan)?, types(plan)?);
    // The planner's own type, which may be finer than the announced one; what it cannot tell has the value's.
    let kind = |name: &str| types.get(name).cloned().flatten().filter(|kind| *kind != DataType::Null);
    let positional = wanted.fields().iter().all(|field| field.name().parse::<u32>().is_ok());
    let scalar = |name: &str, array: &ArrayRef, kind: Option<DataType>| -> Result<ScalarValue> {
        // A text parameter for a date column arrives as text from many clients; the planner's type wins.
        let kind = kind.unwrap_or_else(|| array.data_type().clone());
        let value = exact(array, &kind).map_err(|misfit| misfit.error(name, &kind.to_string()))?;
        ScalarValue::try_from_array(&value, 0).map_err(|error| Error::internal("cannot read a parameter", error))
    };
    let bound = if positional {
        let highest = wanted.fields().iter().filter_map(|field| field.name().parse::<usize>().ok()).max().unwrap_or(0);
        if values.num_columns() < highest {
            let given = values.num_columns();
            return Err(Error::new(Code::BadRequest, format!("the statement needs {highest} parameters, not {given}")));
        }
        let values = values
            .columns()
            .iter()
            .enumerate()
            .map(|(index, array)| {
                let name = (index + 1).to_string();
                Ok(scalar(&name, array, kind(&name))?.into())
            })
            .collect::<Result<Vec<_>>>()?;
        ParamValues::List(values)
    } else {
        let mut named = HashMap::new();
        for field in wanted.fields() {
            let name = field.name();
            let array = values
                .column_by_name(name)
                .ok_or_else(|| Error::new(Code::BadRequest, format!("the statement needs a value for `{name}`")))?;
            let kind = kind(name).filter(|kind| *kind != DataType::Utf8);
            named.insert(name.clone(), scalar(name, array, kind)?.into());
        }
        ParamValues::Map(named)
    };
    plan.clone()
        .replace_params_with_values(&bound)
        .map_err(|error| Error::new(Code::BadRequest, error.strip_backtrace()))
}

/// The plan with a null in the place of each parameter: what it gives has the types of the statement.
pub(super) fn bind_nulls(plan: &LogicalPlan, parameters: &Schema) -> Result<LogicalPlan> {
    let nulls: Vec<ArrayRef> =
        parameters.fields().iter().map(|field| arrow::array::new_null_array(field.data_type(), 1)).collect();
    let row = RecordBatch::try_new(Arc::new(parameters.clone()), nulls)
        .map_err(|error| Error::internal("cannot prepare parameters", error))?;
    bind(plan, &row)
}

#[cfg(test)]
mod tests;
