//! The door: records, parameters, deadlines, budgets, cancellation, and the schema that is announced.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use countinghouse::app::App;
use countinghouse::error::Code;
use countinghouse::query::{Face, Statement};
use futures::StreamExt;

use super::bank::{app, ask, copy, copy_of_state, head_office, project, refusal, rows, text};

/// The sample project with other limits, over a copy of the state.
pub(crate) async fn app_with(limits: &str) -> (App, tempfile::TempDir, tempfile::TempDir) {
    let (folder, state) = (tempfile::tempdir().unwrap(), copy_of_state());
    let settings = std::fs::read_to_string(project().join("countinghouse.yaml")).unwrap();
    std::fs::write(folder.path().join("countinghouse.yaml"), format!("{settings}\nquery: {{{limits}}}\n")).unwrap();
    copy(&project().join("cubes"), &folder.path().join("cubes"));
    (App::open(folder.path(), state.path()).await.unwrap(), folder, state)
}

/// A statement that runs for long and gives rows slowly.
const LONG: &str = "SELECT COUNT(*) FROM warehouse.fact_transaction a, warehouse.fact_transaction b
                    WHERE a.transaction_id || b.transaction_id LIKE '%x%y%z%'";

#[tokio::test]
async fn every_statement_leaves_a_record() {
    let app = app().await;
    let who = head_office();
    let answer = ask(&app, &who, "SELECT branch, SUM(balance) FROM deposits GROUP BY branch").await.unwrap();
    let row = rows(
        &app,
        &who,
        &format!(
            "SELECT principal, face, rows, snapshot_id, rollup, status, duration_ms >= 0, bytes > 0 FROM system.queries
             WHERE query_id = '{}'",
            answer.query_id
        ),
    )
    .await;
    assert_eq!(row, ["head_office|command_line|28|3|deposits_by_branch_month|ok|true|true"]);
    assert_eq!(answer.provenance["snapshot"], 3);
    assert_eq!(answer.provenance["as_of"], "2025-12-31");
    assert_eq!(answer.provenance["completeness"]["closed"], 28);
    refusal(&app, &who, "SELECT 1 / (COUNT(*) - COUNT(*)) FROM deposits").await;
    let failed = rows(
        &app,
        &who,
        "SELECT status, error_code FROM system.queries WHERE sql LIKE 'SELECT 1 / (COUNT%' ORDER BY started_at DESC LIMIT 1",
    )
    .await;
    assert_eq!(failed, ["failed|EVALUATION"]);
}

#[tokio::test]
async fn what_is_announced_is_what_is_sent() {
    let app = app().await;
    let who = head_office();
    for sql in [
        "SELECT * FROM deposits LIMIT 3",
        "SELECT branch, month, SUM(balance), MEASURE(cost_rate), MEASURE(customers), COUNT(*), MIN(month), AVG(interest)
         FROM deposits GROUP BY branch, month",
        "SELECT MIN(transaction_id), MAX(business_date), COUNT(*) FROM warehouse.fact_transaction",
        "SELECT branch, SUM(balance) FROM deposits WHERE branch_code = 'nowhere' GROUP BY branch",
        "SELECT NULL AS n, 1 AS i, 1.5 AS d, 'x' AS t, DATE '2025-01-01' AS day, now() AS at, CAST(1 AS INT) AS s",
        "SELECT * FROM system.queries LIMIT 5",
        "SELECT * FROM warehouse.dim_org",
        "SELECT year, SUM(balance) FROM deposits GROUP BY ROLLUP(year)",
    ] {
        let prepared = app.services.door.prepare(&who, Face::Flight, Statement::new(sql)).await.unwrap();
        let announced = prepared.schema();
        assert!(announced.fields().iter().all(|field| field.is_nullable()));
        let mut answer = app.services.door.run(prepared).await.unwrap();
        assert_eq!(answer.schema, announced);
        while let Some(batch) = answer.rows.next().await {
            assert_eq!(batch.unwrap().schema(), announced, "{sql}");
        }
    }
    let money = ask(&app, &who, "SELECT SUM(balance) AS b, SUM(interest) AS i FROM deposits").await.unwrap();
    for field in money.schema.fields() {
        assert_eq!(field.data_type(), &arrow::datatypes::DataType::Decimal128(18, 2));
    }
}

#[tokio::test]
async fn parameters_are_bound_as_values_before_anything_is_matched() {
    let app = app().await;
    let who = head_office();
    let door = &app.services.door;
    let row = |columns: Vec<(&str, ArrayRef)>| RecordBatch::try_from_iter(columns).unwrap();
    let statement = Statement::new("SELECT SUM(balance) FROM deposits WHERE month = $month AND branch_code = $branch");
    let prepared = door.prepare(&who, Face::Http, statement.clone()).await.unwrap();
    let names: Vec<String> = prepared.parameter_schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["branch", "month"]);
    let unbound = door.run(prepared.clone()).await.unwrap_err();
    assert_eq!(unbound.code(), Code::BadRequest);
    let day: ArrayRef = Arc::new(Date32Array::from(vec![20_423])); // 2025-12-01
    let name: ArrayRef = Arc::new(StringArray::from(vec!["beijing"]));
    let bound = prepared.bind(row(vec![("month", Arc::clone(&day)), ("branch", Arc::clone(&name))])).await.unwrap();
    let literal = "SELECT SUM(balance) FROM deposits WHERE month = DATE '2025-12-01' AND branch_code = 'beijing'";
    let mut answer = door.run(bound).await.unwrap();
    let got = answer.rows.next().await.unwrap().unwrap();
    let expected = ask(&app, &who, literal).await.unwrap();
    assert_eq!(got, expected.batches[0]);
    // By position, a day as text, and an injection that is only a value.
    let mut numbered =
        Statement::new("SELECT SUM(balance) FROM deposits WHERE month = $1 AND branch_code = $2 AND $3 = 7");
    let text_day: ArrayRef = Arc::new(StringArray::from(vec!["2025-12-01"]));
    let seven: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    numbered.parameters = Some(row(vec![("a", Arc::clone(&text_day)), ("b", name), ("c", Arc::clone(&seven))]));
    let answer = door.collect(&who, Face::Http, numbered.clone(), 10).await.unwrap();
    assert_eq!(text(&answer), text(&expected));
    let evil: ArrayRef = Arc::new(StringArray::from(vec!["' OR 1 = 1 --"]));
    numbered.parameters = Some(row(vec![("a", text_day), ("b", evil), ("c", seven)]));
    assert_eq!(text(&door.collect(&who, Face::Http, numbered, 10).await.unwrap()), [""]);
}

#[tokio::test]
async fn statements_that_are_no_query_are_refused_by_code() {
    let app = app().await;
    for sql in [
        "COPY (SELECT 1) TO 'x.csv'",
        "CREATE TABLE t AS SELECT 1",
        "SET datafusion.execution.batch_size = 1",
        "INSERT INTO head_office.deposits VALUES (1)",
        "DROP VIEW head_office.deposits",
        "DELETE FROM warehouse.dim_org",
        "SELECT 1; SELECT 2",
        "SELECT * INTO t FROM deposits",
    ] {
        assert_eq!(refusal(&app, &head_office(), sql).await.code(), Code::ReadOnly, "{sql}");
    }
    for sql in ["SELECT random()", "SELECT * FROM generate_series(1, 1000000000)", "SELECT uuid()", "SELECT version()"]
    {
        let code = refusal(&app, &head_office(), sql).await.code();
        assert!(matches!(code, Code::SqlPlan | Code::NoSuchObject), "{sql}: {code:?}");
    }
}

#[tokio::test]
async fn more_rows_than_promised_is_an_error_and_not_a_part() {
    let app = app().await;
    let statement = Statement::new("SELECT branch, SUM(balance) FROM deposits GROUP BY branch");
    let error = app.services.door.collect(&head_office(), Face::Report, statement, 27).await.unwrap_err();
    assert_eq!(error.code(), Code::Limit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_ends_at_its_deadline() {
    let (app, _folder, _state) = app_with("deadline_seconds: 1").await;
    let error = refusal(&app, &head_office(), LONG).await;
    assert_eq!(error.code(), Code::Deadline);
    let row =
        rows(&app, &head_office(), "SELECT status, error_code FROM system.queries WHERE status = 'cancelled'").await;
    assert_eq!(row, ["cancelled|DEADLINE"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_leaves_cancels_its_statement() {
    let (app, _folder, _state) = app_with("deadline_seconds: 600").await;
    let door = app.services.door.clone();
    let mut answer = door.query(&head_office(), Face::Flight, Statement::new(LONG)).await.unwrap();
    let id = answer.query_id.clone();
    let nothing = tokio::time::timeout(Duration::from_millis(300), answer.rows.next()).await;
    assert!(nothing.is_err(), "the statement was meant to be slow");
    drop(answer);
    // The record is closed by a task of its own; ask until it stands, up to a minute on a busy machine.
    let ended = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let sql = format!("SELECT status FROM system.queries WHERE query_id = '{id}'");
            if rows(&app, &head_office(), &sql).await == ["cancelled"] {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(ended.is_ok(), "the statement still runs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_is_held_by_spilling_or_by_refusing() {
    let (app, _folder, _state) = app_with("memory_mib: 48, total_memory_mib: 256, target_partitions: 2").await;
    let who = head_office();
    // A sort of some 35 MB takes twice that to keep in memory: it spills, and gives every row.
    let sorted = ask(
        &app,
        &who,
        "SELECT a.transaction_id, b.channel_code, repeat(a.transaction_id, 12) AS wide FROM warehouse.fact_transaction a
         CROSS JOIN warehouse.dim_channel b ORDER BY wide DESC, b.channel_code",
    )
    .await
    .unwrap();
    let count = async |table: &str| -> usize {
        rows(&app, &who, &format!("SELECT COUNT(*) FROM warehouse.{table}")).await[0].parse().unwrap()
    };
    assert_eq!(sorted.rows(), count("fact_transaction").await * count("dim_channel").await);
    // A hash join's build side cannot spill.
    let error = refusal(
        &app,
        &who,
        "SELECT COUNT(*) FROM (SELECT repeat(transaction_id, 60) || x AS k FROM warehouse.fact_transaction
           CROSS JOIN (VALUES ('a'), ('b'), ('c'), ('d'), ('e'), ('f'), ('g'), ('h')) v(x)) a
         JOIN (SELECT repeat(transaction_id, 60) || x AS k FROM warehouse.fact_transaction
           CROSS JOIN (VALUES ('a'), ('b'), ('c'), ('d'), ('e'), ('f'), ('g'), ('h')) w(x)) b ON a.k = b.k",
    )
    .await;
    assert_eq!(error.code(), Code::Memory, "{error:?}");
}

#[tokio::test]
async fn a_statement_keeps_the_snapshot_it_was_asked_at() {
    let app = app().await;
    let who = head_office();
    let mut old = Statement::new("SELECT MAX(business_date), SUM(balance) FROM deposits");
    old.snapshot = Some(1);
    let first = app.services.door.collect(&who, Face::Http, old, 10).await.unwrap();
    assert_eq!(first.snapshot_id, 1);
    assert!(text(&first)[0].starts_with("2025-11-30|"), "{:?}", text(&first));
    let newest = rows(&app, &who, "SELECT MAX(business_date) FROM deposits").await;
    assert_eq!(newest, ["2025-12-31"]);
}

#[tokio::test]
async fn an_error_names_the_place_in_the_statement() {
    let app = app().await;
    for (sql, expected) in [
        ("SELECT brnch,\n  SUM(balance) FROM deposits GROUP BY brnch", "did you mean `branch` (line 1, column 8)"),
        ("SELECT SUM(balance)\nFROM deposit", "(line 2, column 6)"),
        ("SELECT branch\n\nFROM deposits WHERE )", "found: ) at Line: 3, Column: 21"),
    ] {
        let error = app.services.door.prepare(&head_office(), Face::Http, Statement::new(sql)).await.unwrap_err();
        assert!(error.message().contains(expected), "{sql}: {}", error.message());
    }
}

/// What is announced is what the analyzer settles on, not what a branch looks like before it.
#[tokio::test]
async fn whole_numbers_beside_money_lose_no_fen() {
    let (app, who) = (app().await, head_office());
    for (sql, expected) in [
        ("SELECT 0 AS a UNION ALL SELECT CAST(1.25 AS DECIMAL(18,2)) ORDER BY a", vec!["0.00", "1.25"]),
        ("SELECT CASE WHEN x > 1 THEN 0 ELSE 1.75 END FROM (VALUES (1), (2)) t (x) ORDER BY 1", vec!["0.00", "1.75"]),
        ("SELECT SUM(CASE WHEN x > 1 THEN 0 ELSE y END) FROM (VALUES (1, 1.75), (2, 2.50)) t (x, y)", vec!["1.75"]),
        ("SELECT COALESCE(NULLIF(x, 1), 1.5) FROM (VALUES (1)) t (x)", vec!["1.5"]),
    ] {
        assert_eq!(rows(&app, &who, sql).await, expected, "{sql}");
    }
    // Also while its parameters are not known yet.
    let sql = "SELECT CASE WHEN x > $1 THEN 0 ELSE 1.75 END AS a FROM (VALUES (1), (2)) t (x)";
    let prepared = app.services.door.prepare(&who, Face::Http, Statement::new(sql)).await.unwrap();
    let bound =
        prepared.bind(RecordBatch::try_from_iter([("1", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]).unwrap());
    assert_eq!(prepared.schema(), bound.await.unwrap().schema());
}

#[tokio::test]
async fn a_parameter_may_be_a_limit_and_may_meet_two_columns() {
    let (app, who) = (app().await, head_office());
    let door = &app.services.door;
    let prepared = door
        .prepare(&who, Face::Http, Statement::new("SELECT 1 FROM (VALUES (1), (2), (3)) t LIMIT $1"))
        .await
        .unwrap();
    assert_eq!(*prepared.parameter_schema().field(0).data_type(), arrow::datatypes::DataType::Int64);
    let two = RecordBatch::try_from_iter([("1", Arc::new(Int64Array::from(vec![2])) as ArrayRef)]).unwrap();
    let answer = door.run(prepared.bind(two).await.unwrap()).await.unwrap();
    let batches: Vec<_> = answer.rows.collect().await;
    assert_eq!(batches.into_iter().map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2);

    let sql = "SELECT branch, SUM(balance) FROM deposits WHERE month >= $since AND account_opened_on >= $since GROUP BY branch";
    let prepared = door.prepare(&who, Face::Report, Statement::new(sql)).await.unwrap();
    assert_eq!(prepared.parameter_schema().fields().len(), 1);
    let clash = "SELECT 1 FROM (VALUES (1, DATE '2025-01-01')) t (a, b) WHERE a = $x AND b = $x";
    let error = door.prepare(&who, Face::Http, Statement::new(clash)).await.unwrap_err();
    assert!(error.message().contains("is used as"), "{error}");
}
