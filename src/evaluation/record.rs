//! What a record is: kinds, drafts and their faults, who may see what, and how versions differ.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::View;
use super::table::{Cell, Table, Type};
use crate::auth::{Principal, Scope};
use crate::catalog::RecordRow;
use crate::error::{Code, Error};
use crate::locale::{Lang, message};

/// The organisation of records that belong to the whole bank.
pub use crate::query::HEAD_OFFICE;

/// Largest amount of money of a record.
pub(super) const MOST: f64 = 1e12;
/// Longest text of a field, in characters.
const LONGEST: usize = 4000;
/// Longest id.
const LONGEST_ID: usize = 200;

/// A kind of record.
pub trait Kind: Sync {
    /// Its name, in SQL, addresses and the catalog.
    fn name(&self) -> &'static str;
    /// Roles that write it; none: it is computed.
    fn writers(&self) -> &'static [&'static str];
    /// Checks a document against its rules and all else that is recorded, and fills in what its writer does not say.
    ///
    /// # Errors
    /// Every fault of it, or that it is closed.
    fn check(&self, draft: &Draft<'_>, body: Value) -> Result<Checked, Refused>;
    /// The document after a step in its life.
    ///
    /// # Errors
    /// What stands in the way; a step that the kind does not know.
    fn act(&self, _: &Draft<'_>, action: &str, _reason: &str) -> Result<Checked, Refused> {
        Err(faults("do", action, "action").into())
    }
    /// Whether somebody within whose scope it lies does not see it all the same.
    fn hides(&self, _: &View, _: &RecordRow) -> bool {
        false
    }
}

/// A document about to be written.
#[derive(Debug)]
pub struct Draft<'a> {
    pub id: &'a str,
    /// The newest version, where there is one that its writer may see.
    pub before: Option<&'a RecordRow>,
    pub by: &'a Principal,
    /// All else that its writer may see.
    pub view: &'a View,
}

/// A document that holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// Whose it is.
    pub organisation: String,
    pub body: Value,
    /// What no other record may stand on.
    pub claims: Vec<String>,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field, as a path: `lines.licences.likely`.
    pub field: String,
    /// What stood there.
    pub value: String,
    /// Key of the rule's words after `evaluation-rule-`.
    pub rule: &'static str,
}

impl Fault {
    /// The rule in words.
    pub fn words(&self, lang: Lang) -> String {
        message(lang, &format!("evaluation-rule-{}", self.rule), &[])
    }
}

/// Why nothing was written.
#[derive(Debug)]
pub enum Refused {
    /// Fields break rules.
    Faults(Vec<Fault>),
    /// Somebody wrote first; this is what stands there now.
    Outdated(Box<RecordRow>),
    /// What the document stands on belongs to another record, which is named where its writer may see it.
    Claimed { claim: String, by: Option<String> },
    /// It was closed: locked, approved, submitted.
    Closed(String),
    /// A missing right, or a fault below.
    Error(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Vec<Fault>> for Refused {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Faults(faults)
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Faults(faults) => {
                let text = |fault: &Fault| format!("`{}`: {} (`{}`)", fault.field, fault.words(Lang::En), fault.value);
                Self::new(Code::BadRequest, faults.iter().map(text).collect::<Vec<_>>().join("; "))
            }
            Refused::Outdated(row) => {
                let RecordRow { kind, id, version, recorded_by, .. } = &*row;
                let text =
                    format!("{kind} `{id}` was changed by {recorded_by} meanwhile and has version {version} now.");
                Self::new(Code::Conflict, text)
            }
            Refused::Claimed { claim, by } => {
                let by = by.as_deref().unwrap_or("another record");
                Self::new(Code::Conflict, format!("`{claim}` feeds {by} already; a figure counts once."))
            }
            Refused::Closed(text) => Self::new(Code::Conflict, text),
            Refused::Error(error) => error,
        }
    }
}

/// One fault.
pub(crate) fn faults(field: &str, value: &str, rule: &'static str) -> Vec<Fault> {
    vec![Fault { field: field.to_owned(), value: value.to_owned(), rule }]
}

/// Reads a document into its type. What it holds besides is refused.
pub(crate) fn document<T: DeserializeOwned>(body: Value) -> Result<T, Refused> {
    fn too_long(value: &Value) -> bool {
        match value {
            Value::String(text) => text.chars().count() > LONGEST,
            Value::Array(list) => list.iter().any(too_long),
            Value::Object(map) => map.values().any(too_long),
            _ => false,
        }
    }
    if too_long(&body) {
        return Err(faults("", "", "long").into());
    }
    serde_json::from_value(body)
        .map_err(|error| Error::new(Code::BadRequest, format!("The document is not of its form: {error}.")).into())
}

/// Refuses a field that says nothing.
pub(crate) fn required(field: &str, value: &str) -> Result<(), Vec<Fault>> {
    if value.trim().is_empty() { Err(faults(field, value, "required")) } else { Ok(()) }
}

/// Ids stand in addresses and keys: letters, digits, `_`, `-`, `.`, `@` (logins are parts of them), in parts with `/` between.
pub(super) fn check_id(id: &str) -> Result<(), Vec<Fault>> {
    let sound = |part: &str| {
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@');
        !part.is_empty() && !part.starts_with('.') && part.chars().all(allowed)
    };
    if id.len() <= LONGEST_ID && id.split('/').all(sound) { Ok(()) } else { Err(faults("id", id, "id")) }
}

/// Whether somebody sees the whole bank.
pub(super) fn is_head_office(principal: &Principal) -> bool {
    principal.scope == Scope::HeadOffice
}

/// A field of a record that changed from one version to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub seq: i64,
    pub kind: String,
    pub id: String,
    pub version: u32,
    pub organisation: String,
    /// Path of the field: `lines.licences.likely.2`.
    pub field: String,
    /// None where it was not there.
    pub before: Option<String>,
    /// None where it is not there any more.
    pub after: Option<String>,
    pub reason: String,
    pub recorded_by: String,
    pub recorded_at: jiff::Timestamp,
}

/// How versions of records, in the order of writing, differ from those before them.
pub fn changes(versions: &[RecordRow]) -> Vec<Change> {
    let mut last: BTreeMap<(&str, &str), BTreeMap<String, String>> = BTreeMap::new();
    let mut changes = Vec::new();
    for row in versions {
        let mut fields = BTreeMap::new();
        flatten(&row.body, "", &mut fields);
        let before = last.remove(&(row.kind.as_str(), row.id.as_str())).unwrap_or_default();
        let mut names: Vec<&String> = before.keys().chain(fields.keys()).collect();
        names.sort();
        names.dedup();
        for name in names.into_iter().filter(|name| before.get(*name) != fields.get(*name)) {
            changes.push(Change {
                seq: row.seq,
                kind: row.kind.clone(),
                id: row.id.clone(),
                version: row.version,
                organisation: row.organisation.clone(),
                field: name.clone(),
                before: before.get(name).cloned(),
                after: fields.get(name).cloned(),
                reason: row.reason.clone(),
                recorded_by: row.recorded_by.clone(),
                recorded_at: row.recorded_at,
            });
        }
        last.insert((&row.kind, &row.id), fields);
    }
    changes
}

/// The leaves of a document by their paths. Entries of a list that name themselves go by their names.
fn flatten(value: &Value, path: &str, fields: &mut BTreeMap<String, String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Null => {}
        Value::Object(map) => map.iter().for_each(|(key, value)| flatten(value, &below(key), fields)),
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                let named = ["line", "phase", "dimension", "item", "name"].iter().find_map(|key| value[*key].as_str());
                flatten(value, &below(&named.map_or_else(|| at.to_string(), str::to_owned)), fields);
            }
        }
        Value::String(text) => _ = fields.insert(path.to_owned(), text.clone()),
        other => _ = fields.insert(path.to_owned(), other.to_string()),
    }
}

pub(super) const TABLES: &[Table] = &[
    Table {
        name: "record",
        description: "The newest version of every record, as its document",
        columns: &[
            ("seq", Type::Integer),
            ("kind", Type::Text),
            ("record", Type::Text),
            ("version", Type::Integer),
            ("organisation", Type::Text),
            ("document", Type::Text),
            ("reason", Type::Text),
            ("recorded_by", Type::Text),
            ("recorded_at", Type::Time),
        ],
        rows: |view| {
            let line = |row: &RecordRow| {
                vec![
                    Cell::Integer(row.seq),
                    Cell::text(&row.kind),
                    Cell::text(&row.id),
                    Cell::Integer(row.version.into()),
                    Cell::text(&row.organisation),
                    Cell::text(&row.body.to_string()),
                    Cell::text(&row.reason),
                    Cell::text(&row.recorded_by),
                    Cell::Time(row.recorded_at),
                ]
            };
            view.records().map(line).collect()
        },
    },
    Table {
        name: "history",
        description: "Every change of every field: what stood before and after, who changed it, when and why",
        columns: &[
            ("seq", Type::Integer),
            ("kind", Type::Text),
            ("record", Type::Text),
            ("version", Type::Integer),
            ("organisation", Type::Text),
            ("field", Type::Text),
            ("before", Type::Text),
            ("after", Type::Text),
            ("reason", Type::Text),
            ("recorded_by", Type::Text),
            ("recorded_at", Type::Time),
        ],
        rows: |view| {
            let line = |change: Change| {
                vec![
                    Cell::Integer(change.seq),
                    Cell::text(&change.kind),
                    Cell::text(&change.id),
                    Cell::Integer(change.version.into()),
                    Cell::text(&change.organisation),
                    Cell::text(&change.field),
                    change.before.map_or(Cell::Null, Cell::Text),
                    change.after.map_or(Cell::Null, Cell::Text),
                    Cell::text(&change.reason),
                    Cell::text(&change.recorded_by),
                    Cell::Time(change.recorded_at),
                ]
            };
            view.changes().into_iter().map(line).collect()
        },
    },
];
