//! Anti-entropy: comparing hashes of what two devices both should have, and sending what differs (rule 18). It is what allows every
//! other delivery to fail. First one number; if that differs, one for each bucket; of the buckets that differ, lists of what is in
//! them; and then what is missing.

use super::sums::{BUCKETS, bucket};
use crate::core::Scheduler;
use crate::entry::Entry;
use crate::id::{DeviceId, TaskId};
use crate::message::{Digest, Lack, Message, SUMMARY_MAX, Summary};
use crate::time::Span;
use crate::timers::Timer;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// How long pushes of old records wait for the comparison at the beginning of a session.
const COMPARE_PATIENCE: Span = Span::from_secs(2);
/// Lists sent for one digest; what is beyond them is compared next time.
const SUMMARIES_MAX: u32 = 16;

const LAST: TaskId = TaskId([0xff; 16]);

impl Scheduler {
    /// Begins a session: what is old and of which this device does not know whether the other has it is compared before it is sent.
    pub(crate) fn begin_compare(&mut self, device: DeviceId) {
        let (now, quiet) = (self.now.mono, self.config.digest_quiet);
        let unsure = |entry: &Entry| entry.stored_by(device) == 0 && !entry.is_recent(now, quiet);
        if !self.cold.is_empty() || self.tasks.values().any(unsure) {
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
        let peer = self.peer_mut(device);
        peer.summaries = 0;
        if peer.comparing.take().is_some() {
            self.timers.clear(Timer::Compare(device));
        }
        self.dirty_missing(device);
    }

    /// Tells a peer the hashes of what both should have.
    pub(crate) fn send_digest(&mut self, to: DeviceId, full: bool) {
        let mine = self.buckets(to);
        let buckets = if full { mine.to_vec() } else { Vec::from([total(&mine)]) };
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
        let mine = self.buckets(from);
        if digest.buckets.len() == 1 {
            if total(&mine) != digest.buckets[0] {
                self.send_digest(from, true);
            }
            return;
        }
        let Ok(theirs) = <[u64; BUCKETS]>::try_from(digest.buckets) else {
            self.counters.dropped += 1;
            return;
        };
        let equal: Vec<bool> = mine.iter().zip(&theirs).map(|(a, b)| a == b).collect();
        let me = self.me;
        for (task, entry) in &mut self.tasks {
            let both = |sharers: &[DeviceId]| sharers.contains(&from) && sharers.contains(&me);
            let shared = entry.summed.as_ref().is_some_and(|(_, sharers)| both(sharers));
            if shared && equal[bucket(*task)] {
                let all = entry.record.all();
                let copy = entry.copy_mut(from);
                copy.has = true;
                if copy.stored != all {
                    copy.stored = all;
                    self.dirty.insert(*task);
                }
            }
        }
        // Of a bucket that is empty there, all is missing there; of one that is empty here, the other notices.
        let empty: Vec<u8> = (0..BUCKETS).filter(|b| theirs[*b] == 0 && mine[*b] != 0).map(|b| b as u8).collect();
        if !empty.is_empty() {
            let tasks: Vec<_> = self.listed(from, &empty, TaskId::default(), LAST).map(|(task, _)| task).collect();
            tasks.into_iter().for_each(|task| self.repair(task, from));
        }
        let differ = |b: &usize| !equal[*b] && theirs[*b] != 0 && mine[*b] != 0;
        let differing: Vec<u8> = (0..BUCKETS).filter(differ).map(|b| b as u8).collect();
        if digest.reply {
            self.send_summaries(from, &differing);
            let members_hash = self.members.hash();
            self.send(from, Message::Digest(Digest { members_hash, buckets: mine.to_vec(), reply: false }));
        }
        // Whoever sent lists waits for what they bring to light; the one that got them has looked at them already.
        if self.peers.get(&from).is_none_or(|peer| peer.summaries == 0) {
            self.end_compare(from);
        }
    }

    /// What is compared with a peer, of some buckets and in a range of ids.
    fn listed<'a>(
        &'a self,
        with: DeviceId,
        buckets: &'a [u8],
        from: TaskId,
        upto: TaskId,
    ) -> impl Iterator<Item = (TaskId, u64)> + 'a {
        let wanted = move |task: TaskId| buckets.binary_search(&task.0[15]).is_ok();
        let hot = self.tasks.range(from..=upto).filter_map(move |(task, entry)| {
            let (hash, sharers) = entry.summed.as_ref()?;
            let listed = wanted(*task) && sharers.contains(&with) && sharers.contains(&self.me);
            listed.then_some((*task, *hash))
        });
        let cold = self.cold.range(from..=upto).filter_map(move |(task, cold)| {
            let listed = wanted(task) && {
                let sharers = self.sharers(task, self.cold.circle(cold).acceptors.iter().copied());
                sharers.contains(&with) && sharers.contains(&self.me)
            };
            listed.then_some((task, cold.hash))
        });
        hot.chain(cold)
    }

    /// Lists what is in the buckets that differ, from where the last lists ended.
    fn send_summaries(&mut self, to: DeviceId, buckets: &[u8]) {
        if buckets.is_empty() {
            return;
        }
        let mut from = self.peers.get(&to).map_or_else(TaskId::default, |peer| peer.summary_from);
        let mut all: Vec<_> = self.listed(to, buckets, from, LAST).collect();
        all.sort_unstable();
        let mut chunks: Vec<Vec<(TaskId, u64)>> = all.chunks(SUMMARY_MAX).map(<[_]>::to_vec).collect();
        if chunks.is_empty() {
            chunks.push(Vec::new());
        }
        let cut = chunks.len() > SUMMARIES_MAX as usize;
        chunks.truncate(SUMMARIES_MAX as usize);
        let count = chunks.len();
        for (at, entries) in chunks.into_iter().enumerate() {
            let end = at + 1 == count && !cut;
            let upto = entries.last().map_or(LAST, |(task, _)| if end { LAST } else { *task });
            let summary = Summary { buckets: buckets.to_vec(), from, upto, entries };
            self.send(to, Message::Summary(summary));
            from = if end { TaskId::default() } else { after(upto) };
        }
        let peer = self.peer_mut(to);
        peer.summary_from = from;
        peer.summaries = count as u32;
    }

    /// A peer's list: what differs is sent, and what is missing here asked for.
    pub(crate) fn handle_summary(&mut self, from: DeviceId, summary: Summary) {
        let sorted = |list: &[u8]| list.windows(2).all(|pair| pair[0] < pair[1]);
        if summary.from > summary.upto || !sorted(&summary.buckets) {
            self.counters.dropped += 1;
            return;
        }
        let mut mine: BTreeMap<TaskId, u64> = self.listed(from, &summary.buckets, summary.from, summary.upto).collect();
        let mut lack = Vec::new();
        for (task, theirs) in summary.entries {
            match mine.remove(&task) {
                Some(hash) if hash == theirs => {
                    if let Some(entry) = self.tasks.get_mut(&task) {
                        let all = entry.record.all();
                        let copy = entry.copy_mut(from);
                        (copy.stored, copy.has) = (all, true);
                        self.dirty.insert(task);
                    }
                }
                Some(_) if self.cold.get(task).is_some_and(|cold| cold.buried) => {
                    // Of what is left there, this device need not know more than that it is the same task.
                    self.toggle_cold(task);
                    self.cold.set_hash(task, theirs);
                    self.toggle_cold(task);
                }
                Some(_) => {
                    self.repair(task, from);
                    lack.push(task);
                }
                // One that has changed lately is under way.
                None if self.tasks.contains_key(&task) => {}
                None => lack.push(task),
            }
        }
        mine.into_keys().for_each(|task| self.repair(task, from));
        self.send(from, Message::Lack(Lack { tasks: lack }));
    }

    /// What a peer lacks of a list of this device's.
    pub(crate) fn handle_lack(&mut self, from: DeviceId, lack: Lack) {
        lack.tasks.into_iter().for_each(|task| self.repair(task, from));
        let peer = self.peer_mut(from);
        peer.summaries = peer.summaries.saturating_sub(1);
        if peer.summaries == 0 {
            self.end_compare(from);
        }
    }

    /// A peer has not all of a record.
    pub(super) fn repair(&mut self, task: TaskId, device: DeviceId) {
        if let Some(entry) = self.tasks.get_mut(&task) {
            entry.copy_mut(device).stored = 0;
            self.dirty.insert(task);
        } else if self.cold.has(task) {
            self.load_for_peer(task, device);
        } else {
            self.owe_tomb(Some(device), task);
        }
    }
}

fn total(buckets: &[u64; BUCKETS]) -> u64 {
    buckets.iter().fold(0, |all, bucket| all ^ bucket)
}

/// The next id.
pub(super) fn after(task: TaskId) -> TaskId {
    TaskId(u128::from_be_bytes(task.0).saturating_add(1).to_be_bytes())
}
