//! How an attempt ended. Only says what happened; what the task becomes by it is decided elsewhere.

use std::time::Duration;

use serde_json::Value;

use crate::handlers::{ErrorClass, ResourceUsage, TaskContext, TaskError};
use rc_scheduler::BlobRef;

/// Why an attempt was stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// Someone cancelled the task.
    Cancelled,
    /// The device needs its capacity for something else.
    Preempted,
    /// Another device has the task now.
    LeaseLost,
    /// The node is going down.
    Shutdown,
}

/// How an attempt ended. Without an error and not stopped, it succeeded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// The result. Also beside an error, if there is something to show.
    pub result: Option<Value>,
    /// What went wrong.
    pub error: Option<TaskError>,
    /// The error is that the time was up.
    pub timed_out: bool,
    /// It was told to stop before it was done.
    pub stopped: Option<StopReason>,
    /// It did not end when told to and was left behind; a thread of it may still run.
    pub abandoned: bool,
    /// What is kept of its standard output.
    pub stdout: String,
    /// What is kept of its standard error.
    pub stderr: String,
    /// Whether stdout or stderr was longer.
    pub truncated: bool,
    /// What it used.
    pub usage: ResourceUsage,
    /// The blobs that it made.
    pub blobs: Vec<BlobRef>,
    /// From start to end.
    pub duration: Duration,
}

impl Outcome {
    /// Of an attempt that never began.
    pub(super) fn failed(error: TaskError) -> Self {
        Self { error: Some(error), ..Self::default() }
    }

    /// Of an attempt whose handler returned.
    pub(super) fn of(returned: Result<Value, TaskError>) -> Self {
        match returned {
            Ok(value) => Self { result: Some(value), ..Self::default() },
            Err(mut error) => {
                let result = error.result.take().map(|boxed| *boxed);
                Self { result, timed_out: error.class == ErrorClass::TimeoutError, ..Self::failed(error) }
            }
        }
    }

    /// The same, of an attempt that ran out of time. What it had to show stays.
    pub(super) fn timed_out(self, limit: Duration) -> Self {
        let message = format!("not done within its limit of {limit:?}");
        let error = Some(TaskError::new(ErrorClass::TimeoutError, message));
        Self { error, timed_out: true, ..self }
    }

    /// The same, of an attempt that was told to stop. Being cancelled is no error.
    pub(super) fn stopped(self, why: StopReason) -> Self {
        let preempted = |message| Some(TaskError::new(ErrorClass::Preempted, message));
        let error = match why {
            StopReason::Cancelled => None,
            StopReason::Preempted => preempted("the device needed its capacity for something else"),
            StopReason::LeaseLost => preempted("another device has the task now"),
            StopReason::Shutdown => preempted("the device is shutting down"),
        };
        Self { error, stopped: Some(why), timed_out: false, ..self }
    }

    /// Adds what the context has collected.
    pub(super) fn with_context(mut self, ctx: &TaskContext) -> Self {
        let (stdout, stderr) = ctx.captured();
        self.truncated = stdout.truncated || stderr.truncated;
        self.stdout = stdout.text();
        self.stderr = stderr.text();
        self.usage = ctx.usage();
        self.blobs = ctx.blobs_made();
        self
    }
}
