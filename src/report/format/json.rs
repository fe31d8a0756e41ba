//! JSON: every dataset with full precision, and the evidence. Whole numbers are JSON numbers; decimals are strings, because
//! a reader's floats would change them; dates are ISO strings; missing is null.

use serde_json::{Map, Value as Node, json};

use super::{Format, Tools};
use crate::error::{Error, Result};
use crate::report::Document;
use crate::report::calendar::iso;
use crate::report::document::{Dataset, DatasetEvidence, Evidence, Imprint, TieOut};
use crate::report::value::Value;

/// The largest whole number that every JSON reader keeps: 2^53.
const EXACT_MAX: i128 = 1 << 53;

/// The format.
#[derive(Debug)]
pub struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn title(&self) -> &'static str {
        "JSON"
    }

    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn extension(&self) -> &'static str {
        "json"
    }

    fn render(&self, document: &Document, _: &Tools) -> Result<Vec<u8>> {
        render(document)
    }
}

/// The document's data.
pub fn render(document: &Document) -> Result<Vec<u8>> {
    let datasets: Map<String, Node> =
        document.datasets.iter().map(|dataset| (dataset.name.clone(), rows(dataset))).collect();
    let value = json!({
        "v": 1,
        "report": document.report,
        "title": document.title,
        "message": document.message,
        "lang": document.lang.tag(),
        "as_of": iso(document.as_of),
        "scope": document.scope.value,
        "datasets": datasets,
        "evidence": evidence(document),
    });
    serde_json::to_vec_pretty(&value).map_err(|error| Error::internal("cannot write the report as JSON", error))
}

fn rows(dataset: &Dataset) -> Node {
    let row = |row: &Vec<Value>| -> Node {
        dataset.columns.iter().cloned().zip(row.iter().map(value)).collect::<Map<_, _>>().into()
    };
    Node::Array(dataset.rows.iter().map(row).collect())
}

fn value(value: &Value) -> Node {
    match value {
        Value::Null => Node::Null,
        Value::Boolean(value) => (*value).into(),
        Value::Number(number) if number.scale == 0 && number.unscaled.abs() <= EXACT_MAX => {
            i64::try_from(number.unscaled).map_or(Node::Null, Node::from)
        }
        other => other.plain().into(),
    }
}

/// The evidence in full; of an edition, what is the same however often it is made.
pub fn evidence(document: &Document) -> Node {
    let mut node = of_run(&document.evidence);
    if let (Imprint::Edition { version, run_key, at, link, release }, Some(fields)) =
        (&document.imprint, node.as_object_mut())
    {
        let of_this_run = ["principal", "duration_ms"];
        fields.retain(|name, _| !of_this_run.contains(&name.as_str()));
        for dataset in fields.get_mut("datasets").and_then(Node::as_array_mut).into_iter().flatten() {
            if let Some(fields) = dataset.as_object_mut() {
                fields.retain(|name, _| !["query_id", "duration_ms"].contains(&name.as_str()));
            }
        }
        fields.insert("version".into(), (*version).into());
        fields.insert("run_key".into(), run_key.as_str().into());
        fields.insert("published_at".into(), at.to_string().into());
        fields.insert("link".into(), link.as_str().into());
        if let Some(release) = release {
            fields.insert("release".into(), json!(release));
        }
    }
    node
}

fn of_run(evidence: &Evidence) -> Node {
    let parameters: Map<String, Node> =
        evidence.parameters.iter().map(|parameter| (parameter.name.clone(), value(&parameter.value))).collect();
    json!({
        "principal": evidence.principal,
        "rights_fingerprint": evidence.fingerprint,
        "snapshot": evidence.snapshot,
        "snapshot_created_at": evidence.snapshot_created_at.to_string(),
        "snapshot_as_of": iso(evidence.newest),
        "completeness": {"closed": evidence.closed, "of": evidence.branches, "open": evidence.open},
        "parameters": parameters,
        "tie_out": match &evidence.tie_out {
            TieOut::NotChecked => json!({"state": "not_checked"}),
            TieOut::Agrees(figures) => json!({"state": "agrees", "figures": figures}),
            TieOut::Differs(names) => json!({"state": "differs", "differing": names}),
        },
        "engine": evidence.engine,
        "duration_ms": evidence.duration_ms,
        "datasets": evidence.datasets.iter().map(dataset).collect::<Vec<_>>(),
    })
}

fn dataset(dataset: &DatasetEvidence) -> Node {
    let mut node = json!({
        "name": dataset.name,
        "query_id": dataset.query_id,
        "rows": dataset.rows,
        "rows_sha256": dataset.rows_sha256,
        "records": dataset.records,
        "sql_sha256": dataset.sql_sha256,
        "rollups": {"used": dataset.rollups, "refused": dataset.refused},
        "history": dataset.history,
        "notices": dataset.notices,
        "duration_ms": dataset.duration_ms,
    });
    if !dataset.sql.is_empty() {
        node["sql"] = dataset.sql.as_str().into();
    }
    node
}
