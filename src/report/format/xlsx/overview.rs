//! The first sheet: what the page says, for reading. Figures are numbers in the page's units, shown with its digits.

use rust_xlsxwriter::{Format as Style, FormatAlign, FormatBorder, IgnoreError, Worksheet, XlsxError};

use super::{DIGITS_MAX, LINE, Names, flat, header, left, link, muted, put, significant, style, width};
use crate::locale::{self, NumberUnit, Quantity};
use crate::report::Document;
use crate::report::document::{Block, Kpi, Prose};
use crate::report::format::html::View;
use crate::report::value::Number;

/// Columns A to G, in characters: figure, value, unit, compared with, change, change in %, assessment.
const WIDTHS: [u32; 7] = [34, 16, 12, 22, 16, 16, 20];
const LAST: u16 = 6;

/// Places of a line over all columns at the normal size; some slack, because a reader's font may be wider.
const LINE_WIDTH: usize = 120;

/// Points of a line at the normal size.
const LINE_HEIGHT: usize = 15;

/// Places of one cell of running text: a row is at most 409 points high.
const PIECE: usize = 2_400;

/// Fills the sheet.
pub(super) fn write(sheet: &mut Worksheet, document: &Document, view: View, names: &Names) -> Result<(), XlsxError> {
    for (column, width) in (0..).zip(WIDTHS) {
        sheet.set_column_width(column, width)?;
    }
    sheet.set_screen_gridlines(false);
    let mut page = Page { sheet, row: 0, view, document, names };
    page.head()?;
    page.blocks(&flat(&document.blocks))?;
    page.contents()?;
    page.lineage()?;
    let last = page.row;
    sheet.ignore_error_range(0, 0, last, LAST, IgnoreError::NumberStoredAsText)?;
    Ok(())
}

/// A cell of a figure: the page's text, and the number behind it with the format that shows it as the page does.
#[derive(Debug, Default)]
struct Shown {
    text: String,
    number: Option<(f64, String)>,
}

impl Shown {
    fn text(text: &str) -> Self {
        Self { text: text.to_owned(), number: None }
    }

    /// A figure that is printed as `text` in a unit, with words after it. Percentages stay ratios, as spreadsheets have them; what a
    /// spreadsheet would round is text, as on the sheets of rows.
    fn figure(text: &str, exact: Option<Number>, unit: NumberUnit, after: &str) -> Self {
        let percent = unit.quantity == Quantity::Percent;
        let power = if percent { 0 } else { unit.shift() };
        // Parsing is correctly rounded, which multiplying a float would not be.
        let fits = |number: &Number| significant(*number) <= DIGITS_MAX;
        let number = exact.filter(fits).and_then(|number| format!("{}e{power}", number.plain()).parse::<f64>().ok());
        let after = if after.is_empty() { String::new() } else { format!(" \"{}\"", after.replace('"', "")) };
        let format = |number: f64| {
            let point = if unit.decimals > 0 { "." } else { "" };
            let zeros = "0".repeat(usize::from(unit.decimals));
            let digits = format!("#,##0{point}{zeros}{}{after}", if percent { "%" } else { "" });
            match text.chars().next() {
                Some('+') => format!("+{digits};\"−\"{digits};{digits}"),
                // What rounds to zero has no sign.
                Some(first) if number < 0.0 && first != '−' => format!("{digits};{digits}"),
                _ => format!("{digits};\"−\"{digits}"),
            }
        };
        let text = if after.is_empty() { text.to_owned() } else { format!("{text}{}", after.replace('"', "")) };
        Self { text, number: number.map(|number| (number, format(number))) }
    }
}

struct Page<'a> {
    sheet: &'a mut Worksheet,
    /// The next free row.
    row: u32,
    view: View,
    document: &'a Document,
    names: &'a Names,
}

impl Page<'_> {
    fn head(&mut self) -> Result<(), XlsxError> {
        let (document, view) = (self.document, self.view);
        let as_of = format!("{} {}", view.word("report-as-of"), view.date(&document.as_of));
        self.text(&[&document.title, &document.scope.label, &as_of].map(String::as_str).join(" · "), &muted(), 0)?;
        let headline = style().set_bold().set_font_size(16);
        self.wide(&document.message, &headline, LAST, 145)?;
        if view.preliminary(document) {
            let words = format!("{} {}", view.word("report-preliminary"), view.closed(document));
            self.text(&words, &style().set_bold(), 0)?;
        }
        if !document.description.is_empty() {
            self.text(&document.description, &muted(), 0)?;
        }
        self.row += 1;
        Ok(())
    }

    fn blocks(&mut self, blocks: &[&Block]) -> Result<(), XlsxError> {
        let mut in_figures = false;
        for block in blocks {
            if in_figures && !matches!(block, Block::Kpi(_)) {
                self.row += 1;
            }
            match block {
                Block::Kpi(kpi) => {
                    if !in_figures {
                        self.figure_header()?;
                    }
                    self.figure(kpi)?;
                }
                Block::Message(text) => {
                    self.text(text, &style().set_bold(), 0)?;
                    self.row += 1;
                }
                Block::Chart(chart) => self.pointer(&chart.message, &chart.title, &chart.dataset)?,
                Block::Table(table) => self.pointer(&table.message, &table.title, &table.dataset)?,
                Block::Text(parts) => {
                    for part in parts {
                        match part {
                            Prose::Paragraph(text) => self.text(text, &style(), 0)?,
                            Prose::List(items) => {
                                for item in items {
                                    self.text(&format!("• {item}"), &style(), 0)?;
                                }
                            }
                        }
                    }
                    self.row += 1;
                }
                // Flattened.
                Block::Row(_) => {}
            }
            in_figures = matches!(block, Block::Kpi(_));
        }
        if in_figures {
            self.row += 1;
        }
        Ok(())
    }

    fn figure_header(&mut self) -> Result<(), XlsxError> {
        let keys = ["figure", "value", "unit", "compared", "change", "change-relative", "assessment"];
        for (column, key) in (0..).zip(keys) {
            let words = self.view.word(&format!("workbook-{key}"));
            let style = match column {
                1 | 4 | 5 => header(FormatAlign::Right),
                2 | 6 => header(FormatAlign::Left).set_indent(1),
                _ => header(FormatAlign::Left),
            };
            put(self.sheet, self.row, column, &words, &style)?;
        }
        self.row += 1;
        Ok(())
    }

    /// A figure takes as many rows as it has changes, at least one, and two with a second figure beside it.
    fn figure(&mut self, kpi: &Kpi) -> Result<(), XlsxError> {
        let rows = kpi.changes.len().max(1 + usize::from(kpi.beside.is_some()));
        for at in 0..rows {
            let last = |style: Style| match at + 1 == rows {
                true => style.set_border_bottom(FormatBorder::Hair).set_border_bottom_color(LINE),
                false => style,
            };
            let (start, right) = (last(style()), last(style().set_align(FormatAlign::Right)));
            let after_number = last(left(style()));
            let [value, second] = kpi.exact;
            let [name, figure, unit] = match (at, &kpi.beside) {
                (0, _) => {
                    let figure = Shown::figure(&kpi.value, value, kpi.scale, "");
                    [Shown::text(&kpi.title), figure, Shown::text(&kpi.unit)]
                }
                (1, Some((title, text))) => {
                    let figure = Shown::figure(text, second, kpi.scale, "");
                    [Shown::text(title), figure, Shown::text(&kpi.unit)]
                }
                _ => Default::default(),
            };
            let [against, amount, percent, tone] = match kpi.changes.get(at) {
                Some(change) => {
                    let [difference, relative] = change.exact;
                    let percent = change.percent.as_deref().unwrap_or_default();
                    [
                        Shown::text(&change.against),
                        Shown::figure(&change.amount, difference, kpi.scale.difference(), &change.unit),
                        Shown::figure(percent, relative, NumberUnit::plain(Quantity::Percent), ""),
                        Shown::text(&self.view.tone_word(&change.tone)),
                    ]
                }
                None => Default::default(),
            };
            let cells = [name, figure, unit, against, amount, percent, tone];
            for (column, Shown { text, number }) in (0..).zip(&cells) {
                let style = match column {
                    1 | 4 | 5 => &right,
                    2 | 6 => &after_number,
                    _ => &start,
                };
                let bold = style.clone().set_bold();
                let style = if at == 0 && column < 2 { &bold } else { style };
                match number {
                    Some((number, format)) => {
                        let style = style.clone().set_num_format(format);
                        self.sheet.write_number_with_format(self.row, column, *number, &style)?;
                    }
                    None => put(self.sheet, self.row, column, text, style)?,
                }
            }
            self.row += 1;
        }
        Ok(())
    }

    /// What a chart or table says, and the sheet that holds its rows.
    fn pointer(&mut self, message: &str, title: &str, dataset: &str) -> Result<(), XlsxError> {
        let (first, second) = if message.is_empty() { (title, "") } else { (message, title) };
        if let Some(to) = self.names.dataset(self.document, dataset) {
            link(self.sheet, self.row, LAST, to)?;
        }
        self.wide(first, &style().set_bold(), LAST - 1, 100)?;
        if !second.is_empty() {
            self.wide(second, &muted(), LAST - 1, 100)?;
        }
        self.row += 1;
        Ok(())
    }

    fn contents(&mut self) -> Result<(), XlsxError> {
        let (view, document, names) = (self.view, self.document, self.names);
        self.text(&view.word("workbook-full-values"), &muted(), 0)?;
        let (names_style, right) = (header(FormatAlign::Left), header(FormatAlign::Right));
        put(self.sheet, self.row, 0, &view.word("workbook-sheet"), &names_style)?;
        self.merged(self.row, 1, LAST - 1, &view.word("workbook-content"), &names_style)?;
        put(self.sheet, self.row, LAST, &view.word("report-row-count"), &right)?;
        self.row += 1;
        let blocks = flat(&document.blocks);
        for (dataset, name) in document.datasets.iter().zip(&names.datasets) {
            let titles: Vec<&str> = blocks
                .iter()
                .filter_map(|block| match block {
                    Block::Chart(chart) if chart.dataset == dataset.name => Some(chart.title.as_str()),
                    Block::Table(table) if table.dataset == dataset.name => Some(table.title.as_str()),
                    _ => None,
                })
                .collect();
            link(self.sheet, self.row, 0, name)?;
            self.merged(self.row, 1, LAST - 1, &titles.join(&view.word("report-sentence-separator")), &style())?;
            let count = u32::try_from(dataset.rows.len()).unwrap_or(u32::MAX);
            self.sheet.write_number_with_format(self.row, LAST, count, &style().set_num_format("#,##0"))?;
            self.row += 1;
        }
        link(self.sheet, self.row, 0, &names.evidence)?;
        self.merged(self.row, 1, LAST - 1, &view.word("report-lineage"), &style())?;
        self.row += 2;
        Ok(())
    }

    fn lineage(&mut self) -> Result<(), XlsxError> {
        let (view, document) = (self.view, self.document);
        let notices = view.notices(document);
        if !notices.is_empty() {
            self.text(&view.word("workbook-notices"), &style().set_bold(), 0)?;
            for notice in notices {
                self.text(notice, &style(), 0)?;
            }
            self.row += 1;
        }
        let evidence = &document.evidence;
        let mut parts = vec![format!("{} {}", view.word("report-as-of"), view.date(&document.as_of))];
        if evidence.branches > 0 {
            parts.push(view.closed(document));
        }
        parts.push(format!("{} {}", view.word("report-snapshot"), evidence.snapshot));
        parts.extend([view.rows(document), view.sources(document)]);
        parts.extend(view.records(document));
        parts.extend(view.history(document));
        parts.extend(view.tie_out(document));
        parts.push(format!("{} {}", view.word("report-rights"), document.scope.label));
        parts.push(format!("{} {}", view.word("report-engine"), evidence.engine));
        parts.extend(super::imprint(document, view));
        self.text(&parts.join(" · "), &muted(), 0)?;
        let marks = [view.word("mark-missing"), view.word("rounding-note")];
        self.text(&marks.join(&locale::message(view.lang, "report-sentence-separator", &[])), &muted(), 0)
    }

    /// Running text over all columns, and so many empty rows after it.
    fn text(&mut self, text: &str, style: &Style, after: u32) -> Result<(), XlsxError> {
        self.wide(text, style, LAST, 100)?;
        self.row += after;
        Ok(())
    }

    /// Running text from column A to `last`, `size` percent of the normal size. Long text goes on in the next row.
    fn wide(&mut self, text: &str, style: &Style, last: u16, size: usize) -> Result<(), XlsxError> {
        let style = style.clone().set_text_wrap().set_align(FormatAlign::Top);
        let places = if last == LAST { LINE_WIDTH } else { LINE_WIDTH - 20 } * 100 / size;
        for piece in pieces(text, PIECE) {
            let lines: usize = piece.split('\n').map(|line| width(line).div_ceil(places).max(1)).sum();
            let height = u32::try_from(lines * LINE_HEIGHT * size / 100 + 2).unwrap_or(u32::MAX);
            self.sheet.set_row_height(self.row, height)?;
            self.merged(self.row, 0, last, piece, &style)?;
            self.row += 1;
        }
        Ok(())
    }

    fn merged(&mut self, row: u32, first: u16, last: u16, text: &str, style: &Style) -> Result<(), XlsxError> {
        // The text goes its own way, see `put`.
        self.sheet.merge_range(row, first, row, last, "", style)?;
        put(self.sheet, row, first, text, style)
    }
}

/// The text in parts of at most so many places, cut where a line or word ends if one does.
pub(super) fn pieces(text: &str, places: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let mut taken = 0;
        let end = rest.char_indices().find(|(_, character)| {
            taken += width(character.encode_utf8(&mut [0; 4]));
            taken > places
        });
        let Some((end, _)) = end else { break };
        let cut = rest[..end].rfind(['\n', ' ', '。', '；', '，']).filter(|at| *at > 0);
        let cut = cut.map_or(end, |at| at + rest[at..].chars().next().map_or(0, char::len_utf8));
        parts.push(&rest[..cut]);
        rest = &rest[cut..];
    }
    parts.push(rest);
    parts
}
