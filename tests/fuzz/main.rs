//! Fuzz targets, one binary: `make fuzz` chooses by `FUZZ_TARGET` (sql, feed, yaml, ticket).
//!
//! `libFuzzer` mutates what stands in `corpus/` and keeps what reaches new code; `rustc.sh` compiles this crate, and no other,
//! so that it sees that.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| match std::env::var("FUZZ_TARGET").as_deref() {
    Ok("sql") => countinghouse::fuzzing::sql,
    Ok("feed") => countinghouse::fuzzing::feed,
    Ok("yaml") => countinghouse::fuzzing::yaml,
    Ok("ticket") => countinghouse::fuzzing::ticket,
    other => panic!("FUZZ_TARGET is sql, feed, yaml or ticket, not {other:?}"),
});

fuzz_target!(|bytes: &[u8]| TARGET(bytes));
