//! What a [`Handle`](super::Handle) sends to the driver: the question and where the answer goes.

use super::batches::BatchList;
use super::ended::EndedPart;
use super::handle::{Accepted, DriverError, HistoryRow, NodeStatus, PeerReport, TaskReport};
use super::waiters::{Ended, Waiter};
use super::why::Explanation;
use crate::metrics::MetricsReport;
use rc_scheduler::{BatchFound, BatchId, DeviceId, EndedAsk, Epoch, NewTask, Status, TaskId, TaskSpec};
use tokio::sync::{mpsc, oneshot};

/// Where an answer goes. Dropping it tells the asker that the node stops.
pub(super) type Answer<T> = oneshot::Sender<Result<T, DriverError>>;

/// One question; see the method of the same name for what it means.
#[derive(Debug)]
pub(super) enum Request {
    Submit {
        tasks: Vec<NewTask>,
        disks: Option<usize>,
        answer: Answer<Accepted>,
    },
    Cancel {
        task: TaskId,
        answer: Answer<Status>,
    },
    Reopen {
        task: TaskId,
        answer: Answer<Status>,
    },
    Task {
        task: TaskId,
        answer: Answer<TaskReport>,
    },
    /// Answered with `NotFound` at once if the task is not kept here.
    Wait {
        task: TaskId,
        waiter: Waiter,
    },
    /// Answered with the tasks that are not kept here.
    WaitMany {
        tasks: Vec<TaskId>,
        ended: mpsc::Sender<Ended>,
        answer: Answer<Vec<TaskId>>,
    },
    History {
        task: TaskId,
        answer: Answer<Vec<HistoryRow>>,
    },
    Find {
        prefix: String,
        answer: Answer<Vec<TaskId>>,
    },
    List {
        limit: u32,
        answer: Answer<(Vec<TaskReport>, Vec<DeviceId>)>,
    },
    OpenOf {
        task_type: String,
        answer: Answer<(Vec<TaskReport>, Vec<DeviceId>)>,
    },
    Batch {
        batch: BatchId,
        which: Vec<Status>,
        answer: Answer<(BatchFound, Vec<DeviceId>)>,
    },
    Batches {
        limit: u32,
        answer: Answer<BatchList>,
    },
    Peers {
        answer: Answer<Vec<PeerReport>>,
    },
    Explain {
        task: TaskId,
        answer: Answer<Explanation>,
    },
    Plan {
        specs: Vec<TaskSpec>,
        answer: Answer<Vec<Explanation>>,
    },
    Holder {
        task: TaskId,
        epoch: Epoch,
        answer: Answer<Option<DeviceId>>,
    },
    Copies {
        task: TaskId,
        answer: Answer<Vec<DeviceId>>,
    },
    Home {
        task: TaskId,
        answer: Answer<Vec<DeviceId>>,
    },
    Ended {
        ask: EndedAsk,
        answer: Answer<EndedPart>,
    },
    Status {
        answer: Answer<NodeStatus>,
    },
    Metrics {
        answer: Answer<Box<MetricsReport>>,
    },
    /// The alert of this name needs no sending any more.
    AlertOver {
        name: String,
        answer: Answer<()>,
    },
    Invite {
        answer: Answer<String>,
    },
    Shutdown {
        answer: Answer<()>,
    },
}

/// A question that the core has been given, and whose answer is a [`rc_scheduler::Reply`].
#[derive(Debug)]
pub(super) enum Pending {
    Submit(Answer<Accepted>),
    Cancel(Answer<Status>),
    Task(Answer<TaskReport>),
    History(Answer<Vec<HistoryRow>>),
    Explain(Answer<Explanation>),
    Find(Answer<Vec<TaskId>>),
    List(Answer<(Vec<TaskReport>, Vec<DeviceId>)>),
    Batch(Answer<(BatchFound, Vec<DeviceId>)>),
    Batches(Answer<BatchList>),
}

/// Tells the asker. It may have gone away meanwhile, which is its right.
pub(super) fn answer<T>(to: Answer<T>, with: Result<T, DriverError>) {
    drop(to.send(with));
}
