//! The JSON that people and programs exchange with a node: task requests coming in, tasks, results and devices going out.
//! Knows the scheduler's words and their limits; nothing of HTTP, sockets or terminals.

mod blob;
mod body;
mod cluster;
mod event;
mod log;
mod number;
mod outcome;
mod policy;
mod request;
mod requirements;
mod sandbox;
mod stats;
mod task;
mod timestamp;

#[cfg(test)]
mod tests;

pub use blob::{BlobView, BlobsView};
pub use body::{JSON_DEPTH_MAX, TASKS_PER_REQUEST_MAX, TaskRequests, parse_tasks};
pub use cluster::{ClusterView, PeerView, TermsView};
pub use event::EventView;
pub use log::{LogLines, LogView};
pub use number::{Invalid, SECONDS_MAX};
pub use outcome::{ErrorView, ResultView, Usage};
pub use policy::{LimitView, PolicyView, ReadingsView, ReasonView, parse_limits, parse_pause};
pub use request::{PURE_TASK_TYPES, TaskRequest};
pub use requirements::GB_BYTES;
pub use stats::{PercentilesView, StatsRowView, StatsView};
pub use task::{
    AcceptedView, AttemptView, CancelledView, ExplainRowView, ExplainView, HistoryView, PlacementView, TaskDetail,
    TaskView, status_filter,
};
pub use timestamp::{parse_rfc3339, rfc3339};

use rc_scheduler::DeviceId;

/// How a device is called; its id, if nobody knows its name.
pub trait DeviceNames {
    /// The name of `device`.
    fn name(&self, device: DeviceId) -> String;
}
