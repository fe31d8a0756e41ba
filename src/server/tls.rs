//! The listener of a face, with TLS or without, and certificates that are renewed while the server runs.
//!
//! Clients shake hands side by side, each with its own time limit, so that none holds up another. A new connection looks from
//! time to time whether the files have changed; what was read last and was good serves until something good replaces it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::config::TlsConfig;
use crate::error::{Error, Result};
use crate::model::{Diagnostic, Located};

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Files are looked at again by the first connection after this time.
const RECHECK: Duration = Duration::from_secs(2);

/// A bound listener. What it gives is ready to be read: behind the handshake, where there is one.
#[derive(Debug)]
pub(super) struct Listener {
    tcp: TcpListener,
    tls: Option<Arc<Tls>>,
    handshakes: JoinSet<io::Result<(Connection, SocketAddr)>>,
}

impl Listener {
    pub(super) fn new(tcp: TcpListener, tls: Option<Tls>) -> Self {
        Self { tcp, tls: tls.map(Arc::new), handshakes: JoinSet::new() }
    }
}

impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            tokio::select! {
                (tcp, peer) = axum::serve::Listener::accept(&mut self.tcp) => {
                    // Both faces write whole messages. Without it they are as right, only later.
                    let _ = tcp.set_nodelay(true);
                    match &self.tls {
                        None => return (Connection(Either::Left(tcp)), peer),
                        Some(tls) => {
                            self.handshakes.spawn(Arc::clone(tls).shake_hands(tcp, peer));
                        }
                    }
                }
                Some(ended) = self.handshakes.join_next() => match ended {
                    Ok(Ok(connection)) => return connection,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(error) => tracing::error!(%error, "a TLS handshake panicked"),
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// A connection, encrypted or not.
#[derive(Debug)]
pub(super) struct Connection(Either<TcpStream, Box<TlsStream<TcpStream>>>);

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        match &self.0 {
            Either::Left(tcp) => tcp.connect_info(),
            Either::Right(tls) => tls.get_ref().0.connect_info(),
        }
    }
}

/// TLS of a face: its files, and what they held last.
#[derive(Debug)]
pub(super) struct Tls {
    files: TlsConfig,
    /// What is spoken inside, as clients ask for it (ALPN).
    protocol: &'static str,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    server: Arc<ServerConfig>,
    stamps: Stamps,
    checked: Instant,
}

/// What tells that a file has changed: when it was written and how long it is; nothing where it cannot be told.
type Stamps = [Option<(SystemTime, u64)>; 3];

impl Tls {
    /// Reads the files.
    ///
    /// Errors: `DEFINITION` at the key of the settings whose file cannot be used.
    pub(super) fn open(files: &TlsConfig, protocol: &'static str) -> Result<Self> {
        // Before the files: one that changes in between is then read again.
        let stamps = stamps(files);
        let server = load(files, protocol).map_err(|fault| Error::definition(vec![fault]))?;
        let current = Mutex::new(Current { server, stamps, checked: Instant::now() });
        Ok(Self { files: files.clone(), protocol, current })
    }

    async fn shake_hands(self: Arc<Self>, tcp: TcpStream, peer: SocketAddr) -> io::Result<(Connection, SocketAddr)> {
        let tls = tokio::time::timeout(HANDSHAKE, TlsAcceptor::from(self.current()).accept(tcp)).await??;
        Ok((Connection(Either::Right(Box::new(tls))), peer))
    }

    /// What new connections get.
    fn current(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.checked.elapsed() >= RECHECK {
            current.checked = Instant::now();
            let stamps = stamps(&self.files);
            if current.stamps != stamps {
                // Noted even when they cannot be used, so that they are complained of once.
                current.stamps = stamps;
                match load(&self.files, self.protocol) {
                    Ok(server) => {
                        current.server = server;
                        tracing::info!(certificate = %self.files.certificate.display(), "renewed");
                    }
                    Err(fault) => {
                        tracing::warn!(%fault, "the changed file is not used; the certificate before serves on")
                    }
                }
            }
        }
        Arc::clone(&current.server)
    }
}

fn stamps(files: &TlsConfig) -> Stamps {
    let stamp = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    let client_ca = files.client_ca.as_ref().and_then(|file| stamp(file));
    [stamp(&files.certificate), stamp(&files.key), client_ca]
}

/// TLS 1.2 and 1.3 with what the files hold. The provider is named, because the dependencies bring two.
fn load(files: &TlsConfig, protocol: &str) -> Result<Arc<ServerConfig>, Diagnostic> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("ring has suites for both versions");
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|error| fault(file, "holds no authority that can be used", error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier =
                verifier.build().map_err(|error| fault(file, "holds no authority that can be used", error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&*files.key)
        .map_err(|error| fault(&files.key, "gives no private key in PEM form", error))?;
    let mut server = builder
        .with_single_cert(chain, key)
        .map_err(|error| fault(&files.key, "holds no key of the certificate", error))?;
    server.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    Ok(Arc::new(server))
}

/// The certificates of a file, of which there is at least one.
fn certificates(file: &Located<PathBuf>) -> Result<Vec<CertificateDer<'static>>, Diagnostic> {
    let read = CertificateDer::pem_file_iter(&**file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(pem::Error::NoItemsFound),
        read => read,
    }
    .map_err(|error| fault(file, "gives no certificate in PEM form", error))
}

fn fault(file: &Located<PathBuf>, what: &str, why: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::new(&file.place, format!("`{}` {what}: {why}", file.display()))
}
