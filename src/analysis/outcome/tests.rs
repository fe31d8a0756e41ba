//! Golden vectors of E03 and the edge cases of the design.

use serde_json::{Value, json};

use super::*;
use crate::analysis::bad;
use crate::analysis::tests::{assert_near, cases, degenerate, figure, hold_golden, list, number, numbers};

fn kernel(name: &str, inputs: &Value) -> Value {
    match name {
        "attainment" => {
            let goal = |case: &Value| match case["direction"].as_str() {
                Some("higher") => Goal::Higher { target: number(&case["target"]) },
                Some("lower") => Goal::Lower { target: number(&case["target"]) },
                Some("range") => Goal::Range {
                    low: number(&case["low"]),
                    high: number(&case["high"]),
                    tolerance: number(&case["tolerance"]),
                },
                _ => panic!("no direction in {case}"),
            };
            let attained = |case: &Value| figure(attainment(number(&case["actual"]), &goal(case)));
            json!({"attainment": list(&inputs["cases"]).iter().map(attained).collect::<Vec<_>>()})
        }
        "scorecard" => {
            let part = |kpi: &Value| (number(&kpi["weight"]), kpi["attainment"].as_f64());
            let kpis: Vec<Part> = list(&inputs["kpis"]).iter().map(part).collect();
            let light = |attained: f64| light(attained, number(&inputs["yellow"])).as_str();
            let got = weighted_score(&kpis).unwrap();
            json!({
                "score": figure(got.value), "covered_weight": got.covered_weight,
                "lights": kpis.iter().map(|(_, attained)| attained.map(light)).collect::<Vec<_>>(),
            })
        }
        "interrupted_series" => {
            let [change_at, lags] = ["change_at", "lags"].map(|key| inputs[key].as_u64().unwrap() as usize);
            let got = interrupted_series(&numbers(&inputs["values"]), change_at, Some(lags)).unwrap();
            json!({"coefficients": got.coefficients, "standard_errors": got.inference.unwrap().standard_errors})
        }
        _ => panic!("no kernel `{name}`"),
    }
}

#[test]
fn golden_vectors() {
    let file = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/e03_outcome.json"));
    assert_eq!(hold_golden(file, kernel), 3);
}

#[test]
fn attainment_of_every_sign() {
    let higher = |actual, target| attainment(actual, &Goal::Higher { target }).unwrap();
    let lower = |actual, target| attainment(actual, &Goal::Lower { target }).unwrap();
    for (got, wanted) in [
        (higher(50.0, 100.0), 0.5),
        (higher(-10.0, 100.0), 0.0),
        (higher(119.0, 100.0), 1.19),
        (higher(-100.0, -100.0), 1.0),
        (higher(-130.0, -100.0), 0.7),
        (higher(10.0, -100.0), 1.2),
        (higher(0.0, 0.0), 1.0),
        (higher(3.0, 0.0), 1.0),
        (higher(-0.1, 0.0), 0.0),
        (higher(3.0, -0.0), 1.0),
        (lower(2.0, 2.0), 1.0),
        (lower(2.2, 2.0), 0.9),
        (lower(5.0, 2.0), 0.0),
        (lower(-1.0, 2.0), 1.2),
        (lower(-1.0, 0.0), 1.0),
        (lower(0.1, 0.0), 0.0),
        (lower(-100.0, -100.0), 1.0),
        (lower(-110.0, -100.0), 1.1),
        (lower(-90.0, -100.0), 0.9),
        (lower(20.0, -100.0), 0.0),
    ] {
        assert_near(got, wanted, 1e-12);
    }
}

#[test]
fn attainment_of_a_range() {
    let range = |actual, tolerance| attainment(actual, &Goal::Range { low: 350.0, high: 400.0, tolerance });
    for (actual, wanted) in [(350.0, 1.0), (375.0, 1.0), (400.0, 1.0), (425.0, 0.5), (300.0, 0.0), (200.0, 0.0)] {
        assert_eq!(range(actual, 50.0), Ok(wanted));
    }
    assert_eq!((range(400.0, 0.0), range(400.1, 0.0)), (Ok(1.0), Ok(0.0)));
    assert_eq!(range(375.0, -1.0), Err(bad_parameter("tolerance", Reason::OutOfRange)));
    let turned = Goal::Range { low: 2.0, high: 1.0, tolerance: 1.0 };
    assert_eq!(attainment(1.5, &turned), Err(bad_parameter("range", Reason::NotOrdered)));
    assert_eq!(attainment(f64::NAN, &Goal::Lower { target: 1.0 }), Err(bad("actual", 0, Reason::NotFinite)));
    assert_eq!(attainment(1.0, &Goal::Higher { target: f64::INFINITY }), Err(bad("target", 0, Reason::NotFinite)));
}

#[test]
fn attainment_knows_no_unit() {
    let mut next = cases(5);
    for _ in 0..500 {
        let (actual, target) = (next() * 20.0 - 10.0, next() * 20.0 - 10.0);
        for goal in [|target| Goal::Higher { target }, |target| Goal::Lower { target }] {
            let [small, large] = [1.0, 1024.0].map(|unit| attainment(actual * unit, &goal(target * unit)).unwrap());
            assert_eq!(small, large);
            assert!((0.0..=HIGHEST_ATTAINMENT).contains(&small));
            assert_near(attainment(target, &goal(target)).unwrap(), 1.0, 1e-15);
        }
        // Higher of the negated figure is lower of the figure.
        let mirrored = attainment(-actual, &Goal::Higher { target: -target });
        assert_eq!(mirrored, attainment(actual, &Goal::Lower { target }));
    }
}

#[test]
fn lights_are_decided_without_rounding_noise() {
    let lower = attainment(2.2, &Goal::Lower { target: 2.0 }).unwrap();
    assert!(lower < 0.9, "{lower}");
    assert_eq!(light(lower, YELLOW), Light::Yellow);
    assert_eq!(
        [1.2, 1.0, 0.999, 0.9, 0.899, 0.0].map(|attained| light(attained, YELLOW).as_str()),
        ["green", "green", "yellow", "yellow", "red", "red"]
    );
}

#[test]
fn a_score_leaves_out_what_is_missing() {
    let got = weighted_score(&[(2.0, Some(0.5)), (6.0, None), (2.0, Some(1.0))]).unwrap();
    assert_eq!(got, Score { value: Ok(0.75), covered_weight: 0.4 });
    let nothing = weighted_score(&[(2.0, None)]).unwrap();
    assert_eq!(nothing, Score { value: degenerate(Reason::NoData), covered_weight: 0.0 });
    // What has data may have no weight.
    let weightless = weighted_score(&[(0.0, Some(1.0)), (1.0, None)]).unwrap();
    assert_eq!(weightless, Score { value: degenerate(Reason::NoData), covered_weight: 0.0 });
    assert_eq!(weighted_score(&[(0.0, Some(1.0))]), degenerate(Reason::NoWeight));
    assert_eq!(weighted_score(&[]), degenerate(Reason::NoWeight));
    assert_eq!(weighted_score(&[(1.0, None), (-1.0, None)]), Err(bad("weight", 1, Reason::Negative)));
    assert_eq!(weighted_score(&[(1.0, Some(f64::NAN))]), Err(bad("value", 0, Reason::NotFinite)));
}

#[test]
fn four_sources() {
    assert_near(SOURCE_WEIGHTS.iter().sum(), 1.0, 1e-15);
    let sources =
        |values: [Option<f64>; 4]| weighted_score(&SOURCE_WEIGHTS.into_iter().zip(values).collect::<Vec<_>>()).unwrap();
    let all = sources([Some(80.0), Some(70.0), Some(60.0), Some(90.0)]);
    assert_near(all.value.unwrap(), 24.0 + 28.0 + 9.0 + 13.5, 1e-12);
    let without_survey = sources([None, Some(70.0), Some(60.0), Some(90.0)]);
    assert_near(without_survey.value.unwrap(), 50.5 / 0.7, 1e-12);
    assert_near(without_survey.covered_weight, 0.7, 1e-15);
}

#[test]
fn a_scorecard_shows_gaps_at_both_levels() {
    let got = scorecard(&[
        (1.0, vec![(1.0, Some(1.0)), (1.0, None)]),
        (2.0, vec![(1.0, Some(0.7))]),
        (1.0, vec![(1.0, None)]),
    ])
    .unwrap();
    assert_near(got.total.value.unwrap(), (1.0 + 2.0 * 0.7) / 3.0, 1e-12);
    assert_near(got.total.covered_weight, (0.5 + 2.0 + 0.0) / 4.0, 1e-12);
    assert_eq!(got.perspectives[0], Score { value: Ok(1.0), covered_weight: 0.5 });
    assert_eq!(got.perspectives[2], Score { value: degenerate(Reason::NoData), covered_weight: 0.0 });
    assert_eq!(scorecard(&[]), degenerate(Reason::NoWeight));
    assert_eq!(scorecard(&[(1.0, vec![])]), degenerate(Reason::NoWeight));
}

#[test]
fn progress_against_time() {
    // 31 October: 304 of 365 days are 83.3 %.
    let at = |actual| progress(actual, 1000.0, 304, 365, 0.01).unwrap();
    assert_near(at(800.0).elapsed, 0.8329, 5e-5);
    assert_near(at(800.0).gap, 0.8 - 304.0 / 365.0, 1e-15);
    assert_eq!(
        [800.0, 825.0, 842.0, 843.0].map(|actual| at(actual).pace),
        [Pace::Behind, Pace::Level, Pace::Level, Pace::Ahead]
    );
    assert_eq!(progress(30.0, 100.0, 3, 10, 0.0).map(|got| got.pace), Ok(Pace::Level));
    // 0.4 − 0.3 is a hair above 0.1.
    assert_eq!(progress(40.0, 100.0, 3, 10, 0.1).map(|got| got.pace), Ok(Pace::Level));
    assert_eq!(progress(1.0, 0.0, 3, 10, 0.0), Err(bad_parameter("target", Reason::NotPositive)));
    assert_eq!(progress(1.0, 1.0, 0, 0, 0.0), Err(bad_parameter("days", Reason::NotPositive)));
    assert_eq!(progress(1.0, 1.0, 11, 10, 0.0), Err(bad_parameter("elapsed_days", Reason::OutOfRange)));
}

#[test]
fn an_interrupted_series_finds_the_planted_step_and_slope() {
    let planted = |time: usize| 50.0 + 0.5 * time as f64 + if time < 10 { 0.0 } else { 4.0 - 0.2 * (time - 10) as f64 };
    let noise = [0.3, -0.2, -0.1, 0.25, -0.25];
    let values: Vec<f64> = (0..30).map(|time| planted(time) + noise[time % 5]).collect();
    let got = interrupted_series(&values, 10, None).unwrap();
    let certain = got.inference.unwrap();
    assert_eq!(certain.lags, 3);
    assert!(certain.level.low < 4.0 && 4.0 < certain.level.high && certain.level.low > 3.0);
    assert!(certain.slope.low < -0.2 && -0.2 < certain.slope.high && certain.slope.high < 0.0);
    assert_near((certain.level.high - certain.level.low) / certain.standard_errors[2], 2.0 * 1.96, 1e-3);
    // Without noise the fit is exact; the means stand beside it.
    let exact = interrupted_series(&(0..30).map(planted).collect::<Vec<_>>(), 10, None).unwrap();
    for (got, wanted) in exact.coefficients.iter().zip([50.0, 0.5, 4.0, -0.2]) {
        assert_near(*got, wanted, 1e-10);
    }
    assert_near(exact.mean_before, 52.25, 1e-12);
    // A larger unit scales everything, errors too.
    let scaled = interrupted_series(&values.iter().map(|value| value * 1000.0).collect::<Vec<_>>(), 10, None).unwrap();
    for k in 0..4 {
        assert_near(scaled.coefficients[k] / got.coefficients[k], 1000.0, 1e-8);
        assert_near(scaled.inference.unwrap().standard_errors[k] / certain.standard_errors[k], 1000.0, 1e-8);
    }
}

#[test]
fn a_short_side_is_descriptive_only() {
    let values: Vec<f64> = (0..15).map(f64::from).collect();
    let got = interrupted_series(&values, 8, None).unwrap();
    assert_eq!(got.inference, Err(Failure::TooLittleData { needed: 8, got: 7 }));
    assert_eq!((got.mean_before, got.mean_after), (3.5, 11.0));
    assert_near(got.coefficients[1], 1.0, 1e-12);
    assert!(interrupted_series(&[0.0; 16], 8, None).unwrap().inference.is_ok());
    assert_eq!(interrupted_series(&values, 14, None), Err(Failure::TooLittleData { needed: 2, got: 1 }));
    assert_eq!(interrupted_series(&values, 0, None), Err(Failure::TooLittleData { needed: 2, got: 0 }));
    assert_eq!(interrupted_series(&values, 16, None), Err(bad_parameter("change_at", Reason::OutOfRange)));
    assert_eq!(interrupted_series(&values, 8, Some(15)), Err(bad_parameter("lags", Reason::OutOfRange)));
    assert_eq!(interrupted_series(&[1.0, f64::NAN], 1, None), Err(bad("values", 1, Reason::NotFinite)));
    assert_eq!([4, 24, 100, 250].map(default_lags), [1, 2, 4, 4]);
}

#[test]
fn difference_in_differences_by_hand() {
    let treated = [(10.0, 11.0), (20.0, 22.0), (30.0, 33.0)];
    let comparison = [(5.0, 4.0), (6.0, 6.0), (7.0, 8.0)];
    let got = difference_in_differences(&treated, &comparison).unwrap();
    assert_eq!((got.effect, got.treated_change, got.comparison_change), (2.0, 2.0, 0.0));
    // Both variances are 1: SE² = 1/3 + 1/3 on 4 degrees of freedom, where t is 2.776445.
    let certain = got.inference.unwrap();
    assert_near(certain.standard_error, (2.0_f64 / 3.0).sqrt(), 1e-14);
    assert_near(certain.df, 4.0, 1e-12);
    assert_near(certain.interval.high, 2.0 + 2.776_445_105 * (2.0_f64 / 3.0).sqrt(), 1e-8);
    assert_near(certain.interval.low + certain.interval.high, 4.0, 1e-12);
}

#[test]
fn an_effect_without_spread_or_units_is_not_certain() {
    let (one, two) = ([(1.0, 3.0)], [(1.0, 2.0), (4.0, 5.0)]);
    let got = difference_in_differences(&one, &two).unwrap();
    assert_eq!((got.effect, got.inference), (1.0, Err(Failure::TooLittleData { needed: 2, got: 1 })));
    assert_eq!(difference_in_differences(&two, &two).unwrap().inference, degenerate(Reason::NoVariation));
    // One side alone may vary.
    let spread = [(0.0, 1.0), (0.0, 3.0)];
    let certain = difference_in_differences(&spread, &two).unwrap().inference.unwrap();
    assert_near(certain.df, 1.0, 1e-12);
    assert_eq!(difference_in_differences(&[], &two), Err(Failure::TooLittleData { needed: 1, got: 0 }));
    assert_eq!(difference_in_differences(&two, &[(0.0, f64::NAN)]), Err(bad("comparison", 0, Reason::NotFinite)));
}
