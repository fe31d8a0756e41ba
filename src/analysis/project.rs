//! Earned value of a project: what was planned, earned and spent to a day, and what follows.

use super::{Failure, Figure, Reason, bad_parameter, check_within, in_range};

/// Cumulative values of a project, or of one of its phases, to a day. All in one currency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// PV: planned cost of the work that was to be done by the day.
    pub planned_value: f64,
    /// EV: planned cost of the work that is done.
    pub earned_value: f64,
    /// AC: what it cost.
    pub actual_cost: f64,
    /// BAC: planned cost of all work.
    pub budget: f64,
}

/// Indexes and forecasts. Each index is good at 1 and above.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EarnedValue {
    /// SPI = EV/PV; nothing planned yet: [`Reason::NoData`].
    pub schedule_index: Figure,
    /// CPI = EV/AC; nothing spent yet: [`Reason::NoCosts`].
    pub cost_index: Figure,
    /// EV − PV, in money.
    pub schedule_variance: f64,
    /// EV − AC.
    pub cost_variance: f64,
    /// EV/BAC, a fraction.
    pub complete: f64,
    /// EAC = AC + (BAC − EV)/CPI: cost of all work if the rest costs as the work so far did; without a CPI above 0 as the
    /// index.
    pub estimate_at_completion: Figure,
}

/// Earned value by the standard definitions. Source: ANSI/PMI 19-006-2019, *The Standard for Earned Value Management*.
///
/// # Errors
/// A value that is negative or not finite, a budget that is not above 0, more earned than budgeted.
pub fn earned_value(progress: &Progress) -> Result<EarnedValue, Failure> {
    let Progress { planned_value, earned_value, actual_cost, budget } = *progress;
    check_within("budget", budget, 0.0, f64::MAX)?;
    if budget == 0.0 {
        return Err(bad_parameter("budget", Reason::NotPositive));
    }
    check_within("planned_value", planned_value, 0.0, f64::MAX)?;
    check_within("earned_value", earned_value, 0.0, budget)?;
    check_within("actual_cost", actual_cost, 0.0, f64::MAX)?;
    let ratio = |bottom: f64, reason: Reason| match bottom > 0.0 {
        true => in_range(earned_value / bottom),
        false => Err(Failure::Degenerate(reason)),
    };
    let cost_index = ratio(actual_cost, Reason::NoCosts);
    let rest = |index: f64| match index > 0.0 {
        true => in_range(actual_cost + (budget - earned_value) / index),
        // Money is spent and nothing done: no forecast follows from that.
        false => Err(Failure::Degenerate(Reason::NoData)),
    };
    Ok(EarnedValue {
        schedule_index: ratio(planned_value, Reason::NoData),
        cost_index,
        schedule_variance: earned_value - planned_value,
        cost_variance: earned_value - actual_cost,
        complete: earned_value / budget,
        estimate_at_completion: cost_index.and_then(rest),
    })
}

#[cfg(test)]
mod tests {
    use super::{Progress, earned_value};
    use crate::analysis::tests::{assert_near, degenerate};
    use crate::analysis::{Failure, Reason};

    /// By hand: of 1000, 400 was to be done, 320 is done and cost 400.
    #[test]
    fn indexes_and_forecast() {
        let progress = Progress { planned_value: 400.0, earned_value: 320.0, actual_cost: 400.0, budget: 1000.0 };
        let found = earned_value(&progress).unwrap();
        assert_eq!((found.schedule_index, found.cost_index), (Ok(0.8), Ok(0.8)));
        assert_eq!((found.schedule_variance, found.cost_variance, found.complete), (-80.0, -80.0, 0.32));
        assert_near(found.estimate_at_completion.unwrap(), 1250.0, 1e-9);
    }

    #[test]
    fn the_beginning_has_no_index() {
        let mut progress = Progress { planned_value: 0.0, earned_value: 0.0, actual_cost: 0.0, budget: 10.0 };
        let found = earned_value(&progress).unwrap();
        assert_eq!(found.schedule_index, degenerate(Reason::NoData));
        assert_eq!(found.estimate_at_completion, degenerate(Reason::NoCosts));
        progress.actual_cost = 3.0;
        let found = earned_value(&progress).unwrap();
        assert_eq!((found.cost_index, found.estimate_at_completion), (Ok(0.0), degenerate(Reason::NoData)));
    }

    #[test]
    fn values_have_their_limits() {
        let sound = Progress { planned_value: 1.0, earned_value: 1.0, actual_cost: 1.0, budget: 2.0 };
        let field = |progress: Progress| match earned_value(&progress) {
            Err(Failure::BadInput { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field(Progress { budget: 0.0, ..sound }), "budget");
        assert_eq!(field(Progress { earned_value: 3.0, ..sound }), "earned_value");
        assert_eq!(field(Progress { actual_cost: -1.0, ..sound }), "actual_cost");
        assert_eq!(field(Progress { planned_value: f64::NAN, ..sound }), "planned_value");
    }
}
