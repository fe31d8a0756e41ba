//! A running statement: its rows, its deadline, its record, and how it is stopped from outside.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, TryLockError};
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use futures::StreamExt;
use futures::future::poll_fn;
use futures::stream::{self, BoxStream};
use futures::task::AtomicWaker;
use tokio::time::{Instant, timeout_at};

use super::cache::Recording;
use super::{Door, Permit, bytes_of};
use crate::auth::Principal;
use crate::catalog::QueryRow;
use crate::error::{Code, Error, Fault, Result};

/// Why a statement is stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Somebody asked for it.
    Asked,
    /// The login, its rights, or what it was shown with no longer stand.
    Rights,
}

impl Stop {
    fn error(self) -> Error {
        match self {
            Self::Asked => Error::new(Code::Cancelled, "the statement was stopped by its owner or an administrator"),
            Self::Rights => {
                Error::new(Code::Token, "the rights of this login changed while the statement ran; ask again")
            }
        }
    }
}

/// The rows of a statement, as they come.
type Batches = BoxStream<'static, Result<RecordBatch>>;

/// What a statement holds while it runs: whoever stops it takes all of it away, whether its reader asks for rows or not.
#[derive(Default)]
pub(super) struct Held {
    rows: Mutex<Option<(Batches, Option<Permit>)>>,
    stop: OnceLock<Stop>,
    reader: AtomicWaker,
}

impl Held {
    /// Stops it. Rows that are computed at this moment are the last, and are not given.
    pub(super) fn stop(&self, why: Stop) {
        let _ = self.stop.set(why); // the first reason counts
        match self.rows.try_lock() {
            Ok(mut rows) => *rows = None,
            Err(TryLockError::Poisoned(rows)) => *rows.into_inner() = None,
            Err(TryLockError::WouldBlock) => {} // who computes looks when it is done
        }
        self.reader.wake();
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        self.reader.register(cx.waker());
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match (self.stop.get(), rows.as_mut()) {
            (None, Some((stream, _))) => stream.poll_next_unpin(cx),
            _ => Poll::Ready(None),
        };
        match self.stop.get() {
            Some(why) => {
                *rows = None;
                Poll::Ready(Some(Err(why.error())))
            }
            None => next,
        }
    }

    fn drop_rows(&self) {
        *self.rows.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Owns everything that a statement holds; dropping it stops the plan's tasks and writes the end of the record.
pub(super) struct Running {
    door: Door,
    row: QueryRow,
    deadline: Instant,
    time: Duration,
    held: Arc<Held>,
    /// Most rows that its principal may have of one statement.
    most: Option<u64>,
    /// Of a result that is to be kept.
    recording: Option<Recording>,
    rows: u64,
    bytes: u64,
    ended: bool,
}

impl Running {
    pub(super) fn new(door: &Door, row: QueryRow, principal: &Principal, most: Option<u64>, time: Duration) -> Self {
        let held = Arc::new(Held::default());
        let mut running = door.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(row.query_id.clone(), (principal.clone(), Arc::clone(&held)));
        drop(running);
        let deadline = Instant::now() + time;
        Self { door: door.clone(), row, deadline, time, held, most, recording: None, rows: 0, bytes: 0, ended: false }
    }

    /// `permit`: its place among those that run; rows that were kept need none.
    pub(super) fn start(&mut self, stream: Batches, permit: Option<Permit>, recording: Option<Recording>) {
        *self.held.rows.lock().unwrap_or_else(PoisonError::into_inner) = Some((stream, permit));
        self.recording = recording;
    }

    /// The next batch; the record is closed with the last one or the first error.
    async fn next(&mut self) -> Option<Result<RecordBatch>> {
        let held = Arc::clone(&self.held);
        let result = match timeout_at(self.deadline, poll_fn(|cx| held.poll_next(cx))).await {
            Err(_) => {
                let seconds = self.time.as_secs();
                Some(Err(Error::new(Code::Deadline, format!("the statement was stopped after {seconds} seconds"))))
            }
            Ok(next) => next,
        };
        let result = match (result, self.most) {
            (Some(Ok(batch)), Some(most)) if self.rows + batch.num_rows() as u64 > most => {
                let message =
                    format!("your roles give at most {most} rows of a statement; ask for fewer, or with an aggregate");
                Some(Err(Error::new(Code::Limit, message)))
            }
            (result, _) => result,
        };
        match &result {
            Some(Ok(batch)) => {
                self.rows += batch.num_rows() as u64;
                self.bytes += bytes_of(batch) as u64;
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
        self.leave();
    }

    /// It runs no longer.
    fn leave(&mut self) {
        self.ended = true;
        self.door.0.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.row.query_id);
    }

    /// Stops the plan and closes the record.
    pub(super) fn end(&mut self, error: Option<&Error>) {
        self.held.drop_rows();
        let row = self.closed(error.map_or("ok", status), error.map(|error| error.code().as_str()));
        if let Some(error) = error.filter(|error| error.code().fault() == Fault::Internal) {
            tracing::error!(query_id = %self.row.query_id, ?error, "a statement failed");
        }
        self.door.0.catalog.end_query(row);
    }

    fn closed(&mut self, status: &str, code: Option<&str>) -> QueryRow {
        self.leave();
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
        self.held.drop_rows();
        let row = self.closed("cancelled", Some(Code::Cancelled.as_str()));
        self.door.0.catalog.end_query(row);
    }
}

/// What went wrong while a statement ran, without a value or a path in it.
///
/// Operators, tasks and expressions each put a layer around an error on its way. The outermost one that says something to the
/// caller counts, and any other is a fault of ours.
pub(super) fn execution_error(error: DataFusionError, query_id: &str) -> Error {
    let id = &query_id[query_id.len().saturating_sub(12)..];
    let known =
        std::iter::successors(Some(&error as Layer<'_>), |error| below(*error)).find_map(|error| told(error, id));
    known.unwrap_or_else(|| {
        Error::new(Code::QueryFailed, format!("the statement failed while it ran (id {id})"))
            .caused_by(error.to_string())
    })
}

/// An error, or one within another.
type Layer<'a> = &'a (dyn std::error::Error + 'static);

/// The error that a layer was put around. A file or a store that fails is never looked into: what it says is no word about
/// the statement.
fn below(error: Layer<'_>) -> Option<Layer<'_>> {
    if let Some(shared) = error.downcast_ref::<Arc<DataFusionError>>() {
        return Some(shared.as_ref());
    }
    if let Some(ArrowError::ExternalError(inner)) = error.downcast_ref::<ArrowError>() {
        return Some(inner.as_ref());
    }
    match error.downcast_ref::<DataFusionError>()? {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => Some(inner.as_ref()),
        DataFusionError::Shared(inner) => Some(inner.as_ref()),
        DataFusionError::External(inner) => Some(inner.as_ref()),
        DataFusionError::ArrowError(inner, _) => Some(inner.as_ref()),
        DataFusionError::Collection(faults) => faults.first().map(|fault| fault as Layer<'_>),
        _ => None,
    }
}

/// What an error says to the caller by itself; none where it is only a layer, or says nothing.
fn told(error: Layer<'_>, id: &str) -> Option<Error> {
    if let Some(ours) = error.downcast_ref::<Error>() {
        let again = Error::new(ours.code(), ours.message());
        return Some(match ours.cause() {
            Some(cause) => again.caused_by(cause.to_string()),
            None => again,
        });
    }
    match error.downcast_ref::<DataFusionError>() {
        Some(DataFusionError::ResourcesExhausted(_)) => {
            let message = format!("the statement needs more memory than it may use; ask for less (id {id})");
            Some(Error::new(Code::Memory, message))
        }
        // Its text names what the plan was made of, which may be more than the caller wrote.
        Some(DataFusionError::NotImplemented(text)) => {
            let message = format!("the statement has a form that cannot be run; write it in another way (id {id})");
            Some(Error::new(Code::SqlPlan, message).caused_by(text.clone()))
        }
        Some(_) => None,
        None => error.downcast_ref::<ArrowError>().and_then(|error| evaluation(error, id)),
    }
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

#[cfg(test)]
mod tests;
