//! The server's secret: 32 random bytes in `STATE/secret.key`, readable by its owner only.
//!
//! Everything keyed (password pepper, form tokens, tickets) is derived from it by purpose. It stands in a file and not in the
//! catalog, so that a copy of the catalog database alone is not enough to guess passwords.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::sha256_hex;
use crate::catalog::{Catalog, random_hex};
use crate::error::{Code, Error, Result};

const FILE: &str = "secret.key";

#[derive(Clone)]
pub(super) struct Secret(Arc<[u8; 32]>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Reads the secret of the catalog's state folder, or makes it when there never was one.
    pub(super) async fn load(catalog: &Catalog) -> Result<Self> {
        let path = catalog.state().join(FILE);
        let known = catalog.setting("secret_check").await?;
        if known.is_none() {
            create(&path).map_err(|e| Error::internal(format!("`{}` cannot be written.", path.display()), e))?;
        }
        let text = fs::read_to_string(&path).map_err(|e| {
            Error::internal(
                format!("`{}` cannot be read. Without it no password is valid: restore it.", path.display()),
                e,
            )
        })?;
        let secret = parse(text.trim()).ok_or_else(|| {
            Error::new(
                Code::Internal,
                format!(
                    "`{}` is not 64 hexadecimal digits: restore the file this state was made with.",
                    path.display()
                ),
            )
        })?;
        // A foreign secret would make every password wrong without saying why.
        let check = sha256_hex(&secret.derive("secret check"));
        let kept = catalog.keep_setting("secret_check", &check).await?;
        if kept != check {
            return Err(Error::new(
                Code::Internal,
                format!("`{}` belongs to another catalog: restore the file this state was made with.", path.display()),
            ));
        }
        Ok(secret)
    }

    /// A key for one purpose. Both hashed parts have a fixed length, so no purpose's key helps to compute another's.
    pub(super) fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.0.as_slice());
        hash.update(Sha256::digest(purpose.as_bytes()));
        hash.finalize().into()
    }
}

/// Makes the file, unless another process just did. It is written beside and linked into place, so that no one ever reads half.
fn create(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let name = random_hex(8).map_err(io::Error::other)?;
    let draft = path.with_file_name(format!(".{FILE}.{name}"));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&draft).and_then(|mut file| {
        writeln!(file, "{}", random_hex(32).map_err(io::Error::other)?)?;
        file.sync_all()?;
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    });
    let _ = fs::remove_file(&draft); // left over at worst, and nobody reads it
    if let Some(folder) = path.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    written
}

fn parse(text: &str) -> Option<Secret> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0_u8; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(Secret(Arc::new(bytes)))
}
