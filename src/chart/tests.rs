use super::axis::{Linear, tick_texts, ticks};
use super::canvas::{Area, Canvas, escape};
use super::theme::{self, Token};
use super::{
    ChartError, ChartSpec, Drawing, Good, Grain, KINDS, Scenario, Series, TimeAxis, draw, sparkline, stylesheet, text,
};
use crate::locale::{Lang, NumberUnit, Quantity, format_month, message};

mod kinds;
mod palette;

const BRANCHES: [&str; 28] = [
    "北京分行",
    "上海分行",
    "深圳分行",
    "广州分行",
    "杭州分行",
    "南京分行",
    "苏州分行",
    "成都分行",
    "重庆分行",
    "武汉分行",
    "天津分行",
    "青岛分行",
    "济南分行",
    "西安分行",
    "郑州分行",
    "长沙分行",
    "合肥分行",
    "福州分行",
    "厦门分行",
    "宁波分行",
    "大连分行",
    "沈阳分行",
    "昆明分行",
    "南宁分行",
    "石家庄分行",
    "哈尔滨分行",
    "呼和浩特分行",
    "乌鲁木齐分行",
];

/// Days in the last `count` months up to December 2025.
fn months(count: i32) -> Vec<i32> {
    (0..count).map(|index| 20423 - (count - 1 - index) * 30).map(|day| day - (day - 20423) / 365).collect()
}

fn series(name: &str, scenario: Scenario, values: impl IntoIterator<Item = f64>) -> Series {
    Series { name: name.to_owned(), scenario, values: values.into_iter().map(Some).collect() }
}

fn money() -> NumberUnit {
    NumberUnit { quantity: Quantity::Money, power: 8, decimals: 1 }
}

fn over_time(kind: &str, count: i32) -> ChartSpec {
    let days = months(count);
    ChartSpec {
        categories: days.iter().map(|day| format_month(Lang::Zh, *day)).collect(),
        time: Some(TimeAxis { grain: Grain::Month, days }),
        title: "各项存款余额".to_owned(),
        message: "存款余额连续三个月快于计划".to_owned(),
        unit: money(),
        ..ChartSpec::new(kind, "c1", Lang::Zh)
    }
}

fn over_branches(kind: &str) -> ChartSpec {
    ChartSpec {
        categories: BRANCHES.iter().map(|name| (*name).to_owned()).collect(),
        links: (0..28).map(|index| Some(format!("/reports/x?scope=b{index}&as_of=latest"))).collect(),
        title: "各分行存款余额".to_owned(),
        unit: money(),
        ..ChartSpec::new(kind, "c2", Lang::Zh)
    }
}

fn wave(count: usize, base: f64, swing: f64) -> impl Iterator<Item = f64> {
    (0..count).map(move |index| base + swing * (index as f64 * 0.9).sin() + index as f64 * swing * 0.1)
}

/// One realistic specification or more of every kind.
fn samples() -> Vec<ChartSpec> {
    let falling = |scale: f64| (0..28).map(move |index| scale * 0.9f64.powi(index));
    let mut bridge = vec![1.2e10, 4.8e9, 2.6e9, -1.2e9, -2.9e9, 0.7e9];
    bridge.push(bridge.iter().sum());
    let products = ["活期存款", "定期存款", "通知存款", "大额存单", "结构性存款"];
    let parts = |count: usize| -> Vec<Series> {
        (0..5)
            .map(|part| series(products[part], Scenario::Actual, wave(count, 5e10 / (part + 1) as f64, 1e9)))
            .collect()
    };
    let mut line = over_time("line", 24);
    line.series = vec![
        series("实际", Scenario::Actual, wave(24, 1.2e11, 2e9)),
        series("上年同期", Scenario::Prior, wave(24, 1.1e11, 1e9)),
        series("计划", Scenario::Plan, wave(24, 1.21e11, 0.0)),
    ];
    let mut lines = over_time("line", 24);
    lines.series = parts(24);
    lines.series[3].values[7] = None;
    let mut columns = over_time("bar", 12);
    columns.series = vec![
        series("实际", Scenario::Actual, wave(12, 2e9, 9e8)),
        series("计划", Scenario::Plan, wave(12, 2.2e9, 0.0)),
    ];
    let mut forecast = over_time("bar", 24);
    forecast.series = vec![
        series("实际", Scenario::Actual, wave(24, 1.2e11, 2e9)),
        series("上年", Scenario::Prior, wave(24, 1.1e11, 2e9)),
        series("预测", Scenario::Forecast, wave(24, 1.3e11, 2e9)),
    ];
    forecast.series[0].values[20..].fill(None);
    forecast.series[2].values[..20].fill(None);
    let mut signed = over_time("bar", 12);
    signed.unit = NumberUnit::plain(Quantity::Count);
    signed.series = vec![series("净增客户", Scenario::Actual, wave(12, -2000.0, 9000.0))];
    let mut grouped = over_time("bar", 6);
    grouped.series =
        vec![series("新增", Scenario::Actual, wave(6, 2e9, 9e8)), series("流失", Scenario::Actual, wave(6, 1e9, 2e8))];
    let mut ranking = over_branches("bar");
    ranking.series = vec![
        series("实际", Scenario::Actual, falling(1.6e10)),
        series("计划", Scenario::Plan, falling(1.6e10).zip(wave(28, 1.0, 0.05)).map(|(value, factor)| value * factor)),
    ];
    ranking.series[1].values[4] = None;
    ranking.series[0].values[9] = None;
    let mut ratio = over_branches("bar");
    ratio.unit = NumberUnit::plain(Quantity::Percent);
    ratio.good = Good::Down;
    ratio.series = vec![
        series("本年", Scenario::Actual, wave(28, 0.06, 0.01)),
        series("上年", Scenario::Prior, wave(28, 0.058, 0.008)),
    ];
    let mut changes = over_branches("bar");
    changes.series = vec![series("增减", Scenario::Actual, wave(28, -1e9, 2e9))];
    let mut stack = over_time("stacked", 12);
    stack.series = parts(12);
    let mut stack_rows = over_branches("stacked");
    stack_rows.series = parts(28);
    let mut pareto = over_branches("pareto");
    pareto.series = vec![series("余额", Scenario::Actual, falling(1.6e10))];
    let waterfall = ChartSpec {
        categories: ["年初余额", "新增客户", "现有客户增持", "利率调整", "客户流失", "理财产品到期转入", "10月末余额"]
            .map(str::to_owned)
            .to_vec(),
        series: vec![series("变动", Scenario::Actual, bridge)],
        title: "存款变动因素".to_owned(),
        unit: money(),
        ..ChartSpec::new("waterfall", "c3", Lang::Zh)
    };
    let mut multiples = over_time("multiples", 24);
    for (index, name) in BRANCHES.iter().enumerate() {
        let base = 9e9 * 0.93f64.powi(index as i32);
        multiples.series.push(series(name, Scenario::Actual, wave(24, base, base * 0.05)));
        multiples.series.push(series(name, Scenario::Prior, wave(24, base * 1.05, base * 0.01)));
    }
    let mut samples = vec![
        line, lines, columns, forecast, signed, grouped, ranking, ratio, changes, stack, stack_rows, pareto, waterfall,
        multiples,
    ];
    samples.extend(kinds::samples());
    samples
}

/// Every sample, wide and narrow, in both languages.
fn all() -> impl Iterator<Item = ChartSpec> {
    samples().into_iter().flat_map(|spec| {
        [(760, Lang::Zh), (760, Lang::En), (360, Lang::Zh), (1400, Lang::En)].map(|(width, lang)| ChartSpec {
            width,
            lang,
            ..spec.clone()
        })
    })
}

fn drawn(spec: &ChartSpec) -> Drawing {
    draw(spec).unwrap_or_else(|error| panic!("{} at {}: {error}", spec.kind, spec.width))
}

/// Name, attributes and text of each element, in order. Fails where tags do not close, so it checks well-formedness too.
fn elements(svg: &str) -> Vec<(String, String, String)> {
    let mut found: Vec<(String, String, String)> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        if let Some(at) = open.last() {
            found[*at].2.push_str(&rest[..start]);
        }
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().map(|at| found[at].0.clone()).as_deref(), Some(name), "closing tag");
            continue;
        }
        assert!(!tag.contains('<') && tag.matches('"').count().is_multiple_of(2), "{tag}");
        let closed = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        found.push((name.to_owned(), attributes.to_owned(), String::new()));
        if !closed {
            open.push(found.len() - 1);
        }
    }
    assert!(open.is_empty(), "open elements");
    found
}

fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let start = attributes
        .find(&format!(" {name}=\""))
        .map(|at| at + name.len() + 3)
        .or_else(|| attributes.starts_with(&format!("{name}=\"")).then_some(name.len() + 2))?;
    attributes[start..].split('"').next()
}

fn number(attributes: &str, name: &str) -> f64 {
    attribute(attributes, name).and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} in {attributes}"))
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}

/// The boxes of all texts in px: left, top, right, bottom.
fn text_boxes(svg: &str) -> Vec<(f64, f64, f64, f64, String)> {
    elements(svg)
        .iter()
        .filter(|(name, ..)| name == "text")
        .map(|(_, attributes, content)| {
            let content = unescape(content);
            let size = number(attributes, "font-size") / 4.0;
            let (x, y) = (number(attributes, "x") / 4.0, number(attributes, "y") / 4.0);
            let width = text::width(&content, size) / 1.05;
            let left = match attribute(attributes, "text-anchor") {
                Some("middle") => x - width / 2.0,
                Some("end") => x - width,
                _ => x,
            };
            (left, y - size * 0.8, left + width, y + size * 0.12, content)
        })
        .collect()
}

#[test]
fn kinds_are_complete() {
    for (index, kind) in KINDS.iter().enumerate() {
        assert!(KINDS[..index].iter().all(|other| other.name() != kind.name()), "{} stands there twice", kind.name());
        assert!(kind.question().ends_with('?'), "{}", kind.name());
        assert!(samples().iter().any(|spec| spec.kind == kind.name()), "{} has no sample", kind.name());
        for lang in Lang::ALL {
            let key = format!("chart-kind-{}", kind.name());
            assert_ne!(message(lang, &key, &[]), key);
        }
    }
}

#[test]
fn drawings_are_complete() {
    for spec in all() {
        let drawing = drawn(&spec);
        let what = format!("{} at {} in {}", spec.kind, spec.width, spec.lang);
        let elements = elements(&drawing.svg);
        let (root, attributes, _) = &elements[0];
        assert_eq!(root, "svg");
        assert_eq!(attribute(attributes, "class"), Some("chart"));
        assert_eq!(attribute(attributes, "lang"), Some(spec.lang.tag()));
        assert_eq!(number(attributes, "width"), f64::from(spec.width), "{what}");
        assert_eq!(
            attribute(attributes, "viewBox").map(str::to_owned),
            Some(format!("0 0 {} {}", spec.width * 4, drawing.height * 4))
        );
        assert!(elements.iter().any(|(_, attributes, _)| attribute(attributes, "role") == Some("img")), "{what}");
        let title = elements.iter().find(|(name, ..)| name == "title").map(|(.., text)| unescape(text));
        assert_eq!(title.as_ref(), Some(&drawing.title), "{what}");
        let desc = elements.iter().find(|(name, ..)| name == "desc").map(|(.., text)| unescape(text));
        assert_eq!(desc.as_ref(), Some(&drawing.desc), "{what}");
        for sentence in ["chart-", "desc-", "unit-", "{", "}"] {
            assert!(!drawing.desc.contains(sentence), "{what}: {}", drawing.desc);
        }
        assert_eq!(drawing, drawn(&spec), "{what}: the same twice");

        let marks = match spec.kind.as_str() {
            "multiples" => BRANCHES.len(),
            // Cells, groups, and points that are put together: see `kinds`.
            "pareto" | "heatmap" | "triangle" | "scatter" | "box" => drawing.marks.len(),
            _ => spec.categories.len(),
        };
        assert_eq!(drawing.marks.len(), marks, "{what}");
        assert!(!drawing.marks.is_empty(), "{what}");
        let links = elements.iter().filter(|(name, ..)| name == "a").count();
        assert_eq!(links, drawing.marks.iter().filter(|mark| mark.href.is_some()).count(), "{what}");
        for mark in &drawing.marks {
            let inside = mark.area.x >= -0.1
                && mark.area.y >= 0.0
                && mark.area.right() <= f64::from(drawing.width) + 0.1
                && mark.area.bottom() <= f64::from(drawing.height) + 0.1;
            assert!(inside && mark.area.w > 0.0 && mark.area.h > 0.0, "{what}: {mark:?}");
        }

        assert!(drawing.table.rows.iter().all(|row| row.len() == drawing.table.headers.len()), "{what}");
        if matches!(spec.kind.as_str(), "heatmap" | "triangle" | "scatter" | "box") {
            assert!(!drawing.table.rows.is_empty(), "{what}");
            continue;
        }
        assert_eq!(drawing.table.rows.len(), spec.categories.len(), "{what}");
        for (category, name) in spec.categories.iter().enumerate() {
            let row = drawing.table.rows.iter().find(|row| row[0] == *name).unwrap_or_else(|| panic!("{what}: {name}"));
            for index in 0..spec.series.len() {
                assert_eq!(row[1 + index], spec.value_text(index, category), "{what}: {name}");
            }
        }
    }
}

#[test]
fn only_colours_of_the_palette() {
    let palette: Vec<String> = Token::ALL.iter().map(|token| token.hex()).collect();
    for spec in all() {
        let drawing = drawn(&spec);
        for (name, attributes, _) in elements(&drawing.svg) {
            for property in ["fill", "stroke"] {
                let Some(colour) = attribute(&attributes, property) else { continue };
                assert!(
                    colour == "none" || palette.iter().any(|known| known == colour),
                    "{} {name} {colour}",
                    spec.kind
                );
            }
            assert!(
                attribute(&attributes, "style").is_none() && attribute(&attributes, "opacity").is_none(),
                "{attributes}"
            );
        }
    }
    let css = stylesheet();
    for token in Token::ALL {
        assert!(css.contains(&format!("[fill=\"{}\"]", token.hex())), "{token:?} has no dark colour");
    }
}

/// Legible: no text leaves the drawing and no two texts touch, wide and narrow.
#[test]
fn texts_stay_apart() {
    for spec in all() {
        check_texts(&spec);
    }
}

/// The same with names and numbers as long as they come.
#[test]
fn long_texts_stay_apart() {
    for mut spec in all() {
        let name = |index: usize, name: &str| {
            let tail = if index.is_multiple_of(2) {
                "Private banking and wealth management centre"
            } else {
                "财富管理与私人银行中心（自贸试验区）"
            };
            format!("{name} {tail}")
        };
        if spec.time.is_none() {
            spec.categories = spec.categories.iter().enumerate().map(|(index, text)| name(index, text)).collect();
        }
        spec.message =
            "存款余额连续三个月快于计划，but the increase comes from few customers in the eastern region. ".repeat(3);
        spec.title = "各项存款余额 average daily balance of all deposits including foreign currency ".repeat(3);
        for (index, series) in spec.series.iter_mut().enumerate() {
            // Panels are found by name: pairs keep theirs alike.
            let index = if spec.kind == "multiples" { index / 2 } else { index };
            series.name = name(index, &series.name);
        }
        if spec.unit.quantity == Quantity::Money {
            spec.unit = NumberUnit::plain(Quantity::Money);
        }
        check_texts(&spec);
    }
}

fn check_texts(spec: &ChartSpec) {
    let drawing = drawn(spec);
    let boxes = text_boxes(&drawing.svg);
    assert!(!boxes.is_empty());
    for (index, a) in boxes.iter().enumerate() {
        let what = format!("{} at {} in {}: `{}`", spec.kind, spec.width, spec.lang, a.4);
        assert!(a.0 >= -1.0 && a.2 <= f64::from(drawing.width) + 1.0, "{what} leaves the drawing: {a:?}");
        assert!(a.1 >= -1.0 && a.3 <= f64::from(drawing.height) + 1.0, "{what} leaves the drawing: {a:?}");
        for b in &boxes[index + 1..] {
            let apart = a.2 <= b.0 + 1.0 || b.2 <= a.0 + 1.0 || a.3 <= b.1 + 1.0 || b.3 <= a.1 + 1.0;
            assert!(apart, "{what} touches `{}`: {a:?} {b:?}", b.4);
        }
    }
}

#[test]
fn head_names_the_unit_once() {
    let drawing = drawn(&samples()[0]);
    assert_eq!(drawing.svg.matches("亿元").count() - drawing.desc.matches("亿元").count(), 1);
    assert_eq!(drawing.title, "存款余额连续三个月快于计划");
    assert_eq!(drawing.table.caption, "各项存款余额（亿元）");
    assert_eq!(drawing.table.headers, ["项目", "实际", "上年同期", "计划", "较计划"]);
    let spec = ChartSpec { message: String::new(), x_label: Some("月份".to_owned()), ..samples()[0].clone() };
    assert_eq!(drawn(&spec).title, "各项存款余额");
    assert_eq!(drawn(&spec).table.headers[0], "月份");
}

#[test]
fn exact_labels_are_printed() {
    let mut spec = over_time("bar", 3);
    spec.series = vec![series("余额", Scenario::Actual, [1.0, 2.0, 3.0])];
    spec.labels = vec![vec!["0.10".to_owned(), "一二".to_owned(), "12,345,678,901,234,567.89".to_owned()]];
    let drawing = drawn(&spec);
    assert!(drawing.svg.contains("12,345,678,901,234,567.89"));
    assert_eq!(drawing.table.rows[1][1], "一二");
    assert!(drawing.desc.contains("12,345,678,901,234,567.89"));
}

#[test]
fn descriptions() {
    let mut spec = over_time("bar", 3);
    spec.message = String::new();
    spec.unit = NumberUnit::plain(Quantity::Count);
    spec.title = "Net new customers".to_owned();
    spec.lang = Lang::En;
    spec.categories = vec!["Oct".to_owned(), "Nov".to_owned(), "Dec".to_owned()];
    spec.series = vec![
        series("Actual", Scenario::Actual, [1200.0, -50.0, 900.0]),
        series("Plan", Scenario::Plan, [1000.0, 1000.0, 1000.0]),
    ];
    let drawing = drawn(&spec);
    assert_eq!(
        drawing.desc,
        "Bar chart: Net new customers, Oct to Dec, 3 periods. \
         Actual: highest 1,200 (Oct), lowest −50 (Nov), latest 900 (Dec). \
         Plan: highest 1,000 (Oct), lowest 1,000 (Oct), latest 1,000 (Dec). \
         Dec vs Plan: −100 (−10.0%)."
    );
    assert_eq!(drawing.marks[1].label, "Nov: Actual −50, Plan 1,000");
    assert_eq!(drawing.table.rows[0], ["Oct", "1,200", "1,000", "+200"]);

    let pareto = drawn(&samples()[11]);
    assert!(pareto.desc.contains("28 项中前 14 项累计达到 80%"), "{}", pareto.desc);
    assert_eq!(pareto.table.headers, ["项目", "余额", "占比", "累计占比"]);
    assert_eq!(pareto.table.rows[27][3], "100.0%");
    let waterfall = drawn(&samples()[12]);
    assert!(waterfall.desc.contains("减少最多：客户流失 −29.0"), "{}", waterfall.desc);
}

#[test]
fn nothing_to_draw() {
    for kind in KINDS {
        let none = ChartSpec { title: "空".to_owned(), ..ChartSpec::new(kind.name(), "n", Lang::Zh) };
        let mut nulls = over_time(kind.name(), 3);
        nulls.series = vec![Series { name: "x".to_owned(), scenario: Scenario::Actual, values: vec![None; 3] }];
        for spec in [none, nulls] {
            let drawing = drawn(&spec);
            assert!(drawing.svg.contains("所选范围内没有数据"), "{}", kind.name());
            assert!(drawing.desc.contains("没有数据"), "{}", drawing.desc);
            assert!(drawing.marks.is_empty());
        }
    }
}

#[test]
fn odd_data() {
    for kind in ["bar", "line", "multiples", "stacked", "pareto"] {
        for values in [vec![5.0], vec![1e30, 1e-30, 3.0], vec![1.0; 3], vec![0.0, 1.0, 0.0], vec![1e90, 1.0, 0.5]] {
            for time in [true, false] {
                let mut spec = over_time(kind, i32::try_from(values.len()).expect("few"));
                if !time {
                    spec.time = None;
                }
                spec.series = vec![series("x", Scenario::Actual, values.iter().copied())];
                elements(&drawn(&spec).svg);
            }
        }
    }
    for kind in ["bar", "line", "multiples"] {
        for values in [[-5.0, -6.0, -7.0], [-1e30, 1e30, 0.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 1.0]] {
            for time in [true, false] {
                let mut spec = over_time(kind, 3);
                if !time {
                    spec.time = None;
                }
                spec.series =
                    vec![series("x", Scenario::Actual, values), series("x", Scenario::Plan, [0.0, -3.0, 5.0])];
                elements(&drawn(&spec).svg);
            }
        }
    }
    for grain in [Grain::Day, Grain::Quarter, Grain::Year] {
        let mut spec = over_time("line", 60);
        spec.time = Some(TimeAxis { grain, days: months(60) });
        spec.series = vec![series("x", Scenario::Actual, wave(60, 1e9, 1e8))];
        elements(&drawn(&spec).svg);
    }
}

/// A base that is not above zero has no percentage, and a ratio never has one.
#[test]
fn differences_without_percent() {
    let mut spec = over_branches("bar");
    spec.categories.truncate(3);
    spec.links.clear();
    spec.unit = NumberUnit::plain(Quantity::Count);
    spec.series =
        vec![series("本年", Scenario::Actual, [10.0, 20.0, 30.0]), series("上年", Scenario::Prior, [-5.0, 0.0, 20.0])];
    let drawing = drawn(&spec);
    assert_eq!(drawing.svg.matches('%').count(), 2, "the head and one row");
    assert!(drawing.svg.contains("+50.0%") && drawing.svg.contains(">–<"));
    spec.unit = NumberUnit::plain(Quantity::Percent);
    let drawing = drawn(&spec);
    assert!(drawing.svg.contains("百分点"));
    assert!(!drawing.svg.contains("+50.0%"));
}

#[test]
fn names_are_escaped() {
    let evil = "<script>&\"'\u{1}\n]]>";
    for kind in KINDS {
        let mut spec = over_branches(kind.name());
        spec.id = evil.to_owned();
        spec.title = evil.to_owned();
        spec.message = evil.to_owned();
        spec.categories = vec![evil.to_owned(); 3];
        spec.links = vec![Some(format!("/x?a=1&b={evil}").replace(['\u{1}', '\n'], "")); 3];
        let values = match kind.name() {
            "waterfall" => [1.0, 2.0, 3.0],
            "funnel" => [4.0, 2.0, 1.0],
            _ => [1.0, 2.0, 4.0],
        };
        spec.series = vec![series(evil, Scenario::Actual, values)];
        match kind.name() {
            "scatter" => spec.series.push(spec.series[0].clone()),
            "bullet" => spec.bands = spec.series.clone(),
            "radar" => spec.unit = NumberUnit::plain(Quantity::Number),
            "area" => spec.time = Some(TimeAxis { grain: Grain::Day, days: vec![1, 2, 3] }),
            _ => {}
        }
        let svg = drawn(&spec).svg;
        elements(&svg);
        assert!(!svg.contains("<script") && !svg.contains('\u{1}'), "{}", kind.name());
        assert!(svg.contains("&lt;script&gt;&amp;&quot;"), "{}", kind.name());
    }
    assert!(sparkline(&[Some(1.0)], evil).contains("&lt;script&gt;"));
    assert_eq!(escape("a\u{0}b\tc"), "a\u{FFFD}b c");
}

#[test]
fn links() {
    let mut spec = over_branches("bar");
    spec.series = vec![series("x", Scenario::Actual, wave(28, 1e9, 1e8))];
    let svg = drawn(&spec).svg;
    assert!(svg.contains("<a href=\"/reports/x?scope=b3&amp;as_of=latest\" aria-label=\"广州分行："));
    // An image has no children for assistive technology: links stand beside it.
    let image = svg.find("role=\"img\"").expect("an image");
    let image_end = svg[image..].find("</g>").map(|at| at + image).expect("its end");
    assert!(svg.find("<a ").expect("a link") > image_end);
    for link in ["javascript:alert(1)", "//evil.example/", "data:text/html,x", "reports/x", "https:evil", "/x\n"] {
        spec.links[5] = Some(link.to_owned());
        assert_eq!(draw(&spec), Err(ChartError::Link { link: link.to_owned() }));
    }
}

fn refusal(spec: &ChartSpec) -> String {
    draw(spec).expect_err("a refusal").to_string()
}

#[test]
fn refusals_say_what_to_do() {
    let mut spec = over_time("pie", 3);
    assert_eq!(
        refusal(&spec),
        "unknown chart kind `pie`; known kinds: bar, line, stacked, pareto, waterfall, multiples, area, heatmap, triangle, \
         scatter, funnel, radar, box, bullet"
    );

    spec.kind = "bar".to_owned();
    spec.series = vec![series("x", Scenario::Actual, [1.0])];
    assert_eq!(refusal(&spec), "series `x` has 1 entries, expected 3");
    spec.series = vec![series("x", Scenario::Actual, [1.0, f64::NAN, 2.0])];
    assert!(refusal(&spec).starts_with("series `x` has no finite number at `2025年"), "{}", refusal(&spec));
    spec.series = vec![series("x", Scenario::Actual, [1.0, f64::INFINITY, 2.0])];
    assert!(draw(&spec).is_err());
    spec.series = vec![series("x", Scenario::Actual, [1.0, 2.0, 3.0])];
    spec.labels = vec![vec!["1".to_owned()]];
    assert_eq!(refusal(&spec), "the labels of a series has 1 entries, expected 3");
    spec.labels.clear();
    spec.time = Some(TimeAxis { grain: Grain::Month, days: vec![0] });
    assert_eq!(refusal(&spec), "the days of the time axis has 1 entries, expected 3");

    let mut many = over_time("bar", 41);
    many.series = vec![series("x", Scenario::Actual, wave(41, 1.0, 1.0))];
    assert_eq!(refusal(&many), "chart kind `bar` shows at most 40 categories, found 41");
    let mut lines = over_time("line", 2);
    lines.series = (0..6).map(|_| series("x", Scenario::Actual, [1.0, 2.0])).collect();
    assert_eq!(refusal(&lines), "chart kind `line` shows at most 5 lines, found 6");

    for kind in ["stacked", "pareto"] {
        let mut negative = over_branches(kind);
        negative.categories.truncate(2);
        negative.series = vec![series("x", Scenario::Actual, [1.0, -2.0])];
        assert!(refusal(&negative).contains("negative"), "{}", refusal(&negative));
    }
    let mut waterfall = samples().swap_remove(12);
    waterfall.series[0].values[2] = Some(2.5e9);
    assert_eq!(
        refusal(&waterfall),
        "chart kind `waterfall`: opening and steps add up to 159.0 亿元, the closing level is 160.0 亿元"
    );
    waterfall.series[0].values[2] = None;
    assert!(refusal(&waterfall).contains("现有客户增持"));
    let mut multiples = over_time("multiples", 2);
    multiples.series = vec![series("北京", Scenario::Plan, [1.0, 2.0])];
    assert!(refusal(&multiples).contains("北京"));
}

#[test]
fn pareto_names_what_it_leaves_out() {
    let spec = ChartSpec { width: 360, ..samples().swap_remove(11) };
    let drawing = drawn(&spec);
    assert_eq!(drawing.marks.last().map(|mark| mark.label.as_str()), Some("其余 13 项：245.7"));
    assert_eq!(drawing.marks.len(), 16, "14 reach the mark, one beyond it, the rest");
    assert_eq!(drawing.table.rows.len(), 28, "the table leaves nothing out");
    assert_eq!(drawing.marks[0].href.as_deref(), Some("/reports/x?scope=b0&as_of=latest"));
}

#[test]
fn multiples_are_sorted_by_difference() {
    let mut spec = over_time("multiples", 2);
    spec.series = vec![
        series("甲", Scenario::Actual, [1e9, 2e9]),
        series("甲", Scenario::Plan, [1e9, 3e9]),
        series("乙", Scenario::Actual, [1e9, 4e9]),
        series("乙", Scenario::Plan, [1e9, 3e9]),
    ];
    spec.links = vec![Some("/甲".to_owned()), Some("/乙".to_owned())];
    let order = |spec: &ChartSpec| drawn(spec).marks.iter().filter_map(|mark| mark.href.clone()).collect::<Vec<_>>();
    assert_eq!(order(&spec), ["/乙", "/甲"]);
    spec.good = Good::Down;
    assert_eq!(order(&spec), ["/甲", "/乙"]);
    assert_eq!(drawn(&spec).table.headers[2], "甲（计划）");
}

#[test]
fn scenarios_have_their_notation() {
    let of = |scenario| {
        let mut spec = over_time("bar", 1);
        spec.series = vec![series("x", scenario, [1e9])];
        drawn(&spec).svg
    };
    let ink = Token::Ink.hex();
    assert!(of(Scenario::Actual).contains(&format!("fill=\"{ink}\" stroke=\"none\"")));
    assert!(of(Scenario::Prior).contains(&format!("fill=\"{}\" stroke=\"none\"", Token::Prior.hex())));
    assert!(!of(Scenario::Plan).contains("stroke=\"none\""), "an outline is not filled");
    let hatched = |svg: &str| svg.matches("<polyline").count();
    assert!(hatched(&of(Scenario::Forecast)) > hatched(&of(Scenario::Plan)) + 10);
}

#[test]
fn hatch_stays_inside() {
    for area in [
        Area { x: 10.0, y: 20.0, w: 30.0, h: 8.0 },
        Area { x: 0.0, y: 0.0, w: 5.0, h: 50.0 },
        Area { x: 3.0, y: 3.0, w: 0.5, h: 0.5 },
    ] {
        let mut canvas = Canvas::new(100.0, 100.0);
        canvas.hatch(area, Token::Ink);
        let (svg, _) = canvas.finish("h", Lang::En, "", "").expect("a drawing");
        for (name, attributes, _) in elements(&svg) {
            for point in
                attribute(&attributes, "points").filter(|_| name == "polyline").unwrap_or("").split_whitespace()
            {
                let (x, y) = point.split_once(',').expect("a point");
                let (x, y): (f64, f64) = (x.parse::<f64>().expect("x") / 4.0, y.parse::<f64>().expect("y") / 4.0);
                assert!(x >= area.x - 0.2 && x <= area.right() + 0.2 && y >= area.y - 0.2 && y <= area.bottom() + 0.2);
            }
        }
    }
}

#[test]
fn sparklines() {
    let spark = sparkline(&[Some(1.0), Some(3.0), None, Some(2.0), Some(4.0)], "13 个月");
    let parts = elements(&spark);
    assert_eq!(attribute(&parts[0].1, "role"), Some("img"));
    assert_eq!(parts.iter().filter(|(name, ..)| name == "polyline").count(), 2, "a gap stays a gap");
    assert_eq!(parts.iter().filter(|(name, ..)| name == "circle").count(), 1);
    for values in [vec![], vec![None, None], vec![Some(f64::NAN)], vec![Some(5.0)], vec![Some(0.0); 3]] {
        elements(&sparkline(&values, "x"));
    }
}

#[test]
fn ticks_are_round() {
    assert_eq!(ticks(0.0, 10.0, 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
    assert_eq!(ticks(0.0, 95.0, 4), [0.0, 50.0, 100.0]);
    assert_eq!(ticks(-30.0, 70.0, 4), [-50.0, 0.0, 50.0, 100.0]);
    assert_eq!(ticks(5.0, 5.0, 4).first(), Some(&4.0));
    for (low, high) in [(0.0, 1e-30), (1e30, 1.1e30), (-3.0, -1.0), (0.0, 7.3), (0.132, 0.149)] {
        let ticks = ticks(low, high, 4);
        assert!(
            ticks[0] <= low + 1e-9 * high.abs() && ticks[ticks.len() - 1] >= high - 1e-9 * high.abs(),
            "{low} {high}"
        );
        assert!(ticks.len() >= 2 && ticks.len() <= 8, "{low} {high}: {ticks:?}");
    }
    let mut spec = over_time("line", 1);
    spec.unit = NumberUnit::plain(Quantity::Percent);
    assert_eq!(tick_texts(&spec, &[0.013, 0.0135, 0.014]), ["1.30%", "1.35%", "1.40%"]);
    spec.unit = money();
    assert_eq!(tick_texts(&spec, &[0.0, 1e10, 2e10]), ["0", "100", "200"]);
    assert_eq!(Linear { low: 1.0, high: 1.0, from: 7.0, to: 9.0 }.at(5.0), 7.0);
}

#[test]
fn text_is_measured_wrapped_and_cut() {
    assert!((text::width("存款", 10.0) - 21.0).abs() < 1e-9);
    assert!(text::width("iiii", 10.0) < text::width("mmmm", 10.0));
    assert_eq!(text::width("e\u{301}", 10.0), text::width("e", 10.0));
    assert_eq!(text::fit("呼和浩特分行", 10.0, 63.1), "呼和浩特分行");
    assert_eq!(text::fit("呼和浩特分行", 10.0, 45.0), "呼和浩…");
    assert_eq!(text::fit("x", 10.0, 0.0), "…");
    assert_eq!(text::wrap("", 10.0, 50.0, 2), Vec::<String>::new());
    assert_eq!(text::wrap("理财产品到期转入", 10.0, 45.0, 3), ["理财产品", "到期转入"]);
    assert_eq!(text::wrap("理财产品，到期转入", 10.0, 45.0, 3), ["理财产", "品，到期", "转入"]);
    assert_eq!(text::wrap("Matured products paid in", 10.0, 90.0, 3), ["Matured products", "paid in"]);
    assert_eq!(text::wrap("一二三四五六七八九", 10.0, 32.0, 2), ["一二三", "四五…"]);
    for text in ["Incomprehensibilities", "各分行 2025 年存款 1,234.5 亿元（含外币）"] {
        for line in text::wrap(text, 12.0, 60.0, 9) {
            assert!(text::width(&line, 12.0) <= 60.0, "{line}");
        }
    }
}
