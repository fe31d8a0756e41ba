//! Forms of data files. A new one is a file here and a line in [`SOURCES`].
//!
//! A source only cuts a file into cells: bytes as they were delivered, with the place of every row. What a cell means is
//! decided in one place for all forms (`conform`), so a CSV and a Parquet file with the same content load alike.

mod csv;
mod ndjson;
mod parquet;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::error::{Code, Error, Result};
use crate::model::feed::FeedFile;

/// The forms that a feed may name.
pub(super) static SOURCES: &[&dyn Source] = &[&csv::Csv, &ndjson::Ndjson, &parquet::Parquet];

/// Rows per batch: small enough that a batch stays in the processor's cache while its columns are parsed one by one.
const BATCH_ROWS: usize = 8192;
/// Bytes of text per batch, after which it is handed on with fewer rows.
const BATCH_BYTES: usize = 4 << 20;
/// A record longer than this is no record: a quote was left open, or the file is not what the feed says.
const RECORD_BYTES: usize = 16 << 20;
/// A cell longer than this is rejected.
const CELL_BYTES: usize = 1 << 20;

/// Receives batches; breaks off when nobody wants more.
pub(super) type Sink<'a> = dyn FnMut(RawBatch) -> ControlFlow<()> + 'a;

/// A form of data file.
pub(super) trait Source: Send + Sync {
    /// The feed's word for it.
    fn format(&self) -> &'static str;

    /// Reads the file from start to end. A file that cannot be read, or whose columns are not the feed's, is an error of
    /// [`Code::Feed`]; a single bad record is not: it goes into the batch as malformed.
    fn read(&self, file: &SourceFile, sink: &mut Sink<'_>) -> Result<()>;

    /// The delivered form of rows that were read earlier.
    fn raw(&self, file: &SourceFile, rows: &[RowPlace]) -> Result<Vec<String>>;
}

/// The source of a feed's format.
pub(super) fn source(format: &str) -> Option<&'static dyn Source> {
    SOURCES.iter().copied().find(|source| source.format() == format)
}

/// A data file of a feed.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// What the feed says about it.
    pub(super) feed: FeedFile,
}

impl SourceFile {
    /// An error that names the file.
    pub(super) fn error(&self, what: impl std::fmt::Display) -> Error {
        Error::new(Code::Feed, format!("{}: {what}", *self.feed.path))
    }

    fn unreadable(&self, error: std::io::Error) -> Error {
        self.error("cannot be read").caused_by(error)
    }

    /// Index in the feed's columns by the file's column name.
    fn column(&self, name: &str) -> Option<usize> {
        self.feed.columns.iter().position(|column| *column.name == name)
    }

    /// Compares the file's column names with the feed's and answers with the feed's index of each. Names all faults.
    fn header(&self, names: &[String], place: &str) -> Result<Vec<usize>> {
        let mut faults = String::new();
        let mut indices = Vec::with_capacity(names.len());
        for (position, name) in names.iter().enumerate() {
            let number = position + 1;
            match self.column(name) {
                None => {
                    let _ = write!(
                        faults,
                        "; column {number} `{name}` is not named in the feed: add it, or `ignore: true`"
                    );
                }
                Some(index) if indices.contains(&index) => {
                    let _ = write!(faults, "; column {number} `{name}` stands twice");
                }
                Some(index) => indices.push(index),
            }
        }
        for (index, column) in self.feed.columns.iter().enumerate() {
            if !indices.contains(&index) && !names.contains(&column.name) {
                let _ = write!(faults, "; the column `{}` that the feed names is missing", *column.name);
            }
        }
        if faults.is_empty() {
            Ok(indices)
        } else {
            Err(self.error(format!("{place}{}", faults.replacen(';', ":", 1))))
        }
    }
}

/// Where a row stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowPlace {
    /// Line where the row begins (text), or number of the row (Parquet); from 1.
    pub(super) line: u64,
    /// Byte offset in a text file.
    pub(super) offset: u64,
    /// Bytes in a text file.
    pub(super) length: u32,
}

/// Cells of some rows, in the order of the feed's columns.
#[derive(Debug, Default)]
pub(super) struct RawBatch {
    /// Bytes that cells and rows point into.
    data: Vec<u8>,
    width: usize,
    /// Row by row.
    cells: Vec<Cell>,
    rows: Vec<RowPlace>,
    /// Where each row's text starts in `data`; empty when the form has no text of a row.
    starts: Vec<u32>,
    /// Rows that are no records, and why, in order.
    malformed: Vec<(usize, String)>,
}

/// A piece of `data`, or no value at all.
#[derive(Debug, Clone, Copy)]
struct Cell {
    start: u32,
    length: u32,
}

impl Cell {
    const NONE: Self = Self { start: 0, length: u32::MAX };

    fn new(start: usize, length: usize) -> Self {
        let small = |size: usize| u32::try_from(size).expect("a batch is cut long before 4 GiB");
        Self { start: small(start), length: small(length) }
    }
}

impl RawBatch {
    fn new(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The bytes of a cell; `None` when the form itself says that there is no value.
    pub(super) fn cell(&self, row: usize, column: usize) -> Option<&[u8]> {
        let cell = self.cells[row * self.width + column];
        (cell.length != u32::MAX).then(|| &self.data[cell.start as usize..][..cell.length as usize])
    }

    /// Where the rows stand.
    pub(super) fn rows(&self) -> &[RowPlace] {
        &self.rows
    }

    /// Rows that are no records, and why.
    pub(super) fn malformed(&self) -> &[(usize, String)] {
        &self.malformed
    }

    /// The row as delivered, or as JSON when the form has no text.
    pub(super) fn raw(&self, row: usize, file: &SourceFile) -> String {
        if let Some(start) = self.starts.get(row) {
            return String::from_utf8_lossy(&self.data[*start as usize..][..self.rows[row].length as usize])
                .into_owned();
        }
        let cells = file.feed.columns.iter().enumerate().map(|(index, column)| {
            let value = self.cell(row, index).map(|cell| String::from_utf8_lossy(cell).into_owned());
            (column.name.value.clone(), serde_json::Value::from(value))
        });
        serde_json::Value::Object(cells.collect()).to_string()
    }

    fn push_malformed(&mut self, why: impl Into<String>) {
        self.malformed.push((self.rows.len(), why.into()));
        self.cells.resize((self.rows.len() + 1) * self.width, Cell::NONE);
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= BATCH_ROWS || self.data.len() >= BATCH_BYTES
    }
}

/// Why a cell may not be used, whatever its column.
pub(super) fn too_long(cell: &[u8]) -> Option<Cow<'static, str>> {
    (cell.len() > CELL_BYTES).then(|| Cow::from("is longer than 1 MiB"))
}

/// Reads rows of a text file again, by their places.
fn raw_text(file: &SourceFile, rows: &[RowPlace]) -> Result<Vec<String>> {
    use std::io::{Read, Seek, SeekFrom};
    let mut opened = std::fs::File::open(&file.path).map_err(|error| file.unreadable(error))?;
    rows.iter()
        .map(|row| {
            let mut bytes = vec![0; row.length as usize];
            opened.seek(SeekFrom::Start(row.offset)).map_err(|error| file.unreadable(error))?;
            opened.read_exact(&mut bytes).map_err(|error| file.unreadable(error))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests;
