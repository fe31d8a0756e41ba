//! YAML text to a small tree in which every node knows where it was written.
//!
//! It stands on the event parser beneath serde-saphyr and not on serde, for two reasons: serde stops at the first fault,
//! and it turns `0.10` into a float before anybody knows which type the key wants. Scalars stay text here; `shape` gives
//! them types. Anchors, aliases and tags are refused: a definition says where each of its values stands, and an alias
//! stands in two places.

#[cfg(test)]
mod tests;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, options};

use super::{Diagnostic, Located, Place};

/// A node of the tree.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Text exactly as written; `quoted` tells `"1"` from `1`.
    Scalar {
        text: String,
        quoted: bool,
    },
    List(Vec<Node>),
    /// In the order of the file; no key twice.
    Map(Vec<Entry>),
    /// A node that was already reported: later checks stay silent about it.
    Refused,
}

/// One key of a map with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Located<String>,
    pub(crate) node: Node,
}

/// The tree of one document. Faults are added to `faults`; after a syntax error the tree is `Refused`.
pub(crate) fn parse(file: &str, text: &str, faults: &mut Vec<Diagnostic>) -> Node {
    let options = options! { emit_comments: false, emit_unresolved_aliases: true };
    let mut reader = Reader { file, events: Parser::new_from_str_with_options(text, options), faults };
    reader.document().unwrap_or_else(|error| {
        let place = reader.place(*error.marker());
        reader.faults.push(Diagnostic::new(&place, format!("not YAML: {}", error.info())));
        Node { place, value: Value::Refused }
    })
}

struct Reader<'a> {
    file: &'a str,
    events: Parser<'a, StrInput<'a>>,
    faults: &'a mut Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    fn place(&self, marker: Marker) -> Place {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Place { file: self.file.to_owned(), line: number(marker.line()).max(1), column: number(marker.col()) + 1 }
    }

    fn fault(&mut self, place: &Place, message: impl Into<String>) {
        self.faults.push(Diagnostic::new(place, message));
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), ScanError> {
        self.events.next_event().unwrap_or_else(|| Ok((Event::StreamEnd, Span::default())))
    }

    fn document(&mut self) -> Result<Node, ScanError> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                event if !event.is_node() => {}
                event if root.is_none() => root = Some(self.node(event, span)?),
                event => {
                    let second = self.node(event, span)?;
                    self.fault(&second.place, "a second document; a file holds one");
                }
            }
        }
        Ok(root.unwrap_or_else(|| Node { place: self.place(Marker::new(0, 1, 0)), value: Value::Null }))
    }

    /// The node that begins with `event`.
    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, ScanError> {
        let place = self.place(span.start);
        let refusal = if event.is_alias() {
            Some("aliases are not supported: write the value out")
        } else if event.anchor_id().is_some() {
            Some("anchors are not supported: write the value out where it is needed")
        } else if event.tag().is_some() {
            Some("tags are not supported: the key decides the type of its value")
        } else {
            None
        };
        if let Some(message) = refusal {
            self.fault(&place, message);
        }
        let value = match event {
            Event::Scalar(text, style, ..) => match (text.as_ref(), style) {
                ("" | "~" | "null" | "Null" | "NULL", ScalarStyle::Plain) => Value::Null,
                _ => Value::Scalar { text: text.into_owned(), quoted: style != ScalarStyle::Plain },
            },
            Event::SequenceStart(..) => Value::List(self.list()?),
            Event::MappingStart(..) => Value::Map(self.map()?),
            _ => Value::Refused,
        };
        Ok(Node { place, value: if refusal.is_some() { Value::Refused } else { value } })
    }

    fn list(&mut self) -> Result<Vec<Node>, ScanError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd | Event::StreamEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span)?),
            }
        }
    }

    fn map(&mut self) -> Result<Vec<Entry>, ScanError> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let key = match &event {
                Event::MappingEnd | Event::StreamEnd => return Ok(entries),
                // The key `null` is a word like any other, so keys are read before nulls are told from texts.
                Event::Scalar(text, ..) if !text.is_empty() => {
                    Some(Located { value: text.clone().into_owned(), place: self.place(span.start) })
                }
                _ => None,
            };
            let key_node = self.node(event, span)?;
            let (event, span) = self.next()?;
            let mut node = self.node(event, span)?;
            let Some(key) = key else {
                self.fault(&key_node.place, "a key must be text");
                continue;
            };
            if matches!(node.value, Value::Null) {
                // Nothing has no place of its own worth pointing at.
                node.place = key.place.clone();
            }
            match entries.iter().find(|entry| *entry.key == *key) {
                Some(first) => {
                    let message = format!("`{}` is given twice, first on line {}", *key, first.key.place.line);
                    self.fault(&key.place, message);
                }
                None => entries.push(Entry { key, node }),
            }
        }
    }
}
