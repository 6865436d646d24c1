//! One connection, opened when it is needed and kept.

use crate::api::Problem;
use crate::trace::Traceparent;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{HeaderMap, Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use tokio::net::UnixStream;

/// Longest answer that is read at once.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Longest line of a stream.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// No answer, or one that says no.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens at the socket.
    #[error("nothing answers at {path}: {source}")]
    NoDaemon {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The conversation broke off; the request may have been carried out.
    #[error("the connection to the node broke: {0}")]
    Broken(String),
    /// The node says no.
    #[error("{}: {}", .0.title, .0.detail)]
    Problem(Box<Problem>),
    /// The answer is not what this version understands.
    #[error("the node's answer makes no sense: {0}")]
    Nonsense(String),
}

/// An answer that was read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// A way to the daemon.
#[derive(Debug)]
pub struct Client {
    socket: PathBuf,
    sender: Option<SendRequest<Full<Bytes>>>,
    trace: Option<Traceparent>,
}

impl Client {
    /// To the daemon that listens at `socket`; connects with the first request.
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned(), sender: None, trace: None }
    }

    /// Says from now on which trace the requests belong to.
    pub fn set_trace(&mut self, trace: Option<Traceparent>) {
        self.trace = trace;
    }

    /// A second way to the same daemon.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::new(&self.socket)
    }

    /// Connects, if there is no connection.
    ///
    /// # Errors
    /// [`ClientError::NoDaemon`], or [`ClientError::Broken`].
    pub async fn connect(&mut self) -> Result<(), ClientError> {
        self.ready().await.map(|_| ())
    }

    async fn ready(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, ClientError> {
        let open = match &mut self.sender {
            Some(sender) => !sender.is_closed() && sender.ready().await.is_ok(),
            None => false,
        };
        if !open {
            let connect = UnixStream::connect(&self.socket).await;
            let stream = connect.map_err(|source| ClientError::NoDaemon { path: self.socket.clone(), source })?;
            let (sender, connection) =
                http1::handshake(TokioIo::new(stream)).await.map_err(|error| ClientError::Broken(error.to_string()))?;
            // Its errors come out of the requests that meet them.
            tokio::spawn(connection);
            self.sender = Some(sender);
        }
        self.sender.as_mut().ok_or_else(|| ClientError::Broken("no connection".to_owned()))
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut request = Request::builder();
        if let Some(trace) = self.trace {
            request = request.header("traceparent", trace.to_string());
        }
        let request = request
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body.unwrap_or_default()))
            .map_err(|error| ClientError::Broken(error.to_string()))?;
        let sent = self.ready().await?.send_request(request).await;
        let response = sent.map_err(|error| ClientError::Broken(error.to_string()))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = read(response.into_body()).await?;
        Err(match serde_json::from_slice(&body) {
            Ok(problem) => ClientError::Problem(Box::new(problem)),
            Err(_) => ClientError::Nonsense(format!("HTTP status {status}")),
        })
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn request(&mut self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Answer, ClientError> {
        let response = self.send(method, path, body).await?;
        let headers = response.headers().clone();
        let body = read(response.into_body()).await?;
        Ok(Answer { headers, body })
    }

    /// A `GET` whose answer is a `T`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, ClientError> {
        self.request(Method::GET, path, None).await?.json()
    }

    /// A `POST` whose answer is JSON lines; `line` gets each, and ends the stream by `false`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn post_lines(
        &mut self,
        path: &str,
        body: Vec<u8>,
        line: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), ClientError> {
        self.lines(Method::POST, path, Some(body), line).await
    }

    /// A `GET` of that kind.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn get_lines(&mut self, path: &str, line: impl FnMut(&[u8]) -> bool) -> Result<(), ClientError> {
        self.lines(Method::GET, path, None, line).await
    }

    async fn lines(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        mut line: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), ClientError> {
        let response = self.send(method, path, body).await?;
        let mut body = response.into_body();
        let mut rest = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| ClientError::Broken(error.to_string()))?;
            let Some(data) = frame.data_ref() else {
                continue;
            };
            rest.extend_from_slice(data);
            let mut start = 0;
            while let Some(len) = rest[start..].iter().position(|byte| *byte == b'\n') {
                if !line(&rest[start..start + len]) {
                    return Ok(());
                }
                start += len + 1;
            }
            rest.drain(..start);
            if rest.len() > LINE_BYTES_MAX {
                return Err(ClientError::Nonsense("a line without end".to_owned()));
            }
        }
        Ok(())
    }
}

/// All of an answer.
pub(super) async fn read(body: Incoming) -> Result<Bytes, ClientError> {
    let whole = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let whole = whole.map_err(|error| ClientError::Broken(error.to_string()))?;
    Ok(whole.to_bytes())
}

impl Answer {
    /// The body as a `T`.
    ///
    /// # Errors
    /// [`ClientError::Nonsense`].
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|error| ClientError::Nonsense(error.to_string()))
    }
}

/// A text as one part of a path.
#[must_use]
pub fn path_part(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => part.push(char::from(byte)),
            _ => part.push_str(&format!("%{byte:02X}")),
        }
    }
    part
}
