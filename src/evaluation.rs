//! The evaluation of the CRM programme: how mature the bank's customer relationship management is, whether it pays, what it
//! achieved, how far its introduction has come. Design: `evaluation.md`.
//!
//! What people record is a **record**: a document of a [`Kind`], kept in the catalog with every version it ever had, of one
//! organisation. Figures are computed from records by `analysis` and never typed. Tables over the records ([`TABLES`]) are the
//! SQL schema `evaluation`; both faces and the pages go through [`Evaluation`], which knows who may see and write what.
//!
//! A further kind, table or area is one file and its lines in [`KINDS`] and [`TABLES`].

pub mod bank;
pub mod exchange;
pub mod maturity;
mod measuring;
pub mod outcome;
pub mod project;
mod record;
pub mod roi;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Semaphore;

pub use self::record::{Change, Checked, Draft, Fault, HEAD_OFFICE, Kind, Refused, changes};
pub(crate) use self::record::{faults, required};
pub use self::table::{Cell, Table, Type, View};
use crate::auth::{Only, Principal, Scope};
use crate::catalog::{Catalog, NewRecord, RecordRow, Recorded};
use crate::error::{Code, Error, Result};
pub use crate::model::evaluation::Definitions;
use crate::model::evaluation::SCHEMA;
use crate::query::{Branch, Door, Records};

/// Who answers assessments, enters flows, targets and progress, for the organisation of their scope.
pub const ASSESSOR: &str = "assessor";
/// Who reviews, locks and approves, and sets up what is assessed.
pub const REVIEWER: &str = "reviewer";

/// Every kind of record.
pub const KINDS: &[&dyn Kind] = &[
    &maturity::AssessmentKind,
    &maturity::AnswerKind,
    &maturity::MeasurementKind,
    &maturity::TargetKind,
    &roi::CaseKind,
    &roi::ResultKind,
    &outcome::TargetKind,
    &outcome::ValueKind,
    &outcome::IssueKind,
    &outcome::ActionKind,
    &project::ProjectKind,
];

/// Every table of the schema `evaluation`, area by area.
pub const TABLES: &[&[Table]] =
    &[record::TABLES, maturity::TABLES, bank::TABLES, roi::TABLES, outcome::TABLES, project::TABLES];

/// The records and what they mean; rows for the query door. Clones share it.
#[derive(Debug, Clone)]
pub struct Book {
    catalog: Catalog,
    definitions: Arc<Definitions>,
}

impl Book {
    /// The book of a catalog.
    pub fn new(catalog: Catalog, definitions: Arc<Definitions>) -> Self {
        Self { catalog, definitions }
    }
}

#[async_trait]
impl Records for Book {
    fn schema(&self) -> &str {
        SCHEMA
    }

    fn roles(&self) -> &[&str] {
        &[ASSESSOR, REVIEWER]
    }

    fn tables(&self) -> Vec<(&str, &str, SchemaRef)> {
        TABLES.iter().copied().flatten().map(|table| (table.name, table.description, table.schema())).collect()
    }

    async fn rows(&self, name: &str, principal: &Principal, branches: &[Branch]) -> Result<Option<RecordBatch>> {
        let Some(table) = TABLES.iter().copied().flatten().find(|table| table.name == name) else { return Ok(None) };
        table.batch(&View::open(self, principal, branches).await?).map(Some)
    }
}

/// The evaluation, opened. Clones share it.
#[derive(Debug, Clone)]
pub struct Evaluation {
    book: Book,
    door: Door,
    /// Turns of those who compute.
    computing: Arc<Semaphore>,
}

impl Evaluation {
    /// The evaluation over its book; statements that measure go through the door.
    pub fn new(book: Book, door: Door) -> Self {
        Self { book, door, computing: Arc::new(Semaphore::new(1)) }
    }

    /// Models, templates and libraries.
    pub fn definitions(&self) -> &Definitions {
        &self.book.definitions
    }

    /// What a principal may see of all records.
    ///
    /// # Errors
    /// `NO_SUCH_OBJECT` for whom the evaluation does not exist.
    pub async fn view(&self, principal: &Principal) -> Result<View> {
        if !self.is_open_to(principal) {
            return Err(Error::new(Code::NoSuchObject, "There is no evaluation, or no right to see it."));
        }
        let branches = match self.door.branches_of(principal).await {
            Ok(branches) => branches,
            // Before the first load there are records of the bank alone.
            Err(error) if error.code() == Code::NoSnapshot => Vec::new(),
            Err(error) => return Err(error),
        };
        View::open(&self.book, principal, &branches).await
    }

    /// Whether the evaluation exists for a principal, besides what reports show of it.
    pub fn is_open_to(&self, principal: &Principal) -> bool {
        self.door.may_read_records(principal) && principal.only.reports.is_none()
    }

    /// The newest version of a record.
    ///
    /// # Errors
    /// `NO_SUCH_OBJECT`, in the same words for what does not exist and what may not be seen.
    pub async fn get(&self, principal: &Principal, kind: &str, id: &str) -> Result<RecordRow> {
        let view = self.view(principal).await?;
        view.record(kind, id).cloned().ok_or_else(|| missing(kind, id))
    }

    /// Every change of a record that a principal may see, field by field, the oldest first.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn history(&self, principal: &Principal, kind: &str, id: &str) -> Result<Vec<Change>> {
        self.get(principal, kind, id).await?;
        let mut versions = self.book.catalog.records().await?;
        versions.retain(|row| row.kind == kind && row.id == id);
        Ok(changes(&versions))
    }

    /// Writes a document: a record that is new (`after` 0) or the next version after the one that its writer saw.
    ///
    /// # Errors
    /// [`Refused`]: what is wrong with which field, that somebody wrote first, that a record is closed, or a missing right.
    pub async fn put(
        &self,
        principal: &Principal,
        kind: &str,
        id: &str,
        after: u32,
        body: Value,
        reason: &str,
    ) -> Result<RecordRow, Refused> {
        let kind = self.writable(principal, kind)?;
        let view = self.view(principal).await?;
        let body = match kind.name() {
            maturity::ANSWER => maturity::with_evidence(&self.door, &view, id, body).await?,
            _ => body,
        };
        let before = view.record(kind.name(), id);
        let draft = Draft { id, before, by: principal, view: &view };
        let checked = kind.check(&draft, body)?;
        known(&view, before, after, &checked.organisation)?;
        self.keep(principal, kind, id, after, checked, reason).await
    }

    /// Takes a step in a record's life: `submit`, `review`, `lock`, `approve`, whatever its kind knows.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub async fn act(
        &self,
        principal: &Principal,
        kind: &str,
        id: &str,
        after: u32,
        action: &str,
        reason: &str,
    ) -> Result<RecordRow, Refused> {
        let kind = self.writable(principal, kind)?;
        // Steps that ask the cubes, or write another record.
        match (kind.name(), action) {
            (maturity::ASSESSMENT, "measure") => return maturity::measure(self, principal, id).await,
            (roi::CASE, "compute") => return roi::compute(self, principal, id).await,
            (roi::CASE, "refresh") => return roi::refresh(self, principal, id, after, reason).await,
            _ => {}
        }
        let view = self.view(principal).await?;
        let Some(before) = view.record(kind.name(), id) else { return Err(missing(kind.name(), id).into()) };
        let draft = Draft { id, before: Some(before), by: principal, view: &view };
        let checked = kind.act(&draft, action, reason)?;
        self.keep(principal, kind, id, after, checked, reason).await
    }

    /// Writes several documents, all of them or none. Each is kind, id, the version that its writer saw, and the document.
    ///
    /// # Errors
    /// As [`Self::put`], with the faults of all documents.
    pub async fn put_all(
        &self,
        principal: &Principal,
        documents: Vec<(&str, String, u32, Value)>,
        reason: &str,
    ) -> Result<Vec<RecordRow>, Refused> {
        let view = self.view(principal).await?;
        let (mut records, mut found) = (Vec::with_capacity(documents.len()), Vec::new());
        for (kind, id, after, body) in documents {
            let kind = self.writable(principal, kind)?;
            let body = match kind.name() {
                maturity::ANSWER => maturity::with_evidence(&self.door, &view, &id, body).await?,
                _ => body,
            };
            let draft = Draft { id: &id, before: view.record(kind.name(), &id), by: principal, view: &view };
            match kind.check(&draft, body) {
                Ok(checked) => {
                    known(&view, draft.before, after, &checked.organisation)?;
                    records.push(prepared(principal, kind, &id, after, checked, reason)?);
                }
                Err(Refused::Faults(faults)) => found.extend(faults),
                Err(refused) => return Err(refused),
            }
        }
        if found.is_empty() { self.add(principal, &records).await } else { Err(found.into()) }
    }

    /// Adds versions that were checked. What stands in the way is told as far as its writer may see it.
    async fn add(&self, principal: &Principal, records: &[NewRecord]) -> Result<Vec<RecordRow>, Refused> {
        match self.book.catalog.add_records(records).await? {
            Recorded::Kept(rows) => Ok(rows),
            Recorded::Outdated(row) => match self.view(principal).await?.record(&row.kind, &row.id) {
                Some(_) => Err(Refused::Outdated(row)),
                None => Err(faults("id", &row.id, "taken").into()),
            },
            Recorded::Claimed { claim, kind, id } => {
                let by = self.view(principal).await?.record(&kind, &id).map(|_| format!("{kind} {id}"));
                Err(Refused::Claimed { claim, by })
            }
        }
    }

    /// Keeps what was checked.
    pub(crate) async fn keep(
        &self,
        principal: &Principal,
        kind: &'static dyn Kind,
        id: &str,
        after: u32,
        checked: Checked,
        reason: &str,
    ) -> Result<RecordRow, Refused> {
        let rows = self.add(principal, &[prepared(principal, kind, id, after, checked, reason)?]).await?;
        rows.into_iter().next().ok_or_else(|| missing(kind.name(), id).into())
    }

    /// The kind of this name, for somebody who may write it.
    fn writable(&self, principal: &Principal, name: &str) -> Result<&'static dyn Kind, Refused> {
        let kind = KINDS.iter().find(|kind| kind.name() == name).copied();
        let kind = kind.ok_or_else(|| Error::new(Code::NoSuchObject, format!("There are no records `{name}`.")))?;
        if principal.only != Only::default() {
            return Err(Error::new(Code::Denied, "A token that was narrowed reads; it writes nothing.").into());
        }
        if !kind.writers().iter().any(|role| principal.has_role(role)) {
            let roles = kind.writers().join("`, `");
            let text = match kind.writers().is_empty() {
                true => format!("`{name}` is computed; nobody writes it."),
                false => format!("`{name}` is written by the roles `{roles}`."),
            };
            return Err(Error::new(Code::Denied, text).into());
        }
        Ok(kind)
    }
}

/// A principal with what its rights give of an organisation alone: what goes into a record of it is read by all of it.
fn within(principal: &Principal, organisation: &str) -> Principal {
    let scope = match organisation {
        HEAD_OFFICE => principal.scope.clone(),
        branch => Scope::Branches(std::iter::once(branch.to_owned()).collect()),
    };
    Principal { scope, ..principal.clone() }
}

/// Refuses an organisation that does not exist or that its writer does not see, in the same words; a record that its writer
/// does not see; and one that would change hands.
fn known(view: &View, before: Option<&RecordRow>, after: u32, organisation: &str) -> Result<(), Refused> {
    let is_branch = view.branches.iter().any(|branch| branch.key == organisation);
    let is_bank = organisation == HEAD_OFFICE && record::is_head_office(&view.principal);
    match before {
        _ if !is_branch && !is_bank => Err(faults("organisation", organisation, "organisation").into()),
        Some(before) if before.organisation != organisation => {
            Err(faults("organisation", organisation, "fixed").into())
        }
        None if after > 0 => Err(missing("record", "of this id").into()),
        _ => Ok(()),
    }
}

/// A version to be added, within its writer's scope.
fn prepared(
    principal: &Principal,
    kind: &'static dyn Kind,
    id: &str,
    after: u32,
    checked: Checked,
    reason: &str,
) -> Result<NewRecord, Refused> {
    record::check_id(id)?;
    if !principal.scope.holds(&checked.organisation) {
        return Err(faults("organisation", &checked.organisation, "organisation").into());
    }
    Ok(NewRecord {
        kind: kind.name(),
        id: id.to_owned(),
        after,
        organisation: checked.organisation,
        body: checked.body,
        reason: reason.trim().to_owned(),
        recorded_by: principal.name.clone(),
        claims: checked.claims,
    })
}

fn missing(kind: &str, id: &str) -> Error {
    Error::new(Code::NoSuchObject, format!("There is no {kind} `{id}`, or no right to see it."))
}
