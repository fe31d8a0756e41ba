//! `system.deliveries`: what was sent to whom: one's own, and all for those who look after publication.

use std::sync::Arc;

use arrow::array::Int64Array;
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;

use super::{Door, SystemTable, keeps_publication, schema, table, texts, times, timestamp};
use crate::auth::Principal;
use crate::error::Result;
use crate::warehouse::Snapshot;

/// Deliveries that are shown, the latest.
const MOST: u32 = 100_000;

pub(super) struct Deliveries;

#[async_trait]
impl SystemTable for Deliveries {
    fn name(&self) -> &'static str {
        "deliveries"
    }

    fn description(&self) -> &'static str {
        "Sendings of editions and notices: to whom, by which channel, and what is known of each"
    }

    fn schema(&self) -> SchemaRef {
        schema(&[
            ("delivery", DataType::Utf8),
            ("edition", DataType::Utf8),
            ("notice", DataType::Utf8),
            ("run_id", DataType::Int64),
            ("channel", DataType::Utf8),
            ("recipient", DataType::Utf8),
            ("state", DataType::Utf8),
            ("tries", DataType::Int64),
            ("size_bytes", DataType::Int64),
            ("answer", DataType::Utf8),
            ("planned_at", timestamp()),
            ("changed_at", timestamp()),
            ("next_at", timestamp()),
        ])
    }

    async fn provider(&self, door: &Door, principal: &Principal, _: &Arc<Snapshot>) -> Result<Arc<dyn TableProvider>> {
        let mut rows = door.0.catalog.deliveries(None, MOST).await?;
        rows.retain(|row| keeps_publication(principal) || row.address.is_some() && row.recipient == principal.name);
        table(
            self.schema(),
            vec![
                texts(rows.iter().map(|row| Some(&row.key))),
                texts(rows.iter().map(|row| row.edition.as_ref())),
                texts(rows.iter().map(|row| row.notice.as_ref())),
                Arc::new(rows.iter().map(|row| row.run_id).collect::<Int64Array>()),
                texts(rows.iter().map(|row| Some(&row.channel))),
                texts(rows.iter().map(|row| Some(&row.recipient))),
                texts(rows.iter().map(|row| Some(&row.state))),
                Arc::new(rows.iter().map(|row| Some(row.tries)).collect::<Int64Array>()),
                Arc::new(rows.iter().map(|row| row.bytes).collect::<Int64Array>()),
                texts(rows.iter().map(|row| Some(&row.answer))),
                times(rows.iter().map(|row| Some(row.planned_at))),
                times(rows.iter().map(|row| Some(row.changed_at))),
                times(rows.iter().map(|row| row.next_at)),
            ],
        )
    }
}
