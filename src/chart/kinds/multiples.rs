//! `multiples`: the same small chart for each of many (branches), on one shared scale.
//!
//! Series of one name are one panel: its actual line and, behind it, prior or plan. Panels are sorted by the difference of
//! their last values, the best first; without anything to compare they keep their order. Links belong to panels.

use super::{Kind, Linked, limit, link};
use crate::chart::axis::Linear;
use crate::chart::canvas::{Anchor, Area, Canvas, Text};
use crate::chart::sparkline::runs;
use crate::chart::text::{self, BODY, SMALL};
use crate::chart::theme::{self, Token};
use crate::chart::{ChartError, ChartSpec, DataTable, Good, Scenario, describe};
use crate::locale::message;

/// See the module.
#[derive(Debug)]
pub(super) struct Multiples;

const PANEL: f64 = 88.0;
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

    fn linked(&self, _spec: &ChartSpec) -> Linked {
        Linked::Series
    }

    fn height(&self, spec: &ChartSpec, width: f64, _wish: f64) -> f64 {
        let panels = panels(spec);
        let rows = panels.len().div_ceil(per_row(spec, &panels, width));
        rows as f64 * (PANEL + GAP) + 18.0
    }

    /// The first and the last panel; the rest is in the table.
    fn words(&self, spec: &ChartSpec) -> Vec<String> {
        let panels = panels(spec);
        let text = |panel: &Panel<'_>| {
            let (at, _) = panel.last(spec)?;
            let difference = panel.difference(spec).map(|difference| spec.difference(difference));
            let value = spec.value_text(panel.main?, at);
            Some(difference.map_or_else(|| value.clone(), |change| format!("{value} ({change})")))
        };
        let (Some(first), Some(last)) = (panels.first(), panels.last()) else { return Vec::new() };
        let (first_text, last_text) = (text(first).unwrap_or_default(), text(last).unwrap_or_default());
        vec![message(
            spec.lang,
            "chart-desc-multiples",
            &[
                ("count", i64::try_from(panels.len()).unwrap_or(i64::MAX).into()),
                ("first", first.name.into()),
                ("first-value", (&first_text).into()),
                ("last", last.name.into()),
                ("last-value", (&last_text).into()),
            ],
        )]
    }

    /// A column per series: names repeat, so the scenario is said.
    fn table(&self, spec: &ChartSpec) -> DataTable {
        let mut table = describe::plain_table(spec);
        for (head, series) in table.headers.iter_mut().skip(1).zip(&spec.series) {
            let scenario = match series.scenario {
                Scenario::Actual => continue,
                Scenario::Prior => "scenario-prior",
                Scenario::Plan => "scenario-plan",
                Scenario::Forecast => "scenario-forecast",
            };
            let scenario = message(spec.lang, scenario, &[]);
            *head = message(
                spec.lang,
                "chart-title-unit",
                &[("title", (&series.name).into()), ("unit", (&scenario).into())],
            );
        }
        table
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

/// As many panels beside each other as keep their two numbers apart.
fn per_row(spec: &ChartSpec, panels: &[Panel<'_>], width: f64) -> usize {
    let numbers = panels.iter().map(|panel| {
        let value = panel.last(spec).zip(panel.main).map(|((at, _), main)| spec.value_text(main, at));
        let change = panel.difference(spec).map(|difference| spec.difference(difference));
        [value, change].into_iter().flatten().map(|text| text::width(&text, SMALL) + 6.0).sum()
    });
    let least = numbers.fold(if spec.is_compact() { 150.0 } else { 168.0 }, f64::max);
    ((width + GAP) / (least + GAP)).floor().max(1.0) as usize
}

fn draw(spec: &ChartSpec, canvas: &mut Canvas, area: Area) {
    let panels = panels(spec);
    let columns = per_row(spec, &panels, area.w);
    let width = (area.w - GAP * (columns - 1) as f64) / columns as f64;
    let values = || spec.series.iter().flat_map(|series| series.values.iter().flatten().copied());
    let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
    let (low, high) = if low >= 0.0 { (0.0, high) } else { (low, high.max(0.0)) };
    for (index, panel) in panels.iter().enumerate() {
        let x = area.x + (index % columns) as f64 * (width + GAP);
        let y = area.y + (index / columns) as f64 * (PANEL + GAP);
        draw_panel(spec, canvas, panel, Area { x, y, w: width, h: PANEL }, (low, high));
    }
    let low_text = if low == 0.0 { "0".to_owned() } else { spec.number(low) };
    let scale =
        message(spec.lang, "chart-shared-scale", &[("low", (&low_text).into()), ("high", (&spec.number(high)).into())]);
    let (from, to) = (spec.categories.first(), spec.categories.last());
    let range = from.zip(to).map_or_else(String::new, |(from, to)| format!("{from} – {to}"));
    let note = format!("{range}\u{2003}{scale}");
    canvas.label((area.x, area.bottom() - 8.0), SMALL, Token::Muted, Anchor::Start, text::fit(&note, SMALL, area.w));
}

fn draw_panel(spec: &ChartSpec, canvas: &mut Canvas, panel: &Panel<'_>, area: Area, (low, high): (f64, f64)) {
    let Some(main) = panel.main else { return };
    let difference = panel.difference(spec);
    let value = panel.last(spec).map(|(at, _)| spec.value_text(main, at)).unwrap_or_default();
    let change = difference.map(|difference| spec.difference(difference)).unwrap_or_default();
    canvas.text(Text {
        x: area.x,
        y: area.y + 7.0,
        size: BODY,
        token: Token::Ink,
        anchor: Anchor::Start,
        bold: true,
        content: text::fit(panel.name, BODY, area.w / 1.06),
    });
    canvas.label((area.x, area.y + 23.0), SMALL, Token::Ink, Anchor::Start, value.clone());
    if let Some(difference) = difference {
        let token = theme::variance_text(spec.good, difference);
        canvas.label((area.right(), area.y + 23.0), SMALL, token, Anchor::End, change.clone());
    }
    let plot = Area { x: area.x, y: area.y + 36.0, w: area.w - 3.0, h: area.h - 36.0 };
    let scale = Linear { low, high, from: plot.bottom(), to: plot.y };
    let zero = scale.at(0.0);
    let step = plot.w / spec.categories.len().saturating_sub(1).max(1) as f64;
    let position = |index: usize| plot.x + index as f64 * step;
    let points = |run: &[(usize, f64)]| -> Vec<(f64, f64)> {
        run.iter().map(|(index, value)| (position(*index), scale.at(*value))).collect()
    };
    // The area down to zero gives the panels the weight of their branches.
    for run in runs(&spec.series[main].values) {
        let mut outline = points(&run);
        if let [first, .., last] = outline[..] {
            outline.extend([(last.0, zero), (first.0, zero)]);
            canvas.polygon(outline, Token::Grid);
        }
    }
    canvas.line((area.x, zero), (area.right(), zero), Token::Prior, 1.0);
    for series in panel.others.iter().copied().chain([main]) {
        let scenario = spec.series[series].scenario;
        let token = theme::scenario(scenario);
        for run in runs(&spec.series[series].values) {
            let points = points(&run);
            match scenario {
                _ if points.len() == 1 => canvas.disc(points[0], 1.5, token),
                Scenario::Actual => canvas.polyline(points, token, 1.75),
                Scenario::Prior => canvas.polyline(points, token, 1.25),
                Scenario::Plan | Scenario::Forecast => canvas.dashes(&points, token, 1.0),
            }
        }
    }
    if let Some((at, last)) = panel.last(spec) {
        let token = difference.map_or(Token::Ink, |difference| theme::variance(spec.good, difference));
        canvas.disc((position(at), scale.at(last)), 2.5, token);
    }
    let values = if change.is_empty() { vec![value] } else { vec![value, change] };
    let values = values.join(&message(spec.lang, "list-separator", &[]));
    let label = message(spec.lang, "chart-mark", &[("category", panel.name.into()), ("values", (&values).into())]);
    canvas.mark(area, label, link(spec, panel.place));
}
