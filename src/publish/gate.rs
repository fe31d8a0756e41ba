//! Gates: what must hold before anything leaves. A gate that fails holds the whole run, and says branch, measure and figures.

use super::Part;
use crate::catalog::FailedGate;
use crate::model::report::{Gate, Publication, Report};
use crate::report::Document;
use crate::report::font::Fonts;
use crate::report::value::{Number, Value};

/// What the gates say of all that was read.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// What is to be said though it holds nothing.
    pub(super) remarks: Vec<String>,
    /// Every gate that did not pass, so that who releases a run knows all of it.
    pub(super) failed: Vec<FailedGate>,
}

/// Asks every gate of a publication. `partial`: branches may be missing.
pub(super) fn judge(
    publication: &Publication,
    read: &[(Part, Vec<Document>)],
    report: &Report,
    partial: bool,
    fonts: &Fonts,
) -> Verdict {
    let mut verdict = Verdict::default();
    let has = |gate: Gate| publication.gates.contains(&gate);
    let mut fail = |gate: Gate, why: String| verdict.failed.push(FailedGate { gate: gate.word().to_owned(), why });
    let firsts = || read.iter().filter_map(|(part, documents)| Some((part, documents.first()?)));
    if has(Gate::Complete)
        && let Some((_, document)) = firsts().next()
    {
        let evidence = &document.evidence;
        if !evidence.open.is_empty() {
            let (closed, of) = (evidence.closed, evidence.branches);
            let words = format!("{closed} of {of} branches closed; missing: {}", evidence.open.join(", "));
            match partial {
                true => verdict.remarks.push(format!("partial: {words}")),
                false => fail(Gate::Complete, words),
            }
        }
    }
    let drawn = publication.formats.iter().any(|format| ["pdf", "png"].contains(&format.as_str()));
    if has(Gate::Glyphs) && drawn {
        let wrong: Vec<String> = read
            .iter()
            .flat_map(|(_, documents)| documents.iter().flat_map(|document| glyphs(document, fonts)))
            .take(10)
            .collect();
        if !wrong.is_empty() {
            fail(Gate::Glyphs, format!("characters that no font of the server has: {}", wrong.join("; ")));
        }
    }
    if has(Gate::Foots) && publication.burst {
        let columns: Vec<(String, String)> = report
            .datasets
            .iter()
            .flat_map(|dataset| dataset.foots.iter().map(|column| (dataset.name.value.clone(), column.value.clone())))
            .collect();
        let own = |(part, _): &(&Part, &Document)| part.scope == part.schema;
        let all: Vec<Sums> = firsts().filter(own).map(|(_, document)| sums(document, &columns)).collect();
        if let Some((whole, parts)) = all.split_first() {
            let wrong = foots(whole, parts);
            if !wrong.is_empty() {
                fail(Gate::Foots, format!("head office is not the sum of its branches: {}", wrong.join("; ")));
            }
        }
    }
    verdict
}

/// Sums of one reading, for the comparison of head office with its branches.
#[derive(Debug, Clone, PartialEq)]
struct Sums {
    /// The schema it was run for.
    scope: String,
    /// Dataset, column and sum; none where a value is missing or no number, or the sum does not fit.
    columns: Vec<(String, String, Option<Number>)>,
}

/// The sums of a document's columns that must foot.
fn sums(document: &Document, foots: &[(String, String)]) -> Sums {
    let sum = |dataset: &str, column: &str| -> Option<Number> {
        let dataset = document.dataset(dataset)?;
        let at = dataset.column(column)?;
        dataset.rows.iter().try_fold(Number { unscaled: 0, scale: 0 }, |total, row| match row.get(at)? {
            Value::Number(number) => total.plus(*number),
            Value::Null => Some(total),
            _ => None,
        })
    };
    Sums {
        scope: document.scope.value.clone(),
        columns: foots.iter().map(|(of, column)| (of.clone(), column.clone(), sum(of, column))).collect(),
    }
}

/// Compares head office with the sum of its branches, column by column; what differs, in words.
fn foots(head_office: &Sums, branches: &[Sums]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, (dataset, column, whole)) in head_office.columns.iter().enumerate() {
        let mut parts = branches.iter().map(|branch| branch.columns.get(at).and_then(|(_, _, sum)| *sum));
        let total = parts.try_fold(Number::ZERO, |total, part| total.plus(part?));
        let text = |number: &Option<Number>| number.map_or_else(|| "no number".to_owned(), Number::plain);
        if whole.is_none() || *whole != total {
            wrong.push(format!(
                "`{dataset}.{column}`: head office {}, its {} branches together {}",
                text(whole),
                branches.len(),
                text(&total)
            ));
        }
    }
    wrong
}

/// Characters of a document that no face can draw, each with where it stands.
fn glyphs(document: &Document, fonts: &Fonts) -> Vec<String> {
    let codes = |missing: Vec<char>| {
        missing.iter().map(|one| format!("U+{:04X}", u32::from(*one))).collect::<Vec<_>>().join(", ")
    };
    let mut wrong = Vec::new();
    for dataset in &document.datasets {
        for (number, row) in dataset.rows.iter().enumerate() {
            for (column, value) in dataset.columns.iter().zip(row) {
                if let Value::Text(text) = value
                    && let missing = fonts.missing(text)
                    && !missing.is_empty()
                {
                    let place = format!("`{}` row {}, `{column}`", dataset.name, number + 1);
                    wrong.push(format!("{place}: {}", codes(missing)));
                }
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests;
