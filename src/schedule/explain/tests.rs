use std::sync::Arc;

use jiff::civil::{date, time};

use super::{Audience, Missing, Outlook, Readiness, explain};
use crate::locale::Lang;
use crate::model;
use crate::schedule::calendar::Calendar;
use crate::schedule::when::{Cron, Deadline, Every, OnHoliday, Period, Then, Trigger, zone};

fn cn_bank() -> Arc<Calendar> {
    let text = include_str!("../../../calendars/cn_bank.yaml");
    let read = model::calendar::parse("calendars/cn_bank.yaml", text).expect("the shipped calendar is right");
    Arc::new(Calendar::from(&read))
}

fn monthly(then: Then, at_least: Option<u32>) -> Trigger {
    telling(then, at_least, &[])
}

fn telling(then: Then, at_least: Option<u32>, tell: &[&str]) -> Trigger {
    let tell = tell.iter().map(|role| (*role).to_owned()).collect();
    let deadline = Deadline { business_day: 3, at: time(9, 0, 0, 0), then, at_least, tell };
    let zone = zone(jiff::tz::db(), "Asia/Shanghai").expect("known");
    Trigger::closed_by(Every::Month, zone, cn_bank(), false, Some(deadline))
}

const AUDIENCE: Audience = Audience {
    recipients: 61,
    fingerprints: 29,
    branches: 28,
    head_office: true,
    files: 87,
    expected_ms: Some(8_400),
    last_ms: Some(8_412),
};

fn show(lang: Lang, trigger: &Trigger, now: &str, closed: u32, note: &str) -> String {
    let missing = [Missing { branch: "xiamen", note }];
    let waiting = [Readiness { period: Period::Month(date(2026, 10, 31)), closed, of: 28, missing: &missing }];
    let now = now.parse().expect("a time");
    let audience = Some(AUDIENCE);
    explain(lang, &Outlook { name: "branch_scorecard/monthly", trigger, now, count: 1, waiting: &waiting, audience })
}

/// The example of `reports.md`.
#[test]
fn a_close_that_is_waited_for() {
    let trigger = monthly(Then::Partial, Some(26));
    let english = show(
        Lang::En,
        &trigger,
        "2026-11-03T01:00:00Z",
        27,
        "last batch 2026-11-02 22:41, control totals differ by 1,200.00",
    );
    let expected = "\
branch_scorecard/monthly   closes: month   calendar cn_bank 2026.1   zone Asia/Shanghai
 2026-10  ready 27/28  waiting for: xiamen (last batch 2026-11-02 22:41, control totals differ by 1,200.00)
          deadline Wed 2026-11-04 09:00 (business day 3) -> partial, needs 26, would publish
 2026-11  deadline Thu 2026-12-03 09:00
 recipients 61 -> 29 fingerprints (28 branches + head office) -> 87 files, about 9 s, last run 8.4 s
";
    assert_eq!(english, expected);
    let chinese =
        show(Lang::Zh, &trigger, "2026-11-03T01:00:00Z", 27, "最近批次 2026-11-02 22:41，控制总数相差 1,200.00");
    let expected = "\
branch_scorecard/monthly   结账触发：月   日历 cn_bank 2026.1   时区 Asia/Shanghai
 2026-10  已结账 27/28  等待：xiamen（最近批次 2026-11-02 22:41，控制总数相差 1,200.00）
          截止 周三 2026-11-04 09:00 （第 3 个工作日） -> 部分发布，至少 26 家，届时将发布
 2026-11  截止 周四 2026-12-03 09:00
 收件人 61 -> 29 种权限（28 家分行 + 总行）-> 87 个文件，约 9 秒，上次 8.4 秒
";
    assert_eq!(chinese, expected);
}

#[test]
fn what_follows_a_deadline() {
    let line = |trigger: &Trigger, now: &str, closed| {
        show(Lang::En, trigger, now, closed, "").lines().nth(2).map(str::to_owned)
    };
    let before = "2026-11-03T01:00:00Z";
    let text = |end: &str| Some(format!("          deadline Wed 2026-11-04 09:00 (business day 3) {end}"));
    assert_eq!(line(&monthly(Then::Partial, Some(26)), before, 25), text("-> partial, needs 26, would hold"));
    assert_eq!(line(&monthly(Then::Partial, None), before, 1), text("-> partial, would publish"));
    assert_eq!(line(&monthly(Then::Hold, None), before, 27), text("-> hold, would hold"));
    let after = "2026-11-04T01:00:00Z";
    assert_eq!(line(&monthly(Then::Hold, None), after, 27), text("-> hold, would hold, passed"));
    let told = telling(Then::Hold, None, &["desk", "planning"]);
    assert_eq!(line(&told, after, 27), text("-> hold, would hold, passed, tells desk, planning"));
}

#[test]
fn the_end_of_the_calendar() {
    let trigger = monthly(Then::Partial, None);
    let text = show(Lang::En, &trigger, "2026-12-05T01:00:00Z", 27, "");
    let unknown = " 2026-12  deadline not known: calendars/cn_bank.yaml: the calendar `cn_bank` does not cover the year 2027; \
                   add it to the file";
    assert_eq!(text.lines().nth(3), Some(unknown));
}

fn clock(cron: &str, on_holiday: OnHoliday, now: &str, count: usize, lang: Lang) -> String {
    let zone = zone(jiff::tz::db(), "Asia/Shanghai").expect("known");
    let trigger = Trigger::clock(Cron::parse(cron).expect("right"), zone, Some((cn_bank(), on_holiday)));
    let now = now.parse().expect("a time");
    explain(lang, &Outlook { name: "a/b", trigger: &trigger, now, count, waiting: &[], audience: None })
}

#[test]
fn a_clock_and_holidays() {
    let skip = clock("30 7 * * *", OnHoliday::Skip, "2026-09-29T16:00:00Z", 4, Lang::En);
    let expected = "\
a/b   cron 30 7 * * *   calendar cn_bank 2026.1   on holidays: skip   zone Asia/Shanghai
 Wed 2026-09-30 07:30 +08:00  for 2026-09-29
 Thu 2026-10-08 07:30 +08:00  for 2026-09-30
 Fri 2026-10-09 07:30 +08:00  for 2026-10-08
 Sat 2026-10-10 07:30 +08:00  for 2026-10-09  (make-up working day for National Day)
 not on 2026-10-01 National Day, 2026-10-02 National Day, 2026-10-03 National Day and 4 more days
";
    assert_eq!(skip, expected);
    let next = clock("0 9 4 10 *", OnHoliday::Next, "2026-09-29T16:00:00Z", 2, Lang::Zh);
    let expected = "\
a/b   cron 0 9 4 10 *   日历 cn_bank 2026.1   逢节假日：顺延至下一工作日   时区 Asia/Shanghai
 周四 2026-10-08 09:00 +08:00  业务日期 2026-09-30  （由 2026-10-04 国庆节 调整）
 此后未知：calendars/cn_bank.yaml: the calendar `cn_bank` does not cover the year 2027; add it to the file
";
    assert_eq!(next, expected);
    let joined = clock("30 7 * * *", OnHoliday::Next, "2026-03-08T16:00:00Z", 1, Lang::En);
    assert_eq!(
        joined.lines().nth(1),
        Some(" Mon 2026-03-09 07:30 +08:00  for 2026-03-06  (also for 2026-03-07 weekend, 2026-03-08 weekend)")
    );
}

#[test]
fn a_change_of_the_clock() {
    let zone = zone(jiff::tz::db(), "Europe/Prague").expect("known");
    let trigger = Trigger::clock(Cron::parse("30 2 * * SUN").expect("right"), zone, None);
    let line = |now: &str| {
        let now = now.parse().expect("a time");
        let outlook = Outlook { name: "a/b", trigger: &trigger, now, count: 1, waiting: &[], audience: None };
        explain(Lang::En, &outlook).lines().nth(1).map(str::to_owned)
    };
    let gap = " Sun 2026-03-29 03:00 +02:00  for 2026-03-28  (02:30 does not exist, clocks go forward)";
    assert_eq!(line("2026-03-28T12:00:00Z").as_deref(), Some(gap));
    let overlap = " Sun 2026-10-25 02:30 +02:00  for 2026-10-24  (02:30 comes twice, the first is used)";
    assert_eq!(line("2026-10-24T12:00:00Z").as_deref(), Some(overlap));
}
