//! The rows of the oracle's bank, from a seed: as feeds for the loader, and as they are for the evaluator.
//!
//! Two batches. The second brings the days after [`AS_OF`]`[0]`, late rows of branch alpha for February 2024 and of branch
//! beta for December 2023, and changed dimensions. Planted for the traps: no balance in January 2024 and no event in April
//! 2024 anywhere; nothing of branch gamma for June; no position of alpha on 31 March; gamma's positions end on 20 May, so
//! that May closes on another day without a new file of gamma's; events on leap day; accounts and holdings that end within
//! a month; persons who are clients of two branches; null in every column that may be null. Of the year before there are
//! fewer rows: balances from February to June 2023 and events from 10 February to 30 June (also of what is missing a year
//! later: gamma's June, everybody's April), positions from 20 February on, of gamma up to 15 September, of the others up
//! to 5 January 2024. Alpha's rows of April 2023 come with the second batch, some of them.
//!
//! Offices and clients keep versions. A row lies in the file of the branch that booked it, and stays there when its office
//! moves; it holds the version of its own day among those that were known when it was loaded. Gamma's offices and, in the
//! first batch, its clients do not change, so that its rollups serve in more readings than those of the other branches.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Keys of the branches.
pub(crate) const BRANCHES: [&str; 3] = ["alpha", "beta", "gamma"];
/// First day of any fact: some days of 2023 have a few, so that the year that follows can be compared with them.
pub(crate) const EARLIEST: i32 = date(2023, 2, 10);
/// First and last day of most facts.
pub(crate) const FIRST: i32 = date(2023, 11, 1);
pub(crate) const LAST: i32 = date(2024, 6, 30);
/// The day that the data stand for after each batch. The first lies within a month: May closes on it, and later elsewhere.
pub(crate) const AS_OF: [i32; 2] = [date(2024, 5, 20), LAST];

// ---- days

/// Days since 1970-01-01 of a day of the Gregorian calendar; months count from 1.
pub(crate) const fn date(year: i32, month: i32, day: i32) -> i32 {
    // The year begins in March, so that a leap day is its last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day.
pub(crate) fn civil(days: i32) -> (i32, i32, i32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day = days - era * 146_097;
    let of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * of_era + of_era / 4 - of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (of_era, month + 3) } else { (of_era + 1, month - 9) };
    (year + era * 400, month, day)
}

/// 0 is Monday.
pub(crate) fn weekday(days: i32) -> i32 {
    (days + 3).rem_euclid(7)
}

/// `2024-02-29`.
pub(crate) fn iso(days: i32) -> String {
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Last day of the month.
pub(crate) fn month_end(days: i32) -> i32 {
    let (year, month, _) = civil(days);
    if month == 12 { date(year, 12, 31) } else { date(year, month + 1, 1) - 1 }
}

/// An unscaled number with its point.
pub(crate) fn decimal(value: i128, scale: u32) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let digits = value.unsigned_abs().to_string();
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let digits = format!("{digits:0>width$}", width = scale as usize + 1);
    let (whole, part) = digits.split_at(digits.len() - scale as usize);
    format!("{sign}{whole}.{part}")
}

// ---- chance

/// A SplitMix64 stream.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    /// From 0 to `limit` - 1.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Both ends included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % (high - low + 1).unsigned_abs()).cast_signed()
    }

    pub(crate) fn day(&mut self, low: i32, high: i32) -> i32 {
        low + i32::try_from(self.between(0, i64::from(high - low))).unwrap()
    }

    /// True in so many of a hundred draws.
    pub(crate) fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    /// The value, or nothing in so many of a hundred draws.
    fn unless<T>(&mut self, share: usize, value: T) -> Option<T> {
        if self.percent(share) { None } else { Some(value) }
    }

    pub(crate) fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    /// One of these, by weight.
    pub(crate) fn weighted<T: Copy>(&mut self, list: &[(T, usize)]) -> T {
        let mut left = self.below(list.iter().map(|(_, weight)| weight).sum());
        for (value, weight) in list {
            if left < *weight {
                return *value;
            }
            left -= weight;
        }
        list[0].0
    }

    /// Some of these, at least one, in their order.
    pub(crate) fn some<T: Copy>(&mut self, list: &[T], most: usize) -> Vec<T> {
        let wanted = 1 + self.below(most.min(list.len()));
        let mut places: Vec<usize> = (0..list.len()).collect();
        while places.len() > wanted {
            places.remove(self.below(places.len()));
        }
        places.into_iter().map(|place| list[place]).collect()
    }
}

// ---- versions

/// First day of a member's first version, whatever is delivered: before any fact.
const BEGIN: i32 = date(1900, 1, 1);
/// The day that is delivered for the first version of a member with others in the same file. Without it the first row would
/// be the newest one, of the batch's own date.
const OPENED: i32 = date(2010, 1, 1);

/// A version of a member: it holds from its first day on, until the member's next one.
#[derive(Debug, Clone)]
pub(crate) struct Version<T> {
    pub(crate) from: i32,
    /// Which batch made it: 0 or 1.
    pub(crate) batch: usize,
    pub(crate) row: T,
}

/// Members in the order of their first delivery, each with its versions in order.
pub(crate) type Members<T> = Vec<Vec<Version<T>>>;

/// The version that holds on a day.
pub(crate) fn in_force<T>(versions: &[Version<T>], day: i32) -> &Version<T> {
    versions.iter().rev().find(|version| version.from <= day).unwrap_or(&versions[0])
}

/// Place of the version that a fact holds: that of its own day, among those known when it was loaded.
pub(crate) fn booked<T>(versions: &[Version<T>], fact: &Fact) -> usize {
    let known = |version: &Version<T>| version.batch <= fact.batch && version.from <= fact.day;
    versions.iter().rposition(known).unwrap_or(0)
}

/// A delivered row of a dimension that keeps versions. Without a day it is of the batch's own date.
#[derive(Debug, Clone)]
struct News<T> {
    from: Option<i32>,
    row: T,
}

/// What the rows of a dimension say of versions.
trait Member: Clone + PartialEq {
    /// Whether both are of one member.
    fn is_same(&self, other: &Self) -> bool;

    /// The row with what is overwritten in all versions as the newest one has it.
    fn overwritten(&self, newest: &Self) -> Self;
}

/// Takes in a batch's rows. Gives those that ended a version before them, and the day.
fn deliver<T: Member>(members: &mut Members<T>, batch: usize, news: &[News<T>]) -> Vec<(T, i32)> {
    let mut dated: Vec<(i32, &T)> = news.iter().map(|news| (news.from.unwrap_or(AS_OF[batch]), &news.row)).collect();
    dated.sort_by_key(|(day, _)| *day);
    let mut opened = Vec::new();
    for (day, row) in dated {
        let Some(place) = members.iter().position(|versions| versions[0].row.is_same(row)) else {
            members.push(vec![Version { from: BEGIN, batch, row: row.clone() }]);
            continue;
        };
        let versions = &mut members[place];
        let last = versions.len() - 1;
        let held = versions.iter().rposition(|version| version.from <= day).unwrap_or(0);
        let is_equal = versions[held].row.overwritten(row) == *row;
        if held < last {
            assert!(is_equal, "a version before the last one is refused, and no feed here brings any");
            continue;
        }
        for version in versions.iter_mut() {
            version.row = version.row.overwritten(row);
        }
        if !is_equal {
            assert!(versions[last].from < day, "two versions of one day");
            versions.push(Version { from: day, batch, row: row.clone() });
            opened.push((row.clone(), day));
        }
    }
    opened
}

/// With a unit go all that stand below it on that day: each gets a version of the same content.
fn take_along(members: &mut [Vec<Version<Office>>], batch: usize, unit: &str, day: i32) {
    for place in 0..members.len() {
        let versions = &members[place];
        let held = versions.iter().rposition(|version| version.from <= day).unwrap_or(0);
        let office = versions[held].row;
        if versions[held].from < day && office.parent == Some(unit) {
            members[place].insert(held + 1, Version { from: day, batch, row: office });
            take_along(members, batch, office.id, day);
        }
    }
}

// ---- dimensions

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Office {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) level: &'static str,
    pub(crate) parent: Option<&'static str>,
    pub(crate) branch: &'static str,
    pub(crate) kind: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Client {
    pub(crate) branch: &'static str,
    pub(crate) id: String,
    pub(crate) number: i64,
    pub(crate) tier: Option<&'static str>,
    pub(crate) joined_on: Option<i32>,
    pub(crate) is_staff: Option<bool>,
}

impl Member for Office {
    fn is_same(&self, other: &Self) -> bool {
        self.id == other.id
    }

    fn overwritten(&self, newest: &Self) -> Self {
        Self { kind: newest.kind, ..*self }
    }
}

impl Member for Client {
    fn is_same(&self, other: &Self) -> bool {
        (self.branch, &self.id) == (other.branch, &other.id)
    }

    fn overwritten(&self, newest: &Self) -> Self {
        Self { joined_on: newest.joined_on, ..self.clone() }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Product {
    pub(crate) id: &'static str,
    pub(crate) line: &'static str,
    pub(crate) family: Option<&'static str>,
}

/// Some branches have no sub-branch above an outlet, some sub-branches no outlet, and two outlets share a name. Gamma comes
/// first: its keys are below those of all offices that move.
fn offices() -> Vec<Office> {
    let office = |id, name, level, parent, branch, kind| Office { id, name, level, parent, branch, kind };
    vec![
        office("H", "Head office", "head_office", None, "head_office", Some("office")),
        office("BG", "Gamma", "branch", Some("H"), "gamma", Some("regional")),
        office("G1", "Market", "outlet", Some("BG"), "gamma", None),
        office("G2", "Gamma Hill", "sub_branch", Some("BG"), "gamma", Some("full")),
        office("BA", "Alpha", "branch", Some("H"), "alpha", Some("regional")),
        office("BB", "Beta", "branch", Some("H"), "beta", None),
        office("A1", "Alpha North", "sub_branch", Some("BA"), "alpha", Some("full")),
        office("A2", "Alpha South", "sub_branch", Some("BA"), "alpha", None),
        office("A11", "Mill", "outlet", Some("A1"), "alpha", Some("full")),
        office("A12", "Bridge", "outlet", Some("A1"), "alpha", Some("counter")),
        office("A21", "Quay", "outlet", Some("A2"), "alpha", None),
        office("A3", "Market", "outlet", Some("BA"), "alpha", Some("counter")),
        office("B1", "Beta West", "sub_branch", Some("BB"), "beta", Some("full")),
        office("B11", "Tower", "outlet", Some("B1"), "beta", Some("full")),
        office("B2", "Harbour", "outlet", Some("BB"), "beta", Some("counter")),
    ]
}

/// The rows of offices by batch.
///
/// In the first, Bridge goes to Alpha South in the middle of January, and with it and Quay to branch beta in the middle of
/// February; Market goes below Beta West on 1 March; Tower leaves there on 1 April; Quay leaves Alpha South in May. In the
/// second, Harbour goes to gamma on 1 June, and Beta West to alpha on 11 June, with Market and without Tower. What is taken
/// along keeps the branch code of its own row. Kinds are overwritten. The last two rows are known.
fn office_news() -> [Vec<News<Office>>; 2] {
    let known = offices();
    let row = |id: &str, parent: &'static str, branch: &'static str, kind: Option<&'static str>| {
        let office = *known.iter().find(|office| office.id == id).unwrap();
        Office { parent: Some(parent), branch, kind, ..office }
    };
    let on = |year: i32, month: i32, day: i32, row: Office| News { from: Some(date(year, month, day)), row };
    let moves = [
        on(2024, 1, 17, row("A12", "A2", "alpha", Some("counter"))),
        on(2024, 2, 15, row("A2", "BB", "beta", None)),
        on(2024, 3, 1, row("A3", "B1", "beta", Some("full"))),
        on(2024, 4, 1, row("B11", "BB", "beta", Some("full"))),
        on(2024, 5, 6, row("A21", "BB", "beta", None)),
    ];
    let first = known.iter().map(|office| {
        let told = office.branch == "gamma" || moves.iter().any(|news| news.row.id == office.id);
        News { from: told.then_some(OPENED), row: *office }
    });
    let first = first.chain(moves.iter().cloned()).collect();
    let second = vec![
        on(2024, 6, 1, row("B2", "BG", "gamma", Some("counter"))),
        on(2024, 6, 11, row("B1", "BA", "alpha", Some("full"))),
        News { from: None, row: row("A21", "BB", "beta", Some("counter")) },
        on(2024, 1, 17, row("A12", "A2", "alpha", Some("counter"))),
        News { from: None, row: row("B11", "BB", "beta", Some("full")) },
    ];
    [first, second]
}

fn known_offices(news: &[Vec<News<Office>>; 2]) -> [Members<Office>; 2] {
    let mut known: Members<Office> = Vec::new();
    [0, 1].map(|batch| {
        for (office, day) in deliver(&mut known, batch, &news[batch]) {
            take_along(&mut known, batch, office.id, day);
        }
        known.clone()
    })
}

fn products() -> Vec<Product> {
    let product = |id, line, family| Product { id, line, family };
    vec![
        product("P1", "cards", Some("retail")),
        product("P2", "loans", Some("retail")),
        product("P3", "loans", Some("corporate")),
        product("P4", "plans", Some("corporate")),
        product("P5", "plans", None),
        product("P6", "cards", Some("internal")),
    ]
}

/// P6 is internal no longer, P5 gets a family.
fn regrouped(mut products: Vec<Product>) -> Vec<Product> {
    for product in &mut products {
        match product.id {
            "P5" => product.family = Some("retail"),
            "P6" => product.family = Some("retail"),
            _ => {}
        }
    }
    products
}

const TIERS: &[(Option<&str>, usize)] = &[(Some("basic"), 6), (Some("silver"), 2), (Some("gold"), 1), (None, 1)];

/// Persons 1 to 48; every fourth is also a client of the next branch, under the same number and with features of its own.
fn clients(dice: &mut Dice) -> Vec<Client> {
    let mut clients = Vec::new();
    for number in 1..=48_i64 {
        let home = number as usize % BRANCHES.len();
        clients.push(client(dice, number, BRANCHES[home]));
        if number % 4 == 0 {
            clients.push(client(dice, number, BRANCHES[(home + 1) % BRANCHES.len()]));
        }
    }
    clients
}

fn client(dice: &mut Dice, number: i64, branch: &'static str) -> Client {
    let joined = dice.day(date(2019, 1, 1), date(2023, 10, 31));
    let staff = dice.percent(20);
    Client {
        branch,
        id: format!("C{number:02}"),
        number,
        tier: dice.weighted(TIERS),
        joined_on: dice.unless(10, joined),
        is_staff: dice.unless(10, staff),
    }
}

/// Six more persons, and every third of the known ones with another tier, or with another date and other duties. So has the
/// first of gamma another tier, whose key is the lowest there.
fn grown(dice: &mut Dice, mut clients: Vec<Client>) -> Vec<Client> {
    for (place, client) in clients.iter_mut().enumerate() {
        match place % 6 {
            0 => {
                let tier = dice.weighted(TIERS);
                client.tier = if tier == client.tier { next(tier) } else { tier };
            }
            3 => {
                client.joined_on = client.joined_on.map(|day| day + 1);
                client.is_staff = client.is_staff.map(|is| !is);
            }
            1 if place == 1 => client.tier = next(client.tier),
            _ => {}
        }
    }
    for number in 49..=54_i64 {
        let branch = BRANCHES[number as usize % BRANCHES.len()];
        clients.push(client(dice, number, branch));
    }
    clients
}

fn next(tier: Option<&str>) -> Option<&'static str> {
    match tier {
        Some("basic") => Some("silver"),
        Some("silver") => Some("gold"),
        Some(_) => None,
        None => Some("basic"),
    }
}

/// The rows of clients by batch. In the first, some have had another tier from a day on; what the second brings holds from
/// days in June, from the batch's own date, or from a day in May that the first batch's facts have passed already.
fn client_news(states: &[Vec<Client>; 2]) -> [Vec<News<Client>>; 2] {
    const EARLIER: [i32; 4] = [date(2024, 1, 1), date(2024, 2, 14), date(2024, 3, 1), date(2024, 3, 20)];
    const LATER: [Option<i32>; 4] = [Some(date(2024, 6, 1)), Some(date(2024, 6, 14)), None, Some(date(2024, 5, 6))];
    let mut first = Vec::new();
    for (place, client) in states[0].iter().enumerate() {
        let changes = place % 4 == 1 && client.branch != "gamma";
        first.push(News { from: changes.then_some(OPENED), row: client.clone() });
        if changes {
            let row = Client { tier: next(client.tier), ..client.clone() };
            first.push(News { from: Some(EARLIER[place / 4 % 4]), row });
        }
    }
    let second = states[1].iter().enumerate().filter(|(_, client)| !states[0].contains(client));
    let second = second.map(|(place, client)| News { from: LATER[place / 3 % 4], row: client.clone() });
    [first, second.collect()]
}

fn known_clients(news: &[Vec<News<Client>>; 2]) -> [Members<Client>; 2] {
    let mut known: Members<Client> = Vec::new();
    [0, 1].map(|batch| {
        deliver(&mut known, batch, &news[batch]);
        known.clone()
    })
}

// ---- facts

/// A fact table of the project: what its columns are called besides day, branch, office, client and product.
#[derive(Debug)]
pub(crate) struct FactTable {
    name: &'static str,
    number: &'static str,
    has_target: bool,
    word: Option<&'static str>,
    /// Numeric columns with their scale.
    numbers: &'static [(&'static str, u32)],
}

/// The fact tables, in the order of [`Data::facts`].
pub(crate) const FACT_TABLES: [FactTable; 3] = [
    FactTable {
        name: "fact_balance",
        number: "account_no",
        has_target: false,
        word: Some("currency"),
        numbers: &[("end_balance", 2), ("day_sum", 2), ("interest_amount", 2), ("credit_limit", 2)],
    },
    FactTable {
        name: "fact_event",
        number: "event_no",
        has_target: true,
        word: Some("channel"),
        numbers: &[("attempt", 0), ("amount", 2), ("fee", 2), ("score", 0), ("volume", 4)],
    },
    FactTable {
        name: "fact_position",
        number: "holding_no",
        has_target: false,
        word: None,
        numbers: &[("worth", 2), ("turnover", 2), ("units", 0)],
    },
];

/// A row of any fact table.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    /// Which batch brings it: 0 or 1.
    pub(crate) batch: usize,
    pub(crate) day: i32,
    /// Whose file it lies in.
    pub(crate) branch: &'static str,
    /// Number of the account, event or holding.
    pub(crate) number: i64,
    pub(crate) office: Option<&'static str>,
    /// Events only.
    pub(crate) target: Option<&'static str>,
    /// Looked up among the branch's own.
    pub(crate) client: Option<String>,
    pub(crate) product: Option<&'static str>,
    /// Currency or channel.
    pub(crate) word: Option<&'static str>,
    /// Unscaled, as listed in [`FACT_TABLES`].
    pub(crate) numbers: Vec<Option<i128>>,
}

type Weights = &'static [(Option<&'static str>, usize)];

fn offices_of(branch: &str) -> Weights {
    match branch {
        "alpha" => &[(Some("A11"), 6), (Some("A12"), 4), (Some("A21"), 2), (Some("A3"), 2), (None, 1)],
        "beta" => &[(Some("B11"), 6), (Some("B2"), 4), (Some("BB"), 1), (None, 1)],
        _ => &[(Some("G1"), 5), (Some("G2"), 2), (Some("BG"), 1), (None, 1)],
    }
}

const PRODUCTS: Weights =
    &[(Some("P1"), 7), (Some("P2"), 3), (Some("P3"), 2), (Some("P4"), 2), (Some("P5"), 1), (Some("P6"), 2), (None, 1)];
const CURRENCIES: Weights = &[(Some("EUR"), 7), (Some("USD"), 2), (None, 1)];
const CHANNELS: Weights = &[(Some("online"), 6), (Some("desk"), 3), (None, 1)];
const TARGETS: Weights =
    &[(Some("A11"), 3), (Some("B11"), 3), (Some("G1"), 3), (Some("B2"), 1), (Some("H"), 1), (None, 2)];

/// Everything that is delivered.
#[derive(Debug)]
pub(crate) struct Data {
    /// After the first and after the second batch.
    pub(crate) offices: [Members<Office>; 2],
    pub(crate) clients: [Members<Client>; 2],
    pub(crate) products: [Vec<Product>; 2],
    office_news: [Vec<News<Office>>; 2],
    client_news: [Vec<News<Client>>; 2],
    /// Of all batches, by [`FACT_TABLES`].
    pub(crate) facts: [Vec<Fact>; 3],
}

impl Data {
    pub(crate) fn generate(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let known = clients(&mut dice);
        let clients = [known.clone(), grown(&mut dice, known)];
        let mut facts = [balances(&mut dice, &clients), events(&mut dice, &clients), positions(&mut dice, &clients)];
        for (facts, earlier) in facts.iter_mut().zip([earlier_balances, earlier_events, earlier_positions]) {
            facts.extend(earlier(&mut dice, &clients));
        }
        let (office_news, client_news) = (office_news(), client_news(&clients));
        Self {
            offices: known_offices(&office_news),
            clients: known_clients(&client_news),
            products: [products(), regrouped(products())],
            office_news,
            client_news,
            facts,
        }
    }

    /// Rows of a fact table after the first (0) or second (1) batch.
    pub(crate) fn visible(&self, table: usize, state: usize) -> impl Iterator<Item = &Fact> {
        self.facts[table].iter().filter(move |fact| fact.batch <= state)
    }
}

/// A client of a branch among those known with a batch; none at times.
fn holder(dice: &mut Dice, clients: &[Vec<Client>; 2], branch: &str, batch: usize) -> Option<String> {
    let own: Vec<&Client> = clients[batch].iter().filter(|client| client.branch == branch).collect();
    let chosen = own[dice.below(own.len())].id.clone();
    dice.unless(4, chosen)
}

fn is_late(branch: &str, day: i32) -> bool {
    let (year, month, _) = civil(day);
    matches!((branch, year, month), ("alpha", 2024, 2) | ("beta", 2023, 12) | ("alpha", 2023, 4))
}

fn balances(dice: &mut Dice, clients: &[Vec<Client>; 2]) -> Vec<Fact> {
    let ends: Vec<i32> = [(2023, 11), (2023, 12), (2024, 1), (2024, 2), (2024, 3), (2024, 4), (2024, 5), (2024, 6)]
        .map(|(year, month)| month_end(date(year, month, 1)))
        .to_vec();
    let mut facts = Vec::new();
    for number in 0..360_i64 {
        let branch = BRANCHES[number as usize % BRANCHES.len()];
        let opened = if dice.percent(60) { 0 } else { dice.below(ends.len() - 1) };
        let closed = if dice.percent(25) { opened + 1 + dice.below(6) } else { usize::MAX };
        let late = dice.percent(10);
        let client = holder(dice, clients, branch, usize::from(opened >= 6));
        let office = dice.weighted(offices_of(branch));
        let (product, word) = (dice.weighted(PRODUCTS), dice.weighted(CURRENCIES));
        for (place, day) in ends.iter().enumerate() {
            // What is drawn does not depend on what is kept, so that one rule can change without moving all others.
            let balance = if dice.percent(10) { dice.between(-200_000, -1) } else { dice.between(0, 5_000_000) };
            let balance = if place == closed || dice.percent(5) { Some(0) } else { dice.unless(5, balance) };
            let day_sum = balance.unwrap_or(0) * 30 + dice.between(-100_000, 100_000);
            let interest = dice.between(-500, 6_000);
            let interest = dice.unless(10, interest);
            let limit = if dice.percent(10) { 0 } else { dice.between(1, 50) * 100_000 };
            let limit = dice.unless(15, limit);
            let nowhere = civil(*day).1 == 1 || (branch == "gamma" && civil(*day).1 == 6);
            if place < opened || place > closed || nowhere {
                continue;
            }
            facts.push(Fact {
                batch: usize::from(*day > AS_OF[0] || (late && is_late(branch, *day))),
                day: *day,
                branch,
                number,
                office,
                target: None,
                client: client.clone(),
                product,
                word,
                numbers: [balance, Some(day_sum), interest, limit].map(|number| number.map(i128::from)).to_vec(),
            });
        }
    }
    facts
}

fn events(dice: &mut Dice, clients: &[Vec<Client>; 2]) -> Vec<Fact> {
    let mut facts = Vec::new();
    for number in 0..6_000_i64 {
        let branch = dice.pick(&BRANCHES);
        let mut day = dice.day(FIRST, LAST);
        if dice.percent(60) {
            day -= (weekday(day) - 4).max(0);
        }
        if branch == "gamma" && civil(day).1 == 6 {
            day -= 95;
        }
        if civil(day).1 == 4 {
            day += 30;
        }
        if number % 100 == 0 {
            day = date(2024, 2, 29);
        }
        let batch = usize::from(day > AS_OF[0] || (is_late(branch, day) && dice.percent(10)));
        let amount = if dice.percent(15) { dice.between(-50_000, -1) } else { dice.between(100, 150_000) };
        let fee = dice.between(0, 200);
        let score = dice.between(1, 10);
        // Up to 22 digits: a sum that is narrowed anywhere loses some of them.
        let volume = i128::from(dice.between(-8_999_999_999_999_999, 8_999_999_999_999_999)) * 1_000_003;
        let numbers = vec![
            Some(i128::from(dice.between(1, 3))),
            dice.unless(10, amount).map(i128::from),
            dice.unless(20, fee).map(i128::from),
            dice.unless(50, score).map(i128::from),
            Some(volume),
        ];
        facts.push(Fact {
            batch,
            day,
            branch,
            number,
            office: dice.weighted(offices_of(branch)),
            target: dice.weighted(TARGETS),
            client: holder(dice, clients, branch, batch),
            product: dice.weighted(PRODUCTS),
            word: dice.weighted(CHANNELS),
            numbers,
        });
    }
    facts
}

fn positions(dice: &mut Dice, clients: &[Vec<Client>; 2]) -> Vec<Fact> {
    let begin = date(2024, 2, 15);
    let mut facts = Vec::new();
    for number in 0..45_i64 {
        let branch = BRANCHES[number as usize % BRANCHES.len()];
        let opened = if dice.percent(70) { begin } else { dice.day(begin, LAST - 20) };
        let closed = if dice.percent(25) { dice.day(opened, LAST) } else { LAST };
        let batch = usize::from(opened > AS_OF[0]);
        let client = holder(dice, clients, branch, batch);
        let office = dice.weighted(offices_of(branch));
        let product = dice.weighted(PRODUCTS);
        for day in opened..=closed {
            let worth = dice.between(0, 9_000_000);
            let turnover = dice.between(0, 10_000);
            let numbers = vec![
                dice.unless(5, worth).map(i128::from),
                dice.unless(30, turnover).map(i128::from),
                Some(i128::from(dice.between(1, 100))),
            ];
            let lost = dice.percent(3);
            let nowhere = (branch == "alpha" && day == date(2024, 3, 31)) || (branch == "gamma" && day > AS_OF[0]);
            if lost || nowhere {
                continue;
            }
            facts.push(Fact {
                batch: usize::from(day > AS_OF[0] || (number % 7 == 0 && is_late(branch, day))),
                day,
                branch,
                number,
                office,
                target: None,
                client: client.clone(),
                product,
                word: None,
                numbers,
            });
        }
    }
    facts
}

// ---- facts of the year before

fn earlier_balances(dice: &mut Dice, clients: &[Vec<Client>; 2]) -> Vec<Fact> {
    let mut facts = Vec::new();
    for number in 0..70_i64 {
        let branch = dice.pick(&BRANCHES);
        let client = holder(dice, clients, branch, 0);
        let office = dice.weighted(offices_of(branch));
        let (product, word) = (dice.weighted(PRODUCTS), dice.weighted(CURRENCIES));
        let closed = 2 + dice.between(0, 8);
        for month in 2..=6 {
            let day = month_end(date(2023, month, 1));
            let late = is_late(branch, day) && dice.percent(20);
            let balance = dice.between(-100_000, 4_000_000);
            let numbers = [
                dice.unless(5, balance),
                Some(balance * 30 + dice.between(-100_000, 100_000)),
                Some(dice.between(-500, 6_000)),
                Some(dice.between(0, 50) * 100_000),
            ];
            if i64::from(month) <= closed {
                facts.push(Fact {
                    batch: usize::from(late),
                    day,
                    branch,
                    number,
                    office,
                    target: None,
                    client: client.clone(),
                    product,
                    word,
                    numbers: numbers.map(|number| number.map(i128::from)).to_vec(),
                });
            }
        }
    }
    facts
}

fn earlier_events(dice: &mut Dice, clients: &[Vec<Client>; 2]) -> Vec<Fact> {
    let mut facts = Vec::new();
    for number in 6_000..7_000_i64 {
        let branch = dice.pick(&BRANCHES);
        // Every hundredth on 28 February, the day that leap day is compared with.
        let day = if number % 100 == 0 { date(2023, 2, 28) } else { dice.day(EARLIEST, date(2023, 6, 30)) };
        let batch = usize::from(is_late(branch, day) && dice.percent(20));
        let numbers = vec![
            Some(i128::from(dice.between(1, 3))),
            Some(i128::from(dice.between(-20_000, 150_000))),
            Some(i128::from(dice.between(0, 200))),
            Some(i128::from(dice.between(1, 10))),
            Some(i128::from(dice.between(-8_999_999_999_999_999, 8_999_999_999_999_999))),
        ];
        facts.push(Fact {
            batch,
            day,
            branch,
            number,
            office: dice.weighted(offices_of(branch)),
            target: dice.weighted(TARGETS),
            client: holder(dice, clients, branch, 0),
            product: dice.weighted(PRODUCTS),
            word: dice.weighted(CHANNELS),
            numbers,
        });
    }
    facts
}

fn earlier_positions(dice: &mut Dice, clients: &[Vec<Client>; 2]) -> Vec<Fact> {
    let mut facts = Vec::new();
    for number in 50..56_i64 {
        let branch = BRANCHES[number as usize % BRANCHES.len()];
        let client = holder(dice, clients, branch, 0);
        let office = dice.weighted(offices_of(branch));
        let product = dice.weighted(PRODUCTS);
        let closed = if branch == "gamma" { date(2023, 9, 15) } else { date(2024, 1, 5) };
        for day in date(2023, 2, 20)..=closed {
            let late = is_late(branch, day) && dice.percent(20);
            let (worth, turnover) = (dice.between(0, 9_000_000), dice.between(0, 10_000));
            let numbers = vec![
                dice.unless(5, worth).map(i128::from),
                dice.unless(30, turnover).map(i128::from),
                Some(i128::from(dice.between(1, 100))),
            ];
            facts.push(Fact {
                batch: usize::from(late),
                day,
                branch,
                number,
                office,
                target: None,
                client: client.clone(),
                product,
                word: None,
                numbers,
            });
        }
    }
    facts
}

// ---- feeds

impl Data {
    /// Writes both batches below `folder` and gives their feed files.
    pub(crate) fn write(&self, folder: &Path) -> [PathBuf; 2] {
        [0, 1].map(|batch| {
            let mut feed = Feed::new(&folder.join(format!("batch-{}", batch + 1)), batch);
            if batch == 0 {
                let days = date(2023, 1, 1)..=date(2024, 12, 31);
                let days = days.map(|day| vec![iso(day), (weekday(day) < 5).to_string()]).collect();
                feed.file("dim_day", &["day", "is_workday"], days);
            }
            self.dimensions(batch, &mut feed);
            for (table, facts) in FACT_TABLES.iter().zip(&self.facts) {
                let (columns, rows) = table.cells(facts.iter().filter(|fact| fact.batch == batch));
                feed.file(table.name, &columns, rows);
            }
            feed.write()
        })
    }

    /// In the second batch mostly members that are new or changed.
    fn dimensions(&self, batch: usize, feed: &mut Feed) {
        let text = |cell: Option<&str>| cell.unwrap_or_default().to_owned();
        let day = |day: Option<i32>| day.map(iso).unwrap_or_default();
        let rows = self.office_news[batch].iter().map(|News { from, row: office }| {
            let [id, name, level, branch] = [office.id, office.name, office.level, office.branch].map(str::to_owned);
            vec![id, name, level, text(office.parent), branch, text(office.kind), day(*from)]
        });
        let columns = ["office_id", "office_name", "level_code", "parent_id", "branch_code", "kind_code", "valid_from"];
        feed.file("dim_office", &columns, rows.collect());
        let rows = self.client_news[batch].iter().map(|News { from, row: client }| {
            vec![
                client.branch.to_owned(),
                client.id.clone(),
                client.number.to_string(),
                text(client.tier),
                day(client.joined_on),
                client.is_staff.map(|is| is.to_string()).unwrap_or_default(),
                day(*from),
            ]
        });
        let columns = ["branch_code", "client_id", "client_no", "tier", "joined_on", "is_staff", "since"];
        feed.file("dim_client", &columns, rows.collect());
        let [before, now] = [&self.products[0], &self.products[batch]];
        let rows = now.iter().filter(|product| batch == 0 || !before.contains(product));
        let rows = rows.map(|product| vec![product.id.to_owned(), product.line.to_owned(), text(product.family)]);
        feed.file("dim_product", &["product_id", "line", "family"], rows.collect());
    }
}

impl FactTable {
    /// Column names of the file, as `name` or `name, to: column`, and its rows.
    fn cells<'a>(&self, facts: impl Iterator<Item = &'a Fact>) -> (Vec<&'static str>, Vec<Vec<String>>) {
        let mut columns = vec!["booked_on", "branch_code", self.number];
        columns.extend(["office, to: office_sk", "client, to: client_sk", "product, to: product_sk"]);
        columns.extend(self.has_target.then_some("target, to: target_sk"));
        columns.extend(self.word);
        columns.extend(self.numbers.iter().map(|(name, _)| *name));
        let rows = facts.map(|fact| {
            let text = |cell: Option<&str>| cell.unwrap_or_default().to_owned();
            let mut cells = vec![iso(fact.day), fact.branch.to_owned(), fact.number.to_string()];
            cells.extend([text(fact.office), text(fact.client.as_deref()), text(fact.product)]);
            cells.extend(self.has_target.then(|| text(fact.target)));
            cells.extend(self.word.map(|_| text(fact.word)));
            let numbers = fact.numbers.iter().zip(self.numbers);
            cells.extend(numbers.map(|(number, (_, scale))| number.map(|n| decimal(n, *scale)).unwrap_or_default()));
            cells
        });
        (columns, rows.collect())
    }
}

/// A batch on its way to disk.
struct Feed {
    folder: PathBuf,
    text: String,
}

impl Feed {
    fn new(folder: &Path, batch: usize) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let text = format!(
            "node: head_office\nbatch: {}\nbusiness_date: {}\nsource: oracle\nmax_reject_share: 0.0\nfiles:\n",
            batch + 1,
            iso(AS_OF[batch])
        );
        Self { folder: folder.to_owned(), text }
    }

    fn file(&mut self, table: &str, columns: &[&str], rows: Vec<Vec<String>>) {
        assert!(!rows.is_empty(), "{table}: a batch brings rows of every table");
        let mut csv = columns.iter().map(|name| name.split(',').next().unwrap()).collect::<Vec<_>>().join(",");
        csv.push('\n');
        for row in rows {
            let _ = writeln!(csv, "{}", row.join(","));
        }
        std::fs::write(self.folder.join(format!("{table}.csv")), csv).unwrap();
        let _ = write!(self.text, "  - path: {table}.csv\n    format: csv\n    table: {table}\n    columns:\n");
        for column in columns {
            let _ = writeln!(self.text, "      - {{name: {column}}}");
        }
    }

    fn write(self) -> PathBuf {
        let path = self.folder.join("feed.yaml");
        std::fs::write(&path, self.text).unwrap();
        path
    }
}
