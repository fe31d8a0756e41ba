//! The keys of `report.yaml`.

use crate::model::shape::{Kind, Shape, may, need};

pub(crate) static REPORT: Shape = Shape {
    name: "a report",
    keys: &[
        need("report", Kind::Name, "Name of the report and of its folder."),
        need("title", Kind::Label, "Title."),
        may("description", Kind::Label, "What it answers."),
        may("audience", Kind::List(&Kind::Name), "Roles that may open it; everyone with a login unless stated."),
        need("cubes", Kind::List(&Kind::Name), "The cubes that its datasets may read."),
        may(
            "history",
            Kind::OneOf(&["as_is", "as_was"]),
            "Members as they are, or as they were, where a dimension keeps versions; each cube's default unless stated.",
        ),
        need(
            "parameters",
            Kind::Entries(&Kind::Name, &Kind::Map(&PARAMETER)),
            "Inputs, by name; `as_of` is always one.",
        ),
        need("datasets", Kind::Entries(&Kind::Name, &Kind::Map(&DATASET)), "Queries, by name."),
        need("blocks", Kind::List(&Kind::Choice(&BLOCK)), "What the page shows, from the top down."),
        may("publish", Kind::List(&Kind::Map(&PUBLISH)), "When editions are made of it, and whom they reach."),
        may("alerts", Kind::List(&Kind::Map(&ALERT)), "Figures that somebody is told of when they cross a threshold."),
    ],
};

static PARAMETER: Shape = Shape {
    name: "a parameter",
    keys: &[
        need(
            "type",
            Kind::OneOf(&["as_of_date", "date", "month", "integer", "decimal", "boolean", "text", "choice"]),
            "What it accepts.",
        ),
        may("label", Kind::Label, "Name shown to people."),
        may("default", Kind::Text, "A value, or a calendar function such as `months_before(as_of, 12)`."),
        may("hidden", Kind::Boolean, "Not a form control.").or("false"),
        may("min", Kind::Text, "Least value."),
        may("max", Kind::Text, "Greatest value."),
        may("every", Kind::OneOf(&["month", "quarter", "year"]), "As-of dates are the last days of these, closed."),
        may("choices", Kind::Entries(&Kind::Text, &Kind::Label), "Values of a choice with their labels."),
    ],
};

static DATASET: Shape = Shape {
    name: "a dataset",
    keys: &[
        need("sql", Kind::Path, "File beside `report.yaml` with one SELECT; it names no schema."),
        may("rows", Kind::Integer(1, 100_000), "Exactly this many rows, or the run fails."),
        may("max_rows", Kind::Integer(1, 100_000), "More rows than this fail the run; nothing is cut.").or("1000"),
        may(
            "foots",
            Kind::List(&Kind::Name),
            "Columns whose sum over the branches' editions must be head office's, to the last digit, before a burst leaves.",
        ),
        may(
            "person_level",
            Kind::Boolean,
            "Whether its rows are about single persons: then messages carry no figures.",
        )
        .or("false"),
    ],
};

pub(super) static PUBLISH: Shape = Shape {
    name: "a publication",
    keys: &[
        need("id", Kind::Name, "Its name within the report."),
        need("when", Kind::Map(&WHEN), "What starts it."),
        may("deadline", Kind::Map(&DEADLINE), "What happens when the data are late."),
        may("burst", Kind::Boolean, "An edition for every branch beside head office's.").or("false"),
        may("role", Kind::Name, "The role whose rights the editions of head office and branches show.").or("reader"),
        may("formats", Kind::List(&Kind::Name), "Formats of its files.").or("[html, pdf, xlsx]"),
        may("languages", Kind::List(&Kind::Text), "Languages of its files; the project's first unless stated."),
        may("gate", Kind::List(&Kind::OneOf(&GATES)), "What must hold before anything leaves.")
            .or("[complete, untruncated, glyphs, foots]"),
        may("keep", Kind::Text, "How long editions are kept: `90 days`, `10 years`; for ever unless stated."),
        may("missed", Kind::OneOf(&["once", "each", "skip"]), "What happens with firings that were missed.").or("once"),
        may("overlap", Kind::OneOf(&["forbid", "queue", "replace"]), "What happens when the run before is not done.")
            .or("forbid"),
        may("to", Kind::List(&Kind::Map(&TO)), "Where editions are sent."),
    ],
};

/// In the order of [`super::Gate`].
pub(super) static GATES: [&str; 4] = ["complete", "untruncated", "glyphs", "foots"];

pub(super) static WHEN: Shape = Shape {
    name: "`when`",
    keys: &[
        may("cron", Kind::Text, "Minute, hour, day, month, weekday."),
        may("time_zone", Kind::Text, "IANA zone of `cron` and of `deadline`, as `Europe/Prague`."),
        may("closed", Kind::OneOf(&["month", "day"]), "When every branch has closed the period, instead of a time."),
        may("calendar", Kind::Name, "Business days: a file of `calendars/`."),
        may(
            "on_holiday",
            Kind::OneOf(&["skip", "next_business_day", "previous_business_day"]),
            "What happens on a day that is no business day.",
        ),
    ],
};

pub(super) static DEADLINE: Shape = Shape {
    name: "`deadline`",
    keys: &[
        need("business_day", Kind::Integer(1, 28), "The nth business day after the period."),
        need("at", Kind::Text, "Local time, as `09:00`."),
        may("then", Kind::OneOf(&["partial", "hold"]), "Publish without the missing branches, or wait on.").or("hold"),
        may("at_least", Kind::Integer(1, 100_000), "The fewest closed branches of a partial publication."),
        may(
            "tell",
            Kind::List(&Kind::Name),
            "Roles that are told, once, when it passes and branches are missing: by the publication's channels that write messages.",
        ),
    ],
};

pub(super) static TO: Shape = Shape {
    name: "a recipient",
    keys: &[
        need("channel", Kind::Name, "A channel of the settings."),
        may("roles", Kind::List(&Kind::Name), "The logins with these roles; for channels that write to people."),
        may("name", Kind::Name, "The target, for channels that have several: a webhook's."),
    ],
};

pub(super) static ALERT: Shape = Shape {
    name: "an alert",
    keys: &[
        need("id", Kind::Name, "Its name within the report."),
        may("title", Kind::Label, "What it is about, in a few words; its name unless stated."),
        need("dataset", Kind::Name, "The dataset whose rows are judged."),
        may("each", Kind::Name, "Column that names the row: each of its values has a state of its own."),
        may("label", Kind::Name, "Column with what a row is called in the reader's language; `each` unless stated."),
        may("burst", Kind::Boolean, "Judged in every branch too, with the branch's own rows.").or("false"),
        may("role", Kind::Name, "The role whose rights it is judged with.").or("reader"),
        need("raise", Kind::Map(&RAISE), "When it is raised."),
        may("clear", Kind::Map(&CLEAR), "When it is over; as soon as `raise` does not hold unless stated."),
        may("measure", MEASURE, MEASURE_DOC),
        may("unit", UNIT, UNIT_DOC),
        may("decimals", DECIMALS, DECIMALS_DOC),
        may("to", Kind::List(&Kind::Map(&TO)), "Who is told, by channels that write messages."),
    ],
};

pub(super) static RAISE: Shape = Shape {
    name: "`raise`",
    keys: &[
        need("value", Kind::Name, "Column of the figure that is judged."),
        may("above", Kind::Decimal, "Raised above this, as stored: 0.05 for 5%."),
        may("below", Kind::Decimal, "Raised below this."),
        may("outside", Kind::List(&Kind::Decimal), "Raised below the first or above the second of two figures."),
        may("change_above", Kind::Map(&CHANGE), "Raised when it differs too much from another column."),
        may("missing", Kind::Boolean, "Raised when there is no row or no value."),
        may("for", Kind::Text, "Only when it held in so many evaluations in a row: `2 runs`.").or("1 run"),
    ],
};

pub(super) static CHANGE: Shape = Shape {
    name: "`change_above`",
    keys: &[
        need("against", Kind::Name, "Column of the figure that it is held against."),
        need("percent", Kind::Decimal, "By how many percent, up or down."),
    ],
};

pub(super) static CLEAR: Shape = Shape {
    name: "`clear`",
    keys: &[
        may("value", Kind::Name, "The column of `raise`."),
        may("above", Kind::Decimal, "Over above this; for `raise: {below}`."),
        may("below", Kind::Decimal, "Over below this; for `raise: {above}`."),
        may("inside", Kind::List(&Kind::Decimal), "Over between these two; for `raise: {outside}`."),
        may("change_below", Kind::Decimal, "Over when it differs by fewer percent; for `raise: {change_above}`."),
    ],
};

pub(super) static BLOCK: Shape = Shape {
    name: "a block",
    keys: &[
        may("message", Kind::Label, "The sentence that the page says, with placeholders `{dataset.column:format}`."),
        may("row", Kind::List(&Kind::Choice(&BLOCK)), "Blocks side by side."),
        may("kpi", Kind::Map(&KPI), "A figure with its changes."),
        may("chart", Kind::Map(&CHART), "A chart."),
        may("table", Kind::Map(&TABLE), "A table."),
        may("text", Kind::Label, "Markdown per language."),
    ],
};

const MEASURE: Kind = Kind::Pair("cube.measure");
const UNIT: Kind = Kind::OneOf(&["money", "count", "number", "percent", "points", "basis_points"]);
const DECIMALS: Kind = Kind::Integer(0, 9);
const MEASURE_DOC: &str = "Measure whose unit, type and good direction apply.";
const UNIT_DOC: &str = "How numbers are shown; the measure's way unless stated.";
const DECIMALS_DOC: &str = "Digits after the point.";

pub(super) static KPI: Shape = Shape {
    name: "a kpi",
    keys: &[
        need("dataset", Kind::Name, "A dataset with `rows: 1`."),
        need("value", Kind::Name, "Its column."),
        may("title", Kind::Label, "What the figure is; the measure's label unless stated."),
        may(
            "compare",
            Kind::Entries(&Kind::Name, &Kind::OneOf(&["prior_month", "prior_year", "year_start", "plan"])),
            "Comparison columns of the same row, and what each is.",
        ),
        may("beside", Kind::Map(&BESIDE), "A second figure of the row in the same unit, printed under the value."),
        may("spark", Kind::Pair("dataset.column"), "Dataset and column of a sparkline."),
        may("measure", MEASURE, MEASURE_DOC),
        may("unit", UNIT, UNIT_DOC),
        may("decimals", DECIMALS, DECIMALS_DOC),
    ],
};

pub(super) static BESIDE: Shape = Shape {
    name: "a figure beside",
    keys: &[need("value", Kind::Name, "Column of the kpi's dataset."), need("title", Kind::Label, "What it is.")],
};

pub(super) static CHART: Shape = Shape {
    name: "a chart",
    keys: &[
        need("id", Kind::Name, "Name in the page, unique."),
        need("kind", Kind::Name, "Chart kind."),
        need("dataset", Kind::Name, "A dataset."),
        may("title", Kind::Label, "Who, what measure and unit, which period."),
        may("message", Kind::Label, "What the chart says, with placeholders."),
        need("x", Kind::Name, "Column of the categories."),
        may("x_label", Kind::Label, "What the categories are: head of the first column of the data table."),
        need("y", Kind::List(&Kind::TextOr(&SERIES)), "Columns of the series."),
        may(
            "by",
            Kind::Name,
            "Column whose values make the series, for a row per category and series; `y` then has one column.",
        ),
        may("series_label", Kind::Label, "What the series are, in a heat map or triangle."),
        may(
            "zero",
            Kind::Decimal,
            "Value around which the colours of a heat map or triangle part, as stored: 0.05 for 5%.",
        ),
        may("bands", Kind::List(&Kind::TextOr(&BAND)), "Upper limits of the bands of a bullet chart, ascending."),
        may("drill", Kind::Map(&DRILL), "Where a mark leads: a bar, a point, a row of a heat map, a small chart."),
        may("measure", MEASURE, MEASURE_DOC),
        may("unit", UNIT, UNIT_DOC),
        may("decimals", DECIMALS, DECIMALS_DOC),
    ],
};

pub(super) static DRILL: Shape = Shape {
    name: "a drill",
    keys: &[
        may("report", Kind::Name, "The report that it leads to; this one unless stated."),
        may(
            "scope",
            Kind::Text,
            "The schema that the report is opened for: `{column}` of the dataset, or its name; the page's own unless stated.",
        ),
        may(
            "set",
            Kind::Entries(&Kind::Name, &Kind::Text),
            "Parameters of the report: each `{column}`, `{column:end}` (the last day of that month) or a value. `as_of`, and \
             in this report all others, are those of the page unless stated.",
        ),
    ],
};

pub(super) static SERIES: Shape = Shape {
    name: "a series",
    keys: &[
        need("column", Kind::Name, "Column of the dataset."),
        may("label", Kind::Label, "Name shown to people."),
        may(
            "scenario",
            Kind::OneOf(&["actual", "prior", "plan", "forecast"]),
            "Decides how it is drawn; actual unless stated.",
        ),
        may("measure", MEASURE, "Measure of this series, where a scatter plot's two differ."),
        may("unit", UNIT, "How its numbers are shown; the chart's way unless stated."),
        may("decimals", DECIMALS, DECIMALS_DOC),
    ],
};

pub(super) static BAND: Shape = Shape {
    name: "a band",
    keys: &[
        need("column", Kind::Name, "Column of its upper limit."),
        may("label", Kind::Label, "Name shown to people."),
    ],
};

pub(super) static TABLE: Shape = Shape {
    name: "a table block",
    keys: &[
        need("id", Kind::Name, "Name in the page, unique."),
        need("dataset", Kind::Name, "A dataset."),
        may("title", Kind::Label, "What the table shows."),
        may("message", Kind::Label, "What the table says, with placeholders."),
        may("total", Kind::Name, "Boolean column: true marks a total row."),
        may("drill", Kind::Map(&DRILL), "Where the name of a row leads."),
        need("columns", Kind::List(&Kind::TextOr(&COLUMN)), "Columns in order."),
    ],
};

pub(super) static COLUMN: Shape = Shape {
    name: "a table column",
    keys: &[
        need("column", Kind::Name, "Column of the dataset."),
        may("label", Kind::Label, "Head of the column."),
        may("measure", MEASURE, MEASURE_DOC),
        may("unit", UNIT, UNIT_DOC),
        may("decimals", DECIMALS, DECIMALS_DOC),
        may("bar", Kind::Boolean, "Draw an in-cell bar.").or("false"),
        may("variance", Kind::Boolean, "Draw a signed change in the good or bad colour.").or("false"),
    ],
};
