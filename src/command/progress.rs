//! Progress of long work: a bar on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Duration, Instant};

use super::say_error;
use crate::ingest;

/// Seconds between plain lines.
const EVERY: Duration = Duration::from_secs(2);

/// Tells the person how far the work is.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    plain: Mutex<HashMap<String, Instant>>,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            if let Ok(style) = ProgressStyle::with_template("{msg:28} {wide_bar} {pos}/{len}") {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, plain: Mutex::default() }
    }

    /// Takes the bar away, so that results can be printed.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl ingest::Progress for Progress {
    fn step(&self, name: &str, done: u64, total: Option<u64>) {
        if let Some(bar) = &self.bar {
            bar.set_message(name.to_owned());
            bar.set_length(total.unwrap_or(done));
            bar.set_position(done);
            return;
        }
        let finished = total == Some(done);
        let mut plain = self.plain.lock().expect("no panic while held");
        let now = Instant::now();
        let last = plain.entry(name.to_owned()).or_insert(now);
        if finished || now.duration_since(*last) >= EVERY {
            *last = now;
            match total {
                Some(total) => say_error(&format!("{name}: {done} of {total}")),
                None => say_error(&format!("{name}: {done}")),
            }
        }
    }
}
