//! Payback: when the cumulative flow reaches 0.

use crate::analysis::numeric::sum;
use crate::analysis::{Failure, Figure, Reason, check_finite};

/// Residues of rounding below this share of all flows count as 0: −0.4 + 0.1 + 0.3 is repaid.
const ROUNDING: f64 = 1e-12;

/// Times of payback, in periods from t = 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Payback {
    /// The first time that the cumulative flow reaches 0 from below, linear inside the period; 0 where the first flow
    /// other than 0 is an inflow. Never: [`Reason::NeverRepaid`].
    pub first: Figure,
    /// The last such time, after which the cumulative flow stays at 0 or above. It ends below 0:
    /// [`Reason::EndsNegative`].
    pub last: Figure,
}

/// Payback of net flows, one a period from t = 0. Leading zeros delay it like any period. For discounted payback hand
/// in discounted flows.
///
/// # Errors
/// No flow at all, or one that is not finite. Only zeros: both times are [`Reason::NoFlows`].
pub fn payback(flows: &[f64]) -> Result<Payback, Failure> {
    if flows.is_empty() {
        return Err(Failure::TooLittleData { needed: 1, got: 0 });
    }
    check_finite("flows", flows)?;
    let Some(start) = flows.iter().position(|flow| *flow != 0.0) else {
        let none = Err(Failure::Degenerate(Reason::NoFlows));
        return Ok(Payback { first: none, last: none });
    };
    let rounding = ROUNDING * sum(flows.iter().map(|flow| flow.abs()));
    let mut crossings = Vec::new();
    if flows[start] > 0.0 {
        crossings.push(0.0);
    }
    let mut before = 0.0_f64;
    for (period, flow) in flows.iter().enumerate() {
        let mut total = before + flow;
        if total.abs() <= rounding {
            total = 0.0;
        }
        if before < 0.0 && total >= 0.0 {
            crossings.push((period - 1) as f64 + (-before / flow).min(1.0));
        }
        before = total;
    }
    let missing = |reason| move || Failure::Degenerate(reason);
    let first = crossings.first().copied().ok_or_else(missing(Reason::NeverRepaid));
    let last = match before < 0.0 && first.is_ok() {
        true => Err(Failure::Degenerate(Reason::EndsNegative)),
        false => crossings.last().copied().ok_or_else(missing(Reason::NeverRepaid)),
    };
    Ok(Payback { first, last })
}
