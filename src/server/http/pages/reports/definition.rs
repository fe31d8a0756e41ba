//! `/reports/{name}/definition`: how a report is made, for whoever writes SQL and whoever manages the server. It is the text of
//! the project's files, so it is the same for every scope and no export.

use askama::Template;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Visit;
use crate::error::{Code, Error};
use crate::server::http::error::Failure;
use crate::server::http::extract::Path;
use crate::server::http::pages::{Frame, render};

#[derive(Template)]
#[template(path = "server/http/pages/reports/definition.html")]
struct Page {
    frame: Frame,
    title: String,
    report: String,
    files: Vec<FileView>,
}

struct FileView {
    /// As in the project.
    path: String,
    text: String,
}

/// The handler.
pub(in crate::server::http) async fn page(Path(name): Path<String>, visit: Visit) -> Result<Response, Failure> {
    let report = visit.report(&name)?;
    if !visit.may_see_definitions() {
        // To whom a definition is not shown it does not exist.
        let text = format!("There is no definition of `{name}`, or no right to see it.");
        return Err(Error::new(Code::NoSuchObject, text).into());
    }
    match visit.asked("format") {
        None | Some("html") => {
            let file = |name: &str, text: &str| FileView {
                path: format!("reports/{}/{name}", *report.name),
                text: text.to_owned(),
            };
            let mut files = vec![file("report.yaml", &report.text)];
            for dataset in &report.datasets {
                // Datasets may share a file.
                let known = file(&dataset.file, &dataset.sql);
                if files.iter().all(|other| other.path != known.path) {
                    files.push(known);
                }
            }
            let title = visit.choice.lang.pick(&report.title).to_owned();
            render(&Page { frame: visit.frame(), title, report: format!("/reports/{name}"), files })
        }
        Some("yaml") => Ok(([(CONTENT_TYPE, "application/yaml")], report.text.clone()).into_response()),
        Some(other) => {
            let text = format!("parameter `format`: `{other}` is not allowed; write one of `html`, `yaml`");
            Err(Error::new(Code::BadRequest, text).into())
        }
    }
}
