//! The sample bank from a seed: two batches as a bank's systems would deliver them, and the truth about them.
//!
//! Used by the commands `sample` and `demo` only; no module of the engine knows it. `sample_data/` holds what
//! [`generate`] writes for the arguments recorded in `sample_data/bank.yaml`. Whoever changes the output raises
//! [`VERSION`] and commits the new files.

mod bank;
mod calendar;
mod customer;
mod effects;
mod faults;
mod feed;
mod ledger;
mod random;
mod truth;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use self::bank::{
    BRANCHES, Bank, CAMPAIGNS, CHANNELS, FEWEST_OUTLETS, INTERACTION_TYPES, MOST_OUTLETS, PRODUCTS, TXN_TYPES,
};
use self::calendar::{Month, day_number, day_of};
use self::customer::BLOCK;
use self::feed::{Data, Feeds};
use self::truth::Measured;
use crate::error::{Code, Error, Result};

pub use self::feed::Written;

/// Version of the generator's output: the same version and arguments give the same bytes.
pub const VERSION: u32 = 2;

/// Seed of the committed bank: one whose draws show every planted effect near its stated size, small as the bank is.
pub const SEED: u64 = 20_240_446;

/// From this number of customers on the bank has as many outlets as the source documents say.
const MANY_CUSTOMERS: u32 = 50_000;
/// Customer numbers beyond would not fit the account numbers of the source systems.
const MOST_CUSTOMERS: u32 = 50_000_000;

/// What bank to make.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder for the batches; made when it is not there, its files are overwritten.
    pub out: PathBuf,
    /// Number of customers, at least 1.
    pub customers: u32,
    /// Number of months from January 2024, 2 to 120. The last one is batch 2, those before are batch 1.
    pub months: u32,
    /// Any number.
    pub seed: u64,
    /// Offices that serve customers, at least 31; 62, or 307 from 50,000 customers on, unless given.
    pub outlets: Option<u32>,
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Data files of both batches, in the order of the feeds.
    pub files: Vec<Written>,
    /// Offices that serve customers.
    pub outlets: u32,
    /// Feed files, in the order in which they are loaded.
    pub feeds: [PathBuf; 2],
}

impl Summary {
    /// Rows delivered to a table by both batches, faulty ones included.
    pub fn rows(&self, table: &str) -> u64 {
        self.files.iter().filter(|file| file.table == table).map(|file| file.rows).sum()
    }
}

/// What all customers share.
#[derive(Debug)]
struct Setting {
    seed: u64,
    months: u32,
    calendar: Vec<Month>,
    bank: Bank,
    bad_branch: usize,
    bad_employee: String,
    dressing_branch: usize,
}

/// A unit that changes its place.
struct Moved {
    unit: String,
    from: String,
    to: String,
    /// `YYYY-MM-DD`.
    on: String,
}

impl Setting {
    /// The month of this number. Months behind the last one are only asked for their length.
    fn month(&self, number: u32) -> &Month {
        &self.calendar[(number as usize).clamp(1, self.calendar.len()) - 1]
    }

    /// An outlet below a sub-branch of the first branch comes directly under the branch with the last month.
    fn moved(&self) -> Option<Moved> {
        let orgs = &self.bank.orgs;
        let branch = orgs.iter().find(|org| org.level == "branch")?;
        let own = orgs.iter().filter(|org| org.branch == branch.branch && org.level == "outlet");
        let unit = own.rev().find(|org| org.parent.as_ref() != Some(&branch.id))?;
        Some(Moved {
            unit: unit.id.clone(),
            from: unit.parent.clone()?,
            to: branch.id.clone(),
            on: day_of(self.month(self.months).first).to_string(),
        })
    }

    /// The batch that brings a month's facts.
    fn batch(&self, month: u32) -> u32 {
        if month < self.months { 1 } else { 2 }
    }
}

/// Writes the sample bank: `batch-0001/`, `batch-0002/`, `truth/`, `bank.yaml` and `README.md` below `options.out`.
/// `progress` is told the step, how much of it is done, and of how much.
///
/// # Errors
/// [`Code::BadRequest`] when an option is out of range or the folder cannot be written.
pub fn generate(options: &Options, progress: &mut dyn FnMut(&str, u64, u64)) -> Result<Summary> {
    let usual = if options.customers >= MANY_CUSTOMERS { 307 } else { 62 };
    let outlets = options.outlets.unwrap_or(usual);
    check("customers", options.customers, 1, MOST_CUSTOMERS)?;
    check("months", options.months, 2, calendar::MOST_MONTHS)?;
    check("outlets", outlets, FEWEST_OUTLETS, MOST_OUTLETS)?;
    let setting = Setting {
        seed: options.seed,
        months: options.months,
        calendar: (1..=options.months).map(Month::new).collect(),
        bank: Bank::new(options.seed, outlets),
        bad_branch: bank::branch(effects::BAD_BRANCH),
        bad_employee: bank::bad_employee(),
        dressing_branch: bank::branch(effects::DRESSING_BRANCH),
    };
    let ends = [options.months - 1, options.months].map(|month| day_of(setting.month(month).last()).to_string());
    let mut feeds = Feeds::create(&options.out, ends)?;
    feeds.faults.month_before = setting.month(options.months - 1).end().to_owned();
    write_reference(&setting, &mut feeds)?;
    let mut measured = Measured::new(options.months);
    let total = u64::from(options.customers);
    for number in 0..options.customers.div_ceil(BLOCK) {
        let done = u64::from(number) * u64::from(BLOCK);
        progress("customers", done, total);
        for customer in customer::block(&setting, number).iter().take((total - done).min(u64::from(BLOCK)) as usize) {
            ledger::write(&setting, customer, &mut feeds, &mut measured)?;
        }
    }
    progress("customers", total, total);
    let (files, faults) = feeds.finish()?;
    let feeds = ["batch-0001", "batch-0002"].map(|batch| options.out.join(batch).join("feed.yaml"));
    let summary = Summary { files, outlets, feeds };
    truth::write(options, &setting, &summary, &measured, &faults)?;
    Ok(summary)
}

fn check(what: &str, value: u32, low: u32, high: u32) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Error::new(Code::BadRequest, format!("the number of {what} must lie between {low} and {high}, not {value}")))
}

/// Writes the tables that do not depend on customers; they come with batch 1, but for the unit that moves.
fn write_reference(setting: &Setting, feeds: &mut Feeds) -> Result<()> {
    let first = setting.month(1).first;
    let last = day_of(setting.month(setting.months).last());
    let year_end = day_number(jiff::civil::date(last.year(), 12, 31));
    for number in first..=year_end {
        let day = day_of(number);
        let (holiday, holiday_en) = calendar::holiday(day).unwrap_or_default();
        let is_month_end = day.day() == day.days_in_month();
        let line = format!(
            "{day},{},{},{},{},{},{holiday},{holiday_en},{},{},{},{}",
            day.year(),
            (day.month() + 2) / 3,
            day.month(),
            calendar::weekday(day),
            u8::from(calendar::is_workday(day)),
            calendar::festival_offset(day),
            u8::from(is_month_end),
            u8::from(is_month_end && day.month() % 3 == 0),
            u8::from(is_month_end && day.month() == 12),
        );
        feeds.put_plain(1, Data::Dates, &line)?;
    }
    for org in &setting.bank.orgs {
        let parent = org.parent.as_deref().unwrap_or_default();
        let place = org.place().join(",");
        let rest = format!("{place},{},{}", org.staff, org.opened);
        let unit = format!("{},{},{},{}", org.id, org.name, org.name_en, org.level);
        feeds.put_plain(1, Data::Organisation, &format!("{unit},{parent},{rest},"))?;
        if let Some(moved) = setting.moved().filter(|moved| moved.unit == org.id) {
            feeds.put_plain(2, Data::Organisation, &format!("{unit},{},{rest},{}", moved.to, moved.on))?;
        }
    }
    for employee in &setting.bank.employees {
        let branch = bank::branch_number(employee.branch);
        let line = format!("{branch},{},{},{},{},", employee.id, employee.role, employee.org_id, employee.hired);
        feeds.put_plain(1, Data::Employees, &line)?;
    }
    for product in PRODUCTS {
        feeds.put_plain(1, Data::Products, &product.row())?;
    }
    for channel in CHANNELS {
        feeds.put_plain(1, Data::Channels, &channel.row())?;
    }
    for campaign in CAMPAIGNS.iter().filter(|campaign| campaign.month <= setting.months) {
        let month = setting.month(campaign.month);
        let line = campaign.row(&day_of(month.first).to_string(), &day_of(month.last()).to_string());
        feeds.put_plain(1, Data::Campaigns, &line)?;
    }
    for row in TXN_TYPES {
        feeds.put_plain(1, Data::TxnTypes, row)?;
    }
    for row in INTERACTION_TYPES {
        feeds.put_plain(1, Data::InteractionTypes, row)?;
    }
    for cause in bank::CAUSES {
        feeds.put_plain(1, Data::ComplaintCauses, cause.row)?;
    }
    Ok(())
}

/// Branches of the bank.
fn branch_count() -> usize {
    BRANCHES.len()
}
