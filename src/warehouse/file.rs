//! Parquet files: written once under a new name, hashed on the way, and checked against that hash before anyone refers to
//! them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::BoxFuture;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::async_writer::AsyncFileWriter;
use parquet::arrow::{AsyncArrowWriter, ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnPath;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::DataFile;
use crate::error::{Error, Result};

/// Rows of a row group: large enough to compress well, small enough that a scan over a few columns stays in the cache.
const ROW_GROUP_ROWS: usize = 256 * 1024;
/// Rows of a page, so that the page index can skip finely.
const PAGE_ROWS: usize = 20_000;
/// Bytes of a column chunk's dictionary of numbers: with more than so many different ones (8192 of eight bytes), differences
/// of neighbours packed into bits are smaller and several times faster to read.
const NUMBERS_BYTES: usize = 64 << 10;
/// Bytes per request when a file is read back for its hash.
const READ_BACK_BYTES: u64 = 8 << 20;

/// A file that was written, with the SHA-256 of the bytes that were handed to the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NewFile {
    /// As the log will list it.
    pub(super) file: DataFile,
    /// SHA-256, in hexadecimal.
    pub(super) sha256: String,
}

/// Writes `batches` of `schema` as one file at `target.path`, and fills in what the file turned out to be.
pub(super) async fn write(
    store: Arc<dyn ObjectStore>,
    schema: SchemaRef,
    batches: &[RecordBatch],
    mut target: DataFile,
) -> Result<NewFile> {
    let failed = |cause: parquet::errors::ParquetError| Error::internal(format!("cannot write {}", target.path), cause);
    let sink = HashingSink::new(store, Path::from(target.path.as_str()));
    let properties = properties(&schema);
    let mut writer = AsyncArrowWriter::try_new(sink, Arc::clone(&schema), Some(properties)).map_err(failed)?;
    for batch in batches {
        writer.write(batch).await.map_err(failed)?;
    }
    let metadata = writer.finish().await.map_err(failed)?;
    let sink = writer.into_inner();
    target.size = sink.size;
    target.rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    add_statistics(&mut target, &schema, &metadata);
    Ok(NewFile { sha256: hexadecimal(&sink.hash.finalize()), file: target })
}

/// Reads a file back: bytes and hash as written, a footer that opens, rows as counted. `Some(reason)` when it is not so;
/// an error only when the store could not be asked, which proves nothing.
pub(super) async fn damage(store: Arc<dyn ObjectStore>, new: &NewFile) -> Result<Option<String>> {
    let file = &new.file;
    let path = Path::from(file.path.as_str());
    let unreadable = |cause| Error::internal(format!("cannot read {} back", file.path), cause);
    let mut hash = Sha256::new();
    let size = match store.head(&path).await {
        Ok(meta) => meta.size,
        Err(object_store::Error::NotFound { .. }) => return Ok(Some(format!("{} is missing", file.path))),
        Err(cause) => return Err(unreadable(cause)),
    };
    if size != file.size {
        return Ok(Some(format!("{} has {size} bytes, {} were written", file.path, file.size)));
    }
    let mut at = 0;
    while at < size {
        let end = (at + READ_BACK_BYTES).min(size);
        hash.update(&store.get_range(&path, at..end).await.map_err(unreadable)?);
        at = end;
    }
    if hexadecimal(&hash.finalize()) != new.sha256 {
        return Ok(Some(format!("{} holds other bytes than were written", file.path)));
    }
    // The bytes are ours; a footer that does not open is a fault of the writer, and as bad.
    let mut reader = ObjectReader { store, path, size };
    match ArrowReaderMetadata::load_async(&mut reader, ArrowReaderOptions::new()).await {
        Ok(footer) if u64::try_from(footer.metadata().file_metadata().num_rows()) == Ok(file.rows) => Ok(None),
        Ok(footer) => {
            let rows = footer.metadata().file_metadata().num_rows();
            Ok(Some(format!("{} holds {rows} rows, {} were written", file.path, file.rows)))
        }
        Err(cause) => Ok(Some(format!("{} is not a Parquet file: {cause}", file.path))),
    }
}

/// All rows of a file, without the partition columns; of some columns only, where they are named, in the order of the file.
pub(super) async fn read(
    store: Arc<dyn ObjectStore>,
    file: &DataFile,
    columns: Option<&[&str]>,
) -> Result<Vec<RecordBatch>> {
    let failed = |cause: parquet::errors::ParquetError| Error::internal(format!("cannot read {}", file.path), cause);
    let reader = ObjectReader { store, path: Path::from(file.path.as_str()), size: file.size };
    let mut stream = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(failed)?;
    if let Some(columns) = columns {
        let mask = ProjectionMask::columns(stream.parquet_schema(), columns.iter().copied());
        stream = stream.with_projection(mask);
    }
    let stream = stream.with_batch_size(8192).build().map_err(failed)?;
    stream.try_collect().await.map_err(failed)
}

/// SHA-256 of `bytes`, in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a string cannot fail
        text
    })
}

fn properties(schema: &SchemaRef) -> WriterProperties {
    let level = ZstdLevel::try_new(3).unwrap_or_default();
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("countinghouse ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_dictionary_enabled(true)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Page);
    for field in schema.fields() {
        let column = ColumnPath::new(vec![field.name().clone()]);
        properties = match field.data_type() {
            DataType::Float64 => properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::BYTE_STREAM_SPLIT),
            // Stored as integers of four or eight bytes. The encoding is what follows a dictionary that has become too large.
            DataType::Int64 | DataType::Date32 | DataType::Timestamp(..) | DataType::Decimal128(..=18, _) => properties
                .set_column_dictionary_page_size_limit(column.clone(), NUMBERS_BYTES)
                .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED),
            _ => properties,
        };
    }
    properties.build()
}

/// Exact bounds and null counts of Date32 and Int64 columns, from the footer. Other types get none: the log would round them.
fn add_statistics(file: &mut DataFile, schema: &SchemaRef, metadata: &ParquetMetaData) {
    for (index, field) in schema.fields().iter().enumerate() {
        if !matches!(field.data_type(), DataType::Date32 | DataType::Int64) {
            continue;
        }
        let groups = metadata.row_groups().iter().map(|group| bounds(group.column(index).statistics()));
        let Some(groups) = groups.collect::<Option<Vec<_>>>() else { continue };
        file.nulls.insert(field.name().clone(), groups.iter().map(|group| group.nulls).sum());
        put(&mut file.min, field.name(), groups.iter().filter_map(|group| group.least).min());
        put(&mut file.max, field.name(), groups.iter().filter_map(|group| group.greatest).max());
    }
}

fn put(map: &mut BTreeMap<String, i64>, name: &str, value: Option<i64>) {
    if let Some(value) = value {
        map.insert(name.to_owned(), value);
    }
}

struct Bounds {
    least: Option<i64>,
    greatest: Option<i64>,
    nulls: u64,
}

fn bounds(statistics: Option<&Statistics>) -> Option<Bounds> {
    match statistics? {
        Statistics::Int32(found) => Some(Bounds {
            least: found.min_opt().map(|value| i64::from(*value)),
            greatest: found.max_opt().map(|value| i64::from(*value)),
            nulls: found.null_count_opt()?,
        }),
        Statistics::Int64(found) => Some(Bounds {
            least: found.min_opt().copied(),
            greatest: found.max_opt().copied(),
            nulls: found.null_count_opt()?,
        }),
        _ => None,
    }
}

/// A Parquet file in the store, its size known.
struct ObjectReader {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
}

impl AsyncFileReader for ObjectReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        Box::pin(async move { Ok(self.store.get_range(&self.path, range).await?) })
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        Box::pin(async move { Ok(self.store.get_ranges(&self.path, &ranges).await?) })
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        Box::pin(async move {
            let size = self.size;
            let reader = ParquetMetaDataReader::new().with_arrow_reader_options(options);
            Ok(Arc::new(reader.load_and_finish(self, size).await?))
        })
    }
}

/// Where the Parquet writer writes to: the store, in parts where the file is large, with a running hash.
struct HashingSink {
    out: BufWriter,
    hash: Sha256,
    size: u64,
}

impl HashingSink {
    fn new(store: Arc<dyn ObjectStore>, path: Path) -> Self {
        Self { out: BufWriter::new(store, path), hash: Sha256::new(), size: 0 }
    }
}

impl AsyncFileWriter for HashingSink {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, ParquetResult<()>> {
        Box::pin(async move {
            self.hash.update(&bytes);
            self.size += bytes.len() as u64;
            Ok(self.out.put(bytes).await?)
        })
    }

    fn complete(&mut self) -> BoxFuture<'_, ParquetResult<()>> {
        Box::pin(async move { Ok(self.out.shutdown().await?) })
    }
}
