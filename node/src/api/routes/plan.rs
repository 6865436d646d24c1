//! `POST /v1/plan`: where one task or many would go. Takes what `POST /v1/tasks` takes, and accepts nothing.

use super::submit::convert;
use crate::api::body;
use crate::api::model::{ExplainView, TaskRequests, parse_tasks};
use crate::api::node::NodeApi;
use crate::api::problem::Problem;
use crate::api::state::App;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

pub(super) async fn plan<N: NodeApi>(
    State(app): State<App<N>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (requests, many) = match parse_tasks(&body::read(&headers, body, app.payload_bytes_max()).await?)? {
        TaskRequests::One(task) => (vec![*task], false),
        TaskRequests::Many(tasks) => (tasks, true),
    };
    let tasks = convert(&app, requests, &|error, index| if many { error.at(index) } else { error }).await?;
    let plans = app.node().plan(tasks.into_iter().map(|task| task.spec).collect()).await?;
    let views: Vec<_> = plans.iter().map(ExplainView::new).collect();
    Ok(if many { Json(views).into_response() } else { Json(views.into_iter().next()).into_response() })
}
