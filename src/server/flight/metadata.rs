//! What there is: catalogs, schemas, tables, types, keys. Only what the principal may see, from the principal's own catalog:
//! a forbidden object and a missing one are the same.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, BinaryArray, Int32Array, RecordBatch, StringArray, UInt8Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::sql::metadata::{XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder};
use arrow_flight::sql::{
    Command, CommandGetDbSchemas, CommandGetTables, Nullable, Searchable, XdbcDataType, XdbcDatetimeSubcode,
};

use super::session::Caller;
use super::{CATALOG, Flight, encode, sql_info};
use crate::error::{Error, Result};
use crate::query::{Reference, TableInfo, TableKind};

fn text(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

/// The schema of a metadata command's answer; none when the command is not one. Clients compare these exactly.
pub(super) fn schema(command: &Command) -> Option<SchemaRef> {
    let number = |name: &str| Field::new(name, DataType::Int32, false);
    let fields = match command {
        Command::CommandGetSqlInfo(_) => return Some(sql_info::schema()),
        Command::CommandGetXdbcTypeInfo(_) => return Some(XDBC_TYPES.schema()),
        Command::CommandGetCatalogs(_) => vec![text("catalog_name", false)],
        Command::CommandGetDbSchemas(_) => vec![text("catalog_name", true), text("db_schema_name", false)],
        Command::CommandGetTables(command) => {
            let mut fields = vec![
                text("catalog_name", true),
                text("db_schema_name", true),
                text("table_name", false),
                text("table_type", false),
            ];
            if command.include_schema {
                fields.push(Field::new("table_schema", DataType::Binary, false));
            }
            fields
        }
        Command::CommandGetTableTypes(_) => vec![text("table_type", false)],
        Command::CommandGetPrimaryKeys(_) => vec![
            text("catalog_name", true),
            text("db_schema_name", true),
            text("table_name", false),
            text("column_name", false),
            text("key_name", true),
            number("key_sequence"),
        ],
        Command::CommandGetImportedKeys(_)
        | Command::CommandGetExportedKeys(_)
        | Command::CommandGetCrossReference(_) => vec![
            text("pk_catalog_name", true),
            text("pk_db_schema_name", true),
            text("pk_table_name", false),
            text("pk_column_name", false),
            text("fk_catalog_name", true),
            text("fk_db_schema_name", true),
            text("fk_table_name", false),
            text("fk_column_name", false),
            number("key_sequence"),
            text("fk_key_name", true),
            text("pk_key_name", true),
            Field::new("update_rule", DataType::UInt8, false),
            Field::new("delete_rule", DataType::UInt8, false),
        ],
        _ => return None,
    };
    Some(Arc::new(Schema::new(fields)))
}

impl Flight {
    /// The answer to a metadata command, all of it in one batch; none when the command is not one.
    pub(super) async fn metadata(&self, caller: &Caller, command: &Command) -> Result<Option<RecordBatch>> {
        let Some(schema) = schema(command) else { return Ok(None) };
        let broken = |fault| Error::internal("Cannot build the answer to a metadata call", fault);
        let build = |columns: Vec<ArrayRef>| RecordBatch::try_new(Arc::clone(&schema), columns).map_err(broken);
        let batch = match command {
            Command::CommandGetSqlInfo(command) => sql_info::batch(&command.info)?,
            Command::CommandGetXdbcTypeInfo(command) => XDBC_TYPES
                .record_batch(command.data_type)
                .map_err(|fault| Error::internal("Cannot build the answer to GetXdbcTypeInfo", fault))?,
            Command::CommandGetCatalogs(_) => build(vec![texts([CATALOG])])?,
            Command::CommandGetTableTypes(_) => build(vec![texts(TABLE_TYPES)])?,
            Command::CommandGetDbSchemas(command) => {
                let tables = self.door.tables(&caller.principal).await?;
                let names = schemas(&tables, command);
                build(vec![texts(names.iter().map(|_| CATALOG)), texts(names)])?
            }
            Command::CommandGetTables(command) => {
                let mut tables = self.door.tables(&caller.principal).await?;
                select(&mut tables, command);
                let mut columns = vec![
                    texts(tables.iter().map(|_| CATALOG)),
                    texts(tables.iter().map(|table| table.schema.as_str())),
                    texts(tables.iter().map(|table| table.name.as_str())),
                    texts(tables.iter().map(|table| table_type(&table.kind))),
                ];
                if command.include_schema {
                    let language = caller.options.language.as_deref().unwrap_or(&self.languages[0]);
                    // Before the first load there are tables without data.
                    let as_of = self.door.head().await.ok().map(|head| crate::model::time::iso(head.as_of));
                    let schemas: Vec<_> = tables
                        .iter()
                        .map(|table| encode::schema_bytes(&table_schema(table, language, as_of.as_deref())))
                        .collect::<Result<_>>()?;
                    columns.push(Arc::new(BinaryArray::from_iter_values(schemas)));
                }
                build(columns)?
            }
            Command::CommandGetPrimaryKeys(command) => {
                let tables = self.door.tables(&caller.principal).await?;
                let wanted = Wanted(&command.catalog, &command.db_schema, &command.table);
                let rows: Vec<(&TableInfo, &String, i32)> = tables
                    .iter()
                    .filter(|table| wanted.is(table))
                    .flat_map(|table| table.key.iter().zip(1..).map(move |(column, n)| (table, column, n)))
                    .collect();
                build(vec![
                    texts(rows.iter().map(|_| CATALOG)),
                    texts(rows.iter().map(|(table, ..)| &table.schema)),
                    texts(rows.iter().map(|(table, ..)| &table.name)),
                    texts(rows.iter().map(|(_, column, _)| column)),
                    texts(rows.iter().map(|(table, ..)| table.key_name())),
                    Arc::new(rows.iter().map(|(.., n)| Some(*n)).collect::<Int32Array>()),
                ])?
            }
            Command::CommandGetImportedKeys(command) => {
                let wanted = Wanted(&command.catalog, &command.db_schema, &command.table);
                build(self.references(caller, |_, table| wanted.is(table)).await?)?
            }
            Command::CommandGetExportedKeys(command) => {
                let wanted = Wanted(&command.catalog, &command.db_schema, &command.table);
                build(self.references(caller, |other, _| wanted.is(other)).await?)?
            }
            Command::CommandGetCrossReference(command) => {
                let to = Wanted(&command.pk_catalog, &command.pk_db_schema, &command.pk_table);
                let from = Wanted(&command.fk_catalog, &command.fk_db_schema, &command.fk_table);
                build(self.references(caller, |other, table| to.is(other) && from.is(table)).await?)?
            }
            _ => RecordBatch::new_empty(schema),
        };
        Ok(Some(batch))
    }
}

impl Flight {
    /// The references between tables that `wanted` takes of (the table referred to, the table that refers), as the three commands
    /// about foreign keys answer them. Both tables are ones that the principal may see.
    async fn references(
        &self,
        caller: &Caller,
        wanted: impl Fn(&TableInfo, &TableInfo) -> bool,
    ) -> Result<Vec<ArrayRef>> {
        let tables = self.door.tables(&caller.principal).await?;
        let mut rows: Vec<(&TableInfo, &TableInfo, &Reference)> = Vec::new();
        for table in &tables {
            for reference in &table.references {
                let other = tables.iter().find(|other| other.schema == table.schema && other.name == reference.table);
                rows.extend(other.filter(|other| wanted(other, table)).map(|other| (other, table, reference)));
            }
        }
        // In the order that the protocol asks for.
        rows.sort_by_key(|(other, table, reference)| (&other.name, &table.name, &reference.column));
        // One column each; NO ACTION, because rows of the warehouse are never changed from here.
        let ones: ArrayRef = Arc::new(Int32Array::from(vec![1; rows.len()]));
        let no_action: ArrayRef = Arc::new(UInt8Array::from(vec![NO_ACTION; rows.len()]));
        Ok(vec![
            texts(rows.iter().map(|_| CATALOG)),
            texts(rows.iter().map(|(other, ..)| &other.schema)),
            texts(rows.iter().map(|(other, ..)| &other.name)),
            texts(rows.iter().map(|(_, _, reference)| &reference.key)),
            texts(rows.iter().map(|_| CATALOG)),
            texts(rows.iter().map(|(_, table, _)| &table.schema)),
            texts(rows.iter().map(|(_, table, _)| &table.name)),
            texts(rows.iter().map(|(_, _, reference)| &reference.column)),
            ones,
            texts(rows.iter().map(|(_, table, reference)| reference.name(table))),
            texts(rows.iter().map(|(_, _, reference)| reference.key_name())),
            Arc::clone(&no_action),
            no_action,
        ])
    }
}

/// `NO ACTION` as the protocol numbers what becomes of a reference.
const NO_ACTION: u8 = 3;

/// The table that a command about keys names: catalog and schema where given, and the name exactly.
struct Wanted<'a>(&'a Option<String>, &'a Option<String>, &'a str);

impl Wanted<'_> {
    fn is(&self, table: &TableInfo) -> bool {
        let Self(catalog, schema, name) = self;
        in_catalog(catalog.as_deref())
            && schema.as_ref().is_none_or(|schema| schema.is_empty() || *schema == table.schema)
            && *name == table.name
    }
}

fn texts<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// In the order of their names.
const TABLE_TYPES: [&str; 3] = ["SYSTEM TABLE", "TABLE", "VIEW"];

/// Cubes are tables because several tools show nothing else.
fn table_type(kind: &TableKind) -> &'static str {
    match kind {
        TableKind::Cube | TableKind::Base => "TABLE",
        TableKind::Detail => "VIEW",
        TableKind::System => "SYSTEM TABLE",
    }
}

/// A catalog filter names the catalog itself; the empty text asks for objects without a catalog, of which there are none.
fn in_catalog(filter: Option<&str>) -> bool {
    filter.is_none_or(|catalog| catalog == CATALOG)
}

fn schemas<'a>(tables: &'a [TableInfo], command: &CommandGetDbSchemas) -> BTreeSet<&'a str> {
    if !in_catalog(command.catalog.as_deref()) {
        return BTreeSet::new();
    }
    let pattern = command.db_schema_filter_pattern.as_deref();
    tables.iter().map(|table| table.schema.as_str()).filter(|schema| matches(pattern, schema)).collect()
}

/// Keeps what the command asks for, in order of schema, name and type. The table whose name is the pattern itself comes
/// first: some clients pass a bare name with `_` in it and take the first row.
fn select(tables: &mut Vec<TableInfo>, command: &CommandGetTables) {
    let wanted: Vec<String> = command
        .table_types
        .iter()
        .map(|kind| kind.trim().to_ascii_uppercase())
        .map(|kind| if kind == "BASE TABLE" { "TABLE".to_owned() } else { kind })
        .collect();
    let (schema, name) = (command.db_schema_filter_pattern.as_deref(), command.table_name_filter_pattern.as_deref());
    let in_catalog = in_catalog(command.catalog.as_deref());
    tables.retain(|table| {
        in_catalog
            && matches(schema, &table.schema)
            && matches(name, &table.name)
            && (wanted.is_empty() || wanted.iter().any(|kind| kind == table_type(&table.kind)))
    });
    tables.sort_by_cached_key(|table| {
        let elsewhere = schema.is_some_and(|schema| schema != table.schema);
        let other = name.is_some_and(|name| name != table.name);
        (other, elsewhere, table.schema.clone(), table.name.clone(), table_type(&table.kind))
    });
}

/// SQL's `LIKE` with `%`, `_` and the escape `\`; no pattern matches all.
pub(super) fn matches(pattern: Option<&str>, text: &str) -> bool {
    let Some(pattern) = pattern else { return true };
    let mut parts = Vec::new();
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        parts.push(match c {
            '%' => Part::Any,
            '_' => Part::One,
            '\\' => Part::Exactly(characters.next().unwrap_or('\\')),
            c => Part::Exactly(c),
        });
    }
    let text: Vec<char> = text.chars().collect();
    // Greedy with one step back to the last `%`: linear in practice, and never exponential.
    let (mut at, mut part, mut retry) = (0, 0, None);
    while at < text.len() {
        match parts.get(part) {
            Some(Part::Any) => {
                retry = Some((part + 1, at));
                part += 1;
            }
            Some(Part::One) => (at, part) = (at + 1, part + 1),
            Some(Part::Exactly(c)) if *c == text[at] => (at, part) = (at + 1, part + 1),
            _ => match &mut retry {
                Some((after, from)) => {
                    *from += 1;
                    (at, part) = (*from, *after);
                }
                None => return false,
            },
        }
    }
    parts[part..].iter().all(|part| matches!(part, Part::Any))
}

enum Part {
    Any,
    One,
    Exactly(char),
}

/// A table's columns with everything a tool may show; `as_of` is the day that the data stand for.
fn table_schema(table: &TableInfo, language: &str, as_of: Option<&str>) -> Schema {
    let as_of = as_of.filter(|_| table.kind != TableKind::System);
    let fields = table.arrow.fields().iter().map(|field| {
        let mut keys = encode::column_metadata(field);
        let mut add = |key: &str, value: String| keys.insert(format!("ARROW:FLIGHT:SQL:{key}"), value);
        add("CATALOG_NAME", CATALOG.to_owned());
        // The published name, and the one that the libraries for C++, Go and Java look for.
        add("DB_SCHEMA_NAME", table.schema.clone());
        add("SCHEMA_NAME", table.schema.clone());
        add("TABLE_NAME", table.name.clone());
        let remarks = remarks(field.metadata(), language, as_of);
        if !remarks.is_empty() {
            add("REMARKS", remarks);
        }
        Field::new(field.name(), field.data_type().clone(), field.is_nullable()).with_metadata(keys)
    });
    let mut notes = HashMap::new();
    if let Some(description) = in_language(&table.description, language) {
        notes.insert("countinghouse.description".to_owned(), description.clone());
    }
    notes.extend(as_of.map(|day| ("countinghouse.as_of".to_owned(), day.to_owned())));
    Schema::new(fields.collect::<Vec<_>>()).with_metadata(notes)
}

fn in_language<'a>(label: &'a crate::model::Label, language: &str) -> Option<&'a String> {
    label.get(language).or_else(|| label.values().next())
}

/// The business definition, then unit, additivity and sensitivity, and of a measure the day that it stands for.
fn remarks(metadata: &HashMap<String, String>, language: &str, as_of: Option<&str>) -> String {
    let said = |key: &str| metadata.get(key).filter(|value| !value.is_empty());
    let spoken = |key: &str| said(&format!("{key}.{language}"));
    let own = |key: &str| said(&format!("countinghouse:{key}"));
    let parts = [spoken("label"), spoken("description"), own("unit"), own("additivity"), own("sensitivity")];
    let day = as_of.filter(|_| own("additivity").is_some()).map(|day| match language {
        "zh-CN" => format!("数据截至 {day}"),
        _ => format!("as of {day}"),
    });
    parts.into_iter().flatten().cloned().chain(day).collect::<Vec<_>>().join("; ")
}

/// Every type that a result may have.
static XDBC_TYPES: LazyLock<XdbcTypeInfoData> = LazyLock::new(|| {
    let mut types = XdbcTypeInfoDataBuilder::new();
    let plain = |name: &str, kind: XdbcDataType, size: i32| XdbcTypeInfo {
        type_name: name.to_owned(),
        local_type_name: Some(name.to_owned()),
        data_type: kind,
        sql_data_type: kind,
        column_size: Some(size),
        nullable: Nullable::NullabilityNullable,
        searchable: Searchable::Full,
        ..XdbcTypeInfo::default()
    };
    let number = |name: &str, kind, size, radix| XdbcTypeInfo {
        unsigned_attribute: Some(false),
        auto_increment: Some(false),
        num_prec_radix: Some(radix),
        ..plain(name, kind, size)
    };
    let integer = |name: &str, kind, size| XdbcTypeInfo {
        minimum_scale: Some(0),
        maximum_scale: Some(0),
        ..number(name, kind, size, 10)
    };
    let quoted = |info: XdbcTypeInfo| XdbcTypeInfo {
        literal_prefix: Some(format!(
            "{}'",
            if info.case_sensitive { String::new() } else { format!("{} ", info.type_name) }
        )),
        literal_suffix: Some("'".to_owned()),
        ..info
    };
    let moment = |name: &str, kind, size, scale: Option<i32>, code| {
        quoted(XdbcTypeInfo {
            sql_data_type: XdbcDataType::XdbcDatetime,
            datetime_subcode: Some(code),
            minimum_scale: scale.map(|_| 0),
            maximum_scale: scale,
            ..plain(name, kind, size)
        })
    };
    types.append(plain("BOOLEAN", XdbcDataType::XdbcBit, 1));
    types.append(integer("TINYINT", XdbcDataType::XdbcTinyint, 3));
    types.append(integer("SMALLINT", XdbcDataType::XdbcSmallint, 5));
    types.append(integer("INTEGER", XdbcDataType::XdbcInteger, 10));
    types.append(integer("BIGINT", XdbcDataType::XdbcBigint, 19));
    types.append(number("REAL", XdbcDataType::XdbcReal, 24, 2));
    types.append(number("DOUBLE", XdbcDataType::XdbcDouble, 53, 2));
    types.append(XdbcTypeInfo {
        create_params: Some(vec!["precision".to_owned(), "scale".to_owned()]),
        fixed_prec_scale: true,
        minimum_scale: Some(0),
        maximum_scale: Some(38),
        ..number("DECIMAL", XdbcDataType::XdbcDecimal, 38, 10)
    });
    types.append(quoted(XdbcTypeInfo {
        create_params: Some(vec!["length".to_owned()]),
        case_sensitive: true,
        ..plain("VARCHAR", XdbcDataType::XdbcVarchar, i32::MAX)
    }));
    types.append(XdbcTypeInfo {
        literal_prefix: Some("X'".to_owned()),
        literal_suffix: Some("'".to_owned()),
        ..plain("VARBINARY", XdbcDataType::XdbcVarbinary, i32::MAX)
    });
    // The protocol's code for a date is the one it also calls year.
    types.append(moment("DATE", XdbcDataType::XdbcDate, 10, None, XdbcDatetimeSubcode::XdbcSubcodeYear));
    types.append(moment("TIME", XdbcDataType::XdbcTime, 15, Some(6), XdbcDatetimeSubcode::XdbcSubcodeTime));
    types.append(moment(
        "TIMESTAMP",
        XdbcDataType::XdbcTimestamp,
        26,
        Some(6),
        XdbcDatetimeSubcode::XdbcSubcodeTimestamp,
    ));
    types.append(moment(
        "TIMESTAMP WITH TIME ZONE",
        XdbcDataType::XdbcTimestamp,
        32,
        Some(6),
        XdbcDatetimeSubcode::XdbcSubcodeTimestampWithTimezone,
    ));
    types.build().expect("the rows above are complete and of the right types")
});

#[cfg(test)]
mod tests;
