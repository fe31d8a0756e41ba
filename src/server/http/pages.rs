//! Pages for people. Each says what it shows in a struct, its template beside it says how; words stand in `portal.ftl`.

pub(super) mod admin;
pub(super) mod alerts;
pub(super) mod deliveries;
pub(super) mod editions;
pub(super) mod evaluation;
pub(super) mod home;
pub(super) mod login;
pub(super) mod oidc;
pub(super) mod reports;
pub(super) mod schedules;

use askama::Template;
use axum::http::Uri;
use axum::response::{Html, IntoResponse, Response};

use super::App;
use super::error::Failure;
use super::files;
use super::session::Caller;
use crate::auth::{Principal, Scope};
use crate::error::{Error, Result};
use crate::locale::{Lang, Value, message};
use crate::model::report::Report;
use crate::report::may_open;

/// What every page has around its own content, and the words.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) lang: Lang,
    /// The project's name.
    pub(super) project: String,
    /// Whoever is logged in.
    pub(super) user: Option<User>,
    /// Which entry of the navigation this page stands under.
    pub(super) section: &'static str,
    /// The same page in the other languages.
    pub(super) translations: Vec<Translation>,
}

/// A page in another language.
#[derive(Debug)]
pub(super) struct Translation {
    pub(super) lang: Lang,
    /// The language's own name for itself.
    pub(super) name: String,
    pub(super) href: String,
}

#[derive(Debug)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) scope: String,
    /// Where the administration begins, for whom there is one.
    pub(super) administration: Option<&'static str>,
    /// The evaluation exists for it.
    pub(super) evaluation: bool,
    /// Token of the logout form; none when a program asks with a bearer token.
    pub(super) token: Option<String>,
}

impl Frame {
    /// The frame of a page for somebody.
    pub(super) fn new(app: &App, lang: Lang, caller: &Caller, uri: &Uri, section: &'static str) -> Self {
        let user = User {
            name: caller.principal.name.clone(),
            scope: scope_words(&caller.principal.scope, lang),
            administration: admin::entrance(caller),
            evaluation: app.services.evaluation.is_open_to(&caller.principal),
            token: caller.session.as_deref().map(|session| app.form_token(session)),
        };
        Self { user: Some(user), section, ..Self::anonymous(app, lang).translated(app, uri) }
    }

    /// With links to this page in the other languages.
    fn translated(self, app: &App, uri: &Uri) -> Self {
        let others = app.languages.iter().filter(|other| **other != self.lang);
        let translations = others
            .map(|other| Translation {
                lang: *other,
                name: message(*other, "language-name", &[]),
                href: in_language(uri, *other),
            })
            .collect();
        Self { translations, ..self }
    }

    /// The frame of a page for nobody in particular.
    pub(super) fn anonymous(app: &App, lang: Lang) -> Self {
        let name = lang.pick(&app.services.config.name);
        let project = if name.is_empty() { "Countinghouse" } else { name };
        Self { lang, project: project.to_owned(), user: None, section: "", translations: Vec::new() }
    }

    pub(super) fn word(&self, key: &str) -> String {
        message(self.lang, key, &[])
    }

    /// A message with one text.
    fn with(&self, key: &str, name: &str, value: &str) -> String {
        message(self.lang, key, &[(name, Value::Text(value))])
    }

    /// A message with one count.
    fn count(&self, key: &str, name: &str, count: &usize) -> String {
        message(self.lang, key, &[(name, Value::Count(i64::try_from(*count).unwrap_or(i64::MAX)))])
    }

    pub(super) fn asset(&self, name: &str) -> String {
        files::href(name)
    }

    pub(super) fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

/// The same address in another language.
fn in_language(uri: &Uri, lang: Lang) -> String {
    let kept =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).filter(|(name, _)| name != "lang");
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept)
        .append_pair("lang", lang.tag())
        .finish();
    format!("{}?{query}", uri.path())
}

fn scope_words(scope: &Scope, lang: Lang) -> String {
    match scope {
        Scope::HeadOffice => message(lang, "portal-head-office", &[]),
        scope => scope.to_string().replace(',', ", "),
    }
}

fn render(page: &impl Template) -> Result<Response, Failure> {
    let body = page.render().map_err(|e| Error::internal("A page cannot be written.", e))?;
    Ok(Html(body).into_response())
}

/// The reports this principal may open, in the project's order.
fn openable<'a>(app: &'a App, principal: &Principal) -> impl Iterator<Item = &'a Report> {
    app.services.reports.iter().filter(|report| may_open(&app.services.door, report, principal))
}

/// The reports that somebody may open, and what it takes to find one.
#[derive(Debug)]
struct Portal {
    /// Where its form goes: the page that it stands on.
    here: String,
    /// What was looked for; empty: all are shown.
    asked: String,
    /// Favourites first, else in the project's order.
    cards: Vec<Card>,
    /// Token of the forms; none when a program asks with a bearer token.
    token: Option<String>,
    /// The page as it was asked for, to come back to.
    back: String,
}

/// A report on a card.
#[derive(Debug)]
struct Card {
    href: String,
    title: String,
    description: String,
    favourite: bool,
}

impl Portal {
    async fn of(app: &App, caller: &Caller, lang: Lang, uri: &Uri, asked: Option<&str>) -> Result<Self> {
        let favourites = app.services.catalog.favourites(&caller.principal.name).await?;
        let asked = asked.unwrap_or_default();
        let found = openable(app, &caller.principal).filter(|report| matches(report, asked));
        let mut cards: Vec<Card> = found
            .map(|report| Card {
                href: format!("/reports/{}", *report.name),
                title: lang.pick(&report.title).to_owned(),
                description: lang.pick(&report.description).to_owned(),
                favourite: favourites.contains(report.name.as_str()),
            })
            .collect();
        cards.sort_by_key(|card| !card.favourite);
        Ok(Self {
            here: uri.path().to_owned(),
            asked: asked.to_owned(),
            cards,
            token: caller.session.as_deref().map(|session| app.form_token(session)),
            back: uri.path_and_query().map_or("/", |here| here.as_str()).to_owned(),
        })
    }
}

/// Whether every word that is looked for stands in a report's name, title or description, in whichever language.
fn matches(report: &Report, asked: &str) -> bool {
    let words = report.title.values().chain(report.description.values());
    let words: Vec<String> =
        std::iter::once(report.name.as_str()).chain(words.map(String::as_str)).map(str::to_lowercase).collect();
    asked.to_lowercase().split_whitespace().all(|word| words.iter().any(|text| text.contains(word)))
}
