//! Time to the first row of a question that a rollup answers: one figure, and a table of one month and branch, each in process
//! with its plan kept and planned anew; the table over HTTP and over Flight SQL, too. Then what rights cost: the same rows of a
//! branch, from a rollup and from the facts, for head office and for a reader who may see nothing else; and a part of a branch
//! by right, beside the same part by a condition. All in one run, in turns; results are computed each time.
//!
//! `cargo bench --bench serving -- STATE [RUNS]` over a loaded and refreshed state of the sample project (`countinghouse
//! --state STATE load ...`). Prints minimum, median and maximum in milliseconds, and each median as a ratio to the first.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap ends the benchmark")]

use std::path::Path;
use std::time::{Duration, Instant};

use arrow_flight::sql::client::FlightSqlServiceClient;
use countinghouse::app::App;
use countinghouse::auth::{Principal, Scope, TokenScope};
use countinghouse::query::{Face, ResultCache, Rollups, Statement};
use countinghouse::server;
use futures::StreamExt;

/// As the server has it.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FIGURE: &str = "SELECT SUM(balance) FROM beijing.deposits WHERE month = DATE '2025-12-01'";
const TABLE: &str = "SELECT product_line, SUM(balance), MEASURE(balance_daily_average), MEASURE(customers) \
                        FROM beijing.deposits WHERE month = DATE '2025-12-01' GROUP BY product_line";

fn main() {
    // `cargo test --benches` and the like pass flags of their own harness.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let Some(state) = arguments.first() else {
        println!("usage: cargo bench --bench serving -- STATE [RUNS]");
        return;
    };
    let runs = arguments.get(1).map_or(50, |text| text.parse().unwrap());
    tokio::runtime::Runtime::new().unwrap().block_on(measure(Path::new(state), runs));
}

async fn measure(state: &Path, runs: usize) {
    let app = App::open(Path::new(env!("CARGO_MANIFEST_DIR")), state).await.unwrap();
    let services = app.services.clone();
    let who = Principal::new("bench", ["analyst".to_owned()].into(), Scope::HeadOffice);
    if services.auth.principal("bench").await.is_err() {
        services.auth.create_user("bench", None, who.roles.clone(), Scope::HeadOffice).await.unwrap();
    }
    let token = services.auth.create_token("bench", "bench", 1, &TokenScope::default()).await.unwrap();
    let bound = server::bind(services.clone(), "127.0.0.1:0", "127.0.0.1:0").await.unwrap();
    let (http, flight) = (bound.http_address, bound.flight_address);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::runtime::Handle::current().spawn(bound.serve(async {
        let _ = stopped.await;
    }));

    let client = reqwest::Client::new();
    let channel = tonic::transport::Channel::from_shared(format!("http://{flight}")).unwrap().connect().await.unwrap();
    let mut tool = FlightSqlServiceClient::new(channel);
    tool.set_token(token.clone());
    tool.set_header("countinghouse-cache", "off");
    let in_process = async |sql: String| {
        let started = Instant::now();
        let statement = Statement { cache: ResultCache::Off, ..Statement::new(sql) };
        let mut answer = services.door.query(&who, Face::CommandLine, statement).await.unwrap();
        answer.rows.next().await.unwrap().unwrap();
        started.elapsed()
    };
    let names = ["figure", "figure anew", "table", "table anew", "HTTP", "Flight SQL"];
    let mut times: [Vec<Duration>; 6] = Default::default();
    for run in 0..=runs {
        let figure = in_process(FIGURE.to_owned()).await;
        let figure_anew = in_process(format!("{FIGURE} -- {run}")).await;
        let table = in_process(TABLE.to_owned()).await;
        let table_anew = in_process(format!("{TABLE} -- {run}")).await;

        let started = Instant::now();
        let body = serde_json::json!({"sql": TABLE, "format": "arrow", "cache": "off"});
        let request = client.post(format!("http://{http}/api/sql")).bearer_auth(&token);
        let request = request.header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(!answer.bytes().await.unwrap().is_empty());
        let over_http = started.elapsed();

        let started = Instant::now();
        let info = tool.execute(TABLE.to_owned(), None).await.unwrap();
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        let mut rows = tool.do_get(ticket).await.unwrap();
        rows.next().await.unwrap().unwrap();
        let over_flight = started.elapsed();
        // The first round warms the caches.
        if run > 0 {
            let round = [figure, figure_anew, table, table_anew, over_http, over_flight];
            times.iter_mut().zip(round).for_each(|(times, time)| times.push(time));
        }
    }
    let mut base = None;
    for (name, mut times) in names.into_iter().zip(times) {
        times.sort();
        let [least, middle, most] = [0, times.len() / 2, times.len() - 1].map(|n| times[n].as_secs_f64() * 1000.0);
        let base = *base.get_or_insert(middle);
        println!("{name:12} min {least:6.2} ms  median {middle:6.2} ms  max {most:7.2} ms  ratio {:.2}", middle / base);
    }
    rights(&services, runs).await;
    let _ = stop.send(());
    serving.await.unwrap().unwrap();
}

/// What rights add to a question that a rollup answers and to one that scans the facts.
async fn rights(services: &server::Services, runs: usize) {
    let analyst = |scope: &str| Principal::new("bench", ["analyst".to_owned()].into(), scope.parse().unwrap());
    let bank = analyst("head_office");
    let rows = async |who: &Principal, sql: &str, rollups: &Rollups| {
        let statement = Statement { cache: ResultCache::Off, rollups: rollups.clone(), ..Statement::new(sql) };
        services.door.collect(who, Face::CommandLine, statement, 1_000_000).await.unwrap()
    };
    let largest = "SELECT outlet FROM beijing.deposits GROUP BY outlet ORDER BY COUNT(*) DESC LIMIT 1";
    let largest = rows(&bank, largest, &Rollups::On).await;
    let outlet = largest.batches.iter().find(|batch| batch.num_rows() > 0).unwrap().column(0);
    let outlet = arrow::util::display::array_value_to_string(outlet, 0).unwrap();
    let (branch, part) = (analyst("beijing"), analyst(&format!("beijing/outlet={outlet}")));
    let by = |more: &str| {
        format!("SELECT product_line, SUM(balance), COUNT(*) FROM beijing.deposits{more} GROUP BY product_line")
    };
    let condition = format!(" WHERE outlet = '{outlet}'");
    for (name, without, with, who, rollups) in [
        ("a branch, rollup", by(""), by(""), &branch, Rollups::On),
        ("a branch, facts", by(""), by(""), &branch, Rollups::Off),
        ("a part, rollup", by(&condition), by(""), &part, Rollups::On),
        ("a part, facts", by(&condition), by(""), &part, Rollups::Off),
    ] {
        let mut times: [Vec<f64>; 2] = Default::default();
        for run in 0..=runs {
            let mut answers = Vec::new();
            for (times, (reader, sql)) in times.iter_mut().zip([(&bank, &without), (who, &with)]) {
                let started = Instant::now();
                answers.push(rows(reader, sql, &rollups).await.rows());
                // The first round warms the caches.
                if run > 0 {
                    times.push(started.elapsed().as_secs_f64() * 1000.0);
                }
            }
            assert_eq!(answers[0], answers[1], "{name}");
        }
        let [without, with] = times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        });
        println!("rights: {name:16} median {without:7.2} ms without, {with:7.2} ms with  ratio {:.3}", with / without);
    }
}
