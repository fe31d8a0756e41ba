use super::{Node, Value, parse};

/// The tree in one line, places as `@line:column`.
fn show(node: &Node) -> String {
    let value = match &node.value {
        Value::Null => "null".into(),
        Value::Scalar { text, quoted } => format!("{text:?}{}", if *quoted { "q" } else { "" }),
        Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(" ")),
        Value::Map(entries) => {
            let entries = entries.iter().map(|entry| format!("{}: {}", *entry.key, show(&entry.node)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Refused => "refused".into(),
    };
    format!("{value}@{}:{}", node.place.line, node.place.column)
}

#[track_caller]
fn check(text: &str, tree: &str, faults: &[&str]) {
    let mut found = Vec::new();
    let node = parse("x.yaml", text, &mut found);
    assert_eq!(show(&node), tree);
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), faults);
}

#[test]
fn scalars_stay_as_written() {
    check(
        "a: 0.10\nb: \"1\"\nc: 'x y'\nd:\ne: [~, null, \"\"]\nnull: no\n",
        r#"{a: "0.10"@1:4, b: "1"q@2:4, c: "x y"q@3:4, d: null@4:1, e: [null@5:5 null@5:8 ""q@5:14]@5:4, null: "no"@6:7}@1:1"#,
        &[],
    );
}

#[test]
fn columns_count_characters_and_block_texts_fold() {
    check(
        "存款: {余额: x, b: 2}\ntext: >\n  one\n  two\nlist:\n  - a: 1\n    b: 2\n",
        r#"{存款: {余额: "x"@1:10, b: "2"@1:16}@1:5, text: "one two\n"q@3:3, list: [{a: "1"@6:8, b: "2"@7:8}@6:5]@6:3}@1:1"#,
        &[],
    );
}

#[test]
fn an_empty_file_is_nothing() {
    check("", "null@1:1", &[]);
    check("# only a comment\n", "null@1:1", &[]);
}

#[test]
fn syntax_errors_say_where() {
    check("a: [1, 2\nb: 3\n", "refused@2:2", &["x.yaml:2:2: not YAML: illegal placement of ':' indicator"]);
    check("a: {x: 1}}\n", "refused@1:10", &["x.yaml:1:10: not YAML: misplaced bracket"]);
}

#[test]
fn one_place_per_value() {
    check(
        "a: &here {x: 1}\nb: *here\nc: *gone\nd: !!str 5\na: 2\n? [k]\n: v\n---\nb: 3\n",
        r#"{a: refused@1:10, b: refused@2:4, c: refused@3:4, d: refused@4:10}@1:1"#,
        &[
            "x.yaml:1:10: anchors are not supported: write the value out where it is needed",
            "x.yaml:2:4: aliases are not supported: write the value out",
            "x.yaml:3:4: aliases are not supported: write the value out",
            "x.yaml:4:10: tags are not supported: the key decides the type of its value",
            "x.yaml:5:1: `a` is given twice, first on line 1",
            "x.yaml:6:3: a key must be text",
            "x.yaml:9:1: a second document; a file holds one",
        ],
    );
}
