//! Carrying out a guardian's duty: a decision is a fact, written once, never derived again (rules 7, 24, 25).

use super::duty::Duty;
use super::lease_hash;
use super::offer::Past;
use crate::core::Scheduler;
use crate::effect::Event;
use crate::id::{DeviceId, TaskId};
use crate::queue::{Class, Share};
use crate::record::{Fact, Leased, Record, Settled, Stable, Verdict};
use crate::task::ErrorClass;
use crate::timers::Timer;

impl Scheduler {
    /// Does what this device should do about a task now.
    pub(crate) fn guard(&mut self, task: TaskId) {
        self.count_lease(task);
        let Some(entry) = self.tasks.get(&task) else { return };
        let duty = self.duty(task, entry);
        let awaits = entry.awaits;
        if !matches!(duty, Duty::Copy { .. }) {
            self.guardian.copies.remove(task);
        }
        if duty != Duty::Lease {
            self.guardian.queue.remove(task);
        }
        if awaits && !matches!(duty, Duty::Await | Duty::Note(_)) {
            self.await_no_more(task);
        }
        match duty {
            Duty::Nothing => self.timers.clear(Timer::Task(task)),
            Duty::Wait(until) => self.timers.set(Timer::Task(task), until),
            Duty::Await => self.await_dependencies(task),
            Duty::Note(done) => done.into_iter().for_each(|done| self.write(task, Fact::DepDone(done))),
            Duty::Lease => {
                self.timers.clear(Timer::Task(task));
                self.line_up(task);
            }
            Duty::Copy { since, until } => {
                self.timers.set(Timer::Task(task), until);
                self.guardian.copies.insert(task, since);
            }
            Duty::Settle(verdict) => self.settle(task, verdict),
            Duty::MarkStable { round, term, disks } => {
                let by = self.me;
                self.write(task, Fact::Stable(Stable { round, term, by, disks }));
            }
        }
    }

    fn line_up(&mut self, task: TaskId) {
        if let Some(entry) = self.tasks.get(&task)
            && !self.guardian.queue.contains(task)
        {
            let share = Share::of(&entry.spec, entry.acceptors().min());
            let class = Class::of(&entry.spec, share, &Past::of(entry).devices());
            self.guardian.queue.insert(task, &entry.spec, class, entry.since);
        }
    }

    fn settle(&mut self, task: TaskId, verdict: Verdict) {
        let Some(entry) = self.tasks.get(&task) else { return };
        let state = entry.record.resolve();
        let seen = state.settled.map_or(0, |settled| settled.term.saturating_add(1));
        let term = self.term.max(state.fence.map_or(0, |lease| lease.epoch.term())).max(seen);
        let (by, by_inc, round) = (self.me, self.inc, state.round);
        let outbid = state.settled.map(|settled| settled.by).filter(|other| *other != by);
        if let Some(other) = outbid.filter(|other| self.peers.get(other).is_some_and(|peer| peer.is_up()))
            && let Some(entry) = self.tasks.get_mut(&task)
        {
            // By the same facts it would not act: some that it has acknowledged it does not have.
            entry.copy_mut(other).stored = 0;
        }
        self.write(task, Fact::Settled(Settled { round, term, by, by_inc, verdict }));
    }

    /// Keeps the count of my open leases by holder.
    fn count_lease(&mut self, task: TaskId) {
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        let state = entry.record.resolve();
        let counts = |lease: &&Leased| {
            lease.by == self.me
                && state.settled.is_none()
                && (lease.to == self.me || self.peers.get(&lease.to).is_some_and(|peer| peer.inc == Some(lease.to_inc)))
        };
        let open = [state.lease.filter(|_| state.closed.is_none()), state.copy.filter(|_| state.copy_closed.is_none())];
        let now = open.map(|lease| lease.filter(counts).map(|lease| (lease.to, lease_hash(task, lease.epoch))));
        self.recount(task, now);
    }

    /// A record goes, and with it the lease that is counted and what it waits for.
    pub(crate) fn uncount_lease(&mut self, task: TaskId) {
        self.await_no_more(task);
        self.guardian.copies.remove(task);
        self.recount(task, [None; 2]);
    }

    fn recount(&mut self, task: TaskId, now: [Option<(DeviceId, u64)>; 2]) {
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        let before = core::mem::replace(&mut entry.counted, now);
        if before == now {
            return;
        }
        let changes = before.map(|lease| (false, lease)).into_iter().chain(now.map(|lease| (true, lease)));
        for (change, lease) in changes {
            let Some((device, hash)) = lease else { continue };
            let count = self.guardian.counted.entry(device).or_default();
            count.0 = if change { count.0 + 1 } else { count.0.saturating_sub(1) };
            count.1 ^= hash;
            if !change {
                self.guardian.news.insert(device);
            }
        }
        if now.into_iter().flatten().any(|(device, _)| device != self.me && self.waiting_at(device) > 0) {
            self.watch_waiting();
        }
    }
}

/// What is said, besides that it has ended, of a task that has failed in its last attempt, by the device that decided so. Those that
/// failed only for the sake of another one have had no attempt, and that one is told of.
pub(crate) fn alert(me: DeviceId, task: TaskId, record: &Record) -> Option<Event> {
    let state = record.resolve();
    let verdict = &state.settled.filter(|settled| settled.by == me)?.verdict;
    let told = state.outcome.and_then(|outcome| outcome.error.as_ref()).map(|(_, message)| message.clone());
    let (class, message) = match verdict {
        Verdict::Failed { class: ErrorClass::DependencyFailed, .. } | Verdict::Result(_) | Verdict::Cancelled => None,
        Verdict::Failed { class, message, .. } => Some((*class, message.clone())),
        Verdict::Timeout(_) => Some((ErrorClass::Timeout, told.unwrap_or_default())),
    }?;
    Some(Event::Alert { task, class, message, attempts: state.lease.map_or(0, |lease| lease.attempt) })
}
