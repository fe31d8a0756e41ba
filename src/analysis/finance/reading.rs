//! Readings of a published growth figure that does not say what it counts, and how far a return hangs on attribution.

use super::{check_rate, ratio};
use crate::analysis::{Failure, Figure, Reason, check_finite, check_within, in_range};

/// The two readings of "units grew by so much, profit by so much".
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GrowthReadings {
    /// The profit growth is per unit: growth of the portfolio, (1 + c)(1 + p) − 1.
    pub per_unit_reading: f64,
    /// The profit growth is the portfolio's: growth per unit, (1 + p)/(1 + c) − 1.
    pub portfolio_reading: f64,
}

/// Both readings of a growth in number of units and a growth in profit, as fractions (0.59 is +59 %).
///
/// # Errors
/// A growth of −1 or below.
pub fn growth_readings(count_growth: f64, profit_growth: f64) -> Result<GrowthReadings, Failure> {
    check_rate("count_growth", count_growth)?;
    check_rate("profit_growth", profit_growth)?;
    Ok(GrowthReadings {
        per_unit_reading: in_range((1.0 + count_growth) * (1.0 + profit_growth) - 1.0)?,
        portfolio_reading: in_range((1.0 + profit_growth) / (1.0 + count_growth) - 1.0)?,
    })
}

/// Gain over `years` while a yearly amount `base` rises linearly to `base`·(1 + growth): growth·base·years/2.
///
/// # Errors
/// A number that is not finite, negative years.
pub fn linear_rise_gain(base: f64, growth: f64, years: f64) -> Figure {
    check_finite("rise", &[base, growth])?;
    check_within("years", years, 0.0, f64::MAX)?;
    in_range(base * growth * years / 2.0)
}

/// The share `a` of a gain that must be due to the investment for its ROI to reach `roi`: a·gain = (1 + roi)·cost.
/// Above 1 the return cannot be reached by this gain. Undiscounted.
///
/// # Errors
/// No gain: [`Reason::NoGain`]. Negative cost, `roi` of −1 or below.
pub fn attribution_needed(gain: f64, cost: f64, roi: f64) -> Figure {
    check_finite("gain", &[gain])?;
    check_within("cost", cost, 0.0, f64::MAX)?;
    check_rate("roi", roi)?;
    ratio((1.0 + roi) * cost, gain, Reason::NoGain)
}
