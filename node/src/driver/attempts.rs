//! From the core's words for an attempt to the executor's and back, and the form in which a result is stored.

use crate::blobs::BodyBlobs;
use crate::executor::{self, Assignment, Listener};
use crate::handlers::{self, Permission, ResourceUsage, SandboxAsk};
use crate::trace::Trace;
use rc_scheduler::{Bytes, ErrorClass, Outcome, Span, Start, StopReason};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

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

    /// JSON text of at most `limit` bytes. What is too long goes as a whole, and the rest says so.
    fn into_bytes(mut self, limit: u64) -> Vec<u8> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let json = self.to_json();
        if json.len() <= limit {
            return json;
        }
        self.truncated = true;
        self.result = None;
        let json = self.to_json();
        if json.len() <= limit {
            return json;
        }
        self.stdout.clear();
        self.stderr.clear();
        self.to_json()
    }
}

/// The body of an attempt that left nothing, or nothing that can be kept.
pub(super) fn no_body() -> Bytes {
    let usage = ResourceUsage::default();
    let body = ResultBody {
        result: None,
        stdout: String::new(),
        stderr: String::new(),
        truncated: true,
        resource_usage: usage,
    };
    body.to_json().into()
}

/// A body that names the blobs that the attempt made, before all else that it says.
pub(crate) fn with_blobs(blobs: &BodyBlobs, body: &[u8]) -> Bytes {
    let mut text = serde_json::to_vec(blobs).unwrap_or_default();
    match (text.len(), body) {
        // Two objects become one.
        (3.., [b'{', rest @ ..]) => {
            text.pop();
            text.push(b',');
            text.extend_from_slice(rest);
            text.into()
        }
        _ => body.into(),
    }
}

/// What the executor is given, of which so much time is over.
pub(super) fn assignment(start: &Start, payload: Vec<u8>, over: Duration) -> Assignment {
    Assignment {
        task: start.task.to_string(),
        epoch: start.epoch.0,
        attempt: start.attempt,
        task_type: start.spec.task_type.clone(),
        payload,
        timeout: Duration::from_micros(start.timeout.0).saturating_sub(over),
        traceparent: Some(Trace::of(start.task, Some(&start.spec)).of_attempt(start.task, start.epoch).to_string()),
        sandbox: SandboxAsk {
            writes: start.spec.required_permissions.contains(Permission::WriteFiles.as_str()),
            ..SandboxAsk::of(&start.spec.extra)
        },
        env: Vec::new(),
        listener: Listener::default(),
    }
}

/// What the core is told of an end, with a body of at most so many bytes.
pub(super) fn outcome(
    ended: executor::Outcome,
    started_wall_ms: u64,
    finished_wall_ms: u64,
    body_bytes_max: u64,
) -> Outcome {
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
        body: body.into_bytes(body_bytes_max).into(),
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

    const MAX: u64 = 2 << 20;

    #[test]
    fn a_stopped_attempt_is_never_a_good_end() {
        for why in [executor::StopReason::Cancelled, executor::StopReason::LeaseLost] {
            let ended = executor::Outcome { stopped: Some(why), ..executor::Outcome::default() };
            assert!(!outcome(ended, 0, 0, MAX).is_ok());
        }
        let ended = executor::Outcome { result: Some(json!(null)), ..executor::Outcome::default() };
        assert!(outcome(ended, 0, 0, MAX).is_ok());
    }

    #[test]
    fn a_body_names_the_blobs_of_the_attempt_first() {
        let blob = rc_scheduler::BlobRef { hash: rc_scheduler::BlobHash([3; 32]), bytes: 9 };
        let blobs = BodyBlobs { made: vec![blob], disks: Some(2), body: None };
        let ended = executor::Outcome { result: Some(json!([1])), ..executor::Outcome::default() };
        let plain = outcome(ended, 0, 0, MAX).body;
        assert_eq!(with_blobs(&BodyBlobs::default(), &plain), plain);
        let named = with_blobs(&blobs, &plain);
        assert_eq!(BodyBlobs::of(&named), blobs);
        assert_eq!(BodyBlobs::of(&plain), BodyBlobs::default());
        let value: Value = serde_json::from_slice(&named).unwrap();
        assert_eq!((&value["result"], &value["stdout"]), (&json!([1]), &json!("")));
    }

    #[test]
    fn a_result_that_is_too_long_says_so() {
        let ended = |bytes| executor::Outcome {
            result: Some(Value::String("x".repeat(bytes))),
            stdout: "out".to_owned(),
            ..executor::Outcome::default()
        };
        let body = |bytes| -> Value { serde_json::from_slice(&outcome(ended(bytes), 0, 0, MAX).body).unwrap() };
        assert_eq!(body(1 << 20)["truncated"], false);
        let long = body(2 << 20);
        assert_eq!((&long["truncated"], &long["result"], &long["stdout"]), (&json!(true), &json!(null), &json!("out")));
    }
}
