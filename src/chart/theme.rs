//! The palette: the only colours a chart may have, each for light and dark.
//!
//! A drawing holds the light colours. [`stylesheet`] maps each to its dark one by attribute, so one SVG serves both.

use std::fmt::Write;

use super::{Good, Scenario};

/// A colour by its use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Token {
    /// The page. Used only to cut shapes apart, never as a fill behind the chart.
    Background,
    /// Text, actual values, the axis.
    Ink,
    /// Secondary text: titles, axis labels.
    Muted,
    /// Grid lines. Decoration, so that its contrast may be low.
    Grid,
    /// Values of an earlier period.
    Prior,
    /// A good difference; the second category.
    Good,
    /// A bad difference; the fourth category.
    Bad,
    /// A category.
    Fourth,
    /// A category.
    Fifth,
    /// Cells of a scale, from low to high; above the fourth stands the ink.
    Shade1,
    /// A cell of a scale.
    Shade2,
    /// A cell of a scale.
    Shade3,
    /// A cell of a scale.
    Shade4,
    /// A cell a little to the good side of a declared zero.
    GoodShade1,
    /// A cell further to the good side.
    GoodShade2,
    /// A cell a little to the bad side of a declared zero.
    BadShade1,
    /// A cell further to the bad side.
    BadShade2,
}

impl Token {
    /// All tokens.
    pub const ALL: [Self; 17] = [
        Self::Background,
        Self::Ink,
        Self::Muted,
        Self::Grid,
        Self::Prior,
        Self::Good,
        Self::Bad,
        Self::Fourth,
        Self::Fifth,
        Self::Shade1,
        Self::Shade2,
        Self::Shade3,
        Self::Shade4,
        Self::GoodShade1,
        Self::GoodShade2,
        Self::BadShade1,
        Self::BadShade2,
    ];

    /// Red, green and blue on a light and on a dark page.
    pub const fn colours(self) -> ([u8; 3], [u8; 3]) {
        match self {
            Self::Background => ([0xFF, 0xFF, 0xFF], [0x14, 0x18, 0x1D]),
            Self::Ink => ([0x2F, 0x3B, 0x4A], [0xD5, 0xDC, 0xE4]),
            Self::Muted => ([0x5A, 0x66, 0x75], [0x9B, 0xA7, 0xB4]),
            Self::Grid => ([0xDD, 0xE2, 0xE8], [0x34, 0x3C, 0x46]),
            Self::Prior => ([0x87, 0x92, 0xA0], [0x76, 0x81, 0x8E]),
            Self::Good => ([0x00, 0x67, 0xA3], [0x5B, 0xB4, 0xEA]),
            Self::Bad => ([0xC2, 0x50, 0x0C], [0xF0, 0x8A, 0x4B]),
            Self::Fourth => ([0x28, 0x9D, 0xAD], [0x32, 0x5E, 0xED]),
            Self::Fifth => ([0x68, 0x12, 0x0B], [0x9F, 0x5E, 0x5A]),
            Self::Shade1 => ([0xEA, 0xEE, 0xF2], [0x22, 0x29, 0x31]),
            Self::Shade2 => ([0xCB, 0xD4, 0xDD], [0x38, 0x43, 0x4F]),
            Self::Shade3 => ([0xA7, 0xB4, 0xC2], [0x4E, 0x5A, 0x68]),
            Self::Shade4 => ([0x66, 0x76, 0x8A], [0x8B, 0x99, 0xA9]),
            Self::GoodShade1 => ([0xDD, 0xEB, 0xF5], [0x1B, 0x30, 0x40]),
            Self::GoodShade2 => ([0x93, 0xC3, 0xE0], [0x25, 0x5E, 0x83]),
            Self::BadShade1 => ([0xFB, 0xE6, 0xD9], [0x3A, 0x28, 0x1C]),
            Self::BadShade2 => ([0xF2, 0xB4, 0x8C], [0x7C, 0x46, 0x22]),
        }
    }

    /// The colour in the drawing, as plotters writes it: `#2F3B4A`.
    pub fn hex(self) -> String {
        hex(self.colours().0)
    }
}

/// Colours of categories, in the order in which they are given out: neighbours in a stack differ most in lightness.
pub const CATEGORIES: [Token; 5] = [Token::Ink, Token::Fourth, Token::Good, Token::Bad, Token::Fifth];

/// Steps of a scale from low to high. On every one of them, light and dark, [`text_on`] has the contrast of text.
pub const SHADES: [Token; 5] = [Token::Shade1, Token::Shade2, Token::Shade3, Token::Shade4, Token::Ink];

/// Steps away from a declared zero to its good side.
pub const GOOD_SHADES: [Token; 3] = [Token::GoodShade1, Token::GoodShade2, Token::Good];

/// Steps away from a declared zero to its bad side.
pub const BAD_SHADES: [Token; 3] = [Token::BadShade1, Token::BadShade2, Token::Bad];

/// The colour of text on a cell of a scale.
pub fn text_on(cell: Token) -> Token {
    match cell {
        Token::Shade4 | Token::Ink | Token::Good | Token::Bad => Token::Background,
        _ => Token::Ink,
    }
}

/// The colour of a scenario.
pub fn scenario(scenario: Scenario) -> Token {
    match scenario {
        Scenario::Prior => Token::Prior,
        Scenario::Actual | Scenario::Plan | Scenario::Forecast => Token::Ink,
    }
}

/// The colour of a difference.
pub fn variance(good: Good, difference: f64) -> Token {
    match good {
        Good::None => Token::Prior,
        Good::Up if difference >= 0.0 => Token::Good,
        Good::Down if difference <= 0.0 => Token::Good,
        Good::Up | Good::Down => Token::Bad,
    }
}

/// The colour of the printed number of a difference.
pub fn variance_text(good: Good, difference: f64) -> Token {
    if good == Good::None || difference == 0.0 { Token::Muted } else { variance(good, difference) }
}

/// Fonts of chart text, also as attribute in the drawing itself.
pub const FONTS: &str =
    "'Noto Sans CJK SC', 'Noto Sans SC', 'Source Han Sans SC', 'PingFang SC', 'Microsoft YaHei', Arial, sans-serif";

/// The part of a page's stylesheet that charts need: width, fonts, the dark colours, what is pointed at. Dark applies on
/// screens whose reader prefers it, unless the root element has `data-theme="light"`, and with `data-theme="dark"` always.
/// Print keeps the light colours.
pub fn stylesheet() -> String {
    let mut css = format!(
        "svg.chart,svg.spark{{max-width:100%;height:auto;font-family:{FONTS};font-variant-numeric:tabular-nums}}\n\
         svg.chart{{display:block;width:100%}}\n\
         svg.chart .mark{{pointer-events:all}}\n\
         svg.chart .mark:hover,svg.chart a:focus-visible .mark{{fill:{ink};fill-opacity:.07}}\n\
         svg.chart a:focus-visible{{outline:2px solid {good}}}\n",
        ink = Token::Ink.hex(),
        good = Token::Good.hex(),
    );
    let dark = |root: &str| {
        let mut rules = String::new();
        for token in Token::ALL {
            let (light, dark) = token.colours();
            let (light, dark) = (hex(light), hex(dark));
            for property in ["fill", "stroke"] {
                for class in ["chart", "spark"] {
                    let _ = writeln!(rules, "{root} svg.{class} [{property}=\"{light}\"]{{{property}:{dark}}}");
                }
            }
        }
        let _ = writeln!(rules, "{root} svg.chart .mark:hover{{fill:{}}}", hex(Token::Ink.colours().1));
        rules
    };
    let preferred = dark(":root:not([data-theme=\"light\"])");
    let chosen = dark(":root[data-theme=\"dark\"]");
    let _ =
        write!(css, "@media screen and (prefers-color-scheme:dark){{\n{preferred}}}\n@media screen{{\n{chosen}}}\n");
    css
}

fn hex([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}
