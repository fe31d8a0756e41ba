//! PNG: the first page of the PDF as a picture, for previews; and charts as pictures, for mails and workbooks.

use super::{Format, Tools, pdf};
use crate::error::{Error, Result};
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
    let mut pictures = chart_pngs(&[(svg, width)], tools)?;
    pictures.pop().ok_or_else(|| Error::internal("a chart cannot be drawn", "the renderer gave no picture"))
}

/// Drawings with their widths in pixels, each as [`chart_png`] draws one. All by one worker: starting it and opening its faces
/// takes longer than drawing.
///
/// # Errors
/// As [`chart_png`].
pub fn chart_pngs(charts: &[(&str, u32)], tools: &Tools) -> Result<Vec<Vec<u8>>> {
    if charts.is_empty() {
        return Ok(Vec::new());
    }
    let (mut widths, mut files) = (Vec::new(), Vec::new());
    for (svg, width) in charts {
        tools.fonts.require(svg)?;
        files.push(tools.fonts.cover(svg, &mut Default::default()).into_bytes());
        widths.push((*width).clamp(16, 4000));
    }
    let job = Job { output: Output::Pictures { widths }, data: serde_json::json!({}), files };
    let drawn = tools.worker.run(&job, &tools.fonts)?;
    let (mut pictures, mut rest) = (Vec::new(), drawn.as_slice());
    while let Some((picture, after)) = split_picture(rest) {
        pictures.push(picture.to_vec());
        rest = after;
    }
    if pictures.len() != charts.len() || !rest.is_empty() {
        let what = format!("{} pictures of {} charts", pictures.len(), charts.len());
        return Err(Error::internal("charts cannot be drawn", what));
    }
    Ok(pictures)
}

/// The first of several PNG files and what follows it. A file is eight bytes and then chunks, the last of which is `IEND`; a
/// chunk is its length, its name, its data and four bytes of checksum.
fn split_picture(files: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at: usize = 8;
    loop {
        let (length, name) = files.get(at..at.checked_add(8)?)?.split_at(4);
        let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
        at = at.checked_add(length)?.checked_add(12)?;
        if name == b"IEND" {
            return files.split_at_checked(at);
        }
    }
}

#[cfg(test)]
mod tests;
