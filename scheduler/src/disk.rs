//! The core's side of the disk: what is to be written, what is on its way, and what may happen only afterwards (rule 15).

use crate::effect::{Effect, Entry as DiskEntry};
use crate::id::TaskId;
use crate::time::{Mono, Span};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem::take;

/// A fact on its way to the disk: its slot, and the hash of its key, for the slot may have been freed and used again meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Placed {
    /// The task.
    pub(crate) task: TaskId,
    /// The slot in its record.
    pub(crate) slot: u8,
    /// The key's hash.
    pub(crate) key: u64,
}

/// Writes in order, by number.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    /// It takes new entries.
    pub(crate) healthy: bool,
    staged: Vec<DiskEntry>,
    staged_facts: Vec<Placed>,
    written: u64,
    persisted: u64,
    in_flight: VecDeque<(u64, Mono, Vec<Placed>)>,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            healthy: true,
            staged: Vec::new(),
            staged_facts: Vec::new(),
            written: 0,
            persisted: 0,
            in_flight: VecDeque::new(),
        }
    }
}

impl Disk {
    /// Adds an entry to the next write.
    pub(crate) fn stage(&mut self, entry: DiskEntry) {
        self.staged.push(entry);
    }

    /// Adds a fact to the next write.
    pub(crate) fn stage_fact(&mut self, placed: Placed, entry: DiskEntry) {
        self.staged_facts.push(placed);
        self.staged.push(entry);
    }

    /// The number of the write after which everything known now is safe.
    pub(crate) fn horizon(&self) -> u64 {
        self.written + u64::from(!self.staged.is_empty())
    }

    /// Whether everything up to a horizon is safe.
    pub(crate) fn is_safe(&self, horizon: u64) -> bool {
        horizon <= self.persisted
    }

    /// It takes entries, and answers: a disk that is silent for long must not make a zombie of this device.
    pub(crate) fn is_able(&self, now: Mono, patience: Span) -> bool {
        self.healthy && self.in_flight.front().is_none_or(|(_, since, _)| now.since(*since) < patience)
    }

    /// The write to do now, if there is one.
    pub(crate) fn flush(&mut self, now: Mono) -> Option<Effect> {
        if self.staged.is_empty() {
            return None;
        }
        self.written += 1;
        self.in_flight.push_back((self.written, now, take(&mut self.staged_facts)));
        Some(Effect::Persist { upto: self.written, entries: take(&mut self.staged) })
    }

    /// A task's record is dropped: what is under way of it is no news any more.
    pub(crate) fn forget(&mut self, task: TaskId) {
        self.staged_facts.retain(|placed| placed.task != task);
        for (_, _, facts) in &mut self.in_flight {
            facts.retain(|placed| placed.task != task);
        }
    }

    /// Writes up to this number are safe; the facts in them.
    pub(crate) fn persisted(&mut self, upto: u64) -> Vec<Placed> {
        self.persisted = self.persisted.max(upto.min(self.written));
        let mut safe = Vec::new();
        while self.in_flight.front().is_some_and(|(number, ..)| *number <= self.persisted) {
            if let Some((_, _, facts)) = self.in_flight.pop_front() {
                safe.extend(facts);
            }
        }
        safe
    }
}
