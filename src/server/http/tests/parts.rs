//! Parts of a report by addresses of their own, pinned snapshots, and what finds a report on the portal.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{FORM, PASSWORD, Site, form, hidden, problem, text};
use crate::catalog::AuditFilter;

impl Site {
    async fn body(&self, path: &str, bearer: &str) -> (StatusCode, String, String) {
        let response = self.get(path, &[("authorization", bearer)]).await;
        let (status, kind) = (response.status(), text(&response, "content-type"));
        (status, kind, response.text().await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_of_a_report_have_addresses_with_its_rights() {
    let site = Site::open(true).await;
    let (head, beijing, reader) = (site.token("head").await, site.token("beijing").await, site.token("reader").await);
    let part = "/reports/balances";

    let (status, kind, whole) = site.body(&format!("{part}?format=csv"), &head).await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, "text/csv; charset=utf-8"));
    for path in ["blocks/branches", "data/branches"] {
        let (status, kind, found) = site.body(&format!("{part}/{path}?format=csv"), &head).await;
        assert_eq!(
            (status, kind.as_str(), found.as_str()),
            (StatusCode::OK, "text/csv; charset=utf-8", whole.as_str())
        );
        let (status, kind, page) = site.body(&format!("{part}/{path}?lang=en"), &head).await;
        assert_eq!((status, kind.as_str()), (StatusCode::OK, "text/html; charset=utf-8"), "{page}");
        assert!(page.contains("上海分行") && page.contains("<main") && page.contains("format=csv"), "{page}");
        // The way back to the whole, as it was asked for.
        assert!(
            page.contains("href=\"/reports/balances?as_of=2025-11-30&#38;scope=head_office")
                || page.contains("href=\"/reports/balances?as_of=2025-11-30&amp;scope=head_office"),
            "{page}"
        );
        // A branch sees itself, and is not told that there is more.
        let (status, _, found) = site.body(&format!("{part}/{path}?format=csv"), &beijing).await;
        assert!(status == StatusCode::OK && found.contains("北京") && !found.contains("上海"), "{found}");
        assert_eq!(site.body(&format!("{part}/{path}?scope=shanghai"), &beijing).await.0, StatusCode::NOT_FOUND);
        assert_eq!(site.body(&format!("{part}/{path}?nothing=1"), &head).await.0, StatusCode::BAD_REQUEST);
    }
    // Every digit, in a page for people too.
    assert!(site.body(&format!("{part}/data/branches"), &head).await.2.contains("9007199254740993.25"));
    let rows: Value =
        serde_json::from_str(&site.body(&format!("{part}/data/branches?format=json"), &head).await.2).unwrap();
    let rows = rows["datasets"]["branches"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["balance"] == "9007199254740993.25"), "{rows:?}");
    for (path, status) in [
        ("blocks/nothing", StatusCode::NOT_FOUND),
        ("data/nothing", StatusCode::NOT_FOUND),
        ("blocks/branches?format=svg", StatusCode::BAD_REQUEST),
        ("blocks/branches?format=png", StatusCode::BAD_REQUEST),
        ("data/branches?format=pdf", StatusCode::BAD_REQUEST),
        ("data/branches?page=2", StatusCode::BAD_REQUEST),
        ("evidence?format=csv", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(site.body(&format!("{part}/{path}"), &head).await.0, status, "{path}");
    }
    // What may not be opened as a whole may not be opened in parts.
    for path in ["blocks/branches", "data/branches", "evidence", "definition"] {
        let closed = site.body(&format!("/reports/closed/{path}"), &head).await.0;
        assert_eq!(closed, StatusCode::NOT_FOUND, "{path}");
    }

    let (status, kind, evidence) = site.body(&format!("{part}/evidence?format=json"), &reader).await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/json"));
    let evidence: Value = serde_json::from_str(&evidence).unwrap();
    assert_eq!(evidence["datasets"][0]["name"], "branches");
    let page = site.body(&format!("{part}/evidence"), &reader).await.2;
    assert!(page.contains(evidence["datasets"][0]["rows_sha256"].as_str().unwrap()), "{page}");
    // Of a statement whoever writes none is shown the hash, wherever evidence stands.
    for path in ["/evidence?format=json", "/evidence", "?format=json"] {
        let path = format!("{part}{path}");
        let (as_reader, as_head) = (site.body(&path, &reader).await.2, site.body(&path, &head).await.2);
        assert!(!as_reader.contains("SUM(balance)") && as_head.contains("SUM(balance)"), "{path}: {as_reader}");
        let hash = evidence["datasets"][0]["sql_sha256"].as_str().unwrap();
        assert!(as_reader.contains(hash) && as_head.contains(hash), "{path}");
    }

    // How it is made is for who writes SQL.
    let (status, kind, yaml) = site.body(&format!("{part}/definition?format=yaml"), &head).await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/yaml"));
    assert!(yaml.starts_with("report: balances\n"), "{yaml}");
    let page = site.body(&format!("{part}/definition"), &head).await.2;
    assert!(page.contains("reports/balances/branches.sql") && page.contains("SUM(balance)"), "{page}");
    assert_eq!(site.body(&format!("{part}/definition"), &reader).await.0, StatusCode::NOT_FOUND);
    assert!(site.body(part, &head).await.2.contains("/reports/balances/definition"));
    assert!(!site.body(part, &reader).await.2.contains("/reports/balances/definition"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_part_leaves_in_a_form_that_a_role_may_not_take_out() {
    let site = Site::open(true).await;
    let parts: [(&str, &[&str]); 4] = [
        ("", &["pdf", "xlsx", "csv", "json", "parquet", "arrow", "png"]),
        ("/blocks/branches", &["csv"]),
        ("/blocks/shares", &["svg", "png", "csv"]),
        ("/data/branches", &["csv", "xlsx", "parquet", "arrow", "json"]),
    ];
    for (role, may) in [("clerk", vec!["csv"]), ("window", Vec::new())] {
        let roles = BTreeSet::from([role.to_owned()]);
        let scope = "head_office".parse().unwrap();
        site.auth.create_user(role, Some(PASSWORD.to_owned()), roles, scope).await.unwrap();
        let bearer = site.token(role).await;
        let mut left = Vec::new();
        for (part, formats) in parts {
            let path = format!("/reports/balances{part}");
            let page = site.get(&path, &[("authorization", &bearer)]).await;
            assert_eq!(page.status(), StatusCode::OK, "{path} for {role}");
            let snapshot = text(&page, "x-snapshot-id");
            for format in formats {
                let response = site.get(&format!("{path}?format={format}"), &[("authorization", &bearer)]).await;
                if may.contains(format) {
                    assert_eq!(response.status(), StatusCode::OK, "{path} as {format} for {role}");
                    let name = part.rsplit('/').next().unwrap_or_default();
                    left.push((
                        format!("{path} {format}"),
                        name.to_owned(),
                        response.content_length(),
                        snapshot.clone(),
                    ));
                } else {
                    assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path} as {format} for {role}");
                    assert_eq!(problem(response).await["code"], "DENIED");
                }
            }
        }
        // One record for each file, newest first, with all that was asked for.
        let filter = AuditFilter {
            principal: Some(role.to_owned()),
            action: Some("export".to_owned()),
            ..AuditFilter::default()
        };
        let mut records = site.catalog.audit_rows(&filter).await.unwrap();
        records.reverse();
        assert_eq!(records.len(), left.len(), "{role}: {records:?}");
        for (record, (path, name, bytes, snapshot)) in records.iter().zip(left) {
            let detail = &record.event.detail;
            let part = ["block", "dataset"].iter().find_map(|key| detail[*key].as_str()).unwrap_or_default();
            assert_eq!((part, detail["bytes"].as_u64()), (name.as_str(), bytes), "{path}");
            assert_eq!(detail["snapshot"].to_string(), snapshot, "{path}");
            for (key, value) in [
                ("report", json!("balances")),
                ("scope", json!("head_office")),
                ("as_of", json!("2025-11-30")),
                ("parameters", json!({"as_of": "2025-11-30"})),
                ("rows", json!(2)),
                ("format", json!("csv")),
            ] {
                assert_eq!(detail[key], value, "{path}: {detail}");
            }
        }
    }
    // A drawing is a file with a name like every other one.
    let head = site.token("head").await;
    let svg = site.get("/reports/balances/blocks/shares?format=svg&lang=en", &[("authorization", &head)]).await;
    assert_eq!(text(&svg, "content-disposition"), "attachment; filename=\"balances-shares-2025-11-30.svg\"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_may_say_which_snapshot() {
    let site = Site::open(true).await;
    let head = site.token("head").await;
    let newest = site.get("/reports/balances?lang=en", &[("authorization", &head)]).await;
    let snapshot = text(&newest, "x-snapshot-id");
    let newest = newest.text().await.unwrap();
    assert!(!newest.contains("fixed at snapshot"));
    // What the page leads to shows the figures of the page.
    for part in ["/blocks/branches", "/blocks/shares", "/data/branches", "/evidence"] {
        let link = format!("href=\"/reports/balances{part}?");
        let links: Vec<&str> = newest.split(&link).skip(1).map(|link| link.split('"').next().unwrap()).collect();
        assert!(
            !links.is_empty() && links.iter().all(|link| link.contains(&format!("snapshot={snapshot}"))),
            "{links:?}"
        );
    }
    let pinned = site.body(&format!("/reports/balances?lang=en&snapshot={snapshot}"), &head).await.2;
    assert!(pinned.contains(&format!("fixed at snapshot {snapshot} of")), "{pinned}");
    // Its form, its formats and its parts stay with it; one link leads back to the newest.
    assert!(pinned.contains(&format!("type=\"hidden\" name=\"snapshot\" value=\"{snapshot}\"")));
    let kept = format!("snapshot={snapshot}");
    let links: Vec<&str> = pinned.split("href=\"/reports/balances").skip(1).collect();
    let left = links.iter().filter(|link| !link.split('"').next().unwrap().contains(&kept));
    let left: Vec<&&str> = left.filter(|link| link.starts_with('?')).collect();
    // The other one is the link of the frame to the same page in the other language, which keeps it too.
    assert_eq!(left.len(), 1, "{left:?}");
    for (wrong, status) in [("999", StatusCode::GONE), ("x", StatusCode::BAD_REQUEST), ("-1", StatusCode::BAD_REQUEST)]
    {
        let path = format!("/reports/balances?format=json&snapshot={wrong}");
        let response = site.get(&path, &[("authorization", &head)]).await;
        assert_eq!(response.status(), status, "{wrong}");
        problem(response).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_finds_a_report_and_marks_it() {
    let site = Site::open(true).await;
    let session = site.login("reader").await;
    let cookie = [("cookie", session.as_str())];
    let page = async |path: &str| site.get(path, &cookie).await.text().await.unwrap();
    let card = "<a href=\"/reports/balances\">";
    // By name, title or description, in whichever language the page is.
    for asked in ["", "balan", "BALANCES", "余额", "branch balances", "分行"] {
        for path in ["/", "/reports"] {
            let query = form(&[("lang", "en"), ("q", asked)]);
            assert!(page(&format!("{path}?{query}")).await.contains(card), "{path} {asked}");
        }
    }
    let none = page("/reports?lang=en&q=balances+elsewhere").await;
    assert!(!none.contains(card) && none.contains("No report found"), "{none}");
    assert!(!page("/?lang=en&q=internal").await.contains("/reports/closed"));
    let hostile = page("/?q=%22%3E%3Cscript%3E").await;
    assert!(!hostile.contains("\"><script>"), "{hostile}");

    let portal = page("/reports?lang=en").await;
    let (token, next) = (hidden(&portal, "token"), hidden(&portal, "next"));
    assert!(portal.contains("Add Balances to favourites"), "{portal}");
    assert_eq!(next, "/reports?lang=en");
    let send = async |path: &str, token: &str, on: &str| {
        let body = form(&[("token", token), ("on", on), ("next", &next)]);
        site.send(Method::POST, path, &[("cookie", session.as_str()), FORM], &body).await
    };
    let mark = "/reports/balances/favourite";
    assert_eq!(send(mark, "wrong", "true").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(send(mark, &token, "perhaps").await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(send("/reports/closed/favourite", &token, "true").await.status(), StatusCode::NOT_FOUND);
    for (on, words) in [("true", "Remove Balances from favourites"), ("false", "Add Balances to favourites")] {
        for _ in 0..2 {
            let done = send(mark, &token, on).await;
            assert_eq!((done.status(), text(&done, "location").as_str()), (StatusCode::SEE_OTHER, "/reports?lang=en"));
        }
        assert!(page("/?lang=en").await.contains(words), "{on}");
    }
    // Nobody else's portal changed, and a program marks nothing.
    send(mark, &token, "true").await;
    let other = site.login("head").await;
    let other = site.get("/?lang=en", &[("cookie", &other)]).await.text().await.unwrap();
    assert!(other.contains("Add Balances to favourites"), "{other}");
    let bearer = site.token("reader").await;
    let sent = site.send(Method::POST, mark, &[("authorization", &bearer), FORM], &form(&[("on", "true")])).await;
    assert_eq!(sent.status(), StatusCode::FORBIDDEN);
}
