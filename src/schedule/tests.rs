//! Triggers from definitions, and the last period that has ended.

use std::sync::Arc;

use jiff::civil::date;

use super::calendar::Calendar;
use super::when::{Every, Period, Rule};
use super::{check, last_period, trigger};
use crate::model::report::Report;
use crate::model::{calendar, report, time};

const CALENDAR: &str = "\
calendar: bank
version: \"1\"
years:
  - {year: 2026, source: none, holidays: []}
";

fn report(publish: &str) -> Report {
    let text = format!(
        "report: probe\ntitle: {{en: Probe}}\ncubes: [deposits]\nparameters:\n  as_of: {{type: as_of_date, default: latest}}\n\
         datasets:\n  one: {{sql: one.sql, rows: 1}}\nblocks:\n  - message: {{en: \"{{one.n}} {{as_of}}\"}}\npublish:\n{publish}"
    );
    let sql = |_: &str| Some("SELECT 1 AS n, $as_of AS day".to_owned());
    report::parse("reports/probe/report.yaml", &text, &sql).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn faults(publish: &str) -> Vec<String> {
    let read = calendar::parse("calendars/bank.yaml", CALENDAR).unwrap();
    let calendars = [Arc::new(Calendar::from(&read))];
    check(&report(publish), &calendars).iter().map(ToString::to_string).collect()
}

#[test]
fn what_holds_together_has_no_fault() {
    for when in [
        "{cron: \"30 7 * * 1-5\", time_zone: Asia/Shanghai}",
        "{cron: \"30 7 * * *\", time_zone: Europe/Prague, calendar: bank, on_holiday: next_business_day}",
        "{closed: month}",
        "{closed: day, calendar: bank, time_zone: Asia/Shanghai, on_holiday: skip}",
    ] {
        assert_eq!(faults(&format!("  - {{id: p, when: {when}}}\n")), Vec::<String>::new(), "{when}");
    }
    let deadline = "  - id: p\n    when: {closed: month, calendar: bank, time_zone: Asia/Shanghai}\n    \
                    deadline: {business_day: 3, at: \"09:00\", then: partial, at_least: 26, tell: [desk]}\n";
    assert_eq!(faults(deadline), Vec::<String>::new());
    let probe = report(deadline);
    let read = calendar::parse("calendars/bank.yaml", CALENDAR).unwrap();
    let armed = trigger(&probe.publish[0], &[Arc::new(Calendar::from(&read))]).unwrap();
    let Rule::Closed { deadline: Some(deadline), .. } = armed.rule() else { panic!("{armed:?}") };
    assert_eq!((deadline.at_least, deadline.tell.as_slice()), (Some(26), ["desk".to_owned()].as_slice()));
}

#[test]
fn every_fault_of_a_trigger_has_its_place() {
    let cases = [
        ("{cron: \"30 7 * * 1-5\"}", "reports/probe/report.yaml:11:26: `cron` needs a `time_zone`"),
        ("{cron: \"99 7 * * *\", time_zone: UTC}", "reports/probe/report.yaml:11:26:"),
        ("{cron: \"0 7 * * *\", time_zone: Mars/Olympus}", "there is no time zone `Mars/Olympus`"),
        ("{closed: month, calendar: none_such}", "there is no calendar `none_such`"),
        ("{closed: month, cron: \"0 7 * * *\", time_zone: UTC}", "not both"),
        ("{time_zone: UTC}", "write `cron` or `closed`"),
        ("{cron: \"0 7 * * *\", time_zone: UTC, on_holiday: skip}", "`on_holiday` needs a `calendar`"),
    ];
    for (when, expected) in cases {
        let found = faults(&format!("  - {{id: p, when: {when}}}\n"));
        assert!(found.iter().any(|fault| fault.contains(expected)), "{when}: {found:?}");
    }
    let late = faults("  - {id: p, when: {closed: month}, deadline: {business_day: 3, at: \"25:00\"}}\n");
    assert!(late.iter().any(|fault| fault.contains("`when` needs a `calendar`")), "{late:?}");
    assert!(late.iter().any(|fault| fault.contains("`at` must be a time of day")), "{late:?}");
}

#[test]
fn the_last_period_is_one_that_ended() {
    let month = |newest| last_period(Every::Month, time::days(newest));
    assert_eq!(month(date(2025, 11, 30)), Some(Period::Month(date(2025, 11, 30))));
    assert_eq!(month(date(2025, 11, 29)), Some(Period::Month(date(2025, 10, 31))));
    assert_eq!(month(date(2024, 2, 29)), Some(Period::Month(date(2024, 2, 29))));
    assert_eq!(month(date(2026, 1, 1)), Some(Period::Month(date(2025, 12, 31))));
    assert_eq!(last_period(Every::Day, time::days(date(2026, 1, 1))), Some(Period::Day(date(2026, 1, 1))));
}
