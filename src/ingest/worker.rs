//! Work that computes, away from the runtime's threads.
//!
//! A load parses, sorts and compares for minutes. Each such stage runs on a thread of its own; the future that waits for
//! it passes its progress on, and stops it when it is dropped. `block_in_place` would panic on a single-threaded runtime,
//! and a pool would let two loads starve a statement.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::Progress;
use crate::error::{Code, Error, Result};

/// What a stage knows of whoever waits for it.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    stopped: Arc<AtomicBool>,
    steps: mpsc::UnboundedSender<(String, u64, Option<u64>)>,
}

impl Stage {
    /// An error when nobody waits any more; asked between two batches.
    pub(super) fn proceed(&self) -> Result<()> {
        if self.stopped.load(Ordering::Relaxed) {
            Err(Error::new(Code::Cancelled, "the load was stopped"))
        } else {
            Ok(())
        }
    }

    /// Tells how far the work is.
    pub(super) fn step(&self, name: &str, done: u64, total: Option<u64>) {
        // Nobody listens after a stop: `proceed` says so soon.
        let _ = self.steps.send((name.to_owned(), done, total));
    }
}

struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `work` on its own thread and waits for it. Dropping the future stops the work at its next batch.
pub(super) async fn on_thread<T, W>(progress: &dyn Progress, work: W) -> Result<T>
where
    T: Send + 'static,
    W: FnOnce(&Stage) -> Result<T> + Send + 'static,
{
    let stopped = Arc::new(AtomicBool::new(false));
    let _stop = StopOnDrop(Arc::clone(&stopped));
    let (steps, mut told) = mpsc::unbounded_channel();
    let (answer, mut answered) = oneshot::channel();
    let stage = Stage { stopped, steps };
    let span = tracing::Span::current();
    std::thread::Builder::new()
        .name("load".to_owned())
        .spawn(move || {
            let _entered = span.enter();
            // The receiver is gone when the load was stopped.
            let _ = answer.send(work(&stage));
        })
        .map_err(|error| Error::internal("a thread for the load is started", error))?;
    loop {
        tokio::select! {
            biased;
            Some((name, done, total)) = told.recv() => progress.step(&name, done, total),
            result = &mut answered => {
                return result.unwrap_or_else(|_| Err(Error::internal("the load computes", "its thread panicked")));
            }
        }
    }
}
