//! `system.audit`: what happened, for an auditor.

use std::sync::Arc;

use arrow::array::Int64Array;
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;

use super::{Door, SystemTable, schema, table, texts, times, timestamp};
use crate::auth::Principal;
use crate::catalog::AuditFilter;
use crate::error::Result;
use crate::warehouse::Snapshot;

/// Records shown, newest first.
const NEWEST: i64 = 100_000;

pub(super) struct Audit;

#[async_trait]
impl SystemTable for Audit {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn description(&self) -> &'static str {
        "What happened, newest first, for an auditor: statements, logins, users, tokens, loads; each record with a hash over \
         itself and the one before"
    }

    fn schema(&self) -> SchemaRef {
        schema(&[
            ("sequence", DataType::Int64),
            ("at", timestamp()),
            ("action", DataType::Utf8),
            ("principal", DataType::Utf8),
            ("detail", DataType::Utf8),
            ("hash", DataType::Utf8),
        ])
    }

    async fn provider(&self, door: &Door, principal: &Principal, _: &Arc<Snapshot>) -> Result<Arc<dyn TableProvider>> {
        // Statements hold what somebody looked for: in this table they are the auditor's alone. The page that shows them to an
        // administrator, too, records each reading.
        let filter = AuditFilter { limit: Some(NEWEST), ..AuditFilter::default() };
        let rows = match principal.has_role("auditor") {
            true => door.0.catalog.audit_rows(&filter).await?,
            false => Vec::new(),
        };
        table(
            self.schema(),
            vec![
                Arc::new(rows.iter().map(|row| Some(row.sequence)).collect::<Int64Array>()),
                times(rows.iter().map(|row| Some(row.event.at))),
                texts(rows.iter().map(|row| Some(&row.event.action))),
                texts(rows.iter().map(|row| Some(&row.event.principal))),
                texts(rows.iter().map(|row| Some(row.event.detail.to_string()))),
                texts(rows.iter().map(|row| Some(&row.hash))),
            ],
        )
    }
}
