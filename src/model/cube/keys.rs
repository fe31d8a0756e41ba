//! The keys of the files in `cubes/`.

use crate::model::shape::{Kind, Shape, may, need};
use crate::model::table::SENSITIVITY;

pub(crate) static FILE: Shape = Shape {
    name: "a file of cubes/",
    keys: &[
        may("calendars", Kind::List(&Kind::Map(&CALENDAR)), "Calendars that all cubes share."),
        may("dimensions", Kind::List(&Kind::Map(&DIMENSION)), "Dimensions that all cubes share."),
        may("cube", Kind::Map(&CUBE), "One cube. The file is named after it."),
    ],
};

pub(super) static CALENDAR: Shape = Shape {
    name: "a calendar",
    keys: &[
        need("name", Kind::Name, "Name of the calendar."),
        need("table", Kind::Name, "Dimension table with one row per calendar day."),
        need("day", Kind::Name, "Its date column."),
        may("business_day", Kind::Name, "Its boolean column: working day, make-up days included."),
    ],
};

pub(super) static DIMENSION: Shape = Shape {
    name: "a dimension",
    keys: &[
        need("name", Kind::Name, "Name of the dimension."),
        may("label", Kind::Label, "Name shown to people."),
        may("description", Kind::Label, "What it is, for people."),
        need("table", Kind::Name, "Warehouse table."),
        need("key", Kind::Name, "Unique key that facts hold: the table's surrogate, or its only key column."),
        may("durable", Kind::Name, "Natural key that never changes."),
        may("scope", Kind::Map(&SCOPE), "Makes it the dimension that cuts the bank into branches; at most one has it."),
        may("hierarchies", Kind::List(&Kind::Map(&HIERARCHY)), "Ways to drill down."),
        may("attributes", Kind::List(&Kind::Map(&ATTRIBUTE)), "Columns outside hierarchies."),
    ],
};

static SCOPE: Shape = Shape {
    name: "a scope",
    keys: &[
        need("level", Kind::Name, "The level that is the branch."),
        need("key", Kind::Name, "Text column whose value names the branch's files and its SQL schema."),
    ],
};

static HIERARCHY: Shape = Shape {
    name: "a hierarchy",
    keys: &[
        need("name", Kind::Name, "Name of the hierarchy, unique in its dimension."),
        may("kind", Kind::OneOf(&["levels", "ragged"]), "A column per level, or a tree of parents.").or("levels"),
        may("parent", Kind::Name, "Ragged: column with the parent's `durable` key; null at the root."),
        may("level_of", Kind::Name, "Ragged: text column that says which level a row stands on."),
        may("member", Kind::Name, "Ragged: column shown as the member's name."),
        may("fill", Kind::OneOf(&["ancestor"]), "Ragged: a missing level repeats its nearest ancestor.").or("ancestor"),
        need("levels", Kind::List(&Kind::Map(&LEVEL)), "Levels from the top down."),
    ],
};

static LEVEL: Shape = Shape {
    name: "a level",
    keys: &[
        need("name", Kind::Name, "Name of the level and of its column in cubes."),
        may("label", Kind::Label, "Name shown to people."),
        may(
            "column",
            Kind::Name,
            "Column of the dimension's table; the level's own name unless stated. Not in ragged hierarchies.",
        ),
        may(
            "members",
            Kind::List(&Kind::Text),
            "Ragged: values of `level_of` on this level; its own name unless stated.",
        ),
        may("sensitivity", SENSITIVITY, "C1 internal, C2 identifies a person or shows a financial state.").or("C1"),
    ],
};

static ATTRIBUTE: Shape = Shape {
    name: "an attribute",
    keys: &[
        need("name", Kind::Name, "Name of the attribute and of its column in cubes."),
        may("label", Kind::Label, "Name shown to people."),
        may("column", Kind::Name, "Column of the table; the attribute's own name unless stated."),
        may("sensitivity", SENSITIVITY, "C1 internal, C2 identifies a person or shows a financial state.").or("C1"),
        may("kind", Kind::Name, "Which mask fits: `name`, `phone`, `account` ..."),
        may("hidden", Kind::Boolean, "For measures only, not a column of cubes.").or("false"),
    ],
};

pub(super) static CUBE: Shape = Shape {
    name: "a cube",
    keys: &[
        need("name", Kind::Name, "Name of the cube, of its view in SQL and of its file."),
        may("label", Kind::Label, "Name shown to people."),
        may("description", Kind::Label, "What it is, for people."),
        need("fact", Kind::Map(&FACT), "The fact table."),
        may("time", Kind::Map(&TIME), "The time of the facts."),
        may("joins", Kind::List(&Kind::Map(&JOIN)), "Dimensions; many facts to one member, always."),
        may(
            "history",
            Kind::List(&Kind::OneOf(&["as_is", "as_was"])),
            "Readings offered of dimensions with versions, default first; both, `as_is` first, unless stated. A branch's own \
             cube is read `as_was` unless it asks otherwise.",
        ),
        may("attributes", Kind::List(&Kind::Map(&ATTRIBUTE)), "Attributes that stand in the fact itself."),
        need("measures", Kind::List(&Kind::Map(&MEASURE)), "What is measured."),
        may("calculated", Kind::List(&Kind::Map(&CALCULATED)), "Measures over finished measures, in order."),
        may(
            "rollups",
            Kind::List(&Kind::Map(&ROLLUP)),
            "Stored aggregates. Their partitions follow the fact's own, so a refresh rebuilds exactly what changed.",
        ),
        may(
            "disclosure",
            Kind::Map(&DISCLOSURE),
            "Keeps figures of small groups from roles without `details`; none unless stated.",
        ),
    ],
};

static DISCLOSURE: Shape = Shape {
    name: "`disclosure`",
    keys: &[
        need("persons", Kind::Name, "The join whose members are persons: its `as`, or without one its dimension."),
        may("minimum", Kind::Integer(2, 1_000_000), "Fewest persons of a group whose figures are given.").or("5"),
    ],
};

static FACT: Shape = Shape {
    name: "a fact",
    keys: &[
        need("table", Kind::Name, "Warehouse table of kind fact."),
        may(
            "grain",
            Kind::List(&Kind::Name),
            "Columns that identify a row, for the reader: they must be the table's key.",
        ),
        may("where", Kind::Text, "SQL condition over fact columns, levels and attributes."),
        may(
            "snapshot",
            Kind::OneOf(&["every_day", "business_day", "month_end"]),
            "Which days have a full set of rows; for measures at the close or as a daily average.",
        ),
    ],
};

static TIME: Shape = Shape {
    name: "a cube's time",
    keys: &[
        need("key", Kind::Name, "Date column of the fact."),
        need("calendar", Kind::Name, "A declared calendar."),
        may(
            "levels",
            Kind::List(&Kind::Name),
            "Time columns of the cube: the key's own name, `week` (the date of its Monday), `month`, `quarter`, `year`; \
             all but `week` unless stated.",
        ),
    ],
};

static JOIN: Shape = Shape {
    name: "a join",
    keys: &[
        need("dimension", Kind::Name, "A declared dimension."),
        need("on", Kind::Name, "Column of the fact that holds the dimension's key."),
        may("as", Kind::Name, "Role, for a dimension joined more than once; it goes before the column names."),
    ],
};

static MEASURE: Shape = Shape {
    name: "a measure",
    keys: &[
        need("name", Kind::Name, "Name of the measure and of its column."),
        may("label", Kind::Label, "Name shown to people."),
        may("description", Kind::Label, "What it is, for people."),
        may(
            "state",
            Kind::OneOf(STATES),
            "What is stored and how it merges; needed unless the measure is made `from` another.",
        ),
        may("of", Kind::Text, "SQL expression over fact columns, or dimension.attribute. A count may do without."),
        may("numerator", Kind::TextOr(&PART), "Ratio: an SQL expression that is summed."),
        may("denominator", Kind::TextOr(&PART), "Ratio: an SQL expression that is summed."),
        may(
            "time",
            Kind::OneOf(&["all", "close", "average_daily", "last_seen", "opening", "movement"]),
            "Along time: every day, the last day, the daily average, in each cell the last day that has a value (such cells \
             do not add up); of a balance its opening (the last day before the period) or its movement (close less \
             opening).",
        )
        .or("all"),
        may("from", Kind::Name, "Opening and movement: the measure with `time: close` that they are of."),
        may("compare", Kind::List(&Kind::Text), COMPARE_DOC),
        may("day_sum", Kind::Name, "Daily average: fact column with the sum over the days that a row stands for."),
        may("type", Kind::DataType, "Integer for counts, decimal(9,6) for ratios, money for the rest unless stated."),
        may("unit", Kind::Text, "`CNY`, `percent`, `customers` ..."),
        may("good", Kind::OneOf(&["up", "down", "none"]), "Which direction is favourable; none unless stated."),
        may("role", Kind::Name, "Analysis methods find their inputs by role."),
        may("call", Kind::OneOf(CALLS), "Another SQL aggregate by which tools may call it."),
    ],
};

const STATES: &[&str] = &["sum", "count", "min", "max", "avg", "ratio", "distinct", "variance", "stddev"];
const COMPARE_DOC: &str = "Comparisons, as columns of their own named `<measure>_<comparison>`: `prior_period`, `prior_year`, \
                           `year_start` (also `<measure>_vs_<comparison>` and `.._pct`), `mtd`, `qtd`, `ytd`, \
                           `ytd_prior_year`, `rolling_3_months` (any number and unit).";
const CALLS: &[&str] = &["sum", "count", "min", "max", "avg", "count_distinct"];

pub(super) static PART: Shape = Shape {
    name: "a part of a ratio",
    keys: &[
        need("state", Kind::OneOf(&["sum"]), "How it merges."),
        need("of", Kind::Text, "SQL expression over fact columns."),
    ],
};

static CALCULATED: Shape = Shape {
    name: "a calculated measure",
    keys: &[
        need("name", Kind::Name, "Name of the measure and of its column."),
        may("label", Kind::Label, "Name shown to people."),
        may("description", Kind::Label, "What it is, for people."),
        may("expression", Kind::Text, "SQL expression over measures declared before it; a division by zero gives null."),
        may("share_of", Kind::Name, "A sum or count, whose part in that of the group is taken."),
        may("rank_of", Kind::Name, "A measure by whose value members are ranked in the group, from 1."),
        may(
            "within",
            Kind::Text,
            "The group of a share or rank, made of what the question groups by: `all`, `<dimension>.parent` (without the \
             dimension's lowest level in the question), `<dimension>.<level>` (without levels below it).",
        )
        .or("all"),
        may("order", Kind::OneOf(&["highest_first", "lowest_first"]), "Which value ranks first.").or("highest_first"),
        may("type", Kind::DataType, "decimal(18,6) unless stated; a rank is an integer."),
        may("unit", Kind::Text, "`CNY`, `percent`, `customers` ..."),
        may("good", Kind::OneOf(&["up", "down", "none"]), "Which direction is favourable."),
        may("role", Kind::Name, "Analysis methods find their inputs by role."),
    ],
};

static ROLLUP: Shape = Shape {
    name: "a rollup",
    keys: &[
        need("name", Kind::Name, "Name of the rollup, unique in the project; its table is `rollup_` with this name."),
        need(
            "dims",
            Kind::List(&Kind::Text),
            "What it keeps: `role.level`, `role.attribute`, a role alone (the key, so every level and attribute of the \
             dimension can be joined back), or an attribute of the fact. A join's role is its `as`, else its dimension.",
        ),
        may("time", Kind::Name, "A time level of the cube; needed when the cube has a time."),
        may(
            "measures",
            Kind::List(&Kind::Name),
            "Measures of the cube whose states it stores; without this key it keeps only the number of rows.",
        ),
        may(
            "where",
            Kind::Text,
            "SQL condition over levels and attributes of the cube; it answers only questions that ask for no more.",
        ),
    ],
};
