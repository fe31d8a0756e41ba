//! A run: parameters, then every dataset through the query door at one snapshot, then the document.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Instant;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::compose;
use super::document::{Choice, Dataset, DatasetEvidence, Document, Evidence, Imprint, TieOut};
use super::format::csv;
use super::parameter::{self, Resolved};
use super::value::Value;
use crate::auth::{Only, Principal, Scope};
use crate::error::{Code, Error, Result};
use crate::locale::{self, Lang};
use crate::model;
use crate::model::report::Report;
use crate::query::{Branch, Completeness, Door, Face, HEAD_OFFICE, HeadInfo, History, Statement};

/// Statements of one run that execute at once: a report takes its share of the machine, not all of it.
const CONCURRENT: usize = 4;

/// What is asked for, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The query part of the URL; names in [`parameter::RESERVED`] are left to the caller.
    pub parameters: &'a BTreeMap<String, Vec<String>>,
    pub principal: &'a Principal,
    /// The SQL schema to read, `head_office` or a branch; the principal's own when not stated.
    pub scope: Option<&'a str>,
    /// A language tag.
    pub lang: &'a str,
    /// The snapshot; the one of the parameter `snapshot`, else the newest, when not stated.
    pub head: Option<&'a HeadInfo>,
    /// All reports: where drills may lead.
    pub reports: &'a [Report],
    /// Others read the document too: then nothing in it hangs on who asks, and a link is judged where it leads.
    pub is_shared: bool,
    /// The moment that the document names.
    pub at: Timestamp,
}

/// Whether a principal may open a report: its audience, the token's reports, and any data at all.
pub fn may_open(door: &Door, report: &Report, principal: &Principal) -> bool {
    door.may_read(principal, report.cubes.iter().map(|cube| cube.as_str()))
        && principal.only.reports.as_ref().is_none_or(|only| only.contains(report.name.as_str()))
        && (report.audience.is_empty() || report.audience.iter().any(|role| principal.has_role(role)))
}

/// Runs a report.
///
/// # Errors
/// `NO_SUCH_OBJECT` for a report or scope that the principal may not see, in the same words as for one that does not exist;
/// `BAD_REQUEST` for a parameter; `NO_SNAPSHOT` before the first load and for one that is not there; `LIMIT` for a dataset above its promise; `DEFINITION`
/// for a block that asks for what the datasets do not hold; and what the query door says of a dataset, with its name.
pub async fn run(door: &Door, report: &Report, ask: &Ask<'_>) -> Result<Document> {
    let Ask { parameters, principal, scope, head, reports, is_shared, at, .. } = *ask;
    let started = Instant::now();
    let lang = Lang::parse(ask.lang).unwrap_or_default();
    if !may_open(door, report, principal) {
        return Err(no_such(report));
    }
    let scopes = scopes(door, principal, lang).await?;
    let scope = match scope.filter(|scope| !scope.is_empty()) {
        Some(scope) => scope.to_owned(),
        None => door.default_schema(principal),
    };
    let scope = scopes.iter().find(|choice| choice.value == scope).cloned().ok_or_else(|| no_such(report))?;
    // Taken once: every dataset reads this snapshot, also when a load publishes the next one meanwhile.
    let pinned = pinned(parameters)?;
    let head = match (head, pinned) {
        (Some(head), _) => head.clone(),
        (None, Some(snapshot)) => door.head_at(snapshot).await?,
        (None, None) => door.head().await?,
    };
    let values = parameter::resolve(report, parameters, head.as_of)?;

    let mut bound = values.clone();
    let said = |name: &str, value: &str| Resolved { name: name.to_owned(), value: Value::Text(value.to_owned()) };
    bound.extend([said("lang", lang.tag()), said("scope", &scope.value)]);
    // Boxed: the borrows of a closure's future are too particular for the caller's executor.
    let narrowed = narrowed(report, principal);
    let runs: Vec<BoxFuture<'_, Result<(Dataset, DatasetEvidence)>>> = report
        .datasets
        .iter()
        .map(|dataset| collect(door, &narrowed, &head, &scope.value, dataset, report.history, &bound).boxed())
        .collect();
    let loaded: Vec<_> = futures::stream::iter(runs).buffered(CONCURRENT).try_collect().await?;
    let (datasets, of_datasets) = loaded.into_iter().unzip();

    let as_of = values.iter().find_map(|value| match (value.name.as_str(), &value.value) {
        ("as_of", Value::Date(day)) => Some(*day),
        _ => None,
    });
    let completeness = head.completeness_at(as_of.unwrap_or(head.as_of));
    let evidence = evidence(principal, &head, &completeness, &scope, &scopes, &values, of_datasets, started);
    let imprint = Imprint::Live { reader: principal.name.clone(), at };
    let model = door.model();
    let targets = report.leads_to(reports).into_iter().filter(|other| is_shared || may_open(door, other, principal));
    let open = targets.map(|other| (other.name.value.clone(), parameter::closes(other))).collect();
    let given = parameters.iter().filter(|(_, values)| values.iter().any(|value| !value.trim().is_empty()));
    let given = given.map(|(name, _)| name.clone()).collect();
    let input = compose::Input { report, model, lang, scope, scopes, values, given, datasets, evidence, imprint, open };
    compose::compose(&input)
}

/// The same principal with the report's own cubes alone: what a report shows is what it declares, so that whoever looks at that
/// declaration (an edition's reader is judged by it) knows all of it.
fn narrowed(report: &Report, principal: &Principal) -> Principal {
    let declared = report.cubes.iter().map(|cube| cube.value.clone());
    let cubes = declared.filter(|cube| principal.only.cubes.as_ref().is_none_or(|only| only.contains(cube))).collect();
    Principal { only: Only { cubes: Some(cubes), ..principal.only.clone() }, ..principal.clone() }
}

/// The snapshot that the address states: a link that was sent shows the figures that its sender saw, whatever was loaded since.
fn pinned(parameters: &BTreeMap<String, Vec<String>>) -> Result<Option<i64>> {
    let Some(asked) = parameters.get("snapshot").and_then(|values| values.first()).filter(|asked| !asked.is_empty())
    else {
        return Ok(None);
    };
    let number = asked.parse().ok().filter(|number: &i64| *number > 0);
    number.map(Some).ok_or_else(|| {
        Error::new(
            Code::BadRequest,
            format!("parameter `snapshot`: `{asked}` is not allowed; write the number of a snapshot"),
        )
    })
}

/// The same words for what does not exist and what may not be seen.
fn no_such(report: &Report) -> Error {
    Error::new(Code::NoSuchObject, format!("no report `{}`, or no right to see it in this scope", *report.name))
}

/// The schemas that the principal may read: the whole bank first, then branches by key.
async fn scopes(door: &Door, principal: &Principal, lang: Lang) -> Result<Vec<Choice>> {
    let mut scopes = Vec::new();
    if matches!(principal.scope, Scope::HeadOffice) {
        let label = locale::message(lang, "report-head-office", &[]);
        scopes.push(Choice { value: HEAD_OFFICE.to_owned(), label });
    }
    let branches = door.branches_of(principal).await?;
    scopes.extend(branches.into_iter().map(|branch| Choice { label: branch_label(&branch, lang), value: branch.key }));
    Ok(scopes)
}

/// The organisation table names members in one language; the key, capitalised, serves where that is not the reader's.
fn branch_label(branch: &Branch, lang: Lang) -> String {
    let mut characters = branch.key.chars();
    match (lang, characters.next()) {
        (Lang::En, Some(first)) if !branch.name.is_ascii() => first.to_uppercase().chain(characters).collect(),
        _ => branch.name.clone(),
    }
}

async fn collect(
    door: &Door,
    principal: &Principal,
    head: &HeadInfo,
    scope: &str,
    dataset: &model::report::Dataset,
    history: Option<History>,
    parameters: &[Resolved],
) -> Result<(Dataset, DatasetEvidence)> {
    let name = dataset.name.as_str();
    let started = Instant::now();
    let statement = Statement {
        parameters: parameter::bind(&dataset.sql, parameters)?,
        schema: Some(scope.to_owned()),
        snapshot: Some(head.snapshot_id),
        history,
        ..Statement::new(dataset.sql.clone())
    };
    let limit = dataset.rows.unwrap_or(dataset.max_rows);
    let collected =
        door.collect(principal, Face::Report, statement, limit).await.map_err(|error| match error.code() {
            Code::Limit => limit_error(dataset).caused_by(error),
            code => {
                Error::new(code, format!("dataset `{name}` ({}): {}", *dataset.file, error.message())).caused_by(error)
            }
        })?;
    let rows = read(&collected.batches)?;
    check_rows(dataset, rows.len())?;
    let fields = collected.schema.fields();
    let columns = fields.iter().map(|field| field.name().clone()).collect();
    let types = fields.iter().map(|field| field.data_type().clone()).collect();
    let read = Dataset { name: name.to_owned(), columns, types, rows };
    let texts =
        |value: &serde_json::Value| -> Vec<String> { value.as_array().into_iter().flatten().map(text).collect() };
    let routes = collected.provenance["rollups"]["routes"].as_array();
    let history: BTreeSet<String> =
        routes.into_iter().flatten().filter_map(|route| Some(route["history"].as_str()?.to_owned())).collect();
    let evidence = DatasetEvidence {
        name: name.to_owned(),
        query_id: collected.query_id,
        rows: read.rows.len(),
        rows_sha256: sha256(csv::text(&read).as_bytes()),
        records: collected.provenance["records"] == true,
        sql: dataset.sql.clone(),
        sql_sha256: sha256(dataset.sql.as_bytes()),
        rollups: texts(&collected.provenance["rollups"]["used"]),
        history: history.into_iter().collect(),
        refused: collected.provenance["rollups"]["refused"].clone(),
        notices: texts(&collected.provenance["notices"]),
        duration_ms: milliseconds(started),
    };
    Ok((read, evidence))
}

/// `rows` is exact, `max_rows` a promise: nothing is cut in silence.
pub(super) fn check_rows(dataset: &model::report::Dataset, found: usize) -> Result<()> {
    let found = found as u64;
    match dataset.rows {
        Some(rows) if rows != found => Err(Error::new(
            Code::Definition,
            format!("dataset `{}` ({}) promises {rows} rows and has {found}", *dataset.name, *dataset.file),
        )),
        None if found > dataset.max_rows => Err(limit_error(dataset)),
        _ => Ok(()),
    }
}

fn limit_error(dataset: &model::report::Dataset) -> Error {
    let limit = dataset.rows.unwrap_or(dataset.max_rows);
    Error::new(
        Code::Limit,
        format!(
            "dataset `{}` ({}) has more than its {limit} rows; nothing is cut: raise `max_rows` or narrow the query",
            *dataset.name, *dataset.file
        ),
    )
}

pub(super) fn read(batches: &[arrow::array::RecordBatch]) -> Result<Vec<Vec<Value>>> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            rows.push(batch.columns().iter().map(|column| Value::read(column, row)).collect::<Result<_>>()?);
        }
    }
    Ok(rows)
}

#[expect(clippy::too_many_arguments, reason = "each is a part of the evidence, used once")]
fn evidence(
    principal: &Principal,
    head: &HeadInfo,
    completeness: &Completeness,
    scope: &Choice,
    scopes: &[Choice],
    parameters: &[Resolved],
    datasets: Vec<DatasetEvidence>,
    started: Instant,
) -> Evidence {
    // A branch is told of its own close only.
    let whole = scope.value == HEAD_OFFICE;
    let open = completeness.open.iter().filter(|branch| whole || **branch == scope.value);
    let open: Vec<String> = open.map(|branch| named(branch, scopes)).collect();
    let branches = if whole { completeness.of } else { 1 };
    let closed = branches - open.len().min(branches);
    Evidence {
        principal: principal.name.clone(),
        fingerprint: principal.fingerprint(),
        snapshot: head.snapshot_id,
        snapshot_created_at: head.created_at,
        newest: head.as_of,
        closed,
        branches,
        open,
        parameters: parameters.to_vec(),
        datasets,
        tie_out: tie_out(head, matches!(principal.scope, Scope::HeadOffice)),
        engine: env!("CARGO_PKG_VERSION"),
        duration_ms: milliseconds(started),
    }
}

fn named(branch: &str, scopes: &[Choice]) -> String {
    scopes.iter().find(|choice| choice.value == branch).map_or_else(|| branch.to_owned(), |choice| choice.label.clone())
}

/// The tie-out compares head office with all branches, so it is told to those who may read all branches.
fn tie_out(head: &HeadInfo, whole_bank: bool) -> TieOut {
    if !whole_bank || head.tie_out.is_empty() {
        return TieOut::NotChecked;
    }
    let differing: Vec<String> =
        head.tie_out.iter().filter(|one| !one.equal).map(|one| format!("{}.{}", one.cube, one.measure)).collect();
    if differing.is_empty() { TieOut::Agrees(head.tie_out.len()) } else { TieOut::Differs(differing) }
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn milliseconds(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}
