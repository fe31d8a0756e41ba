//! Numeric core: known values (scipy), and what must hold for any input.

use super::linear::{least_squares, square_root};
use super::optimise::root;
use super::special::{Z_90, Z_975, beta_below, beta_quantile, normal_below, student_975};
use super::{mean, median, quantile, sum, variance, weighted_mean};
use crate::analysis::Reason;
use crate::analysis::tests::{assert_near, cases, degenerate};

#[test]
fn sums_keep_what_a_plain_sum_loses() {
    assert_eq!(sum([1e16, 1.0, -1e16]), 1.0);
    assert_eq!(sum([1.0, 1e100, 1.0, -1e100]), 2.0);
    assert_eq!(sum(std::iter::repeat_n(0.1, 10)), 1.0);
    assert_eq!(sum([f64::MAX, f64::MAX]), f64::INFINITY);
    assert_eq!(sum([]), 0.0);
}

#[test]
fn means_and_quantiles() {
    assert_eq!(mean(&[]), None);
    assert_eq!(variance(&[3.0]), None);
    assert_eq!(variance(&[1.0, 2.0, 4.0]), Some(7.0 / 3.0));
    assert_eq!(weighted_mean([(1.0, 2.0), (3.0, 6.0)]), Some(5.0));
    assert_eq!(weighted_mean([(0.0, 2.0)]), None);
    assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
    assert_eq!(median(&[]), None);
    assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), Some(3.0));
    assert_eq!(quantile(&[1.0, 2.0, 4.0], 1.0), Some(4.0));
    assert_eq!(quantile(&[5.0], 0.3), Some(5.0));
}

#[test]
fn roots() {
    assert_near(root(0.0, 2.0, |x| Ok(x * x - 2.0)).unwrap(), std::f64::consts::SQRT_2, 1e-15);
    // Flat on one side, where the secant crawls.
    assert_near(root(-1.0, 10.0, |x| Ok((x - 0.3).powi(9))).unwrap(), 0.3, 1e-6);
    assert_near(root(-1.0, 1e6, |x| Ok(x.cbrt())).unwrap(), 0.0, 1e-12);
    assert_eq!(root(1.0, 2.0, |x| Ok(x - 1.0)), Ok(1.0));
    assert_eq!(root(1.0, 2.0, Ok), degenerate(Reason::NotBracketed));
    assert_eq!(root(0.0, 1.0, |_| degenerate(Reason::Overflow)), degenerate(Reason::Overflow));
}

#[test]
fn distributions_have_the_values_of_tables() {
    assert_near(normal_below(Z_975), 0.975, 1e-15);
    assert_near(normal_below(Z_90), 0.9, 1e-15);
    assert_near(normal_below(-8.0) / 6.220_960_574_271_785e-16, 1.0, 1e-12);
    // I_x(2, 3) = x²(6 − 8x + 3x²).
    for x in [0.01, 0.2, 0.5, 0.9, 0.999] {
        assert_near(beta_below(x, 2.0, 3.0), x * x * (6.0 - 8.0 * x + 3.0 * x * x), 1e-14);
    }
    // Student's table.
    for (df, t) in [(1.0, 12.706_204_736), (4.0, 2.776_445_105), (10.0, 2.228_138_852), (120.0, 1.979_930_405)] {
        assert_near(student_975(df), t, 1e-8);
    }
    assert_near(student_975(1e6), Z_975, 1e-5);
}

#[test]
fn a_quantile_of_beta_has_its_probability_below_it() {
    let mut next = cases(1);
    for _ in 0..500 {
        let (a, b, p) = (1.0 + 4.0 * next(), 1.0 + 4.0 * next(), next());
        let x = beta_quantile(p, a, b);
        assert!((0.0..=1.0).contains(&x));
        assert_near(beta_below(x, a, b), p, 1e-12);
    }
    assert_near(beta_quantile(1e-15, 1.0, 5.0) / 2e-16, 1.0, 1e-9);
    assert_eq!((beta_quantile(0.0, 2.0, 2.0), beta_quantile(1.0, 2.0, 2.0)), (0.0, 1.0));
}

#[test]
fn a_fit_finds_its_own_line_and_refuses_dependent_columns() {
    let rows: Vec<[f64; 2]> = (0..50).map(|index| [1.0, 1e6 + f64::from(index)]).collect();
    let y: Vec<f64> = rows.iter().map(|row| 3.0 - 0.5 * row[1]).collect();
    let fit = least_squares(&rows, &y).unwrap();
    assert_near(fit.coefficients[1], -0.5, 1e-9);
    assert!(fit.residuals.iter().all(|residual| residual.abs() < 1e-6));
    let dependent: Vec<[f64; 2]> = (0..9).map(|index| [f64::from(index), 2.0 * f64::from(index)]).collect();
    assert_eq!(least_squares(&dependent, &[1.0; 9]).map(|fit| fit.coefficients), degenerate(Reason::Collinear));
}

#[test]
fn without_lags_errors_are_those_of_white() {
    // By hand: a constant only, so SE² = Σe²/n².
    let y = [1.0, 3.0, 2.0, 6.0];
    let fit = least_squares(&[[1.0]; 4], &y).unwrap();
    assert_near(fit.newey_west(&[[1.0]; 4], 0)[0], (14.0_f64 / 16.0).sqrt(), 1e-14);
    // One lag, weight ½: Γ₁ = (−2)(0) + (0)(−1) + (−1)(3) = −3, so the sum is 14 + 2·½·(−3) = 11.
    assert_near(fit.newey_west(&[[1.0]; 4], 1)[0], (11.0_f64 / 16.0).sqrt(), 1e-14);
}

#[test]
fn square_roots_of_correlations() {
    let with = |rho: f64| vec![vec![1.0, rho], vec![rho, 1.0]];
    assert_eq!(square_root(&with(0.6)).unwrap(), vec![vec![1.0, 0.0], vec![0.6, 0.8]]);
    assert_eq!(square_root(&with(1.0)).unwrap(), vec![vec![1.0, 0.0], vec![1.0, 0.0]]);
    assert_eq!(square_root(&with(1.1)), None);
    // Two that move as one cannot stand differently to a third.
    let torn = vec![vec![1.0, 1.0, 0.2], vec![1.0, 1.0, 0.3], vec![0.2, 0.3, 1.0]];
    assert_eq!(square_root(&torn), None);
    let kept = vec![vec![1.0, 1.0, 0.2], vec![1.0, 1.0, 0.2], vec![0.2, 0.2, 1.0]];
    assert!(square_root(&kept).is_some());
}
