use serde_json::{Value, json};

use super::{KINDS, json as schema, text};

/// Every `$ref` of a schema, so that a test can resolve them.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_resolves() {
    for kind in KINDS {
        let schema = schema(kind).unwrap();
        let mut found = Vec::new();
        references(&schema, &mut found);
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(schema.pointer(pointer).is_some_and(Value::is_object), "{kind}: {reference}");
        }
    }
    assert_eq!(schema("nothing"), None);
}

#[test]
fn a_key_table_becomes_a_schema() {
    let schema = schema("cubes").unwrap();
    let measure = &schema["$defs"]["measure"];
    assert_eq!(measure["required"], json!(["name"]));
    assert_eq!(measure["additionalProperties"], json!(false));
    assert_eq!(
        measure["properties"]["state"]["enum"],
        json!(["sum", "count", "min", "max", "avg", "ratio", "distinct", "variance", "stddev"])
    );
    assert_eq!(measure["properties"]["time"]["default"], json!("all"));
    assert_eq!(measure["properties"]["numerator"]["anyOf"][1], json!({"$ref": "#/$defs/part_of_ratio"}));
    let config = super::json("config").unwrap();
    assert_eq!(config["$defs"]["query"]["properties"]["concurrent"]["default"], json!(16));
    assert_eq!(config["$defs"]["countinghouse_yaml"]["properties"]["languages"]["default"], json!(["zh-CN", "en"]));
}

#[test]
fn every_key_is_documented() {
    for kind in KINDS {
        for pair in text(kind).unwrap().lines().collect::<Vec<_>>().chunks(2) {
            let [key, doc] = pair else { panic!("{kind}: {pair:?}") };
            assert!(key.ends_with(')') && doc.starts_with("    ") && doc.ends_with(['.', ')']), "{kind}: {pair:?}");
        }
    }
}

#[test]
fn blocks_may_hold_blocks() {
    let schema = schema("report").unwrap();
    let row = &schema["$defs"]["block"]["properties"]["row"]["items"];
    assert_eq!(row["allOf"][0]["$ref"], "#/$defs/block");
}
