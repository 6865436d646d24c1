//! Why a task is where it is, and where one would go: what a [`Handle`] says of it. The same on every device with the same view.

use super::handle::{DriverError, Handle};
use super::request::Request;
use rc_scheduler::{DeviceId, Epoch, ErrorClass, Reason, Row, Status, TaskId, TaskSpec};

/// Why a task is where it is.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The task; `None` if nobody has submitted it.
    pub task: Option<TaskId>,
    /// Its kind.
    pub task_type: String,
    /// On whose account it runs, if the task says so; else that of the device that accepted it.
    pub submitter: Option<String>,
    /// The device that accepted it.
    pub accepted_by: Option<DeviceId>,
    /// Where its facts say that it stands: they do not say whether an attempt has begun.
    pub status: Status,
    /// Why it does not go on.
    pub reason: Option<Reason>,
    /// The reason in words.
    pub detail: Option<String>,
    /// Its next attempt does not begin before this, milliseconds since 1970, as the device that failed it believed.
    pub not_before_wall_ms: Option<u64>,
    /// Why it failed, if it did.
    pub error: Option<(ErrorClass, String)>,
    /// Where it was placed last, or where it came to its end.
    pub placed: Option<Placed>,
    /// Hash of the view that all this comes from.
    pub view_hash: u64,
    /// Every device as it would suit the task now, the best first.
    pub rows: Vec<Row>,
}

/// A placement as it was decided.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Where.
    pub device: DeviceId,
    /// By whom.
    pub guardian: DeviceId,
    /// Under which lease.
    pub epoch: Epoch,
    /// Which attempt.
    pub attempt: u32,
    /// What the device scored then, parts per million. The terms are not written down.
    pub score_ppm: u32,
    /// What became of it.
    pub outcome: String,
}

impl Handle {
    /// Why the task is, was or is not placed.
    ///
    /// # Errors
    /// See [`DriverError`].
    pub async fn explain(&self, task: TaskId) -> Result<Explanation, DriverError> {
        self.ask(|answer| Request::Explain { task, answer }).await
    }

    /// Where tasks would go that nobody has submitted. Each for itself: the first does not take up room for the next.
    ///
    /// # Errors
    /// See [`DriverError`].
    pub async fn plan(&self, specs: Vec<TaskSpec>) -> Result<Vec<Explanation>, DriverError> {
        self.ask(|answer| Request::Plan { specs, answer }).await
    }
}
