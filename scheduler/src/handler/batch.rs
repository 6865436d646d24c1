//! Questions about batches: every device says of each task that it keeps where it stands, in one byte, and whoever asks puts the
//! answers together (rule 17). Nothing is read from disks for it, so 10,000 tasks cost 10 KB from each device.

use crate::core::Scheduler;
use crate::effect::{BatchFound, Reply};
use crate::id::{BatchId, DeviceId, TaskId};
use crate::input::CommandId;
use crate::keeper::{Mark, status};
use crate::message::{About, BATCHES_MAX, BatchReply, Message, Query};
use crate::task::Status;
use crate::time::Mono;
use crate::timers::Timer;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

/// Most questions under way at once; more are answered with what is known here.
const QUERIES_MAX: usize = 64;

#[derive(Clone, Debug)]
struct Pending {
    command: CommandId,
    about: About,
    waiting: BTreeSet<DeviceId>,
    answered: BTreeSet<DeviceId>,
    found: Found,
    until: Mono,
}

/// What the answers so far come to.
#[derive(Clone, Debug, Default)]
struct Found {
    marks: Vec<u8>,
    tasks: BTreeMap<u32, TaskId>,
    batches: BTreeMap<BatchId, u32>,
    more: bool,
}

impl Found {
    fn add(&mut self, reply: &BatchReply) {
        if self.marks.len() < reply.marks.len() {
            self.marks.resize(reply.marks.len(), 0);
        }
        // Who knows of a later round, or of a later step in it, knows more.
        for (mark, theirs) in self.marks.iter_mut().zip(reply.marks.iter()) {
            *mark = (*mark).max(*theirs);
        }
        self.tasks.extend(reply.tasks.iter().copied());
        for (batch, of) in &reply.batches {
            let known = self.batches.entry(*batch).or_default();
            *known = (*known).max(*of);
        }
        self.more |= reply.more;
    }
}

/// Questions about batches that are under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct BatchQueries(BTreeMap<u64, Pending>);

const fn bit(status: Status) -> u16 {
    1 << status as u16
}

impl Scheduler {
    /// Where the tasks of a batch stand.
    pub(crate) fn batch(&mut self, command: CommandId, batch: BatchId, which: &[Status]) {
        let which = which.iter().fold(0, |bits, status| bits | bit(*status));
        self.ask_about_batches(command, About::Batch(batch, which));
    }

    /// The newest batches of the cluster.
    pub(crate) fn batches(&mut self, command: CommandId, limit: u32) {
        self.ask_about_batches(command, About::Batches(limit));
    }

    fn ask_about_batches(&mut self, command: CommandId, about: About) {
        let mut found = Found::default();
        found.add(&self.known_of_batches(0, &about));
        let full = self.batch_queries.0.len() >= QUERIES_MAX;
        let waiting: BTreeSet<_> =
            self.peers.iter().filter(|(_, peer)| !full && peer.is_up()).map(|(id, _)| *id).collect();
        let id = self.next_query();
        for device in &waiting {
            self.send(*device, Message::Query(Query { id, about: about.clone() }));
        }
        let until = self.now.mono + self.query_patience();
        let answered = BTreeSet::new();
        self.batch_queries.0.insert(id, Pending { command, about, waiting, answered, found, until });
        self.timers.set_earlier(Timer::Query, until);
        self.finish_batch_query(id);
    }

    /// A peer asks.
    pub(super) fn answer_about_batches(&mut self, from: DeviceId, query: &Query) {
        let reply = self.known_of_batches(query.id, &query.about);
        self.send(from, Message::BatchReply(reply));
    }

    fn known_of_batches(&self, id: u64, about: &About) -> BatchReply {
        let mut reply = BatchReply { id, ..BatchReply::default() };
        match about {
            About::Batch(batch, which) => {
                let Some(known) = self.batches.get(*batch) else { return reply };
                let mut marks = vec![0; known.of as usize];
                for (index, task) in &known.tasks {
                    let Some(mark) = self.stands(*task) else { continue };
                    let Some(slot) = marks.get_mut(*index as usize) else { continue };
                    *slot = mark.byte().max(*slot);
                    if *index == 0 || which & bit(mark.status()) != 0 {
                        reply.tasks.push((*index, *task));
                    }
                }
                // One place, one task, however many claim it.
                reply.tasks.dedup_by_key(|(index, _)| *index);
                reply.marks = marks.into();
            }
            About::Batches(limit) => {
                let limit = (*limit as usize).min(BATCHES_MAX);
                let all = self.batches.iter().rev();
                let is_kept = |task: TaskId| self.tasks.contains_key(&task) || self.cold.has(task);
                let mut kept = all.filter(|(_, batch)| batch.tasks.iter().any(|(_, task)| is_kept(*task)));
                reply.batches = kept.by_ref().take(limit).map(|(id, batch)| (id, batch.of)).collect();
                reply.more = kept.next().is_some();
            }
            _ => {}
        }
        reply
    }

    /// In which round a task is, and where it stands, as this device knows.
    fn stands(&self, task: TaskId) -> Option<Mark> {
        let Some(entry) = self.tasks.get(&task) else {
            return self.cold.get(task).filter(|cold| !cold.buried).map(|cold| cold.mark);
        };
        let state = entry.record.resolve();
        let status = match state.status() {
            Status::Assigned if self.has_started(task) => Status::Running,
            status => status,
        };
        Some(Mark::new(state.round, status))
    }

    fn has_started(&self, task: TaskId) -> bool {
        let lease = self.tasks.get(&task).and_then(|entry| entry.record.resolve().lease.map(|lease| lease.epoch));
        let live = self.view().live(task);
        live.is_some_and(|live| Some(live.epoch) == lease && live.started_wall_ms.is_some())
    }

    /// A peer answers.
    pub(crate) fn handle_batch_reply(&mut self, from: DeviceId, reply: BatchReply) {
        let Some(pending) = self.batch_queries.0.get_mut(&reply.id) else { return };
        if pending.waiting.remove(&from) {
            pending.answered.insert(from);
            pending.found.add(&reply);
            self.finish_batch_query(reply.id);
        }
    }

    /// A peer will not answer any more.
    pub(super) fn batch_query_lost(&mut self, device: DeviceId) {
        let waits = |(id, pending): (&u64, &mut Pending)| pending.waiting.remove(&device).then_some(*id);
        let ids: Vec<_> = self.batch_queries.0.iter_mut().filter_map(waits).collect();
        ids.into_iter().for_each(|id| self.finish_batch_query(id));
    }

    /// Some questions have waited long enough.
    pub(super) fn batch_query_due(&mut self) {
        let now = self.now.mono;
        let mut due = Vec::new();
        for (id, pending) in &mut self.batch_queries.0 {
            if now >= pending.until {
                pending.waiting.clear();
                due.push(*id);
            }
        }
        due.into_iter().for_each(|id| self.finish_batch_query(id));
        if let Some(next) = self.batch_queries.0.values().map(|pending| pending.until).min() {
            self.timers.set_earlier(Timer::Query, next);
        }
    }

    fn finish_batch_query(&mut self, id: u64) {
        if !self.batch_queries.0.get(&id).is_some_and(|pending| pending.waiting.is_empty()) {
            return;
        }
        let Some(pending) = self.batch_queries.0.remove(&id) else { return };
        let silent = self.silent(&pending.answered);
        let Found { marks, tasks, batches, more } = pending.found;
        let reply = match pending.about {
            About::Batch(..) if marks.iter().all(|mark| *mark == 0) => {
                if silent.is_empty() {
                    Reply::NotFound
                } else {
                    Reply::Unknown(silent)
                }
            }
            About::Batch(batch, which) => {
                let statuses: Vec<_> = marks.into_iter().map(status).collect();
                // What one of them believes may be old: what all know together decides.
                let wanted = |index: u32| {
                    let status = statuses.get(index as usize).copied().flatten();
                    index == 0 || status.is_some_and(|status| which & bit(status) != 0)
                };
                let tasks = tasks.into_iter().filter(|(index, _)| wanted(*index)).collect();
                Reply::Batch { found: BatchFound { batch, statuses, tasks }, silent }
            }
            About::Batches(limit) => {
                let limit = limit as usize;
                let more = more || batches.len() > limit;
                Reply::Batches { batches: batches.into_iter().rev().take(limit).collect(), silent, more }
            }
            _ => return,
        };
        self.reply(pending.command, reply);
    }
}
