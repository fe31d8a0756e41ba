//! Outcome (E03): a library of KPIs, scorecards over them, the sources of an evaluation and the classes of causes.

use super::{
    LANGUAGES, ORIGIN, STANDING, Standing, TO_BE_CONFIRMED, VERSION, WEIGHT, check_default, check_not_negative,
    check_some, check_unique, check_weights, decimal, named_decimals, place_of, read, standing, version,
};
use crate::model::shape::{self, Fields, Kind, Shape, did_you_mean, may, need};
use crate::model::{Diagnostic, Label, Located, Place};

/// The definitions of a file.
#[derive(Debug, Clone)]
pub struct Library {
    /// Version of the file.
    pub version: u32,
    pub kpis: Vec<Kpi>,
    /// Exactly one is the default.
    pub scorecards: Vec<Scorecard>,
    /// What an evaluation draws on, with weights.
    pub sources: Vec<Source>,
    /// Classes of causes of a red KPI.
    pub causes: Vec<Source>,
}

/// What is good for a KPI, as `analysis::outcome::Goal`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Direction {
    /// The higher the better.
    Higher,
    /// The lower the better.
    Lower,
    /// Best within a range, which targets give.
    Range {
        /// Distance from the range at which nothing is left, in the KPI's unit.
        tolerance: f64,
    },
}

/// How often a KPI is reckoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frequency {
    Month,
    Quarter,
    HalfYear,
    Year,
}

/// A KPI. Baseline and targets are recorded, not defined.
#[derive(Debug, Clone)]
pub struct Kpi {
    /// Its stable name.
    pub key: Located<String>,
    pub name: Label,
    /// `percent` (a fraction), `CNY`, `days` …
    pub unit: Located<String>,
    pub direction: Direction,
    pub frequency: Frequency,
    /// How it is reckoned, in words.
    pub formula: Label,
    /// Role that answers for it.
    pub owner: Label,
    /// Methods by number, as `M12`.
    pub methods: Vec<String>,
    /// SQL over cubes with the columns `numerator` and `denominator`, so that values roll up.
    pub statement: Option<Located<String>>,
    /// From this attainment on the light is yellow.
    pub yellow: f64,
    /// Share of complete and valid rows below which the value is not shown.
    pub quality: Option<f64>,
    /// Its months add up to its year: a flow, no level, ratio or average.
    pub adds_up: bool,
}

/// A scorecard.
#[derive(Debug, Clone)]
pub struct Scorecard {
    /// Its stable name.
    pub key: Located<String>,
    pub name: Label,
    /// Where it comes from.
    pub origin: Label,
    pub standing: Standing,
    /// The origin is not yet held against its source.
    pub to_be_confirmed: bool,
    /// Shown unless another one is chosen.
    pub is_default: bool,
    pub perspectives: Vec<Perspective>,
}

/// A perspective of a scorecard.
#[derive(Debug, Clone)]
pub struct Perspective {
    /// Its stable name, within the scorecard.
    pub key: Located<String>,
    pub name: Label,
    /// What it asks.
    pub question: Label,
    pub weight: Located<f64>,
    /// KPIs with their weights.
    pub kpis: Vec<(Located<String>, Located<f64>)>,
}

/// A source of an evaluation, or a class of causes (whose weight says nothing).
#[derive(Debug, Clone)]
pub struct Source {
    /// Its stable name.
    pub key: Located<String>,
    pub name: Label,
    pub weight: Located<f64>,
}

impl Library {
    /// The KPI of this key.
    pub fn kpi(&self, key: &str) -> Option<&Kpi> {
        self.kpis.iter().find(|kpi| *kpi.key == *key)
    }
}

pub(crate) static LIBRARY: Shape = Shape {
    name: "a file of scorecards",
    keys: &[
        VERSION,
        LANGUAGES,
        need("kpis", Kind::List(&Kind::Map(&KPI)), "The KPIs."),
        need("scorecards", Kind::List(&Kind::Map(&SCORECARD)), "Scorecards over them; one is the default."),
        may("sources", Kind::List(&Kind::Map(&SOURCE)), "What an evaluation draws on, with weights."),
        may("causes", Kind::List(&Kind::Map(&CAUSE)), "Classes of causes of a red KPI."),
    ],
};

static KPI: Shape = Shape {
    name: "a KPI",
    keys: &[
        need("kpi", Kind::Name, "Stable name of the KPI."),
        need("name", Kind::Label, "Name shown to people."),
        need("unit", Kind::Text, "Its unit; `percent` is written as a fraction."),
        need("direction", Kind::OneOf(&["higher", "lower", "range"]), "What is good."),
        need("frequency", Kind::OneOf(&["month", "quarter", "half_year", "year"]), "How often it is reckoned."),
        need("formula", Kind::Label, "How it is reckoned, in words."),
        need("owner", Kind::Label, "Role that answers for it."),
        may("methods", Kind::List(&Kind::Text), "Methods by number, such as `M12`."),
        may(
            "statement",
            Kind::Text,
            "SQL over cubes with the columns `numerator` and `denominator`; a project supplies it.",
        ),
        may("tolerance", Kind::Decimal, "For a range: distance from it at which nothing is left, in the KPI's unit."),
        may("yellow", Kind::Share, "From this attainment on the light is yellow.").or("0.9"),
        may("quality", Kind::Share, "Share of complete and valid rows below which the value is not shown."),
        may("adds_up", Kind::Boolean, "Its months add up to its year: a flow, no level, ratio or average.").or("false"),
    ],
};

static SCORECARD: Shape = Shape {
    name: "a scorecard",
    keys: &[
        need("scorecard", Kind::Name, "Stable name of the scorecard."),
        need("name", Kind::Label, "Name shown to people."),
        ORIGIN,
        STANDING,
        TO_BE_CONFIRMED,
        may("default", Kind::Boolean, "Shown unless another one is chosen.").or("false"),
        need("perspectives", Kind::List(&Kind::Map(&PERSPECTIVE)), "Its perspectives."),
    ],
};

static PERSPECTIVE: Shape = Shape {
    name: "a perspective",
    keys: &[
        need("perspective", Kind::Name, "Stable name, within the scorecard."),
        need("name", Kind::Label, "Name shown to people."),
        need("question", Kind::Label, "What it asks."),
        WEIGHT,
        need("kpis", Kind::Entries(&Kind::Name, &Kind::Decimal), "KPIs with their weights."),
    ],
};

static SOURCE: Shape = Shape {
    name: "a source of an evaluation",
    keys: &[
        need("source", Kind::Name, "Stable name of the source."),
        need("name", Kind::Label, "Name shown to people."),
        need("weight", Kind::Decimal, "Its weight."),
    ],
};

static CAUSE: Shape = Shape {
    name: "a class of causes",
    keys: &[need("cause", Kind::Name, "Stable name of the class."), need("name", Kind::Label, "Name shown to people.")],
};

/// KPIs and scorecards from their text; `file` is how the file is called in diagnostics.
///
/// Usable only when there is no diagnostic. `None` where the file is no map.
pub fn parse(file: &str, text: &str) -> (Option<Library>, Vec<Diagnostic>) {
    let mut faults = Vec::new();
    let node = read(file, text, &LIBRARY, &mut faults);
    let fields = Fields::new(&node, &LIBRARY);
    let library = (!fields.entries().is_empty()).then(|| decode(&fields, &mut faults));
    (library, shape::in_order(faults))
}

fn decode(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Library {
    let kpis: Vec<Kpi> = fields.maps("kpis").iter().map(|fields| kpi(fields, faults)).collect();
    check_unique("KPI", kpis.iter().map(|kpi| &kpi.key), faults);
    let scorecards: Vec<Scorecard> =
        fields.maps("scorecards").iter().map(|fields| scorecard(fields, &kpis, faults)).collect();
    check_unique("scorecard", scorecards.iter().map(|scorecard| &scorecard.key), faults);
    if let Some(place) = fields.given("scorecards") {
        check_default("scorecard", scorecards.iter().map(|card| (&card.key, card.is_default)), place, faults);
    }
    let sources: Vec<Source> = fields
        .maps("sources")
        .iter()
        .map(|fields| Source {
            key: fields.needed("source"),
            name: fields.label("name"),
            weight: decimal(fields, "weight"),
        })
        .collect();
    check_unique("source", sources.iter().map(|source| &source.key), faults);
    let place = place_of(fields, "sources");
    check_weights("the sources", sources.iter().map(|source| &source.weight), &place, faults);
    let causes: Vec<Source> = fields
        .maps("causes")
        .iter()
        .map(|fields| Source {
            key: fields.needed("cause"),
            name: fields.label("name"),
            weight: Located { value: 1.0, place: fields.place().clone() },
        })
        .collect();
    check_unique("cause", causes.iter().map(|cause| &cause.key), faults);
    Library { version: version(fields), kpis, scorecards, sources, causes }
}

fn kpi(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Kpi {
    let key = fields.needed("kpi");
    let direction = fields.needed("direction");
    let tolerance = fields.number::<f64>("tolerance");
    match (direction.as_str(), fields.given("tolerance")) {
        ("range", None) => {
            let message = format!("KPI `{}` is best within a range, so it needs a `tolerance`", *key);
            faults.push(Diagnostic::new(&direction.place, message));
        }
        ("higher" | "lower", Some(place)) => {
            let message = format!("KPI `{}` has a `tolerance`, which is for ranges only", *key);
            faults.push(Diagnostic::new(place, message));
        }
        _ => {}
    }
    if let Some(tolerance) = &tolerance {
        check_not_negative("a tolerance", tolerance, faults);
    }
    Kpi {
        key,
        name: fields.label("name"),
        unit: fields.needed("unit"),
        direction: match direction.as_str() {
            "lower" => Direction::Lower,
            "range" => Direction::Range { tolerance: tolerance.map_or(0.0, |tolerance| tolerance.value) },
            _ => Direction::Higher,
        },
        frequency: match fields.needed("frequency").as_str() {
            "quarter" => Frequency::Quarter,
            "half_year" => Frequency::HalfYear,
            "year" => Frequency::Year,
            _ => Frequency::Month,
        },
        formula: fields.label("formula"),
        owner: fields.label("owner"),
        methods: fields.texts("methods").into_iter().map(|method| method.value).collect(),
        statement: fields.text("statement"),
        yellow: fields.number_or("yellow", 0.9),
        quality: fields.number("quality").map(|quality| quality.value),
        adds_up: fields.boolean("adds_up"),
    }
}

fn scorecard(fields: &Fields<'_>, kpis: &[Kpi], faults: &mut Vec<Diagnostic>) -> Scorecard {
    let key = fields.needed("scorecard");
    let (whose, place) = (format!("scorecard `{}`", *key), place_of(fields, "perspectives"));
    let perspectives: Vec<Perspective> =
        fields.maps("perspectives").iter().map(|fields| perspective(fields, kpis, &whose, faults)).collect();
    if fields.given("perspectives").is_some() {
        check_some(&whose, "perspective", &perspectives, &place, faults);
    }
    check_unique("perspective", perspectives.iter().map(|perspective| &perspective.key), faults);
    check_weights(&whose, perspectives.iter().map(|perspective| &perspective.weight), &place, faults);
    check_once(&whose, &perspectives, faults);
    Scorecard {
        key,
        name: fields.label("name"),
        origin: fields.label("origin"),
        standing: standing(fields),
        to_be_confirmed: fields.boolean("to_be_confirmed"),
        is_default: fields.boolean("default"),
        perspectives,
    }
}

/// A KPI in two perspectives would count twice.
fn check_once(whose: &str, perspectives: &[Perspective], faults: &mut Vec<Diagnostic>) {
    let mut seen: Vec<(&str, &Place)> = Vec::new();
    for (kpi, _) in perspectives.iter().flat_map(|perspective| &perspective.kpis) {
        match seen.iter().find(|(name, _)| *name == kpi.as_str()) {
            Some((_, first)) => {
                let message = format!("{whose} counts the KPI `{}` twice, first on line {}", **kpi, first.line);
                faults.push(Diagnostic::new(&kpi.place, message));
            }
            None => seen.push((kpi, &kpi.place)),
        }
    }
}

fn perspective(fields: &Fields<'_>, kpis: &[Kpi], scorecard: &str, faults: &mut Vec<Diagnostic>) -> Perspective {
    let key = fields.needed("perspective");
    let weights = named_decimals(fields, "kpis");
    let (whose, place) = (format!("perspective `{}`", *key), place_of(fields, "kpis"));
    for (name, _) in &weights {
        if !kpis.iter().any(|kpi| *kpi.key == **name) {
            let hint = did_you_mean(name, kpis.iter().map(|kpi| kpi.key.as_str()));
            faults.push(Diagnostic::new(
                &name.place,
                format!("{scorecard}, {whose}: there is no KPI `{}`{hint}", **name),
            ));
        }
    }
    if fields.given("kpis").is_some() {
        check_some(&whose, "KPI", fields.pairs("kpis"), &place, faults);
    }
    check_weights(&whose, weights.iter().map(|(_, weight)| weight), &place, faults);
    Perspective {
        key,
        name: fields.label("name"),
        question: fields.label("question"),
        weight: decimal(fields, "weight"),
        kpis: weights,
    }
}
