use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::{LARGEST, Target, Webhook, egress, wait};
use crate::clock::Clock;
use crate::config::{BodyKind, Secret};
use crate::locale::Lang;
use crate::publish::channel::tests::{failed, notice, parcel};
use crate::publish::channel::{Channel as _, Completeness, Outcome, Parcel, Recipient, Verdict};

const SECRET: &str = "a secret of the portal";

/// A program that hears one message and gives an answer.
struct Server {
    listener: TcpListener,
    port: u16,
}

#[derive(Debug, Default)]
struct Heard {
    head: Vec<String>,
    body: Vec<u8>,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        let line = self.head.iter().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:"))).unwrap();
        line.split_once(": ").unwrap().1
    }
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { port: listener.local_addr().unwrap().port(), listener }
    }

    /// Hears one message; without an answer it waits until the other side leaves.
    async fn serve(&self, answer: &[u8]) -> Heard {
        let mut stream = BufReader::new(self.listener.accept().await.unwrap().0);
        let mut heard = Heard::default();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            match line.trim_end() {
                "" => break,
                line => heard.head.push(line.to_owned()),
            }
        }
        heard.body = vec![0; heard.header("content-length").parse().unwrap()];
        stream.read_exact(&mut heard.body).await.unwrap();
        if answer.is_empty() {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        } else {
            let _ = stream.write_all(answer).await; // whoever has read enough may leave
            let _ = stream.shutdown().await;
        }
        heard
    }
}

fn channel(url: &str, allow: &[&str], resolved: &'static [&'static str]) -> (Webhook, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let target = Target {
        url: url.parse().unwrap(),
        body: BodyKind::Json,
        secret: Secret::from(SECRET.to_owned()),
        allow: allow.iter().map(|network| network.parse().unwrap()).collect(),
        authorities: Vec::new(),
        connect: Duration::from_secs(5),
        deadline: Duration::from_secs(5),
    };
    let webhook = Webhook {
        targets: BTreeMap::from([("portal".to_owned(), target)]),
        clock: Clock::fixed("2026-11-04T01:02:03Z".parse().unwrap()),
        resolve: Arc::new(move |_, port| {
            // A name that leads elsewhere from the second question on.
            let found = match count.fetch_add(1, Ordering::Relaxed) {
                0 => resolved,
                _ => &["127.0.0.1"],
            };
            let found: Vec<_> = found.iter().map(|it| SocketAddr::new(it.parse().unwrap(), port)).collect();
            async move { Ok(found) }.boxed()
        }),
    };
    (webhook, asked)
}

fn portal() -> Recipient {
    Recipient { name: "portal".into(), address: None, lang: Lang::Zh }
}

/// What becomes of a message with this answer, and what was heard.
async fn exchange(parcel: &Parcel, answer: &[u8]) -> (Outcome, Heard) {
    let server = Server::start().await;
    let url = format!("http://hooks.bank.test:{}/in?token=t0ken", server.port);
    let (webhook, asked) = channel(&url, &["127.0.0.1/32"], &["127.0.0.1"]);
    let to = portal();
    let both = tokio::join!(webhook.send(parcel, &to), server.serve(answer));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    both
}

#[tokio::test]
async fn a_signed_message_to_the_pinned_address() {
    let parcel = Parcel {
        completeness: Some(Completeness { closed: 27, of: 28, open: vec!["厦门".into()] }),
        ..parcel(Lang::Zh)
    };
    let (outcome, heard) = exchange(&parcel, b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\nok").await;
    let size = heard.body.len() as u64;
    assert_eq!(outcome, Outcome { verdict: Verdict::Accepted { answer: "HTTP 202".into() }, bytes: size });
    // No name service knows the name, so the connection went where the check had looked.
    assert!(heard.header("host").starts_with("hooks.bank.test:"));
    assert_eq!(heard.head[0], "POST /in?token=t0ken HTTP/1.1");
    assert_eq!(heard.header("content-type"), "application/json");
    assert_eq!(heard.header("x-countinghouse-delivery"), parcel.key);
    assert_eq!(heard.header("x-countinghouse-timestamp"), "1793754123");
    // As a receiver does it, with another implementation than the one that signed.
    let (inner, outer) = {
        let mut key = [0_u8; 64];
        key[..SECRET.len()].copy_from_slice(SECRET.as_bytes());
        (key.map(|byte| byte ^ 0x36), key.map(|byte| byte ^ 0x5C))
    };
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::new().chain_update(inner).chain_update(b"1793754123.").chain_update(&heard.body).finalize();
    let expected = crate::auth::hex(&Sha256::new().chain_update(outer).chain_update(digest).finalize());
    assert_eq!(heard.header("x-countinghouse-signature"), format!("v1={expected}"));
    let body: serde_json::Value = serde_json::from_slice(&heard.body).unwrap();
    let expected = serde_json::json!({
        "event": "edition",
        "report": "branch_scorecard",
        "title": "分行经营记分卡",
        "lang": "zh-CN",
        "scope": "head_office",
        "scope_label": "全行",
        "period": "2026-10",
        "version": 1,
        "hash": parcel.edition,
        "run_key": parcel.run_key,
        "link": parcel.link,
        "published_at": "2026-11-04T01:02:03Z",
        "person_level": false,
        "completeness": {"closed": 27, "of": 28, "open": ["厦门"]},
        "files": [
            {"name": "branch_scorecard.zh-CN.pdf", "content_type": "application/pdf",
             "sha256": parcel.files[0].sha256, "size": 19},
            {"name": "branch_scorecard.zh-CN.csv", "content_type": "text/csv; charset=utf-8",
             "sha256": parcel.files[1].sha256, "size": 26},
        ],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_notice_says_what_it_is_about() {
    let (notice, to) = (notice(), portal());
    let server = Server::start().await;
    let url = format!("http://hooks.bank.test:{}/in", server.port);
    let (webhook, _) = channel(&url, &["127.0.0.1/32"], &["127.0.0.1"]);
    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
    let (outcome, heard) = tokio::join!(webhook.tell(&notice, &to), server.serve(answer));
    assert_eq!(outcome.verdict, Verdict::Accepted { answer: "HTTP 204".into() });
    assert_eq!(heard.header("x-countinghouse-delivery"), notice.key);
    let body: serde_json::Value = serde_json::from_slice(&heard.body).unwrap();
    let expected = serde_json::json!({
        "event": "deadline",
        "report": "branch_scorecard",
        "lang": "zh-CN",
        "scope": "head_office",
        "subject": notice.subject,
        "paragraphs": notice.paragraphs,
        "items": notice.items,
        "link": notice.link,
        "at": "2026-11-04T01:02:03Z",
    });
    assert_eq!(body, expected);
}

#[test]
fn the_signature_is_hmac_sha256() {
    // Key and text of RFC 4231, case 2, and the point between time and body; computed with Python's `hmac`.
    let made = super::signature(&Secret::from("Jefe".to_owned()), "what do ya want for nothing?", b"");
    assert_eq!(made, SIGNED);
}

const SIGNED: &str = "v1=38c6c848e5a2f57451f5095df6370d5c9b83175b99df46422b34960c28def6ae";

#[tokio::test]
async fn persons_are_not_spoken_of() {
    let parcel = Parcel { person_level: true, correction: Some("存款 21.4 → 21.5".into()), ..parcel(Lang::Zh) };
    let (_, heard) = exchange(&parcel, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let text = String::from_utf8(heard.body).unwrap();
    for figure in ["1,284.6", "6.2%", "21.4"] {
        assert!(!text.contains(figure), "{text}");
    }
    assert!(text.contains(&parcel.link) && text.contains("\"person_level\":true"), "{text}");
}

#[tokio::test]
async fn answers_and_what_they_mean() {
    let wait = |seconds| Some(Duration::from_secs(seconds));
    let cases = [
        ("500 Internal Server Error", "", true, None, "HTTP 500"),
        ("503 Service Unavailable", "retry-after: 120\r\n", true, wait(120), "HTTP 503"),
        ("429 Too Many Requests", "retry-after: Wed, 04 Nov 2026 01:03:03 GMT\r\n", true, wait(60), "HTTP 429"),
        ("429 Too Many Requests", "retry-after: 999999999\r\n", true, wait(86_400), "HTTP 429"),
        ("408 Request Timeout", "retry-after: soon\r\n", true, None, "HTTP 408"),
        ("425 Too Early", "", true, None, "HTTP 425"),
        ("404 Not Found", "retry-after: 5\r\n", false, None, "HTTP 404"),
        ("401 Unauthorized", "", false, None, "HTTP 401"),
        (
            "307 Temporary Redirect",
            "location: http://127.0.0.1:1/\r\n",
            false,
            None,
            "HTTP 307: redirects are not followed; the settings need the final URL",
        ),
    ];
    for (status, headers, transient, retry_after, why) in cases {
        let answer = format!("HTTP/1.1 {status}\r\n{headers}content-length: 11\r\n\r\nsecret word");
        let (outcome, heard) = exchange(&parcel(Lang::En), answer.as_bytes()).await;
        let verdict = Verdict::Failed { why: why.into(), transient, retry_after };
        assert_eq!(outcome, Outcome { verdict, bytes: heard.body.len() as u64 });
    }
}

#[tokio::test]
async fn a_target_that_never_answers_ends_by_the_deadline() {
    let server = Server::start().await;
    let (mut webhook, _) = channel(&format!("http://127.0.0.1:{}/", server.port), &["127.0.0.0/8"], &[]);
    webhook.targets.get_mut("portal").unwrap().deadline = Duration::from_secs(1);
    let (parcel, to) = (parcel(Lang::En), portal());
    let (outcome, heard) = tokio::join!(webhook.send(&parcel, &to), server.serve(b""));
    assert_eq!(outcome.bytes, heard.body.len() as u64);
    let Verdict::Failed { transient: true, retry_after: None, why } = outcome.verdict else { panic!("{outcome:?}") };
    // Both clocks have the same deadline; either may ring first.
    assert!(why == "no answer within 1 s" || why.contains("timed out"), "{why}");
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n".to_vec();
    answer.resize(answer.len() + LARGEST + 1000, b'x');
    let (outcome, _) = exchange(&parcel(Lang::En), &answer).await;
    assert!(matches!(outcome.verdict, Verdict::Accepted { answer } if answer == "HTTP 200"));
}

#[tokio::test]
async fn nobody_there() {
    let port = Server::start().await.port; // closed again
    let (webhook, _) = channel(&format!("http://127.0.0.1:{port}/t0ken"), &["127.0.0.0/8"], &[]);
    let outcome = webhook.send(&parcel(Lang::En), &portal()).await;
    let Verdict::Failed { why, transient: true, .. } = &outcome.verdict else { panic!("{outcome:?}") };
    assert!(why.contains("onnection refused") && !why.contains("t0ken"), "{why}");
    assert_eq!(outcome.bytes, 0);
    assert!(!format!("{webhook:?}").contains("t0ken") && !format!("{webhook:?}").contains(SECRET));
}

#[tokio::test]
async fn no_connection_to_where_the_target_may_not_be() {
    let refused = |why: String| Outcome { verdict: Verdict::Refused { why }, bytes: 0 };
    let cases: [(&'static [&'static str], &[&str]); 6] = [
        (&["127.0.0.1"], &[]),
        (&["127.0.0.1", "::1"], &["10.0.0.0/8"]),
        (&["::ffff:127.0.0.1"], &["127.0.0.0/8", "::/0"]),
        (&["169.254.169.254"], &["0.0.0.0/0"]),
        (&["10.1.2.3"], &["10.1.2.4/32"]),
        (&["fe80::1"], &[]),
    ];
    for (found, allow) in cases {
        let server = Server::start().await;
        let (webhook, asked) = channel(&format!("http://hooks.bank.test:{}/", server.port), allow, found);
        let why = format!(
            "`hooks.bank.test` leads to {}, where this target may not be (`allow`)",
            found.iter().map(|it| it.parse::<std::net::IpAddr>().unwrap().to_string()).collect::<Vec<_>>().join(", ")
        );
        assert_eq!(webhook.send(&parcel(Lang::En), &portal()).await, refused(why));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert!(server.listener.accept().now_or_never().is_none());
    }
    let (webhook, _) = channel("http://[::ffff:7f00:1]/", &["127.0.0.0/8"], &[]);
    let why = "`[::ffff:7f00:1]` leads to ::ffff:127.0.0.1, where this target may not be (`allow`)";
    assert_eq!(webhook.send(&parcel(Lang::En), &portal()).await, refused(why.into()));
    let to = Recipient { name: "other".into(), ..portal() };
    let outcome = webhook.send(&parcel(Lang::En), &to).await;
    assert_eq!(outcome, refused("the settings have no webhook target `other`".into()));
    let (webhook, _) = channel("http://hooks.bank.test/", &[], &[]);
    assert_eq!(
        webhook.send(&parcel(Lang::En), &portal()).await,
        failed("the name `hooks.bank.test` has no address", true, 0)
    );
}

#[test]
fn open_addresses() {
    let is_open = |address: &str, allow: &[&str]| {
        let allow: Vec<_> = allow.iter().map(|network| network.parse().unwrap()).collect();
        egress::is_open(address.parse().unwrap(), &allow)
    };
    for address in ["8.8.8.8", "114.114.114.114", "172.32.0.1", "100.128.0.1", "2400:3200::1", "2001:4860:4860::8888"] {
        assert!(is_open(address, &[]), "{address}");
    }
    let closed = [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.8.8.8",
        "169.254.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "3fff::1",
        "100::1",
    ];
    for address in closed {
        assert!(!is_open(address, &[]), "{address}");
        assert!(is_open(address, &["0.0.0.0/0", "::/0"]), "{address}");
    }
    let never = [
        "169.254.169.254",
        "100.100.100.200",
        "192.0.0.192",
        "fd00:ec2::254",
        "::ffff:8.8.8.8",
        "::8.8.8.8",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "2002:808:808::1",
        "2001::1",
    ];
    for address in never {
        assert!(!is_open(address, &["0.0.0.0/0", "::/0"]), "{address}");
    }
    assert!(is_open("10.20.3.4", &["10.20.0.0/16"]) && !is_open("10.21.3.4", &["10.20.0.0/16"]));
}

#[test]
fn waits() {
    let now = "2026-11-04T01:02:03Z".parse().unwrap();
    assert_eq!(wait(" 7 ", now), Some(Duration::from_secs(7)));
    assert_eq!(wait("Wed, 04 Nov 2026 00:00:00 GMT", now), Some(Duration::ZERO));
    assert_eq!(wait("-1", now), None);
}
