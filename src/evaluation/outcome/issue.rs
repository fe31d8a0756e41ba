//! From a missed target to what is done about it: issues, their actions, and the verification without which neither
//! closes.
//!
//! An action is `open`, then `done`, then `verified`; or it is `dropped` with a reason. An issue is `open` until it is
//! `closed`. One that returns names the closed one that went the same drill path.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::{ACTION, ISSUE, Period, checked, fault, reviewers_only};
use crate::evaluation::record::{Checked, Draft, Fault, Kind, MOST, Refused, document, faults, required};
use crate::evaluation::{ASSESSOR, REVIEWER, View, missing};

/// Most answers to "why?".
pub const WHYS: usize = 5;

/// Where an issue is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssueStatus {
    #[default]
    Open,
    /// Every action is verified.
    Closed,
}

impl IssueStatus {
    /// Stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// Something that has to change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issue {
    pub title: String,
    /// Whose it is.
    pub organisation: String,
    /// The KPI that missed its target.
    #[serde(default)]
    pub kpi: Option<String>,
    /// When.
    #[serde(default)]
    pub period: Option<String>,
    /// The members that a drill went through, from the top.
    #[serde(default)]
    pub path: Vec<String>,
    /// Share of the gap that the end of the path explains, 0 to 1.
    #[serde(default)]
    pub explained_share: Option<f64>,
    /// Who answers for it within the organisation.
    #[serde(default)]
    pub department: Option<String>,
    #[serde(default)]
    pub person: Option<String>,
    /// Key of a class of causes of the library.
    pub cause: String,
    /// Answers to "why?", each asked of the one before.
    #[serde(default)]
    pub whys: Vec<String>,
    /// The issue that it is the return of; found by its path unless stated.
    #[serde(default)]
    pub previous: Option<String>,
    #[serde(default)]
    pub status: IssueStatus,
}

/// Issues.
#[derive(Debug)]
pub struct IssueKind;

impl Kind for IssueKind {
    fn name(&self) -> &'static str {
        ISSUE
    }

    fn writers(&self) -> &'static [&'static str] {
        &[ASSESSOR, REVIEWER]
    }

    fn check(&self, draft: &Draft<'_>, body: Json) -> Result<Checked, Refused> {
        let mut new: Issue = document(body)?;
        let before: Option<Issue> = draft.before.map(|row| document(row.body.clone())).transpose()?;
        if before.as_ref().is_some_and(|before| before.status == IssueStatus::Closed) {
            return Err(Refused::Closed(format!("Issue `{}` is closed.", draft.id)));
        }
        new.whys.retain(|why| !why.trim().is_empty());
        new.path.retain(|member| !member.trim().is_empty());
        let found = issue_faults(draft, &new, before.as_ref());
        new.status = IssueStatus::Open;
        if before.is_none() && new.previous.is_none() {
            new.previous = returned(draft.view, &new);
        }
        checked(found, &new.organisation, json!(new))
    }

    fn act(&self, draft: &Draft<'_>, action: &str, reason: &str) -> Result<Checked, Refused> {
        let row = draft.before.ok_or_else(|| missing(ISSUE, draft.id))?;
        let mut issue: Issue = document(row.body.clone())?;
        reviewers_only(draft)?;
        match (action, issue.status) {
            ("close", IssueStatus::Open) => {
                let open = unverified(draft.view, draft.id);
                if !open.is_empty() {
                    return Err(open.into());
                }
                issue.status = IssueStatus::Closed;
            }
            ("reopen", IssueStatus::Closed) => {
                required("reason", reason)?;
                issue.status = IssueStatus::Open;
            }
            ("close" | "reopen", status) => {
                return Err(Refused::Closed(format!("Issue `{}` is {}.", draft.id, status.as_str())));
            }
            _ => return Err(faults("do", action, "action").into()),
        }
        checked(Vec::new(), &issue.organisation, json!(issue))
    }
}

fn issue_faults(draft: &Draft<'_>, new: &Issue, before: Option<&Issue>) -> Vec<Fault> {
    let library = &draft.view.definitions.library;
    let mut found = required("title", &new.title).err().unwrap_or_default();
    found.extend(required("organisation", &new.organisation).err().unwrap_or_default());
    if before.is_some_and(|before| before.organisation != new.organisation) {
        found.push(fault("organisation", &new.organisation, "fixed"));
    }
    if let Some(kpi) = new.kpi.as_deref().filter(|kpi| library.kpi(kpi).is_none()) {
        found.push(fault("kpi", kpi, "unknown"));
    }
    if let Some(period) = new.period.as_deref().filter(|period| Period::parse(period).is_none()) {
        found.push(fault("period", period, "period"));
    }
    if let Some(share) = new.explained_share.filter(|share| !(0.0..=1.0).contains(share)) {
        found.push(fault("explained_share", &share.to_string(), "range"));
    }
    if !library.causes.iter().any(|cause| *cause.key == *new.cause) {
        found.push(fault("cause", &new.cause, "unknown"));
    }
    if new.whys.len() > WHYS {
        found.push(fault("whys", &new.whys.len().to_string(), "whys"));
    }
    if let Some(previous) = &new.previous {
        let named: Option<Issue> = draft.view.read(ISSUE, previous);
        if previous == draft.id || named.is_none_or(|named| named.organisation != new.organisation) {
            found.push(fault("previous", previous, "unknown"));
        }
    }
    found
}

/// The newest closed issue of the same organisation, KPI and path. Without a path nothing says that it is the same.
fn returned(view: &View, new: &Issue) -> Option<String> {
    let same = |known: &Issue| {
        known.status == IssueStatus::Closed
            && (&known.organisation, &known.kpi, &known.path) == (&new.organisation, &new.kpi, &new.path)
    };
    let found = view.documents::<Issue>(ISSUE).filter(|(_, known)| !new.path.is_empty() && same(known));
    found.last().map(|(row, _)| row.id.clone())
}

/// The actions of an issue that keep it open: those neither verified nor dropped, and that there is none that was
/// verified.
fn unverified(view: &View, issue: &str) -> Vec<Fault> {
    let actions: Vec<(String, ActionStatus)> = view
        .documents::<Action>(ACTION)
        .filter(|(_, action)| action.issue == issue)
        .map(|(row, action)| (row.id.clone(), action.status))
        .collect();
    if !actions.iter().any(|(_, status)| *status == ActionStatus::Verified) {
        return faults("actions", "", "no_verification");
    }
    let open = actions.iter().filter(|(_, status)| matches!(status, ActionStatus::Open | ActionStatus::Done));
    open.map(|(id, status)| fault(&format!("actions.{id}"), status.as_str(), "unverified")).collect()
}

/// Where an action is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionStatus {
    #[default]
    Open,
    /// What was to be done is done; whether it helped is not known yet.
    Done,
    /// Somebody has shown what it changed.
    Verified,
    /// It is not done after all.
    Dropped,
}

impl ActionStatus {
    /// Stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Verified => "verified",
            Self::Dropped => "dropped",
        }
    }
}

/// What is done about an issue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// The issue that asks for it.
    pub issue: String,
    pub title: String,
    /// The role that answers for it.
    pub owner_role: String,
    pub due: Date,
    /// In units of money.
    #[serde(default)]
    pub cost: Option<f64>,
    /// By how much the KPI is to change, in its unit.
    #[serde(default)]
    pub expected_change: Option<f64>,
    #[serde(default)]
    pub status: ActionStatus,
    #[serde(default)]
    pub verification: Option<Verification>,
}

/// What an action changed, and how that is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    pub method: Method,
    /// SQL that shows it, or the words.
    #[serde(default)]
    pub statement: Option<String>,
    #[serde(default)]
    pub text: Option<String>,
    /// By how much the KPI changed, in its unit.
    pub actual_change: f64,
    /// Who verified; filled in.
    #[serde(default)]
    pub verified_by: Option<String>,
}

/// How a change is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A shift on a control chart.
    ControlChart,
    /// Against units without the action.
    DifferenceInDifferences,
    /// Before and after, which says least.
    BeforeAfter,
}

impl Method {
    /// All of them, the strongest first.
    pub const ALL: [Self; 3] = [Self::DifferenceInDifferences, Self::ControlChart, Self::BeforeAfter];

    /// Stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ControlChart => "control_chart",
            Self::DifferenceInDifferences => "difference_in_differences",
            Self::BeforeAfter => "before_after",
        }
    }
}

/// Actions.
#[derive(Debug)]
pub struct ActionKind;

impl Kind for ActionKind {
    fn name(&self) -> &'static str {
        ACTION
    }

    fn writers(&self) -> &'static [&'static str] {
        &[ASSESSOR, REVIEWER]
    }

    /// What it changed is entered once it is done.
    fn check(&self, draft: &Draft<'_>, body: Json) -> Result<Checked, Refused> {
        let mut new: Action = document(body)?;
        let before: Option<Action> = draft.before.map(|row| document(row.body.clone())).transpose()?;
        let status = before.as_ref().map(|before| before.status).unwrap_or_default();
        if matches!(status, ActionStatus::Verified | ActionStatus::Dropped) {
            return Err(closed(draft.id, status));
        }
        let Some(issue) = draft.view.read::<Issue>(ISSUE, &new.issue) else {
            return Err(faults("issue", &new.issue, "unknown").into());
        };
        if issue.status == IssueStatus::Closed {
            return Err(Refused::Closed(format!("Issue `{}` is closed.", new.issue)));
        }
        let mut found = action_faults(&new, status);
        if before.as_ref().is_some_and(|before| before.issue != new.issue) {
            found.push(fault("issue", &new.issue, "fixed"));
        }
        new.status = status;
        if let Some(verification) = &mut new.verification {
            verification.verified_by = None;
        }
        checked(found, &issue.organisation, json!(new))
    }

    fn act(&self, draft: &Draft<'_>, action: &str, reason: &str) -> Result<Checked, Refused> {
        let row = draft.before.ok_or_else(|| missing(ACTION, draft.id))?;
        let mut one: Action = document(row.body.clone())?;
        let issue: Option<Issue> = draft.view.read(ISSUE, &one.issue);
        if issue.is_some_and(|issue| issue.status == IssueStatus::Closed) {
            return Err(Refused::Closed(format!("Issue `{}` is closed.", one.issue)));
        }
        match (action, one.status) {
            ("done", ActionStatus::Open) => one.status = ActionStatus::Done,
            ("verify", ActionStatus::Done) => {
                reviewers_only(draft)?;
                required("reason", reason)?;
                let Some(verification) = &mut one.verification else {
                    return Err(faults("verification", "", "no_verification").into());
                };
                verification.verified_by = Some(draft.by.name.clone());
                one.status = ActionStatus::Verified;
            }
            ("drop", ActionStatus::Open | ActionStatus::Done) => {
                reviewers_only(draft)?;
                required("reason", reason)?;
                one.status = ActionStatus::Dropped;
            }
            ("reopen", ActionStatus::Done | ActionStatus::Verified | ActionStatus::Dropped) => {
                reviewers_only(draft)?;
                required("reason", reason)?;
                (one.status, one.verification) = (ActionStatus::Open, None);
            }
            ("done" | "verify" | "drop" | "reopen", status) => return Err(closed(draft.id, status)),
            _ => return Err(faults("do", action, "action").into()),
        }
        checked(Vec::new(), &row.organisation, json!(one))
    }
}

fn action_faults(new: &Action, status: ActionStatus) -> Vec<Fault> {
    let mut found = required("title", &new.title).err().unwrap_or_default();
    found.extend(required("owner_role", &new.owner_role).err().unwrap_or_default());
    if let Some(cost) = new.cost.filter(|cost| !(0.0..=MOST).contains(cost)) {
        found.push(fault("cost", &cost.to_string(), "amount"));
    }
    if let Some(change) = new.expected_change.filter(|change| !change.is_finite()) {
        found.push(fault("expected_change", &change.to_string(), "number"));
    }
    let Some(verification) = &new.verification else { return found };
    if status != ActionStatus::Done {
        found.push(fault("verification", status.as_str(), "not_done"));
    }
    if !verification.actual_change.is_finite() {
        found.push(fault("verification.actual_change", &verification.actual_change.to_string(), "number"));
    }
    let said = [&verification.statement, &verification.text];
    if !said.into_iter().flatten().any(|words| !words.trim().is_empty()) {
        found.push(fault("verification.text", "", "required"));
    }
    found
}

fn closed(id: &str, status: ActionStatus) -> Refused {
    Refused::Closed(format!("Action `{id}` is {}; this is not its next step.", status.as_str()))
}
