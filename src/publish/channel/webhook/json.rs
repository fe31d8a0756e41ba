//! The server's own messages: one JSON object each. That of an edition says what there is and where, and holds no figure; that of
//! a notice says what the notice says.

use serde::Serialize;

use super::Body;
use crate::publish::channel::{Notice, Parcel};

pub(super) struct Json;

#[derive(Serialize)]
struct Message<'a> {
    event: &'static str,
    report: &'a str,
    title: &'a str,
    lang: &'static str,
    scope: &'a str,
    scope_label: &'a str,
    period: &'a str,
    version: u32,
    hash: &'a str,
    run_key: &'a str,
    link: &'a str,
    published_at: String,
    person_level: bool,
    completeness: Option<Completeness<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<&'a str>,
    files: Vec<File<'a>>,
}

#[derive(Serialize)]
struct NoticeMessage<'a> {
    event: &'a str,
    report: &'a str,
    lang: &'static str,
    scope: &'a str,
    subject: &'a str,
    paragraphs: &'a [String],
    items: &'a [String],
    link: &'a str,
    at: String,
}

#[derive(Serialize)]
struct Completeness<'a> {
    closed: u32,
    of: u32,
    open: &'a [String],
}

#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    content_type: &'a str,
    sha256: &'a str,
    size: usize,
}

impl Body for Json {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn write(&self, parcel: &Parcel) -> serde_json::Result<Vec<u8>> {
        let files = parcel.files.iter().map(|file| File {
            name: &file.name,
            content_type: &file.content_type,
            sha256: &file.sha256,
            size: file.bytes.len(),
        });
        let completeness = parcel.completeness.as_ref();
        serde_json::to_vec(&Message {
            event: "edition",
            report: &parcel.report,
            title: &parcel.title,
            lang: parcel.lang.tag(),
            scope: &parcel.scope.value,
            scope_label: &parcel.scope.label,
            period: &parcel.period.value,
            version: parcel.version,
            hash: &parcel.edition,
            run_key: &parcel.run_key,
            link: &parcel.link,
            published_at: parcel.published_at.to_string(),
            person_level: parcel.person_level,
            completeness: completeness.map(|it| Completeness { closed: it.closed, of: it.of, open: &it.open }),
            release: parcel.release.as_deref(),
            files: files.collect(),
        })
    }

    fn write_notice(&self, notice: &Notice) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&NoticeMessage {
            event: &notice.kind,
            report: &notice.report,
            lang: notice.lang.tag(),
            scope: &notice.scope,
            subject: &notice.subject,
            paragraphs: &notice.paragraphs,
            items: &notice.items,
            link: &notice.link,
            at: notice.at.to_string(),
        })
    }

    /// The status has said all.
    fn refusal(&self, _: &[u8]) -> Option<String> {
        None
    }
}
