//! What a guarded task waits for: finding out how its dependencies ended, and telling other guardians (rule 29). What this device keeps
//! it knows; of the rest it asks those that keep it, and asks everybody every few seconds. Only an end that may be told counts.

use super::duty::Duty;
use crate::bytes::Bytes;
use crate::core::Scheduler;
use crate::entry::Entry;
use crate::id::{DeviceId, TaskId};
use crate::keeper::{Reader, first};
use crate::message::{AWAIT_MAX, Await, Awaited, Message};
use crate::record::{DepDone, Fact, Record, Verdict};
use crate::task::{DependencyGroup, ErrorClass, Status, dependency_groups};
use crate::time::{Mono, Span};
use crate::timers::Timer;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// How often everybody is asked. A task that has begun again waits as long before it believes that what it waits for has failed.
const PERIOD: Span = Span::from_secs(5);
/// Who asked is told of an end as long as this after it asked.
const WATCH: Span = Span::from_secs(12);
/// Questions of others that are remembered; of more, the answer comes when they ask again.
const WATCHERS_MAX: usize = 65_536;
/// Bodies of outcomes in one message, bytes.
const BODIES_MAX: usize = 128 * 1024;

/// How a dependency ended.
#[derive(Clone, PartialEq, Eq, Debug)]
enum End {
    /// With this body of its outcome.
    Completed(Bytes),
    /// Otherwise.
    Other(Status),
    /// Every member says that it has not got it.
    Gone,
}

/// A dependency of tasks that are guarded here.
#[derive(Clone, Debug, Default)]
struct Dependency {
    by: BTreeSet<TaskId>,
    end: Option<End>,
    /// Who has said that it has not got it, since everybody was last asked.
    lacking: BTreeSet<DeviceId>,
}

/// What is awaited here, and by others of this device.
#[derive(Clone, Debug, Default)]
pub(crate) struct Awaits {
    dependencies: BTreeMap<TaskId, Dependency>,
    /// To be asked for at once.
    fresh: BTreeSet<TaskId>,
    /// Who waits for tasks that are kept here, and until when it is told.
    watchers: BTreeMap<TaskId, BTreeMap<DeviceId, Mono>>,
    /// What is to be said.
    answers: BTreeMap<DeviceId, Awaited>,
}

/// The groups of dependencies of which it is not on record that they have completed.
fn open_groups(entry: &Entry) -> impl Iterator<Item = DependencyGroup> + '_ {
    let done = |task: TaskId| entry.record.facts().any(|fact| matches!(fact, Fact::DepDone(done) if done.dep == task));
    dependency_groups(&entry.spec).into_iter().filter(move |group| !group.tasks.first().is_some_and(|task| done(*task)))
}

/// How a record that may be told ended.
fn end_of(record: &Record) -> Option<End> {
    let state = record.resolve();
    let status = state.status();
    match state.outcome {
        _ if !status.is_terminal() => None,
        Some(outcome) if status == Status::Completed => Some(End::Completed(outcome.body.clone())),
        _ => Some(End::Other(status)),
    }
}

impl Scheduler {
    /// What is to be done about the dependencies of a task that was never leased; nothing, if all of them have completed.
    pub(super) fn dependencies(&self, entry: &Entry) -> Option<Duty> {
        if entry.spec.after.is_empty() {
            return None;
        }
        let (round, since) = entry.round_seen;
        if round > 0 && self.now.mono < since + PERIOD && open_groups(entry).next().is_some() {
            return Some(Duty::Wait(since + PERIOD));
        }
        let (mut done, mut waits) = (Vec::new(), false);
        for group in open_groups(entry) {
            let (mut values, mut whole) = (Bytes::default(), true);
            for task in &group.tasks {
                match self.awaits.dependencies.get(task).and_then(|dependency| dependency.end.as_ref()) {
                    Some(End::Completed(body)) if group.used => values = body.clone(),
                    Some(End::Completed(_)) => {}
                    Some(End::Other(status)) => {
                        return Some(failed(format!("{task}, which it waits for, is {status}")));
                    }
                    Some(End::Gone) => return Some(failed(format!("no device knows {task}, which it waits for"))),
                    None => whole = false,
                }
            }
            waits |= !whole;
            if let Some(dep) = group.tasks.first().copied().filter(|_| whole) {
                done.push(DepDone { dep, by: self.me, status: Status::Completed, values });
            }
        }
        match (done.is_empty(), waits) {
            (false, _) => Some(Duty::Note(done)),
            (true, true) => Some(Duty::Await),
            (true, false) => None,
        }
    }

    /// What a task still waits for, for people.
    pub(super) fn waits_for(&self, entry: &Entry) -> Option<String> {
        let open: Vec<_> = open_groups(entry).flat_map(|group| group.tasks).collect();
        match &open[..] {
            [] => None,
            [task] => Some(format!("waits for {task}")),
            [task, others @ ..] => Some(format!("waits for {task} and {} others", others.len())),
        }
    }

    /// Finds out how what a task waits for ends.
    pub(super) fn await_dependencies(&mut self, task: TaskId) {
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        entry.awaits = true;
        let open: Vec<_> = open_groups(entry).flat_map(|group| group.tasks).collect();
        for dep in open {
            let dependency = self.awaits.dependencies.entry(dep).or_default();
            if dependency.by.insert(task) {
                if dependency.end.is_none() {
                    self.look_for(dep);
                } else {
                    self.dirty.insert(task);
                }
            }
        }
        self.timers.set_earlier(Timer::Await, self.now.mono + PERIOD);
    }

    /// A task waits no more, or is guarded elsewhere.
    pub(crate) fn await_no_more(&mut self, task: TaskId) {
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        if !core::mem::take(&mut entry.awaits) {
            return;
        }
        let spec = entry.spec.clone();
        for dep in &spec.after {
            if let Some(dependency) = self.awaits.dependencies.get_mut(dep) {
                dependency.by.remove(&task);
                if dependency.by.is_empty() {
                    self.awaits.dependencies.remove(dep);
                    self.awaits.fresh.remove(dep);
                }
            }
        }
    }

    /// Looks for the end of a dependency here; what is not here is asked for.
    fn look_for(&mut self, dep: TaskId) {
        if let Some(entry) = self.tasks.get(&dep) {
            if let Some(end) = end_of(&entry.record) {
                self.learn_end(dep, end);
            }
        } else if let Some(cold) = self.cold.get(dep).filter(|cold| !cold.buried) {
            match cold.status() {
                // It is looked for again later if there is no room.
                Status::Completed => _ = self.load(dep, Reader::Guardian),
                status => self.learn_end(dep, End::Other(status)),
            }
        } else {
            self.awaits.fresh.insert(dep);
        }
    }

    fn learn_end(&mut self, dep: TaskId, end: End) {
        let Some(dependency) = self.awaits.dependencies.get_mut(&dep) else { return };
        dependency.end = Some(end);
        self.awaits.fresh.remove(&dep);
        self.dirty.extend(dependency.by.iter().copied());
    }

    /// The end of a task became known here.
    pub(crate) fn dependency_ended(&mut self, task: TaskId) {
        let watchers = self.awaits.watchers.remove(&task);
        if watchers.is_none() && !self.awaits.dependencies.contains_key(&task) {
            return;
        }
        let Some(end) = self.tasks.get(&task).and_then(|entry| end_of(&entry.record)) else { return };
        for (device, until) in watchers.unwrap_or_default() {
            if self.now.mono < until {
                self.tell_end(device, task, &end);
            }
        }
        self.learn_end(task, end);
    }

    /// A task that had ended has begun again.
    pub(crate) fn dependency_reopened(&mut self, task: TaskId) {
        if let Some(dependency) = self.awaits.dependencies.get_mut(&task) {
            dependency.end = None;
        }
    }

    /// A record that was wanted for its end was read.
    pub(crate) fn dependency_loaded(&mut self, reader: Reader, task: TaskId, record: Option<&Record>) {
        let Some(end) = record.and_then(end_of) else { return };
        match reader {
            Reader::Awaiting(device) => self.tell_end(device, task, &end),
            _ => self.learn_end(task, end),
        }
    }

    fn tell_end(&mut self, device: DeviceId, task: TaskId, end: &End) {
        let told = match end {
            End::Completed(body) => (task, Status::Completed, body.clone()),
            End::Other(status) => (task, *status, Bytes::default()),
            End::Gone => return,
        };
        self.awaits.answers.entry(device).or_default().ended.push(told);
    }

    /// A guardian waits for tasks.
    pub(crate) fn handle_await(&mut self, from: DeviceId, asked: Await) {
        let until = self.now.mono + WATCH;
        for task in asked.tasks {
            if let Some(entry) = self.tasks.get(&task) {
                match end_of(&entry.record) {
                    Some(end) => self.tell_end(from, task, &end),
                    None if self.awaits.watchers.len() < WATCHERS_MAX || self.awaits.watchers.contains_key(&task) => {
                        self.awaits.watchers.entry(task).or_default().insert(from, until);
                    }
                    None => {}
                }
                continue;
            }
            match self.cold.get(task).filter(|cold| !cold.buried).map(|cold| cold.status()) {
                Some(Status::Completed) => _ = self.load(task, Reader::Awaiting(from)),
                Some(status) => self.tell_end(from, task, &End::Other(status)),
                None => self.awaits.answers.entry(from).or_default().lacking.push(task),
            }
        }
    }

    /// A device tells what it knows of tasks that are awaited here.
    pub(crate) fn handle_awaited(&mut self, from: DeviceId, told: Awaited) {
        for (task, status, body) in told.ended {
            let unknown = self.awaits.dependencies.get(&task).is_some_and(|dependency| dependency.end.is_none());
            match status {
                Status::Completed if unknown => self.learn_end(task, End::Completed(body)),
                status if unknown && status.is_terminal() => self.learn_end(task, End::Other(status)),
                _ => {}
            }
        }
        let left = |id: &DeviceId| self.members.get(*id).is_some_and(|member| member.retired || member.revoked);
        let others: Vec<_> = self.peers.keys().copied().filter(|id| !left(id)).collect();
        let mut gone = Vec::new();
        for task in told.lacking {
            let Some(dependency) = self.awaits.dependencies.get_mut(&task).filter(|known| known.end.is_none()) else {
                continue;
            };
            dependency.lacking.insert(from);
            if others.iter().all(|device| dependency.lacking.contains(device)) {
                gone.push(task);
            }
        }
        for task in gone {
            if !self.tasks.contains_key(&task) && !self.cold.has(task) {
                self.learn_end(task, End::Gone);
            }
        }
    }

    /// Looks again for what is not known yet, and asks everybody.
    pub(crate) fn await_due(&mut self) {
        let open = self.awaits.dependencies.iter_mut().filter(|(_, dependency)| dependency.end.is_none());
        let open: Vec<_> = open
            .map(|(task, dependency)| {
                dependency.lacking.clear();
                *task
            })
            .collect();
        if open.is_empty() {
            return;
        }
        open.into_iter().for_each(|task| self.look_for(task));
        let up: Vec<_> = self.peers.iter().filter(|(_, peer)| peer.is_up()).map(|(id, _)| *id).collect();
        let fresh: Vec<_> = core::mem::take(&mut self.awaits.fresh).into_iter().collect();
        for (device, tasks) in up.iter().flat_map(|device| fresh.chunks(AWAIT_MAX).map(|tasks| (*device, tasks))) {
            self.send(device, Message::Await(Await { tasks: tasks.to_vec() }));
        }
        if !self.members.present().any(|member| member != self.me) {
            // There is nobody to ask.
            fresh.into_iter().for_each(|task| self.learn_end(task, End::Gone));
        }
        self.timers.set_earlier(Timer::Await, self.now.mono + PERIOD);
    }

    /// Asks the homes of what has just become awaited, and answers those who asked.
    pub(crate) fn flush_awaits(&mut self) {
        if self.awaits.fresh.is_empty() && self.awaits.answers.is_empty() {
            return;
        }
        let mut asks: BTreeMap<DeviceId, Vec<TaskId>> = BTreeMap::new();
        for task in core::mem::take(&mut self.awaits.fresh) {
            for device in first(self.members.keepers(), task, self.config.home_size) {
                if self.peers.get(&device).is_some_and(|peer| peer.is_up()) {
                    asks.entry(device).or_default().push(task);
                }
            }
        }
        for (device, tasks) in asks {
            for tasks in tasks.chunks(AWAIT_MAX) {
                self.send(device, Message::Await(Await { tasks: tasks.to_vec() }));
            }
        }
        for (device, answer) in core::mem::take(&mut self.awaits.answers) {
            let mut part = Awaited::default();
            let mut bytes = 0;
            for ended in answer.ended {
                if !part.ended.is_empty() && (part.ended.len() == AWAIT_MAX || bytes + ended.2.len() > BODIES_MAX) {
                    self.send(device, Message::Awaited(core::mem::take(&mut part)));
                    bytes = 0;
                }
                bytes += ended.2.len();
                part.ended.push(ended);
            }
            let mut lacking = answer.lacking.chunks(AWAIT_MAX);
            part.lacking = lacking.next().map(<[TaskId]>::to_vec).unwrap_or_default();
            self.send(device, Message::Awaited(part));
            for lacking in lacking {
                self.send(device, Message::Awaited(Awaited { ended: Vec::new(), lacking: lacking.to_vec() }));
            }
        }
    }
}

fn failed(message: String) -> Duty {
    Duty::Settle(Verdict::Failed { class: ErrorClass::DependencyFailed, message, epoch: None })
}
