//! Small files stay in memory, decoded.
//!
//! A rollup or a dimension has a few thousand rows, is read by nearly every statement, and reading it is mostly decoding.
//! [`keep`] puts one operator in place of a scan of few and small files: it decodes the wanted columns of a file once, and
//! statements after it take the rows from memory. A file's name is never used twice, so nothing kept is ever wrong; what
//! is not asked for any more gives way. Which files a statement may read is decided before: the operator reads those of
//! the scan that it stands for.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::lit;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

/// Bytes of all files of a scan that is taken from memory.
const SMALL: u64 = 16 << 20;

/// Decoded rows by file and columns.
pub(super) struct Hot(Cache<Key, Arc<[RecordBatch]>, Bytes>);

type Key = (Arc<str>, Arc<str>);

#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<Key, Arc<[RecordBatch]>> for Bytes {
    fn weight(&self, (file, columns): &Key, rows: &Arc<[RecordBatch]>) -> u64 {
        let rows: usize = rows.iter().map(RecordBatch::get_array_memory_size).sum();
        (rows + file.len() + columns.len() + 64) as u64
    }
}

impl Hot {
    /// Room for `bytes` of decoded rows; none keeps nothing.
    pub(super) fn new(bytes: u64) -> Self {
        let options = OptionsBuilder::new().estimated_items_capacity(4096).weight_capacity(bytes).build();
        let options = options.expect("both capacities are set");
        Self(Cache::with_options(options, Bytes, DefaultHashBuilder::default(), DefaultLifecycle::default()))
    }
}

/// Puts an operator that reads from memory in place of each scan of few and small files.
pub(super) fn keep(plan: Arc<dyn ExecutionPlan>, hot: &Arc<Hot>) -> Result<Arc<dyn ExecutionPlan>> {
    if hot.0.capacity() == 0 {
        return Ok(plan);
    }
    let kept = plan.transform_down(|node| match HotExec::of(&node, hot) {
        // The scan stays below as what it stands for, and is not looked at again.
        Some(exec) => Ok(Transformed::new(Arc::new(exec) as Arc<dyn ExecutionPlan>, true, TreeNodeRecursion::Jump)),
        None => Ok(Transformed::no(node)),
    })?;
    Ok(kept.data)
}

/// The operator.
#[derive(Clone)]
struct HotExec {
    scan: Arc<dyn ExecutionPlan>,
    hot: Arc<Hot>,
    /// The scan's output columns, in words.
    columns: Arc<str>,
    properties: Arc<PlanProperties>,
}

impl HotExec {
    fn of(node: &Arc<dyn ExecutionPlan>, hot: &Arc<Hot>) -> Option<Self> {
        let (config, source) = scan_of(node)?;
        let files = || config.file_groups.iter().flat_map(FileGroup::iter);
        let whole = config.limit.is_none() && files().all(|file| file.range.is_none());
        if !whole || files().map(|file| file.object_meta.size).sum::<u64>() > SMALL {
            return None;
        }
        let columns = format!("{:?} {:?}", node.schema().fields(), source.projection());
        Some(Self {
            scan: Arc::clone(node),
            hot: Arc::clone(hot),
            columns: columns.into(),
            properties: Arc::clone(node.properties()),
        })
    }

    /// All rows of a file, in the scan's columns.
    async fn rows(&self, file: PartitionedFile, context: Arc<TaskContext>) -> Result<Arc<[RecordBatch]>> {
        let key = (Arc::from(file.object_meta.location.as_ref()), Arc::clone(&self.columns));
        let read = async {
            let (config, source) =
                scan_of(&self.scan).ok_or_else(|| internal_datafusion_err!("a scan of another kind"))?;
            // All of them: the next statement has other conditions.
            let all = source.with_predicate(lit(true));
            let config = FileScanConfigBuilder::from(config.clone())
                .with_source(Arc::new(all))
                .with_file_groups(vec![FileGroup::new(vec![file])])
                .build();
            let rows = DataSourceExec::from_data_source(config).execute(0, context)?;
            Ok::<_, DataFusionError>(Arc::from(rows.try_collect::<Vec<_>>().await?))
        };
        self.hot.0.get_or_insert_async(&key, read).await
    }
}

fn scan_of(node: &Arc<dyn ExecutionPlan>) -> Option<(&FileScanConfig, &ParquetSource)> {
    let config = node.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()?;
    Some((config, config.file_source().downcast_ref::<ParquetSource>()?))
}

impl fmt::Debug for HotExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HotExec").field("scan", &self.scan).finish_non_exhaustive()
    }
}

impl DisplayAs for HotExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HotExec")
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

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let files = scan_of(&self.scan).and_then(|(config, _)| config.file_groups.get(partition));
        let files = files.ok_or_else(|| internal_datafusion_err!("no partition {partition}"))?.clone().into_inner();
        let own = self.clone();
        let rows = stream::iter(files).then(move |file| {
            let (own, context) = (own.clone(), Arc::clone(&context));
            async move { own.rows(file, context).await }
        });
        let rows = rows.map_ok(|rows| stream::iter((0..rows.len()).map(move |at| Ok(rows[at].clone())))).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}
