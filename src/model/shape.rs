//! Key tables: what may stand in a definition file, said once.
//!
//! A [`Shape`] lists the keys of one kind of map with their types, defaults and documentation. From it come the check that
//! reports every fault of a file ([`check`]), the typed reading of what passed ([`Fields`]), the JSON Schemas and the text
//! of `describe` (`schema`), so that none of them can part from the others.
//!
//! Reading never reports: a value that `check` refused reads as absent. What a shape cannot say (names that must exist
//! elsewhere, keys that exclude one another) is left to the `validate` functions of each kind of definition.

use std::fmt::Write;

use super::table::DataType;
use super::yaml::{self, Entry, Node, Value};
use super::{Diagnostic, Label, Located, Place};

/// The keys of one kind of map.
#[derive(Debug)]
pub(crate) struct Shape {
    /// With its article, as it stands in messages: `a measure`.
    pub(crate) name: &'static str,
    pub(crate) keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) needed: bool,
    /// YAML text that stands for an absent key.
    pub(crate) default: Option<&'static str>,
    pub(crate) doc: &'static str,
}

/// The type of a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Any text; numbers and dates are taken as written.
    Text,
    /// A name: lower-case letters, digits and `_`, a letter first, 63 characters at most.
    Name,
    /// `true` or `false`.
    Boolean,
    /// A whole number in a range.
    Integer(i64, i64),
    /// A number from 0 to 1.
    Share,
    /// `2025-11-30`.
    Date,
    /// A [`DataType`].
    DataType,
    /// An exact decimal number.
    Decimal,
    /// 64 hexadecimal digits.
    Sha256,
    /// One character.
    Character,
    /// A path inside the folder of the file that names it.
    Path,
    /// `host:port`.
    Address,
    /// Two names joined by a point.
    Pair(&'static str),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Text per language.
    Label,
    /// A list.
    List(&'static Kind),
    /// A map with these keys.
    Map(&'static Shape),
    /// A map with keys of the writer's choice: kind of its keys, kind of its values.
    Entries(&'static Kind, &'static Kind),
    /// Text, or a map with these keys.
    TextOr(&'static Shape),
    /// A map with exactly one of these keys.
    Choice(&'static Shape),
}

/// A key that must be given.
pub(crate) const fn need(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, needed: true, default: None, doc }
}

/// A key that may be given.
pub(crate) const fn may(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, needed: false, default: None, doc }
}

impl Key {
    /// What an absent key stands for.
    pub(crate) const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }
}

impl Shape {
    /// The key of this name. A name that the table lacks is a slip in the decoder, which its tests find.
    fn key(&self, name: &str) -> &'static Key {
        self.keys.iter().find(|key| key.name == name).expect("decoders ask only for keys of their shape")
    }
}

impl Kind {
    /// As in: `x` must be …
    pub(crate) fn expects(self) -> String {
        match self {
            Self::Text => "text".into(),
            Self::Name => "a name of lower-case letters, digits and `_` that begins with a letter".into(),
            Self::Boolean => "true or false".into(),
            Self::Integer(from, i64::MAX) => format!("a whole number from {from}"),
            Self::Integer(from, to) => format!("a whole number from {from} to {to}"),
            Self::Share => "a number from 0 to 1".into(),
            Self::Date => "a date such as 2025-11-30".into(),
            Self::DataType => "text, integer, money, decimal(p,s), date, timestamp, boolean or float".into(),
            Self::Decimal => "a decimal number".into(),
            Self::Sha256 => "64 hexadecimal digits".into(),
            Self::Character => "one character".into(),
            Self::Path => "a path inside the folder of this file".into(),
            Self::Address => "host:port".into(),
            Self::Pair(form) => format!("of the form `{form}`"),
            Self::OneOf(words) => format!("one of {}", quoted(words)),
            Self::Label => "text per language, such as {en: Branch, zh-CN: 分行}".into(),
            Self::List(_) => "a list".into(),
            Self::Map(_) | Self::Entries(..) => "a map".into(),
            Self::TextOr(_) => "text or a map".into(),
            Self::Choice(shape) => format!("a map with one of the keys {}", quoted(&names(shape))),
        }
    }

    /// Whether this text is a value of a scalar kind.
    fn accepts(self, text: &str, is_quoted: bool) -> bool {
        match self {
            Self::Text | Self::TextOr(_) => true,
            Self::Name => is_name(text),
            Self::Boolean => !is_quoted && matches!(text, "true" | "false"),
            Self::Integer(from, to) => !is_quoted && text.parse().is_ok_and(|value| (from..=to).contains(&value)),
            Self::Share => !is_quoted && text.parse().is_ok_and(|value: f64| (0.0..=1.0).contains(&value)),
            Self::Date => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
            Self::DataType => text.parse::<DataType>().is_ok(),
            Self::Decimal => is_decimal(text),
            Self::Sha256 => text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
            Self::Character => text.chars().count() == 1,
            Self::Path => is_inner_path(text),
            Self::Address => text.rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty() && !host.contains(char::is_whitespace) && port.parse::<u16>().is_ok()
            }),
            Self::Pair(_) => text.split_once('.').is_some_and(|(left, right)| is_name(left) && is_name(right)),
            Self::OneOf(words) => words.contains(&text),
            Self::Label | Self::List(_) | Self::Map(_) | Self::Entries(..) | Self::Choice(_) => false,
        }
    }
}

/// Reports every fault of `node` that its kind can tell. `what` names it in messages.
pub(crate) fn check(node: &Node, kind: Kind, what: &str, faults: &mut Vec<Diagnostic>) {
    let mut fault = |place: &Place, message: String| faults.push(Diagnostic::new(place, message));
    match (&node.value, kind) {
        (Value::Refused, _) => {}
        (Value::Null, _) => fault(&node.place, format!("{what} has no value")),
        (Value::Map(entries), Kind::Map(shape) | Kind::TextOr(shape)) => {
            check_keys(entries, shape, faults);
            for key in shape.keys.iter().filter(|key| key.needed) {
                if !entries.iter().any(|entry| *entry.key == key.name) {
                    faults.push(Diagnostic::new(&node.place, format!("{} needs the key `{}`", shape.name, key.name)));
                }
            }
        }
        (Value::Map(entries), Kind::Choice(shape)) => {
            check_keys(entries, shape, faults);
            if entries.len() != 1 {
                let message = format!("{} has exactly one key, one of {}", shape.name, quoted(&names(shape)));
                faults.push(Diagnostic::new(&node.place, message));
            }
        }
        (Value::Map(entries), Kind::Entries(key_kind, value_kind)) => {
            for Entry { key, node } in entries {
                let scalar =
                    Node { place: key.place.clone(), value: Value::Scalar { text: key.value.clone(), quoted: false } };
                check(&scalar, *key_kind, &format!("a key of {what}"), faults);
                check(node, *value_kind, &format!("`{}`", **key), faults);
            }
        }
        (Value::Map(entries), Kind::Label) => {
            for Entry { key, node } in entries {
                if !is_language(key) {
                    let message = format!("`{}` is not a language tag such as `en` or `zh-CN`", **key);
                    faults.push(Diagnostic::new(&key.place, message));
                }
                check(node, Kind::Text, &format!("`{}`", **key), faults);
            }
        }
        (Value::List(items), Kind::List(kind)) => {
            for item in items {
                check(item, *kind, &format!("an entry of {what}"), faults);
            }
        }
        (Value::Scalar { text, quoted }, kind) if kind.accepts(text, *quoted) => {}
        (value, kind) => {
            let (found, hint) = match value {
                Value::Scalar { text, quoted } => {
                    let mark = if *quoted { "\"" } else { "" };
                    let hint = match kind {
                        Kind::OneOf(words) => did_you_mean(text, words.iter().copied()),
                        // The comma ends the value inside braces.
                        Kind::DataType if text.starts_with("decimal(") => "; inside { } it stands in quotes".into(),
                        Kind::DataType => did_you_mean(text, DataType::WORDS.iter().copied()),
                        _ => String::new(),
                    };
                    (format!("`{mark}{text}{mark}`"), hint)
                }
                Value::List(_) => ("a list".into(), String::new()),
                _ => ("a map".into(), String::new()),
            };
            fault(&node.place, format!("{what} must be {}, not {found}{hint}", kind.expects()));
        }
    }
}

/// Unknown keys, and the values of the known ones.
fn check_keys(entries: &[Entry], shape: &'static Shape, faults: &mut Vec<Diagnostic>) {
    for Entry { key, node } in entries {
        match shape.keys.iter().find(|known| known.name == **key) {
            Some(known) => check(node, known.kind, &format!("`{}`", known.name), faults),
            None => {
                let mut message = format!("{} has no key `{}`", shape.name, **key);
                let hint = did_you_mean(key, names(shape));
                if hint.is_empty() {
                    let _ = write!(message, "; its keys are {}", quoted(&names(shape)));
                }
                faults.push(Diagnostic::new(&key.place, message + &hint));
            }
        }
    }
}

/// The values of one map, read by the types of its shape. Values that `check` refused read as absent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    node: &'a Node,
    shape: &'static Shape,
}

impl<'a> Fields<'a> {
    /// The fields of `node`; none when it is not a map.
    pub(crate) fn new(node: &'a Node, shape: &'static Shape) -> Self {
        Self { node, shape }
    }

    /// Where the map begins.
    pub(crate) fn place(&self) -> &'a Place {
        &self.node.place
    }

    /// Keys and values in the order of the file.
    pub(crate) fn entries(&self) -> &'a [Entry] {
        match &self.node.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Where this key stands, if it is given, be its value right or wrong.
    pub(crate) fn given(&self, name: &str) -> Option<&'a Place> {
        self.entry(name).map(|entry| &entry.key.place)
    }

    /// A scalar of any kind as text: as given, else the default.
    pub(crate) fn text(&self, name: &str) -> Option<Located<String>> {
        let key = self.shape.key(name);
        match self.entry(name) {
            Some(entry) => scalar(&entry.node, key.kind),
            None => scalar(&self.default(key)?, key.kind),
        }
    }

    /// A needed text; empty when it was refused, which later checks pass over.
    pub(crate) fn needed(&self, name: &str) -> Located<String> {
        self.text(name).unwrap_or_else(|| Located { value: String::new(), place: self.place().clone() })
    }

    /// A boolean; absent is false unless the shape says otherwise.
    pub(crate) fn boolean(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| *text == "true")
    }

    /// A number of the kind's range.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<Located<T>> {
        let text = self.text(name)?;
        Some(Located { value: text.parse().ok()?, place: text.place })
    }

    /// A number whose key has a default, so that `refused` is used only beside a fault.
    pub(crate) fn number_or<T: std::str::FromStr>(&self, name: &str, refused: T) -> T {
        self.number(name).map_or(refused, |number| number.value)
    }

    /// Text per language; empty when absent.
    pub(crate) fn label(&self, name: &str) -> Label {
        self.entry(name).map(|entry| label(&entry.node)).unwrap_or_default()
    }

    /// A list of scalars: as given, else the default.
    pub(crate) fn texts(&self, name: &str) -> Vec<Located<String>> {
        let key = self.shape.key(name);
        let Kind::List(kind) = key.kind else { return Vec::new() };
        let read = |items: &[Node]| items.iter().filter_map(|item| scalar(item, *kind)).collect();
        match (self.entry(name), self.default(key)) {
            (Some(_), _) => read(self.items(name)),
            (None, Some(Node { value: Value::List(items), .. })) => read(&items),
            _ => Vec::new(),
        }
    }

    /// The nodes of a list.
    pub(crate) fn items(&self, name: &str) -> &'a [Node] {
        match self.entry(name).map(|entry| &entry.node.value) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }

    /// The nodes of a map with keys of the writer's choice.
    pub(crate) fn pairs(&self, name: &str) -> &'a [Entry] {
        match self.entry(name).map(|entry| &entry.node.value) {
            Some(Value::Map(entries)) => entries,
            _ => &[],
        }
    }

    /// A map of the writer's own keys with scalars as values.
    pub(crate) fn text_pairs(&self, name: &str) -> Vec<(Located<String>, Located<String>)> {
        let Kind::Entries(key_kind, kind) = self.shape.key(name).kind else { return Vec::new() };
        let known = self.pairs(name).iter().filter(|entry| key_kind.accepts(&entry.key, false));
        known.filter_map(|Entry { key, node }| Some((key.clone(), scalar(node, *kind)?))).collect()
    }

    /// A map, or a list's maps, with their own shape. What is not a map is left out.
    pub(crate) fn maps(&self, name: &str) -> Vec<Fields<'a>> {
        let (nodes, kind) = match (self.entry(name), self.shape.key(name).kind) {
            (Some(_), Kind::List(kind)) => (self.items(name), *kind),
            (Some(entry), kind) => (std::slice::from_ref(&entry.node), kind),
            (None, _) => (&[][..], Kind::Text),
        };
        match kind {
            Kind::Map(shape) | Kind::TextOr(shape) => nodes
                .iter()
                .filter(|node| matches!(node.value, Value::Map(_)))
                .map(|node| Self::new(node, shape))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The maps below keys of the writer's choice, with their names. Refused names are left out.
    pub(crate) fn named_maps(&self, name: &str) -> impl Iterator<Item = (&'a Located<String>, Fields<'a>)> + use<'a> {
        let (key_kind, shape) = match self.shape.key(name).kind {
            Kind::Entries(key_kind, Kind::Map(shape)) => (*key_kind, Some(*shape)),
            kind => (kind, None),
        };
        let entries = self.pairs(name).iter().filter(move |entry| key_kind.accepts(&entry.key, false));
        entries.filter_map(move |entry| Some((&entry.key, Self::new(&entry.node, shape?))))
    }

    /// A map with its own shape.
    pub(crate) fn map(&self, name: &str) -> Option<Fields<'a>> {
        self.maps(name).into_iter().next()
    }

    /// The default, placed where its map begins.
    fn default(&self, key: &Key) -> Option<Node> {
        fn place_at(place: &Place, node: &mut Node) {
            node.place = place.clone();
            if let Value::List(items) = &mut node.value {
                items.iter_mut().for_each(|item| place_at(place, item));
            }
        }
        let mut node = yaml::parse("", key.default?, &mut Vec::new());
        place_at(self.place(), &mut node);
        Some(node)
    }

    /// A map with its own shape, or `empty` in its place, so that its defaults apply.
    pub(crate) fn area(&self, name: &str, empty: &'a Node) -> Fields<'a> {
        let Kind::Map(shape) = self.shape.key(name).kind else { return Self::new(empty, self.shape) };
        self.map(name).unwrap_or_else(|| Self::new(empty, shape))
    }

    fn entry(&self, name: &str) -> Option<&'a Entry> {
        self.entries().iter().find(|entry| *entry.key == name)
    }
}

/// A scalar that its kind accepts.
pub(crate) fn scalar(node: &Node, kind: Kind) -> Option<Located<String>> {
    match &node.value {
        Value::Scalar { text, quoted } if kind.accepts(text, *quoted) => {
            Some(Located { value: text.clone(), place: node.place.clone() })
        }
        _ => None,
    }
}

/// Text per language.
pub(crate) fn label(node: &Node) -> Label {
    let Value::Map(entries) = &node.value else { return Label::new() };
    let texts =
        entries.iter().filter_map(|Entry { key, node }| Some((key.value.clone(), scalar(node, Kind::Text)?.value)));
    texts.collect()
}

/// `; did you mean …?` when one of the candidates is near to `word`, else nothing.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    // One slip in a short word, one more for every four letters: `prodct`, `organization`, but not `on` for `of`.
    let allowed = match word.chars().count() {
        0..=2 => return String::new(),
        length => 1 + length / 4,
    };
    let word = word.to_lowercase();
    let distance = |candidate: &str| match candidate.len() > 2 && word.starts_with(candidate) {
        // A longer form of the word: `maximum`, `dimension_name`.
        true => 1,
        false => strsim::damerau_levenshtein(&word, candidate),
    };
    let near = candidates.into_iter().map(|candidate| (distance(candidate), candidate)).min();
    match near {
        Some((distance, candidate)) if distance <= allowed && distance < candidate.chars().count() => {
            format!("; did you mean `{candidate}`?")
        }
        _ => String::new(),
    }
}

/// Words in backticks, separated by commas.
pub(crate) fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// In the order of the files, each fault once.
pub(crate) fn in_order(mut faults: Vec<Diagnostic>) -> Vec<Diagnostic> {
    faults.sort();
    faults.dedup();
    faults
}

fn names(shape: &Shape) -> Vec<&'static str> {
    shape.keys.iter().map(|key| key.name).collect()
}

fn is_name(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    parts
        .next()
        .is_some_and(|first| (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_lowercase()))
        && parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && all_digits(fraction) && whole.len() + fraction.len() <= 38
}

/// Whether a relative path stays below the folder it starts from, judged by its text alone.
fn is_inner_path(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(['\\', '\0', ':'])
        && text.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}
