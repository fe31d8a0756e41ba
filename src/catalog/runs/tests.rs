//! Runs are planned once, claimed by one, and change nothing once their claim is lost; deliveries never leave twice unsaid.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tempfile::TempDir;

use super::super::{
    AuditFilter, Catalog, Claim, DeliveryRow, EditionFilter, EditionRow, Ending, FailedGate, Held, NewRun, NoticeRow,
    NoticeText, Release,
};
use super::micros;
use crate::clock::Clock;
use crate::error::Code;

async fn open(dir: &TempDir) -> Catalog {
    Catalog::open(dir.path(), Clock::system()).await.unwrap()
}

fn new<'a>(schedule: &'a str, logical: &'a str) -> NewRun<'a> {
    NewRun {
        schedule,
        logical,
        cause: "clock",
        by: None,
        as_of: Some(20_422),
        partial: false,
        state: "ready",
        message: "",
    }
}

fn edition(id: &str, version: u32) -> EditionRow {
    EditionRow {
        id: id.into(),
        report: "overview".into(),
        scope: "beijing".into(),
        period: "2025-11".into(),
        version,
        schedule: "overview/monthly".into(),
        run_key: "k".into(),
        snapshot_id: 3,
        as_of: 20_422,
        published_at: "2025-12-01T00:00:00Z".parse().unwrap(),
        reading: json!({"scope": "beijing"}),
        manifest: "{}".into(),
        changes: None,
        keep_until: None,
        removed_at: None,
        removal: None,
    }
}

fn delivery(key: &str, run_id: i64, edition: &str, channel: &str) -> DeliveryRow {
    let at: Timestamp = "2025-12-01T00:00:00Z".parse().unwrap();
    DeliveryRow {
        key: key.into(),
        run_id: Some(run_id),
        edition: Some(edition.into()),
        notice: None,
        channel: channel.into(),
        recipient: "reader".into(),
        address: Some("reader@bank.example".into()),
        lang: "en".into(),
        state: "rendered".into(),
        tries: 0,
        bytes: None,
        answer: String::new(),
        planned_at: at,
        changed_at: at,
        next_at: None,
    }
}

/// As if the process that holds it had died.
async fn kill_holder(catalog: &Catalog, table: &str) {
    let mut process = serde_json::to_value(&catalog.inner.process).unwrap();
    process["started"] = json!(1);
    let sql = format!("UPDATE {table} SET process = $1 WHERE process IS NOT NULL");
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(process.to_string()).execute(&catalog.inner.writer).await.unwrap();
}

async fn claim(catalog: &Catalog) -> Option<Claim> {
    catalog.claim_run().await.unwrap()
}

#[tokio::test]
async fn a_run_is_planned_once_and_claimed_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (open(&dir).await, open(&dir).await);
    assert!(one.plan_run(&new("a/x", "1")).await.unwrap());
    assert!(!two.plan_run(&new("a/x", "1")).await.unwrap());
    assert!(two.plan_run(&new("a/x", "2")).await.unwrap());
    assert!(two.plan_run(&new("b/y", "1")).await.unwrap());
    assert!(one.has_due_run().await.unwrap());
    let first = claim(&one).await.unwrap();
    assert_eq!((first.run.schedule.as_str(), first.run.logical.as_str(), first.run.tries), ("a/x", "1", 1));
    // A schedule has one run at a time; another schedule's is free.
    let second = claim(&two).await.unwrap();
    assert_eq!(second.run.schedule, "b/y");
    assert!(claim(&two).await.is_none());
    one.end_run(&first, Ending::Succeeded, "done", &json!({})).await.unwrap();
    assert_eq!(claim(&two).await.unwrap().run.logical, "2");
}

#[tokio::test]
async fn who_lost_the_claim_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(&dir).await;
    catalog.plan_run(&new("a/x", "1")).await.unwrap();
    let first = claim(&catalog).await.unwrap();
    assert!(claim(&catalog).await.is_none());
    kill_holder(&catalog, "run").await;
    let second = claim(&catalog).await.unwrap();
    assert_eq!((second.run.id, second.run.tries), (first.run.id, 2));
    assert!(second.run.fence > first.run.fence);
    // The publication time stays: another try makes the same bytes.
    assert_eq!(second.run.published_at.map(micros), first.run.published_at.map(micros));
    let late = catalog.freeze(&first, &[edition("e1", 1)], &[], "", &json!({})).await.unwrap_err();
    assert_eq!(late.code(), Code::Busy);
    assert_eq!(catalog.end_run(&first, Ending::Failed, "", &json!({})).await.unwrap_err().code(), Code::Busy);
    assert_eq!(catalog.editions(&EditionFilter::default()).await.unwrap(), []);
    catalog.freeze(&second, &[edition("e1", 1)], &[], "one", &json!({"n": 1})).await.unwrap();
    assert_eq!(catalog.edition("e1").await.unwrap(), Some(edition("e1", 1)));
    let run = catalog.run(second.run.id).await.unwrap().unwrap();
    assert_eq!((run.state.as_str(), run.message.as_str(), &run.result), ("succeeded", "one", &json!({"n": 1})));
}

#[tokio::test]
async fn editions_are_frozen_all_or_none_and_a_version_stands_once() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(&dir).await;
    catalog.plan_run(&new("a/x", "1")).await.unwrap();
    let first = claim(&catalog).await.unwrap();
    catalog.freeze(&first, &[edition("e1", 1)], &[], "", &json!({})).await.unwrap();
    catalog.plan_run(&new("a/x", "2")).await.unwrap();
    let second = claim(&catalog).await.unwrap();
    let mut other = edition("e2", 1);
    other.scope = "xiamen".into();
    let twice = catalog.freeze(&second, &[other.clone(), edition("e3", 1)], &[], "", &json!({})).await.unwrap_err();
    assert_eq!(twice.code(), Code::Busy);
    assert_eq!(catalog.edition("e2").await.unwrap(), None);
    assert_eq!(catalog.run(second.run.id).await.unwrap().unwrap().state, "running");
    catalog.freeze(&second, &[other, edition("e3", 2)], &[], "", &json!({})).await.unwrap();
    let filter = EditionFilter { scope: Some("beijing".into()), ..EditionFilter::default() };
    let found = catalog.editions(&filter).await.unwrap();
    assert_eq!(found.iter().map(|row| row.version).collect::<Vec<_>>(), [2, 1]);
}

#[tokio::test]
async fn a_run_that_fails_for_the_moment_waits_and_one_that_is_held_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(&dir).await;
    catalog.plan_run(&new("a/x", "1")).await.unwrap();
    let first = claim(&catalog).await.unwrap();
    let later = catalog.now() + SignedDuration::from_hours(1);
    catalog.end_run(&first, Ending::Again(later), "busy", &json!({})).await.unwrap();
    assert!(!catalog.has_due_run().await.unwrap());
    assert!(claim(&catalog).await.is_none());
    assert!(!catalog.retry_run(first.run.id, "somebody", "why").await.unwrap(), "it is not over");
    catalog.plan_run(&new("b/x", "1")).await.unwrap();
    let other = claim(&catalog).await.unwrap();
    catalog.end_run(&other, Ending::Held, "27 of 28", &json!({})).await.unwrap();
    assert!(catalog.retry_run(other.run.id, "somebody", "now").await.unwrap());
    let again = claim(&catalog).await.unwrap();
    assert_eq!((again.run.started_by.as_deref(), again.run.message.as_str()), (Some("somebody"), "somebody: now"));
    assert!(!again.run.partial);
    catalog.cancel_runs("b/x", "", "replaced").await.unwrap();
    let late = catalog.freeze(&again, &[edition("e1", 1)], &[], "", &json!({})).await.unwrap_err();
    assert_eq!(late.code(), Code::Busy);
}

fn held() -> Held {
    Held {
        snapshot: 3,
        report: "d1".into(),
        period: "2025-11".into(),
        gates: vec![FailedGate { gate: "complete".into(), why: "2 of 3 branches closed; missing: quay".into() }],
        readings: [("head_office".to_owned(), "a1".to_owned())].into(),
    }
}

#[tokio::test]
async fn a_release_is_of_the_run_that_was_looked_at_and_stands_in_the_audit_log() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(&dir).await;
    catalog.audit("login", "early", json!({})).await.unwrap();
    catalog.plan_run(&new("a/x", "1")).await.unwrap();
    let first = claim(&catalog).await.unwrap();
    catalog.end_run(&first, Ending::Held, "2 of 3", &json!({"held": held()})).await.unwrap();
    let run = catalog.run(first.run.id).await.unwrap().unwrap();
    assert_eq!(run.held(), Some(held()));
    let at: Timestamp = "2025-12-01T00:00:00Z".parse().unwrap();
    let release =
        Release { by: "rita".into(), role: "reviewer".into(), at, reason: "quay is shut".into(), held: held() };
    // Somebody tries it again meanwhile and it is held anew: what was looked at is not what is held.
    catalog.retry_run(run.id, "paul", "again").await.unwrap();
    let second = claim(&catalog).await.unwrap();
    assert!(!catalog.release_run(&run, &release).await.unwrap(), "it runs");
    catalog.end_run(&second, Ending::Held, "2 of 3", &json!({"held": held()})).await.unwrap();
    assert!(!catalog.release_run(&run, &release).await.unwrap(), "another try");
    let run = catalog.run(run.id).await.unwrap().unwrap();
    assert!(catalog.release_run(&run, &release).await.unwrap());
    let third = claim(&catalog).await.unwrap();
    assert_eq!((third.run.release.as_ref(), third.run.started_by.as_deref()), (Some(&release), Some("paul")));
    catalog.freeze(&third, &[edition("e1", 1)], &[], "", &json!({"snapshot": 3})).await.unwrap();
    // Records of other kinds before and after: the chain holds, whoever writes it.
    catalog.audit("login", "somebody", json!({})).await.unwrap();
    let rows = catalog.audit_rows(&AuditFilter::default()).await.unwrap();
    let said: Vec<_> = rows.iter().map(|row| (row.event.action.as_str(), row.event.principal.as_str())).collect();
    let expected = [
        ("login", "somebody"),
        ("publish", "schedule:a/x"),
        ("schedule", "rita"),
        ("schedule", "paul"),
        ("login", "early"),
    ];
    assert_eq!(said, expected);
    assert_eq!(rows[1].event.detail["released_by"], json!("rita"));
    let detail = |row: usize, key: &str| rows[row].event.detail[key].clone();
    assert_eq!((detail(2, "reason"), detail(2, "started_at_machine")), (json!("quay is shut"), json!(false)));
    assert_eq!(
        (detail(3, "do"), detail(3, "was"), detail(3, "reason")),
        (json!("retry"), json!("held"), json!("again"))
    );
    assert_eq!(catalog.verify_audit(None).await.unwrap().records, 5);
}

#[tokio::test]
async fn a_release_says_that_the_run_was_started_at_the_machine() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(&dir).await;
    catalog.plan_run(&NewRun { by: Some("rita@host"), ..new("a/x", "1") }).await.unwrap();
    let first = claim(&catalog).await.unwrap();
    catalog.end_run(&first, Ending::Held, "2 of 3", &json!({"held": held()})).await.unwrap();
    let run = catalog.run(first.run.id).await.unwrap().unwrap();
    let (at, reason) = (catalog.now(), "quay is shut".to_owned());
    let release = Release { by: "rita".into(), role: "reviewer".into(), at, reason, held: held() };
    assert!(catalog.release_run(&run, &release).await.unwrap());
    let rows = catalog.audit_rows(&AuditFilter::default()).await.unwrap();
    assert_eq!(rows[0].event.detail["started_at_machine"], json!(true));
}

#[tokio::test]
async fn older_figures_are_never_the_newest_version() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(&dir).await;
    assert_eq!(catalog.newest_snapshot("overview", "2025-11").await.unwrap(), None);
    for logical in ["1", "2"] {
        catalog.plan_run(&new("a/x", logical)).await.unwrap();
    }
    let first = claim(&catalog).await.unwrap();
    let newer = EditionRow { snapshot_id: 4, ..edition("e1", 1) };
    catalog.freeze(&first, &[newer], &[], "", &json!({})).await.unwrap();
    assert_eq!(catalog.newest_snapshot("overview", "2025-11").await.unwrap(), Some(4));
    let second = claim(&catalog).await.unwrap();
    // Of another part of the bank too: a period has one state of the data that is the newest.
    let older = [EditionRow { scope: "xiamen".into(), ..edition("e2", 1) }];
    let late = catalog.freeze(&second, &older, &[], "", &json!({})).await.unwrap_err();
    assert_eq!((late.code(), catalog.edition("e2").await.unwrap()), (Code::Busy, None));
    let other = [EditionRow { period: "2025-12".into(), ..edition("e3", 1) }];
    catalog.freeze(&second, &other, &[], "", &json!({})).await.unwrap();
}

#[tokio::test]
async fn a_notice_is_written_once_with_its_sendings() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (open(&dir).await, open(&dir).await);
    let texts = NoticeText { subject: "Late".into(), paragraphs: vec!["Why.".into()], items: vec!["quay".into()] };
    let notice = NoticeRow {
        id: "n1".into(),
        kind: "deadline".into(),
        report: "overview".into(),
        scope: "head_office".into(),
        roles: vec!["desk".into()],
        reading: None,
        texts: [("en".to_owned(), texts)].into(),
        link: "https://reports.bank.example/schedules/overview/monthly".into(),
        created_at: "2025-12-01T00:00:00Z".parse().unwrap(),
    };
    let sending = |key: &str| DeliveryRow {
        run_id: None,
        edition: None,
        notice: Some("n1".into()),
        ..delivery(key, 0, "", "email")
    };
    let told = |key: &str| [(notice.clone(), vec![sending(key)])];
    let (first, second) = (told("d1"), told("d2"));
    let (first, second) = tokio::join!(one.tell(&first), two.tell(&second));
    assert_eq!(first.unwrap() + second.unwrap(), 1);
    assert!(one.has_notice("n1").await.unwrap() && !one.has_notice("n2").await.unwrap());
    assert_eq!(two.notice("n1").await.unwrap().unwrap(), notice);
    let rows = one.deliveries(None, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.notice.as_deref()).collect::<Vec<_>>(), [Some("n1")]);
    let taken = one.take_delivery(&|_: &str| false).await.unwrap().unwrap();
    one.end_delivery(&taken.key, "accepted", Some(9), "250 taken", None).await.unwrap();
    assert_eq!(one.take_delivery(&|_: &str| false).await.unwrap(), None);
}

#[tokio::test]
async fn the_newest_editions_of_a_part_of_the_bank() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(&dir).await;
    catalog.plan_run(&new("a/x", "1")).await.unwrap();
    let claim = claim(&catalog).await.unwrap();
    let row = |id: &str, scope: &str, as_of: i32, period: &str| EditionRow {
        scope: scope.into(),
        as_of,
        period: period.into(),
        ..edition(id, 1)
    };
    let rows = [
        row("e1", "beijing", 20_392, "2025-10"),
        row("e2", "beijing", 20_422, "2025-11"),
        row("e3", "beijing~3fa2b1c9", 20_422, "2025-11"),
        row("e4", "beijing_west", 20_453, "2025-12"),
        row("e5", "head_office", 20_453, "2025-12"),
    ];
    catalog.freeze(&claim, &rows, &[], "", &json!({})).await.unwrap();
    let newest = async |period: Option<&str>, before: Option<i32>| -> Vec<String> {
        let found = catalog.newest_editions("overview", "beijing", period, before).await.unwrap();
        found.into_iter().map(|row| row.id).collect()
    };
    assert_eq!(newest(None, None).await, ["e2", "e3"]);
    assert_eq!(newest(None, Some(20_422)).await, ["e1"]);
    assert_eq!(newest(Some("2025-10"), None).await, ["e1"]);
    assert_eq!(newest(None, Some(20_392)).await, Vec::<String>::new());
    catalog.end_edition("e2", "over").await.unwrap();
    assert_eq!(newest(None, None).await, ["e3"]);
    let known = catalog.edition_ids().await.unwrap();
    assert!(known.contains("e2") && known.len() == 5, "what was removed is still known: {known:?}");
}

#[tokio::test]
async fn what_a_dead_process_had_handed_over_is_unknown_or_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(&dir).await;
    catalog.plan_run(&new("a/x", "1")).await.unwrap();
    let run = claim(&catalog).await.unwrap();
    let rows = [delivery("d1", run.run.id, "e1", "archive"), delivery("d2", run.run.id, "e1", "email")];
    catalog.freeze(&run, &[edition("e1", 1)], &rows, "", &json!({})).await.unwrap();
    let repeats = |channel: &str| channel == "archive";
    assert_eq!(catalog.take_delivery(&repeats).await.unwrap().unwrap().key, "d1");
    assert_eq!(catalog.take_delivery(&repeats).await.unwrap().unwrap().key, "d2");
    assert_eq!(catalog.take_delivery(&repeats).await.unwrap(), None, "both are with a living process");
    assert!(!catalog.has_due_delivery().await.unwrap());
    kill_holder(&catalog, "delivery").await;
    assert!(catalog.has_due_delivery().await.unwrap());
    let again = catalog.take_delivery(&repeats).await.unwrap().unwrap();
    assert_eq!((again.key.as_str(), again.tries), ("d1", 2));
    let state = async |key: &str| {
        let all = catalog.deliveries(None, 10).await.unwrap();
        all.into_iter().find(|row| row.key == key).unwrap().state
    };
    assert_eq!(state("d2").await, "unknown");
    catalog.end_delivery("d1", "accepted", Some(7), "stored", None).await.unwrap();
    assert_eq!(state("d1").await, "accepted");
    // Nothing that was accepted is sent again, whatever is asked; what is unknown is, when somebody says so.
    assert!(!catalog.resend_delivery("d1", "why").await.unwrap());
    assert!(catalog.resend_delivery("d2", "operator: not there").await.unwrap());
    assert_eq!(catalog.take_delivery(&repeats).await.unwrap().unwrap().key, "d2");
    let answers: Vec<_> = catalog.attempts("d2").await.unwrap().into_iter().map(|row| row.state).collect();
    assert_eq!(answers, ["unknown", "rendered"]);
}

#[tokio::test]
async fn a_schedule_is_never_planned_backwards_and_can_rest() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(&dir).await;
    let made = catalog.schedule("a/x").await.unwrap();
    let later = made.planned_until + SignedDuration::from_hours(1);
    catalog.planned_until("a/x", later).await.unwrap();
    catalog.planned_until("a/x", made.planned_until).await.unwrap();
    assert_eq!(catalog.schedule("a/x").await.unwrap().planned_until, later);
    catalog.pause_schedule("a/x", Some(("somebody", "audit"))).await.unwrap();
    assert_eq!(catalog.schedule("a/x").await.unwrap().reason.as_deref(), Some("audit"));
    catalog.pause_schedule("a/x", None).await.unwrap();
    assert_eq!(catalog.schedule("a/x").await.unwrap().paused_at, None);
}
