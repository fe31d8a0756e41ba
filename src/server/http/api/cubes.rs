//! `GET /api/cubes`, `GET /api/cubes/{name}`: the model, as far as this principal may see it.
//!
//! What may be seen is what the door lists; the model only explains it. A column that the door does not list is left out here
//! too, so the two can never differ.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::rows::type_name;
use crate::error::{Code, Error, Result};
use crate::model::cube::{Additivity, Attribute, Cube, Good, Join, Measure, Model, State as Kept, TimeRule};
use crate::model::table::{DataType, Sensitivity};
use crate::query::{TableInfo, TableKind};
use crate::server::http::App;
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;
use crate::server::http::session::Caller;

/// The cubes a principal may see, by name, each with the schemas it stands in. Its columns are the same in all of them.
pub(in crate::server::http) async fn visible(app: &App, caller: &Caller) -> Result<BTreeMap<String, Vec<TableInfo>>> {
    let mut cubes: BTreeMap<String, Vec<TableInfo>> = BTreeMap::new();
    for table in app.services.door.tables(&caller.principal).await? {
        if table.kind == TableKind::Cube {
            cubes.entry(table.name.clone()).or_default().push(table);
        }
    }
    Ok(cubes)
}

/// `GET /api/cubes`.
pub(in crate::server::http) async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Value>, Failure> {
    let model = app.services.door.model();
    let cubes: Vec<Value> = visible(&app, &caller)
        .await?
        .iter()
        .filter_map(|(name, tables)| {
            let cube = model.cube(name)?;
            Some(json!({
                "name": name,
                "label": cube.label,
                "description": cube.description,
                "schemas": tables.iter().map(|table| &table.schema).collect::<Vec<_>>(),
                "measures": cube.measures.iter().map(|measure| &*measure.name).collect::<Vec<_>>(),
                "href": format!("/api/cubes/{name}"),
            }))
        })
        .collect();
    let default = app.services.door.default_schema(&caller.principal);
    Ok(Json(json!({"default_schema": default, "cubes": cubes})))
}

/// `GET /api/cubes/{name}`.
pub(in crate::server::http) async fn one(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<Value>, Failure> {
    let visible = visible(&app, &caller).await?;
    let model = app.services.door.model();
    let found = visible.get(&name).and_then(|tables| Some((model.cube(&name)?, tables)));
    let Some((cube, tables)) = found else {
        return Err(Error::new(Code::NoSuchObject, format!("There is no cube `{name}`.")).into());
    };
    let mut value = describe(model, cube, &tables[0]);
    value["schemas"] = tables.iter().map(|table| table.schema.clone()).collect();
    value["default_schema"] = app.services.door.default_schema(&caller.principal).into();
    Ok(Json(value))
}

fn describe(model: &Model, cube: &Cube, table: &TableInfo) -> Value {
    let types: BTreeMap<&str, &'static str> =
        table.arrow.fields().iter().map(|field| (field.name().as_str(), type_name(field.data_type()))).collect();
    let time = cube.time.as_ref().map(|time| {
        let levels: Vec<&str> =
            time.levels.iter().map(|level| level.as_str()).filter(|level| types.contains_key(level)).collect();
        json!({"key": &*time.key, "levels": levels})
    });
    let dimensions: Vec<Value> = cube.joins.iter().filter_map(|join| dimension(model, join, &types)).collect();
    let measures: Vec<Value> = cube
        .measures
        .iter()
        .filter(|measure| types.contains_key(measure.name.as_str()))
        .map(describe_measure)
        .collect();
    let columns: Vec<Value> = types.iter().map(|(name, kind)| json!({"name": name, "type": kind})).collect();
    json!({
        "name": &*cube.name,
        "label": cube.label,
        "description": cube.description,
        "time": time,
        "dimensions": dimensions,
        "attributes": attributes(&cube.attributes, |name| Some((name.to_owned(), *types.get(name)?))),
        "measures": measures,
        "columns": columns,
    })
}

/// A dimension in the role it plays in this cube. None when no column of it may be seen.
fn dimension(model: &Model, join: &Join, types: &BTreeMap<&str, &'static str>) -> Option<Value> {
    let dimension = model.dimension(&join.dimension)?;
    let column = |name: &str| match &join.role {
        Some(role) => format!("{}_{name}", role.value),
        None => name.to_owned(),
    };
    let seen = |name: &str| types.get(column(name).as_str()).map(|kind| (column(name), *kind));
    let hierarchies: Vec<Value> = dimension
        .hierarchies
        .iter()
        .filter_map(|hierarchy| {
            let levels: Vec<Value> = hierarchy
                .levels
                .iter()
                .filter_map(|level| {
                    let (column, kind) = seen(&level.name)?;
                    Some(json!({
                        "name": &*level.name, "column": column, "type": kind, "label": level.label,
                        "sensitivity": sensitivity(level.sensitivity),
                    }))
                })
                .collect();
            (!levels.is_empty()).then(|| json!({"name": &*hierarchy.name, "levels": levels}))
        })
        .collect();
    let attributes = attributes(&dimension.attributes, seen);
    if hierarchies.is_empty() && attributes.is_empty() {
        return None;
    }
    Some(json!({
        "name": &*dimension.name,
        "role": join.role.as_ref().map(|role| &role.value),
        "label": dimension.label,
        "description": dimension.description,
        "hierarchies": hierarchies,
        "attributes": attributes,
    }))
}

/// Attributes that may be seen; `seen` gives the cube's column and its type.
fn attributes(attributes: &[Attribute], seen: impl Fn(&str) -> Option<(String, &'static str)>) -> Vec<Value> {
    attributes
        .iter()
        .filter(|attribute| !attribute.hidden)
        .filter_map(|attribute| {
            let (column, kind) = seen(&attribute.name)?;
            Some(json!({
                "name": &*attribute.name, "column": column, "type": kind, "label": attribute.label,
                "sensitivity": sensitivity(attribute.sensitivity),
            }))
        })
        .collect()
}

fn describe_measure(measure: &Measure) -> Value {
    json!({
        "name": &*measure.name,
        "label": measure.label,
        "description": measure.description,
        "state": state(&measure.state),
        "time_rule": time_rule(&measure.time),
        "additivity": additivity(measure.additivity()),
        "type": data_type(measure.data_type),
        "unit": measure.unit,
        "good": match measure.good { Good::Up => "up", Good::Down => "down", Good::None => "none" },
        "role": measure.role,
        "aggregate": measure.declared_aggregate(),
        "call": calls(measure),
    })
}

/// Every way to call a measure in SQL, the plainest first.
pub(in crate::server::http) fn calls(measure: &Measure) -> Vec<String> {
    let name = &*measure.name;
    let declared = measure.declared_aggregate().map(|aggregate| match aggregate.to_ascii_lowercase().as_str() {
        "count_distinct" => format!("COUNT(DISTINCT {name})"),
        other => format!("{}({name})", other.to_ascii_uppercase()),
    });
    declared.into_iter().chain([format!("MEASURE({name})"), format!("AGG({name})")]).collect()
}

/// Stable text of an additivity; also the stem of its words.
pub(in crate::server::http) fn additivity(additivity: Additivity) -> &'static str {
    match additivity {
        Additivity::Additive => "additive",
        Additivity::SemiAdditive => "semi_additive",
        Additivity::NonAdditive => "non_additive",
    }
}

fn state(state: &Kept) -> &'static str {
    match state {
        Kept::Sum { .. } => "sum",
        Kept::Count { .. } => "count",
        Kept::Min { .. } => "min",
        Kept::Max { .. } => "max",
        Kept::Average { .. } => "avg",
        Kept::Ratio { .. } => "ratio",
        Kept::Distinct { .. } => "distinct",
        Kept::Variance { .. } => "variance",
        Kept::StandardDeviation { .. } => "stddev",
        Kept::Derived(_) => "derived",
    }
}

/// Stable text of a time rule; also the stem of its words.
pub(in crate::server::http) fn time_rule(rule: &TimeRule) -> &'static str {
    match rule {
        TimeRule::All => "all",
        TimeRule::Close => "close",
        TimeRule::AverageDaily { .. } => "average_daily",
        TimeRule::LastSeen => "last_seen",
    }
}

/// As definition files write it, but money as the decimal that it is.
fn data_type(data_type: DataType) -> String {
    match data_type {
        DataType::Decimal(precision, scale) => format!("decimal({precision},{scale})"),
        other => other.to_string(),
    }
}

fn sensitivity(sensitivity: Sensitivity) -> &'static str {
    match sensitivity {
        Sensitivity::C1 => "C1",
        Sensitivity::C2 => "C2",
    }
}
