//! The measure algebra: which states a measure is made of, how they merge, how they are finished; how SQL calls it, and what
//! a wrong call is told.

use arrow::datatypes::DataType;
use datafusion::functions::core::expr_fn::{coalesce, nullif};
use datafusion::functions::math::expr_fn::abs;
use datafusion::logical_expr::{Expr, cast, lit, when};

use super::CompiledMeasure;
use crate::engine::{ratio, seen_value, standard_deviation, variance};
use crate::error::{Code, Error, Result};
use crate::model::cube::{Measure, State, TimeRule};
use crate::model::table;
use crate::warehouse::arrow_type;

/// How rows fold into a state. Each state merges with its like: sums and counts add, bounds compare, sets unite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Fold {
    /// Number of rows.
    Rows,
    /// Number of rows where the input is not null.
    Count,
    /// Sum of the input; null where no row has a value.
    Sum,
    /// Least value.
    Min,
    /// Greatest value.
    Max,
    /// The set of values.
    Distinct,
    /// The latest day with a value, and the sum on it; the input is the state of one row.
    Last,
}

impl Fold {
    /// The word in a stored column's name.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Distinct => "set",
            Self::Last => "last",
        }
    }
}

/// Which days of a bucket feed a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Days {
    /// All.
    All,
    /// The closing day.
    Close,
    /// All closed days, each as often as it stands for a calendar day when `weighted`.
    Daily { weighted: bool },
    /// All closed days.
    Closed,
}

/// One state of a measure.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Component {
    pub(super) fold: Fold,
    /// Over the fact and its dimensions; none for [`Fold::Rows`].
    pub(super) input: Option<Expr>,
    pub(super) days: Days,
}

impl CompiledMeasure {
    /// The states that the measure is made of.
    pub(super) fn components(&self) -> Result<Vec<Component>> {
        let measure = &self.measure;
        let input = |n: usize| Some(self.inputs[n].clone());
        let days = match &measure.time {
            TimeRule::All => Days::All,
            TimeRule::Close => Days::Close,
            TimeRule::AverageDaily { day_sum } => Days::Daily { weighted: day_sum.is_none() },
            TimeRule::LastSeen => Days::Closed,
        };
        let parts = match (&measure.state, days) {
            (State::Sum { .. } | State::Count { .. }, Days::Closed) => vec![(Fold::Last, input(0))],
            (State::Count { of }, Days::Daily { weighted: true }) => {
                // A row counts once for each day it stands for.
                let one = match of {
                    None => lit(1_i64),
                    Some(_) => when(self.inputs[0].clone().is_not_null(), lit(1_i64)).end().map_err(super::internal)?,
                };
                vec![(Fold::Sum, Some(one))]
            }
            (State::Sum { .. }, _) | (State::Count { .. }, Days::Daily { .. }) => vec![(Fold::Sum, input(0))],
            (State::Count { of: None }, _) => vec![(Fold::Rows, None)],
            (State::Count { of: Some(_) }, _) => vec![(Fold::Count, input(0))],
            (State::Min { .. }, _) => vec![(Fold::Min, input(0))],
            (State::Max { .. }, _) => vec![(Fold::Max, input(0))],
            (State::Distinct { .. }, _) => vec![(Fold::Distinct, input(0))],
            (State::Average { .. }, _) => vec![(Fold::Sum, input(0)), (Fold::Count, input(0))],
            (State::Ratio { .. }, _) => vec![(Fold::Sum, input(0)), (Fold::Sum, input(1))],
            (State::Variance { .. } | State::StandardDeviation { .. }, _) => {
                vec![(Fold::Count, input(0)), (Fold::Sum, input(0)), (Fold::Sum, input(1))]
            }
            (State::Derived(_), _) => {
                let message = format!("measure `{}` has no state of its own", *measure.name);
                return Err(Error::new(Code::Internal, message));
            }
        };
        Ok(parts.into_iter().map(|(fold, input)| Component { fold, input, days }).collect())
    }

    /// The measure's value from its merged states, and for a daily average the calendar days of the bucket.
    pub(super) fn finish(&self, states: &[Expr], length: Option<Expr>) -> Expr {
        let (kind, scale) = (arrow_type(self.measure.data_type), self.scale());
        let value = match (states, length) {
            ([count, total, squares], _) => {
                let spread = match self.measure.state {
                    State::Variance { .. } => variance,
                    _ => standard_deviation,
                };
                spread(count.clone(), total.clone(), squares.clone(), scale)
            }
            ([total], Some(days)) => ratio(total.clone(), days, scale),
            ([top, bottom], _) if kind == DataType::Float64 => {
                cast(top.clone(), kind.clone()) / nullif(bottom.clone(), lit(0_i64))
            }
            ([top, bottom], _) => ratio(top.clone(), bottom.clone(), scale),
            ([last], _) if matches!(self.measure.time, TimeRule::LastSeen) => seen_value(last.clone(), scale),
            (states, _) => states[0].clone(),
        };
        cast(value, kind)
    }

    /// Digits after the point.
    pub(super) fn scale(&self) -> i8 {
        match self.measure.data_type {
            table::DataType::Decimal(_, scale) => scale,
            _ => 0,
        }
    }

    /// What a comparison says of the measure's value `now` and the one `before`: the change, or with `relative` the change
    /// in proportion to the absolute value of the latter. Where cells without rows count as nothing they do so here, but
    /// only where the days before are `known` at all.
    pub(super) fn change(&self, of: &Self, now: Expr, before: Expr, known: Expr, relative: bool) -> Result<Expr> {
        let zero = |value: &Expr| coalesce(vec![value.clone(), cast(lit(0_i64), arrow_type(of.measure.data_type))]);
        let (change, given) = match of.measure.is_zero_without_rows() {
            true => (zero(&now) - zero(&before), known.and(now.is_not_null().or(before.clone().is_not_null()))),
            false => (now - before.clone(), known),
        };
        let value = if relative { ratio(change, abs(before), self.scale()) } else { change };
        let value = when(given, value).end().map_err(super::internal)?;
        Ok(cast(value, arrow_type(self.measure.data_type)))
    }
}

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
        (State::Derived(_), _) => format!("is calculated from finished figures, so `{typed}` has no meaning"),
        (State::Variance { .. } | State::StandardDeviation { .. }, _) => {
            format!("is a spread, so `{typed}` has no meaning")
        }
        (State::Average { .. }, _) => format!("is an average, so `{typed}` has no meaning"),
        (_, TimeRule::Close) => format!("is taken at period end, so `{typed}` over rows has no meaning"),
        (_, TimeRule::LastSeen) => format!("is the value last seen, so `{typed}` over rows has no meaning"),
        (_, TimeRule::AverageDaily { .. }) => format!("is an average over days, so `{typed}` has no meaning"),
        _ => format!("is not called by `{typed}`"),
    };
    let also = if right.starts_with("MEASURE") { String::new() } else { format!(" or `MEASURE({name})`") };
    Error::new(Code::MeasureAggregate, format!("measure `{name}` {why}; write `{right}`{also}"))
}
