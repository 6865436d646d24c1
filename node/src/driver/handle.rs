//! What the rest of the node may ask of the driver: a cheap clone that sends requests over a bounded channel and awaits the answers.
//! Knows the scheduler's words, and nothing of HTTP, JSON or terminals.

use rc_scheduler::{
    DeviceId, DeviceRecord, Epoch, ErrorClass, Incarnation, NewTask, Outcome, Reason, Refusal, Status, TaskId, TaskSpec,
};

/// Where a task stands and how it got there, put together from its facts and from what this device hears.
#[derive(Clone, Debug)]
pub struct TaskReport {
    /// Which task.
    pub id: TaskId,
    /// What was asked; `None` if only later facts have arrived here.
    pub spec: Option<TaskSpec>,
    /// JSON text; empty in lists.
    pub payload: rc_scheduler::Bytes,
    /// Where it stands.
    pub status: Status,
    /// Why it does not run.
    pub reason: Option<Reason>,
    /// The reason in words, e.g. which requirement no device meets.
    pub detail: Option<String>,
    /// Who accepted it.
    pub acceptor: Option<DeviceId>,
    /// When, milliseconds since 1970.
    pub submitted_wall_ms: u64,
    /// The device that holds or last held it.
    pub device: Option<DeviceId>,
    /// Every lease known, oldest first.
    pub attempts: Vec<AttemptReport>,
    /// The outcome that counts, when it is settled with one.
    pub outcome: Option<Outcome>,
    /// Why it failed, when it did.
    pub error: Option<(ErrorClass, String)>,
    /// On how many disks the settlement was when it was reported; 0 before.
    pub disks: u32,
    /// Percent done, as the running attempt says.
    pub progress: Option<u8>,
}

/// One lease of a task.
#[derive(Clone, Debug)]
pub struct AttemptReport {
    /// The lease.
    pub epoch: Epoch,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The device it was given to.
    pub device: DeviceId,
    /// The guardian that gave it.
    pub guardian: DeviceId,
    /// Milliseconds since 1970, as the holder believed.
    pub started_wall_ms: Option<u64>,
    /// Likewise.
    pub finished_wall_ms: Option<u64>,
    /// `completed`, an error class, `released …`, `running`, `assigned`, or `lost`.
    pub outcome: String,
    /// It ended after the task was decided otherwise.
    pub late: bool,
}

/// One line of a task's history: a fact.
#[derive(Clone, Debug)]
pub struct HistoryRow {
    /// `submitted`, `leased`, …
    pub fact: &'static str,
    /// Who wrote it.
    pub by: Option<DeviceId>,
    /// The lease it is about.
    pub epoch: Option<Epoch>,
    /// The rest, in words.
    pub text: String,
    /// It did not decide anything: another lease or settlement won.
    pub superseded: bool,
}

/// A member as this device sees it.
#[derive(Clone, Debug)]
pub struct PeerReport {
    /// Who.
    pub id: DeviceId,
    /// This is the device that was asked.
    pub me: bool,
    /// The last gossiped record; `None` if none has arrived yet.
    pub record: Option<DeviceRecord>,
    /// `idle working paused draining suspect dead`.
    pub state: &'static str,
    /// Its incarnation, if it said hello.
    pub incarnation: Option<Incarnation>,
    /// Milliseconds since it was last heard; `None` if never.
    pub heard_ms_ago: Option<u64>,
    /// Where it is connected.
    pub address: Option<String>,
}

/// One device's answer to "why (not) there".
#[derive(Clone, Debug)]
pub struct ExplainRow {
    /// Which device.
    pub device: DeviceId,
    /// Requirements it fails, in words; empty if it fits.
    pub unmet: Vec<String>,
    /// The terms of the score in parts per million: cpu, memory, load, network, affinity.
    pub terms: [u32; 5],
    /// Their weighted sum, parts per million.
    pub score: u32,
    /// It is the one that would be chosen now.
    pub chosen: bool,
}

/// Why a task is where it is.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The task.
    pub task: TaskReport,
    /// Hash of the view that the rows come from; devices with the same view give the same rows.
    pub view_hash: u64,
    /// Every device, the best first.
    pub rows: Vec<ExplainRow>,
}

/// This node, for `status`.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// Who.
    pub id: DeviceId,
    /// Its name.
    pub name: String,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// It has asked every keeper since its last start, wake or loss.
    pub synced: bool,
    /// Addresses it listens on.
    pub listening: Vec<String>,
    /// Members it hears, itself included.
    pub peers_up: usize,
    /// Members known, itself included.
    pub members: usize,
    /// Tasks not settled that it keeps.
    pub tasks_open: usize,
    /// Records it keeps in all.
    pub tasks_kept: usize,
    /// Attempts running here.
    pub running: usize,
    /// The disk takes new facts.
    pub storage_healthy: bool,
    /// Seconds since it started.
    pub uptime_s: u64,
}

/// The answer to a submit.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// In the order asked.
    pub tasks: Vec<TaskId>,
    /// Devices that had stored all of them, this one first.
    pub disks: Vec<DeviceId>,
}

/// Why a request to the driver has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DriverError {
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
    /// A bounded queue is full.
    #[error("the node is too busy to take the request")]
    Busy,
    /// Every member answered, and none has the task.
    #[error("no member has this task")]
    NotFound,
    /// Nobody who answered has it.
    #[error("unknown: {} devices do not answer", .0.len())]
    Unknown(Vec<DeviceId>),
    /// Nothing was accepted.
    #[error("refused: {0:?}")]
    Refused(Refusal),
}

/// A way to the driver.
#[derive(Clone, Debug)]
pub struct Handle {}

#[expect(clippy::unused_async, reason = "the signatures that API and driver meet at")]
impl Handle {
    /// Accepts tasks, all or none; answers when `disks` devices (`None`: the default) have stored them, or after 2 s with the true count.
    pub async fn submit(&self, _tasks: Vec<NewTask>, _disks: Option<usize>) -> Result<Accepted, DriverError> {
        Err(DriverError::Stopping)
    }

    /// Asks that a task not run; answers where it stands then (`Cancelling` until its device has let go).
    pub async fn cancel(&self, _task: TaskId) -> Result<Status, DriverError> {
        Err(DriverError::Stopping)
    }

    /// Where a task stands, wherever it is kept.
    pub async fn task(&self, _task: TaskId) -> Result<TaskReport, DriverError> {
        Err(DriverError::Stopping)
    }

    /// Waits until the task's end may be reported, and reports it. Drop the future to stop waiting.
    pub async fn wait(&self, _task: TaskId) -> Result<TaskReport, DriverError> {
        Err(DriverError::Stopping)
    }

    /// Every fact of a task, in causal order.
    pub async fn history(&self, _task: TaskId) -> Result<Vec<HistoryRow>, DriverError> {
        Err(DriverError::Stopping)
    }

    /// Ids that begin with `prefix`, at most 16; `last` is the newest accepted here.
    pub async fn find(&self, _prefix: String) -> Result<Vec<TaskId>, DriverError> {
        Err(DriverError::Stopping)
    }

    /// The cluster's tasks, newest first, without payloads; and the members that did not answer.
    pub async fn list(&self, _limit: u32) -> Result<(Vec<TaskReport>, Vec<DeviceId>), DriverError> {
        Err(DriverError::Stopping)
    }

    /// Members, this device first.
    pub async fn peers(&self) -> Result<Vec<PeerReport>, DriverError> {
        Err(DriverError::Stopping)
    }

    /// Why the task is, was or is not placed.
    pub async fn explain(&self, _task: TaskId) -> Result<Explanation, DriverError> {
        Err(DriverError::Stopping)
    }

    /// This node.
    pub async fn status(&self) -> Result<NodeStatus, DriverError> {
        Err(DriverError::Stopping)
    }

    /// The text of a ticket for this cluster, with this node's addresses.
    pub async fn invite(&self) -> Result<String, DriverError> {
        Err(DriverError::Stopping)
    }

    /// Stops the node: tells peers, stops attempts, flushes the disk.
    pub async fn shutdown(&self) {}
}
