//! The older system's paths, as it had them: `/tasks`. Statuses keep their present words.

use super::submit::{accept, context, convert};
use super::tasks::whole_id;
use crate::api::model::{Invalid, ResultView, TaskRequests, parse_tasks};
use crate::api::node::NodeApi;
use crate::api::problem::Problem;
use crate::api::state::App;
use crate::api::{body, large};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use rc_scheduler::Status;
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
pub(super) struct Submitted {
    task_id: String,
    status: &'static str,
}

#[derive(Serialize)]
pub(super) struct Shown {
    task_id: String,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
}

#[derive(Serialize)]
pub(super) struct Cancelled {
    task_id: String,
    cancelled: bool,
}

pub(super) async fn submit<N: NodeApi>(
    State(app): State<App<N>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Submitted>, Problem> {
    let TaskRequests::One(request) = parse_tasks(&body::read(&headers, body, app.payload_bytes_max()).await?)? else {
        return Err(Invalid::new("body", "one task is one JSON object; lists go to /v1/tasks").into());
    };
    let tasks = convert(&app, vec![*request], false).await?;
    let task_id =
        accept(&app, tasks, None, context(&headers)).await?.pop().map_or_else(String::new, |view| view.task_id);
    Ok(Json(Submitted { task_id, status: "submitted" }))
}

pub(super) async fn show<N: NodeApi>(
    State(app): State<App<N>>,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Problem> {
    let mut report = app.node().task(whole_id(&id)?).await?;
    large::whole(app.node(), &mut report).await?;
    let view = ResultView::new(&report, &app.names().await);
    Ok(Json(Shown { task_id: view.task_id, status: view.status, result: view.result }))
}

pub(super) async fn cancel<N: NodeApi>(
    State(app): State<App<N>>,
    Path(id): Path<String>,
) -> Result<Json<Cancelled>, Problem> {
    let id = whole_id(&id)?;
    let status = app.node().cancel(id).await?;
    Ok(Json(Cancelled { task_id: id.to_string(), cancelled: matches!(status, Status::Cancelled | Status::Cancelling) }))
}
