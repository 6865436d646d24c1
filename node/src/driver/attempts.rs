//! From the core's words for an attempt to the executor's and back, and the form in which a result is stored.

use crate::executor::{self, Assignment};
use crate::handlers::{self, ResourceUsage};
use rc_scheduler::{ErrorClass, Outcome, Span, Start, StopReason};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// Longest [`ResultBody`] in bytes: a megabyte of result, which is what a payload may have, and the output. It travels to several
/// devices and stays on their disks.
const BODY_BYTES_MAX: usize = 2 << 20;

/// What an attempt left behind, as it is stored in [`Outcome::body`].
#[derive(Serialize, Debug, Clone, PartialEq)]
pub struct ResultBody {
    /// What the handler returned.
    pub result: Option<Value>,
    /// What is kept of its standard output.
    pub stdout: String,
    /// What is kept of its standard error.
    pub stderr: String,
    /// Something of the above was longer.
    pub truncated: bool,
    /// What it used.
    pub resource_usage: ResourceUsage,
}

impl ResultBody {
    fn to_json(&self) -> Vec<u8> {
        // Strings, numbers and values that were JSON before: nothing in it that cannot be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// JSON text of at most [`BODY_BYTES_MAX`]. What is too long goes as a whole, and the rest says so.
    fn into_bytes(mut self) -> Vec<u8> {
        let json = self.to_json();
        if json.len() <= BODY_BYTES_MAX {
            return json;
        }
        self.truncated = true;
        self.result = None;
        let json = self.to_json();
        if json.len() <= BODY_BYTES_MAX {
            return json;
        }
        self.stdout.clear();
        self.stderr.clear();
        self.to_json()
    }
}

/// What the executor is given.
pub(super) fn assignment(start: &Start) -> Assignment {
    Assignment {
        task: start.task.to_string(),
        epoch: start.epoch.0,
        attempt: start.attempt,
        task_type: start.spec.task_type.clone(),
        payload: start.payload.to_vec(),
        timeout: Duration::from_micros(start.timeout.0),
        traceparent: None,
        env: Vec::new(),
    }
}

/// What the core is told of an end.
pub(super) fn outcome(ended: executor::Outcome, started_wall_ms: u64, finished_wall_ms: u64) -> Outcome {
    let stopped = ended.stopped.is_some();
    let error = ended.error.map(|error| (class(error.class), error.message));
    // Stopped is not done, whatever was asked of it: the core decides what that means.
    let error = error.or_else(|| stopped.then(|| (ErrorClass::Preempted, "stopped before it was done".to_owned())));
    let body = ResultBody {
        result: ended.result,
        stdout: ended.stdout,
        stderr: ended.stderr,
        truncated: ended.truncated,
        resource_usage: ended.usage,
    };
    Outcome {
        error,
        body: body.into_bytes().into(),
        started_wall_ms,
        finished_wall_ms,
        run: Span(u64::try_from(ended.duration.as_micros()).unwrap_or(u64::MAX)),
    }
}

/// What the executor is told of a stop.
pub(super) fn stop_reason(why: StopReason) -> executor::StopReason {
    match why {
        StopReason::Cancelled => executor::StopReason::Cancelled,
        StopReason::Superseded | StopReason::Isolated | StopReason::Woke => executor::StopReason::LeaseLost,
        StopReason::Drained => executor::StopReason::Preempted,
    }
}

fn class(class: handlers::ErrorClass) -> ErrorClass {
    use handlers::ErrorClass as From;
    match class {
        From::NetworkError => ErrorClass::Network,
        From::TimeoutError => ErrorClass::Timeout,
        From::ResourceExhausted => ErrorClass::ResourceExhausted,
        From::DeviceLost => ErrorClass::DeviceLost,
        From::Preempted => ErrorClass::Preempted,
        From::InvalidPayload => ErrorClass::InvalidPayload,
        From::PermissionDenied => ErrorClass::PermissionDenied,
        From::UnsupportedOperation => ErrorClass::UnsupportedOperation,
        From::TaskError => ErrorClass::Task,
        From::DependencyFailed => ErrorClass::DependencyFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_stopped_attempt_is_never_a_good_end() {
        for why in [executor::StopReason::Cancelled, executor::StopReason::LeaseLost] {
            let ended = executor::Outcome { stopped: Some(why), ..executor::Outcome::default() };
            assert!(!outcome(ended, 0, 0).is_ok());
        }
        let ended = executor::Outcome { result: Some(json!(null)), ..executor::Outcome::default() };
        assert!(outcome(ended, 0, 0).is_ok());
    }

    #[test]
    fn a_result_that_is_too_long_says_so() {
        let ended = |bytes| executor::Outcome {
            result: Some(Value::String("x".repeat(bytes))),
            stdout: "out".to_owned(),
            ..executor::Outcome::default()
        };
        let body = |bytes| -> Value { serde_json::from_slice(&outcome(ended(bytes), 0, 0).body).unwrap() };
        assert_eq!(body(1 << 20)["truncated"], false);
        let long = body(BODY_BYTES_MAX);
        assert_eq!((&long["truncated"], &long["result"], &long["stdout"]), (&json!(true), &json!(null), &json!("out")));
    }
}
