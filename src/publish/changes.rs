//! What changed between two versions of an edition: cells old and new, row by row.
//!
//! In: the datasets of both as CSV, which is what an edition keeps. Rows are the same where the cells before the first number
//! are: what names a row stands on its left.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::report::document::Dataset;
use crate::report::value::Value;

/// The changes of an edition against the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    pub from: u32,
    pub to: u32,
    pub datasets: Vec<DatasetChanges>,
}

/// The changes of a dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetChanges {
    pub name: String,
    /// Columns that one of the two does not have; then cells are not compared.
    pub columns: Vec<String>,
    pub cells: Vec<CellChange>,
    /// Rows, by what names them.
    pub added: Vec<String>,
    pub removed: Vec<String>,
}

/// One cell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellChange {
    /// What names the row.
    pub row: String,
    pub column: String,
    pub old: String,
    pub new: String,
}

impl Changes {
    /// Cells and rows that differ.
    pub fn count(&self) -> usize {
        let of = |one: &DatasetChanges| one.cells.len() + one.added.len() + one.removed.len() + one.columns.len();
        self.datasets.iter().map(of).sum()
    }
}

/// Compares a dataset with its text in the version before.
pub(super) fn compare(new: &Dataset, old: &str) -> DatasetChanges {
    let (columns, old_rows) = read(old);
    let mut changes = DatasetChanges { name: new.name.clone(), ..DatasetChanges::default() };
    if columns != new.columns {
        let lacks = |of: &[String], other: &[String]| -> Vec<String> {
            of.iter().filter(|column| !other.contains(column)).cloned().collect()
        };
        changes.columns = [lacks(&new.columns, &columns), lacks(&columns, &new.columns)].concat();
        if changes.columns.is_empty() {
            changes.columns = vec!["order".into()];
        }
        return changes;
    }
    // Whatever is a number in any row is a figure, and everything before the first of them names the row.
    let figure = |at: usize| new.rows.iter().any(|row| matches!(row.get(at), Some(Value::Number(_))));
    let names = (0..columns.len()).find(|at| figure(*at)).unwrap_or(columns.len());
    let new_rows: Vec<Vec<String>> = new.rows.iter().map(|row| row.iter().map(Value::plain).collect()).collect();
    let old_by_name = by_name(old_rows, names);
    let mut left = old_by_name.clone();
    for (name, row) in by_name(new_rows, names) {
        match left.remove(&name) {
            None => changes.added.push(said(&name)),
            Some(before) => {
                for (at, column) in columns.iter().enumerate().skip(names) {
                    let (old, new) = (before.get(at), row.get(at));
                    if old != new {
                        changes.cells.push(CellChange {
                            row: said(&name),
                            column: column.clone(),
                            old: old.cloned().unwrap_or_default(),
                            new: new.cloned().unwrap_or_default(),
                        });
                    }
                }
            }
        }
    }
    changes.removed = left.into_keys().map(|name| said(&name)).collect();
    changes
}

/// Names of rows; a number tells rows of one name apart.
type Name = (Vec<String>, usize);

fn by_name(rows: Vec<Vec<String>>, names: usize) -> BTreeMap<Name, Vec<String>> {
    let mut found: BTreeMap<Name, Vec<String>> = BTreeMap::new();
    let mut seen: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for row in rows {
        let name: Vec<String> = row.iter().take(names).cloned().collect();
        let nth = seen.entry(name.clone()).or_insert(0);
        found.insert((name, *nth), row);
        *nth += 1;
    }
    found
}

fn said((name, nth): &Name) -> String {
    let text = name.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" · ");
    match nth {
        0 => text,
        nth => format!("{text} ({})", nth + 1),
    }
}

/// Columns and rows of a dataset's CSV, as this server writes it: RFC 4180, with a guard before what looks like a formula.
fn read(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let (mut row, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(character) = characters.next() {
        match (character, quoted) {
            ('"', true) if characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            ('"', _) => quoted = !quoted,
            (',', false) => row.push(unguarded(std::mem::take(&mut cell))),
            ('\r', false) => {}
            ('\n', false) => {
                row.push(unguarded(std::mem::take(&mut cell)));
                rows.push(std::mem::take(&mut row));
            }
            (other, _) => cell.push(other),
        }
    }
    if rows.is_empty() {
        return (Vec::new(), rows);
    }
    let columns = rows.remove(0);
    (columns, rows)
}

fn unguarded(cell: String) -> String {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@', '\t', '\r']) => rest.to_owned(),
        _ => cell,
    }
}

#[cfg(test)]
mod tests;
