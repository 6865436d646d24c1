//! `/v1/tasks`: the list, one task, its result, its history, and why it is where it is.

use super::submit::TRACERESPONSE;
use crate::api::large;
use crate::api::model::{
    CancelledView, DeviceNames, ExplainView, HistoryView, Invalid, ResultView, SECONDS_MAX, TaskDetail, TaskView,
    is_keeper, status_filter,
};
use crate::api::node::NodeApi;
use crate::api::problem::{Code, Problem};
use crate::api::state::App;
use crate::driver::TaskReport;
use crate::trace::Trace;
use axum::Json;
use axum::extract::{Path, Query, State, rejection::QueryRejection};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use rc_scheduler::{DeviceId, Status};
use serde::Deserialize;
use std::time::Duration;

const LIST_DEFAULT: u32 = 100;
const LIST_MAX: u32 = 100_000;
/// So many names and templates are looked past.
const KEPT_MAX: u32 = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    limit: Option<u32>,
    status: Option<String>,
    /// Only those of this type that have not ended.
    open_of: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResultQuery {
    wait: Option<f64>,
}

/// The header `rc-silent` names members that did not answer. Names that the cluster keeps are no tasks that anybody waits for.
pub(super) async fn list<N: NodeApi>(
    State(app): State<App<N>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<(HeaderMap, Json<Vec<TaskView>>), Problem> {
    let Query(query) = query?;
    let limit = query.limit.unwrap_or(LIST_DEFAULT);
    if !(1..=LIST_MAX).contains(&limit) {
        return Err(Invalid::new("limit", format!("allowed is 1 to {LIST_MAX}")).into());
    }
    let wanted = match query.status.as_deref() {
        Some(word) => Some(status_filter(word).ok_or_else(|| {
            let words: Vec<_> = rc_scheduler::Status::ALL.iter().map(|s| s.word()).collect();
            Invalid::new("status", format!("{word:?} is unknown; allowed are {}", words.join(", ")))
        })?),
        None => None,
    };
    let asked = if wanted.is_some() { LIST_MAX } else { limit };
    let (reports, silent) = match query.open_of {
        Some(task_type) => app.node().open_of(task_type).await?,
        None => list_of(&app, asked).await?,
    };
    let names = app.names().await;
    let views = reports
        .iter()
        .filter(|report| wanted.is_none_or(|status| report.status == status))
        .take(limit as usize)
        .map(|report| TaskView::new(report, &names))
        .collect();
    let mut headers = HeaderMap::new();
    if !silent.is_empty() {
        // A header takes no other letters.
        let is_plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
        let called = |device: &DeviceId| Some(names.name(*device)).filter(|name| is_plain(name));
        let called: Vec<_> =
            silent.iter().take(64).map(|device| called(device).unwrap_or_else(|| device.to_string())).collect();
        if let Ok(value) = HeaderValue::from_str(&called.join(", ")) {
            headers.insert("rc-silent", value);
        }
    }
    Ok((headers, Json(views)))
}

/// The newest so many, without those that keep something and are nobody's work.
async fn list_of<N: NodeApi>(app: &App<N>, asked: u32) -> Result<(Vec<TaskReport>, Vec<DeviceId>), Problem> {
    let keeps = |report: &TaskReport| report.spec.as_ref().is_some_and(|spec| is_keeper(&spec.task_type));
    let (mut reports, mut silent) = app.node().list(asked).await?;
    if reports.len() >= asked as usize && reports.iter().any(keeps) {
        (reports, silent) = app.node().list(asked.saturating_add(KEPT_MAX).min(LIST_MAX)).await?;
    }
    reports.retain(|report| !keeps(report));
    Ok((reports, silent))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowQuery {
    live: Option<bool>,
}

/// With `live=false` the device that runs the task is not asked how it is getting on.
pub(super) async fn show<N: NodeApi>(
    State(app): State<App<N>>,
    Path(id): Path<String>,
    query: Result<Query<ShowQuery>, QueryRejection>,
) -> Result<([(&'static str, String); 1], Json<TaskDetail>), Problem> {
    let Query(query) = query?;
    let id = app.resolve(&id).await?;
    let report = app.node().task(id).await?;
    let runs = matches!(report.status, Status::Assigned | Status::Running);
    let live = if runs && query.live != Some(false) { app.node().live_state(id).await? } else { None };
    Ok(([traceresponse(&report)], Json(TaskDetail::new(&report, &app.names().await).with_live(live))))
}

/// With `wait`, up to so many seconds for the end; without, or when they are over, the task as it stands.
pub(super) async fn result<N: NodeApi>(
    State(app): State<App<N>>,
    Path(id): Path<String>,
    query: Result<Query<ResultQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query?;
    let wait = query.wait.unwrap_or(0.0);
    if !(0.0..=SECONDS_MAX).contains(&wait) {
        return Err(Invalid::new("wait", format!("allowed is 0 to {SECONDS_MAX} seconds")).into());
    }
    let id = app.resolve(&id).await?;
    let waited = if wait > 0.0 {
        let wait = Duration::from_secs_f64(wait);
        tokio::time::timeout(wait, app.node().wait(id)).await.ok()
    } else {
        None
    };
    let report = match waited {
        Some(report) => report?,
        None => app.node().task(id).await?,
    };
    let view = ResultView::new(&report, &app.names().await);
    Ok(([traceresponse(&report)], large::result(app.node(), &report, view).await?).into_response())
}

fn traceresponse(report: &TaskReport) -> (&'static str, String) {
    let trace = Trace::of(report.id, report.spec.as_ref());
    (TRACERESPONSE, trace.response(report.id).to_string())
}

pub(super) async fn cancel<N: NodeApi>(
    State(app): State<App<N>>,
    Path(id): Path<String>,
) -> Result<Json<CancelledView>, Problem> {
    let id = app.resolve(&id).await?;
    let status = app.node().cancel(id).await?;
    Ok(Json(CancelledView { task_id: id.to_string(), status: status.word().to_owned() }))
}

/// Lets a task that ended without a result begin again.
pub(super) async fn retry<N: NodeApi>(
    State(app): State<App<N>>,
    Path(id): Path<String>,
) -> Result<Json<CancelledView>, Problem> {
    let id = app.resolve(&id).await?;
    let status = app.node().reopen(id).await?;
    Ok(Json(CancelledView { task_id: id.to_string(), status: status.word().to_owned() }))
}

pub(super) async fn history<N: NodeApi>(
    State(app): State<App<N>>,
    Path(id): Path<String>,
) -> Result<Json<Vec<HistoryView>>, Problem> {
    let rows = app.node().history(app.resolve(&id).await?).await?;
    let names = app.names().await;
    let names: &dyn DeviceNames = &names;
    Ok(Json(rows.iter().map(|row| HistoryView::new(row, names)).collect()))
}

pub(super) async fn explain<N: NodeApi>(
    State(app): State<App<N>>,
    Path(id): Path<String>,
) -> Result<Json<ExplainView>, Problem> {
    let explanation = app.node().explain(app.resolve(&id).await?).await?;
    Ok(Json(ExplainView::new(&explanation)))
}

/// The result of an id that is known to be whole; for the older API.
pub(super) fn whole_id(id: &str) -> Result<rc_scheduler::TaskId, Problem> {
    id.parse().map_err(|error: rc_scheduler::ParseIdError| Problem::new(Code::NotFound, error.to_string()))
}
