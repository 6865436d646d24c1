//! What was asked. Integers only: whoever reads JSON turns fractions into bytes and thousandths before it gets here.

use super::after::{AFTER_MAX, USES_MAX};
use super::retry::RetryPolicy;
use super::status::words;
use crate::blob::{BLOBS_PER_TASK_MAX, BlobRef};
use crate::bytes::Bytes;
use crate::id::{BatchId, DeviceId, TaskId};
use crate::time::Span;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// The longest payload or outcome that travels inside a fact, bytes; a longer one is a blob. Older records with longer ones are read.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;
/// The longest encoded specification without its payload, bytes.
pub const SPEC_BYTES_MAX: usize = 64 * 1024;

/// Most tasks of one batch.
pub const BATCH_TASKS_MAX: u32 = 10_000;

words! {
    /// How urgent; by name only.
    Priority {
        /// Weight 0.1.
        Background = 0 "background",
        /// Weight 0.3.
        Low = 1 "low",
        /// Weight 0.5.
        Normal = 2 "normal",
        /// Weight 0.8.
        High = 3 "high",
        /// Weight 1.0.
        Urgent = 4 "urgent",
    }
}

impl Priority {
    /// The weight in the dynamic priority, in thousandths.
    #[must_use]
    pub const fn weight_permille(self) -> u32 {
        match self {
            Self::Background => 100,
            Self::Low => 300,
            Self::Normal => 500,
            Self::High => 800,
            Self::Urgent => 1_000,
        }
    }
}

words! {
    /// What a device is for, as its owner sees it.
    Role {
        /// Anything.
        Worker = 0 "worker",
        /// Heavy work.
        Compute = 1 "compute",
        /// Much disk.
        Storage = 2 "storage",
        /// Carried around; on battery.
        Mobile = 3 "mobile",
    }
}

/// A task's place among those that were handed in with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BatchPlace {
    /// The batch.
    #[serde(rename = "i")]
    pub batch: BatchId,
    /// Its place, from 0.
    #[serde(rename = "n")]
    pub index: u32,
    /// Of how many; at most [`BATCH_TASKS_MAX`].
    #[serde(rename = "o")]
    pub of: u32,
}

impl BatchPlace {
    /// There can be such a place.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.index < self.of && self.of <= BATCH_TASKS_MAX
    }
}

/// A task's specification, all but its payload. Its CBOR form is what the task's id is a hash of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TaskSpec {
    /// The kind of work; names a handler.
    #[serde(rename = "t")]
    pub task_type: String,
    /// How urgent.
    #[serde(rename = "p")]
    pub priority: Priority,
    /// Longest run of one attempt.
    #[serde(rename = "l")]
    pub timeout: Span,
    /// What a device must have.
    #[serde(rename = "r", default)]
    pub requirements: Requirements,
    /// What happens after a failure.
    #[serde(rename = "y", default)]
    pub retry: RetryPolicy,
    /// Permissions the task needs from the device's owner.
    #[serde(rename = "q", default, skip_serializing_if = "BTreeSet::is_empty")]
    pub required_permissions: BTreeSet<String>,
    /// Tasks that must complete first.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<TaskId>,
    /// Places in `after` of those whose results an attempt is given.
    #[serde(rename = "u", default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<u32>,
    /// Running it twice at once may do harm; a pure function's second run is only a waste.
    #[serde(rename = "e", default)]
    pub side_effects: bool,
    /// The caller's name for this request; the same key and spec are the same task.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// What people and handlers want to know and the core does not: name, labels, metadata, sandbox. JSON text.
    #[serde(rename = "x", default)]
    pub extra: Bytes,
    /// The payload, if it is too long to travel inside; then the one in the task is empty.
    #[serde(rename = "z", default, skip_serializing_if = "Option::is_none")]
    pub payload_blob: Option<BlobRef>,
    /// Other blobs that the task works with; kept as long as the task is.
    #[serde(rename = "b", default, skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<BlobRef>,
    /// The batch that it is one of.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchPlace>,
    /// On whose account it runs: tasks of the same priority are shared out evenly among those. Without it, that of the device that
    /// accepted it.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub submitter: Option<String>,
    /// An attempt that takes far longer than others of its type may get a copy beside it on another device; the first result counts.
    /// Only for what does no harm when it runs twice at once.
    #[serde(rename = "d", default, skip_serializing_if = "core::ops::Not::not")]
    pub speculative: bool,
}

impl TaskSpec {
    /// All blobs that it names.
    pub fn all_blobs(&self) -> impl Iterator<Item = BlobRef> + '_ {
        self.payload_blob.iter().chain(&self.blobs).copied()
    }

    /// A copy may run beside an attempt of it: it asks for that, and two at once do no harm.
    #[must_use]
    pub const fn may_be_copied(&self) -> bool {
        self.speculative && !self.side_effects && !self.requirements.exclusive
    }
}

impl Default for TaskSpec {
    fn default() -> Self {
        Self {
            task_type: String::new(),
            priority: Priority::Normal,
            timeout: Span::from_secs(300),
            requirements: Requirements::default(),
            retry: RetryPolicy::default(),
            required_permissions: BTreeSet::new(),
            after: Vec::new(),
            uses: Vec::new(),
            side_effects: false,
            idempotency_key: None,
            extra: Bytes::default(),
            payload_blob: None,
            blobs: Vec::new(),
            batch: None,
            submitter: None,
            speculative: false,
        }
    }
}

/// What a device must have to be given the task. Empty means anything.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Requirements {
    /// Processor cores, in thousandths.
    #[serde(rename = "c", skip_serializing_if = "Option::is_none")]
    pub min_cpu_cores_milli: Option<u32>,
    /// Free memory, bytes.
    #[serde(rename = "m", skip_serializing_if = "Option::is_none")]
    pub min_memory_bytes: Option<u64>,
    /// Free storage, bytes.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    pub min_storage_bytes: Option<u64>,
    /// Idle processor share, parts per million.
    #[serde(rename = "i", skip_serializing_if = "Option::is_none")]
    pub min_cpu_available_ppm: Option<u32>,
    /// `linux android windows macos`.
    #[serde(rename = "p", skip_serializing_if = "Option::is_none")]
    pub required_platform: Option<String>,
    /// `x86_64 aarch64 armv7 …`.
    #[serde(rename = "a", skip_serializing_if = "Option::is_none")]
    pub required_arch: Option<String>,
    /// The device's role.
    #[serde(rename = "r", skip_serializing_if = "Option::is_none")]
    pub required_role: Option<Role>,
    /// Tags the device must all have.
    #[serde(rename = "t", skip_serializing_if = "BTreeSet::is_empty")]
    pub required_tags: BTreeSet<String>,
    /// Processor use at placement, parts per million, at most.
    #[serde(rename = "u", skip_serializing_if = "Option::is_none")]
    pub max_cpu_usage_ppm: Option<u32>,
    /// Memory use at placement, parts per million, at most.
    #[serde(rename = "v", skip_serializing_if = "Option::is_none")]
    pub max_memory_usage_ppm: Option<u32>,
    /// A graphics processor.
    #[serde(rename = "g", skip_serializing_if = "core::ops::Not::not")]
    pub requires_gpu: bool,
    /// A way to the internet.
    #[serde(rename = "n", skip_serializing_if = "core::ops::Not::not")]
    pub requires_internet: bool,
    /// Bandwidth, kilobits per second.
    #[serde(rename = "b", skip_serializing_if = "Option::is_none")]
    pub bandwidth_kbps: Option<u64>,
    /// Sensors the device must all have.
    #[serde(rename = "e", skip_serializing_if = "BTreeSet::is_empty")]
    pub requires_sensors: BTreeSet<String>,
    /// Limits of the task's sandbox that a device must be able to enforce.
    #[serde(rename = "j", skip_serializing_if = "BTreeSet::is_empty")]
    pub enforced: BTreeSet<String>,
    /// Nothing else runs beside it.
    #[serde(rename = "x", skip_serializing_if = "core::ops::Not::not")]
    pub exclusive: bool,
    /// Never on these.
    #[serde(rename = "d", skip_serializing_if = "BTreeSet::is_empty")]
    pub exclude_devices: BTreeSet<DeviceId>,
    /// Only on these; empty is any.
    #[serde(rename = "o", skip_serializing_if = "BTreeSet::is_empty")]
    pub only_devices: BTreeSet<DeviceId>,
}

/// Why a specification is refused. Nothing was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SpecError {
    /// The payload is longer than [`PAYLOAD_BYTES_MAX`].
    PayloadTooLarge(usize),
    /// Everything but the payload is longer than [`SPEC_BYTES_MAX`].
    SpecTooLarge(usize),
    /// No task type.
    NoTaskType,
    /// More blobs than [`BLOBS_PER_TASK_MAX`].
    TooManyBlobs(usize),
    /// More tasks to wait for than [`AFTER_MAX`].
    TooManyDependencies(usize),
    /// More results to be given than [`USES_MAX`].
    TooManyUses(usize),
    /// It waits for the same task twice.
    DependencyTwice(TaskId),
    /// It waits for the task at this place of the same submit, which does not come before it.
    NotEarlier(u32),
    /// It uses the result of this place in `after`, which is not there, or is there twice.
    BadUse(u32),
    /// A place that no batch has.
    BatchPlace(BatchPlace),
    /// It asks for copies of its stragglers, and running twice at once may do harm.
    CopiesDoHarm,
    /// It asks for copies of its stragglers, and that nothing else runs beside it.
    CopiesOfExclusive,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PayloadTooLarge(bytes) => {
                write!(f, "the payload has {bytes} bytes; at most {PAYLOAD_BYTES_MAX} travel in a task")
            }
            Self::SpecTooLarge(bytes) => write!(
                f,
                "the specification has {bytes} bytes beside its payload; at most {SPEC_BYTES_MAX} are accepted"
            ),
            Self::NoTaskType => f.write_str("the task has no type"),
            Self::TooManyBlobs(blobs) => {
                write!(f, "the task names {blobs} blobs; at most {BLOBS_PER_TASK_MAX} are accepted")
            }
            Self::TooManyDependencies(tasks) => {
                write!(f, "the task waits for {tasks} others; at most {AFTER_MAX} are accepted")
            }
            Self::TooManyUses(uses) => {
                write!(f, "the task uses the results of {uses} others; at most {USES_MAX} are accepted")
            }
            Self::DependencyTwice(task) => write!(f, "the task waits for {task} twice"),
            Self::NotEarlier(place) => {
                write!(f, "the task waits for the one at place {place}, which does not come before it")
            }
            Self::BadUse(place) => write!(f, "the task uses the result of place {place} of those it waits for"),
            Self::CopiesDoHarm => f.write_str(
                "the task asks for copies of its stragglers, and running it twice at once may do harm: it has side effects",
            ),
            Self::CopiesOfExclusive => {
                f.write_str("the task asks for copies of its stragglers, and to run alone: nothing is copied that runs alone")
            }
            Self::BatchPlace(BatchPlace { index, of, .. }) => {
                write!(f, "place {index} of {of} is in no batch; a batch has at most {BATCH_TASKS_MAX} tasks")
            }
        }
    }
}

impl core::error::Error for SpecError {}
