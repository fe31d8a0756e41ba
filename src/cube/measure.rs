//! The measure algebra: which states a measure is made of, how they merge, how they are finished; how SQL calls it, and what
//! a wrong call is told.

use arrow::datatypes::DataType;
use datafusion::functions::core::expr_fn::nullif;
use datafusion::logical_expr::{Expr, cast, lit, when};

use super::CompiledMeasure;
use crate::engine::ratio;
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
        };
        let parts = match (&measure.state, days) {
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
        };
        Ok(parts.into_iter().map(|(fold, input)| Component { fold, input, days }).collect())
    }

    /// The measure's value from its merged states, and for a daily average the calendar days of the bucket.
    pub(super) fn finish(&self, states: &[Expr], length: Option<Expr>) -> Expr {
        let kind = arrow_type(self.measure.data_type);
        let scale = match self.measure.data_type {
            table::DataType::Decimal(_, scale) => scale,
            _ => 0,
        };
        let value = match (states, length) {
            ([total], Some(days)) => ratio(total.clone(), days, scale),
            ([top, bottom], _) if kind == DataType::Float64 => {
                cast(top.clone(), kind.clone()) / nullif(bottom.clone(), lit(0_i64))
            }
            ([top, bottom], _) => ratio(top.clone(), bottom.clone(), scale),
            (states, _) => states[0].clone(),
        };
        cast(value, kind)
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
        (State::Average { .. }, _) => format!("is an average, so `{typed}` has no meaning"),
        (_, TimeRule::Close) => format!("is taken at period end, so `{typed}` over rows has no meaning"),
        (_, TimeRule::AverageDaily { .. }) => format!("is an average over days, so `{typed}` has no meaning"),
        _ => format!("is not called by `{typed}`"),
    };
    let also = if right.starts_with("MEASURE") { String::new() } else { format!(" or `MEASURE({name})`") };
    Error::new(Code::MeasureAggregate, format!("measure `{name}` {why}; write `{right}`{also}"))
}
