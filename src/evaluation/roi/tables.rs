//! Cases and their results as tables of SQL. Cases that are shipped to read stand beside the recorded ones, without an
//! organisation; each of their readings is counted by itself.

use jiff::civil::Date;

use super::{
    Answer, CASE, Case, CaseResult, Category, Figures, Line, METHOD, RESULT, ReadingFigures, Simulated, Status,
    readings,
};
use crate::catalog::RecordRow;
use crate::evaluation::View;
use crate::evaluation::table::{Cell, Table, Type, both};
use crate::model::Label;
use crate::model::evaluation::roi::{Case as Shipped, Fact};

/// What Decimal(18,2) holds.
const LARGEST: f64 = 1e16;

/// An amount; null where it is larger than a column of money.
fn money(amount: f64) -> Cell {
    if amount.abs() < LARGEST { Cell::Money(amount) } else { Cell::Null }
}

/// A number and the code of why there is none.
fn answer(answer: &Answer) -> [Cell; 2] {
    [Cell::number(answer.value()), Cell::some_text(answer.reason())]
}

fn count(number: usize) -> Cell {
    Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A recorded case with its result, where there is one.
struct Recorded<'a> {
    row: &'a RecordRow,
    case: Case,
    result: Option<(&'a RecordRow, CaseResult)>,
    /// The result is that of the case as it stands.
    current: bool,
}

fn recorded(view: &View) -> Vec<Recorded<'_>> {
    let found = view.documents::<Case>(CASE).map(|(row, case)| {
        let result = view.record(RESULT, &row.id).zip(view.read::<CaseResult>(RESULT, &row.id));
        let current = result.as_ref().is_some_and(|(_, result)| result.holds_for(&case).unwrap_or(false));
        Recorded { row, case, result, current }
    });
    found.collect()
}

/// The shipped cases, each with its readings; one that cannot be counted has none.
fn shipped(view: &View) -> Vec<(&Shipped, Vec<ReadingFigures>)> {
    let model = &view.definitions.roi;
    model.cases.iter().map(|case| (case, readings(case, model).unwrap_or_default())).collect()
}

impl Recorded<'_> {
    fn key(&self) -> [Cell; 2] {
        [Cell::text(&self.row.id), Cell::text(&self.row.organisation)]
    }

    /// The conventions that are computed.
    fn views(&self) -> Vec<(&'static str, &Figures)> {
        let Some((_, result)) = &self.result else { return Vec::new() };
        let outlook = result.outlook.iter().map(|figures| ("outlook", figures));
        [("entered", &result.entered), ("adjusted", &result.adjusted)].into_iter().chain(outlook).collect()
    }
}

/// Its id, and no organisation.
fn key(case: &Shipped) -> [Cell; 2] {
    [Cell::text(&case.key), Cell::Null]
}

/// Number and first day of a period; no day where a shipped case has none.
fn period(case: &Case, no: usize, dated: bool) -> [Cell; 2] {
    let start: Option<Date> = dated.then(|| case.period_start(no));
    [count(no), Cell::day(start)]
}

/// A row from its parts.
fn row<const N: usize>(parts: [Vec<Cell>; N]) -> Vec<Cell> {
    parts.into_iter().flatten().collect()
}

fn case_rows(view: &View) -> Vec<Vec<Cell>> {
    let terms = |case: &Case| {
        vec![
            Cell::text(if case.terms.real { "real" } else { "nominal" }),
            Cell::Number(case.terms.rate),
            Cell::Number(case.terms.finance_rate.unwrap_or(case.terms.rate)),
            Cell::Number(case.terms.reinvest_rate.unwrap_or(case.terms.rate)),
            Cell::Number(case.terms.tax),
            Cell::Flag(case.terms.mid_period),
        ]
    };
    let own = recorded(view).into_iter().map(|one| {
        let Recorded { row: record, case, .. } = &one;
        let about = vec![
            Cell::text(&case.name),
            Cell::text(&case.name),
            Cell::text(&case.currency),
            Cell::day(Some(case.start)),
            Cell::text(case.period.as_str()),
            count(case.periods),
        ];
        let life = vec![
            Cell::Number(case.target_roi),
            count(case.draws),
            Cell::Integer(i64::try_from(case.seed).unwrap_or(i64::MAX)),
            Cell::text(case.status.as_str()),
            Cell::Null,
            Cell::Integer(record.version.into()),
            Cell::Flag(one.current),
            Cell::Integer(record.seq),
            Cell::text(&record.recorded_by),
            Cell::Time(record.recorded_at),
        ];
        row([one.key().to_vec(), about, terms(case), life])
    });
    let model = &view.definitions.roi;
    let read = model.cases.iter().map(|one| {
        let case = Case::shipped(one, None);
        let [name, name_en] = both(&one.name);
        let about = vec![
            name,
            name_en,
            Cell::text(&one.currency),
            Cell::day(one.start.map(|_| case.start)),
            Cell::text(case.period.as_str()),
            count(case.periods),
        ];
        let life = vec![
            Cell::Null,
            Cell::Null,
            Cell::Null,
            Cell::text(Status::Approved.as_str()),
            Cell::text(one.terms.basis.as_str()),
            Cell::Integer(model.version.into()),
            Cell::Flag(true),
            Cell::Null,
            Cell::Null,
            Cell::Null,
        ];
        row([key(one).to_vec(), about, terms(&case), life])
    });
    own.chain(read).collect()
}

/// Names of a line: its own, else its category's.
fn names(own: &str, category: Option<Category<'_>>) -> [Cell; 2] {
    match (own.trim(), category) {
        ("", Some(category)) => both(category.name()),
        (own, _) => [Cell::text(own), Cell::text(own)],
    }
}

fn line_cells(view: &View, line: &Line, names: [Cell; 2]) -> Vec<Cell> {
    let model = &view.definitions.roi;
    let category = Category::find(model, &line.category);
    let is_benefit = category.is_some_and(Category::is_benefit);
    let nobody = Label::new();
    let [category_name, category_name_en] = both(category.map_or(&nobody, Category::name));
    let counted = is_benefit.then(|| line.counted_grade());
    let haircut = model.grades.iter().find(|grade| counted == Some(grade.key.as_str())).map(|grade| grade.haircut);
    let [name, name_en] = names;
    vec![
        Cell::text(&line.line),
        Cell::Flag(is_benefit),
        Cell::text(&line.category),
        Cell::some_text(category.map(Category::code)),
        category_name,
        category_name_en,
        name,
        name_en,
        Cell::number(line.risk),
        Cell::some_text(line.grade.as_deref()),
        Cell::some_text(counted),
        Cell::number(haircut),
        Cell::number(line.share),
        Cell::number(line.converted),
        Cell::some_text(line.fact.as_deref()),
        Cell::some_text(line.statement.as_deref()),
        Cell::number(line.baseline),
        Cell::Flag(line.capital),
        line.depreciation_years.map_or(Cell::Null, |years| Cell::Integer(years.into())),
    ]
}

fn line_rows(view: &View) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for one in recorded(view) {
        for (at, line) in one.case.lines.iter().enumerate() {
            let result = one.result.as_ref().filter(|_| one.current).map(|(_, result)| result);
            let worth = result.and_then(|result| result.lines.get(at));
            let category = Category::find(&view.definitions.roi, &line.category);
            let end = vec![
                Cell::Null,
                Cell::Null,
                worth.map_or(Cell::Null, |worth| money(worth.entered)),
                worth.map_or(Cell::Null, |worth| money(worth.adjusted)),
                count(at + 1),
                Cell::Integer(one.row.seq),
            ];
            rows.push(row([one.key().to_vec(), line_cells(view, line, names(&line.name, category)), end]));
        }
    }
    for case in &view.definitions.roi.cases {
        for (at, line) in case.lines.iter().enumerate() {
            let end = vec![
                Cell::text(line.basis.as_str()),
                Cell::some_text(line.reading.as_ref().map(|reading| reading.as_str())),
                Cell::Null,
                Cell::Null,
                count(at + 1),
                Cell::Null,
            ];
            rows.push(row([key(case).to_vec(), line_cells(view, &Line::shipped(line), both(&line.name)), end]));
        }
    }
    rows
}

fn cash_rows(view: &View) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let mut add = |key: [Cell; 2], case: &Case, line: &Line, dated: bool| {
        let is_benefit = Category::find(&view.definitions.roi, &line.category).is_some_and(Category::is_benefit);
        for (no, likely) in line.likely.iter().enumerate() {
            let at = |list: &[f64]| list.get(no).map_or(Cell::Null, |amount| money(*amount));
            let end = vec![
                at(line.lowest()),
                money(*likely),
                at(line.highest()),
                line.came(no).map_or(Cell::Null, money),
                line.measured.get(no).copied().flatten().map_or(Cell::Null, money),
            ];
            let start = vec![Cell::text(&line.line), Cell::Flag(is_benefit)];
            rows.push(row([key.to_vec(), start, period(case, no, dated).to_vec(), end]));
        }
    };
    for one in recorded(view) {
        one.case.lines.iter().for_each(|line| add(one.key(), &one.case, line, true));
    }
    for case in &view.definitions.roi.cases {
        let own = Case::shipped(case, None);
        let lines = case.lines.iter().map(Line::shipped);
        lines.for_each(|line| add(key(case), &own, &line, case.start.is_some()));
    }
    rows
}

fn claim_rows(view: &View) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for one in recorded(view) {
        let case = &one.case;
        for line in &case.lines {
            let counted = line.share.unwrap_or(1.0) * line.converted.unwrap_or(1.0);
            let Some(fact) = line.fact.as_ref() else { continue };
            for (no, amount) in line.likely.iter().enumerate().filter(|(_, amount)| **amount != 0.0) {
                let start = vec![Cell::text(fact), Cell::text(&case.period_label(no))];
                let end = vec![Cell::text(&line.line), money(amount * counted), Cell::text(line.counted_grade())];
                rows.push(row([start, period(case, no, true).to_vec(), one.key().to_vec(), end]));
            }
        }
    }
    rows
}

fn correlation_rows(view: &View) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for one in recorded(view) {
        for pair in &one.case.correlations {
            let end = vec![Cell::text(&pair.line), Cell::text(&pair.other), Cell::Number(pair.rank)];
            rows.push(row([one.key().to_vec(), end]));
        }
    }
    rows
}

fn figure_cells(figures: &Figures) -> Vec<Cell> {
    let roots: Vec<String> = figures.irr_all.iter().map(|rate| format!("{:.4}%", rate * 100.0)).collect();
    let mut cells = vec![money(figures.pv_benefits), money(figures.pv_costs), money(figures.npv)];
    for one in [&figures.roi, &figures.roi_undiscounted, &figures.profitability_index, &figures.benefit_cost] {
        cells.extend(answer(one));
    }
    cells.push(Cell::text(&figures.irr_status));
    cells.extend(answer(&figures.irr));
    cells.push(Cell::text(&roots.join("; ")));
    let times =
        [&figures.payback, &figures.payback_last, &figures.discounted_payback, &figures.discounted_payback_last];
    for one in std::iter::once(&figures.mirr).chain(times) {
        cells.extend(answer(one));
    }
    cells
}

/// Cells of [`figure_cells`] for a point of the distribution: NPV and ROI alone.
fn point_cells(npv: f64, roi: Option<f64>) -> Vec<Cell> {
    let mut cells = vec![Cell::Null, Cell::Null, money(npv), Cell::number(roi)];
    cells.resize(25, Cell::Null);
    cells
}

/// What only the simulation knows.
fn chance_cells(found: Option<&Simulated>, reason: Option<&str>) -> Vec<Cell> {
    vec![
        Cell::number(found.map(|found| found.npv_positive.value)),
        Cell::number(found.map(|found| found.roi_reached.value)),
        found.map_or(Cell::Null, |found| money(found.shortfall.value)),
        found.map_or(Cell::Null, |found| count(found.without_irr)),
        Cell::some_text(reason),
    ]
}

fn result_rows(view: &View) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for one in recorded(view) {
        let Some((record, result)) = &one.result else { continue };
        let start = |view: &str| {
            let about = vec![
                Cell::text(view),
                Cell::Null,
                Cell::Integer(result.case_version.into()),
                Cell::Flag(one.current),
                Cell::text(&result.method),
                Cell::Integer(i64::try_from(result.seed).unwrap_or(i64::MAX)),
                count(result.draws),
            ];
            row([one.key().to_vec(), about])
        };
        let end = vec![Cell::Integer(record.seq), Cell::text(&record.recorded_by), Cell::Time(record.recorded_at)];
        for (view, figures) in one.views() {
            let expected = match view {
                "entered" => result.expected_entered.value(),
                "adjusted" => result.expected_adjusted.value(),
                _ => None,
            };
            // The draws are those of the adjusted convention.
            let (found, reason) = match view {
                "adjusted" => (result.simulation.as_ref(), result.simulation_reason.as_deref()),
                _ => (None, None),
            };
            let middle = vec![expected.map_or(Cell::Null, money), Cell::Null, Cell::Null];
            rows.push(row([
                start(view),
                figure_cells(figures),
                middle,
                chance_cells(found, reason),
                vec![Cell::Null],
                end.clone(),
            ]));
        }
        let Some(found) = &result.simulation else { continue };
        let roi = found.roi.as_ref();
        let points = [
            ("p10", found.npv.p10, roi.map(|roi| roi.p10)),
            ("p50", found.npv.p50, roi.map(|roi| roi.p50)),
            ("p90", found.npv.p90, roi.map(|roi| roi.p90)),
            ("mean", found.npv.mean, roi.map(|roi| roi.mean)),
        ];
        for (view, npv, roi) in points {
            let errors = vec![Cell::Null, money(npv.error), Cell::number(roi.map(|roi| roi.error))];
            rows.push(row([
                start(view),
                point_cells(npv.value, roi.map(|roi| roi.value)),
                errors,
                chance_cells(None, None),
                vec![Cell::Null],
                end.clone(),
            ]));
        }
    }
    for (case, found) in shipped(view) {
        for one in found {
            let about = vec![
                Cell::text("entered"),
                Cell::some_text(one.reading.as_deref()),
                Cell::Integer(view.definitions.roi.version.into()),
                Cell::Flag(true),
                Cell::text(METHOD),
                Cell::Null,
                Cell::Null,
            ];
            rows.push(row([
                key(case).to_vec(),
                about,
                figure_cells(&one.figures),
                vec![Cell::Null, Cell::Null, Cell::Null],
                chance_cells(None, None),
                vec![Cell::number(one.attribution.value())],
                vec![Cell::Null, Cell::Null, Cell::Null],
            ]));
        }
    }
    rows
}

fn flow_rows(view: &View) -> Vec<Vec<Cell>> {
    fn add(rows: &mut Vec<Vec<Cell>>, start: &[Cell], case: &Case, dated: bool, figures: &Figures) {
        for (no, flow) in figures.flows.iter().enumerate() {
            let end = [flow.benefits, flow.costs, flow.tax, flow.net, flow.discounted, flow.cumulative].map(money);
            rows.push(row([start.to_vec(), period(case, no, dated).to_vec(), end.to_vec()]));
        }
    }
    let mut rows = Vec::new();
    for one in recorded(view) {
        for (view, figures) in one.views() {
            let start = row([one.key().to_vec(), vec![Cell::text(view), Cell::Null]]);
            add(&mut rows, &start, &one.case, true, figures);
        }
    }
    for (case, found) in shipped(view) {
        for one in found {
            let about = vec![Cell::text("entered"), Cell::some_text(one.reading.as_deref())];
            add(&mut rows, &row([key(case).to_vec(), about]), &one.case, case.start.is_some(), &one.figures);
        }
    }
    rows
}

/// Rows of every result, from what it holds.
fn of_results(view: &View, cells: impl Fn(&CaseResult) -> Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for one in recorded(view) {
        let Some((_, result)) = &one.result else { continue };
        rows.extend(cells(result).into_iter().map(|cells| row([one.key().to_vec(), cells])));
    }
    rows
}

fn swing_rows(view: &View) -> Vec<Vec<Cell>> {
    of_results(view, |result| {
        let Some(found) = &result.simulation else { return Vec::new() };
        let likely = found.npv_likely;
        let bars = found.tornado.iter().zip(1..).map(|(bar, place)| {
            vec![
                Cell::text(&bar.line),
                Cell::Integer(place),
                money(likely),
                money(bar.at_p10),
                money(bar.at_p90),
                money(bar.at_p10 - likely),
                money(bar.at_p90 - likely),
            ]
        });
        bars.collect()
    })
}

fn profile_rows(view: &View) -> Vec<Vec<Cell>> {
    of_results(view, |result| {
        let points = result.profile.iter().flat_map(|point| {
            [("entered", point.entered), ("adjusted", point.adjusted)]
                .map(|(view, npv)| vec![Cell::text(view), Cell::Number(point.rate), money(npv)])
        });
        points.collect()
    })
}

fn scenario_rows(view: &View) -> Vec<Vec<Cell>> {
    of_results(view, |result| {
        let scenarios = result.scenarios.iter().zip(1..).flat_map(|(one, place)| {
            [("entered", one.npv_entered, &one.roi_entered), ("adjusted", one.npv_adjusted, &one.roi_adjusted)].map(
                |(view, npv, roi)| {
                    let [roi, reason] = answer(roi);
                    let name = Cell::text(&one.name);
                    let (place, probability) = (Cell::Integer(place), Cell::Number(one.probability));
                    vec![Cell::text(view), name, place, probability, money(npv), roi, reason]
                },
            )
        });
        scenarios.collect()
    })
}

fn break_even_rows(view: &View) -> Vec<Vec<Cell>> {
    of_results(view, |result| {
        let drivers = result.break_even.iter().map(|one| {
            let [factor, reason] = answer(&one.factor);
            vec![Cell::some_text(one.line.as_deref()), Cell::Flag(one.benefit), factor, reason]
        });
        drivers.collect()
    })
}

fn review_rows(view: &View) -> Vec<Vec<Cell>> {
    of_results(view, |result| {
        let lines = result.tracking.iter().map(|one| {
            let amounts = [one.planned, one.actual, one.effect].map(money);
            row([vec![Cell::text(&one.line), count(one.known)], amounts.to_vec()])
        });
        let whole = result.effect.map(|effect| vec![Cell::Null, Cell::Null, Cell::Null, Cell::Null, money(effect)]);
        lines.chain(whole).collect()
    })
}

fn fact_rows(view: &View) -> Vec<Vec<Cell>> {
    let fact = |case: &Shipped, reading: Option<&str>, fact: &Fact| {
        let [name, name_en] = both(&fact.name);
        let about = vec![
            Cell::some_text(reading),
            Cell::text(&fact.key),
            name,
            name_en,
            Cell::Number(fact.value),
            Cell::text(&fact.unit),
            Cell::some_text(fact.bound.as_deref()),
            Cell::text(fact.basis.as_str()),
        ];
        row([key(case).to_vec(), about])
    };
    let mut rows = Vec::new();
    for case in &view.definitions.roi.cases {
        rows.extend(case.facts.iter().map(|one| fact(case, None, one)));
        for reading in &case.readings {
            rows.extend(reading.results.iter().map(|one| fact(case, Some(reading.key.as_str()), one)));
        }
    }
    rows
}

fn reading_rows(view: &View) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for case in &view.definitions.roi.cases {
        for (reading, place) in case.readings.iter().zip(1..) {
            let about = vec![Cell::text(&reading.key), Cell::Integer(place)];
            let arithmetic = vec![Cell::text(&reading.arithmetic)];
            let (name, assumes) = (both(&reading.name).to_vec(), both(&reading.assumes).to_vec());
            rows.push(row([key(case).to_vec(), about, name, assumes, arithmetic]));
        }
    }
    rows
}

pub(in crate::evaluation) const TABLES: &[Table] = &[
    Table {
        name: "roi_case",
        description: "Cases of return on investment with their terms; those without an organisation are shipped to read",
        columns: &[
            ("case_id", Type::Text),
            ("organisation", Type::Text),
            ("name", Type::Text),
            ("name_en", Type::Text),
            ("currency", Type::Text),
            ("start", Type::Day),
            ("period", Type::Text),
            ("periods", Type::Integer),
            ("rates", Type::Text),
            ("rate", Type::Number),
            ("finance_rate", Type::Number),
            ("reinvest_rate", Type::Number),
            ("tax", Type::Number),
            ("mid_period", Type::Flag),
            ("target_roi", Type::Number),
            ("draws", Type::Integer),
            ("seed", Type::Integer),
            ("status", Type::Text),
            ("basis", Type::Text),
            ("version", Type::Integer),
            ("is_computed", Type::Flag),
            ("seq", Type::Integer),
            ("recorded_by", Type::Text),
            ("recorded_at", Type::Time),
        ],
        rows: case_rows,
    },
    Table {
        name: "roi_line",
        description: "Costs and benefits of cases, with the grade that counts and their part of the net present value",
        columns: &[
            ("case_id", Type::Text),
            ("organisation", Type::Text),
            ("line", Type::Text),
            ("is_benefit", Type::Flag),
            ("category", Type::Text),
            ("code", Type::Text),
            ("category_name", Type::Text),
            ("category_name_en", Type::Text),
            ("name", Type::Text),
            ("name_en", Type::Text),
            ("risk", Type::Number),
            ("grade", Type::Text),
            ("counted_grade", Type::Text),
            ("haircut", Type::Number),
            ("share", Type::Number),
            ("converted", Type::Number),
            ("fact", Type::Text),
            ("statement", Type::Text),
            ("baseline", Type::Number),
            ("is_capital", Type::Flag),
            ("depreciation_years", Type::Integer),
            ("basis", Type::Text),
            ("reading", Type::Text),
            ("worth_entered", Type::Money),
            ("worth_adjusted", Type::Money),
            ("position", Type::Integer),
            ("seq", Type::Integer),
        ],
        rows: line_rows,
    },
    Table {
        name: "roi_cash",
        description: "Amounts of lines by period as they were typed: low, likely, high, and what came",
        columns: &[
            ("case_id", Type::Text),
            ("organisation", Type::Text),
            ("line", Type::Text),
            ("is_benefit", Type::Flag),
            ("period_no", Type::Integer),
            ("period_start", Type::Day),
            ("low", Type::Money),
            ("likely", Type::Money),
            ("high", Type::Money),
            ("actual", Type::Money),
            ("measured", Type::Money),
        ],
        rows: cash_rows,
    },
    Table {
        name: "roi_correlation",
        description: "Rank correlations of lines",
        columns: &[
            ("case_id", Type::Text),
            ("organisation", Type::Text),
            ("line", Type::Text),
            ("other", Type::Text),
            ("rank_correlation", Type::Number),
        ],
        rows: correlation_rows,
    },
    Table {
        name: "roi_claim",
        description: "What benefits claim of measured facts; a fact feeds one line in a month",
        columns: &[
            ("fact", Type::Text),
            ("period", Type::Text),
            ("period_no", Type::Integer),
            ("period_start", Type::Day),
            ("case_id", Type::Text),
            ("organisation", Type::Text),
            ("line", Type::Text),
            ("amount", Type::Money),
            ("grade", Type::Text),
        ],
        rows: claim_rows,
    },
    Table {
        name: "roi_result",
        description: "Figures of cases by view: entered, adjusted, outlook; p10, p50, p90 and mean of the draws",
        columns: &[
            ("case_id", Type::Text),
            ("organisation", Type::Text),
            ("view", Type::Text),
            ("reading", Type::Text),
            ("case_version", Type::Integer),
            ("is_current", Type::Flag),
            ("method", Type::Text),
            ("seed", Type::Integer),
            ("draws", Type::Integer),
            ("pv_benefits", Type::Money),
            ("pv_costs", Type::Money),
            ("npv", Type::Money),
            ("roi", Type::Number),
            ("roi_reason", Type::Text),
            ("roi_undiscounted", Type::Number),
            ("roi_undiscounted_reason", Type::Text),
            ("profitability_index", Type::Number),
            ("profitability_index_reason", Type::Text),
            ("benefit_cost", Type::Number),
            ("benefit_cost_reason", Type::Text),
            ("irr_status", Type::Text),
            ("irr", Type::Number),
            ("irr_reason", Type::Text),
            ("irr_all", Type::Text),
            ("mirr", Type::Number),
            ("mirr_reason", Type::Text),
            ("payback", Type::Number),
            ("payback_reason", Type::Text),
            ("payback_last", Type::Number),
            ("payback_last_reason", Type::Text),
            ("discounted_payback", Type::Number),
            ("discounted_payback_reason", Type::Text),
            ("discounted_payback_last", Type::Number),
            ("discounted_payback_last_reason", Type::Text),
            ("expected_npv", Type::Money),
            ("npv_error", Type::Money),
            ("roi_error", Type::Number),
            ("npv_positive", Type::Number),
            ("roi_reached", Type::Number),
            ("shortfall", Type::Money),
            ("without_irr", Type::Integer),
            ("simulation_reason", Type::Text),
            ("attribution_needed", Type::Number),
            ("seq", Type::Integer),
            ("recorded_by", Type::Text),
            ("recorded_at", Type::Time),
        ],
        rows: result_rows,
    },
    Table {
        name: "roi_flow",
        description: "Flows of cases by view and period: benefits, costs, tax, net, discounted and cumulative",
        columns: &[
            ("case_id", Type::Text),
            ("organisation", Type::Text),
            ("view", Type::Text),
            ("reading", Type::Text),
            ("period_no", Type::Integer),
            ("period_start", Type::Day),
            ("benefits", Type::Money),
            ("costs", Type::Money),
            ("tax", Type::Money),
            ("net", Type::Money),
            ("discounted", Type::Money),
            ("cumulative", Type::Money),
        ],
        rows: flow_rows,
    },
    Table {
        name: "roi_swing",
        description: "The tornado: adjusted net present value with one line at its P10 and at its P90",
        columns: &[
            ("case_id", Type::Text),
            ("organisation", Type::Text),
            ("line", Type::Text),
            ("place", Type::Integer),
            ("npv_likely", Type::Money),
            ("npv_p10", Type::Money),
            ("npv_p90", Type::Money),
            ("effect_p10", Type::Money),
            ("effect_p90", Type::Money),
        ],
        rows: swing_rows,
    },
    Table {
        name: "roi_profile",
        description: "Net present value by discount rate",
        columns: &[
            ("case_id", Type::Text),
            ("organisation", Type::Text),
            ("view", Type::Text),
            ("rate", Type::Number),
            ("npv", Type::Money),
        ],
        rows: profile_rows,
    },
    Table {
        name: "roi_scenario",
        description: "Figures of the scenarios of cases",
        columns: &[
            ("case_id", Type::Text),
            ("organisation", Type::Text),
            ("view", Type::Text),
            ("scenario", Type::Text),
            ("position", Type::Integer),
            ("probability", Type::Number),
            ("npv", Type::Money),
            ("roi", Type::Number),
            ("roi_reason", Type::Text),
        ],
        rows: scenario_rows,
    },
    Table {
        name: "roi_break_even",
        description: "Factors on lines, and on all benefits or costs, at which the adjusted net present value is 0",
        columns: &[
            ("case_id", Type::Text),
            ("organisation", Type::Text),
            ("line", Type::Text),
            ("is_benefit", Type::Flag),
            ("factor", Type::Number),
            ("factor_reason", Type::Text),
        ],
        rows: break_even_rows,
    },
    Table {
        name: "roi_review",
        description: "Lines against their plan in the periods that have an actual; without a line: all of them",
        columns: &[
            ("case_id", Type::Text),
            ("organisation", Type::Text),
            ("line", Type::Text),
            ("periods_known", Type::Integer),
            ("planned", Type::Money),
            ("actual", Type::Money),
            ("effect", Type::Money),
        ],
        rows: review_rows,
    },
    Table {
        name: "roi_fact",
        description: "What the sources of shipped cases state, and what was added to show the arithmetic",
        columns: &[
            ("case_id", Type::Text),
            ("organisation", Type::Text),
            ("reading", Type::Text),
            ("fact", Type::Text),
            ("name", Type::Text),
            ("name_en", Type::Text),
            ("value", Type::Number),
            ("unit", Type::Text),
            ("bound", Type::Text),
            ("basis", Type::Text),
        ],
        rows: fact_rows,
    },
    Table {
        name: "roi_reading",
        description: "Ways to understand the figures of shipped cases, and what each takes for granted",
        columns: &[
            ("case_id", Type::Text),
            ("organisation", Type::Text),
            ("reading", Type::Text),
            ("position", Type::Integer),
            ("name", Type::Text),
            ("name_en", Type::Text),
            ("assumes", Type::Text),
            ("assumes_en", Type::Text),
            ("arithmetic", Type::Text),
        ],
        rows: reading_rows,
    },
];
