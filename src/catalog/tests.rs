use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tempfile::TempDir;

use super::{
    AuditFilter, BatchKey, BatchRow, Catalog, Link, NewRecord, NewSnapshot, QueryRow, Recorded, micros,
    verify_audit_file,
};
use crate::clock::Clock;
use crate::error::Code;

fn noon() -> Timestamp {
    "2025-11-30T12:00:00Z".parse().unwrap()
}

async fn open(dir: &TempDir) -> Catalog {
    Catalog::open(dir.path(), Clock::system()).await.unwrap()
}

fn batch(number: i64) -> BatchRow {
    BatchRow {
        key: BatchKey { node: "head_office".into(), number },
        feed_sha256: "f".into(),
        content_sha256: "c".into(),
        business_date: 20_000,
        source: "core".into(),
        state: "received".into(),
        message: String::new(),
        rows_delivered: 3,
        rows_loaded: 2,
        rows_unchanged: 0,
        rows_rejected: 1,
        snapshot_id: None,
        received_at: noon(),
        finished_at: None,
        files: json!([{"path": "a.csv"}]),
    }
}

fn snapshot(batches: &[i64]) -> NewSnapshot {
    NewSnapshot {
        business_date: 20_000,
        tables: BTreeMap::from([("fact".to_owned(), 7), ("dim".to_owned(), 2)]),
        facts: json!({"rows": {"fact": 2}}),
        batches: batches.iter().map(|number| batch(*number).key).collect(),
    }
}

#[tokio::test]
async fn a_publication_goes_from_prepared_to_head_in_one_step() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(&dir).await;
    assert_eq!(catalog.head().await.unwrap(), None);
    let lease = catalog.acquire_lease("load").await.unwrap();
    catalog.upsert_batch(&batch(1)).await.unwrap();
    let number = catalog.next_publication_number(&lease).await.unwrap();
    assert_eq!(number, 1);
    catalog.prepare_publication(&lease, number, "load", None, "{}").await.unwrap();
    catalog.prepare_publication(&lease, number, "load", None, "{}").await.unwrap(); // repeated after a lost answer
    assert_eq!(catalog.open_publication().await.unwrap().unwrap().state, "prepared");

    let id = catalog.publish(&lease, number, snapshot(&[1])).await.unwrap();
    assert_eq!(catalog.publish(&lease, number, snapshot(&[1])).await.unwrap(), id, "publishing twice gives the same");
    let head = catalog.head().await.unwrap().unwrap();
    assert_eq!((head.id, head.publication, head.parent, head.business_date), (id, 1, None, 20_000));
    assert_eq!(head.tables["fact"], 7);
    assert_eq!(head.facts["rows"]["fact"], 2);
    assert_eq!(catalog.snapshot(id).await.unwrap(), Some(head.clone()));
    assert_eq!(catalog.snapshots().await.unwrap(), vec![head]);
    assert_eq!(catalog.open_publication().await.unwrap(), None);
    let loaded = catalog.batch(&batch(1).key).await.unwrap().unwrap();
    assert_eq!((loaded.state.as_str(), loaded.snapshot_id), ("published", Some(id)));
    assert_eq!(loaded.rows_rejected, 1);
    assert!(loaded.finished_at.is_some());
    assert_eq!(catalog.last_published_batch("head_office").await.unwrap(), Some(1));
    assert_eq!(catalog.last_published_batch("elsewhere").await.unwrap(), None);
    let again = catalog.upsert_batch(&batch(1)).await.unwrap_err();
    assert_eq!(again.code(), Code::Conflict, "a published batch never changes");
    assert_eq!(catalog.abort_publication(&lease, number).await.unwrap_err().code(), Code::Conflict);
}

#[tokio::test]
async fn a_prepared_publication_survives_its_writer_and_is_finished_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    {
        let catalog = open(&dir).await;
        let lease = catalog.acquire_lease("load").await.unwrap();
        catalog.upsert_batch(&batch(1)).await.unwrap();
        let number = catalog.next_publication_number(&lease).await.unwrap();
        catalog.prepare_publication(&lease, number, "load", None, "intent").await.unwrap();
    } // dies here: nothing released
    let catalog = open(&dir).await;
    assert_eq!(catalog.head().await.unwrap(), None);
    let lease = catalog.acquire_lease("recovery").await.unwrap();
    assert_eq!(lease.fence, 2);
    let open = catalog.open_publication().await.unwrap().unwrap();
    assert_eq!((open.number, open.intent.as_str(), open.fence), (1, "intent", 1));
    let other = catalog.next_publication_number(&lease).await.unwrap();
    let early = catalog.prepare_publication(&lease, other, "load", None, "{}").await.unwrap_err();
    assert_eq!(early.code(), Code::Conflict, "forward only");
    let first = catalog.publish(&lease, open.number, snapshot(&[1])).await.unwrap();

    // The second one is given up; its number is spent and the head stays.
    let stale = catalog.prepare_publication(&lease, other, "load", None, "{}").await.unwrap_err();
    assert_eq!(stale.code(), Code::Conflict, "its parent is no longer the head");
    catalog.prepare_publication(&lease, other, "load", Some(first), "{}").await.unwrap();
    catalog.abort_publication(&lease, other).await.unwrap();
    catalog.abort_publication(&lease, other).await.unwrap();
    assert_eq!(catalog.publish(&lease, other, snapshot(&[])).await.unwrap_err().code(), Code::Conflict);
    assert!(catalog.prepare_publication(&lease, other, "load", Some(first), "{}").await.is_err());
    assert_eq!(catalog.head().await.unwrap().unwrap().id, first);
    assert_eq!(catalog.next_publication_number(&lease).await.unwrap(), 3);
}

#[tokio::test]
async fn a_failed_publish_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(&dir).await;
    let lease = catalog.acquire_lease("load").await.unwrap();
    catalog.upsert_batch(&batch(1)).await.unwrap();
    let number = catalog.next_publication_number(&lease).await.unwrap();
    assert_eq!(
        catalog.publish(&lease, number, snapshot(&[1])).await.unwrap_err().code(),
        Code::Conflict,
        "not prepared"
    );
    catalog.prepare_publication(&lease, number, "load", None, "{}").await.unwrap();
    // Batch 1 exists, batch 2 does not: the transaction ends after it has written the snapshot and batch 1.
    assert_eq!(catalog.publish(&lease, number, snapshot(&[1, 2])).await.unwrap_err().code(), Code::Conflict);
    assert_eq!(catalog.head().await.unwrap(), None);
    assert!(catalog.snapshots().await.unwrap().is_empty());
    assert_eq!(catalog.batch(&batch(1).key).await.unwrap().unwrap().state, "received");
    catalog.publish(&lease, number, snapshot(&[1])).await.unwrap();
}

#[tokio::test]
async fn one_writer_at_a_time_and_the_fence_rises() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (open(&dir).await, open(&dir).await);
    let lease = one.acquire_lease("load of batch 1").await.unwrap();
    for catalog in [&one, &two] {
        let busy = catalog.acquire_lease("refresh").await.unwrap_err();
        assert_eq!(busy.code(), Code::Busy);
        assert!(busy.message().contains("load of batch 1"), "{busy}");
    }
    one.release_lease(&lease).await.unwrap();
    let next = two.acquire_lease("refresh").await.unwrap();
    assert_eq!((lease.fence, next.fence), (1, 2));
    one.release_lease(&lease).await.unwrap(); // a second time: not the other's
    assert_eq!(one.next_keys(&lease, "k", 1).await.unwrap_err().code(), Code::Busy, "the old owner is fenced off");
    assert_eq!(one.prepare_publication(&lease, 1, "load", None, "").await.unwrap_err().code(), Code::Busy);
    assert_eq!(two.next_keys(&next, "k", 1).await.unwrap(), 1);
    drop(next);
    assert_eq!(one.acquire_lease("load").await.unwrap().fence, 3, "a dropped lease is free at once");
}

#[tokio::test]
async fn a_dead_or_silent_holder_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(dir.path(), Clock::fixed(noon())).await.unwrap();
    let me = catalog.inner.process.clone();
    let hold = async |process: String, expires: Timestamp| {
        sqlx::query("UPDATE writer_lease SET token = 't', holder = 'h', process = $1, expires_at = $2")
            .bind(process)
            .bind(micros(expires))
            .execute(&catalog.inner.writer)
            .await
            .unwrap();
    };
    let later = noon() + SignedDuration::from_secs(20);

    let mut child = std::process::Command::new("true").spawn().unwrap();
    let dead = me.to_text().replace(&format!("\"pid\":{}", me.pid), &format!("\"pid\":{}", child.id()));
    child.wait().unwrap();
    hold(dead, later).await;
    assert_eq!(catalog.acquire_lease("load").await.unwrap().fence, 1, "killed on this host: no waiting");

    let elsewhere = me.to_text().replace(&format!("\"host\":\"{}\"", me.host), "\"host\":\"elsewhere\"");
    hold(elsewhere.clone(), later).await;
    assert_eq!(
        catalog.acquire_lease("load").await.unwrap_err().code(),
        Code::Busy,
        "who cannot be judged is waited for"
    );
    hold(elsewhere, noon() - SignedDuration::from_secs(1)).await;
    assert_eq!(catalog.acquire_lease("load").await.unwrap().fence, 2, "until the lease ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_writers_reserve_disjoint_keys_and_only_one_gets_the_lease() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (open(&dir).await, open(&dir).await);
    let wins = futures::future::join_all(
        (0..8).map(|i| if i % 2 == 0 { one.acquire_lease("w") } else { two.acquire_lease("w") }),
    )
    .await;
    let leases: Vec<_> = wins.into_iter().flatten().collect();
    assert_eq!(leases.len(), 1);
    let firsts = futures::future::join_all((0..20).map(|i| {
        let catalog = if i % 2 == 0 { &one } else { &two };
        catalog.next_keys(&leases[0], "customer", 10)
    }))
    .await;
    let mut firsts: Vec<i64> = firsts.into_iter().map(|first| first.unwrap()).collect();
    firsts.sort_unstable();
    assert_eq!(firsts, (0..20).map(|i| 1 + 10 * i).collect::<Vec<_>>());
    assert_eq!(one.next_keys(&leases[0], "customer", 0).await.unwrap(), 201);
    assert!(one.next_keys(&leases[0], "customer", -1).await.is_err());
}

fn statement(id: &str, status: &str) -> QueryRow {
    QueryRow {
        query_id: id.into(),
        principal: "beijing".into(),
        face: "http".into(),
        sql: "SELECT 1".into(),
        started_at: noon(),
        queued_ms: Some(3),
        duration_ms: None,
        rows: None,
        bytes: None,
        snapshot_id: Some(1),
        rollup: None,
        reasons: None,
        cache: "none".into(),
        status: status.into(),
        error_code: None,
        rights: Some("f".repeat(64)),
        parameters: None,
        address: None,
        credential: None,
    }
}

#[tokio::test]
async fn statements_are_recorded_and_abandoned_ones_closed() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(&dir).await;
    let rows: Vec<QueryRow> = (0..100).map(|i| statement(&format!("q{i:03}"), "running")).collect();
    for begun in futures::future::join_all(rows.iter().map(|row| catalog.begin_query(row))).await {
        begun.unwrap();
    }
    let ended = QueryRow {
        duration_ms: Some(5),
        rows: Some(1),
        status: "ok".into(),
        principal: "someone else".into(),
        ..statement("q007", "ok")
    };
    catalog.end_query(ended);
    let mine = catalog.queries(Some("beijing"), 1000).await.unwrap();
    assert_eq!(mine.len(), 100, "an end does not change who asked");
    assert_eq!(mine[0].query_id, "q099", "newest first");
    let ended = mine.iter().find(|row| row.query_id == "q007").unwrap();
    assert_eq!((ended.rows, ended.queued_ms), (Some(1), Some(3)));
    assert_eq!(catalog.queries(Some("shanghai"), 10).await.unwrap(), vec![]);
    assert_eq!(catalog.queries(None, 10).await.unwrap().len(), 10);
    assert_eq!(catalog.query_outcomes(), BTreeMap::from([("ok".to_owned(), 1), ("running".to_owned(), 100)]));

    // A second process opens the catalog while the first lives: nothing is closed.
    let second = open(&dir).await;
    assert_eq!(second.queries(None, 1).await.unwrap()[0].status, "running");
    let dead = second.inner.process.to_text().replace("\"started\":", "\"started\":1");
    sqlx::query("UPDATE statement SET process = $1").bind(dead).execute(&second.inner.writer).await.unwrap();
    let third = open(&dir).await;
    let rows = third.queries(None, 1000).await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.status == "failed").count(), 99);
    assert_eq!(rows.iter().filter(|row| row.status == "ok").count(), 1);
}

#[tokio::test]
async fn the_file_is_private_durable_and_ours() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("deep/state");
    let catalog = Catalog::open(&state, Clock::system()).await.unwrap();
    let mode: String = sqlx::query_scalar("SELECT journal_mode FROM pragma_journal_mode")
        .fetch_one(&catalog.inner.writer)
        .await
        .unwrap();
    let sync: i64 = sqlx::query_scalar("SELECT synchronous FROM pragma_synchronous")
        .fetch_one(&catalog.inner.writer)
        .await
        .unwrap();
    assert_eq!((mode.as_str(), sync), ("wal", 2));
    assert!(sqlx::query("DELETE FROM setting").execute(&catalog.inner.readers).await.is_err(), "readers cannot write");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
    }
    assert_eq!(catalog.keep_setting("a", "1").await.unwrap(), "1");
    assert_eq!(catalog.keep_setting("a", "2").await.unwrap(), "1");

    sqlx::raw_sql("PRAGMA user_version = 99").execute(&catalog.inner.writer).await.unwrap();
    let newer = Catalog::open(&state, Clock::system()).await.unwrap_err();
    assert!(newer.message().contains("newer program"), "{newer}");
    sqlx::raw_sql("PRAGMA application_id = 1").execute(&catalog.inner.writer).await.unwrap();
    let foreign = Catalog::open(&state, Clock::system()).await.unwrap_err();
    assert!(foreign.message().contains("not a Countinghouse catalog"), "{foreign}");
}

#[tokio::test]
async fn deliveries_of_an_older_version_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("catalog.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    for (at, step) in super::MIGRATIONS.iter().enumerate().take(8) {
        sqlx::raw_sql(*step).execute(&pool).await.unwrap();
        let stamp = format!("PRAGMA application_id = {}; PRAGMA user_version = {}", super::APPLICATION_ID, at + 1);
        sqlx::raw_sql(sqlx::AssertSqlSafe(stamp)).execute(&pool).await.unwrap();
    }
    let rows = "INSERT INTO run (schedule, logical, cause, partial, state, fence, tries, not_before, created_at, message, result) \
        VALUES ('a/x', '1', 'clock', 0, 'held', 1, 1, 0, 0, '2 of 3', '{}'); \
        INSERT INTO edition (id, report, scope, period, version, schedule, run_key, snapshot_id, as_of, published_at, reading, \
        manifest) VALUES ('e1', 'a', 'north', '2025-11', 1, 'a/x', 'k', 3, 20422, 0, '{}', '{}'); \
        INSERT INTO delivery (key, run_id, edition, channel, recipient, address, lang, state, tries, bytes, answer, planned_at, \
        changed_at, next_at) VALUES ('d1', 1, 'e1', 'email', 'ann', 'ann@bank.example', 'en', 'unknown', 2, 7, 'lost', 1, 2, NULL), \
        ('d2', 1, 'e1', 'archive', 'archive', NULL, 'en', 'accepted', 1, 9, 'stored', 1, 3, NULL); \
        INSERT INTO delivery_attempt (key, at, state, bytes, answer) VALUES ('d1', 2, 'unknown', 7, 'lost')";
    sqlx::raw_sql(rows).execute(&pool).await.unwrap();
    pool.close().await;

    let catalog = open(&dir).await;
    let kept = catalog.deliveries(None, 10).await.unwrap();
    let shown: Vec<_> = kept
        .iter()
        .map(|row| (row.key.as_str(), row.run_id, row.edition.as_deref(), row.notice.as_deref(), row.state.as_str()))
        .collect();
    let (run, edition) = (Some(1), Some("e1"));
    assert_eq!(shown, [("d2", run, edition, None, "accepted"), ("d1", run, edition, None, "unknown")]);
    assert_eq!((kept[1].address.as_deref(), kept[1].bytes, kept[1].tries), (Some("ann@bank.example"), Some(7), 2));
    let attempts = catalog.attempts("d1").await.unwrap();
    assert_eq!(attempts.iter().map(|row| row.answer.as_str()).collect::<Vec<_>>(), ["lost"]);
    // A run that was held then is not released: what was read for it is not kept.
    let run = catalog.run(1).await.unwrap().unwrap();
    assert_eq!((run.state.as_str(), run.held(), run.started_by.as_deref()), ("held", None, None));
    assert!(catalog.resend_delivery("d1", "ann: not there").await.unwrap());
}

#[tokio::test]
async fn a_batch_becomes_published_only_with_its_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(&dir).await;
    let published = BatchRow { state: "published".into(), snapshot_id: Some(1), ..batch(1) };
    assert_eq!(catalog.upsert_batch(&published).await.unwrap_err().code(), Code::Internal);
    catalog.upsert_batch(&batch(1)).await.unwrap();
    catalog
        .upsert_batch(&BatchRow { state: "held".into(), message: "too many rejects".into(), ..batch(1) })
        .await
        .unwrap();
    let rows = catalog.batches().await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].state.as_str(), rows[0].message.as_str()), ("held", "too many rejects"));
    assert!(catalog.upsert_batch(&BatchRow { state: "unheard of".into(), ..batch(2) }).await.is_err());
}

// ---- the audit log

/// Runs SQL on the catalog's own connection, as somebody who has the file would.
async fn tamper(catalog: &Catalog, sql: &'static str) {
    let changed = sqlx::query(sql).execute(&catalog.inner.writer).await.unwrap().rows_affected();
    assert!(changed > 0, "{sql}");
}

async fn refusal(catalog: &Catalog) -> String {
    let error = catalog.verify_audit(None).await.unwrap_err();
    assert_eq!(error.code(), Code::Audit);
    error.message().to_owned()
}

/// A catalog with statements and events of two processes.
async fn audited(dir: &TempDir) -> Catalog {
    let (one, other) = (open(dir).await, open(dir).await);
    for round in 0..5 {
        for (catalog, name) in [(&one, "one"), (&other, "other")] {
            let id = format!("{name}{round}");
            let begun = statement(&id, "running");
            let (begun, login) =
                tokio::join!(catalog.begin_query(&begun), catalog.audit("login", name, json!({"by": "password"})));
            begun.unwrap();
            login.unwrap();
            catalog.end_query(statement(&id, "ok"));
        }
    }
    other.settle().await.unwrap();
    one.settle().await.unwrap();
    one
}

#[tokio::test]
async fn what_happened_is_one_chain_whoever_writes_it() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = audited(&dir).await;
    let verified = catalog.verify_audit(None).await.unwrap();
    assert_eq!((verified.records, verified.last.sequence), (30, 30));
    let of = |filter: AuditFilter| {
        let catalog = catalog.clone();
        async move { catalog.audit_rows(&filter).await.unwrap() }
    };
    let logins = of(AuditFilter { action: Some("login".into()), principal: Some("one".into()), ..Default::default() });
    assert_eq!(logins.await.len(), 5);
    let newest = of(AuditFilter { limit: Some(2), ..Default::default() }).await;
    assert_eq!(newest.iter().map(|row| row.sequence).collect::<Vec<_>>(), [30, 29]);
    assert_eq!(newest[0].hash, verified.last.hash);
    let later = of(AuditFilter { since: Some(catalog.now() + SignedDuration::from_hours(1)), ..Default::default() });
    assert_eq!(later.await, []);
    let begun = of(AuditFilter { action: Some("statement".into()), ..Default::default() }).await;
    assert_eq!(begun.len(), 10);
    let detail = &begun[0].event.detail;
    assert_eq!((&detail["sql"], &detail["face"], &detail["snapshot"]), (&json!("SELECT 1"), &json!("http"), &json!(1)));
    assert_eq!(detail["rights"], json!("f".repeat(64)));
    assert_eq!(of(AuditFilter { action: Some("statement_ended".into()), ..Default::default() }).await.len(), 10);

    // A place that was noted stays in the chain however it grows.
    catalog.audit("login", "one", json!({})).await.unwrap();
    let noted: Link = verified.last.to_string().parse().unwrap();
    assert_eq!(catalog.verify_audit(Some(&noted)).await.unwrap().records, 31);
    for wrong in ["17", "x:y", &format!("3:{}", "g".repeat(64))] {
        assert_eq!(wrong.parse::<Link>().unwrap_err().code(), Code::BadRequest);
    }
}

#[tokio::test]
async fn a_changed_log_says_where() {
    let change = "UPDATE audit SET record = replace(record, 'SELECT 1', 'SELECT 2') WHERE action = 'statement'";
    for (sql, says) in [
        (change, "was changed, or the one before it"),
        (
            "UPDATE audit SET hash = replace(hash, substr(hash, 1, 8), '00000000') WHERE sequence = 7",
            "record 7 was changed",
        ),
        ("DELETE FROM audit WHERE sequence = 5", "record 5 is missing"),
        ("DELETE FROM audit WHERE sequence BETWEEN 8 AND 10", "records 8 to 10 are missing"),
        ("DELETE FROM audit WHERE sequence > 27", "records 28 to 30 are missing"),
        ("DELETE FROM audit", "records 1 to 30 are missing"),
        ("UPDATE audit SET sequence = 31 - sequence WHERE sequence = 1", "record 1 is missing"),
        ("UPDATE audit SET sequence = -sequence WHERE sequence IN (1, 2)", "records 1 to 2 are missing"),
        ("UPDATE audit_chain SET hash = 'x'", "record 30 is not the one that was written last"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let catalog = audited(&dir).await;
        if sql.contains("31 - sequence") {
            tamper(&catalog, "DELETE FROM audit WHERE sequence = 30").await;
        }
        tamper(&catalog, sql).await;
        let message = refusal(&catalog).await;
        assert!(message.contains(says), "{sql}: {message}");
    }

    // Two records in each other's place, each with its own hash.
    let dir = tempfile::tempdir().unwrap();
    let catalog = audited(&dir).await;
    tamper(&catalog, "UPDATE audit SET sequence = 100 WHERE sequence = 3").await;
    tamper(&catalog, "UPDATE audit SET sequence = 3 WHERE sequence = 4").await;
    tamper(&catalog, "UPDATE audit SET sequence = 4 WHERE sequence = 100").await;
    assert!(refusal(&catalog).await.contains("record 3 stands in another's place: it says that it is 4"));
}

#[tokio::test]
async fn a_log_that_was_written_anew_does_not_hold_what_was_noted() {
    let (dir, another) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let noted = audited(&dir).await.verify_audit(None).await.unwrap().last;
    // As good as a chain can be, and not this one.
    let forged = audited(&another).await;
    assert!(forged.verify_audit(None).await.is_ok());
    let error = forged.verify_audit(Some(&noted)).await.unwrap_err();
    assert!(error.message().contains("record 30 is not the one that was noted"), "{error}");
    let beyond = Link { sequence: 40, ..noted };
    let error = forged.verify_audit(Some(&beyond)).await.unwrap_err();
    assert!(error.message().contains("records 31 to 40 are missing"), "{error}");
}

#[tokio::test]
async fn an_exported_log_can_be_checked_alone() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = audited(&dir).await;
    let file = dir.path().join("audit.jsonl");
    let exported = catalog.export_audit(&file).await.unwrap();
    assert_eq!(verify_audit_file(&file, Some(&exported.last)).unwrap(), exported);
    assert_eq!(catalog.export_audit(&file).await.unwrap_err().code(), Code::Conflict);
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut swapped = lines.clone();
    swapped.swap(4, 5);
    let mut without = lines.clone();
    without.remove(9);
    for (lines, says) in [
        (text.replacen("SELECT 1", "SELECT 3", 1).lines().map(str::to_owned).collect::<Vec<_>>(), "was changed"),
        (swapped.into_iter().map(str::to_owned).collect(), "record 4 is missing"),
        (without.into_iter().map(str::to_owned).collect(), "record 9 is missing"),
    ] {
        std::fs::write(&file, lines.join("\n")).unwrap();
        let error = verify_audit_file(&file, None).unwrap_err();
        assert!(error.message().contains(says), "{error}");
    }
    std::fs::write(&file, "{}\n").unwrap();
    assert_eq!(verify_audit_file(&file, None).unwrap_err().code(), Code::BadRequest);
}

#[tokio::test]
async fn old_records_are_dropped_in_order_and_that_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = audited(&dir).await;
    let noted = catalog.verify_audit(None).await.unwrap().last;
    assert_eq!(catalog.drop_audit(Timestamp::UNIX_EPOCH).await.unwrap(), 0);
    // From the first record that is not older on, nothing goes, whatever the others' own times say.
    let logins = AuditFilter { action: Some("login".into()), ..Default::default() };
    let logins = catalog.audit_rows(&logins).await.unwrap();
    let sixth = &logins[4];
    let all = catalog.audit_rows(&AuditFilter::default()).await.unwrap();
    let kept = all.iter().filter(|row| row.event.at >= sixth.event.at).map(|row| row.sequence).min().unwrap();
    assert_eq!(catalog.drop_audit(sixth.event.at).await.unwrap(), kept - 1);
    let verified = catalog.verify_audit(Some(&noted)).await.unwrap();
    assert_eq!((verified.after.sequence, verified.last.sequence), (kept - 1, 31));
    assert_eq!(catalog.drop_audit(catalog.now() + SignedDuration::from_hours(1)).await.unwrap(), 32 - kept);
    let verified = catalog.verify_audit(Some(&noted)).await.unwrap();
    assert_eq!((verified.records, verified.after.sequence, verified.last.sequence), (1, 31, 32));
    let only = &catalog.audit_rows(&AuditFilter::default()).await.unwrap()[0];
    assert_eq!(only.event.action, "audit_dropped");
    assert_eq!(only.event.detail["up_to"], json!(31));
    catalog.audit("login", "one", json!({})).await.unwrap();
    assert_eq!(catalog.verify_audit(None).await.unwrap().records, 2);

    // Who drops more, and says so of the chain's beginning, did not say so in the chain.
    tamper(&catalog, "UPDATE audit_chain SET dropped = 32, base = (SELECT hash FROM audit WHERE sequence = 32)").await;
    tamper(&catalog, "DELETE FROM audit WHERE sequence = 32").await;
    assert!(refusal(&catalog).await.contains("records 1 to 32 are missing"));
}

fn record(id: &str, after: u32, body: serde_json::Value, claims: &[&str]) -> NewRecord {
    NewRecord {
        kind: "case",
        id: id.to_owned(),
        after,
        organisation: "north".to_owned(),
        body,
        reason: String::new(),
        recorded_by: "anna".to_owned(),
        claims: claims.iter().map(|claim| (*claim).to_owned()).collect(),
    }
}

#[tokio::test]
async fn versions_of_a_record_are_added_and_never_changed() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(&dir).await;
    let kept = |recorded: Recorded| match recorded {
        Recorded::Kept(rows) => rows.into_iter().map(|row| row.version).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let add = |record: NewRecord| {
        let catalog = catalog.clone();
        async move { catalog.add_records(&[record]).await }
    };
    assert_eq!(kept(add(record("a", 0, json!({"n": 1}), &[])).await.unwrap()), [1]);
    assert_eq!(kept(add(record("a", 1, json!({"n": 2}), &[])).await.unwrap()), [2]);
    // The same request again changes nothing; one that saw an older version is told.
    assert_eq!(kept(add(record("a", 1, json!({"n": 2}), &[])).await.unwrap()), [2]);
    let Recorded::Outdated(row) = add(record("a", 1, json!({"n": 3}), &[])).await.unwrap() else { panic!() };
    assert_eq!((row.version, row.body), (2, json!({"n": 2})));
    assert!(matches!(add(record("a", 0, json!({"n": 3}), &[])).await.unwrap(), Recorded::Outdated(_)));
    assert_eq!(add(record("b", 4, json!({}), &[])).await.unwrap_err().code(), Code::NoSuchObject);
    // Of several all or none.
    let several = [record("c", 0, json!({}), &[]), record("a", 1, json!({"n": 9}), &[])];
    assert!(matches!(catalog.add_records(&several).await.unwrap(), Recorded::Outdated(_)));
    assert_eq!(catalog.records().await.unwrap().len(), 2);
    for statement in
        ["UPDATE record SET body = '{}'", "DELETE FROM record", "INSERT OR REPLACE INTO record SELECT * FROM record"]
    {
        let refused = sqlx::query(statement).execute(&catalog.inner.writer).await;
        assert!(refused.is_err(), "{statement}");
    }
}

#[tokio::test]
async fn a_claim_has_one_holder_until_it_lets_go() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(&dir).await;
    catalog.add_records(&[record("a", 0, json!({"n": 1}), &["fact:2026-01", "fact:2026-02"])]).await.unwrap();
    let second = catalog.add_records(&[record("b", 0, json!({}), &["fact:2026-02"])]).await.unwrap();
    assert_eq!(second, Recorded::Claimed { claim: "fact:2026-02".into(), kind: "case".into(), id: "a".into() });
    assert_eq!(catalog.records().await.unwrap().len(), 1);
    catalog.add_records(&[record("a", 1, json!({"n": 2}), &["fact:2026-01"])]).await.unwrap();
    let now = catalog.add_records(&[record("b", 0, json!({}), &["fact:2026-02"])]).await.unwrap();
    assert!(matches!(now, Recorded::Kept(_)));
}
