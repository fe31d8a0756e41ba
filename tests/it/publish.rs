//! Publication, end to end: a load closes a month, editions are frozen and archived, a correction makes version 2, and nobody
//! opens what it may not see. `kill -9` at any moment leaves every edition once and whole.

mod release;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use countinghouse::app::App;
use countinghouse::auth::Scope;
use countinghouse::catalog::{EditionFilter, EditionRow, RunRow};
use countinghouse::publish::{Changes, Manifest};

use super::bank::{copy, project};
use super::server::{command, run};

const BRANCHES: [&str; 3] = ["north", "south", "quay"];

/// A project in a folder of its own, over an empty state.
pub(super) struct Bank {
    folder: tempfile::TempDir,
}

impl Bank {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&project().join("tests/projects/publish"), folder.path());
        Self { folder }
    }

    pub(super) fn place(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn state(&self) -> PathBuf {
        self.place().join("state")
    }

    pub(super) fn run(&self, arguments: &[&str]) -> String {
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
    pub(super) fn load(&self, batch: u32, date: &str, rows: &[(&str, u32, &str)]) {
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

    pub(super) async fn open(&self) -> App {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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

/// Run key and page of head office's edition where the names of customers lead to another report.
async fn leading(inner: &str) -> (String, String) {
    let bank = Bank::new();
    let folder = bank.place().join("reports/inner");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("report.yaml"), inner).unwrap();
    std::fs::write(folder.join("all.sql"), "SELECT SUM(balance) AS balance FROM deposits").unwrap();
    let path = bank.place().join("reports/balances/report.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let drilled = text.replacen("dataset: customers\n", "dataset: customers\n      drill: {report: inner}\n", 1);
    assert_ne!(drilled, text);
    std::fs::write(&path, drilled).unwrap();
    bank.load(1, "2025-11-30", &[("north", 1, "10.00"), ("south", 3, "7.25"), ("quay", 4, "0.75")]);
    bank.run(&["schedule", "run", "balances/monthly"]);
    let app = bank.open().await;
    let row = editions(&app).await.into_iter().find(|row| row.scope == "head_office").unwrap();
    let manifest = Manifest::parse(&row.manifest).unwrap();
    let page = app.services.publisher.shelf().get(&row.id, &manifest, "en.html").await.unwrap();
    (row.run_key, String::from_utf8_lossy(&page).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_links_of_an_edition_hang_on_nobody_who_asks() {
    // Whoever publishes may not open it, and some reader may: where the link leads, its follower is judged.
    let inner = "report: inner\ntitle: {en: Inner, zh-CN: 内部}\naudience: [auditor]\ncubes: [deposits]\nparameters:\n  \
                 as_of: {type: as_of_date, default: latest, label: {en: As of, zh-CN: 数据截至}}\ndatasets:\n  \
                 all: {sql: all.sql, rows: 1}\nblocks:\n  - message: {en: All, zh-CN: 全部}\n";
    let (key, page) = leading(inner).await;
    assert_eq!(page.matches("href=\"/reports/inner?as_of=2025-11-30").count(), 3, "{page}");
    // What it leads to is part of what it was made of.
    assert_eq!(leading(inner).await.0, key);
    assert_ne!(leading(&inner.replace("Inner", "Another")).await.0, key);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_is_published_when_its_last_branch_has_closed() {
    let bank = Bank::new();
    bank.load(1, "2025-10-31", &[("north", 1, "1.00"), ("south", 3, "1.00"), ("quay", 4, "1.00")]);
    bank.load(2, "2025-11-30", &[("north", 1, "10.00"), ("south", 3, "7.25")]);
    let app = bank.open().await;
    work(&app).await;
    assert_eq!(shape(&app).await, [], "27 of 28 are not all");
    // By hand it is held, and says who is missing.
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_stays_as_open_or_closed_as_it_was_when_the_next_begins() {
    let bank = Bank::new();
    bank.load(1, "2025-10-31", &[("north", 1, "1.00"), ("south", 3, "1.00")]);
    bank.load(2, "2025-11-30", &[("north", 1, "10.00")]);
    // Quay has not closed October, whoever has begun November.
    let october = ["schedule", "run", "balances/monthly", "--as-of", "2025-10-31"];
    let why = bank.fails(&october);
    assert!(why.contains("2 of 3 branches closed; missing: quay"), "{why}");
    bank.load(3, "2025-10-31", &[("quay", 4, "1.00")]);
    bank.run(&october);
    assert_eq!(shape(&bank.open().await).await.len(), 4);
    // What others load of November makes no new version of October.
    bank.load(4, "2025-11-30", &[("south", 3, "7.25")]);
    bank.run(&october);
    let versions: Vec<_> = shape(&bank.open().await).await.into_iter().map(|(_, version)| version).collect();
    assert_eq!(versions, [1, 1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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
    // A run that was killed as often as it may be tried is given up for the next one, which has newer data.
    let is_given_up = |run: &RunRow| run.state == "dead" && run.message.starts_with("the server ended 5 times");
    assert!(runs.iter().all(|run| run.state == "succeeded" || is_given_up(run)), "{runs:?}");
    let mut newest = BTreeMap::new();
    runs.iter().for_each(|run| _ = newest.entry(&run.schedule).or_insert(&run.state));
    assert!(newest.values().all(|state| *state == "succeeded"), "{newest:?}");
}

/// A server over a bank, and what it answers to logins by name.
pub(super) struct Face {
    _server: Server,
    pub(super) http: String,
    pub(super) tokens: BTreeMap<&'static str, String>,
    pub(super) client: reqwest::Client,
}

impl Face {
    pub(super) async fn start(bank: &Bank, logins: &[(&'static str, &str, &str)]) -> Self {
        let mut tokens = BTreeMap::new();
        let app = bank.open().await;
        for (name, role, scope) in logins {
            let roles = std::iter::once((*role).to_owned()).collect();
            app.services.auth.create_user(name, None, roles, scope.parse::<Scope>().unwrap()).await.unwrap();
            let said = bank.run(&["token", "create", name]);
            let token = said.split_whitespace().find(|word| word.starts_with("cth_")).unwrap();
            tokens.insert(*name, token.to_owned());
        }
        let mut server = command(bank.place(), &bank.state())
            .args(["serve", "--no-schedules", "--http", "127.0.0.1:0", "--flight", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let ready = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ready http=").map(|rest| rest.split(' ').next().unwrap().to_owned()));
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { _server: Server(server), http: ready.unwrap(), tokens, client }
    }

    /// Status, headers and body.
    pub(super) async fn get(
        &self,
        login: &str,
        path: &str,
        etag: Option<&str>,
    ) -> (u16, reqwest::header::HeaderMap, Vec<u8>) {
        let mut request = self.client.get(format!("{}{path}", self.http)).bearer_auth(&self.tokens[login]);
        if let Some(etag) = etag {
            request = request.header("if-none-match", etag);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.headers().clone(), answer.bytes().await.unwrap().to_vec())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn editions_of_others_are_not_found_and_not_listed() {
    let bank = Bank::loaded();
    let face = Face::start(
        &bank,
        &[("head", "analyst", "head_office"), ("north", "analyst", "north"), ("clerk", "teller", "north")],
    )
    .await;
    bank.run(&["schedule", "run", "balances/monthly"]);
    let all = editions(&bank.open().await).await;
    let of = |scope: &str| all.iter().find(|row| row.scope == scope).unwrap().clone();
    let (whole, north, south) = (of("head_office"), of("north"), of("south"));

    let (status, headers, body) = face.get("head", "/r/balances/head_office/2025-11/v1?format=csv", None).await;
    assert_eq!(status, 200);
    let manifest = Manifest::parse(&whole.manifest).unwrap();
    let entry = manifest.files.iter().find(|entry| entry.name.ends_with(".csv") && !entry.name.contains('/')).unwrap();
    let frozen: Vec<_> = manifest.files.iter().map(|entry| entry.sha256.as_str()).collect();
    assert!(frozen.contains(&countinghouse::auth::sha256_hex(&body).as_str()));
    assert!(entry.bytes > 0);
    let etag = headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(face.get("head", "/r/balances/head_office/2025-11/v1?format=csv", Some(&etag)).await.0, 304);

    // By link, hash, file, evidence, changes and entity tag: the same answer as for what does not exist.
    for other in [&whole, &south] {
        let link = format!("/r/balances/{}/2025-11/v1", other.scope);
        let paths = [
            link.clone(),
            format!("{link}?format=csv"),
            format!("{link}?format=json"),
            format!("{link}/changes"),
            format!("/editions/{}", other.id),
            format!("/editions/{}/evidence", other.id),
            format!("/editions/{}/files/manifest.json", other.id),
            format!("/editions/{}/files/en.csv", other.id),
            format!("/reports/balances/latest?scope={}", other.scope),
        ];
        for path in paths {
            for login in ["north", "clerk"] {
                let (status, headers, body) = face.get(login, &path, Some(&etag)).await;
                assert_eq!(status, 404, "{login} {path}");
                assert!(!headers.contains_key("etag") && !headers.contains_key("x-snapshot-id"), "{login} {path}");
                let text = String::from_utf8_lossy(&body);
                assert!(
                    !text.contains(&other.id) && !text.contains("7.25") && !text.contains("20.50"),
                    "{path}: {text}"
                );
            }
        }
    }
    // Own ones open; of a masked reader none, since the branch's edition shows names.
    assert_eq!(face.get("north", "/r/balances/north/2025-11/v1?format=csv", None).await.0, 200);
    assert_eq!(face.get("clerk", "/r/balances/north/2025-11/v1?format=csv", None).await.0, 404);
    let (status, _, list) = face.get("north", "/reports/balances/editions", None).await;
    let list = String::from_utf8_lossy(&list).into_owned();
    assert_eq!(status, 200);
    assert!(list.contains("/r/balances/north/2025-11/v1"), "{list}");
    assert!(!list.contains("/r/balances/south") && !list.contains("/r/balances/head_office"), "{list}");

    // In SQL: own rows of the ledger's tables alone.
    let body = serde_json::json!({"sql": "SELECT scope FROM system.editions ORDER BY 1", "format": "csv"}).to_string();
    for (login, expected) in [("north", "north"), ("head", "head_office,north,quay,south")] {
        let request = face.client.post(format!("{}/api/sql", face.http)).bearer_auth(&face.tokens[login]);
        let answer = request.header("content-type", "application/json").body(body.clone()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let rows = answer.text().await.unwrap();
        let rows: Vec<_> = rows.trim_start_matches('\u{feff}').lines().skip(1).collect();
        assert_eq!(rows.join(","), expected, "{login}");
    }
    assert_eq!(north.version, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_schedule_shows_each_recipient_its_own_rows() {
    let bank = Bank::new();
    let definition = bank.place().join("reports/balances/report.yaml");
    let text = std::fs::read_to_string(&definition).unwrap();
    std::fs::write(&definition, text.replace("formats: [html, csv]", "formats: [html, csv, json, xlsx]")).unwrap();
    bank.load(1, "2025-11-30", &[("north", 1, "10.00"), ("south", 987_001, "31415.92"), ("quay", 4, "0.75")]);
    bank.run(&["schedule", "run", "balances/monthly"]);
    let app = bank.open().await;
    let canaries = ["987001", "31415.92", "31,415.92", "31425.92"];
    let mut seen = 0;
    for row in editions(&app).await {
        let manifest = Manifest::parse(&row.manifest).unwrap();
        let mut texts = vec![row.manifest.clone()];
        for entry in &manifest.files {
            let bytes = app.services.publisher.shelf().get(&row.id, &manifest, &entry.name).await.unwrap();
            if entry.name.ends_with(".xlsx") {
                let mut book = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
                for number in 0..book.len() {
                    let mut part = String::new();
                    if book.by_index(number).unwrap().read_to_string(&mut part).is_ok() {
                        texts.push(part);
                    }
                }
            } else {
                texts.push(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        let found = texts.iter().any(|text| canaries.iter().any(|canary| text.contains(canary)));
        assert_eq!(found, ["head_office", "south"].contains(&row.scope.as_str()), "{}", row.scope);
        seen += usize::from(found);
    }
    assert_eq!(seen, 2);
}
