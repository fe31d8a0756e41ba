//! `/admin`: statements that run, logins, tokens, roles and the audit log, for whoever manages or audits them.
//!
//! Every change is made by the layers below, under the name of whoever asked for it. Only a browser's session comes in here: a
//! token, which tools keep, must not be able to make logins. For whom a page is not there is nothing at its address.

pub(in crate::server::http) mod audit;
pub(in crate::server::http) mod roles;
pub(in crate::server::http) mod statements;
pub(in crate::server::http) mod tokens;
pub(in crate::server::http) mod users;

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{FromRequest, FromRequestParts, RawForm, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;

use super::{Frame, render};
use crate::auth::Auth;
use crate::error::{Code, Error, Result};
use crate::locale::{Lang, Value, message};
use crate::model::Label;
use crate::server::http::error::{Failure, status_of};
use crate::server::http::language::Choice;
use crate::server::http::session::Caller;
use crate::server::http::{App, nothing_here};

/// Who manages logins.
pub(in crate::server::http) const MANAGERS: &[&str] = &["administrator"];
/// Who reads the audit log.
pub(in crate::server::http) const AUDITORS: &[&str] = &["administrator", "auditor"];

/// The pages, in the order of their tabs: who opens it, its address, its title.
const PAGES: &[(&[&str], &str, &str)] = &[
    (MANAGERS, "/admin", "portal-admin-statements"),
    (MANAGERS, "/admin/users", "portal-admin-users"),
    (MANAGERS, "/admin/tokens", "portal-admin-tokens"),
    (MANAGERS, "/admin/roles", "portal-admin-roles"),
    (AUDITORS, "/admin/audit", "portal-admin-audit"),
];

/// What was done, by the word that stands in the address: no text of anybody's does.
const DONE: &[(&str, &str)] = &[
    ("stopped", "portal-admin-done-stopped"),
    ("user-added", "portal-admin-done-user-added"),
    ("rights", "portal-admin-done-rights"),
    ("password", "portal-admin-done-password"),
    ("disabled", "portal-admin-done-disabled"),
    ("enabled", "portal-admin-done-enabled"),
    ("revoked", "portal-admin-done-revoked"),
];

/// The pages that somebody may open.
fn open_to(caller: &Caller) -> impl Iterator<Item = (&'static str, &'static str)> {
    let here = PAGES.iter().filter(|(roles, ..)| caller.session.is_some() && holds_one(caller, roles));
    here.map(|(_, href, title)| (*href, *title))
}

fn holds_one(caller: &Caller, roles: &[&str]) -> bool {
    roles.iter().any(|role| caller.principal.has_role(role))
}

/// Where the administration begins for somebody; none for whom there is nothing of it.
pub(super) fn entrance(caller: &Caller) -> Option<&'static str> {
    open_to(caller).next().map(|(href, _)| href)
}

/// The layer of these routes, after the login: a browser's session, and one of the roles.
pub(in crate::server::http) async fn require(
    State(roles): State<&'static [&'static str]>,
    caller: Caller,
    request: Request,
    next: Next,
) -> Response {
    match session(&caller) {
        Err(error) => Failure::new(error).into_response(),
        Ok(_) if !holds_one(&caller, roles) => nothing_here().into_response(),
        Ok(_) => next.run(request).await,
    }
}

fn session(caller: &Caller) -> Result<&str> {
    let denied = || Error::new(Code::Denied, "Logins are managed in a browser's session; a token does not open this.");
    caller.session.as_deref().ok_or_else(denied)
}

/// Somebody at a page of the administration.
pub(in crate::server::http) struct Desk {
    pub(super) app: App,
    pub(super) caller: Caller,
    /// Token of this session's forms.
    pub(super) token: String,
    pub(super) lang: Lang,
    pub(super) uri: Uri,
}

impl FromRequestParts<App> for Desk {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let token = app.form_token(session(&caller)?);
        let lang = parts.extensions.get::<Choice>().map(|choice| choice.lang).unwrap_or_default();
        Ok(Self { app: app.clone(), caller, token, lang, uri: parts.uri.clone() })
    }
}

/// A form of this session, sent back.
pub(in crate::server::http) struct Sent {
    pub(super) desk: Desk,
    pub(super) fields: Fields,
}

impl FromRequest<App> for Sent {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let desk = Desk::from_request_parts(&mut parts, app).await?;
        let RawForm(bytes) =
            RawForm::from_request(Request::from_parts(parts, body), app).await.map_err(|rejection| {
                Failure::new(Error::new(Code::BadRequest, "The form cannot be read.")).status(rejection.status())
            })?;
        let fields = Fields::read(&bytes);
        app.check_form(fields.get("token"), session(&desk.caller)?)?;
        Ok(Self { desk, fields })
    }
}

impl Desk {
    /// Logins, changed in this person's name.
    fn auth(&self) -> Auth {
        self.app.services.auth.acting_as(&self.caller.principal)
    }

    fn word(&self, key: &str) -> String {
        message(self.lang, key, &[])
    }

    fn with(&self, key: &str, name: &str, value: &str) -> String {
        message(self.lang, key, &[(name, Value::Text(value))])
    }

    /// A fault that a form is told of in its reader's words.
    fn wrong(&self, key: &str) -> Refused {
        Refused::Told(Code::BadRequest, self.word(key))
    }

    /// Words one after the other.
    fn list<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> String {
        words.into_iter().collect::<Vec<_>>().join(&self.word("portal-list"))
    }

    /// A label in this language; a thing without one goes by its name.
    fn label<'a>(&self, label: &'a Label, name: &'a str) -> &'a str {
        Some(self.lang.pick(label)).filter(|text| !text.is_empty()).unwrap_or(name)
    }

    fn frame(&self) -> Frame {
        Frame::new(&self.app, self.lang, &self.caller, &self.uri, "admin")
    }

    /// What stands around a page's own content; `page` is the tab that it belongs to.
    fn sheet(&self, page: &'static str, fault: Option<Fault>) -> Sheet {
        let done = Fields::read(self.uri.query().unwrap_or_default().as_bytes());
        let done = DONE.iter().find(|(key, _)| fault.is_none() && *key == done.get("done"));
        let tabs = open_to(&self.caller);
        Sheet {
            token: self.token.clone(),
            here: self.uri.path().to_owned(),
            tabs: tabs.map(|(href, title)| Tab { href, title, current: href == page }).collect(),
            notice: done.map(|(_, key)| *key),
            fault,
        }
    }
}

/// What every page of the administration has.
struct Sheet {
    token: String,
    /// The page's own address, where its forms go.
    here: String,
    tabs: Vec<Tab>,
    /// Key of what was done.
    notice: Option<&'static str>,
    fault: Option<Fault>,
}

struct Tab {
    href: &'static str,
    title: &'static str,
    current: bool,
}

impl Sheet {
    fn status(&self) -> StatusCode {
        self.fault.as_ref().map_or(StatusCode::OK, |fault| fault.status)
    }
}

/// Why a form did nothing.
enum Refused {
    /// In the reader's words.
    Told(Code, String),
    /// In those of the layers below.
    Error(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// What stands above a form that did nothing.
struct Fault {
    status: StatusCode,
    text: String,
    /// The text is of the layers below, which speak English.
    is_english: bool,
}

impl Fault {
    /// What somebody can mend. Everything else is no answer to a form.
    fn of(refused: Refused) -> Result<Self, Failure> {
        match refused {
            Refused::Told(code, text) => Ok(Self { status: status_of(code), text, is_english: false }),
            Refused::Error(error) => match error.code() {
                code @ (Code::BadRequest | Code::Conflict | Code::Denied | Code::Audit) => {
                    Ok(Self { status: status_of(code), text: error.message().to_owned(), is_english: true })
                }
                _ => Err(error.into()),
            },
        }
    }
}

/// A page with what is told on it.
fn show(status: StatusCode, page: &impl Template) -> Result<Response, Failure> {
    let mut response = render(page)?;
    *response.status_mut() = status;
    Ok(response)
}

/// Back to a page, which says what was done; a reload of it does nothing again.
fn done(page: &str, what: &str) -> Response {
    Redirect::to(&format!("{page}?done={what}")).into_response()
}

/// Fields of a form or of an address. Several values repeat a name.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn read(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    /// The value of a field; empty when it was not sent.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The value without what stands around it; none when nothing is left.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        Some(self.get(name).trim()).filter(|value| !value.is_empty())
    }

    /// What was chosen of several.
    fn all(&self, name: &str) -> BTreeSet<String> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }
}

/// A text as a part of a path.
fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A time to the minute, UTC.
pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// A time to the second, UTC.
fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A box of a form.
struct Tick {
    value: String,
    label: String,
    hint: String,
    on: bool,
}

/// Characters of a long text that stand in a table.
const LINE: usize = 100;

/// A long text: its beginning on one line, and the whole.
struct Long {
    line: String,
    whole: String,
}

impl Long {
    fn new(text: &str) -> Self {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = match line.char_indices().nth(LINE) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        };
        Self { line, whole: text.to_owned() }
    }
}
