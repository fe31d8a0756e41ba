//! What the definition files mean: tables, feeds, dimensions, cubes, reports.
//!
//! Pure: text in, definitions or located diagnostics out. Every fault is reported, not only the first.

pub mod cube;
pub mod diagnostic;
pub mod feed;
pub mod report;
pub mod table;
pub mod time;

use std::collections::BTreeMap;

pub use diagnostic::{Diagnostic, Located, Place};

/// Text in the languages of the project, by language tag (`en`, `zh-CN`).
pub type Label = BTreeMap<String, String>;
