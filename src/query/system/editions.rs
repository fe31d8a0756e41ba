//! `system.editions`: frozen reports, those that a principal may open; who looks after publication sees all of them.

use std::sync::Arc;

use arrow::array::{Date32Array, Int64Array};
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;

use super::{Door, SystemTable, keeps_publication, schema, table, texts, times, timestamp};
use crate::auth::Principal;
use crate::catalog::{EditionFilter, EditionRow};
use crate::error::Result;
use crate::query::Reading;
use crate::warehouse::Snapshot;

/// Editions that are shown, the newest.
const MOST: u32 = 100_000;

pub(super) struct Editions;

#[async_trait]
impl SystemTable for Editions {
    fn name(&self) -> &'static str {
        "editions"
    }

    fn description(&self) -> &'static str {
        "Published reports: frozen, numbered, named by the hash of their files"
    }

    fn schema(&self) -> SchemaRef {
        schema(&[
            ("edition", DataType::Utf8),
            ("report", DataType::Utf8),
            ("scope", DataType::Utf8),
            ("period", DataType::Utf8),
            ("version", DataType::Int64),
            ("as_of", DataType::Date32),
            ("snapshot_id", DataType::Int64),
            ("published_at", timestamp()),
            ("schedule", DataType::Utf8),
            ("run_key", DataType::Utf8),
            ("changes", DataType::Int64),
            ("keep_until", timestamp()),
            ("removed_at", timestamp()),
        ])
    }

    async fn provider(&self, door: &Door, principal: &Principal, _: &Arc<Snapshot>) -> Result<Arc<dyn TableProvider>> {
        let all = keeps_publication(principal);
        // Of others than one's own branches nothing is read at all.
        let schemas = principal.scope.branches().filter(|_| !all).cloned();
        let filter = EditionFilter { schemas, limit: Some(MOST), ..EditionFilter::default() };
        let mut rows = door.0.catalog.editions(&filter).await?;
        rows.retain(|row| all || may_see(door, principal, row));
        let rows = &rows;
        table(
            self.schema(),
            vec![
                texts(rows.iter().map(|row| Some(&row.id))),
                texts(rows.iter().map(|row| Some(&row.report))),
                texts(rows.iter().map(|row| Some(&row.scope))),
                texts(rows.iter().map(|row| Some(&row.period))),
                Arc::new(rows.iter().map(|row| Some(i64::from(row.version))).collect::<Int64Array>()),
                Arc::new(rows.iter().map(|row| Some(row.as_of)).collect::<Date32Array>()),
                Arc::new(rows.iter().map(|row| Some(row.snapshot_id)).collect::<Int64Array>()),
                times(rows.iter().map(|row| Some(row.published_at))),
                texts(rows.iter().map(|row| Some(&row.schedule))),
                texts(rows.iter().map(|row| Some(&row.run_key))),
                Arc::new(rows.iter().map(|row| row.changes).collect::<Int64Array>()),
                times(rows.iter().map(|row| row.keep_until)),
                times(rows.iter().map(|row| row.removed_at)),
            ],
        )
    }
}

fn may_see(door: &Door, principal: &Principal, row: &EditionRow) -> bool {
    let audience = row.reading["audience"].as_array();
    let named = |role: &serde_json::Value| role.as_str().is_some_and(|role| principal.has_role(role));
    let only = principal.only.reports.as_ref().is_none_or(|only| only.contains(&row.report));
    only && audience.is_none_or(|roles| roles.is_empty() || roles.iter().any(named))
        && serde_json::from_value::<Reading>(row.reading.clone()).is_ok_and(|reading| door.sees(principal, &reading))
}
