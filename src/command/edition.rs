//! `countinghouse edition list|verify|expire`, `countinghouse verify`

use std::path::{Component, Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::SignedDuration;

use super::{Place, say};
use crate::app::App;
use crate::auth::sha256_hex;
use crate::catalog::{EditionFilter, EditionRow};
use crate::error::{Code, Error, Result};
use crate::publish::{MANIFEST, Manifest};

/// What to do with editions.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Editions, the newest first.
    List {
        /// Of this report.
        report: Option<String>,
        /// head_office or a branch.
        #[arg(long)]
        scope: Option<String>,
        /// As 2025-11.
        #[arg(long)]
        period: Option<String>,
    },
    /// Remove the files of editions whose time is over, of which the hashes stay, and half editions that runs left behind a day ago.
    Expire,
}

/// What to check.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The hash of an edition; or, offline, a folder of one with its manifest.json, or a file in such a folder.
    what: String,
    /// Ask the same questions again at the edition's snapshot, and compare every row.
    #[arg(long)]
    rerun: bool,
}

pub(super) async fn run(place: &Place, arguments: Arguments) -> Result<()> {
    let app = App::open(&place.project, &place.state).await?;
    let catalog = &app.services.catalog;
    match arguments.what {
        What::List { report, scope, period } => {
            for row in catalog.editions(&EditionFilter { report, scope, period, ..EditionFilter::default() }).await? {
                let gone = row.removal.as_deref().map(|why| format!("\tremoved: {why}")).unwrap_or_default();
                say(&format!(
                    "{}\t/r/{}/{}/{}/v{}\tsnapshot {}\t{}{gone}",
                    row.id, row.report, row.scope, row.period, row.version, row.snapshot_id, row.published_at
                ));
            }
        }
        What::Expire => {
            let publisher = &app.services.publisher;
            say(&format!("removed {}", publisher.expire().await?));
            // Longer than any run, with all its tries.
            let before = catalog.now() - SignedDuration::from_hours(24);
            let swept = publisher.sweep(before).await?;
            say(&format!("swept {}, left {} that this catalog does not know", swept.removed, swept.left));
        }
    }
    Ok(())
}

pub(super) async fn verify(place: &Place, arguments: Verify) -> Result<()> {
    let path = PathBuf::from(&arguments.what);
    if path.exists() {
        if arguments.rerun {
            return Err(Error::new(Code::BadRequest, "`--rerun` needs the hash of an edition of this server"));
        }
        return verify_path(&path);
    }
    let app = App::open(&place.project, &place.state).await?;
    let publisher = &app.services.publisher;
    let none = || Error::new(Code::NoSuchObject, format!("there is no edition, folder or file `{}`", arguments.what));
    let edition = app.services.catalog.edition(&arguments.what).await?.ok_or_else(none)?;
    let manifest = Manifest::parse(&edition.manifest)?;
    if sha256_hex(edition.manifest.as_bytes()) != edition.id {
        return Err(changed("the manifest in the catalog is not what was published"));
    }
    for entry in &manifest.files {
        publisher.shelf().get(&edition.id, &manifest, &entry.name).await?;
    }
    say(&good(&edition, manifest.files.len()));
    if arguments.rerun {
        let same = publisher.rerun(&edition).await;
        app.services.catalog.settle().await?;
        say(&format!("the same questions at snapshot {} give the same {} datasets", edition.snapshot_id, same?));
    }
    Ok(())
}

/// A folder as the archive holds it, or one file of it.
fn verify_path(path: &Path) -> Result<()> {
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| {
            Error::new(Code::NoSuchObject, format!("`{}` cannot be read", path.display())).caused_by(error)
        })
    };
    let is_folder = path.is_dir();
    let home = match is_folder {
        true => Some(path),
        false => path.ancestors().skip(1).find(|folder| folder.join(MANIFEST).is_file()),
    };
    let home = home.filter(|home| home.join(MANIFEST).is_file()).ok_or_else(|| {
        Error::new(Code::NoSuchObject, format!("there is no `{MANIFEST}` in or above `{}`", path.display()))
    })?;
    let text = read(&home.join(MANIFEST))?;
    let id = sha256_hex(&text);
    let manifest = Manifest::parse(&String::from_utf8_lossy(&text))?;
    let named = path.strip_prefix(home).ok().map(|name| name.to_string_lossy().into_owned());
    let mut checked = 0;
    for entry in &manifest.files {
        let inside = |part: Component<'_>| matches!(part, Component::Normal(_));
        if !Path::new(&entry.name).components().all(inside) {
            return Err(changed("the manifest names a file outside its folder"));
        }
        if !is_folder && named.as_deref() != Some(&entry.name) {
            continue;
        }
        if sha256_hex(&read(&home.join(&entry.name))?) != entry.sha256 {
            return Err(changed(&format!("`{}` is not what was published", entry.name)));
        }
        checked += 1;
    }
    if checked == 0 {
        return Err(changed("the file is not one of the edition's"));
    }
    say(&format!(
        "{checked} files as published: edition {id}, {} {} {} v{}, run key {}",
        manifest.report, manifest.scope, manifest.period, manifest.version, manifest.run_key
    ));
    Ok(())
}

fn good(edition: &EditionRow, files: usize) -> String {
    format!(
        "{files} files as published: edition {}, {} {} {} v{}, run key {}",
        edition.id, edition.report, edition.scope, edition.period, edition.version, edition.run_key
    )
}

fn changed(what: &str) -> Error {
    Error::new(Code::Audit, what)
}
