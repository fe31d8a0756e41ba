//! Builds everything from the configuration and passes it down. Every command starts here, tests included.

use std::path::Path;
use std::sync::Arc;

use crate::auth::{Auth, Provider};
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::error::Result;
use crate::model::diagnostic::Diagnostic;
use crate::query::Door;
use crate::server::Services;
use crate::warehouse::Warehouse;

/// A project with its state, opened.
#[derive(Debug, Clone)]
pub struct App {
    /// What both faces work with.
    pub services: Services,
    /// The tables and their snapshots.
    pub warehouse: Arc<Warehouse>,
    /// Faults of report folders: such a report is not served, and every other one is.
    pub report_faults: Vec<Diagnostic>,
}

impl App {
    /// Opens a project over its state, which is made when it is not there; an interrupted publication is finished first.
    ///
    /// # Errors
    /// `DEFINITION` with every fault of the settings, tables and cubes; `INTERNAL` when the state cannot be opened.
    pub async fn open(project: &Path, state: &Path) -> Result<Self> {
        let clock = Clock::system();
        let config = Arc::new(config::load(project, state)?);
        let model = Arc::new(config::load_model(&config)?);
        let (reports, report_faults) = config::load_reports(&config, &model);
        let catalog = Catalog::open(state, clock.clone()).await?;
        let warehouse = Warehouse::open(&config, catalog.clone(), clock.clone()).await?;
        let door = Door::new(Arc::clone(&config), model, Arc::clone(&warehouse), catalog.clone(), clock.clone())?;
        let auth = Auth::open(catalog.clone(), clock.clone())
            .await?
            .with_session_hours(config.auth.session_hours)
            .with_failures_per_minute(config.auth.failures_per_minute)
            .with_roles(config.roles.iter().map(|role| role.name.value.clone()));
        let provider =
            config.auth.oidc.as_ref().map(|oidc| Provider::open(oidc, state, &auth).map(Arc::new)).transpose()?;
        let services =
            Services { config: Arc::clone(&config), auth, provider, door, reports: Arc::new(reports), catalog, clock };
        Ok(Self { services, warehouse, report_faults })
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.services.config
    }
}
