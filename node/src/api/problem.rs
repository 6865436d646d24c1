//! Errors as `application/problem+json` (RFC 9457) with a stable `code`: what, why, and what to do.

use super::model::Invalid;
use crate::blobs::BlobError;
use crate::driver::DriverError;
use crate::policy::PolicyError;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rc_scheduler::{Refusal, SpecError, TaskId};
use serde::{Deserialize, Serialize};

/// For whoever sends too much at once.
pub(super) const LARGE_HINT: &str = "put it in as a blob (`rc-node blob put`) and name that in the task's `blobs`";
const FULL_HINT: &str = "free some space, raise blobs_max_bytes, or use another device; what runs goes on";
const MISSING_HINT: &str = "put it in again, or ask again when the devices that have it are back";

macro_rules! codes {
    ($($(#[$meta:meta])* $variant:ident $word:literal $status:ident $title:literal,)+) => {
        /// What kind of problem. The words are stable; programs may compare them.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Code { $($(#[$meta])* $variant,)+ }

        impl Code {
            /// The word as it is written.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The code that is written as `word`.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }

            const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }
        }
    };
}

codes! {
    /// The request is malformed or out of range.
    InvalidRequest "invalid_request" BAD_REQUEST "the request is not valid",
    /// The payload or the whole body is too large.
    TooLarge "payload_too_large" PAYLOAD_TOO_LARGE "the request is too large",
    /// No or a wrong token.
    Unauthorized "unauthorized" UNAUTHORIZED "this request needs the node's token",
    /// The `Host` or `Origin` is not this node.
    Forbidden "forbidden_origin" FORBIDDEN "the request comes from elsewhere",
    /// No such path.
    NoRoute "no_such_path" NOT_FOUND "there is nothing at this path",
    /// The path has no such verb.
    Method "method_not_allowed" METHOD_NOT_ALLOWED "this path does not take this method",
    /// No member has the task.
    NotFound "task_not_found" NOT_FOUND "there is no such task",
    /// Nobody who answered has the task.
    Unknown "task_unknown" SERVICE_UNAVAILABLE "nobody who answers knows this task",
    /// Several tasks or devices match.
    Ambiguous "ambiguous_id" CONFLICT "several match",
    /// No member has a task of the batch.
    NoBatch "batch_not_found" NOT_FOUND "there is no such batch",
    /// No member is called so.
    NoDevice "device_not_found" NOT_FOUND "there is no such device",
    /// A device that was spoken to does not answer, or says no.
    NoAnswer "device_does_not_answer" BAD_GATEWAY "the device did not do it",
    /// A limit of the policy makes no sense, or is fixed.
    Policy "policy_refused" BAD_REQUEST "the policy stays as it is",
    /// The key came with another task before.
    KeyConflict "key_conflict" CONFLICT "the idempotency key belongs to another task",
    /// The task has not ended, or has a result.
    NotFailed "not_failed" CONFLICT "there is nothing to begin again",
    /// The node accepts no more tasks now.
    QueueFull "queue_full" TOO_MANY_REQUESTS "the node's queue is full",
    /// The node's disk refuses to store.
    Storage "storage_failed" INSUFFICIENT_STORAGE "the node's disk does not store",
    /// A bounded queue is full.
    Busy "busy" SERVICE_UNAVAILABLE "the node is too busy",
    /// The node is going down.
    Stopping "stopping" SERVICE_UNAVAILABLE "the node is stopping",
    /// A blob is nowhere, or nowhere that answers.
    BlobMissing "blob_missing" NOT_FOUND "the blob is not to be had",
    /// No room for a blob.
    BlobsFull "blobs_full" INSUFFICIENT_STORAGE "there is no room for it on this node",
    /// A part that the blob has not got.
    Range "range_not_satisfiable" RANGE_NOT_SATISFIABLE "the blob has no such part",
    /// It did not answer in time.
    Timeout "timeout" GATEWAY_TIMEOUT "the node did not answer in time",
}

/// An error as the API tells it, and as the client reads it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// A name for the kind of problem.
    #[serde(rename = "type", default)]
    pub kind: Box<str>,
    /// What, in a few words.
    pub title: Box<str>,
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// The kind as a stable word.
    #[serde(default)]
    pub code: Box<str>,
    /// Why, for this request.
    #[serde(default)]
    pub detail: Box<str>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<Box<str>>,
    /// The ids that match, if several do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<String>,
}

impl Problem {
    /// A problem of a kind.
    pub fn new(code: Code, detail: impl Into<Box<str>>) -> Self {
        Self {
            kind: format!("urn:rc-node:problem:{}", code.word()).into(),
            title: code.title().into(),
            status: code.status().as_u16(),
            code: code.word().into(),
            detail: detail.into(),
            hint: None,
            matches: Vec::new(),
        }
    }

    /// The same, with what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Box<str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Several tasks match `text`.
    #[must_use]
    pub fn ambiguous(text: &str, ids: &[TaskId]) -> Self {
        let detail = format!("{} or more ids begin with {text:?}", ids.len());
        let matches = ids.iter().map(TaskId::to_string).collect();
        Self { matches, ..Self::new(Code::Ambiguous, detail).hint("give more characters of the id") }
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        if invalid.too_large {
            return Self::new(Code::TooLarge, invalid.to_string()).hint(LARGE_HINT);
        }
        Self::new(Code::InvalidRequest, invalid.to_string())
    }
}

impl From<PolicyError> for Problem {
    fn from(error: PolicyError) -> Self {
        let text = error.to_string();
        match error {
            PolicyError::Rules(_) => Self::new(Code::Policy, text).hint("`rc-node policy show` lists the limits"),
            PolicyError::Fixed(_) => Self::new(Code::Policy, text).hint("start the node without that flag or variable"),
            PolicyError::Store(_) => Self::new(Code::Storage, text).hint("free some space; nothing was changed"),
            PolicyError::Stopping => Self::new(Code::Stopping, text).hint("start it again"),
        }
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        let text = error.to_string();
        match error {
            _ if error.is_full() => Self::new(Code::BlobsFull, text).hint(FULL_HINT),
            BlobError::TooLong { .. } => Self::new(Code::TooLarge, text),
            BlobError::Missing { .. } | BlobError::Damaged(_) => Self::new(Code::BlobMissing, text).hint(MISSING_HINT),
            _ => Self::new(Code::Storage, text).hint("see the node's log"),
        }
    }
}

impl From<DriverError> for Problem {
    fn from(error: DriverError) -> Self {
        let text = error.to_string();
        match error {
            DriverError::Stopping => Self::new(Code::Stopping, text).hint("start it again"),
            DriverError::Busy => Self::new(Code::Busy, text).hint("try again in a moment"),
            DriverError::NotFound => Self::new(Code::NotFound, "every member answered, and none has it")
                .hint("`rc-node ps` lists the cluster's tasks"),
            DriverError::Unknown(silent) => {
                let names: Vec<_> = silent.iter().take(8).map(ToString::to_string).collect();
                Self::new(Code::Unknown, format!("{text} ({})", names.join(", ")))
                    .hint("ask again when they are back; `rc-node peers` shows who is away")
            }
            DriverError::Refused(refusal) => refused(refusal),
            DriverError::PayloadTooLarge { .. } => Self::new(Code::TooLarge, text).hint(LARGE_HINT),
            DriverError::BlobsFull(_) => Self::new(Code::BlobsFull, text).hint(FULL_HINT),
            DriverError::BlobMissing(_) => Self::new(Code::BlobMissing, text).hint(MISSING_HINT),
        }
    }
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Spec { index, error } => {
            let code = match error {
                SpecError::PayloadTooLarge(_) | SpecError::SpecTooLarge(_) => Code::TooLarge,
                SpecError::NoTaskType
                | SpecError::TooManyBlobs(_)
                | SpecError::TooManyDependencies(_)
                | SpecError::TooManyUses(_)
                | SpecError::DependencyTwice(_)
                | SpecError::NotEarlier(_)
                | SpecError::BadUse(_)
                | SpecError::CopiesDoHarm
                | SpecError::CopiesOfExclusive
                | SpecError::BatchPlace(_) => Code::InvalidRequest,
            };
            Problem::new(code, format!("task {index}: {error}"))
        }
        Refusal::QueueFull { limit } => Problem::new(
            Code::QueueFull,
            format!("it holds {limit} open tasks, its limit; nothing of this request was accepted"),
        )
        .hint("wait until some are done, or submit to another device"),
        Refusal::NotFailed { status } => Problem::new(Code::NotFailed, format!("it is {status}"))
            .hint("only what ended as failed, timeout or cancelled can begin again"),
        Refusal::Storage => Problem::new(Code::Storage, "its disk is full or failing; nothing was accepted")
            .hint("free some space, or submit to another device"),
        Refusal::KeyConflict { earlier } => Problem {
            matches: vec![earlier.to_string()],
            ..Problem::new(
                Code::KeyConflict,
                format!("task {earlier} was submitted with it and asks for something else"),
            )
            .hint("use a new key for a new task")
        },
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, kind, body).into_response();
        // Whoever hands the answer on may know more; see `routes::lost`.
        response.extensions_mut().insert(self);
        let headers = response.headers_mut();
        if status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = header::HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
