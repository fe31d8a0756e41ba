//! The Flight SQL face in process, with the client of arrow-rs: what a client in another process cannot arrange.

use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::Schema;
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{CommandGetTables, CommandStatementQuery, EndTransaction, ProstMessageExt};
use arrow_flight::{FlightDescriptor, FlightInfo, Ticket};
use countinghouse::app::App;
use countinghouse::auth::Scope;
use countinghouse::catalog::UserRow;
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
