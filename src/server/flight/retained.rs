//! Results that are computed before they are fetched and kept until they expire: what PollFlightInfo gives, and what several
//! endpoints share.
//!
//! A result is kept as the messages that one reader of the whole would have received. So its parts together are exactly the
//! result, each may be read again, and nothing is computed twice. Small ones stay in memory; of a large one the rest lies in a
//! file without a name, which goes with the process however that ends. What one principal keeps is bounded.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use arrow::ipc::MessageHeader;
use arrow_flight::sql::{ProstMessageExt, TicketStatementQuery};
use arrow_flight::{FlightData, FlightDescriptor, FlightInfo, PollInfo};
use futures::stream;
use futures::{Stream, StreamExt, TryStreamExt, future};
use prost::Message;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;
use tonic::{Response, Status};

use super::parcel::{Parcel, Parcels};
use super::session::Caller;
use super::statement::{Ask, Messages};
use super::ticket::{Kind, Sealed};
use super::{Flight, status};
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::query::Gauge;

/// Bytes of a result that stay in memory.
const IN_MEMORY: usize = 1 << 20;

/// Results that one principal keeps; the one that would expire first gives way.
const MOST: usize = 64;

/// All logins together keep so many times what one may.
const ROOMS: u64 = 4;

/// How often a reader's rights are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How long a poll waits for the end.
const PATIENCE: Duration = Duration::from_secs(2);

/// The results that are kept, by the id of their statement.
#[derive(Debug)]
pub(super) struct Retained {
    all: Mutex<HashMap<String, Arc<Kept>>>,
    /// Where large ones lie.
    folder: PathBuf,
    /// Bytes that one principal may keep.
    room: u64,
    clock: Clock,
}

/// A result.
#[derive(Debug)]
pub(super) struct Kept {
    id: String,
    principal: String,
    fingerprint: String,
    schema: SchemaRef,
    snapshot: i64,
    ordered: bool,
    /// Tickets through which it is read.
    parts: u32,
    provenance: String,
    /// While it runs: it holds the plan and what that built.
    gauge: Mutex<Option<Gauge>>,
    /// Unix seconds.
    expires: AtomicI64,
    bytes: AtomicU64,
    content: Mutex<Content>,
    state: watch::Sender<State>,
    /// Nobody can ask for it any more.
    gone: CancellationToken,
}

#[derive(Debug, Clone)]
enum State {
    Running,
    /// It is complete, with what its last message said.
    Done(MetadataMap),
    Failed(Status),
}

/// The messages so far.
#[derive(Debug, Default)]
struct Content {
    head: Option<FlightData>,
    rows: Vec<Stored>,
    /// Where in them the batches end, each with its dictionaries before it.
    ends: Vec<usize>,
    in_memory: usize,
    file: Option<Arc<File>>,
    end: u64,
}

#[derive(Debug, Clone)]
enum Stored {
    Here(FlightData),
    There { file: Arc<File>, offset: u64, header: usize, body: usize },
}

impl Retained {
    /// Room for `room` bytes of each principal, large results in `folder`.
    pub(super) fn new(folder: PathBuf, room: u64, clock: Clock) -> Self {
        Self { all: Mutex::default(), folder, room, clock }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Kept>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, kept: Arc<Kept>) {
        let mut all = self.lock();
        let own = || all.values().filter(|other| other.principal == kept.principal);
        if own().count() >= MOST {
            let first = own().min_by_key(|other| other.expires.load(Ordering::Relaxed)).map(|other| other.id.clone());
            if let Some(other) = first.and_then(|id| all.remove(&id)) {
                other.gone.cancel();
            }
        }
        all.insert(kept.id.clone(), kept);
    }

    /// Forgets a result; whether there was one.
    pub(super) fn forget(&self, id: &str) -> bool {
        self.lock().remove(id).inspect(|kept| kept.gone.cancel()).is_some()
    }

    /// A later expiry; whether the result is still there.
    pub(super) fn extend(&self, id: &str, expires: i64) -> bool {
        self.lock().get(id).inspect(|kept| kept.expires.store(expires, Ordering::Relaxed)).is_some()
    }

    /// The result of a handle of the caller's own, if it still has the rights that the result was computed under.
    fn get(&self, caller: &Caller, sealed: &Sealed, kind: Kind) -> Result<Arc<Kept>, Status> {
        let kept = self.lock().get(&sealed.id).cloned();
        let kept = kept.filter(|kept| kept.principal == caller.principal.name).ok_or_else(|| kind.expired())?;
        if kept.fingerprint != caller.principal.fingerprint() {
            return Err(status::rights_changed());
        }
        Ok(kept)
    }

    /// Bytes on disk that a principal keeps, or all of them.
    fn used(&self, principal: Option<&str>) -> u64 {
        let all = self.lock();
        all.values()
            .filter(|kept| principal.is_none_or(|principal| kept.principal == principal))
            .map(|kept| kept.bytes.load(Ordering::Relaxed))
            .sum()
    }

    /// Takes in what a reader would receive, and keeps it until it expires.
    async fn fill(&self, kept: &Arc<Kept>, mut messages: Parcels) {
        let end = loop {
            match messages.next().await {
                Some(Ok(message)) => {
                    if let Err(status) = self.push(kept, message.into()).await {
                        break State::Failed(status);
                    }
                }
                Some(Err(status)) if status.code() == tonic::Code::Ok => break State::Done(status.metadata().clone()),
                Some(Err(status)) => break State::Failed(status),
                None => break State::Failed(Error::new(Code::Internal, "a result ended without its end").into()),
            }
        };
        drop(messages);
        kept.expires.fetch_max(self.clock.now().as_second() + Kind::Ticket.lifetime(), Ordering::Relaxed);
        kept.end(end);
        loop {
            let left = kept.expires.load(Ordering::Relaxed) - self.clock.now().as_second();
            match u64::try_from(left) {
                Ok(left @ 1..) => tokio::time::sleep(Duration::from_secs(left)).await,
                _ => break,
            }
        }
        self.forget(&kept.id);
    }

    async fn push(&self, kept: &Kept, message: FlightData) -> Result<(), Status> {
        let size = message.data_header.len() + message.data_body.len();
        let kind = arrow::ipc::root_as_message(&message.data_header).map(|message| message.header_type());
        let is_batch = kind.is_ok_and(|kind| kind == MessageHeader::RecordBatch);
        let (file, offset) = {
            let mut content = kept.lock();
            if content.head.is_none() {
                content.head = Some(message);
                return Ok(());
            }
            if content.in_memory + size <= IN_MEMORY {
                content.in_memory += size;
                content.add(is_batch, Stored::Here(message));
                return Ok(());
            }
            let file = match &content.file {
                Some(file) => Arc::clone(file),
                None => {
                    let file = tempfile::tempfile_in(&self.folder);
                    let file = file.map_err(|fault| Error::internal("A result cannot be kept", fault))?;
                    Arc::clone(content.file.insert(Arc::new(file)))
                }
            };
            (file, content.end)
        };
        let before = kept.bytes.fetch_add(size as u64, Ordering::Relaxed);
        debug_assert!(before == offset, "a file holds what was counted");
        if self.used(Some(&kept.principal)) > self.room || self.used(None) > ROOMS * self.room {
            let text = format!(
                "The results that are kept are larger than {} MiB of yours, or {ROOMS} times that together; fetch this one without \
                 polling and with one endpoint",
                self.room >> 20
            );
            return Err(Error::new(Code::Limit, text).into());
        }
        let (header, body) = (message.data_header.len(), message.data_body.len());
        let written = Arc::clone(&file);
        let write = move || {
            written.write_all_at(&message.data_header, offset)?;
            written.write_all_at(&message.data_body, offset + message.data_header.len() as u64)
        };
        blocking(write).await.map_err(|fault| Error::internal("A result cannot be kept", fault))?;
        let mut content = kept.lock();
        content.end = offset + size as u64;
        content.add(is_batch, Stored::There { file, offset, header, body });
        Ok(())
    }
}

impl Content {
    fn add(&mut self, is_batch: bool, stored: Stored) {
        self.rows.push(stored);
        if is_batch {
            self.ends.push(self.rows.len());
        }
    }
}

impl Kept {
    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It runs no longer. What failed keeps its error alone.
    fn end(&self, end: State) {
        *self.gauge.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if matches!(end, State::Failed(_)) {
            *self.lock() = Content::default();
            self.bytes.store(0, Ordering::Relaxed);
        }
        self.state.send_if_modified(|state| {
            let first = matches!(state, State::Running);
            if first {
                *state = end;
            }
            first
        });
    }

    fn progress(&self) -> Option<f64> {
        self.gauge.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(Gauge::done)
    }

    /// Waits until it is complete or has failed.
    async fn ended(&self) -> State {
        let mut state = self.state.subscribe();
        let ended = state.wait_for(|state| !matches!(state, State::Running)).await;
        ended.map_or_else(|_| State::Failed(Kind::Ticket.expired()), |state| state.clone())
    }

    fn trailers(&self) -> Result<MetadataMap, Status> {
        match &*self.state.borrow() {
            State::Done(trailers) => Ok(trailers.clone()),
            State::Failed(status) => Err(status.clone()),
            State::Running => Err(Error::new(Code::Internal, "a result is read before it is complete").into()),
        }
    }

    /// One part of `parts`, from its schema to its end. The stream holds nothing of the result: once that is gone, or `holds` says
    /// no, it ends with an error, however long its reader stood still.
    fn read<F: Future<Output = Result<(), Status>> + Send>(
        self: &Arc<Self>,
        part: u32,
        parts: u32,
        holds: impl Fn() -> F + Send + 'static,
    ) -> Result<Messages, Status> {
        let trailers = self.trailers()?;
        let (head, rows) = {
            let content = self.lock();
            let batches = |part: u32| content.ends.len() * part as usize / parts.max(1) as usize;
            let bound = |part: u32| batches(part).checked_sub(1).map_or(0, |last| content.ends[last]);
            (content.head.clone(), bound(part)..bound(part + 1))
        };
        let end = Status::with_metadata(tonic::Code::Ok, "", trailers);
        let kept = Arc::downgrade(self);
        let looked = Instant::now();
        let rows = stream::try_unfold((rows, looked, holds), move |(mut rows, mut looked, holds)| {
            let kept = kept.upgrade().filter(|kept| !kept.gone.is_cancelled());
            async move {
                let Some(next) = rows.next() else { return Ok(None) };
                let kept = kept.ok_or_else(|| Kind::Ticket.expired())?;
                if looked.elapsed() > LOOK {
                    holds().await?;
                    looked = Instant::now();
                }
                let stored = kept.lock().rows.get(next).cloned().ok_or_else(|| Kind::Ticket.expired())?;
                drop(kept);
                Ok(Some((load(stored).await?, (rows, looked, holds))))
            }
        });
        let all =
            stream::iter(head.map(Ok)).chain(rows).map_ok(Parcel::from).chain(stream::once(future::ready(Err(end))));
        Ok(Response::new(ended_once(all).boxed()))
    }

    fn rows_and_bytes(&self) -> (i64, i64) {
        let trailers = self.trailers().unwrap_or_default();
        let number = |name| trailers.get(name).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(-1);
        (number("x-rows"), number("x-bytes"))
    }
}

/// The messages up to the first error, which ends them: the end of a stream is one, see [`Messages`].
fn ended_once(messages: impl Stream<Item = Result<Parcel, Status>>) -> impl Stream<Item = Result<Parcel, Status>> {
    messages.scan(false, |ended, message| {
        let now = std::mem::replace(ended, message.is_err());
        future::ready((!now).then_some(message))
    })
}

async fn load(stored: Stored) -> Result<FlightData, Status> {
    match stored {
        Stored::Here(message) => Ok(message),
        Stored::There { file, offset, header, body } => {
            let read = move || {
                let mut bytes = vec![0; header + body];
                file.read_exact_at(&mut bytes, offset).map(|()| bytes::Bytes::from(bytes))
            };
            let mut bytes =
                blocking(read).await.map_err(|fault| Error::internal("A kept result cannot be read", fault))?;
            let data_header = bytes.split_to(header);
            Ok(FlightData { data_header, data_body: bytes, ..FlightData::default() })
        }
    }
}

/// Work that waits for the disk, away from the threads that serve.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let mut task = JoinSet::new();
    task.spawn_blocking(work);
    task.join_next().await.unwrap_or_else(|| Ok(Err(io::ErrorKind::Interrupted.into())))?
}

/// What fills a result: however it ends, nobody waits for the result any longer.
struct Filling(Arc<Kept>);

impl Drop for Filling {
    fn drop(&mut self) {
        self.0.end(State::Failed(Kind::Ticket.expired()));
    }
}

/// Stops the statement of a result that nobody waits for any more.
struct Unwanted<'a>(&'a Flight, Option<String>);

impl Drop for Unwanted<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.1.take() {
            self.0.drop_result(&id);
        }
    }
}

impl Flight {
    /// Starts a statement whose result is kept, to be read through `parts` tickets.
    async fn retain(&self, caller: &Caller, ask: &Ask, parts: u32) -> Result<Arc<Kept>, Status> {
        let plan = self.plan_bound(caller, ask).await?;
        let (id, schema) = (plan.query_id().to_owned(), SchemaRef::clone(plan.schema()));
        let snapshot = plan.snapshot_id();
        let provenance = self.provenance(caller, ask, &plan).await.to_string();
        let (messages, gauge) = self.start(caller, id.clone(), plan).await?;
        let kept = Arc::new(Kept {
            id,
            principal: caller.principal.name.clone(),
            fingerprint: caller.principal.fingerprint(),
            schema,
            snapshot,
            ordered: ask.ordered,
            parts,
            provenance,
            gauge: Mutex::new(gauge),
            expires: AtomicI64::new(self.sealer.expiry(Kind::Poll)),
            bytes: AtomicU64::new(0),
            content: Mutex::default(),
            state: watch::Sender::new(State::Running),
            gone: CancellationToken::new(),
        });
        self.retained.keep(Arc::clone(&kept));
        let (retained, filled) = (Arc::clone(&self.retained), Arc::clone(&kept));
        let filled = Filling(filled);
        let mut tasks = self.filling.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            tokio::select! {
                () = filled.0.gone.cancelled() => {}
                () = retained.fill(&filled.0, messages.into_inner()) => {}
            }
            retained.forget(&filled.0.id);
        });
        drop(tasks);
        Ok(kept)
    }

    /// Stops what computes a result and forgets it; whether there was one.
    pub(super) fn drop_result(&self, id: &str) -> bool {
        let stopped = self.running.cancel(id);
        self.retained.forget(id) || stopped
    }

    /// GetFlightInfo with several endpoints: the result is there when they are told.
    pub(super) async fn shared_info(
        &self,
        caller: &Caller,
        ask: &Ask,
        parts: u32,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo, Status> {
        let kept = self.retain(caller, ask, parts).await?;
        let mut unwanted = Unwanted(self, Some(kept.id.clone()));
        if let State::Failed(status) = kept.ended().await {
            return Err(status);
        }
        let info = self.kept_info(caller, &kept, descriptor)?;
        unwanted.1 = None;
        Ok(info)
    }

    /// The first call of PollFlightInfo: starts the statement.
    pub(super) async fn poll_first(&self, caller: &Caller, ask: &Ask) -> Result<PollInfo, Status> {
        let parts = if ask.ordered { 1 } else { caller.options.endpoints.unwrap_or(1).into() };
        let kept = self.retain(caller, ask, parts).await?;
        self.poll_info(caller, &kept)
    }

    /// A later call: waits a while for the end.
    pub(super) async fn poll_again(&self, caller: &Caller, handle: &[u8]) -> Result<PollInfo, Status> {
        let sealed = self.sealer.open(Kind::Poll, &caller.principal, handle)?;
        let kept = self.retained.get(caller, &sealed, Kind::Poll)?;
        kept.expires.fetch_max(self.sealer.expiry(Kind::Poll), Ordering::Relaxed);
        let _ = tokio::time::timeout(PATIENCE, kept.ended()).await;
        self.poll_info(caller, &kept)
    }

    fn poll_info(&self, caller: &Caller, kept: &Kept) -> Result<PollInfo, Status> {
        let sealed = Sealed { id: kept.id.clone(), ..Sealed::default() };
        let statement_handle = self.sealer.seal(Kind::Poll, &caller.principal, sealed)?;
        let descriptor = FlightDescriptor::new_cmd(TicketStatementQuery { statement_handle }.as_any().encode_to_vec());
        let state = kept.state.borrow().clone();
        let (info, next, progress) = match state {
            State::Failed(status) => return Err(status),
            State::Done(_) => (self.kept_info(caller, kept, descriptor)?, None, Some(1.0)),
            State::Running => {
                let progress = kept.progress().map(|done| done.min(0.99));
                let info = self.info_of(kept, descriptor.clone())?;
                (info, Some(descriptor), Some(progress.unwrap_or(0.0)))
            }
        };
        let mut poll = PollInfo::new().with_info(info);
        poll.flight_descriptor = next;
        poll.progress = progress;
        let expires = poll.expiration_time.insert(Default::default());
        expires.seconds = kept.expires.load(Ordering::Relaxed);
        Ok(poll)
    }

    /// What is known of a result from the beginning. CancelFlightInfo finds it by its descriptor.
    fn info_of(&self, kept: &Kept, descriptor: FlightDescriptor) -> Result<FlightInfo, Status> {
        let info = FlightInfo::new()
            .try_with_schema(&kept.schema)
            .map_err(|fault| Error::internal("Cannot encode a schema", fault))?;
        Ok(info.with_descriptor(descriptor).with_ordered(kept.ordered).with_app_metadata(kept.provenance.clone()))
    }

    fn kept_info(&self, caller: &Caller, kept: &Kept, descriptor: FlightDescriptor) -> Result<FlightInfo, Status> {
        kept.expires.fetch_max(self.sealer.expiry(Kind::Ticket), Ordering::Relaxed);
        let (rows, bytes) = kept.rows_and_bytes();
        let mut info = self.info_of(kept, descriptor)?.with_total_records(rows).with_total_bytes(bytes);
        for part in 0..kept.parts {
            let (id, snapshot) = (kept.id.clone(), Some(kept.snapshot));
            let sealed = Sealed { id, snapshot, part, parts: kept.parts, ..Sealed::default() };
            info = info.with_endpoint(self.endpoint(&caller.principal, sealed)?);
        }
        Ok(info)
    }

    /// DoGet of a part of a kept result. That it was read stands in the audit log: the statement was recorded once, its readings
    /// may be many.
    pub(super) async fn redeem_kept(&self, caller: &Caller, sealed: &Sealed) -> Result<Messages, Status> {
        let kept = self.retained.get(caller, sealed, Kind::Ticket)?;
        self.door.record_reading(&caller.principal, &kept.id, sealed.part + 1, sealed.parts).await?;
        let (auth, principal) = (self.auth.clone(), caller.principal.clone());
        kept.read(sealed.part, sealed.parts, move || {
            let (auth, principal) = (auth.clone(), principal.clone());
            async move {
                match auth.still_holds(&principal).await? {
                    true => Ok(()),
                    false => Err(status::rights_changed()),
                }
            }
        })
    }
}
