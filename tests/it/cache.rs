//! What is kept between statements: it is told, it is the same, and it never crosses a snapshot, a right or a parameter.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use countinghouse::app::App;
use countinghouse::auth::Principal;
use countinghouse::error::Code;
use countinghouse::query::{Collected, Face, ResultCache, Rollups, Statement};
use futures::StreamExt;

use super::bank::{app, ask, branch, head_office, project, rows, text};
use super::query::app_with;
use super::server::run;

const BY_BRANCH: &str = "SELECT branch, SUM(balance) AS balance, MEASURE(cost_rate) AS rate, MAX(month) AS month
                         FROM deposits GROUP BY branch ORDER BY branch";

/// What of an answer was kept.
fn reused(answer: &Collected) -> &str {
    answer.provenance["cache"].as_str().unwrap()
}

async fn run_statement(app: &App, who: &Principal, statement: Statement) -> Collected {
    app.services.door.collect(who, Face::Http, statement, 1_000_000).await.unwrap()
}

/// What of each of these was kept when it was asked twice.
async fn twice(app: &App, who: &Principal, sql: &str) -> [String; 2] {
    let first = ask(app, who, sql).await.unwrap();
    let second = ask(app, who, sql).await.unwrap();
    [reused(&first).to_owned(), reused(&second).to_owned()]
}

#[tokio::test]
async fn a_kept_result_is_told_and_is_the_same() {
    let app = app().await;
    let who = head_office();
    let first = ask(&app, &who, BY_BRANCH).await.unwrap();
    let second = ask(&app, &who, BY_BRANCH).await.unwrap();
    let off = Statement { cache: ResultCache::Off, ..Statement::new(BY_BRANCH) };
    let third = run_statement(&app, &who, off).await;
    assert_eq!([reused(&first), reused(&second), reused(&third)], ["none", "result", "plan"]);
    assert_eq!((&first.schema, text(&first)), (&second.schema, text(&second)));
    assert!(second.batches.iter().all(|batch| batch.schema() == first.schema));
    assert_eq!((&first.schema, text(&first)), (&third.schema, text(&third)));
    assert_eq!(first.provenance["rollups"], second.provenance["rollups"]);
    assert_ne!(first.query_id, second.query_id);
    // Each has a record of its own, with what was sent.
    for (answer, cache) in [(&first, "none"), (&second, "result"), (&third, "plan")] {
        let record = format!(
            "SELECT cache, rows, bytes > 0, rollup, snapshot_id, status FROM system.queries WHERE query_id = '{}'",
            answer.query_id
        );
        assert_eq!(rows(&app, &who, &record).await, [format!("{cache}|28|true|deposits_by_branch_month|3|ok")]);
    }
    // From facts alone is another question.
    let facts = Statement { rollups: Rollups::Off, ..Statement::new(BY_BRANCH) };
    let facts = run_statement(&app, &who, facts).await;
    assert_eq!((reused(&facts), text(&facts)), ("none", text(&first)));
    // No rows are a result as well.
    let none = "SELECT branch, SUM(balance) FROM deposits WHERE branch = 'nowhere' GROUP BY branch";
    assert_eq!(twice(&app, &who, none).await, ["none", "result"]);
    assert_eq!(ask(&app, &who, none).await.unwrap().rows(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_snapshot_never_serves_an_old_result() {
    let state = tempfile::tempdir().unwrap();
    let load = |batch: &str| {
        let feed = project().join("sample_data").join(batch).join("feed.yaml");
        let done = run(project(), state.path(), &["load", feed.to_str().unwrap()]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    load("batch-0001");
    let app = App::open(project(), state.path()).await.unwrap();
    let who = head_office();
    let sql = "SELECT MAX(business_date), SUM(balance) FROM deposits";
    let before = ask(&app, &who, sql).await.unwrap();
    assert_eq!(reused(&ask(&app, &who, sql).await.unwrap()), "result");
    load("batch-0002");
    let after = ask(&app, &who, sql).await.unwrap();
    assert_eq!((reused(&after), after.snapshot_id), ("none", before.snapshot_id + 1));
    assert!(text(&before)[0].starts_with("2025-11-30|") && text(&after)[0].starts_with("2025-12-31|"));
    // The old one is still there for who asks for it by its number, and a refresh is a snapshot as well.
    let mut kept = Statement::new(sql);
    kept.snapshot = Some(before.snapshot_id);
    let old = run_statement(&app, &who, kept).await;
    assert_eq!((reused(&old), text(&old)), ("result", text(&before)));
    assert!(run(project(), state.path(), &["refresh", "deposits"]).status.success());
    let refreshed = ask(&app, &who, sql).await.unwrap();
    assert_eq!((reused(&refreshed), text(&refreshed)), ("none", text(&after)));
}

#[tokio::test]
async fn only_the_same_rights_share() {
    let app = app().await;
    let sql = "SELECT COUNT(*) AS n FROM deposits_detail";
    let same = |name: &str, like: &Principal| Principal { name: name.to_owned(), ..like.clone() };
    let (bank, beijing) = (head_office(), branch("beijing"));
    let mut auditor = bank.clone();
    auditor.roles.insert("auditor".to_owned());
    let mut both = beijing.clone();
    both.scope = countinghouse::auth::Scope::Branches(["beijing".to_owned(), "shanghai".to_owned()].into());
    let mut counts = Vec::new();
    for who in [&bank, &beijing, &branch("shanghai"), &both, &auditor] {
        let first = ask(&app, who, sql).await.unwrap();
        assert_eq!(reused(&first), "none", "{who:?}");
        let colleague = ask(&app, &same("colleague", who), sql).await.unwrap();
        assert_eq!((reused(&colleague), text(&colleague)), ("result", text(&first)), "{who:?}");
        counts.push(text(&first));
    }
    assert_eq!(counts[0], counts[4]);
    assert!(counts[0] != counts[1] && counts[1] != counts[2], "{counts:?}");
    // Back to the first: its own.
    assert_eq!(text(&ask(&app, &bank, sql).await.unwrap()), counts[0]);
    // A schema that a branch may not see is not there for it, whoever asked before.
    let other = "SELECT COUNT(*) FROM shanghai.deposits_detail";
    assert_eq!(twice(&app, &bank, other).await, ["none", "result"]);
    assert_eq!(ask(&app, &beijing, other).await.unwrap_err().code(), Code::NoSuchObject);
}

#[tokio::test]
async fn a_reader_stays_refused() {
    let app = app().await;
    let mut reader = head_office();
    reader.roles = ["reader".to_owned()].into();
    let door = &app.services.door;
    for expected in ["none", "result"] {
        let answer = door.collect(&reader, Face::Report, Statement::new(BY_BRANCH), 100).await.unwrap();
        assert_eq!(reused(&answer), expected);
    }
    let refused = door.collect(&reader, Face::Http, Statement::new(BY_BRANCH), 100).await.unwrap_err();
    assert_eq!(refused.code(), Code::Denied);
}

#[tokio::test]
async fn parameters_tell_statements_apart() {
    let app = app().await;
    let who = head_office();
    let ask = async |sql: &str, value: ArrayRef| {
        let row = RecordBatch::try_from_iter_with_nullable([("1", value, true)]).unwrap();
        let answer = run_statement(&app, &who, Statement { parameters: Some(row), ..Statement::new(sql) }).await;
        (reused(&answer).to_owned(), text(&answer).join(","))
    };
    let none = |rows: &str| ("none".to_owned(), rows.to_owned());
    let plain = "SELECT $1 AS a, $1 IS NULL AS b";
    let month = "SELECT COUNT(*) FROM (VALUES (1), (2), (2)) t (a) WHERE a = $1";
    let number = |value: Option<i64>| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    let word = |value: Option<&str>| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    assert_eq!(ask(month, number(Some(1))).await, none("1"));
    assert_eq!(ask(month, number(Some(2))).await, none("2"));
    assert_eq!(ask(month, word(Some("1"))).await, none("1"));
    assert_eq!(ask(month, number(None)).await, none("0"));
    assert_eq!(ask(month, word(None)).await, none("0"));
    assert_eq!(ask(month, number(Some(2))).await, ("result".to_owned(), "2".to_owned()));
    assert_eq!(ask(plain, word(Some("x"))).await, none("x|false"));
    assert_eq!(ask(plain, word(None)).await, none("|true"));
    assert_eq!(ask(plain, word(Some("x"))).await, ("result".to_owned(), "x|false".to_owned()));
    // What does not fit is refused as before.
    let bad = RecordBatch::try_from_iter([("1", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef)]).unwrap();
    let bad = Statement { parameters: Some(bad), ..Statement::new(month) };
    for _ in 0..2 {
        let refused = app.services.door.prepare(&who, Face::Http, bad.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::BadRequest);
    }
}

#[tokio::test]
async fn what_does_not_follow_from_the_snapshot_is_not_kept() {
    let app = app().await;
    let who = head_office();
    for sql in [
        "SELECT now() AS at",
        "SELECT current_date AS day",
        "SELECT COUNT(*) FROM deposits_detail WHERE business_date < current_date",
        "SELECT COUNT(*) FROM system.queries",
        "SELECT COUNT(*) FROM deposits_detail WHERE EXISTS (SELECT 1 FROM system.snapshots)",
        "WITH q AS (SELECT query_id FROM \"system\".queries) SELECT COUNT(*) FROM q",
        "EXPLAIN SELECT COUNT(*) FROM system.loads",
    ] {
        assert_eq!(twice(&app, &who, sql).await, ["none", "none"], "{sql}");
    }
    let mut bare = Statement::new("SELECT COUNT(*) FROM queries");
    bare.schema = Some("system".to_owned());
    let first = run_statement(&app, &who, bare.clone()).await;
    let second = run_statement(&app, &who, bare).await;
    assert_eq!((reused(&first), reused(&second)), ("none", "none"));
    assert_ne!(text(&first), text(&second), "each sees the record of the one before");
    // Those that follow from it are; where figures come from is planned once, and told each time.
    assert_eq!(twice(&app, &who, "SELECT 'now()' AS word").await, ["none", "result"]);
    assert_eq!(twice(&app, &who, "SELECT COUNT(*) FROM information_schema.tables").await, ["none", "result"]);
    let explain = "EXPLAIN SELECT tier, SUM(balance) FROM deposits GROUP BY tier";
    assert_eq!(twice(&app, &who, explain).await, ["none", "plan"]);
}

#[tokio::test]
async fn what_did_not_end_well_is_not_kept() {
    let app = app().await;
    let who = head_office();
    let fails = "SELECT 1 / (COUNT(*) - COUNT(*)) FROM deposits";
    for expected in ["none", "plan"] {
        assert_eq!(ask(&app, &who, fails).await.unwrap_err().code(), Code::Evaluation);
        let record = format!(
            "SELECT cache, status FROM system.queries WHERE sql = '{fails}' AND principal = 'head_office'
             ORDER BY started_at DESC LIMIT 1"
        );
        assert_eq!(rows(&app, &who, &record).await, [format!("{expected}|failed")]);
    }
    let long = "SELECT transaction_id FROM warehouse.fact_transaction ORDER BY transaction_id";
    let mut answer = app.services.door.query(&who, Face::Flight, Statement::new(long)).await.unwrap();
    answer.rows.next().await.unwrap().unwrap();
    drop(answer);
    assert_eq!(reused(&ask(&app, &who, long).await.unwrap()), "plan");
    assert_eq!(reused(&ask(&app, &who, long).await.unwrap()), "result", "read to its end, it is kept");
}

#[tokio::test]
async fn only_small_results_are_kept_and_none_where_there_is_no_room() {
    let who = head_office();
    let large = "SELECT transaction_id, repeat(transaction_id, 20) AS wide FROM warehouse.fact_transaction";
    let (app, _folder, _state) = app_with("cached_result_mib: 1").await;
    assert_eq!(twice(&app, &who, large).await, ["none", "plan"]);
    assert_eq!(twice(&app, &who, BY_BRANCH).await, ["none", "result"]);
    let (app, _folder, _state) = app_with("result_cache_mib: 0").await;
    assert_eq!(twice(&app, &who, BY_BRANCH).await, ["none", "plan"]);
}

/// A kept result is given even while all places are taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_result_waits_for_nobody() {
    let (app, _folder, _state) = app_with("concurrent: 1").await;
    let who = head_office();
    ask(&app, &who, BY_BRANCH).await.unwrap();
    let all = "SELECT a.* FROM warehouse.fact_transaction a CROSS JOIN warehouse.dim_org";
    let _running = app.services.door.query(&who, Face::Http, Statement::new(all)).await.unwrap();
    let queued = tokio::time::timeout(std::time::Duration::from_millis(200), ask(&app, &who, "SELECT 1")).await;
    assert!(queued.is_err(), "the only place is taken");
    assert_eq!(reused(&ask(&app, &who, BY_BRANCH).await.unwrap()), "result");
}
