//! `system.certificates`: what was checked of the tables that joins rely on.

use std::sync::Arc;

use arrow::array::Int64Array;
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;

use super::{Door, SystemTable, schema, table, texts};
use crate::auth::{Principal, Scope};
use crate::error::Result;
use crate::warehouse::Snapshot;

pub(super) struct Certificates;

#[async_trait]
impl SystemTable for Certificates {
    fn name(&self) -> &'static str {
        "certificates"
    }

    fn description(&self) -> &'static str {
        "Keys that every publication checks: those of dimensions, which identify a row, and those that facts hold, each of \
         which is one of its dimension"
    }

    fn schema(&self) -> SchemaRef {
        schema(&[
            ("snapshot_id", DataType::Int64),
            ("table_name", DataType::Utf8),
            ("column_name", DataType::Utf8),
            ("certifies", DataType::Utf8),
            ("dimension_table", DataType::Utf8),
            ("table_rows", DataType::Int64),
        ])
    }

    async fn provider(
        &self,
        door: &Door,
        principal: &Principal,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Arc<dyn TableProvider>> {
        let mut rows: Vec<(&str, String, &str, Option<String>, i64)> = Vec::new();
        // It counts the rows of all branches, so it is told to those who may read them all.
        let tables = door.0.cubes.tables.keys().filter(|_| principal.scope == Scope::HeadOffice);
        for name in tables {
            let Some(certificate) = snapshot.certificate(name) else { continue };
            let count = i64::try_from(certificate.rows).unwrap_or(i64::MAX);
            rows.extend(certificate.key.map(|key| (name.as_str(), key, "unique", None, count)));
            let references = certificate.references.into_iter();
            rows.extend(references.map(|(column, of)| (name.as_str(), column, "reference", Some(of), count)));
        }
        table(
            self.schema(),
            vec![
                Arc::new(rows.iter().map(|_| Some(snapshot.id)).collect::<Int64Array>()),
                texts(rows.iter().map(|(name, ..)| Some(name))),
                texts(rows.iter().map(|(_, column, ..)| Some(column))),
                texts(rows.iter().map(|(.., certifies, _, _)| Some(certifies))),
                texts(rows.iter().map(|(.., of, _)| of.as_deref())),
                Arc::new(rows.iter().map(|(.., count)| Some(*count)).collect::<Int64Array>()),
            ],
        )
    }
}
