//! Held runs and late closes: a second pair of eyes lets a run go as it was read, roles are told of a deadline once, and what
//! interrupted runs left behind is swept and nothing else.

use std::collections::BTreeSet;

use countinghouse::app::App;
use countinghouse::auth::{Principal, Scope};
use countinghouse::catalog::{DeliveryRow, EditionRow, NoticeRow, NoticeText, RunRow};
use countinghouse::error::Code;
use countinghouse::publish::{Manifest, Swept};

use super::{Bank, Face, editions, shape, work};

const NAME: &str = "balances/monthly";

/// Two of three branches have closed November.
fn two_of_three() -> Bank {
    let bank = Bank::new();
    bank.load(1, "2025-10-31", &[("north", 1, "1.00"), ("south", 3, "1.00"), ("quay", 4, "1.00")]);
    bank.load(2, "2025-11-30", &[("north", 1, "10.00"), ("south", 3, "7.25")]);
    bank
}

async fn login(app: &App, name: &str, roles: &[&str], scope: &str) -> Principal {
    let roles = roles.iter().map(|role| (*role).to_owned()).collect::<BTreeSet<_>>();
    app.services.auth.create_user(name, None, roles, scope.parse::<Scope>().unwrap()).await.unwrap();
    app.services.auth.principal(name).await.unwrap()
}

/// A run that somebody starts and a gate holds.
async fn held(app: &App, by: &str) -> RunRow {
    let id = app.services.scheduler.plan_by_hand(NAME, None, "hand", by, false).await.unwrap();
    app.services.scheduler.run_next().await.unwrap().unwrap();
    let run = app.services.catalog.run(id).await.unwrap().unwrap();
    assert_eq!((run.state.as_str(), run.message.as_str()), ("held", "2 of 3 branches closed; missing: quay"));
    run
}

async fn file(app: &App, edition: &EditionRow, name: &str) -> String {
    let manifest = Manifest::parse(&edition.manifest).unwrap();
    let bytes = app.services.publisher.shelf().get(&edition.id, &manifest, name).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_run_is_released_by_a_second_pair_of_eyes() {
    let bank = two_of_three();
    let app = bank.open().await;
    let publisher = &app.services.publisher;
    let schedule = publisher.schedule(NAME).unwrap();
    let paul = login(&app, "paul", &["publisher", "reviewer"], "head_office").await;
    let rita = login(&app, "rita", &["reviewer"], "head_office").await;
    let run = held(&app, "paul").await;

    // Not who may do everything else, not for a part of the bank, and not who started it.
    let adam = login(&app, "adam", &["administrator", "publisher", "auditor", "reader"], "head_office").await;
    let nora = login(&app, "nora", &["reviewer"], "north").await;
    for wrong in [&adam, &nora, &paul] {
        let refused = publisher.release(schedule, &run, wrong, "please").await.unwrap_err();
        assert_eq!(refused.code(), Code::Denied, "{}", wrong.name);
    }
    assert_eq!(app.services.catalog.run(run.id).await.unwrap().unwrap(), run);
    publisher.release(schedule, &run, &rita, "quay burnt down").await.unwrap();
    assert_eq!(publisher.release(schedule, &run, &rita, "again").await.unwrap_err().code(), Code::Conflict);

    // What was looked at is published, though quay closes meanwhile.
    bank.load(3, "2025-11-30", &[("quay", 4, "0.75")]);
    let app = bank.open().await;
    let (done, published) = app.services.scheduler.run_next().await.unwrap().unwrap();
    assert_eq!((done.id, published.editions), (run.id, 4));
    assert!(published.message.contains("released by rita (reviewer)"), "{}", published.message);
    let frozen = editions(&app).await;
    let of = |scope: &str| frozen.iter().find(|row| row.scope == scope).unwrap();
    let (whole, north) = (of("head_office"), of("north"));
    assert_eq!(whole.snapshot_id, run.held().unwrap().snapshot);
    assert!(file(&app, whole, "en/total.csv").await.contains("17.25"), "without quay");
    for row in &frozen {
        let manifest = Manifest::parse(&row.manifest).unwrap();
        let release = manifest.release.unwrap();
        assert_eq!(
            (release.by.as_str(), release.role.as_str(), release.reason.as_str(), release.gates.as_slice()),
            ("rita", "reviewer", "quay burnt down", ["complete".to_owned()].as_slice())
        );
        // Printed at the top in each language, with the reason, and in the evidence.
        let english = file(&app, row, "en.html").await;
        let said = "Published although checks had failed (completeness). Released by rita (Reviewer), ";
        assert!(english.contains(said) && english.contains("Reason: quay burnt down"), "{}: {english}", row.scope);
        let chinese = file(&app, row, "zh-CN.html").await;
        assert!(chinese.contains("放行人：rita（复核人）") && chinese.contains("结账完整性"), "{chinese}");
        let evidence: serde_json::Value = serde_json::from_str(&file(&app, row, "evidence.json").await).unwrap();
        assert_eq!(evidence["release"]["by"], "rita");
        bank.run(&["verify", &row.id]);
        bank.run(&["verify", &row.id, "--rerun"]);
    }
    // What the gate found names other branches: head office is told, a branch is not.
    let found = |row: &EditionRow| Manifest::parse(&row.manifest).unwrap().release.unwrap().found;
    assert_eq!(found(whole), ["2 of 3 branches closed; missing: quay"]);
    assert_eq!(found(north), Vec::<String>::new());
    assert!(!north.manifest.contains("2 of 3"), "{}", north.manifest);

    // The next close makes version 2 without anybody.
    work(&app).await;
    assert!(shape(&app).await.contains(&("head_office".to_owned(), 2)));
    let second = editions(&app).await.into_iter().find(|row| row.scope == "head_office" && row.version == 2).unwrap();
    assert_eq!(Manifest::parse(&second.manifest).unwrap().release, None);
    app.services.catalog.settle().await.unwrap();
    let log = bank.run(&["audit", "list", "--action", "schedule"]);
    assert!(log.contains("\"rita\"") && log.contains("\"release\"") && log.contains("quay burnt down"), "{log}");
    let log = bank.run(&["audit", "list", "--action", "publish"]);
    assert_eq!(log.lines().count(), 2, "a record for each run that froze something: {log}");
    assert!(log.contains("\"released_by\":\"rita\""), "{log}");
    bank.run(&["audit", "verify"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_figures_are_not_released_over_newer_ones() {
    let bank = two_of_three();
    let app = bank.open().await;
    let rita = login(&app, "rita", &["reviewer"], "head_office").await;
    let run = held(&app, "paul").await;
    let schedule = app.services.publisher.schedule(NAME).unwrap();
    assert!(app.services.publisher.is_releasable(schedule, &run).await.unwrap());
    bank.load(3, "2025-11-30", &[("quay", 4, "0.75")]);

    // The run at the newer data is planned before the release, and so claimed first.
    let app = bank.open().await;
    let (catalog, publisher) = (&app.services.catalog, &app.services.publisher);
    let schedule = publisher.schedule(NAME).unwrap();
    app.services.scheduler.plan().await.unwrap();
    publisher.release(schedule, &run, &rita, "quay burnt down").await.unwrap();
    while app.services.scheduler.run_next().await.unwrap().is_some() {}
    let after = catalog.run(run.id).await.unwrap().unwrap();
    assert_eq!((after.state.as_str(), after.release.as_ref(), after.held()), ("held", None, None));
    assert!(after.message.contains("2025-11 was published from snapshot"), "{}", after.message);
    let frozen = editions(&app).await;
    let old = run.held().unwrap().snapshot;
    assert_eq!(frozen.len(), 4);
    assert!(frozen.iter().all(|row| row.version == 1 && row.snapshot_id > old), "{frozen:?}");

    // It is refused as well where the newer figures are out before anybody wants to release the older ones.
    assert!(!publisher.is_releasable(schedule, &after).await.unwrap(), "what was read is not kept");
    assert!(!publisher.is_releasable(schedule, &run).await.unwrap(), "newer data are out");
    let refused = publisher.release(schedule, &run, &rita, "again").await.unwrap_err();
    assert_eq!(refused.code(), Code::Conflict);
    assert!(refused.message().contains("was published from snapshot"), "{}", refused.message());
    // Tried again it reads the newest data, which say nothing new.
    assert!(catalog.retry_run(run.id, "paul", "again").await.unwrap());
    app.services.scheduler.run_next().await.unwrap().unwrap();
    assert_eq!(catalog.run(run.id).await.unwrap().unwrap().state, "succeeded");
    assert_eq!(editions(&app).await, frozen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_shown_less_is_not_told_what_a_gate_found() {
    let bank = with_deadline("hold");
    let path = bank.place().join("reports/balances/report.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("{channel: email, roles: [reader]}", "{channel: email, roles: [teller]}"))
        .unwrap();
    let app = bank.open().await;
    let rita = login(&app, "rita", &["reviewer"], "head_office").await;
    login(&app, "clerk", &["teller"], "head_office").await;
    let run = held(&app, "paul").await;
    let schedule = app.services.publisher.schedule(NAME).unwrap();
    app.services.publisher.release(schedule, &run, &rita, "quay burnt down").await.unwrap();
    while app.services.scheduler.run_next().await.unwrap().is_some() {}
    let frozen = editions(&app).await;
    let manifest = |found: &dyn Fn(&str) -> bool| {
        Manifest::parse(&frozen.iter().find(|row| found(&row.scope)).unwrap().manifest).unwrap()
    };
    let whole = manifest(&|scope| scope == "head_office");
    assert_eq!((whole.release.unwrap().found.len(), whole.remarks.len()), (1, 1));
    let clerk = manifest(&|scope| scope.starts_with("head_office~"));
    assert_eq!(clerk.release.unwrap().found, Vec::<String>::new());
    assert_eq!(clerk.remarks, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_tries_a_run_again_has_started_it() {
    let bank = two_of_three();
    let app = bank.open().await;
    let schedule = app.services.publisher.schedule(NAME).unwrap();
    let rita = login(&app, "rita", &["reviewer", "publisher"], "head_office").await;
    let run = held(&app, "paul").await;
    assert!(app.services.catalog.retry_run(run.id, "rita", "once more").await.unwrap());
    app.services.scheduler.run_next().await.unwrap().unwrap();
    let run = app.services.catalog.run(run.id).await.unwrap().unwrap();
    assert_eq!((run.state.as_str(), run.started_by.as_deref()), ("held", Some("rita")));
    let refused = app.services.publisher.release(schedule, &run, &rita, "why").await.unwrap_err();
    assert_eq!(refused.code(), Code::Denied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn periods_of_the_past_are_recorded() {
    let bank = Bank::loaded();
    bank.run(&["schedule", "backfill", NAME, "2025-11-30"]);
    let log = bank.run(&["audit", "list", "--action", "schedule"]);
    assert!(log.contains("\"backfill\"") && log.contains("2025-11-30") && log.lines().count() == 1, "{log}");
}

/// The project with a deadline that passed long ago, told to the role `desk` by mail.
fn with_deadline(then: &str) -> Bank {
    let bank = two_of_three();
    let edit = |path: &str, old: &str, new: &str| {
        let path = bank.place().join(path);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(old).count(), 1, "{old}");
        std::fs::write(&path, text.replace(old, new)).unwrap();
    };
    std::fs::create_dir_all(bank.place().join("calendars")).unwrap();
    let years = "years:\n  - {year: 2025, source: none, holidays: []}\n  - {year: 2026, source: none, holidays: []}\n";
    std::fs::write(bank.place().join("calendars/bank.yaml"), format!("calendar: bank\nversion: \"1\"\n{years}"))
        .unwrap();
    edit("countinghouse.yaml", "roles:\n", "roles:\n  - {name: desk, label: {en: Desk, zh-CN: 报表岗}}\n");
    edit(
        "countinghouse.yaml",
        "channels:\n",
        "channels:\n  email: {host: 127.0.0.1, port: 9, security: none, from: reports@bank.example, domains: [bank.example]}\n",
    );
    let deadline = format!(
        "{{business_day: 3, at: \"09:00\", then: {then}, at_least: 2, tell: [desk]}}\n    burst: true\n    formats"
    );
    let when = "when: {closed: month, calendar: bank, time_zone: Asia/Shanghai}";
    edit("reports/balances/report.yaml", "when: {closed: month}", when);
    edit("reports/balances/report.yaml", "burst: true\n    formats", &format!("deadline: {deadline}"));
    edit(
        "reports/balances/report.yaml",
        "      - {channel: archive}\n",
        "      - {channel: archive}\n      - {channel: email, roles: [reader]}\n",
    );
    bank
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_that_nobody_can_be_told_of_is_a_fault() {
    let bank = with_deadline("hold");
    let path = bank.place().join("reports/balances/report.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("      - {channel: email, roles: [reader]}\n", "").replace("tell: [desk]", "tell: [dsek]");
    std::fs::write(&path, text).unwrap();
    let checked = super::run(bank.place(), &bank.state(), &["check"]);
    let said = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
    assert!(said.contains("there is no role `dsek`"), "{said}");
    assert!(said.contains("`tell` needs a channel that writes messages"), "{said}");
}

/// Who is told what: login, part of the bank, lines of the English text.
async fn told(app: &App) -> Vec<(String, String, String)> {
    let catalog = &app.services.catalog;
    let mut found = Vec::new();
    for row in catalog.deliveries(None, 100).await.unwrap() {
        let Some(id) = row.notice else { continue };
        let notice = catalog.notice(&id).await.unwrap().unwrap();
        assert_eq!((row.channel.as_str(), notice.kind.as_str()), ("email", "deadline"));
        let text = &notice.texts["en"];
        let lines = [vec![text.subject.clone()], text.paragraphs.clone(), text.items.clone()].concat();
        found.push((row.recipient, notice.scope, lines.join("\n")));
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_is_told_once_whoever_finds_it_out() {
    let bank = with_deadline("hold");
    let (one, two) = (bank.open().await, bank.open().await);
    login(&one, "dora", &["desk"], "head_office").await;
    login(&one, "quentin", &["desk"], "quay").await;
    login(&one, "nora", &["desk"], "north").await;
    login(&one, "reader", &["reader"], "head_office").await;
    let (first, second) = tokio::join!(one.services.scheduler.plan(), two.services.scheduler.plan());
    first.and(second).unwrap();
    // Another process, later.
    bank.open().await.services.scheduler.plan().await.unwrap();
    let told = told(&one).await;
    let who: Vec<_> = told.iter().map(|(login, scope, _)| (login.as_str(), scope.as_str())).collect();
    assert_eq!(who, [("dora", "head_office"), ("quentin", "quay")], "north has closed, readers are not told");
    let (whole, quay) = (&told[0].2, &told[1].2);
    assert!(whole.starts_with("Balances: the close of 2025-11 is late\n"), "{whole}");
    assert!(
        whole.contains("2 of 3 branches have closed 2025-11") && whole.ends_with("Still missing:\nquay"),
        "{whole}"
    );
    assert!(whole.contains("held until every branch has closed"), "{whole}");
    assert!(quay.contains("quay has not closed 2025-11") && !quay.contains("2 of 3"), "{quay}");
    assert_eq!(editions(&one).await, []);
    let explained = bank.run(&["schedule", "explain", NAME]);
    assert!(explained.contains("passed, tells desk"), "{explained}");
    // Who has no right any more is not told when it is handed over.
    one.services.auth.set_disabled("quentin", true).await.unwrap();
    while one.services.scheduler.deliver_next().await.unwrap() {}
    let rows = one.services.catalog.deliveries(None, 100).await.unwrap();
    let state = |login: &str| rows.iter().find(|row| row.recipient == login).unwrap().state.clone();
    assert_eq!(state("quentin"), "refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_that_publishes_says_so() {
    let bank = with_deadline("partial");
    let app = bank.open().await;
    login(&app, "dora", &["desk"], "head_office").await;
    app.services.scheduler.plan().await.unwrap();
    let told = told(&app).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].2.contains("now published without the branches that are missing"), "{told:?}");
    while app.services.scheduler.run_next().await.unwrap().is_some() {}
    assert!(shape(&app).await.contains(&("head_office".to_owned(), 1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_looks_after_deliveries_is_not_shown_what_a_notice_says_of_figures() {
    let bank = Bank::loaded();
    let face = Face::start(&bank, &[("head", "analyst", "head_office"), ("audrey", "auditor", "head_office")]).await;
    bank.run(&["schedule", "run", NAME]);
    let app = bank.open().await;
    let whole = editions(&app).await.into_iter().find(|row| row.scope == "head_office").unwrap();
    let at = app.services.catalog.now();
    let texts = NoticeText { subject: "Anna 4 is low".into(), ..NoticeText::default() };
    let notice = NoticeRow {
        id: "n1".into(),
        kind: "alert".into(),
        report: "balances".into(),
        scope: "head_office".into(),
        roles: Vec::new(),
        reading: Some(whole.reading),
        texts: [("en".to_owned(), texts)].into(),
        link: "https://reports.bank.example/alerts/1".into(),
        created_at: at,
    };
    let sending = DeliveryRow {
        key: "d1".into(),
        run_id: None,
        edition: None,
        notice: Some("n1".into()),
        channel: "email".into(),
        recipient: "head".into(),
        address: Some("head@bank.example".into()),
        lang: "en".into(),
        state: "rendered".into(),
        tries: 0,
        bytes: None,
        answer: String::new(),
        planned_at: at,
        changed_at: at,
        next_at: None,
    };
    assert_eq!(app.services.catalog.tell(&[(notice, vec![sending])]).await.unwrap(), 1);
    let page = async |login: &str| {
        let (status, _, body) = face.get(login, "/deliveries?lang=en", None).await;
        assert_eq!(status, 200, "{login}");
        String::from_utf8(body).unwrap()
    };
    assert!(page("head").await.contains("Anna 4 is low"), "who was told it");
    let staff = page("audrey").await;
    assert!(!staff.contains("Anna 4") && staff.contains("<small>Alert "), "{staff}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_interrupted_runs_left_behind_is_swept_and_nothing_else() {
    let bank = Bank::loaded();
    bank.run(&["schedule", "run", NAME]);
    let app = bank.open().await;
    let catalog = &app.services.catalog;
    let shelf = bank.state().join("editions");
    let orphan = shelf.join("0a".repeat(32));
    std::fs::create_dir_all(orphan.join("en")).unwrap();
    std::fs::write(orphan.join("en/total.csv"), "balance").unwrap();
    std::fs::write(orphan.join("en.html"), "<main>").unwrap();
    // What no edition could be called is somebody else's.
    std::fs::create_dir_all(shelf.join("notes")).unwrap();
    std::fs::write(shelf.join("notes/readme.txt"), "kept").unwrap();
    // The edition of another catalog over the same place; or of this one, restored from an older backup.
    let foreign = shelf.join("0b".repeat(32));
    std::fs::create_dir_all(&foreign).unwrap();
    for name in ["manifest.json", "en.html"] {
        std::fs::write(foreign.join(name), "{}").unwrap();
    }
    let hour = jiff::SignedDuration::from_hours(1);
    let sweep = async |before| app.services.publisher.sweep(before).await.unwrap();

    let swept = |removed, left| Swept { removed, left };
    assert_eq!(sweep(catalog.now() - hour).await, swept(0, 1), "it is young");
    // A run that has begun may find there what its last try wrote.
    app.services.scheduler.plan_by_hand(NAME, None, "hand", "paul", false).await.unwrap();
    let claim = catalog.claim_run().await.unwrap().unwrap();
    assert_eq!(sweep(catalog.now() + hour).await, swept(0, 0));
    assert!(orphan.join("en.html").exists());
    let nothing = serde_json::json!({});
    catalog.end_run(&claim, countinghouse::catalog::Ending::Failed, "stopped", &nothing).await.unwrap();

    assert_eq!(sweep(catalog.now() + hour).await, swept(1, 1));
    assert!(!orphan.join("en.html").exists() && !orphan.join("en/total.csv").exists());
    assert_eq!(std::fs::read_to_string(shelf.join("notes/readme.txt")).unwrap(), "kept");
    for row in editions(&app).await {
        bank.run(&["verify", &row.id]);
    }
    assert!(foreign.join("manifest.json").exists() && foreign.join("en.html").exists());
    assert_eq!(sweep(catalog.now() + hour).await, swept(0, 1));
    catalog.settle().await.unwrap();
    let log = bank.run(&["audit", "list", "--action", "edition_swept"]);
    assert!(log.lines().count() == 1 && log.contains(&"0a".repeat(32)), "{log}");
}
