//! Late closes: what the roles of a deadline are told when it has passed and branches are missing.
//!
//! In: a deadline that is over and what has closed. Out: notices, one for head office with every missing branch, and one for each
//! missing branch that tells of nobody else. Each is written once, whoever finds it out: its id is of schedule, period and scope.

use jiff::Zoned;

use super::explain::instant;
use super::when::{Deadline, Period, Then};
use crate::catalog::NoticeText;
use crate::locale::{Lang, Value, message};
use crate::model::Label;
use crate::query::{Branch, Completeness};

/// A close that is late.
#[derive(Debug, Clone, Copy)]
pub(super) struct Late<'a> {
    /// Title and name of the report.
    pub(super) title: &'a Label,
    pub(super) report: &'a str,
    pub(super) period: Period,
    pub(super) deadline: &'a Deadline,
    /// When it was over, in the zone of the schedule.
    pub(super) at: &'a Zoned,
    pub(super) completeness: &'a Completeness,
}

impl Late<'_> {
    /// What head office is told: how many have closed, what happens now, and who is missing.
    pub(super) fn to_head_office(self, lang: Lang, missing: &[Branch]) -> NoticeText {
        let count = |value: usize| Value::Count(i64::try_from(value).unwrap_or(i64::MAX));
        let (when, period) = (self.when(lang), self.period.to_string());
        let words = [
            ("when", (&when).into()),
            ("period", (&period).into()),
            ("closed", count(self.completeness.closed)),
            ("of", count(self.completeness.of)),
        ];
        let paragraphs =
            vec![message(lang, "late-passed", &words), self.then(lang), message(lang, "late-missing", &[])];
        let items = missing.iter().map(|branch| name(lang, branch)).collect();
        NoticeText { subject: self.subject(lang), paragraphs, items }
    }

    /// What a branch is told: that it is missing, and what happens now. Of other branches nothing.
    pub(super) fn to_branch(self, lang: Lang, branch: &Branch) -> NoticeText {
        let (when, period, branch) = (self.when(lang), self.period.to_string(), name(lang, branch));
        let words = [("when", (&when).into()), ("period", (&period).into()), ("branch", (&branch).into())];
        let paragraphs = vec![message(lang, "late-passed-branch", &words), self.then(lang)];
        NoticeText { subject: self.subject(lang), paragraphs, items: Vec::new() }
    }

    fn subject(&self, lang: Lang) -> String {
        let title = Some(lang.pick(self.title)).filter(|title| !title.is_empty()).unwrap_or(self.report);
        let period = self.period.to_string();
        message(lang, "late-subject", &[("report", title.into()), ("period", (&period).into())])
    }

    fn when(&self, lang: Lang) -> String {
        format!("{} {}", instant(lang, self.at), self.at.time_zone().iana_name().unwrap_or("UTC"))
    }

    /// What happens now.
    fn then(&self, lang: Lang) -> String {
        match (self.deadline.then, self.deadline.at_least) {
            _ if self.deadline.publishes(self.completeness.closed) => message(lang, "late-partial", &[]),
            (Then::Partial, Some(least)) => {
                message(lang, "late-hold-least", &[("least", Value::Count(i64::from(least)))])
            }
            (Then::Partial, None) => message(lang, "late-hold-none", &[]),
            (Then::Hold, _) => message(lang, "late-hold", &[]),
        }
    }
}

/// The organisation table names branches in one language; the key serves where that is not the reader's.
fn name(lang: Lang, branch: &Branch) -> String {
    match lang {
        Lang::En if !branch.name.is_ascii() => branch.key.clone(),
        _ => branch.name.clone(),
    }
}

#[cfg(test)]
mod tests;
