//! `bar`: how do values compare. Time as columns from left to right, structure as rows from top to bottom.
//!
//! The axis starts at zero, always. The first actual series is the value; prior and plan stand behind it, a forecast takes its
//! place where it has no value. With plan or prior the difference is drawn beside it. Several actual series stand side by
//! side, then without comparison.

mod columns;
mod rows;

use super::{Kind, limit, of_scenario};
use crate::chart::canvas::{Area, Canvas};
use crate::chart::theme::{self, Token};
use crate::chart::{ChartError, ChartSpec, Scenario};

/// See the module.
#[derive(Debug)]
pub(super) struct Bar;

impl Kind for Bar {
    fn name(&self) -> &'static str {
        "bar"
    }

    fn question(&self) -> &'static str {
        "How do values compare, by time or by structure?"
    }

    fn check(&self, spec: &ChartSpec) -> Result<(), ChartError> {
        limit("bar", "categories", spec.categories.len(), 40)?;
        limit("bar", "series side by side", of_scenario(spec, Scenario::Actual).len(), 3)?;
        for scenario in [Scenario::Prior, Scenario::Plan, Scenario::Forecast] {
            limit("bar", "series of one scenario", of_scenario(spec, scenario).len(), 1)?;
        }
        if of_scenario(spec, Scenario::Actual).len() > 1 && spec.series.iter().any(|s| s.scenario != Scenario::Actual) {
            let reason =
                "several actual series cannot be compared with plan, prior or forecast in one chart; use `multiples`";
            return Err(ChartError::Refused { kind: "bar", reason: reason.to_owned() });
        }
        Ok(())
    }

    fn height(&self, spec: &ChartSpec, width: f64, wish: f64) -> f64 {
        if spec.time.is_some() { columns::height(spec, width, wish) } else { rows::height(spec) }
    }

    fn draw(&self, spec: &ChartSpec, canvas: &mut Canvas, area: Area) -> Result<(), ChartError> {
        if spec.time.is_some() {
            columns::draw(spec, canvas, area)
        } else {
            rows::draw(spec, canvas, area)
        }
        Ok(())
    }
}

/// The bars of a category.
#[derive(Debug)]
struct Roles {
    /// Side by side; one, unless there is nothing else.
    mains: Vec<usize>,
    /// Behind the main one.
    behind: Vec<usize>,
    /// In the place of the main one where it has no value.
    forecast: Option<usize>,
}

impl Roles {
    fn of(spec: &ChartSpec) -> Self {
        let first = |scenario| of_scenario(spec, scenario).first().copied();
        let mut mains = of_scenario(spec, Scenario::Actual);
        let mut forecast = first(Scenario::Forecast);
        let mut behind: Vec<usize> = [Scenario::Prior, Scenario::Plan].into_iter().filter_map(first).collect();
        if mains.is_empty() {
            // Only prior, plan or forecast: the first of them is what the chart is about.
            mains = behind.pop().or_else(|| forecast.take()).into_iter().collect();
        }
        Self { mains, behind, forecast }
    }

    /// The series that stands in the main place of a category, and its value.
    fn main(&self, spec: &ChartSpec, category: usize) -> Option<(usize, f64)> {
        self.mains
            .first()
            .into_iter()
            .chain(self.forecast.iter())
            .find_map(|series| spec.series[*series].values[category].map(|value| (*series, value)))
    }

    /// The colour of a series.
    fn token(&self, spec: &ChartSpec, series: usize) -> Token {
        match self.mains.iter().position(|main| *main == series) {
            Some(place) if spec.series[series].scenario == Scenario::Actual => theme::CATEGORIES[place],
            _ => theme::scenario(spec.series[series].scenario),
        }
    }
}
