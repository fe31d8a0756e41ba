//! Exact decimals as text: scale, rounding, separators, signs, units.
//!
//! A [`Decimal`] is a row of digits, so sums of any size stay exact and nothing passes through `f64`. Rounding is half away
//! from zero (四舍五入) everywhere, as in the engine's decimal cast.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::Lang;
use super::message::{Value, message};

/// Printed where a value is missing.
pub const MISSING: &str = "–";
/// Printed where a value is suppressed, because it would tell something about a person.
pub const SUPPRESSED: &str = "*";
/// Printed where a value does not apply.
pub const NOT_APPLICABLE: &str = "n/a";

/// Powers of ten beyond this are refused: no amount has them, and padding with zeros must stay bounded.
const MAX_POWER: i32 = 400;

/// An exact decimal number of any length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// 0 to 9, most significant first, no leading zero; empty is zero.
    digits: Vec<u8>,
    /// Digits after the point; negative: zeros that follow the digits.
    scale: i32,
}

impl Decimal {
    /// `unscaled` ÷ 10^`scale`, the form of Arrow's `Decimal128(p, s)`.
    pub fn new(unscaled: i128, scale: i8) -> Self {
        let digits = unscaled.unsigned_abs().to_string().bytes().map(|digit| digit - b'0').collect();
        Self::build(unscaled < 0, digits, i32::from(scale))
    }

    /// The shortest decimal that means this float (0.1 is 0.1); `None` for what is not finite. For ratios and chart values,
    /// which are floats by nature; amounts of money never come this way.
    pub fn from_f64(value: f64) -> Option<Self> {
        value.is_finite().then(|| format!("{value}").parse().ok()).flatten()
    }

    /// Times 10^`places`, exactly.
    #[must_use]
    pub fn shift(mut self, places: i32) -> Self {
        self.scale -= places;
        self
    }

    /// Exactly `decimals` digits after the point, half away from zero.
    #[must_use]
    pub fn round(&self, decimals: u8) -> Self {
        let wanted = i32::from(decimals);
        let mut digits = self.digits.clone();
        if self.scale <= wanted {
            digits.resize(digits.len() + (wanted - self.scale).unsigned_abs() as usize, 0);
            return Self::build(self.negative, digits, wanted);
        }
        let dropped = (self.scale - wanted).unsigned_abs() as usize;
        let Some(kept) = digits.len().checked_sub(dropped) else { return Self::build(false, Vec::new(), wanted) };
        let up = digits[kept] >= 5;
        digits.truncate(kept);
        if up {
            let mut place = digits.len();
            loop {
                if place == 0 {
                    digits.insert(0, 1);
                    break;
                }
                place -= 1;
                if digits[place] < 9 {
                    digits[place] += 1;
                    break;
                }
                digits[place] = 0;
            }
        }
        Self::build(self.negative, digits, wanted)
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// Below zero.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Without its sign.
    #[must_use]
    pub fn abs(mut self) -> Self {
        self.negative = false;
        self
    }

    fn build(negative: bool, mut digits: Vec<u8>, scale: i32) -> Self {
        let leading = digits.iter().take_while(|digit| **digit == 0).count();
        digits.drain(..leading);
        Self { negative: negative && !digits.is_empty(), digits, scale }
    }

    /// The power of ten of the first digit: 0 for 1 to 9, 3 for 1,234, −2 for 0.05; `None` for zero.
    fn magnitude(&self) -> Option<i32> {
        let length = i32::try_from(self.digits.len()).unwrap_or(i32::MAX);
        (length > 0).then(|| length - 1 - self.scale)
    }

    /// Digits with thousands separators, no sign; the scale must not be negative.
    fn grouped(&self) -> String {
        let scale = usize::try_from(self.scale).unwrap_or(0);
        let mut digits = self.digits.clone();
        if digits.len() <= scale {
            digits.splice(0..0, std::iter::repeat_n(0, scale + 1 - digits.len()));
        }
        let whole = digits.len() - scale;
        let mut text = String::with_capacity(digits.len() + whole / 3 + 1);
        for (place, digit) in digits.iter().enumerate() {
            if place == whole {
                text.push('.');
            } else if place > 0 && place < whole && (whole - place).is_multiple_of(3) {
                text.push(',');
            }
            text.push(char::from(b'0' + digit));
        }
        text
    }

    /// Order by size without sign.
    pub fn cmp_abs(&self, other: &Self) -> Ordering {
        self.magnitude().cmp(&other.magnitude()).then_with(|| {
            let length = self.digits.len().max(other.digits.len());
            let padded = |digits: &[u8]| {
                let mut digits = digits.to_vec();
                digits.resize(length, 0);
                digits
            };
            padded(&self.digits).cmp(&padded(&other.digits))
        })
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self::new(i128::from(value), 0)
    }
}

/// The text is not a decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseDecimalError;

impl fmt::Display for ParseDecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a decimal number")
    }
}

impl std::error::Error for ParseDecimalError {}

impl FromStr for Decimal {
    type Err = ParseDecimalError;

    /// `-123.45`, `+1.2e6`; no separators, no spaces.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (negative, rest) = match text.strip_prefix(['-', '−']) {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| ParseDecimalError)?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.len() + fraction.len() == 0 || exponent.abs() > MAX_POWER {
            return Err(ParseDecimalError);
        }
        let digits = whole
            .bytes()
            .chain(fraction.bytes())
            .map(|byte| byte.is_ascii_digit().then(|| byte - b'0').ok_or(ParseDecimalError))
            .collect::<Result<Vec<_>, _>>()?;
        let scale = i32::try_from(fraction.len()).map_err(|_| ParseDecimalError)?;
        Ok(Self::build(negative, digits, scale - exponent))
    }
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Quantity {
    /// Money in 元.
    Money,
    /// Customers, accounts, transactions.
    Count,
    /// Any other number; its unit stands in its name.
    #[default]
    Number,
    /// A ratio: 0.062 prints as 6.2%.
    Percent,
    /// A difference of ratios: 0.008 prints as 0.8 百分点, 0.8 pp.
    Points,
    /// A small difference of rates: 0.0012 prints as 12 BP.
    BasisPoints,
}

impl Quantity {
    /// All of them, with the names they have in definitions.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("money", Self::Money),
        ("count", Self::Count),
        ("number", Self::Number),
        ("percent", Self::Percent),
        ("points", Self::Points),
        ("basis_points", Self::BasisPoints),
    ];

    /// The quantity of a name such as `money`; `None` when there is no such name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, quantity)| *quantity)
    }

    /// The quantity of a difference of two values: of percents it is points, never a percent of a percent.
    #[must_use]
    pub fn difference(self) -> Self {
        if self == Self::Percent { Self::Points } else { self }
    }
}

/// How the numbers of a block are printed: one unit per measure and page, named once in a title or header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NumberUnit {
    /// What is counted.
    pub quantity: Quantity,
    /// Values are divided by 10^`power` before printing: 0, 3 (K), 4 (万), 6 (M), 8 (亿), 9 (bn). Ratios ignore it.
    pub power: u8,
    /// Digits after the point.
    pub decimals: u8,
}

impl NumberUnit {
    /// Unscaled: 元 with fen, whole counts, 6.2%, 0.8 points, 12 BP, two decimals for other numbers.
    pub const fn plain(quantity: Quantity) -> Self {
        let decimals = match quantity {
            Quantity::Money | Quantity::Number => 2,
            Quantity::Percent | Quantity::Points => 1,
            Quantity::Count | Quantity::BasisPoints => 0,
        };
        Self { quantity, power: 0, decimals }
    }

    /// The unit for all values of a block, chosen by the largest of them without sign. A larger unit begins where ten of it
    /// are reached, so that one digit before the point never carries the whole figure: 12.5 亿元, but 9,876 万元. Decimals
    /// shrink as figures grow. Ratios have no scale.
    pub fn auto<'a>(lang: Lang, quantity: Quantity, values: impl IntoIterator<Item = &'a Decimal>) -> Self {
        let plain = Self::plain(quantity);
        let steps: &[(i32, u8)] = match (quantity, lang) {
            (Quantity::Money, Lang::Zh) => &[(9, 8), (5, 4)],
            (Quantity::Money, Lang::En) => &[(10, 9), (7, 6), (4, 3)],
            // Readers know counts of customers to the last one for longer than amounts.
            (Quantity::Count | Quantity::Number, Lang::Zh) => &[(9, 8), (6, 4)],
            (Quantity::Count | Quantity::Number, Lang::En) => &[(10, 9), (7, 6), (6, 3)],
            (Quantity::Percent | Quantity::Points | Quantity::BasisPoints, _) => &[],
        };
        let Some(magnitude) = values.into_iter().filter_map(Decimal::magnitude).max() else { return plain };
        let Some((_, power)) = steps.iter().find(|(from, _)| magnitude >= *from) else { return plain };
        let decimals = match magnitude - i32::from(*power) {
            4.. => 0,
            2..=3 => 1,
            _ => 2,
        };
        Self { quantity, power: *power, decimals }
    }

    /// With another number of digits after the point.
    #[must_use]
    pub const fn with_decimals(mut self, decimals: u8) -> Self {
        self.decimals = decimals;
        self
    }

    /// The unit for differences of values in this unit.
    #[must_use]
    pub fn difference(mut self) -> Self {
        self.quantity = self.quantity.difference();
        self
    }

    /// The unit in words for a title or header: `亿元`, `CNY M`, `万`, `%`, `百分点`; empty for plain counts and numbers.
    pub fn label(self, lang: Lang) -> String {
        match self.quantity {
            Quantity::Money => message(lang, &format!("unit-money-{}", self.power), &[]),
            Quantity::Count | Quantity::Number if self.power == 0 => String::new(),
            Quantity::Count | Quantity::Number => message(lang, &format!("unit-count-{}", self.power), &[]),
            Quantity::Percent => "%".to_owned(),
            Quantity::Points => message(lang, "unit-points", &[]),
            Quantity::BasisPoints => "BP".to_owned(),
        }
    }

    /// Powers of ten between a stored value and its printed digits: −8 for 亿元, 2 for percent.
    pub fn shift(self) -> i32 {
        match self.quantity {
            Quantity::Money | Quantity::Count | Quantity::Number => -i32::from(self.power),
            Quantity::Percent | Quantity::Points => 2,
            Quantity::BasisPoints => 4,
        }
    }

    /// The value as its printed digits say it; the last step of arithmetic.
    fn rounded(self, value: &Decimal) -> Decimal {
        value.clone().shift(self.shift()).round(self.decimals)
    }
}

/// `1,234.50`, `−87`, `6.2%`: digits, separators and the real minus sign. The unit stands in the title or header, only `%`
/// stays with its number.
pub fn format_number(_lang: Lang, value: &Decimal, unit: NumberUnit) -> String {
    let rounded = unit.rounded(value);
    let sign = if rounded.is_negative() { "−" } else { "" };
    format!("{sign}{}{}", rounded.grouped(), suffix(unit))
}

/// `+1,203`, `−87`, `0`: a change. Zero has no sign, also when only rounding made it zero.
pub fn format_signed(_lang: Lang, value: &Decimal, unit: NumberUnit) -> String {
    let rounded = unit.rounded(value);
    let sign = if rounded.is_zero() {
        ""
    } else if rounded.is_negative() {
        "−"
    } else {
        "+"
    };
    format!("{sign}{}{}", rounded.grouped(), suffix(unit))
}

/// The number with its unit, for sentences: `123.45 亿元`, `−CNY 12.3 bn`, `0.8 百分点`, `12 BP`.
pub fn format_amount(lang: Lang, value: &Decimal, unit: NumberUnit) -> String {
    with_unit(lang, &format_number(lang, value, unit), unit)
}

/// The change with its unit, for sentences: `+1.20 亿元`, `+CNY 12.3 bn`, `−0.8 pp`.
pub fn format_signed_amount(lang: Lang, value: &Decimal, unit: NumberUnit) -> String {
    with_unit(lang, &format_signed(lang, value, unit), unit)
}

fn suffix(unit: NumberUnit) -> &'static str {
    if unit.quantity == Quantity::Percent { "%" } else { "" }
}

fn with_unit(lang: Lang, number: &str, unit: NumberUnit) -> String {
    let key = match unit.quantity {
        Quantity::Percent => return number.to_owned(),
        Quantity::Money => format!("amount-money-{}", unit.power),
        Quantity::Count | Quantity::Number if unit.power == 0 => return number.to_owned(),
        Quantity::Count | Quantity::Number => format!("amount-count-{}", unit.power),
        Quantity::Points => "amount-points".to_owned(),
        Quantity::BasisPoints => "amount-basis-points".to_owned(),
    };
    // The sign leads, also where the currency stands before the number.
    let digits = number.trim_start_matches(['+', '−']);
    let sign = &number[..number.len() - digits.len()];
    format!("{sign}{}", message(lang, &key, &[("value", Value::Text(digits))]))
}
