//! The last look at a plan before it runs: every file lies within the principal's scope.
//!
//! The layers above have chosen the files already; this one only asks whether they did. It fails closed: a source that it
//! does not know is refused, and a refusal is a defect of ours.

use std::sync::Arc;

use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;

use crate::auth::Scope;
use crate::engine::is_barrier;
use crate::error::{Code, Error, Result};
use crate::warehouse::SHARED;

/// Checks the sources of a physical plan.
pub(super) fn check(plan: &Arc<dyn ExecutionPlan>, scope: &Scope) -> Result<()> {
    match breach(plan, scope, false) {
        None => Ok(()),
        Some(what) => {
            tracing::error!(source = %what, "a plan was refused by the lint");
            Err(Error::new(Code::Internal, "the statement was refused by a safety check"))
        }
    }
}

/// The first source that the scope does not allow. `guarded`: what comes of it passes a barrier.
fn breach(node: &Arc<dyn ExecutionPlan>, scope: &Scope, guarded: bool) -> Option<String> {
    let guarded = guarded || is_barrier(node);
    if let Some(source) = node.downcast_ref::<DataSourceExec>() {
        let data = source.data_source();
        if let Some(files) = data.downcast_ref::<FileScanConfig>() {
            let paths = files.file_groups.iter().flat_map(|group| group.iter());
            let outside = |path: &&str| !within(path, scope, guarded);
            return paths.map(|file| file.object_meta.location.as_ref()).find(outside).map(str::to_owned);
        }
        return data.downcast_ref::<MemorySourceConfig>().is_none().then(|| "a source of an unknown kind".to_owned());
    }
    node.children().into_iter().find_map(|child| breach(child, scope, guarded))
}

/// Whether a file's partition is the scope's own or shared. Tables without a branch partition are shared as a whole.
fn within(path: &str, scope: &Scope, guarded: bool) -> bool {
    let Some(own) = scope.branches() else { return true };
    // A part of a branch shares its files with the rest.
    if matches!(scope, Scope::Within { .. }) && !guarded {
        return false;
    }
    // Partition folders follow the table's folder; the first one is the branch where the table has one.
    let mut folders = path.split('/').filter_map(|folder| folder.split_once('='));
    match folders.next() {
        Some((name, _)) if name == crate::warehouse::MONTH => true,
        Some((_, branch)) => branch == SHARED || own.contains(branch),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::datasource::listing::PartitionedFile;
    use datafusion::datasource::physical_plan::{FileScanConfigBuilder, ParquetSource};
    use datafusion::datasource::source::DataSourceExec;
    use datafusion::execution::object_store::ObjectStoreUrl;
    use datafusion::physical_plan::ExecutionPlan;
    use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;

    use super::{check, within};
    use crate::auth::Scope;
    use crate::error::Code;

    fn scan(path: &str) -> Arc<dyn ExecutionPlan> {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
        let url = ObjectStoreUrl::local_filesystem();
        let files = FileScanConfigBuilder::new(url, Arc::new(ParquetSource::new(schema)));
        let scan = DataSourceExec::from_data_source(files.with_file(PartitionedFile::new(path, 1)).build());
        Arc::new(CoalescePartitionsExec::new(scan))
    }

    /// LT-14.
    #[test]
    fn a_plan_that_was_changed_by_hand_is_refused() {
        let north: Scope = "north".parse().unwrap();
        let part: Scope = "north/sub_branch=East".parse().unwrap();
        let own = "fact_deal/branch_code=north/month=202501/a.parquet";
        let other = "fact_deal/branch_code=south/month=202501/a.parquet";
        assert!(check(&scan(own), &north).is_ok());
        assert!(check(&scan(other), &Scope::HeadOffice).is_ok());
        assert!(check(&scan("dim_person/branch_code=shared/a.parquet"), &north).is_ok());
        let error = check(&scan(other), &north).unwrap_err();
        assert_eq!(error.code(), Code::Internal);
        assert!(!error.message().contains("south"));
        // A part of a branch shares its files with the rest: only what comes through a barrier is its own.
        assert!(check(&scan(own), &part).is_err());
        assert!(within(own, &part, true) && !within(other, &part, true) && !within(own, &part, false));
    }
}
