//! Records as rows without a catalog: kinds, views, changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::maturity::{ANSWER, ASSESSMENT, AnswerKind, Assessment, AssessmentKind, MEASUREMENT, Scores};
use super::*;
use crate::assets::EVALUATION;
use crate::auth::Scope;

/// The shipped definitions.
pub(super) fn definitions() -> Arc<Definitions> {
    let of = |name: &str| {
        let (_, text) = EVALUATION.iter().find(|(known, _)| *known == name).unwrap();
        (name.to_owned(), (*text).to_owned())
    };
    let (read, faults) = Definitions::read(of);
    assert!(faults.is_empty(), "{faults:?}");
    Arc::new(read.unwrap())
}

pub(super) fn principal(name: &str, role: &str, scope: &str) -> Principal {
    Principal::new(name, BTreeSet::from([role.to_owned()]), scope.parse::<Scope>().unwrap())
}

fn branches() -> Vec<Branch> {
    ["center", "east", "north", "south", "west"]
        .map(|key| Branch { key: key.to_owned(), name: key.to_uppercase() })
        .into()
}

/// Records in memory, written by the rules of their kinds.
pub(super) struct Shelf {
    pub rows: Vec<RecordRow>,
    definitions: Arc<Definitions>,
}

impl Shelf {
    pub(super) fn new() -> Self {
        Self { rows: Vec::new(), definitions: definitions() }
    }

    pub(super) fn view(&self, principal: &Principal) -> View {
        View::of(self.rows.clone(), Arc::clone(&self.definitions), principal, &branches())
    }

    pub(super) fn put(&mut self, by: &Principal, kind: &dyn Kind, id: &str, body: Value) -> Result<(), Refused> {
        let view = self.view(by);
        let draft = Draft { id, before: view.record(kind.name(), id), by, view: &view };
        let checked = kind.check(&draft, body)?;
        self.add(by, kind.name(), id, checked);
        Ok(())
    }

    pub(super) fn act(
        &mut self,
        by: &Principal,
        kind: &dyn Kind,
        id: &str,
        action: &str,
        reason: &str,
    ) -> Result<(), Refused> {
        let view = self.view(by);
        let draft = Draft { id, before: view.record(kind.name(), id), by, view: &view };
        let checked = kind.act(&draft, action, reason)?;
        self.add(by, kind.name(), id, checked);
        Ok(())
    }

    fn add(&mut self, by: &Principal, kind: &str, id: &str, checked: Checked) {
        let version = self.rows.iter().filter(|row| row.kind == kind && row.id == id).count() + 1;
        self.rows.push(RecordRow {
            seq: i64::try_from(self.rows.len()).unwrap() + 1,
            kind: kind.to_owned(),
            id: id.to_owned(),
            version: u32::try_from(version).unwrap(),
            organisation: checked.organisation,
            body: checked.body,
            reason: String::new(),
            recorded_by: by.name.clone(),
            recorded_at: jiff::Timestamp::UNIX_EPOCH,
        });
    }
}

fn rules(refused: Result<(), Refused>) -> Vec<(String, &'static str)> {
    match refused {
        Err(Refused::Faults(faults)) => faults.into_iter().map(|fault| (fault.field, fault.rule)).collect(),
        other => panic!("{other:?}"),
    }
}

fn set_up(shelf: &mut Shelf, id: &str, organisation: &str, assessors: &[&str]) {
    let reviewer = principal("rita", REVIEWER, "head_office");
    let body = json!({"organisation": organisation, "as_of": "2026-06-30", "manner": "self", "assessors": assessors});
    shelf.put(&reviewer, &AssessmentKind, id, body).unwrap();
}

/// Every item with one score, with evidence.
fn answer_all(shelf: &mut Shelf, by: &Principal, id: &str, score: f64) {
    let items: Vec<String> = shelf.definitions.maturity.items().map(|(_, item)| item.key.value.clone()).collect();
    for item in items {
        let body = json!({"score": score, "evidence": [{"kind": "document", "reference": "https://bank.example/a"}]});
        shelf.put(by, &AnswerKind, &format!("{id}/{item}/{}", by.name), body).unwrap();
    }
}

/// An assessment of an organisation, locked.
fn locked(shelf: &mut Shelf, id: &str, organisation: &str, score: f64) {
    let (anna, rita) = (principal("anna", ASSESSOR, organisation), principal("rita", REVIEWER, "head_office"));
    set_up(shelf, id, organisation, &["anna"]);
    answer_all(shelf, &anna, id, score);
    shelf.act(&anna, &AssessmentKind, id, "submit", "").unwrap();
    shelf.act(&rita, &AssessmentKind, id, "review", "seen").unwrap();
    shelf.act(&rita, &AssessmentKind, id, "lock", "").unwrap();
}

fn scores(shelf: &Shelf, id: &str) -> Scores {
    let view = shelf.view(&principal("rita", REVIEWER, "head_office"));
    view.read::<Assessment>(ASSESSMENT, id).unwrap().scores.unwrap()
}

#[test]
fn an_assessment_lives_from_draft_to_locked_and_then_stands() {
    let mut shelf = Shelf::new();
    let (anna, bert) = (principal("anna", ASSESSOR, "north"), principal("bert", ASSESSOR, "north"));
    let rita = principal("rita", REVIEWER, "head_office");
    set_up(&mut shelf, "n1", "north", &["anna", "bert"]);
    // What is missing is named.
    let missing = rules(shelf.act(&anna, &AssessmentKind, "n1", "submit", ""));
    assert_eq!((missing.len(), missing[0].1), (40, "answer"));
    answer_all(&mut shelf, &anna, "n1", 3.0);
    answer_all(&mut shelf, &bert, "n1", 4.0);
    shelf.act(&anna, &AssessmentKind, "n1", "submit", "").unwrap();
    // Not everybody has submitted, and nobody reviews before.
    assert!(matches!(shelf.act(&rita, &AssessmentKind, "n1", "review", ""), Err(Refused::Closed(_))));
    // Whoever has submitted answers no more.
    let late = shelf.put(&anna, &AnswerKind, "n1/top_commitment/anna", json!({"score": 5}));
    assert!(matches!(late, Err(Refused::Closed(_))), "{late:?}");
    shelf.act(&bert, &AssessmentKind, "n1", "submit", "").unwrap();
    shelf.act(&rita, &AssessmentKind, "n1", "review", "seen").unwrap();
    shelf.act(&rita, &AssessmentKind, "n1", "lock", "").unwrap();
    let found = scores(&shelf, "n1");
    // The median of 3 and 4 in every item: 20 · 3.5, staged 3.
    assert_eq!((found.index, found.staged, found.evidence_share), (Some(70.0), Some(3), Some(1.0)));
    for action in ["submit", "review", "return", "lock"] {
        assert!(shelf.act(&rita, &AssessmentKind, "n1", action, "why").is_err(), "{action}");
    }
    let again = json!({"organisation": "north", "as_of": "2026-06-30", "manner": "self", "assessors": ["anna"]});
    assert!(matches!(shelf.put(&rita, &AssessmentKind, "n1", again), Err(Refused::Closed(_))));
    // A correction is a new one that names it, and takes its place.
    let body = json!({"organisation": "north", "as_of": "2026-06-30", "manner": "self", "assessors": ["anna"], "corrects": "n1"});
    shelf.put(&rita, &AssessmentKind, "n2", body).unwrap();
    answer_all(&mut shelf, &anna, "n2", 2.0);
    for (by, action) in [(&anna, "submit"), (&rita, "review"), (&rita, "lock")] {
        shelf.act(by, &AssessmentKind, "n2", action, "").unwrap();
    }
    assert_eq!(scores(&shelf, "n1").index, Some(70.0));
    let view = shelf.view(&rita);
    let newest: Vec<&str> = maturity::locked(&view, "north").iter().map(|(row, _)| row.id.as_str()).collect();
    assert_eq!(newest, ["n2"]);
    // One that names what is not there, or another organisation's, is refused.
    let body = json!({"organisation": "south", "as_of": "2026-06-30", "manner": "self", "assessors": ["anna"], "corrects": "n1"});
    assert_eq!(rules(shelf.put(&rita, &AssessmentKind, "s1", body)), [("corrects".to_owned(), "unknown")]);
}

#[test]
fn the_reviewer_is_no_assessor() {
    let mut shelf = Shelf::new();
    let both = Principal::new("rita", BTreeSet::from([ASSESSOR.to_owned(), REVIEWER.to_owned()]), Scope::HeadOffice);
    set_up(&mut shelf, "n1", "north", &["rita"]);
    answer_all(&mut shelf, &both, "n1", 3.0);
    shelf.act(&both, &AssessmentKind, "n1", "submit", "").unwrap();
    assert!(matches!(shelf.act(&both, &AssessmentKind, "n1", "review", ""), Err(Refused::Error(_))));
    // Nor does an assessor set up what is assessed.
    let anna = principal("anna", ASSESSOR, "north");
    let body = json!({"organisation": "north", "as_of": "2026-06-30", "manner": "self", "assessors": ["anna"]});
    assert!(matches!(shelf.put(&anna, &AssessmentKind, "n9", body), Err(Refused::Error(_))));
}

#[test]
fn without_evidence_an_item_counts_two_and_too_many_gaps_leave_no_score() {
    let mut shelf = Shelf::new();
    let (anna, rita) = (principal("anna", ASSESSOR, "north"), principal("rita", REVIEWER, "head_office"));
    set_up(&mut shelf, "n1", "north", &["anna"]);
    answer_all(&mut shelf, &anna, "n1", 4.0);
    shelf.put(&anna, &AnswerKind, "n1/top_commitment/anna", json!({"score": 4})).unwrap();
    for item in ["tier_strategy", "target_customers"] {
        let body = json!({"not_applicable": true, "comment": "no such customers"});
        shelf.put(&anna, &AnswerKind, &format!("n1/{item}/anna"), body).unwrap();
    }
    for (by, action) in [(&anna, "submit"), (&rita, "review"), (&rita, "lock")] {
        shelf.act(by, &AssessmentKind, "n1", action, "").unwrap();
    }
    let found = scores(&shelf, "n1");
    let capped = found.items.iter().find(|item| item.item == "top_commitment").unwrap();
    assert_eq!((capped.score, capped.capped, capped.high), (Some(2.0), true, Some(4.0)));
    // Two of five are over 20 %: the dimension has no level, and neither has the whole.
    let strategy = found.dimensions.iter().find(|one| one.dimension == "strategy").unwrap();
    assert_eq!((strategy.continuous, strategy.reason.as_deref()), (None, Some("many_absent")));
    assert_eq!((found.index, found.reason.as_deref()), (None, Some("dimension_not_scored")));
}

#[test]
fn answers_have_their_rules() {
    let mut shelf = Shelf::new();
    let anna = principal("anna", ASSESSOR, "north");
    set_up(&mut shelf, "n1", "north", &["anna", "bert"]);
    let mut put = |body: Value| rules(shelf.put(&anna, &AnswerKind, "n1/top_commitment/anna", body));
    let of = |field: &str, rule| vec![(format!("top_commitment.{field}"), rule)];
    assert_eq!(put(json!({"score": 5.5})), of("score", "score"));
    assert_eq!(put(json!({"score": 2.25})), of("score", "score"));
    assert_eq!(put(json!({"not_applicable": true})), of("comment", "not_applicable"));
    assert_eq!(put(json!({"score": 3, "radar": [10, 10, 10]})), of("radar", "one_way"));
    assert_eq!(put(json!({"radar": [10, 101, 10]})), of("radar", "radar"));
    for link in ["javascript:alert(1)", "data:text/html,x", "ftp://host/x"] {
        let body = json!({"score": 3, "evidence": [{"kind": "document", "reference": link}]});
        assert_eq!(put(body), of("evidence", "link"), "{link}");
    }
    // In another's name, of an unknown item, of an assessment out of sight.
    assert!(matches!(
        shelf.put(&anna, &AnswerKind, "n1/top_commitment/bert", json!({"score": 1})),
        Err(Refused::Error(_))
    ));
    assert_eq!(
        rules(shelf.put(&anna, &AnswerKind, "n1/nothing/anna", json!({"score": 1}))),
        [("item".to_owned(), "unknown")]
    );
    let south = principal("anna", ASSESSOR, "south");
    let refused = shelf.put(&south, &AnswerKind, "n1/top_commitment/anna", json!({"score": 1}));
    let Err(Refused::Error(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(error.code(), Code::NoSuchObject);
    // RADAR is a way to score: 5 · (0.3·60 + 0.4·40 + 0.3·20)/100.
    shelf.put(&anna, &AnswerKind, "n1/top_commitment/anna", json!({"radar": [60, 40, 20]})).unwrap();
    let view = shelf.view(&anna);
    assert_eq!(maturity::answer(&view, "n1", "top_commitment", "anna").score(), Some(2.0));
}

#[test]
fn a_measured_score_is_only_lowered_and_with_a_reason() {
    let mut shelf = Shelf::new();
    let anna = principal("anna", ASSESSOR, "north");
    set_up(&mut shelf, "n1", "north", &["anna"]);
    let measured = json!({"value": 0.9, "score": 3.5, "snapshot_id": 1, "query_id": "q"});
    shelf.put(&anna, &maturity::MeasurementKind, "n1/complaint_loop", measured).unwrap();
    let id = "n1/complaint_loop/anna";
    assert_eq!(rules(shelf.put(&anna, &AnswerKind, id, json!({"score": 4})))[0].1, "measured");
    assert_eq!(rules(shelf.put(&anna, &AnswerKind, id, json!({"score": 3})))[0].1, "lowered");
    shelf.put(&anna, &AnswerKind, id, json!({"score": 3, "comment": "cases were closed by mistake"})).unwrap();
    let view = shelf.view(&anna);
    let one: Assessment = view.read(ASSESSMENT, "n1").unwrap();
    let found = maturity::scores(&view, "n1", &one).unwrap();
    let item = found.items.iter().find(|item| item.item == "complaint_loop").unwrap();
    // What is measured has its evidence.
    assert_eq!((item.score, item.measured, item.capped), (Some(3.0), Some(3.5), false));
    assert!(!maturity::open_items(&view, "n1", "anna").contains(&"complaint_loop"));
}

#[test]
fn assessors_see_each_other_once_they_have_submitted() {
    let mut shelf = Shelf::new();
    let (anna, bert) = (principal("anna", ASSESSOR, "north"), principal("bert", ASSESSOR, "north"));
    let rita = principal("rita", REVIEWER, "head_office");
    set_up(&mut shelf, "n1", "north", &["anna", "bert"]);
    answer_all(&mut shelf, &anna, "n1", 3.0);
    shelf.put(&bert, &AnswerKind, "n1/top_commitment/bert", json!({"score": 1})).unwrap();
    let seen = |shelf: &Shelf, by: &Principal| shelf.view(by).of_kind(ANSWER).count();
    assert_eq!((seen(&shelf, &anna), seen(&shelf, &bert), seen(&shelf, &rita)), (40, 1, 0));
    shelf.act(&anna, &AssessmentKind, "n1", "submit", "").unwrap();
    // Bert still answers by himself, and what he has not submitted is his.
    assert_eq!((seen(&shelf, &anna), seen(&shelf, &bert), seen(&shelf, &rita)), (40, 1, 0));
    answer_all(&mut shelf, &bert, "n1", 2.0);
    shelf.act(&bert, &AssessmentKind, "n1", "submit", "").unwrap();
    assert_eq!((seen(&shelf, &anna), seen(&shelf, &bert), seen(&shelf, &rita)), (80, 80, 80));
    // Its history is as open as it is.
    assert_eq!(shelf.view(&principal("carl", ASSESSOR, "south")).changes().len(), 0);
}

#[test]
fn a_branch_sees_itself_and_the_bank_without_names() {
    let mut shelf = Shelf::new();
    locked(&mut shelf, "h1", "head_office", 4.0);
    locked(&mut shelf, "n1", "north", 2.0);
    locked(&mut shelf, "s1", "south", 3.0);
    let north = principal("nora", ASSESSOR, "north");
    let own = |shelf: &Shelf, name: &str| {
        let table = TABLES.iter().copied().flatten().find(|table| table.name == name).unwrap();
        (table.rows)(&shelf.view(&north))
    };
    assert_eq!(own(&shelf, "assessment").len(), 1);
    locked(&mut shelf, "w1", "west", 4.0);
    locked(&mut shelf, "e1", "east", 3.0);
    // Few branches would tell of each other.
    assert_eq!(own(&shelf, "maturity_bank")[0][1..3], [Cell::Integer(4), Cell::Null]);
    locked(&mut shelf, "c1", "center", 3.0);
    // 0.4 · 80 + 0.6 · (40 + 60 + 60 + 60 + 80)/5.
    let whole = &own(&shelf, "maturity_bank")[0];
    assert_eq!(
        whole[1..],
        [Cell::Integer(5), Cell::Number(68.0), Cell::Number(40.0), Cell::Number(60.0), Cell::Number(60.0)]
    );
    for table in TABLES.iter().copied().flatten() {
        for row in (table.rows)(&shelf.view(&north)) {
            assert_eq!(row.len(), table.columns.len(), "{}", table.name);
            let text = format!("{row:?}");
            assert!(!text.contains("\"south\"") && !text.contains("\"west\""), "{}: {text}", table.name);
        }
    }
}

#[test]
fn a_branch_does_not_choose_its_weight_in_the_bank() {
    let mut shelf = Shelf::new();
    let north = principal("nina", REVIEWER, "north");
    let body = |weight: f64| json!({"organisation": "north", "as_of": "2026-06-30", "manner": "self", "assessors": ["anna"], "weight": weight});
    let refused = rules(shelf.put(&north, &AssessmentKind, "n1", body(1e6)));
    assert_eq!(refused, [("weight".to_owned(), "by_head_office")]);
    shelf.put(&north, &AssessmentKind, "n1", body(1.0)).unwrap();
    shelf.put(&principal("rita", REVIEWER, "head_office"), &AssessmentKind, "n1", body(40.0)).unwrap();
    // What head office set stands when the branch changes something else.
    shelf.put(&north, &AssessmentKind, "n1", body(40.0)).unwrap();
}

#[test]
fn every_change_of_a_field_is_told() {
    let mut shelf = Shelf::new();
    let anna = principal("anna", ASSESSOR, "north");
    set_up(&mut shelf, "n1", "north", &["anna"]);
    let id = "n1/top_commitment/anna";
    shelf.put(&anna, &AnswerKind, id, json!({"score": 3, "comment": "first"})).unwrap();
    shelf.put(&anna, &AnswerKind, id, json!({"score": 2.5})).unwrap();
    let changes: Vec<_> = shelf.view(&anna).changes().into_iter().filter(|change| change.kind == ANSWER).collect();
    let told: Vec<_> = changes
        .iter()
        .map(|change| (change.version, change.field.as_str(), change.before.as_deref(), change.after.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            (1, "comment", None, Some("first")),
            (1, "not_applicable", None, Some("false")),
            (1, "score", None, Some("3.0")),
            (2, "comment", Some("first"), Some("")),
            (2, "score", Some("3.0"), Some("2.5")),
        ]
    );
}

#[test]
fn tables_and_kinds_have_names_of_their_own_and_measurements_no_writer() {
    let names: Vec<&str> = TABLES.iter().copied().flatten().map(|table| table.name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name()).collect();
    assert_eq!(kinds.iter().collect::<BTreeSet<_>>().len(), kinds.len(), "{kinds:?}");
    let measured = KINDS.iter().find(|kind| kind.name() == MEASUREMENT).unwrap();
    assert!(measured.writers().is_empty());
}
