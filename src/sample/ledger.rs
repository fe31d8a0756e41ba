//! The books of one customer: accounts, transactions, balances, loans and profit, month by month.
//!
//! For every deposit and wealth account and month, opening + credits - debits + interest = closing, to the fen.

use std::fmt::Write as _;

use super::bank::{self, BRANCHES, CAMPAIGNS, Family, PRODUCTS, Via, branch_number};
use super::calendar::{Month, day_of};
use super::customer::{Customer, Day, opened_by};
use super::effects;
use super::feed::{Data, Feeds, Money};
use super::random::{Kind, Stream};
use super::{Measured, Setting};
use crate::error::Result;

/// Added to the yearly growth of every branch, per mille: with those who leave and those who join, the bank's deposits
/// grow by about 9% a year.
const GROWTH: i64 = -50;
/// Balances over the year, per mille.
const SEASON: [i64; 12] = [1018, 1030, 1008, 992, 990, 1004, 988, 986, 1000, 994, 998, 1012];
/// Account and advice fees of deposits, millionths of the balance and year.
const ACCOUNT_FEE: i64 = 1_500;
/// Interest days of a year.
const YEAR: i64 = 365;
const MILLION: i64 = 1_000_000;

/// An account.
#[derive(Debug)]
struct Account {
    /// Customer number and account number 1 to 9.
    id: u64,
    product: usize,
    /// Position among the customer's places.
    slot: usize,
    /// First day; none when it was there before the sample begins.
    opens: Option<Day>,
    /// Last day.
    closes: Option<Day>,
    reason: char,
    /// What the account is meant to hold, before growth and season, fen. For loans what was lent.
    base: i64,
    /// Fen.
    balance: i64,
    /// Part of the balance that only stands there over the end of a quarter.
    parked: i64,
    /// Months overdue, of a loan.
    overdue: i64,
    transactions: u32,
}

impl Account {
    fn family(&self) -> Family {
        PRODUCTS[self.product].family
    }

    fn is_demand(&self) -> bool {
        matches!(PRODUCTS[self.product].id, "D1" | "D2")
    }

    fn opens_in(&self, month: u32) -> Option<u32> {
        self.opens.filter(|(opened, _)| *opened == month).map(|(_, day)| day)
    }

    fn closes_in(&self, month: u32) -> Option<u32> {
        self.closes.filter(|(closed, _)| *closed == month).map(|(_, day)| day)
    }

    fn exists(&self, month: u32) -> bool {
        self.opens.is_none_or(|(opened, _)| opened <= month) && self.closes.is_none_or(|(closed, _)| closed >= month)
    }
}

/// A movement on an account.
#[derive(Debug, Clone, Copy)]
struct Event {
    day: u32,
    /// Fen; negative for a debit, which includes the fee.
    amount: i64,
    kind: &'static str,
    via: Via,
    fee: i64,
}

/// Incomes and costs of a customer in a month, fen.
#[derive(Debug, Default, Clone, Copy)]
struct Earned {
    margin: i64,
    fees: i64,
    direct: i64,
    allocated: i64,
    loss: i64,
}

/// Everything a month of a customer needs.
struct Books<'a> {
    setting: &'a Setting,
    customer: &'a Customer,
    feeds: &'a mut Feeds,
    line: String,
    contacts: u32,
    /// By place and family.
    results: [[Earned; 4]; 2],
    contribution: i64,
}

/// Writes all rows of a customer.
pub(super) fn write(setting: &Setting, customer: &Customer, feeds: &mut Feeds, measured: &mut Measured) -> Result<()> {
    let mut accounts = accounts(setting, customer);
    let mut books = Books {
        setting,
        customer,
        feeds,
        line: String::new(),
        contacts: 0,
        results: [[Earned::default(); 4]; 2],
        contribution: 0,
    };
    books.customer_rows()?;
    for month in &setting.calendar {
        if !customer.is_active(month.number) {
            continue;
        }
        for index in 0..accounts.len() {
            if !accounts[index].exists(month.number) {
                continue;
            }
            match accounts[index].family() {
                Family::Deposit | Family::Wealth => books.money_month(month, &mut accounts, index, measured)?,
                Family::Loan | Family::Card => books.credit_month(month, &mut accounts[index])?,
            }
        }
        books.interactions(month)?;
        books.campaign_contacts(month, measured)?;
        books.complaints(month, measured)?;
        books.profit(month, measured)?;
    }
    books.account_rows(&accounts)?;
    measured.contributions.push(books.contribution);
    Ok(())
}

/// The accounts that a customer has or will open.
fn accounts(setting: &Setting, customer: &Customer) -> Vec<Account> {
    if customer.joins.is_some_and(|(month, _)| month > setting.months) {
        return Vec::new();
    }
    let mut random = Stream::new(setting.seed, Kind::Accounts, customer.no, 0);
    let (rank, wealth, company) = (customer.rank, customer.wealth, customer.is_company);
    // All draws first, so that no account depends on another one's.
    let has_time = random.per_mille(match rank {
        800.. => 550,
        600.. => 330,
        300.. => 170,
        _ => 30,
    });
    let time_share = random.between(450, 700);
    let time_opens = (random.per_mille(300), random.between(2, 24) as u32, random.between(2, 27) as u32);
    let has_fund = random.per_mille(if rank >= 700 && !company { 330 } else { 0 });
    let has_loan = random.per_mille(if company { 550 } else { 150 });
    let loan_kind = random.below(100);
    let loan_opens = (random.per_mille(250), random.between(2, 24) as u32, random.between(2, 27) as u32);
    let loan_size = random.between(700, 1400);
    let overdue = random.below(1000);
    let has_card = random.per_mille(if company { 0 } else { 130 });
    let card_size = random.between(2_000, 22_000) * 100;

    let fund = if has_fund { wealth * 3 / 10 } else { 0 };
    let deposits = wealth - fund;
    let time = if has_time { deposits * time_share / 1000 } else { 0 };
    let demand = deposits - time;
    let second = if customer.places.len() > 1 { demand * 3 / 10 } else { 0 };
    let mut list = Vec::new();
    let mut add = |number: u64, product: &str, slot: usize, base: i64, opens: Option<Day>| {
        let opens = opens.filter(|(month, _)| *month <= setting.months).or(customer.joins);
        // What would open after the customer has left never opens.
        if opens.is_some_and(|opens| customer.leaves.is_some_and(|leaves| opens >= leaves)) {
            return;
        }
        list.push(Account {
            id: customer.no * 10 + number,
            product: bank::product(product),
            slot,
            opens,
            closes: customer.leaves,
            reason: 'L',
            base,
            balance: 0,
            parked: 0,
            overdue: 0,
            transactions: 0,
        });
    };
    let later = |(opens, month, day): (bool, u32, u32)| {
        (opens && customer.joins.is_none_or(|joins| joins < (month, day))).then_some((month, day))
    };
    let is_open = |opens: Option<Day>| opens.is_none_or(|(month, _)| month <= setting.months);
    add(1, if company { "D2" } else { "D1" }, 0, demand - second, None);
    if has_time && is_open(later(time_opens)) {
        add(2, if company { "T3" } else { "T1" }, 0, time, later(time_opens));
    }
    if has_fund {
        add(3, if rank >= 930 { "W2" } else { "W1" }, 0, fund, None);
    }
    if customer.places.len() > 1 {
        add(4, if company { "D2" } else { "D1" }, 1, second, None);
    }
    if has_loan && is_open(later(loan_opens)) {
        let (product, size) = match (company, loan_kind) {
            (true, _) => ("L4", wealth * 12 / 10 + 30_000_000),
            (_, 0..45) => ("L1", wealth / 2 + 38_000_000),
            (_, 45..80) => ("L2", wealth / 5 + 4_000_000),
            _ => ("L3", wealth / 3 + 15_000_000),
        };
        add(5, product, 0, size * loan_size / 1000 / 100_000 * 100_000, later(loan_opens));
    }
    if has_card {
        add(6, "C1", 0, card_size, None);
    }
    for chosen in customer.selected.iter().filter(|chosen| chosen.converts) {
        if let Some((number, product)) = opened_by(chosen.campaign) {
            let size = (wealth / 4).max(1_000_000) / 100_000 * 100_000;
            add(number, PRODUCTS[product].id, 0, size, Some((CAMPAIGNS[chosen.campaign].month, chosen.converted)));
        }
    }
    for account in &mut list {
        if matches!(account.family(), Family::Loan | Family::Card) {
            if account.closes.is_some() {
                account.reason = 'R';
            }
            if account.opens.is_none() {
                account.balance = account.base;
                account.overdue = match overdue {
                    0..16 => 1,
                    16..21 => 2,
                    21..25 => 3,
                    25..34 => 5,
                    _ => 0,
                };
            }
        } else if account.opens.is_none() {
            account.balance = account.base;
        }
    }
    list
}

impl Setting {
    /// What an account is meant to hold at the end of a month.
    fn target(&self, account: &Account, branch: usize, month: &Month, noise: i64) -> i64 {
        let yearly = BRANCHES[branch].growth + GROWTH;
        let trend = MILLION + yearly * 1000 * i64::from(month.number) / 12;
        let season = if account.is_demand() { SEASON[month.of_year as usize - 1] } else { 1000 };
        let value = i128::from(account.base) * i128::from(trend) / i128::from(MILLION);
        (value * i128::from(season) * i128::from(noise) / 1_000_000) as i64
    }
}

impl Books<'_> {
    fn branch(&self, slot: usize) -> usize {
        self.customer.places[slot].branch
    }

    /// `branch number` of a place.
    fn number(&self, slot: usize) -> String {
        branch_number(self.branch(slot))
    }

    fn org(&self, slot: usize) -> &str {
        self.setting.org(self.customer.places[slot])
    }

    fn manager(&self, slot: usize) -> &str {
        self.setting.manager(self.customer.places[slot])
    }

    fn teller(&self, slot: usize, random: &mut Stream) -> &str {
        let place = self.customer.places[slot];
        let tellers = &self.setting.bank.outlets[place.branch][place.outlet].tellers;
        random.pick::<String>(tellers)
    }

    /// Fees that are left in a branch whose service broke down.
    fn fee(&self, slot: usize, month: u32, fee: i64) -> i64 {
        if month >= effects::BAD_BRANCH_FROM && self.branch(slot) == self.setting.bad_branch {
            fee * effects::BAD_BRANCH_FEES / 1000
        } else {
            fee
        }
    }

    /// A month of a deposit or wealth account.
    fn money_month(
        &mut self,
        month: &Month,
        accounts: &mut [Account],
        index: usize,
        measured: &mut Measured,
    ) -> Result<()> {
        let number = month.number;
        let others: i64 = accounts
            .iter()
            .enumerate()
            .filter(|(other, account)| {
                *other != index && account.slot == accounts[index].slot && account.family() == Family::Deposit
            })
            .map(|(_, account)| account.balance)
            .sum();
        let account = &mut accounts[index];
        let slot = account.slot;
        let branch = self.branch(slot);
        let product = &PRODUCTS[account.product];
        let mut random = Stream::new(self.setting.seed, Kind::Ledger, account.id, number);
        let noise = random.between(940, 1060);
        let target = self.setting.target(account, branch, month, noise);
        let mut events = Vec::new();
        if account.parked > 0 {
            let amount = -account.parked;
            events.push(Event { day: 1, amount, kind: "TO", via: Via::Online, fee: 0 });
        }
        if account.is_demand() {
            self.demand(month, account, target, &mut random, &mut events);
        } else {
            placed(month, account, target, &mut random, &mut events);
        }
        if let Some(last) = account.closes_in(number) {
            events.retain(|event| event.day < last || event.day == 1);
        }
        events.sort_by_key(|event| event.day);
        account.parked = 0;

        // The days of the month, from one event to the next.
        let repeats = account.opens.is_none_or(|(opened, _)| opened < number) && number > 1;
        let mut balance = account.balance;
        let (mut day_sum, mut day, mut written) = (0_i64, 1_u32, 0);
        for event in &mut events {
            day_sum += balance * i64::from(event.day - day);
            day = event.day;
            event.amount = event.amount.max(-balance);
            event.fee = event.fee.min(-event.amount).max(0);
            balance += event.amount;
        }
        let end = account.closes_in(number);
        let last = end.unwrap_or(month.days);
        day_sum += balance * i64::from(last + 1 - day);
        let dresses = branch == self.setting.dressing_branch && account.is_demand();
        if dresses && month.ends_quarter && end.is_none() && account.opens_in(number).is_none() {
            account.parked = (balance + others) * effects::DRESSING / 1000;
            balance += account.parked;
            day_sum += account.parked;
            events.push(Event { day: last, amount: account.parked, kind: "TI", via: Via::Online, fee: 0 });
        }
        let interest = (i128::from(day_sum) * i128::from(product.rate) / i128::from(MILLION * YEAR)) as i64;
        balance += interest;
        day_sum += interest;
        if end.is_some() {
            // All that is there is paid out, so the last day closes at nothing.
            day_sum -= balance;
            let amount = -balance;
            events.push(Event { day: last, amount, kind: "CL", via: Via::Counter, fee: 0 });
            balance = 0;
        }
        account.balance = balance;

        let family = product.family as usize;
        for event in events.iter().filter(|event| event.amount != 0) {
            account.transactions += 1;
            written += 1;
            let result = &mut self.results[slot][family];
            result.direct += event.via.channel().cost;
            let fee = self.fee(slot, number, event.fee);
            self.results[slot][family].fees += fee;
            self.transaction(month, account, *event, fee, &mut random)?;
            measured.festival(month.first + event.day as i32 - 1, event.kind, event.via);
        }
        measured.transactions += written;
        let result = &mut self.results[slot][family];
        let earned = (i128::from(day_sum) * i128::from(product.margin) / i128::from(MILLION * YEAR)) as i64;
        if product.family == Family::Deposit {
            result.margin += earned;
            result.allocated += 300;
            // Account and advice fees are charged by balance and are no transactions.
            let fee = (i128::from(day_sum) * i128::from(ACCOUNT_FEE) / i128::from(MILLION * YEAR)) as i64;
            let fee = self.fee(slot, number, fee);
            self.results[slot][family].fees += fee;
        } else {
            let fee = self.fee(slot, number, earned);
            let result = &mut self.results[slot][family];
            result.fees += fee;
            result.allocated += 600;
        }
        if product.family == Family::Deposit {
            measured.deposits(branch, number, balance, day_sum, month.days);
        }
        let open = u32::from(end.is_none());
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let _ = write!(
            line,
            "{},{},{},C{},{},{},{},{},{},{},{open}",
            month.end(),
            self.number(slot),
            account.id,
            self.customer.no,
            product.id,
            self.org(slot),
            self.manager(slot),
            Money(balance),
            Money(day_sum),
            Money(interest),
        );
        self.feeds.put(self.setting.batch(number), Data::Balances, &line, &[balance, day_sum, interest], repeats)?;
        self.line = line;
        Ok(())
    }

    /// Movements of a demand account, which bring it near its target.
    fn demand(&self, month: &Month, account: &Account, target: i64, random: &mut Stream, events: &mut Vec<Event>) {
        let number = month.number;
        let own = account.balance - account.parked;
        let company = self.customer.is_company;
        let mut count = random.weighted([38, 35, 19, 8]).min(3);
        let opening = account.opens_in(number);
        if opening.is_some() {
            count = count.max(1);
        }
        let diff = target - own;
        let flow = own.max(target).max(100_000) / 1000 * random.between(15, 120);
        let (credit, debits) = match count {
            0 => return,
            1 if diff >= 0 => (diff, vec![]),
            1 => (0, vec![-diff]),
            2 => (diff.max(0) + flow, vec![diff.max(0) + flow - diff]),
            _ => {
                let out = diff.max(0) + flow - diff;
                (diff.max(0) + flow, vec![out * 6 / 10, out - out * 6 / 10])
            }
        };
        let first = opening.unwrap_or(1);
        let mut earliest = month.days;
        for debit in debits {
            let weights = if company {
                [5 * month.cash_level as u32 / 1000, 0, 95]
            } else {
                [22 * month.cash_level as u32 / 1000, 45, 35]
            };
            let kind = ["CW", "PY", "TO"][random.weighted(weights).min(2)];
            let via = self.via(kind, month, random);
            let day = day(month, kind, via, random).max(first);
            earliest = earliest.min(day);
            let amount = if kind == "CW" { debit / 10_000 * 10_000 } else { debit };
            let fee = fee(kind, via, amount, random);
            events.push(Event { day, amount: -amount, kind, via, fee });
        }
        let weights = if company { [0, 92, 8] } else { [35, 40, 25] };
        let kind = if opening.is_some() { "TI" } else { ["SA", "TI", "CD"][random.weighted(weights).min(2)] };
        let via = self.via(kind, month, random);
        let drawn = day(month, kind, via, random);
        let amount = if kind == "CD" { credit / 1000 * 1000 } else { credit };
        if amount > 0 {
            // What is paid out must have come in before.
            let day = opening.unwrap_or_else(|| drawn.min(earliest).max(1));
            events.insert(0, Event { day, amount, kind, via, fee: 0 });
        }
    }

    /// The channel of a movement. Mobile banking takes over from the counter as the months go by.
    fn via(&self, kind: &str, month: &Month, random: &mut Stream) -> Via {
        let shift = month.number.min(36) * 6;
        let counter = |weight: u32| (weight.saturating_sub(shift) * month.counter_level as u32 / 1000).max(10);
        let (vias, weights): (&[Via], Vec<u32>) = match (kind, self.customer.is_company) {
            ("SA", _) => (&[Via::Batch], vec![1]),
            ("CD" | "CW", true) => (&[Via::Counter], vec![1]),
            (_, true) => (&[Via::Counter, Via::Online], vec![counter(320), 680 + shift]),
            ("CD", _) => (&[Via::Counter, Via::Machine], vec![counter(560), 440]),
            ("CW", _) => (&[Via::Counter, Via::Machine], vec![counter(350), 650]),
            ("PY", _) => (&[Via::Partner, Via::Mobile, Via::Online], vec![330, 600 + shift, 70]),
            _ => (&[Via::Counter, Via::Online, Via::Mobile], vec![counter(280), 140, 580 + shift]),
        };
        vias[random.weighted(weights).min(vias.len() - 1)]
    }

    fn transaction(
        &mut self,
        month: &Month,
        account: &Account,
        event: Event,
        fee: i64,
        random: &mut Stream,
    ) -> Result<()> {
        let teller =
            if event.via == Via::Counter { self.teller(account.slot, random).to_owned() } else { String::new() };
        let (debit, credit) = (-event.amount.min(0), event.amount.max(0));
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let _ = write!(
            line,
            "{}-{},{},{},{},C{},{},{},{teller},{},{},",
            account.id,
            account.transactions,
            month.compact[event.day as usize - 1],
            self.number(account.slot),
            account.id,
            self.customer.no,
            PRODUCTS[account.product].id,
            self.org(account.slot),
            event.via.channel().code,
            event.kind,
        );
        // An amount that is not there is empty, so that counting debits counts debits.
        let _ = match (debit, credit) {
            (0, credit) => write!(line, ",{},", Money(credit)),
            (debit, _) => write!(line, "{},,", Money(debit)),
        };
        if fee > 0 {
            let _ = write!(line, "{}", Money(fee));
        }
        let sums = [debit, credit, fee];
        self.feeds.put(self.setting.batch(month.number), Data::Transactions, &line, &sums, false)?;
        self.line = line;
        Ok(())
    }

    /// A month of a loan or card.
    fn credit_month(&mut self, month: &Month, account: &mut Account) -> Result<()> {
        let number = month.number;
        let slot = account.slot;
        let product = &PRODUCTS[account.product];
        let mut random = Stream::new(self.setting.seed, Kind::Credit, account.id, number);
        let (step, level) = (random.below(100_000), random.between(400, 1500));
        if account.closes_in(number).is_some() {
            account.balance = 0;
            return Ok(());
        }
        if account.opens_in(number).is_some() {
            account.balance = account.base;
        } else {
            account.overdue = match (account.overdue, step) {
                (0, 0..500) => 1,
                (0, _) => 0,
                (1, 0..58_000) | (2, 0..36_000) => 0,
                (late, 0..9_000) if late > 2 => 0,
                (late, _) => late + 1,
            };
            account.balance = match product.id {
                "C1" if account.overdue == 0 => account.base * level / 1000,
                "L1" if account.overdue == 0 => account.balance - account.base * 4 / 1000,
                "L2" if account.overdue == 0 => account.balance - account.base * 14 / 1000,
                _ => account.balance,
            };
            // Repaid loans are renewed, so that the book does not run dry.
            if account.balance <= account.base / 4 {
                account.balance = account.base * 12 / 10;
            }
        }
        if account.overdue > 15 {
            account.closes = Some((number, month.days));
            account.reason = 'W';
            account.balance = 0;
            return Ok(());
        }
        let (outstanding, late) = (account.balance, account.overdue);
        let interest = (i128::from(outstanding) * i128::from(product.rate) / i128::from(12 * MILLION)) as i64;
        let interest = if late > 3 { 0 } else { interest };
        let days = late * 30;
        let (bucket, class, cover) = match late {
            0 => ('0', 'N', 6),
            1 => ('1', 'M', 30),
            2 => ('2', 'M', 30),
            3 => ('3', 'M', 60),
            4..=6 => ('4', 'S', 250),
            7..=12 => ('5', 'D', 500),
            _ => ('5', 'L', 1000),
        };
        let overdue = if late == 0 { 0 } else { outstanding * (late * 2).min(100) / 100 };
        let loss = outstanding * cover / 1000;
        let family = product.family as usize;
        let margin = (i128::from(outstanding) * i128::from(product.margin) / i128::from(12 * MILLION)) as i64;
        let fee = if product.family == Family::Card { self.fee(slot, number, outstanding * 3 / 1000) } else { 0 };
        let result = &mut self.results[slot][family];
        result.margin += if late > 3 { 0 } else { margin };
        result.fees += fee;
        result.allocated += if product.family == Family::Card { 800 } else { 2500 };
        result.loss += outstanding * (if late == 0 { 25 } else { 300 }) / 100_000;
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let _ = write!(
            line,
            "{},{},{},C{},{},{},{},{},{},{days},{bucket},{class},{},{}",
            month.end(),
            self.number(slot),
            account.id,
            self.customer.no,
            product.id,
            self.org(slot),
            self.manager(slot),
            Money(outstanding),
            Money(interest),
            Money(overdue),
            Money(loss),
        );
        let sums = [outstanding, interest, overdue, loss];
        self.feeds.put(self.setting.batch(number), Data::Credit, &line, &sums, false)?;
        self.line = line;
        Ok(())
    }

    fn interactions(&mut self, month: &Month) -> Result<()> {
        let mut random = Stream::new(self.setting.seed, Kind::Contacts, self.customer.no, month.number);
        let place = self.customer.places[0];
        let troubled = month.number >= effects::BAD_BRANCH_FROM && place.branch == self.setting.bad_branch;
        let first = self.customer.joins.filter(|(joined, _)| *joined == month.number).map_or(1, |(_, day)| day);
        let last = self.customer.leaves.filter(|(left, _)| *left == month.number).map_or(month.days, |(_, day)| day);
        for _ in 0..random.weighted([83, 13, 3, 1]).min(3) {
            let (kind, via, direction) = match random.below(100) {
                0..44 => ("IN", Via::CallIn, 'I'),
                44..54 => ("SV", Via::CallIn, 'I'),
                54..60 => ("SV", Via::Counter, 'I'),
                60..66 if self.customer.rank >= 500 => ("VS", Via::Visit, 'O'),
                60..76 => ("CR", Via::CallOut, 'O'),
                76..84 => ("MK", Via::CallOut, 'O'),
                84..92 => ("MK", Via::Sms, 'O'),
                92..97 => ("NT", Via::Sms, 'O'),
                _ if self.customer.is_company => ("NT", Via::Fax, 'O'),
                _ => ("NT", Via::Mail, 'O'),
            };
            let day = random.between(i64::from(first), i64::from(last)) as usize;
            let operator = random.pick(&self.setting.bank.operators[place.branch]);
            let employee = match via {
                Via::CallIn | Via::CallOut => operator,
                Via::Counter | Via::Visit => self.setting.manager(place),
                _ => "",
            };
            let waits = random.between(5, 90) * random.between(1, 3) * if troubled { 3 } else { 1 };
            let gives_up = random.per_mille(350) && via == Via::CallIn && waits > 150;
            let duration = match via {
                Via::Sms | Via::Mail | Via::Fax => 0,
                Via::Visit => random.between(15, 70) * 60,
                Via::Counter => random.between(4, 30) * 60,
                _ if gives_up => 0,
                _ => random.between(40, 600),
            };
            let resolved = !gives_up && random.per_mille(if troubled { 620 } else { 810 });
            let wait = if via == Via::CallIn { waits.to_string() } else { String::new() };
            self.contacts += 1;
            self.line.clear();
            let _ = write!(
                self.line,
                "C{}-{},{},{},C{},{},{employee},{},{kind},{direction},{duration},{wait},{},{}",
                self.customer.no,
                self.contacts,
                month.compact[day - 1],
                branch_number(place.branch),
                self.customer.no,
                self.setting.org(place),
                via.channel().code,
                u8::from(gives_up),
                u8::from(resolved),
            );
            self.results[0][0].direct += via.channel().cost;
            self.feeds.put_plain(self.setting.batch(month.number), Data::Interactions, &self.line)?;
        }
        Ok(())
    }

    fn campaign_contacts(&mut self, month: &Month, measured: &mut Measured) -> Result<()> {
        let customer = self.customer;
        let chosen = customer.selected.iter().filter(|chosen| CAMPAIGNS[chosen.campaign].month == month.number);
        for chosen in chosen {
            let campaign = &CAMPAIGNS[chosen.campaign];
            let opens = opened_by(chosen.campaign).is_some();
            let outcome =
                if chosen.converts && opens { (customer.wealth / 4).max(1_000_000) / 100_000 * 100_000 } else { 0 };
            let cost = if chosen.is_treated { campaign.via.channel().cost } else { 0 };
            let converted = if chosen.converts { month.compact[chosen.converted as usize - 1].as_str() } else { "" };
            let staffed = matches!(campaign.via, Via::Visit | Via::CallOut) && chosen.is_treated;
            let mut line = std::mem::take(&mut self.line);
            line.clear();
            let _ = write!(
                line,
                "{},{},{},C{},{},{},{},{},{},{converted},{},{},{},{},{}",
                month.compact[chosen.planned as usize - 1],
                self.number(0),
                campaign.id,
                customer.no,
                campaign.product,
                self.org(0),
                if staffed { self.manager(0) } else { "" },
                campaign.via.channel().code,
                if chosen.is_treated { 'T' } else { 'C' },
                u8::from(chosen.is_treated),
                u8::from(chosen.responds),
                u8::from(chosen.converts),
                Money(cost),
                Money(outcome),
            );
            self.results[0][0].direct += cost;
            measured.campaign(chosen.campaign, chosen.is_treated, chosen.converts);
            self.feeds.put(self.setting.batch(month.number), Data::CampaignContacts, &line, &[cost, outcome], false)?;
            self.line = line;
        }
        Ok(())
    }

    fn complaints(&mut self, month: &Month, measured: &mut Measured) -> Result<()> {
        let customer = self.customer;
        for (order, complaint) in customer.complaints.iter().enumerate() {
            if complaint.day.0 != month.number {
                continue;
            }
            let batch = self.setting.batch(month.number);
            let received = month.first + complaint.day.1 as i32 - 1;
            let delivered =
                self.setting.month(if batch == 1 { self.setting.months - 1 } else { self.setting.months }).last();
            let is_closed = received + complaint.open_days as i32 <= delivered;
            // What is not known at delivery is null: the case is still open.
            let null = || "null".to_owned();
            let closed_on =
                if is_closed { format!("\"{}\"", day_of(received + complaint.open_days as i32)) } else { null() };
            let open_days = if is_closed { complaint.open_days.to_string() } else { null() };
            let is_late = complaint.open_days > effects::SLA_DAYS;
            let known_late = is_late && received + effects::SLA_DAYS as i32 <= delivered;
            let in_time = if is_closed || known_late { (!is_late).to_string() } else { null() };
            let employee = if complaint.against_manager { format!("\"{}\"", self.manager(0)) } else { null() };
            let product = if customer.is_company { "D2" } else { "D1" };
            let line = format!(
                "{{\"id\":\"Q{}-{}\",\"date\":\"{day}\",\"branch\":\"{}\",\"customer\":\"C{}\",\"org\":\"{}\",\"employee\":{employee},\
                 \"product\":\"{product}\",\"channel\":\"{}\",\"cause\":\"{}\",\"severity\":\"{}\",\
                 \"received_at\":\"{day}T{:02}:{:02}:00Z\",\"closed_on\":{closed_on},\"open_days\":{open_days},\
                 \"in_time\":{in_time},\"reopened\":{},\"compensation\":{}}}",
                customer.no,
                order + 1,
                self.number(0),
                customer.no,
                self.org(0),
                complaint.via.channel().code,
                bank::CAUSES[complaint.cause].code,
                complaint.severity,
                complaint.minute / 60,
                complaint.minute % 60,
                complaint.reopened,
                complaint.compensation,
                day = day_of(received),
            );
            self.results[0][0].direct += 4_000 + complaint.compensation * 100;
            measured.complaint(self.setting, customer, complaint);
            self.feeds.put_plain(batch, Data::Complaints, &line)?;
        }
        Ok(())
    }

    /// Incomes and costs of the month in whole yuan; nothing where all are nothing.
    fn profit(&mut self, month: &Month, measured: &mut Measured) -> Result<()> {
        for slot in 0..self.customer.places.len() {
            for family in Family::ALL {
                let result = std::mem::take(&mut self.results[slot][family as usize]);
                let parts = [result.margin, result.fees, result.direct, result.allocated, result.loss]
                    .map(|fen| (fen + 50).div_euclid(100) * 100);
                if parts == [0; 5] {
                    continue;
                }
                let [margin, fees, direct, allocated, loss] = parts;
                measured.fees(self.branch(slot), month.number, fees);
                self.contribution += margin + fees - direct - allocated - loss;
                let mut line = std::mem::take(&mut self.line);
                line.clear();
                let _ = write!(
                    line,
                    "{},{},C{},{},{},{},{},{},{},{}",
                    month.end(),
                    self.number(slot),
                    self.customer.no,
                    self.org(slot),
                    family.letter(),
                    Money(margin),
                    Money(fees),
                    Money(direct),
                    Money(allocated),
                    Money(loss),
                );
                self.feeds.put(self.setting.batch(month.number), Data::Profit, &line, &parts, false)?;
                self.line = line;
            }
        }
        Ok(())
    }

    /// Rows of `dim_customer`: as known when batch 1 was delivered, and once more when batch 2 says otherwise.
    fn customer_rows(&mut self) -> Result<()> {
        let customer = self.customer;
        for batch in [1, 2] {
            let end = if batch == 1 { self.setting.months - 1 } else { self.setting.months };
            let came = customer.joins.is_none_or(|(month, _)| month <= end);
            if batch == 2 && customer.joins.is_none_or(|(month, _)| month != end) {
                continue;
            }
            let kind = match (came, customer.is_company) {
                (false, _) => 'X',
                (_, true) => 'C',
                _ => 'P',
            };
            let features = &customer.features;
            let (year, month, day) = features.first_seen;
            for slot in 0..customer.places.len() {
                let line = format!(
                    "{},C{},{},{},{kind},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{year}-{month:02}-{day:02}",
                    self.number(slot),
                    customer.no,
                    customer.no,
                    u8::from(slot == 0),
                    features.name,
                    features.gender,
                    features.age_band,
                    features.occupation,
                    features.industry,
                    features.income_band,
                    features.risk_tolerance,
                    if came { features.tier } else { 'T' },
                    features.life_stage,
                    features.channel,
                    u8::from(features.sms),
                    u8::from(features.phone),
                    self.manager(slot),
                    self.org(slot),
                );
                self.feeds.put_plain(batch, Data::Customers, &line)?;
            }
        }
        Ok(())
    }

    /// Rows of `dim_account`: as known when batch 1 was delivered, and once more when the last month changed them.
    fn account_rows(&mut self, accounts: &[Account]) -> Result<()> {
        for account in accounts {
            for batch in [1, 2] {
                let end = if batch == 1 { self.setting.months - 1 } else { self.setting.months };
                let is_there = account.opens.is_none_or(|(month, _)| month <= end);
                let changes = [account.opens, account.closes].iter().flatten().any(|(month, _)| *month == end);
                if !is_there || (batch == 2 && !changes) {
                    continue;
                }
                let written = |(month, day): Day| day_of(self.setting.month(month).first + day as i32 - 1).to_string();
                let closed = account.closes.filter(|(month, _)| *month <= end);
                let (status, reason) =
                    if closed.is_some() { ('C', account.reason.to_string()) } else { ('O', String::new()) };
                let (year, month, day) = self.customer.features.first_seen;
                // Number ranges of no bank.
                let tail = (account.id * 7919) % 10_000;
                let line = format!(
                    "{},{},9***{tail:04},C{},{},{},{status},{reason},{},{},{}",
                    self.number(account.slot),
                    account.id,
                    self.customer.no,
                    PRODUCTS[account.product].id,
                    self.org(account.slot),
                    account.opens.map_or_else(|| format!("{year}-{month:02}-{day:02}"), written),
                    closed.map(written).unwrap_or_default(),
                    bank::rate(PRODUCTS[account.product].rate),
                );
                self.feeds.put_plain(batch, Data::Accounts, &line)?;
            }
        }
        Ok(())
    }
}

/// Movements of a time deposit or a fund: paid in when it opens, brought up to its target once a year.
fn placed(month: &Month, account: &Account, target: i64, random: &mut Stream, events: &mut Vec<Event>) {
    let kind = if account.family() == Family::Wealth { "IV" } else { "TD" };
    let via = [Via::Counter, Via::Mobile, Via::Online][random.weighted([30, 55, 15]).min(2)];
    let drawn = random.between(2, 27) as u32;
    if let Some(day) = account.opens_in(month.number) {
        events.push(Event { day, amount: account.base, kind, via, fee: 0 });
    } else if (u64::from(month.number) + account.id / 10).is_multiple_of(12) {
        let amount = (target - account.balance) / 10_000 * 10_000;
        let fee = if kind == "IV" && amount < 0 { -amount / 1000 } else { 0 };
        events.push(Event { day: drawn, amount, kind, via, fee });
    }
}

/// Day of a movement: festivals move cash and counter business.
fn day(month: &Month, kind: &str, via: Via, random: &mut Stream) -> u32 {
    let weights = match (kind, via) {
        ("CW", _) => &month.cash,
        (_, Via::Counter) => &month.counter,
        _ => return random.between(1, i64::from(month.days)) as u32,
    };
    random.weighted(weights.iter().copied()) as u32 + 1
}

/// Fee of a debit, fen.
fn fee(kind: &str, via: Via, amount: i64, random: &mut Stream) -> i64 {
    let small = random.per_mille(300);
    match (kind, via) {
        ("TO", Via::Counter) => (amount / 1000).clamp(500, 5000) / 10 * 10,
        ("TO", _) => (amount / 5000).clamp(0, 2500) / 10 * 10,
        ("CW", Via::Machine) if small => 200,
        ("PY", Via::Online) => (amount / 1000).clamp(0, 1000) / 10 * 10,
        _ => 0,
    }
}
