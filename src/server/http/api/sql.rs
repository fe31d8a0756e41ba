//! `POST /api/sql`: one statement, its rows as a stream.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{Schema, SchemaRef};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::rows::{Encoder, Format};
use crate::auth::hex;
use crate::catalog::Catalog;
use crate::error::{Code, Error, Result};
use crate::query::{Face, History, ResultCache, Rollups, Statement, exact};
use crate::server::http::error::Failure;
use crate::server::http::session::Caller;
use crate::server::http::{App, Correlation};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    sql: String,
    #[serde(default)]
    format: Format,
    /// Values of `$1`, `$2` ..., numbers as they are written.
    #[serde(default)]
    parameters: Vec<Box<RawValue>>,
    /// Schema of unqualified tables; the caller's own unless stated.
    schema: Option<String>,
    /// The head unless stated.
    snapshot: Option<i64>,
    /// `on` (unless stated), `off`, or the only rollup that may answer.
    rollups: Option<String>,
    /// Whether a kept result may answer.
    #[serde(default)]
    cache: ResultCache,
    /// `as_is`, `as_was` or a date; the cube's default unless stated.
    history: Option<String>,
}

/// The handler.
pub(in crate::server::http) async fn run(
    State(app): State<App>,
    caller: Caller,
    Extension(correlation): Extension<Correlation>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    if !app.services.door.may_query(&caller.principal) {
        return Err(Error::new(Code::Denied, "Your roles open reports; they do not allow SQL of your own.").into());
    }
    let request = parse(&headers, body)?;
    let door = &app.services.door;
    door.may_export(&caller.principal, Face::Http, request.format.name())?;
    let statement = Statement {
        schema: request.schema,
        snapshot: request.snapshot,
        rollups: request.rollups.as_deref().map(Rollups::from).unwrap_or_default(),
        cache: request.cache,
        history: request.history.as_deref().map(reading).transpose()?,
        ..Statement::new(request.sql)
    };
    let prepared = door.prepare(&caller.principal, Face::Http, statement).await?;
    let expected = prepared.parameter_schema();
    let prepared = match bind(&expected, &request.parameters)? {
        Some(values) => prepared.bind(values).await?,
        None => prepared,
    };
    let answer = door.run(prepared).await?;

    // The first batch is taken before the status is sent, so that a statement that fails at once fails as an answer. After that
    // an error can only cut the connection, which every client notices: a document without its end is none.
    let mut rows = answer.rows.fuse();
    let first = rows.next().await.transpose()?;
    let about = json!({
        "query_id": answer.query_id,
        "snapshot_id": answer.snapshot_id,
        "provenance": answer.provenance,
    });
    let encoder = Encoder::new(request.format, &answer.schema, about)?;
    let rows = stream::iter(first.map(Ok)).chain(rows).boxed();
    let export = Export {
        catalog: app.services.catalog.clone(),
        principal: caller.principal.name.clone(),
        query_id: answer.query_id.clone(),
        format: request.format.name(),
        hash: Sha256::new(),
        bytes: 0,
    };
    let body = Body::from_stream(bytes_of(encoder, rows, export, correlation));

    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(request.format.content_type()));
    if let Some(name) = request.format.file_name() {
        let value = format!("attachment; filename=\"{name}\"");
        headers.insert(CONTENT_DISPOSITION, header(&value)?);
    }
    headers.insert("x-query-id", header(&answer.query_id)?);
    headers.insert("x-snapshot-id", HeaderValue::from(answer.snapshot_id));
    headers.insert("x-rollup", header(&rollups(&answer.provenance))?);
    headers.insert("x-cache", header(answer.provenance["cache"].as_str().unwrap_or_default())?);
    Ok(response)
}

fn parse(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Request, Failure> {
    let bad = |message: String| Error::new(Code::BadRequest, message);
    let is_json = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
    });
    if !is_json {
        // A form of another site can be posted without asking first, JSON cannot.
        let failure = Failure::new(bad("Send the statement as `Content-Type: application/json`.".to_owned()));
        return Err(failure.status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let body = body.map_err(|rejection| {
        Failure::new(bad("The request body is larger than 1 MiB or broke off.".to_owned())).status(rejection.status())
    })?;
    serde_json::from_slice(&body).map_err(|e| bad(format!("The request is not valid: {e}.")).into())
}

fn reading(text: &str) -> Result<History> {
    text.parse().map_err(|message: String| Error::new(Code::BadRequest, format!("The {message}.")))
}

/// The values in the types that the statement expects; none when it takes none.
fn bind(expected: &SchemaRef, values: &[Box<RawValue>]) -> Result<Option<RecordBatch>> {
    let bad = |message: String| Error::new(Code::BadRequest, message);
    if expected.fields().len() != values.len() {
        return Err(bad(format!(
            "The statement takes {} parameters, {} were sent.",
            expected.fields().len(),
            values.len()
        )));
    }
    if values.is_empty() {
        return Ok(None);
    }
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(values.len());
    for field in expected.fields() {
        // By its number, because `$10` stands before `$2` in some orders.
        let name = field.name().trim_start_matches('$');
        let number = name.parse::<usize>().ok();
        let value = number.and_then(|n| values.get(n.checked_sub(1)?)).ok_or_else(|| {
            bad(format!("Parameters are written `$1` to `${}`; the statement has `{}`.", values.len(), field.name()))
        })?;
        let kind = super::rows::type_name(field.data_type());
        let text = text(value).ok_or_else(|| bad(format!("A value of the parameter `${name}` is not a {kind}")))?;
        let text: ArrayRef = Arc::new(StringArray::from(vec![text]));
        columns.push(exact(&text, field.data_type()).map_err(|misfit| misfit.error(name, kind))?);
    }
    // Nullable whatever the plan says: a null is a value that the caller may send.
    let fields: Vec<_> = expected.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields)),
        columns,
        &RecordBatchOptions::new().with_row_count(Some(1)),
    )
    .map(Some)
    .map_err(|e| Error::internal("Parameters cannot be bound.", e))
}

/// A value as text, of a number all digits that were sent; `Some(None)` for null, and none for a list or an object.
fn text(value: &RawValue) -> Option<Option<String>> {
    let written = value.get();
    match written.as_bytes().first()? {
        b'[' | b'{' => None,
        b'"' => serde_json::from_str(written).ok().map(Some),
        b'n' => Some(None),
        _ => Some(Some(written.to_owned())),
    }
}

/// What leaves as a file: its hash is in the audit log before its last byte leaves, so that a copy that turns up somewhere can
/// be told from one that was changed.
struct Export {
    catalog: Catalog,
    principal: String,
    query_id: String,
    format: &'static str,
    hash: Sha256,
    bytes: u64,
}

impl Export {
    fn add(&mut self, piece: &[u8]) {
        self.hash.update(piece);
        self.bytes += piece.len() as u64;
    }

    async fn record(&self) -> Result<()> {
        let sha256 = hex(&self.hash.clone().finalize());
        let detail = json!({"query_id": self.query_id, "format": self.format, "bytes": self.bytes, "sha256": sha256});
        self.catalog.audit("export", &self.principal, detail).await
    }
}

enum Step {
    Begin,
    Rows,
    End,
    Done,
}

/// The answer's bytes, one piece per batch. Dropping it, as when the client leaves, drops the rows and so cancels the statement.
fn bytes_of(
    encoder: Encoder,
    rows: BoxStream<'static, Result<RecordBatch>>,
    export: Export,
    correlation: Correlation,
) -> impl futures::Stream<Item = Result<Bytes, Error>> + Send {
    let state = (encoder, rows, export, correlation, Step::Begin);
    stream::unfold(state, |(mut encoder, mut rows, mut export, correlation, mut step)| async move {
        let mut piece = loop {
            match step {
                Step::Begin => {
                    step = Step::Rows;
                    break encoder.begin();
                }
                Step::Rows => match rows.next().await {
                    Some(Ok(batch)) if batch.num_rows() == 0 => {}
                    Some(Ok(batch)) => break encoder.rows(&batch),
                    Some(Err(error)) => break Err(error),
                    None => step = Step::End,
                },
                Step::End => {
                    step = Step::Done;
                    break encoder.end();
                }
                Step::Done => return None,
            }
        };
        if let Ok(bytes) = &piece {
            export.add(bytes);
            if matches!(step, Step::Done) {
                piece = export.record().await.and(piece);
            }
        }
        if let Err(error) = &piece {
            tracing::error!(correlation_id = correlation.0, ?error, "an answer broke off");
            step = Step::Done;
        }
        Some((piece.map(Bytes::from), (encoder, rows, export, correlation, step)))
    })
}

fn rollups(provenance: &Value) -> String {
    let used = provenance["rollups"]["used"].as_array();
    let names: Vec<&str> = used.into_iter().flatten().filter_map(Value::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn header(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|e| Error::internal("An answer's header cannot be written.", e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, Date32Array, Decimal128Array, Int64Array};
    use arrow::datatypes::{DataType, Field};

    fn sent(list: &str) -> Vec<Box<RawValue>> {
        serde_json::from_str(list).unwrap()
    }

    fn expected(types: &[(&str, DataType)]) -> SchemaRef {
        Arc::new(Schema::new(types.iter().map(|(name, t)| Field::new(*name, t.clone(), false)).collect::<Vec<_>>()))
    }

    #[test]
    fn parameters_take_the_types_the_statement_expects() {
        let schema = expected(&[
            ("$10", DataType::Utf8),
            ("$2", DataType::Decimal128(18, 2)),
            ("$1", DataType::Date32),
            ("$3", DataType::Int64),
        ]);
        let bad = bind(&schema, &sent(r#"["2025-11-30", 1]"#)).unwrap_err();
        assert_eq!(bad.code(), Code::BadRequest);
        let schema =
            expected(&[("$2", DataType::Decimal128(18, 2)), ("$1", DataType::Date32), ("$3", DataType::Int64)]);
        let row = bind(&schema, &sent(r#"["2025-11-30", "12345678901234.56", null]"#)).unwrap().unwrap();
        let decimal = row.column(0).as_any().downcast_ref::<Decimal128Array>().unwrap();
        assert_eq!(decimal.value(0), 1_234_567_890_123_456);
        assert_eq!(row.column(1).as_any().downcast_ref::<Date32Array>().unwrap().value(0), 20_422);
        assert!(row.column(2).as_any().downcast_ref::<Int64Array>().unwrap().is_null(0));
        for wrong in [r#"["yesterday"]"#, "[[1]]", "[{}]", "[true]"] {
            let bad = bind(&expected(&[("$1", DataType::Date32)]), &sent(wrong)).unwrap_err();
            assert!(bad.message().contains("`$1` is not a date"), "{bad}");
        }
        assert!(bind(&expected(&[("$name", DataType::Utf8)]), &sent(r#"["x"]"#)).is_err());
        assert!(bind(&expected(&[]), &[]).unwrap().is_none());
    }

    /// A number that was read as a float would have lost digits before anybody could look at them.
    #[test]
    fn numbers_keep_the_digits_that_were_sent() {
        let one = |kind: DataType, value: &str| bind(&expected(&[("$1", kind)]), &sent(&format!("[{value}]")));
        let decimal = |row: RecordBatch| row.column(0).as_any().downcast_ref::<Decimal128Array>().unwrap().value(0);
        let wide = DataType::Decimal128(38, 4);
        for (value, expected) in [
            ("1234567890123456789012.3456", 12_345_678_901_234_567_890_123_456_i128),
            ("1.5e3", 15_000_000),
            ("-0.10", -1_000),
        ] {
            assert_eq!(decimal(one(wide.clone(), value).unwrap().unwrap()), expected, "{value}");
        }
        for (kind, value) in [(wide, "1.00001"), (DataType::Date32, r#""2025-11-30T12:00:00""#)] {
            let bad = one(kind, value).unwrap_err();
            assert_eq!(bad.code(), Code::BadRequest);
            assert!(bad.message().contains("`$1` would be rounded or cut"), "{bad}");
        }
        assert!(one(DataType::Int64, "7.5").is_err());
        let text = one(DataType::Utf8, r#""\u4f59\n""#).unwrap().unwrap();
        assert_eq!(text.column(0).as_any().downcast_ref::<StringArray>().unwrap().value(0), "余\n");
    }

    #[test]
    fn rollups_are_named_or_none() {
        assert_eq!(rollups(&json!({})), "none");
        assert_eq!(rollups(&json!({"rollups": {"used": ["a", "b"]}})), "a, b");
    }
}
