//! Large data to and from the daemon, each on a connection of its own.

use super::connection::{ClientError, read};
use crate::api::Problem;
use crate::api::model::BlobView;
use bytes::Bytes;
use futures_util::TryStreamExt;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::path::Path;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio_util::io::ReaderStream;

/// Bytes read from a file at a time.
const READ_BYTES: usize = 256 * 1024;

fn broken(error: impl std::fmt::Display) -> ClientError {
    ClientError::Broken(error.to_string())
}

async fn send<B>(socket: &Path, request: Request<B>) -> Result<Response<Incoming>, ClientError>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let connect = UnixStream::connect(socket).await;
    let stream = connect.map_err(|source| ClientError::NoDaemon { path: socket.to_owned(), source })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Its errors come out of the request that meets them.
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = read(response.into_body()).await?;
    Err(match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => ClientError::Problem(Box::new(problem)),
        Err(_) => ClientError::Nonsense(format!("HTTP status {status}")),
    })
}

/// Stores what a source gives, to its end.
///
/// # Errors
/// See [`ClientError`].
pub async fn put_blob(
    socket: &Path,
    source: impl AsyncRead + Send + Sync + 'static,
    bytes: Option<u64>,
) -> Result<BlobView, ClientError> {
    let frames = ReaderStream::with_capacity(source, READ_BYTES).map_ok(Frame::data);
    let mut request = Request::builder().method(Method::POST).uri("/v1/blobs").header(header::HOST, "localhost");
    if let Some(bytes) = bytes {
        request = request.header(header::CONTENT_LENGTH, bytes);
    }
    let request = request.body(StreamBody::new(frames)).map_err(broken)?;
    let body = read(send(socket, request).await?.into_body()).await?;
    serde_json::from_slice(&body).map_err(|error| ClientError::Nonsense(error.to_string()))
}

/// Writes a blob to `out`.
///
/// # Errors
/// See [`ClientError`]; a part may have been written.
pub async fn get_blob(socket: &Path, hash: &str, out: &mut (impl AsyncWrite + Unpin)) -> Result<(), ClientError> {
    let request = Request::builder().uri(format!("/v1/blobs/{hash}")).header(header::HOST, "localhost");
    let request = request.body(Empty::<Bytes>::new()).map_err(broken)?;
    let mut body = send(socket, request).await?.into_body();
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame.map_err(broken)?.data_ref() {
            out.write_all(data).await.map_err(broken)?;
        }
    }
    out.flush().await.map_err(broken)
}
