//! Reports: definition, run, document, formats.
//!
//! In: a report definition, the URL's parameters, a principal. Out: a [`Document`], which a format turns into bytes. Figures come
//! through the query door only, under the reader's own rights and at one snapshot; SQL does the arithmetic, `compose` chooses
//! units and words, formats choose neither.

mod calendar;
mod compose;
pub mod document;
mod figure;
pub mod format;
mod message;
pub mod parameter;
mod run;
pub mod value;

pub use document::Document;
pub use run::run;

#[cfg(test)]
mod tests;
