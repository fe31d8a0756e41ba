//! What the definition files mean: tables, feeds, dimensions, cubes, reports, settings.
//!
//! Pure: text in, definitions or located diagnostics out. Every fault is reported, not only the first.
//!
//! A file takes one way: `yaml` makes a tree that knows places, `shape` checks it against key tables, the `decode` of each
//! kind of definition fills its types from what passed, and its `validate` checks what a key table cannot say.

pub mod calendar;
pub(crate) mod channel;
pub mod cube;
pub mod diagnostic;
pub mod evaluation;
pub mod feed;
pub mod report;
pub mod role;
pub mod schema;
pub(crate) mod settings;
pub(crate) mod shape;
pub mod table;
pub mod time;
pub(crate) mod yaml;

use std::collections::BTreeMap;

pub use diagnostic::{Diagnostic, Located, Place};

/// Text in the languages of the project, by language tag (`en`, `zh-CN`).
pub type Label = BTreeMap<String, String>;
