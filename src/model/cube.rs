//! Dimensions, cubes and measures. Design: `cubes.md`.

mod decode;
mod derived;
mod describe;
mod keys;
#[cfg(test)]
mod tests;
mod validate;

use std::fmt;
use std::str::FromStr;

use super::table::{DataType, Sensitivity};
use super::{Label, Located, time};

pub use decode::parse;
pub use derived::{Derived, Shift, Unit, Within};
pub use describe::describe_cube;
pub(crate) use keys::FILE;

/// All definitions of a project's `cubes/` folder, checked against the warehouse tables.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// Conformed calendars.
    pub calendars: Vec<Calendar>,
    /// Conformed dimensions.
    pub dimensions: Vec<Dimension>,
    /// Cubes, by name.
    pub cubes: Vec<Cube>,
}

/// A calendar: one row per day.
#[derive(Debug, Clone)]
pub struct Calendar {
    pub name: Located<String>,
    /// Warehouse table with one row per day.
    pub table: Located<String>,
    /// Its Date column.
    pub day: Located<String>,
    /// Boolean column: working day.
    pub business_day: Option<Located<String>>,
}

/// A conformed dimension.
#[derive(Debug, Clone)]
pub struct Dimension {
    pub name: Located<String>,
    pub label: Label,
    pub description: Label,
    /// Warehouse table.
    pub table: Located<String>,
    /// Unique key column that facts hold.
    pub key: Located<String>,
    /// Natural key that never changes.
    pub durable: Option<Located<String>>,
    /// The dimension that cuts the bank into branches.
    pub scope: Option<Scope>,
    pub hierarchies: Vec<Hierarchy>,
    /// Attributes outside hierarchies.
    pub attributes: Vec<Attribute>,
}

/// Which level is the branch, and which column names a branch's files and SQL schema.
#[derive(Debug, Clone)]
pub struct Scope {
    pub level: Located<String>,
    pub key: Located<String>,
}

/// A hierarchy, from the top level down.
#[derive(Debug, Clone)]
pub struct Hierarchy {
    pub name: Located<String>,
    pub kind: HierarchyKind,
    pub levels: Vec<Level>,
}

/// How a hierarchy's levels are found.
#[derive(Debug, Clone)]
pub enum HierarchyKind {
    /// Each level is a column of the dimension table.
    Levels,
    /// A parent column forms a tree; a missing level repeats its nearest ancestor (`fill: ancestor`).
    Ragged {
        /// Column with the parent's `durable` key; null at the root.
        parent: Located<String>,
        /// Column that says which level a row stands on.
        level_of: Located<String>,
        /// Column shown as the member's name.
        member: Located<String>,
    },
}

/// One level of a hierarchy; a column of every cube that joins the dimension.
#[derive(Debug, Clone)]
pub struct Level {
    pub name: Located<String>,
    pub label: Label,
    /// Column of the dimension table (`HierarchyKind::Levels`).
    pub column: Option<Located<String>>,
    /// Values of `level_of` that stand on this level (`HierarchyKind::Ragged`); the level's own name unless stated.
    pub members: Vec<String>,
    pub sensitivity: Sensitivity,
}

/// An attribute: a column of every cube that joins the dimension.
#[derive(Debug, Clone)]
pub struct Attribute {
    pub name: Located<String>,
    pub label: Label,
    pub column: Located<String>,
    pub sensitivity: Sensitivity,
    /// Mask kind.
    pub kind: Option<String>,
    /// Not a column of the cube; usable in measures only.
    pub hidden: bool,
}

/// A cube.
#[derive(Debug, Clone)]
pub struct Cube {
    pub name: Located<String>,
    pub label: Label,
    pub description: Label,
    pub fact: Fact,
    pub time: Option<Time>,
    pub joins: Vec<Join>,
    /// Readings that it offers of dimensions with versions, the default first; a date where it offers `as_is`.
    pub history: Vec<History>,
    /// Attributes that stand in the fact itself (degenerate dimensions).
    pub attributes: Vec<Attribute>,
    /// Stored measures, each followed by its comparisons, then calculated ones.
    pub measures: Vec<Measure>,
    /// Stored aggregates.
    pub rollups: Vec<Rollup>,
    /// How small groups of persons are kept from readers who may not see single ones.
    pub disclosure: Option<Disclosure>,
}

/// Figures of small groups tell of single persons: a cube that says so gives them to nobody without the right to see persons.
#[derive(Debug, Clone)]
pub struct Disclosure {
    /// Name of the join whose members are persons.
    pub persons: Located<String>,
    /// Fewest persons of a group whose figures are given.
    pub minimum: u64,
}

/// Which version of a member a fact belongs to, where a dimension keeps versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum History {
    /// The one of the as-of date, for all of history: a unit that moved takes its past along.
    AsIs,
    /// The one of the fact's own day.
    AsWas,
    /// The one of this day, past or planned, in days since 1970-01-01, for all of history.
    On(i32),
}

impl FromStr for History {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "as_is" => Ok(Self::AsIs),
            "as_was" => Ok(Self::AsWas),
            day => time::parse(day)
                .map(Self::On)
                .ok_or_else(|| format!("history is `as_is`, `as_was` or a date such as 2025-12-31, not `{text}`")),
        }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsIs => f.write_str("as_is"),
            Self::AsWas => f.write_str("as_was"),
            Self::On(day) => f.write_str(&time::iso(*day)),
        }
    }
}

/// The cube's fact table.
#[derive(Debug, Clone)]
pub struct Fact {
    pub table: Located<String>,
    /// SQL condition over fact columns and the cube's levels and attributes.
    pub filter: Option<Located<String>>,
    /// Which days have a full set of rows. Needed by time rules other than `all`.
    pub snapshot: Option<SnapshotDays>,
}

/// Which days a periodic snapshot fact has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotDays {
    /// Each calendar day.
    EveryDay,
    /// Each working day of the calendar.
    BusinessDay,
    /// The last calendar day of each month; a row stands for its month.
    MonthEnd,
}

/// The cube's time.
#[derive(Debug, Clone)]
pub struct Time {
    /// Date column of the fact.
    pub key: Located<String>,
    pub calendar: Located<String>,
    /// Time levels offered as columns: the key's own name (day), `week` (from Monday), `month`, `quarter`, `year`: Dates
    /// of the first day.
    pub levels: Vec<Located<String>>,
}

/// A certified many-to-one join.
#[derive(Debug, Clone)]
pub struct Join {
    pub dimension: Located<String>,
    /// Column of the fact that holds the dimension's key.
    pub on: Located<String>,
    /// Role: columns are named `<role>_<level>`. Without one, by the level's own name.
    pub role: Option<Located<String>>,
}

/// A measure: a state and a time rule.
#[derive(Debug, Clone)]
pub struct Measure {
    pub name: Located<String>,
    pub label: Label,
    pub description: Label,
    pub state: State,
    pub time: TimeRule,
    pub data_type: DataType,
    /// `CNY`, `percent`, `customers` ...
    pub unit: Option<String>,
    pub good: Good,
    /// Analysis methods find their inputs by role.
    pub role: Option<String>,
    /// Another aggregate by which tools may call it.
    pub call: Option<Located<String>>,
}

/// An SQL expression over columns of the fact, or `dimension.attribute`.
pub type Formula = Located<String>;

/// What a measure stores and how it merges.
#[derive(Debug, Clone)]
pub enum State {
    /// Sum of an expression; null when there is no value.
    Sum {
        of: Formula,
    },
    /// Rows, or rows where the expression is not null.
    Count {
        of: Option<Formula>,
    },
    Min {
        of: Formula,
    },
    Max {
        of: Formula,
    },
    /// Sum divided by count.
    Average {
        of: Formula,
    },
    /// Two additive states, divided once at the end; null when the denominator is zero.
    Ratio {
        numerator: Formula,
        denominator: Formula,
    },
    /// Exact number of distinct values.
    Distinct {
        of: Formula,
    },
    /// Sample variance; null for fewer than two values.
    Variance {
        of: Formula,
    },
    /// Sample standard deviation, the square root of the variance.
    StandardDeviation {
        of: Formula,
    },
    /// Nothing of its own: finished from other measures.
    Derived(Derived),
}

/// Along time.
#[derive(Debug, Clone)]
pub enum TimeRule {
    /// Every day of the bucket.
    All,
    /// The last snapshot day of the bucket (时点).
    Close,
    /// Sum of daily values divided by calendar days (日均). `day_sum` names the column that already holds the sum of the
    /// days a row stands for.
    AverageDaily { day_sum: Option<Located<String>> },
    /// In each cell the latest snapshot day that has a value, whichever it is. Cells of different days do not add up.
    LastSeen,
}

/// A stored aggregate of a cube.
///
/// It declares no partitions: they follow the fact's own, so that a refresh rebuilds exactly what changed.
#[derive(Debug, Clone)]
pub struct Rollup {
    /// Unique in the project; its table is named after it.
    pub name: Located<String>,
    /// What it keeps: `role.level`, `role.attribute`, `role` alone (the dimension's key, so every level and attribute can
    /// be joined back), or the bare name of an attribute of the fact. `role` is the join's, else the dimension's name.
    pub dims: Vec<Located<String>>,
    /// One of the cube's time levels; needed when the cube has a time.
    pub time: Option<Located<String>>,
    /// Measures of the cube whose states it stores. Rows are counted in any case.
    pub measures: Vec<Located<String>>,
    /// Narrows it: an SQL condition over the cube's levels and attributes; it answers only questions that ask for no
    /// more.
    pub filter: Option<Formula>,
}

/// What an entry of a rollup's `dims` keeps. `join` is a place in the cube's `joins`.
#[derive(Debug, Clone, Copy)]
pub enum Kept<'a> {
    /// The key of a dimension.
    Dimension { join: usize },
    /// A level, `hierarchy.levels[level]`; the first hierarchy that has it.
    Level { join: usize, hierarchy: &'a Hierarchy, level: usize },
    /// An attribute of a dimension.
    Attribute { join: usize, attribute: &'a Attribute },
    /// An attribute of the fact.
    FactAttribute(&'a Attribute),
}

/// Which direction is favourable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Good {
    Up,
    Down,
    #[default]
    None,
}

/// Along which dimensions a measure may be summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Additivity {
    Additive,
    SemiAdditive,
    NonAdditive,
}

impl Measure {
    /// Additive, semi-additive (all but time) or non-additive.
    pub fn additivity(&self) -> Additivity {
        match (&self.state, &self.time) {
            (State::Sum { .. } | State::Count { .. }, TimeRule::All) => Additivity::Additive,
            (State::Sum { .. } | State::Count { .. }, TimeRule::Close | TimeRule::AverageDaily { .. }) => {
                Additivity::SemiAdditive
            }
            _ => Additivity::NonAdditive,
        }
    }

    /// The ordinary SQL aggregate that calls this measure: its declared one. None: only `MEASURE(m)` does.
    pub fn declared_aggregate(&self) -> Option<&str> {
        if let Some(call) = &self.call {
            return Some(call.as_str());
        }
        match (&self.state, &self.time) {
            (_, TimeRule::AverageDaily { .. } | TimeRule::LastSeen) => None,
            (State::Sum { .. } | State::Count { .. }, _) => Some("sum"),
            (State::Min { .. }, _) => Some("min"),
            (State::Max { .. }, _) => Some("max"),
            (State::Average { .. }, _) => Some("avg"),
            (State::Distinct { .. }, _) => Some("count_distinct"),
            (State::Ratio { .. } | State::Variance { .. } | State::StandardDeviation { .. }, _) => None,
            (State::Derived(_), _) => None,
        }
    }

    /// How it is made of other measures; none when it stores states of its own.
    pub fn derived(&self) -> Option<&Derived> {
        match &self.state {
            State::Derived(derived) => Some(derived),
            _ => None,
        }
    }

    /// Whether cells without rows count as nothing, so that a change to or from them is a number: sums and counts do,
    /// averages, bounds and last values have none there.
    pub fn is_zero_without_rows(&self) -> bool {
        !matches!(self.time, TimeRule::LastSeen)
            && matches!(self.state, State::Sum { .. } | State::Count { .. } | State::Distinct { .. })
    }
}

impl Cube {
    /// The measure of this name.
    pub fn measure(&self, name: &str) -> Option<&Measure> {
        self.measures.iter().find(|measure| *measure.name == name)
    }

    /// What an entry of a rollup's `dims` keeps. `None` when the cube shows nothing of this name; hidden attributes are
    /// for measures. A bare name that is a role and an attribute of the fact means the role.
    pub fn kept<'a>(&'a self, model: &'a Model, dim: &str) -> Option<Kept<'a>> {
        let join = |role: &str| self.joins.iter().position(|join| join.name() == role);
        let Some((role, column)) = dim.split_once('.') else {
            return match join(dim) {
                Some(join) => Some(Kept::Dimension { join }),
                None => visible(&self.attributes, dim).map(Kept::FactAttribute),
            };
        };
        let join = join(role)?;
        let dimension = model.dimension(&self.joins[join].dimension)?;
        let level = dimension.hierarchies.iter().find_map(|hierarchy| {
            let level = hierarchy.levels.iter().position(|level| *level.name == column)?;
            Some(Kept::Level { join, hierarchy, level })
        });
        level.or_else(|| visible(&dimension.attributes, column).map(|attribute| Kept::Attribute { join, attribute }))
    }
}

impl Join {
    /// Its role, else its dimension's name: what stands before the point in `role.attribute`.
    pub fn name(&self) -> &str {
        self.role.as_ref().unwrap_or(&self.dimension)
    }
}

impl Rollup {
    /// Name of its table in the warehouse.
    pub fn table(&self) -> String {
        format!("rollup_{}", *self.name)
    }
}

impl Dimension {
    /// Names of the columns that a join gives to a cube, without its role: levels (each once), then visible attributes.
    pub fn columns(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for level in self.hierarchies.iter().flat_map(|hierarchy| &hierarchy.levels) {
            if !names.contains(&level.name.as_str()) {
                names.push(&level.name);
            }
        }
        names.extend(
            self.attributes.iter().filter(|attribute| !attribute.hidden).map(|attribute| attribute.name.as_str()),
        );
        names
    }
}

impl Model {
    /// The dimension of this name.
    pub fn dimension(&self, name: &str) -> Option<&Dimension> {
        self.dimensions.iter().find(|dimension| *dimension.name == name)
    }

    /// The cube of this name.
    pub fn cube(&self, name: &str) -> Option<&Cube> {
        self.cubes.iter().find(|cube| *cube.name == name)
    }

    /// Whether reports, roles and tokens may name it: a cube, or the records of the evaluation.
    pub fn has(&self, name: &str) -> bool {
        name == super::evaluation::SCHEMA || self.cube(name).is_some()
    }

    /// The dimension that cuts the organisation into branches, if the project has one.
    pub fn scope(&self) -> Option<(&Dimension, &Scope)> {
        self.dimensions.iter().find_map(|dimension| Some((dimension, dimension.scope.as_ref()?)))
    }
}

/// The attribute of this name, unless it is hidden.
fn visible<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|attribute| !attribute.hidden && *attribute.name == name)
}
