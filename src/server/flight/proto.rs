//! Messages that `arrow_flight` does not have, by the tags of the published `Flight.proto`, `FlightSql.proto` and
//! `google/rpc/*.proto`.

use std::collections::HashMap;

use arrow_flight::sql::{Any, ProstMessageExt};
use bytes::Bytes;
use prost::Message;

use crate::error::{Code, Error, Result};

/// Request of the action `SetSessionOptions`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SetSessionOptionsRequest {
    #[prost(map = "string, message", tag = "1")]
    pub session_options: HashMap<String, SessionOptionValue>,
}

/// Answer of the action `SetSessionOptions`: the options that were not applied.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SetSessionOptionsResult {
    #[prost(map = "string, message", tag = "1")]
    pub errors: HashMap<String, SessionOptionError>,
}

/// Why an option was not applied.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SessionOptionError {
    #[prost(enumeration = "SessionOptionErrorValue", tag = "1")]
    pub value: i32,
}

/// The reasons the protocol knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum SessionOptionErrorValue {
    Unspecified = 0,
    InvalidName = 1,
    InvalidValue = 2,
    Error = 3,
}

/// Answer of the action `GetSessionOptions`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct GetSessionOptionsResult {
    #[prost(map = "string, message", tag = "1")]
    pub session_options: HashMap<String, SessionOptionValue>,
}

/// Answer of the action `CloseSession`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CloseSessionResult {
    #[prost(enumeration = "CloseSessionStatus", tag = "1")]
    pub status: i32,
}

/// How far a session is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum CloseSessionStatus {
    Unspecified = 0,
    Closed = 1,
    Closing = 2,
    NotCloseable = 3,
}

/// The value of a session option; no value asks for the default.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SessionOptionValue {
    #[prost(oneof = "OptionValue", tags = "1, 2, 3, 4, 5")]
    pub value: Option<OptionValue>,
}

/// The types an option's value may have.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum OptionValue {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(sfixed64, tag = "3")]
    Integer(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Texts(Texts),
}

/// A list of strings.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Texts {
    #[prost(string, repeated, tag = "1")]
    pub values: Vec<String>,
}

impl SessionOptionValue {
    /// A string.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { value: Some(OptionValue::Text(text.into())) }
    }

    /// The value as the text a person would write: clients send numbers and truth values in either form.
    pub(super) fn as_text(&self) -> Option<String> {
        match self.value.as_ref()? {
            OptionValue::Text(text) => Some(text.clone()),
            OptionValue::Bool(value) => Some(value.to_string()),
            OptionValue::Integer(value) => Some(value.to_string()),
            OptionValue::Double(value) => Some(value.to_string()),
            OptionValue::Texts(texts) => Some(texts.values.join(",")),
        }
    }
}

/// `ActionCreatePreparedStatementResult` with `is_update`, which `arrow_flight` lacks and JDBC decides by.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CreatePreparedStatementResult {
    #[prost(bytes = "bytes", tag = "1")]
    pub prepared_statement_handle: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub dataset_schema: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub parameter_schema: Bytes,
    #[prost(bool, optional, tag = "4")]
    pub is_update: Option<bool>,
}

impl CreatePreparedStatementResult {
    /// Packed as the protocol's own message.
    pub(super) fn packed(&self) -> Any {
        Any {
            type_url: arrow_flight::sql::ActionCreatePreparedStatementResult::type_url().to_owned(),
            value: self.encode_to_vec().into(),
        }
    }
}

/// `google.rpc.Status`, the content of `grpc-status-details-bin`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// `google.rpc.ErrorInfo`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ErrorInfo {
    #[prost(string, tag = "1")]
    pub reason: String,
    #[prost(string, tag = "2")]
    pub domain: String,
    #[prost(map = "string, string", tag = "3")]
    pub metadata: HashMap<String, String>,
}

impl ErrorInfo {
    /// Packed as a detail of a status.
    pub(super) fn packed(&self) -> Any {
        Any { type_url: "type.googleapis.com/google.rpc.ErrorInfo".to_owned(), value: self.encode_to_vec().into() }
    }
}

/// Decodes a message; what cannot be decoded is the caller's fault.
pub(super) fn decode<M: Message + Default>(bytes: &[u8], what: &str) -> Result<M> {
    M::decode(bytes).map_err(|fault| {
        Error::new(Code::BadRequest, format!("The {what} is not a message of the Flight SQL protocol")).caused_by(fault)
    })
}

/// Decodes the body of a Flight SQL action, which is wrapped in `Any`.
pub(super) fn unpack<M: ProstMessageExt>(body: &[u8]) -> Result<M> {
    let any: Any = decode(body, "action's body")?;
    any.unpack::<M>().ok().flatten().ok_or_else(|| {
        Error::new(Code::BadRequest, format!("The action's body is a `{}`, not what the action takes", any.type_url))
    })
}
/// Bodies of actions that may be anything; see `fuzzing`.
#[cfg(feature = "failpoints")]
pub(super) fn fuzz(bytes: &[u8]) {
    let _ = SetSessionOptionsRequest::decode(bytes);
    let _ = Any::decode(bytes);
}
