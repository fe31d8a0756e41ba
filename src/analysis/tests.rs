//! Golden vectors for the tests of the kernels, and the messages of failures.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Failure, Figure, Reason};

/// Calls `kernel` with the inputs of every vector of a file and holds each expected key against its answer. Returns how
/// many vectors there were.
pub(super) fn hold_golden(file: &str, kernel: impl Fn(&str, &Value) -> Value) -> usize {
    let file: Value = serde_json::from_str(file).unwrap();
    let vectors = list(&file["vectors"]);
    let mut faults = Vec::new();
    for vector in vectors {
        let got = kernel(vector["kernel"].as_str().unwrap(), &vector["inputs"]);
        for (key, expected) in vector["expected"].as_object().unwrap() {
            let own = vector["tolerance"]["fields"].get(key).unwrap_or(&vector["tolerance"]);
            let tolerance = (own["abs"].as_f64().unwrap_or(0.0), own["rel"].as_f64().unwrap_or(0.0));
            let place = format!("{}: {key}", vector["id"].as_str().unwrap());
            hold(&place, got.get(key), expected, tolerance, &mut faults);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    vectors.len()
}

fn hold(place: &str, got: Option<&Value>, expected: &Value, tolerance: (f64, f64), faults: &mut Vec<String>) {
    let Some(got) = got else { return faults.push(format!("{place}: no answer, expected {expected}")) };
    match (got, expected) {
        (Value::Number(number), Value::Number(wanted)) => {
            let (number, wanted) = (number.as_f64().unwrap(), wanted.as_f64().unwrap());
            if (number - wanted).abs() > tolerance.0 + tolerance.1 * wanted.abs() {
                faults.push(format!("{place}: {number}, expected {wanted}"));
            }
        }
        (Value::Array(got), Value::Array(wanted)) if got.len() == wanted.len() => {
            for (index, wanted) in wanted.iter().enumerate() {
                hold(&format!("{place}[{index}]"), got.get(index), wanted, tolerance, faults);
            }
        }
        (Value::Object(got), Value::Object(wanted)) => {
            for (key, wanted) in wanted {
                hold(&format!("{place}.{key}"), got.get(key), wanted, tolerance, faults);
            }
        }
        _ if got == expected => {}
        _ => faults.push(format!("{place}: {got}, expected {expected}")),
    }
}

/// A list of a vector.
pub(super) fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

/// A number of a vector.
pub(super) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// The numbers of a list of a vector.
pub(super) fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(number).collect()
}

/// A figure as vectors write it.
pub(super) fn figure(figure: Figure) -> Value {
    figure.ok().into()
}

/// The failure of a question without answer.
pub(super) fn degenerate<T>(reason: Reason) -> Result<T, Failure> {
    Err(Failure::Degenerate(reason))
}

#[track_caller]
pub(super) fn assert_near(got: f64, wanted: f64, tolerance: f64) {
    assert!((got - wanted).abs() <= tolerance, "{got}, expected {wanted} ± {tolerance}");
}

/// A small generator of test cases (SplitMix64): numbers from 0 to 1.
pub(super) fn cases(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[test]
fn every_reason_has_its_own_code() {
    let codes: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    assert_eq!(codes.len(), Reason::ALL.len());
    assert!(codes.iter().all(|code| code.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')));
}

#[test]
fn a_failure_names_field_row_and_rule() {
    let failure = Failure::BadInput { field: "flows", row: Some(3), reason: Reason::NotFinite };
    assert_eq!(failure.to_string(), "`flows`, row 3: must be a finite number");
    let failure = Failure::BadInput { field: "rate", row: None, reason: Reason::OutOfRange };
    assert_eq!(failure.to_string(), "`rate` lies outside its range");
    assert_eq!(Failure::TooLittleData { needed: 8, got: 5 }.to_string(), "needs 8 values, got 5");
    let failure = Failure::NotConverged { iterations: 500, residual: 0.25 };
    assert_eq!(failure.to_string(), "no rest after 500 iterations, 2.5e-1 is left");
    assert_eq!(Failure::Degenerate(Reason::NeverRepaid).to_string(), "the cumulative flow never reaches 0");
}
