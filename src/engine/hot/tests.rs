use arrow::array::{Date32Array, Int64Array, StringArray};
use arrow::util::pretty::pretty_format_batches;
use datafusion::catalog::TableProvider;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::{collect, displayable};
use datafusion::prelude::SessionConfig;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;

use super::*;
use crate::engine::scan::SnapshotTable;
use crate::warehouse::{DataFile, TableFiles};

const URL: &str = "countinghouse://test";

/// Two files of 20,000 rows with few words, many numbers and nulls in both.
async fn table() -> (SessionState, Arc<InMemory>) {
    let store = Arc::new(InMemory::new());
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("word", DataType::Utf8, true),
        Field::new("day", DataType::Date32, true),
        Field::new("month", DataType::Int32, true),
    ]));
    let inner = Arc::new(schema.project(&[0, 1, 2]).unwrap());
    let mut files = Vec::new();
    for file in 0..2_i64 {
        let rows = 0..20_000_i64;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.clone().map(|n| (n % 9 > 0).then_some(n * 70_001 + file)).collect::<Int64Array>()),
            Arc::new(rows.clone().map(|n| (n % 7 > 0).then(|| format!("w{}", n % 40))).collect::<StringArray>()),
            Arc::new(rows.map(|n| (n % 5 > 0).then_some((n % 400) as i32)).collect::<Date32Array>()),
        ];
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, Arc::clone(&inner), None).unwrap();
        writer.write(&RecordBatch::try_new(Arc::clone(&inner), columns).unwrap()).unwrap();
        writer.close().unwrap();
        let path = format!("t/month={}/{file}.parquet", 202_501 + file);
        let size = bytes.len() as u64;
        store.put(&path.as_str().into(), bytes.into()).await.unwrap();
        files.push(DataFile {
            path,
            size,
            rows: 20_000,
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

async fn rows(session: &SessionState, sql: &str, hot: Option<&Arc<Hot>>) -> String {
    let plan = session.create_logical_plan(sql).await.unwrap();
    let physical = session.create_physical_plan(&plan).await.unwrap();
    let physical = match hot {
        Some(hot) => keep(physical, hot).unwrap(),
        None => physical,
    };
    let shown = displayable(physical.as_ref()).indent(false).to_string();
    assert_eq!(shown.contains("HotExec"), hot.is_some_and(|hot| hot.0.capacity() > 0), "{shown}");
    pretty_format_batches(&collect(physical, session.task_ctx()).await.unwrap()).unwrap().to_string()
}

#[tokio::test]
async fn rows_from_memory_are_those_of_the_files() {
    let (session, store) = table().await;
    let hot = Arc::new(Hot::new(64 << 20));
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
    for file in 0..2 {
        store.delete(&format!("t/month={}/{file}.parquet", 202_501 + file).as_str().into()).await.unwrap();
    }
    for (sql, plain) in asked {
        assert_eq!(rows(&session, &sql, Some(&hot)).await, plain, "{sql}");
    }
}

#[tokio::test]
async fn no_room_keeps_nothing() {
    let (session, _store) = table().await;
    let none = Arc::new(Hot::new(0));
    let sql = "SELECT COUNT(*) FROM t WHERE word = 'w3'";
    assert_eq!(rows(&session, sql, Some(&none)).await, rows(&session, sql, None).await);
}
