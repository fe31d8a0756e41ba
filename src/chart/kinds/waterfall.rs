//! `waterfall`: how do we get from A to B. The first category is the opening level, the last the closing one, all between are
//! steps that must add up to the difference: a bridge that does not reach the other side is refused.

use super::{Kind, limit, link, wished};
use crate::chart::axis::Linear;
use crate::chart::canvas::{Anchor, Area, Canvas, Text};
use crate::chart::text::{self, BODY, SMALL};
use crate::chart::theme::{self, Token};
use crate::chart::{ChartError, ChartSpec, describe};
use crate::locale::message;

/// See the module.
#[derive(Debug)]
pub(super) struct Waterfall;

const LABEL: f64 = 16.0;
/// Columns need so many px each for their names; below it the bridge is built of rows.
const LEAST_BAND: f64 = 58.0;
const STEP: f64 = 26.0;

impl Kind for Waterfall {
    fn name(&self) -> &'static str {
        "waterfall"
    }

    fn question(&self) -> &'static str {
        "How do we get from A to B?"
    }

    fn check(&self, spec: &ChartSpec) -> Result<(), ChartError> {
        limit("waterfall", "series", spec.series.len(), 1)?;
        limit("waterfall", "categories", spec.categories.len(), 30)?;
        let refuse = |reason: String| Err(ChartError::Refused { kind: "waterfall", reason });
        if spec.categories.len() < 3 {
            return refuse("needs an opening level, at least one step and a closing level".to_owned());
        }
        let values = &spec.series[0].values;
        if let Some(gap) = values.iter().position(Option::is_none) {
            return refuse(format!("`{}` has no value", spec.categories[gap]));
        }
        let values: Vec<f64> = values.iter().flatten().copied().collect();
        let (last, before) = values.split_last().map_or((0.0, &values[..]), |(last, before)| (*last, before));
        let reached: f64 = before.iter().sum();
        let size = values.iter().map(|value| value.abs()).fold(0.0, f64::max);
        // Amounts arrive as floats: what differs by less than a few units in the last place is equal.
        if (reached - last).abs() > size * 1e-11 {
            let (reached, last) = (describe::amount(spec, reached), describe::amount(spec, last));
            return refuse(format!("opening and steps add up to {reached}, the closing level is {last}"));
        }
        Ok(())
    }

    fn height(&self, spec: &ChartSpec, width: f64, wish: f64) -> f64 {
        if is_vertical(spec, width) { wished(wish, 270.0, 180.0) } else { STEP * spec.categories.len() as f64 + 6.0 }
    }

    fn words(&self, spec: &ChartSpec) -> Vec<String> {
        let values: Vec<f64> = spec.series[0].values.iter().map(|value| value.unwrap_or(0.0)).collect();
        let last = values.len() - 1;
        let steps = || (1..last).map(|index| (index, values[index]));
        let up =
            steps().reduce(|best, next| if next.1 > best.1 { next } else { best }).filter(|(_, value)| *value > 0.0);
        let down =
            steps().reduce(|best, next| if next.1 < best.1 { next } else { best }).filter(|(_, value)| *value < 0.0);
        let text = |index: usize| value_text(spec, index, Bar { from: 0.0, to: 0.0, level: false, token: Token::Ink });
        let level = |index: usize| spec.value_text(0, index);
        let mut words = vec![message(
            spec.lang,
            "chart-desc-waterfall",
            &[
                ("opening", (&spec.categories[0]).into()),
                ("from", (&level(0)).into()),
                ("closing", (&spec.categories[last]).into()),
                ("to", (&level(last)).into()),
                ("change", (&spec.difference(values[last] - values[0])).into()),
            ],
        )];
        for (key, found) in [("chart-desc-waterfall-up", up), ("chart-desc-waterfall-down", down)] {
            let Some((index, _)) = found else { continue };
            let amount = text(index);
            let args = [("step", (&spec.categories[index]).into()), ("amount", (&amount).into())];
            words.push(message(spec.lang, key, &args));
        }
        words
    }

    fn draw(&self, spec: &ChartSpec, canvas: &mut Canvas, area: Area) -> Result<(), ChartError> {
        let bars = bars(spec);
        if is_vertical(spec, area.w) {
            columns(spec, canvas, area, &bars)
        } else {
            rows(spec, canvas, area, &bars)
        }
        Ok(())
    }
}

/// One column of the bridge.
#[derive(Debug, Clone, Copy)]
struct Bar {
    from: f64,
    to: f64,
    level: bool,
    token: Token,
}

fn bars(spec: &ChartSpec) -> Vec<Bar> {
    let values: Vec<f64> = spec.series[0].values.iter().map(|value| value.unwrap_or(0.0)).collect();
    let last = values.len() - 1;
    let mut level = 0.0;
    values
        .iter()
        .enumerate()
        .map(|(index, value)| {
            if index == 0 || index == last {
                level = *value;
                return Bar { from: 0.0, to: *value, level: true, token: Token::Ink };
            }
            let from = level;
            level += value;
            Bar { from, to: level, level: false, token: theme::variance(spec.good, *value) }
        })
        .collect()
}

fn is_vertical(spec: &ChartSpec, width: f64) -> bool {
    !spec.is_compact() && width / spec.categories.len() as f64 >= LEAST_BAND
}

/// Levels as they are, steps with their sign.
fn value_text(spec: &ChartSpec, index: usize, bar: Bar) -> String {
    let text = spec.value_text(0, index);
    let value = spec.series[0].values[index].unwrap_or(0.0);
    let zero = !text.contains(|char: char| ('1'..='9').contains(&char));
    if bar.level || value <= 0.0 || zero || text.starts_with('+') { text } else { format!("+{text}") }
}

fn text_token(spec: &ChartSpec, index: usize, bar: Bar) -> Token {
    if bar.level { Token::Ink } else { theme::variance_text(spec.good, spec.series[0].values[index].unwrap_or(0.0)) }
}

/// The range of values, zero included: levels are bars, and bars stand on their axis.
fn extent(bars: &[Bar]) -> (f64, f64) {
    bars.iter().fold((0.0, 0.0), |(low, high): (f64, f64), bar| {
        (low.min(bar.from).min(bar.to), high.max(bar.from).max(bar.to))
    })
}

fn columns(spec: &ChartSpec, canvas: &mut Canvas, area: Area, bars: &[Bar]) {
    let count = bars.len();
    let band = area.w / count as f64;
    let names: Vec<Vec<String>> = spec.categories.iter().map(|name| text::wrap(name, SMALL, band - 4.0, 3)).collect();
    let lines = names.iter().map(Vec::len).max().unwrap_or(1) as f64;
    let (low, high) = extent(bars);
    let bottom = area.bottom() - lines * 14.0 - 8.0 - if low < 0.0 { LABEL } else { 0.0 };
    let scale = Linear { low, high, from: bottom, to: area.y + LABEL };
    let zero = scale.at(0.0);
    let thickness = (band * 0.64).min(72.0);
    let middle = |index: usize| area.x + (index as f64 + 0.5) * band;
    for (index, bar) in bars.iter().enumerate() {
        let x = middle(index);
        let column = Area::between((x - thickness / 2.0, scale.at(bar.from)), (x + thickness / 2.0, scale.at(bar.to)));
        canvas.rect(column, bar.token);
        if index + 1 < count {
            let y = scale.at(bar.to);
            canvas.line((x + thickness / 2.0, y), (middle(index + 1) - thickness / 2.0, y), Token::Prior, 1.0);
        }
        let y = if bar.to < bar.from { column.bottom() + LABEL / 2.0 } else { column.y - LABEL / 2.0 };
        canvas.text(Text {
            x,
            y,
            size: if bar.level { BODY } else { SMALL },
            token: text_token(spec, index, *bar),
            anchor: Anchor::Middle,
            bold: bar.level,
            content: value_text(spec, index, *bar),
        });
        for (line, name) in names[index].iter().enumerate() {
            let y = area.bottom() - lines * 14.0 + 14.0 * line as f64 + 5.0;
            canvas.label((x, y), SMALL, Token::Ink, Anchor::Middle, name.clone());
        }
        canvas.mark(
            Area { x: x - band / 2.0, y: area.y, w: band, h: area.h },
            describe::mark_label(spec, index),
            link(spec, index),
        );
    }
    canvas.line((area.x, zero), (area.right(), zero), Token::Ink, 1.0);
}

fn rows(spec: &ChartSpec, canvas: &mut Canvas, area: Area, bars: &[Bar]) {
    let size = if spec.is_compact() { SMALL } else { BODY };
    let names = spec.categories.iter().map(|name| text::bold_width(name, size)).fold(0.0, f64::max).min(area.w * 0.32);
    let widest = (0..bars.len())
        .map(|index| text::bold_width(&value_text(spec, index, bars[index]), SMALL) + 6.0)
        .fold(0.0, f64::max);
    let left = area.x + names + 10.0;
    let (low, high) = extent(bars);
    let pad = if low < 0.0 { widest } else { 0.0 };
    let scale = Linear { low, high, from: left + pad, to: area.right() - widest };
    let zero = scale.at(0.0);
    for (index, bar) in bars.iter().enumerate() {
        let row = Area { x: area.x, y: area.y + STEP * index as f64, w: area.w, h: STEP };
        let middle = row.y + STEP / 2.0;
        let bold = bar.level;
        let room = if bold { (names + 1.0) / 1.06 } else { names + 1.0 };
        let lines = text::wrap(&spec.categories[index], size, room, 2);
        for (line, content) in lines.iter().enumerate() {
            let y = middle + 12.0 * (line as f64 - (lines.len() - 1) as f64 / 2.0);
            let (x, content) = (area.x, content.clone());
            canvas.text(Text { x, y, size, token: Token::Ink, anchor: Anchor::Start, bold, content });
        }
        let column = Area::between((scale.at(bar.from), middle - 8.0), (scale.at(bar.to), middle + 8.0));
        canvas.rect(column, bar.token);
        if index + 1 < bars.len() {
            let x = scale.at(bar.to);
            canvas.line((x, middle + 8.0), (x, middle + STEP - 8.0), Token::Prior, 1.0);
        }
        let negative = bar.level && bar.to < 0.0;
        let (x, anchor) = if negative { (column.x - 5.0, Anchor::End) } else { (column.right() + 5.0, Anchor::Start) };
        canvas.text(Text {
            x,
            y: middle,
            size: SMALL,
            token: text_token(spec, index, *bar),
            anchor,
            bold: bar.level,
            content: value_text(spec, index, *bar),
        });
        canvas.mark(row, describe::mark_label(spec, index), link(spec, index));
    }
    canvas.line((zero, area.y), (zero, area.y + STEP * bars.len() as f64), Token::Ink, 1.0);
}
