//! What would happen: the cluster's devices and tasks as they are, put into scheduler cores of their own that run in virtual time.
//!
//! Nothing is made up. How long a task takes is taken from records of tasks that have ended; where there is none, its timeout is the
//! bound, and that is said. Links and disks take a millisecond each, attempts come to a good end, and sensors stay as they are but for
//! the hours and pauses whose end is known. Changes nothing and asks nobody.

mod cluster;
mod scene;
#[cfg(test)]
mod tests;
mod times;

pub use scene::{Asked, Extra};
pub(crate) use scene::{extra_of, forecast};

use rc_scheduler::{DeviceId, TaskId};
use std::time::Duration;

/// Devices and tasks that are looked at; of more tasks, the newest.
pub const DEVICES_MAX: usize = 64;
/// See [`DEVICES_MAX`].
pub const TASKS_MAX: usize = 5_000;
/// Longest time that it may take on this device.
const WORK_TIME_MAX: Duration = Duration::from_secs(30);

/// It cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForecastError {
    /// The question makes no sense.
    #[error("{0}")]
    Asked(String),
    /// More devices than are looked at.
    #[error("{0} devices; at most {DEVICES_MAX} can be looked at")]
    TooManyDevices(usize),
    /// It takes too long.
    #[error("more than {} s of work for this device; ask for less", WORK_TIME_MAX.as_secs())]
    TooLong,
    /// The cores would not begin.
    #[error("the virtual cluster does not start: {0}")]
    Broken(String),
}

/// What would happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// Milliseconds until the last task that fits has ended; for a replay, from the first submit on.
    pub makespan_ms: u64,
    /// Each task, in the order in which they were submitted.
    pub tasks: Vec<TaskForecast>,
}

/// What would become of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskForecast {
    /// The task that it stands for.
    pub task: TaskId,
    /// Its kind.
    pub task_type: String,
    /// When it was submitted: milliseconds from now (all of the open ones have been), for a replay from the first submit.
    pub submitted_ms: u64,
    /// Where it would run, when it would begin, and when it would end: milliseconds from now, for a replay from the first submit.
    pub runs: Option<(DeviceId, u64, u64)>,
    /// Why it would not run.
    pub misfit: Option<String>,
    /// Where its running time is from.
    pub basis: Basis,
}

/// Where a running time is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Its own record: it has run there.
    Own,
    /// The median of so many runs of its like on that device.
    There(usize),
    /// The median of so many runs of its like on other devices.
    Elsewhere(usize),
    /// No record of its like: its timeout, which it cannot exceed.
    Timeout,
}
