//! A chart in words: the description for those who do not see it, and the texts that every kind shares.

use super::canvas::{Anchor, Area, Canvas};
use super::kinds::Kind;
use super::text::BODY;
use super::theme::Token;
use super::{ChartSpec, DataTable, Scenario, Series};
use crate::locale::{
    Decimal, MISSING, NumberUnit, Quantity, format_amount, format_number, format_signed, format_signed_amount, message,
};

/// The title with the unit of all numbers, which is printed nowhere else.
pub(super) fn title_with_unit(spec: &ChartSpec) -> String {
    let unit = spec.unit.label(spec.lang);
    // Percent signs stay with their numbers; where each series has a unit of its own, its name carries it.
    let own = !spec.units.is_empty() && spec.units.iter().all(|unit| *unit != spec.unit);
    if unit.is_empty() || spec.unit.quantity == Quantity::Percent || own {
        return spec.title.clone();
    }
    if spec.title.is_empty() {
        return unit;
    }
    message(spec.lang, "chart-title-unit", &[("title", (&spec.title).into()), ("unit", (&unit).into())])
}

/// Says that there is nothing to draw.
pub(super) fn no_data(spec: &ChartSpec, canvas: &mut Canvas, area: Area) {
    let (top, bottom) = (area.y + 4.0, area.bottom() - 4.0);
    canvas.line((area.x, top), (area.right(), top), Token::Grid, 1.0);
    canvas.line((area.x, bottom), (area.right(), bottom), Token::Grid, 1.0);
    let text = message(spec.lang, "chart-no-data", &[]);
    canvas.label((area.x + area.w / 2.0, (top + bottom) / 2.0), BODY, Token::Muted, Anchor::Middle, text);
}

/// Kind, title, range; then what the kind has to say of its values.
pub(super) fn words(spec: &ChartSpec, kind: &dyn Kind) -> String {
    let lang = spec.lang;
    let name = message(lang, &format!("chart-kind-{}", kind.name()), &[]);
    let title = title_with_unit(spec);
    let mut sentences = Vec::new();
    let empty = String::new();
    let items = kind.items(spec);
    let (first, last) = (items.first().unwrap_or(&empty), items.last().unwrap_or(&empty));
    let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
    sentences.push(message(
        lang,
        if spec.time.is_some() { "chart-desc-time" } else { "chart-desc-structure" },
        &[
            ("kind", (&name).into()),
            ("title", (&title).into()),
            ("first", first.into()),
            ("last", last.into()),
            ("count", count.into()),
        ],
    ));
    if spec.has_data() {
        sentences.extend(kind.words(spec));
    } else {
        sentences.push(message(lang, "chart-desc-no-data", &[]));
    }
    sentences.join(if lang == crate::locale::Lang::Zh { "" } else { " " })
}

/// Highest, lowest and last value of each series; the difference from plan or prior.
pub(super) fn values(spec: &ChartSpec) -> Vec<String> {
    // Beyond these nobody listens; the table has them all.
    let series = spec.series.iter().enumerate().take(6).filter_map(|(index, series)| series_words(spec, index, series));
    series.chain(difference_words(spec)).collect()
}

pub(super) fn series_words(spec: &ChartSpec, index: usize, series: &Series) -> Option<String> {
    let known: Vec<(usize, f64)> =
        series.values.iter().enumerate().filter_map(|(category, value)| value.map(|value| (category, value))).collect();
    let highest = known.iter().copied().reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    let lowest = known.iter().copied().reduce(|best, next| if next.1 < best.1 { next } else { best })?;
    let last = known.last().copied()?;
    let text = |category: usize| spec.value_text(index, category);
    Some(message(
        spec.lang,
        if spec.time.is_some() { "chart-desc-series-time" } else { "chart-desc-series" },
        &[
            ("name", (&series.name).into()),
            ("high", (&text(highest.0)).into()),
            ("high-at", (&spec.categories[highest.0]).into()),
            ("low", (&text(lowest.0)).into()),
            ("low-at", (&spec.categories[lowest.0]).into()),
            ("last", (&text(last.0)).into()),
            ("last-at", (&spec.categories[last.0]).into()),
        ],
    ))
}

/// For time: the last difference. For structure: the largest and the smallest.
fn difference_words(spec: &ChartSpec) -> Option<String> {
    let reference = Reference::of(spec)?;
    let against = &spec.series[reference.series].name;
    let known: Vec<(usize, f64)> =
        (0..spec.categories.len()).filter_map(|index| reference.difference(spec, index).map(|d| (index, d))).collect();
    let amount = |value: f64| amount_signed(spec, value);
    if spec.time.is_some() {
        let (at, difference) = *known.last()?;
        let relative =
            reference.relative(spec, at).map_or_else(|| MISSING.to_owned(), |share| percent(spec, share, true));
        return Some(message(
            spec.lang,
            "chart-desc-difference-time",
            &[
                ("at", (&spec.categories[at]).into()),
                ("against", against.into()),
                ("amount", (&amount(difference)).into()),
                ("relative", (&relative).into()),
            ],
        ));
    }
    let most = known.iter().copied().reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    let least = known.iter().copied().reduce(|best, next| if next.1 < best.1 { next } else { best })?;
    Some(message(
        spec.lang,
        "chart-desc-difference",
        &[
            ("against", against.into()),
            ("most", (&amount(most.1)).into()),
            ("most-at", (&spec.categories[most.0]).into()),
            ("least", (&amount(least.1)).into()),
            ("least-at", (&spec.categories[least.0]).into()),
        ],
    ))
}

fn amount_signed(spec: &ChartSpec, value: f64) -> String {
    Decimal::from_f64(value)
        .map_or_else(|| MISSING.to_owned(), |exact| format_signed_amount(spec.lang, &exact, spec.unit.difference()))
}

/// A value with its unit, for sentences.
pub(super) fn amount(spec: &ChartSpec, value: f64) -> String {
    Decimal::from_f64(value).map_or_else(|| MISSING.to_owned(), |exact| format_amount(spec.lang, &exact, spec.unit))
}

/// A share (0.062) as a percentage.
pub(super) fn percent(spec: &ChartSpec, share: f64, signed: bool) -> String {
    let unit = NumberUnit::plain(Quantity::Percent);
    Decimal::from_f64(share).map_or_else(
        || MISSING.to_owned(),
        |exact| {
            if signed { format_signed(spec.lang, &exact, unit) } else { format_number(spec.lang, &exact, unit) }
        },
    )
}

/// Whether the values are shares or rates: percents of them mislead.
pub(super) fn is_ratio(spec: &ChartSpec) -> bool {
    matches!(spec.unit.quantity, Quantity::Percent | Quantity::Points | Quantity::BasisPoints)
}

/// What the first actual series is compared with: plan if there is one, else the prior period.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reference {
    /// Index of the compared series.
    pub(super) main: usize,
    /// Index of the series it is compared with.
    pub(super) series: usize,
}

impl Reference {
    /// `None` where there is nothing to compare with.
    pub(super) fn of(spec: &ChartSpec) -> Option<Self> {
        let find = |scenario| spec.series.iter().position(|series| series.scenario == scenario);
        let main = find(Scenario::Actual)?;
        find(Scenario::Plan).or_else(|| find(Scenario::Prior)).map(|series| Self { main, series })
    }

    /// The absolute difference at a category.
    pub(super) fn difference(self, spec: &ChartSpec, category: usize) -> Option<f64> {
        Some(spec.series[self.main].values[category]? - spec.series[self.series].values[category]?)
    }

    /// The difference as a share of the base. Ratios have none: a percent of a percent misleads, as does a base that is not
    /// above zero.
    pub(super) fn relative(self, spec: &ChartSpec, category: usize) -> Option<f64> {
        let base = spec.series[self.series].values[category].filter(|base| *base > 0.0 && !is_ratio(spec))?;
        Some(self.difference(spec, category)? / base)
    }
}

/// The table of most kinds: a row per category, a column per series, then the difference where there is one.
pub(super) fn table(spec: &ChartSpec) -> DataTable {
    let lang = spec.lang;
    let mut table = plain_table(spec);
    let Some(reference) = Reference::of(spec) else { return table };
    let against = &spec.series[reference.series].name;
    table.headers.push(message(lang, "chart-against", &[("against", against.into())]));
    for (category, row) in table.rows.iter_mut().enumerate() {
        let difference = reference.difference(spec, category);
        row.push(difference.map_or_else(|| MISSING.to_owned(), |difference| spec.difference(difference)));
    }
    table
}

/// A row per category, a column per series.
pub(super) fn plain_table(spec: &ChartSpec) -> DataTable {
    let first = spec.x_label.clone().unwrap_or_else(|| message(spec.lang, "chart-table-category", &[]));
    let headers = std::iter::once(first).chain(spec.series.iter().map(|series| series.name.clone())).collect();
    let row = |category: usize| {
        let values = (0..spec.series.len()).map(|series| spec.value_text(series, category));
        std::iter::once(spec.categories[category].clone()).chain(values).collect()
    };
    DataTable { caption: String::new(), headers, rows: (0..spec.categories.len()).map(row).collect() }
}

/// The values of a category in words, for its mark.
pub(super) fn mark_label(spec: &ChartSpec, category: usize) -> String {
    let values: Vec<String> = (0..spec.series.len())
        .filter(|series| spec.series[*series].values[category].is_some())
        .map(|series| {
            let value = spec.value_text(series, category);
            if spec.series.len() == 1 { value } else { format!("{} {value}", spec.series[series].name) }
        })
        .collect();
    let values = values.join(&message(spec.lang, "list-separator", &[]));
    let values = if values.is_empty() { MISSING.to_owned() } else { values };
    message(spec.lang, "chart-mark", &[("category", (&spec.categories[category]).into()), ("values", (&values).into())])
}
