//! `system.queries`: one row for each statement; one's own, or everybody's for an auditor.

use std::sync::Arc;

use arrow::array::Int64Array;
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;

use super::{Door, SystemTable, schema, table, texts, times, timestamp};
use crate::auth::Principal;
use crate::error::Result;
use crate::warehouse::Snapshot;

/// Rows shown, newest first.
const NEWEST: i64 = 100_000;

pub(super) struct Queries;

#[async_trait]
impl SystemTable for Queries {
    fn name(&self) -> &'static str {
        "queries"
    }

    fn description(&self) -> &'static str {
        "Statements of this principal (of everybody, for an auditor), newest first"
    }

    fn schema(&self) -> SchemaRef {
        schema(&[
            ("query_id", DataType::Utf8),
            ("principal", DataType::Utf8),
            ("face", DataType::Utf8),
            ("sql", DataType::Utf8),
            ("started_at", timestamp()),
            ("queued_ms", DataType::Int64),
            ("duration_ms", DataType::Int64),
            ("rows", DataType::Int64),
            ("bytes", DataType::Int64),
            ("snapshot_id", DataType::Int64),
            ("rollup", DataType::Utf8),
            ("reasons", DataType::Utf8),
            ("cache", DataType::Utf8),
            ("status", DataType::Utf8),
            ("error_code", DataType::Utf8),
        ])
    }

    async fn provider(&self, door: &Door, principal: &Principal, _: &Arc<Snapshot>) -> Result<Arc<dyn TableProvider>> {
        let all = principal.has_role("auditor") || principal.is_administrator();
        let rows = door.0.catalog.queries((!all).then_some(principal.name.as_str()), NEWEST).await?;
        let numbers = |pick: fn(&crate::catalog::QueryRow) -> Option<i64>| -> Arc<Int64Array> {
            Arc::new(rows.iter().map(pick).collect())
        };
        table(
            self.schema(),
            vec![
                texts(rows.iter().map(|row| Some(&row.query_id))),
                texts(rows.iter().map(|row| Some(&row.principal))),
                texts(rows.iter().map(|row| Some(&row.face))),
                texts(rows.iter().map(|row| Some(&row.sql))),
                times(rows.iter().map(|row| Some(row.started_at))),
                numbers(|row| row.queued_ms),
                numbers(|row| row.duration_ms),
                numbers(|row| row.rows),
                numbers(|row| row.bytes),
                numbers(|row| row.snapshot_id),
                texts(rows.iter().map(|row| row.rollup.as_ref())),
                texts(rows.iter().map(|row| row.reasons.as_ref())),
                texts(rows.iter().map(|row| Some(&row.cache))),
                texts(rows.iter().map(|row| Some(&row.status))),
                texts(rows.iter().map(|row| row.error_code.as_ref())),
            ],
        )
    }
}
