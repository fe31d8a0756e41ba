use arrow::array::{Date32Array, Int64Array, StringArray};
use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::MemTable;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::{collect, displayable};
use datafusion::prelude::SessionConfig;

use super::*;

/// A fact table in two partitions with keys that are null, unknown or of the wrong kind, and dimensions of every shape.
fn session() -> SessionState {
    let config = SessionConfig::new().with_target_partitions(2);
    let session = super::super::builder().with_config(config).build();
    let schema = session.catalog_list().catalog("datafusion").unwrap().schema("public").unwrap();
    let add = |name: &str, columns: Vec<(&str, ArrayRef)>, parts: usize| {
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
        let size = batch.num_rows().div_ceil(parts).max(1);
        let slices = (0..parts).map(|part| batch.slice(part * size, size.min(batch.num_rows() - part * size)));
        let table = MemTable::try_new(batch.schema(), slices.map(|slice| vec![slice]).collect()).unwrap();
        schema.register_table(name.to_owned(), Arc::new(table)).unwrap();
    };
    let numbers =
        |of: &dyn Fn(i64) -> Option<i64>, count: i64| Arc::new((0..count).map(of).collect::<Int64Array>()) as ArrayRef;
    let words = |of: &dyn Fn(i64) -> Option<String>, count: i64| {
        Arc::new((0..count).map(of).collect::<StringArray>()) as ArrayRef
    };
    add(
        "facts",
        vec![
            ("id", numbers(&Some, 30_000)),
            ("a", numbers(&|n| (n % 13 != 0).then_some(n * 7 % 1010 - 5), 30_000)),
            ("b", numbers(&|n| (n % 11 != 0).then_some(n * 31 % 55), 30_000)),
            ("d", Arc::new((0..30_000).map(|n| (n % 17 != 0).then_some(n % 400)).collect::<Date32Array>())),
            ("amount", numbers(&|n| Some(n % 97), 30_000)),
        ],
        2,
    );
    // 1000 members, two of them without a key.
    let key = |n: i64| (n % 600 != 599).then_some(n);
    let group = |n: i64| Some(format!("group {}", n % 10));
    add(
        "a",
        vec![("key", numbers(&key, 1000)), ("name", words(&group, 1000)), ("b", numbers(&|n| Some(n % 50), 1000))],
        1,
    );
    add("b", vec![("key", numbers(&Some, 50)), ("name", words(&|n| (n % 7 > 0).then(|| format!("b{n}")), 50))], 1);
    let days = Arc::new((0..365).map(Some).collect::<Date32Array>()) as ArrayRef;
    add("d", vec![("key", days), ("month", numbers(&|n| Some(n / 31), 365))], 1);
    add("twice", vec![("key", numbers(&|n| Some(n / 2), 100)), ("name", words(&group, 100))], 1);
    add("sparse", vec![("key", numbers(&|n| Some(n * 1_000_000_007), 50)), ("name", words(&group, 50))], 1);
    add("empty", vec![("key", numbers(&Some, 0)), ("name", words(&group, 0))], 1);
    session
}

async fn answers(session: &SessionState, sql: &str) -> (String, String, bool) {
    let plan = session.create_logical_plan(sql).await.unwrap();
    let run = async |fused: bool| {
        let physical = session.create_physical_plan(&plan).await.unwrap();
        let physical = if fused { fuse(physical).unwrap() } else { physical };
        let shown = displayable(physical.as_ref()).indent(false).to_string();
        let rows = collect(physical, session.task_ctx()).await.unwrap();
        (pretty_format_batches(&rows).unwrap().to_string(), shown)
    };
    let ((plain, _), (fused, shown)) = (run(false).await, run(true).await);
    (plain, fused, shown.contains("StarExec"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_pass_gives_what_the_joins_give() {
    let session = session();
    let all = "id, facts.amount, a.name, b.name, d.month";
    for (sql, fuses) in [
        // Every row, labelled or not.
        (format!("SELECT {all} FROM facts LEFT JOIN a ON a = a.key LEFT JOIN b ON facts.b = b.key LEFT JOIN d ON d = d.key"), true),
        (format!("SELECT {all} FROM facts JOIN a ON a = a.key JOIN b ON facts.b = b.key JOIN d ON d = d.key"), true),
        (
            format!(
                "SELECT {all} FROM facts LEFT JOIN a ON a = a.key LEFT JOIN b ON facts.b = b.key LEFT JOIN d ON d = d.key \
                 WHERE a.name IN ('group 3', 'group 4') AND (b.name IS NULL OR b.name < 'b3') AND d.month = 2"
            ),
            true,
        ),
        ("SELECT id FROM facts JOIN a ON a = a.key JOIN b ON facts.b = b.key WHERE a.name = 'group 1' AND b.name = 'b8'".into(), true),
        ("SELECT 1 AS id FROM facts JOIN a ON a = a.key WHERE a.name = 'group 1'".into(), true),
        ("SELECT COUNT(*) AS id FROM facts JOIN a ON a = a.key JOIN d ON d = d.key WHERE month < 3".into(), true),
        // A member of a member.
        ("SELECT id, b.name FROM facts JOIN a ON a = a.key JOIN b ON a.b = b.key WHERE a.name = 'group 9'".into(), true),
        // Nothing matches; nothing is there.
        ("SELECT id FROM facts JOIN a ON a = a.key WHERE a.name = 'none'".into(), true),
        ("SELECT id FROM facts JOIN a ON a = a.key JOIN empty ON facts.b = empty.key".into(), false),
        ("SELECT id, empty.name FROM facts JOIN a ON a = a.key LEFT JOIN empty ON facts.b = empty.key".into(), true),
        // Keys that are not unique, or far apart: the joins themselves.
        ("SELECT id, twice.name FROM facts JOIN twice ON a = twice.key JOIN b ON facts.b = b.key".into(), true),
        ("SELECT id, sparse.name FROM facts LEFT JOIN sparse ON a = sparse.key JOIN b ON facts.b = b.key".into(), true),
    ] {
        let sql = if sql.contains("COUNT") { sql } else { format!("SELECT * FROM ({sql}) ORDER BY 1, 2").replace("ORDER BY 1, 2", if sql.starts_with("SELECT id FROM") || sql.starts_with("SELECT 1") { "ORDER BY 1" } else { "ORDER BY 1, 2" }) };
        let (plain, fused, is_star) = answers(&session, &sql).await;
        assert!(plain.lines().count() > 3 || sql.contains("none") || sql.contains("empty"), "{sql}: {plain}");
        assert_eq!(plain, fused, "{sql}");
        assert!(is_star || !fuses, "{sql}");
    }
}

/// Partitions share out the files of a scan as they run: where the chain runs instead, it is one for all of them.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_not_unique_meet_each_row_of_the_files_once() {
    let (session, _store) = crate::engine::hot::tests::table_of(200_000, 50_000).await;
    let ids = (0..2000_i64).map(|n| n / 2 * 100 * 70_001);
    let ids = RecordBatch::try_from_iter([("key", Arc::new(ids.collect::<Int64Array>()) as ArrayRef)]).unwrap();
    let keys = MemTable::try_new(ids.schema(), vec![vec![ids]]).unwrap();
    let schema = session.catalog_list().catalog("datafusion").unwrap().schema("public").unwrap();
    schema.register_table("keys".to_owned(), Arc::new(keys)).unwrap();
    let sql = "SELECT COUNT(*), SUM(id), COUNT(word) FROM t JOIN keys ON id = key";
    let plan = session.create_logical_plan(sql).await.unwrap();
    let physical = session.create_physical_plan(&plan).await.unwrap();
    let shown = displayable(physical.as_ref()).indent(false).to_string();
    assert!(shown.contains("file_groups={2 groups"), "{shown}");
    let (plain, fused, is_fused) = answers(&session, sql).await;
    assert!(is_fused);
    assert_eq!(fused, plain);
}
