//! What happens to tasks, told to a program that has a node in it.

use crate::driver::{DriverError, Handle};
use rc_scheduler::{DeviceId, Event, Status, TaskId};
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;

/// Hears of the tasks that this device keeps, whoever submitted and whoever runs them, and of those that run here. Called one after
/// the other on a task of its own: a slow hook holds up the next, not the node. One that is too slow for what happens misses some.
pub trait Hooks: Send + Sync {
    /// It was accepted.
    fn on_submit(&self, _task: TaskId) {}
    /// A device was chosen for its next attempt.
    fn on_schedule(&self, _task: TaskId, _device: DeviceId) {}
    /// An attempt runs.
    fn on_start(&self, _task: TaskId) {}
    /// It says how far it is, in percent.
    fn on_progress(&self, _task: TaskId, _percent: Option<u8>, _text: &str) {}
    /// It is done, and its result is recorded.
    fn on_complete(&self, _task: TaskId) {}
    /// It ended otherwise: a class of error, or `cancelled`.
    fn on_error(&self, _task: TaskId, _class: &str, _message: &str) {}
}

/// Tells until the node stops.
pub(super) async fn tell(hooks: Arc<dyn Hooks>, handle: Handle) {
    let mut news = handle.watch();
    loop {
        match news.recv().await {
            Ok(Event::Submitted { task }) => hooks.on_submit(task),
            Ok(Event::Leased { task, to, .. }) => hooks.on_schedule(task, to),
            Ok(Event::Started { task, .. }) => hooks.on_start(task),
            Ok(Event::Progress { task, percent, text, .. }) => hooks.on_progress(task, percent, &text),
            Ok(Event::Settled { task }) => match handle.task(task).await {
                Err(DriverError::Stopping) => return,
                // Gone already: nobody can say how it ended.
                Err(_) => {}
                Ok(report) if report.status == Status::Completed => hooks.on_complete(task),
                Ok(report) => match &report.error {
                    Some((class, message)) => hooks.on_error(task, class.word(), message),
                    None => hooks.on_error(task, report.status.word(), ""),
                },
            },
            Ok(_) => {}
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "hooks are too slow for what happens"),
            Err(RecvError::Closed) => return,
        }
    }
}
