//! Everything that can happen to the core. A run is `restore` and a list of these with the time of each.

use crate::bytes::Bytes;
use crate::device::{Capacity, DeviceRecord};
use crate::effect::Tomb;
use crate::id::{BatchId, DeviceId, Epoch, Incarnation, TaskId};
use crate::member::Member;
use crate::message::Message;
use crate::record::{Fact, Outcome};
use crate::task::{Status, TaskSpec};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// Tells a command's reply from others.
pub type CommandId = u64;

/// One thing that happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// Time has passed; the wake that `poll` asked for is due.
    Tick,
    /// A link to a member is up; both directions work as far as the transport can tell.
    PeerUp(DeviceId),
    /// The link is gone; nothing is known of the device.
    PeerDown(DeviceId),
    /// The link is gone and the device's host refused a new one: its process is dead.
    PeerRefused(DeviceId),
    /// A message from a member.
    Message {
        /// Proven by the link.
        from: DeviceId,
        /// What it says.
        message: Message,
    },
    /// A gossiped record.
    Device(Box<DeviceRecord>),
    /// The user of this device wants something.
    Command {
        /// For the reply.
        id: CommandId,
        /// What.
        command: Command,
    },
    /// News of an attempt on this device.
    Attempt {
        /// The task.
        task: TaskId,
        /// The lease.
        epoch: Epoch,
        /// What happened.
        event: AttemptEvent,
    },
    /// This device changed.
    Capacity(Box<Capacity>),
    /// The owner of this device wants back what it has: attempts are stopped and handed back, to go on elsewhere. That it takes
    /// nothing new is said by `blocked` in [`Input::Capacity`], before.
    GiveUp,
    /// Everything in `Persist` effects up to this number is on disk.
    Persisted {
        /// The `upto` of the last of them.
        upto: u64,
    },
    /// What is on disk of a task, after a `Load`; everything persisted before is in it. No facts if it cannot be read.
    Loaded {
        /// The task.
        task: TaskId,
        /// Its facts, in any order.
        facts: Vec<Fact>,
    },
    /// The disk refuses new entries (full, failing) or takes them again.
    Storage {
        /// It works.
        healthy: bool,
    },
}

/// What happened to an attempt that was started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AttemptEvent {
    /// It runs.
    Started,
    /// The task says how far it is.
    Progress {
        /// Percent.
        percent: Option<u8>,
        /// Free text.
        text: String,
    },
    /// It is over, by itself or because it was stopped. Exactly once for every start.
    Ended(Outcome),
}

/// A request by the user of this device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Accept tasks; all or none.
    Submit {
        /// What is asked.
        tasks: Vec<NewTask>,
        /// How many devices must have stored them before the reply, this one included; `None` for the configured number.
        disks: Option<usize>,
    },
    /// Ask that a task not run.
    Cancel(TaskId),
    /// Let a task that ended without a result begin again.
    Reopen(TaskId),
    /// Find a task, here or elsewhere.
    Read(TaskId),
    /// Find the tasks whose written id begins so.
    Find(String),
    /// The tasks of this type that have not ended.
    OpenOf(String),
    /// A list of the cluster's tasks, the newest first.
    List {
        /// At most this many.
        limit: u32,
    },
    /// Where the tasks of a batch stand.
    Batch {
        /// The batch.
        batch: BatchId,
        /// The ids of those that stand so are told, and that of the first task.
        which: Vec<Status>,
    },
    /// The cluster's batches, the newest first.
    Batches {
        /// At most this many.
        limit: u32,
    },
}

/// A task to accept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewTask {
    /// What is asked.
    pub spec: TaskSpec,
    /// For the handler; JSON text.
    pub payload: Bytes,
    /// Places of earlier tasks of the same submit that it waits for, too: after those in `spec.after`, in this order.
    pub after_new: Vec<u32>,
}

impl NewTask {
    /// One that waits for no other of its submit.
    #[must_use]
    pub const fn new(spec: TaskSpec, payload: Bytes) -> Self {
        Self { spec, payload, after_new: Vec::new() }
    }
}

/// What a device finds on its disk when it starts.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Durable {
    /// Its incarnation for this life, already on disk.
    pub incarnation: Incarnation,
    /// The members it knew.
    pub members: Vec<Member>,
    /// The facts it kept, in any order.
    pub facts: Vec<(TaskId, Fact)>,
    /// When it knew the end of tasks, in seconds of running time.
    pub ended: Vec<(TaskId, u32)>,
    /// What is left of tasks that are over.
    pub tombs: Vec<(TaskId, Tomb)>,
    /// Which numbers each acceptor has buried.
    pub graves: Vec<(DeviceId, Vec<(u64, u64)>)>,
    /// How long it had run, in seconds.
    pub ran_s: u64,
    /// The series of its numbers. `None` if it has none yet, or if something of what it had is damaged or missing: then a number may
    /// have been given to a task that it does not know of any more, and must not be given again.
    pub series: Option<u32>,
}
