//! Charts: a specification in; an accessible SVG, its data table, its title and its description in words out.
//!
//! Pure: the same specification gives the same bytes. plotters is the pen for every shape; layout, text and links are ours
//! (see [`canvas`]). Values are floats only in here, for positions. A caller with exact decimals hands in their text as
//! [`ChartSpec::labels`], and that text is what is printed. Nobody chooses colours: they follow from the scenario of a series
//! and from the good direction of its measure (see [`theme`]).

pub mod axis;
pub mod canvas;
mod describe;
mod header;
pub mod kinds;
mod sparkline;
#[cfg(test)]
mod tests;
pub mod text;
pub mod theme;

use crate::locale::{Decimal, Lang, MISSING, NumberUnit, Quantity, format_number, format_signed};

pub use canvas::{Area, Mark};
pub use kinds::{KINDS, Kind, Linked};
pub use sparkline::sparkline;
pub use theme::stylesheet;

use canvas::Canvas;

/// Widths up to this (in px) get the layout for telephones: fewer labels, no second column.
pub const COMPACT_WIDTH: u32 = 420;

/// What to draw.
#[derive(Debug, Clone, PartialEq)]
pub struct ChartSpec {
    /// Name of a kind in [`KINDS`].
    pub kind: String,
    /// Becomes the prefix of ids inside the SVG: unique on its page.
    pub id: String,
    /// Language of numbers, description and words that the chart adds itself.
    pub lang: Lang,
    /// What the chart says, in one sentence; may be empty.
    pub message: String,
    /// Who, what measure, period. The unit is appended by the chart.
    pub title: String,
    /// What the categories are (month, branch): the head of the first column of the data table.
    pub x_label: Option<String>,
    /// Along the axis, in the order in which they are drawn. Time runs left to right, structure from top to bottom.
    pub categories: Vec<String>,
    /// The days behind the categories when they are periods, oldest first; `None` for structure.
    pub time: Option<TimeAxis>,
    /// One value per category each.
    pub series: Vec<Series>,
    /// Exact text of each value, by series and category, in `unit` without the unit's words. Empty: the chart formats the
    /// floats itself.
    pub labels: Vec<Vec<String>>,
    /// How values are printed. Values themselves are never scaled before they come here.
    pub unit: NumberUnit,
    /// Whether more is better; colours differences.
    pub good: Good,
    /// How each series is printed, for kinds whose series have no common scale (`scatter`, the count of `box`). Empty: in `unit`.
    pub units: Vec<NumberUnit>,
    /// What the series are, where they are heads of rows or columns (`heatmap`, `triangle`).
    pub series_label: Option<String>,
    /// The value around which the colours of `heatmap` and `triangle` part. `None`: one scale from low to high.
    pub zero: Option<f64>,
    /// Upper limits of the bands of `bullet`, ascending; one value per category each.
    pub bands: Vec<Series>,
    /// Where each category or series leads, as [`Kind::linked`] says of the kind. Empty: nowhere.
    pub links: Vec<Option<String>>,
    /// In px, 240 to 2,000.
    pub width: u32,
    /// In px, a wish: kinds made of rows grow with their rows. 0: the kind's own.
    pub height: u32,
}

impl ChartSpec {
    /// An empty specification of a kind, 760 px wide.
    pub fn new(kind: impl Into<String>, id: impl Into<String>, lang: Lang) -> Self {
        Self {
            kind: kind.into(),
            id: id.into(),
            lang,
            message: String::new(),
            title: String::new(),
            x_label: None,
            categories: Vec::new(),
            time: None,
            series: Vec::new(),
            labels: Vec::new(),
            unit: NumberUnit::plain(Quantity::Number),
            good: Good::default(),
            units: Vec::new(),
            series_label: None,
            zero: None,
            bands: Vec::new(),
            links: Vec::new(),
            width: 760,
            height: 0,
        }
    }

    /// Whether the layout for telephones applies.
    pub fn is_compact(&self) -> bool {
        self.width <= COMPACT_WIDTH
    }

    /// The printed text of a value.
    pub fn value_text(&self, series: usize, category: usize) -> String {
        if let Some(text) = self.labels.get(series).and_then(|texts| texts.get(category)) {
            return text.clone();
        }
        let unit = self.unit_of(series);
        self.series[series].values[category].map_or_else(|| MISSING.to_owned(), |value| self.number_in(value, unit))
    }

    /// How a series is printed.
    fn unit_of(&self, series: usize) -> NumberUnit {
        self.units.get(series).copied().unwrap_or(self.unit)
    }

    /// A computed value in the chart's unit.
    fn number(&self, value: f64) -> String {
        self.number_in(value, self.unit)
    }

    fn number_in(&self, value: f64, unit: NumberUnit) -> String {
        Decimal::from_f64(value).map_or_else(|| MISSING.to_owned(), |exact| format_number(self.lang, &exact, unit))
    }

    /// A computed difference in the chart's unit, with its sign.
    fn difference(&self, value: f64) -> String {
        let unit = self.unit.difference();
        Decimal::from_f64(value).map_or_else(|| MISSING.to_owned(), |exact| format_signed(self.lang, &exact, unit))
    }

    fn has_data(&self) -> bool {
        self.series.iter().any(|series| series.values.iter().any(Option::is_some))
    }

    /// Smallest and largest value of all series, zero included.
    fn extent(&self) -> (f64, f64) {
        self.series
            .iter()
            .flat_map(|series| series.values.iter().flatten())
            .fold((0.0, 0.0), |(low, high): (f64, f64), value| (low.min(*value), high.max(*value)))
    }

    fn check(&self) -> Result<(), ChartError> {
        let rows = self.categories.len();
        for series in self.series.iter().chain(&self.bands) {
            if series.values.len() != rows {
                return Err(ChartError::Shape {
                    what: format!("series `{}`", series.name),
                    found: series.values.len(),
                    expected: rows,
                });
            }
            for (value, category) in series.values.iter().zip(&self.categories) {
                // Beyond this, sums and pixel arithmetic would leave the range of a float.
                if value.is_some_and(|value| !value.is_finite() || value.abs() > 1e100) {
                    return Err(ChartError::Value { series: series.name.clone(), category: category.clone() });
                }
            }
        }
        let expect = |what: &str, found: usize, expected: usize| {
            let what = what.to_owned();
            if found == expected { Ok(()) } else { Err(ChartError::Shape { what, found, expected }) }
        };
        if let Some(time) = &self.time {
            expect("the days of the time axis", time.days.len(), rows)?;
        }
        if !self.units.is_empty() {
            expect("the units", self.units.len(), self.series.len())?;
        }
        if let Some(zero) = self.zero
            && (!zero.is_finite() || zero.abs() > 1e100)
        {
            return Err(ChartError::Value { series: "zero".to_owned(), category: zero.to_string() });
        }
        if !self.labels.is_empty() {
            expect("the labels", self.labels.len(), self.series.len())?;
            for texts in &self.labels {
                expect("the labels of a series", texts.len(), rows)?;
            }
        }
        match self.links.iter().flatten().find(|link| !is_safe_link(link)) {
            Some(link) => Err(ChartError::Link { link: link.clone() }),
            None => Ok(()),
        }
    }
}

/// A row of values with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// As it is printed.
    pub name: String,
    /// Decides how it is drawn.
    pub scenario: Scenario,
    /// One per category; `None` where there is none. A gap stays a gap.
    pub values: Vec<Option<f64>>,
}

/// What a series is, in the notation of business charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Scenario {
    /// Measured: solid and dark.
    #[default]
    Actual,
    /// An earlier period: solid and lighter.
    Prior,
    /// Planned: an outline.
    Plan,
    /// Expected: hatched.
    Forecast,
}

impl Scenario {
    /// All of them, with the names they have in definitions.
    pub const NAMES: [(&'static str, Self); 4] =
        [("actual", Self::Actual), ("prior", Self::Prior), ("plan", Self::Plan), ("forecast", Self::Forecast)];

    /// The scenario of a name; `None` when there is no such name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, scenario)| *scenario)
    }
}

/// Which direction of a difference is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Good {
    /// More is better.
    #[default]
    Up,
    /// Less is better: cost, non-performing ratio.
    Down,
    /// Neither.
    None,
}

/// How long the periods of a time axis are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grain {
    /// Days.
    Day,
    /// Calendar months.
    Month,
    /// Calendar quarters.
    Quarter,
    /// Calendar years.
    Year,
}

/// The periods behind the categories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeAxis {
    /// Their length.
    pub grain: Grain,
    /// Any day of each period, as days since 1970-01-01, oldest first.
    pub days: Vec<i32>,
}

/// The finished chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// An `<svg class="chart">` element, without an XML declaration. Works on its own and inside a page.
    pub svg: String,
    /// Width in px.
    pub width: u32,
    /// Height in px, which may be more than was wished for.
    pub height: u32,
    /// What can be pointed at, with its text and link; positions in px.
    pub marks: Vec<Mark>,
    /// The numbers of the chart.
    pub table: DataTable,
    /// The accessible name: the message, or the title where there is none.
    pub title: String,
    /// The chart in words: kind, range, highest, lowest, last value, difference. Also the alternative text of PDF and mail.
    pub desc: String,
}

/// The numbers of a chart as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataTable {
    /// Title of the table with the unit of its numbers.
    pub caption: String,
    /// Heads of the columns; the first is that of the row heads.
    pub headers: Vec<String>,
    /// Cells; the first of each row is its head.
    pub rows: Vec<Vec<String>>,
}

/// Why a chart cannot be drawn. All are faults of the definition or its data, none of the machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChartError {
    /// No kind has this name.
    #[error("unknown chart kind `{kind}`; known kinds: {known}")]
    UnknownKind {
        /// The name asked for.
        kind: String,
        /// All names.
        known: String,
    },
    /// Lists that must be equally long are not.
    #[error("{what} has {found} entries, expected {expected}")]
    Shape {
        /// Which list.
        what: String,
        /// Its length.
        found: usize,
        /// The length of the others.
        expected: usize,
    },
    /// More than the kind can show legibly.
    #[error("chart kind `{kind}` shows at most {limit} {what}, found {found}")]
    Limit {
        /// The kind.
        kind: &'static str,
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A value that is not a finite number.
    #[error("series `{series}` has no finite number at `{category}`")]
    Value {
        /// The series.
        series: String,
        /// The category.
        category: String,
    },
    /// The kind would mislead with these values.
    #[error("chart kind `{kind}`: {reason}")]
    Refused {
        /// The kind.
        kind: &'static str,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A link that is neither relative to this server nor http(s).
    #[error("link `{link}` is neither a path of this server nor http(s)")]
    Link {
        /// The link.
        link: String,
    },
    /// plotters refused an element.
    #[error("drawing failed: {0}")]
    Pen(String),
}

/// Draws a chart. Data without any value gives a drawing that says so.
pub fn draw(spec: &ChartSpec) -> Result<Drawing, ChartError> {
    let kind = kinds::find(&spec.kind).ok_or_else(|| ChartError::UnknownKind {
        kind: spec.kind.clone(),
        known: KINDS.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", "),
    })?;
    spec.check()?;
    kinds::check_takes(kind, spec)?;
    let empty = !spec.has_data();
    if !empty {
        kind.check(spec)?;
    }

    let width = f64::from(spec.width.clamp(240, 2000));
    let head = header::layout(spec, kind.needs_key(spec) && !empty, width);
    let body = if empty { 72.0 } else { kind.height(spec, width, f64::from(spec.height) - head.height) };
    let height = (head.height + body).ceil();
    let mut canvas = Canvas::new(width, height);
    header::draw(&head, &mut canvas);
    let area = Area { x: 0.0, y: head.height, w: width, h: body };
    if empty {
        describe::no_data(spec, &mut canvas, area);
    } else {
        kind.draw(spec, &mut canvas, area)?;
    }

    let title = if spec.message.is_empty() { spec.title.clone() } else { spec.message.clone() };
    let desc = describe::words(spec, kind);
    let (svg, marks) = canvas.finish(&spec.id, spec.lang, &title, &desc)?;
    let table = DataTable { caption: describe::title_with_unit(spec), ..kind.table(spec) };
    Ok(Drawing { svg, width: spec.width.clamp(240, 2000), height: height as u32, marks, table, title, desc })
}

/// Only these can be followed from a page without running anything.
fn is_safe_link(link: &str) -> bool {
    let ours = link.starts_with(['/', '?', '#']) && !link.starts_with("//");
    let clean = !link.chars().any(char::is_control);
    clean && (ours || link.starts_with("https://") || link.starts_with("http://"))
}
