//! Analyses: plain numbers in; numbers, or the reason why there are none, out.
//!
//! Pure: no I/O, no clock, no global state, and no randomness but from a seed that the caller gives and keeps. The same
//! input gives the same bits on the same build. Nothing here returns NaN or an infinity: a question that has no answer
//! for its numbers is a [`Failure`]. Where one figure of many has no answer the others stand, so such figures are
//! [`Figure`]s of their own. Who may see what, where numbers come from and where results are kept is left to the
//! callers; so is the wording of a reason: [`Reason::code`] names its message.
//!
//! Rates, risks, shares and probabilities are fractions (0.05 is 5 %). Indexes start at 0. Values are `f64`; only what
//! must agree to the fen ([`finance::check_claims`]) is in whole fen.

pub mod finance;
pub mod maturity;
mod numeric;
pub mod outcome;
pub mod project;
#[cfg(test)]
mod tests;

use std::fmt;

/// One number, or why there is none.
pub type Figure = Result<f64, Failure>;

/// Why there is no number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Failure {
    /// Fewer values than the question needs.
    TooLittleData {
        /// How many it needs.
        needed: usize,
        /// How many there are.
        got: usize,
    },
    /// An iteration did not come to rest.
    NotConverged {
        /// Steps made.
        iterations: usize,
        /// What still differs from 0.
        residual: f64,
    },
    /// The input is sound, but for these numbers the question has no answer.
    Degenerate(Reason),
    /// The caller's input breaks a rule.
    BadInput {
        /// Name of the parameter or field.
        field: &'static str,
        /// Its place in a list.
        row: Option<usize>,
        /// The rule.
        reason: Reason,
    },
}

macro_rules! reasons {
    ($($name:ident = $code:literal, $text:literal;)*) => {
        /// What stands in the way of a number.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason { $(#[doc = $text] $name,)* }

        impl Reason {
            /// Every reason, so that a test can hold the message files against it.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Stable text, by which message files name the reason.
            pub fn code(self) -> &'static str { match self { $(Self::$name => $code,)* } }

            /// The reason in English, for logs.
            pub fn text(self) -> &'static str { match self { $(Self::$name => $text,)* } }
        }
    };
}

reasons! {
    // Sound input without an answer.
    NoCosts = "no_costs", "the present value of the costs is not above 0";
    NoOutflows = "no_outflows", "no flow is negative";
    NoFlows = "no_flows", "every flow is 0";
    NoSignChange = "no_sign_change", "the flows do not change sign";
    NoRealRate = "no_real_rate", "no rate in the range searched makes the present value 0";
    SeveralRates = "several_rates", "several rates make the present value 0";
    NeverRepaid = "never_repaid", "the cumulative flow never reaches 0";
    EndsNegative = "ends_negative", "the cumulative flow ends below 0";
    NoGain = "no_gain", "the gain is not above 0";
    NotBracketed = "not_bracketed", "the goal lies outside the range tried";
    NoWeight = "no_weight", "the weights sum to 0";
    NoVariation = "no_variation", "all values are equal";
    NoData = "no_data", "no value is known";
    ManyAbsent = "many_absent", "more than 20 % of the items are not applicable or not answered";
    DimensionNotScored = "dimension_not_scored", "a dimension has no score";
    NothingInCommon = "nothing_in_common", "no item is common to both, with equal text version";
    Collinear = "collinear", "the columns of the regression are linearly dependent";
    Overflow = "overflow", "the result is too large";
    // Rules of the input.
    NotFinite = "not_finite", "must be a finite number";
    Negative = "negative", "must not be negative";
    NotPositive = "not_positive", "must be above 0";
    OutOfRange = "out_of_range", "lies outside its range";
    LengthsDiffer = "lengths_differ", "must be as long as the list beside it";
    NotAscending = "not_ascending", "must not be below the value before it";
    NotMonotone = "not_monotone", "must all rise or all fall";
    NotOrdered = "not_ordered", "must hold low ≤ likely ≤ high";
    NotOne = "not_one", "must sum to 1";
    AboveMeasured = "above_measured", "an assessor may only lower a measured score";
    Duplicate = "duplicate", "is given twice";
    NotSemidefinite = "not_semidefinite", "no set of variables can have these correlations";
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLittleData { needed, got } => write!(f, "needs {needed} values, got {got}"),
            Self::NotConverged { iterations, residual } => {
                write!(f, "no rest after {iterations} iterations, {residual:e} is left")
            }
            Self::Degenerate(reason) => f.write_str(reason.text()),
            Self::BadInput { field, row: None, reason } => write!(f, "`{field}` {}", reason.text()),
            Self::BadInput { field, row: Some(row), reason } => write!(f, "`{field}`, row {row}: {}", reason.text()),
        }
    }
}

impl std::error::Error for Failure {}

/// The failure of one value in a list.
fn bad(field: &'static str, row: usize, reason: Reason) -> Failure {
    Failure::BadInput { field, row: Some(row), reason }
}

/// The failure of a parameter.
fn bad_parameter(field: &'static str, reason: Reason) -> Failure {
    Failure::BadInput { field, row: None, reason }
}

/// Refuses a list with a NaN or an infinity.
fn check_finite(field: &'static str, values: &[f64]) -> Result<(), Failure> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(row) => Err(bad(field, row, Reason::NotFinite)),
        None => Ok(()),
    }
}

/// Refuses a list that is not as long as the one beside it.
fn check_length(field: &'static str, got: usize, wanted: usize) -> Result<(), Failure> {
    if got == wanted { Ok(()) } else { Err(bad_parameter(field, Reason::LengthsDiffer)) }
}

/// Refuses a parameter outside `low..=high`, NaN included.
fn check_within(field: &'static str, value: f64, low: f64, high: f64) -> Result<(), Failure> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(bad_parameter(field, Reason::OutOfRange)) }
}

/// Refuses weights that are negative or not finite.
fn check_weights(field: &'static str, weights: impl IntoIterator<Item = f64>) -> Result<(), Failure> {
    for (row, weight) in weights.into_iter().enumerate() {
        if !weight.is_finite() {
            return Err(bad(field, row, Reason::NotFinite));
        }
        if weight < 0.0 {
            return Err(bad(field, row, Reason::Negative));
        }
    }
    Ok(())
}

/// A result that left the range of numbers is refused.
fn in_range(value: f64) -> Figure {
    if value.is_finite() { Ok(value) } else { Err(Failure::Degenerate(Reason::Overflow)) }
}
