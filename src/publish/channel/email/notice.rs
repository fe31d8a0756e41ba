//! The mail of a notice: what it says, a list, and where to look. No picture, no file.

use askama::Template;
use lettre::message::{MultiPart, SinglePart};

use super::mail::{Frame, WIDTH, boundary, plain_key, written};
use crate::locale::{Lang, message};
use crate::publish::channel::Notice;

/// What a reader sees. One struct for both parts, so that they say the same.
#[derive(Template)]
#[template(path = "publish/channel/notice.html")]
struct View<'a> {
    lang: Lang,
    subject: &'a str,
    paragraphs: &'a [String],
    items: &'a [String],
    link: &'a str,
    open: String,
    footer: String,
    width: u32,
}

/// The bytes of the mail.
///
/// # Errors
/// Why no mail can be made of this; no try will succeed.
pub(super) fn compose(notice: &Notice, frame: &Frame<'_>) -> Result<Vec<u8>, String> {
    let key = plain_key(&notice.key)?;
    let view = View {
        lang: notice.lang,
        subject: &notice.subject,
        paragraphs: &notice.paragraphs,
        items: &notice.items,
        link: &notice.link,
        open: message(notice.lang, "mail-look", &[]),
        footer: message(notice.lang, "mail-notice-footer", &[("name", frame.sender.into())]),
        width: WIDTH,
    };
    let html = view.render().map_err(|cause| format!("the mail cannot be written: {cause}"))?;
    let body = MultiPart::alternative()
        .boundary(boundary(&key, "alternative"))
        .singlepart(SinglePart::plain(view.plain()))
        .singlepart(SinglePart::html(html));
    written(frame, &key, view.subject, notice.at, body)
}

impl View<'_> {
    /// The plain part.
    fn plain(&self) -> String {
        let mut parts = vec![self.subject.to_owned()];
        parts.extend(self.paragraphs.iter().cloned());
        parts.push(self.items.iter().map(|item| format!("- {item}")).collect::<Vec<_>>().join("\n"));
        let link = format!("\n{}", self.link);
        let open = [("title", (&self.open).into()), ("value", (&link).into())];
        parts.push(message(self.lang, "mail-figure", &open));
        parts.push(format!("-- \n{}", self.footer));
        parts.retain(|part| !part.is_empty());
        parts.join("\n\n") + "\n"
    }
}
