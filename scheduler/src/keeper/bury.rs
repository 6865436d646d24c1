//! What has ended long ago is buried (rule 30): its acceptor counts its number among those that are over for good, and everybody drops
//! it. A keeper whose own time is over before it hears of that keeps a tombstone. Time is what this device has run, in all its lives.

use super::cold::Cold;
use crate::core::Scheduler;
use crate::effect::{Entry as DiskEntry, StopReason, Tomb};
use crate::holder::Phase;
use crate::id::{DeviceId, TaskId};
use crate::message::{Buried, Message};
use crate::record::Fact;
use crate::timers::Timer;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// A keeper that did not accept a task waits this part of the retention longer, so that usually the acceptor's word comes first.
const OTHERS_LATER: u32 = 8;
/// Records of other devices' tasks are kept up to so many times the number of own ones; more become tombstones.
const OTHERS_MAX: usize = 8;
/// So many times the number of own records are kept as tombstones; of more, the oldest go.
const TOMBS_MAX: usize = 16;
/// When there are too many, this part of the limit goes at once: looking for the oldest costs a look at all.
const AT_ONCE: usize = 16;
/// Most tombstones in one message.
pub(crate) const BURIED_MAX: usize = 1_024;

impl Scheduler {
    /// The numbers under which a task that rests was accepted.
    fn numbers(&self, task: TaskId, cold: &Cold) -> Vec<(DeviceId, u64)> {
        self.cold.numbers(task, cold)
    }

    /// Every acceptor of a task has buried it.
    fn is_covered(&self, numbers: &[(DeviceId, u64)]) -> bool {
        !numbers.is_empty() && numbers.iter().all(|(by, number)| self.graves.covers(*by, *number))
    }

    /// Looks for what is to be buried, and saves how long this device has run.
    pub(crate) fn bury_due(&mut self) {
        let save = self.config.clock_save.0 / 1_000_000;
        if self.ran_us / 1_000_000 >= self.ran_saved_s + save {
            self.save_clock();
        }
        let keep = u32::try_from(self.config.retention.0 / 1_000_000).unwrap_or(u32::MAX);
        let mut due = Vec::new();
        for (task, cold) in self.cold.iter().filter(|(_, cold)| !cold.buried) {
            let mine = self.cold.circle(cold).acceptors.contains(&self.me);
            let keep = if mine { keep } else { keep.saturating_add(keep / OTHERS_LATER) };
            if self.ran_s.saturating_sub(cold.ended) >= keep {
                due.push(task);
            }
        }
        self.bury(due);
        self.plan_burial();
    }

    /// Sets the time of the next look.
    pub(crate) fn plan_burial(&mut self) {
        let part = crate::time::Span(self.config.retention.0 / 64).min(self.config.clock_save);
        self.timers.set(Timer::Bury, self.now.mono + part.max(crate::time::Span::from_secs(1)));
    }

    pub(crate) fn save_clock(&mut self) {
        self.ran_saved_s = self.ran_us / 1_000_000;
        self.disk.stage(DiskEntry::Clock { ran_s: self.ran_saved_s, series: self.series });
    }

    /// Buries the oldest if there are more than this device keeps.
    pub(crate) fn bury_surplus(&mut self) {
        let keep = self.config.keep_max;
        let (own, others) = (self.cold.own(), self.cold.len() - self.cold.own());
        let tombs = self.cold.buried();
        let over = |count: usize, limit: usize| count > limit.saturating_add(limit / AT_ONCE);
        if over(own, keep) {
            let oldest = self.oldest(own - keep, |mine, cold| mine && !cold.buried);
            self.bury(oldest);
        }
        if over(others, keep.saturating_mul(OTHERS_MAX)) {
            let oldest = self.oldest(others - keep * OTHERS_MAX, |mine, cold| !mine && !cold.buried);
            self.bury(oldest);
        }
        if over(tombs, keep.saturating_mul(TOMBS_MAX)) {
            let oldest = self.oldest(tombs - keep * TOMBS_MAX, |_, cold| cold.buried);
            oldest.into_iter().for_each(|task| self.drop_cold(task));
        }
    }

    fn oldest(&self, count: usize, which: impl Fn(bool, &Cold) -> bool) -> Vec<TaskId> {
        let mine = |cold: &Cold| self.cold.circle(cold).acceptors.contains(&self.me);
        let all = self.cold.iter().filter(|(_, cold)| which(mine(cold), cold));
        let mut all: Vec<_> = all.map(|(task, cold)| (cold.ended, task)).collect();
        if count == 0 || count >= all.len() {
            return all.into_iter().map(|(_, task)| task).collect();
        }
        all.select_nth_unstable(count);
        all.truncate(count);
        all.into_iter().map(|(_, task)| task).collect()
    }

    /// Buries tasks that rest here: those accepted here for everybody, the others as far as this device goes.
    fn bury(&mut self, tasks: Vec<TaskId>) {
        let (me, mut mine) = (self.me, false);
        let mut rest = Vec::new();
        for task in tasks {
            let Some(cold) = self.cold.get(task).copied() else { continue };
            let numbers = self.numbers(task, &cold);
            for (_, number) in numbers.iter().filter(|(by, _)| *by == me) {
                mine |= self.graves.bury(me, *number);
            }
            rest.push((task, cold, numbers));
        }
        if mine {
            // Before the records go: else their numbers might be given again.
            self.disk.stage(DiskEntry::Graves(me, self.graves.row(me)));
            self.graves_changed();
        }
        for (task, cold, numbers) in rest {
            if self.is_covered(&numbers) {
                self.drop_cold(task);
            } else {
                self.entomb(task, Tomb { hash: cold.hash, ended_s: cold.ended, numbers }, Some(cold));
            }
        }
        self.forget_keys();
    }

    /// Everybody in session is told as soon as it is on disk here.
    fn graves_changed(&mut self) {
        self.graves_out = Some(self.disk.horizon());
    }

    /// Keeps nothing of a task but that it is over.
    fn entomb(&mut self, task: TaskId, tomb: Tomb, was: Option<Cold>) {
        let Some(cold) = self.cold.entombed(&tomb, was) else { return };
        self.toggle_cold(task);
        self.cold.insert(task, cold, &tomb.numbers);
        self.toggle_cold(task);
        self.batches.gone();
        self.disk.stage(DiskEntry::Bury(task, tomb));
    }

    /// A tombstone that was on disk.
    pub(crate) fn restore_tomb(&mut self, task: TaskId, tomb: &Tomb) {
        if let Some(cold) = self.cold.entombed(tomb, None) {
            self.cold.insert(task, cold, &tomb.numbers);
        }
    }

    fn drop_cold(&mut self, task: TaskId) {
        self.toggle_cold(task);
        if self.cold.remove(task).is_some() {
            self.disk.stage(DiskEntry::Drop(task));
            self.forgotten(task);
        }
    }

    fn forgotten(&mut self, task: TaskId) {
        if self.newest_accepted == Some(task) {
            self.newest_accepted = None;
        }
        self.batches.gone();
        // The id of a keyed task has no time in it.
        self.keys_stale |= task.wall_ms() == 0;
    }

    fn forget_keys(&mut self) {
        if core::mem::take(&mut self.keys_stale) {
            let (tasks, cold) = (&self.tasks, &self.cold);
            self.keys.retain(|_, task| tasks.contains_key(task) || cold.has(*task));
        }
        let (tasks, cold) = (&self.tasks, &self.cold);
        self.batches.sweep(|task| tasks.contains_key(&task) || cold.has(task));
    }

    /// Drops a record that is in memory: it is over, whatever this copy says. What runs of it is stopped.
    fn drop_hot(&mut self, task: TaskId) {
        match self.holder.runs.get(task).map(|run| run.phase) {
            Some(Phase::Waiting) => {
                self.holder.queue.remove(task);
                self.holder.runs.remove(task);
            }
            Some(Phase::Running) => self.stop(task, StopReason::Superseded),
            Some(Phase::Stopping(_)) | None => {}
        }
        self.uncount_lease(task);
        self.guardian.queue.remove(task);
        self.timers.clear(Timer::Task(task));
        self.unsum(task);
        self.open.remove(&task);
        self.online.remove(&task);
        self.dirty.remove(&task);
        self.disk.forget(task);
        self.tasks.remove(&task);
        self.disk.stage(DiskEntry::Drop(task));
        self.forgotten(task);
    }

    /// Drops everything that is over for good.
    pub(crate) fn drop_covered(&mut self) {
        let cold: Vec<_> = self
            .cold
            .iter()
            .filter(|(task, cold)| self.is_covered(&self.numbers(*task, cold)))
            .map(|(task, _)| task)
            .collect();
        cold.into_iter().for_each(|task| self.drop_cold(task));
        let hot: Vec<_> = self
            .tasks
            .iter()
            .filter(|(_, entry)| self.is_covered(&super::freeze::numbers(&entry.record)))
            .map(|(task, _)| *task)
            .collect();
        hot.into_iter().for_each(|task| self.drop_hot(task));
        self.forget_keys();
    }

    /// What somebody knows to be over for good.
    pub(crate) fn handle_graves(&mut self, from: Option<DeviceId>, rows: Vec<(DeviceId, Vec<(u64, u64)>)>) {
        let mut news = false;
        for (by, row) in rows {
            // Of this device's own numbers nobody can know more than it has given.
            let given = |(_, last): &(u64, u64)| {
                by != self.me || last >> 32 != u64::from(self.series) || *last <= self.accepted
            };
            if row.iter().all(given) && self.graves.learn(by, &row) {
                self.disk.stage(DiskEntry::Graves(by, self.graves.row(by)));
                news = true;
            }
        }
        if news {
            self.drop_covered();
            self.graves_changed();
        }
        if let Some(from) = from {
            self.graves_asked.remove(&from);
        }
    }

    /// At the beginning of a session, before anything is compared.
    pub(crate) fn tell_graves(&mut self, to: DeviceId) {
        let all = self.graves.all();
        if !all.is_empty() {
            self.send(to, Message::Graves(all));
        }
    }

    /// Tells what is over for good, and who has sent something that is.
    pub(crate) fn flush_graves(&mut self) {
        if self.graves_out.is_some_and(|horizon| self.disk.is_safe(horizon)) {
            self.graves_out = None;
            let sessions: Vec<_> =
                self.peers.iter().filter(|(_, peer)| peer.session).map(|(device, _)| *device).collect();
            sessions.into_iter().for_each(|device| self.tell_graves(device));
        }
        if self.graves_asked.is_empty() && self.tombs_asked.is_empty() {
            return;
        }
        let asked: BTreeSet<_> = core::mem::take(&mut self.graves_asked);
        asked.into_iter().for_each(|device| self.tell_graves(device));
        for (device, tasks) in core::mem::take(&mut self.tombs_asked) {
            let told: Vec<_> = tasks.into_iter().filter_map(|task| Some((task, self.tomb(task)?))).collect();
            if !told.is_empty() {
                self.send(device, Message::Buried(Buried { tasks: told }));
            }
        }
    }

    fn tomb(&self, task: TaskId) -> Option<Tomb> {
        let cold = self.cold.get(task).filter(|cold| cold.buried)?;
        Some(Tomb { hash: cold.hash, ended_s: 0, numbers: self.numbers(task, cold) })
    }

    /// Whether a fact is of a task that is over; whoever sent it is told.
    pub(super) fn is_over(&mut self, from: Option<DeviceId>, task: TaskId, fact: &Fact) -> bool {
        let submitted = match fact {
            Fact::Submitted(submitted) => Some((submitted.by, submitted.number)),
            _ => None,
        };
        if let Some(cold) = self.cold.get(task).copied().filter(|cold| cold.buried) {
            let again = submitted.is_some_and(|number| {
                !self.numbers(task, &cold).contains(&number) && !self.graves.covers(number.0, number.1)
            });
            if again {
                // The same key was submitted again after the first life was buried.
                self.drop_cold(task);
                return false;
            }
            self.owe_tomb(from, task);
            return true;
        }
        let over =
            !self.tasks.contains_key(&task) && submitted.is_some_and(|(by, number)| self.graves.covers(by, number));
        if over && let Some(from) = from {
            self.graves_asked.insert(from);
        }
        over
    }

    /// A task that is submitted again after it was buried is a new one.
    pub(crate) fn revive(&mut self, task: TaskId) {
        if self.cold.get(task).is_some_and(|cold| cold.buried) {
            self.drop_cold(task);
        }
    }

    /// Tells a device that only a tombstone is left of a task; as many as fit into a message, the rest when it asks again.
    pub(super) fn owe_tomb(&mut self, to: Option<DeviceId>, task: TaskId) {
        if let Some(to) = to {
            let owed = self.tombs_asked.entry(to).or_default();
            if owed.len() < BURIED_MAX {
                owed.insert(task);
            }
        }
    }

    /// Tasks of which only tombstones are left elsewhere.
    pub(crate) fn handle_buried(&mut self, buried: Buried) {
        let (me, mut mine) = (self.me, false);
        for (task, tomb) in buried.tasks {
            let Some(numbers) = self.tasks.get(&task).map(|entry| super::freeze::numbers(&entry.record)) else {
                let keeps = self.sharers(task, tomb.numbers.iter().map(|(by, _)| *by)).contains(&me);
                if keeps && self.cold.get(task).is_none() && !self.is_covered(&tomb.numbers) {
                    self.entomb(task, Tomb { ended_s: self.ran_s, ..tomb }, None);
                }
                continue;
            };
            // A whole record of the end is better than a tombstone; one of another life is another task.
            let same = numbers.iter().all(|number| tomb.numbers.contains(number));
            if !same || !self.open.contains(&task) {
                continue;
            }
            for (_, number) in numbers.iter().filter(|(by, _)| *by == me) {
                mine |= self.graves.bury(me, *number);
            }
            self.drop_hot(task);
            if !self.is_covered(&tomb.numbers) {
                self.entomb(task, Tomb { ended_s: self.ran_s, ..tomb }, None);
            }
        }
        if mine {
            self.disk.stage(DiskEntry::Graves(me, self.graves.row(me)));
            self.graves_changed();
            self.drop_covered();
        }
        self.forget_keys();
    }
}
