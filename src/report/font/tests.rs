use std::collections::BTreeSet;
use std::path::Path;

use super::{Fonts, files};
use crate::error::Code;

/// A folder with one Latin face and a file that is no font.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let face = typst_assets::fonts().next().unwrap();
    std::fs::write(folder.path().join("face.otf"), face).unwrap();
    std::fs::write(folder.path().join("README"), "no font").unwrap();
    folder
}

#[test]
fn a_character_without_a_glyph_is_marked_and_told() {
    let fonts = Fonts::load(Some(folder().path())).unwrap();
    assert_eq!(fonts.missing("Zürich − 12\u{a0}%\n"), Vec::<char>::new());
    assert_eq!(fonts.missing("存A款存\u{e000}"), ['存', '款', '\u{e000}']);
    let mut missing = BTreeSet::new();
    assert_eq!(fonts.substitute(), '□');
    assert_eq!(fonts.cover("a存b\u{e000}\u{200b}", &mut missing), "a□b□\u{200b}");
    assert_eq!(missing, ['存', '\u{e000}'].into());
}

#[test]
fn chinese_text_without_a_chinese_face_is_refused_with_its_cure() {
    let fonts = Fonts::load(Some(folder().path())).unwrap();
    assert!(!fonts.has_chinese());
    assert!(fonts.require("Deposits – 12 % ▲").is_ok());
    for text in ["存款", "，", "（", "\u{20000}"] {
        let error = fonts.require(text).unwrap_err();
        assert_eq!(error.code(), Code::Definition, "{text}");
        assert!(error.message().contains("`fonts-noto-cjk`") && error.message().contains("setting `fonts`"));
    }
}

#[test]
fn the_digest_is_of_the_faces_alone() {
    let (one, two) = (folder(), folder());
    let digest = |folder: &Path| Fonts::load(Some(folder)).unwrap().digest().to_owned();
    std::fs::write(two.path().join("notes.txt"), "more").unwrap();
    assert_eq!(digest(one.path()), digest(two.path()));
    assert_eq!(digest(one.path()).len(), 64);
    std::fs::write(two.path().join("second.ttf"), typst_assets::fonts().last().unwrap()).unwrap();
    assert_ne!(digest(one.path()), digest(two.path()));
    let names: Vec<_> = files(two.path()).unwrap().iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["face.otf", "second.ttf"]);
}

#[test]
fn faces_that_changed_meanwhile_are_not_drawn_with() {
    let folder = folder();
    let fonts = Fonts::load(Some(folder.path())).unwrap();
    assert_eq!(fonts.open().unwrap().families, ["Libertinus Serif", "DejaVu Sans Mono"]);
    std::fs::write(folder.path().join("second.ttf"), typst_assets::fonts().last().unwrap()).unwrap();
    assert_eq!(fonts.open().unwrap_err().code(), Code::Definition);
}

#[test]
fn a_configured_folder_must_hold_fonts() {
    let folder = tempfile::tempdir().unwrap();
    let error = Fonts::load(Some(folder.path())).unwrap_err();
    assert!(error.message().contains("holds no font"), "{error}");
    let error = Fonts::load(Some(&folder.path().join("none"))).unwrap_err();
    assert_eq!(error.code(), Code::Definition);
}
