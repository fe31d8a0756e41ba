//! Where a kind draws: shapes, texts and marks in px, turned into one SVG at the end.
//!
//! Shapes go through plotters, on a canvas four times as large, because plotters knows whole pixels only. Texts and the
//! overlay of links are our own elements: plotters writes text at another size than it measures, and has no links. An unfilled
//! rectangle of plotters loses its stroke width, so outlines are closed paths; hatches are clipped lines.

use std::fmt::Write;

use plotters::backend::SVGBackend;
use plotters::drawing::{DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle};
use plotters::style::{RGBAColor, ShapeStyle};

use super::theme::{self, Token};
use super::{ChartError, Scenario};
use crate::locale::Lang;

/// Canvas pixels per px.
const FINE: f64 = 4.0;

/// A rectangle in px.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
}

impl Area {
    /// Between two corners in any order.
    pub fn between(a: (f64, f64), b: (f64, f64)) -> Self {
        Self { x: a.0.min(b.0), y: a.1.min(b.1), w: (a.0 - b.0).abs(), h: (a.1 - b.1).abs() }
    }

    /// The right edge.
    pub fn right(self) -> f64 {
        self.x + self.w
    }

    /// The lower edge.
    pub fn bottom(self) -> f64 {
        self.y + self.h
    }
}

/// Where a text hangs at its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Begins there.
    Start,
    /// Is centred there.
    Middle,
    /// Ends there.
    End,
}

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// Position of the anchor in px.
    pub x: f64,
    /// Middle of the line in px.
    pub y: f64,
    /// Font size in px.
    pub size: f64,
    /// Colour.
    pub token: Token,
    /// Which end is at `x`.
    pub anchor: Anchor,
    /// Bold instead of regular.
    pub bold: bool,
    /// The text.
    pub content: String,
}

/// What can be pointed at: one category of a chart, one row, one panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Where, in px. Larger than the shape itself, so that it can be hit.
    pub area: Area,
    /// Category and values in words.
    pub label: String,
    /// Where it leads.
    pub href: Option<String>,
}

#[derive(Debug)]
enum Shape {
    Rect { area: Area, token: Token },
    Path { points: Vec<(f64, f64)>, token: Token, width: f64 },
    Polygon { points: Vec<(f64, f64)>, token: Token },
    Disc { centre: (f64, f64), radius: f64, token: Token },
}

/// Collects what a kind draws.
#[derive(Debug)]
pub struct Canvas {
    width: f64,
    height: f64,
    shapes: Vec<Shape>,
    texts: Vec<Text>,
    marks: Vec<Mark>,
}

impl Canvas {
    /// An empty canvas of a size in px.
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height, shapes: Vec::new(), texts: Vec::new(), marks: Vec::new() }
    }

    /// Width in px.
    pub fn width(&self) -> f64 {
        self.width
    }

    /// A filled rectangle.
    pub fn rect(&mut self, area: Area, token: Token) {
        self.shapes.push(Shape::Rect { area, token });
    }

    /// The outline of a rectangle, drawn inside of it.
    pub fn outline(&mut self, area: Area, token: Token, width: f64) {
        let half = width / 2.0;
        let (left, top) = (area.x + half, area.y + half);
        let (right, bottom) = ((area.right() - half).max(left), (area.bottom() - half).max(top));
        let points = vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top), (right, top)];
        self.shapes.push(Shape::Path { points, token, width });
    }

    /// 45° lines inside a rectangle.
    pub fn hatch(&mut self, area: Area, token: Token) {
        let step = 4.5;
        // Lines x + y = c, clipped to the rectangle.
        let mut c = area.x + area.y + step;
        while c < area.right() + area.bottom() {
            let upper = (c - area.y).min(area.right());
            let lower = (c - area.bottom()).max(area.x);
            if upper > lower {
                self.line((lower, c - lower), (upper, c - upper), token, 1.0);
            }
            c += step;
        }
    }

    /// A bar in the notation of its scenario; `token` is the colour of an actual one.
    pub fn bar(&mut self, area: Area, scenario: Scenario, token: Token) {
        match scenario {
            Scenario::Actual => self.rect(area, token),
            Scenario::Prior => self.rect(area, Token::Prior),
            Scenario::Plan => self.outline(area, Token::Ink, 1.25),
            Scenario::Forecast => {
                // Nothing behind it shows through the hatch.
                self.rect(area, Token::Background);
                self.hatch(area, token);
                self.outline(area, token, 1.25);
            }
        }
    }

    /// A straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), token: Token, width: f64) {
        self.polyline(vec![from, to], token, width);
    }

    /// A line through points.
    pub fn polyline(&mut self, points: Vec<(f64, f64)>, token: Token, width: f64) {
        self.shapes.push(Shape::Path { points, token, width });
    }

    /// A line through points, dashed.
    pub fn dashes(&mut self, points: &[(f64, f64)], token: Token, width: f64) {
        const ON: f64 = 5.0;
        const OFF: f64 = 3.5;
        let mut along = 0.0;
        for pair in points.windows(2) {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            let length = (x1 - x0).hypot(y1 - y0);
            let at = |d: f64| (x0 + (x1 - x0) * d / length, y0 + (y1 - y0) * d / length);
            let mut done = 0.0;
            while done < length {
                let phase: f64 = (along + done) % (ON + OFF);
                let (drawn, left) = if phase < ON { (true, ON - phase) } else { (false, ON + OFF - phase) };
                let end = (done + left.max(0.01)).min(length);
                if drawn {
                    self.line(at(done), at(end), token, width);
                }
                done = end;
            }
            along += length;
        }
    }

    /// A filled area.
    pub fn polygon(&mut self, points: Vec<(f64, f64)>, token: Token) {
        self.shapes.push(Shape::Polygon { points, token });
    }

    /// A filled circle.
    pub fn disc(&mut self, centre: (f64, f64), radius: f64, token: Token) {
        self.shapes.push(Shape::Disc { centre, radius, token });
    }

    /// A line of text.
    pub fn text(&mut self, text: Text) {
        self.texts.push(text);
    }

    /// Text in regular weight.
    pub fn label(&mut self, at: (f64, f64), size: f64, token: Token, anchor: Anchor, content: impl Into<String>) {
        self.text(Text { x: at.0, y: at.1, size, token, anchor, bold: false, content: content.into() });
    }

    /// Something that can be pointed at.
    pub fn mark(&mut self, area: Area, label: String, href: Option<String>) {
        self.marks.push(Mark { area, label, href });
    }

    /// The SVG element and the marks.
    pub fn finish(self, id: &str, lang: Lang, title: &str, desc: &str) -> Result<(String, Vec<Mark>), ChartError> {
        let shapes = pen(self.width, self.height, &self.shapes)?;
        let id = id.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect::<String>();
        let linked = self.marks.iter().any(|mark| mark.href.is_some());
        // An image has no children for assistive technology. With links inside, the shapes alone are the image, and the links
        // stand beside it in a group.
        let name = format!("role=\"img\" aria-labelledby=\"chart-{id}-title chart-{id}-desc\"");
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" lang=\"{lang}\" width=\"{}\" height=\"{}\" \
             viewBox=\"0 0 {} {}\" font-family=\"{}\" stroke-linejoin=\"round\" {}>\n\
             <title id=\"chart-{id}-title\">{}</title>\n<desc id=\"chart-{id}-desc\">{}</desc>\n",
            self.width,
            self.height,
            fine(self.width),
            fine(self.height),
            theme::FONTS,
            if linked { "role=\"group\"" } else { &name },
            escape(title),
            escape(desc),
        );
        if linked {
            let _ = writeln!(svg, "<g {name}>");
        }
        svg.push_str(&shapes);
        for text in &self.texts {
            write_text(&mut svg, text);
        }
        if linked {
            svg.push_str("</g>\n");
        }
        write_overlay(&mut svg, &self.marks);
        svg.push_str("</svg>");
        Ok((svg, self.marks))
    }

    /// A small drawing without texts and marks, to stand in a line of text.
    pub(super) fn finish_spark(self, title: &str) -> Result<String, ChartError> {
        let shapes = pen(self.width, self.height, &self.shapes)?;
        Ok(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"spark\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {} {}\" \
             stroke-linejoin=\"round\" role=\"img\"><title>{}</title>\n{shapes}</svg>",
            self.width,
            self.height,
            fine(self.width),
            fine(self.height),
            escape(title),
        ))
    }
}

/// The shapes as plotters writes them, without its root element.
fn pen(width: f64, height: f64, shapes: &[Shape]) -> Result<String, ChartError> {
    let mut buffer = String::new();
    {
        let backend = SVGBackend::with_string(&mut buffer, (fine(width).unsigned_abs(), fine(height).unsigned_abs()));
        let area = backend.into_drawing_area();
        for shape in shapes {
            match shape {
                Shape::Rect { area: rect, token } => {
                    let (x0, y0) = point((rect.x, rect.y));
                    let (x1, y1) = point((rect.right(), rect.bottom()));
                    // The smallest value is still seen.
                    let corners = [(x0, y0), (x1.max(x0 + 2), y1.max(y0 + 2))];
                    area.draw(&Rectangle::new(corners, style(*token, true, 1.0)))
                }
                Shape::Path { points, token, width } => area.draw(&PathElement::new(
                    points.iter().copied().map(point).collect::<Vec<_>>(),
                    style(*token, false, *width),
                )),
                Shape::Polygon { points, token } => area.draw(&Polygon::new(
                    points.iter().copied().map(point).collect::<Vec<_>>(),
                    style(*token, true, 1.0),
                )),
                Shape::Disc { centre, radius, token } => {
                    area.draw(&Circle::new(point(*centre), fine(*radius), style(*token, true, 1.0)))
                }
            }
            .map_err(|error| pen_error(&error))?;
        }
        area.present().map_err(|error| pen_error(&error))?;
    }
    let inner = buffer.find('>').map_or("", |end| buffer[end + 1..].trim_start());
    Ok(inner.trim_end().trim_end_matches("</svg>").replace(" opacity=\"1\"", ""))
}

fn pen_error<E: std::error::Error + Send + Sync>(error: &DrawingAreaErrorKind<E>) -> ChartError {
    ChartError::Pen(error.to_string())
}

fn style(token: Token, filled: bool, width: f64) -> ShapeStyle {
    let ([red, green, blue], _) = token.colours();
    ShapeStyle { color: RGBAColor(red, green, blue, 1.0), filled, stroke_width: fine(width).unsigned_abs() }
}

fn point((x, y): (f64, f64)) -> (i32, i32) {
    (fine(x), fine(y))
}

fn fine(value: f64) -> i32 {
    (value * FINE).round() as i32
}

fn write_text(svg: &mut String, text: &Text) {
    let anchor = match text.anchor {
        Anchor::Start => "",
        Anchor::Middle => " text-anchor=\"middle\"",
        Anchor::End => " text-anchor=\"end\"",
    };
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{}\"{anchor}{}>{}</text>",
        fine(text.x),
        // From the middle of the line to its baseline; renderers disagree about `dominant-baseline`.
        fine(text.y + text.size * 0.36),
        fine(text.size),
        text.token.hex(),
        if text.bold { " font-weight=\"bold\"" } else { "" },
        escape(&text.content),
    );
}

/// One invisible rectangle per mark, above everything: a link with its values as name, or only a tool tip.
fn write_overlay(svg: &mut String, marks: &[Mark]) {
    if marks.is_empty() {
        return;
    }
    svg.push_str("<g class=\"marks\">\n");
    for Mark { area, label, href } in marks {
        let label = escape(label);
        let rect = format!(
            "<rect class=\"mark\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" pointer-events=\"all\"/>",
            fine(area.x),
            fine(area.y),
            fine(area.w),
            fine(area.h)
        );
        let _ = match href {
            Some(href) => {
                writeln!(svg, "<a href=\"{}\" aria-label=\"{label}\"><title>{label}</title>{rect}</a>", escape(href))
            }
            None => writeln!(svg, "<g><title>{label}</title>{rect}</g>"),
        };
    }
    svg.push_str("</g>\n");
}

/// Text for XML content and attributes. Characters that XML does not know become the replacement character.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(' '),
            '\u{0}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => escaped.push('\u{FFFD}'),
            other => escaped.push(other),
        }
    }
    escaped
}
