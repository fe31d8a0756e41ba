//! The palette, computed: contrast, and distance of the colours that meet, also for those who see colours otherwise.

use super::Token;
use super::theme::{BAD_SHADES, CATEGORIES, GOOD_SHADES, SHADES, text_on};

fn linear(colour: [u8; 3]) -> [f64; 3] {
    colour.map(|channel| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    })
}

pub(super) fn luminance(colour: [u8; 3]) -> f64 {
    let [red, green, blue] = linear(colour);
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

pub(super) fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn themes(token: Token) -> [[u8; 3]; 2] {
    let (light, dark) = token.colours();
    [light, dark]
}

#[test]
fn contrast_is_enough() {
    let text = [Token::Ink, Token::Muted, Token::Good, Token::Bad];
    let graphics = [Token::Ink, Token::Prior, Token::Good, Token::Bad, Token::Fourth, Token::Fifth];
    for (tokens, least) in [(&text[..], 4.5), (&graphics[..], 3.0)] {
        for token in tokens {
            for (colour, page) in themes(*token).into_iter().zip(themes(Token::Background)) {
                let found = contrast(colour, page);
                assert!(found >= least, "{token:?} {colour:02X?} on {page:02X?}: {found:.2} < {least}");
            }
        }
    }
}

#[test]
fn colours_are_told_apart() {
    let scenarios = [Token::Ink, Token::Prior, Token::Good, Token::Bad];
    for tokens in [&scenarios[..], &CATEGORIES[..]] {
        for (index, a) in tokens.iter().enumerate() {
            for b in &tokens[index + 1..] {
                for (left, right) in themes(*a).into_iter().zip(themes(*b)) {
                    for (vision, matrix) in VISIONS {
                        let found = distance(lab(left, &matrix), lab(right, &matrix));
                        assert!(
                            found >= 15.0,
                            "{a:?} {left:02X?} and {b:?} {right:02X?}: {found:.1} for {vision} vision"
                        );
                    }
                }
            }
        }
    }
}

/// The number in a cell is read on each of its shades, in both themes; the other ink would be worse.
#[test]
fn numbers_are_read_on_shades() {
    for shade in SHADES.into_iter().chain(GOOD_SHADES).chain(BAD_SHADES).chain([Token::Background]) {
        let ink = text_on(shade);
        let other = if ink == Token::Ink { Token::Background } else { Token::Ink };
        for (theme, cell) in themes(shade).into_iter().enumerate() {
            let found = contrast(themes(ink)[theme], cell);
            assert!(found >= 4.5, "{ink:?} on {shade:?} {cell:02X?}: {found:.2} < 4.5");
            assert!(found > contrast(themes(other)[theme], cell), "{shade:?} {cell:02X?}: {other:?} is read better");
        }
    }
}

/// Steps go one way, away from the page, and neighbours are told apart in every vision. Less than other tokens: a cell carries
/// its number.
#[test]
fn shades_are_steps() {
    for steps in [&SHADES[..], &GOOD_SHADES[..], &BAD_SHADES[..]] {
        let steps: Vec<Token> = [Token::Background].into_iter().chain(steps.iter().copied()).collect();
        for pair in steps.windows(2) {
            for (theme, (from, to)) in themes(pair[0]).into_iter().zip(themes(pair[1])).enumerate() {
                let rises = luminance(to) > luminance(from);
                assert_eq!(rises, theme == 1, "{pair:?}: light shades darken, dark ones lighten");
                for (vision, matrix) in VISIONS {
                    let found = distance(lab(from, &matrix), lab(to, &matrix));
                    assert!(found >= 4.0, "{pair:?} {from:02X?} {to:02X?}: {found:.1} for {vision} vision");
                }
            }
        }
    }
    // The two sides of zero, step by step.
    for (good, bad) in GOOD_SHADES.into_iter().zip(BAD_SHADES) {
        for (good, bad) in themes(good).into_iter().zip(themes(bad)) {
            for (vision, matrix) in VISIONS {
                let found = distance(lab(good, &matrix), lab(bad, &matrix));
                assert!(found >= 9.0, "{good:02X?} and {bad:02X?}: {found:.1} for {vision} vision");
            }
        }
    }
    let mut colours: Vec<String> = Token::ALL.iter().map(|token| token.hex()).collect();
    colours.sort();
    colours.dedup();
    assert_eq!(colours.len(), Token::ALL.len(), "the stylesheet tells tokens apart by their light colour");
}

/// Machado, Oliveira and Fernandes 2009, severity 1.
const VISIONS: [(&str, [[f64; 3]; 3]); 4] = [
    ("normal", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    ("protan", [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    ("deutan", [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    ("tritan", [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
];

fn lab(colour: [u8; 3], vision: &[[f64; 3]; 3]) -> [f64; 3] {
    let rgb = linear(colour);
    let [red, green, blue] = vision.map(|row| row.iter().zip(rgb).map(|(a, b)| a * b).sum::<f64>().clamp(0.0, 1.0));
    let x = 0.4124564 * red + 0.3575761 * green + 0.1804375 * blue;
    let y = 0.2126729 * red + 0.7151522 * green + 0.0721750 * blue;
    let z = 0.0193339 * red + 0.1191920 * green + 0.9503041 * blue;
    let f = |value: f64| if value > 0.008856 { value.cbrt() } else { 7.787 * value + 16.0 / 116.0 };
    let (x, y, z) = (f(x / 0.95047), f(y), f(z / 1.08883));
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// CIEDE2000.
fn distance([l1, a1, b1]: [f64; 3], [l2, a2, b2]: [f64; 3]) -> f64 {
    let mean = (a1.hypot(b1) + a2.hypot(b2)) / 2.0;
    let g = 0.5 * (1.0 - (mean.powi(7) / (mean.powi(7) + 25f64.powi(7))).sqrt());
    let (a1, a2) = (a1 * (1.0 + g), a2 * (1.0 + g));
    let (c1, c2) = (a1.hypot(b1), a2.hypot(b2));
    let hue = |a: f64, b: f64| if a == 0.0 && b == 0.0 { 0.0 } else { b.atan2(a).to_degrees().rem_euclid(360.0) };
    let (h1, h2) = (hue(a1, b1), hue(a2, b2));
    let grey = c1 * c2 == 0.0;
    let mut turn = h2 - h1;
    if grey {
        turn = 0.0;
    } else if turn > 180.0 {
        turn -= 360.0;
    } else if turn < -180.0 {
        turn += 360.0;
    }
    let dh = 2.0 * (c1 * c2).sqrt() * (turn / 2.0).to_radians().sin();
    let (dl, dc) = (l2 - l1, c2 - c1);
    let (l, c) = ((l1 + l2) / 2.0, (c1 + c2) / 2.0);
    let h = match (h1 - h2).abs() {
        _ if grey => h1 + h2,
        apart if apart <= 180.0 => (h1 + h2) / 2.0,
        _ if h1 + h2 < 360.0 => (h1 + h2 + 360.0) / 2.0,
        _ => (h1 + h2 - 360.0) / 2.0,
    };
    let cos = |degrees: f64| degrees.to_radians().cos();
    let t = 1.0 - 0.17 * cos(h - 30.0) + 0.24 * cos(2.0 * h) + 0.32 * cos(3.0 * h + 6.0) - 0.20 * cos(4.0 * h - 63.0);
    let sl = 1.0 + 0.015 * (l - 50.0).powi(2) / (20.0 + (l - 50.0).powi(2)).sqrt();
    let (sc, sh) = (1.0 + 0.045 * c, 1.0 + 0.015 * c * t);
    let rotation = 30.0 * (-((h - 275.0) / 25.0).powi(2)).exp();
    let rc = 2.0 * (c.powi(7) / (c.powi(7) + 25f64.powi(7))).sqrt();
    let rt = -rc * (2.0 * rotation).to_radians().sin();
    ((dl / sl).powi(2) + (dc / sc).powi(2) + (dh / sh).powi(2) + rt * (dc / sc) * (dh / sh)).sqrt()
}

/// Pairs of the published test data of Sharma, Wu and Dalal 2005.
#[test]
fn distance_is_ciede2000() {
    for (a, b, expected) in [
        ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
        ([50.0, 2.5, 0.0], [73.0, 25.0, -18.0], 27.1492),
        ([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644),
        ([2.0776, 0.0795, -1.1350], [0.9033, -0.0636, -0.5514], 0.9082),
    ] {
        assert!((distance(a, b) - expected).abs() < 1e-4, "{a:?} {b:?}: {}", distance(a, b));
    }
}
