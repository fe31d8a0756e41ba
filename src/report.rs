//! Reports: definition, run, document, formats.
//!
//! In: a report definition, the URL's parameters, a principal. Out: a [`Document`], which a format turns into bytes. Figures come
//! through the query door only, under the reader's own rights and at one snapshot; SQL does the arithmetic, `compose` chooses
//! units and words, formats choose neither.

mod calendar;
mod compose;
pub mod document;
mod figure;
pub mod font;
pub mod format;
mod message;
pub mod parameter;
mod run;
pub mod value;
pub mod worker;

pub use document::{Document, Imprint, Release};
pub use figure::figure;
pub use run::{Ask, may_open, run};

use tokio::task::JoinSet;

use crate::error::{Error, Result};

/// Does what takes long (fonts, pictures, compression) beside the threads that serve others.
///
/// # Errors
/// Those of the work; `INTERNAL` when it panicked.
pub async fn draw<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let mut task = JoinSet::new();
    task.spawn_blocking(work);
    match task.join_next().await {
        Some(Ok(drawn)) => drawn,
        Some(Err(error)) => Err(Error::internal("a document could not be drawn", error)),
        None => Err(Error::internal("a document could not be drawn", "nothing was begun")),
    }
}

#[cfg(test)]
mod tests;
