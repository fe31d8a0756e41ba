//! Scales, round tick values and the labels of categories.

use super::canvas::{Anchor, Canvas, Text};
use super::text::{self, SMALL};
use super::theme::Token;
use super::{ChartSpec, Grain};
use crate::locale::{civil, format_month, message};

/// A linear scale from values to px.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linear {
    /// Value at `from`.
    pub low: f64,
    /// Value at `to`.
    pub high: f64,
    /// Position of `low` in px.
    pub from: f64,
    /// Position of `high` in px.
    pub to: f64,
}

impl Linear {
    /// The position of a value. A scale without extent puts everything at its start.
    pub fn at(&self, value: f64) -> f64 {
        let extent = self.high - self.low;
        if extent == 0.0 { self.from } else { self.from + (value - self.low) / extent * (self.to - self.from) }
    }
}

/// Round values from at or below `low` to at or above `high`, about `count` steps of 1, 2 or 5 times a power of ten.
pub fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let extent = (high - low).abs();
    let extent = if extent == 0.0 { low.abs().max(1.0) } else { extent };
    let rough = extent / count.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= rough * 0.999).unwrap_or(10.0) * power;
    let first = (low / step + 1e-9).floor();
    let steps = ((high / step - 1e-9).ceil() - first).clamp(1.0, 50.0) as usize;
    (0..=steps).map(|index| (first + index as f64) * step).collect()
}

/// Tick values as text: as many decimals as their step needs, in the chart's unit.
pub fn tick_texts(spec: &ChartSpec, ticks: &[f64]) -> Vec<String> {
    let step = ticks.windows(2).map(|pair| pair[1] - pair[0]).next().unwrap_or(1.0);
    let power = (step.abs().max(f64::MIN_POSITIVE).log10() + 1e-9).floor() as i32 + spec.unit.shift();
    let decimals = u8::try_from(-power.min(0)).unwrap_or(u8::MAX).min(6);
    let unit = spec.unit.with_decimals(decimals);
    ticks.iter().map(|tick| spec.number_in(*tick, unit)).collect()
}

/// Grid and labels of a horizontal axis of values. The grid stands in the lanes, each from its upper to its lower end, and
/// keeps out of the text between them; the labels stand below the last. Of labels that would touch only every second, third, …
/// stands.
pub fn draw_across(spec: &ChartSpec, canvas: &mut Canvas, ticks: &[f64], scale: &Linear, lanes: &[(f64, f64)]) {
    let texts = tick_texts(spec, ticks);
    let widest = texts.iter().map(|label| text::width(label, SMALL)).fold(0.0, f64::max);
    let apart = ticks.windows(2).map(|pair| scale.at(pair[1]) - scale.at(pair[0])).fold(f64::MAX, f64::min);
    let bottom = lanes.last().map_or(0.0, |(_, bottom)| *bottom);
    let every = (1..ticks.len()).find(|every| widest + 8.0 <= *every as f64 * apart).unwrap_or(ticks.len().max(1));
    for (index, (tick, label)) in ticks.iter().zip(texts).enumerate() {
        let x = scale.at(*tick);
        for (top, bottom) in lanes {
            canvas.line((x, *top), (x, *bottom), Token::Grid, 1.0);
        }
        if index.is_multiple_of(every) {
            let middle = clamp_middle(x, text::width(&label, SMALL), canvas.width());
            canvas.label((middle, bottom + 11.0), SMALL, Token::Muted, Anchor::Middle, label);
        }
    }
}

/// The height that the labels of a time axis need.
pub fn time_height(spec: &ChartSpec) -> f64 {
    match spec.time.as_ref().map(|time| time.grain) {
        Some(Grain::Day | Grain::Month | Grain::Quarter) => 34.0,
        Some(Grain::Year) | None => 20.0,
    }
}

/// Labels under a horizontal axis at `y`. `position` gives the middle of a category, `band` is the distance of neighbours.
///
/// Periods get two levels: months (days, quarters) and below them the year (the month), once each. Labels are thinned so that
/// the last one, the as-of period, always stands.
pub fn draw_categories(spec: &ChartSpec, canvas: &mut Canvas, y: f64, band: f64, position: &dyn Fn(usize) -> f64) {
    let count = spec.categories.len();
    let (short, long): (Vec<String>, Vec<String>) = (0..count).map(|index| levels(spec, index)).unzip();
    let candidates: &[usize] = match spec.time.as_ref().map(|time| time.grain) {
        Some(Grain::Month) => &[1, 2, 3, 6, 12, 24, 36, 60],
        Some(Grain::Quarter) => &[1, 2, 4, 8, 16],
        Some(Grain::Day) => &[1, 2, 5, 7, 14, 28, 56, 91],
        Some(Grain::Year) | None => &[1, 2, 3, 4, 5, 10, 20],
    };
    let widest = short.iter().map(|label| text::width(label, SMALL)).fold(0.0, f64::max);
    let every = candidates.iter().copied().find(|every| widest + 4.0 <= *every as f64 * band).unwrap_or(count.max(1));
    let room = every as f64 * band;
    for index in (0..count).filter(|index| (count - 1 - index).is_multiple_of(every)) {
        canvas.text(Text {
            x: clamp_middle(position(index), widest.min(room), canvas.width()),
            y: y + 11.0,
            size: SMALL,
            token: Token::Muted,
            anchor: Anchor::Middle,
            bold: false,
            content: text::fit(&short[index], SMALL, room.max(24.0)),
        });
    }
    let mut start = 0;
    let mut taken = f64::MIN;
    while start < count {
        let end = (start..count).take_while(|index| long[*index] == long[start]).last().unwrap_or(start);
        if !long[start].is_empty() {
            let (left, right) = (position(start) - band / 2.0, position(end) + band / 2.0);
            if start > 0 {
                canvas.line((left, y + 2.0), (left, y + 32.0), Token::Grid, 1.0);
            }
            let needed = text::width(&long[start], SMALL);
            let middle = clamp_middle((left + right) / 2.0, needed, canvas.width());
            // A year of which one month is shown may have no room for its number; the next one then says it.
            if middle - needed / 2.0 >= taken && (needed <= right - left + 12.0 || end + 1 == count) {
                taken = middle + needed / 2.0 + 4.0;
                canvas.text(Text {
                    x: middle,
                    y: y + 26.0,
                    size: SMALL,
                    token: Token::Muted,
                    anchor: Anchor::Middle,
                    bold: false,
                    content: long[start].clone(),
                });
            }
        }
        start = end + 1;
    }
}

/// The middle of a centred text that must not leave the drawing.
pub fn clamp_middle(middle: f64, width: f64, limit: f64) -> f64 {
    middle.min(limit - width / 2.0).max(width / 2.0)
}

/// The two levels of the label of a category; the second may be empty.
pub fn levels(spec: &ChartSpec, index: usize) -> (String, String) {
    let lang = spec.lang;
    let Some(time) = &spec.time else { return (spec.categories[index].clone(), String::new()) };
    let day = time.days[index];
    let Some((year, month, of_month)) = civil(day) else { return (spec.categories[index].clone(), String::new()) };
    let year_text = message(lang, "chart-year", &[("year", (&year.to_string()).into())]);
    match time.grain {
        Grain::Year => (year.to_string(), String::new()),
        Grain::Month => (message(lang, &format!("month-{month}"), &[]), year_text),
        Grain::Quarter => {
            let quarter = ((month - 1) / 3 + 1).to_string();
            (message(lang, "quarter-short", &[("quarter", (&quarter).into())]), year_text)
        }
        Grain::Day => (of_month.to_string(), format_month(lang, day)),
    }
}
