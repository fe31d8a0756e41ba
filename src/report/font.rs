//! Font faces of PDF and PNG: which there are, which characters they have, and the digest that stands for them.
//!
//! In: the configured folder, or the files of Debian's package `fonts-noto-cjk`; Latin faces are compiled in. No other font of
//! the machine is ever read, so the same files give the same pages everywhere. Out: the check of every character before it is
//! drawn, and the opened faces for the typesetter. What the pages look like is decided in [`super::format`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use typst::foundations::Bytes;
use typst::text::{Font, FontInfo, FontStyle};

use crate::error::{Code, Error, Result};

/// The Chinese family of every page.
pub const CHINESE: &str = "Noto Sans CJK SC";
/// Families compiled in, in the order in which they help out.
const LATIN: [&str; 2] = ["Libertinus Serif", "DejaVu Sans Mono"];
/// Where Debian's package `fonts-noto-cjk` puts its files, and those of them that are read: others beside them change nothing.
const DEBIAN_FOLDER: &str = "/usr/share/fonts/opentype/noto";
const DEBIAN_FILES: [&str; 2] = ["NotoSansCJK-Bold.ttc", "NotoSansCJK-Regular.ttc"];
/// Files that a configured folder is searched for.
const EXTENSIONS: [&str; 4] = ["otc", "otf", "ttc", "ttf"];

/// What is known of the faces. Small: the files themselves are opened when a page is set, see [`Fonts::open`].
#[derive(Debug, Clone)]
pub struct Fonts {
    folder: Option<PathBuf>,
    faces: Vec<FontInfo>,
    digest: String,
}

/// The faces themselves, in the order of [`Fonts`].
#[derive(Debug, Clone)]
pub struct Faces {
    /// Faces with their data.
    pub fonts: Vec<Font>,
    /// Their families, each once, in order.
    pub families: Vec<String>,
}

/// A character without a glyph is printed as this, and a footnote tells which it was.
const SUBSTITUTES: [char; 2] = ['〓', '□'];

impl Fonts {
    /// Reads the font files of a folder (`None`: those of Debian's package, if they are there) and the compiled-in faces.
    ///
    /// # Errors
    /// `DEFINITION` when a configured folder cannot be read or holds no font. No Chinese face is no error here: it is one
    /// when Chinese text is to be drawn, see [`Fonts::require`].
    pub fn load(folder: Option<&Path>) -> Result<Self> {
        // A worker process has another working folder.
        let folder =
            folder.map(|folder| std::path::absolute(folder).map_err(|error| unreadable(folder, error))).transpose()?;
        let fonts = read(folder.as_deref())?;
        let faces = fonts.iter().map(|font| font.info().clone()).collect();
        Ok(Self { folder, faces, digest: digest(&fonts) })
    }

    /// Opens the faces for typesetting: some 40 MB, to be dropped afterwards.
    ///
    /// # Errors
    /// As [`Faces::open`].
    pub fn open(&self) -> Result<Faces> {
        Faces::open(self.folder(), &self.digest)
    }

    /// The folder that was configured.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// SHA-256 of all faces, hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether Chinese text can be drawn.
    pub fn has_chinese(&self) -> bool {
        self.faces.iter().any(|face| face.family == CHINESE)
    }

    /// The characters of a text that no face has, each once, in order of appearance. White space counts as drawn.
    pub fn missing(&self, text: &str) -> Vec<char> {
        let mut missing = Vec::new();
        for char in text.chars() {
            if !self.has(char) && !missing.contains(&char) {
                missing.push(char);
            }
        }
        missing
    }

    /// The text with a mark for every character that no face has; the characters themselves are collected in `missing`.
    pub fn cover(&self, text: &str, missing: &mut BTreeSet<char>) -> String {
        let mark = self.substitute();
        let cover = |char: char| {
            if self.has(char) {
                return char;
            }
            missing.insert(char);
            mark
        };
        text.chars().map(cover).collect()
    }

    /// What [`Fonts::cover`] prints in place of a character without a glyph.
    pub fn substitute(&self) -> char {
        SUBSTITUTES.into_iter().find(|char| self.has(*char)).unwrap_or('?')
    }

    /// Refuses Chinese text where no face can draw it: a page of marks is no page.
    ///
    /// # Errors
    /// `DEFINITION`, with what cures it.
    pub fn require(&self, text: &str) -> Result<()> {
        if self.has_chinese() || !text.chars().any(is_chinese) {
            return Ok(());
        }
        Err(Error::new(
            Code::Definition,
            format!(
                "the report has Chinese text and the server has no face of `{CHINESE}` to draw it: install the Debian package \
                 `fonts-noto-cjk`, or let the setting `fonts` name a folder that holds the face; HTML and data need no font"
            ),
        ))
    }

    fn has(&self, char: char) -> bool {
        // These have no glyph and need none.
        if matches!(char, '\n' | '\t' | ' ' | '\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
            || matches!(char, '\u{fe00}'..='\u{fe0f}')
        {
            return true;
        }
        self.faces.iter().any(|face| face.coverage.contains(char.into()))
    }
}

impl Faces {
    /// Opens the faces of a folder, see [`Fonts::load`], if they are those of a digest.
    ///
    /// # Errors
    /// `DEFINITION` when they are not: pages would not match the digest in their run key.
    pub fn open(folder: Option<&Path>, expected: &str) -> Result<Self> {
        let fonts = read(folder)?;
        if digest(&fonts) != expected {
            return Err(Error::new(
                Code::Definition,
                "the font files have changed since the server read them: start the server again",
            ));
        }
        let mut families: Vec<String> = Vec::new();
        for font in &fonts {
            if !families.contains(&font.info().family) {
                families.push(font.info().family.clone());
            }
        }
        Ok(Self { fonts, families })
    }
}

/// Han characters and the punctuation and full-width forms that come with them.
fn is_chinese(char: char) -> bool {
    matches!(char, '\u{2e80}'..='\u{2fdf}' | '\u{3000}'..='\u{303f}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}')
        || matches!(char, '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}')
}

/// Faces in the order in which they are asked for a glyph: the Chinese family, what else the folder holds, Latin.
fn read(folder: Option<&Path>) -> Result<Vec<Font>> {
    let files = match folder {
        Some(folder) => files(folder)?,
        None => {
            DEBIAN_FILES.iter().map(|file| Path::new(DEBIAN_FOLDER).join(file)).filter(|file| file.exists()).collect()
        }
    };
    let (mut fonts, mut others) = (Vec::new(), Vec::new());
    for file in files {
        let data = std::fs::read(&file).map_err(|error| unreadable(&file, error))?;
        for font in Font::iter(Bytes::new(data)) {
            let family = font.info().family.as_str();
            if family == CHINESE {
                fonts.push(font);
            } else if !is_regional(family) {
                others.push(font);
            }
        }
    }
    fonts.append(&mut others);
    if let (Some(folder), true) = (folder, fonts.is_empty()) {
        return Err(Error::new(
            Code::Definition,
            format!("the folder of the setting `fonts`, {}, holds no font that can be read", folder.display()),
        ));
    }
    for family in LATIN {
        let faces = typst_assets::fonts().flat_map(|data| Font::iter(Bytes::new(data)));
        fonts.extend(faces.filter(|font| {
            let FontInfo { family: name, variant, .. } = font.info();
            name == family && variant.style == FontStyle::Normal && matches!(variant.weight.to_number(), 400 | 700)
        }));
    }
    Ok(fonts)
}

/// Faces that share their file with the Chinese one and draw its characters as other countries do.
fn is_regional(family: &str) -> bool {
    family.starts_with("Noto Sans CJK") || family.starts_with("Noto Sans Mono CJK")
}

/// Font files of a folder by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        if extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str())) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::new(Code::Definition, format!("cannot read fonts from {}: {error}", path.display())).caused_by(error)
}

/// Of what the faces are, not of where they lie.
fn digest(fonts: &[Font]) -> String {
    let mut all = Sha256::new();
    let mut last: Option<(&Font, [u8; 32])> = None;
    for font in fonts {
        // The faces of a collection follow each other and share their bytes.
        let data = match last {
            Some((other, digest)) if other.data().as_ptr() == font.data().as_ptr() => digest,
            _ => Sha256::digest(font.data()).into(),
        };
        all.update(data);
        all.update(font.index().to_be_bytes());
        last = Some((font, data));
    }
    hex(&all.finalize())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
