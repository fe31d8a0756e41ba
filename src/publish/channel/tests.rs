use std::time::Duration;

use bytes::Bytes;

use super::{
    CHANNELS, Column, Completeness, File, Kpi, Named, Notice, Outcome, Parcel, Picture, Recipient, Setup, Table,
    Verdict, names, one_line, open, tells,
};
use crate::auth::sha256_hex;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::error::Error;
use crate::locale::Lang;

/// The settings of a project whose `countinghouse.yaml` has this section `channels`.
pub(super) fn settings(folder: &std::path::Path, channels: &str) -> Config {
    std::fs::write(folder.join(config::FILE), format!("name: {{en: Sample bank, zh-CN: 示例银行}}\n{channels}"))
        .unwrap();
    config::load(folder, folder).unwrap()
}

/// Faults of that file, without places.
fn faults(channels: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(config::FILE), channels).unwrap();
    let error = config::load(folder.path(), folder.path()).unwrap_err();
    error.diagnostics().iter().map(|fault| format!("{}: {}", fault.place.line, fault.message)).collect()
}

pub(super) fn file(name: &str, content_type: &str, bytes: &[u8]) -> File {
    File {
        name: name.into(),
        content_type: content_type.into(),
        sha256: sha256_hex(bytes),
        bytes: Bytes::copy_from_slice(bytes),
    }
}

/// One pixel.
pub(super) const PIXEL: &[u8] = &[
    0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 0x0D, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8,
    0, 0, 0, 0, 0x3A, 0x7E, 0x9B, 0x55, 0, 0, 0, 0x0A, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9C, 0x63, 0x60, 0, 0, 0, 2, 0,
    1, 0x48, 0xAF, 0xA4, 0x71, 0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82,
];

/// What the roles of a deadline are told.
pub(super) fn notice() -> Notice {
    Notice {
        key: "0f".repeat(32),
        kind: "deadline".into(),
        report: "branch_scorecard".into(),
        scope: "head_office".into(),
        subject: "分行经营记分卡：2026-10 结账逾期".into(),
        paragraphs: vec!["截止时间已过。".into(), "尚未结账：".into()],
        items: vec!["厦门分行".into(), "<b>苏州</b>分行".into()],
        link: "https://reports.bank.example/schedules/branch_scorecard/monthly".into(),
        at: "2026-11-04T01:02:03Z".parse().unwrap(),
        lang: Lang::Zh,
    }
}

pub(super) fn parcel(lang: Lang) -> Parcel {
    let zh = lang == Lang::Zh;
    let say = |chinese: &str, english: &str| if zh { chinese.to_owned() } else { english.to_owned() };
    let column = |title: String, is_number| Column { title, is_number };
    let row = |name: String, balance: &str, pace: &str| vec![name, balance.into(), pace.into()];
    Parcel {
        key: "5f2d8c0b7a914e36b1c0ffee5f2d8c0b7a914e36b1c0ffee00112233445566aa".into(),
        report: "branch_scorecard".into(),
        title: say("分行经营记分卡", "Branch scorecard"),
        message: say(
            "十月末存款余额1,284.6亿元，比上年同期增长6.2%，28家分行中有19家完成计划进度",
            "Deposits at the end of October are CNY 128.46 bn, 6.2% up on last year; 19 of 28 branches are on plan",
        ),
        scope: Named { value: "head_office".into(), label: say("全行", "Whole bank") },
        period: Named { value: "2026-10".into(), label: say("2026年10月", "Oct 2026") },
        version: 1,
        edition: "9c1d5e7f0a2b4c6d8e9f00112233445566778899aabbccddeeff001122334455".into(),
        run_key: "0011223344556677889900112233445566778899aabbccddeeff001122334455".into(),
        link: "https://reports.bank.example/editions/branch_scorecard/head_office/2026-10/v1-9c1d5e7f0a2b".into(),
        published_at: "2026-11-04T01:02:03Z".parse().unwrap(),
        completeness: Some(Completeness { closed: 28, of: 28, open: vec![] }),
        lang,
        person_level: false,
        kpis: vec![
            Kpi {
                title: say("存款余额", "Deposits"),
                value: say("1,284.6亿元", "CNY 128.46 bn"),
                changes: vec![
                    say("比上年同期 +6.2%", "+6.2% on prior year"),
                    say("比计划 −0.8%", "−0.8% against plan"),
                ],
            },
            Kpi {
                title: say("不良贷款率", "Bad loans"),
                value: "1.31%".into(),
                changes: vec![say("比上月 −0.04个百分点", "−0.04 pp on prior month")],
            },
            Kpi {
                title: say("新增客户", "New customers"),
                value: say("48,210户", "48,210"),
                changes: vec![say("比上月 +1,904户", "+1,904 on prior month")],
            },
            Kpi { title: say("完成进度", "Pace"), value: "83.4%".into(), changes: vec![] },
        ],
        picture: Some(Picture {
            png: Bytes::from_static(PIXEL),
            alt: say(
                "折线图：存款余额，最高1,284.6亿元，最低1,190.2亿元",
                "Line chart: deposits, highest CNY 128.46 bn",
            ),
        }),
        table: Some(Table {
            title: say("进度落后的分行", "Branches behind plan"),
            columns: vec![
                column(say("分行", "Branch"), false),
                column(say("存款余额（亿元）", "Deposits, CNY 100M"), true),
                column(say("完成进度", "Pace"), true),
            ],
            rows: vec![
                row(say("厦门", "Xiamen"), "21.4", "71.2%"),
                row(say("宁波", "Ningbo"), "33.0", "74.9%"),
                row(say("青岛", "Qingdao"), "28.7", "76.1%"),
            ],
        }),
        correction: None,
        release: None,
        files: vec![
            file("branch_scorecard.zh-CN.pdf", "application/pdf", b"%PDF-1.7\n\x00\xFF\r\n.\r\nend"),
            file("branch_scorecard.zh-CN.csv", "text/csv; charset=utf-8", "分行,余额\n厦门,21.4\n".as_bytes()),
        ],
        manifest: Bytes::from_static(b"{\"v\": 1}"),
    }
}

pub(super) fn recipient(address: &str) -> Recipient {
    Recipient { name: "王行长".into(), address: Some(address.into()), lang: Lang::Zh }
}

pub(super) fn failed(why: &str, transient: bool, bytes: u64) -> Outcome {
    Outcome { verdict: Verdict::Failed { why: why.into(), transient, retry_after: None }, bytes }
}

#[test]
fn files_are_kept_and_notices_are_told() {
    let told: Vec<_> = CHANNELS.iter().map(|(name, _)| *name).filter(|name| tells(name)).collect();
    assert_eq!(told, ["email", "webhook"]);
}

#[test]
fn channels_are_those_of_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    let names = |channels: &str| {
        let config = settings(folder.path(), channels);
        let clock = Clock::fixed("2026-11-04T01:02:03Z".parse().unwrap());
        let setup = Setup { config: &config.channels, project: &config.name, state: folder.path(), clock: &clock };
        let opened = open(&setup)?;
        assert_eq!(opened.iter().map(|it| it.name()).collect::<Vec<_>>(), names(&config.channels));
        Ok::<_, Error>(opened.iter().map(|it| (it.name(), it.repeatable())).collect::<Vec<_>>())
    };
    assert_eq!(names("").unwrap(), []);
    assert_eq!(names("channels: {archive: {url: archive}}").unwrap(), [("archive", true)]);
    let all = "channels:
  archive: {url: archive}
  email: {host: localhost, security: none, from: r@bank.example, domains: [bank.example]}
  webhook: {portal: {url: 'https://portal.bank.example/x', secret_file: portal-secret}}
";
    let missing = names(all).unwrap_err();
    assert!(missing.message().starts_with("countinghouse.yaml:5:"), "{missing}");
    assert!(missing.message().contains("portal-secret` cannot be read"), "{missing}");
    let secret = folder.path().join("portal-secret");
    std::fs::write(&secret, "0123456789abcdef\n").unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(names(all).unwrap_err().message().ends_with("set its mode to 0600"));
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(names(all).unwrap(), [("archive", true), ("email", false), ("webhook", true)]);
    assert_eq!(CHANNELS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["archive", "email", "webhook"]);
    std::fs::write(&secret, "0123456789abcde\n").unwrap();
    assert!(names(all).unwrap_err().message().ends_with("this secret is too short; it needs 16 characters"));
}

#[test]
fn settings_and_their_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let config = settings(
        folder.path(),
        "channels:
  email: {host: mail.bank.example, from: r@bank.example, domains: [Bank.Example], user: u, password_variable: MAIL, ca: ca.pem}
  webhook: {portal: {url: 'https://portal.bank.example/x', secret_file: s, allow: [10.20.0.0/16, 10.1.1.1]}}
",
    )
    .channels;
    let email = config.email.unwrap();
    assert_eq!((email.port, email.security), (587, config::Security::StartTls));
    assert_eq!((email.connect, email.deadline), (Duration::from_secs(10), Duration::from_secs(60)));
    assert_eq!((email.domains, email.attachments, email.largest), (vec!["bank.example".into()], vec![], 10 << 20));
    assert_eq!(email.ca.unwrap().value, folder.path().join("ca.pem"));
    assert_eq!(email.login.unwrap().user, "u");
    let [target] = config.webhook.clone().try_into().unwrap();
    assert_eq!((target.name.as_str(), target.url.unwrap().as_str()), ("portal", "https://portal.bank.example/x"));
    assert_eq!((target.connect, target.deadline), (Duration::from_secs(10), Duration::from_secs(10)));
    assert_eq!(target.allow, ["10.20.0.0/16".parse().unwrap(), "10.1.1.1/32".parse::<ipnet::IpNet>().unwrap()]);
    assert!(config.archive.is_none());
    assert_eq!(
        format!("{:?}", config.webhook),
        "[TargetConfig { name: \"portal\", allow: [10.20.0.0/16, 10.1.1.1/32], .. }]"
    );
    let tls = "channels: {email: {host: m, security: tls, from: r@b.example, domains: [b.example]}}";
    assert_eq!(settings(folder.path(), tls).channels.email.unwrap().port, 465);
}

#[test]
fn faults_of_the_settings_have_their_places() {
    let found = faults(
        "channels:
  archive: {urk: x}
  email:
    host: mail.bank.example
    client_name: a b
    security: none
    user: u
    from: nobody
    domains: []
  webhook:
    a: {url: 'http://a.bank.example/token', secret_file: s, allow: [10.0.0.0/33]}
    b: {url: 'ftp://b.bank.example/token', secret_file: s, secret_variable: S}
    c: {url: 'https://u:p@c.bank.example/'}
",
    );
    assert_eq!(
        found,
        [
            "2: `archive` needs the key `url`",
            "2: `archive` has no key `urk`; did you mean `url`?",
            "5: client_name `a b` is not the name of a host",
            "6: mails to `mail.bank.example` would be plain text on the network; use `starttls` or `tls`",
            "7: `user` needs `password_file` or `password_variable`",
            "7: a password is not sent without encryption; use `security: starttls` or `tls`",
            "8: `nobody` is not an address such as `reports@bank.example`",
            "9: `domains` names no domain, so no mail could go anywhere",
            "11: the URL of `a` is `http`, which needs `unencrypted: true`",
            "11: `10.0.0.0/33` is not an address or network such as `10.20.0.0/16`",
            "12: the URL of `b` is not an `https` URL",
            "12: `secret_file` and `secret_variable` exclude each other",
            "13: the URL of `c` has a user, a password or a `#`, which are not sent",
            "13: the target `c` needs `secret_file` or `secret_variable`",
        ]
    );
}

#[test]
fn secrets_do_not_print() {
    let secret = config::Secret::from("hunter2".to_owned());
    assert_eq!((format!("{secret:?}").as_str(), secret.expose()), ("Secret", "hunter2"));
}

#[test]
fn texts_on_one_line() {
    assert_eq!(one_line("a\r\nBcc: x\t\u{0}y ", 50), "a Bcc: x y");
    assert_eq!(one_line("存款\u{202E}余额", 50), "存款余额");
    assert_eq!(one_line("一二三四五", 5), "一二三四五");
    assert_eq!(one_line("一二三四五六", 5), "一二三四…");
}
