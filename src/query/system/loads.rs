//! `system.loads`: the numbered batches and what became of them. For readers of the whole bank.

use std::sync::Arc;

use arrow::array::{Date32Array, Int64Array};
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;

use super::{Door, SystemTable, schema, table, texts, times, timestamp};
use crate::auth::{Principal, Scope};
use crate::catalog::BatchRow;
use crate::error::Result;
use crate::warehouse::Snapshot;

pub(super) struct Loads;

#[async_trait]
impl SystemTable for Loads {
    fn name(&self) -> &'static str {
        "loads"
    }

    fn description(&self) -> &'static str {
        "Numbered batches: delivered = loaded + unchanged + rejected"
    }

    fn schema(&self) -> SchemaRef {
        schema(&[
            ("node", DataType::Utf8),
            ("batch_no", DataType::Int64),
            ("business_date", DataType::Date32),
            ("source", DataType::Utf8),
            ("state", DataType::Utf8),
            ("message", DataType::Utf8),
            ("rows_delivered", DataType::Int64),
            ("rows_loaded", DataType::Int64),
            ("rows_unchanged", DataType::Int64),
            ("rows_rejected", DataType::Int64),
            ("snapshot_id", DataType::Int64),
            ("received_at", timestamp()),
            ("finished_at", timestamp()),
        ])
    }

    async fn provider(&self, door: &Door, principal: &Principal, _: &Arc<Snapshot>) -> Result<Arc<dyn TableProvider>> {
        // A batch may hold many branches' rows, so its counts are figures of the bank.
        let mut rows = if principal.scope == Scope::HeadOffice { door.0.catalog.batches().await? } else { Vec::new() };
        rows.sort_by(|a, b| (&a.key.node, a.key.number).cmp(&(&b.key.node, b.key.number)));
        let numbers =
            |pick: fn(&BatchRow) -> Option<i64>| -> Arc<Int64Array> { Arc::new(rows.iter().map(pick).collect()) };
        table(
            self.schema(),
            vec![
                texts(rows.iter().map(|row| Some(&row.key.node))),
                numbers(|row| Some(row.key.number)),
                Arc::new(rows.iter().map(|row| Some(row.business_date)).collect::<Date32Array>()),
                texts(rows.iter().map(|row| Some(&row.source))),
                texts(rows.iter().map(|row| Some(row.state.as_str()))),
                texts(rows.iter().map(|row| Some(&row.message))),
                numbers(|row| Some(row.rows_delivered)),
                numbers(|row| Some(row.rows_loaded)),
                numbers(|row| Some(row.rows_unchanged)),
                numbers(|row| Some(row.rows_rejected)),
                numbers(|row| row.snapshot_id),
                times(rows.iter().map(|row| Some(row.received_at))),
                times(rows.iter().map(|row| row.finished_at)),
            ],
        )
    }
}
