//! What the roles of a principal give it: which cubes exist, what is shown of them, whether it may ask at all.
//!
//! Roles add up: of several the widest counts, for each cube and kind of column by itself. A statement of one's own stands on
//! the roles that allow SQL; what others define (a report) on all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Door, Face};
use crate::auth::{Principal, Scope};
use crate::cube::Sight;
use crate::model::role::{OTHER, Role, Shown};

/// The rights of a principal at a face.
#[derive(Debug, Clone)]
pub(super) struct Rights {
    /// May run statements there.
    pub(super) asks: bool,
    /// Cubes that exist; all of them where none is named.
    cubes: Option<BTreeSet<String>>,
    /// What is shown of them.
    pub(super) sight: Sight,
    /// Base tables exist.
    pub(super) base_tables: bool,
    /// All of it in one text: part of every key.
    pub(super) fingerprint: String,
}

impl Rights {
    /// Whether a cube exists.
    pub(super) fn has_cube(&self, name: &str) -> bool {
        self.cubes.as_ref().is_none_or(|cubes| cubes.contains(name))
    }

    /// Those of a principal; `sql`: at a face where it asks for itself.
    pub(super) fn of(principal: &Principal, own: &[Role], sql: bool) -> Self {
        let role = |name: &str| own.iter().find(|role| *role.name == name);
        let holds = |name: &str| principal.has_role(name);
        let analyst = holds("analyst");
        // Those that give data. A statement of one's own stands on what allows it.
        let whole = analyst || !sql && (holds("reader") || holds("publisher"));
        let declared: Vec<&Role> =
            principal.roles.iter().filter_map(|name| role(name)).filter(|role| role.sql || !sql).collect();
        let asks = !sql || analyst || holds("administrator") || holds("auditor") || !declared.is_empty();

        let named = || declared.iter().flat_map(|role| &role.cubes).map(|cube| cube.value.clone());
        let cubes = (!whole && declared.iter().all(|role| !role.cubes.is_empty())).then(|| named().collect());
        let kinds = declared.iter().flat_map(|role| role.columns.keys()).map(String::as_str).chain([OTHER]);
        let shown = |kind: &str| {
            let of = |role: &&Role| role.columns.get(kind).or_else(|| role.columns.get(OTHER)).copied();
            declared.iter().filter_map(of).max().unwrap_or(Shown::Deny)
        };
        let columns: Option<BTreeMap<String, Shown>> =
            (!whole).then(|| kinds.map(|kind| (kind.to_owned(), shown(kind))).collect());
        let sight = Sight {
            columns,
            details: whole || declared.iter().any(|role| role.details),
            within: match &principal.scope {
                Scope::Within { level, members, .. } => Some((level.clone(), members.clone())),
                Scope::HeadOffice | Scope::Branches(_) => None,
            },
        };
        let base_tables = analyst && principal.scope == Scope::HeadOffice;
        let fingerprint = format!("{} {cubes:?} {sight:?} {base_tables} {sql}", principal.fingerprint());
        Self { asks, cubes, sight, base_tables, fingerprint }
    }
}

impl Door {
    /// What a principal's roles give it at a face.
    pub(super) fn rights(&self, principal: &Principal, face: Face) -> Rights {
        Rights::of(principal, &self.0.config.roles, face != Face::Report)
    }

    /// Whether a principal may run statements of its own.
    pub fn may_query(&self, principal: &Principal) -> bool {
        self.rights(principal, Face::Http).asks
    }

    /// Whether a principal's roles open any data in reports.
    pub fn may_read(&self, principal: &Principal) -> bool {
        let rights = self.rights(principal, Face::Report);
        self.0.cubes.iter().any(|(name, _)| rights.has_cube(name))
    }
}
