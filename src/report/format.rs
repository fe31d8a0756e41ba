//! Formats of a document. Adding one: a file here, and its line in [`FORMATS`]; content type, extension, `?format=` and links
//! follow from it.

pub mod csv;
pub mod html;
pub mod json;
pub mod parquet;
pub mod pdf;
pub mod png;
pub mod xlsx;

use std::sync::Arc;

use super::Document;
use super::font::Fonts;
use super::worker::Worker;
use crate::error::{Code, Error, Result};

/// A way to turn a document into bytes.
pub trait Format: std::fmt::Debug + Sync {
    /// Its name in `?format=`.
    fn name(&self) -> &'static str;
    /// Its name on a link.
    fn title(&self) -> &'static str;
    /// For `Content-Type`.
    fn content_type(&self) -> &'static str;
    /// Of a file name, without the dot.
    fn extension(&self) -> &'static str;
    /// A complete file of its own. May be slow: not for a thread that serves others.
    fn render(&self, document: &Document, tools: &Tools) -> Result<Vec<u8>>;
}

/// What formats need beside the document.
#[derive(Debug, Clone)]
pub struct Tools {
    /// The faces of PDF and PNG.
    pub fonts: Arc<Fonts>,
    /// Where PDF and PNG are made: a process of its own, under limits.
    pub worker: Worker,
}

/// All formats; the first one is what nothing asked for means.
pub const FORMATS: &[&dyn Format] =
    &[&html::Html, &pdf::Pdf, &xlsx::Xlsx, &csv::Csv, &json::Json, &parquet::Parquet, &parquet::Arrow, &png::Png];

/// The format of a name.
///
/// # Errors
/// `BAD_REQUEST` with the names there are.
pub fn find(name: &str) -> Result<&'static dyn Format> {
    FORMATS.iter().copied().find(|format| format.name() == name).ok_or_else(|| {
        let names: Vec<_> = FORMATS.iter().map(|format| format!("`{}`", format.name())).collect();
        Error::new(
            Code::BadRequest,
            format!("parameter `format`: `{name}` is not allowed; write one of {}", names.join(", ")),
        )
    })
}

#[cfg(test)]
mod tests;
