//! Return on investment (E02): what streams of benefits and costs are worth.
//!
//! [`appraise`] gives every figure of one case; its parts can be had alone ([`present_value`], [`rates_of_return`],
//! [`payback()`], …). Around it stand what a benefit counts for ([`benefit_factor`], [`ramp`], [`check_claims`]),
//! scenarios and draws ([`goal_seek`], [`simulate`]), and the readings of a published growth figure
//! ([`growth_readings`]). Flows are in one currency, one per period from t = 0, which is not discounted. Nominal flows
//! go with nominal rates, real flows with real rates; nothing here converts.

mod benefit;
mod payback;
mod plan;
mod rate;
mod reading;
mod simulation;
#[cfg(test)]
mod tests;

use super::numeric::{optimise, sum};
use super::{Failure, Figure, Reason, bad, bad_parameter, check_finite, check_length, check_within, in_range};

pub use benefit::{Claim, ClaimFault, Grade, RAMP, Total, benefit_factor, check_claims, ramp, straight_line};
pub use payback::{Payback, payback};
pub use plan::{LineReview, Review, Tracked, against_plan, npv_profile};
pub use rate::{RateStatus, Rates, modified_rate, rates_of_return};
pub use reading::{GrowthReadings, attribution_needed, growth_readings, linear_rise_gain};
pub use simulation::{Draws, Estimate, Line, Shape, Simulation, Spread, Swing, simulate};

/// The flows of a case, one value per period. All lists are as long as `benefits`; one that is empty counts as zeros.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Streams {
    /// Benefits.
    pub benefits: Vec<f64>,
    /// Costs that reduce taxable profit when they are paid, as positive numbers.
    pub costs: Vec<f64>,
    /// Capital outlays, as positive numbers: taxable profit falls by their depreciation, not by the payment. Without
    /// tax they are costs like others.
    pub capital: Vec<f64>,
    /// Depreciation, which moves no cash but saves tax.
    pub depreciation: Vec<f64>,
}

/// Rates and conventions of a case.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Discount rate a period.
    pub rate: f64,
    /// Rate a period at which outflows are financed, for the modified rate of return.
    pub finance_rate: f64,
    /// Rate a period at which inflows are reinvested, for the modified rate of return.
    pub reinvest_rate: f64,
    /// Flows after t = 0 fall in the middle of their period (exponent t − ½), not at its end.
    pub mid_period: bool,
    /// Share of the profit that goes in tax; 0 for a case before tax.
    pub tax: f64,
}

/// The figures of a case. A share of money is a fraction of money: ROI 0.4 is 40 %.
#[derive(Debug, Clone, PartialEq)]
pub struct Appraisal {
    /// Net flow of each period after tax: (B − C)(1 − tax) + depreciation·tax − capital.
    pub net: Vec<f64>,
    /// Present value of the benefits after tax.
    pub pv_benefits: f64,
    /// Present value of costs and capital, after tax and less the tax that depreciation saves.
    pub pv_costs: f64,
    /// Net present value.
    pub npv: f64,
    /// (PV benefits − PV costs)/PV costs.
    pub roi: Figure,
    /// The same without discounting.
    pub roi_undiscounted: Figure,
    /// Profitability index: PV of the positive net flows/|PV of the negative ones|.
    pub profitability_index: Figure,
    /// Benefit-cost ratio: PV benefits/PV costs.
    pub benefit_cost: Figure,
    /// Internal rates of return.
    pub irr: Rates,
    /// Modified internal rate of return.
    pub mirr: Figure,
    /// Payback of the net flows, in periods.
    pub payback: Payback,
    /// Payback of the discounted net flows, in periods.
    pub discounted_payback: Payback,
}

impl Streams {
    /// The streams with Forrester's TEI risk adjustment: benefits × (1 − risk), costs, capital and its depreciation ×
    /// (1 + risk). For risks by line, adjust each line with [`benefit_factor`] or 1 + risk before adding it up.
    ///
    /// # Errors
    /// A benefit risk outside 0..1, a negative cost risk.
    pub fn risk_adjusted(&self, benefit_risk: f64, cost_risk: f64) -> Result<Self, Failure> {
        check_within("benefit_risk", benefit_risk, 0.0, 1.0)?;
        check_within("cost_risk", cost_risk, 0.0, f64::MAX)?;
        let times = |flows: &[f64], factor: f64| flows.iter().map(|flow| flow * factor).collect();
        Ok(Self {
            benefits: times(&self.benefits, 1.0 - benefit_risk),
            costs: times(&self.costs, 1.0 + cost_risk),
            capital: times(&self.capital, 1.0 + cost_risk),
            depreciation: times(&self.depreciation, 1.0 + cost_risk),
        })
    }
}

/// Every figure of a case. Sources: Brealey, Myers and Allen, *Principles of Corporate Finance* (NPV, ROI, index,
/// payback); [`rates_of_return`] and [`modified_rate`] name their own.
///
/// # Errors
/// Bad input (no period, lists of other lengths, a number that is not finite, a rate of −1 or below, tax outside 0..1),
/// or present values beyond the range of numbers. A single figure that is undefined carries its own reason.
pub fn appraise(streams: &Streams, terms: &Terms) -> Result<Appraisal, Failure> {
    let periods = streams.benefits.len();
    let lists = [
        ("benefits", &streams.benefits),
        ("costs", &streams.costs),
        ("capital", &streams.capital),
        ("depreciation", &streams.depreciation),
    ];
    for (field, flows) in lists {
        check_finite(field, flows)?;
        if !flows.is_empty() {
            check_length(field, flows.len(), periods)?;
        }
    }
    check_within("tax", terms.tax, 0.0, 1.0)?;
    let at = |flows: &[f64], period: usize| flows.get(period).copied().unwrap_or(0.0);
    let gain: Vec<f64> = streams.benefits.iter().map(|benefit| benefit * (1.0 - terms.tax)).collect();
    let spent: Vec<f64> = (0..periods)
        .map(|t| {
            let saved = terms.tax * (at(&streams.costs, t) + at(&streams.depreciation, t));
            at(&streams.costs, t) + at(&streams.capital, t) - saved
        })
        .collect();
    let net: Vec<f64> = gain.iter().zip(&spent).map(|(gain, spent)| gain - spent).collect();

    let times = period_times(periods, terms.mid_period);
    let pv_benefits = present_value(&times, &gain, terms.rate)?;
    let pv_costs = present_value(&times, &spent, terms.rate)?;
    let net_discounted = discount(&times, &net, terms.rate)?;
    let inflows = sum(net_discounted.iter().copied().filter(|flow| *flow > 0.0));
    let outflows = -sum(net_discounted.iter().copied().filter(|flow| *flow < 0.0));
    let (all_gain, all_spent) = (in_range(sum(gain.iter().copied()))?, in_range(sum(spent.iter().copied()))?);
    Ok(Appraisal {
        pv_benefits,
        pv_costs,
        npv: present_value(&times, &net, terms.rate)?,
        roi: ratio(pv_benefits - pv_costs, pv_costs, Reason::NoCosts),
        roi_undiscounted: ratio(all_gain - all_spent, all_spent, Reason::NoCosts),
        profitability_index: ratio(inflows, outflows, Reason::NoOutflows),
        benefit_cost: ratio(pv_benefits, pv_costs, Reason::NoCosts),
        irr: rates_of_return(&times, &net)?,
        mirr: modified_rate(&times, &net, terms.finance_rate, terms.reinvest_rate),
        payback: payback(&net)?,
        discounted_payback: payback(&net_discounted)?,
        net,
    })
}

/// Times of flows in periods: 0 for the first; for later ones t, or t − ½ with `mid_period`.
pub fn period_times(count: usize, mid_period: bool) -> Vec<f64> {
    let back = if mid_period { 0.5 } else { 0.0 };
    (0..count).map(|period| if period == 0 { 0.0 } else { period as f64 - back }).collect()
}

/// Times of dated flows in years of 365 days from the first, as spreadsheets' XNPV has them. Days are counted from any
/// epoch and ascend; several flows may fall on a day.
///
/// # Errors
/// A day before the one that stands above it.
pub fn dated_times(days: &[i32]) -> Result<Vec<f64>, Failure> {
    if let Some(row) = days.windows(2).position(|pair| pair[1] < pair[0]) {
        return Err(bad("days", row + 1, Reason::NotAscending));
    }
    let first = days.first().copied().unwrap_or(0);
    Ok(days.iter().map(|day| (f64::from(*day) - f64::from(first)) / 365.0).collect())
}

/// Net present value Σ flow/(1 + rate)^time.
///
/// # Errors
/// Bad input as in [`appraise`]; a value beyond the range of numbers.
pub fn present_value(times: &[f64], flows: &[f64], rate: f64) -> Figure {
    in_range(sum(discount(times, flows, rate)?))
}

/// Each flow's present value flow/(1 + rate)^time.
///
/// # Errors
/// As [`present_value`].
pub fn discount(times: &[f64], flows: &[f64], rate: f64) -> Result<Vec<f64>, Failure> {
    check_flows(times, flows)?;
    check_rate("rate", rate)?;
    // A flow of 0 is worth 0 at any rate, also where the factor overflows.
    let value = |(time, flow): (&f64, &f64)| if *flow == 0.0 { Ok(0.0) } else { in_range(flow * factor(rate, *time)) };
    times.iter().zip(flows).map(value).collect()
}

/// Expected value over scenarios, such as the NPV of the pessimistic, base and optimistic case.
///
/// # Errors
/// Lists of different lengths, probabilities that are negative or do not sum to 1 (within 1e-9).
pub fn expected_value(probabilities: &[f64], values: &[f64]) -> Figure {
    check_length("values", values.len(), probabilities.len())?;
    super::check_weights("probabilities", probabilities.iter().copied())?;
    check_finite("values", values)?;
    if (sum(probabilities.iter().copied()) - 1.0).abs() > 1e-9 {
        return Err(bad_parameter("probabilities", Reason::NotOne));
    }
    in_range(sum(probabilities.iter().zip(values).map(|(p, value)| p * value)))
}

/// Goal seek: the `x` between `low` and `high` at which `figure` reaches `goal`. With the NPV as figure, 0 as goal and
/// a factor on one driver as `x` this is the driver's break-even.
///
/// # Errors
/// Both ends lie on one side of the goal: [`Reason::NotBracketed`]. Any failure of `figure`.
pub fn goal_seek(low: f64, high: f64, goal: f64, mut figure: impl FnMut(f64) -> Figure) -> Figure {
    check_finite("range", &[low, high, goal])?;
    optimise::root(low, high, |x| in_range(figure(x)? - goal))
}

/// (1 + rate)^−time.
fn factor(rate: f64, time: f64) -> f64 {
    (1.0 + rate).powf(-time)
}

/// A ratio whose denominator must be positive.
fn ratio(top: f64, bottom: f64, reason: Reason) -> Figure {
    if bottom > 0.0 { in_range(top / bottom) } else { Err(Failure::Degenerate(reason)) }
}

fn check_rate(field: &'static str, rate: f64) -> Result<(), Failure> {
    match rate.is_finite() && rate > -1.0 {
        true => Ok(()),
        false => Err(bad_parameter(field, Reason::OutOfRange)),
    }
}

/// At least one flow, as many times, all finite, times not before 0 and ascending.
fn check_flows(times: &[f64], flows: &[f64]) -> Result<(), Failure> {
    if flows.is_empty() {
        return Err(Failure::TooLittleData { needed: 1, got: 0 });
    }
    check_length("times", times.len(), flows.len())?;
    check_finite("flows", flows)?;
    check_finite("times", times)?;
    if times[0] < 0.0 {
        return Err(bad("times", 0, Reason::Negative));
    }
    match times.windows(2).position(|pair| pair[1] < pair[0]) {
        Some(row) => Err(bad("times", row + 1, Reason::NotAscending)),
        None => Ok(()),
    }
}
