//! `countinghouse sample`

use std::path::PathBuf;

use clap::Args;

use super::progress::Progress;
use super::say;
use crate::error::Result;
use crate::ingest::Progress as _;
use crate::sample::{Options, Summary, generate};

/// What bank to make.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Folder for the batches.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Number of customers.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    customers: u32,
    /// Number of months from January 2024.
    #[arg(long, default_value_t = 24, value_name = "M")]
    months: u32,
    /// Any number; the same number gives the same bytes.
    #[arg(long, default_value_t = SEED, value_name = "S")]
    seed: u64,
    /// Offices that serve customers.
    #[arg(long, value_name = "K")]
    outlets: Option<u32>,
}

/// Seed of the committed sample.
pub(super) const SEED: u64 = crate::sample::SEED;

pub(super) fn run(arguments: Arguments) -> Result<()> {
    let Arguments { out, customers, months, seed, outlets } = arguments;
    let summary = write(&Options { out: out.clone(), customers, months, seed, outlets })?;
    let rows: u64 = summary.files.iter().map(|file| file.rows).sum();
    say(&format!(
        "wrote {rows} rows in {} files of 2 batches to {}: {customers} customers, {months} months, {} outlets, seed {seed}",
        summary.files.len(),
        out.display(),
        summary.outlets
    ));
    Ok(())
}

/// Writes a bank, telling how far it is.
pub(super) fn write(options: &Options) -> Result<Summary> {
    let progress = Progress::new();
    let summary = generate(options, &mut |step, done, total| progress.step(step, done, Some(total)));
    progress.finish();
    summary
}
