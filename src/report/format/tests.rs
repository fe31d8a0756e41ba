use std::collections::BTreeSet;
use std::sync::Arc;

use super::{FORMATS, Tools, csv, find, html, json};
use arrow::datatypes::DataType;

use crate::locale::{Lang, NumberUnit, Quantity};
use crate::report::document::{
    Block, Cell, Change, Choice, Control, Dataset, DatasetEvidence, Evidence, Kpi, Prose, Table, TableColumn, TableRow,
    TieOut, Tone,
};
use crate::report::font::Fonts;
use crate::report::value::{Number, Value};
use crate::report::worker::Worker;
use crate::report::{Document, Imprint};

const HOSTILE: &str = "<script>alert('x')</script> & \"quotes\"";

fn number(text: &str) -> Value {
    Value::Number(Number::parse(text).unwrap())
}

fn cell(text: &str, link: Option<&str>) -> Cell {
    Cell { text: text.to_owned(), tone: Tone::Neutral, bar: None, link: link.map(str::to_owned) }
}

fn tools() -> Tools {
    Tools { fonts: Arc::new(Fonts::load(None).unwrap()), worker: Worker::in_process() }
}

/// A small document with hostile text wherever text can stand.
fn document() -> Document {
    let text = || HOSTILE.to_owned();
    Document {
        report: "probe".into(),
        lang: Lang::En,
        title: text(),
        description: String::new(),
        message: text(),
        as_of: 20_422,
        scope: Choice { value: "head_office".into(), label: text() },
        controls: vec![
            Control {
                name: "as_of".into(),
                label: text(),
                value: "2025-11-30".into(),
                choices: Vec::new(),
                input: "date",
            },
            Control {
                name: "scope".into(),
                label: "Scope".into(),
                value: "head_office".into(),
                choices: ["head_office", "beijing"].map(|value| Choice { value: value.into(), label: text() }).into(),
                input: "text",
            },
        ],
        blocks: vec![
            Block::Message(text()),
            Block::Row(vec![Block::Kpi(Kpi {
                title: text(),
                value: "1.2".into(),
                unit: "CNY M".into(),
                beside: Some((text(), "1.1".into())),
                changes: vec![Change {
                    against: text(),
                    amount: "+0.1".into(),
                    unit: String::new(),
                    percent: Some("–".into()),
                    tone: Tone::Bad,
                    direction: 1,
                    exact: [None; 2],
                }],
                spark: None,
                scale: NumberUnit::plain(Quantity::Money),
                exact: [None; 2],
            })]),
            Block::Table(Table {
                id: "t".into(),
                title: text(),
                message: text(),
                dataset: "rows".into(),
                columns: vec![TableColumn {
                    column: "name".into(),
                    quantity: Quantity::Number,
                    label: text(),
                    unit: String::new(),
                    numeric: false,
                    bar: false,
                }],
                rows: vec![TableRow { total: false, cells: vec![cell(HOSTILE, Some("/reports/probe?scope=beijing"))] }],
            }),
            Block::Text(vec![Prose::Paragraph(text()), Prose::List(vec![text()])]),
        ],
        datasets: vec![
            Dataset {
                name: "one".into(),
                columns: vec!["n".into()],
                types: vec![DataType::Int64],
                rows: vec![vec![number("1")]],
            },
            Dataset {
                name: "rows".into(),
                columns: ["name", "balance", "accounts", "closed"].map(str::to_owned).into(),
                types: vec![DataType::Utf8, DataType::Decimal128(38, 2), DataType::Int64, DataType::Boolean],
                rows: vec![
                    vec![Value::Text("=1+1".into()), number("-12345678901234567.89"), number("7"), Value::Null],
                    vec![
                        Value::Text("a \"b\", c".into()),
                        number("0.00"),
                        number("9007199254740993"),
                        Value::Boolean(true),
                    ],
                ],
            },
        ],
        evidence: Evidence {
            principal: "executive".into(),
            fingerprint: "f".into(),
            snapshot: 1842,
            snapshot_created_at: jiff::Timestamp::UNIX_EPOCH,
            newest: 20_422,
            closed: 27,
            branches: 28,
            open: vec!["xiamen".into()],
            parameters: Vec::new(),
            datasets: vec![DatasetEvidence {
                name: "rows".into(),
                query_id: "q1".into(),
                rows: 2,
                rows_sha256: "aa".into(),
                records: false,
                sql: "SELECT 1".into(),
                sql_sha256: "bb".into(),
                rollups: Vec::new(),
                history: Vec::new(),
                refused: serde_json::Value::Null,
                notices: vec![HOSTILE.into()],
                duration_ms: 3,
            }],
            tie_out: TieOut::Differs(vec!["deposits.balance".into()]),
            engine: "0.1.0",
            duration_ms: 9,
        },
        imprint: Imprint::Live { reader: "executive".into(), at: jiff::Timestamp::UNIX_EPOCH },
    }
}

#[test]
fn formats_have_names_of_their_own() {
    let names: BTreeSet<_> = FORMATS.iter().map(|format| format.name()).collect();
    assert_eq!(names.len(), FORMATS.len());
    assert_eq!(find("json").unwrap().content_type(), "application/json");
    let error = find("docx").unwrap_err();
    assert_eq!(
        error.message(),
        "parameter `format`: `docx` is not allowed; write one of `html`, `pdf`, `xlsx`, `csv`, `json`, `parquet`, `arrow`, `png`"
    );
}

#[test]
fn html_escapes_every_text() {
    let fragment = html::fragment(&document()).unwrap();
    assert!(!fragment.main.contains("<script"), "{}", fragment.main);
    assert!(fragment.main.contains("&#60;script&#62;") || fragment.main.contains("&lt;script&gt;"));
    // The content security policy of the server allows neither.
    assert!(!fragment.main.contains(" style=") && !fragment.main.contains("<style"));
    assert!(!fragment.main.contains(" onclick"));
}

#[test]
fn html_has_one_main_one_first_heading_and_headings_in_order() {
    let main = html::fragment(&document()).unwrap().main;
    assert_eq!(main.matches("<main").count(), 1);
    assert_eq!(main.matches("<h1").count(), 1);
    let mut last = 0;
    for at in main.match_indices("<h").map(|(at, _)| at) {
        let Some(level) = main[at + 2..].chars().next().and_then(|digit| digit.to_digit(10)) else { continue };
        assert!(level <= last + 1, "h{level} after h{last}");
        last = level;
    }
}

#[test]
fn html_says_what_is_missing_and_what_differs() {
    let main = html::fragment(&document()).unwrap().main;
    for words in ["27/28", "xiamen", "Preliminary", "deposits.balance", "unfavourable", "1842", "format=json"] {
        assert!(main.contains(words), "{words}");
    }
    assert!(main.contains("href=\"/reports/probe?scope=beijing\""));
}

#[test]
fn a_file_stands_alone() {
    let file = String::from_utf8(find("html").unwrap().render(&document(), &tools()).unwrap()).unwrap();
    assert!(file.starts_with("<!doctype html>"));
    assert!(file.contains("<html lang=\"en\">") && file.contains("svg.chart"));
    assert!(!file.contains("<title><script"));
    assert!(!file.contains("src=") && !file.contains("@import") && !file.contains("url("));
}

#[test]
fn json_keeps_every_digit() {
    let value: serde_json::Value = serde_json::from_slice(&json::render(&document()).unwrap()).unwrap();
    let rows = &value["datasets"]["rows"];
    assert_eq!(rows[0]["balance"], "-12345678901234567.89");
    assert_eq!(rows[0]["accounts"], 7);
    assert_eq!(rows[0]["closed"], serde_json::Value::Null);
    // 2^53 + 1 would be another number in most readers.
    assert_eq!(rows[1]["accounts"], "9007199254740993");
    assert_eq!(value["as_of"], "2025-11-30");
    assert_eq!(value["evidence"]["snapshot"], 1842);
    assert_eq!(value["evidence"]["completeness"]["open"][0], "xiamen");
    assert_eq!(value["evidence"]["datasets"][0]["sql_sha256"], "bb");
    assert_eq!(value["evidence"]["tie_out"]["state"], "differs");
}

#[test]
fn csv_is_the_first_table_with_guarded_formulas() {
    let bytes = csv::render(&document()).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(
        text,
        "\u{feff}name,balance,accounts,closed\r\n'=1+1,-12345678901234567.89,7,\r\n\"a \"\"b\"\", c\",0.00,9007199254740993,true\r\n"
    );
}

#[test]
fn csv_without_a_table_is_the_first_dataset() {
    let mut document = document();
    document.blocks.clear();
    assert_eq!(String::from_utf8(csv::render(&document).unwrap()).unwrap(), "\u{feff}n\r\n1\r\n");
    document.datasets.clear();
    assert!(csv::render(&document).is_err());
}
