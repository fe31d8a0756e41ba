//! Runs checked plans: sessions, scans, budgets.
//!
//! The engine knows files, memory and cores. Who may see what is decided before a plan reaches it (`query`), what a
//! question means before that (`cube`).

mod barrier;
mod functions;
mod hot;
mod registry;
mod rules;
mod scan;
mod small_groups;
mod spill;
mod star;
mod workers;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::{CatalogProviderList, MemoryCatalogProviderList, Session, TableProvider};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result as PlanResult, internal_datafusion_err};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::execution::{SessionStateDefaults, TaskContext, object_store::ObjectStoreUrl};
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use datafusion::prelude::SessionConfig;

use futures::TryStreamExt;

use self::hot::{Hot, Keep};
use self::spill::Spill;
use self::workers::Workers;
use crate::config::QueryConfig;
use crate::error::{Error, Result};
use crate::storage::Storage;
use crate::warehouse::TableFiles;

pub use workers::{Gauge, Rows};

pub use barrier::{barrier, is_barrier};
pub use functions::{
    bitmap_build, bitmap_count, bitmap_merge, mask, ratio, seen, seen_last, seen_value, standard_deviation, variance,
};
pub use small_groups::{SmallGroups, without_small_groups};

/// The catalog's name in SQL.
pub const CATALOG: &str = "countinghouse";

/// URL under which sessions know the warehouse; nothing else is registered, so a path in SQL is only an unknown name.
const WAREHOUSE_URL: &str = "countinghouse://warehouse";

/// Rows up to which one core reads and merges them sooner than several hand them around.
const FEW: u64 = 500_000;

/// The local engine.
#[derive(Clone)]
pub struct Engine {
    base: SessionState,
    /// The same on one core.
    one: SessionState,
    runtime: Arc<RuntimeEnv>,
    store: Arc<dyn object_store::ObjectStore>,
    memory_bytes: usize,
    workers: Arc<Workers>,
    hot: Arc<Hot>,
    _spill: Arc<Spill>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("memory_bytes", &self.memory_bytes).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine over one warehouse. What outgrows its memory goes to a folder of its own in `spill`.
    pub fn new(config: &QueryConfig, storage: &Storage, spill: &Path) -> Result<Self> {
        let spill = Arc::new(Spill::open(spill)?);
        let store: Arc<dyn object_store::ObjectStore> = Arc::new(registry::ReadOnly::new(storage.store()));
        let runtime = RuntimeEnvBuilder::new()
            .with_object_store_registry(Arc::new(registry::Closed::new(WAREHOUSE_URL, Arc::clone(&store))))
            .with_disk_manager_builder(
                DiskManagerBuilder::default()
                    .with_mode(DiskManagerMode::Directories(vec![spill.folder().to_path_buf()])),
            )
            .with_metadata_cache_limit(256 << 20)
            .build_arc()
            .map_err(|error| Error::internal("cannot start the engine", error))?;

        let mut session = SessionConfig::new()
            .with_default_catalog_and_schema(CATALOG, "head_office")
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(false);
        if config.target_partitions > 0 {
            session = session.with_target_partitions(config.target_partitions);
        }
        let options = session.options_mut();
        options.execution.collect_statistics = false; // they come from the log
        options.execution.time_zone = Some("+00:00".to_owned()); // a moment with an offset stays one
        options.execution.enable_recursive_ctes = false;
        // The check fails plans over `coalesce`, whose physical form admits nulls that its logical one excludes.
        options.execution.skip_physical_aggregate_schema_check = true;
        options.execution.parquet.max_in_list_size = 200;
        options.optimizer.hash_join_single_partition_threshold = 64 << 20;
        options.optimizer.hash_join_single_partition_threshold_rows = 1_000_000;
        options.optimizer.repartition_file_min_size = 16 << 20;
        options.sql_parser.map_string_types_to_utf8view = false; // one text type inside and on the wire
        options.sql_parser.collect_spans = true; // errors name the place
        options.sql_parser.parse_float_as_decimal = true; // 0.1 is a decimal: money never meets a float

        let base = builder()
            .with_config(session)
            .with_optimizer_rules(rules::rules())
            .with_runtime_env(Arc::clone(&runtime))
            .build();
        let one = SessionStateBuilder::new_from_existing(base.clone())
            .with_config(base.config().clone().with_target_partitions(1))
            .with_physical_optimizer_rules(rules::on_one_core())
            .build();
        let workers = Arc::new(Workers::new(config.target_partitions)?);
        let hot = Arc::new(Hot::new(config.hot_mib << 20, config.columns_mib << 20));
        Ok(Self {
            base,
            one,
            runtime,
            store,
            memory_bytes: (config.memory_mib as usize) << 20,
            workers,
            hot,
            _spill: spill,
        })
    }

    /// A session that plans one statement, over its own catalogs.
    pub fn session(&self, catalogs: Arc<dyn CatalogProviderList>, default_schema: &str) -> SessionState {
        // A copy: building one anew would register every function again.
        let mut session = self.base.clone();
        let catalog = &mut session.config_mut().options_mut().catalog;
        (catalog.default_catalog, catalog.default_schema) = (CATALOG.to_owned(), default_schema.to_owned());
        session.register_catalog_list(catalogs);
        session.mark_start_execution(); // what `now()` says throughout the statement
        session
    }

    /// A session that reaches no table by name: for plans of the server's own, which hold what they scan.
    pub fn bare_session(&self) -> SessionState {
        self.session(Arc::new(MemoryCatalogProviderList::new()), "none")
    }

    /// What runs of a logical plan that has been optimised. `rows` is how many it reads of cubes, where it reads any:
    /// one core is faster than several on few. Rows of base tables are not among them.
    pub async fn physical(&self, plan: &LogicalPlan, rows: Option<u64>) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let session = if rows.is_some_and(|rows| rows <= FEW) { &self.one } else { &self.base };
        self.planned(plan, session, Keep::All).await
    }

    async fn planned(
        &self,
        plan: &LogicalPlan,
        session: &SessionState,
        keep: Keep,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let physical = session.query_planner().create_physical_plan(plan, session).await?;
        workers::cooperative(star::fuse(hot::keep(physical, &self.hot, keep)?)?)
    }

    /// Runs a plan of the server's own, such as the build of a rollup, and gives its rows.
    pub async fn collect(&self, plan: LogicalPlan) -> Result<Vec<RecordBatch>> {
        let fault = |error: DataFusionError| Error::internal("the engine failed", error);
        let plan = self.bare_session().optimize(&plan).map_err(fault)?;
        // What it reads of facts was just loaded, and is read once.
        let physical = self.planned(&plan, &self.base, Keep::Small).await.map_err(fault)?;
        self.run(physical).map_err(fault)?.try_collect().await.map_err(fault)
    }

    /// Starts a plan that [`Self::physical`] made on the engine's threads, with a memory pool of its own. Dropping the rows
    /// stops it. A plan that [`repeats`] may be started any number of times.
    pub fn run(&self, plan: Arc<dyn ExecutionPlan>) -> PlanResult<Rows> {
        let base = &self.base;
        let runtime = RuntimeEnvBuilder::from_runtime_env(&self.runtime).with_memory_pool(self.pool()).build_arc()?;
        let context = TaskContext::new(
            None,
            base.session_id().to_owned(),
            base.config().clone(),
            base.scalar_functions().clone(),
            base.higher_order_functions().clone(),
            base.aggregate_functions().clone(),
            base.window_functions().clone(),
            runtime,
        );
        // One that runs once keeps what its operators were told of each other when it was planned.
        let plan = if repeats(&plan) { reset_plan_states(plan)? } else { plan };
        self.workers.run(plan, Arc::new(context))
    }

    fn pool(&self) -> Arc<dyn MemoryPool> {
        let consumers = NonZeroUsize::MIN.saturating_add(4);
        Arc::new(TrackConsumersPool::new(FairSpillPool::new(self.memory_bytes), consumers))
    }

    /// Makes scans over the warehouse.
    pub fn scans(&self) -> Scans {
        Scans { store: Arc::clone(&self.store) }
    }
}

/// What runs of a plan that becomes a part of another, not optimised yet: that is done once, with the other, since operators
/// that have been told of each other cannot be moved any more.
pub async fn part(session: &dyn Session, plan: &LogicalPlan) -> PlanResult<Arc<dyn ExecutionPlan>> {
    let state = session.as_any().downcast_ref::<SessionState>();
    let state = state.ok_or_else(|| internal_datafusion_err!("a session of another kind"))?.clone();
    let state = SessionStateBuilder::new_from_existing(state).with_physical_optimizer_rules(Vec::new()).build();
    state.create_physical_plan(plan).await
}

/// Whether a plan can be started more than once, and at the same time: what runs tell each other through it must be
/// nothing. A sorted limit tells its scan the best rows so far, a scalar subquery its value to what waits for it, and a scan
/// of files gathers measurements of every run.
pub fn repeats(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let mut repeats = true;
    let _ = plan.apply(|node| {
        if hot::is_small(node) {
            return Ok(TreeNodeRecursion::Jump);
        }
        repeats &= node.dynamic_expressions_produced().is_empty()
            && !node.is::<ScalarSubqueryExec>()
            && node.downcast_ref::<DataSourceExec>().is_none_or(|scan| scan.data_source().is::<MemorySourceConfig>());
        Ok(if repeats { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    repeats
}

/// Makes scans over the warehouse's files. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Scans {
    store: Arc<dyn object_store::ObjectStore>,
}

impl Scans {
    /// A scan of the given files, cut to `branches` before a plan exists: other branches' files are not in it, so no
    /// predicate, bound, count or error can show them. `None` is the whole bank.
    pub fn table(&self, files: Arc<TableFiles>, branches: Option<&BTreeSet<String>>) -> Result<Arc<dyn TableProvider>> {
        let url = ObjectStoreUrl::parse(WAREHOUSE_URL).map_err(|error| Error::internal("warehouse url", error))?;
        Ok(Arc::new(scan::SnapshotTable::new(url, Arc::clone(&self.store), files, branches)))
    }
}

/// Not `with_default_features`: that brings table factories, file formats and table functions with it.
fn builder() -> SessionStateBuilder {
    // Ours is asked first.
    let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(functions::Joining)];
    planners.extend(SessionStateDefaults::default_expr_planners());
    SessionStateBuilder::new()
        .with_expr_planners(planners)
        .with_scalar_functions(functions::scalar())
        .with_aggregate_functions(functions::aggregate())
        .with_window_functions(functions::window())
        .with_query_planner(Arc::new(barrier::Planner))
}

/// A session that reads formulas of definition files and can reach no data.
pub fn formula_session() -> SessionState {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    config.options_mut().sql_parser.parse_float_as_decimal = true;
    builder().with_config(config).build()
}
