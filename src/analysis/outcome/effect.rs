//! Size and certainty of a change: interrupted series, and difference in differences.

use crate::analysis::numeric::special::{Z_975, student_975};
use crate::analysis::numeric::{linear, mean, variance};
use crate::analysis::{Failure, Reason, bad_parameter, check_finite};

/// Fewer periods than this on a side: descriptive only.
pub const MIN_SIDE: usize = 8;

/// A 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    fn around(centre: f64, half: f64) -> Self {
        Self { low: centre - half, high: centre + half }
    }
}

/// An interrupted time series y = β₀ + β₁·t + β₂·D + β₃·(t − t₀)·D.
#[derive(Debug, Clone, PartialEq)]
pub struct Interrupted {
    /// β₀ start, β₁ trend a period before the change, β₂ step at the change, β₃ change of the trend.
    pub coefficients: [f64; 4],
    /// Mean before the change.
    pub mean_before: f64,
    /// Mean from the change on.
    pub mean_after: f64,
    /// How sure; with fewer than [`MIN_SIDE`] periods on a side too little data: the rest is then descriptive.
    pub inference: Result<SeriesInference, Failure>,
}

/// Certainty of an interrupted series, with Newey–West errors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeriesInference {
    /// Lags used.
    pub lags: usize,
    /// Standard errors of the coefficients.
    pub standard_errors: [f64; 4],
    /// Interval of the step β₂, by the normal distribution.
    pub level: Interval,
    /// Interval of the change of trend β₃.
    pub slope: Interval,
}

/// Lags by default: ⌊4(n/100)^(2/9)⌋, Newey and West 1994.
pub fn default_lags(periods: usize) -> usize {
    (4.0 * (periods as f64 / 100.0).powf(2.0 / 9.0)).floor() as usize
}

/// Fits an interrupted series to values one period apart; `change_at` is the index of the first period after the
/// change. For a controlled series hand in the values less those of the comparison. Source: Wagner et al. 2002,
/// *Segmented regression analysis of interrupted time series studies*; errors: Newey and West 1987, Bartlett weights,
/// no small-sample correction.
///
/// # Errors
/// Fewer than two periods on a side; a value that is not finite; as many lags as values or more.
pub fn interrupted_series(values: &[f64], change_at: usize, lags: Option<usize>) -> Result<Interrupted, Failure> {
    check_finite("values", values)?;
    if change_at > values.len() {
        return Err(bad_parameter("change_at", Reason::OutOfRange));
    }
    let (before, after) = values.split_at(change_at);
    let side = before.len().min(after.len());
    let too_few = Failure::TooLittleData { needed: 2, got: side };
    if side < 2 {
        return Err(too_few);
    }
    let lags = lags.unwrap_or_else(|| default_lags(values.len()).min(values.len() - 1));
    if lags >= values.len() {
        return Err(bad_parameter("lags", Reason::OutOfRange));
    }
    let row = |time: usize| match time.checked_sub(change_at) {
        None => [1.0, time as f64, 0.0, 0.0],
        Some(since) => [1.0, time as f64, 1.0, since as f64],
    };
    let rows: Vec<[f64; 4]> = (0..values.len()).map(row).collect();
    let fit = linear::least_squares(&rows, values)?;
    let inference = if side < MIN_SIDE {
        Err(Failure::TooLittleData { needed: MIN_SIDE, got: side })
    } else {
        let standard_errors = fit.newey_west(&rows, lags);
        let interval = |k: usize| Interval::around(fit.coefficients[k], Z_975 * standard_errors[k]);
        Ok(SeriesInference { lags, standard_errors, level: interval(2), slope: interval(3) })
    };
    Ok(Interrupted {
        coefficients: fit.coefficients,
        mean_before: mean(before).ok_or(too_few)?,
        mean_after: mean(after).ok_or(too_few)?,
        inference,
    })
}

/// Difference in differences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Mean change of the treated units less that of the comparison.
    pub effect: f64,
    /// Mean change of the treated units.
    pub treated_change: f64,
    /// Mean change of the comparison.
    pub comparison_change: f64,
    /// How sure; with one unit on a side too little data.
    pub inference: Result<Inference, Failure>,
}

/// Certainty of an effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inference {
    /// Standard error.
    pub standard_error: f64,
    /// Degrees of freedom (Welch and Satterthwaite).
    pub df: f64,
    /// Interval, by Student's distribution.
    pub interval: Interval,
}

/// Difference in differences over units (branches, customers) given as (before, after). Units are taken as independent,
/// so a branch with many periods counts once, by its means: errors over periods would be too small (Bertrand, Duflo and
/// Mullainathan 2004). Interval: Welch on the units' changes.
///
/// # Errors
/// No unit on a side; a value that is not finite. Units of a side that all change alike, on both sides: the inference
/// is [`Reason::NoVariation`].
pub fn difference_in_differences(treated: &[(f64, f64)], comparison: &[(f64, f64)]) -> Result<Difference, Failure> {
    let changes = |units: &[(f64, f64)]| units.iter().map(|(before, after)| after - before).collect::<Vec<f64>>();
    let (treated, comparison) = (changes(treated), changes(comparison));
    check_finite("treated", &treated)?;
    check_finite("comparison", &comparison)?;
    let too_few = Failure::TooLittleData { needed: 1, got: 0 };
    let (treated_change, comparison_change) = (mean(&treated).ok_or(too_few)?, mean(&comparison).ok_or(too_few)?);
    let effect = treated_change - comparison_change;
    let inference = || {
        let part = |changes: &[f64]| {
            let spread = variance(changes).ok_or(Failure::TooLittleData { needed: 2, got: changes.len() })?;
            Ok((spread / changes.len() as f64, (changes.len() - 1) as f64))
        };
        let ((a, a_df), (b, b_df)) = (part(&treated)?, part(&comparison)?);
        if a + b <= 0.0 {
            return Err(Failure::Degenerate(Reason::NoVariation));
        }
        let standard_error = (a + b).sqrt();
        let df = (a + b).powi(2) / (a * a / a_df + b * b / b_df);
        let interval = Interval::around(effect, student_975(df) * standard_error);
        Ok(Inference { standard_error, df, interval })
    };
    Ok(Difference { effect, treated_change, comparison_change, inference: inference() })
}
