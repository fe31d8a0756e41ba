//! `system.tie_outs`: which figures of head office were proved to be the sum of the branches'.

use std::sync::Arc;

use arrow::array::Int64Array;
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;

use super::{Door, SystemTable, schema, table, texts};
use crate::auth::Principal;
use crate::error::Result;
use crate::query::Face;
use crate::warehouse::Snapshot;

pub(super) struct TieOuts;

#[async_trait]
impl SystemTable for TieOuts {
    fn name(&self) -> &'static str {
        "tie_outs"
    }

    fn description(&self) -> &'static str {
        "Measures whose head-office figures the last refresh proved, to the last digit, to be the sum of the branches'"
    }

    fn schema(&self) -> SchemaRef {
        schema(&[("snapshot_id", DataType::Int64), ("cube", DataType::Utf8), ("measure", DataType::Utf8)])
    }

    async fn provider(
        &self,
        door: &Door,
        principal: &Principal,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Arc<dyn TableProvider>> {
        // It compares all branches, so it is told to those who may read them all.
        let mut proved = match principal.scope.branches() {
            None => door.0.cubes.tied_out(snapshot),
            Some(_) => Vec::new(),
        };
        let rights = door.rights(principal, Face::Http);
        proved.retain(|(cube, _)| rights.has_cube(cube));
        table(
            self.schema(),
            vec![
                Arc::new(proved.iter().map(|_| Some(snapshot.id)).collect::<Int64Array>()),
                texts(proved.iter().map(|(cube, _)| Some(cube))),
                texts(proved.iter().map(|(_, measure)| Some(measure))),
            ],
        )
    }
}
