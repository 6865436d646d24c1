//! The hashes that digests compare, kept up to date record by record, so that comparing costs nothing while nothing changes (rule 18).

use super::home;
use crate::core::Scheduler;
use crate::id::{DeviceId, TaskId};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Buckets of the full digest; a digest of one bucket asks whether there is anything to talk about.
pub(super) const BUCKETS: usize = 256;

/// For each device the XOR of the hashes of what both should have and what rests unchanged here, by bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    /// The members that homes were computed from; of others, the sums are of no use.
    members: u64,
    by_peer: BTreeMap<DeviceId, Box<[u64; BUCKETS]>>,
}

/// A record's part in its bucket. The task's id goes in: records with the same keys of facts must not cancel each other out.
fn mix(task: TaskId, hash: u64) -> u64 {
    let id = u128::from_le_bytes(task.0);
    let mut z = (id as u64 ^ ((id >> 64) as u64).rotate_left(23)).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ hash;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ (z >> 31)
}

/// The bucket of a task.
pub(super) fn bucket(task: TaskId) -> usize {
    usize::from(task.0[15])
}

impl Sums {
    fn toggle(&mut self, task: TaskId, hash: u64, sharers: &[DeviceId], me: DeviceId) {
        if sharers.contains(&me) {
            for device in sharers.iter().filter(|device| **device != me) {
                let buckets = self.by_peer.entry(*device).or_insert_with(|| Box::new([0; BUCKETS]));
                buckets[bucket(task)] ^= mix(task, hash);
            }
        }
    }
}

impl Scheduler {
    /// Those who compare a task with each other: its home and its acceptors.
    pub(super) fn sharers(&self, task: TaskId, acceptors: impl Iterator<Item = DeviceId>) -> Vec<DeviceId> {
        let mut sharers = home::first(self.members.keepers(), task, self.config.home_size);
        for device in acceptors {
            if !sharers.contains(&device) {
                sharers.push(device);
            }
        }
        sharers
    }

    /// Adds a record that rests to the sums, or takes it out again.
    pub(super) fn toggle_cold(&mut self, task: TaskId) {
        if self.sums.members == self.members.hash()
            && let Some(cold) = self.cold.get(task)
        {
            let sharers = self.sharers(task, self.cold.circle(cold).acceptors.iter().copied());
            self.sums.toggle(task, cold.hash, &sharers, self.me);
        }
    }

    /// Takes a record into the sums as it is.
    pub(super) fn sum(&mut self, task: TaskId) {
        self.unsum(task);
        let Some(entry) = self.tasks.get(&task) else { return };
        let hash = entry.record.hash();
        let sharers = self.sharers(task, entry.acceptors());
        if self.sums.members == self.members.hash() {
            self.sums.toggle(task, hash, &sharers, self.me);
        }
        if let Some(entry) = self.tasks.get_mut(&task) {
            entry.summed = Some((hash, sharers));
        }
    }

    /// Takes a record out of the sums.
    pub(super) fn unsum(&mut self, task: TaskId) {
        if let Some(entry) = self.tasks.get_mut(&task)
            && let Some((hash, sharers)) = entry.summed.take()
            && self.sums.members == self.members.hash()
        {
            self.sums.toggle(task, hash, &sharers, self.me);
        }
    }

    /// The sums kept record by record must be what they are when they are computed from nothing.
    pub(crate) fn check_sums(&self) -> Result<(), crate::invariant::Violation> {
        if self.sums.members != self.members.hash() {
            return Ok(());
        }
        let mut anew = Sums { members: self.sums.members, by_peer: BTreeMap::new() };
        for (task, entry) in &self.tasks {
            if let Some((hash, _)) = &entry.summed {
                anew.toggle(*task, *hash, &self.sharers(*task, entry.acceptors()), self.me);
            }
        }
        for (task, cold) in self.cold.iter() {
            let sharers = self.sharers(task, self.cold.circle(cold).acceptors.iter().copied());
            anew.toggle(task, cold.hash, &sharers, self.me);
        }
        let empty = Box::new([0; BUCKETS]);
        for device in self.sums.by_peer.keys().chain(anew.by_peer.keys()) {
            if self.sums.by_peer.get(device).unwrap_or(&empty) != anew.by_peer.get(device).unwrap_or(&empty) {
                return Err(crate::invariant::Violation(alloc::format!("the sums shared with {device} are off")));
            }
        }
        Ok(())
    }

    /// The sums of what this device shares with another. Computed anew if homes have moved: that is rare, and costs a look at
    /// everything.
    pub(super) fn buckets(&mut self, device: DeviceId) -> [u64; BUCKETS] {
        if self.sums.members != self.members.hash() {
            self.sums = Sums { members: self.members.hash(), by_peer: BTreeMap::new() };
            let summed: Vec<_> =
                self.tasks.iter().filter(|(_, entry)| entry.summed.is_some()).map(|(task, _)| *task).collect();
            for task in summed {
                if let Some(entry) = self.tasks.get_mut(&task) {
                    entry.summed = None;
                }
                self.sum(task);
            }
            let mut sums = core::mem::take(&mut self.sums);
            for (task, cold) in self.cold.iter() {
                let sharers = self.sharers(task, self.cold.circle(cold).acceptors.iter().copied());
                sums.toggle(task, cold.hash, &sharers, self.me);
            }
            self.sums = sums;
        }
        self.sums.by_peer.get(&device).map_or([0; BUCKETS], |buckets| **buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_and_out_again_leaves_nothing() {
        let (me, peer, other) = (DeviceId([1; 16]), DeviceId([2; 16]), DeviceId([3; 16]));
        let mut sums = Sums::default();
        sums.toggle(TaskId([7; 16]), 42, &[me, peer], me);
        sums.toggle(TaskId([8; 16]), 42, &[me, peer], me);
        sums.toggle(TaskId([9; 16]), 42, &[peer, other], me);
        assert_eq!(sums.by_peer.len(), 1, "what is not shared is not compared");
        assert_ne!(sums.by_peer[&peer][7], 0);
        assert_ne!(sums.by_peer[&peer][7], sums.by_peer[&peer][8], "equal facts of two tasks differ");
        sums.toggle(TaskId([7; 16]), 42, &[me, peer], me);
        assert_eq!(sums.by_peer[&peer][7], 0);
    }
}
