//! Outcome: the scorecard of an organisation and month, the forms for targets and values, and the issues that follow.
//!
//! Numbers are typed and printed in the unit of their KPI: a percentage is typed as 92.5 and recorded as 0.925.

mod issues;

use std::collections::BTreeMap;

use askama::Template;
use axum::response::Response;
use serde_json::json;

pub(in crate::server::http) use self::issues::{issue_act, issues};
use super::{Tab, Trouble, done, notice, organisation_name, organisations, seen, show, tabs, trouble, typed_number};
use crate::error::Result;
use crate::evaluation::outcome::{
    Entry, Goal, Judged, Ledger, Light, Pace, Pacing, Period, Score, TARGET, Target, Targets, VALUE, Values, light_of,
    measure,
};
use crate::evaluation::{ASSESSOR, REVIEWER, Refused, View, faults};
use crate::locale::{
    Decimal, Lang, MISSING, NumberUnit, Quantity, Value, format_amount, format_month, format_number, format_quarter,
    message,
};
use crate::model::evaluation::scorecard::{Direction, Kpi, Perspective};
use crate::server::http::error::Failure;
use crate::server::http::pages::Frame;
use crate::server::http::pages::admin::{Fields, Sent};
use crate::server::http::pages::editions::{Reader, Select, percent};

const HERE: &str = "/evaluation/outcome";
/// Months that a choice offers.
const MONTHS: usize = 36;
/// The unit whose numbers are fractions and typed as hundredths.
const PERCENT: &str = "percent";
/// Units with words of their own; any other is printed as it stands.
const UNITS: &[&str] = &["points", "count", "customers", "days", "seconds", "hours"];

#[derive(Template)]
#[template(path = "server/http/pages/evaluation/outcome.html")]
struct Page {
    frame: Frame,
    tabs: Vec<Tab>,
    notice: Option<String>,
    trouble: Option<Trouble>,
    token: Option<String>,
    organisations: Vec<Select>,
    months: Vec<Select>,
    cards: Vec<Select>,
    chosen: Choice,
    organisation: String,
    month: Option<String>,
    card: String,
    origin: String,
    /// Key of whose words the scorecard is.
    standing: String,
    to_be_confirmed: bool,
    total: ScoreView,
    factors: Vec<FactorView>,
    sources: Vec<(String, ScoreView)>,
    pacings: Vec<PacingView>,
    form: Option<Form>,
    /// First and last month of a measurement, for whoever may measure.
    measure: Option<(String, String)>,
}

/// What somebody looks at.
struct Choice {
    organisation: String,
    /// A month; empty while there is none.
    month: String,
    card: String,
}

impl Choice {
    /// The address of the page with it.
    fn href(&self) -> String {
        let Self { organisation, month, card } = self;
        format!("{HERE}?organisation={}&month={}&card={}", percent(organisation), percent(month), percent(card))
    }
}

struct ScoreView {
    score: String,
    covered: String,
    light: Option<LightView>,
}

/// A light in words with a mark: never in its colour alone.
struct LightView {
    mark: &'static str,
    /// Key of the word.
    word: String,
    red: bool,
}

struct FactorView {
    name: String,
    question: String,
    score: ScoreView,
    kpis: Vec<KpiView>,
}

struct KpiView {
    name: String,
    formula: String,
    value: String,
    /// The period of the value, where it is not the month.
    period: Option<String>,
    target: String,
    attainment: String,
    light: Option<LightView>,
    source: String,
    edit: String,
}

struct PacingView {
    name: String,
    year: String,
    actual: String,
    target: String,
    completion: String,
    elapsed: String,
    gap: String,
    /// What it means in words.
    pace: String,
    behind: bool,
}

/// The forms of one KPI: as they were sent, else as they stand.
struct Form {
    kpi: String,
    name: String,
    formula: String,
    unit: String,
    is_range: bool,
    may_target: bool,
    may_value: bool,
    is_measured: bool,
    target_after: u32,
    value_after: u32,
    target: BTreeMap<&'static str, String>,
    value: BTreeMap<&'static str, String>,
    sources: Vec<Select>,
}

impl Form {
    fn target(&self, name: &str) -> &str {
        self.target.get(name).map_or("", String::as_str)
    }

    fn value(&self, name: &str) -> &str {
        self.value.get(name).map_or("", String::as_str)
    }
}

/// `GET /evaluation/outcome`.
pub(in crate::server::http) async fn page(reader: Reader) -> Result<Response, Failure> {
    let asked = Fields::read(reader.uri.query().unwrap_or_default().as_bytes());
    show_page(&reader, &asked, None).await
}

/// `POST /evaluation/outcome`: a target, a value, or a measurement.
pub(in crate::server::http) async fn act(Sent { desk, fields }: Sent) -> Result<Response, Failure> {
    let reader = Reader::of(&desk);
    match write(&reader, &fields).await {
        Ok(what) => {
            let field = |name: &str| fields.get(name).to_owned();
            let choice = Choice { organisation: field("organisation"), month: field("month"), card: field("card") };
            Ok(done(&choice.href(), what))
        }
        Err(refused) => show_page(&reader, &fields, Some(trouble(reader.lang, refused)?)).await,
    }
}

async fn write(reader: &Reader, fields: &Fields) -> Result<&'static str, Refused> {
    let (evaluation, me) = (&reader.app.services.evaluation, &reader.caller.principal);
    let (kpi, organisation) = (fields.get("kpi"), fields.get("organisation"));
    let id = format!("{kpi}/{organisation}");
    let unit = evaluation.definitions().library.kpi(kpi).map_or("", |kpi| kpi.unit.as_str()).to_owned();
    let period = fields.get("period").trim().to_owned();
    let number = |name: &str| number(fields, name, &unit);
    match fields.get("do") {
        "target" => {
            let view = evaluation.view(me).await?;
            let known: Option<Targets> = view.read(TARGET, &id);
            let mut targets = known.map(|known| known.targets).unwrap_or_default();
            let wanted = Target {
                target: number("target")?,
                low: number("low")?,
                high: number("high")?,
                tolerance: number("tolerance")?,
            };
            match wanted == Target::default() {
                true => _ = targets.remove(&period),
                false => _ = targets.insert(period, wanted),
            }
            let baseline = number("baseline")?;
            let body = json!({"kpi": kpi, "organisation": organisation, "baseline": baseline, "targets": targets});
            evaluation.put(me, TARGET, &id, seen(fields), body, fields.get("reason")).await?;
            Ok("saved")
        }
        "value" => {
            let view = evaluation.view(me).await?;
            let known: Option<Values> = view.read(VALUE, &id);
            let mut values = known.map(|known| known.values).unwrap_or_default();
            let entry = Entry {
                value: number("value")?,
                numerator: plain(fields, "numerator")?,
                denominator: plain(fields, "denominator")?,
                source: fields.given("source").map(str::to_owned),
                evidence: fields.given("evidence").map(str::to_owned),
                ..Entry::default()
            };
            match entry.value.or(entry.numerator).or(entry.denominator).is_none() {
                true => _ = values.remove(&period),
                false => _ = values.insert(period, entry),
            }
            let body = json!({"kpi": kpi, "organisation": organisation, "values": values});
            evaluation.put(me, VALUE, &id, seen(fields), body, fields.get("reason")).await?;
            Ok("saved")
        }
        "measure" => {
            let month = |name: &str| {
                let month = Period::parse(fields.get(name).trim()).filter(|period| period.length() == 1);
                month.ok_or_else(|| faults(name, fields.get(name), "period"))
            };
            let (from, to) = (month("from")?, month("to")?);
            measure(evaluation, me, from.start(), to.end()).await?;
            Ok("measured")
        }
        other => Err(faults("do", other, "action").into()),
    }
}

async fn show_page(reader: &Reader, fields: &Fields, trouble: Option<Trouble>) -> Result<Response, Failure> {
    let view = reader.app.services.evaluation.view(&reader.caller.principal).await?;
    let all = organisations(reader).await?;
    let ledger = Ledger::read(&view);
    let library = &view.definitions.library;
    let token = reader.caller.session.as_deref().map(|session| reader.app.form_token(session));

    let asked = fields.get("organisation");
    let organisation = match all.iter().any(|one| one.value == asked) {
        true => asked.to_owned(),
        false => all.first().map(|one| one.value.clone()).unwrap_or_default(),
    };
    let known: Vec<Period> = ledger.months(&organisation).into_iter().rev().take(MONTHS).collect();
    let month = Period::parse(fields.get("month")).filter(|month| known.contains(month)).or(known.first().copied());
    let card = library.scorecards.iter().find(|card| *card.key == *fields.get("card"));
    let Some(card) = card.or_else(|| library.scorecards.iter().find(|card| card.is_default)) else {
        return Err(super::no_such("scorecard", fields.get("card")));
    };
    let chosen = Choice {
        organisation: organisation.clone(),
        month: month.map(|month| month.to_string()).unwrap_or_default(),
        card: card.key.value.clone(),
    };

    let scored = month.and_then(|month| ledger.score(card, &organisation, month));
    let of = |at: usize| scored.as_ref().and_then(|scored| scored.perspectives.get(at));
    let factors = card.perspectives.iter().enumerate().map(|(at, perspective)| {
        let score = score_view(reader, of(at));
        factor(reader, &ledger, &chosen, month, perspective, score)
    });
    let sources = month.and_then(|month| ledger.by_source(&organisation, month));
    let sources = sources.map(|(scores, whole)| {
        let name = |at: usize| library.sources.get(at).map(|source| reader.lang.pick(&source.name).to_owned());
        let parts = scores
            .iter()
            .enumerate()
            .map(|(at, score)| (name(at).unwrap_or_default(), score_view(reader, Some(score))));
        let whole = (reader.word("outcome-whole"), score_view(reader, Some(&whole)));
        parts.chain([whole]).collect::<Vec<_>>()
    });
    let pacings = ledger.pacings();
    let pacings =
        pacings.iter().filter(|one| one.organisation == organisation && Some(one.year) == month.map(Period::year));
    let kpi = library.kpi(fields.get("kpi"));
    let months = known.iter().map(|one| Select {
        value: one.to_string(),
        label: period_words(reader.lang, *one),
        on: Some(*one) == month,
    });
    let cards = library.scorecards.iter().map(|one| Select {
        value: one.key.value.clone(),
        label: reader.lang.pick(&one.name).to_owned(),
        on: one.key.value == card.key.value,
    });
    let organisation_label = organisation_name(reader, &all, &organisation);
    let page = Page {
        frame: reader.frame("evaluation"),
        tabs: tabs(reader, HERE),
        notice: notice(reader).filter(|_| trouble.is_none()),
        months: months.collect(),
        cards: cards.collect(),
        month: month.map(|month| period_words(reader.lang, month)),
        card: reader.lang.pick(&card.name).to_owned(),
        origin: reader.lang.pick(&card.origin).to_owned(),
        standing: format!("evaluation-standing-{}", card.standing.as_str()),
        to_be_confirmed: card.to_be_confirmed,
        total: score_view(reader, scored.as_ref().map(|scored| &scored.total)),
        factors: factors.collect(),
        sources: sources.unwrap_or_default(),
        pacings: pacings.map(|one| pacing(reader, one)).collect(),
        form: kpi.map(|kpi| form(reader, &view, &chosen, kpi, fields, trouble.is_some())),
        measure: may_measure(reader, &view).then(|| measured_months(fields, &known)),
        organisations: all.into_iter().map(|one| Select { on: one.value == organisation, ..one }).collect(),
        organisation: organisation_label,
        chosen,
        token,
        trouble,
    };
    show(page.trouble.as_ref(), &page)
}

/// Whether somebody may start the statements: a reviewer of head office, where there are any.
fn may_measure(reader: &Reader, view: &View) -> bool {
    let me = &reader.caller.principal;
    me.has_role(REVIEWER) && me.scope.branches().is_none() && !view.definitions.statements.kpis.is_empty()
}

/// First and last month of a measurement: as sent, else the months that are known.
fn measured_months(fields: &Fields, known: &[Period]) -> (String, String) {
    let of = |name: &str, period: Option<&Period>| match fields.given(name) {
        Some(typed) => typed.to_owned(),
        None => period.map(Period::to_string).unwrap_or_default(),
    };
    (of("from", known.last()), of("to", known.first()))
}

fn factor(
    reader: &Reader,
    ledger: &Ledger<'_>,
    chosen: &Choice,
    month: Option<Period>,
    perspective: &Perspective,
    score: ScoreView,
) -> FactorView {
    let library = &reader.app.services.evaluation.definitions().library;
    let kpis = perspective.kpis.iter().filter_map(|(key, _)| library.kpi(key)).map(|kpi| {
        let judged = month.and_then(|month| ledger.judge(&chosen.organisation, kpi, month));
        KpiView {
            name: reader.lang.pick(&kpi.name).to_owned(),
            formula: reader.lang.pick(&kpi.formula).to_owned(),
            value: judged.as_ref().map_or_else(missing, |judged| amount(reader.lang, &kpi.unit, judged.value)),
            period: judged
                .as_ref()
                .map(|one| one.period)
                .filter(|of| Some(*of) != month)
                .map(|of| period_words(reader.lang, of)),
            target: judged
                .as_ref()
                .and_then(|one| one.goal.as_ref())
                .map_or_else(missing, |goal| target_words(reader, kpi, goal)),
            attainment: judged.as_ref().and_then(|one| one.attainment).map_or_else(missing, share),
            light: judged.as_ref().and_then(|one| one.light).map(light_view),
            source: judged.as_ref().map(|judged| source_words(reader, judged)).unwrap_or_default(),
            edit: format!("{}&kpi={}#form", chosen.href(), percent(&kpi.key)),
        }
    });
    FactorView {
        name: reader.lang.pick(&perspective.name).to_owned(),
        question: reader.lang.pick(&perspective.question).to_owned(),
        score,
        kpis: kpis.collect(),
    }
}

fn missing() -> String {
    MISSING.to_owned()
}

/// A share as a percentage with one digit after the point.
pub(super) fn share(value: f64) -> String {
    Decimal::from_f64(value)
        .map_or_else(missing, |exact| format_number(Lang::default(), &exact, NumberUnit::plain(Quantity::Percent)))
}

fn score_view(reader: &Reader, score: Option<&Score>) -> ScoreView {
    let value = score.and_then(|score| score.value.ok());
    let covered = score.map_or(0.0, |score| score.covered_weight);
    ScoreView {
        score: value.map_or_else(missing, share),
        covered: message(reader.lang, "outcome-covered", &[("share", Value::Text(&share(covered)))]),
        light: score.and_then(light_of).map(light_view),
    }
}

fn light_view(light: Light) -> LightView {
    let mark = match light {
        Light::Green => "✓",
        Light::Yellow => "!",
        Light::Red => "✗",
    };
    LightView { mark, word: format!("outcome-light-{}", light.as_str()), red: light == Light::Red }
}

fn target_words(reader: &Reader, kpi: &Kpi, goal: &Goal) -> String {
    let number = |value: f64| amount(reader.lang, &kpi.unit, value);
    let with = |key: &str, value: f64| message(reader.lang, key, &[("value", Value::Text(&number(value)))]);
    match *goal {
        Goal::Higher { target } => with("outcome-target-higher", target),
        Goal::Lower { target } => with("outcome-target-lower", target),
        Goal::Range { low, high, .. } => {
            let (low, high) = (number(low), number(high));
            let arguments = [("low", Value::Text(&low)), ("high", Value::Text(&high))];
            message(reader.lang, "outcome-target-range", &arguments)
        }
    }
}

fn source_words(reader: &Reader, judged: &Judged<'_>) -> String {
    let Entry { snapshot, entered_by_hand, source, evidence, .. } = judged.entry;
    if !entered_by_hand {
        let snapshot = snapshot.map_or_else(missing, |snapshot| snapshot.to_string());
        return message(reader.lang, "outcome-measured-at", &[("snapshot", Value::Text(&snapshot))]);
    }
    let library = &reader.app.services.evaluation.definitions().library;
    let named = source.as_ref().and_then(|source| library.sources.iter().find(|known| *known.key == *source));
    let mut words = vec![reader.word("outcome-by-hand")];
    words.extend(named.map(|source| reader.lang.pick(&source.name).to_owned()));
    words.push(evidence.clone().unwrap_or_else(|| reader.word("outcome-no-evidence")));
    words.join(" · ")
}

fn pacing(reader: &Reader, one: &Pacing<'_>) -> PacingView {
    let points = |value: f64| {
        let unit = NumberUnit::plain(Quantity::Points);
        Decimal::from_f64(value).map_or_else(missing, |exact| format_amount(reader.lang, &exact, unit))
    };
    let number = |value: f64| amount(reader.lang, &one.kpi.unit, value);
    let progress = one.progress.as_ref().ok();
    PacingView {
        name: reader.lang.pick(&one.kpi.name).to_owned(),
        year: one.year.to_string(),
        actual: number(one.actual),
        target: number(one.target),
        completion: progress.map_or_else(missing, |progress| share(progress.completion)),
        elapsed: progress.map_or_else(missing, |progress| share(progress.elapsed)),
        gap: progress.map_or_else(missing, |progress| points(progress.gap)),
        pace: match one.progress {
            Ok(progress) => reader.word(match progress.pace {
                Pace::Ahead => "outcome-pace-ahead",
                Pace::Level => "outcome-pace-level",
                Pace::Behind => "outcome-pace-behind",
            }),
            Err(code) => reason(reader, code),
        },
        behind: progress.is_some_and(|progress| progress.pace == Pace::Behind),
    }
}

/// Why there is no figure, in words.
pub(super) fn reason(reader: &Reader, code: &str) -> String {
    const KNOWN: &[&str] = &["no_costs", "no_data", "not_positive", "too_little_data"];
    match KNOWN.contains(&code) {
        true => reader.word(&format!("outcome-reason-{code}")),
        false => reader.word("outcome-reason-other"),
    }
}

/// The forms of a KPI. What was sent stays in the form that sent it.
fn form(reader: &Reader, view: &View, chosen: &Choice, kpi: &Kpi, fields: &Fields, refused: bool) -> Form {
    let me = &reader.caller.principal;
    let id = format!("{}/{}", *kpi.key, chosen.organisation);
    let sent = |what: &str| refused && fields.get("do") == what;
    let after = |kind: &str, what: &str| match sent(what) {
        true => seen(fields),
        false => view.record(kind, &id).map_or(0, |row| row.version),
    };
    let targets: Option<Targets> = view.read(TARGET, &id);
    let wanted = targets.as_ref().and_then(|known| known.targets.get(&chosen.month)).copied().unwrap_or_default();
    let values: Option<Values> = view.read(VALUE, &id);
    let entry = values.and_then(|known| known.values.get(&chosen.month).cloned()).unwrap_or_default();
    let shown = |value: Option<f64>| value.map(|value| typed(value, &kpi.unit)).unwrap_or_default();
    let text = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let fill = |what: &str, stands: Vec<(&'static str, String)>| -> BTreeMap<&'static str, String> {
        let one = |(name, stands): (&'static str, String)| match sent(what) {
            true => (name, fields.get(name).to_owned()),
            false => (name, stands),
        };
        stands.into_iter().map(one).collect()
    };
    let target = vec![
        ("period", chosen.month.clone()),
        ("target", shown(wanted.target)),
        ("low", shown(wanted.low)),
        ("high", shown(wanted.high)),
        ("tolerance", shown(wanted.tolerance)),
        ("baseline", shown(targets.as_ref().and_then(|known| known.baseline))),
        ("reason", String::new()),
    ];
    let value = vec![
        ("period", chosen.month.clone()),
        ("value", shown(entry.value.filter(|_| entry.numerator.is_none()))),
        ("numerator", text(entry.numerator)),
        ("denominator", text(entry.denominator)),
        ("source", entry.source.clone().unwrap_or_default()),
        ("evidence", entry.evidence.clone().unwrap_or_default()),
        ("reason", String::new()),
    ];
    let value = fill("value", value);
    let source = value.get("source").cloned().unwrap_or_default();
    let sources = view.definitions.library.sources.iter().map(|one| Select {
        value: one.key.value.clone(),
        label: reader.lang.pick(&one.name).to_owned(),
        on: one.key.value == source,
    });
    let none = Select { value: String::new(), label: reader.word("outcome-no-source"), on: source.is_empty() };
    let is_measured = view.definitions.statements.kpis.contains_key(kpi.key.as_str());
    Form {
        kpi: kpi.key.value.clone(),
        name: reader.lang.pick(&kpi.name).to_owned(),
        formula: reader.lang.pick(&kpi.formula).to_owned(),
        unit: unit_words(reader.lang, &kpi.unit),
        is_range: matches!(kpi.direction, Direction::Range { .. }),
        may_target: me.has_role(REVIEWER),
        may_value: !is_measured && (me.has_role(REVIEWER) || me.has_role(ASSESSOR)),
        is_measured,
        target_after: after(TARGET, "target"),
        value_after: after(VALUE, "value"),
        target: fill("target", target),
        value,
        sources: std::iter::once(none).chain(sources).collect(),
    }
}

/// A period in words.
pub(super) fn period_words(lang: Lang, period: Period) -> String {
    match period.length() {
        1 => format_month(lang, period.first_day()),
        3 => format_quarter(lang, period.first_day()),
        _ => period.to_string(),
    }
}

/// A number in the unit of its KPI, in words.
pub(super) fn amount(lang: Lang, unit: &str, value: f64) -> String {
    let Some(exact) = Decimal::from_f64(value) else { return missing() };
    let decimals = if value.fract() == 0.0 { 0 } else { 2 };
    let number = format_number(lang, &exact, NumberUnit::plain(Quantity::Number).with_decimals(decimals));
    match unit {
        PERCENT => format_number(lang, &exact, NumberUnit::plain(Quantity::Percent).with_decimals(2)),
        "CNY" => format_amount(lang, &exact, NumberUnit::auto(lang, Quantity::Money, [&exact])),
        known if UNITS.contains(&known) => {
            message(lang, &format!("outcome-amount-{known}"), &[("value", Value::Text(&number))])
        }
        other => format!("{number} {other}"),
    }
}

/// The unit in which numbers of a KPI are typed.
fn unit_words(lang: Lang, unit: &str) -> String {
    match unit {
        PERCENT => "%".to_owned(),
        "CNY" => NumberUnit::plain(Quantity::Money).label(lang),
        known if UNITS.contains(&known) => message(lang, &format!("outcome-unit-{known}"), &[]),
        other => other.to_owned(),
    }
}

/// A recorded number as somebody would type it.
pub(super) fn typed(value: f64, unit: &str) -> String {
    // Through text, so that 0.07 is 7 and not 7.000000000000001.
    let shown = if unit == PERCENT { format!("{value}e2").parse().unwrap_or(value) } else { value };
    shown.to_string()
}

/// A number typed in the unit of its KPI, as it is recorded; none for an empty field.
pub(super) fn number(fields: &Fields, name: &str, unit: &str) -> Result<Option<f64>, Refused> {
    let text = fields.get(name).trim().trim_end_matches(['%', '％']);
    let number = typed_number(text).map_err(|typed| faults(name, &typed, "number"))?;
    match number {
        Some(number) if unit == PERCENT => Ok(format!("{number}e-2").parse().ok()),
        number => Ok(number),
    }
}

/// A number without a unit.
pub(super) fn plain(fields: &Fields, name: &str) -> Result<Option<f64>, Refused> {
    number(fields, name, "")
}

#[cfg(test)]
mod tests {
    use super::{amount, number, typed};
    use crate::locale::Lang;
    use crate::server::http::pages::admin::Fields;

    #[test]
    fn percentages_are_typed_as_they_are_printed() {
        for (text, unit, value) in [
            ("92.5", "percent", Some(0.925)),
            ("92.3 %", "percent", Some(0.923)),
            ("7", "percent", Some(0.07)),
            ("1,200", "CNY", Some(1200.0)),
            ("", "percent", None),
        ] {
            let fields = Fields::read(format!("value={}", text.replace('%', "%25").replace(' ', "+")).as_bytes());
            assert_eq!(number(&fields, "value", unit).unwrap(), value, "{text}");
        }
        assert!(number(&Fields::read(b"value=many"), "value", "percent").is_err());
        assert_eq!((typed(0.07, "percent").as_str(), typed(0.925, "percent").as_str()), ("7", "92.5"));
        assert_eq!(typed(1200.0, "CNY"), "1200");
        assert_eq!(amount(Lang::En, "percent", 0.92345), "92.35%");
    }
}
