//! Business calendars: weekends, holidays and make-up working days (调休), one file `calendars/<name>.yaml` each.
//!
//! Text in; a calendar, or every fault of the file, out. What may be asked of a calendar stands in `schedule::calendar`.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::shape::{self, Fields, Kind, Shape, may, need};
use super::{Diagnostic, Label, Located, time, yaml};

/// The days of the week as they stand in files, Monday first.
pub const WEEKDAYS: &[&str] = &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// A calendar as it stands in its file.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// Its name, that of the file.
    pub name: Located<String>,
    /// What runs record, so that a past one can be explained.
    pub version: String,
    /// Name shown to people.
    pub title: Label,
    /// Days of the week without business, 0 Monday to 6 Sunday.
    pub weekend: Vec<usize>,
    /// The years that it covers.
    pub years: Vec<Year>,
}

/// A year that the calendar covers.
#[derive(Debug, Clone)]
pub struct Year {
    /// Four digits.
    pub year: Located<i16>,
    /// Where its days are taken from.
    pub source: String,
    /// Days without business.
    pub holidays: Vec<Holiday>,
    /// Days of the weekend with business: day since 1970-01-01, and the holiday that it makes up for.
    pub working: Vec<(Located<i32>, Label)>,
}

/// Days in a row without business.
#[derive(Debug, Clone)]
pub struct Holiday {
    /// First day, since 1970-01-01.
    pub from: Located<i32>,
    /// Last day, since 1970-01-01.
    pub to: i32,
    /// Name shown to people.
    pub name: Label,
}

pub(crate) static CALENDAR: Shape = Shape {
    name: "a calendar",
    keys: &[
        need("calendar", Kind::Name, "Name of the calendar and of its file."),
        need("version", Kind::Text, "Changes with every change of the file; runs record it."),
        may("title", Kind::Label, "Name shown to people."),
        may("weekend", Kind::List(&Kind::OneOf(WEEKDAYS)), "Days of the week without business.")
            .or("[saturday, sunday]"),
        need(
            "years",
            Kind::List(&Kind::Map(&YEAR)),
            "The years that the calendar covers. For any other there is no answer, only an error.",
        ),
    ],
};

static YEAR: Shape = Shape {
    name: "a year",
    keys: &[
        need("year", Kind::Integer(1970, 9998), "Four digits."),
        need("source", Kind::Text, "Where its days are taken from, as the number of a notice."),
        need("holidays", Kind::List(&Kind::Map(&HOLIDAY)), "Days without business, beside the weekend; `[]` for none."),
        may("working", Kind::List(&Kind::Map(&WORKING)), "Days of the weekend with business (调休).").or("[]"),
    ],
};

static HOLIDAY: Shape = Shape {
    name: "a holiday",
    keys: &[
        need("from", Kind::Date, "Its first day."),
        may("to", Kind::Date, "Its last day; the first unless stated."),
        need("name", Kind::Label, "Name shown to people."),
    ],
};

static WORKING: Shape = Shape {
    name: "a make-up working day",
    keys: &[need("date", Kind::Date, "The day."), may("name", Kind::Label, "The holiday that it makes up for.")],
};

/// A calendar from its text. `path` is how the file is called in diagnostics, and its name there is the calendar's.
///
/// # Errors
/// Every fault of the file.
pub fn parse(path: &str, text: &str) -> Result<Calendar, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let node = yaml::parse(path, text, &mut faults);
    shape::check(&node, Kind::Map(&CALENDAR), "a calendar", &mut faults);
    let calendar = decode(&Fields::new(&node, &CALENDAR));
    validate(path, &calendar, &mut faults);
    if calendar.years.is_empty() && faults.is_empty() {
        faults.push(Diagnostic::new(&node.place, "a calendar covers at least one year"));
    }
    if faults.is_empty() { Ok(calendar) } else { Err(shape::in_order(faults)) }
}

fn decode(fields: &Fields<'_>) -> Calendar {
    let weekend = fields.texts("weekend");
    Calendar {
        name: fields.needed("calendar"),
        version: fields.needed("version").value,
        title: fields.label("title"),
        weekend: weekend.iter().filter_map(|day| WEEKDAYS.iter().position(|known| *known == **day)).collect(),
        years: fields.maps("years").iter().map(year).collect(),
    }
}

fn year(fields: &Fields<'_>) -> Year {
    Year {
        year: fields.number("year").unwrap_or_else(|| Located { value: 0, place: fields.place().clone() }),
        source: fields.needed("source").value,
        holidays: fields.maps("holidays").iter().filter_map(holiday).collect(),
        working: fields
            .maps("working")
            .iter()
            .filter_map(|fields| Some((day(fields, "date")?, fields.label("name"))))
            .collect(),
    }
}

fn holiday(fields: &Fields<'_>) -> Option<Holiday> {
    let from = day(fields, "from")?;
    Some(Holiday { to: day(fields, "to").map_or(from.value, |to| to.value), from, name: fields.label("name") })
}

fn day(fields: &Fields<'_>, name: &str) -> Option<Located<i32>> {
    let text = fields.text(name)?;
    Some(Located { value: time::parse(&text)?, place: text.place })
}

/// Day of the week of a day since 1970-01-01, which was a Thursday: 0 Monday to 6 Sunday.
fn weekday(day: i32) -> usize {
    (day + 3).rem_euclid(7) as usize
}

/// What must hold within a calendar. Values that were refused before read as 0 or empty and are passed over.
fn validate(path: &str, calendar: &Calendar, faults: &mut Vec<Diagnostic>) {
    let mut fault = |at: &super::Place, message: String| faults.push(Diagnostic::new(at, message));
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let stem = file.strip_suffix(".yaml").unwrap_or(file);
    if !calendar.name.is_empty() && *calendar.name != stem {
        fault(
            &calendar.name.place,
            format!("calendar `{}` stands in the file `{file}`; the names must agree", *calendar.name),
        );
    }
    if (0..7).all(|day| calendar.weekend.contains(&day)) {
        fault(&calendar.name.place, "`weekend` leaves no day for business".into());
    }
    let mut years: BTreeMap<i16, u32> = BTreeMap::new();
    let mut days: BTreeMap<i32, u32> = BTreeMap::new();
    for year in &calendar.years {
        let number = *year.year;
        if number != 0
            && let Some(line) = years.insert(number, year.year.place.line)
        {
            fault(&year.year.place, format!("the year {number} is given twice, first on line {line}"));
        }
        let stray = |day: i32| number != 0 && time::civil(day).year() != number;
        for holiday in &year.holidays {
            let (from, place) = (*holiday.from, &holiday.from.place);
            if holiday.to < from {
                fault(place, format!("the holiday ends on {}, before its first day", time::iso(holiday.to)));
                continue;
            }
            if stray(from) || stray(holiday.to) {
                let (from, to) = (time::iso(from), time::iso(holiday.to));
                fault(place, format!("the holiday from {from} to {to} does not lie in the year {number}; split it"));
                continue;
            }
            for day in from..=holiday.to {
                if let Some(line) = days.insert(day, place.line) {
                    fault(place, format!("{} is given twice, first on line {line}", time::iso(day)));
                }
            }
        }
        for (date, _) in &year.working {
            let (day, place) = (**date, &date.place);
            if stray(day) {
                fault(place, format!("{} does not lie in the year {number}", time::iso(day)));
            } else if !calendar.weekend.contains(&weekday(day)) {
                let name = WEEKDAYS[weekday(day)];
                fault(place, format!("{} is a {name}, with business in any case", time::iso(day)));
            } else if let Some(line) = days.insert(day, place.line) {
                fault(place, format!("{} is given twice, first on line {line}", time::iso(day)));
            }
        }
    }
}
