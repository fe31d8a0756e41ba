//! Kinds beyond bars and lines: what each draws, at which place, and what it refuses.

use super::{BRANCHES, money};
use super::{attribute, drawn, elements, number, over_time, palette, refusal, series, text_boxes, wave};
use crate::chart::theme::{self, Token};
use crate::chart::{ChartSpec, Drawing, Good, Scenario, Series};
use crate::locale::{Lang, NumberUnit, Quantity};

const PERCENT: NumberUnit = NumberUnit { quantity: Quantity::Percent, power: 0, decimals: 2 };

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A number between 0 and 1 that looks random and is not.
fn noise(seed: usize) -> f64 {
    ((seed as f64 + 1.0) * 12.9898).sin().abs().mul_add(43758.5453, 0.0).fract()
}

fn heat_of_branches() -> ChartSpec {
    let mut spec = over_time("heatmap", 12);
    spec.title = "各分行不良率".to_owned();
    spec.unit = PERCENT;
    spec.good = Good::Down;
    spec.series_label = Some("分行".to_owned());
    spec.links = (0..28).map(|row| Some(format!("/reports/x?scope=b{row}&as_of=latest"))).collect();
    for (row, name) in BRANCHES.iter().enumerate() {
        let mut own = series(name, Scenario::Actual, wave(12, 0.008 + noise(row) * 0.012, 0.0006));
        if row == 5 {
            own.values[3] = None;
        }
        spec.series.push(own);
    }
    spec
}

fn heat_around_zero() -> ChartSpec {
    ChartSpec {
        categories: texts(&BRANCHES[..12]),
        series: ["活期存款", "定期存款", "通知存款", "大额存单", "结构性存款"]
            .iter()
            .enumerate()
            .map(|(column, name)| {
                let values = (0..12).map(move |row| (noise(row * 7 + column) - 0.42) * 0.3);
                series(name, Scenario::Actual, values)
            })
            .collect(),
        title: "各分行存款较上年同期增幅".to_owned(),
        unit: NumberUnit::plain(Quantity::Percent),
        zero: Some(0.0),
        x_label: Some("分行".to_owned()),
        series_label: Some("产品".to_owned()),
        ..ChartSpec::new("heatmap", "heat-zero", Lang::Zh)
    }
}

/// Cohorts of the last `count` months with the share of customers who are still active.
fn triangle(count: i32) -> ChartSpec {
    let mut spec = over_time("triangle", count);
    spec.title = "开户月份与在账月数的客户留存率".to_owned();
    spec.x_label = Some("开户月份".to_owned());
    spec.series_label = Some("在账月数".to_owned());
    spec.unit = PERCENT.with_decimals(0);
    let count = spec.categories.len();
    spec.series = (0..count)
        .map(|age| Series {
            name: age.to_string(),
            scenario: Scenario::Actual,
            values: (0..count)
                .map(|cohort| {
                    (cohort + age < count)
                        .then(|| 0.93f64.powi(age as i32) * (1.0 - noise(cohort) * 0.04 * age.min(4) as f64))
                })
                .collect(),
        })
        .collect();
    spec
}

fn scatter_of_branches() -> ChartSpec {
    let deposits = |row: usize| 1.6e10 * 0.9f64.powi(row as i32) * (0.8 + 0.4 * noise(row));
    let contribution =
        |row: usize| deposits(row) * 0.011 * (0.85 + 0.3 * noise(row + 40)) - if row == 6 { 6e7 } else { 0.0 };
    ChartSpec {
        categories: texts(&BRANCHES),
        links: (0..28).map(|index| Some(format!("/reports/x?scope=b{index}&as_of=latest"))).collect(),
        series: vec![
            series("存款日均", Scenario::Actual, (0..28).map(deposits)),
            series("客户贡献", Scenario::Actual, (0..28).map(contribution)),
        ],
        units: vec![money(), NumberUnit { quantity: Quantity::Money, power: 4, decimals: 0 }],
        title: "各分行存款日均与客户贡献".to_owned(),
        ..ChartSpec::new("scatter", "scatter", Lang::Zh)
    }
}

fn scatter_of_many(count: usize) -> ChartSpec {
    let gauss = |seed: usize| (0..6).map(|part| noise(seed * 6 + part)).sum::<f64>() - 3.0;
    let age = |row: usize| 42.0 + 12.0 * gauss(row);
    ChartSpec {
        categories: (0..count).map(|row| format!("支行 {row}")).collect(),
        series: vec![
            series("客户平均年龄（岁）", Scenario::Actual, (0..count).map(age)),
            series(
                "户均存款",
                Scenario::Actual,
                (0..count).map(|row| 2e3 * age(row) + 6e4 * gauss(row + 99_991) + 2e5),
            ),
        ],
        units: vec![
            NumberUnit::plain(Quantity::Number).with_decimals(0),
            NumberUnit { quantity: Quantity::Money, power: 4, decimals: 1 },
        ],
        title: "客户年龄与户均存款".to_owned(),
        ..ChartSpec::new("scatter", "dense", Lang::Zh)
    }
}

fn funnel() -> ChartSpec {
    ChartSpec {
        categories: texts(&["提交申请", "资料齐全", "通过初审", "通过终审", "签约", "放款"]),
        series: vec![series("申请", Scenario::Actual, [18_420.0, 15_903.0, 11_287.0, 9_954.0, 7_012.0, 6_855.0])],
        links: (0..6).map(|stage| Some(format!("/reports/x?stage={stage}"))).collect(),
        title: "本年个人住房贷款申请（笔）".to_owned(),
        unit: NumberUnit::plain(Quantity::Count),
        ..ChartSpec::new("funnel", "funnel", Lang::Zh)
    }
}

fn radar() -> ChartSpec {
    ChartSpec {
        categories: texts(&[
            "客户战略",
            "组织与流程",
            "客户数据",
            "分析与模型",
            "营销执行",
            "渠道协同",
            "人才与激励",
            "系统与安全",
        ]),
        series: vec![
            series("现状", Scenario::Actual, [3.2, 2.8, 3.5, 2.1, 2.9, 2.4, 3.0, 3.8]),
            series("目标", Scenario::Plan, [4.0, 3.5, 4.5, 4.0, 3.5, 3.5, 3.5, 4.0]),
        ],
        title: "客户关系管理能力成熟度（1 至 5 级）".to_owned(),
        unit: NumberUnit::plain(Quantity::Number).with_decimals(1),
        ..ChartSpec::new("radar", "radar", Lang::Zh)
    }
}

fn box_of_values() -> ChartSpec {
    let regions = ["华北", "华东", "华南", "西部", "东北"];
    let mut rows: Vec<(&str, f64)> = Vec::new();
    for (place, region) in regions.iter().enumerate() {
        let count = if place == 4 { 4 } else { 14 + place * 5 };
        for row in 0..count {
            let value = 1.1e6 + 3e5 * place as f64 + 1.4e6 * (noise(row * 5 + place) - 0.5);
            rows.push((region, if row == 3 { value + 2.4e6 } else { value }));
        }
    }
    ChartSpec {
        categories: rows.iter().map(|(region, _)| (*region).to_owned()).collect(),
        series: vec![series("人均存款", Scenario::Actual, rows.iter().map(|(_, value)| *value))],
        title: "各区域支行人均存款分布".to_owned(),
        unit: NumberUnit { quantity: Quantity::Money, power: 4, decimals: 1 },
        x_label: Some("区域".to_owned()),
        ..ChartSpec::new("box", "box", Lang::Zh)
    }
}

fn box_of_summaries() -> ChartSpec {
    let level = |row: usize| 3.0 + 4.0 * noise(row);
    let columns = [("最短", 0.2), ("下四分位数", 0.7), ("中位数", 1.0), ("上四分位数", 1.6), ("最长", 3.1)];
    let mut all = vec![series("笔数", Scenario::Actual, (0..8).map(|row| 1200.0 - 140.0 * row as f64))];
    all.extend(columns.map(|(name, of)| series(name, Scenario::Actual, (0..8).map(|row| of * level(row)))));
    let places = NumberUnit::plain(Quantity::Number).with_decimals(1);
    ChartSpec {
        categories: texts(&BRANCHES[..8]),
        series: all,
        units: [NumberUnit::plain(Quantity::Count)].into_iter().chain([places; 5]).collect(),
        unit: places,
        title: "各分行贷款审批用时（工作日）".to_owned(),
        ..ChartSpec::new("box", "box-summary", Lang::Zh)
    }
}

fn bullet() -> ChartSpec {
    ChartSpec {
        categories: texts(&BRANCHES[..8]),
        series: vec![
            series("按时办结率", Scenario::Actual, [0.962, 0.941, 0.978, 0.903, 0.955, 0.871, 0.990, 0.948]),
            series("目标", Scenario::Plan, [0.95; 8]),
        ],
        bands: vec![
            series("不达标", Scenario::Actual, [0.90; 8]),
            series("关注", Scenario::Actual, [0.95; 8]),
            series("达标", Scenario::Actual, [1.0; 8]),
        ],
        title: "投诉按时办结率".to_owned(),
        unit: NumberUnit::plain(Quantity::Percent),
        ..ChartSpec::new("bullet", "bullet", Lang::Zh)
    }
}

fn bullet_of_money() -> ChartSpec {
    let plan = |row: usize| 1.6e10 * 0.82f64.powi(row as i32);
    ChartSpec {
        categories: texts(&BRANCHES[..6]),
        series: vec![
            series("存款余额", Scenario::Actual, (0..6).map(|row| plan(row) * (0.86 + 0.3 * noise(row + 2)))),
            series("计划", Scenario::Plan, (0..6).map(plan)),
        ],
        title: "各分行存款余额与计划".to_owned(),
        unit: money(),
        ..ChartSpec::new("bullet", "bullet-money", Lang::Zh)
    }
}

fn area_of_one() -> ChartSpec {
    let mut spec = over_time("area", 24);
    spec.series = vec![series("余额", Scenario::Actual, wave(24, 1.1e11, 3e9))];
    spec.series[0].values[9] = None;
    spec
}

fn area_of_parts() -> ChartSpec {
    let mut spec = over_time("area", 36);
    spec.title = "各项存款余额构成".to_owned();
    let products = ["活期存款", "定期存款", "通知存款", "大额存单", "结构性存款"];
    spec.series = (0..5)
        .map(|part| series(products[part], Scenario::Actual, wave(36, 5e10 / (part + 1) as f64, 1.2e9)))
        .collect();
    spec
}

/// One realistic specification or more of every kind of this file.
pub(super) fn samples() -> Vec<ChartSpec> {
    vec![
        heat_of_branches(),
        heat_around_zero(),
        triangle(18),
        scatter_of_branches(),
        scatter_of_many(2400),
        funnel(),
        radar(),
        box_of_values(),
        box_of_summaries(),
        bullet(),
        bullet_of_money(),
        area_of_one(),
        area_of_parts(),
    ]
}

/// A filled rectangle of the drawing with its colour, in px: left, top, right, bottom.
#[derive(Debug, Clone, PartialEq)]
struct Filled {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
    token: Token,
}

fn token(colour: &str) -> Token {
    Token::ALL.into_iter().find(|token| token.hex() == colour).unwrap_or_else(|| panic!("{colour} is no token"))
}

fn filled(svg: &str) -> Vec<Filled> {
    elements(svg)
        .iter()
        .filter(|(name, attributes, _)| name == "rect" && attribute(attributes, "stroke") == Some("none"))
        .map(|(_, attributes, _)| {
            let of = |name: &str| number(attributes, name) / 4.0;
            let (left, top) = (of("x"), of("y"));
            let token = token(attribute(attributes, "fill").expect("a fill"));
            Filled { left, top, right: left + of("width"), bottom: top + of("height"), token }
        })
        .collect()
}

/// Corners of the filled polygons with their colours, in px.
fn polygons(svg: &str) -> Vec<(Token, Vec<(f64, f64)>)> {
    elements(svg)
        .iter()
        .filter(|(name, ..)| name == "polygon")
        .map(|(_, attributes, _)| {
            let point = |pair: &str| {
                let (x, y) = pair.split_once(',').expect("a point");
                (x.parse::<f64>().expect("x") / 4.0, y.parse::<f64>().expect("y") / 4.0)
            };
            let points = attribute(attributes, "points").expect("points").split_whitespace().map(point).collect();
            (token(attribute(attributes, "fill").expect("a fill")), points)
        })
        .collect()
}

/// Centres and radii of the filled circles, in px.
fn circles(svg: &str) -> Vec<(f64, f64, f64)> {
    elements(svg)
        .iter()
        .filter(|(name, ..)| name == "circle")
        .map(|(_, attributes, _)| {
            let of = |name: &str| number(attributes, name) / 4.0;
            (of("cx"), of("cy"), of("r"))
        })
        .collect()
}

fn printed(drawing: &Drawing) -> Vec<String> {
    text_boxes(&drawing.svg).into_iter().map(|(.., content)| content).collect()
}

#[track_caller]
fn refused(spec: &ChartSpec, reason: &str) {
    let found = refusal(spec);
    assert!(found.starts_with(&format!("chart kind `{}`", spec.kind)) && found.contains(reason), "{found}");
}

/// Every text has the contrast of text on the rectangle that it stands on, in both themes.
#[test]
fn texts_are_read_on_their_ground() {
    let mut on_shades = 0;
    for spec in samples() {
        for width in [360, 1120] {
            let drawing = drawn(&ChartSpec { width, ..spec.clone() });
            let grounds = filled(&drawing.svg);
            let colours: Vec<String> = elements(&drawing.svg)
                .iter()
                .filter(|(name, ..)| name == "text")
                .map(|(_, attributes, _)| attribute(attributes, "fill").expect("a colour").to_owned())
                .collect();
            for ((left, top, right, bottom, content), colour) in text_boxes(&drawing.svg).into_iter().zip(colours) {
                let (x, y) = ((left + right) / 2.0, (top + bottom) / 2.0);
                let under =
                    |ground: &&Filled| ground.left < x && x < ground.right && ground.top < y && y < ground.bottom;
                let ground = grounds.iter().rfind(under).map_or(Token::Background, |ground| ground.token);
                on_shades += usize::from(ground != Token::Background);
                let (ink, ground) = (token(&colour).colours(), ground.colours());
                for (ink, ground) in [(ink.0, ground.0), (ink.1, ground.1)] {
                    let found = palette::contrast(ink, ground);
                    assert!(
                        found >= 4.5,
                        "{} at {width}: `{content}` {ink:02X?} on {ground:02X?}: {found:.2}",
                        spec.kind
                    );
                }
            }
        }
    }
    assert!(on_shades > 1000, "{on_shades}");
}

#[test]
fn what_a_kind_does_not_draw_is_refused() {
    let mut bar = over_time("bar", 3);
    bar.series = vec![series("x", Scenario::Actual, [1.0, 2.0, 3.0])];
    let zero = ChartSpec { zero: Some(0.0), ..bar.clone() };
    assert_eq!(refusal(&zero), "chart kind `bar`: `zero` is for `heatmap`, `triangle`");
    let bands = ChartSpec { bands: bar.series.clone(), ..bar.clone() };
    assert_eq!(refusal(&bands), "chart kind `bar`: `bands` is for `bullet`");
    let units = ChartSpec { units: vec![PERCENT], ..bar.clone() };
    assert_eq!(refusal(&units), "chart kind `bar`: a unit of its own for a series is for `scatter`, `box`");
    let many = ChartSpec { units: vec![PERCENT; 2], ..scatter_of_branches() };
    drawn(&many);
    let units = ChartSpec { units: vec![PERCENT; 3], ..scatter_of_branches() };
    assert_eq!(refusal(&units), "the units has 3 entries, expected 2");
    let mut short = bullet();
    short.bands[1].values.pop();
    assert_eq!(refusal(&short), "series `关注` has 7 entries, expected 8");
    assert!(refusal(&ChartSpec { zero: Some(f64::NAN), ..heat_around_zero() }).contains("zero"));
}

/// Cells of one row, from left to right.
fn cells(values: &[f64], zero: Option<f64>, good: Good) -> Vec<Token> {
    let spec = ChartSpec {
        categories: vec!["x".to_owned()],
        series: values.iter().map(|value| series(&value.to_string(), Scenario::Actual, [*value])).collect(),
        unit: NumberUnit::plain(Quantity::Number),
        zero,
        good,
        width: 2000,
        ..ChartSpec::new("heatmap", "row", Lang::En)
    };
    let drawing = drawn(&spec);
    let mut cells: Vec<Filled> =
        filled(&drawing.svg).into_iter().filter(|cell| cell.bottom - cell.top > 20.0).collect();
    cells.sort_by(|a, b| a.left.total_cmp(&b.left));
    cells.into_iter().map(|cell| cell.token).collect()
}

#[test]
fn shades_rise_with_the_values() {
    let values: Vec<f64> = (0..20).map(|step| -7.0 + f64::from(step) * 1.3).collect();
    let tokens = cells(&values, None, Good::Up);
    assert_eq!(tokens.len(), 20, "each value has a cell");
    let steps: Vec<usize> =
        tokens.iter().map(|token| theme::SHADES.iter().position(|shade| shade == token).expect("a shade")).collect();
    assert!(steps.is_sorted() && steps[0] == 0 && steps[19] == 4, "{steps:?}");
    assert!((0..5).all(|step| steps.iter().filter(|found| **found == step).count() == 4), "equal steps: {steps:?}");
    assert_eq!(cells(&[3.0, 3.0], None, Good::Up), [Token::Shade1; 2]);
}

/// Negative numbers alone make no two sides: only a declared zero does.
#[test]
fn colours_part_at_a_declared_zero_only() {
    let values = [-9.0, -4.0, -1.0, 0.0, 1.0, 4.0, 9.0];
    let grey = cells(&values, None, Good::Up);
    assert!(grey.iter().all(|token| theme::SHADES.contains(token)), "{grey:?}");
    let [b1, b2, b3] = theme::BAD_SHADES;
    let [g1, g2, g3] = theme::GOOD_SHADES;
    // Zero itself has no fill.
    assert_eq!(cells(&values, Some(0.0), Good::Up), [b3, b2, b1, g1, g2, g3]);
    assert_eq!(cells(&values, Some(0.0), Good::Down), [g3, g2, g1, b1, b2, b3]);
    let [s1, s2, s3] = [Token::Shade1, Token::Shade2, Token::Shade3];
    assert_eq!(cells(&values, Some(0.0), Good::None), [s3, s2, s1, s1, s2, s3]);
    // Around 4 the lowest is 13 away, and the steps are as wide on both sides.
    assert_eq!(cells(&values, Some(4.0), Good::Up), [b3, b2, b2, b1, b1, g2]);
    assert_eq!(cells(&[1.0, 1.0 + 1e-12, 9.0], Some(1.0), Good::Up), [g3], "traces of arithmetic are no side");
    let drawing = drawn(&heat_around_zero());
    assert!(printed(&drawing).contains(&"颜色以 0 为界".to_owned()), "the zero is named");
}

#[test]
fn every_cell_carries_its_number_at_every_width() {
    let spec = heat_of_branches();
    let numbers: Vec<String> = (0..28)
        .flat_map(|row| (0..12).map(move |month| (row, month)))
        .filter(|(row, month)| spec.series[*row].values[*month].is_some())
        .map(|(row, month)| spec.value_text(row, month))
        .collect();
    for width in [260, 420, 760, 1400] {
        let drawing = drawn(&ChartSpec { width, ..spec.clone() });
        let mut left = printed(&drawing);
        for number in &numbers {
            let at = left.iter().position(|content| content == number).unwrap_or_else(|| panic!("{number} at {width}"));
            left.swap_remove(at);
        }
        assert_eq!(drawing.marks.iter().filter(|mark| mark.href.is_none()).count(), 336, "a mark per cell at {width}");
    }
}

/// Periods from left to right, names of rows as links, the missing cell a dash.
#[test]
fn a_heat_map_over_time_has_the_series_as_rows() {
    let drawing = drawn(&ChartSpec { width: 1120, ..heat_of_branches() });
    assert_eq!(drawing.table.headers[..2], ["分行".to_owned(), "2025年1月".to_owned()]);
    assert_eq!(drawing.table.rows.len(), 28);
    assert_eq!(drawing.table.rows[5][4], "–");
    let links: Vec<&str> = drawing.marks.iter().filter_map(|mark| mark.href.as_deref()).collect();
    assert_eq!(links.len(), 28, "one stop per row for the keyboard");
    assert_eq!(links[3], "/reports/x?scope=b3&as_of=latest");
    let missing = drawing.marks.iter().find(|mark| mark.label == "南京分行，2025年4月：–").expect("the missing cell");
    let next =
        drawing.marks.iter().find(|mark| mark.label.starts_with("南京分行，2025年5月：")).expect("the next cell");
    assert!(next.area.x > missing.area.x && next.area.y == missing.area.y);
    let structure = drawn(&heat_around_zero());
    assert_eq!(structure.table.headers, ["分行", "活期存款", "定期存款", "通知存款", "大额存单", "结构性存款"]);
    assert!(structure.desc.contains("最高 17.0%（杭州分行，定期存款）"), "{}", structure.desc);
}

#[test]
fn heat_maps_are_refused() {
    let mut wide = heat_of_branches();
    wide.series = (0..41).map(|row| series(&row.to_string(), Scenario::Actual, [1.0; 12])).collect();
    assert_eq!(refusal(&wide), "chart kind `heatmap` shows at most 40 rows, found 41");
    let mut plan = heat_around_zero();
    plan.series[1].scenario = Scenario::Plan;
    refused(&plan, "`定期存款` is not actual");
}

#[test]
fn a_triangle_leaves_the_future_empty() {
    let mut spec = triangle(6);
    // Missing although a younger cohort has reached this age.
    spec.series[2].values[1] = None;
    let drawing = drawn(&spec);
    let values = drawing.marks.iter().filter(|mark| !mark.label.ends_with('–')).count();
    assert_eq!((drawing.marks.len(), values), (21, 20), "6 + 5 + 4 + 3 + 2 + 1 cells have happened");
    assert_eq!(drawing.table.rows[1], ["2025年8月", "100%", "93%", "–", "80%", "74%", ""]);
    assert_eq!(drawing.table.rows[5], ["2025年12月", "100%", "", "", "", "", ""]);
    let right = |row: &str| {
        let of = drawing.marks.iter().filter(|mark| mark.label.starts_with(row));
        of.map(|mark| mark.area.right()).fold(0.0, f64::max)
    };
    let edges: Vec<f64> = drawing.table.rows.iter().map(|row| right(&row[0])).collect();
    assert!(edges.windows(2).all(|pair| pair[0] > pair[1]), "each cohort ends one age earlier: {edges:?}");
    assert!(printed(&drawing).contains(&"空白：尚未发生".to_owned()));
    // Its last two are missing. The younger cohort has reached the first of them, none the second.
    for age in [3, 4] {
        spec.series[age].values[1] = None;
    }
    assert_eq!(drawn(&spec).table.rows[1], ["2025年8月", "100%", "93%", "–", "–", "", ""]);
}

#[test]
fn zeros_for_the_future_are_refused() {
    let mut padded = triangle(6);
    for series in &mut padded.series {
        series.values.iter_mut().for_each(|value| *value = Some(value.unwrap_or(0.0)));
    }
    refused(&padded, "`2025年12月` ends in 5 zeros");
    // A cohort that has really come to nothing is no such triangle.
    let mut ended = triangle(6);
    ended.series[5].values[0] = Some(0.0);
    ended.series[4].values[0] = Some(0.0);
    assert_eq!(drawn(&ended).table.rows[0][5..], ["0%", "0%"]);
    let mut many = triangle(40);
    drawn(&many);
    many.series.push(many.series[39].clone());
    assert_eq!(refusal(&many), "chart kind `triangle` shows at most 40 ages, found 41");
}

#[test]
fn scatter_names_outliers_only() {
    let drawing = drawn(&scatter_of_branches());
    let names: Vec<String> = printed(&drawing).into_iter().filter(|text| text.ends_with("分行")).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    assert!(names.contains(&"北京分行".to_owned()), "the largest: {names:?}");
    assert!(names.contains(&"苏州分行".to_owned()), "far below the line of all: {names:?}");
    assert!(drawing.desc.contains("离群点："), "{}", drawing.desc);
    assert_eq!(circles(&drawing.svg).len(), 28);
    assert_eq!(drawing.marks.len(), 28);
    assert_eq!(drawing.marks.iter().filter(|mark| mark.href.is_some()).count(), 28);
    // Each axis has its own unit, and the title none.
    assert_eq!(drawing.table.headers, ["项目", "存款日均（亿元）", "客户贡献（万元）"]);
    assert_eq!(drawing.title, "各分行存款日均与客户贡献");
    let few = ChartSpec { categories: texts(&BRANCHES[..7]), links: Vec::new(), ..scatter_of_branches() };
    let few = ChartSpec {
        series: few.series.iter().map(|of| Series { values: of.values[..7].to_vec(), ..of.clone() }).collect(),
        ..few
    };
    let texts = printed(&drawn(&few));
    assert!(!texts.iter().any(|text| text.ends_with("分行")) && texts.contains(&"n = 7".to_owned()), "{texts:?}");
}

/// Points stand at their values: equal steps of the values are equal steps of the place.
#[test]
fn scatter_places_points_by_their_values() {
    let mut spec = scatter_of_branches();
    spec.categories = texts(&["a", "b", "c"]);
    spec.links.clear();
    spec.series[0].values = vec![Some(1e9), Some(2e9), Some(4e9)];
    spec.series[1].values = vec![Some(1e7), Some(2e7), Some(4e7)];
    let points = circles(&drawn(&spec).svg);
    let ratio = |a: f64, b: f64, c: f64| (c - b) / (b - a);
    assert!((ratio(points[0].0, points[1].0, points[2].0) - 2.0).abs() < 0.02, "{points:?}");
    assert!((ratio(points[0].1, points[1].1, points[2].1) - 2.0).abs() < 0.02, "{points:?}");
    assert!(points[0].1 > points[2].1, "more is higher");
}

#[test]
fn scatter_above_two_thousand_points_is_a_grid() {
    let points = drawn(&scatter_of_many(2000));
    assert_eq!(circles(&points.svg).len(), 2000);
    assert_eq!(points.table.rows.len(), 2000);
    assert!(points.marks.len() <= 10, "what is named can be pointed at, {}", points.marks.len());
    let grid = drawn(&scatter_of_many(2001));
    assert!(circles(&grid.svg).len() <= 10, "only outliers are points");
    assert!(grid.table.rows.len() <= 800, "a row per cell");
    let counts: u32 = grid.table.rows.iter().map(|row| row[2].parse::<u32>().expect("a count")).sum();
    assert_eq!(counts, 2001, "no point is lost");
    assert_eq!(grid.table.headers[2], "点数");
    assert!(printed(&grid).contains(&"每格点数".to_owned()));
    // The densest cell is the strongest: its shade stands over the highest count.
    let (most, least) = (
        grid.marks.iter().max_by_key(|mark| count_in(&mark.label)).expect("cells"),
        grid.marks
            .iter()
            .filter(|mark| mark.label.ends_with("个点"))
            .min_by_key(|mark| count_in(&mark.label))
            .expect("cells"),
    );
    let shade = |mark: &crate::chart::Mark| {
        let (x, y) = (mark.area.x + mark.area.w / 2.0, mark.area.y + mark.area.h / 2.0);
        filled(&grid.svg).into_iter().rfind(|f| f.left < x && x < f.right && f.top < y && y < f.bottom).map(|f| f.token)
    };
    assert_eq!((shade(most), shade(least)), (Some(Token::Ink), Some(Token::Shade1)));
}

fn count_in(label: &str) -> u32 {
    let number = label.rsplit('：').next().and_then(|tail| tail.split(' ').next()).unwrap_or_default();
    if label.ends_with("个点") { number.replace(',', "").parse().unwrap_or(0) } else { 0 }
}

#[test]
fn scatter_says_how_measures_move_together() {
    let note = |vertical: &dyn Fn(usize) -> f64| {
        let spec = ChartSpec {
            categories: (0..10).map(|row| row.to_string()).collect(),
            series: vec![
                series("x", Scenario::Actual, (0..10).map(|row| row as f64)),
                series("y", Scenario::Actual, (0..10).map(vertical)),
            ],
            ..ChartSpec::new("scatter", "s", Lang::En)
        };
        printed(&drawn(&spec)).into_iter().find(|text| text.starts_with("n = ")).unwrap_or_default()
    };
    assert_eq!(note(&|row| (row as f64).exp()), "n = 10, rank correlation 1.00", "of ranks, not of values");
    assert_eq!(note(&|row| -(row as f64)), "n = 10, rank correlation −1.00");
    assert_eq!(note(&|_| 5.0), "n = 10", "what does not vary has none");
    // Pairs of equal values share their mean rank.
    assert_eq!(note(&|row| (row / 2 % 3) as f64), "n = 10, rank correlation 0.21");
}

#[test]
fn scatters_are_refused() {
    let spec = scatter_of_branches();
    let one = ChartSpec { series: spec.series[..1].to_vec(), units: Vec::new(), ..spec.clone() };
    refused(&one, "needs two series, the horizontal measure and the vertical one; found 1");
    let mut apart = spec.clone();
    apart.series[0].values[..14].fill(None);
    apart.series[1].values[14..].fill(None);
    refused(&apart, "no point has both");
    let mut plan = spec;
    plan.series[1].scenario = Scenario::Plan;
    refused(&plan, "is not actual");
}

#[test]
fn funnel_bars_and_rates() {
    let drawing = drawn(&funnel());
    let mut bars: Vec<Filled> = filled(&drawing.svg).into_iter().filter(|bar| bar.token == Token::Ink).collect();
    bars.sort_by(|a, b| a.top.total_cmp(&b.top));
    assert_eq!(bars.len(), 6);
    let first = bars[0].right - bars[0].left;
    for (bar, value) in bars.iter().zip([18_420.0, 15_903.0, 11_287.0, 9_954.0, 7_012.0, 6_855.0]) {
        assert_eq!(bar.left, bars[0].left, "bars start at one edge");
        assert!(((bar.right - bar.left) / first - value / 18_420.0).abs() < 0.002, "{bar:?}");
    }
    assert_eq!(drawing.table.headers, ["项目", "申请", "环节转化率", "占首环节"]);
    assert_eq!(drawing.table.rows[0], ["提交申请", "18,420", "–", "100.0%"]);
    assert_eq!(drawing.table.rows[4], ["签约", "7,012", "70.4%", "38.1%"]);
    let bold: Vec<String> = elements(&drawing.svg)
        .iter()
        .filter(|(name, attributes, _)| name == "text" && attribute(attributes, "font-weight").is_some())
        .map(|(.., content)| content.clone())
        .collect();
    assert_eq!(
        bold,
        ["本年个人住房贷款申请（笔）", "70.4% 进入下一环节，流失 2,942"],
        "the step that loses most stands out"
    );
    assert!(drawing.desc.ends_with("通过终审到签约流失比例最高：70.4% 进入下一环节，流失 2,942。"), "{}", drawing.desc);
    assert_eq!(drawing.marks[1].label, "资料齐全：15,903，占首环节 86.3%");
    let mut end = funnel();
    end.series[0].values[4..].fill(Some(0.0));
    assert_eq!(drawn(&end).table.rows[5], ["放款", "0", "–", "0.0%"], "of nothing there is no rate");
}

#[test]
fn funnels_are_refused() {
    let with = |change: &dyn Fn(&mut ChartSpec)| {
        let mut spec = funnel();
        change(&mut spec);
        spec
    };
    refused(
        &with(&|spec| spec.series[0].values[2] = Some(16_000.0)),
        "stage `通过初审` has more cases than `资料齐全`",
    );
    refused(&with(&|spec| spec.series[0].values[3] = None), "stage `通过终审` has no value");
    refused(&with(&|spec| spec.series[0].values[5] = Some(-1.0)), "stage `放款` is negative");
    refused(&with(&|spec| spec.series[0].values.fill(Some(0.0))), "the first stage, `提交申请`, has no cases");
    refused(&with(&|spec| spec.unit = PERCENT), "computes the rates itself");
    refused(&with(&|spec| spec.series.push(spec.series[0].clone())), "at most 1 series, found 2");
    refused(&with(&|spec| spec.series[0].scenario = Scenario::Plan), "is not actual");
    refused(
        &with(&|spec| {
            spec.categories.truncate(1);
            spec.series[0].values.truncate(1);
        }),
        "at least two stages",
    );
    let mut time = over_time("funnel", 3);
    time.series = vec![series("x", Scenario::Actual, [3.0, 2.0, 1.0])];
    refused(&time, "stages are not periods");
}

/// The distance from the centre is the level, and axes go round clockwise from the top.
#[test]
fn radar_places_levels() {
    let mut spec = radar();
    spec.series = vec![series("现状", Scenario::Actual, [5.0, 1.0, 2.0, 1.0, 3.0, 1.0, 4.0, 1.0])];
    let drawing = drawn(&spec);
    let points: Vec<(f64, f64)> = circles(&drawing.svg).into_iter().map(|(x, y, _)| (x, y)).collect();
    assert_eq!(points.len(), 8);
    let centre = (points[0].0, (points[0].1 + points[4].1 * 5.0 / 3.0) / (1.0 + 5.0 / 3.0));
    let radius = centre.1 - points[0].1;
    assert!((points[2].0 - centre.0 - radius * 0.4).abs() < 0.5, "the third axis of eight points to the right");
    assert!((centre.0 - points[6].0 - radius * 0.8).abs() < 0.5, "the seventh to the left");
    for (point, level) in points.iter().zip([5.0, 1.0, 2.0, 1.0, 3.0, 1.0, 4.0, 1.0]) {
        let length = (point.0 - centre.0).hypot(point.1 - centre.1);
        assert!((length - radius * level / 5.0).abs() < 0.5, "level {level}: {length} of {radius}");
    }
    let both = drawn(&radar());
    assert!(both.desc.contains("与目标差距最大：分析与模型，现状 2.1，目标 4.0"), "{}", both.desc);
    assert!(printed(&both).contains(&"2.1 / 4.0".to_owned()));
    assert_eq!(both.marks.len(), 8);
    assert_eq!(both.table.rows[3], ["分析与模型", "2.1", "4.0", "−1.9"]);
}

#[test]
fn radars_of_anything_else_are_refused() {
    let with = |change: &dyn Fn(&mut ChartSpec)| {
        let mut spec = radar();
        change(&mut spec);
        spec
    };
    let nine = with(&|spec| {
        spec.categories.push("第九项".to_owned());
        spec.series.iter_mut().for_each(|series| series.values.push(Some(3.0)));
    });
    assert_eq!(refusal(&nine), "chart kind `radar` shows at most 8 axes, found 9");
    refused(&with(&|spec| spec.series[0].values[1] = Some(-0.5)), "from 0 to 5 only; `组织与流程` has -0.5 in `现状`");
    refused(&with(&|spec| spec.series[1].values[0] = Some(5.1)), "from 0 to 5 only; `客户战略` has 5.1 in `目标`");
    refused(&with(&|spec| spec.unit = money()), "levels of maturity only");
    refused(&with(&|spec| spec.unit = NumberUnit::plain(Quantity::Count)), "levels of maturity only");
    refused(&with(&|spec| spec.series[0].values[7] = None), "`系统与安全` has no level in `现状`");
    refused(&with(&|spec| spec.series[1].scenario = Scenario::Prior), "one `actual` series");
    refused(&with(&|spec| spec.series.push(spec.series[0].clone())), "one `actual` series");
    let two = with(&|spec| {
        spec.categories.truncate(2);
        spec.series.iter_mut().for_each(|series| series.values.truncate(2));
    });
    refused(&two, "at least three axes");
    let mut time = over_time("radar", 4);
    time.series = vec![series("x", Scenario::Actual, [1.0, 2.0, 3.0, 4.0])];
    refused(&time, "no periods");
}

fn box_of(values: &[f64]) -> ChartSpec {
    ChartSpec {
        categories: vec!["g".to_owned(); values.len()],
        series: vec![series("x", Scenario::Actual, values.iter().copied())],
        unit: NumberUnit::plain(Quantity::Number).with_decimals(2),
        ..ChartSpec::new("box", "b", Lang::En)
    }
}

#[test]
fn boxes_hold_the_quartiles() {
    // percentile_cont(0.25) of 1, 2, 3, 4, 10 is 2, of 1, 2, 3, 4 it is 1.75.
    let drawing = drawn(&box_of(&[4.0, 1.0, 10.0, 2.0, 3.0]));
    assert_eq!(drawing.table.headers, ["Item", "n", "Lowest", "Lower quartile", "Median", "Upper quartile", "Highest"]);
    assert_eq!(drawing.table.rows, [["g", "5", "1.00", "2.00", "3.00", "4.00", "10.00"]]);
    let shape: Vec<Filled> = filled(&drawing.svg).into_iter().filter(|found| found.token == Token::Shade2).collect();
    let points = circles(&drawing.svg);
    assert_eq!((shape.len(), points.len()), (1, 1), "10 lies beyond 4 + 1.5 × 2");
    let unit = (shape[0].right - shape[0].left) / 2.0;
    assert!((points[0].0 - shape[0].left - 8.0 * unit).abs() < 1.0, "one scale: {shape:?} {points:?}");
    assert!(drawing.desc.contains("Highest median: g 3.00 (n 5, quartiles 2.00 and 4.00)."), "{}", drawing.desc);
    let even = drawn(&box_of(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    assert_eq!(even.table.rows[0][3..6], ["2.25", "3.50", "4.75"]);
    // Of four values there is no box, only the values.
    let few = drawn(&box_of(&[1.0, 2.0, 3.0, 4.0]));
    assert!(filled(&few.svg).iter().all(|found| found.token != Token::Shade2));
    assert_eq!(circles(&few.svg).len(), 4);
    assert_eq!(few.table.rows[0], ["g", "4", "1.00", "–", "2.50", "–", "4.00"]);
}

#[test]
fn boxes_stand_per_group() {
    let drawing = drawn(&ChartSpec { width: 1120, ..box_of_values() });
    let groups: Vec<&str> = drawing.table.rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(groups, ["华北", "华东", "华南", "西部", "东北"]);
    let counts: u32 = drawing.table.rows.iter().map(|row| row[1].parse::<u32>().expect("a count")).sum();
    assert_eq!(counts as usize, box_of_values().categories.len());
    assert_eq!(drawing.marks.len(), 5);
    assert!(drawing.desc.contains("共 5 项，从华北到东北"), "groups and not observations: {}", drawing.desc);
    let texts = printed(&drawing);
    for row in &drawing.table.rows[..4] {
        for figure in [&row[1], &row[3], &row[4], &row[5]] {
            assert!(texts.contains(figure), "{figure} of {row:?} is printed");
        }
    }
    let narrow = printed(&drawn(&ChartSpec { width: 420, ..box_of_values() }));
    let row = &drawing.table.rows[1];
    let line = format!("n {}，中位数 {}（{} 至 {}）", row[1], row[4], row[3], row[5]);
    assert!(narrow.contains(&line), "{line} in {narrow:?}");
}

#[test]
fn boxes_of_summaries() {
    let drawing = drawn(&box_of_summaries());
    assert_eq!(drawing.table.rows[0][1], "1,200", "the count has its own unit");
    assert_eq!(drawing.table.rows.len(), 8);
    assert!(printed(&drawing).contains(&"须线从最低值到最高值".to_owned()));
    let with = |change: &dyn Fn(&mut ChartSpec)| {
        let mut spec = box_of_summaries();
        change(&mut spec);
        spec
    };
    refused(&with(&|spec| spec.series[3].values[2] = Some(0.1)), "`深圳分行`: lowest, lower quartile, median");
    refused(&with(&|spec| spec.series[0].values[1] = Some(0.5)), "`上海分行`: the first series is the number");
    refused(&with(&|spec| spec.series[4].values[0] = None), "`北京分行` lacks some");
    refused(
        &with(&|spec| {
            spec.series.truncate(3);
            spec.units.clear();
        }),
        "needs one series of observations, or six",
    );
    let mut time = over_time("box", 3);
    time.series = vec![series("x", Scenario::Actual, [1.0, 2.0, 3.0])];
    refused(&time, "as a `line`");
    let groups: Vec<f64> = (0..41).map(f64::from).collect();
    let many = ChartSpec { categories: groups.iter().map(f64::to_string).collect(), ..box_of(&groups) };
    assert_eq!(refusal(&many), "chart kind `box` shows at most 40 groups, found 41");
}

#[test]
fn bullets_show_value_plan_and_bands() {
    let drawing = drawn(&ChartSpec { width: 1120, ..bullet() });
    // The bands of the first row end at 90, 95 and 100 of 100; the value is 96.2, the plan 95.
    let row = drawing.marks[0].area;
    let mut of: Vec<Filled> =
        filled(&drawing.svg).into_iter().filter(|found| found.top >= row.y && found.bottom <= row.bottom()).collect();
    of.sort_by(|a, b| a.right.total_cmp(&b.right));
    let left = of.iter().map(|found| found.left).fold(f64::MAX, f64::min);
    let right = of.iter().map(|found| found.right).fold(0.0, f64::max);
    let ends = |token: Token| -> Vec<f64> {
        of.iter().filter(|found| found.token == token).map(|found| (found.right - left) / (right - left)).collect()
    };
    let close = |found: Vec<f64>, expected: &[f64]| {
        assert_eq!(found.len(), expected.len(), "{of:?}");
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.003), "{found:?} {expected:?}");
    };
    close(ends(Token::Shade3), &[0.90]);
    close(ends(Token::Shade2), &[0.95]);
    close(ends(Token::Shade1), &[1.0]);
    close(ends(Token::Ink), &[0.9515, 0.962]);
    assert_eq!(drawing.marks[0].label, "北京分行：按时办结率 96.2%、目标 95.0%，处于达标区间");
    assert!(drawing.marks[5].label.ends_with("处于不达标区间"), "{}", drawing.marks[5].label);
    assert_eq!(drawing.table.headers[3..], ["较目标", "不达标（上限）", "关注（上限）", "达标（上限）"]);
    let texts = printed(&drawing);
    assert!(texts.contains(&"+1.2".to_owned()) && texts.contains(&"较目标（百分点）".to_owned()), "points, no percent");
    // Where less is better the highest band is the worst.
    let down = drawn(&ChartSpec { width: 1120, good: Good::Down, ..bullet() });
    let strongest = |drawing: &Drawing| {
        let bands = filled(&drawing.svg)
            .into_iter()
            .filter(|found| found.token == Token::Shade3 && found.bottom - found.top > 15.0);
        bands.map(|found| found.right - found.left).fold(0.0, f64::max)
    };
    assert!(strongest(&down) < strongest(&drawing) / 10.0);
    let money = drawn(&bullet_of_money());
    assert_eq!(money.table.rows[0][3], "+4.4");
    assert!(printed(&money).contains(&"+2.7%".to_owned()));
}

#[test]
fn bullets_are_refused() {
    let with = |change: &dyn Fn(&mut ChartSpec)| {
        let mut spec = bullet();
        change(&mut spec);
        spec
    };
    refused(&with(&|spec| spec.bands.push(spec.bands[2].clone())), "at most 3 bands, found 4");
    refused(&with(&|spec| spec.bands[1].values[3] = Some(0.8)), "`广州分行`: the limits of its bands must ascend");
    refused(&with(&|spec| spec.bands[1].values[3] = None), "`广州分行` has limits for some");
    refused(&with(&|spec| spec.series[0].values[0] = Some(-0.1)), "`按时办结率` has negative values");
    refused(&with(&|spec| spec.series[1].scenario = Scenario::Forecast), "one `actual` series");
    refused(
        &with(&|spec| {
            spec.series.truncate(1);
            spec.bands.clear();
        }),
        "needs a plan or bands",
    );
    let mut time = over_time("bullet", 3);
    time.series = vec![series("x", Scenario::Actual, [1.0; 3]), series("y", Scenario::Plan, [1.0; 3])];
    refused(&time, "use `bar` with a plan");
}

#[test]
fn areas_stack_up_to_the_total() {
    let drawing = drawn(&ChartSpec { width: 1120, ..area_of_parts() });
    let parts = polygons(&drawing.svg);
    assert_eq!(parts.iter().map(|(token, _)| *token).collect::<Vec<_>>(), theme::CATEGORIES, "first part on the axis");
    // Upper edges of all parts at the last period, from the axis up: the running totals.
    let spec = area_of_parts();
    let axis = parts[0].1.iter().map(|(_, y)| *y).fold(0.0, f64::max);
    let heights: Vec<f64> = parts.iter().map(|(_, points)| axis - points[35].1).collect();
    let values: Vec<f64> = spec.series.iter().filter_map(|series| series.values[35]).collect();
    let total: f64 = values.iter().sum();
    let mut sum = 0.0;
    for (height, value) in heights.iter().zip(&values) {
        sum += value;
        assert!((height / heights[4] - sum / total).abs() < 0.005, "{heights:?}");
    }
    assert_eq!(drawing.table.headers.last().map(String::as_str), Some("合计"));
    assert_eq!(drawing.table.rows[35][6], "1,356.7");
    assert!(printed(&drawing).contains(&"2025年12月：合计 1,356.7".to_owned()));
}

#[test]
fn areas_keep_their_gaps() {
    let drawing = drawn(&area_of_one());
    assert_eq!(polygons(&drawing.svg).len(), 2, "before and after the gap");
    assert_eq!(circles(&drawing.svg).len(), 1, "the last value");
    let mut gap = area_of_parts();
    gap.series[2].values[20] = None;
    let drawing = drawn(&gap);
    assert_eq!(polygons(&drawing.svg).len(), 10, "without a part there is no total");
    assert_eq!(drawing.table.rows[20][6], "–");
    assert_eq!(drawing.marks.len(), 36);
    let mut alone = area_of_one();
    alone.series[0].values.fill(None);
    alone.series[0].values[5] = Some(1e11);
    let points = polygons(&drawn(&alone).svg).remove(0).1;
    let width =
        points.iter().map(|(x, _)| *x).fold(0.0, f64::max) - points.iter().map(|(x, _)| *x).fold(f64::MAX, f64::min);
    assert!(width > 10.0, "a single period is as wide as its band: {width}");
}

#[test]
fn areas_are_refused() {
    let mut negative = area_of_parts();
    negative.series[1].values[0] = Some(-1.0);
    refused(&negative, "`定期存款` has negative values; use `line`");
    let mut structure = area_of_one();
    structure.time = None;
    refused(&structure, "use `stacked` or `bar`");
    let mut many = area_of_parts();
    many.series.push(many.series[0].clone());
    refused(&many, "at most 5 parts, found 6");
    let mut plan = area_of_parts();
    plan.series[4].scenario = Scenario::Plan;
    refused(&plan, "is not actual");
}

/// One value, equal values, extreme values, negative values where they are allowed.
#[test]
fn odd_data_of_these_kinds() {
    let sets = [
        vec![5.0],
        vec![0.0; 3],
        vec![1e90, 1.0, 0.5],
        vec![1e30, 1e-30, 3.0],
        vec![-5.0, -6.0, -7.0],
        vec![-1e30, 1e30, 0.0],
    ];
    for values in sets {
        let count = values.len();
        let negative = values.iter().any(|value| *value < 0.0);
        let all = || vec![series("x", Scenario::Actual, values.iter().copied())];
        let rows = |kind: &str| ChartSpec {
            categories: (0..count).map(|row| row.to_string()).collect(),
            series: all(),
            unit: NumberUnit::plain(Quantity::Number),
            ..ChartSpec::new(kind, "o", Lang::Zh)
        };
        for zero in [None, Some(0.0), Some(1e50)] {
            elements(&drawn(&ChartSpec { zero, ..rows("heatmap") }).svg);
            elements(&drawn(&ChartSpec { zero, ..rows("triangle") }).svg);
        }
        elements(&drawn(&rows("box")).svg);
        let pairs = ChartSpec { series: [all(), all()].concat(), ..rows("scatter") };
        elements(&drawn(&pairs).svg);
        let dense = ChartSpec {
            categories: vec!["x".to_owned(); count * 1000],
            series: vec![series("x", Scenario::Actual, values.repeat(1000)); 2],
            ..pairs
        };
        elements(&drawn(&dense).svg);
        if !negative {
            elements(&drawn(&ChartSpec { bands: all(), ..rows("bullet") }).svg);
            let mut area = over_time("area", i32::try_from(count).expect("few"));
            area.series = all();
            elements(&drawn(&area).svg);
        }
    }
    let mut falling = funnel();
    falling.series[0].values = [1e90, 1.0, 1e-30, 0.0, 0.0, 0.0].map(Some).to_vec();
    elements(&drawn(&falling).svg);
}
