use std::fs;
use std::path::Path;

use super::{check, describe, load, load_model, load_reports};

const SETTINGS: &str = "\
name: {en: Sample bank, zh-CN: 示例银行}
warehouse:
  tables:
    - name: dim_org
      kind: dimension
      key: [org_id]
      surrogate: org_sk
      columns:
        - {name: org_id, type: text, required: true}
        - {name: branch_code, type: text, required: true}
        - {name: branch_name, type: text}
    - name: fact_sale
      kind: fact
      key: [business_date, sale_id]
      partition: {branch: branch_code, date: business_date}
      columns:
        - {name: business_date, type: date, required: true}
        - {name: branch_code, type: text, required: true}
        - {name: sale_id, type: text, required: true}
        - {name: org_sk, type: integer, references: dim_org}
        - {name: amount, type: money, required: true}
query: {concurrent: 4}
";

const CUBES: &str = "\
dimensions:
  - name: organisation
    table: dim_org
    key: org_sk
    scope: {level: branch, key: branch_code}
    hierarchies: [{name: organisation, levels: [{name: branch, column: branch_name}]}]
cube:
  name: sales
  fact: {table: fact_sale}
  joins: [{dimension: organisation, on: org_sk}]
  measures: [{name: amount, state: sum, of: amount}]
";

const REPORT: &str = "\
report: sales
title: {en: Sales}
cubes: [sales]
parameters: {as_of: {type: as_of_date, default: latest}}
datasets: {kpi: {sql: kpi.sql, rows: 1}}
blocks: [{kpi: {dataset: kpi, value: amount, measure: sales.amount}}]
";

const FEED: &str = "\
node: head_office
batch: 1
business_date: 2025-11-30
source: till
files:
  - path: sale.csv
    format: csv
    table: fact_sale
    columns: [{name: business_date}, {name: branch_code}, {name: sale_id}, {name: org_sk}, {name: amount}]
";

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn good() -> tempfile::TempDir {
    project(&[
        ("countinghouse.yaml", SETTINGS),
        ("cubes/sales.yaml", CUBES),
        ("reports/sales/report.yaml", REPORT),
        ("reports/sales/kpi.sql", "SELECT SUM(amount) AS amount FROM sales"),
        ("sample_data/batch-0001/feed.yaml", FEED),
    ])
}

fn faults(folder: &Path) -> Vec<String> {
    check(folder).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn a_whole_project_loads() {
    let folder = good();
    let config = load(folder.path(), Path::new("/state")).unwrap();
    assert_eq!(config.name["zh-CN"], "示例银行");
    assert_eq!(config.warehouse.url, "warehouse");
    assert_eq!(config.warehouse.tables.len(), 2);
    assert_eq!((config.query.concurrent, config.query.deadline_seconds, config.query.memory_mib), (4, 60, 512));
    assert_eq!(config.http.listen, "127.0.0.1:8080");
    assert_eq!(config.flight.listen, "127.0.0.1:50051");
    assert!(!config.http.is_encrypted() && !config.flight.is_encrypted());
    assert_eq!(config.auth.session_hours, 12);
    assert_eq!(config.languages, ["zh-CN", "en"]);
    let model = load_model(&config).unwrap();
    let (reports, found) = load_reports(&config, &model);
    assert_eq!((reports.len(), found.len()), (1, 0));
    assert_eq!(faults(folder.path()), [] as [String; 0]);
}

#[test]
fn an_empty_settings_file_is_all_defaults() {
    let folder = project(&[("countinghouse.yaml", "")]);
    let config = load(folder.path(), Path::new("/state")).unwrap();
    assert_eq!(config.query.total_memory_mib, 2048);
    assert_eq!(config.languages, ["zh-CN", "en"]);
    assert!(config.warehouse.tables.is_empty());
    assert!(load_model(&config).unwrap().cubes.is_empty());
}

#[test]
fn a_folder_without_settings_is_not_a_project() {
    let folder = project(&[]);
    let error = load(folder.path(), Path::new("/state")).unwrap_err();
    assert!(error.message().ends_with("there is no such file; is this the folder of a project?"), "{error}");
}

#[test]
fn files_of_tls_are_found_from_the_folder_of_the_project() {
    let folder = project(&[(
        "countinghouse.yaml",
        "http: {tls: {certificate: tls/chain.pem, key: /etc/key.pem, client_ca: ca.pem}}\nflight: {behind_proxy: true}\n",
    )]);
    let config = load(folder.path(), Path::new("/state")).unwrap();
    assert!(config.http.is_encrypted() && config.flight.is_encrypted());
    let tls = config.http.tls.unwrap();
    assert_eq!(*tls.certificate, folder.path().join("tls/chain.pem"));
    assert_eq!(tls.certificate.place.to_string(), "countinghouse.yaml:1:27");
    assert_eq!(*tls.key, Path::new("/etc/key.pem"));
    assert_eq!(*tls.client_ca.unwrap(), folder.path().join("ca.pem"));

    let folder = project(&[("countinghouse.yaml", "flight: {tls: {certificate: chain.pem}}\n")]);
    let error = load(folder.path(), Path::new("/state")).unwrap_err();
    assert_eq!(error.message(), "countinghouse.yaml:1:15: `tls` needs the key `key`");
}

#[test]
fn every_fault_of_the_settings_is_reported() {
    let folder = project(&[(
        "countinghouse.yaml",
        "name: Sample\nlanguages: [en, fr]\nquery:\n  deadline_seconds: 0\n  memory: 5\n  concurrent: many\nhttp: {listen: here}\n\
         htpp: {}\nauth: [12]\nwarehouse:\n",
    )]);
    let error = load(folder.path(), Path::new("/state")).unwrap_err();
    let found: Vec<String> = error.diagnostics().iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "countinghouse.yaml:1:7: `name` must be text per language, such as {en: Branch, zh-CN: 分行}, not `Sample`",
            "countinghouse.yaml:2:17: an entry of `languages` must be one of `zh-CN`, `en`, not `fr`",
            "countinghouse.yaml:4:21: `deadline_seconds` must be a whole number from 1 to 86400, not `0`",
            "countinghouse.yaml:5:3: `query` has no key `memory`; its keys are `deadline_seconds`, `batch_deadline_seconds`, `memory_mib`, \
             `total_memory_mib`, `concurrent`, `detail_rows`, `result_cache_mib`, \
             `cached_result_mib`, `hot_mib`, `columns_mib`, `retained_mib`, `target_partitions`, `spill_dir`",
            "countinghouse.yaml:6:15: `concurrent` must be a whole number from 1 to 10000, not `many`",
            "countinghouse.yaml:7:16: `listen` must be host:port, not `here`",
            "countinghouse.yaml:8:1: countinghouse.yaml has no key `htpp`; did you mean `http`?",
            "countinghouse.yaml:9:7: `auth` must be a map, not a list",
            "countinghouse.yaml:10:1: `warehouse` has no value",
        ]
    );
}

#[test]
fn check_reports_faults_of_all_files_together() {
    let folder = good();
    let write = |path: &str, text: String| fs::write(folder.path().join(path), text).unwrap();
    write("countinghouse.yaml", SETTINGS.replace("concurrent: 4", "concurent: 4"));
    write("cubes/sales.yaml", CUBES.replace("dimension: organisation", "dimension: organization"));
    write("reports/sales/report.yaml", REPORT.replace("sales.amount", "sales.amuont"));
    write("sample_data/batch-0001/feed.yaml", FEED.replace("batch: 1", "batch: one"));
    assert_eq!(
        faults(folder.path()),
        [
            "countinghouse.yaml:22:9: `query` has no key `concurent`; did you mean `concurrent`?",
            "cubes/sales.yaml:10:23: cube `sales`: there is no dimension `organization`; did you mean `organisation`?",
            "reports/sales/report.yaml:6:55: cube `sales` has no measure `amuont`; did you mean `amount`?",
            "sample_data/batch-0001/feed.yaml:2:8: `batch` must be a whole number from 1 to 4294967295, not `one`",
        ]
    );
}

#[test]
fn a_faulty_report_disables_only_itself() {
    let folder = good();
    fs::create_dir_all(folder.path().join("reports/other")).unwrap();
    fs::write(folder.path().join("reports/other/report.yaml"), "report: other\n").unwrap();
    let config = load(folder.path(), Path::new("/state")).unwrap();
    let (reports, found) = load_reports(&config, &load_model(&config).unwrap());
    assert_eq!(reports.iter().map(|report| report.name.as_str()).collect::<Vec<_>>(), ["sales"]);
    assert!(found.iter().all(|fault| fault.place.file == "reports/other/report.yaml") && !found.is_empty());
}

#[test]
fn describe_lists_every_key_with_its_default() {
    let text = describe();
    assert!(
        text.contains("query.deadline_seconds  (a whole number from 1 to 86400, default 60)\n    A statement"),
        "{text}"
    );
    assert!(text.contains("warehouse.tables[].columns[].type  (text, integer, money,"), "{text}");
    assert!(text.contains("http.listen  (host:port, default 127.0.0.1:8080)"), "{text}");
}

#[test]
fn roles_are_read_and_their_faults_located() {
    let roles = "\
roles:
  - {name: clerk, sql: true, cubes: [sales], columns: {name: mask, other: deny}}
  - {name: analyst}
  - {name: clerk}
  - {name: boss, cubes: [nothing], columns: {name: hidden}}
";
    let folder = good();
    fs::write(folder.path().join("countinghouse.yaml"), format!("{SETTINGS}{roles}")).unwrap();
    let line = SETTINGS.lines().count();
    let found = faults(folder.path());
    for (at, message) in [
        (line + 3, "`analyst` is a built-in role; choose another name"),
        (line + 4, "role `clerk` is declared twice"),
        (line + 5, "there is no cube `nothing`"),
        (line + 5, "`name` must be one of `deny`, `mask`, `clear`, not `hidden`"),
    ] {
        let place = format!("countinghouse.yaml:{at}:");
        assert!(
            found.iter().any(|fault| fault.starts_with(&place) && fault.contains(message)),
            "{message}: {found:#?}"
        );
    }
    assert_eq!(found.len(), 4, "{found:#?}");
}

#[test]
fn only_encrypted_or_local_addresses_are_private() {
    for (text, private) in [
        ("https://login.bank.example", true),
        ("http://127.0.0.1:8080/x", true),
        ("http://[::1]/", true),
        ("http://localhost:1", true),
        ("http://login.bank.example", false),
        ("http://10.0.0.1", false),
        ("http://localhost.bank.example", false),
        ("ftp://127.0.0.1", false),
    ] {
        assert_eq!(super::is_private(&url::Url::parse(text).unwrap()), private, "{text}");
    }
}
