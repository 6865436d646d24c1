//! Sends spans in batches, one after the other, from a bounded queue.

use super::spans::Span;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use rc_scheduler::DeviceId;
use serde_json::json;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// Tasks whose spans wait; of more, the spans are dropped.
const QUEUE_MAX: usize = 1_024;
/// Spans sent at once, and how long they are gathered.
const BATCH_MAX: usize = 512;
const GATHER: Duration = Duration::from_secs(1);
/// For one request.
const TIME_MAX: Duration = Duration::from_secs(10);
/// A batch is tried so often, with these pauses between.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::ZERO];
/// Of an answer; nobody reads it.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const PORT_DEFAULT: u16 = 4318;
const PATH_DEFAULT: &str = "/v1/traces";

/// Where spans are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    /// By TLS.
    secure: bool,
    host: String,
    port: u16,
    path: String,
}

/// The text names no collector that this program can speak to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCollector {
    /// It is something else, or names somebody.
    #[error(
        "write http://HOST[:PORT][/PATH], or https://; for anything else put a collector on this device or network in between"
    )]
    Text,
    /// It takes TLS, which this program was built without.
    #[error(
        "this program was built without TLS; write http://HOST[:PORT][/PATH], of a collector on this device or network"
    )]
    Tls,
}

impl FromStr for Collector {
    type Err = BadCollector;

    fn from_str(text: &str) -> Result<Self, BadCollector> {
        let uri: Uri = text.parse().map_err(|_| BadCollector::Text)?;
        let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(BadCollector::Text)?;
        let secure = uri.scheme_str() == Some("https");
        if !(secure || uri.scheme_str() == Some("http")) || !plain {
            return Err(BadCollector::Text);
        }
        if secure && !cfg!(feature = "http") {
            return Err(BadCollector::Tls);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path == "/" { PATH_DEFAULT } else { path }.to_owned();
        Ok(Self { secure, host: host.to_owned(), port: uri.port_u16().unwrap_or(PORT_DEFAULT), path })
    }
}

/// Takes spans; a cheap clone.
#[derive(Debug, Clone)]
pub struct Exporter {
    queue: mpsc::Sender<Vec<Span>>,
    dropped: Arc<AtomicU64>,
}

impl Exporter {
    /// Sends to `collector` until nobody has an exporter any more. Within a tokio runtime.
    #[must_use]
    pub fn start(collector: Collector, device: DeviceId, name: String) -> Self {
        let (queue, queued) = mpsc::channel(QUEUE_MAX);
        let dropped = Arc::<AtomicU64>::default();
        let way = Way::to(&collector);
        tokio::spawn(send(way, collector, device, name, queued, Arc::clone(&dropped)));
        Self { queue, dropped }
    }

    /// Never waits.
    pub(crate) fn take(&self, spans: Vec<Span>) {
        let count = spans.len() as u64;
        if count > 0 && self.queue.try_send(spans).is_err() {
            self.dropped.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Spans that the collector did not get.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// How a collector is reached.
enum Way {
    Plain,
    #[cfg(feature = "http")]
    Tls(Box<crate::handlers::http::Poster>),
}

impl Way {
    #[cfg(feature = "http")]
    fn to(collector: &Collector) -> Self {
        let Collector { secure, host, port, path } = collector;
        // One that is read as a URL here was one when it was given.
        let poster = secure.then(|| crate::handlers::http::Poster::new(&format!("https://{host}:{port}{path}")).ok());
        poster.flatten().map_or(Self::Plain, |poster| Self::Tls(Box::new(poster)))
    }

    #[cfg(not(feature = "http"))]
    const fn to(_: &Collector) -> Self {
        Self::Plain
    }

    async fn post(&self, to: &Collector, body: Bytes) -> io::Result<()> {
        match self {
            Self::Plain => post(to, body).await,
            #[cfg(feature = "http")]
            Self::Tls(poster) => match crate::alerts::Post::post(&**poster, body.to_vec()).await {
                Ok(200..=299) => Ok(()),
                Ok(status) => Err(io::Error::other(format!("it says {status}"))),
                Err(why) => Err(io::Error::other(why)),
            },
        }
    }
}

async fn send(
    way: Way,
    to: Collector,
    device: DeviceId,
    name: String,
    mut queued: mpsc::Receiver<Vec<Span>>,
    dropped: Arc<AtomicU64>,
) {
    let mut silent = false;
    while let Some(mut spans) = queued.recv().await {
        let until = Instant::now() + GATHER;
        while spans.len() < BATCH_MAX
            && let Ok(Some(more)) = timeout_at(until, queued.recv()).await
        {
            spans.extend(more);
        }
        let body = Bytes::from(body(&spans, device, &name));
        let mut why = None;
        for pause in PAUSES {
            match timeout(TIME_MAX, way.post(&to, body.clone())).await.unwrap_or_else(|late| Err(late.into())) {
                Ok(()) => {
                    why = None;
                    break;
                }
                Err(error) => why = Some(error),
            }
            sleep(pause).await;
        }
        match why {
            None if std::mem::take(&mut silent) => {
                let dropped = dropped.load(Ordering::Relaxed);
                tracing::info!(dropped, "the collector takes spans again");
            }
            None => {}
            Some(error) => {
                dropped.fetch_add(spans.len() as u64, Ordering::Relaxed);
                if !std::mem::replace(&mut silent, true) {
                    tracing::warn!(%error, host = to.host, port = to.port, "the collector takes no spans; they are dropped");
                }
            }
        }
    }
}

fn body(spans: &[Span], device: DeviceId, name: &str) -> Vec<u8> {
    let attribute = |key: &str, value: String| json!({"key": key, "value": {"stringValue": value}});
    let resource = [
        attribute("service.name", "rc-node".to_owned()),
        attribute("service.instance.id", device.to_string()),
        attribute("host.name", name.to_owned()),
    ];
    let spans: Vec<_> = spans.iter().map(Span::json).collect();
    let scope = json!({"name": "rc-node", "version": env!("CARGO_PKG_VERSION")});
    let all = json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": scope, "spans": spans}],
    }]});
    all.to_string().into_bytes()
}

async fn post(to: &Collector, body: Bytes) -> io::Result<()> {
    let stream = TcpStream::connect((to.host.trim_matches(['[', ']']), to.port)).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let request = Request::post(&to.path)
        .header(HOST, format!("{}:{}", to.host, to.port))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(body))
        .map_err(io::Error::other)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        let status = response.status();
        Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(io::Error::other)?;
        if status.is_success() { Ok(()) } else { Err(io::Error::other(format!("it says {status}"))) }
    };
    tokio::select! {
        told = exchange => told,
        ended = connection => match ended {
            Ok(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Err(error) => Err(io::Error::other(error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_named_by_a_plain_url() {
        let of = |text: &str| text.parse::<Collector>().map(|to| (to.secure, to.host, to.port, to.path));
        let named = |host: &str, port, path: &str| Ok((false, host.to_owned(), port, path.to_owned()));
        assert_eq!(of("http://collector"), named("collector", 4318, "/v1/traces"));
        assert_eq!(of("http://[::1]:9/"), named("[::1]", 9, "/v1/traces"));
        assert_eq!(of("http://c:80/otlp/v1/traces?k=v"), named("c", 80, "/otlp/v1/traces?k=v"));
        let secure = (true, "collector".to_owned(), 4318, "/v1/traces".to_owned());
        let expected = if cfg!(feature = "http") { Ok(secure) } else { Err(BadCollector::Tls) };
        assert_eq!(of("https://collector"), expected);
        for bad in ["", "collector:4318", "http://", "http://user:secret@collector", "grpc://c"] {
            assert_eq!(of(bad), Err(BadCollector::Text), "{bad}");
        }
    }

    /// A collector that has a certificate, and the first request that it gets.
    #[cfg(feature = "http")]
    #[tokio::test]
    async fn spans_go_by_tls_to_whoever_the_authorities_vouch_for_and_to_nobody_else() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config =
            config.unwrap().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = Vec::new();
                while !String::from_utf8_lossy(&request).contains("spans of a task") {
                    let mut buffer = [0; 1024];
                    let read = stream.read(&mut buffer).await.unwrap();
                    assert!(read > 0, "{}", String::from_utf8_lossy(&request));
                    request.extend_from_slice(&buffer[..read]);
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                stream.flush().await.unwrap();
                return String::from_utf8_lossy(&request).into_owned();
            }
        });
        let to: Collector = format!("https://localhost:{port}").parse().unwrap();
        let body = Bytes::from_static(b"spans of a task");
        let error = Way::to(&to).post(&to, body.clone()).await.unwrap_err();
        assert!(error.to_string().contains("TLS"), "nobody vouches for it: {error}");
        let Way::Tls(mut poster) = Way::to(&to) else { panic!("not by TLS") };
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        poster.trust(roots);
        Way::Tls(poster).post(&to, body).await.unwrap();
        let request = serving.await.unwrap();
        assert!(request.starts_with("POST /v1/traces HTTP/1.1") && request.contains("application/json"), "{request}");
    }
}
