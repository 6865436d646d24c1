//! What node and worker say to each other about an evaluation.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One evaluation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) expression: String,
    pub(super) limit_ms: u64,
    pub(super) print_bytes_max: usize,
    /// Of a single value.
    pub(super) memory_bytes: usize,
}

/// How it went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) value: Result<Evaluated, (Failure, String)>,
    pub(super) printed: String,
    /// Whether more was printed than is kept.
    pub(super) printed_more: bool,
    pub(super) cpu_micros: Option<u64>,
    /// Of the worker, earlier evaluations included.
    pub(super) memory_bytes: Option<u64>,
}

impl Reply {
    /// What ran out of memory once may be left with little, and a broken interpreter is not asked again.
    pub(super) fn spoils(&self) -> bool {
        matches!(self.value, Err((Failure::Broken | Failure::TooLarge, _)))
    }
}

/// A value. `repr` only if JSON cannot say it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Evaluated {
    pub(super) result: Value,
    pub(super) repr: Option<String>,
}

/// Why there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Failure {
    /// The code raised an exception.
    Raised,
    /// The time was up.
    TimeUp,
    /// Too much memory, or a result too large to hand over.
    TooLarge,
    /// The interpreter failed, not the code.
    Broken,
}
