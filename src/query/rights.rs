//! What the roles of a principal give it: which cubes exist, what is shown of them, whether it may ask at all.
//!
//! Roles add up: of several the widest counts, for each cube and kind of column by itself; a role that names cubes says nothing
//! of others. A statement of one's own stands on the roles that allow SQL; what others define (a report) on all of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Door, Face};
use crate::auth::{Principal, Scope, sha256_hex};
use crate::cube::Sight;
use crate::error::{Code, Error, Result};
use crate::model::role::{OTHER, Role, Shown};

/// The rights of a principal at a face.
#[derive(Debug, Clone)]
pub(super) struct Rights {
    /// May run statements there.
    pub(super) asks: bool,
    /// Cubes that exist; all of them where none is named.
    cubes: Option<BTreeSet<String>>,
    /// Everything is shown of them.
    whole: bool,
    /// The roles that say what is shown, where not everything is.
    declared: Vec<Role>,
    /// The part of the organisation below a branch.
    within: Option<(String, BTreeSet<String>)>,
    /// Forms in which data may be taken out; all where none is named.
    exports: Option<BTreeSet<String>>,
    /// Most rows of one statement.
    pub(super) rows: Option<u64>,
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

    /// What is shown of a cube. Of what belongs to no cube: what roles show that name none.
    pub(super) fn sight(&self, cube: Option<&str>) -> Sight {
        let speaks =
            |role: &&Role| role.cubes.is_empty() || cube.is_some_and(|cube| role.cubes.iter().any(|of| **of == *cube));
        let roles: Vec<&Role> = self.declared.iter().filter(speaks).collect();
        let kinds = roles.iter().flat_map(|role| role.columns.keys()).map(String::as_str).chain([OTHER]);
        let shown = |kind: &str| {
            let of = |role: &&Role| role.columns.get(kind).or_else(|| role.columns.get(OTHER)).copied();
            roles.iter().filter_map(of).max().unwrap_or(Shown::Deny)
        };
        Sight {
            columns: (!self.whole).then(|| kinds.map(|kind| (kind.to_owned(), shown(kind))).collect()),
            details: self.whole || roles.iter().any(|role| role.details),
            within: self.within.clone(),
        }
    }

    /// Those of a principal; `sql`: at a face where it asks for itself. `records`: what goes as one more cube, and the roles
    /// that open it.
    pub(super) fn of(principal: &Principal, own: &[Role], sql: bool, records: (&str, &[&str])) -> Self {
        let role = |name: &str| own.iter().find(|role| *role.name == name);
        let holds = |name: &str| principal.has_role(name);
        let analyst = holds("analyst");
        // Those that give data. A statement of one's own stands on what allows it.
        let whole = analyst || !sql && (holds("reader") || holds("publisher"));
        let declared: Vec<&Role> =
            principal.roles.iter().filter_map(|name| role(name)).filter(|role| role.sql || !sql).collect();
        let only = &principal.only;
        let asks = only.reports.is_none() || !sql;
        let asks = asks && (!sql || analyst || holds("administrator") || holds("auditor") || !declared.is_empty());

        let named = || declared.iter().flat_map(|role| &role.cubes).map(|cube| cube.value.clone());
        let opened = records.1.iter().any(|role| holds(role)).then(|| records.0.to_owned());
        let cubes: Option<BTreeSet<String>> =
            (!whole && declared.iter().all(|role| !role.cubes.is_empty())).then(|| named().chain(opened).collect());
        // Of those the token's, where it names some.
        let cubes = match (cubes, only.cubes.clone()) {
            (Some(own), Some(named)) => Some(named.into_iter().filter(|cube| own.contains(cube)).collect()),
            (own, named) => named.or(own),
        };
        let exports = (!whole && !declared.is_empty() && declared.iter().all(|role| !role.exports.is_empty()))
            .then(|| declared.iter().flat_map(|role| &role.exports).map(|format| format.value.clone()).collect());
        let rows = match whole || declared.is_empty() {
            true => None,
            false => {
                declared.iter().map(|role| role.rows).collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max())
            }
        };
        let within = match &principal.scope {
            Scope::Within { level, members, .. } => Some((level.clone(), members.clone())),
            Scope::HeadOffice | Scope::Branches(_) => None,
        };
        let shown: Vec<_> = declared.iter().map(|role| (&role.cubes, &role.columns, role.details)).collect();
        let base_tables = analyst && principal.scope == Scope::HeadOffice && only.cubes.is_none();
        let fingerprint = format!("{} {cubes:?} {whole} {shown:?} {base_tables} {sql}", principal.fingerprint());
        let declared = if whole { Vec::new() } else { declared.into_iter().cloned().collect() };
        Self { asks, cubes, whole, declared, within, exports, rows, base_tables, fingerprint }
    }
}

/// What somebody is shown of the cubes of a report: what an edition keeps of those it was made for, so that it opens later to
/// those alone who may see as much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    scope: Scope,
    cubes: BTreeMap<String, Shows>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Shows {
    /// By kind; everything where there is no map.
    columns: Option<BTreeMap<String, Shown>>,
    details: bool,
}

impl Reading {
    /// Whether everything that `other` shows is shown here too.
    pub fn covers(&self, other: &Self) -> bool {
        let scope = match (&self.scope, &other.scope) {
            (Scope::HeadOffice, _) => true,
            (_, Scope::HeadOffice) | (Scope::Within { .. }, Scope::Branches(_)) => false,
            (Scope::Branches(own), other) => other.branches().is_some_and(|keys| keys.is_subset(own)),
            (
                Scope::Within { branches, level, members },
                Scope::Within { branches: others, level: other_level, members: other_members },
            ) => level == other_level && others.is_subset(branches) && other_members.is_subset(members),
        };
        scope && other.cubes.iter().all(|(name, shown)| self.cubes.get(name).is_some_and(|own| own.covers(shown)))
    }

    /// What shows all that both show, for the same part of the bank; none where they are of different ones.
    pub fn and(&self, other: &Self) -> Option<Self> {
        if self.scope != other.scope {
            return None;
        }
        let mut cubes = self.cubes.clone();
        for (name, shown) in &other.cubes {
            let both = match cubes.get(name) {
                Some(own) => own.and(shown),
                None => shown.clone(),
            };
            cubes.insert(name.clone(), both);
        }
        Some(Self { scope: self.scope.clone(), cubes })
    }

    /// SHA-256 of all of it, hexadecimal.
    pub fn digest(&self) -> String {
        sha256_hex(serde_json::json!(self).to_string().as_bytes())
    }

    /// Eight digits of it, for links.
    pub fn digits(&self) -> String {
        self.digest().chars().take(8).collect()
    }
}

impl Shows {
    fn of(shown: &BTreeMap<String, Shown>, kind: &str) -> Shown {
        shown.get(kind).or_else(|| shown.get(OTHER)).copied().unwrap_or(Shown::Deny)
    }

    fn and(&self, other: &Self) -> Self {
        let columns = match (&self.columns, &other.columns) {
            (Some(own), Some(others)) => {
                let widest = |kind: &String| (kind.clone(), Self::of(own, kind).max(Self::of(others, kind)));
                Some(own.keys().chain(others.keys()).map(widest).collect())
            }
            _ => None,
        };
        Self { columns, details: self.details || other.details }
    }

    fn covers(&self, other: &Self) -> bool {
        let columns = match (&self.columns, &other.columns) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(others)) => {
                others.keys().chain(own.keys()).all(|kind| Self::of(own, kind) >= Self::of(others, kind))
            }
        };
        columns && (self.details || !other.details)
    }
}

impl Door {
    /// Whether a principal is shown all that a reading shows.
    pub fn sees(&self, principal: &Principal, reading: &Reading) -> bool {
        let cubes: Vec<&str> = reading.cubes.keys().map(String::as_str).collect();
        self.reading(principal, &cubes).covers(reading)
    }

    /// Whether a principal may see what was recorded of a report: with the reading that it was read with, under `audience` the
    /// roles that opened the report.
    pub fn sees_record(&self, principal: &Principal, report: &str, reading: &serde_json::Value) -> bool {
        let audience = reading["audience"].as_array();
        let named = |role: &serde_json::Value| role.as_str().is_some_and(|role| principal.has_role(role));
        principal.only.reports.as_ref().is_none_or(|only| only.contains(report))
            && audience.is_none_or(|roles| roles.is_empty() || roles.iter().any(named))
            && Reading::deserialize(reading).is_ok_and(|reading| self.sees(principal, &reading))
    }

    /// What a principal is shown of cubes in reports. Two principals of the same reading get the same figures.
    pub fn reading(&self, principal: &Principal, cubes: &[&str]) -> Reading {
        let rights = self.rights(principal, Face::Report);
        let shows = |name: &str| {
            let sight = rights.sight(Some(name));
            Shows { columns: sight.columns, details: sight.details }
        };
        let known = cubes.iter().filter(|name| rights.has_cube(name));
        Reading { scope: principal.scope.clone(), cubes: known.map(|name| ((*name).to_owned(), shows(name))).collect() }
    }

    /// What a principal's roles give it at a face.
    pub(super) fn rights(&self, principal: &Principal, face: Face) -> Rights {
        let records = (self.0.records.schema(), self.0.records.roles());
        Rights::of(principal, &self.0.config.roles, face != Face::Report, records)
    }

    /// Whether a principal may run statements of its own.
    pub fn may_query(&self, principal: &Principal) -> bool {
        self.rights(principal, Face::Http).asks
    }

    /// Refuses a form in which a principal may not take data out: the name of a format, or `flight`.
    ///
    /// Errors: `DENIED`.
    pub fn may_export(&self, principal: &Principal, face: Face, format: &str) -> Result<()> {
        match self.rights(principal, face).exports {
            Some(exports) if !exports.contains(format) => {
                Err(Error::new(Code::Denied, format!("your roles do not let you take data out as `{format}`")))
            }
            _ => Ok(()),
        }
    }

    /// Whether the records that stand beside the cubes exist for a principal. They are those of whole branches: who sees a part
    /// of one sees none.
    pub fn may_read_records(&self, principal: &Principal) -> bool {
        self.rights(principal, Face::Report).has_cube(self.0.records.schema()) && !principal.scope.is_part()
    }

    /// Whether a principal's roles open these cubes in reports; without any, whether they open any data at all.
    pub fn may_read<'a>(&self, principal: &Principal, cubes: impl IntoIterator<Item = &'a str>) -> bool {
        let rights = self.rights(principal, Face::Report);
        let records = self.0.records.schema();
        let mut named = cubes.into_iter().peekable();
        match named.peek() {
            Some(_) => named.all(|name| match name == records {
                true => self.may_read_records(principal),
                false => rights.has_cube(name),
            }),
            None => self.0.cubes.iter().any(|(name, _)| rights.has_cube(name)),
        }
    }
}
