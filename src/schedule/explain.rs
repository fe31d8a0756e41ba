//! The text of `countinghouse schedule explain`: what a schedule does next, and why.
//!
//! In: a trigger, the wall time, and what others know of it (closes, recipients, the last run). Out: text in the reader's
//! language, for a terminal and for the schedule's page. Only figures that were given are printed.

#[cfg(test)]
mod tests;

use jiff::{Timestamp, Zoned};

use super::when::{Cutoff, Deadline, Every, Firing, OnHoliday, Period, Reason, Rule, Skipped, Then, Trigger};
use crate::locale::{Lang, Value, message};
use crate::model::Label;

/// What is known of a schedule.
#[derive(Debug, Clone)]
pub struct Outlook<'a> {
    /// `branch_scorecard/monthly`.
    pub name: &'a str,
    /// When it fires.
    pub trigger: &'a Trigger,
    /// Wall time.
    pub now: Timestamp,
    /// How many firings are shown, those that wait for data not counted.
    pub count: usize,
    /// Close-driven: periods that ended and are not published, oldest first.
    pub waiting: &'a [Readiness<'a>],
    /// Who gets it and what it costs.
    pub audience: Option<Audience>,
}

/// How far the data of a period are.
#[derive(Debug, Clone)]
pub struct Readiness<'a> {
    /// The period.
    pub period: Period,
    /// Branches that have closed.
    pub closed: u32,
    /// Branches in scope.
    pub of: u32,
    /// Those that have not.
    pub missing: &'a [Missing<'a>],
}

/// A branch that has not closed.
#[derive(Debug, Clone, Copy)]
pub struct Missing<'a> {
    /// Its name or key, as it is to be shown.
    pub branch: &'a str,
    /// Its last batch, in the reader's language; empty when there is nothing to say.
    pub note: &'a str,
}

/// Who gets it and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audience {
    /// People and addresses.
    pub recipients: u32,
    /// Distinct rights, so runs.
    pub fingerprints: u32,
    /// Fingerprints that are a branch each; 0 where they are not by branch.
    pub branches: u32,
    /// Whether one of them is head office.
    pub head_office: bool,
    /// Files made.
    pub files: u32,
    /// Expected duration, ms.
    pub expected_ms: Option<u64>,
    /// Duration of the last run, ms.
    pub last_ms: Option<u64>,
}

/// The text, lines ended by a line feed.
pub fn explain(lang: Lang, outlook: &Outlook<'_>) -> String {
    let Outlook { trigger, now, count, waiting, .. } = *outlook;
    let mut lines = vec![head(lang, outlook)];
    for readiness in waiting {
        waiting_lines(lang, trigger, now, readiness, &mut lines);
    }
    let found = trigger.next(now, count);
    for firing in &found.firings {
        lines.push(format!(" {}", firing_line(lang, trigger, firing)));
    }
    if found.firings.is_empty() && found.beyond.is_none() && count > 0 {
        lines.push(format!(" {}", message(lang, "schedule-no-firing", &[])));
    }
    if !found.skipped.is_empty() {
        let days = found.skipped.iter().map(|Skipped { day, holiday }| named_day(lang, *day, holiday.as_ref()));
        lines.push(format!(" {}", message(lang, "schedule-skipped", &[("days", (&shortened(lang, days)).into())])));
    }
    if let Some(error) = &found.beyond {
        lines.push(format!(" {}", message(lang, "schedule-beyond", &[("why", error.message().into())])));
    }
    if let Some(audience) = &outlook.audience {
        lines.push(format!(" {}", audience_line(lang, audience)));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn head(lang: Lang, outlook: &Outlook<'_>) -> String {
    let trigger = outlook.trigger;
    let mut parts = vec![outlook.name.to_owned()];
    let mut holidays = None;
    parts.push(match trigger.rule() {
        Rule::Clock { cron, on_holiday } => {
            holidays = on_holiday.map(|on_holiday| match on_holiday {
                OnHoliday::Skip => "schedule-holidays-skip",
                OnHoliday::Next => "schedule-holidays-next",
                OnHoliday::Previous => "schedule-holidays-previous",
            });
            message(lang, "schedule-cron", &[("cron", cron.as_str().into())])
        }
        Rule::Closed { every: Every::Month, .. } => message(lang, "schedule-closes-month", &[]),
        Rule::Closed { business_days_only: true, .. } => message(lang, "schedule-closes-business-day", &[]),
        Rule::Closed { .. } => message(lang, "schedule-closes-day", &[]),
    });
    if let Some(calendar) = trigger.calendar() {
        let calendar = format!("{} {}", calendar.name(), calendar.version());
        parts.push(message(lang, "schedule-calendar", &[("calendar", (&calendar).into())]));
    }
    parts.extend(holidays.map(|key| message(lang, key, &[])));
    let zone = trigger.zone().iana_name().unwrap_or("?");
    parts.push(message(lang, "schedule-zone", &[("zone", zone.into())]));
    parts.join("   ")
}

fn waiting_lines(lang: Lang, trigger: &Trigger, now: Timestamp, readiness: &Readiness<'_>, lines: &mut Vec<String>) {
    let Readiness { period, closed, of, missing } = readiness;
    let period = period.to_string();
    let counts = [("closed", Value::Count(i64::from(*closed))), ("of", Value::Count(i64::from(*of)))];
    let mut line = format!(" {period}  {}  ", message(lang, "schedule-ready", &counts));
    if missing.is_empty() {
        line += &message(lang, "schedule-complete", &[]);
    } else {
        let names = missing.iter().map(|Missing { branch, note }| match note.is_empty() {
            true => (*branch).to_owned(),
            false => message(lang, "schedule-missing-note", &[("branch", (*branch).into()), ("note", (*note).into())]),
        });
        let names = names.collect::<Vec<_>>().join(&message(lang, "schedule-list", &[]));
        line += &message(lang, "schedule-waiting", &[("missing", (&names).into())]);
    }
    lines.push(line);
    let (Rule::Closed { deadline: Some(deadline), .. }, Some(cutoff)) =
        (trigger.rule(), trigger.cutoff_of(readiness.period))
    else {
        return;
    };
    let indent = " ".repeat(period.len() + 3);
    let mut line = format!("{indent}{}", cutoff_text(lang, &cutoff));
    if let Cutoff::At { local, business_day, .. } = &cutoff {
        let day = message(lang, "schedule-business-day", &[("day", Value::Count(i64::from(*business_day)))]);
        line = format!("{line} {day} {}", then_text(lang, deadline, readiness));
        if local.timestamp() <= now {
            line += &message(lang, "schedule-list", &[]);
            line += &message(lang, "schedule-passed", &[]);
        }
        if !deadline.tell.is_empty() {
            let list = message(lang, "schedule-list", &[]);
            line += &list;
            line += &message(lang, "schedule-tells", &[("roles", (&deadline.tell.join(&list)).into())]);
        }
    }
    lines.push(line);
}

/// What follows the deadline, and what would follow were it now.
fn then_text(lang: Lang, deadline: &Deadline, readiness: &Readiness<'_>) -> String {
    let (what, is_enough) = match (deadline.then, deadline.at_least) {
        (Then::Hold, _) => (message(lang, "schedule-then-hold", &[]), readiness.closed >= readiness.of),
        (Then::Partial, None) => (message(lang, "schedule-then-partial", &[]), readiness.closed > 0),
        (Then::Partial, Some(least)) => {
            let least_text = [("least", Value::Count(i64::from(least)))];
            (message(lang, "schedule-then-partial-needs", &least_text), readiness.closed >= least.min(readiness.of))
        }
    };
    let would = if is_enough { "schedule-would-publish" } else { "schedule-would-hold" };
    format!("{what}{}{}", message(lang, "schedule-list", &[]), message(lang, would, &[]))
}

fn cutoff_text(lang: Lang, cutoff: &Cutoff) -> String {
    match cutoff {
        Cutoff::At { local, reasons, .. } => {
            let text = message(lang, "schedule-deadline", &[("when", (&instant(lang, local)).into())]);
            [Some(text), because(lang, reasons)].into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
        Cutoff::Unknown(why) => message(lang, "schedule-deadline-unknown", &[("why", why.into())]),
    }
}

fn firing_line(lang: Lang, trigger: &Trigger, firing: &Firing) -> String {
    let period = firing.period.map(|period| period.to_string());
    if let (Rule::Closed { .. }, Some(period)) = (trigger.rule(), &period) {
        let cutoff = firing.cutoff.as_ref().map(|cutoff| cutoff_text(lang, cutoff));
        return [Some(period.clone()), cutoff].into_iter().flatten().collect::<Vec<_>>().join("  ");
    }
    let mut parts = vec![format!("{} {}", instant(lang, &firing.local), firing.local.strftime("%:z"))];
    parts.extend(period.map(|period| message(lang, "schedule-for", &[("period", (&period).into())])));
    parts.extend(because(lang, &firing.reasons));
    parts.join("  ")
}

/// `Wed 2026-11-04 09:00`.
pub(super) fn instant(lang: Lang, local: &Zoned) -> String {
    let weekday = message(lang, &format!("schedule-weekday-{}", local.weekday().to_monday_one_offset()), &[]);
    format!("{weekday} {}", local.strftime("%Y-%m-%d %H:%M"))
}

/// The reasons in brackets; `None` where there are none. Days that were moved are put together.
fn because(lang: Lang, reasons: &[Reason]) -> Option<String> {
    let mut texts = Vec::new();
    let (mut moved, mut joined) = (Vec::new(), Vec::new());
    for reason in reasons {
        let clock = |key: &str, wanted: &jiff::civil::DateTime| {
            message(lang, key, &[("wanted", (&wanted.strftime("%H:%M").to_string()).into())])
        };
        match reason {
            Reason::Gap { wanted } => texts.push(clock("schedule-gap", wanted)),
            Reason::OverlapFirst { wanted } => texts.push(clock("schedule-overlap-first", wanted)),
            Reason::OverlapBoth { wanted } => texts.push(clock("schedule-overlap-both", wanted)),
            Reason::Moved { from, holiday } => moved.push(named_day(lang, *from, holiday.as_ref())),
            Reason::Joined { from, holiday } => joined.push(named_day(lang, *from, holiday.as_ref())),
            Reason::MadeUp { holiday } => texts.push(match lang.pick(holiday) {
                "" => message(lang, "schedule-made-up", &[]),
                name => message(lang, "schedule-made-up-for", &[("holiday", name.into())]),
            }),
        }
    }
    for (key, days) in [("schedule-moved", moved), ("schedule-joined", joined)] {
        if !days.is_empty() {
            texts.push(message(lang, key, &[("days", (&shortened(lang, days.into_iter())).into())]));
        }
    }
    let text = texts.join(&message(lang, "schedule-separator", &[]));
    (!text.is_empty()).then(|| message(lang, "schedule-because", &[("reasons", (&text).into())]))
}

/// `2026-10-01 National Day`.
fn named_day(lang: Lang, day: jiff::civil::Date, holiday: Option<&Label>) -> String {
    let date = day.to_string();
    match holiday.map(|holiday| lang.pick(holiday)) {
        Some(holiday) => message(lang, "schedule-day-holiday", &[("day", (&date).into()), ("holiday", holiday.into())]),
        None => message(lang, "schedule-day-weekend", &[("day", (&date).into())]),
    }
}

/// Three days, and how many more there are.
fn shortened(lang: Lang, days: impl ExactSizeIterator<Item = String>) -> String {
    const SHOWN: usize = 3;
    let more = days.len().saturating_sub(SHOWN);
    let shown = days.take(SHOWN).collect::<Vec<_>>().join(&message(lang, "schedule-list", &[]));
    match i64::try_from(more) {
        Ok(more @ 1..) => message(lang, "schedule-more-days", &[("days", (&shown).into()), ("count", more.into())]),
        _ => shown,
    }
}

fn audience_line(lang: Lang, audience: &Audience) -> String {
    let count = |value: u32| Value::Count(i64::from(value));
    let branches = message(lang, "schedule-branches", &[("count", count(audience.branches))]);
    let scopes = match (audience.branches, audience.head_office) {
        (0, false) => None,
        (0, true) => Some(message(lang, "schedule-head-office", &[])),
        (_, false) => Some(branches),
        (_, true) => Some(message(lang, "schedule-branches-and-head-office", &[("branches", (&branches).into())])),
    };
    let mut args = vec![
        ("recipients", count(audience.recipients)),
        ("fingerprints", count(audience.fingerprints)),
        ("files", count(audience.files)),
    ];
    let key = if scopes.is_some() { "schedule-recipients-of" } else { "schedule-recipients" };
    args.extend(scopes.as_ref().map(|scopes| ("scopes", Value::Text(scopes))));
    let mut parts = vec![message(lang, key, &args)];
    // Whole seconds, rounded up: an estimate has no tenths.
    let expected = audience.expected_ms.map(|ms| ms.div_ceil(1000).to_string());
    parts.extend(expected.map(|seconds| message(lang, "schedule-expected", &[("seconds", (&seconds).into())])));
    let last =
        audience.last_ms.map(|ms| ms.saturating_add(50) / 100).map(|tenths| format!("{}.{}", tenths / 10, tenths % 10));
    parts.extend(last.map(|seconds| message(lang, "schedule-last-run", &[("seconds", (&seconds).into())])));
    parts.join(&message(lang, "schedule-list", &[]))
}
