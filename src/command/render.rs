//! `countinghouse render`: the worker process of PDF and PNG. The server starts it; people have no use for it.

use crate::error::Result;
use crate::report::worker;

pub(super) fn run() -> Result<()> {
    worker::serve_worker(std::io::stdin().lock(), std::io::stdout().lock())
}
