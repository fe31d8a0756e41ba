//! Outcome of the programme (E03): attainment of KPIs, scorecards, progress, and whether the programme caused a change.
//!
//! KPIs, targets, weights and the choice of comparison are the callers'. [`interrupted_series`] and
//! [`difference_in_differences`] say how large a change is and how sure; that it came from the programme remains a
//! judgement.

mod effect;
#[cfg(test)]
mod tests;

use super::numeric::weighted_mean;
use super::{Failure, Figure, Reason, bad_parameter, check_finite, check_weights, check_within, in_range};

pub use effect::{
    Difference, Inference, Interrupted, Interval, MIN_SIDE, SeriesInference, default_lags, difference_in_differences,
    interrupted_series,
};

/// The most that one KPI counts for.
pub const HIGHEST_ATTAINMENT: f64 = 1.2;
/// From this attainment on a light is green.
pub const GREEN: f64 = 1.0;
/// From this attainment on a light is yellow, by default.
pub const YELLOW: f64 = 0.9;
/// Default weights of the four sources: customers' satisfaction, analysis of business data, staff's feedback, experts.
pub const SOURCE_WEIGHTS: [f64; 4] = [0.30, 0.40, 0.15, 0.15];
/// 2 − 1.1 is a hair below 0.9: differences as small as this do not decide on a light.
const ROUNDING: f64 = 1e-9;

/// What is good for a KPI.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// The higher the better.
    Higher {
        /// The value to reach.
        target: f64,
    },
    /// The lower the better.
    Lower {
        /// The value to stay below.
        target: f64,
    },
    /// Best within a range.
    Range {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
        /// Distance from the range at which nothing is left; 0 leaves nothing outside.
        tolerance: f64,
    },
}

/// How far a goal is attained, 0..1.2; inside a range 1.
///
/// Higher: target > 0 a/t; < 0 1 + (a − t)/|t|; 0: 1 if a ≥ 0, else 0. Lower: target > 0 2 − a/t; < 0 1 + (t − a)/|t|;
/// 0: 1 if a ≤ 0, else 0. Range: 1 − distance/tolerance.
///
/// # Errors
/// A number that is not finite, a range whose low end is above its high end, a negative tolerance.
pub fn attainment(actual: f64, goal: &Goal) -> Figure {
    check_finite("actual", &[actual])?;
    let reached = match *goal {
        Goal::Higher { target } => {
            check_finite("target", &[target])?;
            towards(actual, target)
        }
        Goal::Lower { target } => {
            check_finite("target", &[target])?;
            // The three cases are those of `Higher`, mirrored: 1 + (t − a)/t is 2 − a/t.
            towards(-actual, -target)
        }
        Goal::Range { low, high, tolerance } => {
            check_finite("range", &[low, high, tolerance])?;
            if low > high {
                return Err(bad_parameter("range", Reason::NotOrdered));
            }
            check_within("tolerance", tolerance, 0.0, f64::MAX)?;
            match (low - actual).max(actual - high) {
                distance if distance <= 0.0 => 1.0,
                // Without tolerance this is −∞, which the clamp makes 0.
                distance => 1.0 - distance / tolerance,
            }
        }
    };
    Ok(reached.clamp(0.0, HIGHEST_ATTAINMENT))
}

/// 1 at the target, by the target's size. 1 + (a − t)/|t| is a/t for a positive target and also serves a negative one.
fn towards(actual: f64, target: f64) -> f64 {
    match target {
        0.0 if actual >= 0.0 => 1.0,
        0.0 => 0.0,
        _ if target > 0.0 => actual / target,
        _ => 1.0 + (actual - target) / target.abs(),
    }
}

/// Light of a KPI. Pages print its word, never the colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Light {
    /// Attained.
    Green,
    /// Nearly.
    Yellow,
    /// Missed.
    Red,
}

impl Light {
    /// Stable text, by which message files name the light.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
        }
    }
}

/// Light of an attainment: 1 and more green, `yellow` and more yellow, below red. What has no attainment has no light.
pub fn light(attainment: f64, yellow: f64) -> Light {
    match attainment + ROUNDING {
        reached if reached >= GREEN => Light::Green,
        reached if reached >= yellow => Light::Yellow,
        _ => Light::Red,
    }
}

/// A part of a score: its weight, and its value if there is one.
pub type Part = (f64, Option<f64>);

/// A weighted score over what has data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Σ w·value/Σ w over the parts with a value; none: [`Reason::NoData`].
    pub value: Figure,
    /// Share of all weight that has a value, printed beside the score.
    pub covered_weight: f64,
}

/// Score of a perspective from its KPIs, or of the four sources. A missing value is neither 0 nor 1: it
/// leaves the weights.
///
/// # Errors
/// A weight that is negative, weights that sum to 0, a value that is not finite.
pub fn weighted_score(parts: &[Part]) -> Result<Score, Failure> {
    check_weights("weight", parts.iter().map(|(weight, _)| *weight))?;
    let known: Vec<(f64, f64)> = parts.iter().filter_map(|(weight, value)| Some((*weight, (*value)?))).collect();
    check_finite("value", &known.iter().map(|(_, value)| *value).collect::<Vec<_>>())?;
    let covered = parts.iter().map(|(weight, value)| (*weight, f64::from(u8::from(value.is_some()))));
    let covered_weight = weighted_mean(covered).ok_or(Failure::Degenerate(Reason::NoWeight))?;
    let value = weighted_mean(known).ok_or(Failure::Degenerate(Reason::NoData));
    Ok(Score { value, covered_weight })
}

/// A scorecard: its perspectives and its total.
#[derive(Debug, Clone, PartialEq)]
pub struct Scorecard {
    /// In the order given.
    pub perspectives: Vec<Score>,
    /// Over the perspectives with data; the covered weight is Σ W·covered/Σ W, so a gap inside a perspective shows here
    /// too.
    pub total: Score,
}

/// Scores a whole scorecard: perspectives as (weight, KPIs), KPIs with their attainments.
///
/// # Errors
/// As [`weighted_score`], for the perspectives or for the KPIs of one.
pub fn scorecard(perspectives: &[(f64, Vec<Part>)]) -> Result<Scorecard, Failure> {
    let scores: Vec<Score> =
        perspectives.iter().map(|(_, kpis)| weighted_score(kpis)).collect::<Result<_, Failure>>()?;
    let weights = || perspectives.iter().map(|(weight, _)| *weight).zip(&scores);
    let mut total = weighted_score(&weights().map(|(weight, score)| (weight, score.value.ok())).collect::<Vec<_>>())?;
    let covered = weights().map(|(weight, score)| (weight, score.covered_weight));
    total.covered_weight = weighted_mean(covered).ok_or(Failure::Degenerate(Reason::NoWeight))?;
    Ok(Scorecard { perspectives: scores, total })
}

/// How a cumulative figure stands against the time that has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Faster than time.
    Ahead,
    /// With time.
    Level,
    /// Slower than time.
    Behind,
}

/// Completion against time-proportional progress (序时进度).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Actual to date ÷ target of the whole period.
    pub completion: f64,
    /// Days elapsed ÷ days of the period.
    pub elapsed: f64,
    /// completion − elapsed, a difference of shares (0.01 is one percentage point).
    pub gap: f64,
    /// In a word.
    pub pace: Pace,
}

/// Progress of a figure that adds up over a period, such as a yearly plan. Days may be calendar or business days.
/// Within `band` of time, a fraction, it counts as level.
///
/// # Errors
/// A target that is not above 0, more days elapsed than the period has or a period of no days, a negative band.
pub fn progress(actual: f64, target: f64, elapsed_days: u32, days: u32, band: f64) -> Result<Progress, Failure> {
    check_finite("actual", &[actual])?;
    check_finite("target", &[target])?;
    if target <= 0.0 {
        return Err(bad_parameter("target", Reason::NotPositive));
    }
    if days == 0 {
        return Err(bad_parameter("days", Reason::NotPositive));
    }
    if elapsed_days > days {
        return Err(bad_parameter("elapsed_days", Reason::OutOfRange));
    }
    check_within("band", band, 0.0, f64::MAX)?;
    let (completion, elapsed) = (in_range(actual / target)?, f64::from(elapsed_days) / f64::from(days));
    let gap = completion - elapsed;
    let pace = match gap {
        _ if gap.abs() <= band + ROUNDING => Pace::Level,
        _ if gap > 0.0 => Pace::Ahead,
        _ => Pace::Behind,
    };
    Ok(Progress { completion, elapsed, gap, pace })
}
