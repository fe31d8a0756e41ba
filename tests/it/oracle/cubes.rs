//! The three cubes of `tests/projects/oracle`, told a second time: once for the engine in YAML, once here for the evaluator.
//!
//! A measure's inputs are plain functions over a row's numbers, so that no formula is parsed and nothing of the engine's
//! is called.

use std::sync::LazyLock;

use super::data::date;
use super::question::{Call, Scalar, Unit, What};

/// Numbers of a row: these three first, then those of its fact table.
pub(crate) type Numbers = [Option<i128>];
/// Number of the person.
pub(crate) const CLIENT: usize = 0;
/// Number of the version of the target office that the row holds; -1 for the unknown one.
pub(crate) const TARGET: usize = 1;
pub(crate) const DAY: usize = 2;

/// A measure's input in one row.
pub(crate) type Input = fn(&Numbers) -> Option<i128>;

/// A cube as the evaluator and the generator of questions see it.
#[derive(Debug)]
pub(crate) struct Cube {
    pub(crate) name: &'static str,
    /// Place in `data::FACT_TABLES`.
    pub(crate) facts: usize,
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) members: &'static [Member],
    /// Each is followed by its comparisons, as in the engine.
    pub(crate) measures: LazyLock<Vec<Measure>>,
    pub(crate) rollups: &'static [Rollup],
}

/// Which days have a full set of rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Snapshot {
    MonthEnd,
    EveryDay,
}

/// A column of the view that is no time level, with values to ask for.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Text(&'static [&'static str]),
    /// From zero to this.
    Integer(i64),
    Date,
    Flag,
}

#[derive(Debug)]
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    /// The aggregate by which SQL may call it.
    pub(crate) declared: Option<&'static str>,
    pub(crate) state: State,
    pub(crate) rule: Rule,
    /// What it gives.
    pub(crate) gives: Gives,
    /// Not asked for at random: it fails on purpose.
    pub(crate) fails: bool,
    compare: &'static str,
}

/// State with its inputs, and their scales where a quotient needs them.
#[derive(Debug)]
pub(crate) enum State {
    Sum(Input),
    /// Rows.
    Rows,
    Count(Input),
    Min(Input),
    Max(Input),
    Mean(Input, u32),
    Ratio(Input, Input, u32, u32),
    Distinct(Input),
    /// Distinct values of a member.
    DistinctMember(usize),
    /// Sample variance, and with `true` its root, of values at a scale.
    Spread(Input, u32, bool),
    Derived(Derived),
}

/// What a measure is made of that stores nothing. Others are named.
#[derive(Debug)]
pub(crate) enum Derived {
    Moved(&'static str, Shift),
    /// Against the other days; the last says whether in proportion to the value there.
    Change(&'static str, Shift, bool),
    Share(&'static str, Within),
    /// The last says whether the lowest comes first.
    Rank(&'static str, Within, bool),
    /// Of these, in order.
    Calculated(&'static [&'static str], Calculation),
}

/// Finished values, unscaled and with their scale, into an unscaled one.
pub(crate) type Calculation = fn(&[Option<(i128, u32)>]) -> Option<i128>;

/// What turns the days of a group into other days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shift {
    PriorPeriod,
    PriorYear,
    YearStart,
    Opening,
    ToDate(Unit),
    ToDatePriorYear(Unit),
    Rolling(i32, Unit),
}

/// Which keys name the group that a share or rank is within.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Within {
    All,
    /// Of a dimension, by its name.
    Parent(&'static str),
    Level(&'static str, &'static str),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rule {
    All,
    Close,
    /// Divided by the days of the bucket.
    Average,
    /// On the latest day with a value.
    Seen,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Gives {
    Decimal(u32),
    Integer,
    Date,
}

/// A rollup: what it stores, by which questions are aimed at it.
#[derive(Debug)]
pub(crate) struct Rollup {
    pub(crate) name: &'static str,
    /// Members that can be read off it, in words; one stands twice where questions should name it more often.
    pub(crate) members: &'static str,
    pub(crate) time: Unit,
    pub(crate) measures: &'static str,
    pub(crate) only: Option<Only>,
}

/// A rollup's own condition.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Only {
    /// Member and value.
    Is(&'static str, &'static str),
    /// From this day on.
    Since(i32),
}

impl Cube {
    pub(crate) fn place(&self, member: &str) -> usize {
        self.members.iter().position(|known| known.name == member).unwrap_or_else(|| panic!("no member {member}"))
    }

    /// A member as a grouping column or in a condition.
    pub(crate) fn member(&self, name: &str) -> Scalar {
        Scalar::Member(self.place(name))
    }

    /// A call of a measure by its declared aggregate, or by name when it has none.
    pub(crate) fn call(&self, name: &str) -> Call {
        Call::of(What::Measure(self.measure(name)))
    }

    pub(crate) fn measure(&self, name: &str) -> usize {
        self.measures.iter().position(|known| known.name == name).unwrap_or_else(|| panic!("no measure {name}"))
    }
}

impl Measure {
    const fn new(name: &'static str, declared: Option<&'static str>, state: State, rule: Rule, gives: Gives) -> Self {
        Self { name, declared, state, rule, gives, fails: false, compare: "" }
    }

    const fn derived(name: &'static str, declared: Option<&'static str>, derived: Derived, gives: Gives) -> Self {
        Self::new(name, declared, State::Derived(derived), Rule::All, gives)
    }

    /// With comparisons, in words.
    const fn compared(mut self, words: &'static str) -> Self {
        self.compare = words;
        self
    }

    const fn failing(mut self) -> Self {
        self.fails = true;
        self
    }

    /// An additive sum has a value in each row, so ordinary aggregates may be asked of it. The row's value.
    pub(crate) fn row_value(&self) -> Option<Input> {
        match (&self.state, self.rule) {
            (State::Sum(input), Rule::All) => Some(*input),
            _ => None,
        }
    }

    /// Measures that it is made of; none when it has a state of its own.
    pub(crate) fn made_of(&self) -> &[&'static str] {
        match &self.state {
            State::Derived(
                Derived::Moved(of, _) | Derived::Change(of, ..) | Derived::Share(of, _) | Derived::Rank(of, ..),
            ) => std::slice::from_ref(of),
            State::Derived(Derived::Calculated(of, _)) => of,
            _ => &[],
        }
    }
}

/// Measures with the comparisons that they ask for. The names live as long as the test.
fn all(declared: Vec<Measure>) -> Vec<Measure> {
    let mut all = Vec::new();
    for measure in declared {
        let (of, gives, compare) = (measure.name, measure.gives, measure.compare);
        let declared = measure.declared.filter(|aggregate| *aggregate == "SUM");
        all.push(measure);
        for word in compare.split_whitespace() {
            let shift = shift(word);
            let name = |name: String| -> &'static str { name.leak() };
            all.push(Measure::derived(name(format!("{of}_{word}")), declared, Derived::Moved(of, shift), gives));
            if matches!(shift, Shift::PriorPeriod | Shift::PriorYear | Shift::YearStart) {
                let versus = format!("{of}_vs_{word}");
                let change = |relative| Derived::Change(of, shift, relative);
                all.push(Measure::derived(name(format!("{versus}_pct")), None, change(true), RATE));
                all.push(Measure::derived(name(versus), declared, change(false), gives));
            }
        }
    }
    all
}

fn shift(word: &str) -> Shift {
    let unit = |word: &str| match word {
        "days" => Unit::Day,
        "weeks" => Unit::Week,
        "months" | "mtd" => Unit::Month,
        "quarters" | "qtd" => Unit::Quarter,
        "years" | "ytd" => Unit::Year,
        other => panic!("no unit {other}"),
    };
    match word {
        "prior_period" => Shift::PriorPeriod,
        "prior_year" => Shift::PriorYear,
        "year_start" => Shift::YearStart,
        "mtd" | "qtd" | "ytd" => Shift::ToDate(unit(word)),
        _ => match (word.strip_suffix("_prior_year"), word.strip_prefix("rolling_")) {
            (Some(to_date), _) => Shift::ToDatePriorYear(unit(to_date)),
            (_, Some(rolling)) => {
                let (count, of) = rolling.split_once('_').expect("a count and a unit");
                Shift::Rolling(count.parse().expect("a count"), unit(of))
            }
            _ => panic!("no comparison {word}"),
        },
    }
}

/// Dimension of a member and its depth among the levels; an attribute has none.
pub(crate) fn place_in_dimension(member: &str) -> Option<(&'static str, Option<usize>)> {
    const ORGANISATION: [&str; 4] = ["head_office", "branch", "sub_branch", "outlet"];
    const PRODUCT: [&str; 3] = ["product_family", "product_line", "product"];
    let depth = |levels: &[&str], name: &str| levels.iter().position(|level| *level == name);
    let (dimension, name) = match member.strip_prefix("target_") {
        Some(name) => ("target", name),
        None => ("organisation", member),
    };
    match name {
        "branch_code" | "office_kind" => return Some((dimension, None)),
        "tier" | "joined_on" | "is_staff" | "client_id" => return Some(("client", None)),
        _ => {}
    }
    let office = depth(&ORGANISATION, name).map(|depth| (dimension, Some(depth)));
    office.or_else(|| depth(&PRODUCT, name).map(|depth| ("product", Some(depth))))
}

// ---- calculations, written out

fn quotient(values: &[Option<(i128, u32)>], scale: u32) -> Option<i128> {
    let (top, of_top) = values[0]?;
    let (bottom, of_bottom) = values[1]?;
    super::evaluate::quotient(top, of_top, bottom, of_bottom, scale)
}

/// `a / b` to six digits.
fn by_six(values: &[Option<(i128, u32)>]) -> Option<i128> {
    quotient(values, 6)
}

/// `a / b` to two digits.
fn by_two(values: &[Option<(i128, u32)>]) -> Option<i128> {
    quotient(values, 2)
}

/// `a / b - 1`: the quotient has twelve digits before it is shown with six.
fn growth(values: &[Option<(i128, u32)>]) -> Option<i128> {
    super::evaluate::quotient(quotient(values, 12)? - 1_000_000_000_000, 12, 1, 0, 6)
}

const MONEY: Gives = Gives::Decimal(2);
const RATE: Gives = Gives::Decimal(6);
const SUM: Option<&str> = Some("SUM");
const MIN: Option<&str> = Some("MIN");
const MAX: Option<&str> = Some("MAX");
const AVG: Option<&str> = Some("AVG");
const DISTINCT: Option<&str> = Some("COUNT DISTINCT");

const OUTLETS: &[&str] =
    &["Mill", "Bridge", "Quay", "Market", "Tower", "Harbour", "Gamma Hill", "Gamma", "Beta", "unknown"];
const SUB_BRANCHES: &[&str] = &["Alpha North", "Alpha South", "Alpha", "Beta West", "Beta", "Gamma", "Gamma Hill"];

const fn text(name: &'static str, values: &'static [&'static str]) -> Member {
    Member { name, kind: Kind::Text(values) }
}

const HEAD_OFFICE: Kind = Kind::Text(&["Head office", "unknown"]);
const BRANCH: Kind = Kind::Text(&["Alpha", "Beta", "Gamma", "unknown"]);
const BRANCH_CODE: Kind = Kind::Text(&["alpha", "beta", "gamma", "unknown"]);
const OFFICE_KIND: Kind = Kind::Text(&["full", "counter", "regional"]);

/// Of organisation, client and product; each cube repeats them, because its members are one list.
macro_rules! members {
    ($($own:expr),*) => {
        &[
            Member { name: "head_office", kind: HEAD_OFFICE },
            Member { name: "branch", kind: BRANCH },
            text("sub_branch", SUB_BRANCHES),
            text("outlet", OUTLETS),
            Member { name: "branch_code", kind: BRANCH_CODE },
            Member { name: "office_kind", kind: OFFICE_KIND },
            text("tier", &["gold", "silver", "basic"]),
            Member { name: "joined_on", kind: Kind::Date },
            Member { name: "is_staff", kind: Kind::Flag },
            text("client_id", &["C01", "C04", "C08", "C12", "C30", "C50"]),
            text("product_family", &["retail", "corporate", "internal"]),
            text("product_line", &["cards", "loans", "plans", "unknown"]),
            text("product", &["P1", "P2", "P3", "P5", "P6", "unknown"]),
            $($own),*
        ]
    };
}

/// Every column of the client dimension.
const OF_CLIENT: &str = "client_id tier joined_on is_staff";
/// What is read off a stored outlet: the level is kept as the office's key, so all above it is joined back.
const OF_OFFICE: &str = "outlet outlet sub_branch branch branch_code office_kind";

// ---- balances: a month end stands for its month

mod balance {
    use super::{CLIENT, Numbers};

    pub(super) fn end(row: &Numbers) -> Option<i128> {
        row[3]
    }
    pub(super) fn day_sum(row: &Numbers) -> Option<i128> {
        row[4]
    }
    pub(super) fn interest(row: &Numbers) -> Option<i128> {
        row[5]
    }
    pub(super) fn yearly_interest(row: &Numbers) -> Option<i128> {
        row[5].map(|interest| interest * 12)
    }
    pub(super) fn limit(row: &Numbers) -> Option<i128> {
        row[6]
    }
    pub(super) fn overdraft(row: &Numbers) -> Option<i128> {
        Some(row[3].map_or(0, |end| (-end).max(0)))
    }
    pub(super) fn funded_client(row: &Numbers) -> Option<i128> {
        row[3].filter(|end| *end != 0).and(row[CLIENT])
    }
}

fn client(row: &Numbers) -> Option<i128> {
    row[CLIENT]
}

fn one(_: &Numbers) -> Option<i128> {
    Some(1)
}

pub(crate) static BALANCES: Cube = Cube {
    name: "balances",
    facts: 0,
    snapshot: Some(Snapshot::MonthEnd),
    members: members!(text("currency", &["EUR", "USD"]), Member { name: "account_no", kind: Kind::Integer(360) }),
    measures: LazyLock::new(|| {
        all(vec![
            Measure::new("balance", SUM, State::Sum(balance::end), Rule::Close, MONEY)
                .compared("prior_period prior_year year_start"),
            Measure::new("accounts", SUM, State::Rows, Rule::Close, Gives::Integer).compared("prior_year year_start"),
            Measure::new("funded", SUM, State::Count(balance::end), Rule::Close, Gives::Integer),
            Measure::new("clients", DISTINCT, State::Distinct(balance::funded_client), Rule::Close, Gives::Integer)
                .compared("prior_period prior_year"),
            Measure::new("clients_seen", DISTINCT, State::Distinct(client), Rule::All, Gives::Integer)
                .compared("prior_year qtd rolling_1_quarters"),
            Measure::new("lowest", MIN, State::Min(balance::end), Rule::Close, MONEY),
            Measure::new("highest", MAX, State::Max(balance::end), Rule::Close, MONEY).compared("prior_period"),
            Measure::new("peak", MAX, State::Max(balance::end), Rule::All, MONEY),
            Measure::new("balance_mean", AVG, State::Mean(balance::end, 2), Rule::Close, MONEY)
                .compared("prior_period prior_year"),
            Measure::new("balance_average", None, State::Sum(balance::day_sum), Rule::Average, MONEY)
                .compared("prior_period prior_year ytd ytd_prior_year rolling_3_months"),
            Measure::new("balance_seen", None, State::Sum(balance::end), Rule::Seen, MONEY)
                .compared("prior_period prior_year"),
            Measure::new("funded_seen", None, State::Count(balance::end), Rule::Seen, Gives::Integer),
            Measure::new("interest", SUM, State::Sum(balance::interest), Rule::All, MONEY)
                .compared("prior_period prior_year mtd qtd ytd qtd_prior_year rolling_2_months"),
            Measure::new(
                "cost_rate",
                None,
                State::Ratio(balance::yearly_interest, balance::limit, 2, 2),
                Rule::All,
                RATE,
            )
            .compared("prior_year ytd"),
            Measure::new(
                "overdraft_share",
                None,
                State::Ratio(balance::overdraft, balance::limit, 2, 2),
                Rule::Close,
                RATE,
            )
            .compared("year_start"),
            Measure::new("balance_spread", None, State::Spread(balance::end, 2, true), Rule::Close, MONEY)
                .compared("prior_year"),
            Measure::derived("balance_opening", SUM, Derived::Moved("balance", Shift::Opening), MONEY),
            Measure::derived("balance_movement", SUM, Derived::Change("balance", Shift::Opening, false), MONEY),
            Measure::derived(
                "accounts_movement",
                SUM,
                Derived::Change("accounts", Shift::Opening, false),
                Gives::Integer,
            ),
            Measure::derived("clients_opening", None, Derived::Moved("clients", Shift::Opening), Gives::Integer),
            Measure::derived("balance_share", None, Derived::Share("balance", Within::Parent("organisation")), RATE),
            Measure::derived("accounts_share", None, Derived::Share("accounts", Within::All), RATE),
            Measure::derived(
                "balance_rank",
                None,
                Derived::Rank("balance", Within::Parent("organisation"), false),
                Gives::Integer,
            ),
            Measure::derived(
                "share_rank",
                None,
                Derived::Rank("accounts_share", Within::Level("organisation", "branch"), false),
                Gives::Integer,
            ),
            Measure::derived(
                "growth_rank",
                None,
                Derived::Rank("accounts_vs_prior_year", Within::All, true),
                Gives::Integer,
            ),
            Measure::derived("balance_per_client", None, Derived::Calculated(&["balance", "clients"], by_two), MONEY),
            Measure::derived(
                "interest_growth",
                None,
                Derived::Calculated(&["interest", "interest_prior_year"], growth),
                RATE,
            ),
        ])
    }),
    rollups: &[
        Rollup {
            name: "balances_fine",
            members: "outlet outlet sub_branch branch branch_code office_kind product_line product_line \
                      product_family tier tier",
            time: Unit::Month,
            measures: "balance accounts funded clients clients_seen lowest highest peak \
                       balance_mean balance_spread balance_average balance_seen funded_seen interest cost_rate \
                       overdraft_share",
            only: None,
        },
        Rollup {
            name: "balances_quarter",
            members: "branch currency",
            time: Unit::Quarter,
            measures: "balance accounts clients_seen balance_average balance_seen interest",
            only: None,
        },
        Rollup {
            name: "balances_client",
            members: OF_CLIENT,
            time: Unit::Month,
            measures: "balance balance_spread balance_seen accounts interest",
            only: None,
        },
        Rollup {
            name: "balances_euro",
            members: "outlet outlet sub_branch branch branch_code office_kind product product \
                      product_line product_family",
            time: Unit::Month,
            measures: "balance accounts clients balance_average cost_rate",
            only: Some(Only::Is("currency", "EUR")),
        },
    ],
};

// ---- events: any day may have rows, or none

mod event {
    use super::{DAY, Numbers, TARGET};

    pub(super) fn amount(row: &Numbers) -> Option<i128> {
        row[4]
    }
    pub(super) fn amount_in(row: &Numbers) -> Option<i128> {
        row[4].filter(|amount| *amount > 0)
    }
    pub(super) fn fee(row: &Numbers) -> Option<i128> {
        row[5]
    }
    pub(super) fn score(row: &Numbers) -> Option<i128> {
        row[6]
    }
    pub(super) fn volume(row: &Numbers) -> Option<i128> {
        row[7]
    }
    pub(super) fn day(row: &Numbers) -> Option<i128> {
        row[DAY]
    }
    pub(super) fn target(row: &Numbers) -> Option<i128> {
        row[TARGET]
    }
}

/// Place of `channel` among the members of `events`: after the thirteen of the dimensions and the six of the target.
const CHANNEL: usize = 19;

pub(crate) static EVENTS: Cube = Cube {
    name: "events",
    facts: 1,
    snapshot: None,
    members: members!(
        Member { name: "target_head_office", kind: HEAD_OFFICE },
        Member { name: "target_branch", kind: BRANCH },
        text("target_sub_branch", SUB_BRANCHES),
        text("target_outlet", &["Mill", "Tower", "Market", "Harbour", "Head office", "unknown"]),
        Member { name: "target_branch_code", kind: BRANCH_CODE },
        Member { name: "target_office_kind", kind: OFFICE_KIND },
        text("channel", &["online", "desk"]),
        Member { name: "attempt", kind: Kind::Integer(4) }
    ),
    measures: LazyLock::new(|| {
        all(vec![
            Measure::new("turnover", SUM, State::Sum(event::amount), Rule::All, MONEY).compared(
                "prior_period prior_year mtd ytd ytd_prior_year rolling_7_days rolling_2_weeks rolling_3_months",
            ),
            Measure::new("quantity", SUM, State::Sum(event::volume), Rule::All, Gives::Decimal(4)).compared("mtd"),
            Measure::new("events", SUM, State::Rows, Rule::All, Gives::Integer).compared("prior_period prior_year qtd"),
            Measure::new("rated", SUM, State::Count(event::score), Rule::All, Gives::Integer),
            Measure::new("smallest", MIN, State::Min(event::amount), Rule::All, MONEY),
            Measure::new("largest", MAX, State::Max(event::amount), Rule::All, MONEY).compared("prior_year"),
            Measure::new("first_day", MIN, State::Min(event::day), Rule::All, Gives::Date),
            Measure::new("turnover_mean", AVG, State::Mean(event::amount, 2), Rule::All, MONEY)
                .compared("prior_period"),
            Measure::new("score_mean", AVG, State::Mean(event::score, 0), Rule::All, Gives::Decimal(4)),
            Measure::new("fee_rate", None, State::Ratio(event::fee, event::amount_in, 2, 2), Rule::All, RATE)
                .compared("prior_year rolling_1_quarters"),
            Measure::new("clients", DISTINCT, State::Distinct(client), Rule::All, Gives::Integer)
                .compared("prior_period prior_year rolling_1_months"),
            Measure::new("targets", DISTINCT, State::Distinct(event::target), Rule::All, Gives::Integer),
            Measure::new("channels", DISTINCT, State::DistinctMember(CHANNEL), Rule::All, Gives::Integer),
            Measure::new("narrow", SUM, State::Sum(event::volume), Rule::All, Gives::Decimal(4)).failing(),
            Measure::new("turnover_spread", None, State::Spread(event::amount, 2, true), Rule::All, MONEY)
                .compared("mtd"),
            Measure::new("score_variance", None, State::Spread(event::score, 0, false), Rule::All, Gives::Decimal(4)),
            Measure::derived("turnover_share", None, Derived::Share("turnover", Within::Parent("product")), RATE),
            Measure::derived("events_share", None, Derived::Share("events", Within::Level("target", "branch")), RATE),
            Measure::derived("turnover_rank", None, Derived::Rank("turnover", Within::All, false), Gives::Integer),
            Measure::derived(
                "fee_rank",
                None,
                Derived::Rank("fee_rate", Within::Level("organisation", "branch"), true),
                Gives::Integer,
            ),
            Measure::derived("turnover_per_client", None, Derived::Calculated(&["turnover", "clients"], by_two), MONEY),
            Measure::derived(
                "turnover_growth",
                None,
                Derived::Calculated(&["turnover", "turnover_prior_year"], growth),
                RATE,
            ),
        ])
    }),
    rollups: &[
        Rollup {
            name: "events_day",
            members: OF_OFFICE,
            time: Unit::Day,
            measures: "turnover quantity events rated smallest largest first_day turnover_mean \
                       turnover_spread score_mean score_variance fee_rate clients targets",
            only: None,
        },
        Rollup {
            name: "events_week",
            members: "outlet outlet sub_branch branch branch_code office_kind product_line product_line product_family",
            time: Unit::Week,
            measures: "turnover events turnover_mean fee_rate clients",
            only: None,
        },
        Rollup {
            name: "events_month",
            members: "branch branch_code product_line tier channel",
            time: Unit::Month,
            measures: "turnover quantity events rated largest fee_rate clients",
            only: None,
        },
        Rollup {
            name: "events_client",
            members: OF_CLIENT,
            time: Unit::Month,
            measures: "turnover events score_mean score_variance targets",
            only: None,
        },
        Rollup {
            name: "events_routes",
            members: "branch target_branch channel",
            time: Unit::Quarter,
            measures: "turnover events clients first_day",
            only: None,
        },
        Rollup {
            name: "events_online",
            members: "outlet outlet sub_branch branch branch_code office_kind tier tier channel channel",
            time: Unit::Month,
            measures: "turnover events fee_rate clients",
            only: Some(Only::Is("channel", "online")),
        },
        Rollup {
            name: "events_recent",
            members: "branch channel",
            time: Unit::Month,
            measures: "turnover events clients",
            only: Some(Only::Since(date(2024, 1, 1))),
        },
    ],
};

// ---- positions: every day has rows

mod position {
    use super::Numbers;

    pub(super) fn worth(row: &Numbers) -> Option<i128> {
        row[3]
    }
    pub(super) fn turnover(row: &Numbers) -> Option<i128> {
        row[4]
    }
    pub(super) fn units(row: &Numbers) -> Option<i128> {
        row[5]
    }
}

const HELD: &str = "held held_average holdings holdings_average holders holders_seen held_seen holdings_seen traded peak largest_held held_mean held_spread traded_rate";

pub(crate) static POSITIONS: Cube = Cube {
    name: "positions",
    facts: 2,
    snapshot: Some(Snapshot::EveryDay),
    members: members!(Member { name: "holding_no", kind: Kind::Integer(45) }),
    measures: LazyLock::new(|| {
        all(vec![
            Measure::new("held", SUM, State::Sum(position::worth), Rule::Close, MONEY)
                .compared("prior_period prior_year year_start"),
            Measure::new("held_average", AVG, State::Sum(position::worth), Rule::Average, MONEY)
                .compared("prior_period prior_year mtd ytd rolling_7_days"),
            Measure::new("holdings", SUM, State::Rows, Rule::Close, Gives::Integer).compared("prior_year year_start"),
            Measure::new("holdings_average", None, State::Sum(one), Rule::Average, MONEY).compared("qtd"),
            Measure::new("holders", DISTINCT, State::Distinct(client), Rule::Close, Gives::Integer)
                .compared("prior_period"),
            Measure::new("held_seen", None, State::Sum(position::worth), Rule::Seen, MONEY)
                .compared("prior_period prior_year"),
            Measure::new("holdings_seen", None, State::Rows, Rule::Seen, Gives::Integer).compared("prior_period"),
            Measure::new("holders_seen", DISTINCT, State::Distinct(client), Rule::All, Gives::Integer)
                .compared("prior_period mtd"),
            Measure::new("traded", SUM, State::Sum(position::turnover), Rule::All, MONEY)
                .compared("prior_period prior_year ytd ytd_prior_year rolling_30_days"),
            Measure::new("peak", MAX, State::Max(position::worth), Rule::All, MONEY),
            Measure::new("largest_held", MAX, State::Max(position::worth), Rule::Close, MONEY),
            Measure::new("held_mean", AVG, State::Mean(position::worth, 2), Rule::Close, MONEY)
                .compared("prior_period"),
            Measure::new("traded_rate", None, State::Ratio(position::turnover, position::units, 2, 0), Rule::All, RATE)
                .compared("prior_year"),
            Measure::new("held_spread", None, State::Spread(position::worth, 2, true), Rule::Close, MONEY),
            Measure::derived("held_opening", SUM, Derived::Moved("held", Shift::Opening), MONEY),
            Measure::derived("held_movement", SUM, Derived::Change("held", Shift::Opening, false), MONEY),
            Measure::derived(
                "holdings_movement",
                SUM,
                Derived::Change("holdings", Shift::Opening, false),
                Gives::Integer,
            ),
            Measure::derived("held_share", None, Derived::Share("held", Within::Level("organisation", "branch")), RATE),
            Measure::derived("held_rank", None, Derived::Rank("held", Within::All, false), Gives::Integer),
            Measure::derived("turn", None, Derived::Calculated(&["traded", "held_average"], by_six), RATE),
        ])
    }),
    rollups: &[
        Rollup { name: "positions_day", members: OF_OFFICE, time: Unit::Day, measures: HELD, only: None },
        Rollup {
            name: "positions_week",
            members: "branch tier",
            time: Unit::Week,
            measures: "held held_average held_seen holders traded",
            only: None,
        },
        Rollup {
            name: "positions_month",
            members: "outlet outlet sub_branch branch branch_code office_kind product_line product_line \
                      product_family tier tier",
            time: Unit::Month,
            measures: HELD,
            only: None,
        },
        Rollup {
            name: "positions_client",
            members: OF_CLIENT,
            time: Unit::Month,
            measures: "held held_seen traded",
            only: None,
        },
    ],
};

/// All cubes.
pub(crate) static CUBES: [&Cube; 3] = [&BALANCES, &EVENTS, &POSITIONS];
