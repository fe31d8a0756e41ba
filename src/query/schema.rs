//! What a principal may see: its own catalog, built from its scope.
//!
//! A schema or table outside it does not exist there, so a forbidden name reads the same as a missing one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::common::Result as PlanResult;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;

use super::rights::Rights;
use super::system::SYSTEM_TABLES;
use super::{Branch, Door, History, Reference, TableInfo, TableKind};
use crate::auth::{Principal, Scope};
use crate::cube::{CubeTable, detail};
use crate::engine::CATALOG;
use crate::error::{Error, Result};
use crate::model::Label;
use crate::model::table::{self as model, Column, Table};
use crate::warehouse::Snapshot;

/// The schema with the cubes of the whole bank.
pub const HEAD_OFFICE: &str = "head_office";
const WAREHOUSE: &str = "warehouse";
const SYSTEM: &str = "system";
const INFORMATION: &str = "information_schema";
const DETAIL_SUFFIX: &str = "_detail";

/// The schemas of a principal.
fn schemas(door: &Door, principal: &Principal, rights: &Rights, branches: &[Branch]) -> Vec<String> {
    let mut schemas = Vec::new();
    if door.0.cubes.iter().any(|(name, _)| rights.has_cube(name)) {
        if principal.scope == Scope::HeadOffice {
            schemas.push(HEAD_OFFICE.to_owned());
        }
        schemas.extend(branches.iter().map(|branch| &branch.key).filter(|key| principal.scope.holds(key)).cloned());
    }
    if rights.base_tables {
        schemas.push(WAREHOUSE.to_owned());
    }
    if has_records(door, principal, rights) {
        schemas.push(door.0.records.schema().to_owned());
    }
    schemas.extend([SYSTEM.to_owned(), INFORMATION.to_owned()]);
    schemas
}

fn has_records(door: &Door, principal: &Principal, rights: &Rights) -> bool {
    rights.has_cube(door.0.records.schema()) && !principal.scope.is_part()
}

/// Every table that the principal may see, by schema and name.
pub(super) fn tables(door: &Door, principal: &Principal, rights: &Rights, branches: &[Branch]) -> Vec<TableInfo> {
    let mut tables = Vec::new();
    for schema in schemas(door, principal, rights, branches) {
        match schema.as_str() {
            WAREHOUSE => tables.extend(door.0.cubes.tables.values().map(|table| TableInfo {
                key: row_key(table),
                references: references(table, &door.0.cubes.tables),
                ..info(&schema, &table.name, TableKind::Base, crate::warehouse::table_schema(table), Label::new())
            })),
            SYSTEM => tables.extend(SYSTEM_TABLES.iter().map(|table| {
                let description = Label::from([("en".to_owned(), table.description().to_owned())]);
                info(&schema, table.name(), TableKind::System, table.schema(), description)
            })),
            INFORMATION => {}
            records if records == door.0.records.schema() => {
                tables.extend(door.0.records.tables().into_iter().map(|(name, description, arrow)| {
                    let description = Label::from([("en".to_owned(), description.to_owned())]);
                    info(&schema, name, TableKind::System, arrow, description)
                }));
            }
            _ => {
                for (name, cube) in door.0.cubes.iter().filter(|(name, _)| rights.has_cube(name)) {
                    let Some(cube) = cube.seen_by(&rights.sight(Some(name))) else { continue };
                    let description = match cube.cube.description.is_empty() {
                        true => cube.cube.label.clone(),
                        false => cube.cube.description.clone(),
                    };
                    tables.push(info(&schema, name, TableKind::Cube, cube.schema(), description));
                    tables.extend(cube.detail_schema().map(|arrow| {
                        let name = format!("{name}{DETAIL_SUFFIX}");
                        info(&schema, &name, TableKind::Detail, arrow, cube.cube.label.clone())
                    }));
                }
            }
        }
    }
    tables.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    tables
}

fn info(schema: &str, name: &str, kind: TableKind, arrow: SchemaRef, description: Label) -> TableInfo {
    let (schema, name) = (schema.to_owned(), name.to_owned());
    TableInfo { schema, name, kind, arrow, description, key: Vec::new(), references: Vec::new() }
}

/// What identifies a row of a dimension: the key that facts hold. Facts are not referred to.
fn row_key(table: &Table) -> Vec<String> {
    match (table.kind, &table.surrogate) {
        (model::TableKind::Fact, _) => Vec::new(),
        (model::TableKind::Dimension, Some(surrogate)) => vec![surrogate.value.clone()],
        (model::TableKind::Dimension, None) => table.key.iter().map(|column| column.value.clone()).collect(),
    }
}

fn references(table: &Table, all: &BTreeMap<String, Table>) -> Vec<Reference> {
    let of = |column: &Column| {
        let other = all.get(column.references.as_ref()?.value.as_str())?;
        let key = other.surrogate.as_ref()?.value.clone();
        Some(Reference { column: column.name.value.clone(), table: other.name.value.clone(), key })
    };
    table.columns.iter().filter_map(of).collect()
}

/// The catalogs of one statement.
#[derive(Clone)]
pub(super) struct Catalogs(Arc<View>);

struct View {
    door: Door,
    principal: Principal,
    rights: Arc<Rights>,
    snapshot: Arc<Snapshot>,
    history: Option<History>,
    branches: Arc<Vec<Branch>>,
    schemas: Vec<String>,
    /// A table of the schema `system` was asked for.
    records: AtomicBool,
}

impl std::fmt::Debug for Catalogs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalogs").field("principal", &self.0.principal.name).finish_non_exhaustive()
    }
}

impl Catalogs {
    pub(super) fn new(
        door: &Door,
        principal: &Principal,
        rights: Arc<Rights>,
        snapshot: Arc<Snapshot>,
        history: Option<History>,
        branches: Arc<Vec<Branch>>,
    ) -> Self {
        let schemas = schemas(door, principal, &rights, &branches);
        Self(Arc::new(View {
            door: door.clone(),
            principal: principal.clone(),
            rights,
            snapshot,
            history,
            branches,
            schemas,
            records: AtomicBool::new(false),
        }))
    }

    /// Whether the statement was given records of the server: rows of this moment and for this principal's name, where all
    /// others follow from the snapshot and the rights. Whatever a statement calls them, it gets them here.
    pub(super) fn gave_records(&self) -> bool {
        self.0.records.load(Ordering::Relaxed)
    }
}

impl CatalogProviderList for Catalogs {
    fn register_catalog(&self, _: String, _: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == CATALOG).then(|| Arc::new(self.clone()) as Arc<dyn CatalogProvider>)
    }
}

impl CatalogProvider for Catalogs {
    fn schema_names(&self) -> Vec<String> {
        self.0.schemas.clone()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let known = self.0.schemas.iter().any(|schema| schema == name);
        known.then(|| {
            Arc::new(OneSchema { view: Arc::clone(&self.0), name: name.to_owned() }) as Arc<dyn SchemaProvider>
        })
    }
}

struct OneSchema {
    view: Arc<View>,
    name: String,
}

impl std::fmt::Debug for OneSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OneSchema").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl SchemaProvider for OneSchema {
    fn table_names(&self) -> Vec<String> {
        let view = &self.view;
        let all = tables(&view.door, &view.principal, &view.rights, &view.branches);
        all.into_iter().filter(|table| table.schema == self.name).map(|table| table.name).collect()
    }

    async fn table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>, DataFusionError> {
        self.provider(name).await.map_err(|error| DataFusionError::External(Box::new(error)))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|known| known == name)
    }
}

impl OneSchema {
    async fn provider(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let View { door, principal, rights, snapshot, history, branches, .. } = &*self.view;
        match self.name.as_str() {
            WAREHOUSE => {
                let Some(table) = door.0.cubes.tables.get(name) else { return Ok(None) };
                crate::cube::table(&door.0.engine, &door.0.warehouse, snapshot, table, None).await.map(Some)
            }
            SYSTEM => match SYSTEM_TABLES.iter().find(|table| table.name() == name) {
                Some(table) => {
                    self.view.records.store(true, Ordering::Relaxed);
                    table.provider(door, principal, snapshot).await.map(Some)
                }
                None => Ok(None),
            },
            INFORMATION => information(name, &tables(door, principal, rights, branches), &self.view.schemas),
            schema if schema == door.0.records.schema() => {
                self.view.records.store(true, Ordering::Relaxed);
                let Some(batch) = door.0.records.rows(name, principal, branches).await? else { return Ok(None) };
                let rows = MemTable::try_new(batch.schema(), vec![vec![batch]]);
                Ok(Some(Arc::new(rows.map_err(|error| Error::internal("cannot show a table of records", error))?)))
            }
            schema => {
                let cut = (schema != HEAD_OFFICE).then(|| BTreeSet::from([schema.to_owned()]));
                let (cube, rows) = match name.strip_suffix(DETAIL_SUFFIX) {
                    Some(cube) if door.0.cubes.get(name).is_none() => (cube, true),
                    _ => (name, false),
                };
                let Some(compiled) = door.0.cubes.get(cube).filter(|_| rights.has_cube(cube)) else { return Ok(None) };
                let history = compiled.history(*history, cut.is_none())?;
                let Some(binding) = door.binding(cube, snapshot, cut.as_ref(), history).await? else {
                    return Ok(None);
                };
                let Some(binding) = binding.seen_by(&rights.sight(Some(cube))) else { return Ok(None) };
                Ok(if rows { detail(binding) } else { Some(Arc::new(CubeTable::new(binding))) })
            }
        }
    }
}

/// `information_schema`, from the principal's own catalog: no settings, no view texts, no routines.
fn information(name: &str, tables: &[TableInfo], schemas: &[String]) -> Result<Option<Arc<dyn TableProvider>>> {
    let text = |values: Vec<String>| Arc::new(StringArray::from(values)) as ArrayRef;
    let columns: Vec<(&str, ArrayRef)> = match name {
        "schemata" => {
            let mut names = schemas.to_vec();
            names.sort();
            vec![("catalog_name", text(vec![CATALOG.to_owned(); names.len()])), ("schema_name", text(names))]
        }
        "tables" => vec![
            ("table_catalog", text(vec![CATALOG.to_owned(); tables.len()])),
            ("table_schema", text(tables.iter().map(|table| table.schema.clone()).collect())),
            ("table_name", text(tables.iter().map(|table| table.name.clone()).collect())),
            (
                "table_type",
                text(
                    tables
                        .iter()
                        .map(|table| match table.kind {
                            TableKind::Detail => "VIEW".to_owned(),
                            TableKind::System => "SYSTEM TABLE".to_owned(),
                            TableKind::Cube | TableKind::Base => "BASE TABLE".to_owned(),
                        })
                        .collect(),
                ),
            ),
        ],
        "columns" => {
            let rows: Vec<(&TableInfo, usize)> = tables
                .iter()
                .flat_map(|table| (0..table.arrow.fields().len()).map(move |index| (table, index)))
                .collect();
            let field = |(table, index): &(&TableInfo, usize)| Arc::clone(&table.arrow.fields()[*index]);
            vec![
                ("table_catalog", text(vec![CATALOG.to_owned(); rows.len()])),
                ("table_schema", text(rows.iter().map(|(table, _)| table.schema.clone()).collect())),
                ("table_name", text(rows.iter().map(|(table, _)| table.name.clone()).collect())),
                ("column_name", text(rows.iter().map(|row| field(row).name().clone()).collect())),
                (
                    "ordinal_position",
                    Arc::new(rows.iter().map(|(_, index)| i64::try_from(index + 1).ok()).collect::<Int64Array>()),
                ),
                ("data_type", text(rows.iter().map(|row| sql_type(field(row).data_type())).collect())),
                (
                    "is_nullable",
                    Arc::new(rows.iter().map(|row| Some(field(row).is_nullable())).collect::<BooleanArray>()),
                ),
            ]
        }
        // Constraints as the standard has them: a key of each dimension, and a reference for each column that holds one.
        "table_constraints" => {
            let rows = constraints(tables);
            vec![
                ("constraint_catalog", text(vec![CATALOG.to_owned(); rows.len()])),
                ("constraint_schema", text(rows.iter().map(|row| row.table.schema.clone()).collect())),
                ("constraint_name", text(rows.iter().map(|row| row.name.clone()).collect())),
                ("table_schema", text(rows.iter().map(|row| row.table.schema.clone()).collect())),
                ("table_name", text(rows.iter().map(|row| row.table.name.clone()).collect())),
                ("constraint_type", text(rows.iter().map(|row| row.kind().to_owned()).collect())),
            ]
        }
        "key_column_usage" => {
            let rows = constraints(tables);
            let columns: Vec<(&Constraint, &String, i64)> = rows
                .iter()
                .flat_map(|row| row.columns.iter().zip(1..).map(move |(column, n)| (row, column, n)))
                .collect();
            vec![
                ("constraint_catalog", text(vec![CATALOG.to_owned(); columns.len()])),
                ("constraint_schema", text(columns.iter().map(|(row, ..)| row.table.schema.clone()).collect())),
                ("constraint_name", text(columns.iter().map(|(row, ..)| row.name.clone()).collect())),
                ("table_schema", text(columns.iter().map(|(row, ..)| row.table.schema.clone()).collect())),
                ("table_name", text(columns.iter().map(|(row, ..)| row.table.name.clone()).collect())),
                ("column_name", text(columns.iter().map(|(_, column, _)| (*column).clone()).collect())),
                ("ordinal_position", Arc::new(columns.iter().map(|(.., n)| Some(*n)).collect::<Int64Array>())),
            ]
        }
        "referential_constraints" => {
            let rows: Vec<_> = constraints(tables).into_iter().filter(|row| row.refers_to.is_some()).collect();
            vec![
                ("constraint_catalog", text(vec![CATALOG.to_owned(); rows.len()])),
                ("constraint_schema", text(rows.iter().map(|row| row.table.schema.clone()).collect())),
                ("constraint_name", text(rows.iter().map(|row| row.name.clone()).collect())),
                ("unique_constraint_schema", text(rows.iter().map(|row| row.table.schema.clone()).collect())),
                ("unique_constraint_name", text(rows.iter().filter_map(|row| row.refers_to.clone()).collect())),
            ]
        }
        _ => return Ok(None),
    };
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let fault = |error: DataFusionError| Error::internal("cannot build the information schema", error);
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns.into_iter().map(|(_, array)| array).collect())
        .map_err(|error| fault(error.into()))?;
    let table = MemTable::try_new(schema, vec![vec![batch]]).map_err(fault)?;
    Ok(Some(Arc::new(table)))
}

struct Constraint<'a> {
    table: &'a TableInfo,
    name: String,
    columns: Vec<String>,
    /// The key that it refers to; none for a key itself.
    refers_to: Option<String>,
}

impl Constraint<'_> {
    fn kind(&self) -> &'static str {
        if self.refers_to.is_some() { "FOREIGN KEY" } else { "PRIMARY KEY" }
    }
}

fn constraints(tables: &[TableInfo]) -> Vec<Constraint<'_>> {
    let keys = tables.iter().filter(|table| !table.key.is_empty());
    let keys =
        keys.map(|table| Constraint { table, name: table.key_name(), columns: table.key.clone(), refers_to: None });
    let references = tables.iter().flat_map(|table| table.references.iter().map(move |reference| (table, reference)));
    let references = references.map(|(table, reference)| Constraint {
        table,
        name: reference.name(table),
        columns: vec![reference.column.clone()],
        refers_to: Some(key_name(&reference.table)),
    });
    keys.chain(references).collect()
}

/// The name of a table's key.
fn key_name(table: &str) -> String {
    format!("{table}_key")
}

impl TableInfo {
    /// The name of its key, as tools show it.
    pub fn key_name(&self) -> String {
        key_name(&self.name)
    }
}

impl Reference {
    /// The name of a reference of `table`.
    pub fn name(&self, table: &TableInfo) -> String {
        format!("{}_{}", table.name, self.column)
    }

    /// The name of the key that it refers to.
    pub fn key_name(&self) -> String {
        key_name(&self.table)
    }
}

fn sql_type(kind: &DataType) -> String {
    match kind {
        DataType::Utf8 => "VARCHAR".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Int32 => "INTEGER".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Timestamp(..) => "TIMESTAMP".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision},{scale})"),
        other => other.to_string(),
    }
}
