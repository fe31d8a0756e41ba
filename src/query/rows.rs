//! A running statement: its rows, its deadline, its record.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::Door;
use super::cache::Recording;
use crate::catalog::QueryRow;
use crate::error::{Code, Error, Fault, Result};

/// Owns everything that a statement holds; dropping it stops the plan's tasks and writes the end of the record.
pub(super) struct Running {
    door: Door,
    row: QueryRow,
    deadline: Instant,
    stream: Option<BoxStream<'static, Result<RecordBatch>>>,
    /// Of a result that is to be kept.
    recording: Option<Recording>,
    rows: u64,
    bytes: u64,
    ended: bool,
    /// Rows that were kept need none.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Running {
    pub(super) fn new(door: &Door, row: QueryRow, deadline: Instant, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            door: door.clone(),
            row,
            deadline,
            stream: None,
            recording: None,
            rows: 0,
            bytes: 0,
            ended: false,
            _permit: permit,
        }
    }

    pub(super) fn start(&mut self, stream: BoxStream<'static, Result<RecordBatch>>, recording: Option<Recording>) {
        self.stream = Some(stream);
        self.recording = recording;
    }

    /// The next batch; the record is closed with the last one or the first error.
    async fn next(&mut self) -> Option<Result<RecordBatch>> {
        let result = match timeout_at(self.deadline, self.stream.as_mut()?.next()).await {
            Err(_) => {
                let seconds = self.door.0.config.query.deadline_seconds;
                Some(Err(Error::new(Code::Deadline, format!("the statement was stopped after {seconds} seconds"))))
            }
            Ok(next) => next,
        };
        match &result {
            Some(Ok(batch)) => {
                self.rows += batch.num_rows() as u64;
                self.bytes += batch.get_array_memory_size() as u64;
                self.recording = self.recording.take().and_then(|recording| recording.with(batch));
            }
            Some(Err(error)) => self.end(Some(error)),
            None => {
                if let Some(recording) = self.recording.take() {
                    recording.keep();
                }
                self.end(None);
            }
        }
        result
    }

    /// There is no record to close.
    pub(super) fn forget(&mut self) {
        self.ended = true;
    }

    /// Stops the plan and closes the record.
    pub(super) fn end(&mut self, error: Option<&Error>) {
        self.stream = None;
        let row = self.closed(error.map_or("ok", status), error.map(|error| error.code().as_str()));
        if let Some(error) = error.filter(|error| error.code().fault() == Fault::Internal) {
            tracing::error!(query_id = %self.row.query_id, ?error, "a statement failed");
        }
        self.door.0.catalog.end_query(row);
    }

    fn closed(&mut self, status: &str, code: Option<&str>) -> QueryRow {
        self.ended = true;
        let mut row = self.row.clone();
        let elapsed = self.door.0.clock.now().duration_since(row.started_at);
        row.duration_ms = Some(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX));
        row.rows = i64::try_from(self.rows).ok();
        row.bytes = i64::try_from(self.bytes).ok();
        row.status = status.to_owned();
        row.error_code = code.map(str::to_owned);
        row
    }

    pub(super) fn into_stream(self) -> BoxStream<'static, Result<RecordBatch>> {
        stream::unfold(Some(self), |running| async {
            let mut running = running?;
            let result = running.next().await?;
            let go_on = result.is_ok();
            Some((result, go_on.then_some(running)))
        })
        .boxed()
    }
}

fn status(error: &Error) -> &'static str {
    match error.code().fault() {
        Fault::Cancelled | Fault::Deadline => "cancelled",
        _ => "failed",
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.stream = None;
        let row = self.closed("cancelled", Some(Code::Cancelled.as_str()));
        self.door.0.catalog.end_query(row);
    }
}

/// What went wrong while a statement ran, without a value or a path in it.
pub(super) fn execution_error(error: DataFusionError, query_id: &str) -> Error {
    let id = &query_id[query_id.len().saturating_sub(12)..];
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => execution_error(*inner, query_id),
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(error) => *error,
            Err(other) => failed(id, DataFusionError::External(other)),
        },
        DataFusionError::Shared(inner) => {
            let text = inner.strip_backtrace();
            match inner.find_root() {
                DataFusionError::ResourcesExhausted(_) => memory(id),
                DataFusionError::ArrowError(arrow, _) => {
                    evaluation(arrow, id).unwrap_or_else(|| failed(id, DataFusionError::Execution(text)))
                }
                _ => failed(id, DataFusionError::Execution(text)),
            }
        }
        DataFusionError::ResourcesExhausted(_) => memory(id),
        DataFusionError::ArrowError(arrow, trace) => {
            evaluation(&arrow, id).unwrap_or_else(|| failed(id, DataFusionError::ArrowError(arrow, trace)))
        }
        other => failed(id, other),
    }
}

fn memory(id: &str) -> Error {
    Error::new(Code::Memory, format!("the statement needs more memory than it may use; ask for less (id {id})"))
}

/// Faults of the caller's own arithmetic: the kind is told, the value never.
fn evaluation(error: &ArrowError, id: &str) -> Option<Error> {
    let text = match error {
        ArrowError::DivideByZero => "division by zero; guard it with `NULLIF(x, 0)`",
        ArrowError::ArithmeticOverflow(_) => "a number became too large",
        ArrowError::CastError(_) | ArrowError::ParseError(_) => "a value cannot be cast; `TRY_CAST` gives null instead",
        ArrowError::InvalidArgumentError(_) => "a value does not fit its type",
        _ => return None,
    };
    Some(Error::new(Code::Evaluation, format!("{text} (id {id})")))
}

fn failed(id: &str, error: DataFusionError) -> Error {
    Error::new(Code::QueryFailed, format!("the statement failed while it ran (id {id})"))
        .caused_by(Arc::new(error).to_string())
}
