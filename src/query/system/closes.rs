//! `system.closes`: which branches have closed the newest business date; of those that a principal may see.

use std::sync::Arc;

use arrow::array::{BooleanArray, Date32Array};
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;

use super::{Door, SystemTable, schema, table, texts};
use crate::auth::Principal;
use crate::error::Result;
use crate::warehouse::Snapshot;

pub(super) struct Closes;

#[async_trait]
impl SystemTable for Closes {
    fn name(&self) -> &'static str {
        "closes"
    }

    fn description(&self) -> &'static str {
        "Which branches have closed the newest business date: what publication waits for"
    }

    fn schema(&self) -> SchemaRef {
        schema(&[
            ("branch", DataType::Utf8),
            ("branch_name", DataType::Utf8),
            ("business_date", DataType::Date32),
            ("is_closed", DataType::Boolean),
        ])
    }

    async fn provider(
        &self,
        door: &Door,
        principal: &Principal,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Arc<dyn TableProvider>> {
        let open = door.completeness(snapshot).await?.open;
        let all = door.branches(snapshot).await?;
        let rows: Vec<_> = all.iter().filter(|branch| principal.scope.holds(&branch.key)).collect();
        table(
            self.schema(),
            vec![
                texts(rows.iter().map(|branch| Some(&branch.key))),
                texts(rows.iter().map(|branch| Some(&branch.name))),
                Arc::new(rows.iter().map(|_| Some(snapshot.as_of)).collect::<Date32Array>()),
                Arc::new(rows.iter().map(|branch| Some(!open.contains(&branch.key))).collect::<BooleanArray>()),
            ],
        )
    }
}
