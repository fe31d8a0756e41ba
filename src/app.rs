//! Builds everything from the configuration and passes it down. Every command starts here, tests included.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::auth::{Auth, Provider};
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::error::{Error, Result};
use crate::evaluation::{Book, Evaluation};
use crate::model::diagnostic::Diagnostic;
use crate::publish::{self, Publisher};
use crate::query::Door;
use crate::report::font::Fonts;
use crate::report::format::Tools;
use crate::report::worker::Worker;
use crate::schedule::{self, Scheduler};
use crate::server::Services;
use crate::warehouse::Warehouse;

/// Limits of one document that is drawn.
const DRAWING_SECONDS: u64 = 60;
const DRAWING_MIB: u64 = 1024;

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
        let (mut reports, mut report_faults) = config::load_reports(&config, &model);
        let (read, calendar_faults) = config::load_calendars(&config);
        report_faults.extend(calendar_faults);
        let calendars = schedule::calendars(&read);
        reports.retain(|report| {
            let mut found = schedule::check(report, &calendars);
            found.extend(publish::check(report, &config));
            let holds = found.is_empty();
            report_faults.extend(found);
            holds
        });
        let catalog = Catalog::open(state, clock.clone()).await?;
        let warehouse = Warehouse::open(&config, catalog.clone(), clock.clone()).await?;
        let book = Book::new(catalog.clone(), Arc::new(config::load_evaluation(&config)?));
        let records = Arc::new(book.clone());
        let door =
            Door::new(Arc::clone(&config), model, Arc::clone(&warehouse), catalog.clone(), clock.clone(), records)?;
        let evaluation = Evaluation::new(book, door.clone());
        let auth = Auth::open(catalog.clone(), clock.clone())
            .await?
            .with_session_hours(config.auth.session_hours)
            .with_failures_per_minute(config.auth.failures_per_minute)
            .with_roles(config.roles.iter().map(|role| role.name.value.clone()));
        let provider =
            config.auth.oidc.as_ref().map(|oidc| Provider::open(oidc, state, &auth).map(Arc::new)).transpose()?;
        let reports = Arc::new(reports);
        let tools = Tools {
            fonts: Arc::new(Fonts::load(config.fonts.as_deref().map(Path::new))?),
            worker: Worker::new(program()?, DRAWING_SECONDS, DRAWING_MIB),
        };
        let publisher = Publisher::open(
            Arc::clone(&config),
            door.clone(),
            auth.clone(),
            catalog.clone(),
            Arc::clone(&reports),
            tools,
            clock.clone(),
        )?;
        let scheduler = Scheduler::open(publisher.clone(), catalog.clone(), door.clone(), clock.clone(), &calendars)?;
        let config = Arc::clone(&config);
        let services =
            Services { config, auth, provider, door, reports, catalog, clock, publisher, scheduler, evaluation };
        Ok(Self { services, warehouse, report_faults })
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.services.config
    }
}

/// This program, which draws in children of its own.
fn program() -> Result<PathBuf> {
    std::env::current_exe().map_err(|error| Error::internal("the program does not know where it lies", error))
}
