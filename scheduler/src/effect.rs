//! Everything the core wants done. The driver carries effects out in any order it likes: what must wait for the disk is not
//! handed out before [`crate::Input::Persisted`].

use crate::bytes::Bytes;
use crate::device::DeviceRecord;
use crate::id::{BatchId, DeviceId, Epoch, Incarnation, TaskId};
use crate::input::CommandId;
use crate::member::Member;
use crate::message::Message;
use crate::record::{Fact, FactKey};
use crate::task::{ErrorClass, Status, TaskSpec};
use crate::time::{Mono, Span};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What [`crate::Scheduler::poll`] returns.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Do this.
    Effect(Effect),
    /// Nothing more, until the next input or this moment.
    Idle {
        /// When to send [`crate::Input::Tick`], if nothing happens before.
        wake: Option<Mono>,
    },
}

/// One thing to do.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Write all of these; answer with `Persisted` when they and everything before them are safe.
    Persist {
        /// The number to answer with; grows by one.
        upto: u64,
        /// What to write.
        entries: Vec<Entry>,
    },
    /// Read everything of a task that was persisted; answer with `Loaded`.
    Load {
        /// The task.
        task: TaskId,
    },
    /// Send to a member; may be lost if the link goes down.
    Send {
        /// To whom.
        to: DeviceId,
        /// What.
        message: Message,
    },
    /// Tell everybody; may be lost.
    Gossip(Box<DeviceRecord>),
    /// Run an attempt.
    Start(Start),
    /// Stop an attempt; `Ended` is still expected.
    Stop {
        /// The task.
        task: TaskId,
        /// The lease.
        epoch: Epoch,
        /// For the log.
        why: StopReason,
    },
    /// Answer a command.
    Reply {
        /// Which.
        id: CommandId,
        /// How.
        reply: Reply,
    },
    /// Something that a user or a watcher may want to know.
    Notify(Event),
}

/// Something to put on disk or take from it.
#[derive(Clone, PartialEq, Debug)]
pub enum Entry {
    /// Put a fact.
    Fact(TaskId, Fact),
    /// Take a fact away; it is no longer needed.
    Forget(TaskId, FactKey),
    /// Take a whole record away.
    Drop(TaskId),
    /// Put a fact that says that the end may be told, and this device's running time then, in seconds.
    Ended(TaskId, Fact, u32),
    /// Put this in place of a whole record.
    Bury(TaskId, Tomb),
    /// Put which numbers an acceptor has buried, in place of what was known: the first and last of each interval.
    Graves(DeviceId, Vec<(u64, u64)>),
    /// Put how long this device has run in all its lives, and which series its numbers are from.
    Clock {
        /// In seconds; sleep does not count.
        ran_s: u64,
        /// The upper half of the numbers under which it accepts tasks.
        series: u32,
    },
    /// Put a member.
    Member(Member),
}

/// What is left of a task that is over for good, until its acceptors have buried it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tomb {
    /// Hash of the record's keys, for digests.
    pub hash: u64,
    /// The device's running time in seconds when its end was known; zero on a link.
    pub ended_s: u32,
    /// Who accepted it under which number.
    pub numbers: Vec<(DeviceId, u64)>,
}

/// An attempt to run.
#[derive(Clone, PartialEq, Debug)]
pub struct Start {
    /// The task.
    pub task: TaskId,
    /// The lease: the attempt's fencing token.
    pub epoch: Epoch,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// What was asked.
    pub spec: Arc<TaskSpec>,
    /// For the handler.
    pub payload: Bytes,
    /// Of those that it waited for and uses, in that order: the body of the outcome.
    pub inputs: Vec<(TaskId, Bytes)>,
    /// How long it may run.
    pub timeout: Span,
}

/// Why an attempt is stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StopReason {
    /// Somebody asked that the task not run.
    Cancelled,
    /// Another lease or a settlement made it pointless.
    Superseded,
    /// This device is cut off and another may run it.
    Isolated,
    /// This device slept or was given up.
    Woke,
    /// This device is being emptied.
    Drained,
}

/// The answer to a command.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// The tasks are accepted and on disk.
    Accepted {
        /// Their ids, in the order asked.
        tasks: Vec<TaskId>,
        /// The devices that had stored all of them, this one first.
        disks: Vec<DeviceId>,
    },
    /// Nothing was done.
    Refused(Refusal),
    /// Where a task stands after a cancel or a retry.
    Status(TaskId, Status),
    /// All that was found of a task.
    Found {
        /// The task.
        task: TaskId,
        /// Its facts, merged.
        facts: Vec<Fact>,
    },
    /// Tasks found, each with its facts, payloads left out.
    Tasks {
        /// Id and facts.
        tasks: Vec<(TaskId, Vec<Fact>)>,
        /// Members that did not answer.
        silent: Vec<DeviceId>,
        /// There were more.
        more: bool,
    },
    /// What was found of a batch.
    Batch {
        /// Where its tasks stand.
        found: BatchFound,
        /// Members that did not answer.
        silent: Vec<DeviceId>,
    },
    /// Batches found, the newest first.
    Batches {
        /// Each with the number of its tasks.
        batches: Vec<(BatchId, u32)>,
        /// Members that did not answer.
        silent: Vec<DeviceId>,
        /// There were more.
        more: bool,
    },
    /// Every member answered, and none has it.
    NotFound,
    /// Nobody who answered has it, and these did not answer.
    Unknown(Vec<DeviceId>),
}

/// Where the tasks of a batch stand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BatchFound {
    /// The batch.
    pub batch: BatchId,
    /// By place; `None` if nobody who answered has the task.
    pub statuses: Vec<Option<Status>>,
    /// Place and id of those that were asked for, and of the first task, if somebody has it; in order of place.
    pub tasks: Vec<(u32, TaskId)>,
}

/// Why a command was refused. Nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The specification is not acceptable.
    Spec {
        /// Which of the tasks asked for, from 0.
        index: usize,
        /// What is wrong with it.
        error: crate::task::SpecError,
    },
    /// This device has accepted as many open tasks as it may.
    QueueFull {
        /// How many.
        limit: usize,
    },
    /// This device's disk refuses to store.
    Storage,
    /// It has not ended, or has a result: there is nothing to begin again.
    NotFailed {
        /// Where it stands.
        status: Status,
    },
    /// The same key came with another task before.
    KeyConflict {
        /// The earlier task.
        earlier: TaskId,
    },
}

/// Something that happened, for people and watchers; nothing depends on it.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the fields are named for what they are")]
pub enum Event {
    Submitted {
        task: TaskId,
    },
    Leased {
        task: TaskId,
        epoch: Epoch,
        to: DeviceId,
    },
    /// A copy was leased beside the attempt that runs.
    Speculated {
        task: TaskId,
        epoch: Epoch,
        to: DeviceId,
    },
    Started {
        task: TaskId,
        epoch: Epoch,
    },
    Progress {
        task: TaskId,
        epoch: Epoch,
        percent: Option<u8>,
        text: String,
    },
    Closed {
        task: TaskId,
        epoch: Epoch,
    },
    /// May be reported: the record says how it ended.
    Settled {
        task: TaskId,
    },
    PeerHeard {
        device: DeviceId,
        incarnation: Incarnation,
    },
    /// Given up; the transport should close what it has to it and dial anew.
    PeerLost {
        device: DeviceId,
        proven: bool,
    },
    /// A peer says that this device was given up, or it slept: it begins a new incarnation.
    Woke {
        incarnation: Incarnation,
    },
    /// Two values for one key: somebody is cloned or lies.
    Alarm {
        task: TaskId,
        what: &'static str,
    },
    /// A task has ended without a result, and that may be told: said once, by the device that decided it.
    Alert {
        task: TaskId,
        class: ErrorClass,
        message: String,
        /// How many attempts it had.
        attempts: u32,
    },
    /// This device's processor has too much to do, or has no more: while it has, the device takes no new work.
    Overloaded {
        is: bool,
    },
    /// Another device contradicts itself, again and again: two hosts run with its key, or its disk was put back to an older image. Said at
    /// most once a minute.
    Twins {
        device: DeviceId,
    },
    /// Tasks wait for longer than [`crate::Config::move_after`] although there are devices that they fit: all of those are busy. Said at
    /// most once a minute.
    AddDevice {
        /// How many wait here.
        waiting: usize,
        /// How long the one that has waited longest.
        wait: Span,
    },
}
