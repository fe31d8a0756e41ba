//! The SQL functions that statements may call: an allow-list by exclusion, plus our own.
//!
//! What reads outside its arguments (files, settings, clocks of the host, randomness) or grows without bound is taken out
//! by name. A test lists every function of the linked engine, so that an upgrade cannot add one unseen.

mod bitmap;
mod measure;
mod ratio;
mod seen;
mod spread;
mod whole;

use std::sync::Arc;

use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

pub use bitmap::{bitmap_build, bitmap_count, bitmap_merge};
pub use ratio::ratio;
pub use seen::{seen, seen_last, seen_value};
pub use spread::{standard_deviation, variance};

/// Functions that a statement may not call.
const DENIED: &[&str] = &[
    "arrow_metadata",
    "file_row_index",
    "generate_series",
    "input_file_name",
    "random",
    "range",
    "uuid",
    "version",
    "with_metadata",
];

fn allowed(name: &str) -> bool {
    !DENIED.contains(&name)
}

pub(super) fn scalar() -> Vec<Arc<ScalarUDF>> {
    let mut functions = SessionStateDefaults::default_scalar_functions();
    functions.retain(|function| allowed(function.name()));
    functions.push(ratio::udf());
    functions.extend(spread::udfs());
    functions
}

pub(super) fn aggregate() -> Vec<Arc<AggregateUDF>> {
    let mut functions = SessionStateDefaults::default_aggregate_functions();
    functions.push(Arc::clone(&measure::MEASURE));
    functions
}

pub(super) fn window() -> Vec<Arc<WindowUDF>> {
    SessionStateDefaults::default_window_functions()
}
