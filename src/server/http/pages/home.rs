//! `/`: what the figures stand for today, what this person may open, and how their tools connect.

use std::net::SocketAddr;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::header::HOST;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;

use super::admin::Fields;
use super::{Frame, Portal, alerts, render};
use crate::auth::Scope;
use crate::error::{Code, Result};
use crate::locale::{Lang, Value, format_date, message};
use crate::model::cube::{Cube, Measure};
use crate::query::{Branch, HeadInfo};
use crate::server::http::App;
use crate::server::http::api::cubes::{additivity, calls, time_rule, visible};
use crate::server::http::error::Failure;
use crate::server::http::language::Choice;
use crate::server::http::session::Caller;

#[derive(Template)]
#[template(path = "server/http/pages/home.html")]
struct Page {
    frame: Frame,
    name: String,
    head: Option<Head>,
    /// What is raised or has no data.
    alerts: Vec<alerts::Row>,
    portal: Portal,
    /// Empty for those who may not write SQL.
    cubes: Vec<CubeView>,
    connect: Option<Connect>,
}

/// The head snapshot.
#[derive(Debug)]
struct Head {
    /// One sentence: as of when, and how complete.
    sentence: String,
    closed: usize,
    of: usize,
    /// Names of the branches that have not closed, of those that this person may see.
    open: Vec<String>,
    snapshot: i64,
    published: String,
    /// Key of what the comparison of head office with its branches gave; told to head office only.
    tie_out: Option<&'static str>,
}

#[derive(Debug)]
struct CubeView {
    name: String,
    label: String,
    description: String,
    measures: Vec<MeasureView>,
}

#[derive(Debug)]
struct MeasureView {
    label: String,
    description: String,
    call: String,
    class: String,
    unit: String,
}

/// How tools connect.
#[derive(Debug)]
struct Connect {
    flight: String,
    jdbc: String,
    http: String,
    user: String,
    schema: String,
    sql: String,
}

/// `GET /`.
pub(in crate::server::http) async fn page(
    State(app): State<App>,
    caller: Caller,
    Extension(choice): Extension<Choice>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let lang = choice.lang;
    let door = &app.services.door;
    let head = match door.head().await {
        Ok(head) => {
            let whole_bank = caller.principal.scope == Scope::HeadOffice;
            Some(describe(&head, &door.branches_of(&caller.principal).await?, whole_bank, lang))
        }
        Err(error) if error.code() == Code::NoSnapshot => None,
        Err(error) => return Err(error.into()),
    };
    let mut cubes = Vec::new();
    let mut connect = None;
    if door.may_query(&caller.principal) && head.is_some() {
        let model = door.model();
        let seen = visible(&app, &caller).await?;
        let seen: Vec<(&Cube, _)> =
            seen.iter().filter_map(|(name, tables)| Some((model.cube(name)?, tables.first()?))).collect();
        cubes = seen
            .iter()
            .map(|(cube, table)| {
                let measures = cube.measures.iter().filter(|measure| table.arrow.index_of(&measure.name).is_ok());
                CubeView {
                    name: cube.name.value.clone(),
                    label: label(lang, &cube.label, &cube.name),
                    description: lang.pick(&cube.description).to_owned(),
                    measures: measures.map(|measure| describe_measure(measure, lang)).collect(),
                }
            })
            .collect();
        connect = Some(how_to_connect(&app, &caller, &headers, cubes.first()));
    }
    let asked = Fields::read(uri.query().unwrap_or_default().as_bytes());
    let portal = Portal::of(&app, &caller, lang, &uri, asked.given("q")).await?;
    render(&Page {
        frame: Frame::new(&app, lang, &caller, &uri, "home"),
        name: caller.principal.name.clone(),
        head,
        alerts: alerts::open(&app, &caller.principal, lang).await?,
        portal,
        cubes,
        connect,
    })
}

fn describe(head: &HeadInfo, branches: &[Branch], whole_bank: bool, lang: Lang) -> Head {
    let (closed, of) = (head.completeness.closed, head.completeness.of);
    let count = |n: usize| Value::Count(i64::try_from(n).unwrap_or(i64::MAX));
    let date = format_date(lang, head.as_of);
    let key = if closed == of { "portal-state-complete" } else { "portal-state-open" };
    let sentence = message(lang, key, &[("date", Value::Text(&date)), ("closed", count(closed)), ("of", count(of))]);
    let tie_out = (whole_bank && !head.tie_out.is_empty()).then(|| match head.tie_out.iter().all(|one| one.equal) {
        true => "portal-tie-out-agrees",
        false => "portal-tie-out-differs",
    });
    Head {
        sentence,
        closed,
        of,
        open: branches
            .iter()
            .filter(|branch| head.completeness.open.contains(&branch.key))
            .map(|branch| branch.name.clone())
            .collect(),
        snapshot: head.snapshot_id,
        published: format!("{} UTC", head.created_at.strftime("%Y-%m-%d %H:%M")),
        tie_out,
    }
}

fn describe_measure(measure: &Measure, lang: Lang) -> MeasureView {
    let class = message(lang, &format!("portal-{}", additivity(measure.additivity()).replace('_', "-")), &[]);
    let rule = message(lang, &format!("portal-time-{}", time_rule(&measure.time).replace('_', "-")), &[]);
    MeasureView {
        label: label(lang, &measure.label, &measure.name),
        description: lang.pick(&measure.description).to_owned(),
        call: calls(measure).swap_remove(0),
        class: [class, rule].join(&message(lang, "portal-separator", &[])),
        unit: measure.unit.as_deref().map(|unit| unit_words(lang, unit)).unwrap_or_default(),
    }
}

/// A unit in the reader's language; one that we have no word for stands as the project wrote it.
fn unit_words(lang: Lang, unit: &str) -> String {
    let key = format!("portal-unit-{}", unit.to_ascii_lowercase());
    let words = message(lang, &key, &[]);
    if words == key { unit.to_owned() } else { words }
}

fn label(lang: Lang, label: &crate::model::Label, name: &str) -> String {
    let text = lang.pick(label);
    if text.is_empty() { name.to_owned() } else { text.to_owned() }
}

fn how_to_connect(app: &App, caller: &Caller, headers: &HeaderMap, cube: Option<&CubeView>) -> Connect {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let flight = reachable(app.flight, host);
    let call = cube.and_then(|cube| cube.measures.first()).map_or("COUNT(*)", |measure| measure.call.as_str());
    let from = cube.map_or("cube", |cube| cube.name.as_str());
    let config = &app.services.config;
    let (scheme, web) = (config.flight.scheme("grpc", "grpc+tls"), config.http.scheme("http", "https"));
    Connect {
        jdbc: format!("jdbc:arrow-flight-sql://{flight}/?useEncryption={}", config.flight.is_encrypted()),
        flight: format!("{scheme}://{flight}"),
        http: format!("{web}://{host}/api/sql"),
        user: caller.principal.name.clone(),
        schema: app.services.door.default_schema(&caller.principal),
        sql: format!("SELECT {call} FROM {from}"),
    }
}

/// A listener on every address says none that a client could use: then it is the host that the browser reached.
fn reachable(address: SocketAddr, host: &str) -> String {
    if !address.ip().is_unspecified() {
        return address.to_string();
    }
    let name = host.rsplit_once(':').filter(|(name, _)| !name.ends_with(':')).map_or(host, |(name, _)| name);
    format!("{name}:{}", address.port())
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn an_address_that_clients_can_reach() {
        assert_eq!(reachable("127.0.0.1:50051".parse().unwrap(), "bank:80"), "127.0.0.1:50051");
        assert_eq!(reachable("0.0.0.0:50051".parse().unwrap(), "bank.example:8080"), "bank.example:50051");
        assert_eq!(reachable("0.0.0.0:50051".parse().unwrap(), "bank.example"), "bank.example:50051");
        assert_eq!(reachable("[::]:1".parse().unwrap(), "[::1]:8080"), "[::1]:1");
    }
}
