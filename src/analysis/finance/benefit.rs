//! What a benefit counts for: attribution, risk, evidence, ramp-up and decay, depreciation, and the guard against
//! counting one fact twice.

use std::collections::BTreeMap;

use crate::analysis::{Failure, Figure, Reason, bad, bad_parameter, check_finite, check_within};

/// Default ramp-up: the share of a benefit that arrives in the first, second, third period.
pub const RAMP: [f64; 3] = [0.25, 0.60, 1.0];

/// How good the evidence for a benefit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Randomised.
    A,
    /// Quasi-experimental.
    B,
    /// Before and after.
    C,
    /// Declared.
    D,
}

impl Grade {
    /// The share of the benefit that the evidence does not carry.
    pub fn haircut(self) -> f64 {
        match self {
            Self::A => 0.0,
            Self::B => 0.15,
            Self::C => 0.30,
            Self::D => 0.50,
        }
    }
}

/// What part of a benefit counts: share·(1 − risk)·(1 − haircut). A benefit that is not bound to a fact is declared,
/// whatever grade was typed.
///
/// # Errors
/// An attributed share or a risk outside 0..1.
pub fn benefit_factor(share: f64, risk: f64, grade: Grade, bound: bool) -> Figure {
    check_within("share", share, 0.0, 1.0)?;
    check_within("risk", risk, 0.0, 1.0)?;
    let grade = if bound { grade } else { Grade::D };
    Ok(share * (1.0 - risk) * (1.0 - grade.haircut()))
}

/// A benefit at full strength, period by period, after ramp-up and decay: nothing before period `start`, then the
/// shares of `steps` one period each, then the last share falling by `decay` a period. Without steps it is at full
/// strength at once.
///
/// # Errors
/// A step or a decay outside 0..1, a number that is not finite.
pub fn ramp(full: &[f64], start: usize, steps: &[f64], decay: f64) -> Result<Vec<f64>, Failure> {
    check_finite("full", full)?;
    for (row, step) in steps.iter().enumerate() {
        check_within("steps", *step, 0.0, 1.0).map_err(|_| bad("steps", row, Reason::OutOfRange))?;
    }
    check_within("decay", decay, 0.0, 1.0)?;
    let (last, plateau) = (steps.last().copied().unwrap_or(1.0), steps.len().max(1) - 1);
    let share = |period: usize| match period.checked_sub(start) {
        None => 0.0,
        Some(age) if age < plateau => steps[age],
        Some(age) => last * (1.0 - decay).powf((age - plateau) as f64),
    };
    Ok(full.iter().enumerate().map(|(period, amount)| amount * share(period)).collect())
}

/// Straight-line depreciation of `capital` down to `residual` over `life` periods from period `first`, cut at the
/// horizon.
///
/// # Errors
/// A life of 0; amounts that are not finite, negative, or a residual above the capital.
pub fn straight_line(
    capital: f64,
    residual: f64,
    life: usize,
    first: usize,
    horizon: usize,
) -> Result<Vec<f64>, Failure> {
    check_within("capital", capital, 0.0, f64::MAX)?;
    check_within("residual", residual, 0.0, capital)?;
    if life == 0 {
        return Err(bad_parameter("life", Reason::NotPositive));
    }
    let each = (capital - residual) / life as f64;
    let ages = |period: usize| period.checked_sub(first).is_some_and(|age| age < life);
    Ok((0..horizon).map(|period| if ages(period) { each } else { 0.0 }).collect())
}

/// A benefit line's claim on a measured fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The line that claims.
    pub line: &'a str,
    /// Key of the fact, as the uplift of one campaign.
    pub fact: &'a str,
    /// The measure that the fact is a part of.
    pub measure: &'a str,
    /// Period, as `2026-06`.
    pub period: &'a str,
    /// Amount in fen.
    pub amount: i64,
}

/// What was measured in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total<'a> {
    /// The measure.
    pub measure: &'a str,
    /// Period.
    pub period: &'a str,
    /// Amount in fen.
    pub amount: i64,
}

/// Why a claim is refused. Indexes are places in the list of claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimFault {
    /// Another line feeds on this fact and period already.
    ClaimedBefore {
        /// The claim that is refused.
        claim: usize,
        /// The claim that was first.
        first: usize,
    },
    /// With this claim the claims on a measure and period exceed what was measured.
    ExceedsTotal {
        /// The claim that is refused.
        claim: usize,
        /// What the claims accepted before it leave, in fen.
        left: i128,
    },
    /// Nothing was measured for this measure and period.
    Unmeasured {
        /// The claim that is refused.
        claim: usize,
    },
    /// The amount is negative, so it would make room for another claim.
    Negative {
        /// The claim that is refused.
        claim: usize,
    },
}

/// Double-count guard: each fact and period feeds one benefit line, once, and the claims on a measure and period stay
/// within its measured total. Claims are taken in the order given; a refused one takes nothing. Every fault is
/// returned. Where a total is given twice the last one holds.
pub fn check_claims(claims: &[Claim<'_>], totals: &[Total<'_>]) -> Vec<ClaimFault> {
    let mut left: BTreeMap<(&str, &str), i128> =
        totals.iter().map(|total| ((total.measure, total.period), i128::from(total.amount))).collect();
    let mut taken: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut faults = Vec::new();
    for (index, claim) in claims.iter().enumerate() {
        let amount = i128::from(claim.amount);
        if let Some(first) = taken.get(&(claim.fact, claim.period)) {
            faults.push(ClaimFault::ClaimedBefore { claim: index, first: *first });
            continue;
        }
        match left.get_mut(&(claim.measure, claim.period)) {
            _ if amount < 0 => faults.push(ClaimFault::Negative { claim: index }),
            None => faults.push(ClaimFault::Unmeasured { claim: index }),
            Some(left) if amount > *left => faults.push(ClaimFault::ExceedsTotal { claim: index, left: *left }),
            Some(left) => {
                *left -= amount;
                taken.insert((claim.fact, claim.period), index);
            }
        }
    }
    faults
}
