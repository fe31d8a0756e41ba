//! Whether a row raises an alert, and whether it ends one. Pure; figures and limits are compared as exact decimals.

use super::state::Seen;
use crate::model::report::{Alert, Clear, Condition};
use crate::report::value::{Number, Value};

/// Judges a value, with that of the column that it is held against. The error holds no value: who reads it may not see any.
pub(super) fn judge(alert: &Alert, value: &Value, against: Option<&Value>) -> Result<Seen, String> {
    if alert.raise == Condition::Missing {
        let raised = *value == Value::Null;
        return Ok(Seen::Figure { raised, cleared: !raised });
    }
    let (Some(value), Some(against)) = (number(value)?, against.map(number).transpose()?.unwrap_or(Some(Number::ZERO)))
    else {
        return Ok(Seen::Nothing);
    };
    let raised = match &alert.raise {
        Condition::Above(limit) => is_above(value, parse(limit)?),
        Condition::Below(limit) => is_above(parse(limit)?, value),
        Condition::Outside(low, high) => either(is_above(parse(low)?, value), is_above(value, parse(high)?)),
        Condition::Change { percent, .. } => changed(value, against).and_then(|(change, base)| {
            let limit = times(parse(percent).ok()?, base)?;
            is_above(change, limit)
        }),
        Condition::Missing => None,
    };
    let cleared = match &alert.clear {
        None => raised.map(|raised| !raised),
        Some(Clear::Above(limit)) => is_above(value, parse(limit)?),
        Some(Clear::Below(limit)) => is_above(parse(limit)?, value),
        Some(Clear::Inside(low, high)) => {
            either(is_above(parse(low)?, value), is_above(value, parse(high)?)).map(|outside| !outside)
        }
        Some(Clear::Change(percent)) => changed(value, against).and_then(|(change, base)| {
            let limit = times(parse(percent).ok()?, base)?;
            Some(change.sign() == 0 || is_above(limit, change)?)
        }),
    };
    // What does not fit 38 digits cannot be judged.
    Ok(raised.zip(cleared).map_or(Seen::Nothing, |(raised, cleared)| Seen::Figure { raised, cleared }))
}

/// The number of a cell; none where it is empty.
fn number(value: &Value) -> Result<Option<Number>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => Ok(Some(*number)),
        Value::Date(_) | Value::Boolean(_) | Value::Text(_) => Err("holds what is no number".to_owned()),
    }
}

fn parse(limit: &str) -> Result<Number, String> {
    Number::parse(limit).ok_or_else(|| format!("has the limit `{limit}`, which is no number"))
}

fn is_above(left: Number, right: Number) -> Option<bool> {
    left.minus(right).map(|difference| difference.sign() > 0)
}

fn either(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    left.zip(right).map(|(left, right)| left || right)
}

/// Hundred times the change, and the size of what it is a change of. Nothing is divided, so nothing is rounded, and every change
/// from zero is more than any share of it.
fn changed(value: Number, against: Number) -> Option<(Number, Number)> {
    let change = value.minus(against)?.absolute();
    Some((times(change, Number { unscaled: 100, scale: 0 })?, against.absolute()))
}

fn times(left: Number, right: Number) -> Option<Number> {
    Some(Number { unscaled: left.unscaled.checked_mul(right.unscaled)?, scale: left.scale.checked_add(right.scale)? })
}
