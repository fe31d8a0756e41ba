//! What the door keeps between statements: plans, and whole results that are small.
//!
//! Both stand under a [`Key`] that names all they depend on, above all the snapshot and the rights. A snapshot never changes
//! and its number is never given twice, so nothing here is ever invalidated: a load makes another snapshot, and what was kept
//! under the old one is no longer asked for and gives way. What does not follow from the key alone is not kept: rows of
//! `system` belong to a moment and a name ([`super::schema::Catalogs::gave_records`]), and a clock or chance to nobody
//! ([`repeatable`]).

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, UnitWeighter, Weighter};

use super::rights::Rights;
use super::{GATHER, History, Planned, Previews, Statement, bytes_of};
use crate::config::QueryConfig;
use crate::error::{Error, Result};

/// Plans kept. One holds the file lists of its snapshot, so few of many old snapshots may stay.
const PLANS: usize = 256;

/// How much of a statement was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reused {
    /// Nothing: it was planned and computed.
    None,
    /// Its plan.
    Plan,
    /// Its rows.
    Result,
}

impl Reused {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Plan => "plan",
            Self::Result => "result",
        }
    }
}

/// All that a plan follows from, and with it the rows.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    snapshot: i64,
    /// Of the principal only what decides what it sees: those with the same rights share.
    rights: String,
    schema: String,
    sql: String,
    /// An Arrow IPC stream, in which types and nulls count as well as values.
    parameters: Option<Vec<u8>>,
    /// As `Debug` writes it: a rollup may be named `on`.
    rollups: String,
    history: Option<History>,
    previews: Previews,
}

impl Key {
    /// The key of a statement under these rights at a snapshot; `schema` is the default schema in force.
    pub(super) fn new(rights: &Rights, snapshot: i64, schema: &str, statement: &Statement) -> Result<Self> {
        let fault = |error| Error::internal("cannot keep parameters", error);
        let parameters = statement.parameters.as_ref().map(|row| {
            let mut writer = StreamWriter::try_new(Vec::new(), &row.schema())?;
            writer.write(row)?;
            writer.into_inner()
        });
        Ok(Self {
            snapshot,
            rights: rights.fingerprint.clone(),
            schema: schema.to_owned(),
            sql: statement.sql.clone(),
            parameters: parameters.transpose().map_err(fault)?,
            rollups: format!("{:?}", statement.rollups),
            history: statement.history,
            previews: statement.previews,
        })
    }
}

/// Plans by key, and results by key.
pub(super) struct Kept {
    plans: Cache<Arc<Key>, Arc<Planned>>,
    results: Arc<Cache<Arc<Key>, KeptRows, Bytes>>,
    /// A result with more is not kept.
    result_bytes: usize,
}

impl Kept {
    pub(super) fn new(config: &QueryConfig) -> Self {
        let whole = config.result_cache_mib << 20;
        // Half of the room is for what is new: after a load, all that was in use until then is worth nothing.
        let new = whole / 2;
        Self {
            plans: bounded(PLANS, PLANS as u64, UnitWeighter),
            results: Arc::new(bounded(1024, whole, Bytes)),
            result_bytes: usize::try_from(new.min(config.cached_result_mib << 20)).unwrap_or(usize::MAX),
        }
    }

    pub(super) fn plan(&self, key: &Arc<Key>) -> Option<Arc<Planned>> {
        self.plans.get(key)
    }

    pub(super) fn keep_plan(&self, key: &Arc<Key>, planned: &Arc<Planned>) {
        self.plans.insert(Arc::clone(key), Arc::clone(planned));
    }

    pub(super) fn rows(&self, key: &Arc<Key>) -> Option<KeptRows> {
        self.results.get(key)
    }

    /// Begins to copy the rows of a statement; none where no result is kept.
    pub(super) fn record(&self, key: &Arc<Key>, schema: &SchemaRef) -> Option<Recording> {
        if self.result_bytes == 0 {
            return None;
        }
        let writer = StreamWriter::try_new(Vec::new(), schema).ok()?;
        Some(Recording {
            results: Arc::clone(&self.results),
            key: Arc::clone(key),
            schema: Arc::clone(schema),
            writer,
            waiting: Vec::new(),
            waiting_bytes: 0,
            result_bytes: self.result_bytes,
        })
    }
}

/// One shard, because each has its part of the room and a large result would find no place in it.
fn bounded<V: Clone, W: Weighter<Arc<Key>, V> + Clone>(
    entries: usize,
    weight: u64,
    weighter: W,
) -> Cache<Arc<Key>, V, W> {
    let mut options = OptionsBuilder::new();
    options.shards(1).estimated_items_capacity(entries).weight_capacity(weight).hot_allocation(0.5);
    let options = options.build().expect("both capacities are set");
    Cache::with_options(options, weighter, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

/// The rows of a statement that ran to its end. They lie in one Arrow IPC stream of exactly known size, free of the larger
/// buffers that an engine's batches may be cut from; it is read once, when it is kept.
#[derive(Debug, Clone)]
pub(super) struct KeptRows {
    batches: Arc<[RecordBatch]>,
    bytes: usize,
}

impl KeptRows {
    fn read(mut ipc: Buffer) -> Result<Self, ArrowError> {
        let bytes = ipc.len();
        let mut decoder = StreamDecoder::new();
        let batches = std::iter::from_fn(|| decoder.decode(&mut ipc).transpose());
        Ok(Self { batches: batches.collect::<Result<_, _>>()?, bytes })
    }

    pub(super) fn stream(self) -> BoxStream<'static, Result<RecordBatch>> {
        stream::iter((0..self.batches.len()).filter_map(move |place| self.batches.get(place).cloned().map(Ok))).boxed()
    }
}

#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<Arc<Key>, KeptRows> for Bytes {
    fn weight(&self, key: &Arc<Key>, rows: &KeptRows) -> u64 {
        (key.sql.len() + key.parameters.as_ref().map_or(0, Vec::len) + rows.bytes) as u64
    }
}

/// The copy of a result on its way to the client. It is worth something only when the stream has ended: dropping it before
/// that leaves nothing behind.
pub(super) struct Recording {
    results: Arc<Cache<Arc<Key>, KeptRows, Bytes>>,
    key: Arc<Key>,
    schema: SchemaRef,
    writer: StreamWriter<Vec<u8>>,
    waiting: Vec<RecordBatch>,
    waiting_bytes: usize,
    result_bytes: usize,
}

impl Recording {
    /// With a further batch; none when the result has become too large.
    pub(super) fn with(mut self, batch: &RecordBatch) -> Option<Self> {
        self.waiting_bytes += bytes_of(batch);
        self.waiting.push(batch.clone());
        if self.waiting_bytes >= GATHER {
            self.write().ok()?;
        }
        (self.writer.get_ref().len() + self.waiting_bytes <= self.result_bytes).then_some(self)
    }

    fn write(&mut self) -> Result<(), ArrowError> {
        self.waiting_bytes = 0;
        match std::mem::take(&mut self.waiting).as_slice() {
            [] => Ok(()),
            [one] => self.writer.write(one),
            many => self.writer.write(&concat_batches(&self.schema, many)?),
        }
    }

    /// Keeps the result, which is all there.
    pub(super) fn keep(mut self) {
        let rows = self.write().and_then(|()| KeptRows::read(Buffer::from_vec(self.writer.into_inner()?)));
        if let Ok(rows) = rows {
            self.results.insert(self.key, rows);
        }
    }
}

/// Whether the functions of a plan give the same whenever they are called with the same. To be asked before optimisation,
/// which turns `now()` into a literal.
pub(super) fn repeatable(plan: &LogicalPlan) -> bool {
    let mut repeatable = true;
    let go_on = |repeatable| if repeatable { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop };
    let _ = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                repeatable &= volatility(part) == Volatility::Immutable;
                Ok(go_on(repeatable))
            })
        })?;
        Ok(go_on(repeatable))
    });
    repeatable
}

fn volatility(expr: &Expr) -> Volatility {
    match expr {
        Expr::ScalarFunction(call) => call.func.signature().volatility,
        Expr::AggregateFunction(call) => call.func.signature().volatility,
        Expr::WindowFunction(call) => call.fun.signature().volatility,
        Expr::HigherOrderFunction(call) => call.func.signature().volatility,
        Expr::ScalarVariable(..) => Volatility::Volatile,
        _ => Volatility::Immutable,
    }
}

#[cfg(test)]
mod tests;
