//! Roots of a function of one variable.

use crate::analysis::{Failure, Figure, Reason};

const MAX_ITERATIONS: usize = 500;

/// A root of `f` between `low` and `high`, where its values have opposite signs or one is 0. Method: Brent 1973,
/// *Algorithms for Minimization without Derivatives*, chapter 4 (inverse quadratic interpolation, secant, bisection).
///
/// # Errors
/// The values at the ends have one sign: [`Reason::NotBracketed`]. Any failure of `f`.
pub(in crate::analysis) fn root(low: f64, high: f64, mut f: impl FnMut(f64) -> Figure) -> Figure {
    let (mut a, mut b) = (low, high);
    let (mut fa, mut fb) = (f(a)?, f(b)?);
    if fa == 0.0 {
        return Ok(a);
    }
    if fb == 0.0 {
        return Ok(b);
    }
    if (fa > 0.0) == (fb > 0.0) {
        return Err(Failure::Degenerate(Reason::NotBracketed));
    }
    // Below this a root near 0 would be halved for ever.
    let least = 1e-20 * (high - low).abs();
    // `b` is the best point, `c` lies on the other side of the root, `a` was the best point before.
    let (mut c, mut fc) = (a, fa);
    let mut step = b - a;
    let mut step_before = step;
    for _ in 0..MAX_ITERATIONS {
        if fc.abs() < fb.abs() {
            (a, b, c) = (b, c, b);
            (fa, fb, fc) = (fb, fc, fb);
        }
        let half = 0.5 * (c - b);
        let tolerance = 2.0 * f64::EPSILON * b.abs() + least;
        if half.abs() <= tolerance || fb == 0.0 {
            return Ok(b);
        }
        let mut bisect = true;
        if step_before.abs() >= tolerance && fa.abs() > fb.abs() {
            let ratio = fb / fa;
            let (mut p, mut q) = if a == c {
                (2.0 * half * ratio, 1.0 - ratio)
            } else {
                let (s, r) = (fa / fc, fb / fc);
                (ratio * (2.0 * half * s * (s - r) - (b - a) * (r - 1.0)), (s - 1.0) * (r - 1.0) * (ratio - 1.0))
            };
            if p > 0.0 {
                q = -q;
            }
            p = p.abs();
            // The interpolated step must stay inside the bracket and shrink faster than two bisections.
            if 2.0 * p < (3.0 * half * q - (tolerance * q).abs()).min((step_before * q).abs()) {
                step_before = step;
                step = p / q;
                bisect = false;
            }
        }
        if bisect {
            step = half;
            step_before = half;
        }
        (a, fa) = (b, fb);
        b += if step.abs() > tolerance { step } else { tolerance.copysign(half) };
        fb = f(b)?;
        if (fb > 0.0) == (fc > 0.0) {
            (c, fc) = (a, fa);
            step = b - a;
            step_before = step;
        }
    }
    Err(Failure::NotConverged { iterations: MAX_ITERATIONS, residual: fb })
}
