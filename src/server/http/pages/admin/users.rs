//! `/admin/users` and `/admin/users/{name}`: who logs in, and with which rights.

use std::collections::BTreeSet;

use askama::Template;
use axum::response::Response;

use super::tokens::{TokenView, token_views};
use super::{Desk, Fault, Fields, Frame, Refused, Sent, Sheet, Tick, done, escaped, minute, show};
use crate::auth::{Principal, Scope};
use crate::catalog::UserRow;
use crate::error::{Code, Error, Result};
use crate::model::role::BUILT_IN;
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;
use crate::server::http::pages::scope_words;

/// The tab of these pages.
const USERS: &str = "/admin/users";

#[derive(Template)]
#[template(path = "server/http/pages/admin/users.html")]
struct List {
    frame: Frame,
    sheet: Sheet,
    users: Vec<UserView>,
    name: String,
    rights: Rights,
}

#[derive(Template)]
#[template(path = "server/http/pages/admin/user.html")]
struct One {
    frame: Frame,
    sheet: Sheet,
    user: UserView,
    /// Whose page it is looks at it.
    is_own: bool,
    /// Rights and password stand here, not at the bank's provider.
    is_local: bool,
    rights: Rights,
    tokens: Vec<TokenView>,
    /// Where a token is made for it.
    new_token: String,
}

struct UserView {
    name: String,
    href: String,
    roles: String,
    scope: String,
    /// Key of how it logs in.
    kind: &'static str,
    disabled: bool,
    created: String,
}

/// Roles and scope in a form.
struct Rights {
    roles: Vec<Tick>,
    /// `bank`, `branches` or `written`; empty while nothing is chosen.
    reach: String,
    branches: Vec<Tick>,
    /// A scope as text.
    written: String,
}

/// Rights as they are chosen in a form.
#[derive(Default)]
struct Chosen {
    roles: BTreeSet<String>,
    reach: String,
    branches: BTreeSet<String>,
    written: String,
}

impl Chosen {
    fn sent(fields: &Fields) -> Self {
        Self {
            roles: fields.all("role"),
            reach: fields.get("reach").to_owned(),
            branches: fields.all("branch"),
            written: fields.get("scope").trim().to_owned(),
        }
    }

    fn stored(user: &UserRow, scope: &Scope) -> Self {
        let (reach, branches) = match scope {
            Scope::HeadOffice => ("bank", BTreeSet::new()),
            Scope::Branches(keys) => ("branches", keys.clone()),
            Scope::Within { .. } => ("written", BTreeSet::new()),
        };
        let written = if *scope == Scope::HeadOffice { String::new() } else { user.scope.clone() };
        Self { roles: user.roles.iter().cloned().collect(), reach: reach.to_owned(), branches, written }
    }

    fn read(&self, desk: &Desk) -> Result<(BTreeSet<String>, Scope), Refused> {
        if self.roles.is_empty() {
            return Err(desk.wrong("portal-admin-fault-roles"));
        }
        let scope = match self.reach.as_str() {
            "bank" => Scope::HeadOffice,
            "branches" if !self.branches.is_empty() => {
                self.branches.iter().map(String::as_str).collect::<Vec<_>>().join(",").parse()?
            }
            "written" if !self.written.is_empty() => self.written.parse()?,
            _ => return Err(desk.wrong("portal-admin-fault-scope")),
        };
        Ok((self.roles.clone(), scope))
    }

    /// The form in which this is chosen.
    async fn form(self, desk: &Desk) -> Result<Rights> {
        let services = &desk.app.services;
        let roles = services.auth.roles().map(|name| Tick {
            value: name.to_owned(),
            label: role_label(desk, name),
            hint: role_meaning(desk, name),
            on: self.roles.contains(name),
        });
        // Whoever gives rights knows every branch, whatever data they see themselves.
        let everybody = Principal::new(&desk.caller.principal.name, BTreeSet::new(), Scope::HeadOffice);
        let branches = match services.door.branches_of(&everybody).await {
            Ok(branches) => branches,
            Err(error) if error.code() == Code::NoSnapshot => Vec::new(),
            Err(error) => return Err(error),
        };
        let branches: Vec<Tick> = branches
            .into_iter()
            .map(|branch| Tick {
                on: self.branches.contains(&branch.key),
                hint: if branch.name == branch.key { String::new() } else { branch.key.clone() },
                label: branch.name,
                value: branch.key,
            })
            .collect();
        // What no box stands for is shown as it is written, or the next change would drop it.
        let known = self.branches.iter().all(|key| branches.iter().any(|branch| branch.value == *key));
        let reach = if self.reach == "branches" && !known { "written".to_owned() } else { self.reach };
        Ok(Rights { roles: roles.collect(), reach, branches, written: self.written })
    }
}

/// The name of a role as people read it.
pub(super) fn role_label(desk: &Desk, name: &str) -> String {
    let own = desk.app.services.config.roles.iter().find(|role| *role.name == name);
    match own {
        Some(role) => desk.label(&role.label, name).to_owned(),
        None if is_built_in(name) => desk.word(&format!("portal-role-{name}")),
        None => name.to_owned(), // was taken out of the settings
    }
}

fn is_built_in(name: &str) -> bool {
    BUILT_IN.iter().any(|(known, _)| *known == name)
}

/// What a built-in role is for. Those of the project say it in their label.
pub(super) fn role_meaning(desk: &Desk, name: &str) -> String {
    match is_built_in(name) {
        true => desk.word(&format!("portal-role-{name}-meaning")),
        false => String::new(),
    }
}

fn view(desk: &Desk, user: &UserRow) -> Result<(UserView, Scope)> {
    let scope: Scope = user.scope.parse()?;
    let roles: Vec<String> = user.roles.iter().map(|role| role_label(desk, role)).collect();
    let kind = match (&user.subject, &user.password_hash) {
        (Some(_), _) => "portal-admin-kind-provider",
        (None, Some(_)) => "portal-admin-kind-password",
        (None, None) => "portal-admin-kind-tokens",
    };
    let view = UserView {
        name: user.name.clone(),
        href: href(&user.name),
        roles: desk.list(roles.iter().map(String::as_str)),
        scope: scope_words(&scope, desk.lang),
        kind,
        disabled: user.disabled,
        created: minute(user.created_at),
    };
    Ok((view, scope))
}

pub(super) fn href(name: &str) -> String {
    format!("{USERS}/{}", escaped(name))
}

/// `GET /admin/users`.
pub(in crate::server::http) async fn list(desk: Desk) -> Result<Response, Failure> {
    show_list(&desk, String::new(), Chosen::default(), None).await
}

/// `POST /admin/users`: one more.
pub(in crate::server::http) async fn add(Sent { desk, fields }: Sent) -> Result<Response, Failure> {
    let (name, chosen) = (fields.get("name").trim().to_owned(), Chosen::sent(&fields));
    match create(&desk, &name, &fields, &chosen).await {
        Ok(()) => Ok(done(USERS, "user-added")),
        Err(refused) => show_list(&desk, name, chosen, Some(Fault::of(refused)?)).await,
    }
}

async fn create(desk: &Desk, name: &str, fields: &Fields, chosen: &Chosen) -> Result<(), Refused> {
    let password = password(desk, fields)?;
    let (roles, scope) = chosen.read(desk)?;
    desk.auth().create_user(name, password, roles, scope).await.map_err(|error| match error.code() {
        Code::Conflict => Refused::Told(Code::Conflict, desk.with("portal-admin-fault-taken", "name", name)),
        _ => error.into(),
    })
}

/// The password that was typed twice; none when it was left out.
fn password(desk: &Desk, fields: &Fields) -> Result<Option<String>, Refused> {
    let (password, again) = (fields.get("password"), fields.get("again"));
    match password == again {
        true => Ok(Some(password.to_owned()).filter(|password| !password.is_empty())),
        false => Err(desk.wrong("portal-admin-fault-passwords")),
    }
}

async fn show_list(desk: &Desk, name: String, chosen: Chosen, fault: Option<Fault>) -> Result<Response, Failure> {
    let rows = desk.app.services.auth.users().await?;
    let users = rows.iter().map(|row| Ok(view(desk, row)?.0)).collect::<Result<_>>()?;
    let rights = chosen.form(desk).await?;
    let page = List { frame: desk.frame(), sheet: desk.sheet(USERS, fault), users, name, rights };
    show(page.sheet.status(), &page)
}

/// `GET /admin/users/{name}`.
pub(in crate::server::http) async fn one(Path(name): Path<String>, desk: Desk) -> Result<Response, Failure> {
    show_one(&desk, &name, None, None).await
}

/// `POST /admin/users/{name}`: what is changed stands in the button.
pub(in crate::server::http) async fn change(
    Path(name): Path<String>,
    Sent { desk, fields }: Sent,
) -> Result<Response, Failure> {
    match apply(&desk, &name, &fields).await {
        Ok(what) => Ok(done(&href(&name), what)),
        Err(refused) => {
            let kept = (fields.get("change") == "rights").then(|| Chosen::sent(&fields));
            show_one(&desk, &name, kept, Some(Fault::of(refused)?)).await
        }
    }
}

async fn apply(desk: &Desk, name: &str, fields: &Fields) -> Result<&'static str, Refused> {
    let auth = desk.auth();
    let change = fields.get("change");
    // To take away is never too much.
    if change == "revoke" {
        auth.revoke_token(fields.get("id")).await?;
        return Ok("revoked");
    }
    if name == desk.caller.principal.name {
        return Err(Refused::Told(Code::Denied, desk.word("portal-admin-own")));
    }
    match change {
        "rights" => {
            let (roles, scope) = Chosen::sent(fields).read(desk)?;
            auth.set_rights(name, roles, scope).await?;
            Ok("rights")
        }
        "password" => {
            let password = password(desk, fields)?.ok_or_else(|| desk.wrong("portal-admin-fault-no-password"))?;
            auth.set_password(name, password).await?;
            Ok("password")
        }
        "disable" => {
            auth.set_disabled(name, true).await?;
            Ok("disabled")
        }
        "enable" => {
            auth.set_disabled(name, false).await?;
            Ok("enabled")
        }
        _ => Err(desk.wrong("portal-admin-fault-form")),
    }
}

async fn show_one(desk: &Desk, name: &str, kept: Option<Chosen>, fault: Option<Fault>) -> Result<Response, Failure> {
    let services = &desk.app.services;
    let missing = || Error::new(Code::NoSuchObject, format!("There is no user `{name}`."));
    let row = services.catalog.user(name).await?.ok_or_else(missing)?;
    let (user, scope) = view(desk, &row)?;
    let tokens = token_views(desk, services.auth.tokens(Some(name)).await?).await?;
    let rights = kept.unwrap_or_else(|| Chosen::stored(&row, &scope)).form(desk).await?;
    let page = One {
        frame: desk.frame(),
        sheet: desk.sheet(USERS, fault),
        user,
        is_own: name == desk.caller.principal.name,
        is_local: row.subject.is_none(),
        rights,
        tokens,
        new_token: format!("/admin/tokens?user={}", escaped(name)),
    };
    show(page.sheet.status(), &page)
}
