//! A device: a core, a disk, attempts, clocks, and whether it lives.

use super::disk::Disk;
use super::event::Event;
use super::executor::Executor;
use super::heat::Heat;
use crate::clock::{Clock, Micros};
use crate::fault::Fate;
use rc_scheduler::{Capacity, Config, DeviceId, DeviceRecord, Effect, Scheduler};

/// What will become of a device.
#[derive(Clone, Copy, Debug)]
pub struct Doom {
    /// Effects before that.
    pub left: u32,
    /// What.
    pub fate: Fate,
    /// When it is back, after that.
    pub back: Option<Micros>,
}

/// One device.
pub struct Device {
    /// Its name.
    pub id: DeviceId,
    /// Running, if the process is.
    pub core: Option<Scheduler>,
    /// Grows with every start.
    pub life: u32,
    /// Its disk.
    pub disk: Disk,
    /// Its attempts.
    pub executor: Executor,
    /// Its clocks.
    pub clock: Clock,
    /// Has entered the cluster.
    pub joined: bool,
    /// Its kernel answers, even when the process is dead.
    pub host_up: bool,
    /// The core is stopped since then.
    pub asleep_since: Option<Micros>,
    /// What came meanwhile, with its source.
    pub inbox: Vec<(usize, Event)>,
    /// The wake that is in the queue, if it still counts.
    pub tick_at: Option<Micros>,
    /// Tells that wake from older ones.
    pub tick_stamp: u64,
    /// What will become of it after so many more effects.
    pub doom: Option<Doom>,
    /// Effects that it was about to carry out when it fell asleep.
    pub unfinished: Vec<Effect>,
    /// It carries out what it had decided before it fell asleep.
    pub waking: bool,
    /// Effects carried out, in all its lives.
    pub effects: u64,
    /// What its owner has set.
    pub config: Config,
    /// What it has.
    pub capacity: Capacity,
    /// Its processor is found to be so busy, parts per million, if that does not just happen.
    pub load: Option<u32>,
    /// What was measured of it.
    pub heat: Heat,
    /// When its present life began, or the last one.
    pub born: Micros,
    /// Its owner said that it takes nothing new, then.
    pub paused: Option<Micros>,
    /// And that it gives up what it has, then.
    pub wanted_back: Option<Micros>,
    /// Old gossip of its own, for replays.
    pub gossiped: Vec<DeviceRecord>,
}

impl Device {
    /// The process lives and is scheduled.
    #[must_use]
    pub const fn is_awake(&self) -> bool {
        self.core.is_some() && self.asleep_since.is_none()
    }
}
