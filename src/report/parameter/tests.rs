use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Date32Type};

use super::{as_of_choices, bind, placeholders, resolve};
use crate::model::report::{self, FUNCTIONS, Report};
use crate::report::calendar;

/// A report with these parameters; nothing else of it matters here.
fn report_with(parameters: &str) -> Report {
    let names: String = parameters
        .lines()
        .filter_map(|line| line.trim().split_once(':'))
        .map(|(name, _)| format!("${name} "))
        .collect();
    let yaml = format!(
        "report: probe\ntitle: {{en: Probe, zh-CN: 试}}\ncubes: [deposits]\nparameters:\n{parameters}\n\
         datasets:\n  one: {{sql: one.sql, rows: 1}}\nblocks:\n  - message: {{en: Probe, zh-CN: 试}}\n"
    );
    report::parse("reports/probe/report.yaml", &yaml, &|_| Some(format!("SELECT {names}")))
        .unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// Values as text, or the error; the data end on 2025-11-15.
fn resolved(report: &Report, given: &[(&str, &str)]) -> Result<BTreeMap<String, String>, String> {
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).collect();
    let values =
        resolve(report, &given, calendar::parse("2025-11-15").unwrap()).map_err(|error| error.message().to_owned())?;
    Ok(values.iter().map(|value| (value.name.clone(), value.text())).collect())
}

#[test]
fn defaults_are_counted_from_the_as_of_date_wherever_it_stands() {
    let report = report_with(
        "  from: {type: date, default: \"months_before(as_of, 12)\"}\n  year: {type: month, default: year_start(as_of)}\n  \
         as_of: {type: as_of_date, default: latest, every: month}\n  before: {type: date, default: prior_month_end(as_of)}",
    );
    let values = resolved(&report, &[]).unwrap();
    assert_eq!(values["as_of"], "2025-10-31");
    assert_eq!(values["from"], "2024-10-31");
    assert_eq!(values["year"], "2025-01-01");
    assert_eq!(values["before"], "2025-09-30");
    let leap = resolved(&report, &[("as_of", "2024-02-29")]).unwrap();
    assert_eq!(leap["from"], "2023-02-28");
}

#[test]
fn without_a_period_the_newest_day_itself_is_latest() {
    let report = report_with("  as_of: {type: as_of_date, default: latest}");
    assert_eq!(resolved(&report, &[]).unwrap()["as_of"], "2025-11-15");
    assert_eq!(resolved(&report, &[("as_of", "last_closed(quarter)")]).unwrap()["as_of"], "2025-09-30");
    // An empty field of a form means nothing was asked for.
    assert_eq!(resolved(&report, &[("as_of", " ")]).unwrap()["as_of"], "2025-11-15");
}

#[test]
fn an_error_names_parameter_value_and_what_is_allowed() {
    let report = report_with(
        "  as_of: {type: as_of_date, default: latest, every: month}\n  top: {type: integer, default: 10, min: 3, max: 50}\n  \
         view: {type: choice, default: a, choices: {a: {en: A, zh-CN: 甲}, b: {en: B, zh-CN: 乙}}}",
    );
    let cases = [
        (
            "as_of",
            "2025-11-30",
            "parameter `as_of`: `2025-11-30` is not allowed; write a day up to 2025-11-15, the newest in the data",
        ),
        (
            "as_of",
            "2025-10-30",
            "parameter `as_of`: `2025-10-30` is not allowed; write the last day of a closed month, up to 2025-10-31, or `latest`",
        ),
        ("top", "2", "parameter `top`: `2` is not allowed; it is at least `3`"),
        ("top", "51", "parameter `top`: `51` is not allowed; it is at most `50`"),
        ("top", "ten", "parameter `top`: `ten` is not allowed; write a whole number"),
        ("view", "c", "parameter `view`: `c` is not allowed; write one of `a`, `b`"),
        ("branch", "x", "report `probe` has no parameter `branch`; its parameters are: `as_of`, `top`, `view`"),
    ];
    for (name, value, expected) in cases {
        assert_eq!(resolved(&report, &[(name, value)]).unwrap_err(), expected);
    }
    assert!(resolved(&report, &[("as_of", "yesterday")]).unwrap_err().contains("a date as `2025-11-30`"));
    // Names of every report are not for one report to judge.
    assert!(resolved(&report, &[("lang", "en"), ("format", "json"), ("scope", "beijing")]).is_ok());
}

#[test]
fn a_value_given_twice_is_an_error() {
    let report = report_with("  as_of: {type: as_of_date, default: latest}");
    let given = BTreeMap::from([("as_of".to_owned(), vec!["2025-01-31".to_owned(), "2025-02-28".to_owned()])]);
    let error = resolve(&report, &given, calendar::parse("2025-11-15").unwrap()).unwrap_err();
    assert_eq!(error.message(), "parameter `as_of` is given 2 times; give it once");
}

#[test]
fn every_calendar_function_of_the_definitions_is_computed() {
    for function in FUNCTIONS {
        let call = match *function {
            "last_closed" => "last_closed(month)".to_owned(),
            "months_before" => "months_before(as_of, 1)".to_owned(),
            "period_start" | "period_end" => format!("{function}(as_of, quarter)"),
            other => format!("{other}(as_of)"),
        };
        let report = report_with(&format!(
            "  as_of: {{type: as_of_date, default: latest}}\n  day: {{type: date, default: \"{call}\"}}"
        ));
        assert!(resolved(&report, &[]).is_ok(), "{function}");
    }
}

#[test]
fn far_dates_do_not_panic() {
    let report =
        report_with("  as_of: {type: as_of_date, default: latest}\n  day: {type: date, default: last_closed(month)}");
    for text in ["0001-01-01", "9999-12-31", "months_before(0001-01-01, 1200)", "months_before(as_of, 99999999999)"] {
        let _ = resolved(&report, &[("day", text)]);
    }
}

#[test]
fn a_statement_is_bound_to_what_it_names() {
    let report = report_with(
        "  as_of: {type: as_of_date, default: latest}\n  top: {type: integer, default: 10}\n  \
         rate: {type: decimal, default: 2.50}",
    );
    let values = resolve(&report, &BTreeMap::new(), calendar::parse("2025-11-15").unwrap()).unwrap();
    let batch = bind("SELECT $as_of, $rate -- $top\n, '$top'", &values).unwrap().unwrap();
    let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["as_of", "rate"]);
    assert_eq!(batch.column(0).as_primitive::<Date32Type>().value(0), calendar::parse("2025-11-15").unwrap());
    assert_eq!(*batch.column(1).data_type(), DataType::Decimal128(38, 2));
    assert!(bind("SELECT 1", &values).unwrap().is_none());
}

#[test]
fn placeholders_are_not_found_in_texts_and_comments() {
    assert_eq!(placeholders("$a /* $b */ - $c_1, '$d''$e' \"$f\" -- $g\n$h"), ["a", "c_1", "h"]);
}

#[test]
fn the_form_offers_two_years_of_month_ends() {
    let report = report_with("  as_of: {type: as_of_date, default: latest, every: month}");
    let choices = as_of_choices(&report.parameters[0], calendar::parse("2025-11-15").unwrap());
    assert_eq!(choices.len(), 24);
    assert_eq!(calendar::iso(choices[0]), "2025-10-31");
    assert_eq!(calendar::iso(choices[23]), "2023-11-30");
}
