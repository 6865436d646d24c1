//! The life of a lease on its holder: accepted or given back, queued, started, stopped, closed (rules 26, 27).

use super::{Phase, Run};
use crate::bytes::Bytes;
use crate::core::Scheduler;
use crate::effect::{Effect, Event, Start, StopReason};
use crate::guardian::lease_hash;
use crate::id::{DeviceId, TaskId};
use crate::input::AttemptEvent;
use crate::message::{Live, Message};
use crate::placement::{Unmet, refusal};
use crate::queue::{Class, Head, Share};
use crate::record::{Close, Closed, Fact, Grounds, Leased, Released};
use crate::time::Span;
use alloc::vec::Vec;

/// An attempt that runs for less than this is not worth a message about its progress.
const LIVE_AFTER: Span = Span::from_ms(500);
/// Task types remembered as lately completed.
const AFFINITY_MAX: usize = 8;

/// What others read of an attempt that was stopped, or not even started.
const fn released(why: StopReason) -> Released {
    match why {
        StopReason::Cancelled | StopReason::Superseded => Released::Superseded,
        StopReason::Isolated | StopReason::Woke => Released::Isolated,
        StopReason::Drained => Released::Drained,
    }
}

impl Scheduler {
    /// Does what this device, as the holder of leases, should do about a task.
    pub(crate) fn hold(&mut self, task: TaskId) {
        let Some(entry) = self.tasks.get(&task) else { return };
        let state = entry.record.resolve();
        let lease = state.lease_to(self.me).copied();
        let pointless = state.settled.is_some() || state.cancel_asked;
        let durable = lease.and_then(|lease| entry.record.slot_of(&crate::record::FactKey::Leased(lease.epoch)));
        let durable = durable.is_some_and(|slot| entry.durable & 1 << slot != 0);
        if let Some(run) = self.holder.runs.get(task) {
            let current = lease.is_some_and(|lease| lease.epoch == run.epoch);
            if current && !pointless {
                return;
            }
            let why = if state.cancel_asked { StopReason::Cancelled } else { StopReason::Superseded };
            match run.phase {
                Phase::Waiting => self.let_go(task, Released::Superseded),
                Phase::Running => self.stop(task, why),
                Phase::Stopping(_) => {}
            }
            return;
        }
        let Some(lease) = lease else { return };
        if lease.to_inc != self.inc {
            // An earlier life's lease; its attempt is gone, and whatever it left behind has been asked for.
            if self.sync.done && lease.to_inc < self.inc {
                let died = lease.to_inc.boots < self.inc.boots;
                self.close(task, &lease, Close::Released(if died { Released::Died } else { Released::Stale }));
            }
            return;
        }
        if pointless {
            self.close(task, &lease, Close::Released(Released::Superseded));
        } else if !self.is_granter_here(&lease) {
            self.close(task, &lease, Close::Released(Released::Stale));
        } else if lease.beside.is_some() && !entry.spec.may_be_copied() {
            // Nobody asked for two at once.
            self.close(task, &lease, Close::Released(Released::Superseded));
        } else if let Some(grounds) = self.grounds(task, lease.beside.is_some()) {
            let record_sequence = self.own.sequence;
            self.close(task, &lease, Close::Released(Released::Refused { record_sequence, grounds }));
        } else if self.inputs(task).is_none() {
            // What it is given is on its way.
        } else if durable || lease.by != self.me || !self.tasks[&task].spec.side_effects {
            // A lease of my own may run before it is on disk only if running it twice does no harm.
            self.take(task, &lease);
        }
    }

    /// What a task is given of those that it waited for, if all of it is here.
    fn inputs(&self, task: TaskId) -> Option<Vec<(TaskId, Bytes)>> {
        let entry = self.tasks.get(&task)?;
        let given = |dep: TaskId| {
            entry.record.facts().find_map(|fact| match fact {
                Fact::DepDone(done) if done.dep == dep => Some((dep, done.values.clone())),
                _ => None,
            })
        };
        let used = entry.spec.uses.iter().filter_map(|place| entry.spec.after.get(*place as usize));
        used.map(|dep| given(*dep)).collect()
    }

    fn is_granter_here(&self, lease: &Leased) -> bool {
        if lease.by == self.me {
            return lease.by_inc == self.inc;
        }
        self.peers.get(&lease.by).is_some_and(|peer| peer.is_up() && peer.inc == Some(lease.by_inc))
    }

    /// Why this device does not run a task now, if it does not: its owner's policy, asked here whatever the granter believed.
    fn grounds(&self, task: TaskId, is_copy: bool) -> Option<Grounds> {
        let spec = &self.tasks[&task].spec;
        let capacity = &self.own.capacity;
        if is_copy && !capacity.mains {
            return Some(Grounds::Busy);
        }
        match refusal(spec, capacity) {
            Some(Unmet::TaskType { .. }) => Some(Grounds::TaskType),
            Some(Unmet::Permissions { .. }) => Some(Grounds::Permissions),
            Some(_) => Some(Grounds::Sandbox),
            None => (!self.is_able() || self.is_blocked()).then_some(Grounds::Busy),
        }
    }

    fn take(&mut self, task: TaskId, lease: &Leased) {
        let entry = &self.tasks[&task];
        let class = Class::of(&entry.spec, Share::of(&entry.spec, entry.acceptors().min()), &[]);
        self.holder.queue.insert(task, &entry.spec, class, entry.since);
        let run = Run {
            epoch: lease.epoch,
            inc: lease.to_inc,
            by: lease.by,
            is_copy: lease.beside.is_some(),
            phase: Phase::Waiting,
            live_told: Vec::new(),
            started_wall_ms: None,
            started: self.now.mono,
            percent: None,
            text: alloc::string::String::new(),
        };
        let (others, slots) = (self.holder.runs.len() as u32, self.own.capacity.max_concurrent_tasks);
        let alone = self.holder.exclusive || entry.spec.requirements.exclusive;
        let waits = run.by == self.me && (others >= slots || alone && others > 0);
        self.holder.runs.insert(task, run);
        if waits {
            self.watch_waiting();
        }
    }

    /// Starts what there is room for.
    pub(crate) fn start_next(&mut self) {
        let slots = self.own.capacity.max_concurrent_tasks;
        while self.holder.active < slots && !self.holder.exclusive && self.is_able() && !self.is_blocked() {
            let Some(Head { task, .. }) = self.holder.queue.next(&self.scale()) else { return };
            let entry = &self.tasks[&task];
            if entry.spec.requirements.exclusive && self.holder.active > 0 {
                return;
            }
            let state = entry.record.resolve();
            let (Some(lease), Some(submitted)) = (state.lease_to(self.me).copied(), state.submitted) else { return };
            if !self.is_granter_here(&lease) {
                self.let_go(task, Released::Stale);
                continue;
            }
            // Its owner may have changed his mind while it waited.
            if let Some(grounds) = self.grounds(task, lease.beside.is_some()) {
                let record_sequence = self.own.sequence;
                self.let_go(task, Released::Refused { record_sequence, grounds });
                continue;
            }
            let Some(inputs) = self.inputs(task) else { return };
            let start = Start {
                task,
                inputs,
                epoch: lease.epoch,
                attempt: lease.attempt,
                spec: entry.spec.clone(),
                payload: submitted.payload.clone(),
                timeout: entry.spec.timeout,
            };
            self.holder.queue.serve(task, &self.guardian.runs);
            self.holder.exclusive = entry.spec.requirements.exclusive;
            self.holder.active += 1;
            if let Some(run) = self.holder.runs.get_mut(task) {
                run.phase = Phase::Running;
                run.started = self.now.mono;
            }
            self.effects.push_back(Effect::Start(start));
        }
    }

    pub(crate) fn stop(&mut self, task: TaskId, why: StopReason) {
        if let Some(run) = self.holder.runs.get_mut(task) {
            run.phase = Phase::Stopping(why);
            self.effects.push_back(Effect::Stop { task, epoch: run.epoch, why });
        }
    }

    /// Gives back a lease in hand that was not started.
    pub(super) fn let_go(&mut self, task: TaskId, why: Released) {
        self.holder.queue.remove(task);
        if let Some(run) = self.holder.runs.remove(task) {
            let closed = Closed { epoch: run.epoch, by: self.me, by_inc: run.inc, close: Close::Released(why) };
            self.write(task, Fact::Closed(closed));
        }
    }

    fn close(&mut self, task: TaskId, lease: &Leased, close: Close) {
        self.write(task, Fact::Closed(Closed { epoch: lease.epoch, by: self.me, by_inc: lease.to_inc, close }));
    }

    /// News of an attempt on this device.
    pub(crate) fn handle_attempt(&mut self, task: TaskId, epoch: crate::id::Epoch, event: AttemptEvent) {
        let Some(run) = self.holder.runs.get_mut(task).filter(|run| run.epoch == epoch) else {
            self.counters.dropped += 1;
            return;
        };
        match event {
            AttemptEvent::Started => {
                run.started_wall_ms = Some(self.now.wall_ms);
                if self.tasks.get(&task).is_some_and(|entry| entry.spec.speculative) {
                    // From now on it may take too long.
                    self.dirty.insert(task);
                }
                self.notify(Event::Started { task, epoch });
            }
            AttemptEvent::Progress { percent, text } => {
                run.percent = percent;
                run.text.clone_from(&text);
                run.live_told.clear();
                self.notify(Event::Progress { task, epoch, percent, text });
            }
            AttemptEvent::Ended(outcome) => {
                if run.phase == Phase::Waiting {
                    self.counters.dropped += 1;
                    return;
                }
                let stopped = match run.phase {
                    Phase::Stopping(why) => Some(why),
                    _ => None,
                };
                let (inc, ok) = (run.inc, outcome.is_ok());
                self.holder.runs.remove(task);
                self.holder.active -= 1;
                self.holder.exclusive = false;
                if self.holder.active == 0 {
                    self.all_ended();
                }
                if let Some(entry) = self.tasks.get(&task) {
                    let task_type = entry.spec.task_type.clone();
                    if stopped.is_none() {
                        self.guardian.runs.sample(&task_type, outcome.run, ok);
                        self.credits.completed(self.now.mono);
                    }
                    if ok && self.holder.affinity.back() != Some(&task_type) {
                        self.holder.affinity.retain(|old| *old != task_type);
                        self.holder.affinity.push_back(task_type);
                        if self.holder.affinity.len() > AFFINITY_MAX {
                            self.holder.affinity.pop_front();
                        }
                        let affinity = self.holder.affinity.iter().cloned().collect();
                        if core::mem::replace(&mut self.own.affinity, affinity) != self.own.affinity {
                            self.own.sequence += 1;
                        }
                    }
                }
                // What came to a good end counts, even if it was told to stop meanwhile (rule 27).
                let close = match stopped {
                    Some(why) if !ok => Close::Released(released(why)),
                    _ => Close::Finished(outcome),
                };
                self.guardian.news.insert(self.me);
                self.write(task, Fact::Closed(Closed { epoch, by: self.me, by_inc: inc, close }));
            }
        }
    }

    /// Nobody hears this device: what others granted and must not run twice is stopped (rule 27).
    pub(crate) fn stop_isolated(&mut self) {
        self.stop_where(StopReason::Isolated, |this, task, run| {
            run.by != this.me && this.tasks.get(&task).is_some_and(|entry| entry.spec.side_effects)
        });
    }

    /// This device begins a new incarnation: no attempt of the old one goes on (rule 26).
    pub(crate) fn stop_after_wake(&mut self) {
        self.stop_where(StopReason::Woke, |_, _, _| true);
    }

    pub(super) fn stop_where(&mut self, why: StopReason, which: impl Fn(&Self, TaskId, &Run) -> bool) {
        let tasks: Vec<_> =
            self.holder.runs.iter().filter(|(task, run)| which(self, *task, run)).map(|(task, _)| task).collect();
        for task in tasks {
            match self.holder.runs.get(task).map(|run| run.phase) {
                Some(Phase::Waiting) => self.let_go(task, released(why)),
                Some(Phase::Running) => self.stop(task, why),
                _ => {}
            }
        }
    }

    /// An attempt of an earlier incarnation has not come to its end yet.
    pub(crate) fn has_old_runs(&self) -> bool {
        self.holder.runs.iter().any(|(_, run)| run.inc != self.inc)
    }

    /// Gives back what has waited here for so long that its granter will soon take it for lost.
    pub(crate) fn give_back_overdue(&mut self, granter: DeviceId) {
        let (now, limit) = (self.now.mono, Span(self.config.overrun.0 / 2));
        let overdue = |run: &Run| run.by == granter && run.phase == Phase::Waiting && now.since(run.started) > limit;
        let tasks: Vec<_> = self.holder.runs.iter().filter(|(_, run)| overdue(run)).map(|(task, _)| task).collect();
        let refused = self.too_busy();
        tasks.into_iter().for_each(|task| self.let_go(task, refused));
    }

    /// How many leases of a granter are in hand, and the XOR of their hashes.
    pub(crate) fn held_of(&self, granter: DeviceId) -> (u32, u64) {
        // One that is being stopped because its task has ended is no longer counted by its granter.
        let counts = |run: &Run| {
            let ended = Phase::Stopping(StopReason::Superseded);
            run.by == granter && run.inc == self.inc && run.phase != ended
        };
        let held = self.holder.runs.iter().filter(|(_, run)| counts(run));
        held.fold((0, 0), |(count, hash), (task, run)| (count + 1, hash ^ lease_hash(task, run.epoch)))
    }

    /// Tells a keeper how the longer attempts of its tasks are getting on; goes with the beat.
    pub(crate) fn send_live(&mut self, to: DeviceId) {
        let now = self.now.mono;
        let mut news = Vec::new();
        for (task, run) in self.holder.runs.iter_mut() {
            let keeps = self.tasks.get(&task).is_some_and(|entry| entry.stored_by(to) != 0);
            let long = run.phase == Phase::Running && now.since(run.started) >= LIVE_AFTER;
            if long && (keeps || run.by == to) && !run.live_told.contains(&to) {
                run.live_told.push(to);
                news.push(Live {
                    task,
                    epoch: run.epoch,
                    started_wall_ms: run.started_wall_ms,
                    percent: run.percent,
                    text: run.text.clone(),
                });
            }
        }
        for live in news {
            self.send(to, Message::Live(live));
        }
    }
}
