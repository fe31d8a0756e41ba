use std::sync::Arc;

use jiff::civil::{Date, DateTime, Time, date, time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{
    Cron, Cutoff, Deadline, Every, GRACE, MOST_AT_ONCE, Missed, OnHoliday, Overlap, Period, Reason, Then, Trigger, zone,
};
use crate::model;
use crate::schedule::calendar::Calendar;

fn tz(name: &str) -> TimeZone {
    zone(jiff::tz::db(), name).expect("a known zone")
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a timestamp")
}

fn cn_bank() -> Arc<Calendar> {
    let text = include_str!("../../../calendars/cn_bank.yaml");
    let read = model::calendar::parse("calendars/cn_bank.yaml", text).expect("the shipped calendar is right");
    Arc::new(Calendar::from(&read))
}

fn clock(cron: &str, zone: &str) -> Trigger {
    Trigger::clock(Cron::parse(cron).expect("a cron expression"), tz(zone), None)
}

fn on_days(cron: &str, on_holiday: OnHoliday) -> Trigger {
    let cron = Cron::parse(cron).expect("a cron expression");
    Trigger::clock(cron, tz("Asia/Shanghai"), Some((cn_bank(), on_holiday)))
}

/// Local times with offset of the firings in a span of UTC.
fn locals(trigger: &Trigger, from: &str, to: &str) -> Vec<String> {
    let found = trigger.between(at(from), at(to));
    assert!(found.beyond.is_none(), "{:?}", found.beyond);
    found.firings.iter().map(|firing| firing.local.strftime("%m-%d %H:%M%:z").to_string()).collect()
}

#[test]
fn clock_changes() {
    // Prague: 29 March 2026 02:00 -> 03:00, 25 October 2026 03:00 -> 02:00. New York: 8 March 02:00 -> 03:00, 1 November
    // 02:00 -> 01:00. Each row: zone, expression, local day in UTC, what fires.
    type Row = (&'static str, &'static str, (&'static str, &'static str), &'static [&'static str]);
    const PRAGUE_GAP: (&str, &str) = ("2026-03-28T22:59:59Z", "2026-03-29T21:59:59Z");
    const PRAGUE_OVERLAP: (&str, &str) = ("2026-10-24T21:59:59Z", "2026-10-25T22:59:59Z");
    const YORK_GAP: (&str, &str) = ("2026-03-08T04:59:59Z", "2026-03-09T03:59:59Z");
    const YORK_OVERLAP: (&str, &str) = ("2026-11-01T03:59:59Z", "2026-11-02T04:59:59Z");
    const SHANGHAI: (&str, &str) = ("2026-03-28T15:59:59Z", "2026-03-29T15:59:59Z");
    const PRAGUE: &str = "Europe/Prague";
    const YORK: &str = "America/New_York";
    let rows: &[Row] = &[
        // Fixed times: right after the gap, whatever the minute; others of the day as always.
        (PRAGUE, "30 2 * * *", PRAGUE_GAP, &["03-29 03:00+02:00"]),
        (PRAGUE, "0 2 * * *", PRAGUE_GAP, &["03-29 03:00+02:00"]),
        (PRAGUE, "59 1 * * *", PRAGUE_GAP, &["03-29 01:59+01:00"]),
        (PRAGUE, "0 3 * * *", PRAGUE_GAP, &["03-29 03:00+02:00"]),
        (PRAGUE, "30 2,14 * * *", PRAGUE_GAP, &["03-29 03:00+02:00", "03-29 14:30+02:00"]),
        // Several times that fall together are one.
        (PRAGUE, "0,15,45 2,3 * * *", PRAGUE_GAP, &["03-29 03:00+02:00", "03-29 03:15+02:00", "03-29 03:45+02:00"]),
        // Wildcards: what does not happen does not fire.
        (
            PRAGUE,
            "*/30 1-3 * * *",
            PRAGUE_GAP,
            &["03-29 01:00+01:00", "03-29 01:30+01:00", "03-29 03:00+02:00", "03-29 03:30+02:00"],
        ),
        (PRAGUE, "*/15 2 * * *", PRAGUE_GAP, &[]),
        (PRAGUE, "30 */12 * * *", PRAGUE_GAP, &["03-29 00:30+01:00", "03-29 12:30+02:00"]),
        // Overlap: fixed once, the first time; wildcards at both.
        (PRAGUE, "30 2 * * *", PRAGUE_OVERLAP, &["10-25 02:30+02:00"]),
        (PRAGUE, "0 2 * * *", PRAGUE_OVERLAP, &["10-25 02:00+02:00"]),
        (PRAGUE, "0 3 * * *", PRAGUE_OVERLAP, &["10-25 03:00+01:00"]),
        (PRAGUE, "0 1-3 * * *", PRAGUE_OVERLAP, &["10-25 01:00+02:00", "10-25 02:00+02:00", "10-25 03:00+01:00"]),
        (
            PRAGUE,
            "*/30 2 * * *",
            PRAGUE_OVERLAP,
            &["10-25 02:00+02:00", "10-25 02:30+02:00", "10-25 02:00+01:00", "10-25 02:30+01:00"],
        ),
        (
            PRAGUE,
            "0 */2 * * SUN",
            PRAGUE_OVERLAP,
            &[
                "10-25 00:00+02:00",
                "10-25 02:00+02:00",
                "10-25 02:00+01:00",
                "10-25 04:00+01:00",
                "10-25 06:00+01:00",
                "10-25 08:00+01:00",
                "10-25 10:00+01:00",
                "10-25 12:00+01:00",
                "10-25 14:00+01:00",
                "10-25 16:00+01:00",
                "10-25 18:00+01:00",
                "10-25 20:00+01:00",
                "10-25 22:00+01:00",
            ],
        ),
        (YORK, "30 2 * * *", YORK_GAP, &["03-08 03:00-04:00"]),
        (YORK, "15,30 2-3 * * *", YORK_GAP, &["03-08 03:00-04:00", "03-08 03:15-04:00", "03-08 03:30-04:00"]),
        (YORK, "*/20 1-2 * * *", YORK_GAP, &["03-08 01:00-05:00", "03-08 01:20-05:00", "03-08 01:40-05:00"]),
        (YORK, "30 1 * * *", YORK_OVERLAP, &["11-01 01:30-04:00"]),
        (YORK, "0 2 * * *", YORK_OVERLAP, &["11-01 02:00-05:00"]),
        (
            YORK,
            "*/30 1 * * *",
            YORK_OVERLAP,
            &["11-01 01:00-04:00", "11-01 01:30-04:00", "11-01 01:00-05:00", "11-01 01:30-05:00"],
        ),
        ("Asia/Shanghai", "30 2 * * *", SHANGHAI, &["03-29 02:30+08:00"]),
        ("Asia/Shanghai", "*/30 2 * * *", SHANGHAI, &["03-29 02:00+08:00", "03-29 02:30+08:00"]),
    ];
    for (zone, cron, (from, to), expected) in rows {
        assert_eq!(locals(&clock(cron, zone), from, to), *expected, "{zone} {cron} {from}");
    }
    // Every minute of a day with 23 and one with 25 hours.
    let every = clock("* * * * *", PRAGUE);
    assert_eq!(locals(&every, PRAGUE_GAP.0, PRAGUE_GAP.1).len(), 23 * 60);
    assert_eq!(locals(&every, PRAGUE_OVERLAP.0, PRAGUE_OVERLAP.1).len(), 25 * 60);
}

#[test]
fn clock_changes_have_reasons() {
    let reasons = |cron: &str, from: &str| {
        let mut found = clock(cron, "Europe/Prague").next(at(from), 1);
        found.firings.remove(0).reasons
    };
    let wanted = |text: &str| text.parse::<DateTime>().expect("a time");
    assert_eq!(reasons("30 2 * * *", "2026-03-29T00:00:00Z"), [Reason::Gap { wanted: wanted("2026-03-29T02:30") }]);
    assert_eq!(reasons("30 2 * * *", "2026-03-29T12:00:00Z"), []);
    assert_eq!(
        reasons("30 2 * * *", "2026-10-25T00:00:00Z"),
        [Reason::OverlapFirst { wanted: wanted("2026-10-25T02:30") }]
    );
    // Two wanted times at one instant: both reasons stand there.
    let both = [Reason::Gap { wanted: wanted("2026-03-29T02:00") }, Reason::Gap { wanted: wanted("2026-03-29T02:30") }];
    assert_eq!(reasons("0,30 2,3 * * *", "2026-03-29T00:00:00Z"), both);
    let both = [Reason::OverlapBoth { wanted: wanted("2026-10-25T02:00") }];
    assert_eq!(reasons("0 */2 * * *", "2026-10-25T00:30:00Z"), both);
}

#[test]
fn a_day_that_a_zone_left_out() {
    // Samoa had no 30 December 2011.
    let trigger = clock("0 9 30 12 *", "Pacific/Apia");
    let found = trigger.between(at("2011-12-29T00:00:00Z"), at("2012-01-02T00:00:00Z"));
    let locals: Vec<String> = found.firings.iter().map(|firing| firing.local.datetime().to_string()).collect();
    assert_eq!(locals, ["2011-12-31T00:00:00"]);
}

fn days(cron: &str, from: Date, count: usize) -> Vec<String> {
    let start = from.to_zoned(TimeZone::UTC).expect("a time").timestamp() - SignedDuration::from_secs(1);
    let found = clock(cron, "UTC").next(start, count);
    found.firings.iter().map(|firing| firing.local.date().to_string()).collect()
}

#[test]
fn days_of_months() {
    let from = date(2026, 1, 1);
    assert_eq!(days("0 9 29 * *", from, 3), ["2026-01-29", "2026-03-29", "2026-04-29"]);
    assert_eq!(days("0 9 30 * *", from, 3), ["2026-01-30", "2026-03-30", "2026-04-30"]);
    assert_eq!(days("0 9 31 * *", from, 4), ["2026-01-31", "2026-03-31", "2026-05-31", "2026-07-31"]);
    assert_eq!(days("0 9 L * *", date(2028, 1, 1), 3), ["2028-01-31", "2028-02-29", "2028-03-31"]);
    assert_eq!(days("0 9 L 2 *", from, 3), ["2026-02-28", "2027-02-28", "2028-02-29"]);
    assert_eq!(days("0 9 29 2 *", from, 2), ["2028-02-29", "2032-02-29"]);
    // 2096 to 2104: the year 2100 has no leap day.
    assert_eq!(days("0 9 29 2 *", date(2096, 3, 1), 1), ["2104-02-29"]);
    // Leap days on a Monday, with both fields asked for.
    assert_eq!(days("0 9 29 2 +MON", from, 2), ["2044-02-29", "2072-02-29"]);
    assert_eq!(days("0 0 1 1 *", from, 2), ["2026-01-01", "2027-01-01"]);
    assert_eq!(days("59 23 31 12 *", from, 2), ["2026-12-31", "2027-12-31"]);
    // Days of month and of week together: either.
    assert_eq!(days("0 9 15 * FRI", date(2026, 1, 10), 3), ["2026-01-15", "2026-01-16", "2026-01-23"]);
    assert_eq!(days("0 9 * * 1,3,5", date(2026, 1, 1), 4), ["2026-01-02", "2026-01-05", "2026-01-07", "2026-01-09"]);
    assert_eq!(days("0 9 * * SAT-SUN", from, 3), ["2026-01-03", "2026-01-04", "2026-01-10"]);
    assert_eq!(days("0 9 * * 7", from, 2), days("0 9 * * 0", from, 2));
    assert_eq!(days("0 9 * * 5L", from, 2), ["2026-01-30", "2026-02-27"]);
    assert_eq!(days("0 9 * * TUE#2", from, 2), ["2026-01-13", "2026-02-10"]);
    assert_eq!(days("0 9 15W * *", date(2026, 2, 1), 2), ["2026-02-16", "2026-03-16"]);
}

#[test]
fn faulty_expressions() {
    for (text, part) in [
        ("", "five fields"),
        ("0 9 * *", "five fields"),
        ("0 0 9 * * *", "five fields"),
        ("@daily", "five fields"),
        ("60 9 * * *", "not a cron expression"),
        ("0 24 * * *", "not a cron expression"),
        ("0 9 32 * *", "not a cron expression"),
        ("0 9 * 13 *", "not a cron expression"),
        ("0 9 * * 8", "not a cron expression"),
        ("*/0 9 * * *", "not a cron expression"),
        ("5/15 9 * * *", "not a cron expression"),
        ("0 JAN * * *", "for the hour"),
        ("0 9 * FOO *", "for the month"),
        ("0 9 * * MONDAY", "for the day of week"),
        ("0 9 ,1 * *", "empty entry"),
        ("0 9 30 2 *", "never comes"),
        ("0 9 31 4,6,9,11 *", "never comes"),
        ("中 9 * * *", "for the minute"),
    ] {
        let error = Cron::parse(text).expect_err(text);
        assert!(error.contains(part), "{text}: {error}");
    }
    let cron = Cron::parse("  30  7 * *  mon-fri ").expect("right");
    assert_eq!((cron.as_str(), cron.is_wildcard()), ("30 7 * * mon-fri", false));
    assert!(Cron::parse("*/5 7 * * *").expect("right").is_wildcard());
    assert!(zone(jiff::tz::db(), "Asia/Beijing").expect_err("unknown").contains("`Asia/Beijing`"));
}

#[test]
fn text_of_any_kind_is_no_panic() {
    let mut random = Random(7);
    let letters: Vec<char> = "0123456789 ***//--,,#LW?+@SUNMONJAN中".chars().collect();
    for _ in 0..3000 {
        let mut text: String = (0..random.below(16)).map(|_| letters[random.below(letters.len())]).collect();
        text += " * * * *";
        let _ = Cron::parse(&text).map(|cron| cron.matches(date(2026, 2, 28)));
    }
}

#[test]
fn holidays_skip_and_make_up_days_run() {
    let trigger = on_days("30 7 * * *", OnHoliday::Skip);
    let found = trigger.between(at("2026-09-29T16:00:00Z"), at("2026-10-12T15:59:00Z"));
    let days: Vec<String> = found.firings.iter().map(|firing| firing.local.strftime("%m-%d").to_string()).collect();
    assert_eq!(days, ["09-30", "10-08", "10-09", "10-10", "10-12"]);
    let skipped: Vec<_> = found.skipped.iter().map(|skipped| (skipped.day.day(), skipped.holiday.is_some())).collect();
    let holidays = (1..=7).map(|day| (day, true)).chain([(11, false)]).collect::<Vec<_>>();
    assert_eq!(skipped, holidays);
    let saturday = &found.firings[3];
    assert!(matches!(&saturday.reasons[..], [Reason::MadeUp { holiday }] if holiday["en"] == "National Day"));
    assert_eq!(saturday.period, Some(Period::Day(date(2026, 10, 9))));
    assert_eq!(found.firings[1].period, Some(Period::Day(date(2026, 9, 30))));
    // Monday to Friday does not name a Saturday, be it worked or not.
    let weekdays = on_days("30 7 * * 1-5", OnHoliday::Skip);
    assert_eq!(
        locals(&weekdays, "2026-10-07T16:00:00Z", "2026-10-11T15:59:00Z"),
        ["10-08 07:30+08:00", "10-09 07:30+08:00"]
    );
}

#[test]
fn holidays_move_to_the_next_business_day_once() {
    // The 1st to the 3rd all move onto the 8th, which is not named itself: one run per time of day.
    let trigger = on_days("0 7,9 1-3 10 *", OnHoliday::Next);
    let found = trigger.between(at("2026-09-30T00:00:00Z"), at("2026-10-31T00:00:00Z"));
    let shown: Vec<String> = found.firings.iter().map(|firing| firing.local.strftime("%m-%d %H").to_string()).collect();
    assert_eq!(shown, ["10-08 07", "10-08 09"]);
    let from = found.firings[0].reasons.iter().map(|reason| match reason {
        Reason::Moved { from, holiday: Some(name) } => (from.day(), name["zh-CN"].as_str()),
        other => panic!("{other:?}"),
    });
    assert_eq!(from.collect::<Vec<_>>(), [(1, "国庆节"), (2, "国庆节"), (3, "国庆节")]);
    assert_eq!(found.firings[0].period, Some(Period::Day(date(2026, 9, 30))));

    // Every day: Monday has its own run, and those of the weekend join it.
    let daily = on_days("30 7 * * *", OnHoliday::Next);
    let found = daily.between(at("2026-03-05T16:00:00Z"), at("2026-03-09T15:59:00Z"));
    let days: Vec<_> = found.firings.iter().map(|firing| (firing.local.day(), firing.reasons.clone())).collect();
    let joined = [7, 8].map(|day| Reason::Joined { from: date(2026, 3, day), holiday: None });
    assert_eq!(days, [(6, vec![]), (9, joined.to_vec())]);
    // The same whether the window holds the weekend or not.
    let monday = daily.between(at("2026-03-08T23:00:00Z"), at("2026-03-09T15:59:00Z"));
    assert_eq!(monday.firings, found.firings[1..]);
    // A day that lies further back than any margin.
    let first = on_days("0 9 1 10 *", OnHoliday::Next);
    assert_eq!(locals(&first, "2026-10-07T16:00:00Z", "2026-10-08T15:59:00Z"), ["10-08 09:00+08:00"]);
}

#[test]
fn holidays_move_to_the_previous_business_day() {
    let trigger = on_days("0 18 1 * *", OnHoliday::Previous);
    let found = trigger.next(at("2025-12-01T12:00:00Z"), 11);
    let shown: Vec<String> = found.firings.iter().map(|firing| firing.local.strftime("%Y-%m-%d").to_string()).collect();
    let expected = [
        "2025-12-31",
        "2026-01-30",
        "2026-02-28",
        "2026-04-01",
        "2026-04-30",
        "2026-06-01",
        "2026-07-01",
        "2026-07-31",
        "2026-09-01",
        "2026-09-30",
        "2026-10-30",
    ];
    assert_eq!(shown, expected);
    assert!(found.beyond.is_none());
    // A day that lies further ahead than any margin.
    let last = on_days("0 9 7 10 *", OnHoliday::Previous);
    assert_eq!(locals(&last, "2026-09-29T16:00:00Z", "2026-09-30T15:59:00Z"), ["09-30 09:00+08:00"]);
    // 1 March 2026 is a Sunday, and the Saturday before it a make-up working day.
    assert!(matches!(&found.firings[2].reasons[..], [
        Reason::MadeUp { .. },
        Reason::Moved { from, holiday: None },
    ] if *from == date(2026, 3, 1)));
}

#[test]
fn the_end_of_a_calendar_is_said() {
    let after = at("2026-12-30T16:00:00Z");
    for on_holiday in [OnHoliday::Skip, OnHoliday::Next, OnHoliday::Previous] {
        let found = on_days("30 7 * * *", on_holiday).next(after, 3);
        let days: Vec<String> = found.firings.iter().map(|firing| firing.local.date().to_string()).collect();
        assert_eq!(days, ["2026-12-31"], "{on_holiday:?}");
        let message = found.beyond.expect("the calendar ends").message().to_owned();
        assert!(message.contains("calendars/cn_bank.yaml") && message.contains("2027"), "{message}");
        // What is asked for lies before the end: nothing to say.
        assert!(on_days("30 7 * * *", on_holiday).next(at("2026-12-20T16:00:00Z"), 3).beyond.is_none());
    }
    // The first of January may be moved to the 31st of December, so the 31st is not certain.
    let first = on_days("0 9 1 1 *", OnHoliday::Previous);
    let found = first.between(at("2026-12-01T00:00:00Z"), at("2026-12-31T12:00:00Z"));
    assert!(found.firings.is_empty() && found.beyond.is_some());
    assert!(first.between(at("2026-12-01T00:00:00Z"), at("2026-12-30T12:00:00Z")).beyond.is_none());
    // The same in `due`: it stays before what is not known, so that a later calendar finds it.
    let due = on_days("30 7 * * *", OnHoliday::Skip).due(Some(after), at("2027-01-05T00:00:00Z"), Missed::Each, GRACE);
    assert_eq!(due.run.len(), 1);
    assert!(due.beyond.is_some());
    assert_eq!(due.seen, at("2026-12-31T15:59:59.999999999Z"));
    // Before its first year: moved back out of what is known, and so not inside.
    let found =
        on_days("0 9 * * *", OnHoliday::Previous).between(at("2023-01-02T16:00:00Z"), at("2023-01-04T00:00:00Z"));
    let days: Vec<_> = found.firings.iter().map(|firing| (firing.local.date().day(), firing.period)).collect();
    assert_eq!(days, [(3, None)]);
}

fn by(business_day: u32, at: Time) -> Deadline {
    Deadline { business_day, at, then: Then::Partial, at_least: Some(26), tell: vec!["reporting_desk".into()] }
}

#[test]
fn closes_with_deadlines() {
    let deadline = by(3, time(9, 0, 0, 0));
    let trigger = Trigger::closed_by(Every::Month, tz("Asia/Shanghai"), cn_bank(), false, Some(deadline));
    let found = trigger.next(at("2026-09-01T00:00:00Z"), 4);
    let shown = found.firings.iter().map(|firing| {
        let cutoff = match &firing.cutoff {
            Some(Cutoff::At { local, business_day: 3, .. }) => local.strftime("%Y-%m-%d %H:%M").to_string(),
            Some(Cutoff::Unknown(message)) => message.rsplit(' ').next().unwrap_or_default().to_owned(),
            other => panic!("{other:?}"),
        };
        (firing.period.map(|period| period.to_string()).unwrap_or_default(), firing.at.to_string(), cutoff)
    });
    let expected = [
        ("2026-09", "2026-09-30T16:00:00Z", "2026-10-10 09:00"),
        ("2026-10", "2026-10-31T16:00:00Z", "2026-11-04 09:00"),
        ("2026-11", "2026-11-30T16:00:00Z", "2026-12-03 09:00"),
        // The period ends whatever the calendar says; only its deadline is not known.
        ("2026-12", "2026-12-31T16:00:00Z", "file"),
    ];
    let expected = expected.map(|(period, at, cutoff)| (period.to_owned(), at.to_owned(), cutoff.to_owned()));
    assert_eq!(shown.collect::<Vec<_>>(), expected);

    let daily = Trigger::closed(Every::Day, tz("Asia/Shanghai"));
    let found = daily.next(at("2026-10-01T00:00:00Z"), 2);
    let periods: Vec<_> = found.firings.iter().map(|firing| firing.period).collect();
    assert_eq!(periods, [1, 2].map(|day| Some(Period::Day(date(2026, 10, day)))));
    let business = Trigger::closed_by(Every::Day, tz("Asia/Shanghai"), cn_bank(), true, None);
    let found = business.next(at("2026-09-30T00:00:00Z"), 3);
    let periods: Vec<String> = found.firings.iter().filter_map(|firing| Some(firing.period?.to_string())).collect();
    assert_eq!(periods, ["2026-09-30", "2026-10-08", "2026-10-09"]);
}

fn minutes(due: &super::Due) -> Vec<String> {
    due.run.iter().map(|firing| firing.at.strftime("%d %H:%M").to_string()).collect()
}

#[test]
fn after_a_stop() {
    let trigger = clock("0 * * * *", "UTC");
    let due = |last: &str, now: &str, missed| trigger.due(Some(at(last)), at(now), missed, GRACE);
    // On time: within the grace.
    let one = due("2026-05-01T09:59:00Z", "2026-05-01T10:00:59Z", Missed::Skip);
    assert_eq!((minutes(&one), one.passed, one.seen), (vec!["01 10:00".to_owned()], 0, at("2026-05-01T10:00:59Z")));
    assert_eq!(minutes(&due("2026-05-01T09:59:00Z", "2026-05-01T10:01:00Z", Missed::Skip)).len(), 1);
    let late = due("2026-05-01T09:59:00Z", "2026-05-01T10:01:01Z", Missed::Skip);
    assert_eq!((late.run.len(), late.passed), (0, 1));
    // Late: once, each, none.
    let (from, to) = ("2026-05-01T09:59:00Z", "2026-05-01T13:30:00Z");
    let once = due(from, to, Missed::Once);
    assert_eq!((minutes(&once), once.passed), (vec!["01 13:00".to_owned()], 3));
    let each = due(from, to, Missed::Each);
    assert_eq!(minutes(&each), ["01 10:00", "01 11:00", "01 12:00", "01 13:00"]);
    assert_eq!((each.passed, due(from, to, Missed::Skip).passed), (0, 4));
    // Of late ones and one on time, `once` runs the one on time.
    let once = due(from, "2026-05-01T14:00:30Z", Missed::Once);
    assert_eq!((minutes(&once), once.passed), (vec!["01 14:00".to_owned()], 4));
    // The first time nothing is due; `last` itself is not due again.
    let first = trigger.due(None, at(to), Missed::Each, GRACE);
    assert_eq!((first.run.len(), first.seen), (0, at(to)));
    assert_eq!(due("2026-05-01T10:00:00Z", "2026-05-01T10:00:10Z", Missed::Each).run.len(), 0);
}

#[test]
fn a_long_stop_is_caught_up_in_parts() {
    let trigger = clock("*/10 * * * *", "UTC");
    let now = at("2026-05-01T00:00:30Z");
    let mut last = at("2026-04-01T00:00:00Z");
    let mut firings = Vec::new();
    loop {
        let due = trigger.due(Some(last), now, Missed::Each, GRACE);
        assert!(due.run.len() <= MOST_AT_ONCE && due.seen > last);
        firings.extend(due.run.iter().map(|firing| firing.at));
        last = due.seen;
        if last == now {
            break;
        }
    }
    assert_eq!(firings.len(), 30 * 144);
    assert!(firings.is_sorted_by(|one, other| one < other));
}

#[test]
fn a_clock_that_jumps_back_fires_nothing_twice() {
    let trigger = clock("*/5 * * * *", "UTC");
    let (mut last, mut fired) = (Some(at("2026-05-01T09:58:00Z")), Vec::new());
    for now in
        ["10:00:01", "10:05:01", "09:50:00", "10:00:02", "10:05:02", "10:05:03", "10:10:00", "10:00:00", "10:15:59"]
    {
        let due = trigger.due(last, at(&format!("2026-05-01T{now}Z")), Missed::Each, GRACE);
        fired.extend(minutes(&due));
        assert!(Some(due.seen) >= last);
        last = Some(due.seen);
    }
    assert_eq!(fired, ["01 10:00", "01 10:05", "01 10:10", "01 10:15"]);
}

#[test]
fn closes_are_late_after_their_deadline() {
    let month = Trigger::closed_by(Every::Month, tz("Asia/Shanghai"), cn_bank(), false, Some(by(3, time(9, 0, 0, 0))));
    let periods = |trigger: &Trigger, last: &str, now: &str, missed| {
        let due = trigger.due(Some(at(last)), at(now), missed, GRACE);
        due.run.iter().filter_map(|firing| Some(firing.period?.to_string())).collect::<Vec<_>>()
    };
    // Down over the end of October, back before the deadline on 4 November 01:00 UTC: nothing was missed.
    assert_eq!(periods(&month, "2026-10-30T00:00:00Z", "2026-11-03T00:00:00Z", Missed::Skip), ["2026-10"]);
    assert_eq!(periods(&month, "2026-10-30T00:00:00Z", "2026-11-04T01:01:00Z", Missed::Skip), ["2026-10"]);
    let none: [String; 0] = [];
    assert_eq!(periods(&month, "2026-10-30T00:00:00Z", "2026-11-04T01:01:01Z", Missed::Skip), none);
    assert_eq!(periods(&month, "2026-08-30T00:00:00Z", "2026-11-05T00:00:00Z", Missed::Once), ["2026-10"]);
    assert_eq!(
        periods(&month, "2026-08-30T00:00:00Z", "2026-11-05T00:00:00Z", Missed::Each),
        ["2026-08", "2026-09", "2026-10"]
    );
    let day = Trigger::closed(Every::Day, tz("UTC"));
    assert_eq!(periods(&day, "2026-05-01T12:00:00Z", "2026-05-04T12:00:00Z", Missed::Skip), ["2026-05-03"]);
}

#[test]
fn words() {
    assert_eq!(
        Overlap::WORDS.iter().map(|word| Overlap::parse(word)).collect::<Vec<_>>(),
        [Some(Overlap::Forbid), Some(Overlap::Queue), Some(Overlap::Replace),]
    );
    assert_eq!(
        Missed::WORDS.iter().map(|word| Missed::parse(word)).collect::<Vec<_>>(),
        [Some(Missed::Once), Some(Missed::Each), Some(Missed::Skip),]
    );
    assert_eq!(OnHoliday::parse("next_business_day"), Some(OnHoliday::Next));
    assert_eq!((Then::parse("hold"), Then::parse("on"), Overlap::parse("")), (Some(Then::Hold), None, None));
}

#[test]
fn the_deadlines_that_have_passed_since() {
    let passed = |trigger: &Trigger, since: &str, now: &str| -> Vec<String> {
        trigger.passed(at(since), at(now)).iter().map(ToString::to_string).collect()
    };
    let month = Trigger::closed_by(Every::Month, tz("Asia/Shanghai"), cn_bank(), false, Some(by(3, time(9, 0, 0, 0))));
    // October's deadline is Wednesday 4 November, 09:00 in Shanghai.
    let none = Vec::<String>::new();
    assert_eq!(passed(&month, "2026-11-01T00:00:00Z", "2026-11-04T00:59:59Z"), none);
    assert_eq!(passed(&month, "2026-11-01T00:00:00Z", "2026-11-04T01:00:00Z"), ["2026-10"]);
    assert_eq!(passed(&month, "2026-11-04T01:00:00Z", "2026-11-30T15:00:00Z"), none, "it was looked at then");
    assert_eq!(passed(&month, "2026-08-20T00:00:00Z", "2026-11-30T15:00:00Z"), ["2026-08", "2026-09", "2026-10"]);
    let day = Trigger::closed_by(Every::Day, tz("Asia/Shanghai"), cn_bank(), true, Some(by(1, time(9, 0, 0, 0))));
    // Over the National Day: 30 September is waited for until the first business day after, and the days off are no periods.
    assert_eq!(passed(&day, "2026-09-29T12:00:00Z", "2026-10-07T12:00:00Z"), ["2026-09-29"]);
    assert_eq!(
        passed(&day, "2026-09-28T12:00:00Z", "2026-10-08T01:00:00Z"),
        ["2026-09-28", "2026-09-29", "2026-09-30"]
    );
    // The third business day after: by then the data are of later days.
    let third = Trigger::closed_by(Every::Day, tz("Asia/Shanghai"), cn_bank(), true, Some(by(3, time(9, 0, 0, 0))));
    assert_eq!(passed(&third, "2026-09-24T00:00:00Z", "2026-09-24T12:00:00Z"), ["2026-09-21"]);
    let (since, now) = ("2026-01-01T00:00:00Z", "2026-11-04T01:00:00Z");
    assert_eq!(passed(&Trigger::closed(Every::Month, tz("UTC")), since, now), none);
    assert_eq!(passed(&clock("30 7 * * *", "UTC"), since, now), none);
}

/// SplitMix64: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }
}

/// A random expression, and what it means as plain sets.
struct Naive {
    text: String,
    minutes: Vec<i8>,
    hours: Vec<i8>,
    days: Option<Vec<i8>>,
    last_day: bool,
    months: Vec<i8>,
    weekdays: Option<Vec<i8>>,
    is_wildcard: bool,
}

impl Naive {
    fn new(random: &mut Random) -> Self {
        let mut field = |end: i8, step: Option<&[i8]>| -> (String, Vec<i8>, bool) {
            let all = usize::from(end.unsigned_abs());
            match (random.below(4), step) {
                (0, Some(steps)) => {
                    let step = steps[random.below(steps.len())];
                    (format!("*/{step}"), (0..end).step_by(usize::from(step.unsigned_abs())).collect(), true)
                }
                (1, _) => {
                    let from = random.below(all) as i8;
                    let to = (from + 1 + random.below(3) as i8).min(end - 1);
                    (format!("{from}-{to}"), (from..=to).collect(), false)
                }
                (2, _) => {
                    let mut values: Vec<i8> = (0..=random.below(3)).map(|_| random.below(all) as i8).collect();
                    let text = values.iter().map(i8::to_string).collect::<Vec<_>>().join(",");
                    values.sort_unstable();
                    values.dedup();
                    (text, values, false)
                }
                // The hours around which clocks change.
                _ => {
                    let value = if end == 24 { 1 + random.below(3) as i8 } else { random.below(all) as i8 };
                    (value.to_string(), vec![value], false)
                }
            }
        };
        let (minute, minutes, by_minute) = field(60, Some(&[1, 7, 15, 20, 30]));
        let (hour, hours, by_hour) = field(24, Some(&[1, 2, 5, 12]));
        let (weekday, weekdays, _) = field(7, None);
        let mut text = format!("{minute} {hour}");
        let (mut days, mut last_day) = (None, false);
        match random.below(4) {
            0 => {
                let day = 1 + random.below(31) as i8;
                days = Some(vec![day]);
                text += &format!(" {day}");
            }
            1 => {
                (days, last_day) = (Some(Vec::new()), true);
                text += " L";
            }
            _ => text += " *",
        }
        let months = match random.below(3) {
            0 => vec![3, 10],
            1 => vec![1, 3, 5, 7, 8, 10, 11, 12],
            _ => (1..=12).collect(),
        };
        text += &if months.len() == 12 {
            " *".to_owned()
        } else {
            format!(" {}", months.iter().map(i8::to_string).collect::<Vec<_>>().join(","))
        };
        let weekdays = (random.below(2) == 0).then_some(weekdays);
        text += &if weekdays.is_some() { format!(" {weekday}") } else { " *".to_owned() };
        Self { text, minutes, hours, days, last_day, months, weekdays, is_wildcard: by_minute || by_hour }
    }

    fn names_day(&self, day: Date) -> bool {
        let of_month =
            |days: &Vec<i8>| days.contains(&day.day()) || (self.last_day && day.day() == day.days_in_month());
        let of_week = |days: &Vec<i8>| days.contains(&day.weekday().to_sunday_zero_offset());
        let is_day = match (&self.days, &self.weekdays) {
            (None, None) => true,
            (Some(days), None) => of_month(days),
            (None, Some(weekdays)) => of_week(weekdays),
            (Some(days), Some(weekdays)) => of_month(days) || of_week(weekdays),
        };
        is_day && self.months.contains(&day.month())
    }

    fn names(&self, local: DateTime) -> bool {
        self.minutes.contains(&local.minute()) && self.hours.contains(&local.hour()) && self.names_day(local.date())
    }

    /// Minute by minute with an eye on the wall clock, as a watchman would.
    fn fire(&self, zone: &TimeZone, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let minute = SignedDuration::from_mins(1);
        // Some hours ahead, so that the highest time that the clock has shown is known.
        let mut now = from - SignedDuration::from_hours(30);
        let mut highest = zone.to_datetime(now - minute);
        let mut fired = Vec::new();
        while now <= to {
            let local = zone.to_datetime(now);
            let mut fires = self.names(local) && (self.is_wildcard || local > highest);
            if !self.is_wildcard {
                let mut passed_over = highest + minute;
                while passed_over < local {
                    fires |= self.names(passed_over);
                    passed_over += minute;
                }
            }
            if fires && now > from {
                fired.push(now);
            }
            highest = highest.max(local);
            now += minute;
        }
        fired
    }
}

#[test]
fn random_expressions_agree_with_a_watchman() {
    let seed = 20_261_127;
    let mut random = Random(seed);
    let zones =
        ["Europe/Prague", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe", "America/Santiago"].map(tz);
    let (begin, years) = (at("2010-01-01T00:00:00Z"), 40);
    let (mut compared, mut whole) = (0, 0);
    for round in 0..200 {
        let naive = Naive::new(&mut random);
        let zone = &zones[round % zones.len()];
        let Ok(cron) = Cron::parse(&naive.text) else { panic!("seed {seed}, round {round}: {}", naive.text) };
        assert_eq!(cron.is_wildcard(), naive.is_wildcard, "{}", naive.text);
        let trigger = Trigger::clock(cron, zone.clone(), None);
        // One window anywhere in 40 years, one around a change of the clock.
        let anywhere = begin + SignedDuration::from_hours(24 * random.below(365 * years) as i64);
        let change = zone.following(anywhere).next().map(|change| change.timestamp());
        let windows = [Some(anywhere), change.map(|change| change - SignedDuration::from_hours(12))];
        for from in windows.into_iter().flatten() {
            let to = from + SignedDuration::from_hours(36);
            let found = trigger.between(from, to).firings.into_iter().map(|firing| firing.at).collect::<Vec<_>>();
            let expected = naive.fire(zone, from, to);
            assert_eq!(
                found,
                expected,
                "seed {seed}, round {round}: {} in {:?} from {from}",
                naive.text,
                zone.iana_name()
            );
            compared += found.len();
            // `next` walks the same firings.
            let next = trigger.next(from, found.len().min(50)).firings;
            assert!(next.iter().map(|firing| firing.at).eq(found.iter().copied().take(50)), "{}", naive.text);
        }
        // All 40 years by days: as many days with a firing as the expression names.
        if round % 3 == 0 && !naive.is_wildcard && naive.minutes.len() * naive.hours.len() <= 4 {
            whole += 1;
            let first = date(2010, 1, 1);
            let start = first.to_zoned(zone.clone()).expect("a time").timestamp() - SignedDuration::from_nanos(1);
            let last = date(2049, 12, 31).at(23, 59, 59, 0).to_zoned(zone.clone()).expect("a time").timestamp();
            let firings = trigger.between(start, last).firings;
            let mut days: Vec<Date> = firings.iter().map(|firing| firing.local.date()).collect();
            assert!(firings.is_sorted_by(|one, other| one.at < other.at));
            days.dedup();
            let named = first.series(jiff::Span::new().days(1)).take_while(|day| day.year() < 2050);
            assert!(days.into_iter().eq(named.filter(|day| naive.names_day(*day))), "seed {seed}: {}", naive.text);
        }
    }
    assert!(compared > 1000 && whole > 10, "{compared} {whole}");
}
