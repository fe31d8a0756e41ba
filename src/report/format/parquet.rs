//! Parquet and Arrow IPC: the rows of one dataset with the types of the answer, and its lineage as metadata of the file.
//!
//! In: a document. Out: a file whose bytes depend on the document alone. Values go back to arrays exactly: one that does not
//! fit the type of its column is an error, never a null and never another value. Types that a report reads as text are text.

use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_writer::ArrowWriterOptions;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, NullArray, PrimitiveArray,
    RecordBatch, RecordBatchOptions, StringArray,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DECIMAL128_MAX_PRECISION, DataType, Field, Int8Type, Int16Type, Int32Type, Int64Type, Schema,
    SchemaRef, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::ipc::writer::FileWriter;

use super::Format;
use crate::error::{Error, Result};
use crate::report::Document;
use crate::report::calendar::iso;
use crate::report::document::{Dataset, Imprint};
use crate::report::value::{Number, Value};

/// Rows of one batch: text of a batch must stay below the 2 GiB that 32-bit offsets reach.
const BATCH: usize = 8192;

/// Prefix of the metadata keys, so that they never meet those of other writers.
const PREFIX: &str = "countinghouse.";

/// The Parquet format.
#[derive(Debug)]
pub struct Parquet;

impl Format for Parquet {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn title(&self) -> &'static str {
        "Parquet"
    }

    fn content_type(&self) -> &'static str {
        "application/vnd.apache.parquet"
    }

    fn extension(&self) -> &'static str {
        "parquet"
    }

    fn render(&self, document: &Document, _tools: &super::Tools) -> Result<Vec<u8>> {
        parquet(document)
    }
}

/// The Arrow IPC file format.
#[derive(Debug)]
pub struct Arrow;

impl Format for Arrow {
    fn name(&self) -> &'static str {
        "arrow"
    }

    fn title(&self) -> &'static str {
        "Arrow"
    }

    fn content_type(&self) -> &'static str {
        "application/vnd.apache.arrow.file"
    }

    fn extension(&self) -> &'static str {
        "arrow"
    }

    fn render(&self, document: &Document, _tools: &super::Tools) -> Result<Vec<u8>> {
        arrow(document)
    }
}

/// The dataset of the first table as Parquet.
///
/// # Errors
/// `BAD_REQUEST` for a report without datasets; `INTERNAL` for a value that is not of its column's type.
pub fn parquet(document: &Document) -> Result<Vec<u8>> {
    let failed = |error| Error::internal("cannot write the report as Parquet", error);
    let dataset = document.first_dataset(Parquet.title())?;
    let schema = Arc::new(Schema::new(fields(dataset)?));
    let metadata = lineage(document, dataset).into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(metadata))
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&schema), options).map_err(failed)?;
    for batch in batches(dataset, &schema) {
        writer.write(&batch?).map_err(failed)?;
    }
    writer.into_inner().map_err(failed)
}

/// The dataset of the first table as an Arrow IPC file.
///
/// # Errors
/// As of [`parquet`].
pub fn arrow(document: &Document) -> Result<Vec<u8>> {
    let failed = |error| Error::internal("cannot write the report as Arrow", error);
    let dataset = document.first_dataset(Arrow.title())?;
    let schema = Schema::new(fields(dataset)?).with_metadata(lineage(document, dataset).into_iter().collect());
    let schema = Arc::new(schema);
    let mut writer = FileWriter::try_new(Vec::new(), &schema).map_err(failed)?;
    for batch in batches(dataset, &schema) {
        writer.write(&batch?).map_err(failed)?;
    }
    writer.into_inner().map_err(failed)
}

/// What the file says of itself, in a fixed order. Nothing of an edition differs between two runs.
fn lineage(document: &Document, dataset: &Dataset) -> Vec<(String, String)> {
    let evidence = &document.evidence;
    let mut pairs = vec![
        ("report", document.report.clone()),
        ("title", document.title.clone()),
        ("dataset", dataset.name.clone()),
        ("lang", document.lang.tag().to_owned()),
        ("as_of", iso(document.as_of)),
        ("scope", document.scope.value.clone()),
        ("rights_fingerprint", evidence.fingerprint.clone()),
        ("snapshot", evidence.snapshot.to_string()),
        ("closed", format!("{}/{}", evidence.closed, evidence.branches)),
        ("engine", evidence.engine.to_owned()),
    ];
    if let Some(of) = evidence.datasets.iter().find(|of| of.name == dataset.name) {
        pairs.push(("rows_sha256", of.rows_sha256.clone()));
        pairs.push(("sql_sha256", of.sql_sha256.clone()));
    }
    match &document.imprint {
        Imprint::Live { reader, at } => {
            pairs.push(("reader", reader.clone()));
            pairs.push(("run_at", at.to_string()));
        }
        Imprint::Edition { version, run_key, at, link, release } => {
            pairs.push(("version", version.to_string()));
            pairs.push(("run_key", run_key.clone()));
            pairs.push(("published_at", at.to_string()));
            pairs.push(("link", link.clone()));
            if let Some(release) = release {
                pairs.push(("released_by", format!("{} ({}): {}", release.by, release.role, release.reason)));
            }
        }
    }
    pairs.into_iter().map(|(key, value)| (format!("{PREFIX}{key}"), value)).collect()
}

/// The type that a column has in the file.
fn written(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Null
        | DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32 => data_type.clone(),
        // Parquet knows no scale below zero: the zeros are written out.
        DataType::Decimal128(precision, scale) if *scale < 0 => {
            DataType::Decimal128(precision.saturating_add(scale.unsigned_abs()).min(DECIMAL128_MAX_PRECISION), 0)
        }
        DataType::Decimal128(..) => data_type.clone(),
        // What `Value::read` reads as text.
        _ => DataType::Utf8,
    }
}

fn fields(dataset: &Dataset) -> Result<Vec<Field>> {
    if dataset.types.len() != dataset.columns.len() {
        return Err(wrong(dataset, "it has not one type for each column".to_owned()));
    }
    if let Some(row) = dataset.rows.iter().position(|row| row.len() != dataset.columns.len()) {
        return Err(wrong(dataset, format!("row {} has not one value for each column", row + 1)));
    }
    let columns = dataset.columns.iter().zip(&dataset.types);
    Ok(columns.map(|(name, data_type)| Field::new(name, written(data_type), true)).collect())
}

fn batches<'a>(dataset: &'a Dataset, schema: &'a SchemaRef) -> impl Iterator<Item = Result<RecordBatch>> + 'a {
    dataset.rows.chunks(BATCH).enumerate().map(move |(at, rows)| {
        let columns = schema.fields().iter().enumerate().map(|(column, field)| {
            array(field.data_type(), rows, column).map_err(|(row, value)| {
                let (name, row, text) = (field.name(), at * BATCH + row + 1, value.plain());
                wrong(dataset, format!("`{text}` in row {row}, column `{name}`, is not of type {}", field.data_type()))
            })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
            .map_err(|error| Error::internal(format!("cannot build the rows of dataset `{}`", dataset.name), error))
    })
}

fn wrong(dataset: &Dataset, what: String) -> Error {
    Error::internal(format!("dataset `{}` cannot be written as it was answered", dataset.name), what)
}

/// The values of a column; else the first row whose value is not of the type.
fn array<'a>(data_type: &DataType, rows: &'a [Vec<Value>], column: usize) -> Result<ArrayRef, (usize, &'a Value)> {
    Ok(match data_type {
        DataType::Boolean => Arc::new(BooleanArray::from(of(rows, column, |value| match value {
            Value::Boolean(value) => Some(*value),
            _ => None,
        })?)),
        DataType::Int8 => integers::<Int8Type>(rows, column)?,
        DataType::Int16 => integers::<Int16Type>(rows, column)?,
        DataType::Int32 => integers::<Int32Type>(rows, column)?,
        DataType::Int64 => integers::<Int64Type>(rows, column)?,
        DataType::UInt8 => integers::<UInt8Type>(rows, column)?,
        DataType::UInt16 => integers::<UInt16Type>(rows, column)?,
        DataType::UInt32 => integers::<UInt32Type>(rows, column)?,
        DataType::UInt64 => integers::<UInt64Type>(rows, column)?,
        DataType::Float32 => Arc::new(Float32Array::from(of(rows, column, |value| {
            let float: f32 = value.plain().parse().ok()?;
            (Value::float(float.into()) == *value).then_some(float)
        })?)),
        DataType::Float64 => Arc::new(Float64Array::from(of(rows, column, |value| {
            let float: f64 = value.plain().parse().ok()?;
            (Value::float(float) == *value).then_some(float)
        })?)),
        DataType::Decimal128(precision, scale) => {
            let values = of(rows, column, |value| decimal(value.number()?, *precision, *scale))?;
            // Precision and scale are those of the answer, which were valid there; digits were counted above.
            let array = Decimal128Array::from(values).with_precision_and_scale(*precision, *scale);
            Arc::new(array.map_err(|_| (0, &Value::Null))?)
        }
        DataType::Date32 => Arc::new(Date32Array::from(of(rows, column, |value| match value {
            Value::Date(days) => Some(*days),
            _ => None,
        })?)),
        DataType::Null => match rows.iter().position(|row| row[column] != Value::Null) {
            Some(row) => return Err((row, &rows[row][column])),
            None => Arc::new(NullArray::new(rows.len())),
        },
        _ => Arc::new(StringArray::from(of(rows, column, |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })?)),
    })
}

/// Null stays null; any other value is what `read` makes of it.
fn of<'a, T>(
    rows: &'a [Vec<Value>],
    column: usize,
    read: impl Fn(&'a Value) -> Option<T>,
) -> Result<Vec<Option<T>>, (usize, &'a Value)> {
    let one = |(row, values): (usize, &'a Vec<Value>)| match &values[column] {
        Value::Null => Ok(None),
        value => read(value).map(Some).ok_or((row, value)),
    };
    rows.iter().enumerate().map(one).collect()
}

fn integers<T>(rows: &[Vec<Value>], column: usize) -> Result<ArrayRef, (usize, &Value)>
where
    T: ArrowPrimitiveType<Native: TryFrom<i128>>,
{
    let values = of(rows, column, |value| T::Native::try_from(rescaled(value.number()?, 0)?).ok())?;
    Ok(Arc::new(values.into_iter().collect::<PrimitiveArray<T>>()))
}

/// The unscaled digits at the type's scale, if none is lost and they fit its precision.
fn decimal(number: Number, precision: u8, scale: i8) -> Option<i128> {
    let unscaled = rescaled(number, scale)?;
    let limit = 10_i128.checked_pow(precision.into());
    limit.is_none_or(|limit| unscaled.unsigned_abs() < limit.unsigned_abs()).then_some(unscaled)
}

/// The digits of a number at another scale; `None` where one would be lost.
fn rescaled(number: Number, scale: i8) -> Option<i128> {
    let places = i32::from(scale) - i32::from(number.scale);
    // Zero has every scale.
    if number.unscaled == 0 {
        return Some(0);
    }
    let factor = 10_i128.checked_pow(places.unsigned_abs())?;
    if places >= 0 {
        number.unscaled.checked_mul(factor)
    } else {
        (number.unscaled % factor == 0).then_some(number.unscaled / factor)
    }
}

#[cfg(test)]
mod tests;
