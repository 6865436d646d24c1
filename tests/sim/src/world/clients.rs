//! Clients: they submit, repeat what was not answered, cancel, read, begin again, and remember what they were told.

use super::World;
use super::event::Event;
use crate::class::Class;
use crate::clock::{MS, SECOND};
use crate::invariants;
use crate::oracle::{Accepted, Set};
use crate::workload::{Op, batch_of};
use rc_scheduler::{BatchPlace, Command, Input, NewTask, Record, Refusal, Reply, Status, TaskId, USES_MAX};

/// A command that was not answered yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) device: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Submit(usize),
    Cancel(TaskId),
    Reopen(TaskId),
    Read(TaskId),
    /// About the batch that begins with this script.
    Batch(usize),
}

impl World {
    pub(crate) fn client(&mut self, op: Op) {
        let (Op::Submit(_, device, _)
        | Op::Cancel(_, device)
        | Op::Reopen(_, device)
        | Op::Read(_, device)
        | Op::Batch(_, device)) = op
        else {
            let Op::Check(script) = op else { return };
            return self.check_submit(script);
        };
        if !self.devices[device].is_awake() {
            // A client sits at its device; a keyed request may go elsewhere at once.
            let keyed = matches!(op, Op::Submit(script, ..) if self.scripts[script].spec.idempotency_key.is_some());
            let elsewhere = if keyed { self.dice.clients.index(self.n()) } else { device };
            let op = match op {
                Op::Submit(script, _, again) => Op::Submit(script, elsewhere, again),
                other => other,
            };
            if !self.healed {
                self.queue.push(self.now + SECOND, Event::Client(op));
            }
            return;
        }
        match op {
            Op::Submit(script, device, _) => self.submit(script, device),
            Op::Cancel(task, device) => {
                self.oracle.cancels.entry(task).or_insert(self.now);
                self.oracle.again.remove(&task);
                self.ask(device, Kind::Cancel(task), Command::Cancel(task));
            }
            Op::Reopen(task, device) => {
                self.oracle.reopens.insert(task);
                self.ask(device, Kind::Reopen(task), Command::Reopen(task));
            }
            Op::Read(task, device) => self.ask(device, Kind::Read(task), Command::Read(task)),
            Op::Batch(first, device) => {
                let command = Command::Batch { batch: batch_of(first), which: Status::ALL.to_vec() };
                let asked = invariants::what_is_said_of_a_batch_is_true::asked(self, first);
                self.batch_asks.insert(self.next_command + 1, asked);
                self.ask(device, Kind::Batch(first), command);
            }
            Op::Check(_) => {}
        }
    }

    fn ask(&mut self, device: usize, kind: Kind, command: Command) {
        self.next_command += 1;
        let id = self.next_command;
        self.pending.insert(id, Pending { device, kind });
        self.feed(device, Input::Command { id, command });
    }

    fn submit(&mut self, script: usize, device: usize) {
        let batch = self.scripts[script].batch;
        // A client that has heard of the end does not begin again; what is submitted after its burial is another task.
        if self.tasks.get(&script).is_some_and(|task| self.oracle.told.keys().any(|(told, _)| told == task)) {
            return;
        }
        let tasks = (script..=script + batch).map(|index| self.new_task(index, script)).collect();
        self.queue.push(self.now + 5 * SECOND, Event::Client(Op::Check(script)));
        self.ask(device, Kind::Submit(script), Command::Submit { tasks, disks: None });
    }

    /// A task as it is asked for in the command that begins with the script `first`.
    fn new_task(&mut self, index: usize, first: usize) -> NewTask {
        let mut after_new = self.after_new.get(&index).cloned().unwrap_or_default();
        if let Some(after) = self.scripts[index].after.take() {
            let mut waits: Vec<usize> = core::iter::once(after).chain(self.scripts[index].also_after.clone()).collect();
            waits.sort_unstable();
            waits.dedup();
            let (with, before): (Vec<_>, Vec<_>) = waits.into_iter().partition(|other| *other >= first);
            let known = before.iter().filter_map(|other| self.tasks.get(other).copied());
            let known: std::collections::BTreeSet<TaskId> = known.collect();
            self.scripts[index].spec.after.extend(known);
            after_new = with.into_iter().map(|other| (other - first) as u32).collect();
            let all = self.scripts[index].spec.after.len() + after_new.len();
            if self.scripts[index].uses {
                self.scripts[index].spec.uses = (0..all.min(USES_MAX) as u32).collect();
            }
            self.after_new.insert(index, after_new.clone());
        }
        let mut task = NewTask { after_new, ..self.scripts[index].task(index) };
        if !self.scripts[first].asks.is_empty() {
            let (index, of) = ((index - first) as u32, self.scripts[first].batch as u32 + 1);
            task.spec.batch = Some(BatchPlace { batch: batch_of(first), index, of });
        }
        task
    }

    fn check_submit(&mut self, script: usize) {
        let answered = self.oracle.accepted.values().any(|accepted| accepted.script == script);
        let waits = self.pending.values().any(|p| matches!(p.kind, Kind::Submit(other) if other == script));
        if answered || self.healed {
            return;
        }
        let alive = |p: &super::Pending| self.devices[p.device].is_awake() && !self.devices[p.device].disk.is_busy();
        if waits && self.devices.iter().all(|d| d.disk.slow == 0) && self.pending.values().all(alive) {
            let name = format!("no answer to the submit of t{script} after 5 s");
            self.fail("a_submit_is_answered_in_time", name);
        } else if self.scripts[script].spec.idempotency_key.is_some() {
            let device = self.dice.clients.index(self.n());
            self.queue.push(self.now + SECOND, Event::Client(Op::Submit(script, device, true)));
        }
    }

    /// Reads every accepted task and batch at every device; the answers are collected in `reads` and `batch_reads`.
    pub fn read_everything(&mut self) {
        let tasks: Vec<TaskId> = self.oracle.accepted.keys().copied().collect();
        for task in tasks {
            for device in 0..self.n() {
                self.queue.push(self.now + device as u64 * MS, Event::Client(Op::Read(task, device)));
            }
        }
        for first in (0..self.scripts.len()).filter(|first| !self.scripts[*first].asks.is_empty()) {
            for device in 0..self.n() {
                self.queue.push(self.now + device as u64 * MS, Event::Client(Op::Batch(first, device)));
            }
        }
    }

    pub(crate) fn reply(&mut self, device: usize, id: u64, reply: Reply) {
        let Some(pending) = self.pending.remove(&id) else {
            self.fail("a_command_is_answered_once", format!("d{device} answers command {id}, which is not open"));
            return;
        };
        match (pending.kind, reply) {
            (Kind::Submit(script), Reply::Accepted { tasks, disks }) => self.accepted(device, script, &tasks, &disks),
            (Kind::Submit(script), Reply::Refused(refusal)) => self.refused(device, script, &refusal),
            (Kind::Reopen(task), Reply::Status(..)) => _ = self.oracle.again.insert(task),
            (_, Reply::Status(task, status)) => {
                if let Some(core) = &self.devices[device].core
                    && core.view().record(task).is_some()
                {
                    invariants::told_status(self, device, task, status);
                }
            }
            (_, Reply::Found { task, facts }) => {
                let record = Record::from_facts(facts);
                invariants::told_record(self, device, task, &record);
                self.reads.insert((task, device), record.resolve().status());
            }
            (Kind::Batch(first), reply) => {
                let asked = self.batch_asks.remove(&id).unwrap_or_default();
                invariants::told_batch(self, device, first, &asked, &reply);
            }
            (Kind::Read(task) | Kind::Cancel(task) | Kind::Reopen(task), Reply::NotFound) => {
                invariants::told_not_found(self, device, id, task);
            }
            _ => {}
        }
    }

    fn refused(&mut self, device: usize, script: usize, refusal: &Refusal) {
        match refusal {
            Refusal::Storage if self.devices[device].disk.full || self.healed => {}
            Refusal::KeyConflict { earlier } if self.is_rival(script, *earlier) => {}
            // Refused is refused: nothing of it is kept, and it may be tried again.
            Refusal::QueueFull { limit } if *limit == self.devices[device].config.queue_max && self.healed => {}
            Refusal::QueueFull { limit } if *limit == self.devices[device].config.queue_max => {
                self.queue.push(self.now + SECOND, Event::Client(Op::Submit(script, device, true)));
            }
            _ => self.fail("a_good_submit_is_accepted", format!("t{script} at d{device}: {refusal:?}")),
        }
    }

    /// The task is another script's, and has the same key.
    fn is_rival(&self, script: usize, task: TaskId) -> bool {
        let key = |script: usize| self.scripts[script].spec.idempotency_key.as_ref();
        self.names.script(task).is_some_and(|other| other != script && key(other) == key(script))
    }

    fn accepted(&mut self, device: usize, first: usize, tasks: &[TaskId], disks: &[rc_scheduler::DeviceId]) {
        let named: Vec<usize> = disks.iter().filter_map(|d| self.names.index(*d)).collect();
        // Nobody knows which disk of two with one key it was.
        let disks = Set::of(self.n(), |i| named.contains(&i) && self.twin(i).is_none());
        for (after, device) in self.scripts[first].asks.clone() {
            self.queue.push(self.now + after, Event::Client(Op::Batch(first, device)));
        }
        for (script, task) in (first..).zip(tasks) {
            self.names.task(*task, script);
            let with = self.after_new.remove(&script).unwrap_or_default();
            self.scripts[script].spec.after.extend(with.into_iter().map(|place| tasks[place as usize]));
            invariants::accepted(self, device, script, *task, disks);
            self.tasks.insert(script, *task);
            let fresh = !self.oracle.accepted.contains_key(task);
            let at = self.now;
            let entry = self.oracle.accepted.entry(*task).or_insert(Accepted { script, at, disks });
            entry.disks.0 |= disks.0;
            if !fresh {
                continue;
            }
            let n = self.n();
            if self.plan.class == Class::Clients {
                for device in 0..n {
                    self.queue.push(self.now, Event::Client(Op::Read(*task, device)));
                }
            }
            if let Some(after) = self.scripts[script].cancel_after {
                let client = self.dice.clients.index(n);
                self.queue.push(self.now + after, Event::Client(Op::Cancel(*task, client)));
            }
            if let Some(after) = self.scripts[script].again_after {
                let client = self.dice.clients.index(n);
                self.queue.push(self.now + after, Event::Client(Op::Reopen(*task, client)));
            }
            if self.dice.clients.chance(200_000) {
                let client = self.dice.clients.index(n);
                let wait = self.dice.clients.skewed(0, 5 * SECOND);
                self.queue.push(self.now + wait, Event::Client(Op::Read(*task, client)));
            }
        }
    }
}
