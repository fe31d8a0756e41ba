//! Golden vectors of E02, the edge cases of the design, and what must hold for any flows.

use serde_json::{Value, json};

use super::rate::has_rate;
use super::*;
use crate::analysis::tests::{assert_near, cases, degenerate, figure, hold_golden, list, number, numbers};

fn terms(rate: f64) -> Terms {
    Terms { rate, finance_rate: rate, reinvest_rate: rate, mid_period: false, tax: 0.0 }
}

/// Net flows as streams: inflows are benefits, outflows costs.
fn streams(flows: &[f64]) -> Streams {
    Streams {
        benefits: flows.iter().map(|flow| flow.max(0.0)).collect(),
        costs: flows.iter().map(|flow| (-flow).max(0.0)).collect(),
        ..Streams::default()
    }
}

fn rates(flows: &[f64]) -> Rates {
    rates_of_return(&period_times(flows.len(), false), flows).unwrap()
}

/// Days since 1970-01-01 of a date as `2025-01-31`.
fn day(date: &Value) -> i32 {
    let parts: Vec<i32> = date.as_str().unwrap().split('-').map(|part| part.parse().unwrap()).collect();
    let (year, month) = if parts[1] > 2 { (parts[0], parts[1] - 3) } else { (parts[0] - 1, parts[1] + 9) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + parts[2] - 719_469
}

fn kernel(name: &str, inputs: &Value) -> Value {
    match name {
        "cash_flow" => {
            let terms = Terms {
                rate: number(&inputs["rate"]),
                finance_rate: number(&inputs["finance_rate"]),
                reinvest_rate: number(&inputs["reinvest_rate"]),
                ..terms(0.0)
            };
            let got = appraise(&streams(&numbers(&inputs["flows"])), &terms).unwrap();
            json!({
                "npv": got.npv, "irr": figure(got.irr.rate), "irr_status": got.irr.status.as_str(),
                "irr_all": got.irr.all, "mirr": figure(got.mirr), "payback": figure(got.payback.first),
                "discounted_payback": figure(got.discounted_payback.first), "payback_final": figure(got.payback.last),
            })
        }
        "dated_npv" => {
            let times = dated_times(&list(&inputs["dates"]).iter().map(day).collect::<Vec<_>>()).unwrap();
            let flows = numbers(&inputs["flows"]);
            let npv = present_value(&times, &flows, number(&inputs["rate"]));
            json!({"npv": figure(npv), "irr": figure(rates_of_return(&times, &flows).unwrap().rate)})
        }
        "tei" => {
            let (benefits, costs) = (numbers(&inputs["benefits"]), numbers(&inputs["costs"]));
            let streams = Streams { benefits, costs, ..Streams::default() };
            let streams = streams.risk_adjusted(number(&inputs["benefit_risk"]), number(&inputs["cost_risk"]));
            let got = appraise(&streams.unwrap(), &terms(number(&inputs["rate"]))).unwrap();
            json!({
                "pv_benefits": got.pv_benefits, "pv_costs": got.pv_costs, "npv": got.npv, "roi": figure(got.roi),
                "payback": figure(got.payback.first), "net": got.net,
            })
        }
        "evidence_haircut" => {
            let grade = |line: &Value| match line["grade"].as_str() {
                Some("A") => Grade::A,
                Some("B") => Grade::B,
                Some("C") => Grade::C,
                Some("D") => Grade::D,
                _ => panic!("no grade in {line}"),
            };
            let adjusted = |line: &Value| {
                number(&line["benefit"]) * benefit_factor(1.0, number(&line["risk"]), grade(line), true).unwrap()
            };
            let adjusted: Vec<f64> = list(&inputs["lines"]).iter().map(adjusted).collect();
            json!({"total": sum(adjusted.iter().copied()), "adjusted": adjusted})
        }
        "growth_readings" => {
            let got = growth_readings(number(&inputs["count_growth"]), number(&inputs["profit_growth"])).unwrap();
            json!({"per_unit_reading": got.per_unit_reading, "portfolio_reading": got.portfolio_reading})
        }
        _ => panic!("no kernel `{name}`"),
    }
}

#[test]
fn golden_vectors() {
    let file = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/e02_roi.json"));
    assert_eq!(hold_golden(file, kernel), 12);
}

#[test]
fn flows_in_the_middle_of_a_period_are_worth_half_a_period_more() {
    assert_eq!(period_times(3, true), [0.0, 0.5, 1.5]);
    let flows = [-100.0, 60.0, 60.0];
    let end = present_value(&period_times(3, false), &flows, 0.21).unwrap();
    let middle = present_value(&period_times(3, true), &flows, 0.21).unwrap();
    assert_near(middle + 100.0, (end + 100.0) * 1.1, 1e-12);
    let mid_terms = Terms { mid_period: true, ..terms(0.21) };
    assert_near(appraise(&streams(&flows), &mid_terms).unwrap().npv, middle, 1e-12);
    let rate = appraise(&streams(&flows), &mid_terms).unwrap().irr.rate.unwrap();
    assert_near(present_value(&period_times(3, true), &flows, rate).unwrap(), 0.0, 1e-12);
}

#[test]
fn dates_count_in_years_of_365_days() {
    assert_eq!(dated_times(&[20_000, 20_365, 20_365, 20_730]), Ok(vec![0.0, 1.0, 1.0, 2.0]));
    assert_eq!(dated_times(&[5, 4]), Err(bad("days", 1, Reason::NotAscending)));
    assert_eq!(dated_times(&[i32::MIN, i32::MAX]).map(|times| times.len()), Ok(2));
    let flows = [-100.0, 70.0, -20.0, 80.0];
    let dated = rates_of_return(&[0.0, 1.0, 1.0, 2.0], &flows).unwrap();
    // Flows of one day are one flow, so 50 comes back and the sign changes once.
    assert_eq!(dated, rates(&[-100.0, 50.0, 80.0]));
    assert_eq!(dated.status, RateStatus::Unique);
}

#[test]
fn figures_without_a_base_say_why() {
    let got = appraise(&streams(&[100.0, 50.0]), &terms(0.1)).unwrap();
    for missing in [got.roi, got.roi_undiscounted, got.benefit_cost] {
        assert_eq!(missing, degenerate(Reason::NoCosts));
    }
    assert_eq!(got.profitability_index, degenerate(Reason::NoOutflows));
    assert_eq!(got.mirr, degenerate(Reason::NoSignChange));
    let nothing = appraise(&streams(&[0.0, 0.0]), &terms(0.1)).unwrap();
    assert_eq!((nothing.npv, nothing.irr.status), (0.0, RateStatus::None));
    assert_eq!(nothing.payback, Payback { first: degenerate(Reason::NoFlows), last: degenerate(Reason::NoFlows) });
}

#[test]
fn both_conventions_of_roi_and_the_ratios() {
    let case = Streams {
        benefits: vec![0.0, 110.0, 121.0],
        costs: vec![100.0, 11.0, 0.0],
        capital: vec![50.0, 0.0, 0.0],
        ..Streams::default()
    };
    let got = appraise(&case, &terms(0.1)).unwrap();
    assert_near(got.roi.unwrap(), (200.0 - 160.0) / 160.0, 1e-12);
    assert_near(got.roi_undiscounted.unwrap(), (231.0 - 161.0) / 161.0, 1e-12);
    assert_near(got.benefit_cost.unwrap(), 200.0 / 160.0, 1e-12);
    // The index nets inside a period first: 90 + 100 in, 150 out.
    assert_near(got.profitability_index.unwrap(), 190.0 / 150.0, 1e-12);
    assert_near(got.npv, 40.0, 1e-12);
}

#[test]
fn tax_takes_its_share_and_depreciation_gives_some_back() {
    let case = Streams {
        benefits: vec![0.0, 500.0, 500.0],
        costs: vec![40.0, 100.0, 100.0],
        capital: vec![600.0, 0.0, 0.0],
        depreciation: straight_line(600.0, 0.0, 2, 1, 3).unwrap(),
    };
    let got = appraise(&case, &Terms { tax: 0.25, ..terms(0.0) }).unwrap();
    assert_eq!(got.net, [-630.0, 375.0, 375.0]);
    assert_near(got.npv, got.pv_benefits - got.pv_costs, 1e-12);
    // Profit over the life is 120, so a quarter of it is what tax costs.
    assert_near(got.npv, (1000.0 - 240.0 - 600.0) * 0.75, 1e-12);
    assert_eq!(straight_line(100.0, 10.0, 3, 1, 3), Ok(vec![0.0, 30.0, 30.0]));
    assert_eq!(straight_line(100.0, 10.0, 0, 1, 3), Err(bad_parameter("life", Reason::NotPositive)));
    assert_eq!(straight_line(100.0, 101.0, 2, 1, 3), Err(bad_parameter("residual", Reason::OutOfRange)));
}

#[test]
fn payback_by_hand() {
    let of = |flows: &[f64]| payback(flows).unwrap();
    let never = degenerate(Reason::NeverRepaid);
    for (flows, first, last) in [
        (&[-100.0, 100.0][..], Ok(1.0), Ok(1.0)),
        (&[0.0, 0.0, -100.0, 200.0], Ok(2.5), Ok(2.5)),
        (&[0.0, 50.0, -60.0, 20.0], Ok(0.0), Ok(2.5)),
        (&[50.0, -60.0, 5.0], Ok(0.0), degenerate(Reason::EndsNegative)),
        (&[-100.0, 150.0, -100.0], Ok(2.0 / 3.0), degenerate(Reason::EndsNegative)),
        (&[-100.0, 50.0], never, never),
        // Rounding leaves −5.6e-17 here.
        (&[-0.4, 0.1, 0.3], Ok(2.0), Ok(2.0)),
        (&[-100.0, 100.0, 0.0, 0.0], Ok(1.0), Ok(1.0)),
        // A zero on the way is no payback.
        (&[-100.0, 0.0, 0.0, 400.0], Ok(2.25), Ok(2.25)),
    ] {
        assert_eq!(of(flows), Payback { first, last }, "{flows:?}");
    }
    assert_eq!(payback(&[]), Err(Failure::TooLittleData { needed: 1, got: 0 }));
    assert_eq!(payback(&[-1.0, f64::NAN]), Err(bad("flows", 1, Reason::NotFinite)));
}

#[test]
fn standing_of_the_rates() {
    let of = |flows: &[f64]| {
        let got = rates(flows);
        (got.status.as_str(), got.rate, got.all)
    };
    let unique = |flows: &[f64], wanted: f64, tolerance: f64| {
        let got = rates(flows);
        assert_eq!(got.status, RateStatus::Unique, "{flows:?}");
        assert_near(got.rate.unwrap(), wanted, tolerance);
    };
    unique(&[0.0, 0.0, -100.0, 110.0, 0.0], 0.1, 1e-14);
    unique(&[-100.0, 50.0, 50.0], 0.0, 1e-14);
    unique(&[100.0, -110.0], 0.1, 1e-14);
    unique(&[-100.0, 90.0], -0.1, 1e-14);
    unique(&[-1.0, 900_001.0], 900_000.0, 1e-6);
    // Roots that only touch 0, also where the factor turns over at a rate of 0, and one that is three at once.
    for percent in (-20..60).step_by(5) {
        let rate = f64::from(percent) / 100.0;
        unique(&[-1000.0, 2000.0 * (1.0 + rate), -1000.0 * (1.0 + rate).powi(2)], rate, 1e-7);
    }
    unique(&[-1000.0, 3300.0, -3630.0, 1331.0], 0.1, 1e-4);
    assert_eq!(of(&[-1000.0, 2200.0, -1210.01]), ("none", degenerate(Reason::NoRealRate), vec![]));
    assert_eq!(of(&[-1.0, 2e6]), ("none", degenerate(Reason::NoRealRate), vec![]));
    assert_eq!(of(&[-1e6, 1.0]), ("none", degenerate(Reason::NoRealRate), vec![]));
    assert_eq!(of(&[-1.0, 0.0, -5.0]), ("none", degenerate(Reason::NoSignChange), vec![]));
    assert_eq!(of(&[0.0]), ("none", degenerate(Reason::NoSignChange), vec![]));
}

#[test]
fn every_root_is_found() {
    let all = |flows: &[f64], wanted: &[f64], tolerance: f64| {
        let got = rates(flows);
        assert_eq!(got.all.len(), wanted.len(), "{flows:?}: {:?}", got.all);
        got.all.iter().zip(wanted).for_each(|(got, wanted)| assert_near(*got, *wanted, tolerance));
        got
    };
    let three = all(&[-1000.0, 3600.0, -4310.0, 1716.0], &[0.1, 0.2, 0.3], 1e-10);
    assert_eq!((three.status, three.rate), (RateStatus::Multiple, degenerate(Reason::SeveralRates)));
    // Two roots closer than two points of the scan: −(x − 1.1)(x − 1.1005).
    all(&[-1.0, 2.2005, -1.1 * 1.1005], &[0.1, 0.1005], 1e-9);
    // Norstrom's condition fails by the last clause alone: the flows sum to 0, so 0 is a root itself.
    for percent in (10..90).step_by(4) {
        let last = f64::from(100 + percent);
        let ends_at_zero = all(&[-100.0, 100.0 + last, -last], &[0.0, last / 100.0 - 1.0], 1e-12);
        assert_eq!(ends_at_zero.status, RateStatus::Multiple);
    }
    // It holds here: −100, 200, then 130 remains.
    let positive = all(&[-100.0, 300.0, -70.0], &[0.5 - 1.55_f64.sqrt(), 0.5 + 1.55_f64.sqrt()], 1e-12);
    assert_eq!(positive.status, RateStatus::UniquePositive);
    assert_near(positive.rate.unwrap(), 0.5 + 1.55_f64.sqrt(), 1e-12);
    // A return beyond the scan; beyond all search the negative root is not passed off as it.
    let far = all(&[-1.0, 20_000.0, -5000.0], &[-0.749_996_874_921_872_6, 19_998.749_996_874_92], 1e-8);
    assert_eq!(far.status, RateStatus::UniquePositive);
    assert_eq!(has_rate(&[0.0, 1.0], &[-1.0, 2e6]), Ok(false));
    let lost = all(&[-1.0, 5e6, -1e6], &[0.2 - 1.0], 1e-6);
    assert_eq!((lost.status, lost.rate), (RateStatus::Multiple, degenerate(Reason::SeveralRates)));
    // It starts positive: borrowing has no return.
    assert_eq!(rates(&[100.0, -300.0, 70.0]).status, RateStatus::Multiple);
}

#[test]
fn fifty_years_of_months_do_not_overflow() {
    let mut flows = vec![1.0; 600];
    flows[0] = -100.0;
    let got = rates(&flows);
    assert_eq!(got.status, RateStatus::Unique);
    assert_near(present_value(&period_times(600, false), &flows, got.rate.unwrap()).unwrap(), 0.0, 1e-11);
    flows[599] = -30.0;
    let got = rates(&flows);
    assert_eq!(got.status, RateStatus::UniquePositive);
    assert_near(present_value(&period_times(600, false), &flows, got.rate.unwrap()).unwrap(), 0.0, 1e-11);
    let far = discount(&period_times(600, false), &flows, -0.9999);
    assert_eq!(far, degenerate(Reason::Overflow));
    assert_eq!(discount(&[0.0, 1e6], &[1.0, 0.0], -0.9999), Ok(vec![1.0, 0.0]));
}

#[test]
fn at_each_root_the_present_value_is_zero_in_any_unit_of_money() {
    let mut next = cases(7);
    let mut seen = [0; 4];
    for case in 0..30 {
        let count = 2 + (next() * 9.0) as usize;
        let mut flows: Vec<f64> = (0..count).map(|_| (next() * 2000.0 - 1000.0).round()).collect();
        if case % 2 == 0 {
            // An ordinary project with a closing cost, so that each standing occurs.
            flows = flows.iter().map(|flow| flow.abs()).collect();
            flows[0] = -flows[0] - 500.0;
            flows[count - 1] *= -0.2;
        }
        let (times, got) = (period_times(count, false), rates(&flows));
        seen[got.status as usize] += 1;
        assert!(
            got.all.len() <= flows.windows(2).filter(|pair| pair[0] * pair[1] < 0.0).count(),
            "Descartes: {flows:?}"
        );
        assert!(got.all.is_sorted());
        for rate in &got.all {
            let parts = discount(&times, &flows, *rate).unwrap();
            let size = sum(parts.iter().map(|part| part.abs()));
            assert_near(sum(parts) / size, 0.0, 1e-12);
        }
        let in_fen = rates(&flows.iter().map(|flow| flow * 100.0).collect::<Vec<_>>());
        let turned = rates(&flows.iter().map(|flow| -flow).collect::<Vec<_>>());
        let later = rates(&[&[0.0, 0.0][..], &flows].concat());
        assert_eq!((in_fen.status, later.status), (got.status, got.status), "{flows:?}");
        for other in [in_fen, turned, later] {
            assert_eq!(other.all.len(), got.all.len(), "{flows:?}");
            other.all.iter().zip(&got.all).for_each(|(a, b)| assert_near(*a, *b, 1e-9 * (1.0 + b.abs())));
        }
        assert_eq!(has_rate(&times, &flows), Ok(got.rate.is_ok()), "{flows:?}");
    }
    assert!(seen.iter().all(|count| *count > 0), "a standing did not occur: {seen:?}");
}

#[test]
fn modified_rate_by_hand() {
    let times = period_times(4, false);
    let flows = [-100.0, -50.0, 120.0, 130.0];
    let wanted = ((120.0 * 1.05 + 130.0) / (100.0 + 50.0 / 1.08_f64)).powf(1.0 / 3.0) - 1.0;
    assert_near(modified_rate(&times, &flows, 0.08, 0.05).unwrap(), wanted, 1e-14);
    // The horizon counts to its end, also where nothing flows any more.
    let longer = modified_rate(&period_times(3, false), &[-100.0, 121.0, 0.0], 0.0, 0.0).unwrap();
    assert_near(longer, 0.1, 1e-14);
    assert_eq!(modified_rate(&times, &flows, -1.0, 0.05), Err(bad_parameter("finance_rate", Reason::OutOfRange)));
    assert_eq!(modified_rate(&times, &[0.0; 4], 0.1, 0.1), degenerate(Reason::NoSignChange));
}

#[test]
fn what_a_benefit_counts_for() {
    assert_near(benefit_factor(0.4, 0.25, Grade::B, true).unwrap(), 0.4 * 0.75 * 0.85, 1e-15);
    assert_near(benefit_factor(1.0, 0.0, Grade::A, false).unwrap(), 0.5, 1e-15);
    assert_eq!(benefit_factor(1.1, 0.0, Grade::A, true), Err(bad_parameter("share", Reason::OutOfRange)));
    assert_eq!(benefit_factor(1.0, -0.1, Grade::A, true), Err(bad_parameter("risk", Reason::OutOfRange)));
    let case = streams(&[-100.0, 50.0]);
    assert_eq!(case.risk_adjusted(1.5, 0.0), Err(bad_parameter("benefit_risk", Reason::OutOfRange)));
    let capital = Streams { capital: vec![10.0, 0.0], depreciation: vec![0.0, 10.0], ..case };
    let adjusted = capital.risk_adjusted(0.5, 0.5).unwrap();
    assert_eq!((adjusted.capital, adjusted.depreciation), (vec![15.0, 0.0], vec![0.0, 15.0]));
}

#[test]
fn benefits_ramp_up_and_decay() {
    let full = [100.0; 6];
    assert_eq!(ramp(&full, 1, &RAMP, 0.0), Ok(vec![0.0, 25.0, 60.0, 100.0, 100.0, 100.0]));
    assert_eq!(ramp(&full, 0, &RAMP, 0.5), Ok(vec![25.0, 60.0, 100.0, 50.0, 25.0, 12.5]));
    assert_eq!(ramp(&full[..3], 1, &[], 0.1), Ok(vec![0.0, 100.0, 90.0]));
    assert_eq!(ramp(&full[..2], 9, &RAMP, 0.0), Ok(vec![0.0, 0.0]));
    assert_eq!(ramp(&full, 0, &[0.5, 1.5], 0.0), Err(bad("steps", 1, Reason::OutOfRange)));
    assert_eq!(ramp(&full, 0, &RAMP, f64::NAN), Err(bad_parameter("decay", Reason::OutOfRange)));
}

#[test]
fn a_fact_feeds_one_line_and_no_more_than_was_measured() {
    let claim = |line, fact, amount| Claim { line, fact, measure: "margin", period: "2026-06", amount };
    let totals = [Total { measure: "margin", period: "2026-06", amount: 1000 }];
    let claims = [
        claim("retention", "churn-june", 600),
        claim("cross-selling", "churn-june", 10),
        claim("cross-selling", "campaign-12", 401),
        claim("cross-selling", "campaign-12", 400),
        claim("pricing", "mix", -1),
        Claim { period: "2026-07", ..claim("retention", "churn-june", 1) },
        claim("pricing", "mix", 0),
    ];
    let wanted = [
        ClaimFault::ClaimedBefore { claim: 1, first: 0 },
        ClaimFault::ExceedsTotal { claim: 2, left: 400 },
        ClaimFault::Negative { claim: 4 },
        ClaimFault::Unmeasured { claim: 5 },
    ];
    assert_eq!(check_claims(&claims, &totals), wanted);
    let huge = [claim("a", "x", i64::MAX), claim("b", "y", i64::MAX)];
    let total = [Total { amount: i64::MAX, ..totals[0] }];
    assert_eq!(check_claims(&huge, &total), [ClaimFault::ExceedsTotal { claim: 1, left: 0 }]);
    assert_eq!(check_claims(&[], &[]), []);
}

#[test]
fn the_published_case_hangs_on_attribution() {
    let readings = growth_readings(0.59, 1.29).unwrap();
    let needed = |growth: f64| attribution_needed(linear_rise_gain(100.0, growth, 2.0).unwrap(), 20.0, 1.0).unwrap();
    assert_near(needed(readings.per_unit_reading), 0.151, 5e-4);
    assert_near(needed(1.29), 0.310, 5e-4);
    // With exactly that share the return is 100 %.
    assert_near((needed(1.29) * 129.0 - 20.0) / 20.0, 1.0, 1e-12);
    assert_eq!(attribution_needed(0.0, 20.0, 1.0), degenerate(Reason::NoGain));
    assert_eq!(growth_readings(-1.0, 0.5), Err(bad_parameter("count_growth", Reason::OutOfRange)));
}

#[test]
fn scenarios_and_break_even() {
    assert_near(expected_value(&[0.2, 0.5, 0.3], &[-100.0, 50.0, 200.0]).unwrap(), 65.0, 1e-12);
    assert_eq!(expected_value(&[0.2, 0.5], &[1.0, 2.0]), Err(bad_parameter("probabilities", Reason::NotOne)));
    assert_eq!(expected_value(&[1.2, -0.2], &[1.0, 2.0]), Err(bad("probabilities", 1, Reason::Negative)));
    assert_eq!(expected_value(&[1.0], &[]), Err(bad_parameter("values", Reason::LengthsDiffer)));
    let npv = |factor: f64| present_value(&[0.0, 1.0, 2.0], &[-100.0, 80.0 * factor, 80.0 * factor], 0.1);
    let even = goal_seek(0.0, 2.0, 0.0, npv).unwrap();
    assert_near(even, 100.0 / (80.0 / 1.1 + 80.0 / 1.21), 1e-12);
    assert_near(npv(even).unwrap(), 0.0, 1e-11);
    assert_near(npv(goal_seek(0.0, 2.0, 25.0, npv).unwrap()).unwrap(), 25.0, 1e-11);
    assert_eq!(goal_seek(1.0, 2.0, 0.0, npv), degenerate(Reason::NotBracketed));
    assert_eq!(goal_seek(f64::NAN, 2.0, 0.0, npv), Err(bad("range", 0, Reason::NotFinite)));
}

#[test]
fn bad_input_names_its_place() {
    let good = streams(&[-100.0, 60.0, 60.0]);
    let of = |streams: &Streams, terms: &Terms| appraise(streams, terms).map(|_| ());
    assert_eq!(of(&Streams::default(), &terms(0.1)), Err(Failure::TooLittleData { needed: 1, got: 0 }));
    let short = Streams { costs: vec![1.0], ..good.clone() };
    assert_eq!(of(&short, &terms(0.1)), Err(bad_parameter("costs", Reason::LengthsDiffer)));
    let infinite = Streams { capital: vec![0.0, f64::INFINITY, 0.0], ..good.clone() };
    assert_eq!(of(&infinite, &terms(0.1)), Err(bad("capital", 1, Reason::NotFinite)));
    for rate in [-1.0, -2.0, f64::NAN, f64::INFINITY] {
        assert_eq!(of(&good, &terms(rate)), Err(bad_parameter("rate", Reason::OutOfRange)));
    }
    let taxed = Terms { tax: 1.5, ..terms(0.1) };
    assert_eq!(of(&good, &taxed), Err(bad_parameter("tax", Reason::OutOfRange)));
    let huge = Streams { benefits: vec![f64::MAX; 3], ..Streams::default() };
    assert_eq!(of(&huge, &terms(0.0)), degenerate(Reason::Overflow));
    assert_eq!(present_value(&[0.0], &[1.0, 2.0], 0.1), Err(bad_parameter("times", Reason::LengthsDiffer)));
    assert_eq!(present_value(&[-1.0], &[1.0], 0.1), Err(bad("times", 0, Reason::Negative)));
    // A modified rate that cannot be had leaves the other figures.
    let odd = appraise(&good, &Terms { reinvest_rate: -3.0, ..terms(0.1) }).unwrap();
    assert_eq!(odd.mirr, Err(bad_parameter("reinvest_rate", Reason::OutOfRange)));
}
