//! `GET /v1/events`: what happens, as server-sent events, or as JSON lines for whoever accepts those. With `follow=false` what is
//! remembered, and no more.

use crate::api::model::{EventView, Invalid};
use crate::api::node::NodeApi;
use crate::api::problem::{Code, Problem};
use crate::api::state::App;
use crate::events::{Batch, EventId, EventKind, EventReader, EventRow};
use axum::body::Body;
use axum::extract::{Query, State, rejection::QueryRejection};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use rc_scheduler::{DeviceId, TaskId};
use serde::Deserialize;
use std::convert::Infallible;
use std::time::Duration;

/// Without an event for so long, a comment keeps the connection from looking dead.
const QUIET_MAX: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    follow: Option<bool>,
    task: Option<String>,
    #[serde(rename = "type")]
    task_type: Option<String>,
    device: Option<String>,
    /// Words, separated by commas.
    kind: Option<String>,
    /// As the header `Last-Event-ID`, for those who cannot set one.
    last_event_id: Option<String>,
}

/// Which events are wanted.
#[derive(Debug, Default)]
struct Filter {
    task: Option<TaskId>,
    task_type: Option<String>,
    device: Option<DeviceId>,
    kinds: Vec<EventKind>,
}

impl Filter {
    fn wants(&self, row: &EventRow) -> bool {
        self.task.is_none_or(|task| row.task == Some(task))
            && self.task_type.as_ref().is_none_or(|task_type| row.task_type.as_ref() == Some(task_type))
            && self.device.is_none_or(|device| row.device == Some(device))
            && (self.kinds.is_empty() || self.kinds.contains(&row.kind))
    }
}

fn kinds(text: &str) -> Result<Vec<EventKind>, Invalid> {
    let kind = |word: &str| {
        EventKind::from_word(word.trim()).ok_or_else(|| {
            let words: Vec<_> = EventKind::ALL.iter().map(|kind| kind.word()).collect();
            Invalid::new("kind", format!("{word:?} is unknown; allowed are {}", words.join(", ")))
        })
    };
    text.split(',').map(kind).collect()
}

pub(super) async fn events<N: NodeApi>(
    State(app): State<App<N>>,
    query: Result<Query<EventsQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(query) = query?;
    let log = app.node().events().ok_or_else(|| Problem::new(Code::NoRoute, "this node tells no events"))?;
    let header = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let last = query.last_event_id.as_deref().or(header).filter(|id| !id.is_empty());
    let last = last.map(str::parse::<EventId>).transpose();
    let last = last.map_err(|error| Invalid::new("Last-Event-ID", error))?;
    let device = match &query.device {
        Some(text) => Some(app.names().await.find(text).map_err(|error| Invalid::new("device", error))?),
        None => None,
    };
    let task = match &query.task {
        Some(text) => Some(app.resolve(text).await?),
        None => None,
    };
    let kinds = query.kind.as_deref().map_or(Ok(Vec::new()), kinds)?;
    let filter = Filter { task, task_type: query.task_type, device, kinds };
    let follow = query.follow != Some(false);
    let reader = match last {
        Some(last) => log.listen_after(last),
        None if follow => log.listen(),
        None => log.listen_from_start(),
    };
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let sse = !accepted.contains("jsonl");
    // Whoever comes back without having heard anything goes on from here.
    let begin = if sse { format!("retry: 1000\nid: {}\n\n", reader.last()) } else { String::new() };
    let state = (app, reader, filter, Some(begin));
    let chunks = stream::unfold(state, move |(app, mut reader, filter, begin)| async move {
        if let Some(begin) = begin {
            return Some((Ok::<_, Infallible>(Bytes::from(begin)), (app, reader, filter, None)));
        }
        let mut chunk = String::new();
        while chunk.is_empty() {
            let batch = if follow { patient(&mut reader).await } else { Some(reader.ready()?) };
            match batch {
                Some(batch) => write(&mut chunk, &app, &batch, &filter, sse).await,
                None if reader.is_closed() => return None,
                None if sse => chunk.push_str(": nothing new\n\n"),
                None => {}
            }
        }
        Some((Ok(Bytes::from(chunk)), (app, reader, filter, None)))
    });
    let kind = if sse { "text/event-stream" } else { "application/jsonl" };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

/// What comes next, if it comes before long.
async fn patient(reader: &mut EventReader) -> Option<Batch> {
    tokio::time::timeout(QUIET_MAX, reader.next()).await.ok().flatten()
}

async fn write<N: NodeApi>(chunk: &mut String, app: &App<N>, batch: &Batch, filter: &Filter, sse: bool) {
    if let Some(missed) = batch.missed {
        put(chunk, &EventView::gap(missed), sse);
    }
    let wanted: Vec<_> = batch.rows.iter().filter(|(_, row)| filter.wants(row)).collect();
    if wanted.is_empty() {
        return;
    }
    let names = app.names().await;
    wanted.into_iter().for_each(|(id, row)| put(chunk, &EventView::new(*id, row, &names), sse));
}

fn put(chunk: &mut String, view: &EventView, sse: bool) {
    // Plain data: it can always be written.
    let json = serde_json::to_string(view).unwrap_or_default();
    if sse {
        if let Some(id) = &view.id {
            chunk.push_str(&format!("id: {id}\n"));
        }
        chunk.push_str(&format!("event: {}\ndata: {json}\n\n", view.event));
    } else {
        chunk.push_str(&format!("{json}\n"));
    }
}
