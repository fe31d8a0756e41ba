//! `/evaluation/roi` and `/evaluation/roi/{id}`: cases of return on investment, what they come to, and the forms for them.
//!
//! Figures stand in both conventions side by side, and a figure without an answer says why. The shipped case is read here too,
//! under each of its readings, with what is given and what is illustrative marked as such.

mod form;

use askama::Template;
use axum::response::Response;
use serde_json::to_value;

use self::form::{AddForm, LineForm, NewCase, PasteForm, Returned, TermsForm, apply, create as read_new};
use super::{
    ChangeView, Tab, Trouble, done, history, new_id, no_such, notice, organisation_name, organisations, seen, show,
    tabs, trouble,
};
use crate::catalog::RecordRow;
use crate::error::Error;
use crate::evaluation::roi::{
    Answer, CASE, Case, CaseResult, Category, Estimate, Figures, METHOD, RESULT, ReadingFigures, Simulated, Spread,
    Status, case_of, is_approved, readings, refresh,
};
use crate::evaluation::{ASSESSOR, REVIEWER, Refused, View, faults};
use crate::locale::{Decimal, Lang, MISSING, NumberUnit, Quantity, Value, format_number, format_signed, message};
use crate::model::evaluation::SCHEMA;
use crate::model::evaluation::roi::{Case as Shipped, Fact, Model};
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;
use crate::server::http::pages::admin::{Fields, Sent};
use crate::server::http::pages::editions::{Reader, percent};
use crate::server::http::pages::{Frame, openable};

const HERE: &str = "/evaluation/roi";
/// The parameter by which reports know a case.
const PARAMETER: &str = "case";

// ---- numbers and tables

fn number(lang: Lang, value: f64, quantity: Quantity, decimals: u8) -> String {
    let unit = NumberUnit::plain(quantity).with_decimals(decimals);
    Decimal::from_f64(value).map_or_else(|| MISSING.to_owned(), |exact| format_number(lang, &exact, unit))
}

fn money(lang: Lang, amount: f64) -> String {
    number(lang, amount, Quantity::Number, 2)
}

fn share(lang: Lang, share: f64) -> String {
    number(lang, share, Quantity::Percent, 1)
}

/// A change of money with its sign.
fn signed(lang: Lang, amount: f64) -> String {
    let unit = NumberUnit::plain(Quantity::Number);
    Decimal::from_f64(amount).map_or_else(|| MISSING.to_owned(), |exact| format_signed(lang, &exact, unit))
}

fn some(value: Option<f64>, print: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| MISSING.to_owned(), print)
}

/// A figure, or in words why there is none.
fn answered(lang: Lang, answer: &Answer, print: impl Fn(f64) -> String) -> String {
    match answer {
        Answer::Value(value) => print(*value),
        Answer::Missing { reason } => message(lang, &format!("reason-{reason}"), &[]),
    }
}

/// A table of the page.
struct Part {
    id: &'static str,
    title: String,
    hint: String,
    heads: Vec<Cell>,
    rows: Vec<Row>,
}

/// A row: its head, and what stands beside it.
struct Row {
    name: String,
    href: Option<String>,
    /// A mark beside the name: given, illustrative.
    tag: Option<String>,
    cells: Vec<Cell>,
}

struct Cell {
    text: String,
    /// A number, which stands at the right.
    number: bool,
}

fn figure(text: String) -> Cell {
    Cell { text, number: true }
}

fn words(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), number: false }
}

impl Row {
    fn new(name: impl Into<String>, cells: Vec<Cell>) -> Self {
        Self { name: name.into(), href: None, tag: None, cells }
    }
}

/// Words of this area, in the reader's language.
struct Speaker {
    lang: Lang,
}

impl Speaker {
    fn word(&self, key: &str) -> String {
        message(self.lang, key, &[])
    }

    /// A table with heads by their keys; `numbers` from which column on they stand at the right.
    fn part(&self, id: &'static str, heads: &[&str], numbers: usize, rows: Vec<Row>) -> Part {
        let head = |(at, key): (usize, &&str)| Cell { text: self.word(key), number: at >= numbers };
        Part {
            id,
            title: self.word(&format!("roi-{id}")),
            hint: self.word(&format!("roi-{id}-hint")),
            heads: heads.iter().enumerate().map(head).collect(),
            rows,
        }
    }
}

// ---- the list

#[derive(Template)]
#[template(path = "server/http/pages/evaluation/roi.html")]
struct List {
    frame: Frame,
    tabs: Vec<Tab>,
    notice: Option<String>,
    trouble: Option<Trouble>,
    token: Option<String>,
    parts: Vec<Part>,
    new: NewCase,
}

/// Token of the forms, for who may write cases in a browser's session.
fn token(reader: &Reader) -> Option<String> {
    let principal = &reader.caller.principal;
    let writes = [ASSESSOR, REVIEWER].iter().any(|role| principal.has_role(role));
    reader.caller.session.as_deref().filter(|_| writes).map(|session| reader.app.form_token(session))
}

fn address(id: &str) -> String {
    format!("{HERE}/{}", percent(id))
}

/// `GET /evaluation/roi`.
pub(in crate::server::http) async fn list(reader: Reader) -> Result<Response, Failure> {
    show_list(&reader, None, None).await
}

async fn show_list(reader: &Reader, sent: Option<&Fields>, trouble: Option<Trouble>) -> Result<Response, Failure> {
    let view = reader.app.services.evaluation.view(&reader.caller.principal).await?;
    let all = organisations(reader).await?;
    let (lang, speaker) = (reader.lang, Speaker { lang: reader.lang });
    let mut rows = Vec::new();
    for (record, case) in view.documents::<Case>(CASE) {
        let result = view.read::<CaseResult>(RESULT, &record.id);
        let of =
            |print: &dyn Fn(&CaseResult) -> String| figure(result.as_ref().map_or_else(|| MISSING.to_owned(), print));
        let state = match &result {
            None => "roi-not-computed",
            Some(result) if result.holds_for(&case)? => "roi-current",
            Some(_) => "roi-stale",
        };
        let cells = vec![
            words(organisation_name(reader, &all, &case.organisation)),
            words(speaker.word(&format!("roi-status-{}", case.status.as_str()))),
            words(case.currency.as_str()),
            of(&|result| money(lang, result.entered.npv)),
            of(&|result| money(lang, result.adjusted.npv)),
            of(&|result| answered(lang, &result.adjusted.roi, |roi| share(lang, roi))),
            words(speaker.word(state)),
        ];
        rows.push(Row { href: Some(address(&record.id)), ..Row::new(case.name, cells) });
    }
    for case in &view.definitions.roi.cases {
        let cells = vec![
            words(lang.pick(&case.organisation)),
            words(speaker.word("roi-shipped")),
            words(case.currency.as_str()),
            figure(MISSING.to_owned()),
            figure(MISSING.to_owned()),
            figure(MISSING.to_owned()),
            words(speaker.word("roi-read-only")),
        ];
        rows.push(Row { href: Some(address(&case.key)), ..Row::new(lang.pick(&case.name), cells) });
    }
    let heads = [
        "roi-case",
        "evaluation-organisation",
        "evaluation-status",
        "roi-currency",
        "roi-npv-entered",
        "roi-npv-adjusted",
        "roi-roi-adjusted",
        "roi-state",
    ];
    let mut cases = speaker.part("cases", &heads, heads.len(), rows);
    cases.heads.iter_mut().skip(4).take(3).for_each(|head| head.number = true);
    let page = List {
        frame: reader.frame("evaluation"),
        tabs: tabs(reader, HERE),
        notice: notice(reader),
        token: token(reader),
        parts: vec![cases],
        new: NewCase::show(sent, all, |key| reader.word(key)),
        trouble,
    };
    show(page.trouble.as_ref(), &page)
}

/// `POST /evaluation/roi`: a new case.
pub(in crate::server::http) async fn create(Sent { desk, fields }: Sent) -> Result<Response, Failure> {
    let reader = Reader::of(&desk);
    match add_case(&reader, &fields).await {
        Ok(row) => Ok(done(&address(&row.id), "created")),
        Err(refused) => {
            let told = trouble(reader.lang, refused)?;
            show_list(&reader, Some(&fields), Some(told)).await
        }
    }
}

async fn add_case(reader: &Reader, fields: &Fields) -> Result<RecordRow, Refused> {
    let (evaluation, principal) = (&reader.app.services.evaluation, &reader.caller.principal);
    let view = evaluation.view(principal).await?;
    let case = read_new(fields)?;
    let id = match fields.given("id") {
        Some(id) if view.record(CASE, id).is_some() => return Err(faults("id", id, "duplicate").into()),
        Some(id) => id.to_owned(),
        None => new_id(&view, CASE, &case.name),
    };
    evaluation.put(principal, CASE, &id, 0, body(&case)?, "").await
}

fn body(case: &Case) -> Result<serde_json::Value, Error> {
    to_value(case).map_err(|error| Error::internal("a case cannot be written", error))
}

// ---- one case

#[derive(Template)]
#[template(path = "server/http/pages/evaluation/roi_case.html")]
struct Page {
    frame: Frame,
    tabs: Vec<Tab>,
    notice: Option<String>,
    trouble: Option<Trouble>,
    title: String,
    /// Where its forms go.
    here: String,
    /// Whose it is, its life, its terms.
    facts: Vec<(String, String)>,
    /// What a reader must know above every figure.
    note: String,
    /// Whether the figures are those of the case as it stands.
    state: Option<String>,
    /// The figures that matter most.
    tiles: Vec<(String, String)>,
    parts: Vec<Part>,
    /// Reports that show it: address and title.
    reports: Vec<(String, String)>,
    history: Vec<ChangeView>,
    desk: Option<CaseDesk>,
}

/// The forms of a case, for who may write it.
struct CaseDesk {
    token: String,
    /// The version that the forms were made from.
    after: u32,
    reason: String,
    may_approve: bool,
    may_reopen: bool,
    may_refresh: bool,
    /// None while the case is approved.
    edit: Option<Edit>,
}

struct Edit {
    terms: TermsForm,
    line: Option<LineForm>,
    add: AddForm,
    paste: PasteForm,
}

/// `GET /evaluation/roi/{id}`.
pub(in crate::server::http) async fn page(Path(id): Path<String>, reader: Reader) -> Result<Response, Failure> {
    show_case(&reader, &id, Returned(None), None).await
}

/// `POST /evaluation/roi/{id}`: a step in its life, or a change of its document.
pub(in crate::server::http) async fn act(
    Path(id): Path<String>,
    Sent { desk, fields }: Sent,
) -> Result<Response, Failure> {
    let reader = Reader::of(&desk);
    let (evaluation, principal) = (&reader.app.services.evaluation, &reader.caller.principal);
    let (what, reason, after) = (fields.get("do"), fields.get("reason"), seen(&fields));
    let outcome = match what {
        "compute" | "approve" | "reopen" => evaluation.act(principal, CASE, &id, after, what, reason).await,
        "refresh" => refresh(evaluation, principal, &id, after, reason).await,
        _ => change(&reader, &id, &fields).await,
    };
    let word = match what {
        "compute" => "computed",
        "approve" => "approved",
        "reopen" => "reopened",
        "refresh" => "measured",
        _ => "saved",
    };
    match outcome {
        Ok(_) if what == "line" => Ok(done(&format!("{}?line={}", address(&id), percent(fields.get("line"))), word)),
        Ok(_) => Ok(done(&address(&id), word)),
        Err(refused) => {
            let told = trouble(reader.lang, refused)?;
            show_case(&reader, &id, Returned(Some(&fields)), Some(told)).await
        }
    }
}

/// Writes the case with what a form changes. It is made from the newest version and sent after the one that the form's writer
/// saw, so that nobody's change is lost.
async fn change(reader: &Reader, id: &str, fields: &Fields) -> Result<RecordRow, Refused> {
    let (evaluation, principal) = (&reader.app.services.evaluation, &reader.caller.principal);
    let mut case = case_of(&evaluation.get(principal, CASE, id).await?)?;
    apply(&mut case, fields, &evaluation.definitions().roi)?;
    evaluation.put(principal, CASE, id, seen(fields), body(&case)?, fields.get("reason")).await
}

async fn show_case(
    reader: &Reader,
    id: &str,
    returned: Returned<'_>,
    trouble: Option<Trouble>,
) -> Result<Response, Failure> {
    let view = reader.app.services.evaluation.view(&reader.caller.principal).await?;
    let page = match view.record(CASE, id) {
        Some(record) => recorded(reader, &view, record, returned, trouble).await?,
        None => match view.definitions.roi.cases.iter().find(|case| *case.key == *id) {
            Some(case) => shipped(reader, &view.definitions.roi, case)?,
            None => return Err(no_such("case", id)),
        },
    };
    show(page.trouble.as_ref(), &page)
}

async fn recorded(
    reader: &Reader,
    view: &View,
    record: &RecordRow,
    returned: Returned<'_>,
    trouble: Option<Trouble>,
) -> Result<Page, Failure> {
    let case = case_of(record)?;
    let all = organisations(reader).await?;
    let speaker = Speaker { lang: reader.lang };
    let word = |key: &str| speaker.word(key);
    let model = &view.definitions.roi;
    let result = view.read::<CaseResult>(RESULT, &record.id);
    let current = match &result {
        Some(result) => result.holds_for(&case)?,
        None => false,
    };
    let state = match &result {
        None => word("roi-not-computed"),
        Some(result) => {
            let (version, seed) = (result.case_version.to_string(), result.seed.to_string());
            let arguments = [
                ("version", Value::Text(&version)),
                ("method", Value::Text(&result.method)),
                ("seed", Value::Text(&seed)),
            ];
            let said = message(reader.lang, "roi-computed-as", &arguments);
            if current { said } else { format!("{} {said}", word("roi-stale-hint")) }
        }
    };
    let wrote = view.writers(CASE, &record.id, is_approved);
    let approvable = current && !wrote.contains(&reader.caller.principal.name);
    let desk = token(reader).map(|token| desk(reader, &case, record, approvable, model, returned, token));
    let editable = desk.as_ref().is_some_and(|desk| desk.edit.is_some());
    let mut parts = Vec::new();
    if let Some(result) = &result {
        parts.push(figures_part(&speaker, result));
        parts.push(flows_part(&speaker, &case, &result.adjusted, &result.entered));
    }
    let worths = result.as_ref().filter(|_| current);
    parts.push(lines_part(&speaker, &case, model, worths, editable.then(|| address(&record.id))));
    if let Some(result) = &result {
        parts.extend(result_parts(&speaker, &case, model, result));
    }
    parts.push(claims_part(&speaker, &case, model));
    parts.retain(|part| !part.rows.is_empty() || part.id == "lines");
    Ok(Page {
        frame: reader.frame("evaluation"),
        tabs: tabs(reader, HERE),
        notice: if trouble.is_some() { None } else { notice(reader) },
        trouble,
        title: case.name.clone(),
        here: address(&record.id),
        facts: facts(reader, &case, record, organisation_name(reader, &all, &case.organisation)),
        note: String::new(),
        state: Some(state),
        tiles: result.as_ref().map(|result| tiles(&speaker, result)).unwrap_or_default(),
        parts,
        reports: reports(reader, &record.id),
        history: history(reader, CASE, &record.id).await?,
        desk,
    })
}

fn desk(
    reader: &Reader,
    case: &Case,
    record: &RecordRow,
    approvable: bool,
    model: &Model,
    returned: Returned<'_>,
    token: String,
) -> CaseDesk {
    let principal = &reader.caller.principal;
    let draft = case.status == Status::Draft;
    let reviews = principal.has_role(REVIEWER);
    let word = |key: &str| reader.word(key);
    let asked = match returned.text("do").as_str() {
        "line" => returned.text("line"),
        _ => reader.asked.get("line").to_owned(),
    };
    let edit = draft.then(|| Edit {
        terms: TermsForm::show(case, returned, word),
        line: LineForm::show(case, &asked, returned, model, reader.lang, word),
        add: AddForm::show(returned, model, reader.lang),
        paste: PasteForm::show(returned),
    });
    let stepped = matches!(returned.text("do").as_str(), "compute" | "approve" | "reopen" | "refresh");
    CaseDesk {
        token,
        // Who was told of a newer version is told again until the page is opened anew.
        after: returned.text("after").parse().unwrap_or(record.version),
        reason: if stepped { returned.text("reason") } else { String::new() },
        may_approve: draft && reviews && approvable,
        may_reopen: !draft && reviews,
        may_refresh: draft && case.lines.iter().any(|line| line.statement.is_some()),
        edit,
    }
}

/// Reports over these records that can be asked for a case.
fn reports(reader: &Reader, id: &str) -> Vec<(String, String)> {
    let found = openable(&reader.app, &reader.caller.principal).filter(|report| {
        report.cubes.iter().any(|cube| cube.as_str() == SCHEMA)
            && report.parameters.iter().any(|parameter| parameter.name.as_str() == PARAMETER)
    });
    let link = |name: &str| format!("/reports/{}?{PARAMETER}={}", percent(name), percent(id));
    found.map(|report| (link(&report.name), reader.title(report))).collect()
}

fn facts(reader: &Reader, case: &Case, record: &RecordRow, organisation: String) -> Vec<(String, String)> {
    let lang = reader.lang;
    let (word, terms) = (|key: &str| reader.word(key), &case.terms);
    let rates = |rate: f64| share(lang, rate);
    let convention = [
        word(if terms.real { "roi-real" } else { "roi-nominal" }),
        word(if terms.mid_period { "roi-mid-period" } else { "roi-end-period" }),
    ];
    vec![
        (word("evaluation-organisation"), organisation),
        (word("evaluation-status"), word(&format!("roi-status-{}", case.status.as_str()))),
        (word("roi-version"), format!("{} · {}", record.version, record.recorded_by)),
        (word("roi-start"), case.start.to_string()),
        (word("roi-periods"), format!("{} × {}", case.periods, word(&format!("roi-period-{}", case.period.as_str())))),
        (word("roi-currency"), case.currency.clone()),
        (word("roi-rate"), rates(terms.rate)),
        (word("roi-finance-rate"), rates(terms.finance_rate.unwrap_or(terms.rate))),
        (word("roi-reinvest-rate"), rates(terms.reinvest_rate.unwrap_or(terms.rate))),
        (word("roi-tax"), rates(terms.tax)),
        (word("roi-conventions"), convention.join(&reader.word("portal-separator"))),
        (word("roi-target"), rates(case.target_roi)),
    ]
}

fn tiles(speaker: &Speaker, result: &CaseResult) -> Vec<(String, String)> {
    let lang = speaker.lang;
    let adjusted = &result.adjusted;
    let chance = result.simulation.as_ref().map(|found| found.npv_positive.value);
    vec![
        (speaker.word("roi-npv-adjusted"), money(lang, adjusted.npv)),
        (speaker.word("roi-npv-entered"), money(lang, result.entered.npv)),
        (speaker.word("roi-roi-adjusted"), answered(lang, &adjusted.roi, |roi| share(lang, roi))),
        (speaker.word("roi-roi-entered"), answered(lang, &result.entered.roi, |roi| share(lang, roi))),
        (speaker.word("roi-payback-adjusted"), answered(lang, &adjusted.payback, |time| periods(lang, time))),
        (speaker.word("roi-irr-adjusted"), irr(speaker, adjusted)),
        (speaker.word("roi-chance-positive"), some(chance, |chance| share(lang, chance))),
    ]
}

fn periods(lang: Lang, time: f64) -> String {
    number(lang, time, Quantity::Number, 2)
}

/// The internal rate with what it says; where there are several, all of them.
fn irr(speaker: &Speaker, figures: &Figures) -> String {
    let lang = speaker.lang;
    let status = speaker.word(&format!("roi-irr-{}", figures.irr_status));
    let all = || figures.irr_all.iter().map(|rate| share(lang, *rate)).collect::<Vec<_>>();
    match figures.irr.value() {
        Some(rate) if figures.irr_all.len() == 1 => share(lang, rate),
        Some(rate) => format!("{} ({status})", share(lang, rate)),
        None if figures.irr_all.is_empty() => answered(lang, &figures.irr, |rate| share(lang, rate)),
        None => format!("{status}: {}", all().join(&speaker.word("portal-list"))),
    }
}

/// One figure by its key, and how it is printed.
type Printed<'a> = (&'static str, Box<dyn Fn(&Figures) -> String + 'a>);

fn printed(speaker: &Speaker) -> Vec<Printed<'_>> {
    fn of<'a>(key: &'static str, print: impl Fn(&Figures) -> String + 'a) -> Printed<'a> {
        (key, Box::new(print))
    }
    let lang = speaker.lang;
    let ratio = move |answer: &Answer| answered(lang, answer, |value| number(lang, value, Quantity::Number, 2));
    let rate = move |answer: &Answer| answered(lang, answer, |value| share(lang, value));
    let time = move |answer: &Answer| answered(lang, answer, |value| periods(lang, value));
    vec![
        of("roi-pv-benefits", move |figures| money(lang, figures.pv_benefits)),
        of("roi-pv-costs", move |figures| money(lang, figures.pv_costs)),
        of("roi-npv", move |figures| money(lang, figures.npv)),
        of("roi-roi", move |figures| rate(&figures.roi)),
        of("roi-roi-undiscounted", move |figures| rate(&figures.roi_undiscounted)),
        of("roi-profitability-index", move |figures| ratio(&figures.profitability_index)),
        of("roi-benefit-cost", move |figures| ratio(&figures.benefit_cost)),
        of("roi-irr", move |figures| irr(speaker, figures)),
        of("roi-mirr", move |figures| rate(&figures.mirr)),
        of("roi-payback", move |figures| time(&figures.payback)),
        of("roi-payback-last", move |figures| time(&figures.payback_last)),
        of("roi-discounted-payback", move |figures| time(&figures.discounted_payback)),
        of("roi-discounted-payback-last", move |figures| time(&figures.discounted_payback_last)),
    ]
}

fn figures_part(speaker: &Speaker, result: &CaseResult) -> Part {
    let lang = speaker.lang;
    let mut heads = vec!["roi-figure", "roi-entered", "roi-adjusted"];
    let mut views = vec![&result.entered, &result.adjusted];
    if let Some(outlook) = &result.outlook {
        heads.push("roi-outlook");
        views.push(outlook);
    }
    let row = |(key, print): Printed<'_>| {
        Row::new(speaker.word(key), views.iter().map(|figures| figure(print(figures))).collect())
    };
    let mut rows: Vec<Row> = printed(speaker).into_iter().map(row).collect();
    if !result.scenarios.is_empty() {
        let expected = |answer: &Answer| figure(answered(lang, answer, |npv| money(lang, npv)));
        let mut cells = vec![expected(&result.expected_entered), expected(&result.expected_adjusted)];
        cells.extend(result.outlook.iter().map(|_| figure(MISSING.to_owned())));
        rows.push(Row::new(speaker.word("roi-expected-npv"), cells));
    }
    speaker.part("figures", &heads, 1, rows)
}

fn flows_part(speaker: &Speaker, case: &Case, adjusted: &Figures, entered: &Figures) -> Part {
    let lang = speaker.lang;
    let rows = adjusted.flows.iter().zip(&entered.flows).enumerate().map(|(no, (flow, entered))| {
        let amounts = [
            flow.benefits,
            flow.costs,
            flow.tax,
            flow.net,
            flow.discounted,
            flow.cumulative,
            entered.net,
            entered.cumulative,
        ];
        Row::new(case.period_label(no), amounts.map(|amount| figure(money(lang, amount))).into())
    });
    let heads = [
        "roi-period",
        "roi-benefits",
        "roi-costs",
        "roi-tax-paid",
        "roi-net",
        "roi-discounted",
        "roi-cumulative",
        "roi-net-entered",
        "roi-cumulative-entered",
    ];
    speaker.part("flows", &heads, 1, rows.collect())
}

/// What a line is called: its own name, else its category's, else its key.
fn line_name(speaker: &Speaker, case: &Case, model: &Model, key: &str) -> String {
    let Some(line) = case.line(key) else { return key.to_owned() };
    let category = Category::find(model, &line.category).map(|category| speaker.lang.pick(category.name()));
    match (line.name.trim(), category) {
        ("", Some(name)) => name.to_owned(),
        ("", None) => key.to_owned(),
        (name, _) => name.to_owned(),
    }
}

fn lines_part(
    speaker: &Speaker,
    case: &Case,
    model: &Model,
    result: Option<&CaseResult>,
    editor: Option<String>,
) -> Part {
    let lang = speaker.lang;
    let rows = case.lines.iter().enumerate().map(|(at, line)| {
        let category = Category::find(model, &line.category);
        let benefit = category.is_some_and(Category::is_benefit);
        let worth = result.and_then(|result| result.lines.get(at));
        let grade = match (&line.grade, line.counted_grade()) {
            _ if !benefit => MISSING.to_owned(),
            (Some(typed), counted) if typed.as_str() != counted => format!("{counted} ({typed})"),
            (_, counted) => counted.to_owned(),
        };
        let counted = line.share.map(|share| share * line.converted.unwrap_or(1.0));
        let amount = |amount: Option<f64>| figure(some(amount, |amount| money(lang, amount)));
        let code = category.map(Category::code).unwrap_or_default();
        let cells = vec![
            words(format!("{code} {}", category.map(|it| lang.pick(it.name())).unwrap_or_default())),
            figure(some(line.risk, |risk| share(lang, risk))),
            words(grade),
            figure(some(counted, |counted| share(lang, counted))),
            words(line.fact.clone().unwrap_or_else(|| MISSING.to_owned())),
            amount(Some(line.likely.iter().sum())),
            amount(worth.map(|worth| worth.entered)),
            amount(worth.map(|worth| worth.adjusted)),
        ];
        let href = editor.as_ref().map(|here| format!("{here}?line={}#edit-line", percent(&line.line)));
        Row { href, ..Row::new(line_name(speaker, case, model, &line.line), cells) }
    });
    let heads = [
        "roi-line",
        "roi-category",
        "roi-risk",
        "roi-grade",
        "roi-counted",
        "roi-fact",
        "roi-sum",
        "roi-worth-entered",
        "roi-worth-adjusted",
    ];
    let mut part = speaker.part("lines", &heads, 6, rows.collect());
    for at in [2, 4] {
        if let Some(head) = part.heads.get_mut(at) {
            head.number = true;
        }
    }
    part
}

/// Scenarios, draws, tornado, break-even, and actual against plan.
fn result_parts(speaker: &Speaker, case: &Case, model: &Model, result: &CaseResult) -> Vec<Part> {
    let lang = speaker.lang;
    let name = |key: &str| line_name(speaker, case, model, key);
    let mut parts = Vec::new();
    let scenarios = result.scenarios.iter().zip(&case.scenarios).map(|(found, scenario)| {
        let rate = |answer: &Answer| figure(answered(lang, answer, |roi| share(lang, roi)));
        let cells = vec![
            figure(share(lang, scenario.probability)),
            figure(share(lang, scenario.benefits)),
            figure(share(lang, scenario.costs)),
            figure(money(lang, found.npv_entered)),
            rate(&found.roi_entered),
            figure(money(lang, found.npv_adjusted)),
            rate(&found.roi_adjusted),
        ];
        Row::new(scenario.name.as_str(), cells)
    });
    let heads = [
        "roi-scenario",
        "roi-probability",
        "roi-factor-benefits",
        "roi-factor-costs",
        "roi-npv-entered",
        "roi-roi-entered",
        "roi-npv-adjusted",
        "roi-roi-adjusted",
    ];
    parts.push(speaker.part("scenarios", &heads, 1, scenarios.collect()));
    match (&result.simulation, &result.simulation_reason) {
        (Some(found), _) => {
            parts.push(draws_part(speaker, result, found));
            let bars = found.tornado.iter().map(|bar| {
                let amounts = [bar.at_p10, bar.at_p90, (bar.at_p90 - bar.at_p10).abs()];
                Row::new(name(&bar.line), amounts.map(|amount| figure(money(lang, amount))).into())
            });
            let heads = ["roi-line", "roi-at-p10", "roi-at-p90", "roi-width"];
            parts.push(speaker.part("tornado", &heads, 1, bars.collect()));
        }
        (None, reason) => {
            let reason = reason.as_deref().unwrap_or("no_data");
            let why = words(speaker.word(&format!("reason-{reason}")));
            let rows = vec![Row::new(speaker.word("roi-no-draws"), vec![why])];
            parts.push(speaker.part("draws", &["roi-figure", "roi-why"], 2, rows));
        }
    }
    let drivers = result.break_even.iter().map(|one| {
        let side = if one.benefit { "roi-all-benefits" } else { "roi-all-costs" };
        let driver = one.line.as_deref().map_or_else(|| speaker.word(side), name);
        let times = answered(lang, &one.factor, |factor| number(lang, factor, Quantity::Number, 3));
        Row::new(driver, vec![figure(times)])
    });
    parts.push(speaker.part("break-even", &["roi-driver", "roi-factor"], 1, drivers.collect()));
    let mut tracked: Vec<Row> = result
        .tracking
        .iter()
        .map(|one| {
            let cells = vec![
                figure(one.known.to_string()),
                figure(money(lang, one.planned)),
                figure(money(lang, one.actual)),
                figure(signed(lang, one.effect)),
            ];
            Row::new(name(&one.line), cells)
        })
        .collect();
    if let Some(effect) = result.effect {
        let nothing = || figure(String::new());
        let cells = vec![nothing(), nothing(), nothing(), figure(signed(lang, effect))];
        tracked.push(Row::new(speaker.word("roi-total"), cells));
    }
    let heads = ["roi-line", "roi-known", "roi-planned", "roi-actual", "roi-effect"];
    parts.push(speaker.part("tracking", &heads, 1, tracked));
    parts
}

fn draws_part(speaker: &Speaker, result: &CaseResult, found: &Simulated) -> Part {
    let lang = speaker.lang;
    let row = |key: &str, spread: &Spread, print: &dyn Fn(f64) -> String| {
        let cell = |one: Estimate| figure(format!("{} ± {}", print(one.value), print(one.error)));
        Row::new(speaker.word(key), [spread.mean, spread.p10, spread.p50, spread.p90].map(cell).into())
    };
    let mut rows = vec![row("roi-npv-adjusted", &found.npv, &|amount| money(lang, amount))];
    rows.extend(found.roi.iter().map(|roi| row("roi-roi-adjusted", roi, &|roi| share(lang, roi))));
    let mut part = speaker.part("draws", &["roi-figure", "roi-mean", "roi-p10", "roi-p50", "roi-p90"], 1, rows);
    let chance = |one: Estimate| format!("{} ± {}", share(lang, one.value), share(lang, one.error));
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    part.hint = message(
        lang,
        "roi-draws-say",
        &[
            ("draws", Value::Count(count(result.draws))),
            ("positive", Value::Text(&chance(found.npv_positive))),
            ("reached", Value::Text(&chance(found.roi_reached))),
            ("shortfall", Value::Text(&money(lang, found.shortfall.value))),
            ("without", Value::Count(count(found.without_irr))),
        ],
    );
    part
}

fn claims_part(speaker: &Speaker, case: &Case, model: &Model) -> Part {
    let lang = speaker.lang;
    let mut rows = Vec::new();
    for line in &case.lines {
        let Some(fact) = &line.fact else { continue };
        let claimed: Vec<usize> =
            line.likely.iter().enumerate().filter(|(_, amount)| **amount != 0.0).map(|(no, _)| no).collect();
        let (Some(first), Some(last)) = (claimed.first(), claimed.last()) else { continue };
        let counted = line.share.unwrap_or(1.0) * line.converted.unwrap_or(1.0);
        let grade = model.grades.iter().find(|grade| *grade.key == *line.counted_grade());
        let evidence = grade.map_or("", |grade| lang.pick(&grade.name));
        let cells = vec![
            words(line_name(speaker, case, model, &line.line)),
            words(format!("{} – {}", case.period_label(*first), case.period_label(*last))),
            words(format!("{} {evidence}", line.counted_grade())),
            figure(money(lang, line.likely.iter().sum::<f64>() * counted)),
        ];
        rows.push(Row::new(fact.as_str(), cells));
    }
    let heads = ["roi-fact", "roi-line", "roi-claimed-periods", "roi-evidence", "roi-claimed"];
    speaker.part("claims", &heads, 4, rows)
}

// ---- a case that is shipped to read

fn shipped(reader: &Reader, model: &Model, case: &Shipped) -> Result<Page, Failure> {
    let lang = reader.lang;
    let speaker = Speaker { lang };
    let word = |key: &str| speaker.word(key);
    let found = readings(case, model).map_err(|failure| Error::internal("a shipped case has no figures", failure))?;
    let tag = |basis: &str| Some(word(&format!("roi-basis-{basis}")));
    let stated = |fact: &Fact| Row {
        tag: tag(fact.basis.as_str()),
        ..Row::new(lang.pick(&fact.name), vec![figure(measured(&speaker, fact))])
    };
    let mut parts =
        vec![speaker.part("facts", &["roi-figure", "roi-value"], 1, case.facts.iter().map(stated).collect())];
    let readings = case.readings.iter().map(|reading| {
        let results: Vec<String> = reading
            .results
            .iter()
            .map(|fact| format!("{} {}", lang.pick(&fact.name), measured(&speaker, fact)))
            .collect();
        let cells = vec![
            words(lang.pick(&reading.assumes)),
            words(reading.arithmetic.as_str()),
            words(results.join(&word("portal-separator"))),
        ];
        Row { tag: tag("illustrative"), ..Row::new(lang.pick(&reading.name), cells) }
    });
    let heads = ["roi-reading", "roi-assumes", "roi-arithmetic", "roi-follows"];
    parts.push(speaker.part("readings", &heads, 4, readings.collect()));
    parts.push(readings_part(&speaker, case, &found));
    let lines = case.lines.iter().map(|line| {
        let reading = line.reading.as_ref().and_then(|own| case.readings.iter().find(|one| *one.key == **own));
        let amounts = line.likely.iter().map(|amount| money(lang, *amount)).collect::<Vec<_>>();
        let cells = vec![
            words(reading.map_or_else(|| word("roi-each-reading"), |reading| lang.pick(&reading.name).to_owned())),
            figure(if line.benefit { share(lang, line.share) } else { MISSING.to_owned() }),
            figure(amounts.join(" · ")),
        ];
        Row { tag: tag(line.basis.as_str()), ..Row::new(lang.pick(&line.name), cells) }
    });
    let heads = ["roi-line", "roi-reading", "roi-counted", "roi-amounts"];
    parts.push(speaker.part("shipped-lines", &heads, 2, lines.collect()));
    parts.retain(|part| !part.rows.is_empty());
    let terms = &case.terms;
    Ok(Page {
        frame: reader.frame("evaluation"),
        tabs: tabs(reader, HERE),
        notice: notice(reader),
        trouble: None,
        title: lang.pick(&case.name).to_owned(),
        here: address(&case.key),
        facts: vec![
            (word("evaluation-organisation"), lang.pick(&case.organisation).to_owned()),
            (word("evaluation-status"), word("roi-read-only")),
            (word("roi-currency"), word(if case.currency == "index" { "roi-index" } else { "roi-money" })),
            (word("roi-rate"), share(lang, terms.rate)),
            (word("roi-method"), METHOD.to_owned()),
        ],
        note: lang.pick(&case.note).to_owned(),
        state: None,
        tiles: Vec::new(),
        parts,
        reports: Vec::new(),
        history: Vec::new(),
        desk: None,
    })
}

/// Every figure of a shipped case under each of its readings, with the attribution on which it hangs.
fn readings_part(speaker: &Speaker, case: &Shipped, found: &[ReadingFigures]) -> Part {
    let lang = speaker.lang;
    let mut rows: Vec<Row> = Vec::new();
    let amount = |of: fn(&ReadingFigures) -> f64| found.iter().map(|one| figure(money(lang, of(one)))).collect();
    rows.push(Row::new(speaker.word("roi-gain"), amount(|one| one.gain)));
    rows.push(Row::new(speaker.word("roi-cost"), amount(|one| one.cost)));
    let attribution = found.iter().map(|one| figure(answered(lang, &one.attribution, |part| share(lang, part))));
    rows.push(Row::new(speaker.word("roi-attribution"), attribution.collect()));
    let row = |(key, print): Printed<'_>| {
        Row::new(speaker.word(key), found.iter().map(|one| figure(print(&one.figures))).collect())
    };
    rows.extend(printed(speaker).into_iter().map(row));
    rows.iter_mut().for_each(|row| row.tag = Some(speaker.word("roi-basis-illustrative")));
    let mut part = speaker.part("reading-figures", &["roi-figure"], 1, rows);
    part.heads.extend(found.iter().map(|one| {
        let reading = case.readings.iter().find(|reading| Some(reading.key.as_str()) == one.reading.as_deref());
        figure(reading.map_or_else(|| speaker.word("roi-entered"), |reading| lang.pick(&reading.name).to_owned()))
    }));
    part
}

/// A stated figure with its unit and its bound.
fn measured(speaker: &Speaker, fact: &Fact) -> String {
    let lang = speaker.lang;
    let value = match fact.unit.as_str() {
        "percent" => share(lang, fact.value),
        "basis_points" => format!("{} BP", number(lang, fact.value, Quantity::Number, 0)),
        "months" => {
            let months = number(lang, fact.value, Quantity::Number, 0);
            message(lang, "roi-months", &[("months", Value::Text(&months))])
        }
        "index" => number(lang, fact.value, Quantity::Number, 2),
        unit => format!("{} {unit}", number(lang, fact.value, Quantity::Number, 0)),
    };
    match fact.bound.as_deref() {
        Some(bound) => message(lang, &format!("roi-bound-{bound}"), &[("value", Value::Text(&value))]),
        None => value,
    }
}
