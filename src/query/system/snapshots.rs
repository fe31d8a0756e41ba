//! `system.snapshots`: the pinned states of the warehouse.

use std::sync::Arc;

use arrow::array::{Date32Array, Int64Array};
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;

use super::{Door, SystemTable, schema, table, texts, times, timestamp};
use crate::auth::Principal;
use crate::error::Result;
use crate::warehouse::Snapshot;

pub(super) struct Snapshots;

#[async_trait]
impl SystemTable for Snapshots {
    fn name(&self) -> &'static str {
        "snapshots"
    }

    fn description(&self) -> &'static str {
        "Pinned states of the warehouse: every answer names the one it comes from"
    }

    fn schema(&self) -> SchemaRef {
        schema(&[
            ("snapshot_id", DataType::Int64),
            ("parent_id", DataType::Int64),
            ("business_date", DataType::Date32),
            ("created_at", timestamp()),
            ("tables", DataType::Utf8),
        ])
    }

    async fn provider(&self, door: &Door, _: &Principal, _: &Arc<Snapshot>) -> Result<Arc<dyn TableProvider>> {
        let rows = door.0.catalog.snapshots().await?;
        let versions = rows.iter().map(|row| serde_json::to_string(&row.tables).ok()).collect::<Vec<_>>();
        table(
            self.schema(),
            vec![
                Arc::new(rows.iter().map(|row| Some(row.id)).collect::<Int64Array>()),
                Arc::new(rows.iter().map(|row| row.parent).collect::<Int64Array>()),
                Arc::new(rows.iter().map(|row| Some(row.business_date)).collect::<Date32Array>()),
                times(rows.iter().map(|row| Some(row.created_at))),
                texts(versions.into_iter()),
            ],
        )
    }
}
