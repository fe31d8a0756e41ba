//! Finding and reading the definition files of a project.

use std::path::Path;

use super::{Config, FILE, read};
use crate::assets::EVALUATION;
use crate::error::{Error, Result};
use crate::model::calendar::{self, Calendar};
use crate::model::cube::{self, Model};
use crate::model::evaluation::Definitions;
use crate::model::report::{self, Report};
use crate::model::{Diagnostic, Place, feed, role};

/// The cubes, dimensions and calendars of `cubes/*.yaml`.
///
/// # Errors
/// `Code::Definition` with every fault of all files.
pub fn load_model(config: &Config) -> Result<Model> {
    let mut faults = Vec::new();
    let model = read_model(config, &mut faults);
    if faults.is_empty() { Ok(model) } else { Err(Error::definition(faults)) }
}

/// The reports of `reports/*/report.yaml` that are without fault, by name, and the faults of the others: a faulty folder
/// disables its own report only.
pub fn load_reports(config: &Config, model: &Model) -> (Vec<Report>, Vec<Diagnostic>) {
    let (mut read, mut unread) = (Vec::new(), Vec::new());
    let mut faults = Vec::new();
    for folder in entries(&config.project, "reports", &mut faults) {
        let path = format!("reports/{folder}/report.yaml");
        let home = config.project.join("reports").join(&folder);
        // A folder without the file is room for something else; a file among the folders is none of ours.
        if !home.join("report.yaml").is_file() {
            continue;
        }
        let Some(text) = text(&config.project, &path, &mut faults) else {
            unread.push(folder);
            continue;
        };
        match report::parse(&path, &text, &|file| std::fs::read_to_string(home.join(file)).ok()) {
            Ok(report) => read.push(report),
            Err(found) => {
                faults.extend(found);
                unread.push(folder);
            }
        }
    }
    let found: Vec<Vec<Diagnostic>> = read
        .iter()
        .map(|report| {
            let mut found = report::check(report, model);
            found.extend(report::check_drills(report, &read, &unread));
            found
        })
        .collect();
    let mut each = found.iter();
    read.retain(|_| each.next().is_some_and(Vec::is_empty));
    faults.extend(found.into_iter().flatten());
    (read, faults)
}

/// The calendars of `calendars/*.yaml` that are without fault, and the faults of the others.
pub fn load_calendars(config: &Config) -> (Vec<Calendar>, Vec<Diagnostic>) {
    let mut calendars = Vec::new();
    let mut faults = Vec::new();
    for name in entries(&config.project, "calendars", &mut faults).into_iter().filter(|name| name.ends_with(".yaml")) {
        let path = format!("calendars/{name}");
        let Some(text) = text(&config.project, &path, &mut faults) else { continue };
        match calendar::parse(&path, &text) {
            Ok(calendar) => calendars.push(calendar),
            Err(found) => faults.extend(found),
        }
    }
    (calendars, faults)
}

/// The definitions of the evaluation.
///
/// # Errors
/// `Code::Definition` with every fault of all files.
pub fn load_evaluation(config: &Config) -> Result<Definitions> {
    let (read, faults) = Definitions::read(|name| evaluation_file(config, name));
    read.ok_or_else(|| Error::definition(faults))
}

/// A file of the evaluation's definitions: the project's own in `cubes/evaluation`, else the one shipped with the product. Path
/// and text.
fn evaluation_file(config: &Config, name: &str) -> (String, String) {
    let path = format!("cubes/evaluation/{name}");
    let shipped = || EVALUATION.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text);
    match std::fs::read_to_string(config.project.join(&path)) {
        Ok(text) => (path, text),
        // What cannot be read is told as a faulty file, not passed over.
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => (path, String::new()),
        Err(_) => (name.to_owned(), shipped().to_owned()),
    }
}

/// Every fault of every definition file of a project: settings, cubes, reports, and feeds that lie at most two folders
/// deep. Empty when all is well.
///
/// # Errors
/// When there is no settings file to begin with.
pub fn check(project: &Path) -> Result<Vec<Diagnostic>> {
    let (config, mut faults) = read(project, &project.join(".countinghouse"))?;
    let settings_hold = faults.is_empty();
    let model = read_model(&config, &mut faults);
    let (_, found) = load_reports(&config, &model);
    faults.extend(found);
    let (_, found) = load_calendars(&config);
    faults.extend(found);
    faults.extend(Definitions::read(|name| evaluation_file(&config, name)).1);
    for path in feeds(project) {
        let Some(text) = text(project, &path, &mut faults) else { continue };
        match feed::parse(&path, &text) {
            // Against tables that are themselves at fault a feed would be blamed for what is not in it.
            Ok(feed) if settings_hold => faults.extend(feed::check(&feed, &config.warehouse.tables)),
            Ok(_) => {}
            Err(found) => faults.extend(found),
        }
    }
    Ok(faults)
}

fn read_model(config: &Config, faults: &mut Vec<Diagnostic>) -> Model {
    let mut files = Vec::new();
    for name in entries(&config.project, "cubes", faults) {
        let path = format!("cubes/{name}");
        if name.ends_with(".yml") {
            faults.push(Diagnostic::new(
                &start_of(&path),
                "it is not read: the names of definition files end in `.yaml`",
            ));
        } else if name.ends_with(".yaml")
            && let Some(text) = text(&config.project, &path, faults)
        {
            files.push((path, text));
        }
    }
    let (model, found) = cube::parse(&files, &config.warehouse.tables);
    faults.extend(found);
    role::validate_cubes(&config.roles, &model, faults);
    model
}

/// Names in a folder of the project, sorted; hidden ones are left out. No folder, no names.
fn entries(project: &Path, folder: &str, faults: &mut Vec<Diagnostic>) -> Vec<String> {
    let listing = match std::fs::read_dir(project.join(folder)) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            faults.push(Diagnostic::new(&start_of(folder), format!("the folder cannot be read: {error}")));
            return Vec::new();
        }
    };
    let mut names: Vec<String> = listing.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

fn text(project: &Path, path: &str, faults: &mut Vec<Diagnostic>) -> Option<String> {
    match std::fs::read_to_string(project.join(path)) {
        Ok(text) => Some(text),
        Err(error) => {
            let message = match error.kind() {
                std::io::ErrorKind::InvalidData => "the file is not UTF-8 text".to_owned(),
                _ => format!("the file cannot be read: {error}"),
            };
            faults.push(Diagnostic::new(&start_of(path), message));
            None
        }
    }
}

/// `feed.yaml` in the folders of the project and the folders in those.
fn feeds(project: &Path) -> Vec<String> {
    let mut ignored = Vec::new();
    let mut paths = Vec::new();
    for outer in entries(project, "", &mut ignored) {
        if outer == FILE || matches!(outer.as_str(), "cubes" | "reports" | "target") {
            continue;
        }
        for inner in std::iter::once(outer.clone())
            .chain(entries(project, &outer, &mut ignored).into_iter().map(|inner| format!("{outer}/{inner}")))
        {
            let path = format!("{inner}/feed.yaml");
            if project.join(&path).is_file() {
                paths.push(path);
            }
        }
    }
    paths
}

fn start_of(path: &str) -> Place {
    Place { file: path.to_owned(), line: 1, column: 1 }
}
