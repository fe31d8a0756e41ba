use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::clock::Clock;
use crate::config::{EmailConfig, LoginConfig, SecretSource, Security};
use crate::locale::Lang;
use crate::model::Located;
use crate::publish::channel::tests::{PIXEL, failed, file, notice, parcel, recipient, settings};
use crate::publish::channel::{Completeness, Outcome, Parcel, Recipient, Setup, Verdict};

/// What a mail server says.
#[derive(Debug, Clone, Copy)]
struct Script {
    greeting: &'static str,
    login: &'static str,
    recipient: &'static str,
    /// Reads this much of a mail, then closes.
    reads: usize,
    end: End,
}

/// After the mail.
#[derive(Debug, Clone, Copy)]
enum End {
    Says(&'static str),
    Closes,
    Waits,
}

/// In place of a greeting that was said before TLS.
const GREETED: &str = "greeted";

const GOOD: Script = Script {
    greeting: "220 mail.bank.example ESMTP",
    login: "235 2.7.0 welcome",
    recipient: "250 2.1.5 ok",
    reads: usize::MAX,
    end: End::Says("250 2.0.0 queued as 4711"),
};

#[derive(Debug, Default)]
struct Seen {
    commands: Vec<String>,
    mail: Vec<u8>,
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, script: Script) -> Seen {
    let mut stream = BufReader::new(stream);
    let mut seen = Seen::default();
    if script.greeting.is_empty() {
        let _ = stream.read_to_end(&mut Vec::new()).await;
        return seen;
    }
    if script.greeting != GREETED {
        stream.write_all(format!("{}\r\n", script.greeting).as_bytes()).await.unwrap();
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return seen;
        }
        let line = line.trim_end().to_owned();
        let verb = line.split(' ').next().unwrap().to_owned();
        seen.commands.push(line);
        let answer = match verb.as_str() {
            "EHLO" => "250-mail.bank.example\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN",
            "AUTH" => script.login,
            "MAIL" => "250 2.1.0 ok",
            "RCPT" => script.recipient,
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "502 what?",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
        if verb == "QUIT" {
            return seen;
        }
        if verb == "DATA" {
            loop {
                let mut line = Vec::new();
                if seen.mail.len() >= script.reads || stream.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
                    return seen;
                }
                match line.as_slice() {
                    b".\r\n" => break,
                    [b'.', rest @ ..] => seen.mail.extend_from_slice(rest),
                    line => seen.mail.extend_from_slice(line),
                }
            }
            match script.end {
                End::Says(text) => stream.write_all(format!("{text}\r\n").as_bytes()).await.unwrap(),
                End::Closes => return seen,
                End::Waits => {
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                    return seen;
                }
            }
        }
    }
}

fn channel(folder: &Path, change: impl FnOnce(&mut EmailConfig)) -> Arc<dyn super::Channel> {
    let mut config = settings(
        folder,
        "channels: {email: {host: localhost, port: 1, security: none, from: reports@bank.example, domains: [bank.example]}}\n",
    );
    let email = config.channels.email.as_mut().unwrap();
    email.host.value = "127.0.0.1".into();
    email.deadline = Duration::from_secs(10);
    change(email);
    let clock = Clock::fixed("2026-11-04T01:02:03Z".parse().unwrap());
    let setup = Setup { config: &config.channels, project: &config.name, state: folder, clock: &clock };
    super::open(&setup).unwrap().unwrap()
}

async fn exchange(
    parcel: &Parcel,
    to: &Recipient,
    script: Script,
    change: impl FnOnce(&mut EmailConfig),
) -> (Outcome, Seen) {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let channel = channel(folder.path(), |config| {
        config.port = port;
        change(config);
    });
    let serve = async { converse(listener.accept().await.unwrap().0, script).await };
    tokio::join!(channel.send(parcel, to), serve)
}

/// A mail that a server took.
async fn mail(parcel: &Parcel, to: &Recipient, change: impl FnOnce(&mut EmailConfig)) -> String {
    let (outcome, seen) = exchange(parcel, to, GOOD, change).await;
    assert_eq!(outcome.verdict, Verdict::Accepted { answer: "250 2.0.0 queued as 4711".into() });
    String::from_utf8(seen.mail).unwrap()
}

/// A header of the mail with its words decoded.
fn header(mail: &str, name: &str) -> String {
    let head = mail.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ").replace("\r\n\t", " ");
    let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap().to_owned();
    let (mut text, mut was_encoded) = (String::new(), false);
    for word in line.split(' ') {
        let encoded = word.strip_prefix("=?utf-8?b?").and_then(|word| word.strip_suffix("?="));
        if !(text.is_empty() || was_encoded && encoded.is_some()) {
            text.push(' ');
        }
        was_encoded = encoded.is_some();
        text.push_str(&encoded.map_or(word.to_owned(), |it| String::from_utf8(STANDARD.decode(it).unwrap()).unwrap()));
    }
    text
}

/// The bodies of all parts of this type.
fn parts(mail: &str, content_type: &str) -> Vec<Vec<u8>> {
    let parts = mail.split("\r\n--=_").filter_map(|part| part.split_once("\r\n\r\n"));
    let wanted = parts.filter(|(head, _)| head.contains(&format!("Content-Type: {content_type}")));
    wanted
        .map(|(head, body)| match head.rsplit_once("Content-Transfer-Encoding: ").unwrap().1 {
            "base64" => STANDARD.decode(body.replace("\r\n", "")).unwrap(),
            "quoted-printable" => unquote(body),
            other => panic!("{other}"),
        })
        .collect()
}

/// Quoted-printable (RFC 2045, section 6.7).
fn unquote(body: &str) -> Vec<u8> {
    let mut pieces = body.split('=');
    let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
    for piece in pieces {
        let (code, rest) = piece.split_at(2);
        bytes.extend(Some(code).filter(|code| *code != "\r\n").map(|code| u8::from_str_radix(code, 16).unwrap()));
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

fn text(mail: &str, content_type: &str) -> String {
    let [text] = parts(mail, content_type).try_into().unwrap();
    String::from_utf8(text).unwrap().replace("\r\n", "\n")
}

#[tokio::test]
async fn a_chinese_mail() {
    let parcel = parcel(Lang::Zh);
    let to = recipient("president@Bank.example");
    let (outcome, seen) =
        exchange(&parcel, &to, GOOD, |config| config.attachments = vec!["pdf".into(), "csv".into()]).await;
    let mail = String::from_utf8(seen.mail).unwrap();
    // The server sees the line end before the end mark as part of the mail.
    let bytes = mail.len() as u64 - 2;
    assert_eq!(outcome, Outcome { verdict: Verdict::Accepted { answer: "250 2.0.0 queued as 4711".into() }, bytes });
    let commands: Vec<_> = seen.commands.iter().map(String::as_str).collect();
    assert_eq!(
        commands,
        ["EHLO bank.example", "MAIL FROM:<reports@bank.example>", "RCPT TO:<president@Bank.example>", "DATA", "QUIT"]
    );
    assert!(mail.is_ascii() && mail.lines().all(|line| line.len() <= 998));
    assert_eq!(header(&mail, "Subject"), parcel.message);
    assert_eq!(header(&mail, "From"), "示例银行 <reports@bank.example>");
    assert_eq!(header(&mail, "To"), "王行长 <president@Bank.example>");
    assert_eq!(header(&mail, "Message-ID"), format!("<{}@bank.example>", parcel.key));
    assert_eq!(header(&mail, "Date"), "Wed, 04 Nov 2026 01:02:03 +0000");
    assert_eq!(header(&mail, "Auto-Submitted"), "auto-generated");
    assert_eq!(
        text(&mail, "text/plain"),
        "十月末存款余额1,284.6亿元，比上年同期增长6.2%，28家分行中有19家完成计划进度\n\n\
         分行经营记分卡 · 全行 · 2026年10月\n\n\
         存款余额：1,284.6亿元\n  比上年同期 +6.2%\n  比计划 −0.8%\n不良贷款率：1.31%\n  比上月 −0.04个百分点\n\
         新增客户：48,210户\n  比上月 +1,904户\n完成进度：83.4%\n\n\
         [折线图：存款余额，最高1,284.6亿元，最低1,190.2亿元]\n\n\
         进度落后的分行\n分行 | 存款余额（亿元） | 完成进度\n厦门 | 21.4 | 71.2%\n宁波 | 33.0 | 74.9%\n青岛 | 28.7 | 76.1%\n\n\
         打开报表：\nhttps://reports.bank.example/editions/branch_scorecard/head_office/2026-10/v1-9c1d5e7f0a2b\n\n\
         附件：branch_scorecard.zh-CN.pdf、branch_scorecard.zh-CN.csv\n\n\
         -- \n本邮件由示例银行自动发送，请勿回复。版本标识 9c1d5e7f0a2b。\n"
    );
    let html = text(&mail, "text/html");
    let id = format!("picture.{}@bank.example", parcel.key);
    assert!(html.contains(&format!("src=\"cid:{id}\" alt=\"折线图：存款余额，")), "{html}");
    assert!(mail.contains(&format!("Content-ID: <{id}>")));
    assert_eq!(parts(&mail, "image/png"), [PIXEL]);
    assert_eq!(parts(&mail, "application/pdf"), [parcel.files[0].bytes.to_vec()]);
    assert_eq!(parts(&mail, "text/csv"), [parcel.files[1].bytes.to_vec()]);
}

#[tokio::test]
async fn a_notice_is_a_short_mail() {
    let (notice, to) = (notice(), recipient("desk@bank.example"));
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let channel = channel(folder.path(), |config| config.port = port);
    let serve = async { converse(listener.accept().await.unwrap().0, GOOD).await };
    let (outcome, seen) = tokio::join!(channel.tell(&notice, &to), serve);
    assert_eq!(outcome.verdict, Verdict::Accepted { answer: "250 2.0.0 queued as 4711".into() });
    let mail = String::from_utf8(seen.mail).unwrap();
    assert_eq!(header(&mail, "Subject"), notice.subject);
    assert_eq!(header(&mail, "Message-ID"), format!("<{}@bank.example>", notice.key));
    assert_eq!(
        text(&mail, "text/plain"),
        "分行经营记分卡：2026-10 结账逾期\n\n截止时间已过。\n\n尚未结账：\n\n- 厦门分行\n- <b>苏州</b>分行\n\n\
         查看详情：\nhttps://reports.bank.example/schedules/branch_scorecard/monthly\n\n\
         -- \n本邮件由示例银行自动发送，请勿回复。\n"
    );
    let html = text(&mail, "text/html");
    assert!(html.contains("<li") && html.contains("厦门分行") && !html.contains("<b>"), "{html}");
    let stranger = recipient("desk@elsewhere.example");
    assert!(matches!(channel.tell(&notice, &stranger).await.verdict, Verdict::Refused { .. }));
}

#[tokio::test]
async fn a_release_is_told_with_the_figures() {
    let parcel =
        Parcel { release: Some("本期未通过发布校验，经复核放行。".into()), ..parcel(Lang::Zh) };
    let mail = mail(&parcel, &recipient("p@bank.example"), |_| {}).await;
    for part in ["text/plain", "text/html"] {
        assert!(text(&mail, part).contains("经复核放行"), "{part}");
    }
}

#[tokio::test]
async fn the_same_bytes_every_time() {
    let (parcel, to) = (parcel(Lang::En), recipient("p@bank.example"));
    let first = mail(&parcel, &to, |_| {}).await;
    assert_eq!(first, mail(&parcel, &to, |_| {}).await);
    assert!(!first.contains("Content-Disposition: attachment") && first.contains("multipart/alternative"));
}

#[tokio::test]
async fn persons_are_not_spoken_of() {
    let parcel =
        Parcel { person_level: true, version: 2, correction: Some("21.4 → 21.5".into()), ..parcel(Lang::Zh) };
    let mail = mail(&parcel, &recipient("p@bank.example"), |config| config.attachments = vec!["pdf".into()]).await;
    assert_eq!(header(&mail, "Subject"), "更正：分行经营记分卡 · 全行 · 2026年10月");
    assert_eq!(
        text(&mail, "text/plain"),
        "分行经营记分卡\n\n全行 · 2026年10月 · 第 2 版\n\n更正，第 2 版\n更改内容见报表。\n\n\
         本报表含有个人信息，因此邮件中不列数据，请登录后查看。\n\n\
         打开报表：\nhttps://reports.bank.example/editions/branch_scorecard/head_office/2026-10/v1-9c1d5e7f0a2b\n\n\
         -- \n本邮件由示例银行自动发送，请勿回复。版本标识 9c1d5e7f0a2b。\n"
    );
    let html = text(&mail, "text/html");
    for hidden in ["1,284.6", "6.2%", "21.4", "厦门", "折线图", "48,210", "cid:"] {
        assert!(!html.contains(hidden), "{hidden}: {html}");
    }
    assert!(html.contains(&parcel.link) && !mail.contains("image/png") && !mail.contains("application/pdf"));
}

#[tokio::test]
async fn corrections_and_open_branches_are_said() {
    let open = (1..=10).map(|number| format!("分行{number}")).collect();
    let parcel = Parcel {
        version: 2,
        correction: Some("厦门存款 21.4 → 21.5\n见更改页".into()),
        completeness: Some(Completeness { closed: 18, of: 28, open }),
        ..parcel(Lang::Zh)
    };
    let mail = mail(&parcel, &recipient("p@bank.example"), |_| {}).await;
    assert_eq!(header(&mail, "Subject"), format!("更正：{}", parcel.message));
    let preliminary = "初步数据：28 家分行中 18 家已结账，尚未结账：\
                       分行1、分行2、分行3、分行4、分行5、分行6、分行7、分行8等，另有 2 家。";
    for (kind, correction) in [
        ("text/plain", "更正，第 2 版\n厦门存款 21.4 → 21.5\n见更改页"),
        ("text/html", "厦门存款 21.4 → 21.5\n见更改页</p>"),
    ] {
        let text = text(&mail, kind);
        assert!(text.contains(preliminary) && text.contains(correction), "{text}");
        assert!(text.contains("全行 · 2026年10月 · 第 2 版"), "{text}");
    }
}

#[tokio::test]
async fn no_header_from_data_and_no_markup() {
    let parcel = Parcel {
        key: "ab\r\nBcc: spy@evil.example\r\n".into(),
        message: "存款\r\nBcc: spy@evil.example\r\n\r\n<script>alert(1)</script>".into(),
        title: "\"><img src=x>".into(),
        ..parcel(Lang::Zh)
    };
    let mut parcel = parcel;
    parcel.files.push(file("a\r\nX-Evil: 1\".pdf", "application/pdf\r\nX-Evil: 2", b"x"));
    let to = Recipient { name: "行长\r\nBcc: spy@evil.example".into(), ..recipient("p@bank.example") };
    let mail = mail(&parcel, &to, |config| config.attachments = vec!["pdf".into()]).await;
    assert_eq!(header(&mail, "Subject"), "存款 Bcc: spy@evil.example <script>alert(1)</script>");
    assert_eq!(header(&mail, "To"), "行长 Bcc: spy@evil.example <p@bank.example>");
    assert_eq!(header(&mail, "Message-ID"), "<abBccspyevilexample@bank.example>");
    let starts = |line: &str| line.starts_with("Bcc") || line.starts_with("X-Evil");
    assert!(!mail.lines().any(starts), "{mail}");
    let html = text(&mail, "text/html");
    assert!(!html.contains("<script") && !html.contains("<img src=x"), "{html}");
    for address in ["p@bank.example\r\nRCPT TO:<spy@evil.example>", "p@bank.example>\r\nDATA", "p@bank.example\n"] {
        let folder = tempfile::tempdir().unwrap();
        let outcome = channel(folder.path(), |_| {}).send(&parcel, &recipient(address)).await;
        assert!(matches!(&outcome, Outcome { verdict: Verdict::Refused { .. }, bytes: 0 }), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_subject_has_a_bound() {
    let parcel = Parcel { message: "长".repeat(300), ..parcel(Lang::Zh) };
    let mail = mail(&parcel, &recipient("p@bank.example"), |_| {}).await;
    assert_eq!(header(&mail, "Subject"), "长".repeat(119) + "…");
    assert!(text(&mail, "text/plain").starts_with(&"长".repeat(300)));
}

#[tokio::test]
async fn too_large_is_said_and_not_attached() {
    let mut parcel = parcel(Lang::Zh);
    parcel.files[0] = file("a.pdf", "application/pdf", &vec![b'x'; 1 << 20]);
    let attach = |config: &mut EmailConfig| {
        config.attachments = vec!["pdf".into(), "csv".into()];
        config.largest = 1 << 20;
    };
    let large = mail(&parcel, &recipient("p@bank.example"), attach).await;
    assert!(
        text(&large, "text/plain").contains("\n\n本报表的文件合计超过 1 MiB，因此未随附，请通过上方链接获取。\n\n")
    );
    assert!(text(&large, "text/html").contains(">本报表的文件合计超过 1 MiB，"));
    assert!(!large.contains("Content-Disposition: attachment"));
    // What is not sent does not count: another language's file.
    parcel.files[1] = file("a.en.pdf", "application/pdf", b"%PDF");
    assert_eq!(parts(&mail(&parcel, &recipient("p@bank.example"), attach).await, "application/pdf").len(), 1);
}

#[tokio::test]
async fn attachments_have_names_that_say_what_they_are() {
    let names = ["zh-CN.pdf", "en.pdf", "zh-CN/branches.csv", "en/branches.csv", "manifest.json"];
    let files = names.map(|name| file(name, "application/octet-stream", b"x")).to_vec();
    let parcel = Parcel { files, ..parcel(Lang::Zh) };
    let attach = |config: &mut EmailConfig| config.attachments = vec!["pdf".into(), "csv".into()];
    let mail = mail(&parcel, &recipient("p@bank.example"), attach).await;
    let expected = "附件：分行经营记分卡 全行 2026-10.pdf、分行经营记分卡 全行 2026-10 branches.csv\n";
    assert!(text(&mail, "text/plain").contains(expected), "{mail}");
    assert_eq!(mail.matches("Content-Disposition: attachment").count(), 2);
}

#[tokio::test]
async fn rows_that_are_left_out_are_counted() {
    let mut parcel = parcel(Lang::Zh);
    let table = parcel.table.as_mut().unwrap();
    table.rows = (0..43).map(|number| vec![format!("第{number}行")]).collect();
    let mail = mail(&parcel, &recipient("p@bank.example"), |_| {}).await;
    for kind in ["text/plain", "text/html"] {
        let text = text(&mail, kind);
        assert!(text.contains("第39行") && !text.contains("第40行") && text.contains("其余 3 行见报表。"), "{text}");
    }
}

#[tokio::test]
async fn what_a_server_says_and_what_it_means() {
    let unknown = |why: &str| Verdict::Unknown { why: format!("the mail was handed over, but not confirmed: {why}") };
    let failed = |why: &str, transient| Verdict::Failed { why: why.into(), transient, retry_after: None };
    let end = |text| Script { end: End::Says(text), ..GOOD };
    let cases = [
        (
            Script { recipient: "450 4.2.1 mailbox busy", ..GOOD },
            failed("RCPT TO: transient error (450): 4.2.1 mailbox busy", true),
        ),
        (
            Script { recipient: "550 5.1.1 no such user", ..GOOD },
            failed("RCPT TO: permanent error (550): 5.1.1 no such user", false),
        ),
        (
            Script { greeting: "421 4.3.2 closing", ..GOOD },
            failed("connection: transient error (421): 4.3.2 closing", true),
        ),
        (end("451 4.3.0 try later"), failed("end of mail: transient error (451): 4.3.0 try later", true)),
        (end("554 5.7.1 spam"), failed("end of mail: permanent error (554): 5.7.1 spam", false)),
        (end("354 more"), unknown("unexpected answer 354 more")),
        (Script { end: End::Closes, ..GOOD }, unknown("end of mail: response error: incomplete response")),
    ];
    for (script, verdict) in cases {
        let (outcome, seen) = exchange(&parcel(Lang::En), &recipient("p@bank.example"), script, |_| {}).await;
        assert_eq!(outcome.verdict, verdict);
        assert_eq!(outcome.bytes, (seen.mail.len() as u64).saturating_sub(2));
    }
}

#[tokio::test]
async fn a_server_that_never_answers_ends_by_the_deadline() {
    let second = |config: &mut EmailConfig| config.deadline = Duration::from_secs(1);
    let (parcel, to) = (parcel(Lang::En), recipient("p@bank.example"));
    let (outcome, _) = exchange(&parcel, &to, Script { greeting: "", ..GOOD }, second).await;
    assert_eq!(outcome, failed("no answer within 1 s", true, 0));
    let (outcome, seen) = exchange(&parcel, &to, Script { end: End::Waits, ..GOOD }, second).await;
    let why = "the mail was handed over, but not confirmed: no answer within 1 s".to_owned();
    assert_eq!(outcome, Outcome { verdict: Verdict::Unknown { why }, bytes: seen.mail.len() as u64 - 2 });
}

#[tokio::test]
async fn a_mail_that_was_cut_off_was_not_handed_over() {
    let mut parcel = parcel(Lang::En);
    // More than the buffers of both sides hold.
    parcel.files = vec![file("a.pdf", "application/pdf", &vec![b'x'; 24 << 20])];
    let attach = |config: &mut EmailConfig| {
        config.attachments = vec!["pdf".into()];
        config.largest = 50 << 20;
    };
    let (outcome, seen) = exchange(&parcel, &recipient("p@bank.example"), Script { reads: 1000, ..GOOD }, attach).await;
    assert!(matches!(&outcome.verdict, Verdict::Failed { transient: true, .. }), "{outcome:?}");
    assert!(seen.mail.len() < 2000 && outcome.bytes < 33 << 20, "{} {}", seen.mail.len(), outcome.bytes);
}

#[tokio::test]
async fn nobody_there() {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port(); // closed again
    let outcome =
        channel(folder.path(), |config| config.port = port).send(&parcel(Lang::En), &recipient("p@bank.example")).await;
    let Verdict::Failed { why, transient: true, retry_after: None } = outcome.verdict else { panic!("{outcome:?}") };
    assert!(why.contains("onnection refused"), "{why}");
}

#[tokio::test]
async fn mails_stay_in_their_domains() {
    let folder = tempfile::tempdir().unwrap();
    let channel = channel(folder.path(), |_| {});
    for (address, why) in [
        (Some("p@evil.example"), "mails may not go to `evil.example` (`channels.email.domains`)"),
        (Some("p@mail.bank.example"), "mails may not go to `mail.bank.example` (`channels.email.domains`)"),
        (Some("行长@bank.example"), "the recipient's address has characters that mail servers do not know"),
        (None, "the recipient has no address"),
    ] {
        let to = Recipient { address: address.map(str::to_owned), ..recipient("") };
        let outcome = channel.send(&parcel(Lang::En), &to).await;
        assert_eq!(outcome, Outcome { verdict: Verdict::Refused { why: why.into() }, bytes: 0 });
    }
}

/// A mail server that speaks TLS with a certificate for `localhost`, and the certificate.
fn acceptor() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

/// The way to TLS after a greeting.
async fn start_tls(stream: &mut TcpStream) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.bank.example ESMTP\r\n").await.unwrap();
    for (command, answer) in
        [("EHLO bank.example\r\n", "250-mail.bank.example\r\n250 STARTTLS\r\n"), ("STARTTLS\r\n", "220 go on\r\n")]
    {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert_eq!(line, command);
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn encrypted(security: Security, script: Script, knows_authority: bool) -> (Outcome, Seen) {
    let folder = tempfile::tempdir().unwrap();
    let (acceptor, pem) = acceptor();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, pem).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let secret = folder.path().join("mail-password");
    std::fs::write(&secret, "hunter2\n").unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let password = SecretSource::File(Located { value: "mail-password".into(), ..Default::default() });
    let channel = channel(folder.path(), |config| {
        config.host.value = "localhost".into();
        config.port = port;
        config.security = security;
        config.login = Some(LoginConfig { user: "u".into(), password });
        config.ca = knows_authority.then(|| Located { value: ca, ..Default::default() });
    });
    assert!(!format!("{channel:?}").contains("hunter2"));
    let serve = async {
        let mut stream = listener.accept().await.unwrap().0;
        if security == Security::StartTls {
            start_tls(&mut stream).await;
        }
        match acceptor.accept(stream).await {
            Ok(stream) => converse(stream, script).await,
            Err(_) => Seen::default(),
        }
    };
    let (parcel, to) = (parcel(Lang::En), recipient("p@bank.example"));
    tokio::join!(channel.send(&parcel, &to), serve)
}

#[tokio::test]
async fn tls_and_login() {
    let (outcome, seen) = encrypted(Security::Tls, GOOD, true).await;
    assert_eq!(outcome.verdict, Verdict::Accepted { answer: "250 2.0.0 queued as 4711".into() });
    assert_eq!(seen.commands[1], format!("AUTH PLAIN {}", STANDARD.encode("\0u\0hunter2")));
    let (outcome, seen) = encrypted(Security::Tls, Script { login: "535 5.7.8 wrong", ..GOOD }, true).await;
    assert_eq!(outcome, failed("login: permanent error (535): 5.7.8 wrong", false, 0));
    assert!(!seen.commands.iter().any(|command| command.starts_with("MAIL")));
    let (outcome, seen) = encrypted(Security::Tls, GOOD, false).await;
    assert!(matches!(&outcome, Outcome { verdict: Verdict::Failed { transient: true, .. }, bytes: 0 }), "{outcome:?}");
    assert!(seen.commands.is_empty());
    let (outcome, seen) = encrypted(Security::StartTls, Script { greeting: GREETED, ..GOOD }, true).await;
    assert_eq!(outcome.verdict, Verdict::Accepted { answer: "250 2.0.0 queued as 4711".into() });
    assert_eq!(seen.commands[0], "EHLO bank.example");
    assert!(seen.commands[1].starts_with("AUTH PLAIN "));
}

#[tokio::test]
async fn no_mail_without_the_encryption_that_is_wanted() {
    let tls = |config: &mut EmailConfig| config.security = Security::StartTls;
    let (outcome, seen) = exchange(&parcel(Lang::En), &recipient("p@bank.example"), GOOD, tls).await;
    let why = "STARTTLS: internal client error: STARTTLS is not supported on this server";
    assert_eq!(outcome, failed(why, false, 0));
    assert_eq!(seen.commands, ["EHLO bank.example"]);
}
