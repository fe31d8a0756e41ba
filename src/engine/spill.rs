//! The folder for what outgrows its memory: one for each engine, and gone with it. What a killed process left is taken away by
//! the next that starts.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

const PREFIX: &str = "spill-";
/// Held while the folder is in use; a lock ends with its process, however that ends.
const LOCK: &str = "in-use";

#[derive(Debug)]
pub(super) struct Spill {
    folder: PathBuf,
    _lock: File,
}

impl Spill {
    /// A new folder in `parent`, which is made if it is missing.
    pub(super) fn open(parent: &Path) -> Result<Self> {
        let fault = |error| Error::internal(format!("cannot make a spill folder in `{}`", parent.display()), error);
        fs::create_dir_all(parent).map_err(fault)?;
        sweep(parent);
        let folder = parent.join(format!("{PREFIX}{}", uuid::Uuid::now_v7().simple()));
        fs::create_dir(&folder).map_err(fault)?;
        let lock = File::create(folder.join(LOCK)).map_err(fault)?;
        lock.lock().map_err(fault)?;
        Ok(Self { folder, _lock: lock })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes folders that nobody holds. One without a lock yet is just being made.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for folder in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let lock = File::open(folder.path().join(LOCK));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Spill;

    #[test]
    fn a_folder_is_gone_with_its_engine_or_its_process() {
        let parent = tempfile::tempdir().unwrap();
        let names = || std::fs::read_dir(parent.path()).unwrap().count();
        let first = Spill::open(parent.path()).unwrap();
        std::fs::write(first.folder().join("rows"), "1").unwrap();
        let killed = parent.path().join("spill-killed");
        std::fs::create_dir(&killed).unwrap();
        std::fs::write(killed.join("in-use"), "").unwrap();
        let second = Spill::open(parent.path()).unwrap();
        assert!(first.folder().join("rows").exists() && !killed.exists());
        assert_ne!(first.folder(), second.folder());
        drop((first, second));
        assert_eq!(names(), 0);
    }
}
