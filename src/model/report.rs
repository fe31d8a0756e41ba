//! Reports: parameters, datasets, blocks. Design: `reports.md`.

mod alert;
mod decode;
mod keys;
#[cfg(test)]
mod tests;
mod validate;

use super::cube::History;
use super::{Label, Located, Place};

pub use alert::{Alert, Clear, Condition};
pub use decode::parse;
pub(crate) use keys::REPORT;
pub(crate) use validate::FUNCTIONS;
pub use validate::{check, check_drills};

/// `reports/<name>/report.yaml`.
#[derive(Debug, Clone)]
pub struct Report {
    /// The folder's name.
    pub name: Located<String>,
    pub title: Label,
    pub description: Label,
    /// Roles that may open it; empty: everyone with a login.
    pub audience: Vec<String>,
    /// The cubes its datasets may read.
    pub cubes: Vec<Located<String>>,
    /// Which versions of members stand; each cube's default unless stated.
    pub history: Option<History>,
    pub parameters: Vec<Parameter>,
    pub datasets: Vec<Dataset>,
    pub blocks: Vec<Block>,
    /// How it becomes editions.
    pub publish: Vec<Publication>,
    /// Of what figures somebody is told.
    pub alerts: Vec<Alert>,
    /// `report.yaml` as it was written.
    pub text: String,
    /// SHA-256 of its files, hexadecimal: another text is another report.
    pub digest: String,
}

impl Report {
    /// The ways on from its charts and tables, in the order of the page.
    pub fn drills(&self) -> Vec<&Drill> {
        fn of(blocks: &[Block]) -> Vec<&Drill> {
            blocks
                .iter()
                .flat_map(|block| match block {
                    Block::Row { blocks } => of(blocks),
                    Block::Chart(chart) => chart.drill.iter().collect(),
                    Block::Table(table) => table.drill.iter().collect(),
                    Block::Message { .. } | Block::Kpi(_) | Block::Text { .. } => Vec::new(),
                })
                .collect()
        }
        of(&self.blocks)
    }

    /// The other reports that those ways lead to, of the ones that are there.
    pub fn leads_to<'a>(&self, reports: &'a [Report]) -> Vec<&'a Report> {
        let drills = self.drills();
        let named = |other: &&Report| {
            let mut names = drills.iter().filter_map(|drill| drill.report.as_ref());
            *other.name != *self.name && names.any(|name| **name == *other.name)
        };
        reports.iter().filter(named).collect()
    }
}

/// Where a mark of a chart or a row of a table leads: an address, which can be mailed and audited. What it does not state is
/// as on the page that it stands on.
#[derive(Debug, Clone)]
pub struct Drill {
    /// Where it stands.
    pub place: Place,
    /// The report; this one unless stated.
    pub report: Option<Located<String>>,
    /// The schema that it is opened for.
    pub scope: Option<Filling>,
    /// Values of the report's parameters, by name.
    pub set: Vec<(Located<String>, Filling)>,
}

/// A value in the address of a drill.
#[derive(Debug, Clone)]
pub enum Filling {
    /// As it stands.
    Fixed(Located<String>),
    /// What a column of the dataset holds in the row that leads there.
    Column {
        name: Located<String>,
        /// The last day of the month instead of the day that the column holds.
        month_end: bool,
    },
}

/// When editions are made of a report, and whom they reach.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Its name within the report.
    pub id: Located<String>,
    pub when: When,
    pub deadline: Option<Deadline>,
    /// An edition for every branch beside head office's.
    pub burst: bool,
    /// The role whose rights the editions of head office and branches show.
    pub role: Located<String>,
    pub formats: Vec<Located<String>>,
    /// The project's first unless stated.
    pub languages: Vec<Located<String>>,
    pub gates: Vec<Gate>,
    /// For ever unless stated.
    pub keep_days: Option<u32>,
    pub missed: Located<String>,
    pub overlap: Located<String>,
    pub to: Vec<To>,
}

/// What starts a publication: a time, or data.
#[derive(Debug, Clone)]
pub struct When {
    /// Where it stands.
    pub place: Place,
    pub cron: Option<Located<String>>,
    pub time_zone: Option<Located<String>>,
    /// `month` or `day`.
    pub closed: Option<Located<String>>,
    pub calendar: Option<Located<String>>,
    pub on_holiday: Option<Located<String>>,
}

/// What happens when the data are late.
#[derive(Debug, Clone)]
pub struct Deadline {
    /// The nth business day after the period.
    pub business_day: u32,
    /// Local time.
    pub at: Located<String>,
    /// Publish without the missing branches.
    pub partial: bool,
    pub at_least: Option<u32>,
    /// Roles that are told when it passes.
    pub tell: Vec<Located<String>>,
}

/// What must hold before anything leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Every branch has closed.
    Complete,
    /// Every row is in the edition.
    Untruncated,
    /// Every character can be drawn.
    Glyphs,
    /// Head office is the sum of its branches.
    Foots,
}

impl Gate {
    /// Its word in definitions.
    pub fn word(self) -> &'static str {
        let [complete, untruncated, glyphs, foots] = keys::GATES;
        match self {
            Self::Complete => complete,
            Self::Untruncated => untruncated,
            Self::Glyphs => glyphs,
            Self::Foots => foots,
        }
    }
}

/// Where editions are sent.
#[derive(Debug, Clone)]
pub struct To {
    pub channel: Located<String>,
    /// The target, for channels that have several.
    pub name: Option<Located<String>>,
    /// The logins with these roles.
    pub roles: Vec<Located<String>>,
}

/// A typed parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    pub name: Located<String>,
    pub label: Label,
    /// `as_of_date`, `date`, `month`, `integer`, `decimal`, `boolean`, `text`, `choice`.
    pub kind: Located<String>,
    /// A value or a calendar function such as `last_closed(month)`, `months_before(as_of, 12)`, `year_start(as_of)`.
    pub default: Option<Located<String>>,
    /// Not a form control.
    pub hidden: bool,
    pub min: Option<String>,
    pub max: Option<String>,
    /// `as_of_date` only: `month`, `quarter` or `year`; then its days are the last days of closed periods.
    pub every: Option<Located<String>>,
    pub choices: Vec<(String, Label)>,
}

/// One SELECT.
#[derive(Debug, Clone)]
pub struct Dataset {
    pub name: Located<String>,
    /// File beside `report.yaml`.
    pub file: Located<String>,
    /// Its text. No schema is named in it: the reader's own scope supplies it.
    pub sql: String,
    /// Exactly this many rows, or the run fails.
    pub rows: Option<u64>,
    /// More rows than this fail the run; nothing is cut.
    pub max_rows: u64,
    /// Columns whose sum over branches is head office's.
    pub foots: Vec<Located<String>>,
    /// Rows about single persons.
    pub person_level: bool,
}

/// A block of a page.
#[derive(Debug, Clone)]
pub enum Block {
    /// The sentence that the page says: text with placeholders `{dataset.column:format}`.
    Message {
        text: Label,
    },
    /// Blocks side by side.
    Row {
        blocks: Vec<Block>,
    },
    Kpi(Kpi),
    Chart(Box<Chart>),
    Table(TableBlock),
    /// Markdown per language.
    Text {
        text: Label,
    },
}

/// A figure with its changes.
#[derive(Debug, Clone)]
pub struct Kpi {
    pub dataset: Located<String>,
    /// Column of the (one-row) dataset.
    pub value: Located<String>,
    pub title: Label,
    /// Comparison columns of the same row with what they are: `prior_month`, `prior_year`, `year_start`, `plan`.
    pub compare: Vec<(Located<String>, Located<String>)>,
    /// A second figure of the same row, printed under the value: 日均 beside 时点.
    pub beside: Option<Beside>,
    /// Dataset and column of a sparkline.
    pub spark: Option<(Located<String>, Located<String>)>,
    pub format: Format,
}

/// A figure that stands beside a KPI's value, in the same unit.
#[derive(Debug, Clone)]
pub struct Beside {
    pub value: Located<String>,
    pub title: Label,
}

/// How numbers are shown.
#[derive(Debug, Clone, Default)]
pub struct Format {
    /// Cube and measure whose unit, type and good direction apply: `deposits.balance`.
    pub measure: Option<Located<String>>,
    /// `money`, `count`, `percent`, `points`.
    pub unit: Option<Located<String>>,
    /// Digits after the point.
    pub decimals: Option<u8>,
}

/// A chart.
#[derive(Debug, Clone)]
pub struct Chart {
    pub id: Located<String>,
    /// A kind of `chart::KINDS`.
    pub kind: Located<String>,
    pub dataset: Located<String>,
    pub title: Label,
    /// What the chart says, with placeholders like a message.
    pub message: Label,
    pub x: Located<String>,
    /// What the categories are (month, branch): the head of the first column of the data table. May be empty.
    pub x_label: Label,
    pub y: Vec<Series>,
    /// Column whose values make the series of long data: a row per category and series. `None`: each column of `y` is one.
    pub by: Option<Located<String>>,
    /// What the series are, where they are heads of rows or columns. May be empty.
    pub series_label: Label,
    /// The value around which the colours of a heat map or triangle part.
    pub zero: Option<f64>,
    /// Columns with the upper limits of a bullet chart's bands, ascending.
    pub bands: Vec<Series>,
    /// Where its marks lead.
    pub drill: Option<Drill>,
    pub format: Format,
}

/// One series of a chart.
#[derive(Debug, Clone)]
pub struct Series {
    pub column: Located<String>,
    pub label: Label,
    /// `actual`, `prior`, `plan`, `forecast`; actual unless stated.
    pub scenario: Option<Located<String>>,
    /// Its own measure or unit, for kinds whose series have no common scale; else the chart's.
    pub format: Option<Format>,
}

/// A table.
#[derive(Debug, Clone)]
pub struct TableBlock {
    pub id: Located<String>,
    pub dataset: Located<String>,
    pub title: Label,
    /// What the table says, with placeholders like a message. Empty: the title stands alone.
    pub message: Label,
    pub columns: Vec<TableColumn>,
    /// Boolean column of the dataset: true marks a total row.
    pub total: Option<Located<String>>,
    /// Where the names of its rows lead.
    pub drill: Option<Drill>,
}

/// A column of a table block.
#[derive(Debug, Clone)]
pub struct TableColumn {
    pub column: Located<String>,
    pub label: Label,
    pub format: Format,
    /// Draw an in-cell bar.
    pub bar: bool,
    /// Draw a signed change in the good or bad colour.
    pub variance: bool,
}
