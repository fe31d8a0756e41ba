//! Least squares with few columns, Newey–West errors, and the square root of a correlation matrix.

use super::sum;
use crate::analysis::{Failure, Reason};

/// A least-squares fit with `K` columns.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::analysis) struct Fit<const K: usize> {
    pub(in crate::analysis) coefficients: [f64; K],
    pub(in crate::analysis) residuals: Vec<f64>,
    /// (XᵀX)⁻¹
    inverse: [[f64; K]; K],
}

/// Ordinary least squares by QR, as modified Gram–Schmidt run twice: normal equations would square the condition
/// number.
///
/// # Errors
/// Fewer rows than columns; columns that depend on each other.
pub(in crate::analysis) fn least_squares<const K: usize>(rows: &[[f64; K]], y: &[f64]) -> Result<Fit<K>, Failure> {
    if rows.len() < K {
        return Err(Failure::TooLittleData { needed: K, got: rows.len() });
    }
    let mut q: [Vec<f64>; K] = std::array::from_fn(|column| rows.iter().map(|row| row[column]).collect());
    let mut r = [[0.0; K]; K];
    for column in 0..K {
        let length = norm(&q[column]);
        for _ in 0..2 {
            for before in 0..column {
                let along = dot(&q[before], &q[column]);
                r[before][column] += along;
                let direction = q[before].clone();
                q[column].iter_mut().zip(direction).for_each(|(value, part)| *value -= along * part);
            }
        }
        r[column][column] = norm(&q[column]);
        if r[column][column] <= 1e-10 * length {
            return Err(Failure::Degenerate(Reason::Collinear));
        }
        q[column].iter_mut().for_each(|value| *value /= r[column][column]);
    }
    let coefficients = back_substitute(&r, std::array::from_fn(|column| dot(&q[column], y)));
    // Columns of R⁻¹; (XᵀX)⁻¹ = R⁻¹R⁻ᵀ.
    let root: [[f64; K]; K] =
        std::array::from_fn(|unit| back_substitute(&r, std::array::from_fn(|row| f64::from(u8::from(row == unit)))));
    let inverse =
        std::array::from_fn(|i| std::array::from_fn(|j| root.iter().map(|column| column[i] * column[j]).sum()));
    let fitted = |row: &[f64; K]| sum(row.iter().zip(&coefficients).map(|(x, beta)| x * beta));
    let residuals = rows.iter().zip(y).map(|(row, value)| value - fitted(row)).collect();
    Ok(Fit { coefficients, residuals, inverse })
}

impl<const K: usize> Fit<K> {
    /// Standard errors that allow for autocorrelation up to `lags` and for unequal variance: Newey and West 1987,
    /// Bartlett weights, no small-sample correction. `rows` are those of the fit, in order of time.
    pub(in crate::analysis) fn newey_west(&self, rows: &[[f64; K]], lags: usize) -> [f64; K] {
        let score = |time: usize, column: usize| rows[time][column] * self.residuals[time];
        let covariance = |i: usize, j: usize| {
            sum((0..=lags.min(rows.len().saturating_sub(1))).map(|lag| {
                let weight = if lag == 0 { 0.5 } else { 1.0 - lag as f64 / (lags + 1) as f64 };
                let pair = |time: usize| score(time, i) * score(time - lag, j) + score(time, j) * score(time - lag, i);
                weight * sum((lag..rows.len()).map(pair))
            }))
        };
        let meat: [[f64; K]; K] = std::array::from_fn(|i| std::array::from_fn(|j| covariance(i, j)));
        let bread = &self.inverse;
        std::array::from_fn(|k| {
            let terms = (0..K).flat_map(|i| (0..K).map(move |j| (i, j)));
            sum(terms.map(|(i, j)| bread[k][i] * meat[i][j] * bread[j][k])).max(0.0).sqrt()
        })
    }
}

/// Solves the upper triangular system R·x = b.
fn back_substitute<const K: usize>(r: &[[f64; K]; K], b: [f64; K]) -> [f64; K] {
    let mut x = b;
    for row in (0..K).rev() {
        let known: f64 = (row + 1..K).map(|column| r[row][column] * x[column]).sum();
        x[row] = (x[row] - known) / r[row][row];
    }
    x
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    sum(a.iter().zip(b).map(|(a, b)| a * b))
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// Lower triangular L with L·Lᵀ = the matrix (Cholesky); `None` where the matrix is not positive semidefinite. A pivot
/// of 0, as perfect correlation gives, is allowed.
pub(in crate::analysis) fn square_root(matrix: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    const ROUNDING: f64 = 1e-10;
    let mut root: Vec<Vec<f64>> = Vec::with_capacity(matrix.len());
    for (i, row) in matrix.iter().enumerate() {
        let mut next = vec![0.0; matrix.len()];
        for j in 0..=i {
            let above = if j < i { &root[j] } else { &next };
            let rest = row[j] - (0..j).map(|k| next[k] * above[k]).sum::<f64>();
            if j == i {
                if rest < -ROUNDING {
                    return None;
                }
                next[i] = rest.max(0.0).sqrt();
            } else if root[j][j] > ROUNDING.sqrt() {
                next[j] = rest / root[j][j];
            } else if rest.abs() > ROUNDING.sqrt() {
                // Variable `j` is a mixture of those before it, so this correlation was not free.
                return None;
            }
        }
        root.push(next);
    }
    Some(root)
}
