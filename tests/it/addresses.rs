//! Addresses of reports and their parts over the sample bank: every way on from a chart or a table leads to a page that stands,
//! over the snapshot of the page that it was on.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::bank::{copy_of_state, project};
use super::server::TestServer;

/// A server of the sample bank, and what it answers to logins of the demo.
struct Portal {
    server: TestServer,
    _state: tempfile::TempDir,
    logins: Value,
    client: reqwest::Client,
}

impl Portal {
    fn open() -> Self {
        let state = copy_of_state();
        let server = TestServer::with_faults(state.path(), "demo", "");
        let logins = std::fs::read(state.path().join("logins.json")).unwrap();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { server, _state: state, logins: serde_json::from_slice(&logins).unwrap(), client }
    }

    async fn get(&self, login: &str, path: &str) -> (u16, HeaderMap, String) {
        let logins = self.logins.as_array().unwrap();
        let token = logins.iter().find(|row| row["name"] == login).unwrap()["token"].as_str().unwrap();
        let request = self.client.get(format!("{}{path}", self.server.http)).bearer_auth(token);
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        (status, headers, String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned())
    }

    async fn json(&self, login: &str, path: &str) -> Value {
        let (status, _, body) = self.get(login, path).await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }
}

fn reports() -> Vec<String> {
    let folders = std::fs::read_dir(project().join("reports")).unwrap().map(|entry| entry.unwrap().path());
    let reports = folders.filter(|folder| folder.join("report.yaml").is_file());
    let mut names: Vec<String> =
        reports.map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// The ways on of each chart and table of a page: block, and addresses in order.
fn ways(page: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for card in page.split("class=\"card ").skip(1) {
        let id = card.split("id=\"").nth(1).unwrap().split('"').next().unwrap();
        // A chart is drawn twice, for wide and narrow screens.
        let card = card.split("<div class=\"compact\">").next().unwrap();
        for link in card.split("<a href=\"").skip(1) {
            let link = link.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
            let is_part = ["/blocks/", "/data/", "/evidence"].iter().any(|part| link.contains(part));
            if !is_part {
                found.entry(id.to_owned()).or_default().push(link);
            }
        }
    }
    found
}

fn parameter(link: &str, name: &str) -> Option<String> {
    let (_, query) = link.split_once('?')?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn every_way_on_leads_to_a_page_over_the_same_snapshot() {
    let portal = Portal::open();
    let mut followed = BTreeSet::new();
    let mut leading = Vec::new();
    for report in reports() {
        let (status, headers, page) = portal.get("executive", &format!("/reports/{report}?lang=en")).await;
        assert_eq!(status, 200, "{report}");
        let snapshot = headers["x-snapshot-id"].to_str().unwrap().to_owned();
        for (block, links) in ways(&page) {
            leading.push(format!("{report}/{block}"));
            // The last of each block, the newest month or the last branch: the others differ from it by that alone. Each report is
            // opened once.
            if let Some(link) = links.last() {
                assert_eq!(parameter(link, "snapshot"), Some(snapshot.clone()), "{report}/{block}: {link}");
                assert!(parameter(link, "as_of").is_some() && parameter(link, "scope").is_some(), "{link}");
                if !followed.insert(link.split('?').next().map(str::to_owned)) {
                    continue;
                }
                let (status, headers, body) = portal.get("executive", &format!("{link}&lang=en")).await;
                assert_eq!(status, 200, "{report}/{block} leads to {link}: {body}");
                assert_eq!(headers["x-snapshot-id"].to_str().unwrap(), snapshot, "{link}");
                assert_eq!(headers["x-as-of"].to_str().unwrap(), parameter(link, "as_of").unwrap(), "{link}");
                // Of records the page says that no snapshot holds them.
                let said = ["fixed at snapshot", "Records are of this moment"].map(|words| body.contains(words));
                assert!(said[0] != said[1], "{link}");
            }
        }
    }
    for expected in [
        "executive_overview/branches",
        "executive_overview/risk",
        "executive_overview/trend",
        "branch_performance/by_branch",
        "branch_performance/movers",
        "credit_quality/branch_months",
        "deposits/over_average",
        "deposits/years",
        "service_quality/closing",
        "service_quality/waits",
    ] {
        assert!(leading.iter().any(|block| block == expected), "{expected} leads nowhere: {leading:?}");
    }
}

#[tokio::test]
async fn the_figure_that_was_followed_is_the_figure_that_is_found() {
    let portal = Portal::open();
    let overview = portal.json("executive", "/reports/executive_overview?format=json&lang=en").await;
    let page = portal.get("executive", "/reports/executive_overview?lang=en").await.2;
    let ways = ways(&page);
    // A row of the table of branches: its deposits are those of the same report in that branch.
    let rows = overview["datasets"]["branches"].as_array().unwrap();
    for link in [&ways["branches"][0], &ways["branches"][27]] {
        let branch = parameter(link, "scope").unwrap();
        let row = rows.iter().find(|row| row["branch_code"] == branch.as_str()).unwrap();
        let there = portal.json("executive", &format!("{link}&format=json")).await;
        assert_eq!(there["datasets"]["deposits"][0]["balance"], row["balance"], "{link}");
    }
    // A bar of the branches with most that is overdue: the ratio of the branch's own loans.
    let rows = overview["datasets"]["risk"].as_array().unwrap();
    assert_eq!(ways["risk"].len(), rows.len());
    for (link, row) in ways["risk"].iter().zip(rows).take(2) {
        assert_eq!(parameter(link, "scope").as_deref(), row["branch_code"].as_str(), "{link}");
        assert!(link.starts_with("/reports/credit_quality?"), "{link}");
        let there = portal.json("executive", &format!("{link}&format=json")).await;
        let trend = there["datasets"]["trend"].as_array().unwrap();
        assert_eq!(trend.last().unwrap()["overdue_ratio"], row["overdue_ratio"], "{link}");
    }
    // A column of the trend: the deposits of the whole bank as of that month.
    let months = overview["datasets"]["deposits_trend"].as_array().unwrap();
    let link = ways["trend"].iter().rev().nth(1).unwrap();
    let month = parameter(link, "as_of").unwrap();
    let row = months.iter().find(|row| month.starts_with(&row["month"].as_str().unwrap()[..7])).unwrap();
    let there = portal.json("executive", &format!("{link}&format=json")).await;
    assert_eq!(there["datasets"]["summary"][0]["balance"], row["balance"], "{link}");
}

#[tokio::test]
async fn a_branch_has_no_way_out_of_itself() {
    let portal = Portal::open();
    let mut leading = BTreeSet::new();
    for report in ["branch_performance", "crm_outcome", "deposits", "executive_overview"] {
        let (status, _, page) = portal.get("beijing", &format!("/reports/{report}?lang=en")).await;
        assert_eq!(status, 200, "{report}");
        for link in ways(&page).into_values().flatten() {
            assert_eq!(parameter(&link, "scope").as_deref(), Some("beijing"), "{report}: {link}");
            leading.insert(report);
        }
    }
    // Ways of months, and to other reports, stay inside of it.
    assert!(leading.contains("executive_overview") && leading.contains("deposits"), "{leading:?}");
    // A link of somebody else's page is judged by the rights of whoever follows it.
    let page = portal.get("executive", "/reports/executive_overview").await.2;
    let link = ways(&page)["branches"].iter().find(|link| !link.contains("beijing")).unwrap().clone();
    assert_eq!(portal.get("beijing", &link).await.0, 404);
}

#[tokio::test]
async fn a_chart_has_an_address_in_every_form_of_it() {
    let portal = Portal::open();
    let base = "/reports/executive_overview";
    let chart = format!("{base}/blocks/risk");
    let (status, headers, svg) = portal.get("executive", &format!("{chart}?format=svg&lang=en")).await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "image/svg+xml"));
    assert!(svg.starts_with("<svg") && svg.contains("<a href=\"/reports/credit_quality?"), "{svg}");
    let (status, headers, png) = portal.get("executive", &format!("{chart}?format=png&lang=en")).await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "image/png"));
    assert!(png.len() > 5_000 && png.contains("PNG\r\n"), "{} bytes", png.len());
    let (_, headers, csv) = portal.get("executive", &format!("{chart}?format=csv&lang=en")).await;
    assert!(headers["content-disposition"].to_str().unwrap().contains("executive_overview-risk-2025-1"));
    let rows = portal.get("executive", &format!("{base}/data/risk?format=csv&lang=en")).await.2;
    assert_eq!(csv, rows);
    let page = portal.get("executive", &format!("{chart}?lang=en")).await.2;
    assert_eq!(page.matches("class=\"card chart\"").count(), 1);
    assert!(page.contains("role=\"group\"") && page.contains("<a href=\"/reports/credit_quality?"), "{page}");
    // The page says where its blocks, datasets and its evidence are; all of them are tried over a small bank (`http::tests`).
    let page = portal.get("executive", "/reports/channels?lang=en").await.2;
    let links = page.split("href=\"").skip(1).map(|link| link.split('"').next().unwrap().replace("&#38;", "&"));
    let links: BTreeSet<String> = links.collect();
    for part in ["/blocks/", "/data/", "/evidence"] {
        let link = links.iter().find(|link| link.contains(part)).unwrap_or_else(|| panic!("no link to {part}"));
        let (status, headers, body) = portal.get("executive", link).await;
        assert_eq!(status, 200, "{link}: {body}");
        assert_eq!(Some(headers["x-snapshot-id"].to_str().unwrap().to_owned()), parameter(link, "snapshot"), "{link}");
    }
    // How a report is made is for who writes SQL.
    assert_eq!(portal.get("executive", &format!("{base}/definition")).await.0, 404);
    assert_eq!(portal.get("head_office", &format!("{base}/definition?format=yaml")).await.0, 200);
}

#[tokio::test]
async fn records_are_of_no_snapshot_and_every_page_of_them_says_so() {
    let portal = Portal::open();
    for (report, holds_records) in [("crm_project", true), ("crm_maturity", true), ("deposits", false)] {
        let (_, headers, page) = portal.get("executive", &format!("/reports/{report}?lang=en")).await;
        assert_eq!(page.contains("<li>records as of the run</li>"), holds_records, "{report}");
        let snapshot = headers["x-snapshot-id"].to_str().unwrap();
        let pinned = format!("/reports/{report}?snapshot={snapshot}");
        for (lang, records, fixed) in
            [("en", "Records are of this moment", "fixed at snapshot"), ("zh-CN", "登记内容为当前状态", "固定为快照")]
        {
            let page = portal.get("executive", &format!("{pinned}&lang={lang}")).await.2;
            assert_eq!((page.contains(records), page.contains(fixed)), (holds_records, !holds_records), "{report}");
        }
        let evidence = portal.json("executive", &format!("/reports/{report}/evidence?format=json")).await;
        let datasets = evidence["datasets"].as_array().unwrap();
        assert!(datasets.iter().any(|dataset| dataset["records"] == holds_records), "{report}: {datasets:?}");
    }
}
