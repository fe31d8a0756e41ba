//! A case after go-live: actual against plan by line, the outlook, and the NPV at many rates.

use super::{check_flows, present_value};
use crate::analysis::numeric::sum;
use crate::analysis::{Failure, Reason, bad, check_finite, check_length};

/// A line that is followed: what was planned, and what came, period by period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tracked<'a> {
    /// A benefit, else a cost. Costs are positive numbers.
    pub benefit: bool,
    /// Planned flow of every period.
    pub planned: &'a [f64],
    /// Actual flow; `None` in periods that are not over.
    pub actual: &'a [Option<f64>],
}

/// A line against its plan.
#[derive(Debug, Clone, PartialEq)]
pub struct LineReview {
    /// Planned in the periods that have an actual.
    pub planned: f64,
    /// Actual.
    pub actual: f64,
    /// Effect on the net flow: actual − planned for a benefit, planned − actual for a cost. Above 0 is good.
    pub effect: f64,
    /// Actual where it is known, planned in the other periods.
    pub outlook: Vec<f64>,
}

/// A case against its plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// In the order given.
    pub lines: Vec<LineReview>,
    /// Σ effect: how much the net flow to date lies above the plan.
    pub effect: f64,
    /// Net flow of every period by the outlook: benefits less costs.
    pub outlook: Vec<f64>,
}

/// Holds lines against their plan, in the periods that have an actual.
///
/// # Errors
/// No line; lists of different lengths; a number that is not finite.
pub fn against_plan(lines: &[Tracked<'_>]) -> Result<Review, Failure> {
    let periods = lines.first().ok_or(Failure::TooLittleData { needed: 1, got: 0 })?.planned.len();
    let mut outlook = vec![0.0; periods];
    let mut reviews = Vec::with_capacity(lines.len());
    for (row, line) in lines.iter().enumerate() {
        check_length("planned", line.planned.len(), periods)?;
        check_length("actual", line.actual.len(), periods)?;
        check_finite("planned", line.planned).map_err(|_| bad("planned", row, Reason::NotFinite))?;
        if line.actual.iter().flatten().any(|actual| !actual.is_finite()) {
            return Err(bad("actual", row, Reason::NotFinite));
        }
        let over = || line.planned.iter().zip(line.actual).filter_map(|(planned, actual)| Some((*planned, (*actual)?)));
        let (planned, actual) = (sum(over().map(|(planned, _)| planned)), sum(over().map(|(_, actual)| actual)));
        let sign = if line.benefit { 1.0 } else { -1.0 };
        let own: Vec<f64> =
            line.planned.iter().zip(line.actual).map(|(planned, actual)| actual.unwrap_or(*planned)).collect();
        outlook.iter_mut().zip(&own).for_each(|(net, flow)| *net += sign * flow);
        reviews.push(LineReview { planned, actual, effect: sign * (actual - planned), outlook: own });
    }
    Ok(Review { effect: sum(reviews.iter().map(|line| line.effect)), lines: reviews, outlook })
}

/// NPV of net flows at `steps` + 1 rates from `low` to `high`, equally spaced, as (rate, NPV): the profile that a page
/// draws beside the roots.
///
/// # Errors
/// As [`present_value`]; no step; `low` not below `high`, or −1 and below.
pub fn npv_profile(
    times: &[f64],
    flows: &[f64],
    low: f64,
    high: f64,
    steps: usize,
) -> Result<Vec<(f64, f64)>, Failure> {
    check_flows(times, flows)?;
    check_finite("range", &[low, high])?;
    if low >= high {
        return Err(bad("range", 1, Reason::NotAscending));
    }
    if steps == 0 {
        return Err(bad("steps", 0, Reason::NotPositive));
    }
    let rate = |step: usize| if step == steps { high } else { low + (high - low) * step as f64 / steps as f64 };
    (0..=steps).map(|step| Ok((rate(step), present_value(times, flows, rate(step))?))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{period_times, rates_of_return};
    use super::{Tracked, against_plan, npv_profile};
    use crate::analysis::tests::assert_near;
    use crate::analysis::{Failure, Reason};

    #[test]
    fn a_line_is_held_against_the_periods_that_are_over() {
        let cost =
            Tracked { benefit: false, planned: &[600.0, 100.0, 100.0], actual: &[Some(650.0), Some(90.0), None] };
        let gain = Tracked { benefit: true, planned: &[0.0, 500.0, 700.0], actual: &[Some(0.0), Some(430.0), None] };
        let review = against_plan(&[cost, gain]).unwrap();
        let effects: Vec<(f64, f64, f64)> =
            review.lines.iter().map(|line| (line.planned, line.actual, line.effect)).collect();
        assert_eq!(effects, [(700.0, 740.0, -40.0), (500.0, 430.0, -70.0)]);
        assert_eq!((review.effect, review.outlook), (-110.0, vec![-650.0, 340.0, 600.0]));
        assert_eq!(review.lines[0].outlook, [650.0, 90.0, 100.0]);
    }

    #[test]
    fn lists_fit_and_numbers_are_finite() {
        assert_eq!(against_plan(&[]), Err(Failure::TooLittleData { needed: 1, got: 0 }));
        let short = Tracked { benefit: true, planned: &[1.0, 2.0], actual: &[None] };
        let reason = Reason::LengthsDiffer;
        assert_eq!(against_plan(&[short]), Err(Failure::BadInput { field: "actual", row: None, reason }));
        let broken = Tracked { benefit: true, planned: &[1.0], actual: &[Some(f64::NAN)] };
        let reason = Reason::NotFinite;
        assert_eq!(against_plan(&[broken]), Err(Failure::BadInput { field: "actual", row: Some(0), reason }));
    }

    /// Vector `e02-cash-flow-2`: two rates.
    #[test]
    fn the_profile_crosses_0_at_the_rates_of_return() {
        let (times, flows) = (period_times(3, false), [-1600.0, 10000.0, -10000.0]);
        let profile = npv_profile(&times, &flows, -0.25, 4.0, 17).unwrap();
        assert_eq!((profile.len(), profile[0].0, profile[17].0), (18, -0.25, 4.0));
        assert_near(profile[2].0, 0.25, 1e-12);
        assert_near(profile[2].1, 0.0, 1e-9);
        assert_near(profile[17].1, 0.0, 1e-9);
        assert!(profile[3..17].iter().all(|(_, npv)| *npv > 0.0) && profile[..2].iter().all(|(_, npv)| *npv < 0.0));
        assert_eq!(rates_of_return(&times, &flows).unwrap().all.len(), 2);
        assert!(npv_profile(&times, &flows, 1.0, 1.0, 5).is_err() && npv_profile(&times, &flows, 0.0, 1.0, 0).is_err());
    }
}
