//! `POST /v1/tasks`: one task or many, all accepted or none.

use crate::api::body;
use crate::api::model::{AcceptedView, DeviceNames, Invalid, PlacementView, TaskRequest, TaskRequests, parse_tasks};
use crate::api::node::NodeApi;
use crate::api::problem::{Code, Problem};
use crate::api::registered;
use crate::api::state::{App, Names};
use crate::trace::{self, Trace, Traceparent};
use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State, rejection::QueryRejection};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rc_scheduler::{NewTask, Status, TaskId};
use serde::Deserialize;

/// The answer tells the placement of so many tasks; who submits more at once asks later.
const PLACED_MAX: usize = 16;
const DISKS_MAX: usize = 1_000;
/// Tells whoever asks which trace a task is in.
pub(super) const TRACERESPONSE: &str = "traceresponse";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubmitQuery {
    disks: Option<usize>,
}

impl SubmitQuery {
    /// On how many disks, if that makes sense.
    pub(super) fn checked(self) -> Result<Option<usize>, Invalid> {
        match self.disks {
            Some(disks) if !(1..=DISKS_MAX).contains(&disks) => {
                Err(Invalid::new("disks", format!("allowed is 1 to {DISKS_MAX}")))
            }
            disks => Ok(disks),
        }
    }
}

pub(super) async fn tasks<N: NodeApi>(
    State(app): State<App<N>>,
    query: Result<Query<SubmitQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let disks = query?.0.checked()?;
    let key = key(&headers)?;
    let (mut requests, many) = match parse_tasks(&body::read(&headers, body, app.payload_bytes_max()).await?)? {
        TaskRequests::One(task) => (vec![*task], false),
        TaskRequests::Many(tasks) => (tasks, true),
    };
    if let Some(key) = key {
        for (index, request) in requests.iter_mut().enumerate() {
            let own = if many { format!("{key}/{index}") } else { key.to_owned() };
            request.set_key(&own).map_err(|error| if many { error.at(index) } else { error })?;
        }
    }
    let tasks = convert(&app, requests, &|error, index| if many { error.at(index) } else { error }).await?;
    let views = accept(&app, tasks, disks, context(&headers)).await?;
    Ok(if many {
        (StatusCode::ACCEPTED, Json(views)).into_response()
    } else {
        let view = views.into_iter().next();
        let header = [(TRACERESPONSE, view.as_ref().map_or_else(String::new, |view| view.traceresponse.clone()))];
        (StatusCode::ACCEPTED, header, Json(view)).into_response()
    })
}

/// The trace that whoever asks is in. One that makes no sense is none, as the standard wants it.
pub(super) fn context(headers: &HeaderMap) -> Option<Traceparent> {
    let mut values = headers.get_all("traceparent").iter();
    let value = values.next()?.to_str().ok()?.trim().parse().ok()?;
    values.next().is_none().then_some(value)
}

/// From requests to what the scheduler takes; devices and modules are found by name. `at` says where in the request a task is.
pub(super) async fn convert<N: NodeApi>(
    app: &App<N>,
    mut requests: Vec<TaskRequest>,
    at: &(dyn Fn(Invalid, usize) -> Invalid + Sync),
) -> Result<Vec<NewTask>, Problem> {
    registered::resolve(app, &mut requests, at).await?;
    let named = requests.iter().any(|request| request.devices_named().next().is_some());
    let names = if named { app.names().await } else { Names::default() };
    let convert = |(index, request): (usize, TaskRequest)| {
        request.into_task(&|text| names.find(text)).map_err(|error| at(error, index))
    };
    let tasks: Result<_, Invalid> = requests.into_iter().enumerate().map(convert).collect();
    Ok(tasks?)
}

/// Submits, and says where the tasks stand.
pub(super) async fn accept<N: NodeApi>(
    app: &App<N>,
    mut tasks: Vec<NewTask>,
    disks: Option<usize>,
    context: Option<Traceparent>,
) -> Result<Vec<AcceptedView>, Problem> {
    app.node().trace(&mut tasks, context);
    let traces: Vec<_> = tasks.iter().map(|task| trace::named(&task.spec.extra)).collect();
    let accepted = app.node().submit(tasks, disks).await?;
    let names = app.names().await;
    let ack_devices: Vec<_> = accepted.disks.iter().map(|id| names.name(*id)).collect();
    let devices_up = up(app, accepted.disks.len()).await;
    let mut views = Vec::with_capacity(accepted.tasks.len());
    for (task, trace) in accepted.tasks.iter().zip(traces) {
        let trace = trace.unwrap_or_else(|| Trace::of(*task, None));
        let mut view = AcceptedView {
            task_id: task.to_string(),
            status: Status::Pending.word().to_owned(),
            acks: accepted.disks.len(),
            ack_devices: ack_devices.clone(),
            devices_up,
            placement: None,
            trace_id: trace.id.to_string(),
            traceresponse: trace.response(*task).to_string(),
            reason: None,
            detail: None,
        };
        if accepted.tasks.len() <= PLACED_MAX {
            place(app, *task, &mut view, &names).await;
        }
        views.push(view);
    }
    Ok(views)
}

/// How many devices are up, if what was accepted is on no more than one disk: whoever asked wants to know whether there are others.
pub(super) async fn up<N: NodeApi>(app: &App<N>, disks: usize) -> Option<usize> {
    if disks > 1 {
        return None;
    }
    app.node().status().await.ok().map(|status| status.peers_up)
}

async fn place<N: NodeApi>(app: &App<N>, task: TaskId, view: &mut AcceptedView, names: &Names) {
    // The task is accepted whatever happens here: no answer means no placement to tell.
    let Ok(report) = app.node().task(task).await else {
        return;
    };
    view.status = report.status.word().to_owned();
    view.reason = report.reason.map(|reason| reason.word().to_owned());
    view.detail = report.detail;
    view.placement =
        report.device.map(|device| PlacementView { device: names.name(device), device_id: device.to_string() });
}

pub(super) fn key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    value.to_str().map(|key| Some(key.trim())).map_err(|_| {
        Problem::new(Code::InvalidRequest, "the Idempotency-Key header has characters other than printable ASCII")
    })
}
