use serde_json::{Value as Json, json};

use super::{PROJECT, Phase, Project, ProjectKind, Status};
use crate::analysis::Reason;
use crate::auth::Principal;
use crate::catalog::RecordRow;
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

fn rules(refused: Result<(), Refused>) -> Vec<(String, &'static str)> {
    match refused {
        Err(Refused::Faults(faults)) => faults.into_iter().map(|fault| (fault.field, fault.rule)).collect(),
        other => panic!("{other:?}"),
    }
}

fn body(phases: Json) -> Json {
    json!({"name": "CRM", "organisation": "north", "started": "2025-01-01", "phases": phases})
}

/// A locked assessment of `north` with these items.
fn assessed(shelf: &mut Shelf, items: &[&str], score: f64) {
    let item = |key: &&str| {
        json!({"item": key, "dimension": "d", "text_version": 1, "weight": 1, "score": score, "disagreement": false,
            "capped": false, "assessors": [score]})
    };
    let items: Vec<Json> = items.iter().map(item).collect();
    let body = json!({"organisation": "north", "as_of": "2025-06-30", "manner": "self", "assessors": ["anna"],
        "status": "locked", "scores": {"dimensions": [], "items": items}});
    shelf.rows.push(RecordRow {
        seq: 99,
        kind: "assessment".to_owned(),
        id: "n1".to_owned(),
        version: 1,
        organisation: "north".to_owned(),
        body,
        reason: String::new(),
        recorded_by: "rita".to_owned(),
        recorded_at: jiff::Timestamp::UNIX_EPOCH,
    });
}

fn stored(shelf: &Shelf) -> Project {
    shelf.view(&reviewer()).read(PROJECT, "p1").unwrap()
}

#[test]
fn a_project_takes_its_phases_of_the_template_and_keeps_them() {
    let mut shelf = Shelf::new();
    shelf.put(&assessor(), &ProjectKind, "p1", body(json!([]))).unwrap();
    let first = stored(&shelf);
    assert_eq!((first.template.as_str(), first.template_version, first.phases.len()), ("five_steps", 1, 5));
    let gate = first.phases[0].gate.as_ref().unwrap();
    assert_eq!((gate.requires.len(), gate.decision), (2, None));
    // Names, gates and life are not the sender's; what is not sent stays.
    let mut sent = body(json!([{
        "phase": "start", "name": {"en": "Mine"}, "planned_start": "2025-01-01", "planned_end": "2025-01-31",
        "planned_cost": 100, "complete": 0.5,
        "deliverables": [{"deliverable": "charter", "done": true, "evidence": "https://bank.example/c"}],
        "gate": {"gate": "start_gate", "decision": "go", "decided_by": ["nobody"]}
    }]));
    sent["status"] = json!("finished");
    shelf.put(&assessor(), &ProjectKind, "p1", sent).unwrap();
    let second = stored(&shelf);
    let phase = &second.phases[0];
    assert_eq!((second.status, second.phases.len(), &phase.name), (Status::Running, 5, &first.phases[0].name));
    assert_eq!((phase.gate.as_ref().unwrap().decision, phase.deliverables.len()), (None, 3));
    assert!(phase.deliverables[0].done && !phase.deliverables[1].done);
    shelf.put(&assessor(), &ProjectKind, "p1", body(json!([]))).unwrap();
    assert_eq!(stored(&shelf).phases[0].planned_cost, 100.0);
}

#[test]
fn plans_have_their_rules() {
    let mut shelf = Shelf::new();
    let mut refused = |body: Json| rules(shelf.put(&assessor(), &ProjectKind, "p1", body));
    let phase = |field: &str, value: Json| body(json!([{"phase": "start", field: value}]));
    let of = |field: &str, rule| vec![(format!("phases.start.{field}"), rule)];
    assert_eq!(refused(phase("planned_cost", json!(5))), of("planned_end", "required"));
    assert_eq!(refused(phase("actual_cost", json!(-5))), of("actual_cost", "amount"));
    assert_eq!(refused(phase("complete", json!(1.1))), of("complete", "range"));
    assert_eq!(refused(phase("actual_end", json!("2025-01-01"))), of("actual_end", "earlier"));
    assert_eq!(refused(phase("deliverables", json!([{"deliverable": "cake"}]))), of("deliverables", "unknown"));
    assert_eq!(refused(body(json!([{"phase": "party"}]))), [("phases".to_owned(), "unknown")]);
    let mut with = |field: &str, value: Json| {
        let mut one = body(json!([]));
        one[field] = value;
        refused(one)
    };
    assert_eq!(with("template", json!("none")), [("template".to_owned(), "unknown")]);
    assert_eq!(with("go_live", json!("2024-01-01")), [("go_live".to_owned(), "earlier")]);
    assert_eq!(with("factors", json!({"luck": 1})), [("factors.luck".to_owned(), "unknown")]);
    assert_eq!(with("factors", json!({"poor_data": 6})), [("factors.poor_data".to_owned(), "range")]);
    let risk = json!([{"name": "Delay", "probability": 0, "impact": 5}]);
    assert_eq!(with("risks", risk), [("risks.1.probability".to_owned(), "range")]);
}

#[test]
fn a_go_needs_what_the_gate_requires() {
    let mut shelf = Shelf::new();
    let rita = reviewer();
    shelf.put(&assessor(), &ProjectKind, "p1", body(json!([]))).unwrap();
    let refused = rules(shelf.act(&rita, &ProjectKind, "p1", "gate:start:go", ""));
    let gate = |item: &str| (format!("requires.{item}"), "gate");
    assert_eq!(refused, [gate("resource_commitment"), gate("top_commitment")]);
    // Without it the gate is passed on a condition, which is written down.
    assert_eq!(
        rules(shelf.act(&rita, &ProjectKind, "p1", "gate:start:conditional", "")),
        [("reason".to_owned(), "required")]
    );
    shelf.act(&rita, &ProjectKind, "p1", "gate:start:conditional", "budget by March").unwrap();
    assessed(&mut shelf, &["top_commitment", "resource_commitment"], 2.0);
    shelf.act(&rita, &ProjectKind, "p1", "gate:start:go", "").unwrap();
    let gate = stored(&shelf).phases[0].gate.clone().unwrap();
    assert_eq!((gate.decision.map(super::Decision::as_str), gate.decided_by), (Some("go"), vec![REVIEWER.to_owned()]));
    assert!(rules(shelf.act(&rita, &ProjectKind, "p1", "gate:test_go_live:go", "")).len() == 4);
    assert_eq!(rules(shelf.act(&rita, &ProjectKind, "p1", "gate:nowhere:go", "")), [("phases".to_owned(), "unknown")]);
    assert_eq!(rules(shelf.act(&rita, &ProjectKind, "p1", "gate:start:maybe", "")), [("do".to_owned(), "action")]);
    assert!(matches!(shelf.act(&assessor(), &ProjectKind, "p1", "gate:start:stop", "no"), Err(Refused::Error(_))));
    let table = TABLES.iter().copied().flatten().find(|table| table.name == "project_gate").unwrap();
    let rows = (table.rows)(&shelf.view(&rita));
    assert_eq!((&rows[0][8], &rows[0][10]), (&Cell::text("go"), &Cell::text("rita")));
    assert_eq!(rows[1][8..12], [Cell::Null, Cell::text(""), Cell::Null, Cell::Null]);
}

#[test]
fn a_project_ends_when_everything_is_done_or_is_stopped_with_a_reason() {
    let mut shelf = Shelf::new();
    let rita = reviewer();
    shelf.put(&assessor(), &ProjectKind, "p1", body(json!([]))).unwrap();
    assert_eq!(rules(shelf.act(&rita, &ProjectKind, "p1", "finish", "")).len(), 10);
    assert_eq!(rules(shelf.act(&rita, &ProjectKind, "p1", "stop", "")), [("reason".to_owned(), "required")]);
    shelf.act(&rita, &ProjectKind, "p1", "stop", "no budget").unwrap();
    assert!(matches!(shelf.put(&assessor(), &ProjectKind, "p1", body(json!([]))), Err(Refused::Closed(_))));
}

#[test]
fn earned_value_follows_the_plan() {
    let day = |text: &str| text.parse().unwrap();
    let phase = |cost: f64, from: &str, to: &str, complete: f64, spent: f64| Phase {
        planned_start: Some(day(from)),
        planned_end: Some(day(to)),
        planned_cost: cost,
        complete,
        actual_cost: spent,
        ..Phase::default()
    };
    let mut project: Project = serde_json::from_value(body(json!([]))).unwrap();
    project.phases = vec![
        phase(100.0, "2025-01-01", "2025-01-10", 1.0, 120.0),
        phase(100.0, "2025-01-11", "2025-01-20", 0.3, 40.0),
        phase(200.0, "2025-02-01", "2025-02-28", 0.0, 0.0),
    ];
    // Five of ten days of the second phase have passed.
    let progress = project.progress(day("2025-01-15"));
    assert_eq!(
        (progress.planned_value, progress.earned_value, progress.actual_cost, progress.budget),
        (150.0, 130.0, 160.0, 400.0)
    );
    let indexes = project.indexes(day("2025-01-15"));
    assert_eq!((indexes.schedule, indexes.cost), (Ok(130.0 / 150.0), Ok(130.0 / 160.0)));
    assert_eq!(project.progress(day("2024-12-31")).planned_value, 0.0);
    assert_eq!(project.progress(day("2026-01-01")).planned_value, 400.0);
    project.phases.clear();
    assert_eq!(project.indexes(day("2025-01-15")).schedule, Err(Reason::NotPositive.code()));
}
