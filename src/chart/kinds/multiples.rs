//! `multiples`: the same small chart for each of many (branches), on one shared scale.
//!
//! Series of one name are one panel: its actual line and, behind it, prior or plan. Panels are sorted by the difference of
//! their last values, the best first; without anything to compare they keep their order. Links belong to panels.

use super::{Kind, limit, link};
use crate::chart::axis::{Linear, clamp_middle};
use crate::chart::canvas::{Anchor, Area, Canvas, Text};
use crate::chart::sparkline::runs;
use crate::chart::text::{self, BODY, SMALL};
use crate::chart::theme::{self, Token};
use crate::chart::{ChartError, ChartSpec, Good, Scenario};
use crate::locale::message;

/// See the module.
#[derive(Debug)]
pub(super) struct Multiples;

const PANEL: f64 = 84.0;
const GAP: f64 = 18.0;

impl Kind for Multiples {
    fn name(&self) -> &'static str {
        "multiples"
    }

    fn question(&self) -> &'static str {
        "How does the same thing move in each of many?"
    }

    fn check(&self, spec: &ChartSpec) -> Result<(), ChartError> {
        let panels = panels(spec);
        limit("multiples", "panels", panels.len(), 64)?;
        match panels.iter().find(|panel| panel.main.is_none()) {
            Some(panel) => {
                let reason = format!("panel `{}` has no actual series", panel.name);
                Err(ChartError::Refused { kind: "multiples", reason })
            }
            None => Ok(()),
        }
    }

    fn height(&self, spec: &ChartSpec, width: f64, _wish: f64) -> f64 {
        let rows = panels(spec).len().div_ceil(per_row(width));
        rows as f64 * (PANEL + GAP) + 18.0
    }

    fn needs_key(&self, _spec: &ChartSpec) -> bool {
        false
    }

    fn draw(&self, spec: &ChartSpec, canvas: &mut Canvas, area: Area) -> Result<(), ChartError> {
        draw(spec, canvas, area);
        Ok(())
    }
}

#[derive(Debug)]
struct Panel<'a> {
    name: &'a str,
    /// Place among the panels as given, for its link.
    place: usize,
    main: Option<usize>,
    others: Vec<usize>,
}

impl Panel<'_> {
    fn last(&self, spec: &ChartSpec) -> Option<(usize, f64)> {
        let values = &spec.series[self.main?].values;
        values.iter().enumerate().rev().find_map(|(index, value)| value.map(|value| (index, value)))
    }

    /// Difference of the last value from plan, else from prior.
    fn difference(&self, spec: &ChartSpec) -> Option<f64> {
        let (at, value) = self.last(spec)?;
        let of = |scenario| self.others.iter().find(|series| spec.series[**series].scenario == scenario);
        let reference = of(Scenario::Plan).or_else(|| of(Scenario::Prior))?;
        Some(value - spec.series[*reference].values[at]?)
    }
}

fn panels(spec: &ChartSpec) -> Vec<Panel<'_>> {
    let mut panels: Vec<Panel<'_>> = Vec::new();
    for (index, series) in spec.series.iter().enumerate() {
        let found = panels.iter().position(|panel| panel.name == series.name).unwrap_or_else(|| {
            panels.push(Panel { name: &series.name, place: panels.len(), main: None, others: Vec::new() });
            panels.len() - 1
        });
        let panel = &mut panels[found];
        if panel.main.is_none() && series.scenario == Scenario::Actual {
            panel.main = Some(index);
        } else {
            panel.others.push(index);
        }
    }
    if panels.iter().any(|panel| panel.difference(spec).is_some()) {
        let sign = if spec.good == Good::Down { -1.0 } else { 1.0 };
        let key = |panel: &Panel<'_>| panel.difference(spec).map_or(f64::MIN, |difference| difference * sign);
        panels.sort_by(|a, b| key(b).total_cmp(&key(a)));
    }
    panels
}

fn per_row(width: f64) -> usize {
    ((width + GAP) / (if width <= 420.0 { 150.0 } else { 168.0 } + GAP)).floor().max(1.0) as usize
}

fn draw(spec: &ChartSpec, canvas: &mut Canvas, area: Area) {
    let panels = panels(spec);
    let columns = per_row(area.w);
    let width = (area.w - GAP * (columns - 1) as f64) / columns as f64;
    let values = || spec.series.iter().flat_map(|series| series.values.iter().flatten().copied());
    let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
    let (low, high) = if low >= 0.0 { (0.0, high) } else { (low, high.max(0.0)) };
    for (index, panel) in panels.iter().enumerate() {
        let x = area.x + (index % columns) as f64 * (width + GAP);
        let y = area.y + (index / columns) as f64 * (PANEL + GAP);
        draw_panel(spec, canvas, panel, Area { x, y, w: width, h: PANEL }, (low, high));
    }
    let scale = message(
        spec.lang,
        "chart-shared-scale",
        &[("low", (&spec.number(low)).into()), ("high", (&spec.number(high)).into())],
    );
    let (from, to) = (spec.categories.first(), spec.categories.last());
    let range = from.zip(to).map_or_else(String::new, |(from, to)| format!("{from} – {to}"));
    let note = format!("{range}   {scale}");
    canvas.label((area.x, area.bottom() - 8.0), SMALL, Token::Muted, Anchor::Start, text::fit(&note, SMALL, area.w));
}

fn draw_panel(spec: &ChartSpec, canvas: &mut Canvas, panel: &Panel<'_>, area: Area, (low, high): (f64, f64)) {
    let Some(main) = panel.main else { return };
    let difference = panel.difference(spec);
    let value = panel.last(spec).map(|(at, _)| spec.value_text(main, at)).unwrap_or_default();
    let change = difference.map(|difference| spec.difference(difference)).unwrap_or_default();
    let change_width = text::width(&change, SMALL);
    canvas.text(Text {
        x: area.x,
        y: area.y + 7.0,
        size: BODY,
        token: Token::Ink,
        anchor: Anchor::Start,
        bold: true,
        content: text::fit(panel.name, BODY, (area.w - change_width - 8.0) / 1.06),
    });
    if let Some(difference) = difference {
        let token = theme::variance_text(spec.good, difference);
        canvas.label((area.right(), area.y + 7.0), SMALL, token, Anchor::End, change);
    }
    let plot = Area { x: area.x, y: area.y + 32.0, w: area.w - 6.0, h: area.h - 34.0 };
    let scale = Linear { low, high, from: plot.bottom(), to: plot.y };
    let count = spec.categories.len();
    let step = plot.w / count.saturating_sub(1).max(1) as f64;
    let position = |index: usize| plot.x + 2.0 + index as f64 * step;
    canvas.line((area.x, scale.at(0.0)), (area.right(), scale.at(0.0)), Token::Grid, 1.0);
    for series in panel.others.iter().copied().chain([main]) {
        for run in runs(&spec.series[series].values) {
            let points: Vec<(f64, f64)> = run.iter().map(|(index, value)| (position(*index), scale.at(*value))).collect();
            let token = theme::scenario(spec.series[series].scenario);
            match spec.series[series].scenario {
                _ if points.len() == 1 => canvas.disc(points[0], 1.5, token),
                Scenario::Actual => canvas.polyline(points, token, 1.75),
                Scenario::Prior => canvas.polyline(points, token, 1.25),
                Scenario::Plan | Scenario::Forecast => canvas.dashes(&points, token, 1.0),
            }
        }
    }
    if let Some((at, last)) = panel.last(spec) {
        let point = (position(at), scale.at(last));
        canvas.disc(point, 2.5, difference.map_or(Token::Ink, |difference| theme::variance(spec.good, difference)));
        // Above its point, and never over the name.
        let y = (point.1 - 10.0).max(area.y + 23.0);
        let width = text::width(&value, SMALL);
        let x = clamp_middle(point.0.min(area.right() - width / 2.0), width, canvas.width());
        canvas.label((x, y), SMALL, Token::Ink, Anchor::Middle, value.clone());
    }
    let mut values = vec![value];
    values.extend(difference.map(|difference| spec.difference(difference)));
    let values = values.join(&message(spec.lang, "list-separator", &[]));
    let label = message(spec.lang, "chart-mark", &[("category", panel.name.into()), ("values", (&values).into())]);
    canvas.mark(area, label, link(spec, panel.place));
}
