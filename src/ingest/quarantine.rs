//! Rejected rows: why, where, and the line as it was delivered.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;

use super::buffer::{Buffer, PartitionKey};
use crate::error::{Error, Result};

/// Rejected rows gathered before they go to the buffer.
const BATCH_ROWS: usize = 4096;
/// A raw line longer than this is cut: the place is known, and one cell may hold a whole book.
const RAW_BYTES: usize = 64 * 1024;
/// Rejected rows that a batch row quotes per file, for a person who looks at a held batch.
const EXAMPLES: usize = 5;

/// Why a row was rejected; the text is stored and stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// Not a record of the file's form.
    MalformedLine,
    /// A required value is missing.
    MissingRequired,
    /// Not a value of the column's type.
    BadType,
    /// A code that the feed's mapping does not list.
    BadCode,
    /// Not a date or time.
    BadDate,
    /// A value that the column cannot hold.
    OutOfRange,
    /// The key stands in an earlier line of the same batch.
    DuplicateKey,
    /// The delivered key names no member of the dimension.
    UnknownKey,
    /// A branch that the node may not deliver for.
    WrongBranch,
    /// A posted fact row came again with other content.
    ChangedPostedRow,
    /// A version that ends before a later one that is there.
    LateVersion,
    /// Later than the feed's business date.
    FutureDate,
}

impl Reason {
    /// The stored text.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::MalformedLine => "malformed_line",
            Self::MissingRequired => "missing_required",
            Self::BadType => "bad_type",
            Self::BadCode => "bad_code",
            Self::BadDate => "bad_date",
            Self::OutOfRange => "out_of_range",
            Self::DuplicateKey => "duplicate_key",
            Self::UnknownKey => "unknown_key",
            Self::WrongBranch => "wrong_branch",
            Self::ChangedPostedRow => "changed_posted_row",
            Self::LateVersion => "late_version",
            Self::FutureDate => "future_date",
        }
    }
}

/// One rejected row.
#[derive(Debug)]
pub(super) struct Reject {
    /// Index of the file in the feed.
    pub(super) file: usize,
    /// Line of a text file, row of a Parquet file, from 1.
    pub(super) line: u64,
    /// The row's branch where it could be read.
    pub(super) branch: Option<String>,
    /// Why.
    pub(super) reason: Reason,
    /// The table's column, when one is at fault.
    pub(super) column: Option<String>,
    /// What is wrong, for a person.
    pub(super) message: String,
    /// The row as delivered.
    pub(super) raw: String,
}

/// What became of the rows of one file.
#[derive(Debug, Clone, Default)]
pub(super) struct FileCounts {
    /// Rows of the file.
    pub(super) delivered: u64,
    /// New or changed rows.
    pub(super) loaded: u64,
    /// Rows that were there already with the same content.
    pub(super) unchanged: u64,
    /// Rows in quarantine.
    pub(super) rejected: u64,
    /// Rejected rows by reason.
    pub(super) reasons: BTreeMap<&'static str, u64>,
    /// The first few rejected rows in words.
    pub(super) examples: Vec<String>,
}

impl FileCounts {
    /// `3 bad_type, 1 unknown_key; for example line 7, column amount: is not a decimal number`.
    pub(super) fn summary(&self) -> String {
        let reasons: Vec<String> = self.reasons.iter().map(|(reason, rows)| format!("{rows} {reason}")).collect();
        let example = self.examples.first().map(|example| format!("; for example {example}")).unwrap_or_default();
        format!("{}{example}", reasons.join(", "))
    }
}

/// The rejected rows of a batch: counted per file, kept per branch, bounded in memory.
#[derive(Debug)]
pub(super) struct Quarantine {
    node: String,
    number: i64,
    names: Vec<String>,
    schema: SchemaRef,
    counts: Vec<FileCounts>,
    waiting: Vec<Reject>,
    buffer: Buffer,
}

impl Quarantine {
    /// An empty quarantine for the files of one batch. `table` is the quarantine's own table, `schema` that of its files
    /// (without partition columns).
    pub(super) fn new(node: &str, number: u32, names: Vec<String>, schema: SchemaRef, memory: usize) -> Self {
        Self {
            node: node.to_owned(),
            number: i64::from(number),
            counts: vec![FileCounts::default(); names.len()],
            names,
            buffer: Buffer::new(Arc::clone(&schema), memory),
            schema,
            waiting: Vec::new(),
        }
    }

    /// Counts of one file, to add to.
    pub(super) fn file(&mut self, file: usize) -> &mut FileCounts {
        &mut self.counts[file]
    }

    /// Counts per file, in the feed's order.
    pub(super) fn counts(&self) -> &[FileCounts] {
        &self.counts
    }

    /// Takes a rejected row in.
    pub(super) fn push(&mut self, mut reject: Reject) -> Result<()> {
        let counts = &mut self.counts[reject.file];
        counts.rejected += 1;
        *counts.reasons.entry(reject.reason.as_str()).or_default() += 1;
        if counts.examples.len() < EXAMPLES {
            let column = reject.column.as_ref().map(|column| format!(", column {column}")).unwrap_or_default();
            counts.examples.push(format!("line {}{column}: {}", reject.line, reject.message));
        }
        if reject.raw.len() > RAW_BYTES {
            let end = reject.raw.floor_char_boundary(RAW_BYTES);
            reject.raw.truncate(end);
            reject.raw.push('…');
        }
        self.waiting.push(reject);
        if self.waiting.len() >= BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        if rows.is_empty() {
            return Ok(());
        }
        let ids = rows
            .iter()
            .map(|row| self.buffer.partition(&PartitionKey { branch: row.branch.clone(), month: None }))
            .collect();
        let texts = |value: &dyn Fn(&Reject) -> Option<String>| -> ArrayRef {
            Arc::new(rows.iter().map(value).collect::<StringArray>())
        };
        let columns = self.schema.fields().iter().map(|field| -> Result<ArrayRef> {
            Ok(match field.name().as_str() {
                "node" => texts(&|_| Some(self.node.clone())),
                "batch_no" => Arc::new(Int64Array::from(vec![self.number; rows.len()])),
                "file_name" => texts(&|row| Some(self.names[row.file].clone())),
                "line_no" => Arc::new(rows.iter().map(|row| i64::try_from(row.line).ok()).collect::<Int64Array>()),
                "raw_line" => texts(&|row| Some(row.raw.clone())),
                "reason_code" => texts(&|row| Some(row.reason.as_str().to_owned())),
                "column_name" => texts(&|row| row.column.clone()),
                "message" => texts(&|row| Some(row.message.clone())),
                "state_code" => texts(&|_| Some("open".to_owned())),
                other => return Err(Error::internal("rejected rows are kept", format!("unknown column {other}"))),
            })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|error| Error::internal("rejected rows are kept", error))?;
        self.buffer.push(batch, ids)
    }

    /// Ends the gathering: the counts, and the rows by branch.
    pub(super) fn finish(mut self) -> Result<(Vec<FileCounts>, Buffer)> {
        self.flush()?;
        Ok((self.counts, self.buffer))
    }
}
