use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};
use std::sync::Arc;

use super::*;
use crate::chart::{self, ChartSpec};
use crate::report::document::{
    Cell, Change, Chart, Choice, DatasetEvidence, Evidence, Kpi, Prose, TableColumn, TableRow, TieOut, Tone,
};
use crate::report::font::Fonts;
use crate::report::parameter::Resolved;
use crate::report::worker::Worker;

/// Text that must come out as it went in, wherever it stands.
const HOSTILE: [&str; 14] = [
    "=1+1",
    "+86 10 6659 1234",
    "-5",
    "@SUM(A1)",
    "\tx",
    "<r><t>x</t></r>",
    "<r>_x0041_</r>",
    "<r></t></si></sst>",
    "_x0041_ & \"q\" 'q' <b>",
    "http://evil.example/",
    " leading and trailing ",
    "a\r\nb\u{1}",
    "0012345678901234567",
    "𠮷野家",
];

/// Without pictures, which take faces and time.
fn render(document: &Document) -> Result<Vec<u8>> {
    build(document, None)
}

fn number(text: &str) -> Value {
    Value::Number(exact(text))
}

fn exact(text: &str) -> Number {
    Number::parse(text).unwrap()
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn evidence_of(dataset: &Dataset) -> DatasetEvidence {
    DatasetEvidence {
        name: dataset.name.clone(),
        query_id: "query-0193".into(),
        rows: dataset.rows.len(),
        rows_sha256: "a7".repeat(32),
        records: false,
        sql: "SELECT branch, SUM(balance) AS balance\nFROM   deposits\nWHERE  month = $as_of\nGROUP BY branch".into(),
        sql_sha256: "5b".repeat(32),
        rollups: vec!["deposits_month".into()],
        history: vec!["as_is".into()],
        refused: serde_json::json!([{"rollup": "deposits_day", "reason": "GRAIN"}]),
        notices: vec!["余额含保证金存款".into()],
        duration_ms: 31_337,
    }
}

fn bank(lang: Lang) -> Document {
    let zh = lang == Lang::Zh;
    let say = |zh_text: &str, en: &str| if zh { zh_text.to_owned() } else { en.to_owned() };
    let names = [
        ("北京分行", "beijing", "103274500000.55", "10827400000.10", "0.117124", 20_422),
        ("上海分行", "shanghai", "109601230000.00", "13021000000.00", "0.134800", 20_422),
        ("乌鲁木齐分行", "urumqi", "27409876543.21", "-274098765.43", "-0.009900", 20_421),
        ("合计", "", "240285.10", "23574.30", "0.108767", 20_422),
    ];
    let rows = names.iter().enumerate().map(|(at, (name, code, balance, change, share, day))| {
        let place = if at == 3 { Value::Null } else { number(&(at + 1).to_string()) };
        vec![
            place,
            text(name),
            text(code),
            number(balance),
            number(change),
            number(share),
            Value::Date(*day),
            Value::Boolean(at == 3),
        ]
    });
    let branches = Dataset {
        name: "branches".into(),
        columns: ["place", "branch", "branch_code", "balance", "change", "share", "closed_on", "is_total"]
            .map(str::to_owned)
            .into(),
        types: vec![
            DataType::Int64,
            DataType::Utf8View,
            DataType::Utf8,
            DataType::Decimal128(38, 2),
            DataType::Decimal128(38, 2),
            DataType::Decimal128(18, 6),
            DataType::Date32,
            DataType::Boolean,
        ],
        rows: rows.collect(),
    };
    let trend = Dataset {
        name: "trend".into(),
        columns: ["month", "balance", "customers", "rate"].map(str::to_owned).into(),
        types: vec![DataType::Date32, DataType::Decimal128(18, 2), DataType::Int64, DataType::Float64],
        rows: vec![
            vec![Value::Date(20_362), number("236780000000.00"), number("5123456"), number("0.410000000000")],
            vec![Value::Date(20_393), number("240285106543.76"), number("5130111"), Value::Null],
        ],
    };
    let customers = Dataset {
        name: "客户/明细".into(),
        columns: ["account_no", "customer_id", "name", "limit_amount", "opened", "born", "hidden\tname"]
            .map(str::to_owned)
            .into(),
        types: vec![
            DataType::Utf8,
            DataType::Int64,
            DataType::Utf8,
            DataType::Decimal128(38, 2),
            DataType::Date32,
            DataType::Date32,
            DataType::Utf8,
        ],
        rows: HOSTILE
            .iter()
            .enumerate()
            .map(|(at, hostile)| {
                let amount = if at % 5 == 2 { "-12345678901234567.89" } else { "1234567890123.45" };
                vec![
                    text("6222021001112345678"),
                    number("100000123"),
                    text(hostile),
                    number(amount),
                    Value::Date(0),
                    Value::Date(-40_000),
                    Value::Null,
                ]
            })
            .collect(),
    };
    let column = |column: &str, label: String, quantity: Quantity, numeric: bool| TableColumn {
        column: column.into(),
        quantity,
        label,
        unit: String::new(),
        numeric,
        bar: false,
    };
    let blank = || Cell { text: String::new(), tone: Tone::Neutral, bar: None, link: None };
    let mut spec = ChartSpec::new("bar", "trend", lang);
    spec.categories = vec!["a".into(), "b".into()];
    spec.series =
        vec![chart::Series { name: "x".into(), scenario: chart::Scenario::Actual, values: vec![Some(1.0), Some(2.0)] }];
    let drawing = chart::draw(&spec).unwrap();
    let datasets = vec![branches, trend, customers];
    Document {
        report: "branch_scorecard".into(),
        lang,
        title: say("分行经营计分卡", "Branch scorecard"),
        description: say("各分行存款余额与变动。", "Deposits of the branches and how they changed."),
        message: say(
            "2025-11-30存款余额 2,402.85 亿元，较上月增加 35.05 亿元；28 家分行中 24 家同比增长，乌鲁木齐分行降幅最大",
            "Deposits CNY 240.3 bn at 2025-11-30, up CNY 3.5 bn on the month; 24 of 28 branches grew over the year, Urumqi fell most",
        ),
        as_of: 20_422,
        scope: Choice { value: "head_office".into(), label: say("全行", "Whole bank") },
        controls: Vec::new(),
        blocks: vec![
            Block::Row(vec![
                Block::Kpi(Kpi {
                    title: say("存款余额（时点）", "Deposits, month end"),
                    value: "2,402.85".into(),
                    unit: say("亿元", "CNY 100M"),
                    beside: Some((say("当月日均", "Daily average"), "2,388.10".into())),
                    changes: vec![
                        Change {
                            against: say("较上月", "On prior month"),
                            amount: "+35.05".into(),
                            unit: String::new(),
                            percent: Some("+1.5%".into()),
                            tone: Tone::Good,
                            direction: 1,
                            exact: [Some(exact("3505106543.76")), Some(exact("0.014803"))],
                        },
                        Change {
                            against: say("较上年同期", "On prior year"),
                            amount: "+235.74".into(),
                            unit: String::new(),
                            percent: Some("+10.9%".into()),
                            tone: Tone::Good,
                            direction: 1,
                            exact: [Some(exact("23574301000.00")), Some(exact("0.108767"))],
                        },
                    ],
                    spark: None,
                    scale: NumberUnit { quantity: Quantity::Money, power: 8, decimals: 2 },
                    exact: [Some(exact("240285106543.76")), Some(exact("238810000000.1234567"))],
                }),
                Block::Kpi(Kpi {
                    title: say("不良率", "Non-performing ratio"),
                    value: "1.12%".into(),
                    unit: String::new(),
                    beside: None,
                    changes: vec![Change {
                        against: say("较上月", "On prior month"),
                        amount: "+0.02".into(),
                        unit: say("百分点", "pp"),
                        percent: None,
                        tone: Tone::Bad,
                        direction: 1,
                        exact: [Some(exact("0.000186")), None],
                    }],
                    spark: None,
                    scale: NumberUnit { quantity: Quantity::Percent, power: 0, decimals: 2 },
                    exact: [Some(exact("0.011234")), None],
                }),
            ]),
            Block::Chart(Box::new(Chart {
                id: "trend".into(),
                title: say("全行月末存款余额", "Whole bank, deposits at month end"),
                message: say("存款较上月增加 35.05 亿元", "Deposits are up CNY 3.5 bn on the month"),
                dataset: "trend".into(),
                compact: drawing.clone(),
                drawing,
            })),
            Block::Table(Table {
                id: "branches".into(),
                title: say("分行存款排名", "Branches by deposits"),
                message: String::new(),
                dataset: "branches".into(),
                columns: vec![
                    column("place", say("排名", "Rank"), Quantity::Count, true),
                    column("branch", say("分行", "Branch"), Quantity::Number, false),
                    column("balance", say("存款余额", "Deposits"), Quantity::Money, true),
                    column("change", say("较上年同期", "On prior year"), Quantity::Money, true),
                    column("share", say("增幅", "Change"), Quantity::Percent, true),
                ],
                rows: (0..4)
                    .map(|row| TableRow { total: row == 3, cells: (0..5).map(|_| blank()).collect() })
                    .collect(),
            }),
            Block::Text(vec![
                Prose::Paragraph(say(
                    "时点余额为月末最后一日余额；日均为当月每日余额之和除以日历天数。",
                    "Month-end balances are those of the last day; the daily average is the sum of the month's daily balances over its calendar days.",
                )),
                Prose::List(vec![say("金额为人民币", "Amounts are in renminbi")]),
            ]),
        ],
        evidence: Evidence {
            principal: "secret-principal".into(),
            fingerprint: "e19f00aa".into(),
            snapshot: 1842,
            snapshot_created_at: "2025-12-01T01:02:03Z".parse().unwrap(),
            newest: 20_422,
            closed: 27,
            branches: 28,
            open: vec![say("厦门分行", "Xiamen Branch")],
            parameters: vec![Resolved { name: "as_of".into(), value: Value::Date(20_422) }],
            datasets: datasets.iter().map(evidence_of).collect(),
            tie_out: TieOut::Agrees(21),
            engine: "0.1.0",
            duration_ms: 424_242,
        },
        datasets,
        imprint: Imprint::Live { reader: "王芳 & co".into(), at: "2025-12-03T08:12:00Z".parse().unwrap() },
    }
}

fn edition(lang: Lang) -> Document {
    let imprint = Imprint::Edition {
        version: 2,
        run_key: "9c1e44b07a52".repeat(5),
        at: "2025-12-03T08:12:00Z".parse().unwrap(),
        link: "https://reports.example/r/branch_scorecard/head_office/2025-11/v2".into(),
        release: None,
    };
    Document { imprint, ..bank(lang) }
}

/// The parts of a workbook, and its cells as text.
struct Book {
    parts: BTreeMap<String, String>,
    strings: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// `n`, `s`, `inlineStr`, `b`, empty for a blank.
    kind: String,
    text: String,
    /// Number format of its style.
    format: String,
    bold: bool,
}

impl Book {
    fn open(bytes: Vec<u8>) -> Self {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut parts = BTreeMap::new();
        for at in 0..archive.len() {
            let mut file = archive.by_index(at).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            // Pictures lose by it; they are looked at elsewhere.
            parts.insert(file.name().unwrap().into_owned(), String::from_utf8_lossy(&bytes).into_owned());
        }
        let none = String::new();
        let table = parts.get("xl/sharedStrings.xml").unwrap_or(&none);
        let strings = elements(table, "si").into_iter().map(|(_, inner)| strings_of(inner)).collect();
        Self { parts, strings }
    }

    fn of(document: &Document) -> Self {
        Self::open(render(document).unwrap())
    }

    fn sheets(&self) -> Vec<String> {
        elements(&self.parts["xl/workbook.xml"], "sheet")
            .iter()
            .map(|(head, _)| unescape(attribute(head, "name")))
            .collect()
    }

    fn xml(&self, sheet: &str) -> &str {
        let at = self.sheets().iter().position(|name| name == sheet).unwrap_or_else(|| panic!("no sheet {sheet}"));
        &self.parts[&format!("xl/worksheets/sheet{}.xml", at + 1)]
    }

    fn cells(&self, sheet: &str) -> BTreeMap<String, Found> {
        let styles = &self.parts["xl/styles.xml"];
        let formats: BTreeMap<_, _> = elements(styles, "numFmt")
            .iter()
            .map(|(head, _)| (attribute(head, "numFmtId").to_owned(), unescape(attribute(head, "formatCode"))))
            .collect();
        let fonts: Vec<_> =
            elements(elements(styles, "fonts")[0].1, "font").iter().map(|one| one.1.contains("<b/>")).collect();
        let styles = elements(elements(styles, "cellXfs")[0].1, "xf");
        elements(self.xml(sheet), "c")
            .into_iter()
            .map(|(head, inner)| {
                let value = elements(inner, "v").first().map(|(_, value)| (*value).to_owned());
                let (kind, text) = match (attribute(head, "t"), value) {
                    ("s", Some(value)) => ("s", self.strings[value.parse::<usize>().unwrap()].clone()),
                    ("inlineStr", None) => ("inlineStr", strings_of(inner)),
                    ("", Some(value)) => ("n", value),
                    ("", None) => ("", String::new()),
                    (kind, Some(value)) => (kind, value),
                    (kind, None) => panic!("cell of kind {kind} without value"),
                };
                let style = attribute(head, "s").parse().map_or(&styles[0], |at: usize| &styles[at]);
                let id = attribute(style.0, "numFmtId");
                let format = match id {
                    "0" => "General".to_owned(),
                    "2" => "0.00".to_owned(),
                    "3" => "#,##0".to_owned(),
                    "4" => "#,##0.00".to_owned(),
                    "10" => "0.00%".to_owned(),
                    "49" => "@".to_owned(),
                    id => formats[id].clone(),
                };
                let bold = fonts[attribute(style.0, "fontId").parse::<usize>().unwrap()];
                (attribute(head, "r").to_owned(), Found { kind: kind.to_owned(), text, format, bold })
            })
            .collect()
    }
}

/// Elements of a name with their attributes and what is inside.
fn elements<'a>(xml: &'a str, name: &str) -> Vec<(&'a str, &'a str)> {
    let (open, close) = (format!("<{name}"), format!("</{name}>"));
    let mut found = Vec::new();
    let mut rest = xml;
    while let Some(at) = rest.find(&open) {
        rest = &rest[at + open.len()..];
        if !rest.starts_with([' ', '>', '/']) {
            continue;
        }
        let end = rest.find('>').unwrap();
        if rest[..end].ends_with('/') {
            found.push((&rest[..end], ""));
        } else {
            let inner_end = rest.find(&close).unwrap();
            found.push((&rest[..end], &rest[end + 1..inner_end]));
        }
    }
    found
}

fn attribute<'a>(head: &'a str, name: &str) -> &'a str {
    let mark = format!(" {name}=\"");
    head.find(&mark).map_or("", |at| head[at + mark.len()..].split('"').next().unwrap())
}

fn strings_of(xml: &str) -> String {
    elements(xml, "t").into_iter().map(|(_, inner)| unescape(inner)).collect()
}

/// XML, and the escapes of spreadsheets for what XML cannot hold.
fn unescape(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("_x") {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let code = rest.get(2..6).and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32);
        match code.filter(|_| rest[6..].starts_with('_')) {
            Some(character) => {
                plain.push(character);
                rest = &rest[7..];
            }
            None => {
                plain.push_str("_x");
                rest = &rest[2..];
            }
        }
    }
    plain + rest
}

fn found(kind: &str, text: &str, format: &str) -> Found {
    Found { kind: kind.into(), text: text.into(), format: format.into(), bold: false }
}

#[test]
fn two_renderings_are_the_same_bytes() {
    for (document, name) in [
        (bank(Lang::Zh), "live.zh-CN"),
        (bank(Lang::En), "live.en"),
        (edition(Lang::Zh), "edition.zh-CN"),
        (edition(Lang::En), "edition.en"),
    ] {
        let bytes = render(&document).unwrap();
        assert!(bytes == render(&document).unwrap());
        if let Ok(folder) = std::env::var("REPORT_PREVIEW") {
            std::fs::write(format!("{folder}/{name}.xlsx"), bytes).unwrap();
        }
    }
    let book = Book::of(&bank(Lang::En));
    assert!(book.parts["docProps/core.xml"].contains(">2025-12-03T08:12:00Z</dcterms:created>"));
}

#[test]
fn an_edition_says_nothing_of_its_run_or_reader() {
    let one = edition(Lang::Zh);
    let mut two = one.clone();
    two.evidence.principal = "another".into();
    two.evidence.duration_ms = 1;
    for dataset in &mut two.evidence.datasets {
        dataset.query_id = "another".into();
        dataset.duration_ms = 1;
    }
    assert!(render(&one).unwrap() == render(&two).unwrap());
    let everything = |document: &Document| Book::of(document).parts.into_values().collect::<String>();
    let (edition, live) = (everything(&one), everything(&bank(Lang::Zh)));
    for secret in ["secret-principal", "query-0193", "31337", "424242"] {
        assert!(!edition.contains(secret), "{secret}");
    }
    assert!(edition.contains("9c1e44b07a529c1e") && edition.contains("/2025-11/v2"));
    // A live one says all of it.
    for word in ["query-0193", "31337", "424242", "王芳 &amp; co"] {
        assert!(live.contains(word), "{word}");
    }
}

#[test]
fn sheets_are_the_overview_the_datasets_and_the_evidence() {
    assert_eq!(Book::of(&bank(Lang::Zh)).sheets(), ["概览", "branches", "trend", "客户_明细", "依据"]);
    assert_eq!(Book::of(&bank(Lang::En)).sheets(), ["Overview", "branches", "trend", "客户_明细", "Evidence"]);
}

#[test]
fn cells_have_the_types_and_formats_of_their_columns() {
    let book = Book::of(&bank(Lang::Zh));
    let cells = book.cells("branches");
    assert_eq!(cells["A2"], found("n", "1", "#,##0"));
    assert_eq!(cells["B2"], found("s", "北京分行", "@"));
    assert_eq!(cells["C2"], found("s", "beijing", "@"));
    assert_eq!(cells["D2"], found("n", "103274500000.55", "#,##0.00"));
    assert_eq!(cells["E4"], found("n", "-274098765.43", "#,##0.00"));
    assert_eq!(cells["F2"], found("n", "0.117124", "0.00%"));
    // 2025-11-30 in the 1900 system.
    assert_eq!(cells["G2"], found("n", "45991", "yyyy-mm-dd"));
    assert_eq!((cells["H2"].kind.as_str(), cells["H2"].text.as_str()), ("b", "0"));
    // Missing is empty; a total is bold.
    assert_eq!(cells.get("A5"), None);
    assert_eq!(cells["D5"], Found { bold: true, ..found("n", "240285.1", "#,##0.00") });
    let cells = book.cells("trend");
    assert_eq!(cells["C2"], found("n", "5123456", "#,##0"));
    assert_eq!(cells["D2"], found("n", "0.41", "#,##0.00####"));
    assert_eq!(cells.get("D3"), None);
}

#[test]
fn headings_are_the_words_of_the_table_else_the_names_of_the_query() {
    let headings = |lang, sheet| -> Vec<String> {
        let cells = Book::of(&bank(lang)).cells(sheet);
        ('A'..='H').filter_map(|column| Some(cells.get(&format!("{column}1"))?.text.clone())).collect()
    };
    assert_eq!(
        headings(Lang::Zh, "branches"),
        ["排名", "分行", "branch_code", "存款余额（元）", "较上年同期（元）", "增幅", "closed_on", "is_total"]
    );
    assert_eq!(headings(Lang::En, "branches")[..4], ["Rank", "Branch", "branch_code", "Deposits (CNY)"]);
    assert_eq!(headings(Lang::En, "trend"), ["month", "balance", "customers", "rate"]);
    assert!(Book::of(&bank(Lang::En)).cells("branches")["A1"].bold);
}

#[test]
fn the_heading_stays_filters_and_repeats_on_paper() {
    let book = Book::of(&bank(Lang::Zh));
    let xml = book.xml("branches");
    assert!(
        xml.contains("<pane ySplit=\"1\" topLeftCell=\"A2\" activePane=\"bottomLeft\" state=\"frozen\"/>"),
        "{xml}"
    );
    assert!(xml.contains("<autoFilter ref=\"A1:H5\"/>"));
    assert!(
        xml.contains("orientation=\"landscape\"")
            && xml.contains("fitToHeight=\"0\"")
            && xml.contains("<pageSetUpPr fitToPage=\"1\"/>")
    );
    assert!(
        book.parts["xl/workbook.xml"]
            .contains("<definedName name=\"_xlnm.Print_Titles\" localSheetId=\"1\">branches!$1:$1</definedName>")
    );
    // 103,274,500,000.55 and 乌鲁木齐分行, with room.
    let width = |column: usize| -> f64 {
        let number = |head, name| attribute(head, name).parse::<f64>().unwrap();
        let within = |head| number(head, "min") as usize <= column && column <= number(head, "max") as usize;
        elements(xml, "col").iter().find(|(head, _)| within(head)).map(|(head, _)| number(head, "width")).unwrap()
    };
    assert!((21.0..22.0).contains(&width(4)) && (15.0..16.0).contains(&width(2)), "{} {}", width(4), width(2));
}

#[test]
fn no_text_is_a_formula_and_every_text_is_itself() {
    let mut document = bank(Lang::En);
    // Wherever text can stand.
    document.title = HOSTILE[7].into();
    document.message = HOSTILE[6].into();
    document.scope.label = "<r>=1+1&A&[Page]</r>".into();
    document.evidence.datasets[0].notices = HOSTILE.iter().map(|&text| text.to_owned()).collect();
    document.evidence.datasets[0].sql = HOSTILE[6].into();
    let book = Book::of(&document);
    for (name, xml) in &book.parts {
        assert!(!xml.contains("<f>") && !xml.contains("<f "), "{name}");
    }
    let cells = book.cells("客户_明细");
    for (at, text) in HOSTILE.iter().enumerate() {
        assert_eq!(cells[&format!("C{}", at + 2)], found("s", text, "@"));
    }
    assert_eq!(cells["A2"], found("s", "6222021001112345678", "@"));
    // A whole number that names somebody.
    assert_eq!(cells["B2"], found("s", "100000123", "@"));
    assert_eq!(book.cells("Overview")["A2"].text, HOSTILE[6]);
    let evidence: BTreeSet<_> = book.cells("Evidence").into_values().map(|cell| cell.text).collect();
    for text in HOSTILE {
        assert!(evidence.contains(text), "{text}");
    }
    // Nothing of it is a link either: those are to sheets.
    let targets: String =
        book.parts.iter().filter(|(name, _)| name.ends_with(".rels")).map(|(_, xml)| xml.as_str()).collect();
    assert!(!targets.contains("TargetMode=\"External\""), "{targets}");
}

#[test]
fn what_a_spreadsheet_would_change_is_text_and_flagged() {
    let book = Book::of(&bank(Lang::Zh));
    let cells = book.cells("客户_明细");
    // 15 digits are kept, 19 are not.
    assert_eq!(cells["D2"], found("n", "1234567890123.45", "#,##0.00"));
    assert_eq!(cells["D4"], found("s", "-12345678901234567.89", "@"));
    assert_eq!(cells["E2"], found("n", "25569", "yyyy-mm-dd"));
    assert_eq!(cells["F2"], found("s", "1860-06-26", "@"));
    let evidence: Vec<_> = book.cells("依据").into_values().map(|cell| cell.text).collect();
    for words in [
        "'客户_明细'!D4",
        "limit_amount · 3 个数值超过 15 位有效数字，电子表格会舍入",
        "'客户_明细'!F2",
        "born · 14 个日期早于 1900 年 3 月或晚于 9999 年，电子表格无法表示",
    ] {
        assert!(evidence.iter().any(|text| text == words), "{words} {evidence:?}");
    }
    for (digits, text) in [
        (1, "0"),
        (15, "999999999999999"),
        (16, "9007199254740993"),
        (1, "1000000000000000000000"),
        (15, "-1.23456789012345"),
        (2, "0.00000000000000000012"),
    ] {
        let found = significant(Number::parse(text).unwrap());
        assert_eq!(found.max(1), digits, "{text}");
    }
}

#[test]
fn dates_are_right_at_the_ends_of_the_calendar() {
    let mut document = bank(Lang::En);
    let rows = [DATE_MIN, DATE_MIN - 1, DATE_MAX, DATE_MAX + 1].map(|day| vec![Value::Date(day)]);
    document.datasets[1] =
        Dataset { name: "trend".into(), columns: vec!["d".into()], types: vec![DataType::Date32], rows: rows.into() };
    let cells = Book::of(&document).cells("trend");
    assert_eq!(cells["A2"], found("n", "61", "yyyy-mm-dd"));
    assert_eq!(cells["A3"], found("s", "1900-02-28", "@"));
    assert_eq!(cells["A4"], found("n", "2958465", "yyyy-mm-dd"));
    assert_eq!(cells["A5"].kind, "s");
}

#[test]
fn the_overview_says_what_the_page_says() {
    for (lang, words) in [
        (
            Lang::Zh,
            [
                "指标",
                "亿元",
                "当月日均",
                "有利",
                "较上年同期",
                "时点余额为月末最后一日余额；日均为当月每日余额之和除以日历天数。",
                "• 金额为人民币",
                "余额含保证金存款",
                "分行存款排名",
                "初步数据。 结账 27/28 家分行（未结：厦门分行）",
            ],
        ),
        (
            Lang::En,
            [
                "Figure",
                "CNY 100M",
                "Daily average",
                "favourable",
                "On prior year",
                "Deposits are up CNY 3.5 bn on the month",
                "• Amounts are in renminbi",
                "余额含保证金存款",
                "Branches by deposits",
                "Preliminary figures. closed 27/28 branches (open: Xiamen Branch)",
            ],
        ),
    ] {
        let document = bank(lang);
        let book = Book::of(&document);
        let cells = book.cells(&book.sheets()[0]);
        assert_eq!(cells["A2"].text, document.message);
        assert!(cells["A2"].bold);
        let texts: BTreeSet<_> = cells.values().map(|cell| cell.text.as_str()).collect();
        for word in words {
            assert!(texts.contains(word), "{word} {texts:?}");
        }
        let links: Vec<_> = elements(book.xml(&book.sheets()[0]), "hyperlink")
            .iter()
            .map(|(head, _)| unescape(attribute(head, "location")))
            .collect();
        assert!(links.iter().any(|link| link == "'客户_明细'!A1"), "{links:?}");
        assert!(links.len() >= 6, "{links:?}");
    }
}

/// Kind, text and format of a cell.
fn place<'a>(cells: &'a BTreeMap<String, Found>, column: char, row: &str) -> (&'a str, &'a str, &'a str) {
    let cell = &cells[&format!("{column}{row}")];
    (&cell.kind, &cell.text, &cell.format)
}

#[test]
fn figures_of_the_overview_are_numbers_that_look_as_on_the_page() {
    let book = Book::of(&bank(Lang::Zh));
    let cells = book.cells("概览");
    let row = |title: &str| {
        let (place, _) = cells.iter().find(|(place, cell)| place.starts_with('A') && cell.text == title).unwrap();
        place[1..].to_owned()
    };
    let at = |column, row: &str| place(&cells, column, row);
    let (balance, average, ratio) = (row("存款余额（时点）"), row("当月日均"), row("不良率"));
    // In the page's unit, and whole behind the digits that are shown.
    let money = "#,##0.00;\"−\"#,##0.00";
    assert_eq!(at('B', &balance), ("n", "2402.8510654376", money));
    assert_eq!(at('C', &balance), ("s", "亿元", "General"));
    assert_eq!(at('E', &balance), ("n", "35.0510654376", "+#,##0.00;\"−\"#,##0.00;#,##0.00"));
    assert_eq!(at('F', &balance), ("n", "0.014803", "+#,##0.0%;\"−\"#,##0.0%;#,##0.0%"));
    // A spreadsheet would round its nineteen digits: the page's text, and every digit on the sheet of its rows.
    assert_eq!(at('B', &average), ("s", "2,388.10", "General"));
    // A ratio is a ratio, its change is in points.
    assert_eq!(at('B', &ratio), ("n", "0.011234", "#,##0.00%;\"−\"#,##0.00%"));
    let points = "#,##0.00 \"百分点\"";
    assert_eq!(at('E', &ratio), ("n", "0.0186", &*format!("+{points};\"−\"{points};{points}")));
    assert_eq!(at('F', &ratio), ("", "", "General"));

    let mut document = bank(Lang::Zh);
    let Block::Row(blocks) = &mut document.blocks[0] else { panic!("a row of figures") };
    let Block::Kpi(kpi) = &mut blocks[0] else { panic!("a figure") };
    kpi.value = "–".into();
    kpi.exact = [None, Some(exact("-238810000000"))];
    kpi.beside = Some(("当月日均".into(), "−2,388.10".into()));
    (kpi.changes[0].amount, kpi.changes[0].exact) = ("0.00".into(), [Some(exact("-1")), None]);
    kpi.changes[0].percent = Some("–".into());
    let book = Book::of(&document);
    let cells = book.cells("概览");
    let at = |column, row: &str| place(&cells, column, row);
    assert_eq!(at('B', &balance), ("s", "–", "General"));
    assert_eq!(at('B', &average), ("n", "-2388.1", money));
    // What the page prints as zero has no sign here either.
    assert_eq!(at('E', &balance), ("n", "-0.00000001", "#,##0.00;#,##0.00"));
    assert_eq!(at('F', &balance), ("s", "–", "General"));
}

#[test]
fn a_chart_is_a_picture_with_words_beside_its_rows() {
    let mut document = bank(Lang::Zh);
    // A second one of the same dataset, whose words are too many.
    let second = document.blocks.iter().find_map(|block| match block {
        Block::Chart(chart) => Some(chart.clone()),
        _ => None,
    });
    let mut second = second.unwrap();
    second.drawing.title = "第二张图".into();
    second.drawing.desc = "\"&<长>".repeat(60);
    second.drawing.svg = second.drawing.svg.replacen("</svg>", "<rect width=\"9\" height=\"9\"/></svg>", 1);
    document.blocks.push(Block::Row(vec![Block::Chart(second)]));
    let fonts = Arc::new(Fonts::load(None).unwrap());
    assert!(fonts.has_chinese(), "install the Debian package fonts-noto-cjk");
    let tools = Tools { fonts, worker: Worker::in_process() };
    let bytes = Xlsx.render(&document, &tools).unwrap();
    assert!(bytes == Xlsx.render(&document, &tools).unwrap(), "the same bytes twice");

    let book = Book::open(bytes);
    let (trend, branches) = (book.xml("trend"), book.xml("branches"));
    assert!(trend.contains("<drawing ") && !branches.contains("<drawing "));
    let drawing = &book.parts["xl/drawings/drawing1.xml"];
    let words: Vec<String> =
        elements(drawing, "xdr:cNvPr").iter().map(|(head, _)| unescape(attribute(head, "descr"))).collect();
    assert_eq!(words.len(), 2, "{drawing}");
    let Some(Block::Chart(first)) = document.blocks.iter().find(|block| matches!(block, Block::Chart(_))) else {
        panic!("a chart")
    };
    assert!(words[0].contains(&first.drawing.desc) && !first.drawing.desc.is_empty(), "{words:?}");
    assert!(words[1].starts_with("第二张图. \"&<长>") && words[1].ends_with('…'), "{words:?}");
    assert_eq!(words[1].encode_utf16().count(), WORDS_MAX);
    // Right of the four columns, below each other.
    let corners: Vec<(u32, u32)> = elements(drawing, "xdr:from")
        .iter()
        .map(|(_, inner)| ["xdr:col", "xdr:row"].map(|name| elements(inner, name)[0].1.parse::<u32>().unwrap()).into())
        .collect();
    assert_eq!(corners[0], (5, 1));
    assert!(corners[1].0 == 5 && corners[1].1 * ROW_PIXELS > first.drawing.height, "{corners:?}");
    let pictures: Vec<_> = book.parts.keys().filter(|name| name.starts_with("xl/media/")).collect();
    assert_eq!(pictures, ["xl/media/image1.png", "xl/media/image2.png"]);
    let texts = |book: &Book| -> String { book.cells("依据").into_values().map(|cell| cell.text + "\n").collect() };
    assert!(!texts(&book).contains("图表图片"), "nothing is missing");

    // Without a Chinese face the figures are there all the same, and the workbook says what is not.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("face.otf"), typst_assets::fonts().next().unwrap()).unwrap();
    let tools = Tools { fonts: Arc::new(Fonts::load(Some(folder.path())).unwrap()), worker: Worker::in_process() };
    let book = Book::open(Xlsx.render(&document, &tools).unwrap());
    assert!(!book.parts.keys().any(|name| name.starts_with("xl/media/")));
    assert!(texts(&book).contains("图表图片") && texts(&book).contains("fonts-noto-cjk"));
}

#[test]
fn a_chart_of_a_long_table_stands_beside_it_too() {
    let mut document = bank(Lang::En);
    let row = document.datasets[1].rows[0].clone();
    document.datasets[1].rows = vec![row; LONG / 4 + 1];
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("face.otf"), typst_assets::fonts().next().unwrap()).unwrap();
    let tools = Tools { fonts: Arc::new(Fonts::load(Some(folder.path())).unwrap()), worker: Worker::in_process() };
    let book = Book::open(Xlsx.render(&document, &tools).unwrap());
    assert!(book.xml("trend").contains("<drawing "));
    assert!(book.parts["xl/drawings/drawing1.xml"].contains("<xdr:col>5</xdr:col>"));
    assert_eq!(book.cells("trend").keys().filter(|place| place.starts_with('A')).count(), LONG / 4 + 2);
}

#[test]
fn the_evidence_is_complete_and_every_word_is_known() {
    for lang in Lang::ALL {
        let document = bank(lang);
        let book = Book::of(&document);
        let sheets = book.sheets();
        let cells = book.cells(&sheets[4]);
        let texts: BTreeSet<_> = cells.values().map(|cell| cell.text.as_str()).collect();
        let (rows, sql) = ("a7".repeat(32), "5b".repeat(32));
        for word in [
            rows.as_str(),
            &sql,
            "1842",
            "e19f00aa",
            "deposits_month",
            "as_is",
            "2025-12-01 01:02:03 UTC",
            "WHERE  month = $as_of",
            "{\"rollup\":\"deposits_day\",\"reason\":\"GRAIN\"}",
            "as_of",
            "2025-11-30",
        ] {
            assert!(texts.contains(word), "{word} {texts:?}");
        }
        for sheet in &sheets {
            for cell in book.cells(sheet).values() {
                assert!(!cell.text.starts_with("workbook-") && !cell.text.starts_with("report-"), "{}", cell.text);
            }
        }
    }
}

#[test]
fn margins_name_the_reader_or_the_edition_and_stay_within_their_limit() {
    let header = |document: &Document| {
        let book = Book::of(document);
        let xml = book.xml("branches");
        let of = |name| unescape(elements(xml, name)[0].1);
        (of("oddHeader"), of("oddFooter"))
    };
    let (live, footer) = header(&bank(Lang::Zh));
    assert_eq!(
        live,
        "&L&8 分行经营计分卡 · 全行 · 数据截至 2025-11-30&R&8 王芳 && co · 2025-12-03 08:12:00 UTC · 全行"
    );
    assert!(footer.starts_with("&L&8 快照 1842 · 结账 27/28 家分行"), "{footer}");
    let (edition, _) = header(&edition(Lang::Zh));
    assert!(edition.ends_with("&R&8 v2 · 2025-12-03 08:12:00 UTC · 运行键 9c1e44b07a52"), "{edition}");
    let mut long = bank(Lang::Zh);
    long.title = "&𠮷".repeat(300);
    long.imprint = Imprint::Live { reader: "&".repeat(300), at: long.imprint.at() };
    let (long, _) = header(&long);
    assert!(long.encode_utf16().count() <= 255 && long.encode_utf16().count() > 220, "{long}");
    assert!(long.contains('…') && long.contains("&&𠮷&&𠮷"));
}

#[test]
fn names_of_sheets_are_valid_and_unique() {
    let mut document = bank(Lang::En);
    let long = "一".repeat(40);
    let names =
        ["a", "A", "overview", "evidence", "History", "[x]:*?/\\'", "", long.as_str(), long.as_str(), &"𠮷".repeat(20)];
    document.datasets = names
        .map(|name| Dataset {
            name: name.into(),
            columns: vec!["n".into()],
            types: vec![DataType::Int64],
            rows: Vec::new(),
        })
        .into();
    let sheets = Book::of(&document).sheets();
    assert_eq!(
        sheets[1..11],
        [
            "a",
            "A (2)",
            "overview (2)",
            "evidence (2)",
            "History (2)",
            "_x_______",
            "_",
            &"一".repeat(31),
            &format!("{} (2)", "一".repeat(27)),
            &"𠮷".repeat(15)
        ]
    );
}

#[test]
fn what_a_sheet_cannot_hold_is_refused_in_words() {
    assert!(fits("d", 1_048_575, 16_384).is_ok());
    let error = fits("d", 1_048_576, 1).unwrap_err();
    assert_eq!(error.code(), Code::Limit);
    assert_eq!(
        error.message(),
        "dataset `d` has 1048576 rows and a sheet of XLSX holds 1048575; ask for Parquet or CSV instead"
    );
    assert_eq!(fits("d", 1, 16_385).unwrap_err().code(), Code::Limit);

    let mut document = bank(Lang::En);
    document.datasets[2].rows[1][2] = Value::Text("长".repeat(TEXT_MAX));
    assert!(render(&document).is_ok());
    document.datasets[2].rows[1][2] = Value::Text("长".repeat(TEXT_MAX + 1));
    let error = render(&document).unwrap_err();
    assert_eq!(error.code(), Code::Limit);
    assert!(error.message().contains("row 2, column `name`"), "{}", error.message());
    document.datasets[2].rows[1].pop();
    assert_eq!(render(&document).unwrap_err().code(), Code::Internal);
    // A dataset is refused whole, also by way of the document.
    document.datasets[2].rows = vec![Vec::new(); ROWS_MAX];
    assert_eq!(render(&document).unwrap_err().code(), Code::Limit);
}

#[test]
fn a_long_table_is_the_same_cells_by_way_of_a_file() {
    let mut document = bank(Lang::Zh);
    let few: Vec<_> = document.datasets[2].rows.clone();
    let short = Book::of(&document).cells("客户_明细");
    document.datasets[2].rows = few.iter().cycle().take(LONG / 7 + 10).cloned().collect();
    let bytes = render(&document).unwrap();
    assert!(bytes == render(&document).unwrap());
    let book = Book::open(bytes);
    let long = book.cells("客户_明细");
    for (place, cell) in short {
        let kind = if cell.kind == "s" { "inlineStr".to_owned() } else { cell.kind.clone() };
        assert_eq!(long[&place], Found { kind, ..cell }, "{place}");
    }
    let last = LONG / 7 + 11;
    assert!(book.xml("客户_明细").contains(&format!("<autoFilter ref=\"A1:G{last}\"/>")));
    assert_eq!(long[&format!("C{last}")].text, HOSTILE[(last - 2) % HOSTILE.len()]);
    assert!(book.xml("客户_明细").contains("state=\"frozen\""));
}

#[test]
fn long_text_goes_on_in_the_next_row() {
    let text = "短句。".repeat(1000) + &"x".repeat(100);
    let parts = overview::pieces(&text, 500);
    assert_eq!(parts.concat(), text);
    assert!(parts.iter().all(|part| width(part) <= 500));
    assert!(parts[0].ends_with('。'));
    assert_eq!(overview::pieces("", 10), [""]);
    let mut document = bank(Lang::Zh);
    document.blocks = vec![Block::Text(vec![Prose::Paragraph(text.repeat(20))])];
    document.datasets.clear();
    let cells = Book::of(&document).cells("概览");
    let longest = cells.values().map(|cell| width(&cell.text)).max().unwrap();
    assert!((2000..=2400).contains(&longest), "{longest}");
}

#[test]
fn a_document_without_datasets_and_blocks_is_a_workbook() {
    let mut document = bank(Lang::En);
    document.blocks.clear();
    document.datasets = vec![Dataset { name: "none".into(), columns: Vec::new(), types: Vec::new(), rows: Vec::new() }];
    assert_eq!(Book::of(&document).sheets(), ["Overview", "none", "Evidence"]);
    document.datasets.clear();
    document.evidence.datasets.clear();
    assert_eq!(Book::of(&document).sheets(), ["Overview", "Evidence"]);
}
