//! How a fact comes into a record: checked, merged, put on its way to the disk, and noted for what it shows of its writer.

use crate::core::Scheduler;
use crate::disk::Placed;
use crate::effect::{Effect, Entry as DiskEntry, Event};
use crate::entry::Entry;
use crate::id::{DeviceId, TaskId, Term};
use crate::record::{self, Close, Fact, Leased, Merged};
use crate::task::TaskSpec;
use alloc::sync::Arc;

/// A term this far above the highest known one is absurd and dropped with its fact: one such fact would end all leasing.
pub(crate) const TERM_LEAP_MAX: Term = 1 << 20;

/// Rounds of a task.
pub(crate) const ROUNDS_MAX: u32 = 1 << 20;

impl Scheduler {
    /// Adds a fact of this device's own.
    pub(crate) fn write(&mut self, task: TaskId, fact: Fact) {
        self.merge(task, fact, None);
    }

    /// Adds a fact of another device's: one that `from` has on disk, or, without `from`, one that is merely known somewhere.
    pub(crate) fn learn(&mut self, from: Option<DeviceId>, task: TaskId, fact: Fact) {
        if self.cold.has(task) {
            self.load_for_fact(task, from, fact);
            return;
        }
        if self.is_over(from, task, &fact) {
            return;
        }
        let absurd = match &fact {
            Fact::Leased(lease) => Some(lease.epoch.term()),
            Fact::Closed(closed) => Some(closed.epoch.term()),
            Fact::Settled(settled) => Some(settled.term),
            Fact::Stable(stable) => Some(stable.term),
            _ => None,
        };
        let mut absurd = absurd.is_some_and(|term| term > self.seen_term.0.saturating_add(TERM_LEAP_MAX));
        if let Fact::Reopened(reopened) = &fact {
            // Nobody begins anything again so often; and it could never be begun again after the last round.
            absurd =
                reopened.round > ROUNDS_MAX || reopened.epoch.term() > self.seen_term.0.saturating_add(TERM_LEAP_MAX);
        }
        let spec = match &fact {
            Fact::Submitted(submitted) => record::verify(task, submitted),
            _ => None,
        };
        let is_submitted = matches!(fact, Fact::Submitted(_));
        if absurd || (is_submitted && spec.is_none()) || (!is_submitted && !self.tasks.contains_key(&task)) {
            self.counters.refused_facts += 1;
            return;
        }
        if let Some(spec) = spec {
            self.ensure_entry(task, Arc::new(spec));
        }
        self.merge(task, fact, from);
    }

    /// Makes room for a task that is new here.
    pub(crate) fn ensure_entry(&mut self, task: TaskId, spec: Arc<TaskSpec>) {
        if let Some(key) = &spec.idempotency_key {
            self.keys.entry(key.clone()).or_insert(task);
        }
        self.batches.note(task, &spec);
        let now = self.now.mono;
        self.tasks.entry(task).or_insert_with(|| Entry::new(spec, now));
    }

    /// Merges a fact and draws the first conclusions from it.
    fn merge(&mut self, task: TaskId, fact: Fact, from: Option<DeviceId>) {
        let now = self.now.mono;
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        if entry.record.is_full() {
            for key in entry.normalise() {
                self.disk.stage(DiskEntry::Forget(task, key));
            }
        }
        let merged = entry.record.merge(fact.clone());
        let slot = match merged {
            Merged::New(slot) => {
                entry.changed = now;
                let key = fact.key().hash();
                // With the mark that it may be told goes when that was: the retention counts from then.
                let on_disk = match &fact {
                    Fact::Stable(_) => DiskEntry::Ended(task, fact.clone(), self.ran_s),
                    fact => DiskEntry::Fact(task, fact.clone()),
                };
                self.disk.stage_fact(Placed { task, slot: slot as u8, key }, on_disk);
                if matches!(fact, Fact::Leased(_) | Fact::Closed(_) | Fact::Reopened(_)) {
                    entry.see_lease(now);
                }
                slot
            }
            Merged::Known(slot) => slot,
            Merged::Conflict(slot) => {
                self.settle_conflict(task, slot, &fact, from);
                return;
            }
            Merged::Ignored => return,
        };
        if let Some(from) = from
            && let Some(entry) = self.tasks.get_mut(&task)
        {
            let copy = entry.copy_mut(from);
            copy.stored |= 1 << slot;
            copy.has = true;
        }
        self.dirty.insert(task);
        if !matches!(merged, Merged::New(_)) {
            return;
        }
        self.hear_of_lives(from, &fact);
        match &fact {
            Fact::Leased(lease) => {
                self.see_term(lease.epoch.term(), lease.by);
                if lease.to == self.me {
                    self.credits.leased(now, lease.by);
                }
                let Leased { epoch, to, .. } = *lease;
                self.notify(match lease.beside {
                    None => Event::Leased { task, epoch, to },
                    Some(_) => Event::Speculated { task, epoch, to },
                });
            }
            Fact::Settled(settled) => self.see_term(settled.term, settled.by),
            Fact::Closed(closed) => {
                if let Close::Finished(outcome) = &closed.close
                    && closed.by != self.me
                    && let Some(entry) = self.tasks.get(&task)
                {
                    self.guardian.runs.sample(&entry.spec.task_type, outcome.run, outcome.is_ok());
                }
                self.notify(Event::Closed { task, epoch: closed.epoch });
            }
            Fact::Submitted(_) => self.notify(Event::Submitted { task }),
            _ => {}
        }
    }

    /// Adds a fact that came with an answer: whoever sent it may not have it on disk, but it knows of the lives that the fact shows.
    pub(crate) fn learn_told(&mut self, from: DeviceId, task: TaskId, fact: Fact) {
        self.learn(None, task, fact.clone());
        if self.tasks.get(&task).is_some_and(|entry| entry.record.slot_of(&fact.key()).is_some()) {
            self.hear_of_lives(Some(from), &fact);
        }
    }

    /// Whoever wrote a fact, or was leased something in it, lived in the life that it names.
    fn hear_of_lives(&mut self, from: Option<DeviceId>, fact: &Fact) {
        match fact {
            Fact::Leased(lease) => {
                self.hear_of(from, lease.to, lease.to_inc);
                self.hear_of(from, lease.by, lease.by_inc);
            }
            Fact::Settled(settled) => self.hear_of(from, settled.by, settled.by_inc),
            Fact::Closed(closed) => self.hear_of(from, closed.by, closed.by_inc),
            Fact::Submitted(submitted) => self.hear_of(from, submitted.by, submitted.by_inc),
            _ => {}
        }
    }

    /// Two values met under one key. Whoever has the other one is sent the one that stays; and who sent it has forgotten what it once
    /// stored, or it would not have written it: all of the record goes there again.
    fn settle_conflict(&mut self, task: TaskId, slot: usize, fact: &Fact, from: Option<DeviceId>) {
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        let Some(kept) = entry.record.get(slot).cloned() else { return };
        let replaced = kept == *fact;
        if replaced {
            entry.changed = self.now.mono;
            entry.unstore(slot);
            let key = kept.key().hash();
            self.disk.stage_fact(Placed { task, slot: slot as u8, key }, DiskEntry::Fact(task, kept));
        }
        if let Some(from) = from {
            let copy = entry.copy_mut(from);
            (copy.stored, copy.sent, copy.has) = (if replaced { 1 << slot } else { 0 }, 0, true);
        }
        self.counters.conflicts += 1;
        self.effects.push_back(Effect::Notify(Event::Alarm { task, what: "two values for one key" }));
        self.dirty.insert(task);
    }

    /// A write is safe: its facts may leave now.
    pub(crate) fn handle_persisted(&mut self, upto: u64) {
        let was_able = self.is_able();
        if !was_able {
            self.take_back_decisions();
        }
        for placed in self.disk.persisted(upto) {
            let Some(entry) = self.tasks.get_mut(&placed.task) else { continue };
            if entry.record.get(placed.slot.into()).is_some_and(|fact| fact.key().hash() == placed.key) {
                entry.durable |= 1 << placed.slot;
                self.dirty.insert(placed.task);
            }
        }
        if !was_able && self.is_able() {
            self.able_changed();
        }
    }

    /// Others may have decided meanwhile: what this device decided and could not write in time has never left it, and must not now.
    pub(crate) fn take_back_decisions(&mut self) {
        for task in self.open.clone() {
            let Some(entry) = self.tasks.get_mut(&task) else { continue };
            let keys = entry.take_back_decisions(self.me);
            if !keys.is_empty() {
                entry.see_lease(self.now.mono);
                self.dirty.insert(task);
            }
            for key in keys {
                self.disk.stage(DiskEntry::Forget(task, key));
            }
        }
    }
}
