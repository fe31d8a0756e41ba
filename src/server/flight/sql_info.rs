//! What the server says of itself: the 91 published ids of GetSqlInfo, each in its child of the union, and no other id.
//!
//! A wrong child makes ODBC read wild memory and JDBC throw; a missing id stops older JDBC drivers, and an unknown one all of
//! them. The builder of `arrow_flight` cannot say null, so the union is put together here.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BooleanBuilder, Int32Builder, Int64Builder, ListBuilder, MapBuilder, MapFieldNames, RecordBatch,
    StringBuilder, UInt32Array, UnionArray,
};
use arrow::compute::can_cast_types;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, UnionFields};
use arrow::error::ArrowError;

use crate::error::{Error, Result};

/// A value, by the child it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(Option<&'static str>),
    Bool(bool),
    Long(i64),
    Int(i32),
    Texts(&'static [&'static str]),
    Map(BTreeMap<i32, Vec<i32>>),
}

/// Bytes that a statement may have.
pub(super) const MAX_STATEMENT: usize = 65_536;

/// Words that are reserved here and not in SQL:2003.
const KEYWORDS: &[&str] = &["ANTI", "EXPLAIN", "ILIKE", "LIMIT", "OFFSET", "QUALIFY", "SEMI"];

const NUMERIC_FUNCTIONS: &[&str] =
    &["abs", "ceil", "exp", "floor", "ln", "log10", "power", "round", "signum", "sqrt", "trunc"];

const STRING_FUNCTIONS: &[&str] = &[
    "ascii",
    "btrim",
    "character_length",
    "chr",
    "concat",
    "concat_ws",
    "ends_with",
    "left",
    "lower",
    "lpad",
    "ltrim",
    "octet_length",
    "repeat",
    "replace",
    "reverse",
    "right",
    "rpad",
    "rtrim",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "translate",
    "upper",
];

const SYSTEM_FUNCTIONS: &[&str] = &["coalesce", "nullif"];

const DATETIME_FUNCTIONS: &[&str] =
    &["date_bin", "date_part", "date_trunc", "make_date", "to_char", "to_date", "to_timestamp"];

/// The types of `SqlSupportsConvert` that the wire has, and what stands for each.
fn convertible() -> Vec<(i32, DataType)> {
    vec![
        (0, DataType::Int64),
        (2, DataType::Boolean),
        (4, DataType::Date32),
        (5, DataType::Decimal128(18, 2)),
        (6, DataType::Float64),
        (7, DataType::Int32),
        (12, DataType::Decimal128(18, 2)),
        (13, DataType::Float32),
        (14, DataType::Int16),
        (15, DataType::Time64(TimeUnit::Microsecond)),
        (16, DataType::Timestamp(TimeUnit::Microsecond, None)),
        (17, DataType::Int8),
        (18, DataType::Binary),
        (19, DataType::Utf8),
    ]
}

/// All rows, by id.
fn values() -> BTreeMap<u32, Value> {
    let mut all = BTreeMap::new();
    let text: [(u32, Option<&'static str>); 11] = [
        (0, Some("Countinghouse")),
        (1, Some(env!("CARGO_PKG_VERSION"))),
        (2, Some(arrow::ARROW_VERSION)),
        (6, None),
        (7, None),
        (504, Some("\"")),
        (513, Some("\\")),
        (514, Some("")),
        (529, Some("schema")),
        (530, Some("")),
        (531, Some("catalog")),
    ];
    all.extend(text.map(|(id, value)| (id, Value::Text(value))));

    let yes = [3, 4, 9, 506, 515, 516, 518, 520, 521, 523, 532, 539, 563];
    // 524: whoever loads holds the rule that a column is required, and no table says so.
    let no = [5, 10, 11, 500, 501, 502, 519, 524, 527, 536, 537, 556, 565, 566, 572, 573, 574, 575, 576];
    all.extend(yes.map(|id| (id, Value::Bool(true))));
    all.extend(no.map(|id| (id, Value::Bool(false))));

    // 0 says that there is no limit.
    all.extend((541..=555).chain(557..=561).map(|id| (id, Value::Long(0))));
    all.insert(557, Value::Long(MAX_STATEMENT as i64));

    let numbers = [
        (8, 1), // read transactions, no savepoints
        (100, 43_200_000),
        (101, 1_800_000),
        (503, 3), // identifiers are kept in lower case
        (505, 0),
        (507, 0), // nulls sort high
        (522, 3),
        (525, 3),
        (526, 1),
        (528, 2),
        (538, 7),
        (540, 3),
        (562, 2),
        (564, 12),
        (567, 2),
        (569, 2),
    ];
    all.extend([533, 534, 535, 568, 570, 571].map(|id| (id, Value::Int(0))));
    all.extend(numbers.map(|(id, value)| (id, Value::Int(value))));

    all.insert(508, Value::Texts(KEYWORDS));
    all.insert(509, Value::Texts(NUMERIC_FUNCTIONS));
    all.insert(510, Value::Texts(STRING_FUNCTIONS));
    all.insert(511, Value::Texts(SYSTEM_FUNCTIONS));
    all.insert(512, Value::Texts(DATETIME_FUNCTIONS));

    let types = convertible();
    let casts = types.iter().map(|(from, from_type)| {
        let targets = types.iter().filter(|(to, to_type)| to != from && can_cast_types(from_type, to_type));
        (*from, targets.map(|(to, _)| *to).collect())
    });
    all.insert(517, Value::Map(casts.collect()));
    all
}

static VALUES: LazyLock<BTreeMap<u32, Value>> = LazyLock::new(values);

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("info_name", DataType::UInt32, false),
        Field::new("value", DataType::Union(children(), arrow::datatypes::UnionMode::Dense), false),
    ]))
});

fn children() -> UnionFields {
    let item = |data_type| Arc::new(Field::new("item", data_type, true));
    let entries = Field::new(
        "entries",
        DataType::Struct(
            vec![
                // Java looks for these two names, others for their places.
                Field::new("key", DataType::Int32, false),
                Field::new("value", DataType::List(item(DataType::Int32)), true),
            ]
            .into(),
        ),
        false,
    );
    UnionFields::from_fields(vec![
        Field::new("string_value", DataType::Utf8, true),
        Field::new("bool_value", DataType::Boolean, true),
        Field::new("bigint_value", DataType::Int64, true),
        Field::new("int32_bitmask", DataType::Int32, true),
        Field::new("string_list", DataType::List(item(DataType::Utf8)), true),
        Field::new("int32_to_int32_list_map", DataType::Map(Arc::new(entries), false), true),
    ])
}

/// The schema of the answer.
pub(super) fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// The rows of these ids, in order of id; all when none is named. Unknown ids are skipped.
pub(super) fn batch(ids: &[u32]) -> Result<RecordBatch> {
    let rows: Vec<(u32, &Value)> =
        VALUES.iter().filter(|(id, _)| ids.is_empty() || ids.contains(id)).map(|(id, value)| (*id, value)).collect();
    build(&rows).map_err(|fault| Error::internal("Cannot build the answer to GetSqlInfo", fault))
}

fn build(rows: &[(u32, &Value)]) -> Result<RecordBatch, ArrowError> {
    let mut texts = StringBuilder::new();
    let mut bools = BooleanBuilder::new();
    let mut longs = Int64Builder::new();
    let mut ints = Int32Builder::new();
    let mut lists = ListBuilder::new(StringBuilder::new());
    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    let mut maps = MapBuilder::new(Some(names), Int32Builder::new(), ListBuilder::new(Int32Builder::new()));
    let (mut kinds, mut counts) = (Vec::with_capacity(rows.len()), [0_i32; 6]);
    let mut offsets = Vec::with_capacity(rows.len());
    for (_, value) in rows {
        let child: u8 = match value {
            Value::Text(value) => {
                texts.append_option(*value);
                0
            }
            Value::Bool(value) => {
                bools.append_value(*value);
                1
            }
            Value::Long(value) => {
                longs.append_value(*value);
                2
            }
            Value::Int(value) => {
                ints.append_value(*value);
                3
            }
            Value::Texts(values) => {
                lists.append_value(values.iter().map(Some));
                4
            }
            Value::Map(map) => {
                for (key, values) in map {
                    maps.keys().append_value(*key);
                    maps.values().append_value(values.iter().copied().map(Some));
                }
                maps.append(true)?;
                5
            }
        };
        kinds.push(child.cast_signed());
        let count = &mut counts[usize::from(child)];
        offsets.push(*count);
        *count += 1;
    }
    let children_data: Vec<ArrayRef> = vec![
        Arc::new(texts.finish()),
        Arc::new(bools.finish()),
        Arc::new(longs.finish()),
        Arc::new(ints.finish()),
        Arc::new(lists.finish()),
        Arc::new(maps.finish()),
    ];
    let union = UnionArray::try_new(children(), kinds.into(), Some(offsets.into()), children_data)?;
    let names = UInt32Array::from_iter_values(rows.iter().map(|(id, _)| *id));
    RecordBatch::try_new(schema(), vec![Arc::new(names), Arc::new(union)])
}

#[cfg(test)]
mod tests;
