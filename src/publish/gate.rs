//! Gates: what must hold before anything leaves. A gate that fails holds the whole run, and says branch, measure and figures.

use crate::report::Document;
use crate::report::font::Fonts;
use crate::report::value::{Number, Value};

/// Sums of one reading, for the comparison of head office with its branches.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sums {
    /// The schema it was run for.
    pub(super) scope: String,
    /// Dataset, column and sum; none where a value is missing or no number, or the sum does not fit.
    pub(super) columns: Vec<(String, String, Option<Number>)>,
}

/// The sums of a document's columns that must foot.
pub(super) fn sums(document: &Document, foots: &[(String, String)]) -> Sums {
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
pub(super) fn foots(head_office: &Sums, branches: &[Sums]) -> Vec<String> {
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
pub(super) fn glyphs(document: &Document, fonts: &Fonts) -> Vec<String> {
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

/// Whether every branch in the document's scope has closed; the missing ones otherwise.
pub(super) fn complete(document: &Document) -> Vec<String> {
    document.evidence.open.clone()
}

#[cfg(test)]
mod tests;
