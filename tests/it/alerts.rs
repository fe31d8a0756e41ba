//! Alerts, end to end: a figure crosses its limit, somebody is told once, and it is over beyond the other limit. Nobody sees what
//! they may not see, and a process that dies in between neither loses a message nor repeats one.

use std::os::unix::fs::PermissionsExt as _;

use countinghouse::app::App;
use countinghouse::auth::Scope;
use countinghouse::catalog::{AlertFilter, AlertRow, AuditFilter, DeliveryRow, NoticeRow};

use super::publish::{Bank, Face};
use super::server::command;

/// The alert of the project, which is raised below 8.00 in two runs and over above 9.00, tells readers and a program.
const TOLD: &str = "    to:\n      - {channel: email, roles: [reader]}\n      - {channel: webhook, name: portal}\n";
/// Where nobody listens: nothing is sent here.
const CHANNELS: &str = "channels:
  email: {host: 127.0.0.1, port: 9, security: none, from: reports@bank.example, domains: [bank.example]}
  webhook:
    portal: {url: 'http://127.0.0.1:9/x', secret_file: portal.secret, allow: [127.0.0.1], unencrypted: true}
  archive: {url: archive}
";
const DAY: &str = "2025-11-30";

fn replace(path: &std::path::Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text.matches(from).count(), 1, "{from} in {text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

/// A bank whose alert is told.
fn bank() -> Bank {
    let bank = Bank::new();
    replace(&bank.place().join("countinghouse.yaml"), "channels:\n  archive: {url: archive}\n", CHANNELS);
    let report = bank.place().join("reports/balances/report.yaml");
    let end = "    measure: deposits.balance\n\npublish:";
    replace(&report, end, &end.replace("\n\npublish", &format!("\n{TOLD}\npublish")));
    std::fs::create_dir_all(bank.state()).unwrap();
    let secret = bank.state().join("portal.secret");
    std::fs::write(&secret, "a secret of the portal\n").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    bank
}

async fn add(bank: &Bank, logins: &[(&str, &str, &str)]) {
    let app = bank.open().await;
    for (name, role, scope) in logins {
        let roles = std::iter::once((*role).to_owned()).collect();
        app.services.auth.create_user(name, None, roles, scope.parse::<Scope>().unwrap()).await.unwrap();
        bank.run(&["user", "email", name, &format!("{name}@bank.example")]);
    }
}

/// Judges everything at the newest snapshot; nothing is sent.
async fn judge(bank: &Bank) -> App {
    let app = bank.open().await;
    app.services.scheduler.plan_alerts().await.unwrap();
    while app.services.scheduler.run_next().await.unwrap().is_some() {}
    app
}

async fn of(app: &App, alert: &str, scope: &str, member: &str) -> AlertRow {
    let rows = app.services.catalog.alerts(&AlertFilter::default()).await.unwrap();
    rows.into_iter().find(|row| row.alert == alert && row.scope == scope && row.member == member).unwrap()
}

async fn state(app: &App, scope: &str) -> String {
    of(app, "low", scope, "").await.state
}

/// What is to be sent: channel, recipient, and what is told, in the order of planning.
async fn told(app: &App) -> Vec<(DeliveryRow, NoticeRow)> {
    let mut found = Vec::new();
    for row in app.services.catalog.deliveries(None, 1000).await.unwrap() {
        let Some(id) = &row.notice else { continue };
        let notice = app.services.catalog.notice(id).await.unwrap().unwrap();
        found.push((row, notice));
    }
    found.sort_by_key(|(row, _)| (row.planned_at, row.channel.clone(), row.recipient.clone()));
    found
}

fn subjects(told: &[(DeliveryRow, NoticeRow)]) -> Vec<(&str, &str, &str)> {
    told.iter()
        .map(|(row, notice)| (row.channel.as_str(), row.recipient.as_str(), notice.texts["en"].subject.as_str()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_raised_after_two_runs_told_once_and_over_beyond_the_other_limit() {
    let bank = bank();
    bank.load(1, DAY, &[("north", 1, "10.00"), ("south", 3, "7.25"), ("quay", 4, "12.00")]);
    add(&bank, &[("reader", "reader", "head_office"), ("north", "reader", "north"), ("south", "reader", "south")])
        .await;
    let app = judge(&bank).await;
    assert_eq!(state(&app, "south").await, "pending");
    assert_eq!((state(&app, "north").await, state(&app, "head_office").await), ("ok".into(), "ok".into()));
    assert_eq!(told(&app).await, []);

    // The same data again are not another run, however often they are looked at.
    let app = judge(&bank).await;
    assert_eq!(state(&app, "south").await, "pending");

    bank.load(2, DAY, &[("south", 5, "0.01")]);
    let app = judge(&bank).await;
    let row = of(&app, "low", "south", "").await;
    assert_eq!((row.state.as_str(), row.value.as_deref(), row.told.as_str()), ("firing", Some("7.26"), "firing"));
    let first = told(&app).await;
    // Readers of the branch and the program; the bank's reader is told of the whole bank, which is in order.
    let expected =
        [("email", "south", "Balance is low: south, raised"), ("webhook", "portal", "Balance is low: south, raised")];
    assert_eq!(subjects(&first), expected);
    let [(_, mail), (_, hook)] = first.as_slice() else { panic!("two") };
    assert!(
        mail.texts["en"].items[0].contains("7.26") && mail.texts["zh-CN"].items[0].contains("触发预警"),
        "{mail:?}"
    );
    assert_eq!(hook.texts["en"].items, ["south: raised"], "a program that nobody logs in to is told no figure");
    let link = format!("https://reports.bank.example/reports/balances?scope=south&snapshot={}", row.snapshot_id);
    assert_eq!((mail.link.as_str(), hook.link.as_str()), (link.as_str(), link.as_str()));

    // Between the limits nothing changes, and nothing is told again.
    bank.load(3, DAY, &[("south", 6, "1.00")]);
    let app = judge(&bank).await;
    assert_eq!((state(&app, "south").await.as_str(), told(&app).await.len()), ("firing", 2));

    bank.load(4, DAY, &[("south", 7, "1.00")]);
    let app = judge(&bank).await;
    assert_eq!(state(&app, "south").await, "ok");
    let all = told(&app).await;
    assert_eq!(all.len(), 4);
    let over = all.iter().filter(|(_, notice)| notice.texts["en"].subject == "Balance is low: south, over");
    assert_eq!(over.count(), 2);
    // What happened stands there, one row for each change.
    let row = of(&app, "low", "south", "").await;
    let events = app.services.catalog.alert_events(Some(row.id), 100).await.unwrap();
    let states: Vec<_> = events.iter().rev().map(|event| (event.was.as_deref(), event.state.as_str())).collect();
    assert_eq!(states, [(None, "pending"), (Some("pending"), "firing"), (Some("firing"), "ok")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_knows_of_or_put_off_is_told_to_nobody_until_it_changes() {
    let bank = bank();
    bank.load(1, DAY, &[("north", 1, "1.00"), ("south", 3, "7.25"), ("quay", 4, "12.00")]);
    add(&bank, &[("south", "reader", "south"), ("north", "reader", "north")]).await;
    judge(&bank).await;
    bank.load(2, DAY, &[("south", 5, "0.01"), ("north", 6, "0.01")]);
    // Put off before it is raised: people are not told, programs are.
    let app = bank.open().await;
    let catalog = &app.services.catalog;
    let north = of(&app, "low", "north", "").await;
    let later = catalog.now() + jiff::SignedDuration::from_hours(24);
    assert!(catalog.snooze_alert(north.id, "ann", Some(later), "moving offices").await.unwrap());
    let app = judge(&bank).await;
    assert_eq!((state(&app, "north").await.as_str(), state(&app, "south").await.as_str()), ("firing", "firing"));
    let first = told(&app).await;
    let north_told: Vec<_> = first.iter().filter(|(_, notice)| notice.scope == "north").collect();
    assert!(matches!(north_told.as_slice(), [(row, _)] if row.channel == "webhook"), "{first:?}");
    assert_eq!(first.len(), 3);

    let catalog = &app.services.catalog;
    let south = of(&app, "low", "south", "").await;
    assert!(catalog.acknowledge_alert(south.id, "ann", "calling customers").await.unwrap());
    assert!(!catalog.acknowledge_alert(south.id, "bob", "me too").await.unwrap());
    bank.load(3, DAY, &[("south", 7, "0.01")]);
    let app = judge(&bank).await;
    let row = of(&app, "low", "south", "").await;
    assert_eq!((row.state.as_str(), row.acknowledged_by.as_deref()), ("acknowledged", Some("ann")));
    assert_eq!(told(&app).await.len(), 3);

    // When people may be told again, they are told what they missed; programs are told nothing twice.
    let catalog = &app.services.catalog;
    assert!(catalog.snooze_alert(north.id, "ann", None, "").await.unwrap());
    bank.load(4, DAY, &[("south", 8, "5.00")]);
    let app = judge(&bank).await;
    let mut scopes: Vec<_> = told(&app).await.into_iter().skip(3).map(|(_, notice)| notice.scope).collect();
    scopes.sort();
    assert_eq!(scopes, ["north", "south", "south"]);
    let row = of(&app, "low", "south", "").await;
    assert_eq!((row.state.as_str(), row.acknowledged_by), ("ok", None));
    // What was done is in the audit log, each with its change; what changed nothing is not.
    let filter = AuditFilter { action: Some("alert".into()), ..AuditFilter::default() };
    let audited = app.services.catalog.audit_rows(&filter).await.unwrap();
    let done: Vec<_> = audited.iter().rev().filter_map(|row| row.event.detail["do"].as_str()).collect();
    assert_eq!(done, ["snooze", "acknowledge", "wake"]);
    assert!(audited.iter().all(|row| row.event.principal == "ann"), "{audited:?}");
}

/// An alert on each customer that readers of the whole bank are told of.
const EACH: &str = "  - {id: each, dataset: customers, each: customer, raise: {value: balance, below: 1}, \
                    to: [{channel: email, roles: [reader, teller]}]}\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_try_finds_is_told_though_the_first_told_something() {
    let bank = bank();
    let report = bank.place().join("reports/balances/report.yaml");
    replace(&report, "alerts:\n", &format!("alerts:\n{EACH}"));
    bank.load(1, DAY, &[("north", 1, "10.00"), ("south", 3, "9.50"), ("quay", 4, "12.00")]);
    add(&bank, &[("reader", "reader", "head_office")]).await;
    let app = judge(&bank).await;
    let later = app.services.catalog.now() + jiff::SignedDuration::from_hours(24);
    let quiet = of(&app, "each", "head_office", "Anna 1").await;
    assert!(app.services.catalog.snooze_alert(quiet.id, "ann", Some(later), "moving offices").await.unwrap());
    replace(&report, "raise: {value: balance, below: 1}", "raise: {value: balanse, below: 1}");
    let app = judge(&bank).await;
    let states = [of(&app, "each", "head_office", "Anna 1").await, of(&app, "each", "head_office", "Anna 3").await];
    let states: Vec<_> = states.iter().map(|row| (row.state.as_str(), row.told.as_str())).collect();
    assert_eq!(states, [("no_data", "ok"), ("no_data", "no_data")]);
    let first = told(&app).await.into_iter().filter(|(row, _)| row.recipient == "reader").count();
    let catalog = &app.services.catalog;
    assert!(catalog.snooze_alert(quiet.id, "ann", None, "").await.unwrap());
    let run = catalog.runs(Some("balances/alerts/each"), 1).await.unwrap().remove(0);
    assert!(catalog.retry_run(run.id, "ann", "once more").await.unwrap());
    while app.services.scheduler.run_next().await.unwrap().is_some() {}
    assert_eq!(of(&app, "each", "head_office", "Anna 1").await.told, "no_data");
    let second = told(&app).await.into_iter().filter(|(row, _)| row.recipient == "reader").count();
    assert_eq!((first, second), (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_with_wider_rights_stays_with_them_when_they_are_narrowed() {
    let bank = bank();
    let report = bank.place().join("reports/balances/report.yaml");
    replace(&report, "alerts:\n", &format!("alerts:\n{EACH}"));
    bank.load(1, DAY, &[("north", 1, "10.00"), ("south", 3, "9.50"), ("quay", 4, "12.00")]);
    let app = judge(&bank).await;
    let wide = of(&app, "each", "head_office", "Anna 1").await;
    add(&bank, &[("head", "analyst", "head_office"), ("clerk", "teller", "head_office")]).await;
    replace(&report, "{id: each, ", "{id: each, role: teller, ");
    let app = judge(&bank).await;
    let gone = of(&app, "each", "head_office", "Anna 1").await;
    assert_eq!((gone.state.as_str(), &gone.reading), ("no_data", &wide.reading));
    // Masked readers are told that something has no data, and not whose.
    let all = told(&app).await;
    assert!(all.iter().any(|(row, _)| row.recipient == "clerk"), "{all:?}");
    assert!(all.iter().all(|(_, notice)| !format!("{:?}", notice.texts).contains("Anna 1")), "{all:?}");
    let login = async |name: &str| app.services.auth.principal(name).await.unwrap();
    let publisher = &app.services.publisher;
    let (head, clerk) = (login("head").await, login("clerk").await);
    assert!(publisher.may_see(&head, &gone) && !publisher.may_see(&clerk, &gone));
    let rows = app.services.catalog.alerts(&AlertFilter::default()).await.unwrap();
    let own: Vec<_> = rows.iter().filter(|row| row.alert == "each" && publisher.may_see(&clerk, row)).collect();
    assert!(!own.is_empty() && own.iter().all(|row| !row.member.contains("Anna 1")), "{own:?}");
    for event in app.services.catalog.alert_events(Some(gone.id), 100).await.unwrap() {
        assert!(publisher.may_see_event(&head, &gone, &event) && !publisher.may_see_event(&clerk, &gone, &event));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_process_survives_has_no_data() {
    let bank = bank();
    bank.load(1, DAY, &[("north", 1, "10.00"), ("south", 3, "9.50"), ("quay", 4, "12.00")]);
    judge(&bank).await;
    bank.load(2, DAY, &[("south", 5, "0.01")]);
    for _ in 0..5 {
        let died = command(bank.place(), &bank.state())
            .args(["alert", "check"])
            .env("FAILPOINTS", "alert.before_settle=panic")
            .output()
            .unwrap();
        assert!(!died.status.success());
    }
    // Found dead, and then said to be unread.
    judge(&bank).await;
    let app = judge(&bank).await;
    assert_eq!(state(&app, "south").await, "no_data");
    let runs = app.services.catalog.runs(Some("balances/alerts/low"), 2).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.state.as_str()).collect::<Vec<_>>(), ["failed", "dead"]);
    // With that it is done, and new data are judged as ever.
    let app = judge(&bank).await;
    assert_eq!(app.services.catalog.runs(Some("balances/alerts/low"), 9).await.unwrap().len(), 3);
    bank.load(3, DAY, &[("south", 6, "0.01")]);
    let app = judge(&bank).await;
    assert_eq!(state(&app, "south").await, "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_there_any_more_has_no_data_and_is_never_in_order() {
    let bank = Bank::new();
    let report = bank.place().join("reports/balances/report.yaml");
    let each = "alerts:\n  - {id: each, dataset: customers, each: customer, raise: {value: balance, below: 1}}\n  \
                - {id: gone, dataset: customers, each: customer, raise: {value: balance, missing: true}}\n";
    replace(&report, "alerts:\n", each);
    bank.load(
        1,
        "2025-10-31",
        &[("north", 1, "0.50"), ("north", 2, "5.00"), ("south", 3, "1.00"), ("quay", 4, "1.00")],
    );
    let app = judge(&bank).await;
    assert_eq!(of(&app, "each", "head_office", "Anna 1").await.state, "firing");
    assert_eq!(of(&app, "each", "head_office", "Anna 2").await.state, "ok");
    assert_eq!(of(&app, "gone", "head_office", "Anna 2").await.state, "ok");
    bank.load(2, "2025-11-30", &[("north", 1, "0.75"), ("south", 3, "1.00"), ("quay", 4, "1.00")]);
    let app = judge(&bank).await;
    assert_eq!(of(&app, "each", "head_office", "Anna 1").await.state, "firing");
    let gone = of(&app, "each", "head_office", "Anna 2").await;
    assert_eq!((gone.state.as_str(), gone.value, gone.held), ("no_data", None, None));
    let absent = of(&app, "gone", "head_office", "Anna 2").await;
    assert_eq!(absent.state, "firing");
    assert!(app.services.catalog.acknowledge_alert(absent.id, "ann", "closed her account").await.unwrap());

    // It was told: what is gone for good ends, and so does what somebody knows to be missing.
    bank.load(3, "2025-12-31", &[("north", 1, "0.75"), ("south", 3, "1.00"), ("quay", 4, "1.00")]);
    let app = judge(&bank).await;
    for alert in ["each", "gone"] {
        assert_eq!(of(&app, alert, "head_office", "Anna 2").await.state, "ended", "{alert}");
    }
    assert_eq!(of(&app, "each", "head_office", "Anna 1").await.state, "firing");
    // So does what belongs to an alert that is not defined any more, at the next snapshot.
    replace(&report, each, "alerts:\n");
    bank.load(4, "2025-12-31", &[("north", 9, "5.00")]);
    let app = judge(&bank).await;
    assert_eq!(of(&app, "each", "head_office", "Anna 1").await.state, "ended");
    assert_eq!(state(&app, "north").await, "firing", "the other alert goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_has_no_data_and_the_run_says_why() {
    let bank = Bank::new();
    bank.load(1, DAY, &[("north", 1, "10.00"), ("south", 3, "9.50"), ("quay", 4, "12.00")]);
    let app = judge(&bank).await;
    assert_eq!(state(&app, "south").await, "ok");
    // The definition asks for a column that is not there: it is another question about the same data.
    let report = bank.place().join("reports/balances/report.yaml");
    replace(
        &report,
        "raise: {value: balance, below: 8.00, for: 2 runs}",
        "raise: {value: balanse, below: 8.00, for: 2 runs}",
    );
    replace(&report, "clear: {value: balance, above: 9.00}", "clear: {above: 9.00}");
    let app = judge(&bank).await;
    assert_eq!((state(&app, "south").await, state(&app, "head_office").await), ("no_data".into(), "no_data".into()));
    let run = app.services.catalog.runs(Some("balances/alerts/low"), 1).await.unwrap().remove(0);
    assert_eq!(run.state, "failed");
    assert!(run.message.contains("has no column `balanse`; it has `balance`"), "{}", run.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_processes_one_judges_and_tells() {
    let bank = bank();
    bank.load(1, DAY, &[("north", 1, "10.00"), ("south", 3, "7.25"), ("quay", 4, "12.00")]);
    add(&bank, &[("south", "reader", "south")]).await;
    judge(&bank).await;
    bank.load(2, DAY, &[("south", 5, "0.01")]);
    let (one, two) = (bank.open().await, bank.open().await);
    let work = async |app: &App| {
        app.services.scheduler.plan_alerts().await.unwrap();
        while app.services.scheduler.run_next().await.unwrap().is_some() {}
    };
    tokio::join!(work(&one), work(&two));
    let runs = one.services.catalog.runs(Some("balances/alerts/low"), 100).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.state.as_str()).collect::<Vec<_>>(), ["succeeded", "succeeded"]);
    assert!(runs.iter().all(|run| run.tries == 1), "{runs:?}");
    assert_eq!(told(&one).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_before_or_after_it_settled_loses_and_repeats_nothing() {
    for (fault, tries) in [("alert.before_settle", 2), ("alert.after_settle", 1)] {
        let bank = bank();
        bank.load(1, DAY, &[("north", 1, "10.00"), ("south", 3, "7.25"), ("quay", 4, "12.00")]);
        add(&bank, &[("south", "reader", "south")]).await;
        judge(&bank).await;
        bank.load(2, DAY, &[("south", 5, "0.01")]);
        let died = command(bank.place(), &bank.state())
            .args(["alert", "check"])
            .env("FAILPOINTS", format!("{fault}=panic"))
            .output()
            .unwrap();
        assert!(!died.status.success(), "{fault}");
        let app = judge(&bank).await;
        assert_eq!(state(&app, "south").await, "firing", "{fault}");
        assert_eq!(told(&app).await.len(), 2, "{fault}");
        let run = app.services.catalog.runs(Some("balances/alerts/low"), 1).await.unwrap().remove(0);
        assert_eq!((run.state.as_str(), run.tries), ("succeeded", tries), "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_of_others_are_not_found_and_not_listed() {
    let bank = Bank::new();
    bank.load(1, DAY, &[("north", 1, "1.25"), ("south", 3, "7.25"), ("quay", 4, "12.00")]);
    bank.run(&["alert", "check"]);
    let face = Face::start(
        &bank,
        &[
            ("head", "analyst", "head_office"),
            ("north", "analyst", "north"),
            ("clerk", "teller", "north"),
            ("stranger", "auditor", "head_office"),
        ],
    )
    .await;
    let app = bank.open().await;
    let (north, south) = (of(&app, "low", "north", "").await, of(&app, "low", "south", "").await);
    let page = async |login: &str, path: &str| {
        let (status, _, body) = face.get(login, path, None).await;
        (status, String::from_utf8(body).unwrap())
    };
    let link = |row: &AlertRow| format!("href=\"/alerts/{}\"", row.id);
    let (status, list) = page("north", "/alerts?state=all&lang=en").await;
    assert_eq!(status, 200);
    assert!(list.contains(&link(&north)) && !list.contains(&link(&south)) && !list.contains("7.25"), "{list}");
    let (_, list) = page("head", "/alerts?state=pending&lang=en").await;
    assert!(list.contains(&link(&north)) && list.contains(&link(&south)), "{list}");
    assert!(page("head", "/alerts?state=ok&lang=zh-CN").await.1.contains("正常"));
    assert_eq!(page("head", "/alerts?state=wrong").await.0, 400);
    // A masked reader sees less than was read; who has no right to data sees none of it.
    for login in ["clerk", "stranger"] {
        let (status, list) = page(login, "/alerts?state=all&lang=en").await;
        assert!(status == 200 && !list.contains("href=\"/alerts/"), "{login}: {list}");
    }
    let (status, one) = page("north", &format!("/alerts/{}?lang=en", north.id)).await;
    assert!(status == 200 && one.contains("1.25") && one.contains("Raised when"), "{one}");
    for path in [format!("/alerts/{}", south.id), "/alerts/99999".into(), "/alerts/x".into()] {
        for login in ["north", "clerk", "stranger"] {
            assert_eq!(page(login, &path).await.0, 404, "{login} {path}");
        }
    }

    // In SQL the same, with the figure exactly.
    let sql = "SELECT scope, state, value FROM system.alerts WHERE is_current ORDER BY 1";
    for (login, expected) in [
        ("north", "north,pending,1.25"),
        ("head", "head_office,ok,20.50|north,pending,1.25|quay,ok,12.00|south,pending,7.25"),
    ] {
        let body = serde_json::json!({"sql": sql, "format": "csv"}).to_string();
        let request = face.client.post(format!("{}/api/sql", face.http)).bearer_auth(&face.tokens[login]);
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let rows = answer.text().await.unwrap();
        let rows: Vec<_> = rows.trim_start_matches('\u{feff}').lines().skip(1).collect();
        assert_eq!(rows.join("|"), expected, "{login}");
    }
}
