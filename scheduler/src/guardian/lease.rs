//! Granting a lease (rules 4, 23), and sending leases again that did not arrive (rule 19).

use super::Guardian;
use crate::core::Scheduler;
use crate::id::{DeviceId, Epoch, TaskId};
use crate::record::{Close, Fact, Leased};

impl Scheduler {
    /// Gives a task to a device. The caller has found that it is free and that the device has room.
    pub(crate) fn lease(&mut self, task: TaskId, to: DeviceId, score_ppm: u32) {
        self.grant(task, to, score_ppm, false);
    }

    /// Gives a task to one more device, beside the one that has it.
    pub(super) fn lease_beside(&mut self, task: TaskId, to: DeviceId, score_ppm: u32) {
        self.grant(task, to, score_ppm, true);
    }

    fn grant(&mut self, task: TaskId, to: DeviceId, score_ppm: u32, is_copy: bool) {
        let Some(to_inc) = (if to == self.me { Some(self.inc) } else { self.peers.get(&to).and_then(|peer| peer.inc) })
        else {
            return;
        };
        let Some(entry) = self.tasks.get(&task) else { return };
        let state = entry.record.resolve();
        let (mut term, mut n, mut attempt, mut losses) = (self.term, 0, 1, 0);
        if let Some(last) = state.fence.filter(|last| last.epoch.term() >= term) {
            (term, n) = match last.epoch.n() {
                0xf_ffff => (last.epoch.term().saturating_add(1), 0),
                n => (last.epoch.term(), n + 1),
            };
        }
        let beside = state.lease.filter(|_| is_copy).map(|first| first.epoch);
        if let Some(last) = state.lease {
            let close = state.closed.map(|closed| &closed.close);
            (attempt, losses) = match close {
                // Neither an attempt nor a loss.
                _ if is_copy => (last.attempt, last.losses),
                // Whether it failed, its copy did, or both.
                _ if state.failure().is_some() => (last.attempt.saturating_add(1), last.losses),
                Some(Close::Released(why)) if why.is_free() => (last.attempt, last.losses),
                _ => (last.attempt, last.losses.saturating_add(1)),
            };
        }
        let (by, by_inc) = (self.me, self.inc);
        let epoch = Epoch::new(term, n, self.tag());
        if !is_copy {
            let Guardian { queue, runs, .. } = &mut self.guardian;
            queue.serve(task, runs);
        }
        self.write(task, Fact::Leased(Leased { epoch, to, to_inc, by, by_inc, attempt, losses, score_ppm, beside }));
    }

    /// Twelve bits that tell the leases of two granters in one term apart.
    fn tag(&self) -> u16 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.me.0).update(&self.inc.boots.to_le_bytes()).update(&self.inc.wakes.to_le_bytes());
        let hash = hasher.finalize();
        u16::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1]]) & 0xfff
    }

    /// What this device counts of its open leases to a peer.
    pub(crate) fn counted_at(&self, device: DeviceId) -> (u32, u64) {
        self.guardian.counted.get(&device).copied().unwrap_or_default()
    }

    /// Sends everything again that has to do with leases between this device and a peer.
    pub(crate) fn resend_leases(&mut self, device: DeviceId) {
        for (task, entry) in &mut self.tasks {
            let between = entry.record.facts().any(|fact| match fact {
                Fact::Leased(lease) => [(self.me, device), (device, self.me)].contains(&(lease.by, lease.to)),
                _ => false,
            });
            if between && entry.record.resolve().stable.is_none() {
                let leases = entry
                    .record
                    .slots()
                    .filter(|(_, fact)| matches!(fact, Fact::Submitted(_) | Fact::Leased(_) | Fact::Closed(_)))
                    .fold(0, |mask, (slot, _)| mask | 1 << slot);
                let copy = entry.copy_mut(device);
                copy.stored &= !leases;
                copy.sent &= !leases;
                self.dirty.insert(*task);
            }
        }
    }
}
