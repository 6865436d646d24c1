//! Which path does what, and through which door.

mod batches;
mod blobs;
mod cluster;
mod events;
mod flows;
mod legacy;
mod logs;
mod lost;
mod metrics;
mod plan;
mod policy;
mod simulate;
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
use axum::routing::{delete, get, post};
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
        .route("/v1/batches", get(batches::list::<N>))
        .route("/v1/batches/{id}", get(batches::show::<N>))
        .route("/v1/flows", get(flows::list::<N>))
        .route("/v1/flows/{id}", get(flows::show::<N>))
        .route("/v1/blobs", get(blobs::list::<N>))
        .route("/v1/tasks/{id}/retry", post(tasks::retry::<N>))
        .route("/v1/tasks/{id}", get(tasks::show::<N>).delete(tasks::cancel::<N>))
        .route("/v1/tasks/{id}/history", get(tasks::history::<N>))
        .route("/v1/tasks/{id}/explain", get(tasks::explain::<N>))
        .route("/v1/plan", post(plan::plan::<N>))
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
        .route("/v1/stats", get(stats::stats::<N>))
        .route("/v1/simulate", post(simulate::simulate::<N>));
    // As long as large data takes; a body that stops coming ends with its connection.
    let large = Router::new()
        .route("/v1/tasks", post(submit::tasks::<N>))
        .route("/v1/batches", post(batches::submit::<N>))
        .route("/v1/batches/{id}", delete(batches::cancel::<N>))
        .route("/v1/batches/{id}/retry-failed", post(batches::retry_failed::<N>))
        .route("/v1/flows", post(flows::run::<N>))
        .route("/v1/flows/{id}", delete(batches::cancel::<N>))
        .route("/v1/flows/{id}/retry-failed", post(batches::retry_failed::<N>))
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
    let router = router.fallback(no_route).method_not_allowed_fallback(method);
    let router = router.layer(middleware::from_fn_with_state(app.clone(), lost::explain::<N>));
    router.layer(middleware::from_fn(path_of_text)).with_state(app)
}

/// What stands in a path is a name, and a name is text, also where it is written in hexadecimal.
async fn path_of_text(request: Request, next: Next) -> Response {
    if is_text(request.uri().path()) {
        return next.run(request).await;
    }
    Problem::new(Code::InvalidRequest, "what the path says with % is no UTF-8").into_response()
}

fn is_text(path: &str) -> bool {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let escaped = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    std::str::from_utf8(&bytes).is_ok()
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

#[cfg(test)]
mod tests {
    use super::is_text;

    #[test]
    fn a_path_is_text_or_refused() {
        for text in ["/v1/tasks/last", "/a%20b/%C3%bc", "/%", "/%2", "/%zz%", "/100%/x", "/%e2%82%ac"] {
            assert!(is_text(text), "{text}");
        }
        for noise in ["/%ff", "/%c3", "/v1/blobs/0b%b0", "/%C3%28", "/%ed%a0%80"] {
            assert!(!is_text(noise), "{noise}");
        }
    }
}
