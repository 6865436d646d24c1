//! Why a task did not give a result. The classes are wire names; whether to retry is read off them elsewhere.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The network failed the task.
    NetworkError,
    /// The task was not done in its time.
    TimeoutError,
    /// The device had too little of something: memory, processes, open files.
    ResourceExhausted,
    /// The device went away.
    DeviceLost,
    /// The device needed its capacity for something else.
    Preempted,
    /// The payload can never work.
    InvalidPayload,
    /// Not granted.
    PermissionDenied,
    /// This device or this version cannot do that.
    UnsupportedOperation,
    /// The task itself failed: an exception, a non-zero exit.
    TaskError,
    /// A task that this one came after failed.
    DependencyFailed,
}

impl ErrorClass {
    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NetworkError => "network_error",
            Self::TimeoutError => "timeout_error",
            Self::ResourceExhausted => "resource_exhausted",
            Self::DeviceLost => "device_lost",
            Self::Preempted => "preempted",
            Self::InvalidPayload => "invalid_payload",
            Self::PermissionDenied => "permission_denied",
            Self::UnsupportedOperation => "unsupported_operation",
            Self::TaskError => "task_error",
            Self::DependencyFailed => "dependency_failed",
        }
    }

    /// Whether another attempt, perhaps elsewhere, may succeed when the task does not say otherwise.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::NetworkError | Self::TimeoutError | Self::ResourceExhausted | Self::DeviceLost | Self::Preempted
        )
    }
}

impl std::fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failed task.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{class}: {message}")]
pub struct TaskError {
    /// What kind of failure.
    pub class: ErrorClass,
    /// For the person who reads the result.
    pub message: String,
    /// What there is to show in spite of the failure: a command that exits with 3 still has its output. Boxed, because
    /// most errors have none and every handler returns one of these by value.
    pub result: Option<Box<Value>>,
}

impl TaskError {
    /// An error with nothing to show.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), result: None }
    }

    /// The same error with a partial result.
    #[must_use]
    pub fn with_result(mut self, result: Value) -> Self {
        self.result = Some(Box::new(result));
        self
    }

    /// [`ErrorClass::InvalidPayload`]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::InvalidPayload, message)
    }

    /// [`ErrorClass::TaskError`]
    pub fn task(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::TaskError, message)
    }

    /// What a handler returns when it ended early because it was told to. The executor knows why and says so.
    pub fn stopped() -> Self {
        Self::new(ErrorClass::Preempted, "stopped before it was done")
    }
}
