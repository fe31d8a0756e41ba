use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;

use arrow::datatypes::DataType;
use jiff::Timestamp;

use super::{Pdf, ident, job, sheet, typeset};
use crate::chart::{self, ChartSpec, Series};
use crate::error::Code;
use crate::locale::{Lang, NumberUnit, Quantity};
use crate::report::Document;
use crate::report::document::{
    Bar, Block, Cell, Change, Chart, Choice, Dataset, DatasetEvidence, Evidence, Imprint, Kpi, Prose, Table,
    TableColumn, TableRow, TieOut, Tone,
};
use crate::report::font::Fonts;
use crate::report::format::{Format, Tools};
use crate::report::value::{Number, Value};
use crate::report::worker::tests::ourselves;
use crate::report::worker::{Output, Worker};

/// What would be markup or code if it were ever read as such.
const HOSTILE: &str = "#panic(\"x\") *b* _i_ $1$ <a> @b `c` \\ // /* = - + \"q\" [x] #[y]";

/// The machine's fonts; Chinese pages cannot be tested without a Chinese face.
fn fonts() -> Fonts {
    let fonts = Fonts::load(None).unwrap();
    assert!(fonts.has_chinese(), "install the Debian package fonts-noto-cjk");
    fonts
}

/// Without a Chinese face, and quick to load.
fn latin() -> Fonts {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("face.otf"), typst_assets::fonts().next().unwrap()).unwrap();
    Fonts::load(Some(&folder.keep())).unwrap()
}

fn edition() -> Imprint {
    Imprint::Edition {
        version: 2,
        run_key: "9c1e44b07a52ff01".into(),
        at: Timestamp::from_second(1_764_000_000).unwrap(),
        link: "https://reports.bank.example/r/probe/head_office/2025-11/v2".into(),
        release: None,
    }
}

fn cell(text: &str) -> Cell {
    Cell { text: text.to_owned(), tone: Tone::Neutral, bar: None, link: None }
}

fn column(label: &str, numeric: bool, bar: bool) -> TableColumn {
    TableColumn {
        column: String::new(),
        quantity: Quantity::Number,
        label: label.to_owned(),
        unit: if bar { "亿元".into() } else { String::new() },
        numeric,
        bar,
    }
}

fn table(id: &str, rows: usize) -> Table {
    let row = |total: bool, cells: Vec<Cell>| TableRow { total, cells };
    let mut all: Vec<TableRow> =
        (0..rows).map(|at| row(false, vec![cell("北京分行"), cell(&at.to_string())])).collect();
    all.push(row(true, vec![cell("合计"), cell("0")]));
    Table {
        id: id.to_owned(),
        title: "分行".into(),
        message: String::new(),
        dataset: "branches".into(),
        columns: vec![column("分行", false, false), column("存款", true, false)],
        rows: all,
    }
}

fn drawing(message: &str) -> Chart {
    let mut spec = ChartSpec::new("bar", "trend", Lang::Zh);
    spec.message = message.to_owned();
    spec.title = "各分行存款".into();
    spec.categories = ["北京", "上海"].map(str::to_owned).into();
    spec.series =
        vec![Series { name: "存款".into(), scenario: Default::default(), values: vec![Some(3.0), Some(-1.5)] }];
    spec.width = 560;
    spec.links = vec![Some("/reports/probe?scope=beijing".to_owned()), None];
    let drawing = chart::draw(&spec).unwrap();
    Chart {
        id: "trend".into(),
        title: spec.title,
        message: message.to_owned(),
        dataset: "trend".into(),
        compact: drawing.clone(),
        drawing,
    }
}

fn document() -> Document {
    let change = Change {
        against: "较上月".into(),
        amount: "+0.10".into(),
        unit: String::new(),
        percent: Some("+8.1%".into()),
        tone: Tone::Bad,
        direction: 1,
        exact: [None; 2],
    };
    let kpi = Kpi {
        title: "存款余额".into(),
        value: "1.25".into(),
        unit: "亿元".into(),
        beside: Some(("日均".into(), "1.20".into())),
        changes: vec![change.clone(), Change { tone: Tone::Neutral, direction: -1, percent: None, ..change }],
        spark: Some(chart::sparkline(&[Some(1.0), Some(2.0)], "存款余额")),
        scale: NumberUnit::plain(Quantity::Money),
        exact: [None; 2],
    };
    let linked = Cell {
        tone: Tone::Good,
        bar: Some(Bar { from: 100, length: 500, axis: 100 }),
        link: Some("/reports/probe?scope=beijing".into()),
        ..cell("1,203.50")
    };
    let league = Table {
        message: "北京领先".into(),
        columns: vec![column("分行", false, false), column("存款", true, true)],
        rows: vec![
            TableRow { total: false, cells: vec![cell("北京分行"), linked] },
            TableRow { total: true, cells: vec![cell("合计"), cell("−87.00")] },
        ],
        ..table("league", 0)
    };
    Document {
        report: "probe".into(),
        lang: Lang::Zh,
        title: "存款概览".into(),
        description: "存款与分行。".into(),
        message: "全行存款 1.25 亿元，较上月增加 8.1%".into(),
        as_of: 20_422,
        scope: Choice { value: "head_office".into(), label: "全行".into() },
        controls: Vec::new(),
        blocks: vec![
            Block::Row(vec![Block::Kpi(kpi.clone()), Block::Kpi(kpi)]),
            Block::Message("第二句".into()),
            Block::Row(vec![Block::Chart(Box::new(drawing("北京最多"))), Block::Table(table("small", 2))]),
            Block::Table(league),
            Block::Text(vec![Prose::Paragraph(HOSTILE.into()), Prose::List(vec![HOSTILE.into()])]),
        ],
        datasets: vec![Dataset {
            name: "branches".into(),
            columns: ["branch", "balance"].map(str::to_owned).into(),
            types: vec![DataType::Utf8, DataType::Decimal128(18, 2)],
            rows: vec![vec![Value::Text("北京分行".into()), Value::Number(Number::parse("120350000.00").unwrap())]],
        }],
        evidence: Evidence {
            principal: "executive".into(),
            fingerprint: "f".into(),
            snapshot: 1842,
            snapshot_created_at: Timestamp::UNIX_EPOCH,
            newest: 20_422,
            closed: 27,
            branches: 28,
            open: vec!["厦门".into()],
            parameters: Vec::new(),
            datasets: vec![DatasetEvidence {
                name: "branches".into(),
                query_id: "q1".into(),
                rows: 1,
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
            tie_out: TieOut::Agrees(21),
            engine: "0.1.0",
            duration_ms: 9,
        },
        imprint: Imprint::Live { reader: "executive".into(), at: Timestamp::from_second(1_764_000_000).unwrap() },
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_pdf_is_archivable_accessible_and_the_same_every_time() {
    let tools = Tools { fonts: Arc::new(fonts()), worker: Worker::in_process() };
    let pdf = Pdf.render(&document(), &tools).unwrap();
    assert!(pdf.starts_with(b"%PDF-1.7"));
    for mark in [
        "<pdfaid:part>3</pdfaid:part>",
        "<pdfaid:conformance>A</pdfaid:conformance>",
        "<pdfuaid:part>1</pdfuaid:part>",
        "存款概览 · 全行: 全行存款 1.25 亿元，较上月增加 8.1%",
        "2025-11-24T16:00:00",
        "Countinghouse",
    ] {
        assert!(contains(&pdf, mark), "{mark}");
    }
    assert!(!contains(&pdf, "Typst"));
    let tools = Tools { worker: ourselves(1024), ..tools };
    assert!(Pdf.render(&document(), &tools).unwrap() == pdf, "another process writes other bytes");
}

/// Documents that one process sets, after how many it is measured first, and how much it may have grown by the last.
const MANY: u32 = 300;
const WARM: u32 = 50;
const GROWN_KIB: u64 = 32 << 10;

#[test]
fn three_hundred_documents_in_one_process_take_the_memory_of_fifty() {
    // A process of its own, because tests beside this one would be measured with it. As workers are started.
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["-q", "--exact", "report::format::pdf::tests::many", "--nocapture"])
        .envs([("MANY_DOCUMENTS", "1"), ("RAYON_NUM_THREADS", "1"), ("MALLOC_ARENA_MAX", "1")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    let resident: Vec<u64> =
        said.split("resident ").skip(1).filter_map(|rest| rest.split_whitespace().next()?.parse().ok()).collect();
    let [warm, end] = resident[..] else { panic!("two measurements: {said}") };
    assert!(end <= warm + GROWN_KIB, "{WARM} documents took {warm} KiB, {MANY} take {end} KiB: something is kept");
}

/// Sets small documents, each another one, when the test above asks; in a run of all tests it has nothing to do.
#[test]
fn many() {
    if std::env::var_os("MANY_DOCUMENTS").is_none() {
        return;
    }
    let fonts = fonts();
    let faces = fonts.open().unwrap();
    for number in 1..=MANY {
        let message = format!("全行存款 {number} 亿元");
        let chart = Block::Chart(Box::new(drawing(&message)));
        let document = Document { message, blocks: vec![chart, Block::Table(table("small", 2))], ..document() };
        let output = Output::Pdf { ident: ident(&document), at: 1_764_000_000 };
        let pdf = typeset::run(&job(&document, &fonts, output).unwrap(), faces.clone()).unwrap();
        assert!(pdf.starts_with(b"%PDF-1.7"));
        if [WARM, MANY].contains(&number) {
            writeln!(std::io::stdout(), "resident {}", resident_kib()).unwrap();
        }
    }
}

/// What of this process is in memory.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok()).unwrap()
}

#[test]
fn text_on_the_page_is_the_text_of_the_document() {
    let fonts = fonts();
    let output = Output::Page { density: 1 };
    let text = typeset::text(&job(&document(), &fonts, output).unwrap(), fonts.open().unwrap());
    for words in ["全行存款 1.25 亿元，较上月增加 8.1%", "北京分行", "−87.00", "厦门", "第二句", "各分行存款"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    // Twice in a text block, once as a notice; lines may break anywhere.
    let packed = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(packed(&text).matches(&packed(HOSTILE)).count(), 3, "{text}");
}

#[test]
fn rows_statements_charts_and_evidence_are_attached() {
    let sheet = sheet::of(&document(), &fonts()).unwrap();
    let attached: Vec<(&str, String)> = sheet.data["attach"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            let number = file["file"].as_str().unwrap().trim_start_matches("/files/");
            let bytes = &sheet.files[number.parse::<usize>().unwrap()];
            (file["name"].as_str().unwrap(), String::from_utf8(bytes.clone()).unwrap())
        })
        .collect();
    let names: Vec<_> = attached.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["chart-trend.csv", "branches.csv", "branches.sql", "evidence.json"]);
    assert!(attached[0].1.ends_with("北京,3.00\r\n上海,−1.50\r\n"), "{}", attached[0].1);
    assert_eq!(attached[1].1, "branch,balance\r\n北京分行,120350000.00\r\n");
    assert_eq!(attached[2].1, "SELECT 1");
    assert!(attached[3].1.contains("\"query_id\": \"q1\"") && attached[3].1.contains("\"principal\": \"executive\""));
}

#[test]
fn an_edition_does_not_tell_who_made_it_and_when() {
    let document = Document { imprint: edition(), ..document() };
    let sheet = sheet::of(&document, &fonts()).unwrap();
    let evidence = String::from_utf8(sheet.files.last().unwrap().clone()).unwrap();
    assert!(evidence.contains("\"rows_sha256\": \"aa\""));
    for word in ["query_id", "duration_ms", "principal"] {
        assert!(!evidence.contains(word), "{word}");
    }
    let other = Document {
        evidence: Evidence { principal: "another".into(), duration_ms: 77, ..document.evidence.clone() },
        ..document.clone()
    };
    assert_eq!(sheet::of(&other, &fonts()).unwrap().data, sheet.data);
    assert_eq!(ident(&other), "9c1e44b07a52ff01 v2 zh-CN");
    assert!(sheet.data["footer"][1].as_str().unwrap().contains("2025-11-24 16:00 UTC"));
}

#[test]
fn a_live_run_is_named_by_all_that_decides_it() {
    let one = document();
    let other = Document { imprint: Imprint::Live { reader: "another".into(), at: one.imprint.at() }, ..one.clone() };
    assert_eq!(ident(&one), ident(&document()));
    assert_ne!(ident(&one), ident(&other));
    let sheet = sheet::of(&other, &fonts()).unwrap();
    assert!(sheet.data["footer"][1].as_str().unwrap().contains("another"));
}

#[test]
fn links_lead_to_the_server_of_the_edition_or_nowhere() {
    let link = |document: &Document| {
        let sheet = sheet::of(document, &fonts()).unwrap();
        sheet.data["blocks"][3]["rows"][0]["cells"][1]["link"].as_str().map(str::to_owned)
    };
    assert_eq!(link(&document()), None);
    let absolute = "https://reports.bank.example/reports/probe?scope=beijing";
    assert_eq!(link(&Document { imprint: edition(), ..document() }).as_deref(), Some(absolute));
}

#[test]
fn marks_of_a_chart_are_boxes_that_lead_on() {
    let fonts = fonts();
    let marks =
        |document: &Document| sheet::of(document, &fonts).unwrap().data["blocks"][2]["blocks"][0]["marks"].clone();
    assert_eq!(marks(&document()), serde_json::json!([]), "a live answer on paper has no address of a server");
    let document = Document { imprint: edition(), ..document() };
    let found = marks(&document);
    let [mark] = found.as_array().unwrap().as_slice() else { panic!("one mark leads somewhere: {found}") };
    assert_eq!(mark["link"], "https://reports.bank.example/reports/probe?scope=beijing");
    let Block::Row(row) = &document.blocks[2] else { panic!("a row") };
    let Block::Chart(chart) = &row[0] else { panic!("a chart") };
    let width = sheet::of(&document, &fonts).unwrap().data["blocks"][2]["blocks"][0]["width"].as_f64().unwrap();
    let area = chart.drawing.marks[0].area;
    let scale = width / f64::from(chart.drawing.width);
    for (at, length) in [area.x, area.y, area.w, area.h].into_iter().enumerate() {
        assert!((mark["area"][at].as_f64().unwrap() - length * scale).abs() < 1e-6, "{mark}");
    }
    // PDF/UA refuses a link that is not tagged or not described.
    let output = Output::Pdf { ident: ident(&document), at: 1_764_000_000 };
    let pdf = typeset::run(&job(&document, &fonts, output).unwrap(), fonts.open().unwrap()).unwrap();
    assert!(pdf.starts_with(b"%PDF-1.7"));
}

#[test]
fn a_long_table_says_what_is_left_to_the_attachment() {
    let fonts = fonts();
    let blocks = (0..3).map(|at| Block::Table(table(&at.to_string(), 3_000))).collect();
    let sheet = sheet::of(&Document { blocks, ..document() }, &fonts).unwrap();
    let shown = |at: usize| {
        let rows = sheet.data["blocks"][at]["rows"].as_array().unwrap();
        // The total is printed though the rows before it are not.
        assert_eq!(rows.last().unwrap()["total"], true);
        (rows.len(), sheet.data["blocks"][at]["note"].as_str().unwrap())
    };
    let (rows, rest) = shown(0);
    assert_eq!(rows, 2_001);
    assert!(rest.contains("1,000") && rest.contains("branches.csv"), "{rest}");
    assert_eq!(shown(1).0, 2_001);
    // 5,000 in all.
    let (rows, rest) = shown(2);
    assert_eq!(rows, 999);
    assert!(rest.contains("2,002"), "{rest}");
    let short = sheet::of(&document(), &fonts).unwrap();
    assert!(short.data["blocks"][3]["note"].is_null());
}

#[test]
fn a_table_without_rows_says_so() {
    let empty = Block::Table(Table { rows: Vec::new(), ..table("empty", 0) });
    let sheet = sheet::of(&Document { blocks: vec![empty], ..document() }, &fonts()).unwrap();
    assert_eq!(sheet.data["blocks"][0]["note"], "没有数据行");
}

#[test]
fn a_character_without_a_glyph_is_marked_and_explained() {
    let mut document = document();
    document.blocks.push(Block::Message("客户 \u{e844}某".into()));
    let sheet = sheet::of(&document, &fonts()).unwrap();
    assert_eq!(sheet.data["blocks"][5]["text"], "客户 〓某");
    let note = sheet.data["glyphs"].as_str().unwrap();
    assert!(note.contains("U+E844") && note.contains('〓'), "{note}");
    assert!(sheet::of(&self::document(), &fonts()).unwrap().data["glyphs"].is_null());
}

#[test]
fn without_a_chinese_face_chinese_pages_are_refused() {
    let fonts = latin();
    let error = sheet::of(&document(), &fonts).unwrap_err();
    assert_eq!(error.code(), Code::Definition);
    assert!(error.message().contains("fonts-noto-cjk"));
    std::fs::remove_dir_all(fonts.folder().unwrap()).unwrap();
}

#[test]
fn the_paper_is_as_large_as_tables_and_charts_need() {
    let fonts = fonts();
    let paper = |blocks: Vec<Block>| {
        let sheet = sheet::of(&Document { blocks, ..document() }, &fonts).unwrap();
        (sheet.data["paper"].as_str().unwrap().to_owned(), sheet.data["flipped"].as_bool().unwrap())
    };
    let wide = |columns: usize| {
        let columns: Vec<_> = (0..columns).map(|_| column("存款余额", true, false)).collect();
        let cells = columns.iter().map(|_| cell("123,456.78")).collect();
        Block::Table(Table { rows: vec![TableRow { total: false, cells }], columns, ..table("wide", 0) })
    };
    assert_eq!(paper(vec![wide(6)]), ("a4".into(), false));
    assert_eq!(paper(vec![wide(14)]), ("a4".into(), true));
    assert_eq!(paper(vec![wide(22)]), ("a3".into(), true));
    let mut chart = drawing("");
    assert_eq!(paper(vec![Block::Chart(Box::new(chart.clone()))]), ("a4".into(), false));
    chart.drawing.width = 1120;
    assert_eq!(paper(vec![Block::Chart(Box::new(chart))]), ("a4".into(), true));
}
