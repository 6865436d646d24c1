//! One event, and the words for what it is.

use crate::trace::TraceId;
use rc_scheduler::{DeviceId, Epoch, ErrorClass, Status, TaskId};
use std::fmt;
use std::str::FromStr;

macro_rules! kinds {
    ($($(#[$meta:meta])* $variant:ident $word:literal,)+) => {
        /// What happened.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum EventKind { $($(#[$meta])* $variant,)+ }

        impl EventKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word as it is written.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The kind that is written so.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.word() == word)
            }
        }
    };
}

kinds! {
    /// A task was accepted.
    Submit "on_submit",
    /// A device was chosen for an attempt.
    Schedule "on_schedule",
    /// An attempt runs.
    Start "on_start",
    /// It says how far it is.
    Progress "on_progress",
    /// The task is done, and its result is recorded.
    Complete "on_complete",
    /// The task ended otherwise.
    Error "on_error",
    /// A copy was given to another device, beside an attempt that takes far longer than others of its type.
    Speculated "task.speculated",
    /// An attempt failed or was given back; another follows, or the end of the task.
    Attempt "attempt.over",
    /// A device is heard.
    PeerUp "peer.up",
    /// A device is given up for lost.
    PeerLost "peer.lost",
    /// A device contradicts itself: two hosts run with its data directory, or it was put back to an older copy.
    Twins "peer.twins",
    /// This device slept, or was given up by others, and begins a new life.
    Woke "device.woke",
    /// This device's processor has too much to do, or has no more.
    Overloaded "device.overloaded",
    /// Tasks wait, and every device that they fit is busy.
    AddDevice "cluster.add_device",
    /// Something that a person should look at.
    Alert "alert",
    /// Of a kind that this version has no word for.
    Other "other",
}

/// Names an event: which life of the device, and the how many-th event in it, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct EventId {
    /// Starts of the device.
    pub boots: u32,
    /// Grows by one with every event, listened to or not.
    pub number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.boots, self.number)
    }
}

impl FromStr for EventId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers =
            text.split_once('.').and_then(|(boots, number)| Some((boots.parse().ok()?, number.parse().ok()?)));
        let (boots, number) = numbers.ok_or("an event's id is two numbers with a dot between")?;
        Ok(Self { boots, number })
    }
}

/// One event.
#[derive(Clone, PartialEq, Debug)]
pub struct EventRow {
    /// What happened.
    pub kind: EventKind,
    /// When this device heard of it, milliseconds since 1970.
    pub at_wall_ms: u64,
    /// The task that it is about.
    pub task: Option<TaskId>,
    /// Of what type that is.
    pub task_type: Option<String>,
    /// Its trace.
    pub trace: Option<TraceId>,
    /// Who accepted it, was chosen, runs or ran it; or the device that it is about.
    pub device: Option<DeviceId>,
    /// The lease.
    pub epoch: Option<Epoch>,
    /// The number of the attempt, from 1.
    pub attempt: Option<u32>,
    /// Percent done.
    pub progress: Option<u8>,
    /// Where the task stands, if it has ended.
    pub status: Option<Status>,
    /// Why it or the attempt failed.
    pub error: Option<(ErrorClass, String)>,
    /// How long the attempt that counts ran, milliseconds.
    pub run_ms: Option<u64>,
    /// The rest, in words.
    pub text: String,
}

impl EventRow {
    /// One about nothing yet.
    #[must_use]
    pub const fn new(kind: EventKind, at_wall_ms: u64) -> Self {
        Self {
            kind,
            at_wall_ms,
            task: None,
            task_type: None,
            trace: None,
            device: None,
            epoch: None,
            attempt: None,
            progress: None,
            status: None,
            error: None,
            run_ms: None,
            text: String::new(),
        }
    }
}
