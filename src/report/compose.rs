//! From rows to a document: messages filled, units chosen, changes computed, charts drawn.
//!
//! Pure: the same rows give the same document.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::calendar::{self, Period};
use super::document::{
    Bar, Block, Cell, Change, Chart, Choice, Control, Dataset, Document, Evidence, Imprint, Kpi, Prose, SNAPSHOT,
    Table, TableColumn, TableRow, Tone, address,
};
use super::figure::{self, Meaning, Sign};
use super::message;
use super::parameter::{self, Resolved};
use super::value::{Number, Value};
use crate::chart::{self, COMPACT_WIDTH, ChartSpec, Grain, Linked, Scenario, TimeAxis};
use crate::error::{Code, Error, Result};
use crate::locale::{self, Lang, MISSING, NumberUnit, Quantity};
use crate::model::cube::{Good, Model};
use crate::model::report::{self, Report};
use crate::model::{Label, Located};

/// Width of a chart that has the page to itself, and of one of two side by side; the page scales the drawing.
const CHART_WIDTH: u32 = 1120;
const CHART_WIDTH_HALF: u32 = 560;

/// All that a document is made of.
#[derive(Debug)]
pub(super) struct Input<'a> {
    pub(super) report: &'a Report,
    pub(super) model: &'a Model,
    pub(super) lang: Lang,
    pub(super) scope: Choice,
    /// What else the reader may choose.
    pub(super) scopes: Vec<Choice>,
    pub(super) values: Vec<Resolved>,
    /// Names that the address says; what it does not say has its default.
    pub(super) given: BTreeSet<String>,
    pub(super) datasets: Vec<Dataset>,
    pub(super) evidence: Evidence,
    pub(super) imprint: Imprint,
    /// The other reports that drills lead to for this reader, each with the period whose last days it is there for.
    pub(super) open: BTreeMap<String, Option<Period>>,
}

/// The document of a run.
pub(super) fn compose(input: &Input<'_>) -> Result<Document> {
    let (report, lang) = (input.report, input.lang);
    let as_of = input
        .report
        .parameters
        .iter()
        .filter(|parameter| *parameter.kind == "as_of_date")
        .find_map(|parameter| match input.values.iter().find(|value| value.name == *parameter.name)?.value {
            Value::Date(days) => Some(days),
            _ => None,
        })
        .unwrap_or(input.evidence.newest);
    let mut document = Document {
        report: report.name.value.clone(),
        lang,
        title: lang.pick(&report.title).to_owned(),
        description: lang.pick(&report.description).to_owned(),
        message: String::new(),
        as_of,
        scope: input.scope.clone(),
        controls: controls(input),
        blocks: Vec::new(),
        datasets: Vec::new(),
        evidence: input.evidence.clone(),
        imprint: input.imprint.clone(),
    };
    let mut blocks = Vec::with_capacity(report.blocks.len());
    for block in &report.blocks {
        match block {
            report::Block::Message { text } if document.message.is_empty() => {
                document.message = input.fill(text, "message")?;
            }
            block => blocks.push(input.block(block, CHART_WIDTH)?),
        }
    }
    if document.message.is_empty() {
        document.message.clone_from(&document.title);
    }
    document.blocks = blocks;
    document.datasets.clone_from(&input.datasets);
    Ok(document)
}

impl message::Source for Input<'_> {
    fn value(&self, name: &str, column: Option<&str>) -> Option<Value> {
        let Some(column) = column else {
            return match name {
                "scope" => Some(Value::Text(self.scope.label.clone())),
                _ => self.values.iter().find(|value| value.name == name).map(|value| value.value.clone()),
            };
        };
        let dataset = self.datasets.iter().find(|dataset| dataset.name == name)?;
        let column = dataset.column(column)?;
        Some(dataset.rows.first().map_or(Value::Null, |row| row[column].clone()))
    }
}

impl Input<'_> {
    fn fill(&self, text: &Label, block: &str) -> Result<String> {
        let text = self.lang.pick(text);
        message::fill(text, self, self.lang).map_err(|why| self.wrong(block, &why))
    }

    /// A fault of the definition, with the block's name.
    fn wrong(&self, block: &str, why: &str) -> Error {
        Error::new(Code::Definition, format!("report `{}`, {block}: {why}", *self.report.name))
    }

    /// What the author calls a figure, else what its measure is called, else its column.
    fn label(&self, label: &Label, format: &report::Format, column: &str) -> String {
        let measure = || format.measure.as_ref().and_then(|path| figure::measure(self.model, path));
        [self.lang.pick(label), measure().map_or("", |measure| self.lang.pick(&measure.label)), column]
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_default()
            .to_owned()
    }

    fn dataset(&self, name: &Located<String>, block: &str) -> Result<&Dataset> {
        self.datasets
            .iter()
            .find(|dataset| dataset.name == **name)
            .ok_or_else(|| self.wrong(block, &format!("there is no dataset `{}`", **name)))
    }

    fn column(&self, dataset: &Dataset, name: &Located<String>, block: &str) -> Result<usize> {
        dataset.column(name).ok_or_else(|| {
            let columns = dataset.columns.join("`, `");
            self.wrong(block, &format!("dataset `{}` has no column `{}`; it has `{columns}`", dataset.name, **name))
        })
    }

    /// The position of a column of numbers.
    fn numbers(&self, dataset: &Dataset, name: &Located<String>, block: &str) -> Result<usize> {
        let column = self.column(dataset, name, block)?;
        match dataset.rows.iter().map(|row| &row[column]).find(|value| !value.is_figure()) {
            Some(value) => Err(self.wrong(block, &format!("column `{}` is not a number: `{}`", **name, value.plain()))),
            None => Ok(column),
        }
    }

    fn block(&self, block: &report::Block, width: u32) -> Result<Block> {
        Ok(match block {
            report::Block::Message { text } => Block::Message(self.fill(text, "message")?),
            report::Block::Row { blocks } => {
                let width = if blocks.len() > 1 { CHART_WIDTH_HALF } else { width };
                let mut row = Vec::with_capacity(blocks.len());
                for block in blocks {
                    match self.block(block, width)? {
                        Block::Row(inner) => row.extend(inner),
                        block => row.push(block),
                    }
                }
                Block::Row(row)
            }
            report::Block::Kpi(kpi) => Block::Kpi(self.kpi(kpi)?),
            report::Block::Chart(chart) => Block::Chart(Box::new(self.chart(chart, width)?)),
            report::Block::Table(table) => Block::Table(self.table(table)?),
            report::Block::Text { text } => Block::Text(prose(&self.fill(text, "text")?)),
        })
    }

    fn kpi(&self, kpi: &report::Kpi) -> Result<Kpi> {
        let lang = self.lang;
        let block = format!("kpi `{}`", *kpi.value);
        let dataset = self.dataset(&kpi.dataset, &block)?;
        let cell = |name: &Located<String>| -> Result<Option<Number>> {
            let column = self.column(dataset, name, &block)?;
            match dataset.rows.first().map(|row| &row[column]) {
                None => Ok(None),
                Some(value) if value.is_figure() => Ok(value.number()),
                Some(_) => Err(self.wrong(&block, &format!("column `{}` is not a number", **name))),
            }
        };
        let meaning = Meaning::of(&kpi.format, self.model);
        let value = cell(&kpi.value)?;
        let scale = value.map_or_else(|| meaning.unit(&[], lang), |value| meaning.unit_alone(value, lang));
        let digits = |value: Option<Number>| {
            value.map_or_else(|| MISSING.to_owned(), |value| figure::digits(value, scale, Sign::Minus, lang))
        };
        let (beside, second) = match &kpi.beside {
            Some(beside) => {
                let second = cell(&beside.value)?;
                (Some((lang.pick(&beside.title).to_owned(), digits(second))), second)
            }
            None => (None, None),
        };
        let mut changes = Vec::with_capacity(kpi.compare.len());
        for (column, against) in &kpi.compare {
            let words = locale::message(lang, &format!("report-against-{}", against.replace('_', "-")), &[]);
            changes.push(change(words, value, cell(column)?, scale, meaning.good, lang));
        }
        let title = self.label(&kpi.title, &kpi.format, &kpi.value);
        let spark = match &kpi.spark {
            Some((of, column)) => {
                let series = self.dataset(of, &block)?;
                let column = self.column(series, column, &block)?;
                Some(chart::sparkline(&floats(series, column), &title))
            }
            None => None,
        };
        // The percent sign stays with its digits; other units are set apart.
        let unit = if scale.quantity == Quantity::Percent { String::new() } else { scale.label(lang) };
        Ok(Kpi { title, value: digits(value), unit, beside, changes, spark, scale, exact: [value, second] })
    }

    fn chart(&self, chart: &report::Chart, width: u32) -> Result<Chart> {
        let lang = self.lang;
        let block = format!("chart `{}`", *chart.id);
        let dataset = self.dataset(&chart.dataset, &block)?;
        let x = self.column(dataset, &chart.x, &block)?;
        let by = match &chart.by {
            Some(name) => Some(self.column(dataset, name, &block)?),
            None => None,
        };
        let grid = Grid::of(dataset, x, by, lang).map_err(|why| self.wrong(&block, &why))?;
        let meaning = Meaning::of(&chart.format, self.model);
        let mut lines = Vec::with_capacity(chart.y.len());
        let mut numbers = Vec::new();
        for one in &chart.y {
            let column = self.numbers(dataset, &one.column, &block)?;
            let own = dataset.rows.iter().filter_map(|row| row[column].number());
            let unit = match &one.format {
                Some(format) => Some(Meaning::of(format, self.model).unit(&own.collect::<Vec<_>>(), lang)),
                None => {
                    numbers.extend(own);
                    None
                }
            };
            lines.push((one, column, unit));
        }
        let unit = meaning.unit(&numbers, lang);
        // Exact text: what a chart prints has not passed through the floats that place its marks.
        let print = |value: &Value, unit: NumberUnit| {
            value.number().map_or_else(|| MISSING.to_owned(), |number| figure::digits(number, unit, Sign::Minus, lang))
        };
        let (mut series, mut labels, mut units) = (Vec::new(), Vec::new(), Vec::new());
        for group in &grid.groups {
            for (one, column, own) in &lines {
                let cells: Vec<&Value> =
                    group.rows.iter().map(|row| row.map_or(&Value::Null, |row| &dataset.rows[row][*column])).collect();
                let scenario = match &one.scenario {
                    Some(name) => Scenario::parse(name)
                        .ok_or_else(|| self.wrong(&block, &format!("unknown scenario `{}`", **name)))?,
                    None => Scenario::Actual,
                };
                let format = one.format.as_ref().filter(|format| format.measure.is_some()).unwrap_or(&chart.format);
                let name = match &group.name {
                    Some(name) => name.clone(),
                    None => self.label(&one.label, format, &one.column),
                };
                let values = cells.iter().map(|value| value.number().map(Number::to_f64)).collect();
                series.push(chart::Series { name, scenario, values });
                labels.push(cells.iter().map(|value| print(value, own.unwrap_or(unit))).collect());
                units.push(own.unwrap_or(unit));
            }
        }
        let mut bands = Vec::with_capacity(chart.bands.len());
        for band in &chart.bands {
            let column = self.numbers(dataset, &band.column, &block)?;
            let rows = grid.groups.first().map_or(&[][..], |group| &group.rows);
            let value = |row: &Option<usize>| dataset.rows[(*row)?][column].number().map(Number::to_f64);
            let name =
                Some(lang.pick(&band.label)).filter(|label| !label.is_empty()).unwrap_or(&band.column).to_owned();
            bands.push(chart::Series { name, scenario: Scenario::Actual, values: rows.iter().map(value).collect() });
        }
        let message = self.fill(&chart.message, &block)?;
        let title = self.fill(&chart.title, &block)?;
        let mut spec = ChartSpec::new(chart.kind.as_str(), chart.id.as_str(), lang);
        // The page prints the message as a heading, so the drawing carries the title only.
        spec.title.clone_from(&title);
        spec.x_label = Some(lang.pick(&chart.x_label).to_owned()).filter(|label| !label.is_empty());
        spec.series_label = Some(lang.pick(&chart.series_label).to_owned()).filter(|label| !label.is_empty());
        spec.categories = grid.heads.iter().map(|head| category(head, lang)).collect();
        spec.time = time_axis(&grid.heads);
        spec.labels = labels;
        spec.series = series;
        spec.bands = bands;
        spec.zero = chart.zero;
        spec.unit = unit;
        if lines.iter().any(|(.., own)| own.is_some()) {
            spec.units = units;
        }
        spec.good = drawn_good(meaning.good);
        spec.width = width;
        spec.links = self.links(chart, dataset, &grid, &spec, &block)?;
        let draw = |spec: &ChartSpec| chart::draw(spec).map_err(|why| self.wrong(&block, &why.to_string()));
        let drawing = draw(&spec)?;
        // Labels that are legible across a page are not when the drawing shrinks to a telephone: that gets its own layout.
        spec.width = COMPACT_WIDTH;
        spec.id.push_str("-compact");
        let compact = draw(&spec)?;
        let dataset = dataset.name.clone();
        Ok(Chart { id: chart.id.value.clone(), title, message, dataset, drawing, compact })
    }

    fn table(&self, table: &report::TableBlock) -> Result<Table> {
        let lang = self.lang;
        let block = format!("table `{}`", *table.id);
        let dataset = self.dataset(&table.dataset, &block)?;
        let position = |name: &Option<Located<String>>| match name {
            Some(name) => self.column(dataset, name, &block).map(Some),
            None => Ok(None),
        };
        let total = position(&table.total)?;
        let ways = self.ways(table.drill.as_ref(), dataset, &block)?;
        let is_total = |row: &[Value]| total.is_some_and(|at| row[at] == Value::Boolean(true));

        let mut shapes = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            let at = self.column(dataset, &column.column, &block)?;
            let parts: Vec<Number> =
                dataset.rows.iter().filter(|row| !is_total(row)).filter_map(|row| row[at].number()).collect();
            let numeric = dataset.rows.iter().any(|row| matches!(row[at], Value::Number(_)));
            let meaning = Meaning::of(&column.format, self.model);
            let bars = column.bar.then(|| Bars::over(&parts));
            shapes.push(Shape {
                at,
                definition: column,
                numeric,
                unit: meaning.unit(&parts, lang),
                meaning,
                parts,
                bars,
            });
        }
        share_units(&mut shapes, lang);
        let columns = shapes
            .iter()
            .map(|shape| TableColumn {
                column: shape.definition.column.value.clone(),
                quantity: shape.unit.quantity,
                label: self.label(&shape.definition.label, &shape.definition.format, &shape.definition.column),
                unit: if shape.numeric && shape.unit.quantity != Quantity::Percent {
                    shape.unit.label(lang)
                } else {
                    String::new()
                },
                numeric: shape.numeric,
                bar: shape.bars.is_some(),
            })
            .collect();
        let rows = dataset
            .rows
            .iter()
            .map(|row| {
                let total = is_total(row);
                let mut cells: Vec<Cell> = shapes.iter().map(|shape| shape.cell(&row[shape.at], total, lang)).collect();
                // The name of the row carries the link: the first cell that holds text.
                let name = shapes.iter().position(|shape| !shape.numeric).unwrap_or(0);
                cells[name].link = ways.as_ref().and_then(|ways| self.way(ways, row));
                TableRow { total, cells }
            })
            .collect();
        Ok(Table {
            id: table.id.value.clone(),
            title: self.fill(&table.title, &block)?,
            message: self.fill(&table.message, &block)?,
            dataset: dataset.name.clone(),
            columns,
            rows,
        })
    }

    /// Where the rows of a dataset lead; `None` where there is no such way for this reader.
    fn ways<'b>(
        &'b self,
        drill: Option<&'b report::Drill>,
        dataset: &Dataset,
        block: &str,
    ) -> Result<Option<Ways<'b>>> {
        let Some(drill) = drill else { return Ok(None) };
        let own = self.report.name.as_str();
        let report = drill.report.as_ref().map_or(own, |name| name.as_str());
        let is_own = report == own;
        let closes = match self.open.get(report) {
            Some(period) => *period,
            None if is_own => parameter::closes(self.report),
            None => return Ok(None),
        };
        let source = |filling: &'b report::Filling| -> Result<Source<'b>> {
            Ok(match filling {
                report::Filling::Fixed(text) => Source::Fixed(text),
                report::Filling::Column { name, month_end } => {
                    let at = self.column(dataset, name, block)?;
                    let is_day = |row: &Vec<Value>| matches!(row[at], Value::Date(_) | Value::Null);
                    if *month_end && !dataset.rows.iter().all(is_day) {
                        return Err(self.wrong(block, &format!("`{{{}:end}}` needs a column of days", **name)));
                    }
                    Source::Column { at, month_end: *month_end }
                }
            })
        };
        let scope = drill.scope.as_ref().map(source).transpose()?;
        let mut set = Vec::with_capacity(drill.set.len());
        for (name, filling) in &drill.set {
            set.push((name.as_str(), source(filling)?));
        }
        Ok(Some(Ways { report, is_own, closes, scope, set }))
    }

    /// The address that a row leads to, with everything that its figure depends on: scope, as-of date, parameters, snapshot.
    /// `None` where it leads back to this page, to a scope that the reader may not see, or to a day that has no data yet or
    /// closes no period of the other report.
    fn way(&self, ways: &Ways<'_>, row: &[Value]) -> Option<String> {
        let is_carried = |one: &&report::Parameter| *one.name == "as_of" || (ways.is_own && self.is_said(one));
        let carried = self.report.parameters.iter().filter(is_carried);
        let mut pairs: Vec<(&str, String)> = carried
            .filter_map(|one| self.values.iter().find(|value| value.name == *one.name))
            .map(|value| (value.name.as_str(), value.text()))
            .collect();
        let here = pairs.clone();
        for (name, source) in &ways.set {
            let text = source.text(row)?;
            match pairs.iter_mut().find(|(known, _)| known == name) {
                Some(pair) => pair.1 = text,
                None => pairs.push((name, text)),
            }
        }
        let scope = match &ways.scope {
            Some(source) => source.text(row)?,
            None => self.scope.value.clone(),
        };
        let leads_back = ways.is_own && scope == self.scope.value && pairs == here;
        let is_there =
            |day: i32| day <= self.evidence.newest && ways.closes.is_none_or(|period| period.end(day) == day);
        let has_data = |(name, text): &(&str, String)| *name != "as_of" || calendar::parse(text).is_none_or(is_there);
        if leads_back || !pairs.iter().all(has_data) || self.scopes.iter().all(|choice| choice.value != scope) {
            return None;
        }
        pairs.push(("scope", scope));
        pairs.push((SNAPSHOT, self.evidence.snapshot.to_string()));
        Some(address(ways.report, &pairs))
    }

    /// Whether a parameter stands in the addresses of this page: what can be chosen, and what was given though it cannot.
    fn is_said(&self, parameter: &report::Parameter) -> bool {
        !parameter.hidden || self.given.contains(parameter.name.as_str())
    }

    /// Where the marks of a chart lead, in the order that its kind says.
    fn links(
        &self,
        chart: &report::Chart,
        dataset: &Dataset,
        grid: &Grid,
        spec: &ChartSpec,
        block: &str,
    ) -> Result<Vec<Option<String>>> {
        let ways = self.ways(chart.drill.as_ref(), dataset, block)?;
        let (Some(ways), Some(kind)) = (ways, chart::kinds::find(&spec.kind)) else { return Ok(Vec::new()) };
        let rows_of_marks: Vec<Vec<usize>> = match kind.linked(spec) {
            Linked::Categories => {
                let rows = |at: usize| grid.groups.iter().filter_map(|group| group.rows[at]).collect();
                (0..grid.heads.len()).map(rows).collect()
            }
            Linked::Series if chart.by.is_some() => {
                grid.groups.iter().map(|group| group.rows.iter().flatten().copied().collect()).collect()
            }
            Linked::Series => {
                return Err(
                    self.wrong(block, "its marks are series, so a drill needs a row for each: name them in `by`")
                );
            }
        };
        let link = |rows: &Vec<usize>| {
            let mut found: Vec<String> = rows.iter().filter_map(|row| self.way(&ways, &dataset.rows[*row])).collect();
            found.sort_unstable();
            found.dedup();
            let last = found.pop();
            match (&last, found.first()) {
                (Some(one), Some(other)) => {
                    Err(self.wrong(block, &format!("one mark leads to two places, `{other}` and `{one}`")))
                }
                _ => Ok(last),
            }
        };
        rows_of_marks.iter().map(link).collect()
    }
}

/// Where the rows of a dataset lead.
#[derive(Debug)]
struct Ways<'a> {
    report: &'a str,
    /// It is the page's own report.
    is_own: bool,
    /// The period whose last days it is there for.
    closes: Option<Period>,
    scope: Option<Source<'a>>,
    set: Vec<(&'a str, Source<'a>)>,
}

/// What a value of an address is taken from.
#[derive(Debug)]
enum Source<'a> {
    Fixed(&'a str),
    Column { at: usize, month_end: bool },
}

impl Source<'_> {
    /// The value for a row; `None` where the row holds none.
    fn text(&self, row: &[Value]) -> Option<String> {
        let text = match self {
            Self::Fixed(text) => (*text).to_owned(),
            Self::Column { at, month_end } => match &row[*at] {
                Value::Null => return None,
                Value::Date(day) if *month_end => calendar::iso(Period::Month.end(*day)),
                value => value.plain(),
            },
        };
        Some(text).filter(|text| !text.is_empty())
    }
}

/// A change against an earlier state of a figure. A difference of ratios is in points and has no percentage: a percent of a
/// percent misleads.
fn change(
    against: String,
    value: Option<Number>,
    base: Option<Number>,
    unit: NumberUnit,
    good: Good,
    lang: Lang,
) -> Change {
    let ratio = unit.quantity == Quantity::Percent;
    let difference = value.zip(base).and_then(|(value, base)| value.minus(base));
    let amount_unit = unit.difference();
    let relative = value.zip(base).filter(|_| !ratio).and_then(|(value, base)| value.change_from(base));
    let percent = (!ratio).then(|| {
        let unit = NumberUnit::plain(Quantity::Percent);
        relative.map_or_else(|| MISSING.to_owned(), |relative| figure::digits(relative, unit, Sign::Both, lang))
    });
    let amount =
        difference.map_or_else(|| MISSING.to_owned(), |number| figure::digits(number, amount_unit, Sign::Both, lang));
    // What prints as zero is no change: an arrow beside 0.00 would contradict it.
    let shown = difference.filter(|_| has_sign(&amount));
    Change {
        against,
        unit: if ratio && difference.is_some() { amount_unit.label(lang) } else { String::new() },
        percent,
        tone: tone(shown, good),
        direction: shown.map_or(0, Number::sign),
        amount,
        exact: [difference, relative],
    }
}

/// A signed number that is not printed as zero.
fn has_sign(text: &str) -> bool {
    text.starts_with(['+', '−'])
}

fn tone(change: Option<Number>, good: Good) -> Tone {
    match (change.map_or(0, Number::sign), good) {
        (0, _) | (_, Good::None) => Tone::Neutral,
        (1, Good::Up) | (-1, Good::Down) => Tone::Good,
        _ => Tone::Bad,
    }
}

/// How a column of a table is printed.
struct Shape<'a> {
    at: usize,
    definition: &'a report::TableColumn,
    numeric: bool,
    meaning: Meaning,
    unit: NumberUnit,
    /// Its numbers, without totals.
    parts: Vec<Number>,
    bars: Option<Bars>,
}

impl Shape<'_> {
    fn cell(&self, value: &Value, total: bool, lang: Lang) -> Cell {
        let variance = self.definition.variance;
        let mut cell = Cell { text: MISSING.to_owned(), tone: Tone::Neutral, bar: None, link: None };
        match value {
            // The name of a total row may be missing on purpose, a figure is never blank.
            Value::Null if !self.numeric || (total && self.definition.format.measure.is_none()) => cell.text.clear(),
            Value::Null => {}
            Value::Number(number) => {
                let sign = if variance { Sign::Both } else { Sign::Minus };
                cell.text = figure::digits(*number, self.unit, sign, lang);
                if variance && has_sign(&cell.text) {
                    cell.tone = tone(Some(*number), self.meaning.good);
                }
                cell.bar = self.bars.as_ref().filter(|_| !total).map(|bars| bars.bar(*number));
            }
            Value::Date(days) => cell.text = date_label(*days, lang),
            Value::Boolean(value) => {
                cell.text = locale::message(lang, if *value { "report-yes" } else { "report-no" }, &[]);
            }
            Value::Text(text) => cell.text.clone_from(text),
        }
        cell
    }
}

/// Amounts of one table stand in one unit where the larger of them sets it: a balance in 亿元 and its change in 万元 could
/// not be compared by eye. Columns of another quantity, and those with digits of their own, keep theirs.
fn share_units(shapes: &mut [Shape<'_>], lang: Lang) {
    let measure = |shape: &Shape<'_>| shape.definition.format.measure.as_ref().map(|path| path.value.clone());
    for at in 0..shapes.len() {
        if shapes[at].unit.quantity != Quantity::Money || measure(&shapes[at]).is_none() {
            continue;
        }
        let all: Vec<Number> = shapes
            .iter()
            .filter(|other| other.unit.quantity == Quantity::Money && measure(other) == measure(&shapes[at]))
            .flat_map(|other| other.parts.iter().copied())
            .collect();
        shapes[at].unit = shapes[at].meaning.unit(&all, lang);
    }
}

/// The scale that the bars of one column share. It always holds zero: a bar's length is its value.
struct Bars {
    low: f64,
    span: f64,
}

impl Bars {
    fn over(values: &[Number]) -> Self {
        let (low, high) = values
            .iter()
            .map(|value| value.to_f64())
            .fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        Self { low, span: high - low }
    }

    fn bar(&self, value: Number) -> Bar {
        let thousandths = |value: f64| -> u32 {
            let share = if self.span > 0.0 { (value - self.low) / self.span } else { 0.0 };
            // Rounded and within 0 to 1000, so the cast is exact.
            (share.clamp(0.0, 1.0) * 1000.0).round() as u32
        };
        let (end, axis) = (thousandths(value.to_f64()), thousandths(0.0));
        Bar { from: end.min(axis), length: end.abs_diff(axis), axis }
    }
}

fn controls(input: &Input<'_>) -> Vec<Control> {
    let lang = input.lang;
    let word = |key: &str| locale::message(lang, key, &[]);
    let mut controls = Vec::new();
    for parameter in input.report.parameters.iter().filter(|parameter| input.is_said(parameter)) {
        let Some(resolved) = input.values.iter().find(|value| value.name == *parameter.name) else { continue };
        let value = resolved.text();
        if parameter.hidden {
            controls.push(kept(&parameter.name, value));
            continue;
        }
        let label = Some(lang.pick(&parameter.label)).filter(|label| !label.is_empty()).unwrap_or(&parameter.name);
        let choice = |value: String, label: String| Choice { value, label };
        let mut choices: Vec<Choice> = match parameter.kind.as_str() {
            "as_of_date" => parameter::as_of_choices(parameter, input.evidence.newest)
                .into_iter()
                .map(|day| choice(calendar::iso(day), locale::format_date(lang, day)))
                .collect(),
            "choice" => parameter
                .choices
                .iter()
                .map(|(value, label)| choice(value.clone(), lang.pick(label).to_owned()))
                .collect(),
            "boolean" => [("true", "report-yes"), ("false", "report-no")]
                .map(|(of, key)| choice(of.to_owned(), word(key)))
                .into(),
            _ => Vec::new(),
        };
        // A value outside the usual choices, such as an as-of date of years ago, stays chosen.
        if !choices.is_empty() && choices.iter().all(|choice| choice.value != value) {
            choices.push(choice(value.clone(), value.clone()));
        }
        let kind = match parameter.kind.as_str() {
            "as_of_date" | "date" | "month" => "date",
            "integer" => "number",
            _ => "text",
        };
        controls.push(Control {
            name: parameter.name.value.clone(),
            label: label.to_owned(),
            value,
            choices,
            input: kind,
        });
    }
    controls.push(Control {
        name: "scope".to_owned(),
        label: word("report-scope"),
        value: input.scope.value.clone(),
        choices: input.scopes.clone(),
        input: "text",
    });
    controls.push(Control {
        name: "lang".to_owned(),
        label: word("report-language"),
        value: lang.tag().to_owned(),
        choices: Lang::ALL
            .into_iter()
            .map(|lang| Choice { value: lang.tag().to_owned(), label: locale::message(lang, "language-name", &[]) })
            .collect(),
        input: "text",
    });
    if input.given.contains(SNAPSHOT) {
        controls.push(kept(SNAPSHOT, input.evidence.snapshot.to_string()));
    }
    controls
}

/// What every address of the page keeps and its form does not show.
fn kept(name: &str, value: String) -> Control {
    Control { name: name.to_owned(), label: name.to_owned(), value, choices: Vec::new(), input: "hidden" }
}

fn category(value: &Value, lang: Lang) -> String {
    match value {
        Value::Null => MISSING.to_owned(),
        Value::Date(days) => date_label(*days, lang),
        other => other.plain(),
    }
}

/// The first day of a month stands for its month.
fn date_label(days: i32, lang: Lang) -> String {
    if Period::Month.start(days) == days { locale::format_month(lang, days) } else { locale::format_date(lang, days) }
}

/// Which row of a dataset stands at each category of each series.
#[derive(Debug)]
struct Grid {
    /// The categories.
    heads: Vec<Value>,
    groups: Vec<Group>,
}

/// The rows of one series, or of all where each column is one.
#[derive(Debug, PartialEq)]
struct Group {
    /// Where the values of a column make the series: its value.
    name: Option<String>,
    /// One per category.
    rows: Vec<Option<usize>>,
}

impl Grid {
    /// A row per category; with `by` a row per category and series, whichever come first.
    fn of(dataset: &Dataset, x: usize, by: Option<usize>, lang: Lang) -> Result<Self, String> {
        let Some(by) = by else {
            let rows = (0..dataset.rows.len()).map(Some).collect();
            let heads = dataset.rows.iter().map(|row| row[x].clone()).collect();
            return Ok(Self { heads, groups: vec![Group { name: None, rows }] });
        };
        let column = |at: usize| dataset.rows.iter().map(move |row| &row[at]);
        let (heads, names) = (distinct(column(x)), distinct(column(by)));
        let places = |values: &[Value]| -> HashMap<String, usize> {
            values.iter().enumerate().map(|(place, value)| (value.plain(), place)).collect()
        };
        let (of_head, of_name) = (places(&heads), places(&names));
        let mut groups: Vec<Group> = names
            .iter()
            .map(|name| Group { name: Some(category(name, lang)), rows: vec![None; heads.len()] })
            .collect();
        for (at, row) in dataset.rows.iter().enumerate() {
            let (head, name) = (of_head[&row[x].plain()], of_name[&row[by].plain()]);
            if groups[name].rows[head].replace(at).is_some() {
                let (x, by) = (&dataset.columns[x], &dataset.columns[by]);
                let (head, name) = (heads[head].plain(), names[name].plain());
                return Err(format!("`{}` has two rows with `{x}` {head} and `{by}` {name}", dataset.name));
            }
        }
        Ok(Self { heads, groups })
    }
}

/// Each value once: dates and numbers ascending, texts as they come first.
fn distinct<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<Value> {
    let mut seen = HashMap::new();
    let mut found: Vec<Value> = Vec::new();
    for value in values {
        seen.entry(value.plain()).or_insert_with(|| found.push(value.clone()));
    }
    let days = |value: &Value| match value {
        Value::Date(days) => Some(*days),
        _ => None,
    };
    if found.iter().all(|value| days(value).is_some()) {
        found.sort_by_key(|value| days(value));
    } else if found.iter().all(|value| value.number().is_some()) {
        let float = |value: &Value| value.number().map_or(f64::NAN, Number::to_f64);
        found.sort_by(|a, b| float(a).total_cmp(&float(b)));
    }
    found
}

/// The months or days behind the categories, when all are dates in ascending order; first days of months mean months.
fn time_axis(heads: &[Value]) -> Option<TimeAxis> {
    let days: Vec<i32> = heads
        .iter()
        .map(|head| match head {
            Value::Date(days) => Some(*days),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let ascending = days.windows(2).all(|pair| pair[0] < pair[1]);
    let months = days.iter().all(|day| Period::Month.start(*day) == *day);
    (ascending && !days.is_empty()).then_some(TimeAxis { grain: if months { Grain::Month } else { Grain::Day }, days })
}

fn drawn_good(good: Good) -> chart::Good {
    match good {
        Good::Up => chart::Good::Up,
        Good::Down => chart::Good::Down,
        Good::None => chart::Good::None,
    }
}

fn floats(dataset: &Dataset, column: usize) -> Vec<Option<f64>> {
    dataset.rows.iter().map(|row| row[column].number().map(Number::to_f64)).collect()
}

/// Blank lines part paragraphs; lines that start with `- ` make a list. Everything stays plain text, so nothing in it can
/// become markup.
fn prose(text: &str) -> Vec<Prose> {
    let mut parts = Vec::new();
    for part in text.replace("\r\n", "\n").split("\n\n").map(str::trim).filter(|part| !part.is_empty()) {
        let lines: Vec<&str> = part.lines().map(str::trim).collect();
        let items: Option<Vec<String>> =
            lines.iter().map(|line| line.strip_prefix("- ").map(|item| item.trim().to_owned())).collect();
        parts.push(match items {
            Some(items) => Prose::List(items),
            None => Prose::Paragraph(lines.join(" ")),
        });
    }
    parts
}

#[cfg(test)]
mod tests;
