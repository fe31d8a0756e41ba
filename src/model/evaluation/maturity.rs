//! Maturity models (E01): levels, dimensions, and items with a description of each level.

use super::{
    LANGUAGES, ORIGIN, STANDING, Standing, TO_BE_CONFIRMED, VERSION, WEIGHT, check_some, check_unique, check_weights,
    decimal, decimals, place_of, read, standing, version,
};
use crate::model::shape::{self, Fields, Kind, Shape, may, need};
use crate::model::{Diagnostic, Label, Located};

/// Levels of a model, 1 to 5; score 0 means that nothing exists.
pub const LEVELS: usize = 5;

/// A maturity model.
#[derive(Debug, Clone)]
pub struct Model {
    /// Its stable name.
    pub key: Located<String>,
    /// Version of the file.
    pub version: u32,
    pub name: Label,
    /// Where it comes from.
    pub origin: Label,
    pub standing: Standing,
    /// The origin is not yet held against its source.
    pub to_be_confirmed: bool,
    /// What score 0 means.
    pub nothing: Label,
    /// Levels 1 to 5.
    pub levels: Vec<Level>,
    pub dimensions: Vec<Dimension>,
    /// Models of others, for comparison only.
    pub related: Vec<Level>,
}

/// A level of the whole, or a related model: a name and what it says.
#[derive(Debug, Clone)]
pub struct Level {
    pub name: Label,
    pub description: Label,
}

/// A dimension.
#[derive(Debug, Clone)]
pub struct Dimension {
    /// Its stable name.
    pub key: Located<String>,
    /// As printed: `D1`.
    pub code: String,
    pub name: Label,
    pub description: Label,
    /// Weight in the whole.
    pub weight: Located<f64>,
    pub items: Vec<Item>,
}

/// An item, on which assessors give 0 to 5.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its stable name, by which assessments are compared.
    pub key: Located<String>,
    /// As printed: `D5-2`.
    pub code: String,
    /// Version of its texts: assessments compare only where it is equal.
    pub text_version: u32,
    pub name: Label,
    /// What the assessor answers.
    pub question: Label,
    /// Weight in its dimension.
    pub weight: Located<f64>,
    /// A key item must reach every level that its dimension is said to be on.
    pub is_key: bool,
    /// How the measured score is found; none for an item that people alone judge.
    pub measure: Option<Measure>,
    /// Descriptions of the levels 1 to 5.
    pub levels: Vec<Label>,
}

/// How an item is measured.
#[derive(Debug, Clone)]
pub struct Measure {
    /// What is measured.
    pub what: Label,
    /// `percent` (a fraction), `days`, `count` …
    pub unit: Located<String>,
    /// More is better.
    pub rising: bool,
    /// Values at the scores 0 to 5; all zeros in a faulty file.
    pub thresholds: [f64; LEVELS + 1],
    /// The statement that gives the value, in one row and column `value`; without one the item is entered by hand.
    pub statement: Option<Located<String>>,
}

impl Model {
    /// Items in the order of the file, each with the index of its dimension, as `analysis::maturity::score` takes them.
    pub fn items(&self) -> impl Iterator<Item = (usize, &Item)> {
        self.dimensions
            .iter()
            .enumerate()
            .flat_map(|(index, dimension)| dimension.items.iter().map(move |item| (index, item)))
    }

    /// The item of this key.
    pub fn item(&self, key: &str) -> Option<&Item> {
        self.items().map(|(_, item)| item).find(|item| *item.key == *key)
    }
}

pub(crate) static MODEL: Shape = Shape {
    name: "a maturity model",
    keys: &[
        need("model", Kind::Name, "Stable name of the model."),
        VERSION,
        LANGUAGES,
        need("name", Kind::Label, "Name shown to people."),
        ORIGIN,
        STANDING,
        TO_BE_CONFIRMED,
        need("nothing", Kind::Label, "What score 0 means."),
        need("levels", Kind::List(&Kind::Map(&LEVEL)), "The levels 1 to 5 of the whole, lowest first."),
        need("dimensions", Kind::List(&Kind::Map(&DIMENSION)), "The dimensions."),
        may("related", Kind::List(&Kind::Map(&LEVEL)), "Models of others, named for comparison only."),
    ],
};

static LEVEL: Shape = Shape {
    name: "a name with a description",
    keys: &[
        need("name", Kind::Label, "Name shown to people."),
        need("description", Kind::Label, "What it says, in a sentence."),
    ],
};

static DIMENSION: Shape = Shape {
    name: "a dimension of a maturity model",
    keys: &[
        need("dimension", Kind::Name, "Stable name of the dimension."),
        need("code", Kind::Text, "Short mark, such as `D1`."),
        need("name", Kind::Label, "Name shown to people."),
        need("description", Kind::Label, "What the dimension is about."),
        WEIGHT,
        need("items", Kind::List(&Kind::Map(&ITEM)), "Its items."),
    ],
};

static ITEM: Shape = Shape {
    name: "an item of a maturity model",
    keys: &[
        need("item", Kind::Name, "Stable name of the item, by which assessments are compared."),
        need("code", Kind::Text, "Short mark, such as `D5-2`."),
        may(
            "text_version",
            Kind::Integer(1, u32::MAX as i64),
            "Rises when a text changes its meaning; only equal ones compare.",
        )
        .or("1"),
        need("name", Kind::Label, "Name shown to people."),
        need("question", Kind::Label, "What the assessor answers."),
        WEIGHT,
        may("is_key", Kind::Boolean, "A key item must reach every level that its dimension is said to be on.")
            .or("false"),
        may("kind", Kind::OneOf(&["manual", "measured"]), "Judged by people, or measured from facts.").or("manual"),
        may("measure", Kind::Map(&MEASURE), "How a measured item is measured."),
        need("levels", Kind::List(&Kind::Label), "Descriptions of the levels 1 to 5."),
    ],
};

static MEASURE: Shape = Shape {
    name: "the measure of an item",
    keys: &[
        need("what", Kind::Label, "What is measured."),
        need("unit", Kind::Text, "Unit of the value; `percent` is written as a fraction."),
        need("direction", Kind::OneOf(&["rising", "falling"]), "Whether more is better or less."),
        need("thresholds", Kind::List(&Kind::Decimal), "Values at the scores 0 to 5, linear between them."),
        may("statement", Kind::Text, "SQL that gives one row with the column `value`; a project supplies it."),
    ],
};

/// A maturity model from its text; `file` is how the file is called in diagnostics.
///
/// The model is usable only when there is no diagnostic; with some it still holds what could be read, for checks of other
/// files against it. `None` where the file is no map.
pub fn parse(file: &str, text: &str) -> (Option<Model>, Vec<Diagnostic>) {
    let mut faults = Vec::new();
    let node = read(file, text, &MODEL, &mut faults);
    let fields = Fields::new(&node, &MODEL);
    let model = (!fields.entries().is_empty()).then(|| decode(&fields, &mut faults));
    (model, shape::in_order(faults))
}

fn decode(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Model {
    let levels: Vec<Level> = fields.maps("levels").iter().map(level).collect();
    if let Some(place) = fields.given("levels").filter(|_| fields.items("levels").len() != LEVELS) {
        let count = fields.items("levels").len();
        faults.push(Diagnostic::new(place, format!("the model has {count} levels; it needs the levels 1 to 5")));
    }
    let dimensions: Vec<Dimension> = fields.maps("dimensions").iter().map(|fields| dimension(fields, faults)).collect();
    let place = place_of(fields, "dimensions");
    if fields.given("dimensions").is_some() {
        check_some("the model", "dimension", &dimensions, &place, faults);
    }
    check_unique("dimension", dimensions.iter().map(|dimension| &dimension.key), faults);
    check_weights("the model", dimensions.iter().map(|dimension| &dimension.weight), &place, faults);
    let items = dimensions.iter().flat_map(|dimension| &dimension.items);
    check_unique("item", items.map(|item| &item.key), faults);
    Model {
        key: fields.needed("model"),
        version: version(fields),
        name: fields.label("name"),
        origin: fields.label("origin"),
        standing: standing(fields),
        to_be_confirmed: fields.boolean("to_be_confirmed"),
        nothing: fields.label("nothing"),
        levels,
        dimensions,
        related: fields.maps("related").iter().map(level).collect(),
    }
}

fn level(fields: &Fields<'_>) -> Level {
    Level { name: fields.label("name"), description: fields.label("description") }
}

fn dimension(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Dimension {
    let key = fields.needed("dimension");
    let items: Vec<Item> = fields.maps("items").iter().map(|fields| item(fields, faults)).collect();
    let (whose, place) = (format!("dimension `{}`", *key), place_of(fields, "items"));
    if fields.given("items").is_some() {
        check_some(&whose, "item", &items, &place, faults);
    }
    check_weights(&whose, items.iter().map(|item| &item.weight), &place, faults);
    Dimension {
        key,
        code: fields.needed("code").value,
        name: fields.label("name"),
        description: fields.label("description"),
        weight: decimal(fields, "weight"),
        items,
    }
}

fn item(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Item {
    let key = fields.needed("item");
    let count = fields.items("levels").len();
    if let Some(place) = fields.given("levels").filter(|_| count != LEVELS) {
        let message = format!("item `{}` describes {count} levels; it needs the levels 1 to 5", *key);
        faults.push(Diagnostic::new(place, message));
    }
    let kind = fields.needed("kind");
    match (kind.as_str(), fields.given("measure")) {
        ("measured", None) => {
            let message = format!("item `{}` is measured, but has no `measure`", *key);
            faults.push(Diagnostic::new(&kind.place, message));
        }
        ("manual", Some(place)) => {
            let message = format!("item `{}` has a `measure`, so its `kind` must be `measured`", *key);
            faults.push(Diagnostic::new(place, message));
        }
        _ => {}
    }
    Item {
        code: fields.needed("code").value,
        text_version: fields.number_or("text_version", 1),
        name: fields.label("name"),
        question: fields.label("question"),
        weight: decimal(fields, "weight"),
        is_key: fields.boolean("is_key"),
        measure: fields.map("measure").map(|fields| measure(&key, &fields, faults)),
        levels: fields.items("levels").iter().map(shape::label).collect(),
        key,
    }
}

fn measure(item: &str, fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Measure {
    let direction = fields.needed("direction");
    let rising = *direction == "rising";
    let found = decimals(fields, "thresholds");
    let mut thresholds = [0.0; LEVELS + 1];
    if let Some(place) = fields.given("thresholds").filter(|_| fields.items("thresholds").len() != thresholds.len()) {
        let count = fields.items("thresholds").len();
        let message = format!("item `{item}` has {count} thresholds; it needs one for each of the scores 0 to 5");
        faults.push(Diagnostic::new(place, message));
    } else if found.len() == thresholds.len() {
        for (threshold, found) in thresholds.iter_mut().zip(&found) {
            *threshold = found.value;
        }
        for pair in found.windows(2).filter(|_| !direction.is_empty()) {
            if if rising { *pair[1] <= *pair[0] } else { *pair[1] >= *pair[0] } {
                let (low, word) = (*pair[0], if rising { "above" } else { "below" });
                let message =
                    format!("thresholds of item `{item}` are {}: this one must be {word} `{low}`", *direction);
                faults.push(Diagnostic::new(&pair[1].place, message));
            }
        }
    }
    Measure {
        what: fields.label("what"),
        unit: fields.needed("unit"),
        rising,
        thresholds,
        statement: fields.text("statement"),
    }
}
