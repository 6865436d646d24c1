//! The one way out: resolves a name, looks at every address, and connects to one that it looked at. There is no second look-up, so
//! a name cannot mean one thing when it is checked and another when it is dialled.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

use super::IsMember;
use super::address::{AllowedTarget, is_public, plain};
use crate::handlers::{ErrorClass, TaskError};

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// For each of them.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// From a name and a port to addresses.
pub(super) type Lookup = fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;

fn system(name: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
    Box::pin(async move { Ok(tokio::net::lookup_host((name.as_str(), port)).await?.take(ADDRESSES_MAX).collect()) })
}

pub(super) struct Dialler {
    allowed: Vec<AllowedTarget>,
    is_member: IsMember,
    pub(super) lookup: Lookup,
    /// Made when first needed: the authorities are many.
    tls: OnceLock<Arc<ClientConfig>>,
    roots: Option<RootCertStore>,
}

/// A connection to a server.
#[derive(Debug)]
pub(super) enum Connection {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Dialler {
    pub(super) fn new(allowed: Vec<AllowedTarget>, is_member: IsMember) -> Self {
        Self { allowed, is_member, lookup: system, tls: OnceLock::new(), roots: None }
    }

    /// Takes these authorities for true, and no others.
    pub(super) fn trust(&mut self, roots: RootCertStore) {
        self.roots = Some(roots);
        self.tls = OnceLock::new();
    }

    /// Connects to the host of a URL.
    pub(super) async fn dial(&self, url: &Url) -> Result<Connection, TaskError> {
        let port = url.port_or_known_default().unwrap_or(80);
        let host = url.host().ok_or_else(|| TaskError::invalid("`url` names no host"))?;
        let stream = self.connect(&host, port).await?;
        if url.scheme() == "http" {
            return Ok(Connection::Plain(stream));
        }
        let name = match &host {
            Host::Domain(name) => ServerName::try_from((*name).to_owned())
                .map_err(|_| TaskError::invalid(format!("{name} is no name that a certificate could have")))?,
            Host::Ipv4(address) => ServerName::IpAddress(IpAddr::V4(*address).into()),
            Host::Ipv6(address) => ServerName::IpAddress(IpAddr::V6(*address).into()),
        };
        let tls = TlsConnector::from(Arc::clone(self.tls()?)).connect(name, stream).await;
        let failed = |e: io::Error| TaskError::new(ErrorClass::NetworkError, format!("no TLS with {host}: {e}"));
        Ok(Connection::Tls(Box::new(tls.map_err(failed)?)))
    }

    async fn connect(&self, host: &Host<&str>, port: u16) -> Result<TcpStream, TaskError> {
        let network = |text: String| TaskError::new(ErrorClass::NetworkError, text);
        let found: Vec<SocketAddr> = match host {
            Host::Domain(name) => {
                let found = (self.lookup)((*name).to_owned(), port).await;
                found.map_err(|e| network(format!("{name} is not known: {e}")))?
            }
            Host::Ipv4(address) => vec![(*address, port).into()],
            Host::Ipv6(address) => vec![(*address, port).into()],
        };
        let mut refused = None;
        let mut failed = None;
        for address in found {
            if let Err(why) = self.check(address) {
                refused = Some(TaskError::new(ErrorClass::PermissionDenied, format!("{host} is {why}")));
                continue;
            }
            match tokio::time::timeout(CONNECT_TIME_MAX, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return self.not_itself(stream, host),
                Ok(Err(e)) => failed = Some(network(format!("cannot connect to {host}: {e}"))),
                Err(_) => failed = Some(network(format!("{host} does not answer"))),
            }
        }
        Err(failed.or(refused).unwrap_or_else(|| network(format!("{host} has no address"))))
    }

    fn is_allowed(&self, address: SocketAddr) -> bool {
        self.allowed.iter().any(|allowed| allowed.covers(address.ip(), address.port()))
    }

    fn check(&self, address: SocketAddr) -> Result<(), String> {
        let hint = "which this device's owner does not allow (http_allow)";
        if self.is_allowed(address) {
            Ok(())
        } else if !is_public(address.ip()) {
            Err(format!("{}, an address that is not public, {hint}", address.ip()))
        } else if (self.is_member)(plain(address.ip())) {
            Err(format!("{}, a device of this cluster, {hint}", address.ip()))
        } else {
            Ok(())
        }
    }

    /// A device can have public addresses, too: whoever reaches itself has the same one at both ends.
    fn not_itself(&self, stream: TcpStream, host: &Host<&str>) -> Result<TcpStream, TaskError> {
        let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else {
            return Err(TaskError::new(ErrorClass::NetworkError, format!("{host} is gone again")));
        };
        if plain(peer.ip()) == plain(local.ip()) && !self.is_allowed(peer) {
            return Err(TaskError::new(ErrorClass::PermissionDenied, format!("{host} is this device itself")));
        }
        // Without it a request may wait for the answer to an earlier piece of it; it is only slower if it cannot be had.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    fn tls(&self) -> Result<&Arc<ClientConfig>, TaskError> {
        if let Some(config) = self.tls.get() {
            return Ok(config);
        }
        let roots = self.roots.clone().unwrap_or_else(|| {
            let mut roots = RootCertStore::empty();
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            roots
        });
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| TaskError::new(ErrorClass::UnsupportedOperation, format!("no TLS here: {e}")))?;
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(self.tls.get_or_init(|| Arc::new(config)))
    }
}

macro_rules! forward {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Connection::Plain($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
            Connection::Tls($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
        }
    };
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        forward!(self, stream => stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        forward!(self, stream => stream.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, stream => stream.poll_shutdown(cx))
    }
}
