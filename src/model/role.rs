//! Roles: what a login with one may do and see, besides the part of the organisation that its scope names.
//!
//! Some are built in ([`BUILT_IN`]); a project declares others under `roles` in its settings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cube::Model;
use super::shape::{Fields, Kind, Shape, may, need};
use super::{Diagnostic, Label, Located};

/// The built-in roles and what they are for.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("administrator", "manages logins, sees every statement record; carries no right to data by itself"),
    ("analyst", "writes SQL, on both faces; sees every cube, row by row, and every column"),
    ("reader", "opens reports; no SQL"),
    ("publisher", "publishes editions"),
    ("assessor", "answers assessments and enters what is recorded of its organisation's evaluation; no cube"),
    ("reviewer", "reviews, locks and approves what assessors record, sets targets, and releases held runs; no cube"),
    ("auditor", "reads all statement records"),
];

/// The kind of a C2 column that names none, and the entry of `columns` for every kind without one of its own.
pub const OTHER: &str = "other";

/// A role that a project declares.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its name.
    pub name: Located<String>,
    /// Name shown to people.
    pub label: Label,
    /// Whether its holders write SQL of their own; reports they open in any case.
    pub sql: bool,
    /// The cubes that exist for them; all where none is named.
    pub cubes: Vec<Located<String>>,
    /// Whether they see the rows behind a cube.
    pub details: bool,
    /// What they see of C2 columns, by kind.
    pub columns: BTreeMap<String, Shown>,
    /// Forms in which they take data out; all where none is named.
    pub exports: Vec<Located<String>>,
    /// Most rows of one statement; no limit of its own unless stated.
    pub rows: Option<u64>,
}

/// What is shown of a column that identifies a person or shows a financial state. Of several roles the widest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// Nothing: the column does not exist.
    Deny,
    /// Its mask.
    Mask,
    /// The value.
    Clear,
}

const SHOWN: &[&str] = &["deny", "mask", "clear"];

pub(crate) static ROLE: Shape = Shape {
    name: "a role",
    keys: &[
        need("name", Kind::Name, "Name of the role."),
        may("label", Kind::Label, "Name shown to people."),
        may("sql", Kind::Boolean, "Whether its holders write SQL of their own.").or("false"),
        may("cubes", Kind::List(&Kind::Name), "The cubes that exist for its holders; all unless stated."),
        may("details", Kind::Boolean, "Whether they see the rows behind a cube, which are about single persons.")
            .or("false"),
        may(
            "columns",
            Kind::Entries(&Kind::Name, &Kind::OneOf(SHOWN)),
            "What they see of C2 columns, by `kind`: `deny` (the column does not exist), `mask` or `clear`; `other` is for \
             kinds that are not named, and for columns without a kind. Denied unless stated.",
        ),
        may(
            "exports",
            Kind::List(&Kind::Name),
            "Forms in which they take data out: `flight` (Flight SQL), and the names of formats, as `csv`, `json`, `arrow`; \
             all unless stated, `none` for pages alone.",
        ),
        may(
            "rows",
            Kind::Integer(1, i64::MAX),
            "Most rows of one statement; no limit of the role's own unless stated.",
        ),
    ],
};

pub(crate) fn decode(fields: &Fields<'_>) -> Role {
    let shown = |text: &str| match text {
        "clear" => Shown::Clear,
        "mask" => Shown::Mask,
        _ => Shown::Deny,
    };
    Role {
        name: fields.needed("name"),
        label: fields.label("label"),
        sql: fields.boolean("sql"),
        cubes: fields.texts("cubes"),
        details: fields.boolean("details"),
        columns: fields.text_pairs("columns").into_iter().map(|(kind, how)| (kind.value, shown(&how.value))).collect(),
        exports: fields.texts("exports"),
        rows: fields.number("rows").map(|rows| rows.value),
    }
}

/// What must hold among roles.
pub(crate) fn validate(roles: &[Role], faults: &mut Vec<Diagnostic>) {
    for (index, role) in roles.iter().enumerate() {
        let name = role.name.as_str();
        if BUILT_IN.iter().any(|(known, _)| *known == name) {
            faults.push(Diagnostic::new(&role.name.place, format!("`{name}` is a built-in role; choose another name")));
        }
        if let Some(first) = roles[..index].iter().find(|first| *first.name == *role.name && !name.is_empty()) {
            let line = first.name.place.line;
            let message = format!("role `{name}` is declared twice, first on line {line}");
            faults.push(Diagnostic::new(&role.name.place, message));
        }
    }
}

/// What must hold between roles and cubes.
pub(crate) fn validate_cubes(roles: &[Role], model: &Model, faults: &mut Vec<Diagnostic>) {
    for cube in roles.iter().flat_map(|role| &role.cubes) {
        if !model.has(cube) {
            faults.push(Diagnostic::new(&cube.place, format!("there is no cube `{}`", **cube)));
        }
    }
}
