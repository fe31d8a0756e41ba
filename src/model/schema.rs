//! JSON Schemas of the definition files and the text of `describe`, both made from the key tables that the decoder uses.

#[cfg(test)]
mod tests;

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::shape::{Kind, Shape};
use super::table::DataType;
use super::{calendar, cube, evaluation, feed, report, settings, yaml};

/// Kinds of files that have a schema.
pub const KINDS: &[&str] = &["calendar", "config", "cubes", "feed", "maturity", "phases", "report", "roi", "scorecard"];

/// The JSON Schema (draft 2020-12) of a kind of file, one of [`KINDS`].
pub fn json(kind: &str) -> Option<Value> {
    let root = shape(kind)?;
    let mut definitions = Map::new();
    let reference = object(root, &mut definitions);
    Some(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("Countinghouse: {kind}"),
        "$ref": reference["$ref"],
        "$defs": definitions,
    }))
}

/// Every key of a kind of file with its type, its default and what it is for; one of [`KINDS`].
pub fn text(kind: &str) -> Option<String> {
    let mut out = String::new();
    describe_keys(shape(kind)?, "", &mut Vec::new(), &mut out);
    Some(out)
}

fn shape(kind: &str) -> Option<&'static Shape> {
    Some(match kind {
        "calendar" => &calendar::CALENDAR,
        "config" => &settings::SETTINGS,
        "cubes" => &cube::FILE,
        "feed" => &feed::FEED,
        "maturity" => &evaluation::maturity::MODEL,
        "phases" => &evaluation::phases::TEMPLATES,
        "report" => &report::REPORT,
        "roi" => &evaluation::roi::MODEL,
        "scorecard" => &evaluation::scorecard::LIBRARY,
        _ => return None,
    })
}

/// The name of a shape as a definition: its words without article and marks.
fn definition_name(shape: &Shape) -> String {
    let words = shape.name.replace(['`', '\''], "").replace(['.', '/'], " ");
    let words: Vec<&str> = words.split_whitespace().filter(|word| !matches!(*word, "a" | "an")).collect();
    words.join("_")
}

/// A reference to the shape's definition, which is added once. Adding goes before descending, so blocks may hold blocks.
fn object(shape: &'static Shape, definitions: &mut Map<String, Value>) -> Value {
    let name = definition_name(shape);
    if !definitions.contains_key(&name) {
        definitions.insert(name.clone(), Value::Null);
        let mut properties = Map::new();
        for key in shape.keys {
            let mut schema = schema(key.kind, definitions);
            if let Some(fields) = schema.as_object_mut() {
                fields.insert("description".into(), key.doc.into());
                if let Some(default) = key.default {
                    fields.insert("default".into(), plain(&yaml::parse("", default, &mut Vec::new()), key.kind));
                }
            }
            properties.insert(key.name.into(), schema);
        }
        let needed: Vec<&str> = shape.keys.iter().filter(|key| key.needed).map(|key| key.name).collect();
        let mut definition = json!({"type": "object", "additionalProperties": false, "properties": properties});
        if !needed.is_empty() {
            definition["required"] = json!(needed);
        }
        definitions.insert(name.clone(), definition);
    }
    json!({"$ref": format!("#/$defs/{name}")})
}

fn schema(kind: Kind, definitions: &mut Map<String, Value>) -> Value {
    match kind {
        Kind::Text => json!({"type": ["string", "number", "boolean"]}),
        Kind::Name => json!({"type": "string", "pattern": "^[a-z][a-z0-9_]{0,62}$"}),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Integer(from, i64::MAX) => json!({"type": "integer", "minimum": from}),
        Kind::Integer(from, to) => json!({"type": "integer", "minimum": from, "maximum": to}),
        Kind::Share => json!({"type": "number", "minimum": 0, "maximum": 1}),
        Kind::Date => json!({"type": "string", "format": "date"}),
        Kind::DataType => {
            let words: Vec<&str> = DataType::WORDS.iter().copied().filter(|word| *word != "decimal").collect();
            let decimal = json!({"type": "string", "pattern": "^decimal\\([0-9]+, *[0-9]+\\)$"});
            json!({"anyOf": [{"enum": words}, decimal]})
        }
        Kind::Decimal => json!({"type": ["string", "number"], "pattern": "^[-+]?[0-9]+(\\.[0-9]+)?$"}),
        Kind::Sha256 => json!({"type": "string", "pattern": "^[0-9a-fA-F]{64}$"}),
        Kind::Character => json!({"type": "string", "minLength": 1, "maxLength": 1}),
        Kind::Path => json!({"type": "string", "minLength": 1}),
        Kind::Address => json!({"type": "string", "pattern": "^.+:[0-9]+$"}),
        Kind::Pair(_) => json!({"type": "string", "pattern": "^[a-z][a-z0-9_]*\\.[a-z][a-z0-9_]*$"}),
        Kind::OneOf(words) => json!({"enum": words}),
        Kind::Label => json!({
            "type": "object",
            "additionalProperties": {"type": "string"},
            "propertyNames": {"pattern": "^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"},
        }),
        Kind::List(item) => json!({"type": "array", "items": schema(*item, definitions)}),
        Kind::Map(shape) => object(shape, definitions),
        Kind::Entries(key, value) => {
            let names = match schema(*key, definitions) {
                Value::Object(mut fields) => json!({"pattern": fields.remove("pattern").unwrap_or_else(|| "".into())}),
                _ => json!({}),
            };
            json!({"type": "object", "propertyNames": names, "additionalProperties": schema(*value, definitions)})
        }
        Kind::TextOr(shape) => json!({"anyOf": [{"type": "string"}, object(shape, definitions)]}),
        Kind::Choice(shape) => {
            let reference = object(shape, definitions);
            json!({"allOf": [reference], "minProperties": 1, "maxProperties": 1})
        }
    }
}

/// A default as JSON.
fn plain(node: &yaml::Node, kind: Kind) -> Value {
    match (&node.value, kind) {
        (yaml::Value::List(items), Kind::List(kind)) => items.iter().map(|item| plain(item, *kind)).collect(),
        (yaml::Value::Scalar { text, .. }, Kind::Boolean | Kind::Integer(..) | Kind::Share) => {
            serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())
        }
        (yaml::Value::Scalar { text, .. }, _) => text.as_str().into(),
        _ => Value::Null,
    }
}

fn describe_keys(shape: &'static Shape, prefix: &str, above: &mut Vec<&'static str>, out: &mut String) {
    above.push(shape.name);
    for key in shape.keys {
        let path = format!("{prefix}{}", key.name);
        let mut facts = key.kind.expects();
        if key.needed {
            facts.push_str(", needed");
        }
        if let Some(default) = key.default {
            let _ = write!(facts, ", default {default}");
        }
        // Writing to a `String` cannot fail.
        let _ = writeln!(out, "{path}  ({facts})\n    {}", key.doc);
        let (inner, below) = descend(key.kind, &path);
        if let Some(inner) = inner.filter(|inner| !above.contains(&inner.name)) {
            describe_keys(inner, &below, above, out);
        }
    }
    above.pop();
}

/// The shape below a kind, and how its keys are written: `tables[].`, `datasets.<name>.`.
fn descend(kind: Kind, path: &str) -> (Option<&'static Shape>, String) {
    match kind {
        Kind::Map(shape) | Kind::TextOr(shape) | Kind::Choice(shape) => (Some(shape), format!("{path}.")),
        Kind::List(kind) => descend(*kind, &format!("{path}[]")),
        Kind::Entries(_, kind) => descend(*kind, &format!("{path}.<name>")),
        _ => (None, String::new()),
    }
}
