//! The document of a run: everything a format needs, nothing it must compute. Figures are text already, in one language and
//! unit; the datasets stand beside them with full precision, for the formats that carry data.

use arrow::datatypes::DataType;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::parameter::Resolved;
use super::value::{Number, Value};
use crate::chart::Drawing;
use crate::error::{Code, Error, Result};
use crate::locale::{Lang, NumberUnit, Quantity};

/// One run of one report for one reader.
#[derive(Debug, Clone)]
pub struct Document {
    /// The report's name, as in its URL.
    pub report: String,
    /// Language of every word in it.
    pub lang: Lang,
    /// The report's title.
    pub title: String,
    /// What the report is about, for readers who open it first; may be empty.
    pub description: String,
    /// The one sentence that the page says: its first message.
    pub message: String,
    /// As-of date of the figures, in days since 1970-01-01.
    pub as_of: i32,
    /// The scope it was run for.
    pub scope: Choice,
    /// The form above the page: how else the report can be asked for.
    pub controls: Vec<Control>,
    /// The page.
    pub blocks: Vec<Block>,
    /// The rows behind it, with full precision.
    pub datasets: Vec<Dataset>,
    /// Where the figures come from.
    pub evidence: Evidence,
    /// Whose answer it is, or which edition.
    pub imprint: Imprint,
}

/// What stands in the margin of every page: bytes of an edition are the same for all who share it, a live answer names its reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imprint {
    /// A run for one reader.
    Live {
        /// Who asked.
        reader: String,
        /// When.
        at: Timestamp,
    },
    /// A frozen run.
    Edition {
        /// 1, 2 …
        version: u32,
        /// What decided every byte, hexadecimal.
        run_key: String,
        /// When it was published.
        at: Timestamp,
        /// Where it can be opened: a URL.
        link: String,
        /// That it was published though a gate held it.
        release: Option<Box<Release>>,
    },
}

/// Who let an edition go that a gate had held. Its sentence stands among the blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// A login.
    pub by: String,
    /// The role that gave it the right.
    pub role: String,
    /// When.
    pub at: Timestamp,
    /// Why, in its own words.
    pub reason: String,
    /// The gates that had failed, by their words in definitions.
    pub gates: Vec<String>,
    /// What they had found, for head office alone: it names branches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<String>,
}

impl Imprint {
    /// The moment that stands in the file: of the run, or of the publication.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Live { at, .. } | Self::Edition { at, .. } => *at,
        }
    }
}

/// A part of the page. Closed on purpose: each format says what it does with each block.
#[derive(Debug, Clone)]
pub enum Block {
    /// A sentence; the document's first one is its headline and does not stand here again.
    Message(String),
    /// Blocks side by side. A row holds no rows.
    Row(Vec<Block>),
    /// A figure with its changes.
    Kpi(Kpi),
    /// A drawn chart.
    Chart(Box<Chart>),
    /// A table.
    Table(Table),
    /// Plain paragraphs and lists.
    Text(Vec<Prose>),
}

/// Whether a change is favourable. Never shown by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Favourable.
    Good,
    /// Unfavourable.
    Bad,
    /// Neither.
    Neutral,
}

/// A figure with its changes.
#[derive(Debug, Clone)]
pub struct Kpi {
    /// What it is.
    pub title: String,
    /// Its digits.
    pub value: String,
    /// Its unit, printed once for the value and its changes: `亿元`. Empty when there is none.
    pub unit: String,
    /// A second figure in the same unit: its name and digits.
    pub beside: Option<(String, String)>,
    /// Changes against other states of the same figure.
    pub changes: Vec<Change>,
    /// Sparkline as SVG.
    pub spark: Option<String>,
    /// How the value, the second figure and (as differences) the changes are printed.
    pub scale: NumberUnit,
    /// The value and the second figure themselves, for formats whose cells are numbers; `None` where a dash stands.
    pub exact: [Option<Number>; 2],
}

/// A change of a figure.
#[derive(Debug, Clone)]
pub struct Change {
    /// `较上月`.
    pub against: String,
    /// `+1.20`, in the figure's unit; of a ratio in points. An en dash when one side is missing.
    pub amount: String,
    /// Unit of the amount where it differs from the figure's: `百分点`. Empty otherwise.
    pub unit: String,
    /// `+1.0%`; an en dash where a percentage means nothing (base missing, zero or negative). `None` for ratios.
    pub percent: Option<String>,
    /// Favourable or not.
    pub tone: Tone,
    /// -1, 0 or 1.
    pub direction: i8,
    /// The amount and, as a ratio, the percentage themselves; `None` where a dash stands.
    pub exact: [Option<Number>; 2],
}

/// A drawn chart.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Unique on the page.
    pub id: String,
    /// What is drawn: measure, unit, period, scenarios.
    pub title: String,
    /// What it says.
    pub message: String,
    /// The dataset it draws.
    pub dataset: String,
    /// SVG, data table, accessible name and description.
    pub drawing: Drawing,
    /// The same laid out for the width of a telephone.
    pub compact: Drawing,
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Unique on the page.
    pub id: String,
    /// What is shown.
    pub title: String,
    /// What it says; may be empty.
    pub message: String,
    /// The dataset it shows.
    pub dataset: String,
    /// Columns, the first one names the row.
    pub columns: Vec<TableColumn>,
    /// Rows in the dataset's order.
    pub rows: Vec<TableRow>,
}

/// A column of a table.
#[derive(Debug, Clone)]
pub struct TableColumn {
    /// The dataset's column.
    pub column: String,
    /// What is counted, if its cells are numbers.
    pub quantity: Quantity,
    /// Its name.
    pub label: String,
    /// Its unit, printed once; may be empty.
    pub unit: String,
    /// Aligned on the decimal point.
    pub numeric: bool,
    /// Its cells have bars.
    pub bar: bool,
}

/// A row of a table.
#[derive(Debug, Clone)]
pub struct TableRow {
    /// A total: set apart, and without bars.
    pub total: bool,
    /// One cell for each column.
    pub cells: Vec<Cell>,
}

/// A cell of a table.
#[derive(Debug, Clone)]
pub struct Cell {
    /// What is printed.
    pub text: String,
    /// Favourable or not, for changes.
    pub tone: Tone,
    /// Bar from and to, in thousandths of the column's width; negative values reach to the left of their axis.
    pub bar: Option<Bar>,
    /// Where a click leads: a relative URL.
    pub link: Option<String>,
}

/// A bar in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// Left end, in thousandths.
    pub from: u32,
    /// Length, in thousandths.
    pub length: u32,
    /// Where zero is, in thousandths.
    pub axis: u32,
}

/// A paragraph or a list of plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prose {
    /// One paragraph.
    Paragraph(String),
    /// Items of a list.
    List(Vec<String>),
}

/// A value with the words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// As in a URL.
    pub value: String,
    /// As people say it.
    pub label: String,
}

/// A control of the form.
#[derive(Debug, Clone)]
pub struct Control {
    /// Name in the URL.
    pub name: String,
    /// As people say it.
    pub label: String,
    /// The value of this run.
    pub value: String,
    /// What may be chosen; empty: typed.
    pub choices: Vec<Choice>,
    /// HTML input type of a typed control: `date`, `number` or `text`; `hidden` for what every address keeps and nobody chooses.
    pub input: &'static str,
}

/// The rows of a dataset.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Its name.
    pub name: String,
    /// Column names.
    pub columns: Vec<String>,
    /// Their types in the answer; one for each column.
    pub types: Vec<DataType>,
    /// Rows; one value for each column.
    pub rows: Vec<Vec<Value>>,
}

impl Dataset {
    /// Position of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }
}

/// Where the figures of a document come from.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Who asked.
    pub principal: String,
    /// Fingerprint of the rights they were answered under.
    pub fingerprint: String,
    /// The pinned snapshot, the same for every dataset.
    pub snapshot: i64,
    /// When the snapshot was made.
    pub snapshot_created_at: Timestamp,
    /// Business date of the snapshot, in days since 1970-01-01.
    pub newest: i32,
    /// Branches of the scope that have closed that date.
    pub closed: usize,
    /// Branches in the scope.
    pub branches: usize,
    /// The branches that have not closed, by name.
    pub open: Vec<String>,
    /// Bound values.
    pub parameters: Vec<Resolved>,
    /// One for each dataset.
    pub datasets: Vec<DatasetEvidence>,
    /// Head office against the sum of branches.
    pub tie_out: TieOut,
    /// Version of this server.
    pub engine: &'static str,
    /// Wall time of the whole run.
    pub duration_ms: u64,
}

/// Result of comparing head office with the sum of its branches at the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TieOut {
    /// Nothing was compared.
    NotChecked,
    /// All of so many figures agree.
    Agrees(usize),
    /// Figures that differ.
    Differs(Vec<String>),
}

/// Where the rows of a dataset come from.
#[derive(Debug, Clone)]
pub struct DatasetEvidence {
    /// Its name.
    pub name: String,
    /// Row of `system.queries`.
    pub query_id: String,
    /// Rows in the answer.
    pub rows: usize,
    /// SHA-256 of the rows as CSV with full precision, hexadecimal.
    pub rows_sha256: String,
    /// It holds records of the server, which are of the moment of the run and of no snapshot.
    pub records: bool,
    /// The statement; empty where its reader is not shown how reports are made.
    pub sql: String,
    /// Its SHA-256, hexadecimal.
    pub sql_sha256: String,
    /// Rollups that answered; empty: facts did.
    pub rollups: Vec<String>,
    /// Which versions of members stand, where a dimension keeps any: `as_is`, `as_was`.
    pub history: Vec<String>,
    /// Rollups that were passed over, with reasons, as the query door tells them.
    pub refused: serde_json::Value,
    /// What the reader must know of this answer.
    pub notices: Vec<String>,
    /// Wall time.
    pub duration_ms: u64,
}

impl Document {
    /// URL of this report with this run's choices, some of them replaced, added or (empty) left out. Relative to the server's
    /// root.
    pub fn url(&self, changes: &[(&str, &str)]) -> String {
        self.part_url("", changes)
    }

    /// URL of a part of this report, as `/blocks/trend`, the same way.
    pub fn part_url(&self, part: &str, changes: &[(&str, &str)]) -> String {
        let mut pairs: Vec<(&str, &str)> =
            self.controls.iter().map(|control| (control.name.as_str(), control.value.as_str())).collect();
        for (name, value) in changes {
            match pairs.iter_mut().find(|(known, _)| known == name) {
                Some(pair) => pair.1 = value,
                None => pairs.push((name, value)),
            }
        }
        pairs.retain(|(_, value)| !value.is_empty());
        address(&format!("{}{part}", self.report), &pairs)
    }

    /// The document for a reader who is not shown how reports are made: hashes of its statements and no statements.
    pub fn without_statements(mut self) -> Self {
        self.evidence.datasets.iter_mut().for_each(|dataset| dataset.sql.clear());
        self
    }

    /// Whether any of it is records of the server, which are of the moment of the run and of no snapshot.
    pub fn holds_records(&self) -> bool {
        self.evidence.datasets.iter().any(|dataset| dataset.records)
    }

    /// Whether the address that it was asked by says which snapshot.
    pub fn is_pinned(&self) -> bool {
        self.controls.iter().any(|control| control.name == SNAPSHOT)
    }

    /// The document with one block alone, a chart or a table, and the rows behind it. `None` where none has this id.
    pub fn into_block(mut self, id: &str) -> Option<Self> {
        let block = block(&self.blocks, id)?.clone();
        let dataset = match &block {
            Block::Chart(chart) => chart.dataset.clone(),
            Block::Table(table) => table.dataset.clone(),
            Block::Message(_) | Block::Row(_) | Block::Kpi(_) | Block::Text(_) => return None,
        };
        self.blocks = vec![block];
        self.keep_dataset(&dataset);
        Some(self)
    }

    /// The document with the rows of one dataset and nothing else. `None` where none has this name.
    pub fn into_dataset(mut self, name: &str) -> Option<Self> {
        self.dataset(name)?;
        self.blocks.clear();
        self.keep_dataset(name);
        Some(self)
    }

    fn keep_dataset(&mut self, name: &str) {
        self.datasets.retain(|dataset| dataset.name == name);
        self.evidence.datasets.retain(|dataset| dataset.name == name);
    }

    /// The dataset for the formats that hold one: that of the first table, of a report without tables the first one.
    ///
    /// # Errors
    /// `BAD_REQUEST` when there is none; `format` is the name of the format in the sentence.
    pub fn first_dataset(&self, format: &str) -> Result<&Dataset> {
        let table = first_table(&self.blocks).and_then(|name| self.dataset(name));
        table.or(self.datasets.first()).ok_or_else(|| {
            let report = &self.report;
            Error::new(Code::BadRequest, format!("report `{report}` has no dataset to give as {format}"))
        })
    }

    /// The dataset of a name.
    pub fn dataset(&self, name: &str) -> Option<&Dataset> {
        self.datasets.iter().find(|dataset| dataset.name == name)
    }
}

/// Name of the parameter that pins a snapshot.
pub(super) const SNAPSHOT: &str = "snapshot";

/// An address below `/reports/`, relative to the server's root.
pub(super) fn address<K: AsRef<str>, V: AsRef<str>>(part: &str, pairs: &[(K, V)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("/reports/{part}?{query}")
}

fn block<'a>(blocks: &'a [Block], id: &str) -> Option<&'a Block> {
    blocks.iter().find_map(|one| match one {
        Block::Row(inner) => block(inner, id),
        Block::Chart(chart) => (chart.id == id).then_some(one),
        Block::Table(table) => (table.id == id).then_some(one),
        Block::Message(_) | Block::Kpi(_) | Block::Text(_) => None,
    })
}

fn first_table(blocks: &[Block]) -> Option<&str> {
    blocks.iter().find_map(|block| match block {
        Block::Table(table) => Some(table.dataset.as_str()),
        Block::Row(blocks) => first_table(blocks),
        Block::Message(_) | Block::Kpi(_) | Block::Chart(_) | Block::Text(_) => None,
    })
}
