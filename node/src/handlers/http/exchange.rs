//! A request, the redirects that follow, and the last answer. Each hop is dialled anew and looked at as the first one was.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderValue, LOCATION,
    USER_AGENT,
};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinHandle;
use url::{Position, Url};

use super::body;
use super::dial::Dialler;
use super::payload::{HttpPayload, check};
use crate::handlers::{ErrorClass, TaskContext, TaskError};

const REDIRECTS_MAX: u32 = 5;

/// Of an answer: bytes, and how many.
const HEADER_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 200;

/// One request on its way.
struct Hop {
    url: Url,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
}

/// An answer whose body still comes; the connection is driven beside it and ends with it.
struct Answer {
    response: Response<Incoming>,
    driver: JoinHandle<()>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

pub(super) async fn exchange(ctx: &TaskContext, dialler: &Dialler, payload: HttpPayload) -> Result<Value, TaskError> {
    let HttpPayload { url, method, mut headers, body, .. } = payload;
    // Whoever answers can tell what it was for. What the task says itself goes before.
    if let Some(Ok(trace)) = ctx.traceparent().map(HeaderValue::from_str) {
        headers.entry("traceparent").or_insert(trace);
    }
    let mut hop = Hop { url, method, headers, body };
    for _ in 0..=REDIRECTS_MAX {
        let mut answer = hop.send(dialler).await?;
        match hop.redirect(&answer.response)? {
            Some(next) => hop = next,
            None => return finish(ctx, &hop.url, &mut answer).await,
        }
    }
    Err(TaskError::task(format!(
        "more than {REDIRECTS_MAX} redirects, the last one to {}",
        hop.url.host_str().unwrap_or_default()
    )))
}

async fn finish(ctx: &TaskContext, url: &Url, answer: &mut Answer) -> Result<Value, TaskError> {
    let status = answer.response.status();
    let headers = shown(answer.response.headers());
    let content = body::read(ctx, answer.response.body_mut()).await?;
    let mut result = json!({"status_code": status.as_u16(), "headers": headers, "content": null, "url": url.as_str()});
    match content {
        body::Content::Text(text) => result["content"] = text.into(),
        body::Content::Blob(blob) => {
            result["blob"] = blob.hash.to_string().into();
            result["bytes"] = blob.bytes.into();
        }
    }
    Ok(result)
}

/// Headers by name; several of one name are put together as the protocol allows. What is not text is shown with U+FFFD.
fn shown(headers: &HeaderMap) -> Map<String, Value> {
    let value = |name| {
        let values: Vec<_> = headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
        Value::String(values.join(", "))
    };
    headers.keys().map(|name| (name.as_str().to_owned(), value(name))).collect()
}

fn network(error: impl std::fmt::Display) -> TaskError {
    TaskError::new(ErrorClass::NetworkError, error.to_string())
}

impl Hop {
    async fn send(&self, dialler: &Dialler) -> Result<Answer, TaskError> {
        self.send_on(dialler.dial(&self.url).await?).await
    }

    async fn send_on<C>(&self, connection: C) -> Result<Answer, TaskError>
    where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEADER_BYTES_MAX).max_headers(HEADERS_MAX);
        let (mut sender, driver) = builder.handshake(TokioIo::new(connection)).await.map_err(network)?;
        // Its errors come out of the request that meets them.
        let driver = tokio::spawn(async move { drop(driver.await) });
        let request = self.request();
        let sent = match request {
            Ok(request) => sender.send_request(request).await.map_err(|e| self.unanswered(&e)),
            Err(error) => Err(error),
        };
        match sent {
            Ok(response) => Ok(Answer { response, driver }),
            Err(error) => {
                driver.abort();
                Err(error)
            }
        }
    }

    fn unanswered(&self, error: &hyper::Error) -> TaskError {
        if error.is_parse_too_large() {
            return TaskError::task(format!(
                "the answer has more than {HEADER_BYTES_MAX} bytes of headers, or {HEADERS_MAX}"
            ));
        }
        if error.is_parse() {
            return TaskError::task(format!("the answer is no HTTP: {error}"));
        }
        network(format!("{} did not answer: {error}", self.url.host_str().unwrap_or_default()))
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, TaskError> {
        let invalid = |e: &dyn std::fmt::Display| TaskError::invalid(format!("`url` cannot be sent: {e}"));
        let path: Uri = self.url[Position::BeforePath..Position::AfterQuery].parse().map_err(|e| invalid(&e))?;
        let host =
            HeaderValue::from_str(&self.url[Position::BeforeHost..Position::AfterPort]).map_err(|e| invalid(&e))?;
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = path;
        let headers = request.headers_mut();
        headers.extend(self.headers.clone());
        headers.insert(HOST, host);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        let own = HeaderValue::from_static(concat!("rc-node/", env!("CARGO_PKG_VERSION")));
        headers.entry(USER_AGENT).or_insert(own);
        Ok(request)
    }

    /// Where an answer sends the request next.
    fn redirect(&self, answer: &Response<Incoming>) -> Result<Option<Self>, TaskError> {
        let status = answer.status();
        let to_get = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
            _ => return Ok(None),
        };
        let Some(location) = answer.headers().get(LOCATION) else { return Ok(None) };
        let bad = |why: String| TaskError::task(format!("the answer redirects to what cannot be followed: {why}"));
        let location = location.to_str().map_err(|e| bad(e.to_string()))?;
        let url = self.url.join(location).map_err(|e| bad(e.to_string()))?;
        check(&url).map_err(bad)?;
        if self.url.scheme() == "https" && url.scheme() == "http" {
            return Err(bad("from https to http".to_owned()));
        }
        let mut next =
            Self { url, method: self.method.clone(), headers: self.headers.clone(), body: self.body.clone() };
        if to_get {
            next.method = Method::GET;
            next.body = Bytes::new();
            next.headers.remove(CONTENT_TYPE);
            next.headers.remove(CONTENT_LENGTH);
        }
        if next.url.origin() != self.url.origin() {
            // What was meant for one server is no other one's business.
            next.headers.remove(AUTHORIZATION);
            next.headers.remove(COOKIE);
        }
        Ok(Some(next))
    }
}

/// Reads bytes as the answer to a request. Only for those who throw bytes at it.
pub(crate) fn hear(bytes: &[u8]) {
    thread_local!(static RUNTIME: Option<tokio::runtime::Runtime> =
        tokio::runtime::Builder::new_current_thread().enable_time().build().ok());
    let Ok(url) = Url::parse("http://example.org/") else { return };
    let hop = Hop { url, method: Method::GET, headers: HeaderMap::new(), body: Bytes::new() };
    RUNTIME.with(|runtime| {
        runtime.as_ref().map(|runtime| {
            runtime.block_on(async {
                let (ours, mut theirs) = tokio::io::duplex(1 << 20);
                // As much as fits; who reads no further than he wants hangs up.
                let _ = theirs.write_all(&bytes[..bytes.len().min(1 << 20)]).await;
                let _ = theirs.shutdown().await;
                let (_, rest) = tokio::io::split(theirs);
                let Ok(mut answer) = hop.send_on(ours).await else { return };
                drop(hop.redirect(&answer.response));
                drop(finish(&TaskContext::detached("t"), &hop.url, &mut answer).await);
                drop(rest);
            });
        })
    });
}
