//! Object stores from URLs: `file://`, plain paths and `s3://`.
//!
//! In: the `url` of the configuration. Out: an object store whose root is that place, so that no path can leave it, with two
//! properties every writer relies on: a put that returned has reached the disk (`file://`, see [`local`]), and a create-only
//! put is atomic (a hard link locally, a conditional put on S3). What lies in the store is not known here.

mod local;

use std::path::Path as FilePath;
use std::sync::Arc;

use jiff::Timestamp;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use url::Url;

use self::local::SyncedFiles;
use crate::error::{Code, Error, Result};

/// A place for objects: the store, rooted at the place, and its URL.
#[derive(Debug, Clone)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    url: Url,
    local: Option<Arc<SyncedFiles>>,
}

impl Storage {
    /// The store; paths are relative to [`Self::url`].
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    /// Where it is: `file:///…/` or `s3://bucket/prefix/`, always with a slash at the end.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Tries whether a create-only put refuses an existing object, with a real object.
    ///
    /// The Delta log is only safe where that holds, and some S3 look-alikes ignore the condition silently.
    pub async fn check_create_only(&self) -> Result<()> {
        if self.local.is_some() {
            return Ok(()); // a hard link refuses an existing name: no need to write for a proof
        }
        let path = Path::from(format!("_probe/{}", uuid::Uuid::now_v7()));
        let put = || self.store.put_opts(&path, "probe".into(), PutOptions::from(PutMode::Create));
        put().await.map_err(|cause| Error::internal(format!("{} cannot be written", self.url), cause))?;
        let second = put().await;
        if let Err(cause) = self.store.delete(&path).await {
            tracing::warn!(%cause, %path, "probe object left behind");
        }
        match second {
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(()),
            Err(cause) => Err(Error::internal(format!("{} cannot be written", self.url), cause)),
            Ok(_) => Err(Error::new(
                Code::Definition,
                format!(
                    "{} ignores conditional puts (`If-None-Match`), so two writers could overwrite each other: use a \
                     store that honours them",
                    self.url
                ),
            )),
        }
    }

    /// Removes what interrupted uploads left behind before `older_than`; returns how many files. Objects are not touched.
    /// On S3 a lifecycle rule of the bucket does this.
    pub async fn remove_stale_uploads(&self, older_than: Timestamp) -> Result<u64> {
        match &self.local {
            Some(local) => local
                .remove_stale(older_than)
                .await
                .map_err(|cause| Error::internal("cannot sweep the warehouse", cause)),
            None => Ok(0),
        }
    }
}

/// Opens the store at `url`: `file://…`, a path (relative ones against `base`) or `s3://bucket/prefix`, whose credentials,
/// region and endpoint come from the environment (`AWS_*`, among them `AWS_ENDPOINT` and `AWS_ALLOW_HTTP`). A local folder
/// is made when it does not exist.
pub fn open(url: &str, base: &FilePath) -> Result<Storage> {
    let wrong = |what: &str| Error::new(Code::Definition, format!("`{url}` is not a place for a warehouse: {what}"));
    let parsed = match url.split_once("://") {
        None => return open_local(&base.join(url)),
        Some(_) => Url::parse(url).map_err(|cause| wrong("not a URL").caused_by(cause))?,
    };
    match parsed.scheme() {
        "file" => {
            let folder = parsed.to_file_path().map_err(|()| wrong("a `file://` URL is `file:///absolute/path`"))?;
            open_local(&folder)
        }
        "s3" => open_s3(&parsed),
        _ => Err(wrong("use a path, `file://` or `s3://`")),
    }
}

fn open_local(folder: &FilePath) -> Result<Storage> {
    let failed = |cause: std::io::Error| {
        Error::new(Code::Definition, format!("the folder `{}` cannot be used", folder.display())).caused_by(cause)
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let folder = folder.canonicalize().map_err(failed)?;
    let url = Url::from_directory_path(&folder)
        .map_err(|()| Error::new(Code::Definition, format!("`{}` is not an absolute folder", folder.display())))?;
    let files = SyncedFiles::new(&folder).map_err(|cause| {
        Error::new(Code::Definition, format!("the folder `{}` cannot be used", folder.display())).caused_by(cause)
    })?;
    let files = Arc::new(files);
    Ok(Storage { store: Arc::clone(&files) as Arc<dyn ObjectStore>, url, local: Some(files) })
}

fn open_s3(url: &Url) -> Result<Storage> {
    let wrong = |what: &str| Error::new(Code::Definition, format!("`{url}` cannot be used as an S3 place: {what}"));
    let bucket = url.host_str().ok_or_else(|| wrong("it is `s3://bucket/prefix`"))?;
    let prefix = Path::from_url_path(url.path()).map_err(|cause| wrong("the prefix is not a path").caused_by(cause))?;
    let bucket = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .build()
        .map_err(|cause| wrong("the `AWS_*` variables are incomplete").caused_by(cause))?;
    let mut rooted = url.clone();
    rooted.set_path(&if prefix.as_ref().is_empty() { "/".to_owned() } else { format!("/{prefix}/") });
    let store: Arc<dyn ObjectStore> =
        if prefix.as_ref().is_empty() { Arc::new(bucket) } else { Arc::new(PrefixStore::new(bucket, prefix)) };
    Ok(Storage { store, url: rooted, local: None })
}

#[cfg(test)]
mod tests;
