//! Change from one assessment to a later one.

use std::collections::BTreeMap;

use crate::analysis::numeric::special::Z_975;
use crate::analysis::numeric::{mean, sum, weighted_mean};
use crate::analysis::{Failure, Reason, bad, check_finite, check_weights};

/// With one assessor a change from this size on is called real.
const ONE_ASSESSOR: f64 = 0.5;

/// An item of a locked assessment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rated<'a> {
    /// Key of the item.
    pub key: &'a str,
    /// Version of its text.
    pub version: u32,
    /// Weight.
    pub weight: f64,
    /// Its score; `None` if not applicable.
    pub score: Option<f64>,
    /// Score by assessor, in the same order in all items.
    pub assessors: &'a [Option<f64>],
}

/// A change of score between two assessments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Score after less score before, weighted mean over the common items.
    pub change: f64,
    /// Items in common.
    pub items: usize,
    /// √(SE₁² + SE₂²); `None` with one assessor on a side.
    pub standard_error: Option<f64>,
    /// |change| > 1.96·standard error; with one assessor, |change| ≥ 0.5.
    pub real: bool,
}

/// Compares two assessments on the items with equal key, equal text version and a score on both sides, with the weights
/// of the later one.
///
/// The standard error of a side is that of the mean over its assessors, each taken by the weighted mean of the
/// deviations from the items' means. Errors item by item would be too small: an assessor who is lenient on one item is
/// so on all.
///
/// # Errors
/// Nothing in common: [`Reason::NothingInCommon`]. A key given twice, a negative weight, a score that is not finite;
/// weights of the common items that sum to 0: [`Reason::NoWeight`].
pub fn compare(before: &[Rated<'_>], after: &[Rated<'_>]) -> Result<Change, Failure> {
    let (earlier, later) = (by_key(before)?, by_key(after)?);
    let mut common = Vec::new();
    for (key, new) in &later {
        let old = earlier.get(key).filter(|old| old.version == new.version);
        if let Some((old, old_score, new_score)) = old.and_then(|old| Some((old, old.score?, new.score?))) {
            common.push((new.weight, *old, *new, new_score - old_score));
        }
    }
    if common.is_empty() {
        return Err(Failure::Degenerate(Reason::NothingInCommon));
    }
    let change = weighted_mean(common.iter().map(|(weight, _, _, change)| (*weight, *change)));
    let change = change.ok_or(Failure::Degenerate(Reason::NoWeight))?;
    let old_error = squared_error(common.iter().map(|(weight, old, _, _)| (*weight, old.assessors)));
    let new_error = squared_error(common.iter().map(|(weight, _, new, _)| (*weight, new.assessors)));
    let standard_error = old_error.zip(new_error).map(|(old, new)| (old + new).sqrt());
    let real = match standard_error {
        Some(error) => change.abs() > Z_975 * error,
        None => change.abs() >= ONE_ASSESSOR,
    };
    Ok(Change { change, items: common.len(), standard_error, real })
}

fn by_key<'a>(items: &'a [Rated<'a>]) -> Result<BTreeMap<&'a str, &'a Rated<'a>>, Failure> {
    check_weights("weight", items.iter().map(|item| item.weight))?;
    let mut found = BTreeMap::new();
    for (row, item) in items.iter().enumerate() {
        let given: Vec<f64> = item.assessors.iter().chain([&item.score]).flatten().copied().collect();
        check_finite("score", &given).map_err(|_| bad("score", row, Reason::NotFinite))?;
        if found.insert(item.key, item).is_some() {
            return Err(bad("key", row, Reason::Duplicate));
        }
    }
    Ok(found)
}

/// Square of the standard error over assessors; `None` with fewer than two.
fn squared_error<'a>(items: impl Iterator<Item = (f64, &'a [Option<f64>])>) -> Option<f64> {
    let mut deviations: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
    for (weight, assessors) in items {
        let given: Vec<f64> = assessors.iter().flatten().copied().collect();
        let Some(centre) = mean(&given) else { continue };
        for (assessor, score) in assessors.iter().enumerate() {
            let Some(score) = score else { continue };
            deviations.entry(assessor).or_default().push((weight, score - centre));
        }
    }
    let effects: Vec<f64> = deviations.into_values().filter_map(weighted_mean).collect();
    let count = effects.len() as f64;
    (count >= 2.0).then(|| sum(effects.iter().map(|effect| effect * effect)) / (count * (count - 1.0)))
}
