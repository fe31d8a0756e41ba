//! Capability maturity (E01): from assessors' answers and measured figures to scores of items, dimensions and the
//! whole.
//!
//! Scores run from 0 (nothing exists) to 5. The model, its weights, texts and thresholds, and the life of an assessment
//! are the callers'. [`score`] is one assessment; [`roll_up`], [`rank_gaps`] and [`compare`] work on finished scores.

mod agreement;
#[cfg(test)]
mod tests;
mod trend;

use super::numeric::{mean, median, quantile, weighted_mean};
use super::{Failure, Figure, Reason, bad, bad_parameter, check_finite, check_weights, check_within};

pub use agreement::agreement;
pub use trend::{Change, Rated, compare};

/// The highest score.
pub const HIGHEST: f64 = 5.0;
/// The most that an item without evidence counts for.
pub const EVIDENCE_CAP: f64 = 2.0;
/// Assessors whose scores lie this far apart disagree.
pub const DISAGREEMENT: f64 = 2.0;

/// What is known of one item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Item<'a> {
    /// Index of its dimension.
    pub dimension: usize,
    /// Weight in its dimension.
    pub weight: f64,
    /// A key item must reach every level that its dimension is said to be on.
    pub key: bool,
    /// Score from [`threshold_score`], for an item that is measured. Assessors may only lower it.
    pub measured: Option<f64>,
    /// One score 0..5 for each assessor who answered.
    pub scores: &'a [f64],
    /// Leaves the weights; scores are then ignored.
    pub not_applicable: bool,
    /// A document, statement, edition or survey stands behind the answers.
    pub evidence: bool,
}

/// The score of an item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ItemScore {
    /// Median of the assessors, or the measured score, after the evidence cap; `None` if not applicable or not
    /// answered.
    pub score: Option<f64>,
    /// Lowest and highest answer, before the cap.
    pub range: Option<(f64, f64)>,
    /// The range is 2 or wider.
    pub disagreement: bool,
    /// The evidence cap lowered the score.
    pub capped: bool,
}

/// Both scores of a dimension, 0..5. Shown together, never one alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Weighted mean of its items.
    pub continuous: f64,
    /// The largest level that every key item and at least 80 % of the answered items reach.
    pub staged: u8,
}

/// The score of a dimension.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dimension {
    /// Its level, or why it has none: [`Reason::ManyAbsent`], [`Reason::NoData`], [`Reason::NoWeight`].
    pub level: Result<Level, Failure>,
    /// Its items.
    pub items: usize,
    /// Those with a score.
    pub answered: usize,
    /// Share of its items that are not applicable or not answered.
    pub absent_share: f64,
    /// Share of its answered items with evidence.
    pub evidence_share: Figure,
}

/// The score of the whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Whole {
    /// 20·Σ W·continuous/Σ W, 0..100.
    pub index: f64,
    /// The lowest staged level of any dimension.
    pub staged: u8,
}

/// A scored assessment.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// In the order of the items.
    pub items: Vec<ItemScore>,
    /// In the order of the dimensions.
    pub dimensions: Vec<Dimension>,
    /// The whole; a dimension without a level leaves it without one ([`Reason::DimensionNotScored`]).
    pub whole: Result<Whole, Failure>,
    /// Confidence: share of the answered items with evidence.
    pub evidence_share: Figure,
}

/// Scores an assessment by the rules of section 1.2 of the evaluation design. An item that nobody answered counts like
/// one that is not applicable: otherwise leaving hard questions open would pass the 20 % rule.
///
/// # Errors
/// Bad input: an unknown dimension, a weight that is negative, a score outside 0..5 or above the measured one.
pub fn score(items: &[Item<'_>], dimension_weights: &[f64]) -> Result<Assessment, Failure> {
    check_weights("dimension_weights", dimension_weights.iter().copied())?;
    check_weights("weight", items.iter().map(|item| item.weight))?;
    let mut scores = Vec::with_capacity(items.len());
    for (row, item) in items.iter().enumerate() {
        if item.dimension >= dimension_weights.len() {
            return Err(bad("dimension", row, Reason::OutOfRange));
        }
        scores.push(score_item(row, item)?);
    }
    let dimensions: Vec<Dimension> = (0..dimension_weights.len())
        .map(|dimension| {
            let of = |(item, _): &(&Item<'_>, &ItemScore)| item.dimension == dimension;
            score_dimension(&items.iter().zip(&scores).filter(of).collect::<Vec<_>>())
        })
        .collect();
    let whole = score_whole(&dimensions, dimension_weights);
    let evidence_share = evidence_share(items.iter().zip(&scores));
    Ok(Assessment { items: scores, dimensions, whole, evidence_share })
}

fn score_item(row: usize, item: &Item<'_>) -> Result<ItemScore, Failure> {
    let none = ItemScore { score: None, range: None, disagreement: false, capped: false };
    if item.not_applicable {
        return Ok(none);
    }
    for value in item.scores.iter().chain(&item.measured) {
        if !(0.0..=HIGHEST).contains(value) {
            return Err(bad("scores", row, Reason::OutOfRange));
        }
    }
    if item.measured.is_some_and(|measured| item.scores.iter().any(|value| *value > measured)) {
        return Err(bad("scores", row, Reason::AboveMeasured));
    }
    let Some(found) = median(item.scores).or(item.measured) else { return Ok(none) };
    let low = item.scores.iter().copied().fold(f64::INFINITY, f64::min).min(found);
    let high = item.scores.iter().copied().fold(f64::NEG_INFINITY, f64::max).max(found);
    let cap = if item.evidence { HIGHEST } else { EVIDENCE_CAP };
    Ok(ItemScore {
        score: Some(found.min(cap)),
        range: Some((low, high)),
        disagreement: high - low >= DISAGREEMENT,
        capped: found > cap,
    })
}

fn score_dimension(items: &[(&Item<'_>, &ItemScore)]) -> Dimension {
    let answered: Vec<(&Item<'_>, f64)> =
        items.iter().filter_map(|(item, score)| score.score.map(|score| (*item, score))).collect();
    let absent = items.len() - answered.len();
    let level = || {
        if answered.is_empty() {
            return Err(Failure::Degenerate(Reason::NoData));
        }
        // In integers: 1 of 5 is exactly 20 % and still scored.
        if 5 * absent > items.len() {
            return Err(Failure::Degenerate(Reason::ManyAbsent));
        }
        let parts = answered.iter().map(|(item, score)| (item.weight, *score));
        let continuous = weighted_mean(parts).ok_or(Failure::Degenerate(Reason::NoWeight))?;
        Ok(Level { continuous, staged: staged(&answered) })
    };
    Dimension {
        level: level(),
        items: items.len(),
        answered: answered.len(),
        absent_share: if items.is_empty() { 0.0 } else { absent as f64 / items.len() as f64 },
        evidence_share: evidence_share(items.iter().copied()),
    }
}

fn staged(answered: &[(&Item<'_>, f64)]) -> u8 {
    let reached = |level: &u8| {
        let on = |score: f64| score >= f64::from(*level);
        let count = answered.iter().filter(|(_, score)| on(*score)).count();
        answered.iter().all(|(item, score)| !item.key || on(*score)) && 5 * count >= 4 * answered.len()
    };
    (1..=5).rev().find(reached).unwrap_or(0)
}

fn score_whole(dimensions: &[Dimension], weights: &[f64]) -> Result<Whole, Failure> {
    let levels: Option<Vec<Level>> = dimensions.iter().map(|dimension| dimension.level.ok()).collect();
    let levels = levels.ok_or(Failure::Degenerate(Reason::DimensionNotScored))?;
    let staged = levels.iter().map(|level| level.staged).min().ok_or(Failure::Degenerate(Reason::NoData))?;
    let parts = weights.iter().zip(&levels).map(|(weight, level)| (*weight, level.continuous));
    let index = 20.0 * weighted_mean(parts).ok_or(Failure::Degenerate(Reason::NoWeight))?;
    Ok(Whole { index, staged })
}

fn evidence_share<'a>(items: impl Iterator<Item = (&'a Item<'a>, &'a ItemScore)>) -> Figure {
    let answered = items.filter(|(_, score)| score.score.is_some());
    let evidence: Vec<f64> = answered.map(|(item, _)| f64::from(u8::from(item.evidence))).collect();
    mean(&evidence).ok_or(Failure::Degenerate(Reason::NoData))
}

/// Score 0..5 of a measured figure: `thresholds` are its values at the scores 0 to 5, all rising or all falling; linear
/// between them, clipped outside.
///
/// # Errors
/// Thresholds or a value that are not finite; thresholds that neither rise nor fall throughout.
pub fn threshold_score(thresholds: &[f64; 6], value: f64) -> Figure {
    check_finite("thresholds", thresholds)?;
    check_finite("value", &[value])?;
    let rising = thresholds[5] > thresholds[0];
    if !thresholds.windows(2).all(|pair| if rising { pair[0] < pair[1] } else { pair[0] > pair[1] }) {
        return Err(bad_parameter("thresholds", Reason::NotMonotone));
    }
    let passed = |threshold: f64| if rising { value >= threshold } else { value <= threshold };
    let level = thresholds.iter().filter(|threshold| passed(**threshold)).count();
    Ok(match level {
        0 => 0.0,
        6 => HIGHEST,
        _ => {
            let (from, to) = (thresholds[level - 1], thresholds[level]);
            (level - 1) as f64 + (value - from) / (to - from)
        }
    })
}

/// Score 0..5 by the RADAR logic of EFQM from approach, deployment and results, each 0..100: 5·(0.3·a + 0.4·d +
/// 0.3·r)/100.
///
/// # Errors
/// A part outside 0..100.
pub fn radar_score(approach: f64, deployment: f64, results: f64) -> Figure {
    check_within("approach", approach, 0.0, 100.0)?;
    check_within("deployment", deployment, 0.0, 100.0)?;
    check_within("results", results, 0.0, 100.0)?;
    Ok(HIGHEST * (0.3 * approach + 0.4 * deployment + 0.3 * results) / 100.0)
}

/// A bank's score from head office and branches, and how the branches lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RollUp {
    /// share·head office + (1 − share)·Σ(branch·weight)/Σ weight.
    pub bank: f64,
    /// The lowest branch.
    pub minimum: f64,
    /// The lower quartile of the branches, linear between neighbours, not weighted.
    pub p25: f64,
    /// The median of the branches, not weighted.
    pub median: f64,
}

/// Rolls scores of branches, as (score, weight), up to the bank.
///
/// # Errors
/// No branch; weights that are negative or sum to 0; a share outside 0..1.
pub fn roll_up(head_office: f64, branches: &[(f64, f64)], head_office_share: f64) -> Result<RollUp, Failure> {
    check_within("head_office_share", head_office_share, 0.0, 1.0)?;
    check_finite("head_office", &[head_office])?;
    let mut scores: Vec<f64> = branches.iter().map(|(score, _)| *score).collect();
    check_finite("branches", &scores)?;
    check_weights("weights", branches.iter().map(|(_, weight)| *weight))?;
    scores.sort_by(f64::total_cmp);
    let at = |share| quantile(&scores, share).ok_or(Failure::TooLittleData { needed: 1, got: 0 });
    let (minimum, p25, median) = (at(0.0)?, at(0.25)?, at(0.5)?);
    let mean = weighted_mean(branches.iter().map(|(score, weight)| (*weight, *score)));
    let mean = mean.ok_or(Failure::Degenerate(Reason::NoWeight))?;
    let bank = head_office_share * head_office + (1.0 - head_office_share) * mean;
    Ok(RollUp { bank, minimum, p25, median })
}

/// A score against its target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// Score now.
    pub current: f64,
    /// Score wanted.
    pub target: f64,
    /// Weight of the item or dimension.
    pub weight: f64,
    /// How strongly the benefits of the programme hang on it, 0 or more.
    pub benefit_link: f64,
    /// Effort to close it, 1..5.
    pub effort: f64,
}

/// A gap with its rank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankedGap {
    /// Index in the list handed in.
    pub index: usize,
    /// target − current; negative where the target is exceeded.
    pub gap: f64,
    /// gap × weight × benefit link ÷ effort.
    pub priority: f64,
}

/// Gaps by descending priority, equal ones in the order given.
///
/// # Errors
/// A number that is not finite, a negative weight or benefit link, an effort outside 1..5.
pub fn rank_gaps(gaps: &[Gap]) -> Result<Vec<RankedGap>, Failure> {
    check_weights("weight", gaps.iter().map(|gap| gap.weight))?;
    check_weights("benefit_link", gaps.iter().map(|gap| gap.benefit_link))?;
    let mut ranked = Vec::with_capacity(gaps.len());
    for (index, entry) in gaps.iter().enumerate() {
        if !(1.0..=5.0).contains(&entry.effort) {
            return Err(bad("effort", index, Reason::OutOfRange));
        }
        let gap = entry.target - entry.current;
        if !gap.is_finite() {
            return Err(bad("gap", index, Reason::NotFinite));
        }
        ranked.push(RankedGap { index, gap, priority: gap * entry.weight * entry.benefit_link / entry.effort });
    }
    ranked.sort_by(|a, b| b.priority.total_cmp(&a.priority));
    Ok(ranked)
}
