//! The evaluation over the whole stack: rights at the door, over HTTP and in SQL; versions; measuring; reports.

use countinghouse::app::App;
use countinghouse::auth::{Principal, TokenScope};
use countinghouse::error::Code;
use countinghouse::evaluation::Refused;
use countinghouse::server;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::bank::{copy_of_state, head_office, project, refusal, rows};

fn login(name: &str, roles: &[&str], scope: &str) -> Principal {
    Principal::new(name, roles.iter().map(|role| (*role).to_owned()).collect(), scope.parse().unwrap())
}

fn reviewer() -> Principal {
    login("rita", &["reviewer"], "head_office")
}

async fn put(app: &App, by: &Principal, kind: &str, id: &str, after: u32, body: Value) -> Result<u32, Refused> {
    app.services.evaluation.put(by, kind, id, after, body, "because").await.map(|row| row.version)
}

async fn act(app: &App, by: &Principal, id: &str, action: &str) {
    let after = app.services.evaluation.get(by, "assessment", id).await.unwrap().version;
    app.services.evaluation.act(by, "assessment", id, after, action, "seen").await.unwrap();
}

/// An assessment of a branch with every item answered by one assessor.
async fn assess(app: &App, id: &str, organisation: &str, score: f64) -> Principal {
    let assessor = login("anna", &["assessor"], organisation);
    let body = json!({"organisation": organisation, "as_of": "2025-12-31", "manner": "self", "assessors": ["anna"]});
    put(app, &reviewer(), "assessment", id, 0, body).await.unwrap();
    let items: Vec<String> =
        app.services.evaluation.definitions().maturity.items().map(|(_, item)| item.key.value.clone()).collect();
    let answer = json!({"score": score, "evidence": [{"kind": "document", "reference": "https://bank.example/a"}]});
    let documents = items.iter().map(|item| ("assessment_answer", format!("{id}/{item}/anna"), 0, answer.clone()));
    app.services.evaluation.put_all(&assessor, documents.collect(), "").await.unwrap();
    assessor
}

#[tokio::test]
async fn an_assessment_reaches_sql_and_a_branch_sees_its_own() {
    let state = copy_of_state();
    let app = App::open(project(), state.path()).await.unwrap();
    for (branch, score) in [("beijing", 3.0), ("shanghai", 4.0)] {
        let id = format!("{branch}-1");
        let assessor = assess(&app, &id, branch, score).await;
        act(&app, &assessor, &id, "submit").await;
        // The sample bank measures some items in its cubes.
        act(&app, &reviewer(), &id, "measure").await;
        act(&app, &reviewer(), &id, "review").await;
        act(&app, &reviewer(), &id, "lock").await;
    }
    let all = "SELECT organisation, status FROM evaluation.assessment ORDER BY organisation";
    assert_eq!(rows(&app, &head_office(), all).await, ["beijing|locked", "shanghai|locked"]);
    let beijing = super::bank::branch("beijing");
    assert_eq!(rows(&app, &beijing, all).await, ["beijing|locked"]);
    // Every table, of every reader: no row of another branch.
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'evaluation'";
    let names = rows(&app, &beijing, tables).await;
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        for row in rows(&app, &beijing, &format!("SELECT * FROM evaluation.{name}")).await {
            assert!(!row.contains("shanghai"), "evaluation.{name}: {row}");
        }
    }
    // Measured from the cubes, at a snapshot, with the statement recorded.
    let measured = "SELECT COUNT(*) > 0, MIN(measured_score) >= 0, MAX(measured_score) <= 5 FROM evaluation.assessment_item \
                    WHERE organisation = 'beijing' AND measured_value IS NOT NULL";
    assert_eq!(rows(&app, &beijing, measured).await, ["true|true|true"]);
    // The history tells who changed what, when and why.
    let history = "SELECT before, after, reason, recorded_by FROM evaluation.history \
                   WHERE kind = 'assessment' AND record = 'beijing-1' AND field = 'status' ORDER BY version";
    let expected = [
        "|draft|because|rita",
        "draft|submitted|seen|anna",
        "submitted|reviewed|seen|rita",
        "reviewed|locked|seen|rita",
    ];
    assert_eq!(rows(&app, &head_office(), history).await, expected);
    // A part of a branch is no organisation, and roles that name cubes name the evaluation.
    let part = login("part", &["analyst"], "beijing/sub_branch=北京朝阳支行");
    assert_eq!(refusal(&app, &part, all).await.code(), Code::NoSuchObject);
    let narrowed = Principal {
        only: countinghouse::auth::Only { cubes: Some(["deposits".to_owned()].into()), reports: None },
        ..head_office()
    };
    assert_eq!(refusal(&app, &narrowed, all).await.code(), Code::NoSuchObject);
    // Nothing is kept for the next statement: records change between snapshots.
    assess(&app, "wuhan-1", "wuhan", 2.0).await;
    assert_eq!(rows(&app, &head_office(), all).await.len(), 3);
    // A token that was narrowed to reports opens them, and no records.
    let reports = Principal {
        only: countinghouse::auth::Only { cubes: None, reports: Some(["crm_maturity".to_owned()].into()) },
        ..head_office()
    };
    assert!(app.services.evaluation.view(&reports).await.is_err());
    // The administrator's role carries no data.
    let admin = login("admin", &["administrator"], "head_office");
    assert_eq!(refusal(&app, &admin, all).await.code(), Code::NoSuchObject);
}

#[tokio::test]
async fn a_record_stays_with_its_organisation() {
    let state = copy_of_state();
    let app = App::open(project(), state.path()).await.unwrap();
    let beijing = login("bei", &["assessor", "reviewer"], "beijing");
    let shanghai = login("shang", &["assessor", "reviewer"], "shanghai");
    let issue = |organisation: &str, title: &str| {
        let cause = app.services.evaluation.definitions().library.causes[0].key.value.clone();
        json!({"title": title, "organisation": organisation, "cause": cause})
    };
    assert_eq!(put(&app, &beijing, "issue", "slow", 0, issue("beijing", "slow answers")).await.unwrap(), 1);
    // The other branch neither reads it, nor writes over it, whatever version or organisation it names.
    let missing = app.services.evaluation.get(&shanghai, "issue", "slow").await.unwrap_err();
    assert_eq!(missing.code(), Code::NoSuchObject);
    for (after, organisation) in [(0, "shanghai"), (1, "shanghai"), (1, "beijing"), (0, "beijing")] {
        let refused =
            put(&app, &shanghai, "issue", "slow", after, issue(organisation, "taken over")).await.unwrap_err();
        let text = countinghouse::error::Error::from(refused).message().to_owned();
        assert!(!text.contains("bei,") && !text.contains("slow answers"), "{text}");
    }
    assert_eq!(app.services.evaluation.get(&beijing, "issue", "slow").await.unwrap().version, 1);
    // Nor is one made for an organisation out of scope, or for none.
    for organisation in ["shanghai", "head_office", "nowhere", ""] {
        assert!(put(&app, &beijing, "issue", "new", 0, issue(organisation, "x")).await.is_err(), "{organisation}");
    }
    assert!(put(&app, &reviewer(), "issue", "new", 0, issue("nowhere", "x")).await.is_err());
    // Who saw an older version is told; the same again adds nothing.
    assert_eq!(put(&app, &beijing, "issue", "slow", 1, issue("beijing", "slower")).await.unwrap(), 2);
    assert_eq!(put(&app, &beijing, "issue", "slow", 1, issue("beijing", "slower")).await.unwrap(), 2);
    let refused = put(&app, &beijing, "issue", "slow", 1, issue("beijing", "other")).await;
    assert!(matches!(refused, Err(Refused::Outdated(row)) if row.version == 2));
    // What is computed has no writer; a narrowed token writes nothing.
    assert!(put(&app, &reviewer(), "roi_result", "x", 0, json!({})).await.is_err());
    let token = Principal {
        only: countinghouse::auth::Only { cubes: Some(["evaluation".to_owned()].into()), reports: None },
        ..beijing.clone()
    };
    assert!(put(&app, &token, "issue", "other", 0, issue("beijing", "x")).await.is_err());
}

/// The address of a server over an application, until it is dropped.
async fn served(app: &App) -> (String, JoinSet<()>) {
    let bound = server::bind(app.services.clone(), "127.0.0.1:0", "127.0.0.1:0").await.unwrap();
    let http = format!("http://{}", bound.http_address);
    let mut server = JoinSet::new();
    server.spawn(async move { bound.serve(std::future::pending()).await.unwrap() });
    (http, server)
}

#[tokio::test]
async fn over_http_a_version_is_an_entity_tag() {
    let state = copy_of_state();
    let app = App::open(project(), state.path()).await.unwrap();
    let auth = &app.services.auth;
    for (name, role, scope) in
        [("bei", "assessor", "beijing"), ("shang", "assessor", "shanghai"), ("adm", "administrator", "head_office")]
    {
        auth.create_user(name, None, [role.to_owned()].into(), scope.parse().unwrap()).await.unwrap();
    }
    let token =
        |name: &'static str| async move { auth.create_token(name, "test", 1, &TokenScope::default()).await.unwrap() };
    let (bei, shang, adm) = (token("bei").await, token("shang").await, token("adm").await);
    let (http, _server) = served(&app).await;
    let client = reqwest::Client::new();
    let cause = app.services.evaluation.definitions().library.causes[0].key.value.clone();
    let body = json!({"title": "slow", "organisation": "beijing", "cause": cause}).to_string();
    let send =
        |method: reqwest::Method, path: &str, token: &str, headers: &[(&'static str, &'static str)], body: &str| {
            let mut request = client.request(method, format!("{http}{path}")).bearer_auth(token);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request.body(body.to_owned()).send()
        };
    let json_type = ("content-type", "application/json");
    let (path, put, get) = ("/api/evaluation/issue/slow", reqwest::Method::PUT, reqwest::Method::GET);
    let status = async |answer: Result<reqwest::Response, reqwest::Error>| answer.unwrap().status().as_u16();
    assert_eq!(status(send(put.clone(), path, &bei, &[json_type], &body).await).await, 428);
    assert_eq!(status(send(put.clone(), path, &bei, &[("if-none-match", "*")], &body).await).await, 415);
    let made = send(put.clone(), path, &bei, &[json_type, ("if-none-match", "*")], &body).await.unwrap();
    assert_eq!((made.status().as_u16(), made.headers()["etag"].to_str().unwrap()), (201, "\"1\""));
    let changed = body.replace("slow", "slower");
    assert_eq!(status(send(put.clone(), path, &bei, &[json_type, ("if-match", "\"1\"")], &changed).await).await, 200);
    assert_eq!(status(send(put.clone(), path, &bei, &[json_type, ("if-match", "\"1\"")], &body).await).await, 412);
    let faulty =
        send(put.clone(), path, &bei, &[json_type, ("if-match", "\"2\"")], &body.replace("slow", "")).await.unwrap();
    assert_eq!(faulty.status().as_u16(), 400);
    assert!(faulty.text().await.unwrap().contains("`title`"));
    assert_eq!(status(send(get.clone(), path, &shang, &[], "").await).await, 404);
    let taken = body.replace("beijing", "shanghai");
    assert_eq!(status(send(put.clone(), path, &shang, &[json_type, ("if-match", "\"2\"")], &taken).await).await, 404);
    assert_eq!(status(send(put, path, &shang, &[json_type, ("if-match", "\"2\"")], &body).await).await, 400);
    for page in ["/api/evaluation", "/api/evaluation/issue", "/evaluation", "/evaluation/maturity"] {
        assert_eq!(status(send(get.clone(), page, &adm, &[], "").await).await, 404, "{page}");
        assert_eq!(status(send(get.clone(), page, &bei, &[], "").await).await, 200, "{page}");
    }
    let history: Value = serde_json::from_slice(
        &send(get, "/api/evaluation/issue/slow?history=true", &bei, &[], "").await.unwrap().bytes().await.unwrap(),
    )
    .unwrap();
    let titles: Vec<&str> = history["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["field"] == "title")
        .map(|change| change["after"].as_str().unwrap())
        .collect();
    assert_eq!(titles, ["slow", "slower"]);
}
