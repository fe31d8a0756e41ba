//! Maturity as tables of SQL.

use std::collections::BTreeSet;

use super::{
    ANSWER, ASSESSMENT, Answer, Assessment, DimensionScore, ItemScore, TARGET, Target, locked, measurement, parts,
};
use crate::analysis::maturity::{Gap, Rated, compare, rank_gaps};
use crate::evaluation::View;
use crate::evaluation::table::{Cell, Table, Type, both};

/// A count as a cell.
fn count(number: usize) -> Cell {
    Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Organisations with an assessment that a view shows.
fn organisations(view: &View) -> BTreeSet<String> {
    view.documents::<Assessment>(ASSESSMENT).map(|(_, one)| one.organisation).collect()
}

pub(in crate::evaluation) const TABLES: &[Table] = &[
    Table {
        name: "maturity_model",
        description: "The maturity model that assessments use",
        columns: &[
            ("model", Type::Text),
            ("version", Type::Integer),
            ("name", Type::Text),
            ("name_en", Type::Text),
            ("origin", Type::Text),
            ("origin_en", Type::Text),
            ("standing", Type::Text),
            ("to_be_confirmed", Type::Flag),
        ],
        rows: |view| {
            let model = &view.definitions.maturity;
            let [name, name_en] = both(&model.name);
            let [origin, origin_en] = both(&model.origin);
            vec![vec![
                Cell::text(&model.key),
                Cell::Integer(model.version.into()),
                name,
                name_en,
                origin,
                origin_en,
                Cell::text(model.standing.as_str()),
                Cell::Flag(model.to_be_confirmed),
            ]]
        },
    },
    Table {
        name: "maturity_dimension",
        description: "Dimensions of the maturity model, in order",
        columns: &[
            ("position", Type::Integer),
            ("dimension", Type::Text),
            ("code", Type::Text),
            ("name", Type::Text),
            ("name_en", Type::Text),
            ("weight", Type::Number),
        ],
        rows: |view| {
            let numbered = view.definitions.maturity.dimensions.iter().zip(1..);
            numbered
                .map(|(dimension, position)| {
                    let [name, name_en] = both(&dimension.name);
                    vec![
                        Cell::Integer(position),
                        Cell::text(&dimension.key),
                        Cell::text(&dimension.code),
                        name,
                        name_en,
                        Cell::Number(dimension.weight.value),
                    ]
                })
                .collect()
        },
    },
    Table {
        name: "maturity_item",
        description: "Items of the maturity model, in order",
        columns: &[
            ("position", Type::Integer),
            ("item", Type::Text),
            ("dimension", Type::Text),
            ("code", Type::Text),
            ("name", Type::Text),
            ("name_en", Type::Text),
            ("text_version", Type::Integer),
            ("weight", Type::Number),
            ("is_key", Type::Flag),
            ("is_measured", Type::Flag),
            ("statement", Type::Text),
        ],
        rows: |view| {
            let model = &view.definitions.maturity;
            let statements = &view.definitions.statements.items;
            let line = |((dimension, item), position): ((usize, &crate::model::evaluation::maturity::Item), i64)| {
                let [name, name_en] = both(&item.name);
                vec![
                    Cell::Integer(position),
                    Cell::text(&item.key),
                    Cell::some_text(model.dimensions.get(dimension).map(|dimension| dimension.key.as_str())),
                    Cell::text(&item.code),
                    name,
                    name_en,
                    Cell::Integer(item.text_version.into()),
                    Cell::Number(item.weight.value),
                    Cell::Flag(item.is_key),
                    Cell::Flag(item.measure.is_some()),
                    Cell::some_text(statements.get(item.key.as_str()).map(|text| text.as_str())),
                ]
            };
            model.items().zip(1..).map(line).collect()
        },
    },
    Table {
        name: "maturity_anchor",
        description: "What each item of the maturity model looks like on each level",
        columns: &[
            ("item", Type::Text),
            ("level", Type::Integer),
            ("description", Type::Text),
            ("description_en", Type::Text),
        ],
        rows: |view| {
            let items = view.definitions.maturity.items();
            items
                .flat_map(|(_, item)| {
                    item.levels.iter().zip(1..).map(|(text, level)| {
                        let [zh, en] = both(text);
                        vec![Cell::text(&item.key), Cell::Integer(level), zh, en]
                    })
                })
                .collect()
        },
    },
    Table {
        name: "assessment",
        description: "Assessments and where they are in their life; scores from locking on",
        columns: &[
            ("assessment", Type::Text),
            ("organisation", Type::Text),
            ("as_of", Type::Day),
            ("manner", Type::Text),
            ("status", Type::Text),
            ("model", Type::Text),
            ("model_version", Type::Integer),
            ("assessors", Type::Integer),
            ("submitted", Type::Integer),
            ("weight", Type::Number),
            ("corrects", Type::Text),
            ("reviewer", Type::Text),
            ("index_score", Type::Number),
            ("staged_level", Type::Integer),
            ("evidence_share", Type::Number),
            ("agreement", Type::Number),
            ("is_superseded", Type::Flag),
            ("is_newest", Type::Flag),
            ("recorded_by", Type::Text),
            ("recorded_at", Type::Time),
        ],
        rows: |view| {
            let newest: BTreeSet<String> = organisations(view)
                .iter()
                .filter_map(|organisation| Some(locked(view, organisation).pop()?.0.id.clone()))
                .collect();
            let superseded = super::superseded(view);
            view.documents::<Assessment>(ASSESSMENT)
                .map(|(row, one)| {
                    let scores = one.scores.as_ref();
                    vec![
                        Cell::text(&row.id),
                        Cell::text(&one.organisation),
                        Cell::Day(one.as_of),
                        Cell::text(one.manner.as_str()),
                        Cell::text(one.status.as_str()),
                        Cell::text(&one.model),
                        Cell::Integer(one.model_version.into()),
                        count(one.assessors.len()),
                        count(one.submitted.len()),
                        Cell::Number(one.weight),
                        Cell::some_text(one.corrects.as_deref()),
                        Cell::some_text(one.reviewer.as_deref()),
                        Cell::number(scores.and_then(|scores| scores.index)),
                        scores.and_then(|scores| scores.staged).map_or(Cell::Null, |level| Cell::Integer(level.into())),
                        Cell::number(scores.and_then(|scores| scores.evidence_share)),
                        Cell::number(scores.and_then(|scores| scores.agreement)),
                        Cell::Flag(superseded.contains(&row.id)),
                        Cell::Flag(newest.contains(&row.id)),
                        Cell::text(&row.recorded_by),
                        Cell::Time(row.recorded_at),
                    ]
                })
                .collect()
        },
    },
    Table {
        name: "assessment_answer",
        description: "What assessors answered; of an assessment that is still open only one's own, until one has submitted",
        columns: &[
            ("assessment", Type::Text),
            ("organisation", Type::Text),
            ("item", Type::Text),
            ("assessor", Type::Text),
            ("score", Type::Number),
            ("not_applicable", Type::Flag),
            ("evidence", Type::Integer),
            ("comment", Type::Text),
            ("recorded_at", Type::Time),
        ],
        rows: |view| {
            let line = |(row, answer): (&crate::catalog::RecordRow, Answer)| {
                let (id, item, assessor) = parts(&row.id)?;
                Some(vec![
                    Cell::text(id),
                    Cell::text(&row.organisation),
                    Cell::text(item),
                    Cell::text(assessor),
                    Cell::number(answer.score()),
                    Cell::Flag(answer.not_applicable),
                    count(answer.evidence.len()),
                    Cell::text(&answer.comment),
                    Cell::Time(row.recorded_at),
                ])
            };
            view.documents::<Answer>(ANSWER).filter_map(line).collect()
        },
    },
    Table {
        name: "evidence",
        description: "What stands behind answers: documents, words, editions, surveys, and statements with what they gave",
        columns: &[
            ("assessment", Type::Text),
            ("organisation", Type::Text),
            ("item", Type::Text),
            ("assessor", Type::Text),
            ("kind", Type::Text),
            ("reference", Type::Text),
            ("result", Type::Text),
            ("recorded_at", Type::Time),
        ],
        rows: |view| {
            let lines = |(row, answer): (&crate::catalog::RecordRow, Answer)| -> Vec<Vec<Cell>> {
                let Some((id, item, assessor)) = parts(&row.id) else { return Vec::new() };
                let line = |one: &super::Evidence| {
                    vec![
                        Cell::text(id),
                        Cell::text(&row.organisation),
                        Cell::text(item),
                        Cell::text(assessor),
                        Cell::text(one.kind.as_str()),
                        Cell::text(&one.reference),
                        one.result.as_ref().map_or(Cell::Null, |result| Cell::Text(result.to_string())),
                        Cell::Time(row.recorded_at),
                    ]
                };
                answer.evidence.iter().map(line).collect()
            };
            view.documents::<Answer>(ANSWER).flat_map(lines).collect()
        },
    },
    Table {
        name: "assessment_score",
        description: "Scores of locked assessments by dimension, continuous and staged",
        columns: &[
            ("assessment", Type::Text),
            ("organisation", Type::Text),
            ("as_of", Type::Day),
            ("dimension", Type::Text),
            ("continuous", Type::Number),
            ("staged", Type::Integer),
            ("reason", Type::Text),
            ("items", Type::Integer),
            ("answered", Type::Integer),
            ("absent_share", Type::Number),
            ("evidence_share", Type::Number),
            ("is_newest", Type::Flag),
        ],
        rows: |view| {
            let mut rows = Vec::new();
            for organisation in organisations(view) {
                let all = locked(view, &organisation);
                let last = all.len().saturating_sub(1);
                for (at, (row, one)) in all.iter().enumerate() {
                    let line = |score: &DimensionScore| {
                        vec![
                            Cell::text(&row.id),
                            Cell::text(&one.organisation),
                            Cell::Day(one.as_of),
                            Cell::text(&score.dimension),
                            Cell::number(score.continuous),
                            score.staged.map_or(Cell::Null, |level| Cell::Integer(level.into())),
                            Cell::some_text(score.reason.as_deref()),
                            count(score.items),
                            count(score.answered),
                            Cell::Number(score.absent_share),
                            Cell::number(score.evidence_share),
                            Cell::Flag(at == last),
                        ]
                    };
                    rows.extend(one.scores.iter().flat_map(|scores| &scores.dimensions).map(line));
                }
            }
            rows
        },
    },
    Table {
        name: "assessment_item",
        description: "Scores of locked assessments by item, with range, disagreement and what was capped for want of evidence",
        columns: &[
            ("assessment", Type::Text),
            ("organisation", Type::Text),
            ("as_of", Type::Day),
            ("dimension", Type::Text),
            ("item", Type::Text),
            ("score", Type::Number),
            ("lowest", Type::Number),
            ("highest", Type::Number),
            ("disagreement", Type::Flag),
            ("capped", Type::Flag),
            ("measured_score", Type::Number),
            ("measured_value", Type::Number),
            ("is_newest", Type::Flag),
        ],
        rows: |view| {
            let mut rows = Vec::new();
            for organisation in organisations(view) {
                let all = locked(view, &organisation);
                let last = all.len().saturating_sub(1);
                for (at, (row, one)) in all.iter().enumerate() {
                    let line = |score: &ItemScore| {
                        vec![
                            Cell::text(&row.id),
                            Cell::text(&one.organisation),
                            Cell::Day(one.as_of),
                            Cell::text(&score.dimension),
                            Cell::text(&score.item),
                            Cell::number(score.score),
                            Cell::number(score.low),
                            Cell::number(score.high),
                            Cell::Flag(score.disagreement),
                            Cell::Flag(score.capped),
                            Cell::number(score.measured),
                            Cell::number(measurement(view, &row.id, &score.item).map(|found| found.value)),
                            Cell::Flag(at == last),
                        ]
                    };
                    rows.extend(one.scores.iter().flat_map(|scores| &scores.items).map(line));
                }
            }
            rows
        },
    },
    Table {
        name: "maturity_gap",
        description: "The newest locked level of each dimension against its target, by priority: gap × weight × benefit link ÷ effort",
        columns: &[
            ("organisation", Type::Text),
            ("dimension", Type::Text),
            ("current_level", Type::Number),
            ("target_level", Type::Number),
            ("gap", Type::Number),
            ("priority", Type::Number),
            ("priority_rank", Type::Integer),
        ],
        rows: |view| {
            let mut rows = Vec::new();
            for (_, target) in view.documents::<Target>(TARGET) {
                let newest = locked(view, &target.organisation).pop().and_then(|(_, one)| one.scores);
                let Some(scores) = newest else { continue };
                let known: Vec<(&DimensionScore, Gap)> = scores
                    .dimensions
                    .iter()
                    .filter_map(|score| {
                        let wanted = target.dimensions.get(&score.dimension)?;
                        let gap = Gap {
                            current: score.continuous?,
                            target: wanted.level,
                            weight: score.weight,
                            benefit_link: wanted.benefit_link,
                            effort: wanted.effort,
                        };
                        Some((score, gap))
                    })
                    .collect();
                let gaps: Vec<Gap> = known.iter().map(|(_, gap)| *gap).collect();
                for (ranked, rank) in rank_gaps(&gaps).unwrap_or_default().into_iter().zip(1..) {
                    let Some((score, gap)) = known.get(ranked.index) else { continue };
                    rows.push(vec![
                        Cell::text(&target.organisation),
                        Cell::text(&score.dimension),
                        Cell::Number(gap.current),
                        Cell::Number(gap.target),
                        Cell::Number(ranked.gap),
                        Cell::Number(ranked.priority),
                        Cell::Integer(rank),
                    ]);
                }
            }
            rows
        },
    },
    Table {
        name: "maturity_change",
        description: "How a locked assessment differs from the one before it, on the items that both answer in the same wording, and \
                      whether the change is real",
        columns: &[
            ("organisation", Type::Text),
            ("assessment", Type::Text),
            ("as_of", Type::Day),
            ("before", Type::Text),
            ("before_as_of", Type::Day),
            ("change", Type::Number),
            ("items", Type::Integer),
            ("standard_error", Type::Number),
            ("is_real", Type::Flag),
        ],
        rows: |view| {
            let mut rows = Vec::new();
            for organisation in organisations(view) {
                let all = locked(view, &organisation);
                for ((row, one), (prior_row, prior)) in all.iter().skip(1).zip(&all) {
                    let (Some(after), Some(before)) = (&one.scores, &prior.scores) else { continue };
                    let change = compare(&rated(&before.items), &rated(&after.items)).ok();
                    rows.push(vec![
                        Cell::text(&organisation),
                        Cell::text(&row.id),
                        Cell::Day(one.as_of),
                        Cell::text(&prior_row.id),
                        Cell::Day(prior.as_of),
                        Cell::number(change.map(|change| change.change)),
                        change.map_or(Cell::Null, |change| count(change.items)),
                        Cell::number(change.and_then(|change| change.standard_error)),
                        change.map_or(Cell::Null, |change| Cell::Flag(change.real)),
                    ]);
                }
            }
            rows
        },
    },
];

/// Items as a comparison takes them.
fn rated(items: &[ItemScore]) -> Vec<Rated<'_>> {
    fn one(item: &ItemScore) -> Rated<'_> {
        let ItemScore { item: key, text_version, weight, score, assessors, .. } = item;
        Rated { key, version: *text_version, weight: *weight, score: *score, assessors }
    }
    items.iter().map(one).collect()
}
