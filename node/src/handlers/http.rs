//! `http_request`: one HTTP or HTTPS request, and what came back.
//!
//! It can reach the Internet and nothing nearer: every address, of the first request and of each redirect, is looked at before it is
//! dialled, and private ones, this device and the cluster's devices are refused unless the owner allows them. Time, redirects,
//! headers and body are bounded. The result is `{status_code, headers, content, url}`; a body that is long or no text is a blob
//! instead: `content` is `null`, and `blob` and `bytes` say which.

mod address;
mod body;
mod dial;
mod exchange;
mod payload;
mod post;

pub use address::{AllowedError, AllowedTarget};
pub(crate) use post::Poster;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::{ErrorClass, Permission, TaskContext, TaskError, TaskHandler};
use dial::Dialler;
use payload::HttpPayload;

/// Time for everything, unless the payload says less or more.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// Tells whether an address is one of the cluster's devices.
pub type IsMember = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// The handler of `http_request`.
pub struct HttpRequest {
    dialler: Dialler,
}

impl HttpRequest {
    /// A handler that reaches public addresses, and those that the owner allows.
    pub fn new(allowed: Vec<AllowedTarget>, is_member: IsMember) -> Self {
        Self { dialler: Dialler::new(allowed, is_member) }
    }

    /// The same, trusting other authorities than browsers do.
    #[must_use]
    pub fn with_roots(mut self, roots: rustls::RootCertStore) -> Self {
        self.dialler.trust(roots);
        self
    }
}

#[async_trait]
impl TaskHandler for HttpRequest {
    fn task_type(&self) -> &str {
        "http_request"
    }

    fn permissions(&self) -> &[Permission] {
        &[Permission::NetworkAccess]
    }

    fn runs_inline(&self) -> bool {
        true
    }

    async fn execute(&self, ctx: TaskContext, payload: Value) -> Result<Value, TaskError> {
        let payload = HttpPayload::read(&payload)?;
        let limit = payload.timeout.unwrap_or(TIMEOUT_DEFAULT);
        tokio::select! {
            biased;
            () = ctx.cancelled() => Err(TaskError::stopped()),
            done = tokio::time::timeout(limit, exchange::exchange(&ctx, &self.dialler, payload)) => {
                let late = || TaskError::new(ErrorClass::TimeoutError, format!("no whole answer within {limit:?}"));
                done.unwrap_or_else(|_| Err(late()))
            }
        }
    }
}

/// Reads a payload. Only for those who throw bytes at it.
pub(super) fn hear_payload(payload: &Value) {
    drop(HttpPayload::read(payload));
}

pub(crate) use exchange::hear;

#[cfg(test)]
mod tests;
