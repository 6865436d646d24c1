//! What a task is: its specification (what was asked), its retry policy, and the words for where it stands.

mod after;
mod retry;
mod spec;
mod status;

pub use after::{AFTER_MAX, DEPENDENCY_FACTS_MAX, DependencyGroup, USES_MAX, dependency_groups};
pub use retry::{Backoff, CRASH_LIMIT_MAX, RetryPolicy};
pub use spec::{
    BATCH_TASKS_MAX, BatchPlace, PAYLOAD_BYTES_MAX, Priority, Requirements, Role, SPEC_BYTES_MAX, SpecError, TaskSpec,
};
pub(crate) use status::words;
pub use status::{ErrorClass, Reason, Status};
