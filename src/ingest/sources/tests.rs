use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::{RawBatch, SourceFile, source};
use crate::error::{Code, Result};
use crate::model::Located;
use crate::model::feed::{Control, FeedColumn, FeedFile};

fn name(text: &str) -> Located<String> {
    Located { value: text.to_owned(), ..Located::default() }
}

fn column(text: &str) -> FeedColumn {
    FeedColumn { name: name(text), to: name(text), data_type: None, format: None, ignore: false, codes: None }
}

fn file(path: PathBuf, format: &str, columns: &[&str]) -> SourceFile {
    let feed = FeedFile {
        path: name("data"),
        format: name(format),
        delimiter: ',',
        null_values: vec![String::new()],
        table: name("fact"),
        columns: columns.iter().map(|text| column(text)).collect(),
        constants: Vec::new(),
        sha256: None,
        control: Control::default(),
    };
    SourceFile { path, feed }
}

/// One row: line, cells, why it is malformed.
type Row = (u64, Vec<Option<String>>, Option<String>);

fn read(file: &SourceFile) -> Result<Vec<Row>> {
    let source = source(&file.feed.format).unwrap();
    let mut rows = Vec::new();
    source.read(file, &mut |batch: RawBatch| {
        let raw: Vec<String> = source.raw(file, batch.rows()).unwrap();
        for (row, raw) in raw.iter().enumerate() {
            assert_eq!(batch.raw(row, file), *raw, "read again, a row is what it was");
            let cells = (0..file.feed.columns.len())
                .map(|column| batch.cell(row, column).map(|cell| String::from_utf8_lossy(cell).into_owned()));
            let malformed = batch.malformed().iter().find(|(at, _)| *at == row).map(|(_, why)| why.clone());
            rows.push((batch.rows()[row].line, cells.collect(), malformed));
        }
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

fn text(content: &[u8], format: &str, columns: &[&str]) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    std::fs::write(&path, content).unwrap();
    read(&file(path, format, columns))
}

fn some(cells: &[&str]) -> Vec<Option<String>> {
    cells.iter().map(|cell| Some((*cell).to_owned())).collect()
}

#[test]
fn csv_rows_know_their_physical_line() {
    let content = b"\xEF\xBB\xBFa,b\r\n1,2\r\n\"x\ny\",\"say \"\"hi\"\"\"\r\n\r\n3,\"4\"\n,\n5,6";
    let rows = text(content, "csv", &["b", "a"]).unwrap();
    assert_eq!(
        rows,
        vec![
            (2, some(&["2", "1"]), None),
            (3, some(&["say \"hi\"", "x\ny"]), None),
            (6, some(&["4", "3"]), None),
            (7, some(&["", ""]), None),
            (8, some(&["6", "5"]), None),
        ],
        "in the feed's order; a quoted line break counts, a blank line is no row"
    );
}

#[test]
fn csv_rows_of_a_wrong_form_are_kept_with_their_reason() {
    let rows = text(b"a,b\n1\n1,2,3\n\"1\"x,2\n3,4\n", "csv", &["a", "b"]).unwrap();
    let reasons: Vec<_> = rows.iter().map(|row| (row.0, row.2.as_deref())).collect();
    assert_eq!(
        reasons,
        [
            (2, Some("has 1 fields, the header 2")),
            (3, Some("has 3 fields, the header 2")),
            (4, Some("text stands behind the closing quote of field 1")),
            (5, None),
        ]
    );
    assert_eq!(rows[3].1, some(&["3", "4"]));
}

#[test]
fn an_open_quote_is_an_error_with_its_line() {
    let error = text(b"a,b\n1,2\n3,\"four\n5,6\n", "csv", &["a", "b"]).unwrap_err();
    assert_eq!(error.code(), Code::Feed);
    assert!(error.message().starts_with("data: line 3: a quote opens here and is not closed"), "{error}");
}

#[test]
fn all_faults_of_a_header_are_named() {
    let error = text(b"a,c,a\n", "csv", &["a", "b"]).unwrap_err();
    assert_eq!(
        error.message(),
        "data: line 1: column 2 `c` is not named in the feed: add it, or `ignore: true`; column 3 `a` stands twice; the \
         column `b` that the feed names is missing"
    );
    let error = text(b"", "csv", &["a"]).unwrap_err();
    assert!(error.message().contains("first line must name the columns"), "{error}");
}

#[test]
fn csv_records_may_be_cut_anywhere_by_a_chunk() {
    // Records of about a kilobyte around several chunk borders, with quotes, doubled quotes and line breaks.
    let mut content = String::from("n,t\n");
    let (mut lines, mut line) = (Vec::new(), 2);
    for number in 0..4000 {
        lines.push(line);
        let filler = "x".repeat(number % 997);
        content.push_str(&format!("{number},\"{filler}\"\"{filler}\n{number}\"\r\n"));
        line += 2;
    }
    let rows = text(content.as_bytes(), "csv", &["n", "t"]).unwrap();
    assert_eq!(rows.len(), 4000);
    for (number, row) in rows.iter().enumerate() {
        let filler = "x".repeat(number % 997);
        assert_eq!(row.0, lines[number]);
        assert_eq!(row.1, some(&[&number.to_string(), &format!("{filler}\"{filler}\n{number}")]));
    }
}

#[test]
fn ndjson_values_are_taken_as_written() {
    let content = concat!(
        "{\"a\": 12345678901234567.89, \"b\": \"x\\u4e2d\\n\"}\n",
        "\n",
        "{\"b\": null, \"a\": true}\r\n",
        "{\"a\": 1}\n",
        "[1, 2]\n",
        "{\"a\": 1, \"a\": 2}\n",
        "{\"a\": {\"b\": 1}}\n",
        "{\"a\": \"plain\"",
    );
    let rows = text(content.as_bytes(), "ndjson", &["a", "b"]).unwrap();
    assert_eq!(rows[0], (1, some(&["12345678901234567.89", "x中\n"]), None));
    assert_eq!(rows[1], (3, vec![Some("true".into()), None], None));
    assert_eq!(rows[2], (4, vec![Some("1".into()), None], None));
    let reasons: Vec<_> = rows[3..].iter().map(|row| (row.0, row.2.clone().unwrap())).collect();
    assert!(reasons[0].1.starts_with("is not a JSON object"), "{reasons:?}");
    assert_eq!(reasons[1], (6, "names `a` twice".to_owned()));
    assert_eq!(reasons[2], (7, "`a` holds an object or a list".to_owned()));
    assert!(reasons[3].0 == 8 && reasons[3].1.starts_with("is not a JSON object"), "{reasons:?}");

    let error = text(b"{\"a\": 1}\n{\"c\": 1}\n", "ndjson", &["a"]).unwrap_err();
    assert!(error.message().contains("line 2: the column `c` is not named in the feed"), "{error}");
    let error = text(b"{\"a\": 1}\n", "ndjson", &["a", "b"]).unwrap_err();
    assert!(error.message().contains("no object has the column `b`"), "{error}");
}

#[test]
fn parquet_values_become_exact_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let amounts = Decimal128Array::from(vec![Some(1_999_999_999_999_999_999), None, Some(-5)]);
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("amount", Arc::new(amounts.with_precision_and_scale(20, 2).unwrap()) as _, true),
        ("day", Arc::new(Date32Array::from(vec![0, 20_422, -1])) as _, true),
        ("text", Arc::new(StringArray::from(vec![Some(""), Some("中"), None])) as _, true),
        ("rate", Arc::new(Float64Array::from(vec![0.1, 1e-9, 2.0])) as _, true),
        ("number", Arc::new(Int64Array::from(vec![1, 2, 3])) as _, true),
    ])
    .unwrap();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let rows = read(&file(path.clone(), "parquet", &["number", "amount", "day", "text", "rate"])).unwrap();
    assert_eq!(rows[0], (1, some(&["1", "19999999999999999.99", "1970-01-01", "", "0.1"]), None));
    assert_eq!(rows[1].1[1..4], [None, Some("2025-11-30".to_owned()), Some("中".to_owned())]);
    assert_eq!(rows[2].1[1], Some("-0.05".to_owned()));

    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let error = read(&file(path.clone(), "parquet", &["number", "amount", "day", "text", "rate"])).unwrap_err();
    assert_eq!(error.code(), Code::Feed);
    assert!(error.message().contains("data: is no readable Parquet file; it may be cut short"), "{error}");

    std::fs::write(&path, &whole).unwrap();
    let error = read(&file(path, "parquet", &["number", "amount"])).unwrap_err();
    assert!(error.message().contains("column 2 `day` is not named in the feed"), "{error}");
}
