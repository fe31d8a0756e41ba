//! Which language a page speaks: `?lang=` before the reader's last choice before `Accept-Language` before the project's own.

use axum::http::header::ACCEPT_LANGUAGE;
use axum::http::{HeaderMap, Uri};

use super::session::cookie;
use crate::locale::Lang;

/// Remembers the last choice. It holds nothing secret, so scripts may read it.
pub(super) const COOKIE: &str = "countinghouse_lang";

/// The language of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) lang: Lang,
    /// It was chosen in this request, and differs from what is remembered.
    pub(super) remember: bool,
}

/// Chooses among the languages offered, of which there is at least one.
pub(super) fn choose(uri: &Uri, headers: &HeaderMap, offered: &[Lang]) -> Choice {
    let known = |tag: &str| Lang::parse(tag).filter(|lang| offered.contains(lang));
    let asked = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .filter(|(name, _)| name == "lang")
        .find_map(|(_, tag)| known(&tag));
    let kept = cookie(headers, COOKIE).and_then(known);
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let lang = asked
        .or(kept)
        .or_else(|| accepted.and_then(|header| Lang::accept(header, offered)))
        .or_else(|| offered.first().copied())
        .unwrap_or_default();
    Choice { lang, remember: asked.is_some() && asked != kept }
}
