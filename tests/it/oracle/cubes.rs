//! The three cubes of `tests/projects/oracle`, told a second time: once for the engine in YAML, once here for the evaluator.
//!
//! A measure's inputs are plain functions over a row's numbers, so that no formula is parsed and nothing of the engine's
//! is called.

use super::question::{Call, Scalar, Unit, What};

/// Numbers of a row: these three first, then those of its fact table.
pub(crate) type Numbers = [Option<i128>];
/// Number of the person.
pub(crate) const CLIENT: usize = 0;
/// Number of the target office; -1 for the unknown one.
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
    pub(crate) measures: &'static [Measure],
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
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rule {
    All,
    Close,
    /// Divided by the days of the bucket.
    Average,
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
    /// Member and value of its own condition.
    pub(crate) only: Option<(&'static str, &'static str)>,
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
        Self { name, declared, state, rule, gives, fails: false }
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
    measures: &[
        Measure::new("balance", SUM, State::Sum(balance::end), Rule::Close, MONEY),
        Measure::new("accounts", SUM, State::Rows, Rule::Close, Gives::Integer),
        Measure::new("funded", SUM, State::Count(balance::end), Rule::Close, Gives::Integer),
        Measure::new("clients", DISTINCT, State::Distinct(balance::funded_client), Rule::Close, Gives::Integer),
        Measure::new("clients_seen", DISTINCT, State::Distinct(client), Rule::All, Gives::Integer),
        Measure::new("lowest", MIN, State::Min(balance::end), Rule::Close, MONEY),
        Measure::new("highest", MAX, State::Max(balance::end), Rule::Close, MONEY),
        Measure::new("peak", MAX, State::Max(balance::end), Rule::All, MONEY),
        Measure::new("balance_mean", AVG, State::Mean(balance::end, 2), Rule::Close, MONEY),
        Measure::new("balance_average", None, State::Sum(balance::day_sum), Rule::Average, MONEY),
        Measure::new("interest", SUM, State::Sum(balance::interest), Rule::All, MONEY),
        Measure::new("cost_rate", None, State::Ratio(balance::yearly_interest, balance::limit, 2, 2), Rule::All, RATE),
        Measure::new(
            "overdraft_share",
            None,
            State::Ratio(balance::overdraft, balance::limit, 2, 2),
            Rule::Close,
            RATE,
        ),
    ],
    rollups: &[
        Rollup {
            name: "balances_fine",
            members: "outlet outlet sub_branch branch branch_code office_kind product_line product_line \
                      product_family tier tier",
            time: Unit::Month,
            measures: "balance accounts funded clients clients_seen lowest highest peak \
                       balance_mean balance_average interest cost_rate overdraft_share",
            only: None,
        },
        Rollup {
            name: "balances_quarter",
            members: "branch currency",
            time: Unit::Quarter,
            measures: "balance accounts clients_seen balance_average interest",
            only: None,
        },
        Rollup {
            name: "balances_client",
            members: OF_CLIENT,
            time: Unit::Month,
            measures: "balance accounts interest",
            only: None,
        },
        Rollup {
            name: "balances_euro",
            members: "outlet outlet sub_branch branch branch_code office_kind product product \
                      product_line product_family",
            time: Unit::Month,
            measures: "balance accounts clients balance_average cost_rate",
            only: Some(("currency", "EUR")),
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
    measures: &[
        Measure::new("turnover", SUM, State::Sum(event::amount), Rule::All, MONEY),
        Measure::new("quantity", SUM, State::Sum(event::volume), Rule::All, Gives::Decimal(4)),
        Measure::new("events", SUM, State::Rows, Rule::All, Gives::Integer),
        Measure::new("rated", SUM, State::Count(event::score), Rule::All, Gives::Integer),
        Measure::new("smallest", MIN, State::Min(event::amount), Rule::All, MONEY),
        Measure::new("largest", MAX, State::Max(event::amount), Rule::All, MONEY),
        Measure::new("first_day", MIN, State::Min(event::day), Rule::All, Gives::Date),
        Measure::new("turnover_mean", AVG, State::Mean(event::amount, 2), Rule::All, MONEY),
        Measure::new("score_mean", AVG, State::Mean(event::score, 0), Rule::All, Gives::Decimal(4)),
        Measure::new("fee_rate", None, State::Ratio(event::fee, event::amount_in, 2, 2), Rule::All, RATE),
        Measure::new("clients", DISTINCT, State::Distinct(client), Rule::All, Gives::Integer),
        Measure::new("targets", DISTINCT, State::Distinct(event::target), Rule::All, Gives::Integer),
        Measure::new("channels", DISTINCT, State::DistinctMember(CHANNEL), Rule::All, Gives::Integer),
        Measure::new("narrow", SUM, State::Sum(event::volume), Rule::All, Gives::Decimal(4)).failing(),
    ],
    rollups: &[
        Rollup {
            name: "events_day",
            members: OF_OFFICE,
            time: Unit::Day,
            measures: "turnover quantity events rated smallest largest first_day turnover_mean \
                       score_mean fee_rate clients targets",
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
            measures: "turnover events score_mean targets",
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
            only: Some(("channel", "online")),
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

const HELD: &str =
    "held held_average holdings holdings_average holders holders_seen traded peak largest_held held_mean traded_rate";

pub(crate) static POSITIONS: Cube = Cube {
    name: "positions",
    facts: 2,
    snapshot: Some(Snapshot::EveryDay),
    members: members!(Member { name: "holding_no", kind: Kind::Integer(45) }),
    measures: &[
        Measure::new("held", SUM, State::Sum(position::worth), Rule::Close, MONEY),
        Measure::new("held_average", AVG, State::Sum(position::worth), Rule::Average, MONEY),
        Measure::new("holdings", SUM, State::Rows, Rule::Close, Gives::Integer),
        Measure::new("holdings_average", None, State::Sum(one), Rule::Average, MONEY),
        Measure::new("holders", DISTINCT, State::Distinct(client), Rule::Close, Gives::Integer),
        Measure::new("holders_seen", DISTINCT, State::Distinct(client), Rule::All, Gives::Integer),
        Measure::new("traded", SUM, State::Sum(position::turnover), Rule::All, MONEY),
        Measure::new("peak", MAX, State::Max(position::worth), Rule::All, MONEY),
        Measure::new("largest_held", MAX, State::Max(position::worth), Rule::Close, MONEY),
        Measure::new("held_mean", AVG, State::Mean(position::worth, 2), Rule::Close, MONEY),
        Measure::new("traded_rate", None, State::Ratio(position::turnover, position::units, 2, 0), Rule::All, RATE),
    ],
    rollups: &[
        Rollup { name: "positions_day", members: OF_OFFICE, time: Unit::Day, measures: HELD, only: None },
        Rollup {
            name: "positions_week",
            members: "branch tier",
            time: Unit::Week,
            measures: "held held_average holders traded",
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
        Rollup { name: "positions_client", members: OF_CLIENT, time: Unit::Month, measures: "held traded", only: None },
    ],
};

/// All cubes.
pub(crate) static CUBES: [&Cube; 3] = [&BALANCES, &EVENTS, &POSITIONS];
