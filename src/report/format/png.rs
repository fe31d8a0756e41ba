//! PNG: the first page of the PDF as a picture, for previews; and one chart as a picture, for mails.

use super::{Format, Tools, pdf};
use crate::error::Result;
use crate::report::Document;
use crate::report::worker::{Job, Output};

/// Pixels for each point: 144 dots an inch.
const DENSITY: u16 = 2;

/// The format.
#[derive(Debug)]
pub struct Png;

impl Format for Png {
    fn name(&self) -> &'static str {
        "png"
    }

    fn title(&self) -> &'static str {
        "PNG"
    }

    fn content_type(&self) -> &'static str {
        "image/png"
    }

    fn extension(&self) -> &'static str {
        "png"
    }

    /// Waits for a worker process: for threads that may block.
    fn render(&self, document: &Document, tools: &Tools) -> Result<Vec<u8>> {
        let job = pdf::job(document, &tools.fonts, Output::Page { density: DENSITY })?;
        tools.worker.run(&job, &tools.fonts)
    }
}

/// A chart's drawing as a picture of a width in pixels, on white. For threads that may block.
///
/// # Errors
/// `DEFINITION` when the drawing has Chinese text and the server no Chinese face; `LIMIT` from the worker.
pub fn chart_png(svg: &str, width: u32, tools: &Tools) -> Result<Vec<u8>> {
    tools.fonts.require(svg)?;
    let svg = tools.fonts.cover(svg, &mut Default::default());
    let output = Output::Picture { width: width.clamp(16, 4000) };
    let job = Job { output, data: serde_json::json!({}), files: vec![svg.into_bytes()] };
    tools.worker.run(&job, &tools.fonts)
}

#[cfg(test)]
mod tests;
