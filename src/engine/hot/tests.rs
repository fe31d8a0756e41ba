use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::pretty::pretty_format_batches;
use datafusion::catalog::TableProvider;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::{collect, displayable};
use datafusion::prelude::SessionConfig;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::*;
use crate::engine::scan::SnapshotTable;
use crate::engine::workers::Gauge;
use crate::warehouse::{DataFile, TableFiles};

const URL: &str = "countinghouse://test";

/// Two files of 20,000 rows with few words, many numbers and nulls in both.
async fn table() -> (SessionState, Arc<InMemory>) {
    table_of(20_000, 20_000).await
}

/// The same of so many rows, in row groups of so many.
pub(in crate::engine) async fn table_of(number: i64, group: usize) -> (SessionState, Arc<InMemory>) {
    let store = Arc::new(InMemory::new());
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("word", DataType::Utf8, true),
        Field::new("day", DataType::Date32, true),
        Field::new("month", DataType::Int32, true),
    ]));
    let inner = Arc::new(schema.project(&[0, 1, 2]).unwrap());
    let pages = WriterProperties::builder().set_data_page_row_count_limit(4000).set_write_batch_size(1000);
    let pages = pages.set_max_row_group_row_count(Some(group)).build();
    let mut files = Vec::new();
    for file in 0..2_i64 {
        let rows = 0..number;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.clone().map(|n| (n % 9 > 0).then_some(n * 70_001 + file)).collect::<Int64Array>()),
            Arc::new(rows.clone().map(|n| (n % 7 > 0).then(|| format!("w{}", n % 40))).collect::<StringArray>()),
            Arc::new(rows.map(|n| (n % 5 > 0).then_some((n % 400) as i32)).collect::<Date32Array>()),
        ];
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, Arc::clone(&inner), Some(pages.clone())).unwrap();
        writer.write(&RecordBatch::try_new(Arc::clone(&inner), columns).unwrap()).unwrap();
        writer.close().unwrap();
        let path = format!("t/month={}/{file}.parquet", 202_501 + file);
        let size = bytes.len() as u64;
        store.put(&path.as_str().into(), bytes.into()).await.unwrap();
        files.push(DataFile {
            path,
            size,
            rows: number as u64,
            branch: None,
            month: Some(202_501 + file as i32),
            min: Default::default(),
            max: Default::default(),
            nulls: Default::default(),
        });
    }
    let files = Arc::new(TableFiles { schema, partition_columns: vec!["month".to_owned()], files });
    let url = ObjectStoreUrl::parse(URL).unwrap();
    let session = super::super::builder().with_config(SessionConfig::new().with_target_partitions(2)).build();
    session.runtime_env().register_object_store(url.as_ref(), Arc::clone(&store) as Arc<dyn ObjectStore>);
    let provider = SnapshotTable::new(url, Arc::clone(&store) as Arc<dyn ObjectStore>, files, None);
    let schemas = session.catalog_list().catalog("datafusion").unwrap().schema("public").unwrap();
    schemas.register_table("t".to_owned(), Arc::new(provider) as Arc<dyn TableProvider>).unwrap();
    (session, store)
}

async fn planned(session: &SessionState, sql: &str, hot: Option<&Arc<Hot>>) -> Arc<dyn ExecutionPlan> {
    let plan = session.create_logical_plan(sql).await.unwrap();
    let physical = session.create_physical_plan(&plan).await.unwrap();
    match hot {
        Some(hot) => keep(physical, hot, Keep::All).unwrap(),
        None => physical,
    }
}

fn shown(plan: &Arc<dyn ExecutionPlan>) -> String {
    displayable(plan.as_ref()).indent(false).to_string()
}

async fn answer(session: &SessionState, plan: Arc<dyn ExecutionPlan>) -> String {
    pretty_format_batches(&collect(plan, session.task_ctx()).await.unwrap()).unwrap().to_string()
}

async fn rows(session: &SessionState, sql: &str, hot: Option<&Arc<Hot>>) -> String {
    let plan = planned(session, sql, hot).await;
    let small = hot.is_some_and(|hot| hot.small.capacity() > 0);
    assert_eq!(shown(&plan).contains("HotExec: small files"), small, "{}", shown(&plan));
    answer(session, plan).await
}

async fn delete_files(store: &InMemory) {
    for file in 0..2 {
        store.delete(&format!("t/month={}/{file}.parquet", 202_501 + file).as_str().into()).await.unwrap();
    }
}

#[tokio::test]
async fn rows_from_memory_are_those_of_the_files() {
    let (session, store) = table().await;
    let hot = Arc::new(Hot::new(64 << 20, 0));
    let conditions = [
        "word = 'w3'",
        "word IN ('w3', 'w4') AND day > DATE '1970-02-01'",
        "word IS NULL",
        "word IS NOT NULL AND month = 202502",
        "NOT (word = 'w3')",
        "id > 700000000",
        "upper(word) = 'W5' OR day IS NULL",
        "word LIKE 'w1%' AND CAST(substr(word, 2) AS BIGINT) = 11",
        "word = 'nowhere'",
        "true",
    ];
    let mut asked = Vec::new();
    for condition in conditions {
        for columns in ["COUNT(*), SUM(id)", "word, month, COUNT(*), MIN(day)"] {
            let grouped = if columns.starts_with("word") { "GROUP BY word, month ORDER BY word, month" } else { "" };
            let sql = format!("SELECT {columns} FROM t WHERE {condition} {grouped}");
            let plain = rows(&session, &sql, None).await;
            assert_eq!(rows(&session, &sql, Some(&hot)).await, plain, "{sql}");
            asked.push((sql, plain));
        }
    }
    assert_eq!(
        rows(&session, "SELECT COUNT(*) FROM t WHERE word = 'w3'", Some(&hot)).await.lines().nth(3),
        Some("| 858      |")
    );
    // The files are gone, and nobody notices.
    delete_files(&store).await;
    for (sql, plain) in asked {
        assert_eq!(rows(&session, &sql, Some(&hot)).await, plain, "{sql}");
    }
}

#[tokio::test]
async fn no_room_keeps_nothing() {
    let (session, _store) = table().await;
    let none = Arc::new(Hot::new(0, 0));
    let sql = "SELECT COUNT(*) FROM t WHERE word = 'w3'";
    assert_eq!(rows(&session, sql, Some(&none)).await, rows(&session, sql, None).await);
}

/// Statements that read all rows of the files that they read.
const WHOLE: &[&str] = &[
    "SELECT COUNT(id), SUM(id), MIN(word), MAX(day) FROM t",
    "SELECT word, month, COUNT(*), SUM(id) FROM t GROUP BY word, month ORDER BY word, month",
    "SELECT COUNT(*), SUM(id) FROM (SELECT id FROM t LIMIT 40000)",
    "SELECT COUNT(*), SUM(id) FROM (SELECT id, word FROM t UNION ALL SELECT id, word FROM t)",
    "SELECT day, COUNT(*) FROM t WHERE month = 202502 GROUP BY day ORDER BY day",
    "SELECT day, COUNT(*) FROM t WHERE month % 2 = 0 GROUP BY day ORDER BY day",
    // The days are not sorted: each page of a file can hold such.
    "SELECT COUNT(*), SUM(id), MAX(day) FROM t WHERE day > DATE '1970-02-01'",
];

/// Statements whose scans leave out parts of files.
const PARTS: &[&str] = &[
    "SELECT COUNT(*), SUM(id), MIN(id) FROM t WHERE id > 1200000000",
    "SELECT COUNT(*), SUM(id), MIN(id) FROM t WHERE id IN (70001, 140002) AND day IS NOT NULL",
    "SELECT COUNT(*), SUM(id), MIN(id) FROM t WHERE id < 0",
];

#[tokio::test]
async fn columns_from_memory_are_those_of_the_files() {
    let (session, store) = table().await;
    let hot = Arc::new(Hot::new(0, 64 << 20));
    let mut asked = Vec::new();
    for sql in WHOLE {
        let plain = rows(&session, sql, None).await;
        // Read and kept, then from memory.
        for _ in 0..2 {
            let plan = planned(&session, sql, Some(&hot)).await;
            assert!(shown(&plan).contains("HotExec: columns"), "{sql}: {}", shown(&plan));
            assert_eq!(answer(&session, plan).await, plain, "{sql}");
        }
        asked.push((sql, plain));
    }
    delete_files(&store).await;
    for (sql, plain) in asked {
        assert_eq!(rows(&session, sql, Some(&hot)).await, plain, "{sql}");
    }
    // The same columns in another set of them; what they are was never asked for together.
    let together =
        rows(&session, "SELECT COUNT(*) FROM (SELECT day, word, id, month FROM t) WHERE true", Some(&hot)).await;
    assert_eq!(together.lines().nth(3), Some("| 40000    |"));
    assert_eq!(hot.columns.underway(), 0);
}

#[tokio::test]
async fn files_cut_into_ranges_are_read_once() {
    let (session, _store) = table().await;
    let (hot, sql) = (Arc::new(Hot::new(0, 64 << 20)), "SELECT id, word FROM t");
    let scan = planned(&session, sql, None).await;
    let mut options = session.config_options().as_ref().clone();
    options.optimizer.repartition_file_min_size = 1;
    let cut = scan.repartitioned(2, &options).unwrap().expect("a scan can be cut");
    assert!(shown(&cut).matches(":0..").count() > 0, "{}", shown(&cut));
    let kept = keep(Arc::clone(&cut), &hot, Keep::All).unwrap();
    assert!(shown(&kept).contains("HotExec: columns"), "{}", shown(&kept));
    for _ in 0..2 {
        let rows = collect(keep(Arc::clone(&cut), &hot, Keep::All).unwrap(), session.task_ctx()).await.unwrap();
        assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 40_000);
    }
}

#[tokio::test]
async fn what_is_not_kept_is_left_to_the_scan() {
    let (session, _store) = table().await;
    let hot = Arc::new(Hot::new(0, 64 << 20));
    let plan = planned(&session, "SELECT id FROM t LIMIT 100", Some(&hot)).await;
    assert!(!shown(&plan).contains("HotExec"), "{}", shown(&plan));
    // Nor what is read once.
    let scan = planned(&session, "SELECT id FROM t", None).await;
    assert!(!shown(&keep(scan, &hot, Keep::Small).unwrap()).contains("HotExec"));
    // Nor what would find no room.
    let little = Arc::new(Hot::new(0, 100_000));
    let plan = planned(&session, "SELECT id FROM t", Some(&little)).await;
    assert!(!shown(&plan).contains("HotExec"), "{}", shown(&plan));
}

#[tokio::test]
async fn only_files_read_to_their_end_are_kept() {
    let (session, store) = table().await;
    let hot = Arc::new(Hot::new(0, 64 << 20));
    let plan = planned(&session, "SELECT id, word FROM t", Some(&hot)).await;
    let mut rows = plan.execute(0, session.task_ctx()).unwrap();
    assert_eq!(rows.try_next().await.unwrap().map(|batch| batch.num_rows()), Some(16_384));
    assert!(hot.columns.underway() > 0);
    drop(rows);
    assert_eq!(hot.columns.underway(), 0);
    delete_files(&store).await;
    let plan = planned(&session, "SELECT id, word FROM t", Some(&hot)).await;
    collect(plan, session.task_ctx()).await.unwrap_err();
}

#[tokio::test]
async fn more_than_a_quarter_of_the_room_is_not_kept_at_a_time() {
    let (session, store) = table().await;
    // Numbers of 40,000 rows find room, those of a file are half of it.
    let hot = Arc::new(Hot::new(0, 340_000));
    let sql = "SELECT SUM(id) FROM t";
    let plain = rows(&session, sql, None).await;
    let plan = planned(&session, sql, Some(&hot)).await;
    assert!(shown(&plan).contains("HotExec: columns"), "{}", shown(&plan));
    assert_eq!(answer(&session, plan).await, plain);
    assert_eq!(hot.columns.underway(), 0);
    delete_files(&store).await;
    collect(planned(&session, sql, Some(&hot)).await, session.task_ctx()).await.unwrap_err();
}

#[tokio::test]
async fn a_file_of_which_a_part_is_left_out_is_not_kept() {
    for sql in PARTS {
        let (session, store) = table().await;
        let hot = Arc::new(Hot::new(0, 64 << 20));
        let plain = rows(&session, sql, None).await;
        assert_eq!(rows(&session, sql, Some(&hot)).await, plain, "{sql}");
        assert_eq!(hot.columns.underway(), 0);
        delete_files(&store).await;
        let plan = planned(&session, "SELECT id, day FROM t", Some(&hot)).await;
        collect(plan, session.task_ctx()).await.unwrap_err();
    }
}

#[tokio::test]
async fn parts_of_kept_files_are_left_out() {
    let (session, store) = table().await;
    let hot = Arc::new(Hot::new(0, 64 << 20));
    let mut asked = Vec::new();
    for sql in PARTS {
        asked.push((sql, rows(&session, sql, None).await));
    }
    rows(&session, "SELECT id, day FROM t", Some(&hot)).await;
    delete_files(&store).await;
    // Of 16,384 and 3,616 rows in each of two files: the last of each, the first of each, none.
    for ((sql, plain), given) in asked.into_iter().zip([7_232, 32_768, 0]) {
        let plan = planned(&session, sql, Some(&hot)).await;
        let mut operator = Arc::clone(&plan);
        while !shown(&operator).starts_with("HotExec: columns") {
            operator = Arc::clone(operator.children()[0]);
        }
        assert_eq!(answer(&session, plan).await, plain, "{sql}");
        assert_eq!(operator.metrics().unwrap().output_rows(), Some(given), "{sql}");
    }
}

#[tokio::test]
async fn progress_counts_rows_from_files_and_from_memory() {
    let (session, _store) = table().await;
    let hot = Arc::new(Hot::new(0, 64 << 20));
    for _ in 0..2 {
        let plan = planned(&session, "SELECT id, word FROM t", Some(&hot)).await;
        let gauge = Gauge(Arc::clone(&plan));
        assert_eq!(gauge.done(), Some(0.0));
        let mut rows = plan.execute(0, session.task_ctx()).unwrap();
        rows.try_next().await.unwrap();
        assert_eq!(gauge.done(), Some(16_384.0 / 40_000.0));
        while rows.try_next().await.unwrap().is_some() {}
        assert_eq!(gauge.done(), Some(1.0));
    }
    // Small files are there at once.
    let hot = Arc::new(Hot::new(64 << 20, 0));
    let plan = planned(&session, "SELECT id, word FROM t", Some(&hot)).await;
    assert_eq!(Gauge(plan).done(), None);
}

#[tokio::test]
async fn columns_have_the_order_of_their_file_whatever_a_sort_would_like() {
    // Row groups of the rows that are handed on at a time: where they are in another order, nothing else shows it.
    let (session, _store) = table_of(2 * 16_384, 16_384).await;
    let hot = Arc::new(Hot::new(0, 64 << 20));
    let sorted = "SELECT day, id FROM t ORDER BY day DESC LIMIT 40000";
    let scan = planned(&session, sorted, None).await;
    assert!(shown(&scan).contains("sort_order_for_reorder"), "{}", shown(&scan));
    let pairs = "SELECT SUM(id * length(word)), COUNT(*) FROM t";
    let plain = rows(&session, pairs, None).await;
    rows(&session, "SELECT word FROM t", Some(&hot)).await;
    rows(&session, "SELECT id FROM t ORDER BY id DESC LIMIT 40000", Some(&hot)).await;
    rows(&session, "SELECT id FROM t ORDER BY id DESC", Some(&hot)).await;
    assert_eq!(rows(&session, pairs, Some(&hot)).await, plain);
}
