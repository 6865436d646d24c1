//! When a record that has ended leaves memory, and how it comes back.

use super::cold::{Circle, Cold};
use super::mark::Mark;
use crate::core::Scheduler;
use crate::entry::Entry;
use crate::id::{DeviceId, TaskId};
use crate::record::{Fact, Record};
use crate::timers::Timer;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl Scheduler {
    /// Notes that a record is to be looked at again when it has been quiet for a while.
    pub(crate) fn watch_quiet(&mut self, task: TaskId) {
        let hash = self.tasks.get(&task).map(|entry| entry.record.hash());
        let Some(entry) = self.tasks.get(&task) else { return };
        let changed = entry.summed.as_ref().map(|(hash, _)| *hash) != hash;
        if changed {
            self.unsum(task);
        }
        if let Some(entry) = self.tasks.get_mut(&task)
            && !entry.watched
            && (changed || entry.announced)
        {
            entry.watched = true;
            self.quiet.push_back((self.now.mono, task));
            self.look_when_quiet();
        }
    }

    /// Nothing else in the line is due before its head.
    fn look_when_quiet(&mut self) {
        if let Some((since, _)) = self.quiet.front() {
            self.timers.set(Timer::Quiet, *since + self.config.digest_quiet);
        }
    }

    /// Looks at the records that have been watched for long enough: they take part in digests from now on, and rest if they can.
    pub(crate) fn settle_quiet(&mut self) {
        let (now, quiet) = (self.now.mono, self.config.digest_quiet);
        if self.quiet.front().is_none_or(|(since, _)| now < *since + quiet) {
            return;
        }
        while let Some((since, task)) = self.quiet.front().copied()
            && now >= since + quiet
        {
            self.quiet.pop_front();
            let Some(entry) = self.tasks.get_mut(&task) else { continue };
            let still = !entry.is_recent(now, quiet) && entry.durable == entry.record.all();
            entry.watched = !still;
            let summed = entry.summed.is_some();
            if still {
                if !summed {
                    self.sum(task);
                }
                self.freeze(task);
            }
            // What cannot rest yet may be able to later.
            if let Some(entry) = self.tasks.get_mut(&task)
                && (!still || entry.announced)
            {
                entry.watched = true;
                self.quiet.push_back((now, task));
            }
        }
        self.look_when_quiet();
    }

    /// Lays a record to rest if it has ended and nobody here needs it.
    fn freeze(&mut self, task: TaskId) {
        let Some(entry) = self.tasks.get(&task) else { return };
        let state = entry.record.resolve();
        let needed = !entry.announced
            || !state.is_reportable()
            || entry.counted != [None; 2]
            || self.holder.runs.get(task).is_some()
            || self.dirty.contains(&task);
        let Some((hash, sharers)) = entry.summed.clone().filter(|_| !needed) else { return };
        if !self.is_cared_for(task, entry, &sharers) {
            return;
        }
        let all = entry.record.all();
        let stored = entry.copies.iter().filter(|copy| copy.stored == all).map(|copy| copy.device).collect();
        let numbers = numbers(&entry.record);
        let acceptors = numbers.iter().map(|(by, _)| *by).collect();
        let number = number(&numbers);
        let (mark, ended) = (Mark::new(state.round, state.status()), entry.ended);
        let Some(circle) = self.cold.circle_number(Circle { acceptors, stored }) else { return };
        // It stays in the sums with the hash that it had.
        self.tasks.remove(&task);
        self.cold.insert(task, Cold { hash, number, ended, circle, mark, buried: false }, &numbers);
    }

    /// Everybody who should have all of a record has it, or will be found not to have it by a digest.
    fn is_cared_for(&self, task: TaskId, entry: &Entry, sharers: &[DeviceId]) -> bool {
        let all = entry.record.all();
        let has_all = |device: DeviceId| entry.stored_by(device) == all;
        let compares = sharers.contains(&self.me);
        let here = |device: DeviceId| self.peers.get(&device).is_some_and(|peer| peer.session);
        let targets = self.push_targets(task, entry);
        targets.iter().all(|device| has_all(*device) || (sharers.contains(device) && !here(*device)))
            && (compares || sharers.iter().any(|device| has_all(*device)))
    }

    /// Brings a record back into memory.
    pub(super) fn thaw(&mut self, task: TaskId, cold: Cold, record: Record) {
        let spec = record.facts().find_map(|fact| match fact {
            Fact::Submitted(submitted) => crate::record::verify(task, submitted),
            _ => None,
        });
        let Some(spec) = spec else { return };
        let now = self.now.mono;
        let mut entry = Entry::new(Arc::new(spec), now);
        let all = record.all();
        for device in &self.cold.circle(&cold).stored {
            let copy = entry.copy_mut(*device);
            (copy.stored, copy.has) = (all, true);
        }
        entry.changed = crate::time::Mono(0);
        (entry.durable, entry.announced, entry.ended) = (all, true, cold.ended);
        entry.summed = Some((cold.hash, self.sharers(task, numbers(&record).into_iter().map(|(by, _)| by))));
        entry.record = record;
        entry.see_lease(now);
        self.cold.remove(task);
        self.tasks.insert(task, entry);
        self.dirty.insert(task);
    }

    /// A record that was at rest when this device stopped goes on resting: digests tell who has it.
    pub(crate) fn rest_again(&mut self, task: TaskId, record: &Record, ended: u32) -> bool {
        let state = record.resolve();
        let numbers = numbers(record);
        let acceptors = numbers.iter().map(|(by, _)| *by).collect();
        let number = number(&numbers);
        let mark = Mark::new(state.round, state.status());
        let Some(circle) = self.cold.circle_number(Circle { acceptors, stored: Vec::new() }) else { return false };
        let hash = record.hash();
        self.cold.insert(task, Cold { hash, number, ended, circle, mark, buried: false }, &numbers);
        true
    }
}

/// The numbers under which a task was accepted, with who accepted it.
pub(super) fn numbers(record: &Record) -> Vec<(DeviceId, u64)> {
    let number = |fact: &Fact| match fact {
        Fact::Submitted(submitted) => Some((submitted.by, submitted.number)),
        _ => None,
    };
    let mut numbers: Vec<_> = record.facts().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

fn number(numbers: &[(DeviceId, u64)]) -> u64 {
    match numbers {
        [(_, number)] => *number,
        _ => 0,
    }
}
