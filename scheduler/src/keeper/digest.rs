//! Anti-entropy: comparing hashes of what two devices both should have, and sending what differs (rule 18). It is what allows every
//! other delivery to fail.

use crate::core::Scheduler;
use crate::entry::Entry;
use crate::id::{DeviceId, TaskId};
use crate::message::{Digest, Message};
use crate::time::Span;
use crate::timers::Timer;
use alloc::vec;
use alloc::vec::Vec;

/// Buckets of the full digest; a digest of one bucket asks whether there is anything to talk about.
const BUCKETS: usize = 256;

/// How long pushes of old records wait for the comparison at the beginning of a session.
const COMPARE_PATIENCE: Span = Span::from_secs(2);

/// A record's part in its bucket. The task's id goes in: records with the same keys of facts must not cancel each other out.
fn mix(task: TaskId, hash: u64) -> u64 {
    let id = u128::from_le_bytes(task.0);
    let mut z = (id as u64 ^ ((id >> 64) as u64).rotate_left(23)).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ hash;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ (z >> 31)
}

fn bucket(task: TaskId, buckets: usize) -> usize {
    usize::from(task.0[15]) % buckets
}

impl Scheduler {
    /// Begins a session: what is old and of which this device does not know whether the other has it is compared before it is sent.
    pub(crate) fn begin_compare(&mut self, device: DeviceId) {
        let (now, quiet) = (self.now.mono, self.config.digest_quiet);
        let unsure = |entry: &Entry| entry.stored_by(device) == 0 && !entry.is_recent(now, quiet);
        if self.tasks.values().any(unsure) {
            let until = now + COMPARE_PATIENCE;
            self.peer_mut(device).comparing = Some(until);
            self.timers.set(Timer::Compare(device), until);
            self.send_digest(device, true);
        } else {
            self.end_compare(device);
        }
    }

    /// Whatever the other is not known to have is sent now.
    pub(crate) fn end_compare(&mut self, device: DeviceId) {
        self.peer_mut(device).comparing = None;
        self.timers.clear(Timer::Compare(device));
        self.dirty_missing(device);
    }

    /// A record takes part when both should have it, it is all on disk here, and nothing of it can be under way.
    fn is_compared(&self, entry: &Entry, device: DeviceId) -> bool {
        self.is_shared(entry, device)
            && entry.durable == entry.record.all()
            && !entry.is_recent(self.now.mono, self.config.digest_quiet)
    }

    fn is_shared(&self, entry: &Entry, device: DeviceId) -> bool {
        let has = |device: DeviceId| entry.home.1.contains(&device) || entry.acceptors().any(|by| by == device);
        has(device) && has(self.me)
    }

    fn buckets(&mut self, device: DeviceId, buckets: usize) -> Vec<u64> {
        let mut hashes = vec![0; buckets];
        let tasks: Vec<_> = self.tasks.keys().copied().collect();
        for task in tasks {
            self.refresh_home(task);
            let entry = &self.tasks[&task];
            if self.is_compared(entry, device) {
                hashes[bucket(task, buckets)] ^= mix(task, entry.record.hash());
            }
        }
        hashes
    }

    /// Tells a peer the hashes of what both should have.
    pub(crate) fn send_digest(&mut self, to: DeviceId, full: bool) {
        let buckets = self.buckets(to, if full { BUCKETS } else { 1 });
        let members_hash = self.members.hash();
        self.send(to, Message::Digest(Digest { members_hash, buckets, reply: true }));
    }

    /// The time of the slow comparison has come.
    pub(crate) fn digest_due(&mut self, to: DeviceId) {
        if self.peers.get(&to).is_some_and(|peer| peer.session) {
            self.send_digest(to, false);
            self.timers.set(Timer::Digest(to), self.now.mono + self.config.digest_period);
        }
    }

    /// A peer's hashes.
    pub(crate) fn handle_digest(&mut self, from: DeviceId, digest: Digest) {
        if digest.members_hash != self.members.hash() {
            self.send_members(from);
            return;
        }
        let count = digest.buckets.len();
        if count != 1 && count != BUCKETS {
            self.counters.dropped += 1;
            return;
        }
        let mine = self.buckets(from, count);
        if count == 1 {
            if mine != digest.buckets {
                self.send_digest(from, true);
            }
            return;
        }
        let tasks: Vec<_> = self.tasks.keys().copied().collect();
        for task in tasks {
            let equal = mine[bucket(task, count)] == digest.buckets[bucket(task, count)];
            let compared = self.is_compared(&self.tasks[&task], from);
            let Some(entry) = self.tasks.get_mut(&task).filter(|_| compared) else { continue };
            let all = entry.record.all();
            let copy = entry.copy_mut(from);
            let before = copy.stored;
            copy.stored = if equal { all } else { 0 };
            copy.has |= equal;
            if copy.stored != before || !equal {
                self.dirty.insert(task);
            }
        }
        self.end_compare(from);
        if digest.reply {
            let members_hash = self.members.hash();
            self.send(from, Message::Digest(Digest { members_hash, buckets: mine, reply: false }));
        }
    }
}
