//! Sweeping: files that no version of any table ever named.
//!
//! A publication that died before *prepare* leaves data files and perhaps an intent. They may be a load still in progress, so
//! they stay for a day, longer than any load; and the writer's lease is held, so none starts meanwhile.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use jiff::SignedDuration;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};

use super::Warehouse;
use super::publication::INTENTS;
use crate::error::{Error, Result};

/// How long a file that nobody refers to is left alone.
const ORPHAN_AGE: SignedDuration = SignedDuration::from_hours(24);

/// What a sweep removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Data files and intents.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Remains of interrupted uploads.
    pub uploads: u64,
}

impl Warehouse {
    /// Removes orphans older than a day. Every file that any entry of a log ever added is kept, also of aborted publications:
    /// whatever can be named by a version stays readable.
    ///
    /// Errors: `BUSY` while a writer lives.
    pub async fn sweep(&self) -> Result<Swept> {
        let lease = self.catalog.acquire_lease("sweep").await?;
        self.recover(&lease).await?;
        let mut swept = Swept::default();
        let older_than = self.clock.now() - ORPHAN_AGE;
        let mut names: BTreeSet<String> = self.tables.keys().cloned().collect();
        names.extend(self.head().await?.into_iter().flat_map(|head| head.tables.clone().into_keys()));
        for name in names {
            let Some(named) = self.named(&name).await? else { continue };
            for object in self.list(&name).await? {
                let path = object.location.as_ref();
                let data = path.ends_with(".parquet") && !path.starts_with(&format!("{name}/_delta_log/"));
                if data && !named.contains(path) && object.last_modified.timestamp() < older_than.as_second() {
                    self.remove(&object, &mut swept).await?;
                }
            }
        }
        let published: BTreeSet<i64> =
            self.catalog.snapshots().await?.into_iter().map(|snapshot| snapshot.publication).collect();
        for object in self.list(INTENTS).await? {
            // Intents of published publications stay: lost snapshots are rebuilt from them.
            let number = object.location.filename().and_then(|name| name.split_once('-')?.0.parse::<i64>().ok());
            if number.is_some_and(|number| !published.contains(&number))
                && object.last_modified.timestamp() < older_than.as_second()
            {
                self.remove(&object, &mut swept).await?;
            }
        }
        swept.uploads = self.storage.remove_stale_uploads(older_than).await?;
        self.catalog.release_lease(&lease).await?;
        Ok(swept)
    }

    /// All files that the log of a table ever added; none (keep everything) when entries were trimmed.
    async fn named(&self, table: &str) -> Result<Option<BTreeSet<String>>> {
        let log = self.log(table);
        let mut named = BTreeSet::new();
        let Some(latest) = log.latest(0).await? else { return Ok(Some(named)) };
        for version in 0..=latest {
            match log.entry(version).await? {
                Some(entry) => named.extend(entry.adds),
                None => return Ok(None),
            }
        }
        Ok(Some(named))
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectMeta>> {
        let objects = self.storage.store().list(Some(&Path::from(folder))).try_collect().await;
        objects.map_err(|cause| Error::internal("cannot list the warehouse", cause))
    }

    async fn remove(&self, object: &ObjectMeta, swept: &mut Swept) -> Result<()> {
        self.storage
            .store()
            .delete(&object.location)
            .await
            .map_err(|cause| Error::internal(format!("cannot remove {}", object.location), cause))?;
        swept.objects += 1;
        swept.bytes += object.size;
        Ok(())
    }
}
