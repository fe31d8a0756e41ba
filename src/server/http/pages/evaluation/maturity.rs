//! Assessments: setting one up, answering it, reviewing it, and what it came to.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::Response;
use serde_json::{Value, json};

use super::{
    ChangeView, Tab, Trouble, done, history, new_id, no_such, notice, organisation_name, organisations, seen, show,
    tabs, trouble, typed_number,
};
use crate::error::Result;
use crate::evaluation::maturity::{
    ANSWER, ASSESSMENT, Answer, Assessment, EvidenceKind, Manner, Scores, Status, TARGET, Target, answer, locked,
    measurement, open_items, scores,
};
use crate::evaluation::{REVIEWER, Refused, View};
use crate::locale::{Value as Word, message};
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;
use crate::server::http::pages::Frame;
use crate::server::http::pages::admin::{Fields, Sent};
use crate::server::http::pages::editions::{Reader, Select, percent};

const HERE: &str = "/evaluation/maturity";

#[derive(Template)]
#[template(path = "server/http/pages/evaluation/maturity.html")]
struct List {
    frame: Frame,
    tabs: Vec<Tab>,
    notice: Option<String>,
    trouble: Option<Trouble>,
    token: Option<String>,
    assessments: Vec<Line>,
    organisations: Vec<Select>,
    manners: Vec<Select>,
    /// What stands in the form.
    as_of: String,
    assessors: String,
    weight: String,
    corrects: String,
    /// Target levels of an organisation.
    target_form: TargetForm,
    model: String,
    origin: String,
    standing: String,
    bank: Vec<BankLine>,
}

struct TargetForm {
    organisation: String,
    after: u32,
    dimensions: Vec<(String, String, String, String, String)>,
}

struct BankLine {
    name: String,
    branches: usize,
    bank: String,
    minimum: String,
    quartile: String,
    median: String,
}

struct Line {
    href: String,
    organisation: String,
    as_of: String,
    manner: String,
    status: String,
    submitted: String,
    index: String,
    staged: String,
}

/// A number with so many decimals; a dash where there is none.
fn figure(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}"))
}

/// `GET /evaluation/maturity`.
pub(in crate::server::http) async fn list(reader: Reader) -> Result<Response, Failure> {
    let fields = Fields::read(reader.uri.query().unwrap_or_default().as_bytes());
    show_list(&reader, &fields, None).await
}

async fn show_list(reader: &Reader, fields: &Fields, trouble: Option<Trouble>) -> Result<Response, Failure> {
    let view = reader.app.services.evaluation.view(&reader.caller.principal).await?;
    let mut all = organisations(reader).await?;
    let chosen = fields.get("organisation").to_owned();
    let mut assessments: Vec<(jiff::civil::Date, Line)> = view
        .documents::<Assessment>(ASSESSMENT)
        .map(|(row, one)| {
            let found = one.scores.as_ref();
            let line = Line {
                href: format!("{HERE}/{}", percent(&row.id)),
                organisation: organisation_name(reader, &all, &one.organisation),
                as_of: one.as_of.to_string(),
                manner: format!("evaluation-manner-{}", one.manner.as_str()),
                status: format!("evaluation-status-{}", one.status.as_str()),
                submitted: format!("{}/{}", one.submitted.len(), one.assessors.len()),
                index: figure(found.and_then(|scores| scores.index), 1),
                staged: found
                    .and_then(|scores| scores.staged)
                    .map_or_else(|| "–".to_owned(), |level| level.to_string()),
            };
            (one.as_of, line)
        })
        .collect();
    assessments.sort_by_key(|(as_of, _)| std::cmp::Reverse(*as_of));
    let may_set_up = reader.caller.principal.has_role(REVIEWER);
    let token = reader.caller.session.as_deref().filter(|_| may_set_up).map(|session| reader.app.form_token(session));
    let model = &view.definitions.maturity;
    let organisation = match all.iter().any(|one| one.value == chosen) {
        true => chosen.clone(),
        false => all.first().map(|one| one.value.clone()).unwrap_or_default(),
    };
    let target: Option<Target> = view.read(TARGET, &organisation);
    let typed = fields.get("do") == "target";
    let dimensions = model.dimensions.iter().map(|dimension| {
        let key = dimension.key.value.as_str();
        let stands = target.as_ref().and_then(|target| target.dimensions.get(key));
        let field = |name: &str, value: Option<f64>| match typed {
            true => fields.get(&format!("{name}-{key}")).to_owned(),
            false => value.map(|value| value.to_string()).unwrap_or_default(),
        };
        (
            key.to_owned(),
            reader.lang.pick(&dimension.name).to_owned(),
            field("level", stands.map(|stands| stands.level)),
            field("benefit_link", stands.map(|stands| stands.benefit_link)),
            field("effort", stands.map(|stands| stands.effort)),
        )
    });
    let target_form = TargetForm {
        dimensions: dimensions.collect(),
        after: match typed {
            true => seen(fields),
            false => view.record(TARGET, &organisation).map_or(0, |row| row.version),
        },
        organisation: organisation.clone(),
    };
    for one in &mut all {
        one.on = one.value == organisation;
    }
    let bank = view.bank().iter().map(|standing| {
        let dimension =
            standing.dimension.as_ref().and_then(|key| model.dimensions.iter().find(|one| *one.key == *key));
        let decimals = if standing.dimension.is_none() { 1 } else { 2 };
        let of = |value: Option<f64>| figure(value, decimals);
        BankLine {
            name: dimension
                .map_or_else(|| reader.word("evaluation-whole"), |one| reader.lang.pick(&one.name).to_owned()),
            branches: standing.branches,
            bank: of(standing.rolled.as_ref().map(|rolled| rolled.bank)),
            minimum: of(standing.rolled.as_ref().map(|rolled| rolled.minimum)),
            quartile: of(standing.rolled.as_ref().map(|rolled| rolled.p25)),
            median: of(standing.rolled.as_ref().map(|rolled| rolled.median)),
        }
    });
    let page = List {
        frame: reader.frame("evaluation"),
        tabs: tabs(reader, HERE),
        notice: notice(reader).filter(|_| trouble.is_none()),
        token,
        assessments: assessments.into_iter().map(|(_, line)| line).collect(),
        manners: [Manner::Own, Manner::Peer, Manner::Expert, Manner::Audit]
            .map(|manner| Select {
                value: manner.as_str().to_owned(),
                label: reader.word(&format!("evaluation-manner-{}", manner.as_str())),
                on: fields.get("manner") == manner.as_str(),
            })
            .into(),
        as_of: fields.get("as_of").to_owned(),
        assessors: fields.get("assessors").to_owned(),
        weight: fields.get("weight").to_owned(),
        corrects: fields.get("corrects").to_owned(),
        target_form,
        model: format!("{} · v{}", reader.lang.pick(&model.name), model.version),
        origin: reader.lang.pick(&model.origin).to_owned(),
        standing: format!("evaluation-standing-{}", model.standing.as_str()),
        bank: bank.collect(),
        organisations: all,
        trouble,
    };
    show(page.trouble.as_ref(), &page)
}

/// `POST /evaluation/maturity`: a new assessment, or the targets of an organisation.
pub(in crate::server::http) async fn create(Sent { desk, fields }: Sent) -> Result<Response, Failure> {
    let reader = Reader::of(&desk);
    let outcome = match fields.get("do") {
        "target" => set_target(&reader, &fields).await,
        _ => set_up(&reader, &fields).await,
    };
    match outcome {
        Ok(page) => Ok(page),
        Err(refused) => show_list(&reader, &fields, Some(trouble(reader.lang, refused)?)).await,
    }
}

async fn set_up(reader: &Reader, fields: &Fields) -> Result<Response, Refused> {
    let evaluation = &reader.app.services.evaluation;
    let principal = &reader.caller.principal;
    let organisation = fields.get("organisation").trim();
    let assessors: Vec<&str> =
        fields.get("assessors").split([',', '，', '、', ' ']).filter(|name| !name.is_empty()).collect();
    let as_of: jiff::civil::Date =
        fields.get("as_of").trim().parse().map_err(|_| one_fault("as_of", fields.get("as_of"), "date"))?;
    let weight = typed_number(fields.get("weight")).map_err(|text| one_fault("weight", &text, "number"))?;
    let view = evaluation.view(principal).await?;
    let id = new_id(&view, ASSESSMENT, &format!("{organisation}-{as_of}-{}", fields.get("manner")));
    let body = json!({
        "organisation": organisation,
        "as_of": as_of,
        "manner": fields.get("manner"),
        "assessors": assessors,
        "weight": weight.unwrap_or(1.0),
        "corrects": fields.given("corrects"),
    });
    evaluation.put(principal, ASSESSMENT, &id, 0, body, "").await?;
    Ok(done(&format!("{HERE}/{}", percent(&id)), "created"))
}

async fn set_target(reader: &Reader, fields: &Fields) -> Result<Response, Refused> {
    let evaluation = &reader.app.services.evaluation;
    let organisation = fields.get("organisation").trim();
    let mut dimensions = BTreeMap::new();
    let mut faults = Vec::new();
    for dimension in &evaluation.definitions().maturity.dimensions {
        let key = dimension.key.value.as_str();
        let mut number = |name: &str| {
            let field = format!("{name}-{key}");
            typed_number(fields.get(&field)).unwrap_or_else(|text| {
                faults.extend(fault(&field, &text, "number"));
                None
            })
        };
        let (level, link, effort) = (number("level"), number("benefit_link"), number("effort"));
        if let Some(level) = level {
            let wanted = json!({"level": level, "benefit_link": link.unwrap_or(1.0), "effort": effort.unwrap_or(3.0)});
            dimensions.insert(key.to_owned(), wanted);
        }
    }
    if !faults.is_empty() {
        return Err(faults.into());
    }
    let body = json!({"organisation": organisation, "dimensions": dimensions});
    evaluation.put(&reader.caller.principal, TARGET, organisation, seen(fields), body, fields.get("reason")).await?;
    Ok(done(&format!("{HERE}?organisation={}", percent(organisation)), "saved"))
}

fn fault(field: &str, value: &str, rule: &'static str) -> Vec<crate::evaluation::Fault> {
    vec![crate::evaluation::Fault { field: field.to_owned(), value: value.to_owned(), rule }]
}

fn one_fault(field: &str, value: &str, rule: &'static str) -> Refused {
    fault(field, value, rule).into()
}

#[derive(Template)]
#[template(path = "server/http/pages/evaluation/assessment.html")]
struct Page {
    frame: Frame,
    tabs: Vec<Tab>,
    notice: Option<String>,
    trouble: Option<Trouble>,
    token: Option<String>,
    here: String,
    organisation: String,
    as_of: String,
    manner: String,
    status: String,
    assessors: String,
    corrects: Option<String>,
    review: Option<String>,
    after: u32,
    /// Items that this reader has not answered yet, in words.
    open: Option<String>,
    /// The items of a dimension to be answered; empty where this reader answers nothing.
    dimensions: Vec<DimensionLink>,
    dimension: String,
    description: String,
    items: Vec<ItemForm>,
    /// The next dimension.
    next: Option<String>,
    may_answer: bool,
    may_review: bool,
    may_lock: bool,
    may_return: bool,
    may_measure: bool,
    /// What it comes to, by what this reader sees.
    is_final: bool,
    index: String,
    staged: String,
    confidence: String,
    agreement: Option<String>,
    why_not: Option<String>,
    levels: Vec<LevelLine>,
    answers: Vec<AnswerLine>,
    names: Vec<String>,
    history: Vec<ChangeView>,
}

struct DimensionLink {
    href: String,
    name: String,
    answered: String,
    current: bool,
}

struct ItemForm {
    item: String,
    code: String,
    name: String,
    question: String,
    is_key: bool,
    measured: Option<String>,
    levels: Vec<LevelChoice>,
    not_applicable: bool,
    kinds: Vec<Select>,
    evidence: String,
    comment: String,
    after: u32,
    fault: Vec<String>,
    last: Option<String>,
}

struct LevelChoice {
    value: String,
    /// The level between this one and the next; none above 5.
    half: Option<(String, bool)>,
    name: String,
    description: String,
    on: bool,
}

struct LevelLine {
    name: String,
    continuous: String,
    /// 0 to 5 for a meter.
    value: Option<String>,
    staged: String,
    target: String,
    answered: String,
    evidence: String,
    reason: Option<String>,
}

struct AnswerLine {
    code: String,
    name: String,
    /// Of each assessor.
    scores: Vec<String>,
    measured: String,
    score: String,
    capped: bool,
    disagreement: bool,
    evidence: Vec<(String, String, Option<String>)>,
    comments: Vec<String>,
}

/// `GET /evaluation/maturity/{id}`. `?dimension=` names the one whose items are answered.
pub(in crate::server::http) async fn page(Path(id): Path<String>, reader: Reader) -> Result<Response, Failure> {
    show_page(&reader, &id, None, None).await
}

async fn show_page(
    reader: &Reader,
    id: &str,
    sent: Option<&Fields>,
    trouble: Option<Trouble>,
) -> Result<Response, Failure> {
    let evaluation = &reader.app.services.evaluation;
    let principal = &reader.caller.principal;
    let view = evaluation.view(principal).await?;
    let row = view.record(ASSESSMENT, id).ok_or_else(|| no_such("assessment", id))?;
    let one: Assessment = view.read(ASSESSMENT, id).ok_or_else(|| no_such("assessment", id))?;
    let all = organisations(reader).await?;
    let model = &view.definitions.maturity;
    let me = principal.name.as_str();
    let is_assessor = one.assessors.iter().any(|name| name == me);
    let may_answer = is_assessor && one.status == Status::Draft && !one.submitted.iter().any(|name| name == me);
    let reviews = principal.has_role(REVIEWER) && !is_assessor;
    let token = reader.caller.session.as_deref().map(|session| reader.app.form_token(session));
    let wanted = sent.map_or_else(|| reader.asked.get("dimension"), |fields| fields.get("dimension"));
    let at = model.dimensions.iter().position(|dimension| *dimension.key == *wanted).unwrap_or(0);
    let here = format!("{HERE}/{}", percent(id));
    let link = |key: &str| format!("{here}?dimension={}", percent(key));
    let scored: Option<Scores> = match &one.scores {
        Some(scores) => Some(scores.clone()),
        None => scores(&view, id, &one).ok(),
    };
    let given = |item: &str| answer(&view, id, item, me);
    let dimensions = model.dimensions.iter().enumerate().map(|(position, dimension)| {
        let is_done = |item: &&crate::model::evaluation::maturity::Item| {
            given(&item.key).is_given() || measurement(&view, id, &item.key).is_some()
        };
        let answered = dimension.items.iter().filter(is_done).count();
        DimensionLink {
            href: link(&dimension.key),
            name: reader.lang.pick(&dimension.name).to_owned(),
            answered: format!("{answered}/{}", dimension.items.len()),
            current: position == at,
        }
    });
    let prior = locked(&view, &one.organisation).pop().filter(|(row, _)| row.id != id).and_then(|(_, one)| one.scores);
    let chosen = model.dimensions.get(at);
    let items = chosen.iter().flat_map(|dimension| &dimension.items).map(|item| {
        let last = prior.as_ref().and_then(|scores| scores.items.iter().find(|score| score.item == *item.key)?.score);
        item_form(reader, &view, id, item, sent, trouble.as_ref(), last)
    });
    let open = open_items(&view, id, me);
    let names: Vec<String> = one.assessors.clone();
    let target: Option<Target> = view.read(TARGET, &one.organisation);
    let page = Page {
        frame: reader.frame("evaluation"),
        tabs: tabs(reader, HERE),
        notice: notice(reader).filter(|_| trouble.is_none()),
        organisation: organisation_name(reader, &all, &one.organisation),
        as_of: one.as_of.to_string(),
        manner: format!("evaluation-manner-{}", one.manner.as_str()),
        status: format!("evaluation-status-{}", one.status.as_str()),
        assessors: one
            .assessors
            .iter()
            .map(|name| match one.submitted.contains(name) {
                true => message(reader.lang, "evaluation-has-submitted", &[("name", Word::Text(name))]),
                false => name.clone(),
            })
            .collect::<Vec<_>>()
            .join(&reader.word("portal-list")),
        corrects: one.corrects.clone(),
        review: one.review.clone(),
        after: row.version,
        open: (may_answer && !open.is_empty()).then(|| {
            let count = Word::Count(i64::try_from(open.len()).unwrap_or(i64::MAX));
            message(reader.lang, "evaluation-items-open", &[("count", count)])
        }),
        dimension: chosen.map(|dimension| dimension.key.value.clone()).unwrap_or_default(),
        description: chosen.map(|dimension| reader.lang.pick(&dimension.description).to_owned()).unwrap_or_default(),
        items: if may_answer { items.collect() } else { Vec::new() },
        next: model.dimensions.get(at + 1).map(|dimension| link(&dimension.key)),
        dimensions: if may_answer { dimensions.collect() } else { Vec::new() },
        may_answer: may_answer && token.is_some(),
        may_review: reviews && one.status == Status::Submitted && token.is_some(),
        may_lock: reviews && one.status == Status::Reviewed && token.is_some(),
        may_return: reviews && matches!(one.status, Status::Submitted | Status::Reviewed) && token.is_some(),
        may_measure: one.status <= Status::Submitted
            && token.is_some()
            && !view.definitions.statements.items.is_empty(),
        is_final: one.status == Status::Locked,
        index: figure(scored.as_ref().and_then(|scores| scores.index), 1),
        staged: scored
            .as_ref()
            .and_then(|scores| scores.staged)
            .map_or_else(|| "–".to_owned(), |level| level.to_string()),
        confidence: scored
            .as_ref()
            .and_then(|scores| scores.evidence_share)
            .map_or_else(|| "–".to_owned(), |share| format!("{:.0}%", share * 100.0)),
        agreement: scored.as_ref().and_then(|scores| scores.agreement).map(|alpha| format!("{alpha:.2}")),
        why_not: scored
            .as_ref()
            .and_then(|scores| scores.reason.as_ref())
            .map(|code| reader.word(&format!("reason-{code}"))),
        levels: scored.iter().flat_map(|scores| level_lines(reader, &view, scores, target.as_ref())).collect(),
        answers: match may_answer {
            true => Vec::new(),
            false => scored.iter().flat_map(|scores| answer_lines(reader, &view, id, &one, scores)).collect(),
        },
        names,
        history: history(reader, ASSESSMENT, id).await?,
        token,
        here: here.clone(),
        trouble,
    };
    show(page.trouble.as_ref(), &page)
}

fn level_lines(reader: &Reader, view: &View, scores: &Scores, target: Option<&Target>) -> Vec<LevelLine> {
    let model = &view.definitions.maturity;
    let line = |score: &crate::evaluation::maturity::DimensionScore| {
        let dimension = model.dimensions.iter().find(|one| *one.key == *score.dimension);
        LevelLine {
            name: dimension.map_or_else(|| score.dimension.clone(), |one| reader.lang.pick(&one.name).to_owned()),
            continuous: figure(score.continuous, 2),
            value: score.continuous.map(|level| format!("{level:.2}")),
            staged: score.staged.map_or_else(|| "–".to_owned(), |level| level.to_string()),
            target: figure(target.and_then(|target| target.dimensions.get(&score.dimension)).map(|one| one.level), 1),
            answered: format!("{}/{}", score.answered, score.items),
            evidence: score.evidence_share.map_or_else(|| "–".to_owned(), |share| format!("{:.0}%", share * 100.0)),
            reason: score.reason.as_ref().map(|code| reader.word(&format!("reason-{code}"))),
        }
    };
    scores.dimensions.iter().map(line).collect()
}

fn answer_lines(reader: &Reader, view: &View, id: &str, one: &Assessment, scores: &Scores) -> Vec<AnswerLine> {
    let model = &view.definitions.maturity;
    let line = |score: &crate::evaluation::maturity::ItemScore| {
        let item = model.item(&score.item);
        let given: Vec<Answer> = one.assessors.iter().map(|name| answer(view, id, &score.item, name)).collect();
        let value = |answer: &Answer| match answer.not_applicable {
            true => reader.word("evaluation-not-applicable-short"),
            false => figure(answer.score(), 1),
        };
        AnswerLine {
            code: item.map(|item| item.code.clone()).unwrap_or_default(),
            name: item.map_or_else(|| score.item.clone(), |item| reader.lang.pick(&item.name).to_owned()),
            scores: given.iter().map(value).collect(),
            measured: figure(score.measured, 2),
            score: figure(score.score, 2),
            capped: score.capped,
            disagreement: score.disagreement,
            evidence: given
                .iter()
                .flat_map(|answer| &answer.evidence)
                .map(|evidence| {
                    let is_link =
                        evidence.reference.starts_with("https://") || evidence.reference.starts_with("http://");
                    let kind = reader.word(&format!("evaluation-evidence-{}", evidence.kind.as_str()));
                    (kind, evidence.reference.clone(), is_link.then(|| evidence.reference.clone()))
                })
                .collect(),
            comments: given.iter().map(|answer| answer.comment.clone()).filter(|text| !text.is_empty()).collect(),
        }
    };
    scores.items.iter().map(line).collect()
}

/// An item to be answered: as it was sent, else as it stands.
fn item_form(
    reader: &Reader,
    view: &View,
    id: &str,
    item: &crate::model::evaluation::maturity::Item,
    sent: Option<&Fields>,
    trouble: Option<&Trouble>,
    last: Option<f64>,
) -> ItemForm {
    let key = item.key.value.as_str();
    let me = reader.caller.principal.name.as_str();
    let stands = answer(view, id, key, me);
    let row = view.record(ANSWER, &format!("{id}/{key}/{me}"));
    let evidence = stands.evidence.first();
    let field = |name: &str, value: String| match sent {
        Some(fields) => fields.get(&format!("{name}-{key}")).to_owned(),
        None => value,
    };
    let score = field("score", stands.score().map(|score| score.to_string()).unwrap_or_default());
    let kind = field("evidence-kind", evidence.map(|one| one.kind.as_str().to_owned()).unwrap_or_default());
    let not_applicable = field("na", if stands.not_applicable { "on".to_owned() } else { String::new() }) == "on";
    let model = &view.definitions.maturity;
    let nothing = std::iter::once((reader.word("evaluation-level-nothing"), &model.nothing));
    let named = model.levels.iter().map(|level| reader.lang.pick(&level.name).to_owned()).zip(&item.levels);
    let levels = nothing.chain(named).enumerate().map(|(level, (name, text))| LevelChoice {
        on: score == level.to_string(),
        half: (level < 5).then(|| (format!("{level}.5"), score == format!("{level}.5"))),
        value: level.to_string(),
        name,
        description: reader.lang.pick(text).to_owned(),
    });
    let measured = measurement(view, id, key).map(|found| {
        let value = format!("{:.4}", found.value);
        let score = format!("{:.2}", found.score);
        let arguments = [("value", Word::Text(&value)), ("score", Word::Text(&score))];
        message(reader.lang, "evaluation-measured", &arguments)
    });
    let of_item = |trouble: &Trouble| -> Vec<String> {
        let own = trouble.faults.iter().filter(|(field, _)| field == key || field.starts_with(&format!("{key}.")));
        own.map(|(_, words)| words.clone()).collect()
    };
    ItemForm {
        item: key.to_owned(),
        code: item.code.clone(),
        name: reader.lang.pick(&item.name).to_owned(),
        question: reader.lang.pick(&item.question).to_owned(),
        is_key: item.is_key,
        measured,
        levels: levels.collect(),
        not_applicable,
        kinds: EvidenceKind::ALL
            .map(|one| Select {
                value: one.as_str().to_owned(),
                label: reader.word(&format!("evaluation-evidence-{}", one.as_str())),
                on: kind == one.as_str(),
            })
            .into(),
        evidence: field("evidence", evidence.map(|one| one.reference.clone()).unwrap_or_default()),
        comment: field("comment", stands.comment.clone()),
        after: match sent {
            Some(fields) => fields.get(&format!("after-{key}")).parse().unwrap_or(0),
            None => row.map_or(0, |row| row.version),
        },
        fault: trouble.map(of_item).unwrap_or_default(),
        last: last.map(|score| figure(Some(score), 2)),
    }
}

/// `POST /evaluation/maturity/{id}`: answers of a dimension, or a step in its life.
pub(in crate::server::http) async fn act(
    Path(id): Path<String>,
    Sent { desk, fields }: Sent,
) -> Result<Response, Failure> {
    let reader = Reader::of(&desk);
    match step(&reader, &id, &fields).await {
        Ok(page) => Ok(page),
        Err(refused) => {
            let told = trouble(reader.lang, refused)?;
            show_page(&reader, &id, Some(&fields).filter(|fields| is_answer(fields)), Some(told)).await
        }
    }
}

fn is_answer(fields: &Fields) -> bool {
    matches!(fields.get("do"), "save" | "submit" | "next")
}

async fn step(reader: &Reader, id: &str, fields: &Fields) -> Result<Response, Refused> {
    let evaluation = &reader.app.services.evaluation;
    let principal = &reader.caller.principal;
    let here = format!("{HERE}/{}", percent(id));
    let action = fields.get("do");
    let reason = fields.get("reason");
    if !is_answer(fields) {
        evaluation.act(principal, ASSESSMENT, id, seen(fields), action, reason).await?;
        let what = match action {
            "review" => "reviewed",
            "return" => "returned",
            "lock" => "locked",
            "measure" => "measured",
            _ => "step",
        };
        return Ok(done(&here, what));
    }
    save(reader, id, fields).await?;
    let dimensions = &evaluation.definitions().maturity.dimensions;
    let at = dimensions.iter().position(|one| *one.key == *fields.get("dimension"));
    match action {
        "submit" => {
            // Its own version may have moved on by another assessor's submission: that is no conflict.
            let row = evaluation.get(principal, ASSESSMENT, id).await?;
            evaluation.act(principal, ASSESSMENT, id, row.version, "submit", reason).await?;
            Ok(done(&here, "submitted"))
        }
        "next" => {
            let next = at.and_then(|at| dimensions.get(at + 1)).or_else(|| dimensions.first());
            let key = next.map(|one| one.key.value.clone()).unwrap_or_default();
            Ok(done(&format!("{here}?dimension={}", percent(&key)), "saved"))
        }
        _ => Ok(done(&format!("{here}?dimension={}", percent(fields.get("dimension"))), "saved")),
    }
}

/// Keeps the answers of a form: those that say something, and those that said something before.
async fn save(reader: &Reader, id: &str, fields: &Fields) -> Result<(), Refused> {
    let evaluation = &reader.app.services.evaluation;
    let principal = &reader.caller.principal;
    let view = evaluation.view(principal).await?;
    let chosen = view.definitions.maturity.dimensions.iter().find(|one| *one.key == *fields.get("dimension"));
    let items: Vec<String> = chosen.iter().flat_map(|one| &one.items).map(|item| item.key.value.clone()).collect();
    let mut documents: Vec<(&str, String, u32, Value)> = Vec::new();
    for item in items {
        let get = |name: &str| fields.get(&format!("{name}-{item}"));
        let score = typed_number(get("score")).map_err(|text| one_fault(&format!("{item}.score"), &text, "number"))?;
        let before = answer(&view, id, &item, &principal.name);
        let reference = get("evidence").trim();
        // The form shows the first piece; those after it stay.
        let mut evidence = match reference {
            "" => Vec::new(),
            _ => vec![json!({"kind": get("evidence-kind"), "reference": reference})],
        };
        evidence.extend(before.evidence.iter().skip(1).map(|one| json!(one)));
        let body = json!({
            "score": score,
            // A form has no fields for it; it stands until a level is chosen.
            "radar": before.radar.filter(|_| score.is_none()),
            "not_applicable": get("na") == "on",
            "evidence": evidence,
            "comment": get("comment").trim(),
        });
        let record = format!("{id}/{item}/{}", principal.name);
        let new: Answer = serde_json::from_value(body.clone()).unwrap_or_default();
        let same = |a: &Answer, b: &Answer| {
            let evidence =
                |one: &Answer| one.evidence.iter().map(|e| (e.kind, e.reference.clone())).collect::<Vec<_>>();
            (a.score, a.not_applicable, &a.comment, evidence(a)) == (b.score, b.not_applicable, &b.comment, evidence(b))
        };
        if same(&new, &before) {
            continue;
        }
        documents.push((ANSWER, record, get("after").parse().unwrap_or(0), body));
    }
    if documents.is_empty() {
        return Ok(());
    }
    evaluation.put_all(principal, documents, fields.get("reason")).await.map(|_| ())
}
