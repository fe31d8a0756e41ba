//! Who the customers are, when they come and leave, what they complain about and which campaigns choose them.
//!
//! Customers are made in blocks of 1,000, always whole even when the bank needs only a part. Within a block shares are
//! exact (who is rich, who comes later, whom a campaign treats), so the planted effects have their stated size in every
//! block and nothing depends on how many customers there are.

use super::Setting;
use super::bank::{self, BRANCHES, CAMPAIGNS, CAUSES, Campaign, Via};
use super::effects;
use super::random::{Kind, Stream};

/// Customers of a block.
pub(super) const BLOCK: u32 = 1000;

/// Of a block: companies, who are all there from the start.
const COMPANIES: usize = 60;
/// Persons who are there from the start.
const FOUNDERS: usize = 850;
/// Persons who come in 2024 and 2025; the rest comes in 2026 and is prospects until then.
const JOINERS: usize = 60;

/// Customers from this rank on stay whatever happens: one that leaves a small bank would hide every other movement.
const KEY_CUSTOMERS: i64 = 950;

/// Financial assets in yuan by rank within a block, from the poorest.
const WEALTH: [(i64, i64); 16] = [
    (0, 1_500),
    (100, 9_000),
    (200, 17_000),
    (300, 27_000),
    (400, 40_000),
    (500, 58_000),
    (600, 84_000),
    (700, 125_000),
    (800, 210_000),
    (850, 320_000),
    (900, 560_000),
    (950, 1_150_000),
    (980, 2_000_000),
    (990, 2_800_000),
    (997, 3_800_000),
    (999, 4_800_000),
];

/// A day of the sample: month number and day of the month.
pub(super) type Day = (u32, u32);

/// Where a customer is served.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Position in [`BRANCHES`].
    pub(super) branch: usize,
    /// Position among the branch's outlets.
    pub(super) outlet: usize,
    /// Which of the outlet's customer managers.
    pub(super) manager: usize,
}

/// A complaint.
#[derive(Debug, Clone)]
pub(super) struct Complaint {
    pub(super) day: Day,
    /// Minutes after midnight UTC.
    pub(super) minute: u32,
    pub(super) cause: usize,
    pub(super) severity: char,
    pub(super) open_days: i64,
    pub(super) via: Via,
    /// Against the customer's own manager; else against nobody in person.
    pub(super) against_manager: bool,
    pub(super) reopened: u32,
    /// Yuan.
    pub(super) compensation: i64,
}

/// A place in a campaign.
#[derive(Debug, Clone)]
pub(super) struct Selected {
    /// Position in [`CAMPAIGNS`].
    pub(super) campaign: usize,
    pub(super) is_treated: bool,
    pub(super) converts: bool,
    /// Day of the month on which the contact is planned.
    pub(super) planned: u32,
    pub(super) responds: bool,
    /// Day of the month on which the customer takes the offer.
    pub(super) converted: u32,
}

/// A customer.
#[derive(Debug)]
pub(super) struct Customer {
    /// 1, 2, 3 ... over the whole bank.
    pub(super) no: u64,
    pub(super) is_company: bool,
    /// 0 to 999, the poorest first.
    pub(super) rank: i64,
    /// Fen.
    pub(super) wealth: i64,
    /// The home branch, then a second one for some.
    pub(super) places: Vec<Place>,
    /// First day with an account; none for those who were there before the sample begins.
    pub(super) joins: Option<Day>,
    /// Last day with an account.
    pub(super) leaves: Option<Day>,
    pub(super) complaints: Vec<Complaint>,
    pub(super) selected: Vec<Selected>,
    /// Fields of `dim_customer` from `name_masked` on, without what depends on the day.
    pub(super) features: Features,
}

/// What stands in `dim_customer` only.
#[derive(Debug)]
pub(super) struct Features {
    pub(super) name: String,
    pub(super) gender: &'static str,
    pub(super) age_band: &'static str,
    pub(super) occupation: &'static str,
    pub(super) industry: &'static str,
    pub(super) income_band: &'static str,
    pub(super) risk_tolerance: &'static str,
    pub(super) tier: char,
    pub(super) life_stage: &'static str,
    pub(super) channel: &'static str,
    pub(super) sms: bool,
    pub(super) phone: bool,
    /// Year, month, day.
    pub(super) first_seen: (i64, i64, i64),
}

impl Customer {
    /// Whether the customer has an account at some time of this month.
    pub(super) fn is_active(&self, month: u32) -> bool {
        self.joins.is_none_or(|(first, _)| first <= month) && self.leaves.is_none_or(|(last, _)| last >= month)
    }

    fn has_left_by_end_of(&self, month: u32) -> bool {
        self.leaves.is_some_and(|(last, _)| last <= month)
    }
}

/// The customers of block 0, 1, 2 ...
pub(super) fn block(setting: &Setting, number: u32) -> Vec<Customer> {
    let mut random = Stream::new(setting.seed, Kind::Order, u64::from(number), 0);
    let mut roles: Vec<usize> = (0..BLOCK as usize).collect();
    random.shuffle(&mut roles);
    let mut ranks: Vec<i64> = (0..i64::from(BLOCK)).collect();
    random.shuffle(&mut ranks);
    let first = u64::from(number) * u64::from(BLOCK) + 1;
    let mut customers: Vec<Customer> = (first..)
        .zip(roles.into_iter().zip(ranks))
        .map(|(no, (role, rank))| customer(setting, no, role, rank))
        .collect();
    for (position, campaign) in CAMPAIGNS.iter().enumerate().filter(|(_, campaign)| campaign.month <= setting.months) {
        select(setting, number, position, campaign, &mut customers);
    }
    customers
}

fn wealth(rank: i64) -> i64 {
    let upper = WEALTH.iter().position(|&(at, _)| at >= rank).unwrap_or(WEALTH.len() - 1).max(1);
    let ((low_at, low), (high_at, high)) = (WEALTH[upper - 1], WEALTH[upper]);
    (low + (high - low) * (rank - low_at) / (high_at - low_at)) * 100
}

fn place(setting: &Setting, random: &mut Stream, branch: usize) -> Place {
    let outlets = &setting.bank.outlets[branch];
    // Two numbers whatever the number of outlets, so that what follows does not depend on it.
    let outlet = random.weighted(outlets.iter().map(|outlet| outlet.weight));
    Place { branch, outlet, manager: random.below(2) as usize }
}

fn customer(setting: &Setting, no: u64, role: usize, rank: i64) -> Customer {
    let mut random = Stream::new(setting.seed, Kind::Profile, no, 0);
    let is_company = role < COMPANIES;
    let joins = joining_month(role).map(|month| (month, random.between(2, 27) as u32));
    let home = random.weighted(BRANCHES.iter().map(|branch| branch.weight));
    let mut places = vec![place(setting, &mut random, home)];
    let second = random.below(BRANCHES.len() as u64) as usize;
    if random.per_mille(45) && second != home && joins.is_none() {
        places.push(place(setting, &mut random, second));
    }
    let features = features(&mut random, is_company, rank, joins.is_some());
    let wealth = wealth(rank) * random.between(960, 1040) / 1000 * if is_company { 2 } else { 1 };
    let mut customer = Customer {
        no,
        is_company,
        rank,
        wealth,
        places,
        joins: joins.filter(|(month, _)| *month <= setting.months),
        leaves: None,
        complaints: Vec::new(),
        selected: Vec::new(),
        features,
    };
    if joins.is_some() && customer.joins.is_none() {
        // A prospect: not there yet, whatever the length of the sample.
        customer.joins = Some((u32::MAX, 1));
    } else {
        fate(setting, &mut customer);
    }
    customer
}

fn joining_month(role: usize) -> Option<u32> {
    let late = role.checked_sub(COMPANIES + FOUNDERS)?;
    let last = BLOCK as usize - COMPANIES - FOUNDERS - JOINERS;
    Some(match late.checked_sub(JOINERS) {
        None => 2 + (late * 23 / JOINERS) as u32,
        Some(later) => 25 + (later * 12 / last) as u32,
    })
}

const SURNAMES: [&str; 40] = [
    "王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周", "徐", "孙", "马", "朱", "胡", "郭", "何", "林", "高",
    "罗", "郑", "梁", "谢", "宋", "唐", "许", "韩", "冯", "邓", "曹", "彭", "曾", "肖", "田", "董", "袁", "潘", "于",
    "蒋", "蔡",
];
const COMPANY_NAMES: [&str; 12] = ["华", "恒", "瑞", "宏", "盛", "泰", "鑫", "远", "诚", "信", "东", "海"];
const AGES: [(&str, u32); 6] = [("18-25", 9), ("26-35", 24), ("36-45", 25), ("46-55", 20), ("56-65", 13), ("66+", 9)];
const OCCUPATIONS: [(&str, u32); 8] = [
    ("employee", 30),
    ("public_service", 16),
    ("professional", 15),
    ("self_employed", 13),
    ("worker", 12),
    ("student", 4),
    ("retired", 7),
    ("other", 3),
];
const INDUSTRIES: [(&str, u32); 7] = [
    ("manufacturing", 30),
    ("wholesale_retail", 24),
    ("construction", 12),
    ("transport", 9),
    ("software", 10),
    ("catering", 8),
    ("agriculture", 7),
];

fn drawn(random: &mut Stream, list: &[(&'static str, u32)]) -> &'static str {
    list[random.weighted(list.iter().map(|(_, weight)| *weight)).min(list.len() - 1)].0
}

fn features(random: &mut Stream, is_company: bool, rank: i64, is_new: bool) -> Features {
    let age = random.weighted(AGES.iter().map(|(_, weight)| *weight)).min(AGES.len() - 1);
    let name = if is_company {
        format!("{}*有限公司", random.pick(&COMPANY_NAMES))
    } else {
        format!("{}{}", random.pick(&SURNAMES), if random.per_mille(300) { "*" } else { "**" })
    };
    let occupation = match (age, drawn(random, &OCCUPATIONS)) {
        (0, "retired") => "student",
        (5, _) => "retired",
        (_, occupation) => occupation,
    };
    let gender = if random.per_mille(490) { "F" } else { "M" };
    let industry = drawn(random, &INDUSTRIES);
    let risk_tolerance = *random.pick(&["C1", "C2", "C2", "C3", "C3", "C4", "C5"]);
    let channel = drawn(random, &[("MB", 55), ("OB", 14), ("CN", 20), ("AT", 6), ("CI", 5)]);
    let tier = match rank {
        900.. => 'P',
        350.. => 'O',
        _ if random.per_mille(30) => 'R',
        _ => 'T',
    };
    let income_band = match rank {
        950.. => "50w+",
        800.. => "20-50w",
        500.. => "10-20w",
        200.. => "5-10w",
        _ => "0-5w",
    };
    let life_stage = ["single", "young_family", "family", "established", "pre_retirement", "retirement"][age];
    let (sms, phone) = (random.per_mille(820), random.per_mille(700));
    let first_year = if is_new { random.between(2023, 2023) } else { random.between(2004, 2023) };
    let person = |text: &'static str| if is_company { "" } else { text };
    Features {
        name,
        gender: person(gender),
        age_band: person(AGES[age].0),
        occupation: person(occupation),
        industry: if is_company { industry } else { "" },
        income_band: person(income_band),
        risk_tolerance: person(risk_tolerance),
        tier,
        life_stage: person(life_stage),
        channel,
        sms,
        phone,
        first_seen: (first_year, random.between(1, 12), random.between(1, 28)),
    }
}

/// What happens to a customer month by month: complaints, and leaving because of them or without.
fn fate(setting: &Setting, customer: &mut Customer) {
    let first = customer.joins.map_or(1, |(month, _)| month);
    // Months in which a complaint that stayed open too long drives the customer away.
    let mut driven = 0..0;
    for month in first..=setting.months {
        let mut random = Stream::new(setting.seed, Kind::Fate, customer.no, month);
        let risk = if driven.contains(&month) { effects::LEAVING_AFTER_COMPLAINT } else { effects::LEAVING };
        let leaves = random.per_mille(risk).then(|| random.between(6, 26) as u32);
        let joins_now = customer.joins.filter(|(joined, _)| *joined == month).map_or(0, |(_, day)| day);
        if !customer.is_company && customer.rank < KEY_CUSTOMERS && joins_now == 0 && leaves.is_some() {
            customer.leaves = leaves.map(|day| (month, day));
        }
        let complaint = complaint(setting, &mut random, customer, month);
        let last = customer.leaves.map_or(u32::MAX, |(_, day)| day);
        if let Some(complaint) = complaint.filter(|complaint| (joins_now + 1..last).contains(&complaint.day.1)) {
            if complaint.open_days > effects::LONG_OPEN_DAYS {
                let too_long = i64::from(complaint.day.1) + effects::LONG_OPEN_DAYS;
                let from = month + 1 + u32::from(too_long > i64::from(setting.month(month).days));
                driven = from..from + effects::LEAVING_MONTHS;
            }
            customer.complaints.push(complaint);
        }
        if customer.leaves.is_some() {
            return;
        }
    }
}

fn complaint(setting: &Setting, random: &mut Stream, customer: &Customer, month: u32) -> Option<Complaint> {
    let place = customer.places[0];
    let in_bad_branch = month >= effects::BAD_BRANCH_FROM && place.branch == setting.bad_branch;
    let with_bad_employee = month >= effects::BAD_EMPLOYEE_FROM && setting.manager(place) == setting.bad_employee;
    let times = match (in_bad_branch, with_bad_employee) {
        (true, _) => effects::BAD_BRANCH_COMPLAINTS,
        (_, true) => effects::BAD_EMPLOYEE_COMPLAINTS,
        _ => 1,
    };
    // Drawn whatever the rate, so that the effects change nothing else.
    let happens = random.per_lakh(effects::COMPLAINTS * times * 100);
    let day = random.between(1, i64::from(setting.month(month).days)) as u32;
    let in_time = random.per_mille(if in_bad_branch { effects::BAD_BRANCH_IN_TIME } else { effects::IN_TIME });
    let open_days =
        if in_time { random.between(0, effects::SLA_DAYS) } else { random.between(effects::SLA_DAYS + 2, 45) };
    let cause = random.weighted(CAUSES.iter().map(|cause| match (in_bad_branch, with_bad_employee) {
        (true, _) => cause.bad_branch,
        (_, true) => cause.bad_employee,
        _ => cause.weight,
    }));
    let via = [Via::CallIn, Via::Counter, Via::Mobile, Via::Letter][random.weighted([60, 18, 18, 4]).min(3)];
    let severity = ['L', 'M', 'H'][random.weighted([55, 33, 12]).min(2)];
    let against_manager = random.per_mille(if with_bad_employee { 950 } else { 250 });
    let compensation = if random.per_mille(60) { random.between(1, 20) * 50 } else { 0 };
    let complaint = Complaint {
        day: (month, day),
        minute: random.between(60, 600) as u32,
        cause,
        severity,
        open_days,
        via,
        against_manager,
        reopened: u32::from(random.per_mille(if in_time { 20 } else { 150 })),
        compensation,
    };
    happens.then_some(complaint)
}

/// Chooses the customers of a block for a campaign, and who converts.
fn select(setting: &Setting, block: u32, position: usize, campaign: &Campaign, customers: &mut [Customer]) {
    let mut random = Stream::new(setting.seed, Kind::Selection, u64::from(block), position as u32);
    let mut eligible: Vec<usize> = (0..customers.len())
        .filter(|&index| {
            let customer = &customers[index];
            let was_there = customer.joins.is_none_or(|(month, _)| month < campaign.month);
            !customer.is_company && was_there && !customer.has_left_by_end_of(campaign.month)
        })
        .collect();
    random.shuffle(&mut eligible);
    let (treated, control) = (campaign.treated, campaign.control);
    for (order, index) in eligible.into_iter().take(treated.0 + control.0).enumerate() {
        let is_treated = order < treated.0;
        let converts = if is_treated { order < treated.1 } else { order - treated.0 < control.1 };
        let customer = &mut customers[index];
        let mut random = Stream::new(setting.seed, Kind::Response, customer.no, position as u32);
        let planned = random.between(3, 15) as u32;
        let converted = random.between(i64::from(planned) + 1, 27) as u32;
        let responds = is_treated && (converts || random.per_mille(140));
        customer.selected.push(Selected { campaign: position, is_treated, converts, planned, responds, converted });
    }
}

impl Setting {
    /// Employee number of the manager of a place.
    pub(super) fn manager(&self, place: Place) -> &str {
        &self.bank.outlets[place.branch][place.outlet].managers[place.manager]
    }

    /// Office number of a place.
    pub(super) fn org(&self, place: Place) -> &str {
        &self.bank.orgs[self.bank.outlets[place.branch][place.outlet].org].id
    }
}

/// Products of a campaign that open an account when a customer converts: the account's number, and its product.
pub(super) fn opened_by(campaign: usize) -> Option<(u64, usize)> {
    match CAMPAIGNS[campaign].product {
        "T2" => Some((7, bank::product("T2"))),
        "W1" => Some((8, bank::product("W1"))),
        "T1" => Some((9, bank::product("T1"))),
        _ => None,
    }
}
