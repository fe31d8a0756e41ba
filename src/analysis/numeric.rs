//! Numeric core of the analyses: sums and quantiles here, root finding, distributions and least squares below.

pub(super) mod linear;
pub(super) mod optimise;
pub(super) mod special;
#[cfg(test)]
mod tests;

/// Compensated sum (Neumaier 1974): the order of the terms hardly matters, large and small ones mix without loss.
pub(super) fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut total, mut lost) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = total + value;
        lost += if total.abs() >= value.abs() { (total - next) + value } else { (value - next) + total };
        total = next;
    }
    // An overflow leaves NaN in what was lost; the caller should see the infinity.
    if lost.is_finite() { total + lost } else { total }
}

/// Mean; `None` of nothing.
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(sum(values.iter().copied()) / values.len() as f64) }
}

/// Sample variance about the mean; `None` of fewer than two.
pub(super) fn variance(values: &[f64]) -> Option<f64> {
    let centre = mean(values).filter(|_| values.len() > 1)?;
    Some(sum(values.iter().map(|value| (value - centre).powi(2))) / (values.len() - 1) as f64)
}

/// Weighted mean of what has a value; `None` where the weights sum to 0.
pub(super) fn weighted_mean(parts: impl IntoIterator<Item = (f64, f64)> + Clone) -> Option<f64> {
    let weight = sum(parts.clone().into_iter().map(|(weight, _)| weight));
    (weight > 0.0).then(|| sum(parts.into_iter().map(|(weight, value)| weight * value)) / weight)
}

/// Quantile of ascending values, linear between neighbours (type 7 of Hyndman and Fan 1996); `None` of nothing.
pub(super) fn quantile(ascending: &[f64], share: f64) -> Option<f64> {
    let place = share.clamp(0.0, 1.0) * ascending.len().checked_sub(1)? as f64;
    let below = place.floor();
    let (low, high) = (ascending.get(below as usize)?, ascending.get(place.ceil() as usize)?);
    Some(low + (high - low) * (place - below))
}

/// Median; `None` of nothing.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut ascending = values.to_vec();
    ascending.sort_by(f64::total_cmp);
    quantile(&ascending, 0.5)
}
