//! The permanent leak list over both faces: real sockets, real tokens, every byte that a reader is sent.
//!
//! The banks are those of `leaks.rs`: what a reader of a part of one is told over HTTP and over Flight SQL must be what it is
//! told where nothing else was ever loaded.

use std::sync::OnceLock;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{CommandGetDbSchemas, CommandGetTables};
use arrow_flight::{FlightInfo, Ticket};
use countinghouse::app::App;
use countinghouse::auth::{Principal, TokenScope};
use countinghouse::server;
use futures::TryStreamExt;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::leaks::{BREAKING, PLACES, PLAIN, banks, east, quay};

/// A bank that is served, until it is dropped.
struct Served {
    app: App,
    http: String,
    flight: String,
    _server: JoinSet<()>,
}

impl Served {
    async fn open(name: &str) -> Self {
        Self::over(banks().open(name).await).await
    }

    async fn over(app: App) -> Self {
        let bound = server::bind(app.services.clone(), "127.0.0.1:0", "127.0.0.1:0").await.unwrap();
        let http = format!("http://{}", bound.http_address);
        let flight = format!("http://{}", bound.flight_address);
        let mut server = JoinSet::new();
        server.spawn(async move { bound.serve(std::future::pending()).await.unwrap() });
        Self { app, http, flight, _server: server }
    }

    /// A token of a login with these rights, which is made where there is none.
    async fn token(&self, name: &str, who: &Principal, scope: &TokenScope) -> String {
        let auth = &self.app.services.auth;
        if auth.principal(name).await.is_err() {
            auth.create_user(name, None, who.roles.clone(), who.scope.clone()).await.unwrap();
        }
        auth.create_token(name, "test", 1, scope).await.unwrap()
    }

    async fn flight(&self, token: &str) -> FlightSqlServiceClient<Channel> {
        let channel = Endpoint::from_shared(self.flight.clone()).unwrap().connect().await.unwrap();
        let mut client = FlightSqlServiceClient::new(channel);
        client.set_token(token.to_owned());
        client
    }

    /// Status, all headers and the body.
    async fn post(&self, token: &str, sql: &str) -> (u16, String, String) {
        let body = serde_json::json!({"sql": sql, "format": "csv"}).to_string();
        let request = client().post(format!("{}/api/sql", self.http)).bearer_auth(token);
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), format!("{:?}", answer.headers()));
        (status, headers, answer.text().await.unwrap())
    }
}

fn client() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .build()
            .unwrap()
    })
}

/// What differs from run to run is left out of an error: its own number.
fn steady(text: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    match (value["code"].as_str(), value["detail"].as_str()) {
        (Some(code), Some(detail)) => format!("{code}: {}", detail.split(" (id ").next().unwrap_or_default()),
        _ => text.to_owned(),
    }
}

fn ticket(info: &FlightInfo) -> Ticket {
    info.endpoint[0].ticket.clone().unwrap()
}

async fn read(client: &mut FlightSqlServiceClient<Channel>, ticket: Ticket) -> Result<Vec<RecordBatch>, FlightError> {
    client.do_get(ticket).await?.try_collect().await
}

fn status(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        other => panic!("{other:?}"),
    }
}

/// Rows or error over Flight SQL, and everything else that is sent with them.
async fn told(client: &mut FlightSqlServiceClient<Channel>, sql: &str) -> (String, String) {
    let info = match client.execute(sql.to_owned(), None).await {
        Ok(info) => info,
        Err(error) => {
            let refused = status(error);
            return (refused.message().split(" (id ").next().unwrap_or_default().to_owned(), format!("{refused:?}"));
        }
    };
    let about = format!("{} {:?} {:?}", String::from_utf8_lossy(&info.app_metadata), info.total_records, info.schema);
    match read(client, ticket(&info)).await {
        Ok(batches) => (pretty_format_batches(&batches).unwrap().to_string(), about),
        Err(error) => {
            let refused = status(error);
            (refused.message().split(" (id ").next().unwrap_or_default().to_owned(), format!("{about} {refused:?}"))
        }
    }
}

/// LT-01 to LT-07, over both faces.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_hold_changes_no_byte_that_a_reader_is_sent() {
    let (whole, alone) = (Served::open("whole").await, Served::open("alone").await);
    let breaking = || PLACES.iter().flat_map(|place| BREAKING.iter().map(|condition| place.replace("{}", condition)));
    let plain = || PLAIN.iter().map(|sql| (*sql).to_owned());
    // In process both readers are asked everything (`leaks.rs`); here each place and each condition by one of them.
    let (mut east_asks, mut quay_asks): (Vec<String>, Vec<String>) = (plain().collect(), plain().collect());
    for (n, sql) in breaking().enumerate() {
        if n % 2 == 0 { east_asks.push(sql) } else { quay_asks.push(sql) }
    }
    for (name, who, statements) in [("faces_east", east(), east_asks), ("faces_quay", quay(), quay_asks)] {
        let scope = TokenScope::default();
        let (here, there) = (whole.token(name, &who, &scope).await, alone.token(name, &who, &scope).await);
        let (mut here_flight, mut there_flight) = (whole.flight(&here).await, alone.flight(&there).await);
        for sql in statements {
            let (status, headers, body) = whole.post(&here, &sql).await;
            let (expected_status, _, expected) = alone.post(&there, &sql).await;
            // A statement of one's own is in the name of its column.
            let told_of = |text: &str| text.contains("CANARY") && !sql.contains("CANARY");
            assert!(!told_of(&headers) && !told_of(&body), "{name} {sql}: {headers} {body}");
            assert_eq!((status, steady(&body)), (expected_status, steady(&expected)), "{name} {sql}");
            let (found, about) = told(&mut here_flight, &sql).await;
            let (expected, _) = told(&mut there_flight, &sql).await;
            assert!(!told_of(&found) && !told_of(&about), "{name} {sql}: {found} {about}");
            assert_eq!(found, expected, "{name} {sql}");
        }
    }
}

/// LT-13, LT-24, LT-26.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_seen_is_in_no_list_of_either_face() {
    let whole = Served::open("whole").await;
    let token = whole.token("lists_quay", &quay(), &TokenScope::default()).await;
    let mut flight = whole.flight(&token).await;
    let lists = async |flight: &mut FlightSqlServiceClient<Channel>| {
        let mut text = String::new();
        let any = || Some("%".to_owned());
        let schemas = CommandGetDbSchemas { catalog: None, db_schema_filter_pattern: any() };
        let tables = CommandGetTables {
            db_schema_filter_pattern: any(),
            table_name_filter_pattern: any(),
            include_schema: false,
            ..Default::default()
        };
        for info in [
            flight.get_catalogs().await.unwrap(),
            flight.get_db_schemas(schemas).await.unwrap(),
            flight.get_tables(tables).await.unwrap(),
        ] {
            text += &pretty_format_batches(&read(flight, ticket(&info)).await.unwrap()).unwrap().to_string();
        }
        text
    };
    let listed = lists(&mut flight).await;
    assert!(listed.contains("quay") && listed.contains("deals"), "{listed}");
    for hidden in ["north", "south", "head_office", "warehouse", "fact_deal"] {
        assert!(!listed.contains(hidden), "{hidden}: {listed}");
    }
    let cubes = client().get(format!("{}/api/cubes", whole.http)).bearer_auth(&token).send().await.unwrap();
    let cubes = cubes.text().await.unwrap();
    assert!(cubes.contains("\"quay\"") && !cubes.contains("north") && !cubes.contains("head_office"), "{cubes}");
    let mut texts = Vec::new();
    for name in ["south", "head_office", "nowhere"] {
        let (status, _, body) = whole.post(&token, &format!("SELECT COUNT(*) FROM {name}.deals")).await;
        assert_eq!(status, 404);
        texts.push(steady(&body).replace(name, "x"));
        let (found, _) = told(&mut flight, &format!("SELECT COUNT(*) FROM {name}.deals")).await;
        texts.push(format!("NO_SUCH_OBJECT: {}", found.replace(name, "x")));
    }
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    // How many rows a plan expects is counted in one's own files.
    let info = flight.execute("SELECT * FROM deals_detail".to_owned(), None).await.unwrap();
    assert!(info.total_records <= 40, "{}", info.total_records);
}

/// LT-30, and LT-29 where the rights change between two calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handle_is_its_owners_alone_and_never_stronger_than_the_owner_is_now() {
    let whole = Served::open("whole").await;
    let scope = TokenScope::default();
    let (own, other) = (whole.token("h_east", &east(), &scope).await, whole.token("h_quay", &quay(), &scope).await);
    let (mut owner, mut thief) = (whole.flight(&own).await, whole.flight(&other).await);
    let sql = "SELECT COUNT(DISTINCT note) AS t FROM deals";
    let planned = ticket(&owner.execute(sql.to_owned(), None).await.unwrap());
    let refused = status(read(&mut thief, planned.clone()).await.unwrap_err());
    assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
    assert!(!refused.message().contains("east") && !refused.message().contains("note"), "{}", refused.message());
    // Altered anywhere, it is nobody's.
    for at in [0, 1, planned.ticket.len() / 2, planned.ticket.len() - 1] {
        let mut bytes = planned.ticket.to_vec();
        bytes[at] ^= 1;
        assert!(read(&mut owner, Ticket { ticket: bytes.into() }).await.is_err(), "byte {at}");
    }
    assert!(!String::from_utf8_lossy(&planned.ticket).contains("DISTINCT"), "no SQL to be read in it");
    let before = pretty_format_batches(&read(&mut owner, planned.clone()).await.unwrap()).unwrap().to_string();
    // Prepared by one, run by another.
    let mut prepared = owner.prepare(sql.to_owned(), None).await.unwrap();
    assert!(prepared.execute().await.is_ok());
    // The owner loses a part of its rights: what was planned or prepared with them is worth nothing.
    let auth = &whole.app.services.auth;
    auth.set_rights("h_east", east().roles, "north/sub_branch=West".parse().unwrap()).await.unwrap();
    assert_eq!(status(read(&mut owner, planned).await.unwrap_err()).code(), Code::FailedPrecondition);
    // A prepared statement is planned anew each time, with the rights of that time.
    let (again, fresh) =
        (ticket(&prepared.execute().await.unwrap()), ticket(&owner.execute(sql.to_owned(), None).await.unwrap()));
    let (again, fresh) = (read(&mut owner, again).await.unwrap(), read(&mut owner, fresh).await.unwrap());
    assert_eq!(pretty_format_batches(&again).unwrap().to_string(), pretty_format_batches(&fresh).unwrap().to_string());
    assert_ne!(pretty_format_batches(&again).unwrap().to_string(), before);
    auth.set_rights("h_east", east().roles, east().scope).await.unwrap();
}

/// LT-31, over both faces; and a statement that somebody stops from another process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_opens_what_its_scope_names_and_a_running_statement_ends_with_it() {
    let whole = Served::open("whole").await;
    let only = |faces: &str| serde_json::from_value::<TokenScope>(serde_json::json!({"faces": [faces]})).unwrap();
    let who = quay();
    let (http, flight) =
        (whole.token("t_quay", &who, &only("http")).await, whole.token("t_quay", &who, &only("flight")).await);
    let one = "SELECT COUNT(*) AS n FROM deals_detail";
    assert_eq!(whole.post(&http, one).await.0, 200);
    assert_eq!(whole.post(&flight, one).await.0, 401);
    let mut over = whole.flight(&http).await;
    assert_eq!(status(over.execute(one.to_owned(), None).await.unwrap_err()).code(), Code::Unauthenticated);
    let mut over = whole.flight(&flight).await;
    over.execute(one.to_owned(), None).await.unwrap();
    let elsewhere = serde_json::from_value(serde_json::json!({"networks": ["10.0.0.0/8"]})).unwrap();
    assert_eq!(whole.post(&whole.token("t_quay", &who, &elsewhere).await, one).await.0, 401);
    let cube: TokenScope = serde_json::from_value(serde_json::json!({"cubes": ["visits"]})).unwrap();
    let visits = whole.token("t_quay", &who, &cube).await;
    assert_eq!(whole.post(&visits, "SELECT COUNT(*) AS n FROM visits_detail").await.0, 200);
    let (status_code, _, body) = whole.post(&visits, one).await;
    assert_eq!((status_code, steady(&body).split(':').next()), (404, Some("NO_SUCH_OBJECT")), "{body}");
    let report: TokenScope = serde_json::from_value(serde_json::json!({"reports": ["any"]})).unwrap();
    assert_eq!(whole.post(&whole.token("t_quay", &who, &report).await, one).await.0, 403);

    const ENDLESS: &str = "SELECT a.deal_no FROM deals_detail a CROSS JOIN deals_detail b CROSS JOIN deals_detail c \
                           CROSS JOIN deals_detail d CROSS JOIN deals_detail e";
    // Ended by whoever owns it, from another process over the same state.
    let endless = ticket(&over.execute(ENDLESS.to_owned(), None).await.unwrap());
    let mut stream = over.do_get(endless).await.unwrap();
    assert!(stream.try_next().await.unwrap().is_some());
    let beside = banks().open("whole").await;
    let running = beside.services.door.running(&beside.services.auth.principal("t_quay").await.unwrap()).await.unwrap();
    let id = running.iter().find(|row| row.sql == ENDLESS).expect("it runs").query_id.clone();
    let stranger = beside.services.auth.principal("t_quay").await.unwrap();
    let stranger = Principal { name: "somebody".to_owned(), ..stranger };
    assert!(beside.services.door.stop(&stranger, &id).await.is_err(), "another's is not there");
    beside.services.door.stop(&beside.services.auth.principal("t_quay").await.unwrap(), &id).await.unwrap();
    assert_eq!(ended(&mut stream).await.code(), Code::Cancelled);
    // Ended with its token.
    let endless = ticket(&over.execute(ENDLESS.to_owned(), None).await.unwrap());
    let mut stream = over.do_get(endless).await.unwrap();
    assert!(stream.try_next().await.unwrap().is_some());
    let id = flight.strip_prefix("cth_").and_then(|rest| rest.split_once('_')).unwrap().0;
    whole.app.services.auth.revoke_token(id).await.unwrap();
    assert_eq!(ended(&mut stream).await.code(), Code::Unauthenticated);
}

async fn ended(stream: &mut (impl futures::Stream<Item = Result<RecordBatch, FlightError>> + Unpin)) -> Status {
    let end = async {
        loop {
            match stream.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("a stream that was stopped passed for complete"),
                Err(error) => return status(error),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), end).await.expect("the stream went on")
}
