//! The mail itself: subject, plain text, HTML with a picture, attachments.
//!
//! In: a parcel and who writes to whom. Out: the bytes of a MIME message, the same for every try, so that a mail that arrives
//! twice has one `Message-ID`. No header holds a line break: texts for headers are made one line, addresses come parsed. Of a
//! report about persons nothing is said but its name and the link.

use askama::Template;
use jiff::Timestamp;
use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Body, Mailbox, MultiPart, SinglePart};

use crate::auth::sha256_hex;
use crate::locale::{Lang, Value, message};
use crate::publish::channel::{Completeness, File, Kpi, Parcel, Picture, Table, one_line};

/// Characters of a subject.
const SUBJECT: usize = 120;
/// Names of branches that are listed.
const NAMES: usize = 8;
/// Rows of the table that are shown.
const ROWS: usize = 40;
/// Width of the text, pixels.
pub(super) const WIDTH: u32 = 640;

/// What is around a parcel.
pub(super) struct Frame<'a> {
    pub(super) from: Mailbox,
    pub(super) to: Mailbox,
    /// Name of the sender, for the last line.
    pub(super) sender: &'a str,
    /// Formats that are attached.
    pub(super) attachments: &'a [String],
    /// Bytes of all attachments together.
    pub(super) largest: usize,
}

/// What a reader sees, in the order of the page. One struct for both parts, so that they say the same.
#[derive(Template)]
#[template(path = "publish/channel/email.html")]
pub(super) struct View<'a> {
    lang: Lang,
    pub(super) subject: String,
    /// Report, scope and period, and the version after the first.
    title: &'a str,
    place: String,
    headline: String,
    /// What changed: a heading and a text.
    correction: Option<(String, String)>,
    /// Which branches had not closed.
    preliminary: Option<String>,
    /// Who released it though a gate held it.
    release: Option<&'a str>,
    /// Why there are no figures.
    withheld: Option<String>,
    kpis: &'a [Kpi],
    picture: Option<(&'a Picture, u32)>,
    picture_id: String,
    table: Option<&'a Table>,
    rows: &'a [Vec<String>],
    more_rows: Option<String>,
    link: &'a str,
    open: String,
    /// About attachments.
    files: Option<String>,
    footer: String,
    width: u32,
}

/// The bytes of the mail.
///
/// # Errors
/// Why no mail can be made of this; no try will succeed.
pub(super) fn compose(parcel: &Parcel, frame: &Frame<'_>) -> Result<Vec<u8>, String> {
    let key = plain_key(&parcel.key)?;
    let attached = attached(parcel, frame);
    let view = View::new(parcel, frame, &attached, &key);
    let html = view.render().map_err(|cause| format!("the mail cannot be written: {cause}"))?;
    let plain = view.plain();
    let html = SinglePart::html(html);
    let body = MultiPart::alternative().boundary(boundary(&key, "alternative")).singlepart(SinglePart::plain(plain));
    let body = match view.picture {
        None => body.singlepart(html),
        Some((picture, _)) => {
            let image = ContentType::parse("image/png").map_err(|cause| cause.to_string())?;
            let name = "report.png".to_owned();
            let image =
                Attachment::new_inline_with_name(view.picture_id.clone(), name).body(binary(&picture.png)?, image);
            body.multipart(MultiPart::related().boundary(boundary(&key, "related")).singlepart(html).singlepart(image))
        }
    };
    let body = match &attached {
        Attached::Files(files) if !files.is_empty() => {
            let mut mixed = MultiPart::mixed().boundary(boundary(&key, "mixed")).multipart(body);
            for file in files {
                let kind = one_line(&file.content_type, 100);
                let kind = ContentType::parse(&kind).or_else(|_| ContentType::parse("application/octet-stream"));
                let kind = kind.map_err(|cause| cause.to_string())?;
                mixed = mixed.singlepart(Attachment::new(file_name(parcel, file)).body(binary(&file.bytes)?, kind));
            }
            mixed
        }
        _ => body,
    };
    written(frame, &key, &view.subject, parcel.published_at, body)
}

/// The ledger's key as a part of headers.
pub(super) fn plain_key(key: &str) -> Result<String, String> {
    let key: String = key.chars().filter(char::is_ascii_alphanumeric).take(128).collect();
    if key.is_empty() { Err("the message has no key".into()) } else { Ok(key) }
}

/// The bytes of a mail: the headers, and what stands below them.
pub(super) fn written(
    frame: &Frame<'_>,
    key: &str,
    subject: &str,
    at: Timestamp,
    body: MultiPart,
) -> Result<Vec<u8>, String> {
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    let mail = Message::builder()
        .from(frame.from.clone())
        .to(frame.to.clone())
        .subject(one_line(subject, SUBJECT))
        .date(at.into())
        .message_id(Some(format!("<{key}@{}>", frame.from.email.domain())))
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
        .multipart(body)
        .map_err(|cause| format!("the mail cannot be written: {cause}"))?;
    Ok(mail.formatted())
}

/// Attachments of a mail.
enum Attached<'a> {
    Files(Vec<&'a File>),
    /// More bytes than a mail may have.
    TooLarge,
}

fn attached<'a>(parcel: &'a Parcel, frame: &Frame<'_>) -> Attached<'a> {
    if parcel.person_level {
        return Attached::Files(Vec::new());
    }
    // `en.pdf` and `en/branches.csv` are not for a reader of Chinese.
    let is_foreign = |part: &str| Lang::ALL.iter().any(|lang| *lang != parcel.lang && part == lang.tag());
    let is_wanted = |file: &&File| {
        if file.name.split(['.', '/']).any(is_foreign) {
            return false;
        }
        let format = file.name.rsplit_once('.').map(|(_, format)| format.to_ascii_lowercase());
        format.is_some_and(|format| frame.attachments.contains(&format))
    };
    let files: Vec<&File> = parcel.files.iter().filter(is_wanted).collect();
    match files.iter().map(|file| file.bytes.len()).sum::<usize>() > frame.largest {
        true => Attached::TooLarge,
        false => Attached::Files(files),
    }
}

/// As base64, so that not one byte changes on the way.
fn binary(bytes: &[u8]) -> Result<Body, String> {
    Body::new_with_encoding(bytes.to_vec(), ContentTransferEncoding::Base64)
        .map_err(|_| "a file cannot be written as base64".to_owned())
}

/// The name of an attachment. Files of an edition begin with their language, `zh-CN.pdf` and `zh-CN/branches.csv`; whoever
/// saves one wants to know of which report, part of the bank and period it is.
fn file_name(parcel: &Parcel, file: &File) -> String {
    let own = file.name.strip_prefix(parcel.lang.tag()).and_then(|rest| rest.strip_prefix(['.', '/']));
    let name = match own {
        None => file.name.clone(),
        Some(rest) => {
            let gap = if rest.contains('.') { " " } else { "." };
            format!("{} {} {}{gap}{rest}", parcel.title, parcel.scope.label, parcel.period.value)
        }
    };
    one_line(&name, 150).replace(['/', '\\'], "_")
}

/// The same for every try. `=_` stands in no body that is base64 or quoted-printable, so it cannot occur in a part.
pub(super) fn boundary(key: &str, part: &str) -> String {
    let hash = sha256_hex(format!("{part} {key}").as_bytes());
    format!("=_{}", hash.get(..32).unwrap_or(&hash))
}

impl<'a> View<'a> {
    fn new(parcel: &'a Parcel, frame: &Frame<'_>, attached: &Attached<'_>, key: &str) -> Self {
        let lang = parcel.lang;
        let say = |key: &str, args: &[(&str, Value<'_>)]| message(lang, key, args);
        let shown = !parcel.person_level;
        let list = say("mail-list", &[]);
        let mut place = vec![parcel.scope.label.as_str(), parcel.period.label.as_str()];
        let version = say("mail-version", &[("version", i64::from(parcel.version).into())]);
        if parcel.version > 1 {
            place.push(&version);
        }
        let named = format!("{} · {} · {}", parcel.title, parcel.scope.label, parcel.period.label);
        let headline = if shown { &parcel.message } else { &parcel.title };
        let subject = if shown { &parcel.message } else { &named };
        let subject = match parcel.correction {
            Some(_) => say("mail-subject-corrected", &[("subject", subject.into())]),
            None => subject.clone(),
        };
        let table = parcel.table.as_ref().filter(|table| shown && !table.columns.is_empty());
        let rows = table.map_or(&[][..], |table| table.rows.as_slice());
        let more = rows.len().saturating_sub(ROWS);
        let files = match attached {
            Attached::TooLarge => {
                let mib = (frame.largest >> 20).to_string();
                Some(say("mail-files-large", &[("mib", (&mib).into())]))
            }
            Attached::Files(files) if files.is_empty() => None,
            Attached::Files(files) => {
                let names = files.iter().map(|file| file_name(parcel, file)).collect::<Vec<_>>().join(&list);
                Some(say("mail-files", &[("files", (&names).into())]))
            }
        };
        let edition = parcel.edition.get(..12).unwrap_or(&parcel.edition);
        Self {
            lang,
            subject: one_line(&subject, SUBJECT),
            title: &parcel.title,
            place: place.join(" · "),
            headline: one_line(headline, usize::MAX),
            correction: parcel.correction.as_ref().map(|text| {
                let text = if shown { text.clone() } else { say("mail-corrected-withheld", &[]) };
                (say("mail-corrected", &[("version", i64::from(parcel.version).into())]), text)
            }),
            preliminary: parcel.completeness.as_ref().and_then(|it| preliminary(lang, it)),
            release: parcel.release.as_deref(),
            withheld: (!shown).then(|| say("mail-withheld", &[])),
            kpis: if shown { &parcel.kpis } else { &[] },
            picture: parcel.picture.as_ref().filter(|_| shown).map(|picture| (picture, shown_width(picture))),
            picture_id: format!("picture.{key}@{}", frame.from.email.domain()),
            table,
            rows: rows.get(..ROWS).unwrap_or(rows),
            more_rows: (more > 0).then(|| say("mail-more-rows", &[("count", (more as i64).into())])),
            link: &parcel.link,
            open: say("mail-open", &[]),
            files,
            footer: say("mail-footer", &[("name", frame.sender.into()), ("edition", edition.into())]),
            width: WIDTH,
        }
    }

    /// The plain part.
    fn plain(&self) -> String {
        let mut parts = vec![self.headline.clone()];
        parts.push(match self.withheld {
            None => format!("{} · {}", self.title, self.place),
            Some(_) => self.place.clone(),
        });
        if let Some((heading, text)) = &self.correction {
            parts.push(format!("{heading}\n{text}"));
        }
        parts.extend(self.preliminary.clone());
        parts.extend(self.release.map(str::to_owned));
        parts.extend(self.withheld.clone());
        let of = |title: &str, value: &str| {
            message(self.lang, "mail-figure", &[("title", title.into()), ("value", value.into())])
        };
        let kpis = self.kpis.iter().map(|kpi| {
            let changes: String = kpi.changes.iter().map(|change| format!("\n  {change}")).collect();
            of(&kpi.title, &kpi.value) + &changes
        });
        parts.push(kpis.collect::<Vec<_>>().join("\n"));
        parts.extend(self.picture.map(|(picture, _)| format!("[{}]", picture.alt)));
        if let Some(table) = self.table {
            let head = table.columns.iter().map(|column| column.title.as_str()).collect::<Vec<_>>().join(" | ");
            let lines = self.rows.iter().map(|row| row.join(" | "));
            let title = Some(table.title.clone()).filter(|title| !title.is_empty());
            let lines = title.into_iter().chain([head]).chain(lines).chain(self.more_rows.clone());
            parts.push(lines.collect::<Vec<_>>().join("\n"));
        }
        parts.push(of(&self.open, &format!("\n{}", self.link)));
        parts.extend(self.files.clone());
        parts.push(format!("-- \n{}", self.footer));
        parts.retain(|part| !part.is_empty());
        parts.join("\n\n") + "\n"
    }

    /// Cells of a row with whether they are figures; a row that is too short ends in empty cells.
    fn cells<'b>(&self, row: &'b [String]) -> Vec<(&'b str, bool)> {
        let columns = self.table.map_or(&[][..], |table| table.columns.as_slice());
        let cell = |at: usize| row.get(at).map_or("", String::as_str);
        columns.iter().enumerate().map(|(at, column)| (cell(at), column.is_number)).collect()
    }
}

/// Which branches had not closed; nothing when all had.
fn preliminary(lang: Lang, it: &Completeness) -> Option<String> {
    if it.closed >= it.of && it.open.is_empty() {
        return None;
    }
    let list = message(lang, "mail-list", &[]);
    let mut names = it.open.iter().take(NAMES).cloned().collect::<Vec<_>>().join(&list);
    let more = it.open.len().saturating_sub(NAMES);
    if more > 0 {
        names = message(lang, "mail-more", &[("names", (&names).into()), ("count", (more as i64).into())]);
    }
    let args = [("closed", i64::from(it.closed).into()), ("of", i64::from(it.of).into()), ("open", (&names).into())];
    let key = if names.is_empty() { "mail-preliminary" } else { "mail-preliminary-open" };
    Some(message(lang, key, &args))
}

/// Pixels that a picture is shown at: its own, at most the page's. From the header of the PNG file.
fn shown_width(picture: &Picture) -> u32 {
    let width = picture.png.get(16..20).and_then(|bytes| bytes.try_into().ok()).map_or(WIDTH, u32::from_be_bytes);
    width.clamp(1, WIDTH)
}
