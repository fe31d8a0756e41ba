//! `system.runs`: scheduled work, for those who look after publication.

use std::sync::Arc;

use arrow::array::{BooleanArray, Date32Array, Int64Array};
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;

use super::{Door, SystemTable, keeps_publication, schema, table, texts, times, timestamp};
use crate::auth::Principal;
use crate::error::Result;
use crate::warehouse::Snapshot;

/// Runs that are shown, the newest.
const MOST: u32 = 100_000;

pub(super) struct Runs;

#[async_trait]
impl SystemTable for Runs {
    fn name(&self) -> &'static str {
        "runs"
    }

    fn description(&self) -> &'static str {
        "Runs of schedules: what each was for, and how it ended"
    }

    fn schema(&self) -> SchemaRef {
        schema(&[
            ("run_id", DataType::Int64),
            ("schedule", DataType::Utf8),
            ("logical", DataType::Utf8),
            ("cause", DataType::Utf8),
            ("as_of", DataType::Date32),
            ("is_partial", DataType::Boolean),
            ("state", DataType::Utf8),
            ("tries", DataType::Int64),
            ("created_at", timestamp()),
            ("started_at", timestamp()),
            ("finished_at", timestamp()),
            ("message", DataType::Utf8),
        ])
    }

    async fn provider(&self, door: &Door, principal: &Principal, _: &Arc<Snapshot>) -> Result<Arc<dyn TableProvider>> {
        let rows = match keeps_publication(principal) {
            true => door.0.catalog.runs(None, MOST).await?,
            false => Vec::new(),
        };
        table(
            self.schema(),
            vec![
                Arc::new(rows.iter().map(|row| Some(row.id)).collect::<Int64Array>()),
                texts(rows.iter().map(|row| Some(&row.schedule))),
                texts(rows.iter().map(|row| Some(&row.logical))),
                texts(rows.iter().map(|row| Some(&row.cause))),
                Arc::new(rows.iter().map(|row| row.as_of).collect::<Date32Array>()),
                Arc::new(rows.iter().map(|row| Some(row.partial)).collect::<BooleanArray>()),
                texts(rows.iter().map(|row| Some(&row.state))),
                Arc::new(rows.iter().map(|row| Some(row.tries)).collect::<Int64Array>()),
                times(rows.iter().map(|row| Some(row.created_at))),
                times(rows.iter().map(|row| row.started_at)),
                times(rows.iter().map(|row| row.finished_at)),
                texts(rows.iter().map(|row| Some(&row.message))),
            ],
        )
    }
}
