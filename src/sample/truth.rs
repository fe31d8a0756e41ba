//! The truth about a sample bank, which tests and analyses may read and the loader never does; and its description.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::bank::{BRANCHES, CAMPAIGNS, Via};
use super::calendar::{day_of, festival_offset};
use super::customer::{Complaint, Customer};
use super::effects;
use super::faults::Faults;
use super::feed::{LAYOUTS, Money, unwritable};
use super::{Options, Setting, Summary, VERSION, branch_count};
use crate::error::{Error, Result};

/// Counts per branch and month.
type Grid<T> = Vec<Vec<T>>;

/// What came out of the draws.
#[derive(Debug)]
pub(super) struct Measured {
    months: u32,
    pub(super) transactions: u64,
    /// Contribution per customer over all months, fen.
    pub(super) contributions: Vec<i64>,
    fees: Grid<i64>,
    /// Closing balance and sum of days, fen; days of the month.
    deposits: Grid<(i128, i128, u32)>,
    /// Cases, and those answered in time.
    complaints: Grid<(u64, u64)>,
    /// Cases of the bad employee by month.
    bad_employee: Vec<u64>,
    /// By campaign, treated and control: customers and conversions.
    campaigns: Vec<[(u64, u64); 2]>,
    /// Counter transactions on days -1 to +6, and cash withdrawals on days -10 to -2.
    festival: (u64, u64),
}

impl Measured {
    /// Nothing yet.
    pub(super) fn new(months: u32) -> Self {
        let grid = |_| BRANCHES.len();
        let months_list = || (0..months).map(grid);
        Self {
            months,
            transactions: 0,
            contributions: Vec::new(),
            fees: months_list().map(|count| vec![0; count]).collect(),
            deposits: months_list().map(|count| vec![(0, 0, 0); count]).collect(),
            complaints: months_list().map(|count| vec![(0, 0); count]).collect(),
            bad_employee: vec![0; months as usize],
            campaigns: vec![[(0, 0); 2]; CAMPAIGNS.len()],
            festival: (0, 0),
        }
    }

    pub(super) fn fees(&mut self, branch: usize, month: u32, fee: i64) {
        self.fees[month as usize - 1][branch] += fee;
    }

    pub(super) fn festival(&mut self, day: i32, kind: &str, via: Via) {
        match festival_offset(day_of(day)) {
            -1..=6 if via == Via::Counter => self.festival.0 += 1,
            -10..=-2 if kind == "CW" => self.festival.1 += 1,
            _ => {}
        }
    }

    pub(super) fn deposits(&mut self, branch: usize, month: u32, balance: i64, day_sum: i64, days: u32) {
        let cell = &mut self.deposits[month as usize - 1][branch];
        *cell = (cell.0 + i128::from(balance), cell.1 + i128::from(day_sum), days);
    }

    pub(super) fn complaint(&mut self, setting: &Setting, customer: &Customer, complaint: &Complaint) {
        let month = complaint.day.0 as usize - 1;
        let place = customer.places[0];
        let cell = &mut self.complaints[month][place.branch];
        cell.0 += 1;
        cell.1 += u64::from(complaint.open_days <= effects::SLA_DAYS);
        if complaint.against_manager && setting.manager(place) == setting.bad_employee {
            self.bad_employee[month] += 1;
        }
    }

    pub(super) fn campaign(&mut self, campaign: usize, is_treated: bool, converts: bool) {
        let arm = &mut self.campaigns[campaign][usize::from(!is_treated)];
        *arm = (arm.0 + 1, arm.1 + u64::from(converts));
    }

    /// Sum over months `from` to `to` of what `cell` gives for a branch.
    fn over<T: Copy>(grid: &Grid<T>, from: u32, to: u32, branch: usize, cell: impl Fn(T) -> i128) -> i128 {
        let months = grid.iter().take(to as usize).skip(from as usize - 1);
        months.map(|row| cell(row[branch])).sum()
    }

    /// Per mille of contribution that the best fifth of the customers brings.
    pub(super) fn top_fifth(&self) -> i64 {
        let mut sorted = self.contributions.clone();
        sorted.sort_unstable_by(|left, right| right.cmp(left));
        let total: i128 = sorted.iter().copied().map(i128::from).sum();
        let top: i128 = sorted.iter().take(sorted.len() / 5).copied().map(i128::from).sum();
        if total == 0 { 0 } else { (top * 1000 / total) as i64 }
    }

    fn json(&self, setting: &Setting) -> Value {
        let last = self.months;
        let (bad, from) = (setting.bad_branch, effects::BAD_BRANCH_FROM);
        let complaints =
            |from: u32, to: u32, branch: usize| Self::over(&self.complaints, from, to, branch, |cell| cell.0.into());
        let in_time =
            |from: u32, to: u32, branch: usize| Self::over(&self.complaints, from, to, branch, |cell| cell.1.into());
        let fees = |from: u32, to: u32, branch: usize| Self::over(&self.fees, from, to, branch, i128::from);
        let number = |value: i128| Value::from(i64::try_from(value).unwrap_or(i64::MAX));
        let money = |value: i128| Value::from(Money(i64::try_from(value).unwrap_or(i64::MAX)).to_string());
        let wuhan = super::bank::branch(effects::BAD_EMPLOYEE_BRANCH);
        let campaigns: BTreeMap<&str, Value> = CAMPAIGNS
            .iter()
            .zip(&self.campaigns)
            .filter(|(campaign, _)| campaign.month <= last)
            .map(|(campaign, [treated, control])| {
                let arm = |arm: &(u64, u64)| json!({"customers": arm.0, "conversions": arm.1});
                (campaign.id, json!({"treatment": arm(treated), "control": arm(control)}))
            })
            .collect();
        let point = |month: u32, branch: usize| self.deposits[month as usize - 1][branch].0;
        let total = |month: u32| (0..BRANCHES.len()).map(|branch| point(month, branch)).sum::<i128>();
        let window = (1..=last).filter(|month| month % 3 == 0).map(|month| {
            let (balance, day_sum, days) = self.deposits[month as usize - 1][setting.dressing_branch];
            let average = day_sum / i128::from(days.max(1));
            let gap = if average == 0 { 0 } else { balance * 1000 / average - 1000 };
            json!({"month": month, "point_balance": money(balance), "daily_average": money(average), "gap_per_mille": number(gap)})
        });
        let from_of_employee = effects::BAD_EMPLOYEE_FROM;
        json!({
            "transactions": self.transactions,
            "deposits_by_month": (1..=last).map(|month| money(total(month))).collect::<Vec<_>>(),
            "bad_branch": {
                "complaints_before": number(complaints(1, from - 1, bad)),
                "complaints_from": number(complaints(from, last, bad)),
                "in_time_before": number(in_time(1, from - 1, bad)),
                "in_time_from": number(in_time(from, last, bad)),
                "fee_income_before": money(fees(1, from - 1, bad)),
                "fee_income_from": money(fees(from, last, bad)),
            },
            "bad_employee": {
                "branch_complaints_before": number(complaints(1, from_of_employee - 1, wuhan)),
                "branch_complaints_from": number(complaints(from_of_employee, last, wuhan)),
                "own_complaints_from": self.bad_employee.iter().skip(from_of_employee as usize - 1).sum::<u64>(),
            },
            "complaints": number((0..BRANCHES.len()).map(|branch| complaints(1, last, branch)).sum()),
            "campaigns": campaigns,
            "top_fifth_share_per_mille": self.top_fifth(),
            "window_dressing": window.collect::<Vec<_>>(),
            "festival_days": {"counter_transactions": self.festival.0, "cash_withdrawals_before": self.festival.1},
        })
    }
}

/// The planted effects in words and sizes.
fn planted(setting: &Setting) -> Value {
    json!({
        "bad_branch": {
            "branch": effects::BAD_BRANCH, "from_month": effects::BAD_BRANCH_FROM,
            "complaints_times": effects::BAD_BRANCH_COMPLAINTS,
            "in_time_per_mille": {"before": effects::IN_TIME, "from": effects::BAD_BRANCH_IN_TIME},
            "fees_per_mille": effects::BAD_BRANCH_FEES,
        },
        "bad_employee": {
            "branch": effects::BAD_EMPLOYEE_BRANCH, "employee": setting.bad_employee, "from_month": effects::BAD_EMPLOYEE_FROM,
            "complaints_times": effects::BAD_EMPLOYEE_COMPLAINTS,
        },
        "uplift": {"campaign": "K01", "treatment": {"customers": effects::ARM, "conversions": CAMPAIGNS[0].treated.1},
            "control": {"customers": effects::ARM, "conversions": CAMPAIGNS[0].control.1}, "per_customers": 1000},
        "placebo": {"campaign": "K02", "treatment": {"customers": effects::ARM, "conversions": CAMPAIGNS[1].treated.1},
            "control": {"customers": effects::ARM, "conversions": CAMPAIGNS[1].control.1}, "per_customers": 1000},
        "spring_festival": {
            "days": ["2024-02-10", "2025-01-29"],
            "counter_transactions": {"from_day": -1, "to_day": 6, "per_mille": effects::FESTIVAL_COUNTER},
            "cash_withdrawals": {"from_day": -10, "to_day": -2, "per_mille": effects::FESTIVAL_CASH},
        },
        "complaint_churn": {
            "open_longer_than_days": effects::LONG_OPEN_DAYS, "months": effects::LEAVING_MONTHS,
            "monthly_risk_per_mille": {"others": effects::LEAVING, "after": effects::LEAVING_AFTER_COMPLAINT},
        },
        "concentration": {"best_fifth_per_mille": [780, 820]},
        "window_dressing": {"branch": effects::DRESSING_BRANCH, "added_per_mille": effects::DRESSING, "gap_per_mille": 300},
        "moved_outlet": setting.moved().map(|moved| json!({
            "unit": moved.unit, "from": moved.from, "to": moved.to, "on": moved.on,
        })),
        "faulty_rows": {"batch": 2, "rows": 24, "list": "faulty_rows.csv"},
    })
}

/// Writes `truth/`, `bank.yaml` and `README.md`.
pub(super) fn write(
    options: &Options,
    setting: &Setting,
    summary: &Summary,
    measured: &Measured,
    faults: &Faults,
) -> Result<()> {
    let save = |path: &Path, text: String| std::fs::write(path, text).map_err(|cause| unwritable(path, cause));
    let effects =
        json!({"generator_version": VERSION, "planted": planted(setting), "measured": measured.json(setting)});
    let effects =
        serde_json::to_string_pretty(&effects).map_err(|cause| Error::internal("the truth is written", cause))?;
    save(&options.out.join("truth/effects.json"), effects + "\n")?;
    let mut list = "batch,file,line,reason_code,column_name\n".to_owned();
    let mut rows = faults.rows.clone();
    rows.sort();
    for (path, line_no, rest) in rows {
        let _ = writeln!(list, "2,{path},{line_no},{rest}");
    }
    save(&options.out.join("truth/faulty_rows.csv"), list)?;
    save(&options.out.join("bank.yaml"), description(options, setting, summary))?;
    save(&options.out.join("README.md"), readme(options, setting, summary))
}

fn description(options: &Options, setting: &Setting, summary: &Summary) -> String {
    let Options { customers, months, seed, .. } = options;
    format!(
        "# What this sample bank is like. Made by `countinghouse sample` together with the batches beside it:\n\
         #   countinghouse sample --out DIR --customers {customers} --months {months} --seed {seed} --outlets {outlets}\n\
         # Same arguments and generator version, same bytes. Amounts of planted effects: truth/effects.json.\n\
         generator_version: {VERSION}\n\
         arguments: {{customers: {customers}, months: {months}, seed: {seed}, outlets: {outlets}}}\n\
         first_month: 2024-01\n\
         branches: {branches}\n\
         effects:\n\
         \x20 bad_branch: {{branch: {bad_branch}, from_month: {bad_from}, complaints_times: {times}, in_time: {in_time}, fees: {fees}}}\n\
         \x20 bad_employee: {{branch: {employee_branch}, employee_id: \"{employee}\", from_month: {employee_from}, complaints_times: {employee_times}}}\n\
         \x20 campaign_uplift: {{campaign: K01, per_customers: 1000, treatment: [400, 56], control: [400, 20]}}\n\
         \x20 campaign_placebo: {{campaign: K02, per_customers: 1000, treatment: [400, 24], control: [400, 24]}}\n\
         \x20 spring_festival: {{counter_transactions: {counter}, cash_withdrawals: {cash}}}\n\
         \x20 complaint_churn: {{open_days: {open_days}, monthly_risk: {risk}, after: {after}, months: {churn_months}}}\n\
         \x20 concentration: {{best_fifth: [0.78, 0.82]}}\n\
         \x20 window_dressing: {{branch: {dressing}, gap: 0.30}}\n\
         {moved}\
         \x20 faulty_rows: 24\n",
        moved = setting.moved().map_or_else(String::new, |moved| {
            format!(
                "  moved_outlet: {{unit: \"{}\", from: \"{}\", to: \"{}\", on: {}}}\n",
                moved.unit, moved.from, moved.to, moved.on
            )
        }),
        outlets = summary.outlets,
        branches = branch_count(),
        bad_branch = effects::BAD_BRANCH,
        bad_from = effects::BAD_BRANCH_FROM,
        times = effects::BAD_BRANCH_COMPLAINTS,
        in_time = share(effects::BAD_BRANCH_IN_TIME),
        fees = share(effects::BAD_BRANCH_FEES.unsigned_abs()),
        employee_branch = effects::BAD_EMPLOYEE_BRANCH,
        employee = setting.bad_employee,
        employee_from = effects::BAD_EMPLOYEE_FROM,
        employee_times = effects::BAD_EMPLOYEE_COMPLAINTS,
        counter = share(effects::FESTIVAL_COUNTER.into()),
        cash = share(effects::FESTIVAL_CASH.into()),
        open_days = effects::LONG_OPEN_DAYS,
        risk = share(effects::LEAVING),
        after = share(effects::LEAVING_AFTER_COMPLAINT),
        churn_months = effects::LEAVING_MONTHS,
        dressing = effects::DRESSING_BRANCH,
    )
}

/// Per mille as a decimal.
fn share(per_mille: u64) -> String {
    format!("{}.{:03}", per_mille / 1000, per_mille % 1000)
}

/// Fills the row counts into the description of the folder.
fn readme(options: &Options, setting: &Setting, summary: &Summary) -> String {
    let mut rows = String::new();
    for layout in &LAYOUTS {
        let count = |batch: u32| {
            let file = summary.files.iter().find(|file| file.batch == batch && file.path == layout.path);
            file.map_or(0, |file| file.rows)
        };
        let _ = writeln!(
            rows,
            "| `{}` | `{}` | {} | {} | {} |",
            layout.path,
            layout.table,
            layout.grain(),
            count(1),
            count(2)
        );
    }
    let last = day_of(setting.month(options.months).last());
    include_str!("readme.md")
        .replace("{customers}", &options.customers.to_string())
        .replace("{months}", &options.months.to_string())
        .replace("{seed}", &options.seed.to_string())
        .replace("{outlets}", &summary.outlets.to_string())
        .replace("{last}", &last.to_string())
        .replace("{version}", &VERSION.to_string())
        .replace("{rows}", rows.trim_end())
}
