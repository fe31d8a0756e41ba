//! What is read again and again stays in memory, decoded.
//!
//! [`keep`] puts one operator in place of a scan. A file's name is never used twice, so nothing kept is ever wrong; what is not
//! asked for any more gives way. Which files a statement may read is decided before: the operator reads those of the scan
//! that it stands for. There are two kinds of it:
//!
//! - [`small`]: a rollup or a dimension has a few thousand rows and is read by nearly every statement. The wanted columns of
//!   a file are decoded once, by one of those who ask for them, with numbers for the values of each.
//! - [`columns`]: an extract, or a figure over many facts, reads most rows of large files. They go on as they are decoded, and
//!   each column of a file of which all rows came is kept by itself.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

mod columns;
mod small;

/// What is kept.
pub(super) struct Hot {
    small: small::Files,
    columns: columns::Columns,
}

/// A file, and which columns of it.
type Key = (Arc<str>, Arc<str>);

impl Hot {
    /// Room for so many bytes of small files and of columns of large ones; none keeps nothing.
    pub(super) fn new(small: u64, columns: u64) -> Self {
        Self { small: bounded(small, small::Bytes), columns: columns::Columns::new(columns) }
    }
}

/// One shard: each has its part of the room, and a file that does not fit into it would be read for nothing each time.
fn bounded<V: Clone, W: Weighter<Key, V> + Clone>(bytes: u64, weighter: W) -> Cache<Key, V, W> {
    let options = OptionsBuilder::new().estimated_items_capacity(4096).weight_capacity(bytes).shards(1).build();
    let options = options.expect("both capacities are set");
    Cache::with_options(options, weighter, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

/// What of a plan's files is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Small,
    All,
}

/// Puts an operator that reads from memory in place of each scan that it can stand for.
pub(super) fn keep(plan: Arc<dyn ExecutionPlan>, hot: &Arc<Hot>, keep: Keep) -> Result<Arc<dyn ExecutionPlan>> {
    let kept = plan.transform_down(|node| match HotExec::of(&node, hot, keep) {
        // The scan stays below as what it stands for, and is not looked at again.
        Some(exec) => Ok(Transformed::new(Arc::new(exec) as Arc<dyn ExecutionPlan>, true, TreeNodeRecursion::Jump)),
        None => Ok(Transformed::no(node)),
    })?;
    Ok(kept.data)
}

/// Whether an operator takes small files from memory.
pub(super) fn is_small(node: &Arc<dyn ExecutionPlan>) -> bool {
    node.downcast_ref::<HotExec>().is_some_and(|exec| matches!(exec.kind, Kind::Small(_)))
}

/// The scan that an operator stands for.
pub(super) fn scan(node: &Arc<dyn ExecutionPlan>) -> Option<&Arc<dyn ExecutionPlan>> {
    node.downcast_ref::<HotExec>().map(|exec| &exec.scan)
}

/// The operator.
#[derive(Clone)]
struct HotExec {
    scan: Arc<dyn ExecutionPlan>,
    hot: Arc<Hot>,
    kind: Kind,
    properties: Arc<PlanProperties>,
}

#[derive(Clone)]
enum Kind {
    Small(small::Small),
    Columns(columns::Wanted),
}

impl HotExec {
    fn of(scan: &Arc<dyn ExecutionPlan>, hot: &Arc<Hot>, keep: Keep) -> Option<Self> {
        let small = small::Small::of(scan).filter(|_| hot.small.capacity() > 0).map(Kind::Small);
        let columns = || columns::Wanted::of(scan, &hot.columns).filter(|_| keep == Keep::All).map(Kind::Columns);
        Some(Self {
            kind: small.or_else(columns)?,
            scan: Arc::clone(scan),
            hot: Arc::clone(hot),
            properties: Arc::clone(scan.properties()),
        })
    }

    fn source(&self) -> Result<(&FileScanConfig, &ParquetSource)> {
        scan_of(&self.scan).ok_or_else(|| internal_datafusion_err!("a scan of another kind"))
    }
}

fn scan_of(node: &Arc<dyn ExecutionPlan>) -> Option<(&FileScanConfig, &ParquetSource)> {
    let config = node.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()?;
    Some((config, config.file_source().downcast_ref::<ParquetSource>()?))
}

/// Reads one file of a scan.
fn read(
    config: &FileScanConfig,
    source: Arc<dyn FileSource>,
    file: PartitionedFile,
    context: Arc<TaskContext>,
) -> Result<SendableRecordBatchStream> {
    let config = FileScanConfigBuilder::from(config.clone())
        .with_source(source)
        .with_file_groups(vec![FileGroup::new(vec![file])])
        .with_limit(None)
        .build();
    DataSourceExec::from_data_source(config).execute(0, context)
}

impl fmt::Debug for HotExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HotExec").field("scan", &self.scan).finish_non_exhaustive()
    }
}

impl DisplayAs for HotExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Small(_) => "HotExec: small files",
            Kind::Columns(_) => "HotExec: columns",
        })
    }
}

impl ExecutionPlan for HotExec {
    fn name(&self) -> &'static str {
        "HotExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.scan]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let scan = children.into_iter().next().ok_or_else(|| internal_datafusion_err!("no scan to stand for"))?;
        Ok(Arc::new(Self { scan, ..Self::clone(&self) }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        match &self.kind {
            // A plan over them runs any number of times.
            Kind::Small(_) => None,
            Kind::Columns(columns) => Some(columns.metrics.clone_inner()),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = match self.kind.clone() {
            Kind::Small(small) => small.rows(self, partition, context)?,
            Kind::Columns(columns) => columns.rows(self, partition, context)?,
        };
        Ok(Box::pin(cooperative(RecordBatchStreamAdapter::new(self.schema(), rows))))
    }
}

#[cfg(test)]
pub(super) mod tests;
