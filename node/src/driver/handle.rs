//! What the rest of the node may ask of the driver: a cheap clone that sends requests over a bounded channel and awaits the answers.
//! Knows the scheduler's words, and nothing of HTTP, JSON or terminals.

use super::request::{Answer, Request};
use super::waiters::Waiter;
use super::weak::WeakHandle;
use crate::blobs::{BlobError, Blobs};
use crate::events::EventLog;
use crate::live::Live;
use crate::policy::{Orders, PolicyHandle};
use crate::stats::Counter;
use crate::telemetry::otlp::Exporter;
use crate::trace::TraceIds;
use rc_scheduler::{
    DeviceId, DeviceRecord, Epoch, ErrorClass, Event, Incarnation, Outcome, Reason, Refusal, Status, TaskId, TaskSpec,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot};
use tokio::task::JoinSet;

/// Between two questions about a task that is kept elsewhere only.
const ELSEWHERE_PAUSE: Duration = Duration::from_millis(300);
/// Such questions at once, for one caller.
const ELSEWHERE_MAX: usize = 32;

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
    /// The lease whose end was decided to be the task's, when one was.
    pub decided: Option<Epoch>,
    /// The outcome that counts, when it is settled with one. A body that is too long for it lies in a blob, which
    /// [`crate::blobs::BodyBlobs`] names and [`crate::blobs::Blobs::load`] reads.
    pub outcome: Option<Outcome>,
    /// Why it failed, when it did.
    pub error: Option<(ErrorClass, String)>,
    /// On how many disks the settlement was when it was reported; 0 before.
    pub disks: u32,
    /// Percent done, as the running attempt says.
    pub progress: Option<u8>,
    /// What it says beside that.
    pub progress_text: Option<String>,
}

impl TaskReport {
    /// The attempt that counts: the one that was decided on, else the last. A later lease of another side of a split does not.
    #[must_use]
    pub fn attempt(&self) -> Option<&AttemptReport> {
        match self.decided {
            Some(epoch) => self.attempts.iter().find(|attempt| attempt.epoch == epoch),
            None => self.attempts.last(),
        }
    }
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
    /// `completed`, an error class (`preempted` if the device was wanted back), `released …`, `running`, `assigned`, `crashed` if its
    /// device says that it was killed with it, or `lost`.
    pub outcome: String,
    /// It ended after the task was decided otherwise.
    pub late: bool,
    /// It is a copy, beside the lease of this epoch.
    pub beside: Option<Epoch>,
}

/// One line of a task's history: a fact.
#[derive(Clone, Debug)]
pub struct HistoryRow {
    /// `submitted`, `leased`, …
    pub fact: &'static str,
    /// When, milliseconds since 1970 by its writer's clock; most facts do not say.
    pub at_wall_ms: Option<u64>,
    /// Who wrote it.
    pub by: Option<DeviceId>,
    /// To whom the task was leased.
    pub to: Option<DeviceId>,
    /// The lease it is about.
    pub epoch: Option<Epoch>,
    /// The attempt it is about.
    pub attempt: Option<u32>,
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
    /// It has lately contradicted itself: two hosts run with its data directory, or it was put back to an older copy.
    pub twins: bool,
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
    /// Those of them that have ended and are on disk only.
    pub tasks_resting: usize,
    /// Attempts running here.
    pub running: usize,
    /// The disk takes new facts.
    pub storage_healthy: bool,
    /// What the last start found cut or damaged on the disk, in words.
    pub storage_found: Vec<String>,
    /// Why it takes no work for the cluster, in words; empty if it does.
    pub blocked: Vec<String>,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Groups of writes that were made durable with one sync each.
    pub disk_syncs: u64,
    /// Frames queued for the devices that are linked now, since their links came up.
    pub frames_out: u64,
    /// Their bytes, before encryption.
    pub frame_bytes_out: u64,
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
    #[error("unknown: {} device{} answer", .0.len(), if .0.len() == 1 { " does not" } else { "s do not" })]
    Unknown(Vec<DeviceId>),
    /// Nothing was accepted.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// A payload is longer than this node takes. Nothing was accepted.
    #[error("task {index}: the payload has {bytes} bytes; this node takes at most {limit}")]
    PayloadTooLarge {
        /// Which of the tasks asked for, from 0.
        index: usize,
        /// How long it is.
        bytes: u64,
        /// How long it may be.
        limit: u64,
    },
    /// There is no room for a blob. Nothing was accepted.
    #[error("{0}")]
    BlobsFull(String),
    /// A blob cannot be had. Nothing was accepted.
    #[error("{0}")]
    BlobMissing(String),
}

impl DriverError {
    pub(super) fn blob(error: BlobError) -> Self {
        let text = error.to_string();
        if error.is_full() { Self::BlobsFull(text) } else { Self::BlobMissing(text) }
    }
}

/// A way to the driver. Requests wait for room in a bounded queue; when the node stops, all of them end with
/// [`DriverError::Stopping`].
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) news: broadcast::Sender<Event>,
    pub(super) log: EventLog,
    pub(super) blobs: Blobs,
    pub(super) live: Live,
    pub(super) policy: PolicyHandle,
    pub(super) orders: Orders,
    pub(super) traces: Arc<TraceIds>,
    pub(super) counter: Counter,
    pub(super) spans: Option<Exporter>,
}

impl Handle {
    pub(super) fn downgrade(&self) -> WeakHandle {
        WeakHandle(self.requests.downgrade())
    }

    /// What attempts say while they run.
    pub(crate) const fn live(&self) -> &Live {
        &self.live
    }

    /// The devices where a task belongs, whoever is alive.
    pub(crate) async fn home(&self, task: TaskId) -> Result<Vec<DeviceId>, DriverError> {
        self.ask(|answer| Request::Home { task, answer }).await
    }

    /// The owner's policy of this device.
    #[must_use]
    pub const fn policy(&self) -> &PolicyHandle {
        &self.policy
    }

    /// The way to the policies of the cluster's other devices.
    #[must_use]
    pub const fn orders(&self) -> &Orders {
        &self.orders
    }

    /// The blobs of this node.
    #[must_use]
    pub const fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    pub(super) async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, DriverError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| DriverError::Stopping)?;
        answered.await.map_err(|_| DriverError::Stopping)?
    }

    /// Asks that a task not run; answers where it stands then (`Cancelling` until its device has let go).
    pub async fn cancel(&self, task: TaskId) -> Result<Status, DriverError> {
        self.ask(|answer| Request::Cancel { task, answer }).await
    }

    /// Where a task stands, wherever it is kept.
    pub async fn task(&self, task: TaskId) -> Result<TaskReport, DriverError> {
        self.ask(|answer| Request::Task { task, answer }).await
    }

    /// Waits until the task's end may be reported, and reports it. Drop the future to stop waiting.
    pub async fn wait(&self, task: TaskId) -> Result<TaskReport, DriverError> {
        loop {
            let here = self.ask(|answer| Request::Wait { task, waiter: Waiter::One(answer) }).await;
            match here {
                // Kept elsewhere only, so nobody tells this device how it goes on.
                Err(DriverError::NotFound) => {}
                here => return here,
            }
            let report = self.task(task).await?;
            if report.status.is_terminal() {
                return Ok(report);
            }
            tokio::time::sleep(ELSEWHERE_PAUSE).await;
        }
    }

    /// Waits for many tasks at once; the ends come as they may be reported, each id once. Drop the receiver to stop waiting.
    pub async fn wait_many(
        &self,
        tasks: Vec<TaskId>,
    ) -> Result<mpsc::Receiver<(TaskId, Result<TaskReport, DriverError>)>, DriverError> {
        let (ended, ends) = mpsc::channel(tasks.len().max(1));
        let elsewhere = self.ask(|answer| Request::WaitMany { tasks, ended: ended.clone(), answer }).await?;
        if !elsewhere.is_empty() {
            let handle = self.clone();
            tokio::spawn(async move { handle.wait_elsewhere(elsewhere, ended).await });
        }
        Ok(ends)
    }

    /// Waits for tasks that this device does not keep, a bounded number at a time.
    async fn wait_elsewhere(self, tasks: Vec<TaskId>, ended: mpsc::Sender<(TaskId, Result<TaskReport, DriverError>)>) {
        let turns = Arc::new(Semaphore::new(ELSEWHERE_MAX));
        let mut open = tasks;
        while !open.is_empty() && !ended.is_closed() {
            let mut round = JoinSet::new();
            for task in open.drain(..) {
                let (handle, turns) = (self.clone(), Arc::clone(&turns));
                round.spawn(async move {
                    let _turn = turns.acquire().await;
                    (task, handle.task(task).await)
                });
            }
            while let Some(Ok((task, report))) = round.join_next().await {
                match report {
                    Ok(report) if !report.status.is_terminal() => open.push(task),
                    // An error means that nobody waits any more.
                    report => drop(ended.send((task, report)).await),
                }
            }
            tokio::time::sleep(ELSEWHERE_PAUSE).await;
        }
    }

    /// Every fact of a task, in causal order.
    pub async fn history(&self, task: TaskId) -> Result<Vec<HistoryRow>, DriverError> {
        self.ask(|answer| Request::History { task, answer }).await
    }

    /// Ids that begin with `prefix`, at most 16; `last` is the newest accepted here.
    pub async fn find(&self, prefix: String) -> Result<Vec<TaskId>, DriverError> {
        self.ask(|answer| Request::Find { prefix, answer }).await
    }

    /// The cluster's tasks, newest first, without payloads; and the members that did not answer.
    pub async fn list(&self, limit: u32) -> Result<(Vec<TaskReport>, Vec<DeviceId>), DriverError> {
        self.ask(|answer| Request::List { limit, answer }).await
    }

    /// The cluster's tasks of one type that have not ended, without payloads; and the members that did not answer.
    pub async fn open_of(&self, task_type: String) -> Result<(Vec<TaskReport>, Vec<DeviceId>), DriverError> {
        self.ask(|answer| Request::OpenOf { task_type, answer }).await
    }

    /// Members, this device first.
    pub async fn peers(&self) -> Result<Vec<PeerReport>, DriverError> {
        self.ask(|answer| Request::Peers { answer }).await
    }

    /// This node.
    pub async fn status(&self) -> Result<NodeStatus, DriverError> {
        self.ask(|answer| Request::Status { answer }).await
    }

    /// The text of a ticket for this cluster, with this node's addresses.
    pub async fn invite(&self) -> Result<String, DriverError> {
        self.ask(|answer| Request::Invite { answer }).await
    }

    /// What happens from now on. Lossy: whoever reads too slowly misses the oldest, and is told how many.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<Event> {
        self.news.subscribe()
    }

    /// Stops the node: tells peers, stops attempts, flushes the disk. Returns when all of that is done.
    pub async fn shutdown(&self) {
        // `Stopping` means that it has stopped already.
        let _: Result<(), DriverError> = self.ask(|answer| Request::Shutdown { answer }).await;
    }
}
