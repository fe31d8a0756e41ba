//! Settings of the channels, the ways out for published reports: section `channels` of the settings file.
//!
//! Secrets stand in files of the state folder or in the environment. They are read when a channel is opened, because other
//! commands need not be able to read them.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use crate::error::{Error, Result};
use crate::model::shape::Fields;
use crate::model::{Diagnostic, Label, Located};

/// Ways out for published reports. A channel that is not named is not there.
#[derive(Debug, Clone, Default)]
pub struct ChannelsConfig {
    /// Files in an object store.
    pub archive: Option<ArchiveConfig>,
    /// Mails.
    pub email: Option<EmailConfig>,
    /// Messages to programs.
    pub webhook: Vec<TargetConfig>,
}

/// Files in an object store.
#[derive(Debug, Clone)]
pub struct ArchiveConfig {
    /// Folder relative to the state, `file://` URL or `s3://bucket/prefix`.
    pub url: Located<String>,
    /// All files of one edition are written within this.
    pub deadline: Duration,
}

/// How a connection to a mail server is kept private.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS after a greeting; no mail without it.
    StartTls,
    /// Not at all.
    None,
}

/// Mails through a mail server.
#[derive(Debug, Clone)]
pub struct EmailConfig {
    /// Name of the mail server.
    pub host: Located<String>,
    /// Its port.
    pub port: u16,
    /// Privacy of the connection.
    pub security: Security,
    /// Further authorities of certificates, a PEM file.
    pub ca: Option<Located<PathBuf>>,
    /// Login at the mail server.
    pub login: Option<LoginConfig>,
    /// Name of this host towards it; the domain of `from` when there is none.
    pub client_name: Option<String>,
    /// Address of the sender.
    pub from: Located<String>,
    /// Name of the sender, per language; empty for the project's name.
    pub from_name: Label,
    /// Domains that mails may go to, in lower case.
    pub domains: Vec<String>,
    /// Formats that are attached, such as `pdf`.
    pub attachments: Vec<String>,
    /// Attachments together, bytes.
    pub largest: usize,
    /// A connection is there within this.
    pub connect: Duration,
    /// One mail is handed over within this.
    pub deadline: Duration,
}

/// Login at a mail server.
#[derive(Debug, Clone)]
pub struct LoginConfig {
    /// Name.
    pub user: String,
    /// Where its password is.
    pub password: SecretSource,
}

/// What is posted to a webhook target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// The server's own JSON.
    Json,
}

/// A program that gets messages. It prints without its URL, whose path is often a password.
#[derive(Clone)]
pub struct TargetConfig {
    /// As reports name it.
    pub name: String,
    /// Where messages are posted: `https`, or `http` where the settings allow it. `None` only beside a fault.
    pub url: Option<Url>,
    /// What is posted.
    pub body: BodyKind,
    /// Where the secret of the signatures is.
    pub secret: SecretSource,
    /// Networks inside the bank where it may be.
    pub allow: Vec<IpNet>,
    /// Further authorities of certificates, a PEM file.
    pub ca: Option<Located<PathBuf>>,
    /// A connection is there within this.
    pub connect: Duration,
    /// One message is answered within this.
    pub deadline: Duration,
}

impl fmt::Debug for TargetConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetConfig").field("name", &self.name).field("allow", &self.allow).finish_non_exhaustive()
    }
}

/// Where a secret is.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// A file, from the state folder, that only its owner can read.
    File(Located<PathBuf>),
    /// A variable of the environment.
    Variable(Located<String>),
}

/// A secret. It prints as `Secret` and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Its text, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl SecretSource {
    /// The secret, without the white space around it that an editor leaves behind. `shortest`: characters that it needs.
    ///
    /// # Errors
    /// `Code::Definition` when it cannot be read, is short, or stands in a file that others can read.
    pub fn read(&self, state: &Path, shortest: usize) -> Result<Secret> {
        let (place, text) = match self {
            Self::File(file) => (&file.place, read_private(&state.join(&file.value))),
            Self::Variable(name) => {
                let missing = |_| format!("the environment has no variable `{}` with text", **name);
                (&name.place, std::env::var(&**name).map_err(missing))
            }
        };
        let wrong = |message: String| Error::definition(vec![Diagnostic::new(place, message)]);
        let text = text.map_err(wrong)?;
        match text.trim() {
            secret if secret.chars().count() >= shortest => Ok(Secret(secret.to_owned())),
            _ => Err(wrong(format!("this secret is too short; it needs {shortest} characters"))),
        }
    }
}

fn read_private(file: &Path) -> std::result::Result<String, String> {
    let failed = |cause: std::io::Error| format!("the file `{}` cannot be read: {cause}", file.display());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(file).map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(format!("others can read the file `{}`; set its mode to 0600", file.display()));
        }
    }
    std::fs::read_to_string(file).map_err(failed)
}

/// The certificates of a `ca` file, as PEM.
///
/// # Errors
/// `Code::Definition` when it cannot be read.
pub fn read_ca(file: &Located<PathBuf>) -> Result<Vec<u8>> {
    std::fs::read(&file.value).map_err(|cause| {
        let message = format!("the file `{}` cannot be read: {cause}", file.value.display());
        Error::definition(vec![Diagnostic::new(&file.place, message)]).caused_by(cause)
    })
}

/// The section `channels`.
pub(super) fn decode(fields: &Fields<'_>, project: &Path, faults: &mut Vec<Diagnostic>) -> ChannelsConfig {
    let archive = fields
        .map("archive")
        .map(|fields| ArchiveConfig { url: fields.needed("url"), deadline: seconds(&fields, "deadline_seconds") });
    let email = fields.map("email").map(|fields| email(&fields, project, faults));
    let webhook = fields
        .named_maps("webhook")
        .map(|(name, fields)| target(name.value.clone(), &fields, project, faults))
        .collect();
    ChannelsConfig { archive, email, webhook }
}

fn email(fields: &Fields<'_>, project: &Path, faults: &mut Vec<Diagnostic>) -> EmailConfig {
    let mut fault = |at: &str, message: String| {
        faults.push(Diagnostic::new(fields.given(at).unwrap_or(fields.place()), message));
    };
    let security = match fields.needed("security").as_str() {
        "tls" => Security::Tls,
        "none" => Security::None,
        _ => Security::StartTls,
    };
    let usual = match security {
        Security::Tls => 465,
        Security::StartTls => 587,
        Security::None => 25,
    };
    let host = fields.needed("host");
    let client_name = fields.text("client_name");
    for (key, name) in [("host", Some(&host)), ("client_name", client_name.as_ref())] {
        if let Some(name) = name.filter(|name| !name.is_empty() && !is_address(&format!("x@{}", ***name))) {
            fault(key, format!("{key} `{}` is not the name of a host", **name));
        }
    }
    let is_local = *host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let is_open = security == Security::None && !is_local && !host.is_empty();
    if is_open && !fields.boolean("unencrypted") {
        fault("security", format!("mails to `{}` would be plain text on the network; use `starttls` or `tls`", *host));
    }
    let user = fields.text("user");
    if is_open && user.is_some() {
        fault("user", "a password is not sent without encryption; use `security: starttls` or `tls`".into());
    }
    let login = match (user, secret(fields, "password_file", "password_variable", &mut fault)) {
        (Some(user), Some(password)) => Some(LoginConfig { user: user.value, password }),
        (Some(_), None) if fields.given("password_file").is_none() && fields.given("password_variable").is_none() => {
            fault("user", "`user` needs `password_file` or `password_variable`".into());
            None
        }
        (None, Some(_)) => {
            let at = if fields.given("password_file").is_some() { "password_file" } else { "password_variable" };
            fault(at, format!("`{at}` needs `user`"));
            None
        }
        _ => None,
    };
    let from = fields.needed("from");
    if !from.is_empty() && !is_address(&from) {
        fault("from", format!("`{}` is not an address such as `reports@bank.example`", *from));
    }
    let domains: Vec<String> =
        fields.texts("domains").into_iter().map(|domain| domain.value.to_ascii_lowercase()).collect();
    if fields.given("domains").is_some() && domains.is_empty() {
        fault("domains", "`domains` names no domain, so no mail could go anywhere".into());
    }
    if let Some(domain) = domains.iter().find(|domain| !is_address(&format!("x@{domain}"))) {
        fault("domains", format!("`{domain}` is not a domain such as `bank.example`"));
    }
    EmailConfig {
        port: fields.number("port").map_or(usual, |port| port.value),
        security,
        ca: fields.text("ca").map(|file| file.map(|file| project.join(file))),
        login,
        client_name: client_name.map(|name| name.value),
        from,
        from_name: fields.label("from_name"),
        domains,
        attachments: fields.texts("attachments").into_iter().map(|format| format.value).collect(),
        largest: fields.number_or::<usize>("largest_mib", 1) << 20,
        connect: seconds(fields, "connect_seconds"),
        deadline: seconds(fields, "deadline_seconds"),
        host,
    }
}

fn target(name: String, fields: &Fields<'_>, project: &Path, faults: &mut Vec<Diagnostic>) -> TargetConfig {
    let mut fault = |at: &str, message: String| {
        faults.push(Diagnostic::new(fields.given(at).unwrap_or(fields.place()), message));
    };
    let text = fields.needed("url");
    let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    match &url {
        // The text is not repeated: the path of a webhook is often its password.
        None if !text.is_empty() => fault("url", format!("the URL of `{name}` is not an `https` URL")),
        Some(url) if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() => {
            fault("url", format!("the URL of `{name}` has a user, a password or a `#`, which are not sent"));
        }
        Some(url) if url.scheme() == "http" && !fields.boolean("unencrypted") => {
            fault("url", format!("the URL of `{name}` is `http`, which needs `unencrypted: true`"));
        }
        _ => {}
    }
    let secret = secret(fields, "secret_file", "secret_variable", &mut fault);
    if secret.is_none() && fields.given("secret_file").is_none() && fields.given("secret_variable").is_none() {
        fault("url", format!("the target `{name}` needs `secret_file` or `secret_variable`"));
    }
    let mut allow = Vec::new();
    for text in fields.texts("allow") {
        match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
            Ok(network) => allow.push(network),
            Err(_) => fault("allow", format!("`{}` is not an address or network such as `10.20.0.0/16`", *text)),
        }
    }
    TargetConfig {
        name,
        url,
        body: BodyKind::Json,
        secret: secret.unwrap_or_else(|| SecretSource::Variable(Located::default())),
        allow,
        ca: fields.text("ca").map(|file| file.map(|file| project.join(file))),
        connect: seconds(fields, "connect_seconds"),
        deadline: seconds(fields, "deadline_seconds"),
    }
}

/// The secret that one of two keys leads to.
fn secret(
    fields: &Fields<'_>,
    file: &'static str,
    variable: &'static str,
    fault: &mut impl FnMut(&str, String),
) -> Option<SecretSource> {
    match (fields.text(file), fields.text(variable)) {
        (Some(_), Some(_)) => {
            fault(variable, format!("`{file}` and `{variable}` exclude each other"));
            None
        }
        (Some(text), None) => Some(SecretSource::File(text.map(PathBuf::from))),
        (None, Some(text)) => Some(SecretSource::Variable(text)),
        (None, None) => None,
    }
}

fn seconds(fields: &Fields<'_>, name: &str) -> Duration {
    Duration::from_secs(fields.number_or(name, 1))
}

/// Coarse: the channel's library has the last word when the channel is opened.
fn is_address(text: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'@');
    text.split_once('@').is_some_and(|(local, domain)| plain(local) && plain(domain) && !domain.starts_with('.'))
}
