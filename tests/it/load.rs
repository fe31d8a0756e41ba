//! Batches into a real warehouse: what is loaded, what is refused, and that nothing is lost between the two.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use countinghouse::catalog::{BatchKey, Catalog};
use countinghouse::clock::Clock;
use countinghouse::config::{self, Config};
use countinghouse::error::{Code, Result};
use countinghouse::ingest::{Disposition, LoadOptions, LoadOutcome, Progress, load, load_all, load_with};
use countinghouse::warehouse::{REJECTS, Warehouse};
use parquet::arrow::ArrowWriter;

const SETTINGS: &str = "
name: {en: Test bank}
warehouse:
  tables:
    - name: dim_product
      kind: dimension
      key: [product_id]
      surrogate: product_sk
      columns:
        - {name: product_id, type: text, required: true}
        - {name: product_name, type: text, required: true}
        - {name: family_code, type: text}
    - name: dim_account
      kind: dimension
      key: [branch_code, account_id]
      surrogate: account_sk
      partition: {branch: branch_code}
      columns:
        - {name: branch_code, type: text, required: true}
        - {name: account_id, type: text, required: true}
        - {name: product_sk, type: integer, references: dim_product}
        - {name: opened_on, type: date}
    - name: fact_balance
      kind: fact
      key: [business_date, account_sk]
      partition: {branch: branch_code, date: business_date, by: month}
      sort: [account_sk]
      columns:
        - {name: business_date, type: date, required: true}
        - {name: branch_code, type: text, required: true}
        - {name: account_sk, type: integer, references: dim_account}
        - {name: end_balance, type: money, required: true}
        - {name: currency, type: text}
        - {name: status_code, type: text}
    - name: fact_contact
      kind: fact
      key: []
      columns:
        - {name: job, type: text}
        - {name: contacts, type: integer, required: true}
        - {name: remark, type: text, sensitivity: C2, kind: free_text}
    - name: fact_event
      kind: fact
      key: [event_id]
      partition: {branch: branch_code, date: day, by: quarter}
      columns:
        - {name: event_id, type: integer, required: true}
        - {name: day, type: date, required: true}
        - {name: branch_code, type: text}
        - {name: account_sk, type: integer, references: dim_account}
        - {name: happened_at, type: timestamp}
        - {name: noted_at, type: timestamp}
        - {name: is_own, type: boolean}
        - {name: rate, type: \"decimal(9,6)\"}
        - {name: score, type: float}
";

/// A project with its warehouse, and a folder for batches.
struct Bank {
    folder: tempfile::TempDir,
    config: Config,
    catalog: Catalog,
    warehouse: Arc<Warehouse>,
}

impl Bank {
    async fn open() -> Self {
        Self::with(SETTINGS).await
    }

    async fn with(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (project, state) = (folder.path().join("project"), folder.path().join("state"));
        std::fs::create_dir_all(&project).unwrap();
        std::fs::create_dir_all(&state).unwrap();
        std::fs::write(project.join("countinghouse.yaml"), settings).unwrap();
        let config = config::load(&project, &state).unwrap();
        let clock = Clock::fixed("2025-12-01T08:00:00Z".parse().unwrap());
        let catalog = Catalog::open(&state, clock.clone()).await.unwrap();
        let warehouse = Warehouse::open(&config, catalog.clone(), clock).await.unwrap();
        Self { folder, config, catalog, warehouse }
    }

    /// A batch's folder.
    fn batch(&self, name: &str) -> Batch {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Batch { folder, files: String::new() }
    }

    async fn load(&self, feed: &Path) -> Result<LoadOutcome> {
        /// A server loads in a task that may move between threads.
        fn movable<T: Send>(future: T) -> T {
            future
        }
        movable(load(&self.warehouse, &self.catalog, &self.config.warehouse.tables, feed, &())).await
    }

    /// Rows of a table at the head, one text each, sorted; columns by name.
    async fn rows(&self, table: &str, columns: &[&str]) -> Vec<String> {
        let Some(head) = self.warehouse.head().await.unwrap() else { return Vec::new() };
        let mut rows = Vec::new();
        for batch in self.warehouse.read(&head, table, None).await.unwrap() {
            let options = FormatOptions::default();
            let columns: Vec<_> = columns
                .iter()
                .map(|name| ArrayFormatter::try_new(batch.column_by_name(name).unwrap(), &options).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                rows.push(columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(" "));
            }
        }
        rows.sort();
        rows
    }

    async fn head(&self) -> Option<i64> {
        self.warehouse.head().await.unwrap().map(|head| head.id)
    }

    async fn state(&self, node: &str, number: i64) -> (String, String) {
        let key = BatchKey { node: node.to_owned(), number };
        let row = self.catalog.batch(&key).await.unwrap().unwrap();
        (row.state, row.message)
    }
}

struct Batch {
    folder: PathBuf,
    files: String,
}

impl Batch {
    /// Adds a file; `more` are further lines of its entry, `columns` the inner text of the column list.
    fn file(mut self, name: &str, content: impl AsRef<[u8]>, table: &str, columns: &[&str], more: &str) -> Self {
        std::fs::write(self.folder.join(name), content).unwrap();
        let format = name.rsplit('.').next().unwrap();
        let _ = write!(self.files, "\n  - path: {name}\n    format: {format}\n    table: {table}\n    columns:");
        for column in columns {
            let _ = write!(self.files, "\n      - {{{column}}}");
        }
        for line in more.lines() {
            let _ = write!(self.files, "\n    {line}");
        }
        self
    }

    fn products(self, content: &str) -> Self {
        self.file(
            "product.csv",
            content,
            "dim_product",
            &["name: product_id", "name: product_name", "name: family_code"],
            "",
        )
    }

    fn accounts(self, content: &str) -> Self {
        let columns =
            ["name: branch, to: branch_code", "name: account_id", "name: product, to: product_sk", "name: opened_on"];
        self.file("account.csv", content, "dim_account", &columns, "")
    }

    fn balances(self, content: &str, more: &str) -> Self {
        let more = format!("constants: {{currency: CNY}}\n{more}");
        self.file("balance.csv", content, "fact_balance", BALANCE, &more)
    }

    fn contacts(self, content: &str) -> Self {
        self.file("contact.csv", content, "fact_contact", &["name: job", "name: contacts"], "")
    }

    /// Writes the feed file: who delivers, number, share of rejects that is let pass.
    fn feed(self, node: &str, number: u32, share: f64) -> PathBuf {
        let path = self.folder.join("feed.yaml");
        let feed = format!(
            "node: {node}\nbatch: {number}\nbusiness_date: 2025-11-30\nsource: core\nmax_reject_share: {share}\nfiles:{}\n",
            self.files
        );
        std::fs::write(&path, feed).unwrap();
        path
    }
}

const BALANCE: &[&str] = &[
    "name: date, to: business_date",
    "name: branch, to: branch_code",
    "name: account_id, to: account_sk",
    "name: end_balance",
    "name: comment, ignore: true",
    "name: status, to: status_code, codes: {A: active, C: closed}",
];
const PRODUCTS: &str = "product_id,product_name,family_code\nD1,Current account,deposit\nL1,\"Loan, housing\",loan\n";
const ACCOUNTS: &str =
    "branch,account_id,product,opened_on\nbeijing,1,D1,2020-01-01\nbeijing,2,L1,2021-02-03\nxian,1,D1,\n";
const BALANCES: &str = "date,branch,account_id,end_balance,comment,status\n\
    2025-10-31,beijing,1,100.50,,A\n\
    2025-11-30,beijing,1,200.25,late,A\n\
    2025-11-30,beijing,2,-5000.00,,C\n\
    2025-11-30,xian,1,0.01,,A\n";

/// A bank with its first batch.
async fn opened() -> Bank {
    let bank = Bank::open().await;
    // Facts first: the order of the feed does not matter.
    let control = "control: {rows: 4, sums: {end_balance: \"-4699.24\"}}";
    let feed =
        bank.batch("1").balances(BALANCES, control).accounts(ACCOUNTS).products(PRODUCTS).feed("head_office", 1, 0.0);
    let outcome = bank.load(&feed).await.unwrap();
    assert_eq!(outcome.disposition, Disposition::Loaded, "{outcome:?}");
    assert_eq!((outcome.rows_delivered, outcome.rows_loaded), (9, 9));
    bank
}

#[tokio::test]
async fn a_batch_becomes_one_snapshot() {
    let bank = opened().await;
    assert_eq!(
        bank.rows("dim_product", &["product_sk", "product_id", "product_name", "family_code"]).await,
        ["-1 unknown unknown ", "1 D1 Current account deposit", "2 L1 Loan, housing loan"]
    );
    assert_eq!(
        bank.rows("dim_account", &["account_sk", "branch_code", "account_id", "product_sk", "opened_on"]).await,
        ["-1 shared unknown -1 ", "1 beijing 1 1 2020-01-01", "2 beijing 2 2 2021-02-03", "3 xian 1 1 "]
    );
    let columns = ["business_date", "branch_code", "month", "account_sk", "end_balance", "currency", "status_code"];
    assert_eq!(
        bank.rows("fact_balance", &columns).await,
        [
            "2025-10-31 beijing 202510 1 100.50 CNY active",
            "2025-11-30 beijing 202511 1 200.25 CNY active",
            "2025-11-30 beijing 202511 2 -5000.00 CNY closed",
            "2025-11-30 xian 202511 3 0.01 CNY active",
        ]
    );
    let head = bank.warehouse.head().await.unwrap().unwrap();
    assert_eq!(head.as_of, 20_422);
    assert_eq!(head.facts["rows"]["fact_balance"], 4);
    assert_eq!(head.facts["branches"]["xian"], "2025-11-30");
    assert_eq!(bank.state("head_office", 1).await.0, "published");
    let files = bank.warehouse.files(&head, "fact_balance").await.unwrap();
    assert_eq!(files.files.len(), 3, "one file per branch and month");
}

#[tokio::test]
async fn numbers_are_loaded_once_and_in_order() {
    let bank = opened().await;
    let head = bank.head().await;
    let feed = bank.folder.path().join("1/feed.yaml");
    let again = bank.load(&feed).await.unwrap();
    assert_eq!((again.disposition, again.snapshot, again.rows_delivered), (Disposition::AlreadyLoaded, head, 9));

    let third = bank.batch("3").contacts("job,contacts\nfarmer,1\n").feed("head_office", 3, 0.0);
    let early = bank.load(&third).await.unwrap();
    assert_eq!(early.disposition, Disposition::Waiting);
    assert!(early.message.contains("batch 2 is expected first"), "{}", early.message);
    assert_eq!(early.into_result().unwrap_err().code(), Code::Feed);

    let other = bank.batch("other").contacts("job,contacts\nfarmer,1\n").feed("head_office", 1, 0.0);
    let error = bank.load(&other).await.unwrap_err();
    assert_eq!(error.code(), Code::Conflict);
    assert!(error.message().contains("batch 1 of `head_office` is published already, with other content"), "{error}");
    assert_eq!(bank.head().await, head, "nothing happened");

    let second = bank.batch("2").contacts("job,contacts\nminer,2\n").feed("head_office", 2, 0.0);
    let outcomes = load_all(&bank.warehouse, &bank.catalog, &bank.config.warehouse.tables, &[second, third], &()).await;
    let loaded: Vec<_> = outcomes.unwrap().iter().map(|outcome| outcome.disposition).collect();
    assert_eq!(loaded, [Disposition::Loaded, Disposition::Loaded]);
    assert_eq!(bank.rows("fact_contact", &["job", "contacts"]).await, ["farmer 1", "miner 2"]);
}

#[tokio::test]
async fn every_rejected_row_is_kept_with_reason_and_line() {
    let bank = opened().await;
    let content = "date,branch,account_id,end_balance,comment,status\n\
        2025-11-29,beijing,1,1.00,,A\n\
        2025-11-29,beijing,2,abc,,A\n\
        2025-13-29,beijing,1,1.00,,A\n\
        2025-11-28,beijing,9,1.00,,A\n\
        2025-11-28,beijing,1,,,A\n\
        2025-11-28,beijing,1,1.00,,Z\n\
        2025-11-28,beijing,1,1.00\n\
        2025-11-29,beijing,1,7.00,\"a\nb\",C\n\
        2025-12-01,beijing,1,1.00,,A\n\
        1812-11-28,beijing,1,1.00,,A\n\
        2025-11-28,,1,1.00,,A\n\
        2025-11-28,Beijing,1,1.00,,A\n\
        2025-11-30,beijing,1,200.25,,A\n\
        2025-11-30,beijing,2,-4999.00,,C\n\
        2025-11-28,beijing,1,99999999999999999.99,,A\n\
        2025-11-27,beijing,,3.00,,A\n\
        2025-11-28,beijing,1,1.001,,A\n";
    let feed = bank.batch("2").balances(content, "").feed("head_office", 2, 1.0);
    let outcome = bank.load(&feed).await.unwrap();
    assert_eq!(outcome.disposition, Disposition::Loaded, "{outcome:?}");
    assert_eq!(
        (outcome.rows_delivered, outcome.rows_loaded, outcome.rows_unchanged, outcome.rows_rejected),
        (17, 2, 1, 14)
    );
    let rejects = bank.rows(REJECTS, &["line_no", "branch_code", "reason_code", "column_name"]).await;
    let mut expected = vec![
        "3 beijing bad_type end_balance",
        "4 beijing bad_date business_date",
        "5 beijing unknown_key account_sk",
        "6 beijing missing_required end_balance",
        "7 beijing bad_code status_code",
        "8 shared malformed_line ",
        "9 beijing duplicate_key ",
        "11 beijing future_date business_date",
        "12 beijing out_of_range business_date",
        "13 shared missing_required branch_code",
        "14 shared wrong_branch branch_code",
        "16 beijing changed_posted_row ",
        "17 beijing out_of_range end_balance",
        "19 beijing bad_type end_balance",
    ];
    expected.sort_unstable();
    assert_eq!(rejects, expected);
    let raw = bank.rows(REJECTS, &["line_no", "file_name", "node", "batch_no", "state_code", "raw_line"]).await;
    assert!(
        raw.contains(&"9 balance.csv head_office 2 open 2025-11-29,beijing,1,7.00,\"a\nb\",C".to_owned()),
        "{raw:?}"
    );
    let loaded = bank.rows("fact_balance", &["business_date", "account_sk", "end_balance"]).await;
    assert_eq!(loaded.len(), 6);
    assert!(loaded.contains(&"2025-11-27 -1 3.00".to_owned()), "no account delivered: the unknown member");
    assert!(loaded.contains(&"2025-11-30 2 -5000.00".to_owned()), "a posted row stays as it is");
}

#[tokio::test]
async fn too_many_rejects_hold_the_batch() {
    let bank = opened().await;
    let head = bank.head().await;
    let content = "job,contacts\nfarmer,1\nminer,many\n";
    let feed = bank.batch("2").contacts(content).feed("head_office", 2, 0.4);
    let outcome = bank.load(&feed).await.unwrap();
    assert_eq!(outcome.disposition, Disposition::Held);
    assert!(outcome.message.contains("1 of 2 rows rejected"), "{}", outcome.message);
    assert!(outcome.message.contains("1 bad_type; for example line 3, column contacts: is not a whole number"));
    assert_eq!((bank.head().await, bank.state("head_office", 2).await.0.as_str()), (head, "held"));

    // Duplicates are found late, when files are written already; they count as well.
    let content = "date,branch,account_id,end_balance,comment,status\n\
        2025-11-28,beijing,1,1.00,,A\n2025-11-28,beijing,1,1.00,,A\n";
    let feed = bank.batch("2").balances(content, "").feed("head_office", 2, 0.4);
    let outcome = bank.load(&feed).await.unwrap();
    assert_eq!(outcome.disposition, Disposition::Held);
    assert!(outcome.message.contains("the same key stands in line 2 of balance.csv"), "{}", outcome.message);
    assert_eq!(bank.head().await, head);

    // Held is not the end: corrected under the same number, it loads.
    let feed = bank.batch("2").contacts("job,contacts\nfarmer,1\nminer,2\n").feed("head_office", 2, 0.4);
    assert_eq!(bank.load(&feed).await.unwrap().disposition, Disposition::Loaded);
    assert_eq!(bank.state("head_office", 2).await.0, "published");
}

#[tokio::test]
async fn totals_and_hashes_that_differ_refuse_the_batch() {
    let bank = opened().await;
    let head = bank.head().await;
    let content = "date,branch,account_id,end_balance,comment,status\n2025-11-28,beijing,1,1.10,,A\n2025-11-28,beijing,2,2.20,,A\n";
    for (more, message) in [
        ("control: {rows: 3}", "balance.csv: 2 rows delivered, the feed states 3"),
        (
            "control: {sums: {end_balance: \"3.31\"}}",
            "balance.csv: column `end_balance` sums to 3.30, the feed states 3.31",
        ),
        (&format!("sha256: \"{}\"", "0".repeat(64)), "balance.csv: SHA-256 is "),
    ] {
        let feed = bank.batch("2").balances(content, more).feed("head_office", 2, 0.0);
        let outcome = bank.load(&feed).await.unwrap();
        assert_eq!(outcome.disposition, Disposition::Refused);
        assert!(outcome.message.starts_with(message), "{}", outcome.message);
        assert_eq!((bank.head().await, bank.state("head_office", 2).await.0.as_str()), (head, "refused"));
        assert_eq!(outcome.into_result().unwrap_err().code(), Code::TotalsDiffer);
    }
    assert_eq!(bank.rows("fact_balance", &["end_balance"]).await.len(), 4);

    // A value that cannot be read leaves the total open: someone must look.
    let content =
        "date,branch,account_id,end_balance,comment,status\n2025-11-28,beijing,1,1.10,,A\n2025-11-28,beijing,2,x,,A\n";
    let feed =
        bank.batch("2").balances(content, "control: {sums: {end_balance: \"3.30\"}}").feed("head_office", 2, 1.0);
    let outcome = bank.load(&feed).await.unwrap();
    assert_eq!(outcome.disposition, Disposition::Held);
    assert!(outcome.message.contains("the value in line 3 cannot be read"), "{}", outcome.message);
}

#[tokio::test]
async fn files_that_are_not_the_feeds_are_errors_with_their_place() {
    let bank = opened().await;
    let head = bank.head().await;
    let feed = bank.batch("2").contacts("job,contacts,extra\nfarmer,1,2\n").feed("head_office", 2, 0.0);
    let error = bank.load(&feed).await.unwrap_err();
    assert_eq!(error.code(), Code::Feed);
    assert_eq!(
        error.message(),
        "contact.csv: line 1: column 3 `extra` is not named in the feed: add it, or `ignore: true`"
    );
    assert_eq!(bank.state("head_office", 2).await, ("refused".to_owned(), error.message().to_owned()));

    let feed = bank.batch("2").contacts("job,contacts\nfarmer,1\n").feed("head_office", 2, 0.0);
    std::fs::remove_file(feed.with_file_name("contact.csv")).unwrap();
    let error = bank.load(&feed).await.unwrap_err();
    assert!(error.code() == Code::Feed && error.message().contains("`contact.csv` cannot be opened"), "{error}");

    // A link may not lead out of the folder.
    std::os::unix::fs::symlink(bank.folder.path().join("1/balance.csv"), feed.with_file_name("contact.csv")).unwrap();
    let error = bank.load(&feed).await.unwrap_err();
    assert!(error.message().contains("is not a file inside the feed's folder"), "{error}");

    let feed = bank.batch("2b").file("c.csv", "job\n", "fact_contact", &["name: job", "name: n, to: nothing"], "");
    let error = bank.load(&feed.feed("head_office", 2, 0.0)).await.unwrap_err();
    assert_eq!(error.code(), Code::Definition);
    assert!(error.diagnostics().iter().any(|fault| fault.message.contains("has no column `nothing`")), "{error}");
    assert_eq!(bank.head().await, head);
}

/// LT-36. Class C3 at a column is refused with the definitions (`model::table`).
#[tokio::test]
async fn card_numbers_in_free_text_refuse_the_batch_and_are_kept_nowhere() {
    let bank = opened().await;
    let columns = ["name: job", "name: contacts", "name: remark"];
    let content = "job,contacts,remark\nclerk,1,called back\nclerk,x,\"paid with 6250 9410 0652 8599, sorry\"\n";
    let feed = bank.batch("2").file("contact.csv", content, "fact_contact", &columns, "").feed("head_office", 2, 1.0);
    let before = bank.head().await;
    let refused = bank.load(&feed).await.unwrap_err();
    assert!(refused.message().contains("line 3") && refused.message().contains("`remark`"), "{}", refused.message());
    assert!(!refused.message().contains("6250"), "{}", refused.message());
    assert_eq!(bank.head().await, before);
    let content = content.replace("8599", "8598");
    let feed = bank.batch("3").file("contact.csv", content, "fact_contact", &columns, "").feed("head_office", 2, 1.0);
    assert_eq!(bank.load(&feed).await.unwrap().rows_rejected, 1);
    let raw = bank.rows(REJECTS, &["raw_line"]).await;
    assert!(raw.len() == 1 && raw[0].contains("8598"), "{raw:?}");
}

#[tokio::test]
async fn the_same_rows_load_from_ndjson_and_parquet() {
    let bank = opened().await;
    let ndjson = "{\"date\": \"2025-11-28\", \"branch\": \"beijing\", \"account_id\": \"1\", \"end_balance\": 10.10, \"comment\": {\"a\": [1]}, \"status\": \"A\"}\n\
        {\"date\": \"2025-11-28\", \"branch\": \"beijing\", \"account_id\": \"2\", \"end_balance\": \"x\", \"status\": \"A\"}\n";
    let texts = |values: &[&str]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let amounts = Decimal128Array::from(vec![1010, 2020, 2020]).with_precision_and_scale(12, 2).unwrap();
    let rows = RecordBatch::try_from_iter([
        ("date", texts(&["2025-11-28", "2025-11-27", "2025-11-27"])),
        ("branch", texts(&["beijing", "beijing", "beijing"])),
        ("account_id", Arc::new(Int64Array::from(vec![1, 2, 2])) as ArrayRef),
        ("end_balance", Arc::new(amounts) as ArrayRef),
        ("comment", texts(&["", "", ""])),
        ("status", texts(&["A", "C", "C"])),
    ])
    .unwrap();
    let mut parquet = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut parquet, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let constants = "constants: {currency: CNY}";
    let feed = bank
        .batch("2")
        .file("more.ndjson", ndjson, "fact_balance", BALANCE, constants)
        .file(
            "more.parquet",
            &parquet,
            "fact_balance",
            BALANCE,
            &format!("{constants}\ncontrol: {{sums: {{end_balance: \"50.50\"}}}}"),
        )
        .feed("head_office", 2, 1.0);
    let outcome = bank.load(&feed).await.unwrap();
    assert_eq!((outcome.rows_delivered, outcome.rows_loaded, outcome.rows_rejected), (5, 2, 3), "{outcome:?}");
    let rejects = bank.rows(REJECTS, &["file_name", "line_no", "reason_code", "message", "raw_line"]).await;
    assert!(rejects[0].starts_with("more.ndjson 2 bad_type is not a decimal number {\"date\""), "{rejects:?}");
    assert!(
        rejects[1].starts_with("more.parquet 1 duplicate_key the same key stands in line 1 of more.ndjson {"),
        "{rejects:?}"
    );
    assert!(
        rejects[2].starts_with("more.parquet 3 duplicate_key the same key stands in line 2 of more.parquet {"),
        "{rejects:?}"
    );

    let head = bank.head().await;
    parquet.truncate(parquet.len() / 2);
    let feed =
        bank.batch("3").file("cut.parquet", &parquet, "fact_balance", BALANCE, constants).feed("head_office", 3, 1.0);
    let error = bank.load(&feed).await.unwrap_err();
    assert!(
        error.code() == Code::Feed && error.message().starts_with("cut.parquet: is no readable Parquet file"),
        "{error}"
    );
    assert_eq!((bank.head().await, bank.state("head_office", 3).await.0.as_str()), (head, "refused"));
}

#[tokio::test]
async fn dimensions_are_replaced_by_key_and_keep_their_surrogates() {
    let bank = opened().await;
    let products =
        "product_id,product_name,family_code\nL1,Housing loan,loan\nW1,Wealth,\nD1,Current account,deposit\n";
    let accounts = "branch,account_id,product,opened_on\nxian,7,W1,2025-11-01\n";
    let feed = bank.batch("2").accounts(accounts).products(products).feed("head_office", 2, 0.0);
    let outcome = bank.load(&feed).await.unwrap();
    assert_eq!((outcome.rows_loaded, outcome.rows_unchanged), (3, 1), "{outcome:?}");
    assert_eq!(
        bank.rows("dim_product", &["product_sk", "product_id", "product_name", "family_code"]).await,
        ["-1 unknown unknown ", "1 D1 Current account deposit", "2 L1 Housing loan loan", "3 W1 Wealth "]
    );
    assert_eq!(
        bank.rows("dim_account", &["account_sk", "branch_code", "account_id", "product_sk"]).await,
        ["-1 shared unknown -1", "1 beijing 1 1", "2 beijing 2 2", "3 xian 1 1", "4 xian 7 3"]
    );
    let head = bank.warehouse.head().await.unwrap().unwrap();
    assert_eq!((&head.facts["rows"]["dim_product"], &head.facts["rows"]["dim_account"]), (&4.into(), &5.into()));

    // The same content again changes no file, but the batch is on record.
    let before = bank.warehouse.files(&head, "dim_product").await.unwrap();
    let feed = bank.batch("3").products(products).feed("head_office", 3, 0.0);
    let outcome = bank.load(&feed).await.unwrap();
    assert_eq!((outcome.disposition, outcome.rows_unchanged), (Disposition::Loaded, 3));
    let head = bank.warehouse.head().await.unwrap().unwrap();
    assert_eq!(bank.warehouse.files(&head, "dim_product").await.unwrap().files, before.files);

    // A key that stands twice in one batch: the earlier line counts.
    let feed = bank.batch("4").products("product_id,product_name,family_code\nX1,First,\nX1,Second,\n").feed(
        "head_office",
        4,
        0.5,
    );
    let outcome = bank.load(&feed).await.unwrap();
    assert_eq!((outcome.rows_loaded, outcome.rows_rejected), (1, 1));
    assert!(bank.rows("dim_product", &["product_sk", "product_name"]).await.contains(&"4 First".to_owned()));
}

#[tokio::test]
async fn a_branch_delivers_for_itself_and_late_months_find_their_place() {
    let bank = opened().await;
    let content = "date,branch,account_id,end_balance,comment,status\n\
        2025-10-31,xian,1,5.00,,A\n2025-10-31,beijing,2,5.00,,A\n2025-11-30,xian,1,0.01,,A\n";
    let feed = bank.batch("x1").balances(content, "").feed("xian", 1, 0.5);
    let outcome = bank.load(&feed).await.unwrap();
    assert_eq!((outcome.rows_loaded, outcome.rows_unchanged, outcome.rows_rejected), (1, 1, 1), "{outcome:?}");
    assert_eq!(bank.rows(REJECTS, &["line_no", "reason_code", "node"]).await, ["3 wrong_branch xian"]);
    let head = bank.warehouse.head().await.unwrap().unwrap();
    let files = bank.warehouse.files(&head, "fact_balance").await.unwrap();
    let mut partitions: BTreeMap<_, u64> = BTreeMap::new();
    for file in &files.files {
        *partitions.entry((file.branch.clone().unwrap(), file.month.unwrap())).or_default() += file.rows;
    }
    let partitions: Vec<_> =
        partitions.iter().map(|((branch, month), rows)| (branch.as_str(), *month, *rows)).collect();
    assert_eq!(partitions, [("beijing", 202510, 1), ("beijing", 202511, 2), ("xian", 202510, 1), ("xian", 202511, 1)]);
}

#[tokio::test]
async fn rows_without_a_key_are_never_duplicates() {
    let bank = opened().await;
    let feed = bank.batch("2").contacts("job,contacts\nfarmer,1\nfarmer,1\n").feed("head_office", 2, 0.0);
    assert_eq!(bank.load(&feed).await.unwrap().rows_loaded, 2);
    let feed = bank.batch("3").contacts("job,contacts\nfarmer,1\n").feed("head_office", 3, 0.0);
    assert_eq!(bank.load(&feed).await.unwrap().rows_loaded, 1);
    assert_eq!(bank.rows("fact_contact", &["job", "contacts"]).await, ["farmer 1", "farmer 1", "farmer 1"]);
}

#[tokio::test]
async fn every_type_is_stored_as_it_means() {
    let bank = opened().await;
    let columns = [
        "name: id, to: event_id",
        "name: day, format: \"%d.%m.%Y\"",
        "name: branch, to: branch_code",
        "name: account, to: account_sk",
        "name: happened_at",
        "name: noted_at, type: date",
        "name: own, to: is_own",
        "name: rate, type: integer",
        "name: score",
    ];
    let content = "id;day;branch;account;happened_at;noted_at;own;rate;score\n\
        1;05.08.2025;xian;1;2025-08-05T10:00:00+08:00;2025-08-06;yes;3;1.5e-3\n\
        2;05.02.2025;xian;;;;n/a;;n/a\n\
        3;05.02.2025;xian;2;;;;;\n\
        4;05.02.2025;xian;1;;;;1.5;\n\
        5;05.02.2025;xian;1;;;;;NaN\n";
    let more = "delimiter: \";\"\nnull: [\"\", \"n/a\"]";
    let feed = bank.batch("2").file("event.csv", content, "fact_event", &columns, more).feed("xian", 1, 1.0);
    let outcome = bank.load(&feed).await.unwrap();
    assert_eq!((outcome.rows_loaded, outcome.rows_rejected), (2, 3), "{outcome:?}");
    let columns =
        ["event_id", "day", "month", "branch_code", "account_sk", "happened_at", "noted_at", "is_own", "rate", "score"];
    assert_eq!(
        bank.rows("fact_event", &columns).await,
        [
            "1 2025-08-05 202507 xian 3 2025-08-05T02:00:00Z 2025-08-06T00:00:00Z true 3.000000 0.0015",
            "2 2025-02-05 202501 xian -1     ",
        ]
    );
    assert_eq!(
        bank.rows(REJECTS, &["line_no", "branch_code", "reason_code", "column_name"]).await,
        ["4 xian unknown_key account_sk", "5 xian bad_type rate", "6 xian bad_type score"],
        "account 2 is another branch's"
    );
}

#[tokio::test]
async fn dimensions_that_refer_to_each_other_are_refused() {
    let dimension = |name: &str, other: &str| {
        format!(
            "\n    - name: {name}\n      kind: dimension\n      key: [id]\n      surrogate: {name}_sk\n      columns:\n\
            \x20       - {{name: id, type: text, required: true}}\n\
            \x20       - {{name: other_sk, type: integer, references: {other}}}"
        )
    };
    let tables = format!("{}{}", dimension("dim_a", "dim_b"), dimension("dim_b", "dim_a"));
    let bank = Bank::with(&format!("name: {{en: Test}}\nwarehouse:\n  tables:{tables}\n")).await;
    let columns = ["name: id", "name: other, to: other_sk"];
    let feed = bank
        .batch("1")
        .file("a.csv", "id,other\n1,\n", "dim_a", &columns, "")
        .file("b.csv", "id,other\n1,\n", "dim_b", &columns, "")
        .feed("head_office", 1, 0.0);
    let error = bank.load(&feed).await.unwrap_err();
    assert_eq!(error.code(), Code::Definition);
    assert!(error.message().contains("the references of dim_a, dim_b form a circle"), "{error}");
    assert_eq!(bank.head().await, None);
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Progress for Heard {
    fn step(&self, name: &str, _done: u64, _total: Option<u64>) {
        self.0.lock().unwrap().push(name.to_owned());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_memory_gives_the_same_result() {
    let mut accounts = String::from("branch,account_id,product,opened_on\n");
    let mut balances = String::from("date,branch,account_id,end_balance,comment,status\n");
    for number in 0..20_000 {
        let branch = ["beijing", "xian", "urumqi"][number % 3];
        let _ = writeln!(accounts, "{branch},{number},D1,");
        let month = 1 + number % 10;
        let _ = writeln!(balances, "2025-{month:02}-15,{branch},{number},{}.{:02},,A", number, number % 100);
        if number % 1000 == 999 {
            let _ = writeln!(balances, "2025-{month:02}-15,{branch},{number},1.00,,A");
        }
    }
    let mut results = Vec::new();
    for memory_bytes in [192 << 20, 1 << 14] {
        let bank = Bank::open().await;
        let feed =
            bank.batch("1").balances(&balances, "").accounts(&accounts).products(PRODUCTS).feed("head_office", 1, 0.01);
        let heard = Heard::default();
        let options = LoadOptions { memory_bytes };
        let tables = &bank.config.warehouse.tables;
        let outcome = load_with(&bank.warehouse, &bank.catalog, tables, &feed, &heard, &options).await.unwrap();
        assert_eq!((outcome.rows_delivered, outcome.rows_loaded, outcome.rows_rejected), (40_022, 40_002, 20));
        let heard = heard.0.into_inner().unwrap();
        for step in ["hash balance.csv", "balance.csv", "write fact_balance", "write dim_account"] {
            assert!(heard.iter().any(|name| name == step), "{step}");
        }
        let columns = ["business_date", "branch_code", "month", "account_sk", "end_balance"];
        let rejects = bank.rows(REJECTS, &["line_no", "reason_code", "raw_line"]).await;
        results.push((bank.rows("fact_balance", &columns).await, rejects));
    }
    assert_eq!(results[0], results[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_is_dropped_leaves_nothing() {
    let bank = opened().await;
    let head = bank.head().await;
    let mut content = String::from("job,contacts\n");
    for number in 0..200_000 {
        let _ = writeln!(content, "farmer,{number}");
    }
    let feed = bank.batch("2").contacts(&content).feed("head_office", 2, 0.0);
    for millis in [1, 20, 60] {
        let limit = std::time::Duration::from_millis(millis);
        let dropped = tokio::time::timeout(limit, bank.load(&feed)).await;
        if dropped.is_ok() {
            break; // a fast machine
        }
        assert_eq!(bank.head().await, head);
    }
    // The dropped load's thread gives the lease back when it notices.
    for _ in 0..200 {
        match bank.load(&feed).await {
            Err(error) if error.code() == Code::Busy => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            outcome => {
                let loaded = outcome.unwrap().disposition;
                assert!(matches!(loaded, Disposition::Loaded | Disposition::AlreadyLoaded));
                assert_eq!(bank.rows("fact_contact", &["job"]).await.len(), 200_000);
                return;
            }
        }
    }
    panic!("the lease was not given back");
}

/// The sample project itself: both batches load, and the quarantine holds exactly the rows that were planted.
#[tokio::test(flavor = "multi_thread")]
async fn the_sample_bank_loads_and_its_faulty_rows_are_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let config = config::load(root, folder.path()).unwrap();
    let clock = Clock::fixed("2026-01-02T08:00:00Z".parse().unwrap());
    let catalog = Catalog::open(folder.path(), clock.clone()).await.unwrap();
    let warehouse = Warehouse::open(&config, catalog.clone(), clock).await.unwrap();
    let bank = Bank { folder, config, catalog, warehouse };
    let feeds = ["batch-0001", "batch-0002"].map(|batch| root.join("sample_data").join(batch).join("feed.yaml"));
    let tables = &bank.config.warehouse.tables;
    let outcomes = load_all(&bank.warehouse, &bank.catalog, tables, &feeds, &()).await.unwrap();
    for outcome in &outcomes {
        assert_eq!(outcome.disposition, Disposition::Loaded, "{outcome:?}");
        let LoadOutcome { rows_delivered, rows_loaded, rows_unchanged, rows_rejected, .. } = outcome;
        assert_eq!(*rows_delivered, rows_loaded + rows_unchanged + rows_rejected);
    }
    let truth = std::fs::read_to_string(root.join("sample_data/truth/faulty_rows.csv")).unwrap();
    let mut truth: Vec<String> = truth.lines().skip(1).map(|line| line.replace(',', " ")).collect();
    truth.sort();
    let columns = ["batch_no", "file_name", "line_no", "reason_code", "column_name"];
    assert_eq!(bank.rows(REJECTS, &columns).await, truth);

    let again = load_all(&bank.warehouse, &bank.catalog, tables, &feeds, &()).await.unwrap();
    assert!(again.iter().all(|outcome| outcome.disposition == Disposition::AlreadyLoaded));
}
