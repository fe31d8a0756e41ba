//! A cube as text, for `describe cube NAME`.

use std::fmt::Write;

use super::derived::{Derived, Within};
use super::{Additivity, Cube, Model, State, TimeRule};
use crate::model::{Label, Located};

/// One cube with its time, dimensions, measures and rollups.
pub fn describe_cube(model: &Model, cube: &Cube) -> String {
    let mut out = String::new();
    // Writing to a `String` cannot fail.
    let _ = writeln!(out, "cube {}{}", *cube.name, words(&cube.label));
    let _ = writeln!(out, "  fact {}", *cube.fact.table);
    if let Some(time) = &cube.time {
        let _ = writeln!(out, "  time {}", list(&time.levels));
    }
    for join in &cube.joins {
        let Some(dimension) = model.dimension(&join.dimension) else { continue };
        let role = join.role.as_ref().map(|role| role.as_str());
        let name = role.unwrap_or(&dimension.name);
        let columns: Vec<String> = dimension
            .columns()
            .into_iter()
            .map(|column| role.map_or_else(|| column.to_owned(), |role| format!("{role}_{column}")))
            .collect();
        let _ = writeln!(out, "  dimension {name}{}: {}", words(&dimension.label), columns.join(", "));
    }
    if !cube.attributes.is_empty() {
        let names: Vec<&str> = cube.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
        let _ = writeln!(out, "  attributes {}", names.join(", "));
    }
    for measure in &cube.measures {
        let additivity = match measure.additivity() {
            Additivity::Additive => "additive",
            Additivity::SemiAdditive => "semi-additive",
            Additivity::NonAdditive => "non-additive",
        };
        let formula = match &measure.state {
            State::Sum { of } => format!("sum of {}", **of),
            State::Count { of: None } => "count of rows".into(),
            State::Count { of: Some(of) } => format!("count of {}", **of),
            State::Min { of } => format!("min of {}", **of),
            State::Max { of } => format!("max of {}", **of),
            State::Average { of } => format!("average of {}", **of),
            State::Ratio { numerator, denominator } => format!("sum of {} / sum of {}", **numerator, **denominator),
            State::Distinct { of } => format!("distinct {}", **of),
            State::Variance { of } => format!("variance of {}", **of),
            State::StandardDeviation { of } => format!("standard deviation of {}", **of),
            State::Derived(derived) => in_words(derived),
        };
        let time = match &measure.time {
            TimeRule::All => "",
            TimeRule::Close => ", at the close",
            TimeRule::AverageDaily { .. } => ", daily average",
            TimeRule::LastSeen => ", last seen",
        };
        let unit = measure.unit.as_ref().map(|unit| format!(" in {unit}")).unwrap_or_default();
        let call = measure.declared_aggregate().map(|name| format!("{name} or ")).unwrap_or_default();
        let _ = writeln!(
            out,
            "  measure {}{}: {}{unit}, {additivity}, {formula}{time}, call it by {call}MEASURE",
            *measure.name,
            words(&measure.label),
            measure.data_type
        );
    }
    for rollup in &cube.rollups {
        let kept = if rollup.dims.is_empty() { "the whole cube".into() } else { list(&rollup.dims) };
        let time = rollup.time.as_ref().map(|level| format!(" by {}", **level)).unwrap_or_default();
        let measures = match rollup.measures.as_slice() {
            [] => "row counts only".into(),
            measures => format!("measures {}", list(measures)),
        };
        let filter = rollup.filter.as_ref().map(|filter| format!(", where {}", **filter)).unwrap_or_default();
        let _ = writeln!(out, "  rollup {}: {kept}{time}, {measures}{filter}", *rollup.name);
    }
    out
}

fn in_words(derived: &Derived) -> String {
    let group = |within: &Within| match within {
        Within::All => "all".to_owned(),
        Within::Parent(join) => format!("the parent in {join}"),
        Within::Level { level, .. } => level.clone(),
    };
    match derived {
        Derived::Moved { of, shift } => format!("{} at {shift}", **of),
        Derived::Change { of, shift, relative: false } => format!("{} less that at {shift}", **of),
        Derived::Change { of, shift, relative: true } => format!("relative change of {} from {shift}", **of),
        Derived::Calculated { expression } => format!("calculated as {}", **expression),
        Derived::Share { of, within } => format!("share of {} within {}", **of, group(within)),
        Derived::Rank { of, within, ascending } => {
            let order = if *ascending { "lowest" } else { "highest" };
            format!("rank by {} within {}, the {order} first", **of, group(within))
        }
    }
}

/// `month, quarter, year`.
fn list(names: &[Located<String>]) -> String {
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}

/// ` (Deposits, 存款)`.
fn words(label: &Label) -> String {
    let texts: Vec<&str> = label.values().map(String::as_str).collect();
    if texts.is_empty() { String::new() } else { format!(" ({})", texts.join(", ")) }
}
