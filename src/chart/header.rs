//! The head of a chart: the message, the title line with the unit, the key of the scenarios.

use super::canvas::{Anchor, Area, Canvas, Text};
use super::text::{self, BODY, SMALL};
use super::theme::{self, Token};
use super::{ChartSpec, Scenario, describe};

/// A laid-out head.
#[derive(Debug)]
pub(super) struct Header {
    texts: Vec<Text>,
    swatches: Vec<(Area, Scenario, Token)>,
    /// In px, with the space below it.
    pub(super) height: f64,
}

/// Lays the head out.
pub(super) fn layout(spec: &ChartSpec, key: bool, width: f64) -> Header {
    let message_size = if spec.is_compact() { 14.0 } else { 15.0 };
    let mut header = Header { texts: Vec::new(), swatches: Vec::new(), height: 0.0 };
    // Bold text is wider than measured: `wrap` gets that much less room.
    for line in text::wrap(&spec.message, message_size, width / 1.06, 3) {
        header.line(line, message_size, Token::Ink, true, 1.4);
    }
    if !spec.message.is_empty() {
        header.height += 2.0;
    }
    let alone = spec.message.is_empty();
    let (token, size) = if alone { (Token::Ink, 13.0) } else { (Token::Muted, BODY) };
    let room = if alone { width / 1.06 } else { width };
    for line in text::wrap(&describe::title_with_unit(spec), size, room, 2) {
        header.line(line, size, token, alone, 1.4);
    }
    if key {
        header.key(spec, width);
    }
    header.height += 8.0;
    header
}

/// Draws it.
pub(super) fn draw(header: &Header, canvas: &mut Canvas) {
    for (area, scenario, token) in &header.swatches {
        canvas.bar(*area, *scenario, *token);
    }
    for text in &header.texts {
        canvas.text(text.clone());
    }
}

impl Header {
    fn line(&mut self, content: String, size: f64, token: Token, bold: bool, leading: f64) {
        let height = size * leading;
        let y = self.height + height / 2.0;
        self.texts.push(Text { x: 0.0, y, size, token, anchor: Anchor::Start, bold, content });
        self.height += height;
    }

    /// Swatches with the names of the series, as many to a line as fit.
    fn key(&mut self, spec: &ChartSpec, width: f64) {
        const SWATCH: f64 = 14.0;
        const GAP: f64 = 16.0;
        const LINE: f64 = 18.0;
        self.height += 2.0;
        let mut x = 0.0;
        let mut category = 0;
        for series in &spec.series {
            let token = if series.scenario == Scenario::Actual {
                category += 1;
                theme::CATEGORIES[(category - 1) % theme::CATEGORIES.len()]
            } else {
                theme::scenario(series.scenario)
            };
            let name = text::fit(&series.name, SMALL, width - SWATCH - 5.0);
            let needed = SWATCH + 5.0 + text::width(&name, SMALL);
            if x > 0.0 && x + needed > width {
                x = 0.0;
                self.height += LINE;
            }
            let y = self.height + LINE / 2.0;
            self.swatches.push((Area { x, y: y - 4.5, w: SWATCH, h: 9.0 }, series.scenario, token));
            let (anchor, token) = (Anchor::Start, Token::Ink);
            self.texts.push(Text { x: x + SWATCH + 5.0, y, size: SMALL, token, anchor, bold: false, content: name });
            x += needed + GAP;
        }
        self.height += LINE;
    }
}
