use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use super::*;
use crate::analysis::finance::growth_readings;
use crate::assets::EVALUATION;
use crate::auth::Scope;
use crate::evaluation::View;
use crate::locale::{Lang, message};
use crate::model::evaluation::{Definitions, roi};

fn definitions() -> Arc<Definitions> {
    static READ: OnceLock<Arc<Definitions>> = OnceLock::new();
    let read = READ.get_or_init(|| {
        let text = |name: &str| {
            let text = EVALUATION.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text);
            (name.to_owned(), text.to_owned())
        };
        let (read, faults) = Definitions::read(text);
        Arc::new(read.unwrap_or_else(|| panic!("{faults:?}")))
    });
    Arc::clone(read)
}

#[track_caller]
fn assert_near(got: f64, wanted: f64, tolerance: f64) {
    assert!((got - wanted).abs() <= tolerance, "{got}, expected {wanted} ± {tolerance}");
}

/// 100 at the start, 160 in each of two years, of which half is due to the programme.
fn small() -> Value {
    json!({
        "name": "Small",
        "organisation": "north",
        "currency": "CNY",
        "start": "2026-01-01",
        "period": "year",
        "periods": 3,
        "terms": {"rate": 0.1},
        "lines": [
            {"line": "build", "category": "integration", "risk": 0.1, "likely": [100, 0, 0]},
            {"line": "stay", "category": "retention", "risk": 0.2, "grade": "B", "share": 0.5, "fact": "retention/uplift",
             "likely": [0, 160, 160]},
        ],
        "draws": 400,
    })
}

fn case(body: Value) -> Case {
    let mut case: Case = serde_json::from_value(body).unwrap();
    case.fill(&definitions().roi);
    case
}

fn figures(body: Value) -> CaseResult {
    appraise_case(&case(body), &definitions().roi).unwrap()
}

fn principal(name: &str, role: &str) -> Principal {
    Principal::new(name, std::iter::once(role.to_owned()).collect(), Scope::HeadOffice)
}

fn record(kind: &str, id: &str, version: u32, by: &str, body: Value) -> RecordRow {
    let recorded_at = "2026-03-01T08:00:00Z".parse().unwrap();
    let organisation = body["organisation"].as_str().unwrap_or_default().to_owned();
    let (kind, id, reason, recorded_by) = (kind.to_owned(), id.to_owned(), String::new(), by.to_owned());
    RecordRow { seq: i64::from(version), kind, id, version, organisation, body, reason, recorded_by, recorded_at }
}

fn view(rows: Vec<RecordRow>, by: &Principal) -> View {
    View::of(rows, definitions(), by, &[])
}

fn check(body: Value) -> Result<Checked, Refused> {
    let by = principal("li", ASSESSOR);
    let view = view(Vec::new(), &by);
    CaseKind.check(&Draft { id: "small", before: None, by: &by, view: &view }, body)
}

fn rules(body: Value) -> Vec<(String, &'static str)> {
    match check(body) {
        Err(Refused::Faults(faults)) => faults.into_iter().map(|fault| (fault.field, fault.rule)).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_small_case_by_hand() {
    let result = figures(small());
    // As entered: half of 160 in either year.
    let npv = -100.0 + 80.0 / 1.1 + 80.0 / 1.21;
    assert_near(result.entered.npv, npv, 1e-9);
    assert_near(result.entered.roi.value().unwrap(), npv / 100.0, 1e-12);
    assert_near(result.entered.roi_undiscounted.value().unwrap(), 0.6, 1e-12);
    assert_near(result.entered.payback.value().unwrap(), 1.25, 1e-12);
    // 80x² + 80x = 100 with x = 1/(1 + rate).
    assert_near(result.entered.irr.value().unwrap(), 160.0 / (38_400.0_f64.sqrt() - 80.0) - 1.0, 1e-9);
    // Adjusted: cost × 1.1, benefit × 0.8 × 0.85.
    let gain = 80.0 * 0.8 * 0.85;
    assert_near(result.adjusted.npv, -110.0 + gain / 1.1 + gain / 1.21, 1e-9);
    assert_eq!(result.adjusted.payback.reason(), Some("never_repaid"));
    let worth: Vec<f64> = result.lines.iter().map(|line| line.adjusted).collect();
    assert_near(worth.iter().sum::<f64>(), result.adjusted.npv, 1e-9);
    assert_near(worth[0], -110.0, 1e-12);
    // Without a spread the draws say the same as the figures.
    let simulated = result.simulation.unwrap();
    assert_near(simulated.npv.p50.value, result.adjusted.npv, 1e-9);
    assert_eq!((simulated.npv_positive.value, simulated.tornado.len()), (0.0, 2));
    // All benefits times this make up for the costs.
    let even = result.break_even.iter().find(|one| one.line.is_none() && one.benefit).unwrap();
    assert_near(even.factor.value().unwrap(), 110.0 / (gain / 1.1 + gain / 1.21), 1e-9);
    assert!(result.profile.windows(2).all(|pair| pair[0].entered > pair[1].entered));
    assert!(result.tracking.is_empty() && result.outlook.is_none());
}

#[test]
fn a_benefit_without_a_fact_is_declared_whatever_was_typed() {
    let mut body = small();
    body["lines"][1]["grade"] = json!("A");
    body["lines"][1]["fact"] = Value::Null;
    let case = case(body.clone());
    assert_eq!(case.lines[1].grade.as_deref(), Some("A"));
    assert_eq!(case.lines[1].counted_grade(), "D");
    assert!(case.claims(&definitions().roi).is_empty());
    let gain = 80.0 * 0.8 * 0.5;
    assert_near(figures(body).adjusted.pv_benefits, gain / 1.1 + gain / 1.21, 1e-9);
}

#[test]
fn what_is_not_said_is_the_categorys() {
    let mut body = small();
    body["lines"].as_array_mut().unwrap().push(json!({
        "line": "hours", "category": "staff_efficiency", "likely": [0, 10, 20],
    }));
    let case = case(body.clone());
    let hours = case.line("hours").unwrap();
    assert_eq!((hours.risk, hours.converted, hours.share), (Some(0.2), Some(0.5), Some(1.0)));
    // Half of the hours turn into money: 5 and 10 as entered.
    let more = figures(body).entered.pv_benefits - figures(small()).entered.pv_benefits;
    assert_near(more, 5.0 / 1.1 + 10.0 / 1.21, 1e-9);
    let build = spread(Category::find(&definitions().roi, "integration").unwrap(), 50.0, 1, 4).unwrap();
    assert_eq!(build, [0.0, 50.0, 50.0, 50.0]);
    let stay = spread(Category::find(&definitions().roi, "retention").unwrap(), 100.0, 1, 5).unwrap();
    assert_eq!(stay, [0.0, 25.0, 60.0, 100.0, 90.0]);
}

#[test]
fn claims_are_months_so_that_a_year_meets_a_month() {
    let checked = check(small()).unwrap();
    assert_eq!((checked.organisation.as_str(), checked.claims.len()), ("north", 24));
    assert_eq!(checked.claims[0], "retention/uplift:2026-01");
    assert_eq!(checked.claims[23], "retention/uplift:2027-12");
    let mut quarters = small();
    (quarters["period"], quarters["start"]) = (json!("quarter"), json!("2026-04-01"));
    quarters["lines"][1]["likely"] = json!([0, 0, 5]);
    assert_eq!(
        check(quarters.clone()).unwrap().claims,
        ["retention/uplift:2026-07", "retention/uplift:2026-08", "retention/uplift:2026-09"]
    );
    let quarters = case(quarters);
    assert_eq!([0, 1, 2].map(|no| quarters.period_label(no)), ["2026-04-01", "2026-q2", "2026-q3"]);
}

#[test]
fn a_fact_feeds_one_line_and_no_more_than_was_measured() {
    let mut body = small();
    let second = json!({"line": "again", "category": "cross_sell", "fact": "retention/uplift", "likely": [0, 0, 1]});
    body["lines"].as_array_mut().unwrap().push(second);
    assert_eq!(rules(body), [("lines.again.fact".to_owned(), "claimed")]);
    let mut body = small();
    body["lines"][1]["measured"] = json!([null, 79.99, null]);
    assert_eq!(rules(body), [("lines.stay.likely.1".to_owned(), "exceeds")]);
    let mut body = small();
    body["lines"][1]["measured"] = json!([null, 80, null]);
    assert!(check(body).is_ok());
}

#[test]
fn every_rule_names_its_field() {
    let broken = json!({
        "name": " ", "organisation": "north", "currency": "yuan", "start": "2026-01-02", "period": "year", "periods": 40,
        "terms": {"rate": -1.0, "reinvest_rate": 11.0, "tax": 1.2},
        "lines": [
            {"line": "Build", "category": "integration", "share": 0.5, "depreciation_years": 3, "likely": [1, -1]},
            {"line": "stay", "category": "retention", "risk": 1.5, "grade": "E", "converted": 0.5, "capital": true},
            {"line": "stay", "category": "staff_efficiency", "converted": 0.6, "statement": "SELECT 1"},
            {"line": "odd", "category": "nothing"},
        ],
        "correlations": [{"line": "stay", "other": "stay", "rank": 2.0}],
        "scenarios": [{"name": "base", "probability": 0.5, "benefits": 1.0, "costs": -1.0}],
        "draws": 5,
    });
    let found = rules(broken);
    let has = |field: &str, rule: &str| assert!(found.iter().any(|(at, is)| at == field && *is == rule), "{field}");
    for (field, rule) in [
        ("name", "required"),
        ("currency", "currency"),
        ("start", "month-start"),
        ("periods", "horizon"),
        ("terms.rate", "rate"),
        ("terms.reinvest_rate", "rate"),
        ("terms.tax", "share"),
        ("lines.Build.line", "id"),
        ("lines.Build.share", "not-here"),
        ("lines.Build.depreciation_years", "not-here"),
        ("lines.Build.likely", "length"),
        ("lines.Build.likely.1", "negative"),
        ("lines.stay.risk", "share"),
        ("lines.stay.grade", "unknown"),
        ("lines.stay.converted", "converted"),
        ("lines.stay.capital", "not-here"),
        ("lines.stay.line", "duplicate"),
        ("lines.stay.fact", "required"),
        ("lines.odd.category", "unknown"),
        ("correlations.0", "duplicate"),
        ("correlations.0.rank", "range"),
        ("scenarios.0.costs", "range"),
        ("scenarios", "sum"),
        ("draws", "range"),
    ] {
        has(field, rule);
    }
    let mut body = small();
    body["lines"][1]["low"] = json!([0, 170, 100]);
    body["lines"][1]["high"] = json!([0, 170, 100]);
    assert_eq!(rules(body), [("lines.stay.low.1".to_owned(), "order"), ("lines.stay.high.2".to_owned(), "order")]);
    assert!(matches!(check(json!({"name": "x", "colour": "red"})), Err(Refused::Error(_))));
}

#[test]
fn a_case_is_approved_with_its_own_result_by_somebody_else() {
    let body = check(small()).unwrap().body;
    let reviewer = principal("zhao", REVIEWER);
    let step = |rows: Vec<RecordRow>, by: &Principal, action: &str, reason: &str| {
        let view = view(rows, by);
        CaseKind.act(&Draft { id: "small", before: view.record(CASE, "small"), by, view: &view }, action, reason)
    };
    let case_row = || record(CASE, "small", 1, "li", body.clone());
    let result_of = |case: &Case| {
        let appraised = appraise_case(case, &definitions().roi).unwrap();
        let result = CaseResult { case_version: 1, digest: case.digest().unwrap(), ..appraised };
        record(RESULT, "small", 1, "li", serde_json::to_value(result).unwrap())
    };
    let this = case(body.clone());
    let not_computed = step(vec![case_row()], &reviewer, "approve", "");
    assert!(matches!(not_computed, Err(Refused::Faults(faults)) if faults[0].rule == "computed"));
    let other = Case { target_roi: 0.5, ..this.clone() };
    let stale = step(vec![case_row(), result_of(&other)], &reviewer, "approve", "");
    assert!(matches!(stale, Err(Refused::Faults(faults)) if faults[0].rule == "computed"));
    let rows = vec![case_row(), result_of(&this)];
    assert!(matches!(step(rows.clone(), &principal("wu", ASSESSOR), "approve", ""), Err(Refused::Error(_))));
    assert!(matches!(step(rows.clone(), &principal("li", REVIEWER), "approve", ""), Err(Refused::Error(_))));
    let approved = step(rows.clone(), &reviewer, "approve", "").unwrap();
    assert_eq!((&approved.body["status"], approved.claims.len()), (&json!("approved"), 24));

    // Then it is closed; a re-forecast begins with a reason.
    let closed = vec![record(CASE, "small", 2, "zhao", approved.body), result_of(&this)];
    let seen = view(closed.clone(), &reviewer);
    let draft = Draft { id: "small", before: seen.record(CASE, "small"), by: &reviewer, view: &seen };
    assert!(matches!(CaseKind.check(&draft, small()), Err(Refused::Closed(_))));
    assert!(matches!(step(closed.clone(), &reviewer, "approve", ""), Err(Refused::Closed(_))));
    assert!(matches!(step(closed.clone(), &reviewer, "reopen", " "), Err(Refused::Faults(_))));
    assert_eq!(step(closed.clone(), &reviewer, "reopen", "new prices").unwrap().body["status"], json!("draft"));
    assert!(matches!(step(closed, &reviewer, "sell", ""), Err(Refused::Faults(_))));
    // The organisation of a case does not change, and a shipped one cannot be taken.
    let mut moved = small();
    moved["organisation"] = json!("south");
    let seen = view(rows, &reviewer);
    let draft = Draft { id: "small", before: seen.record(CASE, "small"), by: &reviewer, view: &seen };
    assert!(matches!(CaseKind.check(&draft, moved), Err(Refused::Faults(faults)) if faults[0].rule == "fixed"));
    let shipped = definitions().roi.cases[0].key.value.clone();
    let draft = Draft { id: &shipped, before: None, by: &reviewer, view: &seen };
    assert!(matches!(CaseKind.check(&draft, small()), Err(Refused::Closed(_))));
}

#[test]
fn scenarios_taxes_and_what_came() {
    let mut body = small();
    body["terms"]["tax"] = json!(0.25);
    body["lines"][0]["capital"] = json!(true);
    body["lines"][0]["depreciation_years"] = json!(2);
    body["lines"][0]["high"] = json!([120, 0, 0]);
    body["lines"][1]["actual"] = json!([null, 100, null]);
    body["scenarios"] = json!([
        {"name": "bad", "probability": 0.25, "benefits": 0.5, "costs": 1.2},
        {"name": "base", "probability": 0.75, "benefits": 1.0, "costs": 1.0},
    ]);
    let result = figures(body);
    // (80 − 0)·0.75 + 50·0.25 in both years, 100 at the start.
    let net: Vec<f64> = result.entered.flows.iter().map(|flow| flow.net).collect();
    assert_eq!(net, [-100.0, 72.5, 72.5]);
    let npv = |benefit: f64, cost: f64| -cost + (benefit * 0.75 + cost * 0.125) * (1.0 / 1.1 + 1.0 / 1.21);
    let [bad, base] = result.scenarios.as_slice() else { panic!("{:?}", result.scenarios) };
    assert_near(bad.npv_entered, npv(40.0, 120.0), 1e-9);
    assert_near(base.npv_entered, result.entered.npv, 1e-9);
    let expected = 0.25 * npv(40.0, 120.0) + 0.75 * npv(80.0, 100.0);
    assert_near(result.expected_entered.value().unwrap(), expected, 1e-9);
    // 100 came where 160 were planned; half of either counts.
    assert_eq!((result.tracking[1].planned, result.tracking[1].actual, result.effect), (80.0, 50.0, Some(-30.0)));
    let outlook: Vec<f64> = result.outlook.unwrap().flows.iter().map(|flow| flow.benefits).collect();
    assert_eq!(outlook, [0.0, 50.0, 80.0]);
    // The tax that an outlay saves moves with it, in one bar, whose middle is the figure itself.
    let simulated = result.simulation.unwrap();
    assert_near(simulated.npv_likely, result.adjusted.npv, 1e-9);
    assert_eq!((simulated.tornado.len(), simulated.tornado[0].line.as_str()), (2, "build"));
    let bar = &simulated.tornado[0];
    assert!(bar.at_p10 > bar.at_p90 && simulated.npv.p10.value < simulated.npv.p90.value);
}

/// Documents that say the same.
fn assert_same(one: &serde_json::Value, two: &serde_json::Value) {
    match (one, two) {
        (serde_json::Value::Number(a), serde_json::Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            assert_near(a, b, 1e-12 * b.abs());
        }
        (serde_json::Value::Array(a), serde_json::Value::Array(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).for_each(|(a, b)| assert_same(a, b));
        }
        (serde_json::Value::Object(a), serde_json::Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()));
            a.iter().for_each(|(key, a)| assert_same(a, &b[key]));
        }
        _ => assert_eq!(one, two),
    }
}

#[test]
fn equal_starts_give_equal_results_and_documents_survive_their_form() {
    let mut body = small();
    body["lines"][1]["low"] = json!([0, 100, 90]);
    body["lines"][1]["high"] = json!([0, 200, 220]);
    body["seed"] = json!(7);
    let (one, two) = (figures(body.clone()), figures(body.clone()));
    assert_eq!(one, two);
    // Read back, a number may differ in its last bit.
    let text = serde_json::to_string(&one).unwrap();
    let read = serde_json::to_value(serde_json::from_str::<CaseResult>(&text).unwrap()).unwrap();
    assert_same(&read, &serde_json::to_value(&one).unwrap());
    body["seed"] = json!(8);
    assert_ne!(figures(body.clone()).simulation, one.simulation);
    let case = case(body);
    assert_eq!(serde_json::from_value::<Case>(serde_json::to_value(&case).unwrap()).unwrap(), case);
    let mut approved = case.clone();
    approved.status = Status::Approved;
    assert_eq!(approved.digest().unwrap(), case.digest().unwrap());
    let mut longer = case.clone();
    longer.resize(5);
    assert!(longer.lines.iter().all(|line| line.likely.len() == 5 && (line.low.is_empty() || line.low.len() == 5)));
}

/// `evaluation.md`, 3.3: the published figure read in two ways.
#[test]
fn the_shipped_case_hangs_on_attribution() {
    let definitions = definitions();
    let model = &definitions.roi;
    let shipped: &roi::Case = model.cases.iter().find(|case| *case.key == *"bank_of_montreal").unwrap();
    let fact = |key: &str| shipped.fact(key).unwrap().value;
    let growth = growth_readings(fact("cards_growth"), fact("card_profit_growth")).unwrap();
    assert_near(growth.per_unit_reading, 2.6411, 1e-9);
    assert_near(growth.portfolio_reading, 0.440_252, 1e-6);
    let found = readings(shipped, model).unwrap();
    let [per_card, portfolio] = found.as_slice() else { panic!("{found:?}") };
    assert_near(per_card.gain, 264.11, 1e-9);
    assert_near(per_card.attribution.value().unwrap(), 0.151_452, 1e-6);
    assert_near(portfolio.gain, 129.0, 1e-9);
    assert_near(portfolio.attribution.value().unwrap(), 0.310_078, 1e-6);
    for reading in [per_card, portfolio] {
        // With that share the return is 100 %, undiscounted and without a haircut.
        assert_near(reading.figures.roi_undiscounted.value().unwrap(), 1.0, 1e-5);
        assert_near(reading.figures.roi.value().unwrap(), 1.0, 1e-5);
        assert_eq!((reading.cost, reading.case.lines.len()), (20.0, 2));
    }
}

#[test]
fn tables_have_a_cell_for_each_column() {
    let by = principal("li", ASSESSOR);
    let mut body = small();
    body["lines"][0]["actual"] = json!([110, null, null]);
    body["scenarios"] = json!([{"name": "base", "probability": 1, "benefits": 1, "costs": 1}]);
    body["correlations"] = json!([{"line": "build", "other": "stay", "rank": -0.2}]);
    let this = case(check(body).unwrap().body);
    let appraised = appraise_case(&this, &definitions().roi).unwrap();
    let result = CaseResult { case_version: 1, digest: this.digest().unwrap(), ..appraised };
    let rows = vec![
        record(CASE, "small", 1, "li", serde_json::to_value(&this).unwrap()),
        record(RESULT, "small", 2, "li", serde_json::to_value(&result).unwrap()),
    ];
    let view = view(rows, &by);
    for table in TABLES {
        let rows = (table.rows)(&view);
        assert!(!rows.is_empty(), "{}", table.name);
        for row in &rows {
            assert_eq!(row.len(), table.columns.len(), "{}: {row:?}", table.name);
        }
        let batch = table.batch(&view).unwrap();
        assert_eq!(batch.num_rows(), rows.len());
        // What is not null is of its column's type.
        for (at, (name, _)) in table.columns.iter().enumerate() {
            let filled = rows.iter().filter(|row| row[at] != crate::evaluation::Cell::Null).count();
            assert_eq!(filled, batch.num_rows() - batch.column(at).null_count(), "{}.{name}", table.name);
        }
    }
    let result = TABLES.iter().find(|table| table.name == "roi_result").unwrap();
    // Two conventions, the outlook, four points of the draws; two readings of the shipped case.
    assert_eq!((result.rows)(&view).len(), 9);
}

#[test]
fn every_reason_and_every_state_has_its_words() {
    let reasons = crate::analysis::Reason::ALL.iter().map(|reason| reason.code());
    let reasons = reasons.chain(["too_little_data", "not_converged"]).map(|code| format!("reason-{code}"));
    let states = [Status::Draft, Status::Approved].map(|status| format!("roi-status-{}", status.as_str()));
    let periods = Period::ALL.map(|period| format!("roi-period-{}", period.as_str()));
    let forms = [Form::Triangular, Form::Pert].map(|form| format!("roi-form-{}", form.as_str()));
    let rates = ["none", "unique", "unique_positive", "multiple"].map(|status| format!("roi-irr-{status}"));
    let keys = reasons.chain(states).chain(periods).chain(forms).chain(rates);
    for key in keys {
        for lang in Lang::ALL {
            assert_ne!(message(lang, &key, &[]), key, "{lang}");
        }
    }
}
