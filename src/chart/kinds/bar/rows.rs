//! Rows for structure: name, bar with its number, then the difference in the same scale and in percent.

use super::Roles;
use crate::chart::ChartSpec;
use crate::chart::axis::{Linear, clamp_middle};
use crate::chart::canvas::{Anchor, Area, Canvas};
use crate::chart::describe::{self, Reference};
use crate::chart::kinds::link;
use crate::chart::text::{self, BODY, SMALL};
use crate::chart::theme::{self, Token};
use crate::locale::{MISSING, message};

const GAP: f64 = 18.0;

fn row_height(spec: &ChartSpec) -> f64 {
    let mains = Roles::of(spec).mains.len();
    if mains > 1 { 10.0 + 11.0 * mains as f64 } else { 24.0 }
}

fn head_height(spec: &ChartSpec) -> f64 {
    if Reference::of(spec).is_some() { 20.0 } else { 0.0 }
}

pub(super) fn height(spec: &ChartSpec) -> f64 {
    head_height(spec) + row_height(spec) * spec.categories.len() as f64 + 4.0
}

/// Where the parts of a row stand.
struct Columns {
    bars: Area,
    absolute: Option<Area>,
    relative: Option<Area>,
    /// Differences are only numbers.
    text: bool,
}

pub(super) fn draw(spec: &ChartSpec, canvas: &mut Canvas, area: Area) {
    let roles = Roles::of(spec);
    let reference = Reference::of(spec);
    let count = spec.categories.len();
    let size = if spec.is_compact() { SMALL } else { BODY };
    let names = spec.categories.iter().map(|name| text::width(name, size)).fold(0.0, f64::max).min(area.w * 0.32);
    let body = Area { x: area.x + names + 10.0, w: area.w - names - 10.0, ..area };
    let columns = split(spec, reference, body);

    let (low, high) = spec.extent();
    let number = |category: usize| {
        roles.mains.iter().map(|series| text::width(&spec.value_text(*series, category), SMALL)).fold(0.0, f64::max)
            + 6.0
    };
    // Numbers stand outside of their bars: the longest bar leaves room for its own.
    let widest = (0..count).map(number).fold(0.0, f64::max);
    let pad_left = if low < 0.0 { widest } else { 0.0 };
    let scale = Linear { low, high, from: columns.bars.x + pad_left, to: columns.bars.right() - widest };
    let zero = scale.at(0.0);

    let head = head_height(spec);
    if let Some(reference) = reference {
        draw_heads(spec, canvas, reference, &columns, area.y + 8.0);
    }
    let step = row_height(spec);
    for category in 0..count {
        let row = Area { x: area.x, y: area.y + head + step * category as f64, w: area.w, h: step };
        let middle = row.y + step / 2.0;
        let name = text::fit(&spec.categories[category], size, names + 1.0);
        canvas.label((area.x, middle), size, Token::Ink, Anchor::Start, name);
        let mut ends = (zero, zero);
        let thick = if roles.behind.is_empty() { 13.0 } else { 11.0 };
        for (place, series) in roles.behind.iter().enumerate() {
            let Some(value) = spec.series[*series].values[category] else { continue };
            let offset = if roles.behind.len() > 1 && place > 0 { 3.5 } else { -3.5 };
            let y = middle + offset - thick / 2.0;
            let bar = Area::between((zero, y), (scale.at(value), y + thick));
            canvas.bar(bar, spec.series[*series].scenario, roles.token(spec, *series));
            ends = (ends.0.min(bar.x), ends.1.max(bar.right()));
        }
        if roles.mains.len() > 1 {
            let top = middle - 5.5 * roles.mains.len() as f64;
            for (place, series) in roles.mains.iter().enumerate() {
                let y = top + 11.0 * place as f64;
                let Some(value) = spec.series[*series].values[category] else { continue };
                canvas.rect(Area::between((zero, y + 0.5), (scale.at(value), y + 10.5)), roles.token(spec, *series));
                let content = spec.value_text(*series, category);
                value_label(canvas, (scale.at(value), y + 5.5), zero, value, content);
            }
        } else if let Some((series, value)) = roles.main(spec, category) {
            let offset = if roles.behind.len() == 1 { 2.0 } else { 0.0 };
            let y = middle + offset - thick / 2.0;
            let bar = Area::between((zero, y), (scale.at(value), y + thick));
            canvas.bar(bar, spec.series[series].scenario, roles.token(spec, series));
            ends = (ends.0.min(bar.x), ends.1.max(bar.right()));
            let end = if value < 0.0 { ends.0 } else { ends.1 };
            value_label(canvas, (end, middle), zero, value, spec.value_text(series, category));
        } else {
            canvas.label((zero + 5.0, middle), SMALL, Token::Muted, Anchor::Start, MISSING);
        }
        canvas.mark(row, describe::mark_label(spec, category), link(spec, category));
    }
    let (top, bottom) = (area.y + head, area.y + head + step * count as f64);
    canvas.line((zero, top), (zero, bottom), Token::Ink, 1.0);
    if let Some(reference) = reference {
        let unit = (columns.bars.w - widest - pad_left) / (high - low).max(f64::MIN_POSITIVE);
        draw_absolute(spec, canvas, reference, &columns, unit, (top, step));
        draw_relative(spec, canvas, reference, &columns, (top, step));
    }
}

fn value_label(canvas: &mut Canvas, at: (f64, f64), zero: f64, value: f64, content: String) {
    if value < 0.0 {
        canvas.label((at.0.min(zero) - 5.0, at.1), SMALL, Token::Ink, Anchor::End, content);
    } else {
        canvas.label((at.0.max(zero) + 5.0, at.1), SMALL, Token::Ink, Anchor::Start, content);
    }
}

/// Ratios have differences in points only. Where bars and pins have no room, one column of differences stands as text.
fn split(spec: &ChartSpec, reference: Option<Reference>, body: Area) -> Columns {
    let none = Columns { bars: body, absolute: None, relative: None, text: false };
    let Some(reference) = reference else { return none };
    let count = spec.categories.len();
    let absolute = Field::of((0..count).map(|c| reference.difference(spec, c)), &|value| spec.difference(value));
    let relative =
        Field::of((0..count).map(|c| reference.relative(spec, c)), &|value| describe::percent(spec, value, true));
    let has_relative = (0..count).any(|category| reference.relative(spec, category).is_some());
    let numbers = spec.series.iter().enumerate().flat_map(|(series, _)| (0..count).map(move |c| (series, c)));
    let widest = numbers.map(|(series, c)| text::width(&spec.value_text(series, c), SMALL)).fold(0.0, f64::max);

    let w = body.w - GAP * if has_relative { 2.0 } else { 1.0 };
    let share = if has_relative { 0.25 } else { 0.32 };
    let absolute_width = (w * share).max(absolute.least());
    let relative_width = if has_relative { (w * 0.19).max(relative.least()) } else { 0.0 };
    let bars = Area { w: w - absolute_width - relative_width, ..body };
    if !spec.is_compact() && bars.w > widest * 1.5 + 90.0 {
        return Columns {
            bars,
            absolute: Some(Area { x: bars.right() + GAP, w: absolute_width, ..body }),
            relative: has_relative.then_some(Area { x: body.right() - relative_width, w: relative_width, ..body }),
            text: false,
        };
    }
    let w = if has_relative { relative.widest } else { absolute.widest }.max(54.0);
    let last = Area { x: body.right() - w, w, ..body };
    let bars = Area { w: body.w - w - 8.0, ..body };
    let (absolute, relative) = if has_relative { (None, Some(last)) } else { (Some(last), None) };
    Columns { bars, absolute, relative, text: true }
}

/// How much room differences and their numbers need.
struct Field {
    widest: f64,
    sides: f64,
}

impl Field {
    fn of(values: impl Iterator<Item = Option<f64>>, label: &dyn Fn(f64) -> String) -> Self {
        let values: Vec<f64> = values.flatten().collect();
        let widest = values.iter().map(|value| text::width(&label(*value), SMALL)).fold(0.0, f64::max);
        let both = values.iter().any(|value| *value < 0.0) && values.iter().any(|value| *value > 0.0);
        Self { widest, sides: if both { 2.0 } else { 1.0 } }
    }

    /// Numbers on each side that has some, and as much again for what they say.
    fn least(&self) -> f64 {
        (self.widest + 8.0) * self.sides + 40.0
    }
}

fn draw_heads(spec: &ChartSpec, canvas: &mut Canvas, reference: Reference, columns: &Columns, y: f64) {
    let against = &spec.series[reference.series].name;
    // Differences of ratios have another unit than the ratios, so it is named here.
    let unit = spec.unit.difference();
    let plain = if unit == spec.unit {
        message(spec.lang, "chart-against", &[("against", against.into())])
    } else {
        let unit = unit.label(spec.lang);
        message(spec.lang, "chart-against-unit", &[("against", against.into()), ("unit", (&unit).into())])
    };
    let percent = message(spec.lang, "chart-against-unit", &[("against", against.into()), ("unit", "%".into())]);
    for (area, title) in [(columns.absolute, plain), (columns.relative, percent)] {
        let Some(area) = area else { continue };
        let (x, anchor) =
            if columns.text { (area.right(), Anchor::End) } else { (area.x + area.w / 2.0, Anchor::Middle) };
        let content = text::fit(&title, SMALL, if columns.text { canvas.width() * 0.6 } else { area.w + GAP - 12.0 });
        let x =
            if anchor == Anchor::Middle { clamp_middle(x, text::width(&content, SMALL), canvas.width()) } else { x };
        canvas.label((x, y), SMALL, Token::Muted, anchor, content);
    }
}

/// Bars of the difference, as long per unit as the bars of the values, as far as they fit: one scale for one unit.
fn draw_absolute(
    spec: &ChartSpec,
    canvas: &mut Canvas,
    reference: Reference,
    columns: &Columns,
    unit: f64,
    (top, step): (f64, f64),
) {
    let Some(area) = columns.absolute else { return };
    let values: Vec<Option<f64>> = (0..spec.categories.len()).map(|c| reference.difference(spec, c)).collect();
    if columns.text {
        return draw_texts(canvas, area, (top, step), &values, spec, &|value| spec.difference(value));
    }
    let widest =
        values.iter().flatten().map(|value| text::width(&spec.difference(*value), SMALL)).fold(0.0, f64::max) + 6.0;
    let (low, high) = values.iter().flatten().fold((0.0f64, 0.0f64), |(low, high), v| (low.min(*v), high.max(*v)));
    let left = if low < 0.0 { widest } else { 0.0 };
    let right = if high > 0.0 { widest } else { 0.0 };
    let room = (area.w - left - right).max(8.0);
    let extent = (high - low).max(f64::MIN_POSITIVE);
    let unit = unit.min(room / extent);
    // Both sides get what they need; what is left over is shared out.
    let spare = (room - extent * unit).max(0.0) / 2.0;
    let zero = area.x + left + spare - low * unit;
    canvas.line((zero, top), (zero, top + step * values.len() as f64), Token::Ink, 1.0);
    for (category, value) in values.iter().enumerate() {
        let middle = top + step * (category as f64 + 0.5);
        let Some(value) = value else {
            canvas.label((zero + 5.0, middle), SMALL, Token::Muted, Anchor::Start, MISSING);
            continue;
        };
        let end = zero + value * unit;
        if *value != 0.0 {
            canvas.rect(Area::between((zero, middle - 5.5), (end, middle + 5.5)), theme::variance(spec.good, *value));
        }
        let content = spec.difference(*value);
        let (x, anchor) = if *value < 0.0 { (end - 5.0, Anchor::End) } else { (end + 5.0, Anchor::Start) };
        canvas.label((x, middle), SMALL, text_token(spec, *value, &content), anchor, content);
    }
}

/// Pins: a stem with a square head, in percent.
fn draw_relative(
    spec: &ChartSpec,
    canvas: &mut Canvas,
    reference: Reference,
    columns: &Columns,
    (top, step): (f64, f64),
) {
    let Some(area) = columns.relative else { return };
    let values: Vec<Option<f64>> = (0..spec.categories.len()).map(|c| reference.relative(spec, c)).collect();
    let label = |value: f64| describe::percent(spec, value, true);
    if columns.text {
        return draw_texts(canvas, area, (top, step), &values, spec, &label);
    }
    let widest = values.iter().flatten().map(|value| text::width(&label(*value), SMALL)).fold(0.0, f64::max) + 8.0;
    let (low, high) = values.iter().flatten().fold((0.0f64, 0.0f64), |(low, high), v| (low.min(*v), high.max(*v)));
    let left = area.x + if low < 0.0 { widest } else { 3.0 };
    let right = area.right() - if high > 0.0 { widest } else { 3.0 };
    let scale = Linear { low, high, from: left, to: right.max(left + 8.0) };
    let zero = scale.at(0.0);
    canvas.line((zero, top), (zero, top + step * values.len() as f64), Token::Prior, 1.0);
    for (category, value) in values.iter().enumerate() {
        let middle = top + step * (category as f64 + 0.5);
        let Some(value) = value else {
            canvas.label((zero + 5.0, middle), SMALL, Token::Muted, Anchor::Start, MISSING);
            continue;
        };
        let end = scale.at(*value);
        let token = theme::variance(spec.good, *value);
        canvas.line((zero, middle), (end, middle), token, 1.5);
        canvas.rect(Area { x: end - 2.75, y: middle - 2.75, w: 5.5, h: 5.5 }, token);
        let (x, anchor) = if *value < 0.0 { (end - 7.0, Anchor::End) } else { (end + 7.0, Anchor::Start) };
        let content = label(*value);
        canvas.label((x, middle), SMALL, text_token(spec, *value, &content), anchor, content);
    }
}

/// Differences as text only, right-aligned.
fn draw_texts(
    canvas: &mut Canvas,
    area: Area,
    (top, step): (f64, f64),
    values: &[Option<f64>],
    spec: &ChartSpec,
    label: &dyn Fn(f64) -> String,
) {
    for (category, value) in values.iter().enumerate() {
        let middle = top + step * (category as f64 + 0.5);
        let (token, content) = value.map_or_else(
            || (Token::Muted, MISSING.to_owned()),
            |value| (text_token(spec, value, &label(value)), label(value)),
        );
        canvas.label((area.right(), middle), SMALL, token, Anchor::End, content);
    }
}

/// The colour of a difference's number. One that is printed as zero is neither good nor bad.
fn text_token(spec: &ChartSpec, value: f64, printed: &str) -> Token {
    let signed = printed.starts_with(['+', '−']);
    theme::variance_text(spec.good, if signed { value } else { 0.0 })
}
