//! `countinghouse check`

use std::sync::Arc;

use super::{Place, say};
use crate::auth::oidc_faults;
use crate::config;
use crate::cube::Cubes;
use crate::engine::formula_session;
use crate::error::{Error, Result};
use crate::{publish, schedule};

pub(super) fn run(place: &Place) -> Result<()> {
    let faults = config::check(&place.project)?;
    if !faults.is_empty() {
        return Err(Error::definition(faults));
    }
    // The formulas of measures are SQL, which only the cube layer reads.
    let config = config::load(&place.project, &place.state)?;
    let faults = config.auth.oidc.as_ref().map(oidc_faults).unwrap_or_default();
    if !faults.is_empty() {
        return Err(Error::definition(faults));
    }
    let model = Arc::new(config::load_model(&config)?);
    let (reports, _) = config::load_reports(&config, &model);
    let calendars = schedule::calendars(&config::load_calendars(&config).0);
    let faults: Vec<_> = reports
        .iter()
        .flat_map(|report| [schedule::check(report, &calendars), publish::check(report, &config)].concat())
        .collect();
    if !faults.is_empty() {
        return Err(Error::definition(faults));
    }
    Cubes::compile(Arc::clone(&model), &config.warehouse.tables, &formula_session())?;
    say(&format!(
        "no fault: {} tables, {} dimensions, {} cubes, {} reports",
        config.warehouse.tables.len(),
        model.dimensions.len(),
        model.cubes.len(),
        reports.len()
    ));
    Ok(())
}
