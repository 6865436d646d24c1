//! Attempts that take far longer than others of their type: a task that asks for it gets a copy on another device, and the first result
//! counts (rule 28c). How long is too long follows from the attempts whose ends this device has heard of.

use super::duty::Duty;
use super::offer::Room;
use super::place::ASK_PATIENCE;
use crate::core::Scheduler;
use crate::entry::Entry;
use crate::holder::Phase;
use crate::id::{DeviceId, TaskId};
use crate::placement::{Pick, fits, pick};
use crate::record::{Close, Closed, Fact, Leased, Released, State};
use crate::task::Priority;
use crate::time::{Mono, Span};
use crate::timers::Timer;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// How often it is looked whether a device has become free, unless something says so before.
const EVERY: Span = Span::from_ms(500);
/// How often an attempt is looked at as long as too few of its type have ended to say what takes long.
const UNKNOWN_EVERY: Span = Span::from_secs(2);
/// Most copies of one attempt, those that their devices handed back unrun included.
const COPIES_MAX: usize = 3;
/// Most that are looked at once, those first that take too long since the earliest.
const LOOKS_MAX: usize = 64;

/// Attempts that wait for a device for a copy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Copies {
    /// In the order in which they began to take too long.
    in_order: BTreeSet<(Mono, TaskId)>,
    since: BTreeMap<TaskId, Mono>,
    /// Not looked at again before that.
    rest_until: Mono,
}

impl Copies {
    pub(crate) fn insert(&mut self, task: TaskId, since: Mono) {
        if self.since.get(&task) != Some(&since) {
            self.remove(task);
            self.since.insert(task, since);
            self.in_order.insert((since, task));
            self.look_again();
        }
    }

    pub(crate) fn remove(&mut self, task: TaskId) {
        if let Some(since) = self.since.remove(&task) {
            self.in_order.remove(&(since, task));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.since.is_empty()
    }

    /// Something is new that may let one begin.
    pub(crate) const fn look_again(&mut self) {
        self.rest_until = Mono(0);
    }
}

/// What to do about an attempt that takes too long.
enum Next {
    Lease(Pick),
    Ask(DeviceId),
    Wait,
}

impl Scheduler {
    /// What to do about an attempt that somebody has: wait, or see that it gets a copy.
    pub(super) fn straggler(
        &self,
        task: TaskId,
        entry: &Entry,
        state: &State<'_>,
        lease: &Leased,
        until: Mono,
    ) -> Duty {
        let Some(running) = self.running_since(task, entry, lease).filter(|_| self.may_copy(entry, state, lease))
        else {
            return Duty::Wait(until);
        };
        let Some(usual) = self.guardian.runs.most_take(&entry.spec.task_type, self.config.straggler_samples) else {
            return Duty::Wait(until.min(self.now.mono + UNKNOWN_EVERY));
        };
        let long = usual.0.saturating_mul(u64::from(self.config.straggler_percent)) / 100;
        let since = running + Span(long).max(self.config.straggler_floor);
        if self.now.mono < since { Duty::Wait(until.min(since)) } else { Duty::Copy { since, until } }
    }

    /// Only who granted the lease, in the same life, makes a copy beside it, and one that runs for each attempt: so there is never a
    /// second one, whoever else acts meanwhile. An heir makes none. What a device handed back before it began is no copy yet, and gets
    /// a successor, but not for ever.
    fn may_copy(&self, entry: &Entry, state: &State<'_>, lease: &Leased) -> bool {
        let copies = || {
            entry.record.facts().filter_map(|fact| match fact {
                Fact::Leased(copy) if copy.attempt == lease.attempt && copy.epoch > state.floor => {
                    copy.beside.is_some().then_some(copy)
                }
                _ => None,
            })
        };
        let had_one = || copies().count() >= COPIES_MAX || copies().any(|copy| !was_refused(entry, copy));
        entry.spec.may_be_copied()
            && (lease.by, lease.by_inc) == (self.me, self.inc)
            && state.closed.is_none()
            && !had_one()
            // What may have taken a device down is not given to two at once.
            && self.crashes(&entry.record) == 0
    }

    /// Since when the attempt of a lease has run, as far as this device knows.
    fn running_since(&self, task: TaskId, entry: &Entry, lease: &Leased) -> Option<Mono> {
        if lease.to == self.me {
            let run = self.holder.runs.get(task).filter(|run| run.epoch == lease.epoch)?;
            return (run.phase == Phase::Running && run.started_wall_ms.is_some()).then_some(run.started);
        }
        (entry.running_seen.0 == lease.epoch).then_some(entry.running_seen.1)
    }

    /// Gives copies to devices that have nothing better to do.
    pub(super) fn place_copies(&mut self) {
        let now = self.now.mono;
        if self.guardian.copies.is_empty() || now < self.guardian.copies.rest_until {
            return;
        }
        self.guardian.copies.rest_until = now + EVERY;
        self.timers.set_earlier(Timer::Copies, now + EVERY);
        if self.idle_slots(self.me) == 0 && !self.devices.keys().any(|device| self.idle_slots(*device) > 0) {
            return;
        }
        let tasks: Vec<_> = self.guardian.copies.in_order.iter().take(LOOKS_MAX).map(|(_, task)| *task).collect();
        let mut asked: BTreeMap<DeviceId, u32> = BTreeMap::new();
        for task in tasks {
            match self.choose_copy(task) {
                Next::Lease(chosen) => {
                    self.guardian.copies.remove(task);
                    self.lease_beside(task, chosen.device, chosen.terms.total());
                    self.settle_dirty();
                }
                Next::Ask(device) => *asked.entry(device).or_default() += 1,
                Next::Wait => {}
            }
        }
        for (device, count) in asked {
            // Whatever waits for a first lease goes before what has one.
            self.want(device, count.min(self.idle_slots(device)), Priority::Background);
            self.timers.set_earlier(Timer::Copies, now + ASK_PATIENCE);
        }
    }

    /// The best of the devices that have a slot to spare and live off the mains, other than the one that has it, and than those that
    /// have failed it or given it back.
    fn choose_copy(&self, task: TaskId) -> Next {
        let Some(entry) = self.tasks.get(&task) else { return Next::Wait };
        let Some(lease) = entry.record.resolve().lease else { return Next::Wait };
        let mut offers = self.offers(task);
        offers.retain(|offer| {
            let record = offer.candidate.record;
            record.capacity.mains
                && record.device != lease.to
                && !offer.avoid
                && offer.room.may_be()
                && self.idle_slots(record.device) > 0
                && fits(&entry.spec, &offer.candidate)
        });
        let best = |room: Room| {
            pick(task, &entry.spec, offers.iter().filter(|offer| offer.room == room).map(|offer| offer.candidate))
        };
        match (best(Room::Yes), best(Room::Unknown)) {
            (Some(chosen), _) => Next::Lease(chosen),
            (None, Some(unknown)) => Next::Ask(unknown.device),
            (None, None) => Next::Wait,
        }
    }
}

/// Its device has handed the lease back before it began.
fn was_refused(entry: &Entry, lease: &Leased) -> bool {
    entry.record.facts().any(|fact| match fact {
        Fact::Closed(Closed { epoch, by, by_inc, close: Close::Released(Released::Refused { .. }) }) => {
            (*epoch, *by, *by_inc) == (lease.epoch, lease.to, lease.to_inc)
        }
        _ => false,
    })
}
