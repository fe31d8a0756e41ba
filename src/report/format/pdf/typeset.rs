//! The typesetter: a job and the faces in, the bytes of a file out. All that Typst ever sees is in here: our template, the job's
//! data as JSON, the job's files, our faces. No file of the machine, no package, no clock.

use typst::diag::{FileError, FileResult, SourceDiagnostic, SourceResult};
use typst::foundations::{Bytes, Datetime, Duration, Smart};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::{LazyHash, Scalar};
use typst::{Feature, Library, LibraryExt, World};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards, Timestamp};
use typst_render::RenderOptions;

use crate::error::{Code, Error, Result};
use crate::report::font::Faces;
use crate::report::worker::{Job, Output};

/// The page.
const PAGE: &str = include_str!("../pdf.typ");
/// Pages of one drawing each, as wide as [`PICTURE_POINTS`].
const PICTURES: &str = "#set page(width: 100pt, height: auto, margin: 0pt, fill: white)\n";
const PICTURE_POINTS: f64 = 100.0;

const MAIN: &str = "main.typ";
const DATA: &str = "data.json";
/// Files are numbered, never named by what they hold: Typst keeps every path that it has seen for as long as the process lives.
const FILES: &str = "files/";

/// Does a job.
///
/// # Errors
/// `INTERNAL` when the template does not compile: missing alternative text and missing glyphs are such errors, because every PDF
/// is PDF/A-3a and PDF/UA-1.
pub(in crate::report) fn run(job: &Job, mut faces: Faces) -> Result<Vec<u8>> {
    let template = match job.output {
        Output::Pictures { .. } => pictures(job.files.len()),
        Output::Pdf { .. } | Output::Page { .. } => PAGE.to_owned(),
    };
    let mut data = job.data.clone();
    data["fonts"] = std::mem::take(&mut faces.families).into();
    let data = serde_json::to_vec(&data).map_err(|error| Error::internal("cannot write a page's data", error))?;
    let world = Closed::new(&template, data, &job.files, faces);
    let compiled = typst::compile::<PagedDocument>(&world).output;
    let file =
        compiled.map_err(|errors| unset(&world, &errors)).and_then(|document| export(&world, &document, &job.output));
    // Typst remembers every step of every document; forgotten here, also after a failure. By Typst's own name for the crate:
    // another version of it would compile and forget nothing.
    typst::comemo::evict(0);
    file
}

fn export(world: &Closed, document: &PagedDocument, output: &Output) -> Result<Vec<u8>> {
    match output {
        Output::Pdf { ident, at } => {
            let standards = PdfStandards::new(&[PdfStandard::A_3a, PdfStandard::Ua_1])
                .map_err(|error| Error::internal("cannot write a PDF", error.message().to_string()))?;
            let options = PdfOptions {
                ident: Smart::Custom(ident.clone()),
                creator: Smart::Custom(Some("Countinghouse".to_owned())),
                timestamp: moment(*at).map(Timestamp::new_utc),
                standards,
                ..PdfOptions::default()
            };
            let pdf: SourceResult<Vec<u8>> = typst_pdf::pdf(document, &options);
            pdf.map_err(|errors| unset(world, &errors))
        }
        Output::Page { density } => png(document, 0, f64::from(*density)),
        Output::Pictures { widths } => {
            let mut files = Vec::new();
            for (at, width) in widths.iter().enumerate() {
                files.append(&mut png(document, at, f64::from(*width) / PICTURE_POINTS)?);
            }
            Ok(files)
        }
    }
}

/// The template of so many drawings.
fn pictures(count: usize) -> String {
    let one = |at: usize| format!("#image(\"/{FILES}{at}\", format: \"svg\", width: 100%)\n");
    PICTURES.to_owned() + &(0..count).map(one).collect::<Vec<_>>().join("#pagebreak()\n")
}

fn png(document: &PagedDocument, page: usize, pixel_per_pt: f64) -> Result<Vec<u8>> {
    let page = document.pages().get(page).ok_or_else(|| Error::new(Code::Internal, "a document without a page"))?;
    let options = RenderOptions { pixel_per_pt: Scalar::new(pixel_per_pt), render_bleed: false };
    typst_render::render(page, &options).encode_png().map_err(|error| Error::internal("cannot write a PNG", error))
}

fn moment(seconds: i64) -> Option<Datetime> {
    let moment = jiff::Timestamp::from_second(seconds).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    let byte = |value: i8| u8::try_from(value).ok();
    Datetime::from_ymd_hms(
        moment.year().into(),
        byte(moment.month())?,
        byte(moment.day())?,
        byte(moment.hour())?,
        byte(moment.minute())?,
        byte(moment.second())?,
    )
}

/// The first error with its line, and how many there are.
fn unset(world: &Closed, errors: &[SourceDiagnostic]) -> Error {
    let described: Vec<String> = errors
        .iter()
        .map(|error| {
            let at = typst::WorldExt::range(world, error.span);
            let line = at.and_then(|range| world.main.lines().byte_to_line(range.start)).map(|line| line + 1);
            let hints: String = error.hints.iter().map(|hint| format!("; {}", hint.v)).collect();
            format!("{} (line {}){hints}", error.message, line.map_or_else(|| "-".to_owned(), |line| line.to_string()))
        })
        .collect();
    Error::internal("the document cannot be set", described.join("\n"))
}

/// What Typst sees.
struct Closed {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
    main: Source,
    data: Bytes,
    files: Vec<Bytes>,
}

impl Closed {
    fn new(template: &str, data: Vec<u8>, files: &[Vec<u8>], faces: Faces) -> Self {
        // Heads of rows are told to screen readers only with this feature.
        let features = [Feature::A11yExtras].into_iter().collect();
        let path = VirtualPath::new(MAIN).expect("a constant and a valid path");
        let id = RootedPath::new(VirtualRoot::Project, path).intern();
        Self {
            library: LazyHash::new(Library::builder().with_features(features).build()),
            book: LazyHash::new(FontBook::from_fonts(&faces.fonts)),
            fonts: faces.fonts,
            main: Source::new(id, template.to_owned()),
            data: Bytes::new(data),
            files: files.iter().map(|file| Bytes::new(file.clone())).collect(),
        }
    }
}

impl World for Closed {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.book
    }

    fn main(&self) -> FileId {
        self.main.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.main.id() { Ok(self.main.clone()) } else { Err(FileError::AccessDenied) }
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        let path = id.vpath().get_without_slash();
        if path == DATA {
            return Ok(self.data.clone());
        }
        let number = path.strip_prefix(FILES).and_then(|number| number.parse::<usize>().ok());
        number.and_then(|number| self.files.get(number)).cloned().ok_or(FileError::AccessDenied)
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.fonts.get(index).cloned()
    }

    /// There is no clock: dates come with the data.
    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        None
    }
}

/// All text of a job's pages, in the order in which it is drawn; lines apart.
#[cfg(test)]
pub(super) fn text(job: &Job, mut faces: Faces) -> String {
    use typst::layout::{Frame, FrameItem};
    fn gather(frame: &Frame, text: &mut String) {
        for (_, item) in frame.items() {
            match item {
                FrameItem::Group(group) => gather(&group.frame, text),
                FrameItem::Text(run) => text.push_str(&run.text),
                FrameItem::Image(image, ..) => {
                    if let typst::visualize::ImageKind::Svg(svg) = image.kind() {
                        text.push_str(std::str::from_utf8(svg.data()).expect("drawings are text"));
                    }
                }
                _ => {}
            }
        }
        text.push('\n');
    }
    let mut data = job.data.clone();
    data["fonts"] = std::mem::take(&mut faces.families).into();
    let world = Closed::new(PAGE, serde_json::to_vec(&data).expect("JSON"), &job.files, faces);
    let document = typst::compile::<PagedDocument>(&world).output.expect("a document");
    typst::comemo::evict(0);
    let mut text = String::new();
    document.pages().iter().for_each(|page| gather(&page.frame, &mut text));
    text
}
