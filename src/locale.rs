//! Words and numbers in the reader's language.
//!
//! In: a language, a message key or an exact decimal. Out: text. Figures never pass through `f64` here and never depend on the
//! language; only their words, scale and unit do. What a report says of itself (titles, labels) stands in its own definition,
//! see [`Lang::pick`]; every other word stands in the Fluent files under `assets/text/`.

mod date;
mod message;
mod number;
#[cfg(test)]
mod tests;

use crate::model::Label;

pub use date::{civil, format_date, format_month, format_quarter};
pub use message::{Value, message};
pub use number::{
    Decimal, MISSING, NOT_APPLICABLE, NumberUnit, Quantity, SUPPRESSED, format_amount, format_number, format_signed,
    format_signed_amount,
};

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Lang {
    /// Simplified Chinese, `zh-CN`.
    #[default]
    Zh,
    /// English, `en`.
    En,
}

impl Lang {
    /// All languages, the default first.
    pub const ALL: [Self; 2] = [Self::Zh, Self::En];

    /// The BCP 47 tag, as it stands in `lang` attributes and definition files.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }

    /// The language of a tag: `zh`, `zh-CN`, `zh_Hans_CN`, `en`, `en-GB`, in any case. Other languages give `None`.
    pub fn parse(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        match primary.to_ascii_lowercase().as_str() {
            "zh" => Some(Self::Zh),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    /// The best language of an `Accept-Language` header among `offered`. `None` when the header wants none of them, so that
    /// the caller's own order decides. Entries with `q=0` are refusals; `*` means the first offered one.
    pub fn accept(header: &str, offered: &[Self]) -> Option<Self> {
        let mut best: Option<(u32, Self)> = None;
        for entry in header.split(',') {
            let mut parts = entry.split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let quality = parts
                .filter_map(|part| part.trim().strip_prefix("q="))
                .next_back()
                .map_or(Some(1000), thousandths)
                .unwrap_or(0);
            let lang = if tag == "*" { offered.first().copied() } else { Self::parse(tag) };
            let Some(lang) = lang.filter(|lang| offered.contains(lang)) else { continue };
            // Strictly greater: of equal qualities the one that the reader named first wins.
            if quality > 0 && best.is_none_or(|(found, _)| quality > found) {
                best = Some((quality, lang));
            }
        }
        best.map(|(_, lang)| lang)
    }

    /// The text of a label in this language, else in the other, else whatever the author wrote, else nothing.
    pub fn pick(self, label: &Label) -> &str {
        let of = |lang: Self| {
            label
                .get(lang.tag())
                .or_else(|| label.iter().find(|(tag, _)| Self::parse(tag) == Some(lang)).map(|(_, text)| text))
        };
        of(self)
            .or_else(|| Self::ALL.into_iter().find_map(of))
            .or_else(|| label.values().next())
            .map_or("", String::as_str)
    }
}

impl std::fmt::Display for Lang {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.tag())
    }
}

/// `0.8` as 800. Integers, because qualities are compared.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let whole: u32 = whole.parse().ok()?;
    let fraction: u32 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some((whole.min(1)) * 1000 + fraction).map(|value| value.min(1000))
}
