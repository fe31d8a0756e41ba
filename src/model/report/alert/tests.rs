use super::{Alert, Clear, Condition};
use crate::model::report::parse;

const REPORT: &str = "\
report: sales
title: {en: Sales}
cubes: [sales]
parameters: {as_of: {type: as_of_date, default: latest}}
datasets: {one: {sql: one.sql, rows: 1}, many: {sql: many.sql, max_rows: 40}}
blocks: [{text: {en: Notes}}]
alerts:
";

fn read(alerts: &str) -> Result<Vec<Alert>, Vec<String>> {
    let sql = |_: &str| Some("SELECT 1".to_owned());
    match parse("reports/sales/report.yaml", &format!("{REPORT}{alerts}"), &sql) {
        Ok(report) => Ok(report.alerts),
        Err(faults) => {
            Err(faults.iter().map(|fault| fault.to_string().replace("reports/sales/report.yaml:", "")).collect())
        }
    }
}

/// The faults of one alert whose keys after `id` these are.
fn faults(keys: &str) -> Vec<String> {
    read(&format!("  - {{id: low, {keys}}}\n")).err().unwrap_or_default()
}

#[test]
fn an_alert_holds_what_is_written() {
    let alerts = read(
        "  - {id: behind, title: {en: Behind}, dataset: many, each: branch, label: name, burst: true, role: manager, \
         raise: {value: gap, below: -5.0, for: 2 runs}, clear: {value: gap, above: -3.0}, unit: points, \
         to: [{channel: email, roles: [manager]}]}\n  \
         - {id: swing, dataset: one, raise: {value: amount, change_above: {against: before, percent: 10}}, \
         clear: {change_below: 5}}\n  \
         - {id: band, dataset: one, raise: {value: amount, outside: [-5, 5]}, clear: {inside: [-3, 3]}}\n  \
         - {id: gone, dataset: one, raise: {value: amount, missing: true}}\n",
    )
    .unwrap();
    let [behind, swing, band, gone] = alerts.as_slice() else { panic!("four") };
    assert_eq!((behind.raise.clone(), behind.runs), (Condition::Below("-5.0".into()), 2));
    assert_eq!(behind.clear, Some(Clear::Above("-3.0".into())));
    assert_eq!((behind.value.as_str(), behind.role.as_str(), behind.burst), ("gap", "manager", true));
    assert_eq!(behind.each.as_ref().map(|each| each.as_str()), Some("branch"));
    assert_eq!(behind.to[0].roles[0].as_str(), "manager");
    assert_eq!(swing.raise, Condition::Change { against: "before".into(), percent: "10".into() });
    assert_eq!(swing.clear, Some(Clear::Change("5".into())));
    assert_eq!(band.raise, Condition::Outside("-5".into(), "5".into()));
    assert_eq!((gone.raise.clone(), gone.runs, gone.role.as_str()), (Condition::Missing, 1, "reader"));
}

#[test]
fn it_is_over_on_the_other_side_alone() {
    let of =
        |raise: &str, clear: &str| faults(&format!("dataset: one, raise: {{value: x, {raise}}}, clear: {{{clear}}}"));
    assert_eq!(of("below: -5", "above: -5"), Vec::<String>::new());
    let one = |raise: &str, clear: &str| {
        let found = of(raise, clear);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].split_once(": ").unwrap().1.to_owned()
    };
    assert_eq!(one("below: -5", "above: -6"), "`above` must not lie below `raise`, -5");
    assert_eq!(one("above: 5", "below: 6"), "`below` must not lie above `raise`, 5");
    assert_eq!(one("outside: [-5, 5]", "inside: [-6, 3]"), "`inside` must lie within `raise`, [-5, 5]");
    let change = "change_above: {against: y, percent: 10}";
    assert_eq!(one(change, "change_below: 11"), "`change_below` must not lie above `raise`, 10");
    assert_eq!(one("below: -5", "below: -6"), "of `raise: {below}` the other side is `clear: {above}`");
    assert_eq!(one("missing: true", "above: 1"), "what was missing is over when it is there: leave `clear` out");
    assert_eq!(one("below: -5", "value: y, above: -3"), "`clear` looks at the column of `raise`, `x`, not at `y`");
}

#[test]
fn faults_have_their_places() {
    let found = faults("dataset: one, raise: {value: x, below: 1, above: 2}");
    assert_eq!(found, ["8:36: `raise` has exactly one of `above`, `below`, `outside`, `change_above`, `missing`"]);
    assert_eq!(
        faults("dataset: one, raise: {value: x, below: 1, for: two}"),
        ["8:62: `for` must be a number of runs up to 100, as `2 runs`, not `two`"]
    );
    assert_eq!(
        faults("dataset: one, raise: {value: x, outside: [5, -5]}"),
        ["8:47: `outside` must be two figures, the lower first, as `[-5, 5]`"]
    );
    assert_eq!(faults("dataset: on, raise: {value: x, below: 1}"), ["8:24: there is no dataset `on`"]);
    assert_eq!(
        faults("dataset: many, raise: {value: x, below: 1}"),
        ["8:24: without `each` an alert needs a dataset of one row, which `many` is not"]
    );
    assert_eq!(
        faults("dataset: one, label: name, raise: {value: x, below: 1}"),
        ["8:36: `label` says what the rows of `each` are called, and there is no `each`"]
    );
    let twice = read(
        "  - {id: low, dataset: one, raise: {value: x, below: 1}}\n  - {id: low, dataset: one, raise: {value: x, below: 1}}\n",
    );
    assert_eq!(twice.unwrap_err(), ["9:10: the alert `low` is given twice, first on line 8"]);
    assert_eq!(
        faults("title: {en: \"{x}\"}, dataset: one, raise: {value: x, below: 1}").first().map(String::as_str),
        Some("8:10: alert `low`: its title is said as it stands, without placeholders")
    );
}
