//! Where a task is kept: a function of the members, not of who is alive, so that one closed lid moves nothing (rule 13).

use crate::core::Scheduler;
use crate::entry::Entry;
use crate::id::{DeviceId, TaskId};
use alloc::vec::Vec;

/// A device's rank for a task in rendezvous (highest random weight) hashing; the highest is the first.
#[must_use]
pub(crate) fn rendezvous(device: DeviceId, task: TaskId) -> (u64, DeviceId) {
    let fold = |id: [u8; 16]| {
        let id = u128::from_le_bytes(id);
        (id as u64) ^ ((id >> 64) as u64).rotate_left(29)
    };
    let mut z = fold(device.0) ^ fold(task.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    z = (z ^ (z >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (z ^ (z >> 32), device)
}

/// The first `size` of `devices` in rendezvous order.
pub(crate) fn first(devices: impl Iterator<Item = DeviceId>, task: TaskId, size: usize) -> Vec<DeviceId> {
    // Of a thousand devices three are wanted: to sort all of them would cost more than to rank them.
    let mut best: Vec<_> = Vec::with_capacity(size + 1);
    for ranked in devices.map(|device| rendezvous(device, task)) {
        if best.len() < size || best.last().is_some_and(|last| ranked > *last) {
            let at = best.partition_point(|other| *other > ranked);
            best.insert(at, ranked);
            best.truncate(size);
        }
    }
    best.into_iter().map(|(_, device)| device).collect()
}

impl Scheduler {
    /// Computes a task's home again if the members have changed.
    pub(crate) fn refresh_home(&mut self, task: TaskId) {
        let (hash, size) = (self.members.hash(), self.config.home_size);
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        if entry.home.0 != hash || entry.home.1.is_empty() {
            entry.home = (hash, first(self.members.keepers(), task, size));
        }
    }

    /// To whom this device pushes what they have not stored (rule 14), itself left out.
    pub(crate) fn push_targets(&self, task: TaskId, entry: &Entry) -> Vec<DeviceId> {
        let mut targets = entry.home.1.clone();
        let mut add = |device: DeviceId| {
            if !targets.contains(&device) {
                targets.push(device);
            }
        };
        entry.acceptors().for_each(&mut add);
        // Whoever has a copy may come to act on it, and must then know what is known here.
        entry.copies.iter().filter(|copy| copy.has || copy.coming).for_each(|copy| add(copy.device));
        let state = entry.record.resolve();
        for lease in state.lease.into_iter().chain(state.copy) {
            add(lease.to);
            add(lease.by);
        }
        // As long as nobody else here has it, a short absence is too long.
        let single = !entry.copies.iter().any(|copy| copy.has && self.is_here(copy.device));
        let there = |device: DeviceId| if single { self.is_here(device) } else { self.in_reserve(device) };
        if state.stable.is_none() && !entry.home.1.iter().all(|device| there(*device)) {
            let live = self.members.keepers().filter(|device| there(*device));
            first(live, task, 2).into_iter().for_each(&mut add);
        }
        let relays: Vec<_> = targets.iter().filter_map(|device| self.relay_to(*device)).collect();
        for relay in relays {
            if !targets.contains(&relay) {
                targets.push(relay);
            }
        }
        targets.retain(|device| *device != self.me);
        targets
    }

    fn is_here(&self, device: DeviceId) -> bool {
        device == self.me || self.peers.get(&device).is_some_and(|peer| peer.is_up())
    }

    /// Whether a device counts as there for the choice of keepers in reserve: a short absence does not move copies.
    fn in_reserve(&self, device: DeviceId) -> bool {
        device == self.me
            || self
                .peers
                .get(&device)
                .is_some_and(|peer| peer.is_live() || self.now.mono.since(peer.heard) < self.config.reserve_after)
    }
}
