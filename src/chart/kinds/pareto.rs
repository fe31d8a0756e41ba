//! `pareto`: how concentrated is it. Sorted bars on the left, their running share of the total on the right with the 80 %
//! mark; two fields beside each other, because two value axes on one field can be made to say anything.
//!
//! What does not fit is one named row at the end. It has a number and no bar: as a bar it would dwarf what it is compared with.

use super::{Kind, limit, link};
use crate::chart::axis::Linear;
use crate::chart::canvas::{Anchor, Area, Canvas, Text};
use crate::chart::text::{self, BODY, SMALL};
use crate::chart::theme::Token;
use crate::chart::{ChartError, ChartSpec, DataTable, describe};
use crate::locale::message;

/// See the module.
#[derive(Debug)]
pub(super) struct Pareto;

const MARK: f64 = 0.8;
const STEP: f64 = 24.0;
const HEAD: f64 = 20.0;

impl Kind for Pareto {
    fn name(&self) -> &'static str {
        "pareto"
    }

    fn question(&self) -> &'static str {
        "How concentrated is it?"
    }

    fn check(&self, spec: &ChartSpec) -> Result<(), ChartError> {
        limit("pareto", "series", spec.series.len(), 1)?;
        let values = || spec.series[0].values.iter().flatten();
        if values().any(|value| *value < 0.0) {
            let reason = "shares of a total need values that are not negative; use `bar`".to_owned();
            return Err(ChartError::Refused { kind: "pareto", reason });
        }
        if values().all(|value| *value == 0.0) {
            let reason = "the total is zero, so there are no shares".to_owned();
            return Err(ChartError::Refused { kind: "pareto", reason });
        }
        Ok(())
    }

    fn height(&self, spec: &ChartSpec, _width: f64, _wish: f64) -> f64 {
        let ranking = Ranking::of(spec);
        HEAD + STEP * (ranking.shown.len() + usize::from(ranking.others > 0)) as f64 + 6.0
    }

    fn draw(&self, spec: &ChartSpec, canvas: &mut Canvas, area: Area) -> Result<(), ChartError> {
        draw(spec, canvas, area);
        Ok(())
    }

    fn words(&self, spec: &ChartSpec) -> Vec<String> {
        let ranking = Ranking::of(spec);
        let [first, ..] = ranking.shown[..] else { return Vec::new() };
        let (reach, all) = (i64::try_from(ranking.reach), i64::try_from(ranking.order.len()));
        let total = describe::amount(spec, ranking.total);
        let share = describe::percent(spec, first.2, false);
        vec![message(
            spec.lang,
            "chart-desc-pareto",
            &[
                ("total", (&total).into()),
                ("first", (&spec.categories[first.0]).into()),
                ("share", (&share).into()),
                ("reach", reach.unwrap_or(i64::MAX).into()),
                ("all", all.unwrap_or(i64::MAX).into()),
            ],
        )]
    }

    /// All rows, sorted, with share and running share.
    fn table(&self, spec: &ChartSpec) -> DataTable {
        let mut table = describe::table(spec);
        table.headers.push(message(spec.lang, "chart-share", &[]));
        table.headers.push(message(spec.lang, "chart-cumulative", &[]));
        let ranking = Ranking::of(spec);
        let mut sum = 0.0;
        let percent = |value: f64| describe::percent(spec, value / ranking.total, false);
        table.rows = ranking
            .order
            .iter()
            .map(|category| {
                let value = spec.series[0].values[*category].unwrap_or(0.0);
                sum += value;
                vec![spec.categories[*category].clone(), spec.value_text(0, *category), percent(value), percent(sum)]
            })
            .collect();
        table
    }
}

struct Ranking {
    /// All categories, largest first; ties keep their order.
    order: Vec<usize>,
    /// Those with a row of their own, with the running share.
    shown: Vec<(usize, f64, f64)>,
    total: f64,
    /// How many are in the last row, and their sum.
    others: usize,
    rest: f64,
    /// How many reach the mark.
    reach: usize,
}

impl Ranking {
    fn of(spec: &ChartSpec) -> Self {
        let value = |category: usize| spec.series[0].values[category].unwrap_or(0.0);
        let mut order: Vec<usize> = (0..spec.categories.len()).collect();
        order.sort_by(|a, b| value(*b).total_cmp(&value(*a)));
        let total: f64 = order.iter().map(|category| value(*category)).sum();
        let running: Vec<f64> = order
            .iter()
            .scan(0.0, |sum, category| {
                *sum += value(*category);
                Some(*sum)
            })
            .collect();
        // Shares are sums of floats: the mark is reached a hair early rather than late.
        let reach = running.iter().position(|sum| *sum >= total * (MARK - 1e-12)).map(|rank| rank + 1);
        // The place where the mark is reached is what the chart is about, so it is shown unless it is very far down.
        let most = if spec.is_compact() { 12 } else { 20 };
        let most = most.max(reach.filter(|reach| *reach < 40).map_or(0, |reach| reach + 1));
        // A last row for a single one would say less than its own row.
        let kept = if order.len() <= most + 1 { order.len() } else { most };
        let shown = order[..kept]
            .iter()
            .zip(&running)
            .map(|(category, sum)| (*category, value(*category), sum / total))
            .collect();
        let rest = order[kept..].iter().map(|category| value(*category)).sum();
        Self { others: order.len() - kept, rest, reach: reach.unwrap_or(order.len()), order, shown, total }
    }
}

fn draw(spec: &ChartSpec, canvas: &mut Canvas, area: Area) {
    let ranking = Ranking::of(spec);
    let size = if spec.is_compact() { SMALL } else { BODY };
    let others =
        message(spec.lang, "chart-others", &[("count", i64::try_from(ranking.others).unwrap_or(i64::MAX).into())]);
    let names = ranking
        .shown
        .iter()
        .map(|(category, ..)| spec.categories[*category].as_str())
        .chain((ranking.others > 0).then_some(others.as_str()))
        .map(|name| text::width(name, size))
        .fold(0.0, f64::max)
        .min(area.w * 0.3);
    let left = area.x + names + 10.0;
    let share_width = if spec.is_compact() { (area.right() - left) * 0.38 } else { (area.right() - left) * 0.36 };
    let gap = if spec.is_compact() { 10.0 } else { 24.0 };
    let shares = Area { x: area.right() - share_width, y: area.y + HEAD, w: share_width, h: area.h - HEAD - 6.0 };
    let bars = Area { x: left, y: shares.y, w: shares.x - gap - left, h: shares.h };

    let number = |category: usize| text::width(&spec.value_text(0, category), SMALL) + 6.0;
    let widest = ranking.shown.iter().map(|(category, ..)| number(*category)).fold(0.0, f64::max);
    let high = ranking.shown.first().map_or(0.0, |(_, value, _)| *value);
    let scale = Linear { low: 0.0, high, from: bars.x, to: bars.right() - widest };
    // The running share is printed right of its point, so the field ends before the edge.
    let percent_width = text::width("100.0%", SMALL) + 8.0;
    let share = Linear { low: 0.0, high: 1.0, from: shares.x, to: shares.right() - percent_width };

    let head = |key: &str| message(spec.lang, key, &[]);
    let bottom = shares.y + STEP * (ranking.shown.len() + usize::from(ranking.others > 0)) as f64;
    canvas.line((share.at(0.0), shares.y), (share.at(0.0), bottom), Token::Grid, 1.0);
    canvas.line((share.at(1.0), shares.y), (share.at(1.0), bottom), Token::Grid, 1.0);
    canvas.dashes(&[(share.at(MARK), shares.y - 4.0), (share.at(MARK), bottom)], Token::Ink, 1.0);
    let reach = i64::try_from(ranking.reach).unwrap_or(i64::MAX);
    let mark = message(spec.lang, "chart-pareto-reach", &[("count", reach.into())]);
    let taken = text::width(&head("chart-cumulative"), SMALL) + 10.0;
    let mark_width = text::bold_width(&mark, SMALL);
    let middle = share.at(MARK).min(area.right() - mark_width / 2.0);
    let fits = middle - mark_width / 2.0 > shares.x + taken;
    let (mark, middle) = if fits {
        canvas.label((shares.x, area.y + 8.0), SMALL, Token::Muted, Anchor::Start, head("chart-cumulative"));
        (mark, middle)
    } else {
        let mark = format!("{} 80%", head("chart-cumulative"));
        let half = text::bold_width(&mark, SMALL) / 2.0;
        (mark, share.at(MARK).min(area.right() - half))
    };
    canvas.text(Text {
        x: middle,
        y: area.y + 8.0,
        size: SMALL,
        token: Token::Ink,
        anchor: Anchor::Middle,
        bold: true,
        content: mark,
    });

    let mut points = Vec::new();
    for (rank, (category, value, cumulative)) in ranking.shown.iter().enumerate() {
        let row = Area { x: area.x, y: bars.y + STEP * rank as f64, w: area.w, h: STEP };
        let middle = row.y + STEP / 2.0;
        // Those that make up the mark are dark, the long tail is light.
        let inside = rank < ranking.reach;
        let name = text::fit(&spec.categories[*category], size, names + 1.0);
        canvas.label((area.x, middle), size, Token::Ink, Anchor::Start, name);
        let end = scale.at(*value);
        if *value > 0.0 {
            canvas.rect(
                Area::between((bars.x, middle - 7.0), (end, middle + 7.0)),
                if inside { Token::Ink } else { Token::Prior },
            );
        }
        canvas.label((end + 5.0, middle), SMALL, Token::Ink, Anchor::Start, spec.value_text(0, *category));
        points.push((share.at(*cumulative), middle));
        let percent = describe::percent(spec, *cumulative, false);
        let reached = rank + 1 == ranking.reach;
        canvas.text(Text {
            x: area.right(),
            y: middle,
            size: SMALL,
            token: if reached { Token::Ink } else { Token::Muted },
            anchor: Anchor::End,
            bold: reached,
            content: percent.clone(),
        });
        let label = message(
            spec.lang,
            "chart-pareto-mark",
            &[("mark", (&describe::mark_label(spec, *category)).into()), ("share", (&percent).into())],
        );
        canvas.mark(row, label, link(spec, *category));
    }
    canvas.polyline(points.clone(), Token::Ink, 1.5);
    for (rank, point) in points.iter().enumerate() {
        let radius = if rank + 1 == ranking.reach { 4.0 } else { 2.5 };
        canvas.disc(*point, radius, Token::Ink);
    }
    canvas.line((bars.x, bars.y), (bars.x, bottom), Token::Ink, 1.0);
    if ranking.others > 0 {
        let row = Area { x: area.x, y: bottom - STEP, w: area.w, h: STEP };
        let middle = row.y + STEP / 2.0;
        let name = text::fit(&others, size, names + 1.0);
        canvas.label((area.x, middle), size, Token::Muted, Anchor::Start, name);
        let value = spec.number(ranking.rest);
        canvas.label((bars.x + 5.0, middle), SMALL, Token::Muted, Anchor::Start, value.clone());
        canvas.label((area.right(), middle), SMALL, Token::Muted, Anchor::End, describe::percent(spec, 1.0, false));
        canvas.mark(
            row,
            message(spec.lang, "chart-mark", &[("category", (&others).into()), ("values", (&value).into())]),
            None,
        );
    }
}
