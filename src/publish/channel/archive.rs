//! Archive: all files of an edition under a prefix of an object store.
//!
//! In: a parcel. Out: `REPORT/SCOPE/PERIOD/v1-HASH/FILE` for each file and the edition's `manifest.json` after them, so that a folder
//! with a manifest is whole and `countinghouse verify FOLDER` can check it without a server. Files are only ever created: one that is there already is read back, and the same bytes are as good as
//! written. How long they are kept is left to the store's own rules.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutMode, PutOptions};

use super::{Channel, Outcome, Parcel, Recipient, Setup};
use crate::auth::sha256_hex;
use crate::error::Result;
use crate::storage::{self, Storage};

pub(super) const NAME: &str = "archive";

const MANIFEST: &str = "manifest.json";

#[derive(Debug)]
struct Archive {
    storage: Storage,
    deadline: Duration,
}

pub(super) fn open(setup: &Setup<'_>) -> Result<Option<Arc<dyn Channel>>> {
    let Some(config) = &setup.config.archive else { return Ok(None) };
    let storage = storage::open(&config.url, setup.state)?;
    Ok(Some(Arc::new(Archive { storage, deadline: config.deadline })))
}

#[async_trait]
impl Channel for Archive {
    fn name(&self) -> &'static str {
        NAME
    }

    fn repeatable(&self) -> bool {
        true
    }

    async fn send(&self, parcel: &Parcel, _: &Recipient) -> Outcome {
        let mut written = 0;
        let ended = tokio::time::timeout(self.deadline, self.write(parcel, &mut written)).await;
        match ended {
            Ok(Ok(answer)) => Outcome::accepted(answer, written),
            Ok(Err(Failure { why, transient })) => Outcome::failed(why, transient, written),
            Err(_) => Outcome::failed(
                format!("the archive was not written within {} s", self.deadline.as_secs()),
                true,
                written,
            ),
        }
    }
}

/// Why an object is not there.
struct Failure {
    why: String,
    transient: bool,
}

impl Failure {
    fn permanent(why: String) -> Self {
        Self { why, transient: false }
    }
}

impl Archive {
    /// All files, then the manifest. `written` counts the bytes of new objects.
    async fn write(&self, parcel: &Parcel, written: &mut u64) -> std::result::Result<String, Failure> {
        let hash = component(parcel.edition.get(..12).unwrap_or(&parcel.edition));
        let folder = [
            component(&parcel.report),
            component(&parcel.scope.value),
            component(&parcel.period.value),
            format!("v{}-{hash}", parcel.version),
        ]
        .join("/");
        for file in &parcel.files {
            if sha256_hex(&file.bytes) != file.sha256 {
                return Err(Failure::permanent(format!(
                    "the file `{}` of the edition {} is not the one that its SHA-256 tells of",
                    file.name, parcel.edition
                )));
            }
            let object = match file.name.split('/').map(component).collect::<Vec<_>>().join("/") {
                name if name.eq_ignore_ascii_case(MANIFEST) => format!("_{name}"),
                name => name,
            };
            self.create(&format!("{folder}/{object}"), file.bytes.clone(), written).await?;
        }
        self.create(&format!("{folder}/{MANIFEST}"), parcel.manifest.clone(), written).await?;
        Ok(format!("{folder}/{MANIFEST}"))
    }

    /// One object, unless it is there with these bytes.
    async fn create(&self, path: &str, bytes: Bytes, written: &mut u64) -> std::result::Result<(), Failure> {
        use object_store::Error;
        let failed = |cause: Error| Failure {
            transient: !matches!(
                cause,
                Error::PermissionDenied { .. }
                    | Error::Unauthenticated { .. }
                    | Error::NotSupported { .. }
                    | Error::NotImplemented { .. }
                    | Error::InvalidPath { .. }
                    | Error::UnknownConfigurationKey { .. }
            ),
            why: format!("`{path}` of the archive: {cause}"),
        };
        let object = Path::parse(path).map_err(|cause| Failure::permanent(format!("`{path}`: {cause}")))?;
        let store = self.storage.store();
        match store.put_opts(&object, bytes.clone().into(), PutOptions::from(PutMode::Create)).await {
            Ok(_) => {
                *written += bytes.len() as u64;
                Ok(())
            }
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                // The size first: something else of that name may be large.
                let same = store.head(&object).await.map_err(failed)?.size == bytes.len() as u64
                    && store.get(&object).await.map_err(failed)?.bytes().await.map_err(failed)? == bytes;
                match same {
                    true => Ok(()),
                    false => Err(Failure::permanent(format!(
                        "ALARM: `{path}` is in the archive with other bytes than this edition has. Either somebody changed the \
                         archive, or the same edition was made twice with different results. Nothing was overwritten."
                    ))),
                }
            }
            Err(cause) => Err(failed(cause)),
        }
    }
}

/// The text as one part of a path: letters, digits, `.`, `_`, `-` and `=`. One that had to be changed ends in a hash of what it
/// was, before its extension, so that different texts stay different.
fn component(text: &str) -> String {
    const LONGEST: usize = 120;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '=');
    if !text.is_empty() && text.len() <= LONGEST && !text.starts_with('.') && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let clean: String = text.chars().take(LONGEST).map(|c| if is_plain(c) { c } else { '_' }).collect();
    let (stem, extension) = match clean.trim_start_matches('.').rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= 8 => (stem.to_owned(), format!(".{extension}")),
        _ => (clean.trim_start_matches('.').to_owned(), String::new()),
    };
    let hash = sha256_hex(text.as_bytes());
    format!("{stem}-{}{extension}", hash.get(..8).unwrap_or_default())
}
