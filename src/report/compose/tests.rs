use super::{Bars, change, prose, tone};
use crate::locale::{Lang, NumberUnit, Quantity};
use crate::model::cube::Good;
use crate::report::document::{Bar, Prose, Tone};
use crate::report::value::Number;

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

const MILLIONS: NumberUnit = NumberUnit { quantity: Quantity::Money, power: 6, decimals: 1 };
const RATIO: NumberUnit = NumberUnit { quantity: Quantity::Percent, power: 0, decimals: 2 };

/// Amount, percentage, tone, direction of a change.
fn changed(value: Option<&str>, base: Option<&str>, unit: NumberUnit, good: Good) -> (String, String, Tone, i8) {
    let change = change(String::new(), value.map(number), base.map(number), unit, good, Lang::En);
    let amount = if change.unit.is_empty() { change.amount } else { format!("{} {}", change.amount, change.unit) };
    (amount, change.percent.unwrap_or_default(), change.tone, change.direction)
}

fn is(amount: &str, percent: &str, tone: Tone, direction: i8) -> (String, String, Tone, i8) {
    (amount.to_owned(), percent.to_owned(), tone, direction)
}

#[test]
fn a_change_has_amount_percentage_and_tone() {
    let up = changed(Some("11200000"), Some("10000000.00"), MILLIONS, Good::Up);
    assert_eq!(up, is("+1.2", "+12.0%", Tone::Good, 1));
    let cost = changed(Some("11200000"), Some("10000000"), MILLIONS, Good::Down);
    assert_eq!(cost, is("+1.2", "+12.0%", Tone::Bad, 1));
    let neither = changed(Some("8800000"), Some("10000000"), MILLIONS, Good::None);
    assert_eq!(neither, is("−1.2", "−12.0%", Tone::Neutral, -1));
}

#[test]
fn a_percentage_of_nothing_or_of_a_loss_is_a_dash() {
    assert_eq!(changed(Some("5000000"), Some("0"), MILLIONS, Good::Up), is("+5.0", "–", Tone::Good, 1));
    assert_eq!(changed(Some("5000000"), Some("-2000000"), MILLIONS, Good::Up), is("+7.0", "–", Tone::Good, 1));
    assert_eq!(changed(Some("5000000"), None, MILLIONS, Good::Up), is("–", "–", Tone::Neutral, 0));
    assert_eq!(changed(None, Some("5000000"), MILLIONS, Good::Up), is("–", "–", Tone::Neutral, 0));
}

#[test]
fn a_ratio_changes_in_points_and_never_in_percent() {
    assert_eq!(changed(Some("0.0134"), Some("0.0108"), RATIO, Good::Down), is("+0.26 pp", "", Tone::Bad, 1));
    assert_eq!(changed(None, Some("0.0108"), RATIO, Good::Down), is("–", "", Tone::Neutral, 0));
}

#[test]
fn what_prints_as_zero_is_no_change() {
    assert_eq!(changed(Some("0.013400"), Some("0.013380"), RATIO, Good::Down), is("0.00 pp", "", Tone::Neutral, 0));
    assert_eq!(changed(Some("10000"), Some("10000"), MILLIONS, Good::Up), is("0.0", "0.0%", Tone::Neutral, 0));
}

#[test]
fn tone_follows_the_good_direction() {
    for (value, good, expected) in [
        ("1", Good::Up, Tone::Good),
        ("-1", Good::Up, Tone::Bad),
        ("-1", Good::Down, Tone::Good),
        ("0", Good::Down, Tone::Neutral),
        ("1", Good::None, Tone::Neutral),
    ] {
        assert_eq!(tone(Some(number(value)), good), expected, "{value} {good:?}");
    }
}

#[test]
fn bars_share_a_scale_that_holds_zero() {
    let values = ["300", "-100", "0"].map(number);
    let bars = Bars::over(&values);
    assert_eq!(bars.bar(values[0]), Bar { from: 250, length: 750, axis: 250 });
    assert_eq!(bars.bar(values[1]), Bar { from: 0, length: 250, axis: 250 });
    assert_eq!(bars.bar(values[2]), Bar { from: 250, length: 0, axis: 250 });
    let none = Bars::over(&[]);
    assert_eq!(none.bar(number("5")).length, 0);
}

#[test]
fn text_is_paragraphs_and_lists() {
    let parts = prose("First line\nof one paragraph.\n\n- a\n- b\n\n\nLast.");
    let paragraph = |text: &str| Prose::Paragraph(text.to_owned());
    assert_eq!(
        parts,
        [paragraph("First line of one paragraph."), Prose::List(vec!["a".into(), "b".into()]), paragraph("Last.")]
    );
}
