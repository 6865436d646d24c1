//! Reads a request's body with a bound that depends on what it is: one task, or a list of them.

use super::problem::{Code, Problem};
use axum::body::Body;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use std::time::Duration;

/// Longest body of one object: a payload of 1 MiB whose every byte is escaped once, and the rest.
pub(super) const ONE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Longest body of an array.
pub(super) const MANY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What is thrown away before an answer, so that a client that only reads after it has written gets the answer.
const DISCARD_BYTES_MAX: usize = 512 * 1024 * 1024;
const DISCARD_TIME_MAX: Duration = Duration::from_secs(10);

/// The body, if it is not too large for what it is.
pub(super) async fn read(headers: &HeaderMap, mut body: Body) -> Result<Vec<u8>, Problem> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let waits = headers.contains_key(header::EXPECT);
    if waits && announced.is_some_and(|length| length > MANY_BYTES_MAX) {
        return Err(too_large(MANY_BYTES_MAX));
    }
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0).min(ONE_BYTES_MAX));
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Problem::new(Code::InvalidRequest, format!("the body ends early: {error}")))?;
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(data);
        }
        let limit = limit(&bytes);
        if bytes.len() > limit {
            drop(bytes);
            discard(body).await;
            return Err(too_large(limit));
        }
    }
    Ok(bytes)
}

fn limit(bytes: &[u8]) -> usize {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => MANY_BYTES_MAX,
        _ => ONE_BYTES_MAX,
    }
}

fn too_large(limit: usize) -> Problem {
    let detail = if limit == MANY_BYTES_MAX {
        format!("the body is longer than {MANY_BYTES_MAX} bytes, the limit of a list of tasks")
    } else {
        format!(
            "the body is longer than {ONE_BYTES_MAX} bytes; a task's payload has at most {} bytes",
            rc_scheduler::PAYLOAD_BYTES_MAX
        )
    };
    Problem::new(Code::TooLarge, detail).hint("put large data where the device can reach it, and send its place")
}

async fn discard(mut body: Body) {
    let mut left = DISCARD_BYTES_MAX;
    let drain = async {
        while let Some(Ok(frame)) = body.frame().await {
            let len = frame.data_ref().map_or(0, bytes::Bytes::len);
            match left.checked_sub(len) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // Out of time: the answer goes out anyway, and the connection closes.
    let _ = tokio::time::timeout(DISCARD_TIME_MAX, drain).await;
}
