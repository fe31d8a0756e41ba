//! `heatmap`: where is it high or low. The number stands in each cell; the shade only leads the eye. Periods run from
//! left to right and then the series are the rows; without periods the categories are the rows.
//!
//! Colours part around a zero that the author declares, and nowhere else: a middle of the data is no good or bad.

use super::matrix::{Cell, Heads, Matrix, Row, Scale};
use super::{Kind, Linked, limit, link};
use crate::chart::canvas::{Area, Canvas};
use crate::chart::{ChartError, ChartSpec, DataTable, Scenario};
use crate::locale::message;

/// See the module.
#[derive(Debug)]
pub(super) struct Heatmap;

impl Kind for Heatmap {
    fn name(&self) -> &'static str {
        "heatmap"
    }

    fn question(&self) -> &'static str {
        "Where is it high or low?"
    }

    fn takes(&self) -> &'static [&'static str] {
        &["zero"]
    }

    fn check(&self, spec: &ChartSpec) -> Result<(), ChartError> {
        let (rows, columns) = match spec.time {
            Some(_) => (spec.series.len(), spec.categories.len()),
            None => (spec.categories.len(), spec.series.len()),
        };
        limit("heatmap", "rows", rows, 40)?;
        limit("heatmap", "columns", columns, 40)?;
        only_actual("heatmap", spec)
    }

    fn linked(&self, spec: &ChartSpec) -> Linked {
        if spec.time.is_some() { Linked::Series } else { Linked::Categories }
    }

    fn height(&self, spec: &ChartSpec, width: f64, _wish: f64) -> f64 {
        matrix(spec).height(spec, width)
    }

    fn needs_key(&self, _spec: &ChartSpec) -> bool {
        false
    }

    fn draw(&self, spec: &ChartSpec, canvas: &mut Canvas, area: Area) -> Result<(), ChartError> {
        matrix(spec).draw(spec, canvas, area);
        Ok(())
    }

    fn words(&self, spec: &ChartSpec) -> Vec<String> {
        matrix(spec).words(spec)
    }

    fn table(&self, spec: &ChartSpec) -> DataTable {
        let (headers, rows) = matrix(spec).table(spec);
        DataTable { caption: String::new(), headers, rows }
    }
}

/// Refuses scenarios that a cell cannot show.
pub(super) fn only_actual(kind: &'static str, spec: &ChartSpec) -> Result<(), ChartError> {
    match spec.series.iter().find(|series| series.scenario != Scenario::Actual) {
        Some(series) => {
            let reason = format!("`{}` is not actual; scenarios are compared in `bar` or `line`", series.name);
            Err(ChartError::Refused { kind, reason })
        }
        None => Ok(()),
    }
}

/// The cell of a series at a category.
pub(super) fn cell(spec: &ChartSpec, series: usize, category: usize) -> Cell {
    match spec.series[series].values[category] {
        Some(value) => Cell::Value(value, spec.value_text(series, category)),
        None => Cell::Missing,
    }
}

fn matrix(spec: &ChartSpec) -> Matrix {
    let (categories, series) = (0..spec.categories.len(), 0..spec.series.len());
    let names = || spec.series.iter().map(|series| series.name.clone());
    let categories_are = spec.x_label.clone().unwrap_or_else(|| message(spec.lang, "chart-table-category", &[]));
    let series_are = spec.series_label.clone().unwrap_or_default();
    let values = spec.series.iter().flat_map(|series| series.values.iter().flatten().copied());
    let scale = Scale::of(values, spec.zero, spec.good);
    if spec.time.is_some() {
        let row = |row: usize| Row {
            name: spec.series[row].name.clone(),
            link: link(spec, row),
            cells: categories.clone().map(|column| cell(spec, row, column)).collect(),
        };
        return Matrix {
            corner: series_are,
            over: String::new(),
            heads: Heads::Time,
            rows: series.map(row).collect(),
            scale,
            note: String::new(),
        };
    }
    let row = |row: usize| Row {
        name: spec.categories[row].clone(),
        link: link(spec, row),
        cells: series.clone().map(|column| cell(spec, column, row)).collect(),
    };
    Matrix {
        corner: categories_are,
        over: series_are,
        heads: Heads::Names(names().collect()),
        rows: categories.map(row).collect(),
        scale,
        note: String::new(),
    }
}
