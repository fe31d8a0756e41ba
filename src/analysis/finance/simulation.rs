//! Monte Carlo of a case: how NPV and ROI spread when each line spreads between its low and its high estimate.
//!
//! A line moves as one: one draw sets the same quantile in all its periods, since a line that disappoints does so for
//! years; independent periods would average the risk away. Lines move together by a Gaussian copula on rank
//! correlations. Draws come from ChaCha8 with one stream for each 4 096 of them, so the number of threads can never
//! matter.

#[cfg(test)]
mod tests;

use std::f64::consts::{FRAC_PI_6, TAU};

use chacha20::ChaCha8Rng;
use rand::{Rng, SeedableRng};

use super::rate::has_rate;
use super::{check_rate, discount, period_times};
use crate::analysis::numeric::special::{Z_90, beta_density, beta_quantile, normal_below, normal_density};
use crate::analysis::numeric::{linear, mean, quantile, sum, variance};
use crate::analysis::{Failure, Reason, bad, bad_parameter, check_finite, check_length, check_within};

const CHUNK: usize = 4096;
const MOST_DRAWS: usize = 1_000_000;

/// Form of a distribution given by three points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Density linear up to the likely value and down again.
    Triangular,
    /// Beta with α = 1 + 4(likely − low)/(high − low), α + β = 6.
    Pert,
}

/// A line of the case, with three estimates a period, already adjusted for share, risk, evidence and tax.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// A benefit, else a cost. Costs are positive numbers.
    pub benefit: bool,
    /// Form of its distribution.
    pub shape: Shape,
    /// Lowest estimate by period.
    pub low: Vec<f64>,
    /// Likely estimate by period.
    pub likely: Vec<f64>,
    /// Highest estimate by period.
    pub high: Vec<f64>,
}

/// How to draw.
#[derive(Debug, Clone, PartialEq)]
pub struct Draws {
    /// Rank correlations (Spearman) of two lines by index; pairs not named are 0.
    pub correlations: Vec<(usize, usize, f64)>,
    /// Discount rate a period.
    pub rate: f64,
    /// Middle-of-period convention, as in [`super::Terms`].
    pub mid_period: bool,
    /// ROI to reach.
    pub target_roi: f64,
    /// Number of draws; 10 000 is usual.
    pub draws: usize,
    /// Random start. Equal starts give equal results.
    pub seed: u64,
}

/// A simulated figure and its simulation error (one standard error).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Its standard error, which falls with the square root of the draws.
    pub error: f64,
}

/// How a figure spreads over the draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Mean.
    pub mean: Estimate,
    /// Standard deviation.
    pub sd: f64,
    /// Value that one draw in ten stays below.
    pub p10: Estimate,
    /// Median.
    pub p50: Estimate,
    /// Value that nine draws in ten stay below.
    pub p90: Estimate,
}

/// One bar of the tornado: the NPV with one line at its P10 and at its P90, all others at their likely values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Swing {
    /// Index of the line.
    pub line: usize,
    /// NPV with the line at its P10.
    pub at_p10: f64,
    /// NPV with the line at its P90.
    pub at_p90: f64,
}

/// What the draws say. Money is in the unit of the lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    /// Net present value.
    pub npv: Spread,
    /// Discounted ROI over the draws where it is defined; too few of them: the reason.
    pub roi: Result<Spread, Failure>,
    /// Share of draws with NPV > 0.
    pub npv_positive: Estimate,
    /// Share of draws with ROI at or above the target; a draw without ROI has not reached it.
    pub roi_reached: Estimate,
    /// Expected shortfall below 0, the mean of max(0, −NPV): what cover against a loss would cost without profit.
    pub shortfall: Estimate,
    /// Widest bar first.
    pub tornado: Vec<Swing>,
    /// NPV with every line at its likely value, where the bars meet.
    pub npv_likely: f64,
    /// Draws without ROI, since the present value of their costs is not above 0.
    pub without_roi: usize,
    /// Draws whose internal rate of return is undefined. The rate is not averaged: a mean over the rest would mislead.
    pub without_irr: usize,
}

/// Draws the case. PERT: Malcolm et al. 1959, as a beta distribution; copula: normal correlation
/// 2·sin(π·ρ/6) for a rank correlation ρ (Pearson 1907); errors of quantiles from order statistics.
///
/// # Errors
/// Bad input: no line, no period, lists of different lengths, low ≤ likely ≤ high broken, draws outside 2..1 000 000, a
/// correlation outside −1..1, given twice or of a line with itself, correlations that cannot hold together
/// ([`Reason::NotSemidefinite`]).
pub fn simulate(lines: &[Line], draws: &Draws) -> Result<Simulation, Failure> {
    let periods = check(lines, draws)?;
    let times = period_times(periods, draws.mid_period);
    let factors = discount(&times, &vec![1.0; periods], draws.rate)?;
    let worth = |flows: &[f64]| sum(flows.iter().zip(&factors).map(|(flow, factor)| flow * factor));
    let mixing = mixing(lines.len(), &draws.correlations)?;
    let mut tables = Vec::new();
    let spans: Vec<Vec<Span>> = lines.iter().map(|line| line.spans(&mut tables)).collect();

    let (mut npv, mut roi) = (Vec::with_capacity(draws.draws), Vec::with_capacity(draws.draws));
    let (mut without_irr, mut reached) = (0_usize, 0_usize);
    let mut known = vec![0.0; tables.len()];
    let mut normals = vec![0.0; lines.len()];
    let (mut gains, mut costs) = (vec![0.0; periods], vec![0.0; periods]);
    for chunk in 0..draws.draws.div_ceil(CHUNK) {
        let mut source = Normals::new(draws.seed, chunk as u64);
        for _ in 0..CHUNK.min(draws.draws - chunk * CHUNK) {
            normals.fill_with(|| source.next());
            gains.fill(0.0);
            costs.fill(0.0);
            for ((line, spans), row) in lines.iter().zip(&spans).zip(&mixing) {
                let quantile = Quantile::at(row.iter().zip(&normals).map(|(weight, normal)| weight * normal).sum());
                let flows = if line.benefit { &mut gains } else { &mut costs };
                add_flows(flows, spans, &tables, quantile, &mut known);
            }
            let (pv_gains, pv_costs) = (worth(&gains), worth(&costs));
            npv.push(pv_gains - pv_costs);
            if pv_costs > 0.0 {
                let value = (pv_gains - pv_costs) / pv_costs;
                roi.push(value);
                reached += usize::from(value >= draws.target_roi);
            }
            gains.iter_mut().zip(&costs).for_each(|(gain, cost)| *gain -= cost);
            without_irr += usize::from(!has_rate(&times, &gains)?);
        }
    }
    if npv.iter().chain(&roi).any(|value| !value.is_finite()) {
        return Err(Failure::Degenerate(Reason::Overflow));
    }
    let signed = |line: &Line, flows: &[f64]| if line.benefit { worth(flows) } else { -worth(flows) };
    let npv_likely = sum(lines.iter().map(|line| signed(line, &line.likely)));
    let at = |index: usize, z: f64| {
        let line: &Line = &lines[index];
        let mut flows = vec![0.0; periods];
        add_flows(&mut flows, &spans[index], &tables, Quantile::at(z), &mut vec![0.0; tables.len()]);
        npv_likely - signed(line, &line.likely) + signed(line, &flows)
    };
    let mut tornado: Vec<Swing> =
        (0..lines.len()).map(|line| Swing { line, at_p10: at(line, -Z_90), at_p90: at(line, Z_90) }).collect();
    let width = |swing: &Swing| (swing.at_p90 - swing.at_p10).abs();
    tornado.sort_by(|a, b| width(b).total_cmp(&width(a)));
    let losses: Vec<f64> = npv.iter().map(|value| (-value).max(0.0)).collect();
    Ok(Simulation {
        npv_positive: share(npv.iter().filter(|value| **value > 0.0).count(), draws.draws),
        roi_reached: share(reached, draws.draws),
        shortfall: mean_estimate(&losses)?,
        without_roi: draws.draws - roi.len(),
        npv: spread(npv)?,
        roi: spread(roi),
        tornado,
        npv_likely,
        without_irr,
    })
}

/// Number of periods.
fn check(lines: &[Line], draws: &Draws) -> Result<usize, Failure> {
    let Some(periods) = lines.first().map(|line| line.low.len()).filter(|periods| *periods > 0) else {
        return Err(Failure::TooLittleData { needed: 1, got: 0 });
    };
    for (row, line) in lines.iter().enumerate() {
        for (field, list) in [("low", &line.low), ("likely", &line.likely), ("high", &line.high)] {
            check_length(field, list.len(), periods)?;
            check_finite(field, list)?;
        }
        let ordered = |period: usize| (line.low[period]..=line.high[period]).contains(&line.likely[period]);
        if !(0..periods).all(ordered) {
            return Err(bad("lines", row, Reason::NotOrdered));
        }
    }
    check_rate("rate", draws.rate)?;
    check_finite("target_roi", &[draws.target_roi])?;
    check_within("draws", draws.draws as f64, 2.0, MOST_DRAWS as f64)?;
    Ok(periods)
}

/// Rows that mix independent normals into correlated ones, one a line.
fn mixing(lines: usize, correlations: &[(usize, usize, f64)]) -> Result<Vec<Vec<f64>>, Failure> {
    let identity = |row| (0..lines).map(|column| if row == column { 1.0 } else { 0.0 }).collect();
    let mut matrix: Vec<Vec<f64>> = (0..lines).map(identity).collect();
    let mut given = Vec::with_capacity(correlations.len());
    for (row, (a, b, rank)) in correlations.iter().copied().enumerate() {
        if a.max(b) >= lines || a == b || !(-1.0..=1.0).contains(&rank) {
            return Err(bad("correlations", row, Reason::OutOfRange));
        }
        let pair = (a.min(b), a.max(b));
        if given.contains(&pair) {
            return Err(bad("correlations", row, Reason::Duplicate));
        }
        given.push(pair);
        let normal = 2.0 * (FRAC_PI_6 * rank).sin();
        matrix[a][b] = normal;
        matrix[b][a] = normal;
    }
    linear::square_root(&matrix).ok_or(bad_parameter("correlations", Reason::NotSemidefinite))
}

/// The place of one period's estimates: from `low`, `width` wide, along the table of its shape.
struct Span {
    table: usize,
    low: f64,
    width: f64,
}

impl Line {
    /// Spans by period. Periods of the same proportions, and lines, share a table.
    fn spans(&self, tables: &mut Vec<Table>) -> Vec<Span> {
        let estimates = self.low.iter().zip(&self.likely).zip(&self.high);
        let span = |((low, likely), high): ((&f64, &f64), &f64)| {
            let width = high - low;
            let mode = if width > 0.0 { ((likely - low) / width).clamp(0.0, 1.0) } else { 0.5 };
            let known = tables.iter().position(|table| table.shape == self.shape && (table.mode - mode).abs() < 1e-9);
            let table = known.unwrap_or_else(|| {
                tables.push(Table::new(self.shape, mode));
                tables.len() - 1
            });
            Span { table, low: *low, width }
        };
        estimates.map(span).collect()
    }
}

/// A point of the standard normal distribution.
#[derive(Debug, Clone, Copy)]
struct Quantile {
    z: f64,
    below: f64,
    above: f64,
}

impl Quantile {
    fn at(z: f64) -> Self {
        Self { z, below: normal_below(z), above: normal_below(-z) }
    }
}

/// Adds a line's flows at a quantile. `known` is room for the values of the tables.
fn add_flows(flows: &mut [f64], spans: &[Span], tables: &[Table], quantile: Quantile, known: &mut [f64]) {
    known.fill(f64::NAN);
    for (flow, span) in flows.iter_mut().zip(spans) {
        let value = &mut known[span.table];
        if value.is_nan() {
            *value = tables[span.table].at(quantile);
        }
        *flow += span.low + span.width * *value;
    }
}

/// Quantiles of a shape between 0 and 1, by normal quantile. The beta quantile is an iteration, far too slow for each
/// draw; between nodes a cubic with the exact slope is exact to nine digits.
#[derive(Debug)]
struct Table {
    shape: Shape,
    mode: f64,
    /// Value and slope at each node; empty for the triangular shape, which has a closed form.
    nodes: Vec<(f64, f64)>,
}

impl Table {
    const REACH: f64 = 8.0;
    const PER_UNIT: f64 = 32.0;

    fn new(shape: Shape, mode: f64) -> Self {
        let count = (2.0 * Self::REACH * Self::PER_UNIT) as i32;
        let node = |index: i32| pert_node(mode, f64::from(index) / Self::PER_UNIT - Self::REACH);
        let nodes = if shape == Shape::Pert { (0..=count).map(node).collect() } else { Vec::new() };
        Self { shape, mode, nodes }
    }

    fn at(&self, Quantile { z, below, above }: Quantile) -> f64 {
        if self.shape == Shape::Triangular {
            // From the nearer end, so that neither tail loses digits.
            return if below <= self.mode {
                (below * self.mode).sqrt()
            } else {
                1.0 - (above * (1.0 - self.mode)).sqrt()
            };
        }
        let place = (z.clamp(-Self::REACH, Self::REACH) + Self::REACH) * Self::PER_UNIT;
        let index = (place as usize).min(self.nodes.len() - 2);
        let ((left, left_slope), (right, right_slope)) = (self.nodes[index], self.nodes[index + 1]);
        let (t, step) = (place - index as f64, 1.0 / Self::PER_UNIT);
        let s = 1.0 - t;
        s * s * (1.0 + 2.0 * t) * left
            + t * t * (1.0 + 2.0 * s) * right
            + s * t * step * (s * left_slope - t * right_slope)
    }
}

/// Quantile of PERT between 0 and 1 at the normal quantile `z`, and its slope there.
fn pert_node(mode: f64, z: f64) -> (f64, f64) {
    let (alpha, beta) = (1.0 + 4.0 * mode, 5.0 - 4.0 * mode);
    if z > 0.0 {
        let (value, slope) = pert_node(1.0 - mode, -z);
        return (1.0 - value, slope);
    }
    let value = beta_quantile(normal_below(z), alpha, beta);
    (value, normal_density(z) / beta_density(value, alpha, beta))
}

/// Standard normal numbers by Box and Muller 1958.
struct Normals {
    generator: ChaCha8Rng,
    spare: Option<f64>,
}

impl Normals {
    fn new(seed: u64, stream: u64) -> Self {
        // Not `seed_from_u64`: how that spreads a number over the key is the crate's affair and may change.
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(stream);
        Self { generator, spare: None }
    }

    fn next(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sine, cosine) = (TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sine);
        radius * cosine
    }

    /// Above 0, up to 1, in steps of 2⁻⁵³.
    fn uniform(&mut self) -> f64 {
        ((self.generator.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

fn share(hits: usize, draws: usize) -> Estimate {
    // The error is that of Agresti and Coull 1998: a share of 0 or 1 is not certain.
    let (wider, draws) = (draws as f64 + 4.0, draws as f64);
    let centre = (hits as f64 + 2.0) / wider;
    Estimate { value: hits as f64 / draws, error: (centre * (1.0 - centre) / wider).sqrt() }
}

fn mean_estimate(values: &[f64]) -> Result<Estimate, Failure> {
    let too_few = Failure::TooLittleData { needed: 2, got: values.len() };
    let (value, spread) = (mean(values).ok_or(too_few)?, variance(values).ok_or(too_few)?);
    Ok(Estimate { value, error: (spread / values.len() as f64).sqrt() })
}

fn spread(mut values: Vec<f64>) -> Result<Spread, Failure> {
    let mean = mean_estimate(&values)?;
    let too_few = Failure::TooLittleData { needed: 2, got: values.len() };
    let sd = variance(&values).ok_or(too_few)?.sqrt();
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        // The number of draws below the true quantile has this standard deviation; the values at that distance bound
        // it.
        let away = (share * (1.0 - share) / values.len() as f64).sqrt();
        let (low, high) = (quantile(&values, share - away), quantile(&values, share + away));
        let value = quantile(&values, share).ok_or(too_few)?;
        Ok(Estimate { value, error: (high.ok_or(too_few)? - low.ok_or(too_few)?) / 2.0 })
    };
    Ok(Spread { mean, sd, p10: at(0.1)?, p50: at(0.5)?, p90: at(0.9)? })
}
