//! Statements: planned, run, watched, cancelled.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::sql::{ActionCancelQueryRequest, Any, Command, ProstMessageExt, TicketStatementQuery};
use arrow_flight::{CancelStatus, FlightDescriptor, FlightEndpoint, FlightInfo, RenewFlightEndpointRequest, Ticket};
use bytes::Bytes;
use futures::StreamExt;
use prost::Message;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;
use tonic::{Response, Status};

use super::encode::{Encoder, wire_schema, with_dictionaries};
use super::parcel::{Parcel, Parcels};
use super::session::{Caller, Options};
use super::sql_info::MAX_STATEMENT;
use super::status::{QUERY_ID, SNAPSHOT_ID};
use super::ticket::{Kind, Sealed};
use super::{Flight, parameters, proto, status};
use crate::auth::Principal;
use crate::error::{Code, Error, Result};
use crate::query::{Answer, Door, Face, Gauge, Prepared, Previews, Statement};

/// Encoded messages that wait for a slow reader.
const WAITING_MESSAGES: usize = 3;

/// A reader that stands still so long is given up.
const STALLED: Duration = Duration::from_secs(60);

/// Rows that trickle are sent on after this time, though a message could hold more.
const PATIENCE: Duration = Duration::from_millis(100);

/// Plans kept between GetFlightInfo and DoGet.
const RECENT_PLANS: usize = 128;

/// What a client asks to run.
#[derive(Debug, Clone, Default)]
pub(super) struct Ask {
    /// The statement, its parameters numbered.
    pub sql: String,
    /// Its result is ordered.
    pub ordered: bool,
    /// Default schema; none is the session's.
    pub schema: Option<String>,
    /// Bound rows, see [`parameters::to_bytes`].
    pub parameters: Bytes,
    /// Name of the read transaction.
    pub transaction: Option<String>,
}

/// A planned statement.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Of the first row of parameters.
    prepared: Prepared,
    /// Of the other rows, in order.
    rest: VecDeque<Statement>,
    /// Announced and sent.
    schema: SchemaRef,
    /// The default schema in force.
    default_schema: Option<String>,
    /// The rights it was planned under.
    fingerprint: String,
}

impl Flight {
    /// The ask of a statement's text. `transaction` is a sealed id; empty is none.
    pub(super) fn ask(&self, caller: &Caller, sql: &str, transaction: Option<&Bytes>) -> Result<Ask, Status> {
        if sql.len() > MAX_STATEMENT {
            let text = format!("The statement has more than {MAX_STATEMENT} bytes; bind its values as parameters");
            return Err(Error::new(Code::Limit, text).into());
        }
        let scan = parameters::scan(sql)?;
        let transaction = match transaction {
            Some(sealed) if !sealed.is_empty() => {
                Some(self.sealer.open(Kind::Transaction, &caller.principal, sealed)?.id)
            }
            _ => None,
        };
        Ok(Ask { sql: scan.sql, ordered: scan.ordered, transaction, ..Ask::default() })
    }

    /// Plans it at the snapshot of its transaction, of the session, or the newest. Reads no data.
    pub(super) async fn plan(&self, caller: &Caller, ask: &Ask) -> Result<Plan, Status> {
        let snapshot = match &ask.transaction {
            Some(name) => self.transactions.snapshot(name, self.clock.now())?,
            None => caller.options.snapshot,
        };
        let schema = ask.schema.clone().or_else(|| caller.options.schema.clone());
        let options = &caller.options;
        let at =
            |schema, snapshot| self.plan_at(&caller.principal, &ask.sql, schema, snapshot, &ask.parameters, options);
        let plan = at(schema.clone(), snapshot).await?;
        let Some(name) = &ask.transaction else { return Ok(plan) };
        let pinned = self.transactions.pin(name, plan.prepared.snapshot_id())?;
        if pinned == plan.prepared.snapshot_id() {
            return Ok(plan);
        }
        // Another statement of the transaction was first, and saw another snapshot.
        Ok(at(schema, Some(pinned)).await?)
    }

    async fn plan_at(
        &self,
        principal: &Principal,
        sql: &str,
        schema: Option<String>,
        snapshot: Option<i64>,
        bound: &Bytes,
        options: &Options,
    ) -> Result<Plan> {
        let statement = |row: Option<RecordBatch>, snapshot| {
            let mut statement = Statement::new(sql);
            statement.schema.clone_from(&schema);
            statement.parameters = row;
            statement.snapshot = snapshot;
            statement.rollups = options.rollups.clone();
            statement.cache = options.cache;
            statement.history = options.history;
            statement.previews = options.previews;
            statement.workload = options.workload;
            statement
        };
        let mut rows = parameters::from_bytes(bound)?.into_iter();
        let prepared = self.door.prepare(principal, Face::Flight, statement(rows.next(), snapshot)).await?;
        let pinned = Some(prepared.snapshot_id());
        Ok(Plan {
            rest: rows.map(|row| statement(Some(row), pinned)).collect(),
            schema: match options.dictionaries {
                true => with_dictionaries(&wire_schema(&prepared.schema())),
                false => wire_schema(&prepared.schema()),
            },
            default_schema: schema,
            fingerprint: principal.fingerprint(),
            prepared,
        })
    }

    /// Plans a statement that is to run: its parameters must be bound.
    pub(super) async fn plan_bound(&self, caller: &Caller, ask: &Ask) -> Result<Plan, Status> {
        let plan = self.plan(caller, ask).await?;
        plan.check_bound(ask)?;
        Ok(plan)
    }

    /// GetFlightInfo of a statement: the plan's schema, and one endpoint without a location. Where the session asks for several,
    /// they are parts of a result that is kept.
    pub(super) async fn statement_info(
        &self,
        caller: &Caller,
        ask: &Ask,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo, Status> {
        if let Some(parts @ 2..) = caller.options.endpoints.filter(|_| !ask.ordered) {
            return self.shared_info(caller, ask, parts.into(), descriptor).await;
        }
        let plan = self.plan_bound(caller, ask).await?;
        let id = plan.query_id().to_owned();
        let options = &caller.options;
        let sealed = Sealed {
            id: id.clone(),
            sql: ask.sql.clone(),
            schema: plan.default_schema.clone(),
            snapshot: Some(plan.prepared.snapshot_id()),
            parameters: ask.parameters.clone(),
            history: options.history.map(|history| history.to_string()),
            rollups: options.rollups.to_string(),
            strict: options.previews == Previews::Refused,
            dictionaries: options.dictionaries,
            ..Sealed::default()
        };
        let info = FlightInfo::new()
            .try_with_schema(&plan.schema)
            .map_err(|fault| Error::internal("Cannot encode a schema", fault))?
            .with_endpoint(self.endpoint(&caller.principal, sealed)?)
            .with_descriptor(descriptor)
            .with_ordered(ask.ordered)
            .with_app_metadata(self.provenance(caller, ask, &plan).await.to_string());
        self.plans.keep(id, plan);
        Ok(info)
    }

    pub(super) fn endpoint(&self, principal: &Principal, content: Sealed) -> Result<FlightEndpoint, Status> {
        let statement_handle = self.sealer.seal(Kind::Ticket, principal, content)?;
        let ticket = TicketStatementQuery { statement_handle }.as_any().encode_to_vec();
        let mut endpoint =
            FlightEndpoint::new().with_ticket(Ticket::new(ticket)).with_expiration_time(Default::default());
        if let Some(time) = &mut endpoint.expiration_time {
            time.seconds = self.sealer.expiry(Kind::Ticket);
        }
        Ok(endpoint)
    }

    /// Where the figures come from, as far as it is known before the statement runs.
    pub(super) async fn provenance(&self, caller: &Caller, ask: &Ask, plan: &Plan) -> serde_json::Value {
        let snapshot = plan.prepared.snapshot_id();
        let mut provenance = serde_json::json!({
            "v": 1,
            "query_id": plan.query_id(),
            "snapshot": snapshot,
            "statement": format!("sha256:{}", hash(&ask.sql)),
            "rights": caller.principal.fingerprint(),
            "rollups": plan.prepared.rollups(),
            "notices": plan.prepared.notices(),
        });
        if let Ok(head) = self.door.head().await
            && head.snapshot_id == snapshot
        {
            provenance["as_of"] = date(head.as_of).into();
            provenance["completeness"] = serde_json::json!(head.completeness.seen_by(&caller.principal));
        }
        provenance
    }

    /// DoGet of a statement's ticket: the same rows for the same principal under the same rights, or a refusal.
    pub(super) async fn redeem(&self, caller: &Caller, handle: &[u8]) -> Result<Messages, Status> {
        let sealed = self.sealer.open(Kind::Ticket, &caller.principal, handle)?;
        if sealed.fingerprint != caller.principal.fingerprint() {
            return Err(status::rights_changed());
        }
        if sealed.parts > 0 {
            return self.redeem_kept(caller, &sealed).await;
        }
        let plan = match self.plans.get(&sealed.id) {
            Some(plan) if plan.fingerprint == sealed.fingerprint => plan,
            _ => {
                let Sealed { sql, schema, snapshot, parameters, .. } = &sealed;
                let options = sealed.options(&caller.options)?;
                self.plan_at(&caller.principal, sql, schema.clone(), *snapshot, parameters, &options).await?
            }
        };
        self.run(caller, sealed.id, plan).await
    }

    /// DoGet of a statement's command itself, which some clients use as a ticket.
    pub(super) async fn run_ask(&self, caller: &Caller, ask: &Ask) -> Result<Messages, Status> {
        let plan = self.plan_bound(caller, ask).await?;
        self.run(caller, status::fresh_id(), plan).await
    }

    async fn run(&self, caller: &Caller, id: String, plan: Plan) -> Result<Messages, Status> {
        Ok(self.start(caller, id, plan).await?.0)
    }

    /// Runs a plan: what its reader receives, and how far it is.
    pub(super) async fn start(
        &self,
        caller: &Caller,
        id: String,
        plan: Plan,
    ) -> Result<(Messages, Option<Gauge>), Status> {
        let answer = self.door.run(plan.prepared).await?;
        let gauge = answer.gauge.clone();
        let watch = Running::watch(&self.running, id);
        let (sender, receiver) = mpsc::channel(WAITING_MESSAGES);
        let (query_id, snapshot_id) = (answer.query_id.clone(), answer.snapshot_id.to_string());
        let delivery = Delivery {
            door: self.door.clone(),
            principal: caller.principal.clone(),
            rest: plan.rest,
            encoder: Encoder::new(plan.schema, caller.options.compression),
            sender,
            cancelled: watch.token.clone(),
            query_id: query_id.clone(),
        };
        // A set ends its tasks when it is dropped, and with it the statement: a client that leaves leaves nothing running.
        let mut tasks = JoinSet::new();
        tasks.spawn(delivery.deliver(answer));
        let mut response = Response::new(messages(receiver, tasks, watch));
        let headers = response.metadata_mut();
        insert(headers, QUERY_ID, &query_id);
        insert(headers, SNAPSHOT_ID, &snapshot_id);
        Ok((response, gauge))
    }

    /// CancelFlightInfo and CancelQuery: stops the caller's own running statements of these tickets.
    pub(super) fn cancel(&self, caller: &Caller, info: &FlightInfo) -> Result<CancelStatus, Status> {
        let mut status = CancelStatus::NotCancellable;
        for ticket in info.endpoint.iter().filter_map(|endpoint| endpoint.ticket.as_ref()) {
            if let Some(sealed) = self.open_ticket(caller, ticket)?
                && self.drop_result(&sealed.id)
            {
                status = CancelStatus::Cancelled;
            }
        }
        // A result that is still polled for has no ticket yet.
        let polled = info.flight_descriptor.as_ref().and_then(|descriptor| super::command(descriptor).ok());
        if let Some(Command::TicketStatementQuery(handle)) = polled {
            let sealed = self.sealer.open(Kind::Poll, &caller.principal, &handle.statement_handle)?;
            if self.drop_result(&sealed.id) {
                status = CancelStatus::Cancelled;
            }
        }
        Ok(status)
    }

    /// The older form, whose information is nested as bytes.
    pub(super) fn cancel_query(
        &self,
        caller: &Caller,
        request: &ActionCancelQueryRequest,
    ) -> Result<CancelStatus, Status> {
        self.cancel(caller, &proto::decode(&request.info, "flight information")?)
    }

    /// RenewFlightEndpoint: the same ticket with a later expiry.
    pub(super) fn renew(&self, caller: &Caller, request: RenewFlightEndpointRequest) -> Result<FlightEndpoint, Status> {
        let ticket = request.endpoint.and_then(|endpoint| endpoint.ticket).unwrap_or_default();
        let sealed = self
            .open_ticket(caller, &ticket)?
            .ok_or_else(|| Error::new(Code::BadRequest, "This endpoint does not expire"))?;
        if sealed.fingerprint != caller.principal.fingerprint() {
            return Err(status::rights_changed());
        }
        if sealed.parts > 0 && !self.retained.extend(&sealed.id, self.sealer.expiry(Kind::Ticket)) {
            return Err(Kind::Ticket.expired());
        }
        self.endpoint(&caller.principal, sealed)
    }

    /// What a statement's ticket holds; none for the ticket of a metadata command.
    fn open_ticket(&self, caller: &Caller, ticket: &Ticket) -> Result<Option<Sealed>, Status> {
        let any = Any::decode(ticket.ticket.as_ref()).unwrap_or_default();
        match Command::try_from(any) {
            Ok(Command::TicketStatementQuery(ticket)) => {
                self.sealer.open(Kind::Ticket, &caller.principal, &ticket.statement_handle).map(Some)
            }
            Ok(Command::Unknown(_)) | Err(_) => self.sealer.open(Kind::Ticket, &caller.principal, &[]).map(Some),
            Ok(_) => Ok(None),
        }
    }
}

impl Plan {
    /// The wire schema.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The id under which it runs first.
    pub(super) fn query_id(&self) -> &str {
        self.prepared.query_id()
    }

    /// The snapshot that it reads.
    pub(super) fn snapshot_id(&self) -> i64 {
        self.prepared.snapshot_id()
    }

    /// The parameters a client may bind.
    pub(super) fn parameters(&self) -> SchemaRef {
        parameters::announced(&self.prepared.parameter_schema())
    }

    /// Parameters must be bound before a statement runs.
    fn check_bound(&self, ask: &Ask) -> Result<()> {
        let wanted = if ask.parameters.is_empty() { self.prepared.parameter_schema().fields().len() } else { 0 };
        if wanted == 0 {
            return Ok(());
        }
        Err(Error::new(Code::BadRequest, format!("The statement has {wanted} parameters, and none are bound")))
    }
}

/// A stream of messages, as DoGet answers.
pub(super) type Messages = Response<Parcels>;

/// Messages that are all there: the answer to a metadata call.
pub(super) fn at_once(batch: &RecordBatch) -> Result<Messages, Status> {
    let mut encoder = Encoder::new(batch.schema(), None);
    let mut messages = vec![encoder.head([])];
    messages.extend(encoder.push(batch)?);
    messages.extend(encoder.flush()?);
    Ok(Response::new(futures::stream::iter(messages.into_iter().map(Ok)).boxed()))
}

/// The receiving end. The delivery always ends with a status; when it does not, it has failed, and an end without an error
/// would pass for a complete result.
fn messages(receiver: mpsc::Receiver<Result<Parcel, Status>>, tasks: JoinSet<()>, watch: Watch) -> Parcels {
    futures::stream::unfold((receiver, tasks, watch), |(mut receiver, mut tasks, watch)| async move {
        let message = match receiver.recv().await {
            Some(message) => message,
            None => Err(match tasks.join_next().await {
                Some(Err(fault)) => Error::internal("The delivery of a result failed", fault).into(),
                _ => Error::new(Code::Deadline, "The stream was given up because its reader stood still").into(),
            }),
        };
        Some((message, (receiver, tasks, watch)))
    })
    .boxed()
}

/// Carries the rows of a statement to its reader.
struct Delivery {
    door: Door,
    principal: Principal,
    rest: VecDeque<Statement>,
    encoder: Encoder,
    sender: mpsc::Sender<Result<Parcel, Status>>,
    cancelled: CancellationToken,
    query_id: String,
}

/// Why a delivery ends early.
enum End {
    /// The reader is gone: nobody is there to tell.
    Gone,
    Failed(Status),
}

impl From<Status> for End {
    fn from(status: Status) -> Self {
        Self::Failed(status)
    }
}

impl Delivery {
    async fn deliver(mut self, first: Answer) {
        let cancelled = self.cancelled.clone();
        let end = tokio::select! {
            biased;
            () = cancelled.cancelled() => {
                let error = Error::new(Code::Cancelled, "The statement was cancelled");
                Err(End::Failed(status::of(&error, Some(&self.query_id))))
            }
            end = self.pass(first) => end,
        };
        let last = match end {
            Err(End::Gone) => return,
            Err(End::Failed(status)) => status,
            // Status OK as an error is tonic's only way to trailers.
            Ok(trailers) => Status::with_metadata(tonic::Code::Ok, "", trailers),
        };
        let _ = tokio::time::timeout(STALLED, self.sender.send(Err(last))).await;
    }

    /// Sends everything and gives the trailers.
    async fn pass(&mut self, first: Answer) -> Result<MetadataMap, End> {
        let rollup = used_rollups(&first.provenance);
        let cache = first.provenance["cache"].as_str().unwrap_or_default().to_owned();
        let snapshot = first.snapshot_id.to_string();
        let as_of = first.provenance.get("as_of").and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        let notes = [("snapshot", &snapshot), ("as_of", &as_of), ("query_id", &self.query_id)];
        let head = self.encoder.head(notes.map(|(key, value)| (format!("countinghouse.{key}"), value.clone())));
        self.send(vec![head]).await?;
        self.rows(first).await?;
        while let Some(statement) = self.rest.pop_front() {
            let run = async {
                let prepared = self.door.prepare(&self.principal, Face::Flight, statement).await?;
                self.door.run(prepared).await
            };
            let answer = run.await.map_err(|error| status::of(&error, Some(&self.query_id)))?;
            self.rows(answer).await?;
        }
        let messages = self.encoder.flush()?;
        self.send(messages).await?;
        let (rows, bytes) = self.encoder.totals();
        let mut trailers = MetadataMap::new();
        insert(&mut trailers, QUERY_ID, &self.query_id);
        insert(&mut trailers, SNAPSHOT_ID, &snapshot);
        insert(&mut trailers, "x-rows", &rows.to_string());
        insert(&mut trailers, "x-bytes", &bytes.to_string());
        insert(&mut trailers, "x-rollup", &rollup);
        insert(&mut trailers, "x-cache", &cache);
        Ok(trailers)
    }

    async fn rows(&mut self, mut answer: Answer) -> Result<(), End> {
        loop {
            let next = answer.rows.next();
            let batch = if self.encoder.is_empty() {
                next.await
            } else {
                match tokio::time::timeout(PATIENCE, next).await {
                    Ok(batch) => batch,
                    Err(_) => {
                        let messages = self.encoder.flush()?;
                        self.send(messages).await?;
                        continue;
                    }
                }
            };
            let Some(batch) = batch else { return Ok(()) };
            let batch = batch.map_err(|error| status::of(&error, Some(&answer.query_id)))?;
            let messages = self.encoder.push(&batch)?;
            self.send(messages).await?;
        }
    }

    async fn send(&self, messages: Vec<Parcel>) -> Result<(), End> {
        for message in messages {
            let sent = tokio::time::timeout(STALLED, self.sender.send(Ok(message))).await;
            if !matches!(sent, Ok(Ok(()))) {
                return Err(End::Gone);
            }
        }
        Ok(())
    }
}

fn used_rollups(provenance: &serde_json::Value) -> String {
    let used = provenance.pointer("/rollups/used").and_then(|used| used.as_array());
    used.into_iter().flatten().filter_map(|name| name.as_str()).collect::<Vec<_>>().join(",")
}

/// Adds a header; a value that is not one (none of ours is) is left out.
fn insert(headers: &mut MetadataMap, name: &'static str, value: &str) {
    if let (false, Ok(value)) = (value.is_empty(), value.parse()) {
        headers.insert(name, value);
    }
}

/// SHA-256 in hex.
fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An ISO date of days since 1970-01-01.
fn date(days: i32) -> String {
    let epoch = jiff::civil::date(1970, 1, 1);
    epoch.saturating_add(jiff::Span::new().days(days)).to_string()
}

/// Streams that run, by their ticket's id.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<HashMap<String, (CancellationToken, usize)>>);

/// A stream's place among the running ones.
#[derive(Debug)]
struct Watch {
    running: Arc<Running>,
    id: String,
    token: CancellationToken,
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, (CancellationToken, usize)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(running: &Arc<Self>, id: String) -> Watch {
        let mut all = running.lock();
        let (token, streams) = all.entry(id.clone()).or_default();
        *streams += 1;
        Watch { running: Arc::clone(running), id, token: token.clone() }
    }

    pub(super) fn cancel(&self, id: &str) -> bool {
        // The entry goes at once: a ticket redeemed again begins afresh.
        self.lock().remove(id).inspect(|(token, _)| token.cancel()).is_some()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.token.is_cancelled() {
            return;
        }
        let mut all = self.running.lock();
        if let Some((_, streams)) = all.get_mut(&self.id) {
            *streams -= 1;
            if *streams == 0 {
                all.remove(&self.id);
            }
        }
    }
}

/// The newest plans, by their ticket's id: what GetFlightInfo planned is not planned again by DoGet.
#[derive(Debug, Default)]
pub(super) struct Plans(Mutex<VecDeque<(String, Plan)>>);

impl Plans {
    fn lock(&self) -> MutexGuard<'_, VecDeque<(String, Plan)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, id: String, plan: Plan) {
        let mut plans = self.lock();
        if plans.len() >= RECENT_PLANS {
            plans.pop_front();
        }
        plans.push_back((id, plan));
    }

    fn get(&self, id: &str) -> Option<Plan> {
        self.lock().iter().rev().find(|(kept, _)| kept == id).map(|(_, plan)| plan.clone())
    }
}
