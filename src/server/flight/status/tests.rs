use super::*;

fn details(status: &Status) -> (RpcStatus, ErrorInfo) {
    let details = RpcStatus::decode(status.details()).unwrap();
    let info = ErrorInfo::decode(details.details[0].value.as_ref()).unwrap();
    (details, info)
}

#[test]
fn a_status_has_code_sentence_id_and_reason() {
    let error = Error::new(Code::ReadOnly, "only a query is taken.");
    let status = of(&error, Some("7f3a9c"));
    assert_eq!(status.code(), Grpc::InvalidArgument);
    assert_eq!(status.message(), "only a query is taken (id 7f3a9c)");
    assert_eq!(status.metadata().get(QUERY_ID).unwrap(), "7f3a9c");
    let (rpc, info) = details(&status);
    assert_eq!((rpc.code, rpc.message.as_str()), (3, status.message()));
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("READ_ONLY", "countinghouse"));
    assert_eq!(info.metadata["id"], "7f3a9c");
}

#[test]
fn an_id_in_the_message_is_not_said_twice() {
    let error = Error::new(Code::QueryFailed, "the statement failed while it ran (id 82f1be7b794c)");
    assert_eq!(of(&error, None).message(), "the statement failed while it ran (id 82f1be7b794c)");
    assert_eq!(of(&error, Some("0182f1be7b794c")).message(), "the statement failed while it ran (id 0182f1be7b794c)");
}

#[test]
fn what_the_server_did_wrong_stays_in_the_log() {
    let error = Error::internal("cannot read /srv/bank/part.parquet", "disk on fire");
    let status = Status::from(error);
    assert_eq!(status.code(), Grpc::Internal);
    assert!(status.message().starts_with("The server failed; its log has the cause (id "), "{}", status.message());
    assert!(!format!("{:?}", status.details()).contains("parquet"));
}

#[test]
fn long_texts_are_cut_between_characters() {
    let status = of(&Error::new(Code::SqlPlan, "余额".repeat(1_000)), None);
    assert!(status.message().len() < MAX_TEXT + 40);
    assert!(status.message().contains("… (id "));
    assert!(status.message().len() + status.details().len() < 6 << 10);
}
