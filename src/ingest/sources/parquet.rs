//! Parquet. Values go on as text, exact for every type that a warehouse column can have, so that a feed means the same
//! whatever its form; a float in a money column is refused as soon as it is not a plain decimal number.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};

use super::{BATCH_ROWS, Cell, RawBatch, RowPlace, Sink, Source, SourceFile};
use crate::error::{Error, Result};

/// The form `parquet`.
#[derive(Debug)]
pub(super) struct Parquet;

/// A row group may not unpack to more than this.
const GROUP_BYTES: i64 = 1 << 30;
/// A file may not have more columns.
const COLUMNS: usize = 2000;

impl Source for Parquet {
    fn format(&self) -> &'static str {
        "parquet"
    }

    fn read(&self, file: &SourceFile, sink: &mut Sink<'_>) -> Result<()> {
        guarded(file, || read(file, sink))
    }

    fn raw(&self, file: &SourceFile, rows: &[RowPlace]) -> Result<Vec<String>> {
        guarded(file, || raw(file, rows))
    }
}

/// A file that makes the reader panic is a damaged file, and its batch's fault alone.
fn guarded<T>(file: &SourceFile, work: impl FnOnce() -> Result<T>) -> Result<T> {
    // What the reader held goes with it; what the caller holds is thrown away with the batch.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(broken(file, 0, said.unwrap_or_else(|| "the reader panicked".to_owned())))
    })
}

fn read(file: &SourceFile, sink: &mut Sink<'_>) -> Result<()> {
    let (builder, columns) = open(file)?;
    let mut row = 0_u64;
    for batch in builder.with_batch_size(BATCH_ROWS).build().map_err(|error| broken(file, row, error))? {
        let batch = batch.map_err(|error| broken(file, row, error))?;
        let raw = cells(file, &columns, &batch, |index| row + index + 1)?;
        row += batch.num_rows() as u64;
        if sink(raw).is_break() {
            break;
        }
    }
    Ok(())
}

fn raw(file: &SourceFile, rows: &[RowPlace]) -> Result<Vec<String>> {
    let mut numbers: Vec<u64> = rows.iter().map(|row| row.line).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut selectors = Vec::with_capacity(numbers.len() * 2);
    let mut next = 1;
    for number in &numbers {
        selectors.push(RowSelector::skip(usize::try_from(number - next).unwrap_or(usize::MAX)));
        selectors.push(RowSelector::select(1));
        next = number + 1;
    }
    let (builder, columns) = open(file)?;
    let reader = builder.with_row_selection(RowSelection::from(selectors)).with_batch_size(BATCH_ROWS);
    let mut texts = Vec::with_capacity(numbers.len());
    for batch in reader.build().map_err(|error| broken(file, 0, error))? {
        let batch = batch.map_err(|error| broken(file, 0, error))?;
        let raw = cells(file, &columns, &batch, |index| index)?;
        texts.extend((0..raw.len()).map(|row| raw.raw(row, file)));
    }
    let text = |row: &RowPlace| {
        let found = numbers.binary_search(&row.line).ok().and_then(|index| texts.get(index));
        found.cloned().ok_or_else(|| file.error(format!("row {} is no longer there", row.line)))
    };
    rows.iter().map(text).collect()
}

/// The reader of the columns that the feed loads, and the feed's index of each of them.
fn open(file: &SourceFile) -> Result<(ParquetRecordBatchReaderBuilder<File>, Vec<usize>)> {
    let opened = File::open(&file.path).map_err(|error| file.unreadable(error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(opened).map_err(|error| {
        file.error("is no readable Parquet file; it may be cut short: deliver it again").caused_by(error)
    })?;
    let schema: Arc<Schema> = Arc::clone(builder.schema());
    if schema.fields().len() > COLUMNS {
        return Err(file.error(format!("has more than {COLUMNS} columns")));
    }
    if let Some(group) = builder.metadata().row_groups().iter().position(|group| group.total_byte_size() > GROUP_BYTES)
    {
        return Err(file.error(format!("row group {group} unpacks to more than 1 GiB: write smaller row groups")));
    }
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let columns = file.header(&names, "schema")?;
    let summed = |name: &str| file.feed.control.sums.iter().any(|(column, _)| **column == name);
    let mut kept = Vec::new();
    for (position, (field, column)) in schema.fields().iter().zip(columns).enumerate() {
        // One file column may be named twice in the feed: once to load, once to ignore.
        let loaded = file.feed.columns.iter().any(|named| *named.name == *field.name() && !named.ignore);
        if !loaded && !summed(field.name()) {
            continue;
        }
        if !readable(field.data_type()) {
            return Err(file.error(format!(
                "column {} `{}` has the type {}, which no table column can hold: say `ignore: true`, or deliver another type",
                position + 1,
                field.name(),
                field.data_type()
            )));
        }
        kept.push((position, column));
    }
    let mask = ProjectionMask::roots(builder.parquet_schema(), kept.iter().map(|(position, _)| *position));
    Ok((builder.with_projection(mask), kept.into_iter().map(|(_, column)| column).collect()))
}

fn readable(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => readable(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => true,
        DataType::Boolean | DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) | DataType::Null => true,
        other => other.is_numeric(),
    }
}

fn broken(file: &SourceFile, row: u64, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    file.error(format!("cannot be read behind row {row}; it may be damaged: deliver it again")).caused_by(error)
}

fn cells(file: &SourceFile, columns: &[usize], batch: &RecordBatch, line: impl Fn(u64) -> u64) -> Result<RawBatch> {
    let width = file.feed.columns.len();
    let mut raw = RawBatch::new(width);
    raw.cells = vec![Cell::NONE; batch.num_rows() * width];
    raw.rows = (0..batch.num_rows() as u64).map(|row| RowPlace { line: line(row), offset: 0, length: 0 }).collect();
    for (array, column) in batch.columns().iter().zip(columns) {
        let texts = bytes(array).map_err(|error| broken(file, raw.rows.first().map_or(0, |row| row.line), error))?;
        let texts = texts.as_binary::<i32>();
        if raw.data.len() + texts.value_data().len() > u32::MAX as usize / 2 {
            return Err(file.error("holds cells too large to load"));
        }
        for row in 0..texts.len() {
            if texts.is_valid(row) {
                let value = texts.value(row);
                raw.cells[row * width + column] = Cell::new(raw.data.len(), value.len());
                raw.data.extend_from_slice(value);
            }
        }
    }
    Ok(raw)
}

/// Any readable array as bytes.
fn bytes(array: &ArrayRef) -> Result<ArrayRef, arrow::error::ArrowError> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let plain = match array.data_type() {
        DataType::Dictionary(_, values) => cast_with_options(array, values, &strict)?,
        _ => Arc::clone(array),
    };
    let text = match plain.data_type() {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => plain,
        _ => cast_with_options(&plain, &DataType::Utf8, &strict)?,
    };
    cast_with_options(&text, &DataType::Binary, &strict)
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::{Parquet, Source, SourceFile};
    use crate::error::Code;
    use crate::model::feed;

    /// Found by `make fuzz`: the schema that a writer leaves in the file names a type that is none.
    #[test]
    fn a_file_that_makes_the_reader_panic_is_damaged() {
        let text = "node: n\nbatch: 1\nbusiness_date: 2025-01-31\nsource: s\nfiles:\n  - path: damaged_schema.parquet\n    \
                    format: parquet\n    table: t\n    columns: [{name: a}, {name: b}, {name: c}]\n";
        let feed = feed::parse("feed.yaml", text).unwrap().files.remove(0);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/feeds/damaged_schema.parquet");
        let file = SourceFile { path: path.into(), feed };
        let error = Parquet.read(&file, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert_eq!(error.code(), Code::Feed);
        assert!(error.message().contains("damaged"), "{}", error.message());
    }
}
