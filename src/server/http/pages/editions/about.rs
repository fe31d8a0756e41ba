//! What an edition corrected, and where its figures come from.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::Value as Json;

use super::one::{Bar, Names, Opened};
use super::{Reader, completeness, path, percent, reason};
use crate::catalog::EditionRow;
use crate::error::{Code, Error, Result};
use crate::locale::{self, Lang, Value, message};
use crate::publish::{Changes, DatasetChanges, release_sentence};
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;
use crate::server::http::pages::admin::minute;
use crate::server::http::pages::{Frame, render};

/// Cells of a dataset that the page of changes shows; all stand in its JSON.
const CELLS: usize = 500;

#[derive(Template)]
#[template(path = "server/http/pages/editions/about.html")]
struct ChangesPage {
    frame: Frame,
    title: String,
    bar: Bar,
    edition: String,
    what: What,
}

/// What the page tells.
enum What {
    /// Nothing came before.
    First,
    Changes {
        sentence: String,
        before: String,
        json: Option<String>,
        datasets: Vec<ChangedView>,
    },
    Evidence(Box<EvidenceView>),
}

struct ChangedView {
    name: String,
    /// Columns that one of the two does not have, as a list.
    columns: Option<String>,
    cells: Vec<CellView>,
    /// A sentence, where not all cells are shown.
    more: Option<String>,
    added: Vec<String>,
    removed: Vec<String>,
}

struct CellView {
    row: String,
    column: String,
    old: String,
    new: String,
}

/// `GET /r/{name}/{scope}/{period}/{version}/changes`.
pub(in crate::server::http) async fn changes(
    Path(link): Path<(String, String, String, String)>,
    reader: Reader,
) -> Result<Response, Failure> {
    const FILE: &str = "changes.json";
    let opened = reader.by_link(link).await?;
    if opened.edition.removed_at.is_some() {
        return reader.gone(&opened);
    }
    let wants_json = reader.wants_json()?;
    let has_changes = opened.manifest.file(FILE).is_some();
    if wants_json {
        if !has_changes {
            let text = "This is the first edition of its period: there is no version before it.";
            return Err(Error::new(Code::NoSuchObject, text).into());
        }
        reader.may_export("json")?;
        let etag = format!("\"{}/{FILE}\"", opened.edition.id);
        let mut response = match reader.knows(&etag) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => reader.download(&opened, FILE, "json", &Names::of(&opened, reader.lang, "-changes.json")).await?,
        };
        response.headers_mut().remove(CONTENT_DISPOSITION);
        reader.describe(&mut response, &opened, &etag)?;
        return Ok(response);
    }
    let what = match has_changes {
        false => What::First,
        true => {
            let bytes = reader.file(&opened, FILE).await?;
            let changes: Changes = serde_json::from_slice(&bytes)
                .map_err(|error| Error::internal("the changes of an edition cannot be read", error))?;
            let before = EditionRow { version: changes.from, ..opened.edition.clone() };
            let here = format!("{}/changes", path(&opened.edition));
            What::Changes {
                sentence: reason(reader.lang, &opened.edition),
                before: path(&before),
                json: reader.may_export("json").is_ok().then(|| format!("{here}?format=json")),
                datasets: changes.datasets.into_iter().map(|one| describe_changes(reader.lang, one)).collect(),
            }
        }
    };
    about(&reader, &opened, what)
}

fn about(reader: &Reader, opened: &Opened, what: What) -> Result<Response, Failure> {
    let bar = reader.bar(opened);
    render(&ChangesPage {
        frame: reader.frame("reports"),
        title: format!("{} · {} · {} · {}", bar.report, bar.scope, bar.period, bar.version),
        edition: path(&opened.edition),
        bar,
        what,
    })
}

fn describe_changes(lang: Lang, changes: DatasetChanges) -> ChangedView {
    let named = |row: String| if row.is_empty() { message(lang, "edition-only-row", &[]) } else { row };
    let shown = |cell: String| if cell.is_empty() { locale::MISSING.to_owned() } else { cell };
    let count = |count: usize| Value::Count(i64::try_from(count).unwrap_or(i64::MAX));
    let all = changes.cells.len();
    let more =
        (all > CELLS).then(|| message(lang, "edition-more-cells", &[("shown", count(CELLS)), ("of", count(all))]));
    let columns = changes.columns.join(&message(lang, "portal-list", &[]));
    ChangedView {
        name: changes.name,
        columns: Some(columns).filter(|columns| !columns.is_empty()),
        cells: changes
            .cells
            .into_iter()
            .take(CELLS)
            .map(|cell| CellView {
                row: named(cell.row),
                column: cell.column,
                old: shown(cell.old),
                new: shown(cell.new),
            })
            .collect(),
        more,
        added: changes.added.into_iter().map(named).collect(),
        removed: changes.removed.into_iter().map(named).collect(),
    }
}

struct EvidenceView {
    /// The same for programs.
    json: String,
    facts: Vec<Fact>,
    datasets: Vec<DatasetView>,
    files: Vec<FileView>,
}

struct Fact {
    name: String,
    value: String,
    is_code: bool,
}

struct DatasetView {
    name: String,
    rows: String,
    source: String,
    refused: String,
    history: String,
    notices: Vec<String>,
    rows_hash: String,
    sql_hash: String,
    sql: String,
}

struct FileView {
    name: String,
    /// None where this reader may not take it out.
    href: Option<String>,
    bytes: String,
    sha256: String,
}

/// `GET /editions/{id}/evidence`: where the figures come from.
pub(in crate::server::http) async fn evidence(Path(id): Path<String>, reader: Reader) -> Result<Response, Failure> {
    let opened = reader.by_id(&id).await?;
    if opened.edition.removed_at.is_some() {
        return reader.gone(&opened);
    }
    let wants_json = reader.wants_json()?;
    // Hashes, texts of questions and counts: no figures, so it is no export.
    let bytes = reader.file(&opened, "evidence.json").await?;
    if wants_json {
        let etag = format!("\"{}/evidence.json\"", opened.edition.id);
        let mut response = match reader.knows(&etag) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => ([(CONTENT_TYPE, "application/json")], bytes).into_response(),
        };
        reader.describe(&mut response, &opened, &etag)?;
        return Ok(response);
    }
    let evidence: Json = serde_json::from_slice(&bytes)
        .map_err(|error| Error::internal("the evidence of an edition cannot be read", error))?;
    let view = describe_evidence(&reader, &opened, &evidence);
    about(&reader, &opened, What::Evidence(Box::new(view)))
}

fn describe_evidence(reader: &Reader, opened: &Opened, evidence: &Json) -> EvidenceView {
    let Opened { edition, manifest, .. } = opened;
    let list = reader.word("portal-list");
    let plain = |value: &Json| in_words(value, &list);
    let code = |key: &str, value: String| Fact { name: reader.word(key), value, is_code: true };
    let fact = |key: &str, value: String| Fact { name: reader.word(key), value, is_code: false };
    let parameters: Vec<String> = evidence["parameters"]
        .as_object()
        .map(|parameters| parameters.iter().map(|(name, value)| format!("{name} = {}", plain(value))).collect())
        .unwrap_or_default();
    let tie_out = match evidence["tie_out"]["state"].as_str() {
        Some("agrees") => {
            let figures = Value::Count(evidence["tie_out"]["figures"].as_i64().unwrap_or_default());
            message(reader.lang, "report-tie-out-agrees", &[("figures", figures)])
        }
        Some("differs") => {
            let names = plain(&evidence["tie_out"]["differing"]);
            message(reader.lang, "report-tie-out-differs", &[("names", Value::Text(&names))])
        }
        _ => reader.word("edition-tie-out-none"),
    };
    let mut facts = vec![
        fact("report-as-of", manifest.as_of.clone()),
        fact("portal-completeness", completeness(manifest)),
        fact("portal-open-branches", manifest.completeness.open.join(&list)),
        fact("portal-snapshot", edition.snapshot_id.to_string()),
        fact("edition-snapshot-made", moment(&evidence["snapshot_created_at"])),
        fact("portal-tie-out", tie_out),
        fact("edition-parameters", parameters.join(&list)),
        fact("report-engine", plain(&evidence["engine"])),
        code("edition-rights", plain(&evidence["rights_fingerprint"])),
        code("edition-run-key", edition.run_key.clone()),
        code("edition-hash", edition.id.clone()),
    ];
    if let Some(release) = &manifest.release {
        facts.push(fact("edition-release", release_sentence(reader.lang, release)));
        facts.push(fact("edition-release-found", release.found.join("; ")));
    }
    facts.retain(|fact| !fact.value.is_empty());
    let datasets = evidence["datasets"].as_array().into_iter().flatten().map(|dataset| {
        let used = plain(&dataset["rollups"]["used"]);
        let refused: Vec<String> =
            dataset["rollups"]["refused"].as_array().into_iter().flatten().map(refusal).collect();
        DatasetView {
            name: plain(&dataset["name"]),
            rows: plain(&dataset["rows"]),
            source: if used.is_empty() { reader.word("report-facts") } else { used },
            refused: refused.join(&list),
            history: plain(&dataset["history"]),
            notices: dataset["notices"].as_array().into_iter().flatten().map(&plain).collect(),
            rows_hash: plain(&dataset["rows_sha256"]),
            sql_hash: plain(&dataset["sql_sha256"]),
            sql: plain(&dataset["sql"]),
        }
    });
    let own = format!("/editions/{}/files", edition.id);
    let files = manifest.files.iter().map(|entry| {
        let format = entry.name.rsplit_once('.').map_or("", |(_, end)| end);
        let parts: Vec<String> = entry.name.split('/').map(percent).collect();
        let may_take = format == "html" || reader.may_export(format).is_ok();
        let bytes = i64::try_from(entry.bytes).unwrap_or(i64::MAX);
        FileView {
            href: may_take.then(|| format!("{own}/{}", parts.join("/"))),
            name: entry.name.clone(),
            bytes: message(reader.lang, "edition-bytes", &[("count", Value::Count(bytes))]),
            sha256: entry.sha256.clone(),
        }
    });
    EvidenceView {
        json: format!("/editions/{}/evidence?format=json", edition.id),
        datasets: datasets.collect(),
        files: files.collect(),
        facts,
    }
}

/// A time of the evidence to the minute, UTC.
fn moment(value: &Json) -> String {
    let text = value.as_str().unwrap_or_default();
    text.parse::<jiff::Timestamp>().map_or_else(|_| text.to_owned(), minute)
}

/// A rollup that was not used, and why: `deposits_by_month (MORE_ROWS: 914 rows to read)`.
fn refusal(value: &Json) -> String {
    let part = |name: &str| value[name].as_str().unwrap_or_default();
    format!("{} ({}: {})", part("rollup"), part("code"), part("detail"))
}

/// A value of the evidence as people read it; empty for what is missing.
fn in_words(value: &Json, list: &str) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Array(values) => values.iter().map(|value| in_words(value, list)).collect::<Vec<_>>().join(list),
        Json::Object(fields) => {
            let pair = |(name, value): (&String, &Json)| format!("{name}: {}", in_words(value, list));
            fields.iter().map(pair).collect::<Vec<_>>().join(list)
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{in_words, moment, refusal};

    #[test]
    fn evidence_in_words() {
        let value = serde_json::json!(["a", 2, null, {"b": ["c", "d"]}]);
        assert_eq!(in_words(&value, "、"), "a、2、、b: c、d");
        assert_eq!(in_words(&serde_json::json!([]), "、"), "");
        assert_eq!(moment(&serde_json::json!("2026-11-27T09:21:09.517062Z")), "2026-11-27 09:21");
        assert_eq!(moment(&serde_json::json!("yesterday")), "yesterday");
        let refused = serde_json::json!({"rollup": "by_month", "code": "MORE_ROWS", "detail": "9 rows"});
        assert_eq!(refusal(&refused), "by_month (MORE_ROWS: 9 rows)");
    }
}
