use std::collections::{BTreeMap, BTreeSet};

use super::message::build;
use super::{
    Decimal, Lang, NumberUnit, Quantity, Value, civil, format_amount, format_date, format_month, format_number,
    format_quarter, format_signed, format_signed_amount, message,
};
use crate::assets;

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn unit(quantity: Quantity, power: u8, decimals: u8) -> NumberUnit {
    NumberUnit { quantity, power, decimals }
}

#[test]
fn tags() {
    for tag in ["zh-CN", "zh", "ZH_hans_CN", " zh-TW "] {
        assert_eq!(Lang::parse(tag), Some(Lang::Zh), "{tag}");
    }
    for tag in ["en", "en-GB", "EN_us"] {
        assert_eq!(Lang::parse(tag), Some(Lang::En), "{tag}");
    }
    for tag in ["", "de", "english", "*", "-"] {
        assert_eq!(Lang::parse(tag), None, "{tag}");
    }
    for lang in Lang::ALL {
        assert_eq!(Lang::parse(lang.tag()), Some(lang));
    }
}

#[test]
fn accept_language() {
    let both = &[Lang::Zh, Lang::En];
    let cases: [(&str, &[Lang], Option<Lang>); 12] = [
        ("zh-CN,zh;q=0.9,en;q=0.8", both, Some(Lang::Zh)),
        ("en-US,en;q=0.9,zh;q=0.8", both, Some(Lang::En)),
        ("de,en;q=0.5,zh;q=0.7", both, Some(Lang::Zh)),
        ("de,fr;q=0.5", both, None),
        ("", both, None),
        ("*", both, Some(Lang::Zh)),
        ("en;q=0, zh;q=0.1", both, Some(Lang::Zh)),
        ("en;q=0", both, None),
        ("zh, en", &[Lang::En], Some(Lang::En)),
        ("en;q=banana, zh;q=0.2", both, Some(Lang::Zh)),
        ("en ; q=1.0 , zh", both, Some(Lang::En)),
        ("en;q=9.9;q=0.001", both, Some(Lang::En)),
    ];
    for (header, offered, expected) in cases {
        assert_eq!(Lang::accept(header, offered), expected, "{header}");
    }
}

#[test]
fn labels_fall_back() {
    let label = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(tag, text)| ((*tag).to_owned(), (*text).to_owned())).collect()
    };
    assert_eq!(Lang::En.pick(&label(&[("en", "Deposits"), ("zh-CN", "存款")])), "Deposits");
    assert_eq!(Lang::Zh.pick(&label(&[("en", "Deposits"), ("zh", "存款")])), "存款");
    assert_eq!(Lang::Zh.pick(&label(&[("en", "Deposits")])), "Deposits");
    assert_eq!(Lang::Zh.pick(&label(&[("de", "Einlagen")])), "Einlagen");
    assert_eq!(Lang::Zh.pick(&label(&[])), "");
}

#[test]
fn numbers() {
    use Quantity::{BasisPoints, Count, Money, Number, Percent, Points};
    let cases = [
        ("0", unit(Money, 0, 2), "0.00"),
        ("-0.00", unit(Money, 0, 2), "0.00"),
        ("-0.004", unit(Money, 0, 2), "0.00"),
        ("0.005", unit(Money, 0, 2), "0.01"),
        ("-0.005", unit(Money, 0, 2), "−0.01"),
        ("1.005", unit(Money, 0, 2), "1.01"),
        ("2.675", unit(Money, 0, 2), "2.68"),
        ("999.995", unit(Money, 0, 2), "1,000.00"),
        ("99999.5", unit(Money, 0, 0), "100,000"),
        ("1234567.891", unit(Money, 0, 2), "1,234,567.89"),
        ("12345678900000.00", unit(Money, 8, 2), "123,456.79"),
        ("123456.78", unit(Money, 4, 1), "12.3"),
        ("-5000", unit(Money, 4, 0), "−1"),
        ("-4999.99", unit(Money, 4, 0), "0"),
        ("12300000000", unit(Money, 9, 1), "12.3"),
        // Beyond i128 and far beyond what a float holds.
        (
            "123456789012345678901234567890123456789012345.55",
            unit(Money, 0, 1),
            "123,456,789,012,345,678,901,234,567,890,123,456,789,012,345.6",
        ),
        ("0.1", unit(Number, 0, 20), "0.10000000000000000000"),
        ("1234", unit(Count, 0, 0), "1,234"),
        ("999", unit(Count, 0, 0), "999"),
        ("0.062", unit(Percent, 0, 1), "6.2%"),
        ("-0.0625", unit(Percent, 0, 1), "−6.3%"),
        ("0.06249", unit(Percent, 0, 1), "6.2%"),
        ("1", unit(Percent, 0, 1), "100.0%"),
        ("12.5", unit(Percent, 0, 0), "1,250%"),
        ("0.008", unit(Points, 0, 1), "0.8"),
        ("0.0012", unit(BasisPoints, 0, 0), "12"),
        ("1e3", unit(Count, 0, 0), "1,000"),
        ("1.5E-2", unit(Percent, 0, 1), "1.5%"),
        ("+7", unit(Count, 0, 0), "7"),
        ("−7", unit(Count, 0, 0), "−7"),
        (".5", unit(Count, 0, 0), "1"),
        ("5.", unit(Count, 0, 0), "5"),
    ];
    for (value, unit, expected) in cases {
        for lang in Lang::ALL {
            assert_eq!(format_number(lang, &decimal(value), unit), expected, "{value}");
        }
    }
}

#[test]
fn signs() {
    let count = NumberUnit::plain(Quantity::Count);
    let cases =
        [("1203", "+1,203"), ("-87", "−87"), ("0", "0"), ("0.4", "0"), ("-0.4", "0"), ("0.5", "+1"), ("-0.5", "−1")];
    for (value, expected) in cases {
        assert_eq!(format_signed(Lang::Zh, &decimal(value), count), expected, "{value}");
    }
    let percent = NumberUnit::plain(Quantity::Percent);
    assert_eq!(format_signed(Lang::En, &decimal("0.062"), percent), "+6.2%");
    assert_eq!(format_signed(Lang::En, &decimal("-0.0001"), percent), "0.0%");
}

#[test]
fn units_in_words() {
    use Quantity::{BasisPoints, Count, Money, Percent, Points};
    let cases = [
        ("12345000000", unit(Money, 8, 2), "123.45 亿元", "CNY 123.45 × 100M"),
        ("12345000000", unit(Money, 9, 1), "12.3 十亿元", "CNY 12.3 bn"),
        ("-1234.5", unit(Money, 0, 2), "−1,234.50 元", "−CNY 1,234.50"),
        ("1234567", unit(Count, 4, 1), "123.5 万", "123.5 × 10K"),
        ("1234", unit(Count, 0, 0), "1,234", "1,234"),
        ("0.062", unit(Percent, 0, 1), "6.2%", "6.2%"),
        ("0.008", unit(Points, 0, 1), "0.8 百分点", "0.8 pp"),
        ("0.0012", unit(BasisPoints, 0, 0), "12 BP", "12 BP"),
    ];
    for (value, unit, zh, en) in cases {
        assert_eq!(format_amount(Lang::Zh, &decimal(value), unit), zh);
        assert_eq!(format_amount(Lang::En, &decimal(value), unit), en);
    }
    let points = NumberUnit::plain(Points);
    assert_eq!(format_signed_amount(Lang::Zh, &decimal("0.008"), points), "+0.8 百分点");
    assert_eq!(format_signed_amount(Lang::En, &decimal("-0.008"), points), "−0.8 pp");
    assert_eq!(format_signed_amount(Lang::En, &decimal("1200000000"), unit(Money, 9, 1)), "+CNY 1.2 bn");
    assert_eq!(unit(Money, 8, 2).label(Lang::Zh), "亿元");
    assert_eq!(unit(Money, 6, 2).label(Lang::En), "CNY M");
    assert_eq!(unit(Count, 0, 0).label(Lang::Zh), "");
    assert_eq!(unit(Percent, 0, 1).label(Lang::Zh), "%");
    for quantity in [Money, Count] {
        for power in [0, 3, 4, 6, 8, 9] {
            for lang in Lang::ALL {
                let unit = unit(quantity, power, 0);
                assert!(!unit.label(lang).contains("unit-"), "{unit:?}");
                assert!(!format_amount(lang, &decimal("1"), unit).contains("amount-"), "{unit:?}");
            }
        }
    }
}

#[test]
fn automatic_units() {
    let auto = |lang, quantity, values: &[&str]| {
        let values: Vec<Decimal> = values.iter().map(|value| decimal(value)).collect();
        let unit = NumberUnit::auto(lang, quantity, &values);
        (unit.power, unit.decimals)
    };
    use Quantity::{Count, Money, Percent};
    assert_eq!(auto(Lang::Zh, Money, &[]), (0, 2));
    assert_eq!(auto(Lang::Zh, Money, &["0", "0.00"]), (0, 2));
    assert_eq!(auto(Lang::Zh, Money, &["99999.99"]), (0, 2));
    assert_eq!(auto(Lang::Zh, Money, &["100000", "3"]), (4, 2));
    assert_eq!(auto(Lang::Zh, Money, &["-12345678.90"]), (4, 1));
    assert_eq!(auto(Lang::Zh, Money, &["999999999.99"]), (4, 0));
    assert_eq!(auto(Lang::Zh, Money, &["1000000000"]), (8, 2));
    assert_eq!(auto(Lang::Zh, Money, &["139450000000"]), (8, 1));
    assert_eq!(auto(Lang::Zh, Money, &["1394500000000"]), (8, 0));
    assert_eq!(auto(Lang::En, Money, &["9999.99"]), (0, 2));
    assert_eq!(auto(Lang::En, Money, &["10000"]), (3, 2));
    assert_eq!(auto(Lang::En, Money, &["12345678"]), (6, 2));
    assert_eq!(auto(Lang::En, Money, &["12345678901"]), (9, 2));
    assert_eq!(auto(Lang::Zh, Count, &["123456"]), (0, 0));
    assert_eq!(auto(Lang::Zh, Count, &["1234567"]), (4, 1));
    assert_eq!(auto(Lang::En, Count, &["1234567"]), (3, 1));
    assert_eq!(auto(Lang::Zh, Percent, &["0.0623"]), (0, 1));
}

#[test]
fn decimals() {
    assert_eq!(Decimal::new(-12345, 2), decimal("-123.45"));
    assert_eq!(Decimal::new(12, -3).round(0), decimal("12000"));
    assert_eq!(Decimal::new(i128::MIN, 0).round(0), decimal("-170141183460469231731687303715884105728"));
    assert_eq!(Decimal::from(7i64), decimal("7"));
    assert_eq!(Decimal::from_f64(0.1), Some(decimal("0.1")));
    assert_eq!(Decimal::from_f64(-1e21), Some(decimal("-1000000000000000000000")));
    assert_eq!(Decimal::from_f64(f64::NAN), None);
    assert_eq!(Decimal::from_f64(f64::INFINITY), None);
    for text in ["", "-", ".", "1,000", "abc", "1.2.3", "1e", "1e999", "--1", " 1", "٣"] {
        assert!(text.parse::<Decimal>().is_err(), "{text}");
    }
    assert!(decimal("0.000").is_zero());
    assert!(decimal("-0.001").is_negative());
    assert!(decimal("-5").cmp_abs(&decimal("4.99")).is_gt());
    assert!(decimal("0").cmp_abs(&decimal("0.0001")).is_lt());
    assert!(decimal("10").cmp_abs(&decimal("10.00")).is_eq());
}

/// Against integer arithmetic, over every remainder.
#[test]
fn rounding_is_half_away_from_zero() {
    for value in -2500i64..=2500 {
        let rounded = Decimal::new(i128::from(value), 2).round(0);
        let expected = (value.abs() + 50) / 100 * value.signum();
        assert_eq!(
            format_number(Lang::En, &rounded, NumberUnit::plain(Quantity::Count)).replace('−', "-").replace(',', ""),
            expected.to_string(),
            "{value}"
        );
    }
}

#[test]
fn dates() {
    assert_eq!(civil(0), Some((1970, 1, 1)));
    assert_eq!(civil(20453), Some((2025, 12, 31)));
    assert_eq!(civil(-1), Some((1969, 12, 31)));
    assert_eq!(civil(i32::MAX), None);
    assert_eq!(format_date(Lang::Zh, 20453), "2025-12-31");
    assert_eq!(format_date(Lang::En, 20453), "2025-12-31");
    assert_eq!(format_month(Lang::Zh, 20453), "2025年12月");
    assert_eq!(format_month(Lang::En, 20453), "Dec 2025");
    assert_eq!(format_quarter(Lang::Zh, 20453), "2025年4季度");
    assert_eq!(format_quarter(Lang::En, 20453), "Q4 2025");
    assert_eq!(format_date(Lang::En, i32::MIN), "–");
    for month in 1..=12 {
        let days = month * 30;
        for lang in Lang::ALL {
            assert!(!format_month(lang, days).contains("month"), "{lang} {month}");
        }
    }
}

#[test]
fn messages() {
    assert_eq!(message(Lang::Zh, "no-such-key", &[]), "no-such-key");
    assert_eq!(message(Lang::En, "chart-others", &[("count", Value::Count(1))]), "1 other");
    assert_eq!(message(Lang::En, "chart-others", &[("count", Value::Count(1200))]), "1,200 others");
    assert_eq!(message(Lang::Zh, "chart-others", &[("count", 1200.into())]), "其余 1,200 项");
    // Text is text: nothing in it is read as Fluent, and no marks are put around it.
    let text = "{ $x } <&\"> \u{2068}";
    assert_eq!(message(Lang::En, "chart-against", &[("against", text.into())]), format!("vs {text}"));
    assert!(message(Lang::En, "chart-against", &[]).contains("against"));
}

/// Key to the arguments that its text uses, of one language.
fn keys(tag: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (_, name, text) in assets::TEXT.iter().filter(|(lang, ..)| *lang == tag) {
        let mut current = None;
        for line in text.lines() {
            if let Some((key, _)) =
                line.split_once('=').filter(|_| line.starts_with(|first: char| first.is_ascii_alphabetic()))
            {
                let key = key.trim().to_owned();
                assert!(keys.insert(key.clone(), BTreeSet::new()).is_none(), "{tag} {name}: {key} stands there twice");
                current = Some(key);
            }
            let Some(arguments) = current.as_ref().and_then(|key| keys.get_mut(key)) else { continue };
            for part in line.split('$').skip(1) {
                let end = part
                    .find(|char: char| !char.is_ascii_alphanumeric() && char != '-' && char != '_')
                    .unwrap_or(part.len());
                arguments.insert(part[..end].to_owned());
            }
        }
    }
    keys
}

#[test]
fn languages_hold_the_same() {
    for lang in Lang::ALL {
        assert_eq!(build(lang).1, Vec::<String>::new());
    }
    assert_eq!(keys("zh-CN"), keys("en"));
    let files = |tag: &str| -> Vec<&str> {
        assets::TEXT.iter().filter(|(lang, ..)| *lang == tag).map(|(_, name, _)| *name).collect()
    };
    assert_eq!(files("zh-CN"), files("en"));
    for lang in Lang::ALL {
        for key in keys(lang.tag()).keys() {
            assert_ne!(message(lang, key, &[]), *key, "{lang} {key}");
        }
    }
}
