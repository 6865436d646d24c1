//! Which path does what, and through which door.

mod blobs;
mod cluster;
mod events;
mod legacy;
mod logs;
mod metrics;
mod policy;
mod stats;
mod submit;
mod tasks;
mod wait;

use super::guard;
use super::node::NodeApi;
use super::problem::{Code, Problem};
use super::state::App;
use super::token::Token;
use axum::Router;
use axum::extract::{Request, rejection::QueryRejection};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::time::Duration;

/// Longest time for a request that does not wait for a task.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(60);

/// Longest time for one that carries large data, or has it copied.
const LARGE_TIME_MAX: Duration = Duration::from_secs(4 * 3600);

/// Everything, for the unix socket.
pub fn door_socket<N: NodeApi>(app: App<N>) -> Router {
    let owner = Router::new()
        .route("/v1/invite", get(cluster::invite::<N>))
        .route("/v1/shutdown", post(cluster::shutdown::<N>));
    finish(common().merge(owner).merge(open()), app)
}

/// For the TCP port: everything that needs no owner, behind the token; health is open.
pub fn door_http<N: NodeApi>(app: App<N>, token: Token) -> Router {
    let common = common().layer(middleware::from_fn_with_state(token, guard::check));
    finish(common.merge(open()), app)
}

fn common<N: NodeApi>() -> Router<App<N>> {
    let quick = Router::new()
        .route("/v1/tasks", get(tasks::list::<N>))
        .route("/v1/blobs", get(blobs::list::<N>))
        .route("/v1/tasks/{id}", get(tasks::show::<N>).delete(tasks::cancel::<N>))
        .route("/v1/tasks/{id}/history", get(tasks::history::<N>))
        .route("/v1/tasks/{id}/explain", get(tasks::explain::<N>))
        .route("/v1/peers", get(cluster::peers::<N>))
        .route("/v1/peers/{device}/{order}", post(policy::order::<N>))
        .route("/v1/policy", get(policy::show::<N>).patch(policy::set::<N>))
        .route("/v1/policy/pause", post(policy::pause::<N>))
        .route("/v1/policy/resume", post(policy::resume::<N>))
        .route("/v1/cluster", get(cluster::status::<N>))
        .route("/metrics", get(metrics::metrics::<N>))
        .route("/tasks/{id}", get(legacy::show::<N>).delete(legacy::cancel::<N>))
        .layer(middleware::from_fn(in_time));
    let patient = Router::new()
        .route("/v1/tasks/{id}/result", get(tasks::result::<N>))
        .route("/v1/wait", post(wait::wait::<N>))
        .route("/v1/tasks/{id}/logs", get(logs::logs::<N>))
        .route("/v1/events", get(events::events::<N>))
        .route("/v1/stats", get(stats::stats::<N>));
    // As long as large data takes; a body that stops coming ends with its connection.
    let large = Router::new()
        .route("/v1/tasks", post(submit::tasks::<N>))
        .route("/tasks", post(legacy::submit::<N>))
        .route("/v1/blobs", post(blobs::put::<N>).put(blobs::put::<N>))
        .route("/v1/blobs/{hash}", get(blobs::get::<N>))
        .layer(middleware::from_fn(in_long_time));
    quick.merge(patient).merge(large)
}

fn open<N: NodeApi>() -> Router<App<N>> {
    Router::new()
        .route("/healthz", get(cluster::healthz))
        .route("/readyz", get(cluster::readyz::<N>))
        .layer(middleware::from_fn(in_time))
}

fn finish<N: NodeApi>(router: Router<App<N>>, app: App<N>) -> Router {
    router.fallback(no_route).method_not_allowed_fallback(method).with_state(app)
}

async fn no_route(request: Request) -> Problem {
    Problem::new(Code::NoRoute, format!("no {} {}", request.method(), request.uri().path()))
}

async fn method(request: Request) -> Problem {
    Problem::new(Code::Method, format!("{} does not take {}", request.uri().path(), request.method()))
}

async fn in_time(request: Request, next: Next) -> Response {
    within(REQUEST_TIME_MAX, request, next).await
}

async fn in_long_time(request: Request, next: Next) -> Response {
    within(LARGE_TIME_MAX, request, next).await
}

async fn within(limit: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(Code::Timeout, format!("it took longer than {} s", limit.as_secs())).into_response(),
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(Code::InvalidRequest, rejection.body_text())
    }
}
