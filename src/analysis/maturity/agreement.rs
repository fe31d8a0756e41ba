//! Agreement of assessors.

use crate::analysis::numeric::sum;
use crate::analysis::{Failure, Figure, Reason, check_finite, check_length};

/// Krippendorff's α for ordinal scores, `scores[assessor][item]`, `None` where an assessor gave none: 1 is full
/// agreement, 0 what chance would give. Items with fewer than two scores do not count. Source: Krippendorff 2011,
/// *Computing Krippendorff's Alpha-Reliability*.
///
/// # Errors
/// No item with two scores; all those scores equal, so that chance cannot be told from agreement
/// ([`Reason::NoVariation`]); rows of different lengths.
pub fn agreement(scores: &[Vec<Option<f64>>]) -> Figure {
    let items = scores.first().map_or(0, Vec::len);
    for row in scores {
        check_length("scores", row.len(), items)?;
        check_finite("scores", &row.iter().flatten().copied().collect::<Vec<_>>())?;
    }
    let of_item = |item: usize| scores.iter().filter_map(|row| row[item]).collect::<Vec<f64>>();
    let units: Vec<Vec<f64>> = (0..items).map(of_item).filter(|unit| unit.len() >= 2).collect();
    if units.is_empty() {
        return Err(Failure::TooLittleData { needed: 2, got: items.min(scores.len()).min(1) });
    }
    let mut levels: Vec<f64> = units.iter().flatten().copied().collect();
    let total = levels.len() as f64;
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let count = |unit: &[f64], level: f64| unit.iter().filter(|value| **value == level).count() as f64;
    let margins: Vec<f64> = levels.iter().map(|level| units.iter().map(|unit| count(unit, *level)).sum()).collect();
    // Ordinal distance: how many scores lie between two levels, half of those on them included.
    let distance = |low: usize, high: usize| {
        let between: f64 = margins[low..=high].iter().sum();
        (between - (margins[low] + margins[high]) / 2.0).powi(2)
    };
    let pairs = || (0..levels.len()).flat_map(|high| (0..high).map(move |low| (low, high)));
    let observed = sum(pairs().map(|(low, high)| {
        let in_unit = |unit: &Vec<f64>| count(unit, levels[low]) * count(unit, levels[high]) / (unit.len() - 1) as f64;
        distance(low, high) * sum(units.iter().map(in_unit))
    }));
    let expected = sum(pairs().map(|(low, high)| distance(low, high) * margins[low] * margins[high]));
    if expected == 0.0 {
        return Err(Failure::Degenerate(Reason::NoVariation));
    }
    Ok(1.0 - (total - 1.0) * observed / expected)
}
