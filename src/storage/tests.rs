//! Stores from URLs, and what the local one promises.

use futures::TryStreamExt;
use object_store::MultipartUpload;

use super::*;

fn create() -> PutOptions {
    PutOptions::from(PutMode::Create)
}

#[tokio::test]
async fn relative_path_is_made_under_the_base() {
    let base = tempfile::tempdir().unwrap();
    let storage = open("a/warehouse", base.path()).unwrap();
    assert!(base.path().join("a/warehouse").is_dir());
    assert!(storage.url().as_str().starts_with("file:///") && storage.url().as_str().ends_with("/a/warehouse/"));
    let again = open(storage.url().as_str(), FilePath::new("/nowhere")).unwrap();
    assert_eq!(again.url(), storage.url());
    storage.check_create_only().await.unwrap();
}

#[test]
fn other_places_are_refused() {
    let base = tempfile::tempdir().unwrap();
    for url in ["http://host/x", "file://host/x", "gs://bucket/x"] {
        assert_eq!(open(url, base.path()).unwrap_err().code(), Code::Definition, "{url}");
    }
}

#[tokio::test]
async fn create_only_put_refuses_an_existing_object_and_leaves_no_temporary_name() {
    let base = tempfile::tempdir().unwrap();
    let storage = open("w", base.path()).unwrap();
    let store = storage.store();
    let path = Path::from("t/_delta_log/0.json");
    store.put_opts(&path, "one".into(), create()).await.unwrap();
    let second = store.put_opts(&path, "two".into(), create()).await;
    assert!(matches!(second, Err(object_store::Error::AlreadyExists { .. })), "{second:?}");
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "one");
    store.put(&path, "three".into()).await.unwrap();
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "three");
    assert_eq!(std::fs::read_dir(base.path().join("w/t/_delta_log")).unwrap().count(), 1);
}

#[tokio::test]
async fn listings_are_sorted_and_hide_uploads() {
    let base = tempfile::tempdir().unwrap();
    let storage = open("w", base.path()).unwrap();
    let store = storage.store();
    for name in ["t/c", "t/a", "u/z", "t/b"] {
        store.put(&Path::from(name), "x".into()).await.unwrap();
    }
    let mut upload: Box<dyn MultipartUpload> = store.put_multipart(&Path::from("t/d")).await.unwrap();
    upload.put_part("half".into()).await.unwrap();
    let names: Vec<String> = store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    assert_eq!(names, ["t/a", "t/b", "t/c", "u/z"]);
    let names: Vec<String> = store
        .list_with_offset(Some(&Path::from("t")), &Path::from("t/a"))
        .map_ok(|meta| meta.location.to_string())
        .try_collect()
        .await
        .unwrap();
    assert_eq!(names, ["t/b", "t/c"]);

    let before = Timestamp::from_second(1).unwrap();
    assert_eq!(storage.remove_stale_uploads(before).await.unwrap(), 0);
    drop(upload);
    let later = Timestamp::from_second(32_000_000_000).unwrap();
    storage.remove_stale_uploads(later).await.unwrap();
    assert_eq!(std::fs::read_dir(base.path().join("w/t")).unwrap().count(), 3);
}
