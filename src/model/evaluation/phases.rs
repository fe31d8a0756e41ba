//! Implementation methods as templates: phases, deliverables, gates; and the checklist of success factors.

use super::maturity::Model;
use super::{
    LANGUAGES, ORIGIN, STANDING, Standing, TO_BE_CONFIRMED, VERSION, WEIGHT, check_default, check_some, check_unique,
    check_weights, decimal, place_of, read, standing, version,
};
use crate::model::shape::{self, Fields, Kind, Shape, may, need};
use crate::model::{Diagnostic, Label, Located};

/// The templates of a file.
#[derive(Debug, Clone)]
pub struct Templates {
    /// Version of the file.
    pub version: u32,
    /// Exactly one is the default.
    pub templates: Vec<Template>,
    /// Conditions and known problems, scored like items of a maturity model.
    pub checklist: Vec<Factor>,
}

/// An implementation method.
#[derive(Debug, Clone)]
pub struct Template {
    /// Its stable name.
    pub key: Located<String>,
    pub name: Label,
    /// Where it comes from.
    pub origin: Label,
    pub standing: Standing,
    /// The origin is not yet held against its source.
    pub to_be_confirmed: bool,
    /// New projects begin with it.
    pub is_default: bool,
    /// In their order.
    pub phases: Vec<Phase>,
}

/// A phase.
#[derive(Debug, Clone)]
pub struct Phase {
    /// Its stable name, within the template.
    pub key: Located<String>,
    pub name: Label,
    /// What it achieves.
    pub purpose: Label,
    /// Its words are not yet held against the source.
    pub to_be_confirmed: bool,
    pub deliverables: Vec<Deliverable>,
    /// The decision at its end.
    pub gate: Option<Gate>,
}

/// What a phase delivers.
#[derive(Debug, Clone)]
pub struct Deliverable {
    /// Its stable name, within the template.
    pub key: Located<String>,
    pub name: Label,
}

/// A decision: go, conditional or stop.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Its stable name, within the template.
    pub key: Located<String>,
    pub name: Label,
    /// Items of the maturity model and the score that each needs, 1 to 5.
    pub requires: Vec<(Located<String>, Located<u8>)>,
}

/// What a factor of success is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorKind {
    /// Must be there before the programme begins.
    Condition,
    /// Goes wrong often; scored by how well it is dealt with.
    Problem,
}

/// An entry of the checklist.
#[derive(Debug, Clone)]
pub struct Factor {
    /// Its stable name.
    pub key: Located<String>,
    pub kind: FactorKind,
    pub name: Label,
    /// What the assessor answers.
    pub question: Label,
    pub weight: Located<f64>,
    /// Whose words it is.
    pub standing: Standing,
    /// Items of the maturity model that say more about it.
    pub items: Vec<Located<String>>,
}

pub(crate) static TEMPLATES: Shape = Shape {
    name: "a file of project templates",
    keys: &[
        VERSION,
        LANGUAGES,
        need("templates", Kind::List(&Kind::Map(&TEMPLATE)), "The templates; one is the default."),
        may("checklist", Kind::List(&Kind::Map(&FACTOR)), "Conditions and known problems of such projects."),
    ],
};

static TEMPLATE: Shape = Shape {
    name: "a project template",
    keys: &[
        need("template", Kind::Name, "Stable name of the template."),
        need("name", Kind::Label, "Name shown to people."),
        ORIGIN,
        STANDING,
        TO_BE_CONFIRMED,
        may("default", Kind::Boolean, "New projects begin with it.").or("false"),
        need("phases", Kind::List(&Kind::Map(&PHASE)), "Its phases in their order."),
    ],
};

static PHASE: Shape = Shape {
    name: "a phase",
    keys: &[
        need("phase", Kind::Name, "Stable name, within the template."),
        need("name", Kind::Label, "Name shown to people."),
        need("purpose", Kind::Label, "What the phase achieves."),
        TO_BE_CONFIRMED,
        need("deliverables", Kind::List(&Kind::Map(&DELIVERABLE)), "What it delivers."),
        may("gate", Kind::Map(&GATE), "The decision at its end."),
    ],
};

static DELIVERABLE: Shape = Shape {
    name: "a deliverable",
    keys: &[
        need("deliverable", Kind::Name, "Stable name, within the template."),
        need("name", Kind::Label, "Name shown to people."),
    ],
};

static GATE: Shape = Shape {
    name: "a gate",
    keys: &[
        need("gate", Kind::Name, "Stable name, within the template."),
        need("name", Kind::Label, "Name shown to people."),
        may(
            "requires",
            Kind::Entries(&Kind::Name, &Kind::Integer(1, 5)),
            "Items of the maturity model with the score that each needs.",
        ),
    ],
};

static FACTOR: Shape = Shape {
    name: "an entry of the checklist",
    keys: &[
        need("factor", Kind::Name, "Stable name of the entry."),
        need("kind", Kind::OneOf(&["condition", "problem"]), "Needed before the start, or known to go wrong."),
        need("name", Kind::Label, "Name shown to people."),
        need("question", Kind::Label, "What the assessor answers."),
        STANDING,
        WEIGHT,
        may("items", Kind::List(&Kind::Name), "Items of the maturity model that say more about it."),
    ],
};

/// Project templates from their text; `file` is how the file is called in diagnostics.
///
/// Usable only when there is no diagnostic. `None` where the file is no map. What needs the maturity model is left to
/// [`check`].
pub fn parse(file: &str, text: &str) -> (Option<Templates>, Vec<Diagnostic>) {
    let mut faults = Vec::new();
    let node = read(file, text, &TEMPLATES, &mut faults);
    let fields = Fields::new(&node, &TEMPLATES);
    let templates = (!fields.entries().is_empty()).then(|| decode(&fields, &mut faults));
    (templates, shape::in_order(faults))
}

/// What must hold between templates and the maturity model; empty when all is well.
pub fn check(templates: &Templates, model: &Model) -> Vec<Diagnostic> {
    let phases = templates.templates.iter().flat_map(|template| &template.phases);
    let gates = phases.filter_map(|phase| phase.gate.as_ref());
    let required =
        gates.flat_map(|gate| gate.requires.iter().map(move |(item, _)| (format!("gate `{}`", *gate.key), item)));
    let named = templates.checklist.iter();
    let named =
        named.flat_map(|factor| factor.items.iter().map(move |item| (format!("factor `{}`", *factor.key), item)));
    let mut faults = Vec::new();
    for (whose, item) in required.chain(named) {
        if model.item(item).is_none() {
            let hint = shape::did_you_mean(item, model.items().map(|(_, item)| item.key.as_str()));
            let message = format!("{whose}: the maturity model `{}` has no item `{}`{hint}", *model.key, **item);
            faults.push(Diagnostic::new(&item.place, message));
        }
    }
    shape::in_order(faults)
}

fn decode(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Templates {
    let templates: Vec<Template> = fields.maps("templates").iter().map(|fields| template(fields, faults)).collect();
    check_unique("template", templates.iter().map(|template| &template.key), faults);
    if let Some(place) = fields.given("templates") {
        check_default("template", templates.iter().map(|template| (&template.key, template.is_default)), place, faults);
    }
    let checklist: Vec<Factor> = fields.maps("checklist").iter().map(factor).collect();
    check_unique("factor", checklist.iter().map(|factor| &factor.key), faults);
    let place = place_of(fields, "checklist");
    check_weights("the checklist", checklist.iter().map(|factor| &factor.weight), &place, faults);
    Templates { version: version(fields), templates, checklist }
}

fn template(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Template {
    let key = fields.needed("template");
    let phases: Vec<Phase> = fields.maps("phases").iter().map(|fields| phase(fields, faults)).collect();
    if let Some(place) = fields.given("phases") {
        check_some(&format!("template `{}`", *key), "phase", &phases, place, faults);
    }
    check_unique("phase", phases.iter().map(|phase| &phase.key), faults);
    let deliverables = phases.iter().flat_map(|phase| &phase.deliverables);
    check_unique("deliverable", deliverables.map(|deliverable| &deliverable.key), faults);
    check_unique("gate", phases.iter().filter_map(|phase| phase.gate.as_ref()).map(|gate| &gate.key), faults);
    Template {
        key,
        name: fields.label("name"),
        origin: fields.label("origin"),
        standing: standing(fields),
        to_be_confirmed: fields.boolean("to_be_confirmed"),
        is_default: fields.boolean("default"),
        phases,
    }
}

fn phase(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Phase {
    let key = fields.needed("phase");
    let deliverables: Vec<Deliverable> = fields
        .maps("deliverables")
        .iter()
        .map(|fields| Deliverable { key: fields.needed("deliverable"), name: fields.label("name") })
        .collect();
    if let Some(place) = fields.given("deliverables") {
        check_some(&format!("phase `{}`", *key), "deliverable", &deliverables, place, faults);
    }
    Phase {
        key,
        name: fields.label("name"),
        purpose: fields.label("purpose"),
        to_be_confirmed: fields.boolean("to_be_confirmed"),
        deliverables,
        gate: fields.map("gate").map(|fields| gate(&fields)),
    }
}

fn gate(fields: &Fields<'_>) -> Gate {
    let requires = fields.text_pairs("requires").into_iter();
    let requires = requires
        .filter_map(|(item, level)| Some((item, Located { value: level.parse().ok()?, place: level.place })))
        .collect();
    Gate { key: fields.needed("gate"), name: fields.label("name"), requires }
}

fn factor(fields: &Fields<'_>) -> Factor {
    Factor {
        key: fields.needed("factor"),
        kind: if *fields.needed("kind") == "problem" { FactorKind::Problem } else { FactorKind::Condition },
        name: fields.label("name"),
        question: fields.label("question"),
        weight: decimal(fields, "weight"),
        standing: standing(fields),
        items: fields.texts("items"),
    }
}
