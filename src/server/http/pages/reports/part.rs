//! `/reports/{name}/blocks/{id}` and `/reports/{name}/data/{dataset}`: one chart or table, and the rows of one dataset, by
//! addresses of their own.

use arrow::datatypes::DataType;
use axum::response::Response;
use serde_json::json;

use super::{File, Visit};
use crate::error::{Code, Error, Result};
use crate::locale::{MISSING, Quantity, Value, message};
use crate::model::report;
use crate::report::document::{Block, Cell, Dataset, Table, TableColumn, TableRow, Tone};
use crate::report::format::html::{self, Around, Pager};
use crate::report::format::{self, csv, png};
use crate::report::{Document, draw, value};
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;

/// Forms of a chart, of a table, and of a dataset.
const OF_CHART: &[&str] = &["html", "svg", "png", "csv"];
const OF_TABLE: &[&str] = &["html", "csv"];
const OF_DATASET: &[&str] = &["html", "csv", "xlsx", "parquet", "arrow", "json"];

/// Rows of one page.
const ROWS: usize = 500;

/// Pixels of a picture for each pixel of the drawing.
const DENSITY: u32 = 2;

/// `GET /reports/{name}/blocks/{id}`.
pub(in crate::server::http) async fn block(
    Path((name, id)): Path<(String, String)>,
    visit: Visit,
) -> Result<Response, Failure> {
    let report = visit.report(&name)?;
    let none = || Error::new(Code::NoSuchObject, format!("Report `{name}` has no chart and no table `{id}`."));
    let known = forms(&report.blocks, &id).ok_or_else(none)?;
    let format = visit.format(known)?;
    let document = visit.run(report).await?;
    let whole = document.url(&[]);
    let document = document.into_block(&id).ok_or_else(none)?;
    let here = format!("/blocks/{id}");
    if format == "html" {
        let around = Around {
            action: format!("/reports/{name}{here}"),
            formats: links(&visit, &document, &here, known),
            back: Some(whole),
            rows: None,
            parts: false,
        };
        return visit.page(&document, html::part(&document, &around)?, Vec::new());
    }
    let (bytes, content_type) = match (format, document.blocks.first()) {
        ("svg", Some(Block::Chart(chart))) => (chart.drawing.svg.clone().into_bytes(), "image/svg+xml"),
        ("png", Some(Block::Chart(chart))) => {
            let (svg, width) = (chart.drawing.svg.clone(), chart.drawing.width.saturating_mul(DENSITY));
            let tools = visit.app.services.publisher.tools().clone();
            (draw(move || png::chart_png(&svg, width, &tools)).await?, format::find("png")?.content_type())
        }
        _ => (document.datasets.first().map(csv::file).ok_or_else(none)?, format::find("csv")?.content_type()),
    };
    let save_as = Some((format!("{name}-{id}"), format));
    let file = File { bytes, format, content_type, save_as };
    visit.file(&document, file, json!({"report": name, "block": id})).await
}

/// The forms of a block; `None` where there is no chart and no table of this id.
fn forms(blocks: &[report::Block], id: &str) -> Option<&'static [&'static str]> {
    blocks.iter().find_map(|block| match block {
        report::Block::Row { blocks } => forms(blocks, id),
        report::Block::Chart(chart) if *chart.id == id => Some(OF_CHART),
        report::Block::Table(table) if *table.id == id => Some(OF_TABLE),
        _ => None,
    })
}

/// Links to the other forms of a part, as far as this reader may take it out.
fn links(visit: &Visit, document: &Document, here: &str, known: &[&'static str]) -> Vec<(&'static str, String)> {
    let title = |name: &'static str| match format::find(name) {
        Ok(format) => format.title(),
        Err(_) => "SVG",
    };
    let others = known.iter().copied().filter(|name| *name != "html" && visit.may_export(name).is_ok());
    others.map(|name| (title(name), document.part_url(here, &[("format", name)]))).collect()
}

/// `GET /reports/{name}/data/{dataset}`.
pub(in crate::server::http) async fn data(
    Path((name, dataset)): Path<(String, String)>,
    visit: Visit,
) -> Result<Response, Failure> {
    let report = visit.report(&name)?;
    let none = || Error::new(Code::NoSuchObject, format!("Report `{name}` has no dataset `{dataset}`."));
    if !report.datasets.iter().any(|known| *known.name == dataset) {
        return Err(none().into());
    }
    let format = visit.format(OF_DATASET)?;
    let document = visit.run(report).await?;
    let whole = document.url(&[]);
    let mut document = document.into_dataset(&dataset).ok_or_else(none)?;
    if format != "html" {
        let (form, tools) = (format::find(format)?, visit.app.services.publisher.tools().clone());
        let drawn = document.clone();
        let bytes = draw(move || form.render(&drawn, &tools)).await?;
        let save_as = (format != "json").then(|| (format!("{name}-{dataset}"), form.extension()));
        let file = File { bytes, format, content_type: form.content_type(), save_as };
        return visit.file(&document, file, json!({"report": name, "dataset": dataset})).await;
    }
    let here = format!("/data/{dataset}");
    let rows = document.datasets.first().map_or(0, |dataset| dataset.rows.len());
    let page = page(visit.asked("page"), rows)?;
    let lang = visit.choice.lang;
    document.message = message(lang, "report-rows-of", &[("name", Value::Text(&dataset))]);
    document.blocks = document.datasets.iter().map(|dataset| Block::Table(table(dataset, page))).collect();
    let address = |page: usize| document.part_url(&here, &[("page", &page.to_string())]);
    let last = pages(rows);
    let count = |count: usize| Value::Count(i64::try_from(count).unwrap_or(i64::MAX));
    let (from, to) = ((page - 1) * ROWS + 1, (page * ROWS).min(rows));
    let around = Around {
        action: format!("/reports/{name}{here}"),
        formats: links(&visit, &document, &here, OF_DATASET),
        back: Some(whole),
        rows: (last > 1).then(|| Pager {
            sentence: message(
                lang,
                "report-page-rows",
                &[("from", count(from)), ("to", count(to)), ("of", count(rows))],
            ),
            earlier: (page > 1).then(|| address(page - 1)),
            later: (page < last).then(|| address(page + 1)),
        }),
        parts: false,
    };
    visit.page(&document, html::part(&document, &around)?, Vec::new())
}

/// How many pages so many rows take; one for none.
fn pages(rows: usize) -> usize {
    rows.div_ceil(ROWS).max(1)
}

/// The page that is asked for, from 1.
fn page(asked: Option<&str>, rows: usize) -> Result<usize> {
    let Some(asked) = asked else { return Ok(1) };
    let last = pages(rows);
    asked.parse().ok().filter(|page| (1..=last).contains(page)).ok_or_else(|| {
        let text = format!("parameter `page`: `{asked}` is not allowed; write a number from 1 to {last}");
        Error::new(Code::BadRequest, text)
    })
}

/// A page of a dataset's rows as they are, every digit of them.
fn table(dataset: &Dataset, page: usize) -> Table {
    let column = |(at, name): (usize, &String)| TableColumn {
        column: name.clone(),
        quantity: Quantity::Number,
        label: name.clone(),
        unit: String::new(),
        numeric: dataset.types.get(at).is_some_and(DataType::is_numeric),
        bar: false,
    };
    let cell = |value: &value::Value| Cell {
        text: match value {
            value::Value::Null => MISSING.to_owned(),
            value => value.plain(),
        },
        tone: Tone::Neutral,
        bar: None,
        link: None,
    };
    let shown = dataset.rows.iter().skip((page - 1) * ROWS).take(ROWS);
    Table {
        id: "rows".to_owned(),
        title: dataset.name.clone(),
        message: String::new(),
        dataset: dataset.name.clone(),
        columns: dataset.columns.iter().enumerate().map(column).collect(),
        rows: shown.map(|row| TableRow { total: false, cells: row.iter().map(cell).collect() }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{DataType, ROWS, page, pages, table};
    use crate::report::document::Dataset;
    use crate::report::value::{Number, Value};

    #[test]
    fn pages_are_counted_from_one() {
        assert_eq!((pages(0), pages(1), pages(ROWS), pages(ROWS + 1)), (1, 1, 1, 2));
        assert_eq!(page(None, 0).unwrap(), 1);
        assert_eq!(page(Some("2"), ROWS + 1).unwrap(), 2);
        for wrong in ["0", "3", "-1", "x", "1.0", "99999999999999999999"] {
            let error = page(Some(wrong), ROWS + 1).unwrap_err();
            assert_eq!(
                error.message(),
                format!("parameter `page`: `{wrong}` is not allowed; write a number from 1 to 2")
            );
        }
    }

    #[test]
    fn a_page_holds_its_rows_as_they_are() {
        let row = |at: usize| {
            let number = Number::parse(&format!("{at}.50")).unwrap();
            vec![if at == 0 { Value::Null } else { Value::Text(format!("r{at}")) }, Value::Number(number)]
        };
        let dataset = Dataset {
            name: "rows".into(),
            columns: ["name", "amount"].map(str::to_owned).into(),
            types: vec![DataType::Utf8, DataType::Decimal128(18, 2)],
            rows: (0..=ROWS).map(row).collect(),
        };
        let first = table(&dataset, 1);
        assert_eq!((first.rows.len(), first.rows[0].cells[0].text.as_str()), (ROWS, "–"));
        assert_eq!(first.columns.iter().map(|column| column.numeric).collect::<Vec<_>>(), [false, true]);
        let second = table(&dataset, 2);
        assert_eq!(second.rows.len(), 1);
        assert_eq!(second.rows[0].cells[0].text, format!("r{ROWS}"));
        assert_eq!(second.rows[0].cells[1].text, format!("{ROWS}.50"));
    }
}
