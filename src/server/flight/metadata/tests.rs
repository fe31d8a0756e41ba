use arrow::array::AsArray;
use arrow::datatypes::Int32Type;

use super::*;
use crate::model::Label;

#[test]
fn patterns() {
    for (pattern, text) in [
        ("%", ""),
        ("%", "deposits"),
        ("dep%", "deposits"),
        ("%its", "deposits"),
        ("%o%i%", "deposits"),
        ("d_posits", "deposits"),
        ("________", "deposits"),
        ("deposits", "deposits"),
        ("%%", "a"),
        ("a%b%c", "aXbXbc"),
        ("head\\_office", "head_office"),
        ("100\\%", "100%"),
        ("a\\\\b", "a\\b"),
        ("存款%", "存款余额"),
        ("存_", "存款"),
        ("", ""),
        ("a\\", "a\\"),
    ] {
        assert!(matches(Some(pattern), text), "{pattern} {text}");
    }
    for (pattern, text) in [
        ("", "a"),
        ("dep", "deposits"),
        ("_", ""),
        ("Deposits", "deposits"),
        ("head\\_office", "headXoffice"),
        ("100\\%", "1000"),
        ("a%b", "ac"),
        ("存_", "存款额"),
        ("%a", "ab"),
    ] {
        assert!(!matches(Some(pattern), text), "{pattern} {text}");
    }
    assert!(matches(None, "anything"));
    // Not exponential.
    assert!(!matches(Some(&"%a".repeat(40)), &"b".repeat(2_000)));
}

fn table(schema: &str, name: &str, kind: TableKind) -> TableInfo {
    let arrow = Schema::new(vec![
        Field::new("branch", DataType::Utf8, true)
            .with_metadata([("label.en", "Branch"), ("label.zh-CN", "分行")].map(own).into()),
        Field::new("balance", DataType::Decimal128(18, 2), true).with_metadata(
            [
                ("label.en", "Balance"),
                ("countinghouse:unit", "CNY"),
                ("countinghouse:additivity", "semi_additive"),
                ("countinghouse:role", "measure"),
            ]
            .map(own)
            .into(),
        ),
    ]);
    TableInfo {
        key: Vec::new(),
        references: Vec::new(),
        schema: schema.to_owned(),
        name: name.to_owned(),
        kind,
        arrow: Arc::new(arrow),
        description: Label::new(),
    }
}

fn own((key, value): (&str, &str)) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

fn selected(command: &CommandGetTables) -> Vec<String> {
    let mut tables = vec![
        table("head_office", "deposits", TableKind::Cube),
        table("beijing", "deposits", TableKind::Cube),
        table("head_office", "deposits_detail", TableKind::Detail),
        table("head_office", "depositsXdetail", TableKind::Cube),
        table("system", "queries", TableKind::System),
        table("warehouse", "dim_org", TableKind::Base),
    ];
    select(&mut tables, command);
    tables.into_iter().map(|table| format!("{}.{}", table.schema, table.name)).collect()
}

fn named(schema: Option<&str>, name: Option<&str>) -> CommandGetTables {
    CommandGetTables {
        db_schema_filter_pattern: schema.map(str::to_owned),
        table_name_filter_pattern: name.map(str::to_owned),
        ..CommandGetTables::default()
    }
}

#[test]
fn tables_come_in_order_and_the_literal_name_first() {
    let all = selected(&CommandGetTables::default());
    assert_eq!(all.len(), 6);
    assert!(all.is_sorted());
    assert_eq!(selected(&named(None, Some("deposits"))), ["beijing.deposits", "head_office.deposits"]);
    assert_eq!(
        selected(&named(Some("head_office"), Some("deposits_detail"))),
        ["head_office.deposits_detail", "head_office.depositsXdetail"]
    );
    assert_eq!(selected(&named(Some("missing"), None)), [""; 0]);
}

#[test]
fn tables_are_filtered_by_type_and_catalog() {
    let of = |kinds: &[&str], catalog: Option<&str>| {
        selected(&CommandGetTables {
            table_types: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            catalog: catalog.map(str::to_owned),
            ..CommandGetTables::default()
        })
    };
    assert_eq!(of(&["VIEW"], None), ["head_office.deposits_detail"]);
    assert_eq!(of(&["base table"], None).len(), 4);
    assert_eq!(of(&["table", "System Table"], Some("countinghouse")).len(), 5);
    assert_eq!(of(&["ALIAS"], None).len(), 0);
    assert_eq!(of(&[], Some("other")).len(), 0);
    assert_eq!(of(&[], Some("")).len(), 0);
}

#[test]
fn columns_say_what_tools_show() {
    let table = table("head_office", "deposits", TableKind::Cube);
    let schema = table_schema(&table, "en", Some("2025-12-31"));
    let keys = schema.field(1).metadata();
    let said = |key: &str| keys.get(&format!("ARROW:FLIGHT:SQL:{key}")).map(String::as_str);
    assert_eq!(said("CATALOG_NAME"), Some("countinghouse"));
    assert_eq!(said("DB_SCHEMA_NAME"), Some("head_office"));
    assert_eq!(said("TABLE_NAME"), Some("deposits"));
    assert_eq!((said("TYPE_NAME"), said("PRECISION"), said("SCALE")), (Some("DECIMAL"), Some("18"), Some("2")));
    assert_eq!(
        (said("IS_SEARCHABLE"), said("IS_READ_ONLY"), said("IS_CASE_SENSITIVE")),
        (Some("0"), Some("1"), Some("0"))
    );
    assert_eq!(said("REMARKS"), Some("Balance; CNY; semi_additive; as of 2025-12-31"));
    assert_eq!(keys.get("countinghouse:unit").map(String::as_str), Some("CNY"));
    let chinese = table_schema(&table, "zh-CN", None);
    assert_eq!(schema.metadata()["countinghouse.as_of"], "2025-12-31");
    assert_eq!(chinese.field(0).metadata()["ARROW:FLIGHT:SQL:REMARKS"], "分行");
}

#[test]
fn every_wire_type_has_a_row_with_its_name() {
    let all = XDBC_TYPES.record_batch(None).unwrap();
    let names = all.column(0).as_string::<i32>();
    let codes = all.column(1).as_primitive::<Int32Type>();
    assert!(codes.values().is_sorted());
    for (data_type, code) in [
        (DataType::Boolean, -7),
        (DataType::Int64, -5),
        (DataType::Decimal128(18, 2), 3),
        (DataType::Int32, 4),
        (DataType::Float64, 8),
        (DataType::Utf8, 12),
        (DataType::Date32, 91),
        (DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None), 93),
        (DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("+00:00".into())), 93),
        (DataType::Binary, -3),
    ] {
        let (name, ..) = encode::sql_type(&data_type);
        let row = names.iter().position(|found| found == Some(name)).unwrap();
        assert_eq!(codes.value(row), code, "{name}");
        let of_code = XDBC_TYPES.record_batch(code).unwrap();
        assert!(of_code.column(0).as_string::<i32>().iter().any(|found| found == Some(name)), "{name}");
    }
    assert_eq!(XDBC_TYPES.record_batch(1_111).unwrap().num_rows(), 0);
}
