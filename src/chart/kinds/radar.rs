//! `radar`: capability maturity, current against target, and nothing else. Axes of one scale from 0, where nothing exists,
//! to 5 can be read as a shape; areas and angles of anything else mislead, so all else is refused.
//!
//! The centre is zero, so that level 1 has a length too.

use std::f64::consts::TAU;

use super::{Kind, limit, link, of_scenario};
use crate::chart::canvas::{Anchor, Area, Canvas, Text};
use crate::chart::text::{self, SMALL};
use crate::chart::theme::Token;
use crate::chart::{ChartError, ChartSpec, Scenario, describe};
use crate::locale::{Quantity, message};

/// See the module.
#[derive(Debug)]
pub(super) struct Radar;

const LEVELS: u32 = 5;
const LINE: f64 = 13.0;

impl Kind for Radar {
    fn name(&self) -> &'static str {
        "radar"
    }

    fn question(&self) -> &'static str {
        "How mature are our capabilities, now and as aimed for?"
    }

    fn check(&self, spec: &ChartSpec) -> Result<(), ChartError> {
        let refuse = |reason: String| Err(ChartError::Refused { kind: "radar", reason });
        limit("radar", "axes", spec.categories.len(), 8)?;
        if spec.time.is_some() {
            return refuse("shows levels of maturity and no periods; use `line`".to_owned());
        }
        if spec.categories.len() < 3 {
            return refuse("needs at least three axes; use `bar`".to_owned());
        }
        let current = of_scenario(spec, Scenario::Actual).len();
        let target = of_scenario(spec, Scenario::Plan).len();
        if current != 1 || target > 1 || current + target != spec.series.len() {
            return refuse(
                "shows one `actual` series, the current levels, and at most one `plan`, the target".to_owned(),
            );
        }
        // Before the values: an amount that happens to lie between 0 and 5 is no level.
        if spec.unit.quantity != Quantity::Number {
            return refuse("shows levels of maturity only, which have no unit; use `bar`".to_owned());
        }
        for series in &spec.series {
            for (value, category) in series.values.iter().zip(&spec.categories) {
                match value {
                    None => return refuse(format!("`{category}` has no level in `{}`", series.name)),
                    Some(level) if !(0.0..=f64::from(LEVELS)).contains(level) => {
                        return refuse(format!(
                            "shows levels of maturity from 0 to 5 only; `{category}` has {level} in `{}`",
                            series.name
                        ));
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(())
    }

    fn height(&self, spec: &ChartSpec, width: f64, _wish: f64) -> f64 {
        let layout = Layout::of(spec, width);
        2.0 * (layout.radius + layout.outside)
    }

    fn draw(&self, spec: &ChartSpec, canvas: &mut Canvas, area: Area) -> Result<(), ChartError> {
        draw(spec, canvas, area);
        Ok(())
    }

    /// As of all kinds, and the largest gap to the target.
    fn words(&self, spec: &ChartSpec) -> Vec<String> {
        let mut words: Vec<String> = (0..spec.series.len())
            .filter_map(|series| describe::series_words(spec, series, &spec.series[series]))
            .collect();
        let (Some(current), Some(target)) = roles(spec) else { return words };
        let gap = |axis: usize| level(spec, target, axis) - level(spec, current, axis);
        let widest = (0..spec.categories.len()).reduce(|best, next| if gap(next) > gap(best) { next } else { best });
        if let Some(axis) = widest.filter(|axis| gap(*axis) > 0.0) {
            words.push(message(
                spec.lang,
                "chart-desc-radar-gap",
                &[
                    ("name", (&spec.categories[axis]).into()),
                    ("value", (&spec.value_text(current, axis)).into()),
                    ("target", (&spec.value_text(target, axis)).into()),
                ],
            ));
        }
        words
    }
}

/// The current series and the target.
fn roles(spec: &ChartSpec) -> (Option<usize>, Option<usize>) {
    let first = |scenario| of_scenario(spec, scenario).first().copied();
    (first(Scenario::Actual), first(Scenario::Plan))
}

fn level(spec: &ChartSpec, series: usize, axis: usize) -> f64 {
    spec.series[series].values[axis].unwrap_or(0.0)
}

struct Layout {
    radius: f64,
    /// Height of the names above and below.
    outside: f64,
    /// Width of a name.
    names: f64,
}

impl Layout {
    fn of(spec: &ChartSpec, width: f64) -> Self {
        let most = if spec.is_compact() { 92.0 } else { 180.0 };
        let widest = spec.categories.iter().map(|name| text::width(name, SMALL)).fold(72.0, f64::max);
        let names = widest.min(most).min(width * 0.26);
        let radius = ((width - 2.0 * names - 24.0) / 2.0).clamp(60.0, 150.0);
        Self { radius, outside: 3.0 * LINE + 14.0, names }
    }
}

fn draw(spec: &ChartSpec, canvas: &mut Canvas, area: Area) {
    let layout = Layout::of(spec, area.w);
    let count = spec.categories.len();
    let centre = (area.x + area.w / 2.0, area.y + area.h / 2.0);
    // The first axis points up, the others follow clockwise.
    let direction = |axis: usize| (TAU * axis as f64 / count as f64).sin_cos();
    let at = |axis: usize, level: f64| {
        let (sin, cos) = direction(axis);
        let length = layout.radius * level / f64::from(LEVELS);
        (centre.0 + length * sin, centre.1 - length * cos)
    };
    let closed = |level: &dyn Fn(usize) -> f64| -> Vec<(f64, f64)> {
        (0..=count).map(|axis| at(axis % count, level(axis % count))).collect()
    };
    let (Some(current), target) = roles(spec) else { return };
    canvas.polygon(closed(&|axis| level(spec, current, axis)), Token::Shade1);
    for ring in 1..=LEVELS {
        canvas.polyline(closed(&|_| f64::from(ring)), Token::Grid, 1.0);
    }
    for axis in 0..count {
        canvas.line(centre, at(axis, f64::from(LEVELS)), Token::Grid, 1.0);
    }
    if let Some(target) = target {
        let points = closed(&|axis| level(spec, target, axis));
        canvas.polyline(points.clone(), Token::Ink, 1.0);
        for point in &points[..count] {
            canvas.disc(*point, 3.0, Token::Ink);
            canvas.disc(*point, 2.0, Token::Background);
        }
    }
    let points = closed(&|axis| level(spec, current, axis));
    canvas.polyline(points.clone(), Token::Ink, 2.25);
    for point in &points[..count] {
        canvas.disc(*point, 3.25, Token::Ink);
    }
    // The numbers between would stand in the lines; the levels themselves stand at the names.
    for ring in [1, LEVELS] {
        let (x, y) = at(0, f64::from(ring));
        canvas.label((x - 6.0, y), SMALL, Token::Muted, Anchor::End, ring.to_string());
    }
    for axis in 0..count {
        draw_name(spec, canvas, axis, &layout, (centre, direction(axis)));
    }
}

/// Name and levels of an axis at its end, with the mark over them.
fn draw_name(
    spec: &ChartSpec,
    canvas: &mut Canvas,
    axis: usize,
    layout: &Layout,
    ((x, y), (sin, cos)): ((f64, f64), (f64, f64)),
) {
    let mut lines: Vec<(String, bool)> =
        text::wrap(&spec.categories[axis], SMALL, layout.names, 2).into_iter().map(|line| (line, false)).collect();
    let (Some(current), target) = roles(spec) else { return };
    let current = spec.value_text(current, axis);
    let levels = match target {
        Some(target) => format!("{current} / {}", spec.value_text(target, axis)),
        None => current,
    };
    lines.push((text::fit(&levels, SMALL, layout.names / 1.06), true));
    let height = lines.len() as f64 * LINE;
    let width = lines
        .iter()
        .map(|(line, bold)| if *bold { text::bold_width(line, SMALL) } else { text::width(line, SMALL) })
        .fold(0.0, f64::max);
    let reach = layout.radius + 10.0;
    let (x, y) = (x + reach * sin, y - reach * cos);
    let (anchor, left) = match sin {
        sin if sin > 0.1 => (Anchor::Start, x),
        sin if sin < -0.1 => (Anchor::End, x - width),
        _ => (Anchor::Middle, x - width / 2.0),
    };
    // Above the upper axes, below the lower ones, beside those at the sides.
    let top = y - height * (1.0 + cos) / 2.0;
    for (line, (content, bold)) in lines.into_iter().enumerate() {
        let y = top + LINE * (line as f64 + 0.5);
        canvas.text(Text { x, y, size: SMALL, token: Token::Ink, anchor, bold, content });
    }
    let left = left.clamp(0.0, (canvas.width() - width).max(0.0));
    let mark = Area { x: left, y: top.max(0.0), w: width.min(canvas.width()), h: height };
    canvas.mark(mark, describe::mark_label(spec, axis), link(spec, axis));
}
