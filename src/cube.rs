//! Cubes: definitions bound to a snapshot, wide views, and the plan of a question.
//!
//! A cube appears in SQL as a wide view whose columns are levels, attributes and measures. The view is a leaf that
//! [`rewrite`] recognises by identity: it replaces each aggregate over it by the plan that the measures' definitions ask
//! for, joining only the dimensions that the statement names. Nothing executes the leaf itself.

mod ask;
mod days;
mod disclosure;
mod measure;
mod members;
mod navigator;
mod question;
mod restriction;
mod rewrite;
mod rollup;
mod sight;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result as PlanResult, TableReference, plan_err};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::session_state::SessionState;
use datafusion::functions::datetime::expr_fn::date_trunc;
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlanBuilder, Operator, Volatility, cast, lit, when,
};

use crate::engine::{Engine, Scans, ratio, seen};
use crate::error::{Code, Error, Result};
use crate::model::cube::{
    Additivity, Attribute, Cube, Derived, Dimension, HierarchyKind, History, Level, Measure, Model, State, TimeRule,
};
use crate::model::diagnostic::Diagnostic;
use crate::model::table::{Sensitivity, Table};
use crate::model::{Label, Located};
use crate::warehouse::{DataFile, SHARED, Snapshot, TableFiles, Warehouse, arrow_type};

pub use days::Coverage;
pub use navigator::{Navigation, Refusal, Rollups, Route};
use rewrite::internal;
pub use rewrite::{DetailLimit, rewrite};
use rollup::{BoundRollup, CompiledRollup, Contents, Sources};
pub use rollup::{Refreshed, RefreshedRollup, RollupState, refresh};
pub use sight::Sight;
pub use view::{CubeTable, detail};

/// Alias of the fact scan in the plans made here.
const FACT: &str = "__fact";
/// Alias of the cube's own columns in a normal form.
const LEAF: &str = "__cube";
/// Alias of finished measures in the expressions of calculated ones.
const FINISHED: &str = "__measure";

/// A cube compiled against the warehouse tables: every column resolved, every formula parsed.
#[derive(Debug, Clone)]
pub struct CompiledCube {
    /// The definition.
    pub cube: Cube,
    /// Levels and attributes, in the order of the view's columns.
    pub members: Vec<Member>,
    measures: Vec<CompiledMeasure>,
    /// The columns of the detail view: members, then the fact's own columns that no member shows under the same name.
    details: Vec<(Field, Expr)>,
    joins: Vec<CompiledJoin>,
    fact_table: Table,
    filter: Option<Expr>,
    schema: SchemaRef,
    /// The fact and its dimensions: what formulas are over once they are resolved.
    base_schema: DFSchema,
    rollups: Vec<Arc<CompiledRollup>>,
    /// Some dimension keeps versions.
    versioned: bool,
}

/// A level or attribute: a column of the view.
#[derive(Debug, Clone)]
pub struct Member {
    /// Column name in the view.
    pub name: String,
    /// What it is called.
    pub label: Label,
    /// `time`, `level` or `attribute`.
    pub role: &'static str,
    /// Dimension it belongs to; the calendar for time levels; none for an attribute of the fact itself.
    pub dimension: Option<String>,
    /// Sensitivity class.
    pub sensitivity: Sensitivity,
    /// Which mask fits.
    kind: Option<String>,
    data_type: DataType,
    base: Expr,
}

#[derive(Debug, Clone)]
struct CompiledMeasure {
    measure: Measure,
    /// The state's expressions over the fact and its dimensions, in the order of the definition; of a calculated measure
    /// its expression over finished ones.
    inputs: Vec<Expr>,
}

#[derive(Debug, Clone)]
struct CompiledJoin {
    alias: String,
    on: String,
    dimension: Dimension,
    /// Set when the dimension has a ragged hierarchy, whose levels are computed per snapshot.
    ragged: bool,
    /// Set when a fact may name a member of another branch: the dimension is cut by branch, and nothing looks its key up.
    crosses_branches: bool,
}

/// All cubes of a project.
#[derive(Debug)]
pub struct Cubes {
    /// The definitions.
    pub model: Arc<Model>,
    /// The warehouse tables by name.
    pub tables: BTreeMap<String, Table>,
    cubes: BTreeMap<String, Arc<CompiledCube>>,
}

/// A cube's data at a snapshot, for some branches.
#[derive(Debug, Clone)]
pub struct Binding {
    cube: Arc<CompiledCube>,
    fact: Arc<dyn TableProvider>,
    fact_files: Arc<TableFiles>,
    dimensions: Vec<Arc<dyn TableProvider>>,
    /// For each join whether the snapshot certifies that a fact meets one row of its dimension at most.
    certified: Vec<bool>,
    coverage: Option<Coverage>,
    rollups: Arc<[BoundRollup]>,
    scans: Scans,
    /// Which versions of members stand; none when no dimension keeps any.
    history: Option<History>,
    /// Which rows its reader may see.
    policy: Option<Expr>,
    /// Whether its reader may see rows.
    details: bool,
    /// How small a group its reader may see.
    disclosure: Option<disclosure::Disclosure>,
}

impl Cubes {
    /// Compiles every cube of the model; all faults are reported at their places.
    pub fn compile(model: Arc<Model>, tables: &[Table], session: &SessionState) -> Result<Self> {
        let tables: BTreeMap<String, Table> =
            tables.iter().map(|table| (table.name.value.clone(), table.clone())).collect();
        let mut cubes = BTreeMap::new();
        let mut faults = Vec::new();
        for cube in &model.cubes {
            match compile(cube, &model, &tables, session, &mut faults) {
                Some(compiled) => _ = cubes.insert(cube.name.value.clone(), Arc::new(compiled)),
                None if faults.is_empty() => faults.push(Diagnostic {
                    place: cube.name.place.clone(),
                    message: format!("cube `{}` cannot be built from the warehouse tables", *cube.name),
                }),
                None => {}
            }
        }
        if faults.is_empty() { Ok(Self { model, tables, cubes }) } else { Err(Error::definition(faults)) }
    }

    /// The compiled cubes by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<CompiledCube>)> {
        self.cubes.iter().map(|(name, cube)| (name.as_str(), cube))
    }

    /// The compiled cube of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<CompiledCube>> {
        self.cubes.get(name)
    }

    /// Whether any cube has a rollup of this name.
    pub fn has_rollup(&self, name: &str) -> bool {
        self.cubes.values().flat_map(|cube| &cube.rollups).any(|rollup| rollup.name == name)
    }

    /// Binds a cube to the files of a snapshot, cut to `branches` (`None`: the whole bank), in a reading that
    /// [`CompiledCube::history`] gave.
    pub async fn bind(
        &self,
        cube: &Arc<CompiledCube>,
        engine: &Engine,
        warehouse: &Warehouse,
        snapshot: &Snapshot,
        branches: Option<&BTreeSet<String>>,
        history: Option<History>,
    ) -> Result<Binding> {
        let day = match history {
            None | Some(History::AsWas) => None,
            Some(History::AsIs) => Some(snapshot.as_of),
            Some(History::On(day)) => Some(day),
        };
        let scans = engine.scans();
        let all = warehouse.files(snapshot, &cube.fact_table.name).await?;
        let fact_files = match branches {
            None => all,
            Some(branches) => Arc::new(of_branches(&all, branches)),
        };
        let fact = table(engine, warehouse, snapshot, &cube.fact_table, branches).await?;
        let coverage = match &cube.cube.time {
            Some(time) => days::coverage(&self.model, cube, time, warehouse, snapshot).await?,
            None => None,
        };
        let certified = cube.joins.iter().map(|join| join.is_certified(snapshot)).collect();
        let mut dimensions = Vec::new();
        for (index, join) in cube.joins.iter().enumerate() {
            if join.ragged {
                let (schema, batches) = self.members(cube, index, warehouse, snapshot, branches, day).await?;
                let memory = MemTable::try_new(schema, vec![batches])
                    .map_err(|error| Error::internal("cannot hold a dimension in memory", error))?;
                dimensions.push(Arc::new(memory) as Arc<dyn TableProvider>);
                continue;
            }
            let members = self.table_of(&join.dimension.table)?;
            let provider = table(engine, warehouse, snapshot, members, branches).await?;
            dimensions.push(match (&members.versions, day) {
                (Some(versions), Some(day)) => members::view(members, versions, provider, day)
                    .map_err(|error| Error::internal("cannot read a dimension's versions", error))?,
                _ => provider,
            });
        }
        let built = cube.rollups.iter().any(|rollup| snapshot.tables.contains_key(rollup.table.name.as_str()));
        let contents = match built {
            false => None,
            // Facts answer what rollups cannot be shown to answer.
            true => match self.contents(cube, warehouse, snapshot, branches, day).await {
                Ok(contents) => Some(contents),
                Err(error) => {
                    tracing::warn!(cube = %*cube.cube.name, ?error, "rollups are passed over: a dimension cannot be read");
                    None
                }
            },
        };
        let sources = Sources { cube, facts: &fact_files, coverage: coverage.as_ref(), contents: contents.as_ref() };
        let mut rollups = Vec::new();
        for rollup in &cube.rollups {
            let name = rollup.table.name.as_str();
            let stored = match snapshot.tables.contains_key(name) {
                true => Some(warehouse.files(snapshot, name).await?),
                false => None,
            };
            rollups.push(sources.bind(rollup, stored.as_deref(), snapshot)?);
        }
        let rollups = rollups.into();
        Ok(Binding {
            cube: Arc::clone(cube),
            fact,
            fact_files,
            dimensions,
            certified,
            coverage,
            rollups,
            scans,
            history,
            policy: None,
            details: true,
            disclosure: None,
        })
    }

    /// The members of a joined dimension as a snapshot has them; see [`members::members`].
    async fn members(
        &self,
        cube: &CompiledCube,
        join: usize,
        warehouse: &Warehouse,
        snapshot: &Snapshot,
        branches: Option<&BTreeSet<String>>,
        day: Option<i32>,
    ) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let CompiledJoin { dimension, ragged, .. } = &cube.joins[join];
        let table = self.table_of(&dimension.table)?;
        let batches = warehouse.read(snapshot, &dimension.table, with_shared(branches).as_ref()).await?;
        match *ragged || !batches.is_empty() {
            true => members::members(dimension, table, &batches, day),
            false => Ok((crate::warehouse::table_schema(table), batches)),
        }
    }

    /// What rollups of a cube read of its dimensions.
    async fn contents(
        &self,
        cube: &CompiledCube,
        warehouse: &Warehouse,
        snapshot: &Snapshot,
        branches: Option<&BTreeSet<String>>,
        day: Option<i32>,
    ) -> Result<Contents> {
        let mut contents = Contents::default();
        for (join, mut columns) in Contents::wanted(cube) {
            let CompiledJoin { dimension, ragged, .. } = &cube.joins[join];
            let table = self.table_of(&dimension.table)?;
            let branch = table.partition.branch.as_ref();
            let batches = match *ragged || table.versions.is_some() {
                true => self.members(cube, join, warehouse, snapshot, branches, day).await?.1,
                false => {
                    let further = [&dimension.key].into_iter().chain(branch);
                    columns.extend(further.map(|column| column.value.clone()));
                    let branches = with_shared(branches);
                    warehouse.read_columns(snapshot, &dimension.table, branches.as_ref(), &columns).await?
                }
            };
            contents.add(join, cube, branch.map(|branch| branch.value.clone()), &batches)?;
        }
        Ok(contents)
    }

    fn table_of(&self, name: &str) -> Result<&Table> {
        self.tables
            .get(name)
            .ok_or_else(|| Error::new(Code::Internal, format!("table `{name}` was checked and is missing")))
    }
}

impl CompiledJoin {
    /// Whether a snapshot certifies that its dimension's key identifies a row. A dimension that holds nothing yet joins none.
    fn is_certified(&self, snapshot: &Snapshot) -> bool {
        let table = self.dimension.table.as_str();
        let key = || snapshot.certificate(table).and_then(|certificate| certificate.key);
        !snapshot.tables.contains_key(table) || key().is_some_and(|key| key == *self.dimension.key)
    }
}

impl Binding {
    /// The first dimension whose join is not certified.
    fn uncertified(&self) -> Option<&str> {
        let place = self.certified.iter().position(|certified| !certified)?;
        Some(self.cube.joins[place].dimension.name.as_str())
    }

    /// What of the cube's rollups answers.
    pub fn rollup_states(&self) -> Vec<RollupState> {
        self.rollups.iter().map(BoundRollup::state).collect()
    }

    /// Whether every fact has a date, by the log.
    fn is_dated(&self) -> bool {
        self.cube.cube.time.as_ref().is_none_or(|time| {
            let known = |file: &DataFile| file.nulls.get(time.key.as_str()).is_some_and(|nulls| *nulls == 0);
            self.fact_files.files.iter().all(known)
        })
    }

    fn sources<'a>(&'a self, contents: &'a Contents) -> Sources<'a> {
        let contents = Some(contents);
        Sources { cube: &self.cube, facts: &self.fact_files, coverage: self.coverage.as_ref(), contents }
    }
}

/// Some branches, and what is for all.
fn with_shared(branches: Option<&BTreeSet<String>>) -> Option<BTreeSet<String>> {
    branches.map(|branches| branches.iter().cloned().chain([SHARED.to_owned()]).collect())
}

/// The files of some branches, and those for all.
fn of_branches(files: &TableFiles, branches: &BTreeSet<String>) -> TableFiles {
    let own = |branch: &String| branch == SHARED || branches.contains(branch);
    let files_of = files.files.iter().filter(|file| file.branch.as_ref().is_none_or(own)).cloned().collect();
    TableFiles { files: files_of, ..files.clone() }
}

/// An expression as people write it: without the aliases of plans made here.
fn readable(expr: &Expr) -> String {
    expr.to_string().replace(&format!("{FACT}."), "").replace("__dim_", "")
}

/// A scan of a table at a snapshot, cut to `branches`; an empty one when nothing has been loaded into it yet.
pub async fn table(
    engine: &Engine,
    warehouse: &Warehouse,
    snapshot: &Snapshot,
    table: &Table,
    branches: Option<&BTreeSet<String>>,
) -> Result<Arc<dyn TableProvider>> {
    if !snapshot.tables.contains_key(table.name.as_str()) {
        let empty = MemTable::try_new(crate::warehouse::table_schema(table), vec![vec![]])
            .map_err(|error| Error::internal("cannot make an empty table", error))?;
        return Ok(Arc::new(empty));
    }
    let files = warehouse.files(snapshot, &table.name).await?;
    engine.scans().table(files, branches)
}

impl CompiledCube {
    /// The reading that rollups are built in. None when no dimension keeps versions.
    pub fn as_was(&self) -> Option<History> {
        self.versioned.then_some(History::AsWas)
    }

    /// The reading of its dimensions' versions: the one asked for, where the cube offers it, or the cube's default; of a
    /// branch's own cube as it was, since a branch's files are what it booked. None when no dimension keeps versions.
    ///
    /// # Errors
    /// `BAD_REQUEST` for a reading that the cube does not offer.
    pub fn history(&self, asked: Option<History>, head_office: bool) -> Result<Option<History>> {
        let offered = &self.cube.history;
        let offers = |reading: &History| match reading {
            History::On(_) => offered.contains(&History::AsIs),
            reading => offered.contains(reading),
        };
        match asked {
            _ if !self.versioned => Ok(None),
            Some(asked) if offers(&asked) => Ok(Some(asked)),
            Some(asked) => {
                let offered = offered.iter().map(|reading| format!("`{reading}`")).collect::<Vec<_>>().join(", ");
                let message = format!("cube `{}` is read {offered}, not `{asked}`", *self.cube.name);
                Err(Error::new(Code::BadRequest, message))
            }
            None if !head_office && offers(&History::AsWas) => Ok(Some(History::AsWas)),
            None => Ok(offered.first().copied()),
        }
    }

    /// The view's schema: members, then measures, with their meaning as field metadata.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Schema of the detail view; none where its reader sees no rows.
    pub fn detail_schema(&self) -> Option<SchemaRef> {
        let fields = self.details.iter().map(|(field, _)| field.clone()).collect::<Vec<_>>();
        (!fields.is_empty()).then(|| Arc::new(Schema::new(fields)))
    }

    fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    fn measure(&self, name: &str) -> Option<&CompiledMeasure> {
        self.measures.iter().find(|compiled| *compiled.measure.name == name)
    }

    /// The join that a column of the view comes from, and which of its hierarchy's levels it is; none for an attribute's
    /// level. None for time levels and attributes of the fact.
    fn level_of(&self, name: &str) -> Option<(&str, Option<usize>)> {
        let Expr::Column(Column { relation: Some(relation), .. }) = &self.member(name)?.base else { return None };
        let place = self.joins.iter().position(|join| join.alias == relation.table())?;
        let join = self.cube.joins[place].name();
        let level = name.strip_prefix(join).and_then(|rest| rest.strip_prefix('_'));
        let level = self.level_named(join, name).or_else(|| self.level_named(join, level?));
        Some((join, level))
    }

    /// Which of its hierarchy's levels a level of a join is, from the top.
    fn level_named(&self, join: &str, level: &str) -> Option<usize> {
        let place = self.cube.joins.iter().position(|known| known.name() == join)?;
        let mut hierarchies = self.joins[place].dimension.hierarchies.iter();
        hierarchies.find_map(|hierarchy| hierarchy.levels.iter().position(|known| *known.name == level))
    }

    /// The cube's time levels by column name: name and `date_trunc` unit.
    fn time_levels(&self) -> Vec<(String, &'static str)> {
        let Some(time) = &self.cube.time else { return Vec::new() };
        time.levels.iter().map(|level| (level.value.clone(), time_unit(level, &time.key))).collect()
    }
}

impl Member {
    fn field(&self) -> Field {
        let mut metadata = labels(&self.label);
        metadata.insert("countinghouse:role".into(), self.role.into());
        metadata.insert("countinghouse:sensitivity".into(), sensitivity(self.sensitivity).into());
        if let Some(dimension) = &self.dimension {
            metadata.insert("countinghouse:dimension".into(), dimension.clone());
        }
        Field::new(&self.name, self.data_type.clone(), true).with_metadata(metadata)
    }
}

impl CompiledMeasure {
    fn field(&self) -> Field {
        let measure = &self.measure;
        let mut metadata = labels(&measure.label);
        for (language, text) in &measure.description {
            metadata.insert(format!("description.{language}"), text.clone());
        }
        let additivity = match measure.additivity() {
            Additivity::Additive => "additive",
            Additivity::SemiAdditive => "semi-additive",
            Additivity::NonAdditive => "non-additive",
        };
        metadata.insert("countinghouse:role".into(), "measure".into());
        metadata.insert("countinghouse:additivity".into(), additivity.into());
        metadata.insert("countinghouse:call".into(), measure::call(measure));
        if let Some(unit) = &measure.unit {
            metadata.insert("countinghouse:unit".into(), unit.clone());
        }
        Field::new(measure.name.as_str(), arrow_type(measure.data_type), true).with_metadata(metadata)
    }

    /// Whether a single row has a value of its own: an additive sum over all days.
    fn row_value(&self) -> Option<&Expr> {
        matches!((&self.measure.state, &self.measure.time), (State::Sum { .. }, TimeRule::All)).then(|| &self.inputs[0])
    }
}

fn labels(label: &Label) -> HashMap<String, String> {
    label.iter().map(|(language, text)| (format!("label.{language}"), text.clone())).collect()
}

fn sensitivity(class: Sensitivity) -> &'static str {
    match class {
        Sensitivity::C1 => "C1",
        Sensitivity::C2 => "C2",
    }
}

fn time_unit(level: &str, key: &str) -> &'static str {
    match level {
        _ if level == key => "day",
        "week" => "week",
        "month" => "month",
        "quarter" => "quarter",
        _ => "year",
    }
}

fn fact_column(name: &str) -> Expr {
    Expr::Column(qualified(FACT, name))
}

/// A column of a relation by its plain name: a text would be parsed as SQL.
fn qualified(relation: &str, name: impl Into<String>) -> Column {
    Column::new(Some(TableReference::bare(relation)), name)
}

/// A relation of a plan over rows that a statement does not name.
fn relation(name: &str, table: Arc<dyn TableProvider>) -> PlanResult<LogicalPlanBuilder> {
    LogicalPlanBuilder::scan(TableReference::bare(name), provider_as_source(table), None)
}

fn role_alias(role: &str) -> String {
    format!("__dim_{role}")
}

/// Resolves a cube's columns and parses its formulas.
fn compile(
    cube: &Cube,
    model: &Model,
    tables: &BTreeMap<String, Table>,
    session: &SessionState,
    faults: &mut Vec<Diagnostic>,
) -> Option<CompiledCube> {
    let fact_table = tables.get(cube.fact.table.as_str())?.clone();
    let mut members = Vec::new();
    if let Some(time) = &cube.time {
        for level in &time.levels {
            let unit = time_unit(level, &time.key);
            let key = fact_column(&time.key);
            let base = if unit == "day" { key } else { cast(date_trunc(lit(unit), key), DataType::Date32) };
            members.push(Member {
                name: level.value.clone(),
                label: time_label(unit),
                role: "time",
                dimension: Some(time.calendar.value.clone()),
                sensitivity: Sensitivity::C1,
                kind: None,
                data_type: DataType::Date32,
                base,
            });
        }
    }
    let mut joins = Vec::new();
    let mut versioned = false;
    // Names that formulas may use: the fact's columns, the view's members, and `role.attribute`.
    let mut names: Vec<(Option<String>, String, DataType, Expr)> = crate::warehouse::table_schema(&fact_table)
        .fields()
        .iter()
        .map(|field| (None, field.name().clone(), field.data_type().clone(), fact_column(field.name())))
        .collect();
    for join in &cube.joins {
        let dimension = model.dimension(&join.dimension)?;
        let table = tables.get(dimension.table.as_str())?;
        versioned |= table.versions.is_some();
        let role = join.role.as_ref().unwrap_or(&join.dimension);
        let alias = role_alias(role);
        let prefix = join.role.as_ref().map(|role| format!("{}_", **role)).unwrap_or_default();
        let mut ragged = false;
        let mut add =
            |name: &str, column: &str, data_type: DataType, label: &Label, seen: (_, _), role_of, hidden: bool| {
                let base = Expr::Column(qualified(&alias, column));
                // The planner takes one name once, qualified or not; where both exist the fact's own column is meant.
                if names.iter().all(|(qualifier, known, ..)| qualifier.is_some() || known != name) {
                    names.push((Some(role.value.clone()), name.to_owned(), data_type.clone(), base.clone()));
                }
                // Two hierarchies may share a level.
                if !hidden && members.iter().all(|member: &Member| member.base != base) {
                    members.push(Member {
                        name: format!("{prefix}{name}"),
                        label: label.clone(),
                        role: role_of,
                        dimension: Some(dimension.name.value.clone()),
                        sensitivity: seen.0,
                        kind: seen.1,
                        data_type,
                        base,
                    });
                }
            };
        for hierarchy in &dimension.hierarchies {
            for level in &hierarchy.levels {
                let Level { name, label, column, sensitivity, .. } = level;
                match (&hierarchy.kind, column) {
                    (HierarchyKind::Ragged { .. }, _) => {
                        ragged = true;
                        add(name, &members::column(name), DataType::Utf8, label, (*sensitivity, None), "level", false);
                    }
                    (HierarchyKind::Levels, Some(column)) => {
                        let data_type = arrow_type(table.column(column)?.data_type);
                        add(name, column, data_type, label, (*sensitivity, None), "level", false);
                    }
                    (HierarchyKind::Levels, None) => return None,
                }
            }
        }
        for Attribute { name, label, column, sensitivity, kind, hidden } in &dimension.attributes {
            let data_type = arrow_type(table.column(column)?.data_type);
            add(name, column, data_type, label, (*sensitivity, kind.clone()), "attribute", *hidden);
        }
        let looked_up = fact_table.column(&join.on).is_some_and(|column| column.references.is_some());
        joins.push(CompiledJoin {
            alias,
            on: join.on.value.clone(),
            dimension: dimension.clone(),
            ragged,
            crosses_branches: table.partition.branch.is_some() && !looked_up,
        });
    }
    for Attribute { name, label, column, sensitivity, kind, hidden } in &cube.attributes {
        let data_type = arrow_type(fact_table.column(column)?.data_type);
        if !*hidden {
            members.push(Member {
                name: name.value.clone(),
                label: label.clone(),
                role: "attribute",
                dimension: None,
                sensitivity: *sensitivity,
                kind: kind.clone(),
                data_type,
                base: fact_column(column),
            });
        }
    }
    for member in &members {
        if names.iter().all(|(_, name, ..)| *name != member.name) {
            names.push((None, member.name.clone(), member.data_type.clone(), member.base.clone()));
        }
    }

    let resolved = names.iter().map(|(.., kind, base)| (kind, base));
    let resolved = resolved.chain(members.iter().map(|member| (&member.data_type, &member.base)));
    let base_schema = match base_schema(resolved, &fact_table) {
        Ok(schema) => schema,
        Err(error) => {
            let message = format!("the columns of cube `{}` clash: {}", *cube.name, error.strip_backtrace());
            faults.push(Diagnostic { place: cube.name.place.clone(), message });
            return None;
        }
    };
    let formulas = match Formulas::new(names, session) {
        Ok(formulas) => formulas,
        Err(error) => {
            let message = format!("the names of cube `{}` clash: {}", *cube.name, error.strip_backtrace());
            faults.push(Diagnostic { place: cube.name.place.clone(), message });
            return None;
        }
    };
    let filter = cube.fact.filter.as_ref().and_then(|text| formulas.parse(text, faults));
    let mut measures: Vec<CompiledMeasure> = Vec::new();
    for measure in &cube.measures {
        if let Some(derived) = measure.derived() {
            let inputs = match derived {
                Derived::Calculated { expression } => {
                    calculation(measure, expression, &measures, session, faults).into_iter().collect()
                }
                _ => Vec::new(),
            };
            measures.push(CompiledMeasure { measure: measure.clone(), inputs });
            continue;
        }
        let texts: Vec<&Located<String>> = match (&measure.state, &measure.time) {
            (_, TimeRule::AverageDaily { day_sum: Some(column) }) => vec![column],
            (State::Sum { of } | State::Min { of } | State::Max { of }, _) => vec![of],
            (State::Average { of } | State::Distinct { of }, _) => vec![of],
            (State::Count { of }, _) => of.iter().collect(),
            (State::Ratio { numerator, denominator }, _) => vec![numerator, denominator],
            (State::Variance { of } | State::StandardDeviation { of }, _) => vec![of],
            (State::Derived(_), _) => Vec::new(),
        };
        let mut inputs: Vec<Expr> = texts.iter().filter_map(|text| formulas.parse(text, faults)).collect();
        if let (State::Variance { of } | State::StandardDeviation { of }, [value]) = (&measure.state, &inputs[..]) {
            match squared(value, &base_schema) {
                Ok(both) => inputs = both.into(),
                Err(message) => faults.push(Diagnostic {
                    place: of.place.clone(),
                    message: format!("measure `{}`: {message}", *measure.name),
                }),
            }
        }
        if let (TimeRule::LastSeen, Some(time)) = (&measure.time, &cube.time)
            && inputs.len() >= texts.len()
        {
            match last_seen(measure, inputs.first(), fact_column(&time.key), &base_schema) {
                Ok(state) => inputs = vec![state],
                Err(message) => faults.push(Diagnostic {
                    place: measure.name.place.clone(),
                    message: format!("measure `{}`: {message}", *measure.name),
                }),
            }
        }
        if inputs.len() >= texts.len() {
            measures.push(CompiledMeasure { measure: measure.clone(), inputs });
        }
    }
    if !faults.is_empty() {
        return None;
    }
    let fields =
        members.iter().map(Member::field).chain(measures.iter().map(CompiledMeasure::field)).collect::<Vec<_>>();
    let schema = Arc::new(Schema::new(fields));
    let mut details: Vec<(Field, Expr)> = members.iter().map(|member| (member.field(), member.base.clone())).collect();
    for field in crate::warehouse::table_schema(&fact_table).fields() {
        if details.iter().all(|(known, _)| known.name() != field.name()) {
            details.push((field.as_ref().clone().with_nullable(true), fact_column(field.name())));
        }
    }
    let mut rollups = Vec::new();
    for rollup in &cube.rollups {
        let own = rollup.filter.as_ref().map(|text| formulas.parse(text, faults));
        let own = own.flatten().map(split_conjunction_owned).unwrap_or_default();
        let scope = rollup::Scope {
            cube,
            model,
            members: &members,
            measures: &measures,
            joins: &joins,
            fact_table: &fact_table,
            filter: filter.as_ref(),
            schema: &base_schema,
        };
        let before = faults.len();
        match rollup::compile(rollup, own, &scope, faults) {
            Some(compiled) => rollups.push(Arc::new(compiled)),
            None if faults.len() == before => faults.push(Diagnostic {
                place: rollup.name.place.clone(),
                message: format!("rollup `{}` cannot be built from the cube's columns", *rollup.name),
            }),
            None => {}
        }
    }
    if !faults.is_empty() {
        return None;
    }
    Some(CompiledCube {
        cube: cube.clone(),
        members,
        measures,
        details,
        joins,
        fact_table,
        filter,
        schema,
        base_schema,
        rollups,
        versioned,
    })
}

/// A row's state of a measure that is taken on the last day with a value; the error says why there is none.
fn last_seen(
    measure: &Measure,
    value: Option<&Expr>,
    day: Expr,
    schema: &DFSchema,
) -> std::result::Result<Expr, String> {
    let value = match (&measure.state, value) {
        (State::Count { .. }, None) => lit(1_i64),
        (State::Count { .. }, Some(of)) => {
            let one = when(of.clone().is_not_null(), lit(1_i64)).end();
            one.map_err(|error| error.strip_backtrace())?
        }
        (_, Some(value)) => value.clone(),
        (_, None) => return Err("it has no value".to_owned()),
    };
    match value.get_type(schema).map_err(|error| error.strip_backtrace())? {
        DataType::Decimal128(..) => {}
        kind if kind.is_integer() => {}
        other => {
            return Err(format!("the value last seen is exact for whole numbers and decimals only, not for {other}"));
        }
    }
    Ok(seen(day, value))
}

/// A value and its square as decimals, whose sums a variance is finished from; the error says why there is none.
fn squared(value: &Expr, schema: &DFSchema) -> std::result::Result<[Expr; 2], String> {
    let kind = value.get_type(schema).map_err(|error| error.strip_backtrace())?;
    let exact = match kind {
        DataType::Decimal128(..) => value.clone(),
        _ if kind.is_integer() => cast(value.clone(), DataType::Decimal128(19, 0)),
        _ => return Err(format!("a spread is exact for whole numbers and decimals only, not for {kind}")),
    };
    Ok([exact.clone(), exact.clone() * exact])
}

/// The expression of a calculated measure over finished ones that are declared before it. A division is exact, rounded
/// once, and null where the divisor is zero.
fn calculation(
    measure: &Measure,
    text: &Located<String>,
    earlier: &[CompiledMeasure],
    session: &SessionState,
    faults: &mut Vec<Diagnostic>,
) -> Option<Expr> {
    let mut fault = |message: String| {
        let message = format!("calculated measure `{}`: {message}", *measure.name);
        faults.push(Diagnostic { place: text.place.clone(), message });
    };
    let scale = match measure.data_type {
        crate::model::table::DataType::Decimal(_, scale) => scale,
        _ => 0,
    };
    let fields = earlier.iter().map(|known| {
        let field = Field::new(known.measure.name.as_str(), arrow_type(known.measure.data_type), true);
        (Some(TableReference::bare(FINISHED)), Arc::new(field))
    });
    let parsed = DFSchema::new_with_metadata(fields.collect(), HashMap::new()).and_then(|schema| {
        let parsed = session.create_logical_expr(text, &schema)?;
        // A quotient that is used further keeps digits beyond those that are shown.
        let exact = |expr: Expr| {
            let divided = expr.transform_up(|node| match node {
                Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide, right }) => {
                    Ok(Transformed::yes(ratio(*left, *right, scale.max(12))))
                }
                other => Ok(Transformed::no(other)),
            });
            divided.map(|divided| divided.data)
        };
        let divided = match parsed {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide, right }) => {
                ratio(exact(*left)?, exact(*right)?, scale)
            }
            other => exact(other)?,
        };
        let kind = divided.get_type(&schema)?;
        Ok((repeatable(divided)?, kind))
    });
    match parsed {
        Ok((expr, kind)) if kind.is_numeric() || kind.is_null() => Some(expr),
        Ok((_, kind)) => {
            fault(format!("`{}` gives {kind}, not a number", text.value));
            None
        }
        Err(error) => {
            fault(format!("`{}` cannot be read: {}", text.value, error.strip_backtrace()));
            None
        }
    }
}

/// The columns that resolved formulas are over: those of the fact, and those of dimensions that a name stands for.
fn base_schema<'a>(
    resolved: impl Iterator<Item = (&'a DataType, &'a Expr)>,
    fact_table: &Table,
) -> datafusion::error::Result<DFSchema> {
    let mut fields: Vec<(Option<TableReference>, Arc<Field>)> = Vec::new();
    let fact = crate::warehouse::table_schema(fact_table);
    fields.extend(fact.fields().iter().map(|field| (Some(TableReference::bare(FACT)), Arc::clone(field))));
    for (data_type, base) in resolved {
        if let Expr::Column(column) = base
            && fields.iter().all(|(relation, field)| *relation != column.relation || *field.name() != column.name)
        {
            fields.push((column.relation.clone(), Arc::new(Field::new(&column.name, data_type.clone(), true))));
        }
    }
    DFSchema::new_with_metadata(fields, HashMap::new())
}

fn time_label(unit: &str) -> Label {
    let (en, zh) = match unit {
        "day" => ("Date", "日期"),
        "week" => ("Week", "周"),
        "month" => ("Month", "月份"),
        "quarter" => ("Quarter", "季度"),
        _ => ("Year", "年份"),
    };
    Label::from([("en".to_owned(), en.to_owned()), ("zh-CN".to_owned(), zh.to_owned())])
}

/// A formula that says the same whenever it is asked: stored states and kept results depend on it.
fn repeatable(formula: Expr) -> datafusion::error::Result<Expr> {
    let mut clock = None;
    formula.apply(|node| {
        if let Expr::ScalarFunction(call) = node
            && call.func.signature().volatility != Volatility::Immutable
        {
            clock = Some(call.func.name().to_owned());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    match clock {
        None => Ok(formula),
        Some(name) => plan_err!("`{name}` says something else each time; a definition may depend on the data alone"),
    }
}

/// Parses SQL expressions of definition files over a cube's names.
struct Formulas<'a> {
    schema: DFSchema,
    bases: HashMap<Column, Expr>,
    session: &'a SessionState,
}

impl<'a> Formulas<'a> {
    fn new(
        names: Vec<(Option<String>, String, DataType, Expr)>,
        session: &'a SessionState,
    ) -> datafusion::error::Result<Self> {
        let mut fields = Vec::new();
        let mut bases = HashMap::new();
        for (qualifier, name, data_type, base) in names {
            let column = Column::new(qualifier.clone(), name.clone());
            if bases.insert(column, base).is_none() {
                fields.push((qualifier.map(Into::into), Arc::new(Field::new(name, data_type, true))));
            }
        }
        let schema = DFSchema::new_with_metadata(fields, HashMap::new())?;
        Ok(Self { schema, bases, session })
    }

    fn parse(&self, text: &Located<String>, faults: &mut Vec<Diagnostic>) -> Option<Expr> {
        let parsed = self.session.create_logical_expr(text, &self.schema).and_then(|expr| {
            expr.transform(|node| match &node {
                Expr::Column(column) => match self.bases.get(column) {
                    Some(base) => Ok(Transformed::yes(base.clone())),
                    None => Ok(Transformed::no(node)),
                },
                _ => Ok(Transformed::no(node)),
            })
        });
        match parsed.and_then(|expr| repeatable(expr.data)) {
            Ok(expr) => Some(expr),
            Err(error) => {
                let message = format!("`{}` cannot be read: {}", text.value, error.strip_backtrace());
                faults.push(Diagnostic { place: text.place.clone(), message });
                None
            }
        }
    }
}
