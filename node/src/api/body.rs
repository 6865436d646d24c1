//! Reads a request's body with a bound that depends on what it is: one task, or a list of them.

use super::problem::{Code, LARGE_HINT, Problem};
use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use http_body_util::BodyExt;
use std::time::Duration;

/// Longest body of one object beside its payload: the specification, and white space.
const REST_BYTES_MAX: usize = 1024 * 1024;
/// Longest body of an array, unless a single payload may be longer.
const MANY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Room that is made before anything has come.
const START_BYTES_MAX: usize = 2 * 1024 * 1024;
/// What is thrown away before an answer, so that a client that only reads after it has written gets the answer.
const DISCARD_BYTES_MAX: usize = 512 * 1024 * 1024;
const DISCARD_TIME_MAX: Duration = Duration::from_secs(10);

/// The body, if it is not too large for what it is; `payload_bytes_max` is the longest payload of a task.
pub(super) async fn read(headers: &HeaderMap, mut body: Body, payload_bytes_max: u64) -> Result<Vec<u8>, Problem> {
    let one = usize::try_from(payload_bytes_max).unwrap_or(usize::MAX).saturating_add(REST_BYTES_MAX);
    let many = MANY_BYTES_MAX.max(one);
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let waits = headers.contains_key(header::EXPECT);
    if waits && announced.is_some_and(|length| length > many) {
        return Err(too_large(many, payload_bytes_max));
    }
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0).min(START_BYTES_MAX));
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Problem::new(Code::InvalidRequest, format!("the body ends early: {error}")))?;
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(data);
        }
        let limit = if is_list(&bytes) { many } else { one };
        if bytes.len() > limit {
            drop(bytes);
            discard(&mut body.into_data_stream()).await;
            return Err(too_large(limit, payload_bytes_max));
        }
    }
    Ok(bytes)
}

fn is_list(bytes: &[u8]) -> bool {
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

fn too_large(limit: usize, payload_bytes_max: u64) -> Problem {
    let detail =
        format!("the body is longer than {limit} bytes; a task's payload has at most {payload_bytes_max} bytes here");
    Problem::new(Code::TooLarge, detail).hint(LARGE_HINT)
}

/// Reads on, within bounds: who still writes does not listen.
pub(super) async fn discard(rest: &mut BodyDataStream) {
    let mut left = DISCARD_BYTES_MAX;
    let drain = async {
        while let Some(Ok(data)) = rest.next().await {
            match left.checked_sub(data.len()) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // Out of time: the answer goes out anyway, and the connection closes.
    let _ = tokio::time::timeout(DISCARD_TIME_MAX, drain).await;
}
