//! Alerts: figures of reports that are looked at when new data are there, and people who are told when they cross a threshold.
//!
//! In: a claimed run that is for one alert at one snapshot. Out: how each member stands, what happened to it, and the notices
//! that follow, in one transaction with the end of the run. The alert's one dataset is read through the query door with its
//! role's rights, in head office and, with `burst`, in each branch with the branch's own rows: who may see what comes of it is
//! judged by that reading, as with editions. What cannot be read is said to have no data; it never reads as in order.

mod condition;
mod state;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize as _;
use serde_json::json;

use self::condition::judge;
pub use self::state::State;
use self::state::{Memory, Seen};
use super::delivery::planned;
use super::retry::again_at;
use super::{Published, Publisher, channel, fail_point, notice_id};
use crate::auth::{Principal, Scope};
use crate::catalog::{
    AlertEventRow, AlertRow, AlertVerdict, Claim, DeliveryRow, Ending, NewRun, NoticeRow, NoticeText, RunRow,
};
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::locale::{self, Lang, format_date};
use crate::model::report::{Alert, Clear, Condition, Report, To};
use crate::model::role::BUILT_IN;
use crate::model::{Diagnostic, Label, Located};
use crate::query::{HEAD_OFFICE, HeadInfo, Reading};
use crate::report::value::{Number, Value};
use crate::report::{self, Ask};

/// What stands between report and alert in the name of a run.
const BETWEEN: &str = "/alerts/";
/// Members that a message lists.
const LISTED: usize = 40;
/// Rows that an alert judges, of all parts of the bank together: they are judged while nobody else writes.
const MOST_ROWS: usize = 20_000;
/// Last word of a run that reads nothing and says so: the server ended too often during the one before.
const UNREAD: &str = "unread";
/// Processes with different definitions of one alert judge it in turns, and not more often than this.
const TURN: SignedDuration = SignedDuration::from_mins(10);

/// An alert of a report.
#[derive(Debug, Clone, Copy)]
pub struct Watch<'a> {
    pub report: &'a Report,
    pub alert: &'a Alert,
}

impl Watch<'_> {
    /// `report/alerts/id`: the name of its runs.
    pub fn name(&self) -> String {
        format!("{}{BETWEEN}{}", *self.report.name, *self.alert.id)
    }

    /// What it is about; its name where nothing is said.
    pub fn title(&self, lang: Lang) -> &str {
        match lang.pick(&self.alert.title) {
            "" => self.alert.id.as_str(),
            title => title,
        }
    }

    /// Whether its rows are about single persons.
    pub fn is_about_persons(&self) -> bool {
        self.report.datasets.iter().any(|dataset| *dataset.name == *self.alert.dataset && dataset.person_level)
    }
}

/// What an alert is read with.
#[derive(Debug, Clone)]
struct Part {
    principal: Principal,
    schema: String,
    reading: Reading,
}

/// What was read of one part.
#[derive(Debug, Clone)]
struct Look {
    schema: String,
    /// As it is kept.
    reading: serde_json::Value,
    as_of: i32,
    /// What the part is called, by language.
    scope: Label,
    /// None: it could not be read.
    rows: Option<Vec<Found>>,
    to: Vec<Addressee>,
}

impl Look {
    /// A part of which only is known how something stood in it.
    fn of(row: &AlertRow, to: Vec<Addressee>) -> Self {
        Self {
            schema: row.scope.clone(),
            reading: row.reading.clone(),
            as_of: row.as_of,
            scope: row.scope_label.clone(),
            rows: None,
            to,
        }
    }
}

/// A row that was judged.
#[derive(Debug, Clone, PartialEq)]
struct Found {
    member: String,
    label: Label,
    seen: Seen,
    /// What it was judged by, as it was read.
    text: String,
    value: Option<String>,
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Addressee {
    channel: String,
    recipient: String,
    /// None where it is not sent to a person.
    address: Option<String>,
}

/// What a run is for, and when it is.
#[derive(Debug, Clone)]
struct Occasion {
    logical: String,
    /// Rises with each try.
    fence: i64,
    snapshot: i64,
    now: Timestamp,
}

/// What is to be told of one row.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    people: Option<State>,
    programs: Option<State>,
}

/// What is to be told of one part.
#[derive(Debug, Default)]
struct News {
    people: Vec<(AlertRow, State)>,
    programs: Vec<(AlertRow, State)>,
}

/// What a run of an alert is for, as it stands in its name: `<snapshot> <digest>`, and more where that was asked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Question<'a> {
    snapshot: i64,
    digest: &'a str,
    is_unread: bool,
}

impl<'a> Question<'a> {
    fn parse(logical: &'a str) -> Option<Self> {
        let mut words = logical.split(' ');
        let snapshot = words.next()?.parse().ok()?;
        Some(Self { snapshot, digest: words.next()?, is_unread: words.any(|word| word == UNREAD) })
    }
}

/// What is to be planned beside the latest evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Next {
    Nothing,
    /// The question itself.
    First,
    /// The server ended too often during it.
    Unread(String),
    /// Another definition asks about the same snapshot: what is asked where the question was asked before, and when that other one
    /// was answered, if it was.
    Changed(String, Option<Timestamp>),
}

/// What follows from the latest evaluation for a question.
fn next(logical: &str, last: Option<&RunRow>) -> Next {
    let Some(last) = last else { return Next::First };
    let (Some(asked), Some(judged)) = (Question::parse(logical), Question::parse(&last.logical)) else {
        return Next::First;
    };
    match judged.snapshot.cmp(&asked.snapshot) {
        std::cmp::Ordering::Less => Next::First,
        std::cmp::Ordering::Greater => Next::Nothing,
        std::cmp::Ordering::Equal if judged.digest == asked.digest => {
            // What came to its own end says how many rows it judged.
            let is_crashed = last.state == "dead" && last.result.get("judged").is_none() && !judged.is_unread;
            if is_crashed { Next::Unread(format!("{} {UNREAD}", last.logical)) } else { Next::Nothing }
        }
        std::cmp::Ordering::Equal => Next::Changed(format!("{logical} after {}", last.id), last.finished_at),
    }
}

/// By which the definition of a report is told from others, in the names of runs.
fn digest(report: &Report) -> &str {
    report.digest.get(..12).unwrap_or(&report.digest)
}

/// A reading as it is kept, with the roles that open the report.
fn kept(reading: &Reading, report: &Report) -> Result<serde_json::Value> {
    let mut kept = serde_json::to_value(reading).map_err(|error| Error::internal("cannot write a reading", error))?;
    kept["audience"] = json!(report.audience);
    Ok(kept)
}

impl Publisher {
    /// All alerts, by report.
    pub fn watches(&self) -> impl Iterator<Item = Watch<'_>> {
        self.0.reports.iter().flat_map(|report| report.alerts.iter().map(move |alert| Watch { report, alert }))
    }

    /// The alert of a report.
    pub fn watch(&self, report: &str, alert: &str) -> Option<Watch<'_>> {
        self.watches().find(|watch| *watch.report.name == report && *watch.alert.id == alert)
    }

    /// The alert whose runs have this name.
    pub(super) fn watch_of(&self, name: &str) -> Option<Watch<'_>> {
        let (report, alert) = name.split_once(BETWEEN)?;
        self.watch(report, alert)
    }

    /// The evaluations that a snapshot asks for: name, and what it is for. A definition that changed is another question.
    fn evaluations(&self, snapshot: i64) -> Vec<(String, String)> {
        let one = |watch: Watch<'_>| (watch.name(), format!("{snapshot} {}", digest(watch.report)));
        self.watches().map(one).collect()
    }

    /// Whether somebody may see today how something stands that an alert watches: the report, and as much of the bank as was read
    /// for it.
    pub fn may_see(&self, principal: &Principal, row: &AlertRow) -> bool {
        self.may_see_with(principal, row, &row.reading)
    }

    /// Whether somebody who may see how it stands may see what happened to it then, too.
    pub fn may_see_event(&self, principal: &Principal, row: &AlertRow, event: &AlertEventRow) -> bool {
        self.may_see_with(principal, row, &event.reading)
    }

    fn may_see_with(&self, principal: &Principal, row: &AlertRow, reading: &serde_json::Value) -> bool {
        self.watch(&row.report, &row.alert).is_some_and(|watch| report::may_open(&self.0.door, watch.report, principal))
            && self.0.door.sees_record(principal, &row.report, reading)
    }

    /// A figure as the alert's definition shows it.
    pub fn shown(&self, watch: Watch<'_>, lang: Lang, figure: &str) -> String {
        match Number::parse(figure) {
            Some(number) => report::figure(number, &watch.alert.format, self.0.door.model(), lang),
            None => figure.to_owned(),
        }
    }

    /// When an alert is raised and when it is over, in one sentence.
    pub fn conditions(&self, watch: Watch<'_>, lang: Lang) -> String {
        let alert = watch.alert;
        let say = |key: &str, values: &[(&str, &str)]| {
            let values: Vec<(&str, locale::Value<'_>)> =
                values.iter().map(|(name, value)| (*name, (*value).into())).collect();
            locale::message(lang, key, &values)
        };
        let shown = |limit: &String| self.shown(watch, lang, limit);
        let raise = match &alert.raise {
            Condition::Above(limit) => say("alert-above", &[("limit", shown(limit).as_str())]),
            Condition::Below(limit) => say("alert-below", &[("limit", shown(limit).as_str())]),
            Condition::Outside(low, high) => {
                say("alert-outside", &[("low", shown(low).as_str()), ("high", shown(high).as_str())])
            }
            Condition::Change { against, percent } => {
                say("alert-change-above", &[("against", against.as_str()), ("percent", percent.as_str())])
            }
            Condition::Missing => say("alert-missing", &[]),
        };
        let raise = match alert.runs {
            1 => raise,
            runs => {
                locale::message(lang, "alert-for", &[("condition", (&raise).into()), ("runs", i64::from(runs).into())])
            }
        };
        let clear = alert.clear.as_ref().map(|clear| match clear {
            Clear::Above(limit) => say("alert-above", &[("limit", shown(limit).as_str())]),
            Clear::Below(limit) => say("alert-below", &[("limit", shown(limit).as_str())]),
            Clear::Inside(low, high) => {
                say("alert-inside", &[("low", shown(low).as_str()), ("high", shown(high).as_str())])
            }
            Clear::Change(percent) => say("alert-change-below", &[("percent", percent.as_str())]),
        });
        match clear {
            None => say("alert-condition", &[("raise", raise.as_str())]),
            Some(clear) => say("alert-condition-clear", &[("raise", raise.as_str()), ("clear", clear.as_str())]),
        }
    }

    /// Plans the evaluations that a snapshot asks for, and ends what belongs to alerts that are not defined any more.
    ///
    /// # Errors
    /// The catalog's.
    pub async fn plan_evaluations(&self, snapshot: i64) -> Result<()> {
        let catalog = &self.0.catalog;
        for (name, logical) in self.evaluations(snapshot) {
            let last = catalog.last_evaluation(&name).await?;
            let asked = match next(&logical, last.as_ref()) {
                Next::Nothing => continue,
                Next::First => logical,
                Next::Unread(logical) => logical,
                Next::Changed(again, since) => match catalog.has_run(&name, &logical).await? {
                    false => logical,
                    true if since.is_some_and(|since| since + TURN <= self.0.clock.now()) => again,
                    true => continue,
                },
            };
            let new = NewRun {
                schedule: &name,
                logical: &asked,
                cause: "alert",
                by: None,
                as_of: None,
                partial: false,
                state: "ready",
                message: "",
            };
            catalog.plan_run(&new).await?;
        }
        let defined = self.watches().map(|watch| (watch.report.name.value.clone(), watch.alert.id.value.clone()));
        catalog.end_alerts(&defined.collect(), snapshot).await
    }

    /// Does a claimed run of an alert to its end.
    ///
    /// Errors: `BUSY` when the claim was lost; the catalog's own faults. What cannot be read is recorded, not returned.
    pub(super) async fn evaluate(&self, claim: &Claim, watch: Watch<'_>) -> Result<Published> {
        let (run, now) = (&claim.run, self.0.clock.now());
        let nothing =
            |message: &str| Published { editions: 0, unchanged: 0, deliveries: 0, message: message.to_owned() };
        let Some(question) = Question::parse(&run.logical) else {
            let message = "a run of an alert without a snapshot";
            self.0.catalog.end_run(claim, Ending::Failed, message, &json!({})).await?;
            return Ok(nothing(message));
        };
        if question.digest != digest(watch.report) {
            // Another process knows that definition, or nobody does any more.
            let message = "planned for another definition of the report";
            let again = again_at(now, run.tries, &format!("run {}", run.id));
            let ending = again.map_or(Ending::Cancelled(message), Ending::Again);
            self.0.catalog.end_run(claim, ending, message, &json!({})).await?;
            return Ok(nothing(message));
        }
        let snapshot = question.snapshot;
        let looked = if question.is_unread {
            Err(Error::new(Code::Limit, "The server ended several times while this was read."))
        } else {
            tokio::select! {
                looked = self.look(claim, watch, snapshot) => looked,
                () = claim.lost.cancelled() => {
                    return Err(Error::new(Code::Busy, "The run was taken over by another process."));
                }
            }
        };
        let occasion = Occasion { logical: run.logical.clone(), fence: run.fence, snapshot, now: self.0.clock.now() };
        let (report, alert) = (watch.report.name.as_str(), watch.alert.id.as_str());
        let verdict = match looked {
            Ok((looks, faults)) => {
                fail_point("alert.before_settle");
                let judge = |before: &[AlertRow]| -> Result<AlertVerdict> {
                    Ok(self.verdict(watch, &looks, &occasion, &faults, before))
                };
                self.0.catalog.settle_alert(claim, report, alert, snapshot, &judge).await?
            }
            Err(error) if error.code() == Code::Busy && claim.lost.is_cancelled() => return Err(error),
            Err(error) => {
                let message = error.message().to_owned();
                let code = json!(error.code().as_str());
                tracing::warn!(?error, alert = run.schedule, "an alert was not judged");
                let state = match super::ending(&error, occasion.now, run) {
                    again @ Ending::Again(_) => {
                        self.0.catalog.end_run(claim, again, &message, &json!({"code": code})).await?;
                        return Ok(nothing(&message));
                    }
                    Ending::Dead => "dead",
                    _ => "failed",
                };
                // It is not tried again: of nothing is known how it stands.
                let parts = self.alert_parts(watch).await.unwrap_or_default();
                let to = self.addressees(watch, &parts).await.unwrap_or_else(|_| vec![Vec::new(); parts.len()]);
                let day = self.0.door.head_at(snapshot).await.ok().map(|head| head.as_of);
                let faults = [message];
                let judge = |before: &[AlertRow]| -> Result<AlertVerdict> {
                    let looks = unread(watch, &parts, &to, day, before)?;
                    let mut verdict = self.verdict(watch, &looks, &occasion, &faults, before);
                    verdict.ending = state;
                    verdict.result["code"] = code.clone();
                    Ok(verdict)
                };
                self.0.catalog.settle_alert(claim, report, alert, snapshot, &judge).await?
            }
        };
        fail_point("alert.after_settle");
        let deliveries = verdict.notices.iter().map(|(_, sendings)| sendings.len()).sum();
        Ok(Published { deliveries, ..nothing(&verdict.message) })
    }

    /// Reads everything that is judged, at the run's snapshot: what was read, and what could not be read.
    async fn look(&self, claim: &Claim, watch: Watch<'_>, snapshot: i64) -> Result<(Vec<Look>, Vec<String>)> {
        let run = &claim.run;
        let head = self.0.door.head_at(snapshot).await?;
        let parts = self.alert_parts(watch).await?;
        let addressees = self.addressees(watch, &parts).await?;
        let mut looks = Vec::with_capacity(parts.len());
        let mut faults = Vec::new();
        let mut judged = 0;
        for (part, to) in parts.iter().zip(addressees) {
            let mut look = Look {
                schema: part.schema.clone(),
                reading: kept(&part.reading, watch.report)?,
                as_of: head.as_of,
                scope: Label::new(),
                rows: None,
                to,
            };
            let found = self.found(watch, part, &head).await.and_then(|found| {
                judged += found.2.len();
                match judged > MOST_ROWS {
                    true => Err(Error::new(Code::Limit, format!("an alert judges at most {MOST_ROWS} rows"))),
                    false => Ok(found),
                }
            });
            match found {
                Ok((as_of, scope, rows)) => look = Look { as_of, scope, rows: Some(rows), ..look },
                // A fault of the moment: all of it is read again later.
                Err(error) if matches!(super::ending(&error, self.0.clock.now(), run), Ending::Again(_)) => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(?error, alert = run.schedule, scope = part.schema, "an alert was not judged");
                    faults.push(format!("{}: {}", part.schema, error.message()));
                }
            }
            looks.push(look);
        }
        Ok((looks, faults))
    }

    /// What an alert is read with: its role in head office, and in each branch.
    async fn alert_parts(&self, watch: Watch<'_>) -> Result<Vec<Part>> {
        let roles: BTreeSet<String> = std::iter::once(watch.alert.role.value.clone()).collect();
        let own = |scope: Scope| Principal::new(format!("alert:{}", watch.name()), roles.clone(), scope);
        let whole = own(Scope::HeadOffice);
        let branches = match watch.alert.burst {
            true => self.0.door.branches_of(&whole).await?,
            false => Vec::new(),
        };
        let branches = branches.into_iter().map(|branch| {
            let scope = Scope::Branches(std::iter::once(branch.key.clone()).collect());
            (own(scope), branch.key)
        });
        let cubes: Vec<&str> = watch.report.cubes.iter().map(|cube| cube.as_str()).collect();
        let parts = std::iter::once((whole.clone(), HEAD_OFFICE.to_owned())).chain(branches);
        let part = |(principal, schema): (Principal, String)| {
            let reading = self.0.door.reading(&principal, &cubes);
            Part { principal, schema, reading }
        };
        Ok(parts.map(part).collect())
    }

    /// Who is told of each part: programs of all, people of their own part of the bank where they see as much as was read.
    async fn addressees(&self, watch: Watch<'_>, parts: &[Part]) -> Result<Vec<Vec<Addressee>>> {
        let alert = watch.alert;
        let mut found: Vec<Vec<Addressee>> = vec![Vec::new(); parts.len()];
        for to in alert.to.iter().filter(|to| to.roles.is_empty()) {
            let recipient = to.name.as_ref().unwrap_or(&to.channel).value.clone();
            let program = Addressee { channel: to.channel.value.clone(), recipient, address: None };
            found.iter_mut().for_each(|of| of.push(program.clone()));
        }
        let named = |roles: &[String], to: &To| to.roles.iter().any(|role| roles.contains(role));
        for user in self.0.catalog.users().await?.into_iter().filter(|user| !user.disabled) {
            let channels: Vec<&str> =
                alert.to.iter().filter(|to| named(&user.roles, to)).map(|to| to.channel.as_str()).collect();
            if channels.is_empty() {
                continue;
            }
            let Some(principal) = self.usable(&user.name).await? else { continue };
            if !report::may_open(&self.0.door, watch.report, &principal) {
                continue;
            }
            for (part, of) in parts.iter().zip(&mut found) {
                let is_own = match principal.scope.branches() {
                    None => part.schema == HEAD_OFFICE,
                    Some(branches) => branches.contains(&part.schema),
                };
                if is_own && self.0.door.sees(&principal, &part.reading) {
                    of.extend(channels.iter().map(|channel| Addressee {
                        channel: (*channel).to_owned(),
                        recipient: user.name.clone(),
                        address: Some(user.email.clone().unwrap_or_default()),
                    }));
                }
            }
        }
        Ok(found)
    }

    /// The rows of one part, judged: the day that they stand for, what the part is called, and the rows.
    async fn found(&self, watch: Watch<'_>, part: &Part, head: &HeadInfo) -> Result<(i32, Label, Vec<Found>)> {
        let Watch { report, alert } = watch;
        // The report with the one dataset that is judged, and nothing to draw.
        let alone = Report {
            datasets: report.datasets.iter().filter(|dataset| *dataset.name == *alert.dataset).cloned().collect(),
            blocks: Vec::new(),
            ..report.clone()
        };
        let given = BTreeMap::new();
        let mut documents = Vec::new();
        for lang in &self.0.config.languages {
            let ask = Ask {
                parameters: &given,
                principal: &part.principal,
                scope: Some(&part.schema),
                lang: lang.as_str(),
                head: Some(head),
                reports: &self.0.reports,
                is_shared: true,
                at: self.0.clock.now(),
            };
            documents.push((lang.clone(), report::run(&self.0.door, &alone, &ask).await?));
        }
        let scope: Label =
            documents.iter().map(|(lang, document)| (lang.clone(), document.scope.label.clone())).collect();
        let wrong = |why: String| Error::new(Code::Definition, format!("alert `{}`: {why}", watch.name()));
        let Some((_, first)) = documents.first() else { return Err(wrong("the project has no language".into())) };
        let dataset =
            first.dataset(&alert.dataset).ok_or_else(|| wrong(format!("there is no dataset `{}`", *alert.dataset)))?;
        let column = |name: &str| {
            let none = || {
                let columns = dataset.columns.join("`, `");
                wrong(format!("dataset `{}` has no column `{name}`; it has `{columns}`", *alert.dataset))
            };
            dataset.column(name).ok_or_else(none)
        };
        let value = column(&alert.value)?;
        let against = match &alert.raise {
            Condition::Change { against, .. } => Some(column(against)?),
            _ => None,
        };
        let each = alert.each.as_ref().map(|each| column(each)).transpose()?;
        let label = alert.label.as_ref().map(|label| column(label)).transpose()?.or(each);
        let member = |row: &[Value]| match each {
            None => Some(String::new()),
            Some(at) => row.get(at).map(Value::plain).filter(|name| !name.is_empty()),
        };
        let mut labels: BTreeMap<String, Label> = BTreeMap::new();
        for (lang, document) in &documents {
            for row in document.dataset(&alert.dataset).into_iter().flat_map(|dataset| &dataset.rows) {
                let name = label.and_then(|at| row.get(at)).map(Value::plain);
                if let (Some(member), Some(name)) = (member(row), name) {
                    labels.entry(member).or_default().insert(lang.clone(), name);
                }
            }
        }
        let mut rows = Vec::with_capacity(dataset.rows.len());
        let mut known = BTreeSet::new();
        for row in &dataset.rows {
            // A row without a name is a total, and belongs to nobody.
            let Some(member) = member(row) else { continue };
            if !known.insert(member.clone()) {
                // Without the name, which may be a person's.
                return Err(wrong("two rows have one name, so `each` names no row".into()));
            }
            let Some(value) = row.get(value) else { continue };
            let against = against.and_then(|at| row.get(at));
            let seen = judge(alert, value, against).map_err(|why| wrong(format!("column `{}` {why}", *alert.value)))?;
            let label = labels.get(&member).cloned().unwrap_or_else(|| scope.clone());
            let text = [value.plain(), against.map(Value::plain).unwrap_or_default()].join("\t");
            let value = (*value != Value::Null).then(|| value.plain());
            rows.push(Found { member, label, seen, text, value });
        }
        if each.is_none() && rows.is_empty() {
            rows.push(absent(alert, String::new(), scope.clone()));
        }
        Ok((first.as_of, scope, rows))
    }

    /// What follows from what was read, beside how everything stood.
    fn verdict(
        &self,
        watch: Watch<'_>,
        looks: &[Look],
        occasion: &Occasion,
        faults: &[String],
        before: &[AlertRow],
    ) -> AlertVerdict {
        let mut verdict = AlertVerdict { ending: "succeeded", ..AlertVerdict::default() };
        let mut stood: BTreeMap<&str, BTreeMap<&str, &AlertRow>> = BTreeMap::new();
        for row in before {
            stood.entry(&row.scope).or_default().insert(&row.member, row);
        }
        let (mut judged, mut raised, mut told) = (0, 0, 0);
        for look in looks {
            let own = stood.remove(look.schema.as_str()).unwrap_or_default();
            let mut news = News::default();
            for found in complete(watch.alert, look, &own) {
                let was = own.get(found.member.as_str()).copied();
                let Some((row, heard)) = step(watch, look, was, &found, occasion) else { continue };
                judged += 1;
                raised += usize::from(row.state == State::Firing.as_str());
                told += usize::from(heard.people.or(heard.programs).is_some());
                news.people.extend(heard.people.map(|state| (row.clone(), state)));
                news.programs.extend(heard.programs.map(|state| (row.clone(), state)));
                keep(&mut verdict, was, row);
            }
            verdict.notices.extend(self.notices(watch, look, &news, occasion));
        }
        // Of parts of the bank that are not judged any more nobody is told.
        for was in stood.into_values().flat_map(BTreeMap::into_values) {
            let over = Found { seen: Seen::Over, ..absent(watch.alert, was.member.clone(), was.label.clone()) };
            let look = Look::of(was, Vec::new());
            let ended = Some(was).filter(|was| was.state != State::Ended.as_str());
            if let Some((row, _)) = ended.and_then(|was| step(watch, &look, Some(was), &over, occasion)) {
                keep(&mut verdict, Some(was), row);
            }
        }
        let mut message = format!("{judged} judged, {raised} raised, {told} told");
        if !faults.is_empty() {
            verdict.ending = "failed";
            message = format!("{message}; not read: {}", faults.join("; "));
        }
        verdict.message = message;
        verdict.result = json!({"snapshot": occasion.snapshot, "judged": judged, "raised": raised, "told": told});
        verdict
    }

    /// What people and programs are told of one part: one message with all that changed. Programs, which nobody logs in to, are
    /// told no figure; of single persons nothing is said but how many.
    fn notices(
        &self,
        watch: Watch<'_>,
        look: &Look,
        news: &News,
        occasion: &Occasion,
    ) -> Vec<(NoticeRow, Vec<DeliveryRow>)> {
        let mut notices = Vec::new();
        for for_people in [true, false] {
            let to: Vec<&Addressee> = look.to.iter().filter(|to| to.address.is_some() == for_people).collect();
            let news = if for_people { &news.people } else { &news.programs };
            if to.is_empty() || news.is_empty() {
                continue;
            }
            let kind = if for_people { "people" } else { "programs" };
            // With the number of the try: what a later one finds is told, though it asks the same.
            let fence = occasion.fence.to_string();
            let id = notice_id(&["alert", &watch.name(), &look.schema, &occasion.logical, &fence, kind]);
            let languages = &self.0.config.languages;
            let lang = languages.first().map_or("", String::as_str);
            let text = |tag: &String| {
                let lang = Lang::parse(tag).unwrap_or_default();
                (tag.clone(), self.text(watch, look, news, lang, for_people))
            };
            let sending = |to: &Addressee| {
                let key = notice_id(&[&id, &to.recipient, &to.channel]);
                DeliveryRow {
                    notice: Some(id.clone()),
                    ..planned(key, &to.channel, &to.recipient, to.address.as_deref(), lang, occasion.now)
                }
            };
            let sendings = to.iter().map(|to| sending(to)).collect();
            let notice = NoticeRow {
                kind: "alert".into(),
                report: watch.report.name.value.clone(),
                scope: look.schema.clone(),
                roles: Vec::new(),
                reading: Some(look.reading.clone()),
                texts: languages.iter().map(text).collect(),
                link: self.alert_link(watch, look, occasion.snapshot),
                created_at: occasion.now,
                id,
            };
            notices.push((notice, sendings));
        }
        notices
    }

    fn text(
        &self,
        watch: Watch<'_>,
        look: &Look,
        news: &[(AlertRow, State)],
        lang: Lang,
        for_people: bool,
    ) -> NoticeText {
        let say = |key: &str, values: &[(&str, locale::Value<'_>)]| locale::message(lang, key, values);
        let title = watch.title(lang);
        // What was read with wider rights than these is not told with these.
        let withheld = watch.is_about_persons() || news.iter().any(|(row, _)| row.reading != look.reading);
        let subject = match news {
            [(row, state)] if !withheld => {
                let (member, word) = (lang.pick(&row.label), say(word(*state), &[]));
                say("alert-subject", &[("title", title.into()), ("member", member.into()), ("state", (&word).into())])
            }
            _ => {
                let counted = State::ALL.into_iter().filter_map(|state| {
                    let count = news.iter().filter(|(_, of)| *of == state).count();
                    let count = i64::try_from(count).ok().filter(|count| *count > 0)?;
                    Some(say(&format!("{}-count", word(state)), &[("count", count.into())]))
                });
                let counted = counted.collect::<Vec<_>>().join(&say("mail-list", &[]));
                say("alert-subject-many", &[("title", title.into()), ("counted", (&counted).into())])
            }
        };
        let report = match lang.pick(&watch.report.title) {
            "" => watch.report.name.as_str(),
            title => title,
        };
        let scope = match lang.pick(&look.scope) {
            "" => look.schema.as_str(),
            scope => scope,
        };
        let day = format_date(lang, look.as_of);
        let about = [("report", report.into()), ("scope", scope.into()), ("as_of", (&day).into())];
        let mut paragraphs = vec![say("alert-about", &about), self.conditions(watch, lang)];
        let mut items = Vec::new();
        if withheld {
            paragraphs.push(say("alert-withheld", &[]));
        } else {
            let item = |(row, state): &(AlertRow, State)| {
                let (member, word) = (lang.pick(&row.label), say(word(*state), &[]));
                let figure = row.value.as_ref().filter(|_| for_people).map(|value| self.shown(watch, lang, value));
                match &figure {
                    None => say("alert-item", &[("member", member.into()), ("state", (&word).into())]),
                    Some(figure) => say(
                        "alert-item-figure",
                        &[("member", member.into()), ("state", (&word).into()), ("value", figure.into())],
                    ),
                }
            };
            items.extend(news.iter().take(LISTED).map(item));
            if let Some(more) = i64::try_from(news.len().saturating_sub(LISTED)).ok().filter(|more| *more > 0) {
                items.push(say("alert-more", &[("count", more.into())]));
            }
        }
        NoticeText { subject, paragraphs, items }
    }

    /// The report at the snapshot that was judged.
    fn alert_link(&self, watch: Watch<'_>, look: &Look, snapshot: i64) -> String {
        let base = self.0.config.publish.base_url.trim_end_matches('/');
        format!("{base}{}", report_address(watch.report, &look.schema, snapshot))
    }
}

/// Where a report is opened as it was judged, on this server: at its defaults, since those were judged.
pub fn report_address(report: &Report, scope: &str, snapshot: i64) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("scope", scope)
        .append_pair("snapshot", &snapshot.to_string())
        .finish();
    format!("/reports/{}?{query}", *report.name)
}

/// Key of the word for a state that people are told.
fn word(state: State) -> &'static str {
    match state {
        State::Ok | State::Ended => "alert-told-ok",
        State::NoData => "alert-told-no-data",
        State::Pending | State::Firing | State::Acknowledged => "alert-told-firing",
    }
}

/// A row that is not there.
fn absent(alert: &Alert, member: String, label: Label) -> Found {
    let seen = match alert.raise {
        Condition::Missing => Seen::Figure { raised: true, cleared: false },
        _ if alert.each.is_some() => Seen::Gone,
        _ => Seen::Nothing,
    };
    Found { member, label, seen, text: String::new(), value: None }
}

/// What was found of a part, with what stood there before and is gone. Of what could not be read nothing is known; what is not
/// judged any more ends.
fn complete(alert: &Alert, look: &Look, before: &BTreeMap<&str, &AlertRow>) -> Vec<Found> {
    let read: HashSet<&str> = look.rows.iter().flatten().map(|found| found.member.as_str()).collect();
    let gone = before.values().filter(|row| row.state != State::Ended.as_str() && !read.contains(row.member.as_str()));
    let gone = gone.map(|row| {
        let gone = absent(alert, row.member.clone(), row.label.clone());
        let seen = match (&look.rows, alert.each.is_none() == row.member.is_empty()) {
            (_, false) => Seen::Over,
            (None, true) => Seen::Nothing,
            // What is watched for being there, and somebody knows that it is not.
            (Some(_), true) if alert.each.is_some() && row.state == State::Acknowledged.as_str() => match gone.seen {
                Seen::Figure { .. } => Seen::Over,
                seen => seen,
            },
            (Some(_), true) => gone.seen,
        };
        Found { seen, ..gone }
    });
    let mut found: Vec<Found> = look.rows.iter().flatten().cloned().chain(gone).collect();
    if found.is_empty() && alert.each.is_none() {
        let unread = absent(alert, String::new(), look.scope.clone());
        found.push(Found { seen: Seen::Nothing, ..unread });
    }
    found
}

/// What is looked at where nothing could be read: each part of the bank, and what stood elsewhere. `day`: that of the data, where
/// it is known.
fn unread(
    watch: Watch<'_>,
    parts: &[Part],
    to: &[Vec<Addressee>],
    day: Option<i32>,
    before: &[AlertRow],
) -> Result<Vec<Look>> {
    let mut stood: BTreeMap<&str, &AlertRow> = before.iter().map(|row| (row.scope.as_str(), row)).collect();
    let mut looks = Vec::new();
    for (part, to) in parts.iter().zip(to) {
        let was = stood.remove(part.schema.as_str());
        let Some(as_of) = was.map(|row| row.as_of).or(day) else { continue };
        looks.push(Look {
            schema: part.schema.clone(),
            reading: kept(&part.reading, watch.report)?,
            as_of,
            scope: was.map(|row| row.scope_label.clone()).unwrap_or_default(),
            rows: None,
            to: to.clone(),
        });
    }
    looks.extend(stood.into_values().map(|row| Look::of(row, Vec::new())));
    Ok(looks)
}

/// Keeps how something stands: of what stands as before only that it was looked at.
fn keep(verdict: &mut AlertVerdict, was: Option<&AlertRow>, row: AlertRow) {
    let (as_of, snapshot_id, checked_at) = (row.as_of, row.snapshot_id, row.checked_at);
    match was.filter(|was| AlertRow { as_of, snapshot_id, checked_at, ..(*was).clone() } == row) {
        Some(was) => verdict.same.entry(as_of).or_default().push(was.id),
        None => verdict.rows.push(row),
    }
}

/// What a row's readers must be allowed to see: what it was read with, and what that before was read with, since of that its name,
/// its day and what people said of it are still there.
fn reading(was: Option<&AlertRow>, look: &Look) -> serde_json::Value {
    let Some(was) = was.filter(|was| was.reading != look.reading) else { return look.reading.clone() };
    let both = Reading::deserialize(&was.reading).ok().zip(Reading::deserialize(&look.reading).ok());
    let Some((before, now)) = both else { return was.reading.clone() };
    if now.covers(&before) {
        return look.reading.clone();
    }
    match before.and(&now).and_then(|both| serde_json::to_value(both).ok()) {
        Some(mut both) => {
            both["audience"] = look.reading["audience"].clone();
            both
        }
        None => was.reading.clone(),
    }
}

/// How a member stands now, and what is told of it; nothing where a later snapshot was judged already.
fn step(
    watch: Watch<'_>,
    look: &Look,
    was: Option<&AlertRow>,
    found: &Found,
    occasion: &Occasion,
) -> Option<(AlertRow, Heard)> {
    if was.is_some_and(|was| was.snapshot_id > occasion.snapshot) {
        return None;
    }
    let is_new = was.is_none_or(|was| was.as_of != look.as_of || was.seen != found.text);
    let before = was.map_or(Memory::NEW, memory);
    let after = before.see(found.seen, is_new, watch.alert.runs);
    let is_snoozed = was.and_then(|was| was.snoozed_until).is_some_and(|until| until > occasion.now);
    // Programs do as people ask them to, but are not put off by them.
    let told_programs = match after.state {
        State::Ended => State::Ok,
        _ => was.and_then(|was| State::parse(&was.told_programs)).unwrap_or(State::Ok),
    };
    let heard = Heard {
        people: after.news().filter(|_| !is_snoozed),
        programs: Memory { told: told_programs, ..after }.news(),
    };
    let stays = was.filter(|was| was.state == after.state.as_str());
    let is_known = [Some(after.state), after.held].contains(&Some(State::Acknowledged));
    let known = was.filter(|_| is_known);
    let snoozed = was.filter(|_| is_snoozed && after.state != State::Ended);
    let row = AlertRow {
        id: was.map_or(0, |was| was.id),
        report: watch.report.name.value.clone(),
        alert: watch.alert.id.value.clone(),
        scope: look.schema.clone(),
        scope_label: match was.filter(|_| look.scope.is_empty()) {
            Some(was) => was.scope_label.clone(),
            None => look.scope.clone(),
        },
        member: found.member.clone(),
        label: found.label.clone(),
        state: after.state.as_str().to_owned(),
        held: after.held.map(|state| state.as_str().to_owned()),
        streak: after.streak,
        told: heard.people.unwrap_or(after.told).as_str().to_owned(),
        told_programs: heard.programs.unwrap_or(told_programs).as_str().to_owned(),
        seen: found.text.clone(),
        value: found.value.clone(),
        as_of: look.as_of,
        snapshot_id: occasion.snapshot,
        reading: reading(was, look),
        since: stays.map_or(occasion.now, |was| was.since),
        checked_at: occasion.now,
        acknowledged_by: known.and_then(|was| was.acknowledged_by.clone()),
        acknowledged_why: known.and_then(|was| was.acknowledged_why.clone()),
        snoozed_by: snoozed.and_then(|was| was.snoozed_by.clone()),
        snoozed_why: snoozed.and_then(|was| was.snoozed_why.clone()),
        snoozed_until: snoozed.and_then(|was| was.snoozed_until),
    };
    Some((row, heard))
}

fn memory(row: &AlertRow) -> Memory {
    let state = |word: &str| State::parse(word).unwrap_or(State::Ok);
    Memory {
        state: state(&row.state),
        held: row.held.as_deref().map(state),
        streak: row.streak,
        told: state(&row.told),
    }
}

/// Every fault of a report's alerts that shows only beside the settings: roles and channels.
pub(super) fn check(report: &Report, config: &Config) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    let roles: Vec<&str> =
        BUILT_IN.iter().map(|(name, _)| *name).chain(config.roles.iter().map(|role| role.name.as_str())).collect();
    let channels = channel::names(&config.channels);
    let mut known = |word: &Located<String>, what: &str, all: &[&str]| {
        if !all.contains(&word.as_str()) {
            let all: Vec<_> = all.iter().map(|name| format!("`{name}`")).collect();
            let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
            faults.push(Diagnostic::new(&word.place, format!("there is no {what} `{}`; there are: {all}", **word)));
        }
    };
    for alert in &report.alerts {
        known(&alert.role, "role", &roles);
        if !report.audience.is_empty() && roles.contains(&alert.role.as_str()) {
            let audience: Vec<&str> = report.audience.iter().map(String::as_str).collect();
            known(&alert.role, "role in the report's `audience`", &audience);
        }
        for to in &alert.to {
            known(&to.channel, "channel in the settings", &channels);
            to.roles.iter().for_each(|word| known(word, "role", &roles));
        }
    }
    for to in report.alerts.iter().flat_map(|alert| &alert.to) {
        if channels.contains(&to.channel.as_str()) && !channel::tells(&to.channel) {
            let message = format!("`{}` carries editions; an alert needs a channel that writes messages", *to.channel);
            faults.push(Diagnostic::new(&to.channel.place, message));
        }
    }
    faults
}
