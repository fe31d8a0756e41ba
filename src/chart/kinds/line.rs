//! `line`: how does it move. At most five lines, named at their ends; gaps stay gaps.
//!
//! The axis starts at zero unless the values stay in its upper half, and the chart says so when it does not.

use super::{Kind, limit, link, wished};
use crate::chart::axis::{self, Linear};
use crate::chart::canvas::{Anchor, Area, Canvas, Text};
use crate::chart::sparkline::runs;
use crate::chart::text::{self, BODY, SMALL};
use crate::chart::theme::{self, Token};
use crate::chart::{ChartError, ChartSpec, Scenario, describe};
use crate::locale::message;

/// See the module.
#[derive(Debug)]
pub(super) struct Line;

impl Kind for Line {
    fn name(&self) -> &'static str {
        "line"
    }

    fn question(&self) -> &'static str {
        "How does it move?"
    }

    fn check(&self, spec: &ChartSpec) -> Result<(), ChartError> {
        limit("line", "lines", spec.series.len(), 5)?;
        limit("line", "points per line", spec.categories.len(), 2000)
    }

    /// At least as high as the names beside the lines.
    fn height(&self, spec: &ChartSpec, width: f64, wish: f64) -> f64 {
        let names: f64 = ends(spec, width).iter().map(End::height).sum();
        let least = (names + axis::time_height(spec) + 30.0).max(140.0);
        wished(wish, if spec.is_compact() { 220.0 } else { 250.0 }, least).max(least)
    }

    /// Lines carry their names themselves.
    fn needs_key(&self, _spec: &ChartSpec) -> bool {
        false
    }

    fn draw(&self, spec: &ChartSpec, canvas: &mut Canvas, area: Area) -> Result<(), ChartError> {
        let values = || spec.series.iter().flat_map(|series| series.values.iter().flatten().copied());
        let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
        let (low, high, cut) = range(low, high);
        let ticks = axis::ticks(low, high, if spec.is_compact() { 3 } else { 4 });
        let tick_texts = axis::tick_texts(spec, &ticks);

        let margin = tick_texts.iter().map(|tick| text::width(tick, SMALL)).fold(0.0, f64::max) + 8.0;
        let ends = ends(spec, area.w);
        let right = ends.iter().map(|end| end.width).fold(0.0, f64::max) + 12.0;
        let note = if cut { 20.0 } else { 0.0 };
        let plot = Area {
            x: area.x + margin,
            y: area.y + 10.0 + note,
            w: area.w - margin - right,
            h: area.h - axis::time_height(spec) - 14.0 - note,
        };
        if cut {
            let text = message(spec.lang, "chart-axis-cut", &[]);
            canvas.label((area.x, area.y + 6.0), SMALL, Token::Muted, Anchor::Start, text);
        }
        let scale = Linear {
            low: ticks.first().copied().unwrap_or(low),
            high: ticks.last().copied().unwrap_or(high),
            from: plot.bottom(),
            to: plot.y,
        };
        for (tick, label) in ticks.iter().zip(tick_texts) {
            let y = scale.at(*tick);
            let zero = tick.abs() < 1e-9 * high.abs().max(low.abs()).max(f64::MIN_POSITIVE);
            canvas.line((plot.x, y), (plot.right(), y), if zero { Token::Ink } else { Token::Grid }, 1.0);
            canvas.label((plot.x - 8.0, y), SMALL, Token::Muted, Anchor::End, label);
        }

        let count = spec.categories.len();
        let band = plot.w / count as f64;
        let position = |category: usize| plot.x + (category as f64 + 0.5) * band;
        // What matters most is drawn last, on top.
        let mut order: Vec<usize> = (0..spec.series.len()).collect();
        order.sort_by_key(|series| (spec.series[*series].scenario == Scenario::Actual, std::cmp::Reverse(*series)));
        for series in order {
            draw_line(spec, canvas, series, &position, &scale);
        }
        if let [only] = &spec.series[..] {
            draw_extremes(spec, canvas, &only.values, &position, &scale);
        }
        for category in 0..count {
            let mark = Area { x: position(category) - band / 2.0, y: plot.y, w: band, h: area.bottom() - plot.y };
            canvas.mark(mark, describe::mark_label(spec, category), link(spec, category));
        }
        axis::draw_categories(spec, canvas, plot.bottom() + 4.0, band, &position);
        draw_ends(canvas, ends, &position, &scale, plot);
        Ok(())
    }
}

/// The range of the axis, and whether it leaves zero out.
fn range(low: f64, high: f64) -> (f64, f64, bool) {
    if low >= 0.0 && (low == high || low <= high * 0.5) {
        (0.0, high, false)
    } else if high <= 0.0 && high >= low * 0.5 || low == high {
        (low, 0.0, false)
    } else {
        (low, high, low > 0.0 || high < 0.0)
    }
}

fn token(spec: &ChartSpec, series: usize) -> Token {
    let scenario = spec.series[series].scenario;
    if scenario != Scenario::Actual {
        return theme::scenario(scenario);
    }
    let place = spec.series[..series].iter().filter(|series| series.scenario == Scenario::Actual).count();
    theme::CATEGORIES[place]
}

fn draw_line(spec: &ChartSpec, canvas: &mut Canvas, series: usize, position: &dyn Fn(usize) -> f64, scale: &Linear) {
    let colour = token(spec, series);
    let scenario = spec.series[series].scenario;
    let mut runs = runs(&spec.series[series].values);
    // A forecast continues the last actual value.
    if let (Scenario::Forecast, Some(first)) = (scenario, runs.first_mut())
        && let Some(before) = first[0].0.checked_sub(1)
        && let Some(value) = spec
            .series
            .iter()
            .find(|series| series.scenario == Scenario::Actual)
            .and_then(|actual| actual.values[before])
    {
        first.insert(0, (before, value));
    }
    for run in runs {
        let points: Vec<(f64, f64)> = run.iter().map(|(index, value)| (position(*index), scale.at(*value))).collect();
        match scenario {
            _ if points.len() == 1 => canvas.disc(points[0], 2.5, colour),
            Scenario::Actual => canvas.polyline(points, colour, 2.25),
            Scenario::Prior => canvas.polyline(points, colour, 1.75),
            // The outline of a line: thin, with hollow points.
            Scenario::Plan => {
                canvas.polyline(points.clone(), colour, 1.0);
                for point in points {
                    canvas.disc(point, 2.75, colour);
                    canvas.disc(point, 1.75, Token::Background);
                }
            }
            Scenario::Forecast => canvas.dashes(&points, colour, 2.0),
        }
    }
}

/// The highest and the lowest value of the only line, where they are not its last.
fn draw_extremes(
    spec: &ChartSpec,
    canvas: &mut Canvas,
    values: &[Option<f64>],
    position: &dyn Fn(usize) -> f64,
    scale: &Linear,
) {
    let known = || values.iter().enumerate().filter_map(|(index, value)| value.map(|value| (index, value)));
    let highest = known().reduce(|best, next| if next.1 > best.1 { next } else { best });
    let lowest = known().reduce(|best, next| if next.1 < best.1 { next } else { best });
    let last = known().next_back();
    for (found, side) in [(highest, -10.0), (lowest, 10.0)] {
        let Some((index, value)) = found.filter(|found| Some(*found) != last && highest != lowest) else { continue };
        let (x, y) = (position(index), scale.at(value));
        let content = spec.value_text(0, index);
        canvas.disc((x, y), 2.0, Token::Ink);
        let x = axis::clamp_middle(x, text::width(&content, SMALL), canvas.width());
        canvas.label((x, y + side), SMALL, Token::Ink, Anchor::Middle, content);
    }
}

/// The name and last value of a line, to its right.
#[derive(Debug)]
struct End {
    lines: Vec<(String, bool)>,
    width: f64,
    at: (usize, f64),
    token: Token,
}

impl End {
    const LINE: f64 = 14.0;

    fn height(&self) -> f64 {
        self.lines.len() as f64 * Self::LINE + 3.0
    }
}

fn ends(spec: &ChartSpec, width: f64) -> Vec<End> {
    let room = if spec.is_compact() { (width * 0.27).max(72.0) } else { (width * 0.24).min(170.0) };
    let several = spec.series.len() > 1;
    (0..spec.series.len())
        .filter_map(|series| {
            let (category, value) = spec.series[series]
                .values
                .iter()
                .enumerate()
                .rev()
                .find_map(|(index, value)| value.map(|v| (index, v)))?;
            let mut lines = Vec::new();
            if several {
                let name = text::wrap(&spec.series[series].name, SMALL, room, 2);
                lines.extend(name.into_iter().map(|line| (line, false)));
            }
            lines.push((spec.value_text(series, category), true));
            let measure = |(line, bold): &(String, bool)| {
                if *bold { text::bold_width(line, BODY) } else { text::width(line, SMALL) }
            };
            let width = lines.iter().map(measure).fold(0.0, f64::max);
            Some(End { lines, width, at: (category, value), token: token(spec, series) })
        })
        .collect()
}

/// Draws the ends, moved apart where they would touch; a thin line then leads to its point.
fn draw_ends(canvas: &mut Canvas, mut ends: Vec<End>, position: &dyn Fn(usize) -> f64, scale: &Linear, plot: Area) {
    ends.sort_by(|a, b| b.at.1.total_cmp(&a.at.1));
    let heights: Vec<f64> = ends.iter().map(End::height).collect();
    let mut tops: Vec<f64> = Vec::new();
    for (end, height) in ends.iter().zip(&heights) {
        let wanted = scale.at(end.at.1) - height / 2.0;
        let free =
            tops.last().zip(heights.get(tops.len().wrapping_sub(1))).map_or(f64::MIN, |(top, height)| top + height);
        tops.push(wanted.max(free));
    }
    // What was pushed below the plot moves up again, and takes the ones above along.
    let mut limit = plot.bottom() + 14.0;
    for (top, height) in tops.iter_mut().zip(&heights).rev() {
        *top = top.min(limit - height);
        limit = *top;
    }
    for ((end, top), height) in ends.iter().zip(&tops).zip(&heights) {
        let point = (position(end.at.0), scale.at(end.at.1));
        canvas.disc(point, 3.0, end.token);
        let x = plot.right() + 12.0;
        let middle = top + height / 2.0;
        if (middle - point.1).abs() > 3.0 || x - point.0 > 40.0 {
            canvas.polyline(
                vec![(point.0 + 4.0, point.1), (plot.right() + 2.0, point.1), (x - 3.0, middle)],
                end.token,
                0.75,
            );
        }
        for (index, (content, bold)) in end.lines.iter().enumerate() {
            let y = top + 1.5 + End::LINE * (index as f64 + 0.5);
            let size = if *bold { BODY } else { SMALL };
            let (token, anchor, content) = (Token::Ink, Anchor::Start, content.clone());
            canvas.text(Text { x, y, size, token, anchor, bold: *bold, content });
        }
    }
}
