//! CSV: the rows of one dataset with full precision, for spreadsheets. RFC 4180 with CRLF, a byte order mark so that
//! spreadsheets read UTF-8, and no cell that a spreadsheet would run as a formula.

use super::{Format, Tools};
use crate::error::Result;
use crate::report::Document;
use crate::report::document::Dataset;
use crate::report::value::Value;

/// The format.
#[derive(Debug)]
pub struct Csv;

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn title(&self) -> &'static str {
        "CSV"
    }

    fn content_type(&self) -> &'static str {
        "text/csv; charset=utf-8"
    }

    fn extension(&self) -> &'static str {
        "csv"
    }

    fn render(&self, document: &Document, _: &Tools) -> Result<Vec<u8>> {
        render(document)
    }
}

/// What text begins with that a spreadsheet would run as a formula. Such text gets a leading apostrophe.
pub const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// The dataset of the first table; of a report without tables the first dataset.
pub fn render(document: &Document) -> Result<Vec<u8>> {
    document.first_dataset(Csv.title()).map(file)
}

/// A dataset as a file of its own, with the byte order mark.
pub fn file(dataset: &Dataset) -> Vec<u8> {
    format!("\u{feff}{}", text(dataset)).into_bytes()
}

/// Header and rows, without the byte order mark.
pub fn text(dataset: &Dataset) -> String {
    let mut text = String::new();
    line(&mut text, dataset.columns.iter().map(|name| escape(name)));
    for row in &dataset.rows {
        line(&mut text, row.iter().map(cell));
    }
    text
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&cell);
    }
    text.push_str("\r\n");
}

fn cell(value: &Value) -> String {
    match value {
        Value::Text(text) => escape(text),
        // A negative number is a number: only text can hide a formula.
        other => other.plain(),
    }
}

fn escape(text: &str) -> String {
    let guard = if text.starts_with(FORMULA) { "'" } else { "" };
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{guard}{text}")
    }
}
