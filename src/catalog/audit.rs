//! The audit log: what happened, one record after the other, each with a hash over itself and the one before.
//!
//! A record that is changed, missing or in another place breaks the chain where it stands. Whoever can write the file can also
//! write a whole chain anew: only a hash that was noted elsewhere shows that, so `verify` takes one.
//!
//! Records are written by the ledger (`queries.rs`), those of statements with the statements' own rows in one transaction.
//! Several processes append to one chain: the number of a record is its key, and who finds it taken reads the end anew.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, QueryBuilder, Row, Sqlite, Transaction};

use super::{Catalog, QueryRow, decode, failed};
use crate::error::{Code, Error, Result};

/// Action of the record that older ones are dropped.
const DROPPED: &str = "audit_dropped";
/// Records read at a time.
const PAGE: i64 = 4096;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// What, in a word: `statement`, `login`, `token_created` ...
    pub action: String,
    /// Whose rights were used, or whom somebody claimed to be.
    pub principal: String,
    /// Everything else, by name.
    pub detail: Value,
}

/// A record of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// Its place, from 1 without gaps.
    pub sequence: i64,
    /// What happened.
    pub event: AuditEvent,
    /// SHA-256 of the hash before it and its own text, hexadecimal.
    pub hash: String,
}

/// A place in the chain: the number of a record and its hash. As text, `17:0f3a…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Number of the record; 0 before the first.
    pub sequence: i64,
    /// Its hash; empty before the first.
    pub hash: String,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.hash)
    }
}

impl FromStr for Link {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let link = text.split_once(':').and_then(|(sequence, hash)| Some((sequence.parse().ok()?, hash)));
        let is_hash = |hash: &str| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        match link.filter(|(_, hash)| is_hash(hash)) {
            Some((sequence, hash)) => Ok(Self { sequence, hash: hash.to_ascii_lowercase() }),
            None => Err(Error::new(
                Code::BadRequest,
                format!("`{text}` is no place in the audit log: write a record's number and hash, as `17:0f3a…`"),
            )),
        }
    }
}

/// A chain that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Records in it.
    pub records: i64,
    /// Where it begins: after what was dropped when its time was over.
    pub after: Link,
    /// Its last record.
    pub last: Link,
}

/// Which records.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Of this principal.
    pub principal: Option<String>,
    /// With this action.
    pub action: Option<String>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before the record of this number.
    pub before: Option<i64>,
    /// At most so many, the newest.
    pub limit: Option<i64>,
}

impl AuditEvent {
    /// What a statement's record says: that it began, that it was refused, or how it ended.
    pub(super) fn of_statement(row: &QueryRow, now: Timestamp) -> Self {
        let (at, action, detail) = match row.status.as_str() {
            "running" | "refused" => {
                let action = if row.status == "running" { "statement" } else { "statement_refused" };
                let detail = json!({
                    "query_id": row.query_id, "face": row.face, "sql": row.sql, "parameters": row.parameters,
                    "snapshot": row.snapshot_id, "rights": row.rights, "rollup": row.rollup, "cache": row.cache,
                    "code": row.error_code, "address": row.address, "credential": row.credential,
                });
                (row.started_at, action, detail)
            }
            _ => {
                let detail = json!({
                    "query_id": row.query_id, "status": row.status, "code": row.error_code, "rows": row.rows,
                    "bytes": row.bytes, "duration_ms": row.duration_ms,
                });
                (now, "statement_ended", detail)
            }
        };
        Self { at, action: action.to_owned(), principal: row.principal.clone(), detail }
    }

    /// The text that is hashed and kept.
    fn text(&self, sequence: i64) -> String {
        let Self { at, action, principal, detail } = self;
        let at = format!("{at:.6}"); // one length, so that times compare as texts
        json!({"sequence": sequence, "at": at, "action": action, "principal": principal, "detail": detail}).to_string()
    }
}

fn link(before: &str, record: &str) -> String {
    let digest = Sha256::new().chain_update(before.as_bytes()).chain_update(record.as_bytes()).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The end of the chain as this process last saw it.
#[derive(Debug, Default)]
pub(super) struct Chain(Option<Link>);

impl Chain {
    /// Appends statements of SQL that write the events, and gives the end that they make.
    pub(super) async fn append(
        &mut self,
        events: &[AuditEvent],
        into: &mut QueryBuilder<Sqlite>,
        tx: &mut Transaction<'static, Sqlite>,
    ) -> sqlx::Result<Link> {
        let mut end = match self.0.take() {
            Some(end) => end,
            None => {
                let row = sqlx::query("SELECT sequence, hash FROM audit_chain").fetch_one(&mut **tx).await?;
                Link { sequence: row.try_get("sequence")?, hash: row.try_get("hash")? }
            }
        };
        let mut rows = Vec::with_capacity(events.len());
        for event in events {
            let record = event.text(end.sequence + 1);
            end = Link { sequence: end.sequence + 1, hash: link(&end.hash, &record) };
            rows.push((end.clone(), record));
        }
        into.push("INSERT INTO audit (sequence, record, hash) ");
        into.push_values(rows, |mut values, (at, record)| {
            values.push_bind(at.sequence).push_bind(record).push_bind(at.hash);
        });
        into.push("; UPDATE audit_chain SET sequence = ").push_bind(end.sequence);
        into.push(", hash = ").push_bind(end.hash.clone()).push("; ");
        Ok(end)
    }

    /// The end now stands in the file.
    pub(super) fn stands_at(&mut self, end: Link) {
        self.0 = Some(end);
    }
}

/// Appends a record within a change that it belongs to, so that both stand or neither does. The ledger then finds its next number
/// taken, and reads the end anew.
pub(super) async fn append(tx: &mut Transaction<'static, Sqlite>, event: AuditEvent) -> sqlx::Result<()> {
    let mut insert = QueryBuilder::<Sqlite>::new("");
    Chain::default().append(&[event], &mut insert, tx).await?;
    insert.build().execute(&mut **tx).await?;
    Ok(())
}

impl FromRow<'_, SqliteRow> for AuditRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let record: Value = serde_json::from_str(row.try_get("record")?).map_err(decode)?;
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let at = text("at").parse().map_err(decode)?;
        let event =
            AuditEvent { at, action: text("action"), principal: text("principal"), detail: record["detail"].clone() };
        Ok(Self { sequence: row.try_get("sequence")?, event, hash: row.try_get("hash")? })
    }
}

impl AuditRow {
    /// As one line of JSON.
    pub fn to_json(&self) -> Value {
        let AuditEvent { at, action, principal, detail } = &self.event;
        json!({
            "sequence": self.sequence, "at": format!("{at:.6}"), "action": action, "principal": principal,
            "detail": detail, "hash": self.hash,
        })
    }
}

impl Catalog {
    /// Writes a record. Durable when it returns.
    pub async fn audit(&self, action: &str, principal: &str, detail: Value) -> Result<()> {
        self.inner.ledger.event(self.event(action, principal, detail)).await
    }

    pub(super) fn event(&self, action: &str, principal: &str, detail: Value) -> AuditEvent {
        AuditEvent { at: self.now(), action: action.to_owned(), principal: principal.to_owned(), detail }
    }

    /// Records, newest first.
    pub async fn audit_rows(&self, filter: &AuditFilter) -> Result<Vec<AuditRow>> {
        self.settle().await?;
        let mut query = QueryBuilder::<Sqlite>::new("SELECT sequence, record, hash FROM audit WHERE 1 = 1");
        if let Some(principal) = &filter.principal {
            query.push(" AND principal = ").push_bind(principal);
        }
        if let Some(action) = &filter.action {
            query.push(" AND action = ").push_bind(action);
        }
        if let Some(since) = filter.since {
            query.push(" AND at >= ").push_bind(format!("{since:.6}"));
        }
        if let Some(before) = filter.before {
            query.push(" AND sequence < ").push_bind(before);
        }
        query.push(" ORDER BY sequence DESC LIMIT ").push_bind(filter.limit.unwrap_or(-1));
        query.build_query_as().fetch_all(self.readers()).await.map_err(failed("reading the audit log"))
    }

    /// Checks the whole log: every record against its hash and its place. With `known`, a place that was noted before, also
    /// that it is still in the chain.
    ///
    /// # Errors
    /// `AUDIT`: the first record that was changed, is missing or stands elsewhere.
    pub async fn verify_audit(&self, known: Option<&Link>) -> Result<Verified> {
        self.settle().await?;
        let doing = || failed("reading the audit log");
        // One view of the file, whatever is appended meanwhile.
        let mut tx = self.readers().begin().await.map_err(doing())?;
        let chain = sqlx::query("SELECT dropped, base, sequence, hash FROM audit_chain").fetch_one(&mut *tx).await;
        let chain = chain.map_err(doing())?;
        let text = |name: &str| chain.try_get::<String, _>(name).map_err(doing());
        let number = |name: &str| chain.try_get::<i64, _>(name).map_err(doing());
        let after = Link { sequence: number("dropped")?, hash: text("base")? };
        let last = Link { sequence: number("sequence")?, hash: text("hash")? };
        let mut check = Check::after(after.clone(), known);
        loop {
            let page: Vec<(i64, String, String)> = sqlx::query_as(
                "SELECT sequence, record, hash FROM audit WHERE sequence > $1 ORDER BY sequence LIMIT $2",
            )
            .bind(check.end.sequence)
            .bind(PAGE)
            .fetch_all(&mut *tx)
            .await
            .map_err(doing())?;
            if page.is_empty() {
                break;
            }
            for (sequence, record, hash) in page {
                check.next(sequence, &record, hash)?;
            }
        }
        if check.end.sequence < last.sequence {
            return Err(missing(check.end.sequence + 1, last.sequence));
        }
        if check.end != last {
            return Err(broken(format!("record {} is not the one that was written last", last.sequence)));
        }
        check.finish(after)
    }

    /// Writes every record as a line of JSON to a new file, and says where the chain stands then.
    ///
    /// # Errors
    /// `CONFLICT` when the file exists; as [`Self::verify_audit`] for a log that does not hold, and then nothing is written.
    pub async fn export_audit(&self, file: &Path) -> Result<Verified> {
        let verified = self.verify_audit(None).await?;
        let mut rows = self.audit_rows(&AuditFilter::default()).await?;
        rows.retain(|row| row.sequence <= verified.last.sequence);
        let mut text = json!({"after": verified.after.to_string()}).to_string();
        text.push('\n');
        for row in rows.iter().rev() {
            text.push_str(&row.to_json().to_string());
            text.push('\n');
        }
        let written = std::fs::OpenOptions::new().write(true).create_new(true).open(file);
        let written = written.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
        match written {
            Ok(()) => Ok(verified),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(Error::new(Code::Conflict, format!("{} exists already; name another file", file.display())))
            }
            Err(error) => Err(Error::new(Code::BadRequest, format!("{} cannot be written: {error}", file.display()))),
        }
    }

    /// Drops records older than a time, from the oldest on. Gives how many. That it does is recorded before: a log that begins
    /// later than the records in it say does not hold.
    pub async fn drop_audit(&self, before: Timestamp) -> Result<i64> {
        let doing = || failed("dropping old audit records");
        self.settle().await?;
        let last: Option<(i64, String)> = sqlx::query_as(
            "SELECT sequence, hash FROM audit WHERE sequence < \
               (SELECT coalesce(min(sequence), (SELECT sequence + 1 FROM audit_chain)) FROM audit WHERE at >= $1) \
             ORDER BY sequence DESC LIMIT 1",
        )
        .bind(format!("{before:.6}"))
        .fetch_optional(self.readers())
        .await
        .map_err(doing())?;
        let Some((sequence, hash)) = last else { return Ok(0) };
        let detail = json!({"up_to": sequence, "older_than": format!("{before:.6}")});
        self.audit(DROPPED, "server", detail).await?;
        let mut tx = self.write().await?;
        let dropped = sqlx::query("DELETE FROM audit WHERE sequence <= $1").bind(sequence).execute(&mut *tx).await;
        let dropped = i64::try_from(dropped.map_err(doing())?.rows_affected()).unwrap_or(i64::MAX);
        sqlx::query("UPDATE audit_chain SET dropped = $1, base = $2")
            .bind(sequence)
            .bind(hash)
            .execute(&mut *tx)
            .await
            .map_err(doing())?;
        tx.commit().await.map_err(doing())?;
        Ok(dropped)
    }
}

/// Checks a file that [`Catalog::export_audit`] wrote.
///
/// # Errors
/// `AUDIT`: the first record that was changed, is missing or stands elsewhere; `BAD_REQUEST` for a file that is none.
pub fn verify_audit_file(file: &Path, known: Option<&Link>) -> Result<Verified> {
    let strange = |what: &str| Error::new(Code::BadRequest, format!("{}: {what}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| strange(&format!("it cannot be read: {error}")))?;
    let mut lines = text.lines().map(serde_json::from_str::<Value>);
    let mut line = || match lines.next() {
        None => Ok(None),
        Some(Ok(line)) => Ok(Some(line)),
        Some(Err(_)) => Err(strange("a line is not JSON")),
    };
    let first = line()?.and_then(|line| line["after"].as_str().map(str::to_owned));
    let after = first.ok_or_else(|| strange("it was not written by `audit export`"))?;
    let after = if after == "0:" { Link { sequence: 0, hash: String::new() } } else { after.parse()? };
    let mut check = Check::after(after.clone(), known);
    while let Some(mut line) = line()? {
        let sequence = line["sequence"].as_i64().unwrap_or_default();
        let hash = line["hash"].as_str().unwrap_or_default().to_owned();
        if let Some(fields) = line.as_object_mut() {
            fields.remove("hash");
        }
        check.next(sequence, &line.to_string(), hash)?;
    }
    check.finish(after)
}

/// Records on the way through a check.
struct Check<'a> {
    end: Link,
    records: i64,
    known: Option<&'a Link>,
    /// The known place was passed.
    met: bool,
    /// Where it begins, while no record said that those before were dropped.
    unsaid: Option<i64>,
}

impl<'a> Check<'a> {
    fn after(start: Link, known: Option<&'a Link>) -> Self {
        // What was noted may have been dropped in order since.
        let met = known.is_none_or(|known| known.sequence < start.sequence || *known == start);
        let unsaid = Some(start.sequence).filter(|sequence| *sequence > 0);
        Self { end: start, records: 0, known, met, unsaid }
    }

    fn next(&mut self, sequence: i64, record: &str, hash: String) -> Result<()> {
        let expected = self.end.sequence + 1;
        if sequence > expected {
            return Err(missing(expected, sequence - 1));
        }
        let fields: Value = serde_json::from_str(record).unwrap_or_default();
        match fields["sequence"].as_i64() {
            Some(said) if said != sequence => {
                return Err(broken(format!("record {sequence} stands in another's place: it says that it is {said}")));
            }
            _ if sequence != expected || link(&self.end.hash, record) != hash => {
                return Err(broken(format!("record {sequence} was changed, or the one before it")));
            }
            _ => {}
        }
        self.end = Link { sequence, hash };
        self.records += 1;
        if fields["action"] == DROPPED && fields["detail"]["up_to"].as_i64() == self.unsaid {
            self.unsaid = None;
        }
        if let Some(known) = self.known.filter(|known| known.sequence == sequence) {
            if *known != self.end {
                return Err(broken(format!(
                    "record {sequence} is not the one that was noted: the log was written anew"
                )));
            }
            self.met = true;
        }
        Ok(())
    }

    fn finish(self, after: Link) -> Result<Verified> {
        if let Some(dropped) = self.unsaid {
            return Err(missing(1, dropped));
        }
        match self.known.filter(|_| !self.met) {
            Some(known) => Err(missing(self.end.sequence + 1, known.sequence)),
            None => Ok(Verified { records: self.records, after, last: self.end }),
        }
    }
}

fn missing(first: i64, last: i64) -> Error {
    broken(match first == last {
        true => format!("record {first} is missing"),
        false => format!("records {first} to {last} are missing"),
    })
}

fn broken(what: String) -> Error {
    Error::new(Code::Audit, format!("the audit log does not hold: {what}"))
}
