//! What clients were told, what devices wrote and did, and which disks had what at that moment. Knows nothing of how the cores
//! think: invariants are checked against this, not against internal state.

use crate::clock::{Micros, SECOND};
use crate::invariants::nobody_is_passed_over_for_long::Passed;
use rc_scheduler::{Epoch, Settled, Status, TaskId, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// A set of devices, by index.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Set(pub u64);

impl Set {
    /// The devices for which `is_in` holds.
    #[must_use]
    pub fn of(n: usize, is_in: impl Fn(usize) -> bool) -> Self {
        Self((0..n).filter(|i| is_in(*i)).fold(0, |set, i| set | 1 << i))
    }

    /// How many.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// None.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// What a client may rely on for a task it has submitted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Known {
    /// Its request was not answered: the task may be there or not. If it is, it must end like any other.
    Unknown,
    /// It was told that the task is accepted: the task must not get lost.
    Acked,
    /// It was told how the task ended: that must not change.
    Reported,
}

/// What a device wrote so long before its death was on some disk.
const WRITTEN: Micros = 30 * SECOND;

impl Oracle {
    /// A device's process has ended: what it held it will not end any more, nor what it had just ended and not written down.
    pub fn life_ends(&mut self, device: usize, now: Micros) {
        for ((task, _), ended) in self.held.remove(&device).unwrap_or_default() {
            if ended.saturating_add(WRITTEN) >= now {
                self.died_with.entry(task).or_default().insert((device, now));
            }
        }
    }

    /// The lease that an attempt is known by: if this is a copy's, that of the other one.
    #[must_use]
    pub fn first_of(&self, task: TaskId, epoch: Epoch) -> Epoch {
        self.copies.get(&(task, epoch)).map_or(epoch, |copy| copy.first)
    }

    /// An attempt, or the copy of one, came to a bad end: the two fail once, when the last of them does.
    pub fn failed(&mut self, task: TaskId, epoch: Epoch, now: Micros) {
        let first = self.first_of(task, epoch);
        let failures = self.failures.entry(task).or_default();
        match failures.iter_mut().find(|(other, _)| *other == first) {
            Some((_, at)) => *at = now,
            None => failures.push((first, now)),
        }
    }

    /// Whether any device has leased a task to anybody.
    #[must_use]
    pub fn was_leased(&self, task: TaskId) -> bool {
        self.leases.range((task, Epoch(0))..=(task, Epoch(u64::MAX))).next().is_some()
    }

    /// What the clients of a task may rely on.
    #[must_use]
    pub fn known(&self, task: TaskId) -> Known {
        if self.told.range((task, 0)..=(task, u32::MAX)).next().is_some() {
            Known::Reported
        } else if self.accepted.contains_key(&task) {
            Known::Acked
        } else {
            Known::Unknown
        }
    }
}

/// A client was told that its task is accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Its script.
    pub script: usize,
    /// When.
    pub at: Micros,
    /// The devices named in the reply.
    pub disks: Set,
}

/// A client was told how a task ended.
#[derive(Clone, Debug)]
pub struct Told {
    /// When.
    pub at: Micros,
    /// Where.
    pub device: usize,
    /// What.
    pub status: Status,
    /// The decision behind it.
    pub settled: Settled,
    /// On how many disks it was said to be.
    pub claimed: u32,
    /// The devices that had the decision on disk.
    pub holders: Set,
}

/// A device wrote a lease or a settlement of its own.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// When.
    pub at: Micros,
    /// Who.
    pub device: usize,
    /// Itself, and those it had been in undisturbed contact with for longer than anybody's patience.
    pub contacts: Set,
}

/// An attempt was started.
#[derive(Clone, Copy, Debug)]
pub struct Started {
    /// When.
    pub at: Micros,
    /// Where.
    pub device: usize,
    /// Its lease.
    pub epoch: Epoch,
    /// As in [`Written`], of the device that starts it.
    pub contacts: Set,
}

/// A lease beside another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Copied {
    /// The other one.
    pub first: Epoch,
    /// Of which attempt.
    pub attempt: u32,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    /// By task.
    pub accepted: BTreeMap<TaskId, Accepted>,
    /// By task and round, in the order told.
    pub told: BTreeMap<(TaskId, u32), Vec<Told>>,
    /// Tasks whose cancel was asked.
    pub cancels: BTreeMap<TaskId, Micros>,
    /// Tasks that somebody asked to begin again.
    pub reopens: BTreeSet<TaskId>,
    /// Those that have begun again since anybody asked that they not run.
    pub again: BTreeSet<TaskId>,
    /// Leases, by task and epoch.
    pub leases: BTreeMap<(TaskId, Epoch), Written>,
    /// Settlements, by task.
    pub settlements: BTreeMap<TaskId, Vec<(Settled, Written)>>,
    /// Attempts, by task.
    pub starts: BTreeMap<TaskId, Vec<Started>>,
    /// Which devices dropped a task's record, or keep only its name.
    pub buried: BTreeMap<TaskId, Set>,
    /// Attempts that came to a bad end, by task: the lease, or the one beside which the copy ran, and when the last of the two failed.
    pub failures: BTreeMap<TaskId, Vec<(Epoch, Micros)>>,
    /// Leases of copies.
    pub copies: BTreeMap<(TaskId, Epoch), Copied>,
    /// Leases that were written and that the holder has not ended, by the index of the holder.
    pub open: BTreeMap<usize, BTreeSet<(TaskId, Epoch)>>,
    /// The leases of each holder's present life, by its index, and when it ended them.
    pub held: BTreeMap<usize, BTreeMap<(TaskId, Epoch), Micros>>,
    /// Lives that ended with a task in hand or on its way to them, by task: the device, and when.
    pub died_with: BTreeMap<TaskId, BTreeSet<(usize, Micros)>>,
    /// How often an attempt took its device down, by task.
    pub kills: BTreeMap<TaskId, u32>,
    /// Whom a guardian has leased tasks of while others waited.
    pub passed: Passed,
    /// How many leases in a row were of tasks that others of their batch should go before, by the first script of the batch.
    pub shorter: BTreeMap<usize, u32>,
    /// When attempts came to an end, by the index of the holder.
    pub ends: BTreeMap<usize, Vec<Micros>>,
    /// Two sides decided differently, out of contact: the times at which a promise was excused, for the statistics.
    pub excused: u64,
}

/// Whether two decisions mean the same to a client.
#[must_use]
pub fn same_end(a: &Settled, b: &Settled) -> bool {
    match (&a.verdict, &b.verdict) {
        (Verdict::Failed { class: a, .. }, Verdict::Failed { class: b, .. }) => a == b,
        (a, b) => a == b,
    }
}

/// What a verdict is called when it is told.
#[must_use]
pub const fn status_of(verdict: &Verdict) -> Status {
    match verdict {
        Verdict::Result(_) => Status::Completed,
        Verdict::Failed { .. } => Status::Failed,
        Verdict::Cancelled => Status::Cancelled,
        Verdict::Timeout(_) => Status::Timeout,
    }
}
