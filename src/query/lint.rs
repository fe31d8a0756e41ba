//! The last look at a plan before it runs: every file lies within the principal's scope.
//!
//! The layers above have chosen the files already; this one only asks whether they did. It fails closed: a source that it
//! does not know is refused, and a refusal is a defect of ours.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;

use crate::auth::Scope;
use crate::error::{Code, Error, Result};
use crate::warehouse::SHARED;

/// Checks the sources of a physical plan.
pub(super) fn check(plan: &Arc<dyn ExecutionPlan>, scope: &Scope) -> Result<()> {
    let mut breach = None;
    let _ = plan.apply(|node| {
        if let Some(source) = node.downcast_ref::<DataSourceExec>() {
            let data = source.data_source();
            if let Some(files) = data.downcast_ref::<FileScanConfig>() {
                let paths = files.file_groups.iter().flat_map(|group| group.iter());
                breach = breach.take().or_else(|| {
                    paths
                        .map(|file| file.object_meta.location.as_ref())
                        .find(|path| !within(path, scope))
                        .map(str::to_owned)
                });
            } else if data.downcast_ref::<MemorySourceConfig>().is_none() {
                breach = Some("a source of an unknown kind".to_owned());
            }
        }
        Ok(if breach.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    match breach {
        None => Ok(()),
        Some(what) => {
            tracing::error!(source = %what, "a plan was refused by the lint");
            Err(Error::new(Code::Internal, "the statement was refused by a safety check"))
        }
    }
}

/// Whether a file's partition is the scope's own or shared. Tables without a branch partition are shared as a whole.
fn within(path: &str, scope: &Scope) -> bool {
    let Scope::Branches(own) = scope else { return true };
    // Partition folders follow the table's folder; the first one is the branch where the table has one.
    let mut folders = path.split('/').filter_map(|folder| folder.split_once('='));
    match folders.next() {
        Some((name, _)) if name == crate::warehouse::MONTH => true,
        Some((_, branch)) => branch == SHARED || own.contains(branch),
        None => true,
    }
}
