//! Who calls, with which options, in which read transaction.
//!
//! A session hangs on its token: options and transactions are kept by the token's hash. They live in memory and go with it;
//! the token is the catalog's and outlives them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use arrow::ipc::CompressionType;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Response, Status};

use arrow_flight::{HandshakeRequest, HandshakeResponse};

use super::proto::{
    CloseSessionResult, CloseSessionStatus, GetSessionOptionsResult, SessionOptionError, SessionOptionErrorValue,
    SessionOptionValue, SetSessionOptionsRequest, SetSessionOptionsResult,
};
use super::ticket::Sealed;
use super::{CATALOG, Flight, status};
use crate::auth::{Entry, Peer, Principal};
use crate::error::{Code, Error, Result};
use crate::query::{Face, History, Previews, ResultCache, Rollups, Workload};
use crate::server::Services;

/// What an expired transaction says; its statements fail, its end does not.
pub(super) const TRANSACTION_EXPIRED: &str =
    "This read transaction has expired; call commit() or connect with autocommit";

/// The one text for everything that is not a good login.
const NO_LOGIN: &str = "Log in with a user and password, or send a valid token";

/// Options and transactions are dropped after this time without a call.
const IDLE: SignedDuration = SignedDuration::from_mins(30);

/// A transaction ends after this time, idle or not.
const TRANSACTION_TOTAL: SignedDuration = SignedDuration::from_hours(4);

/// Read transactions that one principal may hold.
const MAX_TRANSACTIONS: usize = 64;

/// Sessions with options that are kept; the longest unused goes first.
const MAX_SESSIONS: usize = 10_000;

/// Sessions that one token may tell apart by cookies.
const MAX_COOKIES: usize = 64;

/// Request headers that begin so set a session option for the call.
const OPTION_HEADER: &str = "countinghouse-";

/// Clients differ about padding, and some leave bits behind the last character.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// SHA-256 of a token: names its session.
pub(super) type SessionKey = [u8; 32];

/// A call's principal, with the rights of this moment, and its session's options.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub principal: Principal,
    pub session: SessionKey,
    pub options: Options,
    pub token: Token,
    /// Names the token alone, whatever cookie came with it.
    owner: SessionKey,
    /// The session that follows this one, which is in the last third of its life.
    successor: Option<Successor>,
}

/// A session that follows another.
#[derive(Debug, Clone)]
struct Successor {
    token: Token,
    session: SessionKey,
    owner: SessionKey,
}

impl Caller {
    /// The answer to a call, with the token of the session that follows, where one does.
    pub(super) fn carry<T>(&self, mut response: Response<T>) -> Response<T> {
        if let Some(bearer) = self.successor.as_ref().and_then(|next| format!("Bearer {}", next.token.0).parse().ok()) {
            response.metadata_mut().insert("authorization", bearer);
        }
        response
    }
}

/// The token of a call. It is never shown.
#[derive(Clone)]
pub(super) struct Token(String);

impl Token {
    /// A session token of one login, not an API token that many connections share.
    fn is_own_session(&self) -> bool {
        self.0.starts_with("cts_")
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

/// What `authorization` holds.
enum Credentials {
    Basic { user: String, password: String },
    Bearer(String),
}

fn credentials(headers: &MetadataMap) -> Option<Credentials> {
    let header = headers.get("authorization")?.to_str().ok()?;
    let (scheme, value) = header.trim().split_once(' ')?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials::Bearer(value.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(value).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Credentials::Basic { user: user.to_owned(), password: password.to_owned() })
}

fn no_login() -> Error {
    Error::new(Code::Token, NO_LOGIN)
}

/// Every refused login reads the same; what is not about the login (a busy server) stays what it is.
fn one_text(error: Error) -> Error {
    if error.code() == Code::Token { no_login().caused_by(error) } else { error }
}

impl Flight {
    /// Where a call comes from; behind a proxy as the proxy's own word, the last in the header, says.
    fn peer<T>(&self, request: &Request<T>) -> Peer {
        let forwarded = || {
            let headers = request.metadata().get_all("x-forwarded-for");
            Services::forwarded(headers.iter().filter_map(|value| value.to_str().ok()))
        };
        let address = match self.behind_proxy {
            true => forwarded(),
            false => request.remote_addr().map(|address| address.ip()),
        };
        Peer::new(Entry::Flight, address)
    }

    /// Report readers have a login but no SQL.
    fn admit(&self, principal: &Principal) -> Result<()> {
        match self.door.may_query(principal) {
            true => self.door.may_export(principal, Face::Flight, "flight"),
            false => Err(Error::new(
                Code::Denied,
                "Your login reads reports only; ask an administrator for a role that allows SQL",
            )),
        }
    }

    /// Who calls. Rights are read anew on every call.
    pub(super) async fn caller<T>(&self, request: &Request<T>) -> Result<Caller> {
        let Some(Credentials::Bearer(token)) = credentials(request.metadata()) else { return Err(no_login()) };
        let principal = self.auth.login_token(&token, self.peer(request)).await.map_err(one_text)?;
        self.admit(&principal)?;
        let session = key(&token, cookie(request.metadata()));
        let mut options = self.sessions.options(&session, self.clock.now());
        for entry in request.metadata().iter() {
            let tonic::metadata::KeyAndValueRef::Ascii(name, value) = entry else { continue };
            // Other headers are the client's own business: JDBC forwards every property of its URL.
            let Some(name) = name.as_str().strip_prefix(OPTION_HEADER) else { continue };
            if let Ok(value) = value.to_str() {
                let value = SessionOptionValue::text(value);
                if let Err(SessionOptionErrorValue::InvalidValue) =
                    self.set(&principal, &mut options, name, &value).await
                {
                    return Err(Error::new(
                        Code::BadRequest,
                        format!("The header `{OPTION_HEADER}{name}` has a value that this option does not take"),
                    ));
                }
            }
        }
        let successor = match principal.via.renewable {
            true => self.succeed(&principal, &token, &session, request.metadata()).await,
            false => None,
        };
        let owner = key(&token, None);
        Ok(Caller { principal, session, owner, options, token: Token(token), successor })
    }

    /// The session that follows this one, which begins with the same options. Where none can be had the call goes on without.
    async fn succeed(
        &self,
        principal: &Principal,
        token: &str,
        session: &SessionKey,
        headers: &MetadataMap,
    ) -> Option<Successor> {
        let (next, is_new) = match self.auth.successor(principal, token).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(?error, "a session could not be renewed");
                return None;
            }
        };
        let successor = Successor { session: key(&next, cookie(headers)), owner: key(&next, None), token: Token(next) };
        if is_new {
            let now = self.clock.now();
            self.sessions.keep(successor.session, successor.owner, self.sessions.options(session, now), now);
        }
        Some(successor)
    }

    /// Basic or Bearer in, a session token out: as a response header and again as a trailer, where some clients look.
    pub(super) async fn handshake_call(
        &self,
        request: Request<tonic::Streaming<HandshakeRequest>>,
    ) -> Result<Response<BoxStream<'static, Result<HandshakeResponse, Status>>>, Status> {
        let is_private =
            self.encrypted || request.remote_addr().is_none_or(|address| address.ip().to_canonical().is_loopback());
        let peer = self.peer(&request);
        let principal = match credentials(request.metadata()) {
            Some(Credentials::Basic { .. }) if !is_private => {
                return Err(Error::new(Code::Token, "Passwords are not taken over a plain connection: use TLS").into());
            }
            Some(Credentials::Basic { user, password }) => self.auth.login_password(&user, &password, peer).await,
            Some(Credentials::Bearer(token)) => self.auth.login_token(&token, peer).await,
            None => Err(no_login()),
        }
        .map_err(one_text)?;
        self.admit(&principal)?;
        let token = self.auth.open_session(&principal).await?;
        let bearer: MetadataValue<_> = format!("Bearer {token}")
            .parse()
            .map_err(|fault| Error::internal("A session token is not a header value", fault))?;
        let mut trailers = MetadataMap::new();
        trailers.insert("authorization", bearer.clone());
        // The client's messages carry nothing that we read; some send one, some none. They are drained so that the stream
        // ends in order, but a client that never ends its side does not hold the answer back. The stream ends with status
        // OK given as an error: that is tonic's only way to trailers.
        let mut messages = request.into_inner();
        let end = async move {
            let drain = async { while let Some(Ok(_)) = messages.next().await {} };
            let _ = tokio::time::timeout(std::time::Duration::from_millis(500), drain).await;
            Err(Status::with_metadata(tonic::Code::Ok, "", trailers))
        };
        let mut response: Response<BoxStream<'static, _>> = Response::new(futures::stream::once(end).boxed());
        response.metadata_mut().insert("authorization", bearer);
        if let Ok(cookie) = format!("{COOKIE}={}", status::fresh_id()).parse() {
            response.metadata_mut().insert("set-cookie", cookie);
        }
        Ok(response)
    }

    /// Action `SetSessionOptions`: unknown or bad options are named in the answer, the others hold.
    pub(super) async fn set_session_options(
        &self,
        caller: &Caller,
        request: SetSessionOptionsRequest,
    ) -> SetSessionOptionsResult {
        let mut options = self.sessions.options(&caller.session, self.clock.now());
        let mut result = SetSessionOptionsResult::default();
        for (name, value) in request.session_options {
            if let Err(reason) = self.set(&caller.principal, &mut options, &name, &value).await {
                result.errors.insert(name, SessionOptionError { value: reason.into() });
            }
        }
        let now = self.clock.now();
        if let Some(next) = &caller.successor {
            self.sessions.keep(next.session, next.owner, options.clone(), now);
        }
        self.sessions.keep(caller.session, caller.owner, options, now);
        result
    }

    /// Action `GetSessionOptions`.
    pub(super) fn get_session_options(&self, caller: &Caller) -> GetSessionOptionsResult {
        let options = &caller.options;
        let schema = options.schema.clone().unwrap_or_else(|| self.door.default_schema(&caller.principal));
        let snapshot = options.snapshot.map_or_else(|| "latest".to_owned(), |id| id.to_string());
        let language = options.language.clone().unwrap_or_else(|| self.languages[0].clone());
        let all = [
            ("catalog", CATALOG.to_owned()),
            ("schema", schema),
            ("snapshot", snapshot),
            ("lang", language),
            ("rollups", options.rollups.to_string()),
            ("cache", options.cache.as_str().to_owned()),
            ("history", options.history.map_or_else(|| "default".to_owned(), |history| history.to_string())),
            ("mode", if options.previews == Previews::Few { "bi" } else { "strict" }.to_owned()),
            ("endpoints", options.endpoints.unwrap_or(1).to_string()),
            ("compression", compression_name(options.compression).to_owned()),
            ("dictionaries", options.dictionaries.to_string()),
            ("workload", if options.workload == Workload::Batch { "batch" } else { "interactive" }.to_owned()),
        ];
        GetSessionOptionsResult {
            session_options: all
                .into_iter()
                .map(|(name, value)| (name.to_owned(), SessionOptionValue::text(value)))
                .collect(),
        }
    }

    /// Action `CloseSession`: drops options and transactions, never the token. The transactions of an API token stay:
    /// other connections may use it, and they expire by themselves.
    pub(super) fn close_session(&self, caller: &Caller) -> CloseSessionResult {
        self.sessions.drop_session(&caller.session);
        if let Some(next) = &caller.successor {
            self.sessions.drop_session(&next.session);
        }
        if caller.token.is_own_session() {
            self.transactions.drop_session(&caller.session);
        }
        CloseSessionResult { status: CloseSessionStatus::Closed.into() }
    }

    /// Sets one option. An option without a value goes back to its default.
    async fn set(
        &self,
        principal: &Principal,
        options: &mut Options,
        name: &str,
        value: &SessionOptionValue,
    ) -> Result<(), SessionOptionErrorValue> {
        let text = value.as_text();
        let bad = Err(SessionOptionErrorValue::InvalidValue);
        match name {
            "catalog" => match text.as_deref() {
                None | Some("" | CATALOG) => {}
                Some(_) => return bad,
            },
            "schema" => match text {
                None => options.schema = None,
                Some(schema) => {
                    // A schema that this principal may not see does not exist.
                    let tables = self.door.tables(principal).await.map_err(|_| SessionOptionErrorValue::Error)?;
                    if !tables.iter().any(|table| table.schema == schema) {
                        return bad;
                    }
                    options.schema = Some(schema);
                }
            },
            "snapshot" => match text.as_deref() {
                None | Some("latest") => options.snapshot = None,
                Some(number) => match number.parse() {
                    Ok(number) => options.snapshot = Some(number),
                    Err(_) => return bad,
                },
            },
            "rollups" => match text.as_deref() {
                None => options.rollups = Rollups::On,
                Some(word @ ("on" | "off")) => options.rollups = word.into(),
                Some(_) => return bad,
            },
            "cache" => match text.as_deref() {
                None | Some("on") => options.cache = ResultCache::On,
                Some("off") => options.cache = ResultCache::Off,
                Some(_) => return bad,
            },
            "history" => match text.as_deref() {
                None | Some("default") => options.history = None,
                Some(text) => match text.parse() {
                    Ok(history) => options.history = Some(history),
                    Err(_) => return bad,
                },
            },
            "mode" => match text.as_deref() {
                None | Some("bi") => options.previews = Previews::Few,
                Some("strict") => options.previews = Previews::Refused,
                Some(_) => return bad,
            },
            "endpoints" => match text.map(|text| text.parse::<u8>()) {
                None => options.endpoints = None,
                Some(Ok(number @ 1..=8)) => options.endpoints = Some(number),
                Some(_) => return bad,
            },
            "compression" => match text.as_deref() {
                None | Some("none") => options.compression = None,
                Some("lz4") => options.compression = Some(CompressionType::LZ4_FRAME),
                Some("zstd") => options.compression = Some(CompressionType::ZSTD),
                Some(_) => return bad,
            },
            "lang" => match text {
                None => options.language = None,
                Some(language) if self.languages.contains(&language) => options.language = Some(language),
                Some(_) => return bad,
            },
            "dictionaries" => match text.as_deref() {
                None | Some("false") => options.dictionaries = false,
                Some("true") => options.dictionaries = true,
                Some(_) => return bad,
            },
            "workload" => match text.as_deref() {
                None | Some("interactive") => options.workload = Workload::Interactive,
                Some("batch") => options.workload = Workload::Batch,
                Some(_) => return bad,
            },
            _ => return Err(SessionOptionErrorValue::InvalidName),
        }
        Ok(())
    }
}

/// A session's options; none is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// Default schema of its statements.
    pub schema: Option<String>,
    /// A kept snapshot instead of the newest.
    pub snapshot: Option<i64>,
    /// Language of remarks.
    pub language: Option<String>,
    /// Which rollups may answer.
    pub rollups: Rollups,
    /// Whether a kept result may answer.
    pub cache: ResultCache,
    /// Which versions of members stand; each cube's default unless given.
    pub history: Option<History>,
    /// Whether rows of a cube without an aggregate may be previewed.
    pub previews: Previews,
    /// Tickets through which a result without an order is read, 1 to 8; 1 unless given.
    pub endpoints: Option<u8>,
    /// How buffers are compressed on the wire; old clients read no compressed ones.
    pub compression: Option<CompressionType>,
    /// Texts leave as dictionaries.
    pub dictionaries: bool,
    /// How long its statements may take, and how long they wait.
    pub workload: Workload,
}

/// A ticket holds what this server wrote.
fn unreadable(text: String) -> Error {
    Error::new(Code::Internal, text)
}

impl Sealed {
    /// The options that a ticket was planned under; what does not decide the answer is the caller's.
    pub(super) fn options(&self, caller: &Options) -> Result<Options> {
        Ok(Options {
            history: self.history.as_deref().map(str::parse).transpose().map_err(unreadable)?,
            rollups: self.rollups.as_str().into(),
            previews: if self.strict { Previews::Refused } else { Previews::Few },
            dictionaries: self.dictionaries,
            ..caller.clone()
        })
    }
}

fn compression_name(compression: Option<CompressionType>) -> &'static str {
    match compression {
        Some(CompressionType::LZ4_FRAME) => "lz4",
        Some(CompressionType::ZSTD) => "zstd",
        _ => "none",
    }
}

/// Names the session: the token, and the cookie where the client keeps one, so that clients which share a token are told apart.
fn key(token: &str, cookie: Option<&str>) -> SessionKey {
    Sha256::new().chain_update(token).chain_update([0]).chain_update(cookie.unwrap_or_default()).finalize().into()
}

/// The session's cookie, by the name that clients of Flight know.
const COOKIE: &str = "arrow_flight_session_id";

fn cookie(headers: &MetadataMap) -> Option<&str> {
    let cookies = headers.get_all("cookie").iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// Options by session.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<SessionKey, Kept>>);

/// The options of a session, whose token it hangs on, and when it was used last.
#[derive(Debug)]
struct Kept {
    options: Options,
    owner: SessionKey,
    used: Timestamp,
}

impl Sessions {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SessionKey, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session's options; the call counts as use.
    fn options(&self, session: &SessionKey, now: Timestamp) -> Options {
        let mut sessions = self.lock();
        match sessions.get_mut(session) {
            Some(kept) if now.duration_since(kept.used) < IDLE => {
                kept.used = now;
                kept.options.clone()
            }
            _ => Options::default(),
        }
    }

    /// Keeps them. A token that brings ever new cookies displaces its own sessions, not those of others.
    fn keep(&self, session: SessionKey, owner: SessionKey, options: Options, now: Timestamp) {
        let mut sessions = self.lock();
        sessions.retain(|_, kept| now.duration_since(kept.used) < IDLE);
        if !sessions.contains_key(&session) {
            let own = |kept: &Kept| kept.owner == owner;
            let full = sessions.len() >= MAX_SESSIONS;
            let crowded = sessions.values().filter(|kept| own(kept)).count() >= MAX_COOKIES;
            let leaving = sessions.iter().filter(|(_, kept)| if crowded { own(kept) } else { full });
            let oldest = leaving.min_by_key(|(_, kept)| kept.used).map(|(key, _)| *key);
            oldest.and_then(|key| sessions.remove(&key));
        }
        sessions.insert(session, Kept { options, owner, used: now });
    }

    fn drop_session(&self, session: &SessionKey) {
        self.lock().remove(session);
    }
}

/// A read transaction.
#[derive(Debug, Clone)]
struct Transaction {
    principal: String,
    session: SessionKey,
    /// Pinned by the first statement.
    snapshot: Option<i64>,
    began: Timestamp,
    used: Timestamp,
}

impl Transaction {
    fn alive(&self, now: Timestamp) -> bool {
        now.duration_since(self.used) < IDLE && now.duration_since(self.began) < TRANSACTION_TOTAL
    }
}

/// The open read transactions by name.
#[derive(Debug, Default)]
pub(super) struct Transactions(Mutex<HashMap<String, Transaction>>);

impl Transactions {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Transaction>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one and gives its name.
    pub(super) fn begin(&self, caller: &Caller, now: Timestamp) -> Result<String> {
        let mut open = self.lock();
        open.retain(|_, transaction| transaction.alive(now));
        let principal = &caller.principal.name;
        if open.values().filter(|transaction| transaction.principal == *principal).count() >= MAX_TRANSACTIONS {
            return Err(Error::new(
                Code::Limit,
                format!("You have {MAX_TRANSACTIONS} read transactions open; end one, or connect with autocommit"),
            ));
        }
        let name = status::fresh_id();
        let (principal, session) = (principal.clone(), caller.session);
        open.insert(name.clone(), Transaction { principal, session, snapshot: None, began: now, used: now });
        Ok(name)
    }

    /// The snapshot it is pinned to, if a statement has done that.
    pub(super) fn snapshot(&self, name: &str, now: Timestamp) -> Result<Option<i64>, Status> {
        match self.lock().get_mut(name) {
            Some(transaction) if transaction.alive(now) => {
                transaction.used = now;
                Ok(transaction.snapshot)
            }
            _ => Err(status::expired(TRANSACTION_EXPIRED)),
        }
    }

    /// Pins it to `snapshot` unless an earlier statement has pinned it; gives the snapshot that holds.
    pub(super) fn pin(&self, name: &str, snapshot: i64) -> Result<i64, Status> {
        let mut open = self.lock();
        let transaction = open.get_mut(name).ok_or_else(|| status::expired(TRANSACTION_EXPIRED))?;
        Ok(*transaction.snapshot.get_or_insert(snapshot))
    }

    /// Ends it. One that has expired is ended already, which is what the caller wants.
    pub(super) fn end(&self, name: &str) {
        self.lock().remove(name);
    }

    fn drop_session(&self, session: &SessionKey) {
        self.lock().retain(|_, transaction| transaction.session != *session);
    }
}

#[cfg(test)]
mod tests;
