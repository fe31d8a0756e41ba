//! `kill -9` at random moments of a load or a refresh: the previous snapshot stays readable and a rerun completes, nothing
//! twice.
//!
//! `COUNTINGHOUSE_CRASHES` says how often (default 6; `make crash` asks for 50).

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use countinghouse::sample::{Options, generate};
use datafusion::common::runtime::SpawnedTask;
use rand::{RngExt, SeedableRng};

use super::bank::{copy, copy_of_state, project};
use super::server::{TestServer, command, run};

/// Rows by table and the head's totals, through the door.
fn figures(state: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for sql in [
        "SELECT COUNT(*) FROM warehouse.fact_balance_monthly",
        "SELECT COUNT(*), COUNT(DISTINCT transaction_id || CAST(branch_code AS VARCHAR)) FROM warehouse.fact_transaction",
        "SELECT COUNT(*), COUNT(DISTINCT customer_sk) FROM warehouse.dim_customer",
        "SELECT COUNT(*), COUNT(DISTINCT account_sk) FROM warehouse.dim_account",
        "SELECT SUM(end_balance), SUM(balance_day_sum) FROM warehouse.fact_balance_monthly",
        "SELECT COUNT(*) FROM system.rejects",
        "SELECT COUNT(*) FROM system.snapshots",
    ] {
        let answer = run(project(), state, &["query", sql, "--as", "tester", "--format", "csv"]);
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        lines.push(String::from_utf8(answer.stdout).unwrap());
    }
    lines
}

fn add_tester(state: &Path) {
    let added = command(project(), state)
        .args(["user", "add", "tester", "--role", "analyst"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
}

#[test]
fn a_killed_load_loses_nothing_and_doubles_nothing() {
    let crashes: u32 = std::env::var("COUNTINGHOUSE_CRASHES").ok().map_or(6, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let options = Options { out: folder.path().join("feed"), customers: 60, months: 3, seed: 7, outlets: None };
    let feeds = generate(&options, &mut |_, _, _| {}).unwrap().feeds;
    let (first, second) = (feeds[0].to_str().unwrap(), feeds[1].to_str().unwrap());

    // What an undisturbed load gives, and how long it takes.
    let calm = folder.path().join("calm");
    assert!(run(project(), &calm, &["load", first]).status.success());
    let started = Instant::now();
    assert!(run(project(), &calm, &["load", second]).status.success());
    let usual = started.elapsed();
    add_tester(&calm);
    let expected = figures(&calm);

    let base = folder.path().join("base");
    assert!(run(project(), &base, &["load", first]).status.success());
    add_tester(&base);
    let before = figures(&base);
    let seed = 20_261_122;
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let mut killed = 0;
    for crash in 0..crashes {
        let state = folder.path().join(format!("crash-{crash}"));
        copy(&base, &state);
        let mut load = command(project(), &state)
            .args(["load", second])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let wait = random.random_range(0..usual.as_millis().max(1) as u64);
        // The moment is the test's subject: there is no event to wait for.
        std::thread::sleep(Duration::from_millis(wait));
        let _ = load.kill();
        killed += u32::from(!load.wait().unwrap().success());
        // Head is the old snapshot or, when the kill came after the commit point, the new one: never a mixture.
        let after = figures(&state);
        assert!(after == before || after == expected, "after a kill at {wait} ms (seed {seed}): {after:?}");
        let again = run(project(), &state, &["load", second]);
        assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
        assert_eq!(figures(&state), expected, "after the rerun of crash {crash} at {wait} ms");
        std::fs::remove_dir_all(&state).unwrap();
    }
    assert!(killed > 0 || crashes == 0, "no load was killed in time");
}

/// The same questions with rollups and from facts alone.
fn answers(state: &Path) -> Vec<String> {
    let ask = |sql: &str, rollups: &str| {
        let answer = run(project(), state, &["query", sql, "--as", "tester", "--format", "csv", "--rollups", rollups]);
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8(answer.stdout).unwrap()
    };
    let questions = [
        "SELECT branch, month, SUM(balance), MEASURE(customers) FROM deposits GROUP BY branch, month ORDER BY 1, 2",
        "SELECT channel, month, SUM(amount), COUNT(*) FROM transactions GROUP BY channel, month ORDER BY 1, 2",
    ];
    let both = questions.map(|sql| (ask(sql, "on"), ask(sql, "off")));
    both.into_iter()
        .map(|(on, off)| {
            assert_eq!(on, off);
            off
        })
        .collect()
}

#[test]
fn a_killed_refresh_changes_no_answer() {
    let crashes: u32 = std::env::var("COUNTINGHOUSE_CRASHES").ok().map_or(3, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let options = Options { out: folder.path().join("feed"), customers: 60, months: 3, seed: 7, outlets: None };
    let feeds = generate(&options, &mut |_, _, _| {}).unwrap().feeds;
    let base = folder.path().join("base");
    assert!(run(project(), &base, &["load", feeds[0].to_str().unwrap()]).status.success());
    add_tester(&base);
    let before = answers(&base);
    let started = Instant::now();
    let calm = folder.path().join("calm");
    copy(&base, &calm);
    assert!(run(project(), &calm, &["refresh"]).status.success());
    let usual = started.elapsed();
    let seed = 20_261_126;
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    for crash in 0..crashes {
        let state = folder.path().join(format!("crash-{crash}"));
        copy(&base, &state);
        let mut refresh =
            command(project(), &state).arg("refresh").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let wait = random.random_range(0..usual.as_millis().max(1) as u64);
        std::thread::sleep(Duration::from_millis(wait));
        let _ = refresh.kill();
        refresh.wait().unwrap();
        assert_eq!(answers(&state), before, "after a kill at {wait} ms (seed {seed})");
        let again = run(project(), &state, &["refresh"]);
        assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
        let told = String::from_utf8(run(project(), &state, &["refresh"]).stdout).unwrap();
        assert!(told.contains("rollups are fresh"), "{told}");
        assert_eq!(answers(&state), before, "after the rerun of crash {crash} at {wait} ms");
        std::fs::remove_dir_all(&state).unwrap();
    }
}

fn token(state: &Path) -> String {
    let made = run(project(), state, &["token", "create", "tester"]);
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

fn ask(server: &TestServer, token: &str) -> impl Future<Output = Result<reqwest::Response, reqwest::Error>> + use<> {
    let request = reqwest::Client::new().post(format!("{}/api/sql", server.http)).bearer_auth(token);
    request.header("content-type", "application/json").body(r#"{"sql": "SELECT 41 + 1 AS answer"}"#).send()
}

/// LT-27.
#[tokio::test]
async fn a_panic_costs_its_statement_and_tells_a_code() {
    let state = copy_of_state();
    add_tester(state.path());
    let token = token(state.path());
    let server = TestServer::with_faults(state.path(), "serve", "statement::begun=1*panic(a secret of ours)");
    let answer = ask(&server, &token).await.unwrap();
    assert_eq!(answer.status().as_u16(), 500);
    let body = answer.text().await.unwrap();
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(told["code"], "INTERNAL", "{body}");
    assert_eq!(told["correlation_id"].as_str().unwrap().len(), 32);
    assert!(!body.contains("secret") && !body.contains(".rs"), "{body}");
    let again = ask(&server, &token).await.unwrap();
    assert_eq!(again.status().as_u16(), 200);
    assert!(again.text().await.unwrap().contains("42"));
}

/// LT-47.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_leaves_a_record_of_what_it_began_and_no_byte_without_one() {
    let state = copy_of_state();
    add_tester(state.path());
    let token = token(state.path());
    let mut server = TestServer::with_faults(state.path(), "serve", "statement::begun=sleep(600000)");
    let asked = SpawnedTask::spawn(ask(&server, &token));
    let recorded = || {
        let listed = run(project(), state.path(), &["audit", "list", "--user", "tester", "--action", "statement"]);
        String::from_utf8(listed.stdout).unwrap()
    };
    let until = Instant::now() + Duration::from_secs(30);
    while !recorded().contains("41 + 1") {
        assert!(Instant::now() < until, "no record: {}", recorded());
    }
    server.process.kill().unwrap();
    server.process.wait().unwrap();
    assert!(asked.await.unwrap().is_err(), "an answer of a killed server");
    assert!(recorded().contains("41 + 1"));
    let verified = run(project(), state.path(), &["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}
