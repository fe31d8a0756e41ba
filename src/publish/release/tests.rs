//! What is released is what was looked at, and a branch is told of nobody else.

use jiff::Timestamp;

use super::{covers, sentence, told};
use crate::catalog::{self, FailedGate, Held};
use crate::locale::Lang;

fn held() -> Held {
    let gate = |gate: &str, why: &str| FailedGate { gate: gate.into(), why: why.into() };
    Held {
        snapshot: 3,
        report: "d1".into(),
        period: "2025-11".into(),
        gates: vec![
            gate("complete", "2 of 3 branches closed; missing: quay"),
            gate("foots", "head office is not the sum of its branches"),
        ],
        readings: [("head_office".to_owned(), "a1".to_owned()), ("north".to_owned(), "b2".to_owned())].into(),
    }
}

fn release() -> catalog::Release {
    let at: Timestamp = "2025-12-03T01:30:00Z".parse().unwrap();
    catalog::Release { by: "rita".into(), role: "reviewer".into(), at, reason: "quay is shut".into(), held: held() }
}

#[test]
fn a_release_is_of_what_was_read() {
    assert!(covers(&release(), &held()));
    let fewer = Held { gates: held().gates.into_iter().take(1).collect(), ..held() };
    assert!(covers(&release(), &fewer), "a gate that passes now holds nothing");
    assert!(!covers(&release(), &Held { snapshot: 4, ..held() }));
    assert!(!covers(&release(), &Held { report: "d2".into(), ..held() }), "another definition");
    let mut other = held();
    other.readings.insert("north".into(), "b3".into());
    assert!(!covers(&release(), &other), "another row");
    let mut further = held();
    further.gates.push(FailedGate { gate: "glyphs".into(), why: "U+20BB7".into() });
    assert!(!covers(&release(), &further), "a gate that nobody looked at");
    let mut worse = held();
    worse.gates[0].why = "1 of 3 branches closed; missing: quay, south".into();
    assert!(!covers(&release(), &worse));
}

#[test]
fn who_does_not_see_all_is_told_which_gates_and_not_what_they_found() {
    let branch = told(&release(), false);
    assert_eq!(branch.gates, ["complete", "foots"]);
    assert_eq!(branch.found, Vec::<String>::new());
    assert_eq!(told(&release(), true).found.len(), 2);
    assert!(!sentence(Lang::En, &branch).contains("quay,"));
}

#[test]
fn the_sentence_says_who_when_why_and_which_gate() {
    let release = told(&release(), true);
    assert_eq!(
        sentence(Lang::En, &release),
        "Published although checks had failed (completeness, head office = sum of branches). Released by rita (Reviewer), \
         2025-12-03 01:30 UTC. Reason: quay is shut"
    );
    assert_eq!(
        sentence(Lang::Zh, &release),
        "本期未通过发布校验（结账完整性、总分行核对），经复核放行。放行人：rita（复核人），放行时间：2025-12-03 01:30 UTC，\
         放行理由：quay is shut"
    );
}
