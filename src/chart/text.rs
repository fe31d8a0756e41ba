//! Widths of text, measured by ourselves.
//!
//! Drawings are read with the reader's own fonts, so no measure is exact. Widths come from a table per em: for Latin the
//! wider of Helvetica (which Arial and most others follow) and Noto Sans CJK, for Chinese one em. Layout leaves 5 % slack. plotters is never
//! asked: its measures are wrong for Chinese with and without a font (see `reports.md`).

/// Secondary text in px.
pub const SMALL: f64 = 11.0;
/// Text in px.
pub const BODY: f64 = 12.0;
/// Slack for the reader's own font.
const SLACK: f64 = 1.05;

/// Widths of U+0020 to U+007E in thousandths of an em.
#[rustfmt::skip]
const LATIN: [u16; 95] = [
    278, 323, 474, 556, 556, 921, 680, 278, 338, 338, 467, 584, 278, 347, 278, 392,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 728, 293, 535, 667, 556, 833, 723, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 338, 392, 338, 555, 559,
    606, 563, 618, 510, 620, 556, 325, 564, 607, 275, 275, 552, 284, 926, 610, 606,
    620, 620, 388, 500, 377, 607, 521, 802, 500, 521, 500, 338, 270, 338, 584,
];

/// Width in px of text at a font size in px, with slack.
pub fn width(text: &str, size: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size * SLACK
}

/// Width in px of bold text.
pub fn bold_width(text: &str, size: f64) -> f64 {
    width(text, size) * 1.06
}

fn em(char: char) -> f64 {
    let code = u32::from(char);
    match code {
        0x20..=0x7E => f64::from(LATIN[(code - 0x20) as usize]) / 1000.0,
        // Combining marks and zero-width characters.
        0x300..=0x36F | 0x200B..=0x200F | 0xFE00..=0xFE0F => 0.0,
        // Minus sign and en dash are as wide as in Latin faces; other general punctuation may come from the Chinese face.
        0x2212 | 0x2013 | 0x2002 => 0.584,
        0xB7 | 0xD7 | 0x2003 => 1.0,
        0x2014..=0x2026 | 0x1100..=0x11FF | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF => 1.0,
        0xFE30..=0xFE4F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F000..=0x3FFFF => 1.0,
        _ => 0.65,
    }
}

/// The text, or as much of it as fits with an ellipsis.
pub fn fit(text: &str, size: f64, max: f64) -> String {
    if width(text, size) <= max {
        return text.to_owned();
    }
    let mut kept = String::new();
    let room = max - width("…", size);
    for char in text.chars() {
        kept.push(char);
        if width(&kept, size) > room {
            kept.pop();
            break;
        }
    }
    format!("{}…", kept.trim_end())
}

/// Lines of at most `max` px, at most `lines` of them; what is left over ends in an ellipsis. Latin breaks at spaces, Chinese
/// between any characters, but closing punctuation never begins a line.
pub fn wrap(text: &str, size: f64, max: f64, lines: usize) -> Vec<String> {
    let mut done: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut rest = pieces(text).into_iter().peekable();
    while let Some(piece) = rest.next() {
        let candidate = format!("{line}{piece}");
        if width(candidate.trim_end(), size) <= max || line.is_empty() {
            line = candidate;
            continue;
        }
        if done.len() + 1 == lines {
            let left: String = std::iter::once(piece).chain(rest).collect();
            line.push_str(&left);
            break;
        }
        done.push(std::mem::replace(&mut line, piece.trim_start().to_owned()).trim_end().to_owned());
    }
    if !line.trim().is_empty() {
        done.push(line.trim_end().to_owned());
    }
    // A single word may still be too long for its line.
    done.iter().map(|line| fit(line, size, max)).collect()
}

/// What must stay together: a Latin word with the spaces after it, or one Chinese character with the closing punctuation
/// after and the opening punctuation before it.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for char in text.chars() {
        let joins = pieces.last().and_then(|piece| piece.chars().last()).is_some_and(|last| {
            let closing = "，。、；：！？）》”’」』】％%…,.;:!?)".contains(char);
            let opening = "（《“‘「『【(".contains(last);
            let latin = !is_wide(char) && !is_wide(last) && (last != ' ' || char == ' ');
            closing || opening || latin
        });
        match pieces.last_mut() {
            Some(piece) if joins => piece.push(char),
            _ => pieces.push(char.to_string()),
        }
    }
    pieces
}

fn is_wide(char: char) -> bool {
    em(char) >= 1.0 && !char.is_ascii()
}
