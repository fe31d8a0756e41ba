//! The evaluation of the CRM programme as data: maturity models, project templates, the categories and cases of return on
//! investment, KPI libraries. One file each, shipped with the product or a project's own. Design: `evaluation.md`.
//!
//! Text in, definitions and located diagnostics out, as for the other definition files. The arithmetic is `analysis`'s;
//! the types here hold what it wants, in its units: shares, rates and percentages are fractions. Answers, cash flows and
//! targets that people record are not definitions and stand elsewhere.

pub mod maturity;
pub mod phases;
pub mod roi;
pub mod scorecard;
pub mod statements;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::shape::{self, Fields, Key, Kind, Shape, may, need};
use super::yaml::{self, Entry, Node, Value};
use super::{Diagnostic, Located, Place};

/// The SQL schema of what is recorded of the evaluation. Reports, tokens and roles name it as they name a cube.
pub const SCHEMA: &str = "evaluation";

/// All definitions of a project: its own files, else those shipped with the product.
#[derive(Debug)]
pub struct Definitions {
    pub maturity: maturity::Model,
    pub templates: phases::Templates,
    pub roi: roi::Model,
    pub library: scorecard::Library,
    /// What measures items and KPIs in the project's cubes.
    pub statements: statements::Statements,
}

impl Definitions {
    /// Reads all files; `text` gives path and text of the file of a name. None with a diagnostic.
    pub fn read(text: impl Fn(&str) -> (String, String)) -> (Option<Self>, Vec<Diagnostic>) {
        fn take<T>((read, found): (Option<T>, Vec<Diagnostic>), faults: &mut Vec<Diagnostic>) -> Option<T> {
            faults.extend(found);
            read
        }
        let mut faults = Vec::new();
        let [maturity, phases, roi, scorecard, statements] =
            ["maturity.yaml", "phases.yaml", "roi.yaml", "scorecard.yaml", "statements.yaml"].map(text);
        let maturity = take(maturity::parse(&maturity.0, &maturity.1), &mut faults);
        let templates = take(phases::parse(&phases.0, &phases.1), &mut faults);
        let roi = take(roi::parse(&roi.0, &roi.1), &mut faults);
        let library = take(scorecard::parse(&scorecard.0, &scorecard.1), &mut faults);
        let statements = take(statements::parse(&statements.0, &statements.1), &mut faults);
        let all = (|| Some((maturity?, templates?, roi?, library?, statements?)))();
        let Some((maturity, templates, roi, library, statements)) = all else { return (None, faults) };
        faults.extend(phases::check(&templates, &maturity));
        faults.extend(statements::check(&statements, &maturity, &library));
        let read = faults.is_empty().then_some(Self { maturity, templates, roi, library, statements });
        (read, faults)
    }
}

/// Whose words a definition are. Pages print it beside the definition's `origin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Stated by the source documents of the product.
    Source,
    /// A published method.
    Published,
    /// Common in the field, without one author.
    Common,
    /// Composed for this product, as an example for the bank to edit.
    Composed,
    /// The bank's own.
    Own,
}

impl Standing {
    /// Stable text, by which message files name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Published => "published",
            Self::Common => "common",
            Self::Composed => "composed",
            Self::Own => "own",
        }
    }
}

/// Whether a figure is stated by its source or was made up to show the arithmetic. Pages mark the latter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Stated by the source.
    Given,
    /// Made up.
    Illustrative,
}

impl Basis {
    /// Stable text, by which message files name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Illustrative => "illustrative",
        }
    }
}

const VERSION: Key =
    need("version", Kind::Integer(1, u32::MAX as i64), "Version of the file; it rises with each edit.");
const LANGUAGES: Key =
    may("languages", Kind::List(&Kind::Text), "Languages in which every text of the file is written.")
        .or("[zh-CN, en]");
const ORIGIN: Key = need("origin", Kind::Label, "Where it comes from; printed on screen.");
const STANDING: Key = need(
    "standing",
    Kind::OneOf(&["source", "published", "common", "composed", "own"]),
    "Whose words it is: the source documents', a published method's, common in the field, composed for this product, the bank's \
     own.",
);
const TO_BE_CONFIRMED: Key =
    may("to_be_confirmed", Kind::Boolean, "The origin is not yet held against its source; pages say so.").or("false");
const BASIS: Key = need(
    "basis",
    Kind::OneOf(&["given", "illustrative"]),
    "Whether the source states it or it was made up to show the arithmetic.",
);
const WEIGHT: Key = may("weight", Kind::Decimal, "Its weight among its like, 0 or more.").or("1");

/// The tree of a file, held against its shape, with every text in every language of the file.
fn read(file: &str, text: &str, shape: &'static Shape, faults: &mut Vec<Diagnostic>) -> Node {
    let node = yaml::parse(file, text, faults);
    shape::check(&node, Kind::Map(shape), "the file", faults);
    let languages = Fields::new(&node, shape).texts("languages");
    if let (true, Some(place)) = (languages.is_empty(), Fields::new(&node, shape).given("languages")) {
        faults.push(Diagnostic::new(place, "`languages` names no language"));
    }
    complete(&node, Kind::Map(shape), "the file", &languages, faults);
    node
}

/// Reports texts that lack a language of the file, are empty, or stand in a language that the file does not name. One walk
/// by the shape, so that no text is passed over.
fn complete(node: &Node, kind: Kind, what: &str, languages: &[Located<String>], faults: &mut Vec<Diagnostic>) {
    match (&node.value, kind) {
        (Value::Map(entries), Kind::Map(shape) | Kind::TextOr(shape) | Kind::Choice(shape)) => {
            for Entry { key, node } in entries {
                if let Some(known) = shape.keys.iter().find(|known| known.name == **key) {
                    complete(node, known.kind, &format!("`{}`", **key), languages, faults);
                }
            }
        }
        (Value::Map(entries), Kind::Entries(_, kind)) => {
            for Entry { key, node } in entries {
                complete(node, *kind, &format!("`{}`", **key), languages, faults);
            }
        }
        (Value::List(items), Kind::List(kind)) => {
            let what = format!("an entry of {what}");
            items.iter().for_each(|item| complete(item, *kind, &what, languages, faults));
        }
        (Value::Map(entries), Kind::Label) => {
            for language in languages {
                if !entries.iter().any(|entry| *entry.key == **language) {
                    faults.push(Diagnostic::new(&node.place, format!("{what} has no text in `{}`", **language)));
                }
            }
            for Entry { key, node } in entries {
                if !languages.iter().any(|language| **language == **key) {
                    let message = format!("{what} has a text in `{}`, which `languages` does not name", **key);
                    faults.push(Diagnostic::new(&key.place, message));
                }
                if matches!(&node.value, Value::Scalar { text, .. } if text.trim().is_empty()) {
                    faults.push(Diagnostic::new(&node.place, format!("{what} has an empty text in `{}`", **key)));
                }
            }
        }
        _ => {}
    }
}

/// The version of a file.
fn version(fields: &Fields<'_>) -> u32 {
    fields.number("version").map_or(0, |version| version.value)
}

fn standing(fields: &Fields<'_>) -> Standing {
    match fields.needed("standing").as_str() {
        "source" => Standing::Source,
        "published" => Standing::Published,
        "common" => Standing::Common,
        "own" => Standing::Own,
        _ => Standing::Composed,
    }
}

fn basis(fields: &Fields<'_>) -> Basis {
    match fields.needed("basis").as_str() {
        "given" => Basis::Given,
        _ => Basis::Illustrative,
    }
}

/// A decimal number as given, else its default; 0 at the map's place when it was refused.
fn decimal(fields: &Fields<'_>, name: &str) -> Located<f64> {
    fields.number(name).unwrap_or_else(|| Located { value: 0.0, place: fields.place().clone() })
}

/// A list of decimal numbers, as given, else its default.
fn decimals(fields: &Fields<'_>, name: &str) -> Vec<Located<f64>> {
    let texts = fields.texts(name).into_iter();
    texts.filter_map(|text| Some(Located { value: text.parse().ok()?, place: text.place })).collect()
}

/// A number for each name of the writer's choice.
fn named_decimals(fields: &Fields<'_>, name: &str) -> Vec<(Located<String>, Located<f64>)> {
    let pairs = fields.text_pairs(name).into_iter();
    pairs.filter_map(|(key, text)| Some((key, Located { value: text.parse().ok()?, place: text.place }))).collect()
}

/// Where a list stands: its key, or the map that lacks it.
fn place_of(fields: &Fields<'_>, name: &str) -> Place {
    fields.given(name).unwrap_or_else(|| fields.place()).clone()
}

/// Reports names that stand twice. `kind` is the word for what has the name.
fn check_unique<'a>(kind: &str, names: impl IntoIterator<Item = &'a Located<String>>, faults: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<&str, &Place> = BTreeMap::new();
    for name in names.into_iter().filter(|name| !name.is_empty()) {
        match seen.get(name.as_str()) {
            Some(first) => {
                let message = format!("{kind} `{}` is declared twice, first on line {}", **name, first.line);
                faults.push(Diagnostic::new(&name.place, message));
            }
            None => _ = seen.insert(name, &name.place),
        }
    }
}

/// Reports negative weights, and at `place` weights that are all 0. `whose` has the weights: `dimension `vision``.
fn check_weights<'a>(
    whose: &str,
    weights: impl IntoIterator<Item = &'a Located<f64>>,
    place: &Place,
    faults: &mut Vec<Diagnostic>,
) {
    let (mut count, mut sum) = (0, 0.0);
    for weight in weights {
        check_not_negative("a weight", weight, faults);
        (count, sum) = (count + 1, sum + weight.abs());
    }
    if count > 0 && sum == 0.0 {
        faults.push(Diagnostic::new(place, format!("{whose}: all weights are 0")));
    }
}

fn check_not_negative(what: &str, number: &Located<f64>, faults: &mut Vec<Diagnostic>) {
    if **number < 0.0 {
        faults.push(Diagnostic::new(&number.place, format!("{what} must not be negative, not `{}`", **number)));
    }
}

/// Reports a list without an entry that must have one.
fn check_some<T>(whose: &str, what: &str, list: &[T], place: &Place, faults: &mut Vec<Diagnostic>) {
    if list.is_empty() {
        faults.push(Diagnostic::new(place, format!("{whose} has no {what}")));
    }
}

/// Reports that not exactly one of several is the default.
fn check_default<'a>(
    kind: &str,
    list: impl IntoIterator<Item = (&'a Located<String>, bool)>,
    place: &Place,
    faults: &mut Vec<Diagnostic>,
) {
    let mut defaults = list.into_iter().filter(|(_, is_default)| *is_default).map(|(key, _)| key);
    match (defaults.next(), defaults.next()) {
        (None, _) => faults.push(Diagnostic::new(place, format!("no {kind} is the default"))),
        (Some(first), Some(second)) => {
            let message = format!("{kind} `{}` is a second default beside `{}`", **second, **first);
            faults.push(Diagnostic::new(&second.place, message));
        }
        _ => {}
    }
}
