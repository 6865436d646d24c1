//! The replicated record of a task: a grow-only set of facts, its merge, and what the facts mean.
//!
//! Facts sit in numbered slots that do not move while they are there, so that "which of them has that peer stored" is a bit mask.

mod fact;
mod identity;
mod resolve;
#[cfg(test)]
mod tests;

pub use fact::{
    CancelAsked, Close, Closed, DepDone, Fact, FactKey, Grounds, Leased, Outcome, Released, Reopened, Settled, Stable,
    Submitted, Verdict,
};
pub(crate) use identity::is_still;
pub use identity::{keyed_task_id, task_id, verify};
pub use resolve::State;

use alloc::vec::Vec;

/// A set of slots, one bit each.
pub type Slots = u64;

/// Slots of a record. The normal form keeps far fewer.
pub const SLOTS_MAX: usize = 64;

/// How many facts of each kind the normal form keeps.
mod keep {
    /// Leases: the highest epochs.
    pub(super) const LEASES: usize = 8;
    /// Ends of leases: the highest epochs.
    pub(super) const CLOSED: usize = 8;
    /// Good outcomes: the lowest epochs, for one of them wins.
    pub(super) const OK_OUTCOMES: usize = 4;
    /// Settlements and their stable marks: the highest terms of the highest round.
    pub(super) const SETTLED: usize = 4;
    /// Acceptors, askers, unknown facts: the smallest keys of each kind; of those who begin again the highest rounds.
    pub(super) const OTHERS: usize = 4;
    /// Ends of dependencies: the smallest keys, one for each dependency.
    pub(super) const DEPENDENCIES: usize = crate::task::DEPENDENCY_FACTS_MAX;
}

/// The facts known of one task.
#[derive(Clone, Debug, Default)]
pub struct Record {
    slots: Vec<Option<Fact>>,
    hash: u64,
    bearings: resolve::Bearings,
}

/// Equal are records with the same facts, in whatever slots.
impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.facts().count() == other.facts().count()
            && self.facts().all(|fact| other.facts().any(|theirs| theirs == fact))
    }
}

/// What merging a fact did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Merged {
    /// It is new, and in this slot.
    New(usize),
    /// It was here already, in this slot.
    Known(usize),
    /// The normal form has no place for it, or it is absurd.
    Ignored,
    /// Another value was here under the same key; one of the two stays, the same one everywhere. An alarm.
    Conflict(usize),
}

impl Record {
    /// A record of these facts.
    #[must_use]
    pub fn from_facts(facts: impl IntoIterator<Item = Fact>) -> Self {
        let mut record = Self::default();
        for fact in facts {
            if record.is_full() {
                record.take_bearings();
                record.normalise();
            }
            record.add(fact);
        }
        record.take_bearings();
        record
    }

    /// The facts, in the order of their slots.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.slots.iter().flatten()
    }

    /// The facts with their slots.
    pub fn slots(&self) -> impl Iterator<Item = (usize, &Fact)> {
        self.slots.iter().enumerate().filter_map(|(slot, fact)| fact.as_ref().map(|fact| (slot, fact)))
    }

    /// The fact in a slot.
    #[must_use]
    pub fn get(&self, slot: usize) -> Option<&Fact> {
        self.slots.get(slot).and_then(Option::as_ref)
    }

    /// The slot of the fact with this key.
    #[must_use]
    pub fn slot_of(&self, key: &FactKey) -> Option<usize> {
        let kind = key.kind();
        self.slots().find(|(_, fact)| fact.kind() == kind && fact.key() == *key).map(|(slot, _)| slot)
    }

    /// The slots that hold facts.
    #[must_use]
    pub fn all(&self) -> Slots {
        self.slots().fold(0, |mask, (slot, _)| mask | 1 << slot)
    }

    /// XOR of the hashes of the keys; equal for equal sets.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// No slot is free. The normal form always has free ones, so a full record is brought into it before the next fact is merged.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.slots.len() == SLOTS_MAX && self.slots.iter().all(Option::is_some)
    }

    /// Adds a fact. Commutative, associative and idempotent together with [`Record::normalise`].
    pub fn merge(&mut self, fact: Fact) -> Merged {
        let merged = self.add(fact);
        if matches!(merged, Merged::New(_) | Merged::Conflict(_)) {
            self.take_bearings();
        }
        merged
    }

    /// Adds a fact; where the task stands now has to be found out afterwards.
    fn add(&mut self, fact: Fact) -> Merged {
        let key = fact.key();
        if let Some(slot) = self.slot_of(&key) {
            let Some(mine) = &mut self.slots[slot] else { return Merged::Ignored };
            if *mine == fact {
                return Merged::Known(slot);
            }
            if fact.is_kept_before(mine) {
                *mine = fact;
            }
            return Merged::Conflict(slot);
        }
        let slot = match self.slots.iter().position(Option::is_none) {
            Some(free) => free,
            None if self.slots.len() < SLOTS_MAX => {
                self.slots.push(None);
                self.slots.len() - 1
            }
            None => return Merged::Ignored,
        };
        self.hash ^= key.hash();
        self.slots[slot] = Some(fact);
        Merged::New(slot)
    }

    /// Takes out a fact that no other device can have seen; returns its key.
    pub fn take_back(&mut self, slot: usize) -> Option<FactKey> {
        let key = self.slots.get_mut(slot)?.take()?.key();
        self.hash ^= key.hash();
        self.take_bearings();
        Some(key)
    }

    /// What must not give way to others of its kind: decisions that may have been told, and the ends that the winning one names.
    fn pinned(&self) -> Slots {
        let state = self.resolve();
        let named = state.settled.and_then(|settled| settled.verdict.epoch());
        self.slots()
            .filter(|(_, fact)| match fact {
                Fact::Settled(settled) => self.is_marked(settled),
                Fact::Closed(closed) => Some(closed.epoch) == named,
                _ => false,
            })
            .fold(0, |mask, (slot, _)| mask | 1 << slot)
    }

    /// Brings the record into its normal form and returns what was taken out, with the slots that are free now (rule 9).
    pub fn normalise(&mut self) -> Vec<(usize, FactKey)> {
        // A record with so few of each kind, of the first round, is its own normal form; most are, and never get further than this.
        let mut counts = [0usize; FactKey::KINDS];
        self.facts().for_each(|fact| counts[fact.kind()] += 1);
        let more = self.facts().any(|fact| match fact {
            Fact::Reopened(_) => true,
            // Two of one dependency are one too many.
            Fact::DepDone(_) => counts[fact.kind()] > 1,
            _ => false,
        });
        if !more && counts.iter().all(|count| *count <= keep::OTHERS) {
            return Vec::new();
        }
        let mut out = Vec::new();
        let round = self.resolve().round;
        let pinned = self.pinned();
        let mut leases = Vec::new();
        let mut closed = Vec::new();
        let mut good = Vec::new();
        let mut settled = Vec::new();
        let mut stable = Vec::new();
        let (mut submitted, mut cancels, mut reopened) = (Vec::new(), Vec::new(), Vec::new());
        let (mut dependencies, mut unknown) = (Vec::new(), Vec::new());
        for (slot, fact) in self.slots() {
            let key = fact.key();
            match fact {
                Fact::Leased(_) => leases.push((key, slot)),
                Fact::Closed(f) => match &f.close {
                    Close::Finished(outcome) if outcome.is_ok() => good.push((key, slot)),
                    _ => closed.push((key, slot)),
                },
                Fact::Settled(f) if f.round < round => out.push((slot, key)),
                Fact::Stable(f) if f.round < round => out.push((slot, key)),
                Fact::Settled(_) => settled.push((key, slot)),
                Fact::Stable(_) => stable.push((key, slot)),
                Fact::DepDone(_) => dependencies.push((key, slot)),
                Fact::Submitted(_) => submitted.push((key, slot)),
                Fact::CancelAsked(_) => cancels.push((key, slot)),
                Fact::Reopened(_) => reopened.push((key, slot)),
                Fact::Unknown { .. } => unknown.push((key, slot)),
            }
        }
        // Of several guardians that wrote the same, one is enough.
        dependencies.sort_unstable();
        let mut twice = Vec::new();
        let mut last = None;
        dependencies.retain(|(key, slot)| {
            let FactKey::DepDone(dep, _) = key else { return true };
            let first = last.replace(*dep) != Some(*dep);
            if !first {
                twice.push((*slot, *key));
            }
            first
        });
        let mut shed = |mut list: Vec<(FactKey, usize)>, limit: usize, highest: bool| {
            if list.len() > limit {
                list.sort_unstable();
                if highest {
                    list.reverse();
                }
                list.sort_by_key(|(_, slot)| pinned & 1 << slot == 0);
                out.extend(list.drain(limit..).map(|(key, slot)| (slot, key)));
            }
        };
        shed(leases, keep::LEASES, true);
        shed(closed, keep::CLOSED, true);
        shed(good, keep::OK_OUTCOMES, false);
        shed(settled, keep::SETTLED, true);
        shed(stable, keep::SETTLED, true);
        shed(submitted, keep::OTHERS, false);
        shed(cancels, keep::OTHERS, false);
        shed(reopened, keep::OTHERS, true);
        shed(unknown, keep::OTHERS, false);
        shed(dependencies, keep::DEPENDENCIES, false);
        out.extend(twice);
        for (slot, _) in &out {
            self.take_back(*slot);
        }
        out
    }
}
