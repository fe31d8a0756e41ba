//! What must hold of a case, each fault with its field's path.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Case, Category, HORIZON, Line, Terms};
use crate::analysis::finance::{Claim, ClaimFault, Total, check_claims};
use crate::evaluation::record::Fault;
use crate::model::evaluation::roi::Model;

/// Most lines of a case.
const LINES: usize = 60;
/// Largest amount of a period.
const LARGEST: f64 = 1e12;
/// Fewest and most draws of a simulation.
const DRAWS: (usize, usize) = (100, 100_000);
/// Largest random start: what every reader of JSON holds exactly.
const SEED: u64 = 1 << 53;

/// What is wrong, as it is found.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn check(&mut self, holds: bool, field: impl Into<String>, value: impl ToString, rule: &'static str) {
        if !holds {
            self.0.push(Fault { field: field.into(), value: value.to_string(), rule });
        }
    }
}

/// Whether a text names something within a case: lower-case letters, digits, `_`, `-`.
fn is_key(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    !text.is_empty() && text.len() <= 60 && text.chars().all(allowed)
}

/// Whether a text names a fact: as an id, with `/` and `.` in it.
fn is_fact(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.' | '/');
    !text.is_empty() && text.len() <= 120 && text.chars().all(allowed)
}

fn is_amount(amount: f64) -> bool {
    amount.abs() <= LARGEST
}

fn is_share(share: f64) -> bool {
    (0.0..=1.0).contains(&share)
}

/// Above −100 %, up to 1000 %: beyond that a percentage was typed as a fraction.
fn is_rate(rate: f64) -> bool {
    rate > -1.0 && rate <= 10.0
}

impl Case {
    /// Everything that breaks a rule.
    pub(super) fn faults(&self, model: &Model) -> Vec<Fault> {
        let mut faults = Faults::default();
        self.check_frame(&mut faults);
        self.check_terms(&mut faults);
        let mut seen = BTreeSet::new();
        for line in &self.lines {
            faults.check(seen.insert(&line.line), format!("lines.{}.line", line.line), &line.line, "duplicate");
            self.check_line(line, model, &mut faults);
        }
        self.check_correlations(&mut faults);
        self.check_scenarios(&mut faults);
        if faults.0.is_empty() {
            self.check_facts(model, &mut faults);
        }
        faults.0
    }

    fn check_frame(&self, faults: &mut Faults) {
        faults.check(!self.name.trim().is_empty(), "name", &self.name, "required");
        faults.check(!self.organisation.trim().is_empty(), "organisation", &self.organisation, "required");
        let code = self.currency.len() == 3 && self.currency.bytes().all(|byte| byte.is_ascii_uppercase());
        faults.check(code || self.currency == "index", "currency", &self.currency, "currency");
        faults.check(self.start.day() == 1 && self.start.year() >= 1900, "start", self.start, "month-start");
        let months = self.periods.saturating_sub(1).saturating_mul(self.period.months());
        faults.check(self.periods >= 2 && months <= HORIZON, "periods", self.periods, "horizon");
        faults.check(self.lines.len() <= LINES, "lines", self.lines.len(), "range");
        faults.check((-1.0..=1000.0).contains(&self.target_roi), "target_roi", self.target_roi, "range");
        faults.check(self.seed <= SEED, "seed", self.seed, "range");
        faults.check((DRAWS.0..=DRAWS.1).contains(&self.draws), "draws", self.draws, "range");
    }

    fn check_terms(&self, faults: &mut Faults) {
        let Terms { rate, finance_rate, reinvest_rate, tax, .. } = self.terms;
        let rates =
            [("rate", Some(rate)), ("finance_rate", finance_rate), ("reinvest_rate", reinvest_rate)].into_iter();
        for (name, rate) in rates.filter_map(|(name, rate)| Some((name, rate?))) {
            faults.check(is_rate(rate), format!("terms.{name}"), rate, "rate");
        }
        faults.check(is_share(tax), "terms.tax", tax, "share");
    }

    fn check_line(&self, line: &Line, model: &Model, faults: &mut Faults) {
        let at = |field: &str| format!("lines.{}.{field}", line.line);
        faults.check(is_key(&line.line), at("line"), &line.line, "id");
        let Some(category) = Category::find(model, &line.category) else {
            faults.check(false, at("category"), &line.category, "unknown");
            return;
        };
        let (risk, years) = (line.risk.unwrap_or_default(), line.depreciation_years);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        match category {
            Category::Cost(_) => {
                faults.check((0.0..=10.0).contains(&risk), at("risk"), risk, "range");
                let given = [
                    ("grade", line.grade.is_some()),
                    ("share", line.share.is_some()),
                    ("converted", line.converted.is_some()),
                    ("fact", line.fact.is_some()),
                    ("statement", line.statement.is_some()),
                    ("baseline", line.baseline.is_some()),
                    ("measured", !line.measured.is_empty()),
                ];
                for (name, given) in given {
                    faults.check(!given, at(name), "", "not-here");
                }
                let life = years.map(|years| years.to_string()).unwrap_or_default();
                faults.check(line.capital || years.is_none(), at("depreciation_years"), &life, "not-here");
                let sound = years.is_some_and(|years| (1..=50).contains(&years));
                faults.check(!line.capital || sound, at("depreciation_years"), &life, "years");
            }
            Category::Benefit(benefit) => {
                faults.check(is_share(risk), at("risk"), risk, "share");
                let grade = text(&line.grade);
                let known = model.grades.iter().any(|known| *known.key == grade);
                faults.check(known, at("grade"), &grade, "unknown");
                let share = line.share.unwrap_or(1.0);
                faults.check(is_share(share), at("share"), share, "share");
                let converted = line.converted.unwrap_or(0.0);
                let limit = benefit.most_converted;
                let within = limit.is_some_and(|most| (0.0..=most).contains(&converted));
                faults.check(line.converted.is_none() || within, at("converted"), converted, "converted");
                let fact = text(&line.fact);
                faults.check(line.fact.is_none() || is_fact(&fact), at("fact"), &fact, "id");
                faults.check(line.fact.is_some() || line.statement.is_none(), at("fact"), "", "required");
                let baseline = line.baseline.unwrap_or(0.0);
                faults.check(is_amount(baseline), at("baseline"), baseline, "range");
                faults.check(!line.capital, at("capital"), true, "not-here");
                faults.check(years.is_none(), at("depreciation_years"), "", "not-here");
            }
        }
        self.check_amounts(line, category.is_benefit(), faults);
    }

    fn check_amounts(&self, line: &Line, is_benefit: bool, faults: &mut Faults) {
        let at = |field: &str| format!("lines.{}.{field}", line.line);
        let estimates = [("low", &line.low, true), ("likely", &line.likely, false), ("high", &line.high, true)];
        for (name, list, optional) in estimates {
            let fits = list.len() == self.periods || (optional && list.is_empty());
            faults.check(fits, at(name), list.len(), "length");
            for (no, amount) in list.iter().enumerate() {
                let rule = match *amount {
                    amount if !is_amount(amount) => "range",
                    amount if amount < 0.0 && !is_benefit => "negative",
                    _ => continue,
                };
                faults.check(false, format!("{}.{no}", at(name)), amount, rule);
            }
        }
        for (no, likely) in line.likely.iter().enumerate() {
            if let Some(low) = line.lowest().get(no).filter(|low| *low > likely) {
                faults.check(false, format!("{}.{no}", at("low")), low, "order");
            }
            if let Some(high) = line.highest().get(no).filter(|high| *high < likely) {
                faults.check(false, format!("{}.{no}", at("high")), high, "order");
            }
        }
        for (name, list) in [("actual", &line.actual), ("measured", &line.measured)] {
            faults.check(list.is_empty() || list.len() == self.periods, at(name), list.len(), "length");
            for (no, amount) in list.iter().enumerate() {
                if let Some(amount) = amount.filter(|amount| !is_amount(*amount)) {
                    faults.check(false, format!("{}.{no}", at(name)), amount, "range");
                }
            }
        }
    }

    fn check_correlations(&self, faults: &mut Faults) {
        let mut seen = BTreeSet::new();
        for (at, one) in self.correlations.iter().enumerate() {
            for key in [&one.line, &one.other] {
                faults.check(self.line(key).is_some(), format!("correlations.{at}"), key, "unknown");
            }
            let pair = (one.line.as_str().min(&one.other), one.line.as_str().max(&one.other));
            let fresh = one.line != one.other && seen.insert(pair);
            faults.check(fresh, format!("correlations.{at}"), &one.other, "duplicate");
            faults.check((-1.0..=1.0).contains(&one.rank), format!("correlations.{at}.rank"), one.rank, "range");
        }
    }

    fn check_scenarios(&self, faults: &mut Faults) {
        let mut seen = BTreeSet::new();
        for (at, one) in self.scenarios.iter().enumerate() {
            let field = |name: &str| format!("scenarios.{at}.{name}");
            faults.check(!one.name.trim().is_empty(), field("name"), &one.name, "required");
            faults.check(seen.insert(one.name.trim()), field("name"), &one.name, "duplicate");
            faults.check(is_share(one.probability), field("probability"), one.probability, "share");
            for (name, factor) in [("benefits", one.benefits), ("costs", one.costs)] {
                faults.check((0.0..=100.0).contains(&factor), field(name), factor, "range");
            }
        }
        let sum: f64 = self.scenarios.iter().map(|one| one.probability).sum();
        faults.check(self.scenarios.is_empty() || (sum - 1.0).abs() <= 1e-9, "scenarios", sum, "sum");
    }

    /// A fact feeds one line in a period, with no more than was measured of it.
    fn check_facts(&self, model: &Model, faults: &mut Faults) {
        let labels: Vec<String> = (0..self.periods).map(|no| self.period_label(no)).collect();
        let fen = |amount: f64| (amount * 100.0).round() as i64;
        let (mut claims, mut places, mut totals) = (Vec::new(), Vec::new(), BTreeMap::new());
        for line in &self.lines {
            let benefit = Category::find(model, &line.category).is_some_and(Category::is_benefit);
            let Some(fact) = line.fact.as_deref().filter(|_| benefit) else { continue };
            let counted = line.share.unwrap_or(1.0) * line.converted.unwrap_or(1.0);
            for (no, period) in labels.iter().enumerate().filter(|(no, _)| line.touches(*no)) {
                let amount = fen(line.likely.get(no).copied().unwrap_or_default() * counted);
                let measured = line.measured.get(no).copied().flatten().map_or(i64::MAX, fen);
                claims.push(Claim { line: &line.line, fact, measure: fact, period: period.as_str(), amount });
                places.push(no);
                totals.entry((fact, period.as_str())).or_insert(measured);
            }
        }
        let totals: Vec<Total<'_>> =
            totals.into_iter().map(|((measure, period), amount)| Total { measure, period, amount }).collect();
        for fault in check_claims(&claims, &totals) {
            let (index, rule, first) = match fault {
                ClaimFault::ClaimedBefore { claim, first } => (claim, "claimed", Some(first)),
                ClaimFault::ExceedsTotal { claim, .. } | ClaimFault::Unmeasured { claim } => (claim, "exceeds", None),
                ClaimFault::Negative { claim } => (claim, "negative", None),
            };
            let (Some(claim), Some(no)) = (claims.get(index), places.get(index)) else { continue };
            match first.and_then(|first| claims.get(first)) {
                Some(first) => {
                    let value = format!("{} {}: {}", claim.fact, claim.period, first.line);
                    faults.check(false, format!("lines.{}.fact", claim.line), value, rule);
                }
                None => {
                    let amount = claim.amount as f64 / 100.0;
                    faults.check(false, format!("lines.{}.likely.{no}", claim.line), amount, rule);
                }
            }
        }
    }
}
