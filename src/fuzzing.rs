//! Entrances for `tests/fuzz`: what reads bytes that strangers send. Each must come back, soon and without a panic, whatever
//! the bytes are; what it asserts beyond that stands with it. Built for tests alone.

pub use crate::ingest::fuzz_feed as feed;
pub use crate::query::fuzz_sql as sql;
pub use crate::server::flight::fuzz_ticket as ticket;

use crate::config;
use crate::model::cube;
use crate::model::report;

/// The settings, the cubes and a report, all from one text: a faulty definition is told at its place and nothing more.
pub fn yaml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let tables = config::fuzz_settings(text);
    let (model, _) = cube::parse(&[("cubes/x.yaml".to_owned(), text.to_owned())], &tables);
    if let Ok(report) = report::parse("reports/x/report.yaml", text, &|_| Some("SELECT 1".to_owned())) {
        let _ = report::check(&report, &model);
    }
}
