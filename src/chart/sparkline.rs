//! A line as large as a word.

use super::axis::Linear;
use super::canvas::{Canvas, escape};
use super::theme::Token;

const WIDTH: f64 = 112.0;
const HEIGHT: f64 = 28.0;

/// A line without axes for a figure's side, `<svg class="spark">`, 112 × 28 px; the last value is dotted. It shows movement
/// only: the scale fills the height. `title` is its accessible name. Without any finite value the line is empty.
pub fn sparkline(values: &[Option<f64>], title: &str) -> String {
    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    let values: Vec<Option<f64>> = values.iter().map(|value| value.filter(|value| value.is_finite())).collect();
    let (low, high) = values
        .iter()
        .flatten()
        .fold((f64::MAX, f64::MIN), |(low, high): (f64, f64), value| (low.min(*value), high.max(*value)));
    let scale = Linear { low, high, from: HEIGHT - 4.0, to: 4.0 };
    // A flat line runs in the middle.
    let y = |value: f64| if high > low { scale.at(value) } else { HEIGHT / 2.0 };
    let step = (WIDTH - 8.0) / values.len().saturating_sub(1).max(1) as f64;
    let x = |index: usize| if values.len() > 1 { 4.0 + index as f64 * step } else { WIDTH / 2.0 };
    for run in runs(&values) {
        if run.len() > 1 {
            canvas.polyline(run.iter().map(|(index, value)| (x(*index), y(*value))).collect(), Token::Ink, 1.5);
        } else if let Some((index, value)) = run.first() {
            canvas.disc((x(*index), y(*value)), 1.0, Token::Ink);
        }
    }
    if let Some((index, value)) = values.iter().enumerate().rev().find_map(|(index, value)| value.map(|v| (index, v))) {
        canvas.disc((x(index), y(value)), 2.5, Token::Ink);
    }
    canvas.finish_spark(title).unwrap_or_else(|_| escape(title))
}

/// The stretches without gaps, with their indices.
pub(super) fn runs(values: &[Option<f64>]) -> Vec<Vec<(usize, f64)>> {
    let mut runs: Vec<Vec<(usize, f64)>> = vec![Vec::new()];
    for (index, value) in values.iter().enumerate() {
        match (value, runs.last_mut()) {
            (Some(value), Some(run)) => run.push((index, *value)),
            _ => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}
