//! Cells with their numbers in rows and columns, shared by `heatmap` and `triangle`; and the shades of a scale.
//!
//! Where the columns do not fit beside each other the matrix goes on below, with its row names again: a number is never
//! left out and never smaller than other text.

use std::ops::Range;

use crate::chart::axis;
use crate::chart::canvas::{Anchor, Area, Canvas};
use crate::chart::text::{self, BODY, SMALL};
use crate::chart::theme::{self, Token};
use crate::chart::{ChartSpec, Good};
use crate::locale::{MISSING, message};

const ROW: f64 = 24.0;
/// Space between cells, in px.
const CUT: f64 = 1.0;
const LINE: f64 = 13.0;
/// Space between a matrix and its continuation.
const GAP: f64 = 14.0;

/// What a value's colour is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// From the lowest to the highest value, in equal steps.
    Rising { low: f64, high: f64 },
    /// Away from a declared zero to both sides, as far as the most distant value; in equal steps.
    Parting { zero: f64, reach: f64, good: Good },
}

impl Scale {
    pub(super) fn of(values: impl Iterator<Item = f64>, zero: Option<f64>, good: Good) -> Self {
        let (low, high) =
            values.fold((f64::MAX, f64::MIN), |(low, high): (f64, f64), value| (low.min(value), high.max(value)));
        match zero {
            Some(zero) => Self::Parting { zero, reach: (high - zero).abs().max((low - zero).abs()), good },
            None => Self::Rising { low, high },
        }
    }

    /// The colour of a value.
    pub(super) fn token(self, value: f64) -> Token {
        match self {
            Self::Rising { low, high } => {
                let steps = theme::SHADES.len();
                let share = if high > low { (value - low) / (high - low) } else { 0.0 };
                theme::SHADES[((share * steps as f64) as usize).min(steps - 1)]
            }
            Self::Parting { zero, reach, good } => {
                let distance = value - zero;
                // Arithmetic leaves traces; they are no side of zero.
                if distance.abs() <= reach * 1e-9 {
                    return Token::Background;
                }
                let shades = side(good, distance > 0.0);
                let step = (distance.abs() / reach * shades.len() as f64).ceil() as usize;
                shades[step.clamp(1, shades.len()) - 1]
            }
        }
    }

    /// All colours from the lowest value to the highest.
    fn steps(self) -> Vec<Token> {
        match self {
            Self::Rising { .. } => theme::SHADES.to_vec(),
            Self::Parting { good, .. } => {
                let (below, above) = (side(good, false), side(good, true));
                below.iter().rev().copied().chain([Token::Background]).chain(above).collect()
            }
        }
    }

    fn ends(self) -> (f64, f64) {
        match self {
            Self::Rising { low, high } => (low, high),
            Self::Parting { zero, reach, .. } => (zero - reach, zero + reach),
        }
    }
}

/// The shades of one side of zero. Where no direction is good both sides are grey: how far, not how good.
fn side(good: Good, above: bool) -> [Token; 3] {
    match (good, above) {
        (Good::Up, true) | (Good::Down, false) => theme::GOOD_SHADES,
        (Good::Up, false) | (Good::Down, true) => theme::BAD_SHADES,
        (Good::None, _) => [Token::Shade1, Token::Shade2, Token::Shade3],
    }
}

#[derive(Debug)]
pub(super) enum Cell {
    Value(f64, String),
    /// There should be one.
    Missing,
    /// There cannot be one yet: stays empty.
    Never,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) link: Option<String>,
    pub(super) cells: Vec<Cell>,
}

#[derive(Debug)]
pub(super) enum Heads {
    Names(Vec<String>),
    /// The categories of the specification, which are periods.
    Time,
}

#[derive(Debug)]
pub(super) struct Matrix {
    /// What the rows are.
    pub(super) corner: String,
    /// What the columns are; may be empty.
    pub(super) over: String,
    pub(super) heads: Heads,
    pub(super) rows: Vec<Row>,
    pub(super) scale: Scale,
    /// Below everything; may be empty.
    pub(super) note: String,
}

struct Layout {
    size: f64,
    names: f64,
    cell: f64,
    /// Height of the names of the columns.
    head: f64,
    heads: Vec<Vec<String>>,
    /// Columns and rows of each part.
    parts: Vec<(Range<usize>, Vec<usize>)>,
}

impl Matrix {
    fn columns(&self) -> usize {
        self.rows.first().map_or(0, |row| row.cells.len())
    }

    fn layout(&self, spec: &ChartSpec, width: f64) -> Layout {
        let size = if spec.is_compact() { SMALL } else { BODY };
        let widest = self.rows.iter().map(|row| text::width(&row.name, size)).fold(0.0, f64::max);
        let names = widest.max(text::width(&self.corner, SMALL)).min(width * 0.28);
        let room = width - names - 8.0;
        let numbers = self.rows.iter().flat_map(|row| &row.cells).map(|cell| match cell {
            Cell::Value(_, content) => text::width(content, SMALL),
            Cell::Missing | Cell::Never => 0.0,
        });
        let least = numbers.fold(20.0, f64::max) + 8.0;
        let least = match &self.heads {
            Heads::Time => least.max(30.0),
            // A little wider where that keeps the names of columns whole.
            Heads::Names(names) => (0..12)
                .map(|step| least + 4.0 * f64::from(step))
                .find(|cell| names.iter().flat_map(|name| lines(name, *cell)).all(|line| !line.ends_with('…')))
                .unwrap_or(least),
        };
        let columns = self.columns().max(1);
        let beside = ((room / least).floor() as usize).clamp(1, columns);
        let each = columns.div_ceil(columns.div_ceil(beside));
        let cell = (room / each as f64).min(least.max(if spec.is_compact() { 72.0 } else { 120.0 }));
        let heads: Vec<Vec<String>> = match &self.heads {
            Heads::Time => Vec::new(),
            Heads::Names(names) => names.iter().map(|name| lines(name, cell)).collect(),
        };
        let head = match &self.heads {
            Heads::Time => axis::time_height(spec),
            Heads::Names(_) => heads.iter().map(Vec::len).max().unwrap_or(1) as f64 * LINE + 4.0,
        };
        let parts = (0..columns.div_ceil(each))
            .map(|part| {
                let range = part * each..((part + 1) * each).min(self.columns());
                // What has not happened needs no line, in the parts further down.
                let happened = |row: &usize| !self.rows[*row].cells[range.clone()].iter().all(Cell::is_never);
                (range.clone(), (0..self.rows.len()).filter(happened).collect())
            })
            .collect();
        Layout { size, names, cell, head, heads, parts }
    }

    fn over_height(&self) -> f64 {
        if self.over.is_empty() { 0.0 } else { 16.0 }
    }

    pub(super) fn height(&self, spec: &ChartSpec, width: f64) -> f64 {
        let layout = self.layout(spec, width);
        let parts =
            layout.parts.iter().map(|(_, rows)| layout.head + self.over_height() + rows.len() as f64 * ROW + GAP);
        22.0 + parts.sum::<f64>() - GAP + if self.note.is_empty() { 2.0 } else { 22.0 }
    }

    pub(super) fn draw(&self, spec: &ChartSpec, canvas: &mut Canvas, area: Area) {
        let layout = self.layout(spec, area.w);
        self.draw_key(spec, canvas, area);
        let left = area.x + layout.names + 8.0;
        let mut y = area.y + 22.0;
        for (range, rows) in &layout.parts {
            if !self.over.is_empty() {
                let content = text::fit(&self.over, SMALL, area.right() - left);
                canvas.label((left, y + 8.0), SMALL, Token::Muted, Anchor::Start, content);
                y += self.over_height();
            }
            self.draw_heads(spec, canvas, &layout, range, (left, y));
            let corner = text::fit(&self.corner, SMALL, layout.names + 1.0);
            canvas.label((area.x, y + layout.head - 9.0), SMALL, Token::Muted, Anchor::Start, corner);
            y += layout.head;
            for row in rows {
                self.draw_row(spec, canvas, &layout, (*row, range), (area.x, y));
                y += ROW;
            }
            y += GAP;
        }
        if !self.note.is_empty() {
            let content = text::fit(&self.note, SMALL, area.w);
            canvas.label((area.x, y - GAP + 12.0), SMALL, Token::Muted, Anchor::Start, content);
        }
    }

    /// The lowest number, the shades, the highest number; for shades that part also where.
    fn draw_key(&self, spec: &ChartSpec, canvas: &mut Canvas, area: Area) {
        const SWATCH: f64 = 18.0;
        let (low, high) = self.scale.ends();
        let y = area.y + 7.0;
        let mut x = area.x;
        let put = |canvas: &mut Canvas, x: f64, content: String| {
            let content = text::fit(&content, SMALL, (area.right() - x).max(0.0));
            let width = text::width(&content, SMALL);
            canvas.label((x, y), SMALL, Token::Muted, Anchor::Start, content);
            width
        };
        x += put(canvas, x, spec.number(low)) + 6.0;
        let steps = self.scale.steps();
        for token in &steps {
            let swatch = Area { x, y: y - 5.5, w: SWATCH - CUT, h: 11.0 };
            if *token == Token::Background {
                canvas.outline(swatch, Token::Grid, 1.0);
            } else {
                canvas.rect(swatch, *token);
            }
            x += SWATCH;
        }
        x += 5.0;
        x += put(canvas, x, spec.number(high)) + 14.0;
        if let Scale::Parting { zero, .. } = self.scale {
            let zero = if zero == 0.0 { "0".to_owned() } else { spec.number(zero) };
            put(canvas, x, message(spec.lang, "chart-scale-zero", &[("value", (&zero).into())]));
        }
    }

    fn draw_heads(
        &self,
        spec: &ChartSpec,
        canvas: &mut Canvas,
        layout: &Layout,
        range: &Range<usize>,
        (left, y): (f64, f64),
    ) {
        let position = |column: usize| left + (column as f64 + 0.5) * layout.cell;
        match &self.heads {
            Heads::Time => {
                let (short, long): (Vec<String>, Vec<String>) =
                    range.clone().map(|column| axis::levels(spec, column)).unzip();
                for (place, content) in short.into_iter().enumerate() {
                    let at = (position(place), y + layout.head - 9.0);
                    canvas.label(at, SMALL, Token::Muted, Anchor::Middle, content);
                }
                // The year above its first month, where it ends before the next one.
                let firsts: Vec<usize> =
                    (0..long.len()).filter(|place| *place == 0 || long[*place] != long[place - 1]).collect();
                for (index, place) in firsts.iter().enumerate() {
                    let room = (firsts.get(index + 1).map_or(long.len(), |next| *next) - place) as f64 * layout.cell;
                    let last = index + 1 == firsts.len();
                    if text::width(&long[*place], SMALL) + 6.0 <= room || last && room > 24.0 {
                        let x = left + *place as f64 * layout.cell + 4.0;
                        let x = if last { x.min(canvas.width() - text::width(&long[*place], SMALL)) } else { x };
                        let at = (x, y + layout.head - 9.0 - LINE - 2.0);
                        canvas.label(at, SMALL, Token::Muted, Anchor::Start, long[*place].clone());
                    }
                }
            }
            Heads::Names(_) => {
                for (place, column) in range.clone().enumerate() {
                    let lines = &layout.heads[column];
                    for (line, content) in lines.iter().enumerate() {
                        // The last line stands on the cells.
                        let up = (lines.len() - 1 - line) as f64 * LINE;
                        let at = (position(place), y + layout.head - 9.0 - up);
                        canvas.label(at, SMALL, Token::Muted, Anchor::Middle, content.clone());
                    }
                }
            }
        }
    }

    fn draw_row(
        &self,
        spec: &ChartSpec,
        canvas: &mut Canvas,
        layout: &Layout,
        (row, range): (usize, &Range<usize>),
        (x, y): (f64, f64),
    ) {
        let (row, middle) = (&self.rows[row], y + (ROW - CUT) / 2.0);
        let name = text::fit(&row.name, layout.size, layout.names + 1.0);
        canvas.label((x, middle), layout.size, Token::Ink, Anchor::Start, name);
        // The name carries the link, as in tables: a cell each would be hundreds of stops for the keyboard.
        if row.link.is_some() {
            canvas.mark(
                Area { x, y, w: layout.names + 8.0, h: ROW - CUT },
                self.row_label(spec, row),
                row.link.clone(),
            );
        }
        for (place, column) in range.clone().enumerate() {
            let left = x + layout.names + 8.0 + place as f64 * layout.cell;
            let cell = Area { x: left, y, w: layout.cell - CUT, h: ROW - CUT };
            let at = (left + (layout.cell - CUT) / 2.0, middle);
            let content = match &row.cells[column] {
                Cell::Never => continue,
                Cell::Missing => {
                    canvas.label(at, SMALL, Token::Muted, Anchor::Middle, MISSING);
                    MISSING
                }
                Cell::Value(value, content) => {
                    let token = self.scale.token(*value);
                    if token == Token::Background {
                        canvas.outline(cell, Token::Grid, 1.0);
                    } else {
                        canvas.rect(cell, token);
                    }
                    canvas.label(at, SMALL, theme::text_on(token), Anchor::Middle, content.clone());
                    content
                }
            };
            let names = place_text(spec, &row.name, self.name(spec, column));
            let label = message(spec.lang, "chart-mark", &[("category", (&names).into()), ("values", content.into())]);
            canvas.mark(cell, label, None);
        }
    }

    fn name<'a>(&'a self, spec: &'a ChartSpec, column: usize) -> &'a str {
        match &self.heads {
            Heads::Names(names) => &names[column],
            Heads::Time => &spec.categories[column],
        }
    }

    /// Highest and lowest of a row.
    fn row_label(&self, spec: &ChartSpec, row: &Row) -> String {
        let values =
            || row.cells.iter().enumerate().filter_map(|(column, cell)| cell.value().map(|value| (column, value)));
        let highest = values().reduce(|best, next| if next.1.0 > best.1.0 { next } else { best });
        let lowest = values().reduce(|best, next| if next.1.0 < best.1.0 { next } else { best });
        let (Some(high), Some(low)) = (highest, lowest) else { return row.name.clone() };
        message(
            spec.lang,
            "chart-desc-series",
            &[
                ("name", (&row.name).into()),
                ("high", high.1.1.into()),
                ("high-at", self.name(spec, high.0).into()),
                ("low", low.1.1.into()),
                ("low-at", self.name(spec, low.0).into()),
            ],
        )
    }

    /// Highest and lowest of all.
    pub(super) fn words(&self, spec: &ChartSpec) -> Vec<String> {
        let cells = || {
            self.rows.iter().flat_map(|row| {
                row.cells.iter().enumerate().filter_map(move |(column, cell)| Some((row, column, cell.value()?)))
            })
        };
        let highest = cells().reduce(|best, next| if next.2.0 > best.2.0 { next } else { best });
        let lowest = cells().reduce(|best, next| if next.2.0 < best.2.0 { next } else { best });
        let (Some(high), Some(low)) = (highest, lowest) else { return Vec::new() };
        let at = |row: &Row, column: usize| place_text(spec, &row.name, self.name(spec, column));
        vec![message(
            spec.lang,
            "chart-desc-matrix",
            &[
                ("high", high.2.1.into()),
                ("high-at", (&at(high.0, high.1)).into()),
                ("low", low.2.1.into()),
                ("low-at", (&at(low.0, low.1)).into()),
            ],
        )]
    }

    /// Rows and columns as they are drawn.
    pub(super) fn table(&self, spec: &ChartSpec) -> (Vec<String>, Vec<Vec<String>>) {
        let names = (0..self.columns()).map(|column| self.name(spec, column).to_owned());
        let headers = std::iter::once(self.corner.clone()).chain(names).collect();
        let text = |cell: &Cell| match cell {
            Cell::Value(_, content) => content.clone(),
            Cell::Missing => MISSING.to_owned(),
            Cell::Never => String::new(),
        };
        let rows = self
            .rows
            .iter()
            .map(|row| std::iter::once(row.name.clone()).chain(row.cells.iter().map(text)).collect())
            .collect();
        (headers, rows)
    }
}

impl Cell {
    fn value(&self) -> Option<(f64, &str)> {
        match self {
            Self::Value(value, content) => Some((*value, content)),
            Self::Missing | Self::Never => None,
        }
    }

    fn is_never(&self) -> bool {
        matches!(self, Self::Never)
    }
}

/// Where a cell is.
pub(super) fn place_text(spec: &ChartSpec, row: &str, column: &str) -> String {
    message(spec.lang, "chart-cell", &[("row", row.into()), ("column", column.into())])
}

fn lines(name: &str, cell: f64) -> Vec<String> {
    text::wrap(name, SMALL, cell - 4.0, 3)
}
