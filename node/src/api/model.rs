//! The JSON that people and programs exchange with a node: task requests coming in, tasks, results and devices going out.
//! Knows the scheduler's words and their limits; nothing of HTTP, sockets or terminals.

mod batch;
mod blob;
mod body;
mod cluster;
mod event;
mod flow;
mod forecast;
mod links;
mod log;
mod number;
mod outcome;
mod policy;
mod registered;
mod request;
mod requirements;
mod sandbox;
mod stats;
mod task;
mod timestamp;
mod why;

#[cfg(test)]
mod tests;

pub use batch::{
    BatchAccepted, BatchDone, BatchHead, BatchRequest, BatchTaskView, BatchView, batch_tasks, batch_wall_ms,
    is_bad_end, new_batch_id,
};
pub use blob::{BlobView, BlobsView};
pub use body::{JSON_DEPTH_MAX, TASKS_PER_REQUEST_MAX, TaskRequests, parse_batch, parse_tasks, without_place};
pub use cluster::{ClusterView, PeerView, TermsView};
pub use event::EventView;
pub use flow::{FlowTaskView, FlowView, flow_tasks, parse_flow};
pub use forecast::{ExtraRequest, ForecastView, SimulateRequest, SimulateView, TaskForecastView};
pub use links::Links;
pub use log::{LogLines, LogView};
pub use number::{Invalid, SECONDS_MAX};
pub use outcome::{ErrorView, ResultView, Usage};
pub use policy::{LimitView, PolicyView, ReadingsView, ReasonView, parse_limits, parse_pause};
pub use registered::{BUILT_IN_TYPES, MODULE_KEPT_AS, Registered, TEMPLATE_KEPT_AS, is_keeper};
pub use request::{PURE_TASK_TYPES, TaskRequest, used_names};
pub use requirements::GB_BYTES;
pub use stats::{PercentilesView, StatsRowView, StatsView};
pub use task::{
    AcceptedView, AttemptView, BatchPlaceView, CancelledView, HistoryView, PlacementView, TaskDetail, TaskView,
    extra_name, status_filter,
};
pub use timestamp::{parse_rfc3339, rfc3339};
pub use why::{ContentionView, DecidedView, ExplainRowView, ExplainView, ExplainedView, WouldRunView};

use rc_scheduler::DeviceId;

/// How a device is called; its id, if nobody knows its name.
pub trait DeviceNames {
    /// The name of `device`.
    fn name(&self, device: DeviceId) -> String;
}
