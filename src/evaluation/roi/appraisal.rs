//! What a case comes to: every figure in two conventions, scenarios, break-even, simulation, and actual against plan.
//!
//! *As entered* a benefit counts with its attributed share and conversion, a cost as it stands. *Adjusted* is Forrester's TEI
//! with the evidence: benefit × share × (1 − risk) × (1 − haircut of its grade), cost × (1 + risk). The *outlook* is as entered
//! with what came in place of what was planned. All arithmetic is that of `analysis::finance`.

use super::case::{Case, Category, Line, Scenario, no_category};
use super::result::{
    Answer, Bar, BreakEven, CaseResult, Figures, Flow, LineWorth, METHOD, Point, ReadingFigures, ScenarioFigures,
    Simulated, Spread, Tracking, reason,
};
use crate::analysis::Failure;
use crate::analysis::finance::{
    self, Appraisal, Draws, Grade, Streams, Swing, Tracked, against_plan, appraise, attribution_needed, benefit_factor,
    discount, expected_value, goal_seek, npv_profile, period_times, simulate, straight_line,
};
use crate::model::evaluation::roi::{Case as Shipped, Model};

/// The largest factor on a driver that is tried for its break-even.
const LARGEST_FACTOR: f64 = 100.0;
/// Rates above this are left out of the range of the profile.
const LARGEST_RATE: f64 = 5.0;
/// The lowest rate of a profile.
const LOWEST_RATE: f64 = -0.9;
/// About so many steps has a profile.
const PROFILE_STEPS: f64 = 30.0;

/// A convention of counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Convention {
    Entered,
    Adjusted,
}

/// What an amount of a line counts for.
#[derive(Debug, Clone, Copy)]
struct Weight {
    benefit: bool,
    entered: f64,
    adjusted: f64,
    /// Periods of depreciation of a capital outlay.
    life: Option<usize>,
}

impl Weight {
    fn of(line: &Line, case: &Case, model: &Model) -> Result<Self, Failure> {
        let category = Category::find(model, &line.category).ok_or_else(no_category)?;
        let risk = line.risk.unwrap_or_default();
        if !category.is_benefit() {
            let years = line.depreciation_years.filter(|_| line.capital);
            let life = years.and_then(|years| Some(usize::try_from(years).ok()? * 12 / case.period.months()));
            return Ok(Self { benefit: false, entered: 1.0, adjusted: 1.0 + risk, life });
        }
        let (share, converted) = (line.share.unwrap_or(1.0), line.converted.unwrap_or(1.0));
        // The bank may edit its haircuts, so they are the definitions'; grade A takes nothing off.
        let grade = model.grades.iter().find(|grade| *grade.key == *line.counted_grade()).ok_or_else(no_category)?;
        let counted = |risk: f64| benefit_factor(share, risk, Grade::A, true);
        Ok(Self {
            benefit: true,
            entered: counted(0.0)? * converted,
            adjusted: counted(risk)? * converted * (1.0 - grade.haircut),
            life: None,
        })
    }

    fn factor(&self, convention: Convention) -> f64 {
        match convention {
            Convention::Entered => self.entered,
            Convention::Adjusted => self.adjusted,
        }
    }

    /// The streams of amounts by period.
    fn streams(&self, amounts: &[f64], convention: Convention) -> Result<Streams, Failure> {
        let flows = scaled(amounts, self.factor(convention));
        let none = vec![0.0; flows.len()];
        Ok(match self.life {
            _ if self.benefit => Streams { benefits: flows, ..Streams::default() },
            None => Streams { benefits: none, costs: flows, ..Streams::default() },
            Some(life) => {
                let depreciation = depreciation(&flows, life)?;
                Streams { benefits: none, capital: flows, depreciation, ..Streams::default() }
            }
        })
    }
}

fn scaled(amounts: &[f64], factor: f64) -> Vec<f64> {
    amounts.iter().map(|amount| amount * factor).collect()
}

/// Straight-line depreciation of outlays, each from the period after it.
fn depreciation(outlays: &[f64], life: usize) -> Result<Vec<f64>, Failure> {
    let mut sum = vec![0.0; outlays.len()];
    for (no, outlay) in outlays.iter().enumerate().filter(|(_, outlay)| **outlay != 0.0) {
        add(&mut sum, &straight_line(*outlay, 0.0, life, no + 1, outlays.len())?);
    }
    Ok(sum)
}

/// Adds flows period by period; an empty list is zeros.
fn add(sum: &mut Vec<f64>, flows: &[f64]) {
    if sum.is_empty() {
        sum.extend_from_slice(flows);
    } else {
        sum.iter_mut().zip(flows).for_each(|(sum, flow)| *sum += flow);
    }
}

fn total<'a>(parts: impl IntoIterator<Item = &'a Streams>, periods: usize) -> Streams {
    let mut sum = Streams { benefits: vec![0.0; periods], ..Streams::default() };
    for part in parts {
        add(&mut sum.benefits, &part.benefits);
        add(&mut sum.costs, &part.costs);
        add(&mut sum.capital, &part.capital);
        add(&mut sum.depreciation, &part.depreciation);
    }
    sum
}

impl Figures {
    fn of(streams: &Streams, terms: &finance::Terms) -> Result<Self, Failure> {
        let appraised = appraise(streams, terms)?;
        let discounted = discount(&period_times(appraised.net.len(), terms.mid_period), &appraised.net, terms.rate)?;
        let at = |list: &[f64], no: usize| list.get(no).copied().unwrap_or_default();
        let mut cumulative = 0.0;
        let flows = appraised.net.iter().zip(discounted).enumerate().map(|(no, (net, discounted))| {
            cumulative += net;
            let (benefits, costs) = (at(&streams.benefits, no), at(&streams.costs, no) + at(&streams.capital, no));
            Flow { benefits, costs, tax: benefits - costs - net, net: *net, discounted, cumulative }
        });
        let flows = flows.collect();
        let Appraisal { pv_benefits, pv_costs, npv, irr, payback, discounted_payback, .. } = appraised;
        Ok(Self {
            pv_benefits,
            pv_costs,
            npv,
            roi: appraised.roi.into(),
            roi_undiscounted: appraised.roi_undiscounted.into(),
            profitability_index: appraised.profitability_index.into(),
            benefit_cost: appraised.benefit_cost.into(),
            irr_status: irr.status.as_str().to_owned(),
            irr: irr.rate.into(),
            irr_all: irr.all,
            mirr: appraised.mirr.into(),
            payback: payback.first.into(),
            payback_last: payback.last.into(),
            discounted_payback: discounted_payback.first.into(),
            discounted_payback_last: discounted_payback.last.into(),
            flows,
        })
    }

    fn net(&self) -> Vec<f64> {
        self.flows.iter().map(|flow| flow.net).collect()
    }
}

/// A case with the streams of its lines.
struct Work<'a> {
    case: &'a Case,
    terms: finance::Terms,
    weights: Vec<Weight>,
}

impl Work<'_> {
    fn streams(&self, convention: Convention) -> Result<Vec<Streams>, Failure> {
        let lines = self.case.lines.iter().zip(&self.weights);
        lines.map(|(line, weight)| weight.streams(&line.likely, convention)).collect()
    }

    /// As entered, with what came where it is known; none where nothing came.
    fn outlook(&self) -> Result<Option<Figures>, Failure> {
        let came = |line: &Line| line.actual.iter().any(Option::is_some);
        if !self.case.lines.iter().any(came) {
            return Ok(None);
        }
        let lines = self.case.lines.iter().zip(&self.weights);
        let parts: Vec<Streams> = lines
            .map(|(line, weight)| {
                let planned = line.likely.iter().enumerate();
                let amounts: Vec<f64> = planned.map(|(no, amount)| line.came(no).unwrap_or(*amount)).collect();
                // An outlay that came back is no outlay: it cannot be depreciated.
                let weight = Weight { life: weight.life.filter(|_| amounts.iter().all(|it| *it >= 0.0)), ..*weight };
                weight.streams(&amounts, Convention::Entered)
            })
            .collect::<Result<_, _>>()?;
        Figures::of(&total(&parts, self.case.periods), &self.terms).map(Some)
    }

    fn scenarios(&self, entered: &Streams, adjusted: &Streams) -> Result<Vec<ScenarioFigures>, Failure> {
        let of = |streams: &Streams, benefits: f64, costs: f64| {
            let streams = Streams {
                benefits: scaled(&streams.benefits, benefits),
                costs: scaled(&streams.costs, costs),
                capital: scaled(&streams.capital, costs),
                depreciation: scaled(&streams.depreciation, costs),
            };
            appraise(&streams, &self.terms)
        };
        let figures = |scenario: &Scenario| -> Result<ScenarioFigures, Failure> {
            let entered = of(entered, scenario.benefits, scenario.costs)?;
            let adjusted = of(adjusted, scenario.benefits, scenario.costs)?;
            Ok(ScenarioFigures {
                name: scenario.name.clone(),
                probability: scenario.probability,
                npv_entered: entered.npv,
                roi_entered: entered.roi.into(),
                npv_adjusted: adjusted.npv,
                roi_adjusted: adjusted.roi.into(),
            })
        };
        self.case.scenarios.iter().map(figures).collect()
    }

    /// The NPV is linear in a factor on any line, so its part of the NPV is all that is needed.
    fn break_even(&self, adjusted: &Figures, worths: &[LineWorth]) -> Vec<BreakEven> {
        let npv = adjusted.npv;
        let factor =
            |worth: f64| Answer::from(goal_seek(0.0, LARGEST_FACTOR, 0.0, |factor| Ok(npv + (factor - 1.0) * worth)));
        let sides = [(true, adjusted.pv_benefits), (false, -adjusted.pv_costs)].map(|(benefit, worth)| BreakEven {
            line: None,
            benefit,
            factor: factor(worth),
        });
        let lines = worths.iter().zip(&self.weights).map(|(worth, weight)| BreakEven {
            line: Some(worth.line.clone()),
            benefit: weight.benefit,
            factor: factor(worth.adjusted),
        });
        sides.into_iter().chain(lines).collect()
    }

    /// Draws the case in the adjusted convention, after tax.
    ///
    /// Tax that depreciation saves moves with its outlay but in later periods, and more of the outlay is less cost there. It is
    /// a line of its own, a cost below 0, in perfect opposite rank to the outlay.
    fn simulate(&self) -> Result<Simulated, Failure> {
        let kept = 1.0 - self.terms.tax;
        let (mut lines, mut shields) = (Vec::new(), Vec::new());
        for (at, (line, weight)) in self.case.lines.iter().zip(&self.weights).enumerate() {
            let factor = weight.adjusted * if weight.life.is_some() { 1.0 } else { kept };
            let [low, likely, high] =
                [line.lowest(), line.likely.as_slice(), line.highest()].map(|list| scaled(list, factor));
            if let Some(life) = weight.life.filter(|_| self.terms.tax > 0.0) {
                let saved = |outlays: &[f64]| depreciation(outlays, life).map(|list| scaled(&list, -self.terms.tax));
                let shield = finance::Line {
                    benefit: false,
                    shape: line.form.into(),
                    low: saved(&high)?,
                    likely: saved(&likely)?,
                    high: saved(&low)?,
                };
                shields.push((at, shield));
            }
            lines.push(finance::Line { benefit: weight.benefit, shape: line.form.into(), low, likely, high });
        }
        let count = lines.len();
        let place = |key: &str| self.case.lines.iter().position(|line| line.line == key);
        // Where a line and the tax that it saves are drawn, and in which direction.
        let drawn = |line: usize| {
            let shield = shields.iter().position(|(of, _)| *of == line).map(|at| (count + at, -1.0));
            std::iter::once((line, 1.0)).chain(shield).collect::<Vec<_>>()
        };
        let mut correlations: Vec<(usize, usize, f64)> =
            shields.iter().enumerate().map(|(at, (line, _))| (*line, count + at, -1.0)).collect();
        for one in &self.case.correlations {
            let (Some(line), Some(other)) = (place(&one.line), place(&one.other)) else { continue };
            for (a, up) in drawn(line) {
                correlations.extend(drawn(other).into_iter().map(|(b, too)| (a, b, one.rank * up * too)));
            }
        }
        let owners: Vec<usize> = (0..count).chain(shields.iter().map(|(line, _)| *line)).collect();
        lines.extend(shields.into_iter().map(|(_, shield)| shield));
        let draws = Draws {
            correlations,
            rate: self.terms.rate,
            mid_period: self.terms.mid_period,
            target_roi: self.case.target_roi,
            draws: self.case.draws,
            seed: self.case.seed,
        };
        let found = simulate(&lines, &draws)?;
        Ok(Simulated {
            tornado: self.tornado(&found.tornado, &owners, found.npv_likely),
            npv: found.npv.into(),
            roi: found.roi.ok().map(Spread::from),
            npv_positive: found.npv_positive.into(),
            roi_reached: found.roi_reached.into(),
            shortfall: found.shortfall.into(),
            npv_likely: found.npv_likely,
            without_roi: found.without_roi,
            without_irr: found.without_irr,
        })
    }

    /// Bars of the case's lines: an outlay's with that of the tax it saves, which stands at its P90 where the outlay is at its
    /// P10.
    fn tornado(&self, swings: &[Swing], owners: &[usize], likely: f64) -> Vec<Bar> {
        let count = self.case.lines.len();
        let mut bars: Vec<Bar> = self
            .case
            .lines
            .iter()
            .enumerate()
            .map(|(at, line)| {
                let own = swings.iter().filter(|swing| owners.get(swing.line) == Some(&at));
                let (low, high) = own.fold((0.0, 0.0), |(low, high), swing| {
                    let (p10, p90) = (swing.at_p10 - likely, swing.at_p90 - likely);
                    if swing.line < count { (low + p10, high + p90) } else { (low + p90, high + p10) }
                });
                Bar { line: line.line.clone(), at_p10: likely + low, at_p90: likely + high }
            })
            .collect();
        let width = |bar: &Bar| (bar.at_p90 - bar.at_p10).abs();
        bars.sort_by(|a, b| width(b).total_cmp(&width(a)));
        bars
    }

    /// The NPV at rates around the discount rate and the internal rates; empty where it leaves the range of numbers.
    fn profile(&self, entered: &Figures, adjusted: &Figures) -> Vec<Point> {
        let roots = entered.irr_all.iter().chain(&adjusted.irr_all).copied();
        let marks: Vec<f64> =
            roots.filter(|rate| (LOWEST_RATE..=LARGEST_RATE).contains(rate)).chain([self.terms.rate, 0.0]).collect();
        let highest = marks.iter().copied().fold(0.0, f64::max);
        let high = if highest > 0.0 { highest * 1.5 } else { 0.2 };
        let lowest = marks.iter().copied().fold(0.0, f64::min) * 1.1;
        let step = round_step((high - lowest) / PROFILE_STEPS);
        let (below, above) = ((-lowest / step).ceil(), (high / step).ceil());
        let (low, high) = ((0.0 - below * step).max(LOWEST_RATE), above * step);
        let times = period_times(self.case.periods, self.terms.mid_period);
        let of = |figures: &Figures| npv_profile(&times, &figures.net(), low, high, (below + above) as usize);
        let (Ok(entered), Ok(adjusted)) = (of(entered), of(adjusted)) else { return Vec::new() };
        let both = entered.into_iter().zip(adjusted);
        both.map(|((rate, entered), (_, adjusted))| Point { rate, entered, adjusted }).collect()
    }

    /// Lines against their plan, as entered.
    fn tracking(&self) -> Result<(Vec<Tracking>, Option<f64>), Failure> {
        let lines = || self.case.lines.iter().zip(&self.weights);
        let planned: Vec<Vec<f64>> = lines().map(|(line, weight)| scaled(&line.likely, weight.entered)).collect();
        let actual: Vec<Vec<Option<f64>>> = lines()
            .map(|(line, weight)| (0..line.likely.len()).map(|no| Some(line.came(no)? * weight.entered)).collect())
            .collect();
        let tracked = lines().zip(planned.iter().zip(&actual));
        let tracked: Vec<Tracked<'_>> = tracked
            .map(|((_, weight), (planned, actual))| Tracked { benefit: weight.benefit, planned, actual })
            .collect();
        if tracked.is_empty() || actual.iter().flatten().all(Option::is_none) {
            return Ok((Vec::new(), None));
        }
        let review = against_plan(&tracked)?;
        let found = lines().zip(&actual).zip(review.lines).map(|(((line, _), actual), found)| Tracking {
            line: line.line.clone(),
            known: actual.iter().flatten().count(),
            planned: found.planned,
            actual: found.actual,
            effect: found.effect,
        });
        Ok((found.collect(), Some(review.effect)))
    }
}

/// The next of 1, 2, 5 times a power of ten.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|times| times * power).find(|round| *round >= step * 0.999).unwrap_or(10.0 * power)
}

/// Every figure of a case. The same case, definitions and random start give the same result.
///
/// # Errors
/// Values beyond the range of numbers; a category or grade that the definitions do not have. A single figure without an answer
/// carries its reason.
pub fn appraise_case(case: &Case, model: &Model) -> Result<CaseResult, Failure> {
    let weights = case.lines.iter().map(|line| Weight::of(line, case, model)).collect::<Result<Vec<_>, _>>()?;
    let work = Work { case, terms: case.terms.into(), weights };
    let (by_entered, by_adjusted) = (work.streams(Convention::Entered)?, work.streams(Convention::Adjusted)?);
    let (all_entered, all_adjusted) = (total(&by_entered, case.periods), total(&by_adjusted, case.periods));
    let entered = Figures::of(&all_entered, &work.terms)?;
    let adjusted = Figures::of(&all_adjusted, &work.terms)?;
    let worth = |((line, entered), adjusted): ((&Line, &Streams), &Streams)| -> Result<LineWorth, Failure> {
        let worth = |streams: &Streams| appraise(streams, &work.terms).map(|found| found.npv);
        Ok(LineWorth { line: line.line.clone(), entered: worth(entered)?, adjusted: worth(adjusted)? })
    };
    let lines = case.lines.iter().zip(&by_entered).zip(&by_adjusted).map(worth).collect::<Result<Vec<_>, _>>()?;
    let scenarios = work.scenarios(&all_entered, &all_adjusted)?;
    let probabilities: Vec<f64> = scenarios.iter().map(|scenario| scenario.probability).collect();
    let expected = |npv: fn(&ScenarioFigures) -> f64| match scenarios.as_slice() {
        [] => Answer::Missing { reason: "no_data".to_owned() },
        all => expected_value(&probabilities, &all.iter().map(npv).collect::<Vec<_>>()).into(),
    };
    let simulation = work.simulate();
    let (tracking, effect) = work.tracking()?;
    Ok(CaseResult {
        method: METHOD.to_owned(),
        organisation: case.organisation.clone(),
        case_version: 0,
        digest: String::new(),
        seed: case.seed,
        draws: case.draws,
        outlook: work.outlook()?,
        expected_entered: expected(|scenario| scenario.npv_entered),
        expected_adjusted: expected(|scenario| scenario.npv_adjusted),
        break_even: work.break_even(&adjusted, &lines),
        simulation_reason: simulation.as_ref().err().map(|failure| reason(failure).to_owned()),
        simulation: simulation.ok(),
        profile: work.profile(&entered, &adjusted),
        lines,
        scenarios,
        entered,
        adjusted,
        tracking,
        effect,
    })
}

/// A case that is shipped to read, under each of its readings.
///
/// # Errors
/// As [`appraise_case`].
pub fn readings(shipped: &Shipped, model: &Model) -> Result<Vec<ReadingFigures>, Failure> {
    let keys: Vec<Option<&str>> = match shipped.readings.as_slice() {
        [] => vec![None],
        all => all.iter().map(|reading| Some(reading.key.as_str())).collect(),
    };
    let figures = |reading: Option<&str>| -> Result<ReadingFigures, Failure> {
        let case = Case::shipped(shipped, reading);
        let weights = case.lines.iter().map(|line| Weight::of(line, &case, model)).collect::<Result<Vec<_>, _>>()?;
        let sum = |benefit: bool| -> f64 {
            let lines = case.lines.iter().zip(&weights).filter(|(_, weight)| weight.benefit == benefit);
            lines.flat_map(|(line, _)| &line.likely).sum()
        };
        let (gain, cost) = (sum(true), sum(false));
        let work = Work { case: &case, terms: case.terms.into(), weights };
        let streams = total(&work.streams(Convention::Entered)?, case.periods);
        let figures = Figures::of(&streams, &work.terms)?;
        let target = shipped.fact("roi").map_or(1.0, |fact| fact.value);
        let attribution = attribution_needed(gain, cost, target).into();
        Ok(ReadingFigures { reading: reading.map(str::to_owned), figures, gain, cost, target, attribution, case })
    };
    keys.into_iter().map(figures).collect()
}
