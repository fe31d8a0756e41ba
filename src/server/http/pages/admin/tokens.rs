//! `/admin/tokens`: access tokens of all logins, and how one is made.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;
use ipnet::IpNet;

use super::users::href;
use super::{Desk, Fault, Fields, Frame, Refused, Sent, Sheet, Tick, done, minute, show};
use crate::auth::{Entry, TokenScope};
use crate::catalog::TokenRow;
use crate::error::{Code, Error, Result};
use crate::server::http::error::Failure;

/// The tab of this page.
const TOKENS: &str = "/admin/tokens";
/// Key of the state of a token that opens something.
const ACTIVE: &str = "portal-admin-token-active";
/// Days a token lasts unless somebody says otherwise.
const DAYS: &str = "30";
/// The faces, and the keys of their words.
const FACES: &[(&str, Entry, &str)] =
    &[("http", Entry::Http, "portal-admin-face-http"), ("flight", Entry::Flight, "portal-admin-face-flight")];

#[derive(Template)]
#[template(path = "server/http/pages/admin/tokens.html")]
struct Page {
    frame: Frame,
    sheet: Sheet,
    tokens: Vec<TokenView>,
    /// Logins that a token can be made for.
    users: Vec<String>,
    form: Form,
    made: Option<Made>,
}

/// A token that was just made: the only time that it is shown.
struct Made {
    user: String,
    token: String,
}

/// A token in a table.
pub(super) struct TokenView {
    pub(super) id: String,
    pub(super) user: String,
    pub(super) href: String,
    pub(super) label: String,
    pub(super) scope: String,
    pub(super) created: String,
    pub(super) expires: String,
    pub(super) used: String,
    /// Key of what it is worth.
    pub(super) state: &'static str,
    /// It can be revoked.
    pub(super) revocable: bool,
}

impl TokenView {
    pub(super) fn is_active(&self) -> bool {
        self.state == ACTIVE
    }
}

/// The form for a new one.
struct Form {
    user: String,
    label: String,
    days: String,
    cubes: Vec<Tick>,
    reports: Vec<Tick>,
    faces: Vec<Tick>,
    networks: String,
}

impl Form {
    /// The part that narrows a token is open where something stands in it.
    fn is_narrowed(&self) -> bool {
        let boxes = [&self.cubes, &self.reports, &self.faces];
        !self.networks.is_empty() || boxes.into_iter().flatten().any(|tick| tick.on)
    }

    fn new(desk: &Desk, fields: &Fields) -> Self {
        let services = &desk.app.services;
        let ticks = |name: &str, all: Vec<(&str, String)>| -> Vec<Tick> {
            let on = fields.all(name);
            let boxes = all.into_iter().map(|(value, label)| Tick {
                on: on.contains(value),
                hint: String::new(),
                value: value.to_owned(),
                label,
            });
            boxes.collect()
        };
        let cubes = services.door.model().cubes.iter();
        let cubes = cubes.map(|cube| (cube.name.as_str(), desk.label(&cube.label, &cube.name).to_owned()));
        let reports = services.reports.iter();
        let reports = reports.map(|report| (report.name.as_str(), desk.label(&report.title, &report.name).to_owned()));
        Self {
            user: fields.get("user").trim().to_owned(),
            label: fields.get("label").trim().to_owned(),
            days: fields.given("days").unwrap_or(DAYS).to_owned(),
            cubes: ticks("cube", cubes.collect()),
            reports: ticks("report", reports.collect()),
            faces: ticks("face", FACES.iter().map(|(value, _, key)| (*value, desk.word(key))).collect()),
            networks: fields.get("networks").trim().to_owned(),
        }
    }

    fn scope(&self, desk: &Desk) -> Result<TokenScope, Refused> {
        let some = |boxes: &[Tick]| -> Option<BTreeSet<String>> {
            let on: BTreeSet<String> = boxes.iter().filter(|tick| tick.on).map(|tick| tick.value.clone()).collect();
            Some(on).filter(|on| !on.is_empty())
        };
        let faces: BTreeSet<Entry> =
            (FACES.iter().zip(&self.faces)).filter(|(_, tick)| tick.on).map(|((_, face, _), _)| *face).collect();
        let networks = self.networks.split([',', ';']).flat_map(str::split_whitespace).map(|text| {
            let wrong = |_| Refused::Told(Code::BadRequest, desk.with("portal-admin-fault-network", "text", text));
            text.parse::<IpNet>().map_err(wrong)
        });
        let scope = TokenScope {
            cubes: some(&self.cubes),
            reports: some(&self.reports),
            faces: Some(faces).filter(|faces| !faces.is_empty()),
            networks: networks.collect::<Result<_, Refused>>()?,
        };
        desk.app.services.check_token_scope(&scope)?;
        Ok(scope)
    }

    async fn make(&self, desk: &Desk) -> Result<String, Refused> {
        if self.label.is_empty() {
            return Err(desk.wrong("portal-admin-fault-label"));
        }
        let days = self.days.parse::<i64>().map_err(|_| desk.wrong("portal-admin-fault-days"))?;
        let scope = self.scope(desk)?;
        let made = desk.auth().create_token(&self.user, &self.label, days, &scope).await;
        made.map_err(|error| match error.code() {
            Code::NoSuchObject => {
                Refused::Told(Code::BadRequest, desk.with("portal-admin-fault-user", "name", &self.user))
            }
            _ => error.into(),
        })
    }
}

/// `GET /admin/tokens`. `?user=` names a login for the form.
pub(in crate::server::http) async fn list(desk: Desk) -> Result<Response, Failure> {
    let asked = Fields::read(desk.uri.query().unwrap_or_default().as_bytes());
    let form = Form::new(&desk, &asked);
    show_page(&desk, form, None, None).await
}

/// `POST /admin/tokens`: one more, or one less. A new one stands on the answer to this request and nowhere else.
pub(in crate::server::http) async fn change(Sent { desk, fields }: Sent) -> Result<Response, Failure> {
    if fields.get("change") == "revoke" {
        desk.auth().revoke_token(fields.get("id")).await?;
        return Ok(done(TOKENS, "revoked"));
    }
    let form = Form::new(&desk, &fields);
    match form.make(&desk).await {
        Ok(token) => {
            let made = Made { user: form.user, token };
            let empty = Form::new(&desk, &Fields::read(b""));
            let mut response = show_page(&desk, empty, Some(made), None).await?;
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            Ok(response)
        }
        Err(refused) => show_page(&desk, form, None, Some(Fault::of(refused)?)).await,
    }
}

async fn show_page(desk: &Desk, form: Form, made: Option<Made>, fault: Option<Fault>) -> Result<Response, Failure> {
    let auth = &desk.app.services.auth;
    let mut rows = auth.tokens(None).await?;
    rows.reverse(); // the newest is the one that is looked for
    let users = auth.users().await?;
    let page = Page {
        frame: desk.frame(),
        sheet: desk.sheet(TOKENS, fault),
        tokens: token_views(desk, rows).await?,
        users: users.into_iter().filter(|user| !user.disabled).map(|user| user.name).collect(),
        form,
        made,
    };
    show(page.sheet.status(), &page)
}

/// Tokens as a table shows them.
pub(super) async fn token_views(desk: &Desk, rows: Vec<TokenRow>) -> Result<Vec<TokenView>> {
    let services = &desk.app.services;
    let now = services.clock.now();
    let users = services.auth.users().await?;
    let disabled: BTreeMap<&str, bool> = users.iter().map(|user| (user.name.as_str(), user.disabled)).collect();
    let view = |row: TokenRow| -> Result<TokenView> {
        let state = match disabled.get(row.user.as_str()) {
            _ if row.revoked => "portal-admin-token-revoked",
            _ if row.expires_at <= now => "portal-admin-token-expired",
            Some(true) => "portal-admin-token-disabled",
            _ => ACTIVE,
        };
        Ok(TokenView {
            href: href(&row.user),
            scope: scope_words(desk, &row.scope)?,
            created: minute(row.created_at),
            expires: minute(row.expires_at),
            used: row.last_used_at.map_or_else(|| desk.word("portal-admin-never"), minute),
            state,
            revocable: !row.revoked && row.expires_at > now,
            id: row.id,
            user: row.user,
            label: row.label,
        })
    };
    rows.into_iter().map(view).collect()
}

/// What a token leaves of its login's rights, in words.
fn scope_words(desk: &Desk, scope: &str) -> Result<String> {
    let scope: TokenScope =
        serde_json::from_str(scope).map_err(|e| Error::internal("A token's scope cannot be read.", e))?;
    let names = |key: &str, names: Option<BTreeSet<String>>| {
        names.map(|names| desk.with(key, "names", &desk.list(names.iter().map(String::as_str))))
    };
    let faces = scope.faces.map(|faces| {
        let known = FACES.iter().filter(|(_, face, _)| faces.contains(face));
        known.map(|(_, _, key)| desk.word(key)).collect()
    });
    let networks: BTreeSet<String> = scope.networks.iter().map(ToString::to_string).collect();
    let parts = [
        names("portal-admin-only-cubes", scope.cubes),
        names("portal-admin-only-reports", scope.reports),
        names("portal-admin-only-faces", faces),
        names("portal-admin-only-networks", Some(networks).filter(|networks| !networks.is_empty())),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Ok(match parts.is_empty() {
        true => desk.word("portal-admin-only-nothing"),
        false => parts.join(&desk.word("portal-admin-semicolon")),
    })
}
