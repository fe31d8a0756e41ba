//! `scatter`: do two measures move together. The first series is the horizontal measure, the second the vertical one;
//! each may have its own unit, because each has its own axis.
//!
//! Outliers are named, nothing else: what lies beyond the fences of a box plot in one of the measures, or as far from the
//! line through all points. Above 2,000 points shades show how many lie in each cell of a grid. The rank correlation
//! (Spearman) is printed with the number of points: unlike the linear one it is not decided by the largest branch.

use super::boxplot::{fences, name_with_unit, quantile};
use super::heatmap::only_actual;
use super::matrix::{Scale, place_text};
use super::{Kind, limit, link, wished};
use crate::chart::axis::{self, Linear};
use crate::chart::canvas::{Anchor, Area, Canvas};
use crate::chart::text::{self, SMALL};
use crate::chart::theme::{self, SHADES, Token};
use crate::chart::{ChartError, ChartSpec, DataTable, describe};
use crate::locale::{Decimal, NumberUnit, Quantity, format_number, message};

/// See the module.
#[derive(Debug)]
pub(super) struct Scatter;

/// Above this points would hide each other.
const DENSE: usize = 2000;
/// Up to here each point can be pointed at; above, what is named.
const MARKED: usize = 400;
/// Correlation and outliers of fewer points say nothing.
const LEAST: usize = 8;
/// A name that covers more points than this cannot be read.
const COVERED: usize = 2;
const LINE: f64 = 17.0;

impl Kind for Scatter {
    fn name(&self) -> &'static str {
        "scatter"
    }

    fn question(&self) -> &'static str {
        "Do two measures move together?"
    }

    fn takes(&self) -> &'static [&'static str] {
        &["units"]
    }

    fn check(&self, spec: &ChartSpec) -> Result<(), ChartError> {
        let refuse = |reason: String| Err(ChartError::Refused { kind: "scatter", reason });
        if spec.series.len() != 2 {
            let found = spec.series.len();
            return refuse(format!("needs two series, the horizontal measure and the vertical one; found {found}"));
        }
        only_actual("scatter", spec)?;
        limit("scatter", "points", spec.categories.len(), 100_000)?;
        if points(spec).is_empty() {
            return refuse("no point has both of its values".to_owned());
        }
        Ok(())
    }

    fn height(&self, spec: &ChartSpec, width: f64, wish: f64) -> f64 {
        let head = Head::of(spec, &points(spec), width);
        wished(wish, if spec.is_compact() { 300.0 } else { 340.0 }, 240.0) + head.height()
    }

    fn needs_key(&self, _spec: &ChartSpec) -> bool {
        false
    }

    fn draw(&self, spec: &ChartSpec, canvas: &mut Canvas, area: Area) -> Result<(), ChartError> {
        draw(spec, canvas, area);
        Ok(())
    }

    /// Both ranges, the correlation, the outliers.
    fn words(&self, spec: &ChartSpec) -> Vec<String> {
        let points = points(spec);
        let mut words: Vec<String> = [|point: &Point| point.x, |point: &Point| point.y]
            .iter()
            .enumerate()
            .filter_map(|(series, value)| {
                let low = points.iter().min_by(|a, b| value(a).total_cmp(&value(b)))?;
                let high = points.iter().max_by(|a, b| value(a).total_cmp(&value(b)))?;
                let name = name_with_unit(spec, series);
                Some(message(
                    spec.lang,
                    "chart-desc-series",
                    &[
                        ("name", (&name).into()),
                        ("high", (&spec.value_text(series, high.category)).into()),
                        ("high-at", (&spec.categories[high.category]).into()),
                        ("low", (&spec.value_text(series, low.category)).into()),
                        ("low-at", (&spec.categories[low.category]).into()),
                    ],
                ))
            })
            .collect();
        words.push(message(spec.lang, "chart-desc-sentence", &[("text", (&note(spec, &points)).into())]));
        let names: Vec<&str> =
            outliers(&points).into_iter().take(6).map(|point| spec.categories[point.category].as_str()).collect();
        if !names.is_empty() {
            let names = names.join(&message(spec.lang, "list-separator", &[]));
            words.push(message(spec.lang, "chart-desc-outliers", &[("names", (&names).into())]));
        }
        words
    }

    /// A row per point; of a grid a row per cell.
    fn table(&self, spec: &ChartSpec) -> DataTable {
        let points = points(spec);
        if points.len() <= DENSE {
            let mut table = describe::plain_table(spec);
            for series in 0..spec.series.len() {
                table.headers[series + 1] = name_with_unit(spec, series);
            }
            return table;
        }
        let grid = Grid::of(spec, &points);
        let headers = vec![name_with_unit(spec, 0), name_with_unit(spec, 1), message(spec.lang, "chart-points", &[])];
        let row = |(cell, count): (usize, usize)| {
            let [x, y] = grid.ranges(spec, cell);
            vec![x, y, count_text(spec, count)]
        };
        DataTable { caption: String::new(), headers, rows: grid.occupied().map(row).collect() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    category: usize,
    x: f64,
    y: f64,
}

/// Those that have both values.
fn points(spec: &ChartSpec) -> Vec<Point> {
    let [horizontal, vertical] = &spec.series[..] else { return Vec::new() };
    let pairs = horizontal.values.iter().zip(&vertical.values).enumerate();
    pairs.filter_map(|(category, (x, y))| Some(Point { category, x: (*x)?, y: (*y)? })).collect()
}

/// The most distant first; distance in box lengths beyond the quartiles.
fn outliers(points: &[Point]) -> Vec<Point> {
    if points.len() < LEAST {
        return Vec::new();
    }
    let line = line_through(points);
    let measures: [&dyn Fn(&Point) -> f64; 3] = [&|point| point.x, &|point| point.y, &|point| point.y - line(point.x)];
    let mut far = vec![0.0f64; points.len()];
    for measure in measures {
        let mut sorted: Vec<f64> = points.iter().map(measure).collect();
        sorted.sort_by(f64::total_cmp);
        let (lower, upper) = (quantile(&sorted, 0.25), quantile(&sorted, 0.75));
        let (from, to) = fences(lower, upper);
        if upper <= lower {
            continue;
        }
        for (far, point) in far.iter_mut().zip(points) {
            let value = measure(point);
            if value < from || value > to {
                *far = far.max((lower - value).max(value - upper) / (upper - lower));
            }
        }
    }
    let mut found: Vec<(f64, Point)> =
        far.into_iter().zip(points.iter().copied()).filter(|(far, _)| *far > 0.0).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().map(|(_, point)| point).collect()
}

/// The line of least squares.
fn line_through(points: &[Point]) -> impl Fn(f64) -> f64 + use<> {
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.x / count, y + point.y / count));
    let (joint, own) = points.iter().fold((0.0, 0.0), |(joint, own), point| {
        (joint + (point.x - x) * (point.y - y), own + (point.x - x) * (point.x - x))
    });
    let slope = if own > 0.0 && (joint / own).is_finite() { joint / own } else { 0.0 };
    move |at| y + slope * (at - x)
}

/// Spearman's; `None` for few points or a measure that does not vary.
fn rank_correlation(points: &[Point]) -> Option<f64> {
    if points.len() < LEAST {
        return None;
    }
    let (x, y) = (ranks(points, |point| point.x), ranks(points, |point| point.y));
    let mean = (points.len() + 1) as f64 / 2.0;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let spread = (product(&x, &x) * product(&y, &y)).sqrt();
    (spread > 0.0).then(|| product(&x, &y) / spread)
}

/// Ranks from 1; equal values share the mean of theirs.
fn ranks(points: &[Point], value: impl Fn(&Point) -> f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|a, b| value(&points[*a]).total_cmp(&value(&points[*b])));
    let mut ranks = vec![0.0; points.len()];
    let mut start = 0;
    while start < order.len() {
        let end = (start..order.len())
            .take_while(|place| value(&points[order[*place]]) == value(&points[order[start]]))
            .last()
            .unwrap_or(start);
        for place in start..=end {
            ranks[order[place]] = (start + end) as f64 / 2.0 + 1.0;
        }
        start = end + 1;
    }
    ranks
}

fn count_text(spec: &ChartSpec, count: usize) -> String {
    let exact = Decimal::from(i64::try_from(count).unwrap_or(i64::MAX));
    format_number(spec.lang, &exact, NumberUnit::plain(Quantity::Count))
}

/// The number of points and how they move together.
fn note(spec: &ChartSpec, points: &[Point]) -> String {
    let count = count_text(spec, points.len());
    let plain = NumberUnit::plain(Quantity::Number);
    match rank_correlation(points).and_then(Decimal::from_f64) {
        Some(value) => {
            let value = format_number(spec.lang, &value, plain);
            message(spec.lang, "chart-scatter-rank", &[("count", (&count).into()), ("value", (&value).into())])
        }
        None => message(spec.lang, "chart-scatter-count", &[("count", (&count).into())]),
    }
}

/// What stands above the plot: the vertical measure, the note, for a grid its shades.
struct Head {
    vertical: String,
    note: String,
    /// The note has a line of its own.
    own_line: bool,
    dense: bool,
}

impl Head {
    fn of(spec: &ChartSpec, points: &[Point], width: f64) -> Self {
        let vertical = text::fit(&name_with_unit(spec, 1), SMALL, width);
        let note = note(spec, points);
        let own_line = text::width(&vertical, SMALL) + text::width(&note, SMALL) + 24.0 > width;
        Self { vertical, note: text::fit(&note, SMALL, width), own_line, dense: points.len() > DENSE }
    }

    fn height(&self) -> f64 {
        LINE * f64::from(1 + u8::from(self.own_line) + u8::from(self.dense))
    }
}

/// The axes: round values around the data. Points need no zero.
fn bounds(points: &[Point], value: impl Fn(&Point) -> f64) -> Vec<f64> {
    let (low, high) = points.iter().map(value).fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
    axis::ticks(low, high, 5)
}

/// The specification of an axis: its ticks are printed in its own unit.
fn axis_of(spec: &ChartSpec, series: usize) -> ChartSpec {
    ChartSpec { unit: spec.unit_of(series), ..ChartSpec::new("", "", spec.lang) }
}

fn draw(spec: &ChartSpec, canvas: &mut Canvas, area: Area) {
    let points = points(spec);
    let head = Head::of(spec, &points, area.w);
    let grid = head.dense.then(|| Grid::of(spec, &points));
    let mut y = area.y + 6.0;
    if head.own_line {
        canvas.label((area.x, y), SMALL, Token::Muted, Anchor::Start, head.note.clone());
        y += LINE;
    }
    if let Some(grid) = &grid {
        grid.draw_key(spec, canvas, (area.x, y));
        y += LINE;
    }
    canvas.label((area.x, y), SMALL, Token::Muted, Anchor::Start, head.vertical.clone());
    if !head.own_line {
        canvas.label((area.right(), y), SMALL, Token::Muted, Anchor::End, head.note.clone());
    }
    let top = area.y + head.height();

    let (x_ticks, y_ticks) = (bounds(&points, |point| point.x), bounds(&points, |point| point.y));
    let (across, up) = (axis_of(spec, 0), axis_of(spec, 1));
    let y_texts = axis::tick_texts(&up, &y_ticks);
    let margin = y_texts.iter().map(|label| text::width(label, SMALL)).fold(0.0, f64::max) + 8.0;
    let plot =
        Area { x: area.x + margin, y: top + 8.0, w: area.w - margin - 6.0, h: area.bottom() - top - 8.0 - 20.0 - LINE };
    let ends = |ticks: &[f64]| (ticks.first().copied().unwrap_or(0.0), ticks.last().copied().unwrap_or(1.0));
    let ((x_low, x_high), (y_low, y_high)) = (ends(&x_ticks), ends(&y_ticks));
    let horizontal = Linear { low: x_low, high: x_high, from: plot.x, to: plot.right() };
    let vertical = Linear { low: y_low, high: y_high, from: plot.bottom(), to: plot.y };
    axis::draw_across(&across, canvas, &x_ticks, &horizontal, &[(plot.y, plot.bottom())]);
    for (tick, label) in y_ticks.iter().zip(y_texts) {
        let y = vertical.at(*tick);
        canvas.line((plot.x, y), (plot.right(), y), Token::Grid, 1.0);
        canvas.label((plot.x - 8.0, y), SMALL, Token::Muted, Anchor::End, label);
    }
    let name = text::fit(&name_with_unit(spec, 0), SMALL, area.w);
    canvas.label((area.right(), area.bottom() - 8.0), SMALL, Token::Muted, Anchor::End, name);

    let plot = Plot { area: plot, horizontal, vertical, grid };
    let named: Vec<Point> = outliers(&points).into_iter().take(if spec.is_compact() { 6 } else { 10 }).collect();
    if let Some(grid) = &plot.grid {
        grid.draw(spec, canvas, &plot);
    } else {
        for point in points.iter().filter(|point| !named.contains(point)) {
            canvas.disc(plot.at(point), 3.0, Token::Prior);
        }
    }
    for point in named.iter().rev() {
        canvas.disc(plot.at(point), 3.5, Token::Ink);
    }
    draw_names(spec, canvas, &named, &points, &plot);
    let marked = if plot.grid.is_none() && points.len() <= MARKED { &points } else { &named };
    for point in marked {
        let (x, y) = plot.at(point);
        let (left, top) = ((x - 7.0).max(0.0), y - 7.0);
        let mark = Area { x: left, y: top, w: (x + 7.0).min(canvas.width()) - left, h: 14.0 };
        canvas.mark(mark, describe::mark_label(spec, point.category), link(spec, point.category));
    }
}

/// Where values stand.
struct Plot {
    area: Area,
    horizontal: Linear,
    vertical: Linear,
    grid: Option<Grid>,
}

impl Plot {
    fn at(&self, point: &Point) -> (f64, f64) {
        (self.horizontal.at(point.x), self.vertical.at(point.y))
    }

    fn holds(&self, place: Area) -> bool {
        let area = self.area;
        place.x >= area.x && place.right() <= area.right() && place.y >= area.y && place.bottom() <= area.bottom()
    }

    /// Whether text there would stand on shades that it cannot be read on.
    fn hides(&self, place: Area) -> bool {
        let Some(grid) = &self.grid else { return false };
        grid.occupied()
            .filter(|(_, count)| theme::text_on(grid.token(*count)) != Token::Ink)
            .any(|(cell, _)| touch(grid.area(cell, self), place))
    }
}

/// Names beside their points, where they touch no other name; of the places around a point the one that covers the fewest
/// points, and not more than a few. A name without a place is left to its mark.
fn draw_names(spec: &ChartSpec, canvas: &mut Canvas, named: &[Point], points: &[Point], plot: &Plot) {
    const HALF: f64 = 7.0;
    let mut taken: Vec<Area> = Vec::new();
    for point in named {
        let name = text::fit(&spec.categories[point.category], SMALL, (plot.area.w * 0.45).min(180.0));
        let width = text::width(&name, SMALL);
        let (x, y) = plot.at(point);
        let places = [
            (Anchor::Start, x + 6.0, y),
            (Anchor::End, x - 6.0 - width, y),
            (Anchor::Middle, x - width / 2.0, y - 12.0),
            (Anchor::Middle, x - width / 2.0, y + 12.0),
            (Anchor::Start, x + 5.0, y - 9.0),
            (Anchor::Start, x + 5.0, y + 9.0),
            (Anchor::End, x - 5.0 - width, y - 9.0),
            (Anchor::End, x - 5.0 - width, y + 9.0),
        ];
        let free = places.into_iter().filter_map(|(anchor, left, middle)| {
            let place = Area { x: left, y: middle - HALF, w: width, h: 2.0 * HALF };
            let clear = taken.iter().all(|other| !touch(*other, place)) && !plot.hides(place);
            let covered = || {
                points.iter().filter(|other| {
                    let (x, y) = plot.at(other);
                    x > place.x - 3.0 && x < place.right() + 3.0 && y > place.y - 2.0 && y < place.bottom() + 2.0
                })
            };
            (plot.holds(place) && clear).then(|| (covered().count(), anchor, place))
        });
        let best = free.reduce(|best, next| if next.0 < best.0 { next } else { best });
        let Some((_, anchor, place)) = best.filter(|(covered, ..)| plot.grid.is_some() || *covered <= COVERED) else {
            continue;
        };
        let x = match anchor {
            Anchor::Start => place.x,
            Anchor::Middle => place.x + width / 2.0,
            Anchor::End => place.right(),
        };
        canvas.label((x, place.y + HALF), SMALL, Token::Ink, anchor, name);
        taken.push(place);
    }
}

fn touch(a: Area, b: Area) -> bool {
    a.x < b.right() + 3.0 && b.x < a.right() + 3.0 && a.y < b.bottom() && b.y < a.bottom()
}

/// How many points lie in each cell of a grid over the axes.
struct Grid {
    x: Cells,
    y: Cells,
    counts: Vec<usize>,
    most: usize,
}

/// Equal cells along an axis.
#[derive(Debug, Clone, Copy)]
struct Cells {
    low: f64,
    step: f64,
    count: usize,
}

impl Cells {
    fn of(ticks: &[f64], count: usize) -> Self {
        let (low, high) = (ticks.first().copied().unwrap_or(0.0), ticks.last().copied().unwrap_or(1.0));
        Self { low, step: (high - low) / count as f64, count }
    }

    fn at(self, value: f64) -> usize {
        (((value - self.low) / self.step) as usize).min(self.count - 1)
    }

    fn edges(self, cell: usize) -> (f64, f64) {
        (self.low + self.step * cell as f64, self.low + self.step * (cell + 1) as f64)
    }
}

impl Grid {
    fn of(spec: &ChartSpec, points: &[Point]) -> Self {
        let (columns, rows) = if spec.is_compact() { (20, 16) } else { (40, 20) };
        let x = Cells::of(&bounds(points, |point| point.x), columns);
        let y = Cells::of(&bounds(points, |point| point.y), rows);
        let mut counts = vec![0; columns * rows];
        for point in points {
            counts[y.at(point.y) * columns + x.at(point.x)] += 1;
        }
        let most = counts.iter().copied().max().unwrap_or(0);
        Self { x, y, counts, most }
    }

    /// Cells with points, and how many.
    fn occupied(&self) -> impl Iterator<Item = (usize, usize)> {
        self.counts.iter().copied().enumerate().filter(|(_, count)| *count > 0)
    }

    /// Equal steps of the root: in equal steps of the counts the densest cells would leave all others alike.
    fn token(&self, count: usize) -> Token {
        Scale::Rising { low: 0.0, high: (self.most as f64).sqrt() }.token((count as f64).sqrt())
    }

    fn ranges(&self, spec: &ChartSpec, cell: usize) -> [String; 2] {
        let range = |series: usize, (low, high): (f64, f64)| {
            let unit = spec.unit_of(series);
            format!("{} – {}", spec.number_in(low, unit), spec.number_in(high, unit))
        };
        [range(0, self.x.edges(cell % self.x.count)), range(1, self.y.edges(cell / self.x.count))]
    }

    fn area(&self, cell: usize, plot: &Plot) -> Area {
        let (left, right) = self.x.edges(cell % self.x.count);
        let (lower, upper) = self.y.edges(cell / self.x.count);
        Area::between(
            (plot.horizontal.at(left), plot.vertical.at(lower)),
            (plot.horizontal.at(right), plot.vertical.at(upper)),
        )
    }

    fn draw(&self, spec: &ChartSpec, canvas: &mut Canvas, plot: &Plot) {
        for (cell, count) in self.occupied() {
            let area = self.area(cell, plot);
            canvas.rect(Area { w: (area.w - 0.75).max(0.75), h: (area.h - 0.75).max(0.75), ..area }, self.token(count));
            let [x, y] = self.ranges(spec, cell);
            let number = i64::try_from(count).unwrap_or(i64::MAX);
            let values = message(spec.lang, "chart-points-of", &[("count", number.into())]);
            let names = place_text(spec, &x, &y);
            let label =
                message(spec.lang, "chart-mark", &[("category", (&names).into()), ("values", (&values).into())]);
            canvas.mark(area, label, None);
        }
    }

    /// The shades with the lowest count of each.
    fn draw_key(&self, spec: &ChartSpec, canvas: &mut Canvas, (x, y): (f64, f64)) {
        let title = message(spec.lang, "chart-points-per-cell", &[]);
        canvas.label((x, y), SMALL, Token::Muted, Anchor::Start, title.clone());
        let mut x = x + text::width(&title, SMALL) + 5.0;
        for token in SHADES {
            let Some(least) = (1..=self.most).find(|count| self.token(*count) == token) else { continue };
            let content = format!("{}+", count_text(spec, least));
            let width = text::width(&content, SMALL) + 8.0;
            canvas.rect(Area { x, y: y - 7.0, w: width - 1.0, h: 14.0 }, token);
            canvas.label((x + (width - 1.0) / 2.0, y), SMALL, theme::text_on(token), Anchor::Middle, content);
            x += width;
        }
    }
}
