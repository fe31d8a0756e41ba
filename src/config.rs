//! Settings and definition files of a project: one struct per area, unknown keys refused.
//!
//! What the files may say stands in `model`; here they are found and read, and the settings become structs. Everything
//! that can be wrong with them is reported at once, each fault with its place.

mod channel;
mod definitions;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use url::Url;

use crate::error::{Code, Error, Result};
use crate::model::cube::{self, Model};
use crate::model::role::{self, Role};
use crate::model::settings::SETTINGS;
use crate::model::shape::{self, Fields, Kind};
use crate::model::table::{self, Table};
use crate::model::{Diagnostic, Label, Located, schema, yaml};

pub use channel::{
    ArchiveConfig, BodyKind, ChannelsConfig, EmailConfig, LoginConfig, Secret, SecretSource, Security, TargetConfig,
    read_ca,
};
pub use definitions::{check, load_calendars, load_evaluation, load_model, load_reports};

/// The settings file of a project.
pub const FILE: &str = "countinghouse.yaml";

/// The settings of a project.
#[derive(Debug, Clone)]
pub struct Config {
    /// Folder of the definition files.
    pub project: PathBuf,
    /// Folder that the server writes.
    pub state: PathBuf,
    /// Name shown to people, per language.
    pub name: Label,
    /// Tables, and where their files lie.
    pub warehouse: WarehouseConfig,
    /// Limits of statements.
    pub query: QueryConfig,
    /// Report portal and JSON interface.
    pub http: FaceConfig,
    /// Arrow Flight SQL.
    pub flight: FaceConfig,
    /// Logins.
    pub auth: AuthConfig,
    /// Roles beside the built-in ones.
    pub roles: Vec<Role>,
    /// The audit log.
    pub audit: AuditConfig,
    /// Editions of reports.
    pub publish: PublishConfig,
    /// Ways out for published reports.
    pub channels: ChannelsConfig,
    /// Languages offered; the first is the default.
    pub languages: Vec<String>,
    /// Folder with the Noto Sans CJK fonts.
    pub fonts: Option<String>,
}

impl Config {
    /// Where what outgrows its memory goes.
    pub fn spill_folder(&self) -> PathBuf {
        self.query.spill_dir.as_ref().map_or_else(|| self.state.clone(), PathBuf::from)
    }
}

/// Tables, and where their files lie.
#[derive(Debug, Clone)]
pub struct WarehouseConfig {
    /// Folder relative to the state, `file://` URL or `s3://bucket/prefix`.
    pub url: String,
    /// The tables.
    pub tables: Vec<Table>,
}

/// Limits of statements.
#[derive(Debug, Clone)]
pub struct QueryConfig {
    /// A statement that takes longer is stopped.
    pub deadline_seconds: u64,
    /// The same for statements of programs, which say so.
    pub batch_deadline_seconds: u64,
    /// Memory of one statement, MiB.
    pub memory_mib: u64,
    /// Memory of all statements together, MiB.
    pub total_memory_mib: u64,
    /// Statements that run at once.
    pub concurrent: usize,
    /// Most rows of a cube that a statement without an aggregate gets.
    pub detail_rows: u64,
    /// Room for results that are kept between statements, MiB; 0 keeps none.
    pub result_cache_mib: u64,
    /// Largest result that is kept, MiB.
    pub cached_result_mib: u64,
    /// Room for decoded rows of small files, such as rollups and dimensions, that stay in memory, MiB; 0 keeps none.
    pub hot_mib: u64,
    /// Room for decoded columns of large files, such as facts, that stay in memory, MiB; 0 keeps none.
    pub columns_mib: u64,
    /// Room for the results that one login keeps to poll for them or to read them through several endpoints, MiB.
    pub retained_mib: u64,
    /// Threads of one statement; 0 means one per core.
    pub target_partitions: usize,
    /// Folder for sorts and joins that outgrow their memory.
    pub spill_dir: Option<String>,
}

/// Where a face listens, and what keeps its connections private.
#[derive(Debug, Clone)]
pub struct FaceConfig {
    /// `host:port`; port 0 takes a free one.
    pub listen: String,
    /// TLS that ends here.
    pub tls: Option<TlsConfig>,
    /// TLS ends at a proxy in front.
    pub behind_proxy: bool,
}

impl FaceConfig {
    /// Whether its clients speak TLS, be it with this server or with a proxy in front.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some() || self.behind_proxy
    }

    /// The scheme of its URLs.
    pub fn scheme(&self, plain: &'static str, encrypted: &'static str) -> &'static str {
        if self.is_encrypted() { encrypted } else { plain }
    }
}

/// Files of a face's TLS, and where the settings name them. They are read when the face is bound, because other commands
/// need not be able to read a key.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// The certificate, then its intermediates.
    pub certificate: Located<PathBuf>,
    /// The certificate's private key.
    pub key: Located<PathBuf>,
    /// Who signs the certificates of clients; none asks for no such certificate.
    pub client_ca: Option<Located<PathBuf>>,
}

/// Logins.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// Life of a login, hours.
    pub session_hours: u64,
    /// Failed logins of one address in a minute that are heard.
    pub failures_per_minute: u32,
    /// The bank's OpenID provider.
    pub oidc: Option<OidcConfig>,
}

/// Login through an OpenID provider.
#[derive(Debug, Clone)]
pub struct OidcConfig {
    /// URL of the provider, as it names itself.
    pub issuer: Located<String>,
    /// This server's name there.
    pub client_id: String,
    /// File with this server's secret, from the state folder.
    pub client_secret_file: Option<PathBuf>,
    /// Further authorities of certificates.
    pub ca: Option<PathBuf>,
    /// Where browsers come back to.
    pub redirect: Option<String>,
    /// What the button says.
    pub label: Label,
    /// Scopes that are asked for.
    pub scopes: Vec<String>,
    /// Claim with the name.
    pub name_claim: String,
    /// Claim with the groups.
    pub groups_claim: String,
    /// What groups give, the first counts.
    pub groups: Vec<GroupConfig>,
}

/// What the members of a group at the provider get.
#[derive(Debug, Clone)]
pub struct GroupConfig {
    /// Its name there.
    pub group: String,
    /// Roles.
    pub roles: BTreeSet<String>,
    /// Part of the organisation, as text; what it says is looked at where logins are.
    pub scope: Located<String>,
}

/// Editions of reports.
#[derive(Debug, Clone)]
pub struct PublishConfig {
    /// Folder relative to the state, `file://` URL or `s3://bucket/prefix`.
    pub editions: String,
    /// The beginning of every link that is sent.
    pub base_url: String,
}

/// The audit log.
#[derive(Debug, Clone)]
pub struct AuditConfig {
    /// How long a record is kept, days; 0 for ever.
    pub keep_days: u32,
}

/// The settings of the project in `project`, for a server that writes `state`.
///
/// # Errors
/// `Code::Definition` with every fault of the file, or when there is none.
pub fn load(project: &Path, state: &Path) -> Result<Config> {
    let (config, faults) = read(project, state)?;
    if faults.is_empty() { Ok(config) } else { Err(Error::definition(faults)) }
}

/// Every key of the settings file with its type, default and meaning: `describe config`.
pub fn describe() -> String {
    schema::text("config").expect("`config` is a kind of file")
}

/// Every cube with its time, dimensions and measures: `describe cubes`.
pub fn describe_model(model: &Model) -> String {
    let cubes = model.cubes.iter().map(|cube| cube::describe_cube(model, cube));
    cubes.collect::<Vec<_>>().join("\n")
}

/// The settings as far as they can be read, and every fault.
fn read(project: &Path, state: &Path) -> Result<(Config, Vec<Diagnostic>)> {
    let path = project.join(FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let what = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file; is this the folder of a project?".to_owned(),
            std::io::ErrorKind::InvalidData => "the file is not UTF-8 text".to_owned(),
            _ => format!("the file cannot be read: {error}"),
        };
        Error::new(Code::Definition, format!("{}: {what}", path.display())).caused_by(error)
    })?;
    Ok(decode(project, state, &text))
}

/// The tables of a settings file that may be anything; see `fuzzing`.
#[cfg(feature = "failpoints")]
pub(crate) fn fuzz_settings(text: &str) -> Vec<Table> {
    decode(Path::new("."), Path::new("state"), text).0.warehouse.tables
}

fn decode(project: &Path, state: &Path, text: &str) -> (Config, Vec<Diagnostic>) {
    let mut faults = Vec::new();
    let node = yaml::parse(FILE, text, &mut faults);
    let empty = yaml::Node { place: node.place.clone(), value: yaml::Value::Map(Vec::new()) };
    // Every key has a default, so an empty file is a project without tables.
    let node = if matches!(node.value, yaml::Value::Null) { empty.clone() } else { node };
    shape::check(&node, Kind::Map(&SETTINGS), "the file", &mut faults);
    let fields = Fields::new(&node, &SETTINGS);
    let area = |name: &str| fields.area(name, &empty);
    let (warehouse, query) = (area("warehouse"), area("query"));
    let roles: Vec<Role> = fields.maps("roles").iter().map(role::decode).collect();
    let config = Config {
        project: project.to_owned(),
        state: state.to_owned(),
        name: Label::new(),
        warehouse: WarehouseConfig {
            url: warehouse.needed("url").value,
            tables: warehouse.maps("tables").iter().map(table::decode).collect(),
        },
        query: QueryConfig {
            deadline_seconds: query.number_or("deadline_seconds", 1),
            batch_deadline_seconds: query.number_or("batch_deadline_seconds", 1),
            memory_mib: query.number_or("memory_mib", 16),
            total_memory_mib: query.number_or("total_memory_mib", u64::MAX),
            concurrent: query.number_or("concurrent", 1),
            detail_rows: query.number_or("detail_rows", 1),
            result_cache_mib: query.number_or("result_cache_mib", 0),
            cached_result_mib: query.number_or("cached_result_mib", 1),
            hot_mib: query.number_or("hot_mib", 0),
            columns_mib: query.number_or("columns_mib", 0),
            retained_mib: query.number_or("retained_mib", 1),
            target_partitions: query.number_or("target_partitions", 0),
            spill_dir: query.text("spill_dir").map(|text| text.value),
        },
        http: face(area("http"), project),
        flight: face(area("flight"), project),
        auth: AuthConfig {
            session_hours: area("auth").number_or("session_hours", 1),
            failures_per_minute: area("auth").number_or("failures_per_minute", 1),
            oidc: area("auth").map("oidc").map(|fields| oidc(&fields, project, &roles, &mut faults)),
        },
        roles,
        audit: AuditConfig { keep_days: area("audit").number_or("keep_days", 0) },
        publish: PublishConfig {
            editions: area("publish").needed("editions").value,
            base_url: area("publish").needed("base_url").value,
        },
        channels: channel::decode(&area("channels"), project, &mut faults),
        languages: fields.texts("languages").into_iter().map(|text| text.value).collect(),
        fonts: fields.text("fonts").map(|text| text.value),
    };
    let name = match fields.label("name") {
        label if label.is_empty() => {
            let folder = project.file_name().map_or_else(|| "Countinghouse".into(), |name| name.to_string_lossy());
            config.languages.iter().map(|language| (language.clone(), folder.clone().into_owned())).collect()
        }
        label => label,
    };
    table::validate(&config.warehouse.tables, &mut faults);
    role::validate(&config.roles, &mut faults);
    if config.query.total_memory_mib < config.query.memory_mib {
        let place = query.given("memory_mib").or(query.given("total_memory_mib")).unwrap_or(query.place());
        faults.push(Diagnostic::new(place, "`memory_mib` of one statement is more than `total_memory_mib` of all"));
    }
    if let Some(place) = fields.given("languages").filter(|_| config.languages.is_empty() && faults.is_empty()) {
        faults.push(Diagnostic::new(place, "`languages` names no language"));
    }
    (Config { name, ..config }, shape::in_order(faults))
}

fn oidc(fields: &Fields<'_>, project: &Path, own: &[Role], faults: &mut Vec<Diagnostic>) -> OidcConfig {
    let issuer = fields.needed("issuer");
    let fits = |url: Url| is_private(&url) && url.query().is_none() && url.fragment().is_none();
    if !issuer.is_empty() && !Url::parse(&issuer).is_ok_and(fits) {
        let message = format!("issuer `{}` is not a plain `https` URL; `http` is for a provider on this host", *issuer);
        faults.push(Diagnostic::new(&issuer.place, message));
    }
    let mut named: BTreeSet<String> = BTreeSet::new();
    let mut group = |fields: &Fields<'_>| {
        let group = fields.needed("group");
        if !named.insert(group.value.clone()) && !group.is_empty() {
            faults.push(Diagnostic::new(&group.place, format!("group `{}` stands there twice", *group)));
        }
        let roles = fields.texts("roles");
        if roles.is_empty() && !group.is_empty() && fields.given("roles").is_some() {
            faults.push(Diagnostic::new(&group.place, format!("group `{}` gives no role", *group)));
        }
        for role in &roles {
            let known = role::BUILT_IN.iter().any(|(name, _)| *name == role.as_str());
            if role.as_str() == "administrator" {
                let message =
                    "a group does not make administrators: whoever manages the groups would manage every login here";
                faults.push(Diagnostic::new(&role.place, message));
            } else if !known && !own.iter().any(|own| *own.name == role.value) {
                faults.push(Diagnostic::new(&role.place, format!("there is no role `{}`", **role)));
            }
        }
        GroupConfig {
            group: group.value,
            roles: roles.into_iter().map(|role| role.value).collect(),
            scope: fields.needed("scope"),
        }
    };
    OidcConfig {
        groups: fields.maps("groups").iter().map(&mut group).collect(),
        client_id: fields.needed("client_id").value,
        client_secret_file: fields.text("client_secret_file").map(|file| file.value.into()),
        ca: fields.text("ca").map(|file| project.join(file.value)),
        redirect: fields.text("redirect").map(|url| url.value),
        label: fields.label("label"),
        scopes: fields.texts("scopes").into_iter().map(|scope| scope.value).collect(),
        name_claim: fields.needed("name_claim").value,
        groups_claim: fields.needed("groups_claim").value,
        issuer,
    }
}

/// Whether what goes there is encrypted, or does not leave this host.
pub(crate) fn is_private(url: &Url) -> bool {
    let is_local = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || url.scheme() == "http" && is_local
}

fn face(fields: Fields<'_>, project: &Path) -> FaceConfig {
    let path = |text: Located<String>| text.map(|text| project.join(text));
    FaceConfig {
        listen: fields.needed("listen").value,
        tls: fields.map("tls").map(|tls| TlsConfig {
            certificate: path(tls.needed("certificate")),
            key: path(tls.needed("key")),
            client_ca: tls.text("client_ca").map(path),
        }),
        behind_proxy: fields.boolean("behind_proxy"),
    }
}
