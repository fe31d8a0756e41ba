//! Delivery: sends what is frozen, and keeps the ledger true.
//!
//! In: rows of the ledger that are due. Out: each with the state that is known of it. The row says "handed over" before anything
//! leaves; rights are looked at again then, since they may have ended after the edition was made.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::channel::{self, Channel, Column, Notice, Outcome, Parcel, Picture, Recipient, Verdict};
use super::edition::{File, Manifest};
use super::retry::again_at;
use super::{Changes, Publisher};
use crate::auth::{Principal, sha256_hex};
use crate::catalog::{DeliveryRow, EditionRow, NoticeRow};
use crate::error::{Code, Error, Result};
use crate::locale::{self, Lang};
use crate::model::report::To;
use crate::query::{Face, HEAD_OFFICE, Reading};
use crate::report::document::{Block, Change, Chart, Kpi, Table, TableColumn, TableRow};
use crate::report::format::{Tools, png};
use crate::report::{self, Document};

/// Rows and columns of a table that a message carries.
const TABLE_ROWS: usize = 12;
const TABLE_COLUMNS: usize = 5;
/// Width of its picture, px.
const PICTURE_WIDTH: u32 = 1200;
/// Figures that a message carries.
const KPIS: usize = 6;

/// What messages say of an edition in one language: a file of the edition, so that a message says what was published.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Summary {
    kpis: Vec<SummaryKpi>,
    table: Option<SummaryTable>,
    /// What its picture shows; the picture is the file beside it.
    picture: Option<String>,
    person_level: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SummaryKpi {
    title: String,
    value: String,
    changes: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SummaryTable {
    title: String,
    columns: Vec<(String, bool)>,
    rows: Vec<Vec<String>>,
}

fn summary_name(lang: Lang) -> String {
    format!("{}.summary.json", lang.tag())
}

fn picture_name(lang: Lang) -> String {
    format!("{}.summary.png", lang.tag())
}

/// The summaries of documents, each with its picture: the first chart. Slow: it draws.
pub(super) fn summaries(documents: &[Document], person_level: bool, tools: &Tools) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for document in documents {
        let all = flat(&document.blocks);
        let chart = all.iter().find_map(|block| match block {
            Block::Chart(chart) => Some(&**chart),
            _ => None,
        });
        let picture = match (chart, person_level) {
            (Some(chart), false) => png::chart_png(&chart.drawing.svg, PICTURE_WIDTH, tools).ok(),
            _ => None,
        };
        let summary = Summary {
            kpis: all.iter().filter_map(|block| kpi(block)).take(KPIS).collect(),
            table: all.iter().find_map(|block| table(block)),
            picture: picture.as_ref().and(chart).map(alt),
            person_level,
        };
        let text = serde_json::to_vec_pretty(&summary)
            .map_err(|error| Error::internal("cannot write the summary of an edition", error))?;
        files.push(File {
            name: summary_name(document.lang),
            content_type: "application/json".into(),
            bytes: text.into(),
        });
        if let Some(bytes) = picture {
            let name = picture_name(document.lang);
            files.push(File { name, content_type: "image/png".into(), bytes: bytes.into() });
        }
    }
    Ok(files)
}

fn flat(blocks: &[Block]) -> Vec<&Block> {
    blocks
        .iter()
        .flat_map(|block| match block {
            Block::Row(inner) => flat(inner),
            other => vec![other],
        })
        .collect()
}

fn alt(chart: &Chart) -> String {
    format!("{}. {}", chart.message, chart.drawing.desc)
}

fn kpi(block: &Block) -> Option<SummaryKpi> {
    let Block::Kpi(Kpi { title, value, unit, changes, .. }) = block else { return None };
    let with = |figure: &str, unit: &str| match unit.is_empty() {
        true => figure.to_owned(),
        false => format!("{figure}\u{a0}{unit}"),
    };
    let change = |change: &Change| {
        let amount = with(&change.amount, if change.unit.is_empty() { unit } else { &change.unit });
        match &change.percent {
            Some(percent) => format!("{} {amount} ({percent})", change.against),
            None => format!("{} {amount}", change.against),
        }
    };
    Some(SummaryKpi { title: title.clone(), value: with(value, unit), changes: changes.iter().map(change).collect() })
}

fn table(block: &Block) -> Option<SummaryTable> {
    let Block::Table(Table { title, columns, rows, .. }) = block else { return None };
    if rows.is_empty() {
        return None;
    }
    let head = |column: &TableColumn| match column.unit.is_empty() {
        true => column.label.clone(),
        false => format!("{} ({})", column.label, column.unit),
    };
    let cells = |row: &TableRow| -> Vec<String> {
        row.cells.iter().take(TABLE_COLUMNS).map(|cell| cell.text.clone()).collect()
    };
    Some(SummaryTable {
        title: title.clone(),
        columns: columns.iter().take(TABLE_COLUMNS).map(|column| (head(column), column.numeric)).collect(),
        rows: rows.iter().take(TABLE_ROWS).map(cells).collect(),
    })
}

impl Publisher {
    /// Sends the next delivery that is due; whether there was one.
    ///
    /// # Errors
    /// The catalog's own faults. What a channel says is recorded, not returned.
    pub async fn deliver_next(&self) -> Result<bool> {
        let channel = |name: &str| self.0.channels.iter().find(|channel| channel.name() == name);
        let repeats = |name: &str| channel(name).is_some_and(|channel| channel.repeatable());
        let Some(delivery) = self.0.catalog.take_delivery(&repeats).await? else { return Ok(false) };
        super::fail_point("deliver.handed_over");
        let outcome = match channel(&delivery.channel) {
            None => refused(format!("the settings have no channel `{}`", delivery.channel)),
            Some(channel) => match self.hand_over(channel.as_ref(), &delivery).await {
                Ok(outcome) => outcome,
                Err(error) if error.code() == Code::Denied => refused(error.message().to_owned()),
                Err(error) => {
                    tracing::warn!(?error, delivery = delivery.key, "a parcel could not be made");
                    let why = error.message().to_owned();
                    Outcome { verdict: Verdict::Failed { why, transient: true, retry_after: None }, bytes: 0 }
                }
            },
        };
        super::fail_point("deliver.answered");
        let bytes = i64::try_from(outcome.bytes).ok();
        let now = self.0.clock.now();
        let again = |retry_after: Option<Duration>| {
            let asked = retry_after.and_then(|wait| SignedDuration::try_from(wait).ok());
            again_at(now, delivery.tries, &delivery.key).map(|at| asked.map_or(at, |asked| at.max(now + asked)))
        };
        let (state, answer, next) = match outcome.verdict {
            Verdict::Accepted { answer } => ("accepted", answer, None),
            Verdict::Refused { why } => ("refused", why, None),
            Verdict::Unknown { why } if repeats(&delivery.channel) => match again(None) {
                Some(at) => ("rendered", why, Some(at)),
                None => ("unknown", why, None),
            },
            Verdict::Unknown { why } => ("unknown", why, None),
            Verdict::Failed { why, transient: false, .. } => ("failed", why, None),
            Verdict::Failed { why, retry_after, .. } => match again(retry_after) {
                Some(at) => ("rendered", why, Some(at)),
                None => ("failed", why, None),
            },
        };
        self.0.catalog.end_delivery(&delivery.key, state, bytes, &answer, next).await?;
        Ok(true)
    }

    async fn hand_over(&self, channel: &dyn Channel, delivery: &DeliveryRow) -> Result<Outcome> {
        match (&delivery.edition, &delivery.notice) {
            (Some(edition), _) => self.send(channel, delivery, edition).await,
            (None, Some(notice)) => self.tell(channel, delivery, notice).await,
            (None, None) => Err(Error::new(Code::Internal, "a delivery of nothing")),
        }
    }

    /// The login that something is addressed to.
    async fn login(&self, delivery: &DeliveryRow) -> Result<Principal> {
        let gone = |error: Error| match error.code() {
            Code::NoSuchObject | Code::Denied => {
                Error::new(Code::Denied, "the recipient has no login any more").caused_by(error)
            }
            _ => error,
        };
        self.0.auth.principal(&delivery.recipient).await.map_err(gone)
    }

    /// The login of this name, if it can be used today.
    pub(super) async fn usable(&self, name: &str) -> Result<Option<Principal>> {
        match self.0.auth.principal(name).await {
            Ok(principal) => Ok(Some(principal)),
            // Disabled or removed since the list of logins was read.
            Err(error) if [Code::NoSuchObject, Code::Denied].contains(&error.code()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn tell(&self, channel: &dyn Channel, delivery: &DeliveryRow, id: &str) -> Result<Outcome> {
        let none = || Error::new(Code::Denied, "the notice is not kept any more");
        let notice = self.0.catalog.notice(id).await?.ok_or_else(none)?;
        if delivery.address.is_some() && !self.may_be_told(&self.login(delivery).await?, &notice) {
            return Err(Error::new(Code::Denied, "the recipient may not be told this any more"));
        }
        let lang = Lang::parse(&delivery.lang).unwrap_or_default();
        let texts = notice
            .texts
            .get(lang.tag())
            .or_else(|| notice.texts.values().next())
            .cloned()
            .ok_or_else(|| Error::new(Code::Internal, "the notice has no texts"))?;
        let told = Notice {
            key: delivery.key.clone(),
            kind: notice.kind,
            report: notice.report,
            scope: notice.scope,
            subject: texts.subject,
            paragraphs: texts.paragraphs,
            items: texts.items,
            link: notice.link,
            at: notice.created_at,
            lang,
        };
        Ok(channel.tell(&told, &recipient(delivery, lang)).await)
    }

    /// The ledger's rows of a notice, in a language: by each channel that tells notices, to the logins with its roles that may be
    /// told this one, or to its target. Channels that keep files are passed over.
    ///
    /// # Errors
    /// The catalog's.
    pub async fn sendings(&self, notice: &NoticeRow, to: &[To], lang: &str) -> Result<Vec<DeliveryRow>> {
        let users = self.0.catalog.users().await?;
        let mut found: BTreeMap<String, DeliveryRow> = BTreeMap::new();
        let mut add = |channel: &str, recipient: &str, address: Option<&str>| {
            let key = sha256_hex(format!("{}\n{recipient}\n{channel}", notice.id).as_bytes());
            let row = DeliveryRow {
                notice: Some(notice.id.clone()),
                ..planned(key.clone(), channel, recipient, address, lang, notice.created_at)
            };
            found.insert(key, row);
        };
        for to in to.iter().filter(|to| channel::tells(&to.channel)) {
            if to.roles.is_empty() {
                add(&to.channel, to.name.as_ref().unwrap_or(&to.channel), None);
                continue;
            }
            let named = |roles: &[String]| to.roles.iter().any(|role| roles.contains(role));
            for user in users.iter().filter(|user| !user.disabled && named(&user.roles)) {
                if self.usable(&user.name).await?.is_some_and(|login| self.may_be_told(&login, notice)) {
                    add(&to.channel, &user.name, Some(user.email.as_deref().unwrap_or_default()));
                }
            }
        }
        Ok(found.into_values().collect())
    }

    /// Whether somebody may be told a notice today: by its roles, and over all of the bank that it speaks of.
    pub fn may_be_told(&self, principal: &Principal, notice: &NoticeRow) -> bool {
        let scope = principal.scope.branches().is_none()
            || notice.scope != HEAD_OFFICE && !principal.scope.is_part() && principal.scope.holds(&notice.scope);
        let named = |role: &String| principal.has_role(role);
        let opens = || {
            let report = self.0.reports.iter().find(|report| *report.name == notice.report);
            report.is_some_and(|report| report::may_open(&self.0.door, report, principal))
        };
        // What it says was read with somebody's rights: no figure goes to who is shown less.
        let reading = notice.reading.as_ref();
        let sees = reading.is_none_or(|reading| {
            serde_json::from_value::<Reading>(reading.clone())
                .is_ok_and(|reading| self.0.door.sees(principal, &reading))
        });
        scope && sees && if notice.roles.is_empty() { opens() } else { notice.roles.iter().any(named) }
    }

    async fn send(&self, channel: &dyn Channel, delivery: &DeliveryRow, edition: &str) -> Result<Outcome> {
        let edition = self
            .0
            .catalog
            .edition(edition)
            .await?
            .filter(|edition| edition.removed_at.is_none())
            .ok_or_else(|| Error::new(Code::Denied, "the edition is not kept any more"))?;
        let mut reader = None;
        if delivery.address.is_some() {
            let login = self.login(delivery).await?;
            if !self.may_open(&login, &edition) {
                return Err(Error::new(Code::Denied, "the recipient may not open the edition any more"));
            }
            reader = Some(login);
        }
        let lang = Lang::parse(&delivery.lang).unwrap_or_default();
        let mut parcel = self.parcel(delivery, &edition, lang).await?;
        if let Some(reader) = &reader {
            // Nobody is mailed a form of data that it may not take out itself.
            let format = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
            let door = &self.0.door;
            parcel.files.retain(|file| door.may_export(reader, Face::Report, &format(&file.name)).is_ok());
        }
        Ok(channel.send(&parcel, &recipient(delivery, lang)).await)
    }

    async fn parcel(&self, delivery: &DeliveryRow, edition: &EditionRow, lang: Lang) -> Result<Parcel> {
        let manifest = Manifest::parse(&edition.manifest)?;
        let shelf = &self.0.shelf;
        let texts = manifest
            .texts
            .get(lang.tag())
            .or_else(|| manifest.texts.values().next())
            .ok_or_else(|| Error::new(Code::Internal, "the edition has no texts"))?;
        let summary: Option<Summary> = match manifest.file(&summary_name(lang)) {
            Some(_) => serde_json::from_slice(&shelf.get(&edition.id, &manifest, &summary_name(lang)).await?).ok(),
            None => None,
        };
        let picture = match summary.as_ref().and_then(|summary| summary.picture.clone()) {
            Some(alt) => Some(Picture { png: shelf.get(&edition.id, &manifest, &picture_name(lang)).await?, alt }),
            None => None,
        };
        let mut files = Vec::with_capacity(manifest.files.len());
        for entry in &manifest.files {
            files.push(channel::File {
                name: entry.name.clone(),
                content_type: entry.content_type.clone(),
                sha256: entry.sha256.clone(),
                bytes: shelf.get(&edition.id, &manifest, &entry.name).await?,
            });
        }
        let link = self.link(&edition.report, &edition.scope, &edition.period, edition.version);
        let correction = match edition.version {
            1 => None,
            version => {
                let changes = match manifest.file("changes.json") {
                    Some(_) => {
                        let bytes = shelf.get(&edition.id, &manifest, "changes.json").await?;
                        serde_json::from_slice::<Changes>(&bytes).map(|changes| changes.count()).unwrap_or_default()
                    }
                    None => 0,
                };
                let count = |value: usize| locale::Value::Count(i64::try_from(value).unwrap_or(i64::MAX));
                let changed = format!("{link}/changes");
                Some(locale::message(
                    lang,
                    "edition-corrects",
                    &[
                        ("version", count(usize::try_from(version - 1).unwrap_or_default())),
                        ("cells", count(changes)),
                        ("link", (&changed).into()),
                    ],
                ))
            }
        };
        let completeness = &manifest.completeness;
        let fits = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Parcel {
            key: delivery.key.clone(),
            report: edition.report.clone(),
            title: texts.title.clone(),
            message: texts.message.clone(),
            scope: channel::Named { value: edition.scope.clone(), label: texts.scope.clone() },
            period: channel::Named { value: edition.period.clone(), label: locale::format_date(lang, edition.as_of) },
            version: edition.version,
            edition: edition.id.clone(),
            run_key: edition.run_key.clone(),
            link,
            published_at: edition.published_at,
            completeness: (completeness.of > 0).then(|| channel::Completeness {
                closed: fits(completeness.closed),
                of: fits(completeness.of),
                open: completeness.open.clone(),
            }),
            lang,
            person_level: summary.as_ref().is_none_or(|summary| summary.person_level),
            kpis: summary
                .iter()
                .flat_map(|summary| &summary.kpis)
                .map(|kpi| channel::Kpi {
                    title: kpi.title.clone(),
                    value: kpi.value.clone(),
                    changes: kpi.changes.clone(),
                })
                .collect(),
            picture,
            table: summary.and_then(|summary| summary.table).map(|table| channel::Table {
                title: table.title,
                columns: table.columns.into_iter().map(|(title, is_number)| Column { title, is_number }).collect(),
                rows: table.rows,
            }),
            correction,
            release: manifest.release.as_ref().map(|release| super::release_sentence(lang, release)),
            files,
            manifest: edition.manifest.clone().into(),
        })
    }
}

/// The id of a notice by what it is about: kind, schedule or alert, period or state, scope. The same thing is told once.
pub fn notice_id(about: &[&str]) -> String {
    sha256_hex(about.join("\n").as_bytes())
}

/// A row of the ledger that is to be sent; of what, its maker says.
pub(super) fn planned(
    key: String,
    channel: &str,
    recipient: &str,
    address: Option<&str>,
    lang: &str,
    at: Timestamp,
) -> DeliveryRow {
    DeliveryRow {
        key,
        run_id: None,
        edition: None,
        notice: None,
        channel: channel.to_owned(),
        recipient: recipient.to_owned(),
        address: address.map(str::to_owned),
        lang: lang.to_owned(),
        state: "rendered".into(),
        tries: 0,
        bytes: None,
        answer: String::new(),
        planned_at: at,
        changed_at: at,
        next_at: None,
    }
}

fn recipient(delivery: &DeliveryRow, lang: Lang) -> Recipient {
    Recipient {
        name: delivery.recipient.clone(),
        address: delivery.address.clone().filter(|address| !address.is_empty()),
        lang,
    }
}

fn refused(why: String) -> Outcome {
    Outcome { verdict: Verdict::Refused { why }, bytes: 0 }
}
