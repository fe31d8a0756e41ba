//! Webhooks: signed messages to programs, by HTTP.
//!
//! In: a parcel and the name of a target in the settings. Out: one `POST`, with an idempotency key and an HMAC-SHA256 signature
//! over time stamp and body, to an address that [`egress`] lets through. The name of a target is resolved here, once, and the
//! connection goes to the address that was looked at; redirects and proxies are not followed, because nobody looked at them.
//! What is posted is a [`Body`], one file each. URLs never get into texts: the path of a webhook is often its password.

mod egress;
mod json;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ipnet::IpNet;
use jiff::Timestamp;
use sha2::Sha256;
use url::{Host, Url};

use super::{Channel, Notice, Outcome, Parcel, Recipient, Setup, Verdict};
use crate::auth::hex;
use crate::clock::Clock;
use crate::config::{BodyKind, Secret, TargetConfig, read_ca};
use crate::error::{Error, Result};
use crate::model::Diagnostic;

pub(super) const NAME: &str = "webhook";

/// Bytes of an answer that are read.
const LARGEST: usize = 64 << 10;
/// Longest wait that a target may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3_600);
/// Characters of a secret.
const SHORTEST_SECRET: usize = 16;

/// What is posted, and how an answer is understood. Group robots (WeCom, DingTalk, Feishu) are further ones: they answer 200
/// to what they refuse, and say so in the body.
trait Body: Sync {
    fn content_type(&self) -> &'static str;

    fn write(&self, parcel: &Parcel) -> serde_json::Result<Vec<u8>>;

    fn write_notice(&self, notice: &Notice) -> serde_json::Result<Vec<u8>>;

    /// Why an answer with status 2xx is a refusal all the same. `answer`: its first 64 KiB.
    fn refusal(&self, answer: &[u8]) -> Option<String>;
}

fn body(kind: BodyKind) -> &'static dyn Body {
    match kind {
        BodyKind::Json => &json::Json,
    }
}

/// Name and port to addresses.
type Resolve = Arc<dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

struct Webhook {
    targets: BTreeMap<String, Target>,
    clock: Clock,
    resolve: Resolve,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("targets", &self.targets.keys()).finish_non_exhaustive()
    }
}

struct Target {
    url: Url,
    body: BodyKind,
    secret: Secret,
    allow: Vec<IpNet>,
    authorities: Vec<reqwest::Certificate>,
    connect: Duration,
    deadline: Duration,
}

pub(super) fn open(setup: &Setup<'_>) -> Result<Option<Arc<dyn Channel>>> {
    if setup.config.webhook.is_empty() {
        return Ok(None);
    }
    let targets = setup.config.webhook.iter().map(|config| Ok((config.name.clone(), target(config, setup)?)));
    let resolve: Resolve = Arc::new(|name, port| {
        async move { Ok(tokio::net::lookup_host((name.as_str(), port)).await?.collect()) }.boxed()
    });
    Ok(Some(Arc::new(Webhook { targets: targets.collect::<Result<_>>()?, clock: setup.clock.clone(), resolve })))
}

fn target(config: &TargetConfig, setup: &Setup<'_>) -> Result<Target> {
    let authorities = match &config.ca {
        None => Vec::new(),
        Some(file) => reqwest::Certificate::from_pem_bundle(&read_ca(file)?).map_err(|cause| {
            let message = format!("the file `{}` has no certificates: {cause}", file.value.display());
            Error::definition(vec![Diagnostic::new(&file.place, message)])
        })?,
    };
    let no_url = || Error::internal(format!("the webhook target `{}` has no URL", config.name), "settings with faults");
    Ok(Target {
        url: config.url.clone().ok_or_else(no_url)?,
        body: config.body,
        secret: config.secret.read(setup.state, SHORTEST_SECRET)?,
        allow: config.allow.clone(),
        authorities,
        connect: config.connect,
        deadline: config.deadline,
    })
}

#[async_trait]
impl Channel for Webhook {
    fn name(&self) -> &'static str {
        NAME
    }

    fn repeatable(&self) -> bool {
        true
    }

    async fn send(&self, parcel: &Parcel, to: &Recipient) -> Outcome {
        let Some(target) = self.targets.get(&to.name) else { return no_target(to) };
        self.hand_over(target, &parcel.key, body(target.body).write(parcel)).await
    }

    async fn tell(&self, notice: &Notice, to: &Recipient) -> Outcome {
        let Some(target) = self.targets.get(&to.name) else { return no_target(to) };
        self.hand_over(target, &notice.key, body(target.body).write_notice(notice)).await
    }
}

fn no_target(to: &Recipient) -> Outcome {
    Outcome::refused(format!("the settings have no webhook target `{}`", to.name))
}

impl Webhook {
    /// One try within the target's deadline. `key` is the ledger's, by which a receiver knows a repeat.
    async fn hand_over(&self, target: &Target, key: &str, body: serde_json::Result<Vec<u8>>) -> Outcome {
        let body = match body {
            Ok(body) => body,
            Err(cause) => return Outcome::failed(format!("the message cannot be written: {cause}"), false, 0),
        };
        let mut sent = 0;
        let post = self.post(target, key, body, &mut sent);
        let outcome = tokio::time::timeout(target.deadline, post).await;
        outcome.unwrap_or_else(|_| {
            Outcome::failed(format!("no answer within {} s", target.deadline.as_secs()), true, sent)
        })
    }

    /// `sent` becomes the size of the body when it is given away.
    async fn post(&self, target: &Target, key: &str, content: Vec<u8>, sent: &mut u64) -> Outcome {
        let url = &target.url;
        let Some(port) = url.port_or_known_default() else { return Outcome::refused("the URL has no port") };
        let found = match url.host() {
            Some(Host::Ipv4(address)) => Ok(vec![SocketAddr::from((address, port))]),
            Some(Host::Ipv6(address)) => Ok(vec![SocketAddr::from((address, port))]),
            Some(Host::Domain(name)) => {
                let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer of the name service in time");
                let resolved = tokio::time::timeout(target.connect, (self.resolve)(name.to_owned(), port)).await;
                resolved.map_err(late).flatten()
            }
            None => Ok(Vec::new()),
        };
        let host = url.host_str().unwrap_or_default();
        let addresses = match found {
            Ok(found) if found.is_empty() => {
                return Outcome::failed(format!("the name `{host}` has no address"), true, 0);
            }
            Ok(found) => {
                let open = |at: &&SocketAddr| egress::is_open(at.ip(), &target.allow);
                let open: Vec<SocketAddr> = found.iter().filter(open).copied().collect();
                if open.is_empty() {
                    let listed = found.iter().map(|at| at.ip().to_string()).collect::<Vec<_>>().join(", ");
                    return Outcome::refused(format!(
                        "`{host}` leads to {listed}, where this target may not be (`allow`)"
                    ));
                }
                open
            }
            Err(cause) => return Outcome::failed(format!("the name `{host}` cannot be resolved: {cause}"), true, 0),
        };
        let client = match client(target, host, &addresses) {
            Ok(client) => client,
            Err(cause) => return Outcome::failed(format!("no HTTP client: {}", causes(cause)), false, 0),
        };
        let now = self.clock.now();
        let stamp = now.as_second().to_string();
        let size = content.len() as u64;
        let request = client
            .post(url.clone())
            .header("content-type", body(target.body).content_type())
            .header("x-countinghouse-delivery", key)
            .header("x-countinghouse-timestamp", &stamp)
            .header("x-countinghouse-signature", signature(&target.secret, &stamp, &content))
            .body(content);
        *sent = size;
        match request.send().await {
            Ok(response) => judge(target, response, now, size).await,
            Err(cause) => {
                let bytes = if cause.is_connect() { 0 } else { size };
                Outcome::failed(causes(cause), true, bytes)
            }
        }
    }
}

/// A client for one connection to one of these addresses.
fn client(target: &Target, host: &str, addresses: &[SocketAddr]) -> reqwest::Result<reqwest::Client> {
    let mut client = reqwest::Client::builder()
        .resolve_to_addrs(host, addresses)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .https_only(target.url.scheme() == "https")
        .connect_timeout(target.connect)
        .timeout(target.deadline)
        .user_agent(concat!("countinghouse/", env!("CARGO_PKG_VERSION")));
    if !target.authorities.is_empty() {
        client = client.tls_certs_merge(target.authorities.iter().cloned());
    }
    client.build()
}

/// `v1=` and 64 hexadecimal digits: HMAC-SHA256 with the target's secret over `TIMESTAMP.BODY`.
fn signature(secret: &Secret, stamp: &str, content: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes keys of every length");
    mac.update(stamp.as_bytes());
    mac.update(b".");
    mac.update(content);
    format!("v1={}", hex(&mac.finalize().into_bytes()))
}

/// What an answer means. Nothing of its body is repeated, unless the kind of body says so.
async fn judge(target: &Target, mut response: reqwest::Response, now: Timestamp, bytes: u64) -> Outcome {
    let status = response.status();
    if status.is_success() {
        // An answer that ends early is no reason to doubt the status.
        let mut answer = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = LARGEST - answer.len();
            answer.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if answer.len() == LARGEST {
                break;
            }
        }
        return match body(target.body).refusal(&answer) {
            None => Outcome::accepted(format!("HTTP {}", status.as_u16()), bytes),
            Some(why) => Outcome::failed(why, false, bytes),
        };
    }
    let transient = matches!(status.as_u16(), 408 | 425 | 429) || status.is_server_error();
    let why = match status.is_redirection() {
        true => format!("HTTP {}: redirects are not followed; the settings need the final URL", status.as_u16()),
        false => format!("HTTP {}", status.as_u16()),
    };
    let asked = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let retry_after = asked.filter(|_| transient).and_then(|text| wait(text, now));
    Outcome { verdict: Verdict::Failed { why, transient, retry_after }, bytes }
}

/// A `Retry-After` header: seconds or a date.
fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            // A date that has passed asks for nothing.
            Duration::try_from(at.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

/// An error with what stands behind it, without the URL.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
