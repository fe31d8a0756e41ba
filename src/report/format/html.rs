//! HTML: the page as a fragment for the server's layout, and as a file of its own with the stylesheet inside.
//!
//! No script, no inline style: the server's content security policy allows neither. Bars in cells are SVG for that reason.

use askama::Template;

use super::{FORMATS, Format, Tools};
use crate::error::{Error, Result};
use crate::locale::{self, Lang};
use crate::report::Document;
use crate::report::document::{Bar, Block, Control, Imprint, Prose, SNAPSHOT, TieOut, Tone};

/// The stylesheet of reports; charts bring their own, see [`stylesheet`].
const REPORT_CSS: &str = include_str!("../../assets/web/report.css");

/// The format.
#[derive(Debug)]
pub struct Html;

impl Format for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn title(&self) -> &'static str {
        "HTML"
    }

    fn content_type(&self) -> &'static str {
        "text/html; charset=utf-8"
    }

    fn extension(&self) -> &'static str {
        "html"
    }

    /// A file to be kept or mailed: no link leads anywhere but to the server's root, nothing is loaded.
    fn render(&self, document: &Document, _: &Tools) -> Result<Vec<u8>> {
        let fragment = fragment(document)?;
        let page = File { lang: document.lang, title: &fragment.title, css: &stylesheet(), main: &fragment.main };
        Ok(page.render().map_err(template)?.into_bytes())
    }
}

/// A page for the server's layout.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// For the `<title>`; plain text.
    pub title: String,
    /// The `<main>` element; finished HTML.
    pub main: String,
}

/// The page without its frame.
pub fn fragment(document: &Document) -> Result<Fragment> {
    let formats = FORMATS.iter().filter(|format| format.name() != Html.name());
    part(
        document,
        &Around {
            action: format!("/reports/{}", document.report),
            formats: formats.map(|format| (format.title(), document.url(&[("format", format.name())]))).collect(),
            back: None,
            rows: None,
            // An edition is frozen: it leads to no part of what is live.
            parts: matches!(document.imprint, Imprint::Live { .. }),
        },
    )
}

/// A part of a report as a page of its own, without its frame.
pub fn part(document: &Document, around: &Around) -> Result<Fragment> {
    let main = Main { document, around, view: View { lang: document.lang } }.render().map_err(template)?;
    Ok(Fragment { title: format!("{} · {}", document.title, document.scope.label), main })
}

/// What stands around the blocks of a page.
#[derive(Debug)]
pub struct Around {
    /// Where the form goes.
    pub action: String,
    /// Links to the other formats.
    pub formats: Vec<(&'static str, String)>,
    /// The report that this page is a part of.
    pub back: Option<String>,
    /// Where one is in a table of many pages.
    pub rows: Option<Pager>,
    /// Whether it leads to its own parts: blocks, rows, evidence.
    pub parts: bool,
}

impl Around {
    /// A link to a part of the report, where the page has such links: over the page's own snapshot, so that its figures are those
    /// of the page.
    pub(in crate::report) fn part(&self, document: &Document, folder: &str, name: &str) -> Option<String> {
        let separator = if name.is_empty() { "" } else { "/" };
        let snapshot = document.evidence.snapshot.to_string();
        let part = format!("/{folder}{separator}{name}");
        self.parts.then(|| document.part_url(&part, &[(SNAPSHOT, &snapshot)]))
    }
}

/// A page of a long table among the others.
#[derive(Debug)]
pub struct Pager {
    /// Which rows of how many.
    pub sentence: String,
    /// The page before.
    pub earlier: Option<String>,
    /// The page after.
    pub later: Option<String>,
}

/// Everything a page with reports needs besides the server's own stylesheet: one file, to be served as it is.
pub fn stylesheet() -> String {
    format!("{REPORT_CSS}\n/* charts */\n{}", crate::chart::stylesheet())
}

fn template(error: askama::Error) -> Error {
    Error::internal("cannot write the report as HTML", error)
}

#[derive(Template)]
#[template(path = "report/format/file.html")]
struct File<'a> {
    lang: Lang,
    title: &'a str,
    css: &'a str,
    main: &'a str,
}

#[derive(Template)]
#[template(path = "report/format/html.html")]
struct Main<'a> {
    document: &'a Document,
    around: &'a Around,
    view: View,
}

/// Words and small choices of the template.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) struct View {
    pub(in crate::report) lang: Lang,
}

impl View {
    pub(in crate::report) fn word(&self, key: &str) -> String {
        locale::message(self.lang, key, &[])
    }

    pub(in crate::report) fn date(&self, days: &i32) -> String {
        locale::format_date(self.lang, *days)
    }

    pub(in crate::report) fn tone(&self, tone: &Tone) -> &'static str {
        match tone {
            Tone::Good => "good",
            Tone::Bad => "bad",
            Tone::Neutral => "neutral",
        }
    }

    /// The tone in words, for those who do not see the colour. Empty when neutral.
    pub(in crate::report) fn tone_word(&self, tone: &Tone) -> String {
        match tone {
            Tone::Good => self.word("report-favourable"),
            Tone::Bad => self.word("report-unfavourable"),
            Tone::Neutral => String::new(),
        }
    }

    pub(in crate::report) fn arrow(&self, direction: &i8) -> &'static str {
        match direction {
            1 => "▲",
            -1 => "▼",
            _ => "",
        }
    }

    pub(in crate::report) fn closed(&self, document: &Document) -> String {
        let evidence = &document.evidence;
        let (closed, of) = (evidence.closed.to_string(), evidence.branches.to_string());
        let open = evidence.open.join(&self.word("list-separator"));
        let key = if evidence.open.is_empty() { "report-closed" } else { "report-closed-but" };
        locale::message(self.lang, key, &[("closed", (&closed).into()), ("of", (&of).into()), ("open", (&open).into())])
    }

    /// Whether it can be asked otherwise: an edition cannot.
    pub(in crate::report) fn is_live(&self, document: &Document) -> bool {
        matches!(document.imprint, Imprint::Live { .. })
    }

    /// Version, run key and publication time of an edition.
    pub(in crate::report) fn imprint(&self, document: &Document) -> Option<String> {
        let Imprint::Edition { version, run_key, at, .. } = &document.imprint else { return None };
        let (version, key, at) =
            (version.to_string(), self.short(run_key), at.strftime("%Y-%m-%d %H:%M UTC").to_string());
        let words = [("version", (&version).into()), ("key", key.into()), ("at", (&at).into())];
        Some(locale::message(self.lang, "report-print-edition", &words))
    }

    /// Figures of an open period are not final, and the top of the page says so.
    pub(in crate::report) fn preliminary(&self, document: &Document) -> bool {
        !document.evidence.open.is_empty()
    }

    pub(in crate::report) fn rows(&self, document: &Document) -> String {
        let datasets = document.evidence.datasets.len();
        let rows: usize = document.evidence.datasets.iter().map(|dataset| dataset.rows).sum();
        locale::message(self.lang, "report-rows", &[("datasets", count(datasets)), ("rows", count(rows))])
    }

    pub(in crate::report) fn sources(&self, document: &Document) -> String {
        let mut rollups: Vec<&str> =
            document.evidence.datasets.iter().flat_map(|dataset| &dataset.rollups).map(String::as_str).collect();
        rollups.sort_unstable();
        rollups.dedup();
        let facts = document.evidence.datasets.iter().filter(|dataset| dataset.rollups.is_empty()).count();
        locale::message(self.lang, "report-sources", &[("rollups", count(rollups.len())), ("facts", count(facts))])
    }

    /// That some of it is of no snapshot; nothing where all of it is.
    pub(in crate::report) fn records(&self, document: &Document) -> Option<String> {
        document.holds_records().then(|| self.word("report-records"))
    }

    /// As they are or as they were; nothing where no dimension keeps versions.
    pub(in crate::report) fn history(&self, document: &Document) -> Option<String> {
        let datasets = &document.evidence.datasets;
        let mut readings: Vec<&str> =
            datasets.iter().flat_map(|dataset| &dataset.history).map(String::as_str).collect();
        readings.sort_unstable();
        readings.dedup();
        match readings[..] {
            [] => None,
            ["as_is"] => Some(self.word("report-as-is")),
            ["as_was"] => Some(self.word("report-as-was")),
            _ => Some(readings.join(&self.word("list-separator"))),
        }
    }

    /// Head office against its branches; nothing while no comparison stands.
    pub(in crate::report) fn tie_out(&self, document: &Document) -> Option<String> {
        Some(match &document.evidence.tie_out {
            TieOut::NotChecked => return None,
            TieOut::Agrees(figures) => {
                locale::message(self.lang, "report-tie-out-agrees", &[("figures", count(*figures))])
            }
            TieOut::Differs(names) => {
                let names = names.join(&self.word("list-separator"));
                locale::message(self.lang, "report-tie-out-differs", &[("names", (&names).into())])
            }
        })
    }

    pub(in crate::report) fn notices<'a>(&self, document: &'a Document) -> Vec<&'a str> {
        let mut notices: Vec<&str> =
            document.evidence.datasets.iter().flat_map(|dataset| &dataset.notices).map(String::as_str).collect();
        notices.sort_unstable();
        notices.dedup();
        notices
    }

    pub(in crate::report) fn short<'a>(&self, hash: &'a str) -> &'a str {
        hash.get(..12).unwrap_or(hash)
    }

    /// The same page over the newest snapshot.
    pub(in crate::report) fn newest(&self, document: &Document) -> String {
        document.url(&[("snapshot", "")])
    }

    /// Which snapshot a page is bound to, and from when it is; nothing where it shows the newest.
    pub(in crate::report) fn pinned(&self, document: &Document) -> Option<String> {
        let evidence = &document.evidence;
        let (snapshot, made) =
            (evidence.snapshot.to_string(), evidence.snapshot_created_at.strftime("%Y-%m-%d %H:%M UTC").to_string());
        let words = [("snapshot", (&snapshot).into()), ("made", (&made).into())];
        // What a snapshot does not hold it does not fix.
        let key = if document.holds_records() { "report-pinned-records" } else { "report-pinned" };
        document.is_pinned().then(|| locale::message(self.lang, key, &words))
    }

    /// What the form keeps and does not show.
    pub(in crate::report) fn kept<'a>(&self, document: &'a Document) -> Vec<&'a Control> {
        document.controls.iter().filter(|control| control.input == "hidden").collect()
    }

    /// Controls worth showing: a choice among one is none.
    pub(in crate::report) fn controls<'a>(&self, document: &'a Document) -> Vec<&'a Control> {
        document.controls.iter().filter(|control| control.choices.len() != 1 && control.input != "hidden").collect()
    }

    pub(in crate::report) fn is_kpis(&self, blocks: &[Block]) -> bool {
        !blocks.is_empty() && blocks.iter().all(|block| matches!(block, Block::Kpi(_)))
    }

    /// Missing where zero is, in a table of positive values only: the bar needs no axis.
    pub(in crate::report) fn axis<'a>(&self, bar: &'a Bar) -> Option<&'a u32> {
        Some(&bar.axis).filter(|axis| **axis > 0)
    }
}

fn count(value: usize) -> locale::Value<'static> {
    locale::Value::Count(i64::try_from(value).unwrap_or(i64::MAX))
}
