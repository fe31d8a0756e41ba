use std::sync::Arc;

use super::{chart_png, chart_pngs, split_picture};
use crate::error::Code;
use crate::report::font::Fonts;
use crate::report::format::Tools;
use crate::report::worker::Worker;

#[test]
fn a_chart_becomes_a_picture_of_the_width_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("face.otf"), typst_assets::fonts().next().unwrap()).unwrap();
    let fonts = Arc::new(Fonts::load(Some(folder.path())).unwrap());
    let tools = Tools { fonts, worker: Worker::in_process() };
    let svg = |text: &str| {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"300\" height=\"150\" font-family=\"sans-serif\">\
             <text x=\"10\" y=\"80\" font-size=\"20\">{text}</text></svg>"
        )
    };
    let png = chart_png(&svg("Deposits"), 600, &tools).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    assert_eq!(png[16..24], [0, 0, 2, 88, 0, 0, 1, 44], "600 × 300");
    assert_ne!(png, chart_png(&svg(""), 600, &tools).unwrap(), "its text is drawn");
    assert_eq!(chart_png(&svg("存款"), 600, &tools).unwrap_err().code(), Code::Definition);
    // Several at once are each what it is alone.
    let (one, two) = (svg("Loans"), svg("Deposits"));
    let pictures = chart_pngs(&[(&one, 300), (&two, 600)], &tools).unwrap();
    assert_eq!(pictures.len(), 2);
    assert_eq!(pictures[0][16..24], [0, 0, 1, 44, 0, 0, 0, 150], "300 × 150");
    assert!(pictures[1] == png);
    assert!(chart_pngs(&[], &tools).unwrap().is_empty());
    let both = pictures.concat();
    let (first, rest) = split_picture(&both).unwrap();
    assert!(first == pictures[0] && rest == pictures[1]);
    for cut in [0, 7, 8, 20, both.len() - 1] {
        let rest = split_picture(&both[..cut]).map_or(&both[..cut], |(_, rest)| rest);
        assert!(split_picture(rest).is_none(), "{cut}");
    }
}
