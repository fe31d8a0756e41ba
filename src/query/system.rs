//! Schema `system`: the server's own records as tables, each cut to what the principal may see.
//!
//! A further table is one file and one line of [`SYSTEM_TABLES`].

mod alerts;
mod audit;
mod certificates;
mod closes;
mod deliveries;
mod editions;
mod loads;
mod queries;
mod rejects;
mod rollups;
mod runs;
mod snapshots;
mod tie_outs;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;

use super::Door;
use crate::auth::{Only, Principal, Scope};
use crate::error::{Error, Result};
use crate::warehouse::Snapshot;

/// A table of the schema `system`.
#[async_trait]
pub(super) trait SystemTable: Sync {
    /// Its name.
    fn name(&self) -> &'static str;
    /// One sentence.
    fn description(&self) -> &'static str;
    /// Its columns.
    fn schema(&self) -> SchemaRef;
    /// Its rows for a principal at a snapshot.
    async fn provider(
        &self,
        door: &Door,
        principal: &Principal,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Arc<dyn TableProvider>>;
}

/// All of them.
pub(super) const SYSTEM_TABLES: &[&dyn SystemTable] = &[
    &alerts::Alerts,
    &audit::Audit,
    &certificates::Certificates,
    &closes::Closes,
    &deliveries::Deliveries,
    &editions::Editions,
    &loads::Loads,
    &queries::Queries,
    &rejects::Rejects,
    &rollups::Rollups,
    &runs::Runs,
    &snapshots::Snapshots,
    &tie_outs::TieOuts,
];

/// Whether a principal looks after publication: sees its records, which hold no figures.
fn keeps_publication(principal: &Principal) -> bool {
    // Of the whole bank, and not by a token that was narrowed: messages name branches and what does not foot.
    principal.scope == Scope::HeadOffice
        && principal.only == Only::default()
        && ["administrator", "publisher", "auditor"].iter().any(|role| principal.has_role(role))
}

fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    let fields = columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn times(values: impl Iterator<Item = Option<jiff::Timestamp>>) -> ArrayRef {
    let array: TimestampMicrosecondArray = values.map(|time| time.map(|time| time.as_microsecond())).collect();
    Arc::new(array.with_timezone("UTC"))
}

fn texts<T: AsRef<str>>(values: impl Iterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn table(schema: SchemaRef, columns: Vec<ArrayRef>) -> Result<Arc<dyn TableProvider>> {
    let fault = |error: datafusion::error::DataFusionError| Error::internal("cannot show a system table", error);
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|error| fault(error.into()))?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]]).map_err(fault)?))
}
