use serde_json::{Value as Json, json};

use super::{
    ACTION, Action, ActionKind, ActionStatus, ISSUE, Issue, IssueKind, Ledger, Light, Pace, Period, TARGET, TargetKind,
    Targets, VALUE, ValueKind, Values,
};
use crate::auth::Principal;
use crate::evaluation::project::ProjectKind;
use crate::evaluation::record::Refused;
use crate::evaluation::table::Cell;
use crate::evaluation::tests::{Shelf, principal};
use crate::evaluation::{ASSESSOR, REVIEWER, TABLES};

fn reviewer() -> Principal {
    principal("rita", REVIEWER, "head_office")
}

fn assessor() -> Principal {
    principal("anna", ASSESSOR, "north")
}

/// Field and rule of each fault.
fn rules(refused: Result<(), Refused>) -> Vec<(String, &'static str)> {
    match refused {
        Err(Refused::Faults(faults)) => faults.into_iter().map(|fault| (fault.field, fault.rule)).collect(),
        other => panic!("{other:?}"),
    }
}

fn target(shelf: &mut Shelf, kpi: &str, organisation: &str, targets: Json) -> Result<(), Refused> {
    let body = json!({"kpi": kpi, "organisation": organisation, "targets": targets});
    shelf.put(&reviewer(), &TargetKind, &format!("{kpi}/{organisation}"), body)
}

fn value(shelf: &mut Shelf, kpi: &str, organisation: &str, values: Json) -> Result<(), Refused> {
    let body = json!({"kpi": kpi, "organisation": organisation, "values": values});
    shelf.put(&reviewer(), &ValueKind, &format!("{kpi}/{organisation}"), body)
}

/// Values of months that follow one another from January 2024 on.
fn months(values: &[f64]) -> Json {
    let one = |(value, number): (&f64, usize)| {
        (format!("{}-{:02}", 2024 + number / 12, number % 12 + 1), json!({"value": value}))
    };
    values.iter().zip(0..).map(one).collect::<serde_json::Map<String, Json>>().into()
}

fn rows(shelf: &Shelf, by: &Principal, name: &str) -> Vec<Vec<Cell>> {
    let table = TABLES.iter().copied().flatten().find(|table| table.name == name).unwrap();
    (table.rows)(&shelf.view(by))
}

#[test]
fn periods_are_years_quarters_and_months() {
    for text in ["2026", "2026-q1", "2026-q4", "2026-01", "2026-12"] {
        assert_eq!(Period::parse(text).unwrap().to_string(), text);
    }
    for text in
        ["", "26", "2026-", "2026-1", "2026-13", "2026-00", "2026-q0", "2026-q5", "2026-Q1", "2026-q", "2026-06-01"]
    {
        assert_eq!(Period::parse(text), None, "{text}");
    }
    let quarter = Period::parse("2024-q1").unwrap();
    assert_eq!((quarter.end().to_string().as_str(), quarter.days()), ("2024-03-31", 91));
    assert_eq!(quarter.last_month().to_string(), "2024-03");
    let around: Vec<String> = Period::parse("2025-11").unwrap().around().iter().map(Period::to_string).collect();
    assert_eq!(around, ["2025-11", "2025-q4", "2025"]);
    let year = Period::parse("2025").unwrap();
    assert_eq!(year.days_before("2025-03-01".parse().unwrap()), 59);
    assert_eq!(year.days_before("2024-03-01".parse().unwrap()), 0);
    assert_eq!(year.days_before("2027-03-01".parse().unwrap()), 365);
}

#[test]
fn targets_have_the_form_of_their_kpi() {
    let mut shelf = Shelf::new();
    target(&mut shelf, "nps", "north", json!({"2026": {"target": 40}, "2026-q1": {"target": 30}})).unwrap();
    let range = json!({"2026": {"low": 100, "high": 400, "tolerance": 50}});
    target(&mut shelf, "customers_per_manager", "north", range).unwrap();
    let mut refused = |kpi: &str, targets: Json| rules(target(&mut shelf, kpi, "north", targets));
    let of = |field: &str, rule| vec![(format!("targets.2026.{field}"), rule)];
    assert_eq!(refused("nps", json!({"2026": {}})), of("target", "required"));
    assert_eq!(refused("nps", json!({"2026": {"target": 1, "low": 0}})), of("low", "target_form"));
    assert_eq!(refused("customers_per_manager", json!({"2026": {"low": 2, "high": 1}})), of("high", "order"));
    assert_eq!(refused("customers_per_manager", json!({"2026": {"low": 2}})), of("high", "required"));
    assert_eq!(refused("nps", json!({"June": {"target": 1}})), [("targets.June".to_owned(), "period")]);
    assert_eq!(refused("npss", json!({})), [("kpi".to_owned(), "unknown")]);
    let body = json!({"kpi": "nps", "organisation": "south"});
    assert_eq!(rules(shelf.put(&reviewer(), &TargetKind, "nps/north", body)), [("id".to_owned(), "pair")]);
}

#[test]
fn values_say_where_they_come_from() {
    let mut shelf = Shelf::new();
    let entered = json!({"2025-q4": {"value": 31, "source": "satisfaction_survey"},
        "2025-q3": {"numerator": 6, "denominator": 20, "entered_by_hand": false, "snapshot": 7}});
    value(&mut shelf, "nps", "north", entered).unwrap();
    let stored: Values = shelf.view(&reviewer()).read(VALUE, "nps/north").unwrap();
    let third = &stored.values["2025-q3"];
    // Nobody enters a snapshot, and a ratio is reckoned.
    assert_eq!((third.value, third.snapshot, third.entered_by_hand), (Some(0.3), None, true));
    let mut refused = |values: Json| rules(value(&mut shelf, "nps", "north", values));
    let of = |field: &str, rule| vec![(format!("values.2025.{field}"), rule)];
    assert_eq!(refused(json!({"2025": {}})), of("value", "required"));
    assert_eq!(refused(json!({"2025": {"denominator": 2}})), of("numerator", "required"));
    assert_eq!(refused(json!({"2025": {"numerator": 1, "denominator": 0}})), of("denominator", "positive"));
    assert_eq!(refused(json!({"2025": {"value": 1, "source": "hearsay"}})), of("source", "unknown"));
}

#[test]
fn a_measured_value_is_not_entered_by_hand() {
    let mut shelf = Shelf::new();
    value(&mut shelf, "nps", "north", json!({"2025-01": {"value": 1}, "2025-02": {"value": 2}})).unwrap();
    // As a statement would have left it.
    shelf.rows[0].body["values"]["2025-01"] =
        json!({"value": 1.0, "numerator": 1.0, "snapshot": 3, "query_id": "q", "entered_by_hand": false});
    let changed = value(&mut shelf, "nps", "north", json!({"2025-01": {"value": 9}}));
    assert_eq!(rules(changed), [("values.2025-01".to_owned(), "by_statement")]);
    // What is left out stays where it was measured, and goes where it was entered.
    value(&mut shelf, "nps", "north", json!({"2025-03": {"value": 3}})).unwrap();
    let stored: Values = shelf.view(&reviewer()).read(VALUE, "nps/north").unwrap();
    assert_eq!(stored.values.keys().collect::<Vec<_>>(), ["2025-01", "2025-03"]);
    assert_eq!(stored.values["2025-01"].snapshot, Some(3));
}

#[test]
fn a_month_is_judged_by_the_target_around_it_unless_it_adds_up() {
    let mut shelf = Shelf::new();
    value(&mut shelf, "nps", "north", json!({"2025-q4": {"value": 36}})).unwrap();
    target(&mut shelf, "nps", "north", json!({"2025": {"target": 40}})).unwrap();
    value(&mut shelf, "contribution", "north", json!({"2025-10": {"value": 90}, "2025-11": {"value": 100}})).unwrap();
    target(&mut shelf, "contribution", "north", json!({"2025": {"target": 1200}, "2025-11": {"target": 100}})).unwrap();
    let view = shelf.view(&reviewer());
    let (ledger, library) = (Ledger::read(&view), &view.definitions.library);
    let judge = |kpi: &str, month: &str| {
        let judged = ledger.judge("north", library.kpi(kpi).unwrap(), Period::parse(month).unwrap())?;
        Some((judged.period.to_string(), judged.attainment, judged.light))
    };
    assert_eq!(judge("nps", "2025-11"), Some(("2025-q4".into(), Some(0.9), Some(Light::Yellow))));
    assert_eq!(judge("contribution", "2025-11"), Some(("2025-11".into(), Some(1.0), Some(Light::Green))));
    // A year's sum is no target of a month.
    assert_eq!(judge("contribution", "2025-10"), Some(("2025-10".into(), None, None)));
    assert_eq!(judge("nps", "2026-01"), None);
    let months: Vec<String> = ledger.months("north").iter().map(Period::to_string).collect();
    assert_eq!(months, ["2025-10", "2025-11", "2025-12"]);
}

#[test]
fn a_scorecard_prints_the_weight_that_it_covers() {
    let mut shelf = Shelf::new();
    for (kpi, reached) in [("nps", 30.0), ("csat", 0.8)] {
        value(&mut shelf, kpi, "north", json!({"2025-12": {"value": reached}})).unwrap();
    }
    target(&mut shelf, "nps", "north", json!({"2025-12": {"target": 40}})).unwrap();
    target(&mut shelf, "csat", "north", json!({"2025": {"target": 0.8}})).unwrap();
    let scores = rows(&shelf, &reviewer(), "scorecard_score");
    let of = |perspective: &Cell| {
        let row = scores.iter().find(|row| row[0] == Cell::text("competitiveness") && row[5] == *perspective).unwrap();
        row[6..].to_vec()
    };
    let near = |cell: &Cell, wanted: f64| matches!(cell, Cell::Number(found) if (found - wanted).abs() < 1e-12);
    // Two of nine KPIs of one perspective of four; 0.75 and 1 have the mean 0.875.
    let (loyalty, whole) = (of(&Cell::text("loyalty")), of(&Cell::Null));
    assert!(near(&loyalty[0], 0.875) && near(&loyalty[1], 2.0 / 9.0) && loyalty[2] == Cell::text("red"), "{loyalty:?}");
    assert!(near(&whole[0], 0.875) && near(&whole[1], 2.0 / 36.0), "{whole:?}");
    // What has no value at all has no row.
    assert!(!scores.iter().any(|row| row[5] == Cell::text("operating_risk")));
}

#[test]
fn progress_is_held_against_time_and_a_gap_is_no_nothing() {
    let mut shelf = Shelf::new();
    target(&mut shelf, "contribution", "north", json!({"2025": {"target": 1200}})).unwrap();
    value(&mut shelf, "contribution", "north", json!({"2025-01": {"value": 90}, "2025-02": {"value": 110}})).unwrap();
    let pace = |shelf: &Shelf| {
        let view = shelf.view(&reviewer());
        let pacings = Ledger::read(&view).pacings().iter().map(|one| (one.actual, one.progress)).collect::<Vec<_>>();
        pacings[0]
    };
    let (actual, progress) = pace(&shelf);
    let progress = progress.unwrap();
    assert_eq!((actual, progress.pace), (200.0, Pace::Level));
    assert!((progress.elapsed - 59.0 / 365.0).abs() < 1e-12);
    value(&mut shelf, "contribution", "north", json!({"2025-01": {"value": 90}, "2025-03": {"value": 110}})).unwrap();
    assert_eq!(pace(&shelf).1, Err("no_data"));
}

#[test]
fn a_go_live_is_told_with_its_certainty_or_without() {
    let mut shelf = Shelf::new();
    // 2024: 10; from January 2025 on 12, with a little noise.
    let noise = |n: usize| if n.is_multiple_of(2) { 0.1 } else { -0.1 };
    let north: Vec<f64> = (0..24).map(|n| if n < 12 { 10.0 } else { 12.0 } + noise(n)).collect();
    value(&mut shelf, "csat", "north", months(&north)).unwrap();
    value(&mut shelf, "csat", "south", months(&[10.0; 24])).unwrap();
    let project = json!({"name": "Go", "organisation": "north", "started": "2024-06-01", "go_live": "2025-01-10"});
    shelf.put(&reviewer(), &ProjectKind, "north", project).unwrap();
    let all = rows(&shelf, &reviewer(), "kpi_effect");
    let [row] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(row[4..6], [Cell::Integer(12), Cell::Integer(12)]);
    let number = |at: usize| if let Cell::Number(value) = row[at] { value } else { panic!("{at}: {row:?}") };
    assert!((number(6) - 10.0).abs() < 1e-9 && (number(7) - 12.0).abs() < 1e-9, "{row:?}");
    assert!(number(9) < number(8) && number(8) < number(10));
    assert_eq!((row[15].clone(), row[16].clone()), (Cell::Null, Cell::Integer(1)));
    assert!((number(17) - 2.0).abs() < 1e-9);
    // A branch has nobody to compare with.
    assert_eq!(rows(&shelf, &assessor(), "kpi_effect")[0][16..], [Cell::Null, Cell::Null]);
    // Five months after it say how it is, and no more.
    value(&mut shelf, "csat", "north", months(&north[..17])).unwrap();
    let all = rows(&shelf, &reviewer(), "kpi_effect");
    assert_eq!((all[0][9].clone(), all[0][15].clone()), (Cell::Null, Cell::text("too_little_data")));
}

fn issue(cause: &str) -> Json {
    json!({"title": "Late answers", "organisation": "north", "kpi": "complaints_in_time", "period": "2025-12",
        "path": ["Branch", "Queue"], "explained_share": 0.6, "cause": cause, "whys": ["a", "", "b"]})
}

fn action() -> Json {
    json!({"issue": "i1", "title": "More counters", "owner_role": "branch manager", "due": "2026-03-31"})
}

#[test]
fn nothing_closes_without_a_verification() {
    let mut shelf = Shelf::new();
    let (rita, anna) = (reviewer(), assessor());
    shelf.put(&anna, &IssueKind, "i1", issue("process")).unwrap();
    assert_eq!(rules(shelf.act(&rita, &IssueKind, "i1", "close", "")), [("actions".to_owned(), "no_verification")]);
    shelf.put(&anna, &ActionKind, "a1", action()).unwrap();
    shelf.put(&anna, &ActionKind, "a2", action()).unwrap();
    // What it changed is not known before it is done.
    let mut shown = action();
    shown["verification"] =
        json!({"method": "control_chart", "actual_change": 0.1, "text": "shift in March", "verified_by": "anna"});
    assert_eq!(rules(shelf.put(&anna, &ActionKind, "a1", shown.clone())), [("verification".to_owned(), "not_done")]);
    shelf.act(&anna, &ActionKind, "a1", "done", "").unwrap();
    assert_eq!(
        rules(shelf.act(&rita, &ActionKind, "a1", "verify", "seen")),
        [("verification".to_owned(), "no_verification")]
    );
    shelf.put(&anna, &ActionKind, "a1", shown).unwrap();
    assert!(matches!(shelf.act(&anna, &ActionKind, "a1", "verify", "seen"), Err(Refused::Error(_))));
    assert_eq!(rules(shelf.act(&rita, &ActionKind, "a1", "verify", " ")), [("reason".to_owned(), "required")]);
    shelf.act(&rita, &ActionKind, "a1", "verify", "chart of March").unwrap();
    let stored: Action = shelf.view(&rita).read(ACTION, "a1").unwrap();
    let by = stored.verification.and_then(|found| found.verified_by);
    assert_eq!((stored.status, by.as_deref()), (ActionStatus::Verified, Some("rita")));
    assert!(matches!(shelf.put(&anna, &ActionKind, "a1", action()), Err(Refused::Closed(_))));
    assert_eq!(rules(shelf.act(&rita, &IssueKind, "i1", "close", "")), [("actions.a2".to_owned(), "unverified")]);
    shelf.act(&rita, &ActionKind, "a2", "drop", "not needed").unwrap();
    shelf.act(&rita, &IssueKind, "i1", "close", "").unwrap();
    assert!(matches!(shelf.put(&anna, &IssueKind, "i1", issue("process")), Err(Refused::Closed(_))));
    // One that returns on the same path knows where it was.
    shelf.put(&anna, &IssueKind, "i2", issue("people")).unwrap();
    let stored: Issue = shelf.view(&anna).read(ISSUE, "i2").unwrap();
    assert_eq!((stored.previous.as_deref(), stored.whys), (Some("i1"), vec!["a".to_owned(), "b".to_owned()]));
    assert!(rows(&shelf, &principal("carl", ASSESSOR, "south"), "issue").is_empty());
}

#[test]
fn issues_and_actions_have_their_rules() {
    let mut shelf = Shelf::new();
    let anna = assessor();
    let mut refused = |body: Json| rules(shelf.put(&anna, &IssueKind, "i1", body));
    assert_eq!(refused(issue("weather")), [("cause".to_owned(), "unknown")]);
    for (field, wrong, rule) in [
        ("title", json!(" "), "required"),
        ("kpi", json!("nothing"), "unknown"),
        ("period", json!("soon"), "period"),
        ("explained_share", json!(1.5), "range"),
        ("whys", json!(["a", "b", "c", "d", "e", "f"]), "whys"),
        ("previous", json!("i9"), "unknown"),
    ] {
        let mut body = issue("people");
        body[field] = wrong;
        assert_eq!(refused(body), [(field.to_owned(), rule)]);
    }
    assert_eq!(rules(shelf.put(&anna, &ActionKind, "a1", action())), [("issue".to_owned(), "unknown")]);
}

#[test]
fn the_baseline_and_targets_stand_as_they_were_sent() {
    let mut shelf = Shelf::new();
    let body = json!({"kpi": "nps", "organisation": "north", "baseline": 20, "targets": {"2026": {"target": 40}}});
    shelf.put(&reviewer(), &TargetKind, "nps/north", body).unwrap();
    let stored: Targets = shelf.view(&assessor()).read(TARGET, "nps/north").unwrap();
    assert_eq!((stored.baseline, stored.targets["2026"].target), (Some(20.0), Some(40.0)));
}
