//! `GET /v1/tasks/{id}/logs`: what a task wrote and, with `follow=true`, what it writes until it has ended. JSON lines, or server-sent
//! events for whoever accepts those.

use crate::api::model::{LogLines, LogView};
use crate::api::node::NodeApi;
use crate::api::problem::Problem;
use crate::api::state::App;
use axum::body::Body;
use axum::extract::{Path, Query, State, rejection::QueryRejection};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use std::convert::Infallible;

/// Lines that are ready together leave together, up to about so many bytes.
const CHUNK_BYTES: usize = 64 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogsQuery {
    #[serde(default)]
    follow: bool,
}

pub(super) async fn logs<N: NodeApi>(
    State(app): State<App<N>>,
    Path(id): Path<String>,
    query: Result<Query<LogsQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(query) = query?;
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let sse = accepted.contains("text/event-stream");
    let events = app.node().logs(app.resolve(&id).await?, query.follow).await?;
    let state = (app, events, LogLines::default(), false);
    let chunks = stream::unfold(state, move |(app, mut events, mut lines, done)| async move {
        if done {
            return None;
        }
        let mut chunk = Vec::new();
        let mut done = false;
        // A line may have nothing to show yet: half a character.
        while chunk.is_empty() && !done {
            let mut next = events.recv().await;
            while let Some(event) = next {
                let names = app.names().await;
                lines.lines(event, &names).iter().for_each(|line| put(&mut chunk, line, sse));
                next = if chunk.len() < CHUNK_BYTES { events.try_recv().ok() } else { None };
            }
            done = events.is_closed() && events.is_empty();
        }
        if done {
            lines.flush().iter().for_each(|line| put(&mut chunk, line, sse));
        }
        Some((Ok::<_, Infallible>(Bytes::from(chunk)), (app, events, lines, done)))
    });
    let kind = if sse { "text/event-stream" } else { "application/jsonl" };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

fn put(chunk: &mut Vec<u8>, line: &LogView, sse: bool) {
    // Plain data: it can always be written.
    let json = serde_json::to_string(line).unwrap_or_default();
    let text = if sse { format!("event: {}\ndata: {json}\n\n", line.event()) } else { format!("{json}\n") };
    chunk.extend_from_slice(text.as_bytes());
}
