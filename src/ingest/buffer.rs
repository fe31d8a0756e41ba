//! Rows waiting for their partition: kept in memory up to a limit, then in one temporary file.
//!
//! A feed brings rows in the source's order, a warehouse wants them by branch and month. Batches are kept as they come,
//! each row with the number of its partition; only when the limit is reached (or at the end) are rows gathered by
//! partition, so that pieces are large even when a file strews over a thousand partitions. What is spilled goes into one
//! file, piece behind piece, as Arrow IPC streams: no number of partitions can exhaust the file handles.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use crate::error::{Error, Result};

/// Rows per batch that a partition is read back in.
const PIECE_ROWS: usize = 64 * 1024;

/// Which files a row belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct PartitionKey {
    /// The branch; `None` is `shared`.
    pub(super) branch: Option<String>,
    /// First month of the period as yyyymm, when the table is cut by time.
    pub(super) month: Option<i32>,
}

/// Rows by partition; see the module.
#[derive(Debug)]
pub(super) struct Buffer {
    schema: SchemaRef,
    limit: usize,
    batches: Vec<RecordBatch>,
    ids: Vec<Vec<u32>>,
    bytes: usize,
    keys: Vec<PartitionKey>,
    numbers: HashMap<PartitionKey, u32>,
    /// Per partition: offset and length of its pieces in the spill file, in order of arrival.
    pieces: Vec<Vec<(u64, u64)>>,
    /// Per partition: batch and row of the rows in memory, filled by `seal`.
    rows: Vec<Vec<(usize, usize)>>,
    spill: Option<File>,
    spilled: u64,
}

impl Buffer {
    /// An empty buffer for rows of one schema that keeps about `limit` bytes in memory.
    pub(super) fn new(schema: SchemaRef, limit: usize) -> Self {
        Self {
            schema,
            limit,
            batches: Vec::new(),
            ids: Vec::new(),
            bytes: 0,
            keys: Vec::new(),
            numbers: HashMap::new(),
            pieces: Vec::new(),
            rows: Vec::new(),
            spill: None,
            spilled: 0,
        }
    }

    /// The number of a partition, given out on first sight.
    pub(super) fn partition(&mut self, key: &PartitionKey) -> u32 {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        let number = u32::try_from(self.keys.len()).expect("fewer partitions than 4 billion");
        self.keys.push(key.clone());
        self.pieces.push(Vec::new());
        self.numbers.insert(key.clone(), number);
        number
    }

    /// Takes rows in; `ids` names the partition of each.
    pub(super) fn push(&mut self, batch: RecordBatch, ids: Vec<u32>) -> Result<()> {
        debug_assert_eq!(batch.num_rows(), ids.len());
        self.bytes += batch.get_array_memory_size() + ids.len() * 4;
        self.batches.push(batch);
        self.ids.push(ids);
        if self.bytes > self.limit { self.spill() } else { Ok(()) }
    }

    fn gather(&self) -> Vec<Vec<(usize, usize)>> {
        let mut rows = vec![Vec::new(); self.keys.len()];
        for (batch, ids) in self.ids.iter().enumerate() {
            for (row, id) in ids.iter().enumerate() {
                rows[*id as usize].push((batch, row));
            }
        }
        rows
    }

    fn spill(&mut self) -> Result<()> {
        let failed = |error: std::io::Error| {
            Error::internal(format!("rows are put aside in {}", std::env::temp_dir().display()), error)
        };
        let rows = self.gather();
        let file = match self.spill.take() {
            Some(file) => file,
            None => temporary().map_err(failed)?,
        };
        let mut out = Counted { inner: std::io::BufWriter::with_capacity(1 << 20, file), written: self.spilled };
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        for (partition, rows) in rows.iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            let start = out.written;
            let mut writer = StreamWriter::try_new(&mut out, &self.schema).map_err(arrow_failed)?;
            for part in rows.chunks(PIECE_ROWS) {
                writer.write(&interleave_record_batch(&batches, part).map_err(arrow_failed)?).map_err(arrow_failed)?;
            }
            writer.finish().map_err(arrow_failed)?;
            drop(writer);
            self.pieces[partition].push((start, out.written - start));
        }
        self.spilled = out.written;
        self.spill = Some(out.inner.into_inner().map_err(|error| failed(error.into_error()))?);
        self.batches.clear();
        self.ids.clear();
        self.bytes = 0;
        Ok(())
    }

    /// Ends the filling; afterwards partitions can be read. Whoever has spilled spills the rest, so that the memory is
    /// free for the merge.
    pub(super) fn seal(&mut self) -> Result<()> {
        if self.spill.is_some() && !self.batches.is_empty() {
            self.spill()?;
        }
        self.rows = self.gather();
        Ok(())
    }

    /// Whether anything went to the temporary file.
    pub(super) fn has_spilled(&self) -> bool {
        self.spill.is_some()
    }

    /// The partitions, sorted, with the number to read them by.
    pub(super) fn partitions(&self) -> Vec<(PartitionKey, u32)> {
        let mut partitions: Vec<_> = self.keys.iter().cloned().zip(0..).collect();
        partitions.sort();
        partitions
    }

    /// The rows of a partition in order of arrival, in batches.
    pub(super) fn read(&self, partition: u32) -> Result<impl Iterator<Item = Result<RecordBatch>> + '_> {
        let partition = partition as usize;
        let spilled = self.pieces[partition].iter().flat_map(move |piece| self.piece(*piece));
        let rows = self.rows.get(partition).map(Vec::as_slice).unwrap_or_default();
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        let in_memory =
            rows.chunks(PIECE_ROWS).map(move |part| interleave_record_batch(&batches, part).map_err(arrow_failed));
        Ok(spilled.chain(in_memory))
    }

    fn piece(&self, (start, length): (u64, u64)) -> Box<dyn Iterator<Item = Result<RecordBatch>> + '_> {
        let open = || -> Result<_> {
            let mut file = self.spill.as_ref().ok_or_else(|| Error::internal("put-aside rows", "no file"))?;
            file.seek(SeekFrom::Start(start)).map_err(|error| Error::internal("put-aside rows are read", error))?;
            let part = BufReader::with_capacity(256 * 1024, file.take(length));
            StreamReader::try_new(part, None).map_err(arrow_failed)
        };
        match open() {
            Ok(reader) => Box::new(reader.map(|batch| batch.map_err(arrow_failed))),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }
}

fn arrow_failed(error: arrow::error::ArrowError) -> Error {
    Error::internal("rows are gathered by partition", error)
}

/// A file that has no name any more: whatever ends the process, its space is given back. Where the system cannot remove
/// an open file, the name stays until the temporary folder is cleaned.
fn temporary() -> std::io::Result<File> {
    let path = std::env::temp_dir().join(format!("countinghouse-{}.rows", uuid::Uuid::now_v7()));
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path)?;
    if let Err(error) = std::fs::remove_file(&path) {
        tracing::debug!(path = %path.display(), %error, "a temporary file keeps its name");
    }
    Ok(file)
}

struct Counted<W> {
    inner: W,
    written: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests;
