//! Rollups: stored aggregates, and which of their partitions hold the facts of a snapshot.
//!
//! A rollup is a Delta table cut as its fact is cut, so that a branch's rollups are its own files and a refresh rebuilds
//! exactly the partitions whose facts changed. Each row says what it was built from ([`BUILT_FROM`]), a digest of the
//! definition, of the fact files' names and of what was read of the dimensions; the log's exact bounds of that column show
//! it without opening a file. A partition is fresh when the digest of the pinned snapshot is the same: files decide, never
//! a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{Expr, ExprSchemable};
use sha2::{Digest, Sha256};

use super::days::{Coverage, start};
use super::measure::{Component, Days, Fold};
use super::{CompiledCube, CompiledJoin, CompiledMeasure, Member, fact_column, time_unit};
use crate::error::{Code, Error, Result};
use crate::model::cube::{Cube, Kept, Model, Rollup};
use crate::model::diagnostic::Diagnostic;
use crate::model::table::{self, Partition, Period, Sensitivity, Table, TableKind};
use crate::model::{Located, Place};
use crate::warehouse::{DataFile, Snapshot, TableFiles};

mod build;
mod content;

pub use build::{Refreshed, RefreshedRollup, refresh};
pub(super) use content::Contents;

/// Alias of a rollup in plans.
pub(super) const ALIAS: &str = "__rollup";
/// Alias of the table of periods that is joined to it.
pub(super) const BUCKETS: &str = "__periods";
/// First day of the period that a row stands for.
pub(super) const BUCKET: &str = "period";
/// The day that states at the close were taken on.
pub(super) const CLOSE: &str = "closed_on";
/// Number of fact rows behind a row; zero in the one row of a partition whose facts give none.
pub(super) const ROWS: &str = "fact_rows";
/// Digest of what a row was built from.
pub(super) const BUILT_FROM: &str = "built_from";
/// The last snapshot day when it was built.
pub(super) const BUILT_UNTIL: &str = "built_until";

/// A rollup compiled against its cube.
#[derive(Debug)]
pub(super) struct CompiledRollup {
    pub(super) name: String,
    /// The table that holds it. Its name carries the definition's digest: a changed definition is another table.
    pub(super) table: Table,
    /// Unit of its period; none when it keeps no time.
    pub(super) unit: Option<&'static str>,
    pub(super) keys: Vec<StoredKey>,
    pub(super) states: Vec<StoredState>,
    /// Conjuncts of its own condition, over the fact and its dimensions.
    pub(super) filter: Vec<Expr>,
    /// What its rows depend on in each joined dimension: join and columns.
    reads: BTreeMap<usize, BTreeSet<String>>,
    digest: [u8; 32],
}

/// A column that a rollup keeps: a level, an attribute, or a dimension's key.
#[derive(Debug)]
pub(super) struct StoredKey {
    pub(super) column: String,
    /// Over the fact and its dimensions.
    pub(super) base: Expr,
}

/// A state that a rollup keeps.
#[derive(Debug)]
pub(super) struct StoredState {
    pub(super) column: String,
    pub(super) component: Component,
    pub(super) data_type: DataType,
}

/// A rollup at a snapshot, for some branches.
#[derive(Debug)]
pub(super) struct BoundRollup {
    pub(super) compiled: Arc<CompiledRollup>,
    /// Why nothing of it can be used: code and detail.
    pub(super) missing: Option<(&'static str, String)>,
    /// Its files of fresh partitions.
    pub(super) fresh: Arc<TableFiles>,
    /// Facts of fresh partitions.
    pub(super) facts_fresh: Arc<TableFiles>,
    /// Facts of all others.
    pub(super) facts_stale: Arc<TableFiles>,
    /// The partitions that are not fresh, as `branch/month`.
    pub(super) stale: Vec<String>,
}

/// What of a rollup answers at a snapshot.
#[derive(Debug, Clone)]
pub struct RollupState {
    /// The rollup.
    pub rollup: String,
    /// Number of fresh partitions.
    pub fresh: u64,
    /// The partitions that facts stand in for, as `branch/month`.
    pub stale: Vec<String>,
    /// Rows of the fresh partitions.
    pub rows: u64,
    /// Fact rows behind them.
    pub fact_rows: u64,
    /// Bytes of the fresh partitions.
    pub size_bytes: u64,
    missing: Option<String>,
}

impl RollupState {
    /// `fresh`, `partly stale`, `stale` or `not built`.
    pub fn word(&self) -> &'static str {
        match (&self.missing, self.fresh, self.stale.is_empty()) {
            (Some(_), ..) => "not built",
            (None, _, true) => "fresh",
            (None, 0, false) => "stale",
            (None, _, false) => "partly stale",
        }
    }

    /// What is missing, in words; none when everything is fresh.
    pub fn detail(&self) -> Option<String> {
        let stale = (!self.stale.is_empty()).then(|| self.stale.join(", "));
        self.missing.clone().or(stale)
    }
}

impl BoundRollup {
    pub(super) fn state(&self) -> RollupState {
        let sum = |files: &TableFiles, pick: fn(&DataFile) -> u64| files.files.iter().map(pick).sum();
        RollupState {
            rollup: self.compiled.name.clone(),
            fresh: partitions(&self.fresh).len() as u64,
            stale: self.stale.clone(),
            rows: sum(&self.fresh, |file| file.rows),
            fact_rows: sum(&self.facts_fresh, |file| file.rows),
            size_bytes: sum(&self.fresh, |file| file.size),
            missing: self.missing.as_ref().map(|(_, detail)| detail.clone()),
        }
    }
}

pub(super) fn bucket() -> Expr {
    Expr::Column(super::qualified(ALIAS, BUCKET))
}

pub(super) fn close() -> Expr {
    Expr::Column(super::qualified(ALIAS, CLOSE))
}

pub(super) fn rows() -> Expr {
    Expr::Column(super::qualified(ALIAS, ROWS))
}

/// The column that keeps a dimension's key.
pub(super) fn key_column(on: &str) -> String {
    format!("key_{on}")
}

impl CompiledRollup {
    /// The column that keeps a state.
    pub(super) fn state(&self, component: &Component) -> Option<Expr> {
        if *component == (Component { fold: Fold::Rows, input: None, days: Days::All }) {
            return Some(rows());
        }
        let stored = self.states.iter().find(|stored| stored.component == *component)?;
        Some(Expr::Column(super::qualified(ALIAS, stored.column.clone())))
    }

    /// Whether any state depends on which days are closed.
    fn closes(&self) -> bool {
        self.states.iter().any(|stored| stored.component.days != Days::All)
    }
}

/// What a rollup is compiled against.
pub(super) struct Scope<'a> {
    pub(super) cube: &'a Cube,
    pub(super) model: &'a Model,
    pub(super) members: &'a [Member],
    pub(super) measures: &'a [CompiledMeasure],
    pub(super) joins: &'a [CompiledJoin],
    pub(super) fact_table: &'a Table,
    pub(super) filter: Option<&'a Expr>,
    /// The fact and its dimensions.
    pub(super) schema: &'a DFSchema,
}

/// Resolves a rollup; faults are reported at their places. `filter` is its own condition, parsed.
pub(super) fn compile(
    rollup: &Rollup,
    filter: Vec<Expr>,
    scope: &Scope<'_>,
    faults: &mut Vec<Diagnostic>,
) -> Option<CompiledRollup> {
    let before = faults.len();
    let mut fault = |place: &Place, message: String| {
        faults.push(Diagnostic { place: place.clone(), message: format!("rollup `{}`: {message}", *rollup.name) });
    };
    let mut columns: Vec<(String, DataType)> = Vec::new();
    let mut keys: Vec<StoredKey> = Vec::new();
    for dim in &rollup.dims {
        for (column, base) in kept(scope, scope.cube.kept(scope.model, dim)?)? {
            if keys.iter().any(|known| known.base == base) {
                continue;
            }
            let kind = base.get_type(scope.schema).ok()?;
            columns.push((column.clone(), kind));
            keys.push(StoredKey { column, base });
        }
    }
    let unit = match (&rollup.time, &scope.cube.time) {
        (Some(level), Some(time)) => Some(time_unit(level, &time.key)),
        _ => None,
    };
    if unit.is_some() {
        columns.push((BUCKET.to_owned(), DataType::Date32));
    }
    let mut states: Vec<StoredState> = Vec::new();
    for name in &rollup.measures {
        let compiled = scope.measures.iter().find(|compiled| compiled.measure.name.value == name.value)?;
        for (n, component) in compiled.components().ok()?.into_iter().enumerate() {
            let known = states.iter().any(|stored| stored.component == component);
            if known || (component.fold == Fold::Rows && component.days == Days::All) {
                continue;
            }
            let data_type = match state_type(&component, scope.schema) {
                Ok(data_type) => data_type,
                Err(message) => {
                    fault(&name.place, format!("measure `{}` cannot be stored: {message}", **name));
                    continue;
                }
            };
            let column = format!("{}_{}{}", component.fold.word(), **name, ["", "_by", "_squared"][n]);
            columns.push((column.clone(), data_type.clone()));
            states.push(StoredState { column, component, data_type });
        }
    }
    if states.iter().any(|stored| stored.component.days == Days::Close) {
        columns.push((CLOSE.to_owned(), DataType::Date32));
    }
    columns.push((ROWS.to_owned(), DataType::Int64));
    columns.push((BUILT_FROM.to_owned(), DataType::Int64));
    columns.push((BUILT_UNTIL.to_owned(), DataType::Date32));

    let mut reads: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    let inputs = states.iter().filter_map(|stored| stored.component.input.as_ref());
    for expr in keys.iter().map(|key| &key.base).chain(inputs).chain(&filter).chain(scope.filter) {
        let _ = expr.apply(|node| {
            if let Expr::Column(Column { relation: Some(relation), name, .. }) = node
                && let Some(join) = scope.joins.iter().position(|join| join.alias == relation.table())
            {
                reads.entry(join).or_default().insert(name.clone());
            }
            Ok(TreeNodeRecursion::Continue)
        });
    }

    // Another branch's member would lie in this branch's files, and its changes would go unseen.
    for join in reads.keys().filter(|join| scope.joins[**join].crosses_branches) {
        let CompiledJoin { on, dimension, .. } = &scope.joins[*join];
        fault(
            &rollup.name.place,
            format!(
                "it reads dimension `{}`, which is cut by branch, and `{on}` may name another branch's member; let the fact's \
                 column refer to it (`references`)",
                *dimension.name
            ),
        );
    }
    let mut digest = Sha256::new();
    let mut say = |text: String| {
        digest.update(text.as_bytes());
        digest.update([0]);
    };
    say("rollup 2".to_owned());
    say(format!("{} {unit:?} {:?}", *scope.fact_table.name, scope.cube.fact.snapshot));
    if let Some(time) = &scope.cube.time {
        say(format!("time {} {}", *time.key, *time.calendar));
    }
    for join in reads.keys() {
        let CompiledJoin { alias, on, dimension, .. } = &scope.joins[*join];
        say(format!("join {alias} {on} {} {}", *dimension.table, *dimension.key));
    }
    keys.iter().for_each(|key| say(format!("{} {}", key.column, key.base)));
    for StoredState { column, component, .. } in &states {
        let input = component.input.as_ref().map(Expr::to_string);
        say(format!("{column} {:?} {:?} {input:?}", component.fold, component.days));
    }
    filter.iter().chain(scope.filter).for_each(|condition| say(condition.to_string()));
    columns.iter().for_each(|(name, kind)| say(format!("{name} {kind}")));
    let digest: [u8; 32] = digest.finalize().into();

    let mut declared = Vec::new();
    for (name, kind) in &columns {
        match declared_type(kind) {
            Some(data_type) => declared.push(column(name, data_type)),
            None => fault(&rollup.name.place, format!("a column of type {kind} cannot be stored")),
        }
    }
    let partition = &scope.fact_table.partition;
    declared.extend(partition.branch.iter().map(|branch| column(branch, table::DataType::Text)));
    let sort = keys.iter().map(|key| key.column.as_str()).chain(unit.map(|_| BUCKET)).map(located).collect();
    let short = digest[..4].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if faults.len() > before {
        return None;
    }
    let table = Table {
        name: located(&format!("{}_{short}", rollup.table())),
        kind: TableKind::Fact,
        columns: declared,
        key: Vec::new(),
        surrogate: None,
        versions: None,
        partition: Partition {
            branch: partition.branch.clone(),
            date: (partition.period != Period::None).then(|| located(BUCKET)),
            period: partition.period,
        },
        sort,
    };
    Some(CompiledRollup { name: rollup.name.value.clone(), table, unit, keys, states, filter, reads, digest })
}

/// The columns that an entry of `dims` keeps. The finest level of a hierarchy is kept as the dimension's key, from which
/// everything above is joined back, so that a reorganisation rebuilds nothing; any other level as its values, with those
/// of the levels above it.
fn kept(scope: &Scope<'_>, kept: Kept<'_>) -> Option<Vec<(String, Expr)>> {
    let key = |join: usize| {
        let on = &scope.joins[join].on;
        (key_column(on), fact_column(on))
    };
    let member = |join: usize, name: &str| {
        let join = &scope.cube.joins[join];
        let column = join.role.as_ref().map_or_else(|| name.to_owned(), |role| format!("{}_{name}", **role));
        scope
            .members
            .iter()
            .find(|member| member.name == column)
            .map(|member| (key_column(&column), member.base.clone()))
    };
    Some(match kept {
        Kept::Dimension { join } => vec![key(join)],
        Kept::Level { join, hierarchy, level } if level + 1 == hierarchy.levels.len() => vec![key(join)],
        Kept::Level { join, hierarchy, level } => {
            hierarchy.levels[..=level].iter().map(|level| member(join, &level.name)).collect::<Option<_>>()?
        }
        Kept::Attribute { join, attribute } => vec![member(join, &attribute.name)?],
        Kept::FactAttribute(attribute) => vec![(key_column(&attribute.name), fact_column(&attribute.column))],
    })
}

/// The type in which a state is stored; why it cannot be, otherwise.
fn state_type(component: &Component, schema: &DFSchema) -> std::result::Result<DataType, String> {
    let kind = |expr: &Expr| expr.get_type(schema).map_err(|error| error.strip_backtrace());
    let Some(input) = &component.input else { return Ok(DataType::Int64) };
    match component.fold {
        Fold::Rows | Fold::Count => Ok(DataType::Int64),
        Fold::Min | Fold::Max => kind(input),
        Fold::Distinct => match kind(input)? {
            whole if whole.is_integer() => Ok(DataType::Binary),
            other => Err(format!("only whole numbers are counted in a set, not {other}")),
        },
        Fold::Last => Ok(DataType::Binary),
        Fold::Sum => match kind(&sum(input.clone()))? {
            DataType::Float64 | DataType::Float32 => {
                Err("sums of floating-point numbers depend on their order".to_owned())
            }
            // A weight is a whole number, and its product with a decimal needs more digits.
            DataType::Decimal128(_, scale) if component.days == Days::Daily { weighted: true } => {
                Ok(DataType::Decimal128(38, scale))
            }
            exact => Ok(exact),
        },
    }
}

fn declared_type(kind: &DataType) -> Option<table::DataType> {
    Some(match kind {
        DataType::Utf8 => table::DataType::Text,
        DataType::Int64 => table::DataType::Integer,
        DataType::Decimal128(precision, scale) => table::DataType::Decimal(*precision, *scale),
        DataType::Date32 => table::DataType::Date,
        DataType::Timestamp(..) => table::DataType::Timestamp,
        DataType::Boolean => table::DataType::Boolean,
        DataType::Float64 => table::DataType::Float,
        DataType::Binary => table::DataType::Bytes,
        _ => return None,
    })
}

fn column(name: &str, data_type: table::DataType) -> table::Column {
    table::Column {
        name: located(name),
        data_type,
        required: false,
        references: None,
        sensitivity: Sensitivity::C1,
        kind: None,
        overwrite: false,
    }
}

fn located(text: &str) -> Located<String> {
    Located { value: text.to_owned(), ..Located::default() }
}

/// A partition: branch and month, where the fact is cut by them.
pub(super) type PartitionKey = (Option<String>, Option<i32>);

/// Files by partition.
pub(super) fn partitions(files: &TableFiles) -> BTreeMap<PartitionKey, Vec<&DataFile>> {
    let mut partitions: BTreeMap<PartitionKey, Vec<&DataFile>> = BTreeMap::new();
    for file in &files.files {
        partitions.entry((file.branch.clone(), file.month)).or_default().push(file);
    }
    partitions
}

/// What a rollup is held against at a snapshot.
pub(super) struct Sources<'a> {
    pub(super) cube: &'a CompiledCube,
    pub(super) facts: &'a Arc<TableFiles>,
    pub(super) coverage: Option<&'a Coverage>,
    /// What the dimensions say; none when it cannot be known, and then nothing is fresh.
    pub(super) contents: Option<&'a Contents>,
}

impl Sources<'_> {
    /// The digest that a partition built from these files would carry, were `until` the last snapshot day.
    pub(super) fn digest(
        &self,
        rollup: &CompiledRollup,
        branch: Option<&str>,
        files: &[&DataFile],
        until: i32,
    ) -> Result<i64> {
        let mut digest = Sha256::new();
        digest.update(rollup.digest);
        let mut paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        paths.sort_unstable();
        for path in paths {
            digest.update(path.as_bytes());
            digest.update([0]);
        }
        for (join, columns) in &rollup.reads {
            // Members that came later than the facts have greater keys and change nothing in them.
            let on = self.cube.joins[*join].on.as_str();
            let greatest = files.iter().map(|file| file.max.get(on).copied()).max().flatten();
            let greatest = greatest.filter(|_| files.iter().all(|file| file.max.contains_key(on)));
            let contents = self.contents.ok_or_else(|| Error::new(Code::Internal, "the dimensions are not known"))?;
            digest.update(contents.digest(*join, columns, branch, greatest)?);
        }
        if let (Some(coverage), Some(unit), Some(time)) = (self.coverage, rollup.unit, &self.cube.cube.time)
            && rollup.closes()
        {
            let bound = |pick: fn(&DataFile) -> &BTreeMap<String, i64>| {
                files.iter().filter_map(move |file| pick(file).get(time.key.as_str()).copied())
            };
            let (first, last) = (bound(|file| &file.min).min(), bound(|file| &file.max).max());
            if let (Some(first), Some(last)) = (first, last) {
                let (first, last) = (i32::try_from(first).unwrap_or(0), i32::try_from(last).unwrap_or(0));
                let end = (last..).take(400).take_while(|day| start(*day, unit) == start(last, unit)).last();
                for day in coverage.declared_days(start(first, unit), end.unwrap_or(last).min(until)) {
                    digest.update(day.to_le_bytes());
                }
            }
        }
        let digest: [u8; 32] = digest.finalize().into();
        let mut eight = [0; 8];
        eight.copy_from_slice(&digest[..8]);
        Ok(i64::from_le_bytes(eight) & i64::MAX)
    }

    /// Whether a partition's stored rows are what a build at this snapshot would give.
    fn is_fresh(
        &self,
        rollup: &CompiledRollup,
        key: &PartitionKey,
        facts: &[&DataFile],
        stored: &[&DataFile],
    ) -> Result<bool> {
        let one = |column: &str| {
            let values = stored.iter().flat_map(|file| [file.min.get(column), file.max.get(column)]);
            let values: BTreeSet<Option<i64>> = values.map(|value| value.copied()).collect();
            if values.len() == 1 { values.into_iter().next().flatten() } else { None }
        };
        let (Some(built_from), Some(_)) = (one(BUILT_FROM), self.contents) else { return Ok(false) };
        let until = one(BUILT_UNTIL).and_then(|day| i32::try_from(day).ok()).unwrap_or(i32::MIN);
        if rollup.closes() {
            let (Some(coverage), Some(time)) = (self.coverage, &self.cube.cube.time) else { return Ok(false) };
            let newest = facts.iter().filter_map(|file| file.max.get(time.key.as_str())).max().copied();
            // Days closed since then matter where this partition has facts on them.
            let same = until == coverage.last();
            let before = until < coverage.last() && newest.is_none_or(|newest| newest <= i64::from(until));
            if !same && !before {
                return Ok(false);
            }
        }
        Ok(built_from == self.digest(rollup, key.0.as_deref(), facts, until)?)
    }

    /// A rollup at the snapshot: which partitions answer, and which facts stand in for the rest. `stored` are its files,
    /// none when the snapshot has no table of it.
    pub(super) fn bind(
        &self,
        compiled: &Arc<CompiledRollup>,
        stored: Option<&TableFiles>,
        snapshot: &Snapshot,
    ) -> Result<BoundRollup> {
        let missing = stored.is_none().then(|| {
            let parts = |table: &str| table.rsplit_once('_').map(|(name, digest)| (name.to_owned(), digest.len()));
            let own = parts(&compiled.table.name);
            if snapshot.tables.keys().any(|table| parts(table) == own) {
                (
                    "MODEL_CHANGED",
                    "its definition has changed since it was built; run `countinghouse refresh`".to_owned(),
                )
            } else {
                ("NOT_BUILT", "it has not been built yet; run `countinghouse refresh`".to_owned())
            }
        });
        let empty = BTreeMap::new();
        let built = stored.map_or(empty, partitions);
        let mut fresh = Vec::new();
        let (mut facts_fresh, mut facts_stale, mut stale) = (Vec::new(), Vec::new(), Vec::new());
        for (key, facts) in partitions(self.facts) {
            let files = built.get(&key).map_or(&[][..], Vec::as_slice);
            if !files.is_empty() && self.is_fresh(compiled, &key, &facts, files)? {
                fresh.extend(files.iter().map(|file| (*file).clone()));
                facts_fresh.extend(facts.into_iter().cloned());
            } else {
                facts_stale.extend(facts.into_iter().cloned());
                stale.push(partition_name(&key));
            }
        }
        let some = |files: Vec<DataFile>, of: &TableFiles| Arc::new(TableFiles { files, ..of.clone() });
        let none = TableFiles {
            schema: crate::warehouse::table_schema(&compiled.table),
            partition_columns: crate::warehouse::partition_columns(&compiled.table),
            files: Vec::new(),
        };
        Ok(BoundRollup {
            compiled: Arc::clone(compiled),
            missing,
            fresh: some(fresh, stored.unwrap_or(&none)),
            facts_fresh: some(facts_fresh, self.facts),
            facts_stale: some(facts_stale, self.facts),
            stale,
        })
    }
}

/// A partition in words.
pub(super) fn partition_name((branch, month): &PartitionKey) -> String {
    let month = month.map(|month| format!("{}-{:02}", month / 100, month % 100));
    [branch.clone(), month].into_iter().flatten().collect::<Vec<_>>().join("/")
}
