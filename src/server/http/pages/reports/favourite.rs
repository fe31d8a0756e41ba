//! `POST /reports/{name}/favourite`: marks a report, so that it stands first on the portal of whoever marked it.

use axum::response::{IntoResponse, Redirect, Response};

use crate::error::{Code, Error};
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;
use crate::server::http::pages::admin::Sent;
use crate::server::http::pages::openable;
use crate::server::http::session::local_path;

/// The handler. `on` is `true` or `false`, `next` the page to come back to.
pub(in crate::server::http) async fn mark(
    Path(name): Path<String>,
    Sent { desk, fields }: Sent,
) -> Result<Response, Failure> {
    let principal = &desk.caller.principal;
    if !openable(&desk.app, principal).any(|report| *report.name == name) {
        // The same for what does not exist and what this person may not open.
        let text = format!("There is no report `{name}`, or no right to open it.");
        return Err(Error::new(Code::NoSuchObject, text).into());
    }
    let on = match fields.get("on") {
        "true" => true,
        "false" => false,
        other => {
            let text = format!("field `on`: `{other}` is not allowed; write `true` or `false`");
            return Err(Error::new(Code::BadRequest, text).into());
        }
    };
    desk.app.services.catalog.mark_favourite(&principal.name, &name, on).await?;
    Ok(Redirect::to(&local_path(fields.given("next"))).into_response())
}
