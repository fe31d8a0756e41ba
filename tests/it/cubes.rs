//! Cubes over the sample bank: branches add up to head office, balances follow their time rules, wrong calls are told.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::Array;
use countinghouse::app::App;
use countinghouse::error::Code;
use countinghouse::model::cube::{Additivity, TimeRule};

use super::bank::{app, ask, branch, copy_of_state, head_office, project, refusal, rows};

/// Exact sums of decimal texts with at most six places.
fn scaled(text: &str) -> i128 {
    if text.is_empty() {
        return 0;
    }
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let negative = whole.starts_with('-');
    let digits: i128 = format!("{}{part:0<6}", whole.trim_start_matches('-')).parse().unwrap();
    if negative { -digits } else { digits }
}

#[tokio::test]
async fn branches_add_up_to_head_office_for_every_additive_measure() {
    let app = app().await;
    let door = &app.services.door;
    let who = head_office();
    let branches = door.branches_of(&who).await.unwrap();
    assert_eq!(branches.len(), 28);
    let mut compared = 0;
    for cube in &door.model().cubes {
        // A balance adds over branches at one date, and every cell of a close measure here is of one date.
        let names: Vec<&str> = cube
            .measures
            .iter()
            .filter(|measure| {
                measure.additivity() == Additivity::Additive
                    || (measure.additivity() == Additivity::SemiAdditive && matches!(measure.time, TimeRule::Close))
            })
            .map(|measure| measure.name.as_str())
            .collect();
        assert!(!names.is_empty(), "cube {} has nothing to add", *cube.name);
        let calls = names.iter().map(|name| format!("MEASURE({name})")).collect::<Vec<_>>().join(", ");
        let sql = |schema: &str| {
            format!("SELECT month, {calls}, COUNT(*) FROM {schema}.{} GROUP BY month ORDER BY month", *cube.name)
        };
        let bank = rows(&app, &who, &sql("head_office")).await;
        assert!(bank.len() >= 4, "cube {} has {} months", *cube.name, bank.len());
        let mut sums: BTreeMap<String, Vec<i128>> = BTreeMap::new();
        for one in &branches {
            for row in rows(&app, &who, &sql(&one.key)).await {
                let mut cells = row.split('|');
                let month = cells.next().unwrap().to_owned();
                let values: Vec<i128> = cells.map(scaled).collect();
                let total = sums.entry(month).or_insert_with(|| vec![0; values.len()]);
                total.iter_mut().zip(values).for_each(|(total, value)| *total += value);
            }
        }
        for row in bank {
            let mut cells = row.split('|');
            let month = cells.next().unwrap();
            let values: Vec<i128> = cells.map(scaled).collect();
            assert_eq!(sums.get(month), Some(&values), "cube {} in {month}: {calls}", *cube.name);
            compared += values.len();
        }
    }
    assert!(compared > 500, "only {compared} cells were compared");
}

#[tokio::test]
async fn a_branch_sees_the_same_in_its_own_schema() {
    let app = app().await;
    let sql = "SELECT month, SUM(balance), MEASURE(customers) FROM beijing.deposits GROUP BY month ORDER BY month";
    let own = rows(&app, &branch("beijing"), sql).await;
    assert_eq!(own, rows(&app, &head_office(), sql).await);
    let default = sql.replace("beijing.deposits", "deposits");
    assert_eq!(own, rows(&app, &branch("beijing"), &default).await);
    let filtered = "SELECT month, SUM(balance), MEASURE(customers) FROM head_office.deposits
                    WHERE branch_code = 'beijing' GROUP BY month ORDER BY month";
    assert_eq!(own, rows(&app, &head_office(), filtered).await);
}

/// One delivered balance: day as yyyymmdd, delivered branch number, product, end balance and sum of days in fen.
struct Balance {
    day: String,
    branch: String,
    product: String,
    customer: String,
    end: i128,
    day_sum: i128,
    accounts: i128,
}

/// Deposits of the raw feed, read here with nothing of the engine: rows that the truth calls faulty left out.
fn raw_balances() -> Vec<Balance> {
    let data = project().join("sample_data");
    let read = |path: &str| std::fs::read_to_string(data.join(path)).unwrap();
    let deposits: BTreeSet<String> = ["batch-0001/products.csv"]
        .iter()
        .flat_map(|path| read(path).lines().skip(1).map(str::to_owned).collect::<Vec<_>>())
        .filter(|line| line.split(',').nth(6) == Some("deposit"))
        .map(|line| line.split(',').next().unwrap().to_owned())
        .collect();
    let faulty: BTreeSet<(String, usize)> = read("truth/faulty_rows.csv")
        .lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.split(',').skip(1);
            (cells.next().unwrap().to_owned(), cells.next().unwrap().parse().unwrap())
        })
        .collect();
    let mut balances = Vec::new();
    for batch in ["batch-0001", "batch-0002"] {
        for (index, line) in read(&format!("{batch}/balances.csv")).lines().enumerate().skip(1) {
            if batch == "batch-0002" && faulty.contains(&("balances.csv".to_owned(), index + 1)) {
                continue;
            }
            let cells: Vec<&str> = line.split(',').collect();
            if deposits.contains(cells[4]) {
                balances.push(Balance {
                    day: cells[0].to_owned(),
                    branch: cells[1].to_owned(),
                    customer: cells[3].to_owned(),
                    product: cells[4].to_owned(),
                    end: scaled(cells[7]),
                    day_sum: scaled(cells[8]),
                    accounts: scaled(cells[10]) / 1_000_000,
                });
            }
        }
    }
    assert!(balances.len() > 20_000);
    balances
}

fn month_of(day: &str) -> u32 {
    day[4..6].parse().unwrap()
}

/// Half away from zero, from six places to two.
fn to_fen(numerator: i128, denominator: i128) -> String {
    let value = numerator / 10_000;
    let rounded = (value.abs() * 2 + denominator) / (denominator * 2) * value.signum();
    format!("{}{}.{:02}", if rounded < 0 { "-" } else { "" }, rounded.abs() / 100, rounded.abs() % 100)
}

#[tokio::test]
async fn balances_equal_a_brute_force_computation_over_the_raw_feed() {
    let app = app().await;
    let raw = raw_balances();
    type Bucket = fn(&str) -> (String, &'static str, i128);
    // Bucket of a day, the day on which it closes (as a suffix of yyyymmdd) and its calendar days; 2024 is a leap year.
    let by_quarter: Bucket = |day| {
        let quarter = (month_of(day) - 1) / 3;
        let leap = day.starts_with("2024");
        let days = [if leap { 91 } else { 90 }, 91, 92, 92][quarter as usize];
        let starts = ["01", "04", "07", "10"][quarter as usize];
        (format!("{}-{starts}-01", &day[..4]), ["0331", "0630", "0930", "1231"][quarter as usize], days)
    };
    let by_year: Bucket =
        |day| (format!("{}-01-01", &day[..4]), "1231", if day.starts_with("2024") { 366 } else { 365 });
    for (level, bucket) in [("quarter", by_quarter), ("year", by_year)] {
        let mut expected: BTreeMap<String, (i128, i128, i128, i128)> = BTreeMap::new();
        for row in &raw {
            let (name, close, days) = bucket(&row.day);
            let cell = expected.entry(name).or_insert((0, 0, 0, days));
            cell.1 += row.day_sum;
            if row.day.ends_with(close) {
                cell.0 += row.end;
                cell.2 += row.accounts;
            }
        }
        let expected: Vec<String> = expected
            .into_iter()
            .map(|(name, (end, sum, accounts, days))| {
                format!("{name}|{}|{}|{accounts}", to_fen(end, 1), to_fen(sum, days))
            })
            .collect();
        let sql = format!(
            "SELECT {level}, SUM(balance), MEASURE(balance_daily_average), SUM(accounts) FROM deposits
             GROUP BY {level} ORDER BY {level}"
        );
        assert_eq!(rows(&app, &head_office(), &sql).await, expected, "{level}");
    }
}

#[tokio::test]
async fn balances_by_branch_and_filter_equal_brute_force() {
    let app = app().await;
    let raw = raw_balances();
    // Wuhan is delivered as branch 10; the question starts in the middle of a year and ends before its end.
    let inside = |row: &&Balance| row.branch == "10" && ("20240401".."20250901").contains(&row.day.as_str());
    let mut close = BTreeMap::<&str, i128>::new();
    let mut sum = 0;
    let mut customers = BTreeSet::new();
    for row in raw.iter().filter(inside) {
        sum += row.day_sum;
        if row.day == "20250831" {
            *close.entry(row.product.as_str()).or_default() += row.end;
            if row.accounts > 0 {
                customers.insert(row.customer.as_str());
            }
        }
    }
    let total: i128 = close.values().sum();
    let days = 275 + 243; // 1 April to 31 December 2024, 1 January to 31 August 2025
    let sql = "SELECT SUM(balance), MEASURE(balance_daily_average), MEASURE(customers) FROM deposits
               WHERE branch_code = 'wuhan' AND month >= DATE '2024-04-01' AND month < DATE '2025-09-01'";
    let expected = format!("{}|{}|{}", to_fen(total, 1), to_fen(sum, days), customers.len());
    assert_eq!(rows(&app, &head_office(), sql).await, std::slice::from_ref(&expected));
    // The same through a sub-select, a CTE and an alias, and by the day instead of the month.
    for sql in [
        "SELECT SUM(b), MEASURE(a), MEASURE(c) FROM (SELECT month AS m, branch_code AS k, balance AS b,
           balance_daily_average AS a, customers AS c FROM deposits) t
         WHERE k = 'wuhan' AND m >= '2024-04-01' AND m < '2025-09-01'",
        "WITH w AS (SELECT * FROM deposits WHERE branch_code = 'wuhan')
         SELECT SUM(x.balance), MEASURE(x.balance_daily_average), AGG(x.customers) FROM w AS x
         WHERE x.business_date BETWEEN DATE '2024-04-01' AND DATE '2025-08-31'",
        "SELECT SUM(balance) FILTER (WHERE branch_code = 'wuhan'),
           MEASURE(balance_daily_average) FILTER (WHERE branch_code = 'wuhan'),
           MEASURE(customers) FILTER (WHERE branch_code = 'wuhan')
         FROM deposits WHERE month >= DATE '2024-04-01' AND month < DATE '2025-09-01'",
        "SELECT SUM(CASE WHEN branch_code = 'wuhan' THEN balance END),
           MEASURE(CASE WHEN branch_code = 'wuhan' THEN balance_daily_average END),
           MEASURE(CASE WHEN branch_code = 'wuhan' THEN customers END)
         FROM deposits WHERE month >= DATE '2024-04-01' AND month < DATE '2025-09-01'",
    ] {
        assert_eq!(rows(&app, &head_office(), sql).await, std::slice::from_ref(&expected), "{sql}");
    }
}

#[tokio::test]
async fn subtotals_of_balances_close_on_their_own_last_day() {
    let app = app().await;
    let who = head_office();
    let by_month = rows(
        &app,
        &who,
        "SELECT year, month, SUM(balance), SUM(interest), MEASURE(customers_seen), GROUPING(month), GROUPING(year, month)
         FROM deposits GROUP BY ROLLUP (year, month) ORDER BY year NULLS LAST, month NULLS LAST",
    )
    .await;
    assert_eq!(by_month.len(), 24 + 2 + 1);
    let plain = |sql: &'static str| rows(&app, &who, sql);
    let year = plain(
        "SELECT year, NULL, SUM(balance), SUM(interest), MEASURE(customers_seen), 1 AS a, 1 AS b FROM deposits GROUP BY year ORDER BY year",
    )
    .await;
    let all =
        plain("SELECT NULL AS y, NULL AS m, SUM(balance), SUM(interest), MEASURE(customers_seen), 1 AS a, 3 AS b FROM deposits").await;
    assert_eq!(by_month[12], year[0]);
    assert_eq!(by_month[25], year[1]);
    assert_eq!(by_month[26], all[0]);
    // The bank's last balance is December's, not the sum of 24 months.
    assert_eq!(by_month[26].split('|').nth(2), by_month[24].split('|').nth(2));
    let cube = rows(
        &app,
        &who,
        "SELECT product_line, tier, SUM(balance) FROM deposits WHERE year = DATE '2025-01-01'
         GROUP BY CUBE (product_line, tier) HAVING product_line IS NULL AND tier IS NULL",
    )
    .await;
    let total =
        rows(&app, &who, "SELECT NULL AS l, NULL AS t, SUM(balance) FROM deposits WHERE year = DATE '2025-01-01'")
            .await;
    assert_eq!(cube, total);
}

#[tokio::test]
async fn distinct_customers_do_not_add_over_branches() {
    let app = app().await;
    let who = head_office();
    let month = "WHERE month = DATE '2025-12-01'";
    let bank = rows(&app, &who, &format!("SELECT COUNT(DISTINCT customers) FROM deposits {month}")).await;
    let branches =
        rows(&app, &who, &format!("SELECT branch, MEASURE(customers) FROM deposits {month} GROUP BY branch")).await;
    let sum: i128 = branches.iter().map(|row| row.split('|').nth(1).unwrap().parse::<i128>().unwrap()).sum();
    let direct = rows(
        &app,
        &who,
        "SELECT COUNT(DISTINCT c.customer_no) FROM warehouse.fact_balance_monthly f
         JOIN warehouse.dim_customer c ON f.customer_sk = c.customer_sk
         JOIN warehouse.dim_product p ON f.product_sk = p.product_sk
         WHERE p.family_code = 'deposit' AND f.business_date = DATE '2025-12-31' AND f.account_count > 0",
    )
    .await;
    assert_eq!(bank, direct);
    assert!(sum > bank[0].parse::<i128>().unwrap(), "some customers are served by two branches");
}

#[tokio::test]
async fn a_measure_called_wrongly_is_told_how_to_be_called() {
    let app = app().await;
    let who = head_office();
    for (sql, code, says) in [
        ("SELECT AVG(balance) FROM deposits", Code::MeasureAggregate, "write `SUM(balance)`"),
        ("SELECT MAX(balance) FROM deposits", Code::MeasureAggregate, "taken at period end"),
        ("SELECT SUM(cost_rate) FROM deposits", Code::MeasureAggregate, "write `MEASURE(cost_rate)`"),
        ("SELECT SUM(balance_daily_average) FROM deposits", Code::MeasureAggregate, "average over days"),
        ("SELECT SUM(customers) FROM deposits", Code::MeasureAggregate, "COUNT(DISTINCT customers)"),
        ("SELECT SUM(DISTINCT interest) FROM deposits", Code::MeasureAggregate, "`SUM(interest)`"),
        ("SELECT SUM(balance * 2) FROM deposits", Code::MeasureAggregate, "balance"),
        (
            "SELECT SUM(CASE WHEN tier = 'premium' THEN balance ELSE 0 END) FROM deposits",
            Code::MeasureAggregate,
            "balance",
        ),
        ("SELECT MEASURE(tier) FROM deposits", Code::MeasureAggregate, "one measure"),
        ("SELECT SUM(interest) FROM deposits WHERE balance > 0", Code::MeasureInWhere, "HAVING SUM(balance)"),
        ("SELECT balance FROM deposits WHERE balance > 0 LIMIT 3", Code::MeasureInWhere, "deposits_detail"),
        ("SELECT balance, COUNT(*) FROM deposits GROUP BY balance", Code::MeasureBelow, "grouping columns"),
        ("SELECT DISTINCT interest FROM deposits", Code::MeasureBelow, "SUM(interest)"),
        (
            "SELECT SUM(d.interest) FROM deposits d JOIN profit p ON d.branch_code = p.branch_code",
            Code::MeasureBelow,
            "below a join",
        ),
        ("SELECT SUM(interest) FROM (SELECT interest FROM deposits LIMIT 10) t", Code::MeasureBelow, "SUM(interest)"),
        ("SELECT branch FROM deposits", Code::DetailLimit, "LIMIT 10000"),
        ("SELECT branch FROM deposits LIMIT 10001", Code::DetailLimit, "LIMIT 10000"),
        (
            "SELECT MEASURE(balance_daily_average) FROM deposits WHERE business_date > DATE '2025-03-15'",
            Code::TimeContext,
            "2025-03-31",
        ),
        (
            "SELECT SUM(balance) FROM deposits WHERE month = DATE '2025-03-01' OR tier = 'premium'",
            Code::TimeContext,
            "condition of one's own",
        ),
        ("SELECT SUM(brach) FROM deposits", Code::NoSuchObject, "did you mean `branch`"),
        ("SELECT 1 FROM nowhere", Code::NoSuchObject, "nowhere"),
    ] {
        let error = refusal(&app, &who, sql).await;
        assert_eq!(error.code(), code, "{sql}: {error:?}");
        let says = says.replace("condition of one's own", "time condition");
        assert!(error.message().contains(&says), "{sql}: {}", error.message());
    }
}

/// A join with a query that has each member once is a condition: measures keep their meaning. Any other join is refused.
#[tokio::test]
async fn a_join_with_the_largest_members_is_a_condition() {
    let app = app().await;
    let who = head_office();
    let largest = "SELECT branch AS b, SUM(balance) AS s FROM deposits GROUP BY branch ORDER BY s DESC LIMIT 3";
    let ask =
        "SELECT month, branch, SUM(balance), MEASURE(balance_daily_average), COUNT(DISTINCT customers) FROM deposits";
    let end = "WHERE month >= DATE '2025-10-01' GROUP BY month, branch ORDER BY month, branch";
    let expected =
        rows(&app, &who, &format!("{ask} WHERE branch IN (SELECT b FROM ({largest}) t) AND {}", &end[6..])).await;
    assert_eq!(expected.len(), 9);
    for join in [
        format!("JOIN ({largest}) t ON deposits.branch = t.b"),
        format!("JOIN ({largest}) t ON t.b = branch"),
        format!("JOIN (SELECT DISTINCT b FROM ({largest}) l) t ON branch = b"),
        format!("AS d JOIN (SELECT s, b FROM ({largest}) l WHERE s > 0 ORDER BY b) t ON d.branch = t.b"),
    ] {
        assert_eq!(rows(&app, &who, &format!("{ask} {join} {end}")).await, expected, "{join}");
    }
    for join in [
        // A branch is there once for each tier.
        "JOIN (SELECT branch AS b, tier FROM deposits GROUP BY branch, tier) t ON branch = b",
        "JOIN (SELECT branch AS b FROM deposits GROUP BY ROLLUP (branch)) t ON branch = b",
        "JOIN (SELECT tier AS b FROM deposits GROUP BY branch, tier) t ON branch = b",
        "JOIN (SELECT MAX(branch) AS b, tier FROM deposits GROUP BY tier) t ON branch = b",
        "LEFT JOIN (SELECT branch AS b FROM deposits GROUP BY branch) t ON branch = b",
        "JOIN (SELECT branch AS b FROM deposits GROUP BY branch) t ON branch >= b",
        "JOIN (SELECT branch AS b, SUM(interest) AS s FROM deposits GROUP BY branch) t ON branch = b AND s > 10",
    ] {
        let error = refusal(&app, &who, &format!("SELECT SUM(deposits.balance) FROM deposits {join}")).await;
        assert_eq!(error.code(), Code::MeasureBelow, "{join}: {error:?}");
    }
    let used = format!("SELECT SUM(balance), MAX(t.s) FROM deposits JOIN ({largest}) t ON branch = b");
    assert_eq!(refusal(&app, &who, &used).await.code(), Code::MeasureBelow);
    let used = format!("SELECT SUM(balance) FROM deposits JOIN ({largest}) t ON branch = b WHERE t.s > 10");
    assert_eq!(refusal(&app, &who, &used).await.code(), Code::MeasureBelow);
}

#[tokio::test]
async fn ordinary_aggregates_keep_their_ordinary_meaning() {
    let app = app().await;
    let who = head_office();
    let month = "month = DATE '2025-12-01'";
    let facts = "FROM warehouse.fact_balance_monthly f JOIN warehouse.dim_product p ON f.product_sk = p.product_sk
                 WHERE p.family_code = 'deposit' AND f.business_date = DATE '2025-12-31'";
    for (cube, direct) in [
        (format!("SELECT COUNT(*) FROM deposits WHERE {month}"), format!("SELECT COUNT(*) {facts}")),
        (
            format!("SELECT MAX(interest), MIN(interest) FROM deposits WHERE {month}"),
            format!("SELECT MAX(interest_amount), MIN(interest_amount) {facts}"),
        ),
        (
            format!("SELECT SUM(interest * 2) FROM deposits WHERE {month}"),
            format!("SELECT SUM(interest_amount * 2) {facts}"),
        ),
        (
            format!("SELECT COUNT(DISTINCT branch), MIN(branch_code) FROM deposits WHERE {month}"),
            "SELECT 28, 'beijing'".to_owned(),
        ),
        (
            format!("SELECT COUNT(*) FROM (SELECT DISTINCT branch FROM deposits WHERE {month}) t"),
            "SELECT 28".to_owned(),
        ),
    ] {
        assert_eq!(rows(&app, &who, &cube).await, rows(&app, &who, &direct).await, "{cube}");
    }
    // Windows, HAVING and joins stand above the aggregate, on finished rows.
    let ranked = rows(
        &app,
        &who,
        "SELECT branch, RANK() OVER (ORDER BY SUM(balance) DESC) AS place FROM deposits WHERE month = DATE '2025-12-01'
         GROUP BY branch HAVING SUM(balance) > 1000000 ORDER BY place LIMIT 1",
    )
    .await;
    assert_eq!(ranked.len(), 1);
    let across = rows(
        &app,
        &who,
        "SELECT d.branch_code, d.balance, p.contribution FROM
           (SELECT branch_code, SUM(balance) AS balance FROM deposits WHERE month = DATE '2025-12-01' GROUP BY branch_code) d
           JOIN (SELECT branch_code, MEASURE(contribution) AS contribution FROM profit
                 WHERE month = DATE '2025-12-01' GROUP BY branch_code) p ON d.branch_code = p.branch_code
         WHERE d.branch_code = 'beijing'",
    )
    .await;
    assert_eq!(across.len(), 1);
}

#[tokio::test]
async fn a_preview_shows_rows_and_only_what_means_something_for_one() {
    let app = app().await;
    let answer = ask(&app, &head_office(), "SELECT * FROM deposits LIMIT 5").await.unwrap();
    assert_eq!(answer.rows(), 5);
    let column = |name: &str| answer.batches[0].column_by_name(name).unwrap().null_count();
    assert_eq!(column("balance"), answer.batches[0].num_rows());
    assert_eq!(column("interest"), 0);
    let who = head_office();
    let detail = "SELECT branch, end_balance FROM deposits_detail WHERE end_balance > 100000";
    assert!(ask(&app, &who, detail).await.unwrap().rows() > 100);
    let sum = rows(
        &app,
        &head_office(),
        "SELECT SUM(end_balance) FROM deposits_detail WHERE business_date = DATE '2025-12-31'",
    )
    .await;
    let cell = rows(&app, &head_office(), "SELECT SUM(balance) FROM deposits").await;
    assert_eq!(sum, cell);
}

#[tokio::test]
async fn joins_that_no_certificate_vouches_for_are_kept() {
    let state = copy_of_state();
    let question = "SELECT branch, SUM(balance) FROM head_office.deposits WHERE month = DATE '2025-12-01' \
                    GROUP BY branch ORDER BY branch";
    let recorded = "SELECT table_name, column_name, certifies, dimension_table, table_rows > 0 \
                    FROM system.certificates ORDER BY 1, 2";
    let explain = format!("EXPLAIN {question}");
    let certified = App::open(project(), state.path()).await.unwrap();
    let who = head_office();
    let right = rows(&certified, &who, question).await;
    let certificates = rows(&certified, &who, recorded).await;
    for expected in ["dim_org|org_sk|unique||true", "fact_balance_monthly|org_sk|reference|dim_org|true"] {
        assert!(certificates.iter().any(|row| row == expected), "{expected} is not among {certificates:#?}");
    }
    assert!(rows(&certified, &branch("beijing"), recorded).await.is_empty(), "rows of the bank are not for a branch");
    assert!(!rows(&certified, &who, &explain).await.join("\n").contains("UNCERTIFIED_JOIN"));
    drop(certified);

    // As an older server left it.
    let file = format!("sqlite://{}", state.path().join("catalog.db").display());
    let catalog = sqlx::SqlitePool::connect(&file).await.unwrap();
    let forget = "UPDATE snapshot SET facts = json_remove(facts, '$.certificates')";
    assert!(sqlx::query(forget).execute(&catalog).await.unwrap().rows_affected() > 0);
    catalog.close().await;
    let old = App::open(project(), state.path()).await.unwrap();
    assert!(rows(&old, &who, recorded).await.is_empty());
    let plan = rows(&old, &who, &explain).await.join("\n");
    assert!(plan.contains("UNCERTIFIED_JOIN"), "{plan}");
    assert_eq!(rows(&old, &who, question).await, right);

    // A refresh builds nothing, and checks what is missing.
    let refreshed = old.services.door.refresh(&[], &()).await.unwrap();
    assert!(refreshed.rollups.iter().all(|rollup| rollup.built == 0));
    assert_eq!(rows(&old, &who, recorded).await, certificates);
    assert!(!rows(&old, &who, &explain).await.join("\n").contains("UNCERTIFIED_JOIN"));
    assert_eq!(rows(&old, &who, question).await, right);
}
