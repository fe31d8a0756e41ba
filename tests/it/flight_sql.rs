//! The Flight SQL face in process, with the client of arrow-rs: what a client in another process cannot arrange.

use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, RecordBatch, StringArray};
use arrow::datatypes::{Int64Type, Schema};
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{
    CommandGetCrossReference, CommandGetExportedKeys, CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetTables,
    CommandStatementQuery, EndTransaction, ProstMessageExt,
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightDescriptor, FlightInfo, PollInfo,
    Ticket,
};
use countinghouse::app::App;
use countinghouse::auth::Scope;
use countinghouse::catalog::{AuditFilter, UserRow};
use countinghouse::server::flight;
use futures::{StreamExt, TryStreamExt};
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::bank::{copy_of_state, project};

const PASSWORD: &str = "a long password of ann";

/// A served project of its own, with the analyst `ann` of the head office. All ends when it is dropped.
struct Face {
    app: App,
    address: String,
    _server: JoinSet<()>,
    _state: tempfile::TempDir,
}

impl Face {
    async fn open() -> Self {
        let state = copy_of_state();
        let app = App::open(project(), state.path()).await.unwrap();
        let roles = ["analyst".to_owned()].into();
        app.services.auth.create_user("ann", Some(PASSWORD.to_owned()), roles, Scope::HeadOffice).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let services = app.services.clone();
        let mut server = JoinSet::new();
        let (door, auth) = (services.door.clone(), services.auth.clone());
        server.spawn(async move { door.watch(&auth).await });
        server.spawn(async move { flight::serve(services, listener, std::future::pending()).await.unwrap() });
        Self { app, address, _server: server, _state: state }
    }

    async fn client(&self) -> FlightSqlServiceClient<Channel> {
        let channel = Endpoint::from_shared(self.address.clone()).unwrap().connect().await.unwrap();
        let mut client = FlightSqlServiceClient::new(channel);
        client.handshake("ann", PASSWORD).await.unwrap();
        assert!(client.token().unwrap().starts_with("cts_"));
        client
    }

    /// A snapshot like the newest.
    async fn publish(&self) -> i64 {
        let head = self.app.warehouse.head().await.unwrap().unwrap();
        let publication = self.app.warehouse.begin("test").await.unwrap();
        publication.publish(head.as_of, head.facts.clone(), Vec::new()).await.unwrap().id
    }
}

fn ticket(info: &FlightInfo) -> Ticket {
    info.endpoint[0].ticket.clone().unwrap()
}

async fn read(
    client: &mut FlightSqlServiceClient<Channel>,
    ticket: Ticket,
) -> Result<(Schema, Vec<RecordBatch>), FlightError> {
    let mut stream = client.do_get(ticket).await?;
    let batches = stream.by_ref().try_collect().await?;
    Ok((stream.schema().unwrap().as_ref().clone(), batches))
}

fn status(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        other => panic!("{other:?}"),
    }
}

const STATEMENTS: &[&str] = &[
    "SELECT 1 AS a, 'x' AS b, NULL AS c, DATE '2025-01-01' AS d, 1.5 AS e, TRUE AS f, TIMESTAMP '2025-01-01 10:00:00' AS g",
    "SELECT month, branch, SUM(balance) AS balance, SUM(accounts) AS accounts FROM deposits GROUP BY month, branch",
    "SELECT branch, MEASURE(customers) AS customers, MEASURE(cost_rate) AS rate FROM deposits GROUP BY branch",
    "SELECT MIN(business_date) AS a, MAX(end_balance) AS b, COUNT(*) AS c FROM warehouse.fact_balance_monthly",
    "SELECT SUM(end_balance) AS a FROM warehouse.fact_balance_monthly WHERE branch_code = 'nowhere'",
    "SELECT branch, SUM(balance) AS b FROM deposits WHERE branch = 'nowhere' GROUP BY branch",
    "SELECT a, COUNT(*) AS n FROM (VALUES ('x', 1), ('y', 2)) AS t (a, b) GROUP BY a UNION ALL SELECT 'z', 0",
    "SELECT query_id, started_at, rows FROM system.queries",
];

#[tokio::test]
async fn all_places_announce_the_schema_that_is_sent() {
    let face = Face::open().await;
    let mut client = face.client().await;
    for sql in STATEMENTS {
        let info = client.execute((*sql).to_owned(), None).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let (sent, batches) = read(&mut client, ticket(&info)).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let announced = info.clone().try_decode_schema().unwrap();
        assert_eq!(announced.fields(), sent.fields(), "GetFlightInfo: {sql}");
        assert!(sent.fields().iter().all(|field| field.is_nullable()), "{sql}");
        for batch in &batches {
            assert_eq!(batch.schema().fields(), sent.fields(), "{sql}");
        }

        let command = CommandStatementQuery { query: (*sql).to_owned(), transaction_id: None }.as_any().encode_to_vec();
        let mut request = Request::new(FlightDescriptor::new_cmd(command));
        let bearer = format!("Bearer {}", client.token().unwrap());
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        let result = client.inner_mut().get_schema(request).await.unwrap().into_inner();
        assert_eq!(Schema::try_from(&result).unwrap().fields(), sent.fields(), "GetSchema: {sql}");

        let mut prepared = client.prepare((*sql).to_owned(), None).await.unwrap();
        assert_eq!(prepared.dataset_schema().unwrap().fields(), sent.fields(), "CreatePreparedStatement: {sql}");
        assert!(prepared.parameter_schema().unwrap().fields().is_empty(), "{sql}");
        let info = prepared.execute().await.unwrap();
        assert_eq!(read(&mut client, ticket(&info)).await.unwrap().0.fields(), sent.fields(), "prepared: {sql}");
        prepared.close().await.unwrap();
    }
}

#[tokio::test]
async fn parameters_are_bound_and_the_rows_run_in_order() {
    let face = Face::open().await;
    let mut client = face.client().await;
    let sql = "SELECT branch_code, SUM(balance) AS balance FROM deposits WHERE branch_code = ? GROUP BY branch_code";
    let mut prepared = client.prepare(sql.to_owned(), None).await.unwrap();
    let rows = StringArray::from(vec!["shanghai", "beijing"]);
    prepared
        .set_parameters(RecordBatch::try_from_iter([("0", std::sync::Arc::new(rows) as ArrayRef)]).unwrap())
        .unwrap();
    let info = prepared.execute().await.unwrap();
    let (_, batches) = read(&mut client, ticket(&info)).await.unwrap();
    let names: Vec<&str> =
        batches.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten()).collect();
    assert_eq!(names, ["shanghai", "beijing"]);
    // Each row is a statement with a record of its own, which says how long it waited for its place.
    let numbered = sql.replace('?', "$1");
    let records = format!("SELECT COUNT(*) AS n, COUNT(queued_ms) AS q FROM system.queries WHERE sql = '{numbered}'");
    let info = client.execute(records, None).await.unwrap();
    let (_, batches) = read(&mut client, ticket(&info)).await.unwrap();
    let counted: Vec<i64> = batches[0].columns().iter().map(|n| n.as_primitive::<Int64Type>().value(0)).collect();
    assert_eq!(counted, [2, 2]);
}

#[tokio::test]
async fn parameters_that_would_be_rounded_are_refused_on_the_wire() {
    let face = Face::open().await;
    let mut client = face.client().await;
    let sql = "SELECT COUNT(*) AS n FROM warehouse.fact_balance_monthly WHERE end_balance > ?";
    let mut bound = async |thousandths: i128| {
        let mut prepared = client.prepare(sql.to_owned(), None).await.unwrap();
        let value = Decimal128Array::from(vec![thousandths]).with_precision_and_scale(20, 3).unwrap();
        let row = RecordBatch::try_from_iter([("0", std::sync::Arc::new(value) as ArrayRef)]).unwrap();
        prepared.set_parameters(row).unwrap();
        prepared.execute().await
    };
    assert!(bound(1_500).await.is_ok());
    let refused = status(bound(1_505).await.unwrap_err());
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("`$1`") && refused.message().contains("rounded"), "{}", refused.message());
}

#[tokio::test]
async fn what_was_kept_is_told_in_the_trailers() {
    const SQL: &str = "SELECT branch, SUM(balance) AS balance FROM deposits GROUP BY branch ORDER BY branch";
    let face = Face::open().await;
    let mut client = face.client().await;
    let reused = async |client: &mut FlightSqlServiceClient<Channel>, info: &FlightInfo| {
        let mut stream = client.do_get(ticket(info)).await.unwrap();
        let batches: Vec<RecordBatch> = stream.by_ref().try_collect().await.unwrap();
        let cache = stream.trailers().unwrap().get("x-cache").unwrap().to_str().unwrap().to_owned();
        // The columns alone: the schema names the statement.
        (cache, arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap().columns().to_vec())
    };
    // What was planned to prepare it is not planned again to run it.
    let mut prepared = client.prepare(SQL.to_owned(), None).await.unwrap();
    let info = prepared.execute().await.unwrap();
    let (first, rows) = reused(&mut client, &info).await;
    let again = prepared.execute().await.unwrap();
    let (second, same) = reused(&mut client, &again).await;
    assert_eq!((first.as_str(), second.as_str()), ("plan", "result"));
    assert_eq!(rows, same);
    client.set_header("countinghouse-cache", "off");
    let off = client.execute(SQL.to_owned(), None).await.unwrap();
    let (third, same) = reused(&mut client, &off).await;
    assert_eq!((third.as_str(), rows), ("plan", same));
}

fn snapshot_of(schema: &Schema) -> i64 {
    schema.metadata()["countinghouse.snapshot"].parse().unwrap()
}

#[tokio::test]
async fn a_transaction_sees_one_snapshot_and_a_ticket_keeps_its_own() {
    const SQL: &str = "SELECT COUNT(*) AS n FROM warehouse.dim_org";
    let face = Face::open().await;
    let mut client = face.client().await;
    let transaction = client.begin_transaction().await.unwrap();
    // Begun before, pinned by its first statement: it sees what was published in between.
    let first = face.publish().await;
    let planned = client.execute(SQL.to_owned(), None).await.unwrap();
    let within = client.execute(SQL.to_owned(), Some(transaction.clone())).await.unwrap();
    let mut prepared = client.prepare(SQL.to_owned(), Some(transaction.clone())).await.unwrap();
    let second = face.publish().await;
    assert!(second > first);
    assert_eq!(
        snapshot_of(&read(&mut client, ticket(&planned)).await.unwrap().0),
        first,
        "a ticket keeps its snapshot"
    );
    assert_eq!(snapshot_of(&read(&mut client, ticket(&within)).await.unwrap().0), first);
    let again = client.execute(SQL.to_owned(), Some(transaction.clone())).await.unwrap();
    assert_eq!(snapshot_of(&read(&mut client, ticket(&again)).await.unwrap().0), first);
    let info = prepared.execute().await.unwrap();
    assert_eq!(snapshot_of(&read(&mut client, ticket(&info)).await.unwrap().0), first);
    let outside = client.execute(SQL.to_owned(), None).await.unwrap();
    assert_eq!(snapshot_of(&read(&mut client, ticket(&outside)).await.unwrap().0), second);
    client.end_transaction(transaction.clone(), EndTransaction::Commit).await.unwrap();
    let ended = client.execute(SQL.to_owned(), Some(transaction)).await.unwrap_err();
    let ended = status(ended);
    assert!(ended.code() == Code::FailedPrecondition && ended.message().contains("expired"), "{}", ended.message());
}

#[tokio::test]
async fn changed_rights_refuse_a_ticket_and_end_a_running_stream() {
    const ENDLESS: &str = "SELECT a.*, b.account_sk AS other FROM warehouse.fact_balance_monthly a CROSS JOIN warehouse.fact_balance_monthly b";
    let face = Face::open().await;
    let mut client = face.client().await;
    let catalog = face.app.services.catalog.clone();
    let user = catalog.user("ann").await.unwrap().unwrap();
    let planned = client.execute("SELECT 1 AS one".to_owned(), None).await.unwrap();
    assert!(read(&mut client, ticket(&planned)).await.is_ok());
    let more = vec!["analyst".to_owned(), "auditor".to_owned()];
    catalog.update_user(&UserRow { roles: more, ..user.clone() }).await.unwrap();
    let refused = status(read(&mut client, ticket(&planned)).await.unwrap_err());
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("rights have changed"), "{}", refused.message());

    let endless = client.execute(ENDLESS.to_owned(), None).await.unwrap();
    let mut stream = client.do_get(ticket(&endless)).await.unwrap();
    assert!(stream.try_next().await.unwrap().is_some());
    catalog.update_user(&UserRow { disabled: true, ..user }).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            match stream.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("a stream that was ended passed for complete"),
                Err(error) => return status(error),
            }
        }
    });
    assert_eq!(ended.await.expect("the stream went on").code(), Code::Unauthenticated);
    let closed = status(client.execute("SELECT 1".to_owned(), None).await.unwrap_err());
    assert_eq!(closed.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_branch_login_sees_its_own_schema_only() {
    let face = Face::open().await;
    let catalog = face.app.services.catalog.clone();
    let user = catalog.user("ann").await.unwrap().unwrap();
    catalog
        .update_user(&UserRow { scope: Scope::Branches(["beijing".to_owned()].into()).to_string(), ..user })
        .await
        .unwrap();
    let mut client = face.client().await;
    let info =
        client.get_tables(CommandGetTables { include_schema: true, ..CommandGetTables::default() }).await.unwrap();
    let (_, batches) = read(&mut client, ticket(&info)).await.unwrap();
    let mut schemas = std::collections::BTreeSet::new();
    for batch in &batches {
        schemas.extend(batch.column(1).as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    assert!(schemas.contains("beijing"), "{schemas:?}");
    assert!(!schemas.contains("head_office") && !schemas.contains("shanghai"), "{schemas:?}");
    let forbidden = client.execute("SELECT SUM(balance) FROM shanghai.deposits".to_owned(), None).await.unwrap_err();
    let missing = client.execute("SELECT SUM(balance) FROM nowhere.deposits".to_owned(), None).await.unwrap_err();
    let plain = |error| {
        let refused = status(error);
        assert_eq!(refused.code(), Code::NotFound);
        refused.message().split(" (id ").next().unwrap().replace("shanghai", "nowhere")
    };
    assert_eq!(plain(forbidden), plain(missing));
}

/// A PollFlightInfo call of the client's login.
async fn poll(client: &mut FlightSqlServiceClient<Channel>, descriptor: FlightDescriptor) -> Result<PollInfo, Status> {
    let mut request = Request::new(descriptor);
    let bearer = format!("Bearer {}", client.token().unwrap());
    request.metadata_mut().insert("authorization", bearer.parse().unwrap());
    Ok(client.inner_mut().poll_flight_info(request).await?.into_inner())
}

/// The action CancelFlightInfo.
async fn cancel(client: &mut FlightSqlServiceClient<Channel>, info: FlightInfo) -> CancelStatus {
    let body = CancelFlightInfoRequest::new(info).encode_to_vec();
    let mut request = Request::new(Action::new("CancelFlightInfo", body));
    let bearer = format!("Bearer {}", client.token().unwrap());
    request.metadata_mut().insert("authorization", bearer.parse().unwrap());
    let mut results = client.inner_mut().do_action(request).await.unwrap().into_inner();
    let result = results.message().await.unwrap().unwrap();
    CancelFlightInfoResult::decode(result.body).unwrap().status()
}

fn statement_of(sql: &str) -> FlightDescriptor {
    let command = CommandStatementQuery { query: sql.to_owned(), transaction_id: None };
    FlightDescriptor::new_cmd(command.as_any().encode_to_vec())
}

/// All rows as text, in order.
fn sorted(batches: &[RecordBatch]) -> Vec<String> {
    let text = arrow::util::pretty::pretty_format_batches(batches).unwrap().to_string();
    let cells = |line: &str| line.split('|').map(str::trim).collect::<Vec<_>>().join("|");
    let mut lines: Vec<String> = text.lines().filter(|line| line.starts_with('|')).map(cells).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn several_endpoints_together_give_the_rows_of_one() {
    // Larger than what stays in memory.
    const SQL: &str = "SELECT transaction_id, fee_amount, branch_code FROM warehouse.fact_transaction";
    let face = Face::open().await;
    let mut client = face.client().await;
    let info = client.execute(SQL.to_owned(), None).await.unwrap();
    let (one_schema, one) = read(&mut client, ticket(&info)).await.unwrap();
    let one = arrow::compute::concat_batches(&one[0].schema(), &one).unwrap();
    for (compression, dictionaries) in [("none", false), ("lz4", true), ("zstd", false)] {
        client.set_header("countinghouse-endpoints", "4");
        client.set_header("countinghouse-dictionaries", dictionaries.to_string());
        client.set_header("countinghouse-compression", compression);
        let info = client.execute(SQL.to_owned(), None).await.unwrap();
        assert_eq!(info.endpoint.len(), 4);
        assert_eq!(info.total_records, i64::try_from(one.num_rows()).unwrap());
        let announced = info.clone().try_decode_schema().unwrap();
        assert_eq!(announced.fields() == one_schema.fields(), !dictionaries);
        let provenance: serde_json::Value = serde_json::from_slice(&info.app_metadata).unwrap();
        let id = provenance["query_id"].as_str().unwrap();
        let mut all = Vec::new();
        // In any order, and the first once more.
        for part in [2, 0, 3, 1, 2] {
            let ticket = info.endpoint[part].ticket.clone().unwrap();
            let (schema, batches) = read(&mut client, ticket).await.unwrap();
            assert_eq!(schema.metadata()["countinghouse.query_id"], id);
            assert_eq!(schema.fields(), announced.fields());
            all.push(batches);
        }
        assert_eq!(sorted(&all[0]), sorted(&all[4]), "a part may be read again");
        let rows: Vec<RecordBatch> = [&all[1], &all[3], &all[0], &all[2]].into_iter().flatten().cloned().collect();
        assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), one.num_rows());
        assert_eq!(sorted(&rows), sorted(std::slice::from_ref(&one)), "{compression}");
    }
    // One with an order keeps it in one stream.
    let info = client.execute(format!("{SQL} ORDER BY transaction_id"), None).await.unwrap();
    assert!(info.endpoint.len() == 1 && info.ordered);
    // The statement was recorded once for each time that it ran, its readings each.
    let log = face.app.services.catalog.clone();
    let filter = AuditFilter { action: Some("result_read".to_owned()), ..AuditFilter::default() };
    assert_eq!(log.audit_rows(&filter).await.unwrap().len(), 15);
}

#[tokio::test]
async fn a_result_is_polled_for_until_it_is_there() {
    const SQL: &str = "SELECT branch, COUNT(*) AS n, SUM(balance) AS balance FROM deposits GROUP BY branch";
    let face = Face::open().await;
    let mut client = face.client().await;
    let info = client.execute(SQL.to_owned(), None).await.unwrap();
    let expected = sorted(&read(&mut client, ticket(&info)).await.unwrap().1);

    let mut polled = poll(&mut client, statement_of(SQL)).await.unwrap();
    let mut calls = 0;
    while let Some(descriptor) = polled.flight_descriptor.take() {
        let progress = polled.progress.unwrap();
        assert!((0.0..1.0).contains(&progress), "{progress}");
        let info = polled.info.take().unwrap();
        assert!(info.endpoint.is_empty() && info.try_decode_schema().unwrap().fields().len() == 3);
        calls += 1;
        assert!(calls < 50, "it never ends");
        polled = poll(&mut client, descriptor).await.unwrap();
    }
    assert_eq!(polled.progress, Some(1.0));
    assert!(polled.expiration_time.is_some());
    let info = polled.info.unwrap();
    for _ in 0..2 {
        assert_eq!(sorted(&read(&mut client, ticket(&info)).await.unwrap().1), expected);
    }
    // Renewed and cancelled: then it is gone.
    assert_eq!(cancel(&mut client, info.clone()).await, CancelStatus::Cancelled);
    let gone = status(read(&mut client, ticket(&info)).await.unwrap_err());
    assert_eq!(gone.code(), Code::FailedPrecondition, "{}", gone.message());
}

#[tokio::test]
async fn what_is_polled_for_can_be_stopped_and_fails_as_it_would_have() {
    const ENDLESS: &str = "SELECT COUNT(*) AS n FROM warehouse.fact_balance_monthly a CROSS JOIN warehouse.fact_balance_monthly b \
                           WHERE a.account_sk + b.account_sk < 0";
    let face = Face::open().await;
    let mut client = face.client().await;
    let polled = poll(&mut client, statement_of(ENDLESS)).await.unwrap();
    let descriptor = polled.flight_descriptor.expect("it runs for long");
    assert_eq!(cancel(&mut client, polled.info.unwrap()).await, CancelStatus::Cancelled);
    let gone = poll(&mut client, descriptor).await.unwrap_err();
    assert_eq!(gone.code(), Code::FailedPrecondition, "{}", gone.message());
    let stopped = async {
        while !face.app.services.catalog.running_queries(None).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), stopped).await.expect("the statement goes on");

    let mut failed =
        poll(&mut client, statement_of("SELECT 1 / (n - n) AS x FROM (SELECT COUNT(*) AS n FROM deposits)")).await;
    while let Ok(PollInfo { flight_descriptor: Some(next), .. }) = failed {
        failed = poll(&mut client, next).await;
    }
    let failed = failed.expect_err("it divides by zero");
    assert!(failed.message().contains("division by zero"), "{}", failed.message());
    let foreign = poll(&mut client, statement_of("SELECT 1")).await.unwrap();
    face.app
        .services
        .auth
        .create_user("bob", Some(PASSWORD.to_owned()), ["analyst".to_owned()].into(), Scope::HeadOffice)
        .await
        .unwrap();
    let channel = Endpoint::from_shared(face.address.clone()).unwrap().connect().await.unwrap();
    let mut bob = FlightSqlServiceClient::new(channel);
    bob.handshake("bob", PASSWORD).await.unwrap();
    if let Some(descriptor) = foreign.flight_descriptor {
        assert_eq!(poll(&mut bob, descriptor).await.unwrap_err().code(), Code::NotFound);
    }
}

#[tokio::test]
async fn a_ticket_is_read_as_it_was_planned_whatever_the_session_says_later() {
    let face = Face::open().await;
    let mut client = face.client().await;
    client.set_header("countinghouse-mode", "strict");
    const PREVIEW: &str = "SELECT branch, month FROM deposits LIMIT 3";
    let refused = status(client.execute(PREVIEW.to_owned(), None).await.unwrap_err());
    assert!(refused.code() == Code::InvalidArgument && refused.message().contains("previews"), "{}", refused.message());
    client.set_header("countinghouse-mode", "bi");
    let planned = client.execute(PREVIEW.to_owned(), None).await.unwrap();
    client.set_header("countinghouse-mode", "strict");
    // More than the plans that are kept.
    for n in 0..130 {
        client.execute(format!("SELECT {n} AS n"), None).await.unwrap();
    }
    assert_eq!(
        read(&mut client, ticket(&planned)).await.unwrap().1.iter().map(RecordBatch::num_rows).sum::<usize>(),
        3
    );
}

#[tokio::test]
async fn keys_of_the_star_are_told_to_those_who_see_its_tables() {
    let face = Face::open().await;
    let mut client = face.client().await;
    let primary = CommandGetPrimaryKeys { table: "dim_org".to_owned(), ..Default::default() };
    let info = client.get_primary_keys(primary.clone()).await.unwrap();
    let keys = sorted(&read(&mut client, ticket(&info)).await.unwrap().1);
    assert!(keys.iter().any(|line| line.contains("org_sk") && line.contains("dim_org_key")), "{keys:?}");
    let imported = CommandGetImportedKeys { table: "fact_balance_monthly".to_owned(), ..Default::default() };
    let info = client.get_imported_keys(imported).await.unwrap();
    let from_fact = sorted(&read(&mut client, ticket(&info)).await.unwrap().1);
    assert!(from_fact.iter().any(|line| line.contains("dim_org") && line.contains("org_sk")), "{from_fact:?}");
    let exported = CommandGetExportedKeys { table: "dim_org".to_owned(), ..Default::default() };
    let info = client.get_exported_keys(exported).await.unwrap();
    let to_org = sorted(&read(&mut client, ticket(&info)).await.unwrap().1);
    let crossing = CommandGetCrossReference {
        pk_table: "dim_org".to_owned(),
        fk_table: "fact_balance_monthly".to_owned(),
        ..Default::default()
    };
    let info = client.get_cross_reference(crossing).await.unwrap();
    let both: Vec<String> = sorted(&read(&mut client, ticket(&info)).await.unwrap().1);
    assert!(both.len() > 1 && both.iter().all(|line| from_fact.contains(line) && to_org.contains(line)), "{both:?}");
    // The standard's own tables say the same.
    let sql = "SELECT c.table_name, u.column_name FROM information_schema.referential_constraints r \
               JOIN information_schema.table_constraints c ON c.constraint_name = r.constraint_name \
               JOIN information_schema.key_column_usage u ON u.constraint_name = r.constraint_name \
               WHERE r.unique_constraint_name = 'dim_org_key'";
    let info = client.execute(sql.to_owned(), None).await.unwrap();
    assert_eq!(sorted(&read(&mut client, ticket(&info)).await.unwrap().1).len(), to_org.len());

    let catalog = face.app.services.catalog.clone();
    let user = catalog.user("ann").await.unwrap().unwrap();
    let scope = Scope::Branches(["beijing".to_owned()].into()).to_string();
    catalog.update_user(&UserRow { scope, ..user }).await.unwrap();
    let info = client.get_primary_keys(primary).await.unwrap();
    assert!(read(&mut client, ticket(&info)).await.unwrap().1.iter().all(|batch| batch.num_rows() == 0));
}
