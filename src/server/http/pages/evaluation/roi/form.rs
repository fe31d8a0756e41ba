//! Forms of a case: what stands in their fields, and how what was sent becomes the document.
//!
//! Percentages are typed as such and kept as fractions. What was typed comes back as it was typed.

use std::collections::BTreeSet;

use super::super::typed_number;
use crate::evaluation::Fault;
use crate::evaluation::roi::{Case, Category, Correlation, Form, Line, MOST_PERIODS, Period, Scenario, spread};
use crate::locale::Lang;
use crate::model::evaluation::roi::Model;
use crate::server::http::pages::admin::Fields;
use crate::server::http::pages::editions::Select;

/// A number as a person types it, without needless digits.
pub(super) fn plain(value: f64) -> String {
    format!("{value}")
}

/// A fraction as a percentage, to ten digits.
pub(super) fn percentage(share: f64) -> String {
    let text = format!("{:.10}", share * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What was sent, or what is stored.
#[derive(Clone, Copy)]
struct Shown<'a>(Option<&'a Fields>);

impl Shown<'_> {
    fn text(&self, name: &str, stored: impl FnOnce() -> String) -> String {
        self.0.map_or_else(stored, |fields| fields.get(name).to_owned())
    }

    fn tick(&self, name: &str, stored: bool) -> bool {
        self.0.map_or(stored, |fields| fields.given(name).is_some())
    }
}

/// A form that was refused, by what it does.
#[derive(Clone, Copy)]
pub(super) struct Returned<'a>(pub(super) Option<&'a Fields>);

impl<'a> Returned<'a> {
    fn of(self, what: &str) -> Shown<'a> {
        Shown(self.0.filter(|fields| fields.get("do") == what))
    }

    /// The field of whichever form was refused.
    pub(super) fn text(self, name: &str) -> String {
        Shown(self.0).text(name, String::new)
    }
}

/// Options of a choice by key and label.
fn choices(options: impl IntoIterator<Item = (String, String)>, chosen: &str) -> Vec<Select> {
    options.into_iter().map(|(value, label)| Select { on: value == chosen, value, label }).collect()
}

/// Categories, costs first.
fn categories(model: &Model, lang: Lang, chosen: &str) -> Vec<Select> {
    let costs = model.costs.iter().map(|cost| (&cost.key, &cost.code, &cost.name));
    let benefits = model.benefits.iter().map(|benefit| (&benefit.key, &benefit.code, &benefit.name));
    let all = costs.chain(benefits).map(|(key, code, name)| (key.value.clone(), format!("{code} {}", lang.pick(name))));
    choices(all, chosen)
}

/// A form for a new case.
pub(super) struct NewCase {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) organisations: Vec<Select>,
    pub(super) currency: String,
    pub(super) start: String,
    pub(super) period: Vec<Select>,
    pub(super) periods: String,
    pub(super) rate: String,
    pub(super) open: bool,
}

impl NewCase {
    pub(super) fn show(sent: Option<&Fields>, mut organisations: Vec<Select>, word: impl Fn(&str) -> String) -> Self {
        let shown = Shown(sent);
        if let Some(fields) = sent {
            organisations.iter_mut().for_each(|one| one.on = one.value == fields.get("organisation"));
        }
        Self {
            id: shown.text("id", String::new),
            name: shown.text("name", String::new),
            organisations,
            currency: shown.text("currency", || "CNY".to_owned()),
            start: shown.text("start", String::new),
            period: periods(&shown.text("period", || Period::Year.as_str().to_owned()), word),
            periods: shown.text("periods", || "6".to_owned()),
            rate: shown.text("rate", || "8".to_owned()),
            open: sent.is_some(),
        }
    }
}

fn periods(chosen: &str, word: impl Fn(&str) -> String) -> Vec<Select> {
    let all = Period::ALL.map(|period| (period.as_str().to_owned(), word(&format!("roi-period-{}", period.as_str()))));
    choices(all, chosen)
}

/// The form for name, time, rates, scenarios and simulation.
pub(super) struct TermsForm {
    pub(super) name: String,
    pub(super) currency: String,
    pub(super) start: String,
    pub(super) period: Vec<Select>,
    pub(super) periods: String,
    pub(super) rate: String,
    pub(super) finance_rate: String,
    pub(super) reinvest_rate: String,
    pub(super) tax: String,
    pub(super) mid_period: bool,
    pub(super) real: bool,
    pub(super) target_roi: String,
    pub(super) draws: String,
    pub(super) seed: String,
    /// A line each: name, probability, benefits, costs.
    pub(super) scenarios: String,
    /// A line each: line, other line, rank correlation.
    pub(super) correlations: String,
    pub(super) reason: String,
    pub(super) open: bool,
}

impl TermsForm {
    pub(super) fn show(case: &Case, returned: Returned<'_>, word: impl Fn(&str) -> String) -> Self {
        let shown = returned.of("terms");
        let terms = &case.terms;
        let optional = |rate: Option<f64>| rate.map(percentage).unwrap_or_default();
        let scenario = |one: &Scenario| {
            let [probability, benefits, costs] = [one.probability, one.benefits, one.costs].map(percentage);
            format!("{}, {probability}, {benefits}, {costs}", one.name)
        };
        let correlation = |one: &Correlation| format!("{}, {}, {}", one.line, one.other, plain(one.rank));
        let lines = |lines: Vec<String>| lines.join("\n");
        Self {
            name: shown.text("name", || case.name.clone()),
            currency: shown.text("currency", || case.currency.clone()),
            start: shown.text("start", || case.start.to_string()),
            period: periods(&shown.text("period", || case.period.as_str().to_owned()), word),
            periods: shown.text("periods", || case.periods.to_string()),
            rate: shown.text("rate", || percentage(terms.rate)),
            finance_rate: shown.text("finance_rate", || optional(terms.finance_rate)),
            reinvest_rate: shown.text("reinvest_rate", || optional(terms.reinvest_rate)),
            tax: shown.text("tax", || percentage(terms.tax)),
            mid_period: shown.tick("mid_period", terms.mid_period),
            real: shown.tick("real", terms.real),
            target_roi: shown.text("target_roi", || percentage(case.target_roi)),
            draws: shown.text("draws", || case.draws.to_string()),
            seed: shown.text("seed", || case.seed.to_string()),
            scenarios: shown.text("scenarios", || lines(case.scenarios.iter().map(scenario).collect())),
            correlations: shown.text("correlations", || lines(case.correlations.iter().map(correlation).collect())),
            reason: shown.text("reason", String::new),
            open: shown.0.is_some(),
        }
    }
}

/// The cells of a period.
pub(super) struct PeriodCells {
    pub(super) no: usize,
    pub(super) label: String,
    pub(super) low: String,
    pub(super) likely: String,
    pub(super) high: String,
    pub(super) actual: String,
    pub(super) measured: String,
}

/// The form for a line.
pub(super) struct LineForm {
    pub(super) line: String,
    pub(super) benefit: bool,
    /// Its category limits what turns into money.
    pub(super) converts: bool,
    pub(super) name: String,
    pub(super) categories: Vec<Select>,
    pub(super) risk: String,
    pub(super) grades: Vec<Select>,
    pub(super) share: String,
    pub(super) converted: String,
    pub(super) fact: String,
    pub(super) statement: String,
    pub(super) baseline: String,
    pub(super) forms: Vec<Select>,
    pub(super) capital: bool,
    pub(super) years: String,
    pub(super) periods: Vec<PeriodCells>,
    pub(super) reason: String,
}

impl LineForm {
    /// The form of the line that is asked for; none where there is no such line.
    pub(super) fn show(
        case: &Case,
        key: &str,
        returned: Returned<'_>,
        model: &Model,
        lang: Lang,
        word: impl Fn(&str) -> String,
    ) -> Option<Self> {
        let line = case.line(key)?;
        let shown = Shown(returned.of("line").0.filter(|fields| fields.get("line") == key));
        let category = shown.text("category", || line.category.clone());
        let found = Category::find(model, &category);
        let benefit = found.is_some_and(Category::is_benefit);
        let converts = matches!(found, Some(Category::Benefit(benefit)) if benefit.most_converted.is_some());
        let grade = shown.text("grade", || line.grade.clone().unwrap_or_default());
        let grades = model.grades.iter().map(|grade| {
            (
                grade.key.value.clone(),
                format!("{} · {} · −{}%", *grade.key, lang.pick(&grade.name), percentage(grade.haircut)),
            )
        });
        let form = shown.text("form", || line.form.as_str().to_owned());
        let forms = [Form::Triangular, Form::Pert]
            .map(|form| (form.as_str().to_owned(), word(&format!("roi-form-{}", form.as_str()))));
        let optional = |number: Option<f64>| number.map(percentage).unwrap_or_default();
        let amount = |list: &[f64], no: usize| list.get(no).copied().map(plain).unwrap_or_default();
        let known = |list: &[Option<f64>], no: usize| list.get(no).copied().flatten().map(plain).unwrap_or_default();
        let cells = (0..case.periods).map(|no| PeriodCells {
            no,
            label: case.period_label(no),
            low: shown.text(&format!("low-{no}"), || amount(&line.low, no)),
            likely: shown.text(&format!("likely-{no}"), || amount(&line.likely, no)),
            high: shown.text(&format!("high-{no}"), || amount(&line.high, no)),
            actual: shown.text(&format!("actual-{no}"), || known(&line.actual, no)),
            measured: shown.text(&format!("measured-{no}"), || known(&line.measured, no)),
        });
        Some(Self {
            line: line.line.clone(),
            benefit,
            converts,
            name: shown.text("name", || line.name.clone()),
            categories: categories(model, lang, &category),
            risk: shown.text("risk", || optional(line.risk)),
            grades: choices(grades, &grade),
            share: shown.text("share", || optional(line.share)),
            converted: shown.text("converted", || optional(line.converted)),
            fact: shown.text("fact", || line.fact.clone().unwrap_or_default()),
            statement: shown.text("statement", || line.statement.clone().unwrap_or_default()),
            baseline: shown.text("baseline", || line.baseline.map(plain).unwrap_or_default()),
            forms: choices(forms, &form),
            capital: shown.tick("capital", line.capital),
            years: shown.text("years", || line.depreciation_years.map(|years| years.to_string()).unwrap_or_default()),
            periods: cells.collect(),
            reason: shown.text("reason", String::new),
        })
    }
}

/// The form for a further line.
pub(super) struct AddForm {
    pub(super) line: String,
    pub(super) name: String,
    pub(super) categories: Vec<Select>,
    pub(super) full: String,
    pub(super) from: String,
    pub(super) fact: String,
    pub(super) reason: String,
    pub(super) open: bool,
}

impl AddForm {
    pub(super) fn show(returned: Returned<'_>, model: &Model, lang: Lang) -> Self {
        let shown = returned.of("add");
        Self {
            line: shown.text("line", String::new),
            name: shown.text("name", String::new),
            categories: categories(model, lang, &shown.text("category", String::new)),
            full: shown.text("full", String::new),
            from: shown.text("from", || "1".to_owned()),
            fact: shown.text("fact", String::new),
            reason: shown.text("reason", String::new),
            open: shown.0.is_some(),
        }
    }
}

/// The form for a grid of amounts from a spreadsheet.
pub(super) struct PasteForm {
    pub(super) cells: String,
    pub(super) reason: String,
    pub(super) open: bool,
}

impl PasteForm {
    pub(super) fn show(returned: Returned<'_>) -> Self {
        let shown = returned.of("paste");
        let text = |name: &str| shown.text(name, String::new);
        Self { cells: text("cells"), reason: text("reason"), open: shown.0.is_some() }
    }
}

/// What was sent, with what is wrong with it.
struct Sent<'a> {
    fields: &'a Fields,
    faults: Vec<Fault>,
}

impl Sent<'_> {
    fn fault(&mut self, field: impl Into<String>, value: impl Into<String>, rule: &'static str) {
        self.faults.push(Fault { field: field.into(), value: value.into(), rule });
    }

    /// A number; none for an empty field.
    fn number(&mut self, name: &str, field: &str) -> Option<f64> {
        match typed_number(self.fields.get(name)) {
            Ok(number) => number,
            Err(text) => {
                self.fault(field, text, "number");
                None
            }
        }
    }

    /// A percentage, as a fraction.
    fn percentage(&mut self, name: &str, field: &str) -> Option<f64> {
        match typed_number(self.fields.get(name).trim().trim_end_matches(['%', '％'])) {
            Ok(number) => number.map(|number| number / 100.0),
            Err(text) => {
                self.fault(field, text, "number");
                None
            }
        }
    }

    /// The discount rate, which must be there.
    fn rate(&mut self) -> Option<f64> {
        if self.given("rate").is_none() {
            self.fault("terms.rate", "", "required");
        }
        self.percentage("rate", "terms.rate")
    }

    /// A whole number that must be there.
    fn whole<T: std::str::FromStr>(&mut self, name: &str) -> Option<T> {
        let text = self.fields.get(name).trim().to_owned();
        let found = text.parse().ok();
        if found.is_none() {
            self.fault(name, text, "number");
        }
        found
    }

    fn given(&self, name: &str) -> Option<String> {
        self.fields.given(name).map(str::to_owned)
    }
}

/// Makes of a case what a form says.
///
/// # Errors
/// What cannot be read; the rules of cases are asked later.
pub(super) fn apply(case: &mut Case, fields: &Fields, model: &Model) -> Result<(), Vec<Fault>> {
    let mut sent = Sent { fields, faults: Vec::new() };
    match fields.get("do") {
        "terms" => terms(case, &mut sent),
        "line" => line(case, &mut sent, model),
        "add" => add(case, &mut sent, model),
        "remove" => {
            let key = fields.get("line");
            if case.line(key).is_none() {
                sent.fault("line", key, "unknown");
            }
            case.lines.retain(|line| line.line != key);
            case.correlations.retain(|pair| pair.line != key && pair.other != key);
        }
        "paste" => sent.faults = paste(case, fields.get("cells")),
        other => sent.fault("do", other, "action"),
    }
    if sent.faults.is_empty() { Ok(()) } else { Err(sent.faults) }
}

/// A new case from its form.
///
/// # Errors
/// What cannot be read.
pub(super) fn create(fields: &Fields) -> Result<Case, Vec<Fault>> {
    let mut sent = Sent { fields, faults: Vec::new() };
    let (frame, rate) = (frame(&mut sent), sent.rate());
    let (Some((start, period, periods)), Some(rate)) = (frame, rate) else { return Err(sent.faults) };
    let body = serde_json::json!({
        "name": fields.get("name").trim(),
        "organisation": fields.get("organisation"),
        "currency": fields.get("currency").trim(),
        "start": start,
        "period": period,
        "periods": periods,
        "terms": {"rate": rate},
    });
    serde_json::from_value(body).map_err(|_| vec![fault("name", fields.get("name"), "required")])
}

fn fault(field: &str, value: &str, rule: &'static str) -> Fault {
    Fault { field: field.to_owned(), value: value.to_owned(), rule }
}

/// First day, period and their number.
fn frame(sent: &mut Sent<'_>) -> Option<(jiff::civil::Date, Period, usize)> {
    let start = sent.fields.get("start").trim().parse::<jiff::civil::Date>().ok();
    if start.is_none() {
        sent.fault("start", sent.fields.get("start"), "date");
    }
    let period = Period::parse(sent.fields.get("period"));
    if period.is_none() {
        sent.fault("period", sent.fields.get("period"), "unknown");
    }
    let periods = sent.whole::<usize>("periods");
    let fits = periods.filter(|periods| *periods <= MOST_PERIODS);
    if let (Some(periods), None) = (periods, fits) {
        sent.fault("periods", periods.to_string(), "horizon");
    }
    Some((start?, period?, fits?))
}

/// The cells of a typed line of text.
fn cells(line: &str) -> Vec<&str> {
    let separators: &[char] = if line.contains('\t') { &['\t'] } else { &[',', '，', ';', '；'] };
    line.split(separators).map(str::trim).collect()
}

fn terms(case: &mut Case, sent: &mut Sent<'_>) {
    case.name = sent.fields.get("name").trim().to_owned();
    case.currency = sent.fields.get("currency").trim().to_owned();
    if let Some((start, period, periods)) = frame(sent) {
        (case.start, case.period) = (start, period);
        case.resize(periods);
    }
    case.terms.rate = sent.rate().unwrap_or(case.terms.rate);
    case.terms.finance_rate = sent.percentage("finance_rate", "terms.finance_rate");
    case.terms.reinvest_rate = sent.percentage("reinvest_rate", "terms.reinvest_rate");
    case.terms.tax = sent.percentage("tax", "terms.tax").unwrap_or_default();
    case.terms.mid_period = sent.given("mid_period").is_some();
    case.terms.real = sent.given("real").is_some();
    case.target_roi = sent.percentage("target_roi", "target_roi").unwrap_or_default();
    case.draws = sent.whole("draws").unwrap_or(case.draws);
    case.seed = sent.whole("seed").unwrap_or(case.seed);
    case.scenarios = rows(sent, "scenarios", |cells| match cells {
        [name, rest @ ..] => {
            let [probability, benefits, costs] = numbers::<3>(rest)?.map(|number| number / 100.0);
            Some(Scenario { name: (*name).to_owned(), probability, benefits, costs })
        }
        [] => None,
    });
    case.correlations = rows(sent, "correlations", |cells| match cells {
        [line, other, rest @ ..] => {
            let [rank] = numbers::<1>(rest)?;
            Some(Correlation { line: (*line).to_owned(), other: (*other).to_owned(), rank })
        }
        _ => None,
    });
}

/// Exactly so many numbers; a percent sign may stand behind them.
fn numbers<const N: usize>(cells: &[&str]) -> Option<[f64; N]> {
    let number = |cell: &&str| typed_number(cell.trim_end_matches(['%', '％'])).ok().flatten();
    cells.iter().map(number).collect::<Option<Vec<f64>>>()?.try_into().ok()
}

/// The rows of a field with a row of cells in each line.
fn rows<T>(sent: &mut Sent<'_>, name: &str, read: impl Fn(&[&str]) -> Option<T>) -> Vec<T> {
    let text = sent.fields.get(name).to_owned();
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match read(&cells(line)) {
            Some(row) => found.push(row),
            None => sent.fault(format!("{name}.{at}"), line, "cells"),
        }
    }
    found
}

fn line(case: &mut Case, sent: &mut Sent<'_>, model: &Model) {
    let (key, periods) = (sent.fields.get("line").to_owned(), case.periods);
    let Some(line) = case.line_mut(&key) else {
        sent.fault("line", key, "unknown");
        return;
    };
    let at = |field: &str| format!("lines.{key}.{field}");
    line.category = sent.fields.get("category").to_owned();
    line.name = sent.fields.get("name").trim().to_owned();
    line.risk = sent.percentage("risk", &at("risk"));
    line.form = if sent.fields.get("form") == Form::Pert.as_str() { Form::Pert } else { Form::Triangular };
    let benefit = Category::find(model, &line.category).is_some_and(Category::is_benefit);
    // What belongs to the other side goes when a line changes its side.
    if benefit {
        line.grade = sent.given("grade");
        line.share = sent.percentage("share", &at("share"));
        line.converted = sent.percentage("converted", &at("converted"));
        line.fact = sent.given("fact");
        line.statement = sent.given("statement");
        line.baseline = sent.number("baseline", &at("baseline"));
        (line.capital, line.depreciation_years) = (false, None);
    } else {
        (line.grade, line.share, line.converted) = (None, None, None);
        (line.fact, line.statement, line.baseline, line.measured) = (None, None, None, Vec::new());
        line.capital = sent.given("capital").is_some();
        line.depreciation_years = match sent.given("years") {
            Some(_) if line.capital => sent.whole("years"),
            _ => None,
        };
    }
    let mut column = |name: &str| -> Vec<Option<f64>> {
        (0..periods).map(|no| sent.number(&format!("{name}-{no}"), &format!("lines.{key}.{name}.{no}"))).collect()
    };
    let [low, likely, high, actual, measured] = ["low", "likely", "high", "actual", "measured"].map(&mut column);
    line.likely = likely.into_iter().map(Option::unwrap_or_default).collect();
    line.low = estimates(low, &line.likely);
    line.high = estimates(high, &line.likely);
    line.actual = known(actual);
    if benefit {
        line.measured = known(measured);
    }
}

/// Estimates beside the likely ones: what is empty is the likely one, a whole empty column is no column.
fn estimates(column: Vec<Option<f64>>, likely: &[f64]) -> Vec<f64> {
    if column.iter().all(Option::is_none) {
        return Vec::new();
    }
    column.into_iter().zip(likely).map(|(typed, likely)| typed.unwrap_or(*likely)).collect()
}

/// A column without a single value is no column.
fn known(column: Vec<Option<f64>>) -> Vec<Option<f64>> {
    if column.iter().all(Option::is_none) { Vec::new() } else { column }
}

fn add(case: &mut Case, sent: &mut Sent<'_>, model: &Model) {
    let (key, category) = (sent.fields.get("line").trim().to_owned(), sent.fields.get("category").to_owned());
    let full = sent.number("full", "full").unwrap_or_default();
    let from = sent.whole::<usize>("from").unwrap_or(1);
    if case.line(&key).is_some() {
        sent.fault("line", &key, "duplicate");
    }
    let Some(found) = Category::find(model, &category) else {
        sent.fault("category", category, "unknown");
        return;
    };
    let likely = spread(found, full, from, case.periods).unwrap_or_else(|_| vec![0.0; case.periods]);
    // Ramps make fractions of a fen, and nobody plans those.
    let likely = likely.into_iter().map(|amount| (amount * 100.0).round() / 100.0).collect();
    let name = sent.fields.get("name").trim().to_owned();
    let fact = sent.given("fact").filter(|_| found.is_benefit());
    case.lines.push(Line { line: key, category, name, fact, likely, ..Line::default() });
}

/// Amounts from a spreadsheet: a row is line, period number, low, likely, high, actual and, where there is one, measured. An
/// empty cell leaves what stands there, `-` takes away what came or was measured. A head is passed over.
fn paste(case: &mut Case, text: &str) -> Vec<Fault> {
    let periods = case.periods;
    let (mut faults, mut touched) = (Vec::new(), BTreeSet::new());
    for (at, row) in text.lines().enumerate().filter(|(_, row)| !row.trim().is_empty()) {
        let place = format!("cells.{}", at + 1);
        let cells = cells(row);
        let [key, no, amounts @ ..] = cells.as_slice() else {
            faults.push(fault(&place, row, "cells"));
            continue;
        };
        let Ok(no) = no.parse::<usize>() else {
            if at > 0 {
                faults.push(fault(&place, no, "number"));
            }
            continue;
        };
        if amounts.len() > 5 {
            faults.push(fault(&place, row, "cells"));
            continue;
        }
        if no >= periods {
            faults.push(fault(&place, &no.to_string(), "case_period"));
            continue;
        }
        let Some(line) = case.line_mut(key) else {
            faults.push(fault(&place, key, "unknown"));
            continue;
        };
        if !touched.insert(((*key).to_owned(), no)) {
            faults.push(fault(&place, &format!("{key} {no}"), "duplicate"));
            continue;
        }
        for (column, cell) in amounts.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            let nothing = matches!(*cell, "-" | "–" | "−") && column >= 3;
            match typed_number(cell) {
                _ if nothing => put(line, column, no, None, periods),
                Ok(Some(number)) => put(line, column, no, Some(number), periods),
                _ => faults.push(fault(&place, cell, "number")),
            }
        }
    }
    if touched.is_empty() && faults.is_empty() {
        faults.push(fault("cells", "", "required"));
    }
    faults
}

/// Sets a cell of a line: low, likely, high, actual, measured.
fn put(line: &mut Line, column: usize, no: usize, value: Option<f64>, periods: usize) {
    if matches!(column, 0 | 2) {
        let likely = line.likely.clone();
        let list = if column == 0 { &mut line.low } else { &mut line.high };
        if list.is_empty() {
            *list = likely;
        }
        list.resize(periods, 0.0);
        if let (Some(cell), Some(value)) = (list.get_mut(no), value) {
            *cell = value;
        }
    } else if column == 1 {
        line.likely.resize(periods, 0.0);
        if let (Some(cell), Some(value)) = (line.likely.get_mut(no), value) {
            *cell = value;
        }
    } else {
        let list = if column == 3 { &mut line.actual } else { &mut line.measured };
        list.resize(periods, None);
        if let Some(cell) = list.get_mut(no) {
            *cell = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{apply, create, paste, percentage};
    use crate::assets::EVALUATION;
    use crate::evaluation::roi::Case;
    use crate::model::evaluation::roi::{Model, parse};
    use crate::server::http::pages::admin::Fields;

    fn model() -> Model {
        let text = EVALUATION.iter().find(|(name, _)| *name == "roi.yaml").map_or("", |(_, text)| text);
        parse("roi.yaml", text).0.unwrap()
    }

    fn case() -> Case {
        serde_json::from_value(json!({
            "name": "Small", "organisation": "north", "currency": "CNY", "start": "2026-01-01", "period": "year",
            "periods": 3, "terms": {"rate": 0.1},
            "lines": [
                {"line": "build", "category": "integration", "likely": [100, 0, 0]},
                {"line": "stay", "category": "retention", "likely": [0, 80, 80]},
            ],
        }))
        .unwrap()
    }

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        Fields::read(text.as_bytes())
    }

    #[test]
    fn a_pasted_grid_changes_the_cells_that_it_has() {
        let mut one = case();
        let text =
            "line\tperiod\tlow\tlikely\thigh\tactual\nstay\t1\t60\t1,080\t90\t\nstay\t2\t\t\t\t75.5\n\nbuild\t0\t\t110";
        assert!(paste(&mut one, text).is_empty());
        let stay = one.line("stay").unwrap();
        assert_eq!(
            (&stay.low, &stay.likely, &stay.high),
            (&vec![0.0, 60.0, 80.0], &vec![0.0, 1080.0, 80.0], &vec![0.0, 90.0, 80.0])
        );
        assert_eq!(stay.actual, [None, None, Some(75.5)]);
        assert_eq!(one.line("build").unwrap().likely, [110.0, 0.0, 0.0]);
        assert!(paste(&mut one, "stay, 2, , , , -").is_empty());
        assert_eq!(one.line("stay").unwrap().actual, [None, None, None]);
        let rules = |text: &str| -> Vec<(String, &str)> {
            paste(&mut case(), text).into_iter().map(|fault| (fault.field, fault.rule)).collect()
        };
        let text = "stay, 1, 1, x\ngone, 1, 1\nstay, 9, 1\nstay, one\nstay\nstay, 2, 1\nstay, 2, 1\n";
        assert_eq!(
            rules(text),
            [(1, "number"), (2, "unknown"), (3, "case_period"), (4, "number"), (5, "cells"), (7, "duplicate")]
                .map(|(row, rule)| (format!("cells.{row}"), rule))
        );
        assert_eq!(rules(" \n"), [("cells".to_owned(), "required")]);
    }

    #[test]
    fn forms_become_the_document() {
        let mut one = case();
        let sent = fields(&[
            ("do", "terms"),
            ("name", " Large "),
            ("currency", "CNY"),
            ("start", "2026-07-01"),
            ("period", "quarter"),
            ("periods", "4"),
            ("rate", "7.5%"),
            ("tax", "25"),
            ("mid_period", "yes"),
            ("target_roi", "40"),
            ("draws", "2000"),
            ("seed", "9"),
            ("scenarios", "bad, 25, 50, 120\nbase，75%，100，100\n"),
            ("correlations", "build, stay, -0.3"),
        ]);
        apply(&mut one, &sent, &model()).unwrap();
        assert_eq!((one.name.as_str(), one.periods, one.terms.rate, one.terms.tax), ("Large", 4, 0.075, 0.25));
        assert_eq!((one.terms.mid_period, one.terms.real, one.terms.finance_rate), (true, false, None));
        assert_eq!((one.scenarios[1].name.as_str(), one.scenarios[1].probability), ("base", 0.75));
        assert_eq!((one.correlations[0].rank, one.lines[0].likely.len()), (-0.3, 4));

        let mut one = case();
        let sent = fields(&[
            ("do", "line"),
            ("line", "stay"),
            ("category", "cross_sell"),
            ("risk", "5"),
            ("grade", "A"),
            ("share", "50"),
            ("fact", "campaign/uplift"),
            ("low-1", "60"),
            ("likely-1", "1,070"),
            ("likely-2", "90"),
            ("actual-1", "55"),
            ("capital", "yes"),
        ]);
        apply(&mut one, &sent, &model()).unwrap();
        let stay = one.line("stay").unwrap();
        assert_eq!((stay.risk, stay.share, stay.fact.as_deref()), (Some(0.05), Some(0.5), Some("campaign/uplift")));
        assert_eq!((&stay.low, &stay.likely), (&vec![0.0, 60.0, 90.0], &vec![0.0, 1070.0, 90.0]));
        assert_eq!((stay.high.len(), stay.actual.clone(), stay.capital), (0, vec![None, Some(55.0), None], false));

        let sent = fields(&[("do", "add"), ("line", "pay"), ("category", "retention"), ("full", "100"), ("from", "1")]);
        apply(&mut one, &sent, &model()).unwrap();
        assert_eq!(one.line("pay").unwrap().likely, [0.0, 25.0, 60.0]);
        apply(&mut one, &fields(&[("do", "remove"), ("line", "pay")]), &model()).unwrap();
        assert!(one.line("pay").is_none());
        let faults = apply(&mut one, &fields(&[("do", "line"), ("line", "stay"), ("likely-0", "many")]), &model());
        assert_eq!(faults.unwrap_err()[0].field, "lines.stay.likely.0");
    }

    #[test]
    fn a_new_case_says_what_is_missing() {
        let sent = [("name", "New"), ("organisation", "north"), ("currency", "CNY"), ("start", "2026-01-01")];
        let rest = [("period", "year"), ("periods", "6"), ("rate", "8")];
        let case = create(&fields(&[sent.as_slice(), rest.as_slice()].concat())).unwrap();
        assert_eq!((case.terms.rate, case.periods), (0.08, 6));
        let faults = create(&fields(&[("start", "soon"), ("period", "week"), ("periods", "900")])).unwrap_err();
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["start", "period", "periods", "terms.rate"]);
    }

    #[test]
    fn percentages_have_no_needless_digits() {
        assert_eq!([0.07, 0.151452, 1.0, 0.0, -0.025].map(percentage), ["7", "15.1452", "100", "0", "-2.5"]);
    }
}
