//! `area`: how does a total and what it is made of move over many periods. One series is an area down to zero; up to five
//! are stacked, the first on the axis. With few periods `stacked` shows the same as columns.
//!
//! Where a part is missing the total is not known, so the whole stack has a gap there.

use super::heatmap::only_actual;
use super::stacked::{self, draw_side, shares, side_labels, total};
use super::{Kind, limit, link, wished};
use crate::chart::axis::{self, Linear};
use crate::chart::canvas::{Anchor, Area, Canvas, Text};
use crate::chart::sparkline::runs;
use crate::chart::text::{self, SMALL};
use crate::chart::theme::{CATEGORIES, Token};
use crate::chart::{ChartError, ChartSpec, DataTable, describe};
use crate::locale::message;

/// See the module.
#[derive(Debug)]
pub(super) struct AreaChart;

const LABEL: f64 = 18.0;

impl Kind for AreaChart {
    fn name(&self) -> &'static str {
        "area"
    }

    fn question(&self) -> &'static str {
        "How does a total, and what it is made of, move?"
    }

    fn check(&self, spec: &ChartSpec) -> Result<(), ChartError> {
        let refuse = |reason: String| Err(ChartError::Refused { kind: "area", reason });
        limit("area", "parts", spec.series.len(), 5)?;
        limit("area", "periods", spec.categories.len(), 2000)?;
        if spec.time.is_none() {
            return refuse("joins neighbours, which only periods have; use `stacked` or `bar`".to_owned());
        }
        if let Some(series) = spec.series.iter().find(|series| series.values.iter().flatten().any(|value| *value < 0.0))
        {
            return refuse(format!("`{}` has negative values; use `line`", series.name));
        }
        only_actual("area", spec)
    }

    /// At least as high as the names beside the parts.
    fn height(&self, spec: &ChartSpec, _width: f64, wish: f64) -> f64 {
        let least = 30.0 * spec.series.len() as f64 + LABEL + 30.0 + axis::time_height(spec);
        let natural = if spec.is_compact() { 230.0 } else { 260.0 };
        wished(wish, natural, least.max(150.0)).max(least)
    }

    /// Parts carry their names beside the last period, where there is room.
    fn needs_key(&self, spec: &ChartSpec) -> bool {
        spec.series.len() > 1 && spec.is_compact()
    }

    fn draw(&self, spec: &ChartSpec, canvas: &mut Canvas, area: Area) -> Result<(), ChartError> {
        draw(spec, canvas, area);
        Ok(())
    }

    fn words(&self, spec: &ChartSpec) -> Vec<String> {
        if spec.series.len() == 1 { describe::values(spec) } else { stacked::Stacked.words(&whole(spec)) }
    }

    /// With the total of several parts.
    fn table(&self, spec: &ChartSpec) -> DataTable {
        let mut table = describe::plain_table(spec);
        if spec.series.len() > 1 {
            table.headers.push(message(spec.lang, "chart-total", &[]));
            for (category, row) in table.rows.iter_mut().enumerate() {
                row.push(total_text(spec, category));
            }
        }
        table
    }
}

/// Only the periods in which no part is missing.
fn whole(spec: &ChartSpec) -> ChartSpec {
    let mut whole = spec.clone();
    let keep: Vec<bool> = (0..spec.categories.len()).map(|category| is_whole(spec, category)).collect();
    let mut kept = keep.iter();
    whole.categories.retain(|_| kept.next() == Some(&true));
    for values in whole.series.iter_mut().map(|series| &mut series.values) {
        let mut kept = keep.iter();
        values.retain(|_| kept.next() == Some(&true));
    }
    for labels in &mut whole.labels {
        let mut kept = keep.iter();
        labels.retain(|_| kept.next() == Some(&true));
    }
    whole
}

fn is_whole(spec: &ChartSpec, category: usize) -> bool {
    spec.series.iter().all(|series| series.values[category].is_some())
}

/// The total; of one series its own text.
fn total_text(spec: &ChartSpec, category: usize) -> String {
    match spec.series.len() {
        1 => spec.value_text(0, category),
        _ if is_whole(spec, category) => spec.number(total(spec, category)),
        _ => crate::locale::MISSING.to_owned(),
    }
}

fn draw(spec: &ChartSpec, canvas: &mut Canvas, area: Area) {
    let count = spec.categories.len();
    let totals: Vec<Option<f64>> =
        (0..count).map(|category| is_whole(spec, category).then(|| total(spec, category))).collect();
    let high = totals.iter().flatten().copied().fold(0.0, f64::max);
    let last = totals.iter().rposition(Option::is_some);
    let several = spec.series.len() > 1;

    let side = match last {
        Some(last) if several && !spec.is_compact() => side_labels(spec, last, (area.w * 0.24).min(180.0)),
        _ => Vec::new(),
    };
    let side_width = side.iter().map(|(_, _, width)| *width + 14.0).fold(0.0, f64::max);
    let ticks = axis::ticks(0.0, high, if spec.is_compact() { 3 } else { 4 });
    let tick_texts = axis::tick_texts(spec, &ticks);
    let margin = tick_texts.iter().map(|tick| text::width(tick, SMALL)).fold(0.0, f64::max) + 8.0;
    let plot = Area {
        x: area.x + margin,
        y: area.y + LABEL + 6.0,
        w: area.w - margin - side_width - if side.is_empty() { 4.0 } else { 0.0 },
        h: area.h - LABEL - 6.0 - axis::time_height(spec) - 4.0,
    };
    let scale =
        Linear { low: 0.0, high: ticks.last().map_or(high, |tick| tick.max(high)), from: plot.bottom(), to: plot.y };
    for (tick, label) in ticks.iter().zip(tick_texts) {
        let y = scale.at(*tick);
        canvas.line((plot.x, y), (plot.right(), y), Token::Grid, 1.0);
        canvas.label((plot.x - 8.0, y), SMALL, Token::Muted, Anchor::End, label);
    }
    let band = plot.w / count as f64;
    let position = |category: usize| plot.x + (category as f64 + 0.5) * band;
    for run in runs(&totals) {
        draw_run(spec, canvas, &run, &position, &scale, band);
    }
    canvas.line((plot.x, plot.bottom()), (plot.right(), plot.bottom()), Token::Ink, 1.0);
    if let (false, Some(last)) = (several, last) {
        canvas.disc((position(last), scale.at(totals[last].unwrap_or(0.0))), 3.0, Token::Ink);
    }

    if let Some(last) = last.filter(|_| !(several && shares(spec))) {
        let total = total_text(spec, last);
        let total = if several { message(spec.lang, "chart-total-of", &[("value", (&total).into())]) } else { total };
        let content = message(
            spec.lang,
            "chart-mark",
            &[("category", (&spec.categories[last]).into()), ("values", (&total).into())],
        );
        let (x, y, size, token) = (area.right(), area.y + 7.0, SMALL, Token::Ink);
        canvas.text(Text { x, y, size, token, anchor: Anchor::End, bold: true, content });
    }
    for category in 0..count {
        let mark = Area { x: position(category) - band / 2.0, y: plot.y, w: band, h: area.bottom() - plot.y };
        let label = if several { stacked::mark_label(spec, category) } else { describe::mark_label(spec, category) };
        let label = if is_whole(spec, category) { label } else { describe::mark_label(spec, category) };
        canvas.mark(mark, label, link(spec, category));
    }
    axis::draw_categories(spec, canvas, plot.bottom() + 4.0, band, &position);
    if let Some(last) = last {
        let mut sum = 0.0;
        let middles: Vec<f64> = (0..spec.series.len())
            .map(|series| {
                let value = spec.series[series].values[last].unwrap_or(0.0);
                sum += value;
                scale.at(sum - value / 2.0)
            })
            .collect();
        // The labels may use the height down to the names of the periods.
        let field = Area { y: plot.y + 18.0, h: plot.h - 18.0, ..plot };
        draw_side(canvas, &side, &middles, field, position(last));
    }
}

/// A stretch without gaps: the parts upon each other, the edge of each cut from the next.
fn draw_run(
    spec: &ChartSpec,
    canvas: &mut Canvas,
    run: &[(usize, f64)],
    position: &dyn Fn(usize) -> f64,
    scale: &Linear,
    band: f64,
) {
    let several = spec.series.len() > 1;
    let mut below: Vec<f64> = vec![0.0; run.len()];
    for (series, token) in (0..spec.series.len()).zip(CATEGORIES) {
        let above: Vec<f64> = run
            .iter()
            .zip(&below)
            .map(|((category, _), below)| below + spec.series[series].values[*category].unwrap_or(0.0))
            .collect();
        let edge = |values: &[f64]| -> Vec<(f64, f64)> {
            let points = run.iter().zip(values).map(|((category, _), value)| (position(*category), scale.at(*value)));
            match points.collect::<Vec<_>>()[..] {
                // A period between two gaps has the width of its band.
                [(x, y)] => vec![(x - band / 2.0, y), (x + band / 2.0, y)],
                ref points => points.to_vec(),
            }
        };
        let (upper, lower) = (edge(&above), edge(&below));
        let outline: Vec<(f64, f64)> = upper.iter().copied().chain(lower.iter().rev().copied()).collect();
        canvas.polygon(outline, if several { token } else { Token::Shade2 });
        if several && series > 0 {
            canvas.polyline(lower, Token::Background, 1.0);
        }
        if !several {
            canvas.polyline(upper, Token::Ink, 2.0);
        }
        below = above;
    }
}
