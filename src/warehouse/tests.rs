//! Publications and snapshots over a real catalog and a local folder.

use std::path::{Path as FilePath, PathBuf};
use std::sync::LazyLock;

use arrow::array::{Date32Array, Decimal128Array, Int64Array, StringArray};
use arrow::compute::concat_batches;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::json;

use super::*;
use crate::catalog::{BatchKey, BatchRow};

const PROJECT: &str = "
warehouse:
  tables:
    - name: dim_product
      kind: dimension
      key: [product_name]
      surrogate: product_sk
      columns:
        - {name: product_name, type: text, required: true}
    - name: dim_unit
      kind: dimension
      key: [unit]
      versions: {from: valid_from, to: valid_to}
      surrogate: unit_sk
      columns:
        - {name: unit, type: text, required: true}
        - {name: valid_from, type: date}
        - {name: valid_to, type: date}
    - name: dim_place
      kind: dimension
      key: [place]
      partition: {branch: branch_code}
      columns:
        - {name: place, type: text, required: true}
        - {name: branch_code, type: text, required: true}
    - name: fact_sale
      kind: fact
      key: [sale]
      columns:
        - {name: sale, type: integer}
        - {name: unit_sk, type: integer, references: dim_unit}
    - name: fact_balance
      kind: fact
      key: [business_date, account_sk]
      partition: {branch: branch_code, date: business_date, by: month}
      columns:
        - {name: business_date, type: date, required: true}
        - {name: branch_code, type: text, required: true}
        - {name: account_sk, type: integer}
        - {name: end_balance, type: money}
";

fn config(project: &FilePath) -> Config {
    std::fs::write(project.join("countinghouse.yaml"), PROJECT).unwrap();
    crate::config::load(project, &project.join("state")).unwrap()
}

fn table(name: &str) -> Table {
    static TABLES: LazyLock<Vec<Table>> =
        LazyLock::new(|| config(tempfile::tempdir().unwrap().path()).warehouse.tables);
    TABLES.iter().find(|table| table.name.value == name).unwrap().clone()
}

fn fact() -> Table {
    table("fact_balance")
}

fn dimension() -> Table {
    table("dim_product")
}

fn balances(rows: &[(Option<i32>, Option<i64>, i128)]) -> RecordBatch {
    let amounts = Decimal128Array::from_iter_values(rows.iter().map(|row| row.2));
    RecordBatch::try_new(
        file_schema(&fact()),
        vec![
            Arc::new(rows.iter().map(|row| row.0).collect::<Date32Array>()),
            Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()),
            Arc::new(amounts.with_precision_and_scale(18, 2).unwrap()),
        ],
    )
    .unwrap()
}

fn products(rows: &[(i64, &str)]) -> RecordBatch {
    RecordBatch::try_new(
        file_schema(&dimension()),
        vec![
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1))),
        ],
    )
    .unwrap()
}

/// A project in a temporary folder that can be closed and opened again.
struct Place {
    folder: tempfile::TempDir,
    clock: Clock,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: Clock::system() }
    }

    async fn open(&self) -> (Arc<Warehouse>, Catalog) {
        let catalog = Catalog::open(&self.folder.path().join("state"), self.clock.clone()).await.unwrap();
        let config = config(self.folder.path());
        (Warehouse::open(&config, catalog.clone(), self.clock.clone()).await.unwrap(), catalog)
    }

    fn warehouse_folder(&self) -> PathBuf {
        self.folder.path().join("state/warehouse")
    }

    fn log_folder(&self, table: &str) -> PathBuf {
        self.warehouse_folder().join(table).join("_delta_log")
    }
}

fn batch_row(number: i64) -> BatchRow {
    BatchRow {
        key: BatchKey { node: "head_office".to_owned(), number },
        feed_sha256: "f".repeat(64),
        content_sha256: "c".repeat(64),
        business_date: 20_000,
        source: "core".to_owned(),
        state: "published".to_owned(),
        message: "loaded".to_owned(),
        rows_delivered: 3,
        rows_loaded: 3,
        rows_unchanged: 0,
        rows_rejected: 0,
        snapshot_id: None,
        received_at: Timestamp::UNIX_EPOCH,
        finished_at: None,
        files: json!([]),
    }
}

/// January of two branches and a dimension, as batch `number`.
async fn first_load(warehouse: &Warehouse, number: i64) -> Result<Arc<Snapshot>> {
    let publication = warehouse.begin("load").await?;
    let (fact, dimension) = (fact(), dimension());
    let beijing = balances(&[(Some(20_089), Some(1), 100), (Some(20_089), None, 250)]);
    publication.write(&fact, Some("beijing"), Some(202_501), vec![beijing], Replaces::Nothing).await?;
    let wuhan = balances(&[(Some(20_089), Some(i64::MAX - 1), -75)]);
    publication.write(&fact, Some("wuhan"), Some(202_501), vec![wuhan], Replaces::Nothing).await?;
    publication.write(&dimension, None, None, vec![products(&[(1, "loan"), (2, "card")])], Replaces::Partition).await?;
    publication.publish(20_089, json!({"rows": {"fact_balance": 3}}), vec![batch_row(number)]).await
}

/// February of one branch and a new state of the dimension.
async fn second_load(warehouse: &Warehouse, number: i64) -> Result<Arc<Snapshot>> {
    let publication = warehouse.begin("load").await?;
    let (fact, dimension) = (fact(), dimension());
    let beijing = balances(&[(Some(20_117), Some(1), 110)]);
    publication.write(&fact, Some("beijing"), Some(202_502), vec![beijing], Replaces::Nothing).await?;
    let rows = products(&[(1, "loan"), (2, "credit card"), (3, "fund")]);
    publication.write(&dimension, None, None, vec![rows], Replaces::Partition).await?;
    publication.publish(20_117, json!({}), vec![batch_row(number)]).await
}

async fn names(warehouse: &Warehouse, snapshot: &Snapshot) -> Vec<String> {
    let batches = warehouse.read(snapshot, "dim_product", None).await.unwrap();
    let all = concat_batches(&table_schema(&dimension()), &batches).unwrap();
    let column = all.column_by_name("product_name").unwrap();
    let column = column.as_any().downcast_ref::<StringArray>().unwrap();
    column.iter().map(|text| text.unwrap().to_owned()).collect()
}

async fn rows(warehouse: &Warehouse, snapshot: &Snapshot, table: &str) -> u64 {
    warehouse.files(snapshot, table).await.unwrap().files.iter().map(|file| file.rows).sum()
}

#[test]
fn schema_ends_with_the_partition_columns() {
    let schema = table_schema(&fact());
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["business_date", "account_sk", "end_balance", "branch_code", "month"]);
    assert_eq!(partition_columns(&fact()), ["branch_code", "month"]);
    assert_eq!(file_schema(&fact()).fields().len(), 3);
    assert!(partition_columns(&dimension()).is_empty());
    assert_eq!(partition_columns(&rejects_table()), ["branch_code"]);
    assert_eq!(table_schema(&dimension()).field(0).name(), "product_sk", "the surrogate comes first");
}

#[tokio::test]
async fn tables_change_as_one_snapshot_and_pinned_readers_keep_theirs() {
    let place = Place::new();
    let (warehouse, catalog) = place.open().await;
    assert!(warehouse.head().await.unwrap().is_none());

    let first = first_load(&warehouse, 1).await.unwrap();
    assert_eq!(first.as_of, 20_089);
    assert_eq!(warehouse.head().await.unwrap().as_ref(), Some(&first));
    assert_eq!(catalog.batch(&batch_row(1).key).await.unwrap().unwrap().state, "published");
    let old_files = warehouse.files(&first, "fact_balance").await.unwrap();
    assert_eq!(old_files.schema, table_schema(&fact()));

    let second = second_load(&warehouse, 2).await.unwrap();
    assert_eq!(names(&warehouse, &first).await, ["loan", "card"]);
    assert_eq!(names(&warehouse, &second).await, ["loan", "credit card", "fund"]);
    assert_eq!(rows(&warehouse, &first, "fact_balance").await, 3);
    assert_eq!(rows(&warehouse, &second, "fact_balance").await, 4);

    // Nothing of this lives in memory only.
    drop(warehouse);
    let (warehouse, _) = place.open().await;
    let first = warehouse.snapshot(first.id).await.unwrap();
    assert_eq!(warehouse.files(&first, "fact_balance").await.unwrap(), old_files);
    assert_eq!(names(&warehouse, &first).await, ["loan", "card"]);
    assert_eq!(warehouse.snapshot(99).await.unwrap_err().code(), Code::NoSnapshot);
}

#[tokio::test]
async fn files_carry_partition_values_and_exact_statistics() {
    let place = Place::new();
    let (warehouse, _) = place.open().await;
    let snapshot = first_load(&warehouse, 1).await.unwrap();
    let table = warehouse.files(&snapshot, "fact_balance").await.unwrap();
    let [beijing, wuhan] = table.files.as_slice() else { panic!("{table:?}") };

    assert!(beijing.path.starts_with("fact_balance/branch_code=beijing/month=202501/"), "{}", beijing.path);
    assert_eq!((beijing.branch.as_deref(), beijing.month, beijing.rows), (Some("beijing"), Some(202_501), 2));
    let map = |pairs: &[(&str, i64)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    assert_eq!(beijing.min, map(&[("account_sk", 1), ("business_date", 20_089)]));
    assert_eq!(beijing.max, map(&[("account_sk", 1), ("business_date", 20_089)]));
    assert_eq!(beijing.nulls["account_sk"], 1);
    assert_eq!(beijing.nulls["business_date"], 0);
    assert!(!beijing.nulls.contains_key("end_balance"), "no bounds of decimals: the log rounds them");
    assert_eq!(wuhan.min["account_sk"], i64::MAX - 1, "beyond what a double holds");
    let meta = warehouse.storage().store().head(&Path::from(beijing.path.as_str())).await.unwrap();
    assert_eq!(meta.size, beijing.size);

    let wanted = BTreeSet::from(["wuhan".to_owned()]);
    let batches = warehouse.read(&snapshot, "fact_balance", Some(&wanted)).await.unwrap();
    let all = concat_batches(&table.schema, &batches).unwrap();
    assert_eq!(all.num_rows(), 1);
    let branch = all.column_by_name("branch_code").unwrap().as_any().downcast_ref::<StringArray>().unwrap().clone();
    assert_eq!(branch.value(0), "wuhan");
    let month = all.column_by_name("month").unwrap().as_any().downcast_ref::<Int32Array>().unwrap().clone();
    assert_eq!(month.value(0), 202_501);
}

#[tokio::test]
async fn declared_tables_without_data_are_empty_and_others_unknown() {
    let place = Place::new();
    let (warehouse, _) = place.open().await;
    let snapshot = first_load(&warehouse, 1).await.unwrap();
    let rejects = warehouse.files(&snapshot, REJECTS).await.unwrap();
    assert_eq!(rejects.schema, table_schema(&rejects_table()));
    assert!(rejects.files.is_empty());
    assert_eq!(warehouse.files(&snapshot, "nothing").await.unwrap_err().code(), Code::NoSuchObject);
}

#[tokio::test]
async fn no_rows_and_partition_empties_it() {
    let place = Place::new();
    let (warehouse, _) = place.open().await;
    let first = first_load(&warehouse, 1).await.unwrap();
    let publication = warehouse.begin("load").await.unwrap();
    let written =
        publication.write(&fact(), Some("wuhan"), Some(202_501), Vec::new(), Replaces::Partition).await.unwrap();
    assert_eq!(written, WrittenFile { path: None, rows: 0, size: 0 });
    let second = publication.publish(20_100, json!({}), Vec::new()).await.unwrap();
    assert_eq!(rows(&warehouse, &second, "fact_balance").await, 2);
    assert_eq!(second.tables["dim_product"], first.tables["dim_product"], "untouched tables keep their version");
}

#[tokio::test]
async fn wrong_partitions_and_columns_are_refused() {
    let place = Place::new();
    let (warehouse, _) = place.open().await;
    let publication = warehouse.begin("load").await.unwrap();
    let rows = || vec![balances(&[(Some(20_089), Some(1), 1)])];
    for (branch, month, code) in [
        (None, Some(202_501), Code::Internal),
        (Some("beijing"), None, Code::Internal),
        (Some("beijing"), Some(202_513), Code::Internal),
        (Some("../escape"), Some(202_501), Code::Feed),
        (Some("Beijing"), Some(202_501), Code::Feed),
    ] {
        let error = publication.write(&fact(), branch, month, rows(), Replaces::Nothing).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
    let error = publication
        .write(&fact(), Some("beijing"), Some(202_501), vec![products(&[(1, "x")])], Replaces::Nothing)
        .await
        .unwrap_err();
    assert!(error.message().contains("`business_date`"), "{error}");
    let error = publication.write(&dimension(), Some("beijing"), None, Vec::new(), Replaces::Nothing).await;
    assert!(error.is_err());
    publication.write(&dimension(), Some(SHARED), None, Vec::new(), Replaces::Nothing).await.unwrap();
}

#[tokio::test]
async fn one_writer_at_a_time_and_a_dropped_one_leaves_nothing() {
    let place = Place::new();
    let (warehouse, _) = place.open().await;
    let publication = warehouse.begin("load").await.unwrap();
    publication.write(&dimension(), None, None, vec![products(&[(1, "loan")])], Replaces::Partition).await.unwrap();
    assert_eq!(warehouse.begin("load").await.unwrap_err().code(), Code::Busy);
    drop(publication);
    let snapshot = first_load(&warehouse, 1).await.unwrap();
    assert_eq!(names(&warehouse, &snapshot).await, ["loan", "card"]);

    let publication = warehouse.begin("load").await.unwrap();
    assert_eq!(publication.parent(), Some(&snapshot));
    let first = publication.add_key_range("dim_product", 10).await.unwrap();
    assert_eq!(publication.add_key_range("dim_product", 1).await.unwrap(), first + 10);
    publication.abort().await.unwrap();
    warehouse.begin("load").await.unwrap().abort().await.unwrap();
}

#[tokio::test]
async fn damaged_files_stop_a_publication_before_it_is_prepared() {
    let place = Place::new();
    let (warehouse, catalog) = place.open().await;
    let publication = warehouse.begin("load").await.unwrap();
    let rows = vec![products(&[(1, "loan")])];
    let written = publication.write(&dimension(), None, None, rows, Replaces::Partition).await.unwrap();
    std::fs::write(place.warehouse_folder().join(written.path.unwrap()), "PAR1PAR1").unwrap();
    let error = publication.publish(20_089, json!({}), Vec::new()).await.unwrap_err();
    assert!(error.message().contains("bytes"), "{error}");
    assert!(catalog.open_publication().await.unwrap().is_none());
    assert!(warehouse.head().await.unwrap().is_none());
    first_load(&warehouse, 1).await.unwrap();
}

#[tokio::test]
async fn foreign_commits_stop_writers_and_not_readers() {
    let place = Place::new();
    let (warehouse, _) = place.open().await;
    let first = first_load(&warehouse, 1).await.unwrap();
    let version = first.tables["dim_product"] + 1;
    let entry = r#"{"commitInfo":{"timestamp":1,"operation":"WRITE","operationParameters":{}}}"#;
    std::fs::write(place.log_folder("dim_product").join(format!("{version:020}.json")), entry).unwrap();
    let error = second_load(&warehouse, 2).await.unwrap_err();
    assert_eq!(error.code(), Code::Conflict);
    assert!(error.message().contains("`dim_product`"), "{error}");
    assert_eq!(warehouse.head().await.unwrap(), Some(Arc::clone(&first)));
    assert_eq!(names(&warehouse, &first).await, ["loan", "card"]);
}

#[tokio::test]
async fn changed_columns_are_refused() {
    let place = Place::new();
    let (warehouse, _) = place.open().await;
    first_load(&warehouse, 1).await.unwrap();
    let mut changed = dimension();
    changed.columns[0].data_type = crate::model::table::DataType::Integer;
    let rows = RecordBatch::try_new(
        file_schema(&changed),
        vec![Arc::new(Int64Array::from(vec![1])), Arc::new(Int64Array::from(vec![1]))],
    )
    .unwrap();
    let publication = warehouse.begin("load").await.unwrap();
    publication.write(&changed, None, None, vec![rows], Replaces::Partition).await.unwrap();
    let error = publication.publish(20_089, json!({}), Vec::new()).await.unwrap_err();
    assert_eq!(error.code(), Code::Definition);
    assert!(error.message().contains("column 2 was `product_name` Utf8"), "{error}");
}

#[tokio::test]
async fn many_versions_read_back_through_checkpoints() {
    let place = Place::new();
    let (warehouse, _) = place.open().await;
    let first = first_load(&warehouse, 1).await.unwrap();
    let mut last = Arc::clone(&first);
    for number in 2..=22 {
        last = second_load(&warehouse, number).await.unwrap();
    }
    assert!(std::fs::exists(place.log_folder("fact_balance").join("_last_checkpoint")).unwrap());
    let (fresh, _) = place.open().await;
    let (old, new) =
        (fresh.files(&first, "fact_balance").await.unwrap(), fresh.files(&last, "fact_balance").await.unwrap());
    assert_eq!(old.files.len(), 2);
    assert_eq!(new.files.len(), 23);
    assert!(old.files.iter().all(|file| new.files.contains(file)), "a checkpoint keeps statistics as they are");
    assert_eq!(fresh.files(&last, "dim_product").await.unwrap().files.len(), 1);
}

#[tokio::test]
async fn sweep_removes_old_orphans_only() {
    let mut place = Place::new();
    let (warehouse, _) = place.open().await;
    let first = first_load(&warehouse, 1).await.unwrap();
    let second = second_load(&warehouse, 2).await.unwrap();
    let publication = warehouse.begin("load").await.unwrap();
    let rows = vec![products(&[(1, "loan")])];
    let orphan = publication.write(&dimension(), None, None, rows, Replaces::Partition).await.unwrap().path.unwrap();
    assert_eq!(warehouse.sweep().await.unwrap_err().code(), Code::Busy);
    drop(publication);
    assert_eq!(warehouse.sweep().await.unwrap(), Swept::default(), "too young");

    place.clock = Clock::fixed(place.clock.now() + jiff::SignedDuration::from_hours(25));
    let (warehouse, _) = place.open().await;
    let swept = warehouse.sweep().await.unwrap();
    assert_eq!(swept.objects, 1);
    assert!(!std::fs::exists(place.warehouse_folder().join(orphan)).unwrap());
    assert_eq!(names(&warehouse, &first).await, ["loan", "card"]);
    assert_eq!(names(&warehouse, &second).await, ["loan", "credit card", "fund"]);
    second_load(&warehouse, 3).await.unwrap();
}

/// The server's runtime has several threads, where the log's reader blocks in place; and callers spawn these futures.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_partitions_are_one_commit() {
    const BRANCHES: i32 = 12;
    let place = Place::new();
    let (warehouse, _) = place.open().await;
    let writer = Arc::clone(&warehouse);
    let load = async move {
        let publication = writer.begin("load").await?;
        for branch in 0..BRANCHES {
            for month in 1..=12 {
                let rows = balances(&[(Some(20_000 + month), Some(i64::from(branch)), 1)]);
                let name = format!("branch-{branch}");
                publication.write(&fact(), Some(&name), Some(202_500 + month), vec![rows], Replaces::Nothing).await?;
            }
        }
        publication.publish(20_012, json!({}), Vec::new()).await
    };
    let snapshot = tokio::runtime::Handle::current().spawn(load).await.unwrap().unwrap();
    let files = warehouse.files(&snapshot, "fact_balance").await.unwrap();
    assert_eq!(files.files.len(), 12 * 12);
    assert_eq!(snapshot.tables["fact_balance"], 1);
    assert!(files.files.iter().all(|file| file.min["business_date"] == i64::from(20_000 + file.month.unwrap() % 100)));
}

#[tokio::test]
async fn large_files_are_written_in_parts() {
    let place = Place::new();
    let (warehouse, _) = place.open().await;
    let publication = warehouse.begin("load").await.unwrap();
    // Spread over all 64 bits, neighbours without a pattern, so that nothing compresses.
    let mixed = |row: i64| {
        let spread = row.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64);
        (spread ^ spread >> 29).wrapping_mul(0x94D0_49BB_1331_11EB_u64 as i64)
    };
    let keys = |part: i64| (0..200_000).map(move |row| mixed(part * 200_000 + row));
    let parts = (0..8).map(|part| {
        let keys = Arc::new(Int64Array::from_iter_values(keys(part)));
        let names =
            Arc::new(StringArray::from_iter_values((0..200_000).map(|row| if row % 2 == 0 { "a" } else { "b" })));
        RecordBatch::try_new(file_schema(&dimension()), vec![keys, names]).unwrap()
    });
    let written = publication.write(&dimension(), None, None, parts.collect(), Replaces::Partition).await.unwrap();
    assert!(written.size > 12 << 20, "{} bytes go up in parts", written.size);
    let snapshot = publication.publish(20_000, json!({}), Vec::new()).await.unwrap();
    let batches = warehouse.read(&snapshot, "dim_product", None).await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1_600_000);
    let files = warehouse.files(&snapshot, "dim_product").await.unwrap();
    assert_eq!(files.files[0].min["product_sk"], (0..8).flat_map(keys).min().unwrap());
}

/// By hand, as it needs a server: `AWS_ENDPOINT`, `AWS_ALLOW_HTTP`, keys, and `COUNTINGHOUSE_TEST_S3=s3://bucket/prefix`.
#[tokio::test]
#[ignore = "needs an S3 server"]
async fn the_same_over_s3() {
    let url = std::env::var("COUNTINGHOUSE_TEST_S3").unwrap();
    let place = Place::new();
    let catalog = Catalog::open(&place.folder.path().join("state"), place.clock.clone()).await.unwrap();
    let mut config = config(place.folder.path());
    config.warehouse.url = format!("{url}/{}", uuid::Uuid::now_v7());
    let warehouse = Warehouse::open(&config, catalog, place.clock.clone()).await.unwrap();
    let first = first_load(&warehouse, 1).await.unwrap();
    let second = second_load(&warehouse, 2).await.unwrap();
    assert_eq!(names(&warehouse, &first).await, ["loan", "card"]);
    assert_eq!(names(&warehouse, &second).await, ["loan", "credit card", "fund"]);
    assert_eq!(rows(&warehouse, &second, "fact_balance").await, 4);
    assert_eq!(warehouse.sweep().await.unwrap(), Swept::default());
    for number in 3..=22 {
        second_load(&warehouse, number).await.unwrap();
    }
    let head = warehouse.head().await.unwrap().unwrap();
    assert_eq!(rows(&warehouse, &head, "fact_balance").await, 24);
}

/// The process dies at each step; the next one finds the old snapshot whole and brings the load to its end once.
#[cfg(feature = "failpoints")]
mod crashes {
    use futures::FutureExt;

    use super::*;

    /// Runs `work` and unwinds out of it at `point`, as far as this thread is concerned: failpoints are global, and other
    /// tests run beside this one.
    async fn dying_at(point: &'static str, work: impl Future<Output = Result<Arc<Snapshot>>>) {
        let mine = std::thread::current().id();
        fail::cfg_callback(point, move || {
            if std::thread::current().id() == mine {
                panic!("killed at {point}");
            }
        })
        .unwrap();
        let died = std::panic::AssertUnwindSafe(work).catch_unwind().await;
        fail::remove(point);
        assert!(died.is_err(), "{point} was not reached");
    }

    /// Dies at `point` of the second load, opens again, and repeats the load if it has not come through.
    async fn survives(point: &'static str, finished_by_recovery: bool) {
        let place = Place::new();
        let first = {
            let (warehouse, _) = place.open().await;
            let first = first_load(&warehouse, 1).await.unwrap();
            Box::pin(dying_at(point, second_load(&warehouse, 2))).await;
            assert_eq!(warehouse.head().await.unwrap(), Some(Arc::clone(&first)), "readers see the parent");
            assert_eq!(names(&warehouse, &first).await, ["loan", "card"]);
            first
        };
        let (warehouse, catalog) = place.open().await;
        assert!(catalog.open_publication().await.unwrap().is_none());
        let batch = catalog.batch(&batch_row(2).key).await.unwrap();
        let published = batch.is_some_and(|batch| batch.state == "published");
        assert_eq!(published, finished_by_recovery);
        if !published {
            assert_eq!(warehouse.head().await.unwrap(), Some(Arc::clone(&first)));
            second_load(&warehouse, 2).await.unwrap();
        }
        let head = warehouse.head().await.unwrap().unwrap();
        assert_eq!(head.as_of, 20_117);
        assert_eq!(rows(&warehouse, &head, "fact_balance").await, 4, "nothing doubled");
        assert_eq!(names(&warehouse, &head).await, ["loan", "credit card", "fund"]);
        assert_eq!(names(&warehouse, &first).await, ["loan", "card"]);
        assert_eq!(catalog.snapshots().await.unwrap().len(), 2);
        second_load(&warehouse, 3).await.unwrap();
    }

    #[tokio::test]
    async fn after_write() {
        let _scenario = fail::FailScenario::setup();
        Box::pin(survives("publish::after_write", false)).await;
    }

    #[tokio::test]
    async fn after_prepare() {
        let _scenario = fail::FailScenario::setup();
        Box::pin(survives("publish::after_prepare", true)).await;
    }

    #[tokio::test]
    async fn between_commits() {
        let _scenario = fail::FailScenario::setup();
        Box::pin(survives("publish::between_commits", true)).await;
    }

    #[tokio::test]
    async fn before_head() {
        let _scenario = fail::FailScenario::setup();
        Box::pin(survives("publish::before_head", true)).await;
    }

    #[tokio::test]
    async fn the_same_process_finishes_at_its_next_begin() {
        let _scenario = fail::FailScenario::setup();
        let place = Place::new();
        let (warehouse, _) = place.open().await;
        first_load(&warehouse, 1).await.unwrap();
        Box::pin(dying_at("publish::between_commits", second_load(&warehouse, 2))).await;
        let publication = warehouse.begin("load").await.unwrap();
        assert_eq!(publication.parent().unwrap().as_of, 20_117);
        publication.abort().await.unwrap();
    }

    /// A prepared publication whose file is damaged is undone in every table, and the load comes through at the second try.
    #[tokio::test]
    async fn lost_file_aborts_every_table() {
        let _scenario = fail::FailScenario::setup();
        for point in ["publish::after_prepare", "publish::between_commits", "publish::before_head"] {
            let place = Place::new();
            let (warehouse, _) = place.open().await;
            let first = first_load(&warehouse, 1).await.unwrap();
            Box::pin(dying_at(point, second_load(&warehouse, 2))).await;
            let month = place.warehouse_folder().join("fact_balance/branch_code=beijing/month=202502");
            let lost = std::fs::read_dir(&month).unwrap().next().unwrap().unwrap().path();
            std::fs::remove_file(lost).unwrap();

            let (warehouse, catalog) = place.open().await;
            assert!(catalog.open_publication().await.unwrap().is_none());
            assert_eq!(warehouse.head().await.unwrap(), Some(Arc::clone(&first)), "{point}");
            assert_eq!(catalog.batch(&batch_row(2).key).await.unwrap().unwrap().state, "received");
            let second = second_load(&warehouse, 2).await.unwrap();
            assert_eq!(rows(&warehouse, &second, "fact_balance").await, 4, "{point}");
            assert_eq!(names(&warehouse, &second).await, ["loan", "credit card", "fund"]);
            assert_eq!(warehouse.files(&second, "dim_product").await.unwrap().files.len(), 1);
            for version in [second.tables["fact_balance"], second.tables["dim_product"]] {
                assert!(version > first.tables["fact_balance"] + 1, "{point}: an abort takes a version in every table");
            }
        }
    }

    #[tokio::test]
    async fn operator_gives_up_an_open_publication() {
        let _scenario = fail::FailScenario::setup();
        let place = Place::new();
        let (warehouse, catalog) = place.open().await;
        let first = first_load(&warehouse, 1).await.unwrap();
        Box::pin(dying_at("publish::between_commits", second_load(&warehouse, 2))).await;
        warehouse.abort_open().await.unwrap();
        assert!(catalog.open_publication().await.unwrap().is_none());
        assert_eq!(warehouse.head().await.unwrap(), Some(first));
        second_load(&warehouse, 2).await.unwrap();
    }

    #[tokio::test]
    async fn foreign_commit_after_prepare_stops_recovery() {
        let _scenario = fail::FailScenario::setup();
        let place = Place::new();
        let (warehouse, catalog) = place.open().await;
        let first = first_load(&warehouse, 1).await.unwrap();
        Box::pin(dying_at("publish::after_prepare", second_load(&warehouse, 2))).await;
        let version = first.tables["dim_product"] + 1;
        let entry = r#"{"commitInfo":{"timestamp":1,"operation":"WRITE","operationParameters":{}}}"#;
        std::fs::write(place.log_folder("dim_product").join(format!("{version:020}.json")), entry).unwrap();
        let error = warehouse.begin("load").await.unwrap_err();
        assert_eq!(error.code(), Code::Conflict);
        assert!(catalog.open_publication().await.unwrap().is_some());
        assert_eq!(names(&warehouse, &first).await, ["loan", "card"]);
    }
}

// ---- certificates

fn units(rows: &[(i64, &str, i32, i32)]) -> RecordBatch {
    let days = |pick: fn(&(i64, &str, i32, i32)) -> i32| Date32Array::from_iter_values(rows.iter().map(pick));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("unit_sk", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)))),
        ("unit", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1)))),
        ("valid_from", Arc::new(days(|row| row.2))),
        ("valid_to", Arc::new(days(|row| row.3))),
    ];
    let schema = file_schema(&table("dim_unit"));
    let column = |name: &str| Arc::clone(&columns.iter().find(|(known, _)| *known == name).unwrap().1);
    RecordBatch::try_new(Arc::clone(&schema), schema.fields().iter().map(|field| column(field.name())).collect())
        .unwrap()
}

fn sales(rows: &[(i64, Option<i64>)]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0))),
        Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()),
    ];
    RecordBatch::try_new(file_schema(&table("fact_sale")), columns).unwrap()
}

async fn publish(
    warehouse: &Warehouse,
    name: &str,
    branch: Option<&str>,
    rows: RecordBatch,
    replaces: Replaces,
) -> Result<Arc<Snapshot>> {
    let publication = warehouse.begin("load").await?;
    publication.write(&table(name), branch, None, vec![rows], replaces).await?;
    let facts = publication.parent().map_or_else(|| json!({}), |parent| parent.facts.clone());
    publication.publish(20_000, facts, Vec::new()).await
}

#[tokio::test]
async fn keys_that_joins_rely_on_are_checked_and_recorded() {
    let place = Place::new();
    let (warehouse, _) = place.open().await;
    let unit = |rows| publish(&warehouse, "dim_unit", None, rows, Replaces::Partition);
    let refused = |published: Result<Arc<Snapshot>>| {
        let error = published.unwrap_err();
        assert_eq!(error.code(), Code::TieOut);
        error.message().to_owned()
    };

    let twice = unit(units(&[(1, "a", 0, 9), (2, "b", 0, 9), (1, "c", 0, 9)])).await;
    assert!(refused(twice).contains("`dim_unit`: `unit_sk` identifies a row, and 1 stands in several"));
    let overlap = unit(units(&[(1, "a", 0, 9), (2, "a", 8, 20)])).await;
    assert!(refused(overlap).contains("versions of `a` overlap at 1970-01-09"));
    let gap = unit(units(&[(2, "a", 10, 20), (1, "a", 0, 9)])).await;
    assert!(refused(gap).contains("versions of `a` leave a gap at 1970-01-11"));
    assert!(warehouse.head().await.unwrap().is_none());

    let snapshot = unit(units(&[(2, "a", 9, 20), (1, "a", 0, 9), (3, "b", 4, 20)])).await.unwrap();
    let known = snapshot.certificate("dim_unit").unwrap();
    assert_eq!((known.key.as_deref(), known.rows), (Some("unit_sk"), 3));

    let sale = |rows, replaces| publish(&warehouse, "fact_sale", None, rows, replaces);
    let strange = sale(sales(&[(1, Some(1)), (2, Some(4))]), Replaces::Nothing).await;
    assert!(refused(strange).contains("`fact_sale`: `unit_sk` holds 4, which is no key of `dim_unit`"));
    let first = sale(sales(&[(1, Some(1)), (2, None)]), Replaces::Nothing).await.unwrap();
    let second = sale(sales(&[(3, Some(3))]), Replaces::Nothing).await.unwrap();
    assert_eq!(second.certificate("dim_unit"), first.certificate("dim_unit"), "an untouched table's stands");
    let facts = second.certificate("fact_sale").unwrap();
    assert_eq!((facts.rows, facts.references["unit_sk"].as_str()), (3, "dim_unit"));
    let strange = sale(sales(&[(4, Some(0))]), Replaces::Nothing).await;
    assert!(refused(strange).contains("`unit_sk` holds 0"));

    // Head office joins all branches' members: one key in two of them would count each fact twice.
    let member = |place: &str| {
        let schema = file_schema(&table("dim_place"));
        RecordBatch::try_new(schema, vec![Arc::new(StringArray::from(vec![place]))]).unwrap()
    };
    publish(&warehouse, "dim_place", Some("beijing"), member("7"), Replaces::Partition).await.unwrap();
    let twice = publish(&warehouse, "dim_place", Some("wuhan"), member("7"), Replaces::Partition).await;
    assert!(refused(twice).contains("`place` identifies a row, and 7 stands in several"));
    let other = publish(&warehouse, "dim_place", Some("wuhan"), member("8"), Replaces::Partition).await.unwrap();
    assert_eq!(other.certificate("dim_place").unwrap().rows, 2);

    // What is said of one version is not said of another.
    let mut moved = other.as_ref().clone();
    *moved.tables.get_mut("dim_place").unwrap() += 1;
    assert_eq!(moved.certificate("dim_place"), None);
}
