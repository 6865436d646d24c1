//! The TCP port. What is not HTTP at all is told so in words before hyper would just hang up.

use super::connection::{ACCEPT_PAUSE, Connections};
use crate::api::problem::{Code, Problem};
use axum::Router;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Connections at once.
const CONNECTIONS_MAX: usize = 256;
/// Longest time until the first byte of a connection.
const FIRST_BYTE_TIME_MAX: Duration = Duration::from_secs(30);
/// Longest method name that is looked for.
const METHOD_BYTES_MAX: usize = 8;

/// A running server; ends when it is dropped.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl HttpServer {
    /// Where it listens; the port is the real one.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listens on `address`.
///
/// # Errors
/// The address is taken or is not this machine's.
pub async fn serve_http(address: SocketAddr, routes: Router, stopped: watch::Receiver<bool>) -> io::Result<HttpServer> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let connections = Connections::new(routes, stopped, CONNECTIONS_MAX);
    let task = tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let Some(visit) = connections.enter().await else { return };
                    let connections = connections.clone();
                    tokio::spawn(async move {
                        let stream = tokio::select! {
                            stream = sniff(stream) => stream,
                            () = visit.shown_out() => None,
                        };
                        if let Some(stream) = stream {
                            connections.serve(stream, visit).await;
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the HTTP port does not accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    });
    Ok(HttpServer { address, task })
}

/// The stream, if it begins like HTTP; otherwise it is answered and closed.
async fn sniff(mut stream: TcpStream) -> Option<TcpStream> {
    // Small answers should not wait for a full segment; failing to say so only costs time.
    let _ = stream.set_nodelay(true);
    let mut head = [0u8; METHOD_BYTES_MAX];
    let peek = tokio::time::timeout(FIRST_BYTE_TIME_MAX, stream.peek(&mut head));
    let len = peek.await.ok()?.ok()?;
    if len == 0 || begins_like_http(&head[..len]) {
        return Some(stream);
    }
    let problem = Problem::new(Code::InvalidRequest, "this port speaks HTTP/1.1, and that is not it");
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    // Whoever sends garbage may not read the answer; that is its own affair.
    if stream.write_all(answer.as_bytes()).await.is_ok() {
        drain(&mut stream).await;
    }
    None
}

/// Takes in some of what is still coming, so that closing does not reset the connection before the answer is read.
async fn drain(stream: &mut TcpStream) {
    let swallow = async {
        let _ = stream.shutdown().await;
        let mut sink = [0u8; 4_096];
        for _ in 0..256 {
            match tokio::io::AsyncReadExt::read(stream, &mut sink).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), swallow).await;
}

fn begins_like_http(head: &[u8]) -> bool {
    let method = head.split(|byte| *byte == b' ').next().unwrap_or_default();
    !method.is_empty() && method.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::begins_like_http;

    #[test]
    fn tls_ssh_and_noise_are_not_http() {
        for head in [&b"GET / HT"[..], b"OPTIONS ", b"G", b"M-SEARCH"] {
            assert!(begins_like_http(head));
        }
        for head in [&b"\x16\x03\x01\x02"[..], b"SSH-2.0-", b"\r\n\r\n", b" GET", b"get / ", b"{}"] {
            assert!(!begins_like_http(head));
        }
    }
}
