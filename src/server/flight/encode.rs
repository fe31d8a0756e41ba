//! From record batches to messages: the wire schema, the check of each batch, the size of messages.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{IpcWriteOptions, StreamEncoder};
use arrow_flight::{FlightData, IpcMessage, SchemaAsIpc};
use bytes::Bytes;
use tonic::Status;

use super::parcel::Parcel;
use super::status;
use crate::error::{Error, Result};
use crate::query::{GATHER, bytes_of, bytes_of_column};

/// A message's data are split above this size.
const SPLIT: usize = 2 << 20;

/// No message is larger: several clients stop there. Room is left for the message's frame.
pub(super) const MAX_MESSAGE: usize = 4 << 20;

/// Metadata of fields that programs read, as the door names them. Others, such as labels by language, stay here.
const OWN_KEYS: &[&str] = &[
    "countinghouse:role",
    "countinghouse:unit",
    "countinghouse:additivity",
    "countinghouse:good",
    "countinghouse:sensitivity",
    "countinghouse:definition_version",
];

/// The schema of a result as every call announces it and DoGet sends it: the door's plain and nullable types, and of the
/// field metadata only what does not depend on the session, because clients compare it too.
pub(super) fn wire_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let keys = column_metadata(field);
        Field::new(field.name(), field.data_type().clone(), field.is_nullable()).with_metadata(keys)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The schema with texts as dictionaries, for sessions that ask for it: repeated names then cross the wire once a message.
pub(super) fn with_dictionaries(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 => {
            let kind = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            field.as_ref().clone().with_data_type(kind)
        }
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

/// The schema of the rows as they arrive, whose texts are plain.
fn without_dictionaries(schema: &SchemaRef) -> SchemaRef {
    let plain = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Dictionary(_, values) => field.as_ref().clone().with_data_type(values.as_ref().clone()),
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new(plain.collect::<Vec<_>>()))
}

/// The metadata of a column that follow from its field.
pub(super) fn column_metadata(field: &Field) -> std::collections::HashMap<String, String> {
    let mut keys = std::collections::HashMap::new();
    let mut add = |key: &str, value: &str| keys.insert(format!("ARROW:FLIGHT:SQL:{key}"), value.to_owned());
    let (name, precision, scale) = sql_type(field.data_type());
    add("TYPE_NAME", name);
    if let Some(precision) = precision {
        add("PRECISION", &precision.to_string());
    }
    if let Some(scale) = scale {
        add("SCALE", &scale.to_string());
    }
    add("IS_AUTO_INCREMENT", "0");
    add("IS_CASE_SENSITIVE", if matches!(field.data_type(), DataType::Utf8) { "1" } else { "0" });
    add("IS_READ_ONLY", "1");
    // A measure is filtered by HAVING, never by WHERE.
    let measure = field.metadata().contains_key("countinghouse:additivity");
    add("IS_SEARCHABLE", if measure { "0" } else { "1" });
    let own = OWN_KEYS.iter().filter_map(|key| field.metadata().get_key_value(*key));
    keys.extend(own.map(|(key, value)| (key.clone(), value.clone())));
    keys
}

/// SQL name, precision and scale of a wire type, the same as in the answer to GetXdbcTypeInfo.
pub(super) fn sql_type(data_type: &DataType) -> (&'static str, Option<u8>, Option<i8>) {
    match data_type {
        DataType::Boolean => ("BOOLEAN", None, None),
        DataType::Int8 => ("TINYINT", Some(3), Some(0)),
        DataType::Int16 => ("SMALLINT", Some(5), Some(0)),
        DataType::Int32 => ("INTEGER", Some(10), Some(0)),
        DataType::Int64 => ("BIGINT", Some(19), Some(0)),
        DataType::Float32 => ("REAL", Some(7), None),
        DataType::Float64 => ("DOUBLE", Some(15), None),
        DataType::Decimal128(precision, scale) => ("DECIMAL", Some(*precision), Some(*scale)),
        DataType::Date32 => ("DATE", None, None),
        DataType::Time64(_) => ("TIME", None, None),
        DataType::Timestamp(_, None) => ("TIMESTAMP", None, None),
        DataType::Timestamp(_, Some(_)) => ("TIMESTAMP WITH TIME ZONE", None, None),
        DataType::Interval(_) | DataType::Duration(_) => ("INTERVAL", None, None),
        DataType::Binary | DataType::FixedSizeBinary(_) => ("VARBINARY", None, None),
        DataType::List(_) | DataType::FixedSizeList(_, _) => ("ARRAY", None, None),
        DataType::Struct(_) => ("STRUCT", None, None),
        DataType::Map(_, _) => ("MAP", None, None),
        _ => ("VARCHAR", None, None),
    }
}

/// A schema as an encapsulated IPC message: the form of every schema that is not the head of a stream.
pub(super) fn schema_bytes(schema: &Schema) -> Result<Bytes> {
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &IpcWriteOptions::default())
        .try_into()
        .map_err(|fault| Error::internal("Cannot encode a schema", arrow_fault(fault)))?;
    Ok(bytes)
}

fn arrow_fault(fault: ArrowError) -> Box<dyn std::error::Error + Send + Sync> {
    Box::new(fault)
}

/// Gathers, checks, splits and encodes the batches of one stream.
pub(super) struct Encoder {
    /// As announced and sent.
    schema: SchemaRef,
    /// As the rows arrive.
    plain: SchemaRef,
    waiting: Vec<RecordBatch>,
    waiting_bytes: usize,
    options: IpcWriteOptions,
    /// What writes them, where a batch needs no dictionaries.
    stream: Option<StreamEncoder>,
    rows: u64,
    bytes: u64,
}

impl Encoder {
    /// An encoder of batches of exactly this schema, their buffers compressed where the session asks for it.
    pub(super) fn new(schema: SchemaRef, compression: Option<CompressionType>) -> Self {
        // Refused by formats older than the one that is the default.
        let options = IpcWriteOptions::default().try_with_compression(compression).unwrap_or_default();
        Self {
            plain: without_dictionaries(&schema),
            schema,
            waiting: Vec::new(),
            waiting_bytes: 0,
            options,
            stream: None,
            rows: 0,
            bytes: 0,
        }
    }

    /// The stream's first message. `notes` become metadata of the schema, which no client compares.
    pub(super) fn head(&self, notes: impl IntoIterator<Item = (String, String)>) -> Parcel {
        let schema = self.schema.as_ref().clone().with_metadata(notes.into_iter().collect());
        FlightData::from(SchemaAsIpc::new(&schema, &self.options)).into()
    }

    /// Takes a batch; gives messages when enough is gathered.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<Vec<Parcel>, Status> {
        if batch.num_rows() == 0 {
            return Ok(Vec::new());
        }
        let batch = fit(batch, &self.plain)?;
        self.rows += batch.num_rows() as u64;
        self.waiting_bytes += bytes_of(&batch);
        self.waiting.push(batch);
        if self.waiting_bytes < GATHER { Ok(Vec::new()) } else { self.flush() }
    }

    /// Encodes what is gathered.
    pub(super) fn flush(&mut self) -> Result<Vec<Parcel>, Status> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let batch = match waiting.as_slice() {
            [] => return Ok(Vec::new()),
            [one] => one.clone(),
            many => concat_batches(&self.plain, many)
                .map_err(|fault| Status::from(Error::internal("Cannot join batches", arrow_fault(fault))))?,
        };
        let mut messages = Vec::new();
        for piece in split(batch, SPLIT) {
            self.encode(piece, &mut messages)?;
        }
        Ok(messages)
    }

    /// Nothing is gathered that waits for more.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Rows taken and bytes encoded so far.
    pub(super) fn totals(&self) -> (u64, u64) {
        (self.rows, self.bytes)
    }

    /// Encodes a batch, in halves while its message is too large: sizes before encoding are estimates.
    fn encode(&mut self, batch: RecordBatch, messages: &mut Vec<Parcel>) -> Result<(), Status> {
        let fault = |fault| Status::from(Error::internal("Cannot encode a batch", arrow_fault(fault)));
        let sent = as_announced(&batch, &self.schema).map_err(fault)?;
        // Dictionaries go with every batch: it may be read without those before it.
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => StreamEncoder::try_new_with_options(&self.schema, self.options.clone()).map_err(fault)?,
        };
        let pieces = Parcel::of_stream(stream.encode(&sent).map_err(fault)?)?;
        if self.schema == self.plain {
            self.stream = Some(stream);
        }
        let lengths = || pieces.iter().map(Parcel::size);
        let length = lengths().max().unwrap_or(0);
        if length > SPLIT + SPLIT / 16 && batch.num_rows() > 1 {
            let half = batch.num_rows() / 2;
            self.encode(batch.slice(0, half), messages)?;
            return self.encode(batch.slice(half, batch.num_rows() - half), messages);
        }
        if length > MAX_MESSAGE - 1024 {
            return Err(too_large(&batch, self.rows));
        }
        self.bytes += lengths().sum::<usize>() as u64;
        messages.extend(pieces);
        Ok(())
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("schema", &self.schema).field("rows", &self.rows).finish_non_exhaustive()
    }
}

fn too_large(batch: &RecordBatch, rows: u64) -> Status {
    let sizes = batch.columns().iter().map(|column| bytes_of_column(column.as_ref()));
    let widest = sizes.enumerate().max_by_key(|(_, size)| *size).map_or(0, |(index, _)| index);
    status::refuse(
        tonic::Code::ResourceExhausted,
        "ROW_TOO_LARGE",
        &format!(
            "A row among the first {rows} is larger than {} MiB, most of it in the column `{}`; select less of it",
            MAX_MESSAGE >> 20,
            batch.schema_ref().field(widest).name()
        ),
    )
}

/// The batch with the announced schema. A batch of other types is a fault of ours, and is never sent.
fn fit(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, Status> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), batch.columns().to_vec(), &options).map_err(|fault| {
        debug_assert!(false, "a batch differs from the announced schema: {fault}");
        Error::internal("A batch differs from the announced schema", arrow_fault(fault)).into()
    })
}

/// The batch with its texts as dictionaries where that is announced.
fn as_announced(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| match field.data_type() {
        kind @ DataType::Dictionary(_, _) => cast(column, kind),
        _ => Ok(Arc::clone(column)),
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns.collect::<Result<_, _>>()?, &options)
}

/// Cuts a batch into pieces of about `limit` bytes or one row. Halving finds skewed rows: each half is measured again.
fn split(batch: RecordBatch, limit: usize) -> Vec<RecordBatch> {
    let mut pieces = Vec::new();
    let mut open = vec![batch];
    while let Some(batch) = open.pop() {
        let rows = batch.num_rows();
        if rows <= 1 || bytes_of(&batch) <= limit {
            pieces.push(batch);
        } else {
            let half = rows / 2;
            open.push(batch.slice(half, rows - half));
            open.push(batch.slice(0, half));
        }
    }
    pieces
}

#[cfg(test)]
mod tests;
