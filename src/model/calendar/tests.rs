use super::{Calendar, parse};

const SMALL: &str = "\
calendar: small
version: \"1\"
years:
  - year: 2026
    source: notice 1
    holidays:
      - {from: 2026-10-01, to: 2026-10-07, name: {en: National Day}}
      - {from: 2026-01-01, name: {en: New Year}}
    working:
      - {date: 2026-10-10, name: {en: National Day}}
";

fn faults(path: &str, text: &str) -> Vec<String> {
    parse(path, text).expect_err("faulty").iter().map(ToString::to_string).collect()
}

#[test]
fn reads_a_file() {
    let calendar: Calendar = parse("calendars/small.yaml", SMALL).expect("right");
    assert_eq!((calendar.name.as_str(), calendar.version.as_str()), ("small", "1"));
    assert_eq!(calendar.weekend, [5, 6]);
    let year = &calendar.years[0];
    assert_eq!((*year.year, year.source.as_str()), (2026, "notice 1"));
    let spans: Vec<_> = year.holidays.iter().map(|holiday| (*holiday.from, holiday.to)).collect();
    assert_eq!(spans, [(20_727, 20_733), (20_454, 20_454)]);
    assert_eq!(*year.working[0].0, 20_736);
    assert_eq!(year.working[0].1["en"], "National Day");
}

#[test]
fn reports_every_fault() {
    let text = "\
calendar: other
version: 1
weekend: [saturday, sunnday]
years:
  - year: 2026
    source: a
    holidays:
      - {from: 2026-10-07, to: 2026-10-01, name: {en: A}}
      - {from: 2025-12-31, to: 2026-01-01, name: {en: B}}
      - {from: 2026-05-01, to: 2026-05-03, name: {en: C}}
      - {from: 2026-05-03, name: {en: D}}
      - {from: 2026-13-01, name: {en: E}}
    working:
      - {date: 2026-05-06}
      - {date: 2027-05-08}
      - {date: 2026-05-02}
  - {year: 2026, source: b, holidays: []}
  - {year: 26, source: c, holidays: [], notes: x}
";
    let expected = [
        "calendars/small.yaml:1:11: calendar `other` stands in the file `small.yaml`; the names must agree",
        "calendars/small.yaml:3:21: an entry of `weekend` must be one of `monday`, `tuesday`, `wednesday`, `thursday`, `friday`, \
         `saturday`, `sunday`, not `sunnday`; did you mean `sunday`?",
        "calendars/small.yaml:8:16: the holiday ends on 2026-10-01, before its first day",
        "calendars/small.yaml:9:16: the holiday from 2025-12-31 to 2026-01-01 does not lie in the year 2026; split it",
        "calendars/small.yaml:11:16: 2026-05-03 is given twice, first on line 10",
        "calendars/small.yaml:12:16: `from` must be a date such as 2025-11-30, not `2026-13-01`",
        "calendars/small.yaml:14:16: 2026-05-06 is a wednesday, with business in any case",
        "calendars/small.yaml:15:16: 2027-05-08 does not lie in the year 2026",
        "calendars/small.yaml:16:16: 2026-05-02 is given twice, first on line 10",
        "calendars/small.yaml:17:12: the year 2026 is given twice, first on line 5",
        "calendars/small.yaml:18:12: `year` must be a whole number from 1970 to 9998, not `26`",
        "calendars/small.yaml:18:41: a year has no key `notes`",
    ];
    let found = faults("calendars/small.yaml", text);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}

#[test]
fn needs_years_and_days_for_business() {
    let none = "calendar: small\nversion: a\nyears: []\n";
    assert_eq!(faults("small.yaml", none), ["small.yaml:1:1: a calendar covers at least one year"]);
    let week = "[monday, tuesday, wednesday, thursday, friday, saturday, sunday]";
    let closed =
        format!("calendar: small\nversion: a\nweekend: {week}\nyears: [{{year: 2026, source: a, holidays: []}}]\n");
    assert_eq!(faults("small.yaml", &closed), ["small.yaml:1:11: `weekend` leaves no day for business"]);
}
