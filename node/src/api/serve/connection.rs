//! One HTTP/1.1 connection, and how many of them there may be.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

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
    slots: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
}

impl Connections {
    /// At most `most` at once; one more waits in the kernel's queue.
    pub(super) fn new(routes: Router, stopped: watch::Receiver<bool>, most: usize) -> Self {
        Self { routes, slots: Arc::new(Semaphore::new(most)), stopped }
    }

    /// A place for one more; waits until there is one.
    pub(super) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).acquire_owned().await.ok()
    }

    /// Serves until the client leaves, or until the answer that is under way when the node stops.
    pub(super) async fn serve<S>(mut self, stream: S, slot: OwnedSemaphorePermit)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = TowerToHyperService::new(self.routes);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME_MAX)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop(&mut self.stopped) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a client's connection ended early");
        }
        drop(slot);
    }
}

/// Returns when the node stops, or when nobody is left who could say so.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
