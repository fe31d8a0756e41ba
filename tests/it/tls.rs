//! TLS of both faces, in process: certificates are made on the spot, and clients trust nothing but their authority.

use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow_flight::sql::client::FlightSqlServiceClient;
use countinghouse::app::App;
use countinghouse::auth::Scope;
use countinghouse::error::{Code, Error};
use countinghouse::server;
use futures::TryStreamExt;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use super::bank::{copy, copy_of_state, project};

const PASSWORD: &str = "long-password-of-ann";

const TLS: &str = "{certificate: tls/server.pem, key: tls/server.key}";
const MUTUAL_TLS: &str = "{certificate: tls/server.pem, key: tls/server.key, client_ca: tls/ca.pem}";

/// Whoever signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, PEM.
struct Issued {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self) -> Issued {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        Issued { certificate, key: key.serialize_pem() }
    }
}

impl Issued {
    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }
}

/// A project of its own with an authority, a certificate of the server and the given settings.
struct Project {
    folder: tempfile::TempDir,
    authority: Authority,
    issued: Issued,
}

impl Project {
    fn new(settings: &str) -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let issued = authority.issue();
        let this = Self { folder, authority, issued };
        std::fs::create_dir(this.path().join("tls")).unwrap();
        std::fs::write(this.path().join("countinghouse.yaml"), settings).unwrap();
        this.write("ca.pem", &this.authority.0.pem());
        this.write("server.pem", &this.issued.certificate);
        this.write("server.key", &this.issued.key);
        this
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join("tls").join(name), text).unwrap();
    }

    /// Opened over a state without data, with the login `ann`.
    async fn app(&self) -> App {
        open(self.path(), &self.path().join("state")).await
    }

    /// What a client of `http/1.1` is answered, and the certificate that it was shown.
    async fn ask(
        &self,
        address: SocketAddr,
        identity: Option<&Issued>,
        request: &str,
    ) -> io::Result<(String, CertificateDer<'static>)> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.0.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let mut config = match identity {
            None => config.with_no_client_auth(),
            Some(issued) => {
                let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
                config.with_client_auth_cert(vec![issued.der()], key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let tcp = TcpStream::connect(address).await?;
        let mut tls = TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), tcp).await?;
        tls.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        tls.read_to_string(&mut answer).await?;
        let shown = tls.get_ref().1.peer_certificates().unwrap()[0].clone();
        Ok((answer, shown.into_owned()))
    }

    /// The answer to `GET` with these header lines.
    async fn get(&self, address: SocketAddr, path: &str, headers: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
        self.ask(address, None, &request).await.unwrap().0
    }

    /// Logs in over Flight and asks for `SELECT 1`.
    async fn select_one(&self, address: SocketAddr, identity: Option<&Issued>) -> Result<i64, Box<dyn StdError>> {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(self.authority.0.pem()));
        let tls = match identity {
            None => tls,
            Some(issued) => tls.identity(Identity::from_pem(&issued.certificate, &issued.key)),
        };
        let endpoint = Endpoint::from_shared(format!("https://{address}"))?.tls_config(tls.domain_name("localhost"))?;
        let mut client = FlightSqlServiceClient::new(endpoint.connect().await?);
        client.handshake("ann", PASSWORD).await?;
        let info = client.execute("SELECT 1 AS one".to_owned(), None).await?;
        let rows = client.do_get(info.endpoint[0].ticket.clone().unwrap()).await?;
        let batches: Vec<_> = rows.try_collect().await?;
        Ok(batches[0].column(0).as_primitive::<Int64Type>().value(0))
    }
}

async fn open(project: &Path, state: &Path) -> App {
    let app = App::open(project, state).await.unwrap();
    let roles = ["analyst".to_owned()].into();
    app.services.auth.create_user("ann", Some(PASSWORD.to_owned()), roles, Scope::HeadOffice).await.unwrap();
    app
}

/// Both faces on free ports until this is dropped.
struct Served {
    http: SocketAddr,
    flight: SocketAddr,
    _serving: JoinSet<()>,
}

impl Served {
    async fn start(app: &App) -> Self {
        let bound = server::bind(app.services.clone(), "127.0.0.1:0", "127.0.0.1:0").await.unwrap();
        let (http, flight) = (bound.http_address, bound.flight_address);
        let mut serving = JoinSet::new();
        serving.spawn(async move { bound.serve(std::future::pending()).await.unwrap() });
        Self { http, flight, _serving: serving }
    }
}

/// The cookies of an answer, as they are set.
fn set_cookies(answer: &str) -> Vec<&str> {
    answer.lines().filter_map(|line| line.strip_prefix("set-cookie: ")).collect()
}

#[tokio::test]
async fn https_answers_and_its_cookies_stay_there() {
    let project = Project::new(&format!("http: {{tls: {TLS}}}\n"));
    let app = project.app().await;
    let served = Served::start(&app).await;
    let page = project.get(served.http, "/login?lang=en", "").await;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("strict-transport-security: max-age=31536000\r\n"), "{page}");
    let cookies = set_cookies(&page);
    let form = cookies.iter().find(|cookie| cookie.starts_with("countinghouse_form=")).unwrap();
    assert!(form.ends_with("; Path=/login; HttpOnly; SameSite=Lax; Secure"), "{form}");
    let lang = cookies.iter().find(|cookie| cookie.starts_with("countinghouse_lang=en;")).unwrap();
    assert!(lang.ends_with("; SameSite=Lax; Secure"), "{lang}");

    let token = page.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let body = format!("name=ann&password={PASSWORD}&token={token}&next=/");
    let login = format!(
        "POST /login HTTP/1.1\r\nhost: localhost\r\norigin: https://localhost\r\nconnection: close\r\ncookie: {}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        form.split(';').next().unwrap(),
        body.len()
    );
    let (answer, _) = project.ask(served.http, None, &login).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let cookies = set_cookies(&answer);
    let (session, attributes) = cookies[0].split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax; Secure");
    let session = session.strip_prefix("__Host-countinghouse=").unwrap();
    assert_eq!(cookies[1], "countinghouse_form=; Path=/login; Max-Age=0; HttpOnly; SameSite=Lax; Secure");

    let home = async |cookie: &str| project.get(served.http, "/", &format!("cookie: {cookie}\r\n")).await;
    assert!(home(&format!("a=b; __Host-countinghouse={session}")).await.starts_with("HTTP/1.1 200"));
    // The plain name is one that anybody on the way could have planted.
    assert!(home(&format!("countinghouse_session={session}")).await.starts_with("HTTP/1.1 303"));
    let ended = home("__Host-countinghouse=wrong").await;
    assert_eq!(set_cookies(&ended), ["__Host-countinghouse=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"]);

    assert!(reqwest::get(format!("http://{}/login", served.http)).await.is_err(), "plain HTTP was answered");
    let padded = async |length: usize| {
        let padding = "x".repeat(length);
        let request = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx: {padding}\r\n\r\n");
        project.ask(served.http, None, &request).await
    };
    assert!(padded(15 << 10).await.unwrap().0.starts_with("HTTP/1.1 200"));
    // The refusal is lost where the connection is cut before the rest of the request was read.
    assert!(padded(16 << 10).await.map_or(true, |(answer, _)| answer.starts_with("HTTP/1.1 431")));
}

#[tokio::test]
async fn flight_sql_takes_passwords_and_client_certificates_over_tls() {
    let own = Project::new("");
    for folder in ["cubes", "reports"] {
        copy(&project().join(folder), &own.path().join(folder));
    }
    let settings = std::fs::read_to_string(project().join("countinghouse.yaml")).unwrap();
    let settings = format!("{settings}\nflight: {{tls: {MUTUAL_TLS}}}\nhttp: {{tls: {MUTUAL_TLS}}}\n");
    std::fs::write(own.path().join("countinghouse.yaml"), settings).unwrap();
    let state = copy_of_state();
    let app = open(own.path(), state.path()).await;
    let served = Served::start(&app).await;

    let (known, stranger) = (own.authority.issue(), Authority::new().issue());
    assert_eq!(own.select_one(served.flight, Some(&known)).await.unwrap(), 1);
    assert!(own.select_one(served.flight, None).await.is_err());
    assert!(own.select_one(served.flight, Some(&stranger)).await.is_err());
    let plain = Endpoint::from_shared(format!("http://{}", served.flight)).unwrap().connect().await;
    if let Ok(channel) = plain {
        assert!(FlightSqlServiceClient::new(channel).handshake("ann", PASSWORD).await.is_err());
    }

    let request = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let (answer, _) = own.ask(served.http, Some(&known), request).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(own.ask(served.http, None, request).await.is_err());
    assert!(own.ask(served.http, Some(&stranger), request).await.is_err());
}

#[tokio::test]
async fn a_replaced_certificate_is_shown_to_the_next_client() {
    let project = Project::new(&format!("http: {{tls: {TLS}}}\n"));
    let app = project.app().await;
    let served = Served::start(&app).await;
    let shown = async || {
        let request = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        project.ask(served.http, None, request).await.unwrap().1
    };
    assert_eq!(shown().await, project.issued.der());

    // Half of a renewal: nothing to be seen of it, for longer than the files are left alone.
    let renewed = project.authority.issue();
    project.write("server.key", &renewed.key);
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        assert_eq!(shown().await, project.issued.der());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    project.write("server.pem", &renewed.certificate);
    let seen = tokio::time::timeout(Duration::from_secs(30), async {
        while shown().await != renewed.der() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    seen.await.expect("the new certificate was never shown");
}

async fn refusal(app: &App, http: &str, flight: &str) -> Error {
    server::bind(app.services.clone(), http, flight).await.unwrap_err()
}

#[tokio::test]
async fn beyond_this_host_a_face_needs_tls_or_a_proxy() {
    const ANYWHERE: &str = "0.0.0.0:0";
    const HERE: &str = "127.0.0.1:0";
    let plain = Project::new("");
    let app = plain.app().await;
    for (http, flight, face) in [(ANYWHERE, HERE, "http"), (HERE, ANYWHERE, "flight"), ("[::]:0", HERE, "http")] {
        let refused = refusal(&app, http, flight).await;
        assert_eq!(refused.code(), Code::Definition);
        for word in [format!("`{face}.tls`"), format!("`{face}.behind_proxy: true`")] {
            assert!(refused.message().contains(&word), "{refused}");
        }
    }
    let served = Served::start(&app).await;
    let answer = reqwest::get(format!("http://{}/login?lang=en", served.http)).await.unwrap();
    assert!(!answer.headers().contains_key("strict-transport-security"));
    assert!(answer.headers().get_all("set-cookie").iter().all(|cookie| !cookie.to_str().unwrap().contains("Secure")));

    let proxied = Project::new("http: {behind_proxy: true}\nflight: {behind_proxy: true}\n");
    let app = proxied.app().await;
    server::bind(app.services.clone(), ANYWHERE, ANYWHERE).await.unwrap();
    let served = Served::start(&app).await;
    let answer = reqwest::get(format!("http://{}/login?lang=en", served.http)).await.unwrap();
    assert!(answer.headers().contains_key("strict-transport-security"));
    assert!(answer.headers().get_all("set-cookie").iter().all(|cookie| cookie.to_str().unwrap().ends_with("; Secure")));
}

#[tokio::test]
async fn files_that_cannot_be_used_are_told_with_their_places() {
    for (key, what) in [
        ("none.key", "gives no private key in PEM form: I/O error: No such file"),
        ("server.pem", "gives no private key in PEM form"),
        ("other.key", "holds no key of the certificate"),
    ] {
        let project = Project::new(&format!("flight: {{tls: {{certificate: tls/server.pem, key: tls/{key}}}}}\n"));
        project.write("other.key", &project.authority.issue().key);
        let fault = refusal(&project.app().await, "127.0.0.1:0", "127.0.0.1:0").await;
        assert_eq!(fault.code(), Code::Definition);
        let [diagnostic] = fault.diagnostics() else { panic!("{fault}") };
        assert_eq!(diagnostic.place.to_string(), "countinghouse.yaml:1:50");
        assert!(diagnostic.message.contains(&format!("tls/{key}` {what}")), "{fault}");
    }
    let project = Project::new("http: {tls: {certificate: tls/none.pem, key: tls/server.key}}\n");
    let fault = refusal(&project.app().await, "127.0.0.1:0", "127.0.0.1:0").await;
    assert!(fault.message().starts_with("countinghouse.yaml:1:27: "), "{fault}");
    assert!(fault.message().contains("tls/none.pem` gives no certificate in PEM form: I/O error"), "{fault}");
}
