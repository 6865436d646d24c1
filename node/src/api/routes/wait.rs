//! `POST /v1/wait`: the results of many tasks, one JSON line each, as they settle.

use crate::api::model::{Invalid, ResultView};
use crate::api::node::NodeApi;
use crate::api::problem::Problem;
use crate::api::state::App;
use crate::api::{body, large};
use crate::driver::DriverError;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use rc_scheduler::TaskId;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;

const IDS_MAX: usize = 50_000;
/// Lines that are ready together leave together, up to about so many bytes.
const CHUNK_BYTES: usize = 64 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitRequest {
    ids: Vec<String>,
}

/// A task whose end cannot be told.
#[derive(Serialize)]
struct Untold {
    task_id: String,
    status: &'static str,
    problem: Problem,
}

pub(super) async fn wait<N: NodeApi>(
    State(app): State<App<N>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = body::read(&headers, body, app.payload_bytes_max()).await?;
    let request: WaitRequest =
        serde_json::from_slice(&bytes).map_err(|error| Invalid::new("body", error.to_string()))?;
    if request.ids.len() > IDS_MAX {
        let message = format!("has {} entries; allowed are {IDS_MAX}", request.ids.len());
        return Err(Invalid::new("ids", message).into());
    }
    let mut ids = Vec::with_capacity(request.ids.len());
    for id in &request.ids {
        ids.push(app.resolve(id).await?);
    }
    let ends = app.node().wait_many(ids).await?;
    let lines = stream::unfold((app, ends), |(app, mut ends)| async move {
        let mut next = ends.recv().await?;
        let names = app.names().await;
        let mut chunk = Vec::new();
        loop {
            let (id, ended) = next;
            match ended {
                Ok(report) => match large::whole(app.node(), report.clone()).await {
                    Ok(report) => line(&mut chunk, &ResultView::new(&report, &names)),
                    Err(problem) => {
                        // How it ended is known, and only what it left is not.
                        let detail = Some(problem.detail.to_string());
                        line(&mut chunk, &ResultView { detail, ..ResultView::new(&report, &names) });
                    }
                },
                Err(error) => line(&mut chunk, &Untold::new(id, error)),
            }
            if chunk.len() >= CHUNK_BYTES {
                break;
            }
            match ends.try_recv() {
                Ok(ready) => next = ready,
                Err(_) => break,
            }
        }
        Some((Ok::<_, Infallible>(Bytes::from(chunk)), (app, ends)))
    });
    let kind = [(header::CONTENT_TYPE, "application/jsonl")];
    Ok((kind, Body::from_stream(lines)).into_response())
}

fn line(chunk: &mut Vec<u8>, value: &impl Serialize) {
    let start = chunk.len();
    if serde_json::to_writer(&mut *chunk, value).is_err() {
        chunk.truncate(start);
    } else {
        chunk.push(b'\n');
    }
}

impl Untold {
    fn new(id: TaskId, error: DriverError) -> Self {
        let status = match error {
            DriverError::NotFound => "not_found",
            _ => "unknown",
        };
        Self { task_id: id.to_string(), status, problem: error.into() }
    }
}
