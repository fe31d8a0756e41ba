//! `box`: how far do values spread within groups. A row per group with its box from the lower to the upper quartile, its
//! median and whiskers; number, quartiles and median are printed.
//!
//! Two forms of data. One series: each category is the group of one observation, and the quartiles are computed here,
//! between observations (the same as `percentile_cont`); whiskers end at the last observation within one and a half box
//! lengths, those beyond are points. Six series: number, lowest, lower quartile, median, upper quartile, highest,
//! computed before; whiskers end at the lowest and the highest. A group of fewer than five has no box: it would draw a
//! shape of nothing.

use super::heatmap::only_actual;
use super::{Kind, limit, link};
use crate::chart::axis::{self, Linear};
use crate::chart::canvas::{Anchor, Area, Canvas, Text};
use crate::chart::text::{self, BODY, SMALL};
use crate::chart::theme::Token;
use crate::chart::{ChartError, ChartSpec, DataTable, describe};
use crate::locale::{Decimal, MISSING, NumberUnit, Quantity, format_number, message};

/// See the module.
#[derive(Debug)]
pub(super) struct BoxPlot;

/// Below this a group shows its values.
const FEW: u64 = 5;
const FENCE: f64 = 1.5;
const HEAD: f64 = 20.0;
const AXIS: f64 = 20.0;
const NOTE: f64 = 18.0;
/// Least width of the plot beside the numbers; with less the numbers stand above it.
const LEAST_PLOT: f64 = 220.0;

impl Kind for BoxPlot {
    fn name(&self) -> &'static str {
        "box"
    }

    fn question(&self) -> &'static str {
        "How far do values spread within groups?"
    }

    fn takes(&self) -> &'static [&'static str] {
        &["units"]
    }

    fn check(&self, spec: &ChartSpec) -> Result<(), ChartError> {
        let refuse = |reason: String| Err(ChartError::Refused { kind: "box", reason });
        only_actual("box", spec)?;
        if spec.time.is_some() {
            return refuse("periods run from left to right; draw median and quartiles as a `line`".to_owned());
        }
        match spec.series.len() {
            1 => {}
            6 => check_summary(spec)?,
            found => {
                return refuse(format!(
                    "needs one series of observations, or six in this order: number, lowest, lower quartile, median, upper \
                     quartile, highest; found {found}"
                ));
            }
        }
        limit("box", "groups", groups(spec).len(), 40)
    }

    fn height(&self, spec: &ChartSpec, width: f64, _wish: f64) -> f64 {
        let groups = groups(spec);
        let columns = Columns::of(spec, &groups, width);
        let head = if columns.beside { HEAD } else { 0.0 };
        head + columns.row() * groups.len() as f64 + AXIS + NOTE
    }

    fn needs_key(&self, _spec: &ChartSpec) -> bool {
        false
    }

    fn items(&self, spec: &ChartSpec) -> Vec<String> {
        groups(spec).into_iter().map(|group| group.name).collect()
    }

    fn draw(&self, spec: &ChartSpec, canvas: &mut Canvas, area: Area) -> Result<(), ChartError> {
        draw(spec, canvas, area);
        Ok(())
    }

    /// The groups with the highest and the lowest median.
    fn words(&self, spec: &ChartSpec) -> Vec<String> {
        let groups = groups(spec);
        let boxes = || groups.iter().filter(|group| group.has_box());
        let highest = boxes().reduce(|best, next| if next.median > best.median { next } else { best });
        let lowest = boxes().reduce(|best, next| if next.median < best.median { next } else { best });
        let (Some(highest), Some(lowest)) = (highest, lowest) else { return Vec::new() };
        let mut words = vec![group_words(spec, "chart-desc-box-highest", highest)];
        if highest.name != lowest.name {
            words.push(group_words(spec, "chart-desc-box-lowest", lowest));
        }
        words
    }

    /// A row per group.
    fn table(&self, spec: &ChartSpec) -> DataTable {
        let heads = [
            "chart-box-n",
            "chart-lowest",
            "chart-lower-quartile",
            "chart-median",
            "chart-upper-quartile",
            "chart-highest",
        ];
        let first = spec.x_label.clone().unwrap_or_else(|| message(spec.lang, "chart-table-category", &[]));
        let headers = std::iter::once(first).chain(heads.iter().map(|key| message(spec.lang, key, &[]))).collect();
        let row = |group: Group| -> Vec<String> {
            let number = count_text(spec, group.count);
            [group.name, number].into_iter().chain(group.texts).collect()
        };
        DataTable { caption: String::new(), headers, rows: groups(spec).into_iter().map(row).collect() }
    }
}

fn check_summary(spec: &ChartSpec) -> Result<(), ChartError> {
    let refuse = |reason: String| Err(ChartError::Refused { kind: "box", reason });
    for (category, name) in spec.categories.iter().enumerate() {
        let values: Vec<f64> = spec.series.iter().filter_map(|series| series.values[category]).collect();
        let &[count, ref five @ ..] = values.as_slice() else { return refuse(format!("`{name}` has no values")) };
        if five.len() < 5 {
            return refuse(format!("`{name}` lacks some of its six values"));
        }
        if count < 1.0 || count.fract() != 0.0 || count > 1e15 {
            return refuse(format!("`{name}`: the first series is the number of observations, which {count} is not"));
        }
        if five.windows(2).any(|pair| pair[0] > pair[1]) {
            return refuse(format!("`{name}`: lowest, lower quartile, median, upper quartile, highest must ascend"));
        }
    }
    Ok(())
}

/// A group with its five numbers.
#[derive(Debug)]
struct Group {
    name: String,
    /// Its first category, for the link.
    first: usize,
    count: u64,
    low: f64,
    lower: f64,
    median: f64,
    upper: f64,
    high: f64,
    whiskers: (f64, f64),
    /// Drawn as points: what lies beyond the whiskers, or everything where there is no box.
    points: Vec<f64>,
    /// Lowest, lower quartile, median, upper quartile, highest as they are printed.
    texts: [String; 5],
}

impl Group {
    fn has_box(&self) -> bool {
        self.count >= FEW
    }

    fn of(spec: &ChartSpec, name: &str, first: usize, mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let five = [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| quantile(&values, share));
        let [low, lower, median, upper, high] = five;
        let count = values.len() as u64;
        let (from, to) = fences(lower, upper);
        let inside = || values.iter().copied().filter(|value| (from..=to).contains(value));
        let whiskers = (inside().fold(lower, f64::min), inside().fold(upper, f64::max));
        let mut texts = five.map(|value| spec.number(value));
        if count < FEW {
            // Lowest and highest are observations; quartiles of so few are not worth their digits.
            texts[1] = MISSING.to_owned();
            texts[3] = MISSING.to_owned();
        }
        let points = if count < FEW {
            values
        } else {
            values.into_iter().filter(|value| !(from..=to).contains(value)).collect()
        };
        Self { name: name.to_owned(), first, count, low, lower, median, upper, high, whiskers, points, texts }
    }

    fn of_summary(spec: &ChartSpec, category: usize) -> Self {
        let value = |series: usize| spec.series[series].values[category].unwrap_or(0.0);
        let (low, high) = (value(1), value(5));
        let count = value(0) as u64;
        let mut texts = std::array::from_fn(|place| spec.value_text(place + 1, category));
        let points = if count < FEW { vec![low, value(3), high] } else { Vec::new() };
        if count < FEW {
            texts[1] = MISSING.to_owned();
            texts[3] = MISSING.to_owned();
        }
        Self {
            name: spec.categories[category].clone(),
            first: category,
            count,
            low,
            lower: value(2),
            median: value(3),
            upper: value(4),
            high,
            whiskers: (low, high),
            points,
            texts,
        }
    }
}

/// The groups in the order of their first observation; without any they do not stand.
fn groups(spec: &ChartSpec) -> Vec<Group> {
    if spec.series.len() == 6 {
        return (0..spec.categories.len()).map(|category| Group::of_summary(spec, category)).collect();
    }
    let mut found: Vec<(&str, usize, Vec<f64>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    let values = spec.series.first().map(|series| &series.values[..]).unwrap_or_default();
    for (category, value) in values.iter().enumerate() {
        let Some(value) = value else { continue };
        let name = spec.categories[category].as_str();
        let place = *places.entry(name).or_insert_with(|| {
            found.push((name, category, Vec::new()));
            found.len() - 1
        });
        found[place].2.push(*value);
    }
    found.into_iter().map(|(name, first, values)| Group::of(spec, name, first, values)).collect()
}

/// Between the two nearest of sorted values, as `percentile_cont` of SQL.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = share * last as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

/// One and a half box lengths beyond the quartiles.
pub(super) fn fences(lower: f64, upper: f64) -> (f64, f64) {
    let reach = (upper - lower) * FENCE;
    (lower - reach, upper + reach)
}

fn count_text(spec: &ChartSpec, count: u64) -> String {
    let exact = Decimal::from(i64::try_from(count).unwrap_or(i64::MAX));
    format_number(spec.lang, &exact, NumberUnit::plain(Quantity::Count))
}

fn group_words(spec: &ChartSpec, key: &str, group: &Group) -> String {
    let [low, lower, median, upper, high] = &group.texts;
    message(
        spec.lang,
        key,
        &[
            ("name", (&group.name).into()),
            ("n", (&count_text(spec, group.count)).into()),
            ("low", low.into()),
            ("lower", lower.into()),
            ("median", median.into()),
            ("upper", upper.into()),
            ("high", high.into()),
        ],
    )
}

/// Where the parts of a row stand: the numbers in columns to the right of the plot, or in a line above it.
struct Columns {
    beside: bool,
    size: f64,
    names: f64,
    plot: (f64, f64),
    /// Right edges of n, lower quartile, median and upper quartile, with their heads.
    numbers: Vec<(f64, String)>,
}

impl Columns {
    fn of(spec: &ChartSpec, groups: &[Group], width: f64) -> Self {
        let size = if spec.is_compact() { SMALL } else { BODY };
        let names = groups.iter().map(|group| text::width(&group.name, size)).fold(0.0, f64::max).min(width * 0.26);
        let heads = ["chart-box-n", "chart-lower-quartile", "chart-median", "chart-upper-quartile"];
        let mut numbers: Vec<(f64, String)> = Vec::new();
        let mut taken = 0.0;
        for (place, key) in heads.iter().enumerate().rev() {
            let head = message(spec.lang, key, &[]);
            let number = |group: &Group| match place {
                0 => count_text(spec, group.count),
                _ => group.texts[place].clone(),
            };
            let widest = groups.iter().map(|group| text::bold_width(&number(group), SMALL)).fold(0.0, f64::max);
            numbers.insert(0, (width - taken, head.clone()));
            taken += widest.max(text::width(&head, SMALL)) + 12.0;
        }
        let left = names + 12.0;
        let beside = !spec.is_compact() && width - taken - left >= LEAST_PLOT;
        let plot = if beside { (left, width - taken) } else { (4.0, width - 4.0) };
        Self { beside, size, names, plot, numbers }
    }

    fn row(&self) -> f64 {
        if self.beside { 28.0 } else { 54.0 }
    }
}

fn draw(spec: &ChartSpec, canvas: &mut Canvas, area: Area) {
    let groups = groups(spec);
    let columns = Columns::of(spec, &groups, area.w);
    let (low, high) =
        groups.iter().fold((f64::MAX, f64::MIN), |(low, high), group| (low.min(group.low), high.max(group.high)));
    let ticks = axis::ticks(low, high, 5);
    let (from, to) = columns.plot;
    let scale = Linear {
        low: ticks.first().copied().unwrap_or(low),
        high: ticks.last().copied().unwrap_or(high),
        from: area.x + from + 4.0,
        to: area.x + to - 8.0,
    };
    let head = if columns.beside { HEAD } else { 0.0 };
    let (top, bottom) = (area.y + head, area.y + head + columns.row() * groups.len() as f64);
    let lane = |place: usize| {
        let bottom = top + columns.row() * (place + 1) as f64;
        (bottom - 32.0, bottom)
    };
    let lanes = if columns.beside { vec![(top, bottom)] } else { (0..groups.len()).map(lane).collect::<Vec<_>>() };
    axis::draw_across(spec, canvas, &ticks, &scale, &lanes);
    if columns.beside {
        for (right, content) in &columns.numbers {
            canvas.label((area.x + right, area.y + 8.0), SMALL, Token::Muted, Anchor::End, content.clone());
        }
    }
    for (place, group) in groups.iter().enumerate() {
        let row = Area { x: area.x, y: top + columns.row() * place as f64, w: area.w, h: columns.row() };
        let y = if columns.beside {
            let middle = row.y + row.h / 2.0;
            let name = text::fit(&group.name, columns.size, columns.names + 1.0);
            canvas.label((area.x, middle), columns.size, Token::Ink, Anchor::Start, name);
            let number = count_text(spec, group.count);
            let [_, lower, median, upper, _] = &group.texts;
            for ((right, _), (content, bold)) in
                columns.numbers.iter().zip([(&number, false), (lower, false), (median, true), (upper, false)])
            {
                let (x, token, anchor) = (area.x + right, Token::Ink, Anchor::End);
                canvas.text(Text { x, y: middle, size: SMALL, token, anchor, bold, content: content.clone() });
            }
            middle
        } else {
            let key = if group.has_box() { "chart-box-numbers" } else { "chart-box-numbers-few" };
            // The name gives way to the numbers.
            let numbers = text::fit(&group_words(spec, key, group), SMALL, area.w * 0.78);
            let room = area.w - text::width(&numbers, SMALL) - 10.0;
            let name = text::fit(&group.name, columns.size, room / 1.06);
            let (x, y, size, token) = (area.x, row.y + 11.0, columns.size, Token::Ink);
            canvas.text(Text { x, y, size, token, anchor: Anchor::Start, bold: true, content: name });
            canvas.label((area.right(), y), SMALL, Token::Ink, Anchor::End, numbers);
            row.y + 38.0
        };
        draw_group(canvas, group, &scale, y);
        canvas.mark(row, group_words(spec, "chart-box-mark", group), link(spec, group.first));
    }
    let key = if spec.series.len() == 6 { "chart-box-whiskers-all" } else { "chart-box-whiskers" };
    let note = text::fit(&message(spec.lang, key, &[]), SMALL, area.w);
    canvas.label((area.x, bottom + AXIS + 9.0), SMALL, Token::Muted, Anchor::Start, note);
}

fn draw_group(canvas: &mut Canvas, group: &Group, scale: &Linear, y: f64) {
    const HALF: f64 = 7.0;
    for value in &group.points {
        canvas.disc((scale.at(*value), y), 2.25, Token::Ink);
    }
    if !group.has_box() {
        return;
    }
    let (from, to) = (scale.at(group.whiskers.0), scale.at(group.whiskers.1));
    let (lower, upper) = (scale.at(group.lower), scale.at(group.upper));
    for (end, edge) in [(from, lower), (to, upper)] {
        canvas.line((end, y), (edge, y), Token::Ink, 1.0);
        canvas.line((end, y - 4.0), (end, y + 4.0), Token::Ink, 1.0);
    }
    let shape = Area::between((lower, y - HALF), (upper, y + HALF));
    canvas.rect(shape, Token::Shade2);
    canvas.outline(shape, Token::Ink, 1.0);
    let median = scale.at(group.median);
    canvas.line((median, y - HALF), (median, y + HALF), Token::Ink, 2.5);
}

/// The texts of a description that `scatter` needs too: the name of a series with its own unit.
pub(super) fn name_with_unit(spec: &ChartSpec, series: usize) -> String {
    let named = ChartSpec {
        title: spec.series[series].name.clone(),
        unit: spec.unit_of(series),
        ..ChartSpec::new("", "", spec.lang)
    };
    describe::title_with_unit(&named)
}
