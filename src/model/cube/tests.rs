use super::{Additivity, HierarchyKind, Kept, Shift, State, TimeRule, describe_cube, parse};
use crate::model::table::DataType;
use crate::model::table::tests::tables;

const TABLES: &str = "\
- name: dim_date
  kind: dimension
  key: [date]
  columns: [{name: date, type: date}, {name: is_workday, type: boolean}]
- name: dim_org
  kind: dimension
  key: [org_id]
  surrogate: org_sk
  columns:
    - {name: org_id, type: text}
    - {name: parent_org_id, type: text}
    - {name: level_code, type: text}
    - {name: org_name, type: text}
    - {name: branch_code, type: text}
- name: dim_product
  kind: dimension
  key: [product_id]
  surrogate: product_sk
  columns:
    - {name: product_id, type: text}
    - {name: family_code, type: text}
    - {name: group_name, type: text}
    - {name: product_name, type: text}
- name: dim_employee
  kind: dimension
  key: [employee_id]
  columns: [{name: employee_id, type: text}, {name: employee_name, type: text}]
- name: fact_balance_monthly
  kind: fact
  key: [business_date, account_id]
  columns:
    - {name: business_date, type: date}
    - {name: account_id, type: text}
    - {name: org_sk, type: integer, references: dim_org}
    - {name: product_sk, type: integer, references: dim_product}
    - {name: owner_id, type: text}
    - {name: opener_id, type: text}
    - {name: end_balance, type: money}
    - {name: balance_day_sum, type: money}
    - {name: interest_amount, type: money}
";

const DIMENSIONS: &str = "\
calendars:
  - {name: bank, table: dim_date, day: date, business_day: is_workday}
dimensions:
  - name: organisation
    label: {en: Organisation, zh-CN: 机构}
    table: dim_org
    key: org_sk
    durable: org_id
    scope: {level: branch, key: branch_code}
    hierarchies:
      - name: organisation
        kind: ragged
        parent: parent_org_id
        level_of: level_code
        member: org_name
        fill: ancestor
        levels:
          - {name: head_office}
          - {name: branch, label: {en: Branch, zh-CN: 分行}}
          - {name: outlet, members: [outlet, department]}
  - name: product
    table: dim_product
    key: product_sk
    hierarchies:
      - name: product
        levels:
          - {name: product_family, column: family_code}
          - {name: product_line, column: group_name}
          - {name: product, column: product_name}
    attributes:
      - {name: product_code, column: product_id, hidden: true}
  - name: employee
    table: dim_employee
    key: employee_id
    attributes:
      - {name: employee_name, sensitivity: C2, kind: name}
";

const DEPOSITS: &str = "\
cube:
  name: deposits
  label: {en: Deposits, zh-CN: 存款}
  fact:
    table: fact_balance_monthly
    grain: [account_id, business_date]
    where: product_family = 'deposit'
    snapshot: month_end
  time: {key: business_date, calendar: bank, levels: [business_date, month, quarter, year]}
  joins:
    - {dimension: organisation, on: org_sk}
    - {dimension: product, on: product_sk}
    - {dimension: employee, on: owner_id, as: owner}
    - {dimension: employee, on: opener_id, as: opener}
  attributes: [{name: account, column: account_id}]
  measures:
    - {name: interest, state: sum, of: interest_amount, type: money, unit: CNY, good: down}
    - {name: balance, state: sum, of: end_balance, time: close, unit: CNY, good: up, role: balance}
    - {name: balance_daily_average, state: sum, time: average_daily, day_sum: balance_day_sum}
    - {name: accounts, state: count, time: close, call: count}
    - {name: products, state: distinct, of: product.product_code}
    - {name: peak, state: max, of: end_balance}
    - {name: cost_rate, state: ratio, unit: percent,
       numerator: {state: sum, of: interest_amount * 365}, denominator: balance_day_sum}
";

fn files(dimensions: &str, deposits: &str) -> Vec<(String, String)> {
    vec![
        ("cubes/dimensions.yaml".to_owned(), dimensions.to_owned()),
        ("cubes/deposits.yaml".to_owned(), deposits.to_owned()),
    ]
}

/// The last line of the good cube, where rollups follow.
const LAST: &str = "denominator: balance_day_sum}\n";

/// The key `rollups` after [`LAST`]; the first entry begins at 26:7.
fn rollups(entries: &[&str]) -> String {
    format!("{LAST}  rollups:\n    - {}\n", entries.join("\n    - "))
}

/// What is said of the good files with these rollups after these replacements.
#[track_caller]
fn check_rollups(replacements: &[(&str, &str)], entries: &[&str], expected: &[&str]) {
    let rollups = rollups(entries);
    let mut all = vec![(LAST, rollups.as_str())];
    all.extend_from_slice(replacements);
    check(&all, expected);
}

/// What is said of the good files after these replacements.
#[track_caller]
fn check(replacements: &[(&str, &str)], expected: &[&str]) {
    let (mut dimensions, mut deposits) = (DIMENSIONS.to_owned(), DEPOSITS.to_owned());
    for (from, to) in replacements {
        assert!(dimensions.contains(from) || deposits.contains(from), "nothing to replace: {from}");
        dimensions = dimensions.replacen(from, to, 1);
        deposits = deposits.replacen(from, to, 1);
    }
    let (_, faults) = parse(&files(&dimensions, &deposits), &tables(TABLES));
    assert_eq!(faults.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn a_model_holds_what_is_written() {
    let (model, faults) = parse(&files(DIMENSIONS, DEPOSITS), &tables(TABLES));
    assert_eq!(faults, []);
    let (organisation, scope) = model.scope().unwrap();
    assert_eq!((organisation.name.as_str(), scope.key.as_str()), ("organisation", "branch_code"));
    assert!(matches!(organisation.hierarchies[0].kind, HierarchyKind::Ragged { .. }));
    let levels = &organisation.hierarchies[0].levels;
    assert_eq!(levels[1].members, ["branch"]);
    assert_eq!(levels[2].members, ["outlet", "department"]);
    assert!(levels.iter().all(|level| level.column.is_none()));
    let product = model.dimension("product").unwrap();
    assert_eq!(product.columns(), ["product_family", "product_line", "product"]);
    assert_eq!(model.dimension("employee").unwrap().attributes[0].column.as_str(), "employee_name");

    let cube = model.cube("deposits").unwrap();
    assert_eq!(cube.fact.filter.as_ref().unwrap().as_str(), "product_family = 'deposit'");
    let measure = |name: &str| cube.measures.iter().find(|measure| *measure.name == name).unwrap();
    assert_eq!(measure("interest").additivity(), Additivity::Additive);
    assert_eq!(measure("balance").additivity(), Additivity::SemiAdditive);
    assert_eq!(measure("balance").data_type, DataType::MONEY);
    assert_eq!(measure("accounts").data_type, DataType::Integer);
    assert_eq!(measure("products").data_type, DataType::Integer);
    assert_eq!(measure("cost_rate").data_type, DataType::Decimal(9, 6));
    assert_eq!(measure("accounts").declared_aggregate(), Some("count"));
    let State::Ratio { numerator, denominator } = &measure("cost_rate").state else { panic!("a ratio") };
    assert_eq!((numerator.as_str(), denominator.as_str()), ("interest_amount * 365", "balance_day_sum"));
    assert_eq!(numerator.place.to_string(), "cubes/deposits.yaml:24:36");
    let average = measure("balance_daily_average");
    assert!(matches!(&average.time, TimeRule::AverageDaily { day_sum: Some(column) } if **column == "balance_day_sum"));
    assert!(matches!(&average.state, State::Sum { of } if **of == "balance_day_sum"));
}

#[test]
fn a_cube_describes_itself() {
    let (model, _) = parse(&files(DIMENSIONS, DEPOSITS), &tables(TABLES));
    assert_eq!(
        describe_cube(&model, &model.cubes[0]),
        "cube deposits (Deposits, 存款)
  fact fact_balance_monthly
  time business_date, month, quarter, year
  dimension organisation (Organisation, 机构): head_office, branch, outlet
  dimension product: product_family, product_line, product
  dimension owner: owner_employee_name
  dimension opener: opener_employee_name
  attributes account
  measure interest: money in CNY, additive, sum of interest_amount, call it by sum or MEASURE
  measure balance: money in CNY, semi-additive, sum of end_balance, at the close, call it by sum or MEASURE
  measure balance_daily_average: money, semi-additive, sum of balance_day_sum, daily average, call it by MEASURE
  measure accounts: integer, semi-additive, count of rows, at the close, call it by count or MEASURE
  measure products: integer, non-additive, distinct product.product_code, call it by count_distinct or MEASURE
  measure peak: money, non-additive, max of end_balance, call it by max or MEASURE
  measure cost_rate: decimal(9,6) in percent, non-additive, sum of interest_amount * 365 / sum of balance_day_sum, \
         call it by MEASURE
"
    );
}

#[test]
fn time_levels_are_all_but_the_week_unless_stated() {
    let text = DEPOSITS.replace(", levels: [business_date, month, quarter, year]", "");
    let (model, faults) = parse(&files(DIMENSIONS, &text), &tables(TABLES));
    assert_eq!(faults, []);
    let levels: Vec<&str> = model.cubes[0].time.as_ref().unwrap().levels.iter().map(|level| level.as_str()).collect();
    assert_eq!(levels, ["business_date", "month", "quarter", "year"]);
    check(&[("levels: [business_date, month,", "levels: [business_date, week, month,")], &[]);
}

#[test]
fn misspelt_dimension() {
    check(
        &[("dimension: organisation,", "dimension: organization,")],
        &[
            "cubes/deposits.yaml:11:19: cube `deposits`: there is no dimension `organization`; did you mean `organisation`?",
        ],
    );
}

#[test]
fn cyclic_hierarchy() {
    check(
        &[("{name: product, column: product_name}", "{name: product_family, column: family_code}")],
        &[
            "cubes/dimensions.yaml:29:20: dimension `product`: cyclic hierarchy `product`: level `product_family` stands in it twice",
        ],
    );
    check(
        &[(
            "    attributes:\n      - {name: product_code",
            "      - name: marketing\n        levels: [{name: product, column: product_name}, \
             {name: product_family, column: family_code}]\n    attributes:\n      - {name: product_code",
        )],
        &[
            "cubes/dimensions.yaml:31:64: dimension `product`: cyclic hierarchies: `product` above `product_family` above \
           `product_line` above `product`",
        ],
    );
    check(
        &[("parent: parent_org_id", "parent: org_id")],
        &[
            "cubes/dimensions.yaml:13:17: dimension `organisation`: cyclic hierarchy `organisation`: every member would be its own parent",
        ],
    );
}

#[test]
fn unknown_measure_class() {
    check(
        &[
            ("state: max", "state: maximum"),
            ("state: sum, of: end_balance, time: close", "state: sum, of: end_balance, time: closing"),
        ],
        &[
            "cubes/deposits.yaml:18:58: `time` must be one of `all`, `close`, `average_daily`, `last_seen`, `opening`, `movement`, not `closing`",
            "cubes/deposits.yaml:22:27: `state` must be one of `sum`, `count`, `min`, `max`, `avg`, `ratio`, `distinct`, `variance`, `stddev`, not `maximum`; did you mean `max`?",
        ],
    );
}

#[test]
fn several_faults_of_one_file_come_together() {
    check(
        &[
            ("label: {en: Deposits", "lable: {en: Deposits"),
            ("calendar: bank", "calendar: banks"),
            ("as: owner}", "as: Owner}"),
            ("name: interest, state: sum, of: interest_amount", "name: interest, state: sum, of: [a]"),
            ("{name: peak, state: max,", "{name: balance, state: max,"),
            ("call: count", "call: 5"),
            ("unit: percent,", "unit: percent, of: x, good: yes,"),
        ],
        &[
            "cubes/deposits.yaml:3:3: a cube has no key `lable`; did you mean `label`?",
            "cubes/deposits.yaml:9:40: cube `deposits`: there is no calendar `banks`; did you mean `bank`?",
            "cubes/deposits.yaml:13:47: `as` must be a name of lower-case letters, digits and `_` that begins with a letter, not `Owner`",
            "cubes/deposits.yaml:17:40: `of` must be text, not a list",
            "cubes/deposits.yaml:20:57: `call` must be one of `sum`, `count`, `min`, `max`, `avg`, `count_distinct`, not `5`",
            "cubes/deposits.yaml:22:14: cube `deposits`: measure `balance` has the name of another measure",
            "cubes/deposits.yaml:23:54: measure `cost_rate`: `of` is not for a ratio, which has `numerator` and `denominator`",
            "cubes/deposits.yaml:23:67: `good` must be one of `up`, `down`, `none`, not `yes`",
        ],
    );
}

#[test]
fn a_syntax_error_hides_its_own_file_only() {
    check(
        &[("dimension: product, on", "dimension: product on: x, y")],
        &["cubes/deposits.yaml:12:29: not YAML: while parsing a flow mapping, did not find expected ',' or '}'"],
    );
}

#[test]
fn names_are_columns_of_one_view() {
    check(
        &[
            ("on: owner_id, as: owner}", "on: owner_id}"),
            ("on: opener_id, as: opener}", "on: opener_id}"),
            ("name: interest,", "name: branch,"),
            ("name: balance,", "name: month,"),
            ("levels: [business_date, month,", "levels: [days, month, month,"),
            ("{name: account, column: account_id}", "{name: product, column: accont_id}"),
            ("{name: employee_name, sensitivity", "{name: product_line, column: employee_name, sensitivity"),
        ],
        &[
            "cubes/deposits.yaml:9:55: cube `deposits`: `days` is not a time level; they are `business_date`, `week`, `month`, `quarter`, `year`",
            "cubes/deposits.yaml:9:68: cube `deposits`: time level `month` is named twice",
            "cubes/deposits.yaml:13:19: cube `deposits`: `product_line`, a column of dimension `employee`, is already a column of dimension `product`; give the join a role with `as`",
            "cubes/deposits.yaml:14:19: cube `deposits`: dimension `employee` is joined twice; give each join a role of its own with `as`",
            "cubes/deposits.yaml:15:23: cube `deposits`: attribute `product` has the name of a column of dimension `product`",
            "cubes/deposits.yaml:15:40: cube `deposits`: table `fact_balance_monthly` has no column `accont_id`; did you mean `account_id`?",
            "cubes/deposits.yaml:17:14: cube `deposits`: measure `branch` has the name of a column of dimension `organisation`",
            "cubes/deposits.yaml:18:14: cube `deposits`: measure `month` has the name of a time level",
        ],
    );
}

#[test]
fn columns_and_tables_must_exist() {
    check(
        &[
            ("table: dim_date", "table: fact_balance_monthly"),
            ("key: org_sk", "key: branch_code"),
            ("durable: org_id", "durable: org_ids"),
            ("level: branch, key: branch_code", "level: brnach, key: branch_cod"),
            ("column: group_name", "column: group_names"),
            ("table: dim_employee", "table: dim_employees"),
            (
                "table: fact_balance_monthly\n    grain: [account_id,",
                "table: fact_balance_monthly\n    grain: [org_sk,",
            ),
            ("key: business_date, calendar", "key: end_balance, calendar"),
            ("organisation, on: org_sk", "organisation, on: product_sk"),
            ("product, on: product_sk", "product, on: org_id"),
            ("employee, on: owner_id", "employee, on: end_balance"),
            ("table: dim_employees", "table: dim_employee\n    scope: {level: a, key: employee_name}"),
            ("day_sum: balance_day_sum", "day_sum: balance_day_sums"),
        ],
        &[
            "cubes/deposits.yaml:6:5: cube `deposits`: the grain must be the key of `fact_balance_monthly`: `business_date`, `account_id`",
            "cubes/deposits.yaml:9:15: cube `deposits`: column `end_balance` must be of type date, not money",
            "cubes/deposits.yaml:9:53: cube `deposits`: `business_date` is not a time level; they are `end_balance`, `week`, `month`, `quarter`, `year`",
            "cubes/deposits.yaml:11:37: cube `deposits`: column `product_sk` references `dim_product`, but dimension `organisation` is in `dim_org`",
            "cubes/deposits.yaml:12:32: cube `deposits`: table `fact_balance_monthly` has no column `org_id`; did you mean `org_sk`?",
            "cubes/deposits.yaml:13:33: cube `deposits`: column `end_balance` is of type money, but the key of dimension `employee` is of type text",
            "cubes/deposits.yaml:19:79: cube `deposits`: table `fact_balance_monthly` has no column `balance_day_sums`; did you mean `balance_day_sum`?",
            "cubes/dimensions.yaml:2:25: calendar `bank`: `fact_balance_monthly` is a fact table; a dimension table is needed here",
            "cubes/dimensions.yaml:7:10: dimension `organisation`: `branch_code` does not identify a row of `dim_org`; its surrogate is `org_sk`",
            "cubes/dimensions.yaml:8:14: dimension `organisation`: table `dim_org` has no column `org_ids`; did you mean `org_id`?",
            "cubes/dimensions.yaml:9:20: dimension `organisation`: `brnach` is not a level of its hierarchies; did you mean `branch`?",
            "cubes/dimensions.yaml:9:33: dimension `organisation`: table `dim_org` has no column `branch_cod`; did you mean `branch_code`?",
            "cubes/dimensions.yaml:28:42: dimension `product`: table `dim_product` has no column `group_names`; did you mean `group_name`?",
            "cubes/dimensions.yaml:34:20: dimension `employee`: `a` is not a level of its hierarchies",
            "cubes/dimensions.yaml:34:20: dimension `employee`: dimension `organisation` already cuts the bank into branches",
        ],
    );
}

#[test]
fn ragged_hierarchies() {
    check(
        &[
            ("    durable: org_id\n", ""),
            ("        member: org_name\n", ""),
            (
                "{name: outlet, members: [outlet, department]}",
                "{name: outlet, members: [outlet, branch], column: org_name}",
            ),
            ("column: family_code}", "column: family_code, members: [a]}"),
            (
                "      - name: product\n        levels",
                "      - name: product\n        parent: product_id\n        levels",
            ),
        ],
        &[
            "cubes/dimensions.yaml:10:9: hierarchy `organisation`: a ragged hierarchy needs the key `member`",
            "cubes/dimensions.yaml:10:15: dimension `organisation`: a ragged hierarchy needs the dimension's `durable` key, which parents name",
            "cubes/dimensions.yaml:18:20: dimension `organisation`: `branch` stands on the levels `branch` and `outlet`",
            "cubes/dimensions.yaml:18:55: level `outlet`: `column` is for hierarchies with a column per level",
            "cubes/dimensions.yaml:24:9: hierarchy `product`: `parent` is for ragged hierarchies (`kind: ragged`)",
            "cubes/dimensions.yaml:26:57: level `product_family`: `members` is for ragged hierarchies (`kind: ragged`)",
        ],
    );
}

#[test]
fn time_rules_need_a_snapshot() {
    check(
        &[("    snapshot: month_end\n", "")],
        &[
            "cubes/deposits.yaml:17:14: cube `deposits`: measure `balance` with `time: close` needs `fact.snapshot`",
            "cubes/deposits.yaml:18:14: cube `deposits`: measure `balance_daily_average` with `time: average_daily` needs `fact.snapshot`",
            "cubes/deposits.yaml:19:14: cube `deposits`: measure `accounts` with `time: close` needs `fact.snapshot`",
        ],
    );
    check(
        &[("  time: {key: business_date, calendar: bank, levels: [business_date, month, quarter, year]}\n", "")],
        &[
            "cubes/deposits.yaml:17:14: cube `deposits`: measure `balance` with `time: close` needs the cube's `time`",
            "cubes/deposits.yaml:18:14: cube `deposits`: measure `balance_daily_average` with `time: average_daily` needs the cube's `time`",
            "cubes/deposits.yaml:19:14: cube `deposits`: measure `accounts` with `time: close` needs the cube's `time`",
        ],
    );
    check(
        &[(
            "state: sum, time: average_daily, day_sum: balance_day_sum",
            "state: sum, of: end_balance, time: average_daily",
        )],
        &[
            "cubes/deposits.yaml:19:14: cube `deposits`: measure `balance_daily_average` needs `day_sum`, the column with the sum over the days that a row stands for: the fact does not have a row for every day",
        ],
    );
    check(
        &[
            ("snapshot: month_end", "snapshot: every_day"),
            (
                "state: sum, time: average_daily, day_sum: balance_day_sum",
                "state: sum, of: end_balance, time: average_daily",
            ),
        ],
        &[],
    );
    check(
        &[("state: max, of: end_balance", "state: max, of: end_balance, time: last_seen")],
        &[
            "cubes/deposits.yaml:22:49: measure `peak`: state `max` is not taken where it was last seen; only `sum` and `count` are",
        ],
    );
    check(
        &[(
            "state: sum, time: average_daily, day_sum: balance_day_sum",
            "state: sum, of: end_balance, time: last_seen, compare: [prior_year, ytd]",
        )],
        &[
            "cubes/deposits.yaml:19:105: measure `balance_daily_average`: `ytd` adds days up, and the measure is taken on one day; compare its `average_daily` instead",
        ],
    );
    check(
        &[
            ("state: max, of: end_balance", "state: max, of: end_balance, time: average_daily, day_sum: account_id"),
            ("of: interest_amount, type", "of: interest_amount, day_sum: end_balance, type"),
        ],
        &[
            "cubes/deposits.yaml:17:57: measure `interest`: `day_sum` is for `time: average_daily`",
            "cubes/deposits.yaml:22:49: measure `peak`: state `max` has no daily average; only `sum` and `count` do",
            "cubes/deposits.yaml:22:79: cube `deposits`: column `account_id` must be a number, not text",
        ],
    );
    check(
        &[(", business_day: is_workday", ""), ("snapshot: month_end", "snapshot: business_day")],
        &[
            "cubes/deposits.yaml:9:40: cube `deposits`: `snapshot: business_day` needs calendar `bank` to name its `business_day`",
        ],
    );
}

#[test]
fn states_need_their_keys_and_types() {
    check(
        &[
            ("state: sum, of: interest_amount, type: money", "state: sum, numerator: x, type: text"),
            ("state: distinct, of: product.product_code", "state: distinct, of: product.product_code, type: money"),
            ("denominator: balance_day_sum}", "denominatr: balance_day_sum}"),
            ("numerator: {state: sum,", "numerator: {state: min,"),
        ],
        &[
            "cubes/deposits.yaml:17:7: measure `interest`: state `sum` needs the key `of`",
            "cubes/deposits.yaml:17:36: measure `interest`: `numerator` is for `state: ratio`",
            "cubes/deposits.yaml:17:56: measure `interest`: state `sum` gives a number, not text",
            "cubes/deposits.yaml:21:73: measure `products`: state `distinct` counts, so its type is integer, not money",
            "cubes/deposits.yaml:23:7: measure `cost_rate`: a ratio needs the key `denominator`",
            "cubes/deposits.yaml:24:27: `state` must be one of `sum`, not `min`",
            "cubes/deposits.yaml:24:60: a measure has no key `denominatr`; did you mean `denominator`?",
        ],
    );
}

/// The good cube with comparisons at its balance, and calculated measures after its own.
fn compared(list: &str, calculated: &[&str]) -> String {
    let calculated = match calculated {
        [] => String::new(),
        entries => format!("  calculated:\n    - {}\n", entries.join("\n    - ")),
    };
    DEPOSITS
        .replace("role: balance}", &format!("role: balance, label: {{en: Balance, zh-CN: 余额}}, compare: {list}}}"))
        + &calculated
}

#[test]
fn comparisons_are_measures_of_their_own() {
    let text = compared("[prior_year, year_start]", &["{name: share, share_of: balance, within: organisation.parent}"]);
    let text = text.replace(
        "    - {name: accounts",
        "    - {name: balance_opening, time: opening, from: balance}\n    - {name: accounts",
    );
    let (model, faults) = parse(&files(DIMENSIONS, &text), &tables(TABLES));
    assert_eq!(faults, []);
    let cube = model.cube("deposits").unwrap();
    let names: Vec<&str> = cube.measures.iter().map(|measure| measure.name.as_str()).collect();
    assert_eq!(
        names[1..9],
        [
            "balance",
            "balance_prior_year",
            "balance_vs_prior_year",
            "balance_vs_prior_year_pct",
            "balance_year_start",
            "balance_vs_year_start",
            "balance_vs_year_start_pct",
            "balance_daily_average",
        ]
    );
    let change = cube.measure("balance_vs_year_start").unwrap();
    assert_eq!(
        (change.label["en"].as_str(), change.label["zh-CN"].as_str()),
        ("Balance against start of year", "余额·较年初")
    );
    assert_eq!(
        (change.data_type, change.unit.as_deref(), change.declared_aggregate()),
        (DataType::MONEY, Some("CNY"), Some("sum"))
    );
    let relative = cube.measure("balance_vs_prior_year_pct").unwrap();
    assert_eq!((relative.unit.as_deref(), relative.declared_aggregate()), (Some("percent"), None));
    assert_eq!(relative.additivity(), Additivity::NonAdditive);
    let opening = cube.measure("balance_opening").unwrap();
    assert_eq!((opening.data_type, opening.unit.as_deref()), (DataType::MONEY, Some("CNY")));
    let described = describe_cube(&model, cube);
    assert!(described.contains(
        "measure balance_opening: money in CNY, non-additive, balance at opening, call it by sum or MEASURE"
    ));
    assert!(described.contains("share of balance within the parent in organisation"), "{described}");
}

#[test]
fn every_comparison_has_a_name_that_reads_back() {
    for name in Shift::NAMES {
        assert_eq!(Shift::named(name).unwrap().to_string(), name);
    }
    assert_eq!(Shift::named("rolling_12_month").unwrap().to_string(), "rolling_12_months");
    for name in ["rolling_0_days", "rolling_3_parsecs", "ytd_prior_period", "opening", ""] {
        assert_eq!(Shift::named(name), None, "{name}");
    }
}

#[test]
fn faults_of_comparisons_and_calculations() {
    let said = |text: &str| {
        let (_, faults) = parse(&files(DIMENSIONS, text), &tables(TABLES));
        faults.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        said(&compared("[prior_yaer, ytd]", &[])),
        [
            "cubes/deposits.yaml:18:144: measure `balance`: `prior_yaer` is not a comparison; did you mean `prior_year`?",
            "cubes/deposits.yaml:18:156: measure `balance`: `ytd` adds days up, and the measure is taken on one day; compare its `average_daily` instead",
        ]
    );
    assert_eq!(
        said(&compared(
            "[prior_year]",
            &[
                "{name: a, share_of: products}",
                "{name: b, rank_of: balanse, within: organisation.parent}",
                "{name: c, rank_of: balance, within: organisation.city}",
                "{name: d, rank_of: balance, share_of: balance}",
                "{name: e, expression: balance / accounts, within: all, order: highest_first}",
            ]
        )),
        [
            "cubes/deposits.yaml:26:27: cube `deposits`: measure `a`: a share is of a sum or a count, whose parts add up to the whole, and `products` is neither",
            "cubes/deposits.yaml:27:26: cube `deposits`: measure `b`: no measure `balanse` is declared before it; did you mean `balance`?",
            "cubes/deposits.yaml:28:14: cube `deposits`: measure `c`: `organisation` has no level `city`; known: `head_office`, `branch`, `outlet`",
            "cubes/deposits.yaml:29:7: calculated measure `d`: needs one of `expression`, `share_of`, `rank_of`",
            "cubes/deposits.yaml:30:49: calculated measure `e`: `within` is for `share_of` and `rank_of`",
            "cubes/deposits.yaml:30:62: calculated measure `e`: `order` is for `rank_of`",
        ]
    );
    let opening =
        |entry: &str| DEPOSITS.replace("    - {name: accounts", &format!("    - {entry}\n    - {{name: accounts"));
    assert_eq!(
        said(&opening("{name: first, time: opening, from: interest, state: sum}")),
        [
            "cubes/deposits.yaml:20:42: measure `first`: `interest` is not a measure with `time: close` that is declared before it",
            "cubes/deposits.yaml:20:52: measure `first`: `state` is for a measure with a state of its own; this one has that of its `from`",
        ]
    );
    assert_eq!(
        said(&opening("{name: nothing}")),
        ["cubes/deposits.yaml:20:7: measure `nothing`: a measure needs the key `state`"]
    );
}

#[test]
fn a_rollup_stores_no_comparison() {
    let text = compared("[prior_year]", &[])
        + "  rollups:\n    - {name: r, dims: [], time: month, measures: [balance_prior_year]}\n";
    let (_, faults) = parse(&files(DIMENSIONS, &text), &tables(TABLES));
    assert_eq!(
        faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "cubes/deposits.yaml:26:51: cube `deposits`: rollup `r`: measure `balance_prior_year` stores nothing of its own; name `balance`, from which it is finished"
        ]
    );
}

#[test]
fn a_file_is_named_after_its_cube_and_names_are_unique() {
    let twice = vec![
        ("cubes/deposits.yaml".to_owned(), DEPOSITS.to_owned()),
        ("cubes/loans.yaml".to_owned(), DEPOSITS.to_owned()),
        ("cubes/a.yaml".to_owned(), DIMENSIONS.to_owned()),
        ("cubes/b.yaml".to_owned(), DIMENSIONS.to_owned()),
    ];
    let (_, faults) = parse(&twice, &tables(TABLES));
    assert_eq!(
        faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "cubes/b.yaml:2:12: calendar `bank` is declared twice, first at cubes/a.yaml:2:12",
            "cubes/b.yaml:4:11: dimension `organisation` is declared twice, first at cubes/a.yaml:4:11",
            "cubes/b.yaml:9:20: dimension `organisation`: dimension `organisation` already cuts the bank into branches",
            "cubes/b.yaml:21:11: dimension `product` is declared twice, first at cubes/a.yaml:21:11",
            "cubes/b.yaml:32:11: dimension `employee` is declared twice, first at cubes/a.yaml:32:11",
            "cubes/loans.yaml:2:9: cube `deposits` is declared twice, first at cubes/deposits.yaml:2:9",
            "cubes/loans.yaml:2:9: cube `deposits` stands in `cubes/loans.yaml`; its file must be `deposits.yaml`",
        ]
    );
}

/// Two good rollups.
const ROLLUPS: &[&str] = &[
    "{name: by_branch, dims: [organisation.branch, product, owner.employee_name, account], time: month, \
      measures: [interest, balance], where: \"product_line <> 'demand'\"}",
    "{name: totals, dims: [], time: year}",
];

#[test]
fn rollups_hold_what_is_written() {
    let text = DEPOSITS.replace(LAST, &rollups(ROLLUPS));
    let (model, faults) = parse(&files(DIMENSIONS, &text), &tables(TABLES));
    assert_eq!(faults, []);
    let cube = model.cube("deposits").unwrap();
    let [by_branch, totals] = cube.rollups.as_slice() else { panic!("two rollups") };
    assert_eq!((by_branch.name.as_str(), by_branch.table().as_str()), ("by_branch", "rollup_by_branch"));
    assert_eq!(by_branch.dims.len(), 4);
    assert_eq!(by_branch.dims[1].place.to_string(), "cubes/deposits.yaml:26:53");
    assert_eq!(by_branch.time.as_ref().unwrap().as_str(), "month");
    let measures: Vec<&str> = by_branch.measures.iter().map(|measure| measure.as_str()).collect();
    assert_eq!(measures, ["interest", "balance"]);
    assert_eq!(by_branch.filter.as_ref().unwrap().as_str(), "product_line <> 'demand'");
    assert!(totals.dims.is_empty() && totals.measures.is_empty() && totals.filter.is_none());
    let described = describe_cube(&model, cube);
    assert!(
        described.ends_with(
            "call it by MEASURE
  rollup by_branch: organisation.branch, product, owner.employee_name, account by month, measures interest, balance, \
             where product_line <> 'demand'
  rollup totals: the whole cube by year, row counts only
"
        ),
        "{described}"
    );
}

#[test]
fn a_rollup_keeps_what_its_dims_name() {
    let (model, _) = parse(&files(DIMENSIONS, DEPOSITS), &tables(TABLES));
    let cube = model.cube("deposits").unwrap();
    let kept = |dim: &str| cube.kept(&model, dim);
    assert!(
        matches!(kept("organisation.branch"), Some(Kept::Level { join: 0, hierarchy, level: 1 }) if *hierarchy.name == "organisation")
    );
    assert!(matches!(kept("product"), Some(Kept::Dimension { join: 1 })));
    assert!(
        matches!(kept("opener.employee_name"), Some(Kept::Attribute { join: 3, attribute }) if *attribute.name == "employee_name")
    );
    assert!(matches!(kept("account"), Some(Kept::FactAttribute(attribute)) if *attribute.column == "account_id"));
    for dim in
        ["employee", "employee.employee_name", "product.product_code", "branch", "month", "interest", "product.", ""]
    {
        assert!(kept(dim).is_none(), "{dim}");
    }
}

#[test]
fn names_of_rollups_are_unique() {
    let entry = "{name: by_branch, dims: [organisation.branch], time: month}";
    check_rollups(
        &[],
        &[entry, entry],
        &["cubes/deposits.yaml:27:14: rollup `by_branch` is declared twice, first at cubes/deposits.yaml:26:14"],
    );
    let deposits = DEPOSITS.replace(LAST, &rollups(&[entry]));
    let mut two = files(DIMENSIONS, &deposits);
    two.push(("cubes/loans.yaml".to_owned(), deposits.replacen("name: deposits", "name: loans", 1)));
    let declared = format!(
        "{TABLES}- name: rollup_by_branch\n  kind: dimension\n  key: [id]\n  columns: [{{name: id, type: text}}]\n"
    );
    let (_, faults) = parse(&two, &tables(&declared));
    let line = declared.lines().position(|line| line.ends_with("rollup_by_branch")).unwrap() + 1;
    assert_eq!(
        faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            format!(
                "cubes/deposits.yaml:26:14: cube `deposits`: rollup `by_branch`: its table `rollup_by_branch` is already \
                 declared at t.yaml:{line}:9; rename the rollup"
            ),
            format!(
                "cubes/loans.yaml:26:14: cube `loans`: rollup `by_branch`: its table `rollup_by_branch` is already \
                 declared at t.yaml:{line}:9; rename the rollup"
            ),
            "cubes/loans.yaml:26:14: rollup `by_branch` is declared twice, first at cubes/deposits.yaml:26:14"
                .to_owned(),
        ]
    );
}

#[test]
fn dims_of_a_rollup_must_exist() {
    check_rollups(
        &[],
        &[
            "{name: a, dims: [organization.branch, organisation.brnach, product.colour, product.product_code], time: year}",
            "{name: b, dims: [acount, segment, branch, employee_name, owner_employee_name, month], time: year}",
        ],
        &[
            "cubes/deposits.yaml:26:24: cube `deposits`: rollup `a`: the cube joins no `organization`; did you mean `organisation`?",
            "cubes/deposits.yaml:26:45: cube `deposits`: rollup `a`: `organisation` has no level or attribute `brnach`; did you mean `branch`?",
            "cubes/deposits.yaml:26:66: cube `deposits`: rollup `a`: `product` has no level or attribute `colour`; known: `product_family`, `product_line`, `product`",
            "cubes/deposits.yaml:26:82: cube `deposits`: rollup `a`: attribute `product.product_code` is hidden: it is for measures only",
            "cubes/deposits.yaml:27:24: cube `deposits`: rollup `b`: `acount` is neither a dimension of the cube nor an attribute of the fact; did you mean `account`?",
            "cubes/deposits.yaml:27:32: cube `deposits`: rollup `b`: `segment` is neither a dimension of the cube nor an attribute of the fact; known: `organisation`, `product`, `owner`, `opener`, `account`",
            "cubes/deposits.yaml:27:41: cube `deposits`: rollup `b`: `branch` is of a dimension; write `organisation.branch`",
            "cubes/deposits.yaml:27:49: cube `deposits`: rollup `b`: `employee_name` is of a dimension; write `owner.employee_name` or `opener.employee_name`",
            "cubes/deposits.yaml:27:64: cube `deposits`: rollup `b`: `owner_employee_name` is of a dimension; write `owner.employee_name`",
            "cubes/deposits.yaml:27:85: cube `deposits`: rollup `b`: `month` is a time level, which the key `time` names",
        ],
    );
    // A dimension that does not exist is reported at its join alone.
    check_rollups(
        &[("dimension: organisation, on: org_sk", "dimension: organisations, on: org_sk, as: unit")],
        &["{name: a, dims: [unit.branch, unit], time: year}"],
        &[
            "cubes/deposits.yaml:11:19: cube `deposits`: there is no dimension `organisations`; did you mean `organisation`?",
        ],
    );
}

#[test]
fn dims_of_a_rollup_are_kept_once() {
    check_rollups(
        &[],
        &[
            "{name: a, dims: [account, product.product, account], time: year}",
            "{name: b, dims: [organisation.branch, organisation.outlet, product.product_line, product], time: year}",
        ],
        &[
            "cubes/deposits.yaml:26:50: cube `deposits`: rollup `a`: `account` is named twice",
            "cubes/deposits.yaml:27:24: cube `deposits`: rollup `b`: `organisation.branch` is kept with `organisation.outlet`; leave it out",
            "cubes/deposits.yaml:27:66: cube `deposits`: rollup `b`: `product.product_line` is kept with `product`; leave it out",
        ],
    );
}

#[test]
fn time_of_a_rollup() {
    check_rollups(
        &[],
        &[
            "{name: a, dims: [product], time: mnth}",
            "{name: b, dims: [product], time: week}",
            "{name: c, dims: [product]}",
        ],
        &[
            "cubes/deposits.yaml:26:40: cube `deposits`: rollup `a`: `mnth` is not a time level of the cube; did you mean `month`?",
            "cubes/deposits.yaml:27:40: cube `deposits`: rollup `b`: `week` is not a time level of the cube; known: `business_date`, `month`, `quarter`, `year`",
            "cubes/deposits.yaml:28:14: cube `deposits`: rollup `c`: the key `time` is needed, one of `business_date`, `month`, `quarter`, `year`",
        ],
    );
    // Nothing more is said of a value that was refused.
    check_rollups(
        &[],
        &["{name: a, dims: [product], time: Month}"],
        &[
            "cubes/deposits.yaml:26:40: `time` must be a name of lower-case letters, digits and `_` that begins with a letter, not `Month`",
        ],
    );
    check_rollups(
        &[("  time: {key: business_date, calendar: bank, levels: [business_date, month, quarter, year]}\n", "")],
        &["{name: a, dims: [product], time: year}", "{name: b, dims: [product]}"],
        &[
            "cubes/deposits.yaml:17:14: cube `deposits`: measure `balance` with `time: close` needs the cube's `time`",
            "cubes/deposits.yaml:18:14: cube `deposits`: measure `balance_daily_average` with `time: average_daily` needs the cube's `time`",
            "cubes/deposits.yaml:19:14: cube `deposits`: measure `accounts` with `time: close` needs the cube's `time`",
            "cubes/deposits.yaml:25:40: cube `deposits`: rollup `a`: `time` is for cubes that have a time",
        ],
    );
}

#[test]
fn measures_of_a_rollup() {
    check_rollups(
        &[],
        &[
            "{name: a, dims: [product], time: year, measures: [interest, balnce, interest, volume]}",
            "{name: b, dims: [product], time: year, measures: []}",
        ],
        &[
            "cubes/deposits.yaml:26:67: cube `deposits`: rollup `a`: the cube has no measure `balnce`; did you mean `balance`?",
            "cubes/deposits.yaml:26:75: cube `deposits`: rollup `a`: measure `interest` is named twice",
            "cubes/deposits.yaml:26:85: cube `deposits`: rollup `a`: the cube has no measure `volume`; known: `interest`, `balance`, `balance_daily_average`, `accounts`, `products`, `peak`, `cost_rate`",
            "cubes/deposits.yaml:27:46: rollup `b`: names no measure; leave the key `measures` out to keep only the number of rows",
        ],
    );
    // The weights of a daily average over working days depend on the range of the question, unless a column holds the sum.
    check_rollups(
        &[
            ("snapshot: month_end", "snapshot: business_day"),
            (
                "state: sum, time: average_daily, day_sum: balance_day_sum",
                "state: sum, of: end_balance, time: average_daily",
            ),
        ],
        &["{name: a, dims: [product], time: month, measures: [balance, balance_daily_average]}"],
        &[
            "cubes/deposits.yaml:19:14: cube `deposits`: measure `balance_daily_average` needs `day_sum`, the column with the sum over the days that a row stands for: the fact does not have a row for every day",
            "cubes/deposits.yaml:26:67: cube `deposits`: rollup `a`: measure `balance_daily_average` cannot be stored: without `day_sum` the days that a row stands for depend on the range of the question",
        ],
    );
    check_rollups(
        &[("snapshot: month_end", "snapshot: business_day")],
        &["{name: a, dims: [product], time: month, measures: [balance, balance_daily_average]}"],
        &[],
    );
}

#[test]
fn keys_of_a_rollup() {
    check_rollups(
        &[],
        &["{name: a, dims: [product], time: month, partition: {branch: true}}", "{nme: b, dims: product, time: month}"],
        &[
            "cubes/deposits.yaml:26:47: a rollup has no key `partition`; its keys are `name`, `dims`, `time`, `measures`, `where`",
            "cubes/deposits.yaml:27:7: a rollup needs the key `name`",
            "cubes/deposits.yaml:27:8: a rollup has no key `nme`; did you mean `name`?",
            "cubes/deposits.yaml:27:22: `dims` must be a list, not `product`",
        ],
    );
}
