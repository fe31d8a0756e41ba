//! The administration, from the outside.

use std::collections::BTreeSet;

use reqwest::{Method, Response, StatusCode};
use serde_json::json;

use super::{FORM, PASSWORD, Site, form, hidden, text};
use crate::server::http::{Access, ROUTES};

const CHIEF: &str = "chief";

/// A bank with an administrator, an auditor, and their sessions.
struct Office {
    site: Site,
    chief: String,
    auditor: String,
}

impl Office {
    async fn open() -> Self {
        let site = Site::open(true).await;
        for (name, role) in [(CHIEF, "administrator"), ("auditor", "auditor")] {
            let roles = BTreeSet::from([role.to_owned()]);
            let scope = "head_office".parse().unwrap();
            site.auth.create_user(name, Some(PASSWORD.to_owned()), roles, scope).await.unwrap();
        }
        let (chief, auditor) = (site.login(CHIEF).await, site.login("auditor").await);
        Self { site, chief, auditor }
    }

    async fn page(&self, session: &str, path: &str) -> (StatusCode, String) {
        let response = self.site.get(path, &[("cookie", session), ("accept-language", "en")]).await;
        (response.status(), response.text().await.unwrap())
    }

    /// A form of the administrator, with the token that its page holds.
    async fn send(&self, path: &str, pairs: &[(&str, &str)]) -> Response {
        let token = hidden(&self.page(&self.chief, "/admin/users").await.1, "token");
        let pairs: Vec<_> = pairs.iter().copied().chain([("token", token.as_str())]).collect();
        self.post(path, &pairs).await
    }

    async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Response {
        let headers = [("cookie", self.chief.as_str()), ("accept-language", "en"), FORM];
        self.site.send(Method::POST, path, &headers, &form(pairs)).await
    }

    async fn records(&self, query: &str) -> String {
        let (status, page) = self.page(&self.auditor, &format!("/admin/audit?{query}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        page.split("<tbody>").nth(1).unwrap_or_default().to_owned()
    }
}

fn roles_routes() -> impl Iterator<Item = (String, &'static [&'static str])> {
    ROUTES.iter().filter_map(|route| match route.access {
        Access::Roles(roles) => Some((route.path.replace("{name}", "head").replace("{id}", "x"), roles)),
        _ => None,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_page_opens_to_its_roles_in_a_session_and_is_nowhere_for_others() {
    let office = Office::open().await;
    let site = &office.site;
    let analyst = site.login("head").await;
    let bearer = site.token(CHIEF).await;
    let nowhere = async |path: &str, method: Method, session: &str| {
        let headers = [("cookie", session), ("accept-language", "en"), FORM];
        let response = site.send(method, path, &headers, "").await;
        let correlation = text(&response, "x-correlation-id");
        (response.status(), response.text().await.unwrap().replace(&correlation, ""))
    };
    let missing = nowhere("/nowhere", Method::GET, &analyst).await;
    assert_eq!(missing.0, StatusCode::NOT_FOUND);
    let mut pages = 0;
    for (path, roles) in roles_routes() {
        let method = if path.ends_with("/stop") { Method::POST } else { Method::GET };
        assert_eq!(nowhere(&path, method.clone(), &analyst).await, missing, "{path}");
        let with_token = [("authorization", bearer.as_str()), FORM];
        let response = site.send(method.clone(), &path, &with_token, "").await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
        let as_auditor = nowhere(&path, method.clone(), &office.auditor).await;
        assert_eq!(as_auditor == missing, !roles.contains(&"auditor"), "{path}");
        if method == Method::GET {
            let (status, page) = office.page(&office.chief, &path).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert!(!page.contains("portal-") && !page.contains(" style=") && page.contains("<h1>"), "{path}: {page}");
            pages += 1;
        }
    }
    assert_eq!(pages, 6);
    let (_, home) = office.page(&office.auditor, "/").await;
    assert!(home.contains("href=\"/admin/audit\"") && !home.contains("href=\"/admin\""), "{home}");
    assert!(office.page(&office.chief, "/").await.1.contains("href=\"/admin\""));
    assert!(!office.page(&analyst, "/").await.1.contains("/admin"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_adds_changes_and_disables_users_but_not_themselves() {
    let office = Office::open().await;
    let new = [("name", "north.1"), ("password", PASSWORD), ("again", PASSWORD), ("role", "reader")];
    let of =
        |more: &[(&'static str, &'static str)]| new.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>();

    // A form without its token is refused before anything of it is read.
    let response = office.post("/admin/users", &of(&[("reach", "bank")])).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let response = office.send("/admin/users", &of(&[("reach", "branches")])).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let page = response.text().await.unwrap();
    assert!(page.contains("role=\"alert\"") && page.contains("value=\"north.1\""), "{page}");
    assert!(
        page.contains("value=\"reader\" checked") && page.contains("北京分行") && !page.contains(PASSWORD),
        "{page}"
    );

    let response = office.send("/admin/users", &of(&[("reach", "branches"), ("branch", "beijing")])).await;
    assert_eq!(text(&response, "location"), "/admin/users?done=user-added");
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let response = office.send("/admin/users", &of(&[("reach", "bank")])).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    let (_, list) = office.page(&office.chief, "/admin/users?done=user-added").await;
    assert!(list.contains("role=\"status\"") && list.contains("href=\"/admin/users/north.1\""), "{list}");
    let session = office.site.login("north.1").await;

    let rights = [("change", "rights"), ("role", "analyst"), ("role", "reader"), ("reach", "written")];
    let rights: Vec<_> = rights.into_iter().chain([("scope", "beijing,shanghai")]).collect();
    let response = office.send("/admin/users/north.1", &rights).await;
    assert_eq!(text(&response, "location"), "/admin/users/north.1?done=rights");
    let user = office.site.auth.principal("north.1").await.unwrap();
    assert_eq!((user.scope.to_string().as_str(), user.roles.len()), ("beijing,shanghai", 2));

    let response = office.send("/admin/users/north.1", &[("change", "disable")]).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(office.page(&session, "/").await.0, StatusCode::SEE_OTHER, "the session has ended");
    assert!(office.records("action=user_changed").await.contains(CHIEF), "and the log says who did it");

    assert!(!office.page(&office.chief, "/admin/users/chief").await.1.contains("value=\"rights\""));
    for change in ["rights", "password", "disable"] {
        let own = [("change", change), ("role", "analyst"), ("reach", "bank"), ("password", "x"), ("again", "x")];
        let response = office.send("/admin/users/chief", &own).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{change}");
    }
    assert!(!office.site.auth.principal(CHIEF).await.unwrap().has_role("analyst"));
    assert_eq!(office.page(&office.chief, "/admin/users/nobody").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_shown_once_and_opens_what_was_chosen() {
    let office = Office::open().await;
    let token = [("change", "create"), ("user", "head"), ("label", "tool"), ("days", "30")];
    let of = |more: (&'static str, &'static str)| token.into_iter().chain([more]).collect::<Vec<_>>();
    for wrong in [("networks", "everywhere"), ("days", "x")] {
        let pairs: Vec<_> = token.into_iter().filter(|(name, _)| *name != wrong.0).chain([wrong]).collect();
        let response = office.send("/admin/tokens", &pairs).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert!(response.text().await.unwrap().contains("value=\"tool\""), "fields are kept");
    }
    let response = office.send("/admin/tokens", &of(("report", "balances"))).await;
    assert_eq!((response.status(), text(&response, "cache-control")), (StatusCode::OK, "no-store".to_owned()));
    let page = response.text().await.unwrap();
    let made = page.split("value=\"").find(|part| part.starts_with("cth_")).unwrap().split('"').next().unwrap();
    let bearer = format!("Bearer {made}");
    let auth = ("authorization", bearer.as_str());
    assert_eq!(office.site.get("/reports/balances", &[auth]).await.status(), StatusCode::OK);
    assert_eq!(office.site.sql(&bearer, &json!({"sql": "SELECT 1"})).await.status(), StatusCode::FORBIDDEN);

    let (_, list) = office.page(&office.chief, "/admin/tokens").await;
    assert!(list.contains("reports balances, no SQL") && !list.contains(made), "{list}");
    let id = made.split('_').nth(1).unwrap();
    let response = office.send("/admin/users/head", &[("change", "revoke"), ("id", id)]).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(office.site.get("/reports", &[auth]).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_log_is_searched_verified_and_tells_of_it() {
    let office = Office::open().await;
    let bearer = office.site.token("head").await;
    for n in 0..60 {
        office.site.sql(&bearer, &json!({"sql": format!("SELECT {n} AS marked")})).await.text().await.unwrap();
    }
    let found = office.records("user=head&action=statement").await;
    assert!(found.contains("SELECT 59 AS marked") && found.contains("<details>"), "{found}");
    assert!(office.records("user=head&since=2999-01-01T00:00").await.is_empty());
    let told = office.records("action=audit_read").await;
    assert!(told.contains("statement") && told.contains("2999") && told.contains("auditor"), "{told}");

    let (_, page) = office.page(&office.auditor, "/admin/audit?user=head").await;
    let older = page.split('"').find(|part| part.contains("before=")).unwrap().replace("&#38;", "&");
    let (_, rest) = office.page(&office.auditor, &older).await;
    assert!(page.contains("SELECT 59 AS") && !page.contains("SELECT 0 AS") && rest.contains("SELECT 0 AS"), "{older}");
    assert_eq!(office.page(&office.auditor, "/admin/audit?since=soon").await.0, StatusCode::BAD_REQUEST);

    let response = office.send("/admin/audit?user=head", &[]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.text().await.unwrap().contains("the audit log holds"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_runs_can_be_stopped() {
    let office = Office::open().await;
    let (status, page) = office.page(&office.chief, "/admin").await;
    assert!(status == StatusCode::OK && page.contains("No statement is running."), "{page}");
    let response = office.send("/admin/statements/unknown/stop", &[]).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}
