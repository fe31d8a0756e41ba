//! Masks of values that identify a person: what is left says who is meant to those who know the person, and to nobody else.
//!
//! Shipped masks are strict; a kind without a mask shows nothing. No mask can fail, so that none of them tells of a value by
//! an error. They are not registered: a statement meets them in columns that its reader may not see in the clear.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarUDF, Volatility, create_udf};

type Mask = fn(&str) -> String;

/// Kinds with a mask of their own, and what it leaves.
const MASKS: &[(&str, Mask)] = &[
    ("name", |text| kept(text, 1, 0)),
    ("phone", |text| kept(text, 3, 4)),
    ("id_card", |text| kept(text, 3, 4)),
    ("account", |text| kept(text, 0, 4)),
    ("card", |text| kept(text, 6, 4)),
];

static FUNCTIONS: LazyLock<Vec<(&str, ScalarUDF)>> =
    LazyLock::new(|| MASKS.iter().map(|(kind, mask)| (*kind, function(kind, *mask))).collect());

/// The mask of a text of this kind; none where there is no mask for it.
pub fn mask(kind: &str, value: Expr) -> Option<Expr> {
    FUNCTIONS.iter().find(|(known, _)| *known == kind).map(|(_, function)| function.call(vec![value]))
}

fn function(kind: &str, mask: Mask) -> ScalarUDF {
    let run = move |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let values = ColumnarValue::values_to_arrays(arguments)?;
        let masked: StringArray = values[0].as_string::<i32>().iter().map(|text| text.map(mask)).collect();
        Ok(ColumnarValue::Array(Arc::new(masked) as ArrayRef))
    };
    create_udf(&format!("mask_{kind}"), vec![DataType::Utf8], DataType::Utf8, Volatility::Immutable, Arc::new(run))
}

/// The first and last characters, and a `*` for each other. Nothing of a text of which less than a third would be hidden.
fn kept(text: &str, first: usize, last: usize) -> String {
    let length = text.chars().count();
    let (first, last) = if 2 * length >= 3 * (first + last) { (first, last) } else { (0, 0) };
    let shown = |place| place < first || place >= length - last;
    text.chars().enumerate().map(|(place, c)| if shown(place) { c } else { '*' }).collect()
}

#[cfg(test)]
mod tests {
    use super::MASKS;

    #[test]
    fn masks_leave_what_they_say() {
        let masked = |kind: &str, text: &str| MASKS.iter().find(|(known, _)| *known == kind).unwrap().1(text);
        for (kind, text, left) in [
            ("name", "张三丰", "张**"),
            ("name", "张", "*"),
            ("name", "李四", "李*"),
            ("phone", "13812345678", "138****5678"),
            ("phone", "12345", "*****"),
            ("id_card", "110101199003074514", "110***********4514"),
            ("account", "6222021234567890", "************7890"),
            ("account", "1234", "****"),
            ("card", "6222021234567890", "622202******7890"),
            ("card", "", ""),
        ] {
            assert_eq!(masked(kind, text), left, "{kind} {text}");
        }
    }
}
