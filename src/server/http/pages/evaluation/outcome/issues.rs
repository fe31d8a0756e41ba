//! The board of issues and actions: what missed targets led to, what is done about it, and what it changed.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::Response;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::{amount, number, period_words, plain, share, typed};
use crate::error::Result;
use crate::evaluation::outcome::{
    ACTION, Action, ActionStatus, ISSUE, Issue, IssueStatus, Method, Period, Verification, WHYS,
};
use crate::evaluation::{ASSESSOR, REVIEWER, Refused, View, faults};
use crate::locale::{Value as Word, message};
use crate::server::http::error::Failure;
use crate::server::http::pages::Frame;
use crate::server::http::pages::admin::{Fields, Sent};
use crate::server::http::pages::editions::{Reader, Select, percent};
use crate::server::http::pages::evaluation::{
    Tab, Trouble, done, new_id, notice, organisation_name, organisations, seen, show, tabs, trouble,
};

const HERE: &str = "/evaluation/issues";
/// What a page shows of all issues.
const SHOWN: [&str; 3] = ["open", "closed", "all"];

#[derive(Template)]
#[template(path = "server/http/pages/evaluation/issues.html")]
struct Page {
    frame: Frame,
    tabs: Vec<Tab>,
    notice: Option<String>,
    trouble: Option<Trouble>,
    token: Option<String>,
    organisations: Vec<Select>,
    shown: Vec<Select>,
    /// The choice, for forms to come back to.
    organisation: String,
    which: String,
    issues: Vec<IssueView>,
    new: Option<IssueForm>,
}

struct IssueView {
    id: String,
    title: String,
    organisation: String,
    open: bool,
    /// Label and text.
    facts: Vec<(&'static str, String)>,
    whys: Vec<String>,
    actions: Vec<ActionView>,
    edit: Option<IssueForm>,
    new_action: Option<ActionForm>,
    step: Option<StepForm>,
}

struct ActionView {
    title: String,
    owner_role: String,
    due: String,
    late: bool,
    cost: String,
    expected: String,
    actual: String,
    /// Method and evidence of the verification, and who verified.
    verification: String,
    /// Key of the word.
    status: String,
    edit: Option<ActionForm>,
    step: Option<StepForm>,
}

/// The form of an issue: as it was sent, else as it stands.
struct IssueForm {
    /// Which form it is; it comes back with what was typed.
    form: String,
    id: String,
    after: u32,
    open: bool,
    text: BTreeMap<&'static str, String>,
    organisations: Vec<Select>,
    kpis: Vec<Select>,
    causes: Vec<Select>,
    /// Field, its label, and what stands there.
    whys: Vec<(String, String, String)>,
}

/// The form of an action, with its verification once it is done.
struct ActionForm {
    form: String,
    id: String,
    issue: String,
    after: u32,
    open: bool,
    text: BTreeMap<&'static str, String>,
    /// Methods of a verification; none while it is not done.
    methods: Option<Vec<Select>>,
}

/// Steps that may be taken.
struct StepForm {
    form: String,
    /// Of what it is a step.
    title: String,
    kind: &'static str,
    id: String,
    after: u32,
    reason: String,
    /// Step and key of its word.
    steps: Vec<(&'static str, &'static str)>,
}

impl IssueForm {
    fn text(&self, name: &str) -> &str {
        self.text.get(name).map_or("", String::as_str)
    }
}

impl ActionForm {
    fn text(&self, name: &str) -> &str {
        self.text.get(name).map_or("", String::as_str)
    }
}

/// `GET /evaluation/issues`.
pub(in crate::server::http) async fn issues(reader: Reader) -> Result<Response, Failure> {
    let asked = Fields::read(reader.uri.query().unwrap_or_default().as_bytes());
    show_board(&reader, &asked, None).await
}

/// `POST /evaluation/issues`: an issue, an action, or a step of one.
pub(in crate::server::http) async fn issue_act(Sent { desk, fields }: Sent) -> Result<Response, Failure> {
    let reader = Reader::of(&desk);
    match write(&reader, &fields).await {
        Ok(what) => {
            let (organisation, which) = (fields.get("organisation"), fields.get("which"));
            Ok(done(&format!("{HERE}?organisation={}&which={}", percent(organisation), percent(which)), what))
        }
        Err(refused) => show_board(&reader, &fields, Some(trouble(reader.lang, refused)?)).await,
    }
}

async fn write(reader: &Reader, fields: &Fields) -> Result<&'static str, Refused> {
    let (evaluation, me) = (&reader.app.services.evaluation, &reader.caller.principal);
    let view = evaluation.view(me).await?;
    let reason = fields.get("reason");
    let (kind, id, body) = match fields.get("do") {
        "issue" => {
            let id = match fields.given("id") {
                Some(id) => id.to_owned(),
                None => new_id(&view, ISSUE, fields.get("of")),
            };
            (ISSUE, id.clone(), issue_body(&view, &id, fields)?)
        }
        "action" => {
            let id = match fields.given("id") {
                Some(id) => id.to_owned(),
                None => new_id(&view, ACTION, fields.get("issue")),
            };
            (ACTION, id.clone(), action_body(&view, &id, fields)?)
        }
        step => {
            let kind = if fields.get("kind") == ISSUE { ISSUE } else { ACTION };
            evaluation.act(me, kind, fields.get("id"), seen(fields), step, reason).await?;
            return Ok("step");
        }
    };
    evaluation.put(me, kind, &id, seen(fields), body, reason).await?;
    Ok("saved")
}

fn issue_body(view: &View, id: &str, fields: &Fields) -> Result<Json, Refused> {
    let known: Option<Issue> = view.read(ISSUE, id);
    let path: Vec<&str> = fields.get("path").split(['›', '>']).map(str::trim).filter(|one| !one.is_empty()).collect();
    let whys: Vec<&str> = (1..=WHYS).filter_map(|at| fields.given(&format!("why-{at}"))).collect();
    Ok(json!({
        "title": fields.get("title").trim(),
        "organisation": known.as_ref().map_or_else(|| fields.get("of").to_owned(), |known| known.organisation.clone()),
        "kpi": fields.given("kpi"),
        "period": fields.given("period"),
        "path": path,
        "explained_share": number(fields, "explained_share", "percent")?,
        "department": fields.given("department"),
        "person": fields.given("person"),
        "cause": fields.get("cause"),
        "whys": whys,
        "previous": fields.given("previous"),
    }))
}

fn action_body(view: &View, id: &str, fields: &Fields) -> Result<Json, Refused> {
    let known: Option<Action> = view.read(ACTION, id);
    let issue = known.as_ref().map_or_else(|| fields.get("issue").to_owned(), |known| known.issue.clone());
    let unit = unit_of(view, &issue);
    let due: Date = fields.get("due").trim().parse().map_err(|_| faults("due", fields.get("due"), "date"))?;
    let actual = number(fields, "actual_change", &unit)?;
    let said = fields.given("statement").or(fields.given("text"));
    let verification = match (actual, said) {
        (None, None) => None,
        (None, Some(_)) => return Err(faults("verification.actual_change", "", "required").into()),
        (Some(actual), _) => Some(json!({
            "method": fields.get("method"),
            "statement": fields.given("statement"),
            "text": fields.given("text"),
            "actual_change": actual,
        })),
    };
    Ok(json!({
        "issue": issue,
        "title": fields.get("title").trim(),
        "owner_role": fields.get("owner_role").trim(),
        "due": due,
        "cost": plain(fields, "cost")?,
        "expected_change": number(fields, "expected_change", &unit)?,
        "verification": verification,
    }))
}

/// The unit of the KPI of an issue; empty without one.
fn unit_of(view: &View, issue: &str) -> String {
    let issue: Option<Issue> = view.read(ISSUE, issue);
    let kpi = issue.and_then(|issue| view.definitions.library.kpi(&issue.kpi?).map(|kpi| kpi.unit.value.clone()));
    kpi.unwrap_or_default()
}

/// What a board is made with.
struct Board<'a> {
    reader: &'a Reader,
    view: &'a View,
    organisations: &'a [Select],
    /// What was sent, where it was refused.
    sent: Option<&'a Fields>,
    today: Date,
    may_write: bool,
    may_review: bool,
}

async fn show_board(reader: &Reader, fields: &Fields, trouble: Option<Trouble>) -> Result<Response, Failure> {
    let me = &reader.caller.principal;
    let view = reader.app.services.evaluation.view(me).await?;
    let all = organisations(reader).await?;
    let token = reader.caller.session.as_deref().map(|session| reader.app.form_token(session));
    let organisation = fields.get("organisation").to_owned();
    let which = fields.given("which").unwrap_or("open").to_owned();
    let board = Board {
        reader,
        view: &view,
        organisations: &all,
        sent: trouble.is_some().then_some(fields),
        today: reader.app.services.clock.now().to_zoned(TimeZone::UTC).date(),
        may_write: token.is_some() && (me.has_role(ASSESSOR) || me.has_role(REVIEWER)),
        may_review: token.is_some() && me.has_role(REVIEWER),
    };
    let wanted = |issue: &Issue| {
        let status = which == "all" || issue.status.as_str() == which;
        status && (organisation.is_empty() || issue.organisation == organisation)
    };
    let mut found: Vec<IssueView> = view
        .documents::<Issue>(ISSUE)
        .filter(|(_, issue)| wanted(issue))
        .map(|(row, issue)| board.issue(&row.id, row.version, &issue))
        .collect();
    found.reverse(); // the newest first
    let any =
        Select { value: String::new(), label: reader.word("outcome-all-organisations"), on: organisation.is_empty() };
    let shown = SHOWN.iter().map(|word| Select {
        value: (*word).to_owned(),
        label: reader.word(&format!("outcome-shown-{word}")),
        on: *word == which,
    });
    let new = board.may_write.then(|| board.issue_form("", 0, None));
    let choices = all.iter().map(|one| again(one, &organisation));
    let page = Page {
        frame: reader.frame("evaluation"),
        tabs: tabs(reader, HERE),
        notice: notice(reader).filter(|_| trouble.is_none()),
        organisations: std::iter::once(any).chain(choices).collect(),
        shown: shown.collect(),
        issues: found,
        new,
        organisation,
        which,
        token,
        trouble,
    };
    show(page.trouble.as_ref(), &page)
}

/// The same entry, on where it is the chosen one.
fn again(one: &Select, chosen: &str) -> Select {
    Select { value: one.value.clone(), label: one.label.clone(), on: one.value == chosen }
}

impl Board<'_> {
    /// What was typed into a form that was refused; none for every other form.
    fn typed(&self, form: &str) -> Option<&Fields> {
        self.sent.filter(|fields| fields.get("form") == form)
    }

    fn issue(&self, id: &str, version: u32, issue: &Issue) -> IssueView {
        let open = issue.status == IssueStatus::Open;
        let unit = unit_of(self.view, id);
        let actions = self.view.documents::<Action>(ACTION).filter(|(_, action)| action.issue == id);
        let actions = actions.map(|(row, action)| self.action(&row.id, row.version, &action, &unit, open));
        let steps: &[(&str, &str)] =
            if open { &[("close", "outcome-do-close")] } else { &[("reopen", "outcome-do-reopen")] };
        IssueView {
            id: id.to_owned(),
            title: issue.title.clone(),
            organisation: organisation_name(self.reader, self.organisations, &issue.organisation),
            open,
            facts: self.facts(issue),
            whys: issue.whys.clone(),
            actions: actions.collect(),
            edit: (open && self.may_write).then(|| self.issue_form(id, version, Some(issue))),
            new_action: (open && self.may_write).then(|| self.action_form(id, "", 0, None, &unit)),
            step: self.may_review.then(|| self.step(ISSUE, id, &issue.title, version, steps.to_vec())),
        }
    }

    fn facts(&self, issue: &Issue) -> Vec<(&'static str, String)> {
        let library = &self.view.definitions.library;
        let pick = |label| self.reader.lang.pick(label).to_owned();
        let cause = library.causes.iter().find(|cause| *cause.key == *issue.cause).map(|cause| pick(&cause.name));
        let kpi = issue.kpi.as_ref().and_then(|kpi| library.kpi(kpi)).map(|kpi| pick(&kpi.name));
        let period = issue.period.as_deref().and_then(Period::parse).map(|one| period_words(self.reader.lang, one));
        let facts = [
            ("outcome-cause", cause),
            ("outcome-kpi", kpi),
            ("outcome-period", period),
            ("outcome-path", Some(issue.path.join(" › ")).filter(|path| !path.is_empty())),
            ("outcome-explained", issue.explained_share.map(share)),
            ("outcome-department", issue.department.clone()),
            ("outcome-person", issue.person.clone()),
            ("outcome-previous", issue.previous.clone()),
        ];
        facts.into_iter().filter_map(|(key, text)| Some((key, text?))).collect()
    }

    fn action(&self, id: &str, version: u32, action: &Action, unit: &str, open: bool) -> ActionView {
        let lang = self.reader.lang;
        let change = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| amount(lang, unit, value));
        let verification = action.verification.as_ref();
        let steps: Vec<(&str, &str)> = match action.status {
            _ if !open => Vec::new(),
            ActionStatus::Open if self.may_review => vec![("done", "outcome-do-done"), ("drop", "outcome-do-drop")],
            ActionStatus::Open => vec![("done", "outcome-do-done")],
            ActionStatus::Done if self.may_review => {
                vec![("verify", "outcome-do-verify"), ("reopen", "outcome-do-reopen"), ("drop", "outcome-do-drop")]
            }
            ActionStatus::Verified | ActionStatus::Dropped if self.may_review => vec![("reopen", "outcome-do-reopen")],
            _ => Vec::new(),
        };
        let alive = open && matches!(action.status, ActionStatus::Open | ActionStatus::Done);
        ActionView {
            title: action.title.clone(),
            owner_role: action.owner_role.clone(),
            due: action.due.to_string(),
            late: action.status == ActionStatus::Open && action.due < self.today,
            cost: action.cost.map_or_else(|| "–".to_owned(), |cost| amount(lang, "CNY", cost)),
            expected: change(action.expected_change),
            actual: change(verification.map(|found| found.actual_change)),
            verification: verification.map(|found| self.verification(found)).unwrap_or_default(),
            status: format!("outcome-action-{}", action.status.as_str()),
            edit: (alive && self.may_write).then(|| self.action_form(&action.issue, id, version, Some(action), unit)),
            step: (self.may_write && !steps.is_empty()).then(|| self.step(ACTION, id, &action.title, version, steps)),
        }
    }

    fn verification(&self, found: &Verification) -> String {
        let mut words = vec![self.reader.word(&format!("outcome-method-{}", found.method.as_str()))];
        words.extend(found.text.clone());
        words.extend(found.statement.clone());
        words.extend(found.verified_by.clone());
        words.join(" · ")
    }

    fn step(
        &self,
        kind: &'static str,
        id: &str,
        title: &str,
        after: u32,
        steps: Vec<(&'static str, &'static str)>,
    ) -> StepForm {
        let form = format!("step:{kind}:{id}");
        let sent = self.typed(&form);
        StepForm {
            kind,
            title: title.to_owned(),
            id: id.to_owned(),
            after: sent.map_or(after, seen),
            reason: sent.map(|fields| fields.get("reason").to_owned()).unwrap_or_default(),
            steps,
            form,
        }
    }

    fn issue_form(&self, id: &str, version: u32, stands: Option<&Issue>) -> IssueForm {
        let form = format!("issue:{id}");
        let sent = self.typed(&form);
        let field = |name: &'static str, value: String| match sent {
            Some(fields) => (name, fields.get(name).to_owned()),
            None => (name, value),
        };
        let text = |of: fn(&Issue) -> Option<&String>| stands.and_then(of).cloned().unwrap_or_default();
        // An empty board is entered for whom there is a single organisation.
        let first = self.organisations.first().map(|one| one.value.clone()).unwrap_or_default();
        let share = stands.and_then(|issue| issue.explained_share).map(|share| typed(share, "percent"));
        let filled = BTreeMap::from([
            field("title", text(|issue| Some(&issue.title))),
            field("of", stands.map_or(first, |issue| issue.organisation.clone())),
            field("kpi", text(|issue| issue.kpi.as_ref())),
            field("period", text(|issue| issue.period.as_ref())),
            field("path", stands.map(|issue| issue.path.join(" › ")).unwrap_or_default()),
            field("explained_share", share.unwrap_or_default()),
            field("department", text(|issue| issue.department.as_ref())),
            field("person", text(|issue| issue.person.as_ref())),
            field("cause", text(|issue| Some(&issue.cause))),
            field("previous", text(|issue| issue.previous.as_ref())),
            field("reason", String::new()),
        ]);
        let whys = (1..=WHYS).map(|at| {
            let name = format!("why-{at}");
            let stands = stands.and_then(|issue| issue.whys.get(at - 1)).cloned().unwrap_or_default();
            let value = sent.map_or(stands, |fields| fields.get(&name).to_owned());
            let number = Word::Count(i64::try_from(at).unwrap_or_default());
            let label = message(self.reader.lang, "outcome-why", &[("number", number)]);
            (name, label, value)
        });
        let library = &self.view.definitions.library;
        let chosen = |name: &str| filled.get(name).map_or("", String::as_str);
        let select = |key: &str, label, on: &str| Select {
            value: key.to_owned(),
            label: self.reader.lang.pick(label).to_owned(),
            on: key == on,
        };
        let none = Select { value: String::new(), label: "–".to_owned(), on: chosen("kpi").is_empty() };
        let kpis = library.kpis.iter().map(|kpi| select(&kpi.key, &kpi.name, chosen("kpi")));
        let kpis = std::iter::once(none).chain(kpis).collect();
        let causes = library.causes.iter().map(|cause| select(&cause.key, &cause.name, chosen("cause"))).collect();
        let organisations = self.organisations.iter().map(|one| again(one, chosen("of"))).collect();
        IssueForm {
            id: id.to_owned(),
            after: sent.map_or(version, seen),
            open: sent.is_some(),
            organisations,
            kpis,
            causes,
            whys: whys.collect(),
            text: filled,
            form,
        }
    }

    fn action_form(&self, issue: &str, id: &str, version: u32, stands: Option<&Action>, unit: &str) -> ActionForm {
        let form = if id.is_empty() { format!("action:{issue}:") } else { format!("action:{id}") };
        let sent = self.typed(&form);
        let field = |name: &'static str, value: String| match sent {
            Some(fields) => (name, fields.get(name).to_owned()),
            None => (name, value),
        };
        let verification = stands.and_then(|action| action.verification.as_ref());
        let change = |value: Option<f64>| value.map(|value| typed(value, unit)).unwrap_or_default();
        let text = |value: Option<String>| value.unwrap_or_default();
        let filled = BTreeMap::from([
            field("title", text(stands.map(|action| action.title.clone()))),
            field("owner_role", text(stands.map(|action| action.owner_role.clone()))),
            field("due", text(stands.map(|action| action.due.to_string()))),
            field("cost", text(stands.and_then(|action| action.cost).map(|cost| cost.to_string()))),
            field("expected_change", change(stands.and_then(|action| action.expected_change))),
            field("actual_change", change(verification.map(|found| found.actual_change))),
            field("method", text(verification.map(|found| found.method.as_str().to_owned()))),
            field("text", text(verification.and_then(|found| found.text.clone()))),
            field("statement", text(verification.and_then(|found| found.statement.clone()))),
            field("reason", String::new()),
        ]);
        let method = filled.get("method").map_or("", String::as_str);
        let methods = Method::ALL.into_iter().map(|one| Select {
            value: one.as_str().to_owned(),
            label: self.reader.word(&format!("outcome-method-{}", one.as_str())),
            on: one.as_str() == method,
        });
        let is_done = stands.is_some_and(|action| action.status == ActionStatus::Done);
        let methods = is_done.then(|| methods.collect());
        ActionForm {
            id: id.to_owned(),
            issue: issue.to_owned(),
            after: sent.map_or(version, seen),
            open: sent.is_some(),
            methods,
            text: filled,
            form,
        }
    }
}
