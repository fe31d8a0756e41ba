//! The face over a little bank: real files, real door, real sockets.

mod admin;
mod parts;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::api::openapi;
use super::session::{is_same_origin, local_path};
use super::{Access, POLICY, ROUTES, language};
use crate::auth::{Auth, TokenScope};
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::config;
use crate::evaluation::{Book, Evaluation};
use crate::locale::Lang;
use crate::publish::Publisher;
use crate::query::Door;
use crate::report::font::Fonts;
use crate::report::format::Tools;
use crate::report::worker::Worker;
use crate::schedule::Scheduler;
use crate::server::{Services, bind};
use crate::warehouse::Warehouse;

const PASSWORD: &str = "correct horse battery";

const PROJECT: &[(&str, &str)] = &[
    (
        "countinghouse.yaml",
        "
name: {en: Little bank, zh-CN: 小银行}
languages: [zh-CN, en]
roles:
  - {name: clerk, exports: [csv]}
  - {name: window, exports: [none]}
warehouse:
  tables:
    - name: dim_org
      kind: dimension
      key: [org_id]
      surrogate: org_sk
      columns:
        - {name: org_id, type: text, required: true}
        - {name: org_name, type: text, required: true}
        - {name: level_code, type: text, required: true}
        - {name: parent_org_id, type: text}
        - {name: branch_code, type: text, required: true}
    - name: fact_balance
      kind: fact
      key: [business_date, org_sk, note]
      partition: {branch: branch_code, date: business_date, by: month}
      columns:
        - {name: business_date, type: date, required: true}
        - {name: branch_code, type: text, required: true}
        - {name: org_sk, type: integer, references: dim_org}
        - {name: note, type: text, required: true}
        - {name: end_balance, type: money, required: true}
",
    ),
    (
        "cubes/dimensions.yaml",
        "
dimensions:
  - name: organisation
    label: {en: Organisation, zh-CN: 机构}
    table: dim_org
    key: org_sk
    durable: org_id
    scope: {level: branch, key: branch_code}
    hierarchies:
      - name: organisation
        kind: ragged
        parent: parent_org_id
        level_of: level_code
        member: org_name
        fill: ancestor
        levels:
          - {name: head_office, label: {en: Head office, zh-CN: 总行}}
          - {name: branch, label: {en: Branch, zh-CN: 分行}}
",
    ),
    (
        "cubes/deposits.yaml",
        "
cube:
  name: deposits
  label: {en: Deposits, zh-CN: 存款}
  description: {en: Balances by branch., zh-CN: 各分行余额。}
  fact:
    table: fact_balance
  joins:
    - {dimension: organisation, on: org_sk}
  attributes:
    - {name: note, column: note, label: {en: Note, zh-CN: 备注}}
  measures:
    - {name: balance, state: sum, of: end_balance, type: money, unit: CNY, good: up, label: {en: Balance, zh-CN: 余额}}
    - {name: rows_posted, state: count, label: {en: Rows, zh-CN: 行数}}
",
    ),
    (
        "reports/balances/report.yaml",
        "
report: balances
title: {en: Balances, zh-CN: 余额表}
description: {en: Balances by branch., zh-CN: 各分行余额。}
cubes: [deposits]
parameters:
  as_of: {type: as_of_date, default: latest, label: {en: As of, zh-CN: 数据截至}}
datasets:
  branches: {sql: branches.sql}
blocks:
  - message: {en: Balances by branch, zh-CN: 各分行余额}
  - table:
      id: branches
      dataset: branches
      title: {en: Branches, zh-CN: 分行}
      columns:
        - {column: branch, label: {en: Branch, zh-CN: 分行}}
        - {column: balance, label: {en: Balance, zh-CN: 余额}, unit: money}
  - chart:
      id: shares
      kind: bar
      dataset: branches
      title: {en: Balances, zh-CN: 余额}
      x: branch
      y: [{column: balance, label: {en: Balance, zh-CN: 余额}}]
      unit: money
",
    ),
    (
        "reports/balances/branches.sql",
        "SELECT branch, SUM(balance) AS balance FROM deposits GROUP BY branch ORDER BY branch",
    ),
    (
        "reports/closed/report.yaml",
        "
report: closed
title: {en: Closed report, zh-CN: 内部报表}
audience: [publisher]
cubes: [deposits]
parameters:
  as_of: {type: as_of_date, default: latest, label: {en: As of, zh-CN: 数据截至}}
datasets:
  branches: {sql: branches.sql}
blocks:
  - message: {en: Closed, zh-CN: 内部}
",
    ),
    ("reports/closed/branches.sql", "SELECT SUM(balance) AS balance FROM deposits"),
    (
        "feed/feed.yaml",
        "
node: head_office
batch: 1
business_date: 2025-11-30
source: core
files:
  - path: org.csv
    format: csv
    table: dim_org
    null: ['']
    columns: [{name: org_id}, {name: org_name}, {name: level_code}, {name: parent_org_id}, {name: branch_code}]
  - path: balance.csv
    format: csv
    table: fact_balance
    columns:
      - {name: business_date}
      - {name: branch_code}
      - {name: org, to: org_sk}
      - {name: note}
      - {name: end_balance}
",
    ),
    (
        "feed/org.csv",
        "org_id,org_name,level_code,parent_org_id,branch_code\n1,总行,head_office,,head\n2,北京分行,branch,1,beijing\n\
         3,上海分行,branch,1,shanghai\n",
    ),
    (
        "feed/balance.csv",
        "business_date,branch_code,org,note,end_balance\n2025-11-30,beijing,2,=1+1,100.10\n\
         2025-11-30,beijing,2,\"a, \"\"b\"\"\",-0.05\n2025-11-30,shanghai,3,<script>,9007199254740993.25\n",
    ),
];

/// A running server.
struct Site {
    base: String,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    server: JoinSet<crate::error::Result<()>>,
    auth: Auth,
    catalog: Catalog,
    _folder: tempfile::TempDir,
}

impl Site {
    async fn open(load: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("project");
        for (path, text) in PROJECT {
            let path = project.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text.trim_start()).unwrap();
        }
        let services = services(&project, &folder.path().join("state"), load).await;
        let (auth, catalog) = (services.auth.clone(), services.catalog.clone());
        let bound = bind(services, "127.0.0.1:0", "127.0.0.1:0").await.unwrap();
        let (base, (stop, stopped)) = (format!("http://{}", bound.http_address), oneshot::channel::<()>());
        let mut server = JoinSet::new();
        server.spawn(bound.serve(async {
            let _ = stopped.await;
        }));
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { base, client, stop: Some(stop), server, auth, catalog, _folder: folder }
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.send(Method::GET, path, headers, "").await
    }

    async fn token(&self, user: &str) -> String {
        format!("Bearer {}", self.auth.create_token(user, "test", 1, &TokenScope::default()).await.unwrap())
    }

    async fn sql(&self, bearer: &str, body: &Value) -> Response {
        let headers = [("authorization", bearer), ("content-type", "application/json")];
        self.send(Method::POST, "/api/sql", &headers, &body.to_string()).await
    }

    /// The form's token and cookie.
    async fn form(&self) -> (String, String) {
        let response = self.get("/login", &[]).await;
        let cookie = set_cookie(&response, "countinghouse_form").unwrap();
        let page = response.text().await.unwrap();
        (hidden(&page, "token"), cookie)
    }

    /// A session cookie.
    async fn login(&self, user: &str) -> String {
        let (token, cookie) = self.form().await;
        let body = form(&[("name", user), ("password", PASSWORD), ("token", &token), ("next", "/")]);
        let response = self.send(Method::POST, "/login", &[("cookie", &cookie), FORM], &body).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        set_cookie(&response, "countinghouse_session").unwrap()
    }
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn services(project: &Path, state: &Path, load: bool) -> Services {
    let clock = Clock::system();
    let config = Arc::new(config::load(project, state).unwrap());
    let catalog = Catalog::open(state, clock.clone()).await.unwrap();
    let auth = Auth::open(catalog.clone(), clock.clone()).await.unwrap().with_cheap_passwords();
    let auth = auth.with_roles(config.roles.iter().map(|role| role.name.value.clone()));
    for (name, role, scope) in
        [("head", "analyst", "head_office"), ("beijing", "analyst", "beijing"), ("reader", "reader", "head_office")]
    {
        let roles = BTreeSet::from([role.to_owned()]);
        auth.create_user(name, Some(PASSWORD.to_owned()), roles, scope.parse().unwrap()).await.unwrap();
    }
    let model = config::load_model(&config).unwrap();
    let (reports, faults) = config::load_reports(&config, &model);
    assert!(faults.is_empty(), "{faults:?}");
    let warehouse = Warehouse::open(&config, catalog.clone(), clock.clone()).await.unwrap();
    if load {
        let feed = project.join("feed/feed.yaml");
        let tables = &config.warehouse.tables;
        let loaded = crate::ingest::load(&warehouse, &catalog, tables, &feed, &()).await.unwrap();
        assert!(loaded.snapshot.is_some(), "{loaded:?}");
    }
    let book = Book::new(catalog.clone(), Arc::new(config::load_evaluation(&config).unwrap()));
    let records = Arc::new(book.clone());
    let door = Door::new(Arc::clone(&config), Arc::new(model), warehouse, catalog.clone(), clock.clone(), records);
    let door = door.unwrap();
    let evaluation = Evaluation::new(book, door.clone());
    let reports = Arc::new(reports);
    let tools = Tools { fonts: Arc::new(Fonts::load(None).unwrap()), worker: Worker::in_process() };
    let publisher = Publisher::open(
        Arc::clone(&config),
        door.clone(),
        auth.clone(),
        catalog.clone(),
        Arc::clone(&reports),
        tools,
        clock.clone(),
    );
    let publisher = publisher.unwrap();
    let scheduler = Scheduler::open(publisher.clone(), catalog.clone(), door.clone(), clock.clone(), &[]).unwrap();
    Services { config, auth, provider: None, door, reports, catalog, clock, publisher, scheduler, evaluation }
}

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// `name=value` of a cookie that a response sets.
fn set_cookie(response: &Response, name: &str) -> Option<String> {
    let cookies = response.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    cookies
        .map(|cookie| cookie.split(';').next().unwrap().to_owned())
        .find(|cookie| cookie.starts_with(&format!("{name}=")))
}

/// The value of a hidden field.
fn hidden(page: &str, name: &str) -> String {
    let rest =
        page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap_or_else(|| panic!("no `{name}` in {page}"));
    rest.split('"').next().unwrap().to_owned()
}

fn text(response: &Response, header: &str) -> String {
    response.headers().get(header).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

async fn problem(response: Response) -> Value {
    assert_eq!(text(&response, "content-type"), "application/problem+json");
    let correlation = text(&response, "x-correlation-id");
    let status = response.status().as_u16();
    let value: Value = response.bytes().await.map(|bytes| serde_json::from_slice(&bytes).unwrap()).unwrap();
    assert_eq!(value["correlation_id"], correlation);
    assert_eq!(value["status"], status);
    value
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_asks_for_a_login_or_says_why_not_and_every_answer_is_guarded() {
    let site = Site::open(false).await;
    for route in ROUTES {
        let path = route.path.replace("{name}", "x").replace("{id}", "x");
        let mut response = site.get(&path, &[]).await;
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            response = site.send(Method::POST, &path, &[], "").await;
        }
        assert_eq!(text(&response, "content-security-policy"), POLICY, "{path}");
        assert_eq!(text(&response, "x-content-type-options"), "nosniff");
        assert_eq!(text(&response, "referrer-policy"), "same-origin");
        assert_eq!(text(&response, "x-correlation-id").len(), 32);
        match route.access {
            Access::Login if path.starts_with("/api") => {
                assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
                assert_eq!(text(&response, "www-authenticate"), "Bearer");
                assert_eq!(text(&response, "cache-control"), "no-store");
                assert_eq!(problem(response).await["code"], "TOKEN");
            }
            Access::Login | Access::Roles(_) => {
                assert_eq!(response.status(), StatusCode::SEE_OTHER, "{path}");
                assert!(text(&response, "location").starts_with("/login"), "{path}");
            }
            Access::Open(why) => {
                assert!(why.len() > 10, "{path} says why");
                // No such file, and no provider in the settings.
                let is_there = !path.starts_with("/assets") && !path.starts_with("/login/oidc");
                assert!(response.status().is_success() || !is_there, "{path}: {}", response.status());
            }
        }
    }
    let response = site.get("/reports/balances?as_of=2025-11-30", &[]).await;
    assert_eq!(text(&response, "location"), "/login?next=%2Freports%2Fbalances%3Fas_of%3D2025-11-30");
    assert_eq!(site.get("/nowhere", &[]).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(problem(site.get("/api/nowhere", &[]).await).await["code"], "NO_SUCH_OBJECT");
    let response = site.send(Method::DELETE, "/api/sql", &[], "").await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_open_interface_is_described_whole() {
    let site = Site::open(false).await;
    let document: Value = site
        .get("/openapi.json", &[])
        .await
        .bytes()
        .await
        .map(|bytes| serde_json::from_slice(&bytes).unwrap())
        .unwrap();
    assert_eq!(document, openapi::describe());
    let paths: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    for route in ROUTES {
        // OpenAPI has no word for the rest of a path.
        let described = paths.contains(route.path.replace("{*", "{").as_str());
        let is_page = matches!(route.path, "/login" | "/logout" | "/assets/{name}");
        let is_in = |part: &str| route.path.starts_with(part);
        let pages = ["/admin", "/login/", "/evaluation"];
        let is_page = is_page || pages.into_iter().any(is_in);
        assert!(described != is_page, "{}", route.path);
    }
    assert!(paths.iter().all(|path| ROUTES.iter().any(|route| route.path.replace("{*", "{") == *path)));
    // Every reference leads somewhere.
    let text = document.to_string();
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_logs_in_with_a_form_and_out_again() {
    let site = Site::open(true).await;
    let (token, cookie) = site.form().await;
    let attempt = async |pairs: &[(&str, &str)], headers: &[(&str, &str)]| {
        let headers: Vec<_> = headers.iter().copied().chain([FORM]).collect();
        site.send(Method::POST, "/login", &headers, &form(pairs)).await
    };
    let good = [("name", "head"), ("password", PASSWORD), ("token", token.as_str()), ("next", "/reports?lang=en")];

    // Without the cookie, or from another site, the same form is worth nothing.
    assert_eq!(attempt(&good, &[]).await.status(), StatusCode::FORBIDDEN);
    let other = [("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    assert_eq!(attempt(&good, &other).await.status(), StatusCode::FORBIDDEN);
    let other = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")];
    assert_eq!(attempt(&good, &other).await.status(), StatusCode::FORBIDDEN);

    let mine = [("cookie", cookie.as_str()), ("origin", site.base.as_str()), ("sec-fetch-site", "same-origin")];
    let wrong = [("name", "nobody<b>"), ("password", "wrong password"), ("token", token.as_str())];
    let response = attempt(&wrong, &mine).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let page = response.text().await.unwrap();
    assert!(page.contains("role=\"alert\"") && page.contains("nobody&#60;b&#62;"), "{page}");

    let response = attempt(&good, &mine).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(text(&response, "location"), "/reports?lang=en");
    let header = response.headers().get_all("set-cookie").iter().next().unwrap().to_str().unwrap().to_owned();
    assert!(header.contains("HttpOnly") && header.contains("SameSite=Lax") && header.contains("Path=/;"), "{header}");
    let session = set_cookie(&response, "countinghouse_session").unwrap();

    let home = site.get("/", &[("cookie", &session)]).await;
    assert_eq!(home.status(), StatusCode::OK);
    assert_eq!(text(&home, "cache-control"), "private, no-cache");
    let page = home.text().await.unwrap();
    assert!(site.get("/login?next=//evil.example", &[("cookie", &session)]).await.headers()["location"] == "/");

    let out = async |token: &str| {
        let headers = [("cookie", session.as_str()), FORM];
        site.send(Method::POST, "/logout", &headers, &form(&[("token", token)])).await.status()
    };
    assert_eq!(out("guessed").await, StatusCode::FORBIDDEN);
    assert_eq!(out(&hidden(&page, "token")).await, StatusCode::SEE_OTHER);
    let after = site.get("/", &[("cookie", &session)]).await;
    assert_eq!(after.status(), StatusCode::SEE_OTHER, "ended on the server");
    assert_eq!(set_cookie(&after, "countinghouse_session").unwrap(), "countinghouse_session=", "and in the browser");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_portal_shows_each_what_they_may_open() {
    let site = Site::open(true).await;
    let session = site.login("head").await;
    let page = async |path: &str, cookie: &str| site.get(path, &[("cookie", cookie)]).await.text().await.unwrap();

    let zh = page("/", &session).await;
    for expected in
        ["lang=\"zh-CN\"", "您好，head", "2025-11-30", "小银行", "余额表", "存款", "SUM(balance)", "grpc://127.0.0.1:"]
    {
        assert!(zh.contains(expected), "{expected} is not in {zh}");
    }
    assert!(!zh.contains("内部报表"), "not for this role");
    let response = site.get("/?lang=en", &[("cookie", &session)]).await;
    let remembered = set_cookie(&response, "countinghouse_lang").unwrap();
    assert_eq!(remembered, "countinghouse_lang=en");
    let en = response.text().await.unwrap();
    for expected in
        ["lang=\"en\"", "Hello, head", "Little bank", "Balances", "over all dimensions", "href=\"/?lang=zh-CN\""]
    {
        assert!(en.contains(expected), "{expected} is not in {en}");
    }
    assert!(page("/", &format!("{session}; {remembered}")).await.contains("Hello, head"));
    for text in [&zh, &en] {
        assert!(!text.contains(" style=") && !text.contains("<style"), "the policy allows no inline style");
        assert!(!text.contains("portal-"), "a word is missing: {text}");
        assert!(text.contains("class=\"skip\"") && text.contains("<main id=\"main\"") && text.contains("<h1>"));
    }
    let beijing = page("/?lang=en", &site.login("beijing").await).await;
    assert!(
        beijing.contains("Hello, beijing") && !beijing.contains("shanghai") && !beijing.contains("上海"),
        "{beijing}"
    );
    let reader = page("/?lang=en", &site.login("reader").await).await;
    assert!(reader.contains("Balances") && !reader.contains("SUM(balance)") && !reader.contains("grpc://"), "{reader}");

    let list = page("/reports?lang=en", &session).await;
    assert!(list.contains("href=\"/reports/balances\""));
    let bearer = site.token("head").await;
    let list: Value = site
        .get("/reports?format=json", &[("authorization", &bearer)])
        .await
        .bytes()
        .await
        .map(|bytes| serde_json::from_slice(&bytes).unwrap())
        .unwrap();
    assert_eq!(list["reports"].as_array().unwrap().len(), 1);
    assert_eq!(list["reports"][0]["parameters"][0]["name"], "as_of");
    // A bearer token beats the cookie.
    let beijing = site.token("beijing").await;
    let mixed = site.get("/?lang=en", &[("cookie", &session), ("authorization", &beijing)]).await.text().await.unwrap();
    assert!(mixed.contains("Hello, beijing"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_a_page_json_or_csv() {
    let site = Site::open(true).await;
    let bearer = site.token("head").await;
    let auth = ("authorization", bearer.as_str());
    let page = site.get("/reports/balances?lang=en", &[auth]).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(text(&page, "x-as-of"), "2025-11-30");
    assert_eq!(text(&page, "x-snapshot-id"), "1");
    assert_eq!(text(&page, "x-completeness"), "2/2");
    let page = page.text().await.unwrap();
    assert!(page.contains("<main class=\"report\"") && page.contains("北京分行"), "{page}");
    assert!(!page.contains(" style=") && page.contains("/assets/report.css?v="));

    let json: Value = site
        .get("/reports/balances?format=json", &[auth])
        .await
        .bytes()
        .await
        .map(|bytes| serde_json::from_slice(&bytes).unwrap())
        .unwrap();
    assert_eq!(json["datasets"]["branches"].as_array().unwrap().len(), 2);
    let csv = site.get("/reports/balances?format=csv&lang=en", &[auth]).await;
    assert_eq!(text(&csv, "content-disposition"), "attachment; filename=\"balances-2025-11-30.csv\"");
    assert!(csv.text().await.unwrap().contains("9007199254740993.25"));

    let beijing = site.token("beijing").await;
    let own = site.get("/reports/balances?format=csv", &[("authorization", &beijing)]).await.text().await.unwrap();
    assert!(own.contains("100.05") && !own.contains("上海"), "{own}");
    let others = site.get("/reports/balances?format=csv&scope=shanghai", &[("authorization", &beijing)]).await;
    assert_eq!(others.status(), StatusCode::NOT_FOUND);

    // Missing and forbidden look the same.
    let bodies = async |name: &str| {
        let response = site.get(&format!("/reports/{name}?lang=en"), &[auth]).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let correlation = text(&response, "x-correlation-id");
        response.text().await.unwrap().replace(&correlation, "")
    };
    assert_eq!(bodies("closed").await, bodies("nothing").await);
    let bad = site.get("/reports/balances?lang=en&colour=red", &[auth]).await;
    assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
    assert!(bad.text().await.unwrap().contains("colour"), "the parameter is named");
    assert_eq!(problem(site.get("/reports/balances?format=docx", &[auth]).await).await["code"], "BAD_REQUEST");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_gives_exact_rows_in_three_formats() {
    let site = Site::open(true).await;
    let bearer = site.token("head").await;
    let sql =
        "SELECT branch, SUM(balance) AS balance, SUM(rows_posted) AS n FROM deposits GROUP BY branch ORDER BY balance";
    let response = site.sql(&bearer, &json!({"sql": sql})).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(&response, "content-type"), "application/json");
    assert_eq!(text(&response, "x-snapshot-id"), "1");
    assert_eq!(text(&response, "x-rollup"), "none");
    assert_eq!(text(&response, "x-cache"), "none");
    assert_eq!(text(&response, "cache-control"), "no-store");
    let query = text(&response, "x-query-id");
    let rows: Value = response.bytes().await.map(|bytes| serde_json::from_slice(&bytes).unwrap()).unwrap();
    assert_eq!(rows["query_id"], query);
    assert_eq!(rows["provenance"]["as_of"], "2025-11-30");
    assert_eq!(rows["columns"][1], json!({"name": "balance", "type": "decimal"}));
    assert_eq!(
        rows["rows"],
        json!([
            {"branch": "北京分行", "balance": "100.05", "n": 2},
            {"branch": "上海分行", "balance": "9007199254740993.25", "n": 1},
        ])
    );
    assert_eq!(rows["row_count"], 2);

    for (body, cache) in [(json!({"sql": sql}), "result"), (json!({"sql": sql, "cache": "off"}), "plan")] {
        let response = site.sql(&bearer, &body).await;
        assert_eq!(text(&response, "x-cache"), cache);
        let again: Value = response.bytes().await.map(|bytes| serde_json::from_slice(&bytes).unwrap()).unwrap();
        assert_eq!((&again["rows"], &again["columns"]), (&rows["rows"], &rows["columns"]));
        assert_eq!(again["provenance"]["cache"], cache);
    }

    let notes = "SELECT note, SUM(balance) AS balance FROM deposits GROUP BY note ORDER BY note";
    let csv = site.sql(&bearer, &json!({"sql": notes, "format": "csv"})).await;
    assert_eq!(text(&csv, "content-disposition"), "attachment; filename=\"rows.csv\"");
    assert_eq!(
        csv.text().await.unwrap(),
        "note,balance\r\n<script>,9007199254740993.25\r\n'=1+1,100.10\r\n\"a, \"\"b\"\"\",-0.05\r\n"
    );

    let arrow = site.sql(&bearer, &json!({"sql": sql, "format": "arrow"})).await.bytes().await.unwrap();
    let reader = arrow::ipc::reader::StreamReader::try_new(&arrow[..], None).unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2);

    let one = json!({"sql": "SELECT SUM(balance) AS b FROM deposits WHERE branch = $1", "parameters": ["北京分行"]});
    let rows: Value =
        site.sql(&bearer, &one).await.bytes().await.map(|bytes| serde_json::from_slice(&bytes).unwrap()).unwrap();
    assert_eq!(rows["rows"], json!([{"b": "100.05"}]));
    let empty = json!({"sql": "SELECT branch, SUM(balance) AS b FROM deposits WHERE branch = 'x' GROUP BY branch"});
    let rows: Value =
        site.sql(&bearer, &empty).await.bytes().await.map(|bytes| serde_json::from_slice(&bytes).unwrap()).unwrap();
    assert_eq!((&rows["rows"], &rows["row_count"]), (&json!([]), &json!(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_that_are_refused_say_why_and_no_more() {
    let site = Site::open(true).await;
    let head = site.token("head").await;
    let beijing = site.token("beijing").await;
    let code = async |bearer: &str, body: Value| {
        let response = site.sql(bearer, &body).await;
        let status = response.status().as_u16();
        let problem = problem(response).await;
        (status, problem["code"].as_str().unwrap().to_owned(), problem["detail"].as_str().unwrap().to_owned())
    };
    let (status, name, _) = code(&head, json!({"sql": "DROP TABLE deposits"})).await;
    assert_eq!((status, name.as_str()), (400, "READ_ONLY"));
    let (status, name, _) = code(&head, json!({"sql": "SELEC 1"})).await;
    assert_eq!((status, name.as_str()), (400, "SQL_SYNTAX"));
    let (status, name, detail) = code(&head, json!({"sql": "SELECT 1", "colour": "red"})).await;
    assert_eq!((status, name.as_str()), (400, "BAD_REQUEST"));
    assert!(detail.contains("colour"));
    assert_eq!(code(&head, json!({"sql": "SELECT 1", "parameters": [1]})).await.0, 400);
    assert_eq!(code(&head, json!({"sql": "SELECT 1", "format": "xml"})).await.0, 400);
    assert_eq!(code(&head, json!({"sql": "x".repeat(1 << 20)})).await.0, 413);
    assert_eq!(code(&site.token("reader").await, json!({"sql": "SELECT 1"})).await.0, 403);

    let of = async |schema: &str| {
        let (status, name, detail) =
            code(&beijing, json!({"sql": format!("SELECT SUM(balance) FROM {schema}.deposits")})).await;
        (status, name, detail.replace(schema, "?"))
    };
    assert_eq!(of("shanghai").await, of("nowhere").await);
    assert_eq!(of("shanghai").await.0, 404);

    let plain = site.send(Method::POST, "/api/sql", &[("authorization", &head)], "{\"sql\": \"SELECT 1\"}").await;
    assert_eq!(plain.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "what a form of another site could send");
    let session = site.login("head").await;
    let json = ("content-type", "application/json");
    let foreign = [("cookie", session.as_str()), json, ("origin", "https://evil.example")];
    let response = site.send(Method::POST, "/api/sql", &foreign, "{\"sql\": \"SELECT 1\"}").await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let own = [("cookie", session.as_str()), json, ("origin", site.base.as_str())];
    let response = site.send(Method::POST, "/api/sql", &own, "{\"sql\": \"SELECT 1\"}").await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cubes_are_described_as_far_as_one_may_see() {
    let site = Site::open(true).await;
    let bearer = site.token("beijing").await;
    let auth = ("authorization", bearer.as_str());
    let list: Value = site
        .get("/api/cubes", &[auth])
        .await
        .bytes()
        .await
        .map(|bytes| serde_json::from_slice(&bytes).unwrap())
        .unwrap();
    assert_eq!(list["default_schema"], "beijing");
    assert_eq!(list["cubes"][0]["name"], "deposits");
    assert_eq!(list["cubes"][0]["schemas"], json!(["beijing"]));
    let cube: Value = site
        .get("/api/cubes/deposits", &[auth])
        .await
        .bytes()
        .await
        .map(|bytes| serde_json::from_slice(&bytes).unwrap())
        .unwrap();
    assert_eq!(cube["dimensions"][0]["hierarchies"][0]["levels"][1]["column"], "branch");
    assert_eq!(cube["attributes"][0]["column"], "note");
    let balance = &cube["measures"][0];
    assert_eq!(balance["additivity"], "additive");
    assert_eq!(balance["type"], "decimal(18,2)");
    assert_eq!(balance["call"], json!(["SUM(balance)", "MEASURE(balance)", "AGG(balance)"]));
    assert_eq!(problem(site.get("/api/cubes/nothing", &[auth]).await).await["code"], "NO_SUCH_OBJECT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_tells_state_and_no_data_and_a_stop_drains() {
    let mut site = Site::open(true).await;
    let ready: Value =
        site.get("/readyz", &[]).await.bytes().await.map(|bytes| serde_json::from_slice(&bytes).unwrap()).unwrap();
    assert_eq!(ready["ready"], true);
    assert_eq!(site.get("/healthz", &[]).await.text().await.unwrap(), "ok\n");
    let bearer = site.token("head").await;
    site.sql(&bearer, &json!({"sql": "SELECT 1"})).await.text().await.unwrap();
    site.send(Method::from_bytes(b"PURGE").unwrap(), "/", &[], "").await;
    let metrics = site.get("/metrics", &[]).await.text().await.unwrap();
    for expected in [
        "countinghouse_snapshot 1",
        "countinghouse_http_requests_total{method=\"GET\",status=\"200\"}",
        "countinghouse_http_requests_total{method=\"other\"",
        "countinghouse_statements_begun_total 1",
        "# TYPE countinghouse_uptime_seconds gauge",
    ] {
        assert!(metrics.contains(expected), "{expected} is not in {metrics}");
    }
    for hidden in ["beijing", "deposits", "balances"] {
        assert!(!metrics.contains(hidden), "{hidden}");
    }
    site.stop.take().unwrap().send(()).unwrap();
    site.server.join_next().await.unwrap().unwrap().unwrap();
    assert!(site.client.get(format!("{}/healthz", site.base)).send().await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_data_says_so() {
    let site = Site::open(false).await;
    let session = site.login("head").await;
    let home = site.get("/?lang=en", &[("cookie", &session)]).await;
    assert_eq!(home.status(), StatusCode::OK);
    assert!(home.text().await.unwrap().contains("No data have been loaded yet"));
    let report = site.get("/reports/balances?lang=en", &[("cookie", &session)]).await;
    assert_eq!(report.status(), StatusCode::CONFLICT);
    assert_eq!(site.get("/readyz", &[]).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_kept_by_their_hash() {
    let site = Site::open(false).await;
    let page = site.get("/login", &[]).await.text().await.unwrap();
    for name in ["countinghouse.css", "countinghouse.js", "icon.svg"] {
        let href = page.split('"').find(|part| part.starts_with(&format!("/assets/{name}?v="))).unwrap();
        let file = site.get(href, &[]).await;
        assert_eq!(text(&file, "cache-control"), "public, max-age=31536000, immutable");
        let etag = text(&file, "etag");
        assert!(!file.text().await.unwrap().is_empty());
        assert_eq!(site.get(href, &[("if-none-match", &etag)]).await.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(text(&site.get(&format!("/assets/{name}"), &[]).await, "cache-control"), "no-cache");
    }
    assert_eq!(site.get("/assets/..%2Fsecret.key", &[]).await.status(), StatusCode::NOT_FOUND);
}

#[test]
fn only_local_paths_are_gone_to() {
    for (next, expected) in [
        (None, "/"),
        (Some("/reports/x?lang=en"), "/reports/x?lang=en"),
        (Some("/a/../b"), "/b"),
        (Some(""), "/"),
        (Some("reports"), "/"),
        (Some("//evil.example"), "/"),
        (Some("/\\evil.example"), "/"),
        (Some("/\t/evil.example"), "/"),
        (Some("https://evil.example/"), "/"),
        (Some("javascript:alert(1)"), "/"),
    ] {
        assert_eq!(local_path(next), expected, "{next:?}");
    }
}

#[test]
fn another_sites_requests_are_told_apart() {
    let check = |pairs: &[(&'static str, &'static str)]| {
        let headers: HeaderMap = pairs.iter().map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_static(v))).collect();
        is_same_origin(&headers)
    };
    assert!(check(&[("host", "bank:80")]));
    assert!(check(&[("host", "bank:80"), ("origin", "http://bank:80"), ("sec-fetch-site", "same-origin")]));
    assert!(!check(&[("host", "bank:80"), ("origin", "http://bank:81")]));
    assert!(!check(&[("host", "bank:80"), ("origin", "null")]));
    assert!(!check(&[("host", "bank:80"), ("sec-fetch-site", "same-site")]));
}

#[test]
fn the_language_is_asked_for_remembered_accepted_or_the_projects() {
    let check = |uri: &'static str, pairs: &[(&'static str, &'static str)]| {
        let headers: HeaderMap = pairs.iter().map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_static(v))).collect();
        let choice = language::choose(&axum::http::Uri::from_static(uri), &headers, &Lang::ALL);
        (choice.lang, choice.remember)
    };
    let (kept, accepts) = (("cookie", "a=b; countinghouse_lang=en"), ("accept-language", "en-GB,zh;q=0.5"));
    assert_eq!(check("/", &[]), (Lang::Zh, false));
    assert_eq!(check("/", &[accepts]), (Lang::En, false));
    assert_eq!(check("/", &[kept, ("accept-language", "zh")]), (Lang::En, false));
    assert_eq!(check("/?lang=zh-CN", &[kept, accepts]), (Lang::Zh, true));
    assert_eq!(check("/?lang=en", &[kept]), (Lang::En, false));
    assert_eq!(check("/?lang=xx", &[]), (Lang::Zh, false));
}

/// Every word that a page asks for exists in both languages.
#[test]
fn no_word_is_missing() {
    let mut files = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/http")];
    let mut keys = BTreeSet::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if !path.ends_with("tests.rs") {
            let text = std::fs::read_to_string(path).unwrap();
            let quoted = text.split('"').filter(|part| part.starts_with("portal-") && !part.ends_with('-'));
            keys.extend(quoted.filter(|part| !part.contains('{')).map(str::to_owned));
        }
    }
    for case in ["request", "denied", "missing", "data", "limit", "busy", "slow", "internal"] {
        keys.extend([format!("portal-error-{case}"), format!("portal-error-{case}-then")]);
    }
    for word in
        ["additive", "semi-additive", "non-additive", "time-all", "time-close", "time-average-daily", "time-last-seen"]
    {
        keys.insert(format!("portal-{word}"));
    }
    assert!(keys.len() > 50, "{keys:?}");
    for lang in Lang::ALL {
        for key in &keys {
            assert_ne!(crate::locale::message(lang, key, &[]), *key, "{lang}");
        }
    }
}

/// WCAG AA: text 4.5:1, borders and focus 3:1, in both schemes.
#[test]
fn the_portals_colours_can_be_read() {
    let css = include_str!("../../assets/web/countinghouse.css");
    let (light, rest) = css.split_once("@media screen").unwrap();
    let luminance = |scheme: &str, token: &str| {
        let hex = scheme.split(&format!("--{token}: #")).nth(1).unwrap().get(..6).unwrap().to_owned();
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
    };
    for scheme in [light, rest] {
        for (front, back, least) in [
            ("ink", "background", 4.5),
            ("ink", "surface", 4.5),
            ("muted", "background", 4.5),
            ("muted", "surface", 4.5),
            ("focus", "background", 3.0),
            ("prior", "background", 3.0),
            ("bad", "surface", 3.0),
        ] {
            let (a, b) = (luminance(scheme, front), luminance(scheme, back));
            let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(contrast >= least, "{front} on {back}: {contrast:.2}");
        }
    }
}
