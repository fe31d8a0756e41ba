//! Measures that store nothing of their own: comparisons along time, shares, ranks and calculations over finished measures.

use std::fmt;

use super::{Formula, Good, Measure, State, TimeRule};
use crate::model::table::DataType;
use crate::model::{Label, Located};

/// Type of a relative change, a share: a ratio with room for growth from next to nothing.
const RELATIVE: DataType = DataType::Decimal(18, 6);

/// What a measure is made of when it stores nothing of its own.
#[derive(Debug, Clone)]
pub enum Derived {
    /// Another measure over other days (上期, 上年同期, 年初, 本年累计).
    Moved { of: Located<String>, shift: Shift },
    /// The other measure less itself over other days; `relative`: divided by the absolute value of the latter.
    Change { of: Located<String>, shift: Shift, relative: bool },
    /// An SQL expression over finished measures that are declared before it.
    Calculated { expression: Formula },
    /// Part of a sum or count in that of the group it belongs to (占比).
    Share { of: Located<String>, within: Within },
    /// Place among the members of the group it belongs to, from 1; equal values share a place (排名).
    Rank { of: Located<String>, within: Within, ascending: bool },
}

/// The group that a share is of, or a rank in. It is made of what the question groups by; its filter applies to both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Within {
    /// All members at one time: only time levels are kept.
    All,
    /// Without the lowest level of a dimension that the question groups by, and its attributes. The name is the join's.
    Parent(String),
    /// Without the levels of a dimension below this one, and its attributes.
    Level { join: String, level: String },
}

/// How a comparison moves the days that a group stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shift {
    /// The previous period of the level that is grouped by; without a time level, the range moved back by its own length.
    PriorPeriod,
    /// The same days one year earlier. 29 February maps to 28; a month's end stays a month's end.
    PriorYear,
    /// The last snapshot day before the year of the group's last day (较年初).
    YearStart,
    /// The last snapshot day before the group's first day.
    Opening,
    /// From the start of the unit to the group's last day.
    ToDate(Unit),
    /// The same, one year earlier.
    ToDatePriorYear(Unit),
    /// The given number of units up to the group's last day.
    Rolling(u16, Unit),
}

/// A unit of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    /// All, the finest first.
    pub const ALL: [Self; 5] = [Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year];

    /// Its name as SQL's `date_trunc` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Day => ("day", "日"),
            Self::Week => ("week", "周"),
            Self::Month => ("month", "月"),
            Self::Quarter => ("quarter", "季"),
            Self::Year => ("year", "年"),
        }
    }
}

impl Shift {
    /// What `compare` may name; `rolling_3_months` stands for any number and unit.
    pub const NAMES: [&str; 10] = [
        "prior_period",
        "prior_year",
        "year_start",
        "mtd",
        "qtd",
        "ytd",
        "mtd_prior_year",
        "qtd_prior_year",
        "ytd_prior_year",
        "rolling_3_months",
    ];

    /// By its name in a `compare` list.
    pub fn named(name: &str) -> Option<Self> {
        let to_date = |name: &str| match name {
            "mtd" => Some(Unit::Month),
            "qtd" => Some(Unit::Quarter),
            "ytd" => Some(Unit::Year),
            _ => None,
        };
        match name {
            "prior_period" => return Some(Self::PriorPeriod),
            "prior_year" => return Some(Self::PriorYear),
            "year_start" => return Some(Self::YearStart),
            _ => {}
        }
        if let Some(unit) = to_date(name) {
            return Some(Self::ToDate(unit));
        }
        if let Some(unit) = name.strip_suffix("_prior_year").and_then(to_date) {
            return Some(Self::ToDatePriorYear(unit));
        }
        let (count, unit) = name.strip_prefix("rolling_")?.split_once('_')?;
        let count: u16 = count.parse().ok().filter(|count| (1..=1000).contains(count))?;
        let unit = Unit::ALL.into_iter().find(|one| unit.strip_suffix('s').unwrap_or(unit) == one.name())?;
        Some(Self::Rolling(count, unit))
    }

    /// Whether it is compared with: a change against it has a meaning of its own.
    fn is_compared(self) -> bool {
        matches!(self, Self::PriorPeriod | Self::PriorYear | Self::YearStart)
    }

    /// Why a measure under a time rule has no such comparison.
    pub(super) fn unfit(self, rule: &TimeRule) -> Option<&'static str> {
        let close = matches!(rule, TimeRule::Close);
        let one_day = close || matches!(rule, TimeRule::LastSeen);
        match self {
            Self::YearStart | Self::Opening if !close => Some("is for measures with `time: close`"),
            Self::ToDate(_) | Self::ToDatePriorYear(_) | Self::Rolling(..) if one_day => {
                Some("adds days up, and the measure is taken on one day; compare its `average_daily` instead")
            }
            _ => None,
        }
    }

    /// In English and Chinese.
    fn words(self) -> (String, String) {
        let both = |en: &str, zh: &str| (en.to_owned(), zh.to_owned());
        match self {
            Self::PriorPeriod => both("prior period", "上期"),
            Self::PriorYear => both("prior year", "上年同期"),
            Self::YearStart => both("start of year", "年初"),
            Self::Opening => both("opening", "期初"),
            Self::ToDate(unit) => {
                let (en, zh) = unit.words();
                (format!("{en} to date"), format!("本{zh}累计"))
            }
            Self::ToDatePriorYear(unit) => {
                let (en, zh) = unit.words();
                (format!("{en} to date, prior year"), format!("上年同期本{zh}累计"))
            }
            Self::Rolling(count, unit) => {
                let (en, zh) = unit.words();
                let zh = if unit == Unit::Month { "个月" } else { zh };
                (format!("last {count} {en}s"), format!("近{count}{zh}"))
            }
        }
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to_date = |unit: Unit| match unit {
            Unit::Month => "mtd",
            Unit::Quarter => "qtd",
            _ => "ytd",
        };
        match self {
            Self::PriorPeriod => f.write_str("prior_period"),
            Self::PriorYear => f.write_str("prior_year"),
            Self::YearStart => f.write_str("year_start"),
            Self::Opening => f.write_str("opening"),
            Self::ToDate(unit) => f.write_str(to_date(*unit)),
            Self::ToDatePriorYear(unit) => write!(f, "{}_prior_year", to_date(*unit)),
            Self::Rolling(count, unit) => write!(f, "rolling_{count}_{}s", unit.name()),
        }
    }
}

impl Derived {
    /// The measure it is made of; none for an expression, which may name several.
    pub fn of(&self) -> Option<&Located<String>> {
        match self {
            Self::Moved { of, .. } | Self::Change { of, .. } | Self::Share { of, .. } | Self::Rank { of, .. } => {
                Some(of)
            }
            Self::Calculated { .. } => None,
        }
    }
}

/// The comparisons of a measure: the value, and where it is one to compare with, the change and the relative change.
pub(super) fn comparisons(measure: &Measure, shift: Shift, at: &Located<String>) -> Vec<Measure> {
    let of = Located { value: measure.name.value.clone(), place: at.place.clone() };
    let (en, zh) = shift.words();
    let mut made = vec![comparison(
        measure,
        format!("{}_{}", *measure.name, **at),
        (&format!(", {en}"), &format!("·{zh}")),
        Derived::Moved { of: of.clone(), shift },
        at,
    )];
    if shift.is_compared() {
        let change = |relative| Derived::Change { of: of.clone(), shift, relative };
        let name = format!("{}_vs_{}", *measure.name, **at);
        made.push(comparison(
            measure,
            name.clone(),
            (&format!(" against {en}"), &format!("·较{zh}")),
            change(false),
            at,
        ));
        let words = (format!(" against {en}, %"), format!("·较{zh}(%)"));
        let mut relative = comparison(measure, format!("{name}_pct"), (&words.0, &words.1), change(true), at);
        relative.data_type = RELATIVE;
        relative.unit = Some("percent".to_owned());
        relative.call = None;
        made.push(relative);
    }
    made
}

fn comparison(
    measure: &Measure,
    name: String,
    (en, other): (&str, &str),
    derived: Derived,
    at: &Located<String>,
) -> Measure {
    let words = |language: &str| if language.starts_with("zh") { other } else { en };
    let label: Label =
        measure.label.iter().map(|(language, text)| (language.clone(), format!("{text}{}", words(language)))).collect();
    // A tool that can only type SUM may do so where the measure itself is called that way.
    let sums = measure.declared_aggregate() == Some("sum");
    Measure {
        name: Located { value: name, place: at.place.clone() },
        label,
        description: Label::new(),
        state: State::Derived(derived),
        time: TimeRule::All,
        data_type: measure.data_type,
        unit: measure.unit.clone(),
        good: measure.good,
        role: None,
        call: sums.then(|| Located { value: "sum".to_owned(), place: at.place.clone() }),
    }
}

/// The group of `within: all`, `within: organisation.parent` or `within: organisation.region`.
pub(super) fn within(text: &str) -> Option<Within> {
    match text.split_once('.') {
        None => (text == "all").then_some(Within::All),
        Some((join, "parent")) => Some(Within::Parent(join.to_owned())),
        Some((join, level)) => Some(Within::Level { join: join.to_owned(), level: level.to_owned() }),
    }
}

/// Defaults of a calculated measure's type and unit.
pub(super) fn defaults(derived: &Derived) -> (DataType, Option<&'static str>, Good) {
    match derived {
        Derived::Share { .. } => (RELATIVE, Some("percent"), Good::None),
        Derived::Rank { .. } => (DataType::Integer, None, Good::Down),
        _ => (RELATIVE, None, Good::None),
    }
}
