//! What the API asks of a node: the driver's handle, or a fake in tests.

use crate::blobs::Blobs;
use crate::driver::{Accepted, DriverError, Explanation, Handle, HistoryRow, NodeStatus, PeerReport, TaskReport};
use crate::events::EventLog;
use crate::live::{LiveState, LogEvent};
use crate::metrics::MetricsReport;
use crate::policy::{Orders, PolicyHandle};
use crate::stats::{StatsAsk, StatsReport};
use crate::trace::{Trace, Traceparent, stamp};
use rc_scheduler::{DeviceId, NewTask, Status, TaskId};
use std::future::Future;
use tokio::sync::mpsc;

macro_rules! node_api {
    ($($(#[$meta:meta])* fn $name:ident($($arg:ident: $type:ty),*) -> $out:ty;)+) => {
        /// A node, as the API sees it; see [`Handle`] for what each call means.
        pub trait NodeApi: Clone + Send + Sync + 'static {
            $($(#[$meta])* fn $name(&self, $($arg: $type),*) -> impl Future<Output = Result<$out, DriverError>> + Send;)+
            /// Stops the node.
            fn shutdown(&self) -> impl Future<Output = ()> + Send;
            /// Large data; `None` if the node keeps none.
            fn blobs(&self) -> Option<&Blobs> {
                None
            }
            /// Puts tasks into a trace; without one, each into one of its own, if the node makes them.
            fn trace(&self, tasks: &mut [NewTask], context: Option<Traceparent>) {
                if let Some(context) = context {
                    for task in tasks {
                        stamp(task, || Trace::from(context));
                    }
                }
            }
            /// The last events; `None` if the node has no such thing.
            fn events(&self) -> Option<&EventLog> {
                None
            }
            /// When its owner lets it work, and the way to the others' policies; `None` if the node has no such thing.
            fn policy(&self) -> Option<(&PolicyHandle, &Orders)> {
                None
            }
        }

        impl NodeApi for Handle {
            $(fn $name(&self, $($arg: $type),*) -> impl Future<Output = Result<$out, DriverError>> + Send {
                Handle::$name(self, $($arg),*)
            })+
            fn shutdown(&self) -> impl Future<Output = ()> + Send {
                Handle::shutdown(self)
            }
            fn blobs(&self) -> Option<&Blobs> {
                Some(Handle::blobs(self))
            }
            fn trace(&self, tasks: &mut [NewTask], context: Option<Traceparent>) {
                Handle::trace(self, tasks, context);
            }
            fn events(&self) -> Option<&EventLog> {
                Some(Handle::events(self))
            }
            fn policy(&self) -> Option<(&PolicyHandle, &Orders)> {
                Some((Handle::policy(self), Handle::orders(self)))
            }
        }
    };
}

node_api! {
    /// Accepts tasks, all or none.
    fn submit(tasks: Vec<NewTask>, disks: Option<usize>) -> Accepted;
    /// Asks that a task not run.
    fn cancel(task: TaskId) -> Status;
    /// Where a task stands.
    fn task(task: TaskId) -> TaskReport;
    /// Waits until the task's end may be reported.
    fn wait(task: TaskId) -> TaskReport;
    /// Waits for many at once; the ends come as they may be reported.
    fn wait_many(tasks: Vec<TaskId>) -> mpsc::Receiver<(TaskId, Result<TaskReport, DriverError>)>;
    /// Every fact of a task.
    fn history(task: TaskId) -> Vec<HistoryRow>;
    /// Ids that begin so, or `last`.
    fn find(prefix: String) -> Vec<TaskId>;
    /// The cluster's tasks, newest first, and the members that did not answer.
    fn list(limit: u32) -> (Vec<TaskReport>, Vec<DeviceId>);
    /// The tasks of one type that have not ended, and the members that did not answer.
    fn open_of(task_type: String) -> (Vec<TaskReport>, Vec<DeviceId>);
    /// Members, this device first.
    fn peers() -> Vec<PeerReport>;
    /// Why the task is, was or is not placed.
    fn explain(task: TaskId) -> Explanation;
    /// This node.
    fn status() -> NodeStatus;
    /// What the tasks of a period came to.
    fn stats(ask: StatsAsk) -> StatsReport;
    /// This device's figures.
    fn metrics() -> Box<MetricsReport>;
    /// The text of a ticket.
    fn invite() -> String;
    /// What a task wrote and, if it is followed, what it will write.
    fn logs(task: TaskId, stay: bool) -> mpsc::Receiver<LogEvent>;
    /// How the attempt that runs is getting on.
    fn live_state(task: TaskId) -> Option<LiveState>;
}
