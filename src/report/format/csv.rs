//! CSV: the rows of one dataset with full precision, for spreadsheets. RFC 4180 with CRLF, a byte order mark so that
//! spreadsheets read UTF-8, and no cell that a spreadsheet would run as a formula.

use super::Format;
use crate::error::{Code, Error, Result};
use crate::report::Document;
use crate::report::document::{Block, Dataset};
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

    fn render(&self, document: &Document) -> Result<Vec<u8>> {
        render(document)
    }
}

/// The dataset of the first table; of a report without tables the first dataset.
pub fn render(document: &Document) -> Result<Vec<u8>> {
    let table = first_table(&document.blocks).and_then(|name| document.dataset(name));
    let dataset = table.or(document.datasets.first()).ok_or_else(|| {
        Error::new(Code::BadRequest, format!("report `{}` has no dataset to give as CSV", document.report))
    })?;
    Ok(format!("\u{feff}{}", text(dataset)).into_bytes())
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

fn first_table(blocks: &[Block]) -> Option<&str> {
    blocks.iter().find_map(|block| match block {
        Block::Table(table) => Some(table.dataset.as_str()),
        Block::Row(blocks) => first_table(blocks),
        Block::Message(_) | Block::Kpi(_) | Block::Chart(_) | Block::Text(_) => None,
    })
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
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{guard}{text}")
    }
}
