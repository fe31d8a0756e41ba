//! The shipped files, held against the design and against the arithmetic; and every fault with its place.

use super::{Basis, Standing, maturity, phases, roi, scorecard};
use crate::analysis::finance::{self, Grade, Streams, Terms};
use crate::analysis::maturity as score;
use crate::analysis::outcome;
use crate::model::{Diagnostic, Label};

const MATURITY: &str = include_str!("../../assets/evaluation/maturity.yaml");
const PHASES: &str = include_str!("../../assets/evaluation/phases.yaml");
const ROI: &str = include_str!("../../assets/evaluation/roi.yaml");
const SCORECARD: &str = include_str!("../../assets/evaluation/scorecard.yaml");

/// A definition without fault.
#[track_caller]
fn sound<T>((definition, found): (Option<T>, Vec<Diagnostic>)) -> T {
    assert_eq!(texts(&found), [""; 0]);
    definition.unwrap()
}

fn texts(found: &[Diagnostic]) -> Vec<String> {
    found.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn faults<T>((_, found): (Option<T>, Vec<Diagnostic>), expected: &[&str]) {
    assert_eq!(texts(&found), expected);
}

#[track_caller]
fn near(got: f64, wanted: f64) {
    assert!((got - wanted).abs() < 1e-5, "{got}, expected {wanted}");
}

// ---- the shipped files

#[test]
fn the_shipped_maturity_model_has_eight_dimensions_of_five_items_with_five_levels() {
    let model = sound(maturity::parse("maturity.yaml", MATURITY));
    assert_eq!((model.key.as_str(), model.version, model.to_be_confirmed), ("crm_maturity", 1, true));
    assert_eq!(model.dimensions.len(), 8);
    for (index, dimension) in model.dimensions.iter().enumerate() {
        assert_eq!(dimension.code, format!("D{}", index + 1));
        let codes: Vec<&str> = dimension.items.iter().map(|item| item.code.as_str()).collect();
        assert_eq!(codes, (1..=5).map(|item| format!("D{}-{item}", index + 1)).collect::<Vec<_>>());
        assert!(dimension.items.iter().any(|item| item.is_key), "{}", dimension.code);
    }
    let described: Vec<&Label> = model.items().flat_map(|(_, item)| &item.levels).collect();
    assert_eq!(described.len(), 8 * 5 * 5);
    let mut words: Vec<&str> = described.iter().flat_map(|label| label.values()).map(String::as_str).collect();
    let count = words.len();
    words.sort_unstable();
    words.dedup();
    assert_eq!((count, words.len()), (400, 400), "a description stands twice");
    let names: Vec<&str> = model.levels.iter().map(|level| level.name["zh-CN"].as_str()).collect();
    assert_eq!(names, ["初始级", "可重复级", "已定义级", "已管理级", "优化级"]);
    // The marks ⚙ of the design.
    let measured: Vec<&str> =
        model.items().filter(|(_, item)| item.measure.is_some()).map(|(_, item)| item.code.as_str()).collect();
    assert_eq!(
        measured.join(" "),
        "D1-3 D2-5 D3-1 D3-2 D3-3 D3-5 D4-2 D4-3 D4-4 D4-5 D5-2 D5-3 D5-5 D6-1 D6-2 D6-3 D6-5 D7-1 D7-2 D7-3 D7-5 D8-1 \
         D8-2 D8-3 D8-4 D8-5"
    );
}

#[test]
fn the_arithmetic_takes_the_shipped_maturity_model() {
    let model = sound(maturity::parse("maturity.yaml", MATURITY));
    for (_, item) in model.items() {
        let Some(measure) = &item.measure else { continue };
        let [worst, .., best] = measure.thresholds;
        assert_eq!(score::threshold_score(&measure.thresholds, worst), Ok(0.0), "{}", item.code);
        assert_eq!(score::threshold_score(&measure.thresholds, best), Ok(5.0), "{}", item.code);
        assert_eq!(measure.rising, best > worst);
        assert!(measure.unit.as_str() != "percent" || best.max(worst) <= 1.0, "{}: shares are fractions", item.code);
    }
    let items: Vec<score::Item<'_>> = model
        .items()
        .map(|(dimension, item)| score::Item {
            dimension,
            weight: item.weight.value,
            key: item.is_key,
            measured: None,
            scores: &[3.0],
            not_applicable: false,
            evidence: true,
        })
        .collect();
    let weights: Vec<f64> = model.dimensions.iter().map(|dimension| dimension.weight.value).collect();
    let whole = score::score(&items, &weights).unwrap().whole.unwrap();
    assert_eq!((whole.index, whole.staged), (60.0, 3));
}

#[test]
fn the_shipped_templates_are_those_of_the_design() {
    let model = sound(maturity::parse("maturity.yaml", MATURITY));
    let file = sound(phases::parse("phases.yaml", PHASES));
    assert_eq!(texts(&phases::check(&file, &model)), [""; 0]);
    let counts: Vec<(&str, usize, Standing, bool)> = file
        .templates
        .iter()
        .map(|template| (template.key.as_str(), template.phases.len(), template.standing, template.to_be_confirmed))
        .collect();
    assert_eq!(
        counts,
        [
            ("three_stages", 3, Standing::Source, false),
            ("five_steps", 5, Standing::Source, false),
            ("five_strategic", 5, Standing::Published, true),
            ("five_asap", 5, Standing::Published, true),
            ("six_aim", 6, Standing::Published, true),
            ("six_selection", 6, Standing::Common, true),
            ("seven_steps", 7, Standing::Source, true),
            ("nine_example", 9, Standing::Composed, false),
        ]
    );
    let default = file.templates.iter().find(|template| template.is_default).unwrap();
    let names: Vec<&str> = default.phases.iter().map(|phase| phase.name["zh-CN"].as_str()).collect();
    assert_eq!(names, ["项目启动与团队组建", "需求调研与分析", "系统设计与开发", "系统测试与上线", "培训与推广"]);
    assert!(file.templates.iter().flat_map(|template| &template.phases).all(|phase| phase.gate.is_some()));
    let conditions = file.checklist.iter().filter(|factor| factor.kind == phases::FactorKind::Condition);
    let conditions: Vec<&str> = conditions.map(|factor| factor.name["zh-CN"].as_str()).collect();
    assert_eq!(conditions, ["全行的共同认知", "适应的组织结构", "先进的信息技术支持", "强大的管理力量"]);
}

#[test]
fn the_shipped_categories_and_grades_agree_with_the_arithmetic() {
    let model = sound(roi::parse("roi.yaml", ROI));
    assert_eq!(
        model.costs.iter().map(|cost| cost.code.as_str()).collect::<Vec<_>>().join(" "),
        "C1 C2 C3 C4 C5 C6 C7 C8"
    );
    let benefits: Vec<String> = model.benefits.iter().map(|benefit| benefit.code.clone() + &benefit.grade).collect();
    assert_eq!(benefits.join(" "), "B1B B2A B3C B4C B5C B6C B7C B8D B9B");
    assert_eq!(model.benefits[7].most_converted, Some(0.5));
    let haircuts: Vec<f64> = model.grades.iter().map(|grade| grade.haircut).collect();
    assert_eq!(haircuts, [Grade::A, Grade::B, Grade::C, Grade::D].map(Grade::haircut));
    assert_eq!(model.ramp, finance::RAMP);
    assert!(model.benefits.iter().all(|benefit| benefit.ramp == model.ramp));
}

#[test]
fn the_case_of_the_bank_of_montreal_says_what_the_arithmetic_says() {
    let model = sound(roi::parse("roi.yaml", ROI));
    let case = &model.cases[0];
    assert_eq!((case.key.as_str(), case.read_only, model.cases.len()), ("bank_of_montreal", true, 1));
    let given = case.facts.iter().filter(|fact| fact.basis == Basis::Given);
    let given: Vec<(&str, f64)> = given.map(|fact| (fact.key.as_str(), fact.value)).collect();
    assert_eq!(
        given,
        [
            ("data_volume", 380.0),
            ("roi", 1.0),
            ("time_to_roi", 24.0),
            ("cards_growth", 0.59),
            ("card_profit_growth", 1.29),
            ("market_share_gain", 60.0),
        ]
    );
    assert!(case.lines.iter().all(|line| line.basis == Basis::Illustrative));
    let fact = |key: &str| case.fact(key).unwrap().value;
    let growth = finance::growth_readings(fact("cards_growth"), fact("card_profit_growth")).unwrap();
    let [per_card, portfolio] = case.readings.as_slice() else { panic!("{:?}", case.readings) };
    assert_eq!((per_card.key.as_str(), portfolio.key.as_str()), ("profit_per_card", "portfolio_profit"));
    near(per_card.results[0].value, growth.per_unit_reading);
    near(portfolio.results[0].value, growth.portfolio_reading);
    for (reading, growth) in [(per_card, growth.per_unit_reading), (portfolio, fact("card_profit_growth"))] {
        let gain = finance::linear_rise_gain(fact("profit_before"), growth, fact("rise") / 12.0).unwrap();
        near(reading.results[1].value, gain);
        near(reading.results[2].value, finance::attribution_needed(gain, fact("cost"), fact("roi")).unwrap());
        let lines: Vec<&roi::Line> = case.lines_of(&reading.key).collect();
        let [cost, gain_line] = lines.as_slice() else { panic!("{lines:?}") };
        near(gain_line.likely.iter().sum(), gain);
        near(gain_line.share, reading.results[2].value);
        assert_eq!((cost.benefit, gain_line.benefit), (false, true));
        // At that share the undiscounted ROI is what the source says.
        let streams = Streams {
            benefits: gain_line.likely.iter().map(|flow| flow * gain_line.share).collect(),
            costs: cost.likely.clone(),
            ..Streams::default()
        };
        let terms = Terms {
            rate: case.terms.rate,
            finance_rate: case.terms.finance_rate,
            reinvest_rate: case.terms.reinvest_rate,
            mid_period: case.terms.mid_period,
            tax: case.terms.tax,
        };
        near(finance::appraise(&streams, &terms).unwrap().roi_undiscounted.unwrap(), fact("roi"));
    }
}

#[test]
fn the_shipped_scorecards_are_those_of_the_design() {
    let library = sound(scorecard::parse("scorecard.yaml", SCORECARD));
    let cards: Vec<(&str, Vec<usize>)> = library
        .scorecards
        .iter()
        .map(|card| (card.key.as_str(), card.perspectives.iter().map(|perspective| perspective.kpis.len()).collect()))
        .collect();
    assert_eq!(
        cards,
        [
            ("competitiveness", vec![9, 9, 8, 9]),
            ("customer_centric", vec![4, 4, 4, 2]),
            ("scorecard_2009", vec![5, 4, 4, 3]),
            ("balanced", vec![5, 4, 5, 4]),
        ]
    );
    let default = &library.scorecards[0];
    assert!(default.is_default);
    let factors: Vec<&str> = default.perspectives.iter().map(|factor| factor.name["zh-CN"].as_str()).collect();
    assert_eq!(factors, ["客户忠诚度", "商业价值", "运作风险", "运作成本"]);
    let lower: Vec<&str> = library
        .kpis
        .iter()
        .filter(|kpi| kpi.direction == scorecard::Direction::Lower)
        .map(|kpi| kpi.key.as_str())
        .collect();
    assert_eq!(
        lower,
        [
            "premium_churn_rate",
            "non_performing_ratio",
            "pass_migration_rate",
            "vintage_12",
            "access_breaches",
            "expected_loss_rate",
            "service_cost_per_customer",
            "cost_income_ratio",
            "handling_time",
            "cost_per_transaction",
        ]
    );
    assert_eq!(
        library.kpi("customers_per_manager").unwrap().direction,
        scorecard::Direction::Range { tolerance: 150.0 }
    );
    let weights: Vec<f64> = library.sources.iter().map(|source| source.weight.value).collect();
    assert_eq!(weights, outcome::SOURCE_WEIGHTS);
    assert!(library.kpis.iter().all(|kpi| kpi.yellow == outcome::YELLOW));
    assert_eq!(library.causes.len(), 6);
}

// ---- faults

const MODEL: &str = "\
model: m
version: 3
languages: [en]
name: {en: M}
origin: {en: O}
standing: own
nothing: {en: Nothing}
levels:
  - {name: {en: a}, description: {en: a}}
  - {name: {en: b}, description: {en: b}}
  - {name: {en: c}, description: {en: c}}
  - {name: {en: d}, description: {en: d}}
  - {name: {en: e}, description: {en: e}}
dimensions:
  - dimension: one
    code: D1
    name: {en: One}
    description: {en: About one}
    items:
      - item: first
        code: D1-1
        name: {en: First}
        question: {en: How?}
        weight: 2
        kind: measured
        measure:
          what: {en: Share}
          unit: percent
          direction: rising
          thresholds: [0, 0.2, 0.4, 0.6, 0.8, 1]
          statement: SELECT 1 AS value
        levels: [{en: a}, {en: b}, {en: c}, {en: d}, {en: e}]
      - item: second
        code: D1-2
        name: {en: Second}
        question: {en: How?}
        levels: [{en: a}, {en: b}, {en: c}, {en: d}, {en: e}]
";

fn model(text: &str) -> (Option<maturity::Model>, Vec<Diagnostic>) {
    maturity::parse("m.yaml", text)
}

#[test]
fn a_maturity_model_holds_what_is_written() {
    let model = sound(model(MODEL));
    assert_eq!((model.version, model.standing, model.to_be_confirmed), (3, Standing::Own, false));
    let (dimension, item) = model.items().next().unwrap();
    assert_eq!((dimension, item.key.as_str(), *item.weight, item.is_key), (0, "first", 2.0, false));
    let measure = item.measure.as_ref().unwrap();
    assert_eq!((measure.rising, measure.thresholds), (true, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]));
    assert_eq!(measure.statement.as_ref().map(|statement| statement.as_str()), Some("SELECT 1 AS value"));
    let second = model.item("second").unwrap();
    assert_eq!((*second.weight, second.text_version, second.measure.is_none()), (1.0, 1, true));
    assert_eq!(second.levels[4]["en"], "e");
    assert!(model.item("third").is_none());
}

#[test]
fn a_file_that_is_no_map_gives_nothing() {
    let (model, found) = model("- a\n");
    assert!(model.is_none());
    assert_eq!(texts(&found), ["m.yaml:1:1: the file must be a map, not a list"]);
}

#[test]
fn unknown_keys_and_absent_ones() {
    let text = MODEL.replace("nothing:", "nothng:").replace("standing: own", "standing: owned");
    faults(
        model(&text),
        &[
            "m.yaml:1:1: a maturity model needs the key `nothing`",
            "m.yaml:6:11: `standing` must be one of `source`, `published`, `common`, `composed`, `own`, not `owned`; did you \
             mean `own`?",
            "m.yaml:7:1: a maturity model has no key `nothng`; did you mean `nothing`?",
        ],
    );
}

#[test]
fn texts_lack_a_language_are_empty_or_stand_in_another_one() {
    let text = MODEL
        .replace("languages: [en]", "languages: [zh-CN, en]")
        .replace("{en: M}", "{en: M, zh-CN: \" \"}")
        .replace("{en: O}", "{en: O, zh-CN: O, fr: O}");
    let found = texts(&model(&text).1);
    assert_eq!(
        found[..3],
        [
            "m.yaml:4:22: `name` has an empty text in `zh-CN`",
            "m.yaml:5:27: `origin` has a text in `fr`, which `languages` does not name",
            "m.yaml:7:10: `nothing` has no text in `zh-CN`",
        ]
    );
    assert!(found.contains(&"m.yaml:27:17: `what` has no text in `zh-CN`".to_owned()), "{found:?}");
    assert!(found.contains(&"m.yaml:32:18: an entry of `levels` has no text in `zh-CN`".to_owned()), "{found:?}");
    // Those three, ten of the levels, two of the dimension, eight of the first item with its measure and seven of the second.
    assert_eq!(found.len(), 3 + 10 + 2 + 8 + 7);
}

#[test]
fn languages_are_named() {
    let (_, found) = model(&MODEL.replace("languages: [en]", "languages: []"));
    assert_eq!(texts(&found)[0], "m.yaml:3:1: `languages` names no language");
}

#[test]
fn a_model_needs_five_levels_everywhere() {
    let text = MODEL
        .replace("  - {name: {en: e}, description: {en: e}}\n", "")
        .replace("[{en: a}, {en: b}, {en: c}, {en: d}, {en: e}]", "[{en: a}, {en: b}]");
    faults(
        model(&text),
        &[
            "m.yaml:8:1: the model has 4 levels; it needs the levels 1 to 5",
            "m.yaml:31:9: item `first` describes 2 levels; it needs the levels 1 to 5",
            "m.yaml:36:9: item `second` describes 2 levels; it needs the levels 1 to 5",
        ],
    );
}

#[test]
fn keys_are_unique_and_weights_count() {
    let text = MODEL.replace("item: second", "item: first").replace("weight: 2", "weight: -2");
    faults(
        model(&text),
        &[
            "m.yaml:24:17: a weight must not be negative, not `-2`",
            "m.yaml:33:15: item `first` is declared twice, first on line 20",
        ],
    );
    let text = MODEL
        .replace("weight: 2", "weight: 0")
        .replace("code: D1-2", "code: D1-2\n        weight: 0")
        .replace("code: D1\n", "code: D1\n    weight: 0\n");
    faults(
        model(&text),
        &["m.yaml:14:1: the model: all weights are 0", "m.yaml:20:5: dimension `one`: all weights are 0"],
    );
    let second = MODEL.find("  - dimension: one").map(|at| MODEL[at..].to_owned()).unwrap();
    let second = second.replace("item: first", "item: third").replace("item: second", "item: fourth");
    faults(model(&format!("{MODEL}{second}")), &["m.yaml:38:16: dimension `one` is declared twice, first on line 15"]);
}

#[test]
fn nothing_to_score_is_a_fault() {
    let (before, _) = MODEL.split_once("dimensions:").unwrap();
    faults(model(&format!("{before}dimensions: []\n")), &["m.yaml:14:1: the model has no dimension"]);
    let (before, _) = MODEL.split_once("    items:").unwrap();
    faults(model(&format!("{before}    items: []\n")), &["m.yaml:19:5: dimension `one` has no item"]);
}

#[test]
fn thresholds_are_six_and_go_one_way() {
    let with = |thresholds: &str, direction: &str| {
        MODEL
            .replace("[0, 0.2, 0.4, 0.6, 0.8, 1]", thresholds)
            .replace("direction: rising", &format!("direction: {direction}"))
    };
    faults(
        model(&with("[0, 0.2]", "rising")),
        &["m.yaml:30:11: item `first` has 2 thresholds; it needs one for each of the scores 0 to 5"],
    );
    faults(
        model(&with("[0, 0.2, 0.2, 0.6, 0.5, 1]", "rising")),
        &[
            "m.yaml:30:32: thresholds of item `first` are rising: this one must be above `0.2`",
            "m.yaml:30:42: thresholds of item `first` are rising: this one must be above `0.6`",
        ],
    );
    faults(
        model(&with("[9, 8, 7, 6, 5, 5]", "falling")),
        &["m.yaml:30:39: thresholds of item `first` are falling: this one must be below `5`"],
    );
    faults(
        model(&with("[0, x, 2, 3, 4, 5]", "rising")),
        &["m.yaml:30:27: an entry of `thresholds` must be a decimal number, not `x`"],
    );
    assert_eq!(sound(model(&with("[9, 8, 7, 6, 5, 4]", "falling"))).items().count(), 2);
}

#[test]
fn a_measured_item_is_measured() {
    faults(
        model(&MODEL.replace("kind: measured", "kind: manual")),
        &["m.yaml:26:9: item `first` has a `measure`, so its `kind` must be `measured`"],
    );
    faults(
        model(&MODEL.replace("code: D1-2", "code: D1-2\n        kind: measured")),
        &["m.yaml:35:15: item `second` is measured, but has no `measure`"],
    );
}

const TEMPLATES: &str = "\
version: 1
languages: [en]
templates:
  - template: one
    name: {en: One}
    origin: {en: O}
    standing: own
    default: true
    phases:
      - phase: start
        name: {en: Start}
        purpose: {en: P}
        deliverables: [{deliverable: charter, name: {en: Charter}}]
        gate: {gate: go, name: {en: Go}, requires: {first: 2}}
      - phase: end
        name: {en: End}
        purpose: {en: P}
        to_be_confirmed: true
        deliverables: [{deliverable: report, name: {en: Report}}]
checklist:
  - factor: top
    kind: problem
    name: {en: Top}
    question: {en: How?}
    standing: own
    items: [second]
";

#[test]
fn templates_hold_what_is_written() {
    let file = sound(phases::parse("p.yaml", TEMPLATES));
    let [start, end] = file.templates[0].phases.as_slice() else { panic!("{file:?}") };
    let gate = start.gate.as_ref().unwrap();
    assert_eq!((gate.requires[0].0.as_str(), *gate.requires[0].1), ("first", 2));
    assert_eq!((end.to_be_confirmed, end.gate.is_none(), end.deliverables[0].key.as_str()), (true, true, "report"));
    assert_eq!(file.checklist[0].kind, phases::FactorKind::Problem);
    assert_eq!(texts(&phases::check(&file, &sound(model(MODEL)))), [""; 0]);
}

#[test]
fn gates_and_factors_name_items_of_the_model() {
    let text = TEMPLATES.replace("{first: 2}", "{frist: 2}").replace("[second]", "[third_one]");
    let file = sound(phases::parse("p.yaml", &text));
    assert_eq!(
        texts(&phases::check(&file, &sound(model(MODEL)))),
        [
            "p.yaml:14:53: gate `go`: the maturity model `m` has no item `frist`; did you mean `first`?",
            "p.yaml:26:13: factor `top`: the maturity model `m` has no item `third_one`",
        ]
    );
    faults(
        phases::parse("p.yaml", &TEMPLATES.replace("{first: 2}", "{first: 6}")),
        &["p.yaml:14:60: `first` must be a whole number from 1 to 5, not `6`"],
    );
}

#[test]
fn names_within_a_template_are_unique_and_nothing_is_empty() {
    let text = TEMPLATES
        .replace("phase: end", "phase: start")
        .replace("deliverable: report", "deliverable: charter")
        .replace("items: [second]", "items: [second]\n    weight: 0");
    faults(
        phases::parse("p.yaml", &text),
        &[
            "p.yaml:15:16: phase `start` is declared twice, first on line 10",
            "p.yaml:19:38: deliverable `charter` is declared twice, first on line 13",
            "p.yaml:20:1: the checklist: all weights are 0",
        ],
    );
    let text = TEMPLATES.replace("[{deliverable: report, name: {en: Report}}]", "[]");
    faults(phases::parse("p.yaml", &text), &["p.yaml:19:9: phase `end` has no deliverable"]);
    let (before, _) = TEMPLATES.split_once("    phases:").unwrap();
    faults(phases::parse("p.yaml", &format!("{before}    phases: []\n")), &["p.yaml:9:5: template `one` has no phase"]);
}

#[test]
fn one_template_is_the_default() {
    faults(
        phases::parse("p.yaml", &TEMPLATES.replace("default: true", "default: false")),
        &["p.yaml:3:1: no template is the default"],
    );
    let second = TEMPLATES.find("  - template: one").zip(TEMPLATES.find("checklist:"));
    let second = second.map(|(from, to)| &TEMPLATES[from..to]).unwrap();
    faults(
        phases::parse("p.yaml", &TEMPLATES.replace("checklist:", &format!("{second}checklist:"))),
        &[
            "p.yaml:20:15: template `one` is a second default beside `one`",
            "p.yaml:20:15: template `one` is declared twice, first on line 4",
        ],
    );
}

const CASES: &str = "\
version: 1
languages: [en]
name: {en: R}
origin: {en: O}
standing: own
grades:
  - {grade: A, name: {en: a}, haircut: 0}
  - {grade: B, name: {en: b}, haircut: 0.1}
  - {grade: C, name: {en: c}, haircut: 0.2}
  - {grade: D, name: {en: d}, haircut: 0.4}
costs:
  - {cost: licences, code: C1, name: {en: L}, examples: {en: x}, timing: {en: yearly}, risk: 0.1}
benefits:
  - {benefit: retention, code: B1, name: {en: R}, formula: {en: f}, evidence: {en: e}, grade: B, risk: 0.2, decay: 0.1}
cases:
  - case: ours
    name: {en: Ours}
    organisation: {en: Us}
    note: {en: N}
    currency: CNY
    start: 2026-01-01
    period: quarter
    periods: 3
    terms: {rates: real, rate: 0.02, finance_rate: 0.03, basis: given}
    facts: [{fact: a, name: {en: A}, value: -1.5, unit: percent, bound: above, basis: given}]
    readings:
      - {reading: low_one, name: {en: L}, assumes: {en: x}, arithmetic: 1 + 1, results: []}
    lines:
      - {line: pay, category: licences, name: {en: P}, basis: given, likely: [100, 10, 10], high: [120, 10, 10]}
      - line: keep
        category: retention
        name: {en: K}
        basis: illustrative
        reading: low_one
        share: 0.5
        fact: retention-2026
        form: pert
        low: [0, 40, 50]
        likely: [0, 60, 90]
";

fn cases(text: &str) -> (Option<roi::Model>, Vec<Diagnostic>) {
    roi::parse("r.yaml", text)
}

#[test]
fn a_case_holds_what_is_written_and_takes_the_rest_from_its_category() {
    let model = sound(cases(CASES));
    let case = &model.cases[0];
    assert_eq!((case.start, case.period, case.periods, case.read_only), (Some(20454), roi::Period::Quarter, 3, false));
    let terms = case.terms;
    assert_eq!((terms.real, terms.rate, terms.finance_rate, terms.reinvest_rate), (true, 0.02, 0.03, 0.02));
    assert_eq!((case.facts[0].value, case.facts[0].bound.as_deref()), (-1.5, Some("above")));
    let [pay, keep] = case.lines.as_slice() else { panic!("{case:?}") };
    assert_eq!((pay.benefit, *pay.risk, pay.grade.is_none(), pay.form), (false, 0.1, true, roi::Form::Triangular));
    assert_eq!((&pay.low[..], &pay.high[..]), (&[100.0, 10.0, 10.0][..], &[120.0, 10.0, 10.0][..]));
    assert_eq!((keep.benefit, *keep.risk, keep.share, keep.form), (true, 0.2, 0.5, roi::Form::Pert));
    assert_eq!(keep.grade.as_ref().map(|grade| grade.as_str()), Some("B"));
    assert_eq!((&keep.high[..], keep.fact.as_deref()), (&[0.0, 60.0, 90.0][..], Some("retention-2026")));
    assert_eq!((model.benefits[0].decay, &model.benefits[0].ramp[..]), (0.1, &[0.25, 0.6, 1.0][..]));
    assert_eq!(case.lines_of("another").count(), 1);
}

#[test]
fn flows_of_a_case_are_complete_and_ordered() {
    let text = CASES
        .replace("likely: [100, 10, 10], high: [120, 10, 10]", "likely: [100, 10], high: [90, 10, 10]")
        .replace("low: [0, 40, 50]", "low: [0, 70, 50]");
    faults(
        cases(&text),
        &[
            "r.yaml:29:70: line `pay`: `likely` has 2 values; the case has 3 periods",
            "r.yaml:29:96: line `pay`: `high` of period 0 is below `likely`, which is `100`",
            "r.yaml:38:18: line `keep`: `low` of period 1 is above `likely`, which is `60`",
        ],
    );
    let (before, _) = CASES.split_once("      - line: keep").unwrap();
    faults(cases(before), &["r.yaml:28:5: case `ours`, reading `low_one`, has no line of benefits"]);
    let text = CASES.replace("    lines:\n", "    lines: []\n    # ");
    let (before, _) = text.split_once("    # ").unwrap();
    let text = before.replace("    readings:\n", "").replace("      - {reading", "    # {reading");
    faults(
        cases(&text),
        &["r.yaml:27:5: case `ours` has no line of benefits", "r.yaml:27:5: case `ours` has no line of costs"],
    );
}

#[test]
fn lines_name_what_exists_and_costs_have_no_grade() {
    let text = CASES
        .replace("category: licences, name: {en: P}", "category: licences, name: {en: P}, grade: A")
        .replace("category: retention", "category: retenton")
        .replace("reading: low_one\n", "reading: low_on\n")
        .replace("line: keep", "line: pay");
    faults(
        cases(&text),
        &[
            "r.yaml:28:5: case `ours`, reading `low_one`, has no line of benefits",
            "r.yaml:29:56: line `pay` is a cost, so it can have no `grade`",
            "r.yaml:30:15: line `pay` is declared twice, first on line 29",
            "r.yaml:31:19: line `pay`: there is no category `retenton`; did you mean `retention`?",
            "r.yaml:34:18: case `ours` has no reading `low_on`; did you mean `low_one`?",
        ],
    );
}

#[test]
fn grades_rates_and_risks_have_their_limits() {
    let text = CASES
        .replace("  - {grade: C, name: {en: c}, haircut: 0.2}\n", "")
        .replace("haircut: 0.4", "haircut: 0.05")
        .replace("risk: 0.1}", "risk: -0.1}")
        .replace("category: licences,", "category: licences, risk: 0,")
        .replace("rate: 0.02", "rate: -1");
    faults(
        cases(&text),
        &[
            "r.yaml:6:1: there is no grade `C`",
            "r.yaml:9:13: grade `D` takes off less than `B`, which is better",
            "r.yaml:11:94: a risk must not be negative, not `-0.1`",
            "r.yaml:23:32: `rate` must be above -1, not `-1`",
        ],
    );
    let twice =
        CASES.replace("benefit: retention,", "benefit: licences,").replace("category: retention", "category: licences");
    assert_eq!(texts(&cases(&twice).1)[0], "r.yaml:14:15: category `licences` is declared twice, first on line 12");
    let text = CASES.replace("        share: 0.5\n", "        share: 0.5\n        risk: 1.5\n");
    faults(cases(&text), &["r.yaml:36:15: line `keep`: the risk of a benefit is at most 1, not `1.5`"]);
}

const LIBRARY: &str = "\
version: 1
languages: [en]
kpis:
  - kpi: kept
    name: {en: Kept}
    unit: percent
    direction: higher
    frequency: half_year
    formula: {en: f}
    owner: {en: o}
    methods: [M12]
    statement: SELECT 1 AS numerator, 2 AS denominator
    yellow: 0.8
    quality: 0.95
  - {kpi: load, name: {en: Load}, unit: customers, direction: range, tolerance: 50, frequency: month, formula: {en: f}, owner: {en: o}}
scorecards:
  - scorecard: ours
    name: {en: Ours}
    origin: {en: O}
    standing: own
    default: true
    perspectives:
      - {perspective: left, name: {en: L}, question: {en: q}, weight: 2, kpis: {kept: 3}}
      - {perspective: right, name: {en: R}, question: {en: q}, kpis: {load: 1}}
sources:
  - {source: survey, name: {en: S}, weight: 0.3}
causes:
  - {cause: people, name: {en: P}}
";

fn library(text: &str) -> (Option<scorecard::Library>, Vec<Diagnostic>) {
    scorecard::parse("s.yaml", text)
}

#[test]
fn a_library_holds_what_is_written() {
    let library = sound(library(LIBRARY));
    let kept = library.kpi("kept").unwrap();
    assert_eq!((kept.frequency, kept.yellow, kept.quality), (scorecard::Frequency::HalfYear, 0.8, Some(0.95)));
    assert_eq!(kept.methods, ["M12"]);
    assert_eq!(library.kpi("load").unwrap().direction, scorecard::Direction::Range { tolerance: 50.0 });
    let left = &library.scorecards[0].perspectives[0];
    assert_eq!((*left.weight, left.kpis[0].0.as_str(), *left.kpis[0].1), (2.0, "kept", 3.0));
    assert_eq!((*library.sources[0].weight, library.causes[0].key.as_str()), (0.3, "people"));
}

#[test]
fn a_tolerance_goes_with_a_range() {
    let text =
        LIBRARY.replace("direction: higher", "direction: lower\n    tolerance: 1").replace(", tolerance: 50", "");
    faults(
        library(&text),
        &[
            "s.yaml:8:5: KPI `kept` has a `tolerance`, which is for ranges only",
            "s.yaml:16:63: KPI `load` is best within a range, so it needs a `tolerance`",
        ],
    );
    faults(
        library(&LIBRARY.replace("tolerance: 50", "tolerance: -50")),
        &["s.yaml:15:81: a tolerance must not be negative, not `-50`"],
    );
}

#[test]
fn scorecards_name_kpis_once_with_weights_that_count() {
    let text = LIBRARY
        .replace("kpis: {kept: 3}", "kpis: {kept: 0}")
        .replace("kpis: {load: 1}", "kpis: {kept: -1, laod: 1}")
        .replace("weight: 0.3", "weight: 0")
        .replace(
            "  - {cause: people, name: {en: P}}",
            "  - {cause: people, name: {en: P}}\n  - {cause: people, name: {en: P}}",
        );
    faults(
        library(&text),
        &[
            "s.yaml:23:74: perspective `left`: all weights are 0",
            "s.yaml:24:71: scorecard `ours` counts the KPI `kept` twice, first on line 23",
            "s.yaml:24:77: a weight must not be negative, not `-1`",
            "s.yaml:24:81: scorecard `ours`, perspective `right`: there is no KPI `laod`; did you mean `load`?",
            "s.yaml:25:1: the sources: all weights are 0",
            "s.yaml:29:13: cause `people` is declared twice, first on line 28",
        ],
    );
    let text = LIBRARY
        .replace("kpis: {kept: 3}", "kpis: {}")
        .replace("default: true", "default: false")
        .replace("perspective: right", "perspective: left")
        .replace("kpi: load", "kpi: kept");
    faults(
        library(&text),
        &[
            "s.yaml:15:11: KPI `kept` is declared twice, first on line 4",
            "s.yaml:16:1: no scorecard is the default",
            "s.yaml:23:74: perspective `left` has no KPI",
            "s.yaml:24:23: perspective `left` is declared twice, first on line 23",
            "s.yaml:24:70: scorecard `ours`, perspective `left`: there is no KPI `load`",
        ],
    );
    let (before, _) = LIBRARY.split_once("    perspectives:").unwrap();
    faults(library(&format!("{before}    perspectives: []\n")), &["s.yaml:22:5: scorecard `ours` has no perspective"]);
}
