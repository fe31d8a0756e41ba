//! Golden vectors of E01 and the edge cases of the design.

use serde_json::{Value, json};

use super::*;
use crate::analysis::tests::{assert_near, cases, degenerate, figure, hold_golden, list, number, numbers};

fn kernel(name: &str, inputs: &Value) -> Value {
    match name {
        "maturity" => {
            let weights = inputs["dimension_weights"].as_object().unwrap();
            let names: Vec<&String> = weights.keys().collect();
            let items = list(&inputs["items"]);
            let scores: Vec<Vec<f64>> = items.iter().map(|item| numbers(&item["scores"])).collect();
            let item = |(item, scores)| {
                let item: &Value = item;
                let dimension = item["dimension"].as_str().unwrap();
                Item {
                    dimension: names.iter().position(|name| *name == dimension).unwrap(),
                    weight: number(&item["weight"]),
                    key: item["key"].as_bool().unwrap(),
                    measured: None,
                    scores,
                    not_applicable: item["not_applicable"].as_bool().unwrap(),
                    evidence: item["evidence"].as_bool().unwrap(),
                }
            };
            let items: Vec<Item<'_>> = items.iter().zip(scores.iter().map(Vec::as_slice)).map(item).collect();
            let got = score(&items, &weights.values().map(number).collect::<Vec<_>>()).unwrap();
            let level = |(name, dimension): (&&String, &Dimension)| {
                let level = dimension.level.unwrap();
                ((*name).clone(), json!({"continuous": level.continuous, "staged": level.staged}))
            };
            let whole = got.whole.unwrap();
            json!({
                "item_score": got.items.iter().map(|item| item.score).collect::<Vec<_>>(),
                "disagreement": got.items.iter().map(|item| item.disagreement).collect::<Vec<_>>(),
                "dimensions": names.iter().zip(&got.dimensions).map(level).collect::<serde_json::Map<_, _>>(),
                "index": whole.index, "staged": whole.staged, "evidence_share": figure(got.evidence_share),
            })
        }
        "maturity_rollup" => {
            let branch = |branch: &Value| (number(&branch["score"]), number(&branch["weight"]));
            let branches: Vec<(f64, f64)> = list(&inputs["branches"]).iter().map(branch).collect();
            let got = roll_up(number(&inputs["head_office"]), &branches, number(&inputs["head_office_share"])).unwrap();
            json!({"bank": got.bank, "minimum": got.minimum, "p25": got.p25, "median": got.median})
        }
        "krippendorff_alpha" => {
            let scores: Vec<Vec<Option<f64>>> =
                list(&inputs["scores"]).iter().map(|row| list(row).iter().map(Value::as_f64).collect()).collect();
            json!({"alpha": figure(agreement(&scores))})
        }
        "threshold_map" => {
            let thresholds: [f64; 6] = numbers(&inputs["thresholds"]).try_into().unwrap();
            json!({"score": figure(threshold_score(&thresholds, number(&inputs["value"])))})
        }
        _ => panic!("no kernel `{name}`"),
    }
}

#[test]
fn golden_vectors() {
    let file = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/e01_maturity.json"));
    assert_eq!(hold_golden(file, kernel), 7);
}

fn item(scores: &[f64]) -> Item<'_> {
    Item { dimension: 0, weight: 1.0, key: false, measured: None, scores, not_applicable: false, evidence: true }
}

fn one(item: Item<'_>) -> Result<ItemScore, Failure> {
    score(&[item], &[1.0]).map(|got| got.items[0])
}

#[test]
fn thresholds_clip_and_hit_their_levels() {
    let (rising, falling) = ([0.0, 20.0, 40.0, 60.0, 80.0, 95.0], [72.0, 48.0, 24.0, 12.0, 4.0, 1.0]);
    for (level, (up, down)) in rising.iter().zip(falling).enumerate() {
        assert_eq!(threshold_score(&rising, *up), Ok(level as f64));
        assert_eq!(threshold_score(&falling, down), Ok(level as f64));
    }
    assert_eq!((threshold_score(&rising, -5.0), threshold_score(&rising, 400.0)), (Ok(0.0), Ok(5.0)));
    assert_eq!((threshold_score(&falling, 100.0), threshold_score(&falling, 0.0)), (Ok(0.0), Ok(5.0)));
    let not_monotone = Err(bad_parameter("thresholds", Reason::NotMonotone));
    assert_eq!(threshold_score(&[0.0, 1.0, 1.0, 2.0, 3.0, 4.0], 1.0), not_monotone);
    assert_eq!(threshold_score(&[0.0, 1.0, 2.0, 1.5, 3.0, 4.0], 1.0), not_monotone);
    assert_eq!(threshold_score(&[3.0; 6], 3.0), not_monotone);
    assert_eq!(threshold_score(&rising, f64::NAN), Err(bad("value", 0, Reason::NotFinite)));
}

#[test]
fn radar_weighs_its_parts() {
    assert_near(radar_score(100.0, 50.0, 20.0).unwrap(), 5.0 * (30.0 + 20.0 + 6.0) / 100.0, 1e-12);
    assert_eq!(radar_score(100.0, 100.0, 100.0), Ok(5.0));
    assert_eq!(radar_score(0.0, 101.0, 0.0), Err(bad_parameter("deployment", Reason::OutOfRange)));
}

#[test]
fn a_measured_score_may_only_be_lowered() {
    let measured = |measured, scores| Item { measured: Some(measured), ..item(scores) };
    assert_eq!(one(measured(3.5, &[])).unwrap().score, Some(3.5));
    let lowered = one(measured(3.5, &[3.0, 1.5])).unwrap();
    assert_eq!((lowered.score, lowered.range, lowered.disagreement), (Some(2.25), Some((1.5, 3.0)), false));
    assert_eq!(one(measured(3.5, &[4.0])), Err(bad("scores", 0, Reason::AboveMeasured)));
    assert_eq!(one(measured(5.5, &[])), Err(bad("scores", 0, Reason::OutOfRange)));
}

#[test]
fn evidence_caps_and_disagreement_shows_the_uncapped_range() {
    let got = one(Item { evidence: false, ..item(&[2.0, 4.0, 5.0]) }).unwrap();
    assert_eq!(got, ItemScore { score: Some(2.0), range: Some((2.0, 5.0)), disagreement: true, capped: true });
    let low = one(Item { evidence: false, ..item(&[1.0, 2.5]) }).unwrap();
    assert_eq!((low.score, low.capped, low.disagreement), (Some(1.75), false, false));
    assert!(!one(Item { evidence: false, ..item(&[2.0]) }).unwrap().capped);
    assert!(!one(item(&[5.0])).unwrap().capped);
    for wrong in [-0.5, 5.5, f64::NAN] {
        assert_eq!(one(item(&[3.0, wrong])), Err(bad("scores", 0, Reason::OutOfRange)));
    }
}

#[test]
fn more_than_a_fifth_absent_leaves_dimension_and_whole_without_a_score() {
    let three = [3.0];
    let answered = item(&three);
    let absent = Item { not_applicable: true, ..answered };
    let silent = item(&[]);
    let other = Item { dimension: 1, ..answered };
    let got = score(&[answered, answered, answered, answered, absent, other], &[1.0, 1.0]).unwrap();
    assert_eq!(got.dimensions[0].level, Ok(Level { continuous: 3.0, staged: 3 }));
    assert_eq!((got.dimensions[0].items, got.dimensions[0].answered, got.dimensions[0].absent_share), (5, 4, 0.2));
    assert_eq!(got.whole, Ok(Whole { index: 60.0, staged: 3 }));
    for second in [absent, silent] {
        let got = score(&[answered, answered, answered, absent, second, other], &[1.0, 1.0]).unwrap();
        assert_eq!(got.dimensions[0].level, degenerate(Reason::ManyAbsent));
        assert_eq!(got.dimensions[1].level, Ok(Level { continuous: 3.0, staged: 3 }));
        assert_eq!(got.whole, degenerate(Reason::DimensionNotScored));
        assert_eq!(got.evidence_share, Ok(1.0));
    }
    let got = score(&[other], &[1.0, 1.0]).unwrap();
    assert_eq!(got.dimensions[0].level, degenerate(Reason::NoData));
    assert_eq!(score(&[], &[]).unwrap().whole, degenerate(Reason::NoData));
    assert_eq!(score(&[], &[]).unwrap().evidence_share, degenerate(Reason::NoData));
}

#[test]
fn staged_levels_ask_every_key_item_and_four_of_five() {
    let staged = |scores: &[f64], key: &[bool]| {
        let items: Vec<Item<'_>> =
            scores.chunks(1).zip(key).map(|(scores, key)| Item { key: *key, ..item(scores) }).collect();
        score(&items, &[1.0]).unwrap().dimensions[0].level.unwrap().staged
    };
    let none = [false; 5];
    assert_eq!(staged(&[5.0, 5.0, 5.0, 5.0, 0.0], &none), 5);
    assert_eq!(staged(&[5.0, 5.0, 5.0, 2.0, 1.0], &none), 2);
    assert_eq!(staged(&[5.0, 5.0, 5.0, 5.0, 1.0], &[false, false, false, false, true]), 1);
    assert_eq!(staged(&[5.0, 5.0, 5.0, 0.5, 0.0], &none), 0);
    assert_eq!(staged(&[4.5, 4.5, 4.5, 4.5, 4.5], &none), 4);
    // Three of four are 75 %.
    assert_eq!(staged(&[4.0, 4.0, 4.0, 3.0], &none), 3);
}

#[test]
fn weights_decide_and_may_not_vanish() {
    let (one, five) = ([1.0], [5.0]);
    let items = [Item { weight: 3.0, ..item(&one) }, item(&five), Item { dimension: 1, ..item(&five) }];
    let got = score(&items, &[1.0, 3.0]).unwrap();
    assert_eq!(got.dimensions[0].level.map(|level| level.continuous), Ok(2.0));
    assert_near(got.whole.unwrap().index, 20.0 * (2.0 + 15.0) / 4.0, 1e-12);
    assert_eq!(score(&items, &[0.0, 0.0]).unwrap().whole, degenerate(Reason::NoWeight));
    let weightless = Item { weight: 0.0, ..items[2] };
    assert_eq!(score(&[items[0], weightless], &[1.0, 1.0]).unwrap().dimensions[1].level, degenerate(Reason::NoWeight));
    assert_eq!(score(&items, &[1.0]), Err(bad("dimension", 2, Reason::OutOfRange)));
    assert_eq!(score(&items, &[1.0, -1.0]), Err(bad("dimension_weights", 1, Reason::Negative)));
}

#[test]
fn a_score_does_not_hang_on_the_order_of_assessors_or_the_unit_of_weight() {
    let mut next = cases(11);
    for _ in 0..50 {
        let answers: Vec<[f64; 4]> = (0..10).map(|_| [0; 4].map(|_: i32| (next() * 10.0).round() / 2.0)).collect();
        let turned: Vec<[f64; 4]> = answers.iter().map(|[a, b, c, d]| [*c, *a, *d, *b]).collect();
        let weights: Vec<f64> = (0..10).map(|_| 1.0 + (next() * 4.0).floor()).collect();
        let items = |answers: &[[f64; 4]], unit: f64| -> Result<Assessment, Failure> {
            let of = |(index, scores)| {
                let scores: &[f64; 4] = scores;
                Item { dimension: index % 2, weight: weights[index] * unit, key: index < 3, ..item(scores) }
            };
            score(&answers.iter().enumerate().map(of).collect::<Vec<_>>(), &[2.0 * unit, 3.0 * unit])
        };
        let got = items(&answers, 1.0).unwrap();
        assert_eq!(items(&turned, 4.0), Ok(got.clone()));
        let whole = got.whole.unwrap();
        assert!((0.0..=100.0).contains(&whole.index) && f64::from(whole.staged) <= HIGHEST);
    }
}

#[test]
fn agreement_by_hand() {
    let rows =
        |rows: &[&[f64]]| rows.iter().map(|row| row.iter().map(|score| Some(*score)).collect()).collect::<Vec<_>>();
    assert_eq!(agreement(&rows(&[&[1.0, 3.0, 5.0], &[1.0, 3.0, 5.0]])), Ok(1.0));
    // Two levels: every distance is the same, so α = 1 − (n − 1)·o/(n₁·n₂), here 1 − 3·1/(1·3) = 0.
    assert_near(agreement(&rows(&[&[1.0, 2.0], &[2.0, 2.0]])).unwrap(), 0.0, 1e-15);
    assert_near(agreement(&rows(&[&[1.0, 2.0], &[2.0, 1.0]])).unwrap(), -0.5, 1e-15);
    assert_eq!(agreement(&rows(&[&[2.0, 2.0], &[2.0, 2.0]])), degenerate(Reason::NoVariation));
    assert_eq!(agreement(&rows(&[&[1.0, 2.0]])), Err(Failure::TooLittleData { needed: 2, got: 1 }));
    assert_eq!(agreement(&[]), Err(Failure::TooLittleData { needed: 2, got: 0 }));
    assert_eq!(agreement(&[vec![Some(1.0)], vec![]]), Err(bad_parameter("scores", Reason::LengthsDiffer)));
    // Ordinal: only the order of the levels counts.
    let scores: [&[f64]; 3] = [&[0.0, 1.0, 2.0, 3.0, 1.0], &[0.5, 1.0, 3.0, 3.0, 2.0], &[0.0, 2.0, 2.0, 5.0, 1.0]];
    let squared: Vec<Vec<f64>> = scores.iter().map(|row| row.iter().map(|score| score * score).collect()).collect();
    let squared: Vec<&[f64]> = squared.iter().map(Vec::as_slice).collect();
    assert_eq!(agreement(&rows(&scores)), agreement(&rows(&squared)));
}

#[test]
fn branches_roll_up() {
    let got = roll_up(4.0, &[(2.0, 1.0), (4.0, 3.0)], 0.0).unwrap();
    assert_eq!(got, RollUp { bank: 3.5, minimum: 2.0, p25: 2.5, median: 3.0 });
    assert_eq!(roll_up(4.0, &[(2.0, 1.0)], 1.0).map(|got| got.bank), Ok(4.0));
    assert_eq!(roll_up(4.0, &[], 0.4), Err(Failure::TooLittleData { needed: 1, got: 0 }));
    assert_eq!(roll_up(4.0, &[(2.0, 0.0)], 0.4), degenerate(Reason::NoWeight));
    assert_eq!(roll_up(4.0, &[(2.0, 1.0)], 1.4), Err(bad_parameter("head_office_share", Reason::OutOfRange)));
}

#[test]
fn gaps_by_priority() {
    let gap = |current, target, effort| Gap { current, target, weight: 2.0, benefit_link: 1.5, effort };
    let ranked = rank_gaps(&[gap(3.0, 4.0, 3.0), gap(4.0, 3.0, 1.0), gap(1.0, 4.0, 2.0), gap(3.0, 4.0, 3.0)]).unwrap();
    assert_eq!(ranked.iter().map(|gap| gap.index).collect::<Vec<_>>(), [2, 0, 3, 1]);
    assert_eq!(ranked[0], RankedGap { index: 2, gap: 3.0, priority: 4.5 });
    assert_eq!(ranked[3].priority, -3.0);
    assert_eq!(rank_gaps(&[gap(3.0, 4.0, 0.0)]), Err(bad("effort", 0, Reason::OutOfRange)));
    assert_eq!(rank_gaps(&[gap(f64::NAN, 4.0, 1.0)]), Err(bad("gap", 0, Reason::NotFinite)));
}

fn rated<'a>(key: &'a str, version: u32, score: f64, assessors: &'a [Option<f64>]) -> Rated<'a> {
    Rated { key, version, weight: 1.0, score: Some(score), assessors }
}

#[test]
fn a_change_counts_common_items_of_equal_text() {
    let alone = [Some(2.0)];
    let before = [rated("a", 1, 2.0, &alone), rated("b", 1, 3.0, &alone), rated("c", 1, 1.0, &alone)];
    let heavy = Rated { weight: 3.0, ..rated("a", 1, 3.0, &alone) };
    let absent = Rated { score: None, ..rated("c", 1, 0.0, &alone) };
    let after = [rated("b", 2, 5.0, &alone), heavy, absent, rated("d", 1, 5.0, &alone)];
    let got = compare(&before, &after).unwrap();
    assert_eq!(got, Change { change: 1.0, items: 1, standard_error: None, real: true });
    let nothing: Result<Change, Failure> = degenerate(Reason::NothingInCommon);
    assert_eq!(compare(&before, &[rated("a", 9, 1.0, &alone)]), nothing);
    assert_eq!(compare(&[], &[]), nothing);
    assert_eq!(compare(&before, &[heavy, heavy]), Err(bad("key", 1, Reason::Duplicate)));
    let weightless = Rated { weight: 0.0, ..heavy };
    assert_eq!(compare(&before, &[weightless]), degenerate(Reason::NoWeight));
}

#[test]
fn with_one_assessor_half_a_point_is_real() {
    let (alone, many) = ([Some(2.0)], [Some(1.0), Some(3.0)]);
    let real = |from, to| compare(&[rated("a", 1, from, &alone)], &[rated("a", 1, to, &many)]).unwrap().real;
    assert!(real(2.0, 2.5) && real(2.5, 2.0));
    assert!(!real(2.0, 2.25));
}

#[test]
fn the_spread_of_assessors_decides_what_is_real() {
    // Assessors stand 1 above and 1 below the mean on both items: SE² = (1 + 1)/(2·1) = 1 on each side.
    let (low, high) = ([Some(1.0), Some(3.0)], [Some(2.0), Some(4.0)]);
    let before = [rated("a", 1, 2.0, &low), rated("b", 1, 3.0, &high)];
    let change = |to: f64| compare(&before, &[rated("a", 1, to, &low), rated("b", 1, to + 1.0, &high)]).unwrap();
    let got = change(4.0);
    assert_near(got.standard_error.unwrap(), 2.0_f64.sqrt(), 1e-12);
    assert_eq!((got.change, got.real, got.items), (2.0, false, 2));
    assert!(change(4.8).real, "2.8 lies above 1.96·√2 = 2.77");
    // Deviations that cancel over items leave no doubt about the mean.
    let turned = [Some(3.0), Some(1.0)];
    let level = |score| [rated("a", 1, score, &low), rated("b", 1, score, &turned)];
    let got = compare(&level(2.0), &level(2.5)).unwrap();
    assert_eq!((got.standard_error, got.real), (Some(0.0), true));
    assert!(!compare(&level(2.0), &level(2.0)).unwrap().real);
    // An item that one of them left out says nothing about how they differ from each other.
    let partly = [Some(4.0), None];
    let more = [before[0], before[1], rated("c", 1, 4.0, &partly)];
    assert_eq!(compare(&more, &before).unwrap().standard_error, compare(&before, &before).unwrap().standard_error);
}
