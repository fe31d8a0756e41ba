//! XLSX: a sheet that says what the page says, one sheet of typed cells for each dataset, and a sheet of evidence.
//!
//! In: a document. Out: a workbook whose bytes depend on the document and the faces alone. Text is written as text, so no
//! cell is a formula whatever the text begins with. A number that a spreadsheet would round (more than 15 significant digits)
//! and a date that it does not know are written as text, and the evidence sheet says where. Nothing is cut: what a sheet
//! cannot hold is an error that names the formats that can. Charts stand as pictures beside the rows that they draw, with
//! words for who cannot see them; where the server has no face to draw them with, the evidence sheet says that they are missing.

mod evidence;
mod overview;

use arrow::datatypes::DataType;
use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format as Style, FormatAlign, FormatBorder, IgnoreError, Image, Url, Workbook,
    Worksheet, XlsxError,
};

use super::html::View;
use super::{Format, Tools, png};
use crate::error::{Code, Error, Result};
use crate::locale::{self, Lang, NumberUnit, Quantity};
use crate::report::Document;
use crate::report::document::{Block, Chart, Dataset, Imprint, Table};
use crate::report::value::{Number, Value};

/// Rows and columns of a sheet, and characters (UTF-16) of a cell, by the file format.
const ROWS_MAX: usize = 1_048_576;
const COLUMNS_MAX: usize = 16_384;
const TEXT_MAX: usize = 32_767;

/// Characters (UTF-16) of a sheet's name, by the file format.
const NAME_MAX: usize = 31;

/// A name that spreadsheets keep for themselves, in lower case.
const RESERVED: &str = "history";

/// Decimal digits that survive in a cell.
const DIGITS_MAX: usize = 15;

/// From so many cells on a sheet is written row by row to a temporary file (nameless, gone with the process) instead of being
/// kept in memory at about 200 bytes a cell.
const LONG: usize = 200_000;

/// From so many cells on the container is written with 64-bit sizes: a sheet may then exceed 4 GiB of XML.
const LARGE: usize = 10_000_000;

/// Widths of a column, in characters.
const WIDTH_MIN: usize = 8;
const WIDTH_MAX: usize = 60;

/// Characters (UTF-16) on either side of a page's header and footer; all of it may have 255.
const MARGIN_MAX: usize = 115;

/// Serial numbers of 1900-03-01 and of 9999-12-31, in days since 1970-01-01. Before the former a spreadsheet counts a 29
/// February that never was, and readers disagree.
const DATE_MIN: i32 = -25_508;
const DATE_MAX: i32 = 2_932_896;

/// Serial number of 1970-01-01.
const EPOCH: i32 = 25_569;

/// Dots of a chart's picture for each of its pixels: it stays sharp on a dense screen and on paper.
const DENSITY: u32 = 2;

/// Height of a row that nobody set, in pixels.
const ROW_PIXELS: u32 = 20;

/// Characters (UTF-16) of the words for a picture, by the file format.
const WORDS_MAX: usize = 255;

const INK: u32 = 0x002F_3B4A;
const MUTED: u32 = 0x0059_6575;
const LINE: u32 = 0x0087_92A0;
const DATE: &str = "yyyy-mm-dd";

/// The format.
#[derive(Debug)]
pub struct Xlsx;

impl Format for Xlsx {
    fn name(&self) -> &'static str {
        "xlsx"
    }

    fn title(&self) -> &'static str {
        "XLSX"
    }

    fn content_type(&self) -> &'static str {
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    }

    fn extension(&self) -> &'static str {
        "xlsx"
    }

    /// Of a document with charts, waits for a worker process: for threads that may block.
    fn render(&self, document: &Document, tools: &Tools) -> Result<Vec<u8>> {
        build(document, pictures(document, tools)?.as_deref())
    }
}

/// A picture of each chart, in the document's order; `None` where the server has no face to draw them with.
fn pictures(document: &Document, tools: &Tools) -> Result<Option<Vec<Vec<u8>>>> {
    let drawings: Vec<(&str, u32)> = charts(&document.blocks)
        .map(|chart| (chart.drawing.svg.as_str(), chart.drawing.width.saturating_mul(DENSITY)))
        .collect();
    if drawings.iter().any(|(svg, _)| tools.fonts.require(svg).is_err()) {
        return Ok(None);
    }
    png::chart_pngs(&drawings, tools).map(Some)
}

/// The workbook.
///
/// # Errors
/// `LIMIT` for a dataset that a sheet cannot hold.
fn build(document: &Document, pictures: Option<&[Vec<u8>]>) -> Result<Vec<u8>> {
    for dataset in &document.datasets {
        fits(&dataset.name, dataset.rows.len(), dataset.columns.len())?;
    }
    let view = View { lang: document.lang };
    let names = Names::of(document, view);
    let mut workbook = Workbook::new();
    workbook.set_properties(&properties(document).map_err(failed)?);
    workbook.use_zip_large_file(document.datasets.iter().map(cells).sum::<usize>() >= LARGE);

    let sheet = workbook.add_worksheet();
    set_up(sheet, &names.overview, document, view).map_err(failed)?;
    overview::write(sheet, document, view, &names).map_err(failed)?;

    let mut as_text = Vec::new();
    for (dataset, name) in document.datasets.iter().zip(&names.datasets) {
        let sheet = sheet_for(&mut workbook, dataset)?;
        set_up(sheet, name, document, view).map_err(failed)?;
        rows(sheet, name, dataset, &document.blocks, document.lang, &mut as_text)?;
        let drawn = charts(&document.blocks).zip(pictures.unwrap_or_default());
        draw(sheet, dataset, drawn.filter(|(chart, _)| chart.dataset == dataset.name)).map_err(failed)?;
    }

    let sheet = workbook.add_worksheet();
    set_up(sheet, &names.evidence, document, view).map_err(failed)?;
    evidence::write(sheet, document, view, &names, &as_text, pictures.is_some()).map_err(failed)?;
    workbook.save_to_buffer().map_err(failed)
}

/// A workbook of datasets that are no report's, a sheet each. The header has the names of the columns, so that a program finds
/// them again; `at` is the moment of the file.
///
/// # Errors
/// `LIMIT` for a dataset that a sheet cannot hold.
pub fn workbook(title: &str, datasets: &[Dataset], at: jiff::Timestamp) -> Result<Vec<u8>> {
    let mut workbook = Workbook::new();
    let made = ExcelDateTime::from_timestamp(at.as_second()).map_err(failed)?;
    workbook.set_properties(&DocProperties::new().set_title(line(title)).set_creation_datetime(&made));
    workbook.use_zip_large_file(datasets.iter().map(cells).sum::<usize>() >= LARGE);
    let mut taken = vec![RESERVED.to_owned()];
    for dataset in datasets {
        fits(&dataset.name, dataset.rows.len(), dataset.columns.len())?;
        let name = sheet_name(&dataset.name, &taken);
        taken.push(name.to_lowercase());
        let sheet = sheet_for(&mut workbook, dataset)?;
        page(sheet, &name).map_err(failed)?;
        rows(sheet, &name, dataset, &[], Lang::default(), &mut Vec::new())?;
    }
    workbook.save_to_buffer().map_err(failed)
}

/// A sheet that can take a dataset.
fn sheet_for<'a>(workbook: &'a mut Workbook, dataset: &Dataset) -> Result<&'a mut Worksheet> {
    match cells(dataset) >= LONG {
        true => workbook.add_worksheet_with_constant_memory().map_err(failed),
        false => Ok(workbook.add_worksheet()),
    }
}

fn failed(error: XlsxError) -> Error {
    Error::internal("cannot write the report as XLSX", error)
}

fn cells(dataset: &Dataset) -> usize {
    dataset.rows.len() * dataset.columns.len()
}

/// Whether a sheet holds so many rows, besides its header, and columns.
fn fits(dataset: &str, rows: usize, columns: usize) -> Result<()> {
    let (found, limit, of) = match (rows, columns) {
        (rows, _) if rows >= ROWS_MAX => (rows, ROWS_MAX - 1, "rows"),
        (_, columns) if columns > COLUMNS_MAX => (columns, COLUMNS_MAX, "columns"),
        _ => return Ok(()),
    };
    Err(Error::new(
        Code::Limit,
        format!(
            "dataset `{dataset}` has {found} {of} and a sheet of XLSX holds {limit}; ask for Parquet or CSV instead"
        ),
    ))
}

/// The moment of the file is that of the run: two renderings are the same bytes.
fn properties(document: &Document) -> Result<DocProperties, XlsxError> {
    let made = ExcelDateTime::from_timestamp(document.imprint.at().as_second())?;
    Ok(DocProperties::new()
        .set_title(line(&document.title))
        .set_subject(line(&format!(
            "{} · {}",
            document.scope.label,
            locale::format_date(document.lang, document.as_of)
        )))
        .set_author(format!("Countinghouse {}", document.evidence.engine))
        .set_creation_datetime(&made))
}

/// Names of the sheets: valid, and unique also for readers to whom upper and lower case are the same.
#[derive(Debug)]
struct Names {
    overview: String,
    /// In the document's order.
    datasets: Vec<String>,
    evidence: String,
}

impl Names {
    fn of(document: &Document, view: View) -> Self {
        let mut taken = vec![RESERVED.to_owned()];
        let mut free = |name: &str| {
            let name = sheet_name(name, &taken);
            taken.push(name.to_lowercase());
            name
        };
        let overview = free(&view.word("workbook-overview"));
        let evidence = free(&view.word("workbook-evidence"));
        let datasets = document.datasets.iter().map(|dataset| free(&dataset.name)).collect();
        Self { overview, datasets, evidence }
    }

    /// The sheet of a dataset.
    fn dataset(&self, document: &Document, name: &str) -> Option<&str> {
        let at = document.datasets.iter().position(|dataset| dataset.name == name)?;
        self.datasets.get(at).map(String::as_str)
    }
}

/// A valid name that is not among those taken (in lower case).
fn sheet_name(wanted: &str, taken: &[String]) -> String {
    let valid: String = wanted
        .chars()
        .map(|character| if character.is_control() || "[]:*?/\\'".contains(character) { '_' } else { character })
        .collect();
    let valid = if valid.trim().is_empty() { "_" } else { valid.trim() };
    let mut name = head(valid, NAME_MAX).to_owned();
    let mut count = 2;
    while taken.contains(&name.to_lowercase()) {
        let suffix = format!(" ({count})");
        name = format!("{}{suffix}", head(valid, NAME_MAX - suffix.len()).trim_end());
        count += 1;
    }
    name
}

/// As many whole characters as fit into so many UTF-16 units.
fn head(text: &str, units: usize) -> &str {
    let mut left = units;
    let end = text.char_indices().find(|(_, character)| {
        let fits = character.len_utf16() <= left;
        left = left.saturating_sub(character.len_utf16());
        !fits
    });
    end.map_or(text, |(at, _)| &text[..at])
}

/// Name and print set-up of a sheet.
fn page(sheet: &mut Worksheet, name: &str) -> Result<(), XlsxError> {
    const A4: u8 = 9;
    sheet.set_name(name)?;
    sheet.set_landscape().set_paper_size(A4).set_print_fit_to_pages(1, 0);
    sheet.set_margins(0.5, 0.5, 0.75, 0.75, 0.3, 0.3);
    Ok(())
}

/// Name, print set-up, header and footer of a sheet.
fn set_up(sheet: &mut Worksheet, name: &str, document: &Document, view: View) -> Result<(), XlsxError> {
    page(sheet, name)?;
    let mut title = vec![document.title.clone(), document.scope.label.clone()];
    title.push(format!("{} {}", view.word("report-as-of"), view.date(&document.as_of)));
    sheet.set_header(format!("&L&8 {}&R&8 {}", margin(&title), margin(&imprint(document, view))));
    sheet.set_footer(format!("&L&8 {}&R&8 &P / &N", margin(&footer(document, view))));
    Ok(())
}

/// The watermark: of a live answer who had it, when and of what; of an edition, which one it is.
fn imprint(document: &Document, view: View) -> Vec<String> {
    match &document.imprint {
        Imprint::Live { reader, at } => vec![reader.clone(), stamp(*at), document.scope.label.clone()],
        Imprint::Edition { version, run_key, at, .. } => vec![
            format!("v{version}"),
            stamp(*at),
            format!("{} {}", view.word("workbook-run-key"), view.short(run_key)),
        ],
    }
}

/// The lineage of a printed page; names of open branches would not fit and stand on the first and the last sheet.
fn footer(document: &Document, view: View) -> Vec<String> {
    let evidence = &document.evidence;
    let mut parts = vec![format!("{} {}", view.word("report-snapshot"), evidence.snapshot)];
    if evidence.branches > 0 {
        let (closed, of) = (evidence.closed.to_string(), evidence.branches.to_string());
        let counts = [("closed", (&closed).into()), ("of", (&of).into())];
        parts.push(locale::message(view.lang, "report-closed", &counts));
    }
    parts.push(view.rows(document));
    parts.push(format!("{} {}", view.word("report-engine"), evidence.engine));
    parts
}

/// Text of a header or footer. `&` begins a command there; what does not fit is dropped with a mark, and stands on the first
/// sheet in full.
fn margin(parts: &[String]) -> String {
    let text = line(&parts.join(" · "));
    let mut printed = String::new();
    let mut units = 0;
    for character in text.chars() {
        let length = if character == '&' { 2 } else { character.len_utf16() };
        if units + length >= MARGIN_MAX {
            printed.push('…');
            break;
        }
        units += length;
        printed.push(character);
        if character == '&' {
            printed.push('&');
        }
    }
    printed
}

/// On one line: attributes and headers hold no control characters.
fn line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// `2026-11-03 08:12:00 UTC`.
fn stamp(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Writes text as text.
fn put(sheet: &mut Worksheet, row: u32, column: u16, text: &str, style: &Style) -> Result<(), XlsxError> {
    // The writer takes `<r>…</r>` in its table of strings for finished XML. Written as a string with one run of font it is
    // escaped; the writer's escape of `_x0041_` is missing on that way.
    if text.starts_with("<r>") && text.ends_with("</r>") {
        let text = text.replace("_x", "_x005F_x");
        sheet.write_rich_string_with_format(row, column, &[(&Style::default(), &text)], style)?;
    } else {
        sheet.write_string_with_format(row, column, text, style)?;
    }
    Ok(())
}

/// A link to a sheet, by its name.
fn link(sheet: &mut Worksheet, row: u32, column: u16, to: &str) -> Result<(), XlsxError> {
    let url = Url::new(format!("internal:'{}'!A1", to.replace('\'', "''")));
    sheet.write_url_with_text(row, column, url, to)?;
    Ok(())
}

/// Places on a half-width grid: Chinese characters take two.
fn width(text: &str) -> usize {
    text.chars().map(|character| if u32::from(character) >= 0x2E80 { 2 } else { 1 }).sum()
}

fn style() -> Style {
    Style::new().set_font_color(INK)
}

fn muted() -> Style {
    style().set_font_color(MUTED)
}

/// Set apart from a number that ends where the cell begins.
fn left(style: Style) -> Style {
    style.set_align(FormatAlign::Left).set_indent(1)
}

/// Cells above a column.
fn header(align: FormatAlign) -> Style {
    style()
        .set_bold()
        .set_align(align)
        .set_align(FormatAlign::Bottom)
        .set_border_bottom(FormatBorder::Thin)
        .set_border_bottom_color(LINE)
}

/// Values of one column and one kind that are text in the sheet although they are none.
#[derive(Debug)]
struct AsText {
    sheet: String,
    column: String,
    /// `C5`.
    first: String,
    /// Key of the reason's words.
    reason: &'static str,
    count: usize,
}

/// How a column is written.
#[derive(Debug)]
struct Shape {
    heading: String,
    /// Numbers that name something: they are not counted with, and their leading digits are not grouped.
    identifier: bool,
    align: FormatAlign,
    /// Digits after the point, at most.
    decimals: usize,
    /// A ratio is shown two places larger than it is kept.
    percent: bool,
    /// Styles of a row, and of a total: numbers, dates, text.
    styles: [[Style; 3]; 2],
}

impl Shape {
    fn of(name: &str, data_type: Option<&DataType>, shown: Option<(&str, Quantity)>, lang: Lang) -> Self {
        let quantity = shown.map_or(Quantity::Number, |(_, quantity)| quantity);
        let scale = match data_type {
            Some(DataType::Decimal128(_, scale)) => usize::try_from(*scale).ok(),
            Some(data_type) if data_type.is_integer() => Some(0),
            _ => None,
        };
        let identifier = scale == Some(0) && quantity == Quantity::Number && names_something(name);
        let numeric = data_type.is_some_and(DataType::is_numeric) && !identifier;
        let (format, decimals) = number_format(quantity, scale, name);
        let unit = match quantity {
            Quantity::Money | Quantity::Points => NumberUnit::plain(quantity).label(lang),
            Quantity::Count | Quantity::Number | Quantity::Percent | Quantity::BasisPoints => String::new(),
        };
        let label = shown.map(|(label, _)| label).filter(|label| !label.is_empty()).unwrap_or(name);
        let heading = if unit.is_empty() || label.contains(&unit) {
            label.to_owned()
        } else {
            let words = [("label", label.into()), ("unit", (&unit).into())];
            locale::message(lang, "workbook-column-with-unit", &words)
        };
        let align = if numeric { FormatAlign::Right } else { FormatAlign::Left };
        let styles = [style(), style().set_bold()].map(|style| {
            [
                style.clone().set_num_format(&format).set_align(FormatAlign::Right),
                left(style.clone().set_num_format(DATE)),
                // `@`: what a reader types over it stays text too.
                match numeric {
                    true => style.set_num_format("@").set_align(FormatAlign::Right),
                    false => left(style.set_num_format("@")),
                },
            ]
        });
        Self {
            heading,
            identifier,
            align,
            decimals,
            percent: matches!(quantity, Quantity::Percent | Quantity::Points | Quantity::BasisPoints),
            styles,
        }
    }

    /// Places that a number takes when it is shown with separators.
    fn width(&self, number: Number) -> usize {
        let text = number.absolute().plain();
        let whole = text.split('.').next().map_or(0, str::len) + if self.percent { 2 } else { 0 };
        let decimals = if self.decimals > 0 { self.decimals + 1 } else { 0 };
        whole + whole.saturating_sub(1) / 3 + decimals + usize::from(number.sign() < 0) + usize::from(self.percent)
    }
}

/// Whether whole numbers in a column of this name are keys: account and customer numbers.
fn names_something(name: &str) -> bool {
    const WORDS: [&str; 5] = ["id", "no", "number", "code", "key"];
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with('_')))
}

/// The number format of a column, and the digits after its point, at most. `scale` is missing for floats.
fn number_format(quantity: Quantity, scale: Option<usize>, name: &str) -> (String, usize) {
    /// More of them would make the cell wider than its figure; the value keeps them all.
    const SHOWN_MAX: usize = 8;
    match (quantity, scale) {
        (Quantity::Percent | Quantity::Points, _) => ("0.00%".to_owned(), 2),
        (Quantity::BasisPoints, _) => ("0.0000%".to_owned(), 4),
        (Quantity::Count, _) => ("#,##0".to_owned(), 0),
        (Quantity::Money, _) => ("#,##0.00".to_owned(), 2),
        (Quantity::Number, Some(0)) if name == "year" => ("0".to_owned(), 0),
        (Quantity::Number, Some(0)) => ("#,##0".to_owned(), 0),
        (Quantity::Number, Some(scale)) => {
            let shown = scale.min(SHOWN_MAX);
            (format!("#,##0.{}", "0".repeat(shown)), shown)
        }
        (Quantity::Number, None) => ("#,##0.00####".to_owned(), 6),
    }
}

/// Digits from the first to the last that is not zero.
fn significant(number: Number) -> usize {
    let digits = number.unscaled.unsigned_abs().to_string();
    digits.trim_end_matches('0').len()
}

/// The blocks of a page in its order, those of rows one by one.
fn flat(blocks: &[Block]) -> Vec<&Block> {
    blocks
        .iter()
        .flat_map(|block| match block {
            Block::Row(inner) => flat(inner),
            other => vec![other],
        })
        .collect()
}

/// The charts of a page, in its order.
fn charts(blocks: &[Block]) -> impl Iterator<Item = &Chart> {
    flat(blocks).into_iter().filter_map(|block| match block {
        Block::Chart(chart) => Some(&**chart),
        _ => None,
    })
}

/// Puts the pictures of a dataset's charts to the right of its rows, one below the other.
fn draw<'a>(
    sheet: &mut Worksheet,
    dataset: &Dataset,
    drawn: impl Iterator<Item = (&'a Chart, &'a Vec<u8>)>,
) -> Result<(), XlsxError> {
    let column = u16::try_from(dataset.columns.len() + 1).unwrap_or(u16::MAX);
    let mut row = 1;
    for (chart, picture) in drawn {
        let scale = 1.0 / f64::from(DENSITY);
        let image =
            Image::new_from_buffer(picture)?.set_scale_width(scale).set_scale_height(scale).set_alt_text(words(chart));
        sheet.insert_image(row, column, &image)?;
        row += chart.drawing.height.div_ceil(ROW_PIXELS) + 1;
    }
    Ok(())
}

/// A chart in words, as far as the file format holds them; the rows beside it say the rest.
fn words(chart: &Chart) -> String {
    let all = line(&format!("{}. {}", chart.drawing.title.trim_end_matches('.'), chart.drawing.desc));
    if all.encode_utf16().count() <= WORDS_MAX { all } else { format!("{}…", head(&all, WORDS_MAX - 1)) }
}

/// The sheet of a dataset; the tables among `blocks` say how its columns are called.
fn rows(
    sheet: &mut Worksheet,
    name: &str,
    dataset: &Dataset,
    blocks: &[Block],
    lang: Lang,
    as_text: &mut Vec<AsText>,
) -> Result<()> {
    let shown: Vec<&Table> = flat(blocks)
        .into_iter()
        .filter_map(|block| match block {
            Block::Table(table) if table.dataset == dataset.name => Some(table),
            _ => None,
        })
        .collect();
    let label = |name: &str| {
        let column = shown.iter().flat_map(|table| &table.columns).find(|column| column.column == name)?;
        Some((column.label.as_str(), column.quantity))
    };
    let shapes: Vec<Shape> = dataset
        .columns
        .iter()
        .enumerate()
        .map(|(at, name)| Shape::of(name, dataset.types.get(at), label(name), lang))
        .collect();
    let totals: Vec<bool> = shown
        .iter()
        .find(|table| table.rows.len() == dataset.rows.len())
        .map_or_else(Vec::new, |table| table.rows.iter().map(|row| row.total).collect());

    // With places for indent and button.
    let mut widths: Vec<usize> = shapes.iter().map(|shape| width(&shape.heading) + 4).collect();
    for (column, shape) in (0..).zip(&shapes) {
        // The button of the filter stands at the right end of the cell.
        let indent = if shape.align == FormatAlign::Right { 2 } else { 1 };
        put(sheet, 0, column, &shape.heading, &header(shape.align).set_indent(indent)).map_err(failed)?;
    }
    for (row, values) in (1..).zip(&dataset.rows) {
        if values.len() != shapes.len() {
            let what = format!("row {row} of dataset `{}` has not one value for each column", dataset.name);
            return Err(Error::internal("cannot write the report as XLSX", what));
        }
        let total = totals.get(row as usize - 1).copied().unwrap_or_default();
        for ((column, shape), (value, widest)) in (0..).zip(&shapes).zip(values.iter().zip(&mut widths)) {
            let [number, date, text] = &shape.styles[usize::from(total)];
            let (taken, reason) = match value {
                Value::Null => continue,
                Value::Boolean(value) => {
                    sheet.write_boolean_with_format(row, column, *value, &left(style())).map_err(failed)?;
                    (5, None)
                }
                Value::Number(value) if !shape.identifier && significant(*value) <= DIGITS_MAX => {
                    sheet.write_number_with_format(row, column, value.to_f64(), number).map_err(failed)?;
                    (shape.width(*value), None)
                }
                Value::Date(days) if (DATE_MIN..=DATE_MAX).contains(days) => {
                    sheet.write_number_with_format(row, column, days + EPOCH, date).map_err(failed)?;
                    (DATE.len(), None)
                }
                other => {
                    let plain = other.plain();
                    if plain.encode_utf16().count() > TEXT_MAX {
                        return Err(too_long(dataset, row, column));
                    }
                    put(sheet, row, column, &plain, text).map_err(failed)?;
                    let reason = match other {
                        Value::Number(_) if !shape.identifier => Some("workbook-too-long"),
                        Value::Date(_) => Some("workbook-no-date"),
                        _ => None,
                    };
                    (width(&plain), reason)
                }
            };
            *widest = (*widest).max(taken + 3);
            if let Some(reason) = reason {
                match as_text
                    .iter_mut()
                    .find(|one| one.sheet == name && one.column == shape.heading && one.reason == reason)
                {
                    Some(one) => one.count += 1,
                    None => as_text.push(AsText {
                        sheet: name.to_owned(),
                        column: shape.heading.clone(),
                        first: rust_xlsxwriter::utility::row_col_to_cell(row, column),
                        reason,
                        count: 1,
                    }),
                }
            }
        }
    }
    finish(sheet, dataset, &widths).map_err(failed)
}

fn too_long(dataset: &Dataset, row: u32, column: u16) -> Error {
    let column = dataset.columns.get(usize::from(column)).map_or("", String::as_str);
    Error::new(
        Code::Limit,
        format!(
            "dataset `{}`, row {row}, column `{column}`: a cell of XLSX holds {TEXT_MAX} characters; ask for Parquet or CSV \
             instead",
            dataset.name
        ),
    )
}

/// Widths, filter, and a header that stays: on the screen and on every printed page.
fn finish(sheet: &mut Worksheet, dataset: &Dataset, widths: &[usize]) -> Result<(), XlsxError> {
    for (column, width) in (0..).zip(widths) {
        let width = (*width).clamp(WIDTH_MIN, WIDTH_MAX);
        sheet.set_column_width(column, u32::try_from(width).unwrap_or(u32::MAX))?;
    }
    sheet.set_freeze_panes(1, 0)?;
    sheet.set_repeat_rows(0, 0)?;
    let last_row = u32::try_from(dataset.rows.len()).unwrap_or(u32::MAX);
    if let Some(last) = dataset.columns.len().checked_sub(1) {
        let last = u16::try_from(last).unwrap_or(u16::MAX);
        sheet.autofilter(0, 0, last_row, last)?;
        // Numbers that are text here are so on purpose: no marks that offer to convert, and thereby round, them.
        sheet.ignore_error_range(0, 0, last_row, last, IgnoreError::NumberStoredAsText)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
