//! A task as this device keeps it: the replicated record, and beside it what is only known here and now.

use crate::id::{DeviceId, Epoch};
use crate::record::{Fact, FactKey, Record, Settled, Slots};
use crate::task::TaskSpec;
use crate::time::{Mono, Span};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A record and its circumstances.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The facts.
    pub(crate) record: Record,
    /// What was asked, parsed and verified against the id.
    pub(crate) spec: Arc<TaskSpec>,
    /// The facts on this device's disk.
    pub(crate) durable: Slots,
    /// What other devices have of it.
    pub(crate) copies: Vec<Replica>,
    /// Its home, and the hash of the members that it was computed from.
    pub(crate) home: (u64, Vec<DeviceId>),
    /// When this device first had it.
    pub(crate) since: Mono,
    /// When its facts last changed here.
    pub(crate) changed: Mono,
    /// When the current lease was first seen here.
    pub(crate) lease_seen: (Epoch, Mono),
    /// When the current lease's end was first seen here.
    pub(crate) closed_seen: (Epoch, Mono),
    /// When the copy beside the current lease was first seen here.
    pub(crate) copy_seen: (Epoch, Mono),
    /// When the copy's end was first seen here.
    pub(crate) copy_closed_seen: (Epoch, Mono),
    /// Which lease was first said to run by another device, and when that was heard.
    pub(crate) running_seen: (Epoch, Mono),
    /// Accepted here in this incarnation: no other device can have acted on it without hearing from this one.
    pub(crate) accepted_here: bool,
    /// The holders in whose counts of my open leases it is, and with which hash: that of the lease, and that of the copy.
    pub(crate) counted: [Option<(DeviceId, u64)>; 2],
    /// Its dependencies are asked for, because this device is its guardian.
    pub(crate) awaits: bool,
    /// The latest round in which it is known to have begun again, and when that was first seen here.
    pub(crate) round_seen: (u32, Mono),
    /// What the running attempt last said.
    pub(crate) live: Option<LiveState>,
    /// Its end was announced.
    pub(crate) announced: bool,
    /// This device's running time in seconds when its end became known here.
    pub(crate) ended: u32,
    /// The hash with which it takes part in digests, and those it is compared with.
    pub(crate) summed: Option<(u64, Vec<DeviceId>)>,
    /// It is in the line of those to look at when they have been quiet for a while.
    pub(crate) watched: bool,
}

/// What the holder said of a running attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LiveState {
    /// The lease.
    pub epoch: Epoch,
    /// When it started, as the holder believed; milliseconds since 1970.
    pub started_wall_ms: Option<u64>,
    /// Percent done.
    pub percent: Option<u8>,
    /// Free text.
    pub text: String,
}

/// What another device has of a record, as far as this one knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Replica {
    /// Who.
    pub(crate) device: DeviceId,
    /// On its disk.
    pub(crate) stored: Slots,
    /// Sent in this session, not yet acknowledged.
    pub(crate) sent: Slots,
    /// The task is on its way to it, until it has it or the session ends.
    pub(crate) coming: bool,
    /// It has the task: never forgotten, also while what exactly it has stored is in doubt.
    pub(crate) has: bool,
}

impl Entry {
    /// A record that this device hears of for the first time.
    pub(crate) fn new(spec: Arc<TaskSpec>, now: Mono) -> Self {
        Self {
            record: Record::default(),
            spec,
            durable: 0,
            copies: Vec::new(),
            home: (0, Vec::new()),
            since: now,
            changed: now,
            lease_seen: (Epoch::default(), now),
            closed_seen: (Epoch::default(), now),
            copy_seen: (Epoch::default(), now),
            copy_closed_seen: (Epoch::default(), now),
            running_seen: (Epoch::default(), now),
            accepted_here: false,
            counted: [None; 2],
            awaits: false,
            round_seen: (0, now),
            live: None,
            announced: false,
            ended: 0,
            summed: None,
            watched: false,
        }
    }

    /// Notes which lease is the current one and whether it has ended, if either is new. An end that counts for nothing, because its lease
    /// was taken back, is none.
    pub(crate) fn see_lease(&mut self, now: Mono) {
        let state = self.record.resolve();
        let lease = state.lease.map(|lease| lease.epoch).unwrap_or_default();
        let closed = state.closed.map(|closed| closed.epoch).unwrap_or_default();
        let copy = state.copy.map(|lease| lease.epoch).unwrap_or_default();
        let copy_closed = state.copy_closed.map(|closed| closed.epoch).unwrap_or_default();
        let round = state.round;
        if lease != self.lease_seen.0 {
            self.lease_seen = (lease, now);
        }
        if closed != self.closed_seen.0 {
            self.closed_seen = (closed, now);
        }
        if copy != self.copy_seen.0 {
            self.copy_seen = (copy, now);
        }
        if copy_closed != self.copy_closed_seen.0 {
            self.copy_closed_seen = (copy_closed, now);
        }
        if round != self.round_seen.0 {
            self.round_seen = (round, now);
        }
    }

    /// When the last end that is known of the current lease and its copy was first seen here.
    pub(crate) fn ended_seen(&self) -> Mono {
        if self.copy_closed_seen.0 == Epoch::default() {
            return self.closed_seen.1;
        }
        self.closed_seen.1.max(self.copy_closed_seen.1)
    }

    /// It changed so lately that what is missing elsewhere is probably under way.
    pub(crate) fn is_recent(&self, now: Mono, quiet: Span) -> bool {
        now.since(self.changed) < quiet
    }

    /// What `device` has, to be changed.
    pub(crate) fn copy_mut(&mut self, device: DeviceId) -> &mut Replica {
        let at = self.copies.iter().position(|copy| copy.device == device).unwrap_or_else(|| {
            self.copies.push(Replica { device, stored: 0, sent: 0, coming: false, has: false });
            self.copies.len() - 1
        });
        &mut self.copies[at]
    }

    /// The slots that `device` has on its disk.
    pub(crate) fn stored_by(&self, device: DeviceId) -> Slots {
        self.copies.iter().find(|copy| copy.device == device).map_or(0, |copy| copy.stored)
    }

    /// The slots that `device` still has to be sent.
    pub(crate) fn missing_at(&self, device: DeviceId) -> Slots {
        let copy = self.copies.iter().find(|copy| copy.device == device);
        self.durable & !copy.map_or(0, |copy| copy.stored | copy.sent)
    }

    /// Frees slots whose facts the normal form dropped; returns their keys.
    pub(crate) fn normalise(&mut self) -> Vec<FactKey> {
        let out = self.record.normalise();
        for (slot, _) in &out {
            self.unstore(*slot);
        }
        out.into_iter().map(|(_, key)| key).collect()
    }

    /// Takes back the leases and settlements of `me` that are not on disk yet and so have never left; returns their keys.
    pub(crate) fn take_back_decisions(&mut self, me: DeviceId) -> Vec<FactKey> {
        let own = |fact: &Fact| match fact {
            Fact::Leased(lease) => lease.by == me,
            Fact::Settled(settled) => settled.by == me,
            _ => false,
        };
        let unsent =
            |slot: usize| (self.durable | self.copies.iter().fold(0, |all, c| all | c.stored)) & 1 << slot == 0;
        let slots: Vec<_> =
            self.record.slots().filter(|(slot, fact)| unsent(*slot) && own(fact)).map(|(slot, _)| slot).collect();
        let keys = slots.iter().filter_map(|slot| self.record.take_back(*slot)).collect();
        slots.into_iter().for_each(|slot| self.unstore(slot));
        keys
    }

    /// The fact in a slot is not stored anywhere, here included.
    pub(crate) fn unstore(&mut self, slot: usize) {
        let bit = !(1 << slot);
        self.durable &= bit;
        for copy in &mut self.copies {
            copy.stored &= bit;
            copy.sent &= bit;
        }
    }

    /// The devices that accepted it.
    pub(crate) fn acceptors(&self) -> impl Iterator<Item = DeviceId> + '_ {
        self.record.facts().filter_map(|fact| match fact {
            Fact::Submitted(submitted) => Some(submitted.by),
            _ => None,
        })
    }

    /// The slots that a device must have to know and tell a decision: the decision, and the outcome that it names.
    pub(crate) fn settlement_slots(&self, settled: &Settled) -> Slots {
        let named = settled.verdict.epoch();
        self.record
            .slots()
            .filter(|(_, fact)| match fact {
                Fact::Settled(other) => other == settled,
                Fact::Closed(closed) => Some(closed.epoch) == named,
                _ => false,
            })
            .fold(0, |mask, (slot, _)| mask | 1 << slot)
    }

    /// The slots of all `Submitted`: who has one of these has the task.
    pub(crate) fn submitted_slots(&self) -> Slots {
        self.record
            .slots()
            .filter(|(_, fact)| matches!(fact, Fact::Submitted(_)))
            .fold(0, |mask, (slot, _)| mask | 1 << slot)
    }
}
