use arrow::datatypes::DataType;
use jiff::Timestamp;

use super::{Bars, Grid, Group, Input, change, compose, prose, time_axis, tone};
use crate::locale::{Lang, NumberUnit, Quantity};
use crate::model::cube::{Good, Model};
use crate::model::report;
use crate::report::calendar::Period;
use crate::report::document::{
    Bar, Block, Chart, Choice, Dataset, Document, Evidence, Imprint, Prose, SNAPSHOT, TieOut, Tone,
};
use crate::report::parameter::Resolved;
use crate::report::value::{Number, Value};

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

const MILLIONS: NumberUnit = NumberUnit { quantity: Quantity::Money, power: 6, decimals: 1 };
const RATIO: NumberUnit = NumberUnit { quantity: Quantity::Percent, power: 0, decimals: 2 };

/// Amount, percentage, tone, direction of a change.
fn changed(value: Option<&str>, base: Option<&str>, unit: NumberUnit, good: Good) -> (String, String, Tone, i8) {
    let change = change(String::new(), value.map(number), base.map(number), unit, good, Lang::En);
    let amount = if change.unit.is_empty() { change.amount } else { format!("{} {}", change.amount, change.unit) };
    (amount, change.percent.unwrap_or_default(), change.tone, change.direction)
}

fn is(amount: &str, percent: &str, tone: Tone, direction: i8) -> (String, String, Tone, i8) {
    (amount.to_owned(), percent.to_owned(), tone, direction)
}

#[test]
fn a_change_has_amount_percentage_and_tone() {
    let up = changed(Some("11200000"), Some("10000000.00"), MILLIONS, Good::Up);
    assert_eq!(up, is("+1.2", "+12.0%", Tone::Good, 1));
    let cost = changed(Some("11200000"), Some("10000000"), MILLIONS, Good::Down);
    assert_eq!(cost, is("+1.2", "+12.0%", Tone::Bad, 1));
    let neither = changed(Some("8800000"), Some("10000000"), MILLIONS, Good::None);
    assert_eq!(neither, is("−1.2", "−12.0%", Tone::Neutral, -1));
}

#[test]
fn a_percentage_of_nothing_or_of_a_loss_is_a_dash() {
    assert_eq!(changed(Some("5000000"), Some("0"), MILLIONS, Good::Up), is("+5.0", "–", Tone::Good, 1));
    assert_eq!(changed(Some("5000000"), Some("-2000000"), MILLIONS, Good::Up), is("+7.0", "–", Tone::Good, 1));
    assert_eq!(changed(Some("5000000"), None, MILLIONS, Good::Up), is("–", "–", Tone::Neutral, 0));
    assert_eq!(changed(None, Some("5000000"), MILLIONS, Good::Up), is("–", "–", Tone::Neutral, 0));
}

#[test]
fn a_ratio_changes_in_points_and_never_in_percent() {
    assert_eq!(changed(Some("0.0134"), Some("0.0108"), RATIO, Good::Down), is("+0.26 pp", "", Tone::Bad, 1));
    assert_eq!(changed(None, Some("0.0108"), RATIO, Good::Down), is("–", "", Tone::Neutral, 0));
}

#[test]
fn what_prints_as_zero_is_no_change() {
    assert_eq!(changed(Some("0.013400"), Some("0.013380"), RATIO, Good::Down), is("0.00 pp", "", Tone::Neutral, 0));
    assert_eq!(changed(Some("10000"), Some("10000"), MILLIONS, Good::Up), is("0.0", "0.0%", Tone::Neutral, 0));
}

#[test]
fn tone_follows_the_good_direction() {
    for (value, good, expected) in [
        ("1", Good::Up, Tone::Good),
        ("-1", Good::Up, Tone::Bad),
        ("-1", Good::Down, Tone::Good),
        ("0", Good::Down, Tone::Neutral),
        ("1", Good::None, Tone::Neutral),
    ] {
        assert_eq!(tone(Some(number(value)), good), expected, "{value} {good:?}");
    }
}

#[test]
fn bars_share_a_scale_that_holds_zero() {
    let values = ["300", "-100", "0"].map(number);
    let bars = Bars::over(&values);
    assert_eq!(bars.bar(values[0]), Bar { from: 250, length: 750, axis: 250 });
    assert_eq!(bars.bar(values[1]), Bar { from: 0, length: 250, axis: 250 });
    assert_eq!(bars.bar(values[2]), Bar { from: 250, length: 0, axis: 250 });
    let none = Bars::over(&[]);
    assert_eq!(none.bar(number("5")).length, 0);
}

#[test]
fn text_is_paragraphs_and_lists() {
    let parts = prose("First line\nof one paragraph.\n\n- a\n- b\n\n\nLast.");
    let paragraph = |text: &str| Prose::Paragraph(text.to_owned());
    assert_eq!(
        parts,
        [paragraph("First line of one paragraph."), Prose::List(vec!["a".into(), "b".into()]), paragraph("Last.")]
    );
}

/// Rows of (month, branch, value); the months are first days of a month.
fn long(rows: &[(i32, &str, &str)]) -> Dataset {
    Dataset {
        name: "long".to_owned(),
        columns: ["month", "branch", "value"].map(str::to_owned).to_vec(),
        types: vec![DataType::Date32, DataType::Utf8, DataType::Decimal128(18, 2)],
        rows: rows
            .iter()
            .map(|(month, branch, value)| {
                vec![Value::Date(*month), Value::Text((*branch).to_owned()), Value::Number(number(value))]
            })
            .collect(),
    }
}

#[test]
fn long_rows_become_series() {
    let (january, february, march) = (20_454, 20_485, 20_513);
    let dataset =
        long(&[(march, "b", "1"), (january, "b", "2"), (february, "a", "3"), (march, "a", "4"), (january, "a", "5")]);
    let grid = Grid::of(&dataset, 0, Some(1), Lang::En).unwrap();
    assert_eq!(grid.heads, [january, february, march].map(Value::Date), "dates ascend");
    let group = |name: &str, rows: [Option<usize>; 3]| Group { name: Some(name.to_owned()), rows: rows.to_vec() };
    assert_eq!(grid.groups, [group("b", [Some(1), None, Some(0)]), group("a", [Some(4), Some(2), Some(3)])]);
    assert_eq!(time_axis(&grid.heads).unwrap().days, [january, february, march]);
    let turned = Grid::of(&dataset, 1, Some(0), Lang::En).unwrap();
    assert_eq!(turned.groups[1].name.as_deref(), Some("Feb 2026"));
    assert_eq!(turned.groups[1].rows, [None, Some(2)]);
    // Without `by` every row is a category, also where two are called alike.
    let plain = Grid::of(&dataset, 1, None, Lang::En).unwrap();
    assert_eq!((plain.heads.len(), plain.groups.len()), (5, 1));
    assert_eq!(plain.groups[0], Group { name: None, rows: (0..5).map(Some).collect() });
    let twice = long(&[(january, "a", "1"), (january, "a", "2")]);
    let why = Grid::of(&twice, 0, Some(1), Lang::En).unwrap_err();
    assert_eq!(why, "`long` has two rows with `month` 2026-01-01 and `branch` a");
}

/// The charts of a report over these datasets.
fn charts(blocks: &str, datasets: &[Dataset]) -> crate::error::Result<Vec<Chart>> {
    let blocks = composed(blocks, datasets, &[])?.blocks.into_iter();
    Ok(blocks
        .filter_map(|block| match block {
            Block::Chart(chart) => Some(*chart),
            _ => None,
        })
        .collect())
}

/// A report over these datasets whose address gives these names.
fn composed(blocks: &str, datasets: &[Dataset], given: &[&str]) -> crate::error::Result<Document> {
    let names: String = datasets.iter().map(|set| format!("  {}: {{sql: x.sql}}\n", set.name)).collect();
    let text = format!(
        "report: probe\ntitle: {{en: Probe}}\ncubes: [x]\nparameters:\n  as_of: {{type: as_of_date, default: latest}}\n  \
         least: {{type: integer, default: 1, hidden: true}}\ndatasets:\n{names}blocks:\n{blocks}"
    );
    let report = report::parse("reports/probe/report.yaml", &text, &|_| {
        Some("SELECT branch, month, value WHERE $least".to_owned())
    })
    .unwrap();
    let evidence = Evidence {
        principal: String::new(),
        fingerprint: String::new(),
        snapshot: 1,
        snapshot_created_at: Timestamp::UNIX_EPOCH,
        newest: 20_453,
        closed: 0,
        branches: 0,
        open: Vec::new(),
        parameters: Vec::new(),
        datasets: Vec::new(),
        tie_out: TieOut::NotChecked,
        engine: "",
        duration_ms: 0,
    };
    let input = Input {
        report: &report,
        model: &Model::default(),
        lang: Lang::En,
        scope: Choice { value: "head_office".into(), label: "Whole bank".into() },
        scopes: ["head_office", "a", "b"].map(|key| Choice { value: key.into(), label: key.into() }).into(),
        values: vec![
            Resolved { name: "as_of".into(), value: Value::Date(20_453) },
            Resolved { name: "least".into(), value: Value::Number(number("1")) },
        ],
        datasets: datasets.to_vec(),
        evidence,
        imprint: Imprint::Live { reader: "executive".into(), at: Timestamp::UNIX_EPOCH },
        given: given.iter().map(|name| (*name).to_owned()).collect(),
        open: [("other".to_owned(), None), ("quarters".to_owned(), Some(Period::Quarter))].into(),
    };
    compose(&input)
}

#[test]
fn a_heat_map_of_long_rows() {
    let dataset = long(&[(20_485, "b", "0.02"), (20_454, "a", "0.055"), (20_485, "a", "-0.01")]);
    let block = "  - chart: {id: heat, kind: heatmap, dataset: long, x: month, y: [value], by: branch, series_label: {en: Branch}, \
                 zero: 0.05, unit: percent, decimals: 1}\n";
    let drawn = charts(block, std::slice::from_ref(&dataset)).unwrap();
    let table = &drawn[0].drawing.table;
    assert_eq!(table.headers, ["Branch", "Jan 2026", "Feb 2026"]);
    assert_eq!(table.rows, [["b", "–", "2.0%"], ["a", "5.5%", "−1.0%"]]);
    assert!(drawn[0].drawing.svg.contains("colours part at 5.0%"));
    let twice = long(&[(20_454, "a", "1"), (20_454, "a", "2")]);
    let why = charts(block, &[twice]).unwrap_err();
    assert!(why.message().contains("report `probe`, chart `heat`: `long` has two rows"), "{}", why.message());
}

#[test]
fn series_with_units_of_their_own() {
    let dataset = Dataset {
        name: "pairs".to_owned(),
        columns: ["branch", "balance", "ratio", "low", "high"].map(str::to_owned).to_vec(),
        types: vec![DataType::Utf8; 5],
        rows: [("a", "1200000000", "0.0123"), ("b", "800000000.55", "0.02")]
            .iter()
            .map(|(branch, balance, ratio)| {
                let of = |text: &str| Value::Number(number(text));
                vec![Value::Text((*branch).to_owned()), of(balance), of(ratio), of("500000000"), of("2000000000")]
            })
            .collect(),
    };
    let blocks = "  - chart: {id: pair, kind: scatter, dataset: pairs, x: branch, unit: money, \
                  y: [{column: balance, label: {en: Balance}}, {column: ratio, label: {en: Ratio}, unit: percent, decimals: 2}]}\n  \
                  - chart: {id: stand, kind: bullet, dataset: pairs, x: branch, unit: money, \
                  y: [{column: balance, label: {en: Balance}}], bands: [low, {column: high, label: {en: Good}}]}\n";
    let drawn = charts(blocks, std::slice::from_ref(&dataset)).unwrap();
    let table = &drawn[0].drawing.table;
    assert_eq!(table.headers, ["Item", "Balance, CNY M", "Ratio"]);
    assert_eq!(table.rows[1], ["b", "800.0", "2.00%"]);
    let table = &drawn[1].drawing.table;
    assert_eq!(table.headers, ["Item", "Balance", "low, up to", "Good, up to"]);
    assert_eq!(table.rows[0], ["a", "1,200.0", "500.0", "2,000.0"]);
    let mixed =
        "  - chart: {id: mixed, kind: bar, dataset: pairs, x: branch, y: [balance, {column: ratio, unit: percent}]}\n";
    let why = charts(mixed, &[dataset]).unwrap_err();
    assert!(why.message().contains("a unit of its own for a series is for `scatter`, `box`"), "{}", why.message());
}

/// Where the marks of a chart over a dataset lead.
fn leads(kind: &str, drill: &str, dataset: &Dataset) -> crate::error::Result<Vec<String>> {
    let columns = if dataset.columns.len() == 3 { "x: month, y: [value], by: branch" } else { "x: branch, y: [value]" };
    let block = format!("  - chart: {{id: one, kind: {kind}, dataset: {}, {columns}, drill: {drill}}}\n", dataset.name);
    let drawn = charts(&block, std::slice::from_ref(dataset))?;
    let hrefs = |drawing: &crate::chart::Drawing| -> Vec<String> {
        drawing.marks.iter().filter_map(|mark| mark.href.clone()).collect()
    };
    let found = hrefs(&drawn[0].drawing);
    assert_eq!(found, hrefs(&drawn[0].compact), "both layouts lead to the same places");
    Ok(found)
}

#[test]
fn marks_lead_on_with_all_that_their_figure_depends_on() {
    let bars = Dataset {
        name: "bars".to_owned(),
        columns: ["branch", "value"].map(str::to_owned).to_vec(),
        types: vec![DataType::Utf8, DataType::Int64],
        rows: ["a", "b", "elsewhere"]
            .map(|branch| vec![Value::Text(branch.to_owned()), Value::Number(number("1"))])
            .to_vec(),
    };
    // The report itself for each branch; none for what the reader may not see.
    let scoped = leads("bar", "{scope: \"{branch}\"}", &bars).unwrap();
    assert_eq!(scoped, ["a", "b"].map(|branch| format!("/reports/probe?as_of=2025-12-31&scope={branch}&snapshot=1")));
    let elsewhere = leads("bar", "{report: other, set: {unit: \"{branch}\"}}", &bars).unwrap();
    assert_eq!(elsewhere[2], "/reports/other?as_of=2025-12-31&unit=elsewhere&scope=head_office&snapshot=1");
    // A report that the reader may not open, and the page itself.
    assert!(leads("bar", "{report: closed, scope: \"{branch}\"}", &bars).unwrap().is_empty());
    assert!(leads("bar", "{scope: head_office}", &bars).unwrap().is_empty());
}

#[test]
fn rows_and_months_lead_where_they_stand_for() {
    let (november, december, january) = (20_393, 20_423, 20_454);
    let grid = long(&[(november, "a", "1"), (december, "a", "2"), (november, "b", "3"), (january, "b", "4")]);
    // A row of the heat map is a branch, whichever of its months is looked at.
    let rows = leads("heatmap", "{scope: \"{branch}\"}", &grid).unwrap();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[0].contains("scope=a&") && rows[1].contains("scope=b&"), "{rows:?}");
    let why = leads("heatmap", "{report: other, set: {as_of: \"{month:end}\"}}", &grid).unwrap_err();
    assert!(why.message().contains("chart `one`: one mark leads to two places"), "{}", why.message());
    // A point of a line is a month, and a month that has not ended leads nowhere: the newest day is 2025-12-31.
    let months = leads("line", "{report: other, set: {as_of: \"{month:end}\"}}", &grid).unwrap();
    let days: Vec<&str> = months.iter().map(|link| &link["/reports/other?as_of=".len()..][..10]).collect();
    assert_eq!(days, ["2025-11-30", "2025-12-31"]);
    // A report of quarters is there for the ends of quarters.
    let quarters = leads("line", "{report: quarters, set: {as_of: \"{month:end}\"}}", &grid).unwrap();
    assert_eq!(quarters, ["/reports/quarters?as_of=2025-12-31&scope=head_office&snapshot=1"]);
    let why = leads("line", "{report: other, set: {as_of: \"{branch:end}\"}}", &grid).unwrap_err();
    assert!(why.message().contains("chart `one`: `{branch:end}` needs a column of days"), "{}", why.message());
    // Small charts of columns have no row that says where they lead.
    let why = leads("multiples", "{scope: \"{branch}\"}", &wide()).unwrap_err();
    assert!(why.message().contains("so a drill needs a row for each"), "{}", why.message());
}

#[test]
fn what_the_address_gives_stays_in_every_address() {
    let drill = "  - chart: {id: one, kind: bar, dataset: wide, x: branch, y: [value], drill: {scope: \"{branch}\"}}\n";
    let of = |given: &[&str]| {
        let document = composed(drill, &[wide()], given).unwrap();
        let Block::Chart(chart) = &document.blocks[0] else { panic!("a chart") };
        let way = chart.drawing.marks.iter().find_map(|mark| mark.href.clone()).unwrap();
        (document.url(&[]), document.part_url("/data/wide", &[]), way)
    };
    let own = "as_of=2025-12-31&scope=head_office&lang=en";
    let (whole, part, way) = of(&[]);
    assert_eq!((whole, part), (format!("/reports/probe?{own}"), format!("/reports/probe/data/wide?{own}")));
    assert_eq!(way, "/reports/probe?as_of=2025-12-31&scope=a&snapshot=1");
    // A hidden parameter is no control, and what is given of it decides the figures like any other.
    let own = "as_of=2025-12-31&least=1&scope=head_office&lang=en&snapshot=1";
    let (whole, part, way) = of(&["least", "snapshot"]);
    assert_eq!((whole, part), (format!("/reports/probe?{own}"), format!("/reports/probe/data/wide?{own}")));
    assert_eq!(way, "/reports/probe?as_of=2025-12-31&least=1&scope=a&snapshot=1");
    let document = composed(drill, &[wide()], &["least", "snapshot"]).unwrap();
    let view = crate::report::format::html::View { lang: Lang::En };
    assert_eq!(view.kept(&document).iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["least", "snapshot"]);
    assert!(view.controls(&document).iter().all(|one| one.name != "least" && one.name != SNAPSHOT));
}

fn wide() -> Dataset {
    Dataset {
        name: "wide".to_owned(),
        columns: ["branch", "value"].map(str::to_owned).to_vec(),
        types: vec![DataType::Utf8, DataType::Int64],
        rows: vec![vec![Value::Text("a".to_owned()), Value::Number(number("1"))]],
    }
}
