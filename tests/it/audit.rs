//! What happened is recorded before anybody sees a row of it, and a record that is changed afterwards shows.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, RecordBatch};
use countinghouse::app::App;
use countinghouse::auth::{Entry, Peer, Principal, TokenScope};
use countinghouse::catalog::AuditFilter;
use countinghouse::error::Code;
use countinghouse::query::{Face, Statement};
use serde_json::{Value, json};

use super::bank::{ask, branch, copy_of_state, head_office, project, refusal, rows};

fn auditor() -> Principal {
    Principal { name: "inspector".to_owned(), roles: ["auditor".to_owned()].into(), ..head_office() }
}

async fn records(app: &App, action: &str) -> Vec<(String, Value)> {
    let filter = AuditFilter { action: Some(action.to_owned()), ..AuditFilter::default() };
    let rows = app.services.catalog.audit_rows(&filter).await.unwrap();
    rows.into_iter().map(|row| (row.event.principal, row.event.detail)).collect()
}

#[tokio::test]
async fn statements_are_recorded_with_what_they_asked_and_under_which_rights() {
    let state = copy_of_state();
    let app = App::open(project(), state.path()).await.unwrap();
    let who = branch("beijing");
    let sql = "SELECT SUM(balance) FROM deposits WHERE month = $1";
    let day: ArrayRef = Arc::new(Date32Array::from(vec![20_423]));
    let parameters = RecordBatch::try_from_iter([("1", day)]).unwrap();
    let statement = Statement { parameters: Some(parameters), ..Statement::new(sql) };
    let answer = app.services.door.collect(&who, Face::Http, statement, 10).await.unwrap();
    let refused = refusal(&app, &who, "SELECT * FROM shanghai.deposits").await;
    assert_eq!(refused.code(), Code::NoSuchObject);
    assert_eq!(refusal(&app, &who, "DROP TABLE deposits").await.code(), Code::ReadOnly);

    let begun = records(&app, "statement").await;
    let (principal, detail) = &begun[0];
    assert_eq!(principal, "beijing");
    for (name, expected) in [
        ("query_id", json!(answer.query_id)),
        ("face", json!("http")),
        ("sql", json!(sql)),
        ("parameters", json!(r#"{"1":"2025-12-01"}"#)),
        ("snapshot", json!(answer.snapshot_id)),
        ("rollup", json!("deposits_by_branch_month")),
    ] {
        assert_eq!(detail[name], expected, "{name}");
    }
    // What its roles gave it: the same for each with the same rights, and for no other.
    assert_eq!(detail["rights"].as_str().map(str::len), Some(64));
    for (other, same) in [(branch("beijing"), true), (branch("shanghai"), false)] {
        refusal(&app, &other, "SELECT * FROM nowhere").await;
        let rights = &records(&app, "statement_refused").await[0].1["rights"];
        assert_eq!(*rights == detail["rights"], same, "{}", other.name);
    }
    let (_, ended) = &records(&app, "statement_ended").await[0];
    assert_eq!(
        (&ended["query_id"], &ended["status"], &ended["rows"]),
        (&json!(answer.query_id), &json!("ok"), &json!(1))
    );
    let codes: Vec<Value> =
        records(&app, "statement_refused").await.into_iter().map(|(_, row)| row["code"].clone()).collect();
    assert_eq!(codes[2..], [json!("READ_ONLY"), json!("NO_SUCH_OBJECT")], "newest first");
    // The load and the refresh before have theirs.
    assert_eq!(records(&app, "load").await.len(), 2);
    assert_eq!(records(&app, "refresh").await[0].1["snapshot"], json!(3));

    // An auditor reads it in SQL, which is itself recorded; nobody else does.
    let asked = "SELECT COUNT(*) FROM system.audit WHERE action = 'statement' AND principal = 'beijing'";
    assert_eq!(rows(&app, &auditor(), asked).await, ["1"]);
    let mut administrator = head_office();
    administrator.roles = ["administrator".to_owned(), "analyst".to_owned()].into();
    for other in [&who, &administrator] {
        assert_eq!(rows(&app, other, "SELECT COUNT(*) FROM system.audit").await, ["0"], "{}", other.name);
    }
    assert!(records(&app, "statement").await.iter().any(|(name, row)| name == "inspector" && row["sql"] == asked));
}

#[tokio::test]
async fn logins_and_what_is_done_to_them_are_recorded_without_their_secrets() {
    let state = copy_of_state();
    let app = App::open(project(), state.path()).await.unwrap();
    let auth = &app.services.auth;
    let password = "correct horse battery";
    auth.create_user("li", Some(password.to_owned()), ["analyst".to_owned()].into(), head_office().scope)
        .await
        .unwrap();
    auth.login_password("li", password, Peer::new(Entry::Http, None)).await.unwrap();
    assert_eq!(
        auth.login_password("nobody", "wrong horse battery", Peer::new(Entry::Http, None)).await.unwrap_err().code(),
        Code::Token
    );
    let token = auth.create_token("li", "notebook", 1, &TokenScope::default()).await.unwrap();
    let id = token.split('_').nth(1).unwrap();
    auth.revoke_token(id).await.unwrap();
    auth.set_disabled("li", true).await.unwrap();
    let by = json!({"by": "password", "face": "http", "address": null});
    assert_eq!(records(&app, "login").await, [("li".to_owned(), by)]);
    assert_eq!(records(&app, "login_failed").await[0].0, "nobody");
    assert_eq!(records(&app, "user_created").await[0].1["roles"], json!(["analyst"]));
    assert_eq!(records(&app, "user_changed").await[0].1["disabled"], json!({"before": false, "after": true}));
    assert_eq!(records(&app, "token_created").await[0].1["token"], json!(id));
    assert_eq!(records(&app, "token_revoked").await[0].1["token"], json!(id));
    let all = app.services.catalog.audit_rows(&AuditFilter::default()).await.unwrap();
    let text = all.iter().map(|row| row.to_json().to_string()).collect::<String>();
    let secret = token.rsplit('_').next().unwrap();
    assert!(!text.contains(password) && !text.contains("wrong horse") && !text.contains(secret));
}

#[tokio::test]
async fn without_a_record_there_is_no_answer() {
    let state = copy_of_state();
    let app = App::open(project(), state.path()).await.unwrap();
    let who = head_office();
    assert!(ask(&app, &who, "SELECT SUM(balance) FROM deposits").await.is_ok());
    // Another program holds the file, as long as the server waits and longer.
    let file = format!("sqlite://{}", state.path().join("catalog.db").display());
    let other = sqlx::SqlitePool::connect(&file).await.unwrap();
    let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let error = refusal(&app, &who, "SELECT SUM(balance) FROM deposits").await;
    assert!(matches!(error.code(), Code::Internal | Code::Busy), "{error:?}");
    held.rollback().await.unwrap();
    assert!(ask(&app, &who, "SELECT SUM(balance) FROM deposits").await.is_ok());
    assert!(app.services.catalog.verify_audit(None).await.is_ok());
}

fn audit(state: &Path, arguments: &[&str]) -> Output {
    let mut run = Command::new(env!("CARGO_BIN_EXE_countinghouse"));
    run.arg("audit").args(arguments).arg("--project").arg(project()).arg("--state").arg(state);
    run.output().unwrap()
}

#[tokio::test]
async fn the_command_line_checks_exports_and_finds_what_was_changed() {
    let state = copy_of_state();
    {
        let app = App::open(project(), state.path()).await.unwrap();
        for _ in 0..3 {
            ask(&app, &head_office(), "SELECT SUM(balance) FROM deposits").await.unwrap();
        }
        app.services.catalog.settle().await.unwrap();
    }
    let said = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let good = audit(state.path(), &["verify"]);
    assert!(good.status.success(), "{good:?}");
    assert!(said(&good).contains("the audit log holds"), "{}", said(&good));
    let noted = said(&good).lines().last().unwrap().rsplit(' ').next().unwrap().to_owned();
    assert!(audit(state.path(), &["verify", "--noted", &noted]).status.success());
    let listed = audit(state.path(), &["list", "--action", "statement", "--limit", "2"]);
    let lines: Vec<Value> = said(&listed).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["detail"]["sql"], json!("SELECT SUM(balance) FROM deposits"));
    let copy = state.path().join("audit.jsonl");
    let copy = copy.to_str().unwrap();
    assert!(audit(state.path(), &["export", copy]).status.success());
    assert!(audit(state.path(), &["verify", "--file", copy, "--noted", &noted]).status.success());

    let file = format!("sqlite://{}", state.path().join("catalog.db").display());
    let pool = sqlx::SqlitePool::connect(&file).await.unwrap();
    let change = "UPDATE audit SET record = replace(record, 'SUM(balance)', 'SUM(1)') WHERE action = 'statement'";
    assert!(sqlx::query(change).execute(&pool).await.unwrap().rows_affected() >= 3);
    pool.close().await;
    let bad = audit(state.path(), &["verify"]);
    assert_eq!(bad.status.code(), Some(1));
    let told = String::from_utf8_lossy(&bad.stderr).into_owned();
    assert!(told.contains("was changed, or the one before it") && told.contains("[AUDIT]"), "{told}");
    assert!(audit(state.path(), &["verify", "--file", copy]).status.success(), "the copy elsewhere still holds");
}
