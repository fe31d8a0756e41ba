//! `/admin`: statements that run now, and how one is stopped.

use askama::Template;
use axum::response::Response;
use jiff::SignedDuration;

use super::{Desk, Frame, Long, Sent, Sheet, done, second, show};
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;

#[derive(Template)]
#[template(path = "server/http/pages/admin/statements.html")]
struct Page {
    frame: Frame,
    sheet: Sheet,
    statements: Vec<Running>,
}

struct Running {
    id: String,
    user: String,
    /// Key of the face's word.
    face: &'static str,
    started: String,
    since: String,
    sql: Long,
}

/// `GET /admin`.
pub(in crate::server::http) async fn page(desk: Desk) -> Result<Response, Failure> {
    let services = &desk.app.services;
    let now = services.clock.now();
    let rows = services.door.running(&desk.caller.principal).await?;
    let statements = rows.into_iter().map(|row| Running {
        face: face(&row.face),
        started: second(row.started_at),
        since: clock_face(now.duration_since(row.started_at)),
        sql: Long::new(&row.sql),
        id: row.query_id,
        user: row.principal,
    });
    let page = Page { statements: statements.collect(), frame: desk.frame(), sheet: desk.sheet("/admin", None) };
    show(page.sheet.status(), &page)
}

/// `POST /admin/statements/{id}/stop`.
pub(in crate::server::http) async fn stop(
    Path(id): Path<String>,
    Sent { desk, .. }: Sent,
) -> Result<Response, Failure> {
    desk.app.services.door.stop(&desk.caller.principal, &id).await?;
    Ok(done("/admin", "stopped"))
}

fn face(name: &str) -> &'static str {
    match name {
        "flight" => "portal-admin-face-flight",
        "http" => "portal-admin-face-http",
        "report" => "portal-admin-face-report",
        "command_line" => "portal-admin-face-command-line",
        _ => "portal-admin-face-job",
    }
}

/// `0:07`, `1:02:03`: the same in every language.
fn clock_face(time: SignedDuration) -> String {
    let seconds = time.as_secs().max(0); // another host's clock may be ahead
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}
