//! Refresh: rebuilds the partitions of rollups whose sources changed, proves them, and publishes them as one change.
//!
//! Partitions are built from facts, never from other rollups, some millions of fact rows at a time. Before anything is
//! published each built partition is held against an independent, coarser computation over the same facts: per branch and
//! period every additive state must be the same to the last digit, and every fact must belong to a branch of the
//! organisation. Then head office, which is all files, is the sum of its branches, which are their own. A refresh that
//! dies leaves the head as it was; a rerun begins with what is still not fresh.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, RecordBatch, new_null_array};
use arrow::compute::{SortColumn, cast, concat_batches, lexsort_to_indices, partition, take};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::functions::datetime::expr_fn::date_trunc;
use datafusion::functions_aggregate::expr_fn::{count, max};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, cast as cast_to, lit};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::{
    BUCKET, BUILT_FROM, BUILT_UNTIL, BoundRollup, CLOSE, CompiledRollup, PartitionKey, ROWS, partition_name, partitions,
};
use crate::cube::ask::{component_aggregate, filtered};
use crate::cube::days::{self, DayMap, start};
use crate::cube::measure::{Days, Fold};
use crate::cube::{Binding, CompiledMeasure, Cubes, fact_column, internal};
use crate::engine::Engine;
use crate::error::{Code, Error, Result};
use crate::model::cube::Additivity;
use crate::warehouse::{
    DataFile, MONTH, Progress, Publication, Replaces, SHARED, Snapshot, TIE_OUT, TableFiles, Warehouse, file_schema,
    partition_columns,
};

/// Fact rows that one build reads.
const BUILD_ROWS: u64 = 4_000_000;
/// Files written at once.
const WRITES: usize = 8;
impl Cubes {
    /// Cube and name of every measure whose head-office figures were proved, at this snapshot, to be the sum of the
    /// branches'. Empty for a snapshot that no refresh made.
    pub fn tied_out(&self, snapshot: &Snapshot) -> Vec<(String, String)> {
        let cubes = snapshot.facts.get(TIE_OUT).and_then(Value::as_object).into_iter().flatten();
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let mut measures = Vec::new();
        for (cube, proved) in cubes {
            // A rollup that was changed since is another table, and what was proved by the old one is not said of it.
            let same = self.get(cube).is_some_and(|compiled| {
                compiled.rollups.iter().map(|rollup| rollup.table.name.value.clone()).eq(texts(&proved["by"]))
            });
            if same {
                measures.extend(texts(&proved["measures"]).into_iter().map(|measure| (cube.clone(), measure)));
            }
        }
        measures
    }
}

/// What a refresh did.
#[derive(Debug, Clone)]
pub struct Refreshed {
    /// The snapshot that shows the rollups: a new one when anything was built.
    pub snapshot: i64,
    /// Each rollup.
    pub rollups: Vec<RefreshedRollup>,
}

/// What a refresh did for one rollup.
#[derive(Debug, Clone)]
pub struct RefreshedRollup {
    /// Its cube.
    pub cube: String,
    /// Its name.
    pub name: String,
    /// Partitions built.
    pub built: usize,
    /// Partitions that were fresh already.
    pub fresh: usize,
    /// Rows of the rollup in the built partitions.
    pub rows: u64,
    /// Rows of the facts behind them.
    pub fact_rows: u64,
    /// Figures that were proved: one for each additive state, branch and period.
    pub proved: usize,
}

/// Brings the rollups of the named cubes (all, when none is named) up to the newest snapshot. `branches` gives those of the
/// organisation at a snapshot.
///
/// # Errors
/// `NO_SNAPSHOT` before the first load; `NO_SUCH_OBJECT` for an unknown cube; `BUSY` while another writer lives; `TIE_OUT`
/// when a built figure differs from the facts, or facts lie outside the organisation: nothing is published then.
pub async fn refresh(
    cubes: &Cubes,
    engine: &Engine,
    warehouse: &Warehouse,
    names: &[String],
    branches: impl AsyncFn(&Snapshot) -> Result<BTreeSet<String>>,
    progress: &dyn Progress,
) -> Result<Refreshed> {
    if let Some(unknown) = names.iter().find(|name| cubes.get(name).is_none()) {
        return Err(Error::new(Code::NoSuchObject, format!("there is no cube `{unknown}`")));
    }
    let publication = warehouse.begin("refresh").await?;
    let built = build_all(cubes, engine, warehouse, &publication, names, &branches, progress).await;
    let (rollups, facts) = match built {
        Ok(built) => built,
        Err(error) => {
            publication.abort().await?;
            return Err(error);
        }
    };
    let parent = publication.parent().cloned().ok_or_else(nothing_loaded)?;
    let nothing_new = publication.is_certified() && rollups.iter().all(|rollup| rollup.built == 0);
    if nothing_new && parent.facts.get(TIE_OUT) == facts.get(TIE_OUT) {
        publication.abort().await?;
        return Ok(Refreshed { snapshot: parent.id, rollups });
    }
    let snapshot = Box::pin(publication.publish(parent.as_of, facts, Vec::new())).await?;
    Ok(Refreshed { snapshot: snapshot.id, rollups })
}

fn nothing_loaded() -> Error {
    Error::new(Code::NoSnapshot, "no data have been loaded yet; load a feed with `countinghouse load`")
}

async fn build_all(
    cubes: &Cubes,
    engine: &Engine,
    warehouse: &Warehouse,
    publication: &Publication,
    names: &[String],
    branches: &impl AsyncFn(&Snapshot) -> Result<BTreeSet<String>>,
    progress: &dyn Progress,
) -> Result<(Vec<RefreshedRollup>, Value)> {
    let snapshot = publication.parent().cloned().ok_or_else(nothing_loaded)?;
    let branches = branches(&snapshot).await?;
    let mut facts = snapshot.facts.clone();
    let mut done = Vec::new();
    for (name, cube) in cubes.iter() {
        if !names.is_empty() && !names.iter().any(|wanted| wanted == name) || cube.rollups.is_empty() {
            continue;
        }
        // Each fact with the version of its own day: what was built stays true when a unit moves.
        let binding = cubes.bind(cube, engine, warehouse, &snapshot, None, cube.as_was()).await?;
        let organised = organised(&binding, &branches)?;
        let contents = cubes.contents(cube, warehouse, &snapshot, None, None).await?;
        let mut measures = BTreeSet::new();
        for rollup in binding.rollups.iter() {
            let job = Job { engine, publication, binding: &binding, contents: &contents, rollup, progress };
            done.push(job.run(warehouse, &snapshot).await?);
            let additive = |measure: &&CompiledMeasure| measure.measure.additivity() != Additivity::NonAdditive;
            for measure in cube.measures.iter().filter(additive) {
                let whole = rollup.compiled.filter.is_empty();
                let kept =
                    whole && measure.components()?.iter().all(|component| rollup.compiled.state(component).is_some());
                if kept {
                    measures.insert(measure.measure.name.value.clone());
                }
            }
        }
        if let Some(proved) = facts[TIE_OUT].as_object_mut() {
            proved.remove(name);
        }
        if organised {
            let tables: Vec<&str> = cube.rollups.iter().map(|rollup| rollup.table.name.as_str()).collect();
            facts[TIE_OUT][name] = json!({"measures": measures, "by": tables});
        }
    }
    Ok((done, facts))
}

/// Whether every fact lies in one branch of the organisation, so that the branches' files are head office's files, each
/// once. Not so where every branch sees the same rows, or where there are no branches; an error for rows that none sees.
fn organised(binding: &Binding, branches: &BTreeSet<String>) -> Result<bool> {
    let files = &binding.fact_files.files;
    let strange = files.iter().find_map(|file| {
        let branch = file.branch.as_ref()?;
        (!branches.contains(branch) && branch != SHARED).then_some((branch, file.rows))
    });
    match strange.filter(|_| !branches.is_empty()) {
        None => Ok(files.iter().all(|file| file.branch.as_ref().is_some_and(|branch| branches.contains(branch)))),
        Some((branch, rows)) => Err(Error::new(
            Code::TieOut,
            format!(
                "head office is not the sum of its branches: cube `{}` has {rows} rows of `{branch}`, which is no branch \
                 of the organisation; correct the organisation or the feed",
                *binding.cube.cube.name
            ),
        )),
    }
}

/// One rollup's refresh.
struct Job<'a> {
    engine: &'a Engine,
    publication: &'a Publication,
    binding: &'a Binding,
    contents: &'a super::Contents,
    rollup: &'a BoundRollup,
    progress: &'a dyn Progress,
}

impl Job<'_> {
    async fn run(&self, warehouse: &Warehouse, snapshot: &Snapshot) -> Result<RefreshedRollup> {
        let (compiled, cube) = (&self.rollup.compiled, &self.binding.cube);
        let stale = partitions(&self.rollup.facts_stale);
        let fresh = partitions(&self.rollup.facts_fresh);
        let mut done = RefreshedRollup {
            cube: cube.cube.name.value.clone(),
            name: compiled.name.clone(),
            built: 0,
            fresh: fresh.len(),
            rows: 0,
            fact_rows: 0,
            proved: 0,
        };
        // What lost its facts.
        if snapshot.tables.contains_key(compiled.table.name.as_str()) {
            let stored = warehouse.files(snapshot, &compiled.table.name).await?;
            for (branch, month) in partitions(&stored).into_keys() {
                let key = (branch, month);
                if !stale.contains_key(&key) && !fresh.contains_key(&key) {
                    self.publication
                        .write(&compiled.table, key.0.as_deref(), key.1, Vec::new(), Replaces::Partition)
                        .await?;
                    done.built += 1;
                }
            }
        }
        let total = stale.len() as u64;
        let mut chunk: Vec<(PartitionKey, Vec<&DataFile>)> = Vec::new();
        let mut waiting = stale.into_iter().peekable();
        while let Some((key, files)) = waiting.next() {
            chunk.push((key, files));
            let rows: u64 = chunk.iter().flat_map(|(_, files)| files).map(|file| file.rows).sum();
            if rows < BUILD_ROWS && waiting.peek().is_some() {
                continue;
            }
            let chunk = std::mem::take(&mut chunk);
            done.built += chunk.len();
            done.fact_rows += rows;
            let (rows, proved) = self.build(&chunk).await?;
            done.rows += rows;
            done.proved += proved;
            self.progress.step(
                &format!("rollup {}", compiled.name),
                done.built as u64,
                Some(total.max(done.built as u64)),
            );
        }
        Ok(done)
    }

    /// Builds some partitions, proves them, writes them. Gives rows written and figures proved.
    async fn build(&self, chunk: &[(PartitionKey, Vec<&DataFile>)]) -> Result<(u64, usize)> {
        let compiled = &self.rollup.compiled;
        let files: Vec<DataFile> =
            chunk.iter().flat_map(|(_, files)| files.iter().map(|file| (*file).clone())).collect();
        let files = Arc::new(TableFiles { files, ..self.binding.fact_files.as_ref().clone() });
        let rows = self.collect(self.plan(&files, true)?).await?;
        let control = self.collect(self.plan(&files, false)?).await?;
        let proved = self.prove(&rows, &control)?;

        let until = self.binding.coverage.as_ref().map_or(0, days::Coverage::last);
        let sources = self.binding.sources(self.contents);
        let width = self.partition_columns().len();
        let rows = sorted(&rows, width + compiled.keys.len() + usize::from(compiled.unit.is_some()))?;
        let mut slices: BTreeMap<PartitionKey, RecordBatch> = BTreeMap::new();
        for range in partition_ranges(&rows, width)? {
            let slice = rows.slice(range.start, range.len());
            slices.insert(self.partition_of(&slice)?, slice);
        }
        let written = stream::iter(chunk.iter().map(|(key, facts)| {
            let slice = slices.remove(key);
            let from = sources.digest(compiled, key.0.as_deref(), facts, until);
            async move {
                let batches = vec![match &slice {
                    Some(slice) => self.stored(slice, width, from?, until)?,
                    None => self.nothing(from?, until)?,
                }];
                let (branch, month) = (key.0.as_deref(), key.1);
                self.publication.write(&compiled.table, branch, month, batches, Replaces::Partition).await
            }
        }))
        .buffer_unordered(WRITES)
        .try_fold(0, async |sum, file| Ok(sum + file.rows))
        .await?;
        if let Some(key) = slices.keys().next() {
            return Err(Error::new(
                Code::Internal,
                format!("rollup `{}`: rows of {} came from other files", compiled.name, partition_name(key)),
            ));
        }
        Ok((written, proved))
    }

    /// Names of the fact's partition columns.
    fn partition_columns(&self) -> Vec<String> {
        partition_columns(&self.binding.cube.fact_table)
    }

    /// The rollup's rows for some fact files; without `keys` only by partition and period, as the control.
    fn plan(&self, files: &Arc<TableFiles>, keys: bool) -> Result<LogicalPlan> {
        let (compiled, binding) = (&self.rollup.compiled, self.binding);
        let cube = &binding.cube;
        let period = match (compiled.unit, &cube.cube.time) {
            (Some("day"), Some(time)) => Some(fact_column(&time.key)),
            (Some(unit), Some(time)) => Some(cast_to(date_trunc(lit(unit), fact_column(&time.key)), DataType::Date32)),
            _ => None,
        };
        let mut group: Vec<Expr> =
            self.partition_columns().iter().map(|name| fact_column(name).alias(part(name))).collect();
        if keys {
            group.extend(compiled.keys.iter().map(|key| key.base.clone().alias(&key.column)));
        }
        group.extend(period.map(|period| period.alias(BUCKET)));
        let mut aggregates = Vec::new();
        for stored in &compiled.states {
            let component = &stored.component;
            if !keys && !additive(component.fold) {
                continue;
            }
            let map = (component.days != Days::All).then_some(0);
            let call = component_aggregate(component, Vec::new(), map, true);
            aggregates.push((call, stored.column.clone(), Some(stored.data_type.clone())));
        }
        if let (true, Some(time)) = (compiled.keeps_close(), &cube.cube.time) {
            let closing = days::column(days::close_column(0));
            aggregates.push((filtered(max(fact_column(&time.key)), Some(closing)), CLOSE.to_owned(), None));
        }
        aggregates.push((count(lit(1_i64)), ROWS.to_owned(), None));

        let maps = match (&binding.coverage, compiled.unit) {
            (Some(coverage), Some(unit)) if compiled.closes() => {
                let periods: ArrayRef =
                    Arc::new(coverage.days().map(|day| Some(start(day, unit))).collect::<Date32Array>());
                // Sums of days are what they are; only a weight asks for whole periods.
                let daily = Days::Daily { weighted: true };
                let weighted = compiled.states.iter().any(|stored| stored.component.days == daily);
                let map = DayMap { conditions: Vec::new(), weighted };
                let session = self.engine.bare_session();
                Some(coverage.maps(&cube.time_levels(), &[periods], &[map], &session)?.table()?)
            }
            _ => None,
        };
        let calls: Vec<Expr> = aggregates.iter().map(|(call, name, _)| call.clone().alias(name)).collect();
        let mut outputs: Vec<Expr> = group.iter().map(|key| named(key.schema_name().to_string())).collect();
        for (_, name, kind) in aggregates {
            let value = named(name.clone());
            outputs.push(kind.map_or(value.clone(), |kind| cast_to(value, kind).alias(name)));
        }
        let fact = binding.scans.table(Arc::clone(files), None)?;
        let used = group.iter().chain(&calls).chain(&compiled.filter);
        let mut plan = binding.source(fact, used, maps.map(|maps| (maps, JoinType::Left))).map_err(internal)?;
        if let Some(filter) = conjunction(compiled.filter.clone()) {
            plan = plan.filter(filter).map_err(internal)?;
        }
        plan.aggregate(group.clone(), calls)
            .and_then(|plan| plan.project(outputs))
            .and_then(|plan| plan.build())
            .map_err(internal)
    }

    async fn collect(&self, plan: LogicalPlan) -> Result<RecordBatch> {
        let schema: SchemaRef = Arc::clone(plan.schema().inner());
        let batches = self.engine.collect(plan).await?;
        let schema = batches.first().map_or(schema, RecordBatch::schema);
        concat_batches(&schema, &batches).map_err(|error| Error::internal("cannot build a rollup", error))
    }

    /// Holds built rows against the control: per partition and period, every additive state. Gives the number compared.
    fn prove(&self, rows: &RecordBatch, control: &RecordBatch) -> Result<usize> {
        let compiled = &self.rollup.compiled;
        let mut by: Vec<String> = self.partition_columns().iter().map(|name| part(name)).collect();
        by.extend(compiled.unit.map(|_| BUCKET.to_owned()));
        let mut states: Vec<&str> = Vec::from([ROWS]);
        states.extend(
            compiled
                .states
                .iter()
                .filter(|stored| additive(stored.component.fold))
                .map(|stored| stored.column.as_str()),
        );
        let (built, facts) = (totals(rows, &by, &states)?, totals(control, &by, &states)?);
        for (cell, expected) in &facts {
            let given = built.get(cell);
            if let Some(n) = (0..states.len()).find(|n| given.is_none_or(|given| given[*n] != expected[*n])) {
                return Err(Error::new(
                    Code::TieOut,
                    format!(
                        "rollup `{}` does not tie out with its facts: `{}` at {cell}; nothing was published",
                        compiled.name, states[n]
                    ),
                ));
            }
        }
        if built.len() != facts.len() {
            return Err(Error::new(
                Code::TieOut,
                format!("rollup `{}` holds periods that its facts do not; nothing was published", compiled.name),
            ));
        }
        Ok(facts.len() * states.len())
    }

    fn partition_of(&self, rows: &RecordBatch) -> Result<PartitionKey> {
        let (mut branch, mut month) = (None, None);
        for name in self.partition_columns() {
            let values = rows.column_by_name(&part(&name)).ok_or_else(|| missing(&name))?;
            if name == MONTH {
                let values = converted(values, &DataType::Int64)?;
                month = i32::try_from(values.as_primitive::<Int64Type>().value(0)).ok();
            } else {
                let values = converted(values, &DataType::Utf8)?;
                branch = Some(values.as_string::<i32>().value(0).to_owned());
            }
        }
        Ok((branch, month))
    }

    /// The file of a partition whose facts give no row: one row that stands for none, so that the partition is known to be
    /// built.
    fn nothing(&self, from: i64, until: i32) -> Result<RecordBatch> {
        let schema = file_schema(&self.rollup.compiled.table);
        let column = |field: &arrow::datatypes::FieldRef| -> ArrayRef {
            match field.name().as_str() {
                BUILT_FROM => Arc::new(Int64Array::from(vec![from])),
                BUILT_UNTIL => Arc::new(Date32Array::from(vec![until])),
                ROWS => Arc::new(Int64Array::from(vec![0])),
                _ => new_null_array(field.data_type(), 1),
            }
        };
        RecordBatch::try_new(Arc::clone(&schema), schema.fields().iter().map(column).collect())
            .map_err(|error| Error::internal("a rollup's rows do not fit", error))
    }

    /// A partition's rows as its file holds them.
    fn stored(&self, rows: &RecordBatch, width: usize, from: i64, until: i32) -> Result<RecordBatch> {
        let schema = file_schema(&self.rollup.compiled.table);
        let count = rows.num_rows();
        let columns = schema.fields().iter().map(|field| -> Result<ArrayRef> {
            Ok(match field.name().as_str() {
                BUILT_FROM => Arc::new(Int64Array::from(vec![from; count])),
                BUILT_UNTIL => Arc::new(Date32Array::from(vec![until; count])),
                name => {
                    let at = rows.schema().fields().iter().skip(width).position(|field| field.name() == name);
                    let at = at.ok_or_else(|| missing(name))?;
                    converted(rows.column(width + at), field.data_type())?
                }
            })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new(schema, columns).map_err(|error| Error::internal("a rollup's rows do not fit", error))
    }
}

impl CompiledRollup {
    fn keeps_close(&self) -> bool {
        self.states.iter().any(|stored| stored.component.days == Days::Close)
    }
}

/// A partition column's name beside the rollup's own.
fn part(name: &str) -> String {
    format!("__{name}")
}

fn named(name: String) -> Expr {
    datafusion::logical_expr::col(datafusion::common::Column::new_unqualified(name))
}

fn additive(fold: Fold) -> bool {
    matches!(fold, Fold::Rows | Fold::Count | Fold::Sum)
}

fn missing(name: &str) -> Error {
    Error::new(Code::Internal, format!("a rollup's build lacks the column `{name}`"))
}

fn converted(array: &ArrayRef, kind: &DataType) -> Result<ArrayRef> {
    cast(array, kind).map_err(|error| Error::internal("a rollup's column has another type", error))
}

fn sorted(batch: &RecordBatch, columns: usize) -> Result<RecordBatch> {
    let fault = |error: arrow::error::ArrowError| Error::internal("cannot sort a rollup", error);
    let by: Vec<SortColumn> = batch.columns()[..columns]
        .iter()
        .map(|values| SortColumn { values: Arc::clone(values), options: None })
        .collect();
    if by.is_empty() {
        return Ok(batch.clone());
    }
    let order = lexsort_to_indices(&by, None).map_err(fault)?;
    let columns = batch.columns().iter().map(|column| take(column, &order, None).map_err(fault));
    RecordBatch::try_new(batch.schema(), columns.collect::<Result<Vec<_>>>()?).map_err(fault)
}

fn partition_ranges(batch: &RecordBatch, width: usize) -> Result<Vec<std::ops::Range<usize>>> {
    if batch.num_rows() == 0 {
        return Ok(Vec::new());
    }
    if width == 0 {
        let whole = 0..batch.num_rows();
        return Ok(Vec::from([whole]));
    }
    let parts = partition(&batch.columns()[..width]).map_err(|error| Error::internal("cannot cut a rollup", error))?;
    Ok(parts.ranges())
}

/// Sums of columns by the text of others; nulls add nothing.
fn totals(batch: &RecordBatch, by: &[String], columns: &[&str]) -> Result<BTreeMap<String, Vec<i128>>> {
    let fault = |error: arrow::error::ArrowError| Error::internal("cannot add a rollup up", error);
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| missing(name));
    let options = FormatOptions::default();
    let keys = by.iter().map(|name| ArrayFormatter::try_new(column(name)?.as_ref(), &options).map_err(fault));
    let keys = keys.collect::<Result<Vec<_>>>()?;
    let mut values: Vec<Vec<Option<i128>>> = Vec::new();
    for name in columns {
        let array = column(name)?;
        values.push(match array.data_type() {
            DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().iter().collect(),
            _ => converted(array, &DataType::Int64)?
                .as_primitive::<Int64Type>()
                .iter()
                .map(|value| value.map(i128::from))
                .collect(),
        });
    }
    let mut totals: BTreeMap<String, Vec<i128>> = BTreeMap::new();
    for row in 0..batch.num_rows() {
        let cell = keys.iter().map(|key| key.value(row).to_string()).collect::<Vec<_>>().join(", ");
        let sums = totals.entry(cell).or_insert_with(|| vec![0; columns.len()]);
        for (sum, values) in sums.iter_mut().zip(&values) {
            *sum += values[row].unwrap_or(0);
        }
    }
    Ok(totals)
}
