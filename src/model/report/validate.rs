//! What must hold within a report's folder, and between a report and the cubes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Block, Drill, Filling, Format, Parameter, Report};
use crate::model::cube::Model;
use crate::model::shape::{did_you_mean, in_order, quoted};
use crate::model::yaml::{Node, Value};
use crate::model::{Diagnostic, Located, Place};

/// Words that mean something in every report's URL.
const RESERVED: &[&str] = &["scope", "as_of", "lang", "theme", "unit", "format", "snapshot", "page"];

/// Of these the ones that a dataset's SQL and a message may name: what the run knows besides its parameters.
const OF_THE_RUN: &[&str] = &["scope", "lang"];

/// Calendar functions that a default may call. The report module computes them; a test there compares the lists.
pub(crate) const FUNCTIONS: &[&str] = &[
    "last_closed",
    "period_start",
    "period_end",
    "months_before",
    "month_start",
    "year_start",
    "prior_month_end",
    "prior_year_end",
];

/// Words that mean a period in their arguments.
const PERIODS: &[&str] = &["month", "quarter", "year", "latest"];

pub(super) fn validate(path: &str, report: &Report, faults: &mut Vec<Diagnostic>) {
    let folder = path.rsplit('/').nth(1).unwrap_or_default();
    if *report.name != folder && !report.name.is_empty() {
        let message = format!("report `{}` stands in the folder `{folder}`; both must have one name", *report.name);
        faults.push(Diagnostic::new(&report.name.place, message));
    }
    let dates: Vec<&Parameter> = report.parameters.iter().filter(|parameter| *parameter.kind == "as_of_date").collect();
    if dates.is_empty()
        && report.parameters.iter().all(|parameter| *parameter.name != "as_of")
        && !report.name.is_empty()
    {
        let message = "a report needs the parameter `as_of` of type `as_of_date`";
        faults.push(Diagnostic::new(&report.name.place, message));
    }
    for parameter in &report.parameters {
        check_parameter(report, parameter, faults);
    }
    placeholders_in_sql(path, report, faults);
    let mut blocks = Blocks { report, ids: BTreeMap::new(), faults };
    blocks.check(&report.blocks, false);
}

fn check_parameter(report: &Report, parameter: &Parameter, faults: &mut Vec<Diagnostic>) {
    let name = &parameter.name;
    let mut fault = |place: &Place, message: &str| {
        faults.push(Diagnostic::new(place, format!("parameter `{}`: {message}", **name)));
    };
    match (name.as_str(), parameter.kind.as_str()) {
        (_, "") | ("as_of", "as_of_date") => {}
        ("as_of", kind) => fault(&name.place, &format!("its type must be `as_of_date`, not `{kind}`")),
        (_, "as_of_date") => {
            fault(&name.place, "a report has one parameter of type `as_of_date`, and its name is `as_of`")
        }
        (word, _) if RESERVED.contains(&word) => {
            fault(&name.place, &format!("the name is reserved, as are {}", quoted(RESERVED)));
        }
        _ => {}
    }
    let Some(default) = parameter.default.as_ref().filter(|default| !default.is_empty()) else { return };
    if let Some((function, arguments)) = call(default) {
        if !matches!(parameter.kind.as_str(), "as_of_date" | "date" | "month" | "") {
            fault(&default.place, "only dates and months can have a calendar function as default");
        } else if !FUNCTIONS.contains(&function) {
            let hint = did_you_mean(function, FUNCTIONS.iter().copied());
            fault(&default.place, &format!("`{function}` is not one of {}{hint}", quoted(FUNCTIONS)));
            return;
        }
        for argument in arguments.filter(|word| is_identifier(word) && !PERIODS.contains(word)) {
            if !report.parameters.iter().any(|other| *other.name == argument) {
                let hint = did_you_mean(argument, report.parameters.iter().map(|other| other.name.as_str()));
                fault(&default.place, &format!("`{argument}` is not a parameter{hint}"));
            }
        }
    } else {
        let choices: Vec<&str> = parameter.choices.iter().map(|(value, _)| value.as_str()).collect();
        if let Err(expected) = value(&parameter.kind, default, &choices) {
            fault(&default.place, &format!("`default` must be {expected}, not `{}`", **default));
        } else if let Ok(number) = default.parse::<f64>() {
            let bound = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<f64>().ok());
            if bound(&parameter.min).is_some_and(|min| number < min)
                || bound(&parameter.max).is_some_and(|max| number > max)
            {
                fault(&default.place, "`default` lies outside `min` and `max`");
            }
        }
    }
}

/// Whether `text` is a value of a parameter type; what it must be otherwise.
pub(super) fn value(kind: &str, text: &str, choices: &[&str]) -> Result<(), String> {
    let (holds, expected) = match kind {
        "as_of_date" => (text == "latest" || is_date(text), "a date, `latest` or a calendar function"),
        "date" => (is_date(text), "a date such as 2025-11-30, or a calendar function"),
        "month" => {
            (text.len() == 7 && is_date(&format!("{text}-01")), "a month such as 2025-11, or a calendar function")
        }
        "integer" => (text.parse::<i64>().is_ok(), "a whole number"),
        "decimal" => (text.parse::<f64>().is_ok_and(f64::is_finite), "a decimal number"),
        "boolean" => (matches!(text, "true" | "false"), "true or false"),
        "choice" if !choices.contains(&text) => return Err(format!("one of {}", quoted(choices))),
        _ => (true, ""),
    };
    if holds { Ok(()) } else { Err(expected.to_owned()) }
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

/// `months_before(as_of, 12)`: the function and its arguments.
fn call(text: &str) -> Option<(&str, impl Iterator<Item = &str>)> {
    let (function, rest) = text.split_once('(')?;
    Some((function.trim(), rest.strip_suffix(')')?.split(',').map(str::trim)))
}

/// Every `$name` in the SQL must be a parameter, and every parameter must be of use.
fn placeholders_in_sql(path: &str, report: &Report, faults: &mut Vec<Diagnostic>) {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let known = || report.parameters.iter().map(|one| one.name.as_str()).chain(OF_THE_RUN.iter().copied());
    for dataset in &report.datasets {
        for (name, line, column) in bound_names(&dataset.sql) {
            if !known().any(|parameter| parameter == name) {
                let hint = did_you_mean(&name, known());
                let place = Place { file: format!("{folder}/{}", *dataset.file), line, column };
                faults.push(Diagnostic::new(
                    &place,
                    format!("dataset `{}`: `${name}` is not a parameter{hint}", *dataset.name),
                ));
            }
        }
    }
}

/// Names after `$` outside texts and comments, with line and column.
fn bound_names(sql: &str) -> Vec<(String, u32, u32)> {
    #[derive(PartialEq)]
    enum Inside {
        Nothing,
        Quoted(char),
        Line,
        Block,
    }
    let mut found: Vec<(String, u32, u32)> = Vec::new();
    let mut inside = Inside::Nothing;
    let (mut line, mut column) = (1, 0);
    let mut open = false;
    let mut previous = ' ';
    for letter in sql.chars() {
        column += 1;
        let grows = open && (letter.is_ascii_alphanumeric() || letter == '_');
        if grows && let Some((name, ..)) = found.last_mut() {
            name.push(letter);
        }
        open = grows;
        inside = match (inside, previous, letter) {
            (Inside::Nothing, _, '\'' | '"') => Inside::Quoted(letter),
            (Inside::Nothing, '-', '-') => Inside::Line,
            (Inside::Nothing, '/', '*') => Inside::Block,
            (Inside::Quoted(quote), _, letter) if quote == letter => Inside::Nothing,
            (Inside::Line, _, '\n') | (Inside::Block, '*', '/') => Inside::Nothing,
            (inside, ..) => inside,
        };
        if letter == '$' && inside == Inside::Nothing {
            found.push((String::new(), line, column));
            open = true;
        }
        if letter == '\n' {
            (line, column) = (line + 1, 0);
        }
        previous = letter;
    }
    found.retain(|(name, ..)| !name.is_empty());
    found
}

/// Every word of a statement but its texts, comments and parameters, as the engine reads it: in small letters unless it stands
/// in quotation marks. A column of its answer is always among them, since no dataset is a `SELECT *`; whether each of them is a
/// column only the engine knows.
fn words(sql: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut words = BTreeSet::new();
    let mut rest = sql;
    while let Some(at) = rest.find(|letter: char| is_part(letter) || matches!(letter, '\'' | '"' | '-' | '/' | '$')) {
        let (_, here) = rest.split_at(at);
        let past = |skipped: usize, end: &str| {
            here.get(skipped..).and_then(|inner| inner.split_once(end)).map_or("", |(_, after)| after)
        };
        rest = match here.as_bytes() {
            [b'\'', ..] => past(1, "'"),
            [b'"', ..] => {
                let (word, after) = here.get(1..).and_then(|inner| inner.split_once('"')).unwrap_or_default();
                words.insert(word.to_owned());
                after
            }
            [b'-', b'-', ..] => past(2, "\n"),
            [b'/', b'*', ..] => past(2, "*/"),
            [b'$', ..] => here.trim_start_matches('$').trim_start_matches(is_part),
            [b'-' | b'/', ..] => here.split_at(1).1,
            _ => {
                let (word, after) = here.split_at(here.find(|letter: char| !is_part(letter)).unwrap_or(here.len()));
                words.insert(word.to_ascii_lowercase());
                after
            }
        };
    }
    words
}

struct Blocks<'a> {
    report: &'a Report,
    ids: BTreeMap<&'a str, u32>,
    faults: &'a mut Vec<Diagnostic>,
}

impl<'a> Blocks<'a> {
    fn check(&mut self, blocks: &'a [Block], in_row: bool) {
        for block in blocks {
            match block {
                Block::Message { .. } | Block::Text { .. } => {}
                Block::Row { blocks } => {
                    if let (true, Some(place)) = (in_row, blocks.iter().find_map(place)) {
                        self.faults.push(Diagnostic::new(place, "a row cannot stand in a row"));
                    }
                    self.check(blocks, true);
                }
                Block::Kpi(kpi) => {
                    if let Some(dataset) = self.dataset(&kpi.dataset)
                        && dataset.rows != Some(1)
                    {
                        let message =
                            format!("a kpi needs a dataset with `rows: 1`, which `{}` does not have", *kpi.dataset);
                        self.faults.push(Diagnostic::new(&kpi.dataset.place, message));
                    }
                    if let Some((dataset, _)) = &kpi.spark {
                        self.dataset(dataset);
                    }
                }
                Block::Chart(chart) => {
                    self.id(&chart.id);
                    self.dataset(&chart.dataset);
                    if chart.y.is_empty() && !chart.id.is_empty() {
                        let message = format!("chart `{}` has no series in `y`", *chart.id);
                        self.faults.push(Diagnostic::new(&chart.id.place, message));
                    }
                    // Panels are named alike for actual and plan; other series would then not be told apart.
                    if let Some(by) = chart.by.as_ref().filter(|_| chart.y.len() > 1 && *chart.kind != "multiples") {
                        let message = format!(
                            "chart `{}`: with `by` the series come from rows, so `y` has one column, not {}",
                            *chart.id,
                            chart.y.len()
                        );
                        self.faults.push(Diagnostic::new(&by.place, message));
                    }
                    self.drill(chart.drill.as_ref(), &chart.dataset);
                }
                Block::Table(table) => {
                    self.id(&table.id);
                    self.dataset(&table.dataset);
                    self.drill(table.drill.as_ref(), &table.dataset);
                }
            }
        }
    }

    fn id(&mut self, id: &'a Located<String>) {
        if id.is_empty() {
            return;
        }
        match self.ids.get(id.as_str()) {
            Some(line) => {
                let message = format!("the id `{}` is given twice, first on line {line}", **id);
                self.faults.push(Diagnostic::new(&id.place, message));
            }
            None => _ = self.ids.insert(id, id.place.line),
        }
    }

    /// What a drill says of its own dataset; where it leads is looked at when all reports are known.
    fn drill(&mut self, drill: Option<&Drill>, dataset: &Located<String>) {
        let Some(drill) = drill else { return };
        if drill.report.is_none() && drill.scope.is_none() && drill.set.is_empty() {
            let message = "a drill needs one of the keys `report`, `scope`, `set`, or it leads back to its own page";
            self.faults.push(Diagnostic::new(&drill.place, message));
        }
        let dataset = self.report.datasets.iter().find(|known| *known.name == **dataset);
        for filling in drill.scope.iter().chain(drill.set.iter().map(|(_, filling)| filling)) {
            match filling {
                Filling::Fixed(text) if text.contains(['{', '}']) => {
                    let message =
                        format!("`{}` must be `{{column}}`, `{{column:end}}` or a value without braces", **text);
                    self.faults.push(Diagnostic::new(&text.place, message));
                }
                Filling::Fixed(_) => {}
                Filling::Column { name, .. } => {
                    // Without its text nothing is known of a dataset, and its file is told as missing.
                    let Some(dataset) = dataset.filter(|dataset| !dataset.sql.is_empty()) else { continue };
                    let words = words(&dataset.sql);
                    if !words.contains(name.as_str()) {
                        let hint = did_you_mean(name, words.iter().map(String::as_str));
                        let message =
                            format!("dataset `{}` ({}) has no column `{}`{hint}", *dataset.name, *dataset.file, **name);
                        self.faults.push(Diagnostic::new(&name.place, message));
                    }
                }
            }
        }
    }

    fn dataset(&mut self, name: &Located<String>) -> Option<&'a super::Dataset> {
        let found = self.report.datasets.iter().find(|dataset| *dataset.name == **name);
        if found.is_none() && !name.is_empty() {
            let hint = did_you_mean(name, self.report.datasets.iter().map(|dataset| dataset.name.as_str()));
            self.faults.push(Diagnostic::new(&name.place, format!("there is no dataset `{}`{hint}", **name)));
        }
        found
    }
}

/// A place inside a block.
fn place(block: &Block) -> Option<&Place> {
    match block {
        Block::Message { .. } | Block::Text { .. } => None,
        Block::Row { blocks } => blocks.iter().find_map(place),
        Block::Kpi(kpi) => Some(&kpi.dataset.place),
        Block::Chart(chart) => Some(&chart.id.place),
        Block::Table(table) => Some(&table.id.place),
    }
}

/// Placeholders of messages, read from the tree because a [`crate::model::Label`] does not keep its places.
pub(super) fn placeholders(report: &Report, node: &Node, faults: &mut Vec<Diagnostic>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| placeholders(report, item, faults)),
        Value::Map(entries) => {
            for entry in entries {
                match (&entry.node.value, entry.key.as_str()) {
                    (Value::Map(texts), "message" | "title") => {
                        for text in texts {
                            if let Value::Scalar { text: words, .. } = &text.node.value {
                                check_message(report, words, &text.node.place, faults);
                            }
                        }
                    }
                    _ => placeholders(report, &entry.node, faults),
                }
            }
        }
        _ => {}
    }
}

fn check_message(report: &Report, text: &str, place: &Place, faults: &mut Vec<Diagnostic>) {
    let mut fault = |message: String| faults.push(Diagnostic::new(place, message));
    for piece in text.split('{').skip(1) {
        let Some((inner, _)) = piece.split_once('}') else {
            fault("a placeholder `{` without its `}`".into());
            continue;
        };
        let name = inner.split(':').next().unwrap_or(inner);
        match name.split_once('.') {
            Some((dataset, _)) if !report.datasets.iter().any(|known| *known.name == dataset) => {
                let hint = did_you_mean(dataset, report.datasets.iter().map(|known| known.name.as_str()));
                fault(format!("`{{{inner}}}`: there is no dataset `{dataset}`{hint}"));
            }
            None if !OF_THE_RUN.contains(&name) && !report.parameters.iter().any(|known| *known.name == name) => {
                let hint = did_you_mean(name, report.parameters.iter().map(|known| known.name.as_str()));
                fault(format!("`{{{inner}}}`: there is no parameter `{name}`{hint}"));
            }
            _ => {}
        }
    }
}

/// What must hold between a report and the cubes: they exist, and so do the measures that blocks name.
pub fn check(report: &Report, model: &Model) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for name in &report.cubes {
        if !model.has(name) {
            let hint = did_you_mean(name, model.cubes.iter().map(|cube| cube.name.as_str()));
            faults.push(Diagnostic::new(&name.place, format!("there is no cube `{}`{hint}", **name)));
        }
    }
    check_measures(report, model, &report.blocks, &mut faults);
    report.alerts.iter().for_each(|alert| check_format(report, model, &alert.format, &mut faults));
    in_order(faults)
}

/// What must hold between a report's drills and the reports that they lead to. `reports` are all that could be read, `unread`
/// the names of the others: a fault of one report is no fault of those that lead there.
pub fn check_drills(report: &Report, reports: &[Report], unread: &[String]) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for drill in report.drills() {
        let target = match &drill.report {
            None => report,
            Some(name) => match reports.iter().find(|known| *known.name == **name) {
                Some(target) => target,
                None if unread.contains(name) => continue,
                None => {
                    let known = reports.iter().map(|known| known.name.as_str());
                    let hint = did_you_mean(name, known);
                    faults.push(Diagnostic::new(&name.place, format!("there is no report `{}`{hint}", **name)));
                    continue;
                }
            },
        };
        check_set(report, drill, target, &mut faults);
    }
    in_order(faults)
}

fn check_set(report: &Report, drill: &Drill, target: &Report, faults: &mut Vec<Diagnostic>) {
    let into = &*target.name;
    for (name, filling) in &drill.set {
        let Some(parameter) = target.parameters.iter().find(|known| *known.name == **name) else {
            let hint = did_you_mean(name, target.parameters.iter().map(|known| known.name.as_str()));
            let message = format!("report `{into}` has no parameter `{}`{hint}", **name);
            faults.push(Diagnostic::new(&name.place, message));
            continue;
        };
        let choices: Vec<&str> = parameter.choices.iter().map(|(value, _)| value.as_str()).collect();
        if let Filling::Fixed(text) = filling
            && call(text).is_none()
            && let Err(expected) = value(&parameter.kind, text, &choices)
        {
            let message = format!("parameter `{}` of report `{into}` must be {expected}, not `{}`", **name, **text);
            faults.push(Diagnostic::new(&text.place, message));
        }
    }
    let is_set = |name: &str| drill.set.iter().any(|(set, _)| **set == name);
    let carried = |name: &str| name == "as_of" || *target.name == *report.name;
    for parameter in target.parameters.iter().filter(|parameter| parameter.default.is_none()) {
        let name = &parameter.name;
        if !is_set(name) && !carried(name) {
            let message = format!("report `{into}` needs the parameter `{}`: set it here", **name);
            faults.push(Diagnostic::new(&drill.place, message));
        }
    }
    // A page of any day cannot lead to one that is only there for last days of periods.
    if !is_set("as_of") && period_rank(report) < period_rank(target) {
        let message = format!("report `{into}` is only there for last days of periods: set `as_of` here");
        faults.push(Diagnostic::new(&drill.place, message));
    }
}

/// How long the periods are that a report's as-of date closes.
fn period_rank(report: &Report) -> usize {
    let as_of = report.parameters.iter().find(|parameter| *parameter.kind == "as_of_date");
    let every = as_of.and_then(|parameter| parameter.every.as_ref());
    every.map_or(0, |every| match every.as_str() {
        "month" => 1,
        "quarter" => 2,
        _ => 3,
    })
}

fn check_measures(report: &Report, model: &Model, blocks: &[Block], faults: &mut Vec<Diagnostic>) {
    for block in blocks {
        match block {
            Block::Message { .. } | Block::Text { .. } => {}
            Block::Row { blocks } => check_measures(report, model, blocks, faults),
            Block::Kpi(kpi) => check_format(report, model, &kpi.format, faults),
            Block::Chart(chart) => {
                check_format(report, model, &chart.format, faults);
                let own = chart.y.iter().filter_map(|series| series.format.as_ref());
                own.for_each(|format| check_format(report, model, format, faults));
            }
            Block::Table(table) => {
                table.columns.iter().for_each(|column| check_format(report, model, &column.format, faults));
            }
        }
    }
}

fn check_format(report: &Report, model: &Model, format: &Format, faults: &mut Vec<Diagnostic>) {
    let Some((pair, (cube_name, measure))) =
        format.measure.as_ref().and_then(|pair| Some((pair, pair.split_once('.')?)))
    else {
        return;
    };
    let mut fault = |message: String| faults.push(Diagnostic::new(&pair.place, message));
    if !report.cubes.iter().any(|name| **name == cube_name) {
        let hint = did_you_mean(cube_name, report.cubes.iter().map(|name| name.as_str()));
        fault(format!("`{cube_name}` is not among the report's `cubes`{hint}"));
    } else if let Some(cube) = model.cube(cube_name)
        && !cube.measures.iter().any(|known| *known.name == measure)
    {
        let hint = did_you_mean(measure, cube.measures.iter().map(|known| known.name.as_str()));
        fault(format!("cube `{cube_name}` has no measure `{measure}`{hint}"));
    }
}

/// Parameters that no query, default or placeholder uses: a control that changes nothing misleads its reader.
pub(super) fn unused(report: &Report, node: &Node, faults: &mut Vec<Diagnostic>) {
    let mut used = BTreeSet::new();
    for dataset in &report.datasets {
        if dataset.sql.is_empty() {
            return; // The file is missing, and with it the uses.
        }
        used.extend(bound_names(&dataset.sql).into_iter().map(|(name, ..)| name));
    }
    for default in report.parameters.iter().filter_map(|parameter| parameter.default.as_ref()) {
        used.extend(call(default).into_iter().flat_map(|(_, arguments)| arguments.map(str::to_owned)));
    }
    names_in_texts(node, &mut used);
    for parameter in &report.parameters {
        // Every report has an as-of date; it is printed even where no query asks for it.
        if !used.contains(parameter.name.as_str()) && *parameter.name != "as_of" {
            let message = format!("parameter `{}`: nothing uses it", *parameter.name);
            faults.push(Diagnostic::new(&parameter.name.place, message));
        }
    }
}

/// Names in placeholders, whichever text they stand in.
fn names_in_texts(node: &Node, names: &mut BTreeSet<String>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| names_in_texts(item, names)),
        Value::Map(entries) => entries.iter().for_each(|entry| names_in_texts(&entry.node, names)),
        Value::Scalar { text, .. } => {
            let pieces = text.split('{').skip(1);
            names.extend(pieces.filter_map(|piece| piece.split([':', '}']).next()).map(str::to_owned));
        }
        Value::Null | Value::Refused => {}
    }
}
