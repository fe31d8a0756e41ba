//! Fluent messages, compiled in and parsed once.

use std::sync::OnceLock;

use fluent::concurrent::FluentBundle;
use fluent::{FluentArgs, FluentResource, FluentValue};

use super::Lang;
use super::number::{Decimal, NumberUnit, Quantity, format_number};
use crate::assets;

/// An argument of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Finished text: names, and numbers that are already formatted.
    Text(&'a str),
    /// A count that chooses between singular and plural; printed with thousands separators.
    Count(i64),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(count: i64) -> Self {
        Self::Count(count)
    }
}

/// The message of `key` with its arguments. A key that does not exist prints as itself: visible to whoever looks at the page,
/// and no reason to lose the page. The same holds for an argument that was not given.
pub fn message(lang: Lang, key: &str, args: &[(&str, Value<'_>)]) -> String {
    let bundle = bundle(lang);
    let Some(pattern) = bundle.get_message(key).and_then(|found| found.value()) else { return key.to_owned() };
    let mut values = FluentArgs::with_capacity(args.len());
    for (name, value) in args {
        match value {
            Value::Text(text) => values.set(*name, FluentValue::from((*text).to_owned())),
            Value::Count(count) => values.set(*name, FluentValue::from(*count)),
        }
    }
    bundle.format_pattern(pattern, Some(&values), &mut Vec::new()).into_owned()
}

type Bundle = FluentBundle<FluentResource>;

fn bundle(lang: Lang) -> &'static Bundle {
    static ZH: OnceLock<Bundle> = OnceLock::new();
    static EN: OnceLock<Bundle> = OnceLock::new();
    match lang {
        Lang::Zh => ZH.get_or_init(|| build(lang).0),
        Lang::En => EN.get_or_init(|| build(lang).0),
    }
}

/// The bundle and what is wrong with its files. The faults interest only the test: at run time the rest still serves.
pub(super) fn build(lang: Lang) -> (Bundle, Vec<String>) {
    let mut faults = Vec::new();
    let mut bundle = Bundle::new_concurrent(lang.tag().parse().into_iter().collect());
    // Isolation marks would stand inside SVG, CSV and subjects of mails; neither language is written right to left.
    bundle.set_use_isolating(false);
    bundle.set_formatter(Some(|value, _| match value {
        FluentValue::Number(number) => {
            let exact = Decimal::from_f64(number.value)?;
            Some(format_number(Lang::default(), &exact, NumberUnit::plain(Quantity::Count)))
        }
        _ => None,
    }));
    for (_, name, text) in assets::TEXT.iter().filter(|(tag, ..)| *tag == lang.tag()) {
        let resource = FluentResource::try_new((*text).to_owned()).unwrap_or_else(|(resource, errors)| {
            faults.extend(errors.iter().map(|error| format!("{lang} {name}: {error}")));
            resource
        });
        if let Err(errors) = bundle.add_resource(resource) {
            faults.extend(errors.iter().map(|error| format!("{lang} {name}: {error}")));
        }
    }
    (bundle, faults)
}
