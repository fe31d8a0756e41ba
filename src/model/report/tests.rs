use super::{Block, Filling, Report, check, check_drills, parse};
use crate::model::cube;
use crate::model::table::tests::tables;

const REPORT: &str = "\
report: overview
title: {en: Overview, zh-CN: 概览}
audience: [executive]
cubes: [sales]
parameters:
  as_of: {type: as_of_date, default: latest, label: {en: As of}}
  from: {type: date, default: \"months_before(as_of, 12)\", hidden: true}
  top: {type: integer, default: 10, min: 3, max: 50}
  side: {type: choice, default: left, choices: {left: {en: Left}, right: {en: Right}}}
datasets:
  kpi: {sql: kpi.sql, rows: 1}
  trend: {sql: trend.sql, max_rows: 40}
  top: {sql: top.sql}
blocks:
  - message: {en: \"Sales {kpi.amount:money} at {as_of:date}\"}
  - row:
      - kpi: {dataset: kpi, value: amount, title: {en: Sales}, compare: {amount_prior: prior_month}, spark: trend.amount,
              measure: sales.amount, unit: money, decimals: 1}
  - chart: {id: trend, kind: line, dataset: trend, title: {en: Trend}, x: month, y: [amount, {column: plan, scenario: plan}]}
  - table: {id: top, dataset: top, columns: [name, {column: amount, measure: sales.amount, bar: true}]}
  - text: {en: Notes}
";

const KPI: &str = "SELECT SUM(amount) AS amount FROM sales WHERE day = $as_of AND side = $side";
const TREND: &str =
    "-- from $nowhere\nSELECT month, 'a $price' AS x FROM sales /* $other */\nWHERE month BETWEEN $from AND $as_of";
const TOP: &str = "SELECT name FROM sales ORDER BY 1 LIMIT $top";

fn sql(file: &str) -> Option<String> {
    Some(match file {
        "kpi.sql" => KPI.to_owned(),
        "trend.sql" => TREND.to_owned(),
        "top.sql" => TOP.to_owned(),
        "bad.sql" => "SELECT 1\nWHERE a = '$x' AND b = $form AND $from = $as_of AND $side AND $top".to_owned(),
        "empty.sql" => " \n".to_owned(),
        _ => return None,
    })
}

fn good() -> Report {
    parse("reports/overview/report.yaml", REPORT, &sql).unwrap()
}

#[track_caller]
fn faults(replacements: &[(&str, &str)], expected: &[&str]) {
    let mut text = REPORT.to_owned();
    for (from, to) in replacements {
        assert!(text.contains(from), "nothing to replace: {from}");
        text = text.replacen(from, to, 1);
    }
    let found = parse("reports/overview/report.yaml", &text, &sql).err().unwrap_or_default();
    assert_eq!(
        found.iter().map(|fault| fault.to_string().replace("reports/overview/", "")).collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn a_report_holds_what_is_written() {
    let report = good();
    assert_eq!(
        report.datasets.iter().map(|set| (set.rows, set.max_rows)).collect::<Vec<_>>(),
        [(Some(1), 1), (None, 40), (None, 1000)]
    );
    assert_eq!(report.datasets[0].sql, KPI);
    assert_eq!(report.parameters[3].choices[1].0, "right");
    assert_eq!(report.parameters[2].max.as_deref(), Some("50"));
    assert!(report.parameters[1].hidden);
    let [Block::Message { text }, Block::Row { blocks }, Block::Chart(chart), Block::Table(table), Block::Text { .. }] =
        report.blocks.as_slice()
    else {
        panic!("five blocks: {:?}", report.blocks)
    };
    assert_eq!(text["en"], "Sales {kpi.amount:money} at {as_of:date}");
    let [Block::Kpi(kpi)] = blocks.as_slice() else { panic!("a kpi") };
    let (dataset, column) = kpi.spark.as_ref().unwrap();
    assert_eq!((dataset.as_str(), column.as_str()), ("trend", "amount"));
    assert_eq!((kpi.compare[0].0.as_str(), kpi.compare[0].1.as_str()), ("amount_prior", "prior_month"));
    assert_eq!(kpi.format.decimals, Some(1));
    assert_eq!(chart.y[1].scenario.as_ref().unwrap().as_str(), "plan");
    assert_eq!((table.columns[0].column.as_str(), table.columns[1].bar), ("name", true));
}

const TREND_CHART: &str = "- chart: {id: trend, kind: line, dataset: trend, title: {en: Trend}, x: month, y: [amount, {column: plan, scenario: plan}]}";

#[test]
fn charts_of_long_data_bands_and_units() {
    let long = "- chart: {id: trend, kind: heatmap, dataset: trend, x: month, y: [amount], by: branch, \
                series_label: {en: Branch}, zero: -0.05}\n  \
                - chart: {id: pair, kind: scatter, dataset: trend, x: branch, y: [amount, {column: ratio, unit: percent, decimals: 2}]}\n  \
                - chart: {id: stand, kind: bullet, dataset: trend, x: branch, y: [amount], bands: [low, {column: high, label: {en: High}}]}";
    let text = REPORT.replacen(TREND_CHART, long, 1);
    assert_ne!(text, REPORT);
    let report = parse("reports/overview/report.yaml", &text, &sql).unwrap();
    let charts: Vec<_> = report
        .blocks
        .iter()
        .filter_map(|block| match block {
            Block::Chart(chart) => Some(chart),
            _ => None,
        })
        .collect();
    let [heat, pair, stand] = charts.as_slice() else { panic!("three charts") };
    assert_eq!((heat.by.as_ref().unwrap().as_str(), heat.series_label["en"].as_str()), ("branch", "Branch"));
    assert_eq!((heat.zero, pair.zero), (Some(-0.05), None));
    assert!(pair.y[0].format.is_none());
    let own = pair.y[1].format.as_ref().unwrap();
    assert_eq!((own.unit.as_ref().unwrap().as_str(), own.decimals), ("percent", Some(2)));
    assert_eq!(stand.bands.iter().map(|band| band.column.as_str()).collect::<Vec<_>>(), ["low", "high"]);
    assert_eq!(stand.bands[1].label["en"], "High");
}

const TOP_TABLE: &str =
    "- table: {id: top, dataset: top, columns: [name, {column: amount, measure: sales.amount, bar: true}]}";

/// The report with drills at its chart and its table.
fn drilled(chart: &str, table: &str) -> Result<Report, Vec<crate::model::Diagnostic>> {
    let with = |block: &str, drill: &str| block.replace("dataset:", &format!("drill: {drill}, dataset:"));
    let text = REPORT.replacen(TREND_CHART, &with(TREND_CHART, chart), 1);
    let text = text.replacen(TOP_TABLE, &with(TOP_TABLE, table), 1);
    parse("reports/overview/report.yaml", &text, &sql)
}

fn told(faults: &[crate::model::Diagnostic]) -> Vec<String> {
    faults.iter().map(|fault| fault.message.clone()).collect()
}

#[test]
fn drills_say_where_marks_and_rows_lead() {
    let report = drilled("{report: other, set: {as_of: \"{month:end}\", side: left}}", "{scope: \"{name}\"}");
    let report = report.unwrap();
    let drills = report.drills();
    assert_eq!(drills[0].report.as_ref().unwrap().as_str(), "other");
    assert!(matches!(&drills[0].set[0].1, Filling::Column { name, month_end: true } if **name == "month"));
    assert!(matches!(&drills[0].set[1].1, Filling::Fixed(text) if **text == "left"));
    assert!(matches!(&drills[1].scope, Some(Filling::Column { name, month_end: false }) if **name == "name"));

    let found = drilled("{}", "{scope: \"{nam}\", set: {top: \"{name\"}}").unwrap_err();
    assert_eq!(
        told(&found),
        [
            "a drill needs one of the keys `report`, `scope`, `set`, or it leads back to its own page",
            "dataset `top` (top.sql) has no column `nam`; did you mean `name`?",
            "`{name` must be `{column}`, `{column:end}` or a value without braces",
        ]
    );
    // The engine writes a name small unless it is quoted, and a column is found by its name as it is.
    let found = drilled("{set: {top: \"{Month}\"}}", "{scope: \"{name}\"}").unwrap_err();
    assert_eq!(told(&found), ["dataset `trend` (trend.sql) has no column `Month`; did you mean `month`?"]);
    // A word of a comment, of a text or of a parameter is no column.
    for name in ["nowhere", "price", "other", "as_of"] {
        let found = drilled(&format!("{{set: {{top: \"{{{name}}}\"}}}}"), "{scope: \"{name}\"}").unwrap_err();
        assert!(found[0].message.contains(&format!("has no column `{name}`")), "{found:?}");
    }
}

#[test]
fn drills_lead_to_reports_and_parameters_that_are_there() {
    let report = drilled("{report: other, set: {side: up, depth: 1}}", "{report: others, scope: \"{name}\"}").unwrap();
    let with = |parameters: &str| {
        let text = format!(
            "report: other\ntitle: {{en: Other}}\ncubes: [sales]\nparameters: {{{parameters}}}\ndatasets: {{kpi: {{sql: x.sql}}}}\n\
             blocks: [{{message: {{en: x}}}}]\n"
        );
        parse("reports/other/report.yaml", &text, &|_| Some("SELECT $side, $need".to_owned())).unwrap()
    };
    let other = with(
        "as_of: {type: as_of_date, every: month}, side: {type: choice, default: l, choices: {l: {en: L}}}, need: {type: text}",
    );
    let reports = [report.clone(), other];
    assert_eq!(
        told(&check_drills(&report, &reports, &[])),
        [
            "report `other` is only there for last days of periods: set `as_of` here",
            "report `other` needs the parameter `need`: set it here",
            "parameter `side` of report `other` must be one of `l`, not `up`",
            "report `other` has no parameter `depth`",
            "there is no report `others`; did you mean `other`?",
        ]
    );
    // What cannot be read has faults of its own, which are told there.
    let report = drilled("{report: faulty, set: {x: \"1\"}}", "{scope: \"{name}\"}").unwrap();
    assert!(check_drills(&report, std::slice::from_ref(&report), &["faulty".to_owned()]).is_empty());
    // Its own parameters, all of them: what is not set is as on the page.
    let report = drilled("{set: {side: right, as_of: latest}}", "{set: {sides: left}}").unwrap();
    let found = check_drills(&report, std::slice::from_ref(&report), &[]);
    assert_eq!(told(&found), ["report `overview` has no parameter `sides`; did you mean `side`?"]);
}

#[test]
fn long_data_have_one_column() {
    faults(
        &[("x: month, y: [amount", "x: month, by: branch, y: [amount")],
        &["report.yaml:19:86: chart `trend`: with `by` the series come from rows, so `y` has one column, not 2"],
    );
    let text =
        REPORT.replacen("kind: line", "kind: multiples", 1).replacen("x: month, y", "x: month, by: branch, y", 1);
    assert!(parse("reports/overview/report.yaml", &text, &sql).is_ok(), "panels hold a value and its plan");
}

#[test]
fn several_faults_of_one_report_come_together() {
    faults(
        &[
            ("report: overview", "report: over_view"),
            ("audience", "audiense"),
            ("type: date", "type: dates"),
            ("default: 10", "default: ten"),
            ("default: left", "default: up"),
            ("{sql: kpi.sql, rows: 1}", "{sql: kpis.sql, rows: 1}"),
            ("{sql: top.sql}", "{sql: ../top.sql}"),
            ("{kpi.amount:money}", "{kpis.amount:money}"),
            ("kpi: {dataset: kpi", "kpi: {dataset: trend"),
            ("id: top", "id: trend"),
            ("- text: {en: Notes}", "- text: {en: Notes}\n    note: {en: x}\n  - pivot: {}\n  - chart: [1]"),
        ],
        &[
            "report.yaml:1:9: report `over_view` stands in the folder `overview`; both must have one name",
            "report.yaml:3:1: a report has no key `audiense`; did you mean `audience`?",
            "report.yaml:7:16: `type` must be one of `as_of_date`, `date`, `month`, `integer`, `decimal`, `boolean`, `text`, `choice`, not `dates`; did you mean `date`?",
            "report.yaml:8:33: parameter `top`: `default` must be a whole number, not `ten`",
            "report.yaml:9:33: parameter `side`: `default` must be one of `left`, `right`, not `up`",
            "report.yaml:11:14: dataset `kpi`: there is no file `kpis.sql` beside the report",
            "report.yaml:13:14: `sql` must be a path inside the folder of this file, not `../top.sql`",
            "report.yaml:15:19: `{kpis.amount:money}`: there is no dataset `kpis`; did you mean `kpi`?",
            "report.yaml:17:24: a kpi needs a dataset with `rows: 1`, which `trend` does not have",
            "report.yaml:20:17: the id `trend` is given twice, first on line 19",
            "report.yaml:21:5: a block has exactly one key, one of `message`, `row`, `kpi`, `chart`, `table`, `text`",
            "report.yaml:22:5: a block has no key `note`; its keys are `message`, `row`, `kpi`, `chart`, `table`, `text`",
            "report.yaml:23:5: a block has no key `pivot`; its keys are `message`, `row`, `kpi`, `chart`, `table`, `text`",
            "report.yaml:24:12: `chart` must be a map, not a list",
        ],
    );
}

#[test]
fn parameters() {
    faults(
        &[
            ("as_of: {type: as_of_date, default: latest,", "at: {type: as_of_date, default: last_closed(month),"),
            ("from: {", "lang: {"),
            ("min: 3", "min: a"),
            ("{sql: kpi.sql,", "{sql: bad.sql,"),
            ("{sql: trend.sql, max_rows: 40}", "{sql: empty.sql}"),
            (
                "side: {type: choice, default: left, choices: {left: {en: Left}, right: {en: Right}}}",
                "side: {type: choice}",
            ),
        ],
        &[
            "bad.sql:2:24: dataset `kpi`: `$form` is not a parameter",
            "bad.sql:2:34: dataset `kpi`: `$from` is not a parameter",
            "bad.sql:2:42: dataset `kpi`: `$as_of` is not a parameter",
            "report.yaml:6:3: parameter `at`: a report has one parameter of type `as_of_date`, and its name is `as_of`",
            "report.yaml:6:3: parameter `at`: nothing uses it",
            "report.yaml:7:3: parameter `lang`: nothing uses it",
            "report.yaml:7:3: parameter `lang`: the name is reserved, as are `scope`, `as_of`, `lang`, `theme`, `unit`, `format`, `snapshot`, `page`",
            "report.yaml:7:31: parameter `lang`: `as_of` is not a parameter",
            "report.yaml:8:42: parameter `top`: `min` must be a whole number, not `a`",
            "report.yaml:9:9: parameter `side`: a choice needs the key `choices`",
            "report.yaml:12:16: dataset `trend`: `empty.sql` is empty",
            "report.yaml:15:19: `{as_of:date}`: there is no parameter `as_of`",
        ],
    );
}

#[test]
fn defaults_call_known_functions() {
    let text = REPORT.replace("months_before(as_of, 12)", "month_before(as_of, 12)");
    let found = parse("reports/overview/report.yaml", &text, &sql).unwrap_err();
    let [fault] = found.as_slice() else { panic!("one fault: {found:?}") };
    assert_eq!(fault.place.to_string(), "reports/overview/report.yaml:7:31");
    assert!(fault.message.starts_with("parameter `from`: `month_before` is not one of `last_closed`,"), "{fault}");
    assert!(fault.message.ends_with("; did you mean `months_before`?"), "{fault}");
}

#[test]
fn a_report_against_cubes() {
    let settings = tables(
        "- {name: fact_sale, kind: fact, key: [id], columns: [{name: id, type: text}, {name: amount, type: money}]}",
    );
    let text = "cube: {name: sales, fact: {table: fact_sale}, measures: [{name: amount, state: sum, of: amount}]}";
    let (model, found) = cube::parse(&[("cubes/sales.yaml".into(), text.into())], &settings);
    assert_eq!(found, []);
    assert_eq!(check(&good(), &model), []);
    let text = REPORT
        .replacen("cubes: [sales]", "cubes: [sales, sale]", 1)
        .replacen("sales.amount", "sold.amount", 1)
        .replacen("measure: sales.amount, bar", "measure: sales.amuont, bar", 1);
    let report = parse("reports/overview/report.yaml", &text, &sql).unwrap();
    assert_eq!(
        check(&report, &model).iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "reports/overview/report.yaml:4:16: there is no cube `sale`; did you mean `sales`?",
            "reports/overview/report.yaml:18:24: `sold` is not among the report's `cubes`; did you mean `sale`?",
            "reports/overview/report.yaml:20:78: cube `sales` has no measure `amuont`; did you mean `amount`?",
        ]
    );
}
