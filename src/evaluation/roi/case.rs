//! The document of a case: what people type, and what its benefits claim. Its rules stand in `rules`.
//!
//! Amounts are numbers of the case's currency, one for each period from t = 0 on, costs as positive numbers. Period 1 begins on
//! the case's first day; t = 0 is that day itself. Rates, shares and probabilities are fractions.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::analysis::finance::{self, ramp};
use crate::analysis::{Failure, Reason};
use crate::auth::sha256_hex;
use crate::error::{Error, Result};
use crate::model::Label;
use crate::model::evaluation::roi::{
    Benefit, Case as Shipped, Cost, Form as ShippedForm, Line as ShippedLine, Model, Period as ShippedPeriod,
};

/// Longest horizon, in months.
pub(super) const HORIZON: usize = 240;
/// The most periods that a case can have: t = 0 and a horizon of months.
pub const MOST_PERIODS: usize = HORIZON + 1;

/// The grade of a benefit that is bound to no fact, whatever was typed.
const DECLARED: &str = "D";

/// Length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    Year,
    Quarter,
    Month,
}

impl Period {
    /// All of them, the longest first.
    pub const ALL: [Self; 3] = [Self::Year, Self::Quarter, Self::Month];

    /// Stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
        }
    }

    /// Its months.
    pub fn months(self) -> usize {
        match self {
            Self::Year => 12,
            Self::Quarter => 3,
            Self::Month => 1,
        }
    }

    /// The period of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.as_str() == name)
    }
}

/// Where a case is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It may change.
    #[default]
    Draft,
    /// It stands; a re-forecast is a new version.
    Approved,
}

impl Status {
    /// Stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Approved => "approved",
        }
    }
}

/// Form of a line's distribution between its low and its high estimate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    #[default]
    Triangular,
    Pert,
}

impl Form {
    /// Stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Triangular => "triangular",
            Self::Pert => "pert",
        }
    }
}

impl From<Form> for finance::Shape {
    fn from(form: Form) -> Self {
        match form {
            Form::Triangular => Self::Triangular,
            Form::Pert => Self::Pert,
        }
    }
}

/// A case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// A branch's key, or `head_office`.
    pub organisation: String,
    /// Three capital letters, or `index` for amounts that stand for no money.
    pub currency: String,
    /// First day of period 1, the first of a month.
    pub start: Date,
    pub period: Period,
    /// Periods from t = 0 on: five years in years are 6.
    pub periods: usize,
    pub terms: Terms,
    #[serde(default)]
    pub lines: Vec<Line>,
    /// Rank correlations of lines that do not move on their own.
    #[serde(default)]
    pub correlations: Vec<Correlation>,
    /// Ways that it may go, with probabilities that sum to 1; or none.
    #[serde(default)]
    pub scenarios: Vec<Scenario>,
    /// Discounted ROI to reach.
    #[serde(default)]
    pub target_roi: f64,
    /// Random start of the simulation.
    #[serde(default = "seed")]
    pub seed: u64,
    /// Draws of the simulation.
    #[serde(default = "draws")]
    pub draws: usize,
    /// Never taken from what a writer sends.
    #[serde(default)]
    pub status: Status,
}

fn seed() -> u64 {
    1
}

fn draws() -> usize {
    10_000
}

/// Rates and conventions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Discount rate a period.
    pub rate: f64,
    /// Rate at which outflows are financed; the discount rate unless stated.
    #[serde(default)]
    pub finance_rate: Option<f64>,
    /// Rate at which inflows are reinvested; the discount rate unless stated.
    #[serde(default)]
    pub reinvest_rate: Option<f64>,
    /// Share of the profit that goes in tax.
    #[serde(default)]
    pub tax: f64,
    /// Flows after t = 0 fall in the middle of their period.
    #[serde(default)]
    pub mid_period: bool,
    /// Rates and flows are without inflation.
    #[serde(default)]
    pub real: bool,
}

impl From<Terms> for finance::Terms {
    fn from(terms: Terms) -> Self {
        Self {
            rate: terms.rate,
            finance_rate: terms.finance_rate.unwrap_or(terms.rate),
            reinvest_rate: terms.reinvest_rate.unwrap_or(terms.rate),
            mid_period: terms.mid_period,
            tax: terms.tax,
        }
    }
}

/// A cost or a benefit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its stable name, within the case.
    pub line: String,
    /// Key of a category of costs or of benefits.
    pub category: String,
    /// Name shown to people; the category's where it is empty.
    #[serde(default)]
    pub name: String,
    /// A benefit's shortfall or a cost's overrun, a share; the category's unless stated.
    #[serde(default)]
    pub risk: Option<f64>,
    /// Grade of evidence of a benefit as typed; the category's unless stated.
    #[serde(default)]
    pub grade: Option<String>,
    /// Share of a benefit that is due to the programme; all unless stated.
    #[serde(default)]
    pub share: Option<f64>,
    /// Share of the amounts that turns into money, where the category limits it; its limit unless stated.
    #[serde(default)]
    pub converted: Option<f64>,
    /// Key of the measured fact that a benefit stands on, such as the uplift of one campaign.
    #[serde(default)]
    pub fact: Option<String>,
    /// The statement that measures it: columns `period`, a day, and `value`.
    #[serde(default)]
    pub statement: Option<String>,
    /// What was measured each period before the programme; it is taken off.
    #[serde(default)]
    pub baseline: Option<f64>,
    #[serde(default)]
    pub form: Form,
    /// Lowest estimate by period; empty: the likely one.
    #[serde(default)]
    pub low: Vec<f64>,
    /// Likely estimate by period.
    #[serde(default)]
    pub likely: Vec<f64>,
    /// Highest estimate by period; empty: the likely one.
    #[serde(default)]
    pub high: Vec<f64>,
    /// What came, in periods that are over; empty: nothing is known yet.
    #[serde(default)]
    pub actual: Vec<Option<f64>>,
    /// What was measured of the fact in all: the line may claim no more.
    #[serde(default)]
    pub measured: Vec<Option<f64>>,
    /// A cost that is depreciated: taxable profit falls over the years, not with the payment.
    #[serde(default)]
    pub capital: bool,
    #[serde(default)]
    pub depreciation_years: Option<u32>,
}

/// How two lines move together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlation {
    pub line: String,
    pub other: String,
    /// Spearman's rank correlation.
    pub rank: f64,
}

/// A way that the case may go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    pub probability: f64,
    /// Factor on every benefit.
    pub benefits: f64,
    /// Factor on every cost.
    pub costs: f64,
}

/// A category of costs or of benefits.
#[derive(Debug, Clone, Copy)]
pub enum Category<'a> {
    Cost(&'a Cost),
    Benefit(&'a Benefit),
}

impl<'a> Category<'a> {
    /// The category of this key.
    pub fn find(model: &'a Model, key: &str) -> Option<Self> {
        let cost = model.costs.iter().find(|cost| *cost.key == *key).map(Self::Cost);
        cost.or_else(|| model.benefits.iter().find(|benefit| *benefit.key == *key).map(Self::Benefit))
    }

    pub fn is_benefit(self) -> bool {
        matches!(self, Self::Benefit(_))
    }

    /// As printed: `B1`.
    pub fn code(self) -> &'a str {
        match self {
            Self::Cost(cost) => &cost.code,
            Self::Benefit(benefit) => &benefit.code,
        }
    }

    pub fn name(self) -> &'a Label {
        match self {
            Self::Cost(cost) => &cost.name,
            Self::Benefit(benefit) => &benefit.name,
        }
    }

    /// Its usual risk.
    fn risk(self) -> f64 {
        match self {
            Self::Cost(cost) => cost.risk.value,
            Self::Benefit(benefit) => benefit.risk,
        }
    }
}

impl Line {
    /// The lowest estimates.
    pub fn lowest(&self) -> &[f64] {
        if self.low.is_empty() { &self.likely } else { &self.low }
    }

    /// The highest estimates.
    pub fn highest(&self) -> &[f64] {
        if self.high.is_empty() { &self.likely } else { &self.high }
    }

    /// What came in a period.
    pub fn came(&self, no: usize) -> Option<f64> {
        self.actual.get(no).copied().flatten()
    }

    /// The grade that counts: without a fact a benefit is declared.
    pub fn counted_grade(&self) -> &str {
        match (&self.fact, &self.grade) {
            (Some(_), Some(grade)) => grade.as_str(),
            _ => DECLARED,
        }
    }

    /// Whether anything of a period is claimed from its fact.
    pub(super) fn touches(&self, no: usize) -> bool {
        let some = |list: &[f64]| list.get(no).is_some_and(|amount| *amount != 0.0);
        some(&self.likely) || some(self.lowest()) || some(self.highest()) || self.came(no).is_some_and(|it| it != 0.0)
    }

    /// Lists as long as the case: what is new begins at 0, what is beyond goes.
    fn resize(&mut self, periods: usize) {
        self.likely.resize(periods, 0.0);
        for list in [&mut self.low, &mut self.high] {
            if !list.is_empty() {
                list.resize(periods, 0.0);
            }
        }
        for list in [&mut self.actual, &mut self.measured] {
            if !list.is_empty() {
                list.resize(periods, None);
            }
        }
    }

    /// Says what its writer left to the category, so that a later edit of the definitions changes no case.
    fn fill(&mut self, model: &Model) {
        let Some(category) = Category::find(model, &self.category) else { return };
        self.risk.get_or_insert_with(|| category.risk());
        for text in [&mut self.fact, &mut self.statement] {
            *text = text.take().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        }
        if let Category::Benefit(benefit) = category {
            self.grade.get_or_insert_with(|| benefit.grade.value.clone());
            self.share.get_or_insert(1.0);
            self.converted = self.converted.or(benefit.most_converted);
        }
    }
}

/// Amounts of a line that begins in a period: a benefit at full strength after its category's ramp-up and decay, a cost at the
/// same amount each period.
///
/// # Errors
/// An amount that is not finite.
pub fn spread(category: Category<'_>, full: f64, start: usize, periods: usize) -> Result<Vec<f64>, Failure> {
    let full = vec![full; periods];
    match category {
        Category::Cost(_) => ramp(&full, start, &[], 0.0),
        Category::Benefit(benefit) => ramp(&full, start, &benefit.ramp, benefit.decay),
    }
}

/// The day some months later; the day itself where the calendar ends.
fn months_later(day: Date, months: usize) -> Date {
    let span = i64::try_from(months).ok().and_then(|months| jiff::Span::new().try_months(months).ok());
    span.and_then(|span| day.checked_add(span).ok()).unwrap_or(day)
}

impl Case {
    /// First day of a period; for t = 0 the first day of all.
    pub fn period_start(&self, no: usize) -> Date {
        months_later(self.start, no.saturating_sub(1) * self.period.months())
    }

    /// A period as people write it: `2026`, `2026-q1`, `2026-04`; t = 0 by its day.
    pub fn period_label(&self, no: usize) -> String {
        let start = self.period_start(no);
        match self.period {
            _ if no == 0 => start.to_string(),
            Period::Year if start.month() == 1 => format!("{:04}", start.year()),
            Period::Quarter if start.month() % 3 == 1 => format!("{:04}-q{}", start.year(), start.month() / 3 + 1),
            _ => format!("{:04}-{:02}", start.year(), start.month()),
        }
    }

    /// The months of a period, `2026-01`. t = 0 takes the first one's.
    fn months(&self, no: usize) -> impl Iterator<Item = String> {
        let (start, count) = (self.period_start(no), if no == 0 { 1 } else { self.period.months() });
        (0..count).map(move |month| {
            let day = months_later(start, month);
            format!("{:04}-{:02}", day.year(), day.month())
        })
    }

    /// The line of this key.
    pub fn line(&self, key: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.line == key)
    }

    /// The line of this key, to change it.
    pub fn line_mut(&mut self, key: &str) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.line == key)
    }

    /// Another number of periods: lists grow with zeros, or lose their ends.
    pub fn resize(&mut self, periods: usize) {
        self.periods = periods;
        self.lines.iter_mut().for_each(|line| line.resize(periods));
    }

    /// SHA-256 of all that decides its figures: its document without its life, hexadecimal.
    pub fn digest(&self) -> Result<String> {
        let plain = Self { status: Status::Draft, ..self.clone() };
        let text = serde_json::to_string(&plain).map_err(|error| Error::internal("cannot write a case", error))?;
        Ok(sha256_hex(text.as_bytes()))
    }

    /// Says what its writer left to the definitions.
    pub(super) fn fill(&mut self, model: &Model) {
        self.lines.iter_mut().for_each(|line| line.fill(model));
    }

    /// What its benefits claim: fact and month, so that a year of one case meets a month of another.
    pub(super) fn claims(&self, model: &Model) -> Vec<String> {
        let mut claims = BTreeSet::new();
        for line in &self.lines {
            let benefit = Category::find(model, &line.category).is_some_and(Category::is_benefit);
            let Some(fact) = line.fact.as_ref().filter(|_| benefit) else { continue };
            for no in (0..self.periods).filter(|no| line.touches(*no)) {
                claims.extend(self.months(no).map(|month| format!("{fact}:{month}")));
            }
        }
        claims.into_iter().collect()
    }

    /// A case that is shipped to read, under one of its readings.
    pub(super) fn shipped(case: &Shipped, reading: Option<&str>) -> Self {
        let epoch = jiff::civil::date(1970, 1, 1);
        let start = case.start.and_then(|days| epoch.checked_add(jiff::Span::new().try_days(days).ok()?).ok());
        let counts = |line: &&ShippedLine| match (&line.reading, reading) {
            (Some(own), Some(reading)) => **own == *reading,
            (own, _) => own.is_none(),
        };
        Self {
            name: case.key.value.clone(),
            organisation: String::new(),
            currency: case.currency.clone(),
            start: start.unwrap_or(epoch),
            period: match case.period {
                ShippedPeriod::Year => Period::Year,
                ShippedPeriod::Quarter => Period::Quarter,
                ShippedPeriod::Month => Period::Month,
            },
            periods: case.periods,
            terms: Terms {
                rate: case.terms.rate,
                finance_rate: Some(case.terms.finance_rate),
                reinvest_rate: Some(case.terms.reinvest_rate),
                tax: case.terms.tax,
                mid_period: case.terms.mid_period,
                real: case.terms.real,
            },
            lines: case.lines.iter().filter(counts).map(Line::shipped).collect(),
            correlations: Vec::new(),
            scenarios: Vec::new(),
            target_roi: 0.0,
            seed: seed(),
            draws: draws(),
            status: Status::Approved,
        }
    }
}

impl Line {
    /// A line of a case that is shipped to read.
    pub(super) fn shipped(line: &ShippedLine) -> Self {
        Self {
            line: line.key.value.clone(),
            category: line.category.value.clone(),
            risk: Some(line.risk.value),
            grade: line.grade.as_ref().map(|grade| grade.value.clone()),
            share: line.benefit.then_some(line.share),
            fact: line.fact.clone(),
            form: match line.form {
                ShippedForm::Triangular => Form::Triangular,
                ShippedForm::Pert => Form::Pert,
            },
            low: line.low.clone(),
            likely: line.likely.clone(),
            high: line.high.clone(),
            ..Self::default()
        }
    }
}

/// The failure of a category that the definitions do not have any more.
pub(super) fn no_category() -> Failure {
    Failure::BadInput { field: "category", row: None, reason: Reason::OutOfRange }
}
