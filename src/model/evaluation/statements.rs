//! What measures in a project's cubes: a statement for items of the maturity model and for KPIs of the library.

use std::collections::BTreeMap;

use super::{LANGUAGES, VERSION, maturity, read, scorecard, version};
use crate::model::shape::{self, Fields, Kind, Shape, may};
use crate::model::{Diagnostic, Located};

/// The statements of a file.
#[derive(Debug, Clone, Default)]
pub struct Statements {
    /// Version of the file.
    pub version: u32,
    /// By item. Parameter `$as_of`; columns `organisation`, `numerator` and, for a ratio, `denominator`.
    pub items: BTreeMap<String, Located<String>>,
    /// By KPI. Parameters `$from` and `$to`, days; columns `organisation`, `period` (first day of its month), `numerator` and,
    /// for a ratio, `denominator`.
    pub kpis: BTreeMap<String, Located<String>>,
}

static STATEMENTS: Shape = Shape {
    name: "statements that measure",
    keys: &[
        VERSION,
        LANGUAGES,
        may(
            "items",
            Kind::Entries(&Kind::Name, &Kind::Text),
            "SQL by item of the maturity model, for the day `$as_of`: columns `organisation` (a branch's key or `head_office`), \
             `numerator` and, for a ratio, `denominator`.",
        ),
        may(
            "kpis",
            Kind::Entries(&Kind::Name, &Kind::Text),
            "SQL by KPI, for the days from `$from` to `$to`: columns `organisation`, `period` (first day of its month), \
             `numerator` and, for a ratio, `denominator`. Head office is the sum of both over the branches, unless it has rows \
             of its own.",
        ),
    ],
};

/// Statements from their text; `file` is how the file is called in diagnostics. `None` where the file is no map.
pub fn parse(file: &str, text: &str) -> (Option<Statements>, Vec<Diagnostic>) {
    let mut faults = Vec::new();
    let node = read(file, text, &STATEMENTS, &mut faults);
    let fields = Fields::new(&node, &STATEMENTS);
    let named = |name: &str| fields.text_pairs(name).into_iter().map(|(key, text)| (key.value, text)).collect();
    let statements = (!fields.entries().is_empty()).then(|| Statements {
        version: version(&fields),
        items: named("items"),
        kpis: named("kpis"),
    });
    (statements, shape::in_order(faults))
}

/// What must hold between statements and what they measure: it exists, and an item is one that is measured.
pub fn check(statements: &Statements, model: &maturity::Model, library: &scorecard::Library) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for (name, text) in &statements.items {
        match model.item(name) {
            None => faults.push(Diagnostic::new(&text.place, format!("the maturity model has no item `{name}`"))),
            Some(item) if item.measure.is_none() => {
                faults.push(Diagnostic::new(&text.place, format!("item `{name}` is judged by people, not measured")));
            }
            Some(_) => {}
        }
    }
    for (name, text) in statements.kpis.iter().filter(|(name, _)| library.kpi(name).is_none()) {
        faults.push(Diagnostic::new(&text.place, format!("the library has no KPI `{name}`")));
    }
    faults
}
