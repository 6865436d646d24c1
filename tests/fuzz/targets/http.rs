//! What is asked over HTTP: any method, path, query, header and body, in front of a node that has nothing. Every answer is one that the
//! API knows how to give.

use super::Target;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Request, header};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use rc_node::api::{App, NodeApi, door_socket};
use rc_node::driver::{Accepted, DriverError, Explanation, HistoryRow, NodeStatus, PeerReport, TaskReport};
use rc_node::live::{LiveState, LogEvent};
use rc_node::metrics::MetricsReport;
use rc_node::stats::{StatsAsk, StatsReport};
use rc_scheduler::{BatchFound, BatchId, DeviceId, NewTask, Status, TaskId, TaskSpec};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

pub fn all() -> Vec<Target> {
    vec![Target { name: "http_request", run: request, seeds: requests, weight: 4 }]
}

/// Accepts everything, and knows nothing.
#[derive(Clone)]
struct Nobody;

type Answer<T> = Result<T, DriverError>;
type Ends = mpsc::Receiver<(TaskId, Answer<TaskReport>)>;

impl NodeApi for Nobody {
    async fn submit(&self, tasks: Vec<NewTask>, _: Option<usize>) -> Answer<Accepted> {
        let tasks = (0..tasks.len()).map(|n| TaskId([n as u8; 16])).collect();
        Ok(Accepted { tasks, disks: vec![DeviceId([1; 16])] })
    }
    async fn cancel(&self, _: TaskId) -> Answer<Status> {
        Ok(Status::Cancelling)
    }
    async fn reopen(&self, _: TaskId) -> Answer<Status> {
        Ok(Status::Pending)
    }
    async fn task(&self, _: TaskId) -> Answer<TaskReport> {
        Err(DriverError::NotFound)
    }
    async fn wait(&self, _: TaskId) -> Answer<TaskReport> {
        Err(DriverError::NotFound)
    }
    async fn wait_many(&self, _: Vec<TaskId>) -> Answer<Ends> {
        Ok(mpsc::channel(1).1)
    }
    async fn history(&self, _: TaskId) -> Answer<Vec<HistoryRow>> {
        Ok(Vec::new())
    }
    async fn find(&self, prefix: String) -> Answer<Vec<TaskId>> {
        Ok(if prefix.len().is_multiple_of(2) { vec![TaskId([3; 16])] } else { Vec::new() })
    }
    async fn list(&self, _: u32) -> Answer<(Vec<TaskReport>, Vec<DeviceId>)> {
        Ok((Vec::new(), vec![DeviceId([2; 16])]))
    }
    async fn open_of(&self, _: String) -> Answer<(Vec<TaskReport>, Vec<DeviceId>)> {
        Ok((Vec::new(), Vec::new()))
    }
    async fn batch(&self, _: BatchId, _: Vec<Status>) -> Answer<(BatchFound, Vec<DeviceId>)> {
        Err(DriverError::NotFound)
    }
    async fn batches(&self, _: u32) -> Answer<(Vec<(BatchId, u32)>, Vec<DeviceId>)> {
        Ok((Vec::new(), Vec::new()))
    }
    async fn peers(&self) -> Answer<Vec<PeerReport>> {
        Ok(Vec::new())
    }
    async fn explain(&self, _: TaskId) -> Answer<Explanation> {
        Err(DriverError::NotFound)
    }
    async fn plan(&self, _: Vec<TaskSpec>) -> Answer<Vec<Explanation>> {
        Ok(Vec::new())
    }
    async fn status(&self) -> Answer<NodeStatus> {
        Err(DriverError::Busy)
    }
    async fn stats(&self, _: StatsAsk) -> Answer<StatsReport> {
        Err(DriverError::Busy)
    }
    async fn metrics(&self) -> Answer<Box<MetricsReport>> {
        Err(DriverError::Busy)
    }
    async fn invite(&self) -> Answer<String> {
        Ok("rc1".to_owned())
    }
    async fn logs(&self, _: TaskId, _: bool) -> Answer<mpsc::Receiver<LogEvent>> {
        Ok(mpsc::channel(1).1)
    }
    async fn live_state(&self, _: TaskId) -> Answer<Option<LiveState>> {
        Ok(None)
    }
    async fn shutdown(&self) {}
}

/// For an answer; nothing is waited for.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// The first line is method and path, the lines until an empty one are headers, the rest is the body.
fn request(bytes: &[u8]) {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime")
    });
    let (head, body) = match bytes.windows(2).position(|window| window == b"\n\n") {
        Some(at) => (&bytes[..at], &bytes[at + 2..]),
        None => (bytes, &b""[..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let mut words = first.splitn(2, |byte| *byte == b' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut built = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
    for line in lines {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let Ok(value) = HeaderValue::from_bytes(value) else { continue };
        built = built.header(name, value);
    }
    // What is none is refused before it comes to any route.
    let Ok(request) = built.body(Body::from(Bytes::copy_from_slice(body))) else { return };
    let routes = TowerToHyperService::new(door_socket(App::new(Nobody).0));
    let answered = runtime.block_on(async {
        tokio::time::timeout(ANSWER_TIME_MAX, async {
            let answer = routes.call(request).await.expect("routes do not fail");
            let (status, kind) = (answer.status(), answer.headers().get(header::CONTENT_TYPE).cloned());
            let body = axum::body::to_bytes(answer.into_body(), 1 << 24).await;
            (status, kind, body.is_ok())
        })
        .await
    });
    let (status, kind, whole) = answered.expect("an answer in time");
    assert!(whole && status.as_u16() != 500, "{status}");
    if status.is_client_error() || status.is_server_error() {
        let problem = kind.is_some_and(|kind| kind == "application/problem+json");
        assert!(problem, "{status} in no words for {:?}", String::from_utf8_lossy(first));
    }
}

fn requests() -> Vec<Vec<u8>> {
    [
        "GET /v1/tasks?limit=10&status=pending&open_of=a%20b",
        "POST /v1/tasks?disks=2\nidempotency-key: k\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n\n\
         {\"task_type\":\"echo\",\"payload\":{\"a\":1}}",
        "POST /v1/plan\n\n[{\"task_type\":\"fib\"}]",
        "GET /v1/tasks/01hzzzzzzzzzzzzzzzzzzzzzzz/result?wait=0.01",
        "GET /v1/tasks/last/logs?follow=true",
        "GET /v1/tasks/0/history",
        "GET /v1/tasks/ab/explain",
        "DELETE /v1/tasks/last",
        "POST /v1/tasks/last/retry",
        "POST /v1/batches\n\n{\"name\":\"n\",\"tasks\":[{\"task_type\":\"echo\"}]}",
        "GET /v1/batches/last?tasks=failed&limit=3",
        "POST /v1/flows?dry=true\n\n{\"tasks\":{\"a\":{\"task_type\":\"echo\"},\"b\":{\"after\":[\"a\"]}}}",
        "GET /v1/blobs/0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
        "PUT /v1/blobs\n\nabc",
        "PATCH /v1/policy\n\n{\"battery.min\":\"40\"}",
        "POST /v1/policy/pause\n\n{\"for\":\"30m\"}",
        "POST /v1/peers/attic/drain\n\n{}",
        "GET /v1/events\nlast-event-id: 1-2",
        "GET /v1/stats?period=24h&by=device",
        "POST /v1/simulate\n\n{\"without\":[\"a\"],\"add\":[{\"cpu_cores\":4}],\"replay\":\"6h\"}",
        "POST /v1/wait\n\n{\"tasks\":[\"last\"],\"seconds\":0.01}",
        "GET /metrics",
        "POST /tasks\n\n{\"task_type\":\"echo\"}",
        "GET /v1/peers",
        "GET /v1/invite",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}
