//! Rates of return: all internal rates with their standing, and the modified one.

use super::{check_flows, check_rate, factor, ratio};
use crate::analysis::numeric::{optimise, sum};
use crate::analysis::{Failure, Figure, Reason, in_range};

/// Rates are searched from −99.99 % to 1e6. Where the flows change sign more than once the scan ends at 1e4 − 1; beyond
/// it one more root is looked for, where the sign shows that it is there.
const LOWEST: f64 = -0.9999;
const HIGHEST: f64 = 1e6;
const SCAN_HIGHEST: f64 = 1e4;
/// Points of the scan over ln(1 + rate).
const SCAN_POINTS: u32 = 4000;
const COARSE_POINTS: u32 = 200;
/// A minimum of the present value below this share of all flows touches 0. Flows that miss 0 by a fen in ten million
/// stand well above it, rounding well below.
const TOUCH: f64 = 1e-12;
/// Roots closer than this in ln(1 + rate) are one: rounding splits a root that only touches 0.
const APART: f64 = 1e-7;

/// What the internal rates of return say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateStatus {
    /// No rate in the range searched.
    None,
    /// One.
    Unique,
    /// Several, of which the positive one is the return: the cumulative flow starts negative, changes sign once and
    /// does not end at 0.
    UniquePositive,
    /// Several, none of which is the return.
    Multiple,
}

impl RateStatus {
    /// Stable text, as records and message files name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Unique => "unique",
            Self::UniquePositive => "unique_positive",
            Self::Multiple => "multiple",
        }
    }
}

/// Internal rates of return, per unit of the times.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    /// What they say.
    pub status: RateStatus,
    /// The rate that is the return.
    pub rate: Figure,
    /// Every rate above −1 in the range searched at which the present value is 0, ascending.
    pub all: Vec<f64>,
}

/// Every internal rate of return of `flows` at `times`, as [`super::period_times`] or [`super::dated_times`] give them.
///
/// One change of sign has at most one root (Descartes), found by Brent's method in a bracket that doubles from −99.99 %
/// up to 1e6. With more, the present value is scanned at 4 000 points over ln(1 + rate); each bracket and each minimum
/// of its absolute value that touches 0 gives a root. Which root is the return: Norstrom 1972, *A sufficient condition
/// for a unique nonnegative internal rate of return*, JFQA 7(3).
///
/// # Errors
/// Bad input as in [`super::appraise`]. Flows without a rate are no error but [`RateStatus::None`].
pub fn rates_of_return(times: &[f64], flows: &[f64]) -> Result<Rates, Failure> {
    check_flows(times, flows)?;
    let none = |reason| Rates { status: RateStatus::None, rate: Err(Failure::Degenerate(reason)), all: Vec::new() };
    let curve = Curve::new(times, flows);
    let roots = match curve.sign_changes() {
        0 => return Ok(none(Reason::NoSignChange)),
        1 => match curve.bracket() {
            Some((low, high)) => vec![curve.root(low, high)?],
            None => Vec::new(),
        },
        _ => curve.scan()?,
    };
    let all: Vec<f64> = roots.into_iter().map(f64::exp_m1).collect();
    let positive: Vec<f64> = all.iter().copied().filter(|rate| *rate > 0.0).collect();
    let (status, rate) = match (all.as_slice(), positive.as_slice()) {
        ([], _) => return Ok(none(Reason::NoRealRate)),
        // Conventional flows have a positive root, so a negative one alone means that it lies beyond the range.
        ([one], [_]) => (RateStatus::Unique, Ok(*one)),
        ([one], []) if !curve.is_conventional() => (RateStatus::Unique, Ok(*one)),
        (_, [one]) if curve.is_conventional() => (RateStatus::UniquePositive, Ok(*one)),
        _ => (RateStatus::Multiple, Err(Failure::Degenerate(Reason::SeveralRates))),
    };
    Ok(Rates { status, rate, all })
}

/// Whether [`rates_of_return`] would name a return, cheaply: for the many draws of a simulation. `flows` are sound.
pub(super) fn has_rate(times: &[f64], flows: &[f64]) -> Result<bool, Failure> {
    let curve = Curve::new(times, flows);
    match curve.sign_changes() {
        0 => Ok(false),
        1 => Ok(curve.bracket().is_some()),
        _ if curve.is_conventional() => {
            Ok(curve.at(HIGHEST.ln_1p()) < 0.0 || rates_of_return(times, flows)?.rate.is_ok())
        }
        // Two roots that a coarse look sees are several already.
        _ if sign_changes(points(COARSE_POINTS).map(|u| curve.at(u))) >= 2 => Ok(false),
        _ => Ok(rates_of_return(times, flows)?.rate.is_ok()),
    }
}

/// Modified internal rate of return: (FV of the inflows at the reinvestment rate/PV of the outflows at the finance
/// rate)^(1/n) − 1, with n from the first flow other than 0 to the end of the list. Source: Lin 1976, The Engineering
/// Economist 21(4).
///
/// # Errors
/// Flows of one sign: [`Reason::NoSignChange`]. Bad input as in [`super::appraise`], for either rate.
pub fn modified_rate(times: &[f64], flows: &[f64], finance_rate: f64, reinvest_rate: f64) -> Figure {
    check_flows(times, flows)?;
    check_rate("finance_rate", finance_rate)?;
    check_rate("reinvest_rate", reinvest_rate)?;
    let one_sign = Failure::Degenerate(Reason::NoSignChange);
    let start = flows.iter().position(|flow| *flow != 0.0).ok_or(one_sign)?;
    let (first, last) = (times[start], times[times.len() - 1]);
    let dated = || times.iter().zip(flows);
    let inflows = dated().filter(|(_, flow)| **flow > 0.0);
    let outflows = dated().filter(|(_, flow)| **flow < 0.0);
    let future = sum(inflows.map(|(time, flow)| flow * factor(reinvest_rate, time - last)));
    let present = -sum(outflows.map(|(time, flow)| flow * factor(finance_rate, time - first)));
    let span = last - first;
    if future <= 0.0 || present <= 0.0 || span <= 0.0 {
        return Err(one_sign);
    }
    in_range(ratio(future, present, Reason::NoOutflows)?.powf(1.0 / span) - 1.0)
}

/// The present value as a function of u = ln(1 + rate), as a share of the flows' absolute present values. The share has
/// the sign and the roots of the present value, lies within −1..1, and does not change with the unit of money.
///
/// It is multiplied out from the far end towards the end that weighs most (the first flow for u ≥ 0, the last below),
/// so every factor e^(−|u|·gap) is at most 1 and nothing overflows; equal gaps share their factor.
struct Curve {
    /// From the first flow to the last, neither of which is 0.
    forward: Vec<Step>,
    /// The other way.
    backward: Vec<Step>,
}

#[derive(Clone, Copy)]
struct Step {
    /// Time from the step before it.
    gap: f64,
    flow: f64,
}

impl Curve {
    fn new(times: &[f64], flows: &[f64]) -> Self {
        let mut net: Vec<(f64, f64)> = Vec::with_capacity(flows.len());
        for (time, flow) in times.iter().zip(flows) {
            match net.last_mut() {
                Some((last, total)) if *last == *time => *total += flow,
                _ => net.push((*time, *flow)),
            }
        }
        let start = net.iter().position(|(_, flow)| *flow != 0.0).unwrap_or(net.len());
        let end = net.iter().rposition(|(_, flow)| *flow != 0.0).map_or(start, |last| last + 1);
        let steps = |dated: &mut dyn Iterator<Item = &(f64, f64)>| {
            let mut before = None;
            let step = |(time, flow): &(f64, f64)| {
                let gap = (time - before.replace(*time).unwrap_or(*time)).abs();
                Step { gap, flow: *flow }
            };
            dated.map(step).collect()
        };
        Self { forward: steps(&mut net[start..end].iter()), backward: steps(&mut net[start..end].iter().rev()) }
    }

    fn flows(&self) -> impl Iterator<Item = f64> {
        self.forward.iter().map(|step| step.flow)
    }

    fn at(&self, u: f64) -> f64 {
        let (mut value, mut size) = (0.0, 0.0);
        self.multiply_out(u, |factor, step| {
            value = value * factor + step.flow;
            size = size * factor + step.flow.abs();
        });
        value / size
    }

    fn slope(&self, u: f64) -> f64 {
        let (mut value, mut size, mut value_slope, mut size_slope) = (0.0, 0.0, 0.0, 0.0);
        let side = if u < 0.0 { 1.0 } else { -1.0 };
        self.multiply_out(u, |factor, step| {
            value_slope = (value_slope + side * step.gap * value) * factor;
            size_slope = (size_slope + side * step.gap * size) * factor;
            value = value * factor + step.flow;
            size = size * factor + step.flow.abs();
        });
        (value_slope - size_slope * (value / size)) / size
    }

    fn multiply_out(&self, u: f64, mut add: impl FnMut(f64, &Step)) {
        let (mut gap, mut factor) = (0.0, 1.0);
        for step in if u < 0.0 { &self.forward } else { &self.backward } {
            if step.gap != gap {
                (gap, factor) = (step.gap, (-u.abs() * step.gap).exp());
            }
            add(factor, step);
        }
    }

    fn root(&self, low: f64, high: f64) -> Figure {
        optimise::root(low, high, |u| Ok(self.at(u)))
    }

    fn sign_changes(&self) -> usize {
        sign_changes(self.flows())
    }

    /// Norstrom's condition.
    fn is_conventional(&self) -> bool {
        let rounding = TOUCH * sum(self.flows().map(f64::abs));
        let mut total = 0.0;
        let add = |flow: f64| {
            total += flow;
            if total.abs() <= rounding { 0.0 } else { total }
        };
        let totals: Vec<f64> = self.flows().map(add).collect();
        let ends = (totals.first().copied().unwrap_or(0.0), totals.last().copied().unwrap_or(0.0));
        ends.0 < 0.0 && ends.1 != 0.0 && sign_changes(totals) == 1
    }

    /// Two points around the only root of flows with one change of sign.
    fn bracket(&self) -> Option<(f64, f64)> {
        let low = LOWEST.ln_1p();
        let start = self.at(low);
        let rates = std::iter::successors(Some(1.0), |rate| (*rate < HIGHEST).then(|| (rate * 2.0_f64).min(HIGHEST)));
        rates.map(f64::ln_1p).find(|high| start * self.at(*high) <= 0.0).map(|high| (low, high))
    }

    /// Every root between the ends of the scan, ascending.
    fn scan(&self) -> Result<Vec<f64>, Failure> {
        let points: Vec<f64> = points(SCAN_POINTS).collect();
        let values: Vec<f64> = points.iter().map(|u| self.at(*u)).collect();
        let mut roots = Vec::new();
        for (index, value) in values.iter().enumerate() {
            if *value == 0.0 {
                roots.push(points[index]);
            }
            let Some(next) = values.get(index + 1) else { break };
            if value * next < 0.0 {
                roots.push(self.root(points[index], points[index + 1])?);
            }
            let Some(before) = index.checked_sub(1).map(|before| values[before]) else { continue };
            let one_side = before * value > 0.0 && value * next > 0.0;
            if one_side && value.abs() <= before.abs() && value.abs() <= next.abs() {
                roots.extend(self.touching(points[index - 1], points[index + 1])?);
            }
        }
        let ends = (SCAN_HIGHEST.ln(), HIGHEST.ln_1p());
        let first = self.forward.first().map_or(0.0, |step| step.flow);
        if self.at(ends.0) * first < 0.0 && self.at(ends.1) * first > 0.0 {
            roots.push(self.root(ends.0, ends.1)?);
        }
        roots.sort_by(f64::total_cmp);
        roots.dedup_by(|next, kept| *next - *kept < APART);
        Ok(roots)
    }

    /// Roots at a minimum of the absolute value: one where the curve touches 0, two where it dips across between the
    /// points of the scan.
    fn touching(&self, low: f64, high: f64) -> Result<Vec<f64>, Failure> {
        if self.slope(low) * self.slope(high) >= 0.0 {
            return Ok(Vec::new());
        }
        let turn = optimise::root(low, high, |u| Ok(self.slope(u)))?;
        let value = self.at(turn);
        if value.abs() <= TOUCH {
            Ok(vec![turn])
        } else if value * self.at(low) < 0.0 {
            Ok(vec![self.root(low, turn)?, self.root(turn, high)?])
        } else {
            Ok(Vec::new())
        }
    }
}

/// Points of a scan over ln(1 + rate), ascending.
fn points(count: u32) -> impl Iterator<Item = f64> {
    let (low, high) = (-SCAN_HIGHEST.ln(), SCAN_HIGHEST.ln());
    let step = (high - low) / f64::from(count - 1);
    (0..count).map(move |index| low + step * f64::from(index))
}

/// Changes of sign from one value other than 0 to the next.
fn sign_changes(values: impl IntoIterator<Item = f64>) -> usize {
    let signs: Vec<bool> = values.into_iter().filter(|value| *value != 0.0).map(|value| value > 0.0).collect();
    signs.windows(2).filter(|pair| pair[0] != pair[1]).count()
}
