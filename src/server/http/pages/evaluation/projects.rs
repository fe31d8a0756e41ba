//! Projects: what is planned, done and spent in each phase, what its gates came to, its risks and factors of success.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::Response;
use jiff::civil::Date;
use serde_json::{Value as Json, json};

use super::outcome::{amount, number, plain, reason, share, typed};
use super::{
    ChangeView, Tab, Trouble, done, history, new_id, no_such, notice, organisation_name, organisations, seen, show,
    tabs, trouble,
};
use crate::error::Result;
use crate::evaluation::project::{Coded, Decision, PROJECT, Phase, Project, Risk, RiskStatus, Status, as_of, template};
use crate::evaluation::{ASSESSOR, REVIEWER, Refused, View, faults, maturity};
use crate::locale::{Decimal, MISSING, NumberUnit, Quantity, format_number};
use crate::model::Label;
use crate::model::evaluation::phases::{Factor, FactorKind};
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;
use crate::server::http::pages::Frame;
use crate::server::http::pages::admin::{Fields, Sent};
use crate::server::http::pages::editions::{Reader, Select, percent};

const HERE: &str = "/evaluation/projects";
/// Risks that a form has room for besides those that stand there.
const ROOM: usize = 2;

#[derive(Template)]
#[template(path = "server/http/pages/evaluation/projects.html")]
struct List {
    frame: Frame,
    tabs: Vec<Tab>,
    notice: Option<String>,
    trouble: Option<Trouble>,
    token: Option<String>,
    projects: Vec<Line>,
    templates: Vec<TemplateView>,
    organisations: Vec<Select>,
    choices: Vec<Select>,
    /// What stands in the form.
    text: BTreeMap<&'static str, String>,
}

impl List {
    fn text(&self, name: &str) -> &str {
        self.text.get(name).map_or("", String::as_str)
    }
}

struct Line {
    href: String,
    name: String,
    organisation: String,
    template: String,
    /// Key of the word.
    status: String,
    started: String,
    schedule: IndexView,
    cost: IndexView,
    complete: String,
    gates: String,
}

/// An index with whether it is good, or why there is none.
struct IndexView {
    value: String,
    /// Key of what it means; empty without a value.
    word: &'static str,
    wrong: bool,
    why: Option<String>,
}

/// A template with where it comes from.
struct TemplateView {
    name: String,
    origin: String,
    /// Key of whose words it is.
    standing: String,
    to_be_confirmed: bool,
    phases: String,
}

/// `GET /evaluation/projects`.
pub(in crate::server::http) async fn list(reader: Reader) -> Result<Response, Failure> {
    show_list(&reader, None, None).await
}

/// `POST /evaluation/projects`: one more.
pub(in crate::server::http) async fn create(Sent { desk, fields }: Sent) -> Result<Response, Failure> {
    let reader = Reader::of(&desk);
    match begin(&reader, &fields).await {
        Ok(id) => Ok(done(&address(&id), "created")),
        Err(refused) => show_list(&reader, Some(&fields), Some(trouble(reader.lang, refused)?)).await,
    }
}

fn address(id: &str) -> String {
    format!("{HERE}/{}", percent(id))
}

async fn begin(reader: &Reader, fields: &Fields) -> Result<String, Refused> {
    let (evaluation, me) = (&reader.app.services.evaluation, &reader.caller.principal);
    let view = evaluation.view(me).await?;
    let organisation = fields.get("organisation");
    let id = new_id(&view, PROJECT, organisation);
    let body = json!({
        "name": fields.get("name").trim(),
        "organisation": organisation,
        "template": fields.get("template"),
        "started": day(fields, "started")?.ok_or_else(|| faults("started", "", "required"))?,
        "go_live": day(fields, "go_live")?,
        "budget": plain(fields, "budget")?,
    });
    evaluation.put(me, PROJECT, &id, 0, body, fields.get("reason")).await?;
    Ok(id)
}

/// A day as it was typed; none for an empty field.
fn day(fields: &Fields, name: &str) -> Result<Option<Date>, Refused> {
    let Some(text) = fields.given(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| faults(name, text, "date").into())
}

async fn show_list(reader: &Reader, sent: Option<&Fields>, trouble: Option<Trouble>) -> Result<Response, Failure> {
    let view = reader.app.services.evaluation.view(&reader.caller.principal).await?;
    let all = organisations(reader).await?;
    let templates = &view.definitions.templates.templates;
    let mut projects: Vec<Line> = view
        .documents::<Project>(PROJECT)
        .map(|(row, project)| {
            let indexes = project.indexes(as_of(row));
            let gates = project.phases.iter().filter_map(|phase| phase.gate.as_ref());
            let decided = gates.clone().filter(|gate| gate.decision.is_some()).count();
            Line {
                href: address(&row.id),
                name: project.name.clone(),
                organisation: organisation_name(reader, &all, &project.organisation),
                template: template_name(reader, &view, &project.template),
                status: status(project.status),
                started: project.started.to_string(),
                schedule: index(reader, indexes.schedule),
                cost: index(reader, indexes.cost),
                complete: indexes.complete.map_or_else(|_| MISSING.to_owned(), share),
                gates: format!("{decided}/{}", gates.count()),
            }
        })
        .collect();
    projects.reverse(); // the newest first
    let chosen = |name: &str, or: &str| sent.map_or_else(|| or.to_owned(), |fields| fields.get(name).to_owned());
    let (organisation, wanted) = (chosen("organisation", ""), chosen("template", ""));
    let choices = templates.iter().map(|one| Select {
        value: one.key.value.clone(),
        label: reader.lang.pick(&one.name).to_owned(),
        on: if wanted.is_empty() { one.is_default } else { one.key.value == wanted },
    });
    let origins = templates.iter().map(|one| TemplateView {
        name: reader.lang.pick(&one.name).to_owned(),
        origin: reader.lang.pick(&one.origin).to_owned(),
        standing: format!("evaluation-standing-{}", one.standing.as_str()),
        to_be_confirmed: one.to_be_confirmed,
        phases: one.phases.iter().map(|phase| reader.lang.pick(&phase.name)).collect::<Vec<_>>().join(" · "),
    });
    let names = ["name", "started", "go_live", "budget", "reason"];
    let page = List {
        frame: reader.frame("evaluation"),
        tabs: tabs(reader, HERE),
        notice: notice(reader).filter(|_| trouble.is_none()),
        token: token(reader),
        projects,
        templates: origins.collect(),
        choices: choices.collect(),
        text: names.into_iter().map(|name| (name, chosen(name, ""))).collect(),
        organisations: all.into_iter().map(|one| Select { on: one.value == organisation, ..one }).collect(),
        trouble,
    };
    show(page.trouble.as_ref(), &page)
}

/// Token of the forms of somebody who writes in a session.
fn token(reader: &Reader) -> Option<String> {
    let me = &reader.caller.principal;
    let writes = me.has_role(ASSESSOR) || me.has_role(REVIEWER);
    reader.caller.session.as_deref().filter(|_| writes).map(|session| reader.app.form_token(session))
}

fn template_name(reader: &Reader, view: &View, key: &str) -> String {
    let found = template(&view.definitions.templates, key);
    found.map_or_else(|| key.to_owned(), |found| reader.lang.pick(&found.name).to_owned())
}

fn status(status: Status) -> String {
    format!("project-status-{}", status.as_str())
}

/// An index of the earned value, in words.
fn index(reader: &Reader, found: Coded) -> IndexView {
    let exact = found.map(Decimal::from_f64);
    match (found, exact) {
        (Ok(value), Ok(Some(exact))) => IndexView {
            value: format_number(reader.lang, &exact, NumberUnit::plain(Quantity::Number)),
            word: if value >= 1.0 { "project-index-good" } else { "project-index-bad" },
            wrong: value < 1.0,
            why: None,
        },
        (Err(code), _) => none(Some(reason(reader, code))),
        _ => none(None),
    }
}

fn none(why: Option<String>) -> IndexView {
    IndexView { value: MISSING.to_owned(), word: "", wrong: false, why }
}

#[derive(Template)]
#[template(path = "server/http/pages/evaluation/project.html")]
struct Page {
    frame: Frame,
    tabs: Vec<Tab>,
    notice: Option<String>,
    trouble: Option<Trouble>,
    token: Option<String>,
    here: String,
    after: u32,
    name: String,
    organisation: String,
    /// Key of the word.
    status: String,
    may_review: bool,
    facts: Vec<(&'static str, String)>,
    schedule: IndexView,
    cost: IndexView,
    as_of: String,
    template: TemplateView,
    template_version: u32,
    phases: Vec<PhaseView>,
    risks: Vec<RiskView>,
    factors: Vec<FactorView>,
    /// What stands in the form of the project's own facts.
    text: BTreeMap<&'static str, String>,
    /// The form that was refused; it is open.
    open: String,
    /// The reason that was typed into it.
    reason: String,
    history: Vec<ChangeView>,
}

impl Page {
    fn text(&self, name: &str) -> &str {
        self.text.get(name).map_or("", String::as_str)
    }

    /// Whether a form is the one that was refused.
    fn is_open(&self, form: &str) -> bool {
        self.open == form
    }

    /// The reason in a form.
    fn reason_of(&self, form: &str) -> &str {
        if self.open == form { &self.reason } else { "" }
    }
}

struct PhaseView {
    key: String,
    /// Names of its forms.
    form: String,
    gate_form: String,
    name: String,
    planned: String,
    actual: String,
    planned_cost: String,
    actual_cost: String,
    complete: String,
    schedule: IndexView,
    cost: IndexView,
    done: String,
    text: BTreeMap<&'static str, String>,
    deliverables: Vec<DeliverableView>,
    gate: Option<GateView>,
}

impl PhaseView {
    fn text(&self, name: &str) -> &str {
        self.text.get(name).map_or("", String::as_str)
    }
}

struct DeliverableView {
    key: String,
    name: String,
    done: bool,
    evidence: String,
    /// The evidence, where a browser opens it.
    href: Option<String>,
}

struct GateView {
    name: String,
    /// Item, level required, level found; whether it suffices.
    requires: Vec<(String, String, bool)>,
    /// Key of the decision.
    decision: Option<String>,
    decided_by: String,
    note: String,
    /// Value and key of each decision.
    choices: Vec<(String, String)>,
}

struct RiskView {
    number: usize,
    name: String,
    probability: String,
    impact: String,
    exposure: String,
    response: String,
    owner_role: String,
    statuses: Vec<Select>,
    status: String,
    /// It has a name, so it stands there.
    stands: bool,
}

struct FactorView {
    key: String,
    name: String,
    question: String,
    /// Key of its kind.
    kind: &'static str,
    standing: String,
    score: String,
    scores: Vec<Select>,
}

/// `GET /evaluation/projects/{id}`.
pub(in crate::server::http) async fn page(Path(id): Path<String>, reader: Reader) -> Result<Response, Failure> {
    show_page(&reader, &id, None, None).await
}

/// `POST /evaluation/projects/{id}`: what changed, or a step.
pub(in crate::server::http) async fn act(
    Path(id): Path<String>,
    Sent { desk, fields }: Sent,
) -> Result<Response, Failure> {
    let reader = Reader::of(&desk);
    match write(&reader, &id, &fields).await {
        Ok(what) => Ok(done(&address(&id), what)),
        Err(refused) => show_page(&reader, &id, Some(&fields), Some(trouble(reader.lang, refused)?)).await,
    }
}

async fn write(reader: &Reader, id: &str, fields: &Fields) -> Result<&'static str, Refused> {
    let (evaluation, me) = (&reader.app.services.evaluation, &reader.caller.principal);
    let reason = fields.get("reason");
    let what = fields.get("do");
    let view = evaluation.view(me).await?;
    let known: Option<Project> = view.read(PROJECT, id);
    let body: Option<Json> = match (what, known) {
        ("details", Some(project)) => {
            let started = day(fields, "started")?.ok_or_else(|| faults("started", "", "required"))?;
            let (go_live, budget) = (day(fields, "go_live")?, plain(fields, "budget")?);
            Some(json!(Project { name: fields.get("name").trim().to_owned(), started, go_live, budget, ..project }))
        }
        ("risks", Some(project)) => {
            let mut body = json!(project);
            body["risks"] = risks_body(fields)?;
            Some(body)
        }
        ("factors", Some(project)) => {
            let mut factors = BTreeMap::new();
            for factor in &view.definitions.templates.checklist {
                let key = factor.key.value.as_str();
                if let Some(score) = plain(fields, &format!("factor-{key}"))? {
                    factors.insert(key.to_owned(), score);
                }
            }
            Some(json!(Project { factors, ..project }))
        }
        ("phase", Some(mut project)) => {
            let key = fields.get("phase");
            match project.phases.iter_mut().find(|phase| phase.phase == key) {
                Some(phase) => fill(phase, fields)?,
                None => return Err(faults("phase", key, "unknown").into()),
            }
            Some(json!(project))
        }
        _ => None,
    };
    match body {
        Some(body) => {
            evaluation.put(me, PROJECT, id, seen(fields), body, reason).await?;
            Ok("saved")
        }
        None => {
            evaluation.act(me, PROJECT, id, seen(fields), what, reason).await?;
            Ok("step")
        }
    }
}

/// A phase with what was typed.
fn fill(phase: &mut Phase, fields: &Fields) -> Result<(), Refused> {
    (phase.planned_start, phase.planned_end) = (day(fields, "planned_start")?, day(fields, "planned_end")?);
    (phase.actual_start, phase.actual_end) = (day(fields, "actual_start")?, day(fields, "actual_end")?);
    phase.planned_cost = plain(fields, "planned_cost")?.unwrap_or_default();
    phase.actual_cost = plain(fields, "actual_cost")?.unwrap_or_default();
    phase.complete = number(fields, "complete", "percent")?.unwrap_or_default();
    for one in &mut phase.deliverables {
        one.done = !fields.get(&format!("done-{}", one.deliverable)).is_empty();
        one.evidence = fields.given(&format!("evidence-{}", one.deliverable)).map(str::to_owned);
    }
    Ok(())
}

/// The risks with a name; one whose name was taken out goes.
fn risks_body(fields: &Fields) -> Result<Json, Refused> {
    let mut risks = Vec::new();
    for at in 1.. {
        let of = |name: &str| format!("risk-{at}-{name}");
        if fields.get(&of("listed")).is_empty() {
            break;
        }
        let Some(name) = fields.given(&of("name")) else { continue };
        let level = |name: &str| -> Result<u8, Refused> {
            let text = fields.get(&of(name)).trim();
            text.parse().map_err(|_| faults(&format!("risks.{at}.{name}"), text, "number").into())
        };
        risks.push(json!({
            "name": name,
            "probability": level("probability")?,
            "impact": level("impact")?,
            "response": fields.get(&of("response")).trim(),
            "owner_role": fields.get(&of("owner_role")).trim(),
            "status": fields.get(&of("status")),
        }));
    }
    Ok(Json::Array(risks))
}

async fn show_page(
    reader: &Reader,
    id: &str,
    sent: Option<&Fields>,
    trouble: Option<Trouble>,
) -> Result<Response, Failure> {
    let me = &reader.caller.principal;
    let view = reader.app.services.evaluation.view(me).await?;
    let all = organisations(reader).await?;
    let row = view.record(PROJECT, id).ok_or_else(|| no_such(PROJECT, id))?;
    let project: Project = view.read(PROJECT, id).ok_or_else(|| no_such(PROJECT, id))?;
    let (day, token) = (as_of(row), token(reader));
    let (indexes, progress) = (project.indexes(day), project.progress(day));
    let money = |value: f64| amount(reader.lang, "CNY", value);
    let readiness = project.readiness(&view.definitions.templates.checklist);
    let ready = readiness.and_then(|score| score.value.ok()).map(share);
    let estimate = indexes.estimate.ok().map(money);
    let facts = [
        ("project-started", Some(project.started.to_string())),
        ("project-go-live", project.go_live.map(|day| day.to_string())),
        ("project-budget", project.budget.map(money)),
        ("project-planned-cost", Some(money(progress.budget))),
        ("project-planned-value", Some(money(progress.planned_value))),
        ("project-earned-value", Some(money(progress.earned_value))),
        ("project-actual-cost", Some(money(progress.actual_cost))),
        ("project-estimate", estimate),
        ("project-complete", indexes.complete.ok().map(share)),
        ("project-readiness", ready),
        ("outcome-covered-weight", readiness.map(|score| share(score.covered_weight))),
    ];
    let open = sent.map(|fields| fields.get("form").to_owned()).unwrap_or_default();
    let typed_in = |form: &str| sent.filter(|fields| fields.get("form") == form);
    let scores = maturity::item_scores(&view, &project.organisation);
    let phases = project.phases.iter().map(|phase| {
        let form = format!("phase:{}", phase.phase);
        phase_view(reader, &view, phase, day, &scores, typed_in(&form))
    });
    let running = project.status == Status::Running;
    let details = typed_in("details");
    let field = |name: &'static str, stands: String| match details {
        Some(fields) => (name, fields.get(name).to_owned()),
        None => (name, stands),
    };
    let text = BTreeMap::from([
        field("name", project.name.clone()),
        field("started", project.started.to_string()),
        field("go_live", project.go_live.map(|day| day.to_string()).unwrap_or_default()),
        field("budget", project.budget.map(|budget| budget.to_string()).unwrap_or_default()),
    ]);
    let page = Page {
        frame: reader.frame("evaluation"),
        tabs: tabs(reader, HERE),
        notice: notice(reader).filter(|_| trouble.is_none()),
        here: address(id),
        // What was seen when the refused form was written: whoever sends it again is told of others' changes again.
        after: sent.map_or(row.version, seen),
        name: project.name.clone(),
        organisation: organisation_name(reader, &all, &project.organisation),
        status: status(project.status),
        may_review: token.is_some() && running && me.has_role(REVIEWER),
        facts: facts.into_iter().filter_map(|(key, text)| Some((key, text?))).collect(),
        schedule: index(reader, indexes.schedule),
        cost: index(reader, indexes.cost),
        as_of: day.to_string(),
        template: template_view(reader, &view, &project),
        template_version: project.template_version,
        phases: phases.collect(),
        risks: risks(reader, &project, typed_in("risks")),
        factors: factors(reader, &view, &project, typed_in("factors")),
        text,
        reason: sent.map(|fields| fields.get("reason").to_owned()).unwrap_or_default(),
        open,
        history: history(reader, PROJECT, id).await?,
        token: token.filter(|_| running),
        trouble,
    };
    show(page.trouble.as_ref(), &page)
}

/// The template as it is now; one that is gone is known by its key.
fn template_view(reader: &Reader, view: &View, project: &Project) -> TemplateView {
    match template(&view.definitions.templates, &project.template) {
        Some(found) => TemplateView {
            name: reader.lang.pick(&found.name).to_owned(),
            origin: reader.lang.pick(&found.origin).to_owned(),
            standing: format!("evaluation-standing-{}", found.standing.as_str()),
            to_be_confirmed: found.to_be_confirmed,
            phases: String::new(),
        },
        None => TemplateView {
            name: project.template.clone(),
            origin: reader.word("project-template-gone"),
            standing: "evaluation-standing-own".to_owned(),
            to_be_confirmed: false,
            phases: String::new(),
        },
    }
}

/// A name in this language; what has none goes by its key.
fn name_of(reader: &Reader, label: &Label, key: &str) -> String {
    match reader.lang.pick(label) {
        "" => key.to_owned(),
        name => name.to_owned(),
    }
}

fn phase_view(
    reader: &Reader,
    view: &View,
    phase: &Phase,
    day: Date,
    scores: &BTreeMap<String, f64>,
    sent: Option<&Fields>,
) -> PhaseView {
    let money = |value: f64| amount(reader.lang, "CNY", value);
    let shown = |day: Option<Date>| day.map_or_else(|| MISSING.to_owned(), |day| day.to_string());
    let span = |from: Option<Date>, to: Option<Date>| match (from, to) {
        (None, None) => MISSING.to_owned(),
        (from, to) => format!("{} – {}", shown(from), shown(to)),
    };
    let text = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
    let field = |name: &'static str, stands: String| match sent {
        Some(fields) => (name, fields.get(name).to_owned()),
        None => (name, stands),
    };
    let deliverables = phase.deliverables.iter().map(|one| {
        let of = |name: &str| format!("{name}-{}", one.deliverable);
        let stands = one.evidence.clone().unwrap_or_default();
        let is_link = stands.starts_with("https://") || stands.starts_with("http://");
        DeliverableView {
            key: one.deliverable.clone(),
            name: name_of(reader, &one.name, &one.deliverable),
            done: sent.map_or(one.done, |fields| !fields.get(&of("done")).is_empty()),
            href: is_link.then(|| stands.clone()),
            evidence: sent.map_or(stands, |fields| fields.get(&of("evidence")).to_owned()),
        }
    });
    let indexes = phase.indexes(day);
    let delivered = phase.deliverables.iter().filter(|one| one.done).count();
    let gate = phase.gate.as_ref().map(|gate| {
        let requires = gate.requires.iter().map(|(item, level)| {
            let name = view.definitions.maturity.item(item).map(|item| reader.lang.pick(&item.name).to_owned());
            let found = scores.get(item);
            let shown = found.map_or_else(|| MISSING.to_owned(), |score| format!("{score:.1}"));
            let holds = found.is_some_and(|score| *score >= f64::from(*level));
            (name.unwrap_or_else(|| item.clone()), format!("{shown} / {level}"), holds)
        });
        let choices = Decision::ALL
            .iter()
            .map(|one| (format!("gate:{}:{}", phase.phase, one.as_str()), format!("project-do-{}", one.as_str())));
        GateView {
            name: name_of(reader, &gate.name, &gate.gate),
            requires: requires.collect(),
            decision: gate.decision.map(|decision| format!("project-decision-{}", decision.as_str())),
            decided_by: gate.decided_by.join(&reader.word("portal-list")),
            note: gate.note.clone().unwrap_or_default(),
            choices: choices.collect(),
        }
    });
    PhaseView {
        form: format!("phase:{}", phase.phase),
        gate_form: format!("gate:{}", phase.phase),
        name: name_of(reader, &phase.name, &phase.phase),
        planned: span(phase.planned_start, phase.planned_end),
        actual: span(phase.actual_start, phase.actual_end),
        planned_cost: money(phase.planned_cost),
        actual_cost: money(phase.actual_cost),
        complete: share(phase.complete),
        schedule: index(reader, indexes.schedule),
        cost: index(reader, indexes.cost),
        done: format!("{delivered}/{}", phase.deliverables.len()),
        text: BTreeMap::from([
            field("planned_start", text(phase.planned_start)),
            field("planned_end", text(phase.planned_end)),
            field("actual_start", text(phase.actual_start)),
            field("actual_end", text(phase.actual_end)),
            field("planned_cost", phase.planned_cost.to_string()),
            field("actual_cost", phase.actual_cost.to_string()),
            field("complete", typed(phase.complete, "percent")),
        ]),
        deliverables: deliverables.collect(),
        gate,
        key: phase.phase.clone(),
    }
}

/// The risks with room for more: as they were sent, else as they stand.
fn risks(reader: &Reader, project: &Project, sent: Option<&Fields>) -> Vec<RiskView> {
    let one = |number: usize| {
        let stands = project.risks.get(number - 1);
        let text = |name: &str, stands: String| match sent {
            Some(fields) => fields.get(&format!("risk-{number}-{name}")).to_owned(),
            None => stands,
        };
        let of = |field: fn(&Risk) -> String| stands.map(field).unwrap_or_default();
        let status = text("status", of(|risk| risk.status.as_str().to_owned()));
        let words = |status: &str| reader.word(&format!("project-risk-{status}"));
        RiskView {
            number,
            name: text("name", of(|risk| risk.name.clone())),
            probability: text("probability", of(|risk| risk.probability.to_string())),
            impact: text("impact", of(|risk| risk.impact.to_string())),
            exposure: of(|risk| (u32::from(risk.probability) * u32::from(risk.impact)).to_string()),
            response: text("response", of(|risk| risk.response.clone())),
            owner_role: text("owner_role", of(|risk| risk.owner_role.clone())),
            statuses: RiskStatus::ALL
                .iter()
                .map(|one| Select {
                    value: one.as_str().to_owned(),
                    label: words(one.as_str()),
                    on: one.as_str() == status,
                })
                .collect(),
            status: stands.map(|risk| words(risk.status.as_str())).unwrap_or_default(),
            stands: stands.is_some(),
        }
    };
    (1..=project.risks.len() + ROOM).map(one).collect()
}

fn factors(reader: &Reader, view: &View, project: &Project, sent: Option<&Fields>) -> Vec<FactorView> {
    let one = |factor: &Factor| {
        let key = factor.key.value.as_str();
        let stands = project.factors.get(key).map(f64::to_string).unwrap_or_default();
        let score = sent.map_or_else(|| stands.clone(), |fields| fields.get(&format!("factor-{key}")).to_owned());
        let levels = (0..=10).map(|half| (f64::from(half) / 2.0).to_string());
        let levels = std::iter::once(String::new()).chain(levels).map(|level| Select {
            label: if level.is_empty() { MISSING.to_owned() } else { level.clone() },
            on: level == score,
            value: level,
        });
        FactorView {
            key: key.to_owned(),
            name: reader.lang.pick(&factor.name).to_owned(),
            question: reader.lang.pick(&factor.question).to_owned(),
            kind: match factor.kind {
                FactorKind::Condition => "project-factor-condition",
                FactorKind::Problem => "project-factor-problem",
            },
            standing: format!("evaluation-standing-{}", factor.standing.as_str()),
            score: if stands.is_empty() { MISSING.to_owned() } else { stands },
            scores: levels.collect(),
        }
    };
    view.definitions.templates.checklist.iter().map(one).collect()
}
