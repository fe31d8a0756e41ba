//! The tables of `ARCHITECTURE.md`, section 3, as a test. Standard library only, so that it needs no build of the crate:
//! `rustc --edition 2024 --test tests/architecture.rs -o architecture && ./architecture`, from the root of the checkout.
//!
//! Source text is cut into tokens without comments and literals; every path (`crate::…`, `super::…`, `name::…`, `use` groups
//! too) is resolved to a module or a crate and held against the rows. Test code (`tests.rs`, `tests/`, `mod tests { … }`) is free.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    let given = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = given.unwrap_or_else(|| std::env::current_dir().expect("there is a current folder"));
    assert!(root.join("ARCHITECTURE.md").is_file(), "run this from the root of the checkout");
    root
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn fail_with(breaches: &[String]) {
    assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
}

// ---- the tables of ARCHITECTURE.md

/// A row of the layer table, one per module.
#[derive(Debug)]
struct Row {
    layer: u32,
    imports: Imports,
}

#[derive(Debug)]
enum Imports {
    EveryLower,
    Only(BTreeSet<String>),
}

/// A row of the crate table, one per crate.
#[derive(Debug)]
enum NamedIn {
    Only(Vec<String>),
    AnyBut(Vec<String>),
}

/// Cells of the table whose header line begins with `header`.
fn table(text: &str, header: &str) -> Vec<Vec<String>> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(header));
    assert!(lines.next().is_some(), "ARCHITECTURE.md has no table `{header} …`");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// The words in backquotes.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn layers(text: &str) -> BTreeMap<String, Row> {
    let ground = quoted(text.split("`ground` stands for").nth(1).and_then(|rest| rest.split('.').next()).unwrap_or(""));
    assert!(!ground.is_empty(), "ARCHITECTURE.md does not say what `ground` stands for");
    let mut rows = BTreeMap::new();
    for cells in table(text, "| Layer |") {
        let [layer, modules, imports] = cells.as_slice() else { panic!("a row of three cells: {cells:?}") };
        for module in quoted(modules) {
            let imports = if imports == "every lower layer" {
                Imports::EveryLower
            } else {
                let names = quoted(imports).into_iter();
                Imports::Only(
                    names.flat_map(|name| if name == "ground" { ground.clone() } else { vec![name] }).collect(),
                )
            };
            let layer = layer.parse().unwrap_or_else(|_| panic!("`{layer}` is not a layer"));
            assert!(rows.insert(module.clone(), Row { layer, imports }).is_none(), "`{module}` has two rows");
        }
    }
    rows
}

fn crates(text: &str) -> BTreeMap<String, NamedIn> {
    let mut rows = BTreeMap::new();
    for cells in table(text, "| Crate |") {
        let [names, named_in] = cells.as_slice() else { panic!("a row of two cells: {cells:?}") };
        for name in quoted(names) {
            let modules = quoted(named_in);
            let rule =
                if named_in.starts_with("any module but") { NamedIn::AnyBut(modules) } else { NamedIn::Only(modules) };
            assert!(rows.insert(name.clone(), rule).is_none(), "`{name}` has two rows");
        }
    }
    rows
}

/// Whether `path` is `module` or inside it.
fn within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The row that a path belongs to: the longest that holds it.
fn row_of<'a>(rows: &'a BTreeMap<String, Row>, path: &str) -> Option<(&'a str, &'a Row)> {
    let found = rows.iter().filter(|(name, _)| within(path, name)).max_by_key(|(name, _)| name.len());
    found.map(|(name, row)| (name.as_str(), row))
}

// ---- source files

/// Files below `folder` with one of the extensions, sorted.
fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a folder can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| extensions.iter().any(|wanted| found == *wanted)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// `server::http::api` for `src/server/http/api.rs`.
fn module_of(src: &Path, file: &Path) -> Vec<String> {
    let inner = file.strip_prefix(src).expect("the file is below src").with_extension("");
    inner.iter().map(|part| part.to_string_lossy().into_owned()).collect()
}

fn is_test(module: &[String]) -> bool {
    module.iter().any(|part| part == "tests")
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    /// `::`
    Colons,
    Mark(char),
}

/// Blanks comments, and the text of literals too unless `keep_literals`; line breaks stay, so that lines keep their numbers.
fn blank(text: &str, keep_literals: bool) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut copy = |from: usize, to: usize, keep: bool| {
        for &char in &chars[from..to] {
            out.push(if keep || char == '\n' { char } else { ' ' });
        }
    };
    while at < chars.len() {
        let start = at;
        let next = chars.get(at + 1).copied();
        let after_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
        match chars[at] {
            '/' if next == Some('/') => {
                while at < chars.len() && chars[at] != '\n' {
                    at += 1;
                }
                copy(start, at, false);
            }
            '/' if next == Some('*') => {
                let mut depth = 0;
                loop {
                    match (chars.get(at), chars.get(at + 1)) {
                        (Some('/'), Some('*')) => (depth, at) = (depth + 1, at + 2),
                        (Some('*'), Some('/')) => (depth, at) = (depth - 1, at + 2),
                        (Some(_), _) => at += 1,
                        (None, _) => break,
                    }
                    if depth == 0 {
                        break;
                    }
                }
                copy(start, at, false);
            }
            '"' => {
                at += 1;
                while at < chars.len() && chars[at] != '"' {
                    at += if chars[at] == '\\' { 2 } else { 1 };
                }
                at = (at + 1).min(chars.len());
                copy(start, at, keep_literals);
            }
            'r' | 'b' if !after_word && raw_string(&chars[at..]).is_some() => {
                at += raw_string(&chars[at..]).expect("asked above");
                copy(start, at, keep_literals);
            }
            '\'' if next == Some('\\') => {
                at += 3;
                while at < chars.len() && chars[at] != '\'' {
                    at += 1;
                }
                at = (at + 1).min(chars.len());
                copy(start, at, keep_literals);
            }
            '\'' if chars.get(at + 2) == Some(&'\'') => {
                at += 3;
                copy(start, at, keep_literals);
            }
            _ => {
                at += 1;
                copy(start, at, true);
            }
        }
    }
    out
}

/// Length of the raw string that `chars` begin with (`r"…"`, `r#"…"#`, `br"…"`).
fn raw_string(chars: &[char]) -> Option<usize> {
    let mut at = usize::from(chars[0] == 'b');
    if chars.get(at) != Some(&'r') {
        return None;
    }
    at += 1;
    let hashes = chars[at..].iter().take_while(|char| **char == '#').count();
    at += hashes;
    if chars.get(at) != Some(&'"') {
        return None;
    }
    at += 1;
    while at < chars.len() {
        if chars[at] == '"' && chars[at + 1..].iter().take(hashes).filter(|char| **char == '#').count() == hashes {
            return Some(at + 1 + hashes);
        }
        at += 1;
    }
    Some(chars.len())
}

/// Tokens with their line.
fn tokens(text: &str) -> Vec<(Token, usize)> {
    let mut found = Vec::new();
    for (line, text) in blank(text, false).lines().enumerate() {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if first.is_alphanumeric() || first == '_' {
                let length = rest.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(rest.len());
                found.push((Token::Word(rest[..length].to_owned()), line + 1));
                length
            } else if rest.starts_with("::") {
                found.push((Token::Colons, line + 1));
                2
            } else {
                found.push((Token::Mark(first), line + 1));
                first.len_utf8()
            };
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// A path as written, made absolute: `crate::…`, or a name that may be a crate.
#[derive(Debug, PartialEq)]
struct Named {
    path: Vec<String>,
    line: usize,
}

/// Every path of a file of `module`, outside test modules.
fn paths(module: &[String], text: &str) -> Vec<Named> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    // Modules inside the file: name and the depth of braces at which they end.
    let mut inner: Vec<(String, usize)> = Vec::new();
    let (mut depth, mut at) = (0_usize, 0);
    while at < tokens.len() {
        match &tokens[at].0 {
            Token::Mark('{') => depth += 1,
            Token::Mark('}') => {
                depth = depth.saturating_sub(1);
                inner.pop_if(|(_, end)| *end == depth);
            }
            Token::Word(word) if word == "mod" => {
                if let (Some((Token::Word(name), _)), Some((Token::Mark('{'), _))) =
                    (tokens.get(at + 1), tokens.get(at + 2))
                {
                    inner.push((name.clone(), depth));
                    at += 1;
                }
            }
            // `pub(in crate::a)` says who may look in, not what is looked at.
            Token::Word(word) if word == "in" && at > 0 && tokens[at - 1].0 == Token::Mark('(') => {
                while tokens.get(at).is_some_and(|(token, _)| *token != Token::Mark(')')) {
                    at += 1;
                }
            }
            Token::Word(_) if at == 0 || tokens[at - 1].0 != Token::Colons => {
                let mut here = module.to_vec();
                here.extend(inner.iter().map(|(name, _)| name.clone()));
                let mut written = Vec::new();
                at = tree(&tokens, at, &[], &mut written);
                if !is_test(&here) {
                    found.extend(written.into_iter().filter_map(|named| absolute(named, &here)));
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads a path or a tree of a `use` from `at` and gives where it ends.
fn tree(tokens: &[(Token, usize)], mut at: usize, before: &[String], found: &mut Vec<Named>) -> usize {
    let mut path = before.to_vec();
    let line = tokens[at].1;
    while let Some((Token::Word(word), _)) = tokens.get(at) {
        path.push(word.clone());
        at += 1;
        if tokens.get(at).is_none_or(|(token, _)| *token != Token::Colons) {
            break;
        }
        at += 1;
        if tokens.get(at).is_some_and(|(token, _)| *token == Token::Mark('{')) {
            at += 1;
            while let Some((token, _)) = tokens.get(at) {
                match token {
                    Token::Mark('}') => return at + 1,
                    Token::Word(word) if word == "as" => at += 2,
                    Token::Word(_) => at = tree(tokens, at, &path, found),
                    _ => at += 1,
                }
            }
            return at;
        }
    }
    found.push(Named { path, line });
    at
}

/// Resolves `super` and `self`; `None` for a single word, which is no path.
fn absolute(named: Named, module: &[String]) -> Option<Named> {
    let Named { path, line } = named;
    let mut base = match path.first().map(String::as_str) {
        Some("self" | "super") => module.to_vec(),
        Some("crate") => Vec::new(),
        _ => return (path.len() > 1).then_some(Named { path, line }),
    };
    let mut rest = path.as_slice();
    while let [first, tail @ ..] = rest {
        match first.as_str() {
            "super" => drop(base.pop()),
            "self" | "crate" => {}
            _ => break,
        }
        rest = tail;
    }
    base.extend_from_slice(rest);
    base.insert(0, "crate".to_owned());
    (base.len() > 1).then_some(Named { path: base, line })
}

/// Every file of `src/` but the two roots, with its module.
fn sources(root: &Path) -> Vec<(PathBuf, Vec<String>, String)> {
    let src = root.join("src");
    let mut found = Vec::new();
    for file in files(&src, &["rs"]) {
        let module = module_of(&src, &file);
        if module != ["lib"] && module != ["main"] {
            let text = read(&file);
            found.push((file.strip_prefix(root).expect("below the root").to_owned(), module, text));
        }
    }
    found
}

// ---- the tests

#[test]
fn rows_point_downwards_and_cover_src() {
    let root = root();
    let rows = layers(&read(&root.join("ARCHITECTURE.md")));
    let mut breaches = Vec::new();
    for (name, row) in &rows {
        if let Imports::Only(imports) = &row.imports {
            for import in imports {
                match rows.get(import) {
                    None => breaches.push(format!("row `{name}` names `{import}`, which has no row")),
                    Some(other) if other.layer >= row.layer => breaches.push(format!(
                        "row `{name}` of layer {} names `{import}` of layer {}: not downwards",
                        row.layer, other.layer
                    )),
                    Some(_) => {}
                }
            }
        }
        let file = root.join("src").join(format!("{}.rs", name.replace("::", "/")));
        // A row may be one item of a module: `server::Services`.
        let is_item = name.rsplit_once("::").is_some_and(|(module, item)| {
            let parent = root.join("src").join(format!("{}.rs", module.replace("::", "/")));
            item.starts_with(char::is_uppercase)
                && fs::read_to_string(parent).is_ok_and(|text| text.contains(&format!("struct {item} ")))
        });
        if !file.is_file() && !is_item {
            breaches.push(format!("row `{name}`: there is no such module"));
        }
    }
    for (file, module, _) in sources(&root) {
        if row_of(&rows, &module.join("::")).is_none() {
            breaches.push(format!("{}: module `{}` has no row in ARCHITECTURE.md", file.display(), module[0]));
        }
    }
    fail_with(&breaches);
}

#[test]
fn modules_import_only_what_their_row_names() {
    let root = root();
    let rows = layers(&read(&root.join("ARCHITECTURE.md")));
    let mut breaches = BTreeSet::new();
    for (file, module, text) in sources(&root) {
        let Some((name, row)) = row_of(&rows, &module.join("::")) else { continue };
        for Named { path, line } in paths(&module, &text) {
            if path[0] != "crate" {
                continue;
            }
            let target = path[1..].join("::");
            let Some((other_name, other)) = row_of(&rows, &target) else {
                // `super::say` in a file of a family resolves inside its own row; anything else is a module without a row.
                breaches.insert(format!("{}:{line}: `crate::{target}` belongs to no row", file.display()));
                continue;
            };
            let allowed = match &row.imports {
                _ if other_name == name => true,
                Imports::EveryLower => other.layer < row.layer,
                Imports::Only(imports) => imports.contains(other_name),
            };
            if !allowed {
                breaches.insert(format!("{}:{line}: `{name}` may not import `crate::{target}`", file.display()));
            }
        }
    }
    fail_with(&breaches.into_iter().collect::<Vec<_>>());
}

#[test]
fn crates_are_named_only_where_allowed() {
    let root = root();
    let rules = crates(&read(&root.join("ARCHITECTURE.md")));
    let mut breaches = BTreeSet::new();
    for (file, module, text) in sources(&root) {
        let here = module.join("::");
        if is_test(&module) {
            continue;
        }
        for Named { path, line } in paths(&module, &text) {
            let path = path.join("::");
            // `axum::serve` has a row of its own: the longest name decides.
            let rule = rules.iter().filter(|(name, _)| within(&path, name)).max_by_key(|(name, _)| name.len());
            if let Some((name, rule)) = rule {
                let allowed = match rule {
                    NamedIn::Only(modules) => modules.iter().any(|allowed| within(&here, allowed)),
                    NamedIn::AnyBut(modules) => !modules.iter().any(|denied| within(&here, denied)),
                };
                if !allowed {
                    breaches.insert(format!("{}:{line}: `{here}` may not name the crate `{name}`", file.display()));
                }
            }
        }
    }
    fail_with(&breaches.into_iter().collect::<Vec<_>>());
}

#[test]
fn one_version_of_each_data_crate() {
    let lock = read(&root().join("Cargo.lock"));
    // Of comemo, a second one would be told to forget what Typst keeps in the first, and pages would fill the memory.
    for name in ["arrow", "arrow-schema", "comemo", "datafusion", "object_store", "parquet"] {
        let line = format!("name = \"{name}\"");
        let versions: Vec<_> = lock
            .split("[[package]]")
            .filter(|package| package.lines().any(|found| found == line))
            .filter_map(|package| package.lines().find(|line| line.starts_with("version = ")))
            .collect();
        assert_eq!(versions.len(), 1, "Cargo.lock holds {name} as {versions:?}: raise what uses it together");
    }
}

/// Keys and names of the sample bank's branches, from its own file.
fn sample_words(root: &Path) -> BTreeSet<String> {
    let text = read(&root.join("sample_data/batch-0001/organisation.csv"));
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let column =
        |name: &str| header.iter().position(|found| *found == name).unwrap_or_else(|| panic!("no column {name}"));
    let (level, columns) =
        (column("level_code"), ["branch_code", "branch_name", "city_name", "city_name_en"].map(column));
    let branches = lines.map(|line| line.split(',').collect::<Vec<_>>()).filter(|cells| cells[level] == "branch");
    branches.flat_map(|cells| columns.map(|column| cells[column].to_lowercase())).collect()
}

/// Whether `word` stands in `text`: as a word in Latin letters, anywhere in Chinese ones.
fn stands_in(text: &str, word: &str) -> bool {
    let letter = |char: Option<char>| char.is_some_and(|char| char.is_ascii_alphanumeric());
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        !word.is_ascii() || !letter(before.chars().next_back()) && !letter(after.chars().next())
    })
}

#[test]
fn no_word_of_the_sample_bank_in_the_engine() {
    let root = root();
    let words = sample_words(&root);
    assert!(words.contains("beijing") && words.len() > 50, "{words:?}");
    let mut breaches = Vec::new();
    for path in files(&root.join("src"), &["rs", "html", "ftl", "css", "js", "sql", "svg"]) {
        let file = path.strip_prefix(&root).expect("below the root");
        let module = module_of(&root.join("src"), &path);
        // `demo` is the sample bank's own command: it knows which of its branches get a login.
        let is_sample = module[0] == "sample" || module == ["command", "demo"];
        if is_sample || is_test(&module) {
            continue;
        }
        let text = read(&path);
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        let text = if is_rust { without_tests(&blank(&text, true)) } else { text };
        for (line, text) in text.to_lowercase().lines().enumerate() {
            for word in words.iter().filter(|word| stands_in(text, word)) {
                breaches.push(format!("{}:{}: `{word}` is a word of the sample bank", file.display(), line + 1));
            }
        }
    }
    fail_with(&breaches);
}

/// The text up to a test module at its end.
fn without_tests(text: &str) -> String {
    let end = text.find("\nmod tests {").unwrap_or(text.len());
    text[..end].to_owned()
}

/// Files under version control; without git (a source archive), all but what is built or downloaded.
fn tracked(root: &Path) -> Vec<PathBuf> {
    let listed = std::process::Command::new("git").args(["ls-files", "-z"]).current_dir(root).output();
    if let Some(output) = listed.ok().filter(|output| output.status.success() && !output.stdout.is_empty()) {
        let names = String::from_utf8_lossy(&output.stdout).into_owned();
        return names.split('\0').filter(|name| !name.is_empty()).map(|name| root.join(name)).collect();
    }
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let skipped = ["target", ".git", ".venv", ".countinghouse"].iter().any(|skipped| name == *skipped);
            if path.is_dir() && !skipped {
                folders.push(path);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn no_path_of_one_machine() {
    let root = root();
    // Written apart, or this file would find itself.
    let machines = [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat()];
    let mut breaches = Vec::new();
    for path in tracked(&root) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (line, text) in text.lines().enumerate() {
            for machine in &machines {
                let hit = text.match_indices(machine.as_str()).any(|(at, _)| {
                    text[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric() && before != '.')
                });
                if hit {
                    let file = path.strip_prefix(&root).unwrap_or(&path);
                    breaches.push(format!("{}:{}: a path of one machine: {machine}", file.display(), line + 1));
                }
            }
        }
    }
    fail_with(&breaches);
}

// ---- the reader of source text

fn read_paths(module: &str, text: &str) -> String {
    let module: Vec<String> = module.split("::").map(str::to_owned).collect();
    let mut out = String::new();
    for Named { path, line } in paths(&module, text) {
        let _ = write!(out, "{line}:{} ", path.join("::"));
    }
    out.trim_end().to_owned()
}

#[test]
fn paths_are_read_as_rust_reads_them() {
    let check = |module: &str, text: &str, expected: &str| assert_eq!(read_paths(module, text), expected, "{text}");
    check("a", "use crate::b::{C, d::{self, E}};", "1:crate::b::C 1:crate::b::d::self 1:crate::b::d::E");
    check("a::b", "use super::c;\nuse super::super::d::E as F;", "1:crate::a::c 2:crate::d::E");
    check("a", "use {\n    std::fs,\n    crate::b as c,\n};", "2:std::fs 3:crate::b");
    check("a", "// use crate::b;\n/* crate::c */ fn f(x: crate::d::E) {}", "2:crate::d::E");
    check(
        "a",
        "const A: &str = \"crate::b\"; const B: &str = r#\"crate::\"c\"#; let x = '\"'; crate::d::f()",
        "1:crate::d::f",
    );
    check("a", "pub(in crate::b) fn f<'a>(x: &'a datafusion::Plan) {}", "1:datafusion::Plan");
    check(
        "a",
        "mod tests { use crate::b; }\nmod c { use super::d; use super::super::e::F; }",
        "2:crate::a::d 2:crate::e::F",
    );
    check("a", "crate::b::<c::D>::new(); x.parse::<u32>();", "1:crate::b 1:c::D");
}

/// The numbers of the permanent leak list, and every test that its table names.
#[test]
fn the_leak_list_is_whole_and_its_tests_exist() {
    let root = root();
    let list = read(&root.join("tests/leak-list.md"));
    let mut breaches = Vec::new();
    for number in 1..=48 {
        let start = format!("| LT-{number:02} |");
        let Some(row) = list.lines().find(|line| line.starts_with(&start)) else {
            breaches.push(format!("LT-{number:02} has no row"));
            continue;
        };
        let tests = row.rsplit(" | ").next().unwrap_or_default();
        // Code spans: a file, then names in it.
        let mut file: Option<String> = None;
        for span in tests.split('`').skip(1).step_by(2) {
            if span.ends_with(".rs") || span.ends_with(".py") {
                file = fs::read_to_string(root.join(span)).ok();
                if file.is_none() {
                    breaches.push(format!("LT-{number:02}: there is no file `{span}`"));
                }
            } else if let Some(text) = &file
                && !text.contains(&format!("fn {span}("))
                && !text.contains(&format!("def {span}("))
            {
                breaches.push(format!("LT-{number:02}: there is no test `{span}`"));
            }
        }
    }
    fail_with(&breaches);
}
