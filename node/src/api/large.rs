//! Results that are too long for a fact: they lie in a blob, which is streamed into the answer, or read as a whole where an answer has
//! many of them.

use super::model::ResultView;
use super::node::NodeApi;
use super::problem::{Code, Problem};
use crate::blobs::{BlobError, BlobReader, BodyBlobs};
use crate::driver::TaskReport;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use rc_scheduler::BlobRef;
use serde_json::Value;

/// What lies in the blob; the rest of the result object is in the record.
const IN_BODY: [&str; 5] = ["result", "stdout", "stderr", "truncated", "resource_usage"];

/// The blob in which the body of a task's outcome lies, if it does.
fn body_of(report: &TaskReport) -> Option<BlobRef> {
    report.outcome.as_ref().and_then(|outcome| BodyBlobs::of(&outcome.body).body)
}

/// The report with its whole result, however long; for where results are put side by side.
pub(super) async fn whole<N: NodeApi>(node: &N, mut report: TaskReport) -> Result<TaskReport, Problem> {
    if let (Some(blob), Some(blobs), Some(outcome)) = (body_of(&report), node.blobs(), &mut report.outcome) {
        let refs = BodyBlobs { body: None, ..BodyBlobs::of(&outcome.body) };
        let body = blobs.load(blob, blobs.payload_bytes_max().max(blob.bytes)).await.map_err(unreachable)?;
        outcome.body = crate::driver::with_blobs(&refs, &body);
    }
    Ok(report)
}

/// The result object; a long result goes from the disk to whoever asks without passing through memory as a whole.
pub(super) async fn result<N: NodeApi>(node: &N, report: &TaskReport, view: ResultView) -> Result<Response, Problem> {
    let (Some(blob), Some(blobs)) = (body_of(report), node.blobs()) else {
        return Ok(axum::Json(view).into_response());
    };
    let reader = blobs.open_blob(blob.hash, Some(blob.bytes)).await.map_err(unreachable)?;
    let mut head = match serde_json::to_value(&view) {
        Ok(Value::Object(mut fields)) => {
            fields.retain(|name, _| !IN_BODY.contains(&name.as_str()));
            serde_json::to_vec(&fields).unwrap_or_default()
        }
        _ => return Err(Problem::new(Code::Busy, "the result cannot be written")),
    };
    // Two objects become one: the head without its last bracket, the body without its first.
    head.pop();
    head.push(b',');
    let length = head.len() as u64 + blob.bytes - 1;
    let rest = chunks(reader.part(1..blob.bytes));
    let body = stream::once(async move { Ok(Bytes::from(head)) }).chain(rest);
    let headers = [(header::CONTENT_TYPE, "application/json".to_owned()), (header::CONTENT_LENGTH, length.to_string())];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// A blob as the body of an answer; what turns out to be damaged breaks the connection off.
pub(super) fn chunks(reader: BlobReader) -> impl Stream<Item = Result<Bytes, BlobError>> + Send + 'static {
    stream::try_unfold(reader, |mut reader| async move { Ok(reader.next().await?.map(|data| (data, reader))) })
}

fn unreachable(error: BlobError) -> Problem {
    Problem::new(Code::BlobMissing, format!("the task's result is not to be had now: {error}"))
        .hint("ask again when the devices that have it are back; `rc-node peers` shows who is away")
}
