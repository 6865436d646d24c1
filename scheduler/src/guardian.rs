//! Who acts on a task, and what it does: leases it to a device, settles how it ended, and says when that may be told.

mod crash;
mod depend;
mod duty;
mod lease;
mod live;
mod moving;
mod offer;
mod place;
mod settle;
mod straggler;

pub(crate) use depend::Awaits;
pub(crate) use settle::alert;
pub(crate) use straggler::Copies;

use crate::id::{DeviceId, Epoch, TaskId};
use crate::queue::{Queue, RunTimes};
use crate::time::Mono;
use alloc::collections::{BTreeMap, BTreeSet};

/// What this device keeps as a guardian.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guardian {
    /// Tasks that may be leased as soon as a device has room.
    pub(crate) queue: Queue,
    /// Something changed that may let any waiting task be placed.
    pub(crate) anew: bool,
    /// Devices of which something is new, such as room: tasks that they fit may be placed.
    pub(crate) news: BTreeSet<DeviceId>,
    /// How many leases more this device took of its own when that was last looked at.
    pub(crate) room_here: u32,
    /// How long tasks of a type run.
    pub(crate) runs: RunTimes,
    /// My open leases by holder: how many, and the XOR of their hashes.
    pub(crate) counted: BTreeMap<DeviceId, (u32, u64)>,
    /// Those that had no room for me, and will offer some as soon as they have.
    pub(crate) full: BTreeSet<DeviceId>,
    /// How often leases that wait were asked back.
    pub(crate) moves: usize,
    /// When it was last said that a device is missing.
    pub(crate) missed: Option<Mono>,
    /// Attempts that take too long, and wait for a device for a copy.
    pub(crate) copies: Copies,
}

/// A lease's hash for the comparison of what is held (rule 19).
pub(crate) fn lease_hash(task: TaskId, epoch: Epoch) -> u64 {
    let id = u128::from_le_bytes(task.0);
    let mut z = (id as u64) ^ ((id >> 64) as u64).rotate_left(31) ^ epoch.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ (z >> 27)
}
