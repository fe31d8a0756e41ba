//! Feed files: their keys, and what must hold within one.

use std::collections::BTreeMap;

use super::{Control, Feed, FeedColumn, FeedFile};
use crate::model::shape::{self, Fields, Kind, Shape, may, need};
use crate::model::{Diagnostic, Located, time, yaml};

pub(crate) static FEED: Shape = Shape {
    name: "a feed",
    keys: &[
        need("node", Kind::Name, "Who delivers."),
        need("batch", Kind::Integer(1, u32::MAX as i64), "Number of the delivery: 1, 2, 3 ... per node, without gaps."),
        need("business_date", Kind::Date, "The day that the data stand for."),
        need("source", Kind::Text, "The system that the data come from."),
        may("max_reject_share", Kind::Share, "The batch is held when more of a file's rows than this are rejected.")
            .or("0.01"),
        need("files", Kind::List(&Kind::Map(&FILE)), "The data files."),
    ],
};

static FILE: Shape = Shape {
    name: "a data file",
    keys: &[
        need("path", Kind::Path, "The file, relative to the feed."),
        need("format", Kind::OneOf(&["csv", "ndjson", "parquet"]), "How it is written; text is UTF-8."),
        may("delimiter", Kind::Character, "CSV: what separates fields.").or("\",\""),
        may("null", Kind::List(&Kind::Text), "CSV and NDJSON: texts that mean that there is no value.").or("[\"\"]"),
        need("table", Kind::Name, "The warehouse table that it fills."),
        need("columns", Kind::List(&Kind::Map(&COLUMN)), "Every column of the file."),
        may(
            "constants",
            Kind::Entries(&Kind::Name, &Kind::Text),
            "Values for table columns that the file does not hold.",
        ),
        may("sha256", Kind::Sha256, "Hash of the file, when the source gives it."),
        may("control", Kind::Map(&CONTROL), "Totals that must agree, or the batch is refused whole."),
    ],
};

static COLUMN: Shape = Shape {
    name: "a file column",
    keys: &[
        need("name", Kind::Text, "Name in the file."),
        may("to", Kind::Name, "Name in the table; the same unless stated."),
        may("type", Kind::DataType, "The type delivered; the table's unless stated."),
        may("format", Kind::Text, "CSV dates and timestamps: strftime letters; ISO unless stated."),
        may("ignore", Kind::Boolean, "Known, but not loaded.").or("false"),
        may(
            "codes",
            Kind::Entries(&Kind::Text, &Kind::Text),
            "Delivered code to stored code. Other codes are rejected.",
        ),
    ],
};

static CONTROL: Shape = Shape {
    name: "a control",
    keys: &[
        may("rows", Kind::Integer(0, i64::MAX), "Rows delivered."),
        may(
            "sums",
            Kind::Entries(&Kind::Text, &Kind::Decimal),
            "Exact sum of columns of the file, by their names there.",
        ),
    ],
};

/// A feed from its text. `path` is how the file is called in diagnostics.
///
/// # Errors
/// Every fault of the file. What needs the tables is left to [`super::check`].
pub fn parse(path: &str, text: &str) -> Result<Feed, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let node = yaml::parse(path, text, &mut faults);
    shape::check(&node, Kind::Map(&FEED), "a feed", &mut faults);
    let feed = decode(&Fields::new(&node, &FEED));
    for file in &feed.files {
        validate(file, &mut faults);
    }
    if feed.files.is_empty() && faults.is_empty() {
        faults.push(Diagnostic::new(&node.place, "a feed delivers at least one file"));
    }
    if faults.is_empty() { Ok(feed) } else { Err(shape::in_order(faults)) }
}

fn decode(fields: &Fields<'_>) -> Feed {
    let date = fields.needed("business_date");
    Feed {
        node: fields.needed("node"),
        number: fields.number("batch").unwrap_or_default(),
        business_date: date.map(|text| time::parse(&text).unwrap_or_default()),
        source: fields.needed("source").value,
        max_reject_share: fields.number_or("max_reject_share", 0.0),
        files: fields.maps("files").iter().map(file).collect(),
    }
}

fn file(fields: &Fields<'_>) -> FeedFile {
    let control = fields.map("control");
    let constants = fields.text_pairs("constants").into_iter();
    FeedFile {
        path: fields.needed("path"),
        format: fields.needed("format"),
        delimiter: fields.needed("delimiter").chars().next().unwrap_or(','),
        null_values: fields.texts("null").into_iter().map(|text| text.value).collect(),
        table: fields.needed("table"),
        columns: fields.maps("columns").iter().map(column).collect(),
        constants: constants.map(|(column, text)| (column, text.value)).collect(),
        sha256: fields.text("sha256").map(|hash| hash.map(|text| text.to_ascii_lowercase())),
        control: control.map_or_else(Control::default, |fields| Control {
            rows: fields.number("rows"),
            sums: fields.text_pairs("sums"),
        }),
    }
}

fn column(fields: &Fields<'_>) -> FeedColumn {
    let name = fields.needed("name");
    let codes = fields.text_pairs("codes").into_iter().map(|(from, to)| (from.value, to.value)).collect();
    FeedColumn {
        to: fields.text("to").unwrap_or_else(|| name.clone()),
        name,
        data_type: fields.number("type"),
        format: fields.text("format").map(|format| format.value),
        ignore: fields.boolean("ignore"),
        codes: fields.given("codes").is_some().then_some(codes),
    }
}

/// What must hold within one data file, whatever its table.
fn validate(file: &FeedFile, faults: &mut Vec<Diagnostic>) {
    let mut fault = |at: &Located<String>, message: String| {
        faults.push(Diagnostic::new(&at.place, format!("file `{}`: {message}", *file.path)));
    };
    let mut names: BTreeMap<&str, &FeedColumn> = BTreeMap::new();
    let mut targets: BTreeMap<&str, &str> = BTreeMap::new();
    for column in file.columns.iter().filter(|column| !column.name.is_empty()) {
        if names.insert(&column.name, column).is_some() {
            fault(&column.name, format!("column `{}` is named twice", *column.name));
        } else if column.ignore {
            if column.to.place != column.name.place || column.codes.is_some() || column.format.is_some() {
                fault(
                    &column.name,
                    format!("column `{}` is ignored, so it can have no `to`, `codes` or `format`", *column.name),
                );
            }
        } else if let Some(other) = targets.insert(&column.to, &column.name) {
            fault(&column.to, format!("columns `{other}` and `{}` both fill `{}`", *column.name, *column.to));
        }
    }
    for (name, _) in &file.constants {
        if let Some(column) = targets.get(name.as_str()) {
            fault(name, format!("column `{column}` already fills `{}`", **name));
        }
    }
    for (name, _) in &file.control.sums {
        match names.get(name.as_str()) {
            Some(column) if column.ignore && column.data_type.is_none() => {
                fault(name, format!("the control sum of the ignored column `{}` needs the column's `type`", **name));
            }
            Some(_) => {}
            None => {
                let hint = shape::did_you_mean(name, names.keys().copied());
                fault(name, format!("the control sum is of column `{}`, which the file does not have{hint}", **name));
            }
        }
    }
    if *file.delimiter.to_string() != *"," && !file.format.is_empty() && *file.format != "csv" {
        fault(&file.format, "`delimiter` is for csv only".into());
    }
}
