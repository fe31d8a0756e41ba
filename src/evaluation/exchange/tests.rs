use std::io::{Cursor, Write};

use arrow::datatypes::DataType;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::sheet::{COLUMNS_MAX, ROWS_MAX};
use super::workbook::lines_within;
use super::*;
use crate::auth::Principal;
use crate::error::Code;
use crate::evaluation::tests::{Shelf, principal};
use crate::evaluation::{ASSESSOR, REVIEWER, TABLES};

fn rows_of(text: &str) -> Vec<(usize, Vec<String>)> {
    read(text.as_bytes()).unwrap().rows
}

fn cells(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

fn sheet(header: &[&str], rows: &[&[&str]]) -> Sheet {
    Sheet { header: cells(header), rows: rows.iter().zip(2..).map(|(row, line)| (line, cells(row))).collect() }
}

/// Fields and rules of what is wrong.
fn faults<T: std::fmt::Debug>(refused: Result<T, Refused>) -> Vec<(String, &'static str)> {
    match refused {
        Err(Refused::Faults(faults)) => faults.into_iter().map(|fault| (fault.field, fault.rule)).collect(),
        other => panic!("{other:?}"),
    }
}

fn named(faults: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    faults.iter().map(|(field, rule)| ((*field).to_owned(), *rule)).collect()
}

// ---- CSV

#[test]
fn csv_is_read_with_each_delimiter_and_mark() {
    for text in [
        "item,score\r\na,1\r\n",
        "\u{feff}item,score\na,1",
        "item;score\na;1\n",
        "item\tscore\r\na\t1\r\n",
        "\"item\",\"score\"\n\"a\",\"1\"\n",
        "\n item , score \na,1\n",
    ] {
        let sheet = read(text.as_bytes()).unwrap();
        assert_eq!(sheet.header, ["item", "score"], "{text:?}");
        assert_eq!(sheet.rows[0].1, ["a", "1"], "{text:?}");
    }
    // Commas between quotes are none of the delimiters.
    let sheet = read("\"item, or what\";score\na;1\n".as_bytes()).unwrap();
    assert_eq!(sheet.header, ["item, or what", "score"]);
}

#[test]
fn csv_rows_know_their_lines() {
    for end in ["\n", "\r\n"] {
        let text = ["item,comment", "a,\"one", "two\"", "", ",", "b,\"say \"\"so\"\"\"", "c"].join(end);
        let quoted = format!("one{end}two");
        let expected = vec![(2, cells(&["a", &quoted])), (6, cells(&["b", "say \"so\""])), (7, cells(&["c"]))];
        assert_eq!(rows_of(&text), expected, "{end:?}");
    }
}

#[test]
fn formulas_come_back_as_the_text_they_were() {
    let texts = ["=1+1", "+86 10", "-5", "@SUM(A1)", "'quoted'", "plain", "a,b \"c\"\nd"];
    let columns = &[("comment", Type::Text)][..];
    let data = dataset("t", columns, texts.iter().map(|text| vec![Cell::text(text)]).collect());
    let file = format::csv::file(&data);
    let text = String::from_utf8(file.clone()).unwrap();
    assert!(text.contains("\r\n'=1+1\r\n") && text.contains("\r\n'-5\r\n"), "{text}");
    let back: Vec<String> = read(&file).unwrap().rows.into_iter().flat_map(|(_, cells)| cells).collect();
    assert_eq!(back, texts);
}

#[test]
fn what_is_no_table_is_refused() {
    let code = |bytes: &[u8]| read(bytes).unwrap_err().code();
    assert_eq!(code(b""), Code::BadRequest);
    assert_eq!(code(b" \n,,\n"), Code::BadRequest);
    // GBK, and a workbook of the old kind or with a password.
    assert_eq!(code(b"\xcf\xee\xc4\xbf,1\n"), Code::BadRequest);
    assert_eq!(code(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), Code::BadRequest);
    assert_eq!(code(b"PK\x03\x04 and no more"), Code::BadRequest);
    assert_eq!(code("a".repeat(BYTES_MAX + 1).as_bytes()), Code::Limit);
    assert_eq!(code("a\n".repeat(ROWS_MAX + 2).as_bytes()), Code::Limit);
    assert_eq!(code(",".repeat(COLUMNS_MAX + 1).as_bytes()), Code::Limit);
    assert_eq!(rows_of(&"a\n".repeat(ROWS_MAX + 1)).len(), ROWS_MAX);
}

// ---- XLSX

#[test]
fn a_workbook_comes_back_as_it_went() {
    let texts = ["=1+1", "@SUM(A1)", "<r><t>x</t></r>", "_x0041_ & <b>", " spaces ", "一行\n两行", "\u{1}", "0012"];
    let columns = &[
        ("item", Type::Text),
        ("score", Type::Number),
        ("amount", Type::Money),
        ("count", Type::Integer),
        ("is_key", Type::Flag),
        ("as_of", Type::Day),
    ][..];
    let day = jiff::civil::date(2026, 6, 30);
    let row = |text: &&str| {
        let numbers = [Cell::Number(1.0 / 3.0), Cell::Money(-1234.5), Cell::Integer(7)];
        let rest = [Cell::Flag(true), Cell::Day(day)];
        std::iter::once(Cell::text(text)).chain(numbers).chain(rest).collect::<Vec<Cell>>()
    };
    let data = dataset("answers", columns, texts.iter().map(row).collect());
    let bytes = format::xlsx::workbook("t", std::slice::from_ref(&data), Timestamp::UNIX_EPOCH).unwrap();
    let back = read(&bytes).unwrap();
    assert_eq!(back.header, ["item", "score", "amount", "count", "is_key", "as_of"]);
    for ((line, cells), (text, expected)) in back.rows.iter().zip(texts.iter().zip(2..)) {
        let rest = ["0.333333333333333", "-1234.5", "7", "true", "2026-06-30"];
        assert_eq!((*line, cells[0].as_str()), (expected, *text));
        assert_eq!(cells[1..], rest);
    }
    assert_eq!(back.rows.len(), texts.len());
    // Twice the same is the same bytes.
    let again = format::xlsx::workbook("t", &[data], Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(bytes, again);
}

/// A package of parts.
fn package(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// As other programs write workbooks: prefixes, hidden sheets, inline texts, formulas with their values, gaps.
fn foreign(rows: &str) -> Vec<u8> {
    package(&[
        (
            "xl/workbook.xml",
            r#"<x:workbook xmlns:x="m" xmlns:r="r"><x:workbookPr date1904="1"/><x:sheets>
            <x:sheet name="old" sheetId="1" state="hidden" r:id="rId1"/><x:sheet name="new" sheetId="2" r:id="rId2"/>
            </x:sheets></x:workbook>"#,
        ),
        (
            "xl/_rels/workbook.xml.rels",
            r#"<Relationships><Relationship Id="rId1" Type="t/worksheet" Target="worksheets/sheet1.xml"/>
            <Relationship Id="rId2" Type="t/worksheet" Target="/xl/worksheets/sheet2.xml"/>
            <Relationship Id="rId3" Type="t/sharedStrings" Target="sharedStrings.xml"/>
            <Relationship Id="rId4" Type="t/styles" Target="styles.xml"/></Relationships>"#,
        ),
        ("xl/worksheets/sheet1.xml", "<worksheet/>"),
        ("xl/worksheets/sheet2.xml", &format!("<worksheet><sheetData>{rows}</sheetData></worksheet>")),
        (
            "xl/sharedStrings.xml",
            &format!(
                "<sst><si><t>item</t></si><si><r><t>sc</t></r><r><t>ore</t></r><rPh><t>ye</t></rPh></si>\
                 <si><t>R&amp;D</t></si><si><t>{}</t></si></sst>",
                "x".repeat(100)
            ),
        ),
        (
            "xl/styles.xml",
            r#"<styleSheet><numFmts><numFmt numFmtId="164" formatCode="[$-804]yyyy&quot;年&quot;m&quot;月&quot;"/>
            <numFmt numFmtId="165" formatCode="0.0 &quot;days&quot;"/></numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>
            <cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="165"/></cellXfs></styleSheet>"#,
        ),
    ])
}

#[test]
fn workbooks_of_other_programs_are_read() {
    let bytes = foreign(
        r#"<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row>
        <row r="4"><c r="A4" t="inlineStr"><is><t>a &lt; b</t></is></c><c r="C4"><f>1+1</f><v>2</v></c></row>
        <row r="7"><c r="A7" t="s"><v>2</v></c><c r="B7" s="1"><v>44741</v></c><c r="C7" s="2"><v>3.5</v></c>
        <c r="D7" t="b"><v>0</v></c><c r="E7" t="e"><v>#N/A</v></c><c r="XFD7" s="1"/></row>"#,
    );
    let sheet = read(&bytes).unwrap();
    assert_eq!(sheet.header, ["item", "score"]);
    // 44741 days from 1904-01-01 on; the format with quoted `days` shows no day.
    let last = cells(&["R&D", "2026-06-30", "3.5", "false", "#N/A"]);
    assert_eq!(sheet.rows, vec![(4, cells(&["a < b", "", "2"])), (7, last)]);
}

#[test]
fn a_workbook_stays_within_bounds() {
    let code = |bytes: &[u8]| read(bytes).unwrap_err().code();
    // A cell far out costs nothing but the refusal.
    assert_eq!(code(&foreign(r#"<row r="1"><c r="XFD1"><v>1</v></c></row>"#)), Code::Limit);
    assert_eq!(code(&foreign(&"<row><c><v>1</v></c></row>".repeat(ROWS_MAX + 2))), Code::Limit);
    assert_eq!(code(&foreign(r#"<row><c t="s"><v>9</v></c></row>"#)), Code::BadRequest);
    assert_eq!(code(&foreign("<row><c><v>&bomb;</v></c></row>")), Code::BadRequest);
    assert_eq!(code(&package(&[("xl/workbook.xml", "<workbook/>")])), Code::BadRequest);
    let small = foreign(r#"<row><c t="s"><v>0</v></c></row>"#);
    assert_eq!(lines_within(&small, 1_000).unwrap_err().code(), Code::Limit);
    // A shared text counts as often as cells show it.
    let often = foreign(&r#"<row><c t="s"><v>3</v></c></row>"#.repeat(1_000));
    assert_eq!(lines_within(&often, 150_000).map(|lines| lines.len()).ok(), Some(1_000));
    assert_eq!(lines_within(&often, 50_000).unwrap_err().code(), Code::Limit);
}

// ---- answers

const ANSWER_HEADER: [&str; 6] = ["item", "score", "not_applicable", "evidence_kind", "evidence", "comment"];

fn anna() -> Principal {
    principal("anna", ASSESSOR, "north")
}

/// An assessment of north, which anna answers.
fn assessed() -> Shelf {
    let mut shelf = Shelf::new();
    let rita = principal("rita", REVIEWER, "head_office");
    let body = json!({"organisation": "north", "as_of": "2026-06-30", "manner": "self", "assessors": ["anna"]});
    shelf.put(&rita, &maturity::AssessmentKind, "n1", body).unwrap();
    shelf
}

fn planned(shelf: &Shelf, sheet: &Sheet) -> Result<Vec<Planned>, Refused> {
    plan(&shelf.view(&anna()), &maturity::AnswerKind, Import::Answers, "n1", sheet)
}

#[test]
fn answers_are_planned_by_item_with_all_their_evidence() {
    let shelf = assessed();
    let rows: [&[&str]; 5] = [
        &["top_commitment", "3.5", "", "document", "https://bank.example/a", "so it is"],
        &["top_commitment", "", "", "Survey", "https://bank.example/b", ""],
        &["value_proposition", "", "是", "", "", "no such customers"],
        // Says nothing.
        &["staff_awareness", "", "FALSE", "", "", ""],
        &["", "", "", "", "", ""],
    ];
    let plans = planned(&shelf, &sheet(&ANSWER_HEADER, &rows)).unwrap();
    let found: Vec<(&str, u32)> = plans.iter().map(|one| (one.id.as_str(), one.after)).collect();
    assert_eq!(found, [("n1/top_commitment/anna", 0), ("n1/value_proposition/anna", 0)]);
    assert_eq!(plans[0].body["score"], 3.5);
    let evidence: Vec<_> = plans[0].body["evidence"].as_array().unwrap().iter().map(|one| &one["kind"]).collect();
    assert_eq!(evidence, ["document", "survey"]);
    assert_eq!(plans[1].body["not_applicable"], true);
}

#[test]
fn every_fault_of_answers_names_its_row() {
    let shelf = assessed();
    let rows: [&[&str]; 8] = [
        &["top_commitment", "high", "", "", "", ""],
        &["nowhere", "3", "", "", "", ""],
        &["value_proposition", "7", "", "", "", ""],
        &["staff_awareness", "", "yes", "", "", ""],
        &["tier_strategy", "3", "perhaps", "", "", "", "more"],
        &["value_proposition", "2", "", "", "", ""],
        &["", "2", "", "", "", ""],
        &["target_customers", "2", "", "rumour", "somebody said", ""],
    ];
    let known = &shelf.view(&anna()).definitions;
    for item in ["tier_strategy", "target_customers", "staff_awareness"] {
        assert!(known.maturity.item(item).is_some(), "{item}");
    }
    let expected = named(&[
        ("row 2, score", "number"),
        ("row 3, item", "unknown"),
        ("row 5, comment", "not_applicable"),
        ("row 6", "column"),
        ("row 6, not_applicable", "flag"),
        ("row 7, item", "duplicate"),
        ("row 8, item", "required"),
        ("row 9, evidence_kind", "unknown"),
    ]);
    assert_eq!(faults(planned(&shelf, &sheet(&ANSWER_HEADER, &rows))), expected);
    // What the kind itself refuses, by the column too.
    let rows: [&[&str]; 2] =
        [&["value_proposition", "7", "", "", "", ""], &["top_commitment", "3", "", "document", "javascript:x", ""]];
    let expected = named(&[("row 2, score", "score"), ("row 3, evidence", "link")]);
    assert_eq!(faults(planned(&shelf, &sheet(&ANSWER_HEADER, &rows))), expected);
}

#[test]
fn a_wrong_header_names_its_columns_and_nothing_else() {
    let shelf = assessed();
    let header = ["Item", "score", "mark", "score", "evidence_kind", "evidence", "comment", "name_en"];
    let rows: [&[&str]; 1] = [&["nowhere", "high"]];
    let Err(Refused::Faults(found)) = planned(&shelf, &sheet(&header, &rows)) else { panic!("it was taken") };
    let found: Vec<(&str, &str)> = found.iter().map(|fault| (fault.value.as_str(), fault.rule)).collect();
    assert_eq!(found, [("mark", "column"), ("score", "duplicate"), ("not_applicable", "missing_column")]);
    assert_eq!(faults(planned(&shelf, &sheet(&ANSWER_HEADER, &[]))), named(&[("row 2", "required")]));
}

#[test]
fn answers_go_to_an_assessment_of_one_s_own_alone() {
    let shelf = assessed();
    let sheet = sheet(&ANSWER_HEADER, &[&["top_commitment", "3", "", "", "", ""]]);
    let by = |who: &Principal, into: &str| {
        plan(&shelf.view(who), &maturity::AnswerKind, Import::Answers, into, &sheet).map(|plans| plans.len())
    };
    let code = |refused: Result<usize, Refused>| match refused {
        Err(Refused::Error(error)) => error.code(),
        other => panic!("{other:?}"),
    };
    assert_eq!(by(&anna(), "n1").unwrap(), 1);
    // Another branch's is not there, as one that never was.
    assert_eq!(code(by(&principal("sam", ASSESSOR, "south"), "n1")), Code::NoSuchObject);
    assert_eq!(code(by(&anna(), "n2")), Code::NoSuchObject);
    assert_eq!(code(by(&principal("nora", ASSESSOR, "north"), "n1")), Code::Denied);
}

#[test]
fn a_template_of_answers_says_what_stands_there_and_changes_nothing() {
    let mut shelf = assessed();
    let given = json!({
        "score": 3.5,
        "evidence": [
            {"kind": "document", "reference": "https://bank.example/a"},
            {"kind": "text", "reference": "=SUM of it"},
        ],
        "comment": "一行\n两行",
    });
    shelf.put(&anna(), &maturity::AnswerKind, "n1/top_commitment/anna", given).unwrap();
    let radar = json!({"radar": [60.0, 50.0, 40.0], "comment": "by parts"});
    shelf.put(&anna(), &maturity::AnswerKind, "n1/value_proposition/anna", radar).unwrap();
    let mut filled = read(&template(Import::Answers, &shelf.view(&anna()), "n1").unwrap()).unwrap();
    assert_eq!(
        filled.header,
        ["item", "name", "name_en", "score", "not_applicable", "evidence_kind", "evidence", "comment"]
    );
    // 40 items, one of them with a second piece of evidence.
    assert_eq!(filled.rows.len(), 41);
    assert_eq!(filled.rows[0].1[..4], ["top_commitment", "高层共识与宣讲", "Commitment of the top", "3.5"]);
    assert_eq!(planned(&shelf, &filled).unwrap().len(), 0);
    filled.rows[0].1[3] = "4".to_owned();
    let plans = planned(&shelf, &filled).unwrap();
    assert_eq!((plans.len(), plans[0].after), (1, 1));
    assert_eq!((&plans[0].body["score"], &plans[0].body["comment"]), (&json!(4.0), &json!("一行\n两行")));
    assert_eq!(plans[0].body["evidence"].as_array().unwrap().len(), 2);
    assert!(template(Import::Answers, &shelf.view(&anna()), "n2").is_err());
}

// ---- cash

const CASH_HEADER: [&str; 6] = ["line", "period", "low", "likely", "high", "actual"];

fn invested() -> Shelf {
    let mut shelf = Shelf::new();
    let body = json!({
        "name": "CRM", "organisation": "north", "currency": "CNY", "start": "2026-01-01", "period": "year", "periods": 3,
        "terms": {"rate": 0.08},
        "lines": [
            {"line": "licences", "category": "licences", "likely": [100.0, 20.0, 20.0]},
            {
                "line": "keep", "category": "retention", "name": "Customers who stay",
                "low": [0.0, 40.0, 50.0], "likely": [0.0, 80.0, 90.0],
            },
        ],
    });
    shelf.put(&anna(), &roi::CaseKind, "crm", body).unwrap();
    shelf
}

fn cash_planned(shelf: &Shelf, rows: &[&[&str]]) -> Result<Vec<Planned>, Refused> {
    plan(&shelf.view(&anna()), &roi::CaseKind, Import::Cash, "crm", &sheet(&CASH_HEADER, rows))
}

#[test]
fn cash_is_one_new_version_and_empty_cells_change_nothing() {
    let shelf = invested();
    let rows: [&[&str]; 4] = [
        &["licences", "1", "", "25", "30", "27.5"],
        &["licences", "2", "", "", "", ""],
        &["keep", "1", "45", "", "", "-3"],
        &["licences", "0", "", "", "", "110"],
    ];
    let plans = cash_planned(&shelf, &rows).unwrap();
    assert_eq!((plans.len(), plans[0].id.as_str(), plans[0].after), (1, "crm", 1));
    let line = |at: usize| &plans[0].body["lines"][at];
    assert_eq!(line(0)["likely"], json!([100.0, 25.0, 20.0]));
    // The highest of the other periods is the likely one.
    assert_eq!(line(0)["high"], json!([100.0, 30.0, 20.0]));
    assert_eq!(line(0)["actual"], json!([110.0, 27.5, null]));
    assert_eq!((&line(1)["low"], &line(1)["likely"]), (&json!([0.0, 45.0, 50.0]), &json!([0.0, 80.0, 90.0])));
    assert_eq!(line(1)["actual"], json!([null, -3.0, null]));
}

#[test]
fn every_fault_of_cash_names_its_row() {
    let shelf = invested();
    let rows: [&[&str]; 5] = [
        &["licence", "1", "", "25", "", ""],
        &["licences", "3", "", "25", "", ""],
        &["licences", "1", "", "2,5", "", ""],
        &["keep", "1", "", "85", "", ""],
        &["keep", "1", "", "86", "", ""],
    ];
    let expected = named(&[
        ("row 2, line", "unknown"),
        ("row 3, period", "case_period"),
        ("row 4, likely", "number"),
        ("row 6, likely", "duplicate"),
    ]);
    assert_eq!(faults(cash_planned(&shelf, &rows)), expected);
    let rows: [&[&str]; 2] = [&["licences", "1", "", "-25", "", ""], &["keep", "2", "95", "", "", ""]];
    let expected = named(&[("row 2, likely", "negative"), ("row 3, low", "order")]);
    assert_eq!(faults(cash_planned(&shelf, &rows)), expected);
}

#[test]
fn a_template_of_cash_says_what_stands_there() {
    let shelf = invested();
    let filled = read(&template(Import::Cash, &shelf.view(&anna()), "crm").unwrap()).unwrap();
    assert_eq!(filled.rows.len(), 6);
    assert_eq!(filled.rows[0].1[..6], ["licences", "软件许可与订阅", "Licences and subscriptions", "0", "", "100"]);
    assert_eq!(filled.rows[4].1[..6], ["keep", "Customers who stay", "", "1", "40", "80"]);
    let plans = plan(&shelf.view(&anna()), &roi::CaseKind, Import::Cash, "crm", &filled).unwrap();
    assert_eq!(plans.len(), 0);
}

// ---- targets

const TARGET_HEADER: [&str; 7] = ["kpi", "organisation", "period", "target", "low", "high", "tolerance"];

fn targets_planned(shelf: &Shelf, by: &Principal, rows: &[&[&str]]) -> Result<Vec<Planned>, Refused> {
    plan(&shelf.view(by), &outcome::TargetKind, Import::Targets, "north", &sheet(&TARGET_HEADER, rows))
}

#[test]
fn targets_are_planned_by_kpi_and_organisation() {
    let mut shelf = Shelf::new();
    let rita = principal("rita", REVIEWER, "head_office");
    let may = json!({"2026-05": {"target": 0.9}});
    let known = json!({"kpi": "retention_rate", "organisation": "north", "baseline": 0.8, "targets": may});
    shelf.put(&rita, &outcome::TargetKind, "retention_rate/north", known).unwrap();
    let rows: [&[&str]; 5] = [
        &["retention_rate", "", "2026-06-01", "0.91", "", "", ""],
        &["retention_rate", "south", "2026-Q2", "0.92", "", "", ""],
        &["customers_per_manager", "north", "2026", "", "300", "500", "100"],
        &["retention_rate", "head_office", "2026", "0.9", "", "", ""],
        &["nps", "north", "", "", "", "", ""],
    ];
    let plans = targets_planned(&shelf, &rita, &rows).unwrap();
    let found: Vec<(&str, u32)> = plans.iter().map(|one| (one.id.as_str(), one.after)).collect();
    assert_eq!(
        found,
        [
            ("retention_rate/north", 1),
            ("retention_rate/south", 0),
            ("customers_per_manager/north", 0),
            ("retention_rate/head_office", 0),
        ]
    );
    // What the sheet does not name stays.
    let aims = json!({"2026-05": {"target": 0.9}, "2026-06": {"target": 0.91}});
    assert_eq!((&plans[0].body["baseline"], &plans[0].body["targets"]), (&json!(0.8), &aims));
    assert_eq!(plans[1].body["targets"], json!({"2026-q2": {"target": 0.92}}));
    assert_eq!(plans[2].body["targets"], json!({"2026": {"low": 300.0, "high": 500.0, "tolerance": 100.0}}));
}

#[test]
fn every_fault_of_targets_names_its_row() {
    let shelf = Shelf::new();
    let nora = principal("nora", REVIEWER, "north");
    let rows: [&[&str]; 6] = [
        &["retention", "", "2026", "0.9", "", "", ""],
        &["retention_rate", "", "", "0.9", "", "", ""],
        &["retention_rate", "", "June", "0.9", "", "", ""],
        &["csat", "", "2026", "", "0.5", "0.9", ""],
        &["customers_per_manager", "", "2026", "", "500", "300", ""],
        &["nps", "south", "2026", "30", "", "", ""],
    ];
    let expected = named(&[
        ("row 2, kpi", "unknown"),
        ("row 3, period", "required"),
        ("row 4", "period"),
        ("row 5, target", "required"),
        ("row 5, low", "target_form"),
        ("row 5, high", "target_form"),
        ("row 6, high", "order"),
        // The same for a branch that does not exist.
        ("row 7, organisation", "organisation"),
    ]);
    assert_eq!(faults(targets_planned(&shelf, &nora, &rows)), expected);
    let rows: [&[&str]; 2] = [&["nps", "", "2026", "30", "", "", ""], &["nps", "north", "2026", "31", "", "", ""]];
    assert_eq!(faults(targets_planned(&shelf, &nora, &rows)), named(&[("row 3, period", "duplicate")]));
}

#[test]
fn a_template_of_targets_has_every_kpi_of_an_organisation() {
    let mut shelf = Shelf::new();
    let rita = principal("rita", REVIEWER, "head_office");
    let known =
        json!({"kpi": "nps", "organisation": "north", "targets": {"2025": {"target": 20}, "2026": {"target": 30}}});
    shelf.put(&rita, &outcome::TargetKind, "nps/north", known).unwrap();
    let view = shelf.view(&rita);
    let filled = read(&template(Import::Targets, &view, "north").unwrap()).unwrap();
    assert_eq!(filled.rows.len(), view.definitions.library.kpis.len() + 1);
    assert!(filled.rows.iter().all(|(_, cells)| cells[4] == "north"));
    let plans = plan(&view, &outcome::TargetKind, Import::Targets, "north", &filled).unwrap();
    assert_eq!(plans.len(), 0);
}

// ---- export

#[test]
fn every_table_goes_out_in_both_forms_with_its_columns() {
    let mut shelf = assessed();
    let comment = json!({"score": 3.0, "comment": "=HYPERLINK(\"http://evil.example\")"});
    shelf.put(&anna(), &maturity::AnswerKind, "n1/top_commitment/anna", comment).unwrap();
    let view = shelf.view(&anna());
    for table in TABLES.iter().copied().flatten() {
        let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
        for bytes in [csv(table, &view).unwrap(), xlsx(&[table], &view).unwrap()] {
            let back = read(&bytes).unwrap();
            assert_eq!(back.header, names, "{}", table.name);
            assert_eq!(back.rows.len(), (table.rows)(&view).len(), "{}", table.name);
        }
    }
    let answers = TABLES.iter().copied().flatten().find(|table| table.name == "assessment_answer").unwrap();
    let text = String::from_utf8(csv(answers, &view).unwrap()).unwrap();
    assert!(text.contains("\"'=HYPERLINK("), "{text}");
}

#[test]
fn figures_keep_fifteen_digits() {
    let plain = |value: f64| decimal(value).plain();
    assert_eq!(plain(0.1 + 0.2), "0.3");
    assert_eq!(plain(103_274_500_000.55), "103274500000.55");
    assert_eq!(plain(-2.0 / 3.0), "-0.666666666666667");
    assert_eq!(plain(f64::NAN), "");
    let data = dataset("t", &[("a", Type::Money), ("b", Type::Integer)], vec![vec![Cell::Money(0.125), Cell::Null]]);
    assert_eq!(data.types, [DataType::Decimal128(18, 2), DataType::Int64]);
    assert_eq!(data.rows[0][0].plain(), "0.13");
}
