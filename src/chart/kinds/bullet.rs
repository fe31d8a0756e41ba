//! `bullet`: a value against its plan and its bands, in place of gauges. A row per item: the bar is the value, the
//! crossing line the plan, the shades behind are the bands.
//!
//! Bands are given by their upper limits. The strongest shade is the worst band: the lowest, or the highest where less is
//! better. All rows share one scale, which starts at zero.

use super::{Kind, limit, link, of_scenario};
use crate::chart::axis::{self, Linear};
use crate::chart::canvas::{Anchor, Area, Canvas, Text};
use crate::chart::describe::{self, Reference};
use crate::chart::text::{self, BODY, SMALL};
use crate::chart::theme::{self, Token};
use crate::chart::{ChartError, ChartSpec, DataTable, Good, Scenario};
use crate::locale::{MISSING, message};

/// See the module.
#[derive(Debug)]
pub(super) struct Bullet;

/// Shades of one, two and three bands, the worst first.
const SHADES: [Token; 3] = [Token::Shade3, Token::Shade2, Token::Shade1];
const KEY: f64 = 18.0;
const AXIS: f64 = 20.0;
const BAND: f64 = 18.0;
const BAR: f64 = 7.0;
/// Least width of the field beside the numbers; with less the numbers stand above it.
const LEAST_FIELD: f64 = 240.0;

impl Kind for Bullet {
    fn name(&self) -> &'static str {
        "bullet"
    }

    fn question(&self) -> &'static str {
        "Where does the value stand against plan and bands?"
    }

    fn takes(&self) -> &'static [&'static str] {
        &["bands"]
    }

    fn check(&self, spec: &ChartSpec) -> Result<(), ChartError> {
        let refuse = |reason: String| Err(ChartError::Refused { kind: "bullet", reason });
        limit("bullet", "rows", spec.categories.len(), 40)?;
        limit("bullet", "bands", spec.bands.len(), SHADES.len())?;
        let (values, plans) = (of_scenario(spec, Scenario::Actual).len(), of_scenario(spec, Scenario::Plan).len());
        if values != 1 || plans > 1 || values + plans != spec.series.len() {
            return refuse("shows one `actual` series and at most one `plan`".to_owned());
        }
        if plans == 0 && spec.bands.is_empty() {
            return refuse("needs a plan or bands to stand against; use `bar`".to_owned());
        }
        if spec.time.is_some() {
            return refuse("periods run from left to right; use `bar` with a plan".to_owned());
        }
        let below = spec.series.iter().chain(&spec.bands).find(|s| s.values.iter().flatten().any(|value| *value < 0.0));
        if let Some(series) = below {
            return refuse(format!("`{}` has negative values, and its scale starts at zero; use `bar`", series.name));
        }
        for (category, name) in spec.categories.iter().enumerate() {
            let limits: Vec<f64> = spec.bands.iter().filter_map(|band| band.values[category]).collect();
            if !limits.is_empty() && limits.len() < spec.bands.len() {
                return refuse(format!("`{name}` has limits for some of its bands only"));
            }
            if limits.windows(2).any(|pair| pair[0] > pair[1]) {
                return refuse(format!("`{name}`: the limits of its bands must ascend"));
            }
        }
        Ok(())
    }

    fn height(&self, spec: &ChartSpec, width: f64, _wish: f64) -> f64 {
        let layout = Layout::of(spec, width);
        let head = if layout.beside { 18.0 } else { 0.0 };
        key_height(spec, width) + head + layout.row() * spec.categories.len() as f64 + AXIS + 2.0
    }

    /// It has its own key: a plan is a line here, and the bands have names.
    fn needs_key(&self, _spec: &ChartSpec) -> bool {
        false
    }

    fn draw(&self, spec: &ChartSpec, canvas: &mut Canvas, area: Area) -> Result<(), ChartError> {
        draw(spec, canvas, area);
        Ok(())
    }

    /// Value, plan, difference, then the limits of the bands.
    fn table(&self, spec: &ChartSpec) -> DataTable {
        let mut table = describe::table(spec);
        for band in &spec.bands {
            table.headers.push(message(spec.lang, "chart-band-to", &[("name", (&band.name).into())]));
            for (row, limit) in table.rows.iter_mut().zip(&band.values) {
                row.push(limit.map_or_else(|| MISSING.to_owned(), |limit| spec.number(limit)));
            }
        }
        table
    }
}

/// The shade of a band.
fn shade(spec: &ChartSpec, band: usize) -> Token {
    let count = spec.bands.len();
    let rank = if spec.good == Good::Down { count - 1 - band } else { band };
    SHADES[(SHADES.len() - count + rank).min(SHADES.len() - 1)]
}

/// The band that a value lies in; above the last limit there is none.
fn band_of(spec: &ChartSpec, category: usize, value: f64) -> Option<usize> {
    spec.bands.iter().position(|band| band.values[category].is_some_and(|limit| value <= limit))
}

/// Entries of the key with their places: swatch, name; and the height of all.
fn key_places(spec: &ChartSpec, width: f64) -> (Vec<(f64, f64, String)>, f64) {
    const GAP: f64 = 16.0;
    let names = spec.series.iter().chain(&spec.bands).map(|series| series.name.as_str());
    let (mut x, mut y) = (0.0, 0.0);
    let mut places = Vec::new();
    for name in names {
        let name = text::fit(name, SMALL, width - 19.0);
        let needed = 19.0 + text::width(&name, SMALL);
        if x > 0.0 && x + needed > width {
            (x, y) = (0.0, y + KEY);
        }
        places.push((x, y, name));
        x += needed + GAP;
    }
    (places, y + KEY)
}

fn key_height(spec: &ChartSpec, width: f64) -> f64 {
    key_places(spec, width).1 + 4.0
}

fn draw_key(spec: &ChartSpec, canvas: &mut Canvas, area: Area) {
    for (place, (x, y, name)) in key_places(spec, area.w).0.into_iter().enumerate() {
        let (x, y) = (area.x + x, area.y + y + KEY / 2.0);
        match spec.series.get(place).map(|series| series.scenario) {
            Some(Scenario::Plan) => canvas.rect(Area { x: x + 5.75, y: y - 7.0, w: 2.5, h: 14.0 }, Token::Ink),
            Some(_) => canvas.rect(Area { x, y: y - BAR / 2.0, w: 14.0, h: BAR }, Token::Ink),
            None => canvas.rect(Area { x, y: y - 5.5, w: 14.0, h: 11.0 }, shade(spec, place - spec.series.len())),
        }
        canvas.label((x + 19.0, y), SMALL, Token::Ink, Anchor::Start, name);
    }
}

/// Where the parts of a row stand.
struct Layout {
    beside: bool,
    size: f64,
    names: f64,
    field: (f64, f64),
    /// Right edges of value, plan and difference, those that there are.
    numbers: Vec<f64>,
}

impl Layout {
    fn of(spec: &ChartSpec, width: f64) -> Self {
        let size = if spec.is_compact() { SMALL } else { BODY };
        let names = spec.categories.iter().map(|name| text::width(name, size)).fold(0.0, f64::max).min(width * 0.26);
        let mut numbers = Vec::new();
        let mut taken = 0.0;
        for column in columns(spec).iter().rev() {
            let rows = (0..spec.categories.len()).map(|row| text::bold_width(&column.text(spec, row), SMALL));
            let widest = rows.fold(text::width(&fit_head(column.head(spec)), SMALL), f64::max);
            numbers.insert(0, width - taken);
            taken += widest + 14.0;
        }
        let left = names + 12.0;
        let beside = !spec.is_compact() && width - taken - left >= LEAST_FIELD;
        let field = if beside { (left, width - taken) } else { (0.0, width) };
        Self { beside, size, names, field, numbers }
    }

    fn row(&self) -> f64 {
        if self.beside { 32.0 } else { 50.0 }
    }
}

/// Heads of columns have no more room than numbers.
fn fit_head(head: String) -> String {
    text::fit(&head, SMALL, 110.0)
}

/// A column of numbers.
#[derive(Debug, Clone, Copy)]
enum Column {
    Series(usize),
    Difference(Reference),
}

/// Value, plan, difference.
fn columns(spec: &ChartSpec) -> Vec<Column> {
    let series = |scenario| of_scenario(spec, scenario).into_iter().map(Column::Series);
    let difference = Reference::of(spec).map(Column::Difference);
    series(Scenario::Actual).chain(series(Scenario::Plan)).chain(difference).collect()
}

impl Column {
    fn head(self, spec: &ChartSpec) -> String {
        match self {
            Self::Series(series) => spec.series[series].name.clone(),
            Self::Difference(reference) => {
                let against = &spec.series[reference.series].name;
                let unit =
                    if describe::is_ratio(spec) { spec.unit.difference().label(spec.lang) } else { "%".to_owned() };
                message(spec.lang, "chart-against-unit", &[("against", against.into()), ("unit", (&unit).into())])
            }
        }
    }

    fn text(self, spec: &ChartSpec, row: usize) -> String {
        match self {
            Self::Series(series) => spec.value_text(series, row),
            Self::Difference(reference) if describe::is_ratio(spec) => {
                reference.difference(spec, row).map_or_else(|| MISSING.to_owned(), |value| spec.difference(value))
            }
            Self::Difference(reference) => reference
                .relative(spec, row)
                .map_or_else(|| MISSING.to_owned(), |share| describe::percent(spec, share, true)),
        }
    }

    fn token(self, spec: &ChartSpec, row: usize) -> Token {
        match self {
            Self::Series(_) => Token::Ink,
            Self::Difference(reference) => reference
                .difference(spec, row)
                .map_or(Token::Muted, |difference| theme::variance_text(spec.good, difference)),
        }
    }
}

fn draw(spec: &ChartSpec, canvas: &mut Canvas, area: Area) {
    draw_key(spec, canvas, area);
    let layout = Layout::of(spec, area.w);
    let columns = columns(spec);
    let values = spec.series.iter().chain(&spec.bands).flat_map(|series| series.values.iter().flatten().copied());
    let high = values.fold(0.0, f64::max);
    let ticks = axis::ticks(0.0, high, 5);
    let (from, to) = layout.field;
    // Bands end where they end, so the axis may end between two round values.
    let scale =
        Linear { low: 0.0, high: if high > 0.0 { high } else { 1.0 }, from: area.x + from, to: area.x + to - 4.0 };
    let ticks: Vec<f64> = ticks.into_iter().filter(|tick| *tick <= scale.high * (1.0 + 1e-9)).collect();
    let mut top = area.y + key_height(spec, area.w);
    if layout.beside {
        for (column, right) in columns.iter().zip(&layout.numbers) {
            let head = fit_head(column.head(spec));
            canvas.label((area.x + right, top + 7.0), SMALL, Token::Muted, Anchor::End, head);
        }
        top += 18.0;
    }
    let bottom = top + layout.row() * spec.categories.len() as f64;
    let lane = |category: usize| {
        let bottom = top + layout.row() * (category + 1) as f64;
        (bottom - BAND - 8.0, bottom)
    };
    let lanes =
        if layout.beside { vec![(top, bottom)] } else { (0..spec.categories.len()).map(lane).collect::<Vec<_>>() };
    axis::draw_across(spec, canvas, &ticks, &scale, &lanes);
    for category in 0..spec.categories.len() {
        let row = Area { x: area.x, y: top + layout.row() * category as f64, w: area.w, h: layout.row() };
        let middle = if layout.beside { row.y + row.h / 2.0 } else { row.y + row.h - BAND / 2.0 - 5.0 };
        draw_numbers(spec, canvas, &layout, &columns, (category, row));
        draw_bullet(spec, canvas, category, &scale, middle);
        canvas.mark(row, mark_label(spec, category), link(spec, category));
    }
    for (top, bottom) in lanes {
        canvas.line((scale.from, top), (scale.from, bottom), Token::Ink, 1.0);
    }
}

/// Name and numbers: in columns, or in a line above the field, then without the plan, whose place the line shows.
fn draw_numbers(
    spec: &ChartSpec,
    canvas: &mut Canvas,
    layout: &Layout,
    columns: &[Column],
    (category, row): (usize, Area),
) {
    if layout.beside {
        let middle = row.y + row.h / 2.0;
        let name = text::fit(&spec.categories[category], layout.size, layout.names + 1.0);
        canvas.label((row.x, middle), layout.size, Token::Ink, Anchor::Start, name);
        for (place, (column, right)) in columns.iter().zip(&layout.numbers).enumerate() {
            let (token, content) = (column.token(spec, category), column.text(spec, category));
            let (x, y, anchor, bold) = (row.x + right, middle, Anchor::End, place == 0);
            canvas.text(Text { x, y, size: SMALL, token, anchor, bold, content });
        }
        return;
    }
    let y = row.y + 11.0;
    let mut right = row.right();
    for (place, column) in columns.iter().enumerate().rev() {
        if place > 0 && matches!(column, Column::Series(_)) {
            continue;
        }
        let mut content = column.text(spec, category);
        if let Column::Difference(reference) = column {
            let against = &spec.series[reference.series].name;
            let against = text::fit(&message(spec.lang, "chart-against", &[("against", against.into())]), SMALL, 90.0);
            let unit = if describe::is_ratio(spec) { spec.unit.difference().label(spec.lang) } else { String::new() };
            content = format!("{against} {content}{}{unit}", if unit.is_empty() { "" } else { " " });
        }
        let bold = place == 0;
        let (token, anchor) = (column.token(spec, category), Anchor::End);
        let width = if bold { text::bold_width(&content, SMALL) } else { text::width(&content, SMALL) };
        canvas.text(Text { x: right, y, size: SMALL, token, anchor, bold, content });
        right -= width + 10.0;
    }
    let name = text::fit(&spec.categories[category], layout.size, (right - row.x).max(0.0));
    canvas.label((row.x, y), layout.size, Token::Ink, Anchor::Start, name);
}

fn draw_bullet(spec: &ChartSpec, canvas: &mut Canvas, category: usize, scale: &Linear, middle: f64) {
    let mut from = scale.from;
    for (band, series) in spec.bands.iter().enumerate() {
        let Some(limit) = series.values[category] else { continue };
        let to = scale.at(limit);
        if to > from {
            canvas.rect(Area { x: from, y: middle - BAND / 2.0, w: to - from, h: BAND }, shade(spec, band));
            from = to;
        }
    }
    let value = |scenario| of_scenario(spec, scenario).first().and_then(|series| spec.series[*series].values[category]);
    match value(Scenario::Actual) {
        Some(value) if value > 0.0 => {
            canvas.rect(
                Area::between((scale.from, middle - BAR / 2.0), (scale.at(value), middle + BAR / 2.0)),
                Token::Ink,
            );
        }
        Some(_) => {}
        None => canvas.label((scale.from + 6.0, middle), SMALL, Token::Ink, Anchor::Start, MISSING),
    }
    if let Some(plan) = value(Scenario::Plan) {
        let x = scale.at(plan);
        // The edge parts it from the bar that it crosses.
        canvas.rect(Area { x: x - 2.25, y: middle - 7.5, w: 4.5, h: 15.0 }, Token::Background);
        canvas.rect(Area { x: x - 1.25, y: middle - 7.5, w: 2.5, h: 15.0 }, Token::Ink);
    }
}

/// The values in words, and the band of the value.
fn mark_label(spec: &ChartSpec, category: usize) -> String {
    let label = describe::mark_label(spec, category);
    let value = of_scenario(spec, Scenario::Actual).first().and_then(|series| spec.series[*series].values[category]);
    match value.and_then(|value| band_of(spec, category, value)) {
        Some(band) => {
            let name = &spec.bands[band].name;
            message(spec.lang, "chart-bullet-mark", &[("mark", (&label).into()), ("band", name.into())])
        }
        None => label,
    }
}
