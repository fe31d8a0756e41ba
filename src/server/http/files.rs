//! Styles, scripts and the icon: compiled in, no build step. A page asks for a file by its hash, so a browser may keep it for
//! good and still gets the new one after an update.

use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::error::Failure;
use super::extract::{Path, Query};
use crate::error::{Code, Error};

struct File {
    name: &'static str,
    content_type: &'static str,
    bytes: Bytes,
    hash: String,
}

static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let css = "text/css; charset=utf-8";
    vec![
        compiled("countinghouse.css", css, Bytes::from_static(include_bytes!("../../assets/web/countinghouse.css"))),
        compiled("publish.css", css, Bytes::from_static(include_bytes!("../../assets/web/publish.css"))),
        compiled("report.css", css, Bytes::from(crate::report::format::html::stylesheet())),
        compiled(
            "countinghouse.js",
            "text/javascript; charset=utf-8",
            Bytes::from_static(include_bytes!("../../assets/web/countinghouse.js")),
        ),
        compiled("icon.svg", "image/svg+xml", Bytes::from_static(include_bytes!("../../assets/web/icon.svg"))),
    ]
});

fn compiled(name: &'static str, content_type: &'static str, bytes: Bytes) -> File {
    let hash = Sha256::digest(&bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    File { name, content_type, bytes, hash }
}

/// Where a page finds a file.
pub(super) fn href(name: &str) -> String {
    match FILES.iter().find(|file| file.name == name) {
        Some(file) => format!("/assets/{name}?v={}", file.hash),
        None => format!("/assets/{name}"),
    }
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Version {
    v: Option<String>,
}

/// `GET /assets/{name}`.
pub(super) async fn file(
    Path(name): Path<String>,
    Query(version): Query<Version>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let Some(file) = FILES.iter().find(|file| file.name == name) else {
        return Err(Failure::new(Error::new(Code::NoSuchObject, "There is nothing at this address.")));
    };
    let etag = format!("\"{}\"", file.hash);
    let cache = if version.v.as_ref() == Some(&file.hash) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let headers = [(CONTENT_TYPE, file.content_type), (CACHE_CONTROL, cache), (ETAG, etag.as_str())];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    Ok((headers, file.bytes.clone()).into_response())
}
