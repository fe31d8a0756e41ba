//! `system.rejects`: refused rows with their reason, line and raw text, cut by branch like any table.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;

use super::{Door, SystemTable};
use crate::auth::Principal;
use crate::error::{Error, Result};
use crate::query::Face;
use crate::warehouse::{REJECTS, Snapshot, TableFiles, rejects_table};

pub(super) struct Rejects;

#[async_trait]
impl SystemTable for Rejects {
    fn name(&self) -> &'static str {
        "rejects"
    }

    fn description(&self) -> &'static str {
        "Delivered rows that were refused, with the reason, the file and the line"
    }

    fn schema(&self) -> SchemaRef {
        crate::warehouse::table_schema(&rejects_table())
    }

    async fn provider(
        &self,
        door: &Door,
        principal: &Principal,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Arc<dyn TableProvider>> {
        // Raw lines are about single persons.
        let sight = door.rights(principal, Face::Http).sight(None);
        if !snapshot.tables.contains_key(REJECTS) || !sight.details || sight.within.is_some() {
            let empty = MemTable::try_new(self.schema(), vec![vec![]])
                .map_err(|error| Error::internal("cannot show the rejects", error))?;
            return Ok(Arc::new(empty));
        }
        let own = principal.scope.branches();
        // Rows whose branch could not be read lie in `shared` and are head office's to mend; a branch does not see them.
        let files = door.0.warehouse.files(snapshot, REJECTS).await?;
        let files = match own {
            None => files,
            Some(own) => Arc::new(TableFiles {
                schema: Arc::clone(&files.schema),
                partition_columns: files.partition_columns.clone(),
                files: files
                    .files
                    .iter()
                    .filter(|file| file.branch.as_ref().is_some_and(|branch| own.contains(branch)))
                    .cloned()
                    .collect(),
            }),
        };
        door.0.engine.scans().table(files, own)
    }
}
