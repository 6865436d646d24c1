//! What devices say to each other over a link. Facts are the only thing that must arrive, and they are sent until they are stored;
//! everything else may be lost.

use crate::bytes::Bytes;
use crate::device::DeviceRecord;
use crate::effect::Tomb;
use crate::id::{BatchId, DeviceId, Epoch, Incarnation, TaskId, Term};
use crate::member::Member;
use crate::record::Fact;
use crate::task::{Priority, Status};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// The version of messages and rules that this code speaks.
pub const PROTOCOL_VERSION: u16 = 1;

/// One message from one device to another.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "each variant wraps the documented type of its name")]
pub enum Message {
    Hello(Hello),
    Beat(Beat),
    Facts(Facts),
    Stored(Stored),
    Members(Vec<Member>),
    Ask(Ask),
    Answer(Answer),
    Want(Want),
    Grant(Grant),
    Move(Move),
    Digest(Digest),
    Summary(Summary),
    Lack(Lack),
    Strays(Strays),
    Strayed(Strayed),
    Graves(Vec<(DeviceId, Vec<(u64, u64)>)>),
    Buried(Buried),
    Resend(Resend),
    Query(Query),
    Reply(QueryReply),
    Live(Live),
    Record(Box<DeviceRecord>),
    Await(Await),
    Awaited(Awaited),
    BatchReply(BatchReply),
}

/// Opens a session: first on every link, and again when the incarnation changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The speaker's.
    pub incarnation: Incarnation,
    /// The protocol it speaks.
    pub protocol: u16,
    /// Hash of the members it knows.
    pub members_hash: u64,
    /// The listener's incarnation that the speaker has given up for dead or fenced: it must not go on as if nothing had been.
    pub given_up: Option<Incarnation>,
    /// The incarnation of the listener that the speaker knows, to tell whether the listener's last hello arrived.
    pub known: Option<Incarnation>,
    /// Asks the listener to say hello too.
    pub reply: bool,
}

/// The heartbeat. One renews every lease between two devices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Beat {
    /// The speaker's; a beat of another incarnation than its hello's is dropped.
    pub incarnation: Incarnation,
    /// Grows by one with each beat on this pair.
    pub number: u64,
    /// The listener's last beat that the speaker heard: the proof that both directions work.
    pub echo: u64,
    /// This is the answer to a beat, and is not answered.
    pub reply: bool,
    /// Willing to act as a guardian, and able: its disk answers.
    pub guard: bool,
    /// Willing to take leases.
    pub take: bool,
    /// It has asked every keeper since its last start, wake or loss.
    pub synced: bool,
    /// How many leases it holds that the listener granted.
    pub held: u32,
    /// XOR of hashes of those leases.
    pub held_hash: u64,
}

/// Facts that the speaker has on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// Grows by one with each frame between two devices.
    pub frame: u64,
    /// The oldest frame that still waits to be acknowledged; what was in earlier ones is stored, or comes again in later ones.
    pub first: u64,
    /// Task and fact.
    pub facts: Vec<(TaskId, Fact)>,
}

/// The speaker has on disk all the facts of the frames up to this one; it has missed none of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    /// The last of them.
    pub upto: u64,
}

/// Sent before acting for somebody else: after a start, a wake or a loss.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Tells answers to different rounds apart.
    pub round: u64,
    /// Whom the speaker lost and is not yet sure about; empty after a start or a wake.
    pub lost: Vec<(DeviceId, Incarnation)>,
    /// The term it wants to act in.
    pub term: Term,
}

/// The answer to an [`Ask`]; everything that the asker had not stored was sent before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Of the question.
    pub round: u64,
    /// Those of the lost that the speaker still hears: a veto. It passes facts on between the two.
    pub heard: Vec<DeviceId>,
    /// The highest term that the speaker knew before the question, and whose it is; if the pair is above the asker's, the asker must
    /// pick a higher term and ask again.
    pub term: (Term, DeviceId),
}

/// A guardian would like to lease to the listener.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Want {
    /// How many tasks it has waiting for the listener; zero withdraws.
    pub count: u32,
    /// The most urgent of them.
    pub priority: Priority,
}

/// Credits: the listener may have so many open leases at the speaker, those that are there included. Replaces earlier grants. A
/// limit and not a count, so that no message that is under way can make the two sides disagree for long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Open leases.
    pub limit: u32,
}

/// The speaker, a guardian, has room in hand on a device that is free: of the leases it granted that have to wait for long at the
/// listener, so many may come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Move {
    /// At most so many.
    pub count: u32,
    /// Where there is room.
    pub to: DeviceId,
}

/// Hashes of what the speaker has and thinks that both should have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Digest {
    /// Hash of the members; digests of devices that disagree on it do not compare.
    pub members_hash: u64,
    /// XOR of the record hashes, by bucket.
    pub buckets: Vec<u64>,
    /// Asks the listener for its own.
    pub reply: bool,
}

/// Most records in one [`Summary`].
pub const SUMMARY_MAX: usize = 4_096;

/// What the speaker has in buckets whose hashes differ, within a range of ids; answered with what the listener [`Lack`]s.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// The buckets, rising.
    pub buckets: Vec<u8>,
    /// The first id of the range.
    pub from: TaskId,
    /// The last id of the range.
    pub upto: TaskId,
    /// Each record with its hash, rising.
    pub entries: Vec<(TaskId, u64)>,
}

/// Of a [`Summary`], the records that the speaker has not, or has otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lack {
    /// The records.
    pub tasks: Vec<TaskId>,
}

/// Ended records that the speaker keeps without comparing them with the listener, who compares them with others; at most
/// [`SUMMARY_MAX`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Strays {
    /// Each record with its hash, rising.
    pub entries: Vec<(TaskId, u64)>,
}

/// Answers [`Strays`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Strayed {
    /// The last of the list that was looked at.
    pub upto: TaskId,
    /// Those that the speaker has not, or has otherwise.
    pub lack: Vec<TaskId>,
}

/// Tasks that are over, of which the speaker has nothing else left.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Buried {
    /// Each with its tombstone.
    pub tasks: Vec<(TaskId, Tomb)>,
}

/// Something was lost on a living link (a frame is missing, or counts of leases differ): send again what I have not stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resend;

/// A question about a task, or about all of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// The asker's number for it.
    pub id: u64,
    /// About what.
    pub about: About,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum About {
    /// All facts of a task.
    Task(TaskId),
    /// Tasks whose written id starts so.
    Prefix(String),
    /// A line for each task that the listener has: at most this many, the newest first.
    List(u32),
    /// A line for each task of this type that has not ended.
    OpenOf(String),
    /// Where the tasks of a batch stand, and the ids of those that stand as one of the bits says (`1 << status`) and of the first.
    Batch(BatchId, u16),
    /// The batches that the listener knows: at most this many, the newest first.
    Batches(u32),
}

/// Most batches in one answer.
pub const BATCHES_MAX: usize = 1_000;

/// The answer to a [`Query`] about batches.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BatchReply {
    /// Of the question.
    pub id: u64,
    /// The batches, each with the number of its tasks.
    pub batches: Vec<(BatchId, u32)>,
    /// Of one batch, a byte for each task: 0 if the speaker has not got it, else `round << 4 | status + 1`.
    pub marks: Bytes,
    /// Place and id of tasks of that batch.
    pub tasks: Vec<(u32, TaskId)>,
    /// There were more.
    pub more: bool,
}

/// The answer to a [`Query`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueryReply {
    /// Of the question.
    pub id: u64,
    /// Facts of the task or tasks asked for, without the payload when a list was asked.
    pub facts: Vec<(TaskId, Fact)>,
    /// There were more.
    pub more: bool,
}

/// Most tasks in one [`Await`], and in one [`Awaited`].
pub const AWAIT_MAX: usize = 1_024;

/// The speaker guards tasks that wait for these. The listener says what it knows of them, and tells how those of them that it keeps end
/// if that is soon.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Await {
    /// The dependencies.
    pub tasks: Vec<TaskId>,
}

/// What the speaker knows of tasks that are awaited.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Awaited {
    /// They have ended so, as it may be told, with the body of the outcome of those that have completed.
    pub ended: Vec<(TaskId, Status, Bytes)>,
    /// The speaker has not got them, or nothing is left of them but that they are over.
    pub lacking: Vec<TaskId>,
}

/// How an attempt is getting on; told to its guardian and kept in memory only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Live {
    /// The task.
    pub task: TaskId,
    /// The lease.
    pub epoch: Epoch,
    /// It has started, at this wall time on the holder, milliseconds since 1970.
    pub started_wall_ms: Option<u64>,
    /// Percent done, as the task says.
    pub percent: Option<u8>,
    /// What the task says of itself.
    pub text: String,
}
