//! Figures of recorded targets and values: attainment, scorecards, progress against time, and what a go-live changed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, Period, TARGET, Target, Targets, VALUE, Values, code};
use crate::analysis::Failure;
use crate::analysis::outcome::{
    self as arithmetic, Goal, Interrupted, Light, Part, Score, YELLOW, difference_in_differences, interrupted_series,
};
use crate::evaluation::project::{PROJECT, Project};
use crate::evaluation::{HEAD_OFFICE, View};
use crate::model::evaluation::scorecard::{Direction, Kpi, Library, Scorecard};

/// Within this distance of time, a share, a yearly figure is level with it.
const BAND: f64 = 0.01;

/// Something for each organisation and KPI.
type ByKpi<T> = BTreeMap<String, BTreeMap<String, T>>;

/// The targets and values that a view shows, by organisation, KPI and period.
#[derive(Debug)]
pub struct Ledger<'a> {
    view: &'a View,
    library: &'a Library,
    values: ByKpi<BTreeMap<Period, Entry>>,
    targets: ByKpi<BTreeMap<Period, Target>>,
}

/// A value beside what it was to be.
#[derive(Debug, Clone)]
pub struct Judged<'a> {
    /// The period that the value is of.
    pub period: Period,
    pub entry: &'a Entry,
    pub value: f64,
    /// None while no target is set for the period.
    pub goal: Option<Goal>,
    pub attainment: Option<f64>,
    pub light: Option<Light>,
}

/// How a yearly target is attained as time goes by.
#[derive(Debug, Clone)]
pub struct Pacing<'a> {
    pub kpi: &'a Kpi,
    pub organisation: &'a str,
    pub year: Period,
    /// The last month with a value.
    pub through: Period,
    /// Months with a value.
    pub months: usize,
    pub actual: f64,
    pub target: f64,
    /// Or the code of the reason why there is none: a month without a value would count as nothing.
    pub progress: Result<arithmetic::Progress, &'static str>,
}

/// A KPI before and after an organisation went live.
#[derive(Debug, Clone)]
pub struct Effect<'a> {
    pub kpi: &'a Kpi,
    pub organisation: String,
    /// Id of the project.
    pub project: String,
    /// The first month after.
    pub go_live: Period,
    pub before: usize,
    pub after: usize,
    pub series: Result<Interrupted, Failure>,
    /// Branches without a go-live, and the change less their mean change.
    pub comparison: Option<(usize, f64)>,
}

impl<'a> Ledger<'a> {
    /// Reads what a view shows. Periods and KPIs that the library no longer has are passed over.
    pub fn read(view: &'a View) -> Self {
        let library = &view.definitions.library;
        let mut values: ByKpi<BTreeMap<Period, Entry>> = BTreeMap::new();
        for (_, one) in view.documents::<Values>(VALUE) {
            let entries = one.values.into_iter().filter_map(|(period, entry)| Some((Period::parse(&period)?, entry)));
            values.entry(one.organisation).or_default().insert(one.kpi, entries.collect());
        }
        let mut targets: ByKpi<BTreeMap<Period, Target>> = BTreeMap::new();
        for (_, one) in view.documents::<Targets>(TARGET) {
            let wanted = one.targets.into_iter().filter_map(|(period, target)| Some((Period::parse(&period)?, target)));
            targets.entry(one.organisation).or_default().insert(one.kpi, wanted.collect());
        }
        Self { view, library, values, targets }
    }

    /// Organisations with a value, in order.
    pub fn organisations(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Months for which an organisation has a value; of a quarter or year its last month.
    pub fn months(&self, organisation: &str) -> BTreeSet<Period> {
        let known = self.values.get(organisation).into_iter().flat_map(BTreeMap::values);
        known.flat_map(BTreeMap::keys).map(|period| period.last_month()).collect()
    }

    /// The value of a KPI for a period: the period's own, else that of the quarter or year around it.
    pub fn judge(&self, organisation: &str, kpi: &Kpi, period: Period) -> Option<Judged<'_>> {
        let own = self.values.get(organisation)?.get(kpi.key.as_str())?;
        let (period, entry) = period.around().into_iter().find_map(|around| Some((around, own.get(&around)?)))?;
        self.judged(organisation, kpi, period, entry)
    }

    /// A value of exactly this period beside its target. None where the value is not known.
    pub fn judged<'e>(&self, organisation: &str, kpi: &Kpi, period: Period, entry: &'e Entry) -> Option<Judged<'e>> {
        let value = entry.value.filter(|value| value.is_finite())?;
        let goal = self.goal(organisation, kpi, period);
        let attainment = goal.as_ref().and_then(|goal| arithmetic::attainment(value, goal).ok());
        let light = attainment.map(|attainment| arithmetic::light(attainment, kpi.yellow));
        Some(Judged { period, entry, value, goal, attainment, light })
    }

    /// The goal of a period. What does not add up over time is held against the target of the quarter or year around
    /// it, where the period has none of its own; a month's sum is not held against a year's.
    fn goal(&self, organisation: &str, kpi: &Kpi, period: Period) -> Option<Goal> {
        let own = self.targets.get(organisation)?.get(kpi.key.as_str())?;
        let around = period.around().into_iter().filter(|around| *around == period || !kpi.adds_up);
        around.filter_map(|around| own.get(&around)).find_map(|target| goal(kpi, target))
    }

    /// Scores of a scorecard for a month. None where a weight breaks the rules of the arithmetic, which no checked
    /// library's does.
    pub fn score(&self, card: &Scorecard, organisation: &str, month: Period) -> Option<arithmetic::Scorecard> {
        let attained = |key: &str| self.judge(organisation, self.library.kpi(key)?, month)?.attainment;
        let perspectives: Vec<(f64, Vec<Part>)> = card
            .perspectives
            .iter()
            .map(|perspective| {
                let kpis = perspective.kpis.iter().map(|(key, weight)| (weight.value, attained(key))).collect();
                (perspective.weight.value, kpis)
            })
            .collect();
        arithmetic::scorecard(&perspectives).ok()
    }

    /// Scores by source for a month: each of the KPIs with values of it, equally weighted; then the whole by the
    /// sources' weights.
    pub fn by_source(&self, organisation: &str, month: Period) -> Option<(Vec<Score>, Score)> {
        let judged: Vec<Judged<'_>> =
            self.library.kpis.iter().filter_map(|kpi| self.judge(organisation, kpi, month)).collect();
        let mut scores = Vec::new();
        for source in &self.library.sources {
            let of = judged.iter().filter(|one| one.entry.source.as_deref() == Some(source.key.as_str()));
            let parts: Vec<Part> = of.map(|one| (1.0, one.attainment)).collect();
            let nothing: [Part; 1] = [(1.0, None)];
            let parts: &[Part] = if parts.is_empty() { &nothing } else { &parts };
            scores.push(arithmetic::weighted_score(parts).ok()?);
        }
        let sources = self.library.sources.iter().zip(&scores);
        let parts: Vec<Part> = sources.map(|(source, score)| (source.weight.value, score.value.ok())).collect();
        let whole = arithmetic::weighted_score(&parts).ok()?;
        Some((scores, whole))
    }

    /// Yearly targets of figures that add up, against the months so far.
    pub fn pacings(&self) -> Vec<Pacing<'_>> {
        let mut pacings = Vec::new();
        for (organisation, kpis) in &self.targets {
            for (key, targets) in kpis {
                // What is to stay below its target keeps no pace with time.
                let paced = |kpi: &&Kpi| kpi.adds_up && kpi.direction == Direction::Higher;
                let Some(kpi) = self.library.kpi(key).filter(paced) else { continue };
                let yearly = targets.iter().filter(|(period, _)| period.length() == 12);
                let found = yearly.filter_map(|(year, target)| self.pacing(organisation, kpi, *year, target.target?));
                pacings.extend(found);
            }
        }
        pacings
    }

    fn pacing<'s>(&'s self, organisation: &'s str, kpi: &'s Kpi, year: Period, target: f64) -> Option<Pacing<'s>> {
        let own = self.values.get(organisation)?.get(kpi.key.as_str())?;
        let months: Vec<(Period, f64)> = own
            .iter()
            .filter(|(period, _)| period.length() == 1 && period.year() == year)
            .filter_map(|(period, entry)| Some((*period, entry.value?)))
            .collect();
        let through = months.last()?.0;
        let actual: f64 = months.iter().map(|(_, value)| value).sum();
        // January is the first month, so as many months as that have passed when none is missing.
        let passed = usize::try_from(through.start().month()).unwrap_or_default();
        let elapsed = year.days_before(through.after());
        let progress = match months.len() == passed {
            true => arithmetic::progress(actual, target, elapsed, year.days(), BAND).map_err(|failure| code(&failure)),
            false => Err("no_data"),
        };
        Some(Pacing { kpi, organisation, year, through, months: months.len(), actual, target, progress })
    }

    /// Every KPI of an organisation around the go-live of each of its projects. Descriptive only with few months on a
    /// side, as the inference says.
    pub fn effects(&self) -> Vec<Effect<'_>> {
        let live: Vec<(String, String, Period)> = self
            .view
            .documents::<Project>(PROJECT)
            .filter_map(|(row, project)| Some((row.id.clone(), project.organisation, Period::month(project.go_live?))))
            .collect();
        // Whoever is live somewhere in these years is no comparison.
        let others: Vec<&str> = self
            .organisations()
            .filter(|name| *name != HEAD_OFFICE && !live.iter().any(|(_, organisation, _)| organisation == name))
            .collect();
        let mut effects = Vec::new();
        for (project, organisation, go_live) in &live {
            for (key, entries) in self.values.get(organisation).into_iter().flatten() {
                let Some(kpi) = self.library.kpi(key) else { continue };
                let series = run(entries);
                let at = series.iter().take_while(|(month, _)| month < go_live).count();
                let values: Vec<f64> = series.iter().map(|(_, value)| *value).collect();
                let whole_bank = organisation == HEAD_OFFICE;
                effects.push(Effect {
                    kpi,
                    organisation: organisation.clone(),
                    project: project.clone(),
                    go_live: *go_live,
                    before: at,
                    after: series.len() - at,
                    series: interrupted_series(&values, at, None),
                    comparison: if whole_bank { None } else { self.compared(key, &series, *go_live, &others) },
                });
            }
        }
        effects
    }

    /// The change of a series less that of others over the same months; none without any of them.
    fn compared(&self, kpi: &str, series: &[(Period, f64)], go_live: Period, others: &[&str]) -> Option<(usize, f64)> {
        let treated = means(series.iter().copied(), go_live)?;
        let (first, last) = (series.first()?.0, series.last()?.0);
        let of = |name: &&str| {
            let entries = self.values.get(*name)?.get(kpi)?;
            means(run(entries).into_iter().filter(|(month, _)| (first..=last).contains(month)), go_live)
        };
        let comparison: Vec<(f64, f64)> = others.iter().filter_map(of).collect();
        let found = difference_in_differences(&[treated], &comparison).ok()?;
        Some((comparison.len(), found.effect))
    }
}

/// A score's light; none without a score.
pub fn light_of(score: &Score) -> Option<Light> {
    Some(arithmetic::light(score.value.ok()?, YELLOW))
}

/// What a target asks of a KPI; none where it lacks what the KPI's direction needs.
fn goal(kpi: &Kpi, target: &Target) -> Option<Goal> {
    Some(match kpi.direction {
        Direction::Higher => Goal::Higher { target: target.target? },
        Direction::Lower => Goal::Lower { target: target.target? },
        Direction::Range { tolerance } => {
            Goal::Range { low: target.low?, high: target.high?, tolerance: target.tolerance.unwrap_or(tolerance) }
        }
    })
}

/// The newest months with a value without a gap between them.
fn run(entries: &BTreeMap<Period, Entry>) -> Vec<(Period, f64)> {
    let months = entries.iter().filter(|(period, _)| period.length() == 1);
    let mut run: Vec<(Period, f64)> = Vec::new();
    for (period, value) in months.filter_map(|(period, entry)| Some((*period, entry.value?))) {
        if run.last().is_some_and(|(last, _)| last.after() != period.start()) {
            run.clear();
        }
        run.push((period, value));
    }
    run
}

/// Means before and from a month on; none where a side is empty.
fn means(series: impl Iterator<Item = (Period, f64)>, from: Period) -> Option<(f64, f64)> {
    let (before, after): (Vec<_>, Vec<_>) = series.partition(|(month, _)| *month < from);
    let mean = |side: &[(Period, f64)]| {
        let count = side.len() as f64;
        (count > 0.0).then(|| side.iter().map(|(_, value)| value).sum::<f64>() / count)
    };
    mean(&before).zip(mean(&after))
}
