//! The door: records, parameters, deadlines, budgets, cancellation, and the schema that is announced.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampNanosecondArray,
};
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

/// Rounded to what a column holds, a value would ask something else, and nobody would be told.
#[tokio::test]
async fn a_parameter_is_taken_exactly_or_refused() {
    let (app, who) = (app().await, head_office());
    let door = &app.services.door;
    let count = async |condition: &str, value: ArrayRef| {
        let mut statement = Statement::new(format!(
            "SELECT COUNT(*) FROM (VALUES (CAST(1.50 AS DECIMAL(18,2)), 7, DATE '2025-12-31', \
             TIMESTAMP '2025-12-31 00:00:00')) AS t (amount, number, opened, moment) WHERE {condition}"
        ));
        statement.parameters = Some(RecordBatch::try_from_iter([("1", value)]).unwrap());
        door.collect(&who, Face::Http, statement, 10).await.map(|answer| text(&answer).concat())
    };
    let decimal = |value: i128, scale: i8| -> ArrayRef {
        Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(20, scale).unwrap())
    };
    let texts = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let float = |value: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![value])) };
    let nanos = |value: i64| -> ArrayRef { Arc::new(TimestampNanosecondArray::from(vec![value])) };
    let midnight = 20_453 * 86_400_000_000_000;
    for (condition, value) in [
        ("amount = $1", decimal(15_000, 4)),
        ("amount = $1", float(1.5)),
        ("amount = $1", texts("1.500")),
        ("number = $1", float(7.0)),
        ("number = $1", decimal(70, 1)),
        ("opened = $1", nanos(midnight)),
        ("moment = $1", nanos(midnight)),
        // With a type that holds it a finer value is compared as it is.
        ("amount < CAST($1 AS DECIMAL(20,4))", decimal(15_001, 4)),
    ] {
        assert_eq!(count(condition, value).await.unwrap(), "1", "{condition}");
    }
    for (condition, value) in [
        ("amount = $1", decimal(15_001, 4)),
        ("amount < $1", decimal(15_049, 4)),
        ("amount = $1", float(1.501)),
        ("amount = $1", texts("1.501")),
        ("number = $1", float(7.5)),
        ("number = $1", decimal(71, 1)),
        ("opened = $1", nanos(midnight + 1)),
        ("opened = $1", texts("2025-12-31T12:00:00")),
    ] {
        let error = count(condition, value).await.unwrap_err();
        assert_eq!(error.code(), Code::BadRequest, "{condition}: {error:?}");
        assert!(error.message().contains("`$1` would be rounded or cut"), "{condition}: {error}");
    }
}

/// What no plan can be made of is told to its writer, before anything runs.
#[tokio::test]
async fn a_subquery_that_is_no_condition_is_refused() {
    let (app, who) = (app().await, head_office());
    let row_of = "(SELECT 1 FROM warehouse.dim_org o WHERE o.org_id = p.product_id)";
    for sql in [
        "SELECT EXISTS (SELECT 1 FROM warehouse.dim_org) AS a".to_owned(),
        format!("SELECT p.product_id, EXISTS {row_of} AS a FROM warehouse.dim_product p"),
        format!("SELECT CASE WHEN EXISTS {row_of} THEN 1 END AS a FROM warehouse.dim_product p"),
        format!("SELECT COUNT(*) FROM warehouse.dim_product p GROUP BY EXISTS {row_of}"),
        format!("SELECT SUM(1) OVER (PARTITION BY EXISTS {row_of}) FROM warehouse.dim_product p"),
        "SELECT x, x IN (SELECT org_sk FROM warehouse.dim_org) AS a FROM (VALUES (1)) t (x)".to_owned(),
        "SELECT CASE WHEN 1 = ANY (SELECT 1) THEN 2 END".to_owned(),
        "SELECT (SELECT RANK() OVER (ORDER BY o.org_sk) FROM warehouse.dim_org o WHERE o.org_id = p.product_id LIMIT 1)
         FROM warehouse.dim_product p"
            .to_owned(),
    ] {
        let refused = app.services.door.prepare(&who, Face::Flight, Statement::new(&sql)).await;
        let error = refused.err().unwrap_or_else(|| panic!("{sql} is planned"));
        assert_eq!(error.code(), Code::SqlPlan, "{sql}: {error:?}");
        assert!(!error.message().contains("DataFusion") && !error.message().contains("Subquery"), "{sql}: {error}");
    }
    // Of 13 products the unknown one is among the organisations, too.
    for (sql, expected) in [
        (
            format!("SELECT COUNT(*) FROM warehouse.dim_product p WHERE NOT EXISTS {row_of} OR p.product_id = 'D1'"),
            "12",
        ),
        (
            "SELECT MAX(n) FROM (SELECT ROW_NUMBER() OVER (ORDER BY a.x, b.y) AS n FROM (VALUES (1), (2)) a (x)
          CROSS JOIN (VALUES (1), (2), (3)) b (y)) t"
                .to_owned(),
            "6",
        ),
        (
            "SELECT MAX(n) FROM (SELECT RANK() OVER (PARTITION BY a.product_id ORDER BY b.product_id) AS n
          FROM warehouse.dim_product a CROSS JOIN warehouse.dim_product b) t"
                .to_owned(),
            "13",
        ),
    ] {
        assert_eq!(rows(&app, &who, &sql).await, [expected], "{sql}");
    }
}

/// A limit keeps its code through the layers that repartitioned groups put around it.
#[tokio::test]
async fn a_limit_within_groups_is_a_limit() {
    let (app, _folder, _state) = app_with("target_partitions: 4").await;
    let who = head_office();
    for sql in [
        "SELECT product_id, COUNT(repeat(product_id, 100000)) FROM warehouse.dim_product GROUP BY product_id",
        "SELECT branch_code, MAX(repeat(transaction_id, 50000)) FROM warehouse.fact_transaction GROUP BY branch_code",
        "SELECT DISTINCT repeat(product_id, 100000) FROM warehouse.dim_product",
        "SELECT product_id FROM warehouse.dim_product ORDER BY repeat(product_id, 100000)",
        "SELECT branch_code, string_agg(repeat(transaction_id, 1000), ',') FROM warehouse.fact_transaction
         GROUP BY branch_code",
    ] {
        let error = refusal(&app, &who, sql).await;
        assert_eq!(error.code(), Code::Limit, "{sql}: {error:?}");
        assert!(error.message().contains("KiB") || error.message().contains("MiB"), "{sql}: {error}");
    }
    // Division and casts within groups, as well.
    let divided =
        "SELECT branch_code, SUM(1 / (account_sk - account_sk)) FROM warehouse.fact_balance_monthly GROUP BY 1";
    assert_eq!(refusal(&app, &who, divided).await.code(), Code::Evaluation);
}

/// The rows behind a cube in an order by an expression, on several cores.
#[tokio::test]
async fn rows_behind_a_cube_come_in_any_order() {
    let (app, _folder, _state) = app_with("target_partitions: 4").await;
    let who = head_office();
    let sql = "SELECT branch, product, end_balance FROM deposits_detail ORDER BY length(branch), product, end_balance";
    let all = rows(&app, &who, sql).await;
    assert_eq!([all.len().to_string()].as_slice(), rows(&app, &who, "SELECT COUNT(*) FROM deposits_detail").await);
    let key = |row: &String| {
        let mut values = row.split('|').map(str::to_owned);
        (values.next().unwrap().chars().count(), values.next().unwrap())
    };
    assert!(all.is_sorted_by_key(key), "an order was lost");
}

/// How long a statement waited for its place is in its record; one that got none has a record too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_is_recorded() {
    let (app, _folder, _state) = app_with("concurrent: 1, deadline_seconds: 2").await;
    let (who, door) = (head_office(), &app.services.door);
    let all = "SELECT a.* FROM warehouse.fact_transaction a CROSS JOIN warehouse.dim_org";
    let running = door.query(&who, Face::Http, Statement::new(all)).await.unwrap();
    assert_eq!(refusal(&app, &who, "SELECT 1 AS refused").await.code(), Code::Queue);
    // Planned before, so that it only waits.
    let waiting = door.prepare(&who, Face::Flight, Statement::new("SELECT 1 AS waited")).await.unwrap();
    let mut waiting = Box::pin(door.run(waiting));
    let still = tokio::time::timeout(Duration::from_millis(100), &mut waiting).await;
    assert!(still.is_err(), "the only place is taken");
    drop(running);
    let answer = waiting.await.unwrap();
    let batches: Vec<_> = answer.rows.collect().await;
    assert!(batches.iter().all(Result::is_ok));
    let record = async |sql: &str| {
        let sql = format!(
            "SELECT status, error_code, queued_ms >= 90, queued_ms < 60000 FROM system.queries WHERE sql = '{sql}'"
        );
        rows(&app, &who, &sql).await
    };
    assert_eq!(record("SELECT 1 AS refused").await, ["refused|QUEUE|true|true"]);
    assert_eq!(record("SELECT 1 AS waited").await, ["ok||true|true"]);
}
