//! Channels: the ways out for published reports.
//!
//! In: a [`Parcel`], which holds all that any channel may say of one edition, or a [`Notice`], and a [`Recipient`]. Out: an
//! [`Outcome`], which tells the delivery ledger whether it arrived. Every channel ends by its own deadline. Who gets what, when it is
//! tried again, and what was tried before, is the ledger's business; nothing here remembers anything.

mod archive;
mod email;
mod webhook;

#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use crate::clock::Clock;
use crate::config::ChannelsConfig;
use crate::error::Result;
use crate::locale::Lang;
use crate::model::Label;

/// Every channel: its name, as reports say it under `to`, and how it is opened. A new one is a file and a line; one that tells
/// notices stands in [`tells`] as well.
pub static CHANNELS: &[(&str, Open)] =
    &[(archive::NAME, archive::open), (email::NAME, email::open), (webhook::NAME, webhook::open)];

/// Opens a channel; `None` when the settings do not have it.
pub type Open = fn(&Setup<'_>) -> Result<Option<Arc<dyn Channel>>>;

/// What channels are opened with.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// Section `channels` of the settings.
    pub config: &'a ChannelsConfig,
    /// Name of the project, which signs mails where the settings say nothing else.
    pub project: &'a Label,
    /// Folder that the server writes; secrets lie there.
    pub state: &'a Path,
    /// Time of signatures.
    pub clock: &'a Clock,
}

/// Opens the channels that the settings have. Secrets and certificates are read here; nothing is connected.
///
/// # Errors
/// `Code::Definition` with the place in the settings.
pub fn open(setup: &Setup<'_>) -> Result<Vec<Arc<dyn Channel>>> {
    CHANNELS.iter().filter_map(|(_, open)| open(setup).transpose()).collect()
}

/// The names of the channels that the settings have.
pub fn names(config: &ChannelsConfig) -> Vec<&'static str> {
    let there = [
        (archive::NAME, config.archive.is_some()),
        (email::NAME, config.email.is_some()),
        (webhook::NAME, !config.webhook.is_empty()),
    ];
    there.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
}

/// Whether a channel tells notices: to people, or, where it has targets by name, to programs.
pub fn tells(channel: &str) -> bool {
    [email::NAME, webhook::NAME].contains(&channel)
}

/// A way out.
#[async_trait]
pub trait Channel: Debug + Send + Sync {
    /// Its name in [`CHANNELS`].
    fn name(&self) -> &'static str;

    /// Whether a second sending of the same parcel to the same recipient does no harm, so that an [`Verdict::Unknown`] is tried
    /// again.
    fn repeatable(&self) -> bool;

    /// Sends a parcel once, within the channel's deadline. What fails is said in the outcome, in words for operators that hold
    /// neither secrets nor figures.
    async fn send(&self, parcel: &Parcel, to: &Recipient) -> Outcome;

    /// Tells a notice once, as [`Self::send`] sends a parcel. A channel that keeps files has nothing to tell.
    async fn tell(&self, _: &Notice, _: &Recipient) -> Outcome {
        Outcome::refused("this channel carries editions, not notices")
    }
}

/// What somebody is told besides editions: that a close is late, that a figure crossed its threshold. Texts are finished, in the
/// recipient's language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Key of the ledger's row: hexadecimal, the same for every try.
    pub key: String,
    /// What it is about: `deadline`, `alert`.
    pub kind: String,
    /// Name of the report's folder.
    pub report: String,
    /// Part of the bank: `head_office`, `beijing`.
    pub scope: String,
    /// One line.
    pub subject: String,
    /// Sentences, a paragraph each.
    pub paragraphs: Vec<String>,
    /// A list below them.
    pub items: Vec<String>,
    /// Absolute URL: where to look.
    pub link: String,
    /// When it was written.
    pub at: Timestamp,
    /// Language of the texts.
    pub lang: Lang,
}

/// Everything that a channel may say of one edition to one recipient. Texts are finished: in one language, figures with units.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// Key of the ledger's row: hexadecimal, the same for every try of (publication, period, version, recipient, channel).
    pub key: String,
    /// Name of the report's folder, as `branch_scorecard`.
    pub report: String,
    /// Title of the report.
    pub title: String,
    /// The sentence that the report says; may hold figures.
    pub message: String,
    /// Part of the bank, as in links: `head_office`, `beijing`.
    pub scope: Named,
    /// Period, as `2026-10`.
    pub period: Named,
    /// 1 for the first edition of (report, scope, period).
    pub version: u32,
    /// Hash of the edition: 64 hexadecimal digits.
    pub edition: String,
    /// Run key: 64 hexadecimal digits.
    pub run_key: String,
    /// Absolute URL that always leads to this edition.
    pub link: String,
    /// When the edition was published.
    pub published_at: Timestamp,
    /// Which branches had closed; `None` where that is no question.
    pub completeness: Option<Completeness>,
    /// Language of the texts, and of the words around them.
    pub lang: Lang,
    /// Holds rows about single persons: outside the server nothing but the link is said.
    pub person_level: bool,
    /// Key figures, the most important first.
    pub kpis: Vec<Kpi>,
    /// A picture of the report.
    pub picture: Option<Picture>,
    /// A small table.
    pub table: Option<Table>,
    /// For a version after the first: what changed, and where to read more.
    pub correction: Option<String>,
    /// That it was published though a gate held it, who said so and why.
    pub release: Option<String>,
    /// Files of the edition.
    pub files: Vec<File>,
    /// Its manifest, byte for byte: the list of its files, whose SHA-256 is `edition`.
    pub manifest: Bytes,
}

/// A value, and what readers see of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The same in every language.
    pub value: String,
    /// In the parcel's language.
    pub label: String,
}

/// Which branches had closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completeness {
    /// How many had.
    pub closed: u32,
    /// Of how many.
    pub of: u32,
    /// Names of those that had not.
    pub open: Vec<String>,
}

/// A key figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kpi {
    /// What it is.
    pub title: String,
    /// The figure with its unit.
    pub value: String,
    /// Its changes, each finished: `+3.1 % on prior year`.
    pub changes: Vec<String>,
}

/// A picture of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// A PNG file.
    pub png: Bytes,
    /// What it shows, for those who do not see it.
    pub alt: String,
}

/// A small table; every row has as many cells as there are columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// What it holds; may be empty.
    pub title: String,
    /// Columns.
    pub columns: Vec<Column>,
    /// Finished cells.
    pub rows: Vec<Vec<String>>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Header.
    pub title: String,
    /// Whether it holds figures, which stand to the right.
    pub is_number: bool,
}

/// A file of an edition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name in the edition, unique there: `branch_scorecard.zh-CN.pdf`.
    pub name: String,
    /// Media type.
    pub content_type: String,
    /// SHA-256 of the bytes: 64 hexadecimal digits.
    pub sha256: String,
    /// The bytes.
    pub bytes: Bytes,
}

/// Who gets a parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// A person, or the name of a webhook's target in the settings.
    pub name: String,
    /// Address of the mailbox; other channels need none.
    pub address: Option<String>,
    /// Language that whoever makes the parcel should choose.
    pub lang: Lang,
}

/// What became of one sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it arrived.
    pub verdict: Verdict,
    /// Bytes that were handed over, at least in part: files, the mail, or the body.
    pub bytes: u64,
}

/// Whether a parcel arrived. Texts are one line for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It did.
    Accepted {
        /// What the other side said.
        answer: String,
    },
    /// It did not.
    Failed {
        /// Why.
        why: String,
        /// Whether another try may succeed without anybody's doing.
        transient: bool,
        /// How long the other side asks to wait before it.
        retry_after: Option<Duration>,
    },
    /// It is not sent there, by the settings or by the recipient's nature.
    Refused {
        /// Why.
        why: String,
    },
    /// It was handed over whole, but nobody can know whether it was taken.
    Unknown {
        /// Why.
        why: String,
    },
}

impl Outcome {
    fn accepted(answer: impl AsRef<str>, bytes: u64) -> Self {
        Self { verdict: Verdict::Accepted { answer: one_line(answer.as_ref(), ANSWER) }, bytes }
    }

    fn failed(why: impl AsRef<str>, transient: bool, bytes: u64) -> Self {
        let why = one_line(why.as_ref(), ANSWER);
        Self { verdict: Verdict::Failed { why, transient, retry_after: None }, bytes }
    }

    fn refused(why: impl AsRef<str>) -> Self {
        Self { verdict: Verdict::Refused { why: one_line(why.as_ref(), ANSWER) }, bytes: 0 }
    }

    fn unknown(why: impl AsRef<str>, bytes: u64) -> Self {
        Self { verdict: Verdict::Unknown { why: one_line(why.as_ref(), ANSWER) }, bytes }
    }
}

/// Characters of an answer that are kept.
const ANSWER: usize = 500;

/// The text on one line of at most `longest` characters: control characters and runs of white space become one space, and what
/// is too long ends in `…`. Marks that turn the direction of writing are dropped, because they make a line read as another.
fn one_line(text: &str, longest: usize) -> String {
    let is_mark = |c: char| matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let is_gap = |c: char| c.is_whitespace() || c.is_control();
    let text: String = text.chars().filter(|c| !is_mark(*c)).collect();
    let line = text.split(is_gap).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(longest) {
        None => line,
        Some(_) => {
            let kept: String = line.chars().take(longest.saturating_sub(1)).collect();
            kept.trim_end().to_owned() + "…"
        }
    }
}
