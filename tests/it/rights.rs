//! A branch reads its own files and no other, and what it may not see does not exist.

use std::path::{Path, PathBuf};

use countinghouse::app::App;
use countinghouse::error::Code;

use super::bank::{app, ask, branch, copy_of_state, head_office, project, refusal, rows};

/// Every data file of a folder whose partition is not in `keep`.
fn files_of_others(folder: &Path, keep: &[&str], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "_delta_log") {
                files_of_others(&path, keep, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            let text = path.to_string_lossy().into_owned();
            let cut = text.split('/').find_map(|part| part.strip_prefix("branch_code="));
            if cut.is_some_and(|branch| !keep.contains(&branch)) {
                found.push(path);
            }
        }
    }
}

#[tokio::test]
async fn garbage_in_other_branches_files_is_never_read() {
    let questions = [
        "SELECT month, SUM(balance), MEASURE(customers), SUM(interest) FROM deposits GROUP BY month ORDER BY month",
        "SELECT channel_group, COUNT(*) FROM transactions GROUP BY channel_group ORDER BY 1",
        "SELECT tier, MEASURE(contribution) FROM profit GROUP BY tier ORDER BY 1",
        "SELECT COUNT(*) FROM deposits_detail WHERE customer_name LIKE '%*'",
        "SELECT MIN(business_date), MAX(business_date) FROM deposits",
        "SELECT DISTINCT branch_code FROM deposits",
    ];
    let who = branch("beijing");
    let mut before = Vec::new();
    {
        let app = app().await;
        for question in questions {
            before.push(rows(&app, &who, question).await);
        }
    }
    let state = copy_of_state();
    let mut others = Vec::new();
    files_of_others(&state.path().join("warehouse"), &["beijing", "shared"], &mut others);
    assert!(others.len() > 500, "{} files", others.len());
    for file in &others {
        let length = std::fs::metadata(file).unwrap().len();
        std::fs::write(file, vec![0xA5; usize::try_from(length).unwrap()]).unwrap();
    }
    let app = App::open(project(), state.path()).await.unwrap();
    for (question, before) in questions.iter().zip(before) {
        assert_eq!(rows(&app, &who, question).await, before, "{question}");
    }
    // Its own rollups answered, though those of the others lie beside them.
    let used = ask(&app, &who, questions[0]).await.unwrap().provenance["rollups"]["used"].clone();
    assert_eq!(used, serde_json::json!(["deposits_by_branch_month"]));
    // The garbage is there: head office, which needs those files, fails, and is not told a path.
    let error = refusal(&app, &head_office(), questions[0]).await;
    assert_eq!(error.code(), Code::QueryFailed);
    assert!(!error.message().contains("branch_code="), "{}", error.message());
}

#[tokio::test]
async fn a_missing_and_a_forbidden_name_read_the_same() {
    let app = app().await;
    let who = branch("beijing");
    let mut texts = Vec::new();
    for schema in ["shanghai", "head_office", "warehouse", "nowhere"] {
        let error = refusal(&app, &who, &format!("SELECT COUNT(*) FROM {schema}.deposits")).await;
        assert_eq!(error.code(), Code::NoSuchObject);
        texts.push(error.message().replace(schema, "x"));
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    let schemas = rows(&app, &who, "SELECT schema_name FROM information_schema.schemata ORDER BY 1").await;
    assert_eq!(schemas, ["beijing", "evaluation", "information_schema", "system"]);
    let tables = rows(&app, &who, "SELECT DISTINCT table_schema FROM information_schema.tables ORDER BY 1").await;
    assert_eq!(tables, ["beijing", "evaluation", "system"]);
    for path in ["'/etc/passwd'", "\"/etc/passwd\"", "\"file:///etc/passwd\"", "'data.parquet'"] {
        let error = refusal(&app, &head_office(), &format!("SELECT * FROM {path}")).await;
        assert!(matches!(error.code(), Code::NoSuchObject | Code::SqlSyntax | Code::SqlPlan), "{path}: {error:?}");
    }
}

#[tokio::test]
async fn system_tables_are_cut_to_the_reader() {
    let app = app().await;
    let (beijing, bank) = (branch("beijing"), head_office());
    let answer = ask(&app, &beijing, "SELECT 41 + 1").await.unwrap();
    assert_eq!(answer.provenance["completeness"]["of"], 1, "a branch is told of its own close only");
    let own = rows(&app, &beijing, "SELECT DISTINCT principal FROM system.queries").await;
    assert_eq!(own, ["beijing"]);
    assert_eq!(rows(&app, &beijing, "SELECT COUNT(*) FROM system.loads").await, ["0"]);
    assert_eq!(rows(&app, &bank, "SELECT COUNT(*), SUM(rows_rejected) FROM system.loads").await, ["2|24"]);
    assert_eq!(rows(&app, &bank, "SELECT COUNT(*) FROM system.rejects").await, ["24"]);
    let branches = rows(&app, &beijing, "SELECT DISTINCT branch_code FROM system.rejects").await;
    assert!(branches.is_empty() || branches == ["beijing"], "{branches:?}");
    let rollups =
        "SELECT COUNT(*), SUM(fresh_partitions), SUM(stale_partitions) FROM system.rollups WHERE cube = 'deposits'";
    assert_eq!(rows(&app, &bank, rollups).await, ["2|448|0"]);
    assert_eq!(rows(&app, &beijing, rollups).await, ["2|16|0"], "two rollups of eight quarters");
    assert_eq!(rows(&app, &bank, "SELECT COUNT(*) FROM system.snapshots").await, ["3"]);
}

#[tokio::test]
async fn a_reader_of_reports_may_not_run_statements() {
    let app = app().await;
    let mut reader = head_office();
    reader.roles = ["reader".to_owned()].into();
    let error = refusal(&app, &reader, "SELECT 1").await;
    assert_eq!(error.code(), Code::Denied);
}

#[tokio::test]
async fn only_the_dimensions_that_a_question_names_are_joined() {
    let by_product = "SELECT product_line, SUM(balance) FROM deposits GROUP BY product_line ORDER BY 1";
    let before = rows(&app().await, &head_office(), by_product).await;
    let state = copy_of_state();
    let mut files = Vec::new();
    files_of_others(&state.path().join("warehouse/dim_customer"), &[], &mut files);
    assert!(files.len() >= 28, "{} files", files.len());
    for file in &files {
        let length = std::fs::metadata(file).unwrap().len();
        std::fs::write(file, vec![0xA5; usize::try_from(length).unwrap()]).unwrap();
    }
    let app = App::open(project(), state.path()).await.unwrap();
    assert_eq!(rows(&app, &head_office(), by_product).await, before);
    let by_tier = "SELECT tier, SUM(balance) FROM deposits GROUP BY tier";
    assert_eq!(refusal(&app, &head_office(), by_tier).await.code(), Code::QueryFailed);
}
