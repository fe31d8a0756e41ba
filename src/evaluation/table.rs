//! Records as tables of SQL: what a principal may see, and rows of it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::record::{Change, changes};
use super::{Book, Definitions, KINDS};
use crate::auth::Principal;
use crate::catalog::RecordRow;
use crate::error::{Error, Result};
use crate::model::Label;
use crate::query::Branch;

/// Amounts below this fit into Decimal(18,2).
const MOST: f64 = 1e16;

/// A table over the records.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    /// One sentence.
    pub description: &'static str,
    pub columns: &'static [(&'static str, Type)],
    /// Its rows, a cell for each column.
    pub rows: fn(&View) -> Vec<Vec<Cell>>,
}

/// Type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Text,
    Integer,
    /// A score, share or rate.
    Number,
    /// Decimal(18,2).
    Money,
    Flag,
    Day,
    Time,
}

/// A value of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Text(String),
    Integer(i64),
    /// Finite.
    Number(f64),
    /// An amount of money, in units; kept to the hundredth.
    Money(f64),
    Flag(bool),
    Day(Date),
    Time(Timestamp),
}

impl Cell {
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// Null where there is no text.
    pub fn some_text(text: Option<&str>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    /// Null where there is no number.
    pub fn number(number: Option<f64>) -> Self {
        number.map_or(Self::Null, Self::Number)
    }

    /// Null where there is no amount.
    pub fn money(amount: Option<f64>) -> Self {
        amount.map_or(Self::Null, Self::Money)
    }

    /// Null where there is no day.
    pub fn day(day: Option<Date>) -> Self {
        day.map_or(Self::Null, Self::Day)
    }
}

/// Chinese and English text of a label.
pub(super) fn both(label: &Label) -> [Cell; 2] {
    ["zh-CN", "en"].map(|lang| Cell::some_text(label.get(lang).map(String::as_str)))
}

impl Table {
    /// Its columns.
    pub fn schema(&self) -> SchemaRef {
        let fields = self.columns.iter().map(|(name, kind)| Field::new(*name, kind.arrow(), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    pub(super) fn batch(&self, view: &View) -> Result<RecordBatch> {
        let rows = (self.rows)(view);
        let column = |at: usize, kind: Type| -> ArrayRef {
            let cells = rows.iter().map(|row| row.get(at).unwrap_or(&Cell::Null));
            match kind {
                Type::Text => {
                    let text = |cell: &'_ Cell| if let Cell::Text(text) = cell { Some(text.clone()) } else { None };
                    Arc::new(cells.map(text).collect::<StringArray>())
                }
                Type::Integer => {
                    let integer = |cell: &Cell| if let Cell::Integer(value) = cell { Some(*value) } else { None };
                    Arc::new(cells.map(integer).collect::<Int64Array>())
                }
                Type::Number => {
                    let number = |cell: &Cell| if let Cell::Number(value) = cell { Some(*value) } else { None };
                    Arc::new(cells.map(number).collect::<Float64Array>())
                }
                Type::Money => {
                    let hundredths = |cell: &Cell| match cell {
                        // What does not fit is refused where it is written.
                        Cell::Money(value) if value.abs() < MOST => Some((value * 100.0).round() as i128),
                        _ => None,
                    };
                    let amounts: Decimal128Array = cells.map(hundredths).collect();
                    Arc::new(amounts.with_data_type(kind.arrow()))
                }
                Type::Flag => {
                    let flag = |cell: &Cell| if let Cell::Flag(value) = cell { Some(*value) } else { None };
                    Arc::new(cells.map(flag).collect::<BooleanArray>())
                }
                Type::Day => {
                    let day = |cell: &Cell| if let Cell::Day(day) = cell { Some(days(*day)) } else { None };
                    Arc::new(cells.map(day).collect::<Date32Array>())
                }
                Type::Time => {
                    let time =
                        |cell: &Cell| if let Cell::Time(time) = cell { Some(time.as_microsecond()) } else { None };
                    Arc::new(cells.map(time).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
                }
            }
        };
        let columns = self.columns.iter().enumerate().map(|(at, (_, kind))| column(at, *kind)).collect();
        RecordBatch::try_new(self.schema(), columns)
            .map_err(|error| Error::internal(format!("cannot show `{}`", self.name), error))
    }
}

impl Type {
    pub(super) fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Integer => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Money => DataType::Decimal128(18, 2),
            Self::Flag => DataType::Boolean,
            Self::Day => DataType::Date32,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }
}

/// Days since 1970-01-01.
pub(super) fn days(day: Date) -> i32 {
    let epoch = jiff::civil::date(1970, 1, 1);
    day.since((jiff::Unit::Day, epoch)).map_or(0, |span| span.get_days())
}

/// The records that a principal may see.
#[derive(Debug)]
pub struct View {
    pub principal: Principal,
    pub definitions: Arc<Definitions>,
    /// Those in its scope.
    pub branches: Vec<Branch>,
    /// Of all versions, in the order of writing, those within its scope that are not hidden from it.
    versions: Vec<RecordRow>,
    /// Places of the newest version of each record, in the order of writing.
    newest: Vec<usize>,
    /// The same by kind and id.
    places: HashMap<(String, String), usize>,
    /// Figures of the whole bank without names, which every branch may see.
    bank: Vec<super::bank::Standing>,
}

impl View {
    pub(super) async fn open(book: &Book, principal: &Principal, branches: &[Branch]) -> Result<Self> {
        let all = book.catalog.records().await?;
        Ok(Self::of(all, Arc::clone(&book.definitions), principal, branches))
    }

    /// The view of a principal on all versions, in the order of writing.
    pub(super) fn of(
        all: Vec<RecordRow>,
        definitions: Arc<Definitions>,
        principal: &Principal,
        branches: &[Branch],
    ) -> Self {
        let names = branches.iter().filter(|branch| principal.scope.holds(&branch.key));
        let names: Vec<Branch> = names.cloned().collect();
        let new = |versions: Vec<RecordRow>, bank| {
            let place = |(at, row): (usize, &RecordRow)| ((row.kind.clone(), row.id.clone()), at);
            // A later version takes the place of those before it.
            let places: HashMap<(String, String), usize> = versions.iter().enumerate().map(place).collect();
            let mut newest: Vec<usize> = places.values().copied().collect();
            newest.sort_unstable();
            let (principal, definitions, branches) = (principal.clone(), Arc::clone(&definitions), names.clone());
            Self { principal, definitions, branches, versions, newest, places, bank }
        };
        let whole = new(all, Vec::new());
        let bank = super::bank::standings(&whole);
        let seen = |row: &RecordRow| {
            let within = principal.scope.holds(&row.organisation);
            let kind = KINDS.iter().find(|kind| kind.name() == row.kind);
            within && !kind.is_some_and(|kind| kind.hides(&whole, row))
        };
        let mine: Vec<bool> = whole.versions.iter().map(seen).collect();
        let versions = whole.versions.into_iter().zip(mine).filter(|(_, mine)| *mine).map(|(row, _)| row).collect();
        new(versions, bank)
    }

    /// The newest version of each record, in the order of writing.
    pub fn records(&self) -> impl Iterator<Item = &RecordRow> {
        self.newest.iter().filter_map(|at| self.versions.get(*at))
    }

    /// The newest versions of a kind.
    pub fn of_kind<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a RecordRow> {
        self.records().filter(move |row| row.kind == kind)
    }

    /// The newest version of a record.
    pub fn record(&self, kind: &str, id: &str) -> Option<&RecordRow> {
        self.versions.get(*self.places.get(&(kind.to_owned(), id.to_owned()))?)
    }

    /// The newest versions of a kind, read into their type. What an older program wrote in another form is left out.
    pub fn documents<'a, T: DeserializeOwned>(&'a self, kind: &str) -> impl Iterator<Item = (&'a RecordRow, T)> {
        self.of_kind(kind).filter_map(|row| Some((row, serde_json::from_value(row.body.clone()).ok()?)))
    }

    /// A record read into its type.
    pub fn read<T: DeserializeOwned>(&self, kind: &str, id: &str) -> Option<T> {
        serde_json::from_value(self.record(kind, id)?.body.clone()).ok()
    }

    /// Who wrote a record's documents since the last version that `closed` holds for; steps of its life, which leave the document
    /// as it is but for its status, are no writing.
    pub fn writers(&self, kind: &str, id: &str, closed: impl Fn(&Value) -> bool) -> BTreeSet<String> {
        let mut writers = BTreeSet::new();
        let mut stood = Value::Null;
        for row in self.versions.iter().filter(|row| row.kind == kind && row.id == id) {
            let mut said = row.body.clone();
            if let Some(fields) = said.as_object_mut() {
                fields.remove("status");
            }
            if closed(&row.body) {
                writers.clear();
            } else if said != stood {
                writers.insert(row.recorded_by.clone());
            }
            stood = said;
        }
        writers
    }

    /// Where the bank stands, without names.
    pub fn bank(&self) -> &[super::bank::Standing] {
        &self.bank
    }

    /// Every change of every record.
    pub fn changes(&self) -> Vec<Change> {
        changes(&self.versions)
    }
}
