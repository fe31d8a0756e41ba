//! `EXPLAIN`: where a statement's figures come from, in words. The engine's own plan is not shown: it names files.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};

use super::Completeness;
use crate::cube::Route;
use crate::error::{Error, Result};
use crate::warehouse::Snapshot;

/// Stale partitions that are named; the others are counted.
const NAMED: usize = 5;

/// The report as rows of `item` and `detail`.
pub(super) fn plan(routes: &[Route], snapshot: &Snapshot, completeness: &Completeness) -> Result<LogicalPlan> {
    let as_of = crate::model::time::iso(snapshot.as_of);
    let mut rows = vec![("snapshot", format!("{}, as of {as_of}", snapshot.id))];
    if completeness.of > 0 {
        let mut detail = format!("{} of {} branches", completeness.closed, completeness.of);
        if !completeness.open.is_empty() {
            let _ = write!(detail, "; open: {}", completeness.open.join(", "));
        }
        rows.push(("complete", detail));
    }
    for route in routes {
        let comparison = route.comparison.as_ref().map(|days| format!(", {days}")).unwrap_or_default();
        let history = route.history.as_ref().map(|history| format!(", members {history}")).unwrap_or_default();
        rows.push(("cube", format!("{}{comparison}{history}", route.cube)));
        let mut sources = Vec::new();
        if let Some(rollup) = &route.rollup {
            sources.push(format!("rollup {rollup}, {} rows", route.rollup_rows));
        }
        if route.rollup.is_none() || route.fact_rows > 0 {
            sources.push(format!("facts, {} rows", route.fact_rows));
        }
        rows.push(("answer", sources.join("; ")));
        if !route.stale.is_empty() {
            let named = route.stale.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            let more = route.stale.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            rows.push(("stale", format!("C8 STALE: {named}{more}")));
        }
        if route.cut {
            rows.push(("cut", "days of periods that the question cuts come from the facts".to_owned()));
        }
        for refusal in &route.refused {
            let detail = format!("{}   {} {}: {}", refusal.rollup, refusal.check, refusal.code, refusal.detail);
            rows.push(("refused", detail));
        }
    }
    let fault = |error: datafusion::error::DataFusionError| Error::internal("cannot explain", error);
    let schema = Arc::new(Schema::new(vec![
        Field::new("item", DataType::Utf8, true),
        Field::new("detail", DataType::Utf8, true),
    ]));
    let items: StringArray = rows.iter().map(|(item, _)| Some(*item)).collect();
    let details: StringArray = rows.iter().map(|(_, detail)| Some(detail.as_str())).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(items), Arc::new(details)])
        .map_err(|error| fault(error.into()))?;
    let table = MemTable::try_new(schema, vec![vec![batch]]).map_err(fault)?;
    LogicalPlanBuilder::scan("explain", provider_as_source(Arc::new(table)), None)
        .and_then(LogicalPlanBuilder::build)
        .map_err(fault)
}
