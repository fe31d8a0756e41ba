//! The kinds of charts.
//!
//! A new kind: `kinds/x.rs` with a unit struct that implements [`Kind`], one line in [`KINDS`] (and the `mod x;`), its word
//! `chart-kind-x` in both `chart.ftl`. Blocks name kinds as text, so nothing else changes; a test walks the list.
//!
//! There is no pie, no doughnut, nothing in 3-D and no second value axis, and there will not be: angles and volumes cannot be
//! compared by eye, and two scales can be made to say anything.

mod area;
mod bar;
mod boxplot;
mod bullet;
mod funnel;
mod heatmap;
mod line;
mod matrix;
mod multiples;
mod pareto;
mod radar;
mod scatter;
mod stacked;
mod triangle;
mod waterfall;

use std::fmt::Debug;

use super::canvas::{Area, Canvas};
use super::{ChartError, ChartSpec, DataTable, Scenario, describe};

/// All kinds.
pub const KINDS: &[&dyn Kind] = &[
    &bar::Bar,
    &line::Line,
    &stacked::Stacked,
    &pareto::Pareto,
    &waterfall::Waterfall,
    &multiples::Multiples,
    &area::AreaChart,
    &heatmap::Heatmap,
    &triangle::Triangle,
    &scatter::Scatter,
    &funnel::Funnel,
    &radar::Radar,
    &boxplot::BoxPlot,
    &bullet::Bullet,
];

/// A way to draw a specification. Shapes of lists and finiteness of values are checked before a kind sees them, and there is
/// at least one value.
pub trait Kind: Debug + Sync {
    /// The name in definitions.
    fn name(&self) -> &'static str;

    /// The question that it answers, in English, for documentation.
    fn question(&self) -> &'static str;

    /// What it draws beyond categories and series: `units`, `zero`, `bands`. Given to another kind they are refused, because
    /// they would be left out without a word.
    fn takes(&self) -> &'static [&'static str] {
        &[]
    }

    /// Refuses what this kind would show illegibly or misleadingly.
    fn check(&self, spec: &ChartSpec) -> Result<(), ChartError>;

    /// Height in px of everything below the head. `wish` is what remains of the height asked for; zero or less: none.
    fn height(&self, spec: &ChartSpec, width: f64, wish: f64) -> f64;

    /// Whether the head explains the series.
    fn needs_key(&self, spec: &ChartSpec) -> bool {
        spec.series.len() > 1
    }

    /// What the links of a specification belong to.
    fn linked(&self, _spec: &ChartSpec) -> Linked {
        Linked::Categories
    }

    /// Draws into `area`.
    fn draw(&self, spec: &ChartSpec, canvas: &mut Canvas, area: Area) -> Result<(), ChartError>;

    /// What the description counts and names first and last: the categories, unless the kind puts them together.
    fn items(&self, spec: &ChartSpec) -> Vec<String> {
        spec.categories.clone()
    }

    /// What there is to say of the values, in sentences of the page's language.
    fn words(&self, spec: &ChartSpec) -> Vec<String> {
        describe::values(spec)
    }

    /// The numbers; the caption is filled in by the caller.
    fn table(&self, spec: &ChartSpec) -> DataTable {
        describe::table(spec)
    }
}

/// What each of [`ChartSpec::links`] belongs to, in whose order they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    /// A category.
    Categories,
    /// A series; those of one name are one.
    Series,
}

/// The kind of a name.
pub fn find(name: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|kind| kind.name() == name)
}

/// Refuses what the kind does not draw.
pub(super) fn check_takes(kind: &dyn Kind, spec: &ChartSpec) -> Result<(), ChartError> {
    let given = [("units", !spec.units.is_empty()), ("zero", spec.zero.is_some()), ("bands", !spec.bands.is_empty())];
    let Some((name, _)) = given.into_iter().find(|(name, given)| *given && !kind.takes().contains(name)) else {
        return Ok(());
    };
    let takers: Vec<String> =
        KINDS.iter().filter(|kind| kind.takes().contains(&name)).map(|kind| format!("`{}`", kind.name())).collect();
    let what = if name == "units" { "a unit of its own for a series".to_owned() } else { format!("`{name}`") };
    Err(ChartError::Refused { kind: kind.name(), reason: format!("{what} is for {}", takers.join(", ")) })
}

/// A height that follows a wish, within reason.
fn wished(wish: f64, natural: f64, least: f64) -> f64 {
    if wish > 0.0 { wish.max(least) } else { natural }
}

/// Indices of the series of a scenario.
fn of_scenario(spec: &ChartSpec, scenario: Scenario) -> Vec<usize> {
    (0..spec.series.len()).filter(|index| spec.series[*index].scenario == scenario).collect()
}

fn limit(kind: &'static str, what: &'static str, found: usize, limit: usize) -> Result<(), ChartError> {
    if found > limit { Err(ChartError::Limit { kind, what, found, limit }) } else { Ok(()) }
}

/// The link of a category or panel.
fn link(spec: &ChartSpec, index: usize) -> Option<String> {
    spec.links.get(index).cloned().flatten()
}
