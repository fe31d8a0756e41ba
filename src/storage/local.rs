//! Files that have reached the disk when a put returns.
//!
//! `object_store`'s local store writes a temporary name and links or renames it without ever syncing: after a power cut a
//! committed row could point at empty files. Here a put syncs the bytes *before* the name appears, so that not even a torn
//! log entry can be seen, and then every folder up to the root whose entry is new. Multipart uploads (data files, whose
//! names nobody knows before the commit) are synced when they complete. Listings are sorted, as on S3: readers of the Delta
//! log rely on it.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};
use uuid::Uuid;

/// The local object store with syncs.
#[derive(Debug)]
pub(super) struct SyncedFiles {
    inner: LocalFileSystem,
    folders: Arc<Folders>,
}

impl SyncedFiles {
    /// A store rooted at an existing absolute folder.
    pub(super) fn new(root: &FilePath) -> Result<Self> {
        let inner = LocalFileSystem::new_with_prefix(root)?;
        Ok(Self { inner, folders: Arc::new(Folders { root: root.to_owned(), durable: Mutex::default() }) })
    }

    /// Removes temporary names of interrupted uploads last written before `older_than`.
    pub(super) async fn remove_stale(&self, older_than: Timestamp) -> io::Result<u64> {
        let root = self.folders.root.clone();
        let older_than = SystemTime::from(older_than);
        blocking(move || remove_stale(&root, older_than)).await
    }
}

/// Which folders' own entries are known to be on the disk.
#[derive(Debug)]
struct Folders {
    root: PathBuf,
    durable: Mutex<HashSet<PathBuf>>,
}

impl Folders {
    /// Makes the folder of `file` and every missing one above it, down from the root.
    fn make_parent(&self, file: &FilePath) -> io::Result<()> {
        fs::create_dir_all(file.parent().unwrap_or(&self.root))
    }

    /// Syncs the folder of `file`, then each folder above it that is not known to be on the disk yet.
    fn sync_above(&self, file: &FilePath) -> io::Result<()> {
        let mut fresh = Vec::new();
        let mut folder = file.parent().unwrap_or(&self.root);
        File::open(folder)?.sync_all()?;
        while folder != self.root && folder.starts_with(&self.root) {
            if self.durable.lock().unwrap_or_else(PoisonError::into_inner).contains(folder) {
                break;
            }
            fresh.push(folder.to_owned());
            let Some(parent) = folder.parent() else { break };
            File::open(parent)?.sync_all()?;
            folder = parent;
        }
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).extend(fresh);
        Ok(())
    }
}

/// The temporary name beside `file`. `#` and digits are what the local store hides from listings.
fn staged(file: &FilePath) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!("#{}", Uuid::now_v7().as_u128()));
    PathBuf::from(name)
}

fn is_staged(name: &str) -> bool {
    name.split_once('#').is_some_and(|(_, tail)| !tail.is_empty() && tail.bytes().all(|byte| byte.is_ascii_digit()))
}

fn put(folders: &Folders, file: &FilePath, payload: &PutPayload, mode: &PutMode) -> io::Result<()> {
    folders.make_parent(file)?;
    let temporary = staged(file);
    let placed = (|| {
        let mut out = File::create_new(&temporary)?;
        payload.iter().try_for_each(|part| out.write_all(part))?;
        out.sync_all()?;
        drop(out);
        match mode {
            PutMode::Create => fs::hard_link(&temporary, file),
            PutMode::Overwrite | PutMode::Update(_) => fs::rename(&temporary, file),
        }
    })();
    if placed.is_err() || matches!(mode, PutMode::Create) {
        // A leftover is hidden from listings and swept later: not worth failing a put that stands.
        let _ = fs::remove_file(&temporary);
    }
    placed?;
    folders.sync_above(file)
}

fn remove_stale(folder: &FilePath, older_than: SystemTime) -> io::Result<u64> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            removed += remove_stale(&entry.path(), older_than)?;
        } else if kind.is_file()
            && entry.file_name().to_str().is_some_and(is_staged)
            && entry.metadata()?.modified()? < older_than
        {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Runs blocking file work off the runtime's threads where there is a runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    match tokio::runtime::Handle::try_current() {
        // Not aborted when the caller goes away, on purpose: a half-placed file must still be cleaned up.
        Ok(runtime) => runtime.spawn_blocking(work).await.map_err(io::Error::other)?,
        Err(_) => work(),
    }
}

fn failed(path: &Path, source: io::Error) -> Error {
    let path = path.to_string();
    match source.kind() {
        io::ErrorKind::AlreadyExists => Error::AlreadyExists { path, source: source.into() },
        io::ErrorKind::NotFound => Error::NotFound { path, source: source.into() },
        io::ErrorKind::PermissionDenied => Error::PermissionDenied { path, source: source.into() },
        _ => Error::Generic { store: "SyncedFiles", source: source.into() },
    }
}

impl fmt::Display for SyncedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SyncedFiles({})", self.folders.root.display())
    }
}

#[async_trait]
impl ObjectStore for SyncedFiles {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        if matches!(opts.mode, PutMode::Update(_)) {
            return self.inner.put_opts(location, payload, opts).await; // refuses, in its own words
        }
        let file = self.inner.path_to_filesystem(location)?;
        let folders = Arc::clone(&self.folders);
        blocking(move || put(&folders, &file, &payload, &opts.mode))
            .await
            .map_err(|source| failed(location, source))?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let file = self.inner.path_to_filesystem(location)?;
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(SyncedUpload { inner, location: location.clone(), file, folders: Arc::clone(&self.folders) }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        sorted(self.inner.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        sorted(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await?;
        self.sync(to).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await?;
        self.sync(to).await
    }
}

impl SyncedFiles {
    async fn sync(&self, location: &Path) -> Result<()> {
        let file = self.inner.path_to_filesystem(location)?;
        sync_file(Arc::clone(&self.folders), file, location).await
    }
}

async fn sync_file(folders: Arc<Folders>, file: PathBuf, location: &Path) -> Result<()> {
    blocking(move || {
        File::open(&file)?.sync_all()?;
        folders.sync_above(&file)
    })
    .await
    .map_err(|source| failed(location, source))
}

fn sorted(listing: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
    stream::once(async move {
        let mut entries: Vec<ObjectMeta> = listing.try_collect().await?;
        entries.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        Ok::<_, Error>(stream::iter(entries.into_iter().map(Ok)))
    })
    .try_flatten()
    .boxed()
}

/// An upload that is on the disk when it completes.
#[derive(Debug)]
struct SyncedUpload {
    inner: Box<dyn MultipartUpload>,
    location: Path,
    file: PathBuf,
    folders: Arc<Folders>,
}

#[async_trait]
impl MultipartUpload for SyncedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.inner.complete().await?;
        sync_file(Arc::clone(&self.folders), self.file.clone(), &self.location).await?;
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
