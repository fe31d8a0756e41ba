//! `countinghouse refresh [CUBE ...]`

use clap::Args;

use super::progress::Progress;
use super::{Place, say};
use crate::app::App;
use crate::error::Result;

/// Cubes to bring up to date.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only these cubes' rollups; all when none is named.
    #[arg(value_name = "CUBE")]
    cubes: Vec<String>,
}

pub(super) async fn run(place: &Place, arguments: Arguments) -> Result<()> {
    let app = App::open(&place.project, &place.state).await?;
    refresh(&app, &arguments.cubes).await?;
    let swept = app.warehouse.sweep().await?;
    if swept.objects > 0 {
        say(&format!("{} orphaned files were removed", swept.objects));
    }
    Ok(())
}

/// Refreshes rollups and prints what became of each.
pub(super) async fn refresh(app: &App, cubes: &[String]) -> Result<()> {
    let progress = Progress::new();
    let refreshed = app.services.door.refresh(cubes, &progress).await;
    progress.finish();
    let refreshed = refreshed?;
    let (mut built, mut proved) = (0, 0);
    for rollup in &refreshed.rollups {
        built += rollup.built;
        proved += rollup.proved;
        if rollup.built == 0 {
            continue;
        }
        let (name, cube) = (&rollup.name, &rollup.cube);
        let share = 100 * rollup.rows / rollup.fact_rows.max(1);
        let advice = if share > 50 { ", more than half of them: it saves little" } else { "" };
        say(&format!(
            "rollup {name} of {cube}: {} partitions built, {} fresh already; {} rows for {} facts{advice}",
            rollup.built, rollup.fresh, rollup.rows, rollup.fact_rows
        ));
    }
    let snapshot = refreshed.snapshot;
    match (refreshed.rollups.is_empty(), built) {
        (true, _) => say("no rollup is declared: there is nothing to refresh"),
        (false, 0) => say(&format!("all {} rollups are fresh; snapshot {snapshot}", refreshed.rollups.len())),
        _ => say(&format!("{proved} figures tie out with their facts, branch by branch; snapshot {snapshot}")),
    }
    Ok(())
}
