use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Archive, component};
use crate::config::ChannelsConfig;
use crate::locale::Lang;
use crate::publish::channel::tests::{failed, file, parcel, recipient};
use crate::publish::channel::{Channel, Outcome, Parcel, Setup, Verdict};
use crate::{clock::Clock, config::ArchiveConfig, model::Label, model::Located, storage};

const FOLDER: &str = "branch_scorecard/head_office/2026-10/v1-9c1d5e7f0a2b";

fn channel(state: &Path) -> Arc<dyn Channel> {
    let url = Located { value: "archive".to_owned(), ..Located::default() };
    let archive = Some(ArchiveConfig { url, deadline: Duration::from_secs(60) });
    let config = ChannelsConfig { archive, ..ChannelsConfig::default() };
    let clock = Clock::fixed("2026-11-04T01:02:03Z".parse().unwrap());
    super::open(&Setup { config: &config, project: &Label::new(), state, clock: &clock }).unwrap().unwrap()
}

async fn send(state: &Path, parcel: &Parcel) -> Outcome {
    channel(state).send(parcel, &recipient("nobody@bank.example")).await
}

fn accepted(bytes: u64) -> Outcome {
    Outcome { verdict: Verdict::Accepted { answer: format!("{FOLDER}/manifest.json") }, bytes }
}

#[tokio::test]
async fn files_and_a_manifest_once() {
    let state = tempfile::tempdir().unwrap();
    let parcel = parcel(Lang::Zh);
    let folder = state.path().join("archive").join(FOLDER);
    let first = send(state.path(), &parcel).await;
    let manifest = std::fs::read(folder.join("manifest.json")).unwrap();
    let size: usize = parcel.files.iter().map(|file| file.bytes.len()).sum();
    assert_eq!(first, accepted((size + manifest.len()) as u64));
    for file in &parcel.files {
        assert_eq!(std::fs::read(folder.join(&file.name)).unwrap(), file.bytes);
    }
    assert_eq!(manifest, parcel.manifest, "the edition's own, byte for byte");

    // Again, by another recipient's row of the ledger and in another language's words.
    let again = Parcel { key: "aa".into(), title: "Branch scorecard".into(), lang: Lang::En, ..parcel };
    assert_eq!(send(state.path(), &again).await, accepted(0));
}

#[tokio::test]
async fn other_bytes_are_an_alarm_and_stay() {
    let state = tempfile::tempdir().unwrap();
    let parcel = parcel(Lang::Zh);
    let object = state.path().join("archive").join(FOLDER).join("branch_scorecard.zh-CN.csv");
    std::fs::create_dir_all(object.parent().unwrap()).unwrap();
    // As long as the right one, so that the size tells nothing.
    let other = "分行,余额\n厦门,21.5\n";
    assert_eq!(other.len(), parcel.files[1].bytes.len());
    std::fs::write(&object, other).unwrap();
    let outcome = send(state.path(), &parcel).await;
    let Verdict::Failed { why, transient: false, retry_after: None } = outcome.verdict else { panic!("{outcome:?}") };
    assert!(why.starts_with(&format!("ALARM: `{FOLDER}/branch_scorecard.zh-CN.csv` is in the archive")), "{why}");
    assert_eq!(std::fs::read_to_string(&object).unwrap(), other);
    assert!(!object.with_file_name("manifest.json").exists());
}

#[tokio::test]
async fn a_file_that_is_not_its_hash_is_not_archived() {
    let state = tempfile::tempdir().unwrap();
    let mut parcel = parcel(Lang::Zh);
    parcel.files[0].bytes = "changed".into();
    let why = format!(
        "the file `branch_scorecard.zh-CN.pdf` of the edition {} is not the one that its SHA-256 tells of",
        parcel.edition
    );
    assert_eq!(send(state.path(), &parcel).await, failed(&why, false, 0));
}

#[tokio::test]
async fn a_deadline_ends_it() {
    let state = tempfile::tempdir().unwrap();
    let storage = storage::open("archive", state.path()).unwrap();
    let archive = Archive { storage, deadline: Duration::ZERO };
    let outcome = archive.send(&parcel(Lang::Zh), &recipient("nobody@bank.example")).await;
    let Verdict::Failed { why, transient, .. } = outcome.verdict else { panic!("{outcome:?}") };
    assert_eq!((why.as_str(), transient), ("the archive was not written within 0 s", true));
}

#[tokio::test]
async fn no_name_leaves_the_archive() {
    let state = tempfile::tempdir().unwrap();
    let mut parcel = parcel(Lang::Zh);
    parcel.report = "..".into();
    parcel.scope.value = "/etc".into();
    parcel.files = vec![
        file("../../evil.sh", "text/plain", b"x"),
        file("manifest.json", "text/plain", b"y"),
        file("zh-CN/branches.csv", "text/csv", b"z"),
    ];
    let outcome = send(state.path(), &parcel).await;
    let Verdict::Accepted { answer } = outcome.verdict else { panic!("{outcome:?}") };
    assert_eq!(answer, "-5ec1f7e7/_etc-2824684d/2026-10/v1-9c1d5e7f0a2b/manifest.json");
    let folder = state.path().join("archive").join(answer);
    let folder = folder.parent().unwrap();
    assert_eq!(std::fs::read(folder.join("-5ec1f7e7/-5ec1f7e7/evil.sh")).unwrap(), b"x");
    assert_eq!(std::fs::read(folder.join("zh-CN/branches.csv")).unwrap(), b"z");
    assert_eq!(std::fs::read(folder.join("_manifest.json")).unwrap(), b"y");
    assert!(folder.join("manifest.json").exists());
}

#[test]
fn parts_of_paths() {
    assert_eq!(component("branch_scorecard.zh-CN.pdf"), "branch_scorecard.zh-CN.pdf");
    assert_eq!(component("beijing~1a2b"), format!("beijing_1a2b-{}", &crate::auth::sha256_hex(b"beijing~1a2b")[..8]));
    assert_ne!(component("北京.pdf"), component("南京.pdf"));
    assert!(component("北京.pdf").ends_with(".pdf"));
    assert!(!component(".hidden").starts_with('.'));
    assert!(component(&"x".repeat(500)).len() < 140);
}
