//! `/v1/flows`: tasks with names that come after one another, handed in as one batch, and how each of them stands.

use super::batches::{ListQuery, each, hand_in, look, views};
use super::submit::SubmitQuery;
use crate::api::body;
use crate::api::model::{
    BatchAccepted, BatchHead, BatchView, ErrorView, FlowTaskView, FlowView, Invalid, TaskView, extra_name, flow_tasks,
    parse_flow,
};
use crate::api::node::NodeApi;
use crate::api::problem::Problem;
use crate::api::state::{App, Names};
use crate::driver::TaskReport;
use crate::flow::Refused;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State, rejection::QueryRejection};
use axum::http::{HeaderMap, StatusCode};
use rc_scheduler::{Status, TaskId};
use std::collections::BTreeMap;

pub(super) async fn run<N: NodeApi>(
    State(app): State<App<N>>,
    query: Result<Query<SubmitQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<BatchAccepted>), Problem> {
    let disks = query?.0.checked()?;
    let plan = parse_flow(&body::read(&headers, body, app.payload_bytes_max()).await?)?;
    let head = BatchHead::new(plan.name.clone(), plan.description.clone(), true)?;
    let refused = |refused: Refused| Invalid::new(format!("body:{}", refused.place), refused.message);
    let requests = flow_tasks(&plan).map_err(refused)?;
    let of = |error: Invalid, index: usize| {
        let field = plan.tasks.get(index).map_or_else(String::new, |task| format!("tasks.{}.", task.name));
        Invalid { field: format!("{field}{}", error.field), ..error }
    };
    let mut accepted = hand_in(&app, requests, head, disks, &headers, &of).await?;
    accepted.names = plan.tasks.into_iter().map(|task| task.name).collect();
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

pub(super) async fn list<N: NodeApi>(
    State(app): State<App<N>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Vec<BatchView>>, Problem> {
    Ok(Json(views(&app, query?.0, |view| view.kind == "flow").await?))
}

pub(super) async fn show<N: NodeApi>(
    State(app): State<App<N>>,
    Path(id): Path<String>,
) -> Result<Json<FlowView>, Problem> {
    let batch = app.resolve_batch(&id).await?;
    let (found, view) = look(&app, batch, Status::ALL.to_vec()).await?;
    let reports = each(found.tasks.iter().copied(), |(index, task)| {
        let app = app.clone();
        async move { (index, task, app.node().task(task).await.ok()) }
    });
    let mut reports: BTreeMap<u32, (TaskId, Option<TaskReport>)> =
        reports.await.into_iter().map(|(index, task, report)| (index, (task, report))).collect();
    let called: BTreeMap<TaskId, String> =
        reports.values().filter_map(|(task, report)| Some((*task, extra_name(report.as_ref()?)?))).collect();
    let names = app.names().await;
    let tasks = (0..).zip(&found.statuses).map(|(index, status)| {
        let (task, report) = reports.remove(&index).map_or((None, None), |(task, report)| (Some(task), report));
        row(task, *status, report.as_ref(), &called, &names)
    });
    let tasks = tasks.collect();
    Ok(Json(FlowView { batch: view, tasks }))
}

fn row(
    task: Option<TaskId>,
    status: Option<Status>,
    report: Option<&TaskReport>,
    called: &BTreeMap<TaskId, String>,
    names: &Names,
) -> FlowTaskView {
    let view = report.map(|report| TaskView::new(report, names));
    let after = report.and_then(|report| report.spec.as_ref()).map(|spec| spec.after.clone()).unwrap_or_default();
    let deps = after.clone();
    // Within a flow a task is known by its name.
    let by_name = |text: String| {
        let known = deps.iter().filter_map(|dep| Some((dep.to_string(), called.get(dep)?)));
        known.fold(text, |text, (id, name)| text.replace(&id, &format!("`{name}`")))
    };
    let word = status.map_or("unknown", Status::word).to_owned();
    let after = after.into_iter().map(|dep| called.get(&dep).cloned().unwrap_or_else(|| dep.to_string())).collect();
    let base = FlowTaskView {
        name: None,
        task_id: task.map(|task| task.to_string()),
        task_type: None,
        status: word,
        reason: None,
        detail: None,
        device: None,
        after,
        error: None,
        started_at: None,
        finished_at: None,
    };
    let Some(view) = view else { return base };
    FlowTaskView {
        name: view.name,
        task_type: view.task_type,
        // This device may know more by now than all together did a moment ago.
        status: view.status,
        reason: view.reason,
        detail: view.detail.map(&by_name),
        device: view.device,
        error: view.error.map(|error| ErrorView { message: by_name(error.message), ..error }),
        started_at: view.started_at,
        finished_at: view.finished_at,
        ..base
    }
}
