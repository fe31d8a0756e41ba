//! The last sheet: where the figures come from, in full. For an edition nothing stands here that differs between two runs.

use rust_xlsxwriter::{Format as Style, FormatAlign, FormatBorder, IgnoreError, Worksheet, XlsxError};

use super::overview::pieces;
use super::{AsText, LINE, Names, muted, put, stamp, style};
use crate::locale;
use crate::report::Document;
use crate::report::document::{DatasetEvidence, Imprint};
use crate::report::format::html::View;

/// Columns: what, and what it is.
const WIDTHS: [u32; 2] = [34, 110];

/// Places of one cell, well below the limit of the file format.
const PIECE: usize = 16_000;

/// Fills the sheet.
pub(super) fn write(
    sheet: &mut Worksheet,
    document: &Document,
    view: View,
    names: &Names,
    as_text: &[AsText],
    pictures: bool,
) -> Result<(), XlsxError> {
    for (column, width) in (0..).zip(WIDTHS) {
        sheet.set_column_width(column, width)?;
    }
    sheet.set_screen_gridlines(false);
    let live = matches!(document.imprint, Imprint::Live { .. });
    let mut list = List { sheet, row: 0 };
    list.heading(&view.word("workbook-evidence"))?;
    whole(&mut list, document, view)?;
    if !pictures {
        list.pair(&view.word("workbook-pictures"), &view.word("workbook-no-pictures"))?;
    }

    list.heading(&view.word("workbook-as-text"))?;
    for one in as_text {
        let count = i64::try_from(one.count).unwrap_or(i64::MAX);
        let reason = locale::message(view.lang, one.reason, &[("count", count.into())]);
        let place = format!("'{}'!{}", one.sheet, one.first);
        list.pair(&place, &[&one.column, reason.as_str()].map(str::to_owned).join(" · "))?;
    }
    if as_text.is_empty() {
        list.pair("", &view.word("workbook-none"))?;
    }

    list.heading(&view.word("workbook-parameters"))?;
    for parameter in &document.evidence.parameters {
        list.pair(&parameter.name, &parameter.text())?;
    }
    if document.evidence.parameters.is_empty() {
        list.pair("", &view.word("workbook-none"))?;
    }

    for dataset in &document.evidence.datasets {
        let name = names.dataset(document, &dataset.name).unwrap_or_default();
        list.heading(&format!("{} {}", view.word("report-dataset"), dataset.name))?;
        one(&mut list, dataset, name, view, live)?;
    }
    let last = list.row;
    sheet.ignore_error_range(0, 0, last, 1, IgnoreError::NumberStoredAsText)?;
    Ok(())
}

/// What holds for the whole document.
fn whole(list: &mut List<'_>, document: &Document, view: View) -> Result<(), XlsxError> {
    let evidence = &document.evidence;
    let named = |label: &str, value: &str| format!("{label} ({value})");
    list.pair(&view.word("workbook-report"), &named(&document.title, &document.report))?;
    list.pair(&view.word("report-scope"), &named(&document.scope.label, &document.scope.value))?;
    list.pair(&view.word("report-as-of"), &view.date(&document.as_of))?;
    if evidence.branches > 0 {
        list.pair(&view.word("workbook-completeness"), &view.closed(document))?;
    }
    list.pair(&view.word("workbook-snapshot"), &evidence.snapshot.to_string())?;
    list.pair(&view.word("workbook-snapshot-made"), &stamp(evidence.snapshot_created_at))?;
    list.pair(&view.word("workbook-snapshot-date"), &view.date(&evidence.newest))?;
    list.pair(&view.word("workbook-datasets"), &view.rows(document))?;
    list.pair(&view.word("report-source"), &view.sources(document))?;
    if let Some(records) = view.records(document) {
        list.pair("", &records)?;
    }
    if let Some(history) = view.history(document) {
        list.pair(&view.word("workbook-history"), &history)?;
    }
    let tie_out = view.tie_out(document).unwrap_or_else(|| view.word("workbook-not-checked"));
    list.pair(&view.word("workbook-tie-out"), &tie_out)?;
    list.pair(&view.word("workbook-fingerprint"), &evidence.fingerprint)?;
    list.pair(&view.word("workbook-engine"), evidence.engine)?;
    match &document.imprint {
        Imprint::Live { reader, at } => {
            list.pair(&view.word("workbook-reader"), reader)?;
            list.pair(&view.word("workbook-run-at"), &stamp(*at))?;
            list.pair(&view.word("workbook-duration"), &evidence.duration_ms.to_string())
        }
        Imprint::Edition { version, run_key, at, link, .. } => {
            list.pair(&view.word("workbook-version"), &format!("v{version}"))?;
            list.pair(&view.word("workbook-published"), &stamp(*at))?;
            list.pair(&view.word("workbook-run-key"), run_key)?;
            list.pair(&view.word("workbook-link"), link)
        }
    }
}

/// What holds for one dataset.
fn one(list: &mut List<'_>, dataset: &DatasetEvidence, sheet: &str, view: View, live: bool) -> Result<(), XlsxError> {
    let separator = view.word("list-separator");
    list.pair(&view.word("workbook-sheet"), sheet)?;
    list.pair(&view.word("report-row-count"), &dataset.rows.to_string())?;
    let source = if dataset.rollups.is_empty() { view.word("report-facts") } else { dataset.rollups.join(&separator) };
    list.pair(&view.word("report-source"), &source)?;
    for refused in dataset.refused.as_array().into_iter().flatten() {
        let text = refused.as_str().map_or_else(|| refused.to_string(), str::to_owned);
        list.pair(&view.word("workbook-refused"), &text)?;
    }
    if !dataset.history.is_empty() {
        list.pair(&view.word("workbook-history"), &dataset.history.join(&separator))?;
    }
    for notice in &dataset.notices {
        list.pair(&view.word("workbook-notices"), notice)?;
    }
    if live {
        list.pair(&view.word("workbook-query"), &dataset.query_id)?;
        list.pair(&view.word("workbook-duration"), &dataset.duration_ms.to_string())?;
    }
    list.pair(&view.word("report-sql-hash"), &dataset.sql_sha256)?;
    list.pair(&view.word("report-rows-hash"), &dataset.rows_sha256)?;
    let code = style().set_font_name("Consolas").set_font_size(9);
    for (at, text) in dataset.sql.lines().enumerate() {
        let label = if at == 0 { view.word("workbook-sql") } else { String::new() };
        list.styled(&label, text, &code)?;
    }
    Ok(())
}

struct List<'a> {
    sheet: &'a mut Worksheet,
    /// The next free row.
    row: u32,
}

impl List<'_> {
    fn heading(&mut self, text: &str) -> Result<(), XlsxError> {
        if self.row > 0 {
            self.row += 1;
        }
        let heading = style().set_bold().set_border_bottom(FormatBorder::Thin).set_border_bottom_color(LINE);
        put(self.sheet, self.row, 0, text, &heading)?;
        put(self.sheet, self.row, 1, "", &heading)?;
        self.row += 1;
        Ok(())
    }

    fn pair(&mut self, label: &str, value: &str) -> Result<(), XlsxError> {
        self.styled(label, value, &style())
    }

    /// A value that is longer than a cell goes on in the next row.
    fn styled(&mut self, label: &str, value: &str, style: &Style) -> Result<(), XlsxError> {
        let style = style.clone().set_text_wrap().set_align(FormatAlign::Top).set_align(FormatAlign::Left);
        put(self.sheet, self.row, 0, label, &muted().set_align(FormatAlign::Top).set_text_wrap())?;
        for piece in pieces(value, PIECE) {
            put(self.sheet, self.row, 1, piece, &style)?;
            self.row += 1;
        }
        Ok(())
    }
}
