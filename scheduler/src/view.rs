//! Reading the core: for the driver's answers to people, and for the simulator's invariants. Changes nothing.

mod ended;

pub use ended::EndedAsk;

use crate::core::{Counters, Scheduler};
use crate::device::DeviceRecord;
use crate::entry::LiveState;
use crate::id::{DeviceId, Epoch, Incarnation, TaskId};
use crate::member::Members;
use crate::record::Record;
use crate::session::Life;
use crate::task::{Reason, Status, TaskSpec};
use crate::time::{Mono, Span};
use alloc::string::String;
use alloc::vec::Vec;

/// The core, to be looked at.
#[derive(Clone, Copy, Debug)]
pub struct View<'a>(&'a Scheduler);

/// How this device sees another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Liveness {
    /// Not heard since this device started.
    Unknown,
    /// In session.
    Up,
    /// Not in session, not given up yet; or heard by another device only.
    Suspect,
    /// Given up.
    Dead,
}

/// Another device, as this one sees it.
#[derive(Clone, Debug)]
pub struct PeerView<'a> {
    /// Who.
    pub device: DeviceId,
    /// Its gossiped record.
    pub record: Option<&'a DeviceRecord>,
    /// Whether it lives.
    pub liveness: Liveness,
    /// The incarnation of its last hello.
    pub incarnation: Option<Incarnation>,
    /// When it was last heard.
    pub heard: Mono,
    /// Round trip of beats.
    pub rtt: Option<Span>,
    /// It has lately contradicted itself: two hosts run with its key, or its disk was put back to an older image.
    pub twins: bool,
}

impl Scheduler {
    /// Reads the core.
    #[must_use]
    pub const fn view(&self) -> View<'_> {
        View(self)
    }
}

impl<'a> View<'a> {
    pub(crate) const fn core(&self) -> &'a Scheduler {
        self.0
    }

    /// This device.
    #[must_use]
    pub const fn me(&self) -> DeviceId {
        self.0.me
    }

    /// Its incarnation.
    #[must_use]
    pub const fn incarnation(&self) -> Incarnation {
        self.0.inc
    }

    /// It has asked every keeper since its last start, wake or loss.
    #[must_use]
    pub const fn is_synced(&self) -> bool {
        self.0.sync.done
    }

    /// Its own record.
    #[must_use]
    pub const fn own(&self) -> &'a DeviceRecord {
        &self.0.own
    }

    /// The members.
    #[must_use]
    pub const fn members(&self) -> &'a Members {
        &self.0.members
    }

    /// The other devices.
    pub fn peers(&self) -> impl Iterator<Item = PeerView<'a>> + use<'a> {
        let core = self.0;
        core.peers.iter().map(|(device, peer)| PeerView {
            device: *device,
            record: core.devices.get(device),
            liveness: match peer.life {
                Life::Unknown => Liveness::Unknown,
                Life::Up if peer.session => Liveness::Up,
                Life::Up | Life::Vetoed { .. } => Liveness::Suspect,
                Life::Lost { .. } => Liveness::Dead,
            },
            incarnation: peer.inc,
            heard: peer.heard,
            rtt: peer.rtt,
            twins: peer.doubts.are_fresh(core.now.mono),
        })
    }

    /// The tasks whose records this device has in memory, in order of id: those that have not ended, or did lately.
    pub fn tasks(&self) -> impl DoubleEndedIterator<Item = TaskId> + use<'a> {
        self.0.tasks.keys().copied()
    }

    /// The newest task that this device accepted, if it is still known.
    #[must_use]
    pub const fn newest_accepted(&self) -> Option<TaskId> {
        self.0.newest_accepted
    }

    /// How many of them have not ended.
    #[must_use]
    pub fn open_tasks(&self) -> usize {
        self.0.open.len()
    }

    /// How many tasks this device keeps.
    #[must_use]
    pub fn kept_tasks(&self) -> usize {
        self.0.tasks.len() + self.0.cold.len()
    }

    /// How many of them have ended and are on disk only.
    #[must_use]
    pub fn resting_tasks(&self) -> usize {
        self.0.cold.len()
    }

    /// Of how many tasks only the name is left, so that they are known should they come back.
    #[must_use]
    pub const fn buried_tasks(&self) -> usize {
        self.0.cold.buried()
    }

    /// This device keeps the task, in memory or on disk only.
    #[must_use]
    pub fn keeps(&self, task: TaskId) -> bool {
        self.0.tasks.contains_key(&task) || self.0.cold.has(task)
    }

    /// Where a task that this device keeps stands.
    #[must_use]
    pub fn status(&self, task: TaskId) -> Option<Status> {
        let resting = || self.0.cold.get(task).filter(|cold| !cold.buried).map(|cold| cold.status());
        self.0.tasks.get(&task).map(|entry| entry.record.resolve().status()).or_else(resting)
    }

    /// The record of a task, if it is in memory.
    #[must_use]
    pub fn record(&self, task: TaskId) -> Option<&'a Record> {
        self.0.tasks.get(&task).map(|entry| &entry.record)
    }

    /// What was asked.
    #[must_use]
    pub fn spec(&self, task: TaskId) -> Option<&'a TaskSpec> {
        self.0.tasks.get(&task).map(|entry| &*entry.spec)
    }

    /// Where a task belongs, whoever is alive: its home (rule 13).
    #[must_use]
    pub fn home(&self, task: TaskId) -> Vec<DeviceId> {
        crate::keeper::first(self.0.members.keepers(), task, self.0.config.home_size)
    }

    /// What the running attempt of a task last said, if this device holds or granted it.
    #[must_use]
    pub fn live(&self, task: TaskId) -> Option<LiveState> {
        if let Some(run) = self.0.holder.runs.get(task) {
            let (epoch, started_wall_ms, percent) = (run.epoch, run.started_wall_ms, run.percent);
            return started_wall_ms.is_some().then(|| LiveState {
                epoch,
                started_wall_ms,
                percent,
                text: run.text.clone(),
            });
        }
        self.0.tasks.get(&task).and_then(|entry| entry.live.clone())
    }

    /// Why a task that has no device waits, with a sentence for people. From this device's view, whoever its guardian is.
    #[must_use]
    pub fn waiting_reason(&self, task: TaskId) -> Option<(Reason, String)> {
        self.0.waiting_reason(task)
    }

    /// The attempts that run here.
    pub fn running(&self) -> impl Iterator<Item = (TaskId, Epoch)> + use<'a> {
        let runs = self.0.holder.runs.iter();
        runs.filter(|(_, run)| run.phase != crate::holder::Phase::Waiting).map(|(task, run)| (task, run.epoch))
    }

    /// Short attempts end here in quick succession, and more of them wait for a slot: a driver may write less often than for each.
    #[must_use]
    pub fn is_streaming(&self) -> bool {
        self.0.is_streaming()
    }

    /// How many leases that this device granted to another one, or to itself, have not ended.
    #[must_use]
    pub fn open_leases(&self, device: DeviceId) -> u32 {
        self.0.counted_at(device).0
    }

    /// Some device of the cluster keeps a task that waits for a way to the internet.
    #[must_use]
    pub fn asks_internet(&self) -> bool {
        let up = |device: &DeviceId| self.0.peers.get(device).is_some_and(crate::session::Peer::is_up);
        !self.0.online.is_empty() || self.0.devices.iter().any(|(device, record)| record.asks_internet && up(device))
    }

    /// The write after which everything known now is on disk; compare with what the driver has been told.
    #[must_use]
    pub fn is_storage_healthy(&self) -> bool {
        self.0.disk.healthy
    }

    /// What was dropped.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.0.counters
    }
}
