//! PDF: the page for paper, mail and archive. Always PDF/A-3a and PDF/UA-1, with the rows, the SQL and the evidence attached.
//!
//! In: a document. Out: the same bytes for the same document. What stands where is decided in `pdf.typ`, what it is made of in
//! [`sheet`]; [`typeset`] runs in a worker process.

mod sheet;
pub(in crate::report) mod typeset;

use sha2::{Digest, Sha256};

use super::{Format, Tools};
use crate::error::Result;
use crate::report::Document;
use crate::report::document::Imprint;
use crate::report::font::{Fonts, hex};
use crate::report::worker::{Job, Output};

/// The format.
#[derive(Debug)]
pub struct Pdf;

impl Format for Pdf {
    fn name(&self) -> &'static str {
        "pdf"
    }

    fn title(&self) -> &'static str {
        "PDF"
    }

    fn content_type(&self) -> &'static str {
        "application/pdf"
    }

    fn extension(&self) -> &'static str {
        "pdf"
    }

    /// Waits for a worker process: for threads that may block.
    fn render(&self, document: &Document, tools: &Tools) -> Result<Vec<u8>> {
        let output = Output::Pdf { ident: ident(document), at: document.imprint.at().as_second() };
        tools.worker.run(&job(document, &tools.fonts, output)?, &tools.fonts)
    }
}

/// The job that sets a document.
pub(super) fn job(document: &Document, fonts: &Fonts, output: Output) -> Result<Job> {
    let sheet = sheet::of(document, fonts)?;
    Ok(Job { output, data: sheet.data, files: sheet.files })
}

/// What the file is: of an edition its run key and version, of a live run everything that decides it.
fn ident(document: &Document) -> String {
    let lang = document.lang.tag();
    match &document.imprint {
        Imprint::Edition { version, run_key, .. } => format!("{run_key} v{version} {lang}"),
        Imprint::Live { reader, at } => {
            let parameters: Vec<_> = document
                .evidence
                .parameters
                .iter()
                .map(|parameter| format!("{}={}", parameter.name, parameter.value.plain()))
                .collect();
            let all = [
                document.report.as_str(),
                &document.evidence.snapshot.to_string(),
                &document.scope.value,
                &parameters.join("\u{1f}"),
                reader,
                &at.to_string(),
                lang,
            ]
            .join("\u{1e}");
            hex(&Sha256::digest(all))
        }
    }
}

#[cfg(test)]
mod tests;
