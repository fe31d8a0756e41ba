//! What must hold among calendars, dimensions, cubes and the warehouse's tables.
//!
//! An empty name is a value that was refused while reading; nothing more is said about it.

use std::collections::BTreeMap;

use super::derived::{Derived, Within};
use super::{
    Additivity, Cube, Dimension, Hierarchy, HierarchyKind, Join, Kept, Measure, Model, Rollup, SnapshotDays, TimeRule,
};
use crate::model::shape::{did_you_mean, quoted};
use crate::model::table::{DataType, Table, TableKind};
use crate::model::{Diagnostic, Located};

/// Time levels besides the day.
const PERIODS: &[&str] = &["week", "month", "quarter", "year"];

pub(super) fn validate(model: &Model, tables: &[Table], faults: &mut Vec<Diagnostic>) {
    let mut check = Check { model, tables, faults, whose: String::new() };
    check.unique("calendar", model.calendars.iter().map(|calendar| &calendar.name));
    check.unique("dimension", model.dimensions.iter().map(|dimension| &dimension.name));
    check.unique("cube", model.cubes.iter().map(|cube| &cube.name));
    check.unique("rollup", model.cubes.iter().flat_map(|cube| &cube.rollups).map(|rollup| &rollup.name));
    for calendar in &model.calendars {
        check.whose = format!("calendar `{}`", *calendar.name);
        if let Some(table) = check.table(&calendar.table, TableKind::Dimension) {
            check.column(table, &calendar.day, Some(DataType::Date));
            if let Some(column) = &calendar.business_day {
                check.column(table, column, Some(DataType::Boolean));
            }
        }
    }
    let mut scoped: Option<&Dimension> = None;
    for dimension in &model.dimensions {
        check.whose = format!("dimension `{}`", *dimension.name);
        check.dimension(dimension);
        if let Some(scope) = &dimension.scope {
            if let Some(first) = scoped {
                let message = format!("dimension `{}` already cuts the bank into branches", *first.name);
                check.fault(&scope.level, &message);
            }
            scoped = scoped.or(Some(dimension));
        }
    }
    for cube in &model.cubes {
        check.whose = format!("cube `{}`", *cube.name);
        check.cube(cube);
        for rollup in &cube.rollups {
            check.whose = format!("cube `{}`: rollup `{}`", *cube.name, *rollup.name);
            check.rollup(cube, rollup);
        }
    }
}

struct Check<'a> {
    model: &'a Model,
    tables: &'a [Table],
    faults: &'a mut Vec<Diagnostic>,
    /// What is being checked, as it begins a message.
    whose: String,
}

impl<'a> Check<'a> {
    fn fault<T>(&mut self, at: &Located<T>, message: &str) {
        let message = if self.whose.is_empty() { message.to_owned() } else { format!("{}: {message}", self.whose) };
        self.faults.push(Diagnostic::new(&at.place, message));
    }

    fn unique<'b>(&mut self, kind: &str, names: impl Iterator<Item = &'b Located<String>>) {
        let mut seen: BTreeMap<&str, &Located<String>> = BTreeMap::new();
        for name in names.filter(|name| !name.is_empty()) {
            match seen.get(name.as_str()) {
                Some(first) => {
                    self.fault(name, &format!("{kind} `{}` is declared twice, first at {}", **name, first.place))
                }
                None => _ = seen.insert(name, name),
            }
        }
    }

    fn table(&mut self, name: &Located<String>, kind: TableKind) -> Option<&'a Table> {
        let found = self.tables.iter().find(|table| *table.name == **name);
        match found {
            Some(table) if table.kind != kind => {
                let (is, wanted) = match kind {
                    TableKind::Dimension => ("fact", "dimension"),
                    TableKind::Fact => ("dimension", "fact"),
                };
                self.fault(name, &format!("`{}` is a {is} table; a {wanted} table is needed here", **name));
                None
            }
            None if !name.is_empty() => {
                let hint = did_you_mean(name, self.tables.iter().map(|table| table.name.as_str()));
                self.fault(name, &format!("there is no table `{}`{hint}", **name));
                None
            }
            found => found,
        }
    }

    /// A column that must exist, of the wanted type.
    fn column(&mut self, table: &Table, name: &Located<String>, wanted: Option<DataType>) -> Option<DataType> {
        if name.is_empty() {
            return None;
        }
        let found = table.type_of(name);
        match (found, wanted) {
            (None, _) => {
                let hint = did_you_mean(name, table.column_names());
                self.fault(name, &format!("table `{}` has no column `{}`{hint}", *table.name, **name));
            }
            (Some(found), Some(wanted)) if found != wanted => {
                self.fault(name, &format!("column `{}` must be of type {wanted}, not {found}", **name));
            }
            _ => {}
        }
        found
    }

    fn dimension(&mut self, dimension: &Dimension) {
        let table = self.table(&dimension.table, TableKind::Dimension);
        if let Some(table) = table {
            self.dimension_columns(dimension, table);
        }
        self.unique("hierarchy", dimension.hierarchies.iter().map(|hierarchy| &hierarchy.name));
        let levels = || dimension.hierarchies.iter().flat_map(|hierarchy| &hierarchy.levels);
        for attribute in &dimension.attributes {
            if levels().any(|level| *level.name == *attribute.name) && !attribute.name.is_empty() {
                self.fault(&attribute.name, &format!("`{}` is already the name of a level", *attribute.name));
            }
        }
        self.unique("attribute", dimension.attributes.iter().map(|attribute| &attribute.name));
        for hierarchy in &dimension.hierarchies {
            self.hierarchy(dimension, hierarchy);
        }
        self.level_order(dimension);
        if let Some(scope) = &dimension.scope
            && !scope.level.is_empty()
            && !levels().any(|level| *level.name == *scope.level)
        {
            let hint = did_you_mean(&scope.level, levels().map(|level| level.name.as_str()));
            self.fault(&scope.level, &format!("`{}` is not a level of its hierarchies{hint}", *scope.level));
        }
    }

    fn dimension_columns(&mut self, dimension: &Dimension, table: &Table) {
        // A key with versions has several rows.
        let is_key = table.surrogate.as_ref().is_some_and(|surrogate| **surrogate == *dimension.key)
            || (table.versions.is_none() && table.key.len() == 1 && *table.key[0] == *dimension.key);
        if self.column(table, &dimension.key, None).is_some() && !is_key {
            let hint = match (&table.surrogate, table.key.as_slice()) {
                (Some(surrogate), _) => format!("; its surrogate is `{}`", **surrogate),
                (None, [only]) => format!("; its key is `{}`", **only),
                _ => format!("; `{}` needs a `surrogate`", *table.name),
            };
            self.fault(
                &dimension.key,
                &format!("`{}` does not identify a row of `{}`{hint}", *dimension.key, *table.name),
            );
        }
        let durable = dimension.durable.as_ref().and_then(|durable| self.column(table, durable, None));
        if let Some(scope) = &dimension.scope {
            self.column(table, &scope.key, Some(DataType::Text));
        }
        for attribute in &dimension.attributes {
            self.column(table, &attribute.column, None);
        }
        for hierarchy in &dimension.hierarchies {
            for column in hierarchy.levels.iter().filter_map(|level| level.column.as_ref()) {
                self.column(table, column, None);
            }
            if let HierarchyKind::Ragged { parent, level_of, member } = &hierarchy.kind {
                self.column(table, parent, durable);
                self.column(table, level_of, Some(DataType::Text));
                self.column(table, member, Some(DataType::Text));
            }
        }
    }

    fn hierarchy(&mut self, dimension: &Dimension, hierarchy: &Hierarchy) {
        if hierarchy.levels.is_empty() {
            self.fault(&hierarchy.name, &format!("hierarchy `{}` has no level", *hierarchy.name));
        }
        let mut seen: Vec<&str> = Vec::new();
        for level in hierarchy.levels.iter().filter(|level| !level.name.is_empty()) {
            if seen.contains(&level.name.as_str()) {
                let name = &*hierarchy.name;
                self.fault(
                    &level.name,
                    &format!("cyclic hierarchy `{name}`: level `{}` stands in it twice", *level.name),
                );
            }
            seen.push(&level.name);
        }
        let HierarchyKind::Ragged { parent, .. } = &hierarchy.kind else { return };
        match &dimension.durable {
            None => self
                .fault(&hierarchy.name, "a ragged hierarchy needs the dimension's `durable` key, which parents name"),
            Some(durable) if **durable == **parent => {
                self.fault(
                    parent,
                    &format!("cyclic hierarchy `{}`: every member would be its own parent", *hierarchy.name),
                );
            }
            Some(_) => {}
        }
        let versions =
            self.tables.iter().find(|table| *table.name == *dimension.table).and_then(|table| table.versions.as_ref());
        if versions.is_some_and(|versions| versions.parent.as_ref().is_none_or(|known| **known != **parent)) {
            let message = format!("`{}` keeps versions, so they need `parent: {}`", *dimension.table, **parent);
            self.fault(parent, &message);
        }
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        for level in &hierarchy.levels {
            for member in &level.members {
                if let Some(other) = owners.insert(member, &level.name).filter(|_| !level.name.is_empty()) {
                    self.fault(
                        &level.name,
                        &format!("`{member}` stands on the levels `{other}` and `{}`", *level.name),
                    );
                }
            }
        }
    }

    /// Hierarchies may share levels. Then they must mean the same column, and agree which stands above which.
    fn level_order(&mut self, dimension: &Dimension) {
        let mut columns: BTreeMap<&str, &str> = BTreeMap::new();
        let mut below: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for hierarchy in &dimension.hierarchies {
            for level in hierarchy.levels.iter().filter(|level| !level.name.is_empty()) {
                // A ragged level has no column; the empty text keeps it apart from a level that has one.
                let column = level.column.as_ref().map_or("", |column| column.as_str());
                let first = *columns.entry(&level.name).or_insert(column);
                if first != column {
                    let message =
                        format!("level `{}` has another column in an earlier hierarchy; rename it", *level.name);
                    self.fault(&level.name, &message);
                }
            }
            for pair in hierarchy.levels.windows(2) {
                let (upper, lower) = (pair[0].name.as_str(), pair[1].name.as_str());
                if upper.is_empty() || lower.is_empty() || upper == lower {
                    continue;
                }
                if let Some(path) = descend(&below, lower, upper) {
                    // A circle within one hierarchy is a level named twice, which is already reported.
                    let repeats = hierarchy.levels.iter().filter(|level| *level.name == *lower).count() > 1;
                    if !repeats {
                        let circle = format!("`{upper}` above `{}`", path.join("` above `"));
                        self.fault(&pair[1].name, &format!("cyclic hierarchies: {circle}"));
                    }
                } else {
                    below.entry(upper).or_default().push(lower);
                }
            }
        }
    }

    fn cube(&mut self, cube: &Cube) {
        let fact = self.table(&cube.fact.table, TableKind::Fact);
        let calendar = cube.time.as_ref().and_then(|time| {
            let found = self.model.calendars.iter().find(|calendar| *calendar.name == *time.calendar);
            if found.is_none() && !time.calendar.is_empty() {
                let names = self.model.calendars.iter().map(|calendar| calendar.name.as_str());
                let hint = did_you_mean(&time.calendar, names);
                self.fault(&time.calendar, &format!("there is no calendar `{}`{hint}", *time.calendar));
            }
            found
        });
        if let (Some(time), Some(fact)) = (&cube.time, fact) {
            self.column(fact, &time.key, Some(DataType::Date));
        }
        if let (Some(time), Some(SnapshotDays::BusinessDay), Some(calendar)) =
            (&cube.time, cube.fact.snapshot, calendar)
            && calendar.business_day.is_none()
        {
            let message =
                format!("`snapshot: business_day` needs calendar `{}` to name its `business_day`", *calendar.name);
            self.fault(&time.calendar, &message);
        }
        for join in &cube.joins {
            self.join(join, fact);
        }
        for attribute in &cube.attributes {
            fact.and_then(|fact| self.column(fact, &attribute.column, None));
        }
        for measure in &cube.measures {
            self.measure(cube, measure, fact);
        }
        if let Some(disclosure) = &cube.disclosure {
            let joins = || cube.joins.iter().map(|join| join.role.as_ref().unwrap_or(&join.dimension).as_str());
            let persons = &disclosure.persons;
            if !persons.is_empty() && !joins().any(|join| join == persons.as_str()) {
                let hint = did_you_mean(persons, joins());
                self.fault(persons, &format!("there is no join `{}`{hint}", **persons));
            }
        }
        self.names(cube);
    }

    fn join(&mut self, join: &Join, fact: Option<&Table>) {
        let dimension = self.model.dimension(&join.dimension);
        if dimension.is_none() && !join.dimension.is_empty() {
            let hint =
                did_you_mean(&join.dimension, self.model.dimensions.iter().map(|dimension| dimension.name.as_str()));
            self.fault(&join.dimension, &format!("there is no dimension `{}`{hint}", *join.dimension));
        }
        let Some(fact) = fact else { return };
        let found = self.column(fact, &join.on, None);
        let (Some(found), Some(dimension)) = (found, dimension) else { return };
        let Some(table) = self.tables.iter().find(|table| *table.name == *dimension.table) else { return };
        let reference = fact.column(&join.on).and_then(|column| column.references.as_ref());
        if let Some(reference) = reference.filter(|reference| ***reference != *dimension.table) {
            let message = format!(
                "column `{}` references `{}`, but dimension `{}` is in `{}`",
                *join.on, **reference, *dimension.name, *dimension.table
            );
            self.fault(&join.on, &message);
        } else if let Some(key) = table.type_of(&dimension.key).filter(|key| *key != found) {
            let message = format!(
                "column `{}` is of type {found}, but the key of dimension `{}` is of type {key}",
                *join.on, *dimension.name
            );
            self.fault(&join.on, &message);
        }
    }

    fn measure(&mut self, cube: &Cube, measure: &Measure, fact: Option<&Table>) {
        if let Some(derived) = measure.derived() {
            return self.derived(cube, measure, derived);
        }
        let (rule, day_sum) = match &measure.time {
            TimeRule::All => return,
            TimeRule::Close => ("close", None),
            TimeRule::AverageDaily { day_sum } => ("average_daily", day_sum.as_ref()),
            TimeRule::LastSeen => ("last_seen", None),
        };
        let name = &measure.name;
        if cube.time.is_none() {
            self.fault(name, &format!("measure `{}` with `time: {rule}` needs the cube's `time`", **name));
        }
        match cube.fact.snapshot {
            None => {
                self.fault(name, &format!("measure `{}` with `time: {rule}` needs `fact.snapshot`", **name));
            }
            Some(days) if rule == "average_daily" && days != SnapshotDays::EveryDay && day_sum.is_none() => {
                let message = format!(
                    "measure `{}` needs `day_sum`, the column with the sum over the days that a row stands for: \
                     the fact does not have a row for every day",
                    **name
                );
                self.fault(name, &message);
            }
            Some(_) => {}
        }
        if let (Some(day_sum), Some(fact)) = (day_sum, fact)
            && let Some(found) = self.column(fact, day_sum, None)
            && !found.is_numeric()
        {
            self.fault(day_sum, &format!("column `{}` must be a number, not {found}", **day_sum));
        }
    }

    fn derived(&mut self, cube: &Cube, measure: &Measure, derived: &Derived) {
        let name = &measure.name;
        if let Some(of) = derived.of().filter(|of| !of.is_empty()) {
            let known = || cube.measures.iter().take_while(|earlier| *earlier.name != **name);
            match known().find(|earlier| *earlier.name == **of) {
                None => {
                    let hint = near(of, &known().map(|earlier| earlier.name.as_str()).collect::<Vec<_>>());
                    let message = format!("measure `{}`: no measure `{}` is declared before it{hint}", **name, **of);
                    self.fault(of, &message);
                }
                Some(other) => {
                    let adds = other.additivity() != Additivity::NonAdditive;
                    if matches!(derived, Derived::Share { .. }) && !adds {
                        let message = format!(
                            "measure `{}`: a share is of a sum or a count, whose parts add up to the whole, and `{}` is \
                             neither",
                            **name, **of
                        );
                        self.fault(of, &message);
                    }
                }
            }
        }
        match derived {
            Derived::Moved { .. } | Derived::Change { .. } if cube.time.is_none() => {
                self.fault(name, &format!("measure `{}` compares along time and needs the cube's `time`", **name));
            }
            Derived::Share { within, .. } | Derived::Rank { within, .. } => self.within(cube, name, within),
            _ => {}
        }
    }

    /// The dimension and the level that a share or rank names.
    fn within(&mut self, cube: &Cube, name: &Located<String>, within: &Within) {
        let (Within::Parent(role) | Within::Level { join: role, .. }) = within else { return };
        let Some(join) = cube.joins.iter().find(|join| join.name() == role) else {
            let roles: Vec<&str> = cube.joins.iter().map(Join::name).collect();
            let message = format!("measure `{}`: the cube joins no `{role}`{}", **name, near(role, &roles));
            return self.fault(name, &message);
        };
        let (Within::Level { level, .. }, Some(dimension)) = (within, self.model.dimension(&join.dimension)) else {
            return;
        };
        let levels: Vec<&str> = dimension
            .hierarchies
            .iter()
            .flat_map(|hierarchy| &hierarchy.levels)
            .map(|level| level.name.as_str())
            .collect();
        if !levels.contains(&level.as_str()) {
            let message = format!("measure `{}`: `{role}` has no level `{level}`{}", **name, near(level, &levels));
            self.fault(name, &message);
        }
    }

    fn rollup(&mut self, cube: &Cube, rollup: &Rollup) {
        let name = &rollup.name;
        let table = rollup.table();
        if let Some(declared) = self.tables.iter().find(|declared| *declared.name == table && !name.is_empty()) {
            let place = &declared.name.place;
            self.fault(name, &format!("its table `{table}` is already declared at {place}; rename the rollup"));
        }
        let mut kept: Vec<(&Located<String>, Kept<'_>)> = Vec::new();
        for dim in &rollup.dims {
            match cube.kept(self.model, dim) {
                Some(found) => kept.push((dim, found)),
                None => self.unknown_dim(cube, dim),
            }
        }
        for (at, &(dim, part)) in kept.iter().enumerate() {
            if kept[..at].iter().any(|(earlier, _)| earlier.as_str() == dim.as_str()) {
                self.fault(dim, &format!("`{}` is named twice", **dim));
            } else if let Some((whole, _)) = kept.iter().find(|(_, whole)| includes(*whole, part)) {
                self.fault(dim, &format!("`{}` is kept with `{}`; leave it out", **dim, whole.as_str()));
            }
        }
        match (&cube.time, &rollup.time) {
            (Some(time), level) => {
                let levels: Vec<&str> = time.levels.iter().map(|level| level.as_str()).collect();
                match level {
                    None => self.fault(name, &format!("the key `time` is needed, one of {}", quoted(&levels))),
                    Some(level) if !level.is_empty() && !levels.contains(&level.as_str()) => {
                        let hint = near(level, &levels);
                        self.fault(level, &format!("`{}` is not a time level of the cube{hint}", **level));
                    }
                    Some(_) => {}
                }
            }
            (None, Some(level)) => self.fault(level, "`time` is for cubes that have a time"),
            (None, None) => {}
        }
        self.rollup_measures(cube, rollup);
    }

    fn rollup_measures(&mut self, cube: &Cube, rollup: &Rollup) {
        for (at, name) in rollup.measures.iter().enumerate() {
            let Some(measure) = cube.measures.iter().find(|measure| *measure.name == **name) else {
                let known: Vec<&str> = cube.measures.iter().map(|measure| measure.name.as_str()).collect();
                let hint = near(name, &known);
                self.fault(name, &format!("the cube has no measure `{}`{hint}", **name));
                continue;
            };
            if rollup.measures[..at].iter().any(|earlier| **earlier == **name) {
                self.fault(name, &format!("measure `{}` is named twice", **name));
            } else if let Some(derived) = measure.derived() {
                let of = derived.of().map_or_else(
                    || "the measures of its expression".to_owned(),
                    |of| format!("`{}`, from which it is finished", **of),
                );
                self.fault(name, &format!("measure `{}` stores nothing of its own; name {of}", **name));
            } else if matches!(measure.time, TimeRule::AverageDaily { day_sum: None })
                && cube.fact.snapshot == Some(SnapshotDays::BusinessDay)
            {
                let message = format!(
                    "measure `{}` cannot be stored: without `day_sum` the days that a row stands for depend on the \
                     range of the question",
                    **name
                );
                self.fault(name, &message);
            }
        }
    }

    /// An entry of `dims` that the cube does not have, and what may be meant.
    fn unknown_dim(&mut self, cube: &Cube, dim: &Located<String>) {
        let word = dim.as_str();
        let message = match word.split_once('.') {
            None => self.unknown_bare_dim(cube, word),
            Some((role, column)) => match cube.joins.iter().find(|join| join.name() == role) {
                None => {
                    let roles: Vec<&str> = cube.joins.iter().map(Join::name).collect();
                    format!("the cube joins no `{role}`{}", near(role, &roles))
                }
                Some(join) => {
                    // A dimension that does not exist is reported at its join.
                    let Some(dimension) = self.model.dimension(&join.dimension) else { return };
                    if dimension.attributes.iter().any(|attribute| *attribute.name == column) {
                        format!("attribute `{word}` is hidden: it is for measures only")
                    } else {
                        format!("`{role}` has no level or attribute `{column}`{}", near(column, &dimension.columns()))
                    }
                }
            },
        };
        self.fault(dim, &message);
    }

    fn unknown_bare_dim(&self, cube: &Cube, word: &str) -> String {
        if cube.time.as_ref().is_some_and(|time| time.levels.iter().any(|level| **level == word)) {
            return format!("`{word}` is a time level, which the key `time` names");
        }
        let mut meant: Vec<String> = Vec::new();
        for join in &cube.joins {
            let Some(dimension) = self.model.dimension(&join.dimension) else { continue };
            let role = join.name();
            let mut columns = dimension.columns();
            columns.retain(|column| *column == word || format!("{role}_{column}") == word);
            meant.extend(columns.iter().map(|column| format!("`{role}.{column}`")));
        }
        if !meant.is_empty() {
            return format!("`{word}` is of a dimension; write {}", meant.join(" or "));
        }
        let attributes = cube.attributes.iter().filter(|attribute| !attribute.hidden);
        let attributes = attributes.map(|attribute| attribute.name.as_str());
        let known: Vec<&str> = cube.joins.iter().map(Join::name).chain(attributes).collect();
        format!("`{word}` is neither a dimension of the cube nor an attribute of the fact{}", near(word, &known))
    }

    /// Time levels, levels, attributes and measures are columns of one view, so their names are unique in a cube.
    fn names(&mut self, cube: &Cube) {
        let mut owners: BTreeMap<String, String> = BTreeMap::new();
        if let Some(time) = &cube.time {
            for level in time.levels.iter().filter(|level| !level.is_empty()) {
                if !PERIODS.contains(&level.as_str()) && **level != *time.key {
                    let known: Vec<&str> = std::iter::once(time.key.as_str()).chain(PERIODS.iter().copied()).collect();
                    let message = format!("`{}` is not a time level; they are {}", **level, quoted(&known));
                    self.fault(level, &message);
                } else if owners.insert(level.value.clone(), "a time level".into()).is_some() {
                    self.fault(level, &format!("time level `{}` is named twice", **level));
                }
            }
        }
        let mut joined: Vec<(&str, Option<&str>)> = Vec::new();
        for join in &cube.joins {
            let Some(dimension) = self.model.dimension(&join.dimension) else { continue };
            let role = join.role.as_ref().map(|role| role.as_str());
            let at = join.role.as_ref().unwrap_or(&join.dimension);
            if joined.contains(&(&dimension.name, role)) {
                let message = format!(
                    "dimension `{}` is joined twice; give each join a role of its own with `as`",
                    *dimension.name
                );
                self.fault(at, &message);
                continue;
            }
            joined.push((&dimension.name, role));
            for column in dimension.columns() {
                let column = role.map_or_else(|| column.to_owned(), |role| format!("{role}_{column}"));
                let owner = format!("a column of dimension `{}`", *dimension.name);
                if let Some(other) = owners.get(&column) {
                    let message = format!("`{column}`, {owner}, is already {other}; give the join a role with `as`");
                    self.fault(at, &message);
                }
                owners.entry(column).or_insert(owner);
            }
        }
        for attribute in cube.attributes.iter().filter(|attribute| !attribute.name.is_empty()) {
            if let Some(other) = owners.insert(attribute.name.value.clone(), "another attribute".into()) {
                self.fault(&attribute.name, &format!("attribute `{}` has the name of {other}", *attribute.name));
            }
        }
        for measure in cube.measures.iter().filter(|measure| !measure.name.is_empty()) {
            if let Some(other) = owners.get(measure.name.as_str()) {
                self.fault(&measure.name, &format!("measure `{}` has the name of {other}", *measure.name));
            }
            owners.entry(measure.name.value.clone()).or_insert_with(|| "another measure".into());
        }
    }
}

/// Whether what one entry of `dims` keeps can be read off another: a level or attribute off its dimension's key, a level
/// off a lower one of its hierarchy.
fn includes(whole: Kept<'_>, part: Kept<'_>) -> bool {
    match (whole, part) {
        (Kept::Dimension { join: key }, Kept::Level { join, .. } | Kept::Attribute { join, .. }) => key == join,
        (Kept::Level { join: first, hierarchy, level }, Kept::Level { join, hierarchy: other, level: upper }) => {
            let name = other.levels[upper].name.as_str();
            first == join && hierarchy.levels[..level].iter().any(|above| *above.name == name)
        }
        _ => false,
    }
}

/// The known name that is near to a word, else all of them.
fn near(word: &str, known: &[&str]) -> String {
    let hint = did_you_mean(word, known.iter().copied());
    if hint.is_empty() && !known.is_empty() { format!("; known: {}", quoted(known)) } else { hint }
}

/// A way down from one level to another, both ends included.
fn descend<'b>(below: &BTreeMap<&'b str, Vec<&'b str>>, from: &'b str, to: &'b str) -> Option<Vec<&'b str>> {
    // Edges that would close a circle are never added, so this ends.
    if from == to {
        return Some(vec![to]);
    }
    below.get(from)?.iter().find_map(|next| {
        let mut path = descend(below, next, to)?;
        path.insert(0, from);
        Some(path)
    })
}
