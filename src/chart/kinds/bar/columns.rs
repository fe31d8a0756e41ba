//! Columns over a time axis.

use super::Roles;
use crate::chart::axis::{self, Linear};
use crate::chart::canvas::{Anchor, Area, Canvas};
use crate::chart::describe::{self, Reference};
use crate::chart::kinds::{link, wished};
use crate::chart::text::{self, SMALL};
use crate::chart::theme::{self, Token};
use crate::chart::{ChartSpec, Scenario};
use crate::locale::message;

/// Height of the strip of differences above the columns.
const STRIP: f64 = 90.0;
const LABEL: f64 = 16.0;

pub(super) fn height(spec: &ChartSpec, _width: f64, wish: f64) -> f64 {
    let strip = if Reference::of(spec).is_some() { STRIP } else { 0.0 };
    wished(wish, 220.0 + strip, 150.0 + strip)
}

pub(super) fn draw(spec: &ChartSpec, canvas: &mut Canvas, area: Area) {
    let roles = Roles::of(spec);
    let reference = Reference::of(spec);
    let count = spec.categories.len();
    let (low, high) = spec.extent();

    let top = area.y + LABEL + if reference.is_some() { STRIP } else { 0.0 };
    let bottom = area.bottom() - axis::time_height(spec) - if low < 0.0 { LABEL } else { 0.0 };
    let labels = |category: usize| roles.main(spec, category).map(|(series, _)| spec.value_text(series, category));
    let widest = (0..count).filter_map(labels).map(|label| text::width(&label, SMALL)).fold(0.0, f64::max);
    let all = roles.mains.len() == 1 && widest + 2.0 <= area.w / count as f64;

    // Where not every column can carry its number, a light grid helps instead; never both.
    let ticks = if all { Vec::new() } else { axis::ticks(low, high, 4) };
    let tick_texts = axis::tick_texts(spec, &ticks);
    let margin = tick_texts.iter().map(|tick| text::width(tick, SMALL)).fold(0.0, f64::max);
    let left = if all { area.x } else { area.x + margin + 8.0 };
    let scale = Linear {
        low: ticks.first().map_or(low, |first| first.min(low)),
        high: ticks.last().map_or(high, |last| last.max(high)),
        from: bottom,
        to: top,
    };
    let zero = scale.at(0.0);
    for (tick, label) in ticks.iter().zip(tick_texts) {
        let y = scale.at(*tick);
        canvas.line((left, y), (area.right(), y), Token::Grid, 1.0);
        canvas.label((left - 8.0, y), SMALL, Token::Muted, Anchor::End, label);
    }

    let band = (area.right() - left) / count as f64;
    let position = |category: usize| left + (category as f64 + 0.5) * band;
    let group = roles.mains.len() as f64;
    let shift = if roles.behind.is_empty() { 0.0 } else { (band * 0.13).min(7.0) };
    let thickness = ((band * 0.68).min(56.0) - shift).max(1.0);
    let column = |middle: f64, value: f64, thickness: f64| {
        Area::between((middle - thickness / 2.0, scale.at(value)), (middle + thickness / 2.0, zero))
    };

    let mut carried: Vec<Carried> = Vec::new();
    for category in 0..count {
        let middle = position(category);
        let mut extreme = (zero, zero);
        for (place, series) in roles.behind.iter().enumerate() {
            let Some(value) = spec.series[*series].values[category] else { continue };
            // The earlier period to the left, the plan to the right: both stay visible beside the value.
            let side = if roles.behind.len() > 1 && place > 0 { shift } else { -shift };
            let area = column(middle + side, value, thickness);
            canvas.bar(area, spec.series[*series].scenario, roles.token(spec, *series));
            extreme = (extreme.0.min(area.y), extreme.1.max(area.bottom()));
        }
        if roles.mains.len() > 1 {
            let each = thickness / group;
            for (place, series) in roles.mains.iter().enumerate() {
                let Some(value) = spec.series[*series].values[category] else { continue };
                let at = middle - thickness / 2.0 + (place as f64 + 0.5) * each;
                canvas.rect(column(at, value, (each - 0.75).max(0.75)), roles.token(spec, *series));
            }
        } else if let Some((series, value)) = roles.main(spec, category) {
            let side = if roles.behind.len() == 1 { shift } else { 0.0 };
            let area = column(middle + side, value, thickness);
            canvas.bar(area, spec.series[series].scenario, roles.token(spec, series));
            let label = spec.value_text(series, category);
            // A number above a taller plan would be read as the plan's: it goes into its own column where that has room.
            let hidden = value > 0.0 && extreme.0 < area.y - 2.0;
            let solid = spec.series[series].scenario == Scenario::Actual;
            let inside = hidden && solid && area.h >= LABEL + 2.0 && text::width(&label, SMALL) + 1.0 <= thickness;
            let y = if inside {
                area.y + LABEL / 2.0 + 1.0
            } else if value < 0.0 {
                area.bottom().max(extreme.1) + LABEL / 2.0
            } else {
                area.y.min(extreme.0) - LABEL / 2.0
            };
            let x = if inside { middle + side } else { middle };
            carried.push(Carried { category, value, x, y, inside, label });
        }
        canvas.mark(
            Area { x: middle - band / 2.0, y: area.y, w: band, h: area.h },
            describe::mark_label(spec, category),
            link(spec, category),
        );
    }
    canvas.line((left, zero), (area.right(), zero), Token::Ink, 1.0);
    draw_labels(canvas, carried, all);
    axis::draw_categories(spec, canvas, area.bottom() - axis::time_height(spec), band, &position);
    if let Some(reference) = reference {
        draw_strip(spec, canvas, reference, area, band, &position);
    }
}

/// The number of a column and where it stands.
struct Carried {
    category: usize,
    value: f64,
    x: f64,
    y: f64,
    inside: bool,
    label: String,
}

/// Numbers at the columns: all, or the last, the highest and a lowest below zero, as far as they do not touch.
fn draw_labels(canvas: &mut Canvas, carried: Vec<Carried>, all: bool) {
    let by = |wanted: fn(f64, f64) -> bool| {
        carried.iter().reduce(|best, next| if wanted(next.value, best.value) { next } else { best })
    };
    let chosen =
        [carried.last(), by(|next, best| next > best), by(|next, best| next < best).filter(|low| low.value < 0.0)];
    let chosen: Vec<usize> = chosen.into_iter().flatten().map(|label| label.category).collect();
    let mut taken: Vec<(f64, f64)> = Vec::new();
    // In the order of importance; `carried` itself is in the order of time.
    let rank = |label: &Carried| chosen.iter().position(|category| *category == label.category);
    let mut carried: Vec<Carried> = carried.into_iter().filter(|label| all || rank(label).is_some()).collect();
    carried.sort_by_key(rank);
    for Carried { x, y, inside, label, .. } in carried {
        let width = text::width(&label, SMALL);
        let x = axis::clamp_middle(x, width, canvas.width());
        let (from, to) = (x - width / 2.0, x + width / 2.0);
        if !all && taken.iter().any(|(left, right)| from < right + 6.0 && *left < to + 6.0) {
            continue;
        }
        taken.push((from, to));
        canvas.label((x, y), SMALL, if inside { Token::Background } else { Token::Ink }, Anchor::Middle, label);
    }
}

/// Differences from plan or prior: pins in percent; for ratios bars in points.
fn draw_strip(
    spec: &ChartSpec,
    canvas: &mut Canvas,
    reference: Reference,
    area: Area,
    band: f64,
    position: &dyn Fn(usize) -> f64,
) {
    let count = spec.categories.len();
    let ratio = spec.unit.quantity.difference() != spec.unit.quantity;
    let value = |category| {
        if ratio { reference.difference(spec, category) } else { reference.relative(spec, category) }
    };
    let label = |value: f64| if ratio { spec.difference(value) } else { describe::percent(spec, value, true) };
    let values: Vec<(usize, f64)> = (0..count).filter_map(|category| value(category).map(|v| (category, v))).collect();
    let against = &spec.series[reference.series].name;
    let unit = if ratio { message(spec.lang, "unit-points", &[]) } else { "%".to_owned() };
    let title = message(spec.lang, "chart-against-unit", &[("against", against.into()), ("unit", (&unit).into())]);
    canvas.label((area.x, area.y + 7.0), SMALL, Token::Muted, Anchor::Start, title);
    let low = values.iter().map(|(_, value)| *value).fold(0.0, f64::min);
    let high = values.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let (top, bottom) = (area.y + 18.0, area.y + STRIP - 10.0);
    let top = top + if high > 0.0 { 13.0 } else { 2.0 };
    let bottom = bottom - if low < 0.0 { 13.0 } else { 2.0 };
    let scale = Linear { low, high, from: bottom, to: top };
    let zero = if high > low { scale.at(0.0) } else { (top + bottom) / 2.0 };
    let y = |value: f64| if high > low { scale.at(value) } else { zero };
    canvas.line((position(0) - band / 2.0, zero), (position(count - 1) + band / 2.0, zero), Token::Prior, 1.0);
    let widest = values.iter().map(|(_, v)| text::width(&label(*v), SMALL)).fold(0.0, f64::max);
    let all = widest + 2.0 <= band;
    let largest = values.iter().copied().reduce(|best, next| if next.1.abs() > best.1.abs() { next } else { best });
    for (category, value) in &values {
        let (x, end) = (position(*category), y(*value));
        let token = theme::variance(spec.good, *value);
        if ratio {
            let half = (band * 0.2).min(8.0);
            canvas.rect(Area::between((x - half, zero), (x + half, end)), token);
        } else {
            canvas.line((x, zero), (x, end), token, 1.5);
            canvas.rect(Area { x: x - 2.75, y: end - 2.75, w: 5.5, h: 5.5 }, token);
        }
    }
    let mut taken: Vec<(f64, f64)> = Vec::new();
    let chosen: Vec<(usize, f64)> =
        if all { values.clone() } else { values.last().copied().into_iter().chain(largest).collect() };
    for (category, value) in chosen {
        let content = label(value);
        let width = text::width(&content, SMALL);
        let x = axis::clamp_middle(position(category), width, canvas.width());
        if !all && taken.iter().any(|(from, to)| x - width / 2.0 < to + 6.0 && *from < x + width / 2.0 + 6.0) {
            continue;
        }
        taken.push((x - width / 2.0, x + width / 2.0));
        let at = y(value) + if value < 0.0 { 10.0 } else { -10.0 };
        canvas.label((x, at), SMALL, theme::variance_text(spec.good, value), Anchor::Middle, content);
    }
}
