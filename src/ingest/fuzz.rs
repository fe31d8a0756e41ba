//! Feeds and their data files that may be anything; see `fuzzing`.

use std::io::Write;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use super::parse;
use super::sources::{SOURCES, SourceFile};
use crate::model::feed;

/// A feed whose first data file has three columns.
const FEED: &str = "node: n\nbatch: 1\nbusiness_date: 2025-01-31\nsource: s\nfiles:\n  - path: x\n    format: csv\n    table: t\n    \
                    columns: [{name: a}, {name: b}, {name: c}]\n";

/// The first byte chooses: a feed, or a data file of one of the forms.
pub fn fuzz_feed(bytes: &[u8]) {
    static FILE: LazyLock<feed::FeedFile> = LazyLock::new(|| {
        feed::parse("feed.yaml", FEED).ok().and_then(|feed| feed.files.into_iter().next()).expect("a feed")
    });
    let Some((chosen, content)) = bytes.split_first() else { return };
    // Not Parquet: libFuzzer ends at every panic, and those of that reader, which is not ours, are caught where it is called.
    let ours = SOURCES.iter().filter(|source| source.format() != "parquet");
    let Some(source) = ours.copied().nth(usize::from(chosen % 4)) else {
        if let Ok(text) = std::str::from_utf8(content) {
            let _ = feed::parse("feed.yaml", text);
        }
        return;
    };
    let Ok(mut file) = scratch() else { return };
    if file.1.write_all(content).is_err() {
        return;
    }
    let file = SourceFile { path: file.0, feed: FILE.clone() };
    let mut rows = 0;
    let _ = source.read(&file, &mut |batch| {
        for row in 0..batch.len() {
            for cell in (0..3).filter_map(|column| batch.cell(row, column)) {
                let _ = (parse::text(cell), parse::integer(cell), parse::decimal(cell, 18, 2), parse::float(cell));
                let _ =
                    (parse::boolean(cell), parse::date(cell, None), parse::timestamp(cell, None), parse::exact(cell));
                let _ = parse::date(cell, Some("%d.%m.%Y"));
            }
            let _ = batch.raw(row, &file);
        }
        rows += batch.len();
        ControlFlow::Continue(())
    });
    assert!(rows <= content.len() + 1, "{rows} rows of {} bytes", content.len());
}

/// A file of this process alone, written anew for every input.
fn scratch() -> std::io::Result<(std::path::PathBuf, std::fs::File)> {
    let folder = if std::path::Path::new("/dev/shm").is_dir() { "/dev/shm".into() } else { std::env::temp_dir() };
    let path = folder.join(format!("countinghouse-fuzz-{}", std::process::id()));
    Ok((path.clone(), std::fs::File::create(path)?))
}
