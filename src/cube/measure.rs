//! How SQL calls a measure, and what a wrong call is told.

use crate::error::{Code, Error};
use crate::model::cube::{Measure, State, TimeRule};

/// How SQL calls the measure: `SUM(balance)` or `MEASURE(cost_rate)`.
pub(super) fn call(measure: &Measure) -> String {
    let name = measure.name.as_str();
    match measure.declared_aggregate() {
        Some("count_distinct") => format!("COUNT(DISTINCT {name})"),
        Some(aggregate) => format!("{}({name})", aggregate.to_uppercase()),
        None => format!("MEASURE({name})"),
    }
}

/// The error for a measure called by another aggregate than its own.
pub(super) fn wrong_aggregate(measure: &Measure, typed: &str) -> Error {
    let name = measure.name.as_str();
    let typed = typed.to_uppercase();
    let right = call(measure);
    let why = match (&measure.state, &measure.time) {
        (State::Ratio { .. }, _) => "is a ratio and cannot be summed or averaged".to_owned(),
        (State::Distinct { .. }, _) => "counts distinct members, which do not add up".to_owned(),
        (State::Average { .. }, _) => format!("is an average, so `{typed}` has no meaning"),
        (_, TimeRule::Close) => format!("is taken at period end, so `{typed}` over rows has no meaning"),
        (_, TimeRule::AverageDaily { .. }) => format!("is an average over days, so `{typed}` has no meaning"),
        _ => format!("is not called by `{typed}`"),
    };
    let also = if right.starts_with("MEASURE") { String::new() } else { format!(" or `MEASURE({name})`") };
    Error::new(Code::MeasureAggregate, format!("measure `{name}` {why}; write `{right}`{also}"))
}
