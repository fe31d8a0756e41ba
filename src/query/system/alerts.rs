//! `system.alerts`: what happened to figures that alerts watch. Whoever may see as much as was read for one sees it; who looks
//! after publication sees that something happened, but neither what nor how much.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{BooleanArray, Date32Array, Int64Array};
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;

use super::{Door, SystemTable, keeps_publication, schema, table, texts, times, timestamp};
use crate::auth::Principal;
use crate::catalog::{AlertEventRow, AlertFilter, AlertRow};
use crate::error::Result;
use crate::warehouse::Snapshot;

/// Events that are shown, the latest; how everything stands is shown in any case.
const MOST: u32 = 100_000;
/// The state of what is not looked at any more.
const ENDED: &str = "ended";

pub(super) struct Alerts;

#[async_trait]
impl SystemTable for Alerts {
    fn name(&self) -> &'static str {
        "alerts"
    }

    fn description(&self) -> &'static str {
        "What happened to figures that alerts watch: raised, acknowledged, put off, over, without data, ended"
    }

    fn schema(&self) -> SchemaRef {
        schema(&[
            ("alert_id", DataType::Int64),
            ("report", DataType::Utf8),
            ("alert", DataType::Utf8),
            ("scope", DataType::Utf8),
            ("member", DataType::Utf8),
            ("at", timestamp()),
            ("was", DataType::Utf8),
            ("state", DataType::Utf8),
            ("is_current", DataType::Boolean),
            ("value", DataType::Utf8),
            ("as_of", DataType::Date32),
            ("snapshot_id", DataType::Int64),
            ("changed_by", DataType::Utf8),
            ("reason", DataType::Utf8),
            ("snoozed_until", timestamp()),
        ])
    }

    async fn provider(&self, door: &Door, principal: &Principal, _: &Arc<Snapshot>) -> Result<Arc<dyn TableProvider>> {
        let alerts = door.0.catalog.alerts(&AlertFilter::default()).await?;
        let events = door.0.catalog.alert_events(None, MOST).await?;
        let staff = keeps_publication(principal);
        // Readings are few beside rows.
        let mut known: HashMap<(String, String), bool> = HashMap::new();
        let mut sees = |report: &str, reading: &serde_json::Value| {
            let judge = || door.sees_record(principal, report, reading);
            *known.entry((report.to_owned(), reading.to_string())).or_insert_with(judge)
        };
        let by_id: HashMap<i64, &AlertRow> = alerts.iter().map(|alert| (alert.id, alert)).collect();
        let mut rows = Vec::with_capacity(events.len());
        // The latest first: the first that is met of an alert is how it stands, unless it ended.
        let (mut met, mut shown) = (HashSet::new(), HashSet::new());
        for event in &events {
            let Some(alert) = by_id.get(&event.alert_id).copied() else { continue };
            let is_current = met.insert(alert.id) && alert.state != ENDED;
            let is_whole = sees(&alert.report, &event.reading) && (!is_current || sees(&alert.report, &alert.reading));
            if !is_whole && !staff {
                continue;
            }
            if is_current {
                shown.insert(alert.id);
            }
            rows.push(Row { alert, event: Some(event), is_current, is_whole });
        }
        // What changed last before the events that are shown.
        for alert in alerts.iter().filter(|alert| alert.state != ENDED && !shown.contains(&alert.id)) {
            let is_whole = sees(&alert.report, &alert.reading);
            if is_whole || staff {
                rows.push(Row { alert, event: None, is_current: true, is_whole });
            }
        }
        table(
            self.schema(),
            vec![
                Arc::new(rows.iter().map(|row| Some(row.alert.id)).collect::<Int64Array>()),
                texts(rows.iter().map(|row| Some(&row.alert.report))),
                texts(rows.iter().map(|row| Some(&row.alert.alert))),
                texts(rows.iter().map(|row| Some(&row.alert.scope))),
                texts(rows.iter().map(|row| Some(&row.alert.member).filter(|_| row.is_whole))),
                times(rows.iter().map(|row| Some(row.event.map_or(row.alert.since, |event| event.at)))),
                texts(rows.iter().map(|row| row.event.and_then(|event| event.was.as_ref()))),
                texts(rows.iter().map(Row::state)),
                Arc::new(rows.iter().map(|row| Some(row.is_current)).collect::<BooleanArray>()),
                texts(rows.iter().map(|row| row.value())),
                Arc::new(rows.iter().map(|row| Some(row.as_of())).collect::<Date32Array>()),
                Arc::new(rows.iter().map(|row| Some(row.snapshot())).collect::<Int64Array>()),
                texts(rows.iter().map(|row| row.event.and_then(|event| event.changed_by.as_ref()))),
                texts(rows.iter().map(|row| row.reason())),
                times(rows.iter().map(|row| row.event.and_then(|event| event.until))),
            ],
        )
    }
}

/// Something that happened, or how it stands where that happened long ago.
struct Row<'a> {
    alert: &'a AlertRow,
    event: Option<&'a AlertEventRow>,
    /// The alert stands like this: its figures are those of the last evaluation.
    is_current: bool,
    /// With member, figure and reason.
    is_whole: bool,
}

impl<'a> Row<'a> {
    /// The event, where it is not the alert's own row that says how it stands.
    fn then(&self) -> Option<&'a AlertEventRow> {
        self.event.filter(|_| !self.is_current)
    }

    fn state(&self) -> Option<&'a String> {
        Some(self.then().map_or(&self.alert.state, |event| &event.state))
    }

    fn value(&self) -> Option<&'a String> {
        let value = self.then().map_or(self.alert.value.as_ref(), |event| event.value.as_ref());
        value.filter(|_| self.is_whole)
    }

    fn reason(&self) -> Option<&'a String> {
        self.event.and_then(|event| event.reason.as_ref()).filter(|_| self.is_whole)
    }

    fn as_of(&self) -> i32 {
        self.then().map_or(self.alert.as_of, |event| event.as_of)
    }

    fn snapshot(&self) -> i64 {
        self.then().map_or(self.alert.snapshot_id, |event| event.snapshot_id)
    }
}
