//! `/v1/batches`: many tasks in one request, how they stand, and what is done to all of them.

use super::submit::{self, SubmitQuery};
use crate::api::body;
use crate::api::model::{
    BatchAccepted, BatchDone, BatchHead, BatchTaskView, BatchView, DeviceNames, Invalid, TaskRequest, TaskView,
    batch_wall_ms, is_bad_end, new_batch_id, parse_batch,
};
use crate::api::node::NodeApi;
use crate::api::problem::{Code, Problem};
use crate::api::state::App;
use crate::clock;
use crate::driver::DriverError;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State, rejection::QueryRejection};
use axum::http::{HeaderMap, StatusCode};
use futures_util::{StreamExt, stream};
use rc_scheduler::{BatchFound, BatchId, BatchPlace, Status, TaskId};
use serde::Deserialize;
use std::future::Future;

const LIST_DEFAULT: u32 = 20;
const LIST_MAX: u32 = 200;
const TASKS_DEFAULT: usize = 100;
const TASKS_MAX: usize = 10_000;
/// Requests about single tasks that are under way at once.
const AT_ONCE: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowQuery {
    /// `failed` (default), `cancelled`, `open`, `all` or `none`.
    tasks: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn submit<N: NodeApi>(
    State(app): State<App<N>>,
    query: Result<Query<SubmitQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<BatchAccepted>), Problem> {
    let disks = query?.0.checked()?;
    let request = parse_batch(&body::read(&headers, body, app.payload_bytes_max()).await?)?;
    let head = BatchHead::new(request.name, request.description, false)?;
    let accepted = hand_in(&app, request.tasks, head, disks, &headers, &Invalid::of_tasks).await?;
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// Hands tasks in as one batch; there is at least one. `of` says of which task an error is.
pub(super) async fn hand_in<N: NodeApi>(
    app: &App<N>,
    mut requests: Vec<TaskRequest>,
    head: BatchHead,
    disks: Option<usize>,
    headers: &HeaderMap,
    of: &(dyn Fn(Invalid, usize) -> Invalid + Sync),
) -> Result<BatchAccepted, Problem> {
    let key = submit::key(headers)?;
    if let Some(key) = key {
        for (index, request) in requests.iter_mut().enumerate() {
            request.set_key(&format!("{key}/{index}")).map_err(|error| of(error, index))?;
        }
    }
    requests[0].set_head(head.clone());
    let mut tasks = submit::convert(app, requests, of).await?;
    let batch = new_batch_id(key, clock::now().wall_ms);
    let of = u32::try_from(tasks.len()).unwrap_or(u32::MAX);
    for (index, task) in (0..).zip(&mut tasks) {
        task.spec.batch = Some(BatchPlace { batch, index, of });
    }
    app.node().trace(&mut tasks, submit::context(headers));
    let accepted = app.node().submit(tasks, disks).await?;
    app.accepted_batch(batch);
    let names = app.names().await;
    Ok(BatchAccepted {
        batch_id: batch.to_string(),
        name: head.name,
        total: accepted.tasks.len(),
        status: Status::Pending.word().to_owned(),
        acks: accepted.disks.len(),
        ack_devices: accepted.disks.iter().map(|id| names.name(*id)).collect(),
        devices_up: submit::up(app, accepted.disks.len()).await,
        task_ids: accepted.tasks.iter().map(ToString::to_string).collect(),
        names: Vec::new(),
    })
}

pub(super) async fn list<N: NodeApi>(
    State(app): State<App<N>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Vec<BatchView>>, Problem> {
    Ok(Json(views(&app, query?.0, |_| true).await?))
}

/// The newest batches of a kind.
pub(super) async fn views<N: NodeApi>(
    app: &App<N>,
    query: ListQuery,
    which: impl Fn(&BatchView) -> bool,
) -> Result<Vec<BatchView>, Problem> {
    let limit = query.limit.unwrap_or(LIST_DEFAULT);
    if !(1..=LIST_MAX).contains(&limit) {
        return Err(Invalid::new("limit", format!("allowed is 1 to {LIST_MAX}")).into());
    }
    let (batches, _) = app.node().batches(LIST_MAX).await?;
    let mut views = Vec::new();
    for (batch, _) in batches {
        // One that was buried a moment ago is left out.
        if let Ok((_, view)) = look(app, batch, Vec::new()).await
            && which(&view)
        {
            views.push(view);
        }
        if views.len() >= limit as usize {
            break;
        }
    }
    Ok(views)
}

pub(super) async fn show<N: NodeApi>(
    State(app): State<App<N>>,
    Path(id): Path<String>,
    query: Result<Query<ShowQuery>, QueryRejection>,
) -> Result<Json<BatchView>, Problem> {
    let Query(query) = query?;
    let limit = query.limit.unwrap_or(TASKS_DEFAULT);
    if !(1..=TASKS_MAX).contains(&limit) {
        return Err(Invalid::new("limit", format!("allowed is 1 to {TASKS_MAX}")).into());
    }
    let which = match query.tasks.as_deref().unwrap_or("failed") {
        "failed" => Status::ALL.iter().copied().filter(|status| is_bad_end(*status)).collect(),
        "cancelled" => vec![Status::Cancelled],
        "open" => open(),
        "all" => Status::ALL.to_vec(),
        "none" => Vec::new(),
        other => {
            let message = format!("{other:?} is unknown; allowed are failed, cancelled, open, all, none");
            return Err(Invalid::new("tasks", message).into());
        }
    };
    let batch = app.resolve_batch(&id).await?;
    let (found, mut view) = look(&app, batch, which.clone()).await?;
    let standing = |index: u32| found.statuses.get(index as usize).copied().flatten();
    let wanted = found.tasks.iter().filter(|(index, _)| standing(*index).is_some_and(|s| which.contains(&s)));
    let wanted: Vec<_> = wanted.copied().collect();
    view.more = wanted.len() > limit;
    let names = app.names().await;
    let described = each(wanted.into_iter().take(limit), |(index, task)| {
        let (app, names, status) = (app.clone(), names.clone(), standing(index));
        async move {
            let mut row = BatchTaskView {
                index,
                task_id: task.to_string(),
                status: status.map_or("unknown", Status::word).to_owned(),
                name: None,
                device: None,
                error: None,
            };
            // What is known is told, also if nothing more can be read of it now.
            if let Ok(report) = app.node().task(task).await {
                let task = TaskView::new(&report, &names);
                (row.name, row.device, row.error) = (task.name, task.device, task.error);
            }
            row
        }
    });
    view.tasks = described.await;
    Ok(Json(view))
}

/// The statuses of tasks that have not ended.
pub(super) fn open() -> Vec<Status> {
    Status::ALL.iter().copied().filter(|status| !status.is_terminal()).collect()
}

/// Does something for each of many, a bounded number at a time; the answers come in order.
pub(super) async fn each<T, F: Future>(items: impl Iterator<Item = T>, what: impl Fn(T) -> F) -> Vec<F::Output> {
    stream::iter(items.map(what)).buffered(AT_ONCE).collect().await
}

/// A batch as all together know it.
pub(super) async fn look<N: NodeApi>(
    app: &App<N>,
    batch: BatchId,
    which: Vec<Status>,
) -> Result<(BatchFound, BatchView), Problem> {
    let (found, silent) = app.node().batch(batch, which).await.map_err(|error| match error {
        DriverError::NotFound => Problem::new(Code::NoBatch, format!("no member has a task of batch {batch}"))
            .hint("`rc-node batch ls` lists the cluster's batches"),
        error => error.into(),
    })?;
    let first = found.tasks.first().filter(|(index, _)| *index == 0);
    let (mut head, mut submitted) = (BatchHead::default(), batch_wall_ms(batch));
    if let Some((_, first)) = first
        && let Ok(report) = app.node().task(*first).await
    {
        head = report.spec.as_ref().map(BatchHead::of).unwrap_or_default();
        submitted = report.submitted_wall_ms;
    }
    let mut view = BatchView::new(&found, &head, submitted, clock::now().wall_ms);
    let names = app.names().await;
    view.silent = silent.iter().map(|device| names.name(*device)).collect();
    Ok((found, view))
}

pub(super) async fn cancel<N: NodeApi>(
    State(app): State<App<N>>,
    Path(id): Path<String>,
) -> Result<Json<BatchDone>, Problem> {
    let batch = app.resolve_batch(&id).await?;
    let (found, _) = look(&app, batch, open()).await?;
    // The last first: a task that waits for another is cancelled, and does not fail because the other was.
    let open = standing_as(&found, &open());
    let done = each(open.into_iter().rev(), |task| {
        let app = app.clone();
        async move { app.node().cancel(task).await }
    });
    Ok(Json(done_to(batch, done.await)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryQuery {
    /// Those that were cancelled as well.
    #[serde(default)]
    cancelled: bool,
}

/// Those that failed or ran out of time; who was cancelled was meant to be. The first first: what waits for one that begins again waits.
pub(super) async fn retry_failed<N: NodeApi>(
    State(app): State<App<N>>,
    Path(id): Path<String>,
    query: Result<Query<RetryQuery>, QueryRejection>,
) -> Result<Json<BatchDone>, Problem> {
    let Query(query) = query?;
    let batch = app.resolve_batch(&id).await?;
    let cancelled = query.cancelled.then_some(Status::Cancelled);
    let which: Vec<_> = [Status::Failed, Status::Timeout].into_iter().chain(cancelled).collect();
    let (found, _) = look(&app, batch, which.clone()).await?;
    let done = each(standing_as(&found, &which).into_iter(), |task| {
        let app = app.clone();
        async move { app.node().reopen(task).await }
    });
    Ok(Json(done_to(batch, done.await)))
}

/// The tasks that stand so, in order.
fn standing_as(found: &BatchFound, which: &[Status]) -> Vec<TaskId> {
    let stands = |index: u32| found.statuses.get(index as usize).copied().flatten();
    let wanted = found.tasks.iter().filter(|(index, _)| stands(*index).is_some_and(|status| which.contains(&status)));
    wanted.map(|(_, task)| *task).collect()
}

fn done_to(batch: BatchId, answers: Vec<Result<Status, DriverError>>) -> BatchDone {
    let refused: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    BatchDone {
        batch_id: batch.to_string(),
        tasks: answers.len() - refused.len(),
        refused: refused.len(),
        why: refused.first().map(ToString::to_string),
    }
}
