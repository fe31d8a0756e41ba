//! Sentences with figures in them: `Deposits {kpi.balance:money} at {as_of:date}, {kpi.change:words up|down|flat}`.
//!
//! No logic: a placeholder names a parameter or a column of a dataset's first row, and how to print it. What is compared or
//! chosen is computed in the dataset's SQL, where it can be tested.
//!
//! ```text
//! placeholder = "{" name ["." column] [":" format] "}"          "{{" and "}}" are braces
//! format      = [ "signed" | "absolute" ] kind [ digits ]        digits after the point
//!             | "date" | "month" | "words" [ up "|" down "|" flat ]
//! kind        = a name of `locale::Quantity::NAMES`
//! ```

use super::figure::{self, Sign};
use super::value::Value;
use crate::locale::{self, Lang, MISSING, Quantity};

/// Where a placeholder's value comes from.
pub(super) trait Source {
    /// The value of a parameter (no column) or of a column of a dataset's first row. `None`: no such name.
    fn value(&self, name: &str, column: Option<&str>) -> Option<Value>;
}

/// The text with every placeholder filled, or a sentence that says which one cannot be.
pub(super) fn fill(text: &str, source: &dyn Source, lang: Lang) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len() + 32);
    for piece in pieces(text)? {
        match piece {
            Piece::Literal(literal) => filled.push_str(literal),
            Piece::Placeholder { name, column, format } => {
                let value = source.value(name, column).ok_or_else(|| match column {
                    Some(column) => {
                        format!("`{{{name}.{column}}}`: there is no dataset `{name}` with a column `{column}`")
                    }
                    None => format!("`{{{name}}}`: there is no parameter `{name}`"),
                })?;
                let printed = print(&value, format, lang).map_err(|why| match column {
                    Some(column) => format!("`{{{name}.{column}:{format}}}`: {why}"),
                    None => format!("`{{{name}:{format}}}`: {why}"),
                })?;
                filled.push_str(&printed);
            }
        }
    }
    Ok(filled)
}

#[derive(Debug, PartialEq)]
enum Piece<'a> {
    Literal(&'a str),
    Placeholder { name: &'a str, column: Option<&'a str>, format: &'a str },
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        if at > 0 {
            pieces.push(Piece::Literal(&rest[..at]));
        }
        let (brace, after) = rest[at..].split_at(1);
        if after.starts_with(brace) {
            pieces.push(Piece::Literal(brace));
            rest = &after[1..];
            continue;
        }
        if brace == "}" {
            return Err("a `}` without its `{`; write `}}` for a brace".to_owned());
        }
        let (inner, next) = after.split_once('}').ok_or("a `{` without its `}`; write `{{` for a brace")?;
        let (path, format) = inner.split_once(':').unwrap_or((inner, ""));
        let (name, column) = match path.split_once('.') {
            Some((name, column)) => (name.trim(), Some(column.trim())),
            None => (path.trim(), None),
        };
        pieces.push(Piece::Placeholder { name, column, format: format.trim() });
        rest = next;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    Ok(pieces)
}

/// One value in one format.
fn print(value: &Value, format: &str, lang: Lang) -> Result<String, String> {
    let (mut sign, mut rest) = (Sign::Minus, format);
    for (word, meaning) in [("signed", Sign::Both), ("absolute", Sign::None)] {
        if let Some(after) = rest.strip_prefix(word).filter(|after| after.is_empty() || after.starts_with(' ')) {
            (sign, rest) = (meaning, after.trim_start());
        }
    }
    let (kind, argument) = rest.split_once(' ').unwrap_or((rest, ""));
    let argument = argument.trim();
    let kind = match kind {
        "words" => return words(value, argument, lang),
        "date" | "month" => {
            return match value {
                Value::Null => Ok(MISSING.to_owned()),
                Value::Date(days) if kind == "date" => Ok(locale::format_date(lang, *days)),
                Value::Date(days) => Ok(locale::format_month(lang, *days)),
                _ => Err("the value is not a date".to_owned()),
            };
        }
        "" => None,
        name => match Quantity::parse(name) {
            Some(quantity) => Some(quantity),
            None => {
                let names: Vec<_> = Quantity::NAMES.iter().map(|(name, _)| *name).collect();
                return Err(format!(
                    "unknown format `{name}`; formats are {}, date, month and words, with `signed` or `absolute` before \
                     and digits after",
                    names.join(", ")
                ));
            }
        },
    };
    let decimals = match argument {
        "" => None,
        digits => Some(digits.parse::<u8>().ok().filter(|digits| *digits <= 9).ok_or("digits are from 0 to 9")?),
    };
    match (value, kind) {
        (Value::Null, _) => Ok(MISSING.to_owned()),
        (Value::Number(number), kind) => {
            // Amounts are decimals with two digits on every surface, so this guess is what an author means by no format.
            let kind = kind.unwrap_or(match number.scale {
                0 => Quantity::Count,
                2 => Quantity::Money,
                _ => Quantity::Number,
            });
            Ok(figure::alone(*number, kind, decimals, sign, lang))
        }
        (value, Some(_)) if value.is_figure() => Ok(value.plain()),
        (_, Some(_)) => Err("the value is not a number".to_owned()),
        (Value::Date(days), None) => Ok(locale::format_date(lang, *days)),
        (Value::Boolean(value), None) => Ok(value.to_string()),
        (Value::Text(text), None) => Ok(text.clone()),
    }
}

/// A direction in words: the author's three, or the language's own.
fn words(value: &Value, choices: &str, lang: Lang) -> Result<String, String> {
    let number = match value {
        Value::Null => return Ok(MISSING.to_owned()),
        Value::Number(number) => number,
        value if value.is_figure() => return Ok(MISSING.to_owned()),
        _ => return Err("the value is not a number".to_owned()),
    };
    let at = match number.sign() {
        1 => 0,
        -1 => 1,
        _ => 2,
    };
    if choices.is_empty() {
        return Ok(locale::message(lang, ["report-word-up", "report-word-down", "report-word-flat"][at], &[]));
    }
    let choices: Vec<&str> = choices.split('|').map(str::trim).collect();
    match choices.as_slice() {
        [_, _, _] => Ok(choices[at].to_owned()),
        _ => Err("`words` takes three words as `up|down|unchanged`".to_owned()),
    }
}

#[cfg(test)]
mod tests;
