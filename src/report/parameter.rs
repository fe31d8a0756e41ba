//! Parameters of a run: what the URL says becomes typed values, and those become placeholders of the datasets' SQL.
//!
//! A value is bound, never pasted into SQL. An unknown name or a bad value is an error that names it and what is allowed.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};

use super::calendar::{self, Period};
use super::value::{Number, Value};
use crate::error::{Code, Error, Result};
use crate::model::report::{FUNCTIONS, Parameter, Report};

/// Names in a report's URL that belong to every report and are never parameters of one. `as_of` is both.
pub const RESERVED: [&str; 7] = ["scope", "lang", "theme", "unit", "format", "snapshot", "page"];

/// The largest number of months that `months_before` goes back: a century.
const MONTHS_BACK_MAX: i64 = 1200;

/// A parameter with its value.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Its name, as in `$name`.
    pub name: String,
    /// Its value; never `Null`.
    pub value: Value,
}

impl Resolved {
    /// The value as it stands in a URL.
    pub fn text(&self) -> String {
        self.value.plain()
    }
}

/// Gives every parameter of the report its value: what was given, else the default. `newest` is the business date of the
/// pinned snapshot: `latest`, and the upper limit of `as_of`.
pub fn resolve(report: &Report, given: &BTreeMap<String, Vec<String>>, newest: i32) -> Result<Vec<Resolved>> {
    let known = |name: &str| report.parameters.iter().any(|parameter| *parameter.name == name);
    if let Some(name) = given.keys().find(|name| !known(name) && !RESERVED.contains(&name.as_str())) {
        let names: Vec<_> = report.parameters.iter().map(|parameter| format!("`{}`", *parameter.name)).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(bad(format!("report `{}` has no parameter `{name}`; its parameters are: {names}", *report.name)));
    }
    // The as-of date first, wherever it is declared: other defaults are counted from it.
    let mut order: Vec<&Parameter> = report.parameters.iter().collect();
    order.sort_by_key(|parameter| *parameter.kind != "as_of_date");
    let mut resolved: Vec<Resolved> = Vec::with_capacity(order.len());
    for parameter in order {
        let value = one(parameter, given, newest, &resolved)?;
        resolved.push(Resolved { name: parameter.name.value.clone(), value });
    }
    Ok(resolved)
}

fn one(
    parameter: &Parameter,
    given: &BTreeMap<String, Vec<String>>,
    newest: i32,
    resolved: &[Resolved],
) -> Result<Value> {
    let name = parameter.name.as_str();
    let values: &[String] = given.get(name).map_or(&[], Vec::as_slice);
    let text = match values {
        [one] if !one.trim().is_empty() => Some(one.trim()),
        [] | [_] => None,
        _ => return Err(bad(format!("parameter `{name}` is given {} times; give it once", values.len()))),
    };
    let text = match text.or(parameter.default.as_ref().map(|default| default.as_str())) {
        Some(text) => text,
        None => return Err(bad(format!("parameter `{name}` is missing and has no default"))),
    };
    let scope = Names { newest, resolved };
    let value = typed(parameter, text, &scope)?;
    check_range(parameter, text, &value, &scope)?;
    Ok(value)
}

/// What names in a default may mean.
struct Names<'a> {
    newest: i32,
    resolved: &'a [Resolved],
}

fn typed(parameter: &Parameter, text: &str, names: &Names<'_>) -> Result<Value> {
    let name = parameter.name.as_str();
    let wrong = |allowed: &str| bad(format!("parameter `{name}`: `{text}` is not allowed; write {allowed}"));
    match parameter.kind.as_str() {
        "as_of_date" => {
            let day = day(text, names).map_err(|why| wrong(&why))?;
            let every = parameter.every.as_ref().and_then(|every| Period::parse(every));
            let day = match every {
                // What is meant is the newest closed period; a day that was typed is not moved silently.
                Some(period) if text == "latest" => period.last_closed(day),
                _ => day,
            };
            if day > names.newest {
                return Err(wrong(&format!("a day up to {}, the newest in the data", calendar::iso(names.newest))));
            }
            match every {
                Some(period) if period.end(day) != day => {
                    let newest = calendar::iso(period.last_closed(names.newest));
                    Err(wrong(&format!(
                        "the last day of a closed {}, up to {newest}, or `latest`",
                        period_name(period)
                    )))
                }
                _ => Ok(Value::Date(day)),
            }
        }
        "date" => Ok(Value::Date(day(text, names).map_err(|why| wrong(&why))?)),
        "month" => match calendar::parse_month(text) {
            Some(day) => Ok(Value::Date(day)),
            None => {
                let day = day(text, names).map_err(|why| wrong(&format!("a month as `2025-11`, or {why}")))?;
                Ok(Value::Date(Period::Month.start(day)))
            }
        },
        "integer" => match text.parse::<i64>() {
            Ok(value) => Ok(Value::Number(Number { unscaled: value.into(), scale: 0 })),
            Err(_) => Err(wrong("a whole number")),
        },
        "decimal" => match Number::parse(text).filter(|number| number.scale <= 38) {
            Some(number) => Ok(Value::Number(number)),
            None => Err(wrong("a decimal number as `12.5`")),
        },
        "boolean" => match text {
            "true" => Ok(Value::Boolean(true)),
            "false" => Ok(Value::Boolean(false)),
            _ => Err(wrong("`true` or `false`")),
        },
        "choice" => {
            if parameter.choices.iter().any(|(choice, _)| choice == text) {
                return Ok(Value::Text(text.to_owned()));
            }
            let choices: Vec<_> = parameter.choices.iter().map(|(choice, _)| format!("`{choice}`")).collect();
            Err(wrong(&format!("one of {}", choices.join(", "))))
        }
        "text" => Ok(Value::Text(text.to_owned())),
        other => Err(Error::new(
            Code::Definition,
            format!("parameter `{name}` is of the unknown type `{other}`; this server cannot read it"),
        )),
    }
}

fn check_range(parameter: &Parameter, text: &str, value: &Value, names: &Names<'_>) -> Result<()> {
    for (bound, lower) in [(&parameter.min, true), (&parameter.max, false)] {
        let Some(bound) = bound else { continue };
        let limit = typed(parameter, bound, names)?;
        let outside = match (value, &limit) {
            (Value::Date(value), Value::Date(limit)) => {
                if lower {
                    value < limit
                } else {
                    value > limit
                }
            }
            (Value::Number(value), Value::Number(limit)) => match value.minus(*limit) {
                Some(over) => {
                    if lower {
                        over.sign() < 0
                    } else {
                        over.sign() > 0
                    }
                }
                None => true,
            },
            _ => false,
        };
        if outside {
            let word = if lower { "least" } else { "most" };
            return Err(bad(format!(
                "parameter `{}`: `{text}` is not allowed; it is at {word} `{}`",
                *parameter.name,
                limit.plain()
            )));
        }
    }
    Ok(())
}

/// A day: ISO, `latest`, an earlier parameter, or a calendar function of days. The error says what may be written.
fn day(text: &str, names: &Names<'_>) -> Result<i32, String> {
    let text = text.trim();
    let allowed = || format!("a date as `2025-11-30`, `latest`, or a calendar function: {}", FUNCTIONS.join(", "));
    if let Some(day) = calendar::parse(text) {
        return Ok(day);
    }
    if text == "latest" {
        return Ok(names.newest);
    }
    if let Some(Value::Date(day)) = names.resolved.iter().find(|resolved| resolved.name == text).map(|one| &one.value) {
        return Ok(*day);
    }
    let (function, arguments) = text.strip_suffix(')').and_then(|text| text.split_once('(')).ok_or_else(allowed)?;
    let arguments = split_arguments(arguments);
    let period = |name: &str| Period::parse(name).ok_or_else(|| format!("a period: {}", Period::NAMES.join(", ")));
    match (function.trim(), arguments.as_slice()) {
        ("last_closed", [unit]) => Ok(period(unit)?.last_closed(names.newest)),
        ("period_start", [of, unit]) => Ok(period(unit)?.start(day(of, names)?)),
        ("period_end", [of, unit]) => Ok(period(unit)?.end(day(of, names)?)),
        ("month_start", [of]) => Ok(Period::Month.start(day(of, names)?)),
        ("year_start", [of]) => Ok(Period::Year.start(day(of, names)?)),
        ("prior_month_end", [of]) => Ok(Period::Month.start(day(of, names)?) - 1),
        ("prior_year_end", [of]) => Ok(Period::Year.start(day(of, names)?) - 1),
        ("months_before", [of, count]) => match count.parse::<i64>() {
            Ok(count) if (0..=MONTHS_BACK_MAX).contains(&count) => Ok(calendar::months_before(day(of, names)?, count)),
            _ => Err(format!("a number of months from 0 to {MONTHS_BACK_MAX}")),
        },
        _ => Err(allowed()),
    }
}

/// Splits at commas outside parentheses.
fn split_arguments(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let mut start = 0;
    let mut parts = Vec::new();
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

fn period_name(period: Period) -> &'static str {
    match period {
        Period::Month => "month",
        Period::Quarter => "quarter",
        Period::Year => "year",
    }
}

/// The period whose last day a report's as-of date is; `None` where it is any day.
pub(super) fn closes(report: &Report) -> Option<Period> {
    let as_of = report.parameters.iter().find(|parameter| *parameter.kind == "as_of_date")?;
    Period::parse(as_of.every.as_ref()?)
}

/// The days that a form offers for an as-of date: newest first, at most 24 periods back. Without `every`: month ends, after
/// the newest day itself.
pub fn as_of_choices(parameter: &Parameter, newest: i32) -> Vec<i32> {
    const PERIODS: usize = 24;
    let every = parameter.every.as_ref().and_then(|every| Period::parse(every));
    let period = every.unwrap_or(Period::Month);
    let mut days = Vec::with_capacity(PERIODS + 1);
    let mut day = period.last_closed(newest);
    if every.is_none() && day != newest {
        days.push(newest);
    }
    for _ in 0..PERIODS {
        days.push(day);
        day = period.start(day) - 1;
    }
    days
}

/// The parameters that a statement names, as one row with a column each. `None` when it names none: a statement is not given
/// what it does not ask for.
pub fn bind(sql: &str, parameters: &[Resolved]) -> Result<Option<RecordBatch>> {
    let names = placeholders(sql);
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for parameter in parameters.iter().filter(|parameter| names.contains(&parameter.name.as_str())) {
        let column: ArrayRef = match &parameter.value {
            Value::Date(days) => Arc::new(Date32Array::from(vec![*days])),
            Value::Boolean(value) => Arc::new(BooleanArray::from(vec![*value])),
            Value::Text(text) => Arc::new(StringArray::from(vec![text.as_str()])),
            Value::Number(Number { unscaled, scale: 0 }) => match i64::try_from(*unscaled) {
                Ok(value) => Arc::new(Int64Array::from(vec![value])),
                Err(_) => decimal(*unscaled, 0)?,
            },
            Value::Number(Number { unscaled, scale }) => decimal(*unscaled, *scale)?,
            Value::Null => continue,
        };
        fields.push(Field::new(&parameter.name, column.data_type().clone(), false));
        columns.push(column);
    }
    if columns.is_empty() {
        return Ok(None);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map(Some)
        .map_err(|error| Error::internal("cannot bind the report's parameters", error))
}

fn decimal(unscaled: i128, scale: u8) -> Result<ArrayRef> {
    let scale = i8::try_from(scale).map_err(|error| Error::internal("cannot bind a decimal parameter", error))?;
    Decimal128Array::from(vec![unscaled])
        .with_precision_and_scale(38, scale)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| Error::internal("cannot bind a decimal parameter", error))
}

/// The names that stand as `$name` in a statement, outside its string literals and comments.
fn placeholders(sql: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = sql;
    while let Some(at) = rest.find(['\'', '"', '-', '$', '/']) {
        let (mark, after) = rest[at..].split_at(1);
        rest = match mark {
            "'" | "\"" => after.split_once(mark).map_or("", |(_, after)| after),
            "-" if after.starts_with('-') => after.split_once('\n').map_or("", |(_, after)| after),
            "/" if after.starts_with('*') => after.split_once("*/").map_or("", |(_, after)| after),
            "$" => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
                if end > 0 {
                    names.push(&after[..end]);
                }
                &after[end..]
            }
            _ => after,
        };
    }
    names
}

fn bad(message: String) -> Error {
    Error::new(Code::BadRequest, message)
}

#[cfg(test)]
mod tests;
