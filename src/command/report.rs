//! `countinghouse report run NAME`

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Place, say};
use crate::app::App;
use crate::error::{Code, Error, Result};
use crate::report::{self, Ask};

/// What to do with reports.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Render a report once.
    Run {
        /// Name of the report.
        name: String,
        /// Parameters as name=value.
        #[arg(long = "param", value_name = "NAME=VALUE")]
        parameters: Vec<String>,
        /// html, pdf, xlsx, csv, json, png, parquet or arrow.
        #[arg(long, default_value = "html")]
        format: String,
        /// Whose rights it runs with.
        #[arg(long = "as", value_name = "USER")]
        user: String,
        /// head_office or a branch.
        #[arg(long)]
        scope: Option<String>,
        /// zh-CN or en.
        #[arg(long, default_value = "zh-CN")]
        lang: String,
        /// File to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

pub(super) async fn run(place: &Place, arguments: Arguments) -> Result<()> {
    let What::Run { name, parameters, format, user, scope, lang, out } = arguments.what;
    let app = App::open(&place.project, &place.state).await?;
    if let Some(report) = app.services.reports.iter().find(|report| *report.name == name) {
        let format = report::format::find(&format)?;
        let principal = app.services.auth.principal(&user).await?;
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for parameter in &parameters {
            let (key, value) = parameter
                .split_once('=')
                .ok_or_else(|| Error::new(Code::BadRequest, format!("`{parameter}` is not NAME=VALUE")))?;
            values.entry(key.to_owned()).or_default().push(value.to_owned());
        }
        let door = &app.services.door;
        let ask = Ask {
            parameters: &values,
            principal: &principal,
            scope: scope.as_deref(),
            lang: &lang,
            head: None,
            reports: &app.services.reports,
            is_shared: false,
            at: app.services.clock.now(),
        };
        let document = report::run(door, report, &ask).await;
        let settled = app.services.catalog.settle().await;
        let document = document?;
        settled?;
        let bytes = format.render(&document, app.services.publisher.tools())?;
        std::fs::write(&out, &bytes)
            .map_err(|error| Error::internal(format!("cannot write `{}`", out.display()), error))?;
        say(&format!("wrote {} bytes to {}", bytes.len(), out.display()));
        return Ok(());
    }
    // The report may be there and faulty: then its faults are the answer.
    let own: Vec<_> =
        app.report_faults.into_iter().filter(|fault| fault.place.file.contains(&format!("reports/{name}/"))).collect();
    if own.is_empty() {
        Err(Error::new(Code::NoSuchObject, format!("there is no report `{name}`")))
    } else {
        Err(Error::definition(own))
    }
}
