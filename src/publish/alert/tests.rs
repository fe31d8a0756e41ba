use serde_json::json;

use super::condition::judge;
use super::state::{Memory, Seen, State};
use super::{Next, next};
use crate::catalog::RunRow;
use crate::model::report::{self, Alert};
use crate::report::value::{Number, Value};

/// The alert of a report that raises and clears as stated.
fn alert(conditions: &str) -> Alert {
    let text = format!(
        "report: sales\ntitle: {{en: Sales}}\ncubes: [sales]\nparameters: {{as_of: {{type: as_of_date, default: latest}}}}\n\
         datasets: {{one: {{sql: one.sql, rows: 1}}}}\nblocks: [{{text: {{en: Notes}}}}]\n\
         alerts: [{{id: low, dataset: one, {conditions}}}]\n"
    );
    let sql = |_: &str| Some("SELECT 1 AS amount, 2 AS before".to_owned());
    report::parse("reports/sales/report.yaml", &text, &sql).unwrap().alerts.remove(0)
}

fn number(text: &str) -> Value {
    Value::Number(Number::parse(text).unwrap())
}

/// `raised`, `cleared`, `between` or `nothing`.
fn seen(alert: &Alert, value: &str) -> &'static str {
    of(judge(alert, &number(value), None).unwrap())
}

fn of(seen: Seen) -> &'static str {
    match seen {
        Seen::Nothing => "nothing",
        Seen::Gone => "gone",
        Seen::Over => "over",
        Seen::Figure { raised: true, cleared: false } => "raised",
        Seen::Figure { raised: false, cleared: true } => "cleared",
        Seen::Figure { raised: false, cleared: false } => "between",
        Seen::Figure { raised: true, cleared: true } => "both",
    }
}

const RAISED: Seen = Seen::Figure { raised: true, cleared: false };
const CLEARED: Seen = Seen::Figure { raised: false, cleared: true };
const BETWEEN: Seen = Seen::Figure { raised: false, cleared: false };

/// The states and what is told, one evaluation after the other; what was told counts as told.
fn walk(mut memory: Memory, runs: u32, seen: &[Seen]) -> (Memory, Vec<(&'static str, Option<&'static str>)>) {
    let mut path = Vec::new();
    for one in seen {
        memory = memory.see(*one, true, runs);
        let news = memory.news();
        memory.told = news.unwrap_or(memory.told);
        path.push((memory.state.as_str(), news.map(State::as_str)));
    }
    (memory, path)
}

#[test]
fn it_is_raised_after_so_many_runs_told_once_and_over_beyond_the_other_limit() {
    let seen = [RAISED, RAISED, RAISED, BETWEEN, BETWEEN, CLEARED, CLEARED];
    let (_, path) = walk(Memory::NEW, 2, &seen);
    let expected = [
        ("pending", None),
        ("firing", Some("firing")),
        ("firing", None),
        ("firing", None),
        ("firing", None),
        ("ok", Some("ok")),
        ("ok", None),
    ];
    assert_eq!(path, expected);
}

#[test]
fn what_passes_before_it_was_raised_is_told_to_nobody() {
    let (_, path) = walk(Memory::NEW, 2, &[RAISED, BETWEEN, RAISED, CLEARED]);
    assert_eq!(path, [("pending", None), ("ok", None), ("pending", None), ("ok", None)]);
}

#[test]
fn the_same_figure_again_is_not_another_run() {
    let once = Memory::NEW.see(RAISED, true, 2);
    let again = once.see(RAISED, false, 2);
    assert_eq!((again.state, again.streak), (State::Pending, 1));
    assert_eq!(again.see(RAISED, true, 2).state, State::Firing);
    // A definition that asks for fewer runs is heard at once.
    assert_eq!(once.see(RAISED, false, 1).state, State::Firing);
}

#[test]
fn no_data_is_never_in_order_and_forgets_nothing_that_was_raised() {
    let (memory, path) = walk(Memory::NEW, 1, &[RAISED, Seen::Nothing, Seen::Nothing, BETWEEN, Seen::Nothing, CLEARED]);
    let expected = [
        ("firing", Some("firing")),
        ("no_data", Some("no_data")),
        ("no_data", None),
        ("firing", Some("firing")),
        ("no_data", Some("no_data")),
        ("ok", Some("ok")),
    ];
    assert_eq!(path, expected);
    assert_eq!(memory.held, None);
    // Runs in a row are counted anew after it.
    let (_, path) = walk(Memory::NEW, 2, &[RAISED, Seen::Nothing, RAISED, RAISED]);
    let states: Vec<_> = path.iter().map(|(state, _)| *state).collect();
    assert_eq!(states, ["pending", "no_data", "pending", "firing"]);
}

#[test]
fn what_somebody_knows_of_stays_known_until_it_is_over() {
    let known = Memory { state: State::Acknowledged, told: State::Firing, ..Memory::NEW.see(RAISED, true, 1) };
    let (_, path) = walk(known, 1, &[RAISED, Seen::Nothing, RAISED, CLEARED, RAISED]);
    let expected = [
        ("acknowledged", None),
        ("no_data", Some("no_data")),
        ("acknowledged", Some("firing")),
        ("ok", Some("ok")),
        ("firing", Some("firing")),
    ];
    assert_eq!(path, expected);
}

#[test]
fn what_is_gone_is_told_once_and_then_ends_and_begins_anew_when_it_is_back() {
    let (memory, path) = walk(Memory::NEW, 1, &[RAISED, Seen::Gone, Seen::Gone, BETWEEN, RAISED, Seen::Over]);
    let expected = [
        ("firing", Some("firing")),
        ("no_data", Some("no_data")),
        ("ended", None),
        ("ok", None),
        ("firing", Some("firing")),
        ("ended", None),
    ];
    assert_eq!(path, expected);
    assert_eq!(memory, Memory { state: State::Ended, ..Memory::NEW });
    // While people are not told, it does not end behind their backs.
    let quiet = Memory::NEW.see(RAISED, true, 1).see(Seen::Gone, true, 1).see(Seen::Gone, true, 1);
    assert_eq!(quiet.state, State::NoData);
}

#[test]
fn what_was_put_off_is_told_afterwards() {
    // Nothing was told while it was put off.
    let quiet = Memory::NEW.see(RAISED, true, 1).see(RAISED, true, 1);
    assert_eq!(quiet.news(), Some(State::Firing));
    let over = quiet.see(CLEARED, true, 1);
    assert_eq!(over.news(), None, "it came and went");
}

#[test]
fn limits_are_exact_and_the_room_between_them_changes_nothing() {
    let below = alert("raise: {value: amount, below: -5}, clear: {value: amount, above: -3.0}");
    let found = ["-5.000000000001", "-5", "-3", "-2.99"].map(|value| seen(&below, value));
    assert_eq!(found, ["raised", "between", "between", "cleared"]);
    let above = alert("raise: {value: amount, above: 0.1}, clear: {below: 0.1}");
    // 0.1 is no float: only decimals are equal to it.
    let found = ["0.10000000000000000001", "0.10", "0.09"].map(|value| seen(&above, value));
    assert_eq!(found, ["raised", "between", "cleared"]);
    let outside = alert("raise: {value: amount, outside: [-5, 5]}, clear: {inside: [-3, 3]}");
    let found = ["-6", "-4", "0", "4", "5.5"].map(|value| seen(&outside, value));
    assert_eq!(found, ["raised", "between", "cleared", "between", "raised"]);
    let plain = alert("raise: {value: amount, above: 10}");
    assert_eq!(["10", "11"].map(|value| seen(&plain, value)), ["cleared", "raised"]);
}

#[test]
fn a_change_is_held_against_another_column() {
    let change =
        alert("raise: {value: amount, change_above: {against: before, percent: 10}}, clear: {change_below: 5}");
    let of = |value: &str, before: &str| of(judge(&change, &number(value), Some(&number(before))).unwrap());
    assert_eq!(of("111", "100"), "raised");
    assert_eq!(of("89", "100"), "raised");
    assert_eq!(of("110", "100"), "between");
    assert_eq!(of("104", "100"), "cleared");
    assert_eq!(of("-111", "-100"), "raised");
    assert_eq!(of("0.01", "0"), "raised");
    assert_eq!(of("0", "0"), "cleared");
    let missing = judge(&change, &number("1"), Some(&Value::Null)).unwrap();
    assert_eq!(missing, Seen::Nothing);
}

#[test]
fn what_is_missing_and_what_is_no_number() {
    let below = alert("raise: {value: amount, below: 0}");
    assert_eq!(judge(&below, &Value::Null, None).unwrap(), Seen::Nothing);
    assert_eq!(judge(&below, &Value::Text("x".into()), None).unwrap_err(), "holds what is no number");
    let missing = alert("raise: {value: amount, missing: true}");
    assert_eq!(judge(&missing, &Value::Null, None).unwrap(), RAISED);
    assert_eq!(judge(&missing, &Value::Text("x".into()), None).unwrap(), CLEARED);
}

#[test]
fn the_same_question_is_asked_once_and_again_after_another_definition_was() {
    let at: jiff::Timestamp = "2026-03-05T12:00:00Z".parse().unwrap();
    let run = |logical: &str, state: &str, result: serde_json::Value| RunRow {
        id: 9,
        schedule: "sales/alerts/low".into(),
        logical: logical.into(),
        cause: "alert".into(),
        as_of: None,
        partial: false,
        state: state.into(),
        fence: 1,
        tries: 1,
        not_before: at,
        published_at: None,
        created_at: at,
        started_at: None,
        finished_at: Some(at).filter(|_| state != "ready"),
        message: String::new(),
        result,
        started_by: None,
        release: None,
    };
    let after = |logical: &str, state: &str| next("7 aa", Some(&run(logical, state, json!({"judged": 1}))));
    assert_eq!(next("7 aa", None), Next::First);
    assert_eq!(after("6 aa", "succeeded"), Next::First);
    assert_eq!(after("8 aa", "succeeded"), Next::Nothing);
    assert_eq!(after("7 aa", "dead"), Next::Nothing);
    assert_eq!(after("7 aa after 3", "succeeded"), Next::Nothing);
    assert_eq!(after("7 bb", "ready"), Next::Changed("7 aa after 9".into(), None));
    assert_eq!(after("7 bb", "succeeded"), Next::Changed("7 aa after 9".into(), Some(at)));
    // The server ended during it each time; that is said once.
    let crashed = |logical: &str| next("7 aa", Some(&run(logical, "dead", json!({}))));
    assert_eq!(crashed("7 aa"), Next::Unread("7 aa unread".into()));
    assert_eq!(crashed("7 aa unread"), Next::Nothing);
}

#[test]
fn states_have_one_word_each() {
    for state in State::ALL {
        assert_eq!(State::parse(state.as_str()), Some(state));
    }
    assert_eq!(State::parse("closed"), None);
}
