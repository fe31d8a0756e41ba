//! Distribution functions: normal, beta, Student's t.

use std::f64::consts::{PI, SQRT_2};

/// Upper 2.5 % point of the normal distribution.
pub(in crate::analysis) const Z_975: f64 = 1.959_963_984_540_054;
/// Upper 10 % point of the normal distribution.
pub(in crate::analysis) const Z_90: f64 = 1.281_551_565_544_600_4;

/// Probability below `z` under the standard normal distribution.
pub(in crate::analysis) fn normal_below(z: f64) -> f64 {
    0.5 * libm::erfc(-z / SQRT_2)
}

/// Density of the standard normal distribution.
pub(in crate::analysis) fn normal_density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// Density of the beta distribution, 0 < x < 1.
pub(in crate::analysis) fn beta_density(x: f64, a: f64, b: f64) -> f64 {
    ((a - 1.0) * x.ln() + (b - 1.0) * (-x).ln_1p() - ln_beta(a, b)).exp()
}

/// Probability below `x` under the beta distribution: the regularised incomplete beta function, by its continued
/// fraction (Abramowitz and Stegun 26.5.8) evaluated as Lentz proposed.
pub(in crate::analysis) fn beta_below(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b)).exp();
    // The fraction converges fast on this side of the mean only.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * continued_fraction(x, a, b) / a
    } else {
        1.0 - front * continued_fraction(1.0 - x, b, a) / b
    }
}

/// The point below which the beta distribution has probability `p`: Newton steps inside a shrinking bracket.
pub(in crate::analysis) fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    if p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return 1.0;
    }
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    // Near 0 the probability is x^a/(a·B(a, b)).
    let mut x = ((p.ln() + a.ln() + ln_beta(a, b)) / a).exp().clamp(f64::MIN_POSITIVE, 0.5);
    for _ in 0..200 {
        let error = beta_below(x, a, b) - p;
        if error < 0.0 {
            low = x
        } else {
            high = x
        }
        let newton = x - error / beta_density(x, a, b);
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if (next - x).abs() <= 2.0 * f64::EPSILON * x {
            return next;
        }
        x = next;
    }
    x
}

/// The point t with probability 0.975 below it under Student's distribution with `df` > 0 degrees of freedom.
pub(in crate::analysis) fn student_975(df: f64) -> f64 {
    let x = beta_quantile(0.05, 0.5 * df, 0.5);
    (df * (1.0 - x) / x).sqrt()
}

fn ln_beta(a: f64, b: f64) -> f64 {
    libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b)
}

fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    let away = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for step in 1..1000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}
