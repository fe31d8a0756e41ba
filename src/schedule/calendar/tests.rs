use jiff::civil::{Date, date};

use super::{Calendar, Day};
use crate::error::Code;
use crate::model;

fn cn_bank() -> Calendar {
    let text = include_str!("../../../calendars/cn_bank.yaml");
    Calendar::from(&model::calendar::parse("calendars/cn_bank.yaml", text).expect("the shipped calendar is right"))
}

#[test]
fn the_shipped_calendar() {
    let calendar = cn_bank();
    assert_eq!((calendar.name(), calendar.version()), ("cn_bank", "2026.1"));
    assert_eq!(calendar.file(), "calendars/cn_bank.yaml");
    assert_eq!(calendar.years().collect::<Vec<_>>(), [2023, 2024, 2025, 2026]);
    assert_eq!(calendar.title()["zh-CN"], "银行营业日历");
    // Business days of each year, counted from the notices apart from this file.
    let years = [(2023, 249), (2024, 251), (2025, 248), (2026, 248)];
    for (year, days) in years {
        let count = calendar.business_days_between(date(year, 1, 1), date(year, 12, 31)).expect("covered");
        assert_eq!(count, days, "{year}");
    }
}

/// The sample bank's own calendar, which is the one its figures were made with.
#[test]
fn agrees_with_the_dates_of_the_sample() {
    let calendar = cn_bank();
    let mut rows = include_str!("../../../sample_data/batch-0001/dates.csv").lines();
    let head: Vec<&str> = rows.next().expect("a head").split(',').collect();
    let column = |name: &str| head.iter().position(|known| *known == name).expect("the column");
    let (at, workday, holiday) = (column("date"), column("is_workday"), column("holiday_name"));
    let mut count = 0;
    for row in rows {
        let cells: Vec<&str> = row.split(',').collect();
        let day: Date = cells[at].parse().expect("a date");
        let found = calendar.day(day).expect("covered");
        assert_eq!(found.is_business(), cells[workday] == "1", "{day}");
        let name = match found {
            Day::Holiday(name) => name["zh-CN"].as_str(),
            _ => "",
        };
        assert_eq!(name, cells[holiday], "{day}");
        count += 1;
    }
    assert_eq!(count, 731);
}

#[test]
fn kinds_of_days() {
    let calendar = cn_bank();
    let day = |month, day| calendar.day(date(2026, month, day)).expect("covered");
    assert_eq!(day(2, 13), Day::Business);
    assert!(matches!(day(2, 14), Day::MadeUp(name) if name["en"] == "Spring Festival"));
    // A Sunday of the festival is its holiday.
    assert!(matches!(day(2, 15), Day::Holiday(name) if name["zh-CN"] == "春节"));
    assert_eq!(day(3, 7), Day::Weekend);
}

#[test]
fn neighbours() {
    let calendar = cn_bank();
    let next = |day: Date| calendar.next_business_day(day).expect("covered");
    let previous = |day: Date| calendar.previous_business_day(day).expect("covered");
    assert_eq!(next(date(2026, 9, 30)), date(2026, 10, 8));
    assert_eq!(next(date(2026, 10, 1)), date(2026, 10, 8));
    assert_eq!(previous(date(2026, 10, 8)), date(2026, 9, 30));
    // Saturday 10 October makes up for the holiday.
    assert_eq!(next(date(2026, 10, 9)), date(2026, 10, 10));
    assert_eq!(previous(date(2026, 2, 24)), date(2026, 2, 14));
    // Over the year's end; 4 January 2026 is a Sunday with business.
    assert_eq!(next(date(2025, 12, 31)), date(2026, 1, 4));
    assert_eq!(previous(date(2026, 1, 4)), date(2025, 12, 31));
}

#[test]
fn ordinals_and_counts() {
    let calendar = cn_bank();
    let nth = |month, n| calendar.business_day_of_month(date(2026, month, 15), n).expect("covered");
    assert_eq!(nth(10, 1), Some(date(2026, 10, 8)));
    assert_eq!(nth(10, 3), Some(date(2026, 10, 10)));
    assert_eq!(nth(11, 3), Some(date(2026, 11, 4)));
    assert_eq!(nth(2, 16), Some(date(2026, 2, 28)));
    assert_eq!(nth(2, 17), None);
    assert_eq!(nth(2, 0), None);
    let after = |day, n| calendar.business_day_after(day, n).expect("covered");
    assert_eq!(after(date(2026, 10, 31), 3), date(2026, 11, 4));
    assert_eq!(after(date(2026, 9, 30), 2), date(2026, 10, 9));
    assert_eq!(after(date(2026, 10, 3), 0), date(2026, 10, 3));
    let between = |from, to| calendar.business_days_between(from, to).expect("covered");
    assert_eq!(between(date(2026, 10, 1), date(2026, 10, 10)), 3);
    assert_eq!(between(date(2026, 10, 8), date(2026, 10, 8)), 1);
    assert_eq!(between(date(2026, 10, 9), date(2026, 10, 8)), 0);
}

#[test]
fn a_year_that_is_not_covered_is_an_error() {
    let calendar = cn_bank();
    let error = calendar.is_business_day(date(2027, 1, 1)).expect_err("not covered");
    assert_eq!(error.code(), Code::Definition);
    let message = |year| {
        format!("calendars/cn_bank.yaml: the calendar `cn_bank` does not cover the year {year}; add it to the file")
    };
    assert_eq!(error.message(), message(2027));
    // 31 December 2026 is a Thursday with business: what follows it is not known, not even that 4 January is a Monday.
    assert_eq!(calendar.next_business_day(date(2026, 12, 31)).expect_err("not covered").message(), message(2027));
    assert_eq!(calendar.previous_business_day(date(2023, 1, 3)).expect_err("not covered").message(), message(2022));
    assert!(calendar.business_days_between(date(2026, 12, 1), date(2027, 1, 1)).is_err());
    assert!(calendar.covers(date(2026, 12, 31)) && !calendar.covers(date(2027, 1, 1)));
}
