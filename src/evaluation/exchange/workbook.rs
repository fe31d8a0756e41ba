//! The first sheet of an XLSX workbook, as lines of text.
//!
//! Read part by part: the package is unpacked within a budget, so that a small file cannot become a large one; cells are kept
//! where they stand, so that one far out does not cost all before it; no formula is run and no entity of the document's own is
//! known.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use jiff::ToSpan;
use jiff::civil::date;
use quick_xml::Reader;
use quick_xml::escape::{resolve_predefined_entity, unescape};
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use super::sheet::{Line, fits, too_much, wrong};
use crate::error::{Error, Result};

/// Most bytes of the parts that are read, unpacked; and most bytes of all cells' texts, of which many may be one shared text.
const UNPACKED_MAX: usize = 64 << 20;

/// Serial numbers of 1900-03-01 and of 10000-01-01. Before the former spreadsheets disagree by a day.
const DAYS: std::ops::Range<f64> = 61.0..2_958_466.0;

/// Days from 1900's to 1904's first serial number.
const SINCE_1904: f64 = 1462.0;

/// The lines of the first sheet that is shown, those alone that hold anything.
pub(super) fn lines(bytes: &[u8]) -> Result<Vec<Line>> {
    lines_within(bytes, UNPACKED_MAX)
}

/// The same with so many bytes to unpack at most.
pub(super) fn lines_within(bytes: &[u8], most: usize) -> Result<Vec<Line>> {
    let archive = ZipArchive::new(Cursor::new(bytes)).map_err(wrong)?;
    let mut package = Package { archive, left: most };
    let related = relations(&package.needed("xl/_rels/workbook.xml.rels")?)?;
    let (sheet, is_1904) = first_sheet(&package.needed("xl/workbook.xml")?)?;
    let part = |found: Option<&Relation>| found.map(|relation| relation.part.clone());
    let of_kind = |kind: &str| part(related.iter().find(|relation| relation.kind.ends_with(kind)));
    let sheet = part(related.iter().find(|relation| relation.id == sheet)).ok_or_else(|| wrong("no sheet"))?;
    let shared = package.known(of_kind("/sharedStrings"))?.map_or(Ok(Vec::new()), |xml| shared_strings(&xml))?;
    let days = package.known(of_kind("/styles"))?.map_or(Ok(Vec::new()), |xml| day_styles(&xml))?;
    let mut reading = Reading { shared, days, is_1904, left: most, ..Reading::default() };
    walk(&package.needed(&sheet)?, |step| reading.take(step))?;
    Ok(reading.lines)
}

fn unpacked() -> Error {
    too_much(&format!("{} MiB unpacked", UNPACKED_MAX >> 20))
}

/// The parts of a workbook.
struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    /// Bytes that may still be unpacked.
    left: usize,
}

impl Package<'_> {
    fn needed(&mut self, name: &str) -> Result<String> {
        self.known(Some(name.to_owned()))?.ok_or_else(|| wrong(format!("no `{name}`")))
    }

    /// The text of a part; none where there is no such part.
    fn known(&mut self, name: Option<String>) -> Result<Option<String>> {
        let Some(index) = name.and_then(|name| self.archive.index_for_name(&name)) else { return Ok(None) };
        let entry = self.archive.by_index(index).map_err(wrong)?;
        let mut bytes = Vec::new();
        // One more than there may be tells that there is more.
        entry.take(self.left as u64 + 1).read_to_end(&mut bytes).map_err(wrong)?;
        self.left = self.left.checked_sub(bytes.len()).ok_or_else(unpacked)?;
        String::from_utf8(bytes).map(Some).map_err(wrong)
    }
}

/// What happens in a document, element by element; an empty element opens and closes.
enum Step<'a> {
    Open(&'a str, &'a BytesStart<'a>),
    Text(&'a str),
    Close(&'a str),
}

fn walk(xml: &str, mut see: impl FnMut(Step<'_>) -> Result<()>) -> Result<()> {
    let mut reader = Reader::from_str(xml.trim_start_matches('\u{feff}'));
    reader.config_mut().expand_empty_elements = true;
    loop {
        match reader.read_event().map_err(wrong)? {
            Event::Start(element) => see(Step::Open(element.local_name().into_inner(), &element))?,
            Event::End(element) => see(Step::Close(element.local_name().into_inner()))?,
            Event::Text(text) => see(Step::Text(&text.xml10_content()))?,
            Event::CData(text) => see(Step::Text(&text.xml10_content()))?,
            Event::GeneralRef(reference) => match reference.resolve_char_ref().map_err(wrong)? {
                Some(character) => see(Step::Text(character.encode_utf8(&mut [0; 4])))?,
                None => {
                    let text = resolve_predefined_entity(&reference);
                    see(Step::Text(text.ok_or_else(|| wrong("an entity of the document's own"))?))?;
                }
            },
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// An attribute by its name without prefix.
fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>> {
    for attribute in element.attributes().with_checks(false) {
        let attribute = attribute.map_err(wrong)?;
        if attribute.key.local_name().into_inner() == name {
            return unescape(&attribute.value).map(|value| Some(value.into_owned())).map_err(wrong);
        }
    }
    Ok(None)
}

/// A part that the workbook points at.
struct Relation {
    id: String,
    /// An address; its end says what the part is.
    kind: String,
    part: String,
}

fn relations(xml: &str) -> Result<Vec<Relation>> {
    let mut found = Vec::new();
    walk(xml, |step| {
        if let Step::Open("Relationship", element) = step {
            let of = |name: &str| attribute(element, name).map(Option::unwrap_or_default);
            let target = of("Target")?;
            let part = target.strip_prefix('/').map_or_else(|| format!("xl/{target}"), str::to_owned);
            found.push(Relation { id: of("Id")?, kind: of("Type")?, part });
        }
        Ok(())
    })?;
    Ok(found)
}

/// The relation of the first sheet that is shown, and whether days count from 1904.
fn first_sheet(xml: &str) -> Result<(String, bool)> {
    let (mut id, mut is_1904) = (None, false);
    walk(xml, |step| {
        match step {
            Step::Open("workbookPr", element) => {
                is_1904 = matches!(attribute(element, "date1904")?.as_deref(), Some("1" | "true"));
            }
            Step::Open("sheet", element) if id.is_none() => {
                let is_shown = attribute(element, "state")?.is_none_or(|state| state == "visible");
                id = if is_shown { attribute(element, "id")? } else { None };
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok((id.ok_or_else(|| wrong("no sheet is shown"))?, is_1904))
}

/// Texts that cells name by number.
fn shared_strings(xml: &str) -> Result<Vec<String>> {
    let (mut strings, mut text) = (Vec::new(), Words::default());
    walk(xml, |step| {
        match step {
            Step::Close("si") => strings.push(text.end()),
            step => text.take(&step),
        }
        Ok(())
    })?;
    Ok(strings)
}

/// Whether cells of each style show days.
fn day_styles(xml: &str) -> Result<Vec<bool>> {
    let (mut own, mut styles, mut within) = (BTreeMap::new(), Vec::new(), false);
    walk(xml, |step| {
        match step {
            Step::Open("numFmt", element) => {
                let code = attribute(element, "formatCode")?.unwrap_or_default();
                own.insert(attribute(element, "numFmtId")?.unwrap_or_default(), shows_day(&code));
            }
            Step::Open("cellXfs", _) => within = true,
            Step::Close("cellXfs") => within = false,
            Step::Open("xf", element) if within => {
                let id = attribute(element, "numFmtId")?.unwrap_or_default();
                // Formats that every program knows, those of Chinese and Japanese versions among them.
                let known = matches!(id.parse(), Ok(14..=22 | 27..=36 | 50..=58_u32));
                styles.push(own.get(&id).copied().unwrap_or(known));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(styles)
}

/// Whether a number format has a year or a day, outside quoted text and what stands in brackets. `m` may be minutes.
fn shows_day(code: &str) -> bool {
    let mut characters = code.chars();
    while let Some(character) = characters.next() {
        let end = match character {
            '"' => '"',
            '[' => ']',
            '\\' => {
                characters.next();
                continue;
            }
            'y' | 'Y' | 'd' | 'D' => return true,
            _ => continue,
        };
        characters.by_ref().find(|character| *character == end);
    }
    false
}

/// Text of an element that may be in several runs, without the reading aids that stand beside Chinese and Japanese text.
#[derive(Default)]
struct Words {
    text: String,
    is_open: bool,
    is_aid: bool,
}

impl Words {
    fn take(&mut self, step: &Step<'_>) {
        match step {
            Step::Open("rPh", _) => self.is_aid = true,
            Step::Close("rPh") => self.is_aid = false,
            Step::Open("t", _) => self.is_open = !self.is_aid,
            Step::Close("t") => self.is_open = false,
            Step::Text(text) if self.is_open => self.text.push_str(text),
            _ => {}
        }
    }

    fn end(&mut self) -> String {
        unescaped(&std::mem::take(&mut self.text)).into_owned()
    }
}

/// Text with the characters that XML cannot hold, written as `_x0009_`; `_x005F_` is the underscore before such a sequence.
fn unescaped(text: &str) -> Cow<'_, str> {
    let character = |rest: &str| {
        let code = rest.strip_prefix("_x")?.get(..4).filter(|code| code.chars().all(|c| c.is_ascii_hexdigit()))?;
        rest.get(6..7).filter(|end| *end == "_")?;
        char::from_u32(u32::from_str_radix(code, 16).ok()?)
    };
    if !text.contains("_x") {
        return Cow::Borrowed(text);
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("_x") {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        let (replaced, taken) = character(found).map_or(('_', 1), |character| (character, 7));
        out.push(replaced);
        rest = found.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// A sheet as it is read.
#[derive(Default)]
struct Reading {
    shared: Vec<String>,
    /// By style.
    days: Vec<bool>,
    is_1904: bool,
    /// Bytes that texts of cells may still take.
    left: usize,
    lines: Vec<Line>,
    /// The row, from 1, and the next cell's column, from 0.
    row: usize,
    column: usize,
    /// The cell: what its value is, and its style.
    kind: String,
    style: usize,
    value: String,
    is_value: bool,
    words: Words,
}

impl Reading {
    fn take(&mut self, step: Step<'_>) -> Result<()> {
        match step {
            Step::Open("row", element) => {
                let own = attribute(element, "r")?.and_then(|row| row.trim().parse::<usize>().ok());
                (self.row, self.column) = (own.unwrap_or(self.row.saturating_add(1)), 0);
            }
            Step::Open("c", element) => {
                if let Some(column) = attribute(element, "r")?.as_deref().and_then(column) {
                    self.column = column;
                }
                self.kind = attribute(element, "t")?.unwrap_or_default();
                let style = attribute(element, "s")?.and_then(|style| style.trim().parse::<usize>().ok());
                self.style = style.unwrap_or_default();
            }
            Step::Open("v", _) => self.is_value = true,
            Step::Close("v") => self.is_value = false,
            Step::Text(text) if self.is_value => self.value.push_str(text),
            Step::Close("c") => {
                let text = self.text()?;
                if !text.is_empty() {
                    self.put(text)?;
                }
                self.column = self.column.saturating_add(1);
            }
            step => self.words.take(&step),
        }
        Ok(())
    }

    /// The text of the cell that ends.
    fn text(&mut self) -> Result<String> {
        let (value, words) = (std::mem::take(&mut self.value), self.words.end());
        Ok(match self.kind.as_str() {
            _ if value.is_empty() && words.is_empty() => String::new(),
            "s" => {
                let shared = value.trim().parse::<usize>().ok().and_then(|at| self.shared.get(at));
                shared.ok_or_else(|| wrong("no such shared text"))?.clone()
            }
            "inlineStr" => words,
            "str" => unescaped(&value).into_owned(),
            "b" => (value.trim() == "1").to_string(),
            "" | "n" if self.days.get(self.style).copied().unwrap_or_default() => {
                self.day(&value).unwrap_or_else(|| value.trim().to_owned())
            }
            _ => value.trim().to_owned(),
        })
    }

    /// `2026-06-30` for a serial number.
    fn day(&self, value: &str) -> Option<String> {
        let serial: f64 = value.trim().parse().ok()?;
        let serial = serial + if self.is_1904 { SINCE_1904 } else { 0.0 };
        let days = DAYS.contains(&serial).then_some(serial.floor() as i64)?;
        Some(date(1899, 12, 30).checked_add(days.days()).ok()?.to_string())
    }

    fn put(&mut self, text: String) -> Result<()> {
        self.left = self.left.checked_sub(text.len()).ok_or_else(unpacked)?;
        if self.lines.last().is_none_or(|(row, _)| *row != self.row) {
            self.lines.push((self.row, Vec::new()));
        }
        fits(self.lines.len(), self.column.saturating_add(1))?;
        if let Some((_, cells)) = self.lines.last_mut() {
            if cells.len() <= self.column {
                cells.resize(self.column + 1, String::new());
            }
            if let Some(cell) = cells.get_mut(self.column) {
                *cell = text;
            }
        }
        Ok(())
    }
}

/// The column of `B7`, from 0.
fn column(reference: &str) -> Option<usize> {
    let letters = reference.bytes().take_while(u8::is_ascii_alphabetic);
    let number = letters.fold(0_usize, |number, letter| {
        number.saturating_mul(26).saturating_add(usize::from(letter.to_ascii_uppercase() - b'A') + 1)
    });
    number.checked_sub(1)
}
