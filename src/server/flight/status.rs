//! Errors as gRPC statuses: code, one sentence with an id, and the reason for programs.

use aes_gcm::aead::OsRng;
use aes_gcm::aead::rand_core::RngCore;
use prost::Message;
use tonic::{Code as Grpc, Status, metadata::MetadataMap};

use super::proto::{ErrorInfo, RpcStatus};
use crate::error::{Code, Error, Fault};

/// Domain of our reasons.
const DOMAIN: &str = "countinghouse";

/// Trailer with the id under which the statement stands in `system.queries`.
pub(super) const QUERY_ID: &str = "x-query-id";

/// Trailer with the snapshot that was read.
pub(super) const SNAPSHOT_ID: &str = "x-snapshot-id";

/// Clients drop longer texts: text and trailers stay under 6 KiB, and the text stands in the trailers twice.
const MAX_TEXT: usize = 1_500;

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        of(&error, None)
    }
}

/// The status of an error. `query` is the statement's id where it has one; any other error gets an id of its own, which
/// stands in the log beside the cause.
pub(super) fn of(error: &Error, query: Option<&str>) -> Status {
    let code = error.code();
    let (text, said) = split_id(error.message());
    let id = query.or(said).map_or_else(fresh_id, str::to_owned);
    let ours = code.fault() == Fault::Internal;
    if ours {
        tracing::error!(id, code = code.as_str(), error = ?error, "Flight SQL call failed");
    } else {
        tracing::debug!(id, code = code.as_str(), error = ?error, "Flight SQL call refused");
    }
    // What the server did wrong is no business of a client's: the id finds it in the log.
    let text = if code == Code::Internal { "The server failed; its log has the cause" } else { text };
    build(grpc(code), code.as_str(), text, &id, query)
}

/// A message without the id that a statement's own error ends in, and that id.
fn split_id(message: &str) -> (&str, Option<&str>) {
    let parts = message.strip_suffix(')').and_then(|message| message.rsplit_once(" (id "));
    parts.map_or((message, None), |(text, id)| (text, Some(id)))
}

/// A refusal that has no [`Code`] of its own because only this face knows it.
pub(super) fn refuse(code: Grpc, reason: &'static str, text: &str) -> Status {
    build(code, reason, text, &fresh_id(), None)
}

/// A part of the protocol that does not exist here, and what to use instead.
pub(super) fn unimplemented(text: &str) -> Status {
    refuse(Grpc::Unimplemented, "UNIMPLEMENTED", text)
}

/// A handle whose time has passed.
pub(super) fn expired(text: &str) -> Status {
    refuse(Grpc::FailedPrecondition, "EXPIRED", text)
}

/// A handle that was planned under other rights.
pub(super) fn rights_changed() -> Status {
    refuse(
        Grpc::FailedPrecondition,
        "RIGHTS_CHANGED",
        "Your rights have changed since this statement was planned: run it again",
    )
}

/// 64 random bits in hex.
pub(super) fn fresh_id() -> String {
    format!("{:016x}", OsRng.next_u64())
}

fn grpc(code: Code) -> Grpc {
    match code.fault() {
        Fault::Caller => Grpc::InvalidArgument,
        Fault::Unauthenticated => Grpc::Unauthenticated,
        Fault::Denied => Grpc::PermissionDenied,
        Fault::Missing => Grpc::NotFound,
        Fault::Data => Grpc::FailedPrecondition,
        Fault::Capacity => Grpc::ResourceExhausted,
        Fault::Deadline => Grpc::DeadlineExceeded,
        Fault::Cancelled => Grpc::Cancelled,
        Fault::Internal => Grpc::Internal,
    }
}

fn build(code: Grpc, reason: &str, text: &str, id: &str, query: Option<&str>) -> Status {
    let mut cut = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    let more = if cut < text.len() { "…" } else { "" };
    let text = format!("{}{more} (id {id})", text[..cut].trim_end().trim_end_matches('.'));
    let mut info = ErrorInfo { reason: reason.to_owned(), domain: DOMAIN.to_owned(), ..ErrorInfo::default() };
    info.metadata.insert("id".to_owned(), id.to_owned());
    let details = RpcStatus { code: code.into(), message: text.clone(), details: vec![info.packed()] };
    let mut trailers = MetadataMap::new();
    if let Some(value) = query.and_then(|query| query.parse().ok()) {
        trailers.insert(QUERY_ID, value);
    }
    Status::with_details_and_metadata(code, text, details.encode_to_vec().into(), trailers)
}

#[cfg(test)]
mod tests;
