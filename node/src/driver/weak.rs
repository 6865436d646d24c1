//! A handle of the driver for those whom the node outlives: they ask it, and do not keep it running.

use super::ended::EndedPart;
use super::handle::DriverError;
use super::request::Request;
use rc_scheduler::{DeviceId, EndedAsk, Epoch, TaskId};
use tokio::sync::{mpsc, oneshot};

/// A [`Handle`](super::Handle) which keeps no node running.
#[derive(Clone, Debug)]
pub(crate) struct WeakHandle(pub(super) mpsc::WeakSender<Request>);

impl WeakHandle {
    /// One that knows one answer, for tests.
    #[cfg(test)]
    pub(crate) fn that_says(device: DeviceId) -> Self {
        let (requests, mut asked) = mpsc::channel(1);
        let weak = Self(requests.downgrade());
        tokio::spawn(async move {
            while let Some(request) = asked.recv().await {
                match request {
                    Request::Holder { answer, .. } => drop(answer.send(Ok(Some(device)))),
                    Request::Copies { answer, .. } => drop(answer.send(Ok(vec![device]))),
                    _ => {}
                }
            }
            drop(requests);
        });
        weak
    }

    /// The device that a lease was given to, if this one keeps the task and knows of the lease.
    pub(crate) async fn holder(&self, task: TaskId, epoch: Epoch) -> Option<DeviceId> {
        let (answer, answered) = oneshot::channel();
        self.0.upgrade()?.send(Request::Holder { task, epoch, answer }).await.ok()?;
        answered.await.ok()?.ok()?
    }

    /// The next ended tasks that this device is to tell of.
    pub(crate) async fn ended(&self, ask: EndedAsk) -> Result<EndedPart, DriverError> {
        let (answer, answered) = oneshot::channel();
        let requests = self.0.upgrade().ok_or(DriverError::Stopping)?;
        requests.send(Request::Ended { ask, answer }).await.map_err(|_| DriverError::Stopping)?;
        answered.await.map_err(|_| DriverError::Busy)?
    }

    /// Who gets a copy of what an attempt here writes; nobody, if the node stops.
    pub(crate) async fn copies(&self, task: TaskId) -> Vec<DeviceId> {
        let (answer, answered) = oneshot::channel();
        let Some(requests) = self.0.upgrade() else { return Vec::new() };
        if requests.send(Request::Copies { task, answer }).await.is_err() {
            return Vec::new();
        }
        answered.await.ok().and_then(Result::ok).unwrap_or_default()
    }
}
