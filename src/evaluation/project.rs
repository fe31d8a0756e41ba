//! Implementation: projects on a template, their phases, deliverables, gates, risks and factors of success.
//!
//! A project takes what it needs of its template when it is made, names and gates with what they require, so that a
//! later template changes nothing of it. What is planned, done and spent is entered; a gate is decided by a reviewer,
//! on the organisation's newest locked assessment.

mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

pub(super) use self::tables::TABLES;
use super::outcome::{checked, code, fault, reviewers_only};
use super::record::{Checked, Draft, Fault, Kind, MOST, Refused, document, faults, required};
use super::table::days;
use super::{ASSESSOR, REVIEWER, maturity, missing};
use crate::analysis::Figure;
use crate::analysis::outcome::{Part, Score, weighted_score};
use crate::analysis::project::{self as arithmetic, EarnedValue};
use crate::catalog::RecordRow;
use crate::model::Label;
use crate::model::evaluation::phases::{self, Factor, Template, Templates};

/// Kind of a project.
pub const PROJECT: &str = "project";

/// Highest score of a factor.
const HIGHEST: f64 = 5.0;

/// A project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Project {
    pub name: String,
    pub organisation: String,
    /// Key of its template; the default one unless stated.
    #[serde(default)]
    pub template: String,
    /// Version of the file of templates that it was made from; filled in.
    #[serde(default)]
    pub template_version: u32,
    pub started: Date,
    /// The first day on which the organisation works with the result.
    #[serde(default)]
    pub go_live: Option<Date>,
    /// In units of money.
    #[serde(default)]
    pub budget: Option<f64>,
    /// Those of the template, in its order.
    #[serde(default)]
    pub phases: Vec<Phase>,
    #[serde(default)]
    pub risks: Vec<Risk>,
    /// Scores of the checklist, 0 to 5, by factor.
    #[serde(default)]
    pub factors: BTreeMap<String, f64>,
    #[serde(default)]
    pub status: Status,
}

/// Where a project is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    Running,
    Finished,
    Stopped,
}

impl Status {
    /// Stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
        }
    }
}

/// A phase: what was planned and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Its key in the template.
    pub phase: String,
    /// As the template had it when the project was made; filled in.
    #[serde(default)]
    pub name: Label,
    #[serde(default)]
    pub planned_start: Option<Date>,
    #[serde(default)]
    pub planned_end: Option<Date>,
    #[serde(default)]
    pub actual_start: Option<Date>,
    #[serde(default)]
    pub actual_end: Option<Date>,
    /// In units of money.
    #[serde(default)]
    pub planned_cost: f64,
    #[serde(default)]
    pub actual_cost: f64,
    /// Share of its work that is done, 0 to 1.
    #[serde(default)]
    pub complete: f64,
    #[serde(default)]
    pub deliverables: Vec<Deliverable>,
    /// The decision at its end; decided by a step of its own.
    #[serde(default)]
    pub gate: Option<Gate>,
}

/// What a phase delivers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deliverable {
    pub deliverable: String,
    #[serde(default)]
    pub name: Label,
    #[serde(default)]
    pub done: bool,
    /// A link, or where it lies.
    #[serde(default)]
    pub evidence: Option<String>,
}

/// The decision at the end of a phase.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    pub gate: String,
    #[serde(default)]
    pub name: Label,
    /// Items of the maturity model with the score that each needs.
    #[serde(default)]
    pub requires: BTreeMap<String, u8>,
    #[serde(default)]
    pub decision: Option<Decision>,
    /// Roles of whoever decided; the login stands in the history.
    #[serde(default)]
    pub decided_by: Vec<String>,
    #[serde(default)]
    pub note: Option<String>,
}

/// What a gate came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Go,
    /// On, with what is missing made up for.
    Conditional,
    Stop,
}

impl Decision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Go, Self::Conditional, Self::Stop];

    /// Stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Conditional => "conditional",
            Self::Stop => "stop",
        }
    }
}

/// A risk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    pub name: String,
    /// 1 to 5.
    pub probability: u8,
    /// 1 to 5.
    pub impact: u8,
    #[serde(default)]
    pub response: String,
    #[serde(default)]
    pub owner_role: String,
    #[serde(default)]
    pub status: RiskStatus,
}

/// What became of a risk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskStatus {
    #[default]
    Open,
    /// It happened.
    Occurred,
    /// It cannot happen any more.
    Closed,
}

impl RiskStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Occurred, Self::Closed];

    /// Stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Occurred => "occurred",
            Self::Closed => "closed",
        }
    }
}

/// A figure, or the code of the reason why there is none.
pub type Coded = Result<f64, &'static str>;

/// What the earned value of a project or phase says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Indexes {
    /// SPI: what is earned of what was planned; good at 1 and above.
    pub schedule: Coded,
    /// CPI: what is earned of what was spent; good at 1 and above.
    pub cost: Coded,
    /// Share of the planned cost that is earned.
    pub complete: Coded,
    /// Cost of all work if the rest costs as the work so far did.
    pub estimate: Coded,
}

impl Indexes {
    fn of(progress: &arithmetic::Progress) -> Self {
        let earned = arithmetic::earned_value(progress);
        let figure = |of: fn(&EarnedValue) -> Figure| -> Coded {
            let found = earned.as_ref().map_err(|failure| *failure).and_then(of);
            found.map_err(|failure| code(&failure))
        };
        Self {
            schedule: figure(|one| one.schedule_index),
            cost: figure(|one| one.cost_index),
            complete: figure(|one| Ok(one.complete)),
            estimate: figure(|one| one.estimate_at_completion),
        }
    }
}

impl Phase {
    /// What it starts with.
    fn of(phase: &phases::Phase) -> Self {
        let deliverable = |one: &phases::Deliverable| Deliverable {
            deliverable: one.key.value.clone(),
            name: one.name.clone(),
            ..Deliverable::default()
        };
        let gate = |one: &phases::Gate| Gate {
            gate: one.key.value.clone(),
            name: one.name.clone(),
            requires: one.requires.iter().map(|(item, level)| (item.value.clone(), level.value)).collect(),
            ..Gate::default()
        };
        Self {
            phase: phase.key.value.clone(),
            name: phase.name.clone(),
            deliverables: phase.deliverables.iter().map(deliverable).collect(),
            gate: phase.gate.as_ref().map(gate),
            ..Self::default()
        }
    }

    /// With the plan and progress that somebody sent. Names and gate stay.
    fn take(&mut self, sent: Self) -> Vec<Fault> {
        let Self { phase, planned_start, planned_end, actual_start, actual_end, deliverables, .. } = sent;
        let (planned_cost, actual_cost, complete) = (sent.planned_cost, sent.actual_cost, sent.complete);
        let mut found = Vec::new();
        let mut add = |field: &str, value: String, rule| {
            found.push(fault(&format!("phases.{phase}.{field}"), &value, rule));
        };
        for (field, from, to) in [("planned_end", planned_start, planned_end), ("actual_end", actual_start, actual_end)]
        {
            match (from, to) {
                (Some(from), Some(to)) if to < from => add(field, to.to_string(), "earlier"),
                (None, Some(to)) => add(field, to.to_string(), "earlier"),
                _ => {}
            }
        }
        if planned_cost > 0.0 && (planned_start.is_none() || planned_end.is_none()) {
            add("planned_end", String::new(), "required");
        }
        for (field, cost) in [("planned_cost", planned_cost), ("actual_cost", actual_cost)] {
            if !(0.0..=MOST).contains(&cost) {
                add(field, cost.to_string(), "amount");
            }
        }
        if !(0.0..=1.0).contains(&complete) {
            add("complete", complete.to_string(), "range");
        }
        for one in deliverables {
            match self.deliverables.iter_mut().find(|known| known.deliverable == one.deliverable) {
                Some(known) => (known.done, known.evidence) = (one.done, one.evidence),
                None => add("deliverables", one.deliverable, "unknown"),
            }
        }
        (self.planned_start, self.planned_end) = (planned_start, planned_end);
        (self.actual_start, self.actual_end) = (actual_start, actual_end);
        (self.planned_cost, self.actual_cost, self.complete) = (planned_cost, actual_cost, complete);
        found
    }

    /// Cost of the work that was to be done by the end of a day, taken as even over the planned days.
    fn planned_value(&self, day: Date) -> f64 {
        let (Some(start), Some(end)) = (self.planned_start, self.planned_end) else { return 0.0 };
        let whole = days(end) - days(start) + 1;
        let passed = (days(day) - days(start) + 1).clamp(0, whole.max(0));
        self.planned_cost * (f64::from(passed) / f64::from(whole.max(1)))
    }

    /// What was planned, earned and spent to a day.
    fn progress(&self, day: Date) -> arithmetic::Progress {
        arithmetic::Progress {
            planned_value: self.planned_value(day),
            earned_value: self.planned_cost * self.complete,
            actual_cost: self.actual_cost,
            budget: self.planned_cost,
        }
    }

    /// Its indexes to a day.
    pub fn indexes(&self, day: Date) -> Indexes {
        Indexes::of(&self.progress(day))
    }
}

impl Project {
    /// What was planned, earned and spent to a day, over all phases. The budget is the planned cost of all of them.
    pub fn progress(&self, day: Date) -> arithmetic::Progress {
        let none = arithmetic::Progress { planned_value: 0.0, earned_value: 0.0, actual_cost: 0.0, budget: 0.0 };
        self.phases.iter().map(|phase| phase.progress(day)).fold(none, |sum, one| arithmetic::Progress {
            planned_value: sum.planned_value + one.planned_value,
            earned_value: sum.earned_value + one.earned_value,
            actual_cost: sum.actual_cost + one.actual_cost,
            budget: sum.budget + one.budget,
        })
    }

    /// Its indexes to a day.
    pub fn indexes(&self, day: Date) -> Indexes {
        Indexes::of(&self.progress(day))
    }

    /// The weighted mean of the checklist as a share, and the share of its weight that is scored. None for a checklist
    /// without weight.
    pub fn readiness(&self, checklist: &[Factor]) -> Option<Score> {
        let part = |factor: &Factor| -> Part {
            (factor.weight.value, self.factors.get(factor.key.as_str()).map(|score| score / HIGHEST))
        };
        weighted_score(&checklist.iter().map(part).collect::<Vec<_>>()).ok()
    }
}

/// The template of a key; of no key the default.
pub fn template<'a>(templates: &'a Templates, key: &str) -> Option<&'a Template> {
    templates.templates.iter().find(|one| if key.is_empty() { one.is_default } else { *one.key == *key })
}

/// The day that a project's record speaks of: that on which its newest version was recorded, UTC.
pub fn as_of(row: &RecordRow) -> Date {
    row.recorded_at.to_zoned(TimeZone::UTC).date()
}

/// Projects.
#[derive(Debug)]
pub struct ProjectKind;

impl Kind for ProjectKind {
    fn name(&self) -> &'static str {
        PROJECT
    }

    fn writers(&self) -> &'static [&'static str] {
        &[ASSESSOR, REVIEWER]
    }

    /// Phases that are not sent stay as they are; of those that are, names and gates do.
    fn check(&self, draft: &Draft<'_>, body: Json) -> Result<Checked, Refused> {
        let mut new: Project = document(body)?;
        let before: Option<Project> = draft.before.map(|row| document(row.body.clone())).transpose()?;
        if let Some(before) = before.as_ref().filter(|before| before.status != Status::Running) {
            return Err(closed(draft.id, before.status));
        }
        let templates = &draft.view.definitions.templates;
        let mut found = required("name", &new.name).err().unwrap_or_default();
        found.extend(required("organisation", &new.organisation).err().unwrap_or_default());
        let mut phases = match &before {
            Some(before) => {
                if before.organisation != new.organisation {
                    found.push(fault("organisation", &new.organisation, "fixed"));
                }
                if !new.template.is_empty() && before.template != new.template {
                    found.push(fault("template", &new.template, "fixed"));
                }
                new.template.clone_from(&before.template);
                new.template_version = before.template_version;
                before.phases.clone()
            }
            None => match template(templates, &new.template) {
                Some(template) => {
                    new.template.clone_from(&template.key.value);
                    new.template_version = templates.version;
                    template.phases.iter().map(Phase::of).collect()
                }
                None => return Err(faults("template", &new.template, "unknown").into()),
            },
        };
        for sent in std::mem::take(&mut new.phases) {
            match phases.iter_mut().find(|known| known.phase == sent.phase) {
                Some(known) => found.extend(known.take(sent)),
                None => found.push(fault("phases", &sent.phase, "unknown")),
            }
        }
        new.phases = phases;
        new.status = Status::Running;
        found.extend(details(&new, &templates.checklist));
        checked(found, &new.organisation, json!(new))
    }

    fn act(&self, draft: &Draft<'_>, action: &str, reason: &str) -> Result<Checked, Refused> {
        let row = draft.before.ok_or_else(|| missing(PROJECT, draft.id))?;
        let mut project: Project = document(row.body.clone())?;
        reviewers_only(draft)?;
        if project.status != Status::Running {
            return Err(closed(draft.id, project.status));
        }
        match action.split(':').collect::<Vec<_>>().as_slice() {
            ["finish"] => {
                let open = unfinished(&project);
                if !open.is_empty() {
                    return Err(open.into());
                }
                project.status = Status::Finished;
            }
            ["stop"] => {
                required("reason", reason)?;
                project.status = Status::Stopped;
            }
            ["gate", phase, decision] => decide(draft, &mut project, phase, decision, reason)?,
            _ => return Err(faults("do", action, "action").into()),
        }
        checked(Vec::new(), &project.organisation, json!(project))
    }
}

/// What is wrong with a project besides its phases.
fn details(new: &Project, checklist: &[Factor]) -> Vec<Fault> {
    let mut found = Vec::new();
    if let Some(budget) = new.budget.filter(|budget| !(0.0..=MOST).contains(budget)) {
        found.push(fault("budget", &budget.to_string(), "amount"));
    }
    if let Some(go_live) = new.go_live.filter(|day| *day < new.started) {
        found.push(fault("go_live", &go_live.to_string(), "earlier"));
    }
    for (risk, number) in new.risks.iter().zip(1..) {
        let mut add =
            |field: &str, value: &str, rule| found.push(fault(&format!("risks.{number}.{field}"), value, rule));
        if risk.name.trim().is_empty() {
            add("name", "", "required");
        }
        for (field, score) in [("probability", risk.probability), ("impact", risk.impact)] {
            if !(1..=5).contains(&score) {
                add(field, &score.to_string(), "range");
            }
        }
    }
    for (key, score) in &new.factors {
        if !checklist.iter().any(|factor| *factor.key == *key) {
            found.push(fault(&format!("factors.{key}"), key, "unknown"));
        }
        if !(0.0..=HIGHEST).contains(score) {
            found.push(fault(&format!("factors.{key}"), &score.to_string(), "range"));
        }
    }
    found
}

/// Decides the gate of a phase. The organisation's newest locked assessment must hold what a go requires; what it does
/// not hold is a reason for a condition, which is written down as every decision but a go is.
fn decide(draft: &Draft<'_>, project: &mut Project, phase: &str, decision: &str, reason: &str) -> Result<(), Refused> {
    let found = project.phases.iter_mut().find(|known| known.phase == phase);
    let Some(gate) = found.and_then(|phase| phase.gate.as_mut()) else {
        return Err(faults("phases", phase, "unknown").into());
    };
    let Some(decision) = Decision::ALL.into_iter().find(|known| known.as_str() == decision) else {
        return Err(faults("do", decision, "action").into());
    };
    match decision {
        Decision::Go => {
            let scores = maturity::item_scores(draft.view, &project.organisation);
            let lacks = gate.requires.iter().filter_map(|(item, level)| {
                let score = scores.get(item).copied();
                let holds = score.is_some_and(|score| score >= f64::from(*level));
                let shown = score.map_or_else(|| "–".to_owned(), |score| score.to_string());
                (!holds).then(|| fault(&format!("requires.{item}"), &format!("{shown} < {level}"), "gate"))
            });
            let lacks: Vec<Fault> = lacks.collect();
            if !lacks.is_empty() {
                return Err(lacks.into());
            }
        }
        Decision::Conditional | Decision::Stop => required("reason", reason)?,
    }
    gate.decision = Some(decision);
    gate.decided_by = draft.by.roles.iter().cloned().collect();
    gate.note = Some(reason.trim().to_owned()).filter(|note| !note.is_empty());
    Ok(())
}

/// What keeps a project from being finished: work that is not done, gates without a decision to go on.
fn unfinished(project: &Project) -> Vec<Fault> {
    let mut found = Vec::new();
    for phase in &project.phases {
        if phase.complete < 1.0 {
            found.push(fault(&format!("phases.{}.complete", phase.phase), &phase.complete.to_string(), "unfinished"));
        }
        let decided = |gate: &Gate| matches!(gate.decision, Some(Decision::Go | Decision::Conditional));
        if let Some(gate) = phase.gate.as_ref().filter(|gate| !decided(gate)) {
            found.push(fault(&format!("phases.{}.gate", phase.phase), &gate.gate, "undecided"));
        }
    }
    found
}

fn closed(id: &str, status: Status) -> Refused {
    Refused::Closed(format!("Project `{id}` is {}; it does not change any more.", status.as_str()))
}
