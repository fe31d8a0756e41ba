//! Versions of a dimension's members (type 2): what a batch makes of those that are there.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::make_comparator;
use arrow::array::{Array, ArrayRef, AsArray, Date32Array, DynComparator, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{SortOptions, concat_batches, take};
use arrow::datatypes::{Date32Type, Int64Type, Schema};
use arrow::row::Rows;

use super::conform::Target;
use super::keys::KeyIndex;
use super::merge::{Fate, columns, converter, failed, project};
use crate::error::{Error, Result};
use crate::model::table::{BEGIN, END, Versions};

/// A version of a member.
#[derive(Debug, Clone, Copy)]
struct Version {
    /// Its row in `History::rows`.
    row: usize,
    /// The row whose overwritten columns it has.
    newest: usize,
    /// None until it is numbered.
    surrogate: Option<i64>,
    from: i32,
    to: i32,
}

/// The members of a partition, each with its versions in order.
#[derive(Debug)]
pub(super) struct History<'a> {
    target: &'a Target,
    versions: &'a Versions,
    /// What was there, then what is delivered; without the surrogate.
    rows: RecordBatch,
    keys: KeyIndex,
    members: Vec<Vec<Version>>,
    changed: bool,
}

/// The delivered rows with the first day of each: the feed's business date where none stands.
pub(super) fn dated(rows: &RecordBatch, versions: &Versions, business_date: i32) -> Result<RecordBatch> {
    let place = rows.schema_ref().index_of(&versions.from).map_err(failed)?;
    let filled: Date32Array =
        dates(rows, &versions.from)?.iter().map(|day| Some(day.unwrap_or(business_date))).collect();
    let mut all = rows.columns().to_vec();
    all[place] = Arc::new(filled);
    RecordBatch::try_new(rows.schema(), all).map_err(failed)
}

impl<'a> History<'a> {
    /// Takes a batch's rows into the versions before, and says what became of each row that was not refused already.
    /// `rows` are [`dated`].
    pub(super) fn merge(
        target: &'a Target,
        versions: &'a Versions,
        before: &RecordBatch,
        rows: &RecordBatch,
        fates: &mut [Fate],
    ) -> Result<Self> {
        let surrogate = target.table.surrogate.as_ref().map(|name| name.value.as_str()).unwrap_or_default();
        let fields = target.files.fields().iter().filter(|field| field.name() != surrogate).cloned();
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let all = concat_batches(&schema, &[project(before, &schema)?, project(rows, &schema)?]).map_err(failed)?;
        let names: Vec<String> = target.key().map(str::to_owned).collect();
        let encoded = converter(&schema, &names)?.convert_columns(&columns(&all, &names)?).map_err(failed)?;
        let mut history =
            Self { target, versions, rows: all, keys: KeyIndex::default(), members: Vec::new(), changed: false };
        history.take_before(&encoded, before, surrogate)?;
        let opened = history.take_delivered(&encoded, before.num_rows(), fates)?;
        history.open_below(opened)?;
        Ok(history)
    }

    /// Whether anything differs from before.
    pub(super) fn changed(&self) -> bool {
        self.changed
    }

    /// Number of versions that have no surrogate yet.
    pub(super) fn fresh(&self) -> i64 {
        self.members.iter().flatten().filter(|version| version.surrogate.is_none()).count() as i64
    }

    /// All versions as rows of the table's files, fresh ones numbered from `next`.
    pub(super) fn finish(self, mut next: i64) -> Result<RecordBatch> {
        let all: Vec<Version> = self.members.into_iter().flatten().collect();
        let indices =
            |pick: fn(&Version) -> usize| -> UInt32Array { all.iter().map(|version| pick(version) as u32).collect() };
        let (own, newest) = (indices(|version| version.row), indices(|version| version.newest));
        let surrogates: Int64Array = all
            .iter()
            .map(|version| {
                version.surrogate.unwrap_or_else(|| {
                    next += 1;
                    next - 1
                })
            })
            .collect::<Vec<_>>()
            .into();
        let table = &self.target.table;
        let arrays = self.target.files.fields().iter().map(|field| -> Result<ArrayRef> {
            let name = field.name().as_str();
            if table.surrogate.as_ref().is_some_and(|surrogate| **surrogate == name) {
                return Ok(Arc::new(surrogates.clone()));
            }
            if *self.versions.from == name {
                return Ok(Arc::new(all.iter().map(|version| Some(version.from)).collect::<Date32Array>()));
            }
            if *self.versions.to == name {
                return Ok(Arc::new(all.iter().map(|version| Some(version.to)).collect::<Date32Array>()));
            }
            let overwritten = table.column(name).is_some_and(|column| column.overwrite);
            let values = &columns(&self.rows, &[name])?[0];
            take(values, if overwritten { &newest } else { &own }, None).map_err(failed)
        });
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new(Arc::clone(&self.target.files), arrays).map_err(failed)
    }

    fn take_before(&mut self, encoded: &Rows, before: &RecordBatch, surrogate: &str) -> Result<()> {
        let known = columns(before, &[surrogate])?;
        let known = known[0].as_primitive::<Int64Type>();
        let (from, to) = (dates(before, &self.versions.from)?, dates(before, &self.versions.to)?);
        for row in 0..before.num_rows() {
            let day = |days: &Date32Array, otherwise| if days.is_valid(row) { days.value(row) } else { otherwise };
            let version = Version {
                row,
                newest: row,
                surrogate: Some(known.value(row)),
                from: day(from, BEGIN),
                to: day(to, END),
            };
            self.member(encoded, row).1.push(version);
        }
        for versions in &mut self.members {
            versions.sort_by_key(|version| version.from);
        }
        Ok(())
    }

    fn member(&mut self, encoded: &Rows, row: usize) -> (usize, &mut Vec<Version>) {
        let place = match self.keys.insert(encoded.row(row).as_ref()) {
            Ok(place) => {
                self.members.push(Vec::new());
                place
            }
            Err(place) => place,
        };
        (place, &mut self.members[place])
    }

    /// Delivered rows, oldest first, so that one file may bring a whole history. Gives the members of which a version
    /// ended, and the day.
    fn take_delivered(&mut self, encoded: &Rows, before: usize, fates: &mut [Fate]) -> Result<Vec<(usize, i32)>> {
        let (same, alike) = (self.comparators(false)?, self.comparators(true)?);
        let equal = |comparators: &[DynComparator], a, b| comparators.iter().all(|compare| compare(a, b).is_eq());
        let from = dates(&self.rows, &self.versions.from)?.clone();
        let mut order: Vec<usize> = (0..fates.len()).filter(|row| fates[*row] == Fate::New).collect();
        order.sort_by_key(|row| from.value(before + row));
        let mut opened = Vec::new();
        for delivered in order {
            let row = before + delivered;
            let day = from.value(row);
            let (place, versions) = self.member(encoded, row);
            let open = Version { row, newest: row, surrogate: None, from: day, to: END };
            let Some(last) = versions.last().copied() else {
                versions.push(Version { from: BEGIN, ..open });
                self.changed = true;
                continue;
            };
            let held = versions.iter().rev().find(|version| version.from <= day).unwrap_or(&versions[0]);
            let (newest, is_newest) = (last.newest, day >= last.from);
            fates[delivered] = if equal(&same, held.row, row) && (!is_newest || equal(&alike, newest, row)) {
                Fate::Unchanged
            } else if equal(&same, held.row, row) {
                versions.iter_mut().for_each(|version| version.newest = row);
                Fate::Replaces(last.row)
            } else if day > last.from {
                versions.iter_mut().for_each(|version| version.newest = row);
                if let Some(last) = versions.last_mut() {
                    last.to = day;
                }
                versions.push(open);
                opened.push((place, day));
                Fate::New
            } else if day == last.from {
                versions.iter_mut().for_each(|version| version.newest = row);
                if let Some(last) = versions.last_mut() {
                    last.row = row;
                }
                Fate::Replaces(last.row)
            } else {
                Fate::Late(last.from)
            };
            self.changed |= matches!(fates[delivered], Fate::New | Fate::Replaces(_));
        }
        Ok(opened)
    }

    /// A version stands for one path to the top: where one ended, those of all members below end too.
    fn open_below(&mut self, mut ended: Vec<(usize, i32)>) -> Result<()> {
        let Some(parent) = &self.versions.parent else { return Ok(()) };
        if ended.is_empty() {
            return Ok(());
        }
        // The parent's key as the key itself is encoded.
        let name = self.target.key().next().unwrap_or_default().to_owned();
        let above = columns(&self.rows, &[parent.value.as_str()])?;
        let above = converter(self.rows.schema_ref(), &[name])?.convert_columns(&above).map_err(failed)?;
        let above_of = |keys: &KeyIndex, row: usize| keys.get(above.row(row).as_ref());
        let mut below: HashMap<usize, Vec<usize>> = HashMap::new();
        for (member, versions) in self.members.iter().enumerate() {
            for version in versions {
                if let Some(above) = above_of(&self.keys, version.row) {
                    let known = below.entry(above).or_default();
                    if known.last() != Some(&member) {
                        known.push(member);
                    }
                }
            }
        }
        while let Some((place, day)) = ended.pop() {
            for member in below.get(&place).into_iter().flatten() {
                let versions = &mut self.members[*member];
                let Some(held) = versions.iter().position(|version| version.from < day && day < version.to) else {
                    continue;
                };
                if above_of(&self.keys, versions[held].row) != Some(place) {
                    continue;
                }
                let second = Version { surrogate: None, from: day, ..versions[held] };
                versions[held].to = day;
                versions.insert(held + 1, second);
                self.changed = true;
                ended.push((*member, day));
            }
        }
        Ok(())
    }

    /// Compares two rows in the columns that make versions, or in those that are overwritten.
    fn comparators(&self, overwritten: bool) -> Result<Vec<DynComparator>> {
        let table = &self.target.table;
        let fields = self.rows.schema_ref().fields().iter().zip(self.rows.columns());
        let wanted = fields.filter(|(field, _)| {
            let name = field.name().as_str();
            let own = table.column(name).is_some_and(|column| column.overwrite);
            *self.versions.from != name && *self.versions.to != name && own == overwritten
        });
        wanted.map(|(_, array)| make_comparator(array, array, SortOptions::default()).map_err(failed)).collect()
    }
}

fn dates<'b>(rows: &'b RecordBatch, name: &str) -> Result<&'b Date32Array> {
    let column = rows.column_by_name(name).and_then(|column| column.as_primitive_opt::<Date32Type>());
    column.ok_or_else(|| Error::internal("versions are merged", format!("no dates in {name}")))
}
