//! From a checked tree and the SQL files to a report.

use super::keys::{BAND, BLOCK, CHART, COLUMN, GATES, KPI, REPORT, SERIES, TABLE};
use super::{
    Beside, Block, Chart, Dataset, Deadline, Drill, Filling, Format, Gate, Kpi, Parameter, Publication, Report, Series,
    TableBlock, TableColumn, To, When, alert, validate,
};
use sha2::{Digest, Sha256};

use crate::model::shape::{self, Fields, Kind};
use crate::model::yaml::{self, Node, Value};
use crate::model::{Diagnostic, Located, Place};

/// A report from the text of its `report.yaml`. `path` is the file as diagnostics name it, its folder the report's name;
/// `sql` gives the text of a file beside it, or nothing when there is no such file.
///
/// # Errors
/// Every fault of the folder. What needs the cubes is left to [`super::check`].
pub fn parse(path: &str, text: &str, sql: &dyn Fn(&str) -> Option<String>) -> Result<Report, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let node = yaml::parse(path, text, &mut faults);
    shape::check(&node, Kind::Map(&REPORT), "the report", &mut faults);
    let fields = Fields::new(&node, &REPORT);
    let report = Report {
        name: fields.needed("report"),
        title: fields.label("title"),
        description: fields.label("description"),
        audience: fields.texts("audience").into_iter().map(|role| role.value).collect(),
        cubes: fields.texts("cubes"),
        history: fields.text("history").and_then(|reading| reading.parse().ok()),
        parameters: fields
            .named_maps("parameters")
            .map(|(name, fields)| parameter(name, &fields, &mut faults))
            .collect(),
        datasets: fields
            .named_maps("datasets")
            .map(|(name, fields)| dataset(name, &fields, sql, &mut faults))
            .collect(),
        blocks: fields.items("blocks").iter().filter_map(block).collect(),
        publish: fields.maps("publish").iter().map(|fields| publication(fields, &mut faults)).collect(),
        alerts: fields.maps("alerts").iter().map(|fields| alert::decode(fields, &mut faults)).collect(),
        text: text.to_owned(),
        digest: String::new(),
    };
    let report = Report { digest: digest(text, &report.datasets), ..report };
    validate::validate(path, &report, &mut faults);
    alert::validate(&report, &mut faults);
    validate::placeholders(&report, &node, &mut faults);
    validate::unused(&report, &node, &mut faults);
    if faults.is_empty() { Ok(report) } else { Err(shape::in_order(faults)) }
}

fn parameter(name: &Located<String>, fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Parameter {
    let choices: Vec<_> =
        fields.pairs("choices").iter().map(|entry| (entry.key.value.clone(), shape::label(&entry.node))).collect();
    let kind = fields.needed("type");
    let mut fault = |place: &Place, message: &str| {
        faults.push(Diagnostic::new(place, format!("parameter `{}`: {message}", **name)));
    };
    match (kind.as_str(), fields.given("choices")) {
        ("choice", None) => fault(fields.place(), "a choice needs the key `choices`"),
        ("choice" | "", _) | (_, None) => {}
        (_, Some(place)) => fault(place, "`choices` is for `type: choice`"),
    }
    if let (Some(place), true) = (fields.given("every"), *kind != "as_of_date") {
        fault(place, "`every` is for `type: as_of_date`");
    }
    for key in ["min", "max"] {
        if let (Some(place), "boolean" | "text" | "choice") = (fields.given(key), kind.as_str()) {
            fault(place, &format!("`{key}` is for numbers and dates"));
        } else if let Some(bound) = fields.text(key)
            && let Err(expected) = validate::value(&kind, &bound, &[])
        {
            fault(&bound.place, &format!("`{key}` must be {expected}, not `{}`", *bound));
        }
    }
    Parameter {
        name: name.clone(),
        label: fields.label("label"),
        kind,
        default: fields.text("default"),
        hidden: fields.boolean("hidden"),
        min: fields.text("min").map(|bound| bound.value),
        max: fields.text("max").map(|bound| bound.value),
        every: fields.text("every"),
        choices,
    }
}

fn dataset(
    name: &Located<String>,
    fields: &Fields<'_>,
    sql: &dyn Fn(&str) -> Option<String>,
    faults: &mut Vec<Diagnostic>,
) -> Dataset {
    let file = fields.needed("sql");
    let text = if file.is_empty() { Some(String::new()) } else { sql(&file) };
    let mut fault = |place: &Place, message: String| {
        faults.push(Diagnostic::new(place, format!("dataset `{}`: {message}", **name)));
    };
    match &text {
        None => fault(&file.place, format!("there is no file `{}` beside the report", *file)),
        Some(text) if text.trim().is_empty() && !file.is_empty() => fault(&file.place, format!("`{}` is empty", *file)),
        Some(_) => {}
    }
    let rows: Option<u64> = fields.number("rows").map(|rows| rows.value);
    if let (Some(_), Some(place)) = (rows, fields.given("max_rows")) {
        fault(place, "`rows` already says how many rows there are".into());
    }
    Dataset {
        name: name.clone(),
        file,
        sql: text.unwrap_or_default(),
        rows,
        max_rows: rows.unwrap_or_else(|| fields.number_or("max_rows", 1)),
        foots: fields.texts("foots"),
        person_level: fields.boolean("person_level"),
    }
}

/// SHA-256 over the definition and its statements, hexadecimal.
fn digest(text: &str, datasets: &[Dataset]) -> String {
    let mut hash = Sha256::new_with_prefix(text.as_bytes());
    for dataset in datasets {
        hash.update([0]);
        hash.update(dataset.sql.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn publication(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Publication {
    let when = fields.map("when");
    let of_when = |key: &str| when.as_ref().and_then(|when| when.text(key));
    let keep = fields.text("keep");
    let keep_days = keep.as_ref().and_then(|keep| match days(keep) {
        Some(days) => Some(days),
        None => {
            let message = format!("`keep` must be a number of days, months or years, as `10 years`, not `{}`", **keep);
            faults.push(Diagnostic::new(&keep.place, message));
            None
        }
    });
    let gate = |name: &Located<String>| {
        let at = GATES.iter().position(|gate| *gate == name.as_str())?;
        [Gate::Complete, Gate::Untruncated, Gate::Glyphs, Gate::Foots].get(at).copied()
    };
    Publication {
        id: fields.needed("id"),
        when: When {
            place: when.as_ref().map_or_else(|| fields.place().clone(), |when| when.place().clone()),
            cron: of_when("cron"),
            time_zone: of_when("time_zone"),
            closed: of_when("closed"),
            calendar: of_when("calendar"),
            on_holiday: of_when("on_holiday"),
        },
        deadline: fields.map("deadline").map(|fields| Deadline {
            business_day: fields.number_or("business_day", 1),
            at: fields.needed("at"),
            partial: fields.text("then").is_some_and(|then| *then == "partial"),
            at_least: fields.number("at_least").map(|least| least.value),
            tell: fields.texts("tell"),
        }),
        burst: fields.boolean("burst"),
        role: fields.needed("role"),
        formats: fields.texts("formats"),
        languages: fields.texts("languages"),
        gates: fields.texts("gate").iter().filter_map(gate).collect(),
        keep_days,
        missed: fields.needed("missed"),
        overlap: fields.needed("overlap"),
        to: to(fields),
    }
}

/// Where something is sent.
pub(super) fn to(fields: &Fields<'_>) -> Vec<To> {
    let one = |fields: &Fields<'_>| To {
        channel: fields.needed("channel"),
        name: fields.text("name"),
        roles: fields.texts("roles"),
    };
    fields.maps("to").iter().map(one).collect()
}

/// `90 days`, `6 months`, `10 years` in days; months and years at their longest.
fn days(text: &str) -> Option<u32> {
    let (number, unit) = text.trim().split_once(' ')?;
    let number: u32 = number.parse().ok().filter(|number| *number > 0)?;
    let each = match unit.trim().trim_end_matches('s') {
        "day" => 1,
        "month" => 31,
        "year" => 366,
        _ => return None,
    };
    number.checked_mul(each)
}

fn block(node: &Node) -> Option<Block> {
    let fields = Fields::new(node, &BLOCK);
    let entry = fields.entries().first()?;
    let inner = &entry.node;
    Some(match entry.key.as_str() {
        "message" => Block::Message { text: shape::label(inner) },
        "text" => Block::Text { text: shape::label(inner) },
        "row" => Block::Row { blocks: fields.items("row").iter().filter_map(block).collect() },
        "kpi" => Block::Kpi(kpi(&Fields::new(inner, &KPI))),
        "chart" => Block::Chart(Box::new(chart(&Fields::new(inner, &CHART)))),
        "table" => Block::Table(table(&Fields::new(inner, &TABLE))),
        _ => return None,
    })
}

fn kpi(fields: &Fields<'_>) -> Kpi {
    let spark = fields.text("spark").and_then(|pair| {
        let (dataset, column) = pair.split_once('.')?;
        Some((pair.clone().map(|_| dataset.to_owned()), pair.clone().map(|_| column.to_owned())))
    });
    Kpi {
        dataset: fields.needed("dataset"),
        value: fields.needed("value"),
        title: fields.label("title"),
        compare: fields.text_pairs("compare"),
        beside: fields
            .map("beside")
            .map(|fields| Beside { value: fields.needed("value"), title: fields.label("title") }),
        spark,
        format: format(fields),
    }
}

pub(super) fn format(fields: &Fields<'_>) -> Format {
    Format {
        measure: fields.text("measure"),
        unit: fields.text("unit"),
        decimals: fields.number("decimals").map(|digits| digits.value),
    }
}

fn chart(fields: &Fields<'_>) -> Chart {
    Chart {
        id: fields.needed("id"),
        kind: fields.needed("kind"),
        dataset: fields.needed("dataset"),
        title: fields.label("title"),
        message: fields.label("message"),
        x: fields.needed("x"),
        x_label: fields.label("x_label"),
        y: fields.items("y").iter().filter_map(series).collect(),
        by: fields.text("by"),
        series_label: fields.label("series_label"),
        zero: fields.number("zero").map(|zero| zero.value),
        bands: fields.items("bands").iter().filter_map(band).collect(),
        drill: fields.map("drill").map(|fields| drill(&fields)),
        format: format(fields),
    }
}

fn series(node: &Node) -> Option<Series> {
    let fields = Fields::new(node, &SERIES);
    let own = ["measure", "unit", "decimals"].iter().any(|key| fields.given(key).is_some());
    Some(Series {
        column: column_name(node, &fields)?,
        label: fields.label("label"),
        scenario: fields.text("scenario"),
        format: own.then(|| format(&fields)),
    })
}

fn band(node: &Node) -> Option<Series> {
    let fields = Fields::new(node, &BAND);
    Some(Series { column: column_name(node, &fields)?, label: fields.label("label"), scenario: None, format: None })
}

fn table(fields: &Fields<'_>) -> TableBlock {
    TableBlock {
        id: fields.needed("id"),
        dataset: fields.needed("dataset"),
        title: fields.label("title"),
        message: fields.label("message"),
        total: fields.text("total"),
        drill: fields.map("drill").map(|fields| drill(&fields)),
        columns: fields.items("columns").iter().filter_map(table_column).collect(),
    }
}

fn drill(fields: &Fields<'_>) -> Drill {
    Drill {
        place: fields.place().clone(),
        report: fields.text("report"),
        scope: fields.text("scope").map(filling),
        set: fields.text_pairs("set").into_iter().map(|(name, text)| (name, filling(text))).collect(),
    }
}

/// `{column}`, `{column:end}`, or a value as it stands.
fn filling(text: Located<String>) -> Filling {
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let column = inner.map(|inner| match inner.strip_suffix(":end") {
        Some(name) => (name.to_owned(), true),
        None => (inner.to_owned(), false),
    });
    match column {
        Some((name, month_end)) => Filling::Column { name: text.map(|_| name), month_end },
        None => Filling::Fixed(text),
    }
}

fn table_column(node: &Node) -> Option<TableColumn> {
    let fields = Fields::new(node, &COLUMN);
    Some(TableColumn {
        column: column_name(node, &fields)?,
        label: fields.label("label"),
        format: format(&fields),
        bar: fields.boolean("bar"),
        variance: fields.boolean("variance"),
    })
}

/// A column given by its name alone, or as a map.
fn column_name(node: &Node, fields: &Fields<'_>) -> Option<Located<String>> {
    match node.value {
        Value::Map(_) => Some(fields.needed("column")),
        _ => shape::scalar(node, Kind::Text),
    }
}
