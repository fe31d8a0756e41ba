//! One schema for what is announced and what is sent.
//!
//! Clients differ in what they can read, so results leave in the plainest types; and always nullable, because the engine
//! replaces some aggregates by literals at run time and would otherwise send another nullability than it announced.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::DFSchema;

use crate::error::{Code, Error, Result};

/// Batches are gathered up to this size before they are sent or kept: small ones cost too much each.
pub const GATHER: usize = 1 << 20;

/// The type in which a column leaves.
pub(super) fn plain(kind: &DataType) -> DataType {
    match kind {
        DataType::Utf8View | DataType::LargeUtf8 | DataType::Null => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Dictionary(_, value) => plain(value),
        DataType::RunEndEncoded(_, values) => plain(values.data_type()),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal256(precision, scale) => DataType::Decimal128((*precision).min(38), *scale),
        DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::LargeList(item) | DataType::ListView(item) | DataType::List(item) => {
            DataType::List(Arc::new(Field::new(item.name(), plain(item.data_type()), true)))
        }
        other => other.clone(),
    }
}

/// The schema in which a plan's rows leave.
pub(super) fn schema(planned: &DFSchema) -> SchemaRef {
    let fields = planned.fields().iter().map(|field| Field::new(field.name(), plain(field.data_type()), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A batch in the announced schema; an error where a value does not fit its type. Only the plain form of what the plan gives is
/// made: any other difference would change values in silence.
pub(super) fn fit(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let fault = |error| Error::new(Code::Evaluation, "a value does not fit the type of its column").caused_by(error);
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| match column.data_type() == field.data_type() {
            true => Ok(Arc::clone(column)),
            false if plain(column.data_type()) == *field.data_type() => {
                cast_with_options(column, field.data_type(), &strict).map_err(fault)
            }
            false => {
                let (name, given, said) = (field.name(), column.data_type(), field.data_type());
                Err(Error::new(Code::Internal, format!("column `{name}` was announced as {said} and comes as {given}")))
            }
        })
        .collect::<Result<Vec<ArrayRef>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|error| Error::internal("a result does not fit its announced schema", error))
}
/// Bytes of the rows that the batch shows, not of the buffers behind it.
pub fn bytes_of(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| bytes_of_column(column.as_ref())).sum()
}

/// Bytes of the values that the column shows.
pub fn bytes_of_column(column: &dyn Array) -> usize {
    // The size that arrow gives for a slice of a list is that of all its values.
    let nested = |values: &dyn Array, offsets: &[i32]| {
        let (first, last) = (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
        let (first, last) = (usize::try_from(first).unwrap_or(0), usize::try_from(last).unwrap_or(0));
        size_of_val(offsets) + bytes_of_column(values.slice(first, last.saturating_sub(first)).as_ref())
    };
    match column.data_type() {
        DataType::List(_) => nested(column.as_list::<i32>().values(), column.as_list::<i32>().value_offsets()),
        DataType::Map(_, _) => nested(column.as_map().entries(), column.as_map().value_offsets()),
        DataType::FixedSizeList(_, _) => bytes_of_column(column.as_fixed_size_list().values()),
        DataType::Struct(_) => column.as_struct().columns().iter().map(|column| bytes_of_column(column)).sum(),
        _ => {
            let data = column.to_data();
            data.get_slice_memory_size().unwrap_or_else(|_| data.get_array_memory_size())
        }
    }
}
