//! Classes of faults. A run has one, so that each can be judged by the strictest invariants it allows; only `mixed` has all.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! classes {
    ($($(#[$meta:meta])* $variant:ident = $word:literal,)+) => {
        /// What goes wrong in a run.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        pub enum Class { $($(#[$meta])* $variant,)+ }

        impl Class {
            /// Every class.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word for the command line.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

classes! {
    /// Nothing goes wrong.
    None = "none",
    /// Some links are slow at times, up to seconds.
    Latency = "latency",
    /// Frames vanish on links that stay up, or come twice.
    FrameLoss = "frame-loss",
    /// Links close for no reason, and can be opened again at once.
    Spurious = "spurious",
    /// Frames of a closed link arrive after the next one is up.
    StaleFrames = "stale-frames",
    /// One direction between two devices is dead.
    OneWay = "one-way",
    /// Two devices do not reach each other, and both reach the rest.
    PairCut = "pair-cut",
    /// The devices fall into two groups.
    Partition = "partition",
    /// A pair or a group is cut off and back with a period about that of giving up.
    Flap = "flap",
    /// One process at a time is killed, at any effect, and starts again; the next only when all is calm again.
    CrashOne = "crash-one",
    /// One device at a time loses power, with what was not on disk, and says nothing to anybody.
    PowerOne = "power-one",
    /// Any processes are killed at any time, and start again.
    Crash = "crash",
    /// Everything loses power at once.
    Blackout = "blackout",
    /// A disk and its device are gone for good.
    DiskDeath = "disk-death",
    /// Devices are suspended, one at a time: core and attempts stop.
    Suspend = "suspend",
    /// Only the core stops, the attempts run on.
    Freeze = "freeze",
    /// Disks take seconds.
    SlowDisk = "slow-disk",
    /// Disks refuse writes for a while.
    FullDisk = "full-disk",
    /// Wall clocks jump: 1970, 2100, backward.
    WallClock = "wall-clock",
    /// Monotonic clocks run up to 1 % fast or slow.
    Drift = "drift",
    /// Gossip is silent, repeated, out of order or old.
    Gossip = "gossip",
    /// Attempts hang, ignore that they should stop, or never end.
    Hang = "hang",
    /// Devices join while work goes on.
    Join = "join",
    /// Some pairs do not reach each other, and one device reaches all.
    Bridge = "bridge",
    /// Each device reaches its two neighbours.
    Ring = "ring",
    /// A device dies, and while the others take over and ask, a cut divides them.
    TakeoverCut = "takeover-cut",
    /// The network splits, and devices start anew on both sides, and again when it has healed.
    SplitRestart = "split-restart",
    /// One device at a time loses power or its link, and nobody is ever told that a link is down.
    NoDown = "no-down",
    /// Devices join in the moment in which others die.
    JoinDeath = "join-death",
    /// Devices leave for good, are thrown out, or keep nothing for others, and not everybody knows.
    Leave = "leave",
    /// A disk is put back to what it was some time ago, its boot counter with it or not.
    Rollback = "rollback",
    /// The daemon is killed, and its attempts live on.
    Orphans = "orphans",
    /// Devices are suspended, and their monotonic clocks stop meanwhile.
    StoppedClock = "stopped-clock",
    /// Devices accept few open tasks.
    QueueFull = "queue-full",
    /// Members say things that are out of all proportion.
    Absurd = "absurd",
    /// Clients that use one key for different things, and read everywhere at once.
    Clients = "clients",
    /// Ended tasks are kept for seconds, on each device for another time or number, while devices are away for long, one at a time.
    Retention = "retention",
    /// Owners take their devices back at any time, at once or when what runs is done, and give them again.
    Owners = "owners",
    /// A device's disk is copied to another host, and both run under one key until the copy is switched off.
    Twins = "twins",
    /// Everything.
    Mixed = "mixed",
}

impl Class {
    /// The class of that name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|class| class.word() == word)
    }

    /// Nothing is lost, late beyond the protocol's patience, or dead: no device may be given up at all.
    #[must_use]
    pub const fn is_calm(self) -> bool {
        matches!(
            self,
            Self::None | Self::WallClock | Self::Drift | Self::Gossip | Self::Join | Self::QueueFull | Self::Clients
        )
    }

    /// No network split and no double failure can excuse a broken promise.
    #[must_use]
    pub const fn is_strict(self) -> bool {
        !matches!(
            self,
            Self::Partition
                | Self::Flap
                | Self::Mixed
                | Self::Crash
                | Self::Blackout
                | Self::DiskDeath
                | Self::Freeze
                | Self::Latency
                | Self::Ring
                | Self::TakeoverCut
                | Self::SplitRestart
                | Self::JoinDeath
                | Self::Leave
                | Self::Rollback
                | Self::StoppedClock
                | Self::Twins
        )
    }

    /// Whether a promise is made at all in runs of this class. Disks that forget what they had acknowledged, and two that speak as one,
    /// leave only the weakest: no core breaks, nothing that another disk has is lost, nobody talks without end, and in the end all agree.
    #[must_use]
    pub fn promises(self, invariant: &str) -> bool {
        let void = [
            "a_key_has_one_value",
            "a_lease_is_started_once",
            "one_host_is_not_taken_for_two",
            "a_reported_end_never_changes_without_a_split",
            "a_task_reported_cancelled_never_starts",
            "what_is_reported_is_on_the_disks_it_names",
            "one_fault_at_a_time_never_two_holders_at_once",
        ];
        match self {
            // A failure at one of them is news at the other only when somebody passes it on.
            Self::Twins if invariant == "a_retry_waits_as_long_as_was_asked" => false,
            Self::Rollback | Self::Twins => !void.contains(&invariant),
            _ => true,
        }
    }

    /// Whether two attempts of one task with side effects at once can be nobody's fault.
    #[must_use]
    pub const fn may_overlap(self) -> bool {
        !self.is_strict() || matches!(self, Self::Hang | Self::Orphans)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
