//! What no statement may do, whoever asks. Each is refused with its code, and the server answers the next one.

use countinghouse::app::App;
use countinghouse::auth::Principal;
use countinghouse::error::Code;

use super::bank::{app, ask, branch, head_office, refusal, rows};

/// Both see a statement refused with the code, and an ordinary one answered afterwards.
async fn refused(statements: impl IntoIterator<Item = (String, Code)>) {
    let app = app().await;
    let both = [branch("beijing"), head_office()];
    for (sql, code) in statements {
        let shown: String = sql.chars().take(200).collect();
        for who in &both {
            let error = refusal(&app, who, &sql).await;
            assert_eq!(error.code(), code, "{shown} of {}: {error:?}", who.name);
            assert!(error.message().len() < 1000, "{shown}: {}", error.message());
        }
    }
    for who in &both {
        answers(&app, who).await;
    }
}

async fn answers(app: &App, who: &Principal) {
    assert_eq!(rows(app, who, "SELECT COUNT(*) > 0 FROM deposits").await, ["true"]);
}

fn all(code: Code, statements: &[&str]) -> Vec<(String, Code)> {
    statements.iter().map(|sql| ((*sql).to_owned(), code)).collect()
}

/// LT-15.
#[tokio::test]
async fn what_is_no_query_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.csv");
    let target = target.to_str().unwrap();
    let mut statements = all(
        Code::ReadOnly,
        &[
            "CREATE TABLE t (a INT)",
            "CREATE TABLE t AS SELECT 1",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
            "CREATE VIEW v AS SELECT 1",
            "CREATE FUNCTION f(INT) RETURNS INT RETURN $1",
            "CREATE SCHEMA s",
            "CREATE DATABASE d",
            "ALTER TABLE deposits ADD COLUMN a INT",
            "DROP TABLE deposits",
            "DROP VIEW deposits",
            "DROP SCHEMA beijing CASCADE",
            "DROP FUNCTION f",
            "INSERT INTO deposits VALUES (1)",
            "INSERT INTO deposits SELECT * FROM deposits",
            "UPDATE deposits SET balance = 0",
            "DELETE FROM deposits",
            "MERGE INTO deposits USING deposits AS d ON true WHEN MATCHED THEN DELETE",
            "TRUNCATE TABLE deposits",
            "SET datafusion.execution.batch_size = 1",
            "SET datafusion.runtime.memory_limit = '1K'",
            "RESET datafusion.execution.batch_size",
            "USE head_office",
            "PREPARE p AS SELECT 1",
            "EXECUTE p",
            "DEALLOCATE p",
            "BEGIN",
            "START TRANSACTION",
            "COMMIT",
            "ROLLBACK",
            "SHOW TABLES",
            "SHOW ALL",
            "SHOW COLUMNS FROM deposits",
            "GRANT SELECT ON deposits TO beijing",
            "EXPLAIN CREATE TABLE t AS SELECT 1",
            "EXPLAIN DROP TABLE deposits",
        ],
    );
    statements.extend(all(
        Code::NotAllowed,
        &[
            "DESCRIBE deposits",
            "EXPLAIN ANALYZE SELECT 1",
            "EXPLAIN VERBOSE SELECT 1",
            "EXPLAIN FORMAT TREE SELECT 1",
            "EXPLAIN EXPLAIN SELECT 1",
        ],
    ));
    statements.extend([
        (format!("COPY (SELECT 1) TO '{target}'"), Code::ReadOnly),
        (format!("COPY deposits TO '{target}' STORED AS PARQUET"), Code::ReadOnly),
        (format!("EXPLAIN COPY (SELECT 1) TO '{target}'"), Code::ReadOnly),
        (format!("EXPLAIN ANALYZE COPY (SELECT 1) TO '{target}'"), Code::NotAllowed),
    ]);
    refused(statements).await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// LT-16.
#[tokio::test]
async fn a_query_does_not_hide_what_is_none() {
    let mut statements = all(
        Code::ReadOnly,
        &[
            "SELECT 1 INTO t",
            "SELECT 1 UNION SELECT 1 INTO t",
            "SELECT * FROM (SELECT 1 INTO t) AS a",
            "SELECT 1; SELECT 2",
            "SELECT 1; DROP TABLE deposits",
            "SELECT 1 /* ; */; DROP TABLE deposits",
            "SELECT 1 -- that was all\n; DROP TABLE deposits",
            "/* SELECT 1 */ DROP TABLE deposits",
            "WITH a AS (INSERT INTO deposits VALUES (1)) SELECT 1",
            "WITH a AS (UPDATE deposits SET balance = 0) SELECT 1",
            "WITH a AS (DELETE FROM deposits) SELECT 1",
        ],
    );
    statements.extend(all(
        Code::NotAllowed,
        &[
            "WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a) SELECT * FROM a",
            "SELECT * FROM (WITH RECURSIVE a AS (SELECT 1) SELECT * FROM a) AS b",
            "SELECT * FROM deposits FOR UPDATE",
        ],
    ));
    refused(statements).await;
    let app = app().await;
    for sql in ["SELECT 1 -- ; DROP TABLE deposits", "SELECT 1 /* ; DROP TABLE deposits */;"] {
        assert_eq!(rows(&app, &branch("beijing"), sql).await, ["1"]);
    }
    assert_eq!(rows(&app, &branch("beijing"), "SELECT '; DROP TABLE deposits'").await, ["; DROP TABLE deposits"]);
}

/// LT-17.
#[tokio::test]
async fn paths_and_urls_are_unknown_names() {
    let places = [
        "/etc/passwd",
        "x.parquet",
        "../catalog.db",
        "file:///etc/passwd",
        "s3://other/x.parquet",
        "http://169.254.169.254/latest/meta-data/",
        "countinghouse://warehouse/",
    ];
    let quoted = places.iter().flat_map(|place| [format!("'{place}'"), format!("\"{place}\"")]);
    refused(quoted.map(|place| (format!("SELECT * FROM {place}"), Code::NoSuchObject))).await;
}

/// LT-18.
#[tokio::test]
async fn functions_that_read_files_are_unknown() {
    refused(all(
        Code::SqlPlan,
        &[
            "SELECT * FROM read_csv('/etc/passwd')",
            "SELECT * FROM read_parquet('x.parquet')",
            "SELECT * FROM parquet_metadata('x.parquet')",
            "SELECT input_file_name() FROM deposits",
            "SELECT file_row_index() FROM deposits",
            "SELECT version()",
            "SELECT arrow_metadata(month) FROM deposits LIMIT 1",
            "SELECT with_metadata(1, 'a', 'b')",
            "SELECT random()",
            "SELECT uuid()",
        ],
    ))
    .await;
}

/// LT-20.
#[tokio::test]
async fn values_that_outgrow_their_arguments_are_refused_before_they_are_made() {
    let mut statements = all(
        Code::SqlPlan,
        &[
            "SELECT * FROM generate_series(1, 1000000000)",
            "SELECT * FROM range(1, 1000000000)",
            "SELECT generate_series(1, 1000000000)",
            "SELECT range(1, 1000000000)",
            "SELECT array_repeat('x', 100000000)",
            "SELECT array_resize(make_array(1), 100000000, 1)",
            "SELECT array_transform(make_array(1), x -> x)",
            "SELECT levenshtein('a', 'b')",
            "SELECT arrow_cast(NULL, 'FixedSizeList(1000000000, Int64)')",
        ],
    );
    statements.extend(all(
        Code::Limit,
        &[
            "SELECT repeat('x', 100000000)",
            "SELECT repeat('x', 9223372036854775807)",
            "SELECT lpad('x', 100000000)",
            "SELECT rpad('x', 100000000, '余')",
            "SELECT replace(replace(replace(repeat('x', 1000), 'x', repeat('x', 1000)), 'x', repeat('x', 1000)), 'x', 'yy')",
            "SELECT replace('aaaa', '', repeat('x', 60000))",
            "SELECT regexp_replace(repeat('a', 60000), 'a', repeat('b', 60000), 'g')",
            "SELECT regexp_replace(repeat('a', 60000), '.*', '\\0\\0\\0')",
            "SELECT to_char(DATE '2025-12-31', repeat('%c', 30000))",
            "SELECT length(repeat(customer_name, 60000)) FROM deposits_detail LIMIT 10",
            "SELECT string_agg(repeat('x', 20000), ',') FROM deposits_detail",
            "SELECT string_agg(customer_name, repeat('-', 10000)) FROM deposits_detail",
            "SELECT array_agg(repeat('x', 20000)) FROM deposits_detail",
        ],
    ));
    statements.extend(all(Code::NotAllowed, &["SELECT CAST(NULL AS BIGINT[1000000000])", "SELECT NULL::BIGINT[][]"]));
    refused(statements).await;

    let app = app().await;
    let ordinary = [
        ("repeat('ab', 3)", "ababab"),
        ("length(repeat('x', 65536))", "65536"),
        ("lpad('7', 3, '0')", "007"),
        ("rpad('余', 3, '额')", "余额额"),
        ("replace('2025-12-31', '-', '年')", "2025年12年31"),
        ("length(replace(repeat('x', 60000), 'xx', 'x'))", "30000"),
        ("regexp_replace('a-b-c', '-(.)', '+\\1', 'g')", "a+b+c"),
        ("to_char(DATE '2025-12-31', '%Y/%m')", "2025/12"),
        ("date_format(DATE '2025-12-31', '%d')", "31"),
    ];
    for (expression, value) in ordinary {
        assert_eq!(rows(&app, &branch("beijing"), &format!("SELECT {expression}")).await, [value], "{expression}");
    }
    let letters = "(VALUES ('b', 1), ('a', 1), (NULL, 1), ('b', 1), ('c', 2)) AS t(letter, part)";
    for (aggregate, values) in [
        ("string_agg(letter, '+' ORDER BY letter)", ["1|a+b+b", "2|c"]),
        ("string_agg(letter, '+' ORDER BY letter DESC)", ["1|b+b+a", "2|c"]),
        ("string_agg(DISTINCT letter, '+' ORDER BY letter)", ["1|a+b", "2|c"]),
        ("array_agg(letter ORDER BY letter NULLS FIRST)", ["1|[, a, b, b]", "2|[c]"]),
        ("array_agg(letter ORDER BY letter) FILTER (WHERE letter > 'a')", ["1|[b, b]", "2|[c]"]),
    ] {
        let sql = format!("SELECT part, {aggregate} FROM {letters} GROUP BY part ORDER BY part");
        assert_eq!(rows(&app, &branch("beijing"), &sql).await, values, "{aggregate}");
    }
}

/// LT-21.
#[tokio::test]
async fn a_text_that_is_doubled_again_and_again_ends_at_its_limit_and_others_go_on() {
    let app = app().await;
    let steps: Vec<String> = (0..30).map(|n| format!("t{} AS (SELECT s || s AS s FROM t{n})", n + 1)).collect();
    let doubled = format!("WITH t0 AS (SELECT 'x' AS s), {} SELECT length(s) FROM t30", steps.join(", "));
    let concat = doubled.replace("s || s", "concat(s, s)");
    for sql in [doubled.as_str(), concat.as_str()] {
        let (one, another) = (branch("beijing"), head_office());
        let (refused, other) = tokio::join!(ask(&app, &one, sql), rows(&app, &another, "SELECT 41 + 1"));
        assert_eq!(refused.unwrap_err().code(), Code::Limit, "{sql}");
        assert_eq!(other, ["42"]);
    }
}

/// LT-22, and others that nest as deep or grow as fast.
#[tokio::test]
async fn statements_out_of_all_shape_are_refused() {
    let doubled: String =
        (1..60).map(|n| format!(", a{n} AS (SELECT * FROM a{} UNION ALL SELECT * FROM a{0})", n - 1)).collect();
    let many = |count: usize| vec!["1"; count].join(", ");
    refused([
        (format!("SELECT branch_code, COUNT(*) FROM deposits GROUP BY CUBE ({})", many(20)), Code::NotAllowed),
        (format!("SELECT 1 WHERE 1 IN ({})", many(100_000)), Code::NotAllowed),
        (format!("SELECT 1 WHERE 1 IN ({})", many(2_001)), Code::NotAllowed),
        (format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000)), Code::SqlSyntax),
        (format!("SELECT '{}'", "x".repeat(1 << 20)), Code::NotAllowed),
        (format!("SELECT COUNT(*) FROM deposits_detail a0{}", ", deposits_detail".repeat(17)), Code::NotAllowed),
        (format!("WITH a0 AS (SELECT 1 AS x){doubled} SELECT COUNT(*) FROM a59"), Code::NotAllowed),
        (format!("SELECT 1{}", " + 1".repeat(16_000)), Code::NotAllowed),
        (format!("SELECT 1{}", "::INT".repeat(13_000)), Code::NotAllowed),
        (format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(3_400)), Code::NotAllowed),
        (format!("SELECT CAST(NULL AS INT{})", "[]".repeat(32_000)), Code::NotAllowed),
        (format!("SELECT CAST(NULL AS {}INT{})", "ARRAY<".repeat(9_000), ">".repeat(9_000)), Code::NotAllowed),
        (format!("SELECT {}'1 day'", "INTERVAL ".repeat(7_000)), Code::NotAllowed),
        (format!("SELECT {}", "CAST(".repeat(40)), Code::SqlSyntax),
        (format!("SELECT {}", "INTERVAL ".repeat(7_000)), Code::SqlSyntax),
        (format!("{}SELECT 1", "EXPLAIN ".repeat(8_000)), Code::NotAllowed),
        (format!("DELETE FROM deposits WHERE balance = 1{}", " + 1".repeat(16_000)), Code::ReadOnly),
    ])
    .await;
}

/// What is as large as it may be is still answered, on a stack as deep as the server's.
#[test]
fn statements_at_their_limits_are_answered() {
    let chain = |length: usize, body: &str| {
        let names = (1..length).map(|n| format!(", a{n} AS ({})", body.replace('?', &format!("a{}", n - 1))));
        format!("WITH a0 AS (SELECT 1 AS x){} SELECT COUNT(*) FROM a{}", names.collect::<String>(), length - 1)
    };
    let values = (1..=2000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let statements = [
        (format!("SELECT 1{}", " + 1".repeat(256)), "257"),
        (
            format!("SELECT COUNT(*) > 0 FROM deposits WHERE branch_code = 'beijing'{}", " OR tier = 'x'".repeat(254)),
            "true",
        ),
        (format!("SELECT COUNT(*) FROM (SELECT 1{}) AS t", " UNION ALL SELECT 1".repeat(64)), "65"),
        (format!("SELECT 7 IN ({values})"), "true"),
        (chain(255, "SELECT x + 1 AS x FROM ?"), "1"),
        (chain(7, "SELECT x FROM ? UNION ALL SELECT x FROM ?"), "64"),
        (chain(7, "SELECT (SELECT x FROM ?) + (SELECT x FROM ?) AS x"), "1"),
        (format!("SELECT COUNT(*) FROM (VALUES (1){}) AS t", ", (1)".repeat(999)), "1000"),
        (
            "SELECT COUNT(*) FROM (SELECT 1 FROM (VALUES (1, 2, 3, 4, 5, 6, 7, 8)) AS t (a, b, c, d, e, f, g, h) \
             GROUP BY CUBE (a, b, c, d, e, f, g, h))"
                .to_owned(),
            "256",
        ),
    ];
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let app = app().await;
            for (sql, answer) in statements {
                let shown: String = sql.chars().take(100).collect();
                assert_eq!(rows(&app, &branch("beijing"), &sql).await, [answer], "{shown}");
            }
        });
    };
    std::thread::Builder::new().stack_size(8 << 20).spawn(run).unwrap().join().unwrap();
}
