use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::ipc::writer::StreamEncoder;
use arrow_flight::utils::flight_data_to_arrow_batch;
use hyper::body::Body as _;
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::*;
use crate::server::flight::gather::Gather;

fn batch(rows: i64) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter((0..rows).map(|row| (row % 7 != 0).then_some(row))));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("row {row}"))));
    RecordBatch::try_from_iter([("number", numbers), ("text", texts)]).unwrap()
}

/// All that a body sends: its bytes, and its trailers.
fn sent(parcels: Vec<Result<Parcel, Status>>) -> (Vec<u8>, http::HeaderMap) {
    let mut body = Outgoing::new(stream::iter(parcels).boxed(), Loans::default());
    let (mut bytes, mut trailers) = (Vec::new(), None);
    let cx = &mut Context::from_waker(std::task::Waker::noop());
    while let Poll::Ready(Some(frame)) = Pin::new(&mut body).poll_frame(cx) {
        assert!(trailers.is_none(), "nothing follows the trailers");
        match frame.unwrap().into_data() {
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    assert!(body.is_end_stream());
    (bytes, trailers.expect("every stream has trailers"))
}

#[test]
fn a_message_is_sent_as_protobuf_writes_it() {
    for rows in [1, 50_000] {
        let whole = batch(rows);
        let mut encoder = StreamEncoder::try_new(&whole.schema()).unwrap();
        let mut parcels = Parcel::of_stream(encoder.encode(&whole).unwrap()).unwrap();
        assert_eq!(parcels.len(), 1, "the schema is left out");
        let parcel = parcels.pop().unwrap();
        let message = FlightData::from(parcel.clone());
        assert_eq!(flight_data_to_arrow_batch(&message, whole.schema(), &Default::default()).unwrap(), whole);
        assert_eq!(parcel.size(), message.data_header.len() + message.data_body.len());
        if rows > 1 {
            let numbers = whole.column(0).to_data().buffers()[0].as_ptr();
            assert!(parcel.body.iter().any(|piece| piece.as_ptr() == numbers), "rows are sent from where they lie");
        }

        let (bytes, trailers) = sent(vec![Ok(parcel)]);
        let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
        assert_eq!((bytes[0], length), (0, bytes.len() - 5));
        assert_eq!(FlightData::decode(&bytes[5..]).unwrap(), message);
        assert_eq!(trailers["grpc-status"], "0");
    }
}

#[test]
fn a_status_ends_the_stream_as_trailers() {
    let head = FlightData { app_metadata: "notes".into(), ..FlightData::default() };
    let mut refused = Status::not_found("no such part");
    refused.metadata_mut().insert("x-query-id", "7".parse().unwrap());
    let (bytes, trailers) = sent(vec![Ok(head.clone().into()), Err(refused), Ok(Parcel::default())]);
    assert_eq!(FlightData::decode(&bytes[5..]).unwrap(), head);
    assert_eq!((trailers["grpc-status"].as_bytes(), trailers["x-query-id"].as_bytes()), (&b"5"[..], &b"7"[..]));
}

#[test]
fn a_stream_that_is_cut_is_refused() {
    let whole = batch(10);
    let mut buffers = StreamEncoder::try_new(&whole.schema()).unwrap().encode(&whole).unwrap();
    buffers.pop();
    assert_eq!(Parcel::of_stream(buffers).unwrap_err().code(), Code::Internal);
}

/// A service that answers with one message, and tells whose call it was.
#[derive(Clone)]
struct Answering(Parcel);

impl Service<http::Request<Body>> for Answering {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let caller = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
        let parcels = stream::iter([Ok(self.0.clone())]).boxed();
        let (_, _, extensions) = carried(Response::new(parcels)).into_parts();
        let mut answer = http::Response::new(Body::empty());
        *answer.extensions_mut() = extensions;
        answer.extensions_mut().insert(caller.unwrap());
        async { Ok(answer) }.boxed()
    }
}

#[tokio::test]
async fn a_connection_knows_what_its_answers_send_and_a_call_who_sent_it() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let connection = Gather::new(listener.accept().await.unwrap().0);
    let peer = connection.connect_info();
    let loans = peer.loans.clone();
    let rows = Bytes::from(vec![7; LENT]);
    let parcel = Parcel { body: vec![rows.clone(), rows.slice(1..)], ..Parcel::default() };
    let mut request = http::Request::new(Body::empty());
    request.extensions_mut().insert(peer);
    let mut answer = Direct(Answering(parcel)).call(request).await.unwrap();
    assert_eq!(answer.extensions().get(), Some(&client.local_addr().unwrap()));

    let mut pieces = Vec::new();
    let cx = &mut Context::from_waker(std::task::Waker::noop());
    while let Poll::Ready(Some(Ok(frame))) = Pin::new(answer.body_mut()).poll_frame(cx) {
        pieces.extend(frame.into_data());
    }
    let [head, long, short] = &pieces[..] else { panic!("{} pieces", pieces.len()) };
    assert_eq!((&long[..], &short[..]), (&rows[..], &rows[1..]));
    assert!(loans.share(head).is_none());
    assert_eq!(loans.share(&long[9..]).unwrap().as_ptr(), rows[9..].as_ptr());
    drop(pieces);
    assert!(loans.share(&rows).is_none(), "it is known no longer than it is sent");
}
