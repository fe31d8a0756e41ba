//! From checked trees to calendars, dimensions and cubes.

use super::derived::{self, Derived, Shift};
use super::keys::{FILE, PART};
use super::{
    Attribute, Calendar, Cube, Dimension, Disclosure, Fact, Formula, Good, Hierarchy, HierarchyKind, History, Join,
    Level, Measure, Model, Rollup, Scope, SnapshotDays, State, Time, TimeRule, validate,
};
use crate::model::shape::{self, Fields, Kind};
use crate::model::table::{DataType, Table, sensitivity};
use crate::model::{Diagnostic, Label, Located, yaml};

/// Type of a ratio unless stated.
const RATIO: DataType = DataType::Decimal(9, 6);

/// The definitions of all files of `cubes/`, given as path and text, checked against the warehouse's tables.
///
/// The model is usable only when there is no diagnostic; with some it still holds what could be read, for tools that
/// complete and describe.
pub fn parse(files: &[(String, String)], tables: &[Table]) -> (Model, Vec<Diagnostic>) {
    let mut faults = Vec::new();
    let mut model = Model::default();
    for (path, text) in files {
        let node = yaml::parse(path, text, &mut faults);
        shape::check(&node, Kind::Map(&FILE), "the file", &mut faults);
        let fields = Fields::new(&node, &FILE);
        model.calendars.extend(fields.maps("calendars").iter().map(calendar));
        model.dimensions.extend(fields.maps("dimensions").iter().map(|fields| dimension(fields, &mut faults)));
        if let Some(fields) = fields.map("cube") {
            let cube = cube(&fields, &mut faults);
            grain(&fields, &cube, tables, &mut faults);
            let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".yaml");
            if *cube.name != stem && !cube.name.is_empty() {
                let message =
                    format!("cube `{}` stands in `{path}`; its file must be `{}.yaml`", *cube.name, *cube.name);
                faults.push(Diagnostic::new(&cube.name.place, message));
            }
            model.cubes.push(cube);
        }
    }
    validate::validate(&model, tables, &mut faults);
    model.cubes.sort_by(|one, other| one.name.cmp(&other.name));
    (model, shape::in_order(faults))
}

fn calendar(fields: &Fields<'_>) -> Calendar {
    Calendar {
        name: fields.needed("name"),
        table: fields.needed("table"),
        day: fields.needed("day"),
        business_day: fields.text("business_day"),
    }
}

fn dimension(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Dimension {
    Dimension {
        name: fields.needed("name"),
        label: fields.label("label"),
        description: fields.label("description"),
        table: fields.needed("table"),
        key: fields.needed("key"),
        durable: fields.text("durable"),
        scope: fields.map("scope").map(|scope| Scope { level: scope.needed("level"), key: scope.needed("key") }),
        hierarchies: fields.maps("hierarchies").iter().map(|fields| hierarchy(fields, faults)).collect(),
        attributes: fields.maps("attributes").iter().map(attribute).collect(),
    }
}

fn hierarchy(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Hierarchy {
    let name = fields.needed("name");
    let ragged = fields.text("kind").is_some_and(|kind| *kind == "ragged");
    let levels = fields.maps("levels");
    let mut rules = Rules { faults, whose: format!("hierarchy `{}`", *name) };
    let (own, foreign): (&[&str], &[&str]) = if ragged {
        (&["parent", "level_of", "member"], &[])
    } else {
        (&[], &["parent", "level_of", "member", "fill"])
    };
    rules.needs(fields, own, "a ragged hierarchy");
    rules.refuses(fields, foreign, "for ragged hierarchies (`kind: ragged`)");
    for level in &levels {
        rules.whose = format!("level `{}`", *level.needed("name"));
        if ragged {
            rules.refuses(level, &["column"], "for hierarchies with a column per level");
        } else {
            rules.refuses(level, &["members"], "for ragged hierarchies (`kind: ragged`)");
        }
    }
    let kind = match ragged {
        false => HierarchyKind::Levels,
        true => HierarchyKind::Ragged {
            parent: fields.needed("parent"),
            level_of: fields.needed("level_of"),
            member: fields.needed("member"),
        },
    };
    Hierarchy { name, kind, levels: levels.iter().map(|fields| level(fields, ragged)).collect() }
}

fn level(fields: &Fields<'_>, ragged: bool) -> Level {
    let name = fields.needed("name");
    let members: Vec<String> = fields.texts("members").into_iter().map(|text| text.value).collect();
    Level {
        label: fields.label("label"),
        column: (!ragged).then(|| fields.text("column").unwrap_or_else(|| name.clone())),
        members: match (ragged, members.is_empty()) {
            (true, true) => vec![name.value.clone()],
            _ => members,
        },
        sensitivity: sensitivity(fields),
        name,
    }
}

fn attribute(fields: &Fields<'_>) -> Attribute {
    let name = fields.needed("name");
    Attribute {
        label: fields.label("label"),
        column: fields.text("column").unwrap_or_else(|| name.clone()),
        sensitivity: sensitivity(fields),
        kind: fields.text("kind").map(|kind| kind.value),
        hidden: fields.boolean("hidden"),
        name,
    }
}

fn cube(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Cube {
    let name = fields.needed("name");
    let fact = fields.map("fact");
    let declared = fields.maps("measures");
    if declared.is_empty() && fields.given("measures").is_some_and(|_| fields.items("measures").is_empty()) {
        faults.push(Diagnostic::new(&name.place, format!("cube `{}` has no measure", *name)));
    }
    let mut measures: Vec<Measure> = Vec::new();
    for fields in &declared {
        let measure = measure(fields, &measures, faults);
        let compared = compared(fields, &measure, faults);
        measures.push(measure);
        measures.extend(compared);
    }
    for fields in fields.maps("calculated") {
        measures.push(calculated(&fields, faults));
    }
    Cube {
        label: fields.label("label"),
        description: fields.label("description"),
        fact: fact.map_or_else(
            || Fact { table: Located::default(), filter: None, snapshot: None },
            |fields| Fact {
                table: fields.needed("table"),
                filter: fields.text("where"),
                snapshot: fields.text("snapshot").map(|days| match days.as_str() {
                    "every_day" => SnapshotDays::EveryDay,
                    "business_day" => SnapshotDays::BusinessDay,
                    _ => SnapshotDays::MonthEnd,
                }),
            },
        ),
        time: fields.map("time").map(|fields| time(&fields)),
        joins: fields.maps("joins").iter().map(join).collect(),
        history: history(fields),
        attributes: fields.maps("attributes").iter().map(attribute).collect(),
        measures,
        rollups: fields.maps("rollups").iter().map(|fields| rollup(fields, faults)).collect(),
        disclosure: fields
            .map("disclosure")
            .map(|fields| Disclosure { persons: fields.needed("persons"), minimum: fields.number_or("minimum", 5) }),
        name,
    }
}

fn history(fields: &Fields<'_>) -> Vec<History> {
    let stated: Vec<History> = fields.texts("history").iter().filter_map(|text| text.parse().ok()).collect();
    if stated.is_empty() { vec![History::AsIs, History::AsWas] } else { stated }
}

/// A stated grain is for the reader; what is certified unique is the table's key, so both must be the same.
fn grain(fields: &Fields<'_>, cube: &Cube, tables: &[Table], faults: &mut Vec<Diagnostic>) {
    let Some((fact, place)) = fields.map("fact").and_then(|fact| Some((fact, fact.given("grain")?))) else { return };
    let Some(table) = tables.iter().find(|table| *table.name == *cube.fact.table) else { return };
    let grain = fact.texts("grain");
    let same =
        grain.len() == table.key.len() && grain.iter().all(|column| table.key.iter().any(|key| **key == **column));
    if !same && grain.len() == fact.items("grain").len() {
        let key: Vec<&str> = table.key.iter().map(|column| column.as_str()).collect();
        let key = shape::quoted(&key);
        let message = format!("cube `{}`: the grain must be the key of `{}`: {key}", *cube.name, *table.name);
        faults.push(Diagnostic::new(place, message));
    }
}

fn time(fields: &Fields<'_>) -> Time {
    let key = fields.needed("key");
    let mut levels = fields.texts("levels");
    if fields.given("levels").is_none() {
        // Weeks are asked for: they cut months, and a fact with a row per month has none.
        let named = ["month", "quarter", "year"].map(|name| key.clone().map(|_| name.to_owned()));
        levels = std::iter::once(key.clone()).chain(named).collect();
    }
    Time { key, calendar: fields.needed("calendar"), levels }
}

fn join(fields: &Fields<'_>) -> Join {
    Join { dimension: fields.needed("dimension"), on: fields.needed("on"), role: fields.text("as") }
}

/// What people and tools read about a measure, however it is made.
struct Face {
    label: Label,
    description: Label,
    unit: Option<String>,
    good: Option<Good>,
    role: Option<String>,
}

fn face(fields: &Fields<'_>) -> Face {
    Face {
        label: fields.label("label"),
        description: fields.label("description"),
        unit: fields.text("unit").map(|unit| unit.value),
        good: fields.text("good").map(|good| match good.as_str() {
            "up" => Good::Up,
            "down" => Good::Down,
            _ => Good::None,
        }),
        role: fields.text("role").map(|role| role.value),
    }
}

fn measure(fields: &Fields<'_>, earlier: &[Measure], faults: &mut Vec<Diagnostic>) -> Measure {
    let name = fields.needed("name");
    let rule = fields.needed("time");
    let mut rules = Rules { faults, whose: format!("measure `{}`", *name) };
    if matches!(rule.as_str(), "opening" | "movement") {
        return from_balance(fields, name, &rule, earlier, rules);
    }
    rules.refuses(fields, &["from"], "for `time: opening` and `time: movement`");
    rules.needs(fields, &["state"], "a measure");
    let word = fields.text("state").unwrap_or_default();
    let day_sum = fields.text("day_sum");
    match word.as_str() {
        "" => {}
        "ratio" => {
            rules.needs(fields, &["numerator", "denominator"], "a ratio");
            rules.refuses(fields, &["of"], "not for a ratio, which has `numerator` and `denominator`");
        }
        state => {
            let from_days = state == "sum" && day_sum.is_some();
            if state != "count" && !from_days {
                rules.needs(fields, &["of"], &format!("state `{state}`"));
            }
            rules.refuses(fields, &["numerator", "denominator"], "for `state: ratio`");
        }
    }
    if *rule == "average_daily" {
        if !matches!(word.as_str(), "sum" | "count" | "") {
            let message = format!("state `{}` has no daily average; only `sum` and `count` do", *word);
            rules.fault(fields.given("time"), message);
        }
    } else {
        rules.refuses(fields, &["day_sum"], "for `time: average_daily`");
    }
    if *rule == "last_seen" && !matches!(word.as_str(), "sum" | "count" | "") {
        let message = format!("state `{}` is not taken where it was last seen; only `sum` and `count` are", *word);
        rules.fault(fields.given("time"), message);
    }
    let of = fields.text("of");
    // Without `of` a daily average is made of its day sums alone.
    let formula = of.clone().or_else(|| day_sum.clone()).unwrap_or_default();
    let state = match word.as_str() {
        "count" => State::Count { of },
        "min" => State::Min { of: formula },
        "max" => State::Max { of: formula },
        "avg" => State::Average { of: formula },
        "distinct" => State::Distinct { of: formula },
        "variance" => State::Variance { of: formula },
        "stddev" => State::StandardDeviation { of: formula },
        "ratio" => State::Ratio { numerator: part(fields, "numerator"), denominator: part(fields, "denominator") },
        _ => State::Sum { of: formula },
    };
    let time = match rule.as_str() {
        "close" => TimeRule::Close,
        "average_daily" => TimeRule::AverageDaily { day_sum },
        "last_seen" => TimeRule::LastSeen,
        _ => TimeRule::All,
    };
    let declared: Option<Located<DataType>> = fields.number("type");
    let data_type = declared.as_ref().map_or(
        match (&state, &time) {
            (State::Count { .. }, TimeRule::AverageDaily { .. }) => DataType::MONEY,
            (State::Count { .. } | State::Distinct { .. }, _) => DataType::Integer,
            (State::Ratio { .. }, _) => RATIO,
            _ => DataType::MONEY,
        },
        |declared| declared.value,
    );
    if let Some(declared) = &declared {
        let counts = matches!(state, State::Count { .. } | State::Distinct { .. });
        let averaged = matches!(time, TimeRule::AverageDaily { .. });
        if counts && !averaged && data_type != DataType::Integer {
            rules.fault(
                Some(&declared.place),
                format!("state `{}` counts, so its type is integer, not {data_type}", *word),
            );
        } else if !data_type.is_numeric() && !matches!(state, State::Min { .. } | State::Max { .. }) && !word.is_empty()
        {
            rules.fault(Some(&declared.place), format!("state `{}` gives a number, not {data_type}", *word));
        }
    }
    let Face { label, description, unit, good, role } = face(fields);
    let good = good.unwrap_or_default();
    Measure { label, description, state, time, data_type, unit, good, role, call: fields.text("call"), name }
}

/// The opening of a balance, or its movement from opening to close.
fn from_balance(
    fields: &Fields<'_>,
    name: Located<String>,
    rule: &Located<String>,
    earlier: &[Measure],
    mut rules: Rules<'_>,
) -> Measure {
    rules.needs(fields, &["from"], &format!("`time: {}`", **rule));
    let own = ["state", "of", "numerator", "denominator", "day_sum", "compare", "type"];
    rules.refuses(fields, &own, "for a measure with a state of its own; this one has that of its `from`");
    let from = fields.text("from").unwrap_or_default();
    let balance = earlier.iter().find(|measure| measure.name.value == from.value);
    let is_balance =
        balance.is_some_and(|balance| balance.derived().is_none() && matches!(balance.time, TimeRule::Close));
    if !is_balance && !from.is_empty() {
        let message = format!("`{}` is not a measure with `time: close` that is declared before it", *from);
        rules.fault(Some(&from.place), message);
    }
    let shift = Shift::Opening;
    let derived = match rule.as_str() {
        "opening" => Derived::Moved { of: from, shift },
        _ => Derived::Change { of: from, shift, relative: false },
    };
    let Face { label, description, unit, good, role } = face(fields);
    let sums = balance.is_some_and(|balance| balance.declared_aggregate() == Some("sum"));
    Measure {
        label,
        description,
        state: State::Derived(derived),
        time: TimeRule::All,
        data_type: balance.map_or(DataType::MONEY, |balance| balance.data_type),
        unit: unit.or_else(|| balance.and_then(|balance| balance.unit.clone())),
        good: good.or(balance.map(|balance| balance.good)).unwrap_or_default(),
        role,
        call: fields.text("call").or(sums.then(|| Located { value: "sum".to_owned(), place: name.place.clone() })),
        name,
    }
}

/// The comparisons that a measure asks for.
fn compared(fields: &Fields<'_>, measure: &Measure, faults: &mut Vec<Diagnostic>) -> Vec<Measure> {
    let mut rules = Rules { faults, whose: format!("measure `{}`", *measure.name) };
    let mut made = Vec::new();
    for word in fields.texts("compare") {
        match Shift::named(&word) {
            None => {
                let hint = shape::did_you_mean(&word, Shift::NAMES);
                let known = if hint.is_empty() { format!("; known: {}", shape::quoted(&Shift::NAMES)) } else { hint };
                rules.fault(Some(&word.place), format!("`{}` is not a comparison{known}", *word));
            }
            Some(shift) => match shift.unfit(&measure.time) {
                Some(why) => rules.fault(Some(&word.place), format!("`{}` {why}", *word)),
                None => made.extend(derived::comparisons(measure, shift, &word)),
            },
        }
    }
    made
}

/// A measure that is calculated from finished ones.
fn calculated(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Measure {
    let name = fields.needed("name");
    let mut rules = Rules { faults, whose: format!("calculated measure `{}`", *name) };
    let ways = ["expression", "share_of", "rank_of"];
    let given: Vec<&str> = ways.into_iter().filter(|way| fields.given(way).is_some()).collect();
    if given.len() != 1 {
        let message = format!("needs one of {}", shape::quoted(&ways));
        rules.fault(Some(fields.place()), message);
    }
    if given != ["rank_of"] {
        rules.refuses(fields, &["order"], "for `rank_of`");
    }
    if given == ["expression"] {
        rules.refuses(fields, &["within"], "for `share_of` and `rank_of`");
    }
    let word = fields.needed("within");
    let within = derived::within(&word).unwrap_or_else(|| {
        let message = format!("`{}` is neither `all` nor a dimension's name with `.parent` or a level", *word);
        rules.fault(Some(&word.place), message);
        derived::Within::All
    });
    let of = |way: &str| fields.text(way).unwrap_or_default();
    let derived = match given.first() {
        Some(&"share_of") => Derived::Share { of: of("share_of"), within },
        Some(&"rank_of") => {
            let ascending = *fields.needed("order") == "lowest_first";
            Derived::Rank { of: of("rank_of"), within, ascending }
        }
        _ => Derived::Calculated { expression: of("expression") },
    };
    let (kind, unit_of, good_of) = derived::defaults(&derived);
    if matches!(derived, Derived::Rank { .. }) {
        rules.refuses(fields, &["type"], "not for a rank, which is an integer");
    }
    let declared: Option<Located<DataType>> = fields.number("type");
    if let Some(declared) = declared.as_ref().filter(|declared| !declared.is_numeric()) {
        rules.fault(Some(&declared.place), format!("a calculation gives a number, not {}", declared.value));
    }
    let Face { label, description, unit, good, role } = face(fields);
    Measure {
        label,
        description,
        state: State::Derived(derived),
        time: TimeRule::All,
        data_type: declared.map_or(kind, |declared| declared.value),
        unit: unit.or(unit_of.map(str::to_owned)),
        good: good.unwrap_or(good_of),
        role,
        call: None,
        name,
    }
}

/// Numerator or denominator: an expression, or a map that says how it merges.
fn part(fields: &Fields<'_>, key: &str) -> Formula {
    let inner = fields.map(key).map(|part| part.needed(PART.keys[1].name));
    inner.or_else(|| fields.text(key)).unwrap_or_default()
}

fn rollup(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Rollup {
    let name = fields.needed("name");
    let is_empty = |node: &yaml::Node| matches!(&node.value, yaml::Value::List(items) if items.is_empty());
    if let Some(entry) = fields.entries().iter().find(|entry| *entry.key == "measures" && is_empty(&entry.node)) {
        let message = "names no measure; leave the key `measures` out to keep only the number of rows".to_owned();
        Rules { faults, whose: format!("rollup `{}`", *name) }.fault(Some(&entry.key.place), message);
    }
    Rollup {
        dims: fields.texts("dims"),
        // A refused value is not a missing one.
        time: fields.given("time").map(|_| fields.needed("time")),
        measures: fields.texts("measures"),
        filter: fields.text("where"),
        name,
    }
}

/// Keys that need or exclude one another.
struct Rules<'a> {
    faults: &'a mut Vec<Diagnostic>,
    whose: String,
}

impl Rules<'_> {
    fn fault(&mut self, place: Option<&crate::model::Place>, message: String) {
        if let Some(place) = place {
            self.faults.push(Diagnostic::new(place, format!("{}: {message}", self.whose)));
        }
    }

    fn needs(&mut self, fields: &Fields<'_>, keys: &[&str], who: &str) {
        for key in keys.iter().filter(|key| fields.given(key).is_none()) {
            self.fault(Some(fields.place()), format!("{who} needs the key `{key}`"));
        }
    }

    fn refuses(&mut self, fields: &Fields<'_>, keys: &[&str], why: &str) {
        for key in keys {
            self.fault(fields.given(key), format!("`{key}` is {why}"));
        }
    }
}
