//! Scheduled publication: what is to run, when, and that it does.
//!
//! In: the publications of reports with their triggers, the wall time, and what has closed. Out: planned runs, one for what it
//! is for; runs and deliveries done one after the other. Several servers may do this over one catalog: a run is planned once and
//! claimed by one of them. What a run makes is `publish`'s.

pub mod calendar;
pub mod explain;
mod late;
pub mod when;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::calendar::Calendar;
use self::explain::{Audience, Missing, Outlook, Readiness};
use self::late::Late;
use self::when::{Cron, Cutoff, Deadline, Every, GRACE, Missed, OnHoliday, Overlap, Period, Rule, Then, Trigger};
use crate::catalog::{Catalog, Claim, NewRun, NoticeRow, NoticeText, RunRow};
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::locale::Lang;
use crate::model::report::{Publication, Report, To};
use crate::model::time;
use crate::model::{self, Diagnostic, Located};
use crate::publish::{Published, Publisher, Schedule, notice_id};
use crate::query::{Branch, Completeness, Door, HEAD_OFFICE, HeadInfo};

/// How often the clock and the catalog are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Plans runs and works them off. Clones share it.
#[derive(Debug, Clone)]
pub struct Scheduler(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    publisher: Publisher,
    catalog: Catalog,
    door: Door,
    clock: Clock,
    armed: BTreeMap<String, Armed>,
}

/// A schedule that can fire.
#[derive(Debug)]
struct Armed {
    trigger: Trigger,
    missed: Missed,
    overlap: Overlap,
}

/// The trigger of a publication.
///
/// # Errors
/// Every fault of it: expression, zone, calendar, and what does not go together.
pub fn trigger(publication: &Publication, calendars: &[Arc<Calendar>]) -> Result<Trigger, Vec<Diagnostic>> {
    let when = &publication.when;
    let mut faults = Vec::new();
    let mut fault = |at: &Located<String>, message: String| faults.push(Diagnostic::new(&at.place, message));
    let calendar = when.calendar.as_ref().and_then(|name| {
        let found = calendars.iter().find(|calendar| calendar.name() == name.as_str()).cloned();
        if found.is_none() {
            fault(name, format!("there is no calendar `{}`: its file would be `calendars/{}.yaml`", **name, **name));
        }
        found
    });
    let zone = match &when.time_zone {
        Some(name) => match when::zone(jiff::tz::db(), name) {
            Ok(zone) => Some(zone),
            Err(why) => {
                fault(name, why);
                None
            }
        },
        None => None,
    };
    let on_holiday = when.on_holiday.as_ref().and_then(|word| OnHoliday::parse(word));
    if let (Some(word), None) = (&when.on_holiday, &when.calendar) {
        fault(word, "`on_holiday` needs a `calendar`".into());
    }
    let deadline = publication.deadline.as_ref().and_then(|deadline| {
        if when.closed.is_none() {
            fault(&deadline.at, "a `deadline` is for `when: {closed: …}`: a time of day waits for nobody".into());
        } else if when.calendar.is_none() {
            fault(&deadline.at, "a `deadline` is counted in business days: `when` needs a `calendar`".into());
        }
        match deadline.at.parse::<jiff::civil::Time>() {
            Ok(at) => Some(Deadline {
                business_day: deadline.business_day,
                at,
                then: if deadline.partial { Then::Partial } else { Then::Hold },
                at_least: deadline.at_least,
                tell: deadline.tell.iter().map(|role| role.value.clone()).collect(),
            }),
            Err(_) => {
                fault(&deadline.at, format!("`at` must be a time of day, as `09:00`, not `{}`", *deadline.at));
                None
            }
        }
    });
    let made = match (&when.cron, &when.closed) {
        (Some(cron), None) => match (Cron::parse(cron), &when.time_zone, zone) {
            (Err(why), _, _) => {
                fault(cron, why);
                None
            }
            (Ok(_), None, _) => {
                fault(cron, "`cron` needs a `time_zone`: the machine's own is nobody's intention".into());
                None
            }
            (Ok(_), Some(_), None) => None,
            (Ok(cron), Some(_), Some(zone)) => {
                Some(Trigger::clock(cron, zone, calendar.map(|calendar| (calendar, on_holiday.unwrap_or_default()))))
            }
        },
        (None, Some(closed)) => {
            let every = if **closed == "month" { Every::Month } else { Every::Day };
            let zone = match (&when.time_zone, zone, &deadline) {
                (None, _, Some(_)) => {
                    fault(closed, "a `deadline` needs a `time_zone`".into());
                    None
                }
                (None, _, None) => Some(jiff::tz::TimeZone::UTC),
                (Some(_), zone, _) => zone,
            };
            zone.map(|zone| match calendar {
                Some(calendar) => Trigger::closed_by(every, zone, calendar, on_holiday.is_some(), deadline),
                None => Trigger::closed(every, zone),
            })
        }
        (cron, _) => {
            let message =
                if cron.is_some() { "write `cron` or `closed`, not both" } else { "write `cron` or `closed`" };
            faults.push(Diagnostic::new(&when.place, message));
            None
        }
    };
    match made {
        Some(trigger) if faults.is_empty() => Ok(trigger),
        _ => Err(faults),
    }
}

/// Every fault of the schedules of a report that does not show in its own folder alone.
pub fn check(report: &Report, calendars: &[Arc<Calendar>]) -> Vec<Diagnostic> {
    report.publish.iter().filter_map(|publication| trigger(publication, calendars).err()).flatten().collect()
}

/// Calendars that answer questions, of those that were read.
pub fn calendars(read: &[model::calendar::Calendar]) -> Vec<Arc<Calendar>> {
    read.iter().map(|calendar| Arc::new(Calendar::from(calendar))).collect()
}

impl Scheduler {
    /// Over the publisher's schedules.
    ///
    /// # Errors
    /// `DEFINITION` with every fault of their triggers.
    pub fn open(
        publisher: Publisher,
        catalog: Catalog,
        door: Door,
        clock: Clock,
        calendars: &[Arc<Calendar>],
    ) -> Result<Self> {
        let mut armed = BTreeMap::new();
        let mut faults = Vec::new();
        for schedule in publisher.schedules() {
            let publication = schedule.publication;
            match trigger(publication, calendars) {
                Ok(trigger) => {
                    let missed = Missed::parse(&publication.missed).unwrap_or_default();
                    let overlap = Overlap::parse(&publication.overlap).unwrap_or_default();
                    armed.insert(schedule.name(), Armed { trigger, missed, overlap });
                }
                Err(found) => faults.extend(found),
            }
        }
        if !faults.is_empty() {
            return Err(Error::definition(faults));
        }
        Ok(Self(Arc::new(Inner { publisher, catalog, door, clock, armed })))
    }

    /// What it publishes with.
    pub fn publisher(&self) -> &Publisher {
        &self.0.publisher
    }

    /// The names of all schedules.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.armed.keys().map(String::as_str)
    }

    /// The trigger of a schedule.
    pub fn trigger(&self, name: &str) -> Option<&Trigger> {
        self.0.armed.get(name).map(|armed| &armed.trigger)
    }

    /// Plans and works until it is told to stop. What runs then is left to whoever starts next: it is begun again.
    pub async fn serve(&self, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        let planner = self.clone();
        tasks.spawn(async move {
            planner.repeat("planning", async |one: &Self| one.plan_schedules().await.map(|()| false)).await
        });
        let planner = self.clone();
        tasks.spawn(async move {
            planner.repeat("planning alerts", async |one: &Self| one.plan_alerts().await.map(|()| false)).await
        });
        let worker = self.clone();
        tasks.spawn(async move {
            worker.repeat("a run", async |one: &Self| one.run_next().await.map(|ran| ran.is_some())).await
        });
        let sender = self.clone();
        tasks.spawn(async move { sender.repeat("a delivery", async |one: &Self| one.deliver_next().await).await });
        stop.cancelled().await;
    }

    /// Does a step again and again: at once while there is work, else after a moment.
    async fn repeat(&self, what: &str, step: impl AsyncFn(&Self) -> Result<bool>) {
        loop {
            // A panic costs the step, not all steps after it.
            let stepped = AssertUnwindSafe(step(self)).catch_unwind().await;
            let panicked = |_| Err(Error::new(Code::Internal, format!("{what} panicked")));
            match stepped.unwrap_or_else(panicked) {
                Ok(true) => {}
                Ok(false) => tokio::time::sleep(LOOK).await,
                Err(error) => {
                    if error.code() != Code::Busy && error.code() != Code::NoSnapshot {
                        tracing::error!(?error, "{what} failed");
                    }
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    /// Plans what is due now: schedules, then alerts.
    ///
    /// # Errors
    /// As [`Scheduler::plan_schedules`] and [`Scheduler::plan_alerts`].
    pub async fn plan(&self) -> Result<()> {
        self.plan_schedules().await?;
        self.plan_alerts().await
    }

    /// Plans what schedules ask for. One that cannot be planned is logged and keeps no other back.
    ///
    /// # Errors
    /// The door's; `NO_SNAPSHOT` before the first load.
    pub async fn plan_schedules(&self) -> Result<()> {
        let head = self.0.door.head().await?;
        for (name, armed) in &self.0.armed {
            match self.plan_schedule(name, armed, &head).await {
                Err(error) if error.code() != Code::Busy => {
                    tracing::error!(?error, schedule = name, "a schedule was not planned");
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn plan_schedule(&self, name: &str, armed: &Armed, head: &HeadInfo) -> Result<()> {
        let row = self.0.catalog.schedule(name).await?;
        if row.paused_at.is_some() {
            return Ok(());
        }
        match armed.trigger.rule() {
            Rule::Clock { .. } => self.plan_by_clock(name, armed, row.planned_until).await,
            Rule::Closed { every, .. } => self.plan_by_close(name, armed, *every, head, row.planned_until).await,
        }
    }

    /// Plans what alerts ask for: each is judged once at the newest snapshot.
    ///
    /// # Errors
    /// The catalog's and the door's; `NO_SNAPSHOT` before the first load.
    pub async fn plan_alerts(&self) -> Result<()> {
        let head = self.0.door.head().await?;
        self.0.publisher.plan_evaluations(head.snapshot_id).await
    }

    async fn plan_by_clock(&self, name: &str, armed: &Armed, planned: Timestamp) -> Result<()> {
        let due = armed.trigger.due(Some(planned), self.0.clock.now(), armed.missed, GRACE);
        if let Some(error) = &due.beyond {
            tracing::warn!(schedule = name, "{}", error.message());
        }
        for firing in &due.run {
            let logical = firing.at.to_string();
            self.plan_one(name, armed, &logical, "clock", None, false).await?;
        }
        if due.seen > planned {
            self.0.catalog.planned_until(name, due.seen).await?;
        }
        Ok(())
    }

    /// The last period that ended in the data. A run for each snapshot: where a later load changed nothing of it, the run finds
    /// so and makes nothing. Besides every period whose deadline passed since the last look and that is still open, however far
    /// the data have gone on.
    async fn plan_by_close(
        &self,
        name: &str,
        armed: &Armed,
        every: Every,
        head: &HeadInfo,
        since: Timestamp,
    ) -> Result<()> {
        // Branches load one by one: the day before may close after somebody has begun the next.
        let days = match every {
            Every::Day => vec![head.as_of - 1, head.as_of],
            Every::Month => vec![head.as_of],
        };
        for period in days.into_iter().filter_map(|day| last_period(every, day)) {
            self.plan_period(name, armed, period, head).await?;
        }
        let passed = armed.trigger.passed(since, self.0.clock.now());
        for period in &passed {
            let as_of = time::days(period.last_day());
            if as_of > head.as_of {
                // Nobody has delivered a day of it: the data do not know of it, only the clock does.
                let all = head.completeness_at(i32::MIN);
                let open = self.0.publisher.branches(self.0.publisher.schedule(name)?).await?;
                let open = open.into_iter().map(|branch| branch.key).collect();
                self.tell_late(name, armed, *period, &Completeness { closed: 0, of: all.of, open }).await?;
            } else if !head.completeness_at(as_of).open.is_empty() {
                self.plan_period(name, armed, *period, head).await?;
            }
        }
        if let Some(Cutoff::At { local, .. }) = passed.last().and_then(|period| armed.trigger.cutoff_of(*period)) {
            self.0.catalog.planned_until(name, local.timestamp()).await?;
        }
        Ok(())
    }

    /// Tells the roles of a deadline that it has passed with branches missing; once, whichever process finds it out first.
    async fn tell_late(&self, name: &str, armed: &Armed, period: Period, completeness: &Completeness) -> Result<()> {
        let Rule::Closed { deadline: Some(deadline), .. } = armed.trigger.rule() else { return Ok(()) };
        let Some(Cutoff::At { local, .. }) = armed.trigger.cutoff_of(period) else { return Ok(()) };
        let (publisher, catalog, now) = (&self.0.publisher, &self.0.catalog, self.0.clock.now());
        let id = |scope: &str| notice_id(&["deadline", name, &period.to_string(), scope]);
        if deadline.tell.is_empty() || now < local.timestamp() || catalog.has_notice(&id(HEAD_OFFICE)).await? {
            return Ok(());
        }
        let schedule = publisher.schedule(name)?;
        let Schedule { report, publication } = schedule;
        // To people by the deadline's own roles, to programs as the editions go.
        let tell = publication.deadline.iter().flat_map(|deadline| deadline.tell.clone()).collect::<Vec<_>>();
        let (programs, people): (Vec<To>, Vec<To>) = publication.to.iter().cloned().partition(|to| to.name.is_some());
        let people: Vec<To> = people.into_iter().map(|to| To { roles: tell.clone(), ..to }).collect();
        let missing: Vec<Branch> = publisher
            .branches(schedule)
            .await?
            .into_iter()
            .filter(|branch| completeness.open.contains(&branch.key))
            .collect();
        let late = Late { title: &report.title, report: &report.name, period, deadline, at: &local, completeness };
        let notice = |scope: &str, text: &dyn Fn(Lang) -> NoticeText| NoticeRow {
            id: id(scope),
            kind: "deadline".to_owned(),
            report: report.name.value.clone(),
            scope: scope.to_owned(),
            roles: deadline.tell.clone(),
            reading: None,
            texts: Lang::ALL.into_iter().map(|lang| (lang.tag().to_owned(), text(lang))).collect(),
            link: publisher.schedule_link(schedule),
            created_at: now,
        };
        let lang = publisher.language(publication).tag();
        let whole = notice(HEAD_OFFICE, &|lang| late.to_head_office(lang, &missing));
        let to_whole = publisher.sendings(&whole, &[programs, people.clone()].concat(), lang).await?;
        let mut notices = Vec::with_capacity(missing.len() + 1);
        for branch in &missing {
            let one = notice(&branch.key, &|lang| late.to_branch(lang, branch));
            let mut to_branch = publisher.sendings(&one, &people, lang).await?;
            // Whoever is told all of it is not told each part.
            to_branch.retain(|row| !to_whole.iter().any(|told| told.recipient == row.recipient));
            if !to_branch.is_empty() {
                notices.push((one, to_branch));
            }
        }
        if to_whole.is_empty() {
            tracing::warn!(schedule = name, %period, "a close is late, and nobody of head office has a role that is told");
        }
        notices.push((whole, to_whole));
        let told = catalog.tell(&notices).await?;
        tracing::info!(schedule = name, %period, notices = told, "a close is late");
        Ok(())
    }

    async fn plan_period(&self, name: &str, armed: &Armed, period: Period, head: &HeadInfo) -> Result<()> {
        let Rule::Closed { deadline, business_days_only, .. } = armed.trigger.rule() else { return Ok(()) };
        let day = period.last_day();
        if *business_days_only
            && let Some(calendar) = armed.trigger.calendar()
            && !calendar.is_business_day(day)?
        {
            return Ok(());
        }
        let as_of = time::days(day);
        let completeness = head.completeness_at(as_of);
        let mut cause = "close";
        let mut partial = false;
        if !completeness.open.is_empty() {
            self.tell_late(name, armed, period, &completeness).await?;
            let (Some(deadline), Some(Cutoff::At { local, .. })) = (deadline, armed.trigger.cutoff_of(period)) else {
                return Ok(());
            };
            if self.0.clock.now() < local.timestamp() || !deadline.publishes(completeness.closed) {
                return Ok(());
            }
            (cause, partial) = ("deadline", true);
        }
        let logical = format!("{period}@{}", head.snapshot_id);
        self.plan_one(name, armed, &logical, cause, Some(as_of), partial).await
    }

    async fn plan_one(
        &self,
        name: &str,
        armed: &Armed,
        logical: &str,
        cause: &str,
        as_of: Option<i32>,
        partial: bool,
    ) -> Result<()> {
        let catalog = &self.0.catalog;
        if catalog.has_run(name, logical).await? {
            return Ok(());
        }
        let open = catalog.has_open_run(name).await?;
        let mut new = NewRun { schedule: name, logical, cause, by: None, as_of, partial, state: "ready", message: "" };
        // Only what the clock starts is passed over: data that changed are not said twice. Firings that are caught up wait.
        if open && armed.overlap == Overlap::Forbid && cause == "clock" && armed.missed != Missed::Each {
            (new.state, new.message) = ("skipped", "the run before it was not done");
        }
        let planned = catalog.plan_run(&new).await?;
        if planned && open && armed.overlap == Overlap::Replace {
            catalog.cancel_runs(name, logical, "a later run took its place").await?;
        }
        Ok(())
    }

    /// Plans a run by hand or for a period of the past, which is then the run of whoever asked for it (`by`); its number.
    ///
    /// # Errors
    /// `NO_SUCH_OBJECT` for a schedule that is not there.
    pub async fn plan_by_hand(
        &self,
        name: &str,
        as_of: Option<Date>,
        cause: &str,
        by: &str,
        partial: bool,
    ) -> Result<i64> {
        self.0.publisher.schedule(name)?;
        let now = self.0.clock.now();
        let logical = match as_of {
            Some(day) => format!("{cause} {day} {now}"),
            None => format!("{cause} {now}"),
        };
        let new = NewRun {
            schedule: name,
            logical: &logical,
            cause,
            by: Some(by),
            as_of: as_of.map(time::days),
            partial,
            state: "ready",
            message: "",
        };
        self.0.catalog.plan_run(&new).await?;
        let planned = self.0.catalog.runs(Some(name), 20).await?.into_iter().find(|run| run.logical == logical);
        planned.map(|run| run.id).ok_or_else(|| Error::new(Code::Internal, "the run that was planned is not there"))
    }

    /// Does the next run that is due; none when there is none.
    ///
    /// # Errors
    /// `BUSY` when another process took it over; the catalog's own faults.
    pub async fn run_next(&self) -> Result<Option<(RunRow, Published)>> {
        if !self.0.catalog.has_due_run().await? {
            return Ok(None);
        }
        let Some(claim) = self.0.catalog.claim_run().await? else { return Ok(None) };
        let published = self.0.publisher.run(&claim).await?;
        let Claim { run, .. } = claim;
        tracing::info!(schedule = run.schedule, run = run.id, "{}", published.message);
        Ok(Some((run, published)))
    }

    /// Sends the next delivery that is due; whether there was one.
    ///
    /// # Errors
    /// The catalog's own faults.
    pub async fn deliver_next(&self) -> Result<bool> {
        if !self.0.catalog.has_due_delivery().await? {
            return Ok(false);
        }
        self.0.publisher.deliver_next().await
    }

    /// What a schedule does next, and why, as text.
    ///
    /// # Errors
    /// `NO_SUCH_OBJECT` for a schedule that is not there.
    pub async fn explain(&self, name: &str, lang: Lang, count: usize) -> Result<String> {
        let schedule = self.0.publisher.schedule(name)?;
        let armed = self.0.armed.get(name).ok_or_else(|| Error::new(Code::Internal, "a schedule without a trigger"))?;
        let now = self.0.clock.now();
        let fits = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let head = self.0.door.head().await.ok();
        let open;
        let mut missing = Vec::new();
        let mut waiting = Vec::new();
        if let (Rule::Closed { every, .. }, Some(head)) = (armed.trigger.rule(), &head)
            && let Some(period) = last_period(*every, head.as_of)
            && let completeness = head.completeness_at(time::days(period.last_day()))
            && !completeness.open.is_empty()
        {
            open = completeness.open;
            missing.extend(open.iter().map(|branch| Missing { branch, note: "" }));
            let (closed, of) = (fits(completeness.closed), fits(completeness.of));
            waiting.push(Readiness { period, closed, of, missing: &missing });
        }
        let audience = self.0.publisher.audience(schedule).await.ok();
        let last = self.0.catalog.runs(Some(name), 1).await?.into_iter().next();
        let last_ms = last.and_then(|run| Some(run.started_at?.duration_until(run.finished_at?).as_millis()));
        let last_ms = last_ms.and_then(|last| u64::try_from(last).ok());
        let audience = audience.map(|audience| Audience {
            recipients: fits(audience.recipients),
            fingerprints: fits(audience.readings),
            branches: fits(audience.branches),
            head_office: true,
            files: fits(audience.files),
            expected_ms: last_ms,
            last_ms,
        });
        let outlook = Outlook { name, trigger: &armed.trigger, now, count, waiting: &waiting, audience };
        let mut text = explain::explain(lang, &outlook);
        let row = self.0.catalog.schedule(name).await?;
        if let (Some(by), Some(why)) = (row.paused_by, row.reason) {
            text.push_str(&crate::locale::message(
                lang,
                "schedule-paused",
                &[("by", (&by).into()), ("why", (&why).into())],
            ));
            text.push('\n');
        }
        Ok(text)
    }
}

/// The last period that has ended at a business date.
fn last_period(every: Every, newest: i32) -> Option<Period> {
    let day = time::civil(newest);
    Some(match every {
        Every::Day => Period::Day(day),
        Every::Month if day == day.last_of_month() => Period::Month(day),
        Every::Month => Period::Month(day.first_of_month().yesterday().ok()?),
    })
}

#[cfg(test)]
mod tests;
