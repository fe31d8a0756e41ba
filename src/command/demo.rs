//! `countinghouse demo`

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{Place, evaluation, load, refresh, sample, say_error, serve};
use crate::app::App;
use crate::auth::{Scope, TokenScope};
use crate::error::{Error, Result};
use crate::sample::Options;

/// The sample bank to serve.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Make a bank of this size instead of loading the committed one.
    #[arg(long, value_name = "N")]
    customers: Option<u32>,
    /// Months of a made bank.
    #[arg(long, default_value_t = 24, value_name = "M")]
    months: u32,
    /// Seed of a made bank.
    #[arg(long, default_value_t = sample::SEED, value_name = "S")]
    seed: u64,
    /// Address of the HTTP face; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// Address of the Flight SQL face; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    flight: Option<String>,
    /// Leave scheduled publication alone.
    #[arg(long, env = "COUNTINGHOUSE_NO_SCHEDULES", value_parser = clap::builder::FalseyValueParser::new())]
    no_schedules: bool,
}

/// The logins of the demo: name, roles, scope. Passwords and tokens are random per state.
const LOGINS: &[(&str, &[&str], &[&str])] = &[
    ("admin", &["administrator"], &[]),
    ("executive", &["reader"], &[]),
    ("head_office", &["analyst"], &[]),
    ("beijing", &["analyst"], &["beijing"]),
    ("shanghai", &["analyst"], &["shanghai"]),
    ("zhao_min", &["reviewer", "reader"], &[]),
    ("assessor_guangzhou", &["assessor", "reader"], &["guangzhou"]),
];

/// Days that the demo's tokens live.
const TOKEN_DAYS: i64 = 90;

pub(super) async fn run(place: &Place, arguments: Arguments) -> Result<()> {
    let app = App::open(&place.project, &place.state).await?;
    let feeds: Vec<PathBuf> = match arguments.customers {
        Some(customers) => {
            let out = place.state.join("sample");
            let Arguments { months, seed, .. } = arguments;
            sample::write(&Options { out, customers, months, seed, outlets: None })?.feeds.to_vec()
        }
        None => ["batch-0001", "batch-0002"]
            .iter()
            .map(|batch| place.project.join("sample_data").join(batch).join("feed.yaml"))
            .collect(),
    };
    for outcome in load::load(&app, &feeds).await? {
        outcome.into_result()?;
    }
    refresh::refresh(&app, &[]).await?;
    recorded(&app, place).await?;
    logins(&app, place).await?;
    serve::serve(&app, arguments.http, arguments.flight, !arguments.no_schedules).await
}

/// Months of KPIs that the demo measures.
const MEASURED_MONTHS: i32 = 12;

/// What the sample bank has recorded of its CRM programme, and a year of measured KPIs; once.
async fn recorded(app: &App, place: &Place) -> Result<()> {
    let folder = place.project.join("sample_data").join("evaluation");
    let files: Vec<PathBuf> = ["maturity", "roi", "outcome", "project"]
        .iter()
        .map(|name| folder.join(format!("{name}.json")))
        .filter(|file| file.exists())
        .collect();
    if evaluation::play(app, &files).await? > 0 {
        let as_of = app.services.door.head().await?.as_of;
        evaluation::measure_months(app, as_of, MEASURED_MONTHS).await?;
    }
    Ok(())
}

/// Creates the logins that are not there yet and writes them where only this user can read them.
async fn logins(app: &App, place: &Place) -> Result<()> {
    let auth = &app.services.auth;
    let file = place.state.join("logins.json");
    let known: BTreeSet<String> = auth.users().await?.into_iter().map(|user| user.name).collect();
    if file.exists() && LOGINS.iter().all(|(name, ..)| known.contains(*name)) {
        return Ok(());
    }
    let mut written = Vec::new();
    for (name, roles, branches) in LOGINS {
        let scope = match branches {
            [] => Scope::HeadOffice,
            some => Scope::Branches(some.iter().map(|branch| (*branch).to_owned()).collect()),
        };
        let password = secret()?;
        let roles: BTreeSet<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        if known.contains(*name) {
            auth.set_password(name, password.clone()).await?;
        } else {
            auth.create_user(name, Some(password.clone()), roles.clone(), scope.clone()).await?;
        }
        let token = auth.create_token(name, "demo", TOKEN_DAYS, &TokenScope::default()).await?;
        written.push(json!({
            "name": name, "password": password, "token": token, "roles": roles, "scope": scope.to_string(),
        }));
    }
    let text = serde_json::to_string_pretty(&written).map_err(|error| Error::internal("cannot write logins", error))?;
    write_private(&file, text.as_bytes())?;
    say_error(&format!("logins are in {}", file.display()));
    Ok(())
}

/// 128 random bits as text.
fn secret() -> Result<String> {
    use rand::TryRng;
    let mut bytes = [0_u8; 16];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).map_err(|error| Error::internal("no randomness", error))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_private(path: &std::path::Path, bytes: &[u8]) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let fault = |error| Error::internal(format!("cannot write `{}`", path.display()), error);
    let part = path.with_extension("part");
    let _ = std::fs::remove_file(&part);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).map_err(fault)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fault)?;
    std::fs::rename(&part, path).map_err(fault)
}
