//! Records as files. Tables of the schema `evaluation` go out as CSV and XLSX; answers, cash flows and targets come in as a
//! sheet that somebody filled in, for which there is a template with what stands there now.
//!
//! What comes in is written whole or not at all: columns, cells and then the documents by the rules of their kinds are checked
//! before anything is written, and a fault names the line of the file and the column. A row that says nothing is passed over, a
//! cell that is left empty changes no figure of a case, and a document that stays as it is gets no new version.

mod sheet;
#[cfg(test)]
mod tests;
mod workbook;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::maturity::{self, Answer, Evidence, EvidenceKind};
use super::table::{both, days};
use super::{Cell, Draft, Evaluation, Fault, Kind, Refused, Table, Type, View, known, missing, outcome, roi};
use crate::auth::Principal;
use crate::catalog::RecordRow;
use crate::error::Result;
use crate::model::evaluation::SCHEMA;
use crate::report::document::Dataset;
use crate::report::format;
use crate::report::value::{Number, Value as Figure};

pub use sheet::{BYTES_MAX, Sheet, read};

/// A table as CSV: RFC 4180, UTF-8 with byte order mark, no cell that a spreadsheet would run as a formula.
///
/// # Errors
/// None: this form has no bounds. It answers as [`xlsx`] does.
pub fn csv(table: &Table, view: &View) -> Result<Vec<u8>> {
    Ok(format::csv::file(&exported(table, view)))
}

/// Tables as a workbook of typed cells, a sheet each. Two exports of the same records are the same bytes.
///
/// # Errors
/// `LIMIT` for a table that a sheet cannot hold.
pub fn xlsx(tables: &[&Table], view: &View) -> Result<Vec<u8>> {
    let datasets: Vec<Dataset> = tables.iter().map(|table| exported(table, view)).collect();
    format::xlsx::workbook(SCHEMA, &datasets, moment(view))
}

fn exported(table: &Table, view: &View) -> Dataset {
    dataset(table.name, table.columns, (table.rows)(view))
}

/// The moment of a file is that of the newest record in it.
fn moment(view: &View) -> Timestamp {
    view.records().map(|row| row.recorded_at).max().unwrap_or(Timestamp::UNIX_EPOCH)
}

fn dataset(name: &str, columns: &[(&str, Type)], rows: Vec<Vec<Cell>>) -> Dataset {
    Dataset {
        name: name.to_owned(),
        columns: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
        types: columns.iter().map(|(_, kind)| kind.arrow()).collect(),
        rows: rows.into_iter().map(|row| row.into_iter().map(figure).collect()).collect(),
    }
}

fn figure(cell: Cell) -> Figure {
    match cell {
        Cell::Null => Figure::Null,
        Cell::Text(text) => Figure::Text(text),
        Cell::Integer(value) => Figure::Number(Number { unscaled: value.into(), scale: 0 }),
        Cell::Number(value) => decimal(value),
        Cell::Money(value) => Figure::Number(Number { unscaled: (value * 100.0).round() as i128, scale: 2 }),
        Cell::Flag(value) => Figure::Boolean(value),
        Cell::Day(day) => Figure::Date(days(day)),
        Cell::Time(time) => Figure::Text(time.to_string()),
    }
}

/// A number to fifteen significant digits, as many as a spreadsheet keeps.
fn decimal(value: f64) -> Figure {
    if !value.is_finite() {
        return Figure::Null;
    }
    let rounded: f64 = format!("{value:.14e}").parse().unwrap_or(value);
    let text = rounded.to_string();
    match Number::parse(&text) {
        Some(number) => Figure::Number(number),
        None => Figure::Text(text),
    }
}

/// What may be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Import {
    /// Answers of whoever imports them, to an assessment.
    Answers,
    /// Estimates and actual flows of a case, by line and period.
    Cash,
    /// Targets of KPIs, by organisation and period.
    Targets,
}

const ANSWERS: &[(&str, Type)] = &[
    ("item", Type::Text),
    ("name", Type::Text),
    ("name_en", Type::Text),
    ("score", Type::Number),
    ("not_applicable", Type::Flag),
    ("evidence_kind", Type::Text),
    ("evidence", Type::Text),
    ("comment", Type::Text),
];
const CASH: &[(&str, Type)] = &[
    ("line", Type::Text),
    ("name", Type::Text),
    ("name_en", Type::Text),
    ("period", Type::Integer),
    ("low", Type::Number),
    ("likely", Type::Number),
    ("high", Type::Number),
    ("actual", Type::Number),
];
const TARGETS: &[(&str, Type)] = &[
    ("kpi", Type::Text),
    ("name", Type::Text),
    ("name_en", Type::Text),
    ("unit", Type::Text),
    ("organisation", Type::Text),
    ("period", Type::Text),
    ("target", Type::Number),
    ("low", Type::Number),
    ("high", Type::Number),
    ("tolerance", Type::Number),
];
/// Columns of a template that tell people what a row is about. They may be missing, and are not taken.
const TOLD: [&str; 3] = ["name", "name_en", "unit"];

impl Import {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Answers, Self::Cash, Self::Targets];

    /// Stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Cash => "cash",
            Self::Targets => "targets",
        }
    }

    /// From its stable text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|what| what.as_str() == text)
    }

    /// The kind of the records that it writes.
    fn kind(self) -> &'static str {
        match self {
            Self::Answers => maturity::ANSWER,
            Self::Cash => roi::CASE,
            Self::Targets => outcome::TARGET,
        }
    }

    /// Columns of its template.
    fn columns(self) -> &'static [(&'static str, Type)] {
        match self {
            Self::Answers => ANSWERS,
            Self::Cash => CASH,
            Self::Targets => TARGETS,
        }
    }
}

/// Writes what a sheet says: the caller's answers to the assessment `into`; one new version of the case `into`; targets, where
/// rows that name no organisation are those of the organisation `into`. Gives the number of records that changed.
///
/// # Errors
/// As [`Evaluation::put`]; the field of a fault is `row 7, score`, or `header` for a column that is unknown or missing.
pub async fn import(
    evaluation: &Evaluation,
    principal: &Principal,
    what: Import,
    into: &str,
    sheet: &Sheet,
    reason: &str,
) -> Result<usize, Refused> {
    let kind = evaluation.writable(principal, what.kind())?;
    let view = evaluation.view(principal).await?;
    let planned = plan(&view, kind, what, into, sheet)?;
    if planned.is_empty() {
        return Ok(0);
    }
    let records = planned.into_iter().map(|one| (kind.name(), one.id, one.after, one.body)).collect();
    Ok(evaluation.put_all(principal, records, reason).await?.len())
}

/// A workbook to be filled in and imported: the items of an assessment, the lines and periods of a case, or all KPIs of an
/// organisation, with what stands there now.
///
/// # Errors
/// `NO_SUCH_OBJECT` for an assessment or case that does not exist or may not be seen.
pub fn template(what: Import, view: &View, into: &str) -> Result<Vec<u8>> {
    let rows = match what {
        Import::Answers => answers_now(view, into)?,
        Import::Cash => cash_now(view, into)?,
        Import::Targets => targets_now(view, into),
    };
    // Empty cells of a column of text are text too, so that what is typed there stays as it is typed.
    let texts = |(cell, (_, kind)): (Cell, &(&str, Type))| match (cell, kind) {
        (Cell::Null, Type::Text) => Cell::text(""),
        (cell, _) => cell,
    };
    let rows = rows.into_iter().map(|row| row.into_iter().zip(what.columns()).map(texts).collect()).collect();
    let sheet = dataset(what.as_str(), what.columns(), rows);
    format::xlsx::workbook(what.as_str(), &[sheet], moment(view))
}

/// A document that is to be written, and where in the sheet its fields stand.
#[derive(Debug)]
struct Planned {
    id: String,
    after: u32,
    body: Value,
    /// Line of its first row.
    line: usize,
    /// Line and column by path. Where there is no column, what a path goes on with is the column.
    places: BTreeMap<String, (usize, &'static str)>,
}

impl Planned {
    /// A document over what stands there now.
    fn new(id: String, before: Option<&RecordRow>, body: Value, line: usize) -> Self {
        Self { id, after: before.map_or(0, |row| row.version), body, line, places: BTreeMap::new() }
    }

    /// Says where a field stands; false where it stood somewhere already.
    fn place(&mut self, path: String, line: usize, column: &'static str) -> bool {
        self.places.insert(path, (line, column)).is_none()
    }

    /// Line and column of a field of the document.
    fn find<'a>(&self, field: &'a str) -> (usize, &'a str) {
        let mut path = field;
        loop {
            if let Some((line, column)) = self.places.get(path) {
                let rest = field.get(path.len()..).unwrap_or_default().trim_start_matches('.');
                return (*line, if column.is_empty() { rest } else { column });
            }
            match path.rsplit_once('.') {
                Some((above, _)) => path = above,
                None => return (self.line, field),
            }
        }
    }
}

/// What is wrong with a sheet, each with its line; 0 for the header.
#[derive(Debug, Default)]
struct Faults(Vec<(usize, Fault)>);

impl Faults {
    fn header(&mut self, value: &str, rule: &'static str) {
        self.0.push((0, Fault { field: "header".to_owned(), value: shortened(value), rule }));
    }

    fn row(&mut self, line: usize, column: &str, value: &str, rule: &'static str) {
        let field = if column.is_empty() { format!("row {line}") } else { format!("row {line}, {column}") };
        self.0.push((line, Fault { field, value: shortened(value), rule }));
    }
}

/// As much of a cell as a message shows.
fn shortened(value: &str) -> String {
    value.chars().take(100).collect()
}

/// The documents that a sheet makes, each checked by the rules of its kind; without those that stay as they are.
fn plan(view: &View, kind: &dyn Kind, what: Import, into: &str, sheet: &Sheet) -> Result<Vec<Planned>, Refused> {
    let mut faults = Faults::default();
    let rows = rows(what, sheet, &mut faults);
    let planned = match what {
        Import::Answers => answers(view, into, &rows, &mut faults)?,
        Import::Cash => cash(view, into, &rows, &mut faults)?,
        Import::Targets => targets(view, into, &rows, &mut faults),
    };
    let mut changed = Vec::new();
    for one in planned {
        let before = view.record(kind.name(), &one.id);
        let draft = Draft { id: &one.id, before, by: &view.principal, view };
        let checked = kind.check(&draft, one.body.clone());
        match checked.and_then(|checked| {
            known(view, before, before.map_or(0, |row| row.version), &checked.organisation).map(|()| checked)
        }) {
            Ok(checked) if before.is_some_and(|row| row.body == checked.body) => {}
            Ok(_) => changed.push(one),
            Err(Refused::Faults(found)) => {
                for fault in found {
                    let (line, column) = one.find(&fault.field);
                    faults.row(line, column, &fault.value, fault.rule);
                }
            }
            Err(refused) => return Err(refused),
        }
    }
    if faults.0.is_empty() {
        return Ok(changed);
    }
    faults.0.sort_by_key(|(line, _)| *line);
    Err(faults.0.into_iter().map(|(_, fault)| fault).collect::<Vec<_>>().into())
}

/// A row by its columns.
#[derive(Debug)]
struct Row<'a> {
    line: usize,
    cells: BTreeMap<&'static str, &'a str>,
}

impl Row<'_> {
    /// The text of a cell; empty where there is none.
    fn get(&self, column: &str) -> &str {
        self.cells.get(column).copied().unwrap_or_default()
    }

    /// The number of a cell; none where it is empty.
    fn number(&self, column: &'static str, faults: &mut Faults) -> Option<f64> {
        let text = self.get(column);
        if text.is_empty() {
            return None;
        }
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        if number.is_none() {
            faults.row(self.line, column, text, "number");
        }
        number
    }

    /// Whether a cell says yes.
    fn flag(&self, column: &'static str, faults: &mut Faults) -> bool {
        let text = self.get(column);
        match text.to_lowercase().as_str() {
            "" | "false" | "0" | "no" | "n" | "否" => false,
            "true" | "1" | "yes" | "y" | "x" | "是" => true,
            _ => {
                faults.row(self.line, column, text, "flag");
                false
            }
        }
    }

    /// Some text of a cell that must not be empty.
    fn needed(&self, column: &'static str, faults: &mut Faults) -> Option<&str> {
        let text = self.get(column);
        if text.is_empty() {
            faults.row(self.line, column, "", "required");
        }
        Some(text).filter(|text| !text.is_empty())
    }
}

/// The rows of a sheet by the columns of its form; none where the header is wrong.
fn rows<'a>(what: Import, sheet: &'a Sheet, faults: &mut Faults) -> Vec<Row<'a>> {
    let mut places: Vec<Option<&'static str>> = Vec::with_capacity(sheet.header.len());
    for name in &sheet.header {
        let lower = name.to_lowercase();
        let column = what.columns().iter().map(|(known, _)| *known).find(|known| *known == lower);
        match column {
            None if !name.is_empty() => faults.header(name, "column"),
            Some(known) if places.contains(&Some(known)) => faults.header(name, "duplicate"),
            _ => {}
        }
        places.push(column);
    }
    let needed = what.columns().iter().map(|(known, _)| *known).filter(|known| !TOLD.contains(known));
    for known in needed.filter(|known| !places.contains(&Some(*known))) {
        faults.header(known, "missing_column");
    }
    if !faults.0.is_empty() {
        return Vec::new();
    }
    if sheet.rows.is_empty() {
        faults.row(2, "", "", "required");
    }
    let mut rows = Vec::with_capacity(sheet.rows.len());
    for (line, cells) in &sheet.rows {
        let mut row = Row { line: *line, cells: BTreeMap::new() };
        for (at, cell) in cells.iter().map(|cell| cell.trim()).enumerate() {
            match places.get(at).copied().flatten() {
                Some(column) => _ = row.cells.insert(column, cell),
                // Below no name.
                None if !cell.is_empty() => faults.row(*line, "", cell, "column"),
                None => {}
            }
        }
        rows.push(row);
    }
    rows
}

/// Answers: the first row of an item gives the answer and its evidence, further ones more evidence.
fn answers(view: &View, into: &str, rows: &[Row<'_>], faults: &mut Faults) -> Result<Vec<Planned>, Refused> {
    if view.record(maturity::ASSESSMENT, into).is_none() {
        return Err(missing(maturity::ASSESSMENT, into).into());
    }
    let assessor = &view.principal.name;
    let mut given: Vec<(&str, usize, bool, Answer)> = Vec::new();
    for row in rows {
        let count = faults.0.len();
        let (score, not_applicable) = (row.number("score", faults), row.flag("not_applicable", faults));
        let (comment, evidence) = (row.get("comment"), evidence(row, faults));
        let judges = score.is_some() || not_applicable || !comment.is_empty();
        let mut is_sound = faults.0.len() == count;
        if is_sound && !judges && evidence.is_none() {
            continue;
        }
        let Some(item) = row.needed("item", faults) else { continue };
        if view.definitions.maturity.item(item).is_none() {
            faults.row(row.line, "item", item, "unknown");
            continue;
        }
        match given.iter_mut().find(|(of, ..)| *of == item) {
            None => {
                let before = maturity::answer(view, into, item, assessor);
                // A sheet has no column for it, so it stays unless the row judges by itself.
                let radar = before.radar.filter(|_| score.is_none() && !not_applicable);
                let evidence = evidence.into_iter().collect();
                let answer = Answer { score, radar, not_applicable, evidence, comment: comment.to_owned() };
                given.push((item, row.line, is_sound, answer));
            }
            Some((.., first_is_sound, answer)) => {
                if judges {
                    faults.row(row.line, "item", item, "duplicate");
                    is_sound = false;
                }
                answer.evidence.extend(evidence);
                *first_is_sound &= is_sound;
            }
        }
    }
    let planned = given.into_iter().filter(|(_, _, is_sound, _)| *is_sound).map(|(item, line, _, mut answer)| {
        let before = maturity::answer(view, into, item, assessor);
        for evidence in &mut answer.evidence {
            let same = |known: &&Evidence| known.kind == evidence.kind && known.reference == evidence.reference;
            evidence.result = before.evidence.iter().find(same).and_then(|known| known.result.clone());
        }
        let id = format!("{into}/{item}/{assessor}");
        let before = view.record(maturity::ANSWER, &id);
        let mut one = Planned::new(id, before, json!(answer), line);
        one.place(item.to_owned(), line, "");
        one
    });
    Ok(planned.collect())
}

/// The evidence of a row; its kind and reference stand and fall together.
fn evidence(row: &Row<'_>, faults: &mut Faults) -> Option<Evidence> {
    if row.get("evidence_kind").is_empty() && row.get("evidence").is_empty() {
        return None;
    }
    let (kind, reference) = (row.needed("evidence_kind", faults), row.needed("evidence", faults));
    let (kind, reference) = (kind?, reference?);
    let Some(kind) = EvidenceKind::parse(&kind.to_lowercase()) else {
        faults.row(row.line, "evidence_kind", kind, "unknown");
        return None;
    };
    Some(Evidence { kind, reference: reference.to_owned(), result: None })
}

fn answers_now(view: &View, into: &str) -> Result<Vec<Vec<Cell>>> {
    if view.record(maturity::ASSESSMENT, into).is_none() {
        return Err(missing(maturity::ASSESSMENT, into));
    }
    let mut rows = Vec::new();
    for (_, item) in view.definitions.maturity.items() {
        let Answer { score, not_applicable, evidence, comment, .. } =
            maturity::answer(view, into, &item.key, &view.principal.name);
        let [name, name_en] = both(&item.name);
        let mut shown = evidence.iter().map(|one| [Cell::text(one.kind.as_str()), Cell::text(&one.reference)]);
        let [kind, reference] = shown.next().unwrap_or([Cell::Null, Cell::Null]);
        let judged = [Cell::number(score), if not_applicable { Cell::Flag(true) } else { Cell::Null }];
        let head = [Cell::text(&item.key), name, name_en];
        rows.push(head.iter().cloned().chain(judged).chain([kind, reference, Cell::text(&comment)]).collect());
        for more in shown {
            rows.push(head.iter().cloned().chain([Cell::Null, Cell::Null]).chain(more).chain([Cell::Null]).collect());
        }
    }
    Ok(rows)
}

/// Columns of a case's figures, as its lines call them.
const FLOWS: [&str; 4] = ["low", "likely", "high", "actual"];

/// A new version of a case, with the figures that the sheet has.
fn cash(view: &View, into: &str, rows: &[Row<'_>], faults: &mut Faults) -> Result<Vec<Planned>, Refused> {
    let before = view.record(roi::CASE, into).ok_or_else(|| missing(roi::CASE, into))?;
    let periods = periods(&before.body);
    let first = rows.first().map_or(2, |row| row.line);
    let mut one = Planned::new(into.to_owned(), Some(before), before.body.clone(), first);
    let count = faults.0.len();
    for row in rows {
        let flows = FLOWS.map(|column| (column, row.number(column, faults)));
        if flows.iter().all(|(column, _)| row.get(column).is_empty()) {
            continue;
        }
        let (Some(key), Some(period)) = (row.needed("line", faults), row.needed("period", faults)) else { continue };
        let lines = one.body.get_mut("lines").and_then(Value::as_array_mut);
        let Some(line) = lines.into_iter().flatten().find(|line| line["line"] == key) else {
            faults.row(row.line, "line", key, "unknown");
            continue;
        };
        let Some(at) = period.parse::<usize>().ok().filter(|at| *at < periods) else {
            faults.row(row.line, "period", period, "case_period");
            continue;
        };
        for (column, flow) in flows.iter().filter_map(|(column, flow)| Some((*column, (*flow)?))) {
            set(line, column, periods, at, flow);
        }
        for (column, _) in flows.into_iter().filter(|(_, flow)| flow.is_some()) {
            if !one.place(format!("lines.{key}.{column}.{at}"), row.line, column) {
                faults.row(row.line, column, row.get(column), "duplicate");
            }
        }
        one.places.entry(format!("lines.{key}")).or_insert((row.line, ""));
    }
    // A case with only a part of its figures would break other rules than the sheet does.
    Ok(if faults.0.len() == count { vec![one] } else { Vec::new() })
}

/// Periods of a case, t = 0 among them.
fn periods(case: &Value) -> usize {
    case["periods"].as_u64().and_then(|periods| usize::try_from(periods).ok()).unwrap_or_default()
}

/// Writes a figure of a period. A line without such estimates has the likely ones, and one without actual flows has none.
fn set(line: &mut Value, column: &str, periods: usize, period: usize, figure: f64) {
    let list = |line: &Value, column: &str| line[column].as_array().cloned().unwrap_or_default();
    let mut figures = list(line, column);
    if figures.is_empty() && column != "actual" {
        figures = list(line, "likely");
    }
    let usual = if column == "actual" { Value::Null } else { json!(0.0) };
    figures.resize(periods, usual);
    if let Some(known) = figures.get_mut(period) {
        *known = json!(figure);
    }
    line[column] = Value::Array(figures);
}

fn cash_now(view: &View, into: &str) -> Result<Vec<Vec<Cell>>> {
    let case = &view.record(roi::CASE, into).ok_or_else(|| missing(roi::CASE, into))?.body;
    let model = &view.definitions.roi;
    let of_category = |key: &str| {
        let cost = model.costs.iter().find(|cost| *cost.key == *key).map(|cost| &cost.name);
        cost.or_else(|| model.benefits.iter().find(|benefit| *benefit.key == *key).map(|benefit| &benefit.name))
    };
    let periods = periods(case);
    let mut rows = Vec::new();
    for line in case["lines"].as_array().into_iter().flatten() {
        let text = |key: &str| line[key].as_str().unwrap_or_default();
        let names = match (text("name"), of_category(text("category"))) {
            ("", Some(label)) => both(label),
            (own, _) => [Cell::text(own), Cell::Null],
        };
        for period in 0..periods {
            let flow = |column: &str| Cell::number(line[column].get(period).and_then(Value::as_f64));
            let at = Cell::Integer(i64::try_from(period).unwrap_or(i64::MAX));
            let head = std::iter::once(Cell::text(text("line"))).chain(names.iter().cloned()).chain([at]);
            rows.push(head.chain(FLOWS.map(flow)).collect());
        }
    }
    Ok(rows)
}

/// Columns of a target's figures, as the documents call them.
const AIMS: [&str; 4] = ["target", "low", "high", "tolerance"];

/// Targets, a document for each KPI and organisation; those of periods that the sheet does not name stay.
fn targets(view: &View, into: &str, rows: &[Row<'_>], faults: &mut Faults) -> Vec<Planned> {
    let mut planned: Vec<Planned> = Vec::new();
    for row in rows {
        let count = faults.0.len();
        let aims = AIMS.map(|column| (column, row.number(column, faults)));
        if aims.iter().all(|(column, _)| row.get(column).is_empty()) {
            continue;
        }
        let (kpi, period) = (row.needed("kpi", faults), row.needed("period", faults).map(recorded));
        let organisation = Some(row.get("organisation")).filter(|name| !name.is_empty()).unwrap_or(into);
        if organisation.is_empty() {
            faults.row(row.line, "organisation", "", "required");
        }
        if let Some(kpi) = kpi.filter(|kpi| view.definitions.library.kpi(kpi).is_none()) {
            faults.row(row.line, "kpi", kpi, "unknown");
        }
        let (Some(kpi), Some(period), true) = (kpi, period, faults.0.len() == count) else { continue };
        let id = format!("{kpi}/{organisation}");
        let at = planned.iter().position(|one| one.id == id).unwrap_or_else(|| {
            let before = view.record(Import::Targets.kind(), &id);
            let fresh = || json!({"kpi": kpi, "organisation": organisation, "baseline": null, "targets": {}});
            let body = before.map_or_else(fresh, |row| row.body.clone());
            planned.push(Planned::new(id, before, body, row.line));
            planned.len() - 1
        });
        let Some(one) = planned.get_mut(at) else { continue };
        let said = aims.into_iter().filter_map(|(column, aim)| Some((column.to_owned(), json!(aim?))));
        if let Some(targets) = one.body.get_mut("targets").and_then(Value::as_object_mut) {
            targets.insert(period.clone(), Value::Object(said.collect::<Map<_, _>>()));
        }
        if !one.place(format!("targets.{period}"), row.line, "") {
            faults.row(row.line, "period", &period, "duplicate");
        }
    }
    planned
}

/// A period as it is recorded, `2026-q2`; spreadsheets make a day of `2026-06`.
fn recorded(period: &str) -> String {
    match (period.len(), period.parse::<Date>()) {
        (10, Ok(day)) => day.strftime("%Y-%m").to_string(),
        _ => period.to_lowercase(),
    }
}

fn targets_now(view: &View, into: &str) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for kpi in &view.definitions.library.kpis {
        let [name, name_en] = both(&kpi.name);
        let head = [Cell::text(&kpi.key), name, name_en, Cell::text(&kpi.unit), Cell::text(into)];
        let known = view.record(Import::Targets.kind(), &format!("{}/{into}", *kpi.key));
        let targets = known.and_then(|row| row.body.get("targets")).and_then(Value::as_object);
        let mut row =
            |period: Cell, aims: [Cell; 4]| rows.push(head.iter().cloned().chain([period]).chain(aims).collect());
        match targets.filter(|targets| !targets.is_empty()) {
            None => row(Cell::Null, [Cell::Null, Cell::Null, Cell::Null, Cell::Null]),
            Some(targets) => {
                for (period, aims) in targets {
                    row(Cell::text(period), AIMS.map(|column| Cell::number(aims[column].as_f64())));
                }
            }
        }
    }
    rows
}
