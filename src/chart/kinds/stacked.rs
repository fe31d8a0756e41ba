//! `stacked`: what is the total made of. At most five parts, none of them negative; the first part lies on the axis, so the
//! one to compare stands first. Totals are printed; parts are named beside the last column, with their share.

use super::{Kind, limit, link, wished};
use crate::chart::axis::{self, Linear};
use crate::chart::canvas::{Anchor, Area, Canvas, Text};
use crate::chart::text::{self, BODY, SMALL};
use crate::chart::theme::{CATEGORIES, Token};
use crate::chart::{ChartError, ChartSpec, DataTable, Scenario, Series, describe};
use crate::locale::{Quantity, message};

/// See the module.
#[derive(Debug)]
pub(super) struct Stacked;

const LABEL: f64 = 16.0;
/// Space that cuts parts apart, in px.
const CUT: f64 = 1.0;

impl Kind for Stacked {
    fn name(&self) -> &'static str {
        "stacked"
    }

    fn question(&self) -> &'static str {
        "What is the total made of?"
    }

    fn check(&self, spec: &ChartSpec) -> Result<(), ChartError> {
        limit("stacked", "parts", spec.series.len(), 5)?;
        limit("stacked", "categories", spec.categories.len(), 40)?;
        if let Some(series) = spec.series.iter().find(|series| series.values.iter().flatten().any(|value| *value < 0.0))
        {
            let reason = format!("part `{}` has negative values; use `waterfall` or `bar`", series.name);
            return Err(ChartError::Refused { kind: "stacked", reason });
        }
        if let Some(series) = spec.series.iter().find(|series| series.scenario != Scenario::Actual) {
            let reason = format!("part `{}` is not actual; scenarios are compared in `bar` or `line`", series.name);
            return Err(ChartError::Refused { kind: "stacked", reason });
        }
        Ok(())
    }

    fn height(&self, spec: &ChartSpec, _width: f64, wish: f64) -> f64 {
        if spec.time.is_some() { wished(wish, 250.0, 160.0) } else { 24.0 * spec.categories.len() as f64 + 4.0 }
    }

    /// Columns name their parts beside the last one.
    fn needs_key(&self, spec: &ChartSpec) -> bool {
        spec.time.is_none() || spec.is_compact()
    }

    fn draw(&self, spec: &ChartSpec, canvas: &mut Canvas, area: Area) -> Result<(), ChartError> {
        if spec.time.is_some() {
            columns(spec, canvas, area)
        } else {
            rows(spec, canvas, area)
        }
        Ok(())
    }

    fn words(&self, spec: &ChartSpec) -> Vec<String> {
        // The total reads like one more series, in front of its parts.
        let mut whole = spec.clone();
        whole.labels.clear();
        whole.series = vec![Series {
            name: message(spec.lang, "chart-total", &[]),
            scenario: Scenario::Actual,
            values: (0..spec.categories.len()).map(|category| Some(total(spec, category))).collect(),
        }];
        let mut words = describe::values(&whole);
        words.extend(describe::values(spec));
        words
    }

    /// With the total.
    fn table(&self, spec: &ChartSpec) -> DataTable {
        let mut table = describe::table(spec);
        table.headers.push(message(spec.lang, "chart-total", &[]));
        for (category, row) in table.rows.iter_mut().enumerate() {
            row.push(spec.number(total(spec, category)));
        }
        table
    }
}

pub(super) fn total(spec: &ChartSpec, category: usize) -> f64 {
    spec.series.iter().filter_map(|series| series.values[category]).sum()
}

pub(super) fn mark_label(spec: &ChartSpec, category: usize) -> String {
    let total = spec.number(total(spec, category));
    let total = message(spec.lang, "chart-total-of", &[("value", (&total).into())]);
    format!("{}{}{total}", describe::mark_label(spec, category), message(spec.lang, "list-separator", &[]))
}

fn columns(spec: &ChartSpec, canvas: &mut Canvas, area: Area) {
    let count = spec.categories.len();
    let totals: Vec<f64> = (0..count).map(|category| total(spec, category)).collect();
    let high = totals.iter().copied().fold(0.0, f64::max);
    let last = totals.iter().rposition(|total| *total > 0.0).unwrap_or(count - 1);

    let side = if spec.is_compact() { Vec::new() } else { side_labels(spec, last, (area.w * 0.24).min(180.0)) };
    let side_width = side.iter().map(|(_, _, width)| *width).fold(0.0, f64::max);
    let margin = if side.is_empty() { 0.0 } else { side_width + 14.0 };
    let top = area.y + LABEL;
    let bottom = area.bottom() - axis::time_height(spec);
    let texts: Vec<String> = totals.iter().map(|total| spec.number(*total)).collect();
    let widest = texts.iter().map(|total| text::width(total, SMALL)).fold(0.0, f64::max);
    let all = widest + 2.0 <= (area.w - margin) / count as f64;
    let ticks = if all { Vec::new() } else { axis::ticks(0.0, high, 4) };
    let tick_texts = axis::tick_texts(spec, &ticks);
    let left = area.x
        + if all { 0.0 } else { tick_texts.iter().map(|tick| text::width(tick, SMALL)).fold(0.0, f64::max) + 8.0 };
    let plot = Area { x: left, y: top, w: area.right() - margin - left, h: bottom - top };
    let scale = Linear { low: 0.0, high: ticks.last().map_or(high, |tick| tick.max(high)), from: bottom, to: top };
    for (tick, label) in ticks.iter().zip(tick_texts) {
        let y = scale.at(*tick);
        canvas.line((plot.x, y), (plot.right(), y), Token::Grid, 1.0);
        canvas.label((plot.x - 8.0, y), SMALL, Token::Muted, Anchor::End, label);
    }

    let band = plot.w / count as f64;
    let position = |category: usize| plot.x + (category as f64 + 0.5) * band;
    let thickness = (band * 0.72).clamp(1.0, 64.0);
    let mut middles = vec![0.0; spec.series.len()];
    for category in 0..count {
        let mut sum = 0.0;
        for (series, middle) in middles.iter_mut().enumerate() {
            let value = spec.series[series].values[category].unwrap_or(0.0);
            let (lower, upper) = (scale.at(sum), scale.at(sum + value));
            sum += value;
            if category == last {
                *middle = (lower + upper) / 2.0;
            }
            if value > 0.0 {
                let cut = if lower - upper > 3.0 * CUT && sum > value { CUT } else { 0.0 };
                let x = position(category) - thickness / 2.0;
                let part = Area { x, y: upper, w: thickness, h: (lower - upper - cut).max(0.25) };
                canvas.rect(part, CATEGORIES[series]);
            }
        }
        let mark = Area { x: position(category) - band / 2.0, y: area.y, w: band, h: area.h };
        canvas.mark(mark, mark_label(spec, category), link(spec, category));
    }
    canvas.line((plot.x, bottom), (plot.right(), bottom), Token::Ink, 1.0);
    for category in 0..count {
        if !shares(spec) && (all || category == last) {
            let x = axis::clamp_middle(position(category), widest * 1.06, (plot.right() + 6.0).min(canvas.width()));
            let y = scale.at(totals[category]) - LABEL / 2.0;
            canvas.text(Text {
                x,
                y,
                size: SMALL,
                token: Token::Ink,
                anchor: Anchor::Middle,
                bold: category == last,
                content: texts[category].clone(),
            });
        }
    }
    axis::draw_categories(spec, canvas, bottom, band, &position);
    draw_side(canvas, &side, &middles, plot, position(last) + thickness / 2.0);
}

/// Whether the values are shares already: then each total is 100 % and would only be noise.
pub(super) fn shares(spec: &ChartSpec) -> bool {
    spec.unit.quantity == Quantity::Percent
        && (0..spec.categories.len()).map(|category| total(spec, category)).all(|total| (total - 1.0).abs() < 0.001)
}

/// Name, then value and share of each part at the last category; with the width they need.
pub(super) fn side_labels(spec: &ChartSpec, last: usize, room: f64) -> Vec<(usize, [String; 2], f64)> {
    let whole = total(spec, last);
    (0..spec.series.len())
        .filter_map(|series| {
            let value = spec.series[series].values[last].filter(|value| *value > 0.0)?;
            let name = text::fit(&spec.series[series].name, SMALL, room);
            let share = describe::percent(spec, value / whole, false);
            let value = match shares(spec) {
                true => spec.value_text(series, last),
                false => format!("{}\u{2002}{share}", spec.value_text(series, last)),
            };
            let width = text::width(&name, SMALL).max(text::width(&value, SMALL));
            Some((series, [name, value], width))
        })
        .collect()
}

pub(super) fn draw_side(
    canvas: &mut Canvas,
    side: &[(usize, [String; 2], f64)],
    middles: &[f64],
    plot: Area,
    edge: f64,
) {
    const HEIGHT: f64 = 30.0;
    // Parts stack upwards, so labels are placed from the bottom.
    let mut tops: Vec<f64> = Vec::new();
    for (series, ..) in side {
        let wanted = middles[*series] - HEIGHT / 2.0;
        tops.push(
            tops.last().map_or(wanted.min(plot.bottom() - HEIGHT + 8.0), |below: &f64| wanted.min(below - HEIGHT)),
        );
    }
    let mut limit = plot.y - LABEL;
    for top in tops.iter_mut().rev() {
        *top = top.max(limit);
        limit = *top + HEIGHT;
    }
    for ((series, [name, value], _), top) in side.iter().zip(tops) {
        let x = plot.right() + 14.0;
        let middle = top + HEIGHT / 2.0;
        let token = CATEGORIES[*series];
        canvas.polyline(vec![(edge + 1.0, middles[*series]), (x - 8.0, middle)], token, 1.0);
        canvas.rect(Area { x: x - 7.0, y: middle - 12.0, w: 3.0, h: 24.0 }, token);
        canvas.label((x, middle - 7.0), SMALL, Token::Ink, Anchor::Start, name.clone());
        canvas.label((x, middle + 7.0), SMALL, Token::Ink, Anchor::Start, value.clone());
    }
}

fn rows(spec: &ChartSpec, canvas: &mut Canvas, area: Area) {
    let count = spec.categories.len();
    let size = if spec.is_compact() { SMALL } else { BODY };
    let names = spec.categories.iter().map(|name| text::width(name, size)).fold(0.0, f64::max).min(area.w * 0.32);
    let totals: Vec<f64> = (0..count).map(|category| total(spec, category)).collect();
    let widest = totals.iter().map(|total| text::width(&spec.number(*total), SMALL)).fold(0.0, f64::max) + 6.0;
    let left = area.x + names + 10.0;
    let high = totals.iter().copied().fold(0.0, f64::max);
    let scale = Linear { low: 0.0, high, from: left, to: area.right() - widest };
    let step = 24.0;
    for (category, total) in totals.iter().enumerate() {
        let row = Area { x: area.x, y: area.y + step * category as f64, w: area.w, h: step };
        let middle = row.y + step / 2.0;
        let name = text::fit(&spec.categories[category], size, names + 1.0);
        canvas.label((area.x, middle), size, Token::Ink, Anchor::Start, name);
        let mut sum = 0.0;
        for (series, token) in (0..spec.series.len()).zip(CATEGORIES) {
            let Some(value) = spec.series[series].values[category].filter(|value| *value > 0.0) else { continue };
            let (from, to) = (scale.at(sum), scale.at(sum + value));
            let cut = if to - from > 3.0 * CUT && sum > 0.0 { CUT } else { 0.0 };
            canvas.rect(Area::between((from + cut, middle - 7.0), (to, middle + 7.0)), token);
            sum += value;
        }
        if !shares(spec) {
            canvas.label((scale.at(sum) + 5.0, middle), SMALL, Token::Ink, Anchor::Start, spec.number(*total));
        }
        canvas.mark(row, mark_label(spec, category), link(spec, category));
    }
    canvas.line((left, area.y), (left, area.y + step * count as f64), Token::Ink, 1.0);
}
