//! Alerts: how what they watch stands, and what happened to it. States are words here; what they mean, and what leads from one
//! to the next, is decided above. An evaluation is a run like any other: what it found, the notices that follow from it and its
//! own end are written in one transaction, by whoever still holds it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, QueryBuilder, Row, Sqlite, Transaction};

use super::audit::{self, AuditEvent};
use super::deliveries::DeliveryRow;
use super::notices::{self, NoticeRow};
use super::runs::{Claim, RunRow, lost};
use super::{Catalog, failed, json, micros, optional_time, time};
use crate::error::{Code, Error, Result};

/// How something that an alert watches stands.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRow {
    /// 0 before it is written.
    pub id: i64,
    pub report: String,
    /// Its name within the report.
    pub alert: String,
    /// The schema that it was judged in.
    pub scope: String,
    /// What that is called, by language tag.
    pub scope_label: BTreeMap<String, String>,
    /// The value that names the row; empty where the alert watches one figure.
    pub member: String,
    /// What it is called, by language tag.
    pub label: BTreeMap<String, String>,
    /// `ok`, `pending`, `firing`, `acknowledged`, `no_data` or `ended`.
    pub state: String,
    /// With no data: `firing` or `acknowledged` where it was that before.
    pub held: Option<String>,
    /// Evaluations in a row in which the condition held.
    pub streak: u32,
    /// What people were told last: `ok`, `firing` or `no_data`.
    pub told: String,
    /// The same of programs, which are told though people asked for quiet.
    pub told_programs: String,
    /// What was judged, as it was read: the same again is not another run.
    pub seen: String,
    /// The figure, exactly; none where there was none.
    pub value: Option<String>,
    /// Days since 1970-01-01.
    pub as_of: i32,
    /// Where it was judged last.
    pub snapshot_id: i64,
    /// What its readers must be allowed to see.
    pub reading: serde_json::Value,
    /// Since when it stands like this.
    pub since: Timestamp,
    pub checked_at: Timestamp,
    pub acknowledged_by: Option<String>,
    pub acknowledged_why: Option<String>,
    pub snoozed_by: Option<String>,
    pub snoozed_why: Option<String>,
    /// Nobody is told of it before.
    pub snoozed_until: Option<Timestamp>,
}

impl FromRow<'_, SqliteRow> for AlertRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            report: row.try_get("report")?,
            alert: row.try_get("alert")?,
            scope: row.try_get("scope")?,
            scope_label: json(row, "scope_label")?,
            member: row.try_get("member")?,
            label: json(row, "label")?,
            state: row.try_get("state")?,
            held: row.try_get("held")?,
            streak: row.try_get("streak")?,
            told: row.try_get("told")?,
            told_programs: row.try_get("told_programs")?,
            seen: row.try_get("seen")?,
            value: row.try_get("value")?,
            as_of: row.try_get("as_of")?,
            snapshot_id: row.try_get("snapshot_id")?,
            reading: json(row, "reading")?,
            since: time(row, "since")?,
            checked_at: time(row, "checked_at")?,
            acknowledged_by: row.try_get("acknowledged_by")?,
            acknowledged_why: row.try_get("acknowledged_why")?,
            snoozed_by: row.try_get("snoozed_by")?,
            snoozed_why: row.try_get("snoozed_why")?,
            snoozed_until: optional_time(row, "snoozed_until")?,
        })
    }
}

/// Something that happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertEventRow {
    pub id: i64,
    /// Of which [`AlertRow`].
    pub alert_id: i64,
    pub at: Timestamp,
    /// The state before; none: it was looked at for the first time.
    pub was: Option<String>,
    pub state: String,
    pub value: Option<String>,
    pub as_of: i32,
    pub snapshot_id: i64,
    /// What its readers must be allowed to see.
    pub reading: serde_json::Value,
    /// Who did it; none: an evaluation.
    pub changed_by: Option<String>,
    pub reason: Option<String>,
    /// Until when nobody is told, where somebody asked for that.
    pub until: Option<Timestamp>,
}

impl FromRow<'_, SqliteRow> for AlertEventRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            alert_id: row.try_get("alert_id")?,
            at: time(row, "at")?,
            was: row.try_get("was")?,
            state: row.try_get("state")?,
            value: row.try_get("value")?,
            as_of: row.try_get("as_of")?,
            snapshot_id: row.try_get("snapshot_id")?,
            reading: json(row, "reading")?,
            changed_by: row.try_get("changed_by")?,
            reason: row.try_get("reason")?,
            until: optional_time(row, "until")?,
        })
    }
}

/// What is asked for of how things stand.
#[derive(Debug, Clone, Default)]
pub struct AlertFilter<'a> {
    /// In one of these states; in any where none is named.
    pub states: &'a [&'a str],
    /// In these schemas; in all where there is none.
    pub scopes: Option<&'a BTreeSet<String>>,
    /// Further down the list than this row: its time and number.
    pub below: Option<(Timestamp, i64)>,
    /// Most rows; all where there is none.
    pub limit: Option<u32>,
}

/// What an evaluation leaves.
#[derive(Debug, Clone, Default)]
pub struct AlertVerdict {
    /// The run's state afterwards: `succeeded`, `failed` or `dead`.
    pub ending: &'static str,
    /// Rows that are new or stand otherwise than before.
    pub rows: Vec<AlertRow>,
    /// Numbers of those that stand as before, by the day that their figures stand for.
    pub same: BTreeMap<i32, Vec<i64>>,
    pub notices: Vec<(NoticeRow, Vec<DeliveryRow>)>,
    /// Why the run ended so.
    pub message: String,
    pub result: serde_json::Value,
}

impl Catalog {
    /// Ends the evaluation of an alert at a snapshot: `judge` is given how all that it watches stands, without what ended before
    /// this snapshot, and says what follows. Nobody writes between the two.
    ///
    /// Errors: `BUSY` when the claim was lost; those of `judge`.
    pub async fn settle_alert(
        &self,
        claim: &Claim,
        report: &str,
        alert: &str,
        snapshot: i64,
        judge: &(dyn Fn(&[AlertRow]) -> Result<AlertVerdict> + Sync),
    ) -> Result<AlertVerdict> {
        let doing = failed("settling an alert");
        let mut tx = self.write().await?;
        let before: Vec<AlertRow> = sqlx::query_as(
            "SELECT * FROM alert WHERE report = $1 AND alert = $2 AND (state <> 'ended' OR snapshot_id > $3)",
        )
        .bind(report)
        .bind(alert)
        .bind(snapshot)
        .fetch_all(&mut *tx)
        .await
        .map_err(&doing)?;
        let verdict = judge(&before)?;
        let ended = sqlx::query(
            "UPDATE run SET state = $3, process = NULL, lease_until = NULL, finished_at = $4, message = $5, result = $6 \
             WHERE id = $1 AND fence = $2 AND state = 'running'",
        )
        .bind(claim.run.id)
        .bind(claim.run.fence)
        .bind(verdict.ending)
        .bind(micros(self.now()))
        .bind(&verdict.message)
        .bind(verdict.result.to_string())
        .execute(&mut *tx)
        .await
        .map_err(&doing)?;
        if ended.rows_affected() == 0 {
            return Err(lost());
        }
        let states: HashMap<i64, &str> = before.iter().map(|row| (row.id, row.state.as_str())).collect();
        for row in &verdict.rows {
            let was = states.get(&row.id).copied();
            let id = write(&mut tx, row).await?;
            if was != Some(row.state.as_str()) {
                event(&mut tx, row, id, was, row.checked_at, None).await.map_err(&doing)?;
            }
        }
        for (as_of, ids) in &verdict.same {
            let ids = serde_json::json!(ids).to_string();
            sqlx::query(
                "UPDATE alert SET as_of = $1, snapshot_id = $2, checked_at = $3 \
                 WHERE id IN (SELECT value FROM json_each($4))",
            )
            .bind(*as_of)
            .bind(snapshot)
            .bind(micros(self.now()))
            .bind(ids)
            .execute(&mut *tx)
            .await
            .map_err(&doing)?;
        }
        for (notice, sendings) in &verdict.notices {
            // The rows above say that it was told: that must not be written of a message that is not.
            if !notices::insert(&mut tx, notice, sendings).await? {
                return Err(Error::new(Code::Internal, "a message of an alert has the id of another one"));
            }
        }
        tx.commit().await.map_err(&doing)?;
        Ok(verdict)
    }

    /// Ends what belongs to alerts that are not defined any more and was judged before a snapshot; nobody is told. `defined`: report
    /// and name.
    pub async fn end_alerts(&self, defined: &BTreeSet<(String, String)>, snapshot: i64) -> Result<()> {
        let doing = failed("ending alerts");
        let known: Vec<(String, String)> =
            sqlx::query_as("SELECT DISTINCT report, alert FROM alert WHERE state <> 'ended' AND snapshot_id < $1")
                .bind(snapshot)
                .fetch_all(self.readers())
                .await
                .map_err(&doing)?;
        for (report, alert) in known.into_iter().filter(|name| !defined.contains(name)) {
            let now = micros(self.now());
            let mut tx = self.write().await?;
            for statement in [
                "INSERT INTO alert_event (alert_id, at, was, state, as_of, snapshot_id, reading) \
                 SELECT id, $4, state, 'ended', as_of, snapshot_id, reading FROM alert \
                 WHERE report = $1 AND alert = $2 AND state <> 'ended' AND snapshot_id < $3 ORDER BY id",
                "UPDATE alert SET state = 'ended', held = NULL, streak = 0, told = 'ok', told_programs = 'ok', value = NULL, \
                 since = $4, acknowledged_by = NULL, acknowledged_why = NULL, snoozed_by = NULL, snoozed_why = NULL, \
                 snoozed_until = NULL WHERE report = $1 AND alert = $2 AND state <> 'ended' AND snapshot_id < $3",
            ] {
                sqlx::query(statement)
                    .bind(&report)
                    .bind(&alert)
                    .bind(snapshot)
                    .bind(now)
                    .execute(&mut *tx)
                    .await
                    .map_err(&doing)?;
            }
            tx.commit().await.map_err(&doing)?;
        }
        Ok(())
    }

    /// The latest evaluation of an alert that was not cancelled, by the name of its runs.
    pub async fn last_evaluation(&self, name: &str) -> Result<Option<RunRow>> {
        sqlx::query_as("SELECT * FROM run WHERE schedule = $1 AND state <> 'cancelled' ORDER BY id DESC LIMIT 1")
            .bind(name)
            .fetch_optional(self.readers())
            .await
            .map_err(failed("reading the latest evaluation"))
    }

    /// Somebody says that they know of it; whether it was raised and not acknowledged. It is audited with it.
    pub async fn acknowledge_alert(&self, id: i64, by: &str, why: &str) -> Result<bool> {
        let doing = failed("acknowledging an alert");
        let now = self.now();
        let mut tx = self.write().await?;
        let row: Option<AlertRow> = sqlx::query_as(
            "UPDATE alert SET state = 'acknowledged', since = $2, acknowledged_by = $3, acknowledged_why = $4 \
             WHERE id = $1 AND state = 'firing' RETURNING *",
        )
        .bind(id)
        .bind(micros(now))
        .bind(by)
        .bind(why)
        .fetch_optional(&mut *tx)
        .await
        .map_err(&doing)?;
        if let Some(row) = &row {
            event(&mut tx, row, id, Some("firing"), now, Some((by, why))).await.map_err(&doing)?;
            audit::append(&mut tx, self.said(row, "acknowledge", by, why)).await.map_err(&doing)?;
        }
        tx.commit().await.map_err(&doing)?;
        Ok(row.is_some())
    }

    /// People are not told of it before a time; none: from now on they are again. Whether it was there. It is audited with it.
    pub async fn snooze_alert(&self, id: i64, by: &str, until: Option<Timestamp>, why: &str) -> Result<bool> {
        let doing = failed("putting off an alert");
        let now = self.now();
        let mut tx = self.write().await?;
        let row: Option<AlertRow> = sqlx::query_as(
            "UPDATE alert SET snoozed_by = $2, snoozed_why = $3, snoozed_until = $4 WHERE id = $1 RETURNING *",
        )
        .bind(id)
        .bind(until.map(|_| by))
        .bind(until.map(|_| why))
        .bind(until.map(micros))
        .fetch_optional(&mut *tx)
        .await
        .map_err(&doing)?;
        if let Some(row) = &row {
            event(&mut tx, row, id, Some(&row.state), now, Some((by, why))).await.map_err(&doing)?;
            let what = if until.is_some() { "snooze" } else { "wake" };
            audit::append(&mut tx, self.said(row, what, by, why)).await.map_err(&doing)?;
        }
        tx.commit().await.map_err(&doing)?;
        Ok(row.is_some())
    }

    /// The record of what somebody says; without the member, which may be a person.
    fn said(&self, row: &AlertRow, what: &str, by: &str, why: &str) -> AuditEvent {
        let until = row.snoozed_until.filter(|_| what == "snooze").map(|until| until.to_string());
        let detail = serde_json::json!({
            "do": what, "alert": row.id, "report": row.report, "name": row.alert, "scope": row.scope, "until": until, "reason": why,
        });
        self.event("alert", by, detail)
    }

    /// How everything stands that alerts watch, what changed last first.
    pub async fn alerts(&self, filter: &AlertFilter<'_>) -> Result<Vec<AlertRow>> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM alert WHERE 1 = 1");
        if !filter.states.is_empty() {
            let states = serde_json::json!(filter.states).to_string();
            query.push(" AND state IN (SELECT value FROM json_each(").push_bind(states).push("))");
        }
        if let Some(scopes) = filter.scopes {
            let scopes = serde_json::json!(scopes).to_string();
            query.push(" AND scope IN (SELECT value FROM json_each(").push_bind(scopes).push("))");
        }
        if let Some((since, id)) = filter.below {
            query.push(" AND (since, id) < (").push_bind(micros(since)).push(", ").push_bind(id).push(")");
        }
        query.push(" ORDER BY since DESC, id DESC LIMIT ").push_bind(filter.limit.map_or(-1, i64::from));
        query.build_query_as().fetch_all(self.readers()).await.map_err(failed("reading the alerts"))
    }

    /// One of them.
    pub async fn alert(&self, id: i64) -> Result<Option<AlertRow>> {
        sqlx::query_as("SELECT * FROM alert WHERE id = $1")
            .bind(id)
            .fetch_optional(self.readers())
            .await
            .map_err(failed("reading an alert"))
    }

    /// What happened to one of them, or to all, the latest first.
    pub async fn alert_events(&self, alert_id: Option<i64>, limit: u32) -> Result<Vec<AlertEventRow>> {
        let query = match alert_id {
            Some(id) => sqlx::query_as("SELECT * FROM alert_event WHERE alert_id = $2 ORDER BY id DESC LIMIT $1")
                .bind(limit)
                .bind(id),
            None => sqlx::query_as("SELECT * FROM alert_event ORDER BY id DESC LIMIT $1").bind(limit),
        };
        query.fetch_all(self.readers()).await.map_err(failed("reading what happened to alerts"))
    }
}

/// Writes a row; its number.
async fn write(tx: &mut Transaction<'_, Sqlite>, row: &AlertRow) -> Result<i64> {
    let written = |label: &BTreeMap<String, String>| {
        serde_json::to_string(label)
            .map_err(|error| Error::internal("the label of an alert cannot be written as JSON", error))
    };
    sqlx::query_scalar(
        "INSERT INTO alert (report, alert, scope, member, label, state, held, streak, told, seen, value, as_of, snapshot_id, reading, \
         since, checked_at, acknowledged_by, acknowledged_why, snoozed_by, snoozed_why, snoozed_until, scope_label, told_programs) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23) \
         ON CONFLICT (report, alert, scope, member) DO UPDATE SET label = excluded.label, state = excluded.state, \
         held = excluded.held, streak = excluded.streak, told = excluded.told, seen = excluded.seen, value = excluded.value, \
         as_of = excluded.as_of, snapshot_id = excluded.snapshot_id, reading = excluded.reading, since = excluded.since, \
         checked_at = excluded.checked_at, acknowledged_by = excluded.acknowledged_by, \
         acknowledged_why = excluded.acknowledged_why, snoozed_by = excluded.snoozed_by, snoozed_why = excluded.snoozed_why, \
         snoozed_until = excluded.snoozed_until, scope_label = excluded.scope_label, \
         told_programs = excluded.told_programs RETURNING id",
    )
    .bind(&row.report)
    .bind(&row.alert)
    .bind(&row.scope)
    .bind(&row.member)
    .bind(written(&row.label)?)
    .bind(&row.state)
    .bind(&row.held)
    .bind(row.streak)
    .bind(&row.told)
    .bind(&row.seen)
    .bind(&row.value)
    .bind(row.as_of)
    .bind(row.snapshot_id)
    .bind(row.reading.to_string())
    .bind(micros(row.since))
    .bind(micros(row.checked_at))
    .bind(&row.acknowledged_by)
    .bind(&row.acknowledged_why)
    .bind(&row.snoozed_by)
    .bind(&row.snoozed_why)
    .bind(row.snoozed_until.map(micros))
    .bind(written(&row.scope_label)?)
    .bind(&row.told_programs)
    .fetch_one(&mut **tx)
    .await
    .map_err(failed("writing an alert"))
}

/// Adds what happened: by an evaluation, or by somebody who says why.
async fn event(
    tx: &mut Transaction<'_, Sqlite>,
    row: &AlertRow,
    id: i64,
    was: Option<&str>,
    at: Timestamp,
    by: Option<(&str, &str)>,
) -> sqlx::Result<()> {
    let until = row.snoozed_until.filter(|_| by.is_some() && was == Some(row.state.as_str()));
    sqlx::query(
        "INSERT INTO alert_event (alert_id, at, was, state, value, as_of, snapshot_id, changed_by, reason, until, reading) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(id)
    .bind(micros(at))
    .bind(was)
    .bind(&row.state)
    .bind(&row.value)
    .bind(row.as_of)
    .bind(row.snapshot_id)
    .bind(by.map(|(by, _)| by))
    .bind(by.map(|(_, why)| why))
    .bind(until.map(micros))
    .bind(row.reading.to_string())
    .execute(&mut **tx)
    .await?;
    Ok(())
}
