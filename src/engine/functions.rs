//! The SQL functions that statements may call: a list of the engine's, plus our own.
//!
//! What is on neither list is not registered, so that an upgrade cannot add a function unseen: a test lists every one of the
//! linked engine and names those that nobody has decided about. Aliases come with their function.

mod bitmap;
mod growth;
mod joined;
mod mask;
mod measure;
mod ratio;
mod seen;
mod spread;
mod whole;

use std::sync::Arc;

use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

pub use bitmap::{bitmap_build, bitmap_count, bitmap_merge};
pub(super) use joined::Joining;
pub use mask::mask;
pub use ratio::ratio;
pub use seen::{seen, seen_last, seen_value};
pub use spread::{standard_deviation, variance};

/// Functions that a statement may call.
const ALLOWED: &[&str] = &[
    // Scalar: values, numbers.
    "arrow_typeof",
    "coalesce",
    "greatest",
    "least",
    "nullif",
    "nvl",
    "nvl2",
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "ceil",
    "cos",
    "cosh",
    "cot",
    "degrees",
    "exp",
    "factorial",
    "floor",
    "gcd",
    "isnan",
    "iszero",
    "lcm",
    "ln",
    "log",
    "log10",
    "log2",
    "nanvl",
    "pi",
    "power",
    "radians",
    "round",
    "signum",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
    // Scalar: dates and times.
    "current_date",
    "current_time",
    "date_bin",
    "date_part",
    "date_trunc",
    "from_unixtime",
    "make_date",
    "make_time",
    "now",
    "to_char",
    "to_date",
    "to_local_time",
    "to_time",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_nanos",
    "to_timestamp_seconds",
    "to_unixtime",
    // Scalar: text.
    "ascii",
    "bit_length",
    "btrim",
    "character_length",
    "chr",
    "concat",
    "concat_ws",
    "contains",
    "decode",
    "encode",
    "ends_with",
    "find_in_set",
    "initcap",
    "left",
    "lower",
    "lpad",
    "ltrim",
    "octet_length",
    "overlay",
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "regexp_match",
    "regexp_replace",
    "repeat",
    "replace",
    "reverse",
    "right",
    "rpad",
    "rtrim",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "substr_index",
    "to_hex",
    "translate",
    "upper",
    // Scalar: lists and structures, as far as they are read or made of given values.
    "array_distinct",
    "array_element",
    "array_has",
    "array_has_all",
    "array_has_any",
    "array_length",
    "array_max",
    "array_min",
    "array_position",
    "array_slice",
    "array_sort",
    "cardinality",
    "empty",
    "get_field",
    "make_array",
    "named_struct",
    "string_to_array",
    "struct",
    // Aggregate.
    "any_value",
    "approx_distinct",
    "approx_median",
    "approx_percentile_cont",
    "approx_percentile_cont_with_weight",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "grouping",
    "max",
    "median",
    "min",
    "percentile_cont",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
    "stddev",
    "stddev_pop",
    "string_agg",
    "sum",
    "var",
    "var_pop",
    // Aggregate and window.
    "first_value",
    "last_value",
    "nth_value",
    // Window.
    "cume_dist",
    "dense_rank",
    "lag",
    "lead",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
];

/// Functions that it may not.
const DENIED: &[&str] = &[
    // They read outside their arguments: files, the server, chance.
    "arrow_field",
    "arrow_metadata",
    "file_row_index",
    "input_file_name",
    "random",
    "uuid",
    "version",
    "with_metadata",
    // They make rows or values of any size out of a number, or one out of every pair, and no analysis asks for lists.
    "array_append",
    "array_concat",
    "array_prepend",
    "array_repeat",
    "array_replace",
    "array_replace_all",
    "array_replace_n",
    "array_resize",
    "array_to_string",
    "array_union",
    "arrays_zip",
    "flatten",
    "generate_series",
    "range",
    // Their time grows with the product of two texts.
    "levenshtein",
    // They reach types that `CAST` does not have, such as lists of a fixed length, which are made whole even for a null.
    "arrow_cast",
    "arrow_try_cast",
    "cast_to_type",
    "try_cast_to_type",
    // They call what they are given.
    "array_any_match",
    "array_filter",
    "array_first",
    "array_transform",
    // Nobody needs them: vectors, maps, unions, the rest of lists.
    "array_add",
    "array_any_value",
    "array_avg",
    "array_compact",
    "array_dims",
    "array_distance",
    "array_except",
    "array_intersect",
    "array_ndims",
    "array_normalize",
    "array_pop_back",
    "array_pop_front",
    "array_positions",
    "array_product",
    "array_remove",
    "array_remove_all",
    "array_remove_n",
    "array_reverse",
    "array_scale",
    "array_subtract",
    "array_sum",
    "cosine_distance",
    "inner_product",
    "map",
    "map_entries",
    "map_extract",
    "map_keys",
    "map_values",
    "union_extract",
    "union_tag",
];

fn allowed(name: &str) -> bool {
    ALLOWED.contains(&name) && !DENIED.contains(&name)
}

pub(super) fn scalar() -> Vec<Arc<ScalarUDF>> {
    let functions = SessionStateDefaults::default_scalar_functions().into_iter();
    let mut functions: Vec<_> = functions.filter(|function| allowed(function.name())).map(growth::scalar).collect();
    functions.push(ratio::udf());
    functions.extend(spread::udfs());
    functions
}

pub(super) fn aggregate() -> Vec<Arc<AggregateUDF>> {
    let functions = SessionStateDefaults::default_aggregate_functions().into_iter();
    let mut functions: Vec<_> = functions.filter(|function| allowed(function.name())).map(growth::aggregate).collect();
    functions.push(Arc::clone(&measure::MEASURE));
    functions
}

pub(super) fn window() -> Vec<Arc<WindowUDF>> {
    let functions = SessionStateDefaults::default_window_functions().into_iter();
    functions.filter(|function| allowed(function.name())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::engine::formula_session;

    /// LT-19.
    #[test]
    fn every_function_of_the_engine_is_on_one_list() {
        let mut linked = BTreeSet::new();
        let scalar = SessionStateDefaults::default_scalar_functions();
        linked.extend(scalar.iter().map(|function| function.name().to_owned()));
        let aggregate = SessionStateDefaults::default_aggregate_functions();
        linked.extend(aggregate.iter().map(|function| function.name().to_owned()));
        let window = SessionStateDefaults::default_window_functions();
        linked.extend(window.iter().map(|function| function.name().to_owned()));
        let calling = SessionStateDefaults::default_higher_order_functions();
        linked.extend(calling.iter().map(|function| function.name().to_owned()));
        let tables = SessionStateDefaults::default_table_functions();
        linked.extend(tables.iter().map(|function| function.name().to_owned()));

        let lists =
            |name: &str| [ALLOWED, DENIED].iter().flat_map(|list| list.iter()).filter(|on| **on == name).count();
        let undecided: Vec<_> = linked.iter().filter(|name| lists(name) != 1).collect();
        assert!(undecided.is_empty(), "on neither list, or more than once: {undecided:?}");
        let unknown: Vec<_> = ALLOWED.iter().chain(DENIED).filter(|name| !linked.contains(**name)).collect();
        assert!(unknown.is_empty(), "listed and not linked: {unknown:?}");
        for function in calling {
            assert!(DENIED.contains(&function.name()), "{} calls what it is given", function.name());
        }
    }

    #[test]
    fn sessions_know_what_is_allowed_and_our_own() {
        let session = formula_session();
        let names = session.scalar_functions().values().map(|function| function.name());
        let names = names.chain(session.aggregate_functions().values().map(|function| function.name()));
        let names = names.chain(session.window_functions().values().map(|function| function.name()));
        let own: BTreeSet<_> = names.filter(|name| !ALLOWED.contains(name)).collect();
        let expected = ["countinghouse_ratio", "countinghouse_stddev", "countinghouse_variance", "measure"];
        assert_eq!(own, expected.into());
        assert!(session.higher_order_functions().is_empty());
        assert!(session.table_functions().is_empty());
    }
}
