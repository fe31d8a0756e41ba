//! Offices that move: what a question says of members as they are, as they were, and as they were on a day.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;
use std::process::Command;

use countinghouse::app::App;
use countinghouse::error::Code;
use countinghouse::query::{Face, History, Rollups, Statement};

use super::bank::{branch, head_office, text};

const SETTINGS: &str = "
name: {en: Moving bank}
warehouse:
  tables:
    - name: dim_day
      kind: dimension
      key: [day]
      columns: [{name: day, type: date}]
    - name: dim_office
      kind: dimension
      key: [office]
      surrogate: office_sk
      versions: {from: valid_from, to: valid_to, parent: above}
      columns:
        - {name: office, type: text}
        - {name: title, type: text, required: true}
        - {name: kind, type: text, required: true}
        - {name: above, type: text}
        - {name: branch, type: text, required: true}
        - {name: staff, type: integer, overwrite: true}
        - {name: valid_from, type: date}
        - {name: valid_to, type: date}
    - name: dim_seller
      kind: dimension
      key: [branch, seller]
      surrogate: seller_sk
      partition: {branch: branch}
      versions: {from: since, to: until}
      columns:
        - {name: branch, type: text}
        - {name: seller, type: text}
        - {name: grade, type: text}
        - {name: since, type: date}
        - {name: until, type: date}
    - name: fact_sale
      kind: fact
      key: [day, sale]
      partition: {branch: branch, date: day}
      columns:
        - {name: sale, type: integer, required: true}
        - {name: day, type: date, required: true}
        - {name: branch, type: text, required: true}
        - {name: office_sk, type: integer, references: dim_office}
        - {name: seller_sk, type: integer, references: dim_seller}
        - {name: amount, type: money, required: true}
";

const CUBES: &str = "
calendars:
  - {name: days, table: dim_day, day: day}
dimensions:
  - name: office
    table: dim_office
    key: office_sk
    durable: office
    scope: {level: branch, key: branch}
    hierarchies:
      - name: office
        kind: ragged
        parent: above
        level_of: kind
        member: title
        fill: ancestor
        levels: [{name: bank}, {name: branch}, {name: sub_branch}, {name: outlet}]
    attributes:
      - {name: staff}
  - name: seller
    table: dim_seller
    key: seller_sk
    durable: seller
    attributes:
      - {name: seller}
      - {name: grade}
cube:
  name: sales
  fact: {table: fact_sale}
  time: {key: day, calendar: days, levels: [day, month]}
  joins:
    - {dimension: office, on: office_sk}
    - {dimension: seller, on: seller_sk}
  measures:
    - {name: amount, state: sum, of: amount, type: money}
    - {name: sales, state: count}
  rollups:
    - {name: by_branch, dims: [office.branch], time: month, measures: [amount, sales]}
    - {name: by_outlet, dims: [office.outlet, seller.grade], time: month, measures: [amount, sales]}
";

const THEN: &str = "
cube:
  name: sales_then
  history: [as_was]
  fact: {table: fact_sale}
  time: {key: day, calendar: days, levels: [day, month]}
  joins:
    - {dimension: office, on: office_sk}
  measures:
    - {name: amount, state: sum, of: amount, type: money}
";

/// Writes a batch: offices, sellers, sales. The offices' first day is delivered where the header has it.
fn batch(folder: &Path, number: u32, date: &str, offices: &str, sellers: &str, sales: &str) -> std::path::PathBuf {
    let folder = folder.join(format!("batch-{number}"));
    std::fs::create_dir_all(&folder).unwrap();
    let mut feed = format!(
        "node: head_office\nbatch: {number}\nbusiness_date: {date}\nsource: core\nmax_reject_share: 0.5\nfiles:\n"
    );
    for (name, table, content) in
        [("offices", "dim_office", offices), ("sellers", "dim_seller", sellers), ("sales", "fact_sale", sales)]
    {
        std::fs::write(folder.join(format!("{name}.csv")), content).unwrap();
        feed += &format!("  - path: {name}.csv\n    format: csv\n    table: {table}\n    null: ['']\n    columns:\n");
        for column in content.lines().next().unwrap().split(',') {
            let to = match column {
                "office" if name == "sales" => ", to: office_sk",
                "seller" if name == "sales" => ", to: seller_sk",
                _ => "",
            };
            feed += &format!("      - {{name: {column}{to}}}\n");
        }
    }
    let path = folder.join("feed.yaml");
    std::fs::write(&path, feed).unwrap();
    path
}

fn run(project: &Path, state: &Path, arguments: &[&str]) -> String {
    let mut run = Command::new(env!("CARGO_BIN_EXE_countinghouse"));
    run.arg(arguments[0]).arg("--project").arg(project).arg("--state").arg(state).args(["--log", "error"]);
    let done = run.args(&arguments[1..]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// January as everything stood; on 10 February sub-branch N1 with its two outlets goes from North to South, and a seller
/// is promoted; March brings the same again, a late word about N1, and other numbers of staff.
fn bank(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let (project, state) = (folder.join("project"), folder.join("state"));
    std::fs::create_dir_all(project.join("cubes")).unwrap();
    std::fs::create_dir_all(&state).unwrap();
    std::fs::write(project.join("countinghouse.yaml"), SETTINGS).unwrap();
    std::fs::write(project.join("cubes/sales.yaml"), CUBES).unwrap();
    std::fs::write(project.join("cubes/sales_then.yaml"), THEN).unwrap();
    let first = "office,title,kind,above,branch,staff\n\
                 B,Bank,bank,,head,9\nN,North,branch,B,north,5\nS,South,branch,B,south,5\n\
                 N1,N one,sub_branch,N,north,3\nN1a,N one a,outlet,N1,north,2\nN1b,N one b,outlet,N1,north,2\n\
                 S1,S one,sub_branch,S,south,3\n";
    let sellers = "branch,seller,grade\nnorth,amy,junior\nsouth,bob,junior\nsouth,amy,junior\n";
    let january = "sale,day,branch,office,seller,amount\n\
                   1,2025-01-05,north,N1a,amy,1.00\n2,2025-01-06,north,N1b,amy,2.00\n\
                   3,2025-01-07,south,S1,bob,4.00\n4,2025-01-08,north,N,amy,8.00\n";
    let moved = "office,title,kind,above,branch,staff,valid_from\n\
                 N1,N one,sub_branch,S,south,3,2025-02-10\n";
    let promoted = "branch,seller,grade,since\nsouth,bob,senior,2025-02-15\n";
    let february = "sale,day,branch,office,seller,amount\n\
                    5,2025-02-09,north,N1a,amy,16.00\n6,2025-02-10,south,N1a,amy,32.00\n\
                    7,2025-02-20,south,N1b,amy,64.00\n8,2025-02-14,south,S1,bob,128.00\n\
                    9,2025-02-15,south,S1,bob,256.00\n";
    let again = "office,title,kind,above,branch,staff,valid_from\n\
                 N1,N one,sub_branch,S,south,4,\nN1,N one late,sub_branch,S,south,4,2025-02-01\n\
                 S1,S one,sub_branch,S,south,3,\n";
    let march = "sale,day,branch,office,seller,amount\n10,2025-03-03,south,N1b,amy,512.00\n";
    let sellers_again = "branch,seller,grade,since\nsouth,bob,senior,\n";
    let feeds = [
        batch(folder, 1, "2025-01-31", first, sellers, january),
        batch(folder, 2, "2025-02-28", moved, promoted, february),
        batch(folder, 3, "2025-03-31", again, sellers_again, march),
    ];
    let load = |feed: &Path| run(&project, &state, &["load", feed.to_str().unwrap()]);
    // Rollups of January are built before anything moves.
    load(&feeds[0]);
    run(&project, &state, &["refresh"]);
    load(&feeds[1]);
    load(&feeds[2]);
    run(&project, &state, &["refresh"]);
    (project, state)
}

fn statement(sql: &str, history: Option<History>) -> Statement {
    Statement { history, ..Statement::new(sql) }
}

async fn rows(app: &App, statement: Statement) -> Vec<String> {
    let door = &app.services.door;
    text(&door.collect(&head_office(), Face::CommandLine, statement, 1000).await.unwrap())
}

/// The same with rollups and without.
async fn both(app: &App, sql: &str, history: Option<History>) -> Vec<String> {
    let with = rows(app, statement(sql, history)).await;
    let without = rows(app, Statement { rollups: Rollups::Off, ..statement(sql, history) }).await;
    assert_eq!(with, without, "{sql} {history:?}");
    with
}

const BY_BRANCH: &str = "SELECT month, branch, MEASURE(amount), MEASURE(sales) FROM head_office.sales \
                         GROUP BY month, branch ORDER BY month, branch";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_read_as_they_are_as_they_were_and_as_of_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let (project, state) = bank(folder.path());
    let app = App::open(&project, &state).await.unwrap();

    // N1a and N1b went along with N1; a version that was split for them has a key of its own.
    let versions = "SELECT office, above, staff, valid_from, valid_to FROM warehouse.dim_office \
                    WHERE office LIKE 'N1%' ORDER BY office, valid_from";
    assert_eq!(
        rows(&app, Statement::new(versions)).await,
        [
            "N1|N|4|1900-01-01|2025-02-10",
            "N1|S|4|2025-02-10|9999-12-31",
            "N1a|N1|2|1900-01-01|2025-02-10",
            "N1a|N1|2|2025-02-10|9999-12-31",
            "N1b|N1|2|1900-01-01|2025-02-10",
            "N1b|N1|2|2025-02-10|9999-12-31",
        ]
    );
    let keys = "SELECT COUNT(*) = COUNT(DISTINCT office_sk) FROM warehouse.dim_office";
    assert_eq!(rows(&app, Statement::new(keys)).await, ["true"]);

    let as_was = both(&app, BY_BRANCH, Some(History::AsWas)).await;
    let expected = [
        "2025-01-01|North|11.00|3",
        "2025-01-01|South|4.00|1",
        "2025-02-01|North|16.00|1",
        "2025-02-01|South|480.00|4",
        "2025-03-01|South|512.00|1",
    ];
    assert_eq!(as_was, expected);
    // The default: today's South has had N1 all along.
    let as_is = [
        "2025-01-01|North|8.00|1",
        "2025-01-01|South|7.00|3",
        "2025-02-01|South|496.00|5",
        "2025-03-01|South|512.00|1",
    ];
    assert_eq!(both(&app, BY_BRANCH, None).await, as_is);
    assert_eq!(both(&app, BY_BRANCH, Some(History::AsIs)).await, as_is);
    let in_january = both(&app, BY_BRANCH, Some("2025-01-31".parse().unwrap())).await;
    let expected = [
        "2025-01-01|North|11.00|3",
        "2025-01-01|South|4.00|1",
        "2025-02-01|North|112.00|3",
        "2025-02-01|South|384.00|2",
        "2025-03-01|North|512.00|1",
    ];
    assert_eq!(in_january, expected);

    // A dimension that is cut by branch and not ragged, the other way of reading.
    let grades = "SELECT grade, MEASURE(amount) FROM head_office.sales GROUP BY grade ORDER BY grade";
    assert_eq!(both(&app, grades, Some(History::AsWas)).await, ["junior|767.00", "senior|256.00"]);
    assert_eq!(both(&app, grades, None).await, ["junior|635.00", "senior|388.00"]);
    assert_eq!(both(&app, grades, Some("2025-02-14".parse().unwrap())).await, ["junior|1023.00"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_rebuilds_nothing_and_each_reading_says_what_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (project, state) = bank(folder.path());
    let app = App::open(&project, &state).await.unwrap();
    let explain = format!("EXPLAIN {BY_BRANCH}");
    let was = rows(&app, statement(&explain, Some(History::AsWas))).await.join("\n");
    assert!(was.contains("cube|sales, members as_was"), "{was}");
    assert!(was.contains("answer|rollup by_branch"), "{was}");
    let is = rows(&app, statement(&explain, None)).await.join("\n");
    assert!(is.contains("cube|sales, members as_is"), "{is}");
    assert!(is.contains("by_branch   C8 STALE: no partition of it holds for members as_is"), "{is}");
    // Ten facts are too few for it to be chosen by itself.
    let only = Statement { rollups: "by_outlet".into(), ..statement(&explain, None) };
    let only = rows(&app, only).await.join("\n");
    assert!(only.contains("answer|rollup by_outlet"), "{only}");
    let day = rows(&app, statement(&explain, Some("2025-01-31".parse().unwrap()))).await.join("\n");
    assert!(day.contains("members 2025-01-31"), "{day}");

    // What January's partitions were built from is what it was: nothing is built again.
    let refreshed = run(&project, &state, &["refresh"]);
    assert!(refreshed.contains("all 2 rollups are fresh"), "{refreshed}");
    assert_eq!(
        rows(&app, Statement::new("SELECT reason_code, message FROM system.rejects")).await,
        ["late_version|a later version holds from 2025-02-10: history is not rewritten"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_reads_its_files_as_it_booked_them() {
    let folder = tempfile::tempdir().unwrap();
    let (project, state) = bank(folder.path());
    let app = App::open(&project, &state).await.unwrap();
    let door = &app.services.door;
    let sql = "SELECT month, branch, MEASURE(amount) FROM sales GROUP BY month, branch ORDER BY month, branch";
    let own = text(&door.collect(&branch("north"), Face::Http, Statement::new(sql), 100).await.unwrap());
    assert_eq!(own, ["2025-01-01|North|11.00", "2025-02-01|North|16.00"]);
    let own = door.collect(&branch("north"), Face::Http, statement(sql, Some(History::AsIs)), 100).await.unwrap();
    assert_eq!(own.provenance["rollups"]["routes"][0]["history"], "as_is");
    assert_eq!(text(&own), ["2025-01-01|North|8.00", "2025-01-01|South|3.00", "2025-02-01|South|16.00"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cube_offers_the_readings_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let (project, state) = bank(folder.path());
    let app = App::open(&project, &state).await.unwrap();
    let sql = "SELECT branch, MEASURE(amount) FROM head_office.sales_then GROUP BY branch ORDER BY branch";
    assert_eq!(rows(&app, Statement::new(sql)).await, ["North|27.00", "South|996.00"]);
    for asked in ["as_is", "2025-01-31"] {
        let asked = statement(sql, Some(asked.parse().unwrap()));
        let error = app.services.door.collect(&head_office(), Face::Http, asked, 100).await.unwrap_err();
        assert_eq!(error.code(), Code::BadRequest);
        assert!(error.to_string().contains("cube `sales_then` is read `as_was`"), "{error}");
    }
}
