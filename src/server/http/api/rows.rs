//! Record batches as bytes, piece by piece: JSON, CSV or an Arrow IPC stream.
//!
//! Figures stay exact. JSON has numbers for integers and floats only; decimals are strings, because most readers would make
//! floats of them. In CSV text that a spreadsheet would run as a formula gets a leading apostrophe; numbers never do.

use std::fmt::Write;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use arrow::ipc::writer::StreamWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::Deserialize;
use serde_json::json;

use crate::error::{Error, Result};

/// A format of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::server::http) enum Format {
    #[default]
    Json,
    Csv,
    Arrow,
}

impl Format {
    /// As a request names it.
    pub(in crate::server::http) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Arrow => "arrow",
        }
    }

    pub(in crate::server::http) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    /// The name under which a browser keeps it; none: it is shown.
    pub(in crate::server::http) fn file_name(self) -> Option<&'static str> {
        match self {
            Self::Json => None,
            Self::Csv => Some("rows.csv"),
            Self::Arrow => Some("rows.arrows"),
        }
    }
}

/// Turns the batches of one answer into bytes, in order: `begin`, `rows` for each batch, `end`.
pub(in crate::server::http) enum Encoder {
    Json { columns: Vec<Column>, about: serde_json::Value, rows: u64 },
    Csv { columns: Vec<Column> },
    Arrow { writer: Box<StreamWriter<Vec<u8>>> },
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encoder")
    }
}

/// A column and how its cells are written.
#[derive(Debug)]
pub(in crate::server::http) struct Column {
    /// Unique among the columns.
    name: String,
    kind: &'static str,
    cell: Cell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// Integers and booleans: as they print.
    Plain,
    /// Floats: what JSON has no number for is null.
    Float,
    /// Text of somebody's data.
    Text,
    /// Decimals, dates, times and the rest: text that we make ourselves.
    Exact,
}

impl Encoder {
    /// `about` are the members that stand before the rows in JSON.
    pub(in crate::server::http) fn new(format: Format, schema: &SchemaRef, about: serde_json::Value) -> Result<Self> {
        Ok(match format {
            Format::Json => Self::Json { columns: columns(schema), about, rows: 0 },
            Format::Csv => Self::Csv { columns: columns(schema) },
            Format::Arrow => {
                Self::Arrow { writer: Box::new(StreamWriter::try_new(Vec::new(), schema).map_err(broken)?) }
            }
        })
    }

    pub(in crate::server::http) fn begin(&mut self) -> Result<Vec<u8>> {
        match self {
            Self::Json { columns, about, .. } => {
                about["columns"] = columns.iter().map(|c| json!({"name": c.name, "type": c.kind})).collect();
                let mut text = about.to_string();
                text.pop(); // its closing brace
                text.push_str(",\"rows\":[");
                Ok(text.into_bytes())
            }
            Self::Csv { columns } => {
                let mut text = String::new();
                for (at, column) in columns.iter().enumerate() {
                    separate(&mut text, at);
                    csv_text(&mut text, &column.name);
                }
                text.push_str("\r\n");
                Ok(text.into_bytes())
            }
            Self::Arrow { writer } => Ok(std::mem::take(writer.get_mut())),
        }
    }

    pub(in crate::server::http) fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        match self {
            Self::Json { columns, rows, .. } => {
                let text = json_rows(columns, batch, *rows == 0)?;
                *rows += batch.num_rows() as u64;
                Ok(text.into_bytes())
            }
            Self::Csv { columns } => csv_rows(columns, batch).map(String::into_bytes),
            Self::Arrow { writer } => {
                writer.write(batch).map_err(broken)?;
                Ok(std::mem::take(writer.get_mut()))
            }
        }
    }

    pub(in crate::server::http) fn end(&mut self) -> Result<Vec<u8>> {
        match self {
            Self::Json { rows, .. } => Ok(format!("],\"row_count\":{rows}}}\n").into_bytes()),
            Self::Csv { .. } => Ok(Vec::new()),
            Self::Arrow { writer } => {
                writer.finish().map_err(broken)?;
                Ok(std::mem::take(writer.get_mut()))
            }
        }
    }
}

fn broken(cause: arrow::error::ArrowError) -> Error {
    Error::internal("Rows cannot be written.", cause)
}

fn columns(schema: &SchemaRef) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        // A JSON object has a name once; `SELECT a.id, b.id` has it twice.
        let mut name = field.name().clone();
        let mut n = 1;
        while columns.iter().any(|column| column.name == name) {
            n += 1;
            name = format!("{}_{n}", field.name());
        }
        columns.push(Column { name, kind: type_name(field.data_type()), cell: cell(field.data_type()) });
    }
    columns
}

/// The name of a type in this interface.
pub(in crate::server::http) fn type_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Dictionary(_, value) => type_name(value),
        DataType::Boolean => "boolean",
        t if t.is_integer() => "integer",
        t if t.is_floating() => "float",
        t if t.is_decimal() => "decimal",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Timestamp(
            TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond | TimeUnit::Nanosecond,
            _,
        ) => "timestamp",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        DataType::Null => "null",
        _ => "other",
    }
}

fn cell(data_type: &DataType) -> Cell {
    match type_name(data_type) {
        "boolean" | "integer" => Cell::Plain,
        "float" => Cell::Float,
        "decimal" | "date" | "timestamp" => Cell::Exact,
        _ => Cell::Text,
    }
}

fn formatters<'a>(batch: &'a RecordBatch, options: &'a FormatOptions<'a>) -> Result<Vec<ArrayFormatter<'a>>> {
    batch.columns().iter().map(|array| ArrayFormatter::try_new(array.as_ref(), options).map_err(broken)).collect()
}

/// Errors of a cell are errors of the answer: a cell that cannot be shown must not become text that looks like one.
const OPTIONS: FormatOptions<'static> = FormatOptions::new().with_display_error(false);

fn json_rows(columns: &[Column], batch: &RecordBatch, mut first: bool) -> Result<String> {
    let formatters = formatters(batch, &OPTIONS)?;
    let keys: Vec<String> = columns.iter().map(|column| json!(column.name).to_string()).collect();
    let mut text = String::with_capacity(batch.num_rows() * columns.len() * 24);
    let mut value = String::new();
    for row in 0..batch.num_rows() {
        text.push_str(if first { "\n{" } else { ",\n{" });
        first = false;
        for (at, column) in columns.iter().enumerate() {
            separate(&mut text, at);
            text.push_str(&keys[at]);
            text.push(':');
            if batch.column(at).is_null(row) {
                text.push_str("null");
                continue;
            }
            value.clear();
            formatters[at].value(row).write(&mut value).map_err(broken)?;
            match column.cell {
                Cell::Plain => text.push_str(&value),
                Cell::Float if value.ends_with(|c: char| c.is_ascii_digit()) => text.push_str(&value),
                Cell::Float => text.push_str("null"), // NaN, inf
                Cell::Exact | Cell::Text => {
                    let _ = write!(text, "{}", json!(value));
                }
            }
        }
        text.push('}');
    }
    Ok(text)
}

fn csv_rows(columns: &[Column], batch: &RecordBatch) -> Result<String> {
    let formatters = formatters(batch, &OPTIONS)?;
    let mut text = String::with_capacity(batch.num_rows() * columns.len() * 16);
    let mut value = String::new();
    for row in 0..batch.num_rows() {
        for (at, column) in columns.iter().enumerate() {
            separate(&mut text, at);
            if batch.column(at).is_null(row) {
                continue;
            }
            value.clear();
            formatters[at].value(row).write(&mut value).map_err(broken)?;
            match column.cell {
                Cell::Text => csv_text(&mut text, &value),
                Cell::Plain | Cell::Float | Cell::Exact => text.push_str(&value),
            }
        }
        text.push_str("\r\n");
    }
    Ok(text)
}

fn separate(text: &mut String, at: usize) {
    if at > 0 {
        text.push(',');
    }
}

/// RFC 4180. An empty text is quoted, which tells it from no value.
fn csv_text(text: &mut String, value: &str) {
    let guard = if value.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if value.is_empty() || value.contains(['"', ',', '\n', '\r']) {
        let _ = write!(text, "\"{guard}{}\"", value.replace('"', "\"\""));
    } else {
        let _ = write!(text, "{guard}{value}");
    }
}
