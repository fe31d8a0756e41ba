//! Messages of DoGet on their way out: what they carry is never copied into one piece.
//!
//! tonic writes each message whole into a buffer of its own, a new megabyte for every megabyte of rows; making those buffers
//! took as long as all else. So DoGet's answer goes around it: the call is tonic's, with its checks and headers, and carries
//! its parcels beside an empty stream; [`Direct`] then sends these, each piece from where the batch has it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use arrow::buffer::Buffer;
use arrow::ipc::{MessageHeader, root_as_message};
use arrow_flight::FlightData;
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use hyper::body::Frame;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tonic::{Response, Status};

use super::gather::{Loans, Peer};
use crate::error::{Code, Error, Result};

/// Smaller pieces are joined: each costs a frame.
const SMALL: usize = 4 << 10;

/// From here on a piece waits in its connection where it lies: shorter ones would be many, and are copied as cheaply.
const LENT: usize = 16 << 10;

/// The field of `FlightData` that holds rows.
const DATA_BODY: u32 = 1000;

/// A message: [`FlightData`] without a descriptor, whose body lies in pieces.
#[derive(Debug, Clone, Default)]
pub(super) struct Parcel {
    header: Bytes,
    app_metadata: Bytes,
    body: Vec<Bytes>,
}

/// A stream of them. It ends with a status, of which tonic makes the trailers.
pub(super) type Parcels = BoxStream<'static, Result<Parcel, Status>>;

impl Parcel {
    /// The messages of a stream that arrow wrote, without schemas: the first message of ours is another.
    ///
    /// Errors: `INTERNAL` for a stream that does not keep to its own lengths.
    pub(super) fn of_stream(buffers: Vec<Buffer>) -> Result<Vec<Self>> {
        let mut buffers = buffers.into_iter().filter(|buffer| !buffer.is_empty());
        let mut parcels = Vec::new();
        while let Some(prefix) = buffers.next() {
            // Four bytes that are always the same, then the length of the header.
            let length = prefix.get(4..8).and_then(|length| length.try_into().ok()).map(u32::from_le_bytes);
            let header: Vec<u8> = take(&mut buffers, u64::from(length.ok_or_else(broken)?))?
                .iter()
                .flat_map(|piece| piece.to_vec())
                .collect();
            let message = root_as_message(&header).map_err(|_| broken())?;
            let is_schema = message.header_type() == MessageHeader::Schema;
            let body = take(&mut buffers, u64::try_from(message.bodyLength()).map_err(|_| broken())?)?;
            if !is_schema {
                parcels.push(Self { header: header.into(), body: joined(body), ..Self::default() });
            }
        }
        Ok(parcels)
    }

    /// Bytes of header and body.
    pub(super) fn size(&self) -> usize {
        self.header.len() + self.body_size()
    }

    fn body_size(&self) -> usize {
        self.body.iter().map(Bytes::len).sum()
    }

    /// The parcel as gRPC sends it: a prefix with its length, and the message.
    fn pieces(self) -> Result<VecDeque<Bytes>, Status> {
        let size = self.body_size();
        let head = FlightData { data_header: self.header, app_metadata: self.app_metadata, ..FlightData::default() };
        let mut proto = BytesMut::with_capacity(head.encoded_len() + 16);
        head.encode_raw(&mut proto);
        if size > 0 {
            encode_key(DATA_BODY, WireType::LengthDelimited, &mut proto);
            encode_varint(size as u64, &mut proto);
        }
        let length = u32::try_from(proto.len() + size)
            .map_err(|fault| Error::internal("A message is too large to be sent", fault))?;
        let mut first = BytesMut::with_capacity(proto.len() + 5);
        first.put_u8(0); // not compressed
        first.put_u32(length);
        first.put(proto);
        Ok(std::iter::once(first.freeze()).chain(self.body).collect())
    }
}

/// An encoded batch that does not end where it says is a fault of ours.
fn broken() -> Error {
    Error::new(Code::Internal, "An encoded batch does not keep to its lengths")
}

/// The buffers that together are `length` bytes.
fn take(buffers: &mut impl Iterator<Item = Buffer>, length: u64) -> Result<Vec<Buffer>> {
    let (mut taken, mut size) = (Vec::new(), 0);
    while size < length {
        let buffer = buffers.next().ok_or_else(broken)?;
        size += buffer.len() as u64;
        taken.push(buffer);
    }
    if size == length { Ok(taken) } else { Err(broken()) }
}

/// Pieces in order, small neighbours in one.
fn joined(buffers: Vec<Buffer>) -> Vec<Bytes> {
    let (mut pieces, mut small) = (Vec::new(), BytesMut::new());
    for buffer in buffers {
        if buffer.len() < SMALL {
            small.extend_from_slice(&buffer);
            continue;
        }
        if !small.is_empty() {
            pieces.push(small.split().freeze());
        }
        pieces.push(Bytes::from_owner(Piece(buffer)));
    }
    if !small.is_empty() {
        pieces.push(small.freeze());
    }
    pieces
}

/// A buffer of arrow as the owner of bytes.
struct Piece(Buffer);

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl From<FlightData> for Parcel {
    fn from(message: FlightData) -> Self {
        let body = Some(message.data_body).filter(|body| !body.is_empty()).into_iter().collect();
        Self { header: message.data_header, app_metadata: message.app_metadata, body }
    }
}

impl From<Parcel> for FlightData {
    /// In one piece, which holds nothing but itself.
    fn from(parcel: Parcel) -> Self {
        let mut body = BytesMut::with_capacity(parcel.body_size());
        parcel.body.iter().for_each(|piece| body.extend_from_slice(piece));
        Self {
            data_header: parcel.header,
            app_metadata: parcel.app_metadata,
            data_body: body.freeze(),
            ..Self::default()
        }
    }
}

/// What an answer carries for [`Direct`].
#[derive(Clone)]
struct Carried(Arc<Mutex<Option<Parcels>>>);

/// The answer of DoGet as tonic takes it.
pub(super) fn carried(response: Response<Parcels>) -> Response<BoxStream<'static, Result<FlightData, Status>>> {
    let (metadata, parcels, mut extensions) = response.into_parts();
    extensions.insert(Carried(Arc::new(Mutex::new(Some(parcels)))));
    Response::from_parts(metadata, stream::empty().boxed(), extensions)
}

/// A service whose answers are sent in the pieces that they carry.
#[derive(Debug, Clone)]
pub(super) struct Direct<S>(pub(super) S);

impl<S: NamedService> NamedService for Direct<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for Direct<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let peer = request.extensions_mut().remove::<Peer>();
        let loans = peer.map(|Peer { tcp, loans }| {
            request.extensions_mut().insert(tcp);
            loans
        });
        let answer = self.0.call(request);
        answer
            .map(|answer| {
                let mut answer = answer?;
                if let Some(Carried(parcels)) = answer.extensions_mut().remove()
                    && let Some(parcels) = parcels.lock().unwrap_or_else(PoisonError::into_inner).take()
                {
                    *answer.body_mut() = Body::new(Outgoing::new(parcels, loans.unwrap_or_default()));
                }
                Ok(answer)
            })
            .boxed()
    }
}

/// The body of an answer.
struct Outgoing {
    parcels: Parcels,
    /// Where its connection finds the pieces.
    loans: Loans,
    /// Of the parcel that is being sent.
    pieces: VecDeque<Bytes>,
    ended: bool,
}

impl Outgoing {
    fn new(parcels: Parcels, loans: Loans) -> Self {
        Self { parcels, loans, pieces: VecDeque::new(), ended: false }
    }

    fn end(&mut self, status: &Status) -> Result<Frame<Bytes>, Status> {
        self.ended = true;
        let mut trailers = http::HeaderMap::new();
        status.add_header(&mut trailers)?;
        Ok(Frame::trailers(trailers))
    }
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.pieces.is_empty() {
            let next = match ready!(self.parcels.poll_next_unpin(cx)) {
                Some(Ok(parcel)) => parcel.pieces(),
                Some(Err(status)) => Err(status),
                None => Err(Status::new(tonic::Code::Ok, "")),
            };
            match next {
                Ok(pieces) => self.pieces = pieces,
                Err(status) => return Poll::Ready(Some(self.end(&status))),
            }
        }
        let piece = self.pieces.pop_front();
        let lent = piece.map(|piece| if piece.len() < LENT { piece } else { self.loans.lend(piece) });
        Poll::Ready(lent.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests;
