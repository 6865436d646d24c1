//! Asking about batches, and having tasks begin again.

use super::handle::{DriverError, Handle};
use super::request::Request;
use rc_scheduler::{BatchFound, BatchId, DeviceId, Status, TaskId};

/// Batches, each with the number of its tasks, and the members that did not answer.
pub type BatchList = (Vec<(BatchId, u32)>, Vec<DeviceId>);

impl Handle {
    /// Lets a task that ended without a result begin again; answers where it stands then.
    pub async fn reopen(&self, task: TaskId) -> Result<Status, DriverError> {
        self.ask(|answer| Request::Reopen { task, answer }).await
    }

    /// Where the tasks of a batch stand, with the ids of those that stand as one of `which` and of the first; and the members that did
    /// not answer.
    pub async fn batch(&self, batch: BatchId, which: Vec<Status>) -> Result<(BatchFound, Vec<DeviceId>), DriverError> {
        self.ask(|answer| Request::Batch { batch, which, answer }).await
    }

    /// The cluster's batches, newest first, each with the number of its tasks; and the members that did not answer.
    pub async fn batches(&self, limit: u32) -> Result<BatchList, DriverError> {
        self.ask(|answer| Request::Batches { limit, answer }).await
    }
}
