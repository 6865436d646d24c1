//! Accepting tasks, and cancelling them. `submit` answers when enough disks have the task, or after a while with the true number; once
//! it is on disk here it never answers with an error (rule 16).

use crate::blob::BLOBS_PER_TASK_MAX;
use crate::core::Scheduler;
use crate::effect::{Effect, Refusal, Reply};
use crate::id::{DeviceId, TaskId};
use crate::input::{Command, CommandId, NewTask};
use crate::record::{CancelAsked, Fact, Submitted, keyed_task_id, task_id};
use crate::task::{AFTER_MAX, PAYLOAD_BYTES_MAX, SPEC_BYTES_MAX, SpecError, TaskSpec, USES_MAX};
use crate::time::Mono;
use crate::timers::Timer;
use crate::wire::encode_spec;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

/// A submit that has not been answered.
#[derive(Clone, Debug)]
struct Submit {
    id: CommandId,
    tasks: Vec<TaskId>,
    /// The first so many are on enough disks.
    stored: usize,
    disks: usize,
    until: Mono,
}

/// Submits that have not been answered. Thousands may wait at once, and each is looked at only when something happened to the task
/// that holds it up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Submits {
    /// In the order in which they came.
    waiting: BTreeMap<u64, Submit>,
    next: u64,
    /// The first task of each that is not on enough disks.
    held_up_by: BTreeMap<TaskId, BTreeSet<u64>>,
    /// To be looked at.
    touched: BTreeSet<u64>,
    /// How many of them want so many disks.
    disks: BTreeMap<usize, usize>,
    /// How many others were live when they were last looked at.
    live: usize,
}

impl Submits {
    fn add(&mut self, submit: Submit) {
        self.touched.insert(self.next);
        *self.disks.entry(submit.disks).or_default() += 1;
        self.waiting.insert(self.next, submit);
        self.next += 1;
    }

    /// It is answered.
    fn done(&mut self, submit: &Submit) {
        if let Some(count) = self.disks.get_mut(&submit.disks) {
            *count -= 1;
            if *count == 0 {
                self.disks.remove(&submit.disks);
            }
        }
        if self.waiting.is_empty() {
            self.held_up_by.clear();
        }
    }

    /// Something happened to a task.
    pub(crate) fn touch(&mut self, task: TaskId) {
        if !self.held_up_by.is_empty()
            && let Some(submits) = self.held_up_by.remove(&task)
        {
            self.touched.extend(submits);
        }
    }

    /// The time of some has come.
    pub(crate) fn touch_late(&mut self, now: Mono) {
        self.touched.extend(self.waiting.iter().filter(|(_, submit)| now >= submit.until).map(|(number, _)| *number));
    }
}

fn check(task: &NewTask) -> Result<crate::bytes::Bytes, SpecError> {
    let spec = encode_spec(&task.spec);
    if task.spec.task_type.is_empty() {
        Err(SpecError::NoTaskType)
    } else if task.payload.len() > PAYLOAD_BYTES_MAX {
        Err(SpecError::PayloadTooLarge(task.payload.len()))
    } else if task.spec.blobs.len() > BLOBS_PER_TASK_MAX {
        Err(SpecError::TooManyBlobs(task.spec.blobs.len()))
    } else if let Some(place) = task.spec.batch.filter(|place| !place.is_sound()) {
        Err(SpecError::BatchPlace(place))
    } else if task.spec.speculative && task.spec.side_effects {
        Err(SpecError::CopiesDoHarm)
    } else if task.spec.speculative && task.spec.requirements.exclusive {
        Err(SpecError::CopiesOfExclusive)
    } else if spec.len() > SPEC_BYTES_MAX {
        Err(SpecError::SpecTooLarge(spec.len()))
    } else {
        check_after(&task.spec).map(|()| spec)
    }
}

/// What it waits for makes sense.
fn check_after(spec: &TaskSpec) -> Result<(), SpecError> {
    if spec.after.len() > AFTER_MAX {
        return Err(SpecError::TooManyDependencies(spec.after.len()));
    }
    if spec.uses.len() > USES_MAX {
        return Err(SpecError::TooManyUses(spec.uses.len()));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = spec.after.iter().find(|task| !seen.insert(**task)) {
        return Err(SpecError::DependencyTwice(*twice));
    }
    let mut seen = BTreeSet::new();
    let bad = spec.uses.iter().find(|place| **place as usize >= spec.after.len() || !seen.insert(**place));
    bad.map_or(Ok(()), |place| Err(SpecError::BadUse(*place)))
}

impl Scheduler {
    /// A request by this device's user.
    pub(crate) fn handle_command(&mut self, id: CommandId, command: Command) {
        match command {
            Command::Submit { tasks, disks } => match self.submit(tasks) {
                Ok(tasks) => {
                    let disks = disks.unwrap_or(self.config.ack_disks).max(1);
                    let until = self.now.mono + self.config.ack_timeout;
                    self.submits.add(Submit { id, tasks, stored: 0, disks, until });
                    self.timers.set_earlier(Timer::Ack, until);
                }
                Err(refusal) => self.reply(id, Reply::Refused(refusal)),
            },
            Command::Cancel(task) => self.cancel(id, task),
            Command::Reopen(task) => self.reopen(id, task),
            Command::Read(task) => self.read(id, task),
            Command::Find(prefix) => self.find(id, &prefix),
            Command::List { limit } => self.list(id, limit),
            Command::OpenOf(task_type) => self.open_of(id, task_type),
            Command::Batch { batch, which } => self.batch(id, batch, &which),
            Command::Batches { limit } => self.batches(id, limit),
        }
    }

    pub(crate) fn reply(&mut self, id: CommandId, reply: Reply) {
        self.effects.push_back(Effect::Reply { id, reply });
    }

    fn submit(&mut self, tasks: Vec<NewTask>) -> Result<Vec<TaskId>, Refusal> {
        if !self.disk.healthy {
            return Err(Refusal::Storage);
        }
        if self.open.len() + tasks.len() > self.config.queue_max {
            return Err(Refusal::QueueFull { limit: self.config.queue_max });
        }
        let mut accepted: Vec<(TaskId, _, _, _)> = Vec::with_capacity(tasks.len());
        for (index, mut task) in tasks.into_iter().enumerate() {
            for place in core::mem::take(&mut task.after_new) {
                let Some((earlier, ..)) = accepted.get(place as usize) else {
                    return Err(Refusal::Spec { index, error: SpecError::NotEarlier(place) });
                };
                task.spec.after.push(*earlier);
            }
            let spec = check(&task).map_err(|error| Refusal::Spec { index, error })?;
            let nonce = if task.spec.idempotency_key.is_some() { 0 } else { self.rng.next() };
            let id = match &task.spec.idempotency_key {
                Some(key) => keyed_task_id(key, &spec, &task.payload),
                None => task_id(self.now.wall_ms, &spec, &task.payload, self.me, nonce),
            };
            if let Some(earlier) = task.spec.idempotency_key.as_ref().and_then(|key| self.keys.get(key))
                && *earlier != id
            {
                return Err(Refusal::KeyConflict { earlier: *earlier });
            }
            accepted.push((id, nonce, spec, task));
        }
        let ids = accepted.iter().map(|(id, ..)| *id).collect();
        for (id, nonce, spec, task) in accepted {
            self.accept(id, nonce, spec, task);
        }
        Ok(ids)
    }

    fn accept(&mut self, id: TaskId, nonce: u64, spec: crate::bytes::Bytes, task: NewTask) {
        if self.tasks.contains_key(&id) || self.cold.has(id) {
            return;
        }
        // A keyed task may have been accepted, and may have ended, elsewhere.
        let accepted_here = task.spec.idempotency_key.is_none();
        self.revive(id);
        self.ensure_entry(id, Arc::new(task.spec));
        if let Some(entry) = self.tasks.get_mut(&id) {
            entry.accepted_here = accepted_here;
        }
        self.accepted += 1;
        self.newest_accepted = Some(id);
        let (by, by_inc, number, wall_ms) = (self.me, self.inc, self.accepted, self.now.wall_ms);
        self.open.insert(id);
        self.write(id, Fact::Submitted(Submitted { by, by_inc, number, nonce, wall_ms, spec, payload: task.payload }));
    }

    /// Answers the submits that can be answered.
    pub(crate) fn flush_submits(&mut self) {
        if self.submits.waiting.is_empty() {
            return;
        }
        let live = self.peers.values().filter(|peer| peer.is_live()).count();
        let all_anew = core::mem::replace(&mut self.submits.live, live) != live;
        let touched = core::mem::take(&mut self.submits.touched);
        let look_at: Vec<u64> =
            if all_anew { self.submits.waiting.keys().copied().collect() } else { touched.into_iter().collect() };
        for number in look_at {
            let Some(mut submit) = self.submits.waiting.remove(&number) else { continue };
            let late = self.now.mono >= submit.until;
            let wanted = if late { 1 } else { submit.disks.min(1 + live) };
            while submit.tasks.get(submit.stored).is_some_and(|task| self.disks_of(*task) >= wanted) {
                submit.stored += 1;
            }
            if let Some(task) = submit.tasks.get(submit.stored) {
                self.submits.held_up_by.entry(*task).or_default().insert(number);
                self.submits.waiting.insert(number, submit);
                continue;
            }
            self.submits.done(&submit);
            let disks = self.disks_of_all(&submit.tasks);
            self.reply(submit.id, Reply::Accepted { tasks: submit.tasks, disks });
        }
        if let Some(next) =
            self.submits.waiting.values().map(|submit| submit.until).find(|until| *until > self.now.mono)
        {
            self.timers.set_earlier(Timer::Ack, next);
        }
    }

    /// On so many disks something must be before the next answer, this device's own included.
    pub(crate) fn disks_awaited(&self) -> usize {
        self.submits.disks.keys().next_back().map_or(1, |most| *most).max(self.config.ack_disks).max(1)
    }

    /// On how many disks a task is, as far as this device knows; none before it is on this one's.
    fn disks_of(&self, task: TaskId) -> usize {
        let Some(entry) = self.tasks.get(&task) else {
            let cold = self.cold.get(task).filter(|cold| !cold.buried);
            // What is buried meanwhile was stored, and nobody stores it any more.
            return cold.map_or(1, |cold| 1 + self.cold.circle(cold).stored.len());
        };
        let slots = entry.submitted_slots();
        if entry.durable & slots == 0 {
            return 0;
        }
        1 + entry.copies.iter().filter(|copy| copy.stored & slots != 0).count()
    }

    fn disks_of_all(&self, tasks: &[TaskId]) -> Vec<DeviceId> {
        let has = |device: DeviceId| {
            tasks.iter().all(|task| match self.tasks.get(task) {
                Some(entry) => entry.stored_by(device) & entry.submitted_slots() != 0,
                None => self.cold.get(*task).is_some_and(|cold| self.cold.circle(cold).stored.contains(&device)),
            })
        };
        let mut disks = vec![self.me];
        disks.extend(self.peers.keys().copied().filter(|device| has(*device)));
        disks
    }

    fn cancel(&mut self, id: CommandId, task: TaskId) {
        if !self.tasks.contains_key(&task) {
            // The request travels as a fact, and a fact needs its record: fetch that first. One that rests has ended.
            self.fetch_and_cancel(id, task);
            return;
        }
        self.ask_cancel(task);
        self.settle_dirty();
        let status = self.tasks[&task].record.resolve().status();
        self.reply(id, Reply::Status(task, status));
    }

    pub(crate) fn ask_cancel(&mut self, task: TaskId) {
        let Some(entry) = self.tasks.get(&task) else { return };
        let state = entry.record.resolve();
        if !state.is_reportable() {
            let (by, round) = (self.me, state.round);
            self.write(task, Fact::CancelAsked(CancelAsked { by, round }));
        }
    }
}
