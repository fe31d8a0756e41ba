//! The Flight SQL face: the service and its dispatch.
//!
//! It converts between wire messages and the door, and holds no rights, limits or cube logic of its own. `FlightService` is
//! implemented directly, because the blanket implementation of `arrow_flight` leaves calls unanswered that clients make.

mod encode;
mod gather;
mod metadata;
mod parameters;
mod parcel;
mod prepared;
mod proto;
mod retained;
mod session;
mod sql_info;
mod statement;
mod status;
mod ticket;

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::flight_descriptor::DescriptorType;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::{
    ActionBeginTransactionResult, ActionCancelQueryResult, ActionCreatePreparedStatementRequest,
    ActionEndTransactionRequest, Any, Command, EndTransaction, ProstMessageExt,
};
use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, Criteria, Empty, FlightData, FlightDescriptor,
    FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaAsIpc, SchemaResult,
    Ticket,
};
use axum::serve::Listener;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use prost::Message;
use tokio::task::JoinSet;
use tonic::transport::server::{Connected, TcpConnectInfo};
use tonic::{Request, Response, Status, Streaming};

use self::gather::Gather;
use self::parcel::Direct;
use self::retained::Retained;
use self::session::{Caller, Sessions, Transactions};
use self::statement::{Ask, Plans, Running};
use self::ticket::{Kind, Sealed, Sealer};
use super::Services;
use crate::auth::Auth;
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::query::Door;

/// The one catalog.
const CATALOG: &str = "countinghouse";

/// What is spoken, as TLS names it.
pub const PROTOCOL: &str = "h2";

/// Largest message taken: clients send a batch of parameters in one.
const MAX_INBOUND: usize = 64 << 20;

#[cfg(feature = "failpoints")]
pub use ticket::fuzz_ticket;

/// What the service works with. Clones share it.
#[derive(Debug, Clone)]
struct Flight(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    auth: Auth,
    door: Door,
    clock: Clock,
    /// Whether clients speak TLS.
    encrypted: bool,
    /// Whether a proxy in front tells their addresses.
    behind_proxy: bool,
    /// The project's languages, the first the default; never empty.
    languages: Vec<String>,
    sealer: Sealer,
    sessions: Sessions,
    transactions: Transactions,
    running: Arc<Running>,
    plans: Plans,
    retained: Arc<Retained>,
    /// What fills them and forgets them again; it ends with the service.
    filling: Mutex<JoinSet<()>>,
}

impl std::ops::Deref for Flight {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The Flight SQL service over these services.
fn service(services: Services) -> Direct<FlightServiceServer<Flight>> {
    let mut languages = services.config.languages.clone();
    if languages.is_empty() {
        languages.push("en".to_owned());
    }
    let keys = services.auth.clone();
    let keys = move |day: i64| keys.derive_key(&format!("flight handles, day {day}"));
    let flight = Flight(Arc::new(Parts {
        retained: Arc::new(Retained::new(
            services.config.spill_folder(),
            services.config.query.retained_mib << 20,
            services.clock.clone(),
        )),
        filling: Mutex::default(),
        auth: services.auth,
        door: services.door,
        sealer: Sealer::new(keys, services.clock.clone()),
        clock: services.clock,
        encrypted: services.config.flight.is_encrypted(),
        behind_proxy: services.config.flight.behind_proxy,
        languages,
        sessions: Sessions::default(),
        transactions: Transactions::default(),
        running: Arc::default(),
        plans: Plans::default(),
    }));
    let server = FlightServiceServer::new(flight)
        .max_decoding_message_size(MAX_INBOUND)
        .max_encoding_message_size(encode::MAX_MESSAGE);
    Direct(server)
}

/// Serves Flight SQL on `listener` until `shutdown` is ready and the open calls have ended.
///
/// # Errors
/// When the transport fails.
pub async fn serve(
    services: Services,
    listener: impl Listener<Io: Connected<ConnectInfo = TcpConnectInfo>>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<()> {
    let incoming = stream::unfold(listener, |mut listener| async move {
        let (connection, _) = listener.accept().await;
        Some((Ok::<_, Infallible>(Gather::new(connection)), listener))
    });
    tonic::transport::Server::builder()
        .initial_stream_window_size(16 << 20)
        .initial_connection_window_size(64 << 20)
        .max_concurrent_streams(256)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .http2_max_header_list_size(64 << 10)
        // Tools with row limits reset many streams at once.
        .http2_max_pending_accept_reset_streams(Some(200))
        .add_service(service(services))
        .serve_with_incoming_shutdown(incoming, shutdown)
        .await
        .map_err(|fault| Error::internal("The Flight SQL listener failed", fault))
}

type Answers<T> = BoxStream<'static, Result<T, Status>>;

#[async_trait::async_trait]
impl FlightService for Flight {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoActionStream = Answers<arrow_flight::Result>;
    type ListActionsStream = Answers<ActionType>;
    type DoExchangeStream = Answers<FlightData>;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        self.handshake_call(request).await
    }

    async fn list_flights(&self, request: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        let caller = self.caller(&request).await?;
        Ok(caller.carry(Response::new(stream::empty().boxed())))
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        let caller = self.caller(&request).await?;
        let info = self.info(&caller, request.into_inner()).await?;
        Ok(caller.carry(Response::new(info)))
    }

    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        let caller = self.caller(&request).await?;
        let descriptor = request.into_inner();
        let command = command(&descriptor)?;
        if let Command::TicketStatementQuery(handle) = &command {
            let info = self.poll_again(&caller, &handle.statement_handle).await?;
            return Ok(caller.carry(Response::new(info)));
        }
        if let Some(ask) = self.ask_of(&caller, &command)? {
            let info = self.poll_first(&caller, &ask).await?;
            return Ok(caller.carry(Response::new(info)));
        }
        // Metadata are read when they are fetched: nothing is left to poll for.
        let info = self.info(&caller, descriptor).await?;
        Ok(caller.carry(Response::new(PollInfo {
            info: Some(info),
            flight_descriptor: None,
            progress: Some(1.0),
            expiration_time: None,
        })))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        let caller = self.caller(&request).await?;
        let command = command(&request.into_inner())?;
        let schema = match self.ask_of(&caller, &command)? {
            Some(ask) => SchemaRef::clone(self.plan(&caller, &ask).await?.schema()),
            None => metadata::schema(&command).ok_or_else(|| not_a_query(&command))?,
        };
        let result = SchemaAsIpc::new(&schema, &IpcWriteOptions::default()).try_into();
        let schema = result.map_err(|fault| Error::internal("Cannot encode a schema", fault))?;
        Ok(caller.carry(Response::new(schema)))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let caller = self.caller(&request).await?;
        let command = Any::decode(request.into_inner().ticket).ok().and_then(|any| Command::try_from(any).ok());
        let messages = match command {
            Some(Command::TicketStatementQuery(ticket)) => self.redeem(&caller, &ticket.statement_handle).await?,
            // Not a ticket of ours reads like a forged one.
            None | Some(Command::Unknown(_)) => self.redeem(&caller, &[]).await?,
            Some(command) => {
                if let Some(ask) = self.ask_of(&caller, &command)? {
                    self.run_ask(&caller, &ask).await?
                } else {
                    let batch = self.metadata(&caller, &command).await?.ok_or_else(|| not_a_query(&command))?;
                    statement::at_once(&batch)?
                }
            }
        };
        Ok(parcel::carried(caller.carry(messages)))
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        let caller = self.caller(&request).await?;
        let mut messages = request.into_inner();
        let first = messages.message().await?.unwrap_or_default();
        let command = command(&first.flight_descriptor.clone().unwrap_or_default())?;
        let Command::CommandPreparedStatementQuery(prepared) = command else { return Err(not_a_query(&command)) };
        let messages = stream::once(async { Ok(first) }).chain(messages);
        let result = self.bind(&caller, &prepared.prepared_statement_handle, messages).await?;
        Ok(caller.carry(Response::new(stream::once(async { Ok(result) }).boxed())))
    }

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        self.caller(&request).await?;
        Err(status::unimplemented("DoExchange has no use here: send a statement with GetFlightInfo and DoGet"))
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let caller = self.caller(&request).await?;
        let Action { r#type, body } = request.into_inner();
        let body = self.act(&caller, &r#type, &body).await?;
        let results = body.map(|body| Ok(arrow_flight::Result { body: body.into() }));
        Ok(caller.carry(Response::new(stream::iter(results).boxed())))
    }

    async fn list_actions(&self, request: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        let caller = self.caller(&request).await?;
        let actions = ACTIONS.iter().map(|(name, description)| {
            Ok(ActionType { r#type: (*name).to_owned(), description: (*description).to_owned() })
        });
        Ok(caller.carry(Response::new(stream::iter(actions).boxed())))
    }
}

/// All actions, with what they take and give.
const ACTIONS: &[(&str, &str)] = &[
    ("BeginSavepoint", "Not supported: read transactions have no savepoints"),
    ("BeginTransaction", "Begin a read transaction: its statements see one snapshot. ActionBeginTransactionResult"),
    ("CancelFlightInfo", "Cancel a running statement. CancelFlightInfoRequest, CancelFlightInfoResult"),
    ("CancelQuery", "Cancel a running statement, older form. ActionCancelQueryRequest, ActionCancelQueryResult"),
    ("ClosePreparedStatement", "Close a prepared statement. ActionClosePreparedStatementRequest"),
    ("CloseSession", "Drop the session's options and transactions. CloseSessionRequest, CloseSessionResult"),
    (
        "CreatePreparedStatement",
        "Prepare a query. ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult",
    ),
    ("CreatePreparedSubstraitPlan", "Not supported: statements are SQL"),
    ("EndSavepoint", "Not supported: read transactions have no savepoints"),
    ("EndTransaction", "End a read transaction. ActionEndTransactionRequest"),
    ("GetSessionOptions", "The session's options. GetSessionOptionsRequest, GetSessionOptionsResult"),
    ("RenewFlightEndpoint", "A later expiry for an endpoint. RenewFlightEndpointRequest, FlightEndpoint"),
    ("SetSessionOptions", "Set options of the session. SetSessionOptionsRequest, SetSessionOptionsResult"),
];

impl Flight {
    /// Does an action; gives the body of its one result, if it has one. The bodies of the actions of Flight itself are bare
    /// messages, those of Flight SQL are wrapped in `Any`.
    async fn act(&self, caller: &Caller, name: &str, body: &[u8]) -> Result<std::option::IntoIter<Vec<u8>>, Status> {
        let result = match name {
            "CreatePreparedStatement" => {
                let request: ActionCreatePreparedStatementRequest = proto::unpack(body)?;
                Some(self.create_prepared(caller, &request).await?.packed().encode_to_vec())
            }
            // A handle holds everything, so there is nothing to close, and closing twice is as good as once.
            "ClosePreparedStatement" => None,
            "BeginTransaction" => {
                let id = self.transactions.begin(caller, self.clock.now())?;
                let sealed = Sealed { id, ..Sealed::default() };
                let transaction_id = self.sealer.seal(Kind::Transaction, &caller.principal, sealed)?;
                Some(ActionBeginTransactionResult { transaction_id }.as_any().encode_to_vec())
            }
            "EndTransaction" => {
                self.end_transaction(caller, &proto::unpack(body)?)?;
                None
            }
            "CancelFlightInfo" => {
                let request: CancelFlightInfoRequest = proto::decode(body, "action's body")?;
                let status = self.cancel(caller, &request.info.unwrap_or_default())?;
                Some(CancelFlightInfoResult::new(status).encode_to_vec())
            }
            "CancelQuery" => {
                // The two enumerations have the same numbers.
                let result = self.cancel_query(caller, &proto::unpack(body)?)?.into();
                Some(ActionCancelQueryResult { result }.as_any().encode_to_vec())
            }
            "RenewFlightEndpoint" => Some(self.renew(caller, proto::decode(body, "action's body")?)?.encode_to_vec()),
            "SetSessionOptions" => {
                let request = proto::decode(body, "action's body")?;
                Some(self.set_session_options(caller, request).await.encode_to_vec())
            }
            "GetSessionOptions" => Some(self.get_session_options(caller).encode_to_vec()),
            "CloseSession" => Some(self.close_session(caller).encode_to_vec()),
            "CreatePreparedSubstraitPlan" => return Err(no_substrait()),
            "BeginSavepoint" | "EndSavepoint" => {
                return Err(status::unimplemented("Read transactions have no savepoints"));
            }
            _ => return Err(status::unimplemented(&format!("There is no action `{name}`; ListActions names them"))),
        };
        Ok(result.into_iter())
    }

    fn end_transaction(&self, caller: &Caller, request: &ActionEndTransactionRequest) -> Result<(), Status> {
        if request.action() == EndTransaction::Unspecified {
            return Err(Error::new(Code::BadRequest, "Say whether the transaction is committed or rolled back").into());
        }
        match self.sealer.open(Kind::Transaction, &caller.principal, &request.transaction_id) {
            Ok(sealed) => {
                self.transactions.end(&sealed.id);
                Ok(())
            }
            // One that has expired has ended.
            Err(status) if status.code() == tonic::Code::FailedPrecondition => Ok(()),
            Err(status) => Err(status),
        }
    }

    /// What a command asks to run; none when it is not a statement.
    fn ask_of(&self, caller: &Caller, command: &Command) -> Result<Option<Ask>, Status> {
        match command {
            Command::CommandStatementQuery(query) => {
                self.ask(caller, &query.query, query.transaction_id.as_ref()).map(Some)
            }
            Command::CommandPreparedStatementQuery(prepared) => {
                self.ask_prepared(caller, &prepared.prepared_statement_handle).map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn info(&self, caller: &Caller, descriptor: FlightDescriptor) -> Result<FlightInfo, Status> {
        let command = command(&descriptor)?;
        if let Some(ask) = self.ask_of(caller, &command)? {
            return self.statement_info(caller, &ask, descriptor).await;
        }
        let schema: Arc<Schema> = metadata::schema(&command).ok_or_else(|| not_a_query(&command))?;
        // The command is its own ticket: metadata are read when they are fetched, with the rights of that moment.
        let ticket = Ticket::new(descriptor.cmd.clone());
        let info = FlightInfo::new()
            .try_with_schema(&schema)
            .map_err(|fault| Error::internal("Cannot encode a schema", fault))?
            .with_endpoint(FlightEndpoint::new().with_ticket(ticket))
            .with_descriptor(descriptor);
        Ok(info)
    }
}

fn command(descriptor: &FlightDescriptor) -> Result<Command> {
    if descriptor.r#type() == DescriptorType::Path {
        return Err(Error::new(Code::BadRequest, "Paths name nothing here: send a Flight SQL command"));
    }
    let any: Any = proto::decode(&descriptor.cmd, "descriptor's command")?;
    Command::try_from(any).map_err(|fault| {
        Error::new(Code::BadRequest, "The descriptor's command is not a message of Flight SQL").caused_by(fault)
    })
}

/// Why a command gives no rows.
fn not_a_query(command: &Command) -> Status {
    match command {
        Command::CommandStatementUpdate(_) | Command::CommandPreparedStatementUpdate(_) => {
            Error::new(Code::ReadOnly, "This server reads only: send a query, and load data with `countinghouse load`")
                .into()
        }
        Command::CommandStatementIngest(_) => status::unimplemented(
            "Data enters through feeds: see `countinghouse load` and the action's ingest documentation",
        ),
        Command::CommandStatementSubstraitPlan(_) => no_substrait(),
        other => {
            let name = other.type_url().rsplit('.').next().unwrap_or_default();
            Error::new(Code::BadRequest, format!("The command `{name}` cannot be used in this call")).into()
        }
    }
}

fn no_substrait() -> Status {
    status::unimplemented("Substrait plans are not taken: send the statement as SQL")
}
