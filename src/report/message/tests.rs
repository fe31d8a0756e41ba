use super::{Source, fill};
use crate::locale::Lang;
use crate::report::calendar;
use crate::report::value::{Number, Value};

struct Figures;

impl Source for Figures {
    fn value(&self, name: &str, column: Option<&str>) -> Option<Value> {
        let number = |text: &str| Some(Value::Number(Number::parse(text).unwrap()));
        match (name, column) {
            ("as_of", None) => Some(Value::Date(calendar::parse("2025-11-30").unwrap())),
            ("kpi", Some("balance")) => number("13986000000.00"),
            ("kpi", Some("change")) => number("-108430000.00"),
            ("kpi", Some("ratio")) => number("0.013449"),
            ("kpi", Some("customers")) => number("123358"),
            ("kpi", Some("zero")) => number("0.00"),
            ("kpi", Some("missing")) => Some(Value::Null),
            ("kpi", Some("branch")) => Some(Value::Text("太原分行 & <Co>".to_owned())),
            _ => None,
        }
    }
}

fn check(text: &str, zh: &str, en: &str) {
    // Numbers hold on to their units by spaces that do not break; here they are plain.
    let filled = |lang| fill(text, &Figures, lang).unwrap().replace('\u{a0}', " ");
    assert_eq!(filled(Lang::Zh), zh);
    assert_eq!(filled(Lang::En), en);
}

#[test]
fn placeholders_are_printed_in_their_formats() {
    check("{kpi.balance:money 1}", "139.9 亿元", "CNY 14.0 bn");
    check("{kpi.change:absolute money}", "1.08 亿元", "CNY 108.4 M");
    check("{kpi.ratio:percent 2}", "1.34%", "1.34%");
    check("{kpi.ratio:signed points}", "+1.3 百分点", "+1.3 pp");
    check("{kpi.customers:count}", "123,358", "123,358");
    check("{as_of:date}", "2025-11-30", "2025-11-30");
    check("{as_of:month}", "2025年11月", "Nov 2025");
    check("{as_of}", "2025-11-30", "2025-11-30");
    check("{kpi.missing:money}{kpi.missing:words}{kpi.missing:date}", "–––", "–––");
    // Text is text here; the formats escape it.
    check("{kpi.branch}", "太原分行 & <Co>", "太原分行 & <Co>");
}

#[test]
fn directions_are_words() {
    check("{kpi.change:words}", "减少", "down");
    check("{kpi.balance:words}", "增加", "up");
    check("{kpi.zero:words}", "持平", "unchanged");
    check("{kpi.change:words grew|shrank|stood still}", "shrank", "shrank");
}

#[test]
fn braces_can_be_written() {
    check("{{{kpi.customers:count}}}", "{123,358}", "{123,358}");
}

#[test]
fn faults_say_what_is_wrong() {
    let fault = |text: &str| fill(text, &Figures, Lang::En).unwrap_err();
    assert_eq!(fault("{kpi.nothing}"), "`{kpi.nothing}`: there is no dataset `kpi` with a column `nothing`");
    assert_eq!(fault("{top}"), "`{top}`: there is no parameter `top`");
    assert!(fault("{kpi.balance:euros}").contains("unknown format `euros`; formats are money, count"));
    assert_eq!(fault("{kpi.branch:money}"), "`{kpi.branch:money}`: the value is not a number");
    assert_eq!(fault("{kpi.balance:money 12}"), "`{kpi.balance:money 12}`: digits are from 0 to 9");
    assert_eq!(
        fault("{kpi.change:words up|down}"),
        "`{kpi.change:words up|down}`: `words` takes three words as `up|down|unchanged`"
    );
    assert!(fault("{kpi.balance").contains("without its `}`"));
    assert!(fault("a } b").contains("without its `{`"));
}
