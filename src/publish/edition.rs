//! An edition: the files of one frozen run, named by the hash of the list that names them.
//!
//! In: documents of one reading, in each language. Out: files in the object store under `<hash>/`, the manifest last, and the
//! row for the catalog. Nothing is overwritten: a file that exists is read back and compared. What was written by a run that
//! did not come to its end lies there unseen, since only the catalog's row makes an edition.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};

use crate::auth::sha256_hex;
use crate::error::{Code, Error, Result};
use crate::report::format::{self, Tools, csv, json};
use crate::report::{Document, Release};

/// The name of the list of an edition's files.
pub const MANIFEST: &str = "manifest.json";

/// What an edition consists of. Its text, byte for byte, is hashed to the edition's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this form.
    pub v: u32,
    pub report: String,
    pub scope: String,
    pub period: String,
    pub version: u32,
    pub as_of: String,
    pub snapshot: i64,
    pub run_key: String,
    pub published_at: Timestamp,
    pub engine: String,
    /// Title and headline in each language.
    pub texts: BTreeMap<String, Texts>,
    pub completeness: Completeness,
    /// SHA-256 of each dataset's rows, by language and name.
    pub datasets: BTreeMap<String, BTreeMap<String, String>>,
    /// What is said of the publication itself: that branches were missing, who released it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// That it was published though a gate held it, and who said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
    pub files: Vec<Entry>,
}

/// The words of an edition in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Texts {
    pub title: String,
    pub message: String,
    pub scope: String,
}

/// Which branches had closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completeness {
    pub closed: usize,
    pub of: usize,
    pub open: Vec<String>,
}

/// A file of an edition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// `zh-CN.pdf`, `evidence.json`, `zh-CN/deposits.csv`.
    pub name: String,
    pub content_type: String,
    pub bytes: u64,
    pub sha256: String,
}

/// A file with its content.
#[derive(Debug, Clone)]
pub struct File {
    pub name: String,
    pub content_type: String,
    pub bytes: Bytes,
}

impl File {
    fn new(name: String, content_type: &str, bytes: Vec<u8>) -> Self {
        Self { name, content_type: content_type.to_owned(), bytes: bytes.into() }
    }

    fn entry(&self) -> Entry {
        Entry {
            name: self.name.clone(),
            content_type: self.content_type.clone(),
            bytes: self.bytes.len() as u64,
            sha256: sha256_hex(&self.bytes),
        }
    }
}

/// The files of documents that say the same in several languages: each format, each dataset as CSV, the evidence. Slow: fonts,
/// pictures, compression; not for a thread that serves others.
pub(super) fn render(documents: &[Document], formats: &[String], tools: &Tools) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for document in documents {
        let lang = document.lang.tag();
        for name in formats {
            let format = format::find(name)?;
            let bytes = format.render(document, tools)?;
            files.push(File::new(format!("{lang}.{}", format.extension()), format.content_type(), bytes));
        }
        for dataset in &document.datasets {
            let text = format!("\u{feff}{}", csv::text(dataset));
            files.push(File::new(format!("{lang}/{}.csv", dataset.name), "text/csv; charset=utf-8", text.into_bytes()));
        }
    }
    if let Some(document) = documents.first() {
        let text = serde_json::to_vec_pretty(&json::evidence(document))
            .map_err(|error| Error::internal("cannot write the evidence of an edition", error))?;
        files.push(File::new("evidence.json".into(), "application/json", text));
    }
    Ok(files)
}

/// The hash of each dataset's rows, by language and name: what decides whether an edition says something new.
pub(super) fn dataset_hashes(documents: &[Document]) -> BTreeMap<String, BTreeMap<String, String>> {
    let of = |document: &Document| {
        document.evidence.datasets.iter().map(|dataset| (dataset.name.clone(), dataset.rows_sha256.clone())).collect()
    };
    documents.iter().map(|document| (document.lang.tag().to_owned(), of(document))).collect()
}

/// One hash over all of them: whether what is read is what was read before.
pub(super) fn rows_hash(documents: &[Document]) -> String {
    let mut text = String::new();
    for (lang, datasets) in dataset_hashes(documents) {
        for (name, hash) in datasets {
            let _ = writeln!(text, "{lang} {name} {hash}");
        }
    }
    sha256_hex(text.as_bytes())
}

impl Manifest {
    /// Its text and the hash of that, which is the edition's name.
    pub fn seal(mut self, files: &[File]) -> Result<(String, String)> {
        self.files = files.iter().map(File::entry).collect();
        self.files.sort_by(|left, right| left.name.cmp(&right.name));
        let text = serde_json::to_string_pretty(&self)
            .map_err(|error| Error::internal("cannot write the manifest of an edition", error))?;
        let id = sha256_hex(text.as_bytes());
        Ok((text, id))
    }

    /// From its text.
    ///
    /// Errors: `INTERNAL` when it is not one.
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| Error::internal("the manifest of an edition cannot be read", error))
    }

    /// The entry of a file.
    pub fn file(&self, name: &str) -> Option<&Entry> {
        self.files.iter().find(|entry| entry.name == name)
    }
}

/// What a sweep found of folders that no edition names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Folders that were removed: half an edition.
    pub removed: usize,
    /// Folders that were left: a whole edition each.
    pub left: usize,
}

/// What became of one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// It has its manifest and stays.
    Whole,
    /// Somebody may still write there.
    Young,
    /// So many files are gone.
    Removed(usize),
}

/// Where editions lie.
#[derive(Debug, Clone)]
pub struct Shelf {
    store: std::sync::Arc<dyn ObjectStore>,
}

impl Shelf {
    /// Over an object store whose root is the place of editions.
    pub fn new(store: std::sync::Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }

    /// Writes an edition's files, the manifest last.
    ///
    /// Errors: `INTERNAL` when the store fails, and when a file of this name holds other bytes.
    pub async fn put(&self, id: &str, manifest: &str, files: &[File]) -> Result<()> {
        for file in files {
            self.create(id, &file.name, file.bytes.clone()).await?;
        }
        self.create(id, MANIFEST, Bytes::copy_from_slice(manifest.as_bytes())).await
    }

    async fn create(&self, id: &str, name: &str, bytes: Bytes) -> Result<()> {
        let path = place(id, name);
        let failed = |cause| Error::internal(format!("the edition's file `{name}` cannot be written"), cause);
        match self.store.put_opts(&path, bytes.clone().into(), PutOptions::from(PutMode::Create)).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                let there = self.store.get(&path).await.map_err(failed)?.bytes().await.map_err(failed)?;
                match there == bytes {
                    true => Ok(()),
                    false => {
                        Err(Error::new(Code::Internal, format!("the edition's file `{name}` exists with other bytes")))
                    }
                }
            }
            Err(cause) => Err(failed(cause)),
        }
    }

    /// The bytes of a file, compared with what the manifest says of them.
    ///
    /// Errors: `NO_SUCH_OBJECT` for a name that the manifest does not have; `INTERNAL` when the file is missing or was changed.
    pub async fn get(&self, id: &str, manifest: &Manifest, name: &str) -> Result<Bytes> {
        let entry = manifest
            .file(name)
            .ok_or_else(|| Error::new(Code::NoSuchObject, format!("The edition has no file `{name}`.")))?;
        let failed = |cause| Error::internal(format!("the edition's file `{name}` cannot be read"), cause);
        let bytes = self.store.get(&place(id, name)).await.map_err(failed)?.bytes().await.map_err(failed)?;
        if sha256_hex(&bytes) == entry.sha256 {
            Ok(bytes)
        } else {
            Err(Error::new(Code::Internal, format!("the edition's file `{name}` is not what was published")))
        }
    }

    /// Removes an edition's files, the manifest first: half an edition is none.
    pub async fn remove(&self, id: &str, manifest: &Manifest) -> Result<()> {
        for name in std::iter::once(MANIFEST).chain(manifest.files.iter().map(|entry| entry.name.as_str())) {
            match self.store.delete(&place(id, name)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(cause) => {
                    return Err(Error::internal(format!("the edition's file `{name}` cannot be removed"), cause));
                }
            }
        }
        Ok(())
    }

    /// The names of all folders that an edition could have: hashes.
    pub async fn folders(&self) -> Result<Vec<String>> {
        let failed = |cause| Error::internal("the place of editions cannot be listed", cause);
        let found = self.store.list_with_delimiter(None).await.map_err(failed)?;
        let is_hash = |name: &String| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        Ok(found.common_prefixes.iter().map(ToString::to_string).filter(is_hash).collect())
    }

    /// Removes the files of a folder that has no manifest, unless one of them was written at `before` or later.
    pub(super) async fn sweep(&self, id: &str, before: Timestamp) -> Result<Left> {
        let failed = |cause| Error::internal(format!("the folder `{id}` of the editions cannot be swept"), cause);
        let files: Vec<_> = self.store.list(Some(&Path::from(id))).try_collect().await.map_err(failed)?;
        // It is written last: with it the folder is an edition, be it one that this catalog does not know.
        if files.iter().any(|file| file.location == place(id, MANIFEST)) {
            return Ok(Left::Whole);
        }
        if files.is_empty() || files.iter().any(|file| file.last_modified.timestamp() >= before.as_second()) {
            return Ok(Left::Young);
        }
        for file in &files {
            match self.store.delete(&file.location).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(cause) => return Err(failed(cause)),
            }
        }
        Ok(Left::Removed(files.len()))
    }
}

fn place(id: &str, name: &str) -> Path {
    Path::from(format!("{id}/{name}"))
}
