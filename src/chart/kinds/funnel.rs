//! `funnel`: where do cases drop out. Stages in their order from top to bottom; between them the share that goes on and
//! the number that does not, beside them the share of the first stage.
//!
//! Bars start at one edge, so that their lengths compare. A stage with more cases than the one before is refused: those
//! cases did not come through it, and the rate would be above 100 %.

use super::heatmap::only_actual;
use super::{Kind, limit, link};
use crate::chart::axis::Linear;
use crate::chart::canvas::{Anchor, Area, Canvas, Text};
use crate::chart::text::{self, BODY, SMALL};
use crate::chart::theme::Token;
use crate::chart::{ChartError, ChartSpec, DataTable, describe};
use crate::locale::{MISSING, message};

/// See the module.
#[derive(Debug)]
pub(super) struct Funnel;

const BAR: f64 = 24.0;
const GAP: f64 = 26.0;
const HEAD: f64 = 20.0;

impl Kind for Funnel {
    fn name(&self) -> &'static str {
        "funnel"
    }

    fn question(&self) -> &'static str {
        "Where do cases drop out?"
    }

    fn check(&self, spec: &ChartSpec) -> Result<(), ChartError> {
        let refuse = |reason: String| Err(ChartError::Refused { kind: "funnel", reason });
        limit("funnel", "series", spec.series.len(), 1)?;
        limit("funnel", "stages", spec.categories.len(), 12)?;
        only_actual("funnel", spec)?;
        if spec.time.is_some() {
            return refuse("stages are not periods; draw counts over time as `bar` or `line`".to_owned());
        }
        if describe::is_ratio(spec) {
            return refuse("needs the cases of each stage; it computes the rates itself".to_owned());
        }
        if spec.categories.len() < 2 {
            return refuse("needs at least two stages".to_owned());
        }
        let values = &spec.series[0].values;
        if let Some(gap) = values.iter().position(Option::is_none) {
            return refuse(format!("stage `{}` has no value", spec.categories[gap]));
        }
        let values = cases(spec);
        if values[0] <= 0.0 {
            return refuse(format!("the first stage, `{}`, has no cases", spec.categories[0]));
        }
        if let Some(negative) = values.iter().position(|value| *value < 0.0) {
            return refuse(format!("stage `{}` is negative", spec.categories[negative]));
        }
        if let Some(rise) = values.windows(2).position(|pair| pair[1] > pair[0]) {
            let (before, after) = (&spec.categories[rise], &spec.categories[rise + 1]);
            return refuse(format!(
                "stage `{after}` has more cases than `{before}` before it; stages must be ordered and count cases that came \
                 through all earlier ones"
            ));
        }
        Ok(())
    }

    fn height(&self, spec: &ChartSpec, _width: f64, _wish: f64) -> f64 {
        HEAD + (BAR + GAP) * spec.categories.len() as f64 - GAP + 4.0
    }

    fn draw(&self, spec: &ChartSpec, canvas: &mut Canvas, area: Area) -> Result<(), ChartError> {
        draw(spec, canvas, area);
        Ok(())
    }

    /// From the first to the last stage, and the step that loses the largest share.
    fn words(&self, spec: &ChartSpec) -> Vec<String> {
        let values = cases(spec);
        let last = values.len() - 1;
        let percent = |share: f64| describe::percent(spec, share, false);
        let mut words = vec![message(
            spec.lang,
            "chart-desc-funnel",
            &[
                ("first", (&spec.categories[0]).into()),
                ("from", (&spec.value_text(0, 0)).into()),
                ("last", (&spec.categories[last]).into()),
                ("to", (&spec.value_text(0, last)).into()),
                ("rate", (&percent(values[last] / values[0])).into()),
            ],
        )];
        if let Some((step, rate)) = worst(&values) {
            words.push(message(
                spec.lang,
                "chart-desc-funnel-worst",
                &[
                    ("first", (&spec.categories[step]).into()),
                    ("last", (&spec.categories[step + 1]).into()),
                    ("rate", (&percent(rate)).into()),
                    ("lost", (&spec.number(values[step] - values[step + 1])).into()),
                ],
            ));
        }
        words
    }

    /// With the rate of each step and the share of the first stage.
    fn table(&self, spec: &ChartSpec) -> DataTable {
        let values = cases(spec);
        let mut table = describe::plain_table(spec);
        table.headers.push(message(spec.lang, "chart-step-rate", &[]));
        table.headers.push(message(spec.lang, "chart-of-first", &[]));
        for (stage, row) in table.rows.iter_mut().enumerate() {
            row.push(stage.checked_sub(1).map_or_else(|| MISSING.to_owned(), |step| rate_text(spec, &values, step)));
            row.push(describe::percent(spec, values[stage] / values[0], false));
        }
        table
    }
}

/// What is there, and zero where it cannot be missing any more.
fn cases(spec: &ChartSpec) -> Vec<f64> {
    spec.series
        .first()
        .map(|series| series.values.iter().map(|value| value.unwrap_or(0.0)).collect())
        .unwrap_or_default()
}

/// The share of a stage that reaches the next; of nothing there is none.
fn rate(values: &[f64], step: usize) -> Option<f64> {
    (values[step] > 0.0).then(|| values[step + 1] / values[step])
}

fn rate_text(spec: &ChartSpec, values: &[f64], step: usize) -> String {
    rate(values, step).map_or_else(|| MISSING.to_owned(), |rate| describe::percent(spec, rate, false))
}

/// The first step with the lowest rate, if any is below one.
fn worst(values: &[f64]) -> Option<(usize, f64)> {
    (0..values.len() - 1)
        .filter_map(|step| rate(values, step).map(|rate| (step, rate)))
        .reduce(|best, next| if next.1 < best.1 { next } else { best })
        .filter(|(_, rate)| *rate < 1.0)
}

fn draw(spec: &ChartSpec, canvas: &mut Canvas, area: Area) {
    let values = cases(spec);
    let size = if spec.is_compact() { SMALL } else { BODY };
    let names = spec.categories.iter().map(|name| text::width(name, size)).fold(0.0, f64::max).min(area.w * 0.3);
    let left = area.x + names + 10.0;
    let head = message(spec.lang, "chart-of-first", &[]);
    let shares = text::width(&head, SMALL).max(text::width("100.0%", SMALL)) + 14.0;
    let widest =
        (0..values.len()).map(|stage| text::width(&spec.value_text(0, stage), SMALL)).fold(0.0, f64::max) + 6.0;
    let scale = Linear { low: 0.0, high: values[0], from: left, to: area.right() - shares - widest };
    canvas.label((area.right(), area.y + 8.0), SMALL, Token::Muted, Anchor::End, head);
    let worst = worst(&values).map(|(step, _)| step);
    for (stage, value) in values.iter().enumerate() {
        let y = area.y + HEAD + (BAR + GAP) * stage as f64;
        let middle = y + BAR / 2.0;
        let name = text::fit(&spec.categories[stage], size, names + 1.0);
        canvas.label((area.x, middle), size, Token::Ink, Anchor::Start, name);
        let end = scale.at(*value);
        if let Some(next) = values.get(stage + 1) {
            let (below, next_end) = (y + BAR, scale.at(*next));
            let outline = vec![(left, below), (end, below), (next_end, below + GAP), (left, below + GAP)];
            canvas.polygon(outline, Token::Shade1);
            let lost = spec.number(value - next);
            let rate = rate_text(spec, &values, stage);
            let step = message(spec.lang, "chart-funnel-step", &[("rate", (&rate).into()), ("lost", (&lost).into())]);
            let bold = worst == Some(stage);
            let room = area.right() - left - 8.0;
            canvas.text(Text {
                x: left + 8.0,
                y: below + GAP / 2.0,
                size: SMALL,
                token: Token::Ink,
                anchor: Anchor::Start,
                bold,
                content: text::fit(&step, SMALL, if bold { room / 1.06 } else { room }),
            });
        }
        if *value > 0.0 {
            canvas.rect(Area::between((left, y), (end, y + BAR)), Token::Ink);
        }
        canvas.label((end + 6.0, middle), SMALL, Token::Ink, Anchor::Start, spec.value_text(0, stage));
        let share = describe::percent(spec, value / values[0], false);
        canvas.label((area.right(), middle), SMALL, Token::Ink, Anchor::End, share.clone());
        let h = if stage + 1 < values.len() { BAR + GAP } else { BAR };
        let row = Area { x: area.x, y, w: area.w, h };
        let label = message(
            spec.lang,
            "chart-funnel-mark",
            &[("mark", (&describe::mark_label(spec, stage)).into()), ("share", (&share).into())],
        );
        canvas.mark(row, label, link(spec, stage));
    }
    canvas.line((left, area.y + HEAD), (left, area.bottom() - 4.0), Token::Ink, 1.0);
}
