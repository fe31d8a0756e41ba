//! `system.rollups`: the rollups of each cube, and which of their partitions answer at the newest snapshot.

use std::sync::Arc;

use arrow::array::Int64Array;
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;

use super::{Door, SystemTable, schema, table, texts};
use crate::auth::Principal;
use crate::cube::RollupState;
use crate::error::Result;
use crate::query::Face;
use crate::warehouse::Snapshot;

pub(super) struct Rollups;

#[async_trait]
impl SystemTable for Rollups {
    fn name(&self) -> &'static str {
        "rollups"
    }

    fn description(&self) -> &'static str {
        "Rollups with their fresh and stale partitions; facts stand in for stale ones"
    }

    fn schema(&self) -> SchemaRef {
        schema(&[
            ("cube", DataType::Utf8),
            ("rollup", DataType::Utf8),
            ("state", DataType::Utf8),
            ("fresh_partitions", DataType::Int64),
            ("stale_partitions", DataType::Int64),
            ("rows", DataType::Int64),
            ("fact_rows", DataType::Int64),
            ("size_bytes", DataType::Int64),
            ("detail", DataType::Utf8),
        ])
    }

    async fn provider(
        &self,
        door: &Door,
        principal: &Principal,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Arc<dyn TableProvider>> {
        // A branch is told of its own partitions only.
        let own = principal.scope.branches();
        let rights = door.rights(principal, Face::Http);
        let mut rows: Vec<(String, RollupState)> = Vec::new();
        for (name, cube) in door.0.cubes.iter().filter(|(name, _)| rights.has_cube(name)) {
            if let Some(binding) = door.binding(name, snapshot, own, cube.as_was()).await? {
                rows.extend(binding.rollup_states().into_iter().map(|state| (name.to_owned(), state)));
            }
        }
        let numbers = |pick: fn(&RollupState) -> u64| -> Arc<Int64Array> {
            Arc::new(rows.iter().map(|(_, state)| i64::try_from(pick(state)).ok()).collect())
        };
        table(
            self.schema(),
            vec![
                texts(rows.iter().map(|(cube, _)| Some(cube))),
                texts(rows.iter().map(|(_, state)| Some(&state.rollup))),
                texts(rows.iter().map(|(_, state)| Some(state.word()))),
                numbers(|state| state.fresh),
                numbers(|state| state.stale.len() as u64),
                numbers(|state| state.rows),
                numbers(|state| state.fact_rows),
                numbers(|state| state.size_bytes),
                texts(rows.iter().map(|(_, state)| state.detail())),
            ],
        )
    }
}
