//! Admission of a batch: the feed file, its place in the node's chain, and the hashes of what it brings.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Progress;
use super::sources::SourceFile;
use super::worker::on_thread;
use crate::catalog::{BatchKey, BatchRow, Catalog};
use crate::error::{Code, Error, Result};
use crate::model::feed::{self, Feed};
use crate::model::table::Table;

/// Largest feed file.
const FEED_BYTES: u64 = 1 << 20;

/// A feed that fits the tables, and its files.
#[derive(Debug)]
pub(super) struct Delivery {
    /// The feed.
    pub(super) feed: Feed,
    /// Node and number.
    pub(super) key: BatchKey,
    /// SHA-256 of the feed file, hexadecimal.
    pub(super) feed_sha256: String,
    /// The data files, in the feed's order.
    pub(super) files: Vec<Arc<SourceFile>>,
}

/// What the data files hold, as hashes.
#[derive(Debug)]
pub(super) struct Content {
    /// SHA-256 over the feed's and the data files' hashes, hexadecimal.
    pub(super) sha256: String,
    /// SHA-256 of each data file, hexadecimal.
    pub(super) files: Vec<String>,
    /// Files whose hash is not the feed's.
    pub(super) differ: Vec<String>,
}

/// What the chain of a node's batches says about a number.
#[derive(Debug)]
pub(super) enum Turn {
    /// It is the next one.
    Next,
    /// It is published already.
    Known(Box<BatchRow>),
    /// This number must come first.
    Early(i64),
}

impl Delivery {
    /// Reads a feed file and checks it against the tables.
    ///
    /// # Errors
    /// [`Code::Definition`] with all faults of the feed file; [`Code::Feed`] when it or a data file cannot be opened.
    pub(super) fn read(path: &Path, tables: &[Table]) -> Result<Self> {
        let shown = path.display().to_string();
        let wrong = |what: &str| Error::new(Code::Feed, format!("{shown}: {what}"));
        let mut bytes = Vec::new();
        let opened = std::fs::File::open(path).map_err(|error| wrong("cannot be opened").caused_by(error))?;
        opened
            .take(FEED_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| wrong("cannot be read").caused_by(error))?;
        if bytes.len() as u64 > FEED_BYTES {
            return Err(wrong("is larger than 1 MiB, which no feed file needs"));
        }
        let feed_sha256 = hexadecimal(Sha256::digest(&bytes));
        let text = String::from_utf8(bytes).map_err(|error| wrong("is not UTF-8").caused_by(error))?;
        let feed = feed::parse(&shown, &text).map_err(Error::definition)?;
        let faults = feed::check(&feed, tables);
        if !faults.is_empty() {
            return Err(Error::definition(faults));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().map_err(|error| wrong("its folder cannot be opened").caused_by(error))?;
        let files = feed.files.iter().map(|file| {
            let at = &file.path;
            let wrong = |what: &str| Error::new(Code::Feed, format!("{}: `{}` {what}", at.place, at.value));
            // Links are followed first: a name inside the folder may point outside it.
            let path = folder.join(&at.value).canonicalize();
            let path =
                path.map_err(|error| wrong("cannot be opened: deliver it beside the feed file").caused_by(error))?;
            if !path.starts_with(&folder) || !path.is_file() {
                return Err(wrong("is not a file inside the feed's folder"));
            }
            Ok(Arc::new(SourceFile { path, feed: file.clone() }))
        });
        let files = files.collect::<Result<Vec<_>>>()?;
        let key = BatchKey { node: feed.node.value.clone(), number: i64::from(feed.number.value) };
        Ok(Self { feed, key, feed_sha256, files })
    }

    /// Hashes the data files.
    pub(super) async fn content(&self, progress: &dyn Progress) -> Result<Content> {
        let files = self.files.clone();
        let feed_sha256 = self.feed_sha256.clone();
        on_thread(progress, move |stage| {
            let mut all = Sha256::new();
            all.update(feed_sha256.as_bytes());
            let (mut hashes, mut differ) = (Vec::new(), Vec::new());
            let mut buffer = vec![0; 1 << 20];
            for file in &files {
                let unreadable = |error: std::io::Error| file.error("cannot be read").caused_by(error);
                let mut opened = std::fs::File::open(&file.path).map_err(unreadable)?;
                let total = opened.metadata().map_err(unreadable)?.len();
                let (mut hash, mut done) = (Sha256::new(), 0);
                loop {
                    stage.proceed()?;
                    let read = opened.read(&mut buffer).map_err(unreadable)?;
                    if read == 0 {
                        break;
                    }
                    hash.update(&buffer[..read]);
                    done += read as u64;
                    stage.step(&format!("hash {}", *file.feed.path), done, Some(total));
                }
                let hash = hexadecimal(hash.finalize());
                if let Some(stated) = file.feed.sha256.as_ref().filter(|stated| !stated.eq_ignore_ascii_case(&hash)) {
                    differ.push(format!("{}: SHA-256 is {hash}, the feed states {}", *file.feed.path, stated.value));
                }
                all.update(hash.as_bytes());
                hashes.push(hash);
            }
            Ok(Content { sha256: hexadecimal(all.finalize()), files: hashes, differ })
        })
        .await
    }

    /// Whether it is the batch's turn.
    ///
    /// # Errors
    /// [`Code::Conflict`] when the number is published with other content. `content` is only asked for when needed.
    pub(super) async fn turn(&self, catalog: &Catalog, content: Option<&Content>) -> Result<Turn> {
        let expected = catalog.last_published_batch(&self.key.node).await?.unwrap_or(0) + 1;
        if self.key.number > expected {
            return Ok(Turn::Early(expected));
        }
        let Some(content) = content.filter(|_| self.key.number < expected) else { return Ok(Turn::Next) };
        let conflict = |what: &str| {
            let BatchKey { node, number } = &self.key;
            Error::new(
                Code::Conflict,
                format!(
                    "batch {number} of `{node}` is {what}: correct it in a later batch; the next number is {expected}"
                ),
            )
        };
        match catalog.batch(&self.key).await? {
            Some(row) if row.content_sha256 == content.sha256 => Ok(Turn::Known(Box::new(row))),
            Some(_) => Err(conflict("published already, with other content")),
            None => Err(conflict("older than the published ones, and unknown")),
        }
    }
}

fn hexadecimal(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a string cannot fail
        text
    })
}
