//! `/reports/{name}/evidence`: where the figures of a live run come from.
//!
//! Counts and hashes but no figures, so it is no export. The statements themselves are for whom definitions are shown to.

use askama::Template;
use axum::Json;
use axum::response::{IntoResponse, Response};

use super::Visit;
use crate::error::{Code, Error};
use crate::locale::{Value, message};
use crate::report::Document;
use crate::report::document::{DatasetEvidence, TieOut};
use crate::report::format::json;
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;
use crate::server::http::pages::admin::minute;
use crate::server::http::pages::{Frame, render};

#[derive(Template)]
#[template(path = "server/http/pages/reports/evidence.html")]
struct Page {
    frame: Frame,
    title: String,
    scope: String,
    /// The report as it was asked for.
    report: String,
    /// The same for programs.
    json: String,
    facts: Vec<Fact>,
    datasets: Vec<DatasetView>,
}

struct Fact {
    name: String,
    value: String,
    is_code: bool,
}

struct DatasetView {
    name: String,
    rows: usize,
    source: String,
    refused: String,
    history: String,
    notices: Vec<String>,
    rows_hash: String,
    sql_hash: String,
    sql: String,
}

/// The handler.
pub(in crate::server::http) async fn page(Path(name): Path<String>, visit: Visit) -> Result<Response, Failure> {
    let report = visit.report(&name)?;
    let wants_json = match visit.asked("format") {
        None | Some("html") => false,
        Some("json") => true,
        Some(other) => {
            let text = format!("parameter `format`: `{other}` is not allowed; write one of `html`, `json`");
            return Err(Error::new(Code::BadRequest, text).into());
        }
    };
    let document = visit.run(report).await?;
    let mut response = match wants_json {
        true => Json(json::evidence(&document)).into_response(),
        false => render(&Page {
            frame: visit.frame(),
            title: document.title.clone(),
            scope: document.scope.label.clone(),
            report: document.url(&[]),
            json: document
                .part_url("/evidence", &[("format", "json"), ("snapshot", &document.evidence.snapshot.to_string())]),
            facts: facts(&visit, &document),
            datasets: document.evidence.datasets.iter().map(|dataset| describe(&visit, dataset)).collect(),
        })?,
    };
    visit.describe(&mut response, &document)?;
    Ok(response)
}

fn facts(visit: &Visit, document: &Document) -> Vec<Fact> {
    let lang = visit.choice.lang;
    let evidence = &document.evidence;
    let word = |key: &str| message(lang, key, &[]);
    let list = word("portal-list");
    let parameters: Vec<String> =
        evidence.parameters.iter().map(|parameter| format!("{} = {}", parameter.name, parameter.text())).collect();
    let tie_out = match &evidence.tie_out {
        TieOut::NotChecked => word("edition-tie-out-none"),
        TieOut::Agrees(figures) => {
            let figures = Value::Count(i64::try_from(*figures).unwrap_or(i64::MAX));
            message(lang, "report-tie-out-agrees", &[("figures", figures)])
        }
        TieOut::Differs(names) => {
            message(lang, "report-tie-out-differs", &[("names", Value::Text(&names.join(&list)))])
        }
    };
    let completeness = match evidence.branches {
        0 => String::new(),
        of => format!("{}/{of}", evidence.closed),
    };
    let fact = |key: &str, value: String| Fact { name: word(key), value, is_code: false };
    let mut facts = vec![
        fact("report-as-of", crate::locale::format_date(lang, document.as_of)),
        fact("portal-completeness", completeness),
        fact("portal-open-branches", evidence.open.join(&list)),
        fact("portal-snapshot", evidence.snapshot.to_string()),
        fact("edition-snapshot-made", minute(evidence.snapshot_created_at)),
        fact("report-records-of", if document.holds_records() { word("report-records") } else { String::new() }),
        fact("portal-tie-out", tie_out),
        fact("edition-parameters", parameters.join(&list)),
        fact("report-engine", evidence.engine.to_owned()),
        Fact { is_code: true, ..fact("edition-rights", evidence.fingerprint.clone()) },
    ];
    facts.retain(|fact| !fact.value.is_empty());
    facts
}

fn describe(visit: &Visit, dataset: &DatasetEvidence) -> DatasetView {
    let word = |key: &str| message(visit.choice.lang, key, &[]);
    let list = word("portal-list");
    let refused = dataset.refused.as_array().into_iter().flatten().map(|one| {
        let part = |name: &str| one[name].as_str().unwrap_or_default();
        format!("{} ({}: {})", part("rollup"), part("code"), part("detail"))
    });
    DatasetView {
        name: dataset.name.clone(),
        rows: dataset.rows,
        source: match dataset.rollups.is_empty() {
            true => word("report-facts"),
            false => dataset.rollups.join(&list),
        },
        refused: refused.collect::<Vec<_>>().join(&list),
        history: dataset.history.join(&list),
        notices: dataset.notices.clone(),
        rows_hash: dataset.rows_sha256.clone(),
        sql_hash: dataset.sql_sha256.clone(),
        sql: dataset.sql.clone(),
    }
}
