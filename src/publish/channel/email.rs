//! Mails through the bank's mail server, by SMTP.
//!
//! In: a parcel and a mailbox in one of the domains that the settings allow. Out: one mail, see [`mail`], and whether the server
//! took it. A server that has the whole mail and then says nothing leaves that open, and only that: whether the end of the mail
//! was written is known here, so the commands are given one by one.

mod mail;
mod notice;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use lettre::address::{Address, Envelope};
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::{Response, Severity};

use super::{Channel, Notice, Outcome, Parcel, Recipient, Setup, one_line};
use crate::config::{EmailConfig, Secret, Security, read_ca};
use crate::error::{Error, Result};
use crate::locale::Lang;
use crate::model::{Diagnostic, Label};

pub(super) const NAME: &str = "email";

/// How long a mail server may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);
/// Bytes that are written at once.
const CHUNK: usize = 64 << 10;
/// Characters of a person's name in a header.
const NAME_LENGTH: usize = 80;

struct Email {
    config: EmailConfig,
    from: Address,
    names: Label,
    login: Option<(String, Secret)>,
    tls: Option<TlsParameters>,
    client: ClientId,
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Email").field("config", &self.config).finish_non_exhaustive()
    }
}

pub(super) fn open(setup: &Setup<'_>) -> Result<Option<Arc<dyn Channel>>> {
    let Some(config) = &setup.config.email else { return Ok(None) };
    let from: Address = config.from.parse().map_err(|cause| {
        let message = format!("`{}` is not the address of a mailbox: {cause}", *config.from);
        Error::definition(vec![Diagnostic::new(&config.from.place, message)])
    })?;
    let login = match &config.login {
        None => None,
        Some(login) => Some((login.user.clone(), login.password.read(setup.state, 1)?)),
    };
    let client = ClientId::Domain(config.client_name.clone().unwrap_or_else(|| from.domain().to_owned()));
    let names = if config.from_name.is_empty() { setup.project } else { &config.from_name };
    let tls = match config.security {
        Security::None => None,
        Security::Tls | Security::StartTls => Some(tls(config)?),
    };
    Ok(Some(Arc::new(Email { config: config.clone(), from, names: names.clone(), login, tls, client })))
}

fn tls(config: &EmailConfig) -> Result<TlsParameters> {
    let mut tls = TlsParameters::builder(config.host.value.clone());
    if let Some(file) = &config.ca {
        let certificate = Certificate::from_pem(&read_ca(file)?).map_err(|cause| {
            let message = format!("the file `{}` has no certificates: {cause}", file.value.display());
            Error::definition(vec![Diagnostic::new(&file.place, message)])
        })?;
        tls = tls.add_root_certificate(certificate);
    }
    tls.build_rustls().map_err(|cause| {
        let message = format!("TLS to the mail server `{}` cannot be set up: {cause}", *config.host);
        Error::definition(vec![Diagnostic::new(&config.host.place, message)])
    })
}

#[async_trait]
impl Channel for Email {
    fn name(&self) -> &'static str {
        NAME
    }

    fn repeatable(&self) -> bool {
        false
    }

    async fn send(&self, parcel: &Parcel, to: &Recipient) -> Outcome {
        let address = match self.address(to) {
            Ok(address) => address,
            Err(why) => return Outcome::refused(why),
        };
        let frame = self.frame(parcel.lang, to, &address);
        let mail = mail::compose(parcel, &frame);
        self.hand_over(&address, mail).await
    }

    async fn tell(&self, notice: &Notice, to: &Recipient) -> Outcome {
        let address = match self.address(to) {
            Ok(address) => address,
            Err(why) => return Outcome::refused(why),
        };
        let mail = notice::compose(notice, &self.frame(notice.lang, to, &address));
        self.hand_over(&address, mail).await
    }
}

impl Email {
    /// One mail within the deadline.
    async fn hand_over(&self, address: &Address, mail: std::result::Result<Vec<u8>, String>) -> Outcome {
        let mail = match mail {
            Ok(mail) => mail,
            Err(why) => return Outcome::failed(why, false, 0),
        };
        let progress = Progress::default();
        // On the heap: the conversation is the largest part of the delivery.
        let talk = Box::pin(self.talk(address, &mail, &progress));
        let ended = tokio::time::timeout(self.config.deadline, talk).await;
        let bytes = progress.bytes.load(Ordering::Relaxed);
        match ended {
            Ok(Ok((answer, mut connection))) => {
                // The mail is taken; what the server says now changes nothing.
                let _ = tokio::time::timeout(GOODBYE, connection.quit()).await;
                Outcome::accepted(answer, bytes)
            }
            Ok(Err(Failure::Answered { why, transient })) => Outcome::failed(why, transient, bytes),
            Ok(Err(Failure::Lost { why })) => progress.lost(&why, bytes),
            Err(_) => progress.lost(&format!("no answer within {} s", self.config.deadline.as_secs()), bytes),
        }
    }
}

/// How far a mail came.
#[derive(Debug, Default)]
struct Progress {
    bytes: AtomicU64,
    /// Everything before the end mark is written, so the server may have the mail.
    is_whole: AtomicBool,
}

impl Progress {
    /// The connection is gone, or its time is up.
    fn lost(&self, why: &str, bytes: u64) -> Outcome {
        match self.is_whole.load(Ordering::Relaxed) {
            true => Outcome::unknown(format!("the mail was handed over, but not confirmed: {why}"), bytes),
            false => Outcome::failed(why, true, bytes),
        }
    }
}

enum Failure {
    /// It is known that the mail was not taken.
    Answered { why: String, transient: bool },
    /// The conversation broke off.
    Lost { why: String },
}

impl Failure {
    fn of(step: &str, error: &lettre::transport::smtp::Error) -> Self {
        let why = format!("{step}: {error}");
        match error.status() {
            Some(code) => Self::Answered { why, transient: code.severity == Severity::TransientNegativeCompletion },
            // Something that the server does not offer.
            None if error.is_client() => Self::Answered { why, transient: false },
            None => Self::Lost { why },
        }
    }

    fn unexpected(step: &str, response: &Response) -> Self {
        Self::Answered { why: format!("{step}: unexpected answer {}", text(response)), transient: false }
    }
}

impl Email {
    /// The mailbox, if mails may go there.
    fn address(&self, to: &Recipient) -> std::result::Result<Address, String> {
        let text = to.address.as_deref().ok_or("the recipient has no address")?;
        let address: Address = text.parse().map_err(|cause| format!("the recipient's address is none: {cause}"))?;
        if !text.is_ascii() || text.chars().any(char::is_control) {
            return Err("the recipient's address has characters that mail servers do not know".into());
        }
        let domain = address.domain().to_ascii_lowercase();
        match self.config.domains.contains(&domain) {
            true => Ok(address),
            false => Err(format!("mails may not go to `{domain}` (`channels.email.domains`)")),
        }
    }

    /// What is around a mail to somebody.
    fn frame(&self, lang: Lang, to: &Recipient, address: &Address) -> mail::Frame<'_> {
        let name = |text: &str| Some(one_line(text, NAME_LENGTH)).filter(|name| !name.is_empty());
        let sender = self.sender(lang);
        mail::Frame {
            from: Mailbox::new(name(sender), self.from.clone()),
            to: Mailbox::new(name(&to.name), address.clone()),
            sender,
            attachments: &self.config.attachments,
            largest: self.config.largest,
        }
    }

    fn sender(&self, lang: Lang) -> &str {
        lang.pick(&self.names)
    }

    /// The conversation up to the server's word on the mail.
    async fn talk(
        &self,
        to: &Address,
        mail: &[u8],
        progress: &Progress,
    ) -> std::result::Result<(String, AsyncSmtpConnection), Failure> {
        let failed = |step: &'static str| move |error| Failure::of(step, &error);
        let server = (self.config.host.as_str(), self.config.port);
        let at_once = self.tls.clone().filter(|_| self.config.security == Security::Tls);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(self.config.connect), &self.client, at_once, None)
                .await
                .map_err(failed("connection"))?;
        if let (Some(tls), Security::StartTls) = (&self.tls, self.config.security) {
            connection.starttls(tls.clone(), &self.client).await.map_err(failed("STARTTLS"))?;
        }
        if let Some((user, password)) = &self.login {
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            let login = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
            login.map_err(failed("login"))?;
        }
        // Checks what it is made of; the commands take the parts.
        let envelope = Envelope::new(Some(self.from.clone()), vec![to.clone()])
            .map_err(|cause| Failure::Answered { why: cause.to_string(), transient: false })?;
        let commands = async {
            connection.command(Mail::new(envelope.from().cloned(), vec![])).await.map_err(failed("MAIL FROM"))?;
            connection.command(Rcpt::new(to.clone(), vec![])).await.map_err(failed("RCPT TO"))?;
            let ready = connection.command(Data).await.map_err(failed("DATA"))?;
            match ready.has_code(354) {
                true => Ok(()),
                false => Err(Failure::unexpected("DATA", &ready)),
            }
        };
        commands.await?;
        let chunks = mail.chunks(CHUNK).inspect(|chunk| {
            progress.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        });
        // Asked for once everything before is written; what comes next is the end mark.
        let end = std::iter::from_fn(|| {
            progress.is_whole.store(true, Ordering::Relaxed);
            None
        });
        let taken = connection.message_iter(chunks.chain(end)).await.map_err(failed("end of mail"))?;
        match taken.code().severity {
            Severity::PositiveCompletion => Ok((text(&taken), connection)),
            _ => Err(Failure::Lost { why: format!("unexpected answer {}", text(&taken)) }),
        }
    }
}

/// Code and words of a server's answer.
fn text(response: &Response) -> String {
    let words = response.message().collect::<Vec<_>>().join(" ");
    format!("{} {words}", response.code())
}
