//! From a document to what the template reads: one tree of JSON, and the files that it names by number.
//!
//! Everything that a page shows is text in the tree and nothing in it is markup. Before it leaves, every string that will be
//! drawn is checked for glyphs, in one place, whatever block it came from. Limits are applied here, in words.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use serde_json::{Map, Value, json};

use crate::chart::{Drawing, text};
use crate::error::Result;
use crate::locale::{self, Lang};
use crate::report::Document;
use crate::report::document::{Block, Chart, Dataset, Imprint, Kpi, Prose, Table, Tone};
use crate::report::font::Fonts;
use crate::report::format::html::View;
use crate::report::format::{csv, json as data};
use crate::report::value::Value as Cell;

/// Rows that one table prints, and all tables of a document together; the others are in the attached file.
const TABLE_ROWS: usize = 2_000;
const DOCUMENT_ROWS: usize = 5_000;
/// The data of a chart are printed when they are no larger than this; attached they are always.
const DATA_ROWS: usize = 14;
const DATA_COLUMNS: usize = 6;

/// Lengths in points (1/72 inch). The template sets the same ones.
const PORTRAIT: f64 = 493.0;
const LANDSCAPE: f64 = 739.8;
const A3: f64 = 1088.0;
/// Room for a heading of two lines above a drawing.
const HEADING: f64 = 42.0;
const GUTTER: f64 = 30.0;
const BAR: f64 = 58.0;
const INSET: f64 = 10.0;
/// Text of a table, and the least that people read.
const TABLE_TEXT: f64 = 8.5;
const LEAST_TEXT: f64 = 7.0;
/// How far a table is stretched beyond what its columns need.
const WIDEST: f64 = 1.7;
/// Points for a pixel of a drawing, below which its labels (11 px) are too small.
const LEAST_SCALE: f64 = 0.6;

/// Keys whose text is not drawn.
const NOT_DRAWN: [&str; 5] = ["meta", "attach", "alt", "link", "svg"];

/// What the template reads.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) data: Value,
    pub(super) files: Vec<Vec<u8>>,
}

/// The sheet of a document.
pub(super) fn of(document: &Document, fonts: &Fonts) -> Result<Sheet> {
    let mut builder = Builder {
        document,
        fonts,
        view: View { lang: document.lang },
        files: Vec::new(),
        attach: Vec::new(),
        missing: BTreeSet::new(),
        rows_left: DOCUMENT_ROWS,
        printed: Vec::new(),
        width: 0.0,
        height: 0.0,
    };
    builder.build()
}

struct Builder<'a> {
    document: &'a Document,
    fonts: &'a Fonts,
    view: View,
    files: Vec<Vec<u8>>,
    attach: Vec<Value>,
    missing: BTreeSet<char>,
    rows_left: usize,
    /// Data of charts that are printed after the page.
    printed: Vec<Value>,
    /// Width of the text, and the height that is left for a drawing below its heading, in points.
    width: f64,
    height: f64,
}

impl Builder<'_> {
    fn build(&mut self) -> Result<Sheet> {
        let document = self.document;
        let lang = document.lang;
        let paper = paper(&document.blocks);
        (self.width, self.height) = (paper.width(), paper.height() - HEADING);
        let blocks: Vec<Value> =
            document.blocks.iter().map(|block| self.block(block, self.width)).collect::<Result<_>>()?;
        self.attach_data()?;
        let view = self.view;
        let attached = match document.evidence.datasets.iter().all(|dataset| dataset.sql.is_empty()) {
            true => "report-print-attached-rows",
            false => "report-print-attached",
        };
        let preliminary =
            view.preliminary(document).then(|| json!([view.word("report-preliminary"), view.closed(document)]));
        let mut data = json!({
            "meta": {
                "title": format!("{} · {}: {}", document.title, document.scope.label, document.message),
                "description": document.description,
            },
            "lang": if lang == Lang::Zh { "zh" } else { "en" },
            "region": if lang == Lang::Zh { Some("CN") } else { None },
            "paper": paper.name(),
            "flipped": paper != Paper::Portrait,
            "kicker": [
                document.title,
                document.scope.label,
                format!("{} {}", view.word("report-as-of"), view.date(&document.as_of)),
            ],
            "message": document.message,
            "preliminary": preliminary,
            "blocks": blocks,
            "footer": self.footer(),
            "lineage": self.lineage(),
            "printed": self.printed,
            "attach": self.attach,
            "words": {
                "favourable": {"alt": view.word("report-favourable")},
                "unfavourable": {"alt": view.word("report-unfavourable")},
                "lineage": view.word("report-lineage"),
                "data": view.word("report-print-data"),
                "attached": view.word(attached),
            },
        });
        self.draw(&mut data)?;
        let glyphs = self.glyphs();
        data["glyphs"] = glyphs.into();
        Ok(Sheet { data, files: std::mem::take(&mut self.files) })
    }

    /// Every string below that will be drawn: refused as a whole, or marked where a glyph is missing.
    fn draw(&mut self, value: &mut Value) -> Result<()> {
        match value {
            Value::String(text) => {
                self.fonts.require(text)?;
                *text = self.fonts.cover(text, &mut self.missing);
            }
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.draw(item))?,
            Value::Object(fields) => {
                for (key, item) in fields {
                    if !NOT_DRAWN.contains(&key.as_str()) {
                        self.draw(item)?;
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        Ok(())
    }

    /// What the marks on the page stand for.
    fn glyphs(&self) -> Option<String> {
        if self.missing.is_empty() {
            return None;
        }
        let codes: Vec<String> = self.missing.iter().map(|char| format!("U+{:04X}", u32::from(*char))).collect();
        let (mark, codes) = (self.fonts.substitute().to_string(), codes.join(", "));
        let arguments = [("mark", (&mark).into()), ("codes", (&codes).into())];
        Some(locale::message(self.document.lang, "report-print-glyphs", &arguments))
    }

    fn file(&mut self, bytes: Vec<u8>) -> String {
        self.files.push(bytes);
        format!("/files/{}", self.files.len() - 1)
    }

    /// A drawing, its text checked as the page's is.
    fn svg(&mut self, svg: &str) -> Result<String> {
        let drawn = without_marks(svg);
        self.fonts.require(&drawn)?;
        let drawn = self.fonts.cover(&drawn, &mut self.missing);
        Ok(self.file(drawn.into_bytes()))
    }

    fn block(&mut self, block: &Block, width: f64) -> Result<Value> {
        Ok(match block {
            Block::Message(text) => json!({"kind": "message", "text": text}),
            Block::Row(blocks) if blocks.iter().all(|block| matches!(block, Block::Kpi(_))) => {
                let kpis: Vec<Value> = blocks
                    .iter()
                    .filter_map(|block| match block {
                        Block::Kpi(kpi) => Some(self.kpi(kpi)),
                        _ => None,
                    })
                    .collect::<Result<_>>()?;
                json!({"kind": "tiles", "tiles": kpis})
            }
            Block::Row(blocks) => {
                let width = share(width, blocks.len());
                let parts: Vec<Value> = blocks.iter().map(|block| self.block(block, width)).collect::<Result<_>>()?;
                json!({"kind": "row", "blocks": parts})
            }
            Block::Kpi(kpi) => json!({"kind": "tiles", "tiles": [self.kpi(kpi)?]}),
            Block::Chart(chart) => self.chart(chart, width)?,
            Block::Table(table) => self.table(table, width),
            Block::Text(parts) => {
                let parts: Vec<Value> = parts
                    .iter()
                    .map(|part| match part {
                        Prose::Paragraph(text) => json!({"text": text}),
                        Prose::List(items) => json!({"items": items}),
                    })
                    .collect();
                json!({"kind": "text", "parts": parts})
            }
        })
    }

    fn kpi(&mut self, kpi: &Kpi) -> Result<Value> {
        let changes: Vec<Value> = kpi
            .changes
            .iter()
            .map(|change| {
                json!({
                    "against": change.against,
                    "amount": change.amount,
                    "unit": change.unit,
                    "percent": change.percent,
                    "tone": self.view.tone(&change.tone),
                    "direction": change.direction,
                })
            })
            .collect();
        let spark = match &kpi.spark {
            Some(spark) => Some(json!({"svg": self.svg(spark)?, "alt": kpi.title})),
            None => None,
        };
        Ok(json!({
            "title": kpi.title,
            "value": kpi.value,
            "unit": kpi.unit,
            "beside": kpi.beside.as_ref().map(|(title, value)| [title, value]),
            "changes": changes,
            "spark": spark,
        }))
    }

    fn chart(&mut self, chart: &Chart, width: f64) -> Result<Value> {
        // The wide layout where it is legible, else the one for telephones, no larger than its labels need.
        let drawing = fitting(chart, width);
        let scale =
            (width / f64::from(drawing.width)).min(self.height / f64::from(drawing.height.max(1))).min(LARGEST_SCALE);
        let table = &chart.drawing.table;
        let name = format!("chart-{}.csv", chart.id);
        let cells = |row: &Vec<String>| row.iter().cloned().map(Cell::Text).collect();
        let shown = Dataset {
            name: chart.id.clone(),
            columns: table.headers.clone(),
            types: vec![DataType::Utf8; table.headers.len()],
            rows: table.rows.iter().map(cells).collect(),
        };
        let described = self.about("report-print-chart", &chart.title);
        self.attach(name, csv::text(&shown).into_bytes(), "text/csv", described);
        let heading = if chart.message.is_empty() { &chart.title } else { &chart.message };
        if table.rows.len() <= DATA_ROWS && table.headers.len() <= DATA_COLUMNS && !table.rows.is_empty() {
            self.printed.push(json!({
                "caption": table.caption,
                "headers": table.headers,
                "rows": table.rows,
                "widths": widths(&table.headers, &table.rows),
            }));
        }
        let marks: Vec<Value> = drawing
            .marks
            .iter()
            .filter_map(|mark| {
                let link = self.absolute(mark.href.as_ref()?)?;
                let at = [mark.area.x, mark.area.y, mark.area.w, mark.area.h].map(|length| length * scale);
                Some(json!({"link": link, "area": at}))
            })
            .collect();
        Ok(json!({
            "kind": "chart",
            "heading": heading,
            "svg": self.svg(&drawing.svg)?,
            "alt": format!("{}. {}", drawing.title.trim_end_matches('.'), drawing.desc),
            "width": f64::from(drawing.width) * scale,
            "marks": marks,
        }))
    }

    fn table(&mut self, table: &Table, width: f64) -> Value {
        let limit = self.rows_left.min(TABLE_ROWS);
        // A total stands after the rows that it sums: it is printed though they are not.
        let shown: Vec<_> =
            table.rows.iter().enumerate().filter(|(at, row)| *at < limit || row.total).map(|(_, row)| row).collect();
        self.rows_left = self.rows_left.saturating_sub(shown.len());
        let rest = table.rows.len() - shown.len();
        let rest = (rest > 0).then(|| {
            let rows = locale::Value::Count(i64::try_from(rest).unwrap_or(i64::MAX));
            let file = format!("{}.csv", table.dataset);
            locale::message(self.document.lang, "report-print-rest", &[("rows", rows), ("file", (&file).into())])
        });
        let empty = table.rows.is_empty().then(|| locale::message(self.document.lang, "report-table-empty", &[]));
        let rows: Vec<Value> = shown
            .iter()
            .map(|row| {
                let cells: Vec<Value> = row
                    .cells
                    .iter()
                    .map(|cell| {
                        let mut fields = Map::new();
                        fields.insert("text".to_owned(), cell.text.clone().into());
                        if cell.tone != Tone::Neutral {
                            fields.insert("tone".to_owned(), self.view.tone(&cell.tone).into());
                        }
                        if let Some(bar) = cell.bar {
                            fields.insert("bar".to_owned(), json!([bar.from, bar.length, bar.axis]));
                        }
                        if let Some(link) = cell.link.as_ref().and_then(|link| self.absolute(link)) {
                            fields.insert("link".to_owned(), link.into());
                        }
                        fields.into()
                    })
                    .collect();
                json!({"total": row.total, "cells": cells})
            })
            .collect();
        let columns: Vec<Value> = table
            .columns
            .iter()
            .map(|column| {
                json!({"label": column.label, "unit": column.unit, "numeric": column.numeric, "bar": column.bar})
            })
            .collect();
        let columns_wide = columns_of(table);
        let size = size(&columns_wide, width).clamp(LEAST_TEXT, TABLE_TEXT);
        let widths: Vec<f64> = columns_wide.iter().map(|column| column.at(size)).collect();
        json!({
            "kind": "table",
            "heading": if table.message.is_empty() { &table.title } else { &table.message },
            "caption": if table.message.is_empty() { "" } else { &table.title },
            "columns": columns,
            "size": size,
            // Few columns do not drift apart over a whole page.
            "width": width.min(widths.iter().sum::<f64>() * WIDEST),
            "widths": widths,
            "rows": rows,
            "note": rest.or(empty),
        })
    }

    /// A link of the page as it can be followed from a file: from the edition's own address, or not at all.
    fn absolute(&self, link: &str) -> Option<String> {
        let Imprint::Edition { link: edition, .. } = &self.document.imprint else { return None };
        let joined = url::Url::parse(edition).ok()?.join(link).ok()?;
        matches!(joined.scheme(), "https" | "http").then(|| joined.into())
    }

    fn footer(&self) -> Vec<String> {
        let (document, view) = (self.document, self.view);
        let mut first = vec![format!("{} {}", view.word("report-as-of"), view.date(&document.as_of))];
        if document.evidence.branches > 0 {
            first.push(view.closed(document));
        }
        first.push(format!("{} {}", view.word("report-snapshot"), document.evidence.snapshot));
        first.push(view.rows(document));
        first.push(view.sources(document));
        first.extend(view.records(document));
        first.extend(view.history(document));
        first.extend(view.tie_out(document));
        let rights = format!("{} {}", view.word("report-rights"), document.scope.label);
        let engine = format!("{} {}", view.word("report-engine"), document.evidence.engine);
        vec![first.join(" · "), [self.imprint(), rights, engine].join(" · ")]
    }

    /// Whose answer it is, or which edition.
    fn imprint(&self) -> String {
        let at =
            self.document.imprint.at().to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string();
        let lang = self.document.lang;
        match &self.document.imprint {
            Imprint::Live { reader, .. } => {
                locale::message(lang, "report-print-live", &[("reader", reader.into()), ("at", (&at).into())])
            }
            Imprint::Edition { version, run_key, .. } => {
                let (version, key) = (version.to_string(), self.view.short(run_key));
                let arguments = [("version", (&version).into()), ("at", (&at).into()), ("key", key.into())];
                locale::message(lang, "report-print-edition", &arguments)
            }
        }
    }

    /// The last part of the document: what the footer of every page says, once as text, and the evidence.
    fn lineage(&self) -> Value {
        let (document, view) = (self.document, self.view);
        let datasets: Vec<Value> = document
            .evidence
            .datasets
            .iter()
            .map(|dataset| {
                let source =
                    if dataset.rollups.is_empty() { view.word("report-facts") } else { dataset.rollups.join(", ") };
                json!([
                    dataset.name,
                    dataset.rows.to_string(),
                    source,
                    view.short(&dataset.sql_sha256),
                    view.short(&dataset.rows_sha256),
                ])
            })
            .collect();
        let heads = ["dataset", "row-count", "source", "sql-hash", "rows-hash"];
        let heads: Vec<String> = heads.iter().map(|head| view.word(&format!("report-{head}"))).collect();
        let link = match &document.imprint {
            Imprint::Edition { link, .. } => Some(json!({"text": link, "link": link})),
            Imprint::Live { .. } => None,
        };
        let separator = view.word("report-sentence-separator");
        json!({
            "items": self.footer(),
            "link": link,
            "notices": view.notices(document),
            "marks": format!("{}{separator}{}", view.word("mark-missing"), view.word("rounding-note")),
            "heads": heads,
            "datasets": datasets,
        })
    }

    fn about(&self, key: &str, name: &str) -> String {
        locale::message(self.document.lang, key, &[("name", name.into())])
    }

    fn attach(&mut self, name: String, bytes: Vec<u8>, mime: &str, description: String) {
        let file = self.file(bytes);
        self.attach.push(json!({"name": name, "file": file, "mime": mime, "description": description}));
    }

    /// Rows, statements and evidence.
    fn attach_data(&mut self) -> Result<()> {
        let document = self.document;
        for dataset in &document.datasets {
            let described = self.about("report-print-rows", &dataset.name);
            self.attach(format!("{}.csv", dataset.name), csv::text(dataset).into_bytes(), "text/csv", described);
        }
        for dataset in document.evidence.datasets.iter().filter(|dataset| !dataset.sql.is_empty()) {
            let described = self.about("report-print-sql", &dataset.name);
            let sql = dataset.sql.clone().into_bytes();
            self.attach(format!("{}.sql", dataset.name), sql, "application/sql", described);
        }
        let evidence = serde_json::to_vec_pretty(&data::evidence(document))
            .map_err(|error| crate::error::Error::internal("cannot write the evidence", error))?;
        let described = self.view.word("report-print-evidence");
        self.attach("evidence.json".to_owned(), evidence, "application/json", described);
        Ok(())
    }
}

/// Sheets, from the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paper {
    Portrait,
    Landscape,
    A3,
}

impl Paper {
    fn name(self) -> &'static str {
        if self == Self::A3 { "a3" } else { "a4" }
    }

    /// Of the text.
    fn width(self) -> f64 {
        match self {
            Self::Portrait => PORTRAIT,
            Self::Landscape => LANDSCAPE,
            Self::A3 => A3,
        }
    }

    /// Of the text.
    fn height(self) -> f64 {
        match self {
            Self::Portrait | Self::A3 => 748.0,
            Self::Landscape => 501.0,
        }
    }
}

/// The smallest sheet on which every table and chart is legible.
fn paper(blocks: &[Block]) -> Paper {
    [Paper::Portrait, Paper::Landscape]
        .into_iter()
        .find(|paper| blocks.iter().all(|block| is_legible(block, paper.width(), *paper != Paper::Portrait)))
        .unwrap_or(Paper::A3)
}

/// Charts never ask for A3: they shrink on screens too.
fn is_legible(block: &Block, width: f64, turned: bool) -> bool {
    match block {
        Block::Row(blocks) => blocks.iter().all(|block| is_legible(block, share(width, blocks.len()), turned)),
        Block::Chart(chart) => turned || width / f64::from(chart.drawing.width) >= LEAST_SCALE,
        Block::Table(table) => size(&columns_of(table), width) >= LEAST_TEXT,
        Block::Kpi(_) | Block::Message(_) | Block::Text(_) => true,
    }
}

/// Width of one of several blocks side by side.
fn share(width: f64, parts: usize) -> f64 {
    let parts = parts.max(1) as f64;
    (width - GUTTER * (parts - 1.0)) / parts
}

/// A pixel is three quarters of a point, as everywhere; larger, a chart would shout.
const LARGEST_SCALE: f64 = 0.75;

/// The layout of a chart that is legible in a width.
fn fitting(chart: &Chart, width: f64) -> &Drawing {
    let is_legible = width / f64::from(chart.drawing.width) >= LEAST_SCALE;
    if is_legible || chart.compact.width > chart.drawing.width { &chart.drawing } else { &chart.compact }
}

/// What a column needs, in points.
struct Wide {
    /// Its widest text at [`TABLE_TEXT`].
    text: f64,
    /// Bars and margins, which do not shrink with the text.
    fixed: f64,
}

impl Wide {
    fn at(&self, size: f64) -> f64 {
        self.text * size / TABLE_TEXT + self.fixed
    }
}

/// The size of text at which columns fill a width.
fn size(columns: &[Wide], width: f64) -> f64 {
    let text = columns.iter().map(|column| column.text).sum::<f64>().max(1.0);
    let fixed: f64 = columns.iter().map(|column| column.fixed).sum();
    TABLE_TEXT * (width - fixed) / text
}

fn columns_of(table: &Table) -> Vec<Wide> {
    table
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let head = head_width(&column.label).max(text::width(&column.unit, TABLE_TEXT));
            let cells =
                table.rows.iter().filter_map(|row| row.cells.get(at)).map(|cell| text::width(&cell.text, TABLE_TEXT));
            let bar = if column.bar { BAR } else { 0.0 };
            Wide { text: cells.fold(head, f64::max), fixed: bar + INSET }
        })
        .collect()
}

/// Natural widths of plain rows, in parts of each other.
fn widths(heads: &[String], rows: &[Vec<String>]) -> Vec<f64> {
    heads
        .iter()
        .enumerate()
        .map(|(at, head)| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| text::width(cell, TABLE_TEXT));
            cells.fold(head_width(head), f64::max) + INSET
        })
        .collect()
}

/// Heads break into lines: Latin at spaces, Chinese after half of it.
fn head_width(head: &str) -> f64 {
    let longest = head.split(' ').map(|word| text::width(word, TABLE_TEXT)).fold(0.0, f64::max);
    let (whole, at_most) = (text::width(head, TABLE_TEXT), 8.0 * TABLE_TEXT);
    if head.is_ascii() { longest.max(whole * 0.55) } else { whole.min(at_most) }
}

/// A drawing without what can be pointed at: links inside a picture do not survive, boxes over it do.
fn without_marks(svg: &str) -> String {
    match (svg.find("<g class=\"marks\">"), svg.rfind("</svg>")) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &svg[..from], &svg[to..]),
        _ => svg.to_owned(),
    }
}
