//! CSV in UTF-8 (RFC 4180): header line, quotes, line breaks inside quotes, any one-byte separator.
//!
//! Cut here and not by a library, because every row needs its physical line, its bytes as delivered and its offset, and
//! because a quote that is never closed must be an error with its line, not one very long cell.

use std::fs::File;
use std::io::Read;

use super::{Cell, RECORD_BYTES, RawBatch, RowPlace, Sink, Source, SourceFile, raw_text};
use crate::error::Result;

/// The form `csv`.
#[derive(Debug)]
pub(super) struct Csv;

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

impl Source for Csv {
    fn format(&self) -> &'static str {
        "csv"
    }

    fn read(&self, file: &SourceFile, sink: &mut Sink<'_>) -> Result<()> {
        let delimiter = u8::try_from(file.feed.delimiter)
            .ok()
            .filter(|byte| byte.is_ascii() && !b"\"\r\n".contains(byte))
            .ok_or_else(|| file.error("the delimiter must be one ASCII character and no quote"))?;
        let mut input = Input::open(file)?;
        let Some(header) = input.record(file, delimiter)? else {
            return Err(file.error("is empty: its first line must name the columns"));
        };
        let names: Vec<String> = header
            .fields
            .iter()
            .map(|field| String::from_utf8_lossy(input.bytes(&header, *field)).into_owned())
            .collect();
        let columns = file.header(&names, &format!("line {}", header.line))?;
        input.take(header);

        let width = file.feed.columns.len();
        loop {
            let mut batch = RawBatch::new(width);
            let mut cells = vec![Cell::NONE; width];
            while !batch.is_full() {
                let Some(record) = input.record(file, delimiter)? else { break };
                let start = batch.data.len();
                let length = record.end;
                batch.data.extend_from_slice(&input.buffer[input.position..input.position + length]);
                if let Some(why) = &record.malformed {
                    batch.push_malformed(why.clone());
                } else if record.fields.len() != columns.len() {
                    batch.push_malformed(format!("has {} fields, the header {}", record.fields.len(), columns.len()));
                } else {
                    for (field, column) in record.fields.iter().zip(&columns) {
                        cells[*column] = if field.unescaped {
                            let from = batch.data.len();
                            batch.data.extend_from_slice(input.bytes(&record, *field));
                            Cell::new(from, field.length)
                        } else {
                            Cell::new(start + field.start, field.length)
                        };
                    }
                    batch.cells.extend_from_slice(&cells);
                }
                batch.starts.push(Cell::new(start, 0).start);
                batch.rows.push(RowPlace {
                    line: record.line,
                    offset: input.offset,
                    length: Cell::new(0, record.text).length,
                });
                input.take(record);
            }
            let done = batch.len() == 0;
            if done || sink(batch).is_break() {
                return Ok(());
            }
        }
    }

    fn raw(&self, file: &SourceFile, rows: &[RowPlace]) -> Result<Vec<String>> {
        raw_text(file, rows)
    }
}

/// One record; places are relative to its start.
#[derive(Debug, Default)]
struct Record {
    fields: Vec<Field>,
    /// Text of fields that hold doubled quotes.
    unescaped: Vec<u8>,
    /// Physical line of its first character.
    line: u64,
    /// Line breaks in it.
    breaks: u64,
    /// Bytes of the record without its line end.
    text: usize,
    /// Bytes with it.
    end: usize,
    malformed: Option<String>,
}

#[derive(Debug, Clone, Copy)]
struct Field {
    start: usize,
    length: usize,
    /// `start` points into `unescaped`.
    unescaped: bool,
}

#[derive(Debug)]
struct Input {
    source: File,
    buffer: Vec<u8>,
    /// Where the unread part of `buffer` begins.
    position: usize,
    /// Its offset in the file.
    offset: u64,
    /// Its line.
    line: u64,
    ended: bool,
    /// The last record's vectors, used again.
    spare: Record,
}

impl Input {
    fn open(file: &SourceFile) -> Result<Self> {
        let source = File::open(&file.path).map_err(|error| file.unreadable(error))?;
        let mut input = Self {
            source,
            buffer: Vec::with_capacity(CHUNK * 2),
            position: 0,
            offset: 0,
            line: 1,
            ended: false,
            spare: Record::default(),
        };
        input.fill(file)?;
        if input.buffer.starts_with(b"\xEF\xBB\xBF") {
            (input.position, input.offset) = (3, 3);
        }
        Ok(input)
    }

    fn fill(&mut self, file: &SourceFile) -> Result<()> {
        self.buffer.drain(..self.position);
        self.position = 0;
        let read = self.source.by_ref().take(CHUNK as u64).read_to_end(&mut self.buffer);
        self.ended = read.map_err(|error| file.unreadable(error))? == 0;
        Ok(())
    }

    fn bytes<'a>(&'a self, record: &'a Record, field: Field) -> &'a [u8] {
        let all = if field.unescaped { &record.unescaped } else { &self.buffer[self.position..] };
        &all[field.start..field.start + field.length]
    }

    /// The next record, without moving on; blank lines are passed over. `None` at the end of the file.
    fn record(&mut self, file: &SourceFile, delimiter: u8) -> Result<Option<Record>> {
        loop {
            let mut record = std::mem::take(&mut self.spare);
            record.line = self.line;
            match cut(&self.buffer[self.position..], delimiter, self.ended, &mut record) {
                Cut::Record if record.text == 0 => self.take(record),
                Cut::Record => return Ok(Some(record)),
                Cut::End => return Ok(None),
                Cut::More { quote } => {
                    let length = self.buffer.len() - self.position;
                    if length > RECORD_BYTES || (self.ended && quote.is_some()) {
                        let line = self.line + quote.unwrap_or(0);
                        return Err(file.error(format!(
                            "line {line}: a quote opens here and is not closed within {length} bytes: close it, or double it"
                        )));
                    }
                    self.spare = record;
                    self.fill(file)?;
                }
            }
        }
    }

    /// Moves behind a record.
    fn take(&mut self, record: Record) {
        self.position += record.end;
        self.offset += record.end as u64;
        self.line += record.breaks;
        self.spare = record;
    }
}

enum Cut {
    /// A whole record.
    Record,
    /// Nothing is left.
    End,
    /// The record goes on behind the text; an open quote stands this many lines below its start.
    More { quote: Option<u64> },
}

/// Cuts the first record off `text`.
fn cut(text: &[u8], delimiter: u8, ended: bool, record: &mut Record) -> Cut {
    record.fields.clear();
    record.unescaped.clear();
    record.breaks = 0;
    record.malformed = None;
    if text.is_empty() {
        return if ended { Cut::End } else { Cut::More { quote: None } };
    }
    let mut at = 0;
    loop {
        // One field per turn; `at` is its first byte.
        let mut field = Field { start: at, length: 0, unescaped: false };
        if text.get(at) == Some(&b'"') {
            let opened = record.breaks;
            at += 1;
            field.start = at;
            let mut from = at; // of the part that is not copied yet, once anything is
            loop {
                match text.get(at) {
                    None => return Cut::More { quote: Some(opened) },
                    Some(b'"') if text.get(at + 1) == Some(&b'"') => {
                        if !field.unescaped {
                            field.unescaped = true;
                            from = field.start;
                            field.start = record.unescaped.len();
                        }
                        record.unescaped.extend_from_slice(&text[from..=at]);
                        at += 2;
                        from = at;
                    }
                    // At the very end of the buffer a second quote may still follow.
                    Some(b'"') if at + 1 == text.len() && !ended => return Cut::More { quote: Some(opened) },
                    Some(b'"') => break,
                    Some(byte) => {
                        record.breaks += u64::from(*byte == b'\n');
                        at += 1;
                    }
                }
            }
            if field.unescaped {
                record.unescaped.extend_from_slice(&text[from..at]);
                field.length = record.unescaped.len() - field.start;
            } else {
                field.length = at - field.start;
            }
            at += 1;
            let rest = at;
            while text.get(at).is_some_and(|byte| *byte != delimiter && *byte != b'\n') {
                at += 1;
            }
            if !matches!(&text[rest..at], b"" | b"\r") && record.malformed.is_none() {
                let number = record.fields.len() + 1;
                record.malformed = Some(format!("text stands behind the closing quote of field {number}"));
            }
        } else {
            while text.get(at).is_some_and(|byte| *byte != delimiter && *byte != b'\n') {
                at += 1;
            }
            let end =
                if text.get(at) != Some(&delimiter) && at > field.start && text[at - 1] == b'\r' { at - 1 } else { at };
            field.length = end - field.start;
        }
        record.fields.push(field);
        match text.get(at) {
            Some(byte) if *byte == delimiter => at += 1,
            Some(_) => {
                record.text = at - usize::from(at > 0 && text[at - 1] == b'\r');
                record.end = at + 1;
                record.breaks += 1;
                return Cut::Record;
            }
            None if ended => {
                record.text = at - usize::from(at > 0 && text[at - 1] == b'\r');
                record.end = at;
                return Cut::Record;
            }
            None => return Cut::More { quote: None },
        }
    }
}
