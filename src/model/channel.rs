//! The keys of `channels` in `countinghouse.yaml`: ways out for published reports.

use super::shape::{Key, Kind, Shape, may, need};

/// How a connection to a mail server is kept private.
const SECURITY: &[&str] = &["tls", "starttls", "none"];
/// Bodies of webhook messages.
const BODIES: &[&str] = &["json"];

pub(crate) static CHANNELS: Shape = Shape {
    name: "`channels`",
    keys: &[
        may("archive", Kind::Map(&ARCHIVE), "All files of an edition, written once under a prefix of an object store."),
        may("email", Kind::Map(&EMAIL), "Mails through the bank's mail server."),
        may(
            "webhook",
            Kind::Entries(&Kind::Name, &Kind::Map(&TARGET)),
            "Signed messages to programs: name of a target, as `to: [{channel: webhook, name: …}]` of a report says, and how it \
             is reached.",
        ),
    ],
};

static ARCHIVE: Shape = Shape {
    name: "`archive`",
    keys: &[
        need(
            "url",
            Kind::Text,
            "Folder in the state, `file://` URL or `s3://bucket/prefix`; best a bucket whose objects nobody can delete.",
        ),
        may("deadline_seconds", Kind::Integer(1, 3_600), "All files of one edition are written within this.").or("60"),
    ],
};

static EMAIL: Shape = Shape {
    name: "`email`",
    keys: &[
        need("host", Kind::Text, "Name of the mail server."),
        may(
            "port",
            Kind::Integer(1, 65_535),
            "Its port; unless stated 465 for `security: tls`, 587 for `starttls`, 25 for `none`.",
        ),
        may(
            "security",
            Kind::OneOf(SECURITY),
            "`tls` from the first byte, `starttls`, which is then required, or `none`, for a mail server on this host.",
        )
        .or("starttls"),
        may(
            "unencrypted",
            Kind::Boolean,
            "Allows `security: none` to a mail server elsewhere: whoever listens in between reads every mail. Never with a login.",
        )
        .or("false"),
        may("ca", Kind::Text, CA),
        may("user", Kind::Text, "Login at the mail server, with `password_file` or `password_variable`."),
        may("password_file", Kind::Text, "File in the state folder, mode 0600, with the password of `user`."),
        may("password_variable", Kind::Text, "Environment variable with the password of `user`, instead of a file."),
        may(
            "client_name",
            Kind::Text,
            "Name of this host towards the mail server; the domain of `from` unless stated.",
        ),
        need("from", Kind::Text, "Address of the sender, such as `reports@bank.example`."),
        may("from_name", Kind::Label, "Name of the sender; the project's name unless stated."),
        need(
            "domains",
            Kind::List(&Kind::Text),
            "Domains that mails may go to, each as a whole: `bank.example` does not allow `mail.bank.example`.",
        ),
        may(
            "attachments",
            Kind::List(&Kind::Name),
            "Formats that are attached, such as `[pdf, xlsx]`. Unless stated a mail has only the link. Person-level reports are \
             never attached.",
        ),
        may(
            "largest_mib",
            Kind::Integer(1, 50),
            "Attachments together, MiB; a mail with more carries none of them and says so.",
        )
        .or("10"),
        CONNECT,
        may("deadline_seconds", Kind::Integer(1, 600), "One mail is handed over within this.").or("60"),
    ],
};

static TARGET: Shape = Shape {
    name: "a webhook target",
    keys: &[
        need("url", Kind::Text, "`https` URL that messages are posted to. Redirects are not followed."),
        may("body", Kind::OneOf(BODIES), "What is posted.").or("json"),
        may(
            "secret_file",
            Kind::Text,
            "File in the state folder, mode 0600, with the secret that messages are signed with; 16 characters or more.",
        ),
        may("secret_variable", Kind::Text, "Environment variable with that secret, instead of a file."),
        may(
            "allow",
            Kind::List(&Kind::Text),
            "Addresses or networks inside the bank where the target may be, such as `10.20.0.0/16`. Without it a name that leads \
             to a private, loopback or link-local address is refused.",
        ),
        may("unencrypted", Kind::Boolean, "Allows an `http` URL.").or("false"),
        may("ca", Kind::Text, CA),
        CONNECT,
        may("deadline_seconds", Kind::Integer(1, 600), "One message is answered within this.").or("10"),
    ],
};

const CA: &str = "PEM file, from the project's folder: who signs the server's certificate, beside the system's.";

const CONNECT: Key = may("connect_seconds", Kind::Integer(1, 600), "A connection is there within this.").or("10");
