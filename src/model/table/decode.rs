//! Warehouse tables: their keys in `countinghouse.yaml`, and what must hold among them.

use std::collections::BTreeMap;

use super::{Column, DataType, Partition, Period, Sensitivity, Table, TableKind, Versions};
use crate::model::shape::{Fields, Kind, Shape, did_you_mean, may, need};
use crate::model::{Diagnostic, Located};

/// The Int32 partition column that the loader adds to a table with a period.
const PERIOD_COLUMN: &str = "month";

pub(crate) static TABLE: Shape = Shape {
    name: "a table",
    keys: &[
        need("name", Kind::Name, "Name of the table, unique in the warehouse."),
        need(
            "kind",
            Kind::OneOf(&["fact", "dimension"]),
            "Facts are posted once; rows of a dimension replace earlier ones, or follow them as `versions`.",
        ),
        need(
            "key",
            Kind::List(&Kind::Name),
            "Columns that identify a row; for a fact with its date and branch. A fact without a key: `[]`, every row is new.",
        ),
        may(
            "surrogate",
            Kind::Name,
            "Dimensions: integer key that the loader numbers from 1 and that facts hold. Not delivered.",
        ),
        may(
            "versions",
            Kind::Map(&VERSIONS),
            "Dimensions: a changed row is a new version with a surrogate of its own, and facts hold that of their own day.",
        ),
        may("partition", Kind::Map(&PARTITION), "How files are cut. Without it all rows lie in one part, `shared`."),
        may("sort", Kind::List(&Kind::Name), "Sort order within a file; the key is appended."),
        need("columns", Kind::List(&Kind::Map(&COLUMN)), "Columns in order, without the surrogate."),
    ],
};

static VERSIONS: Shape = Shape {
    name: "versions",
    keys: &[
        need("from", Kind::Name, "Date column: a version's first day. Delivered, or the feed's business date."),
        need("to", Kind::Name, "Date column: the day after its last, 9999-12-31 while it holds. The loader fills it."),
        may(
            "parent",
            Kind::Name,
            "Column with the key of the row above: a new version of a row makes one of each row below it.",
        ),
    ],
};

static PARTITION: Shape = Shape {
    name: "a partition",
    keys: &[
        may("branch", Kind::Name, "Text column whose value names the branch."),
        may("date", Kind::Name, "Date column that decides the period."),
        may("by", Kind::OneOf(&["month", "quarter", "year"]), "Length of the period, with `date`.").or("month"),
    ],
};

static COLUMN: Shape = Shape {
    name: "a column",
    keys: &[
        need("name", Kind::Name, "Name of the column."),
        need("type", Kind::DataType, "What it holds. `money` is decimal(18,2)."),
        may("required", Kind::Boolean, "A row without a value is rejected.").or("false"),
        may(
            "references",
            Kind::Name,
            "Dimension table whose surrogate this column holds; feeds deliver the natural key.",
        ),
        may("sensitivity", SENSITIVITY, "C1 internal, C2 identifies a person or shows a financial state.").or("C1"),
        may("kind", Kind::Name, "Which mask fits: `name`, `phone`, `account` ..."),
        may("overwrite", Kind::Boolean, "With `versions`: a change makes no new version, all have the newest value.")
            .or("false"),
    ],
};

/// C3, authentication data, is refused: it has no place in a warehouse.
pub(crate) const SENSITIVITY: Kind = Kind::OneOf(&["C1", "C2"]);

pub(crate) fn sensitivity(fields: &Fields<'_>) -> Sensitivity {
    match fields.text("sensitivity") {
        Some(text) if *text == "C2" => Sensitivity::C2,
        _ => Sensitivity::C1,
    }
}

pub(crate) fn decode(fields: &Fields<'_>) -> Table {
    Table {
        name: fields.needed("name"),
        kind: if *fields.needed("kind") == "dimension" { TableKind::Dimension } else { TableKind::Fact },
        columns: fields.maps("columns").iter().map(column).collect(),
        key: fields.texts("key"),
        surrogate: fields.text("surrogate"),
        versions: fields.map("versions").map(|versions| Versions {
            from: versions.needed("from"),
            to: versions.needed("to"),
            parent: versions.text("parent"),
        }),
        partition: fields.map("partition").map(|partition| decode_partition(&partition)).unwrap_or_default(),
        sort: fields.texts("sort"),
    }
}

fn decode_partition(fields: &Fields<'_>) -> Partition {
    let date = fields.text("date");
    let period = match (&date, fields.needed("by").as_str()) {
        (None, _) => Period::None,
        (_, "quarter") => Period::Quarter,
        (_, "year") => Period::Year,
        _ => Period::Month,
    };
    Partition { branch: fields.text("branch"), date, period }
}

fn column(fields: &Fields<'_>) -> Column {
    Column {
        name: fields.needed("name"),
        data_type: fields.number_or("type", DataType::Text),
        required: fields.boolean("required"),
        references: fields.text("references"),
        sensitivity: sensitivity(fields),
        kind: fields.text("kind").map(|kind| kind.value),
        overwrite: fields.boolean("overwrite"),
    }
}

/// What must hold within and among tables. Empty names are values that were already refused.
pub(crate) fn validate(tables: &[Table], faults: &mut Vec<Diagnostic>) {
    let mut names = BTreeMap::new();
    for table in tables {
        if let Some(first) = names.insert(table.name.as_str(), table).filter(|_| !table.name.is_empty()) {
            let message = format!("table `{}` is declared twice, first on line {}", *table.name, first.name.place.line);
            faults.push(Diagnostic::new(&table.name.place, message));
        }
        Check { table, tables, faults }.run();
    }
}

struct Check<'a> {
    table: &'a Table,
    tables: &'a [Table],
    faults: &'a mut Vec<Diagnostic>,
}

impl Check<'_> {
    fn fault<T>(&mut self, at: &Located<T>, message: &str) {
        let message = format!("table `{}`: {message}", *self.table.name);
        self.faults.push(Diagnostic::new(&at.place, message));
    }

    fn run(&mut self) {
        let table = self.table;
        let mut seen = BTreeMap::new();
        for column in table.columns.iter().filter(|column| !column.name.is_empty()) {
            if let Some(first) = seen.insert(column.name.as_str(), column) {
                let line = first.name.place.line;
                self.fault(&column.name, &format!("column `{}` is declared twice, first on line {line}", *column.name));
            }
            if *column.name == PERIOD_COLUMN && table.partition.date.is_some() {
                self.fault(
                    &column.name,
                    "the loader adds a column `month` to a table with `partition.date`; rename this one",
                );
            }
            if let Some(target) = column.references.as_ref().filter(|target| !target.is_empty()) {
                self.reference(column, target);
            }
        }
        // Facts may come from a source that numbers nothing; then no row can be known again.
        if table.key.is_empty() && table.kind == TableKind::Dimension {
            self.fault(&table.name, "`key` names no column");
        }
        for list in [&table.key, &table.sort] {
            let mut named = Vec::new();
            for column in list {
                if named.contains(&column.as_str()) {
                    self.fault(column, &format!("`{}` is named twice", **column));
                }
                named.push(column.as_str());
                self.known(column, None);
            }
        }
        self.surrogate();
        self.versions();
        if let Some(branch) = &table.partition.branch {
            self.known(branch, Some(DataType::Text));
            if table.key.len() == 1 && *table.key[0] == **branch {
                self.fault(&table.key[0], "the branch alone cannot identify a row");
            }
        }
        if let Some(date) = &table.partition.date {
            self.known(date, Some(DataType::Date));
            if table.kind == TableKind::Dimension {
                self.fault(date, "a dimension is not cut by time: each load replaces rows of any age");
            }
        }
    }

    fn surrogate(&mut self) {
        let table = self.table;
        let Some(surrogate) = &table.surrogate else { return };
        if table.kind == TableKind::Fact {
            self.fault(surrogate, "a fact has no surrogate: its rows are not referred to");
        }
        if let Some(column) = table.column(surrogate) {
            self.fault(
                &column.name,
                &format!("`{}` is the surrogate, which the loader adds; leave it out", **surrogate),
            );
        }
    }

    fn versions(&mut self) {
        let table = self.table;
        let Some(Versions { from, to, parent }) = &table.versions else {
            for column in table.columns.iter().filter(|column| column.overwrite) {
                let message = format!("column `{}` says `overwrite`, and the table keeps no `versions`", *column.name);
                self.fault(&column.name, &message);
            }
            return;
        };
        if table.surrogate.is_none() {
            self.fault(from, "`versions` need a `surrogate` to tell them apart");
        }
        for date in [from, to] {
            self.known(date, Some(DataType::Date));
            if table.key.iter().any(|key| **key == **date) {
                self.fault(date, &format!("`{}` tells versions of a key apart, so it is no part of the key", **date));
            }
            if table.column(date).is_some_and(|column| column.required || column.overwrite) {
                self.fault(date, &format!("the loader fills `{}`: it is neither `required` nor `overwrite`", **date));
            }
        }
        if **from == **to {
            self.fault(to, "a version's first day and the day after its last are two columns");
        }
        let Some(parent) = parent else { return };
        if table.partition.branch.is_some() {
            self.fault(parent, "a unit and what is above it stand in one part, so the table has no `partition.branch`");
        }
        let mut keys = table.natural_key();
        match (keys.next().and_then(|key| table.column(key)), keys.next()) {
            (Some(key), None) => self.known(parent, Some(key.data_type)),
            _ => self.fault(parent, "the key of the row above is one column besides the branch"),
        }
        if table.column(parent).is_some_and(|column| column.overwrite) {
            self.fault(parent, &format!("a change of `{}` makes new versions, so it is not `overwrite`", **parent));
        }
    }

    /// A column of this table that must exist, and be of this type where one is given.
    fn known(&mut self, name: &Located<String>, wanted: Option<DataType>) {
        if name.is_empty() {
            return;
        }
        match (self.table.column(name).map(|column| column.data_type), wanted) {
            (None, _) => {
                let hint = did_you_mean(name, self.table.columns.iter().map(|column| column.name.as_str()));
                self.fault(name, &format!("it has no column `{}`{hint}", **name));
            }
            (Some(found), Some(wanted)) if found != wanted => {
                self.fault(name, &format!("column `{}` must be of type {wanted}, not {found}", **name));
            }
            _ => {}
        }
    }

    fn reference(&mut self, column: &Column, target: &Located<String>) {
        let Some(dimension) = self.tables.iter().find(|table| *table.name == **target) else {
            let dimensions = self.tables.iter().filter(|table| table.kind == TableKind::Dimension);
            let hint = did_you_mean(target, dimensions.map(|table| table.name.as_str()));
            return self.fault(
                target,
                &format!("column `{}` references the unknown table `{}`{hint}", *column.name, **target),
            );
        };
        if dimension.surrogate.is_none() {
            return self.fault(target, &format!("`{}` has no `surrogate` to refer to", **target));
        }
        if column.data_type != DataType::Integer {
            self.fault(&column.name, &format!("column `{}` holds a surrogate, so its type is integer", *column.name));
        }
        if dimension.natural_key().count() != 1 {
            let message =
                format!("`{}` cannot be looked up: its key has not exactly one column besides the branch", **target);
            self.fault(target, &message);
        }
        if dimension.partition.branch.is_some() && self.table.partition.branch.is_none() {
            let message =
                format!("`{}` is cut by branch, so this table needs `partition.branch` to look its keys up", **target);
            self.fault(target, &message);
        }
    }
}
