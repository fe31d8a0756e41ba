//! Publication, end to end: a load closes a month, editions are frozen and archived, a correction makes version 2, and nobody
//! opens what it may not see. `kill -9` at any moment leaves every edition once and whole.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use countinghouse::app::App;
use countinghouse::auth::Scope;
use countinghouse::catalog::{EditionFilter, EditionRow};
use countinghouse::publish::{Changes, Manifest};

use super::bank::{copy, project};
use super::server::{command, run};

const BRANCHES: [&str; 3] = ["north", "south", "quay"];

/// A project in a folder of its own, over an empty state.
struct Bank {
    folder: tempfile::TempDir,
}

impl Bank {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&project().join("tests/projects/publish"), folder.path());
        Self { folder }
    }

    fn place(&self) -> &Path {
        self.folder.path()
    }

    fn state(&self) -> PathBuf {
        self.place().join("state")
    }

    fn run(&self, arguments: &[&str]) -> String {
        let done = run(self.place(), &self.state(), arguments);
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&done.stderr));
        said
    }

    fn fails(&self, arguments: &[&str]) -> String {
        let done = run(self.place(), &self.state(), arguments);
        assert!(!done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stdout));
        String::from_utf8_lossy(&done.stderr).into_owned()
    }

    /// Delivers and loads month ends; `rows` are branch, customer, balance.
    fn load(&self, batch: u32, date: &str, rows: &[(&str, u32, &str)]) {
        let feed = self.place().join(format!("feed-{batch}"));
        std::fs::create_dir_all(&feed).unwrap();
        let mut files = String::new();
        if batch == 1 {
            let mut days = "day,is_workday\n".to_owned();
            for (month, last) in [(10, 31), (11, 30), (12, 31)] {
                for day in 1..=last {
                    writeln!(days, "2025-{month}-{day:02},true").unwrap();
                }
            }
            let mut offices =
                "office_id,office_name,level_code,parent_id,branch_code\nH,Bank,head_office,,head\n".to_owned();
            for branch in BRANCHES {
                writeln!(offices, "{branch},{branch},branch,H,{branch}").unwrap();
            }
            std::fs::write(feed.join("days.csv"), days).unwrap();
            std::fs::write(feed.join("offices.csv"), offices).unwrap();
            files =
                "  - {path: days.csv, format: csv, table: dim_day, columns: [{name: day}, {name: is_workday}]}\n  - \
                     {path: offices.csv, format: csv, table: dim_office, null: [''], columns: [{name: office_id}, \
                     {name: office_name}, {name: level_code}, {name: parent_id}, {name: branch_code}]}\n"
                    .to_owned();
        }
        let mut balances = "business_date,branch_code,office,customer_no,customer_name,end_balance\n".to_owned();
        for (branch, customer, balance) in rows {
            writeln!(balances, "{date},{branch},{branch},{customer},Anna {customer},{balance}").unwrap();
        }
        std::fs::write(feed.join("balances.csv"), balances).unwrap();
        files.push_str(
            "  - {path: balances.csv, format: csv, table: fact_balance, columns: [{name: business_date}, {name: branch_code}, \
             {name: office, to: office_sk}, {name: customer_no}, {name: customer_name}, {name: end_balance}]}\n",
        );
        let text = format!("node: head_office\nbatch: {batch}\nbusiness_date: {date}\nsource: core\nfiles:\n{files}");
        std::fs::write(feed.join("feed.yaml"), text).unwrap();
        self.run(&["load", feed.join("feed.yaml").to_str().unwrap()]);
    }

    fn loaded() -> Self {
        let bank = Self::new();
        bank.load(
            1,
            "2025-11-30",
            &[("north", 1, "10.00"), ("north", 2, "2.50"), ("south", 3, "7.25"), ("quay", 4, "0.75")],
        );
        bank
    }

    async fn open(&self) -> App {
        App::open(self.place(), &self.state()).await.unwrap()
    }
}

async fn editions(app: &App) -> Vec<EditionRow> {
    app.services.catalog.editions(&EditionFilter::default()).await.unwrap()
}

/// What a state holds, for comparisons: scope, version and the hash of the rows.
async fn shape(app: &App) -> Vec<(String, u32)> {
    let mut found: Vec<_> = editions(app).await.into_iter().map(|row| (row.scope, row.version)).collect();
    found.sort();
    found
}

async fn work(app: &App) {
    let scheduler = &app.services.scheduler;
    scheduler.plan().await.unwrap();
    while scheduler.run_next().await.unwrap().is_some() {}
    while scheduler.deliver_next().await.unwrap() {}
}

#[tokio::test]
async fn a_closed_month_becomes_editions_and_a_correction_version_two() {
    let bank = Bank::loaded();
    let app = bank.open().await;
    work(&app).await;
    let first = editions(&app).await;
    let scopes = ["head_office", "north", "quay", "south"].map(|scope| (scope.to_owned(), 1));
    assert_eq!(shape(&app).await, scopes);
    assert!(first.iter().all(|row| row.period == "2025-11" && row.changes.is_none()));

    // Every file is what the manifest says, in the store and in the archive.
    for row in &first {
        let manifest = Manifest::parse(&row.manifest).unwrap();
        let names: Vec<_> = manifest.files.iter().map(|entry| entry.name.as_str()).collect();
        for name in ["en.html", "zh-CN.html", "en.csv", "en/total.csv", "evidence.json"] {
            assert!(names.contains(&name), "{names:?}");
        }
        bank.run(&["verify", &row.id]);
        bank.run(&["verify", &row.id, "--rerun"]);
    }
    let deliveries = app.services.catalog.deliveries(None, 100).await.unwrap();
    assert_eq!(deliveries.len(), 4);
    assert!(deliveries.iter().all(|row| row.state == "accepted"), "{deliveries:?}");

    // Once is enough: the same snapshot again, and by hand, make nothing.
    work(&app).await;
    bank.run(&["schedule", "run", "balances/monthly"]);
    assert_eq!(editions(&app).await, first);

    // A late row of one branch: that branch and head office have a version 2, and it says what changed.
    bank.load(2, "2025-11-30", &[("south", 5, "0.01")]);
    let app = bank.open().await;
    work(&app).await;
    let expected = [("head_office", 1), ("head_office", 2), ("north", 1), ("quay", 1), ("south", 1), ("south", 2)];
    assert_eq!(shape(&app).await, expected.map(|(scope, version)| (scope.to_owned(), version)));
    let second: Vec<_> = editions(&app).await;
    for row in &first {
        assert!(second.contains(row), "version 1 of {} has changed", row.scope);
    }
    let corrected = second.iter().find(|row| row.scope == "south" && row.version == 2).unwrap();
    let manifest = Manifest::parse(&corrected.manifest).unwrap();
    let bytes = app.services.publisher.shelf().get(&corrected.id, &manifest, "changes.json").await.unwrap();
    let changes: Changes = serde_json::from_slice(&bytes).unwrap();
    let cells: Vec<_> = changes
        .datasets
        .iter()
        .flat_map(|dataset| {
            dataset.cells.iter().map(|cell| (dataset.name.as_str(), cell.old.as_str(), cell.new.as_str()))
        })
        .collect();
    assert_eq!(cells, [("total", "7.25", "7.26")]);
    let added: Vec<_> = changes.datasets.iter().flat_map(|dataset| &dataset.added).collect();
    assert_eq!(added, ["Anna 5"]);
    assert_eq!(corrected.changes, Some(2));
    // An old version is still what it was, and its questions still have its answers.
    let old = first.iter().find(|row| row.scope == "south").unwrap();
    bank.run(&["verify", &old.id, "--rerun"]);
}

#[tokio::test]
async fn the_same_inputs_make_the_same_bytes() {
    let bank = Bank::loaded();
    bank.run(&["schedule", "run", "balances/monthly"]);
    let app = bank.open().await;
    let one = editions(&app).await;
    // Another state from the same files: what was made differs in nothing but its time.
    let other = Bank::loaded();
    other.run(&["schedule", "run", "balances/monthly"]);
    let two = editions(&other.open().await).await;
    for (one, two) in one.iter().zip(&two) {
        assert_eq!((&one.scope, &one.run_key), (&two.scope, &two.run_key));
        let (one, two) = (Manifest::parse(&one.manifest).unwrap(), Manifest::parse(&two.manifest).unwrap());
        assert_eq!(one.datasets, two.datasets);
        let csv = |manifest: &Manifest| -> BTreeMap<String, String> {
            let data = manifest.files.iter().filter(|entry| entry.name.ends_with(".csv"));
            data.map(|entry| (entry.name.clone(), entry.sha256.clone())).collect()
        };
        assert_eq!(csv(&one), csv(&two));
    }
}

#[tokio::test]
async fn a_month_is_published_when_its_last_branch_has_closed() {
    let bank = Bank::new();
    bank.load(1, "2025-10-31", &[("north", 1, "1.00"), ("south", 3, "1.00"), ("quay", 4, "1.00")]);
    bank.load(2, "2025-11-30", &[("north", 1, "10.00"), ("south", 3, "7.25")]);
    let app = bank.open().await;
    work(&app).await;
    assert_eq!(shape(&app).await, [], "27 of 28 are not all");
    // By hand it is held, and says who is missing; a person may release it, with a reason that is kept.
    let why = bank.fails(&["schedule", "run", "balances/monthly"]);
    assert!(why.contains("2 of 3 branches closed; missing: quay"), "{why}");
    let explained = bank.run(&["schedule", "explain", "balances/monthly"]);
    assert!(explained.contains("ready 2/3") && explained.contains("quay"), "{explained}");
    bank.load(3, "2025-11-30", &[("quay", 4, "0.75")]);
    let app = bank.open().await;
    work(&app).await;
    assert_eq!(shape(&app).await.len(), 4);
    let runs = bank.run(&["schedule", "runs"]);
    assert!(runs.contains("\theld\t") && runs.contains("\tclose\tsucceeded\t"), "{runs}");
}

#[tokio::test]
async fn a_partial_publication_prints_who_is_missing() {
    let bank = Bank::new();
    bank.load(1, "2025-10-31", &[("north", 1, "1.00"), ("south", 3, "1.00"), ("quay", 4, "1.00")]);
    bank.load(2, "2025-11-30", &[("north", 1, "10.00"), ("south", 3, "7.25")]);
    bank.run(&["schedule", "run", "balances/monthly", "--partial"]);
    let app = bank.open().await;
    let whole = editions(&app).await.into_iter().find(|row| row.scope == "head_office").unwrap();
    let manifest = Manifest::parse(&whole.manifest).unwrap();
    assert_eq!(manifest.completeness.open, ["quay"]);
    assert_eq!(manifest.remarks, ["partial: 2 of 3 branches closed; missing: quay"]);
    // The branch that closes later makes version 2.
    bank.load(3, "2025-11-30", &[("quay", 4, "0.75")]);
    let app = bank.open().await;
    work(&app).await;
    assert!(shape(&app).await.contains(&("head_office".to_owned(), 2)));
}

#[tokio::test]
async fn nobody_opens_what_it_may_not_see() {
    let bank = Bank::loaded();
    for (name, role, scope) in [
        ("reader", "reader", "head_office"),
        ("north", "reader", "north"),
        ("clerk", "teller", "north"),
        ("stranger", "auditor", "head_office"),
    ] {
        let app = bank.open().await;
        let roles = std::iter::once(role.to_owned()).collect();
        app.services.auth.create_user(name, None, roles, scope.parse::<Scope>().unwrap()).await.unwrap();
    }
    bank.run(&["schedule", "run", "balances/monthly"]);
    let app = bank.open().await;
    let publisher = &app.services.publisher;
    let may = async |name: &str| {
        let principal = app.services.auth.principal(name).await.unwrap();
        let mut open: Vec<_> = editions(&app)
            .await
            .into_iter()
            .filter(|row| publisher.may_open(&principal, row))
            .map(|row| row.scope)
            .collect();
        open.sort();
        open
    };
    assert_eq!(may("reader").await, ["head_office", "north", "quay", "south"]);
    assert_eq!(may("north").await, ["north"]);
    // The edition of the branch shows names; a teller sees masks.
    assert_eq!(may("clerk").await, Vec::<String>::new());
    assert_eq!(may("stranger").await, Vec::<String>::new());
    // What is not opened is audited.
    let clerk = app.services.auth.principal("clerk").await.unwrap();
    let north = editions(&app).await.into_iter().find(|row| row.scope == "north");
    let refused = publisher.open_edition(&clerk, north).await.unwrap_err();
    let missing = publisher.open_edition(&clerk, None).await.unwrap_err();
    assert_eq!(refused.message(), missing.message());
    app.services.catalog.settle().await.unwrap();
    let log = bank.run(&["audit", "list", "--action", "edition_refused"]);
    assert!(log.contains("\"clerk\"") && log.lines().count() == 1, "{log}");
}

/// A server that ends with the test, also one that fails.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Two servers over one state are killed again and again while a schedule publishes: every edition is there once and whole, every
/// delivery at most once, and nothing half is seen.
#[tokio::test]
async fn kill_nine_leaves_every_edition_once_and_whole() {
    let kills: u32 =
        std::env::var("COUNTINGHOUSE_PUBLISH_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(6);
    let bank = Bank::loaded();
    let mut wait = 7_u64;
    let start = || {
        let mut server = command(bank.place(), &bank.state());
        server.args(["serve", "--http", "127.0.0.1:0", "--flight", "127.0.0.1:0", "--log", "error"]);
        Server(server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    };
    for number in 0..kills {
        // Each time a late row of the closed month: there is always something to publish.
        bank.load(2 + number, "2025-11-30", &[("south", 100 + number, "0.01")]);
        let mut servers = [start(), start()];
        // A fixed sequence of moments from the start of planning to the end of delivery.
        wait = (wait * 48_271 + 12_345) % 1_000_003;
        std::thread::sleep(std::time::Duration::from_millis(300 + wait % 2_700));
        servers.iter_mut().for_each(|server| server.0.kill().unwrap()); // SIGKILL, first both, then waiting
        drop(servers);
    }
    let app = bank.open().await;
    work(&app).await;
    let rows = editions(&app).await;
    let mut versions: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for row in &rows {
        versions.entry(row.scope.clone()).or_default().push(row.version);
        bank.run(&["verify", &row.id]);
    }
    for (scope, mut found) in versions {
        found.sort_unstable();
        let whole: Vec<u32> = (1..=u32::try_from(found.len()).unwrap()).collect();
        assert_eq!(found, whole, "{scope}");
    }
    // The last state of the data is published, and everything was delivered exactly once.
    let last = rows.iter().filter(|row| row.scope == "south").max_by_key(|row| row.version).unwrap();
    bank.run(&["verify", &last.id, "--rerun"]);
    let deliveries = app.services.catalog.deliveries(None, 100_000).await.unwrap();
    assert_eq!(deliveries.len(), rows.len());
    assert!(deliveries.iter().all(|row| row.state == "accepted"), "{deliveries:?}");
    let runs = app.services.catalog.runs(None, 100_000).await.unwrap();
    assert!(runs.iter().all(|run| run.state == "succeeded"), "{runs:?}");
}
