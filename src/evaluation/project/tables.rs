//! Templates and projects as tables of SQL.

use std::collections::BTreeMap;

use super::{Coded, Decision, Gate, PROJECT, Project, as_of};
use crate::catalog::RecordRow;
use crate::evaluation::View;
use crate::evaluation::record::Change;
use crate::evaluation::table::{Cell, Table, Type, both};
use crate::model::evaluation::phases::FactorKind;

fn projects(view: &View) -> impl Iterator<Item = (&RecordRow, Project)> {
    view.documents::<Project>(PROJECT)
}

/// A figure, and the code of the reason why there is none.
fn figure(found: Coded) -> [Cell; 2] {
    [Cell::number(found.ok()), Cell::some_text(found.err())]
}

pub(in crate::evaluation) const TABLES: &[Table] = &[
    Table {
        name: "template",
        description: "Implementation methods that projects begin with, and where each comes from",
        columns: &[
            ("template", Type::Text),
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
            let templates = &view.definitions.templates;
            let lines = templates.templates.iter().map(|one| {
                let ([name, name_en], [origin, origin_en]) = (both(&one.name), both(&one.origin));
                vec![
                    Cell::text(&one.key),
                    Cell::Integer(templates.version.into()),
                    name,
                    name_en,
                    origin,
                    origin_en,
                    Cell::text(one.standing.as_str()),
                    Cell::Flag(one.to_be_confirmed),
                    Cell::Flag(one.is_default),
                ]
            });
            lines.collect()
        },
    },
    Table {
        name: "template_phase",
        description: "Phases of each template, in order",
        columns: &[
            ("template", Type::Text),
            ("position", Type::Integer),
            ("phase", Type::Text),
            ("name", Type::Text),
            ("name_en", Type::Text),
            ("purpose", Type::Text),
            ("purpose_en", Type::Text),
            ("to_be_confirmed", Type::Flag),
        ],
        rows: |view| {
            let mut rows = Vec::new();
            for template in &view.definitions.templates.templates {
                for (phase, position) in template.phases.iter().zip(1..) {
                    let ([name, name_en], [purpose, purpose_en]) = (both(&phase.name), both(&phase.purpose));
                    rows.push(vec![
                        Cell::text(&template.key),
                        Cell::Integer(position),
                        Cell::text(&phase.key),
                        name,
                        name_en,
                        purpose,
                        purpose_en,
                        Cell::Flag(phase.to_be_confirmed),
                    ]);
                }
            }
            rows
        },
    },
    Table {
        name: "template_deliverable",
        description: "What each phase of a template delivers",
        columns: &[
            ("template", Type::Text),
            ("phase", Type::Text),
            ("deliverable", Type::Text),
            ("name", Type::Text),
            ("name_en", Type::Text),
        ],
        rows: |view| {
            let mut rows = Vec::new();
            for template in &view.definitions.templates.templates {
                for (phase, one) in
                    template.phases.iter().flat_map(|phase| phase.deliverables.iter().map(move |one| (phase, one)))
                {
                    let [name, name_en] = both(&one.name);
                    rows.push(vec![
                        Cell::text(&template.key),
                        Cell::text(&phase.key),
                        Cell::text(&one.key),
                        name,
                        name_en,
                    ]);
                }
            }
            rows
        },
    },
    Table {
        name: "template_gate",
        description: "Gates of each template with the items of the maturity model that they require, one row for each item",
        columns: &[
            ("template", Type::Text),
            ("phase", Type::Text),
            ("gate", Type::Text),
            ("name", Type::Text),
            ("name_en", Type::Text),
            ("item", Type::Text),
            ("level", Type::Integer),
        ],
        rows: |view| {
            let mut rows = Vec::new();
            for template in &view.definitions.templates.templates {
                for (phase, gate) in template.phases.iter().filter_map(|phase| Some((phase, phase.gate.as_ref()?))) {
                    let line = |item: Cell, level: Cell| {
                        let [name, name_en] = both(&gate.name);
                        vec![
                            Cell::text(&template.key),
                            Cell::text(&phase.key),
                            Cell::text(&gate.key),
                            name,
                            name_en,
                            item,
                            level,
                        ]
                    };
                    if gate.requires.is_empty() {
                        rows.push(line(Cell::Null, Cell::Null));
                    }
                    let required = gate.requires.iter();
                    rows.extend(
                        required.map(|(item, level)| line(Cell::text(item), Cell::Integer(level.value.into()))),
                    );
                }
            }
            rows
        },
    },
    Table {
        name: "project",
        description: "Projects with their earned value to the day on which they were last recorded: schedule and cost index, share \
                      complete, estimate at completion, or why there is none; and the readiness by the checklist",
        columns: &[
            ("project", Type::Text),
            ("organisation", Type::Text),
            ("name", Type::Text),
            ("template", Type::Text),
            ("template_version", Type::Integer),
            ("status", Type::Text),
            ("started", Type::Day),
            ("go_live", Type::Day),
            ("as_of", Type::Day),
            ("budget", Type::Money),
            ("planned_cost", Type::Money),
            ("planned_value", Type::Money),
            ("earned_value", Type::Money),
            ("actual_cost", Type::Money),
            ("spi", Type::Number),
            ("spi_reason", Type::Text),
            ("cpi", Type::Number),
            ("cpi_reason", Type::Text),
            ("complete", Type::Number),
            ("estimate_at_completion", Type::Money),
            ("estimate_reason", Type::Text),
            ("readiness", Type::Number),
            ("readiness_covered", Type::Number),
            ("recorded_by", Type::Text),
            ("recorded_at", Type::Time),
        ],
        rows: |view| {
            let checklist = &view.definitions.templates.checklist;
            let line = |(row, one): (&RecordRow, Project)| {
                let day = as_of(row);
                let (progress, indexes) = (one.progress(day), one.indexes(day));
                let readiness = one.readiness(checklist);
                let mut cells = vec![
                    Cell::text(&row.id),
                    Cell::text(&one.organisation),
                    Cell::text(&one.name),
                    Cell::text(&one.template),
                    Cell::Integer(one.template_version.into()),
                    Cell::text(one.status.as_str()),
                    Cell::Day(one.started),
                    Cell::day(one.go_live),
                    Cell::Day(day),
                    Cell::money(one.budget),
                    Cell::Money(progress.budget),
                    Cell::Money(progress.planned_value),
                    Cell::Money(progress.earned_value),
                    Cell::Money(progress.actual_cost),
                ];
                cells.extend(figure(indexes.schedule));
                cells.extend(figure(indexes.cost));
                cells.extend([
                    Cell::number(indexes.complete.ok()),
                    Cell::money(indexes.estimate.ok()),
                    Cell::some_text(indexes.estimate.err()),
                    Cell::number(readiness.and_then(|score| score.value.ok())),
                    Cell::number(readiness.map(|score| score.covered_weight)),
                    Cell::text(&row.recorded_by),
                    Cell::Time(row.recorded_at),
                ]);
                cells
            };
            projects(view).map(line).collect()
        },
    },
    Table {
        name: "project_phase",
        description: "Phases of projects: what was planned, what came of it, and the earned value of each",
        columns: &[
            ("project", Type::Text),
            ("organisation", Type::Text),
            ("position", Type::Integer),
            ("phase", Type::Text),
            ("name", Type::Text),
            ("name_en", Type::Text),
            ("planned_start", Type::Day),
            ("planned_end", Type::Day),
            ("actual_start", Type::Day),
            ("actual_end", Type::Day),
            ("planned_cost", Type::Money),
            ("actual_cost", Type::Money),
            ("complete", Type::Number),
            ("planned_value", Type::Money),
            ("earned_value", Type::Money),
            ("spi", Type::Number),
            ("cpi", Type::Number),
            ("deliverables", Type::Integer),
            ("deliverables_done", Type::Integer),
        ],
        rows: |view| {
            let mut rows = Vec::new();
            for (row, one) in projects(view) {
                let day = as_of(row);
                for (phase, position) in one.phases.iter().zip(1..) {
                    let (progress, indexes) = (phase.progress(day), phase.indexes(day));
                    let done = phase.deliverables.iter().filter(|one| one.done).count();
                    let count = |number: usize| Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX));
                    let [name, name_en] = both(&phase.name);
                    rows.push(vec![
                        Cell::text(&row.id),
                        Cell::text(&one.organisation),
                        Cell::Integer(position),
                        Cell::text(&phase.phase),
                        name,
                        name_en,
                        Cell::day(phase.planned_start),
                        Cell::day(phase.planned_end),
                        Cell::day(phase.actual_start),
                        Cell::day(phase.actual_end),
                        Cell::Money(phase.planned_cost),
                        Cell::Money(phase.actual_cost),
                        Cell::Number(phase.complete),
                        Cell::Money(progress.planned_value),
                        Cell::Money(progress.earned_value),
                        Cell::number(indexes.schedule.ok()),
                        Cell::number(indexes.cost.ok()),
                        count(phase.deliverables.len()),
                        count(done),
                    ]);
                }
            }
            rows
        },
    },
    Table {
        name: "project_deliverable",
        description: "What the phases of projects deliver, whether it is done, and where it lies",
        columns: &[
            ("project", Type::Text),
            ("organisation", Type::Text),
            ("phase", Type::Text),
            ("deliverable", Type::Text),
            ("name", Type::Text),
            ("name_en", Type::Text),
            ("is_done", Type::Flag),
            ("evidence", Type::Text),
        ],
        rows: |view| {
            let mut rows = Vec::new();
            for (row, one) in projects(view) {
                for phase in &one.phases {
                    for deliverable in &phase.deliverables {
                        let [name, name_en] = both(&deliverable.name);
                        rows.push(vec![
                            Cell::text(&row.id),
                            Cell::text(&one.organisation),
                            Cell::text(&phase.phase),
                            Cell::text(&deliverable.deliverable),
                            name,
                            name_en,
                            Cell::Flag(deliverable.done),
                            Cell::some_text(deliverable.evidence.as_deref()),
                        ]);
                    }
                }
            }
            rows
        },
    },
    Table {
        name: "project_gate",
        description: "Gates of projects and what they came to: the decision, by which roles and login, when, and on which grounds",
        columns: &[
            ("project", Type::Text),
            ("organisation", Type::Text),
            ("phase", Type::Text),
            ("gate", Type::Text),
            ("name", Type::Text),
            ("name_en", Type::Text),
            ("requires", Type::Text),
            ("requires_en", Type::Text),
            ("decision", Type::Text),
            ("decided_by", Type::Text),
            ("decided_login", Type::Text),
            ("decided_at", Type::Time),
            ("note", Type::Text),
        ],
        rows: |view| {
            let changes = view.changes();
            let decided = decisions(&changes);
            let mut rows = Vec::new();
            for (row, one) in projects(view) {
                for (phase, gate) in one.phases.iter().filter_map(|phase| Some((phase, phase.gate.as_ref()?))) {
                    let [name, name_en] = both(&gate.name);
                    let [requires, requires_en] = required(view, gate);
                    let change =
                        decided.get(&(row.id.as_str(), phase.phase.as_str())).filter(|_| gate.decision.is_some());
                    rows.push(vec![
                        Cell::text(&row.id),
                        Cell::text(&one.organisation),
                        Cell::text(&phase.phase),
                        Cell::text(&gate.gate),
                        name,
                        name_en,
                        requires,
                        requires_en,
                        Cell::some_text(gate.decision.map(Decision::as_str)),
                        Cell::Text(gate.decided_by.join(", ")),
                        Cell::some_text(change.map(|change| change.recorded_by.as_str())),
                        change.map_or(Cell::Null, |change| Cell::Time(change.recorded_at)),
                        Cell::some_text(gate.note.as_deref()),
                    ]);
                }
            }
            rows
        },
    },
    Table {
        name: "project_risk",
        description: "Risks of projects: probability and impact 1..5, their product, the response and who answers for it",
        columns: &[
            ("project", Type::Text),
            ("organisation", Type::Text),
            ("position", Type::Integer),
            ("name", Type::Text),
            ("probability", Type::Integer),
            ("impact", Type::Integer),
            ("exposure", Type::Integer),
            ("response", Type::Text),
            ("owner_role", Type::Text),
            ("status", Type::Text),
        ],
        rows: |view| {
            let mut rows = Vec::new();
            for (row, one) in projects(view) {
                for (risk, position) in one.risks.iter().zip(1..) {
                    let (probability, impact) = (i64::from(risk.probability), i64::from(risk.impact));
                    rows.push(vec![
                        Cell::text(&row.id),
                        Cell::text(&one.organisation),
                        Cell::Integer(position),
                        Cell::text(&risk.name),
                        Cell::Integer(probability),
                        Cell::Integer(impact),
                        Cell::Integer(probability * impact),
                        Cell::text(&risk.response),
                        Cell::text(&risk.owner_role),
                        Cell::text(risk.status.as_str()),
                    ]);
                }
            }
            rows
        },
    },
    Table {
        name: "project_factor",
        description: "The checklist of conditions and known problems of each project with its scores 0..5, null where none is given",
        columns: &[
            ("project", Type::Text),
            ("organisation", Type::Text),
            ("position", Type::Integer),
            ("factor", Type::Text),
            ("kind", Type::Text),
            ("name", Type::Text),
            ("name_en", Type::Text),
            ("standing", Type::Text),
            ("weight", Type::Number),
            ("score", Type::Number),
        ],
        rows: |view| {
            let mut rows = Vec::new();
            for (row, one) in projects(view) {
                for (factor, position) in view.definitions.templates.checklist.iter().zip(1..) {
                    let [name, name_en] = both(&factor.name);
                    let kind = match factor.kind {
                        FactorKind::Condition => "condition",
                        FactorKind::Problem => "problem",
                    };
                    rows.push(vec![
                        Cell::text(&row.id),
                        Cell::text(&one.organisation),
                        Cell::Integer(position),
                        Cell::text(&factor.key),
                        Cell::text(kind),
                        name,
                        name_en,
                        Cell::text(factor.standing.as_str()),
                        Cell::Number(factor.weight.value),
                        Cell::number(one.factors.get(factor.key.as_str()).copied()),
                    ]);
                }
            }
            rows
        },
    },
];

/// What a gate requires, in Chinese and English: items of the maturity model with their levels.
fn required(view: &View, gate: &Gate) -> [Cell; 2] {
    ["zh-CN", "en"].map(|lang| {
        let line = |(item, level): (&String, &u8)| {
            let known = view.definitions.maturity.item(item).and_then(|known| known.name.get(lang));
            format!("{} ≥ {level}", known.unwrap_or(item))
        };
        Cell::Text(gate.requires.iter().map(line).collect::<Vec<_>>().join("; "))
    })
}

/// The newest change of each gate's decision, by project and phase.
fn decisions(changes: &[Change]) -> BTreeMap<(&str, &str), &Change> {
    let mut newest = BTreeMap::new();
    for change in changes.iter().filter(|change| change.kind == PROJECT) {
        let phase = change.field.strip_prefix("phases.").and_then(|field| field.strip_suffix(".gate.decision"));
        if let Some(phase) = phase {
            newest.insert((change.id.as_str(), phase), change);
        }
    }
    newest
}
