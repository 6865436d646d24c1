//! One HTTP/1.1 connection, from its first byte to its last answer.

use super::visit::{Visit, Visits};
use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// Longest time for the head of a request; an idle connection is closed after it.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);
const HEADERS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// After a failed accept (no file descriptors left): the listener must not spin.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a listener needs for each of its connections.
#[derive(Clone)]
pub(super) struct Connections {
    routes: Router,
    visits: Visits,
    stopped: watch::Receiver<bool>,
}

impl Connections {
    /// At most `most` at once.
    pub(super) fn new(routes: Router, stopped: watch::Receiver<bool>, most: usize) -> Self {
        Self { routes, visits: Visits::new(most), stopped }
    }

    /// A place for one more; waits until there is one.
    pub(super) async fn enter(&self) -> Option<Visit> {
        self.visits.enter().await
    }

    /// Serves until the client leaves, until somebody else needs the place of one that asks for nothing, or until the answer that is
    /// under way when the node stops.
    pub(super) async fn serve<S>(mut self, stream: S, visit: Visit)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (routes, visit) = (TowerToHyperService::new(self.routes), Arc::new(visit));
        let visitor = Arc::clone(&visit);
        let service = service_fn(move |request| {
            let (busy, answer) = (Visit::begin(&visitor), routes.call(request));
            async move { answer.await.map(|answer| answer.map(|body| Body::new(busy.until_sent(body)))) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME_MAX)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let mut last = false;
        let ended = loop {
            tokio::select! {
                ended = connection.as_mut() => break ended,
                () = stop(&mut self.stopped), if !last => {
                    last = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = visit.shown_out() => {
                    if !visit.is_busy() {
                        tracing::debug!("a connection that asked for nothing made room for another");
                        return;
                    }
                    last = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a client's connection ended early");
        }
    }
}

/// Returns when the node stops, or when nobody is left who could say so.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
