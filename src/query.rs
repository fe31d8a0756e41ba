//! The one door: every statement of both faces, of reports, jobs and the command line goes through it.
//!
//! In order: what a statement may be ([`gate`]), what the principal may see ([`schema`]), what it means (`cube`), what it
//! may read ([`lint`]), a durable record that it began, and then rows under a deadline and a memory budget. Dropping the
//! rows cancels the statement. What was planned or computed before for the same rights at the same snapshot is kept
//! ([`cache`]); who may ask, the record and the deadline are the same for it.

mod cache;
mod explain;
mod gate;
mod lint;
mod parameters;
mod rights;
mod rows;
mod running;
mod schema;
mod system;
mod wire;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, SchemaRef};
use async_trait::async_trait;
use datafusion::common::Result as PlanResult;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use self::cache::Reused;
pub use self::parameters::{Misfit, exact};
pub use self::rights::Reading;
use self::rights::Rights;
pub use self::wire::{GATHER, bytes_of, bytes_of_column};
use crate::auth::{Credential, Principal, sha256_hex};
use crate::catalog::{Catalog, QueryRow, operator};
use crate::clock::Clock;
use crate::config::Config;
use crate::cube::{Binding, Cubes, DetailLimit, Navigation, Refreshed, Route, refresh, rewrite};
use crate::engine::{Engine, formula_session, repeats};
use crate::error::{Code, Error, Result};
use crate::model::Label;
use crate::model::cube::{HierarchyKind, Model};
use crate::warehouse::{Progress, Snapshot, Warehouse};

pub use crate::cube::Rollups;
pub use crate::engine::Gauge;
pub use crate::model::cube::History;
pub use schema::HEAD_OFFICE;

/// Where a statement comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// Arrow Flight SQL.
    Flight,
    /// `/api/sql`.
    Http,
    /// A report's dataset.
    Report,
    /// `countinghouse query`.
    CommandLine,
    /// Scheduled work.
    Job,
}

impl Face {
    fn as_str(self) -> &'static str {
        match self {
            Self::Flight => "flight",
            Self::Http => "http",
            Self::Report => "report",
            Self::CommandLine => "command_line",
            Self::Job => "job",
        }
    }
}

/// A statement as it arrives.
#[derive(Debug, Clone)]
pub struct Statement {
    /// One query.
    pub sql: String,
    /// One row of parameters: columns in order for `$1`, by name for `$as_of`.
    pub parameters: Option<RecordBatch>,
    /// Default schema; the principal's home unless given.
    pub schema: Option<String>,
    /// A kept snapshot; the newest unless given.
    pub snapshot: Option<i64>,
    /// Which rollups may answer; any unless given. The answer is the same.
    pub rollups: Rollups,
    /// Whether a kept result may answer. The answer is the same.
    pub cache: ResultCache,
    /// Which versions of members stand; the cube's default unless given.
    pub history: Option<History>,
    /// Whether rows of a cube without an aggregate may be previewed.
    pub previews: Previews,
    /// How long it may take and wait. The answer is the same.
    pub workload: Workload,
}

impl Statement {
    /// A statement without parameters over the newest snapshot.
    pub fn new(sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            parameters: None,
            schema: None,
            snapshot: None,
            rollups: Rollups::On,
            cache: ResultCache::On,
            history: None,
            previews: Previews::default(),
            workload: Workload::default(),
        }
    }
}

/// Whether the rows of a statement may come from an equal one before it, and are kept for the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultCache {
    /// They may.
    #[default]
    On,
    /// They are computed, and not kept.
    Off,
}

impl ResultCache {
    /// `on` or `off`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// Who waits for a statement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Workload {
    /// Somebody at a screen: `query.deadline_seconds`.
    #[default]
    Interactive,
    /// A program: `query.batch_deadline_seconds`, and at most half of the places of those that run, for which it waits a minute.
    Batch,
}

/// What becomes of a statement that asks for rows of a cube without an aggregate, as tools send it to show what a table holds.
/// The figures of all other statements do not depend on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Previews {
    /// It gives a few rows, null in what cannot be told of a single row.
    #[default]
    Few,
    /// It is refused.
    Refused,
}

/// Bindings kept before those as of a day give way.
const BINDINGS: usize = 512;

/// What a table is to its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// A cube's wide view.
    Cube,
    /// The rows behind a cube.
    Detail,
    /// A warehouse table.
    Base,
    /// The server's own records.
    System,
}

/// A table that a principal may see.
#[derive(Debug, Clone)]
pub struct TableInfo {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: TableKind,
    /// Columns; the field metadata tells label, unit, role, additivity.
    pub arrow: SchemaRef,
    /// What it holds, by language.
    pub description: Label,
    /// Columns that identify a row, in order; empty where nothing does, and for a cube, whose rows are aggregates.
    pub key: Vec<String>,
    /// Columns that hold the key of another table of the same schema. Certified: a load finds the other row, or puts the
    /// unknown one.
    pub references: Vec<Reference>,
}

/// A column that holds the key of another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The column.
    pub column: String,
    /// The other table.
    pub table: String,
    /// Its key.
    pub key: String,
}

/// How many branches have delivered the newest period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Completeness {
    /// Branches with data.
    pub closed: usize,
    /// All branches.
    pub of: usize,
    /// Keys of those without.
    pub open: Vec<String>,
}

impl Completeness {
    /// What a principal may know of it: a branch its own close only.
    pub fn seen_by(mut self, principal: &Principal) -> Self {
        if let Some(own) = principal.scope.branches() {
            self.open.retain(|branch| own.contains(branch));
            self.of = own.len();
            self.closed = own.len() - self.open.len();
        }
        self
    }
}

/// Up to which day each branch has delivered each periodic fact: from it follows which branches have closed a day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Closes {
    branches: Vec<String>,
    facts: Vec<LastDays>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct LastDays {
    /// Of any branch.
    newest: i32,
    branches: BTreeMap<String, i32>,
}

impl Closes {
    /// Which branches have closed a day: of each fact they have rows of it, or as far as anybody has.
    fn at(&self, day: i32) -> Completeness {
        let is_open = |branch: &&String| {
            let last = |fact: &LastDays| fact.branches.get(*branch).copied().unwrap_or(i32::MIN);
            self.facts.iter().any(|fact| last(fact) < fact.newest.min(day))
        };
        let open: Vec<String> = self.branches.iter().filter(is_open).cloned().collect();
        Completeness { closed: self.branches.len() - open.len(), of: self.branches.len(), open }
    }
}

impl HeadInfo {
    /// Which branches have closed a day that may be older than the newest.
    pub fn completeness_at(&self, day: i32) -> Completeness {
        self.closes.at(day)
    }
}

/// The newest snapshot in words.
#[derive(Debug, Clone)]
pub struct HeadInfo {
    /// Its number.
    pub snapshot_id: i64,
    /// The day that the data stand for, in days since 1970-01-01.
    pub as_of: i32,
    /// Which branches are in it.
    pub completeness: Completeness,
    closes: Arc<Closes>,
    /// When it was published.
    pub created_at: jiff::Timestamp,
    /// Head office against the sum of branches, per additive measure.
    pub tie_out: Vec<TieOut>,
}

/// One comparison of head office with the sum of its branches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TieOut {
    /// The cube.
    pub cube: String,
    /// The measure.
    pub measure: String,
    /// Whether both are the same to the fen.
    pub equal: bool,
}

/// A branch of the organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its key: SQL schema and partition value.
    pub key: String,
    /// The member's name as the organisation table gives it.
    pub name: String,
}

/// The door. Cheap to clone.
#[derive(Clone)]
pub struct Door(Arc<Inner>);

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door")
    }
}

struct Inner {
    config: Arc<Config>,
    cubes: Arc<Cubes>,
    engine: Engine,
    warehouse: Arc<Warehouse>,
    catalog: Catalog,
    clock: Clock,
    admission: Arc<Semaphore>,
    /// Places that those of programs may take of them.
    batches: Arc<Semaphore>,
    bindings: Mutex<HashMap<BindingKey, Binding>>,
    branches: Mutex<Option<(i64, Arc<Vec<Branch>>)>>,
    closes: Mutex<Option<(i64, Arc<Closes>)>>,
    kept: cache::Kept,
    records: Arc<dyn Records>,
    /// What runs now: whose it is, and what it holds.
    running: Mutex<HashMap<String, (Principal, Arc<rows::Held>)>>,
}

/// A place among the statements that run, and one among those of programs.
type Permit = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

/// Snapshot, branches (`None`: the bank), cube, which versions of members stand.
type BindingKey = (i64, Option<BTreeSet<String>>, String, Option<History>);

/// Records that a module above the door keeps, shown as the tables of one schema beside the cubes.
#[async_trait]
pub trait Records: Send + Sync + std::fmt::Debug {
    /// Name of the schema. Reports, tokens and roles name it as they name a cube: for whom that cube does not exist, the schema
    /// does not.
    fn schema(&self) -> &str;
    /// Roles that open it besides.
    fn roles(&self) -> &[&str];
    /// Its tables: name, one sentence, columns.
    fn tables(&self) -> Vec<(&str, &str, SchemaRef)>;
    /// The rows of a table that a principal may see, where these are the branches; none where there is no such table.
    async fn rows(&self, table: &str, principal: &Principal, branches: &[Branch]) -> Result<Option<RecordBatch>>;
}

/// A planned statement: its schema is known and no data has been read.
#[derive(Clone)]
pub struct Prepared(Arc<PreparedInner>);

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("sql", &self.0.statement.sql).finish_non_exhaustive()
    }
}

struct PreparedInner {
    door: Door,
    principal: Principal,
    face: Face,
    statement: Statement,
    snapshot: Arc<Snapshot>,
    key: Arc<cache::Key>,
    planned: Arc<Planned>,
    /// The plan was kept from a statement before.
    plan_reused: bool,
    /// Its id when it runs for the first time.
    query_id: String,
    has_run: AtomicBool,
}

/// What a statement means at a snapshot, to everybody with the same rights.
struct Planned {
    parameters: SchemaRef,
    /// Analysed and optimised; `None` while parameters are missing.
    plan: Option<LogicalPlan>,
    /// What runs, where it can run more than once.
    physical: OnceLock<Arc<dyn ExecutionPlan>>,
    schema: SchemaRef,
    /// Where its figures come from, a route for each aggregate over a cube.
    routes: Vec<Route>,
    /// It previews rows of a cube.
    preview: bool,
    /// It explains instead of answering.
    explain: bool,
    /// It follows from its key alone, so that it may be kept.
    lasting: bool,
    /// It reads records of the server, which are of this moment and of no snapshot.
    records: bool,
}

impl Prepared {
    /// Exactly the schema of the rows: plain types, all nullable.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0.planned.schema)
    }

    /// The parameters that the statement names, with the types the planner infers; all nullable.
    pub fn parameter_schema(&self) -> SchemaRef {
        Arc::clone(&self.0.planned.parameters)
    }

    /// The snapshot that the rows come from.
    pub fn snapshot_id(&self) -> i64 {
        self.0.snapshot.id
    }

    /// The id under which the statement runs, in `system.queries`, logs and errors; run once more it gets another.
    pub fn query_id(&self) -> &str {
        &self.0.query_id
    }

    /// Which rollups answer (`used`), which do not and why (`refused`), and each aggregate's source (`routes`).
    pub fn rollups(&self) -> serde_json::Value {
        let routes = &self.0.planned.routes;
        let refused: Vec<_> = routes.iter().flat_map(|route| &route.refused).collect();
        json!({"used": used(routes), "refused": refused, "routes": routes})
    }

    /// What its reader must know of the rows, in words.
    pub fn notices(&self) -> Vec<&'static str> {
        let preview = "a preview of a cube's rows: columns that no single row has are null; aggregate for figures";
        self.0.planned.preview.then_some(preview).into_iter().collect()
    }

    /// The statement with one row of parameters bound, over the same snapshot.
    pub async fn bind(&self, parameters: RecordBatch) -> Result<Self> {
        let inner = &*self.0;
        let mut statement = inner.statement.clone();
        statement.parameters = Some(parameters);
        statement.snapshot = Some(inner.snapshot.id);
        inner.door.prepare(&inner.principal, inner.face, statement).await
    }
}

/// Rows on their way.
pub struct Answer {
    /// Id of the statement in `system.queries`, logs and errors.
    pub query_id: String,
    /// The snapshot that the rows come from.
    pub snapshot_id: i64,
    /// Exactly the schema of the rows.
    pub schema: SchemaRef,
    /// The rows. Dropping the stream cancels the statement.
    pub rows: BoxStream<'static, Result<RecordBatch>>,
    /// Where the figures come from, for headers, footers and metadata.
    pub provenance: serde_json::Value,
    /// How far it is; none where the rows were there already.
    pub gauge: Option<Gauge>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("query_id", &self.query_id).finish_non_exhaustive()
    }
}

/// All rows of a small result.
#[derive(Debug, Clone)]
pub struct Collected {
    /// Exactly the schema of the rows.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// Id of the statement.
    pub query_id: String,
    /// The snapshot that the rows come from.
    pub snapshot_id: i64,
    /// Where the figures come from.
    pub provenance: serde_json::Value,
}

impl Collected {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

impl Door {
    /// Builds the door of a project; faults of the cubes are reported with their places.
    pub fn new(
        config: Arc<Config>,
        model: Arc<Model>,
        warehouse: Arc<Warehouse>,
        catalog: Catalog,
        clock: Clock,
        records: Arc<dyn Records>,
    ) -> Result<Self> {
        let engine = Engine::new(&config.query, warehouse.storage(), &config.spill_folder())?;
        let cubes = Arc::new(Cubes::compile(model, &config.warehouse.tables, &formula_session())?);
        let budget = (config.query.total_memory_mib / config.query.memory_mib.max(1)).max(1);
        let admitted = config.query.concurrent.min(usize::try_from(budget).unwrap_or(usize::MAX)).max(1);
        Ok(Self(Arc::new(Inner {
            admission: Arc::new(Semaphore::new(admitted)),
            batches: Arc::new(Semaphore::new((admitted / 2).max(1))),
            kept: cache::Kept::new(&config.query),
            config,
            cubes,
            engine,
            warehouse,
            catalog,
            clock,
            bindings: Mutex::default(),
            branches: Mutex::default(),
            closes: Mutex::default(),
            records,
            running: Mutex::default(),
        })))
    }

    /// The definitions.
    pub fn model(&self) -> &Model {
        &self.0.cubes.model
    }

    /// The schema that a principal's names are looked up in first: head office, or its first branch.
    pub fn default_schema(&self, principal: &Principal) -> String {
        match principal.scope.branches() {
            None => HEAD_OFFICE.to_owned(),
            Some(branches) => branches.first().cloned().unwrap_or_default(),
        }
    }

    /// Plans a statement, or takes the plan that an equal one left. No data file is opened. One that is refused is recorded.
    pub async fn prepare(&self, principal: &Principal, face: Face, statement: Statement) -> Result<Prepared> {
        let asked = statement.clone();
        let prepared = self.prepared(principal, face, statement).await;
        if let Err(error) = &prepared {
            let refused = QueryRow {
                status: "refused".to_owned(),
                error_code: Some(error.code().as_str().to_owned()),
                ..self.record(principal, face, &asked, None)
            };
            self.0.catalog.begin_query(&refused).await?;
        }
        prepared
    }

    async fn prepared(&self, principal: &Principal, face: Face, statement: Statement) -> Result<Prepared> {
        let rights = Arc::new(self.rights(principal, face));
        if !rights.asks {
            return Err(Error::new(Code::Denied, "this login may open reports, but not run statements of its own"));
        }
        let snapshot = match statement.snapshot {
            Some(id) => self.0.warehouse.snapshot(id).await?,
            None => self.newest().await?,
        };
        let default_schema = match &statement.schema {
            Some(schema) => schema.clone(),
            None => self.default_schema(principal),
        };
        let key = Arc::new(cache::Key::new(&rights, snapshot.id, &default_schema, &statement)?);
        let kept = self.0.kept.plan(&key);
        let plan_reused = kept.is_some();
        let planned = match kept {
            Some(planned) => planned,
            None => {
                let planned = Arc::new(self.plan(principal, &rights, &snapshot, &default_schema, &statement).await?);
                if planned.lasting {
                    self.0.kept.keep_plan(&key, &planned);
                }
                planned
            }
        };
        Ok(Prepared(Arc::new(PreparedInner {
            door: self.clone(),
            principal: principal.clone(),
            face,
            statement,
            snapshot,
            key,
            planned,
            plan_reused,
            query_id: fresh_id(),
            has_run: AtomicBool::new(false),
        })))
    }

    /// Gate, names, types, measures. What it reads of its arguments stands in [`cache::Key`].
    async fn plan(
        &self,
        principal: &Principal,
        rights: &Arc<Rights>,
        snapshot: &Arc<Snapshot>,
        default_schema: &str,
        statement: &Statement,
    ) -> Result<Planned> {
        let (parsed, explain) = gate::check(&statement.sql)?;
        if let Rollups::Only(name) = &statement.rollups
            && !self.0.cubes.has_rollup(name)
        {
            return Err(Error::new(Code::NoSuchObject, format!("there is no rollup `{name}`")));
        }
        let catalogs = self.catalogs(principal, rights, snapshot, statement.history).await?;
        let session = self.0.engine.session(Arc::new(catalogs.clone()), default_schema);
        let unbound = session.statement_to_plan(parsed).await.map_err(gate::planning_error)?;
        gate::check_plan(&unbound)?;
        let parameters = parameters::schema(&unbound)?;
        let few = usize::try_from(self.0.config.query.detail_rows).unwrap_or(usize::MAX);
        let limit = DetailLimit((statement.previews == Previews::Few).then_some(few));
        let bound = match (&statement.parameters, parameters.fields().is_empty()) {
            (_, true) => Some(unbound.clone()),
            (Some(values), false) => Some(parameters::bind(&unbound, values)?),
            (None, false) => None,
        };
        // A statement whose parameters are not known yet still has a schema: that of the statement over nulls.
        let mut navigation = Navigation { rollups: statement.rollups.clone(), ..Navigation::default() };
        let (mut rewritten, complete) = match bound {
            Some(plan) => (rewrite(plan, &session, limit, &mut navigation)?, true),
            None => (rewrite(parameters::bind_nulls(&unbound, &parameters)?, &session, limit, &mut navigation)?, false),
        };
        // The statement's own functions, and those of the measures that it calls.
        let records = catalogs.gave_records();
        let lasting = !records && cache::repeatable(&unbound) && cache::repeatable(&rewritten);
        if explain {
            let completeness = self.completeness(snapshot).await?;
            rewritten = explain::plan(&navigation.routes, snapshot, &completeness.seen_by(principal))?;
        }
        // Types are settled by the analyzer: before it `CASE WHEN x THEN 0 ELSE 1.75 END` passes for whole numbers.
        let (schema, plan) = match complete {
            true => {
                let plan = session.optimize(&rewritten).map_err(gate::planning_error)?;
                gate::check_subqueries(&plan)?;
                (wire::schema(plan.schema()), Some(plan))
            }
            false => {
                let analyzed = session.analyzer().execute_and_check(rewritten, session.config_options(), |_, _| {});
                (wire::schema(analyzed.map_err(gate::planning_error)?.schema()), None)
            }
        };
        let Navigation { routes, preview, .. } = navigation;
        Ok(Planned { parameters, plan, physical: OnceLock::new(), schema, routes, preview, explain, lasting, records })
    }

    /// Runs a planned statement, or gives the rows that an equal one left. The record that it began is durable before a row
    /// can be read.
    pub async fn run(&self, prepared: Prepared) -> Result<Answer> {
        let inner = &*prepared.0;
        let planned = &*inner.planned;
        let Some(plan) = &planned.plan else {
            let names = planned.parameters.fields().iter().map(|field| format!("`{}`", field.name()));
            let names = names.collect::<Vec<_>>().join(", ");
            return Err(Error::new(Code::BadRequest, format!("the statement needs values for {names}")));
        };
        let may_keep = planned.lasting && !planned.explain && inner.statement.cache == ResultCache::On;
        let kept = if may_keep { self.0.kept.rows(&inner.key) } else { None };
        let workload = inner.statement.workload;
        let asked_at = self.0.clock.now();
        // Rows that are there already take no memory and no threads.
        let admitted = if kept.is_some() { Ok(None) } else { self.admit(workload).await.map(Some) };
        let queued_ms = i64::try_from(self.0.clock.now().duration_since(asked_at).as_millis()).ok();
        let permit = match admitted {
            Ok(permit) => permit,
            Err(error) => {
                let refused = QueryRow {
                    queued_ms,
                    status: "refused".to_owned(),
                    error_code: Some(error.code().as_str().to_owned()),
                    ..self.record(&inner.principal, inner.face, &inner.statement, Some(inner.snapshot.id))
                };
                self.0.catalog.begin_query(&refused).await?;
                return Err(error);
            }
        };
        let reused = match &kept {
            Some(_) => Reused::Result,
            None if inner.plan_reused => Reused::Plan,
            None => Reused::None,
        };

        let mut row = QueryRow {
            queued_ms,
            rollup: Some(used(&planned.routes).join(", ")).filter(|used| !used.is_empty()),
            reasons: Some(reasons(&planned.routes)).filter(|reasons| !reasons.is_empty()),
            cache: reused.as_str().to_owned(),
            ..self.record(&inner.principal, inner.face, &inner.statement, Some(inner.snapshot.id))
        };
        if !inner.has_run.swap(true, Ordering::Relaxed) {
            row.query_id.clone_from(&inner.query_id);
        }
        let query_id = row.query_id.clone();
        let deadline = self.time_of(workload);
        let start = async {
            match kept {
                Some(rows) => Ok((rows.stream(), None, None)),
                None => {
                    let recording = if may_keep { self.0.kept.record(&inner.key, &planned.schema) } else { None };
                    self.execute(inner, plan, &query_id).await.map(|(rows, gauge)| (rows, Some(gauge), recording))
                }
            }
        };
        // The plan starts while the disk syncs; no row is given before both are done.
        let most = self.rights(&inner.principal, inner.face).rows;
        let mut running = rows::Running::new(self, row.clone(), &inner.principal, most, deadline);
        let (begun, started) = tokio::join!(self.0.catalog.begin_query(&row), start);
        if let Err(error) = begun {
            running.forget();
            return Err(error);
        }
        fail::fail_point!("statement::begun");
        let gauge = match started {
            Ok((rows, gauge, recording)) => {
                running.start(rows, permit, recording);
                gauge
            }
            Err(error) => {
                running.end(Some(&error));
                return Err(error);
            }
        };
        let provenance = self.provenance(&query_id, &prepared, reused).await?;
        Ok(Answer {
            query_id,
            snapshot_id: inner.snapshot.id,
            schema: Arc::clone(&planned.schema),
            rows: running.into_stream(),
            provenance,
            gauge,
        })
    }

    /// The record of a statement that begins now.
    fn record(&self, principal: &Principal, face: Face, statement: &Statement, snapshot: Option<i64>) -> QueryRow {
        QueryRow {
            query_id: fresh_id(),
            principal: principal.name.clone(),
            face: face.as_str().to_owned(),
            sql: statement.sql.clone(),
            started_at: self.0.clock.now(),
            queued_ms: None,
            duration_ms: None,
            rows: None,
            bytes: None,
            snapshot_id: snapshot.or(statement.snapshot),
            rollup: None,
            reasons: None,
            cache: Reused::None.as_str().to_owned(),
            status: "running".to_owned(),
            error_code: None,
            rights: Some(sha256_hex(self.rights(principal, face).fingerprint.as_bytes())),
            parameters: statement.parameters.as_ref().map(parameters::as_text),
            address: principal.via.address.map(|address| address.to_string()),
            credential: principal.via.credential.as_ref().map(Credential::label),
        }
    }

    /// How long a statement may run.
    fn time_of(&self, workload: Workload) -> Duration {
        let config = &self.0.config.query;
        Duration::from_secs(match workload {
            Workload::Interactive => config.deadline_seconds,
            Workload::Batch => config.batch_deadline_seconds,
        })
    }

    /// A place among the statements that run.
    async fn admit(&self, workload: Workload) -> Result<Permit> {
        let wait = match workload {
            Workload::Interactive => self.time_of(workload).min(Duration::from_secs(10)),
            Workload::Batch => self.time_of(workload).min(Duration::from_secs(60)),
        };
        let place = async {
            let batch = match workload {
                Workload::Interactive => None,
                Workload::Batch => Some(Arc::clone(&self.0.batches).acquire_owned().await?),
            };
            Ok((Arc::clone(&self.0.admission).acquire_owned().await?, batch))
        };
        tokio::time::timeout(wait, place)
            .await
            .map_err(|_| Error::new(Code::Queue, "too many statements are running; try again in a moment"))?
            .map_err(|error: AcquireError| Error::internal("the server is stopping", error))
    }

    /// Starts a plan over the files. Its rows come in the announced schema.
    async fn execute(
        &self,
        inner: &PreparedInner,
        plan: &LogicalPlan,
        query_id: &str,
    ) -> Result<(BoxStream<'static, Result<RecordBatch>>, Gauge)> {
        let failed = |error| rows::execution_error(error, query_id);
        let routes = &inner.planned.routes;
        let physical = match inner.planned.physical.get() {
            Some(physical) => Arc::clone(physical),
            None => {
                let rows = routes.iter().map(|route| route.rollup_rows + route.fact_rows).sum();
                let physical =
                    self.0.engine.physical(plan, Some(rows).filter(|_| !routes.is_empty())).await.map_err(failed)?;
                tracing::debug!(query_id, plan = %displayable(physical.as_ref()).indent(true), "planned");
                if repeats(&physical) {
                    let _ = inner.planned.physical.set(Arc::clone(&physical)); // another was first with the same
                }
                physical
            }
        };
        lint::check(&physical, &inner.principal.scope)?;
        let rows = self.0.engine.run(physical).map_err(failed)?;
        let gauge = rows.gauge();
        let (schema, query_id) = (Arc::clone(&inner.planned.schema), query_id.to_owned());
        let fit = move |batch: PlanResult<RecordBatch>| {
            wire::fit(&batch.map_err(|error| rows::execution_error(error, &query_id))?, &schema)
        };
        Ok((rows.map(fit).boxed(), gauge))
    }

    /// Records that part `part` of `of` of a result that a face keeps is read: before its bytes leave.
    pub async fn record_reading(&self, principal: &Principal, query_id: &str, part: u32, of: u32) -> Result<()> {
        let address = principal.via.address.map(|address| address.to_string());
        let credential = principal.via.credential.as_ref().map(Credential::label);
        let detail =
            json!({"query_id": query_id, "part": part, "of": of, "address": address, "credential": credential});
        self.0.catalog.audit("result_read", &principal.name, detail).await
    }

    /// Plans and runs a statement.
    pub async fn query(&self, principal: &Principal, face: Face, statement: Statement) -> Result<Answer> {
        let prepared = self.prepare(principal, face, statement).await?;
        self.run(prepared).await
    }

    /// All rows of a statement; an error when there are more than `max_rows`, never a part of them.
    pub async fn collect(
        &self,
        principal: &Principal,
        face: Face,
        statement: Statement,
        max_rows: u64,
    ) -> Result<Collected> {
        let mut answer = self.query(principal, face, statement).await?;
        let mut batches = Vec::new();
        let mut rows = 0;
        while let Some(batch) = answer.rows.next().await {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            if rows > max_rows {
                return Err(Error::new(Code::Limit, format!("the result has more than {max_rows} rows")));
            }
            batches.push(batch);
        }
        Ok(Collected {
            schema: answer.schema,
            batches,
            query_id: answer.query_id,
            snapshot_id: answer.snapshot_id,
            provenance: answer.provenance,
        })
    }

    /// The tables that a principal may see, by schema and name.
    pub async fn tables(&self, principal: &Principal) -> Result<Vec<TableInfo>> {
        let branches = match self.0.warehouse.head().await? {
            Some(snapshot) => self.branches(&snapshot).await?,
            None => Arc::default(),
        };
        Ok(schema::tables(self, principal, &self.rights(principal, Face::Http), &branches))
    }

    /// The newest snapshot, or the error that nothing has been loaded.
    async fn newest(&self) -> Result<Arc<Snapshot>> {
        self.0.warehouse.head().await?.ok_or_else(|| {
            Error::new(Code::NoSnapshot, "no data have been loaded yet; load a feed with `countinghouse load`")
        })
    }

    /// The newest snapshot in words.
    pub async fn head(&self) -> Result<HeadInfo> {
        self.head_of(self.newest().await?).await
    }

    /// A kept snapshot in the same words.
    pub async fn head_at(&self, snapshot_id: i64) -> Result<HeadInfo> {
        self.head_of(self.0.warehouse.snapshot(snapshot_id).await?).await
    }

    async fn head_of(&self, snapshot: Arc<Snapshot>) -> Result<HeadInfo> {
        let closes = self.closes(&snapshot).await?;
        Ok(HeadInfo {
            snapshot_id: snapshot.id,
            as_of: snapshot.as_of,
            completeness: closes.at(i32::MAX),
            closes,
            created_at: snapshot.created_at,
            tie_out: self
                .0
                .cubes
                .tied_out(&snapshot)
                .into_iter()
                .map(|(cube, measure)| TieOut { cube, measure, equal: true })
                .collect(),
        })
    }

    /// The branches of the organisation at the newest snapshot that a principal may see.
    pub async fn branches_of(&self, principal: &Principal) -> Result<Vec<Branch>> {
        let snapshot = self.newest().await?;
        let all = self.branches(&snapshot).await?;
        Ok(all.iter().filter(|branch| principal.scope.holds(&branch.key)).cloned().collect())
    }

    async fn branches(&self, snapshot: &Snapshot) -> Result<Arc<Vec<Branch>>> {
        if let Some((id, branches)) = &*self.0.branches.lock().expect("no panic while held")
            && *id == snapshot.id
        {
            return Ok(Arc::clone(branches));
        }
        let found = Arc::new(self.read_branches(snapshot).await?);
        *self.0.branches.lock().expect("no panic while held") = Some((snapshot.id, Arc::clone(&found)));
        Ok(found)
    }

    async fn read_branches(&self, snapshot: &Snapshot) -> Result<Vec<Branch>> {
        let Some((dimension, scope)) = self.model().scope() else { return Ok(Vec::new()) };
        if !snapshot.tables.contains_key(dimension.table.as_str()) {
            return Ok(Vec::new());
        }
        let found = dimension.hierarchies.iter().find_map(|hierarchy| {
            Some((hierarchy, hierarchy.levels.iter().find(|level| *level.name == *scope.level)?))
        });
        let versions = self.0.cubes.tables.get(dimension.table.as_str()).and_then(|table| table.versions.as_ref());
        let mut branches: BTreeMap<String, (i32, String)> = BTreeMap::new();
        for batch in self.0.warehouse.read(snapshot, &dimension.table, None).await? {
            let from = versions.and_then(|versions| batch.column_by_name(&versions.from));
            let from = from.and_then(|from| from.as_primitive_opt::<Date32Type>());
            let keys = text_column(&batch, &scope.key)?;
            let (names, codes) = match found.map(|(hierarchy, _)| &hierarchy.kind) {
                Some(HierarchyKind::Ragged { level_of, member, .. }) => {
                    (text_column(&batch, member)?, Some(text_column(&batch, level_of)?))
                }
                _ => (text_column(&batch, &scope.key)?, None),
            };
            for row in 0..batch.num_rows() {
                let on_level = match (&codes, found) {
                    (Some(codes), Some((_, level))) if level.members.is_empty() => *level.name == codes.value(row),
                    (Some(codes), Some((_, level))) => level.members.iter().any(|member| member == codes.value(row)),
                    _ => true,
                };
                // The newest name counts, and a planned one does not yet.
                let day = from.filter(|from| from.is_valid(row)).map_or(i32::MIN, |from| from.value(row));
                if on_level && !keys.is_null(row) {
                    let named =
                        branches.entry(keys.value(row).to_owned()).or_insert((day, names.value(row).to_owned()));
                    if named.0 < day && day <= snapshot.as_of {
                        *named = (day, names.value(row).to_owned());
                    }
                }
            }
        }
        Ok(branches.into_iter().map(|(key, (_, name))| Branch { key, name }).collect())
    }

    /// A branch is complete when each periodic fact has its rows on the newest snapshot day; without such facts, when it
    /// has rows in the as-of month. From the log alone.
    async fn completeness(&self, snapshot: &Snapshot) -> Result<Completeness> {
        Ok(self.closes(snapshot).await?.at(i32::MAX))
    }

    async fn closes(&self, snapshot: &Snapshot) -> Result<Arc<Closes>> {
        if let Some((id, known)) = &*self.0.closes.lock().expect("no panic while held")
            && *id == snapshot.id
        {
            return Ok(Arc::clone(known));
        }
        let found = Arc::new(self.read_closes(snapshot).await?);
        *self.0.closes.lock().expect("no panic while held") = Some((snapshot.id, Arc::clone(&found)));
        Ok(found)
    }

    async fn read_closes(&self, snapshot: &Snapshot) -> Result<Closes> {
        let branches = self.branches(snapshot).await?;
        let mut facts = Vec::new();
        for (_, cube) in self.0.cubes.iter() {
            let (Some(time), Some(_)) = (&cube.cube.time, cube.cube.fact.snapshot) else { continue };
            let table = cube.cube.fact.table.as_str();
            if !snapshot.tables.contains_key(table) {
                continue;
            }
            let files = self.0.warehouse.files(snapshot, table).await?;
            let mut last: BTreeMap<String, i32> = BTreeMap::new();
            let mut newest = None;
            for file in &files.files {
                let Some(day) = file.max.get(time.key.as_str()).and_then(|day| i32::try_from(*day).ok()) else {
                    continue;
                };
                newest = newest.max(Some(day));
                if let Some(branch) = &file.branch {
                    let known = last.entry(branch.clone()).or_insert(day);
                    *known = day.max(*known);
                }
            }
            facts.extend(newest.map(|newest| LastDays { newest, branches: last }));
        }
        Ok(Closes { branches: branches.iter().map(|branch| branch.key.clone()).collect(), facts })
    }

    /// Where the figures of a statement come from. A branch is told of its own close only.
    async fn provenance(&self, query_id: &str, prepared: &Prepared, reused: Reused) -> Result<serde_json::Value> {
        let snapshot = &prepared.0.snapshot;
        let completeness = self.completeness(snapshot).await?.seen_by(&prepared.0.principal);
        Ok(json!({
            "v": 1,
            "query_id": query_id,
            "snapshot": snapshot.id,
            "as_of": crate::model::time::iso(snapshot.as_of),
            "completeness": completeness,
            "rollups": prepared.rollups(),
            "records": prepared.0.planned.records,
            "cache": reused.as_str(),
            "notices": prepared.notices(),
        }))
    }

    /// Brings the rollups of the named cubes, or of all, up to the newest snapshot; see [`refresh`].
    pub async fn refresh(&self, cubes: &[String], progress: &dyn Progress) -> Result<Refreshed> {
        let branches = async |snapshot: &Snapshot| -> Result<BTreeSet<String>> {
            Ok(self.read_branches(snapshot).await?.into_iter().map(|branch| branch.key).collect())
        };
        let refreshed = refresh(&self.0.cubes, &self.0.engine, &self.0.warehouse, cubes, branches, progress).await?;
        let built: usize = refreshed.rollups.iter().map(|rollup| rollup.built).sum();
        let detail = json!({"snapshot": refreshed.snapshot, "cubes": cubes, "partitions": built});
        self.0.catalog.audit("refresh", &operator(), detail).await?;
        Ok(refreshed)
    }

    /// What a principal may see at a snapshot.
    async fn catalogs(
        &self,
        principal: &Principal,
        rights: &Arc<Rights>,
        snapshot: &Arc<Snapshot>,
        history: Option<History>,
    ) -> Result<schema::Catalogs> {
        let branches = self.branches(snapshot).await?;
        Ok(schema::Catalogs::new(self, principal, Arc::clone(rights), Arc::clone(snapshot), history, branches))
    }

    /// A cube's data at a snapshot, kept between statements.
    async fn binding(
        &self,
        name: &str,
        snapshot: &Snapshot,
        branches: Option<&BTreeSet<String>>,
        history: Option<History>,
    ) -> Result<Option<Binding>> {
        let Some(cube) = self.0.cubes.get(name) else { return Ok(None) };
        let key = (snapshot.id, branches.cloned(), name.to_owned(), history);
        if let Some(known) = self.0.bindings.lock().expect("no panic while held").get(&key) {
            return Ok(Some(known.clone()));
        }
        let binding = self.0.cubes.bind(cube, &self.0.engine, &self.0.warehouse, snapshot, branches, history).await?;
        let mut bindings = self.0.bindings.lock().expect("no panic while held");
        // A few snapshots at once are in use (running reports, read transactions); older ones are bound again on demand.
        let oldest = snapshot.id - 4;
        bindings.retain(|(id, ..), _| *id >= oldest);
        // Of readings as of a day there are as many as there are days.
        if bindings.len() >= BINDINGS {
            bindings.retain(|(.., history), _| !matches!(history, Some(History::On(_))));
        }
        bindings.insert(key, binding.clone());
        Ok(Some(binding))
    }
}

/// A statement that may be anything: what the gate lets through plans to nothing but reading, where it can be planned at all.
#[cfg(feature = "failpoints")]
pub fn fuzz_sql(bytes: &[u8]) {
    use futures::FutureExt;
    static SESSION: std::sync::LazyLock<datafusion::execution::SessionState> =
        std::sync::LazyLock::new(formula_session);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok((statement, _)) = gate::check(text) else { return };
    // No table is there, so nothing waits.
    if let Some(Ok(plan)) = SESSION.statement_to_plan(statement).now_or_never() {
        gate::check_plan(&plan).unwrap_or_else(|refused| match refused.code() {
            Code::NotAllowed => {} // too many columns
            _ => panic!("the gate let through what is not read-only: {text}"),
        });
    }
}

/// An id that sorts by time.
fn fresh_id() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

/// The rollups that answer, each once.
fn used(routes: &[Route]) -> Vec<String> {
    let mut names: Vec<String> = routes.iter().filter_map(|route| route.rollup.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Why others do not: rollup, check and code, each once.
fn reasons(routes: &[Route]) -> String {
    let reasons = routes.iter().flat_map(|route| &route.refused);
    let reasons: BTreeSet<String> =
        reasons.map(|reason| format!("{} {} {}", reason.rollup, reason.check, reason.code)).collect();
    reasons.into_iter().collect::<Vec<_>>().join("; ")
}

fn text_column(batch: &RecordBatch, name: &str) -> Result<arrow::array::StringArray> {
    let column = batch
        .column_by_name(name)
        .ok_or_else(|| Error::new(Code::Internal, format!("column `{name}` was checked and is missing")))?;
    let text = arrow::compute::cast(column, &DataType::Utf8)
        .map_err(|error| Error::internal("cannot read the organisation", error))?;
    Ok(text.as_any().downcast_ref::<arrow::array::StringArray>().expect("just cast").clone())
}
