//! The keys of `countinghouse.yaml`. `config` turns them into its structs; here they stand because a key table is a
//! definition like the others, from which schema and documentation are made.

use super::channel::CHANNELS;
use super::role::ROLE;
use super::shape::{Key, Kind, Shape, may, need};
use super::table::TABLE;

/// Languages that the product has words for.
const LANGUAGES: &[&str] = &["zh-CN", "en"];

pub(crate) static SETTINGS: Shape = Shape {
    name: "countinghouse.yaml",
    keys: &[
        may("name", Kind::Label, "Name of the project, shown to people. The folder's name unless stated."),
        may("languages", Kind::List(&Kind::OneOf(LANGUAGES)), "Languages offered; the first is the default.")
            .or("[zh-CN, en]"),
        may(
            "fonts",
            Kind::Text,
            "Folder with the Noto Sans CJK fonts, where the system's own folder does not have them.",
        ),
        may("warehouse", Kind::Map(&WAREHOUSE), "Tables, and where their files lie."),
        may("query", Kind::Map(&QUERY), "Limits of statements."),
        may("http", Kind::Map(&HTTP), "Report portal and JSON interface."),
        may("flight", Kind::Map(&FLIGHT), "Arrow Flight SQL."),
        may("auth", Kind::Map(&AUTH), "Logins."),
        may("roles", Kind::List(&Kind::Map(&ROLE)), "Roles beside the built-in ones."),
        may("audit", Kind::Map(&AUDIT), "The audit log."),
        may(
            "channels",
            Kind::Map(&CHANNELS),
            "Ways out for published reports. A channel that is not named is not there.",
        ),
        may("publish", Kind::Map(&PUBLISH), "Editions of reports."),
    ],
};

static WAREHOUSE: Shape = Shape {
    name: "`warehouse`",
    keys: &[
        may("url", Kind::Text, "Folder in the state, `file://` URL or `s3://bucket/prefix`.").or("warehouse"),
        may("tables", Kind::List(&Kind::Map(&TABLE)), "The tables."),
    ],
};

static QUERY: Shape = Shape {
    name: "`query`",
    keys: &[
        may("deadline_seconds", Kind::Integer(1, 86_400), "A statement that takes longer is stopped.").or("60"),
        may(
            "batch_deadline_seconds",
            Kind::Integer(1, 86_400),
            "The same for statements of programs that say so (Flight session option `workload: batch`).",
        )
        .or("600"),
        may("memory_mib", Kind::Integer(16, 1 << 20), "Memory of one statement, MiB; more is spilled or refused.")
            .or("512"),
        may("total_memory_mib", Kind::Integer(16, 1 << 20), "Memory of all statements together, MiB.").or("2048"),
        may("concurrent", Kind::Integer(1, 10_000), "Statements that run at once; more wait in line.").or("16"),
        may(
            "detail_rows",
            Kind::Integer(1, 1_000_000),
            "Most rows of a cube that a statement without an aggregate gets; tools ask for up to 10,000 to show what a table holds.",
        )
        .or("10000"),
        may(
            "result_cache_mib",
            Kind::Integer(0, 1 << 20),
            "Room for results that are kept for equal statements at the same snapshot with the same rights, MiB; 0 keeps none.",
        )
        .or("64"),
        may("cached_result_mib", Kind::Integer(1, 1 << 10), "Largest result that is kept, MiB; at most half the room.")
            .or("10"),
        may(
            "hot_mib",
            Kind::Integer(0, 1 << 20),
            "Room for decoded rows of small files, such as rollups and dimensions, that stay in memory, MiB; 0 keeps none.",
        )
        .or("256"),
        may(
            "columns_mib",
            Kind::Integer(0, 1 << 20),
            "Room for decoded columns of large files, such as facts, that stay in memory, MiB; 0 keeps none. A scan keeps what it reads \
             whole, where all of it finds room.",
        )
        .or("1024"),
        may(
            "retained_mib",
            Kind::Integer(1, 1 << 20),
            "Room for the results that one login keeps to poll for them or to read them through several endpoints, MiB.",
        )
        .or("2048"),
        may("target_partitions", Kind::Integer(0, 1024), "Threads of one statement; 0 means one per core.").or("0"),
        may(
            "spill_dir",
            Kind::Text,
            "Folder for sorts and joins that outgrow their memory; the system's own unless stated.",
        ),
    ],
};

static HTTP: Shape = Shape {
    name: "`http`",
    keys: &[
        may("listen", Kind::Address, "Address; port 0 takes a free one.").or("127.0.0.1:8080"),
        FACE_TLS,
        BEHIND_PROXY,
    ],
};

static FLIGHT: Shape = Shape {
    name: "`flight`",
    keys: &[
        may("listen", Kind::Address, "Address; port 0 takes a free one.").or("127.0.0.1:50051"),
        FACE_TLS,
        BEHIND_PROXY,
    ],
};

const FACE_TLS: Key =
    may("tls", Kind::Map(&TLS), "Certificate of this face. Changed files are taken up while the server runs.");

const BEHIND_PROXY: Key = may(
    "behind_proxy",
    Kind::Boolean,
    "Whether TLS ends at a proxy in front. Without it and without `tls` a face listens on a loopback address only.",
)
.or("false");

static TLS: Shape = Shape {
    name: "`tls`",
    keys: &[
        need(
            "certificate",
            Kind::Text,
            "PEM file, from the project's folder: the certificate, then its intermediates.",
        ),
        need("key", Kind::Text, "PEM file, from the project's folder: the certificate's private key, not encrypted."),
        may(
            "client_ca",
            Kind::Text,
            "PEM file, from the project's folder: who signs the certificates that clients then must have.",
        ),
    ],
};

static AUTH: Shape = Shape {
    name: "`auth`",
    keys: &[
        may("session_hours", Kind::Integer(1, 720), "Life of a login.").or("12"),
        may(
            "failures_per_minute",
            Kind::Integer(1, 100_000),
            "Failed logins of one address in a minute that are heard. Beyond them no password is tried, and no failure recorded.",
        )
        .or("20"),
        may("oidc", Kind::Map(&OIDC), "Login through the bank's OpenID provider, beside passwords."),
    ],
};

static OIDC: Shape = Shape {
    name: "`oidc`",
    keys: &[
        need(
            "issuer",
            Kind::Text,
            "URL of the provider, exactly as it names itself; `https`, on this host also `http`.",
        ),
        need("client_id", Kind::Text, "Name of this server at the provider."),
        may(
            "client_secret_file",
            Kind::Text,
            "File in the state folder, mode 0600, with the secret of this server at the provider; none for a public client.",
        ),
        may(
            "ca",
            Kind::Text,
            "PEM file, from the project's folder: who signs the provider's certificate, beside the system's.",
        ),
        may(
            "redirect",
            Kind::Text,
            "URL that the provider sends browsers back to, ending in `/login/oidc/callback`; from the request's own host unless \
             stated.",
        ),
        may("label", Kind::Label, "What the button says."),
        may("scopes", Kind::List(&Kind::Text), "Scopes that are asked for.").or("[openid, profile]"),
        may("name_claim", Kind::Text, "Claim that becomes the name of a login.").or("preferred_username"),
        may("groups_claim", Kind::Text, "Claim with the groups of a user.").or("groups"),
        need("groups", Kind::List(&Kind::Map(&GROUP)), "What groups give; the first that a user is in counts."),
    ],
};

static GROUP: Shape = Shape {
    name: "a group",
    keys: &[
        need("group", Kind::Text, "Its name at the provider."),
        need("roles", Kind::List(&Kind::Name), "Roles of its members; not `administrator`."),
        need(
            "scope",
            Kind::Text,
            "`head_office`, or branch keys with commas between, or a part of them as `north/sub_branch=East`.",
        ),
    ],
};

static PUBLISH: Shape = Shape {
    name: "`publish`",
    keys: &[
        may("editions", Kind::Text, "Where editions lie: folder in the state, `file://` URL or `s3://bucket/prefix`.")
            .or("editions"),
        may(
            "base_url",
            Kind::Text,
            "How readers reach this server, as `https://reports.bank.example`: the beginning of every link that is sent.",
        )
        .or("http://127.0.0.1:8080"),
    ],
};

static AUDIT: Shape = Shape {
    name: "`audit`",
    keys: &[may(
        "keep_days",
        Kind::Integer(0, 36_500),
        "How long a record of the audit log is kept, days; 0 for ever. Older ones are dropped when a server starts and daily.",
    )
    .or("1100")],
};
