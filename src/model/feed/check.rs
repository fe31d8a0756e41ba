//! A feed against the tables that it fills.

use super::{Feed, FeedColumn, FeedFile};
use crate::model::shape::did_you_mean;
use crate::model::table::{DataType, Table};
use crate::model::{Diagnostic, Located};

/// What must hold between a feed and the warehouse's tables; empty when all is well.
pub fn check(feed: &Feed, tables: &[Table]) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for file in &feed.files {
        match tables.iter().find(|table| *table.name == *file.table) {
            Some(table) => Check { file, table, tables, faults: &mut faults }.run(),
            None => {
                let hint = did_you_mean(&file.table, tables.iter().map(|table| table.name.as_str()));
                let message = format!("file `{}`: there is no table `{}`{hint}", *file.path, *file.table);
                faults.push(Diagnostic::new(&file.table.place, message));
            }
        }
    }
    crate::model::shape::in_order(faults)
}

struct Check<'a> {
    file: &'a FeedFile,
    table: &'a Table,
    tables: &'a [Table],
    faults: &'a mut Vec<Diagnostic>,
}

impl Check<'_> {
    fn fault<T>(&mut self, at: &Located<T>, message: &str) {
        self.faults.push(Diagnostic::new(&at.place, format!("file `{}`: {message}", *self.file.path)));
    }

    fn run(&mut self) {
        let (file, table) = (self.file, self.table);
        for column in file.columns.iter().filter(|column| !column.ignore) {
            if let Some(stored) = self.target(&column.to) {
                self.column(column, stored);
            }
        }
        for (name, _) in &file.constants {
            self.target(name);
        }
        for column in &table.columns {
            let needed = column.required || table.key.iter().any(|key| **key == *column.name);
            let delivered = file.columns.iter().any(|from| !from.ignore && *from.to == *column.name)
                || file.constants.iter().any(|(name, _)| **name == *column.name);
            if needed && !delivered {
                let message = format!("nothing fills `{}`, which table `{}` requires", *column.name, *table.name);
                self.fault(&file.table, &message);
            }
        }
        for (name, _) in &file.control.sums {
            let column = file.columns.iter().find(|column| *column.name == **name);
            let Some(data_type) = column.and_then(|column| self.delivered(column)) else { continue };
            if !matches!(data_type, DataType::Integer | DataType::Decimal(..)) {
                self.fault(name, &format!("column `{}` is of type {data_type}, which has no exact sum", **name));
            }
        }
    }

    /// The type that the table wants from this target: for a reference, the natural key's.
    fn target(&mut self, name: &Located<String>) -> Option<DataType> {
        let table = self.table;
        if table.surrogate.as_ref().is_some_and(|surrogate| **surrogate == **name) {
            self.fault(name, &format!("`{}` is the surrogate of `{}`, which the loader numbers", **name, *table.name));
            return None;
        }
        if table.versions.as_ref().is_some_and(|versions| *versions.to == **name) {
            self.fault(
                name,
                &format!("`{}` is the end of a version of `{}`, which the loader fills", **name, *table.name),
            );
            return None;
        }
        if table.column(name).is_none() {
            let hint = did_you_mean(name, table.columns.iter().map(|column| column.name.as_str()));
            self.fault(name, &format!("table `{}` has no column `{}`{hint}", *table.name, **name));
        }
        self.wanted(name)
    }

    fn wanted(&self, name: &str) -> Option<DataType> {
        let column = self.table.column(name)?;
        let Some(reference) = &column.references else { return Some(column.data_type) };
        let dimension = self.tables.iter().find(|table| *table.name == **reference)?;
        dimension.type_of(dimension.natural_key().next()?)
    }

    /// The type that the file delivers.
    fn delivered(&self, column: &FeedColumn) -> Option<DataType> {
        column.data_type.as_ref().map(|declared| declared.value).or_else(|| self.wanted(&column.to))
    }

    fn column(&mut self, column: &FeedColumn, wanted: DataType) {
        let delivered = column.data_type.as_ref().map_or(wanted, |declared| declared.value);
        if let Some(declared) = &column.data_type
            && !delivered.fits(wanted)
        {
            let message = format!(
                "column `{}` delivers {delivered}, which does not fit {wanted} of `{}`",
                *column.name, *column.to
            );
            self.fault(declared, &message);
        }
        if column.codes.is_some() && wanted != DataType::Text {
            let message =
                format!("column `{}` has `codes`, but `{}` is of type {wanted}, not text", *column.name, *column.to);
            self.fault(&column.name, &message);
        }
        if column.format.is_some() && !matches!(delivered, DataType::Date | DataType::Timestamp) {
            let message =
                format!("column `{}` has a `format`, which is for dates and timestamps, not {delivered}", *column.name);
            self.fault(&column.name, &message);
        }
    }
}
