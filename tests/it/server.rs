//! The real binary on free ports, and what the command line promises.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use super::bank::{copy_of_state, project};

/// A command of the binary in a project.
pub(crate) fn command(project: &Path, state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countinghouse"));
    command.arg("--project").arg(project).arg("--state").arg(state);
    command
}

/// Runs a command to its end.
pub(crate) fn run(project: &Path, state: &Path, arguments: &[&str]) -> Output {
    command(project, state).args(arguments).output().unwrap()
}

/// The server on free ports; stopped when dropped.
pub(crate) struct TestServer {
    pub(crate) process: Child,
    pub(crate) http: String,
    said: Vec<String>,
}

impl TestServer {
    fn start(state: &Path, verb: &str) -> Self {
        Self::with_faults(state, verb, "")
    }

    /// With failpoints, as `name=action`.
    pub(crate) fn with_faults(state: &Path, verb: &str, faults: &str) -> Self {
        let mut process = command(project(), state)
            .args([verb, "--http", "127.0.0.1:0", "--flight", "127.0.0.1:0"])
            .env("COUNTINGHOUSE_NO_SCHEDULES", "1")
            .env("FAILPOINTS", faults)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = Vec::new();
        let mut http = None;
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        while http.is_none() {
            let line = lines.next().expect("the server ended before it was ready").unwrap();
            http = line.strip_prefix("ready http=").map(|rest| rest.split(' ').next().unwrap().to_owned());
            said.push(line);
        }
        Self { process, http: http.unwrap(), said }
    }

    /// SIGTERM, and the exit code.
    fn stop(&mut self) -> i32 {
        let stopped = Command::new("kill").arg("-TERM").arg(self.process.id().to_string()).status().unwrap();
        assert!(stopped.success());
        self.process.wait().unwrap().code().unwrap()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn the_demo_serves_what_it_loaded_and_loads_nothing_twice() {
    let state = copy_of_state();
    let logins = state.path().join("logins.json");
    let mut server = TestServer::start(state.path(), "demo");
    assert!(server.said[0].starts_with("already loaded head_office-0001"), "{:?}", server.said);
    assert!(server.said[1].starts_with("already loaded head_office-0002"), "{:?}", server.said);
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&logins).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let written: serde_json::Value = serde_json::from_slice(&std::fs::read(&logins).unwrap()).unwrap();
    let token = |name: &str| {
        let row = written.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
        row["token"].as_str().unwrap().to_owned()
    };
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let base = server.http.clone();
    let get = |path: &str, login: Option<&str>| {
        let request = client.get(format!("{base}{path}"));
        match login {
            Some(name) => request.bearer_auth(token(name)),
            None => request,
        }
        .send()
    };
    // Nothing answers without a login but these.
    for (path, status) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/metrics", 200),
        ("/login", 200),
        ("/", 303),
        ("/reports", 303),
        ("/reports/executive_overview", 303),
        ("/api/cubes", 401),
    ] {
        let answer = get(path, None).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path}");
        if status == 303 {
            assert!(answer.headers()["location"].to_str().unwrap().starts_with("/login"), "{path}");
        }
    }
    let unknown = client.post(format!("{base}/api/sql")).body("{}").send().await.unwrap();
    assert_eq!(unknown.status().as_u16(), 401);
    let cubes = get("/api/cubes", Some("head_office")).await.unwrap().text().await.unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&cubes).unwrap().to_string().contains("deposits"));
    let sql = |name: &str, sql: &str| {
        let body = serde_json::json!({"sql": sql, "format": "csv"});
        let request = client.post(format!("{base}/api/sql")).bearer_auth(token(name));
        request.header("content-type", "application/json").body(body.to_string()).send()
    };
    let answer =
        sql("beijing", "SELECT branch_code, SUM(balance) AS b FROM deposits GROUP BY branch_code").await.unwrap();
    assert_eq!(answer.headers()["x-snapshot-id"], "3");
    assert_eq!(answer.headers()["x-rollup"], "deposits_by_branch_month");
    assert!(answer.headers().contains_key("x-query-id"));
    let text = answer.text().await.unwrap();
    assert!(text.starts_with("branch_code,b\r\nbeijing,") || text.starts_with("branch_code,b\nbeijing,"), "{text}");
    assert_eq!(sql("beijing", "SELECT COUNT(*) FROM shanghai.deposits").await.unwrap().status().as_u16(), 404);
    assert_eq!(sql("head_office", "DROP TABLE x").await.unwrap().status().as_u16(), 400);
    assert_eq!(sql("executive", "SELECT 1").await.unwrap().status().as_u16(), 403);
    for (login, lang, says) in
        [("executive", "zh-CN", "经营总览"), ("executive", "en", "Executive overview"), ("beijing", "en", "Beijing")]
    {
        let answer = get(&format!("/reports/executive_overview?lang={lang}"), Some(login)).await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{login}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe-inline"), "{policy}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(says), "{login} {lang}");
        assert!(page.matches("<svg").count() >= 10 && page.contains("<desc"), "{login} {lang}");
        assert!(!page.contains(" style=\"") && !page.contains("onclick"), "inline style or script");
        assert!(page.contains("2025-12-31"));
    }
    assert_eq!(get("/reports/nowhere", Some("executive")).await.unwrap().status().as_u16(), 404);
    assert_eq!(server.stop(), 0);
    // The logins stand, and a second start loads nothing.
    let before = std::fs::read(&logins).unwrap();
    let again = TestServer::start(state.path(), "demo");
    assert!(again.said[0].starts_with("already loaded"), "{:?}", again.said);
    assert_eq!(std::fs::read(&logins).unwrap(), before);
}

#[test]
fn faulty_definitions_are_told_with_their_places_and_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let cubes = folder.path().join("cubes");
    std::fs::create_dir(&cubes).unwrap();
    std::fs::copy(project().join("countinghouse.yaml"), folder.path().join("countinghouse.yaml")).unwrap();
    for name in ["dimensions.yaml", "deposits.yaml"] {
        let text = std::fs::read_to_string(project().join("cubes").join(name)).unwrap();
        let text = text.replace("dimension: organisation, on", "dimension: organization, on").replacen(
            "state: distinct",
            "state: distinkt",
            1,
        );
        std::fs::write(cubes.join(name), text).unwrap();
    }
    let checked = run(folder.path(), &folder.path().join("state"), &["check"]);
    let said = String::from_utf8(checked.stderr).unwrap();
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert!(said.contains("cubes/deposits.yaml:13:19: ") && said.contains("did you mean `organisation`"), "{said}");
    assert!(said.contains("distinkt") && said.contains("distinct"), "{said}");
    // A formula that is no SQL over the cube's names.
    let text = std::fs::read_to_string(project().join("cubes/deposits.yaml")).unwrap();
    std::fs::copy(project().join("cubes/dimensions.yaml"), cubes.join("dimensions.yaml")).unwrap();
    std::fs::write(cubes.join("deposits.yaml"), text.replace("of: end_balance\n", "of: end_ballance\n")).unwrap();
    let checked = run(folder.path(), &folder.path().join("state"), &["check"]);
    let said = String::from_utf8(checked.stderr).unwrap();
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert!(said.contains("cubes/deposits.yaml:") && said.contains("end_ballance"), "{said}");
    assert_eq!(run(project(), &folder.path().join("state"), &["check"]).status.code(), Some(0));
    assert_eq!(run(project(), &folder.path().join("state"), &["nonsense"]).status.code(), Some(2));
}
