//! Parameters of statements: `?` in the text, and the rows that clients bind.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UnionArray};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use bytes::Bytes;

use super::encode::sql_type;
use crate::error::{Code, Error, Result};
use crate::query::{Misfit, exact};

/// Rows that one statement may be bound to; it runs once for each.
pub(super) const MAX_ROWS: usize = 1_000;

/// Bytes that the bound rows may take: they travel inside the handle.
pub(super) const MAX_BYTES: usize = 256 << 10;

/// What a look at a statement's tokens says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scan {
    /// The statement with `?` numbered as `$1`, `$2` and so on.
    pub sql: String,
    /// An `ORDER BY` stands outside all brackets: the result is ordered.
    pub ordered: bool,
}

/// Numbers the `?` of a statement. Text in quotes and comments is left alone.
pub(super) fn scan(sql: &str) -> Result<Scan> {
    let mut out = String::with_capacity(sql.len() + 8);
    let (mut marks, mut dollars, mut depth, mut ordered, mut order) = (0_usize, 0_usize, 0_i32, false, false);
    let bracketed = sql.trim_start().starts_with('(');
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let mut word = "";
        let length = match first {
            '\'' => quoted(rest, '\'', false),
            '"' | '`' => quoted(rest, first, false),
            '-' if rest.starts_with("--") => rest.find('\n').map_or(rest.len(), |end| end + 1),
            '/' if rest.starts_with("/*") => comment(rest),
            '$' => match dollar(rest) {
                Dollar::Text(length) => length,
                Dollar::Parameter(length) => {
                    dollars += 1;
                    length
                }
                Dollar::Other => 1,
            },
            '?' => {
                marks += 1;
                out.push('$');
                out.push_str(&marks.to_string());
                rest = &rest[1..];
                continue;
            }
            _ if begins_word(first) => {
                let end = rest.find(|c: char| !(begins_word(c) || c.is_ascii_digit() || c == '$'));
                let end = end.unwrap_or(rest.len());
                word = &rest[..end];
                // E'…' is the one kind of text with backslashes.
                if word.eq_ignore_ascii_case("e") && rest[end..].starts_with('\'') {
                    end + quoted(&rest[end..], '\'', true)
                } else {
                    end
                }
            }
            _ => {
                depth += i32::from(first == '(') - i32::from(first == ')');
                first.len_utf8()
            }
        };
        // In a statement that stands in brackets as a whole the order is inside them.
        if (depth == 0 || bracketed) && !word.is_empty() {
            ordered |= order && word.eq_ignore_ascii_case("by");
            order = word.eq_ignore_ascii_case("order");
        }
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    if marks > 0 && dollars > 0 {
        return Err(Error::new(Code::BadRequest, "Write parameters as `?` or as `$1`, not both in one statement"));
    }
    Ok(Scan { sql: out, ordered })
}

fn begins_word(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

/// Length of the quoted text at the start of `text`; a doubled quote stands for itself. Text that does not end is left to
/// the parser, which says where it began.
fn quoted(text: &str, quote: char, backslashes: bool) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if backslashes && c == '\\' {
            characters.next();
        } else if c == quote {
            if characters.peek().is_some_and(|(_, next)| *next == quote) {
                characters.next();
            } else {
                return at + c.len_utf8();
            }
        }
    }
    text.len()
}

/// Length of the comment at the start of `text`; comments nest.
fn comment(text: &str) -> usize {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 {
        let rest = &text[at..];
        let (Some(open), Some(close)) = (rest.find("/*").or(Some(usize::MAX)), rest.find("*/")) else {
            return text.len();
        };
        if open < close {
            depth += 1;
            at += open + 2;
        } else {
            depth -= 1;
            at += close + 2;
        }
    }
    at
}

enum Dollar {
    /// `$$ … $$` or `$tag$ … $tag$`, with its length.
    Text(usize),
    /// `$1` or `$name`, with its length.
    Parameter(usize),
    Other,
}

fn dollar(text: &str) -> Dollar {
    let name = text[1..].find(|c: char| !(begins_word(c) || c.is_ascii_digit())).unwrap_or(text.len() - 1);
    let tag = &text[..=name];
    let numbered = tag[1..].starts_with(|c: char| c.is_ascii_digit());
    if !numbered && text[tag.len()..].starts_with('$') {
        let tag = &text[..tag.len() + 1];
        return Dollar::Text(text[tag.len()..].find(tag).map_or(text.len(), |end| end + 2 * tag.len()));
    }
    if name == 0 { Dollar::Other } else { Dollar::Parameter(tag.len()) }
}

/// The parameters of a statement as clients see them: nullable, and text where the plan leaves the type open. Numbers that
/// the statement skips are parameters too, because clients bind by position.
pub(super) fn announced(schema: &Schema) -> SchemaRef {
    let number = |field: &Field| bare(field.name()).parse::<usize>().ok();
    let plain = |field: &Field| {
        let data_type = if *field.data_type() == DataType::Null { &DataType::Utf8 } else { field.data_type() };
        Field::new(field.name(), data_type.clone(), true)
    };
    let mut fields: Vec<Field> = schema.fields().iter().map(|field| plain(field)).collect();
    if let Some(numbers) = fields.iter().map(number).collect::<Option<Vec<_>>>() {
        let skipped = (1..=numbers.iter().copied().max().unwrap_or(0)).filter(|number| !numbers.contains(number));
        fields.extend(skipped.map(|number| Field::new(number.to_string(), DataType::Utf8, true)));
        fields.sort_by_key(number);
    }
    Arc::new(Schema::new(fields))
}

/// A parameter's name without its sign.
fn bare(name: &str) -> &str {
    name.trim_start_matches('$')
}

/// The rows a client has bound, with the statement's own parameter names and types. Columns match by name where the
/// statement has names and the client uses them, by position otherwise.
pub(super) fn fit(rows: &RecordBatch, parameters: &SchemaRef) -> Result<RecordBatch> {
    let (given, wanted) = (rows.num_columns(), parameters.fields().len());
    if given != wanted {
        return Err(Error::new(
            Code::BadRequest,
            format!("The statement has {wanted} parameters, and {given} are bound"),
        ));
    }
    let by_name: Option<Vec<usize>> = parameters
        .fields()
        .iter()
        .map(|field| {
            let name = bare(field.name());
            let named = name.starts_with(begins_word);
            rows.schema_ref().fields().iter().position(|given| named && bare(given.name()) == name)
        })
        .collect();
    let order = by_name.unwrap_or_else(|| (0..given).collect());
    let columns = parameters.fields().iter().zip(order).map(|(field, at)| plain(rows.column(at), field));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(parameters), columns, &options)
        .map_err(|fault| Error::internal("Cannot take the bound parameters", fault))
}

/// A bound column in the parameter's type, each value exactly. Dense unions are how some clients send values of any type.
fn plain(column: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    let take = |array: &ArrayRef| {
        let refuse = |misfit: Misfit| misfit.error(bare(field.name()), &type_name(field.data_type()));
        exact(array, field.data_type()).map_err(refuse)
    };
    let Some(union) = column.as_any().downcast_ref::<UnionArray>() else { return take(column) };
    let values: Vec<ArrayRef> = (0..union.len()).map(|row| take(&union.value(row))).collect::<Result<_>>()?;
    concat(&values.iter().map(AsRef::as_ref).collect::<Vec<_>>())
        .map_err(|fault| Error::internal("Cannot join the bound parameters", fault))
}

/// A wire type as it is written in SQL, `DECIMAL(18, 2)`.
fn type_name(kind: &DataType) -> String {
    match (sql_type(kind), kind) {
        ((name, Some(precision), Some(scale)), DataType::Decimal128(..)) => format!("{name}({precision}, {scale})"),
        ((name, ..), _) => name.to_owned(),
    }
}

/// Bound rows as they travel in a handle.
pub(super) fn to_bytes(rows: &RecordBatch) -> Result<Bytes> {
    let write = || {
        let mut writer = StreamWriter::try_new(Vec::new(), rows.schema_ref())?;
        writer.write(rows)?;
        writer.into_inner()
    };
    let bytes = write().map_err(|fault| Error::internal("Cannot keep the bound parameters", fault))?;
    if bytes.len() > MAX_BYTES {
        return Err(Error::new(
            Code::Limit,
            format!("The bound parameters take more than {} KiB; bind fewer rows at a time", MAX_BYTES >> 10),
        ));
    }
    Ok(bytes.into())
}

/// The rows of a handle, one batch for each execution; none when nothing is bound.
pub(super) fn from_bytes(bytes: &Bytes) -> Result<Vec<RecordBatch>> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let read = || {
        let batches = StreamReader::try_new(bytes.as_ref(), None)?;
        let mut rows = Vec::new();
        for batch in batches {
            let batch = batch?;
            rows.extend((0..batch.num_rows()).map(|row| batch.slice(row, 1)));
        }
        Ok::<_, arrow::error::ArrowError>(rows)
    };
    read().map_err(|fault| Error::internal("Cannot read the bound parameters", fault))
}

#[cfg(test)]
mod tests;
