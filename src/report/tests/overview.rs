//! `reports/executive_overview` over a made-up bank: every statement runs, every block fills, in both languages.
//!
//! The door is not here: plain tables stand for the cubes, and `MEASURE` for the aggregate that suits a table of one row per
//! cell. What this shows is that the SQL is valid and that the page holds together; figures are tested end to end elsewhere.
//! With `REPORT_PREVIEW=DIR` the pages are also written there, to be looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;

use crate::config;
use crate::locale::Lang;
use crate::model::cube::{self, Model};
use crate::model::report::{self, Report};
use crate::report::compose::{self, Input};
use crate::report::document::{Block, Choice, Dataset, DatasetEvidence, Document, Evidence, Imprint, TieOut};
use crate::report::font::Fonts;
use crate::report::format::{FORMATS, Tools};
use crate::report::parameter::{self, Resolved};
use crate::report::value::Value;
use crate::report::worker::Worker;
use crate::report::{calendar, run};

/// Stand-ins for the cubes; 28 branches, 36 months.
const TABLES: &[&str] = &[
    "CREATE VIEW months AS SELECT value AS n, make_date(2023 + value / 12, value % 12 + 1, 1) AS month \
     FROM generate_series(0, 35)",
    "CREATE VIEW branches AS SELECT * FROM (VALUES \
     (1,'beijing','北京分行','Beijing Branch',7.5,110),(2,'shanghai','上海分行','Shanghai Branch',8.0,130),\
     (3,'shenzhen','深圳分行','Shenzhen Branch',6.0,200),(4,'guangzhou','广州分行','Guangzhou Branch',5.5,140),\
     (5,'hangzhou','杭州分行','Hangzhou Branch',5.0,190),(6,'nanjing','南京分行','Nanjing Branch',4.5,150),\
     (7,'chengdu','成都分行','Chengdu Branch',4.5,180),(8,'wuhan','武汉分行','Wuhan Branch',4.5,70),\
     (9,'jinan','济南分行','Jinan Branch',4.0,90),(10,'chongqing','重庆分行','Chongqing Branch',4.0,120),\
     (11,'xian','西安分行','Xi''an Branch',3.6,110),(12,'taiyuan','太原分行','Taiyuan Branch',3.6,-70),\
     (13,'tianjin','天津分行','Tianjin Branch',3.5,10),(14,'shenyang','沈阳分行','Shenyang Branch',3.2,-40),\
     (15,'qingdao','青岛分行','Qingdao Branch',3.2,100),(16,'suzhou','苏州分行','Suzhou Branch',3.2,190),\
     (17,'kunming','昆明分行','Kunming Branch',3.0,60),(18,'dalian','大连分行','Dalian Branch',2.8,-50),\
     (19,'fuzhou','福州分行','Fuzhou Branch',2.8,120),(20,'ningbo','宁波分行','Ningbo Branch',2.8,160),\
     (21,'wenzhou','温州分行','Wenzhou Branch',2.5,80),(22,'shijiazhuang','石家庄分行','Shijiazhuang Branch',2.5,50),\
     (23,'wuxi','无锡分行','Wuxi Branch',2.5,120),(24,'xiamen','厦门分行','Xiamen Branch',2.4,130),\
     (25,'nanning','南宁分行','Nanning Branch',2.2,90),(26,'urumqi','乌鲁木齐分行','Urumqi Branch',2.0,-10),\
     (27,'shaoxing','绍兴分行','Shaoxing Branch',2.0,110),(28,'hohhot','呼和浩特分行','Hohhot Branch',1.8,-20)) \
     AS t(b, branch_code, branch, branch_name_en, weight, growth)",
    "CREATE TABLE held AS SELECT month, branch_code, branch, branch_name_en, b, growth, \
     CAST(weight * 1.37e8 * (1 + growth / 1000.0 * (n - 35) / 12.0) * (1 + 0.012 * sin(n + b)) AS DECIMAL(18,2)) AS balance, \
     CAST(weight * 1.34e8 * (1 + growth / 1000.0 * (n - 35) / 12.0) AS DECIMAL(18,2)) AS balance_daily_average, \
     CAST(weight * 1200 * (1 + growth / 3000.0 * (n - 35) / 12.0) AS BIGINT) AS customers FROM months CROSS JOIN branches",
    // What a cube gives for `compare`, shares and ranks.
    "CREATE VIEW deposits AS SELECT *, balance * 0.99 AS balance_prior_period, balance * 0.01 AS balance_vs_prior_period, \
     balance * (1 - growth / 1000.0) AS balance_prior_year, balance * (growth / 1000.0) AS balance_vs_prior_year, \
     CAST(growth / 1000.0 AS DECIMAL(18,6)) AS balance_vs_prior_year_pct, CAST(0.036 AS DECIMAL(18,6)) AS balance_share, \
     b AS balance_rank, customers - 3 AS customers_prior_period, customers - 40 AS customers_prior_year FROM held",
    "CREATE TABLE lent AS SELECT month, branch_code, branch, branch_name_en, \
     CAST(weight * 0.81e8 * (1 + growth / 1400.0 * (n - 35) / 12.0) AS DECIMAL(18,2)) AS outstanding, \
     CAST(0.0112 + 0.0002 * (n - 24) + 0.0004 * sin(n) + 0.004 * sin(b * 2) AS DECIMAL(9,6)) AS non_performing_ratio, \
     CAST(0.0203 + 0.0001 * (n - 24) AS DECIMAL(9,6)) AS overdue_ratio FROM months CROSS JOIN branches",
    "CREATE VIEW credit AS SELECT *, outstanding * 0.99 AS outstanding_prior_period, outstanding * 0.95 AS outstanding_prior_year, \
     non_performing_ratio - 0.0002 AS non_performing_ratio_prior_period, \
     non_performing_ratio - 0.0024 AS non_performing_ratio_prior_year, \
     CAST(0.0024 AS DECIMAL(9,6)) AS non_performing_ratio_vs_prior_year FROM lent",
    "CREATE TABLE earned AS SELECT month, branch_code, concat('c', c.value) AS customer_id, \
     CAST(weight * (90000.0 / (c.value + 12) - 380) * (1 + 0.03 * sin(n)) AS DECIMAL(18,2)) AS contribution, \
     CAST(0.41 AS DECIMAL(18,6)) AS cost_income_ratio \
     FROM months CROSS JOIN branches CROSS JOIN generate_series(1, 300) AS c WHERE c.value % 28 + 1 = b OR c.value < 4",
    "CREATE VIEW profit AS SELECT *, contribution * 0.98 AS contribution_prior_period, contribution * 0.93 AS contribution_prior_year, \
     contribution * 11 AS contribution_ytd FROM earned",
    "CREATE TABLE complaints AS SELECT month, branch_code, branch, branch_name_en, \
     CAST(weight * (CASE WHEN branch_code = 'taiyuan' THEN 40 ELSE 10 END) AS BIGINT) AS complaints, \
     CAST(CASE WHEN branch_code = 'taiyuan' AND n > 12 THEN 0.55 ELSE 0.92 + 0.02 * sin(n + b * 3) END AS DECIMAL(9,6)) AS in_time_rate \
     FROM months CROSS JOIN branches",
    "CREATE TABLE transactions AS SELECT month, branch_code, channel, TRUE AS is_customer_initiated, \
     CAST(weight * share * 1000 * (1 + slope * (n - 35) / 12.0) AS BIGINT) AS transactions \
     FROM months CROSS JOIN branches CROSS JOIN (VALUES ('MB', 0.46, 0.22), ('OB', 0.14, -0.05), ('AT', 0.17, -0.18), \
     ('CN', 0.12, -0.35), ('TP', 0.08, 0.1), ('CI', 0.03, 0.0)) AS c(channel, share, slope)",
];

/// 2025-11-30, the last of the 36 months but one.
fn newest() -> i32 {
    calendar::parse("2025-11-30").unwrap()
}

/// Faults of the cubes are the business of `check`, and of its tests.
fn project() -> (Model, Report) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = config::load(root, &root.join(".countinghouse")).unwrap();
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let cubes = ["dimensions", "deposits", "credit", "profit", "transactions", "complaints"]
        .map(|name| format!("cubes/{name}.yaml"))
        .map(|path| (path.clone(), read(&path)));
    let (model, _) = cube::parse(&cubes, &config.warehouse.tables);
    let sql = |file: &str| std::fs::read_to_string(root.join("reports/executive_overview").join(file)).ok();
    let path = "reports/executive_overview/report.yaml";
    let report = report::parse(path, &read(path), &sql).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let faults = report::check(&report, &model);
    assert!(faults.is_empty(), "{faults:#?}");
    (model, report)
}

fn stand_in(sql: &str) -> String {
    sql.replace("MEASURE(customers", "SUM(customers")
        .replace("MEASURE(balance_daily_average)", "SUM(balance_daily_average)")
        .replace("MEASURE(balance_vs_prior_period)", "SUM(balance_vs_prior_period)")
        .replace("MEASURE(balance_vs_prior_year)", "SUM(balance_vs_prior_year)")
        .replace("MEASURE(", "AVG(")
}

async fn datasets(session: &SessionContext, report: &Report, values: &[Resolved], lang: Lang) -> Vec<Dataset> {
    let mut parameters: Vec<(String, ScalarValue)> = values
        .iter()
        .map(|value| match &value.value {
            Value::Date(days) => (value.name.clone(), ScalarValue::Date32(Some(*days))),
            other => panic!("{other:?}"),
        })
        .collect();
    parameters.push(("lang".to_owned(), ScalarValue::from(lang.tag())));
    let mut datasets = Vec::new();
    for dataset in &report.datasets {
        let frame =
            session.sql(&stand_in(&dataset.sql)).await.unwrap_or_else(|error| panic!("{}: {error}", *dataset.name));
        let frame =
            frame.with_param_values(parameters.clone()).unwrap_or_else(|error| panic!("{}: {error}", *dataset.name));
        let columns = frame.schema().fields().iter().map(|field| field.name().clone()).collect();
        let types = frame.schema().fields().iter().map(|field| field.data_type().clone()).collect();
        let batches = frame.collect().await.unwrap_or_else(|error| panic!("{}: {error}", *dataset.name));
        let rows = run::read(&batches).unwrap();
        run::check_rows(dataset, rows.len()).unwrap();
        datasets.push(Dataset { name: dataset.name.value.clone(), columns, types, rows });
    }
    datasets
}

fn evidence(datasets: &[Dataset], values: &[Resolved]) -> Evidence {
    Evidence {
        principal: "executive".into(),
        fingerprint: "head_office".into(),
        snapshot: 1842,
        snapshot_created_at: jiff::Timestamp::UNIX_EPOCH,
        newest: newest(),
        closed: 28,
        branches: 28,
        open: Vec::new(),
        parameters: values.to_vec(),
        datasets: datasets
            .iter()
            .map(|dataset| DatasetEvidence {
                name: dataset.name.clone(),
                query_id: "0".into(),
                rows: dataset.rows.len(),
                rows_sha256: "9c1e44b07a52aa11".into(),
                records: false,
                sql: String::new(),
                sql_sha256: "51ab007f0c3e9912".into(),
                rollups: Vec::new(),
                history: Vec::new(),
                refused: serde_json::Value::Null,
                notices: Vec::new(),
                duration_ms: 1,
            })
            .collect(),
        tie_out: TieOut::Agrees(21),
        engine: "0.1.0",
        duration_ms: 0,
    }
}

#[expect(clippy::disallowed_methods, reason = "a stand-in for the door, which needs a loaded warehouse")]
async fn document(lang: Lang) -> Document {
    let (model, report) = project();
    let session = SessionContext::new();
    for statement in TABLES {
        session.sql(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}")).collect().await.unwrap();
    }
    let values = parameter::resolve(&report, &BTreeMap::new(), newest()).unwrap();
    let datasets = datasets(&session, &report, &values, lang).await;
    let scope = |value: &str, label: &str| Choice { value: value.into(), label: label.into() };
    let whole = if lang == Lang::Zh { "全行" } else { "Whole bank" };
    let input = Input {
        report: &report,
        model: &model,
        lang,
        scope: scope("head_office", whole),
        scopes: vec![scope("head_office", whole), scope("beijing", "Beijing"), scope("taiyuan", "Taiyuan")],
        evidence: evidence(&datasets, &values),
        values,
        datasets,
        imprint: Imprint::Live { reader: "executive".into(), at: jiff::Timestamp::UNIX_EPOCH },
        given: BTreeSet::new(),
        open: ["deposits", "credit_quality", "service_quality", "channels", "customer_value"]
            .map(|name| (name.to_owned(), None))
            .into(),
    };
    compose::compose(&input).unwrap()
}

#[tokio::test]
async fn the_executive_overview_holds_together_in_both_languages() {
    let tools = Tools { fonts: Arc::new(Fonts::load(None).unwrap()), worker: Worker::in_process() };
    for lang in Lang::ALL {
        let document = document(lang).await;
        assert!(!document.message.contains('–'), "{}", document.message);
        let kpis: usize = document
            .blocks
            .iter()
            .map(|block| match block {
                Block::Row(blocks) => blocks.iter().filter(|block| matches!(block, Block::Kpi(_))).count(),
                _ => 0,
            })
            .sum();
        assert_eq!(kpis, 6);
        for format in FORMATS {
            let bytes = format.render(&document, &tools).unwrap();
            assert!(!bytes.is_empty());
            if let Ok(folder) = std::env::var("REPORT_PREVIEW") {
                let path = format!("{folder}/executive_overview.{}.{}", lang.tag(), format.extension());
                std::fs::write(path, bytes).unwrap();
            }
        }
    }
}
