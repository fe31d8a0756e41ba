//! Maturity (E01): assessments of organisations, what assessors answer, what is measured, and the scores.
//!
//! An assessment is `draft` until each of its assessors has submitted, then `submitted`, `reviewed` by somebody who is none of
//! them, and `locked`: then its scores stand. A locked one never changes; a correction is a new one that names it.

mod tables;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::record::{Checked, Draft, Fault, Kind, Refused, document, faults};
use super::{ASSESSOR, Evaluation, REVIEWER, View};
use crate::analysis::maturity::{self as arithmetic, Item};
use crate::analysis::{Failure, Figure};
use crate::auth::Principal;
use crate::catalog::RecordRow;
use crate::error::{Code, Error, Result};
use crate::model::evaluation::maturity::Model;
use crate::query::{Door, Face, Statement};

pub(super) use tables::TABLES;

/// Kind of an assessment.
pub const ASSESSMENT: &str = "assessment";
/// Kind of an assessor's answer to an item: `assessment/item/assessor`.
pub const ANSWER: &str = "assessment_answer";
/// Kind of the measured value of an item: `assessment/item`.
pub const MEASUREMENT: &str = "assessment_measurement";
/// Kind of an organisation's targets.
pub const TARGET: &str = "maturity_target";

/// Largest weight of an organisation in the bank.
const HEAVIEST: f64 = 1e9;
/// Most rows of a statement that stands as evidence.
const EVIDENCE_ROWS: u64 = 50;

/// Who assesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// The organisation itself.
    #[serde(rename = "self")]
    Own,
    /// Another branch.
    Peer,
    /// Somebody from outside.
    Expert,
    /// Internal audit.
    Audit,
}

impl Manner {
    /// Stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "self",
            Self::Peer => "peer",
            Self::Expert => "expert",
            Self::Audit => "audit",
        }
    }
}

/// Where an assessment is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Somebody still answers.
    #[default]
    Draft,
    /// Everybody has answered.
    Submitted,
    /// Somebody else has looked at it.
    Reviewed,
    /// Its scores stand.
    Locked,
}

impl Status {
    /// Stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::Reviewed => "reviewed",
            Self::Locked => "locked",
        }
    }
}

/// An assessment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assessment {
    pub organisation: String,
    /// The day that it speaks of.
    pub as_of: Date,
    pub manner: Manner,
    /// Logins that answer.
    pub assessors: Vec<String>,
    /// The organisation's weight in the bank, such as its customers; 1 unless stated.
    #[serde(default = "one")]
    pub weight: f64,
    /// The locked assessment that it corrects.
    #[serde(default)]
    pub corrects: Option<String>,
    /// Key of the model; filled in.
    #[serde(default)]
    pub model: String,
    /// Version of the model; filled in.
    #[serde(default)]
    pub model_version: u32,
    #[serde(default)]
    pub status: Status,
    /// Those of the assessors who have submitted.
    #[serde(default)]
    pub submitted: Vec<String>,
    /// Who reviewed it, and in which words.
    #[serde(default)]
    pub reviewer: Option<String>,
    #[serde(default)]
    pub review: Option<String>,
    /// What it came to; from locking on.
    #[serde(default)]
    pub scores: Option<Scores>,
}

fn one() -> f64 {
    1.0
}

/// An assessor's answer to an item; without score it is open.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// 0 to 5, in halves.
    #[serde(default)]
    pub score: Option<f64>,
    /// Approach, deployment and results, each 0 to 100, instead of a score.
    #[serde(default)]
    pub radar: Option<[f64; 3]>,
    #[serde(default)]
    pub not_applicable: bool,
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    #[serde(default)]
    pub comment: String,
}

impl Answer {
    /// Says something of the item.
    pub fn is_given(&self) -> bool {
        self.score.is_some() || self.radar.is_some() || self.not_applicable
    }

    /// Its score, by whichever way.
    pub fn score(&self) -> Option<f64> {
        let by_radar =
            |[approach, deployment, results]: [f64; 3]| arithmetic::radar_score(approach, deployment, results).ok();
        self.score.or_else(|| self.radar.and_then(by_radar))
    }
}

/// What stands behind an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    pub kind: EvidenceKind,
    /// Link of a document, edition or survey; the words; the statement.
    pub reference: String,
    /// What the statement gave when it was recorded; filled in.
    #[serde(default)]
    pub result: Option<Value>,
}

/// Kinds of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    Document,
    Text,
    Query,
    Edition,
    Survey,
}

impl EvidenceKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Document, Self::Text, Self::Query, Self::Edition, Self::Survey];

    /// Stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Text => "text",
            Self::Query => "query",
            Self::Edition => "edition",
            Self::Survey => "survey",
        }
    }

    /// From its stable text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The measured value of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    pub value: f64,
    /// 0 to 5, by the thresholds of the item.
    pub score: f64,
    pub snapshot_id: i64,
    /// The statement in `system.queries`.
    pub query_id: String,
}

/// The targets of an organisation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub organisation: String,
    /// By dimension.
    pub dimensions: BTreeMap<String, DimensionTarget>,
}

/// The target of a dimension.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DimensionTarget {
    /// Continuous level wanted, 0 to 5.
    pub level: f64,
    /// How strongly the programme's benefits hang on it, 0 and more; 1 unless stated.
    #[serde(default = "one")]
    pub benefit_link: f64,
    /// Effort to get there, 1 to 5; 3 unless stated.
    #[serde(default = "three")]
    pub effort: f64,
}

fn three() -> f64 {
    3.0
}

/// What an assessment comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// 0 to 100; none with the reason.
    pub index: Option<f64>,
    pub staged: Option<u8>,
    /// Code of the reason why there is no index.
    pub reason: Option<String>,
    /// Share of the answered items with evidence.
    pub evidence_share: Option<f64>,
    /// Krippendorff's α over the assessors, ordinal.
    pub agreement: Option<f64>,
    pub dimensions: Vec<DimensionScore>,
    pub items: Vec<ItemScore>,
}

/// The score of a dimension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DimensionScore {
    pub dimension: String,
    pub weight: f64,
    pub continuous: Option<f64>,
    pub staged: Option<u8>,
    pub reason: Option<String>,
    pub items: usize,
    pub answered: usize,
    pub absent_share: f64,
    pub evidence_share: Option<f64>,
}

/// The score of an item, with what a later comparison needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemScore {
    pub item: String,
    pub dimension: String,
    pub text_version: u32,
    pub weight: f64,
    pub score: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub disagreement: bool,
    /// No evidence: it counts at most 2.
    pub capped: bool,
    pub measured: Option<f64>,
    /// Of each assessor, in the order of the assessment.
    pub assessors: Vec<Option<f64>>,
}

/// The assessment of an id, as a view shows it.
pub fn assessment(view: &View, id: &str) -> Option<Assessment> {
    view.read(ASSESSMENT, id)
}

/// An assessor's answer to an item of an assessment.
pub fn answer(view: &View, id: &str, item: &str, assessor: &str) -> Answer {
    view.read(ANSWER, &format!("{id}/{item}/{assessor}")).unwrap_or_default()
}

/// The measured value of an item of an assessment.
pub fn measurement(view: &View, id: &str, item: &str) -> Option<Measurement> {
    view.read(MEASUREMENT, &format!("{id}/{item}"))
}

/// Items that an assessor has not answered; what is measured needs no answer.
pub fn open_items<'a>(view: &'a View, id: &str, assessor: &str) -> Vec<&'a str> {
    let open = |item: &&str| measurement(view, id, item).is_none() && !answer(view, id, item, assessor).is_given();
    view.definitions.maturity.items().map(|(_, item)| item.key.as_str()).filter(open).collect()
}

/// What an assessment comes to by the answers that a view shows.
///
/// # Errors
/// An answer that breaks the rules of the arithmetic, which no recorded one does.
pub fn scores(view: &View, id: &str, assessment: &Assessment) -> Result<Scores, Failure> {
    let model = &view.definitions.maturity;
    let of = |item: &str| -> Vec<Answer> {
        assessment.assessors.iter().map(|assessor| answer(view, id, item, assessor)).collect()
    };
    struct Found<'a> {
        dimension: usize,
        item: &'a crate::model::evaluation::maturity::Item,
        given: Vec<Option<f64>>,
        scores: Vec<f64>,
        measured: Option<f64>,
        not_applicable: bool,
        evidence: bool,
    }
    let found: Vec<Found<'_>> = model
        .items()
        .map(|(dimension, item)| {
            let answers = of(&item.key);
            let measured = measurement(view, id, &item.key).map(|found| found.score);
            let absent = answers.iter().filter(|answer| answer.not_applicable).count();
            // A measured value of today may lie below an answer of yesterday: the answer then says no more than it.
            let within = |score: f64| measured.map_or(score, |most| score.min(most));
            let given: Vec<Option<f64>> =
                answers.iter().map(|answer| answer.score().filter(|_| !answer.not_applicable).map(within)).collect();
            Found {
                dimension,
                item,
                scores: given.iter().copied().flatten().collect(),
                given,
                measured,
                not_applicable: 2 * absent > answers.len(),
                evidence: measured.is_some() || answers.iter().any(|answer| !answer.evidence.is_empty()),
            }
        })
        .collect();
    let items: Vec<Item<'_>> = found
        .iter()
        .map(|found| Item {
            dimension: found.dimension,
            weight: found.item.weight.value,
            key: found.item.is_key,
            measured: found.measured,
            scores: &found.scores,
            not_applicable: found.not_applicable,
            evidence: found.evidence,
        })
        .collect();
    let weights: Vec<f64> = model.dimensions.iter().map(|dimension| dimension.weight.value).collect();
    let scored = arithmetic::score(&items, &weights)?;
    let known: Vec<Vec<Option<f64>>> = found.iter().map(|found| found.given.clone()).collect();
    let code = |failure: &Failure| match failure {
        Failure::Degenerate(reason) | Failure::BadInput { reason, .. } => reason.code().to_owned(),
        _ => "no_data".to_owned(),
    };
    let some = |figure: Figure| figure.ok();
    let dimensions = model.dimensions.iter().zip(&scored.dimensions).map(|(dimension, score)| DimensionScore {
        dimension: dimension.key.value.clone(),
        weight: dimension.weight.value,
        continuous: score.level.ok().map(|level| level.continuous),
        staged: score.level.ok().map(|level| level.staged),
        reason: score.level.as_ref().err().map(code),
        items: score.items,
        answered: score.answered,
        absent_share: score.absent_share,
        evidence_share: some(score.evidence_share),
    });
    let dimensions = dimensions.collect();
    let items = found.iter().zip(&scored.items).map(|(found, score)| ItemScore {
        item: found.item.key.value.clone(),
        dimension: model.dimensions.get(found.dimension).map(|found| found.key.value.clone()).unwrap_or_default(),
        text_version: found.item.text_version,
        weight: found.item.weight.value,
        score: score.score,
        low: score.range.map(|range| range.0),
        high: score.range.map(|range| range.1),
        disagreement: score.disagreement,
        capped: score.capped,
        measured: found.measured,
        assessors: found.given.clone(),
    });
    Ok(Scores {
        index: scored.whole.as_ref().ok().map(|whole| whole.index),
        staged: scored.whole.as_ref().ok().map(|whole| whole.staged),
        reason: scored.whole.as_ref().err().map(code),
        evidence_share: some(scored.evidence_share),
        agreement: (assessment.assessors.len() > 1).then(|| arithmetic::agreement(&known).ok()).flatten(),
        dimensions,
        items: items.collect(),
    })
}

/// Ids of assessments that a locked one corrects.
fn superseded(view: &View) -> BTreeSet<String> {
    let locked = view.documents::<Assessment>(ASSESSMENT).filter(|(_, one)| one.status == Status::Locked);
    locked.filter_map(|(_, one)| one.corrects).collect()
}

/// Locked assessments of an organisation that no later one corrects, the oldest day first.
pub fn locked<'a>(view: &'a View, organisation: &str) -> Vec<(&'a RecordRow, Assessment)> {
    let all: Vec<(&RecordRow, Assessment)> =
        view.documents::<Assessment>(ASSESSMENT).filter(|(_, one)| one.status == Status::Locked).collect();
    let corrected = superseded(view);
    let mut own: Vec<_> =
        all.into_iter().filter(|(row, one)| one.organisation == organisation && !corrected.contains(&row.id)).collect();
    own.sort_by_key(|(row, one)| (one.as_of, row.seq));
    own
}

/// Scores of the items in the newest locked assessment of an organisation.
pub fn item_scores(view: &View, organisation: &str) -> BTreeMap<String, f64> {
    let newest = locked(view, organisation).pop().and_then(|(_, one)| one.scores);
    let items = newest.into_iter().flat_map(|scores| scores.items);
    items.filter_map(|item| Some((item.item, item.score?))).collect()
}

/// Assessments.
#[derive(Debug)]
pub struct AssessmentKind;

impl Kind for AssessmentKind {
    fn name(&self) -> &'static str {
        ASSESSMENT
    }

    fn writers(&self) -> &'static [&'static str] {
        &[ASSESSOR, REVIEWER]
    }

    fn check(&self, draft: &Draft<'_>, body: Value) -> Result<Checked, Refused> {
        if !draft.by.has_role(REVIEWER) {
            return Err(
                Error::new(Code::Denied, "Assessments are set up by a `reviewer`; assessors answer them.").into()
            );
        }
        let mut new: Assessment = document(body)?;
        let before: Option<Assessment> = draft.before.and_then(|row| serde_json::from_value(row.body.clone()).ok());
        if let Some(before) = &before
            && before.status != Status::Draft
        {
            return Err(closed(draft.id, before.status));
        }
        let mut found: Vec<Fault> = Vec::new();
        let mut fault = |field: &str, value: String, rule| found.push(Fault { field: field.to_owned(), value, rule });
        if new.organisation.is_empty() {
            fault("organisation", String::new(), "required");
        }
        if new.assessors.is_empty() {
            fault("assessors", String::new(), "required");
        }
        if new.assessors.iter().collect::<BTreeSet<_>>().len() < new.assessors.len() {
            fault("assessors", new.assessors.join(", "), "duplicate");
        }
        if !(new.weight > 0.0 && new.weight <= HEAVIEST) {
            fault("weight", new.weight.to_string(), "range");
        }
        // A branch that chose its weight in the bank could read the others' scores from it.
        let stands = before.as_ref().map_or(1.0, |one| one.weight);
        if new.weight != stands && !super::record::is_head_office(draft.by) {
            fault("weight", new.weight.to_string(), "by_head_office");
        }
        if let Some(corrected) = &new.corrects {
            let holds = assessment(draft.view, corrected)
                .is_some_and(|one| one.status == Status::Locked && one.organisation == new.organisation);
            if !holds {
                fault("corrects", corrected.clone(), "unknown");
            }
        }
        if let Some(before) = &before
            && before.organisation != new.organisation
        {
            fault("organisation", new.organisation.clone(), "fixed");
        }
        if let Some(before) = &before
            && before.submitted.iter().any(|name| !new.assessors.contains(name))
        {
            fault("assessors", new.assessors.join(", "), "submitted");
        }
        if !found.is_empty() {
            return Err(found.into());
        }
        let model = &draft.view.definitions.maturity;
        let life = before.as_ref();
        new.model = life.map_or_else(|| model.key.value.clone(), |one| one.model.clone());
        new.model_version = life.map_or(model.version, |one| one.model_version);
        new.status = Status::Draft;
        new.submitted = life.map(|one| one.submitted.clone()).unwrap_or_default();
        (new.reviewer, new.review, new.scores) = (None, None, None);
        checked(&new)
    }

    fn act(&self, draft: &Draft<'_>, action: &str, reason: &str) -> Result<Checked, Refused> {
        let row = draft.before.ok_or_else(|| super::missing(ASSESSMENT, draft.id))?;
        let mut one: Assessment = document(row.body.clone())?;
        let is_reviewer = draft.by.has_role(REVIEWER);
        let is_assessor = one.assessors.contains(&draft.by.name);
        let may = |holds: bool, text: &str| match holds {
            true => Ok(()),
            false => Err(Refused::Error(Error::new(Code::Denied, text))),
        };
        let wants = |status: Status| if one.status == status { Ok(()) } else { Err(closed(draft.id, one.status)) };
        match action {
            "submit" => {
                may(is_assessor, "Only an assessor of this assessment submits it.")?;
                wants(Status::Draft)?;
                let open = open_items(draft.view, draft.id, &draft.by.name);
                if !open.is_empty() {
                    let fault = |item: &&str| Fault { field: (*item).to_owned(), value: String::new(), rule: "answer" };
                    return Err(open.iter().map(fault).collect::<Vec<_>>().into());
                }
                if !one.submitted.contains(&draft.by.name) {
                    one.submitted.push(draft.by.name.clone());
                }
                if one.assessors.iter().all(|name| one.submitted.contains(name)) {
                    one.status = Status::Submitted;
                }
            }
            "review" => {
                may(is_reviewer && !is_assessor, "The reviewer is not an assessor, and has the role `reviewer`.")?;
                wants(Status::Submitted)?;
                (one.status, one.reviewer) = (Status::Reviewed, Some(draft.by.name.clone()));
                one.review = Some(reason.trim().to_owned()).filter(|text| !text.is_empty());
            }
            "return" => {
                may(is_reviewer && !is_assessor, "The reviewer is not an assessor, and has the role `reviewer`.")?;
                if one.status != Status::Submitted && one.status != Status::Reviewed {
                    return Err(closed(draft.id, one.status));
                }
                if reason.trim().is_empty() {
                    return Err(faults("reason", "", "required").into());
                }
                (one.status, one.reviewer, one.review) = (Status::Draft, None, None);
                one.submitted.clear();
            }
            "lock" => {
                may(is_reviewer && !is_assessor, "The reviewer is not an assessor, and has the role `reviewer`.")?;
                wants(Status::Reviewed)?;
                let model = &draft.view.definitions.maturity;
                if (one.model.as_str(), one.model_version) != (model.key.as_str(), model.version) {
                    return Err(faults("model_version", &one.model_version.to_string(), "model").into());
                }
                let scores = scores(draft.view, draft.id, &one);
                one.scores = Some(scores.map_err(|failure| Error::internal("cannot score an assessment", failure))?);
                one.status = Status::Locked;
            }
            _ => return Err(faults("do", action, "action").into()),
        }
        checked(&one)
    }
}

fn checked(one: &Assessment) -> Result<Checked, Refused> {
    Ok(Checked { organisation: one.organisation.clone(), body: json!(one), claims: Vec::new() })
}

fn closed(id: &str, status: Status) -> Refused {
    let text = match status {
        Status::Locked => {
            format!("Assessment `{id}` is locked; a correction is a new one that names it in `corrects`.")
        }
        other => format!("Assessment `{id}` is {}; this is not its next step.", other.as_str()),
    };
    Refused::Closed(text)
}

/// Answers.
#[derive(Debug)]
pub struct AnswerKind;

impl Kind for AnswerKind {
    fn name(&self) -> &'static str {
        ANSWER
    }

    fn writers(&self) -> &'static [&'static str] {
        &[ASSESSOR]
    }

    fn check(&self, draft: &Draft<'_>, body: Value) -> Result<Checked, Refused> {
        let (id, item, assessor) = parts(draft.id).ok_or_else(|| faults("id", draft.id, "id"))?;
        let answer: Answer = document(body)?;
        // The same for an assessment that does not exist and one that may not be seen.
        let assessment = assessment(draft.view, id).ok_or_else(|| super::missing(ASSESSMENT, id))?;
        if assessor != draft.by.name || !assessment.assessors.contains(&draft.by.name) {
            return Err(Error::new(
                Code::Denied,
                "An answer is given by an assessor of the assessment, in its own name.",
            )
            .into());
        }
        if assessment.status != Status::Draft || assessment.submitted.contains(&draft.by.name) {
            return Err(Refused::Closed(format!("Your answers to assessment `{id}` are submitted.")));
        }
        let Some(known) = draft.view.definitions.maturity.item(item) else {
            return Err(faults("item", item, "unknown").into());
        };
        let mut found: Vec<Fault> = Vec::new();
        let mut fault =
            |field: &str, value: String, rule| found.push(Fault { field: format!("{item}.{field}"), value, rule });
        if let Some(score) = answer.score
            && !((0.0..=arithmetic::HIGHEST).contains(&score) && (score * 2.0).fract() == 0.0)
        {
            fault("score", score.to_string(), "score");
        }
        if let Some(radar) = answer.radar {
            if radar.iter().any(|part| !(0.0..=100.0).contains(part)) {
                fault("radar", format!("{radar:?}"), "radar");
            }
            if answer.score.is_some() || known.measure.is_some() {
                fault("radar", format!("{radar:?}"), "one_way");
            }
        }
        if let (Some(score), Some(measured)) = (answer.score(), measurement(draft.view, id, item)) {
            if score > measured.score {
                fault("score", score.to_string(), "measured");
            } else if score < measured.score && answer.comment.trim().is_empty() {
                fault("comment", String::new(), "lowered");
            }
        }
        if answer.not_applicable && answer.comment.trim().is_empty() {
            fault("comment", String::new(), "not_applicable");
        }
        for evidence in &answer.evidence {
            let reference = evidence.reference.trim();
            if reference.is_empty() {
                fault("evidence", String::new(), "required");
            }
            if matches!(evidence.kind, EvidenceKind::Document | EvidenceKind::Survey) && !is_link(reference) {
                fault("evidence", reference.to_owned(), "link");
            }
        }
        if !found.is_empty() {
            return Err(found.into());
        }
        Ok(Checked { organisation: assessment.organisation, body: json!(answer), claims: Vec::new() })
    }

    /// Assessors see each other's answers once they have submitted their own; whoever is none of them, once all have.
    fn hides(&self, whole: &View, row: &RecordRow) -> bool {
        let Some((id, _, assessor)) = parts(&row.id) else { return true };
        // By its fields: an assessment is not read whole for each of its answers.
        let Some(assessment) = whole.record(ASSESSMENT, id).map(|row| &row.body) else { return true };
        let reader = whole.principal.name.as_str();
        let all = assessment["submitted"].as_array();
        let submitted = |name: &str| all.is_some_and(|all| all.iter().any(|one| one == name));
        reader != assessor
            && assessment["status"] == Status::Draft.as_str()
            && !(submitted(reader) && submitted(assessor))
    }
}

/// A link that a browser opens, or a path within the bank's own files.
fn is_link(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme {
        Some(scheme) => scheme == "https" || scheme == "http",
        // `javascript:` and its like have no `//`.
        None => !text.is_empty() && !text.split('/').next().unwrap_or_default().contains(':'),
    }
}

fn parts(id: &str) -> Option<(&str, &str, &str)> {
    let (id, assessor) = id.rsplit_once('/')?;
    let (id, item) = id.rsplit_once('/')?;
    Some((id, item, assessor))
}

/// Measured values; computed.
#[derive(Debug)]
pub struct MeasurementKind;

impl Kind for MeasurementKind {
    fn name(&self) -> &'static str {
        MEASUREMENT
    }

    fn writers(&self) -> &'static [&'static str] {
        &[]
    }

    fn check(&self, draft: &Draft<'_>, body: Value) -> Result<Checked, Refused> {
        let (id, _) = draft.id.rsplit_once('/').ok_or_else(|| faults("id", draft.id, "id"))?;
        let measured: Measurement = document(body)?;
        let assessment = assessment(draft.view, id).ok_or_else(|| super::missing(ASSESSMENT, id))?;
        Ok(Checked { organisation: assessment.organisation, body: json!(measured), claims: Vec::new() })
    }
}

/// Targets.
#[derive(Debug)]
pub struct TargetKind;

impl Kind for TargetKind {
    fn name(&self) -> &'static str {
        TARGET
    }

    fn writers(&self) -> &'static [&'static str] {
        &[REVIEWER]
    }

    fn check(&self, draft: &Draft<'_>, body: Value) -> Result<Checked, Refused> {
        let target: Target = document(body)?;
        let model = &draft.view.definitions.maturity;
        let mut found: Vec<Fault> = Vec::new();
        if target.organisation != draft.id {
            found.extend(faults("organisation", &target.organisation, "id"));
        }
        for (key, wanted) in &target.dimensions {
            let mut fault = |field: &str, value: f64| {
                found.extend(faults(&format!("dimensions.{key}.{field}"), &value.to_string(), "range"))
            };
            if !(0.0..=arithmetic::HIGHEST).contains(&wanted.level) {
                fault("level", wanted.level);
            }
            if !(0.0..=100.0).contains(&wanted.benefit_link) {
                fault("benefit_link", wanted.benefit_link);
            }
            if !(1.0..=5.0).contains(&wanted.effort) {
                fault("effort", wanted.effort);
            }
            if !model.dimensions.iter().any(|dimension| *dimension.key == *key) {
                found.extend(faults(&format!("dimensions.{key}"), key, "unknown"));
            }
        }
        match found.is_empty() {
            true => Ok(Checked { organisation: target.organisation.clone(), body: json!(target), claims: Vec::new() }),
            false => Err(found.into()),
        }
    }
}

/// An answer whose statements have their results: each runs now, with what the rights of whoever answers give of the assessed
/// organisation, all of which reads the result.
pub(super) async fn with_evidence(door: &Door, view: &View, id: &str, body: Value) -> Result<Value, Refused> {
    let mut answer: Answer = document(body)?;
    let (id, ..) = parts(id).ok_or_else(|| faults("id", id, "id"))?;
    let assessment = assessment(view, id).ok_or_else(|| super::missing(ASSESSMENT, id))?;
    let asking = super::within(&view.principal, &assessment.organisation);
    for evidence in answer.evidence.iter_mut() {
        evidence.result = None;
        if evidence.kind != EvidenceKind::Query {
            continue;
        }
        if !door.may_query(&asking) || !assessment.assessors.contains(&asking.name) {
            return Err(Error::new(Code::Denied, "Your roles do not allow statements; name a document instead.").into());
        }
        let statement = Statement::new(evidence.reference.clone());
        let collected = door.collect(&asking, Face::Http, statement, EVIDENCE_ROWS).await?;
        let mut writer = arrow::json::ArrayWriter::new(Vec::new());
        let batches: Vec<_> = collected.batches.iter().collect();
        let unreadable = |error| Error::internal("a result cannot be kept", error);
        writer.write_batches(&batches).and_then(|()| writer.finish()).map_err(unreadable)?;
        let rows: Value = serde_json::from_slice(&writer.into_inner()).unwrap_or(Value::Array(Vec::new()));
        evidence.result =
            Some(json!({"rows": rows, "snapshot_id": collected.snapshot_id, "query_id": collected.query_id}));
    }
    Ok(json!(answer))
}

/// Measures the items of an assessment that have a statement, each for the day that it speaks of, and keeps what changed.
pub(super) async fn measure(evaluation: &Evaluation, principal: &Principal, id: &str) -> Result<RecordRow, Refused> {
    let view = evaluation.view(principal).await?;
    let row = view.record(ASSESSMENT, id).ok_or_else(|| super::missing(ASSESSMENT, id))?;
    let one: Assessment = document(row.body.clone())?;
    if one.status > Status::Submitted {
        return Err(closed(id, one.status));
    }
    let model: &Model = &view.definitions.maturity;
    for (item, text) in &view.definitions.statements.items {
        let Some(measure) = model.item(item).and_then(|item| item.measure.as_ref()) else { continue };
        let parameters = [("as_of", one.as_of)];
        let values = super::measuring::run(&evaluation.door, principal, text, &parameters).await?;
        let Some(value) = values.value(&one.organisation, None) else { continue };
        let score = arithmetic::threshold_score(&measure.thresholds, value)
            .map_err(|failure| Error::internal(format!("item `{item}` cannot be scored"), failure))?;
        let (snapshot_id, query_id) = (values.snapshot_id, values.query_id.clone());
        let id = format!("{id}/{item}");
        let before = view.record(MEASUREMENT, &id);
        let known = before.and_then(|row| serde_json::from_value::<Measurement>(row.body.clone()).ok());
        if known.is_some_and(|known| (known.value - value).abs() <= 1e-12 * value.abs()) {
            continue;
        }
        let body = json!(Measurement { value, score, snapshot_id, query_id });
        let draft = Draft { id: &id, before, by: principal, view: &view };
        let checked = MeasurementKind.check(&draft, body)?;
        let after = before.map_or(0, |row| row.version);
        evaluation.keep(principal, &MeasurementKind, &id, after, checked, "measured").await?;
    }
    Ok(row.clone())
}
