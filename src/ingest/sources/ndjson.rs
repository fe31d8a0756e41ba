//! NDJSON: one object per line. Numbers are taken as they are written, never through a float.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Cell, RECORD_BYTES, RawBatch, RowPlace, Sink, Source, SourceFile, raw_text};
use crate::error::Result;

/// The form `ndjson`.
#[derive(Debug)]
pub(super) struct Ndjson;

impl Source for Ndjson {
    fn format(&self) -> &'static str {
        "ndjson"
    }

    fn read(&self, file: &SourceFile, sink: &mut Sink<'_>) -> Result<()> {
        let opened = File::open(&file.path).map_err(|error| file.unreadable(error))?;
        let mut input = BufReader::with_capacity(1 << 20, opened);
        let width = file.feed.columns.len();
        let (mut line, mut offset, mut any) = (0_u64, 0_u64, false);
        let mut seen = vec![false; width];
        let mut text = Vec::new();
        loop {
            let mut batch = RawBatch::new(width);
            let mut ended = false;
            while !batch.is_full() {
                text.clear();
                line += 1;
                let read = input
                    .by_ref()
                    .take(RECORD_BYTES as u64)
                    .read_until(b'\n', &mut text)
                    .map_err(|error| file.unreadable(error))?;
                if read == 0 {
                    ended = true;
                    break;
                }
                if read == RECORD_BYTES && text.last() != Some(&b'\n') {
                    return Err(
                        file.error(format!("line {line} is longer than 16 MiB: one object per line is expected"))
                    );
                }
                let place = offset;
                offset += read as u64;
                let mut start = 0;
                if line == 1 && text.starts_with(b"\xEF\xBB\xBF") {
                    start = 3;
                }
                let record = text[start..].trim_ascii_end();
                if record.is_empty() {
                    continue;
                }
                any = true;
                let at = batch.data.len();
                batch.data.extend_from_slice(record);
                match object(record, file, line)? {
                    Err(why) => batch.push_malformed(why),
                    Ok(members) => {
                        let mut cells = vec![Cell::NONE; width];
                        let mut fault = None;
                        for (column, value) in members {
                            if seen[column] && cells[column].length != u32::MAX {
                                fault = Some(format!("names `{}` twice", *file.feed.columns[column].name));
                            }
                            seen[column] = true;
                            match cell(value, record, at, &mut batch.data) {
                                Ok(cell) => cells[column] = cell,
                                Err(_) if file.feed.columns[column].ignore => {}
                                Err(why) => fault = Some(format!("`{}` {why}", *file.feed.columns[column].name)),
                            }
                        }
                        match fault {
                            Some(why) => batch.push_malformed(why),
                            None => batch.cells.extend_from_slice(&cells),
                        }
                    }
                }
                batch.starts.push(Cell::new(at, 0).start);
                let length = Cell::new(0, record.len()).length;
                batch.rows.push(RowPlace { line, offset: place + start as u64, length });
            }
            if batch.len() > 0 && sink(batch).is_break() {
                return Ok(());
            }
            if ended {
                break;
            }
        }
        // A value may be left out of an object; a column that no object has is a misunderstanding. A file column may be
        // named for two targets: the first of them stands for both.
        for (index, column) in file.feed.columns.iter().enumerate() {
            let first = file.column(&column.name).unwrap_or(index);
            if any && !seen[first] {
                return Err(file.error(format!("no object has the column `{}` that the feed names", *column.name)));
            }
        }
        Ok(())
    }

    fn raw(&self, file: &SourceFile, rows: &[RowPlace]) -> Result<Vec<String>> {
        raw_text(file, rows)
    }
}

/// The members of one line's object by the feed's column, as they are written. The inner error is the row's, the outer
/// one the file's: a member that the feed does not name.
fn object<'a>(
    record: &'a [u8],
    file: &SourceFile,
    line: u64,
) -> Result<std::result::Result<Vec<(usize, &'a RawValue)>, String>> {
    let members = match serde_json::from_slice::<Members<'a>>(record) {
        Ok(members) => members.0,
        Err(error) => return Ok(Err(format!("is not a JSON object: {error}"))),
    };
    let mut cells = Vec::with_capacity(members.len());
    for (name, value) in members {
        match file.column(&name) {
            Some(column) => cells.push((column, value)),
            None => {
                return Err(file.error(format!(
                    "line {line}: the column `{name}` is not named in the feed: add it, or `ignore: true`"
                )));
            }
        }
    }
    Ok(Ok(cells))
}

/// A value as a cell: text without its quotes, numbers and truth values as written.
fn cell(value: &RawValue, record: &[u8], at: usize, data: &mut Vec<u8>) -> Result<Cell, &'static str> {
    let text = value.get();
    // The value is a part of the record, whose copy begins at `at`.
    let start = at + (text.as_ptr().addr() - record.as_ptr().addr());
    match text.as_bytes() {
        b"null" => Ok(Cell::NONE),
        [b'{' | b'[', ..] => Err("holds an object or a list"),
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => Ok(Cell::new(start + 1, inner.len())),
        [b'"', ..] => {
            let text: String = serde_json::from_str(text).map_err(|_| "holds a text with a wrong escape")?;
            let from = data.len();
            data.extend_from_slice(text.as_bytes());
            Ok(Cell::new(from, text.len()))
        }
        plain => Ok(Cell::new(start, plain.len())),
    }
}

/// An object's members in order, values unread.
#[derive(Debug)]
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &'de RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}
