//! What a case comes to, as it is kept: figures, or the codes of why there are none.

use serde::{Deserialize, Serialize};

use super::case::Case;
use crate::analysis::{Failure, Figure, finance};
use crate::error::Result as Outcome;

/// Version of the arithmetic; it rises where equal documents would give other figures.
pub const METHOD: &str = "roi/1";

/// Stable text of why there is no number; pages say it by the message `reason-…`.
pub fn reason(failure: &Failure) -> &'static str {
    match failure {
        Failure::TooLittleData { .. } => "too_little_data",
        Failure::NotConverged { .. } => "not_converged",
        Failure::Degenerate(reason) | Failure::BadInput { reason, .. } => reason.code(),
    }
}

/// A figure, or the code of why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    Value(f64),
    Missing { reason: String },
}

impl Answer {
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Value(value) => Some(*value),
            Self::Missing { .. } => None,
        }
    }

    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Value(_) => None,
            Self::Missing { reason } => Some(reason),
        }
    }
}

impl From<Figure> for Answer {
    fn from(figure: Figure) -> Self {
        match figure {
            Ok(value) => Self::Value(value),
            Err(failure) => Self::Missing { reason: reason(&failure).to_owned() },
        }
    }
}

/// The flows of a period.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    pub benefits: f64,
    /// With capital outlays.
    pub costs: f64,
    pub tax: f64,
    /// After tax.
    pub net: f64,
    pub discounted: f64,
    /// Sum of the net flows up to here.
    pub cumulative: f64,
}

/// Every figure of a case in one convention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    pub pv_benefits: f64,
    pub pv_costs: f64,
    pub npv: f64,
    pub roi: Answer,
    pub roi_undiscounted: Answer,
    pub profitability_index: Answer,
    pub benefit_cost: Answer,
    /// What the internal rates say: `none`, `unique`, `unique_positive`, `multiple`.
    pub irr_status: String,
    pub irr: Answer,
    /// All internal rates, ascending.
    pub irr_all: Vec<f64>,
    pub mirr: Answer,
    /// In periods from t = 0.
    pub payback: Answer,
    pub payback_last: Answer,
    pub discounted_payback: Answer,
    pub discounted_payback_last: Answer,
    pub flows: Vec<Flow>,
}

/// What a line is worth, after tax.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineWorth {
    pub line: String,
    /// Its part of the NPV: above 0 for most benefits, below for costs.
    pub entered: f64,
    pub adjusted: f64,
}

/// A scenario's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioFigures {
    pub name: String,
    pub probability: f64,
    pub npv_entered: f64,
    pub roi_entered: Answer,
    pub npv_adjusted: f64,
    pub roi_adjusted: Answer,
}

/// The factor on a driver at which the adjusted NPV is 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BreakEven {
    /// None: all lines of the side.
    pub line: Option<String>,
    /// The driver is a benefit, or all of them.
    pub benefit: bool,
    pub factor: Answer,
}

/// A simulated figure with its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub value: f64,
    pub error: f64,
}

impl From<finance::Estimate> for Estimate {
    fn from(estimate: finance::Estimate) -> Self {
        Self { value: estimate.value, error: estimate.error }
    }
}

/// How a figure spreads over the draws.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub mean: Estimate,
    pub sd: f64,
    pub p10: Estimate,
    pub p50: Estimate,
    pub p90: Estimate,
}

impl From<finance::Spread> for Spread {
    fn from(spread: finance::Spread) -> Self {
        Self {
            mean: spread.mean.into(),
            sd: spread.sd,
            p10: spread.p10.into(),
            p50: spread.p50.into(),
            p90: spread.p90.into(),
        }
    }
}

/// A bar of the tornado: the adjusted NPV with one line at its P10 and at its P90.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    pub line: String,
    pub at_p10: f64,
    pub at_p90: f64,
}

/// What the draws say, in the adjusted convention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Simulated {
    pub npv: Spread,
    /// None where too few draws have one.
    pub roi: Option<Spread>,
    pub npv_positive: Estimate,
    pub roi_reached: Estimate,
    /// Mean of what is lost where the NPV is below 0.
    pub shortfall: Estimate,
    /// With every line at its likely value, where the bars meet.
    pub npv_likely: f64,
    pub without_roi: usize,
    /// Draws without an internal rate of return; the rate is not averaged.
    pub without_irr: usize,
    /// Widest first.
    pub tornado: Vec<Bar>,
}

/// The NPV at a rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub rate: f64,
    pub entered: f64,
    pub adjusted: f64,
}

/// A line against its plan, in the periods that have an actual.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tracking {
    pub line: String,
    /// Periods with an actual.
    pub known: usize,
    pub planned: f64,
    pub actual: f64,
    /// On the net flow; above 0 is good.
    pub effect: f64,
}

/// What a case comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// [`METHOD`] of the program that computed it.
    pub method: String,
    pub organisation: String,
    /// Version of the case that was computed.
    pub case_version: u32,
    /// [`Case::digest`] of it.
    pub digest: String,
    pub seed: u64,
    pub draws: usize,
    pub entered: Figures,
    pub adjusted: Figures,
    /// None while nothing came yet.
    pub outlook: Option<Figures>,
    pub lines: Vec<LineWorth>,
    pub scenarios: Vec<ScenarioFigures>,
    pub expected_entered: Answer,
    pub expected_adjusted: Answer,
    pub break_even: Vec<BreakEven>,
    pub simulation: Option<Simulated>,
    /// Why there is no simulation.
    pub simulation_reason: Option<String>,
    pub profile: Vec<Point>,
    pub tracking: Vec<Tracking>,
    /// How much the net flow to date lies above the plan.
    pub effect: Option<f64>,
}

impl CaseResult {
    /// Whether it is what a case comes to as it stands.
    pub fn holds_for(&self, case: &Case) -> Outcome<bool> {
        Ok(self.method == METHOD && self.digest == case.digest()?)
    }
}

/// A shipped case under one of its readings: as entered, without risk or haircut.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadingFigures {
    /// None for a case that can be read in one way only.
    pub reading: Option<String>,
    /// The case as it is counted.
    pub case: Case,
    pub figures: Figures,
    /// The gain before its attribution, undiscounted.
    pub gain: f64,
    pub cost: f64,
    /// The ROI that the source states, or 100 %.
    pub target: f64,
    /// The share of the gain that must be due to the investment for that ROI.
    pub attribution: Answer,
}
