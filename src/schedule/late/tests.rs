//! What is told of a late close, in both languages, and to a branch of itself alone.

use jiff::civil::{date, time};

use super::Late;
use crate::locale::Lang;
use crate::model::Label;
use crate::query::{Branch, Completeness};
use crate::schedule::when::{Deadline, Period, Then};

fn branch(key: &str, name: &str) -> Branch {
    Branch { key: key.into(), name: name.into() }
}

/// What head office and Xiamen are told, a line each.
fn said(lang: Lang, then: Then, at_least: Option<u32>) -> (Vec<String>, Vec<String>) {
    said_of(lang, then, at_least, 26)
}

fn said_of(lang: Lang, then: Then, at_least: Option<u32>, closed: usize) -> (Vec<String>, Vec<String>) {
    let title: Label = [("en", "Branch scorecard"), ("zh-CN", "分行经营计分卡")]
        .into_iter()
        .map(|(lang, text)| (lang.to_owned(), text.to_owned()))
        .collect();
    let deadline = Deadline { business_day: 3, at: time(9, 0, 0, 0), then, at_least, tell: vec!["desk".into()] };
    let at = "2026-11-04T09:00[Asia/Shanghai]".parse().unwrap();
    let completeness = Completeness { closed, of: 28, open: vec!["suzhou".into(), "xiamen".into()] };
    let late = Late {
        title: &title,
        report: "branch_scorecard",
        period: Period::Month(date(2026, 10, 31)),
        deadline: &deadline,
        at: &at,
        completeness: &completeness,
    };
    let missing = [branch("suzhou", "苏州分行"), branch("xiamen", "厦门分行")];
    let lines = |text: super::NoticeText| [vec![text.subject], text.paragraphs, text.items].concat();
    (lines(late.to_head_office(lang, &missing)), lines(late.to_branch(lang, &missing[1])))
}

#[test]
fn head_office_is_told_who_is_missing_and_what_happens() {
    let (whole, _) = said(Lang::En, Then::Partial, Some(26));
    assert_eq!(
        whole,
        [
            "Branch scorecard: the close of 2026-10 is late",
            "The deadline, Wed 2026-11-04 09:00 Asia/Shanghai, has passed: 26 of 28 branches have closed 2026-10.",
            "The report is now published without the branches that are missing, and says which. Once they close it is published again.",
            "Still missing:",
            "suzhou",
            "xiamen",
        ]
    );
    let (whole, _) = said(Lang::Zh, Then::Hold, None);
    assert_eq!(
        whole,
        [
            "分行经营计分卡：2026-10 结账逾期",
            "截止时间（周三 2026-11-04 09:00 Asia/Shanghai）已过，28 家分行中 26 家已完成 2026-10 结账。",
            "报表暂不发布，待全部分行结账后发布。",
            "尚未结账：",
            "苏州分行",
            "厦门分行",
        ]
    );
    let (whole, _) = said(Lang::En, Then::Partial, Some(27));
    assert_eq!(whole[2], "The report is not published yet: at least 27 branches must have closed.");
}

#[test]
fn what_nobody_has_closed_is_not_called_published() {
    let (whole, branch) = said_of(Lang::En, Then::Partial, None, 0);
    assert_eq!(whole[2], "Nothing is published yet: no branch has closed.");
    assert_eq!(branch[2], whole[2]);
    assert_eq!(said_of(Lang::En, Then::Hold, None, 0).0[2], "The report is held until every branch has closed.");
}

#[test]
fn a_branch_is_told_of_itself() {
    for lang in Lang::ALL {
        let (_, branch) = said(lang, Then::Partial, None);
        assert_eq!(branch.len(), 3);
        let text = branch.join("\n");
        assert!(text.contains("xiamen") || text.contains("厦门"), "{text}");
        assert!(!text.contains("suzhou") && !text.contains("苏州") && !text.contains("28"), "{text}");
    }
}
