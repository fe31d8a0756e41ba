use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::ipc::writer::StreamEncoder;
use arrow_flight::utils::flight_data_to_arrow_batch;
use hyper::body::Body as _;

use super::*;

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
