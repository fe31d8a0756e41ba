//! Outcome as tables of SQL.

use super::{
    ACTION, Action, Entry, Goal, ISSUE, Issue, Judged, Ledger, Light, Pace, Period, Score, TARGET, Targets, VALUE,
    Values, code, light_of,
};
use crate::evaluation::table::{Cell, Table, Type, both};
use crate::model::evaluation::scorecard::{Direction, Frequency, Kpi};

/// A count as a cell.
fn count(number: usize) -> Cell {
    Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn light(light: Option<Light>) -> Cell {
    Cell::some_text(light.map(Light::as_str))
}

/// A period with its first and last day.
fn period(period: Period) -> [Cell; 3] {
    [Cell::Text(period.to_string()), Cell::Day(period.start()), Cell::Day(period.end())]
}

pub(in crate::evaluation) const TABLES: &[Table] = &[
    Table {
        name: "kpi",
        description: "The KPIs of the library, with their formula in words and the statement that measures them, if there is one",
        columns: &[
            ("position", Type::Integer),
            ("kpi", Type::Text),
            ("name", Type::Text),
            ("name_en", Type::Text),
            ("unit", Type::Text),
            ("direction", Type::Text),
            ("tolerance", Type::Number),
            ("frequency", Type::Text),
            ("formula", Type::Text),
            ("formula_en", Type::Text),
            ("owner", Type::Text),
            ("owner_en", Type::Text),
            ("yellow_from", Type::Number),
            ("is_measured", Type::Flag),
            ("statement", Type::Text),
        ],
        rows: |view| {
            let statements = &view.definitions.statements.kpis;
            let line = |(kpi, position): (&Kpi, i64)| {
                let ([name, name_en], [formula, formula_en]) = (both(&kpi.name), both(&kpi.formula));
                let [owner, owner_en] = both(&kpi.owner);
                let statement = statements.get(kpi.key.as_str());
                let (direction, tolerance) = match kpi.direction {
                    Direction::Higher => ("higher", None),
                    Direction::Lower => ("lower", None),
                    Direction::Range { tolerance } => ("range", Some(tolerance)),
                };
                let frequency = match kpi.frequency {
                    Frequency::Month => "month",
                    Frequency::Quarter => "quarter",
                    Frequency::HalfYear => "half_year",
                    Frequency::Year => "year",
                };
                vec![
                    Cell::Integer(position),
                    Cell::text(&kpi.key),
                    name,
                    name_en,
                    Cell::text(&kpi.unit),
                    Cell::text(direction),
                    Cell::number(tolerance),
                    Cell::text(frequency),
                    formula,
                    formula_en,
                    owner,
                    owner_en,
                    Cell::Number(kpi.yellow),
                    Cell::Flag(statement.is_some()),
                    Cell::some_text(statement.map(|statement| statement.as_str())),
                ]
            };
            view.definitions.library.kpis.iter().zip(1..).map(line).collect()
        },
    },
    Table {
        name: "scorecard",
        description: "Scorecards over the KPIs, and where each comes from",
        columns: &[
            ("scorecard", Type::Text),
            ("version", Type::Integer),
            ("name", Type::Text),
            ("name_en", Type::Text),
            ("origin", Type::Text),
            ("origin_en", Type::Text),
            ("standing", Type::Text),
            ("to_be_confirmed", Type::Flag),
            ("is_default", Type::Flag),
        ],
        rows: |view| {
            let library = &view.definitions.library;
            let lines = library.scorecards.iter().map(|card| {
                let ([name, name_en], [origin, origin_en]) = (both(&card.name), both(&card.origin));
                vec![
                    Cell::text(&card.key),
                    Cell::Integer(library.version.into()),
                    name,
                    name_en,
                    origin,
                    origin_en,
                    Cell::text(card.standing.as_str()),
                    Cell::Flag(card.to_be_confirmed),
                    Cell::Flag(card.is_default),
                ]
            });
            lines.collect()
        },
    },
    Table {
        name: "scorecard_kpi",
        description: "Which KPIs count in which perspective of a scorecard, and with what weight, in order",
        columns: &[
            ("scorecard", Type::Text),
            ("position", Type::Integer),
            ("perspective", Type::Text),
            ("perspective_name", Type::Text),
            ("perspective_name_en", Type::Text),
            ("question", Type::Text),
            ("question_en", Type::Text),
            ("perspective_weight", Type::Number),
            ("kpi", Type::Text),
            ("weight", Type::Number),
        ],
        rows: |view| {
            let mut rows = Vec::new();
            for card in &view.definitions.library.scorecards {
                let all = card.perspectives.iter().flat_map(|one| one.kpis.iter().map(move |kpi| (one, kpi)));
                for ((perspective, (kpi, weight)), position) in all.zip(1..) {
                    let [name, name_en] = both(&perspective.name);
                    let [question, question_en] = both(&perspective.question);
                    rows.push(vec![
                        Cell::text(&card.key),
                        Cell::Integer(position),
                        Cell::text(&perspective.key),
                        name,
                        name_en,
                        question,
                        question_en,
                        Cell::Number(perspective.weight.value),
                        Cell::text(kpi),
                        Cell::Number(weight.value),
                    ]);
                }
            }
            rows
        },
    },
    Table {
        name: "kpi_target",
        description: "What each KPI is to reach, by organisation and period: a target, or the ends of a range",
        columns: &[
            ("kpi", Type::Text),
            ("organisation", Type::Text),
            ("period", Type::Text),
            ("period_start", Type::Day),
            ("period_end", Type::Day),
            ("target", Type::Number),
            ("target_low", Type::Number),
            ("target_high", Type::Number),
            ("tolerance", Type::Number),
            ("baseline", Type::Number),
            ("recorded_by", Type::Text),
            ("recorded_at", Type::Time),
        ],
        rows: |view| {
            let mut rows = Vec::new();
            for (row, one) in view.documents::<Targets>(TARGET) {
                for (name, target) in &one.targets {
                    let Some(of) = Period::parse(name) else { continue };
                    let [text, start, end] = period(of);
                    rows.push(vec![
                        Cell::text(&one.kpi),
                        Cell::text(&one.organisation),
                        text,
                        start,
                        end,
                        Cell::number(target.target),
                        Cell::number(target.low),
                        Cell::number(target.high),
                        Cell::number(target.tolerance),
                        Cell::number(one.baseline),
                        Cell::text(&row.recorded_by),
                        Cell::Time(row.recorded_at),
                    ]);
                }
            }
            rows
        },
    },
    Table {
        name: "kpi_value",
        description: "What each KPI came to, by organisation and period, where the value comes from, and its target, attainment \
                      (0..1.2) and light",
        columns: &[
            ("kpi", Type::Text),
            ("organisation", Type::Text),
            ("period", Type::Text),
            ("period_start", Type::Day),
            ("period_end", Type::Day),
            ("value", Type::Number),
            ("numerator", Type::Number),
            ("denominator", Type::Number),
            ("source", Type::Text),
            ("entered_by_hand", Type::Flag),
            ("evidence", Type::Text),
            ("target", Type::Number),
            ("target_low", Type::Number),
            ("target_high", Type::Number),
            ("attainment", Type::Number),
            ("light", Type::Text),
            ("snapshot_id", Type::Integer),
            ("query_id", Type::Text),
            ("recorded_by", Type::Text),
            ("recorded_at", Type::Time),
        ],
        rows: |view| {
            let ledger = Ledger::read(view);
            let mut rows = Vec::new();
            for (row, one) in view.documents::<Values>(VALUE) {
                let Some(kpi) = view.definitions.library.kpi(&one.kpi) else { continue };
                for (name, entry) in &one.values {
                    let judged = Period::parse(name).and_then(|of| ledger.judged(&one.organisation, kpi, of, entry));
                    let Some(judged) = judged else { continue };
                    let mut line = vec![Cell::text(&one.kpi), Cell::text(&one.organisation)];
                    line.extend(value_cells(&judged));
                    line.extend([Cell::text(&row.recorded_by), Cell::Time(row.recorded_at)]);
                    rows.push(line);
                }
            }
            rows
        },
    },
    Table {
        name: "scorecard_score",
        description: "Scores of each scorecard by organisation and month, of each perspective and (without one) of the whole, with \
                      the share of the weight that has a value",
        columns: &[
            ("scorecard", Type::Text),
            ("organisation", Type::Text),
            ("period", Type::Text),
            ("period_start", Type::Day),
            ("period_end", Type::Day),
            ("perspective", Type::Text),
            ("score", Type::Number),
            ("covered_weight", Type::Number),
            ("light", Type::Text),
        ],
        rows: |view| {
            let ledger = Ledger::read(view);
            let mut rows = Vec::new();
            for organisation in ledger.organisations() {
                for month in ledger.months(organisation) {
                    for card in &view.definitions.library.scorecards {
                        let Some(scored) = ledger.score(card, organisation, month) else { continue };
                        let keys = card.perspectives.iter().map(|perspective| Some(perspective.key.as_str()));
                        let parts = keys.zip(&scored.perspectives).chain([(None, &scored.total)]);
                        for (perspective, score) in parts.filter(|(_, score)| score.covered_weight > 0.0) {
                            let mut line = vec![Cell::text(&card.key), Cell::text(organisation)];
                            line.extend(period(month));
                            line.push(Cell::some_text(perspective));
                            line.extend(score_cells(score));
                            rows.push(line);
                        }
                    }
                }
            }
            rows
        },
    },
    Table {
        name: "source_score",
        description: "Scores by source of the evaluation (surveys, business data, staff, experts) by organisation and month, and \
                      (without one) of the whole by the sources' weights",
        columns: &[
            ("organisation", Type::Text),
            ("period", Type::Text),
            ("period_start", Type::Day),
            ("period_end", Type::Day),
            ("source", Type::Text),
            ("name", Type::Text),
            ("name_en", Type::Text),
            ("weight", Type::Number),
            ("score", Type::Number),
            ("covered_weight", Type::Number),
            ("light", Type::Text),
        ],
        rows: |view| {
            let ledger = Ledger::read(view);
            let mut rows = Vec::new();
            for organisation in ledger.organisations() {
                for month in ledger.months(organisation) {
                    let Some((scores, whole)) = ledger.by_source(organisation, month) else { continue };
                    let sources = view.definitions.library.sources.iter().map(|source| {
                        let [name, name_en] = both(&source.name);
                        [Cell::text(&source.key), name, name_en, Cell::Number(source.weight.value)]
                    });
                    let total = [Cell::Null, Cell::Null, Cell::Null, Cell::Null];
                    let parts = sources.zip(&scores).chain([(total, &whole)]);
                    for (source, score) in parts.filter(|(_, score)| score.covered_weight > 0.0) {
                        let mut line = vec![Cell::text(organisation)];
                        line.extend(period(month));
                        line.extend(source);
                        line.extend(score_cells(score));
                        rows.push(line);
                    }
                }
            }
            rows
        },
    },
    Table {
        name: "kpi_progress",
        description: "How far the months so far have come towards a yearly target of what adds up, against the time that has passed; \
                      without a figure where a month is missing",
        columns: &[
            ("kpi", Type::Text),
            ("organisation", Type::Text),
            ("year", Type::Text),
            ("through", Type::Day),
            ("months", Type::Integer),
            ("actual", Type::Number),
            ("target", Type::Number),
            ("completion", Type::Number),
            ("elapsed", Type::Number),
            ("gap", Type::Number),
            ("pace", Type::Text),
            ("reason", Type::Text),
        ],
        rows: |view| {
            let ledger = Ledger::read(view);
            let line = |one: super::Pacing<'_>| {
                let progress = one.progress.ok();
                let pace = |pace: Pace| match pace {
                    Pace::Ahead => "ahead",
                    Pace::Level => "level",
                    Pace::Behind => "behind",
                };
                vec![
                    Cell::text(&one.kpi.key),
                    Cell::text(one.organisation),
                    Cell::Text(one.year.to_string()),
                    Cell::Day(one.through.end()),
                    count(one.months),
                    Cell::Number(one.actual),
                    Cell::Number(one.target),
                    Cell::number(progress.map(|progress| progress.completion)),
                    Cell::number(progress.map(|progress| progress.elapsed)),
                    Cell::number(progress.map(|progress| progress.gap)),
                    Cell::some_text(progress.map(|progress| pace(progress.pace))),
                    Cell::some_text(one.progress.err()),
                ]
            };
            ledger.pacings().into_iter().map(line).collect()
        },
    },
    Table {
        name: "kpi_effect",
        description: "Each KPI before and after the go-live of an organisation's project: step and change of trend with 95 % intervals, \
                      or the reason why it is descriptive only; and the change less that of branches without a go-live",
        columns: &[
            ("kpi", Type::Text),
            ("organisation", Type::Text),
            ("project", Type::Text),
            ("go_live", Type::Day),
            ("periods_before", Type::Integer),
            ("periods_after", Type::Integer),
            ("mean_before", Type::Number),
            ("mean_after", Type::Number),
            ("step", Type::Number),
            ("step_low", Type::Number),
            ("step_high", Type::Number),
            ("trend_change", Type::Number),
            ("trend_change_low", Type::Number),
            ("trend_change_high", Type::Number),
            ("lags", Type::Integer),
            ("reason", Type::Text),
            ("compared_branches", Type::Integer),
            ("compared_change", Type::Number),
        ],
        rows: |view| {
            let ledger = Ledger::read(view);
            let line = |one: super::Effect<'_>| {
                let series = one.series.as_ref().ok();
                let sure = series.and_then(|series| series.inference.as_ref().ok());
                let failure = one.series.as_ref().map_or_else(Some, |series| series.inference.as_ref().err());
                let [_, _, step, trend] = series.map(|series| series.coefficients.map(Some)).unwrap_or_default();
                vec![
                    Cell::text(&one.kpi.key),
                    Cell::text(&one.organisation),
                    Cell::text(&one.project),
                    Cell::Day(one.go_live.start()),
                    count(one.before),
                    count(one.after),
                    Cell::number(series.map(|series| series.mean_before)),
                    Cell::number(series.map(|series| series.mean_after)),
                    Cell::number(step),
                    Cell::number(sure.map(|sure| sure.level.low)),
                    Cell::number(sure.map(|sure| sure.level.high)),
                    Cell::number(trend),
                    Cell::number(sure.map(|sure| sure.slope.low)),
                    Cell::number(sure.map(|sure| sure.slope.high)),
                    sure.map_or(Cell::Null, |sure| count(sure.lags)),
                    Cell::some_text(failure.map(code)),
                    one.comparison.map_or(Cell::Null, |(branches, _)| count(branches)),
                    Cell::number(one.comparison.map(|(_, change)| change)),
                ]
            };
            ledger.effects().into_iter().map(line).collect()
        },
    },
    Table {
        name: "issue",
        description: "Issues that missed targets led to: where the drill went, whose they are, and their cause",
        columns: &[
            ("issue", Type::Text),
            ("organisation", Type::Text),
            ("title", Type::Text),
            ("kpi", Type::Text),
            ("period", Type::Text),
            ("path", Type::Text),
            ("explained_share", Type::Number),
            ("department", Type::Text),
            ("person", Type::Text),
            ("cause", Type::Text),
            ("cause_name", Type::Text),
            ("cause_name_en", Type::Text),
            ("whys", Type::Text),
            ("previous", Type::Text),
            ("status", Type::Text),
            ("recorded_by", Type::Text),
            ("recorded_at", Type::Time),
        ],
        rows: |view| {
            let causes = &view.definitions.library.causes;
            let lines = view.documents::<Issue>(ISSUE).map(|(row, one)| {
                let cause = causes.iter().find(|cause| *cause.key == *one.cause);
                let [name, name_en] = cause.map_or([Cell::Null, Cell::Null], |cause| both(&cause.name));
                vec![
                    Cell::text(&row.id),
                    Cell::text(&one.organisation),
                    Cell::text(&one.title),
                    Cell::some_text(one.kpi.as_deref()),
                    Cell::some_text(one.period.as_deref()),
                    Cell::Text(one.path.join(" › ")),
                    Cell::number(one.explained_share),
                    Cell::some_text(one.department.as_deref()),
                    Cell::some_text(one.person.as_deref()),
                    Cell::text(&one.cause),
                    name,
                    name_en,
                    Cell::Text(one.whys.join(" › ")),
                    Cell::some_text(one.previous.as_deref()),
                    Cell::text(one.status.as_str()),
                    Cell::text(&row.recorded_by),
                    Cell::Time(row.recorded_at),
                ]
            });
            lines.collect()
        },
    },
    Table {
        name: "action",
        description: "What is done about issues: until when, at what cost, and what it changed; late where `due` has passed while the \
                      status is `open`",
        columns: &[
            ("action", Type::Text),
            ("issue", Type::Text),
            ("organisation", Type::Text),
            ("title", Type::Text),
            ("owner_role", Type::Text),
            ("due", Type::Day),
            ("cost", Type::Money),
            ("expected_change", Type::Number),
            ("actual_change", Type::Number),
            ("method", Type::Text),
            ("verified_by", Type::Text),
            ("status", Type::Text),
            ("recorded_by", Type::Text),
            ("recorded_at", Type::Time),
        ],
        rows: |view| {
            let lines = view.documents::<Action>(ACTION).map(|(row, one)| {
                let verification = one.verification.as_ref();
                vec![
                    Cell::text(&row.id),
                    Cell::text(&one.issue),
                    Cell::text(&row.organisation),
                    Cell::text(&one.title),
                    Cell::text(&one.owner_role),
                    Cell::Day(one.due),
                    Cell::money(one.cost),
                    Cell::number(one.expected_change),
                    Cell::number(verification.map(|found| found.actual_change)),
                    Cell::some_text(verification.map(|found| found.method.as_str())),
                    Cell::some_text(verification.and_then(|found| found.verified_by.as_deref())),
                    Cell::text(one.status.as_str()),
                    Cell::text(&row.recorded_by),
                    Cell::Time(row.recorded_at),
                ]
            });
            lines.collect()
        },
    },
];

/// A judged value from its period to its statement.
fn value_cells(judged: &Judged<'_>) -> Vec<Cell> {
    let Judged { period: of, entry, value, goal, attainment, light: shown } = judged;
    let Entry { numerator, denominator, snapshot, query_id, entered_by_hand, source, evidence, .. } = entry;
    let (target, low, high) = match *goal {
        Some(Goal::Higher { target } | Goal::Lower { target }) => (Some(target), None, None),
        Some(Goal::Range { low, high, .. }) => (None, Some(low), Some(high)),
        None => (None, None, None),
    };
    let mut cells = Vec::from(period(*of));
    cells.extend([
        Cell::Number(*value),
        Cell::number(*numerator),
        Cell::number(*denominator),
        Cell::some_text(source.as_deref()),
        Cell::Flag(*entered_by_hand),
        Cell::some_text(evidence.as_deref()),
        Cell::number(target),
        Cell::number(low),
        Cell::number(high),
        Cell::number(*attainment),
        light(*shown),
        snapshot.map_or(Cell::Null, Cell::Integer),
        Cell::some_text(query_id.as_deref()),
    ]);
    cells
}

/// Score, covered weight and light.
fn score_cells(score: &Score) -> [Cell; 3] {
    [Cell::number(score.value.ok()), Cell::Number(score.covered_weight), light(light_of(score))]
}
