//! `/admin/roles`: what each role gives. Nothing is changed here: a project's own roles stand in its settings.

use std::collections::BTreeSet;

use askama::Template;
use axum::response::Response;

use super::users::{role_label, role_meaning};
use super::{Desk, Frame, Sheet, show};
use crate::auth::{Principal, Scope};
use crate::locale::{Decimal, NumberUnit, Quantity, format_number};
use crate::model::role::{BUILT_IN, OTHER, Role, Shown};
use crate::query::Face;
use crate::server::http::error::Failure;

#[derive(Template)]
#[template(path = "server/http/pages/admin/roles.html")]
struct Page {
    frame: Frame,
    sheet: Sheet,
    /// The project's own and the built-in ones, each with the key of its title.
    groups: [(&'static str, Vec<RoleView>); 2],
}

struct RoleView {
    name: String,
    label: String,
    meaning: String,
    sql: &'static str,
    cubes: String,
    details: &'static str,
    columns: String,
    exports: String,
    rows: String,
}

/// `GET /admin/roles`.
pub(in crate::server::http) async fn page(desk: Desk) -> Result<Response, Failure> {
    let declared = desk.app.services.config.roles.iter().map(|role| own(&desk, role)).collect();
    let built_in = BUILT_IN.iter().map(|(name, _)| built_in(&desk, name)).collect();
    let page = Page {
        groups: [("portal-admin-roles-own", declared), ("portal-admin-roles-built-in", built_in)],
        frame: desk.frame(),
        sheet: desk.sheet("/admin/roles", None),
    };
    show(page.sheet.status(), &page)
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "portal-admin-yes" } else { "portal-admin-no" }
}

/// A built-in role gives all data or none; the door says which.
fn built_in(desk: &Desk, name: &str) -> RoleView {
    let door = &desk.app.services.door;
    let holder = Principal::new(name, BTreeSet::from([name.to_owned()]), Scope::HeadOffice);
    let (reads, asks) = (door.may_read(&holder, []), door.may_query(&holder));
    let exports = door.may_export(&holder, Face::Report, "csv").is_ok();
    let all_or_none = |all| desk.word(if all { "portal-admin-all" } else { "portal-admin-none" });
    RoleView {
        name: name.to_owned(),
        label: role_label(desk, name),
        meaning: role_meaning(desk, name),
        sql: match (asks, reads) {
            (true, false) => "portal-admin-sql-records",
            (asks, _) => yes_no(asks),
        },
        cubes: all_or_none(reads),
        details: yes_no(reads),
        columns: desk.word(if reads { "portal-admin-shown-all" } else { "portal-admin-none" }),
        exports: all_or_none(exports),
        rows: desk.word("portal-admin-unlimited"),
    }
}

fn own(desk: &Desk, role: &Role) -> RoleView {
    let names = |names: &[crate::model::Located<String>]| match names {
        [] => desk.word("portal-admin-all"),
        [one] if **one == "none" => desk.word("portal-admin-none"),
        names => desk.list(names.iter().map(|name| name.value.as_str())),
    };
    let count = |rows: u64| {
        let plain = NumberUnit::plain(Quantity::Count);
        format_number(desk.lang, &Decimal::from(i64::try_from(rows).unwrap_or(i64::MAX)), plain)
    };
    RoleView {
        name: role.name.value.clone(),
        label: role_label(desk, &role.name),
        meaning: String::new(),
        sql: yes_no(role.sql),
        cubes: names(&role.cubes),
        details: yes_no(role.details),
        columns: columns(desk, role),
        exports: names(&role.exports),
        rows: role.rows.map_or_else(|| desk.word("portal-admin-unlimited"), count),
    }
}

/// What is shown of columns that are about persons, by kind; kinds that are not named come last.
fn columns(desk: &Desk, role: &Role) -> String {
    let others = role.columns.get(OTHER).copied().unwrap_or(Shown::Deny);
    let named = role.columns.iter().filter(|(kind, _)| *kind != OTHER).map(|(kind, how)| (kind.clone(), *how));
    let all = named.chain([(desk.word("portal-admin-other-kinds"), others)]);
    let words = all.map(|(kind, how)| {
        let key = match how {
            Shown::Clear => "portal-admin-shown-clear",
            Shown::Mask => "portal-admin-shown-mask",
            Shown::Deny => "portal-admin-shown-deny",
        };
        desk.with(key, "kind", &kind)
    });
    words.collect::<Vec<_>>().join(&desk.word("portal-admin-semicolon"))
}
