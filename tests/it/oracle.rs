//! The differential oracle: rollups may change where an answer comes from, never what it is.
//!
//! A small bank (`tests/projects/oracle`) is loaded in two batches, with a refresh after each. Every question is asked of
//! one of the four snapshots in between: from facts alone, from whatever the navigator chooses, and from each rollup by
//! force. All must agree cell for cell and type for type, and with a plain evaluator that knows nothing of the engine.
//!
//! `COUNTINGHOUSE_ORACLE_QUESTIONS` and `COUNTINGHOUSE_ORACLE_SEED` say how many random questions are asked and which;
//! `COUNTINGHOUSE_ORACLE_DATA` is the seed of the rows. Below them stands one test for each trap that others fell into.

mod cubes;
mod data;
mod evaluate;
mod question;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use countinghouse::app::App;
use countinghouse::auth::Principal;
use countinghouse::ingest::load;
use countinghouse::query::{Collected, Face, Rollups, Statement};

use self::cubes::{BALANCES, CUBES, Cube, EVENTS, POSITIONS};
use self::data::{Data, civil, date};
use self::evaluate::{Table, evaluate};
use self::question::{
    Asker, Call, Cond, Form, Grouping, Moment, NOON, Nesting, Op, Ordinary, Part, Question, Scalar, Unit, Value, What,
    days, period, random,
};

/// Seeds of rows and questions unless the environment gives others.
const DATA_SEED: u64 = 20_240_229;
const SEED: u64 = 1;
/// Questions unless the environment says so; fewer are not expected to meet every kind of answer.
const QUESTIONS: u64 = 250;

// ---- the bank

struct Bank {
    state: PathBuf,
    /// By [`Moment`].
    snapshots: [i64; 4],
    data: Data,
    /// By cube and state.
    tables: Vec<[Table; 2]>,
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects/oracle")
}

/// The loaded bank, shared by all tests here: they only read it.
fn bank() -> &'static Bank {
    static BANK: OnceLock<Bank> = OnceLock::new();
    BANK.get_or_init(|| {
        // A runtime of its own: when it has ended, every file is closed.
        let build = || tokio::runtime::Runtime::new().unwrap().block_on(Box::pin(build()));
        std::thread::spawn(build).join().unwrap()
    })
}

async fn build() -> Bank {
    let data = Data::generate(number("COUNTINGHOUSE_ORACLE_DATA", DATA_SEED));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("oracle-{}", env!("CARGO_CRATE_NAME")));
    let _ = std::fs::remove_dir_all(&folder);
    let state = folder.join("state");
    std::fs::create_dir_all(&state).unwrap();
    let feeds = data.write(&folder.join("feeds"));
    let app = App::open(&project(), &state).await.unwrap();
    let door = &app.services.door;
    let mut snapshots = Vec::new();
    for feed in &feeds {
        let tables = &app.config().warehouse.tables;
        let loaded = load(&app.warehouse, &app.services.catalog, tables, feed, &()).await.unwrap();
        let loaded = loaded.into_result().unwrap();
        assert_eq!(loaded.rows_rejected, 0, "{loaded:?}");
        snapshots.push(door.head().await.unwrap().snapshot_id);
        let refreshed = door.refresh(&[], &()).await.unwrap();
        assert!(refreshed.rollups.iter().all(|rollup| rollup.built > 0), "{refreshed:?}");
        snapshots.push(door.head().await.unwrap().snapshot_id);
        // What the second batch does not touch stays as it was built.
        let kept = refreshed.rollups.iter().any(|rollup| rollup.fresh > 0);
        assert_eq!(kept, snapshots.len() == 4, "{refreshed:?}");
    }
    // A refresh without a change builds nothing and publishes nothing.
    let again = door.refresh(&[], &()).await.unwrap();
    assert!(again.rollups.iter().all(|rollup| rollup.built == 0), "{again:?}");
    assert_eq!(door.head().await.unwrap().snapshot_id, snapshots[3]);
    let tables = CUBES.into_iter().map(|cube| [0, 1].map(|state| Table::new(cube, &data, state))).collect();
    Bank { state, snapshots: snapshots.try_into().unwrap(), data, tables }
}

async fn app() -> App {
    App::open(&project(), &bank().state).await.unwrap()
}

fn number(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a whole number")),
        Err(_) => otherwise,
    }
}

impl Moment {
    fn snapshot(self) -> i64 {
        bank().snapshots[self as usize]
    }
}

impl Asker {
    fn principal(self) -> Principal {
        match self {
            Self::HeadOffice | Self::Schema(_) => super::bank::head_office(),
            Self::Branch(branch) => super::bank::branch(branch),
        }
    }
}

// ---- asking and comparing

/// Rows with types, or the code of an error.
type Outcome = Result<Given, String>;

#[derive(Debug, Clone)]
struct Given {
    schema: SchemaRef,
    rows: Vec<Vec<String>>,
    /// Rollups that answered, one for each grouping set that has one.
    used: Vec<String>,
    /// Whether facts were read, for a whole set or beside a rollup.
    with_facts: bool,
    /// Rollup and reason code.
    refused: BTreeSet<(String, String)>,
}

impl Given {
    fn new(answer: &Collected) -> Self {
        let options = FormatOptions::default().with_null("NULL");
        let mut rows = Vec::new();
        for batch in &answer.batches {
            let columns: Vec<_> =
                batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
            rows.extend((0..batch.num_rows()).map(|row| columns.iter().map(|c| c.value(row).to_string()).collect()));
        }
        let routes = answer.provenance["rollups"]["routes"].as_array().cloned().unwrap_or_default();
        let text = |entry: &serde_json::Value, key: &str| entry[key].as_str().map(str::to_owned);
        let refused = routes.iter().flat_map(|route| route["refused"].as_array().cloned().unwrap_or_default());
        let reason = |entry: serde_json::Value| Some((text(&entry, "rollup")?, text(&entry, "code")?));
        Self {
            schema: SchemaRef::clone(&answer.schema),
            rows,
            used: routes.iter().filter_map(|route| text(route, "rollup")).collect(),
            // Rows of facts also stand in for stale partitions and for days of periods that the question cuts.
            with_facts: routes.iter().any(|route| route["rollup"].is_null() || route["fact_rows"] != 0),
            refused: refused.filter_map(reason).collect(),
        }
    }
}

async fn ask(app: &App, asker: Asker, moment: Moment, sql: &str, rollups: Rollups) -> Outcome {
    let mut statement = Statement::new(sql);
    statement.snapshot = Some(moment.snapshot());
    statement.rollups = rollups;
    let answer = app.services.door.collect(&asker.principal(), Face::CommandLine, statement, 1_000_000).await;
    answer.map(|answer| Given::new(&answer)).map_err(|error| error.code().as_str().to_owned())
}

/// What differs between two outcomes.
fn differ(one: &Outcome, other: &Outcome, ordered: bool) -> Option<String> {
    match (one, other) {
        (Err(one), Err(other)) if one == other => None,
        (Ok(one), Ok(other)) if one.schema != other.schema => {
            Some(format!("types {:?} against {:?}", one.schema.fields(), other.schema.fields()))
        }
        (Ok(one), Ok(other)) => rows_differ(&one.rows, &other.rows, ordered),
        (one, other) => {
            let told = |outcome: &Outcome| match outcome {
                Ok(given) => format!("{} rows", given.rows.len()),
                Err(code) => code.clone(),
            };
            Some(format!("{} against {}", told(one), told(other)))
        }
    }
}

/// The first row that differs.
fn rows_differ(one: &[Vec<String>], other: &[Vec<String>], ordered: bool) -> Option<String> {
    let (mut one, mut other) = (one.to_vec(), other.to_vec());
    if !ordered {
        one.sort();
        other.sort();
    }
    if one == other {
        return None;
    }
    let row = (0..).find(|row| one.get(*row) != other.get(*row)).unwrap_or_default();
    let told = |rows: &[Vec<String>]| rows.get(row).map_or_else(|| "no row".to_owned(), |cells| cells.join(" | "));
    Some(format!("row {row} of {} and {}:\n  {}\n  {}", one.len(), other.len(), told(&one), told(&other)))
}

/// The outcomes of a question that all agree.
#[derive(Debug)]
struct Judged {
    sql: String,
    on: Outcome,
    only: BTreeMap<&'static str, Outcome>,
}

/// Asks in every way; what differs otherwise.
async fn judge(app: &App, question: &Question) -> Result<Judged, String> {
    let (sql, ordered) = (question.sql(), question.is_ordered());
    let Question { cube, asker, moment, .. } = *question;
    let off = ask(app, asker, moment, &sql, Rollups::Off).await;
    let place = CUBES.iter().position(|known| known.name == cube.name).unwrap();
    let told = evaluate(question, &bank().tables[place][moment.state()]);
    let difference = match (&told, &off) {
        (Ok(rows), Ok(off)) => {
            let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(Value::shown).collect()).collect();
            rows_differ(&rows, &off.rows, ordered)
        }
        (Err(code), Err(off)) if code == off => None,
        (Ok(rows), Err(off)) => Some(format!("{} rows against {off}", rows.len())),
        (Err(code), off) => Some(format!("{code} against {off:?}")),
    };
    if let Some(difference) = difference {
        return Err(format!("the evaluator against facts: {difference}"));
    }
    let (on, only) = vary(app, cube, asker, moment, &sql, &off, ordered).await?;
    Ok(Judged { sql, on, only })
}

/// The variants with rollups, held against the one without.
async fn vary(
    app: &App,
    cube: &'static Cube,
    asker: Asker,
    moment: Moment,
    sql: &str,
    off: &Outcome,
    ordered: bool,
) -> Result<(Outcome, BTreeMap<&'static str, Outcome>), String> {
    if off.as_ref().is_ok_and(|off| !off.used.is_empty()) {
        return Err("rollups are off, and one was used".to_owned());
    }
    let on = ask(app, asker, moment, sql, Rollups::On).await;
    if let Some(difference) = differ(off, &on, ordered) {
        let used = on.as_ref().map(|on| on.used.join(", ")).unwrap_or_default();
        return Err(format!("facts against rollups ({used}): {difference}"));
    }
    let mut only = BTreeMap::new();
    for rollup in cube.rollups {
        let outcome = ask(app, asker, moment, sql, Rollups::Only(rollup.name.to_owned())).await;
        if let Some(difference) = differ(off, &outcome, ordered) {
            return Err(format!("facts against only {}: {difference}", rollup.name));
        }
        if let Ok(given) = &outcome
            && given.used.iter().any(|used| used != rollup.name)
        {
            return Err(format!("only {} was allowed, and {:?} answered", rollup.name, given.used));
        }
        only.insert(rollup.name, outcome);
    }
    Ok((on, only))
}

fn describe(question: &Question) -> String {
    format!("{:?} at {:?}:\n{}", question.asker, question.moment, question.sql())
}

/// The outcomes of a question, which must agree.
async fn check(app: &App, question: &Question) -> Judged {
    judge(app, question).await.unwrap_or_else(|difference| panic!("{}\n{difference}", describe(question)))
}

/// The outcome of any statement of head office, the same in every way of answering it.
async fn agree(app: &App, cube: &'static Cube, moment: Moment, sql: &str) -> Outcome {
    let off = ask(app, Asker::HeadOffice, moment, sql, Rollups::Off).await;
    let varied = vary(app, cube, Asker::HeadOffice, moment, sql, &off, true).await;
    varied.unwrap_or_else(|difference| panic!("{moment:?}: {sql}\n{difference}")).0
}

impl Judged {
    fn given(&self, rollup: &str) -> &Given {
        self.only[rollup].as_ref().unwrap_or_else(|code| panic!("{}\n{code}", self.sql))
    }

    /// The rollup answers alone.
    fn hit(&self, rollup: &str) {
        let given = self.given(rollup);
        assert!(!given.used.is_empty() && given.refused.is_empty(), "{}\n{rollup}: {given:?}", self.sql);
        assert!(!given.with_facts, "{}\n{rollup} and facts", self.sql);
    }

    /// The rollup answers, and facts stand in for what it does not hold.
    fn mixed(&self, rollup: &str) {
        let given = self.given(rollup);
        assert!(!given.used.is_empty() && given.with_facts, "{}\n{rollup}: {given:?}", self.sql);
    }

    /// The rollup is passed over, for this reason.
    fn missed(&self, rollup: &str, code: &str) {
        let given = self.given(rollup);
        assert!(given.used.is_empty(), "{}\n{rollup}: {given:?}", self.sql);
        assert!(given.refused.contains(&(rollup.to_owned(), code.to_owned())), "{}\n{:?}", self.sql, given.refused);
    }

    /// Rows of the answer.
    fn rows(&self) -> &[Vec<String>] {
        &self.on.as_ref().unwrap_or_else(|code| panic!("{}\n{code}", self.sql)).rows
    }

    /// The only cell of the answer.
    fn cell(&self) -> &str {
        assert_eq!(self.rows().len(), 1, "{}", self.sql);
        &self.rows()[0][0]
    }
}

// ---- random questions

/// How often each kind of answer was met.
#[derive(Default)]
struct Tally {
    /// By cube: from a rollup alone, with facts, from facts alone, an error.
    cubes: BTreeMap<&'static str, [usize; 4]>,
    codes: BTreeMap<String, usize>,
}

const KINDS: [&str; 4] = ["by a rollup", "by a rollup and facts", "by facts", "refused"];

/// Reasons that random questions must provoke.
const CODES: &[&str] = &[
    "NOT_BUILT",
    "DIM_MISSING",
    "GRAIN_TOO_COARSE",
    "FILTER_NOT_IMPLIED",
    "RESIDUAL_NOT_STORED",
    "STALE",
    "UNALIGNED",
    "STATE_MISSING",
    "CALL_SHAPE",
];

impl Tally {
    fn add(&mut self, question: &Question, judged: &Judged) {
        let kind = match &judged.on {
            Ok(given) if given.used.is_empty() => 2,
            Ok(given) => usize::from(given.with_facts),
            Err(_) => 3,
        };
        self.cubes.entry(question.cube.name).or_default()[kind] += 1;
        for given in judged.only.values().flatten() {
            for (_, code) in &given.refused {
                *self.codes.entry(code.clone()).or_default() += 1;
            }
        }
    }

    /// A test that could not miss its point would prove nothing.
    fn met_everything(&self) {
        for cube in CUBES {
            let met = self.cubes.get(cube.name).copied().unwrap_or_default();
            for (kind, count) in KINDS[..3].iter().zip(met) {
                // Months are never cut by a question of balances, and the second batch leaves none of them fresh.
                if cube.name == BALANCES.name && *kind == KINDS[1] {
                    continue;
                }
                assert!(count > 0, "{}: no question was answered {kind}", cube.name);
            }
        }
        assert!(self.cubes.values().any(|met| met[3] > 0), "no question was refused");
        for code in CODES {
            assert!(self.codes.contains_key(*code), "no rollup was passed over as {code}: {:?}", self.codes);
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (cube, met) in &self.cubes {
            let kinds: Vec<String> = KINDS.iter().zip(met).map(|(kind, count)| format!("{count} {kind}")).collect();
            writeln!(f, "{cube}: {}", kinds.join(", "))?;
        }
        let codes: Vec<String> = self.codes.iter().map(|(code, count)| format!("{code} {count}")).collect();
        write!(f, "passed over: {}", codes.join(", "))
    }
}

/// A failing question with as little in it as still fails.
async fn shrink(app: &App, mut question: Question, mut difference: String) -> (Question, String) {
    let mut tries = 60;
    'again: loop {
        for smaller in question.smaller() {
            if tries == 0 {
                return (question, difference);
            }
            tries -= 1;
            if let Err(still) = judge(app, &smaller).await {
                (question, difference) = (smaller, still);
                continue 'again;
            }
        }
        return (question, difference);
    }
}

#[expect(clippy::print_stderr, reason = "what was asked and met is the test's report")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_questions_have_one_answer() {
    let questions = number("COUNTINGHOUSE_ORACLE_QUESTIONS", QUESTIONS);
    let seed = number("COUNTINGHOUSE_ORACLE_SEED", SEED);
    let app = app().await;
    let mut tally = Tally::default();
    let mut failures = Vec::new();
    // A question depends on its own seed alone: a failing one is asked again by itself.
    for own in (0..questions).map(|place| seed.wrapping_add(place)) {
        let question = random(own);
        match judge(&app, &question).await {
            Ok(judged) => tally.add(&question, &judged),
            Err(difference) => {
                let asked = describe(&question);
                let (smallest, difference) = Box::pin(shrink(&app, question, difference)).await;
                failures.push(format!(
                    "COUNTINGHOUSE_ORACLE_SEED={own} COUNTINGHOUSE_ORACLE_QUESTIONS=1\n{asked}\nsmallest: {}\n{difference}",
                    describe(&smallest)
                ));
            }
        }
        if failures.len() == 5 {
            break;
        }
    }
    eprintln!("{questions} questions from seed {seed}\n{tally}");
    assert!(failures.is_empty(), "{} questions differ:\n\n{}", failures.len(), failures.join("\n\n"));
    if questions >= QUESTIONS {
        tally.met_everything();
    }
}

// ---- traps: one test for each row of the table in the design of cubes, section 8, that one loaded bank can show

/// Events by month as the rows themselves say it.
fn events_by_month(state: usize) -> Vec<Vec<String>> {
    let mut months: BTreeMap<String, usize> = BTreeMap::new();
    for fact in bank().data.visible(EVENTS.facts, state) {
        let (year, month, _) = civil(fact.day);
        *months.entry(format!("{year}-{month:02}-01")).or_default() += 1;
    }
    months.into_iter().map(|(month, count)| vec![month, count.to_string()]).collect()
}

#[tokio::test]
async fn weeks_are_not_added_up_to_months() {
    let app = app().await;
    let by_month = Question::of(&EVENTS).keys(&["month"]).measures(&["events"]);
    let judged = check(&app, &by_month).await;
    assert_eq!(judged.rows(), events_by_month(1));
    judged.mixed("events_week"); // days of the weeks that cross a month come from the facts
    for level in ["month", "quarter", "year"] {
        let measures = ["turnover", "fee_rate", "clients", "turnover_mean"];
        let question = Question::of(&EVENTS).keys(&[level]).measures(&measures);
        // From the first week with the facts of November.
        let judged = check(&app, &question.filter(days(date(2023, 10, 30), data::LAST))).await;
        // The quarters of 2024 that have facts begin on a Monday: no week crosses into them.
        match level {
            "month" => judged.mixed("events_week"),
            _ => judged.hit("events_week"),
        }
        check(&app, &Question::of(&POSITIONS).keys(&[level]).measures(&["held", "held_average", "holders"])).await;
    }
    check(&app, &Question::of(&EVENTS).keys(&["week", "outlet"]).measures(&["turnover"])).await.hit("events_week");
}

#[tokio::test]
async fn a_finer_date_than_the_bucket_is_not_widened() {
    let app = app().await;
    let question = || Question::of(&EVENTS).measures(&["events", "turnover", "clients"]);
    for day in [date(2024, 3, 5), date(2024, 2, 29), date(2024, 3, 31), date(2024, 3, 2)] {
        check(&app, &question().filter(days(day, day))).await.missed("events_month", "UNALIGNED");
    }
    let cut = [
        days(date(2024, 1, 10), date(2024, 3, 20)),
        Cond::Is(Scalar::Level(Unit::Day), Op::Less, Value::Moment(i64::from(date(2024, 3, 15)) * 86_400 + NOON)),
        Cond::Is(Scalar::Level(Unit::Week), Op::AtLeast, Value::Date(date(2024, 2, 12))),
    ];
    for condition in cut {
        let judged = check(&app, &question().filter(condition.clone())).await;
        judged.mixed("events_month");
        judged.hit("events_day");
    }
    let by_day = question().keys(&["booked_on"]).filter(period(Unit::Month, date(2024, 2, 1)));
    check(&app, &by_day).await.missed("events_month", "GRAIN_TOO_COARSE");
}

#[tokio::test]
async fn an_inclusive_month_end_is_a_whole_month() {
    let app = app().await;
    let day = || Scalar::Level(Unit::Day);
    let ranges = [
        vec![days(date(2024, 2, 1), date(2024, 2, 29))],
        vec![days(date(2023, 12, 1), date(2024, 3, 31))],
        vec![Cond::Is(day(), Op::AtMost, Value::Date(date(2024, 3, 31)))],
        vec![Cond::Is(day(), Op::Greater, Value::Date(date(2023, 12, 31)))],
        vec![
            Cond::Is(day(), Op::AtLeast, Value::Date(date(2024, 2, 1))),
            Cond::Is(day(), Op::Less, Value::Date(date(2024, 4, 1))),
        ],
        vec![Cond::Is(Scalar::Level(Unit::Quarter), Op::Equal, Value::Written(date(2024, 1, 1)))],
    ];
    for range in ranges {
        let asked = |mut question: Question| {
            question.filters.extend(range.clone());
            question
        };
        let events = asked(Question::of(&EVENTS).keys(&["tier"]).measures(&["turnover", "clients"]));
        check(&app, &events).await.hit("events_month");
        let balances = asked(Question::of(&BALANCES).keys(&["tier"]).measures(&["balance", "balance_average"]));
        check(&app, &balances).await.hit("balances_fine");
        let positions = asked(Question::of(&POSITIONS).keys(&["tier"]).measures(&["held", "held_average"]));
        check(&app, &positions).await.hit("positions_month");
    }
}

#[tokio::test]
async fn date_functions_are_read_as_what_they_mean() {
    let app = app().await;
    let first = date(2024, 2, 1);
    let conditions = [
        Cond::Is(Scalar::Trunc(Unit::Month, Unit::Day), Op::Equal, Value::Date(first)),
        Cond::Is(Scalar::TruncDate(Unit::Quarter, Unit::Month), Op::AtMost, Value::Date(first)),
        Cond::Is(Scalar::Part(Part::Year, Unit::Day), Op::Equal, Value::Integer(2024)),
        Cond::In(Scalar::Part(Part::Month, Unit::Day), vec![Value::Integer(2), Value::Integer(12)], false),
        Cond::Is(Scalar::Part(Part::Quarter, Unit::Month), Op::Unequal, Value::Integer(1)),
    ];
    for condition in conditions {
        let question = Question::of(&EVENTS).keys(&["channel"]).measures(&["turnover", "clients"]).filter(condition);
        check(&app, &question).await.hit("events_month");
    }
    let keys = [
        Scalar::Trunc(Unit::Quarter, Unit::Day),
        Scalar::TruncDate(Unit::Month, Unit::Day),
        Scalar::Part(Part::Year, Unit::Day),
        Scalar::Part(Part::Month, Unit::Month),
    ];
    for key in keys {
        let question = Question::of(&EVENTS).key(key.clone()).measures(&["turnover", "fee_rate", "events"]);
        check(&app, &question).await.hit("events_month");
        let question = Question::of(&BALANCES).key(key).measures(&["balance", "balance_average", "clients"]);
        check(&app, &question).await.hit("balances_fine");
    }
    let weekday = Scalar::Part(Part::DayOfWeek, Unit::Day);
    let judged = check(&app, &Question::of(&EVENTS).key(weekday).measures(&["events"])).await;
    judged.hit("events_day");
    judged.missed("events_week", "GRAIN_TOO_COARSE");
}

#[tokio::test]
async fn a_key_pinned_by_equality_keeps_its_condition() {
    let app = app().await;
    let pinned = Question::of(&EVENTS).keys(&["channel", "month"]).measures(&["events"]).is("channel", "online");
    let judged = check(&app, &pinned).await;
    judged.hit("events_month");
    judged.hit("events_online");
    assert!(judged.rows().iter().all(|row| row[0] == "online"));
    let month = Question::of(&BALANCES).keys(&["month", "tier"]).measures(&["balance"]);
    let judged = check(&app, &month.filter(period(Unit::Month, date(2024, 3, 1)))).await;
    judged.hit("balances_fine");
    assert!(judged.rows().iter().all(|row| row[0] == "2024-03-01"));
}

#[tokio::test]
async fn a_rollup_with_a_condition_answers_only_what_asks_for_no_more() {
    let app = app().await;
    let by_tier = || Question::of(&EVENTS).keys(&["tier"]).measures(&["turnover", "fee_rate"]);
    check(&app, &by_tier()).await.missed("events_online", "FILTER_NOT_IMPLIED");
    check(&app, &by_tier().is("channel", "desk")).await.missed("events_online", "FILTER_NOT_IMPLIED");
    check(&app, &by_tier().is("channel", "online").is("outlet", "Mill")).await.hit("events_online");
    let channel = || EVENTS.member("channel");
    let more = Cond::In(channel(), vec![Value::text("online"), Value::text("desk")], false);
    check(&app, &by_tier().filter(more)).await.missed("events_online", "FILTER_NOT_IMPLIED");
    let or = Cond::Any(vec![
        Cond::Is(channel(), Op::Equal, Value::text("online")),
        Cond::Is(EVENTS.member("tier"), Op::Equal, Value::text("gold")),
    ]);
    check(&app, &by_tier().filter(or)).await.missed("events_online", "FILTER_NOT_IMPLIED");
    // A condition of one call does not narrow the others.
    let mut one = by_tier();
    one.calls[0] = EVENTS.call("turnover").only(Cond::Is(channel(), Op::Equal, Value::text("online")), Form::Filter);
    check(&app, &one).await.missed("events_online", "FILTER_NOT_IMPLIED");
}

#[tokio::test]
async fn totals_over_stale_partitions_are_merged_once() {
    let app = app().await;
    let totals = Question::of(&EVENTS).measures(&["events", "turnover", "score_mean", "targets"]).at(Moment::Stale);
    let judged = check(&app, &totals).await;
    judged.mixed("events_client");
    judged.mixed("events_day");
    assert_eq!(judged.rows().len(), 1);
    assert_eq!(judged.rows()[0][0], bank().data.visible(EVENTS.facts, 1).count().to_string());
    let totals = Question::of(&POSITIONS).measures(&["traded", "peak", "holders_seen"]).at(Moment::Stale);
    check(&app, &totals).await.mixed("positions_day");
    let totals = Question::of(&BALANCES).measures(&["interest", "balance", "accounts"]).at(Moment::Stale);
    // A product came into the cube's own condition: every partition may hold its accounts, and none is fresh.
    check(&app, &totals).await.missed("balances_client", "STALE");
}

#[tokio::test]
async fn overlapping_rollups_do_not_answer_a_row_twice() {
    let app = app().await;
    for moment in [Moment::Fresh, Moment::Stale, Moment::Renewed] {
        let question = Question::of(&EVENTS).keys(&["month"]).measures(&["events"]).at(moment);
        assert_eq!(check(&app, &question).await.rows(), events_by_month(moment.state()), "{moment:?}");
        for keys in [&["branch", "quarter"][..], &["outlet", "week"], &["client_id"], &["tier", "channel", "year"]] {
            let question = Question::of(&EVENTS).keys(keys).measures(&["events", "turnover", "clients"]).at(moment);
            check(&app, &question).await;
        }
    }
}

#[tokio::test]
async fn ranges_over_the_border_of_fresh_and_stale_lose_nothing() {
    let app = app().await;
    let ranges = [
        (date(2024, 3, 10), date(2024, 5, 10)),
        (date(2024, 5, 10), date(2024, 6, 10)),
        (date(2024, 5, 20), date(2024, 5, 21)),
        (date(2023, 12, 1), date(2024, 6, 30)),
    ];
    for (from, to) in ranges {
        for (cube, measures) in [
            (&EVENTS, &["events", "turnover", "clients"][..]),
            (&POSITIONS, &["held", "traded", "holders", "held_average"][..]),
        ] {
            for keys in [&[][..], &["branch"], &["outlet", "month"]] {
                let question =
                    Question::of(cube).keys(keys).measures(measures).filter(days(from, to)).at(Moment::Stale);
                check(&app, &question).await;
            }
        }
    }
}

#[tokio::test]
async fn partitions_that_no_rollup_has_come_from_facts() {
    let app = app().await;
    let june = period(Unit::Month, date(2024, 6, 1));
    for (cube, measure, rollup) in [(&EVENTS, "events", "events_day"), (&POSITIONS, "traded", "positions_day")] {
        let question = Question::of(cube).keys(&["branch"]).measures(&[measure]).filter(june.clone()).at(Moment::Stale);
        let judged = check(&app, &question).await;
        judged.mixed(rollup);
        assert!(!judged.rows().is_empty());
    }
    // Nothing has been built at all.
    for cube in CUBES {
        let question = Question::of(cube).keys(&["tier", "month"]).measures(&[cube.measures[0].name]);
        let judged = check(&app, &question.at(Moment::Unbuilt)).await;
        cube.rollups.iter().for_each(|rollup| judged.missed(rollup.name, "NOT_BUILT"));
    }
}

#[tokio::test]
async fn a_kept_snapshot_is_answered_by_its_own_rollups() {
    let app = app().await;
    let question = || Question::of(&EVENTS).keys(&["outlet", "month"]).measures(&["events", "turnover"]);
    check(&app, &question().at(Moment::Fresh)).await.hit("events_day");
    check(&app, &question().at(Moment::Stale)).await.mixed("events_day");
    check(&app, &question().at(Moment::Renewed)).await.hit("events_day");
}

#[tokio::test]
async fn null_keys_are_kept() {
    let app = app().await;
    let measures = ["turnover", "events", "clients"];
    let question = Question::of(&EVENTS).keys(&["product_family", "tier", "channel"]).measures(&measures);
    let judged = check(&app, &question).await;
    judged.hit("events_month");
    (0..3).for_each(|key| assert!(judged.rows().iter().any(|row| row[key] == "NULL"), "key {key}"));
    for negated in [false, true] {
        let null = Cond::Null(EVENTS.member("tier"), negated);
        check(&app, &Question::of(&EVENTS).keys(&["channel"]).measures(&measures).filter(null))
            .await
            .hit("events_month");
    }
    let listed = Cond::In(EVENTS.member("channel"), vec![Value::text("desk"), Value::Null], true);
    check(&app, &Question::of(&EVENTS).measures(&measures).filter(listed)).await.hit("events_month");
    let question = Question::of(&EVENTS).key(Scalar::Coalesce(EVENTS.place("tier"))).measures(&measures);
    check(&app, &question.key(Scalar::IsNull(EVENTS.place("channel")))).await.hit("events_month");
}

#[tokio::test]
async fn unknown_members_are_members() {
    let app = app().await;
    for (keys, rollup) in
        [(["outlet"], "events_week"), (["target_branch"], "events_routes"), (["client_id"], "events_client")]
    {
        let judged = check(&app, &Question::of(&EVENTS).keys(&keys).measures(&["events", "turnover"])).await;
        judged.hit(rollup);
        assert!(judged.rows().iter().any(|row| row[0] == "unknown"), "{keys:?}");
        assert!(judged.rows().iter().all(|row| row[0] != "NULL"), "{keys:?}: the padding of an outer join");
    }
    // The unknown office is one value of the key, and counted as one.
    check(&app, &Question::of(&EVENTS).keys(&["month"]).measures(&["targets"])).await.hit("events_day");
}

#[tokio::test]
async fn a_role_is_not_its_dimension() {
    let app = app().await;
    let routes = Question::of(&EVENTS).keys(&["branch", "target_branch"]).measures(&["events", "clients"]);
    check(&app, &routes).await.hit("events_routes");
    let from = Question::of(&EVENTS).keys(&["target_branch"]).measures(&["events"]).is("branch", "Alpha");
    check(&app, &from).await.hit("events_routes");
    let code = Question::of(&EVENTS).keys(&["target_branch_code"]).measures(&["events"]);
    check(&app, &code).await.missed("events_month", "DIM_MISSING");
}

#[tokio::test]
async fn names_that_two_members_share_are_one_group() {
    let app = app().await;
    let judged = check(&app, &Question::of(&EVENTS).keys(&["outlet"]).measures(&["events", "clients"])).await;
    assert_eq!(judged.rows().iter().filter(|row| row[0] == "Market").count(), 1);
    let judged = check(&app, &Question::of(&EVENTS).keys(&["branch", "outlet"]).measures(&["events", "clients"])).await;
    assert_eq!(judged.rows().iter().filter(|row| row[1] == "Market").count(), 2);
    // A line of two families: the upper level cannot be told from the lower one.
    let lines = Question::of(&EVENTS).keys(&["product_family", "product_line"]).measures(&["events", "turnover"]);
    check(&app, &lines).await;
    check(&app, &Question::of(&EVENTS).keys(&["product_family"]).measures(&["events"])).await;
}

#[tokio::test]
async fn distinct_is_never_a_count_or_a_sum() {
    let app = app().await;
    let total = Question::of(&EVENTS).measures(&["clients", "events"]);
    let judged = check(&app, &total).await;
    judged.hit("events_month");
    let clients: usize = judged.rows()[0][0].parse().unwrap();
    let seen = |fact: &data::Fact| fact.client.clone();
    let persons: BTreeSet<String> = bank().data.visible(EVENTS.facts, 1).filter_map(seen).collect();
    assert_eq!(clients, persons.len(), "a person is known by one number in every branch");
    let by_branch = check(&app, &Question::of(&EVENTS).keys(&["branch_code"]).measures(&["clients"])).await;
    by_branch.hit("events_month");
    let added: usize = by_branch.rows().iter().map(|row| row[1].parse::<usize>().unwrap()).sum();
    assert!(added > clients, "some persons are clients of two branches");
    for keys in [&["month"][..], &["quarter", "tier"], &["year"]] {
        let question = Question::of(&EVENTS).keys(keys).measures(&["clients", "events", "rated"]);
        check(&app, &question).await.hit("events_month");
        let question = Question::of(&BALANCES).keys(keys).measures(&["clients", "clients_seen", "accounts", "funded"]);
        check(&app, &question).await.hit("balances_fine");
    }
}

#[tokio::test]
async fn distinct_under_other_aggregates_is_refused_everywhere() {
    let app = app().await;
    for (cube, call) in [
        (&EVENTS, "SUM(DISTINCT turnover)"),
        (&EVENTS, "AVG(DISTINCT turnover)"),
        (&EVENTS, "COUNT(DISTINCT turnover)"),
        (&EVENTS, "SUM(clients)"),
        (&POSITIONS, "SUM(DISTINCT held)"),
        (&POSITIONS, "AVG(held)"),
        (&BALANCES, "SUM(DISTINCT interest)"),
        (&BALANCES, "MAX(balance)"),
    ] {
        let sql = format!("SELECT month, {call} AS c FROM {} GROUP BY month ORDER BY month", cube.name);
        assert_eq!(agree(&app, cube, Moment::Renewed, &sql).await.unwrap_err(), "MEASURE_AGGREGATE", "{sql}");
    }
}

#[tokio::test]
async fn ratios_and_means_are_not_added_when_rolled_up() {
    let app = app().await;
    for keys in [&[][..], &["year"], &["quarter"], &["month"], &["outlet"], &["branch", "year"]] {
        let measures = ["fee_rate", "turnover_mean", "score_mean", "smallest", "largest", "first_day"];
        check(&app, &Question::of(&EVENTS).keys(keys).measures(&measures)).await.hit("events_day");
        let measures = ["cost_rate", "overdraft_share", "balance_mean", "lowest", "highest", "peak"];
        check(&app, &Question::of(&BALANCES).keys(keys).measures(&measures)).await.hit("balances_fine");
        let measures = ["traded_rate", "held_mean", "held_average", "holdings_average", "largest_held", "peak"];
        check(&app, &Question::of(&POSITIONS).keys(keys).measures(&measures)).await.hit("positions_month");
    }
    // The engine's own average of rows is finer than the measure's, and cut off instead of rounded.
    let mean = Question::of(&EVENTS).call(What::OfRows(Ordinary::Mean, EVENTS.measure("turnover")));
    check(&app, &mean.measures(&["turnover_mean"])).await;
}

#[tokio::test]
async fn subtotals_come_from_states_and_not_from_finished_cells() {
    let app = app().await;
    let grouped = |cube: &'static Cube, keys: &[&str], grouping: Grouping, measures: &[&str]| {
        let question = Question::of(cube).keys(keys).grouped(grouping).measures(measures);
        question.call(What::Grouping(vec![0, 1]))
    };
    let measures = ["fee_rate", "clients", "turnover", "events"];
    for (keys, grouping) in [
        (["branch", "month"], Grouping::Rollup),
        (["quarter", "channel"], Grouping::Rollup),
        (["tier", "channel"], Grouping::Cube),
        (["tier", "month"], Grouping::Sets(vec![vec![0], vec![1], vec![]])),
    ] {
        for moment in [Moment::Stale, Moment::Renewed] {
            let judged = check(&app, &grouped(&EVENTS, &keys, grouping.clone(), &measures).at(moment)).await;
            if moment == Moment::Renewed {
                judged.hit("events_month");
            }
        }
    }
    let measures = ["balance", "clients", "cost_rate", "balance_average", "balance_mean"];
    for keys in [["year", "month"], ["outlet", "quarter"], ["tier", "product_line"]] {
        for grouping in [Grouping::Rollup, Grouping::Cube] {
            check(&app, &grouped(&BALANCES, &keys, grouping, &measures)).await.hit("balances_fine");
        }
    }
}

#[tokio::test]
async fn rows_are_counted_as_facts() {
    let app = app().await;
    let mut question = Question::of(&EVENTS).keys(&["tier"]).measures(&["events", "rated"]);
    for text in ["COUNT(*)", "COUNT(1)"] {
        question = question.call(What::Rows(text));
    }
    question = question.call(What::SumOne);
    let mut guarded = question.clone();
    guarded.having = Some((Call::of(What::Rows("COUNT(1)")), Op::Greater, Value::Integer(0)));
    for asked in [&question, &guarded] {
        let judged = check(&app, asked).await;
        judged.hit("events_month");
        judged.rows().iter().for_each(|row| {
            assert!(row[1] == row[3] && row[1] == row[4] && row[1] == row[5], "{row:?}");
            assert_ne!(row[1], row[2], "not every event is rated");
        });
    }
    // A column's count is not the count of rows, in the rollup's keys or anywhere.
    let counts = ["channel", "tier", "branch"].map(|name| What::Count(EVENTS.member(name)));
    let counted = counts.into_iter().fold(Question::of(&EVENTS).keys(&["month"]), Question::call);
    check(&app, &counted.call(What::Rows("COUNT(*)"))).await;
    let bounds = [What::Min(EVENTS.member("tier")), What::Max(EVENTS.member("channel"))];
    check(&app, &bounds.into_iter().fold(Question::of(&EVENTS).keys(&["branch"]), Question::call)).await;
}

#[tokio::test]
async fn balances_are_not_added_over_days_nor_closes_in_a_subtotal() {
    let app = app().await;
    for moment in [Moment::Fresh, Moment::Stale, Moment::Renewed] {
        let by_time = Question::of(&BALANCES).keys(&["year", "month"]).grouped(Grouping::Rollup);
        let judged = check(&app, &by_time.measures(&["balance", "accounts", "clients"]).at(moment)).await;
        let total = judged.rows().iter().find(|row| row[0] == "NULL").unwrap();
        let last = judged.rows().iter().filter(|row| row[1] != "NULL").max_by_key(|row| row[1].clone()).unwrap();
        assert_eq!(total[2..], last[2..], "the whole closes on its last day: {moment:?}");
        for keys in [&["quarter"][..], &["year"], &["week"], &["outlet"], &[]] {
            let question = Question::of(&POSITIONS).keys(keys).measures(&["held", "holdings", "holders"]).at(moment);
            check(&app, &question).await;
        }
    }
    let quarter = Question::of(&BALANCES).keys(&["branch", "quarter"]).measures(&["balance", "balance_average"]);
    let judged = check(&app, &quarter).await;
    judged.hit("balances_fine");
    judged.hit("balances_quarter");
}

#[tokio::test]
async fn a_close_moves_without_a_new_file() {
    let app = app().await;
    let may = || {
        let question = Question::of(&POSITIONS).filter(period(Unit::Month, date(2024, 5, 1)));
        question.measures(&["held"]).by(Asker::Schema("gamma"))
    };
    let fresh = check(&app, &may().at(Moment::Fresh)).await;
    fresh.hit("positions_month");
    assert_ne!(fresh.cell(), "NULL", "May closes on the 20th, on which gamma has rows");
    for moment in [Moment::Stale, Moment::Renewed] {
        // Gamma delivered nothing, and yet May closes on the 31st now.
        assert_eq!(check(&app, &may().at(moment)).await.cell(), "NULL", "{moment:?}");
    }
    let by_branch = Question::of(&POSITIONS).keys(&["branch_code", "month"]).measures(&["held", "held_average"]);
    check(&app, &by_branch.at(Moment::Stale)).await;
}

#[tokio::test]
async fn months_without_rows_on_their_last_day_close_empty() {
    let app = app().await;
    for schema in ["alpha", "beta"] {
        let march = Question::of(&POSITIONS).keys(&["month", "outlet"]).measures(&["held", "holdings", "held_average"]);
        let march = march.filter(period(Unit::Month, date(2024, 3, 1))).by(Asker::Schema(schema));
        let judged = check(&app, &march).await;
        judged.hit("positions_month");
        assert_eq!(judged.rows().iter().all(|row| row[2] == "NULL"), schema == "alpha");
    }
    let january = period(Unit::Month, date(2024, 1, 1));
    let empty = Question::of(&BALANCES).measures(&["balance", "accounts"]).filter(january.clone());
    let judged = check(&app, &empty).await;
    judged.hit("balances_fine");
    assert_eq!(judged.rows(), [["NULL", "0"]]);
    let none = check(&app, &Question::of(&BALANCES).keys(&["outlet"]).measures(&["balance"]).filter(january)).await;
    assert!(none.rows().is_empty());
}

#[tokio::test]
async fn daily_averages_divide_by_the_days_asked_for() {
    let app = app().await;
    let measures = ["held_average", "holdings_average"];
    for range in [
        days(date(2024, 2, 1), date(2024, 2, 29)),
        days(date(2024, 2, 20), date(2024, 3, 10)),
        days(date(2024, 3, 1), date(2024, 4, 30)),
        period(Unit::Week, date(2024, 2, 29)),
    ] {
        for keys in [&[][..], &["month"], &["outlet"], &["tier", "week"]] {
            for moment in [Moment::Stale, Moment::Renewed] {
                let question = Question::of(&POSITIONS).keys(keys).measures(&measures).filter(range.clone()).at(moment);
                check(&app, &question).await;
            }
        }
    }
    // A row for a month cannot be parted, from whatever it is answered.
    let parted =
        Question::of(&BALANCES).measures(&["balance_average"]).filter(days(date(2024, 2, 1), date(2024, 3, 15)));
    assert_eq!(check(&app, &parted).await.on.unwrap_err(), "TIME_CONTEXT");
    let mixed = Cond::Any(vec![
        period(Unit::Month, date(2024, 2, 1)),
        Cond::Is(BALANCES.member("tier"), Op::Equal, Value::text("gold")),
    ]);
    let question = Question::of(&BALANCES).measures(&["interest"]).filter(mixed);
    check(&app, &question).await;
    assert_eq!(check(&app, &question.measures(&["balance"])).await.on.unwrap_err(), "TIME_CONTEXT");
}

#[tokio::test]
async fn types_and_scales_are_those_of_the_facts() {
    let app = app().await;
    let measures = ["quantity", "turnover", "fee_rate", "events", "first_day", "score_mean"];
    let judged = check(&app, &Question::of(&EVENTS).keys(&["outlet"]).measures(&measures)).await;
    judged.hit("events_day");
    let kinds: Vec<DataType> =
        judged.given("events_day").schema.fields().iter().skip(1).map(|field| field.data_type().clone()).collect();
    let decimal = DataType::Decimal128;
    let expected = [decimal(34, 4), decimal(18, 2), decimal(9, 6), DataType::Int64, DataType::Date32, decimal(18, 4)];
    assert_eq!(kinds, expected);
    assert!(judged.rows().iter().any(|row| row[1].len() > 21), "sums of more than twenty digits");
    // A sum that does not fit its type is an error, from whatever it is answered.
    for keys in ["", "month, "] {
        let group = if keys.is_empty() { "" } else { " GROUP BY month ORDER BY month" };
        let sql = format!("SELECT {keys}SUM(narrow) AS c FROM events{group}");
        agree(&app, &EVENTS, Moment::Renewed, &sql).await.unwrap_err();
    }
}

#[tokio::test]
async fn statements_that_tools_nest_find_the_rollup() {
    let app = app().await;
    for nesting in [Nesting::Star, Nesting::Renamed, Nesting::Cte] {
        for wrapped in [false, true] {
            let question =
                Question::of(&EVENTS).keys(&["channel", "month"]).measures(&["turnover", "fee_rate", "clients"]);
            let mut question = question.is("tier", "gold").filter(days(date(2023, 12, 1), date(2024, 3, 31)));
            (question.nesting, question.inner, question.wrapped) = (nesting, 1, wrapped);
            check(&app, &question).await.hit("events_month");
            let question = Question::of(&BALANCES).keys(&["outlet"]).measures(&["balance", "balance_average"]);
            let mut question = question.filter(days(date(2023, 12, 1), date(2024, 3, 31)));
            (question.nesting, question.inner, question.wrapped) = (nesting, 1, wrapped);
            check(&app, &question).await.hit("balances_fine");
        }
    }
    let mut top = Question::of(&EVENTS).keys(&["outlet", "week"]).measures(&["turnover"]);
    top.limit = Some(3);
    let judged = check(&app, &top).await;
    judged.hit("events_week");
    assert_eq!(judged.rows().len(), 3, "a limit cuts finished rows");
}

#[tokio::test]
async fn windows_and_joins_stand_on_finished_rows() {
    let app = app().await;
    for sql in [
        "SELECT month, SUM(turnover) AS t, SUM(SUM(turnover)) OVER (ORDER BY month) AS running
         FROM events GROUP BY month ORDER BY month",
        "SELECT branch, tier, RANK() OVER (PARTITION BY branch ORDER BY COUNT(*) DESC, tier) AS place
         FROM events GROUP BY branch, tier ORDER BY branch, place, tier",
        "SELECT e.branch_code, e.turnover, b.balance
         FROM (SELECT branch_code, SUM(turnover) AS turnover FROM events GROUP BY branch_code) e
         JOIN (SELECT branch_code, SUM(balance) AS balance FROM balances GROUP BY branch_code) b
           ON e.branch_code = b.branch_code ORDER BY e.branch_code",
        "SELECT month, turnover FROM (SELECT month, SUM(turnover) AS turnover FROM events GROUP BY month) t
         WHERE turnover > (SELECT SUM(turnover) / 10 FROM events) ORDER BY month",
    ] {
        for moment in [Moment::Fresh, Moment::Stale, Moment::Renewed] {
            let given = agree(&app, &EVENTS, moment, sql).await.unwrap();
            assert!(!given.rows.is_empty(), "{sql}");
        }
    }
}

#[tokio::test]
async fn conditions_on_joined_attributes_are_not_forgotten() {
    let app = app().await;
    let question = || Question::of(&EVENTS).measures(&["events", "turnover"]);
    let judged = check(&app, &question().is("product_line", "loans")).await;
    judged.hit("events_week");
    judged.hit("events_month");
    judged.missed("events_day", "RESIDUAL_NOT_STORED");
    let staff = question().filter(Cond::Flag(EVENTS.place("is_staff"), true));
    check(&app, &staff).await.hit("events_client");
    let joined = Cond::Is(EVENTS.member("joined_on"), Op::Less, Value::Date(date(2021, 1, 1)));
    check(&app, &question().keys(&["tier"]).filter(joined)).await.hit("events_client");
    let kind = question().keys(&["month"]).is("office_kind", "counter");
    check(&app, &kind).await.hit("events_day");
    let nobody = question().is("outlet", "nobody");
    assert_eq!(check(&app, &nobody).await.rows(), [["0", "NULL"]]);
    assert!(check(&app, &nobody.keys(&["month"])).await.rows().is_empty());
}

#[tokio::test]
async fn conditional_sums_are_the_measure_under_one_more_condition() {
    let app = app().await;
    let online = || Cond::Is(EVENTS.member("channel"), Op::Equal, Value::text("online"));
    for form in [Form::Filter, Form::Case, Form::CaseNull] {
        let mut question = Question::of(&EVENTS).keys(&["branch", "month"]).measures(&["turnover"]);
        for name in ["turnover", "events", "fee_rate", "clients", "largest"] {
            question.calls.push(EVENTS.call(name).only(online(), form));
        }
        let february = period(Unit::Month, date(2024, 2, 1));
        question.calls.push(EVENTS.call("turnover").only(february.clone(), form));
        check(&app, &question).await.hit("events_month");
        let mut question = Question::of(&BALANCES).keys(&["outlet"]).measures(&["balance"]);
        question.calls.push(BALANCES.call("balance").only(february.clone(), form));
        question.calls.push(BALANCES.call("balance_average").only(february, form));
        let gold = Cond::Is(BALANCES.member("tier"), Op::Equal, Value::text("gold"));
        question.calls.push(BALANCES.call("clients").only(gold, form));
        check(&app, &question).await.hit("balances_fine");
    }
}

#[tokio::test]
async fn lists_of_members_come_from_rollups() {
    let app = app().await;
    for keys in [&["tier"][..], &["branch", "channel"], &["month", "tier"]] {
        let mut question = Question::of(&EVENTS).keys(keys);
        check(&app, &question).await.hit("events_month");
        question.distinct = true;
        check(&app, &question).await.hit("events_month");
    }
    let tiers = Question::of(&EVENTS).keys(&["branch"]).call(What::CountDistinct(EVENTS.member("tier")));
    check(&app, &tiers).await.hit("events_month");
}

#[tokio::test]
async fn moved_and_changed_members_count_where_they_are_now() {
    let app = app().await;
    for moment in [Moment::Stale, Moment::Renewed] {
        for (cube, measures) in [
            (&EVENTS, &["events", "turnover", "clients"][..]),
            (&BALANCES, &["balance", "interest", "clients"][..]),
            (&POSITIONS, &["held", "traded", "holders"][..]),
        ] {
            for keys in [
                &["branch"][..],
                &["sub_branch", "outlet"],
                &["branch_code", "office_kind"],
                &["tier"],
                &["joined_on"],
                &["is_staff", "month"],
                &["product_family"],
            ] {
                check(&app, &Question::of(cube).keys(keys).measures(measures).at(moment)).await;
            }
        }
    }
    for moment in [Moment::Fresh, Moment::Stale, Moment::Renewed] {
        let harbour = Question::of(&EVENTS).keys(&["branch"]).measures(&["events"]).is("outlet", "Harbour").at(moment);
        let judged = check(&app, &harbour).await;
        assert_eq!(judged.rows()[0][0], if moment == Moment::Fresh { "Beta" } else { "Gamma" });
    }
    // Harbour's old rows stay in the files of branch beta.
    let own = Question::of(&EVENTS).keys(&["branch", "outlet"]).measures(&["events"]).by(Asker::Branch("beta"));
    let judged = check(&app, &own).await;
    judged.hit("events_week");
    assert!(judged.rows().iter().any(|row| row[0] == "Gamma" && row[1] == "Harbour"));
}

#[tokio::test]
async fn a_cubes_own_condition_follows_its_dimension() {
    let app = app().await;
    let of_product =
        |moment| Question::of(&BALANCES).is("product", "P6").measures(&["accounts", "interest"]).at(moment);
    let fresh = check(&app, &of_product(Moment::Fresh)).await;
    assert_eq!(fresh.rows(), [["0", "NULL"]], "P6 is internal");
    for moment in [Moment::Stale, Moment::Renewed] {
        let rows = check(&app, &of_product(moment)).await.rows().to_vec();
        assert_ne!(rows[0][1], "NULL", "P6 is internal no longer: {moment:?}");
        for keys in [&["product_line", "month"][..], &["tier"], &["client_id"]] {
            let question = Question::of(&BALANCES).keys(keys).measures(&["balance", "accounts", "interest"]);
            check(&app, &question.at(moment)).await;
        }
    }
}

#[tokio::test]
async fn a_branch_is_answered_from_its_own_rollups() {
    let app = app().await;
    for branch in data::BRANCHES {
        let question = Question::of(&EVENTS).keys(&["outlet", "month"]).measures(&["turnover", "clients", "fee_rate"]);
        let own = check(&app, &question.clone().by(Asker::Branch(branch))).await;
        own.hit("events_day");
        let seen = check(&app, &question.by(Asker::Schema(branch))).await;
        seen.hit("events_day");
        assert_eq!(own.rows(), seen.rows());
        for moment in [Moment::Fresh, Moment::Stale] {
            let question =
                Question::of(&BALANCES).keys(&["quarter"]).measures(&["balance", "balance_average", "clients"]);
            check(&app, &question.by(Asker::Branch(branch)).at(moment)).await;
        }
    }
}

#[tokio::test]
async fn every_reason_has_a_question_that_provokes_it() {
    let app = app().await;
    let question = || Question::of(&EVENTS);
    for (question, rollup, code) in [
        (question().keys(&["channel"]).measures(&["turnover"]), "events_week", "DIM_MISSING"),
        (question().keys(&["attempt"]).measures(&["turnover"]), "events_month", "DIM_MISSING"),
        (question().keys(&["booked_on"]).measures(&["turnover"]), "events_month", "GRAIN_TOO_COARSE"),
        (question().keys(&["month"]).measures(&["turnover"]), "events_routes", "GRAIN_TOO_COARSE"),
        (question().measures(&["turnover"]), "events_online", "FILTER_NOT_IMPLIED"),
        (question().measures(&["turnover"]).is("channel", "desk"), "events_week", "RESIDUAL_NOT_STORED"),
        (
            question().measures(&["turnover"]).filter(period(Unit::Month, date(2024, 2, 1))),
            "events_routes",
            "UNALIGNED",
        ),
        (question().measures(&["score_mean"]), "events_week", "STATE_MISSING"),
        (question().measures(&["quantity"]), "events_client", "STATE_MISSING"),
        (question().call(What::OfRows(Ordinary::Mean, EVENTS.measure("turnover"))), "events_week", "CALL_SHAPE"),
        (question().measures(&["turnover"]).at(Moment::Unbuilt), "events_day", "NOT_BUILT"),
    ] {
        check(&app, &question).await.missed(rollup, code);
    }
}
