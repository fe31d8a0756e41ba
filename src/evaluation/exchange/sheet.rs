//! A table as somebody sends it: the first sheet of a workbook, or CSV.
//!
//! In: bytes that nobody vouches for. Out: header and rows of text, within bounds. Numbers stay as the file writes them, days
//! become `2026-06-30`, truth `true` and `false`; of a formula the value counts that was saved with it.

use crate::error::{Code, Error, Result};
use crate::report::format::csv::FORMULA;

/// Most bytes of a file.
pub const BYTES_MAX: usize = 5 << 20;
/// Most rows below the header, and most columns.
pub(super) const ROWS_MAX: usize = 20_000;
pub(super) const COLUMNS_MAX: usize = 200;

/// A line of the file: its number, from 1, and its cells.
pub(super) type Line = (usize, Vec<String>);

/// A table that was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet {
    /// Names of the columns.
    pub header: Vec<String>,
    /// Rows that hold anything, each with the number of its line in the file. A row may be shorter than the header.
    pub rows: Vec<(usize, Vec<String>)>,
}

/// Reads XLSX, which its first bytes tell, else CSV: UTF-8, with comma, semicolon or tab between the cells.
///
/// # Errors
/// `LIMIT` for a file that is larger than what is read; `BAD_REQUEST` for what is neither, or holds nothing.
pub fn read(bytes: &[u8]) -> Result<Sheet> {
    if bytes.len() > BYTES_MAX {
        return Err(too_much(&format!("{} MiB", BYTES_MAX >> 20)));
    }
    let lines = match bytes.starts_with(b"PK\x03\x04") {
        true => super::workbook::lines(bytes)?,
        false => csv_lines(bytes)?,
    };
    let mut lines = lines.into_iter().filter(|(_, cells)| cells.iter().any(|cell| !cell.trim().is_empty()));
    let Some((_, header)) = lines.next() else { return Err(Error::new(Code::BadRequest, "The file holds nothing.")) };
    Ok(Sheet { header: header.iter().map(|name| name.trim().to_owned()).collect(), rows: lines.collect() })
}

/// Whether so many lines, the header's among them, and so many cells of a line are read.
pub(super) fn fits(lines: usize, cells: usize) -> Result<()> {
    match (lines > ROWS_MAX + 1, cells > COLUMNS_MAX) {
        (true, _) => Err(too_much(&format!("{ROWS_MAX} rows"))),
        (_, true) => Err(too_much(&format!("{COLUMNS_MAX} columns"))),
        _ => Ok(()),
    }
}

pub(super) fn too_much(most: &str) -> Error {
    Error::new(Code::Limit, format!("The file is larger than what is read: {most} at most."))
}

/// The answer to bytes that are no table.
pub(super) fn wrong(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let text = "The file cannot be read. Save it as XLSX without a password, or as CSV in UTF-8.";
    Error::new(Code::BadRequest, text).caused_by(cause)
}

fn csv_lines(bytes: &[u8]) -> Result<Vec<Line>> {
    let text = std::str::from_utf8(bytes).map_err(wrong)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        fits(lines.len() + 1, record.len())?;
        let (line, byte) = record.position().map_or((1, 0), |at| (at.line(), at.byte()));
        // The position is where the line before it ended: its own line break and empty lines are still to come.
        let rest = usize::try_from(byte).ok().and_then(|byte| text.get(byte..)).unwrap_or_default();
        let breaks = rest.chars().take_while(|c| matches!(c, '\r' | '\n')).filter(|c| *c == '\n').count();
        let line = usize::try_from(line).unwrap_or(usize::MAX).saturating_add(breaks);
        lines.push((line, record.iter().map(|cell| unguarded(cell).to_owned()).collect()));
    }
    Ok(lines)
}

/// What stands most often between the names of the header.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let outside: String = header.split('"').step_by(2).collect();
    let count = |mark: &u8| outside.bytes().filter(|byte| byte == mark).count();
    // Of equal counts the last one wins.
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

/// Text without the apostrophe that an export puts before what a spreadsheet would run as a formula.
fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| rest.starts_with(FORMULA)).unwrap_or(cell)
}
