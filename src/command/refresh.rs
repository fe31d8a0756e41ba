//! `countinghouse refresh`

use clap::Args;

use super::{Place, say};
use crate::app::App;
use crate::error::Result;

/// Nothing to choose yet: rollups come with the navigator.
#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) async fn run(place: &Place, Arguments {}: Arguments) -> Result<()> {
    let app = App::open(&place.project, &place.state).await?;
    let swept = app.warehouse.sweep().await?;
    let head = app.services.door.head().await?;
    let cubes = app.services.door.model().cubes.len();
    say(&format!(
        "snapshot {} is served by {cubes} cubes straight from the facts: no rollup is declared, so there is nothing to \
         build; {} orphaned files were removed",
        head.snapshot_id, swept.objects
    ));
    Ok(())
}
