//! How a report prints numbers: what a column is (from its measure or its definition), the unit that a whole block shares,
//! and signs. Digits, rounding and words are the locale's.

use super::value::Number;
use crate::locale::{self, Lang, NumberUnit, Quantity};
use crate::model::cube::{Good, Measure, Model, State};
use crate::model::report::Format;
use crate::model::table::DataType;

/// When a sign stands before a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// Before negative numbers.
    Minus,
    /// Before negative and positive numbers, as changes need.
    Both,
    /// Never: the sentence says the direction in words.
    None,
}

/// What the numbers of a column are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    /// What is counted.
    pub(super) quantity: Quantity,
    /// Digits after the point, if the definition fixes them.
    pub(super) decimals: Option<u8>,
    /// Which direction is favourable.
    pub(super) good: Good,
}

impl Meaning {
    /// From a block's `measure`, `unit` and `decimals`. A stated unit beats the measure's. With neither, the value itself
    /// decides later, see [`Meaning::unit`].
    pub(super) fn of(format: &Format, model: &Model) -> Self {
        let measure = format.measure.as_ref().and_then(|path| measure(model, path));
        let stated = format.unit.as_ref().and_then(|unit| Quantity::parse(unit));
        Self {
            quantity: stated.or_else(|| measure.map(quantity)).unwrap_or_default(),
            decimals: format.decimals,
            good: measure.map_or(Good::None, |measure| measure.good),
        }
    }

    /// The unit that suits the largest of the values.
    pub(super) fn unit(&self, values: &[Number], lang: Lang) -> NumberUnit {
        let decimals: Vec<_> = values.iter().map(|value| value.decimal()).collect();
        let unit = NumberUnit::auto(lang, self.quantity, &decimals);
        match self.decimals {
            Some(decimals) => unit.with_decimals(decimals),
            None => unit,
        }
    }

    /// The unit of a figure that stands alone, in a sentence or a tile. In a block the larger unit begins at ten of it, so that
    /// small parts keep their digits; here there are none, and 1.08 亿元 is read more easily than 10,843 万元.
    pub(super) fn unit_alone(&self, number: Number, lang: Lang) -> NumberUnit {
        let unit = self.unit(&[number], lang);
        let reached = |power: u8| number.absolute().to_f64() >= 10_f64.powi(power.into());
        match steps(lang).iter().find(|power| reached(**power)) {
            Some(power) if unit.quantity == Quantity::Money && *power > unit.power => {
                NumberUnit { power: *power, decimals: self.decimals.unwrap_or(2), ..unit }
            }
            _ => unit,
        }
    }
}

/// The measure of a path such as `deposits.balance`.
pub(super) fn measure<'a>(model: &'a Model, path: &str) -> Option<&'a Measure> {
    let (cube, name) = path.split_once('.')?;
    model.cube(cube)?.measures.iter().find(|measure| *measure.name == name)
}

fn quantity(measure: &Measure) -> Quantity {
    let unit = measure.unit.as_deref().unwrap_or_default();
    // ISO 4217 codes are what cubes write for currencies; `days` and `seconds` may be decimals with two digits too.
    let currency = unit.len() == 3 && unit.bytes().all(|byte| byte.is_ascii_uppercase());
    match (&measure.state, measure.data_type) {
        _ if unit == "percent" => Quantity::Percent,
        _ if currency => Quantity::Money,
        (State::Count { .. } | State::Distinct { .. }, _) | (_, DataType::Integer) => Quantity::Count,
        (_, DataType::MONEY) if unit.is_empty() => Quantity::Money,
        _ => Quantity::Number,
    }
}

/// A number with its unit, for sentences and tiles. The space before the unit does not break.
pub(super) fn amount(number: Number, unit: NumberUnit, sign: Sign, lang: Lang) -> String {
    let text = match sign {
        Sign::Minus => locale::format_amount(lang, &number.decimal(), unit),
        Sign::Both => locale::format_signed_amount(lang, &number.decimal(), unit),
        Sign::None => locale::format_amount(lang, &number.decimal().abs(), unit),
    };
    text.replace(' ', "\u{a0}")
}

/// Digits only (and `%`, which stays with its number): for cells whose header names the unit.
pub(super) fn digits(number: Number, unit: NumberUnit, sign: Sign, lang: Lang) -> String {
    match sign {
        Sign::Minus => locale::format_number(lang, &number.decimal(), unit),
        Sign::Both => locale::format_signed(lang, &number.decimal(), unit),
        Sign::None => locale::format_number(lang, &number.decimal().abs(), unit),
    }
}

/// A number on its own, in the unit that suits it.
pub(super) fn alone(number: Number, quantity: Quantity, decimals: Option<u8>, sign: Sign, lang: Lang) -> String {
    let unit = Meaning { quantity, decimals, good: Good::None }.unit_alone(number, lang);
    amount(number, unit, sign, lang)
}

/// A figure with its unit, as a definition's `measure`, `unit` and `decimals` say, for sentences outside reports.
pub fn figure(number: Number, format: &Format, model: &Model, lang: Lang) -> String {
    let meaning = Meaning::of(format, model);
    amount(number, meaning.unit_alone(number, lang), Sign::Minus, lang)
}

/// The larger units of amounts: power of ten, largest first.
const fn steps(lang: Lang) -> &'static [u8] {
    match lang {
        Lang::Zh => &[8, 4],
        Lang::En => &[9, 6, 3],
    }
}
