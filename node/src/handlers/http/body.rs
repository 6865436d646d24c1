//! The body of an answer: text when it is short, else a blob that never passes through memory as a whole.

use std::io;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::stream;
use futures_util::{Stream, StreamExt};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use rc_scheduler::BlobRef;
use tokio_util::io::StreamReader;

use crate::handlers::{ErrorClass, TaskContext, TaskError};

/// Longest body that is part of the result, bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Longest body at all, bytes.
const BODY_BYTES_MAX: u64 = 1 << 30;

/// What came.
#[derive(Debug)]
pub(super) enum Content {
    Text(String),
    Blob(BlobRef),
}

/// Reads a body to its end.
pub(super) async fn read(ctx: &TaskContext, body: &mut Incoming) -> Result<Content, TaskError> {
    let mut chunks = Box::pin(chunks(body).fuse());
    let mut start = Vec::new();
    while start.len() <= TEXT_BYTES_MAX {
        match chunks.next().await {
            Some(chunk) => start.extend_from_slice(&chunk.map_err(broken)?),
            None => match String::from_utf8(start) {
                Ok(text) => return Ok(Content::Text(text)),
                Err(other) => {
                    start = other.into_bytes();
                    break;
                }
            },
        }
    }
    // Why the source failed; a store only says that it did.
    let failed: Arc<OnceLock<TaskError>> = Arc::default();
    let told = Arc::clone(&failed);
    let mut total = 0_u64;
    let bounded = stream::once(async { Ok(Bytes::from(start)) }).chain(chunks).map(move |chunk| {
        let chunk = chunk.map_err(broken).and_then(|chunk: Bytes| {
            total += chunk.len() as u64;
            let long = || TaskError::task(format!("the body is longer than {BODY_BYTES_MAX} bytes"));
            (total <= BODY_BYTES_MAX).then_some(chunk).ok_or_else(long)
        });
        chunk.map_err(|error| {
            let text = error.message.clone();
            // Only the first one counts.
            let _ = told.set(error);
            io::Error::other(text)
        })
    });
    let stored = ctx.put_blob(StreamReader::new(Box::pin(bounded))).await;
    stored.map(Content::Blob).map_err(|error| failed.get().cloned().unwrap_or(error))
}

fn chunks(body: &mut Incoming) -> impl Stream<Item = Result<Bytes, hyper::Error>> + Send + '_ {
    stream::unfold(body, |body| async move {
        loop {
            match body.frame().await? {
                Ok(frame) => {
                    // Trailers are nobody's.
                    if let Ok(data) = frame.into_data() {
                        return Some((Ok(data), body));
                    }
                }
                Err(error) => return Some((Err(error), body)),
            }
        }
    })
}

fn broken(error: hyper::Error) -> TaskError {
    TaskError::new(ErrorClass::NetworkError, format!("the body broke off: {error}"))
}
