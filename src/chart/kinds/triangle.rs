//! `triangle`: how does each cohort or vintage age. A row per cohort, the oldest first, a column per age.
//!
//! A cell that has not happened yet is empty; one that has happened and has no value shows a dash. A cohort has reached
//! an age when it or a younger one has a value there. Zeros in place of what has not happened are refused.

use super::heatmap::{cell, only_actual};
use super::matrix::{Cell, Heads, Matrix, Row, Scale};
use super::{Kind, limit, link};
use crate::chart::canvas::{Area, Canvas};
use crate::chart::{ChartError, ChartSpec, DataTable};
use crate::locale::message;

/// See the module.
#[derive(Debug)]
pub(super) struct Triangle;

impl Kind for Triangle {
    fn name(&self) -> &'static str {
        "triangle"
    }

    fn question(&self) -> &'static str {
        "How does each cohort or vintage age?"
    }

    fn takes(&self) -> &'static [&'static str] {
        &["zero"]
    }

    fn check(&self, spec: &ChartSpec) -> Result<(), ChartError> {
        limit("triangle", "cohorts", spec.categories.len(), 40)?;
        limit("triangle", "ages", spec.series.len(), 40)?;
        only_actual("triangle", spec)?;
        // Each cohort one zero more than the one before: that is a filled-in triangle and not a measured one.
        let zeros: Vec<usize> = (0..spec.categories.len()).map(|cohort| zeros_at_end(spec, cohort)).collect();
        if zeros.len() >= 3 && zeros.windows(2).all(|pair| pair[1] == pair[0] + 1) {
            let last = &spec.categories[zeros.len() - 1];
            let reason = format!(
                "`{last}` ends in {} zeros and each older cohort in one less: what has not happened yet must be missing, \
                 not zero",
                zeros[zeros.len() - 1]
            );
            return Err(ChartError::Refused { kind: "triangle", reason });
        }
        Ok(())
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

fn zeros_at_end(spec: &ChartSpec, cohort: usize) -> usize {
    spec.series.iter().rev().take_while(|series| series.values[cohort] == Some(0.0)).count()
}

fn matrix(spec: &ChartSpec) -> Matrix {
    let ages = spec.series.len();
    // How many ages a cohort has reached: from the youngest cohort upwards never fewer.
    let mut reached = vec![0; spec.categories.len()];
    let mut most = 0;
    for cohort in (0..spec.categories.len()).rev() {
        let own = (0..ages).rev().find(|age| spec.series[*age].values[cohort].is_some()).map_or(0, |age| age + 1);
        most = own.max(most);
        reached[cohort] = most;
    }
    let row = |cohort: usize| Row {
        name: spec.categories[cohort].clone(),
        link: link(spec, cohort),
        cells: (0..ages).map(|age| if age < reached[cohort] { cell(spec, age, cohort) } else { Cell::Never }).collect(),
    };
    let values = spec.series.iter().flat_map(|series| series.values.iter().flatten().copied());
    let partly = reached.iter().any(|reached| *reached < ages);
    Matrix {
        corner: spec.x_label.clone().unwrap_or_else(|| message(spec.lang, "chart-table-category", &[])),
        over: spec.series_label.clone().unwrap_or_default(),
        heads: Heads::Names(spec.series.iter().map(|series| series.name.clone()).collect()),
        rows: (0..spec.categories.len()).map(row).collect(),
        scale: Scale::of(values, spec.zero, spec.good),
        note: if partly { message(spec.lang, "chart-triangle-empty", &[]) } else { String::new() },
    }
}
